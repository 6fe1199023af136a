//! Too much at once: most of what can be done is done, the rest is sent away at once, memory stays, one workspace's flood
//! is no other's, and a server that stops finishes what it began.
//!
//! `RAPPORT_LOAD_SECONDS` (each phase of the overload), `RAPPORT_LOAD_ENTRIES` and `RAPPORT_SOAK_MINUTES` (half load) make them long; `./test soak`
//! does, with an optimised server.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::app::{account, note};
use crate::cli::{Served, program, rapport, text};

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).ok().and_then(|n| n.parse().ok()).unwrap_or(default)
}

/// Mebibytes that a process holds in memory now.
fn memory(served: &Served) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", served.child.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1024.0
}

fn words(n: usize) -> String {
    (0..60).map(|i| format!("w{}", (n * 31 + i * 17) % 997)).collect::<Vec<_>>().join(" ")
}

/// A server with keys of two workspaces, and entries to search in.
async fn busy_server(folder: &Path) -> (Served, [String; 2]) {
    let secret = |workspace: &str| {
        let made = rapport(folder, &["keys", "create", "--role", "admin", "--workspace", workspace]);
        text(&made.stdout).trim().to_owned()
    };
    let keys = [secret("noisy"), secret("quiet")];
    let served = Served::launch(program(folder), folder);
    let many = number("RAPPORT_LOAD_ENTRIES", 2_000) as usize;
    for (key, entries) in keys.iter().zip([many, 500]) {
        for batch in 0..entries / 500 {
            let mut records: Vec<Value> = vec![account("acme", "acme.example")];
            records.extend((0..500).map(|n| note(&format!("n{batch}.{n}"), "acme", "2026-01-01T09:00:00Z", &words(batch * 500 + n))));
            let sent = reqwest::Client::new().post(format!("http://{}/v1/records", served.address)).bearer_auth(key).json(&records).send();
            assert_eq!(sent.await.unwrap().status(), 200);
        }
    }
    let client = reqwest::Client::new();
    for _ in 0..600 {
        let ready: Value = client.get(format!("http://{}/readyz", served.address)).send().await.unwrap().json().await.unwrap();
        if ready["sequence"] == ready["indexed"] {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    (served, keys)
}

/// What came of a flood.
#[derive(Default)]
struct Tally {
    good: AtomicU64,
    shed: AtomicU64,
    other: AtomicU64,
}

/// A connection of the flood: it costs little, as it shares the processors with the server that is measured.
struct Wire {
    stream: TcpStream,
    answer: Vec<u8>,
}

impl Wire {
    async fn connect(base: &str) -> Wire {
        let stream = TcpStream::connect(base.trim_start_matches("http://")).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Wire { stream, answer: Vec::with_capacity(64 * 1024) }
    }

    /// Sends a request and reads the whole answer: its status, and whether it says when to come back.
    async fn ask(&mut self, request: &[u8]) -> std::io::Result<(u16, bool)> {
        self.stream.write_all(request).await?;
        self.answer.clear();
        loop {
            if self.stream.read_buf(&mut self.answer).await? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            let Some(head) = self.answer.windows(4).position(|w| w == b"\r\n\r\n") else { continue };
            let text = std::str::from_utf8(&self.answer[..head]).map_err(std::io::Error::other)?;
            let length = text.lines().find_map(|line| line.strip_prefix("content-length: ")).and_then(|n| n.parse::<usize>().ok()).unwrap_or(0);
            if self.answer.len() < head + 4 + length {
                continue;
            }
            let status = text[9..12].parse().map_err(std::io::Error::other)?;
            return Ok((status, text.contains("\r\nretry-after: ")));
        }
    }
}

/// Four of five requests search with counts, the fifth writes.
fn request(key: &str, n: u64) -> Vec<u8> {
    let common = format!("host: localhost\r\nauthorization: Bearer {key}\r\n");
    if n.is_multiple_of(5) {
        let body = json!([note(&format!("x{}", n % 1_000), "acme", "2026-01-01T09:00:00Z", &words(n as usize))]).to_string();
        format!("POST /v1/records HTTP/1.1\r\n{common}content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes()
    } else {
        let (a, b, c) = (n % 997, n * 7 % 997, n * 13 % 997);
        format!("GET /v1/search?q=w{a}%20OR%20w{b}%20OR%20w{c}&facets=true&limit=20 HTTP/1.1\r\n{common}\r\n").into_bytes()
    }
}

/// Sends so many a second, whatever comes back, or as fast as `clients` can when no rate is given.
async fn flood(base: &str, key: &str, clients: usize, rate: Option<f64>, time: Duration) -> Arc<Tally> {
    let tally = Arc::new(Tally::default());
    let next = Arc::new(AtomicU64::new(0));
    let started = Instant::now();
    let tasks: Vec<_> = (0..clients)
        .map(|_| {
            let (base, key, tally, next) = (base.to_owned(), key.to_owned(), tally.clone(), next.clone());
            tokio::spawn(async move {
                let mut wire = Wire::connect(&base).await;
                while started.elapsed() < time {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if let Some(rate) = rate {
                        let due = Duration::from_secs_f64(n as f64 / rate);
                        tokio::time::sleep(due.saturating_sub(started.elapsed())).await;
                    }
                    let counter = match wire.ask(&request(&key, n)).await {
                        Ok((200, _)) => &tally.good,
                        Ok((429 | 503, true)) => &tally.shed,
                        _ => &tally.other,
                    };
                    counter.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    tally
}

/// How long a question of the quiet workspace takes, asked ten times a second until told to stop; none may fail.
async fn ask_quietly(base: String, key: String, path: &'static str, over: Arc<AtomicBool>) -> Vec<Duration> {
    let client = reqwest::Client::new();
    let mut taken = Vec::new();
    while !over.load(Ordering::Relaxed) {
        let started = Instant::now();
        let response = client.get(format!("{base}{path}")).bearer_auth(&key).send().await.unwrap();
        assert_eq!(response.status(), 200, "the quiet one is always served");
        let _ = response.bytes().await;
        taken.push(started.elapsed());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    taken.sort_unstable();
    taken
}

fn at(taken: &[Duration], share: f64) -> f64 {
    taken[((taken.len() as f64 * share) as usize).min(taken.len() - 1)].as_secs_f64() * 1_000.0
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_four_times_the_load_most_is_done_and_the_rest_sent_away() {
    let seconds = Duration::from_secs(number("RAPPORT_LOAD_SECONDS", 3));
    let folder = tempfile::tempdir().unwrap();
    let (served, [noisy, quiet]) = busy_server(folder.path()).await;
    let base = format!("http://{}", served.address);
    let peak_of = async || {
        let mut peak = 0.0_f64;
        for clients in [8, 16, 32] {
            let tally = flood(&base, &noisy, clients, None, seconds).await;
            peak = peak.max(tally.good.load(Ordering::Relaxed) as f64 / seconds.as_secs_f64());
        }
        peak
    };
    let before = peak_of().await;
    let question = "/v1/search?q=w5&limit=5";
    let over = Arc::new(AtomicBool::new(false));
    let alone = tokio::spawn(ask_quietly(base.clone(), quiet.clone(), question, over.clone()));
    tokio::time::sleep(seconds).await;
    over.store(true, Ordering::Relaxed);
    let alone = alone.await.unwrap();

    let over = Arc::new(AtomicBool::new(false));
    let meanwhile = tokio::spawn(ask_quietly(base.clone(), quiet.clone(), question, over.clone()));
    let alive = tokio::spawn(ask_quietly(base.clone(), quiet.clone(), "/healthz", over.clone()));
    let tally = flood(&base, &noisy, 256, Some(4.0 * before), seconds).await;
    let held = memory(&served);
    over.store(true, Ordering::Relaxed);
    // What else goes on (merges, other machines on the same hardware) moves the peak: it is taken on both sides.
    let after = peak_of().await;
    let peak = f64::midpoint(before, after);
    let (meanwhile, alive) = (meanwhile.await.unwrap(), alive.await.unwrap());
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let (good, shed, other) = (count(&tally.good), count(&tally.shed), count(&tally.other));
    let goodput = good as f64 / seconds.as_secs_f64();
    println!(
        "peak {before:.0}/s before, {after:.0}/s after; at {:.1} times that offered for {} s: {goodput:.0}/s done ({:.2} of peak), {shed} sent away with Retry-After, {other} otherwise; {held:.0} MiB; a quiet workspace p50 {:.0} ms, p99 {:.0} ms (alone {:.0}, {:.0}); /healthz p99 {:.0} ms",
        (good + shed + other) as f64 / seconds.as_secs_f64() / peak,
        seconds.as_secs(),
        goodput / peak,
        at(&meanwhile, 0.5),
        at(&meanwhile, 0.99),
        at(&alone, 0.5),
        at(&alone, 0.99),
        at(&alive, 0.99)
    );
    assert_eq!(other, 0, "nobody is cut off or told of a fault");
    assert!(shed > 0, "it was too much");
    assert!(held < 512.0, "{held} MiB");
    let report: Value = reqwest::Client::new().post(format!("{base}/v1/verify")).bearer_auth(&noisy).send().await.unwrap().json().await.unwrap();
    assert_eq!(report["findings"].as_array().map(Vec::len), Some(0), "{report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_half_load_memory_stays() {
    let time = Duration::from_secs(number("RAPPORT_SOAK_MINUTES", 0) * 60).max(Duration::from_secs(8));
    let folder = tempfile::tempdir().unwrap();
    let (served, [noisy, _]) = busy_server(folder.path()).await;
    let base = format!("http://{}", served.address);
    let warm = flood(&base, &noisy, 16, None, Duration::from_secs(3)).await;
    let half = warm.good.load(Ordering::Relaxed) as f64 / 3.0 / 2.0;
    let load = tokio::spawn({
        let (base, noisy) = (base.clone(), noisy.clone());
        async move { flood(&base, &noisy, 16, Some(half), time).await }
    });
    let descriptors = || std::fs::read_dir(format!("/proc/{}/fd", served.child.id())).unwrap().count();
    let started = Instant::now();
    let mut samples: Vec<(f64, f64)> = Vec::new();
    let mut files = Vec::new();
    while !load.is_finished() {
        tokio::time::sleep(Duration::from_secs(2)).await;
        // What is warming up is no leak.
        if started.elapsed() > time / 6 {
            samples.push((started.elapsed().as_secs_f64() / 60.0, memory(&served)));
            files.push(descriptors());
        }
    }
    let tally = load.await.unwrap();
    assert_eq!(tally.other.load(Ordering::Relaxed), 0);
    let n = samples.len() as f64;
    let (x, y) = (samples.iter().map(|s| s.0).sum::<f64>() / n, samples.iter().map(|s| s.1).sum::<f64>() / n);
    let slope = samples.iter().map(|s| (s.0 - x) * (s.1 - y)).sum::<f64>() / samples.iter().map(|s| (s.0 - x).powi(2)).sum::<f64>();
    println!(
        "{:.1} min at half load ({half:.0}/s): memory {:.0} MiB on average, slope {slope:.2} MiB/min; {} to {} open files",
        time.as_secs_f64() / 60.0,
        y,
        files.iter().min().unwrap(),
        files.iter().max().unwrap()
    );
    assert!(y < 512.0);
    // A slope needs time to show.
    if time >= Duration::from_secs(600) {
        assert!(slope <= 1.0, "{slope} MiB/min");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_stops_finishes_what_it_began_within_ten_seconds() {
    for round in 0..number("RAPPORT_STOPS", 4) {
        let folder = tempfile::tempdir().unwrap();
        let mut served = Served::launch(program(folder.path()), folder.path());
        let base = format!("http://{}", served.address);
        let (acknowledged, refused) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let tasks: Vec<_> = (0..16_u64)
            .map(|writer| {
                let (base, acknowledged, refused) = (base.clone(), acknowledged.clone(), refused.clone());
                tokio::spawn(async move {
                    // A connection for each request: one that is taken is answered.
                    let client = reqwest::Client::builder().pool_max_idle_per_host(0).build().unwrap();
                    for n in 0.. {
                        let record = json!([note(&format!("{writer}.{n}"), "acme", "2026-01-01T09:00:00Z", "words")]);
                        match client.post(format!("{base}/v1/records")).json(&record).send().await {
                            Ok(response) => {
                                assert_eq!(response.status(), 200);
                                response.json::<Value>().await.expect("the whole answer");
                                acknowledged.fetch_add(1, Ordering::Relaxed);
                            }
                            Err(error) => {
                                assert!(error.is_connect(), "cut off: {error:?}");
                                refused.store(true, Ordering::Relaxed);
                                return;
                            }
                        }
                    }
                })
            })
            .collect();
        tokio::time::sleep(Duration::from_millis(300 + round * 37 % 400)).await;
        let stopped = Instant::now();
        assert!(Command::new("kill").args(["-TERM", &served.child.id().to_string()]).status().unwrap().success());
        for task in tasks {
            task.await.unwrap();
        }
        assert!(served.child.wait().unwrap().success());
        assert!(stopped.elapsed() < Duration::from_secs(10), "{:?}", stopped.elapsed());
        assert!(refused.load(Ordering::Relaxed));
        let found = rapport(folder.path(), &["verify", "--json"]);
        let report: Value = serde_json::from_str(&text(&found.stdout)).unwrap();
        assert_eq!(report["entries"].as_u64(), Some(acknowledged.load(Ordering::Relaxed)), "{report}");
    }
}

#[tokio::test]
async fn those_who_dawdle_and_those_who_only_connect_hold_nobody_up() {
    let folder = tempfile::tempdir().unwrap();
    let served = Served::launch(program(folder.path()), folder.path());
    // More connections than there are places: the last are told to come back, and others are served again when they go.
    let mut idle = Vec::new();
    let mut turned_away = 0;
    for _ in 0..1_100 {
        let mut stream = TcpStream::connect(&served.address).await.unwrap();
        stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nx-slow: ").await.ok();
        idle.push(stream);
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    for stream in &mut idle {
        let mut answer = vec![0; 64];
        if let Ok(Ok(length)) = tokio::time::timeout(Duration::from_millis(2), stream.read(&mut answer)).await {
            turned_away += u64::from(answer[..length].starts_with(b"HTTP/1.1 503") || length == 0);
        }
    }
    assert!(turned_away >= 70, "{turned_away}");
    drop(idle);
    let mut served_again = false;
    for _ in 0..100 {
        served_again = reqwest::get(format!("http://{}/healthz", served.address)).await.is_ok_and(|r| r.status() == 200);
        if served_again {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(served_again);
    // A head that never ends is given up.
    let mut slow = TcpStream::connect(&served.address).await.unwrap();
    let started = Instant::now();
    let mut rest = Vec::new();
    slow.write_all(b"GET /healthz HTTP/1.1\r\n").await.unwrap();
    tokio::time::timeout(Duration::from_secs(25), slow.read_to_end(&mut rest)).await.expect("it is closed").ok();
    assert!(started.elapsed() < Duration::from_secs(25));
}
