//! Files are read on a thread of their own and handed over in pieces; memory holds a few of them.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use flate2::bufread::MultiGzDecoder;
use jiff::Timestamp;
use rapport::ingest::calendar::MAX_CALENDAR;
use rapport::ingest::email::{self, MAX_MAIL};
use rapport::ingest::format::Format;
use rapport::ingest::mailbox::Mbox;
use rapport::ingest::record::MAX_RECORD;
use rapport::ingest::table::MAX_TABLE;
use rapport::ingest::transcript::MAX_TRANSCRIPT;
use rapport::ingest::{chat, text};
use rapport::pipeline::receive::RawMail;
use serde_json::Value;
use tokio::sync::mpsc;

use super::files::{Packed, Source};
use crate::command::progress::Progress;

/// Mails or records taken together.
const BATCH: usize = 200;
const BATCH_BYTES: usize = 8 * 1024 * 1024;
/// A packed file that unpacks to more than this many times its size, and more than a floor, is a bomb.
const MAX_RATIO: u64 = 200;
const RATIO_FLOOR: u64 = 64 * 1024 * 1024;

/// Where something stands: the file, and the line in it where that says more.
#[derive(Debug, Clone)]
pub struct At {
    pub file: Arc<str>,
    pub line: Option<u64>,
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
pub enum Piece {
    Mails {
        items: Vec<(At, RawMail)>,
    },
    Records {
        items: Vec<(At, String)>,
    },
    /// A file that is taken as a whole.
    File {
        at: At,
        what: Whole,
        bytes: Vec<u8>,
    },
    Rejected(At, String),
}

/// Kinds of files that are taken as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whole {
    Transcript,
    Calendar,
    Table,
    Cards,
    Chat,
}

/// Reads files on a thread of its own; a slow taker makes it wait.
pub fn read(sources: Vec<Source>, mailbox: Option<String>, progress: Progress) -> mpsc::Receiver<Piece> {
    let (send, receive) = mpsc::channel(2);
    std::thread::spawn(move || {
        let mut reader = Reader { send: &send, mailbox: String::new(), mails: Vec::new(), records: Vec::new(), bytes: 0 };
        for source in &sources {
            let file: Arc<str> = source.path.display().to_string().into();
            reader.mailbox = mailbox.clone().unwrap_or_else(|| file.to_string());
            let at = At { file: file.clone(), line: None };
            let outcome = match &source.content {
                Ok((format, packed)) => reader.file(&source.path, source.size, *format, *packed, &file, &progress),
                Err(reason) => reader.reject(at.clone(), reason.clone()),
            };
            match outcome {
                Ok(()) => {}
                Err(Stopped::TakerGone) => return,
                Err(Stopped::Unreadable(reason)) => {
                    if reader.flush().and_then(|()| reader.reject(at, reason)).is_err() {
                        return;
                    }
                }
            }
        }
        let _ = reader.flush();
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
    mailbox: String,
    mails: Vec<(At, RawMail)>,
    records: Vec<(At, String)>,
    bytes: usize,
}

impl Reader<'_> {
    fn file(&mut self, path: &Path, size: u64, format: Format, packed: Packed, file: &Arc<str>, progress: &Progress) -> Result<(), Stopped> {
        let opened = File::open(path).map_err(|e| Stopped::Unreadable(format!("the file cannot be opened: {e}")))?;
        let at = At { file: file.clone(), line: None };
        if format == Format::Mbox {
            return match packed {
                Packed::Not => self.mailbox(opened, true, file, progress),
                Packed::Gzip => {
                    // Unpacked beside the system's temporary files, to be read from its end; gone when it is closed.
                    let mut unpacked = tempfile::tempfile()?;
                    let copied = std::io::copy(&mut Unpacked::new(opened, size), &mut unpacked);
                    self.mailbox(unpacked, copied.is_ok(), file, progress)?;
                    copied?;
                    progress.bar.set_position(progress.bar.position().max(size));
                    Ok(())
                }
            };
        }
        let counted = Counted { inner: opened, progress: progress.clone() };
        match packed {
            Packed::Not => self.content(BufReader::with_capacity(256 * 1024, counted), format, at),
            Packed::Gzip => self.content(BufReader::with_capacity(256 * 1024, Unpacked::new(counted, size)), format, at),
        }
    }

    fn content(&mut self, mut content: impl BufRead, format: Format, at: At) -> Result<(), Stopped> {
        let mut whole = |max: usize| -> Result<Vec<u8>, Stopped> {
            let mut bytes = Vec::new();
            content.by_ref().take(max as u64 + 1).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        let (what, bytes) = match format {
            Format::Records => return self.records(content, &at.file),
            Format::Email => {
                let raw = whole(MAX_MAIL)?;
                return self.mail(at, raw);
            }
            Format::Table => (Whole::Table, whole(MAX_TABLE)?),
            Format::Cards => (Whole::Cards, whole(MAX_CALENDAR)?),
            Format::Calendar => (Whole::Calendar, whole(MAX_CALENDAR)?),
            Format::Chat => (Whole::Chat, whole(MAX_TABLE)?),
            Format::Cues => (Whole::Transcript, whole(MAX_TRANSCRIPT)?),
            Format::Json => {
                let bytes = whole(MAX_TABLE)?;
                match serde_json::from_str::<Value>(&text::decode(&bytes)) {
                    Ok(Value::Array(items)) if items.iter().any(|item| item.get("kind").is_some()) => return self.array(&items, &at),
                    Ok(value) if chat::is_json(&value) => (Whole::Chat, bytes),
                    Ok(_) => (Whole::Transcript, bytes),
                    Err(error) => return self.reject(At { line: Some(error.line() as u64), ..at }, format!("not JSON: {error}")),
                }
            }
            Format::Mbox | Format::Archive | Format::Unknown => return Ok(()),
        };
        self.flush()?;
        self.send.blocking_send(Piece::File { at, what, bytes }).map_err(|_| Stopped::TakerGone)
    }

    /// A mailbox, newest mail first: one pass finds where each begins and when it was written, a second takes them.
    fn mailbox(&mut self, mut opened: File, complete: bool, file: &Arc<str>, progress: &Progress) -> Result<(), Stopped> {
        struct Place {
            bytes: Range<u64>,
            line: u64,
            written: Option<Timestamp>,
        }
        opened.rewind()?;
        let mut places = Vec::new();
        for item in Mbox::new(BufReader::with_capacity(256 * 1024, &opened)) {
            let item = item?;
            match item.mail {
                Ok(raw) => places.push(Place { bytes: item.place, line: item.line, written: email::written_at(&raw) }),
                Err(reason) => self.reject(At { file: file.clone(), line: Some(item.line) }, reason)?,
            }
        }
        if !complete {
            // The last mail breaks off: half of it would pass for the whole.
            places.pop();
        }
        places.sort_by(|a, b| b.written.cmp(&a.written).then(a.line.cmp(&b.line)));
        let mut bytes = Vec::new();
        for place in places {
            opened.seek(SeekFrom::Start(place.bytes.start))?;
            bytes.clear();
            let length = place.bytes.end - place.bytes.start;
            (&opened).take(length).read_to_end(&mut bytes)?;
            progress.bar.inc(length);
            if let Some(item) = Mbox::new(bytes.as_slice()).next() {
                let at = At { file: file.clone(), line: Some(place.line) };
                match item?.mail {
                    Ok(raw) => self.mail(at, raw)?,
                    Err(reason) => self.reject(at, reason)?,
                }
            }
        }
        Ok(())
    }

    fn records(&mut self, mut content: impl BufRead, file: &Arc<str>) -> Result<(), Stopped> {
        // A JSON array of records is taken as a whole.
        if content.fill_buf()?.iter().find(|b| !b.is_ascii_whitespace() && !matches!(b, 0xef | 0xbb | 0xbf)) == Some(&b'[') {
            let mut bytes = Vec::new();
            content.take(MAX_TABLE as u64).read_to_end(&mut bytes)?;
            let at = At { file: file.clone(), line: None };
            return match serde_json::from_str::<Vec<Value>>(&text::decode(&bytes)) {
                Ok(items) => self.array(&items, &at),
                Err(error) => self.reject(At { line: Some(error.line() as u64), ..at }, format!("not a JSON array of records: {error}")),
            };
        }
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
                self.reject(at, format!("the line is longer than the limit of {MAX_RECORD} bytes"))?;
                continue;
            }
            match std::str::from_utf8(&line) {
                Ok(text) => {
                    let text = text.trim_start_matches('\u{feff}').trim();
                    if !text.is_empty() {
                        self.record(at, text.to_owned())?;
                    }
                }
                Err(error) => self.reject(at, format!("not UTF-8 from byte {} of the line", error.valid_up_to()))?,
            }
        }
    }

    fn array(&mut self, items: &[Value], at: &At) -> Result<(), Stopped> {
        items.iter().try_for_each(|item| self.record(at.clone(), item.to_string()))
    }

    fn mail(&mut self, at: At, raw: Vec<u8>) -> Result<(), Stopped> {
        self.bytes += raw.len();
        self.mails.push((at, RawMail { source: self.mailbox.clone(), bytes: raw }));
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
            self.send.blocking_send(Piece::Mails { items: mails }).map_err(|_| Stopped::TakerGone)?;
        }
        if !records.is_empty() {
            self.send.blocking_send(Piece::Records { items: records }).map_err(|_| Stopped::TakerGone)?;
        }
        Ok(())
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

/// Unpacks gzip up to a sensible ratio.
struct Unpacked<R: Read> {
    inner: MultiGzDecoder<BufReader<R>>,
    left: u64,
}

impl<R: Read> Unpacked<R> {
    fn new(packed: R, size: u64) -> Unpacked<R> {
        Unpacked { inner: MultiGzDecoder::new(BufReader::with_capacity(256 * 1024, packed)), left: RATIO_FLOOR.max(size.saturating_mul(MAX_RATIO)) }
    }
}

impl<R: Read> Read for Unpacked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.left = self
            .left
            .checked_sub(count as u64)
            .ok_or_else(|| std::io::Error::other(format!("it unpacks to more than {MAX_RATIO} times its size")))?;
        Ok(count)
    }
}
