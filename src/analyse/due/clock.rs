//! The phrases of a time: of the clock, of the end of a day, of so many hours from now.

use jiff::SignedDuration;
use jiff::civil::{Time, time};

use super::phrase::Reader;
use super::vocabulary::{NUMBERS, ZONES};

/// When on its day a promise falls due.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Clock {
    EndOfDay,
    At(Time),
    /// So long after writing; the day follows from it.
    Instant(SignedDuration),
}

impl Reader<'_> {
    /// "In two hours", "within the hour", "half an hour from now".
    pub fn hours(&self, at: usize) -> Option<(SignedDuration, usize)> {
        let leads = matches!(self.word(at), "in" | "within");
        let from = if leads { at + 1 } else { at };
        let minutes = |n: i64| SignedDuration::from_mins(n);
        let (span, next) = if let (true, Some(next)) = (leads, self.are(from, &["the", "hour"])) {
            (minutes(60), next)
        } else if let Some(next) = self.are(from, &["half", "an", "hour"]) {
            (minutes(30), next)
        } else {
            let from = self.are(from, &["the", "next"]).unwrap_or(from);
            let (n, unit) = self.number(from)?;
            let minutes_of_unit = match self.word(unit) {
                "hour" | "hours" | "hrs" | "hr" => 60,
                "minutes" | "minute" | "mins" | "min" => 1,
                _ => return None,
            };
            (minutes(n * minutes_of_unit), unit + 1)
        };
        let next = if leads || self.is_granted(at) { next } else { self.are(next, &["from", "now"])? };
        Some((span, next))
    }

    /// A time of day, or the end of the day.
    pub fn clock(&self, at: usize, leads: bool) -> Option<(Clock, usize)> {
        let the = self.are(at, &["the"]).unwrap_or(at);
        for end in [
            &["end", "of", "day"][..],
            &["end", "of", "the", "day"],
            &["end", "of", "business"],
            &["close", "of", "business"],
            &["close", "of", "play"],
        ] {
            if let Some(next) = self.are(the, end) {
                return Some((Clock::EndOfDay, next));
            }
        }
        if let Some(next) = self.are(at, &["first", "thing"]) {
            return Some((Clock::EndOfDay, self.skip(next, &["on"])));
        }
        match self.word(at) {
            "cob" | "eod" | "eob" | "midnight" | "tonight" => return Some((Clock::EndOfDay, at + 1)),
            "noon" | "midday" | "lunchtime" => return Some((Clock::At(time(12, 0, 0, 0)), at + 1)),
            "lunch" if leads => return Some((Clock::At(time(12, 0, 0, 0)), at + 1)),
            _ => {}
        }
        let (time, next) = self.time(at)?;
        Some((Clock::At(time), self.skip(next, &ZONES)))
    }

    /// `3pm`, `3:30 p.m.`, `15:00`, `9 o'clock`, `half past two`.
    fn time(&self, at: usize) -> Option<(Time, usize)> {
        let word = self.word(at);
        if self.word(at + 1) == "o'clock"
            && let Some(hour) = NUMBERS.iter().position(|name| *name == word).filter(|hour| (1..=12).contains(hour))
        {
            return Some((office_hour(i8::try_from(hour).ok()?)?, at + 2));
        }
        let from = self.are(at, &["a"]).unwrap_or(at);
        for (start, minutes) in [(&["half", "past"], 30), (&["quarter", "past"], 15), (&["quarter", "to"], -15)] {
            if let Some((hour, next)) = self.are(from, start).and_then(|next| self.number(next)).filter(|(hour, _)| (1..=12).contains(hour)) {
                let hour = office_hour(i8::try_from(hour).ok()?)?;
                return Some((hour.checked_add(SignedDuration::from_mins(minutes)).ok()?, next));
            }
        }
        let digits = word.trim_end_matches(|c: char| c.is_alphabetic());
        let (hour, minute) = digits.split_once([':', '.']).unwrap_or((digits, "0"));
        let (hour, minute): (i8, i8) = (hour.parse().ok()?, minute.parse().ok()?);
        let half = match &word[digits.len()..] {
            "" => self.word(at + 1).replace('.', ""),
            glued => glued.to_owned(),
        };
        let next = if digits.len() < word.len() { at + 1 } else { at + 2 };
        let (hour, next) = match half.as_str() {
            "am" if (1..=12).contains(&hour) => (hour % 12, next),
            "pm" if (1..=12).contains(&hour) => (hour % 12 + 12, next),
            "o'clock" if (1..=12).contains(&hour) => return Some((office_hour(hour)?, next)),
            _ if digits == word && word.contains(':') => (hour, at + 1),
            _ => return None,
        };
        // The full stop of "p.m." is its own word.
        let next = if self.word(next - 1) != half && self.word(next) == "." && digits == word && half.len() == 2 { next + 1 } else { next };
        Some((Time::new(hour, minute, 0, 0).ok()?, next))
    }
}

/// "Three o'clock" is in the afternoon.
fn office_hour(hour: i8) -> Option<Time> {
    Time::new(if hour < 7 { hour + 12 } else { hour }, 0, 0, 0).ok()
}
