//! Corrections by hand: a speaker gets a name, a misheard word is replaced, a note is rewritten, and everything that rests
//! on it follows. An editor says which version was seen, so that nobody's edit is lost.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::once::{self, Once};
use super::receive::{Source, put_entry};
use super::triggers::{self, Asked};
use super::{PipelineError, Result, Service};
use crate::domain::entry::{Entry, EntryType, Side};
use crate::domain::summary::{Cause, Citation, Trigger};
use crate::domain::{Address, WorkspaceId};
use crate::store::job::When;
use crate::store::{self, StoreError, Tx, summary};

/// What to change in a transcript.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Correction {
    /// By the speaker's present name: who it is.
    #[serde(default)]
    pub speakers: BTreeMap<String, Speaker>,
    /// By index: what was really said, or by whom.
    #[serde(default)]
    pub segments: BTreeMap<usize, Turn>,
}

#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Speaker {
    pub name: Option<String>,
    pub email: Option<String>,
    pub side: Option<Side>,
}

#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Turn {
    pub speaker: Option<String>,
    pub text: Option<String>,
}

/// One thing that is different now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Change {
    /// Of a transcript.
    pub segment: Option<usize>,
    /// `speaker`, `email`, `side` or `text` of a segment; `subject` or `body` of an entry.
    pub field: String,
    pub before: Option<String>,
    pub after: Option<String>,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Corrected {
    pub id: String,
    /// Of the change, if anything changed; searches with at least this `min_sequence` see it.
    pub sequence: Option<i64>,
    pub changes: Vec<Change>,
    /// Sentences of the present summary that rest on what changed: they are written again.
    pub summary_sentences: Vec<String>,
    /// Whether a new summary was asked for.
    pub summary_refresh: bool,
}

/// Which version of an entry an editor has seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// Whichever it is.
    Any,
    /// One of these: sequence numbers of its last change.
    Versions(Vec<i64>),
}

/// What to change in an entry that somebody wrote down.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Edit {
    pub subject: Option<String>,
    pub body: Option<String>,
}

/// Corrects the transcript of an entry.
///
/// # Errors
/// When there is no such entry, speaker or segment, a value cannot be taken, or it was changed since; then nothing changes.
pub async fn transcript(
    service: &Service,
    workspace: WorkspaceId,
    id: &str,
    correction: Correction,
    seen: Seen,
    once: Option<Once>,
) -> Result<Corrected> {
    change(service, workspace, id, seen, once, "the transcript was corrected", move |entry| apply(entry, &correction)).await
}

/// Edits the words of a note, or the subject and notes of a call or meeting. A mail stays as it was sent.
///
/// # Errors
/// As [`transcript`].
pub async fn entry(service: &Service, workspace: WorkspaceId, id: &str, edit: Edit, seen: Seen, once: Option<Once>) -> Result<Corrected> {
    change(service, workspace, id, seen, once, "an entry was edited", move |entry| {
        if !matches!(entry.r#type, EntryType::Note | EntryType::Call | EntryType::Meeting) {
            return Err(format!("a {} is not edited here: it stays as it came in", entry.r#type));
        }
        if let Some(subject) = &edit.subject {
            entry.subject = Some(check("subject", subject, 1_000)?);
        }
        if let Some(body) = &edit.body {
            entry.body = check("body", body, 1024 * 1024)?;
        }
        Ok(())
    })
    .await
}

async fn change(
    service: &Service,
    workspace: WorkspaceId,
    id: &str,
    seen: Seen,
    once: Option<Once>,
    why: &'static str,
    apply: impl FnOnce(&mut Entry) -> std::result::Result<(), String> + Send + 'static,
) -> Result<Corrected> {
    let (id, now, config) = (id.to_owned(), service.clock.now(), service.config.clone());
    let outcome = once::write(service, workspace, once, move |tx| {
        Box::pin(async move {
            let Some(stored) = store::entry::find(workspace, tx, &id).await? else {
                return Ok(Err(PipelineError::NotFound(format!("entry {id:?}"))));
            };
            if let Seen::Versions(versions) = &seen
                && !versions.contains(&stored.sequence)
            {
                return Ok(Err(PipelineError::Changed(format!("entry {id:?} was changed since it was read; read it again"))));
            }
            let mut corrected = stored.entry.clone();
            if let Err(reason) = apply(&mut corrected) {
                return Ok(Err(PipelineError::Invalid(reason)));
            }
            if corrected == stored.entry {
                return Ok(Ok(Corrected { id, sequence: None, changes: Vec::new(), summary_sentences: Vec::new(), summary_refresh: false }));
            }
            let mut asked = Asked::default();
            let sequence = put_entry(workspace, tx, &mut corrected, Some(&stored), Source::of(&stored), &mut asked, &config, now).await?;
            let changes = changes(&stored.entry, &corrected);
            let resting = resting(workspace, tx, &stored.entry, &changes).await?;
            let summary_refresh = match corrected.account_id.as_deref() {
                Some(account_id) if summary::exists(workspace, tx, account_id).await? => {
                    let cause = Cause { trigger: Trigger::Manual, entry_id: Some(id.clone()), detail: Some(why.to_owned()) };
                    triggers::ask(workspace, tx, account_id, cause, false, When::NOW, now).await?;
                    true
                }
                _ => false,
            };
            Ok(Ok(Corrected { id, sequence: Some(sequence), changes, summary_sentences: resting, summary_refresh }))
        })
    });
    outcome.await
}

fn apply(entry: &mut Entry, correction: &Correction) -> std::result::Result<(), String> {
    for (name, speaker) in &correction.speakers {
        let email = match &speaker.email {
            Some(email) => {
                Some(Address::parse(email).ok_or_else(|| format!("speakers.{name}.email: {email:?} is not an email address"))?.to_string())
            }
            None => None,
        };
        let new_name = speaker.name.as_deref().map(|n| check(&format!("speakers.{name}.name"), n, 200)).transpose()?;
        let mut turns = entry.transcript.iter_mut().filter(|turn| turn.speaker.as_deref().unwrap_or_default() == name).peekable();
        if turns.peek().is_none() {
            return Err(format!("no segment has the speaker {name:?}"));
        }
        for turn in turns {
            if let Some(new_name) = &new_name {
                // Another person: what was known of the one before does not hold.
                turn.speaker = Some(new_name.clone());
                (turn.email, turn.side) = (None, None);
            }
            turn.email = email.clone().or(turn.email.take());
            turn.side = speaker.side.or(turn.side);
        }
    }
    for (&index, new) in &correction.segments {
        let count = entry.transcript.len();
        let turn =
            entry.transcript.get_mut(index).ok_or_else(|| format!("there is no segment {index}; the transcript has {count}, counted from 0"))?;
        if let Some(text) = &new.text {
            turn.text = check(&format!("segments.{index}.text"), text, 64 * 1024)?;
        }
        if let Some(speaker) = &new.speaker {
            turn.speaker = Some(check(&format!("segments.{index}.speaker"), speaker, 200)?);
            (turn.email, turn.side) = (None, None);
        }
    }
    Ok(())
}

fn check(field: &str, text: &str, max: usize) -> std::result::Result<String, String> {
    if text.trim().is_empty() || text.len() > max || text.contains('\0') {
        return Err(format!("{field} is not 1 to {max} bytes of text"));
    }
    Ok(text.to_owned())
}

fn changes(before: &Entry, after: &Entry) -> Vec<Change> {
    let of_entry = [("subject", before.subject.clone(), after.subject.clone()), ("body", Some(before.body.clone()), Some(after.body.clone()))];
    let mut changes: Vec<Change> = of_entry.into_iter().filter_map(|fields| different(None, fields)).collect();
    for (segment, (old, new)) in before.transcript.iter().zip(&after.transcript).enumerate() {
        let side = |side: Option<Side>| side.map(|s| s.to_string());
        let fields = [
            ("speaker", old.speaker.clone(), new.speaker.clone()),
            ("email", old.email.clone(), new.email.clone()),
            ("side", side(old.side), side(new.side)),
            ("text", Some(old.text.clone()), Some(new.text.clone())),
        ];
        changes.extend(fields.into_iter().filter_map(|fields| different(Some(segment), fields)));
    }
    changes
}

fn different(segment: Option<usize>, (field, before, after): (&str, Option<String>, Option<String>)) -> Option<Change> {
    (before != after).then(|| Change { segment, field: field.to_owned(), before, after })
}

/// Sentences of the account's present summary that cite a changed segment, or the changed body.
async fn resting(workspace: WorkspaceId, tx: &mut Tx, entry: &Entry, changes: &[Change]) -> std::result::Result<Vec<String>, StoreError> {
    let Some(account_id) = entry.account_id.as_deref() else { return Ok(Vec::new()) };
    let Some(latest) = summary::latest(workspace, tx, account_id, None).await? else { return Ok(Vec::new()) };
    let cites = |citation: &Citation| match citation {
        Citation::Quote { entry_id, segment, .. } => *entry_id == entry.id && changes.iter().any(|c| c.segment == *segment),
        Citation::Field { .. } => false,
    };
    let sentences = latest.draft.paragraphs.into_iter().flat_map(|p| p.sentences);
    Ok(sentences.filter(|s| s.citations.iter().any(cites)).map(|s| s.text).collect())
}
