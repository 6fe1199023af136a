//! `rapport bench reader`: how fast the reader reads, beside another program that makes vectors of the same sentences.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Instant;

use anyhow::{Context, anyhow};
use rapport::analyse::reader::workers::Workers;
use rapport::analyse::reader::{Asked, Reader};
use rapport::domain::entry::Side;
use serde_json::json;

use super::Outcome;
use crate::command::progress::peak_memory_mb;

/// Both may use so many threads.
const THREADS: usize = 2;
/// The machine is noisy: they take turns, and the best of so many passes counts.
const PASSES: usize = 3;
const SENTENCES: usize = 768;
const BATCHES: [usize; 3] = [1, 8, 32];

/// A batch of our own that is only measured: side, channel, title, sentiment, acts, before, text.
const TEXTS: &str = include_str!("../../../models/reader/data/f.tsv");

/// Sentences of about 25 tokens.
fn sentences() -> Vec<&'static str> {
    let texts = TEXTS.lines().filter_map(|line| line.split('\t').next_back());
    let usual = texts.filter(|text| (18..=22).contains(&text.split_whitespace().count()));
    usual.collect::<Vec<_>>().into_iter().cycle().take(SENTENCES).collect()
}

pub async fn run(rival: Option<String>) -> Outcome {
    let started = Instant::now();
    let reader = Reader::shipped()?;
    println!("ready after {:.0} ms", started.elapsed().as_secs_f64() * 1_000.0);
    let workers = Workers::start(reader, THREADS)?;
    let sentences = sentences();
    let mut rival = rival.map(|command| Rival::start(&command)).transpose()?;
    println!("{:<8} {:>22} {:>22} {:>7}", "batch", "reader, sentences/s", "rival, sentences/s", "ratio");
    for batch in BATCHES {
        let (mut ours, mut theirs) = (f64::MAX, f64::MAX);
        for _ in 0..PASSES {
            ours = ours.min(read(&workers, &sentences, batch).await?);
            if let Some(rival) = &mut rival {
                theirs = theirs.min(rival.read(&sentences, batch)?);
            }
        }
        let rate = |seconds: f64| sentences.len() as f64 / seconds;
        match rival {
            Some(_) => println!("{batch:<8} {:>22.0} {:>22.0} {:>7.2}", rate(ours), rate(theirs), rate(ours) / rate(theirs)),
            None => println!("{batch:<8} {:>22.0}", rate(ours)),
        }
    }
    println!("peak memory of this process: {} MB", peak_memory_mb());
    Ok(())
}

/// The seconds that all sentences take, `batch` in each order; both threads take orders.
async fn read(workers: &Workers, sentences: &[&str], batch: usize) -> anyhow::Result<f64> {
    let mut sorted = sentences.to_vec();
    sorted.sort_by_key(|text| text.len());
    let ask = |text: &&str| Asked { text: (*text).to_owned(), before: None, side: Side::Customer, title: None, mentions: Vec::new() };
    let asked: Vec<Asked> = sorted.iter().map(ask).collect();
    let started = Instant::now();
    workers.read_all(asked, batch).await?;
    Ok(started.elapsed().as_secs_f64())
}

/// Another program that answers each line of sentences with the seconds it took.
struct Rival {
    child: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Rival {
    fn start(command: &str) -> anyhow::Result<Rival> {
        let mut child =
            Command::new("sh").args(["-c", command]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().context("starting the rival")?;
        let (questions, answers) = (child.stdin.take(), child.stdout.take());
        let (questions, answers) = questions.zip(answers).context("the rival has no pipes")?;
        let mut rival = Rival { child, questions, answers: BufReader::new(answers) };
        // The first time anything is slow.
        rival.read(&["It is warm now."], 1)?;
        Ok(rival)
    }

    fn read(&mut self, sentences: &[&str], batch: usize) -> anyhow::Result<f64> {
        writeln!(self.questions, "{}", json!({ "batch": batch, "sentences": sentences }))?;
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        line.trim().parse().map_err(|_| anyhow!("the rival answered {line:?} in the place of seconds"))
    }
}

impl Drop for Rival {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
