//! Attachments are read after their mail is in: whoever waits for the mail does not wait for a long PDF.

use serde::{Deserialize, Serialize};

use super::{Result, Service, apart, blocking};
use crate::domain::WorkspaceId;
use crate::domain::entry::{Attachment, Entry};
use crate::ingest::{attachment, email};
use crate::store::change::{self, Action, NewChange};
use crate::store::job::{self, Held, When};
use crate::store::{StoreError, Tx, attachment as texts, entry, mail};

/// The job that reads a mail's attachments; its key is the entry's number.
pub const ATTACHMENTS: &str = "attachments";

/// Attachments of one mail that are read; more are listed only.
const MAX_READ: usize = 100;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Attachments {
    pub number: i64,
}

/// Queues the reading of a mail's attachments, if any of them may hold words.
pub async fn ask(workspace: WorkspaceId, tx: &mut Tx, entry: &Entry, number: i64, now: jiff::Timestamp) -> crate::store::Result<()> {
    let readable = |a: &Attachment| attachment::is_readable(a.name.as_deref(), a.content_type.as_deref(), a.size.unwrap_or(0));
    if !entry.attachments.iter().any(readable) {
        return Ok(());
    }
    let payload = serde_json::to_string(&Attachments { number }).expect("a number is plain data");
    job::enqueue(workspace, tx, ATTACHMENTS, &number.to_string(), &payload, When::NOW, now).await.map(|_| ())
}

/// An attachment's words, or what has to be read apart.
enum Reading {
    Done(String),
    Apart(Attachment, Vec<u8>),
}

fn reading(raw: &[u8], position: usize) -> Option<(i64, Reading)> {
    let (about, bytes) = email::attachment(raw, position)?;
    let (name, content_type) = (about.name.as_deref(), about.content_type.as_deref());
    let number = i64::try_from(position).ok()?;
    if attachment::is_document(name, content_type) {
        let small = attachment::is_readable(name, content_type, bytes.len() as u64);
        return small.then_some((number, Reading::Apart(about, bytes)));
    }
    attachment::words(name, content_type, &bytes).map(|words| (number, Reading::Done(words)))
}

/// Reads a mail's attachments and makes their words findable.
///
/// # Errors
/// When the store fails, or no process can be started. An attachment that cannot be read has no words.
pub async fn read(service: &Service, workspace: WorkspaceId, wanted: Attachments, held: Held) -> Result<()> {
    let number = wanted.number;
    let mut tx = service.store.read(workspace).await?;
    let stored = entry::by_numbers(workspace, &mut tx, &[number]).await?.pop();
    let raw = mail::raw(workspace, &mut tx, number).await?;
    let sequence = change::last_of(workspace, &mut tx).await?;
    drop(tx);
    let found = match (&stored, raw) {
        (Some(stored), Some(raw)) => {
            let count = stored.entry.attachments.len();
            let readings = blocking(move || (0..count.min(MAX_READ)).filter_map(|position| reading(&raw, position)).collect::<Vec<_>>()).await?;
            let mut found = Vec::new();
            for (position, reading) in readings {
                let words = match reading {
                    Reading::Done(words) => Some(words),
                    Reading::Apart(about, bytes) => apart::words(&service.config.program, &about, bytes).await?,
                };
                found.extend(words.map(|words| (position, words)));
            }
            found
        }
        _ => Vec::new(),
    };
    let now = service.clock.now();
    let write = service.store.write(workspace, move |tx| {
        Box::pin(async move {
            if change::erased_after(workspace, tx, sequence).await? {
                return Err(StoreError::Overtaken);
            }
            // Deleted in the meantime: nothing of it is kept.
            if let Some(stored) = entry::by_numbers(workspace, tx, &[number]).await?.pop().filter(|_| !found.is_empty()) {
                for (position, text) in &found {
                    texts::put(workspace, tx, number, *position, text).await?;
                }
                let account_id = stored.entry.account_id.as_deref();
                let change = NewChange { what: "entry", id: &stored.entry.id, number: Some(number), account_id, action: Action::Updated };
                change::append(workspace, tx, change, now).await?;
            }
            job::finish(tx, held).await
        })
    });
    Ok(write.await?)
}
