//! What a reader asks for, as a value: words, "phrases", prefix*, OR, -not, parentheses, and operators such as `from:ann`.
//! Read without any engine, and refused here when it is too long, too deep or too broad.

mod display;
mod lex;
pub mod operator;
mod ranked;

use std::collections::HashMap;

use jiff::{Timestamp, Zoned};

use super::stem;
use super::tokenizer::words;
use crate::domain::entry::{EntryType, Side};
use lex::{Kind, Token, Value};
use operator::{Has, Place};

pub use ranked::says_nothing;

/// Longest query, in bytes.
pub const MAX_LENGTH: usize = 1024;
pub const MAX_DEPTH: usize = 20;
pub const MAX_CLAUSES: usize = 64;
pub const MAX_PHRASE: usize = 20;
/// A shorter prefix would match half of all words.
pub const MIN_PREFIX: usize = 2;

/// A query as understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Query {
    /// Everything in scope.
    All,
    /// One word, folded; also its other forms and near misspellings, ranked behind.
    Word(String),
    /// One word, folded, and no other.
    Exact(String),
    /// Words written as one, `jane.doe@acme.com` or `customer's`: found next to each other.
    Together(Vec<String>),
    /// Words in this order, with at most so many others in between.
    Phrase(Vec<String>, u32),
    /// Two words at most so many apart, in either order.
    Near(String, String, u32),
    /// Words that begin like this.
    Prefix(String),
    /// Looked for in one place only; everything: what stands beside it is.
    In(Place, Box<Query>),
    If(Condition),
    Not(Box<Query>),
    And(Vec<Query>),
    Or(Vec<Query>),
}

/// What is asked of an entry, whatever its words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    Side(Side),
    Type(Vec<EntryType>),
    /// Id, name or domain.
    Account(String),
    Deal(String),
    Thread(String),
    /// `from ≤ t < to`.
    Time {
        from: Option<Timestamp>,
        to: Option<Timestamp>,
    },
    Has(Has),
    /// Score in ten thousandths, both ends included.
    Sentiment {
        from: i64,
        to: i64,
    },
}

/// Why a query was refused, and at which character (0-based).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason} (at character {position})")]
pub struct QueryError {
    pub position: usize,
    pub reason: String,
}

fn error<T>(position: usize, reason: impl Into<String>) -> Result<T, QueryError> {
    Err(QueryError { position, reason: reason.into() })
}

/// Reads a query at a moment: names of periods are those of its day and zone. Blank text asks for everything in scope.
///
/// # Errors
/// Points at the character where it goes wrong.
pub fn parse(text: &str, now: &Zoned) -> Result<Query, QueryError> {
    if text.len() > MAX_LENGTH {
        return error(0, format!("the query has {} bytes; the limit is {MAX_LENGTH}", text.len()));
    }
    if let Some(position) = text.chars().position(|c| c == '\0') {
        return error(position, "the query contains a NUL character");
    }
    let mut parser = Parser { tokens: lex::lex(text)?, at: 0, clauses: 0, end: text.chars().count(), now };
    let query = parser.alternatives(0)?;
    if let Some(token) = parser.peek() {
        return error(token.position, "this closing parenthesis was never opened");
    }
    if !matches!(query, Query::All) && !finds_something(&query) {
        return error(0, "the query only excludes; add a word to look for");
    }
    Ok(query)
}

/// Whether it names something to look for, and does not only exclude.
fn finds_something(query: &Query) -> bool {
    match query {
        Query::Not(_) => false,
        Query::And(parts) => parts.iter().any(finds_something),
        Query::Or(parts) => parts.iter().all(finds_something),
        Query::In(_, inner) => finds_something(inner),
        Query::All
        | Query::Word(_)
        | Query::Exact(_)
        | Query::Together(_)
        | Query::Phrase(..)
        | Query::Near(..)
        | Query::Prefix(_)
        | Query::If(_) => true,
    }
}

struct Parser<'a> {
    tokens: Vec<Token>,
    at: usize,
    clauses: usize,
    end: usize,
    now: &'a Zoned,
}

impl Parser<'_> {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn position(&self) -> usize {
        self.peek().map_or(self.end, |token| token.position)
    }

    /// `a b OR c d`: OR binds looser than standing side by side.
    fn alternatives(&mut self, depth: usize) -> Result<Query, QueryError> {
        let mut parts = vec![self.conjunction(depth)?];
        while self.peek().is_some_and(|t| matches!(t.kind, Kind::Or)) {
            let position = self.position();
            self.at += 1;
            let next = self.conjunction(depth)?;
            if matches!(next, Query::All) || parts.iter().any(|p| matches!(p, Query::All)) {
                return error(position, "OR needs a word on both sides");
            }
            parts.push(next);
        }
        Ok(one_or(parts, Query::Or))
    }

    fn conjunction(&mut self, depth: usize) -> Result<Query, QueryError> {
        let mut parts: Vec<Query> = Vec::new();
        while let Some(token) = self.peek() {
            let position = token.position;
            match token.kind {
                Kind::Or | Kind::Close => break,
                Kind::And => self.at += 1,
                Kind::Near(distance) => {
                    self.at += 1;
                    let near = near(parts.pop(), self.term(depth)?, distance);
                    parts.push(near.map_or_else(|| error(position, "NEAR needs a word on both sides"), Ok)?);
                }
                _ => {
                    if let Some(part) = self.term(depth)? {
                        parts.push(part);
                    }
                }
            }
        }
        Ok(placed(parts))
    }

    fn deeper(&self, depth: usize, position: usize) -> Result<usize, QueryError> {
        if depth >= MAX_DEPTH {
            return error(position, format!("the query is nested deeper than {MAX_DEPTH}"));
        }
        Ok(depth + 1)
    }

    /// One word, phrase, operator, group or exclusion; `None` for a mark without any letter or digit.
    fn term(&mut self, depth: usize) -> Result<Option<Query>, QueryError> {
        let Some(token) = self.tokens.get(self.at).cloned() else {
            return error(self.end, "something to look for is missing here");
        };
        self.at += 1;
        self.clauses += 1;
        if self.clauses > MAX_CLAUSES {
            return error(token.position, format!("the query has more than {MAX_CLAUSES} parts"));
        }
        let at_token = |reason| QueryError { position: token.position, reason };
        match token.kind {
            Kind::Word(text) => words_of(&text, false).map_err(at_token),
            Kind::Phrase(text, slop) => phrase(&text, slop).map_err(at_token),
            Kind::Operator(operator, Value { text, quoted, position }) => {
                operator.read(&text, quoted, self.now).map_err(|reason| QueryError { position, reason })
            }
            Kind::Minus => {
                let depth = self.deeper(depth, token.position)?;
                if matches!(self.peek().map(|t| &t.kind), None | Some(Kind::Or | Kind::And | Kind::Near(_) | Kind::Close)) {
                    return error(token.position, "nothing to exclude follows");
                }
                Ok(match self.term(depth)? {
                    Some(Query::Not(inner)) => Some(*inner),
                    Some(Query::In(_, inner)) if *inner == Query::All => {
                        return error(
                            token.position,
                            "in: says where the words beside it are looked for and cannot be excluded; exclude words there, as in -(in:quoted word)",
                        );
                    }
                    excluded => excluded.map(|other| Query::Not(Box::new(other))),
                })
            }
            Kind::Open => self.group(depth, token.position).map(Some),
            Kind::Scope(operator) => {
                self.at += 1;
                let inner = Box::new(self.group(depth, token.position)?);
                Ok(operator.place().map(|place| Query::In(place, inner)))
            }
            Kind::Or | Kind::And | Kind::Near(_) | Kind::Close => error(token.position, "something to look for is missing here"),
        }
    }

    /// What stands in parentheses; the opening one has been taken.
    fn group(&mut self, depth: usize, position: usize) -> Result<Query, QueryError> {
        let depth = self.deeper(depth, position)?;
        let inner = self.alternatives(depth)?;
        match self.peek() {
            Some(close) if matches!(close.kind, Kind::Close) => self.at += 1,
            _ => return error(position, "this parenthesis is never closed"),
        }
        if matches!(inner, Query::All) {
            return error(position, "these parentheses are empty");
        }
        Ok(inner)
    }
}

fn one_or(mut parts: Vec<Query>, many: impl Fn(Vec<Query>) -> Query) -> Query {
    if parts.len() == 1 { parts.remove(0) } else { many(parts) }
}

/// Parts that stand side by side. `in:attachment` beside words says where they are looked for; conditions stay outside.
fn placed(parts: Vec<Query>) -> Query {
    let is_place = |part: &Query| matches!(part, Query::In(_, inner) if **inner == Query::All);
    let (places, rest): (Vec<Query>, Vec<Query>) = parts.into_iter().partition(is_place);
    let (mut all, words): (Vec<Query>, Vec<Query>) = rest.into_iter().partition(|part| places.is_empty() || matches!(part, Query::If(_)));
    let words = if words.is_empty() { Query::All } else { one_or(words, Query::And) };
    for place in places {
        if let Query::In(place, _) = place {
            all.push(Query::In(place, Box::new(words.clone())));
        }
    }
    if all.is_empty() { Query::All } else { one_or(all, Query::And) }
}

fn near(left: Option<Query>, right: Option<Query>, distance: u32) -> Option<Query> {
    let word = |query| match query {
        Some(Query::Word(word) | Query::Exact(word)) => Some(word),
        _ => None,
    };
    Some(Query::Near(word(left)?, word(right)?, distance))
}

/// A word as typed, or the words between quotation marks after an operator.
fn words_of(text: &str, quoted: bool) -> Result<Option<Query>, String> {
    if quoted {
        return phrase(text, 0);
    }
    if let Some(exact) = text.strip_prefix('=') {
        return phrase(exact, 0);
    }
    if let Some(stem) = text.strip_suffix('*') {
        let mut parts: Vec<String> = words(stem).map(|w| w.text).collect();
        let last = parts.pop().unwrap_or_default();
        let short = last.chars().count() < MIN_PREFIX;
        if short && parts.is_empty() {
            return Err(format!("a prefix needs at least {MIN_PREFIX} letters before the *"));
        }
        // `jane.d*`: the words before the last one as they are.
        let mut all: Vec<Query> = parts.into_iter().map(Query::Exact).collect();
        all.push(if short { Query::Exact(last) } else { Query::Prefix(last) });
        return Ok(Some(one_or(all, Query::And)));
    }
    Ok(phrase(text, 0)?.map(|query| match query {
        Query::Exact(word) => Query::Word(word),
        Query::Phrase(words, _) => Query::Together(words),
        query => query,
    }))
}

fn phrase(text: &str, slop: u32) -> Result<Option<Query>, String> {
    let mut parts: Vec<String> = words(text).map(|w| w.text).collect();
    if parts.len() > MAX_PHRASE {
        return Err(format!("the phrase has {} words; the limit is {MAX_PHRASE}", parts.len()));
    }
    Ok(match parts.len() {
        0 => None,
        1 => parts.pop().map(Query::Exact),
        _ => Some(Query::Phrase(parts, slop)),
    })
}

impl Query {
    /// The accounts that it names.
    pub fn accounts(&self) -> Vec<&str> {
        match self {
            Query::If(Condition::Account(name)) => vec![name],
            Query::In(_, inner) | Query::Not(inner) => inner.accounts(),
            Query::And(parts) | Query::Or(parts) => parts.iter().flat_map(Query::accounts).collect(),
            _ => Vec::new(),
        }
    }

    /// With other names beside each word that has some, such as those of the same competitor.
    #[must_use]
    pub fn with_other_names(self, names: &HashMap<String, Vec<Vec<String>>>) -> Query {
        let each = |parts: Vec<Query>| parts.into_iter().map(|part| part.with_other_names(names)).collect();
        match self {
            Query::Word(word) => match names.get(&word) {
                Some(others) => {
                    let others = others.iter().map(|words| match words.as_slice() {
                        [one] => Query::Exact(one.clone()),
                        many => Query::Phrase(many.to_vec(), 0),
                    });
                    Query::Or(std::iter::once(Query::Word(word)).chain(others).collect())
                }
                None => Query::Word(word),
            },
            Query::In(place, inner) => Query::In(place, Box::new(inner.with_other_names(names))),
            Query::And(parts) => Query::And(each(parts)),
            Query::Or(parts) => Query::Or(each(parts)),
            other => other,
        }
    }

    /// The words whose other forms and spellings are looked for as well.
    pub fn loose_words(&self) -> Vec<&str> {
        match self {
            Query::Word(word) => vec![word],
            Query::And(parts) | Query::Or(parts) => parts.iter().flat_map(Query::loose_words).collect(),
            _ => Vec::new(),
        }
    }

    /// Every word that a hit may be marked by, with those meant by misspelt ones.
    pub fn marks(&self, meant: &HashMap<String, Vec<String>>) -> Marks {
        let mut marks = Marks::default();
        self.collect_marks(&mut marks);
        for word in self.loose_words() {
            let Some(asked) = marks.exact.get(word).copied() else { continue };
            marks.stems.extend(stem::of(word).map(|stem| (stem, asked)));
            for other in meant.get(word).into_iter().flatten() {
                marks.exact.entry(other.clone()).or_insert(asked);
            }
        }
        marks
    }

    fn collect_marks(&self, marks: &mut Marks) {
        match self {
            Query::All | Query::Not(_) | Query::If(_) => {}
            Query::Word(word) | Query::Exact(word) => marks.add(word),
            Query::Near(left, right, _) => [left, right].into_iter().for_each(|word| marks.add(word)),
            // Who wrote is told by a hit as it is; in its words, names mean nothing.
            Query::In(Place::From | Place::To | Place::Cc | Place::With, _) => {}
            Query::In(_, inner) => inner.collect_marks(marks),
            Query::Together(words) | Query::Phrase(words, _) => words.iter().for_each(|word| marks.add(word)),
            Query::Prefix(prefix) => {
                marks.prefixes.push((prefix.clone(), marks.asked.len()));
                marks.asked.push(prefix.clone());
            }
            Query::And(parts) | Query::Or(parts) => parts.iter().for_each(|part| part.collect_marks(marks)),
        }
    }
}

/// Words to mark in a hit, each with the number of the word it stands for among those that were asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Marks {
    /// The words that were asked, folded.
    pub asked: Vec<String>,
    pub exact: HashMap<String, usize>,
    pub prefixes: Vec<(String, usize)>,
    /// Other forms of words, by language and stem.
    pub stems: HashMap<String, usize>,
}

impl Marks {
    fn add(&mut self, word: &str) {
        if !self.exact.contains_key(word) {
            self.exact.insert(word.to_owned(), self.asked.len());
            self.asked.push(word.to_owned());
        }
    }

    /// Which of the asked words this folded word stands for.
    pub fn matches(&self, word: &str) -> Option<usize> {
        let exact = self.exact.get(word).copied();
        let begun = || self.prefixes.iter().find(|(prefix, _)| word.starts_with(prefix.as_str())).map(|(_, asked)| *asked);
        let form = || if self.stems.is_empty() { None } else { stem::of(word).find_map(|stem| self.stems.get(&stem).copied()) };
        exact.or_else(begun).or_else(form)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A Wednesday.
    fn now() -> Zoned {
        jiff::civil::date(2026, 3, 18).at(10, 0, 0, 0).in_tz("UTC").unwrap()
    }

    #[test]
    fn queries_are_read_as_people_mean_them() {
        for (text, understood) in [
            ("", "everything"),
            ("Scanner", "scanner"),
            ("scanner outage", "scanner and outage"),
            ("\"scanner outage\" -test", "\"scanner outage\" and not test"),
            ("price OR discount offer", "price or (discount and offer)"),
            ("(price OR discount) offer", "(price or discount) and offer"),
            ("jane.doe@acme.com", "\"jane doe acme com\""),
            ("renew*", "renew*"),
            ("jane.do*", "exactly jane and do*"),
            ("Müller AND Straße", "muller and strasse"),
            ("PO-4711", "\"po 4711\""),
            ("a - b", "a and b"),
            ("NOT x y", "not x and y"),
            ("“price list”", "\"price list\""),
            ("価格表", "\"価格 格表\""),
            ("=Renewed \"price list\"~3", "exactly renewed and \"price list\" with up to 3 words between"),
            ("budget NEAR/5 approved", "budget within 5 words of approved"),
            ("from:ann -to:(bob OR eve)", "from ann and not to (bob or eve)"),
            ("cc:legal@acme.com with:\"Ann Lee\"", "copied to \"legal acme com\" and with \"ann lee\""),
            ("subject:renew* body:price", "renew* in the subject and price in the body"),
            ("in:attachment warranty side:us", "said by us and warranty in an attachment"),
            ("in:quoted (a OR b)", "(a or b) in quoted text"),
            ("type:email,call has:objection", "type email_sent or email_received or call and with an objection"),
            ("sentiment:<-0.3 OR sentiment:>=0.5", "sentiment at most -0.3001 or sentiment at least 0.5"),
            ("account:acme deal:d1 thread:t1", "account acme and deal d1 and thread t1"),
            ("during:\"last quarter\"", "from 2025-10-01 00:00Z until 2026-01-01 00:00Z"),
            ("after:2023 before:march newer_than:2w", "since 2023-01-01 00:00Z and before 2026-03-01 00:00Z and since 2026-03-04 10:00Z"),
            ("on:2026-03-12", "from 2026-03-12 00:00Z until 2026-03-13 00:00Z"),
            ("re:invent 12:30 http://x.example", "\"re invent\" and \"12 30\" and \"http x example\""),
        ] {
            assert_eq!(parse(text, &now()).map(|q| q.to_string()), Ok(understood.to_owned()), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_pointed_at() {
        let long = "x".repeat(MAX_LENGTH + 1);
        let deep = "(".repeat(300);
        let nots = "NOT ".repeat(200);
        let many = vec!["a"; 65].join(" OR ");
        let phrase = format!("\"{}\"", vec!["a"; 21].join(" "));
        for (text, position, says) in [
            ("a \"b c", 2, "never closed"),
            ("(a", 0, "never closed"),
            ("a) b", 1, "never opened"),
            ("a OR", 2, "both sides"),
            ("-a", 0, "only excludes"),
            ("a OR -b", 0, "only excludes"),
            ("a ()", 2, "empty"),
            ("*", 0, "at least 2 letters"),
            ("a*", 0, "at least 2 letters"),
            ("a\0", 1, "NUL"),
            (long.as_str(), 0, "the limit is 1024"),
            (deep.as_str(), 20, "nested deeper"),
            (nots.as_str(), 80, "deeper"),
            (many.as_str(), 320, "more than 64 parts"),
            (phrase.as_str(), 0, "the limit is 20"),
            ("x side:them", 7, "side:them: it may be us, customer"),
            ("type:fax", 5, "email_sent"),
            ("has:", 4, "has: needs a value, as in has:commitment"),
            ("during:soon", 7, "a period is a day"),
            ("older_than:30", 11, "an age is a number"),
            ("sentiment:<2", 10, "from -1 to 1"),
            ("sentiment:=<0", 10, "stands after"),
            ("in:void x", 3, "subject, body, quoted, attachment"),
            ("subject:()", 0, "empty"),
            ("subject:a*", 8, "at least 2 letters"),
            ("\"a b\"~0", 5, "from 1 to 100"),
            ("a NEAR/500 b", 7, "from 1 to 100"),
            ("NEAR b", 0, "both sides"),
            ("-from:ann", 0, "only excludes"),
            ("a -in:quoted", 2, "cannot be excluded"),
        ] {
            let refused = parse(text, &now()).expect_err(text);
            assert!(refused.reason.contains(says), "{text}: {refused}");
            assert_eq!(refused.position, position, "{text}: {refused}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_or_refused_and_what_is_read_says_itself(text in "[a-z\"()*\\- ORNT|\u{e9}\u{4e2d}]{0,60}") {
            if let Ok(query) = parse(&text, &now()) {
                let _ = query.to_string();
                let _ = query.marks(&HashMap::new());
            }
        }
    }
}
