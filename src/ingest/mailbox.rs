//! Files that hold mail: what kind a file is, and the messages of an mbox one after the other.

use std::io::{self, BufRead, Read};

use super::email::MAX_MAIL;

/// What a file holds, told from its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Mbox,
    Email,
    Records,
    /// Recognised as nothing this reads.
    Unknown,
}

/// The format by content; `start` is the beginning of the (unpacked) file.
pub fn format_of(start: &[u8]) -> Format {
    let text = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start);
    let first = text.iter().position(|b| !b.is_ascii_whitespace()).unwrap_or(text.len());
    let text = &text[first..];
    if text.starts_with(b"From ") {
        return Format::Mbox;
    }
    if text.starts_with(b"{") || text.starts_with(b"[") {
        return Format::Records;
    }
    let first_line = text.split(|&b| b == b'\n').next().unwrap_or_default();
    if is_header(first_line) { Format::Email } else { Format::Unknown }
}

/// Whether packed with gzip, by its magic number.
pub fn is_gzip(start: &[u8]) -> bool {
    start.starts_with(&[0x1f, 0x8b])
}

fn is_header(line: &[u8]) -> bool {
    match line.iter().position(|&b| b == b':') {
        Some(0) | None => false,
        Some(colon) => line[..colon].iter().all(|&b| b.is_ascii_graphic()),
    }
}

/// A message of an mbox with the line it starts on, or why it could not be taken.
pub type MboxItem = (u64, Result<Vec<u8>, String>);

/// Splits an mbox as it is read; memory holds one message at a time.
pub struct Mbox<R> {
    reader: R,
    line: u64,
    /// Whether a message has begun that is not yet handed out.
    started: bool,
}

impl<R: BufRead> Mbox<R> {
    pub fn new(reader: R) -> Mbox<R> {
        Mbox { reader, line: 0, started: false }
    }

    /// Reads to the next "From " line. A line counts as one when a blank line precedes it and a header follows.
    fn next_message(&mut self) -> io::Result<Option<MboxItem>> {
        let mut message = Vec::new();
        let mut size = 0usize;
        let mut line = Vec::new();
        let mut after_blank = true;
        // The line of this message's own "From ", read by the call before.
        let first_line = self.line.max(1);
        loop {
            line.clear();
            if self.reader.by_ref().take(MAX_MAIL as u64 + 1).read_until(b'\n', &mut line)? == 0 {
                let unfinished = std::mem::take(&mut self.started);
                return Ok(unfinished.then(|| (first_line, finish(message, size))));
            }
            self.line += 1;
            if after_blank && line.starts_with(b"From ") && self.header_follows()? {
                let ended = std::mem::replace(&mut self.started, true);
                if ended {
                    return Ok(Some((first_line, finish(message, size))));
                }
                continue;
            }
            after_blank = line.iter().all(|b| matches!(b, b'\r' | b'\n'));
            self.started |= !after_blank;
            size += line.len();
            if size <= MAX_MAIL {
                message.extend_from_slice(unescape(&line));
            }
        }
    }

    fn header_follows(&mut self) -> io::Result<bool> {
        let ahead = self.reader.fill_buf()?;
        let line = ahead.split(|&b| b == b'\n').next().unwrap_or_default();
        // At the end of the buffer the next line may be cut; a cut header name has no colon yet.
        let cut_name = !ahead.is_empty() && line.len() == ahead.len() && line.iter().all(u8::is_ascii_graphic);
        Ok(is_header(line) || cut_name)
    }
}

/// mboxrd marks lines that begin with "From " by a `>`; one is taken off.
fn unescape(line: &[u8]) -> &[u8] {
    let quoted = line.iter().take_while(|&&b| b == b'>').count();
    if quoted > 0 && line[quoted..].starts_with(b"From ") { &line[1..] } else { line }
}

fn finish(mut message: Vec<u8>, size: usize) -> Result<Vec<u8>, String> {
    if size > MAX_MAIL {
        return Err(format!("the mail has {size} bytes; the limit is {MAX_MAIL}"));
    }
    // The blank line before the next "From " belongs to the mbox, not to the message.
    for end in [&b"\r\n\r\n"[..], b"\n\n"] {
        if message.ends_with(end) {
            message.truncate(message.len() - end.len() / 2);
            break;
        }
    }
    Ok(message)
}

impl<R: BufRead> Iterator for Mbox<R> {
    type Item = io::Result<MboxItem>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_message().transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(mbox: &str) -> Vec<(u64, String)> {
        Mbox::new(mbox.as_bytes()).map(|item| item.map(|(line, raw)| (line, String::from_utf8(raw.unwrap()).unwrap())).unwrap()).collect()
    }

    #[test]
    fn messages_are_split_at_from_lines_only() {
        let messages = split("From a Mon\nSubject: 1\n\nFrom here on\n>From the start\n\nFrom b Tue\nSubject: 2\n\nbye\n");
        assert_eq!(messages.len(), 2);
        assert_eq!(messages[0].1, "Subject: 1\n\nFrom here on\nFrom the start\n");
        assert_eq!(messages[1], (7, "Subject: 2\n\nbye\n".to_owned()));
        assert_eq!(split(""), []);
    }

    #[test]
    fn the_format_is_told_from_the_content() {
        for (start, format) in [
            ("From x Mon\n", Format::Mbox),
            ("Return-Path: <a@b>\n", Format::Email),
            ("\u{feff}{\"kind\":\"account\"}", Format::Records),
            ("[{", Format::Records),
            ("hello world\n", Format::Unknown),
            ("", Format::Unknown),
        ] {
            assert_eq!(format_of(start.as_bytes()), format, "{start:?}");
        }
        assert!(is_gzip(&[0x1f, 0x8b, 8]));
    }
}
