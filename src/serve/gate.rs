//! The gate: a few requests are worked on at a time, the workspaces take turns, and what is too much is sent away at
//! once, so that a flood costs little and one workspace's flood costs the others nearly nothing.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::sync::oneshot;
use tracing::Instrument;

use super::App;
use super::access::Caller;
use super::extract::whole;
use super::problem::Problem;
use crate::domain::WorkspaceId;

/// Requests worked on at the same time: enough for writes to share their commits and for the work not to starve beside
/// what is sent away; and how many of them may be one workspace's, so that others never wait for it.
const INSIDE: usize = 96;
const OF_ONE: usize = 64;

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
    /// By workspace: how many are inside.
    inside_of: HashMap<WorkspaceId, usize>,
    of: HashMap<WorkspaceId, VecDeque<oneshot::Sender<Pass>>>,
    /// Workspaces that wait, in the order of their turns.
    turns: VecDeque<WorkspaceId>,
}

/// A place inside; given up when dropped.
#[derive(Debug)]
pub struct Pass {
    /// None once the place is somebody else's.
    gate: Option<Gate>,
    workspace: WorkspaceId,
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
            let own = queues.inside_of.get(&workspace).copied().unwrap_or(0);
            if queues.inside < INSIDE && own < OF_ONE {
                return Ok(self.let_in(&mut queues, workspace));
            }
            if let Some(full) = self.full(&queues, workspace) {
                return Err(full);
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

    /// Whether there is no place to wait, as far as can be told before anything was read.
    pub fn is_full(&self, workspace: WorkspaceId) -> Option<Full> {
        self.full(&self.lock(), workspace)
    }

    fn full(&self, queues: &Queues, workspace: WorkspaceId) -> Option<Full> {
        if queues.of.get(&workspace).is_some_and(|queue| queue.len() >= self.of_one) {
            return Some(Full::Workspace);
        }
        (queues.waiting >= self.waiting).then_some(Full::Server)
    }

    fn let_in(&self, queues: &mut Queues, workspace: WorkspaceId) -> Pass {
        queues.inside += 1;
        *queues.inside_of.entry(workspace).or_default() += 1;
        Pass { gate: Some(self.clone()), workspace }
    }

    /// Takes a place back and calls whoever is next in turn.
    fn leave(&self, workspace: WorkspaceId) {
        let mut queues = self.lock();
        queues.inside -= 1;
        if let Some(own) = queues.inside_of.get_mut(&workspace) {
            *own -= 1;
            if *own == 0 {
                queues.inside_of.remove(&workspace);
            }
        }
        // Each workspace is looked at once: one that has all its places inside waits on.
        for _ in 0..queues.turns.len() {
            if queues.inside >= INSIDE {
                return;
            }
            let Some(next) = queues.turns.pop_front() else { return };
            let own = queues.inside_of.get(&next).copied().unwrap_or(0);
            if own >= OF_ONE {
                queues.turns.push_back(next);
                continue;
            }
            while let Some(call) = queues.of.get_mut(&next).and_then(VecDeque::pop_front) {
                queues.waiting -= 1;
                let pass = self.let_in(&mut queues, next);
                // Gone in the meantime: the place goes to the one behind.
                let Err(mut pass) = call.send(pass) else { break };
                pass.gate = None;
                queues.inside -= 1;
                *queues.inside_of.entry(next).or_insert(1) -= 1;
            }
            if queues.of.get(&next).is_some_and(VecDeque::is_empty) {
                queues.of.remove(&next);
            } else {
                queues.turns.push_back(next);
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
            gate.leave(self.workspace);
        }
    }
}

/// Has requests that speak for a workspace wait for their turn.
pub async fn pass(State(app): State<App>, request: Request, next: Next) -> Response {
    // Events last; they have places of their own (`events::Listeners`).
    let workspace = request.extensions().get::<Caller>().map(|caller| caller.workspace).filter(|_| request.uri().path() != "/v1/events");
    let Some(workspace) = workspace else { return next.run(request).await };
    // Sent away before its body is read; and whoever sends it slowly takes nobody's place meanwhile.
    if let Some(full) = app.gate.is_full(workspace) {
        return send_away(full);
    }
    let (request, room) = match whole(&app, request).await {
        Ok(whole) => whole,
        Err(problem) => return problem.into_response(),
    };
    let pass = match tokio::time::timeout(PATIENCE, app.gate.enter(workspace)).await.unwrap_or(Err(Full::Server)) {
        Ok(pass) => pass,
        Err(full) => return send_away(full),
    };
    let Some(room) = room else { return next.run(request).await };
    // What writes goes on when its caller has gone; its body keeps its room until then.
    let work = async move {
        let answer = next.run(request).await;
        drop((pass, room));
        answer
    };
    tokio::spawn(work.in_current_span()).await.unwrap_or_else(|_| Problem::overloaded("the server stopped in the middle of this").into_response())
}

fn send_away(full: Full) -> Response {
    metrics::counter!("rapport_requests_shed_total", "full" => if full == Full::Workspace { "workspace" } else { "server" }).increment(1);
    match full {
        Full::Workspace => Problem::too_many("this workspace has too many requests waiting; try again in a moment", 1).into_response(),
        Full::Server => Problem::overloaded("the server is busy with other requests").into_response(),
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
        for _ in 0..OF_ONE {
            inside.push(gate.enter(NOISY).await.unwrap());
        }
        let wait = |workspace| {
            let gate = gate.clone();
            tokio::spawn(async move { gate.enter(workspace).await.map(|pass| (workspace, pass)) })
        };
        let noisy: Vec<_> = (0..4).map(|_| wait(NOISY)).collect();
        tokio::task::yield_now().await;
        assert_eq!(gate.enter(NOISY).await.unwrap_err(), Full::Workspace, "a quarter of the places to wait is one workspace's");
        assert_eq!(gate.is_full(NOISY), Some(Full::Workspace));
        let (who, quiet) = wait(QUIET).await.unwrap().unwrap();
        assert_eq!(who, QUIET, "others find places inside at once");
        // Whoever goes away while waiting leaves the place to the next.
        noisy[1].abort();
        tokio::task::yield_now().await;
        drop(inside);
        let mut served = 0;
        for waiting in noisy {
            served += usize::from(waiting.await.is_ok_and(|entered| entered.is_ok()));
        }
        assert_eq!(served, 3);
        drop(quiet);
        let left = gate.lock();
        assert_eq!((left.inside, left.waiting, left.inside_of.values().sum::<usize>(), left.of.len()), (0, 0, 0, 0), "nothing is left");
    }
}
