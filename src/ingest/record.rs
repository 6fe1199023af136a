//! One JSON record to a value: known kinds and fields only, each error naming its field.

use std::fmt;

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::{self, DeserializeOwned, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::domain::address::parse_domain;
use crate::domain::record::{Change, Kind, Record, Version};
use crate::domain::{Address, record};

/// The longest record, in bytes.
pub const MAX_RECORD: usize = 10 * 1024 * 1024;
/// The longest string inside one.
const MAX_STRING: usize = 1024 * 1024;
const MAX_ID: usize = 200;

/// A refused record: which one, as far as it could be read, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct Rejection {
    pub kind: Option<String>,
    pub id: Option<String>,
    pub reason: String,
}

/// Reads one record.
///
/// # Errors
/// Says what is wrong with which field; nothing of a refused record is kept.
pub fn read(json: &str) -> Result<Version, Rejection> {
    let reject =
        |kind: Option<&str>, id: Option<&str>, reason: String| Rejection { kind: kind.map(str::to_owned), id: id.map(str::to_owned), reason };
    if json.len() > MAX_RECORD {
        return Err(reject(None, None, format!("the record has {} bytes; the limit is {MAX_RECORD}", json.len())));
    }
    let Unique(value) = serde_json::from_str(json).map_err(|e| reject(None, None, format!("not a JSON object: {e}")))?;
    let Value::Object(mut fields) = value else {
        return Err(reject(None, None, "not a JSON object".to_owned()));
    };
    let kind_name = fields.get("kind").and_then(Value::as_str).map(str::to_owned);
    let id = fields.get("id").and_then(Value::as_str).map(str::to_owned);
    let result = version(&mut fields);
    result.map_err(|reason| reject(kind_name.as_deref(), id.as_deref(), reason))
}

fn version(fields: &mut Map<String, Value>) -> Result<Version, String> {
    let kind: Kind = match fields.remove("kind") {
        Some(Value::String(kind)) => kind.parse().map_err(|e| format!("kind {e}"))?,
        Some(_) => return Err("kind is not a string".to_owned()),
        None => return Err("kind is missing".to_owned()),
    };
    for (name, value) in fields.iter() {
        check_strings(name, value)?;
    }
    let updated_at = match fields.remove("updated_at") {
        None | Some(Value::Null) => None,
        Some(value) => Some(parse::<Timestamp>(value).map_err(|e| format!("updated_at: {e}"))?),
    };
    check_time("updated_at", updated_at)?;
    let change = match fields.remove("deleted") {
        Some(Value::Bool(true)) => delete(kind, fields)?,
        None | Some(Value::Null | Value::Bool(false)) => Change::Put(put(kind, std::mem::take(fields))?),
        Some(_) => return Err("deleted is not true or false".to_owned()),
    };
    Ok(Version { change, updated_at })
}

fn delete(kind: Kind, fields: &Map<String, Value>) -> Result<Change, String> {
    if kind == Kind::Workspace {
        return Err("a workspace cannot be deleted by a record".to_owned());
    }
    let id = fields.get("id").and_then(Value::as_str).ok_or("id is missing")?;
    check_id("id", id)?;
    Ok(Change::Delete { kind, id: id.to_owned() })
}

fn put(kind: Kind, fields: Map<String, Value>) -> Result<Record, String> {
    let value = Value::Object(fields);
    let record = match kind {
        Kind::Workspace => Record::Workspace(parse(value)?),
        Kind::Account => Record::Account(parse(value)?),
        Kind::TeamMember => Record::TeamMember(parse(value)?),
        Kind::Contact => Record::Contact(parse(value)?),
        Kind::Deal => Record::Deal(parse(value)?),
        Kind::Entry => Record::Entry(Box::new(parse(value)?)),
        Kind::Enrichment => Record::Enrichment(parse(value)?),
        Kind::Ticket => Record::Ticket(parse(value)?),
        Kind::Task => Record::Task(parse(value)?),
        Kind::Quote => Record::Quote(parse(value)?),
        Kind::Order => Record::Order(parse(value)?),
        Kind::Invoice => Record::Invoice(parse(value)?),
        Kind::Competitor => Record::Competitor(parse(value)?),
    };
    let record = tidy(record);
    check(&record)?;
    Ok(record)
}

/// Serde's message with the path of the field it is about.
fn parse<T: DeserializeOwned>(value: Value) -> Result<T, String> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path = error.path().to_string();
        let reason = error.into_inner().to_string();
        if path == "." || reason.starts_with("missing field") || reason.starts_with("unknown field") { reason } else { format!("{path}: {reason}") }
    })
}

/// Domains and addresses in the one spelling they are compared in.
fn tidy(mut record: Record) -> Record {
    let lower = |domains: &mut Vec<String>| {
        for domain in domains.iter_mut() {
            if let Some(tidied) = parse_domain(domain) {
                *domain = tidied;
            }
        }
        domains.sort();
        domains.dedup();
    };
    match &mut record {
        Record::Workspace(workspace) => lower(&mut workspace.us_domains),
        Record::Account(account) => lower(&mut account.domains),
        _ => {}
    }
    record
}

pub fn check(record: &Record) -> Result<(), String> {
    if record.kind() != Kind::Workspace {
        check_id("id", record.id())?;
    }
    if let Some(account_id) = record.account_id() {
        check_id("account_id", account_id)?;
    }
    match record {
        Record::Workspace(w) => {
            check_domains("us_domains", &w.us_domains)?;
            if let Some(name) = &w.timezone {
                jiff::tz::TimeZone::get(name).map_err(|_| format!("timezone {name:?} is not an IANA time zone such as Europe/Berlin"))?;
            }
            Ok(())
        }
        Record::Account(a) => check_domains("domains", &a.domains),
        Record::TeamMember(m) => check_addresses("email", m.email.as_slice()),
        Record::Contact(c) => {
            check_addresses("emails", &c.emails)?;
            check_time("created_at", c.created_at)
        }
        Record::Deal(d) => check_deal(d),
        Record::Entry(e) => check_entry(e),
        Record::Enrichment(e) => check_time("occurred_at", e.occurred_at),
        Record::Ticket(t) => {
            check_time("created_at", t.created_at)?;
            check_time("solved_at", t.solved_at)
        }
        Record::Task(t) => {
            check_time("due_at", t.due_at)?;
            check_time("completed_at", t.completed_at)
        }
        Record::Quote(q) => {
            check_currency(q.currency.as_deref())?;
            check_time("sent_at", q.sent_at)
        }
        Record::Order(o) => {
            check_currency(o.currency.as_deref())?;
            check_time("placed_at", o.placed_at)
        }
        Record::Invoice(i) => {
            check_currency(i.currency.as_deref())?;
            check_time("issued_at", i.issued_at)?;
            check_time("due_at", i.due_at)?;
            check_time("paid_at", i.paid_at)
        }
        Record::Competitor(_) => Ok(()),
    }
}

fn check_deal(deal: &record::Deal) -> Result<(), String> {
    if let Some(probability) = deal.probability
        && !(0.0..=1.0).contains(&probability)
    {
        return Err(format!("probability {probability} is not between 0 and 1"));
    }
    check_currency(deal.currency.as_deref())?;
    check_time("created_at", deal.created_at)?;
    check_time("stage_entered_at", deal.stage_entered_at)?;
    check_time("closed_at", deal.closed_at)
}

fn check_entry(entry: &crate::domain::Entry) -> Result<(), String> {
    if entry.account_id.is_none() {
        return Err("missing field `account_id`".to_owned());
    }
    check_time("occurred_at", Some(entry.occurred_at))?;
    let addresses: Vec<_> = entry.participants.iter().filter_map(|p| p.email.clone()).collect();
    check_addresses("participants", &addresses)?;
    for (index, segment) in entry.transcript.iter().enumerate() {
        let (start, end) = (segment.start.unwrap_or(0.0), segment.end.or(segment.start).unwrap_or(0.0));
        if !(start >= 0.0 && end >= start && end.is_finite()) {
            return Err(format!("transcript[{index}]: start {start} and end {end} are not a stretch of time"));
        }
    }
    Ok(())
}

fn check_id(field: &str, id: &str) -> Result<(), String> {
    if id.is_empty() || id.len() > MAX_ID || id.chars().any(char::is_control) || id.trim() != id {
        return Err(format!("{field} {:?} is not 1 to {MAX_ID} bytes without control characters or outer blanks", shorten(id)));
    }
    Ok(())
}

fn check_time(field: &str, time: Option<Timestamp>) -> Result<(), String> {
    match time {
        Some(time) if !(0..4_102_444_800).contains(&time.as_second()) => Err(format!("{field} {time} is not between 1970 and 2100")),
        _ => Ok(()),
    }
}

fn check_currency(currency: Option<&str>) -> Result<(), String> {
    match currency {
        Some(code) if code.len() != 3 || !code.bytes().all(|b| b.is_ascii_uppercase()) => {
            Err(format!("currency {:?} is not a three-letter code such as EUR", shorten(code)))
        }
        _ => Ok(()),
    }
}

fn check_domains(field: &str, domains: &[String]) -> Result<(), String> {
    match domains.iter().find(|domain| parse_domain(domain).is_none()) {
        Some(bad) => Err(format!("{field}: {:?} is not a domain such as acme.com", shorten(bad))),
        None => Ok(()),
    }
}

fn check_addresses(field: &str, addresses: &[String]) -> Result<(), String> {
    match addresses.iter().find(|address| Address::parse(address).is_none()) {
        Some(bad) => Err(format!("{field}: {:?} is not an email address", shorten(bad))),
        None => Ok(()),
    }
}

/// No NUL anywhere, no string over the limit, keys included.
fn check_strings(name: &str, value: &Value) -> Result<(), String> {
    match value {
        Value::String(text) if text.contains('\0') => Err(format!("{name} contains a NUL character")),
        Value::String(text) if text.len() > MAX_STRING => Err(format!("{name} has {} bytes; the limit for one text is {MAX_STRING}", text.len())),
        Value::Array(items) => items.iter().enumerate().try_for_each(|(i, item)| check_strings(&format!("{name}[{i}]"), item)),
        Value::Object(fields) => fields.iter().try_for_each(|(key, item)| {
            if key.contains('\0') {
                return Err(format!("a key of {name} contains a NUL character"));
            }
            check_strings(&format!("{name}.{key}"), item)
        }),
        _ => Ok(()),
    }
}

fn shorten(text: &str) -> String {
    text.chars().take(80).collect()
}

/// A JSON value in which no object names a field twice.
struct Unique(Value);

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Unique;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a JSON value")
            }
            fn visit_bool<E>(self, v: bool) -> Result<Unique, E> {
                Ok(Unique(Value::Bool(v)))
            }
            fn visit_i64<E>(self, v: i64) -> Result<Unique, E> {
                Ok(Unique(Value::from(v)))
            }
            fn visit_u64<E>(self, v: u64) -> Result<Unique, E> {
                Ok(Unique(Value::from(v)))
            }
            fn visit_f64<E: de::Error>(self, v: f64) -> Result<Unique, E> {
                Number::from_f64(v).map(|n| Unique(Value::Number(n))).ok_or_else(|| E::custom("number out of range"))
            }
            fn visit_str<E>(self, v: &str) -> Result<Unique, E> {
                Ok(Unique(Value::String(v.to_owned())))
            }
            fn visit_string<E>(self, v: String) -> Result<Unique, E> {
                Ok(Unique(Value::String(v)))
            }
            fn visit_unit<E>(self) -> Result<Unique, E> {
                Ok(Unique(Value::Null))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Unique, A::Error> {
                let mut items = Vec::new();
                while let Some(Unique(item)) = seq.next_element()? {
                    items.push(item);
                }
                Ok(Unique(Value::Array(items)))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Unique, A::Error> {
                let mut fields = Map::new();
                while let Some(key) = map.next_key::<String>()? {
                    if fields.contains_key(&key) {
                        return Err(de::Error::custom(format_args!("field `{key}` is given twice")));
                    }
                    let Unique(value) = map.next_value()?;
                    fields.insert(key, value);
                }
                Ok(Unique(Value::Object(fields)))
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_the_contract_is_read() {
        for line in [
            r#"{"kind":"workspace","us_domains":["OurCo.com"],"timezone":"Europe/Berlin"}"#,
            r#"{"kind":"account","id":"acme","name":"Acme Corp","domains":["acme.com"],"industry":"x","employees":1200,"location":"…","timezone":null,"logo_url":null,"tier":"gold","active":true,"parent_id":null,"owner_id":"u1","lifecycle_stage":"…","tags":[],"segments":[],"recording_opt_out":false,"referenceable":true,"attributes":{}}"#,
            r#"{"kind":"team_member","id":"u1","name":"…","email":"u@ourco.com","title":"…","timezone":null}"#,
            r#"{"kind":"contact","id":"c1","account_id":"acme","name":"…","title":"…","emails":["a@acme.com"],"phone":null,"timezone":null,"role":"champion","reports_to_id":null,"created_at":"2026-01-01T00:00:00Z"}"#,
            r#"{"kind":"deal","id":"d1","account_id":"acme","name":"…","pipeline":"default","stage":"Proposal","status":"open","amount":120000,"currency":"EUR","probability":0.4,"close_date":"2026-06-30","owner_id":"u1","next_step":"…","products":[],"created_at":null,"stage_entered_at":null,"closed_at":null}"#,
            r#"{"kind":"entry","id":"e1","account_id":"acme","type":"call","occurred_at":"2026-01-01T10:00:00+01:00","transcript":[{"speaker":"A","start":0.0,"end":4.2,"text":"hi"}],"meeting":{"kind":"demo"},"attachments":[{"name":"a","size":1}],"visibility":"internal"}"#,
            r#"{"kind":"enrichment","id":"x","account_id":"acme","field":"title","old_value":"a","new_value":"b"}"#,
            r#"{"kind":"ticket","id":"t","account_id":"acme","status":"open","priority":"high","escalated":false}"#,
            r#"{"kind":"task","id":"t","account_id":"acme","completed_at":"2026-01-01T00:00:00Z"}"#,
            r#"{"kind":"quote","id":"q","account_id":"acme","amount":1,"currency":"EUR"}"#,
            r#"{"kind":"order","id":"o","account_id":"acme"}"#,
            r#"{"kind":"invoice","id":"i","account_id":"acme"}"#,
            r#"{"kind":"competitor","id":"c","name":"Stockline","aliases":[],"domains":[]}"#,
            r#"{"kind":"entry","id":"e1","deleted":true,"updated_at":"2026-01-01T00:00:00Z"}"#,
        ] {
            let version = read(line).unwrap_or_else(|e| panic!("{line}: {e:?}"));
            if let Change::Put(record) = &version.change {
                let again = format!("{{\"kind\":\"{}\",{}", record.kind(), &record.to_json()[1..]);
                assert_eq!(read(&again).unwrap().change, version.change, "what is written is read again");
            }
        }
    }

    #[test]
    fn each_error_names_its_field() {
        for (line, says) in [
            ("{", "not a JSON object"),
            ("7", "not a JSON object"),
            (r#"{"id":"a"}"#, "kind is missing"),
            (r#"{"kind":"lead","id":"a"}"#, "none of: workspace, account"),
            (r#"{"kind":"account"}"#, "missing field `id`"),
            (r#"{"kind":"account","id":""}"#, "id \"\" is not 1 to 200"),
            (r#"{"kind":"account","id":"a","colour":"red"}"#, "unknown field `colour`"),
            (r#"{"kind":"account","id":"a","id":"b"}"#, "`id` is given twice"),
            (r#"{"kind":"account","id":"a","employees":"many"}"#, "employees: invalid type"),
            (r#"{"kind":"account","id":"a","domains":["not a domain"]}"#, "\"not a domain\" is not a domain"),
            (r#"{"kind":"account","id":"a","name":"x\u0000y"}"#, "name contains a NUL"),
            (r#"{"kind":"contact","id":"a"}"#, "missing field `account_id`"),
            (r#"{"kind":"contact","id":"a","account_id":"b","emails":["nobody"]}"#, "\"nobody\" is not an email address"),
            (r#"{"kind":"deal","id":"a","account_id":"b","probability":1.5}"#, "probability 1.5 is not between"),
            (r#"{"kind":"deal","id":"a","account_id":"b","close_date":"2026-02-30"}"#, "close_date"),
            (r#"{"kind":"deal","id":"a","account_id":"b","amount":1e400}"#, "number out of range"),
            (r#"{"kind":"deal","id":"a","account_id":"b","currency":"Euro"}"#, "currency \"Euro\""),
            (r#"{"kind":"entry","id":"a","account_id":"b","type":"call"}"#, "missing field `occurred_at`"),
            (r#"{"kind":"entry","id":"a","type":"call","occurred_at":"2026-01-01T00:00:00Z"}"#, "missing field `account_id`"),
            (r#"{"kind":"entry","id":"a","account_id":"b","type":"fax","occurred_at":"2026-01-01T00:00:00Z"}"#, "type: unknown variant `fax`"),
            (r#"{"kind":"entry","id":"a","account_id":"b","type":"call","occurred_at":"9999-01-01T00:00:00Z"}"#, "occurred_at 9999"),
            (
                r#"{"kind":"entry","id":"a","account_id":"b","type":"call","occurred_at":"2026-01-01T00:00:00Z","transcript":[{"text":"x","start":3,"end":1}]}"#,
                "transcript[0]: start 3",
            ),
            (r#"{"kind":"workspace","timezone":"Mars/Base"}"#, "timezone \"Mars/Base\""),
        ] {
            let rejection = read(line).expect_err(line);
            assert!(rejection.reason.contains(says), "{line}: {}", rejection.reason);
        }
    }
}
