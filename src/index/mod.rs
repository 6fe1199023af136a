//! What makes entries findable: a tantivy index, derived from the store and disposable. The only home of tantivy.
//!
//! ```text
//! entry ──document──▶ index (sorted by account and time) ──query──▶ numbers, scores, counts
//!                                                                      │
//!                           entries from the store ──passage──▶ hits ◀─┘
//! ```

pub mod check;
pub mod document;
pub mod excluded;
pub mod passage;
pub mod query;
pub mod schema;
pub mod search;
pub mod stem;
pub mod tokenizer;
pub mod write;

mod collect;
mod compile;
mod repeats;
mod variant;

pub use search::{Index, Request, Results};
pub use write::Writer;

use thiserror::Error;

#[derive(Debug, Error)]
pub enum IndexError {
    #[error("search index: {0}")]
    Engine(#[from] tantivy::TantivyError),
    #[error("search index directory: {0}")]
    Directory(#[from] std::io::Error),
    #[error("the search index is being built again ({0}); it is ready in a moment")]
    Building(String),
    #[error("the search was given up after {0:?}; narrow it by an account, a type or dates, or look for rarer words")]
    TooBroad(std::time::Duration),
}

pub type Result<T> = std::result::Result<T, IndexError>;
