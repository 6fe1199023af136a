//! The timeline entries that records cause by themselves: a new deal, a changed stage, a completed task …
//!
//! Given all versions of one record, in order, the same entries come out whatever order they arrived in.

use jiff::Timestamp;

use crate::domain::entry::{Entry, EntryType, Side};
use crate::domain::money;
use crate::domain::record::{Deal, Record};

/// One version of a record and when it came to be: its `updated_at`, else when it was received.
#[derive(Debug, Clone)]
pub struct Dated {
    pub at: Timestamp,
    pub record: Record,
}

/// The entries that a record causes. `versions` are all versions of one record, oldest first.
pub fn entries(versions: &[Dated]) -> Vec<Entry> {
    let (Some(first), Some(last)) = (versions.first(), versions.last()) else { return Vec::new() };
    let made = |kind: EntryType, at: Option<Timestamp>| entry_of(&last.record, kind, at.unwrap_or(first.at));
    match &last.record {
        Record::Deal(deal) => deal_entries(versions, deal),
        Record::Contact(contact) => {
            let mut entry = made(EntryType::ContactAdded, contact.created_at);
            let name = contact.name.as_deref().unwrap_or("A contact");
            entry.subject = Some(match &contact.title {
                Some(title) => format!("{name}, {title}"),
                None => name.to_owned(),
            });
            vec![entry]
        }
        Record::Enrichment(enrichment) => {
            let mut entry = made(EntryType::EnrichmentUpdate, enrichment.occurred_at);
            let field = enrichment.field.as_deref().unwrap_or("a field");
            let unknown = "unknown".to_owned();
            let (old, new) = (enrichment.old_value.as_ref().unwrap_or(&unknown), enrichment.new_value.as_ref().unwrap_or(&unknown));
            entry.subject = Some(format!("{field}: {old} → {new}"));
            entry.channel = enrichment.source.clone();
            vec![entry]
        }
        Record::Ticket(ticket) => {
            let mut entry = made(EntryType::IntegrationEvent, ticket.created_at);
            entry.subject = ticket.subject.clone();
            entry.body = ticket.body.clone();
            entry.channel = Some("ticket".to_owned());
            entry.side = Some(Side::Customer);
            vec![entry]
        }
        Record::Task(task) if task.completed_at.is_some() => {
            let mut entry = made(EntryType::TaskCompleted, task.completed_at);
            entry.subject = task.subject.clone();
            entry.body = task.body.clone();
            entry.side = Some(Side::Us);
            vec![entry]
        }
        Record::Quote(quote) if quote.sent_at.is_some() => {
            let mut entry = made(EntryType::QuoteSent, quote.sent_at);
            entry.subject = Some(numbered("Quote", quote.number.as_deref(), quote.amount, quote.currency.as_deref()));
            entry.deal_id = quote.deal_id.clone();
            entry.side = Some(Side::Us);
            vec![entry]
        }
        Record::Order(order) => {
            let mut entry = made(EntryType::OrderPlaced, order.placed_at);
            entry.subject = Some(numbered("Order", order.number.as_deref(), order.amount, order.currency.as_deref()));
            entry.deal_id = order.deal_id.clone();
            entry.side = Some(Side::Customer);
            vec![entry]
        }
        _ => Vec::new(),
    }
}

/// An entry of the record's account; its id names what caused it.
fn entry_of(record: &Record, kind: EntryType, at: Timestamp) -> Entry {
    let mut entry = Entry::new(format!("{kind}.{}.{}", record.kind(), record.id()), kind, at);
    entry.account_id = record.account_id().map(str::to_owned);
    entry
}

fn deal_entries(versions: &[Dated], latest: &Deal) -> Vec<Entry> {
    let record = &versions[versions.len() - 1].record;
    let name = latest.name.as_deref().unwrap_or(&latest.id);
    let mut entries = Vec::new();
    let mut stage: Option<&str> = None;
    for (position, version) in versions.iter().enumerate() {
        let Record::Deal(deal) = &version.record else { continue };
        if position == 0 {
            let mut created = entry_of(record, EntryType::DealCreated, deal.created_at.or(latest.created_at).unwrap_or(version.at));
            let amount = deal.amount.map(|amount| money::format(amount, deal.currency.as_deref()));
            let facts: Vec<_> = [deal.stage.clone(), amount].into_iter().flatten().collect();
            created.subject = Some(if facts.is_empty() { name.to_owned() } else { format!("{name} ({})", facts.join(", ")) });
            created.deal_id = Some(deal.id.clone());
            entries.push(created);
        }
        let Some(new) = deal.stage.as_deref() else { continue };
        if let Some(old) = stage.filter(|old| *old != new) {
            let mut change = entry_of(record, EntryType::DealStageChange, deal.stage_entered_at.unwrap_or(version.at));
            change.id = format!("{}.{}", change.id, version.at.as_microsecond());
            // Versions of one moment are told apart by their place among them.
            if position > 0 && versions[position - 1].at == version.at {
                change.id = format!("{}.{position}", change.id);
            }
            change.subject = Some(format!("{name}: {old} → {new}"));
            change.body = format!("{old} → {new}");
            change.deal_id = Some(deal.id.clone());
            entries.push(change);
        }
        stage = Some(new);
    }
    entries
}

fn numbered(what: &str, number: Option<&str>, amount: Option<f64>, currency: Option<&str>) -> String {
    let mut text = what.to_owned();
    if let Some(number) = number {
        text = format!("{text} {number}");
    }
    match amount {
        Some(amount) => format!("{text}: {}", money::format(amount, currency)),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::record::Change;
    use crate::ingest::record::read;

    fn versions(lines: &[(&str, &str)]) -> Vec<Dated> {
        lines
            .iter()
            .map(|(at, line)| match read(line).unwrap().change {
                Change::Put(record) => Dated { at: at.parse().unwrap(), record },
                Change::Delete { .. } => unreachable!("the test deletes nothing"),
            })
            .collect()
    }

    fn told(lines: &[(&str, &str)]) -> Vec<String> {
        entries(&versions(lines)).iter().map(|e| format!("{} {} {}", e.r#type, e.occurred_at, e.subject.as_deref().unwrap_or("-"))).collect()
    }

    #[test]
    fn a_deal_tells_its_creation_and_each_stage() {
        let deal = |stage: &str, more: &str| {
            format!(r#"{{"kind":"deal","id":"d","account_id":"a","name":"Depots","stage":"{stage}","amount":186000,"currency":"EUR"{more}}}"#)
        };
        let lines = [
            deal("Proposal", r#","created_at":"2026-01-01T00:00:00Z""#),
            deal("Proposal", ""),
            deal("Negotiation", r#","stage_entered_at":"2026-02-01T00:00:00Z""#),
        ];
        let times = ["2026-01-02T00:00:00Z", "2026-01-09T00:00:00Z", "2026-02-03T00:00:00Z"];
        let lines: Vec<_> = times.iter().zip(&lines).map(|(t, l)| (*t, l.as_str())).collect();
        assert_eq!(
            told(&lines),
            [
                "deal_created 2026-01-01T00:00:00Z Depots (Proposal, EUR 186,000)",
                "deal_stage_change 2026-02-01T00:00:00Z Depots: Proposal → Negotiation",
            ]
        );
    }

    #[test]
    fn each_record_tells_what_the_contract_says() {
        let at = "2026-03-01T00:00:00Z";
        for (line, told_as) in [
            (r#"{"kind":"contact","id":"c","account_id":"a","name":"Ann","title":"CFO"}"#, vec!["contact_added 2026-03-01T00:00:00Z Ann, CFO"]),
            (
                r#"{"kind":"enrichment","id":"x","account_id":"a","field":"title","old_value":"COO","new_value":"CEO"}"#,
                vec!["enrichment_update 2026-03-01T00:00:00Z title: COO → CEO"],
            ),
            (
                r#"{"kind":"ticket","id":"t","account_id":"a","subject":"Down","created_at":"2026-02-01T00:00:00Z"}"#,
                vec!["integration_event 2026-02-01T00:00:00Z Down"],
            ),
            (r#"{"kind":"task","id":"t","account_id":"a","subject":"Call"}"#, vec![]),
            (
                r#"{"kind":"task","id":"t","account_id":"a","subject":"Call","completed_at":"2026-02-01T00:00:00Z"}"#,
                vec!["task_completed 2026-02-01T00:00:00Z Call"],
            ),
            (r#"{"kind":"quote","id":"q","account_id":"a","number":"Q-1"}"#, vec![]),
            (
                r#"{"kind":"quote","id":"q","account_id":"a","number":"Q-1","amount":5,"sent_at":"2026-02-01T00:00:00Z"}"#,
                vec!["quote_sent 2026-02-01T00:00:00Z Quote Q-1: 5"],
            ),
            (r#"{"kind":"order","id":"o","account_id":"a","number":"7"}"#, vec!["order_placed 2026-03-01T00:00:00Z Order 7"]),
            (r#"{"kind":"invoice","id":"i","account_id":"a"}"#, vec![]),
        ] {
            assert_eq!(told(&[(at, line)]), told_as, "{line}");
        }
    }
}
