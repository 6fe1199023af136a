//! One writer, many callers: work that waits while a commit reaches the disk is committed together (group commit).

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::{mpsc, oneshot, watch};

use super::database::{Pool, Scope, Tx};
use super::{Result, StoreError, entry};

/// Callers that may wait; beyond it they are told to come back.
const QUEUE: usize = 1_024;
/// How much is committed together at most.
const GROUP: usize = 256;
const GROUP_TIME: Duration = Duration::from_millis(25);

type Reply = Box<dyn Any + Send>;
type Job = Box<dyn for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<Reply>> + Send>;

struct Work {
    scope: Scope,
    run: Job,
    reply: oneshot::Sender<Result<Reply>>,
}

enum Order {
    Work(Work),
    /// Take what was deleted off the disk.
    Purge(oneshot::Sender<Result<()>>),
    /// Close the connection, and with it the file.
    Close(oneshot::Sender<()>),
}

/// The sending side of the writer's queue.
#[derive(Debug, Clone)]
pub(super) struct Writer {
    queue: mpsc::Sender<Order>,
}

impl Writer {
    pub(super) fn start(pool: Pool, committed: watch::Sender<i64>) -> Writer {
        let (queue, work) = mpsc::channel(QUEUE);
        tokio::spawn(write_all(pool, work, committed));
        Writer { queue }
    }

    pub(super) async fn run<T, F>(&self, scope: Scope, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T>> + Send + 'static,
    {
        let run: Job = Box::new(move |tx| Box::pin(async move { work(tx).await.map(|value| Box::new(value) as Reply) }));
        let (reply, answer) = oneshot::channel();
        self.order(Order::Work(Work { scope, run, reply }))?;
        let value = answer.await.map_err(|_| StoreError::Closed)??;
        Ok(*value.downcast::<T>().expect("the reply has the type the work returned"))
    }

    pub(super) async fn purge(&self) -> Result<()> {
        let (reply, answer) = oneshot::channel();
        self.order(Order::Purge(reply))?;
        answer.await.map_err(|_| StoreError::Closed)?
    }

    fn order(&self, order: Order) -> Result<()> {
        self.queue.try_send(order).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => StoreError::Busy,
            mpsc::error::TrySendError::Closed(_) => StoreError::Closed,
        })
    }

    /// Returns when everything queued before is durable and the connection is closed; nothing is written after it.
    pub(super) async fn close(&self) {
        let (reply, answer) = oneshot::channel();
        if self.queue.send(Order::Close(reply)).await.is_ok() {
            let _ = answer.await;
        }
    }
}

async fn write_all(mut pool: Pool, mut queue: mpsc::Receiver<Order>, committed: watch::Sender<i64>) {
    // What was received while a group was put together, and does not belong to it.
    let mut held: Option<Order> = None;
    loop {
        let order = match held.take() {
            Some(order) => Some(order),
            None => queue.recv().await,
        };
        let first = match order {
            Some(Order::Work(work)) => work,
            Some(Order::Purge(reply)) => {
                let _ = reply.send(pool.purge().await);
                continue;
            }
            Some(Order::Close(reply)) => {
                pool.close().await;
                let _ = reply.send(());
                return;
            }
            None => break,
        };
        let mut tx = match pool.begin_write().await {
            Ok(tx) => tx,
            Err(error) => {
                let _ = first.reply.send(Err(error));
                pool = pool.renewed().await;
                continue;
            }
        };
        let started = Instant::now();
        let mut done = Vec::new();
        let mut next = Some(first);
        while let Some(work) = next.take() {
            if let Some(finished) = run_apart(&mut tx, work).await {
                done.push(finished);
            }
            let may_grow = done.len() < GROUP && started.elapsed() < GROUP_TIME;
            next = match may_grow.then(|| queue.try_recv().ok()).flatten() {
                Some(Order::Work(work)) => Some(work),
                other => {
                    held = other;
                    None
                }
            };
        }
        let sequence = tx.sequence;
        match tx.commit().await {
            Ok(()) => {
                announce(&committed, sequence);
                for (reply, value) in done {
                    let _ = reply.send(Ok(value));
                }
            }
            Err(error) => {
                tracing::error!(%error, "a commit failed");
                // SQLite may have rolled back by itself: the connection is not to be trusted any more.
                pool = pool.renewed().await;
                for (reply, _) in done {
                    let _ = reply.send(Err(error.again()));
                }
            }
        }
    }
    pool.close().await;
}

/// Tells whoever waits how far the log goes now.
pub(super) fn announce(committed: &watch::Sender<i64>, sequence: i64) {
    committed.send_if_modified(|last| {
        let grew = sequence > *last;
        *last = sequence.max(*last);
        grew
    });
}

/// Runs one caller's work behind a savepoint, so that its failure undoes nobody else's.
async fn run_apart(tx: &mut Tx, work: Work) -> Option<(oneshot::Sender<Result<Reply>>, Reply)> {
    let sequence = tx.sequence;
    if let Err(error) = tx.begin_work(work.scope).await {
        let _ = work.reply.send(Err(error));
        return None;
    }
    let result = AssertUnwindSafe((work.run)(tx)).catch_unwind().await.unwrap_or(Err(StoreError::Panicked));
    let result = match result {
        Ok(value) => match entry::settle(tx).await {
            Ok(()) => tx.keep_work().await.map(|()| value),
            Err(error) => Err(error),
        },
        Err(error) => Err(error),
    };
    match result {
        Ok(value) => Some((work.reply, value)),
        Err(error) => {
            tx.sequence = sequence;
            tx.tally = entry::Tally::default();
            if let Err(error) = tx.undo_work().await {
                tracing::error!(%error, "undoing failed work");
            }
            let _ = work.reply.send(Err(error));
            None
        }
    }
}
