//! `rapport analyze`: texts in, readings out, one line each. Needs no data directory and no network.

use std::io::{BufRead, Write};

use anyhow::{Context, anyhow};
use clap::{Args, ValueEnum};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use rapport::analyse::competitors::Book;
use rapport::analyse::language;
use rapport::analyse::passage::{self, Passage, Piece};
use rapport::analyse::reader::workers::Workers;
use rapport::analyse::reader::{Read, Reader};
use rapport::domain::Clock;
use rapport::domain::entry::Side;
use rapport::domain::reading::{Competitor, Reading};
use rapport::domain::span::{Span, SpanKind};
use rapport::ingest::reply;
use serde::{Deserialize, Serialize};

use super::{Failure, Outcome};

#[derive(Debug, Args)]
#[command(
    after_help = "A line in: {\"id\":\"1\",\"text\":\"…\"}, and if you know them \"side\" (customer, us), \"title\", \"occurred_at\", \"timezone\",
\"context_before\", \"competitors\" and \"format\":\"email\" for a whole mail body. A line out has its sentiment, highlights and
competitor mentions with their words.

Examples:
  echo '{\"id\":\"1\",\"text\":\"Can you send the quote by Friday?\"}' | rapport analyze
  rapport analyze < texts.jsonl > readings.jsonl"
)]
pub struct Options {
    /// What reads
    #[arg(long, value_enum, default_value_t = Kind::Local)]
    engine: Kind,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Kind {
    /// The small model inside this program
    Local,
}

/// Lines that are read together.
const TOGETHER: usize = 128;
/// Sentences that one thread reads at a time.
const SHARE: usize = 64;

/// A line in.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asks {
    pub id: String,
    pub text: String,
    pub side: Option<Side>,
    pub title: Option<String>,
    pub occurred_at: Option<Timestamp>,
    pub timezone: Option<String>,
    pub context_before: Option<String>,
    #[serde(default)]
    pub competitors: Vec<Competitor>,
    pub format: Option<Format>,
}

#[derive(Clone, Copy, Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    Text,
    Email,
}

/// A line out.
#[derive(Serialize)]
struct Answer<'a> {
    id: &'a str,
    #[serde(flatten)]
    reading: Reading,
}

pub async fn run(options: Options) -> Outcome {
    let Kind::Local = options.engine;
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let workers = Workers::start(Reader::shipped()?, threads)?;
    let now = Clock::system().now();
    let mut lines = std::io::stdin().lock().lines().enumerate();
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    loop {
        let mut batch = Vec::with_capacity(TOGETHER);
        for (number, line) in lines.by_ref() {
            let line = line.with_context(|| format!("reading line {} of the input", number + 1))?;
            if !line.trim().is_empty() {
                let asks = serde_json::from_str(&line).map_err(|e| Failure::Usage(format!("line {}: {e}", number + 1)))?;
                batch.push(Text::of(asks, now).map_err(|reason| Failure::Usage(format!("line {}: {reason}", number + 1)))?);
            }
            if batch.len() == TOGETHER {
                break;
            }
        }
        if batch.is_empty() {
            return Ok(());
        }
        for answered in read(&workers, &batch).await? {
            serde_json::to_writer(&mut out, &Answer { id: &answered.text.asks.id, reading: answered.reading(&workers) })?;
            out.write_all(b"\n")?;
        }
        out.flush()?;
    }
}

/// A line in, checked.
pub struct Text {
    asks: Asks,
    zone: TimeZone,
    written: Timestamp,
    spans: Vec<Span>,
    book: Book,
}

impl Text {
    pub fn of(asks: Asks, now: Timestamp) -> Result<Text, String> {
        let zone = asks.timezone.as_deref().unwrap_or("UTC");
        let zone = TimeZone::get(zone).map_err(|_| format!("timezone: {zone:?} is not known"))?;
        let mut spans = match asks.format {
            Some(Format::Email) => reply::split(&asks.text),
            _ => vec![Span::new(SpanKind::New, 0, asks.text.chars().count())],
        };
        language::mark(&asks.text, &mut spans);
        let book = Book::new(&asks.competitors)?;
        let written = asks.occurred_at.unwrap_or(now);
        Ok(Text { asks, zone, written, spans, book })
    }

    fn passage(&self) -> Passage<'_> {
        let new = self.spans.iter().filter(|span| span.kind == SpanKind::New);
        Passage {
            text: &self.asks.text,
            new: new.map(|span| (span.start, span.end, span.language)).collect(),
            side: self.asks.side.unwrap_or(Side::Customer),
            retells: self.asks.format != Some(Format::Email),
            title: self.asks.title.as_deref(),
            before: self.asks.context_before.as_deref(),
            written: self.written,
            zone: self.zone.clone(),
        }
    }
}

/// A text with its sentences and what the model made of them.
pub struct Answered<'a> {
    text: &'a Text,
    passage: Passage<'a>,
    pieces: Vec<Piece<'a>>,
    pub read: Vec<Read>,
}

impl Answered<'_> {
    /// What they say together.
    pub fn reading(&self, workers: &Workers) -> Reading {
        let new = |span: &&Span| span.kind == SpanKind::New && span.language.is_some();
        Reading {
            language: self.text.spans.iter().find(new).and_then(|span| span.language),
            engine: workers.engine(),
            sentiment: passage::sentiment(self.pieces.iter().zip(&self.read)),
            highlights: self.passage.highlights(&self.pieces, &self.read),
            competitor_mentions: self.passage.mentions(&self.pieces, &self.read, &self.text.book),
        }
    }
}

/// Reads texts, in their order.
pub async fn read<'a>(workers: &Workers, texts: &'a [Text]) -> anyhow::Result<Vec<Answered<'a>>> {
    let passages: Vec<Passage> = texts.iter().map(Text::passage).collect();
    let pieces: Vec<Vec<Piece>> = passages.iter().map(Passage::pieces).collect();
    let questions = passages.iter().zip(&pieces).zip(texts).flat_map(|((passage, pieces), text)| passage.questions(pieces, &text.book));
    let mut answers = workers.read_all(questions.collect(), SHARE).await.map_err(|e| anyhow!(e))?.into_iter();
    let answered = texts.iter().zip(passages).zip(pieces).map(|((text, passage), pieces)| {
        let read = answers.by_ref().take(pieces.len()).collect();
        Answered { text, passage, pieces, read }
    });
    Ok(answered.collect())
}
