//! The nouns of the field, as values: nothing here is stored, sent or asked.

#[macro_use]
mod words;

pub mod address;
pub mod clock;
pub mod entry;
pub mod money;
pub mod parties;
pub mod period;
pub mod reading;
pub mod record;
pub mod role;
pub mod sentiment;
pub mod span;
pub mod stretch;
pub mod summary;
pub mod workspace;

pub use address::Address;
pub use clock::Clock;
pub use entry::{Entry, EntryType};
pub use parties::Parties;
pub use record::Record;
pub use span::Span;
pub use stretch::Stretch;
pub use workspace::WorkspaceId;
