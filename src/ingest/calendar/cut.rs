//! Calendars taken apart line by line into events, so that a broken one costs only itself.

use std::collections::BTreeMap;

use super::{MAX_EVENTS, zone};

const MAX_ZONE: usize = 64 * 1024;
/// Zones that one event may name.
const MAX_ZONES: usize = 8;

/// What a calendar says for all its events.
#[derive(Default)]
pub(super) struct Heading {
    /// The definition of each time zone, by its name.
    zones: BTreeMap<String, String>,
    pub(super) zone: Option<String>,
    pub(super) method: Option<String>,
}

impl Heading {
    /// The zones that an event names, and no others: a calendar may define as many as it has events.
    pub(super) fn zones_of(&self, lines: &[&str]) -> String {
        let parameters = lines.iter().filter_map(|line| line.split_once(':')).flat_map(|(before, _)| before.split(';').skip(1));
        let named = parameters.filter_map(|parameter| parameter.split_once('=')).filter(|(name, _)| name.eq_ignore_ascii_case("TZID"));
        let mut names: Vec<&str> = named.map(|(_, value)| value.trim_matches('"')).chain(self.zone.as_deref()).take(MAX_ZONES).collect();
        names.sort_unstable();
        names.dedup();
        names.into_iter().filter_map(|name| self.zones.get(name)).map(String::as_str).collect()
    }
}

/// The lines of one event.
pub(super) struct Cut<'a> {
    /// Position of its calendar among those of the file.
    pub(super) calendar: usize,
    pub(super) line: u64,
    pub(super) lines: Vec<&'a str>,
    pub(super) complete: bool,
}

pub(super) fn events(text: &str) -> (Vec<Heading>, Vec<Cut<'_>>) {
    let mut cuts: Vec<Cut> = Vec::new();
    let mut headings = vec![Heading::default()];
    let mut open: Option<Cut> = None;
    let mut definition: Option<String> = None;
    for (at, line) in text.split('\n').enumerate() {
        let key = line.trim_end().to_ascii_uppercase();
        let folded = line.starts_with([' ', '\t']);
        if key == "BEGIN:VCALENDAR" {
            headings.push(Heading::default());
        }
        let calendar = headings.len() - 1;
        let heading = &mut headings[calendar];
        // Where an END was lost, the next BEGIN tells that the event is over.
        let begins = key == "BEGIN:VEVENT";
        if let Some(cut) = &mut open {
            let lost = begins || key == "END:VCALENDAR";
            if !lost {
                cut.lines.push(line);
            }
            if lost || key == "END:VEVENT" {
                cuts.extend(open.take());
            }
        } else if key == "BEGIN:VTIMEZONE" {
            definition = Some(format!("{}\r\n", line.trim_end()));
        } else if let Some(text) = &mut definition {
            if text.len() < MAX_ZONE {
                text.push_str(line.trim_end());
                text.push_str("\r\n");
            }
            if key == "END:VTIMEZONE" {
                heading.zones.extend(definition.take().and_then(|definition| zone::short(&definition)));
            }
        } else if !folded {
            if let Some(value) = value_of(line, "X-WR-TIMEZONE") {
                heading.zone = Some(value);
            } else if let Some(value) = value_of(line, "METHOD") {
                heading.method = Some(value.to_ascii_uppercase());
            }
        }
        if begins {
            // One more than are taken, to say that there are more.
            if cuts.len() > MAX_EVENTS {
                break;
            }
            definition = None;
            open = Some(Cut { calendar, line: at as u64 + 1, lines: vec![line], complete: true });
        }
    }
    if let Some(mut cut) = open {
        cut.complete = false;
        cuts.push(cut);
    }
    (headings, cuts)
}

pub(super) fn value_of(line: &str, name: &str) -> Option<String> {
    let (before, value) = line.split_once(':')?;
    let called = before.split(';').next().unwrap_or_default();
    called.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
}
