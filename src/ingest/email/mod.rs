//! One RFC 5322 message to a mail: who wrote to whom, when, what, and what identifies it.

mod content;
mod people;
mod sender;

use jiff::Timestamp;
use mail_parser::{HeaderValue, Message, MessageParser};
use sha2::{Digest, Sha256};

use self::content::{attachments_of, depth, describe};
use self::people::{author_of, is_list, list_addresses, people};
use super::automatic::{self, Automatic};
use super::text::clean;
use super::{absence, concealed, likeness, reply};
use crate::domain::Address;
use crate::domain::entry::{Attachment, Entry, EntryType, Flag, Hidden, HiddenBy, Participant, ParticipantRole, new_words};
use crate::domain::span::{Span, SpanKind};

/// Larger mails are refused with a sentence; what mail systems commonly accept.
pub const MAX_MAIL: usize = 25 * 1024 * 1024;

/// Beyond these a mail is kept raw and flagged, but not taken apart.
const MAX_PARTS: usize = 1_000;
const MAX_DEPTH: usize = 50;
const MAX_PEOPLE: usize = 1_000;
/// Longer text is cut in the entry; the raw mail keeps all of it.
const MAX_BODY: usize = 1024 * 1024;
const MAX_SUBJECT: usize = 2_000;
const MAX_REFERENCES: usize = 100;

/// A mail as read, before anyone has said whose customer it is.
#[derive(Debug, Clone)]
pub struct Mail {
    /// The timeline item; its id is the mail's identity, its type and side are decided by who "us" is.
    pub entry: Entry,
    pub spans: Vec<Span>,
    pub flags: Vec<Flag>,
    /// Words that stand in it and that its reader does not see.
    pub hidden: Vec<Hidden>,
    pub automatic: Option<Automatic>,
    /// Fingerprint of its new words; see [`likeness`].
    pub likeness: Option<u64>,
    pub message_id: Option<String>,
    /// Message-IDs of the mails it answers, nearest first.
    pub references: Vec<String>,
    /// Who wrote it: the From address or, when a list rewrote it, the one in Reply-To.
    pub author: Option<Address>,
    /// To and Cc without mailing lists.
    pub recipients: Vec<Address>,
}

/// Reads one message. `received_at` stands in for a missing or absurd date.
///
/// # Errors
/// Only an empty input or one over [`MAX_MAIL`] is refused; everything else becomes a mail, however broken.
pub fn parse(raw: &[u8], received_at: Timestamp) -> Result<Mail, String> {
    if raw.len() > MAX_MAIL {
        return Err(format!("the mail has {} bytes; the limit is {MAX_MAIL}", raw.len()));
    }
    if raw.iter().all(u8::is_ascii_whitespace) {
        return Err("the mail is empty".to_owned());
    }
    let parsed = taken_apart(raw);
    let nested = parsed.is_none();
    let Some(message) = parsed.or_else(|| MessageParser::default().parse_headers(raw)) else {
        return Ok(unreadable(raw, received_at));
    };
    let too_complex = nested || message.parts.len() > MAX_PARTS || depth(&message, 0) > MAX_DEPTH;
    let mut flags = Vec::new();
    let lists = list_addresses(&message);
    let (from, author) = author_of(&message, &lists);
    let (to, cc) = (people(message.header_values("To")), people(message.header_values("Cc")));
    if too_complex || to.len() + cc.len() > MAX_PEOPLE {
        flags.push(Flag::TooComplex);
    }

    let raw_subject: String =
        clean(first(&message, "Subject").and_then(HeaderValue::as_text).unwrap_or_default()).chars().take(MAX_SUBJECT).collect();
    let (content, attachments, digest) = if too_complex {
        (content::Content::default(), Vec::new(), Sha256::digest(after_headers(raw)).to_vec())
    } else {
        let (attachments, digest) = attachments_of(&message);
        (content::read(&message), attachments, digest)
    };
    let mut hidden = content.hidden;
    let mut list = |texts: Vec<String>| hidden.extend(texts.into_iter().map(|text| Hidden { by: HiddenBy::Characters, text }));
    let (subject, unseen) = concealed::without(&raw_subject);
    list(unseen);
    for name in
        message.header_values("From").chain(message.header_values("To")).chain(message.header_values("Cc")).filter_map(HeaderValue::as_address)
    {
        name.iter().filter_map(|a| a.name()).for_each(|name| list(concealed::without(name).1));
    }
    message.attachments().filter_map(mail_parser::MimeHeaders::attachment_name).for_each(|name| list(concealed::without(name).1));
    let body = match cut(&content.body, MAX_BODY) {
        Some(shorter) => {
            flags.push(Flag::Shortened);
            shorter.to_owned()
        }
        None => content.body,
    };
    let concealed = concealed::find(&body);
    list(concealed.iter().map(|stretch| stretch.text.clone()).filter(|text| !text.is_empty()).collect());
    if !hidden.is_empty() {
        flags.push(Flag::HiddenText);
    }
    if !sender::is_believable(&message, author.as_ref()) {
        flags.push(Flag::UnverifiedSender);
    }

    let dated = date_of(&message);
    let occurred_at = dated.unwrap_or(received_at);
    if dated.is_none() {
        flags.push(Flag::DateUnknown);
    } else if occurred_at > received_at {
        flags.push(Flag::FromTheFuture);
    }

    let message_id = message.message_id().map(tidy_id).filter(|id| !id.is_empty());
    let id = identity(&Identity {
        message_id: message_id.as_deref(),
        from: message.header_raw("From").map(str::trim),
        date: message.date().and_then(usable).map(|d| d.as_second().to_string()).or_else(|| message.header_raw("Date").map(|d| d.trim().to_owned())),
        subject: &raw_subject,
        body: cut(&content.source, MAX_BODY).unwrap_or(&content.source),
        attachments: &digest,
    });

    let mut entry = Entry::new(id, EntryType::EmailReceived, occurred_at);
    let automatic = automatic::recognise(&message, author.as_ref().map(Address::as_str), &subject)
        .or_else(|| absence::reads_like_absence(&body).then_some(Automatic::AutoReply));
    entry.subject = (!subject.is_empty()).then_some(subject);
    entry.channel = lists.first().map(|list| list.to_string());
    entry.participants.extend(from);
    for (role, list) in [(ParticipantRole::To, to), (ParticipantRole::Cc, cc)] {
        for (name, address) in list.into_iter().take(MAX_PEOPLE / 2) {
            if !is_list(&address, &lists) {
                entry.participants.push(Participant { role, name, email: Some(address.to_string()) });
            }
        }
    }
    let recipients = entry.participants.iter().filter(|p| p.role != ParticipantRole::From).filter_map(Participant::address).collect();
    entry.attachments = attachments;
    let spans = if automatic.is_some() { whole(&body, SpanKind::Automatic) } else { reply::split(&body) };
    let spans = cut_out(spans, &concealed);
    let likeness = likeness::of(new_words(&body, &spans).map(|(_, words)| words));
    entry.body = body;
    Ok(Mail { entry, spans, flags, hidden, automatic, likeness, message_id, references: references_of(&message), author, recipients })
}

/// When a mail says it was written, as far as its headers can be read; its beginning is enough.
pub fn written_at(raw: &[u8]) -> Option<Timestamp> {
    const HEADERS: usize = 64 * 1024;
    let start = &raw[..raw.len().min(HEADERS)];
    let headers = &start[..start.len() - after_headers(start).len()];
    let headers = if headers.is_empty() { start } else { headers };
    MessageParser::default().parse_headers(headers)?.date().and_then(usable)
}

/// The bytes of attachment `index`, with its name and type; the same numbering as the entry's list.
pub fn attachment(raw: &[u8], index: usize) -> Option<(Attachment, Vec<u8>)> {
    let message = taken_apart(raw)?;
    let part = message.attachments().nth(index)?;
    Some((describe(part), part.contents().to_vec()))
}

/// The first header of this name: of several, as only broken and forged mail has, the one that readers show.
fn first<'a>(message: &'a Message<'a>, name: &'static str) -> Option<&'a HeaderValue<'a>> {
    message.header_values(name).next()
}

/// The message with its parts; none when it nests without end or breaks the parser, which some mails do.
fn taken_apart(raw: &[u8]) -> Option<Message<'_>> {
    if is_nested_without_end(raw) {
        return None;
    }
    std::panic::catch_unwind(|| MessageParser::default().parse(raw)).ok().flatten()
}

/// Whether so many messages may lie inside each other that taking them apart would exhaust the stack.
fn is_nested_without_end(raw: &[u8]) -> bool {
    const INNER: &[u8] = b"message/rfc822";
    let starts = raw.windows(INNER.len()).filter(|window| window.eq_ignore_ascii_case(INNER));
    starts.take(MAX_PARTS / 2 + 1).count() > MAX_PARTS / 2
}

/// The raw bytes behind the header block, which mailboxes leave as they are.
fn after_headers(raw: &[u8]) -> &[u8] {
    let end = raw.windows(4).position(|w| w == b"\r\n\r\n").map(|at| at + 4);
    let end = end.or_else(|| raw.windows(2).position(|w| w == b"\n\n").map(|at| at + 2));
    end.map_or(raw, |end| &raw[end..])
}

/// A span of one kind over the whole body; none when it holds no words.
fn whole(body: &str, kind: SpanKind) -> Vec<Span> {
    let start = body.chars().take_while(|c| c.is_whitespace()).count();
    let end = body.trim_end().chars().count();
    if start < end { vec![Span::new(kind, start, end)] } else { Vec::new() }
}

/// Spans in which the concealed stretches are of a kind of their own.
fn cut_out(spans: Vec<Span>, concealed: &[concealed::Stretch]) -> Vec<Span> {
    let mut cut = Vec::with_capacity(spans.len());
    for span in spans {
        let mut at = span.start;
        for stretch in concealed.iter().filter(|s| s.start < span.end && s.end > span.start) {
            let (start, end) = (stretch.start.max(span.start), stretch.end.min(span.end));
            if start > at {
                cut.push(Span { start: at, end: start, ..span });
            }
            cut.push(Span::new(SpanKind::Hidden, start, end));
            at = end;
        }
        if at < span.end {
            cut.push(Span { start: at, ..span });
        }
    }
    cut
}

fn unreadable(raw: &[u8], received_at: Timestamp) -> Mail {
    let text = clean(&String::from_utf8_lossy(raw));
    let body = cut(&text, MAX_BODY).unwrap_or(&text).to_owned();
    let id = identity(&Identity { message_id: None, from: None, date: None, subject: "", body: &body, attachments: &[] });
    let mut entry = Entry::new(id, EntryType::EmailReceived, received_at);
    entry.body = body;
    let spans = whole(&entry.body, SpanKind::New);
    let flags = vec![Flag::TooComplex, Flag::DateUnknown];
    Mail {
        entry,
        spans,
        flags,
        hidden: Vec::new(),
        automatic: None,
        likeness: None,
        message_id: None,
        references: Vec::new(),
        author: None,
        recipients: Vec::new(),
    }
}

// ---- identity ----------------------------------------------------------------------------------------------------

struct Identity<'a> {
    message_id: Option<&'a str>,
    from: Option<&'a str>,
    date: Option<String>,
    subject: &'a str,
    body: &'a str,
    attachments: &'a [u8],
}

/// Message-ID plus a hash of From, Date, Subject, decoded body and attachments; transport headers are ignored.
/// Line ends and trailing blank space differ between mailboxes of one mail, so they do not count.
fn identity(of: &Identity) -> String {
    let mut hash = Sha256::new();
    let mut field = |text: &str| {
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text.as_bytes());
    };
    field(of.message_id.unwrap_or_default());
    field(&of.from.unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" "));
    field(of.date.as_deref().unwrap_or_default());
    field(of.subject.trim());
    field(of.body.lines().map(str::trim_end).collect::<Vec<_>>().join("\n").trim_end());
    hash.update(of.attachments);
    let digest = hash.finalize();
    let hex: String = digest[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("mail.{hex}")
}

fn tidy_id(id: &str) -> String {
    id.trim().trim_matches(['<', '>']).chars().filter(|c| !c.is_whitespace() && !c.is_control()).take(500).collect()
}

fn references_of(message: &Message) -> Vec<String> {
    let mut ids = Vec::new();
    let mut add = |value: &HeaderValue| match value {
        HeaderValue::Text(id) => ids.push(tidy_id(id)),
        HeaderValue::TextList(list) => ids.extend(list.iter().rev().map(|id| tidy_id(id))),
        _ => {}
    };
    add(message.in_reply_to());
    add(message.references());
    let mut seen = std::collections::HashSet::new();
    ids.retain(|id| !id.is_empty() && seen.insert(id.clone()));
    ids.truncate(MAX_REFERENCES);
    ids
}

/// The Date header, else the topmost Received; None when absent or outside 1970–2100.
fn date_of(message: &Message) -> Option<Timestamp> {
    message.date().and_then(usable).or_else(|| message.received().and_then(|r| r.date()).as_ref().and_then(usable))
}

fn usable(date: &mail_parser::DateTime) -> Option<Timestamp> {
    let seconds = date.is_valid().then(|| date.to_timestamp())?;
    (0..4_102_444_800).contains(&seconds).then(|| Timestamp::from_second(seconds).ok())?
}

/// The first `max` bytes, at a character; None when the text is not longer.
fn cut(text: &str, max: usize) -> Option<&str> {
    if text.len() <= max {
        return None;
    }
    let end = (0..=max).rev().find(|&i| text.is_char_boundary(i))?;
    Some(&text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(raw: &str) -> Mail {
        parse(raw.replace('\n', "\r\n").as_bytes(), "2026-03-02T12:00:00Z".parse().unwrap()).unwrap()
    }

    const PLAIN: &str = "Message-ID: <1@acme.example>\nFrom: Ann Lee <Ann@Acme.example>\nTo: Jo <jo@us.example>\n\
        Date: Tue, 3 Feb 2026 09:12:00 +0100\nSubject: =?iso-8859-1?Q?Gr=FC=DFe?=\nIn-Reply-To: <0@us.example>\n\
        References: <a@us.example> <0@us.example>\n\nHello Jo,\nall fine.\n";

    #[test]
    fn a_plain_mail() {
        let mail = read(PLAIN);
        assert_eq!(mail.entry.subject.as_deref(), Some("Grüße"));
        assert_eq!(mail.entry.body, "Hello Jo,\nall fine.\n");
        assert_eq!(mail.entry.occurred_at.to_string(), "2026-02-03T08:12:00Z");
        assert_eq!(mail.author.as_ref().unwrap().as_str(), "ann@acme.example");
        assert_eq!(mail.recipients.iter().map(Address::as_str).collect::<Vec<_>>(), ["jo@us.example"]);
        assert_eq!(mail.references, ["0@us.example", "a@us.example"]);
        assert!(mail.flags.is_empty() && mail.automatic.is_none());
    }

    #[test]
    fn transport_headers_do_not_change_the_identity_but_content_does() {
        let plain = read(PLAIN).entry.id;
        assert_eq!(read(&format!("Received: from x by y; Tue, 3 Feb 2026 09:13:00 +0100\nDelivered-To: jo@us.example\n{PLAIN}\n\n")).entry.id, plain);
        assert_eq!(parse(PLAIN.as_bytes(), Timestamp::UNIX_EPOCH).unwrap().entry.id, plain, "line ends do not count");
        assert_ne!(read(&PLAIN.replace("all fine", "all wrong")).entry.id, plain);
        assert_ne!(read(&PLAIN.replace("<1@", "<2@")).entry.id, plain);
    }

    #[test]
    fn list_mail_is_by_the_author_in_reply_to() {
        let mail = read(
            "From: Ann Lee via Users <users@lists.us.example>\nReply-To: Ann Lee <ann@acme.example>\nList-Id: Users <users.lists.us.example>\n\
             To: users@lists.us.example, bob@corp.example\nSubject: Help\nDate: Tue, 3 Feb 2026 09:12:00 +0000\n\nIt fails.",
        );
        assert_eq!(mail.author.unwrap().as_str(), "ann@acme.example");
        assert_eq!(mail.entry.participants[0].name.as_deref(), Some("Ann Lee"));
        assert_eq!(mail.recipients.iter().map(Address::as_str).collect::<Vec<_>>(), ["bob@corp.example"]);
        assert_eq!(mail.entry.channel.as_deref(), Some("users@lists.us.example"));
    }

    #[test]
    fn html_only_charsets_and_attachments() {
        let mail = read(
            "From: a@b.example\nDate: Tue, 3 Feb 2026 09:12:00 +0000\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=x\n\n\
             --x\nContent-Type: text/html; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\n<p>Caf=E9 <b>now</b></p>\n\
             --x\nContent-Type: text/csv; name=\"r\u{e9}sum\u{e9}.csv\"\nContent-Disposition: attachment; filename=\"list.csv\"\nContent-Transfer-Encoding: base64\n\nYSxiCjEsMgo=\n--x--\n",
        );
        assert_eq!(mail.entry.body.trim(), "Café now");
        let attachment = &mail.entry.attachments[0];
        assert_eq!((attachment.name.as_deref(), attachment.content_type.as_deref(), attachment.size), (Some("list.csv"), Some("text/csv"), Some(8)));
    }

    #[test]
    fn what_nobody_typed_is_automatic() {
        for (headers, reason) in [
            ("Auto-Submitted: auto-replied\nSubject: Re: Hi", Automatic::AutoReply),
            ("Subject: Out of office: Hi", Automatic::AutoReply),
            ("From: MAILER-DAEMON@mx.example\nSubject: Undelivered", Automatic::Bounce),
            ("List-Unsubscribe: <https://x.example/u>\nSubject: Our news", Automatic::Newsletter),
        ] {
            let mail = read(&format!("{headers}\nDate: Tue, 3 Feb 2026 09:12:00 +0000\n\nwords"));
            assert_eq!(mail.automatic, Some(reason), "{headers}");
            assert_eq!(mail.spans[0].kind, SpanKind::Automatic);
        }
        let discussion = read("List-Post: <mailto:l@lists.x.example>\nList-Unsubscribe: <https://x.example/u>\nSubject: a\n\nwords");
        assert_eq!(discussion.automatic, None);
    }

    #[test]
    fn broken_mail_is_kept_and_says_so() {
        assert!(parse(b"  \n", Timestamp::UNIX_EPOCH).is_err());
        let undated = read("Subject: x\nDate: nonsense\n\nhi");
        assert_eq!(undated.flags, [Flag::DateUnknown]);
        assert_eq!(undated.entry.occurred_at.to_string(), "2026-03-02T12:00:00Z");
        let nested: String = (0..2_000).map(|i| format!("Content-Type: multipart/mixed; boundary=b{i}\n\n--b{i}\n")).collect();
        let bomb = read(&format!("Subject: bomb\n{nested}"));
        assert!(bomb.flags.contains(&Flag::TooComplex), "{:?}", bomb.flags);
        let inside_each_other = "Content-Type: message/rfc822\n\n".repeat(30_000);
        assert_eq!(read(&format!("Subject: dolls\n{inside_each_other}")).entry.subject.as_deref(), Some("dolls"));
        let undated_twice = |hop: &str| read(&format!("Received: by {hop}; Tue, 3 Feb 2026 09:13:0{hop} +0000\nSubject: x\n\nhi")).entry.id;
        assert_eq!(undated_twice("1"), undated_twice("2"), "a mail without a date is the same in every mailbox");
        assert_eq!(bomb.entry.subject.as_deref(), Some("bomb"));
        assert!(!read("Subject: a\0b\n\nc\0d").entry.body.contains('\0'));
    }
}
