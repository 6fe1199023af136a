//! Time zones as calendars define them: what is kept of a definition, and which zone of the world it means when its
//! name is nobody's ("Customized Time Zone").

use jiff::Timestamp;
use jiff::civil::{Date, Weekday, date};
use jiff::tz::TimeZone;

/// Longer names are no names.
const MAX_LINE: usize = 200;

/// One zone for each way of keeping time that businesses live by, the better known first.
const KNOWN: [&str; 36] = [
    "UTC",
    "Europe/London",
    "Europe/Berlin",
    "Europe/Athens",
    "Europe/Istanbul",
    "Europe/Lisbon",
    "America/New_York",
    "America/Chicago",
    "America/Denver",
    "America/Phoenix",
    "America/Los_Angeles",
    "America/Anchorage",
    "America/Halifax",
    "America/St_Johns",
    "America/Mexico_City",
    "America/Bogota",
    "America/Caracas",
    "America/Sao_Paulo",
    "America/Santiago",
    "Pacific/Honolulu",
    "Africa/Lagos",
    "Asia/Jerusalem",
    "Asia/Dubai",
    "Asia/Tehran",
    "Asia/Karachi",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Asia/Dhaka",
    "Asia/Bangkok",
    "Asia/Shanghai",
    "Asia/Tokyo",
    "Australia/Adelaide",
    "Australia/Darwin",
    "Australia/Brisbane",
    "Australia/Sydney",
    "Pacific/Auckland",
];

/// The name of a definition and the lines of it that tell which zone is meant; its rules are looked at here once, so
/// that an event carries little.
pub(super) fn short(definition: &str) -> Option<(String, String)> {
    let value = |name: &str| {
        let mut lines = definition.lines().filter_map(|line| line.split_once(':'));
        lines.find(|(before, _)| before.split(';').next().is_some_and(|called| called.eq_ignore_ascii_case(name))).map(|(_, value)| value.trim())
    };
    let name = value("TZID").filter(|name| name.len() <= MAX_LINE)?;
    let mut kept = format!("BEGIN:VTIMEZONE\r\nTZID:{name}\r\n");
    let location = value("X-LIC-LOCATION").filter(|location| location.len() <= MAX_LINE).map(str::to_owned);
    let known = TimeZone::get(name).is_ok();
    if let Some(location) = location.or_else(|| (!known).then(|| meant(definition)).flatten().map(str::to_owned)) {
        kept.push_str(&format!("X-LIC-LOCATION:{location}\r\n"));
    }
    if let Some(id) = value("X-MICROSOFT-CDO-TZID").filter(|id| id.len() <= MAX_LINE) {
        kept.push_str(&format!("X-MICROSOFT-CDO-TZID:{id}\r\n"));
    }
    kept.push_str("END:VTIMEZONE\r\n");
    Some((name.to_owned(), kept))
}

/// From when in a year which offset holds.
#[derive(Clone, Copy)]
struct Change {
    on: Date,
    seconds: i32,
}

/// The zone of the world that changes its clocks as the definition says.
fn meant(definition: &str) -> Option<&'static str> {
    let standard = change(definition, "STANDARD")?;
    let daylight = change(definition, "DAYLIGHT");
    let expected = |day: Date| match daylight {
        Some(daylight) if daylight.on <= standard.on => if (daylight.on..standard.on).contains(&day) { daylight } else { standard }.seconds,
        Some(daylight) => if (standard.on..daylight.on).contains(&day) { standard } else { daylight }.seconds,
        None => standard.seconds,
    };
    let noon = |day: Date| day.at(12, 0, 0, 0).to_zoned(TimeZone::UTC).map(|noon| noon.timestamp()).unwrap_or(Timestamp::UNIX_EPOCH);
    let days: Vec<Date> = date(2025, 1, 1).series(jiff::Span::new().days(3)).take_while(|day| day.year() == 2025).collect();
    KNOWN.into_iter().find(|name| {
        let Ok(zone) = TimeZone::get(name) else { return false };
        // Noon elsewhere may be a day off on the day of a change.
        days.iter().filter(|&&day| zone.to_offset(noon(day)).seconds() != expected(day)).count() <= 1
    })
}

/// When the last of a definition's blocks of this kind takes hold in 2025, and its offset.
fn change(definition: &str, kind: &str) -> Option<Change> {
    let (begin, end) = (format!("BEGIN:{kind}"), format!("END:{kind}"));
    let block = definition.split(&begin).skip(1).filter_map(|rest| rest.split(&end).next()).last()?;
    let value =
        |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).and_then(|rest| rest.split_once(':')).map(|(_, value)| value.trim());
    let offset = value("TZOFFSETTO")?;
    let (sign, digits) = (if offset.starts_with('-') { -1 } else { 1 }, offset.trim_start_matches(['+', '-']));
    let number = |range: std::ops::Range<usize>| digits.get(range).and_then(|d| d.parse::<i32>().ok());
    let seconds = sign * (number(0..2)? * 3600 + number(2..4)? * 60);
    let started = value("DTSTART").and_then(|at| Some((at.get(4..6)?.parse::<i8>().ok()?, at.get(6..8)?.parse::<i8>().ok()?)));
    let rule = value("RRULE").unwrap_or_default();
    let part = |name: &str| rule.split(';').find_map(|part| part.strip_prefix(name)?.strip_prefix('='));
    let month = part("BYMONTH").and_then(|month| month.parse::<i8>().ok()).or(started.map(|(month, _)| month)).unwrap_or(1);
    let by_weekday = part("BYDAY").and_then(|day| {
        let (nth, name) = day.split_at_checked(day.len().checked_sub(2)?)?;
        let weekday = match name {
            "MO" => Weekday::Monday,
            "TU" => Weekday::Tuesday,
            "WE" => Weekday::Wednesday,
            "TH" => Weekday::Thursday,
            "FR" => Weekday::Friday,
            "SA" => Weekday::Saturday,
            _ => Weekday::Sunday,
        };
        Date::new(2025, month, 1).ok()?.nth_weekday_of_month(nth.parse().ok()?, weekday).ok()
    });
    let on = by_weekday.or_else(|| Date::new(2025, month, started.map_or(1, |(_, day)| day)).ok())?;
    Some(Change { on, seconds })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definition(standard: (&str, &str), daylight: Option<(&str, &str)>) -> String {
        let block = |kind: &str, (rule, to): (&str, &str)| {
            format!("BEGIN:{kind}\r\nDTSTART:16010101T020000\r\nTZOFFSETFROM:+0000\r\nTZOFFSETTO:{to}\r\nRRULE:FREQ=YEARLY;{rule}\r\nEND:{kind}\r\n")
        };
        let daylight = daylight.map(|daylight| block("DAYLIGHT", daylight)).unwrap_or_default();
        format!("BEGIN:VTIMEZONE\r\nTZID:Customized Time Zone\r\n{}{daylight}END:VTIMEZONE\r\n", block("STANDARD", standard))
    }

    #[test]
    fn a_zone_is_known_by_its_rules() {
        let europe = (("BYDAY=-1SU;BYMONTH=10", "+0100"), Some(("BYDAY=-1SU;BYMONTH=3", "+0200")));
        let america = (("BYDAY=1SU;BYMONTH=11", "-0500"), Some(("BYDAY=2SU;BYMONTH=3", "-0400")));
        let south = (("BYDAY=1SU;BYMONTH=4", "+1000"), Some(("BYDAY=1SU;BYMONTH=10", "+1100")));
        let india = (("BYMONTH=1", "+0530"), None);
        let nowhere = (("BYMONTH=1", "+0123"), None);
        for ((standard, daylight), zone) in [
            (europe, Some("Europe/Berlin")),
            (america, Some("America/New_York")),
            (south, Some("Australia/Sydney")),
            (india, Some("Asia/Kolkata")),
            (nowhere, None),
        ] {
            assert_eq!(meant(&definition(standard, daylight)), zone);
        }
        let (name, kept) = short(&definition(europe.0, europe.1)).unwrap();
        assert_eq!((name.as_str(), kept.contains("X-LIC-LOCATION:Europe/Berlin")), ("Customized Time Zone", true));
    }
}
