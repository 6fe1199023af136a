//! The words of attachments: plain text, HTML, PDF, Word and calendars. Nothing is executed, no archive is opened beyond
//! the one document inside a Word file, and everything has a limit.

use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use pdf_extract::{Document, PlainTextOutput, output_doc_page};
use quick_xml::events::Event;

use super::{calendar, html, text};

/// Larger attachments are listed but not read.
pub const MAX_ATTACHMENT: usize = 20 * 1024 * 1024;
/// Text beyond this is left out.
const MAX_TEXT: usize = 1024 * 1024;
/// What the document of a Word file may unpack to.
const MAX_UNPACKED: usize = 8 * 1024 * 1024;
/// Of documents that take longer, the words of the first pages are kept.
const PATIENCE: Duration = Duration::from_secs(5);

/// What kind of words an attachment holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Html,
    Pdf,
    Word,
    Calendar,
}

/// By its type; by its name where the type says nothing.
fn kind_of(name: Option<&str>, content_type: Option<&str>) -> Option<Kind> {
    let extension = name.and_then(|name| name.rsplit_once('.')).map(|(_, extension)| extension.to_lowercase());
    let by_name = || match extension.as_deref()? {
        "txt" | "md" | "csv" | "log" | "tsv" => Some(Kind::Text),
        "html" | "htm" => Some(Kind::Html),
        "pdf" => Some(Kind::Pdf),
        "docx" => Some(Kind::Word),
        "ics" => Some(Kind::Calendar),
        _ => None,
    };
    match content_type.unwrap_or_default() {
        "text/html" => Some(Kind::Html),
        "text/calendar" | "application/ics" => Some(Kind::Calendar),
        "application/pdf" | "application/x-pdf" => Some(Kind::Pdf),
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document" => Some(Kind::Word),
        "text/plain" | "text/csv" | "text/markdown" => by_name().or(Some(Kind::Text)),
        _ => by_name(),
    }
}

/// Whether an attachment of this name and type may hold words that can be read.
pub fn is_readable(name: Option<&str>, content_type: Option<&str>, size: u64) -> bool {
    kind_of(name, content_type).is_some() && size > 0 && size <= MAX_ATTACHMENT as u64
}

/// Whether its format is so rich that reading it may break the reader: the words of such an attachment are to be read
/// by a process of their own.
pub fn is_document(name: Option<&str>, content_type: Option<&str>) -> bool {
    matches!(kind_of(name, content_type), Some(Kind::Pdf | Kind::Word))
}

/// The words of an attachment; `None` when it holds none, or none that can be read.
pub fn words(name: Option<&str>, content_type: Option<&str>, bytes: &[u8]) -> Option<String> {
    if bytes.len() > MAX_ATTACHMENT {
        return None;
    }
    let read = match kind_of(name, content_type)? {
        Kind::Text => Some(text::decode(bytes)),
        Kind::Html => Some(html::to_text(&text::decode(bytes))),
        Kind::Pdf => pdf(bytes),
        Kind::Word => word(bytes),
        Kind::Calendar => invitation(bytes),
    }?;
    let mut end = read.len().min(MAX_TEXT);
    while !read.is_char_boundary(end) {
        end -= 1;
    }
    let words = text::clean(&read[..end]).trim().to_owned();
    words.contains(char::is_alphanumeric).then_some(words)
}

fn pdf(bytes: &[u8]) -> Option<String> {
    let document = Document::load_mem(bytes).ok()?;
    let (mut words, started) = (String::new(), Instant::now());
    for page in document.get_pages().into_keys() {
        // A page that cannot be read costs only itself.
        let mut shown = String::new();
        let read = || output_doc_page(&document, &mut PlainTextOutput::new(&mut shown), page).is_ok();
        if catch_unwind(AssertUnwindSafe(read)).unwrap_or(false) {
            words.push_str(&shown);
            words.push('\n');
        }
        if words.len() > MAX_TEXT || started.elapsed() > PATIENCE {
            break;
        }
    }
    Some(words)
}

/// The paragraphs of the one document inside a Word file.
fn word(bytes: &[u8]) -> Option<String> {
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(bytes)).ok()?;
    let document = archive.by_name("word/document.xml").ok()?;
    let mut xml = Vec::new();
    document.take(MAX_UNPACKED as u64).read_to_end(&mut xml).ok()?;
    let xml = String::from_utf8_lossy(&xml);
    let mut reader = quick_xml::Reader::from_str(&xml);
    let (mut words, mut in_text) = (String::new(), false);
    loop {
        match reader.read_event().ok()? {
            Event::Start(tag) if tag.local_name().as_ref() == "t" => in_text = true,
            Event::End(tag) if tag.local_name().as_ref() == "t" => in_text = false,
            Event::End(tag) if tag.local_name().as_ref() == "p" => words.push('\n'),
            Event::Empty(tag) if matches!(tag.local_name().as_ref(), "br" | "tab") => words.push(' '),
            Event::Text(text) if in_text => words.push_str(&text),
            Event::GeneralRef(entity) if in_text => words.push_str(match entity.as_ref() {
                "amp" => "&",
                "lt" => "<",
                "gt" => ">",
                "quot" => "\"",
                "apos" => "'",
                _ => " ",
            }),
            Event::Eof => return Some(words),
            _ => {}
        }
        if words.len() > MAX_TEXT {
            return Some(words);
        }
    }
}

/// What an invitation says: title, time, agenda and people.
fn invitation(bytes: &[u8]) -> Option<String> {
    let read = calendar::read(bytes).ok()?;
    let mut words = String::new();
    for meeting in read.components.iter().take(20).filter_map(calendar::first_meeting) {
        let people: Vec<String> = meeting.participants.iter().filter_map(|p| p.name.clone().or_else(|| p.email.clone())).collect();
        let agenda = meeting.meeting.and_then(|m| m.agenda).unwrap_or_default();
        words.push_str(&format!("{}\n{}\n{}\n{agenda}\n", meeting.subject.unwrap_or_default(), meeting.occurred_at, people.join(", ")));
    }
    Some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_a_word_file() {
        let bytes = include_bytes!("../../fixtures/documents/offer.docx");
        assert_eq!(words(Some("offer.docx"), None, bytes).unwrap(), "Price & terms\n48,000 EUR");
        assert_eq!(words(Some("offer.docx"), None, &bytes[..40]), None);
        assert_eq!(words(Some("offer.zip"), None, bytes), None, "archives are not opened");
    }

    #[test]
    fn words_of_a_pdf() {
        let bytes = include_bytes!("../../fixtures/documents/offer.pdf");
        assert_eq!(words(Some("offer.pdf"), Some("application/pdf"), bytes).unwrap(), "The pump costs 4800 euros.\n\nDelivery in March (2026)");
        assert_eq!(words(None, Some("application/pdf"), b"%PDF-1.5 nothing"), None);
        assert_eq!(words(Some("x.exe"), Some("application/octet-stream"), b"MZ"), None);
    }

    #[test]
    fn what_unpacks_without_end_is_left_at_its_limit() {
        let mut file = std::io::Cursor::new(Vec::new());
        let mut zip = zip::ZipWriter::new(&mut file);
        zip.start_file("word/document.xml", zip::write::SimpleFileOptions::default()).unwrap();
        std::io::Write::write_all(&mut zip, b"<d><p><t>Begins</t></p>").unwrap();
        for _ in 0..MAX_UNPACKED / 4096 + 1 {
            std::io::Write::write_all(&mut zip, &[b' '; 4096]).unwrap();
        }
        std::io::Write::write_all(&mut zip, b"<p><t>beyond</t></p></d>").unwrap();
        zip.finish().unwrap();
        let bytes = file.into_inner();
        assert!(bytes.len() < 100_000);
        assert_eq!(words(Some("bomb.docx"), None, &bytes).unwrap(), "Begins");
    }

    #[test]
    fn an_invitation_says_what_it_is_about() {
        let ics = b"BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTART:20260312T090000Z\r\nSUMMARY:Price talk\r\nATTENDEE;CN=Ann Lee:mailto:ann@acme.example\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
        assert_eq!(words(Some("invite.ics"), Some("text/calendar"), ics).unwrap(), "Price talk\n2026-03-12T09:00:00Z\nAnn Lee");
    }
}
