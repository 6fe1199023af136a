//! One item of the timeline: its type, who took part, what was said.

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use super::address::Address;
use super::span::{Span, SpanKind};

words! {
    /// The thirteen types of the timeline.
    EntryType {
        EmailSent = "email_sent",
        EmailReceived = "email_received",
        Call = "call",
        Meeting = "meeting",
        Note = "note",
        DealCreated = "deal_created",
        DealStageChange = "deal_stage_change",
        QuoteSent = "quote_sent",
        OrderPlaced = "order_placed",
        TaskCompleted = "task_completed",
        ContactAdded = "contact_added",
        EnrichmentUpdate = "enrichment_update",
        IntegrationEvent = "integration_event",
    }
}

impl EntryType {
    pub fn is_email(self) -> bool {
        matches!(self, EntryType::EmailSent | EntryType::EmailReceived)
    }

    /// Whether the entry is something a person said, rather than an event around it.
    pub fn is_communication(self) -> bool {
        self.is_email() || matches!(self, EntryType::Call | EntryType::Meeting | EntryType::Note)
    }
}

words! {
    /// Who said it.
    Side { Customer = "customer", Us = "us" }
}

words! { Direction { Inbound = "inbound", Outbound = "outbound" } }

words! { Disposition { Connected = "connected", Voicemail = "voicemail", NoAnswer = "no_answer" } }

words! {
    ParticipantRole { From = "from", To = "to", Cc = "cc", Attendee = "attendee", Speaker = "speaker" }
}

words! {
    MeetingKind { Discovery = "discovery", Demo = "demo", Negotiation = "negotiation", Review = "review", Other = "other" }
}

words! {
    /// `internal` entries are searchable by the team but feed no summary, brief or highlight.
    #[derive(Default)]
    Visibility { #[default] Normal = "normal", Internal = "internal" }
}

words! {
    /// Something a reader should know about how an entry came in.
    Flag {
        /// Too many parts, too deep or too large to take apart: the raw mail is kept, its text is not read.
        TooComplex = "too_complex",
        /// The mail had no usable date; the time it was received here stands in.
        DateUnknown = "date_unknown",
        /// Dated after the moment it came in.
        FromTheFuture = "from_the_future",
        /// Another mail with the same Message-ID and other content is kept beside it.
        MessageIdReused = "message_id_reused",
        /// It holds words that its reader does not see; they are listed, and do not count as said.
        HiddenText = "hidden_text",
        /// It says that somebody sent it who, as far as can be told, did not: its checks failed, or the name shown is
        /// another address. It counts as nobody's words.
        UnverifiedSender = "unverified_sender",
        /// It says nearly the same as a mail of the same author to the same account in the week before, and counts once
        /// with that.
        Repeated = "repeated",
        /// The text was longer than the limit; the raw mail holds all of it.
        Shortened = "shortened",
    }
}

words! {
    /// How words were hidden from the reader of a mail.
    HiddenBy {
        /// Characters without width, or shown in reverse.
        Characters = "characters",
        /// HTML that is not displayed, too small, off the page, or in the colour of its background.
        Style = "style",
        /// A plain version that says something else than the HTML.
        Alternative = "alternative",
    }
}

/// Words that stand in a mail and that its reader does not see.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Hidden {
    pub by: HiddenBy,
    pub text: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Participant {
    pub role: ParticipantRole,
    pub name: Option<String>,
    pub email: Option<String>,
}

impl Participant {
    pub fn address(&self) -> Option<Address> {
        self.email.as_deref().and_then(Address::parse)
    }

    /// How this person is named in filters and counts: the address, or `~name` when there is none.
    pub fn key(&self) -> Option<String> {
        match self.address() {
            Some(address) => Some(address.as_str().to_owned()),
            None => self.name.as_deref().and_then(name_key),
        }
    }
}

/// The filter key of somebody known only by name: `~` and the name in lower case with single spaces.
pub fn name_key(name: &str) -> Option<String> {
    let folded = name.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ");
    (!folded.is_empty()).then(|| format!("~{folded}"))
}

/// One turn of a transcript. Times are seconds from the start of the recording.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Segment {
    pub speaker: Option<String>,
    pub email: Option<String>,
    pub side: Option<Side>,
    pub start: Option<f64>,
    pub end: Option<f64>,
    pub text: String,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Meeting {
    pub kind: Option<MeetingKind>,
    pub agenda: Option<String>,
    pub outcome: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Attachment {
    pub name: Option<String>,
    pub content_type: Option<String>,
    pub size: Option<u64>,
    /// Where it can be fetched: a link of the sending system, or this service's own download route.
    pub url: Option<String>,
}

/// One item of the timeline as it came in; a contract record of kind `entry`, and what a mail becomes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    pub id: String,
    /// None while nobody's: the mail waits in the unmatched list.
    pub account_id: Option<String>,
    pub r#type: EntryType,
    pub occurred_at: Timestamp,
    pub subject: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    pub body: String,
    pub side: Option<Side>,
    pub channel: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    pub participants: Vec<Participant>,
    pub duration_seconds: Option<u64>,
    pub direction: Option<Direction>,
    pub disposition: Option<Disposition>,
    #[serde(default, deserialize_with = "or_default")]
    pub transcript: Vec<Segment>,
    pub meeting: Option<Meeting>,
    pub thread_id: Option<String>,
    pub deal_id: Option<String>,
    pub recording_url: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    pub attachments: Vec<Attachment>,
    #[serde(default, deserialize_with = "or_default")]
    pub visibility: Visibility,
}

impl Entry {
    /// An entry of this type with nothing else known.
    pub fn new(id: String, r#type: EntryType, occurred_at: Timestamp) -> Entry {
        Entry {
            id,
            account_id: None,
            r#type,
            occurred_at,
            subject: None,
            body: String::new(),
            side: None,
            channel: None,
            participants: Vec::new(),
            duration_seconds: None,
            direction: None,
            disposition: None,
            transcript: Vec::new(),
            meeting: None,
            thread_id: None,
            deal_id: None,
            recording_url: None,
            attachments: Vec::new(),
            visibility: Visibility::Normal,
        }
    }

    /// Whether people said it and it may be counted and cited: no event, not internal, not automatic, of a sender whom
    /// it can be believed, and not the repetition of another.
    pub fn counts_as_said(&self, spans: &[Span], flags: &[Flag]) -> bool {
        let doubtful = |flag: &Flag| matches!(flag, Flag::UnverifiedSender | Flag::Repeated);
        let automatic = |span: &Span| span.kind == SpanKind::Automatic;
        self.r#type.is_communication() && !self.is_internal() && !spans.iter().any(automatic) && !flags.iter().any(doubtful)
    }

    /// Whether it may feed summaries: not marked internal, and not a note that begins by saying so.
    pub fn is_internal(&self) -> bool {
        let says_so = || {
            let opening: String = self.body.trim_start().chars().take(40).collect::<String>().to_lowercase();
            let opening = opening.trim_start_matches(['[', '(', '*', '#', ' ']);
            ["internal only", "internal use only", "internal note", "internal:", "internal -", "strictly internal", "for internal use"]
                .iter()
                .any(|words| opening.starts_with(words))
        };
        self.visibility == Visibility::Internal || (self.r#type == EntryType::Note && says_so())
    }
}

/// The stretches of `body` that are new words, as text with their start in characters.
pub fn new_words<'a>(body: &'a str, spans: &'a [Span]) -> impl Iterator<Item = (usize, &'a str)> {
    super::span::slices(body, spans).filter(|(span, _)| span.kind == SpanKind::New).map(|(span, words)| (span.start, words))
}

/// Reads `null` like a missing field.
pub fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}
