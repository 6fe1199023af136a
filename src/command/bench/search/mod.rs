//! `rapport bench search`: the engine on hundreds of thousands of entries, beside a bare tantivy and a tuned FTS5, the contenders taking
//! turns on the same questions; then the same questions through HTTP. Each figure is of the best of three passes.

mod ask;
mod corpus;
mod rivals;
mod service;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use clap::Args;
use rapport::config::Config;
use rapport::domain::WorkspaceId;
use rapport::domain::stretch::{Vector, WIDTH};
use rapport::index::Index;
use rapport::index::write::{Change, Writer, directory};

use super::{Outcome, bodies, open, row, size, spread};
use crate::command::import::{Intake, files, local, us_domains};
use crate::command::progress::{Progress, peak_memory_mb};
use crate::command::show::number;
use ask::{Ask, QUESTIONS, questions};
use corpus::{Chance, Corpus};
use rivals::{Bare, Fts5};

#[derive(Debug, Args)]
pub struct Options {
    /// Mail whose sentences the entries are made of, as for import
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// A domain of ours; may be given several times
    #[arg(long, value_name = "DOMAIN")]
    us: Vec<String>,
    /// How many entries are made
    #[arg(long, value_name = "N", default_value_t = 300_000)]
    entries: u64,
}

/// Best entries of an answer.
pub const PAGE: usize = 20;
/// Each contender is asked everything so many times.
const PASSES: usize = 3;
/// Memory for words not yet on disk, of each contender that has such a thing.
const MEMORY: usize = 100_000_000;
/// A rival that takes longer for the questions of a kind sits out the rest of the pass: its figure is of those before.
const TURN: Duration = Duration::from_secs(20);
/// Entries between commits.
const BATCH: usize = 10_000;
/// Stretches of the account that is compared by meaning.
const STRETCHES: usize = 20_000;

pub async fn run(options: Options, config: Config) -> Outcome {
    let us = us_domains(&options.us)?;
    Ok(measure(&options, us, &config).await?)
}

async fn measure(options: &Options, us: Vec<String>, config: &Config) -> anyhow::Result<()> {
    let data = tempfile::tempdir().context("making a folder to measure in")?;
    let (service, workspace) = open(&data.path().join("mail"), config).await?;
    local(&service, workspace, Intake::of(files(&options.paths)?, us), &Progress::new(0)).await?;
    let texts = bodies(&service, workspace).await?;
    service.store.close().await;
    let corpus = Corpus::of(&texts, options.entries)?;
    drop(texts);
    let bytes: u64 = corpus.iter().map(|made| made.text.len() as u64).sum();
    row("entries", "made of sentences of the mail", format!("{}, {} MB of text", number(corpus.entries), bytes / 1_000_000));

    let served = data.path().join("served");
    let (workspace, id) = service::store(&served, &corpus, config).await?;
    let (ours, mut fts5, bare) = build(data.path(), (&served, workspace, &id), &corpus, bytes).await?;
    let asked = questions(&corpus);
    agree(&ours, &mut fts5, &asked).await?;
    println!("{:<36} {:>24} {:>24} {:>24}", "best of three, p50 and p99", "rapport", "bare tantivy", "FTS5");
    for (kind, asks) in &asked {
        let mut best: [Option<Vec<Duration>>; 3] = [None, None, None];
        for _ in 0..PASSES {
            let mut taken: [Vec<Duration>; 3] = std::array::from_fn(|_| Vec::with_capacity(asks.len()));
            for ask in asks {
                let started = Instant::now();
                std::hint::black_box(ours.search(&ask.request())?);
                taken[0].push(started.elapsed());
                let started = Instant::now();
                if bare.ask(ask)?.is_some() {
                    taken[1].push(started.elapsed());
                }
                let started = Instant::now();
                if taken[2].iter().sum::<Duration>() < TURN && fts5.ask(ask).await?.is_some() {
                    taken[2].push(started.elapsed());
                }
            }
            for (best, mut taken) in best.iter_mut().zip(taken) {
                taken.sort_unstable();
                if !taken.is_empty() && best.as_ref().is_none_or(|best| taken[taken.len() / 2] < best[best.len() / 2]) {
                    *best = Some(taken);
                }
            }
        }
        let [ours, bare, fts5] = best.map(|taken| taken.map_or_else(|| "–".to_owned(), |taken| spread(&taken)));
        println!("{kind:<36} {ours:>24} {bare:>24} {fts5:>24}");
    }
    row(&format!("meaning, {} stretches", number(STRETCHES as u64)), "all compared with a question", spread(&meaning()));
    row("peak memory", "of this process", format!("{} MB", peak_memory_mb()));
    drop((ours, fts5, bare));
    service::measure(&served, &asked, config).await?;
    row("peak memory", "of this process", format!("{} MB", peak_memory_mb()));
    Ok(())
}

/// Builds each contender's index, ours where the service will look for it, and says how fast and how large.
async fn build(data: &Path, (served, workspace, id): (&Path, WorkspaceId, &str), corpus: &Corpus, bytes: u64) -> anyhow::Result<(Index, Fts5, Bare)> {
    let note = |name: &str, path: &Path, started: Instant| -> anyhow::Result<f64> {
        let speed = bytes as f64 / 1e6 / started.elapsed().as_secs_f64();
        let share = size(path)? as f64 * 1e6 / bytes as f64;
        row(&format!("index of {name}"), &format!("{:.2} of the text", share), format!("{speed:.1} MB/s"));
        Ok(speed)
    };
    let (path, started) = (directory(served, workspace), Instant::now());
    let index = Index::create(&path)?;
    let mut writer = Writer::new(&index, id, MEMORY)?;
    let mut changes = Vec::with_capacity(BATCH);
    for one in corpus.iter() {
        changes.push(Change::Add(Box::new(one.document())));
        if changes.len() == BATCH {
            writer.apply(std::mem::take(&mut changes))?;
        }
    }
    writer.apply(changes)?;
    writer.commit(i64::try_from(corpus.entries)?)?;
    writer.finish()?;
    index.reload()?;
    let ours = note("rapport", &path, started)?;
    let (path, started) = (data.join("bare"), Instant::now());
    let bare = Bare::build(&path, corpus, MEMORY)?;
    let rival = note("bare tantivy, same fields", &path, started)?;
    let (path, started) = (data.join("fts5.db"), Instant::now());
    let fts5 = Fts5::build(&path, corpus).await?;
    note("FTS5", &path, started)?;
    row("indexing", "of the speed of bare tantivy", format!("{:.2}", ours / rival));
    Ok((index, fts5, bare))
}

/// Contenders that answer the same question must find the same entries.
async fn agree(ours: &Index, fts5: &mut Fts5, asked: &[(&'static str, Vec<Ask>)]) -> anyhow::Result<()> {
    let mut compared = 0_u64;
    for ask in asked.iter().flat_map(|(_, asks)| asks).filter(|ask| ask.is_exact()).step_by(4) {
        let mut found: Vec<i64> = ours.numbers(&ask.request())?.into_iter().collect();
        found.sort_unstable();
        let Some(theirs) = fts5.all(ask).await? else { continue };
        ensure!(found == theirs, "{ask:?} finds {} entries here and {} with FTS5", found.len(), theirs.len());
        compared += 1;
    }
    row("the same entries as FTS5", "word, words, phrase, account", format!("{} questions", number(compared)));
    Ok(())
}

/// How long it takes to compare a question with all stretches of a large account.
fn meaning() -> Vec<Duration> {
    let mut chance = Chance::new();
    let mut vector = || loop {
        let numbers: Vec<f32> = (0..WIDTH).map(|_| chance.below(2_001) as f32 / 1_000.0 - 1.0).collect();
        if let Some(vector) = Vector::of(&numbers) {
            return vector;
        }
    };
    let stretches: Vec<Vector> = (0..STRETCHES).map(|_| vector()).collect();
    let questions: Vec<Vector> = (0..QUESTIONS).map(|_| vector()).collect();
    let compare = |question: &Vector| {
        let started = Instant::now();
        std::hint::black_box(stretches.iter().map(|stretch| stretch.closeness(question)).max_by(f32::total_cmp));
        started.elapsed()
    };
    let mut taken: Vec<Duration> = questions.iter().map(compare).collect();
    taken.sort_unstable();
    taken
}
