//! `rapport bench`: the main job measured end to end in a directory of its own: import, search while idle and while
//! writing, freshness, restart, reindex. Every figure is printed with what it was measured on.

mod reader;
mod search;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use clap::{Args, Subcommand};
use metrics_exporter_prometheus::PrometheusBuilder;
use rapport::config::Config;
use rapport::domain::{Clock, WorkspaceId};
use rapport::pipeline::{Service, keys};
use rapport::serve::Serving;
use rapport::store::{Scope, entry, workspace};
use reqwest::Client;
use serde::Deserialize;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::Outcome;
use super::import::{Intake, files, local, us_domains};
use super::progress::{Progress, peak_memory_mb};
use super::show::number;

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
#[command(after_help = "Examples:
  rapport bench mail.mbox.gz --us ourco.com
  rapport bench search mail.mbox.gz --us ourco.com --entries 3000000
  rapport bench reader --rival 'python3 models/reader/rival.py --original all-MiniLM-L6-v2'")]
pub struct Options {
    #[command(subcommand)]
    what: Option<What>,
    /// Mail or records to measure with, as for import
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// A domain of ours; may be given several times
    #[arg(long, value_name = "DOMAIN")]
    us: Vec<String>,
}

#[derive(Debug, Subcommand)]
enum What {
    /// How fast the local model reads
    Reader {
        /// A command that is asked for vectors of the same sentences (models/reader/rival.py)
        #[arg(long, value_name = "COMMAND")]
        rival: Option<String>,
    },
    /// How fast the search engine answers, beside others, on many entries
    Search(search::Options),
}

/// Searches of each kind.
const SEARCHES: usize = 400;
/// Entries written per second while searching is measured.
const WRITES_PER_SECOND: u64 = 500;

pub async fn run(options: Options, config: Config) -> Outcome {
    match options.what {
        Some(What::Reader { rival }) => return reader::run(rival).await,
        // What is measured is made for it, wherever the others are.
        Some(What::Search(asked)) => return search::run(asked, Config { database: None, ..config }).await,
        None => {}
    }
    let us = us_domains(&options.us)?;
    // What is measured is made for it, wherever the others are.
    let config = Config { database: None, ..config };
    let data = std::env::temp_dir().join(format!("rapport-bench-{}", std::process::id()));
    let measured = measure(&data, &options.paths, us, config).await;
    let _ = std::fs::remove_dir_all(&data);
    Ok(measured?)
}

/// A data directory with one workspace.
pub async fn open(data: &Path, config: &Config) -> anyhow::Result<(Service, WorkspaceId)> {
    let service = Service::open(data, config.clone(), Clock::system()).await?;
    let now = service.clock.now();
    let workspace = service.store.write(Scope::All, move |tx| Box::pin(async move { workspace::open(tx, "local", now).await })).await?;
    Ok((service, workspace))
}

async fn measure(data: &Path, paths: &[PathBuf], us: Vec<String>, config: Config) -> anyhow::Result<()> {
    let found = files(paths)?;
    let intake = |us: Vec<String>| Intake::of(found.clone(), us);
    let (service, workspace) = open(data, &config).await?;
    let started = Instant::now();
    let first = local(&service, workspace, intake(us), &Progress::new(0)).await?;
    let first_took = started.elapsed();
    service.store.close().await;
    drop(service);
    row("import until searchable", &format!("{} items, {} rejected", number(first.items()), first.rejected), per_second(first.items(), first_took));
    let (service, workspace) = open(data, &config).await?;
    let started = Instant::now();
    let again = local(&service, workspace, intake(Vec::new()), &Progress::new(0)).await?;
    let again_took = started.elapsed();
    service.store.close().await;
    drop(service);
    let faster = first_took.as_secs_f64() / again_took.as_secs_f64();
    row("import again", &format!("{} added, {faster:.0} times as fast", again.added), per_second(again.items(), again_took));
    row("peak memory", "of this process", format!("{} MB", peak_memory_mb()));

    let started = Instant::now();
    let served = Served::start(data, &config).await?;
    let client = Client::new();
    client.get(format!("{}/readyz", served.base)).send().await?.error_for_status()?;
    row("restart to ready", "", format!("{:.0} ms", millis(started.elapsed())));

    let bodies = bodies(&served.service, served.workspace).await?;
    let queries = queries(&bodies);
    row("searches over", "", format!("{} entries", number(bodies.len() as u64)));
    for (kind, queries) in &queries {
        let taken = search_all(&client, &served.base, queries).await?;
        row("search over HTTP", kind, spread(&taken));
    }
    let scans = queries[0].1.iter().take(20).map(|query| {
        let started = Instant::now();
        let word = query.trim_start_matches("q=");
        std::hint::black_box(bodies.iter().filter(|body| body.contains(word)).count());
        started.elapsed()
    });
    row("baseline: read every text", "one word, in memory, no HTTP", spread(&sorted(scans.collect())));

    let stop = CancellationToken::new();
    let writer = tokio::spawn(write(client.clone(), served.base.clone(), stop.clone()));
    tokio::time::sleep(Duration::from_secs(1)).await;
    for (kind, queries) in &queries {
        let taken = search_all(&client, &served.base, queries).await?;
        row(&format!("search, {WRITES_PER_SECOND} writes/s"), kind, spread(&taken));
    }
    tokio::time::sleep(Duration::from_secs(5)).await;
    stop.cancel();
    let (written, fresh) = writer.await??;
    row("acknowledged to searchable", &format!("{} writes", number(written)), spread(&sorted(fresh)));

    let started = Instant::now();
    let entries = served.service.index.rebuild(served.workspace).await?;
    row("reindex", &format!("{} entries", number(entries)), format!("{:.1} s", started.elapsed().as_secs_f64()));
    row("on disk", "database, index", format!("{} MB, {} MB", size(&data.join("rapport.db"))?, size(&rapport::index::write::home(data))?));
    served.stop().await
}

#[expect(clippy::needless_pass_by_value, reason = "figures are made for this one line")]
fn row(what: &str, about: &str, figure: String) {
    println!("{what:<28} {about:<34} {figure}");
}

fn millis(taken: Duration) -> f64 {
    taken.as_secs_f64() * 1_000.0
}

fn per_second(items: u64, taken: Duration) -> String {
    format!("{:.0}/s ({:.1} s)", items as f64 / taken.as_secs_f64(), taken.as_secs_f64())
}

fn sorted(mut taken: Vec<Duration>) -> Vec<Duration> {
    taken.sort_unstable();
    taken
}

/// Of times in order.
fn spread(taken: &[Duration]) -> String {
    let at = |share: f64| taken.get(((taken.len() as f64 * share) as usize).min(taken.len().saturating_sub(1))).copied().unwrap_or_default();
    format!("p50 {:.2} ms, p99 {:.2} ms", millis(at(0.5)), millis(at(0.99)))
}

fn size(path: &Path) -> anyhow::Result<u64> {
    let bytes = files(&[path.to_owned()])?.iter().map(|file| file.size).sum::<u64>();
    Ok(bytes / 1_000_000)
}

struct Served {
    base: String,
    workspace: WorkspaceId,
    service: Service,
    stop: CancellationToken,
    task: JoinHandle<std::io::Result<()>>,
}

impl Served {
    async fn start(data: &Path, config: &Config) -> anyhow::Result<Served> {
        let (service, workspace) = open(data, config).await?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let base = format!("http://{}", listener.local_addr()?);
        let stop = CancellationToken::new();
        let metrics = PrometheusBuilder::new().build_recorder().handle();
        let task = tokio::spawn(rapport::serve::run(Serving {
            listener,
            service: service.clone(),
            workspace,
            metrics,
            pass: keys::pass()?,
            stop: stop.clone(),
        }));
        Ok(Served { base, workspace, service, stop, task })
    }

    async fn stop(self) -> anyhow::Result<()> {
        self.stop.cancel();
        Ok(self.task.await??)
    }
}

/// All texts in lower case.
async fn bodies(service: &Service, workspace: WorkspaceId) -> anyhow::Result<Vec<String>> {
    let mut tx = service.store.read(workspace).await?;
    let (mut bodies, mut after) = (Vec::new(), 0);
    loop {
        let page = entry::after_number(workspace, &mut tx, after, 1_000).await?;
        let Some(last) = page.last() else { return Ok(bodies) };
        after = last.number;
        bodies.extend(page.into_iter().map(|stored| stored.entry.body.to_lowercase()));
    }
}

/// Searches of each kind, their words drawn evenly from the texts.
fn queries(bodies: &[String]) -> Vec<(&'static str, Vec<String>)> {
    let step = (bodies.len() / SEARCHES).max(1);
    let sampled: Vec<Vec<&str>> = bodies
        .iter()
        .step_by(step)
        .map(|body| body.split(|c: char| !c.is_ascii_alphabetic()).filter(|word| (4..=14).contains(&word.len())).take(60).collect())
        .filter(|words: &Vec<&str>| words.len() >= 8)
        .take(SEARCHES)
        .collect();
    let of = |query: fn(&[&str], usize) -> String| sampled.iter().enumerate().map(|(i, words)| query(words, i % (words.len() - 2))).collect();
    vec![
        ("one word, best 20", of(|words, i| format!("q={}", words[i]))),
        ("two words", of(|words, i| format!("q={}%20{}", words[i], words[i + 1]))),
        ("phrase", of(|words, i| format!("q=%22{}%20{}%22", words[i], words[i + 1]))),
        ("prefix", of(|words, i| format!("q={}*", &words[i][..4]))),
        ("one word, newest 20, counts", of(|words, i| format!("q={}&sort=newest&facets=true", words[i]))),
    ]
}

async fn search_all(client: &Client, base: &str, queries: &[String]) -> anyhow::Result<Vec<Duration>> {
    let mut taken = Vec::with_capacity(queries.len());
    for query in queries {
        let started = Instant::now();
        let response = client.get(format!("{base}/v1/search?{query}")).send().await?;
        let status = response.status();
        response.bytes().await?;
        taken.push(started.elapsed());
        if !status.is_success() {
            return Err(anyhow!("searching for {query} was answered with {status}"));
        }
    }
    Ok(sorted(taken))
}

#[derive(Deserialize)]
struct Outcomes {
    items: Vec<Sequenced>,
}

#[derive(Deserialize)]
struct Sequenced {
    sequence: Option<i64>,
}

/// Writes entries at a steady rate; measures how long each tenth request took from its answer to being searchable.
async fn write(client: Client, base: String, stop: CancellationToken) -> anyhow::Result<(u64, Vec<Duration>)> {
    const BATCH: u64 = 25;
    let mut tick = tokio::time::interval(Duration::from_micros(1_000_000 * BATCH / WRITES_PER_SECOND));
    let mut waiting: Vec<JoinHandle<anyhow::Result<Duration>>> = Vec::new();
    let mut written = 0;
    while !stop.is_cancelled() {
        tick.tick().await;
        let records: Vec<_> = (written..written + BATCH)
            .map(|n| {
                json!({ "kind": "entry", "id": format!("bench-{n}"), "account_id": format!("bench-{}", n % 50), "type": "note",
                "occurred_at": "2026-01-01T09:00:00Z", "subject": "Measured", "body": format!("measuring entry {n} while others search for words") })
            })
            .collect();
        let answer: Outcomes = client.post(format!("{base}/v1/records")).json(&records).send().await?.json().await?;
        written += BATCH;
        let sequence = answer.items.last().and_then(|item| item.sequence).context("a write was not taken")?;
        if written % (BATCH * 10) == 0 {
            let (client, base, started) = (client.clone(), base.clone(), Instant::now());
            waiting.push(tokio::spawn(async move {
                let response = client.get(format!("{base}/v1/search?q=measuring&limit=1&min_sequence={sequence}")).send().await?;
                response.bytes().await?;
                Ok(started.elapsed())
            }));
        }
    }
    let mut fresh = Vec::new();
    for task in waiting {
        fresh.push(task.await??);
    }
    Ok((written, fresh))
}
