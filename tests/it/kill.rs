//! `kill -9` at random moments with writers in flight: what was acknowledged is there, once, and found.
//!
//! `RAPPORT_KILL_CYCLES` says how often; `./test kill` does it 40 times.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use rapport::domain::Clock;
use rapport::pipeline::Service;
use rapport::pipeline::verify::verify;
use rapport::store::{Scope, entry};
use serde_json::{Value, json};

use crate::app::config;
use crate::cli::Served;

const WRITERS: u64 = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_or_doubled() {
    let cycles: u64 = std::env::var("RAPPORT_KILL_CYCLES").ok().and_then(|n| n.parse().ok()).unwrap_or(4);
    let directory = tempfile::tempdir().unwrap();
    let acknowledged: Arc<std::sync::Mutex<HashMap<String, i64>>> = Arc::default();
    let counter = Arc::new(AtomicU64::new(0));
    let unanswered: Arc<std::sync::Mutex<Vec<u64>>> = Arc::default();
    let mut in_flight_cycles = 0;
    for cycle in 0..cycles {
        let served = Served::start(directory.path());
        let killed = Arc::new(AtomicBool::new(false));
        // Every fourth kill meets a server at rest; the others four writers in flight.
        let writers = if cycle % 4 == 3 { 0 } else { WRITERS };
        in_flight_cycles += u64::from(writers > 0);
        let mut tasks = Vec::new();
        for _ in 0..writers {
            let (base, acknowledged, counter, killed) = (format!("http://{}", served.address), acknowledged.clone(), counter.clone(), killed.clone());
            let unanswered = unanswered.clone();
            tasks.push(tokio::spawn(async move {
                let client = reqwest::Client::new();
                while !killed.load(Ordering::Relaxed) {
                    // What was not answered is sent again with its key: it may have been done.
                    let again = unanswered.lock().unwrap().pop();
                    let n = again.unwrap_or_else(|| counter.fetch_add(1, Ordering::Relaxed));
                    let record = json!([{ "kind": "entry", "id": format!("e{n}"), "account_id": format!("a{}", n % 7), "type": "note", "occurred_at": "2026-01-01T00:00:00Z", "body": format!("word{n} said") }]);
                    let request = client.post(format!("{base}/v1/records")).header("idempotency-key", format!("key{n}")).json(&record);
                    let answer = async { request.send().await?.json::<Value>().await }.await;
                    let Ok(body) = answer else {
                        unanswered.lock().unwrap().push(n);
                        continue;
                    };
                    let item = &body["items"][0];
                    // Done before or not, the answer is that of the first time.
                    assert_eq!(item["status"], "added", "{body}");
                    acknowledged.lock().unwrap().insert(format!("e{n}"), item["sequence"].as_i64().unwrap());
                }
            }));
        }
        // Spread over the moments of a commit, a merge, a refresh: 50 to 950 ms.
        tokio::time::sleep(Duration::from_millis(50 + (cycle * 397) % 900)).await;
        drop(served);
        killed.store(true, Ordering::Relaxed);
        for task in tasks {
            task.await.unwrap();
        }
    }

    let service = Service::open(directory.path(), config(directory.path()).await, Clock::system()).await.unwrap();
    let stop = tokio_util::sync::CancellationToken::new();
    let follower = service.index.follow(service.store.clone(), stop.clone()).unwrap();
    let last = *service.store.committed().borrow();
    assert_eq!(service.index.wait_for(last, Duration::from_secs(30)).await, last);
    let mut tx = service.store.read(Scope::All).await.unwrap();
    let workspace = rapport::store::workspace::find(&mut tx, "local").await.unwrap().unwrap();
    let acknowledged = acknowledged.lock().unwrap().clone();
    assert!(acknowledged.len() as u64 > in_flight_cycles, "the writers wrote: {}", acknowledged.len());
    for (id, sequence) in &acknowledged {
        let stored = entry::find(workspace, &mut tx, id).await.unwrap();
        assert_eq!(stored.map(|s| s.number), Some(*sequence), "{id} was acknowledged");
    }
    let report = verify(&service, workspace, false).await.unwrap();
    assert!(report.findings.is_empty(), "the index holds exactly what the store holds, each once: {report:?}");
    stop.cancel();
    follower.join().unwrap();
    println!(
        "{cycles} kills, {in_flight_cycles} with {WRITERS} writers in flight: {} acknowledged, 0 lost, 0 double, index = store",
        acknowledged.len()
    );
}
