//! The past joins its account: when a contact, a domain or one of us becomes known, what that person or domain took
//! part in is looked at again. The result is the same in whatever order records and mails came in.

use std::collections::VecDeque;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::people;
use super::repeat;
use super::triggers::{self, Asked};
use crate::config::Config;
use crate::domain::entry::{Direction, Entry, EntryType, Flag, Side};
use crate::domain::{Address, Parties, WorkspaceId};
use crate::ingest::owner::{self, Rule};
use crate::store::change::{self, Action, NewChange};
use crate::store::job::{self, When};
use crate::store::{Result, Tx, entry, mail, party, repeat as said};

/// The job that looks at entries again; its key is the address, name or domain.
pub const JOIN: &str = "join";

/// Entries looked at in one transaction, so that no one waits long for the writer.
const BATCH: i64 = 200;

/// Whose entries to look at, and where to go on.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Join {
    /// A filter key: an address, or `~name`.
    pub address: Option<String>,
    pub domain: Option<String>,
    pub after: i64,
}

/// Queues the entries of these people and registrable domains.
pub async fn ask(workspace: WorkspaceId, tx: &mut Tx, people: &[String], domains: &[String], now: Timestamp) -> Result<()> {
    let mut addresses = Vec::with_capacity(people.len());
    for person in people {
        // Hardly any name speaks without its address: most need no job.
        if !person.starts_with('~') || entry::has_participant(workspace, tx, person).await? {
            addresses.push(person);
        }
    }
    let addresses = addresses.into_iter().map(|a| (a, Join { address: Some(a.clone()), domain: None, after: 0 }));
    let domains = domains.iter().map(|d| {
        // Participants are kept by registrable domain; which of its mails change is decided for each.
        (d, Join { address: None, domain: Some(crate::domain::address::registrable(d).to_owned()), after: 0 })
    });
    for (key, join) in addresses.chain(domains) {
        let payload = serde_json::to_string(&join).expect("a join is plain text");
        job::enqueue(workspace, tx, JOIN, key, &payload, When::NOW, now).await?;
    }
    Ok(())
}

/// Looks at the next entries of a join; returns where to go on, or none when done.
pub async fn step(workspace: WorkspaceId, tx: &mut Tx, join: &Join, config: &Config, now: Timestamp) -> Result<Option<Join>> {
    let numbers = entry::with_parties(workspace, tx, join.address.as_deref(), join.domain.as_deref(), join.after, BATCH).await?;
    let mut asked = Asked::default();
    for &number in &numbers {
        settle(workspace, tx, number, &mut asked, config, now).await?;
    }
    let more = i64::try_from(numbers.len()).is_ok_and(|n| n == BATCH);
    Ok(numbers.last().filter(|_| more).map(|&after| Join { after, ..join.clone() }))
}

/// Decides an entry's sides and account again, and those of the mails of ours that answer it, as far as anything changes.
pub async fn settle(workspace: WorkspaceId, tx: &mut Tx, number: i64, asked: &mut Asked, config: &Config, now: Timestamp) -> Result<()> {
    let mut waiting = VecDeque::from([number]);
    while let Some(number) = waiting.pop_front() {
        if settle_one(workspace, tx, number, asked, config, now).await? {
            waiting.extend(mail::answers_without_own_account(workspace, tx, number).await?);
        }
    }
    Ok(())
}

/// Returns whether the account changed.
async fn settle_one(workspace: WorkspaceId, tx: &mut Tx, number: i64, asked: &mut Asked, config: &Config, now: Timestamp) -> Result<bool> {
    let Some(stored) = entry::by_numbers(workspace, tx, &[number]).await?.pop() else { return Ok(false) };
    let mut entry = stored.entry.clone();
    let owned = match mail::about(workspace, tx, number).await? {
        Some(about) => {
            let author = about.author.as_deref().and_then(Address::parse);
            let recipients = recipients(&entry);
            let verified = !stored.flags.contains(&Flag::UnverifiedSender);
            let addresses: Vec<&Address> = author.iter().chain(&recipients).collect();
            let parties = party::known(workspace, tx, &addresses).await?;
            let references = mail::references(workspace, tx, number).await?;
            if stored.rule.as_deref() != Some(Rule::Given.as_str()) {
                entry.account_id = None;
            }
            place(workspace, tx, &mut entry, &references, &parties, Author { address: author.as_ref(), verified }, &recipients).await?
        }
        None => {
            let given = stored.rule.as_deref() == Some(Rule::Given.as_str());
            people::recognise(workspace, tx, &mut entry, given).await?
        }
    };
    if entry == stored.entry && stored.rule.as_deref() == owned.rule.map(Rule::as_str) {
        return Ok(false);
    }
    let moved = entry.account_id != stored.entry.account_id;
    let gone = if moved { said::find(workspace, tx, number).await? } else { None };
    let sequence = change::append(
        workspace,
        tx,
        NewChange { what: "entry", id: &entry.id, number: Some(number), account_id: entry.account_id.as_deref(), action: Action::Updated },
        now,
    )
    .await?;
    entry::update(
        workspace,
        tx,
        &stored,
        &entry::New {
            number,
            sequence,
            entry: &entry,
            spans: &stored.spans,
            flags: &stored.flags,
            rule: owned.rule.map(Rule::as_str),
            origin: None,
            unmatched_domain: owned.unmatched_domain.as_deref(),
            updated_at: stored.updated_at,
            received_at: now,
            content_hash: &stored.content_hash,
        },
    )
    .await?;
    if moved {
        if let Some(gone) = gone {
            repeat::left(workspace, tx, &gone, now).await?;
        }
        let repeats = repeat::arrived(workspace, tx, number, now).await?;
        let communication = entry.counts_as_said(&stored.spans, &stored.flags) && !repeats;
        triggers::on_entry(workspace, tx, &entry, number, communication, asked, config, now).await?;
    }
    Ok(moved)
}

/// To and Cc of a mail entry.
pub fn recipients(entry: &Entry) -> Vec<Address> {
    let others = entry.participants.iter().filter(|p| p.role != crate::domain::entry::ParticipantRole::From);
    others.filter_map(|p| p.address()).collect()
}

/// Whose an entry is.
pub struct Owned {
    pub rule: Option<Rule>,
    /// Where it waits when it is nobody's.
    pub unmatched_domain: Option<String>,
}

/// Who a mail says it is from, and whether that can be believed.
#[derive(Debug, Clone, Copy)]
pub struct Author<'a> {
    pub address: Option<&'a Address>,
    pub verified: bool,
}

/// Sets side, type and, unless it is given, account of a mail; `references` are the mails it answers, nearest first.
pub async fn place(
    workspace: WorkspaceId,
    tx: &mut Tx,
    entry: &mut Entry,
    references: &[String],
    parties: &Parties,
    Author { address: author, verified }: Author<'_>,
    recipients: &[Address],
) -> Result<Owned> {
    let ours = verified && author.is_some_and(|a| parties.is_us(a));
    (entry.r#type, entry.side, entry.direction) = if ours {
        (EntryType::EmailSent, Some(Side::Us), Some(Direction::Outbound))
    } else {
        // Whoever forged it is on nobody's side.
        (EntryType::EmailReceived, verified.then_some(Side::Customer), Some(Direction::Inbound))
    };
    if entry.account_id.is_some() {
        return Ok(Owned { rule: Some(Rule::Given), unmatched_domain: None });
    }
    let mut owner = owner::owner(parties, author, recipients);
    if owner.is_none() && ours {
        owner = mail::answered_account(workspace, tx, references).await?.map(|account| (account, Rule::Thread));
    }
    let unmatched_domain = match owner {
        Some(_) => None,
        None => Some(owner::stranger(parties, author, recipients).map_or_else(|| "unknown".to_owned(), |a| a.domain().to_owned())),
    };
    let (account_id, rule) = owner.unzip();
    entry.account_id = account_id;
    Ok(Owned { rule, unmatched_domain })
}
