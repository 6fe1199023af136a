//! What is read from a text: sentiment, highlights, mentions of competitors, each with its words.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::entry::{Entry, Flag, Side};
use super::span::Language;

words! {
    HighlightKind { Question = "question", Commitment = "commitment", Objection = "objection", PositiveSignal = "positive_signal" }
}

words! {
    /// What a highlight is more exactly: the first eight for objections, the others for positive signals.
    Subtype {
        /// Cost, or a budget that is too small.
        Price = "price",
        Timing = "timing",
        /// Cannot decide, needs approval.
        Authority = "authority",
        /// Does not want it, or it cannot do what they need.
        Need = "need",
        /// Doubts about quality, support or honesty.
        Trust = "trust",
        LegalSecurity = "legal_security",
        Integration = "integration",
        Other = "other",
        Budget = "budget",
        /// Their wish or date to sign, buy or start.
        Timeline = "timeline",
        /// A senior person of theirs takes part.
        Executive = "executive",
        Expansion = "expansion",
        Advocacy = "advocacy",
    }
}

impl Subtype {
    /// Those of objections.
    pub const OBJECTIONS: &'static [Subtype] = Subtype::ALL.split_at(8).0;
    /// Those of positive signals.
    pub const SIGNALS: &'static [Subtype] = Subtype::ALL.split_at(8).1;
}

words! {
    /// How a sentence stands to a competitor that it names.
    Stance {
        Evaluating = "evaluating",
        UsingToday = "using_today",
        SwitchingTo = "switching_to",
        SwitchingFrom = "switching_from",
        PriceComparison = "price_comparison",
        FeatureGap = "feature_gap",
        Past = "past",
        MereMention = "mere_mention",
        Negated = "negated",
    }
}

words! { SentimentLabel { Negative = "negative", Neutral = "neutral", Positive = "positive" } }

words! { EngineKind { Local = "local", Llm = "llm" } }

/// The writer's attitude towards us, the product or the matter.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Sentiment {
    /// -1 to 1.
    pub score: f64,
    pub label: SentimentLabel,
    /// How likely the label is right, 0 to 1.
    pub confidence: f64,
}

/// Something to know or to act on. Offsets count Unicode scalar values of the text, end exclusive; `quote` is that slice.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Highlight {
    pub kind: HighlightKind,
    pub subtype: Option<Subtype>,
    /// Whose statement it is, also when the other side reports it.
    pub side: Side,
    pub quote: String,
    pub start: usize,
    pub end: usize,
    /// 0 to 1.
    pub confidence: f64,
    /// When a commitment falls due: the last second of the day where no time is named.
    pub due_at: Option<Timestamp>,
    /// The local day of that.
    #[schema(value_type = Option<String>, format = Date)]
    pub due_date: Option<Date>,
}

/// A competitor as the workspace knows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Competitor {
    pub id: String,
    pub name: String,
    #[serde(default)]
    pub aliases: Vec<String>,
    #[serde(default)]
    pub domains: Vec<String>,
}

/// Where a text names a competitor, and how it stands to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CompetitorMention {
    /// Its id.
    pub competitor: String,
    /// The name as written.
    pub mention: String,
    pub mention_start: usize,
    pub mention_end: usize,
    /// The words that carry the stance.
    pub quote: String,
    pub start: usize,
    pub end: usize,
    pub side: Side,
    pub stance: Stance,
    pub confidence: f64,
}

/// Who read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReadingEngine {
    pub kind: EngineKind,
    pub model: String,
    pub version: String,
}

/// A sentence that carried the sentiment of its entry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Carrier {
    pub quote: String,
    pub start: usize,
    pub end: usize,
    /// Its own, -1 to 1.
    pub score: f64,
}

/// Something found in an entry: in its body, or in a segment of its transcript, which its offsets then count from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Placed<T> {
    pub segment: Option<usize>,
    #[serde(flatten)]
    pub found: T,
}

/// The sentiment of an entry, and the sentences that carried it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EntrySentiment {
    #[serde(flatten)]
    pub sentiment: Sentiment,
    /// Whose attitude it is: the writer's; in calls and meetings the customer's.
    pub side: Option<Side>,
    /// Those that say most of it, the strongest first: at most three.
    pub carried_by: Vec<Placed<Carrier>>,
}

/// All that was read from an entry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EntryReading {
    /// Of the first words that are in a known language.
    pub language: Option<Language>,
    pub engine: ReadingEngine,
    /// None when no sentence could be scored.
    pub sentiment: Option<EntrySentiment>,
    pub highlights: Vec<Placed<Highlight>>,
    pub competitor_mentions: Vec<Placed<CompetitorMention>>,
}

impl EntryReading {
    /// The sentiment's score, where it is a customer's.
    pub fn customer_score(&self) -> Option<f64> {
        self.sentiment.as_ref().filter(|said| said.side == Some(Side::Customer)).map(|said| said.sentiment.score)
    }
}

/// An entry as lists show it, with what a reader should know about it.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ListedEntry {
    #[serde(flatten)]
    pub entry: Entry,
    pub flags: Vec<Flag>,
    /// Null until it was read, and where nothing could be scored.
    pub sentiment: Option<EntrySentiment>,
}

/// All that was read from one text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Reading {
    pub language: Option<Language>,
    pub engine: ReadingEngine,
    /// None when the language cannot be scored, or nothing was said.
    pub sentiment: Option<Sentiment>,
    pub highlights: Vec<Highlight>,
    pub competitor_mentions: Vec<CompetitorMention>,
}
