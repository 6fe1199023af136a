//! Attachments are read after their mail is in: whoever waits for the mail does not wait for a long PDF.

use serde::{Deserialize, Serialize};

use super::{Result, Service, blocking};
use crate::domain::WorkspaceId;
use crate::domain::entry::Entry;
use crate::ingest::{attachment, email};
use crate::store::change::{self, Action, NewChange};
use crate::store::job::{self, When};
use crate::store::{Tx, attachment as texts, entry, mail};

/// The job that reads a mail's attachments; its key is the entry's number.
pub const ATTACHMENTS: &str = "attachments";

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Attachments {
    pub number: i64,
}

/// Queues the reading of a mail's attachments, if any of them may hold words.
pub async fn ask(workspace: WorkspaceId, tx: &mut Tx, entry: &Entry, number: i64, now: jiff::Timestamp) -> crate::store::Result<()> {
    let readable = |a: &crate::domain::entry::Attachment| attachment::is_readable(a.name.as_deref(), a.content_type.as_deref(), a.size.unwrap_or(0));
    if !entry.attachments.iter().any(readable) {
        return Ok(());
    }
    let payload = serde_json::to_string(&Attachments { number }).expect("a number is plain data");
    job::enqueue(workspace, tx, ATTACHMENTS, &number.to_string(), &payload, When::NOW, now).await.map(|_| ())
}

/// Reads a mail's attachments and makes their words findable.
///
/// # Errors
/// When the store fails. An attachment that cannot be read has no words.
pub async fn read(service: &Service, workspace: WorkspaceId, wanted: Attachments, job_id: i64) -> Result<()> {
    let number = wanted.number;
    let mut tx = service.store.read().await?;
    let stored = entry::by_numbers(workspace, &mut tx, &[number]).await?.pop();
    let raw = mail::raw(workspace, &mut tx, number).await?;
    drop(tx);
    let found = match (&stored, raw) {
        (Some(stored), Some(raw)) => {
            let count = stored.entry.attachments.len();
            blocking(move || {
                let words = |position: usize| {
                    let (about, bytes) = email::attachment(&raw, position)?;
                    let text = attachment::words(about.name.as_deref(), about.content_type.as_deref(), &bytes)?;
                    Some((i64::try_from(position).ok()?, text))
                };
                (0..count.min(100)).filter_map(words).collect::<Vec<_>>()
            })
            .await?
        }
        _ => Vec::new(),
    };
    let now = service.clock.now();
    let write = service.store.write(move |tx| {
        Box::pin(async move {
            // Deleted in the meantime: nothing of it is kept.
            if let Some(stored) = entry::by_numbers(workspace, tx, &[number]).await?.pop().filter(|_| !found.is_empty()) {
                for (position, text) in &found {
                    texts::put(workspace, tx, number, *position, text).await?;
                }
                let account_id = stored.entry.account_id.as_deref();
                let change = NewChange { what: "entry", id: &stored.entry.id, number: Some(number), account_id, action: Action::Updated };
                change::append(workspace, tx, change, now).await?;
            }
            job::finish(tx, job_id).await
        })
    });
    Ok(write.await?)
}
