//! Sentences that rest on records: who talks with whom since when, open deals, tickets, tasks.

use std::collections::HashMap;

use super::{Communication, Input, day, field, list, sentence};
use crate::domain::entry::{EntryType, Side};
use crate::domain::money;
use crate::domain::record::{Deal, DealStatus, Priority};
use crate::domain::summary::{Sentence, Topic};

/// People named in one sentence.
const NAMES: usize = 3;
/// Records named one by one; more are counted.
const NAMED: usize = 4;

pub(super) fn history(input: &Input) -> Vec<Sentence> {
    let mut sentences = Vec::new();
    let account = format!("account:{}", input.account.id);
    let name = input.account.display_name();
    let (Some(first), Some(last)) = (input.communications.first(), input.communications.last()) else {
        let text = format!("There is no communication with {name} on record yet.");
        return vec![sentence(Topic::History, text, vec![field(&account, "communications", 0)])];
    };
    let theirs = customer_people(input);
    let ours = our_people(input);
    let total = input.communications.len();
    let mut text = if total == 1 {
        format!("The one communication with {name} is from {}", day(first.entry.occurred_at))
    } else {
        format!("We have been in touch with {name} since {}, {total} communications so far ({})", day(first.entry.occurred_at), kinds(input))
    };
    let mut citations =
        vec![field(&format!("entry:{}", first.entry.id), "occurred_at", first.entry.occurred_at), field(&account, "communications", total)];
    if !theirs.is_empty() {
        text = format!("{text}, mainly through {}", list(&theirs.iter().take(NAMES).map(|p| p.shown.clone()).collect::<Vec<_>>()));
        citations.extend(theirs.iter().take(NAMES).map(|p| field(&p.record, "communications", p.count)));
    }
    if !ours.is_empty() {
        text = format!("{text}, on our side {}", list(&ours.iter().take(NAMES).map(|p| p.shown.clone()).collect::<Vec<_>>()));
        citations.extend(ours.iter().take(NAMES).map(|p| field(&p.record, "communications", p.count)));
    }
    sentences.push(sentence(Topic::History, format!("{text}."), citations));
    for deal in input.deals.iter().filter(|d| d.status == Some(DealStatus::Won)).take(NAMED) {
        sentences.push(closed_deal(deal, "won"));
    }
    for deal in input.deals.iter().filter(|d| d.status == Some(DealStatus::Lost)).take(NAMED) {
        sentences.push(closed_deal(deal, "lost"));
    }
    sentences.push(last_contact(last, input));
    sentences
}

fn kinds(input: &Input) -> String {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for communication in &input.communications {
        let kind = match communication.entry.r#type {
            t if t.is_email() => "email",
            EntryType::Call => "call",
            EntryType::Meeting => "meeting",
            _ => "note",
        };
        *counts.entry(kind).or_default() += 1;
    }
    let shown = ["email", "call", "meeting", "note"].iter().filter_map(|kind| {
        let count = *counts.get(kind)?;
        Some(if count == 1 { format!("1 {kind}") } else { format!("{count} {kind}s") })
    });
    shown.collect::<Vec<_>>().join(", ")
}

struct Person {
    shown: String,
    record: String,
    count: usize,
}

/// People by how often they took part, most active first; those known by a record carry their title.
fn people(input: &Input, wanted: impl Fn(&str) -> Option<(String, String)>, outside: bool) -> Vec<Person> {
    let mut counts: HashMap<String, (usize, Option<String>)> = HashMap::new();
    for Communication { entry, .. } in &input.communications {
        let from_us = entry.side == Some(Side::Us);
        let participants = entry.participants.iter().map(|p| (p.key(), p.name.clone(), p.role == crate::domain::entry::ParticipantRole::From));
        for (key, name, author) in participants {
            let Some(key) = key else { continue };
            // Of people without a record only authors are told apart: a mail from outside is by one of theirs.
            if wanted(&key).is_some() || (outside && author && !from_us && entry.r#type.is_email()) {
                let slot = counts.entry(key).or_default();
                slot.0 += 1;
                slot.1 = slot.1.take().or(name);
            }
        }
    }
    let mut people: Vec<Person> = counts
        .into_iter()
        .map(|(key, (count, name))| match wanted(&key) {
            Some((shown, record)) => Person { shown, record, count },
            None => Person { shown: name.unwrap_or_else(|| key.clone()), record: format!("person:{key}"), count },
        })
        .collect();
    people.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.shown.cmp(&b.shown)));
    people
}

fn titled(name: Option<&str>, title: Option<&str>, id: &str) -> String {
    match (name, title) {
        (Some(name), Some(title)) => format!("{name} ({title})"),
        (Some(name), None) => name.to_owned(),
        (None, _) => id.to_owned(),
    }
}

fn customer_people(input: &Input) -> Vec<Person> {
    let known: HashMap<String, (String, String)> = input
        .contacts
        .iter()
        .flat_map(|c| {
            let shown = (titled(c.name.as_deref(), c.title.as_deref(), &c.id), format!("contact:{}", c.id));
            c.emails.iter().map(move |e| (e.to_lowercase(), shown.clone()))
        })
        .collect();
    people(input, |key| known.get(key).cloned(), true)
}

fn our_people(input: &Input) -> Vec<Person> {
    let known: HashMap<String, (String, String)> = input
        .team
        .iter()
        .filter_map(|m| {
            Some((m.email.as_ref()?.to_lowercase(), (titled(m.name.as_deref(), m.title.as_deref(), &m.id), format!("team_member:{}", m.id))))
        })
        .collect();
    people(input, |key| known.get(key).cloned(), false)
}

fn last_contact(last: &Communication, input: &Input) -> Sentence {
    let entry = &last.entry;
    let what = match (entry.r#type, entry.side) {
        (EntryType::EmailSent, _) => "an email from us",
        (EntryType::EmailReceived, _) => "an email from them",
        (EntryType::Call, _) => "a call",
        (EntryType::Meeting, _) => "a meeting",
        _ => "a note",
    };
    let about = entry.subject.as_deref().filter(|s| !s.trim().is_empty()).map(|s| format!(" about “{}”", s.trim())).unwrap_or_default();
    let from_them = input
        .communications
        .iter()
        .rev()
        .find(|c| c.entry.side == Some(Side::Customer) || c.entry.transcript.iter().any(|s| s.side == Some(Side::Customer)));
    let mut text = format!("The last contact was {what} on {}{about}", day(entry.occurred_at));
    let mut citations = vec![field(&format!("entry:{}", entry.id), "occurred_at", entry.occurred_at)];
    if let Some(subject) = &entry.subject {
        citations.push(field(&format!("entry:{}", entry.id), "subject", subject));
    }
    if let Some(theirs) = from_them.filter(|theirs| theirs.entry.id != entry.id) {
        text = format!("{text}; the last word from them is from {}", day(theirs.entry.occurred_at));
        citations.push(field(&format!("entry:{}", theirs.entry.id), "occurred_at", theirs.entry.occurred_at));
    }
    sentence(Topic::History, format!("{text}."), citations)
}

fn closed_deal(deal: &Deal, outcome: &str) -> Sentence {
    let record = format!("deal:{}", deal.id);
    let mut text = format!("The deal “{}”", deal.name.as_deref().unwrap_or(&deal.id));
    let mut citations = vec![field(&record, "status", outcome)];
    if let Some(amount) = deal.amount {
        let amount = money::format(amount, deal.currency.as_deref());
        text = format!("{text} ({amount})");
        citations.push(field(&record, "amount", amount));
    }
    text = format!("{text} was {outcome}");
    if let Some(closed_at) = deal.closed_at {
        text = format!("{text} on {}", day(closed_at));
        citations.push(field(&record, "closed_at", closed_at));
    }
    sentence(Topic::History, format!("{text}."), citations)
}

pub(super) fn opportunities(input: &Input) -> Vec<Sentence> {
    let open: Vec<&Deal> = input.deals.iter().filter(|d| d.is_open()).collect();
    open.iter().map(|deal| open_deal(deal, input)).collect()
}

fn open_deal(deal: &Deal, input: &Input) -> Sentence {
    let record = format!("deal:{}", deal.id);
    let mut text = format!("The deal “{}”", deal.name.as_deref().unwrap_or(&deal.id));
    let mut citations = vec![field(&record, "name", deal.name.as_deref().unwrap_or(&deal.id))];
    if let Some(amount) = deal.amount {
        let amount = money::format(amount, deal.currency.as_deref());
        text = format!("{text} over {amount}");
        citations.push(field(&record, "amount", amount));
    }
    text = format!("{text} is open");
    if let Some(stage) = &deal.stage {
        text = format!("{text} in stage {stage}");
        citations.push(field(&record, "stage", stage));
        let entered = deal.stage_entered_at.or_else(|| {
            let mut changes = input.stage_changes.iter().filter(|e| e.deal_id.as_deref() == Some(&deal.id));
            changes.next_back().map(|e| e.occurred_at)
        });
        if let Some(entered) = entered {
            text = format!("{text} since {}", day(entered));
            citations.push(field(&record, "stage_entered_at", entered));
        }
    }
    if let Some(close) = deal.close_date {
        text = format!(
            "{text}, planned to close on {}",
            day(close.to_zoned(jiff::tz::TimeZone::UTC).map_or(jiff::Timestamp::UNIX_EPOCH, |z| z.timestamp()))
        );
        citations.push(field(&record, "close_date", close));
    }
    sentence(Topic::Opportunities, format!("{text}."), citations)
}

pub(super) fn risks(input: &Input) -> Vec<Sentence> {
    let mut open: Vec<_> = input.tickets.iter().filter(|t| t.is_open()).collect();
    if open.is_empty() {
        return Vec::new();
    }
    // Worst first: escalated, then by priority.
    open.sort_by_key(|t| (t.escalated != Some(true), std::cmp::Reverse(t.priority), t.id.clone()));
    let shown: Vec<String> = open
        .iter()
        .take(NAMED)
        .map(|t| {
            let priority = t.priority.filter(|p| *p >= Priority::High).map(|p| format!("{p} priority"));
            let marks: Vec<String> = priority.into_iter().chain((t.escalated == Some(true)).then(|| "escalated".to_owned())).collect();
            let marks = if marks.is_empty() { String::new() } else { format!(" ({})", marks.join(", ")) };
            format!("“{}”{marks}", t.subject.as_deref().unwrap_or(&t.id))
        })
        .collect();
    let count = open.len();
    let more = if count > NAMED { format!(" and {} more", count - NAMED) } else { String::new() };
    let text =
        if count == 1 { format!("One ticket is open: {}.", list(&shown)) } else { format!("{count} tickets are open: {}{more}.", list(&shown)) };
    let mut citations = vec![field(&format!("account:{}", input.account.id), "open_tickets", count)];
    citations.extend(open.iter().take(NAMED).map(|t| field(&format!("ticket:{}", t.id), "status", t.status.map_or("open", |s| s.as_str()))));
    vec![sentence(Topic::Risks, text, citations)]
}

pub(super) fn next_actions(input: &Input) -> Vec<Sentence> {
    let mut sentences = Vec::new();
    for deal in input.deals.iter().filter(|d| d.is_open()).take(NAMED) {
        if let Some(step) = deal.next_step.as_deref().filter(|s| !s.trim().is_empty()) {
            let name = deal.name.as_deref().unwrap_or(&deal.id);
            let text = format!("Next step noted for “{name}”: {}.", step.trim().trim_end_matches('.'));
            sentences.push(sentence(Topic::NextActions, text, vec![field(&format!("deal:{}", deal.id), "next_step", step)]));
        }
    }
    let mut open: Vec<_> = input.tasks.iter().filter(|t| t.completed_at.is_none()).collect();
    open.sort_by_key(|t| (t.due_at.is_none(), t.due_at, t.id.clone()));
    for task in open.into_iter().take(NAMED) {
        let record = format!("task:{}", task.id);
        let subject = task.subject.as_deref().unwrap_or(&task.id);
        let mut text = format!("Open task: {}", subject.trim().trim_end_matches('.'));
        let mut citations = vec![field(&record, "subject", subject)];
        if let Some(due) = task.due_at {
            text = format!("{text}, due {}", day(due));
            citations.push(field(&record, "due_at", due));
        }
        sentences.push(sentence(Topic::NextActions, format!("{text}."), citations));
    }
    sentences
}
