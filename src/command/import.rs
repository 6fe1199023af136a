//! `rapport import`: files and folders in. Reading, parsing and storing overlap; memory holds a few batches.

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufRead, BufReader, IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use clap::Args;
use flate2::bufread::MultiGzDecoder;
use futures_util::stream::{self, StreamExt};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use rapport::config::Config;
use rapport::domain::address::parse_domain;
use rapport::domain::{Address, WorkspaceId};
use rapport::ingest::email::MAX_MAIL;
use rapport::ingest::mailbox::{Format, Mbox, format_of, is_gzip};
use rapport::ingest::record::{self, MAX_RECORD};
use rapport::pipeline::receive::{self, Origin, Status};
use rapport::pipeline::{Service, work};
use rapport::store::{change, entry};
use reqwest::Method;
use serde::Deserialize;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::data::{Access, access, busy};
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

/// Mails or records taken together.
const BATCH: usize = 200;
const BATCH_BYTES: usize = 8 * 1024 * 1024;

/// Where something stands: the file, and the line in it where that says more.
#[derive(Debug, Clone)]
struct At {
    file: Arc<str>,
    line: Option<u64>,
}

impl std::fmt::Display for At {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}", self.file),
            None => f.write_str(&self.file),
        }
    }
}

/// What the reader hands over.
enum Piece {
    Mails { source: String, items: Vec<(At, Vec<u8>)> },
    Records { items: Vec<(At, String)> },
    Rejected(At, String),
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

/// What to take in.
pub struct Intake {
    pub files: Vec<PathBuf>,
    pub source: Option<String>,
    pub discover_accounts: bool,
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

// ---- reading files -----------------------------------------------------------------------------------------------

/// The files under these paths with their sizes, in order. Links are not followed out of a folder.
pub fn files(paths: &[PathBuf]) -> anyhow::Result<Vec<(PathBuf, u64)>> {
    let mut found = Vec::new();
    for path in paths {
        walk(path, &mut found, true)?;
    }
    Ok(found)
}

fn walk(path: &Path, found: &mut Vec<(PathBuf, u64)>, named: bool) -> anyhow::Result<()> {
    let about = if named { std::fs::metadata(path) } else { std::fs::symlink_metadata(path) };
    let about = about.with_context(|| format!("looking at {}", path.display()))?;
    if about.is_file() {
        found.push((path.to_owned(), about.len()));
    } else if about.is_dir() {
        let mut children: Vec<PathBuf> =
            std::fs::read_dir(path).with_context(|| format!("reading {}", path.display()))?.map(|e| Ok(e?.path())).collect::<std::io::Result<_>>()?;
        children.sort();
        // A Maildir delivers into tmp first: what is there is not complete.
        let is_maildir = path.join("cur").is_dir() && path.join("new").is_dir();
        for child in children {
            let name = child.file_name().and_then(|n| n.to_str()).unwrap_or_default();
            let hidden = name.starts_with('.') && !child.join("cur").is_dir();
            if !hidden && !(is_maildir && (name == "tmp" || child.is_file())) {
                walk(&child, found, false)?;
            }
        }
    }
    Ok(())
}

/// Reads files on a thread of its own; a slow taker makes it wait.
fn read(intake: Intake, progress: Progress) -> mpsc::Receiver<Piece> {
    let (send, receive) = mpsc::channel(2);
    std::thread::spawn(move || {
        for path in &intake.files {
            let file: Arc<str> = path.display().to_string().into();
            let mut reader = Reader {
                send: &send,
                source: intake.source.clone().unwrap_or_else(|| file.to_string()),
                mails: Vec::new(),
                records: Vec::new(),
                bytes: 0,
            };
            let at = At { file: file.clone(), line: None };
            if let Err(stopped) = read_file(path, &file, &mut reader, &progress).and_then(|()| reader.flush()) {
                match stopped {
                    Stopped::TakerGone => return,
                    Stopped::Unreadable(reason) => {
                        let sent = reader.flush().and_then(|()| reader.reject(at, reason));
                        if sent.is_err() {
                            return;
                        }
                    }
                }
            }
        }
    });
    receive
}

enum Stopped {
    TakerGone,
    Unreadable(String),
}

impl From<std::io::Error> for Stopped {
    fn from(error: std::io::Error) -> Stopped {
        Stopped::Unreadable(format!("the file cannot be read on: {error}; what came before was taken"))
    }
}

struct Reader<'a> {
    send: &'a mpsc::Sender<Piece>,
    source: String,
    mails: Vec<(At, Vec<u8>)>,
    records: Vec<(At, String)>,
    bytes: usize,
}

impl Reader<'_> {
    fn mail(&mut self, at: At, raw: Vec<u8>) -> Result<(), Stopped> {
        self.bytes += raw.len();
        self.mails.push((at, raw));
        self.flush_when_full()
    }

    fn record(&mut self, at: At, line: String) -> Result<(), Stopped> {
        self.bytes += line.len();
        self.records.push((at, line));
        self.flush_when_full()
    }

    fn reject(&mut self, at: At, reason: String) -> Result<(), Stopped> {
        self.send.blocking_send(Piece::Rejected(at, reason)).map_err(|_| Stopped::TakerGone)
    }

    fn flush_when_full(&mut self) -> Result<(), Stopped> {
        let full = self.mails.len() >= BATCH || self.records.len() >= BATCH || self.bytes >= BATCH_BYTES;
        if full { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), Stopped> {
        self.bytes = 0;
        let (mails, records) = (std::mem::take(&mut self.mails), std::mem::take(&mut self.records));
        if !mails.is_empty() {
            let piece = Piece::Mails { source: self.source.clone(), items: mails };
            self.send.blocking_send(piece).map_err(|_| Stopped::TakerGone)?;
        }
        if !records.is_empty() {
            self.send.blocking_send(Piece::Records { items: records }).map_err(|_| Stopped::TakerGone)?;
        }
        Ok(())
    }
}

fn read_file(path: &Path, file: &Arc<str>, reader: &mut Reader, progress: &Progress) -> Result<(), Stopped> {
    let opened = File::open(path).map_err(|e| Stopped::Unreadable(format!("the file cannot be opened: {e}")))?;
    let mut packed = BufReader::with_capacity(256 * 1024, Counted { inner: opened, progress: progress.clone() });
    if is_gzip(packed.fill_buf()?) {
        read_content(BufReader::with_capacity(256 * 1024, MultiGzDecoder::new(packed)), file, reader)
    } else {
        read_content(packed, file, reader)
    }
}

fn read_content(mut content: impl BufRead, file: &Arc<str>, reader: &mut Reader) -> Result<(), Stopped> {
    let at = |line| At { file: file.clone(), line };
    match format_of(content.fill_buf()?) {
        Format::Mbox => {
            for item in Mbox::new(content) {
                match item? {
                    (line, Ok(raw)) => reader.mail(at(Some(line)), raw)?,
                    (line, Err(reason)) => reader.reject(at(Some(line)), reason)?,
                }
            }
            Ok(())
        }
        Format::Email => {
            let mut raw = Vec::new();
            content.take(MAX_MAIL as u64 + 1).read_to_end(&mut raw)?;
            reader.mail(at(None), raw)
        }
        Format::Records => read_records(content, file, reader),
        Format::Unknown => {
            let reason = "not a format this reads: a mail, an mbox, or records as NDJSON, each also packed with gzip".to_owned();
            reader.reject(at(None), reason)
        }
    }
}

fn read_records(mut content: impl BufRead, file: &Arc<str>, reader: &mut Reader) -> Result<(), Stopped> {
    let mut line_number = 0;
    let mut line = Vec::new();
    loop {
        line.clear();
        if content.by_ref().take(MAX_RECORD as u64 + 2).read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        line_number += 1;
        let at = At { file: file.clone(), line: Some(line_number) };
        let complete = line.ends_with(b"\n");
        if line.len() > MAX_RECORD + usize::from(complete) {
            if !complete {
                content.skip_until(b'\n')?;
            }
            reader.reject(at, format!("the line is longer than the limit of {MAX_RECORD} bytes"))?;
            continue;
        }
        match std::str::from_utf8(&line) {
            Ok(text) => {
                let text = text.trim_start_matches('\u{feff}').trim();
                if !text.is_empty() {
                    reader.record(at, text.to_owned())?;
                }
            }
            Err(error) => reader.reject(at, format!("not UTF-8 from byte {} of the line", error.valid_up_to()))?,
        }
    }
}

/// Counts bytes as they are read.
struct Counted<R> {
    inner: R,
    progress: Progress,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.progress.bar.inc(count as u64);
        Ok(count)
    }
}

// ---- progress ----------------------------------------------------------------------------------------------------

/// A bar with rate and time left; nothing where nobody looks.
#[derive(Debug, Clone)]
pub struct Progress {
    bar: ProgressBar,
    items: Arc<AtomicU64>,
    started: Instant,
}

impl Progress {
    pub fn new(bytes: u64) -> Progress {
        let target = if std::io::stderr().is_terminal() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(bytes), target);
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {bytes}/{total_bytes}  {msg}  {eta} left") {
            bar.set_style(style);
        }
        Progress { bar, items: Arc::new(AtomicU64::new(0)), started: Instant::now() }
    }

    fn items(&self, items: u64) {
        self.items.store(items, Ordering::Relaxed);
        let rate = items as f64 / self.started.elapsed().as_secs_f64().max(0.001);
        self.bar.set_message(format!("{} items, {rate:.0}/s", number(items)));
    }
}

/// The most memory this process has held, in MB, as far as the system tells.
pub fn peak_memory_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().nth(1)).and_then(|n| n.parse::<u64>().ok());
    kilobytes.unwrap_or(0) / 1024
}
