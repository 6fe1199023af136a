//! What a cell says: numbers, dates and lists as people and programs write them.

use std::sync::LazyLock;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use regex::Regex;

use crate::domain::Address;
use crate::domain::address::parse_domain;

/// A cell without the signs by which programs write "nothing".
pub(super) fn tidy(cell: &str) -> String {
    let cell = cell.trim_matches(|c: char| c.is_whitespace() || c.is_control() || c == '\u{feff}');
    let nothing = ["-", "–", "—", "null", "n/a", "#n/a", "k.a.", "k. a.", "(none)", "none", "nan"].contains(&cell.to_lowercase().as_str());
    let zero_id = cell.len() >= 15 && cell.starts_with("000000000000000");
    if nothing || zero_id { String::new() } else { cell.replace("\r\n", "\n") }
}

/// A number with any thousands separator, decimal sign and currency; `4.8E4` is one too.
pub(super) fn number(cell: &str) -> Option<f64> {
    static NUMBER: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^[^\d+\-−.,(]{0,6}\(?\s*([+\-−]?[\d.,'\u{a0}\u{202f} ]*\d(?:[eE][+-]?\d{1,2})?)\)?[^\d]{0,6}$")
            .expect("the pattern is a constant")
    });
    let found = NUMBER.captures(cell.trim())?;
    let mut digits: String = found[1].chars().filter(|c| !matches!(c, '\'' | ' ' | '\u{a0}' | '\u{202f}')).collect();
    digits = digits.replace('−', "-");
    if digits.contains(['e', 'E']) {
        return digits.replace(',', ".").parse().ok().filter(|n: &f64| n.is_finite());
    }
    let (comma, point) = (digits.rfind(','), digits.rfind('.'));
    // The last sign is the decimal one, unless it stands before exactly three digits and nothing else tells.
    let decimal = match (comma, point) {
        (Some(c), Some(p)) => Some(c.max(p)),
        (Some(at), None) | (None, Some(at)) => {
            let sign = &digits[at..=at];
            let thousands = digits.matches(sign).count() > 1 || (digits.len() - at == 4 && at <= 3 && (sign == "," || !digits.starts_with('0')));
            (!thousands).then_some(at)
        }
        (None, None) => None,
    };
    let plain: String =
        digits.char_indices().filter_map(|(i, c)| if Some(i) == decimal { Some('.') } else { Some(c).filter(|c| !matches!(c, ',' | '.')) }).collect();
    plain.parse().ok().filter(|n: &f64| n.is_finite())
}

pub(super) fn flag(cell: &str) -> Option<bool> {
    match cell.to_lowercase().as_str() {
        "true" | "1" | "yes" | "y" | "x" | "ja" | "oui" | "sí" | "si" | "sim" => Some(true),
        "false" | "0" | "no" | "n" | "nein" | "non" | "não" | "nee" => Some(false),
        _ => None,
    }
}

/// The parts of a cell that holds several things.
pub(super) fn list(cell: &str) -> Vec<String> {
    let bare = cell.trim().trim_start_matches('[').trim_end_matches(']');
    let separator = if bare.contains(" ::: ") {
        " ::: "
    } else if bare.contains(';') {
        ";"
    } else if bare.contains(',') {
        ","
    } else if bare.contains('\n') {
        "\n"
    } else {
        " ::: "
    };
    bare.split(separator).map(|part| part.trim().trim_matches(['"', '*']).trim()).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

/// Like a list, and blanks separate as well.
fn words(cell: &str) -> impl Iterator<Item = &str> {
    cell.split(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | '|' | '<' | '>' | '(' | ')' | '"' | '[' | ']')).filter(|word| !word.is_empty())
}

pub(super) fn emails(cell: &str) -> Vec<String> {
    words(cell)
        .filter(|word| word.contains('@'))
        .filter_map(|word| Address::parse(word.trim_start_matches("mailto:")))
        .filter(|address| address.domain().contains('.'))
        .map(|address| address.to_string())
        .collect()
}

/// Domains, also of web addresses.
pub(super) fn domains(cell: &str) -> Vec<String> {
    let host = |word: &str| {
        let bare = word.trim_start_matches("https://").trim_start_matches("http://");
        let host = bare.split(['/', '?', ':']).next().unwrap_or(bare);
        host.strip_prefix("www.").unwrap_or(host).to_owned()
    };
    words(cell).map(host).filter(|host| host.contains('.')).filter_map(|host| parse_domain(&host)).collect()
}

/// `Ann Lee (ann@acme.example)`, `ann@acme.example`, `Ann Lee`: each with name and address as far as given.
pub(super) fn people(cell: &str) -> Vec<(Option<String>, Option<String>)> {
    let parts = if cell.contains(';') { list(cell) } else { cell.split(',').map(|p| p.trim().to_owned()).filter(|p| !p.is_empty()).collect() };
    let person = |part: String| {
        let email = emails(&part).into_iter().next();
        let name = part.split(['(', '<']).next().unwrap_or(&part).trim().to_owned();
        let name = (!name.is_empty() && !name.contains('@')).then_some(name);
        (name, email)
    };
    parts.into_iter().map(person).filter(|(name, email)| name.is_some() || email.is_some()).collect()
}

/// Seconds of a duration: `00:23:41`, `25` minutes under a header that says so, `1421` seconds otherwise.
pub(super) fn seconds(cell: &str, header: &str) -> Option<u64> {
    let parts: Vec<&str> = cell.split(':').collect();
    let seconds = if parts.len() > 1 {
        let mut total = 0.0;
        for part in &parts {
            total = total * 60.0 + part.trim().parse::<f64>().ok()?;
        }
        // Two parts are minutes and seconds, unless the header counts in hours.
        if parts.len() == 2 && header.contains("hh") && !header.contains("ss") { total * 60.0 } else { total }
    } else {
        let number = number(cell)?;
        if header.contains("milli") || header.ends_with(" ms") {
            number / 1000.0
        } else if header.contains("min") {
            number * 60.0
        } else if header.contains("hour") || header.contains("hrs") || header.contains("stunde") {
            number * 3600.0
        } else {
            number
        }
    };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be in range")]
    (0.0..10_000_000.0).contains(&seconds).then_some(seconds.round() as u64)
}

/// Which of two numbers of a date is the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum DayOrder {
    #[default]
    DayFirst,
    MonthFirst,
}

static NUMERIC_DATE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^(\d{1,2})([./-])(\d{1,2})[./-](\d{4}|\d{2})(?:[ ,T]+(\d{1,2}):(\d{2})(?::(\d{2}))?\s*([AaPp]\.?[Mm]\.?)?)?$")
        .expect("the pattern is a constant")
});

/// What the dates of a whole table say about their order: one day beyond the twelfth decides for all.
pub(super) fn day_order<'a>(cells: impl Iterator<Item = &'a str>) -> DayOrder {
    let (mut day_first, mut month_first, mut half_days) = (0, 0, false);
    for cell in cells {
        let Some(found) = NUMERIC_DATE.captures(cell) else { continue };
        let (a, b): (u8, u8) = (found[1].parse().unwrap_or(0), found[3].parse().unwrap_or(0));
        day_first += usize::from(a > 12 || &found[2] == ".");
        month_first += usize::from(b > 12);
        half_days |= found.get(8).is_some();
    }
    if month_first > day_first || (half_days && day_first == 0) { DayOrder::MonthFirst } else { DayOrder::DayFirst }
}

/// A moment; without a zone in UTC, a day alone at its beginning.
pub(super) fn moment(cell: &str, order: DayOrder) -> Option<Timestamp> {
    let cell = cell.trim();
    if let Ok(at) = cell.parse::<Timestamp>() {
        return within(at);
    }
    // `2026-03-12T09:00:00.000+0000` lacks the colon that the standard wants.
    static ZONE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"([+-]\d{2})(\d{2})$").expect("the pattern is a constant"));
    if cell.contains('T')
        && let Ok(at) = ZONE.replace(cell, "$1:$2").parse::<Timestamp>()
    {
        return within(at);
    }
    let bare = cell.trim_end_matches(" UTC").trim_end_matches('Z');
    let civil = bare.parse::<DateTime>().ok().or_else(|| numeric(bare, order)).or_else(|| minutes(bare))?;
    within(civil.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

fn within(at: Timestamp) -> Option<Timestamp> {
    (0..4_102_444_800).contains(&at.as_second()).then_some(at)
}

/// `2026-02-17 14:30`, which the parser wants with seconds.
fn minutes(cell: &str) -> Option<DateTime> {
    let (date, time) = cell.split_once([' ', 'T'])?;
    Some(date.parse::<Date>().ok()?.to_datetime(clock(time)?))
}

fn numeric(cell: &str, order: DayOrder) -> Option<DateTime> {
    let found = NUMERIC_DATE.captures(cell)?;
    let part = |group: usize| found.get(group).and_then(|m| m.as_str().parse::<i8>().ok());
    let (day, month) = match order {
        DayOrder::DayFirst => (part(1)?, part(3)?),
        DayOrder::MonthFirst => (part(3)?, part(1)?),
    };
    let year: i16 = found[4].parse().ok()?;
    let date = Date::new(if year < 100 { 2000 + year } else { year }, month, day).ok()?;
    let time = match (part(5), part(6)) {
        (Some(_), Some(_)) => clock(cell.split_once([' ', ',', 'T'])?.1)?,
        _ => Time::midnight(),
    };
    Some(date.to_datetime(time))
}

/// A time of day: `9:00`, `14:30:05`, `2:15 PM`.
pub(super) fn clock(cell: &str) -> Option<Time> {
    let lower = cell.trim().to_lowercase().replace('.', "");
    let (bare, shift) = match (lower.strip_suffix("pm"), lower.strip_suffix("am")) {
        (Some(bare), _) => (bare, Some(12)),
        (_, Some(bare)) => (bare, Some(0)),
        _ => (lower.as_str(), None),
    };
    let mut parts = bare.trim().split(':').map(|p| p.trim().parse::<i8>());
    let (mut hour, minute) = (parts.next()?.ok()?, parts.next()?.ok()?);
    let second = parts.next().map_or(Some(0), Result::ok)?;
    if let Some(shift) = shift {
        hour = hour % 12 + shift;
    }
    Time::new(hour, minute, second, 0).ok()
}

/// A record id of Salesforce in the long form: reports show fifteen characters in which case counts, exports eighteen.
pub(super) fn id(cell: &str) -> String {
    let prefixes = ["001", "003", "005", "006", "00T", "00U", "00Q", "500"];
    let short = cell.len() == 15 && cell.bytes().all(|b| b.is_ascii_alphanumeric()) && prefixes.iter().any(|p| cell.starts_with(p));
    if !short || cell.bytes().all(|b| b.is_ascii_digit()) {
        return cell.to_owned();
    }
    let checks = cell.as_bytes().chunks(5).map(|five| {
        let bits = five.iter().enumerate().fold(0, |bits, (i, b)| bits | (usize::from(b.is_ascii_uppercase()) << i));
        char::from(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"[bits])
    });
    cell.chars().chain(checks).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_people_write_them() {
        for (cell, value) in [
            ("48,000.50", Some(48_000.5)),
            ("48.000,50 €", Some(48_000.5)),
            ("1.200", Some(1200.0)),
            ("1,200", Some(1200.0)),
            ("0.125", Some(0.125)),
            ("90%", Some(90.0)),
            ("1.5E4", Some(15_000.0)),
            ("$ 1,234,567", Some(1_234_567.0)),
            ("1'200.5", Some(1200.5)),
            ("12.5", Some(12.5)),
            ("-3", Some(-3.0)),
            ("about forty", None),
            ("", None),
        ] {
            assert_eq!(number(cell), value, "{cell}");
        }
    }

    #[test]
    fn dates_in_the_order_of_their_table() {
        let at = |cell: &str, order| moment(cell, order).map(|t| t.to_string());
        assert_eq!(day_order(["05/02/2026", "17/02/2026"].into_iter()), DayOrder::DayFirst);
        assert_eq!(day_order(["5/6/2023", "5/16/2023"].into_iter()), DayOrder::MonthFirst);
        assert_eq!(at("05/02/2026", DayOrder::DayFirst).as_deref(), Some("2026-02-05T00:00:00Z"));
        assert_eq!(at("5/2/2026 2:15 PM", DayOrder::MonthFirst).as_deref(), Some("2026-05-02T14:15:00Z"));
        for (cell, expected) in [
            ("2026-02-17 14:30", "2026-02-17T14:30:00Z"),
            ("2026-02-27T10:12:45.000+0000", "2026-02-27T10:12:45Z"),
            ("2026-02-27T10:12:45+01:00", "2026-02-27T09:12:45Z"),
            ("2026-02-27", "2026-02-27T00:00:00Z"),
            ("31.12.2025", "2025-12-31T00:00:00Z"),
        ] {
            assert_eq!(at(cell, DayOrder::DayFirst).as_deref(), Some(expected), "{cell}");
        }
        for cell in ["0/0/00", "31.02.2026", "9999-01-01", "soon"] {
            assert_eq!(at(cell, DayOrder::DayFirst), None, "{cell}");
        }
    }

    #[test]
    fn a_short_salesforce_id_is_the_long_one() {
        assert_eq!(id("0015g00000XkT2a"), "0015g00000XkT2aAAF");
        assert_eq!(id("0015g00000XkT2A"), "0015g00000XkT2AAAV");
        assert_eq!(id("9134455021"), "9134455021");
    }

    #[test]
    fn several_things_in_one_cell() {
        assert_eq!(emails("A@x.example; b@y.example b@y"), ["a@x.example", "b@y.example"]);
        assert_eq!(domains("https://www.acme.example/de, acme.test"), ["acme.example", "acme.test"]);
        assert_eq!(
            people("Ann Lee (ann@x.example);bob@x.example"),
            [(Some("Ann Lee".into()), Some("ann@x.example".into())), (None, Some("bob@x.example".into()))]
        );
        assert_eq!(seconds("00:23:41", "call duration hh mm ss"), Some(1421));
        assert_eq!(seconds("45", "min"), Some(2700));
    }
}
