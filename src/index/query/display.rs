//! The query in words, as it was understood.

use std::fmt;

use jiff::Timestamp;

use super::operator::Place;
use super::{Condition, Query};

impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let join = |f: &mut fmt::Formatter<'_>, parts: &[Query], word: &str| {
            for (i, part) in parts.iter().enumerate() {
                if i > 0 {
                    write!(f, " {word} ")?;
                }
                part.inside(f)?;
            }
            Ok(())
        };
        match self {
            Query::All => f.write_str("everything"),
            Query::Word(word) => f.write_str(word),
            Query::Exact(word) => write!(f, "exactly {word}"),
            Query::Together(words) | Query::Phrase(words, 0) => write!(f, "\"{}\"", words.join(" ")),
            Query::Phrase(words, slop) => write!(f, "\"{}\" with up to {slop} words between", words.join(" ")),
            Query::Near(left, right, distance) => write!(f, "{left} within {distance} words of {right}"),
            Query::Prefix(prefix) => write!(f, "{prefix}*"),
            Query::In(place, inner) => {
                match place {
                    Place::From => f.write_str("from ")?,
                    Place::To => f.write_str("to ")?,
                    Place::Cc => f.write_str("copied to ")?,
                    Place::With => f.write_str("with ")?,
                    Place::Subject | Place::Body | Place::Quoted | Place::Attachment => {}
                }
                inner.inside(f)?;
                f.write_str(match place {
                    Place::Subject => " in the subject",
                    Place::Body => " in the body",
                    Place::Quoted => " in quoted text",
                    Place::Attachment => " in an attachment",
                    Place::From | Place::To | Place::Cc | Place::With => "",
                })
            }
            Query::If(condition) => condition.fmt(f),
            Query::Not(inner) => {
                f.write_str("not ")?;
                inner.inside(f)
            }
            Query::And(parts) => join(f, parts, "and"),
            Query::Or(parts) => join(f, parts, "or"),
        }
    }
}

impl Query {
    /// In parentheses where several stand together.
    fn inside(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Query::And(_) | Query::Or(_) => write!(f, "({self})"),
            _ => write!(f, "{self}"),
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Condition::Side(side) => write!(f, "said by {side}"),
            Condition::Type(types) => {
                let names: Vec<&str> = types.iter().map(|one| one.as_str()).collect();
                write!(f, "type {}", names.join(" or "))
            }
            Condition::Account(account) => write!(f, "account {account}"),
            Condition::Deal(deal) => write!(f, "deal {deal}"),
            Condition::Thread(thread) => write!(f, "thread {thread}"),
            Condition::Time { from: Some(from), to: Some(to) } => write!(f, "from {} until {}", Minute(from), Minute(to)),
            Condition::Time { from: Some(from), .. } => write!(f, "since {}", Minute(from)),
            Condition::Time { to: Some(to), .. } => write!(f, "before {}", Minute(to)),
            Condition::Time { .. } => f.write_str("at any time"),
            Condition::Has(has) => write!(f, "with {} {has}", if has.as_str().starts_with(['a', 'o']) { "an" } else { "a" }),
            Condition::Sentiment { from, to } => {
                let score = |at: &i64| *at as f64 / 10_000.0;
                match (from, to) {
                    (&i64::MIN, to) => write!(f, "sentiment at most {}", score(to)),
                    (from, &i64::MAX) => write!(f, "sentiment at least {}", score(from)),
                    (from, _) => write!(f, "sentiment {}", score(from)),
                }
            }
        }
    }
}

/// A moment to the minute, in UTC.
struct Minute<'a>(&'a Timestamp);

impl fmt::Display for Minute<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.strftime("%Y-%m-%d %H:%MZ"))
    }
}
