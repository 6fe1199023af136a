//! vCards: address books become contacts.

use calcard::Entry as Parsed;
use calcard::vcard::{VCard, VCardEntry, VCardParameterName, VCardParameterValue, VCardProperty, VCardValue};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::owner;
use super::table::{Company, Draft, Unread};
use super::text;
use crate::domain::Address;

/// Larger address books are refused.
pub const MAX_CARDS: usize = 64 * 1024 * 1024;
const MAX_ENTRIES: usize = 200_000;
const MAX_CARD: usize = 4 * 1024 * 1024;

/// The contacts of an address book, each with the line its card begins on; a card that makes none says why.
///
/// # Errors
/// When the file is no address book, or too large.
pub fn drafts(bytes: &[u8]) -> Result<Vec<Result<Draft, Unread>>, String> {
    if bytes.len() > MAX_CARDS {
        return Err(format!("the address book has {} bytes; the limit is {MAX_CARDS}", bytes.len()));
    }
    let text = text::decode(bytes);
    let mut drafts = Vec::new();
    let mut open: Option<(u64, String)> = None;
    for (at, line) in text.split('\n').enumerate() {
        let (line_number, key) = (at as u64 + 1, line.trim_end().to_ascii_uppercase());
        if key == "BEGIN:VCARD"
            && let Some((begun, _)) = open.replace((line_number, String::new()))
        {
            drafts.push(Err((begun, "the card does not end before the next begins".to_owned())));
        }
        if drafts.len() >= MAX_ENTRIES {
            drafts.push(Err((line_number, format!("the address book has more than {MAX_ENTRIES} cards; the rest was left out"))));
            return Ok(drafts);
        }
        let Some((begun, card)) = &mut open else { continue };
        let begun = *begun;
        if card.len() < MAX_CARD {
            card.push_str(line.trim_end_matches('\r'));
            card.push_str("\r\n");
        }
        if key == "END:VCARD" {
            let card = open.take().map(|(_, card)| card).unwrap_or_default();
            drafts.push(if card.len() >= MAX_CARD {
                Err((begun, format!("the card is longer than {MAX_CARD} bytes")))
            } else {
                contact(&card).map(|(record, company)| Draft { line: begun, record, company: Some(company) }).map_err(|reason| (begun, reason))
            });
        }
    }
    if let Some((begun, _)) = open {
        drafts.push(Err((begun, "the file ends in the middle of the card".to_owned())));
    }
    if drafts.is_empty() {
        return Err("no card was found in the file".to_owned());
    }
    Ok(drafts)
}

fn contact(card: &str) -> Result<(Map<String, Value>, Company), String> {
    let Parsed::VCard(card) = calcard::Parser::new(card).entry() else { return Err("the card cannot be read".to_owned()) };
    let mut emails: Vec<(u32, String)> = card
        .properties(&VCardProperty::Email)
        .filter_map(|entry| Some((preference(entry), Address::parse(text_of(entry)?.trim_start_matches("mailto:"))?.to_string())))
        .collect();
    // The preferred one first; otherwise as they stand.
    emails.sort_by_key(|(preference, _)| *preference);
    let mut seen = std::collections::HashSet::new();
    let emails: Vec<String> = emails.into_iter().map(|(_, email)| email).filter(|email| seen.insert(email.clone())).collect();
    let name = one(&card, &VCardProperty::Fn).or_else(|| parts_of_name(&card));
    let organization = card.property(&VCardProperty::Org).and_then(first_part);
    if name.is_none() && emails.is_empty() {
        return Err("the card names nobody: no name and no address".to_owned());
    }
    let company = Company {
        id: None,
        name: organization,
        domain: emails.iter().filter_map(|e| Address::parse(e)).find_map(|a| owner::business_domain(&a).map(str::to_owned)),
    };
    let uid = one(&card, &VCardProperty::Uid).map(|uid| uid.trim_start_matches("urn:uuid:").to_owned());
    let known_by = || emails.first().cloned().unwrap_or_else(|| format!("{}\0{company:?}", name.clone().unwrap_or_default().to_lowercase()));
    let id = uid.filter(|uid| !uid.is_empty() && uid.len() <= 150).unwrap_or_else(|| {
        let hex: String = Sha256::digest(known_by().as_bytes())[..10].iter().map(|byte| format!("{byte:02x}")).collect();
        format!("card.{hex}")
    });
    let phone = card.properties(&VCardProperty::Tel).filter_map(text_of).map(|t| t.trim_start_matches("tel:").to_owned());
    let mut record = Map::new();
    record.insert("kind".to_owned(), json!("contact"));
    record.insert("id".to_owned(), json!(id));
    record.insert("emails".to_owned(), json!(emails));
    let zone = one(&card, &VCardProperty::Tz).filter(|zone| jiff::tz::TimeZone::get(zone).is_ok() && zone.contains('/'));
    for (field, value) in [
        ("name", name),
        ("title", one(&card, &VCardProperty::Title).or_else(|| one(&card, &VCardProperty::Role))),
        ("phone", phone.into_iter().find(|p| p.chars().filter(char::is_ascii_digit).count() >= 5)),
        ("timezone", zone),
    ] {
        if let Some(value) = value {
            record.insert(field.to_owned(), json!(value));
        }
    }
    Ok((record, company))
}

/// 1 is the most preferred; without a word the last.
fn preference(entry: &VCardEntry) -> u32 {
    let said = entry.params.iter().find(|param| param.name == VCardParameterName::Pref);
    let number = said.and_then(|param| match &param.value {
        VCardParameterValue::Integer(number) => Some(*number),
        VCardParameterValue::Text(text) => text.parse().ok(),
        _ => None,
    });
    let typed = || entry.params.iter().any(|param| format!("{:?}", param.value).to_lowercase().contains("pref"));
    number.unwrap_or_else(|| if said.is_some() || typed() { 1 } else { 100 })
}

fn one(card: &VCard, property: &VCardProperty) -> Option<String> {
    card.property(property).and_then(text_of)
}

fn text_of(entry: &VCardEntry) -> Option<String> {
    let text = entry.values.first()?.as_text()?.split_whitespace().collect::<Vec<_>>().join(" ");
    (!text.is_empty()).then(|| text.chars().take(500).collect())
}

/// The company of `Acme;Sales`.
fn first_part(entry: &VCardEntry) -> Option<String> {
    match entry.values.first()? {
        VCardValue::Component(parts) => parts.first().map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()),
        _ => text_of(entry),
    }
}

/// `Lee;Ann;;;` without a formatted name.
fn parts_of_name(card: &VCard) -> Option<String> {
    let entry = card.property(&VCardProperty::N)?;
    let mut parts: Vec<String> = entry.values.iter().filter_map(|v| v.as_text()).map(|p| p.trim().to_owned()).collect();
    if let Some(VCardValue::Component(inner)) = entry.values.first() {
        parts = inner.clone();
    }
    let (last, first) = (parts.first()?.clone(), parts.get(1).cloned().unwrap_or_default());
    let name = format!("{first} {last}").trim().to_owned();
    (!name.is_empty()).then_some(name)
}
