//! Calendars: series, moved and cancelled occurrences, zones, in whatever order they arrive.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use jiff::Timestamp;
use rapport::domain::Entry;
use rapport::ingest::calendar::{self, Component};
use serde_json::Value;

fn fixture(name: &str) -> PathBuf {
    PathBuf::from("fixtures/calendars").join(name)
}

fn json(name: &str) -> Value {
    serde_json::from_slice(&std::fs::read(fixture(name)).unwrap()).unwrap()
}

fn meetings_of(files: &[&str]) -> Vec<Entry> {
    let mut series: BTreeMap<String, BTreeMap<String, Component>> = BTreeMap::new();
    for file in files {
        for component in calendar::read(&std::fs::read(fixture(file)).unwrap()).unwrap().components {
            let newest = series.entry(component.uid.clone()).or_default();
            if newest.get(&component.recurrence).is_none_or(|known| known.version < component.version) {
                newest.insert(component.recurrence.clone(), component);
            }
        }
    }
    let (from, until): (Timestamp, Timestamp) = ("2025-01-01T00:00:00Z".parse().unwrap(), "2026-05-31T23:59:59Z".parse().unwrap());
    let all = series.into_values().flat_map(|s| calendar::meetings(&s.into_values().collect::<Vec<_>>(), None, until).0);
    let mut all: Vec<Entry> = all.filter(|e| e.occurred_at >= from).collect();
    all.sort_by_key(|e| (e.occurred_at, e.subject.clone()));
    all
}

fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// One meeting as expected; what is wrong about the one found in its place.
fn compare(expected: &Value, found: &Entry) -> Vec<String> {
    let mut wrong = Vec::new();
    let duration = expected["duration_seconds"].as_u64();
    let also = expected["duration_also_acceptable"].as_array().is_some_and(|d| d.iter().any(|d| d.as_u64() == found.duration_seconds));
    if found.duration_seconds != duration && !also && expected["all_day"] != true {
        wrong.push(format!("lasts {:?}, not {duration:?}", found.duration_seconds));
    }
    if found.subject.as_deref() != expected["summary"].as_str() {
        wrong.push(format!("is called {:?}, not {}", found.subject, expected["summary"]));
    }
    let people: BTreeSet<(Option<String>, Option<String>)> = found.participants.iter().map(|p| (p.name.clone(), p.email.clone())).collect();
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let mut wanted: BTreeSet<(Option<String>, Option<String>)> = BTreeSet::new();
    for person in expected["attendees"].as_array().into_iter().flatten().chain(std::iter::once(&expected["organizer"])) {
        let email = text(&person["email"]).map(|e| e.to_lowercase());
        if person.is_object() && (email.is_some() || person["name"].is_string()) && !wanted.iter().any(|(_, e)| e.is_some() && *e == email) {
            wanted.insert((text(&person["name"]), email));
        }
    }
    let by_mail = |set: &BTreeSet<(Option<String>, Option<String>)>| set.iter().map(|(n, e)| e.clone().or(n.clone())).collect::<BTreeSet<_>>();
    if by_mail(&people) != by_mail(&wanted) {
        wrong.push(format!("is with {people:?}, not {wanted:?}"));
    }
    let agenda = found.meeting.as_ref().and_then(|m| m.agenda.clone()).unwrap_or_default();
    let mut agendas = vec![expected["agenda"].as_str().unwrap_or_default()];
    agendas.extend(expected["agenda_also_acceptable"].as_array().into_iter().flatten().filter_map(Value::as_str));
    let all_words = expected["agenda_words"].as_array().is_some_and(|w| w.iter().all(|w| agenda.contains(w.as_str().unwrap())));
    if !agendas.iter().any(|wanted| words(wanted).replace("- ", "* ") == words(&agenda).replace("- ", "* ")) && !all_words {
        wrong.push(format!("has the agenda {agenda:?}, not {:?}", agendas));
    }
    wrong
}

#[test]
fn calendars_are_read_as_a_person_would() {
    let mut wrong = Vec::new();
    for name in ["allday", "apple", "broken", "dst", "floating-xwr", "floating", "google", "monthly", "outlook", "outlook-invite", "outlook-update"] {
        let expected = json(&format!("{name}.ics.expected.json"));
        let mut found = meetings_of(&[&format!("{name}.ics")]);
        for meeting in expected["meetings"].as_array().unwrap() {
            let mut starts = vec![meeting["start"].as_str().unwrap()];
            for key in ["start_also_acceptable", "also_acceptable_start"] {
                starts.extend(meeting[key].as_array().into_iter().flatten().filter_map(Value::as_str).chain(meeting[key].as_str()));
            }
            let at = found
                .iter()
                .position(|e| starts.contains(&e.occurred_at.to_string().as_str()) && e.subject.as_deref() == meeting["summary"].as_str());
            match at {
                Some(at) => {
                    wrong
                        .extend(compare(meeting, &found.remove(at)).into_iter().map(|w| format!("{name}: {} {} {w}", starts[0], meeting["summary"])));
                }
                None if meeting["optional"] == true => {}
                None => wrong.push(format!("{name}: missing {} {}", starts[0], meeting["summary"])),
            }
        }
        let optional = expected["optional_meetings"].as_array().cloned().unwrap_or_default();
        found.retain(|e| !optional.iter().any(|o| o["summary"].as_str() == e.subject.as_deref() || o["summary"].is_null()));
        wrong.extend(found.iter().map(|e| format!("{name}: too much: {} {:?}", e.occurred_at, e.subject)));
    }
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn a_series_without_end_is_followed_through_every_clock_change() {
    let expected = json("endless.ics.expected.json");
    let found: Vec<String> = meetings_of(&["endless.ics"]).iter().map(|e| e.occurred_at.to_string()).collect();
    assert_eq!(found.len() as u64, expected["count"].as_u64().unwrap());
    for key in ["first", "last"] {
        for meeting in expected[key].as_array().unwrap() {
            assert!(found.iter().any(|at| Some(at.as_str()) == meeting["start"].as_str()), "{meeting}");
        }
    }
}

#[test]
fn invitation_update_and_cancellation_give_the_same_in_any_order() {
    let expected = json("sequence.expected.json");
    let states = expected["after"].as_array().or(expected["sequences"].as_array()).or(expected["cases"].as_array()).expect("cases");
    assert!(states.len() >= 6);
    for state in states {
        let files: Vec<&str> = state["imported"].as_array().unwrap().iter().map(|f| f.as_str().unwrap()).collect();
        let found: Vec<String> = meetings_of(&files).iter().map(|e| e.occurred_at.to_string()).collect();
        let wanted: Vec<&str> = state["meetings"].as_array().unwrap().iter().map(|m| m["start"].as_str().unwrap()).collect();
        assert_eq!(found, wanted, "{files:?}");
    }
}

#[test]
fn what_cannot_be_read_names_its_line() {
    let read = calendar::read(&std::fs::read(fixture("broken.ics")).unwrap()).unwrap();
    let lines: Vec<_> = read.refused.iter().map(|(line, reason)| format!("{}: {reason}", line.unwrap())).collect();
    for says in ["has no start", "time zone", "is not a date", "in the middle"] {
        assert!(lines.iter().any(|line| line.contains(says)), "{says}: {lines:#?}");
    }
}

#[test]
fn a_series_of_a_crowd_stays_small() {
    let crowd: String = (0..1_000).map(|i| format!("ATTENDEE:mailto:p{i}@acme.example\n")).collect();
    let event = format!("BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nDTSTART:20200101T090000Z\nRRULE:FREQ=HOURLY\n{crowd}END:VEVENT\nEND:VCALENDAR\n");
    let read = calendar::read(event.as_bytes()).unwrap();
    let (meetings, _) = calendar::meetings(&read.components, None, "2030-01-01T00:00:00Z".parse().unwrap());
    assert_eq!((meetings.len(), meetings[0].participants.len()), (50, 1_000));
    assert_eq!(calendar::first_meeting(&read.components[0]).unwrap().occurred_at.to_string(), "2020-01-01T09:00:00Z");
}

#[test]
fn a_zone_that_nobody_knows_by_name_is_known_by_its_rules() {
    let zone = "BEGIN:VTIMEZONE\nTZID:Customized Time Zone\nBEGIN:STANDARD\nDTSTART:16010101T030000\nTZOFFSETFROM:+0200\nTZOFFSETTO:+0100\nRRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10\nEND:STANDARD\nBEGIN:DAYLIGHT\nDTSTART:16010101T020000\nTZOFFSETFROM:+0100\nTZOFFSETTO:+0200\nRRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3\nEND:DAYLIGHT\nEND:VTIMEZONE\n";
    let event = "BEGIN:VEVENT\nUID:1\nDTSTART;TZID=Customized Time Zone:20260712T090000\nEND:VEVENT\n";
    let read = calendar::read(format!("BEGIN:VCALENDAR\n{zone}{event}END:VCALENDAR\n").as_bytes()).unwrap();
    assert_eq!(read.refused, []);
    assert_eq!(calendar::first_meeting(&read.components[0]).unwrap().occurred_at.to_string(), "2026-07-12T07:00:00Z");
}

#[test]
fn an_event_carries_only_the_zones_that_it_names() {
    let place = |i: usize| if i.is_multiple_of(2) { "Europe/Athens" } else { "Asia/Tokyo" };
    let zone = |i: usize| format!("BEGIN:VTIMEZONE\nTZID:Z{i}\nX-LIC-LOCATION:{}\nEND:VTIMEZONE\n", place(i));
    let event = |i: usize| format!("BEGIN:VEVENT\nUID:{i}\nDTSTART;TZID=Z{i}:20250303T100000\nEND:VEVENT\n");
    let count = 2_000;
    let (zones, events): (String, String) = ((0..count).map(zone).collect(), (0..count).map(event).collect());
    let read = calendar::read(format!("BEGIN:VCALENDAR\n{zones}{events}END:VCALENDAR\n").as_bytes()).unwrap();
    assert_eq!(read.components.len(), count, "{:?}", read.refused.first());
    assert!(read.components.iter().all(|component| component.ics.len() < 500));
    let at = |i: usize| calendar::meetings(&read.components[i..=i], None, "2030-01-01T00:00:00Z".parse().unwrap()).0[0].occurred_at.to_string();
    assert_eq!((at(2).as_str(), at(7).as_str()), ("2025-03-03T08:00:00Z", "2025-03-03T01:00:00Z"));
}
