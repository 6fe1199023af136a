//! Reading: what waits is read by the model on threads of its own, the newest first, behind everything else. Words that
//! are read by nobody yet, or by an older reader, wait; old readings serve until then.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use super::speakers::{Speaker, Speakers};
use super::{PipelineError, Result, Service, blocking};
use crate::analyse::competitors::Book;
use crate::analyse::language;
use crate::analyse::passage::{self, Passage, Piece};
use crate::analyse::reader::workers::Workers;
use crate::analyse::reader::{Asked, Read, Reader};
use crate::analyse::stretches;
use crate::config::ReaderFrom;
use crate::domain::WorkspaceId;
use crate::domain::entry::Side;
use crate::domain::reading::{Carrier, EntryReading, EntrySentiment, Placed, ReadingEngine};
use crate::domain::span::SpanKind;
use crate::store::change::{self, Action, NewChange};
use crate::store::entry::Stored;
use crate::store::job::{self, Held, When};
use crate::store::reading::Kept;
use crate::store::{Scope, reading};

/// The job that reads some of what waits in a workspace, and asks for the next while anything is left.
pub const READ: &str = "read";

/// Entries that are read between two commits.
const ENTRIES: i64 = 64;
/// Sentences that one thread reads at a time.
const SHARE: usize = 64;
/// Sentences of one entry beyond which its reading would hold up all others.
const MOST: usize = 4_000;
/// Turns that tell the language of a call.
const OPENING: usize = 30;
/// Sentences that say most of an entry's sentiment.
const CARRIERS: usize = 3;
/// How soon after a commit it is looked whether anything waits.
const LOOK: Duration = Duration::from_millis(250);
/// What others commit is seen at the latest after this.
const IDLE: Duration = Duration::from_secs(5);

/// The reader of this process: empty until it is loaded, an error when it cannot be used.
#[derive(Debug, Clone, Default)]
pub struct Local(Arc<OnceLock<std::result::Result<Workers, String>>>);

impl Local {
    /// The threads that read, once loaded.
    pub fn workers(&self) -> Option<&Workers> {
        self.0.get()?.as_ref().ok()
    }

    /// `loading`, `ready`, or why there is none.
    pub fn state(&self) -> String {
        match self.0.get() {
            None => "loading".to_owned(),
            Some(Ok(_)) => "ready".to_owned(),
            Some(Err(reason)) => reason.clone(),
        }
    }

    /// Loads it, as the settings say; a reader that cannot be used is told of, and everything else goes on without.
    ///
    /// # Errors
    /// When the thread that loads it stops.
    pub async fn load(&self, from: &ReaderFrom) -> Result<()> {
        let (place, from) = (self.0.clone(), from.clone());
        blocking(move || {
            place.get_or_init(|| {
                let loaded = match &from {
                    ReaderFrom::Shipped => Reader::shipped(),
                    ReaderFrom::Folder(folder) => Reader::open(folder),
                    ReaderFrom::Off => return Err("off".to_owned()),
                };
                let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
                loaded.and_then(|reader| Workers::start(reader, threads)).map_err(|error| {
                    tracing::error!(%error, "nothing is read by the local model; everything else goes on");
                    error.to_string()
                })
            });
        })
        .await
    }
}

/// Loads the reader and asks for reading wherever something waits, until stopped.
pub async fn watch(service: Service, stop: CancellationToken) {
    if let Err(error) = service.reader.load(&service.config.reader).await {
        tracing::error!(%error, "loading the reader");
    }
    let Some(version) = service.reader.workers().map(Workers::version) else { return };
    let mut committed = service.store.committed();
    while !stop.is_cancelled() {
        if let Err(error) = ask(&service, version).await {
            tracing::error!(%error, "looking for what waits to be read");
        }
        tokio::select! { () = tokio::time::sleep(LOOK) => {}, () = stop.cancelled() => {} }
        tokio::select! { _ = committed.changed() => {}, () = tokio::time::sleep(IDLE) => {}, () = stop.cancelled() => {} }
    }
}

/// Queues a job for each workspace in which something waits and nobody is at it.
async fn ask(service: &Service, version: i64) -> Result<()> {
    let mut tx = service.store.read(Scope::All).await?;
    for workspace in reading::waiting(&mut tx, version).await? {
        if job::is_reading(workspace, &mut tx).await? {
            continue;
        }
        let now = service.clock.now();
        service
            .store
            .write(workspace, move |tx| Box::pin(async move { job::enqueue(workspace, tx, READ, "", "null", When::NOW, now).await }))
            .await?;
    }
    Ok(())
}

/// Reads everything that waits in a workspace; `told` hears how many entries are still to be read.
///
/// # Errors
/// When there is no reader, or the store fails.
pub async fn drain(service: &Service, workspace: WorkspaceId, told: impl Fn(u64)) -> Result<()> {
    service.reader.load(&service.config.reader).await?;
    let workers = workers(service)?;
    loop {
        let left = reading::backlog(workspace, &mut service.store.read(workspace).await?, workers.version()).await?;
        told(left.unsigned_abs());
        if left == 0 {
            return Ok(());
        }
        step(service, workspace, None).await?;
    }
}

fn workers(service: &Service) -> Result<&Workers> {
    service.reader.workers().ok_or_else(|| PipelineError::Refused(format!("there is no reader: {}", service.reader.state())))
}

/// Reads the newest of what waits, and queues the next step while there is more.
pub(super) async fn step(service: &Service, workspace: WorkspaceId, held: Option<Held>) -> Result<()> {
    let workers = workers(service)?;
    let version = workers.version();
    let mut tx = service.store.read(workspace).await?;
    let entries = reading::unread(workspace, &mut tx, version, ENTRIES).await?;
    let speakers = Speakers::of(workspace, &mut tx, entries.iter().map(|stored| &stored.entry)).await?;
    drop(tx);
    // Telling sentences apart and putting them together again is work for the processor too.
    let (threads, engine, runtime) = (workers.clone(), workers.engine(), Handle::current());
    let done: Vec<(Stored, Option<Kept>)> = blocking(move || {
        let read = runtime.block_on(read_all(&threads, &entries, &speakers, &engine));
        entries.into_iter().zip(read).collect()
    })
    .await?;
    let now = service.clock.now();
    let count = done.len();
    let write = service.store.write(workspace, move |tx| {
        Box::pin(async move {
            for (stored, read) in &done {
                if reading::put(workspace, tx, stored.number, stored.sequence, version, read.as_ref()).await? {
                    // For search alone: what an entry says is as it was.
                    let id = &stored.entry.id;
                    let account_id = stored.entry.account_id.as_deref();
                    let change = NewChange { what: "reading", id, number: Some(stored.number), account_id, action: Action::Updated };
                    change::append(workspace, tx, change, now).await?;
                }
            }
            if let Some(held) = held {
                job::finish(tx, held).await?;
                if !done.is_empty() {
                    job::enqueue(workspace, tx, READ, "", "null", When::NOW, now).await?;
                }
            }
            Ok(())
        })
    });
    write.await?;
    metrics::counter!("rapport_entries_read_total").increment(count as u64);
    Ok(())
}

/// What is read from each entry; none where the reader failed on its words, which is told of.
async fn read_all(workers: &Workers, entries: &[Stored], speakers: &Speakers, engine: &ReadingEngine) -> Vec<Option<Kept>> {
    let parts: Vec<Vec<Part<'_>>> = entries.iter().map(|stored| parts(stored, speakers)).collect();
    let questions: Vec<Vec<Asked>> = parts.iter().map(|parts| parts.iter().flat_map(Part::questions).collect()).collect();
    let counts: Vec<usize> = questions.iter().map(Vec::len).collect();
    let all: Vec<Asked> = questions.iter().flatten().cloned().collect();
    let answers = match workers.read_all(all, SHARE).await {
        Ok(read) => {
            let mut read = read.into_iter();
            counts.iter().map(|count| Some(read.by_ref().take(*count).collect::<Vec<Read>>())).collect::<Vec<_>>()
        }
        // One of them broke it: each by itself, and that one stays without.
        Err(_) => {
            let mut answers = Vec::with_capacity(entries.len());
            for (stored, asked) in entries.iter().zip(questions) {
                let read = workers.read_all(asked, SHARE).await;
                if let Err(error) = &read {
                    tracing::error!(entry = stored.number, %error, "an entry could not be read");
                }
                answers.push(read.ok());
            }
            answers
        }
    };
    parts.iter().zip(answers).map(|(parts, read)| Some(reading_of(parts, &read?, engine))).collect()
}

/// A stretch of an entry by one speaker.
struct Part<'a> {
    segment: Option<usize>,
    /// Whether its speaker is known to be a customer, or to be us.
    side: Option<Side>,
    passage: Passage<'a>,
    pieces: Vec<Piece<'a>>,
}

impl Part<'_> {
    fn questions(&self) -> Vec<Asked> {
        self.passage.questions(&self.pieces, &Book::default())
    }
}

/// What of an entry is read: the new words of its body, or the turns of its transcript.
fn parts<'a>(stored: &'a Stored, speakers: &'a Speakers) -> Vec<Part<'a>> {
    let entry = &stored.entry;
    let passage = |text: &'a str, new, turn: Option<usize>, side: Option<Side>, before| {
        let Speaker { title, zone } = speakers.speaker(entry, turn, side);
        // Notes and what has no side are ours: we wrote them down.
        let retells = turn.is_none() && !entry.r#type.is_email();
        Passage { text, new, side: side.unwrap_or(Side::Us), retells, title, before, written: entry.occurred_at, zone }
    };
    let mut parts: Vec<Part<'a>> = Vec::new();
    let mut room = MOST;
    let mut add = |parts: &mut Vec<Part<'a>>, segment, side, passage: Passage<'a>| {
        let mut pieces = passage.pieces();
        pieces.truncate(room);
        room -= pieces.len();
        parts.push(Part { segment, side, passage, pieces });
    };
    if entry.transcript.is_empty() {
        let new = stored.spans.iter().filter(|span| span.kind == SpanKind::New);
        let new = new.map(|span| (span.start, span.end, span.language)).collect();
        add(&mut parts, None, entry.side, passage(&entry.body, new, None, entry.side, None));
        return parts;
    }
    // A turn alone is often too short to tell; people stay in the language they begin in.
    let opening: Vec<&str> = entry.transcript.iter().take(OPENING).map(|segment| segment.text.as_str()).collect();
    let language = language::of(&opening.join(" "));
    for (at, segment) in entry.transcript.iter().enumerate() {
        let before = parts.last().and_then(|part| part.pieces.last()).map(|piece| piece.text);
        let new = vec![(0, segment.text.chars().count(), language)];
        add(&mut parts, Some(at), segment.side, passage(&segment.text, new, Some(at), segment.side, before));
    }
    parts
}

/// From the sentences of an entry's parts to what they say together.
fn reading_of(parts: &[Part<'_>], read: &[Read], engine: &ReadingEngine) -> Kept {
    let speech = parts.iter().any(|part| part.segment.is_some());
    let side = if speech { Some(Side::Customer) } else { parts.first().and_then(|part| part.side) };
    let (mut highlights, mut counted, mut sentences) = (Vec::new(), Vec::new(), Vec::new());
    let mut rest = read;
    for part in parts {
        let (own, after) = rest.split_at(part.pieces.len());
        rest = after;
        let place = |found| Placed { segment: part.segment, found };
        highlights.extend(part.passage.highlights(&part.pieces, own).into_iter().map(place));
        sentences.extend(part.pieces.iter().zip(own).map(|(piece, read)| (part.segment, piece, read)));
        if part.side == side {
            counted.extend(part.pieces.iter().zip(own).map(|(piece, read)| (part.segment, piece, read)));
        }
    }
    let sentiment = passage::sentiment(counted.iter().map(|(_, piece, read)| (*piece, *read)));
    let toward = sentiment.map_or(0.0, |sentiment| sentiment.score);
    // Those that drew it to where it is; what says nothing either way carries nothing.
    counted.retain(|(_, piece, read)| passage::pull(piece, read) * toward > 0.0 && passage::score(read).abs() >= 0.2);
    counted.sort_by(|(_, a, x), (_, b, y)| passage::pull(b, y).abs().total_cmp(&passage::pull(a, x).abs()));
    let carrier = |(segment, piece, read): &(Option<usize>, &Piece<'_>, &Read)| Placed {
        segment: *segment,
        found: Carrier { quote: piece.text.to_owned(), start: piece.start, end: piece.end, score: passage::score(read) },
    };
    let carried_by = counted.iter().take(CARRIERS).map(carrier).collect();
    let reading = EntryReading {
        language: parts.iter().flat_map(|part| &part.passage.new).find_map(|(_, _, language)| *language),
        engine: engine.clone(),
        sentiment: sentiment.map(|sentiment| EntrySentiment { sentiment, side, carried_by }),
        highlights,
    };
    Kept { reading, stretches: stretches::of(sentences) }
}
