//! When a promise falls due: the words of its date, the local day they mean, and the instant.
//!
//! "By Friday" is the next Friday after the day of writing; the end of a week is its Friday; a day without a time of day
//! ends with its last second. Days are those of the sender's zone.

mod clock;
mod phrase;
mod vocabulary;
mod words;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time, time};
use jiff::tz::TimeZone;

use clock::Clock;
use phrase::Strength;
use words::words;

/// A date that a sentence names for what it promises.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// The words of the date, in characters of the text.
    pub start: usize,
    pub end: usize,
    /// The local day.
    pub date: Date,
    pub at: Timestamp,
}

/// The last second of a day.
const LAST: Time = time(23, 59, 59, 0);

/// Words that open a promise: dates before them belong to what was. Where none of them stands, others may open one.
const PROMISES: [&str; 11] = ["will", "shall", "gonna", "i'll", "we'll", "you'll", "he'll", "she'll", "they'll", "it'll", "that'll"];
const MAY_PROMISE: [&str; 6] = ["should", "going", "i'm", "we're", "can", "let"];

/// The date that a sentence names, if it names one.
pub fn find(text: &str, written: Timestamp, zone: &TimeZone) -> Option<Due> {
    let words = words(text);
    let local = written.to_zoned(zone.clone()).datetime();
    let mut found = Vec::new();
    let mut at = 0;
    while at < words.len() {
        match phrase::at(&words, at, local, uses_american_dates(zone)) {
            Some(phrase) => {
                at = phrase.next;
                found.push(phrase);
            }
            None => at += 1,
        }
    }
    let first_of = |some: &[&str]| words.iter().position(|word| some.contains(&word.low.as_str()));
    let promised = first_of(&PROMISES).or_else(|| first_of(&MAY_PROMISE)).unwrap_or(0);
    let best = found.iter().max_by_key(|phrase| {
        (
            phrase.strength != Strength::Bare || phrase.first >= promised,
            phrase.strength == Strength::Deadline,
            phrase.first >= promised,
            phrase.strength,
            std::cmp::Reverse(phrase.first),
        )
    })?;
    let at = match best.clock {
        Clock::Instant(span) => written.checked_add(span).ok()?,
        Clock::At(time) => instant(best.date.to_datetime(time), zone)?,
        Clock::EndOfDay => instant(best.date.to_datetime(LAST), zone)?,
    };
    let date = if matches!(best.clock, Clock::Instant(_)) { at.to_zoned(zone.clone()).date() } else { best.date };
    Some(Due { start: words[best.first].start, end: words[best.next - 1].end, date, at })
}

fn instant(local: DateTime, zone: &TimeZone) -> Option<Timestamp> {
    Some(local.to_zoned(zone.clone()).ok()?.timestamp())
}

/// Zones of the United States, or the places that theirs begin with.
const AMERICAN: [&str; 15] = [
    "America/New_York",
    "America/Chicago",
    "America/Denver",
    "America/Phoenix",
    "America/Los_Angeles",
    "America/Anchorage",
    "America/Juneau",
    "America/Boise",
    "America/Detroit",
    "America/Indiana/",
    "America/Kentucky/",
    "America/Menominee",
    "America/North_Dakota/",
    "America/Adak",
    "Pacific/Honolulu",
];

/// Whether 3/4 is the fourth of March there.
fn uses_american_dates(zone: &TimeZone) -> bool {
    zone.iana_name().is_some_and(|name| name.starts_with("US/") || AMERICAN.iter().any(|place| name.starts_with(place)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due(text: &str) -> Option<(String, String, String)> {
        // A Thursday, ten in the morning in Berlin.
        let written: Timestamp = "2026-03-12T09:00:00Z".parse().unwrap();
        let found = find(text, written, &TimeZone::get("Europe/Berlin").unwrap())?;
        let phrase: String = text.chars().skip(found.start).take(found.end - found.start).collect();
        Some((phrase, found.date.to_string(), found.at.to_string()))
    }

    #[test]
    fn dates_as_people_name_them() {
        for (text, phrase, date) in [
            ("I'll send it by Friday.", "by Friday", "2026-03-13"),
            ("We will call you on Thursday", "on Thursday", "2026-03-19"),
            ("You'll have it tomorrow COB", "tomorrow COB", "2026-03-13"),
            ("I will look at it by the end of next week, promised", "by the end of next week", "2026-03-20"),
            ("The quote follows by EOM", "by EOM", "2026-03-31"),
            ("We'll deliver on 12 April", "on 12 April", "2026-04-12"),
            ("I'll deliver before March 1st", "before March 1st", "2027-03-01"),
            ("It will be there in three business days", "in three business days", "2026-03-17"),
            ("I'll have it ready a week from now", "a week from now", "2026-03-19"),
            ("Will get back to you early next week", "early next week", "2026-03-16"),
            ("you'll get it by the 20th", "by the 20th", "2026-03-20"),
            ("We'll ship it at the end of Q2", "at the end of Q2", "2026-06-30"),
            ("As agreed on Monday, I'll send the list next Tuesday", "next Tuesday", "2026-03-17"),
            ("I'll finish over the weekend", "over the weekend", "2026-03-15"),
            ("We will have it done by 31.03.2026", "by 31.03.2026", "2026-03-31"),
        ] {
            let found = due(text);
            assert_eq!(found.as_ref().map(|(p, d, _)| (p.as_str(), d.as_str())), Some((phrase, date)), "{text}");
        }
    }

    #[test]
    fn times_of_day() {
        for (text, at) in [
            ("I'll call you tomorrow at 3pm", "2026-03-13T14:00:00Z"),
            ("We'll be done by noon on Friday", "2026-03-13T11:00:00Z"),
            ("I'll ring back in two hours", "2026-03-12T11:00:00Z"),
            ("I'll send it tonight", "2026-03-12T22:59:59Z"),
            // The clocks go forward in between.
            ("I will send it by 30 March, 9:30", "2026-03-30T07:30:00Z"),
        ] {
            assert_eq!(due(text).map(|(_, _, at)| at).as_deref(), Some(at), "{text}");
        }
    }

    #[test]
    fn what_only_looks_like_a_date() {
        for text in [
            "I'll send you the May release notes",
            "I will forward Friday's minutes",
            "We may march on",
            "As discussed last Tuesday, I'll take care of it",
            "I'll check why it takes two weeks",
            "I'll upgrade us to 3.12",
            "I will always be there 24/7",
            "",
        ] {
            assert_eq!(due(text), None, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_gives_a_place_within_it(text in "(by|on|in|the|end of|next|this|Friday|12|May|3pm|2026-02-31|99|week|days|é|[ .,/:'-]| ){0,40}", written in -9_000_000_000i64..200_000_000_000) {
            let written = Timestamp::from_second(written).unwrap();
            if let Some(due) = find(&text, written, &TimeZone::get("America/New_York").unwrap()) {
                proptest::prop_assert!(due.start < due.end && due.end <= text.chars().count());
            }
        }
    }
}
