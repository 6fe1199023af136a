//! Transcripts: attached to a call or meeting that is there, or making one.

use jiff::Timestamp;

use super::entries::{Source, erased, put_entry};
use super::{Outcome, Status};
use crate::config::Config;
use crate::domain::WorkspaceId;
use crate::domain::entry::{Entry, EntryType, Participant, ParticipantRole};
use crate::domain::record::Kind;
use crate::ingest::record::Rejection;
use crate::ingest::transcript::Transcript;
use crate::pipeline::erase::Fate;
use crate::pipeline::once::{self, Once};
use crate::pipeline::triggers::Asked;
use crate::pipeline::{PipelineError, Result as PipelineResult, Service, people};
use crate::store::{Result, Tx, entry, record};

/// What is known about a transcript beside its words.
#[derive(Debug, Clone, Default)]
pub struct Held {
    /// The call or meeting it belongs to; then nothing else is needed.
    pub entry_id: Option<String>,
    /// Without one the people decide.
    pub account_id: Option<String>,
    /// `call` or `meeting`; by the number of speakers when not said.
    pub r#type: Option<EntryType>,
    /// Wins over what the file says.
    pub occurred_at: Option<Timestamp>,
    /// Stands in when the file has no title.
    pub title: Option<String>,
    /// What identifies it where its words do not: a chat that may go on.
    pub id: Option<String>,
    pub channel: Option<String>,
}

/// Takes transcripts, all in one transaction; the same one again changes nothing.
///
/// # Errors
/// When the store fails; then nothing was taken.
pub async fn transcripts(
    service: &Service,
    workspace: WorkspaceId,
    items: Vec<(Transcript, Held)>,
    once: Option<Once>,
) -> PipelineResult<Vec<Outcome>> {
    let (now, config) = (service.clock.now(), service.config.clone());
    let taken = once::write(service, workspace, once, move |tx| {
        Box::pin(async move {
            let mut outcomes = Vec::with_capacity(items.len());
            let mut asked = Asked::default();
            for (transcript, held) in &items {
                outcomes.push(match &held.entry_id {
                    Some(id) => attach(workspace, tx, transcript, id, &mut asked, &config, now).await?,
                    None => make(workspace, tx, transcript, held, &mut asked, &config, now).await?,
                });
            }
            Ok(Ok(outcomes))
        })
    });
    taken.await
}

/// Whether there is such an entry to attach to.
///
/// # Errors
/// When it is not there.
pub async fn check_entry(service: &Service, workspace: WorkspaceId, id: &str) -> PipelineResult<()> {
    let mut tx = service.store.read(workspace).await?;
    match entry::number(workspace, &mut tx, id).await? {
        Some(_) => Ok(()),
        None => Err(PipelineError::NotFound(format!("entry {id:?}"))),
    }
}

async fn make(
    workspace: WorkspaceId,
    tx: &mut Tx,
    transcript: &Transcript,
    held: &Held,
    asked: &mut Asked,
    config: &Config,
    now: Timestamp,
) -> Result<Outcome> {
    let Some(occurred_at) = held.occurred_at.or(transcript.occurred_at) else {
        return Ok(rejected(None, "the transcript does not say when it was held: give occurred_at (--occurred-at 2026-03-12T09:00:00Z)"));
    };
    let id = held.id.clone().unwrap_or_else(|| transcript.id(occurred_at));
    if let Some(stored) = entry::find(workspace, tx, &id).await? {
        // A chat goes on; what was exported earlier says nothing new.
        let longer = held.id.is_some() && transcript.turns.len() > stored.entry.transcript.len();
        return if longer {
            replace(workspace, tx, transcript, stored, asked, config, now).await
        } else {
            Ok(Outcome::of(Status::Unchanged, Kind::Entry, &id, None))
        };
    }
    if !record::deleted(workspace, tx, Kind::Entry, &[&id]).await?.is_empty() {
        return Ok(Outcome::of(Status::Unchanged, Kind::Entry, &id, None));
    }
    let kind = held.r#type.unwrap_or(if transcript.speakers() > 2 { EntryType::Meeting } else { EntryType::Call });
    let mut entry = Entry::new(id, kind, occurred_at);
    entry.account_id = held.account_id.clone();
    entry.channel = held.channel.clone();
    entry.subject = transcript.title.clone().or_else(|| held.title.clone());
    entry.duration_seconds = transcript.duration_seconds();
    entry.transcript = transcript.turns.clone();
    add_people(&mut entry, transcript);
    if erased(workspace, tx, &mut entry).await? == Fate::Gone {
        return Ok(Outcome::of(Status::Unchanged, Kind::Entry, &entry.id, None));
    }
    let source = Source { given: held.account_id.is_some(), ..Source::default() };
    let sequence = put_entry(workspace, tx, &mut entry, None, source, asked, config, now).await?;
    Ok(Outcome { unmatched: entry.account_id.is_none(), ..Outcome::of(Status::Added, Kind::Entry, &entry.id, Some(sequence)) })
}

async fn attach(
    workspace: WorkspaceId,
    tx: &mut Tx,
    transcript: &Transcript,
    id: &str,
    asked: &mut Asked,
    config: &Config,
    now: Timestamp,
) -> Result<Outcome> {
    let Some(stored) = entry::find(workspace, tx, id).await? else {
        return Ok(rejected(Some(id), &format!("entry {id:?} was not found")));
    };
    if !matches!(stored.entry.r#type, EntryType::Call | EntryType::Meeting) {
        return Ok(rejected(Some(id), &format!("entry {id:?} is a {}; a transcript belongs to a call or a meeting", stored.entry.r#type)));
    }
    replace(workspace, tx, transcript, stored, asked, config, now).await
}

async fn replace(
    workspace: WorkspaceId,
    tx: &mut Tx,
    transcript: &Transcript,
    stored: entry::Stored,
    asked: &mut Asked,
    config: &Config,
    now: Timestamp,
) -> Result<Outcome> {
    let id = stored.entry.id.clone();
    let mut entry = stored.entry.clone();
    entry.transcript = transcript.turns.clone();
    entry.duration_seconds = entry.duration_seconds.max(transcript.duration_seconds());
    entry.subject = entry.subject.or_else(|| transcript.title.clone());
    add_people(&mut entry, transcript);
    if erased(workspace, tx, &mut entry).await? == Fate::Gone {
        return Ok(Outcome::of(Status::Unchanged, Kind::Entry, &id, None));
    }
    let source = Source::of(&stored);
    people::recognise(workspace, tx, &mut entry, source.given).await?;
    if entry == stored.entry {
        return Ok(Outcome::of(Status::Unchanged, Kind::Entry, &id, None));
    }
    let sequence = put_entry(workspace, tx, &mut entry, Some(&stored), source, asked, config, now).await?;
    Ok(Outcome::of(Status::Updated, Kind::Entry, &id, Some(sequence)))
}

/// Names the people whom the file lists and the entry does not.
fn add_people(entry: &mut Entry, transcript: &Transcript) {
    for person in &transcript.people {
        let new = Participant { role: ParticipantRole::Attendee, name: person.name.clone(), email: person.email.clone() };
        if new.key().is_some() && !entry.participants.iter().any(|p| p.key() == new.key()) {
            entry.participants.push(new);
        }
    }
}

fn rejected(id: Option<&str>, reason: &str) -> Outcome {
    Outcome::rejected(Rejection { kind: Some("entry".to_owned()), id: id.map(str::to_owned), reason: reason.to_owned() })
}
