//! The cited account summary: every sentence rests on quotes or on fields of records.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

words! {
    /// Why a summary was made; when several apply at once, the first in this order.
    Trigger {
        First = "first",
        DealStageChange = "deal_stage_change",
        CommunicationAfterGap = "communication_after_gap",
        HealthChange = "health_change",
        Schedule = "schedule",
        Manual = "manual",
    }
}

words! {
    Topic { History = "history", Opportunities = "opportunities", Risks = "risks", NextActions = "next_actions" }
}

/// The cause of one version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Cause {
    pub trigger: Trigger,
    pub entry_id: Option<String>,
    /// In words, e.g. `Proposal → Negotiation`.
    pub detail: Option<String>,
}

/// What a sentence rests on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum Citation {
    /// Words of an entry: exactly the slice `start..end` of its body, or of the segment's text when `segment` is given.
    Quote { entry_id: String, segment: Option<usize>, start: usize, end: usize, quote: String },
    /// A field of a record, named `kind:id`.
    Field { record: String, field: String, value: String },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Sentence {
    pub text: String,
    pub topic: Topic,
    pub citations: Vec<Citation>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Paragraph {
    pub sentences: Vec<Sentence>,
}

/// What wrote it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Engine {
    pub kind: String,
    pub model: String,
    pub prompt: Option<String>,
}

/// Communications read, of all the account's communications.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Coverage {
    pub read: u64,
    pub total: u64,
}

/// What the writer of a summary hands over; the store adds version, time and cause.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Draft {
    pub language: String,
    pub engine: Engine,
    pub coverage: Coverage,
    pub dropped_sentences: u64,
    pub paragraphs: Vec<Paragraph>,
}

/// One version as it is served.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Summary {
    pub account_id: String,
    pub version: i64,
    pub generated_at: Timestamp,
    pub language: String,
    /// Whether anything of the account changed since it was made.
    pub stale: bool,
    /// Entries this text has not seen.
    pub newer_entries: u64,
    pub refreshed_because: Cause,
    pub engine: Engine,
    pub coverage: Coverage,
    pub dropped_sentences: u64,
    /// The paragraphs as plain text, separated by blank lines.
    pub text: String,
    pub paragraphs: Vec<Paragraph>,
}

impl Paragraph {
    pub fn text(&self) -> String {
        self.sentences.iter().map(|sentence| sentence.text.as_str()).collect::<Vec<_>>().join(" ")
    }
}
