//! When a summary is due: the causes of the contract, collected per account until things are quiet.

use std::collections::HashSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::domain::WorkspaceId;
use crate::domain::entry::{Entry, EntryType};
use crate::domain::summary::{Cause, Trigger};
use crate::store::job::{self, When};
use crate::store::{Result, Tx, entry, summary};

/// The job that makes a summary; its key is the account.
pub const REFRESH: &str = "refresh";

/// What a refresh job carries.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Refresh {
    pub cause: Cause,
    /// Make a new version even from equal input.
    pub force: bool,
}

/// What a transaction knows of accounts already, so that it asks once.
#[derive(Debug, Default)]
pub struct Asked {
    /// Their first summary was asked for.
    first: HashSet<String>,
    /// They have a summary.
    summarized: HashSet<String>,
}

/// Asks for a refresh if this entry, new to the account, is a reason for one.
pub async fn on_entry(
    workspace: WorkspaceId,
    tx: &mut Tx,
    entry: &Entry,
    number: i64,
    communication: bool,
    asked: &mut Asked,
    config: &Config,
    now: Timestamp,
) -> Result<()> {
    let Some(account_id) = entry.account_id.as_deref() else { return Ok(()) };
    if asked.first.contains(account_id) {
        return Ok(());
    }
    let mut cause = None;
    if !asked.summarized.contains(account_id) {
        if summary::exists(workspace, tx, account_id).await? {
            asked.summarized.insert(account_id.to_owned());
        } else {
            asked.first.insert(account_id.to_owned());
            cause = Some(Cause { trigger: Trigger::First, entry_id: Some(entry.id.clone()), detail: None });
        }
    }
    if cause.is_none() && entry.r#type == EntryType::DealStageChange {
        cause = Some(Cause { trigger: Trigger::DealStageChange, entry_id: Some(entry.id.clone()), detail: Some(entry.body.clone()) });
    }
    if cause.is_none() && communication {
        let before = entry::newest_communication(workspace, tx, account_id, number).await?;
        // Only what is newer than everything before can end a silence: back-fill triggers nothing.
        let silence = before.filter(|before| *before < entry.occurred_at).map(|before| entry.occurred_at.duration_since(before));
        if let Some(silence) = silence.filter(|silence| *silence > config.gap) {
            let detail = format!("after {} days without contact", silence.as_hours() / 24);
            cause = Some(Cause { trigger: Trigger::CommunicationAfterGap, entry_id: Some(entry.id.clone()), detail: Some(detail) });
        }
    }
    match cause {
        Some(cause) => {
            let when = When { quiet: config.quiet, at_most: config.quiet_at_most };
            ask(workspace, tx, account_id, cause, false, when, now).await.map(|_| ())
        }
        None => Ok(()),
    }
}

/// Asks for the first summary of an account whose record came after its entries.
pub async fn on_account(workspace: WorkspaceId, tx: &mut Tx, account_id: &str, config: &Config, now: Timestamp) -> Result<()> {
    if summary::exists(workspace, tx, account_id).await? || !entry::any(workspace, tx, account_id).await? {
        return Ok(());
    }
    let cause = Cause { trigger: Trigger::First, entry_id: None, detail: None };
    let when = When { quiet: config.quiet, at_most: config.quiet_at_most };
    ask(workspace, tx, account_id, cause, false, when, now).await.map(|_| ())
}

/// Queues a refresh of an account; of several causes, the first in the contract's order stays.
pub async fn ask(workspace: WorkspaceId, tx: &mut Tx, account_id: &str, cause: Cause, force: bool, when: When, now: Timestamp) -> Result<i64> {
    let waiting = job::queued_payload(workspace, tx, REFRESH, account_id).await?;
    let waiting = waiting.and_then(|json| serde_json::from_str::<Refresh>(&json).ok());
    let refresh = match waiting {
        Some(waiting) if waiting.cause.trigger <= cause.trigger => Refresh { force: waiting.force || force, ..waiting },
        Some(waiting) => Refresh { cause, force: waiting.force || force },
        None => Refresh { cause, force },
    };
    let payload = serde_json::to_string(&refresh).expect("a cause is plain text");
    job::enqueue(workspace, tx, REFRESH, account_id, &payload, when, now).await
}
