//! How an account's people feel about us, from what they wrote and said.

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::reading::{Carrier, Placed, ReadingEngine, SentimentLabel};

words! {
    /// Where the sentiment is going. `unknown`: too few messages to tell.
    Trend { Improving = "improving", Stable = "stable", Declining = "declining", Unknown = "unknown" }
}

/// One message of a customer's.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Point {
    pub entry_id: String,
    pub occurred_at: Timestamp,
    /// -1 to 1.
    pub score: f64,
    /// The sentences that say most of it.
    pub carried_by: Vec<Placed<Carrier>>,
}

/// What a health score takes from it.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Signal {
    /// The account's score, -1 to 1; null while nothing is known.
    pub value: Option<f64>,
    /// When the newest message that counts was written.
    pub as_of: Option<Timestamp>,
    /// What read that message.
    pub engine: Option<ReadingEngine>,
}

/// The sentiment of an account's customers over a stretch of time.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct AccountSentiment {
    /// Mean of the messages' scores, in which a message counts half for every 30 days that it is older than the newest;
    /// null without messages.
    pub score: Option<f64>,
    /// Negative below -0.2, positive above 0.2.
    pub label: Option<SentimentLabel>,
    pub trend: Trend,
    /// How many messages count.
    pub messages: usize,
    /// Newest first.
    pub points: Vec<Point>,
    pub signal: Signal,
}
