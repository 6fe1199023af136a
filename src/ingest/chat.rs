//! Chats: what WhatsApp, Slack and Teams export becomes conversations, one for each stretch without a long pause.

use std::collections::HashMap;
use std::sync::LazyLock;

use jiff::Timestamp;
use regex::Regex;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::table::MAX_TABLE as MAX_CHAT;
use super::transcript::{Person, Transcript};
use super::{html, text};
use crate::domain::entry::Segment;

/// A pause that ends a conversation, in seconds.
const PAUSE: i64 = 12 * 3600;
const MAX_MESSAGES: usize = 500_000;

/// One conversation; its id stays while messages are added at its end.
#[derive(Debug, Clone, PartialEq)]
pub struct Conversation {
    pub id: String,
    pub transcript: Transcript,
}

struct Message {
    at: Timestamp,
    who: String,
    text: String,
}

static WHATSAPP: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^[\u{200e}\u{200f}]?\[?(\d{1,4})[./-](\d{1,2})[./-](\d{2,4}),? (\d{1,2}:\d{2}(?::\d{2})?)[\u{202f}\u{a0} ]?([AaPp]\.?[Mm]\.?)?(?:\]| -) (?:([^:\n]{1,80}?): )?([\s\S]*)$")
        .expect("the pattern is a constant")
});

/// Whether the beginning of a text file is a chat: lines that begin with a date, a time and a name.
pub fn is_chat(start: &str) -> bool {
    start.lines().take(10).filter(|line| WHATSAPP.captures(line).is_some()).count() >= 2
}

/// Whether a JSON document is a list of messages as Slack or Teams write it.
pub fn is_json(value: &Value) -> bool {
    messages_of(value).is_some_and(|messages| messages.iter().take(20).any(|m| slack(m, &HashMap::new()).is_some() || teams(m).is_some()))
}

/// Reads an exported chat. Times without a zone are in UTC.
///
/// # Errors
/// When there is no message in it, or too much.
pub fn read(bytes: &[u8]) -> Result<Vec<Conversation>, String> {
    if bytes.len() > MAX_CHAT {
        return Err(format!("the chat has {} bytes; the limit is {MAX_CHAT}", bytes.len()));
    }
    let text = text::decode(bytes);
    let mut messages = match serde_json::from_str::<Value>(&text) {
        Ok(value) => from_json(&value),
        Err(_) => whatsapp(&text),
    };
    if messages.is_empty() {
        return Err("no message was found in the chat".to_owned());
    }
    messages.truncate(MAX_MESSAGES);
    // Exports begin with the newest or hold answers out of order.
    messages.sort_by_key(|message| message.at);
    let mut conversations: Vec<Vec<Message>> = Vec::new();
    for message in messages {
        match conversations.last_mut().filter(|c| c.last().is_some_and(|last| message.at.as_second() - last.at.as_second() <= PAUSE)) {
            Some(conversation) => conversation.push(message),
            None => conversations.push(vec![message]),
        }
    }
    Ok(conversations.into_iter().map(conversation).collect())
}

fn conversation(messages: Vec<Message>) -> Conversation {
    let start = messages[0].at;
    let mut hash = Sha256::new();
    hash.update(start.as_second().to_le_bytes());
    hash.update(&messages[0].who);
    hash.update(&messages[0].text);
    let hex: String = hash.finalize()[..12].iter().map(|byte| format!("{byte:02x}")).collect();
    let mut people: Vec<Person> = Vec::new();
    for message in &messages {
        if !people.iter().any(|p| p.name.as_deref() == Some(&message.who)) {
            people.push(Person { name: Some(message.who.clone()), email: None });
        }
    }
    let turns = messages
        .into_iter()
        .map(|message| {
            #[expect(clippy::cast_precision_loss, reason = "seconds of one conversation")]
            let seconds = (message.at.as_millisecond() - start.as_millisecond()) as f64 / 1000.0;
            Segment { speaker: Some(message.who), email: None, side: None, start: Some(seconds), end: Some(seconds), text: message.text }
        })
        .collect();
    let title = format!("Chat with {}", people.iter().filter_map(|p| p.name.as_deref()).take(3).collect::<Vec<_>>().join(", "));
    Conversation { id: format!("chat.{hex}"), transcript: Transcript { title: Some(title), occurred_at: Some(start), people, turns } }
}

// ---- WhatsApp ----------------------------------------------------------------------------------------------------

fn whatsapp(text: &str) -> Vec<Message> {
    let clean = |text: &str| text.replace(['\u{200e}', '\u{200f}', '\u{202a}', '\u{202c}'], "").trim().to_owned();
    // Lines without a time of their own go on with the message before.
    let mut raw: Vec<String> = Vec::new();
    for line in text.lines() {
        match raw.last_mut() {
            Some(last) if WHATSAPP.captures(line).is_none() => {
                last.push('\n');
                last.push_str(line);
            }
            None if WHATSAPP.captures(line).is_none() => {}
            _ => raw.push(line.to_owned()),
        }
    }
    let dates: Vec<(u16, u16)> =
        raw.iter().filter_map(|m| WHATSAPP.captures(m)).filter_map(|c| Some((c[1].parse().ok()?, c[2].parse().ok()?))).collect();
    let half_days = raw.iter().filter_map(|m| WHATSAPP.captures(m)).any(|c| c.get(5).is_some());
    let month_first = !dates.iter().any(|(a, _)| *a > 12) && (dates.iter().any(|(_, b)| *b > 12) || half_days);
    // The group itself announces who joined; its name is nobody's.
    let first = raw.first().and_then(|m| WHATSAPP.captures(m)).and_then(|c| Some((clean(c.get(6)?.as_str()), c[7].to_owned())));
    let group = first.filter(|(_, text)| text.contains("end-to-end") || text.contains("Ende-zu-Ende")).map(|(who, _)| who);
    let mut messages = Vec::new();
    for message in &raw {
        let Some(found) = WHATSAPP.captures(message) else { continue };
        let Some(who) = found.get(6).map(|m| clean(m.as_str()).trim_start_matches('~').trim().to_owned()) else { continue };
        let text = clean(&found[7]);
        let notice = [
            "image omitted",
            "video omitted",
            "audio omitted",
            "sticker omitted",
            "document omitted",
            "GIF omitted",
            "<Media omitted>",
            "<Medien ausgeschlossen>",
        ]
        .iter()
        .any(|n| text.trim_matches(|c| c == '<' || c == '>').eq_ignore_ascii_case(n.trim_matches(|c| c == '<' || c == '>')))
            || ["This message was deleted.", "You deleted this message.", "Diese Nachricht wurde gelöscht."].contains(&text.as_str());
        if Some(&who) == group.as_ref() || who.is_empty() || text.is_empty() || notice {
            continue;
        }
        let text = text.replace("<This message was edited>", "").trim().to_owned();
        if let Some(at) = moment(&found, month_first) {
            messages.push(Message { at, who, text });
        }
    }
    messages
}

fn moment(found: &regex::Captures, month_first: bool) -> Option<Timestamp> {
    let number = |g: usize| found[g].parse::<i16>().ok();
    let (a, b, c) = (number(1)?, number(2)?, number(3)?);
    let (year, month, day) = if a > 31 {
        (a, b, c)
    } else if month_first {
        (c, a, b)
    } else {
        (c, b, a)
    };
    let year = if year < 100 { 2000 + year } else { year };
    let mut time = found[4].split(':').map(|p| p.parse::<i8>().ok());
    let (mut hour, minute, second) = (time.next()??, time.next()??, time.next().unwrap_or(Some(0))?);
    if let Some(half) = found.get(5) {
        hour = hour % 12 + if half.as_str().to_lowercase().starts_with('p') { 12 } else { 0 };
    }
    let civil = jiff::civil::DateTime::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?, hour, minute, second, 0).ok()?;
    civil.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}

// ---- Slack and Teams ---------------------------------------------------------------------------------------------

fn messages_of(value: &Value) -> Option<&Vec<Value>> {
    value.as_array().or_else(|| value.get("messages")?.as_array()).or_else(|| value.get("value")?.as_array())
}

fn from_json(value: &Value) -> Vec<Message> {
    let Some(messages) = messages_of(value) else { return Vec::new() };
    let names: HashMap<String, String> = messages.iter().filter_map(|m| Some((m.get("user")?.as_str()?.to_owned(), profile_name(m)?))).collect();
    messages.iter().filter_map(|m| slack(m, &names).or_else(|| teams(m))).collect()
}

fn profile_name(message: &Value) -> Option<String> {
    let profile = message.get("user_profile")?;
    let name = ["real_name", "display_name", "name"].iter().find_map(|field| profile.get(*field)?.as_str().filter(|n| !n.is_empty()));
    name.map(str::to_owned)
}

fn slack(message: &Value, names: &HashMap<String, String>) -> Option<Message> {
    static MENTION: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"<@([A-Z0-9]+)(?:\|([^>]*))?>").expect("the pattern is a constant"));
    static LINK: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"<([^<>|]+)\|([^<>]+)>").expect("the pattern is a constant"));
    // Channels (`<#C01|fleet>`) and everybody at once (`<!here>`).
    static CALL: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"<([#!])([^<>|]+)(?:\|([^<>]*))?>").expect("the pattern is a constant"));
    static BARE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"<((?:https?:|mailto:)[^<>]+)>").expect("the pattern is a constant"));
    if message.get("type")?.as_str()? != "message" {
        return None;
    }
    let said = message.get("subtype").and_then(Value::as_str).is_none_or(|kind| matches!(kind, "thread_broadcast" | "file_share" | "me_message"));
    let seconds: f64 = message.get("ts")?.as_str()?.parse().ok()?;
    let text = message.get("text")?.as_str()?;
    if !said || text.trim().is_empty() {
        return None;
    }
    let user = message.get("user")?.as_str()?;
    let who = profile_name(message).or_else(|| names.get(user).cloned()).unwrap_or_else(|| user.to_owned());
    let mentioned = MENTION.replace_all(text, |m: &regex::Captures| {
        let name = m.get(2).map(|n| n.as_str().to_owned()).filter(|n| !n.is_empty()).or_else(|| names.get(&m[1]).cloned());
        format!("@{}", name.unwrap_or_else(|| m[1].to_owned()))
    });
    let called = CALL.replace_all(&mentioned, |c: &regex::Captures| {
        format!("{}{}", if &c[1] == "#" { "#" } else { "@" }, c.get(3).map_or(&c[2], |name| name.as_str()))
    });
    let linked = LINK.replace_all(&called, "$2");
    let text = BARE.replace_all(&linked, "$1").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    #[expect(clippy::cast_possible_truncation, reason = "milliseconds of this century")]
    let at = Timestamp::from_millisecond((seconds * 1000.0) as i64).ok()?;
    Some(Message { at, who, text: text.trim().to_owned() })
}

fn teams(message: &Value) -> Option<Message> {
    if message.get("messageType")?.as_str()? != "message" || message.get("deletedDateTime").is_some_and(|d| !d.is_null()) {
        return None;
    }
    let at: Timestamp = message.get("createdDateTime")?.as_str()?.parse().ok()?;
    let who = message.pointer("/from/user/displayName")?.as_str()?.to_owned();
    let body = message.pointer("/body/content")?.as_str()?;
    let is_html = message.pointer("/body/contentType").and_then(Value::as_str) == Some("html");
    // One mention may be written as several tags.
    static EMOJI: LazyLock<Regex> = LazyLock::new(|| Regex::new(r#"<emoji[^>]*\balt="([^"]*)"[^>]*>"#).expect("the pattern is a constant"));
    let body = EMOJI.replace_all(body, "$1").replace("</at>&nbsp;<at", "</at> <at");
    let text = if is_html { html::to_text(&body).replace('\u{a0}', " ") } else { body };
    (!text.trim().is_empty()).then(|| Message { at, who, text: text.trim().to_owned() })
}
