//! `rapport eval`: quality against labelled sets. Prints what was measured, on how many, with a 95 % interval.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use clap::{Args, Subcommand};
use jiff::Timestamp;
use rapport::domain::Address;
use rapport::domain::entry::Flag;
use rapport::domain::span::{SpanKind, slice};
use rapport::ingest::mailbox::Mbox;
use rapport::ingest::{automatic, email, reply};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::Outcome;

#[derive(Debug, Args)]
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
        /// Print the mails that differ, of the half that the rules were written against
        #[arg(long)]
        differing: bool,
    },
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

#[derive(Deserialize)]
struct Labelled {
    id: String,
    #[serde(default)]
    raw: String,
    #[serde(default)]
    new_words: String,
    /// The mail in pieces; the pieces of kind `new` are its new words.
    #[serde(default)]
    segments: Vec<Piece>,
}

#[derive(Deserialize)]
struct Piece {
    kind: SpanKind,
    text: String,
}

impl Labelled {
    fn joined(mut self) -> Labelled {
        if !self.segments.is_empty() {
            self.raw = self.segments.iter().map(|piece| piece.text.as_str()).collect();
            let new = self.segments.iter().filter(|piece| piece.kind == SpanKind::New);
            self.new_words = new.map(|piece| piece.text.as_str()).collect::<Vec<_>>().join("\n\n");
        }
        self
    }
}

pub fn run(options: Options) -> Outcome {
    match options.set {
        Set::Spans { files, differing } => spans(files, differing),
        Set::Mail { list, differing } => mail(&list, differing),
    }
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
    println!("agreement with the list    share   95 % interval     n");
    for (field, hits) in ["subject", "from", "date"].iter().zip(agree) {
        let (low, high) = wilson(hits, total);
        println!("{field:<24}  {:.3}   {low:.3} to {high:.3}  {total:>4}", f64::from(hits) / f64::from(total.max(1)));
    }
    println!("slowest: {:.1} ms, {}", slowest.0.as_secs_f64() * 1000.0, slowest.1);
    Ok(())
}

fn spans(files: Vec<PathBuf>, differing: bool) -> Outcome {
    let (mut seen, mut unseen) = ((0_u32, 0_u32), (0_u32, 0_u32));
    for file in files {
        let text = std::fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let mail: Labelled = serde_json::from_str(line).map_err(|e| anyhow!("{}:{}: {e}", file.display(), number + 1))?;
            let mail = mail.joined();
            let found = new_words(&mail.raw);
            let exact = normal(&found) == normal(&mail.new_words);
            let half = if is_seen(&mail.id) { &mut seen } else { &mut unseen };
            half.1 += 1;
            half.0 += u32::from(exact);
            if differing && !exact && is_seen(&mail.id) {
                println!("{}\n  expected: {}\n  found:    {}", mail.id, normal(&mail.new_words), normal(&found));
            }
        }
    }
    println!("new words of a mail, exact              share   95 % interval     n");
    for (name, (exact, total)) in [("mails the rules were written against", seen), ("mails no rule was written against", unseen)] {
        let (low, high) = wilson(exact, total);
        println!("{name:<38}  {:.3}   {low:.3} to {high:.3}  {total:>4}", f64::from(exact) / f64::from(total.max(1)));
    }
    Ok(())
}

/// The halves are told apart by the id alone: the rules were written looking at one of them only.
fn is_seen(id: &str) -> bool {
    Sha256::digest(id.as_bytes()).last().is_some_and(|byte| byte % 2 == 0)
}

fn new_words(raw: &str) -> String {
    if automatic::reads_like_absence(raw) {
        return String::new();
    }
    let new = reply::split(raw).into_iter().filter(|span| span.kind == SpanKind::New);
    new.filter_map(|span| slice(raw, span.start, span.end)).collect::<Vec<_>>().join("\n\n")
}

fn normal(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Wilson's interval for a share (E. B. Wilson 1927), 95 %.
fn wilson(hits: u32, total: u32) -> (f64, f64) {
    if total == 0 {
        return (0.0, 1.0);
    }
    let (n, z) = (f64::from(total), 1.96);
    let p = f64::from(hits) / n;
    let middle = p + z * z / (2.0 * n);
    let half = z * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + z * z / n;
    ((middle - half) / scale, (middle + half) / scale)
}

#[cfg(test)]
mod tests {
    use super::wilson;

    #[test]
    fn the_interval_holds_the_share() {
        let (low, high) = wilson(85, 100);
        assert!((low - 0.767).abs() < 0.002 && (high - 0.907).abs() < 0.002, "{low} {high}");
    }
}
