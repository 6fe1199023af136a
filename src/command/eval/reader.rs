//! `rapport eval reader`: what the reader makes of sentences that it never learnt from, beside simpler methods.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, anyhow};
use jiff::Timestamp;
use rapport::analyse::reader::workers::Workers;
use rapport::analyse::reader::{Asked, Read, Reader};
use rapport::config::{Config, ReaderFrom};
use rapport::domain::entry::Side;
use rapport::domain::reading::{Competitor, HighlightKind, Reading, SentimentLabel};
use rapport::domain::span::slice;
use serde::Deserialize;

use super::Outcome;
use crate::command::analyze::{Asks, Format, Text, read};
use crate::command::progress::Progress;

/// Lines that are read together.
const TOGETHER: usize = 512;
/// Times that rows are drawn anew to see how far a figure depends on chance.
const DRAWS: usize = 1_000;

/// A line of the file that `models/reader/held_out.py` writes.
#[derive(Deserialize)]
#[serde(untagged)]
enum Line {
    Meeting(Meeting),
    Row(Box<Row>),
}

#[derive(Deserialize)]
struct Row {
    set: String,
    text: String,
    before: Option<String>,
    side: Option<Side>,
    title: Option<String>,
    format: Option<Format>,
    sentiment: Option<SentimentLabel>,
    question: Option<bool>,
    commitment: Option<bool>,
    objection: Option<bool>,
    positive_signal: Option<bool>,
    mention: Option<(usize, usize)>,
    stance: Option<String>,
    lexicon: f64,
    rule: Option<BTreeMap<String, bool>>,
    frozen: Option<Frozen>,
}

#[derive(Deserialize)]
struct Frozen {
    sentiment: SentimentLabel,
    question: bool,
    commitment: bool,
    objection: bool,
    positive_signal: bool,
    stance: String,
}

#[derive(Deserialize)]
struct Meeting {
    turns: Vec<String>,
    queries: Vec<Query>,
}

#[derive(Deserialize)]
struct Query {
    query: String,
    relevant: Vec<usize>,
    /// The first place of a relevant turn by the vectors of the encoder that the reader began as.
    original: usize,
}

impl Row {
    fn known(&self, kind: HighlightKind) -> Option<bool> {
        match kind {
            HighlightKind::Question => self.question,
            HighlightKind::Commitment => self.commitment,
            HighlightKind::Objection => self.objection,
            HighlightKind::PositiveSignal => self.positive_signal,
        }
    }

    fn frozen(&self, kind: HighlightKind) -> Option<bool> {
        self.frozen.as_ref().map(|frozen| match kind {
            HighlightKind::Question => frozen.question,
            HighlightKind::Commitment => frozen.commitment,
            HighlightKind::Objection => frozen.objection,
            HighlightKind::PositiveSignal => frozen.positive_signal,
        })
    }

    /// As a caller would ask; the competitor of the row is all that its book holds.
    fn asks(&self) -> Asks {
        let name = self.mention.and_then(|(start, end)| slice(&self.text, start, end));
        let competitor = |name: &str| Competitor { id: "named".to_owned(), name: name.to_owned(), aliases: Vec::new(), domains: Vec::new() };
        Asks {
            id: String::new(),
            text: self.text.clone(),
            side: self.side,
            title: self.title.clone(),
            occurred_at: None,
            timezone: None,
            context_before: self.before.clone(),
            competitors: name.into_iter().map(competitor).collect(),
            format: self.format,
        }
    }
}

/// What a method says, and what is right.
type Pairs<T> = Vec<(T, T)>;

pub async fn run(file: &Path, differing: bool, config: &Config) -> Outcome {
    let text = std::fs::read_to_string(file).with_context(|| format!("reading {}; models/reader/held_out.py writes it", file.display()))?;
    let (mut rows, mut meetings) = (Vec::new(), Vec::new());
    for (number, line) in text.lines().enumerate() {
        match serde_json::from_str(line).map_err(|e| anyhow!("{}:{}: {e}", file.display(), number + 1))? {
            Line::Row(row) => rows.push(*row),
            Line::Meeting(meeting) => meetings.push(meeting),
        }
    }
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let reader = match &config.reader {
        ReaderFrom::Folder(folder) => Reader::open(folder)?,
        ReaderFrom::Shipped | ReaderFrom::Off => Reader::shipped()?,
    };
    let workers = Workers::start(reader, threads)?;
    let readings = readings(&workers, &rows).await?;
    println!("{:<44} {:>6}  {:^22} {:>8} {:>8} {:>8} {:>8}", "what", "n", "reader, 95 % interval", "no rules", "lexicon", "frozen", "cues");
    let mut sets: BTreeMap<&str, Vec<(&Row, &Made)>> = BTreeMap::new();
    for (row, made) in rows.iter().zip(&readings) {
        sets.entry(&row.set).or_default().push((row, made));
    }
    for (set, rows) in &sets {
        sentiment(set, rows);
        for kind in HighlightKind::ALL {
            acts(set, rows, *kind);
        }
        stances(set, rows);
    }
    overall(&rows, &readings);
    vectors(&workers, &meetings).await?;
    if differing {
        rows.iter().zip(&readings).for_each(|(row, made)| differences(row, &made.reading));
    }
    Ok(())
}

/// What is made of a row, and what the model alone would have said.
struct Made {
    reading: Reading,
    alone: Vec<Read>,
}

impl Made {
    /// The mean over the sentences, each as heavy as the other: negative, neutral, positive.
    fn shares(&self) -> [f32; 3] {
        self.alone.iter().fold([0.0; 3], |sums, read| std::array::from_fn(|n| sums[n] + read.sentiment[n] / self.alone.len() as f32))
    }

    fn does(&self, kind: HighlightKind) -> bool {
        let share = |read: &Read| match kind {
            HighlightKind::Question => read.question,
            HighlightKind::Commitment => read.commitment,
            HighlightKind::Objection => read.objection,
            HighlightKind::PositiveSignal => read.positive_signal,
        };
        self.alone.iter().any(|read| share(read) >= 0.5)
    }
}

async fn readings(workers: &Workers, rows: &[Row]) -> anyhow::Result<Vec<Made>> {
    let progress = Progress::entries();
    let mut readings = Vec::with_capacity(rows.len());
    for some in rows.chunks(TOGETHER) {
        progress.left((rows.len() - readings.len()) as u64, "sentences read");
        let texts: Vec<Text> =
            some.iter().map(|row| Text::of(row.asks(), Timestamp::UNIX_EPOCH)).collect::<Result<_, _>>().map_err(|e| anyhow!(e))?;
        let answered = read(workers, &texts).await?;
        readings.extend(answered.into_iter().map(|answered| Made { reading: answered.reading(workers), alone: answered.read }));
    }
    progress.bar.finish_and_clear();
    Ok(readings)
}

fn said(reading: &Reading) -> SentimentLabel {
    // What could not be scored is counted by itself; here it is as good as nothing.
    reading.sentiment.map_or(SentimentLabel::Neutral, |sentiment| sentiment.label)
}

fn likeliest(shares: [f32; 3]) -> SentimentLabel {
    let best = (0..3).max_by(|a, b| shares[*a].total_cmp(&shares[*b])).unwrap_or_default();
    SentimentLabel::ALL[best]
}

fn by_lexicon(row: &Row) -> SentimentLabel {
    match row.lexicon {
        compound if compound >= 0.05 => SentimentLabel::Positive,
        compound if compound <= -0.05 => SentimentLabel::Negative,
        _ => SentimentLabel::Neutral,
    }
}

fn sentiment(set: &str, rows: &[(&Row, &Made)]) {
    let rows: Vec<_> = rows.iter().filter_map(|(row, made)| Some((*row, *made, row.sentiment?))).collect();
    if rows.is_empty() {
        return;
    }
    let polar: Vec<_> = rows.iter().filter(|(.., right)| *right != SentimentLabel::Neutral).collect();
    let sign = |positive: bool| if positive { SentimentLabel::Positive } else { SentimentLabel::Negative };
    let ours = polar.iter().map(|(_, made, right)| (sign(made.reading.sentiment.is_some_and(|s| s.score > 0.0)), *right)).collect();
    let alone = polar.iter().map(|(_, made, right)| (sign(made.shares()[2] > made.shares()[0]), *right)).collect();
    let lexicon = polar.iter().map(|(row, _, right)| (sign(row.lexicon > 0.0), *right)).collect();
    let frozen = polar.iter().filter_map(|(row, _, right)| Some((row.frozen.as_ref()?.sentiment, *right))).collect();
    line(&format!("{set}: sentiment, non-neutral, accuracy"), &ours, &[Some(&alone), Some(&lexicon), Some(&frozen), None], accuracy);
    if polar.len() < rows.len() {
        let ours = rows.iter().map(|(_, made, right)| (said(&made.reading), *right)).collect();
        let alone = rows.iter().map(|(_, made, right)| (likeliest(made.shares()), *right)).collect();
        let lexicon = rows.iter().map(|(row, _, right)| (by_lexicon(row), *right)).collect();
        let frozen = rows.iter().filter_map(|(row, _, right)| Some((row.frozen.as_ref()?.sentiment, *right))).collect();
        line(&format!("{set}: sentiment, 3 classes, macro-F1"), &ours, &[Some(&alone), Some(&lexicon), Some(&frozen), None], macro_f1);
    }
}

fn acts(set: &str, rows: &[(&Row, &Made)], kind: HighlightKind) {
    let rows: Vec<_> = rows.iter().filter_map(|(row, made)| Some((*row, *made, row.known(kind)?))).collect();
    if !rows.iter().any(|(.., right)| *right) {
        return;
    }
    let ours = rows.iter().map(|(_, made, right)| (made.reading.highlights.iter().any(|h| h.kind == kind), *right)).collect();
    let alone = rows.iter().map(|(_, made, right)| (made.does(kind), *right)).collect();
    let frozen = rows.iter().filter_map(|(row, _, right)| Some((row.frozen(kind)?, *right))).collect();
    let rule = rows.iter().filter_map(|(row, _, right)| Some((*row.rule.as_ref()?.get(kind.as_str())?, *right))).collect();
    line(&format!("{set}: {kind}, F1"), &ours, &[Some(&alone), None, Some(&frozen), Some(&rule)], f1);
}

fn stances(set: &str, rows: &[(&Row, &Made)]) {
    let rows: Vec<_> = rows.iter().filter_map(|(row, made)| Some((*row, &made.reading, row.stance.as_deref()?))).collect();
    let (named, traps): (Vec<_>, Vec<_>) = rows.into_iter().partition(|(.., stance)| *stance != "none");
    let found = |row: &Row, reading: &Reading| {
        let (start, _) = row.mention.unwrap_or_default();
        let mention = reading.competitor_mentions.iter().find(|mention| mention.mention_start == start);
        mention.map_or_else(|| "none".to_owned(), |mention| mention.stance.to_string())
    };
    // The majority class of what is right is the rule to beat.
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    named.iter().for_each(|(.., stance)| *counts.entry(stance).or_default() += 1);
    let most = counts.iter().max_by_key(|(_, count)| **count).map_or("", |(stance, _)| *stance);
    for (what, rows, rule) in [("stance, accuracy", named, most), ("only looks like the name, accuracy", traps, "mere_mention")] {
        if rows.is_empty() {
            continue;
        }
        let ours = rows.iter().map(|(row, reading, right)| (found(row, reading), (*right).to_owned())).collect();
        let frozen = rows.iter().filter_map(|(row, _, right)| Some((row.frozen.as_ref()?.stance.clone(), (*right).to_owned()))).collect();
        let rule = rows.iter().map(|(.., right)| (rule.to_owned(), (*right).to_owned())).collect();
        line(&format!("{set}: {what}"), &ours, &[None, None, Some(&frozen), Some(&rule)], accuracy);
    }
}

/// How sure the answers are, and how many there are none.
fn overall(rows: &[Row], readings: &[Made]) {
    let mut answers: Vec<(f64, bool)> = Vec::new();
    for (row, made) in rows.iter().zip(readings).filter(|(row, _)| row.format.is_none()) {
        if let (Some(right), Some(sentiment)) = (row.sentiment, made.reading.sentiment) {
            answers.push((sentiment.confidence, sentiment.label == right));
        }
    }
    let mut error = 0.0;
    for tenth in 0..10 {
        let within: Vec<_> = answers.iter().filter(|(sure, _)| ((sure * 10.0) as usize).min(9) == tenth).collect();
        let (sure, right) = (within.iter().map(|(sure, _)| sure).sum::<f64>(), within.iter().filter(|(_, right)| *right).count());
        error += (sure - right as f64).abs() / answers.len().max(1) as f64;
    }
    println!("{:<44} {:>6}  {error:.3}", "sentiment, expected calibration error", answers.len());
    let none = readings.iter().filter(|made| made.reading.sentiment.is_none()).count();
    println!("{:<44} {:>6}  {:.3}", "English rows without an answer", rows.len(), none as f64 / rows.len().max(1) as f64);
}

/// How far up the first right turn of a meeting stands when its turns are ordered by closeness to a question.
async fn vectors(workers: &Workers, meetings: &[Meeting]) -> Outcome {
    let (mut ours, mut original) = (Vec::new(), Vec::new());
    let ask = |text: &String| Asked { text: text.clone(), before: None, side: Side::Customer, title: None, mentions: Vec::new() };
    for meeting in meetings {
        let asked = meeting.turns.iter().chain(meeting.queries.iter().map(|query| &query.query)).map(ask).collect();
        let read = workers.read_all(asked, 64).await?;
        let (turns, queries) = read.split_at(meeting.turns.len());
        for (query, read) in meeting.queries.iter().zip(queries) {
            let closeness = |at: usize| turns[at].vector.iter().zip(&read.vector).map(|(a, b)| a * b).sum::<f32>();
            let best = query.relevant.iter().map(|at| closeness(*at)).fold(f32::MIN, f32::max);
            let place = 1 + (0..turns.len()).filter(|at| closeness(*at) > best).count();
            ours.push(1.0 / place as f64);
            original.push(1.0 / query.original as f64);
        }
    }
    let mean = |ranks: &[f64]| ranks.iter().sum::<f64>() / ranks.len().max(1) as f64;
    println!(
        "{:<44} {:>6}  {:.3}, original encoder {:.3}: {:.3} of it",
        "meetings: MRR of questions by vector",
        ours.len(),
        mean(&ours),
        mean(&original),
        mean(&ours) / mean(&original)
    );
    Ok(())
}

/// A line of the table: the reader with its interval, then the model without rules, the lexicon, the frozen encoder, cues.
fn line<T: Clone>(what: &str, ours: &Pairs<T>, others: &[Option<&Pairs<T>>; 4], measure: fn(&[(T, T)]) -> f64) {
    let mut draws: Vec<f64> = (0..DRAWS).map(|draw| measure(&drawn(ours, draw as u64))).collect();
    draws.sort_by(f64::total_cmp);
    let others: Vec<String> = others
        .iter()
        .map(|pairs| pairs.filter(|pairs| !pairs.is_empty()).map_or_else(String::new, |pairs| format!("{:.3}", measure(pairs))))
        .collect();
    println!(
        "{what:<44} {:>6}  {:.3}  {:.3} to {:.3}  {:>8} {:>8} {:>8} {:>8}",
        ours.len(),
        measure(ours),
        draws[DRAWS / 40],
        draws[DRAWS - 1 - DRAWS / 40],
        others[0],
        others[1],
        others[2],
        others[3]
    );
}

/// As many rows, drawn with repetition; the same for the same number.
fn drawn<T: Clone>(pairs: &Pairs<T>, seed: u64) -> Pairs<T> {
    // Knuth's linear congruential generator.
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap_or_default() % pairs.len()
    };
    (0..pairs.len()).map(|_| pairs[next()].clone()).collect()
}

fn accuracy<T: PartialEq>(pairs: &[(T, T)]) -> f64 {
    pairs.iter().filter(|(said, right)| said == right).count() as f64 / pairs.len().max(1) as f64
}

fn f1(pairs: &[(bool, bool)]) -> f64 {
    f1_of(pairs, &true)
}

fn f1_of<T: PartialEq>(pairs: &[(T, T)], class: &T) -> f64 {
    let hits = pairs.iter().filter(|(said, right)| said == class && right == class).count();
    let (said, right) = (pairs.iter().filter(|(said, _)| said == class).count(), pairs.iter().filter(|(_, right)| right == class).count());
    2.0 * hits as f64 / (said + right).max(1) as f64
}

fn macro_f1(pairs: &[(SentimentLabel, SentimentLabel)]) -> f64 {
    SentimentLabel::ALL.iter().map(|label| f1_of(pairs, label)).sum::<f64>() / SentimentLabel::ALL.len() as f64
}

fn differences(row: &Row, reading: &Reading) {
    let mut found = Vec::new();
    if row.sentiment.is_some_and(|right| right != said(reading)) {
        found.push(format!("sentiment {}, labelled {}", said(reading), row.sentiment.map_or("", |label| label.as_str())));
    }
    for kind in HighlightKind::ALL {
        let says = reading.highlights.iter().any(|h| h.kind == *kind);
        if row.known(*kind).is_some_and(|right| right != says) {
            found.push(format!("{kind} {}", if says { "too much" } else { "missed" }));
        }
    }
    if let Some(right) = &row.stance {
        let said: Vec<String> = reading.competitor_mentions.iter().map(|mention| mention.stance.to_string()).collect();
        if said.iter().all(|said| said != right) && !(said.is_empty() && right == "none") {
            found.push(format!("stance {}, labelled {right}", said.join(", ")));
        }
    }
    if !found.is_empty() && row.format.is_none() {
        println!("{}: {}: {}", row.set, found.join("; "), row.text.replace('\n', " "));
    }
}
