//! Calendars: iCalendar files become meetings, each occurrence of a series one entry.
//!
//! Events are cut out of the file line by line, so that a broken one costs only itself; calcard reads each and expands
//! its recurrence. What is kept of a series are its newest components: updates, moved occurrences and cancellations give
//! the same meetings in whatever order they arrive.

mod cut;
mod zone;

use std::collections::{BTreeMap, HashSet};
use std::str::FromStr;

use calcard::common::PartialDateTime;
use calcard::common::timezone::Tz;
use calcard::icalendar::dates::TimeOrDelta;
use calcard::icalendar::{
    ICalendar, ICalendarComponent, ICalendarEntry, ICalendarFrequency, ICalendarParameterName, ICalendarProperty, ICalendarStatus, ICalendarValue,
};
use jiff::Timestamp;
use sha2::{Digest, Sha256};

use self::cut::{Cut, Heading, events, value_of};
use super::{html, text};
use crate::domain::Address;
use crate::domain::entry::{Entry, EntryType, Meeting, Participant, ParticipantRole};

/// Larger calendars are refused; ten years of a busy person are a few megabytes.
pub const MAX_CALENDAR: usize = 64 * 1024 * 1024;
const MAX_EVENT: usize = 1024 * 1024;
const MAX_EVENTS: usize = 100_000;
const MAX_ATTENDEES: usize = 1_000;
/// Invitations of one series that become entries: of a large meeting fewer occurrences are kept.
const MAX_INVITED: usize = 50_000;
/// Steps taken through one series' rule; those without end stop at the horizon.
const MAX_STEPS: usize = 20_000;
/// Occurrences of one series that become entries: the latest ones.
pub const MAX_OCCURRENCES: usize = 2_500;

/// One VEVENT with what is needed to read it alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Component {
    pub uid: String,
    /// The occurrence that it replaces, as its original time; empty for the series or a single event.
    pub recurrence: String,
    /// SEQUENCE, then the moment it was written: the larger one is newer.
    pub version: (i64, i64),
    pub cancelled: bool,
    /// A calendar of its own: the zones and the event.
    pub ics: String,
}

/// The events of a calendar with what could not be read: the line it begins on, and why.
#[derive(Debug, Default)]
pub struct Read {
    pub components: Vec<Component>,
    pub refused: Vec<(Option<u64>, String)>,
}

/// Reads a calendar file.
///
/// # Errors
/// When it is none, or too large.
pub fn read(bytes: &[u8]) -> Result<Read, String> {
    if bytes.len() > MAX_CALENDAR {
        return Err(format!("the calendar has {} bytes; the limit is {MAX_CALENDAR}", bytes.len()));
    }
    let text = text::decode(bytes);
    if !text.to_ascii_uppercase().contains("BEGIN:VCALENDAR") {
        return Err("not a calendar: no BEGIN:VCALENDAR was found".to_owned());
    }
    let mut read = Read::default();
    let (headings, cuts) = events(&text);
    for cut in cuts {
        if read.components.len() + read.refused.len() >= MAX_EVENTS {
            read.refused.push((Some(cut.line), format!("the calendar has more than {MAX_EVENTS} events; the rest was left out")));
            break;
        }
        match component(&cut, &headings[cut.calendar]) {
            Ok(component) => read.components.push(component),
            Err(reason) => read.refused.push((Some(cut.line), reason)),
        }
    }
    if read.components.is_empty() && read.refused.is_empty() {
        return Err("the calendar holds no events".to_owned());
    }
    Ok(read)
}

// ---- one event ---------------------------------------------------------------------------------------------------

fn component(cut: &Cut, heading: &Heading) -> Result<Component, String> {
    if !cut.complete {
        return Err("the file ends in the middle of the event".to_owned());
    }
    if cut.lines.iter().map(|line| line.len()).sum::<usize>() > MAX_EVENT {
        return Err(format!("the event is longer than {MAX_EVENT} bytes"));
    }
    if heading.method.as_deref() == Some("REPLY") {
        return Err("an answer to an invitation; the meeting comes with the invitation or with a calendar".to_owned());
    }
    let mut ics = String::from("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n");
    if let Some(zone) = &heading.zone {
        ics.push_str(&format!("X-WR-TIMEZONE:{zone}\r\n"));
    }
    ics.push_str(&heading.zones_of(&cut.lines));
    for line in &cut.lines {
        ics.push_str(line.trim_end_matches('\r'));
        ics.push_str("\r\n");
    }
    if !cut.lines.last().is_some_and(|line| line.trim().eq_ignore_ascii_case("END:VEVENT")) {
        ics.push_str("END:VEVENT\r\n");
    }
    ics.push_str("END:VCALENDAR\r\n");
    let calendar = ICalendar::parse(&ics).map_err(|_| "the event cannot be read".to_owned())?;
    let event = the_event(&calendar).ok_or("the event cannot be read")?;
    let starts = check_times(&calendar, event)?;
    check_rule(event)?;
    let uid = match event.uid().map(str::trim).filter(|uid| !uid.is_empty()) {
        Some(uid) => uid.chars().filter(|c| !c.is_control()).take(500).collect(),
        // Without an identity the event is known by what it says.
        None => format!("without-uid.{}", hash(&format!("{starts}\0{}", text_of(event, &ICalendarProperty::Summary).unwrap_or_default()))),
    };
    let integer = |property: &ICalendarProperty| event.property(property).and_then(|e| e.values.first()?.as_integer());
    let moment = |property: &ICalendarProperty| event.property(property).and_then(|e| e.values.first()?.as_partial_date_time()?.to_timestamp());
    Ok(Component {
        uid,
        recurrence: original_time(&calendar, event, heading.zone.as_deref()).map(|at| at.to_string()).unwrap_or_default(),
        version: (
            integer(&ICalendarProperty::Sequence).unwrap_or(0),
            moment(&ICalendarProperty::Dtstamp).or_else(|| moment(&ICalendarProperty::LastModified)).unwrap_or(0),
        ),
        cancelled: heading.method.as_deref() == Some("CANCEL") || event.status() == Some(&ICalendarStatus::Cancelled),
        ics,
    })
}

/// What recurs faster is no meeting, and would bury the others.
fn check_rule(event: &ICalendarComponent) -> Result<(), String> {
    let rule = event.property(&ICalendarProperty::Rrule).and_then(|entry| entry.values.first());
    match rule {
        Some(ICalendarValue::RecurrenceRule(rule)) if matches!(rule.freq, ICalendarFrequency::Secondly | ICalendarFrequency::Minutely) => {
            Err("the event recurs within an hour (RRULE); meetings recur hourly or less often".to_owned())
        }
        _ => Ok(()),
    }
}

fn the_event(calendar: &ICalendar) -> Option<&ICalendarComponent> {
    calendar.components.iter().find(|c| c.component_type.is_event())
}

/// When the event starts, if that and its zone make sense.
fn check_times(calendar: &ICalendar, event: &ICalendarComponent) -> Result<Timestamp, String> {
    let start = event.property(&ICalendarProperty::Dtstart).or_else(|| event.property(&ICalendarProperty::RecurrenceId));
    let Some(start) = start else { return Err("the event has no start (DTSTART)".to_owned()) };
    let resolver = calendar.build_tz_resolver();
    for property in [ICalendarProperty::Dtstart, ICalendarProperty::Dtend, ICalendarProperty::RecurrenceId] {
        if let Some(zone) = event.property(&property).and_then(zone_of)
            && resolver.resolve(zone).is_none()
        {
            return Err(format!("the time zone {:?} is not known", zone.chars().take(80).collect::<String>()));
        }
    }
    let at = start.values.first().and_then(|v| v.as_partial_date_time()).and_then(|t| t.to_date_time());
    let at = at.ok_or("the start of the event (DTSTART) is not a date or time")?.date_time.and_utc().timestamp();
    let sensible = (0..4_102_444_800).contains(&at).then(|| Timestamp::from_second(at).ok()).flatten();
    sensible.ok_or_else(|| "the event does not start between 1970 and 2100".to_owned())
}

fn zone_of(entry: &ICalendarEntry) -> Option<&str> {
    entry.parameter(&ICalendarParameterName::Tzid)?.as_text()
}

/// The original time of the occurrence that an event replaces.
fn original_time(calendar: &ICalendar, event: &ICalendarComponent, zone: Option<&str>) -> Option<Timestamp> {
    let entry = event.property(&ICalendarProperty::RecurrenceId)?;
    let at = entry.values.first()?.as_partial_date_time()?.to_date_time()?;
    let resolver = calendar.build_tz_resolver().with_default(zone.and_then(|z| Tz::from_str(z).ok()).unwrap_or(Tz::Fixed(chrono_utc())));
    let at = at.to_date_time_with_tz(resolver.resolve_or_default(zone_of(entry)))?;
    Timestamp::from_second(at.timestamp()).ok()
}

fn chrono_utc() -> chrono::FixedOffset {
    chrono::FixedOffset::east_opt(0).expect("no offset is in range")
}

// ---- meetings ----------------------------------------------------------------------------------------------------

/// The meetings of one series, given its newest components: up to `until`, at most [`MAX_OCCURRENCES`] of them. The
/// second value tells whether more will come when the horizon moves on. Times without a zone are in `zone`, unless the
/// calendar names its own.
pub fn meetings(components: &[Component], zone: Option<&str>, until: Timestamp) -> (Vec<Entry>, bool) {
    occurrences(components, zone, until, MAX_STEPS, MAX_OCCURRENCES)
}

/// The addresses of everyone invited to these events.
pub fn addresses(components: &[Component]) -> Vec<Address> {
    let people = components.iter().filter_map(first_meeting).flat_map(|meeting| meeting.participants);
    people.filter_map(|person| person.address()).collect()
}

/// The first meeting of an event.
pub fn first_meeting(component: &Component) -> Option<Entry> {
    let (meetings, _) = occurrences(std::slice::from_ref(component), None, Timestamp::MAX, 1, 1);
    meetings.into_iter().next()
}

/// The last meetings, at most so many, among those reached by so many steps through the rule.
fn occurrences(components: &[Component], zone: Option<&str>, until: Timestamp, steps: usize, most: usize) -> (Vec<Entry>, bool) {
    let series = components.iter().find(|c| c.recurrence.is_empty());
    if series.is_some_and(|s| s.cancelled) {
        return (Vec::new(), false);
    }
    // A series that was planned anew leaves no room for what was said about single occurrences before.
    let current = |c: &&Component| c.recurrence.is_empty() || series.is_none_or(|s| c.version.0 >= s.version.0 || c.version.1 >= s.version.1);
    let kept: Vec<&Component> = components.iter().filter(current).collect();
    let merged = merged(&kept);
    let Ok(mut calendar) = ICalendar::parse(&merged) else { return (Vec::new(), false) };
    let own_zone = merged.split('\n').find_map(|line| value_of(line, "X-WR-TIMEZONE"));
    let default = [own_zone.as_deref(), zone].into_iter().flatten().find_map(|z| Tz::from_str(z).ok()).unwrap_or(Tz::Fixed(chrono_utc()));
    unify(&mut calendar, default);
    let expanded = calendar.expand_dates(default, steps);
    let uid_hash = hash(components.first().map_or("", |c| c.uid.as_str()));
    let recurring = calendar.components.iter().any(ICalendarComponent::is_recurrent_or_override);
    // What each component says once for all its occurrences.
    let said: Vec<(Tz, Option<Timestamp>)> =
        calendar.components.iter().map(|c| (default_of(c, &calendar, default), original_time(&calendar, c, own_zone.as_deref().or(zone)))).collect();
    let mut found: BTreeMap<i64, (Timestamp, i64, usize)> = BTreeMap::new();
    let mut endless = false;
    for event in expanded.events {
        let at = event.comp_id as usize;
        let (Some(component), Some((zone, original))) = (calendar.components.get(at), said.get(at)) else { continue };
        let start = resolved(&event.start, *zone);
        let Ok(occurred_at) = Timestamp::from_second(start) else { continue };
        if occurred_at > until {
            endless = true;
            continue;
        }
        if event_is_cancelled(component) || start < 0 {
            continue;
        }
        let length = match &event.end {
            TimeOrDelta::Time(end) => resolved(end, *zone) - start,
            TimeOrDelta::Delta(length) => length.num_seconds(),
        };
        found.insert(original.map_or(start, Timestamp::as_second), (occurred_at, length, at));
    }
    let mut made: BTreeMap<usize, Entry> = BTreeMap::new();
    for (_, _, at) in found.values() {
        made.entry(*at).or_insert_with(|| meeting(&calendar.components[*at]));
    }
    let invited = made.values().map(|entry| entry.participants.len()).max().unwrap_or(0);
    let surplus = found.len().saturating_sub(most.min(MAX_INVITED / invited.max(1)));
    let entry = |(original, (occurred_at, length, at)): (i64, (Timestamp, i64, usize))| {
        let mut entry = made[&at].clone();
        entry.id = if recurring { format!("event.{uid_hash}.{original}") } else { format!("event.{uid_hash}") };
        entry.occurred_at = occurred_at;
        entry.duration_seconds = u64::try_from(length).ok();
        entry
    };
    (found.into_iter().skip(surplus).map(entry).collect(), endless)
}

/// Seconds since 1970; a time that calcard left without a zone, because clocks change at it, in its event's zone.
fn resolved(at: &chrono::DateTime<Tz>, zone: Tz) -> i64 {
    if at.timezone() != Tz::Floating {
        return at.timestamp();
    }
    let naive = at.naive_local();
    local(naive.and_utc().timestamp(), zone).unwrap_or_else(|| naive.and_utc().timestamp())
}

/// The moment of a local time, given as if it were UTC. Where clocks change, a time that does not exist is an hour later
/// and one that exists twice is the first.
fn local(as_utc: i64, zone: Tz) -> Option<i64> {
    let civil = Timestamp::from_second(as_utc).ok()?.to_zoned(jiff::tz::TimeZone::UTC).datetime();
    match zone {
        Tz::Tz(zone) => Some(jiff::tz::TimeZone::get(zone.name()).ok()?.to_ambiguous_zoned(civil).compatible().ok()?.timestamp().as_second()),
        Tz::Fixed(offset) => Some(as_utc - i64::from(offset.local_minus_utc())),
        Tz::Floating => None,
    }
}

/// The local time at a moment, as if it were UTC.
fn local_time(at: i64, zone: Tz) -> Option<jiff::civil::DateTime> {
    let at = Timestamp::from_second(at).ok()?;
    match zone {
        Tz::Tz(zone) => Some(at.to_zoned(jiff::tz::TimeZone::get(zone.name()).ok()?).datetime()),
        Tz::Fixed(offset) => Some(at.to_zoned(jiff::tz::Offset::from_seconds(offset.local_minus_utc()).ok()?.to_time_zone()).datetime()),
        Tz::Floating => None,
    }
}

/// Brings events into the form in which calcard expands them right: occurrences meet their series whatever their
/// SEQUENCE, single events are in UTC, and a rule ends in local time, in which it also runs.
fn unify(calendar: &mut ICalendar, default: Tz) {
    let zones: Vec<Tz> = calendar.components.iter().map(|component| default_of(component, calendar, default)).collect();
    for (component, zone) in calendar.components.iter_mut().zip(zones) {
        if !component.component_type.is_event() {
            continue;
        }
        component.entries.retain(|entry| entry.name != ICalendarProperty::Sequence);
        let recurs = component.is_recurrent();
        for entry in &mut component.entries {
            let is_time = matches!(entry.name, ICalendarProperty::Dtstart | ICalendarProperty::Dtend);
            match entry.values.first_mut() {
                Some(ICalendarValue::PartialDateTime(time)) if is_time && !recurs && time.has_time() && !time.has_zone() => {
                    let at = time.to_date_time().and_then(|t| local(t.date_time.and_utc().timestamp(), zone));
                    if let Some(utc) = at.and_then(|at| local_time(at, Tz::Fixed(chrono_utc()))) {
                        **time = PartialDateTime { tz_hour: Some(0), tz_minute: Some(0), ..partial(utc) };
                        entry.params.retain(|p| p.name != ICalendarParameterName::Tzid);
                    }
                }
                Some(ICalendarValue::RecurrenceRule(rule)) => {
                    let until = rule.until.as_ref().filter(|until| until.has_zone());
                    if let Some(end) = until.and_then(|until| until.to_timestamp()).and_then(|at| local_time(at, zone)) {
                        rule.until = Some(partial(end));
                    }
                }
                _ => {}
            }
        }
    }
}

fn partial(time: jiff::civil::DateTime) -> PartialDateTime {
    let small = |n: i8| Some(n.unsigned_abs());
    PartialDateTime {
        year: Some(time.year().unsigned_abs()),
        month: small(time.month()),
        day: small(time.day()),
        hour: small(time.hour()),
        minute: small(time.minute()),
        second: small(time.second()),
        ..PartialDateTime::default()
    }
}

fn default_of(component: &ICalendarComponent, calendar: &ICalendar, default: Tz) -> Tz {
    let named = component.property(&ICalendarProperty::Dtstart).and_then(zone_of);
    named.and_then(|zone| calendar.build_tz_resolver().resolve(zone)).unwrap_or(default)
}

/// Occurrences that were called off carry their mark in the text, as the file may have said it for the whole calendar.
fn event_is_cancelled(component: &ICalendarComponent) -> bool {
    component.status() == Some(&ICalendarStatus::Cancelled)
}

/// One calendar of all components: the zones of each, once.
fn merged(components: &[&Component]) -> String {
    let mut ics = String::from("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n");
    let mut seen = HashSet::new();
    let mut bodies = String::new();
    for component in components {
        let text = component.ics.replace("\r\n", "\n");
        let (headings, cuts) = events(&text);
        for cut in cuts {
            let heading = &headings[cut.calendar];
            if let Some(zone) = heading.zone.as_ref().filter(|_| bodies.is_empty()) {
                ics.push_str(&format!("X-WR-TIMEZONE:{zone}\r\n"));
            }
            let zones = heading.zones_of(&cut.lines);
            if !zones.is_empty() && seen.insert(zones.clone()) {
                ics.push_str(&zones);
            }
            for line in cut.lines {
                // What cancels without saying so in the event itself says so here.
                let ends = line.trim().eq_ignore_ascii_case("END:VEVENT");
                if ends && component.cancelled && !component.ics.to_ascii_uppercase().contains("STATUS:CANCELLED") {
                    bodies.push_str("STATUS:CANCELLED\r\n");
                }
                bodies.push_str(line);
                bodies.push_str("\r\n");
            }
        }
    }
    ics.push_str(&bodies);
    ics.push_str("END:VCALENDAR\r\n");
    ics
}

/// What a component says of each of its occurrences.
fn meeting(component: &ICalendarComponent) -> Entry {
    let mut entry = Entry::new(String::new(), EntryType::Meeting, Timestamp::UNIX_EPOCH);
    entry.subject = text_of(component, &ICalendarProperty::Summary).map(|s| s.split_whitespace().collect::<Vec<_>>().join(" "));
    entry.channel = Some("calendar".to_owned());
    let mut seen = HashSet::new();
    for property in [ICalendarProperty::Organizer, ICalendarProperty::Attendee] {
        for person in component.properties(&property).take(MAX_ATTENDEES).filter_map(attendee) {
            if seen.insert(person.key()) {
                entry.participants.push(person);
            }
        }
    }
    let plain = text_of(component, &ICalendarProperty::Description);
    let marked = || text_of(component, &ICalendarProperty::Other("X-ALT-DESC".to_owned()));
    let agenda = plain.or_else(marked).map(|text| readable(&text)).filter(|text| !text.is_empty());
    if agenda.is_some() {
        entry.meeting = Some(Meeting { agenda, ..Meeting::default() });
    }
    entry
}

/// A person invited; rooms and things are none.
fn attendee(entry: &ICalendarEntry) -> Option<Participant> {
    let kind = entry.parameter(&ICalendarParameterName::Cutype).map(|v| format!("{v:?}").to_ascii_uppercase()).unwrap_or_default();
    if kind.contains("ROOM") || kind.contains("RESOURCE") {
        return None;
    }
    // Some calendars keep the address beside an identifier of their own.
    let beside = || entry.parameter(&ICalendarParameterName::Email).and_then(|v| v.as_text()).and_then(Address::parse);
    let address = entry.calendar_address().and_then(Address::parse).or_else(beside);
    let name = entry.parameter(&ICalendarParameterName::Cn).and_then(|v| v.as_text()).map(|n| n.trim().trim_matches('"').to_owned());
    // Many calendars write the address where the name belongs.
    let name = name.filter(|n| !n.is_empty() && Address::parse(n).is_none()).map(|n| n.chars().take(200).collect());
    let participant = Participant { role: ParticipantRole::Attendee, name, email: address.map(|a| a.to_string()) };
    participant.key().is_some().then_some(participant)
}

fn text_of(component: &ICalendarComponent, property: &ICalendarProperty) -> Option<String> {
    let text = component.property(property)?.values.first()?.as_text()?;
    let text = text::clean(text);
    (!text.trim().is_empty()).then_some(text)
}

/// The agenda as a person wrote it: HTML as text, without the block that meeting tools append.
fn readable(text: &str) -> String {
    let text = if html::is_html(text) { html::to_text(&text.replace('\n', "<br>")) } else { text.to_owned() };
    let lines: Vec<&str> = text.lines().collect();
    let ruled = |at: usize| lines[at].trim().len() >= 20 && lines[at].trim().chars().all(|c| matches!(c, '_' | '.' | '─'));
    let tool = |at: usize| {
        let after = lines[at + 1..].iter().take(4).map(|l| l.to_lowercase()).collect::<String>();
        ["microsoft teams", "join the meeting", "zoom", "webex", "meet.google", "an der besprechung", "rejoindre"].iter().any(|w| after.contains(w))
    };
    let end = (0..lines.len()).find(|&at| lines[at].starts_with("-::~:~") || (ruled(at) && tool(at))).unwrap_or(lines.len());
    lines[..end].join("\n").trim().to_owned()
}

fn hash(text: &str) -> String {
    Sha256::digest(text.as_bytes())[..10].iter().map(|byte| format!("{byte:02x}")).collect()
}
