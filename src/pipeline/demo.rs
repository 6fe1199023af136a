//! The demo customers, and moving their stories to today: all dates shift by whole weeks, so that weekdays stay right.

use std::sync::LazyLock;

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp, ToSpan};
use regex::{Captures, Regex};
use serde_json::Value;

/// Our company, team and competitors.
pub const WORKSPACE: &str = include_str!("../../fixtures/accounts/workspace.ndjson");

/// The six customers, each with a story.
pub const ACCOUNTS: &[(&str, &str)] = &[
    ("brightwater", include_str!("../../fixtures/accounts/brightwater/records.ndjson")),
    ("juniper", include_str!("../../fixtures/accounts/juniper/records.ndjson")),
    ("keller", include_str!("../../fixtures/accounts/keller/records.ndjson")),
    ("meridian", include_str!("../../fixtures/accounts/meridian/records.ndjson")),
    ("osprey", include_str!("../../fixtures/accounts/osprey/records.ndjson")),
    ("tindale", include_str!("../../fixtures/accounts/tindale/records.ndjson")),
];

/// The "today" of the stories: a Monday.
pub const WRITTEN: &str = "2026-03-02T12:00:00Z";

/// Whole weeks between the stories' today and now; negative when the clock is before it.
pub fn weeks_since_written(now: Timestamp) -> i64 {
    let written: Timestamp = WRITTEN.parse().expect("the constant is a time");
    now.duration_since(written).as_secs().div_euclid(7 * 86_400)
}

/// A record with every date in it moved by so many weeks: in its fields, and as written in its texts.
pub fn shifted(line: &str, weeks: i64) -> String {
    let Ok(mut value) = serde_json::from_str::<Value>(line) else { return line.to_owned() };
    let around = value.get("occurred_at").or(value.get("created_at")).and_then(Value::as_str).unwrap_or(WRITTEN);
    let around = around.parse::<Timestamp>().unwrap_or(Timestamp::UNIX_EPOCH).to_zoned(jiff::tz::TimeZone::UTC).date();
    shift(&mut value, weeks, around);
    value.to_string()
}

fn shift(value: &mut Value, weeks: i64, around: Date) {
    match value {
        Value::String(text) => *text = shift_text(text, weeks, around),
        Value::Array(items) => items.iter_mut().for_each(|item| shift(item, weeks, around)),
        Value::Object(fields) => fields.values_mut().for_each(|field| shift(field, weeks, around)),
        _ => {}
    }
}

const MONTHS: [&str; 12] = ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"];

static DATE: LazyLock<Regex> = LazyLock::new(|| {
    let month =
        "(January|February|March|April|May|June|July|August|September|October|November|December|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept|Sep|Oct|Nov|Dec)";
    Regex::new(&format!(
        r"(?x)\b(?: (?<iso>\d{{4}}-\d{{2}}-\d{{2}}) | (?<day>\d{{1,2}})(?<ord>st|nd|rd|th)?\ (?<month>{month})(?:(?<gap>,?\ )(?<year>\d{{4}}))?
            | (?<month2>{month})\ (?<day2>\d{{1,2}})(?<ord2>st|nd|rd|th)?(?:(?<gap2>,\ |\ )(?<year2>\d{{4}}))? )\b"
    ))
    .expect("the pattern is a constant")
});

fn shift_text(text: &str, weeks: i64, around: Date) -> String {
    if let Ok(time) = text.parse::<Timestamp>() {
        return time.checked_add(SignedDuration::from_hours(weeks * 7 * 24)).map_or_else(|_| text.to_owned(), |t| t.to_string());
    }
    DATE.replace_all(text, |found: &Captures| shift_date(found, weeks, around).unwrap_or_else(|| found[0].to_owned())).into_owned()
}

/// A written date moved; one without a year is the nearest such day.
fn shift_date(found: &Captures, weeks: i64, around: Date) -> Option<String> {
    let text = |name: &str| found.name(name).map(|m| m.as_str());
    if let Some(iso) = text("iso") {
        return Some(iso.parse::<Date>().ok()?.checked_add(weeks.weeks()).ok()?.to_string());
    }
    let (day, month, year) = (text("day").or(text("day2"))?, text("month").or(text("month2"))?, text("year").or(text("year2")));
    let number = MONTHS.iter().position(|m| m.starts_with(&month[..3]))? as i8 + 1;
    let day: i8 = day.parse().ok()?;
    let date = match year {
        Some(year) => Date::new(year.parse().ok()?, number, day).ok()?,
        None => (-1..=1)
            .filter_map(|years| Date::new(around.year() + years, number, day).ok())
            .min_by_key(|date| around.until(*date).map_or(i32::MAX, |span| span.get_days().abs()))?,
    };
    let moved = date.checked_add(weeks.weeks()).ok()?;
    let name = MONTHS[usize::try_from(moved.month() - 1).ok()?];
    let name = if month.len() <= 4 && month != "June" && month != "July" { &name[..3] } else { name };
    let ordinal = if text("ord").or(text("ord2")).is_some() { ordinal(moved.day()) } else { "" };
    let year = year.map(|_| moved.year().to_string()).unwrap_or_default();
    Some(if text("day").is_some() {
        format!("{}{ordinal} {name}{}{year}", moved.day(), text("gap").unwrap_or_default())
    } else {
        format!("{name} {}{ordinal}{}{year}", moved.day(), text("gap2").unwrap_or_default())
    })
}

fn ordinal(day: i8) -> &'static str {
    match (day % 10, day) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_date_moves_and_nothing_else() {
        let around = "2026-01-15".parse().unwrap();
        for (text, moved) in [
            ("2026-03-02T12:00:00Z", "2026-03-16T12:00:00Z"),
            ("by 12 March, 400 may be fine", "by 26 March, 400 may be fine"),
            ("On Tue, 3 Feb 2026 at 09:12, Ann wrote:", "On Tue, 17 Feb 2026 at 09:12, Ann wrote:"),
            ("December 28 and 28 December", "January 11 and 11 January"),
            ("March 12, 2026; the 21st March", "March 26, 2026; the 4th April"),
            ("version 2.1 of 2026-02-20", "version 2.1 of 2026-03-06"),
            ("May I ask? You may 5 times.", "May I ask? You may 5 times."),
        ] {
            assert_eq!(shift_text(text, 2, around), moved);
        }
        assert_eq!(weeks_since_written("2026-03-15T00:00:00Z".parse().unwrap()), 1);
    }

    #[test]
    fn every_demo_record_is_valid_before_and_after() {
        for (name, records) in std::iter::once(&("workspace", WORKSPACE)).chain(ACCOUNTS) {
            assert!(records.lines().count() > 5, "{name}");
            for line in records.lines() {
                for weeks in [0, 37] {
                    if let Err(rejection) = crate::ingest::record::read(&shifted(line, weeks)) {
                        panic!("{name}: {rejection:?}");
                    }
                }
            }
        }
    }
}
