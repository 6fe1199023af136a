//! Files on their way in: found, unpacked, told apart by content, and handed over in batches.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use flate2::bufread::MultiGzDecoder;
use rapport::ingest::email::MAX_MAIL;
use rapport::ingest::mailbox::{Format, Mbox, format_of, is_gzip};
use rapport::ingest::record::MAX_RECORD;
use tokio::sync::mpsc;

use super::progress::Progress;

/// What to take in.
pub struct Intake {
    pub files: Vec<PathBuf>,
    pub source: Option<String>,
    pub discover_accounts: bool,
}

/// Mails or records taken together.
const BATCH: usize = 200;
const BATCH_BYTES: usize = 8 * 1024 * 1024;

/// Where something stands: the file, and the line in it where that says more.
#[derive(Debug, Clone)]
pub struct At {
    file: Arc<str>,
    line: Option<u64>,
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
    Mails { source: String, items: Vec<(At, Vec<u8>)> },
    Records { items: Vec<(At, String)> },
    Rejected(At, String),
}

/// The files under these paths with their sizes, in order. Links are not followed out of a folder.
pub fn files(paths: &[PathBuf]) -> anyhow::Result<Vec<(PathBuf, u64)>> {
    let mut found = Vec::new();
    for path in paths {
        walk(path, &mut found, true)?;
    }
    Ok(found)
}

fn walk(path: &Path, found: &mut Vec<(PathBuf, u64)>, named: bool) -> anyhow::Result<()> {
    let about = if named { std::fs::metadata(path) } else { std::fs::symlink_metadata(path) };
    let about = about.with_context(|| format!("looking at {}", path.display()))?;
    if about.is_file() {
        found.push((path.to_owned(), about.len()));
    } else if about.is_dir() {
        let mut children: Vec<PathBuf> =
            std::fs::read_dir(path).with_context(|| format!("reading {}", path.display()))?.map(|e| Ok(e?.path())).collect::<std::io::Result<_>>()?;
        children.sort();
        // A Maildir delivers into tmp first: what is there is not complete.
        let is_maildir = path.join("cur").is_dir() && path.join("new").is_dir();
        for child in children {
            let name = child.file_name().and_then(|n| n.to_str()).unwrap_or_default();
            let hidden = name.starts_with('.') && !child.join("cur").is_dir();
            if !hidden && !(is_maildir && (name == "tmp" || child.is_file())) {
                walk(&child, found, false)?;
            }
        }
    }
    Ok(())
}

/// Reads files on a thread of its own; a slow taker makes it wait.
pub fn read(intake: Intake, progress: Progress) -> mpsc::Receiver<Piece> {
    let (send, receive) = mpsc::channel(2);
    std::thread::spawn(move || {
        for path in &intake.files {
            let file: Arc<str> = path.display().to_string().into();
            let mut reader = Reader {
                send: &send,
                source: intake.source.clone().unwrap_or_else(|| file.to_string()),
                mails: Vec::new(),
                records: Vec::new(),
                bytes: 0,
            };
            let at = At { file: file.clone(), line: None };
            if let Err(stopped) = read_file(path, &file, &mut reader, &progress).and_then(|()| reader.flush()) {
                match stopped {
                    Stopped::TakerGone => return,
                    Stopped::Unreadable(reason) => {
                        let sent = reader.flush().and_then(|()| reader.reject(at, reason));
                        if sent.is_err() {
                            return;
                        }
                    }
                }
            }
        }
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
    source: String,
    mails: Vec<(At, Vec<u8>)>,
    records: Vec<(At, String)>,
    bytes: usize,
}

impl Reader<'_> {
    fn mail(&mut self, at: At, raw: Vec<u8>) -> Result<(), Stopped> {
        self.bytes += raw.len();
        self.mails.push((at, raw));
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
            let piece = Piece::Mails { source: self.source.clone(), items: mails };
            self.send.blocking_send(piece).map_err(|_| Stopped::TakerGone)?;
        }
        if !records.is_empty() {
            self.send.blocking_send(Piece::Records { items: records }).map_err(|_| Stopped::TakerGone)?;
        }
        Ok(())
    }
}

fn read_file(path: &Path, file: &Arc<str>, reader: &mut Reader, progress: &Progress) -> Result<(), Stopped> {
    let opened = File::open(path).map_err(|e| Stopped::Unreadable(format!("the file cannot be opened: {e}")))?;
    let mut packed = BufReader::with_capacity(256 * 1024, Counted { inner: opened, progress: progress.clone() });
    if is_gzip(packed.fill_buf()?) {
        read_content(BufReader::with_capacity(256 * 1024, MultiGzDecoder::new(packed)), file, reader)
    } else {
        read_content(packed, file, reader)
    }
}

fn read_content(mut content: impl BufRead, file: &Arc<str>, reader: &mut Reader) -> Result<(), Stopped> {
    let at = |line| At { file: file.clone(), line };
    match format_of(content.fill_buf()?) {
        Format::Mbox => {
            for item in Mbox::new(content) {
                match item? {
                    (line, Ok(raw)) => reader.mail(at(Some(line)), raw)?,
                    (line, Err(reason)) => reader.reject(at(Some(line)), reason)?,
                }
            }
            Ok(())
        }
        Format::Email => {
            let mut raw = Vec::new();
            content.take(MAX_MAIL as u64 + 1).read_to_end(&mut raw)?;
            reader.mail(at(None), raw)
        }
        Format::Records => read_records(content, file, reader),
        Format::Unknown => {
            let reason = "not a format this reads: a mail, an mbox, or records as NDJSON, each also packed with gzip".to_owned();
            reader.reject(at(None), reason)
        }
    }
}

fn read_records(mut content: impl BufRead, file: &Arc<str>, reader: &mut Reader) -> Result<(), Stopped> {
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
            reader.reject(at, format!("the line is longer than the limit of {MAX_RECORD} bytes"))?;
            continue;
        }
        match std::str::from_utf8(&line) {
            Ok(text) => {
                let text = text.trim_start_matches('\u{feff}').trim();
                if !text.is_empty() {
                    reader.record(at, text.to_owned())?;
                }
            }
            Err(error) => reader.reject(at, format!("not UTF-8 from byte {} of the line", error.valid_up_to()))?,
        }
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
