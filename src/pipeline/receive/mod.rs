//! What comes in: mails, records and transcripts, taken in one transaction with everything they cause.

mod calendars;
mod chats;
mod discover;
mod drafts;
mod entries;
mod mails;
mod records;
mod transcripts;
mod version;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::record::Kind;
use crate::ingest::record::Rejection;

pub use calendars::{calendar, move_horizons};
pub use chats::chat;
pub use discover::discover;
pub use drafts::drafts;
pub(super) use entries::{Source, put_entry};
pub use mails::mails;
pub(super) use records::take;
pub use records::{add_us_domains, records};
pub use transcripts::{Held, check_entry, transcripts};

words! { Status { Added = "added", Updated = "updated", Unchanged = "unchanged", Rejected = "rejected" } }

/// What became of one item.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Outcome {
    pub status: Status,
    pub kind: Option<String>,
    pub id: Option<String>,
    /// Of the change it made; searches with `min_sequence` of at least this see it.
    pub sequence: Option<i64>,
    /// Why it was rejected.
    pub error: Option<String>,
    /// True for something new that is nobody's yet.
    #[serde(skip)]
    pub unmatched: bool,
}

impl Outcome {
    pub(super) fn of(status: Status, kind: Kind, id: &str, sequence: Option<i64>) -> Outcome {
        Outcome { status, kind: Some(kind.to_string()), id: Some(id.to_owned()), sequence, error: None, unmatched: false }
    }

    /// An item that was not taken.
    pub fn rejected(rejection: Rejection) -> Outcome {
        Outcome { status: Status::Rejected, kind: rejection.kind, id: rejection.id, sequence: None, error: Some(rejection.reason), unmatched: false }
    }
}

/// A mail as it was found.
#[derive(Debug, Clone)]
pub struct RawMail {
    /// Name of the mailbox or file: the provenance of what is found there.
    pub source: String,
    pub bytes: Vec<u8>,
}

/// Whose mails these are.
#[derive(Debug, Clone, Default)]
pub struct Owning {
    /// Given with the mails; otherwise the people on them decide.
    pub account_id: Option<String>,
    /// Make an account for each business domain met.
    pub discover_accounts: bool,
}
