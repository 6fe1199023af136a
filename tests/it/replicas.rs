//! Several servers on one PostgreSQL: each effect once, jobs taken over from the dead, every index complete.
//!
//! `RAPPORT_REPLICA_SECONDS` says how long they are killed in turn; `./test soak` does it for a minute.

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rapport::domain::Clock;
use rapport::store::job::{self, Line, When};
use rapport::store::{Location, Open, Scope, Store, entry, summary, workspace};
use serde_json::{Value, json};
use sqlx::{Connection, Executor, PgConnection, Row};
use tempfile::TempDir;

use crate::cli::Served;
use crate::database;

const NEEDS: &str = "needs RAPPORT_TEST_POSTGRES, a server to make databases on: ./test starts one";

/// A database of its own, and a folder that names it.
async fn shared() -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let url = database::url(folder.path()).await.expect(NEEDS);
    (folder, url)
}

async fn store(url: &str) -> Store {
    Store::open(&Location::Postgres(url.to_owned()), Open::Write).await.unwrap()
}

async fn wait_ready(base: &str) {
    let started = Instant::now();
    loop {
        if let Ok(response) = reqwest::get(format!("{base}/readyz")).await
            && response.status().is_success()
        {
            let body: Value = response.json().await.unwrap();
            if body["sequence"] == body["indexed"] {
                return;
            }
        }
        assert!(started.elapsed() < Duration::from_secs(30), "{base} is not ready");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: ./test starts one"]
async fn two_servers_killed_in_turn_lose_nothing_and_double_nothing() {
    let seconds: u64 = std::env::var("RAPPORT_REPLICA_SECONDS").ok().and_then(|n| n.parse().ok()).unwrap_or(8);
    let (folder, _url) = shared().await;
    let start = |name: &str| Served::start_on(folder.path(), &folder.path().join(name));
    let servers = Arc::new(Mutex::new([start("a"), start("b")]));
    let bases: Arc<Mutex<[String; 2]>> = Arc::new(Mutex::new(servers.lock().unwrap().each_ref().map(|s| format!("http://{}", s.address))));
    let over = Arc::new(AtomicBool::new(false));
    let acknowledged: Arc<Mutex<HashMap<String, i64>>> = Arc::default();
    let counter = Arc::new(AtomicU64::new(0));
    let mut writers = Vec::new();
    for writer in 0..4_usize {
        let (bases, over, acknowledged, counter) = (bases.clone(), over.clone(), acknowledged.clone(), counter.clone());
        writers.push(tokio::spawn(async move {
            let client = reqwest::Client::builder().timeout(Duration::from_secs(10)).build().unwrap();
            let mut at = writer;
            while !over.load(Ordering::Relaxed) {
                let n = counter.fetch_add(1, Ordering::Relaxed);
                let id = format!("e{n}");
                let mut records = vec![json!({ "kind": "entry", "id": id, "account_id": format!("a{}", n % 5), "type": "note", "occurred_at": "2026-01-01T00:00:00Z", "body": format!("word{n} said") })];
                if n % 10 == 0 {
                    records.push(json!({ "kind": "account", "id": format!("a{}", n % 5), "name": format!("Account {n}") }));
                }
                // Sent again, to the other server, until somebody answers: with its key it has one effect.
                loop {
                    at += 1;
                    let base = bases.lock().unwrap()[at % 2].clone();
                    let request = client.post(format!("{base}/v1/records")).header("idempotency-key", &id).json(&records);
                    let answer = async { request.send().await?.json::<Value>().await }.await;
                    if let Ok(body) = answer
                        && let Some(item) = body["items"].get(0)
                    {
                        assert_eq!(item["status"], "added", "{body}");
                        acknowledged.lock().unwrap().insert(id, item["sequence"].as_i64().unwrap());
                        break;
                    }
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
        }));
    }
    let started = Instant::now();
    let mut kills = 0;
    while started.elapsed() < Duration::from_secs(seconds) {
        tokio::time::sleep(Duration::from_secs(2)).await;
        let (which, name) = if kills % 2 == 0 { (0, "a") } else { (1, "b") };
        let (servers, bases, folder) = (servers.clone(), bases.clone(), folder.path().to_owned());
        let name = name.to_owned();
        tokio::task::spawn_blocking(move || {
            let mut all = servers.lock().unwrap();
            let _ = all[which].child.kill();
            let _ = all[which].child.wait();
            all[which] = Served::start_on(&folder, &folder.join(name));
            bases.lock().unwrap()[which] = format!("http://{}", all[which].address);
        })
        .await
        .unwrap();
        kills += 1;
    }
    over.store(true, Ordering::Relaxed);
    for writer in writers {
        writer.await.unwrap();
    }
    let bases = bases.lock().unwrap().clone();
    for base in &bases {
        wait_ready(base).await;
    }
    // Jobs that the dead held are taken over and done.
    let client = reqwest::Client::new();
    let since = Instant::now();
    loop {
        let jobs: Value = client.get(format!("{}/v1/jobs", bases[0])).send().await.unwrap().json().await.unwrap();
        if jobs["total"] == 0 {
            break;
        }
        assert!(since.elapsed() < Duration::from_secs(30), "{jobs}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let store = store(&database::url(folder.path()).await.unwrap()).await;
    let mut tx = store.read(Scope::All).await.unwrap();
    let workspace = workspace::find(&mut tx, "local").await.unwrap().unwrap();
    let ids: HashMap<String, i64> = entry::ids(workspace, &mut tx).await.unwrap().into_iter().map(|(number, id)| (id, number)).collect();
    let acknowledged = acknowledged.lock().unwrap().clone();
    assert_eq!(ids, acknowledged, "what was acknowledged is there, once, with the number that was told");
    for account in 0..5 {
        let versions = summary::versions(workspace, &mut tx, &format!("a{account}"), None, 10_000).await.unwrap().0;
        let hashes: Vec<_> = versions.iter().map(|v| v.input_hash.clone()).collect();
        assert!(hashes.windows(2).all(|pair| pair[0] != pair[1]), "no refresh was done twice");
    }
    drop(tx);
    for base in &bases {
        wait_ready(base).await;
        let report: Value = client.post(format!("{base}/v1/verify")).send().await.unwrap().json().await.unwrap();
        assert_eq!(report["findings"].as_array().map(Vec::len), Some(0), "{report}");
        assert_eq!(report["indexed"].as_u64(), Some(acknowledged.len() as u64));
    }
    println!(
        "{kills} kills in {seconds} s, two servers on one PostgreSQL: {} acknowledged, 0 lost, 0 double, both indexes = store",
        acknowledged.len()
    );
}

#[tokio::test]
#[ignore = "needs PostgreSQL: ./test starts one"]
async fn a_job_of_a_dead_process_is_taken_over_within_ten_seconds() {
    let (folder, url) = shared().await;
    let served = Served::start_on(folder.path(), &folder.path().join("a"));
    let store = store(&url).await;
    let clock = store.clock(Clock::system());
    let now = clock.now();
    let mut tx = store.read(Scope::All).await.unwrap();
    let workspace = workspace::find(&mut tx, "local").await.unwrap().unwrap();
    drop(tx);
    // Claimed in the transaction that queues it, by a worker that is never heard of again.
    let claimed = store.write(Scope::All, move |tx| {
        Box::pin(async move {
            job::enqueue(workspace, tx, "refresh", "acme", r#"{"cause":{"trigger":"manual"},"force":false}"#, When::NOW, now).await?;
            job::claim(tx, Line::Jobs, now, now).await
        })
    });
    let claimed = claimed.await.unwrap().expect("it was queued");
    let since = Instant::now();
    loop {
        let mut tx = store.read(workspace).await.unwrap();
        if job::list(workspace, &mut tx, None, 0, 10).await.unwrap().is_empty() {
            break;
        }
        assert!(since.elapsed() < Duration::from_secs(11), "nobody took it over");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    println!("taken over and done {:.1} s after its worker was last heard of", since.elapsed().as_secs_f64());
    assert!(since.elapsed() > Duration::from_secs(5), "its worker had time");
    // Should the dead wake up: it has lost the job, and with it the effect.
    let late = store.write::<(), _>(Scope::All, move |tx| Box::pin(async move { job::finish(tx, claimed.held).await })).await;
    assert!(matches!(late, Err(rapport::store::StoreError::TakenOver)), "{late:?}");
    drop(served);
}

#[tokio::test]
#[ignore = "needs PostgreSQL: ./test starts one"]
async fn a_transaction_that_commits_late_is_not_skipped() {
    let (folder, url) = shared().await;
    let served = Served::start_on(folder.path(), &folder.path().join("a"));
    let base = format!("http://{}", served.address);
    let client = reqwest::Client::new();
    let send = |id: &'static str| {
        let note = json!([{ "kind": "entry", "id": id, "account_id": "acme", "type": "note", "occurred_at": "2026-01-01T00:00:00Z", "body": format!("{id} words") }]);
        client.post(format!("{base}/v1/records")).json(&note).send()
    };
    assert!(send("before").await.unwrap().status().is_success());
    // Another process has written and not committed yet.
    let mut late = PgConnection::connect(&url).await.unwrap();
    let begin = "BEGIN; SET LOCAL rapport.workspace = '*'; SELECT pg_advisory_xact_lock(7360);
        INSERT INTO entry SELECT (SELECT max(sequence) + 1 FROM change), workspace_id, 'late', account_id, rule, type, occurred_at, subject, 'late words', replace(details, 'before', 'late'), spans, flags, internal, communication, thread_id, deal_id, origin, unmatched_domain, updated_at, received_at, 'x', (SELECT max(sequence) + 1 FROM change) FROM entry WHERE id = 'before';
        INSERT INTO change (workspace_id, what, id, number, account_id, action, at) SELECT workspace_id, what, 'late', NULL, account_id, 'added', at FROM change WHERE id = 'before'";
    late.execute(sqlx::raw_sql(begin)).await.unwrap();
    let (after, ()) = tokio::join!(send("after"), async {
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        late.execute(sqlx::raw_sql("COMMIT")).await.unwrap();
    });
    assert!(after.unwrap().status().is_success(), "whoever comes second waits");
    wait_ready(&base).await;
    for id in ["before", "late", "after"] {
        let found: Value = client.get(format!("{base}/v1/search?q={id}")).send().await.unwrap().json().await.unwrap();
        assert_eq!(found["hits"][0]["id"], id, "{found}");
    }
}

#[tokio::test]
#[ignore = "needs PostgreSQL: ./test starts one"]
async fn postgresql_itself_keeps_workspaces_apart() {
    let (folder, url) = shared().await;
    let served = Served::start_on(folder.path(), &folder.path().join("a"));
    let note = json!([{ "kind": "entry", "id": "n1", "account_id": "acme", "type": "note", "occurred_at": "2026-01-01T00:00:00Z", "body": "words" }]);
    let sent = reqwest::Client::new().post(format!("http://{}/v1/records", served.address)).json(&note).send().await.unwrap();
    assert!(sent.status().is_success());
    let mut connection = PgConnection::connect(&url).await.unwrap();
    let tables: Vec<String> =
        sqlx::query("SELECT table_name FROM information_schema.columns WHERE table_schema = 'public' AND column_name = 'workspace_id'")
            .fetch_all(&mut connection)
            .await
            .unwrap()
            .iter()
            .map(|row| row.get(0))
            .collect();
    assert!(tables.len() > 20, "{tables:?}");
    let count = async |setting: &str, connection: &mut PgConnection| {
        let mut rows = 0_i64;
        for table in &tables {
            let mut tx = connection.begin().await.unwrap();
            if !setting.is_empty() {
                let set = format!("SET LOCAL rapport.workspace = '{setting}'");
                tx.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(set))).await.unwrap();
            }
            let (found,): (i64,) = sqlx::query_as(sqlx::AssertSqlSafe(format!("SELECT count(*) FROM {table}"))).fetch_one(&mut *tx).await.unwrap();
            rows += found;
        }
        rows
    };
    assert_eq!(count("", &mut connection).await, 0, "without a workspace there is nothing");
    assert_eq!(count("2", &mut connection).await, 0, "nothing of another's");
    assert!(count("1", &mut connection).await > 5);
    // Nor can a row be slipped into another's.
    let mut tx = connection.begin().await.unwrap();
    tx.execute(sqlx::raw_sql("SET LOCAL rapport.workspace = '2'")).await.unwrap();
    let slipped = sqlx::query("INSERT INTO us_domain (workspace_id, domain, source) VALUES (1, 'evil.example', 'x')").execute(&mut *tx).await;
    assert!(slipped.unwrap_err().to_string().contains("row-level security"));
}

#[tokio::test]
#[ignore = "needs PostgreSQL: ./test starts one"]
async fn clocks_that_differ_agree_on_the_databases() {
    let (_folder, url) = shared().await;
    let store = store(&url).await;
    let mut connection = PgConnection::connect(&url).await.unwrap();
    let (there,): (i64,) =
        sqlx::query_as("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint").fetch_one(&mut connection).await.unwrap();
    let here = store.clock(Clock::system()).now();
    let apart = here.duration_since(Timestamp::from_microsecond(there).unwrap()).abs();
    assert!(apart < jiff::SignedDuration::from_millis(500), "{apart}");
}

/// A server of `data` on the database that belongs to `database`.
impl Served {
    fn start_on(database: &Path, data: &Path) -> Served {
        Served::launch(crate::cli::program(database), data)
    }
}
