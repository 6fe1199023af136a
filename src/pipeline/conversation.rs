//! Conversations put right: a parent that arrives late takes its answers, a forwarded mail keeps two conversations apart,
//! and what somebody splits or merges by hand stays so.

use std::collections::{BTreeMap, HashMap, HashSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use super::once::{self, Once};
use super::{PipelineError, Result as PipelineResult, Service};
use crate::domain::WorkspaceId;
use crate::domain::entry::Entry;
use crate::ingest::thread;
use crate::store::change::{self, Action, NewChange};
use crate::store::mail::{self, Member};
use crate::store::thread::KEPT;
use crate::store::{Result, Tx, entry, thread as threads};

/// Conversations of more mails are left as they are.
const MAX_MEMBERS: i64 = 2_000;

/// Looks at the mails again that name a mail which has just arrived: those joined by subject for want of a parent, and
/// those that go on from what was forwarded.
pub async fn repair(workspace: WorkspaceId, tx: &mut Tx, message_id: &str, is_forward: bool, now: Timestamp) -> Result<()> {
    let mut stale = HashSet::new();
    for (number, lost) in mail::naming(workspace, tx, message_id).await? {
        if lost {
            mail::found_its_parent(workspace, tx, number).await?;
        }
        if lost || is_forward {
            let stored = entry::by_numbers(workspace, tx, &[number]).await?.pop();
            stale.extend(stored.and_then(|stored| stored.entry.thread_id));
        }
    }
    for thread_id in stale.into_iter().filter(|id| !id.starts_with(KEPT)) {
        put_together(workspace, tx, &thread_id, now).await?;
    }
    Ok(())
}

/// Puts the mails of a conversation together anew, from what they name and their subjects alone.
async fn put_together(workspace: WorkspaceId, tx: &mut Tx, thread_id: &str, now: Timestamp) -> Result<()> {
    let members = mail::members(workspace, tx, thread_id, MAX_MEMBERS + 1).await?;
    if members.len() as i64 > MAX_MEMBERS {
        return Ok(());
    }
    let references: Vec<String> = members.iter().flat_map(|m| m.references.clone()).collect::<HashSet<_>>().into_iter().collect();
    let present = mail::present(workspace, tx, &references).await?;
    let numbers: Vec<i64> = members.iter().map(|m| m.number).collect();
    let entries: HashMap<i64, Entry> = entry::by_numbers(workspace, tx, &numbers).await?.into_iter().map(|s| (s.number, s.entry)).collect();
    let groups = groups(&members, &entries, |id| present.get(id) == Some(&true));
    let named: Vec<&str> = groups.values().flatten().map(String::as_str).collect();
    let linked = threads::of(workspace, tx, &named).await?;
    for (label, ids) in &groups {
        // What lies in another conversation stays there.
        let moves = |id: &&str| linked.get(*id).is_none_or(|now| now == thread_id && now != label);
        let moved: Vec<&str> = ids.iter().map(String::as_str).filter(moves).collect();
        threads::link(workspace, tx, &moved, label).await?;
        for member in members.iter().filter(|m| label != thread_id && ids.contains(&m.id)) {
            entry::set_thread(workspace, tx, member.number, label).await?;
            if let Some(entry) = entries.get(&member.number) {
                let account_id = entry.account_id.as_deref();
                let change = NewChange { what: "thread", id: &entry.id, number: Some(member.number), account_id, action: Action::Updated };
                change::append(workspace, tx, change, now).await?;
            }
        }
    }
    Ok(())
}

/// Sets of Message-IDs that belong together, each under the smallest of its ids.
fn groups(members: &[Member], entries: &HashMap<i64, Entry>, forwarded: impl Fn(&str) -> bool) -> BTreeMap<String, HashSet<String>> {
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut parents: Vec<usize> = Vec::new();
    let mut place = |id: &str, parents: &mut Vec<usize>| {
        *places.entry(id.to_owned()).or_insert_with(|| {
            parents.push(parents.len());
            parents.len() - 1
        })
    };
    fn root(parents: &mut [usize], mut at: usize) -> usize {
        while parents[at] != at {
            parents[at] = parents[parents[at]];
            at = parents[at];
        }
        at
    }
    let unite = |a: usize, b: usize, parents: &mut Vec<usize>| {
        let (a, b) = (root(parents, a), root(parents, b));
        parents[a] = b;
    };
    for member in members {
        let own = place(&member.id, &mut parents);
        for named in thread::belongs_to(&member.references, member.is_forward, &forwarded) {
            let other = place(named, &mut parents);
            unite(own, other, &mut parents);
        }
        // What lies beyond a forwarded mail stands for itself, unless another mail says otherwise.
        for named in &member.references {
            place(named, &mut parents);
        }
    }
    let people = |number: i64| entries.get(&number).map(|e| entry::people(e).into_keys().collect::<HashSet<_>>()).unwrap_or_default();
    let window = jiff::SignedDuration::from_hours(thread::SUBJECT_WINDOW_DAYS * 24);
    for lost in members.iter().filter(|m| m.is_reply && m.subject_key.is_some()) {
        let own = people(lost.number);
        for other in members.iter().filter(|m| m.number != lost.number && m.subject_key == lost.subject_key) {
            let before = lost.occurred_at.duration_since(other.occurred_at);
            if before >= jiff::SignedDuration::ZERO && before <= window && !own.is_disjoint(&people(other.number)) {
                let (a, b) = (place(&lost.id, &mut parents), place(&other.id, &mut parents));
                unite(a, b, &mut parents);
            }
        }
    }
    let mut sets: HashMap<usize, HashSet<String>> = HashMap::new();
    for (id, at) in places {
        sets.entry(root(&mut parents, at)).or_default().insert(id);
    }
    sets.into_values().filter_map(|ids| Some((ids.iter().map(|id| thread::id_of(id)).min()?, ids))).collect()
}

/// A conversation as somebody put it together.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Kept {
    /// Its id from now on.
    pub thread_id: String,
    /// How many entries are in it.
    pub entries: usize,
    /// Of the last change.
    pub sequence: i64,
}

/// Makes several conversations one. Answers to any of their mails follow.
///
/// # Errors
/// When there are fewer than two of them, or one has no mails.
pub async fn merge(service: &Service, workspace: WorkspaceId, thread_ids: Vec<String>, once: Option<Once>) -> PipelineResult<Kept> {
    let mut distinct = thread_ids.clone();
    distinct.sort();
    distinct.dedup();
    if distinct.len() < 2 {
        return Err(PipelineError::Invalid("name at least two conversations to merge".to_owned()));
    }
    let now = service.clock.now();
    let kept = once::write(service, workspace, once, move |tx| {
        Box::pin(async move {
            let mut members = Vec::new();
            for thread_id in &distinct {
                let some = mail::members(workspace, tx, thread_id, MAX_MEMBERS).await?;
                if some.is_empty() {
                    return Ok(Err(PipelineError::NotFound(format!("conversation {thread_id:?}"))));
                }
                members.extend(some);
            }
            keep(workspace, tx, &members, now).await.map(Ok)
        })
    });
    kept.await
}

/// Makes these entries a conversation of their own. Answers to their mails follow.
///
/// # Errors
/// When an entry is not there or no mail, or when they are all of their conversation already.
pub async fn split(service: &Service, workspace: WorkspaceId, entry_ids: Vec<String>, once: Option<Once>) -> PipelineResult<Kept> {
    if entry_ids.is_empty() || entry_ids.len() > 1_000 {
        return Err(PipelineError::Invalid("name 1 to 1000 entries to split off".to_owned()));
    }
    let now = service.clock.now();
    let kept = once::write(service, workspace, once, move |tx| {
        Box::pin(async move {
            let mut chosen: Vec<Member> = Vec::new();
            let mut rest = 0;
            let mut seen: HashSet<String> = HashSet::new();
            for id in &entry_ids {
                let Some(stored) = entry::find(workspace, tx, id).await? else {
                    return Ok(Err(PipelineError::NotFound(format!("entry {id:?}"))));
                };
                let Some(thread_id) = stored.entry.thread_id.clone() else {
                    return Ok(Err(PipelineError::Invalid(format!("entry {id:?} is no mail of a conversation"))));
                };
                let members = mail::members(workspace, tx, &thread_id, MAX_MEMBERS).await?;
                if seen.insert(thread_id) {
                    rest += members.len();
                }
                match members.into_iter().find(|m| m.number == stored.number) {
                    Some(member) if !chosen.iter().any(|c| c.number == member.number) => chosen.push(member),
                    Some(_) => {}
                    None => return Ok(Err(PipelineError::Invalid(format!("entry {id:?} is no mail of a conversation")))),
                }
            }
            if rest == chosen.len() && seen.len() == 1 {
                return Ok(Err(PipelineError::Invalid(
                    "these are all the mails of the conversation: nothing would be left to split from".to_owned(),
                )));
            }
            keep(workspace, tx, &chosen, now).await.map(Ok)
        })
    });
    kept.await
}

async fn keep(workspace: WorkspaceId, tx: &mut Tx, members: &[Member], now: Timestamp) -> Result<Kept> {
    let mut ids: Vec<&str> = members.iter().map(|m| m.id.as_str()).collect();
    ids.sort_unstable();
    let digest = Sha256::digest(ids.join("\0").as_bytes());
    let hex: String = digest[..10].iter().map(|byte| format!("{byte:02x}")).collect();
    let thread_id = format!("{KEPT}{hex}");
    let mut sequence = 0;
    for member in members {
        threads::link(workspace, tx, &[&member.id], &thread_id).await?;
        entry::set_thread(workspace, tx, member.number, &thread_id).await?;
        if let Some(stored) = entry::by_numbers(workspace, tx, &[member.number]).await?.pop() {
            let account_id = stored.entry.account_id.as_deref();
            let change = NewChange { what: "entry", id: &stored.entry.id, number: Some(member.number), account_id, action: Action::Updated };
            sequence = change::append(workspace, tx, change, now).await?;
        }
    }
    Ok(Kept { thread_id, entries: members.len(), sequence })
}
