//! What a mail says: the words that its reader sees, those that are hidden from them, and what is attached.

use std::collections::HashSet;

use mail_parser::{Message, MimeHeaders, PartType};
use sha2::{Digest, Sha256};

use super::MAX_DEPTH;
use crate::domain::entry::{Attachment, Hidden, HiddenBy};
use crate::ingest::text::clean;
use crate::ingest::{concealed, html};

/// More hidden text than this is not listed; the raw mail has it.
const MAX_HIDDEN: usize = 64 * 1024;

/// The words of a mail.
#[derive(Debug, Default)]
pub(super) struct Content {
    /// As decoded, before anything is laid out: what identifies the mail.
    pub source: String,
    /// What its reader sees.
    pub body: String,
    pub hidden: Vec<Hidden>,
}

pub(super) fn depth(message: &Message, level: usize) -> usize {
    // Nested multiparts refer to later parts of the same list, nested messages carry their own.
    let mut deepest = vec![level; message.parts.len()];
    let mut max = level;
    for i in 0..message.parts.len() {
        let here = deepest[i];
        max = max.max(here);
        if here > MAX_DEPTH {
            return here;
        }
        match &message.parts[i].body {
            PartType::Multipart(children) => {
                for &child in children {
                    if let Some(slot) = deepest.get_mut(child as usize) {
                        *slot = here + 1;
                    }
                }
            }
            PartType::Message(inner) => max = max.max(depth(inner, here + 1)),
            _ => {}
        }
    }
    max
}

/// Reads the text parts. Of two alternatives the plain one is taken while it says what the HTML shows; a reader sees the
/// HTML, so where they differ that is what was said.
pub(super) fn read(message: &Message) -> Content {
    let joined = |parts: &[u32], of: &dyn Fn(&PartType) -> Option<String>| {
        let mut body = String::new();
        for part in parts.iter().filter_map(|&id| message.part(id)) {
            let Some(text) = of(&part.body) else { continue };
            if !body.is_empty() && !body.ends_with('\n') && !text.is_empty() {
                body.push('\n');
            }
            body.push_str(&text);
        }
        body
    };
    let source = |part: &PartType| match part {
        PartType::Text(text) => Some(clean(text)),
        PartType::Html(markup) => Some(clean(markup)),
        _ => None,
    };
    let hidden = std::cell::RefCell::new(Vec::new());
    let shown = |part: &PartType| match part {
        PartType::Text(text) => Some(clean(text)),
        PartType::Html(markup) => {
            let shown = html::read(&clean(markup));
            hidden.borrow_mut().extend(shown.hidden.into_iter().map(|text| Hidden { by: HiddenBy::Style, text }));
            Some(shown.text)
        }
        _ => None,
    };
    let plain_source = joined(&message.text_body, &source);
    if message.text_body == message.html_body {
        // One version only.
        let body = joined(&message.text_body, &shown);
        return Content { source: plain_source, body, hidden: limited(hidden.into_inner()) };
    }
    let plain = joined(&message.text_body, &shown);
    hidden.borrow_mut().clear();
    let seen = joined(&message.html_body, &shown);
    let source = if plain_source.trim().is_empty() { joined(&message.html_body, &source) } else { plain_source };
    let mut hidden = hidden.into_inner();
    if plain.trim().is_empty() {
        return Content { source, body: seen, hidden: limited(hidden) };
    }
    if seen.trim().is_empty() {
        return Content { source, body: plain, hidden: limited(hidden) };
    }
    if words(&plain).eq(words(&seen)) {
        return Content { source, body: plain, hidden: limited(hidden) };
    }
    let only_plain = paragraphs_missing(&plain, &seen);
    let only_seen = paragraphs_missing(&seen, &plain);
    if only_plain.is_empty() && only_seen.is_empty() {
        return Content { source, body: plain, hidden: limited(hidden) };
    }
    hidden.extend(only_plain.into_iter().map(|text| Hidden { by: HiddenBy::Alternative, text }));
    Content { source, body: seen, hidden: limited(hidden) }
}

fn limited(mut hidden: Vec<Hidden>) -> Vec<Hidden> {
    let mut length = 0;
    hidden.retain(|h| {
        length += h.text.len();
        length <= MAX_HIDDEN && h.text.contains(char::is_alphanumeric)
    });
    hidden
}

/// Paragraphs of a text that the other version does not have: most of their words, or one of their numbers, are not in
/// it. Addresses of links and quoted lines differ between honest versions.
fn paragraphs_missing(text: &str, other: &str) -> Vec<String> {
    let known: HashSet<String> = words(other).collect();
    let other_squeezed: String = other.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    let mut missing = Vec::new();
    for paragraph in text.split("\n\n") {
        let own: String = paragraph.lines().filter(|line| !line.trim_start().starts_with('>')).collect::<Vec<_>>().join("\n");
        let all: Vec<String> = words(&own).collect();
        let absent = all.iter().filter(|word| !known.contains(*word) && !other_squeezed.contains(word.as_str())).count();
        let figure = all.iter().any(|word| {
            let digits = word.chars().filter(char::is_ascii_digit).count();
            digits >= 2 && digits == word.chars().count() && !other_squeezed.contains(word.as_str())
        });
        if (all.len() >= 3 && absent * 2 > all.len()) || (figure && all.len() >= 4) {
            missing.push(own.split_whitespace().collect::<Vec<_>>().join(" "));
        }
    }
    missing
}

/// Words and figures in lower case, without links.
fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    let plain = |part: &&str| {
        !part.contains("://") && !part.contains('@') && !part.starts_with("www.") && !part.starts_with("[image") && !part.starts_with("[cid")
    };
    text.split_whitespace()
        .filter(plain)
        .map(|part| concealed::visible(part).chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect::<String>())
        .filter(|word| !word.is_empty())
}

pub(super) fn describe(part: &mail_parser::MessagePart) -> Attachment {
    let content_type = part.content_type().map(|t| match t.subtype() {
        Some(subtype) => format!("{}/{subtype}", t.ctype()).to_lowercase(),
        None => t.ctype().to_lowercase(),
    });
    Attachment {
        name: part.attachment_name().map(|name| concealed::without(&clean(name)).0.chars().take(300).collect()),
        content_type,
        size: Some(part.contents().len() as u64),
        url: None,
    }
}

/// The attachments and a digest of their contents.
pub(super) fn attachments_of(message: &Message) -> (Vec<Attachment>, Vec<u8>) {
    let mut digest = Vec::new();
    let mut attachments = Vec::new();
    for part in message.attachments() {
        let contents = part.contents();
        digest.extend(Sha256::digest(contents));
        attachments.push(describe(part));
    }
    (attachments, digest)
}
