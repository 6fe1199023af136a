//! `rapport import`: files and folders in. Reading, parsing and storing overlap; memory holds a few batches.

mod files;
mod local;
mod read;
mod rejected;
mod remote;

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context;
use clap::Args;
use jiff::Timestamp;
use rapport::config::Config;
use rapport::domain::Address;
use rapport::domain::address::parse_domain;
use rapport::domain::entry::EntryType;
use rapport::ingest::table::Mapping;
use rapport::ingest::transcript::{self, Transcript};
use rapport::pipeline::receive::{Held, Status};

pub use files::{Source, files};
pub use local::local;
use read::At;
use rejected::Rejected;

use super::data::{Access, access, busy};
use super::progress::{Progress, peak_memory_mb};
use super::show::number;
use super::{Failure, Outcome, Place};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  rapport import mail.mbox.gz --us ourco.com --discover-accounts
  rapport import ~/Maildir crm.ndjson contacts.csv calendar.ics --source sales
  rapport import call.vtt --account acme --type call --occurred-at 2026-03-12T09:00:00Z
  rapport import odd.csv --mapping '{\"kind\":\"contact\",\"columns\":{\"Wen?\":\"name\",\"Strippe\":\"emails\"}}'
  rapport import --retry
Exit 0 when everything was taken, 3 when something was rejected (each with file, line and reason on stderr).")]
pub struct Options {
    /// Files or folders, told apart by content: mail (.eml, mbox, Maildir), transcripts (.vtt, .srt, .json), calendars,
    /// tables (.csv), vCards, chats, records (.ndjson), each also .gz
    #[arg(required_unless_present_any = ["retry", "rejected"], value_name = "PATH")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    place: Place,
    /// A domain of ours; may be given several times
    #[arg(long, value_name = "DOMAIN")]
    us: Vec<String>,
    /// Make an account (its id the domain) of each business domain met
    #[arg(long)]
    discover_accounts: bool,
    /// Whose mail, transcripts, calendars and chats these are [default: the people in them decide]
    #[arg(long, value_name = "ID")]
    account: Option<String>,
    /// Name of the mailbox, kept as provenance [default: each file's path]
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// What a transcript is of: call or meeting [default: its folder calls or meetings, else the number of speakers]
    #[arg(long, value_name = "TYPE")]
    r#type: Option<String>,
    /// When a transcript was held that does not say so itself
    #[arg(long, value_name = "TIME")]
    occurred_at: Option<String>,
    /// What the columns of a table mean, as JSON or a file of it [default: guessed from the header]
    #[arg(long, value_name = "MAPPING")]
    mapping: Option<String>,
    /// Take the files again of which something was rejected before
    #[arg(long, conflicts_with = "paths")]
    retry: bool,
    /// Only list what was rejected before and not taken since
    #[arg(long, conflicts_with_all = ["paths", "retry"])]
    rejected: bool,
}

/// What to take in, and how.
pub struct Intake {
    pub sources: Vec<Source>,
    pub us: Vec<String>,
    pub mailbox: Option<String>,
    pub discover_accounts: bool,
    pub account_id: Option<String>,
    pub r#type: Option<EntryType>,
    pub occurred_at: Option<Timestamp>,
    pub mapping: Option<Mapping>,
}

impl Intake {
    /// Everything about these files is left to themselves.
    pub fn of(sources: Vec<Source>, us: Vec<String>) -> Intake {
        Intake { sources, us, mailbox: None, discover_accounts: true, account_id: None, r#type: None, occurred_at: None, mapping: None }
    }

    /// What is known about a transcript in this file.
    fn held(&self, transcript: &Transcript, at: &At) -> Held {
        let path = Path::new(&*at.file);
        let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default().to_owned();
        Held {
            account_id: self.account_id.clone(),
            r#type: self.r#type.or_else(|| type_of_folder(path)),
            occurred_at: transcript.occurred_at.or(self.occurred_at).or_else(|| transcript::moment_in_name(&stem)),
            title: transcript::title_in_name(stem.trim_end_matches(".transcript")),
            ..Held::default()
        }
    }
}

/// What a folder says that its transcripts are of: `calls/…`, `meetings/…`.
fn type_of_folder(path: &Path) -> Option<EntryType> {
    let folder = path.parent()?.file_name()?.to_str()?.to_ascii_lowercase();
    folder.split(|c: char| !c.is_alphanumeric()).find_map(|word| match word {
        "call" | "calls" => Some(EntryType::Call),
        "meeting" | "meetings" => Some(EntryType::Meeting),
        _ => None,
    })
}

/// What became of one thing: where it stands, and why it was rejected if it was.
type Taken = Vec<(At, Status, Option<String>)>;

#[derive(Debug, Default, Clone)]
pub struct Totals {
    pub added: u64,
    pub updated: u64,
    pub unchanged: u64,
    pub unmatched: u64,
    pub rejected: u64,
    reasons: Vec<Rejected>,
}

impl Totals {
    fn count(&mut self, taken: Taken, progress: &Progress) {
        for (at, status, reason) in taken {
            match status {
                Status::Added => self.added += 1,
                Status::Updated => self.updated += 1,
                Status::Unchanged => self.unchanged += 1,
                Status::Rejected => self.rejected += 1,
            }
            if let Some(reason) = reason {
                progress.bar.suspend(|| eprintln!("{at}: {reason}"));
                self.reasons.push(Rejected::new(&at, reason));
            }
        }
        progress
            .states(self.items(), &[("added", self.added), ("updated", self.updated), ("unchanged", self.unchanged), ("rejected", self.rejected)]);
    }

    pub fn items(&self) -> u64 {
        self.added + self.updated + self.unchanged + self.rejected
    }
}

pub async fn run(options: Options, config: Config) -> Outcome {
    let data = options.place.directory()?;
    let kept = rejected::read(&data, &options.place.workspace)?;
    if options.rejected {
        kept.iter().for_each(|rejected| println!("{rejected}"));
        return Ok(());
    }
    let paths = if options.retry { rejected::files(&kept) } else { options.paths.clone() };
    if options.retry && paths.is_empty() {
        eprintln!("nothing was rejected before");
    }
    for path in &paths {
        if !path.exists() {
            return Err(Failure::Usage(format!("{}: no such file or folder", path.display())));
        }
    }
    let us = us_domains(&options.us)?;
    let kind = options.r#type.as_deref().map(transcript_type).transpose()?;
    let occurred_at = options.occurred_at.as_deref().map(moment).transpose()?;
    let mapping = options.mapping.as_deref().map(mapping).transpose()?;
    if let Some(id) = options.account.as_deref().filter(|id| id.is_empty() || id.len() > 200 || id.trim() != *id || id.chars().any(char::is_control))
    {
        return Err(Failure::Usage(format!("--account {id:?}: not an account's id of 1 to 200 bytes")));
    }
    let sources = files(&paths)?;
    let started = Instant::now();
    let progress = Progress::new(sources.iter().map(|source| source.size).sum());
    let intake = Intake {
        sources,
        us,
        mailbox: options.source.clone(),
        discover_accounts: options.discover_accounts,
        account_id: options.account.clone(),
        r#type: kind,
        occurred_at,
        mapping,
    };
    let taken_again: Vec<PathBuf> = intake.sources.iter().map(|source| source.path.clone()).collect();
    let totals = match access(&data)? {
        Access::Mine(_lock) => {
            let (service, workspace) = options.place.open_service(&data, config).await?;
            let totals = local(&service, workspace, intake, &progress).await?;
            service.store.close().await;
            totals
        }
        Access::Served(server) => remote::through(&options.place.remote(&server), intake, &progress).await?,
        Access::Busy(pid) => return Err(busy(&data, pid).into()),
    };
    progress.bar.finish_and_clear();
    rejected::keep(&data, &options.place.workspace, kept, &taken_again, &totals.reasons)?;
    let seconds = started.elapsed().as_secs_f64();
    let rate = totals.items() as f64 / seconds.max(0.001);
    eprintln!("{} items in {seconds:.1} s ({rate:.0}/s), peak memory {} MB", number(totals.items()), peak_memory_mb());
    if totals.rejected > 0 {
        eprintln!("what was rejected is kept: `rapport import --rejected` lists it, `rapport import --retry` takes those files again");
    }
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

fn transcript_type(text: &str) -> Result<EntryType, Failure> {
    match text.parse() {
        Ok(kind @ (EntryType::Call | EntryType::Meeting)) => Ok(kind),
        _ => Err(Failure::Usage(format!("--type {text}: a transcript is of a call or a meeting"))),
    }
}

fn moment(text: &str) -> Result<Timestamp, Failure> {
    text.parse().map_err(|_| Failure::Usage(format!("--occurred-at {text}: not a time such as 2026-03-12T09:00:00Z")))
}

/// A mapping as JSON, or the name of a file that holds it.
fn mapping(text: &str) -> Result<Mapping, Failure> {
    let json = if text.trim_start().starts_with('{') {
        text.to_owned()
    } else {
        std::fs::read_to_string(text).with_context(|| format!("--mapping {text}")).map_err(|e| Failure::Usage(format!("{e:#}")))?
    };
    serde_json::from_str(&json)
        .map_err(|e| Failure::Usage(format!("--mapping: {e}; it looks like {{\"kind\":\"contact\",\"columns\":{{\"Wen?\":\"name\"}}}}")))
}
