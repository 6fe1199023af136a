//! What kind of file this is, told from its beginning.

use serde_json::Value;

use super::{chat, table, text, transcript};
use crate::domain::record::Kind;

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    /// NDJSON, or a JSON array of records.
    Records,
    /// CSV.
    Table,
    /// vCards.
    Cards,
    Calendar,
    /// WebVTT or SRT.
    Cues,
    /// JSON that is no record: a transcript or a chat.
    Json,
    Chat,
    Mbox,
    Email,
    /// An archive; what is in it is for its owner to unpack.
    Archive,
    /// Recognised as nothing this reads.
    Unknown,
}

/// The format by content; `start` is the beginning of the (unpacked) file, a few kilobytes at least.
pub fn format_of(start: &[u8]) -> Format {
    if start.starts_with(b"PK\x03\x04")
        || start.starts_with(b"7z\xbc\xaf")
        || start.starts_with(b"Rar!")
        || start.starts_with(b"BZh")
        || start.starts_with(b"\xfd7zXZ")
    {
        return Format::Archive;
    }
    let decoded = text::decode(&start[..start.len().min(64 * 1024)]);
    let text = decoded.trim_start();
    let lower: String = text.chars().take(20).collect::<String>().to_ascii_lowercase();
    if text.starts_with("From ") {
        return Format::Mbox;
    }
    if lower.starts_with("begin:vcalendar") {
        return Format::Calendar;
    }
    if lower.starts_with("begin:vcard") {
        return Format::Cards;
    }
    let is_timing = |line: &str| line.contains("-->") && line.trim_start().starts_with(|c: char| c.is_ascii_digit());
    if lower.starts_with("webvtt") || text.lines().filter(|line| !line.trim().is_empty()).take(6).any(is_timing) {
        return Format::Cues;
    }
    if chat::is_chat(text) {
        return Format::Chat;
    }
    if text.starts_with(['{', '[']) {
        return if names_a_kind(text) || is_line_of_json(text) { Format::Records } else { Format::Json };
    }
    if is_header(text.lines().next().unwrap_or_default().as_bytes()) {
        return Format::Email;
    }
    if table::is_table(text) { Format::Table } else { Format::Unknown }
}

/// Whether packed with gzip, by its magic number.
pub fn is_gzip(start: &[u8]) -> bool {
    start.starts_with(&[0x1f, 0x8b])
}

/// Whether a line can be the first of a mail: a header's name and a colon.
pub(super) fn is_header(line: &[u8]) -> bool {
    match line.iter().position(|&b| b == b':') {
        Some(0) | None => false,
        Some(colon) => line[..colon].iter().all(|&b| b.is_ascii_graphic()),
    }
}

/// Whether `"kind": "…"` of a record stands near the beginning.
fn names_a_kind(text: &str) -> bool {
    let near: String = text.chars().take(4_000).collect();
    near.match_indices("\"kind\"").any(|(at, key)| {
        let rest = near[at + key.len()..].trim_start();
        let value = rest.strip_prefix(':').map(str::trim_start).and_then(|v| v.strip_prefix('"'));
        value.and_then(|v| v.split('"').next()).is_some_and(|word| word.parse::<Kind>().is_ok())
    })
}

/// Whether the first of several lines is a JSON object by itself: a record that lacks its kind, or a bad one.
fn is_line_of_json(text: &str) -> bool {
    let mut lines = text.lines().filter(|line| !line.trim().is_empty());
    let first = lines.next().unwrap_or_default();
    let alone = lines.next().is_none();
    match serde_json::from_str::<Value>(first) {
        // One object on one line may be a whole transcript.
        Ok(Value::Object(_)) => !alone || !transcript::is_json(first),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_told_by_its_beginning() {
        for (start, format) in [
            ("From a@b Mon\nSubject: x\n", Format::Mbox),
            ("Received: from x\nSubject: y\n\nhi", Format::Email),
            ("Subject: Hall 1 --> Hall 2\nFrom: a@b.example\n\nhi", Format::Email),
            ("\u{feff}{\"kind\":\"account\",\"id\":\"a\"}\n", Format::Records),
            ("[\n {\n  \"kind\": \"account\"", Format::Records),
            ("{\"id\":\"a\"}\n{\"id\":\"b\"}\n", Format::Records),
            ("[{\"speaker\":\"A\",\"start\":0,\"end\":1,\"text\":\"hi\"}]", Format::Json),
            ("{\"transcript\":[{\"speaker\":\"A\",\"text\":\"hi there\"}]}", Format::Json),
            ("WEBVTT\n\n00:00.000 --> 00:01.000\nhi", Format::Cues),
            ("1\n00:00:00,000 --> 00:00:01,000\nhi", Format::Cues),
            ("BEGIN:VCALENDAR\r\nVERSION:2.0", Format::Calendar),
            ("begin:vcard\nversion:3.0", Format::Cards),
            ("Name,Email\nAnn,a@x.example\n", Format::Table),
            ("12/03/2026, 09:14 - Ann: hi\n12/03/2026, 09:15 - Bob: ho\n", Format::Chat),
            ("just words\n", Format::Unknown),
            ("", Format::Unknown),
            ("PK\u{3}\u{4}", Format::Archive),
        ] {
            assert_eq!(format_of(start.as_bytes()), format, "{start}");
        }
    }
}
