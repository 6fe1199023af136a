//! Stretches of time as people name them: `2026-03-12`, `march`, `last quarter`, `q2 2025`, `last 30 days`.

use jiff::civil::{Date, Weekday, date};
use jiff::{Span, Timestamp, ToSpan, Zoned};

/// From its first instant up to, and without, its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    pub from: Timestamp,
    pub to: Timestamp,
}

/// What a period may be called, for whoever is asked to name one.
pub const EXAMPLES: [&str; 12] = [
    "today",
    "yesterday",
    "this week",
    "last week",
    "this month",
    "last month",
    "this quarter",
    "last quarter",
    "this year",
    "last year",
    "last 30 days",
    "march",
];

const MONTHS: [&str; 12] = ["january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december"];
const WEEKDAYS: [(&str, Weekday); 7] = [
    ("monday", Weekday::Monday),
    ("tuesday", Weekday::Tuesday),
    ("wednesday", Weekday::Wednesday),
    ("thursday", Weekday::Thursday),
    ("friday", Weekday::Friday),
    ("saturday", Weekday::Saturday),
    ("sunday", Weekday::Sunday),
];

/// What a name means at a moment, in that moment's zone; none when it names no period. Names without a year are the latest that
/// has begun: in February, `march` is that of last year.
pub fn named(name: &str, now: &Zoned) -> Option<Period> {
    let low = name.trim().to_lowercase().replace(['-', '_', '/', ','], " ");
    let words: Vec<&str> = low.split_whitespace().collect();
    let today = now.date();
    let (first, end) = match words[..] {
        ["today"] => days(today, 1.day())?,
        ["yesterday"] => days(today.yesterday().ok()?, 1.day())?,
        ["this", unit] => unit_of(unit, today, 0)?,
        ["last" | "previous", unit] if weekday(unit).is_none() && month(unit).is_none() => unit_of(unit, today, -1)?,
        ["last" | "past", count, unit] => (back(today, count.parse().ok()?, unit)?, today.tomorrow().ok()?),
        ["last", day] if weekday(day).is_some() => days(latest(today.yesterday().ok()?, weekday(day)?)?, 1.day())?,
        [day] if weekday(day).is_some() => days(latest(today, weekday(day)?)?, 1.day())?,
        ["last", name] => days(month_begun(month(name)?, today.first_of_month().yesterday().ok()?)?, 1.month())?,
        [name] if month(name).is_some() => days(month_begun(month(name)?, today)?, 1.month())?,
        [name, year] if month(name).is_some() && self::year(year).is_some() => days(Date::new(self::year(year)?, month(name)?, 1).ok()?, 1.month())?,
        [quarter] if self::quarter(quarter).is_some() => {
            let number = self::quarter(quarter)?;
            days(month_begun(number * 3 - 2, today)?, 3.months())?
        }
        [quarter, year] | [year, quarter] if self::quarter(quarter).is_some() => {
            days(Date::new(self::year(year)?, self::quarter(quarter)? * 3 - 2, 1).ok()?, 3.months())?
        }
        [year] => days(Date::new(self::year(year)?, 1, 1).ok()?, 1.year())?,
        [year, month] if self::year(year).is_some() => days(Date::new(self::year(year)?, month.parse().ok()?, 1).ok()?, 1.month())?,
        [year, month, day] if self::year(year).is_some() => {
            days(Date::new(self::year(year)?, month.parse().ok()?, day.parse().ok()?).ok()?, 1.day())?
        }
        [day, name, year] | [name, day, year] if month(name).is_some() => {
            days(Date::new(self::year(year)?, month(name)?, ordinal(day)?).ok()?, 1.day())?
        }
        [day, name] | [name, day] if month(name).is_some() => {
            let month = month(name)?;
            let this_year = Date::new(today.year(), month, ordinal(day)?).ok();
            let begun = this_year.filter(|date| *date <= today);
            days(begun.or_else(|| Date::new(today.year() - 1, month, ordinal(day)?).ok())?, 1.day())?
        }
        _ => return None,
    };
    let instant = |date: Date| date.to_zoned(now.time_zone().clone()).ok().map(|zoned| zoned.timestamp());
    Some(Period { from: instant(first)?, to: instant(end)? })
}

/// The instant so long before a moment: `30d`, `2w`, `6m`, `1y`, `12h`.
pub fn ago(age: &str, now: &Zoned) -> Option<Timestamp> {
    let number = age.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let count: i64 = number.parse().ok().filter(|count| *count >= 0)?;
    let span = match &age[number.len()..] {
        "h" => Span::new().try_hours(count),
        "d" => Span::new().try_days(count),
        "w" => Span::new().try_weeks(count),
        "m" => Span::new().try_months(count),
        "y" => Span::new().try_years(count),
        _ => return None,
    };
    now.checked_sub(span.ok()?).ok().map(|then| then.timestamp())
}

fn days(first: Date, length: Span) -> Option<(Date, Date)> {
    Some((first, first.checked_add(length).ok()?))
}

/// The week, month, quarter or year of a day, or one so many before.
fn unit_of(unit: &str, today: Date, offset: i64) -> Option<(Date, Date)> {
    let (first, length) = match unit {
        "week" => (today.checked_sub(i64::from(today.weekday().to_monday_zero_offset()).days()).ok()?, 1.week()),
        "month" => (today.first_of_month(), 1.month()),
        "quarter" => (date(today.year(), (today.month() - 1) / 3 * 3 + 1, 1), 3.months()),
        "year" => (today.first_of_year(), 1.year()),
        _ => return None,
    };
    days(first.checked_add(length.checked_mul(offset).ok()?).ok()?, length)
}

fn back(today: Date, count: i64, unit: &str) -> Option<Date> {
    let span = match unit.trim_end_matches('s') {
        "day" => Span::new().try_days(count),
        "week" => Span::new().try_weeks(count),
        "month" => Span::new().try_months(count),
        "quarter" => Span::new().try_months(count.checked_mul(3)?),
        "year" => Span::new().try_years(count),
        _ => return None,
    };
    today.checked_sub(span.ok().filter(|_| count > 0)?).ok()
}

/// The latest such day of the week up to a day.
fn latest(up_to: Date, day: Weekday) -> Option<Date> {
    up_to.checked_sub(i64::from(day.until(up_to.weekday())).days()).ok()
}

/// The latest such month that has begun by a day.
fn month_begun(month: i8, by: Date) -> Option<Date> {
    let this_year = date(by.year(), month, 1);
    if this_year <= by { Some(this_year) } else { Date::new(by.year() - 1, month, 1).ok() }
}

fn weekday(name: &str) -> Option<Weekday> {
    WEEKDAYS.iter().find(|(full, _)| abbreviates(name, full)).map(|(_, day)| *day)
}

fn month(name: &str) -> Option<i8> {
    (1..).zip(MONTHS).find(|(_, full)| abbreviates(name, full)).map(|(number, _)| number)
}

/// `mar`, `sept` and `march` are themselves; `ma` could be two.
fn abbreviates(name: &str, full: &str) -> bool {
    name.len() >= 3 && full.starts_with(name)
}

fn quarter(name: &str) -> Option<i8> {
    name.strip_prefix('q')?.parse().ok().filter(|number| (1..=4).contains(number))
}

fn year(name: &str) -> Option<i16> {
    name.parse().ok().filter(|year| name.len() == 4 && (1900..=2999).contains(year))
}

fn ordinal(day: &str) -> Option<i8> {
    ["st", "nd", "rd", "th"].iter().find_map(|end| day.strip_suffix(end)).unwrap_or(day).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A Wednesday.
    fn now() -> Zoned {
        date(2026, 3, 18).at(10, 0, 0, 0).in_tz("Europe/Berlin").unwrap()
    }

    #[test]
    fn periods_are_what_people_mean() {
        for (name, first, end) in [
            ("today", "2026-03-18", "2026-03-19"),
            ("Yesterday", "2026-03-17", "2026-03-18"),
            ("this week", "2026-03-16", "2026-03-23"),
            ("last week", "2026-03-09", "2026-03-16"),
            ("last month", "2026-02-01", "2026-03-01"),
            ("last quarter", "2025-10-01", "2026-01-01"),
            ("this quarter", "2026-01-01", "2026-04-01"),
            ("last year", "2025-01-01", "2026-01-01"),
            ("last 30 days", "2026-02-16", "2026-03-19"),
            ("past 2 weeks", "2026-03-04", "2026-03-19"),
            ("march", "2026-03-01", "2026-04-01"),
            ("april", "2025-04-01", "2025-05-01"),
            ("last march", "2025-03-01", "2025-04-01"),
            ("sept 2024", "2024-09-01", "2024-10-01"),
            ("q2", "2025-04-01", "2025-07-01"),
            ("Q1 2024", "2024-01-01", "2024-04-01"),
            ("2025-q3", "2025-07-01", "2025-10-01"),
            ("2025", "2025-01-01", "2026-01-01"),
            ("2026-02", "2026-02-01", "2026-03-01"),
            ("2026-03-12", "2026-03-12", "2026-03-13"),
            ("12 march", "2026-03-12", "2026-03-13"),
            ("March 20th", "2025-03-20", "2025-03-21"),
            ("5 may 2024", "2024-05-05", "2024-05-06"),
            ("monday", "2026-03-16", "2026-03-17"),
            ("wednesday", "2026-03-18", "2026-03-19"),
            ("last wednesday", "2026-03-11", "2026-03-12"),
        ] {
            let found = named(name, &now()).unwrap_or_else(|| panic!("{name} names a period"));
            let day = |at: Timestamp| at.in_tz("Europe/Berlin").unwrap().datetime().to_string();
            assert_eq!((day(found.from), day(found.to)), (format!("{first}T00:00:00"), format!("{end}T00:00:00")), "{name}");
        }
        for name in ["", "soon", "2026-13", "2026-02-30", "q5", "ma", "last 0 days", "last 99999999999 years", "13 13 13", "0000", "last", "99th may"]
        {
            assert_eq!(named(name, &now()), None, "{name}");
        }
    }

    #[test]
    fn ages_count_back_from_now() {
        let at = |age: &str| ago(age, &now()).map(|at| at.in_tz("Europe/Berlin").unwrap().datetime().to_string());
        assert_eq!(at("30d").as_deref(), Some("2026-02-16T10:00:00"));
        assert_eq!(at("2w").as_deref(), Some("2026-03-04T10:00:00"));
        assert_eq!(at("6m").as_deref(), Some("2025-09-18T10:00:00"));
        assert_eq!(at("1y").as_deref(), Some("2025-03-18T10:00:00"));
        assert_eq!(at("12h").as_deref(), Some("2026-03-17T22:00:00"));
        for age in ["", "d", "30", "-3d", "3x", "99999999999999y", "é"] {
            assert_eq!(at(age), None, "{age}");
        }
    }
}
