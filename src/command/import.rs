//! `rapport import`: files and folders in. Reading, parsing and storing overlap; memory holds a few batches.

use std::collections::HashSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::anyhow;
use clap::Args;
use futures_util::stream::{self, StreamExt};
use rapport::config::Config;
use rapport::domain::address::parse_domain;
use rapport::domain::{Address, WorkspaceId};
use rapport::ingest::record;
use rapport::pipeline::receive::{self, Origin, Status};
use rapport::pipeline::{Service, work};
use rapport::store::{change, entry};
use reqwest::Method;
use serde::Deserialize;
use tokio_util::sync::CancellationToken;

use super::data::{Access, access, busy};
use super::files::{At, Intake, Piece, files, read};
use super::progress::{Progress, peak_memory_mb};
use super::remote::Remote;
use super::show::number;
use super::{Failure, Outcome, Place};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  rapport import mail.mbox.gz --us ourco.com --discover-accounts
  rapport import ~/Maildir crm.ndjson --source sales
Exit 0 when everything was taken, 3 when something was rejected (each with file, line and reason on stderr).")]
pub struct Options {
    /// Files or folders: .eml, mbox, Maildir, .ndjson, each also .gz; told apart by content
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    place: Place,
    /// A domain of ours; may be given several times
    #[arg(long, value_name = "DOMAIN")]
    us: Vec<String>,
    /// Make an account (its id the domain) of each business domain met
    #[arg(long)]
    discover_accounts: bool,
    /// Name of the mailbox, kept as provenance [default: each file's path]
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
}

#[derive(Debug, Default, Clone, Copy)]
pub struct Totals {
    pub added: u64,
    pub updated: u64,
    pub unchanged: u64,
    pub unmatched: u64,
    pub rejected: u64,
}

impl Totals {
    fn count(&mut self, status: Status) {
        match status {
            Status::Added => self.added += 1,
            Status::Updated => self.updated += 1,
            Status::Unchanged => self.unchanged += 1,
            Status::Rejected => self.rejected += 1,
        }
    }

    pub fn items(&self) -> u64 {
        self.added + self.updated + self.unchanged + self.rejected
    }
}

pub async fn run(options: Options, config: Config) -> Outcome {
    let us = us_domains(&options.us)?;
    for path in &options.paths {
        if !path.exists() {
            return Err(Failure::Usage(format!("{}: no such file or folder", path.display())));
        }
    }
    let files = files(&options.paths)?;
    let data = options.place.directory()?;
    let started = Instant::now();
    let progress = Progress::new(files.iter().map(|(_, size)| *size).sum());
    let intake = Intake {
        files: files.into_iter().map(|(path, _)| path).collect(),
        source: options.source.clone(),
        discover_accounts: options.discover_accounts,
    };
    let totals = match access(&data)? {
        Access::Mine(_lock) => {
            let (service, workspace) = options.place.open_service(&data, config).await?;
            local(&service, workspace, us, intake, &progress).await?
        }
        Access::Served(server) => through(&options.place.remote(&server)?, us, intake, &progress).await?,
        Access::Busy(pid) => return Err(busy(&data, pid).into()),
    };
    progress.bar.finish_and_clear();
    let seconds = started.elapsed().as_secs_f64();
    let rate = totals.items() as f64 / seconds.max(0.001);
    eprintln!("{} items in {seconds:.1} s ({rate:.0}/s), peak memory {} MB", number(totals.items()), peak_memory_mb());
    println!(
        "added {}, updated {}, unchanged {}, unmatched {}, rejected {}",
        totals.added, totals.updated, totals.unchanged, totals.unmatched, totals.rejected
    );
    if totals.rejected > 0 { Err(Failure::Rejected) } else { Ok(()) }
}

pub fn us_domains(us: &[String]) -> Result<Vec<String>, Failure> {
    let parse = |text: &String| match Address::parse(text) {
        Some(address) => Err(Failure::Usage(format!("--us {text}: give the domain alone, {}", address.domain()))),
        None => parse_domain(text).ok_or_else(|| Failure::Usage(format!("--us {text}: not a domain such as ourco.com"))),
    };
    us.iter().map(parse).collect()
}

// ---- into the store of this process ------------------------------------------------------------------------------

/// Takes everything in, waits until all of it is joined to its accounts, summarized and searchable.
pub async fn local(service: &Service, workspace: WorkspaceId, us: Vec<String>, intake: Intake, progress: &Progress) -> anyhow::Result<Totals> {
    let stop = CancellationToken::new();
    let follower = service.index.follow(service.store.clone(), stop.clone())?;
    let mut tx = service.store.read().await?;
    let before = change::last(&mut tx).await?;
    drop(tx);
    if !us.is_empty() {
        receive::add_us_domains(service, workspace, us).await?;
    }
    let discover_accounts = intake.discover_accounts;
    let pieces = read(intake, progress.clone());
    // Two batches at a time: one is parsed while the other is stored. Records take turns, as their order counts.
    let turn = tokio::sync::Mutex::new(());
    let taken = stream::unfold(pieces, |mut pieces| async { pieces.recv().await.map(|piece| (piece, pieces)) })
        .map(|piece| take(service, workspace, discover_accounts, &turn, piece))
        .buffered(2);
    let mut taken = std::pin::pin!(taken);
    let mut totals = Totals::default();
    while let Some(outcomes) = taken.next().await {
        for (at, status, reason) in outcomes? {
            totals.count(status);
            report(progress, &at, reason.as_deref());
        }
        progress.items(totals.items());
    }
    progress.bar.set_message("joining accounts and writing summaries");
    work::drain(service).await?;
    let last = *service.store.committed().borrow();
    while service.index.wait_for(last, Duration::from_secs(1)).await < last {
        if follower.is_finished() {
            return Err(anyhow!("the search index stopped; `rapport reindex` builds it again"));
        }
    }
    let mut tx = service.store.read().await?;
    totals.unmatched = entry::unmatched_after(workspace, &mut tx, before).await?.unsigned_abs();
    drop(tx);
    stop.cancel();
    let _ = tokio::task::spawn_blocking(move || follower.join()).await;
    Ok(totals)
}

type Taken = Vec<(At, Status, Option<String>)>;

async fn take(
    service: &Service,
    workspace: WorkspaceId,
    discover_accounts: bool,
    turn: &tokio::sync::Mutex<()>,
    piece: Piece,
) -> anyhow::Result<Taken> {
    let (places, outcomes): (Vec<At>, _) = match piece {
        Piece::Rejected(at, reason) => return Ok(vec![(at, Status::Rejected, Some(reason))]),
        Piece::Mails { source, items } => {
            let (places, raws): (Vec<At>, Vec<Vec<u8>>) = items.into_iter().unzip();
            (places, receive::mails(service, workspace, raws, &Origin { source, discover_accounts }).await?)
        }
        Piece::Records { items } => {
            let _turn = turn.lock().await;
            let (places, lines): (Vec<At>, Vec<String>) = items.into_iter().unzip();
            let versions = tokio::task::spawn_blocking(move || lines.iter().map(|line| record::read(line)).collect()).await?;
            (places, receive::records(service, workspace, versions).await?)
        }
    };
    Ok(places.into_iter().zip(outcomes).map(|(at, outcome)| (at, outcome.status, outcome.error)).collect())
}

fn report(progress: &Progress, at: &At, reason: Option<&str>) {
    if let Some(reason) = reason {
        progress.bar.suspend(|| eprintln!("{at}: {reason}"));
    }
}

// ---- through a running server ------------------------------------------------------------------------------------

/// Mails sent at the same time; the server commits what arrives together at once.
const IN_FLIGHT: usize = 32;

#[derive(Deserialize)]
struct RemoteOutcome {
    status: Status,
    error: Option<String>,
}

#[derive(Deserialize)]
struct RemoteOutcomes {
    items: Vec<RemoteOutcome>,
}

#[derive(Deserialize)]
struct Settings {
    us_domains: Vec<String>,
    timezone: Option<String>,
}

async fn through(server: &Remote, us: Vec<String>, intake: Intake, progress: &Progress) -> anyhow::Result<Totals> {
    if !us.is_empty() {
        let now: Settings = server.get("/v1/workspace").await?;
        let all: HashSet<String> = now.us_domains.into_iter().chain(us).collect();
        let record = serde_json::json!([{ "kind": "workspace", "us_domains": all, "timezone": now.timezone }]);
        server.send::<RemoteOutcomes>(server.request(Method::POST, "/v1/records").json(&record)).await?;
    }
    let before = unmatched(server).await?;
    let discover_accounts = intake.discover_accounts;
    let mut pieces = read(intake, progress.clone());
    let mut totals = Totals::default();
    while let Some(piece) = pieces.recv().await {
        let outcomes: Vec<(At, RemoteOutcome)> = match piece {
            Piece::Rejected(at, reason) => vec![(at, RemoteOutcome { status: Status::Rejected, error: Some(reason) })],
            Piece::Records { items } => {
                let (places, lines): (Vec<At>, Vec<String>) = items.into_iter().unzip();
                let request = server.request(Method::POST, "/v1/records").header("content-type", "application/x-ndjson").body(lines.join("\n"));
                places.into_iter().zip(server.send::<RemoteOutcomes>(request).await?.items).collect()
            }
            Piece::Mails { source, items } => {
                let path = format!("/v1/emails?source={}&discover_accounts={discover_accounts}", super::summarize::escaped(&source));
                let send = |(at, raw): (At, Vec<u8>)| {
                    let request = server.request(Method::POST, &path).header("content-type", "message/rfc822").body(raw);
                    async move {
                        let outcome = match server.offer::<RemoteOutcome>(request).await? {
                            Ok(outcome) => outcome,
                            Err(reason) => RemoteOutcome { status: Status::Rejected, error: Some(reason) },
                        };
                        anyhow::Ok((at, outcome))
                    }
                };
                stream::iter(items.into_iter().map(send))
                    .buffer_unordered(IN_FLIGHT)
                    .collect::<Vec<_>>()
                    .await
                    .into_iter()
                    .collect::<anyhow::Result<_>>()?
            }
        };
        for (at, outcome) in outcomes {
            totals.count(outcome.status);
            report(progress, &at, outcome.error.as_deref());
        }
        progress.items(totals.items());
    }
    settle(server).await?;
    totals.unmatched = unmatched(server).await?.saturating_sub(before);
    Ok(totals)
}

async fn unmatched(server: &Remote) -> anyhow::Result<u64> {
    #[derive(Deserialize)]
    struct Unmatched {
        entries: u64,
    }
    Ok(server.get::<Unmatched>("/v1/unmatched?limit=1").await?.entries)
}

/// Waits until the server has joined and indexed everything.
async fn settle(server: &Remote) -> anyhow::Result<()> {
    #[derive(Deserialize)]
    struct Readiness {
        sequence: i64,
        indexed: i64,
    }
    #[derive(Deserialize)]
    struct Jobs {
        items: Vec<Job>,
    }
    #[derive(Deserialize)]
    struct Job {
        state: String,
    }
    loop {
        // Jobs first: what they change must be indexed as well.
        let jobs: Jobs = server.get("/v1/jobs?kind=join&limit=100").await?;
        let joining = jobs.items.iter().any(|job| job.state != "dead");
        let readiness: Readiness = server.get("/readyz").await?;
        if !joining && readiness.indexed >= readiness.sequence {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
