//! The messages of an mbox, one after the other.

use std::io::{self, BufRead, Read};

use super::email::MAX_MAIL;
use super::format::is_header;

/// A message of an mbox, or why it could not be taken.
#[derive(Debug, PartialEq, Eq)]
pub struct MboxItem {
    /// The line it starts on, counted from 1.
    pub line: u64,
    /// Its bytes in the file, with its "From " line: an mbox of this message alone.
    pub place: std::ops::Range<u64>,
    pub mail: Result<Vec<u8>, String>,
}

/// Splits an mbox as it is read; memory holds one message at a time.
pub struct Mbox<R> {
    reader: R,
    line: u64,
    /// Bytes read.
    position: u64,
    /// Where the message being read begins.
    begin: u64,
    /// Whether a message has begun that is not yet handed out.
    started: bool,
}

impl<R: BufRead> Mbox<R> {
    pub fn new(reader: R) -> Mbox<R> {
        Mbox { reader, line: 0, position: 0, begin: 0, started: false }
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
                let place = self.begin..self.position;
                return Ok(unfinished.then(|| MboxItem { line: first_line, place, mail: finish(message, size) }));
            }
            self.line += 1;
            let before = self.position;
            self.position += line.len() as u64;
            if line.starts_with(b"From ") && (after_blank || is_envelope(&line)) && self.header_follows()? {
                let ended = std::mem::replace(&mut self.started, true);
                let begun = std::mem::replace(&mut self.begin, before);
                if ended {
                    return Ok(Some(MboxItem { line: first_line, place: begun..before, mail: finish(message, size) }));
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

/// Whether a "From " line carries what mailboxes write there: a dash alone, or a weekday and a time. Such a line needs no
/// blank one before it.
fn is_envelope(line: &[u8]) -> bool {
    const DAYS: [&str; 7] = [" Mon ", " Tue ", " Wed ", " Thu ", " Fri ", " Sat ", " Sun "];
    let text = String::from_utf8_lossy(line);
    let text = text.trim_end();
    text == "From -" || (DAYS.iter().any(|day| text.contains(day)) && text.contains(':') && text.len() < 200)
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
        let items: Vec<MboxItem> = Mbox::new(mbox.as_bytes()).map(Result::unwrap).collect();
        for item in &items {
            let alone = &mbox.as_bytes()[usize::try_from(item.place.start).unwrap()..usize::try_from(item.place.end).unwrap()];
            assert_eq!(Mbox::new(alone).next().unwrap().unwrap().mail, item.mail, "a message can be read alone");
        }
        items.into_iter().map(|item| (item.line, String::from_utf8(item.mail.unwrap()).unwrap())).collect()
    }

    #[test]
    fn messages_are_split_at_from_lines_only() {
        let messages = split("From a Mon\nSubject: 1\n\nFrom here on\n>From the start\n\nFrom b Tue\nSubject: 2\n\nbye\n");
        assert_eq!(messages.len(), 2);
        assert_eq!(messages[0].1, "Subject: 1\n\nFrom here on\nFrom the start\n");
        assert_eq!(messages[1], (7, "Subject: 2\n\nbye\n".to_owned()));
        assert_eq!(split("From - \nSubject: 1\n\n--x--\nFrom - \nSubject: 2\n\nFrom a b Mon at 9: no\nhi\n").len(), 2);
        assert_eq!(split(""), []);
    }
}
