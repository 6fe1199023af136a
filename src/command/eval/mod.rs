//! `rapport eval`: quality against labelled sets. Prints what was measured, on how many, with a 95 % interval.

mod reader;
mod search;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use clap::{Args, Subcommand};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use rapport::analyse::due;
use rapport::config::Config;
use rapport::domain::Address;
use rapport::domain::entry::Flag;
use rapport::ingest::mailbox::Mbox;
use rapport::ingest::{absence, email, reply};
use serde::Deserialize;

use super::Outcome;
use super::labelled::{Labelled, normal, row};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  rapport eval spans fixtures/replies/held-out/*.jsonl
  rapport eval spans mine.jsonl --differing
  rapport eval due fixtures/due/*.jsonl
  rapport eval reader held-out.jsonl
  rapport eval search --mails mail.mbox.gz --us ourco.com --meetings meetings/val --questions meetings/queries_val.jsonl
  rapport eval mail corpus/MANIFEST.jsonl")]
pub struct Options {
    #[command(subcommand)]
    set: Set,
}

#[derive(Debug, Subcommand)]
enum Set {
    /// New words of mails: exact, per mail
    Spans {
        /// NDJSON with `id`, `raw` and `new_words`, or with `segments` of a kind and a text each
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// Print the mails that differ
        #[arg(long)]
        differing: bool,
    },
    /// Due dates of promises: day and moment, exact
    Due {
        /// NDJSON with `text`, `occurred_at`, `timezone`, and `due_date` and `due_at` where there is one
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// Print the sentences that differ
        #[arg(long)]
        differing: bool,
    },
    /// Sentiment, questions, commitments, objections, signals, stances and vectors of the local model, beside simpler methods
    Reader {
        /// NDJSON that models/reader/held_out.py writes
        file: PathBuf,
        /// Print the sentences that differ
        #[arg(long)]
        differing: bool,
    },
    /// Whether what is looked for is found: known mails, and questions about meetings
    Search(search::Options),
    /// Subject, sender and date of mails, against how another parser reads them
    Mail {
        /// NDJSON with `path`, `index`, `subject`, `from` and `date`; the files lie beside it
        list: PathBuf,
        /// Print what differs
        #[arg(long)]
        differing: bool,
    },
}

/// A message and how another parser reads it.
#[derive(Deserialize)]
struct Listed {
    /// Beside the list.
    path: PathBuf,
    /// Position in an mbox; none: the file is the message.
    index: Option<usize>,
    subject: Option<String>,
    from: Option<String>,
    date: Option<String>,
}

pub async fn run(options: Options, config: Config) -> Outcome {
    match options.set {
        Set::Spans { files, differing } => spans(files, differing),
        Set::Due { files, differing } => due(&files, differing),
        Set::Reader { file, differing } => reader::run(&file, differing, &config).await,
        Set::Search(options) => search::run(options, config).await,
        Set::Mail { list, differing } => mail(&list, differing),
    }
}

/// A promise and when it falls due.
#[derive(Deserialize)]
struct Promise {
    text: String,
    occurred_at: Timestamp,
    timezone: String,
    due_date: Option<jiff::civil::Date>,
    due_at: Option<Timestamp>,
}

fn due(files: &[PathBuf], differing: bool) -> Outcome {
    println!("due dates, day and moment exact         share   95 % interval     n");
    for file in files {
        let text = std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
        let (mut hits, mut total) = (0, 0);
        for (number, line) in text.lines().enumerate() {
            let place = || format!("{}:{}", file.display(), number + 1);
            let promise: Promise = serde_json::from_str(line).map_err(|e| anyhow!("{}: {e}", place()))?;
            let zone = TimeZone::get(&promise.timezone).with_context(place)?;
            let found = due::find(&promise.text, promise.occurred_at, &zone);
            let found = (found.as_ref().map(|due| due.date), found.map(|due| due.at));
            total += 1;
            if found == (promise.due_date, promise.due_at) {
                hits += 1;
            } else if differing {
                println!("{}: {}: {found:?}, labelled {:?}", place(), promise.text, (promise.due_date, promise.due_at));
            }
        }
        println!("{}", row(&file.file_stem().unwrap_or_default().to_string_lossy(), hits, total));
    }
    Ok(())
}

fn mail(list: &Path, differing: bool) -> Outcome {
    let folder = list.parent().unwrap_or(Path::new("."));
    let text = std::fs::read_to_string(list).with_context(|| format!("reading {}", list.display()))?;
    let (mut agree, mut total, mut slowest) = ([0_u32; 3], 0_u32, (Duration::ZERO, String::new()));
    for (number, line) in text.lines().enumerate() {
        let listed: Listed = serde_json::from_str(line).map_err(|e| anyhow!("{}:{}: {e}", list.display(), number + 1))?;
        let bytes = std::fs::read(folder.join(&listed.path)).with_context(|| format!("reading {}", listed.path.display()))?;
        let raw = match listed.index {
            Some(index) => Mbox::new(bytes.as_slice()).nth(index).context("the mbox has fewer messages")??.mail.map_err(|e| anyhow!(e))?,
            None => bytes,
        };
        let name = format!("{}{}", listed.path.display(), listed.index.map(|i| format!("#{i}")).unwrap_or_default());
        let started = Instant::now();
        let mail = email::parse(&raw, Timestamp::UNIX_EPOCH).map_err(|e| anyhow!("{name}: {e}"))?;
        if started.elapsed() > slowest.0 {
            slowest = (started.elapsed(), name.clone());
        }
        total += 1;
        let dated = !mail.flags.contains(&Flag::DateUnknown);
        let found = [
            normal(mail.entry.subject.as_deref().unwrap_or_default()),
            mail.author.map(|a| a.to_string()).unwrap_or_default(),
            if dated { mail.entry.occurred_at.to_string() } else { String::new() },
        ];
        let address =
            |from: &str| Address::parse(from.rsplit_once('<').map_or(from, |(_, rest)| rest.trim_end_matches('>')).trim()).map(|a| a.to_string());
        let moment = |date: &str| jiff::fmt::rfc2822::parse(date).ok().map(|zoned| zoned.timestamp().to_string());
        let expected = [
            normal(&listed.subject.unwrap_or_default()),
            listed.from.as_deref().and_then(address).unwrap_or_default(),
            listed.date.as_deref().and_then(moment).unwrap_or_default(),
        ];
        for (field, name_of) in ["subject", "from", "date"].iter().enumerate() {
            if found[field] == expected[field] {
                agree[field] += 1;
            } else if differing {
                println!("{name}: {name_of}: {:?}, the list {:?}", found[field], expected[field]);
            }
        }
    }
    println!("agreement with the list                 share   95 % interval     n");
    for (field, hits) in ["subject", "from", "date"].iter().zip(agree) {
        println!("{}", row(field, hits, total));
    }
    println!("slowest: {:.1} ms, {}", slowest.0.as_secs_f64() * 1000.0, slowest.1);
    Ok(())
}

fn spans(files: Vec<PathBuf>, differing: bool) -> Outcome {
    println!("new words of a mail, exact              share   95 % interval     n");
    let (mut hits, mut total, count) = (0, 0, files.len());
    for file in files {
        let (mut hits_here, mut total_here) = (0, 0);
        for mail in Labelled::read(&file)? {
            let (expected, found) = (mail.expected(), mail.found(absence::reads_like_absence, reply::split));
            total_here += 1;
            hits_here += u32::from(expected == found);
            if differing && expected != found {
                println!("{}\n  expected: {expected}\n  found:    {found}", mail.id);
            }
        }
        println!("{}", row(&file.file_stem().unwrap_or_default().to_string_lossy(), hits_here, total_here));
        (hits, total) = (hits + hits_here, total + total_here);
    }
    if count > 1 {
        println!("{}", row("all", hits, total));
    }
    Ok(())
}
