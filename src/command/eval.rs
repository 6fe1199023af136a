//! `rapport eval`: quality against labelled sets. Prints what was measured, on how many, with a 95 % interval.

use std::path::PathBuf;

use anyhow::{Context, anyhow};
use clap::{Args, Subcommand};
use rapport::domain::span::{SpanKind, slice};
use rapport::ingest::{automatic, reply};
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
    let Set::Spans { files, differing } = options.set;
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
