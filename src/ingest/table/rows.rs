//! Rows become drafts of records: everything but the account's id, which may have to be looked up.

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::cells::{self, DayOrder};
use super::plan::{Plan, normal};
use super::{Table, Unread};
use crate::domain::Address;
use crate::domain::record::Kind;
use crate::ingest::{html, owner};

/// A company as far as a row tells.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Company {
    pub id: Option<String>,
    pub name: Option<String>,
    pub domain: Option<String>,
}

impl Company {
    pub fn is_unknown(&self) -> bool {
        self.id.is_none() && self.name.is_none() && self.domain.is_none()
    }
}

/// A record of a row. All but accounts belong to a company.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    pub line: u64,
    /// The record without `account_id`.
    pub record: Map<String, Value>,
    /// Whose it is; none for accounts and team members.
    pub company: Option<Company>,
}

/// The records of a table's rows, in order; a row that makes none says why.
pub fn drafts(table: Table, plan: Plan) -> impl Iterator<Item = Result<Draft, Unread>> + Send {
    let dated = plan.fields.iter().filter(|(field, _)| is_dated(field)).flat_map(|(_, columns)| columns.clone()).collect::<Vec<_>>();
    let order = cells::day_order(table.rows.iter().flat_map(|(_, row)| dated.iter().filter_map(|&at| row.get(at)).map(String::as_str)));
    let headers: Vec<String> = table.header.iter().map(|name| normal(name)).collect();
    let probability = plan.fields.iter().find(|(field, _)| field == "probability").and_then(|(_, columns)| columns.first().copied());
    let mut probabilities = probability.into_iter().flat_map(|at| table.rows.iter().filter_map(move |(_, row)| row.get(at)));
    let of_hundred = probabilities.any(|cell| cell.contains('%') || cells::number(cell).is_some_and(|number| number > 1.0));
    table.rows.into_iter().flat_map(move |(line, row)| drafts_of(line, &Row { plan: &plan, row: &row, headers: &headers, order, of_hundred }))
}

/// The record of a row, after the one of its company where it tells of both.
fn drafts_of(line: u64, cells: &Row) -> Vec<Result<Draft, Unread>> {
    let mut drafts = Vec::with_capacity(2);
    let mut company_id = None;
    if cells.plan.also_accounts {
        let account = cells.account("account.");
        company_id = account.as_ref().ok().and_then(|record| record["id"].as_str().map(str::to_owned));
        drafts.push(account.map(|record| Draft { line, record, company: None }).map_err(|reason| (line, reason)));
    }
    let drafted = match cells.plan.kind {
        Kind::Account => cells.account("").map(|record| (record, None)),
        Kind::Contact => cells.contact(),
        Kind::Deal => cells.deal(),
        Kind::Ticket => cells.ticket(),
        _ => cells.entry(),
    };
    match drafted {
        // A company's row without a person in it is complete with the company.
        Err(_) if cells.plan.also_accounts => {}
        Ok((record, mut company)) => {
            if let (Some(company), Some(id)) = (&mut company, company_id) {
                company.id = Some(id);
            }
            drafts.push(Ok(Draft { line, record, company }));
        }
        Err(reason) => drafts.push(Err((line, reason))),
    }
    drafts
}

fn is_dated(field: &str) -> bool {
    field.ends_with("_at") || field.ends_with("date") || matches!(field, "~end" | "~completed")
}

struct Row<'a> {
    plan: &'a Plan,
    row: &'a [String],
    headers: &'a [String],
    order: DayOrder,
    /// Whether probabilities are per cent.
    of_hundred: bool,
}

type Drafted = Result<(Map<String, Value>, Option<Company>), String>;

impl Row<'_> {
    fn columns(&self, field: &str) -> &[usize] {
        self.plan.fields.iter().find(|(name, _)| name == field).map_or(&[], |(_, columns)| columns)
    }

    fn cell(&self, at: usize) -> Option<&str> {
        self.row.get(at).map(String::as_str).filter(|cell| !cell.is_empty())
    }

    /// The first filled column of a field.
    fn text(&self, field: &str) -> Option<&str> {
        self.columns(field).iter().find_map(|&at| self.cell(at))
    }

    /// The best column of a field, filled or not: others mean something else beside it.
    fn only(&self, field: &str) -> Option<&str> {
        self.columns(field).first().and_then(|&at| self.cell(at))
    }

    fn short(&self, field: &str) -> Option<String> {
        self.text(field).map(|text| one_line(text).chars().take(500).collect())
    }

    fn moment(&self, field: &str) -> Option<String> {
        self.text(field).and_then(|cell| cells::moment(cell, self.order)).map(|at| at.to_string())
    }

    fn flag(&self, field: &str) -> bool {
        self.text(field).and_then(cells::flag).unwrap_or(false)
    }

    fn emails(&self) -> Vec<String> {
        let mut emails: Vec<String> = Vec::new();
        for cell in self.columns("emails").iter().filter_map(|&at| self.cell(at)) {
            for email in cells::emails(cell) {
                if !emails.contains(&email) {
                    emails.push(email);
                }
            }
        }
        emails
    }

    fn company(&self, emails: &[String]) -> Company {
        let first = |cell: &str| cells::list(cell).into_iter().next().unwrap_or_else(|| cell.to_owned());
        let domain = self.text("~account_domain").and_then(|cell| cells::domains(cell).into_iter().next());
        let business = || emails.iter().filter_map(|e| Address::parse(e)).find_map(|a| owner::business_domain(&a).map(str::to_owned));
        Company {
            id: self.only("account_id").map(|id| cells::id(&first(id))),
            // Several associated companies are joined by semicolons; a comma is part of a name.
            name: self.only("~account_name").map(|name| one_line(name.split(';').next().unwrap_or(name))),
            domain: domain.or_else(business),
        }
    }

    fn start(&self, kind: Kind, id: Option<String>) -> Map<String, Value> {
        let mut record = Map::new();
        record.insert("kind".to_owned(), json!(kind));
        if let Some(id) = id {
            record.insert("id".to_owned(), json!(id));
        }
        record
    }

    /// A record that its source has deleted.
    fn deleted(&self, kind: Kind, id: &str) -> Map<String, Value> {
        let mut record = self.start(kind, Some(id.to_owned()));
        record.insert("deleted".to_owned(), json!(true));
        record
    }

    fn id(&self) -> Option<String> {
        self.text("id").map(|id| cells::id(&one_line(id)))
    }

    fn account(&self, prefix: &str) -> Result<Map<String, Value>, String> {
        let field = |name: &str| format!("{prefix}{name}");
        let name = self.short(&field("name"));
        let mut domains: Vec<String> = self.columns(&field("domains")).iter().filter_map(|&at| self.cell(at)).flat_map(cells::domains).collect();
        let mut seen = std::collections::HashSet::new();
        domains.retain(|domain| seen.insert(domain.clone()));
        let id = self.text(&field("id")).map(|id| cells::id(&one_line(id)));
        let Some(id) = id.or_else(|| domains.first().cloned()).or_else(|| name.as_deref().map(slug).filter(|id| !id.is_empty())) else {
            return Err("the row names no company".to_owned());
        };
        if self.flag("~deleted") {
            return Ok(self.deleted(Kind::Account, &id));
        }
        let mut record = self.start(Kind::Account, Some(id));
        put(&mut record, "name", name);
        record.insert("domains".to_owned(), json!(domains));
        put(&mut record, "industry", self.short(&field("industry")));
        put(&mut record, "employees", self.text(&field("employees")).and_then(cells::number).and_then(whole));
        let place: Vec<String> = ["~city", "~region", "~country"].iter().filter_map(|part| self.short(&field(part))).collect();
        put(&mut record, "location", (!place.is_empty()).then(|| place.join(", ")));
        put(&mut record, "timezone", self.text(&field("timezone")).and_then(zone));
        for name in ["tier", "lifecycle_stage"] {
            put(&mut record, name, self.short(&field(name)));
        }
        for name in ["parent_id", "owner_id"] {
            put(&mut record, name, self.text(&field(name)).map(cells::id));
        }
        if let Some(tags) = self.text(&field("tags")) {
            // Help desks write tags as words; elsewhere a tag may be several.
            let tags = if tags.contains([',', ';']) || tags.chars().any(char::is_uppercase) {
                cells::list(tags)
            } else {
                tags.split_whitespace().map(str::to_owned).collect()
            };
            record.insert("tags".to_owned(), json!(tags));
        }
        Ok(record)
    }

    fn contact(&self) -> Drafted {
        let emails = self.emails();
        let parts: Vec<String> = ["~first_name", "~middle_name", "~last_name"].iter().filter_map(|part| self.short(part)).collect();
        let whole = self.short("name").filter(|name| !name.contains('@')).map(|name| turned(&name));
        let name = whole.or_else(|| (!parts.is_empty()).then(|| parts.join(" ")));
        if name.is_none() && emails.is_empty() && self.id().is_none() {
            return Err("the row names nobody: no name and no address".to_owned());
        }
        let company = self.company(&emails);
        // Help desks list their own people beside their customers'.
        if self.text("~support_role").is_some_and(|role| matches!(role.to_lowercase().as_str(), "agent" | "admin")) && self.text("role").is_some() {
            let mut record = self.start(Kind::TeamMember, self.id());
            put(&mut record, "name", name);
            put(&mut record, "email", emails.into_iter().next());
            put(&mut record, "timezone", self.text("timezone").and_then(zone));
            return Ok((record, None));
        }
        let id = self.id().unwrap_or_else(|| {
            let known_by = emails.first().cloned().unwrap_or_else(|| format!("{}\0{:?}", name.clone().unwrap_or_default().to_lowercase(), company));
            made_id(&known_by)
        });
        if self.flag("~deleted") {
            return Ok((self.deleted(Kind::Contact, &id), None));
        }
        let mut record = self.start(Kind::Contact, Some(id));
        put(&mut record, "name", name);
        put(&mut record, "title", self.only("title").map(one_line));
        record.insert("emails".to_owned(), json!(emails));
        put(
            &mut record,
            "phone",
            self.columns("phone")
                .iter()
                .filter_map(|&at| self.cell(at))
                .flat_map(|cell| cell.split(" ::: "))
                .find(|cell| is_phone(cell))
                .map(one_line),
        );
        put(&mut record, "timezone", self.text("timezone").and_then(zone));
        put(&mut record, "role", self.text("role").and_then(buying_role));
        put(&mut record, "reports_to_id", self.text("reports_to_id").map(cells::id));
        put(&mut record, "created_at", self.moment("created_at"));
        Ok((record, Some(company)))
    }

    fn deal(&self) -> Drafted {
        let company = self.company(&[]);
        let name = self.short("name");
        let Some(id) = self.id().or_else(|| name.as_ref().map(|name| made_id(&format!("deal\0{}\0{company:?}", name.to_lowercase())))) else {
            return Err("the row names no deal".to_owned());
        };
        if self.flag("~deleted") {
            return Ok((self.deleted(Kind::Deal, &id), None));
        }
        let mut record = self.start(Kind::Deal, Some(id));
        let pipeline = self.short("pipeline");
        // `Contract Sent (Sales Pipeline)`: the pipeline has a column of its own.
        let stage = self.short("stage").map(|stage| match pipeline.as_ref().and_then(|p| stage.strip_suffix(&format!(" ({p})"))) {
            Some(bare) => bare.to_owned(),
            None => stage,
        });
        put(&mut record, "status", self.deal_status(stage.as_deref()));
        put(&mut record, "name", name);
        put(&mut record, "pipeline", pipeline);
        put(&mut record, "stage", stage);
        put(&mut record, "amount", self.text("amount").and_then(cells::number));
        put(
            &mut record,
            "currency",
            self.text("currency").map(str::to_uppercase).filter(|c| c.len() == 3 && c.bytes().all(|b| b.is_ascii_uppercase())),
        );
        put(&mut record, "probability", self.probability());
        put(&mut record, "close_date", self.moment("close_date").map(|at| at[..10].to_owned()));
        put(&mut record, "next_step", self.short("next_step"));
        put(&mut record, "owner_id", self.text("owner_id").map(cells::id));
        for field in ["created_at", "stage_entered_at", "closed_at"] {
            put(&mut record, field, self.moment(field));
        }
        Ok((record, Some(company)))
    }

    /// A per cent sign, a header that says so, or any row beyond 1 makes per cent of the column.
    fn probability(&self) -> Option<f64> {
        let at = *self.columns("probability").first()?;
        let cell = self.cell(at)?;
        let number = cells::number(cell)?;
        let per_cent = self.of_hundred || self.headers.get(at).is_some_and(|h| h.contains("percent"));
        let share = if per_cent { number / 100.0 } else { number };
        (0.0..=1.0).contains(&share).then_some(share)
    }

    fn deal_status(&self, stage: Option<&str>) -> Option<&'static str> {
        if let (Some(closed), Some(won)) = (self.text("~is_closed").and_then(cells::flag), self.text("~is_won").and_then(cells::flag)) {
            return Some(if won {
                "won"
            } else if closed {
                "lost"
            } else {
                "open"
            });
        }
        let said = self.text("status").or(stage)?.to_lowercase();
        let is = |words: &[&str]| words.iter().any(|word| said.split(|c: char| !c.is_alphanumeric()).any(|part| part == *word));
        Some(if is(&["won", "gewonnen", "gagné", "ganado", "ganada", "vinto", "gewonnene"]) {
            "won"
        } else if is(&["lost", "verloren", "perdu", "perdido", "perdida", "perso", "deleted"]) {
            "lost"
        } else {
            "open"
        })
    }

    fn ticket(&self) -> Drafted {
        let emails: Vec<String> = self.text("~contact_email").map(cells::emails).unwrap_or_default();
        let company = self.company(&emails);
        let subject = self.short("subject");
        let made = || subject.as_ref().map(|s| made_id(&format!("ticket\0{s}\0{:?}\0{company:?}", self.moment("created_at"))));
        let Some(id) = self.id().or_else(made) else { return Err("the row names no ticket".to_owned()) };
        if self.flag("~deleted") {
            return Ok((self.deleted(Kind::Ticket, &id), None));
        }
        let mut record = self.start(Kind::Ticket, Some(id));
        put(&mut record, "subject", subject);
        put(&mut record, "body", self.text("body").map(readable));
        put(&mut record, "status", self.text("status").map(ticket_status));
        put(&mut record, "priority", self.text("priority").and_then(priority));
        put(&mut record, "escalated", self.text("escalated").and_then(cells::flag));
        put(&mut record, "created_at", self.moment("created_at"));
        put(&mut record, "solved_at", self.moment("solved_at"));
        put(
            &mut record,
            "contact_id",
            self.only("contact_id").map(|id| cells::id(&cells::list(id).into_iter().next().unwrap_or_default())).filter(|id| !id.is_empty()),
        );
        Ok((record, Some(company)))
    }

    fn entry(&self) -> Drafted {
        let said = self.text("type").unwrap_or_default().to_lowercase();
        let to: Vec<String> = ["~from", "~to"].iter().filter_map(|field| self.text(field)).flat_map(cells::emails).collect();
        let people = self.text("~people").map(cells::people).unwrap_or_default();
        let emails: Vec<String> = people.iter().filter_map(|(_, email)| email.clone()).chain(to).collect();
        let mut company = self.company(&emails);
        // Calendars of a CRM tie an activity to a deal or to the account itself by one column.
        let deal = self.only("deal_id").map(|id| cells::id(&cells::list(id).into_iter().next().unwrap_or_default()));
        let deal = match deal {
            Some(id) if id.starts_with("001") && id.len() == 18 => {
                company.id.get_or_insert(id);
                None
            }
            Some(id) if id.len() == 18 && !id.starts_with("006") => None,
            deal => deal,
        };
        let is = |words: &[&str]| words.iter().any(|word| said.contains(word));
        let subject = self.short("subject");
        let body = self.text("body").map(readable);
        let mut occurred_at = self.text("~date").and_then(|cell| cells::moment(cell, self.order));
        if let (Some(day), Some(time)) = (occurred_at, self.text("~time").and_then(cells::clock)) {
            occurred_at =
                day.to_zoned(jiff::tz::TimeZone::UTC).date().to_datetime(time).to_zoned(jiff::tz::TimeZone::UTC).ok().map(|z| z.timestamp());
        }
        let id = self.id().unwrap_or_else(|| made_id(&format!("entry\0{said}\0{occurred_at:?}\0{subject:?}\0{body:?}\0{company:?}")));
        if self.flag("~deleted") {
            return Ok((self.deleted(Kind::Entry, &id), None));
        }
        let direction = self.text("direction").map(str::to_lowercase);
        let inbound = direction.as_deref().is_some_and(|d| d.contains("inbound") || d.contains("incoming") || d == "in");
        let outbound = direction.as_deref().is_some_and(|d| d.contains("outbound") || d.contains("outgoing") || d == "out");
        let kind = if is(&["call", "anruf", "telefon", "phone", "appel", "llamada", "chiamata"]) {
            "call"
        } else if is(&["meeting", "demo", "visit", "besuch", "termin", "réunion", "reunión", "riunione", "workshop"]) {
            "meeting"
        } else if is(&["mail"]) {
            if inbound { "email_received" } else { "email_sent" }
        } else if is(&["task", "to do", "todo", "aufgabe"]) && self.columns("type").first().is_some_and(|_| self.text("status").is_some()) {
            return self.task(id, subject, body, company);
        } else {
            "note"
        };
        let Some(occurred_at) = occurred_at else { return Err("the row has no date that can be read".to_owned()) };
        let mut record = self.start(Kind::Entry, Some(id));
        record.insert("type".to_owned(), json!(kind));
        record.insert("occurred_at".to_owned(), json!(occurred_at.to_string()));
        put(&mut record, "subject", subject);
        put(&mut record, "body", body);
        put(&mut record, "deal_id", deal);
        let outbound = outbound || kind == "email_sent";
        if inbound || outbound {
            record.insert("direction".to_owned(), json!(if inbound { "inbound" } else { "outbound" }));
        }
        if kind == "call" {
            let outcome = format!("{} {}", self.text("disposition").unwrap_or_default(), said).to_lowercase();
            put(&mut record, "disposition", disposition(&outcome));
        }
        if kind == "meeting" {
            let kind = if said.contains("demo") { Some("demo") } else { None };
            let agenda = self.text("~agenda").map(str::to_owned);
            if kind.is_some() || agenda.is_some() {
                let mut meeting = Map::new();
                put(&mut meeting, "kind", kind);
                put(&mut meeting, "agenda", agenda);
                record.insert("meeting".to_owned(), Value::Object(meeting));
            }
        }
        put(&mut record, "duration_seconds", self.duration(occurred_at));
        let mut participants: Vec<Value> = Vec::new();
        for (field, role) in [("~from", "from"), ("~to", "to")] {
            for email in self.text(field).map(cells::emails).unwrap_or_default() {
                participants.push(json!({ "role": role, "name": null, "email": email }));
            }
        }
        for (name, email) in people {
            let listed = email.is_some() && participants.iter().any(|p| p["email"].as_str() == email.as_deref());
            if !listed {
                participants.push(json!({ "role": if kind == "meeting" { "attendee" } else { "to" }, "name": name, "email": email }));
            }
        }
        record.insert("participants".to_owned(), json!(participants));
        // What our own people wrote for themselves is no word of the customer.
        if let Some(internal) = self.text("~internal") {
            let body = record.get("body").and_then(Value::as_str).map_or_else(String::new, |body| format!("{body}\n\n"));
            record.insert("body".to_owned(), json!(format!("{body}{internal}")));
            record.insert("visibility".to_owned(), json!("internal"));
        }
        Ok((record, Some(company)))
    }

    fn duration(&self, start: jiff::Timestamp) -> Option<u64> {
        let told = self.columns("~duration").iter().find_map(|&at| cells::seconds(self.cell(at)?, self.headers.get(at)?));
        let between = || {
            let end = cells::moment(self.text("~end")?, self.order)?;
            u64::try_from(end.as_second() - start.as_second()).ok()
        };
        told.or_else(between)
    }

    fn task(&self, id: String, subject: Option<String>, body: Option<String>, company: Company) -> Drafted {
        let mut record = self.start(Kind::Task, Some(id));
        put(&mut record, "subject", subject);
        put(&mut record, "body", body);
        put(&mut record, "owner_id", self.text("owner_id").map(cells::id));
        put(&mut record, "due_at", self.moment("~date"));
        let done = self.text("status").is_some_and(|s| matches!(s.to_lowercase().as_str(), "completed" | "done" | "closed" | "erledigt"));
        put(&mut record, "completed_at", self.moment("~completed").or_else(|| self.moment("~date")).filter(|_| done));
        Ok((record, Some(company)))
    }
}

fn put<T: serde::Serialize>(record: &mut Map<String, Value>, field: &str, value: Option<T>) {
    if let Some(value) = value {
        record.insert(field.to_owned(), json!(value));
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Notes of a CRM may be HTML.
fn readable(cell: &str) -> String {
    if html::is_html(cell) { html::to_text(cell) } else { cell.to_owned() }
}

/// `Whitfield, Dana` is Dana Whitfield.
fn turned(name: &str) -> String {
    match name.split_once(", ") {
        Some((last, first)) if last.split_whitespace().count() <= 2 && first.split_whitespace().count() <= 2 && first.chars().count() > 3 => {
            format!("{first} {last}")
        }
        _ => name.to_owned(),
    }
}

/// Digits enough to call; not what a spreadsheet made of them (`4,9341E+11`).
fn is_phone(cell: &str) -> bool {
    cell.chars().filter(char::is_ascii_digit).count() >= 5 && !cell.to_uppercase().contains("E+")
}

fn zone(cell: &str) -> Option<String> {
    jiff::tz::TimeZone::get(cell).ok().and_then(|zone| zone.iana_name().map(str::to_owned)).filter(|name| name.contains('/'))
}

fn whole(number: f64) -> Option<u64> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be in range")]
    (number.fract() == 0.0 && (0.0..1e12).contains(&number)).then_some(number as u64)
}

fn buying_role(cell: &str) -> Option<&'static str> {
    match cell.to_lowercase().replace('_', " ").as_str() {
        "champion" => Some("champion"),
        "decision maker" | "executive sponsor" => Some("decision_maker"),
        "economic buyer" | "budget holder" | "economic decision maker" => Some("economic_buyer"),
        "influencer" => Some("influencer"),
        "blocker" => Some("blocker"),
        "end user" if cell.contains(' ') || cell.contains('_') => Some("end_user"),
        _ => None,
    }
}

fn ticket_status(cell: &str) -> &'static str {
    let cell = cell.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| cell.contains(word));
    if has(&["on us", "on agent"]) {
        // It is our turn.
        "open"
    } else if has(&["waiting", "pending", "hold", "on hold", "wartet", "en attente"]) {
        "pending"
    } else if has(&["solved", "resolved", "gelöst", "résolu"]) {
        "solved"
    } else if has(&["closed", "geschlossen", "fermé", "cerrado"]) {
        "closed"
    } else {
        "open"
    }
}

fn priority(cell: &str) -> Option<&'static str> {
    match cell.to_lowercase().as_str() {
        "low" | "niedrig" => Some("low"),
        "normal" | "medium" | "mittel" => Some("normal"),
        "high" | "hoch" => Some("high"),
        "urgent" | "critical" | "dringend" | "kritisch" => Some("critical"),
        _ => None,
    }
}

fn disposition(outcome: &str) -> Option<&'static str> {
    if outcome.contains("voicemail") || outcome.contains("left message") || outcome.contains("mailbox") {
        Some("voicemail")
    } else if outcome.contains("no answer") || outcome.contains("busy") || outcome.contains("nicht erreicht") {
        Some("no_answer")
    } else if outcome.contains("connected") || outcome.contains("erreicht") {
        Some("connected")
    } else {
        None
    }
}

/// An id for what has none: the same row again is the same record.
fn made_id(known_by: &str) -> String {
    let hex: String = Sha256::digest(known_by.as_bytes())[..10].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("row.{hex}")
}

/// An id from a company's name.
pub fn slug(name: &str) -> String {
    let slug: String = name.to_lowercase().chars().map(|c| if c.is_alphanumeric() { c } else { ' ' }).collect();
    slug.split_whitespace().collect::<Vec<_>>().join("-").chars().take(60).collect()
}
