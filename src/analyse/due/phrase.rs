//! The phrases of dates, each a small rule: where one begins, which day it means, where it ends.

use jiff::ToSpan;
use jiff::civil::{Date, DateTime, Weekday, date};

use super::clock::Clock;
use super::vocabulary::{DETERMINERS, GOES_ON, MONTHS, NUMBERS, ORDINALS, PAST, PREPOSITIONS, TELLERS, WEEKDAYS, WENT};
use super::words::Word;

/// A phrase of words `first..next` and what it means.
#[derive(Debug, Clone, Copy)]
pub(super) struct Phrase {
    pub first: usize,
    pub next: usize,
    pub date: Date,
    pub clock: Clock,
    pub strength: Strength,
}

/// "Friday" alone may be a name; "on Friday" and "next week" are dates, "by Friday" is one to be met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Strength {
    Bare,
    Named,
    Deadline,
}

/// The phrase that begins at a word, if one does.
pub(super) fn at(words: &[Word], first: usize, now: DateTime, american: bool) -> Option<Phrase> {
    let reader = Reader { words, today: now.date(), american };
    let before = |back: usize| first.checked_sub(back).map_or("", |i| reader.word(i));
    let back = if matches!(before(1), "on" | "at" | "in") { 2 } else { 1 };
    // "The complaint of 14 March" is about that day.
    if PAST.contains(&before(back)) || before(1) == "of" || words[first].is_quoted {
        return None;
    }
    let phrase = |date, clock, next, strength| {
        let was = matches!(reader.word(next), "last" | "yesterday" | "ago" | "every" | "each");
        // "The end-of-month closing".
        let is_attribute = words[first..next].iter().any(|word| word.low == "-") && !reader.may_go_on(next);
        (!was && !is_attribute).then_some(Phrase { first, next, date, clock, strength })
    };
    if let Some((span, next)) = reader.hours(first) {
        return phrase(reader.today, Clock::Instant(span), next, Strength::Named);
    }
    let from = reader.preposition(first);
    let leads = from > first;
    let deadline = leads && !matches!(reader.word(first), "on" | "at" | "in" | "for" | "over" | "during");
    let named = if deadline { Strength::Deadline } else { Strength::Named };
    if reader.is_told(first, deadline) {
        return None;
    }

    if let Some((clock, next)) = reader.clock(from, leads) {
        if let Some(day) = reader.day(reader.skip(next, &[",", "on", "of", "by"]), true) {
            return phrase(day.date, clock, reader.after_part(day.next), named);
        }
        // "The 3pm job" bears its hour as a name.
        if !leads && DETERMINERS.contains(&before(1)) && !reader.may_go_on(next) {
            return None;
        }
        let passed = matches!(clock, Clock::At(time) if time <= now.time());
        let date = if passed { reader.today.tomorrow().ok()? } else { reader.today };
        return phrase(date, clock, next, named);
    }
    let day = reader.weekend(first).or_else(|| reader.span(first)).or_else(|| reader.day(from, leads))?;
    let next = reader.after_part(day.next);
    // The time of day may follow: "Friday at 3pm", "tomorrow COB".
    let time_from = reader.skip(next, &[",", "at", "by", "before", "@"]);
    let clock = reader.clock(time_from, time_from > next);
    let (named_after, goes_on) = (DETERMINERS.contains(&before(1)), clock.is_some() || reader.may_go_on(next));
    // "The 29 February timestamps", "Friday's minutes".
    if !leads && (if day.is_clear { named_after && !goes_on } else { named_after || !goes_on }) {
        return None;
    }
    let strength = if leads || day.is_clear { named } else { Strength::Bare };
    if let Some((clock, next)) = clock {
        return phrase(day.date, clock, next, named);
    }
    phrase(day.date, Clock::EndOfDay, next, strength)
}

/// A day as named.
struct Day {
    date: Date,
    next: usize,
    /// Nothing but a date: "tomorrow", "next week", "12 March 2026".
    is_clear: bool,
}

fn clear(date: Date, next: usize) -> Option<Day> {
    Some(Day { date, next, is_clear: true })
}

/// The words of a sentence, read from the day on which it was written.
pub(super) struct Reader<'a> {
    words: &'a [Word],
    today: Date,
    american: bool,
}

/// The parts of the calendar whose end may be meant.
#[derive(Clone, Copy)]
enum Period {
    Week,
    Month,
    Quarter,
    Year,
}

impl Reader<'_> {
    pub fn word(&self, at: usize) -> &str {
        self.words.get(at).map_or("", |word| word.low.as_str())
    }

    /// Where it goes on after these words, if they stand here; hyphens between them do not matter.
    pub fn are(&self, at: usize, wanted: &[&str]) -> Option<usize> {
        let mut at = at;
        for (n, word) in wanted.iter().enumerate() {
            if n > 0 && self.word(at) == "-" {
                at += 1;
            }
            if self.word(at) != *word {
                return None;
            }
            at += 1;
        }
        Some(at)
    }

    pub fn skip(&self, at: usize, some: &[&str]) -> usize {
        (at..).find(|&i| !some.contains(&self.word(i))).unwrap_or(at)
    }

    /// Whether a date tells when something was: "the design that you approved on 12 March", but not "it will be approved on 12
    /// March"; "the seats that went unused in October", "the numbers you gave us on the 27th". Before a deadline only what was done
    /// is told: "the tickets that were opened before 1 May".
    fn is_told(&self, at: usize, deadline: bool) -> bool {
        const CLAUSE: usize = 5;
        if deadline && !matches!(self.word(at), "before" | "until" | "till") {
            return false;
        }
        let from = at.saturating_sub(CLAUSE);
        let lists = |i: usize| self.word(i) == "and" && i > 0 && self.day_of_month(i - 1).is_some();
        let ends = |i: usize| matches!(self.word(i), "," | ";" | ":" | "." | "and" | "but" | "to") && !lists(i);
        let since = (from..at).rev().take_while(|&i| !ends(i)).last().unwrap_or(at);
        if deadline {
            return (since..at).any(|i| matches!(self.word(i), "was" | "were"));
        }
        let went = |i: usize| WENT.contains(&self.word(i));
        let was = (since..at).rev().find(|&i| self.word(i).ends_with("ed") || went(i));
        // "We'll have it paid on Friday."
        if (since..at).any(|i| matches!(self.word(i), "have" | "get")) {
            return false;
        }
        was.is_some_and(|was| (since..was).any(|i| TELLERS.contains(&self.word(i)) || went(was) && DETERMINERS.contains(&self.word(i))))
    }

    /// "Give me two days and you'll have it."
    pub fn is_granted(&self, at: usize) -> bool {
        at >= 2 && self.word(at - 2) == "give" && matches!(self.word(at - 1), "me" | "us")
    }

    fn may_go_on(&self, at: usize) -> bool {
        at >= self.words.len() || GOES_ON.contains(&self.word(at))
    }

    /// Past "by", "no later than", "on or before".
    fn preposition(&self, at: usize) -> usize {
        let past = ["no", "not"].iter().find_map(|no| self.are(at, &[no, "later", "than"])).or_else(|| self.are(at, &["on", "or", "before"]));
        let past = past.or_else(|| PREPOSITIONS.contains(&self.word(at)).then_some(at + 1)).unwrap_or(at);
        if past > at {
            self.skip(past, &["latest", "about", "around"])
        } else {
            self.are(at, &["later"]).filter(|&i| self.word(i) != "than").unwrap_or(at)
        }
    }

    /// Past "morning" and the like, which say no hour.
    fn after_part(&self, at: usize) -> usize {
        self.skip(at, &["morning", "afternoon", "evening", "night"])
    }

    pub fn number(&self, at: usize) -> Option<(i64, usize)> {
        let word = self.word(at);
        if let Some(n) = NUMBERS.iter().position(|name| *name == word) {
            return Some((n as i64, at + 1));
        }
        if let Some(next) = self.are(at, &["a", "couple", "of"]).or_else(|| self.are(at, &["a", "couple"])) {
            return Some((2, next));
        }
        if matches!(word, "a" | "an") {
            return Some((1, at + 1));
        }
        Some((word.parse().ok().filter(|n| (0..1_000).contains(n))?, at + 1))
    }

    /// "In three days", "within two working days", "a week from now", "a week on Friday", "in a fortnight's time".
    fn span(&self, at: usize) -> Option<Day> {
        let leads = matches!(self.word(at), "in" | "within");
        let from = if leads { at + 1 } else { at };
        let from = self.are(from, &["the", "next"]).unwrap_or(from);
        let (n, unit) = self.number(from)?;
        let working = matches!(self.word(unit), "business" | "working" | "work");
        let unit = if working { unit + 1 } else { unit };
        let (days, months) = match self.word(unit).trim_end_matches("'s") {
            "day" | "days" => (n, 0),
            "week" | "weeks" => (7 * n, 0),
            "fortnight" => (14 * n, 0),
            "month" | "months" => (0, n),
            _ => return None,
        };
        let mut next = unit + 1;
        if let Some(after) = self.are(next, &["'", "time"]).or_else(|| self.are(next, &["time"])) {
            next = after;
        }
        if !leads
            && months == 0
            && let Some(day) = self.are(next, &["from"]).or_else(|| self.are(next, &["on"])).and_then(|next| self.weekday(next))
        {
            return clear(day.date.checked_add(days.days()).ok()?, day.next);
        }
        if !leads && !self.is_granted(at) {
            next = self.are(next, &["from", "now"]).or_else(|| self.are(next, &["from", "today"]))?;
        }
        let date = if working { working_days(self.today, days) } else { self.today.checked_add(days.days().months(months)).ok() };
        clear(date?, next)
    }

    /// "Before the weekend" is Friday, "over the weekend" its last day.
    fn weekend(&self, at: usize) -> Option<Day> {
        let from = if PREPOSITIONS.contains(&self.word(at)) { at + 1 } else { at };
        let next = ["the", "this"].iter().find_map(|the| self.are(from, &[the, "weekend"])).filter(|&next| self.may_go_on(next))?;
        let friday = self.end(Period::Week, 0)?;
        if self.word(at) == "before" { clear(friday, next) } else { clear(friday.checked_add(2.days()).ok()?, next) }
    }

    fn day(&self, at: usize, leads: bool) -> Option<Day> {
        self.relative(at)
            .or_else(|| self.end_of(at))
            .or_else(|| self.part_of(at))
            .or_else(|| self.whole(at))
            .or_else(|| self.weekday(at))
            .or_else(|| self.calendar(at))
            .or_else(|| self.ordinal(at, leads))
            .or_else(|| self.month_or_quarter(at, leads))
    }

    fn relative(&self, at: usize) -> Option<Day> {
        let tomorrow = ["tomorrow", "tomorow", "tommorrow", "tmrw", "tmr", "tommorow", "tomorrrow", "tomorro"];
        for start in [&["the", "day", "after"][..], &["day", "after"]] {
            if let Some(next) = self.are(at, start).filter(|&i| tomorrow.contains(&self.word(i))) {
                return clear(self.today.checked_add(2.days()).ok()?, next + 1);
            }
        }
        let word = self.word(at);
        if word == "today" || (word == "this" && matches!(self.word(at + 1), "morning" | "afternoon" | "evening")) {
            return clear(self.today, if word == "today" { at + 1 } else { at + 2 });
        }
        tomorrow.contains(&word).then(|| self.today.tomorrow().ok()).flatten().and_then(|date| clear(date, at + 1))
    }

    /// "This", "next" or neither, before a part of the calendar: 0 for the one that runs, 1 for the next.
    fn which(&self, at: usize) -> (i64, usize) {
        match self.word(at) {
            "this" | "the" | "current" => {
                let (which, next) = if matches!(self.word(at + 1), "next" | "following" | "coming") { self.which(at + 1) } else { (0, at + 1) };
                (which, next)
            }
            "next" | "following" => (1, at + 1),
            "coming" => (i64::from(self.word(at + 1) == "week"), at + 1),
            _ => (0, at),
        }
    }

    fn period(&self, at: usize) -> Option<(Period, usize)> {
        let period = match self.word(at) {
            "week" => Period::Week,
            "month" => Period::Month,
            "quarter" => Period::Quarter,
            "year" => Period::Year,
            _ => return None,
        };
        Some((period, at + 1))
    }

    fn end(&self, period: Period, which: i64) -> Option<Date> {
        let today = self.today;
        match period {
            Period::Week => {
                // On a weekend the week that matters is the one that comes.
                let weekend = matches!(today.weekday(), Weekday::Saturday | Weekday::Sunday);
                let shift = if weekend && which == 0 { 7 } else { 7 * which };
                monday(today)?.checked_add((4 + shift).days()).ok()
            }
            Period::Month => Some(today.first_of_month().checked_add(which.months()).ok()?.last_of_month()),
            Period::Quarter => {
                let first = date(today.year(), (today.month() - 1) / 3 * 3 + 1, 1);
                Some(first.checked_add((3 * which + 2).months()).ok()?.last_of_month())
            }
            Period::Year => Date::new(today.year() + i16::try_from(which).ok()?, 12, 31).ok(),
        }
    }

    /// "End of next week", "the end of March", "EOM", "month-end".
    fn end_of(&self, at: usize) -> Option<Day> {
        if let Some(of) = self.are(at, &["the", "last", "day", "of"]).or_else(|| self.are(at, &["last", "day", "of"])) {
            let (which, next) = self.which(of);
            return match self.period(next) {
                Some((period, next)) => clear(self.end(period, which)?, next),
                None => self.month_end(next),
            };
        }
        let short = match self.word(at) {
            "eow" => Some(Period::Week),
            "eom" => Some(Period::Month),
            "eoq" => Some(Period::Quarter),
            "eoy" => Some(Period::Year),
            _ => None,
        };
        if let Some(period) = short {
            return clear(self.end(period, 0)?, at + 1);
        }
        let from = self.are(at, &["the"]).unwrap_or(at);
        if let Some((period, next)) = self.period(from)
            && let Some(next) = self.are(next, &["end"]).or_else(|| if self.word(next) == "-" { self.are(next + 1, &["end"]) } else { None })
            && self.may_go_on(next)
        {
            return clear(self.end(period, 0)?, next);
        }
        let of = self.are(from, &["end", "of"]).or_else(|| self.are(from, &["late"])).or_else(|| self.are(from, &["end"]))?;
        let (which, next) = self.which(self.skip(of, &["-"]));
        if let Some((period, next)) = self.period(next) {
            return clear(self.end(period, which)?, next);
        }
        self.month_end(next).or_else(|| self.quarter(next)).or_else(|| self.relative(next))
    }

    /// "Early next week" is its Monday, "the middle of next week" its Wednesday.
    fn part_of(&self, at: usize) -> Option<Day> {
        let from = self.are(at, &["the"]).unwrap_or(at);
        let (day, next) = [(1, &["early"][..]), (1, &["beginning", "of"]), (1, &["start", "of"]), (15, &["middle", "of"]), (15, &["mid"])]
            .iter()
            .find_map(|(day, start)| self.are(from, start).map(|next| (*day, next)))?;
        let (which, next) = self.which(self.skip(next, &["-"]));
        match self.period(next) {
            Some((Period::Week, next)) => {
                let date = monday(self.today)?.checked_add((7 * which + if day == 1 { 0 } else { 2 }).days()).ok()?;
                clear(if date < self.today { date.checked_add(7.days()).ok()? } else { date }, next)
            }
            Some((Period::Month, next)) => clear(self.today.first_of_month().checked_add(which.months().days(day - 1)).ok()?, next),
            Some(_) => None,
            None => {
                let end = self.month_end(next)?;
                clear(end.date.first_of_month().checked_add((day - 1).days()).ok()?, end.next)
            }
        }
    }

    /// "Next week", "this month": its last working or calendar day.
    fn whole(&self, at: usize) -> Option<Day> {
        let (which, next) = self.which(at);
        if next == at || self.word(at) == "the" && self.word(at + 1) != "next" && self.word(at + 1) != "coming" {
            return None;
        }
        let (period, next) = self.period(next)?;
        clear(self.end(period, which)?, next)
    }

    fn weekday(&self, at: usize) -> Option<Day> {
        let (from, said) = match self.word(at) {
            "this" | "next" | "coming" => (at + 1, self.word(at)),
            _ => (at, ""),
        };
        let from = if said == "this" && self.word(from) == "coming" { from + 1 } else { from };
        let word = self.word(from);
        let (names, weekday) = WEEKDAYS.iter().find(|(names, _)| names.contains(&word))?;
        // "Sat" and "wed" are words as well.
        if word != names[0]
            && said.is_empty()
            && !self.words[from].is_capitalised
            && matches!(word, "sat" | "wed" | "sun" | "mon")
            && from == at
            && !self.follows_preposition(at)
        {
            return None;
        }
        let today = self.today;
        let coming = if today.weekday() == *weekday && said == "this" { today } else { today.nth_weekday(1, *weekday).ok()? };
        let date = if said == "next" { monday(today)?.checked_add((7 + i64::from(weekday.to_monday_zero_offset())).days()).ok()? } else { coming };
        let mut next = from + 1;
        if let Some(next) = self.are(next, &["next", "week"]).or_else(|| self.are(next, &["of", "next", "week"])) {
            return clear(monday(today)?.checked_add((7 + i64::from(weekday.to_monday_zero_offset())).days()).ok()?, next);
        }
        // The date may stand beside it: "Friday, 13 March", "Friday the 13th".
        let beside = self.skip(next, &[",", "the"]);
        if let Some(day) = self.calendar(beside).or_else(|| self.ordinal(beside, true)).filter(|day| day.date.weekday() == *weekday) {
            return clear(day.date, day.next);
        }
        if self.word(next) == "." && word != names[0] && self.words.get(next + 1).is_some() {
            next += 1;
        }
        Some(Day { date, next, is_clear: !said.is_empty() })
    }

    fn follows_preposition(&self, at: usize) -> bool {
        at > 0 && PREPOSITIONS.contains(&self.word(at - 1))
    }

    fn month(&self, at: usize) -> Option<(i8, usize)> {
        let word = self.word(at);
        let n = MONTHS.iter().position(|names| names.contains(&word))?;
        let full_stop = word != MONTHS[n][0]
            && self.word(at + 1) == "."
            && self.words.get(at + 2).is_some_and(|w| w.low.starts_with(|c: char| c.is_ascii_digit()));
        Some((i8::try_from(n + 1).ok()?, if full_stop { at + 2 } else { at + 1 }))
    }

    /// A day of the month: `12`, `12th`.
    fn day_of_month(&self, at: usize) -> Option<(i8, bool, usize)> {
        let word = self.word(at);
        if let Some(n) = ORDINALS.iter().position(|name| *name == word) {
            return Some((i8::try_from(n + 1).ok()?, true, at + 1));
        }
        let digits = word.trim_end_matches(|c: char| c.is_alphabetic());
        let is_ordinal = matches!(&word[digits.len()..], "st" | "nd" | "rd" | "th");
        if !is_ordinal && digits != word {
            return None;
        }
        let day = digits.parse().ok().filter(|day| (1..=31).contains(day))?;
        Some((day, is_ordinal, at + 1))
    }

    fn year(&self, at: usize) -> Option<(i16, usize)> {
        let from = self.skip(at, &[","]);
        let year = self.word(from).parse().ok().filter(|year| (1990..=2100).contains(year))?;
        (self.word(from).len() == 4).then_some((year, from + 1))
    }

    /// `12 March`, `March 12th, 2026`, `2026-03-12`, `12.03.2026`, `3/14`.
    fn calendar(&self, at: usize) -> Option<Day> {
        if let Some((day, _, next)) = self.day_of_month(self.are(at, &["the"]).unwrap_or(at))
            && let Some((month, next)) = self.month(self.skip(next, &["of"]))
        {
            return self.of_year(day, month, next);
        }
        if let Some((month, next)) = self.month(at)
            && let Some((day, _, next)) = self.day_of_month(self.skip(next, &["the"]))
        {
            return self.of_year(day, month, next);
        }
        let word = self.word(at);
        if let Ok(date) = word.parse::<Date>() {
            return (word.len() == 10).then(|| clear(date, at + 1)).flatten();
        }
        let mark = ['/', '.', '-'].into_iter().find(|mark| word.contains(*mark))?;
        let parts: Vec<i16> = word.split(mark).map(str::parse).collect::<Result<_, _>>().ok()?;
        let (first, second, year) = match parts[..] {
            [first, second, year] if mark != '-' || year > 31 => (first, second, Some(if year < 100 { 2000 + year } else { year })),
            [first, second] if mark == '/' && self.follows_preposition(at) => (first, second, None),
            _ => return None,
        };
        let month_first = second > 12 || (first <= 12 && self.american && mark == '/');
        let (day, month) = if month_first { (second, first) } else { (first, second) };
        let (day, month) = (i8::try_from(day).ok()?, i8::try_from(month).ok()?);
        match year {
            Some(year) => clear(Date::new(year, month, day).ok()?, at + 1),
            None => clear(self.coming(day, month)?, at + 1),
        }
    }

    fn of_year(&self, day: i8, month: i8, next: usize) -> Option<Day> {
        match self.year(next) {
            Some((year, next)) => clear(Date::new(year, month, day).ok()?, next),
            None => clear(self.coming(day, month)?, next),
        }
    }

    /// The next such day, today included.
    fn coming(&self, day: i8, month: i8) -> Option<Date> {
        (0..5).filter_map(|years| Date::new(self.today.year() + years, month, day).ok()).find(|date| *date >= self.today)
    }

    /// "The 20th": this month if it is still ahead.
    fn ordinal(&self, at: usize, leads: bool) -> Option<Day> {
        let the = self.are(at, &["the"]);
        let (day, is_ordinal, next) = self.day_of_month(the.unwrap_or(at))?;
        let first = self.today.first_of_month();
        if let Some(of) = self.are(next, &["of"]).filter(|_| is_ordinal)
            && let (which, month) = self.which(of)
            && let Some((Period::Month, next)) = self.period(month)
        {
            let month = first.checked_add(which.months()).ok()?;
            return clear(Date::new(month.year(), month.month(), day).ok()?, next);
        }
        if !is_ordinal || (the.is_none() && !leads) || !self.may_go_on(next) {
            return None;
        }
        let months = (0..4).filter_map(|n: i64| first.checked_add(n.months()).ok());
        let date = months.filter_map(|month| Date::new(month.year(), month.month(), day).ok()).find(|date| *date > self.today)?;
        Some(Day { date, next, is_clear: leads })
    }

    fn month_end(&self, at: usize) -> Option<Day> {
        let (month, next) = self.month(at)?;
        if let Some((year, next)) = self.year(next) {
            return clear(Date::new(year, month, 1).ok()?.last_of_month(), next);
        }
        let last = |years| Some(Date::new(self.today.year() + years, month, 1).ok()?.last_of_month());
        clear((0..2).filter_map(last).find(|date| *date >= self.today)?, next)
    }

    fn quarter(&self, at: usize) -> Option<Day> {
        let quarter: i8 = self.word(at).strip_prefix('q')?.parse().ok().filter(|q| (1..=4).contains(q))?;
        let end = |year| Some(Date::new(year, quarter * 3, 1).ok()?.last_of_month());
        if let Some((year, next)) = self.year(at + 1) {
            return clear(end(year)?, next);
        }
        clear((0..2).filter_map(|years| end(self.today.year() + years)).find(|date| *date >= self.today)?, at + 1)
    }

    /// A month or quarter by itself is a date only after "in" or the like, and only where nothing is named after it.
    fn month_or_quarter(&self, at: usize, leads: bool) -> Option<Day> {
        let day = self.month_end(at).or_else(|| self.quarter(at))?;
        // "The allocation for Q3" is no date.
        let about = at > 0 && self.word(at - 1) == "for";
        (leads && !about && self.may_go_on(day.next)).then_some(day)
    }
}

fn monday(date: Date) -> Option<Date> {
    date.checked_sub(i64::from(date.weekday().to_monday_zero_offset()).days()).ok()
}

fn working_days(from: Date, days: i64) -> Option<Date> {
    let mut date = from;
    for _ in 0..days.clamp(0, 400) {
        date = date.tomorrow().ok()?;
        while matches!(date.weekday(), Weekday::Saturday | Weekday::Sunday) {
            date = date.tomorrow().ok()?;
        }
    }
    Some(date)
}
