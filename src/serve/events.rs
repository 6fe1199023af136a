//! `GET /v1/events`: what changes, as it changes; a listener that was away goes on where it stopped.

use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use futures_util::Stream;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::App;
use super::extract::{Caller, Params};
use super::problem::Problem;
use crate::domain::WorkspaceId;
use crate::store::change::{self, Change};
use crate::store::key;

/// Changes read at once.
const BATCH: i64 = 200;

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// Of this account only.
    account: Option<String>,
}

/// What an event carries.
#[derive(Serialize, ToSchema)]
pub struct Content {
    sequence: i64,
    account_id: Option<String>,
    /// Of `entry.added`, `entry.updated` and `entry.deleted`.
    #[serde(skip_serializing_if = "Option::is_none")]
    entry_id: Option<String>,
    /// Of `summary.ready`.
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<i64>,
}

struct Listener {
    app: App,
    caller: Caller,
    account: Option<String>,
    sequence: i64,
    waiting: VecDeque<Change>,
    committed: tokio::sync::watch::Receiver<i64>,
    _place: Place,
}

/// Listeners at the same time, of all workspaces and of one.
const LISTENERS: usize = 512;
const OF_ONE: usize = 128;
/// A listener's key is looked at again so often, also when nothing happens.
const LOOK: Duration = Duration::from_secs(5);

/// How many listen, by workspace.
#[derive(Debug, Clone, Default)]
pub struct Listeners(Arc<Mutex<HashMap<WorkspaceId, usize>>>);

/// A listener's place; given up when it goes.
struct Place {
    listeners: Listeners,
    workspace: WorkspaceId,
}

impl Listeners {
    fn take(&self, workspace: WorkspaceId) -> Result<Place, Problem> {
        let mut all = self.0.lock().expect(UNPOISONED);
        if all.get(&workspace).is_some_and(|own| *own >= OF_ONE) {
            return Err(Problem::too_many(format!("{OF_ONE} listeners of this workspace are open already"), 5));
        }
        if all.values().sum::<usize>() >= LISTENERS {
            return Err(Problem::overloaded("the server has as many listeners as it takes"));
        }
        *all.entry(workspace).or_default() += 1;
        Ok(Place { listeners: self.clone(), workspace })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut all = self.listeners.0.lock().expect(UNPOISONED);
        if let Some(own) = all.get_mut(&self.workspace) {
            *own -= 1;
            if *own == 0 {
                all.remove(&self.workspace);
            }
        }
    }
}

const UNPOISONED: &str = "nothing panics while holding this lock";

/// Server-sent events: `entry.added`, `entry.updated`, `entry.deleted`, `summary.ready`. Each has the sequence number
/// of its change as id; with `Last-Event-ID` the stream goes on behind it, without it begins now.
#[utoipa::path(
    get, path = "/v1/events", tag = "operations", params(Wanted, ("Last-Event-ID" = Option<i64>, Header)),
    responses((status = 200, body = Content, content_type = "text/event-stream"), (status = 400, body = Problem, content_type = "application/problem+json")),
)]
pub async fn get(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    Params(wanted): Params<Wanted>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let mut committed = app.service.store.committed();
    let sequence = match headers.get("last-event-id") {
        Some(id) => id
            .to_str()
            .ok()
            .and_then(|id| id.trim().parse().ok())
            .filter(|id| *id >= 0)
            .ok_or_else(|| Problem::bad_request("bad_header", "Last-Event-ID is not the id of an event: a whole number"))?,
        None => *committed.borrow_and_update(),
    };
    committed.mark_changed();
    let place = app.listeners.take(caller.workspace)?;
    let listener = Listener { _place: place, app, caller, account: wanted.account, sequence, waiting: VecDeque::new(), committed };
    let stream = futures_util::stream::unfold(listener, |mut listener| async move {
        let event = listener.next().await?;
        Some((Ok(event), listener))
    });
    Ok(Sse::new(stream).keep_alive(KeepAlive::default()))
}

impl Listener {
    /// The next event; none when the server stops or the store fails, so that the client connects anew.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(change) = self.waiting.pop_front() {
                if let Some(event) = event(&change) {
                    return Some(event);
                }
                continue;
            }
            tokio::select! {
                changed = self.committed.changed() => changed.ok()?,
                () = tokio::time::sleep(LOOK) => {}
                () = self.app.stop.cancelled() => return None,
            }
            let mut tx = self.app.service.store.read(self.caller.workspace).await.ok()?;
            if self.caller.by_key && !key::lives(self.caller.workspace, &mut tx, &self.caller.actor).await.ok()? {
                return None;
            }
            let changes = change::after(self.caller.workspace, &mut tx, self.sequence, self.account.as_deref(), BATCH).await.ok()?;
            if let Some(last) = changes.last() {
                self.sequence = last.sequence;
                self.waiting.extend(changes);
                // The rest is read when these are sent: a slow listener holds no more than a batch.
                self.committed.mark_changed();
            }
        }
    }
}

fn event(change: &Change) -> Option<Event> {
    let (name, entry_id, version) = match (change.what.as_str(), change.action.as_str()) {
        ("entry", action) => (format!("entry.{action}"), Some(change.id.clone()), None),
        ("summary", _) => ("summary.ready".to_owned(), None, change.id.parse().ok()),
        _ => return None,
    };
    let content = Content { sequence: change.sequence, account_id: change.account_id.clone(), entry_id, version };
    Event::default().id(change.sequence.to_string()).event(name).json_data(content).ok()
}
