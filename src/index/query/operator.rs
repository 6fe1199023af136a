//! The operators of a query, `name:value`, in one table: what each means, what it may be given, how its value is read.

use jiff::Zoned;

use super::{Condition, Query, words_of};
use crate::domain::entry::{EntryType, Side};
use crate::domain::period::{self, Period};

words! {
    /// Where words are looked for.
    Place {
        Subject = "subject",
        Body = "body",
        Quoted = "quoted",
        Attachment = "attachment",
        From = "from",
        To = "to",
        Cc = "cc",
        With = "with",
    }
}

words! {
    /// What an entry may have. The last four are what the reader found in it.
    Has {
        Attachment = "attachment",
        Recording = "recording",
        Transcript = "transcript",
        Question = "question",
        Commitment = "commitment",
        Objection = "objection",
        Signal = "signal",
    }
}

/// What an operator may be given, for whoever completes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Values {
    /// Words, "a phrase", or (a group).
    Words,
    /// Names and addresses of people.
    People,
    OneOf(&'static [&'static str]),
    Types,
    Accounts,
    Period,
    Age,
    /// A score from -1 to 1 after `<`, `>` or `=`.
    Score,
    /// An id.
    Id,
}

/// One operator.
#[derive(Debug)]
pub struct Operator {
    pub name: &'static str,
    pub example: &'static str,
    pub means: &'static str,
    pub values: Values,
    read: Read,
}

/// How a value becomes a part of the query.
#[derive(Debug, Clone, Copy)]
enum Read {
    /// Words looked for in one place only.
    Words(Place),
    /// What is asked of the entry; the error says what is allowed.
    Condition(fn(&str, &Zoned) -> Result<Condition, String>),
    /// The words beside it are looked for in that place only.
    In,
}

const PLACES: [&str; 4] = ["subject", "body", "quoted", "attachment"];
const SIDES: [&str; 2] = ["us", "customer"];
const HAVE: [&str; 7] = ["attachment", "recording", "transcript", "question", "commitment", "objection", "signal"];

const fn words(place: Place) -> Read {
    Read::Words(place)
}

/// Every operator there is.
pub const OPERATORS: [Operator; 20] = [
    Operator { name: "from", example: "from:ettus.com", means: "who wrote or called", values: Values::People, read: words(Place::From) },
    Operator { name: "to", example: "to:ann", means: "whom it was written to", values: Values::People, read: words(Place::To) },
    Operator { name: "cc", example: "cc:legal@acme.com", means: "who got a copy", values: Values::People, read: words(Place::Cc) },
    Operator { name: "with", example: "with:\"Ann Lee\"", means: "who took part in any way", values: Values::People, read: words(Place::With) },
    Operator { name: "subject", example: "subject:renewal", means: "words in the subject", values: Values::Words, read: words(Place::Subject) },
    Operator {
        name: "body",
        example: "body:(price OR discount)",
        means: "words that were said anew",
        values: Values::Words,
        read: words(Place::Body),
    },
    Operator {
        name: "in",
        example: "in:attachment warranty",
        means: "the words beside it stand in the subject, body, quoted text or an attachment",
        values: Values::OneOf(&PLACES),
        read: Read::In,
    },
    Operator { name: "side", example: "side:customer", means: "who said it", values: Values::OneOf(&SIDES), read: Read::Condition(side) },
    Operator { name: "type", example: "type:call,meeting", means: "types of entries", values: Values::Types, read: Read::Condition(types) },
    Operator {
        name: "account",
        example: "account:acme",
        means: "an account's id, name or domain",
        values: Values::Accounts,
        read: Read::Condition(account),
    },
    Operator { name: "deal", example: "deal:d1", means: "about a deal", values: Values::Id, read: Read::Condition(deal) },
    Operator { name: "thread", example: "thread:t1", means: "of a thread", values: Values::Id, read: Read::Condition(thread) },
    Operator {
        name: "before",
        example: "before:2026-03",
        means: "before a day, month, quarter or year begins",
        values: Values::Period,
        read: Read::Condition(before),
    },
    Operator {
        name: "after",
        example: "after:2023",
        means: "from the beginning of a day, month, quarter or year on",
        values: Values::Period,
        read: Read::Condition(after),
    },
    Operator { name: "on", example: "on:2026-03-12", means: "on a day", values: Values::Period, read: Read::Condition(during) },
    Operator { name: "during", example: "during:\"last quarter\"", means: "within a period", values: Values::Period, read: Read::Condition(during) },
    Operator {
        name: "older_than",
        example: "older_than:30d",
        means: "before so many hours, days, weeks, months, years ago",
        values: Values::Age,
        read: Read::Condition(older),
    },
    Operator {
        name: "newer_than",
        example: "newer_than:2w",
        means: "since so many hours, days, weeks, months, years ago",
        values: Values::Age,
        read: Read::Condition(newer),
    },
    Operator {
        name: "has",
        example: "has:commitment",
        means: "what it has, or the reader found in it",
        values: Values::OneOf(&HAVE),
        read: Read::Condition(has),
    },
    Operator {
        name: "sentiment",
        example: "sentiment:<-0.3",
        means: "score of its sentiment, -1 to 1",
        values: Values::Score,
        read: Read::Condition(sentiment),
    },
];

/// The operator of a name.
pub fn named(name: &str) -> Option<&'static Operator> {
    static TABLE: [Operator; 20] = OPERATORS;
    TABLE.iter().find(|operator| operator.name == name)
}

impl Operator {
    /// Whether a group in parentheses may follow.
    pub(super) fn takes_groups(&self) -> bool {
        matches!(self.read, Read::Words(_))
    }

    /// The place that its words are looked for in.
    pub(super) fn place(&self) -> Option<Place> {
        match self.read {
            Read::Words(place) => Some(place),
            Read::Condition(_) | Read::In => None,
        }
    }

    /// Its part of the query, or why the value is refused; none for a value without a letter or digit.
    pub(super) fn read(&self, value: &str, quoted: bool, now: &Zoned) -> Result<Option<Query>, String> {
        let refused = |reason: String| format!("{}:{value}: {reason}", self.name);
        match self.read {
            Read::Words(place) => {
                let words = words_of(value, quoted).map_err(refused)?;
                Ok(words.map(|words| Query::In(place, Box::new(words))))
            }
            Read::In => {
                let place = PLACES.iter().find(|place| **place == value).and_then(|place| place.parse().ok());
                place.map(|place| Some(Query::In(place, Box::new(Query::All)))).ok_or_else(|| refused(one_of(&PLACES)))
            }
            Read::Condition(read) => read(value, now).map(|condition| Some(Query::If(condition))).map_err(refused),
        }
    }
}

fn one_of(names: &[&str]) -> String {
    format!("it may be {}", names.join(", "))
}

fn side(value: &str, _: &Zoned) -> Result<Condition, String> {
    value.parse::<Side>().map(Condition::Side).map_err(|_| one_of(&SIDES))
}

fn types(value: &str, _: &Zoned) -> Result<Condition, String> {
    let one = |name: &str| match name {
        // Both directions, as people say it.
        "email" | "mail" => Ok(vec![EntryType::EmailSent, EntryType::EmailReceived]),
        name => name.parse().map(|one| vec![one]).map_err(|_| {
            let names: Vec<&str> = EntryType::ALL.iter().map(|one| one.as_str()).collect();
            format!("it may be email, {}", names.join(", "))
        }),
    };
    Ok(Condition::Type(value.split(',').map(one).collect::<Result<Vec<_>, _>>()?.concat()))
}

fn account(value: &str, _: &Zoned) -> Result<Condition, String> {
    Ok(Condition::Account(value.to_owned()))
}

fn deal(value: &str, _: &Zoned) -> Result<Condition, String> {
    Ok(Condition::Deal(value.to_owned()))
}

fn thread(value: &str, _: &Zoned) -> Result<Condition, String> {
    Ok(Condition::Thread(value.to_owned()))
}

fn has(value: &str, _: &Zoned) -> Result<Condition, String> {
    value.parse::<Has>().map(Condition::Has).map_err(|_| one_of(&HAVE))
}

fn stretch(value: &str, now: &Zoned) -> Result<Period, String> {
    period::named(value, now)
        .ok_or_else(|| format!("a period is a day (2026-03-12), a month, quarter or year, or one of {}", period::EXAMPLES.join(", ")))
}

fn before(value: &str, now: &Zoned) -> Result<Condition, String> {
    Ok(Condition::Time { from: None, to: Some(stretch(value, now)?.from) })
}

fn after(value: &str, now: &Zoned) -> Result<Condition, String> {
    Ok(Condition::Time { from: Some(stretch(value, now)?.from), to: None })
}

fn during(value: &str, now: &Zoned) -> Result<Condition, String> {
    let Period { from, to } = stretch(value, now)?;
    Ok(Condition::Time { from: Some(from), to: Some(to) })
}

const AGES: &str = "an age is a number with h, d, w, m or y, as in 30d";

fn older(value: &str, now: &Zoned) -> Result<Condition, String> {
    Ok(Condition::Time { from: None, to: Some(period::ago(value, now).ok_or(AGES)?) })
}

fn newer(value: &str, now: &Zoned) -> Result<Condition, String> {
    Ok(Condition::Time { from: Some(period::ago(value, now).ok_or(AGES)?), to: None })
}

/// `<-0.3`, `>=0.5`, `0`; or `negative`, `neutral`, `positive`. Scores are kept in ten thousandths.
fn sentiment(value: &str, _: &Zoned) -> Result<Condition, String> {
    let number = value.trim_start_matches(['<', '>', '=']);
    let score: f64 = number.parse().ok().filter(|score: &f64| (-1.0..=1.0).contains(score)).ok_or("a score is a number from -1 to 1, as in <-0.3")?;
    let score = (score * 10_000.0).round() as i64;
    let (from, to) = match &value[..value.len() - number.len()] {
        "<" => (i64::MIN, score - 1),
        "<=" => (i64::MIN, score),
        ">" => (score + 1, i64::MAX),
        ">=" => (score, i64::MAX),
        "" | "=" => (score, score),
        _ => return Err("a score stands after <, <=, >, >= or =".to_owned()),
    };
    Ok(Condition::Sentiment { from, to })
}
