//! Files on their way in: found, looked into, and put in order. What tells who is who comes first; mail comes newest
//! first, so that an account is useful long before the last mail is in.

use std::fs::{File, Metadata};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use anyhow::Context;
use flate2::bufread::MultiGzDecoder;
use jiff::Timestamp;
use rapport::ingest::email;
use rapport::ingest::format::{Format, format_of, is_gzip};

/// A file and what it holds.
#[derive(Debug, Clone)]
pub struct Source {
    pub path: PathBuf,
    pub size: u64,
    /// Why it is not read, or what it is.
    pub content: Result<(Format, Packed), String>,
    /// When its mail was written; orders single mails.
    dated: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packed {
    Not,
    Gzip,
}

/// How much of a file tells what it is.
const SAMPLE: usize = 16 * 1024;

/// The files under these paths, in the order in which they are taken. Links are not followed out of a folder.
pub fn files(paths: &[PathBuf]) -> anyhow::Result<Vec<Source>> {
    let mut found = Vec::new();
    for path in paths {
        let about = std::fs::metadata(path).with_context(|| format!("looking at {}", path.display()))?;
        walk(path, &about, &mut found);
    }
    found.sort_by_key(|source| match &source.content {
        Ok((Format::Mbox | Format::Email, _)) => (Format::Mbox, std::cmp::Reverse(source.dated)),
        Ok((format, _)) => (*format, std::cmp::Reverse(None)),
        Err(_) => (Format::Unknown, std::cmp::Reverse(None)),
    });
    Ok(found)
}

/// What cannot be looked at is a file that cannot be read; the others are.
fn walk(path: &Path, about: &Metadata, found: &mut Vec<Source>) {
    let mut refuse = |path: &Path, reason: String| found.push(Source { path: path.to_owned(), size: 0, content: Err(reason), dated: None });
    if about.is_file() {
        return found.push(look_into(path, about.len()));
    }
    if !about.is_dir() {
        let reason = if about.is_symlink() { "a link is not followed; name what it points to" } else { "neither a file nor a folder" };
        return refuse(path, reason.to_owned());
    }
    let mut children: Vec<PathBuf> = match std::fs::read_dir(path).and_then(|list| list.map(|e| Ok(e?.path())).collect()) {
        Ok(children) => children,
        Err(e) => return refuse(path, format!("the folder cannot be read: {e}")),
    };
    children.sort();
    // A Maildir delivers into tmp first: what is there is not complete.
    let is_maildir = path.join("cur").is_dir() && path.join("new").is_dir();
    for child in children {
        let name = child.file_name().and_then(|n| n.to_str()).unwrap_or_default();
        let hidden = name.starts_with('.') && !child.join("cur").is_dir();
        if hidden || (is_maildir && (name == "tmp" || child.is_file())) {
            continue;
        }
        match std::fs::symlink_metadata(&child) {
            Ok(about) => walk(&child, &about, found),
            Err(e) => found.push(Source { path: child, size: 0, content: Err(format!("it cannot be looked at: {e}")), dated: None }),
        }
    }
}

fn look_into(path: &Path, size: u64) -> Source {
    let mut source = Source { path: path.to_owned(), size, content: Err(String::new()), dated: None };
    source.content = match sample(path) {
        Ok((start, packed)) => {
            let format = match format_of(&start) {
                // What a mail program named a mail is one, however little it looks like it.
                Format::Unknown | Format::Table if is_named_mail(path) => Format::Email,
                told => told,
            };
            if format == Format::Email {
                source.dated = email::written_at(&start);
            }
            match format {
                Format::Archive => Err("an archive is not unpacked; unpack it and import the folder".to_owned()),
                Format::Unknown => {
                    Err("not a format this reads: a mail, an mbox, a transcript, a calendar, a table, vCards, a chat, or records".to_owned())
                }
                known => Ok((known, packed)),
            }
        }
        Err(error) => Err(format!("the file cannot be read: {error}")),
    };
    source
}

fn is_named_mail(path: &Path) -> bool {
    let within = path.parent().and_then(Path::file_name);
    path.extension().is_some_and(|e| e.eq_ignore_ascii_case("eml")) || within.is_some_and(|folder| folder == "cur" || folder == "new")
}

fn sample(path: &Path) -> std::io::Result<(Vec<u8>, Packed)> {
    let mut reader = BufReader::with_capacity(SAMPLE, File::open(path)?);
    let mut start = Vec::new();
    if is_gzip(reader.fill_buf()?) {
        let read = MultiGzDecoder::new(reader).take(SAMPLE as u64).read_to_end(&mut start);
        // A packed file that breaks off later is read as far as it goes.
        if start.is_empty() {
            read?;
        }
        Ok((start, Packed::Gzip))
    } else {
        reader.take(SAMPLE as u64).read_to_end(&mut start)?;
        Ok((start, Packed::Not))
    }
}
