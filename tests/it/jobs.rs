//! Jobs and transactions: once per key, leased, tried again, dead at last; and one caller's failure undoes nobody else's work.

use jiff::{SignedDuration, Timestamp};
use rapport::domain::WorkspaceId;
use rapport::pipeline;
use rapport::store::job::{self, LEASE, Line, MAX_ATTEMPTS, When};
use rapport::store::{Open, Scope, Store, StoreError, workspace};

use crate::app::config;

async fn store() -> (tempfile::TempDir, Store, WorkspaceId) {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(&pipeline::location(directory.path(), &config(directory.path()).await), Open::Write).await.unwrap();
    let workspace = store.write(Scope::All, |tx| Box::pin(async move { workspace::open(tx, "local", at(0)).await })).await.unwrap();
    (directory, store, workspace)
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_770_000_000 + seconds).unwrap()
}

async fn enqueue(store: &Store, workspace: WorkspaceId, key: &'static str, payload: &'static str, when: When, now: Timestamp) -> i64 {
    store.write(Scope::All, move |tx| Box::pin(async move { job::enqueue(workspace, tx, "refresh", key, payload, when, now).await })).await.unwrap()
}

async fn claim(store: &Store, now: Timestamp) -> Option<job::Claimed> {
    store.write(Scope::All, move |tx| Box::pin(async move { job::claim(tx, Line::Jobs, now, now).await })).await.unwrap()
}

async fn states(store: &Store, workspace: WorkspaceId) -> Vec<(String, i64)> {
    let mut tx = store.read(workspace).await.unwrap();
    job::list(workspace, &mut tx, None, 0, 100).await.unwrap().into_iter().map(|j| (j.state, j.attempts)).collect()
}

#[tokio::test]
async fn waiting_jobs_of_one_key_are_one_and_wait_for_quiet_but_not_for_ever() {
    let (_directory, store, workspace) = store().await;
    let when = When { quiet: SignedDuration::from_secs(2), at_most: SignedDuration::from_secs(5) };
    let first = enqueue(&store, workspace, "acme", "1", when, at(0)).await;
    for second in 1..=4 {
        assert_eq!(enqueue(&store, workspace, "acme", "2", when, at(second)).await, first);
        assert!(claim(&store, at(second)).await.is_none(), "not quiet yet");
    }
    let claimed = claim(&store, at(5)).await.expect("due at the latest after five seconds");
    assert_eq!((claimed.held.job_id, claimed.payload.as_str(), claimed.attempts), (first, "2", 1));
    assert_ne!(enqueue(&store, workspace, "acme", "3", when, at(5)).await, first, "what comes while it runs is done afterwards");
}

#[tokio::test]
async fn a_job_whose_worker_died_is_taken_over_and_one_that_kills_workers_ends() {
    let (_directory, store, workspace) = store().await;
    enqueue(&store, workspace, "acme", "{}", When::NOW, at(0)).await;
    let mut now = at(0);
    for attempt in 1..=MAX_ATTEMPTS {
        let claimed = claim(&store, now).await.expect("taken over");
        assert_eq!(claimed.attempts, attempt);
        assert!(claim(&store, now + LEASE - SignedDuration::from_secs(1)).await.is_none(), "its worker still has time");
        now = now + LEASE + SignedDuration::from_secs(1);
    }
    assert!(claim(&store, now).await.is_none());
    assert_eq!(states(&store, workspace).await, [("dead".to_owned(), MAX_ATTEMPTS)]);
}

#[tokio::test]
async fn one_callers_failure_undoes_its_own_work_only() {
    let (_directory, store, workspace) = store().await;
    let good = enqueue(&store, workspace, "good", "{}", When::NOW, at(0));
    let bad = store.write::<(), _>(workspace, move |tx| {
        Box::pin(async move {
            job::enqueue(workspace, tx, "refresh", "bad", "{}", When::NOW, at(0)).await?;
            Err(StoreError::Refused("changed my mind".to_owned()))
        })
    });
    let panicking = store.write::<(), _>(workspace, move |tx| {
        Box::pin(async move {
            job::enqueue(workspace, tx, "refresh", "panicking", "{}", When::NOW, at(0)).await?;
            panic!("on purpose")
        })
    });
    let also_good = enqueue(&store, workspace, "also good", "{}", When::NOW, at(0));
    let (_, bad, panicking, _) = tokio::join!(good, bad, panicking, also_good);
    assert_eq!(bad.unwrap_err().to_string(), "changed my mind");
    assert!(matches!(panicking, Err(StoreError::Panicked)));
    let mut tx = store.read(workspace).await.unwrap();
    let keys: Vec<String> = job::list(workspace, &mut tx, None, 0, 100).await.unwrap().into_iter().map(|j| j.key).collect();
    assert_eq!(keys, ["good", "also good"]);
}

#[tokio::test]
async fn a_clock_that_is_set_back_holds_nothing_up() {
    let (_directory, store, workspace) = store().await;
    enqueue(&store, workspace, "acme", "{}", When::NOW, at(3_600)).await;
    assert!(claim(&store, at(0)).await.is_none(), "queued an hour ahead of what the clock says now");
    store.write(Scope::All, |tx| Box::pin(async move { job::put_back(tx, at(0)).await })).await.unwrap();
    assert!(claim(&store, at(0)).await.is_some(), "the next start does not wait for the hour");
}
