//! The gate: a few requests are worked on at a time, the workspaces take turns, and what is too much is sent away at
//! once, so that a flood costs little and one workspace's flood costs the others nearly nothing.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::sync::oneshot;

use super::App;
use super::access::Caller;
use super::problem::Problem;
use crate::domain::WorkspaceId;

/// Requests worked on at the same time: enough for writes to share their commits, few enough for the wait to be short.
const INSIDE: usize = 16;

/// Longer than this nobody waits for a turn.
const PATIENCE: Duration = Duration::from_secs(10);

/// Lets requests in.
#[derive(Debug, Clone)]
pub struct Gate {
    state: Arc<Mutex<Queues>>,
    /// Requests that may wait, of all workspaces and of one.
    waiting: usize,
    of_one: usize,
}

#[derive(Debug, Default)]
struct Queues {
    inside: usize,
    waiting: usize,
    of: HashMap<WorkspaceId, VecDeque<oneshot::Sender<Pass>>>,
    /// Workspaces that wait, in the order of their turns.
    turns: VecDeque<WorkspaceId>,
}

/// A place inside; given up when dropped.
#[derive(Debug)]
pub struct Pass {
    /// None once the place is somebody else's.
    gate: Option<Gate>,
}

/// Why a request is sent away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// Its own workspace has too many waiting.
    Workspace,
    /// All together have.
    Server,
}

impl Gate {
    /// `most` requests may be inside or wait; one workspace has a quarter of the places to wait.
    pub fn new(most: usize) -> Gate {
        let waiting = most.saturating_sub(INSIDE).max(1);
        Gate { state: Arc::default(), waiting, of_one: (waiting / 4).max(1) }
    }

    /// Waits for a place inside.
    ///
    /// # Errors
    /// When there is no place to wait.
    pub async fn enter(&self, workspace: WorkspaceId) -> Result<Pass, Full> {
        let turn = {
            let mut queues = self.lock();
            if queues.inside < INSIDE {
                queues.inside += 1;
                return Ok(Pass { gate: Some(self.clone()) });
            }
            if queues.of.get(&workspace).is_some_and(|queue| queue.len() >= self.of_one) {
                return Err(Full::Workspace);
            }
            if queues.waiting >= self.waiting {
                return Err(Full::Server);
            }
            let (call, turn) = oneshot::channel();
            let queue = queues.of.entry(workspace).or_default();
            queue.push_back(call);
            if queue.len() == 1 {
                queues.turns.push_back(workspace);
            }
            queues.waiting += 1;
            turn
        };
        // Nobody is forgotten: a sender only goes with its queue.
        turn.await.map_err(|_| Full::Server)
    }

    /// Calls the next in turn, or leaves the place empty.
    fn next(&self) {
        loop {
            let call = {
                let mut queues = self.lock();
                let Some(workspace) = queues.turns.pop_front() else {
                    queues.inside -= 1;
                    return;
                };
                let Some(queue) = queues.of.get_mut(&workspace) else { continue };
                let call = queue.pop_front();
                if queue.is_empty() {
                    queues.of.remove(&workspace);
                } else {
                    queues.turns.push_back(workspace);
                }
                queues.waiting -= usize::from(call.is_some());
                call
            };
            let Some(call) = call else { continue };
            match call.send(Pass { gate: Some(self.clone()) }) {
                Ok(()) => return,
                // Gone in the meantime: the place goes to the next.
                Err(mut pass) => drop(pass.gate.take()),
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queues> {
        self.state.lock().expect("nothing panics while holding this lock")
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        if let Some(gate) = self.gate.take() {
            gate.next();
        }
    }
}

/// Has requests that speak for a workspace wait for their turn.
pub async fn pass(State(app): State<App>, request: Request, next: Next) -> Response {
    // Events last; they have places of their own.
    let workspace = request.extensions().get::<Caller>().map(|caller| caller.workspace).filter(|_| request.uri().path() != "/v1/events");
    let Some(workspace) = workspace else { return next.run(request).await };
    let entered = tokio::time::timeout(PATIENCE, app.gate.enter(workspace)).await.unwrap_or(Err(Full::Server));
    match entered {
        Ok(_pass) => next.run(request).await,
        Err(full) => {
            metrics::counter!("rapport_requests_shed_total", "full" => if full == Full::Workspace { "workspace" } else { "server" }).increment(1);
            match full {
                Full::Workspace => Problem::too_many("this workspace has too many requests waiting; try again in a moment", 1).into_response(),
                Full::Server => Problem::overloaded("the server is busy with other requests").into_response(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOISY: WorkspaceId = WorkspaceId(1);
    const QUIET: WorkspaceId = WorkspaceId(2);

    #[tokio::test]
    async fn workspaces_take_turns_and_a_flood_is_sent_away() {
        let gate = Gate::new(INSIDE + 16);
        let mut inside = Vec::new();
        for _ in 0..INSIDE {
            inside.push(gate.enter(NOISY).await.unwrap());
        }
        let wait = |workspace| {
            let gate = gate.clone();
            tokio::spawn(async move { gate.enter(workspace).await.map(|pass| (workspace, pass)) })
        };
        let noisy: Vec<_> = (0..4).map(|_| wait(NOISY)).collect();
        tokio::task::yield_now().await;
        assert_eq!(gate.enter(NOISY).await.unwrap_err(), Full::Workspace, "a quarter of the places is one workspace's");
        let quiet = wait(QUIET);
        tokio::task::yield_now().await;
        inside.truncate(INSIDE - 2);
        let (who, _pass) = quiet.await.unwrap().unwrap();
        assert_eq!(who, QUIET, "after one of the others it is its turn");
        // Whoever goes away while waiting leaves the place to the next.
        noisy[1].abort();
        drop(inside);
        let mut served = 0;
        for waiting in noisy {
            served += usize::from(waiting.await.is_ok_and(|entered| entered.is_ok()));
        }
        assert_eq!(served, 3);
        drop(_pass);
        let left = gate.lock();
        assert_eq!((left.inside, left.waiting), (0, 0), "nothing is left");
    }
}
