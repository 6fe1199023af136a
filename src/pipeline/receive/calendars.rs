//! Calendars: the newest components of each event are kept, and its meetings brought in line with them.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};

use super::entries::{Source, delete_entry, erased, put_entry};
use super::{Outcome, Status};
use crate::config::Config;
use crate::domain::WorkspaceId;
use crate::domain::entry::Meeting;
use crate::domain::record::Kind;
use crate::ingest::calendar::{self, Component};
use crate::pipeline::erase::{self, Fate};
use crate::pipeline::once::{self, Once};
use crate::pipeline::triggers::Asked;
use crate::pipeline::{Result as PipelineResult, Service, people};
use crate::store::{Result, Scope, Tx, calendar as events, entry, record, workspace as workspaces};

/// How far ahead the meetings of a series without end are made …
const AHEAD: SignedDuration = SignedDuration::from_hours(24 * 120);
/// … and when it is time to make more.
const LOW: SignedDuration = SignedDuration::from_hours(24 * 90);
/// Events brought in line in one transaction.
const BATCH: usize = 50;

/// Takes the events of a calendar; one outcome for each meeting that they make, change or call off.
///
/// # Errors
/// When the store fails; then the events of one transaction were not taken, those before it were.
pub async fn calendar(
    service: &Service,
    workspace: WorkspaceId,
    components: Vec<Component>,
    account_id: Option<String>,
    once: Option<Once>,
) -> PipelineResult<Vec<Outcome>> {
    let mut series: Vec<(String, Vec<Component>)> = Vec::new();
    let mut place: HashMap<String, usize> = HashMap::new();
    for component in components {
        let at = *place.entry(component.uid.clone()).or_insert_with(|| {
            series.push((component.uid.clone(), Vec::new()));
            series.len() - 1
        });
        series[at].1.push(component);
    }
    let mut outcomes = Vec::new();
    let mut series = series.into_iter().peekable();
    while series.peek().is_some() {
        let some: Vec<_> = series.by_ref().take(BATCH).collect();
        let (now, config, account_id) = (service.clock.now(), service.config.clone(), account_id.clone());
        let part = once.as_ref().map(|once| once.part(outcomes.len()));
        let taken = once::write(service, workspace, part, move |tx| {
            Box::pin(async move {
                let mut taken = Vec::new();
                let mut asked = Asked::default();
                for (uid, components) in &some {
                    keep(workspace, tx, uid, components, account_id.as_deref()).await?;
                    taken.extend(bring_in_line(workspace, tx, uid, &mut asked, &config, now).await?);
                }
                Ok(Ok(taken))
            })
        });
        outcomes.extend(taken.await?);
    }
    Ok(outcomes)
}

/// Makes the next meetings of series without end; a few events at a time, returns whether there may be more.
///
/// # Errors
/// When the store fails.
pub async fn move_horizons(service: &Service) -> PipelineResult<bool> {
    let (now, config) = (service.clock.now(), service.config.clone());
    let mut tx = service.store.read(Scope::All).await?;
    let due = events::ending_before(&mut tx, now + LOW, 50).await?;
    drop(tx);
    if due.is_empty() {
        return Ok(false);
    }
    for (workspace, uid) in due {
        let config = config.clone();
        let write = service.store.write(workspace, move |tx| {
            Box::pin(async move { bring_in_line(workspace, tx, &uid, &mut Asked::default(), &config, now).await.map(drop) })
        });
        write.await?;
    }
    Ok(true)
}

async fn keep(workspace: WorkspaceId, tx: &mut Tx, uid: &str, components: &[Component], account_id: Option<&str>) -> Result<()> {
    let known = events::series(workspace, tx, uid).await?;
    let mut newest: HashMap<&str, (i64, i64, &str)> = known.iter().map(|k| (k.recurrence.as_str(), (k.sequence, k.stamp, k.ics.as_str()))).collect();
    for component in components {
        let version = (component.version.0, component.version.1, component.ics.as_str());
        // Of two of one moment the larger text stays, so that the order of arrival does not matter.
        if newest.get(component.recurrence.as_str()).is_some_and(|known| *known >= version) {
            continue;
        }
        newest.insert(&component.recurrence, version);
        let new = events::Stored {
            recurrence: component.recurrence.clone(),
            sequence: component.version.0,
            stamp: component.version.1,
            cancelled: i64::from(component.cancelled),
            account_id: account_id.map(str::to_owned),
            ics: erase::without_erased(workspace, tx, &component.ics).await?,
        };
        events::put(workspace, tx, uid, &new).await?;
    }
    Ok(())
}

async fn bring_in_line(workspace: WorkspaceId, tx: &mut Tx, uid: &str, asked: &mut Asked, config: &Config, now: Timestamp) -> Result<Vec<Outcome>> {
    let stored = events::series(workspace, tx, uid).await?;
    let account_id = stored.iter().find_map(|s| s.account_id.clone());
    let components: Vec<Component> = stored
        .into_iter()
        .map(|s| Component { uid: uid.to_owned(), recurrence: s.recurrence, version: (s.sequence, s.stamp), cancelled: s.cancelled != 0, ics: s.ics })
        .collect();
    let zone = workspaces::timezone(workspace, tx).await?;
    let horizon = now + AHEAD;
    let (wanted, more) = calendar::meetings(&components, zone.as_deref(), horizon);
    events::set_horizon(workspace, tx, uid, more.then_some(horizon)).await?;
    let origin = format!("event:{uid}");
    let source = Source { given: account_id.is_some(), origin: Some(&origin), version: None };
    let mut before: HashMap<String, entry::Stored> =
        entry::of_origin(workspace, tx, &origin).await?.into_iter().map(|stored| (stored.entry.id.clone(), stored)).collect();
    let ids: Vec<&str> = wanted.iter().map(|e| e.id.as_str()).collect();
    let removed = record::deleted(workspace, tx, Kind::Entry, &ids).await?;
    let mut outcomes = Vec::with_capacity(wanted.len());
    for mut new in wanted {
        let id = new.id.clone();
        new.account_id = account_id.clone();
        let Some(stored) = before.remove(&id) else {
            // Deleted by hand: it does not come back.
            if removed.contains(&id) || erased(workspace, tx, &mut new).await? == Fate::Gone {
                outcomes.push(Outcome::of(Status::Unchanged, Kind::Entry, &id, None));
                continue;
            }
            let sequence = put_entry(workspace, tx, &mut new, None, source, asked, config, now).await?;
            outcomes.push(Outcome { unmatched: new.account_id.is_none(), ..Outcome::of(Status::Added, Kind::Entry, &id, Some(sequence)) });
            continue;
        };
        // What was added to the meeting since stays with it.
        new.transcript = stored.entry.transcript.clone();
        new.recording_url = stored.entry.recording_url.clone();
        new.deal_id = stored.entry.deal_id.clone();
        new.thread_id = stored.entry.thread_id.clone();
        if let Some(held) = stored.entry.meeting.as_ref().filter(|held| held.outcome.is_some() || held.kind.is_some()) {
            new.meeting = Some(Meeting { agenda: new.meeting.and_then(|m| m.agenda), ..held.clone() });
        }
        people::recognise(workspace, tx, &mut new, source.given).await?;
        if erased(workspace, tx, &mut new).await? == Fate::Gone || new == stored.entry {
            outcomes.push(Outcome::of(Status::Unchanged, Kind::Entry, &id, None));
            continue;
        }
        let sequence = put_entry(workspace, tx, &mut new, Some(&stored), source, asked, config, now).await?;
        outcomes.push(Outcome::of(Status::Updated, Kind::Entry, &id, Some(sequence)));
    }
    for gone in before.into_values() {
        let id = gone.entry.id.clone();
        delete_entry(workspace, tx, &gone, now).await?;
        outcomes.push(Outcome::of(Status::Updated, Kind::Entry, &id, None));
    }
    Ok(outcomes)
}
