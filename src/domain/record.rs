//! The records that callers send, one struct a kind, as the contract lists them.
//!
//! A missing field means unknown. Unknown fields are refused by name when a record is read.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::entry::{Entry, or_default};

words! {
    /// The kinds of records.
    Kind {
        Workspace = "workspace",
        Account = "account",
        TeamMember = "team_member",
        Contact = "contact",
        Deal = "deal",
        Entry = "entry",
        Enrichment = "enrichment",
        Ticket = "ticket",
        Task = "task",
        Quote = "quote",
        Order = "order",
        Invoice = "invoice",
        Competitor = "competitor",
    }
}

words! {
    BuyingRole {
        Champion = "champion",
        DecisionMaker = "decision_maker",
        EconomicBuyer = "economic_buyer",
        Influencer = "influencer",
        Blocker = "blocker",
        EndUser = "end_user",
    }
}

words! { DealStatus { Open = "open", Won = "won", Lost = "lost" } }

words! { TicketStatus { Open = "open", Pending = "pending", Solved = "solved", Closed = "closed" } }

words! { Priority { Low = "low", Normal = "normal", High = "high", Critical = "critical" } }

/// The settings of a workspace that callers may send.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Workspace {
    /// Our own domains. "Us" is also every team member's non-free-mail domain.
    #[serde(default, deserialize_with = "or_default")]
    pub us_domains: Vec<String>,
    /// IANA name, e.g. `Europe/Berlin`.
    pub timezone: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Account {
    pub id: String,
    pub name: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    pub domains: Vec<String>,
    pub industry: Option<String>,
    pub employees: Option<u64>,
    pub location: Option<String>,
    pub timezone: Option<String>,
    pub logo_url: Option<String>,
    pub tier: Option<String>,
    pub active: Option<bool>,
    pub parent_id: Option<String>,
    pub owner_id: Option<String>,
    pub lifecycle_stage: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    pub tags: Vec<String>,
    #[serde(default, deserialize_with = "or_default")]
    pub segments: Vec<String>,
    pub recording_opt_out: Option<bool>,
    pub referenceable: Option<bool>,
    #[serde(default, deserialize_with = "or_default")]
    #[schema(value_type = Object)]
    pub attributes: serde_json::Map<String, serde_json::Value>,
}

impl Account {
    /// An account of which nothing but the domain is known; its id and name are the domain.
    pub fn of_domain(domain: &str) -> Account {
        Account {
            id: domain.to_owned(),
            name: Some(domain.to_owned()),
            domains: vec![domain.to_owned()],
            industry: None,
            employees: None,
            location: None,
            timezone: None,
            logo_url: None,
            tier: None,
            active: None,
            parent_id: None,
            owner_id: None,
            lifecycle_stage: None,
            tags: Vec::new(),
            segments: Vec::new(),
            recording_opt_out: None,
            referenceable: None,
            attributes: serde_json::Map::new(),
        }
    }

    /// What to call it: the name, or the id when it has none.
    pub fn display_name(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.id)
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TeamMember {
    pub id: String,
    pub name: Option<String>,
    pub email: Option<String>,
    pub title: Option<String>,
    pub timezone: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Contact {
    pub id: String,
    pub account_id: String,
    pub name: Option<String>,
    pub title: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    pub emails: Vec<String>,
    pub phone: Option<String>,
    pub timezone: Option<String>,
    pub role: Option<BuyingRole>,
    pub reports_to_id: Option<String>,
    pub created_at: Option<Timestamp>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Deal {
    pub id: String,
    pub account_id: String,
    pub name: Option<String>,
    pub pipeline: Option<String>,
    pub stage: Option<String>,
    pub status: Option<DealStatus>,
    pub amount: Option<f64>,
    pub currency: Option<String>,
    pub probability: Option<f64>,
    #[schema(value_type = Option<String>, format = Date)]
    pub close_date: Option<Date>,
    pub owner_id: Option<String>,
    pub next_step: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    #[schema(value_type = Vec<Object>)]
    pub products: Vec<serde_json::Value>,
    pub created_at: Option<Timestamp>,
    pub stage_entered_at: Option<Timestamp>,
    pub closed_at: Option<Timestamp>,
}

impl Deal {
    /// Unknown status counts as open: a deal is closed only when someone says so.
    pub fn is_open(&self) -> bool {
        !matches!(self.status, Some(DealStatus::Won | DealStatus::Lost))
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Enrichment {
    pub id: String,
    pub account_id: String,
    pub contact_id: Option<String>,
    pub occurred_at: Option<Timestamp>,
    pub field: Option<String>,
    pub old_value: Option<String>,
    pub new_value: Option<String>,
    pub source: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Ticket {
    pub id: String,
    pub account_id: String,
    pub contact_id: Option<String>,
    pub subject: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    pub body: String,
    pub status: Option<TicketStatus>,
    pub priority: Option<Priority>,
    pub escalated: Option<bool>,
    pub created_at: Option<Timestamp>,
    pub solved_at: Option<Timestamp>,
    pub csat: Option<f64>,
}

impl Ticket {
    pub fn is_open(&self) -> bool {
        !matches!(self.status, Some(TicketStatus::Solved | TicketStatus::Closed)) && self.solved_at.is_none()
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Task {
    pub id: String,
    pub account_id: String,
    pub subject: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    pub body: String,
    pub owner_id: Option<String>,
    pub due_at: Option<Timestamp>,
    pub completed_at: Option<Timestamp>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Quote {
    pub id: String,
    pub account_id: String,
    pub deal_id: Option<String>,
    pub number: Option<String>,
    pub amount: Option<f64>,
    pub currency: Option<String>,
    pub sent_at: Option<Timestamp>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Order {
    pub id: String,
    pub account_id: String,
    pub deal_id: Option<String>,
    pub number: Option<String>,
    pub amount: Option<f64>,
    pub currency: Option<String>,
    pub placed_at: Option<Timestamp>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Invoice {
    pub id: String,
    pub account_id: String,
    pub number: Option<String>,
    pub amount: Option<f64>,
    pub currency: Option<String>,
    pub issued_at: Option<Timestamp>,
    pub due_at: Option<Timestamp>,
    pub paid_at: Option<Timestamp>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Competitor {
    pub id: String,
    pub name: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    pub aliases: Vec<String>,
    #[serde(default, deserialize_with = "or_default")]
    pub domains: Vec<String>,
}

/// One record of any kind.
#[derive(Debug, Clone, PartialEq)]
pub enum Record {
    Workspace(Workspace),
    Account(Account),
    TeamMember(TeamMember),
    Contact(Contact),
    Deal(Deal),
    Entry(Box<Entry>),
    Enrichment(Enrichment),
    Ticket(Ticket),
    Task(Task),
    Quote(Quote),
    Order(Order),
    Invoice(Invoice),
    Competitor(Competitor),
}

/// Calls the same expression with whatever struct the record holds.
macro_rules! each {
    ($record:expr, $inner:ident => $body:expr) => {
        match $record {
            Record::Workspace($inner) => $body,
            Record::Account($inner) => $body,
            Record::TeamMember($inner) => $body,
            Record::Contact($inner) => $body,
            Record::Deal($inner) => $body,
            Record::Entry($inner) => $body,
            Record::Enrichment($inner) => $body,
            Record::Ticket($inner) => $body,
            Record::Task($inner) => $body,
            Record::Quote($inner) => $body,
            Record::Order($inner) => $body,
            Record::Invoice($inner) => $body,
            Record::Competitor($inner) => $body,
        }
    };
}

impl Record {
    pub fn kind(&self) -> Kind {
        match self {
            Record::Workspace(_) => Kind::Workspace,
            Record::Account(_) => Kind::Account,
            Record::TeamMember(_) => Kind::TeamMember,
            Record::Contact(_) => Kind::Contact,
            Record::Deal(_) => Kind::Deal,
            Record::Entry(_) => Kind::Entry,
            Record::Enrichment(_) => Kind::Enrichment,
            Record::Ticket(_) => Kind::Ticket,
            Record::Task(_) => Kind::Task,
            Record::Quote(_) => Kind::Quote,
            Record::Order(_) => Kind::Order,
            Record::Invoice(_) => Kind::Invoice,
            Record::Competitor(_) => Kind::Competitor,
        }
    }

    /// The id; a workspace has none, it is the one the caller speaks for.
    pub fn id(&self) -> &str {
        match self {
            Record::Workspace(_) => "",
            Record::Account(r) => &r.id,
            Record::TeamMember(r) => &r.id,
            Record::Contact(r) => &r.id,
            Record::Deal(r) => &r.id,
            Record::Entry(r) => &r.id,
            Record::Enrichment(r) => &r.id,
            Record::Ticket(r) => &r.id,
            Record::Task(r) => &r.id,
            Record::Quote(r) => &r.id,
            Record::Order(r) => &r.id,
            Record::Invoice(r) => &r.id,
            Record::Competitor(r) => &r.id,
        }
    }

    /// The account it is tied to; an account is tied to itself.
    pub fn account_id(&self) -> Option<&str> {
        match self {
            Record::Workspace(_) | Record::TeamMember(_) | Record::Competitor(_) => None,
            Record::Account(r) => Some(&r.id),
            Record::Entry(r) => r.account_id.as_deref(),
            Record::Contact(r) => Some(&r.account_id),
            Record::Deal(r) => Some(&r.account_id),
            Record::Enrichment(r) => Some(&r.account_id),
            Record::Ticket(r) => Some(&r.account_id),
            Record::Task(r) => Some(&r.account_id),
            Record::Quote(r) => Some(&r.account_id),
            Record::Order(r) => Some(&r.account_id),
            Record::Invoice(r) => Some(&r.account_id),
        }
    }

    /// The record as JSON without `kind`, fields in the contract's order: the form that is stored and compared.
    pub fn to_json(&self) -> String {
        each!(self, r => serde_json::to_string(r)).expect("records hold only strings, numbers and lists")
    }
}

/// One version of a record, as accepted.
#[derive(Debug, Clone, PartialEq)]
pub struct Version {
    pub change: Change,
    /// Orders versions of one record: an older one never overwrites a newer one.
    pub updated_at: Option<Timestamp>,
}

#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "nearly every change is a Put; a box would only add an allocation to each")]
pub enum Change {
    Put(Record),
    Delete { kind: Kind, id: String },
}

impl Version {
    pub fn kind(&self) -> Kind {
        match &self.change {
            Change::Put(record) => record.kind(),
            Change::Delete { kind, .. } => *kind,
        }
    }

    pub fn id(&self) -> &str {
        match &self.change {
            Change::Put(record) => record.id(),
            Change::Delete { id, .. } => id,
        }
    }
}
