//! What a reader asks for, as a value: words, "phrases", prefix*, OR, -not, parentheses. Read without any engine, and
//! refused here when it is too long, too deep or too broad.

use std::fmt;

use super::tokenizer::words;

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
    /// One word, folded.
    Word(String),
    /// Words next to each other, in this order.
    Phrase(Vec<String>),
    /// Words that begin like this.
    Prefix(String),
    Not(Box<Query>),
    And(Vec<Query>),
    Or(Vec<Query>),
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

/// Reads a query. Blank text asks for everything in scope.
///
/// # Errors
/// Points at the character where it goes wrong.
pub fn parse(text: &str) -> Result<Query, QueryError> {
    if text.len() > MAX_LENGTH {
        return error(0, format!("the query has {} bytes; the limit is {MAX_LENGTH}", text.len()));
    }
    if let Some(position) = text.chars().position(|c| c == '\0') {
        return error(position, "the query contains a NUL character");
    }
    let tokens = lex(text)?;
    let mut parser = Parser { tokens, at: 0, clauses: 0, end: text.chars().count() };
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
        Query::All | Query::Word(_) | Query::Phrase(_) | Query::Prefix(_) => true,
    }
}

// ---- text to tokens ----------------------------------------------------------------------------------------------

#[derive(Debug, Clone, PartialEq)]
enum Kind {
    Word(String),
    Phrase(String),
    Or,
    And,
    Minus,
    Open,
    Close,
}

#[derive(Debug, Clone)]
struct Token {
    kind: Kind,
    position: usize,
}

fn lex(text: &str) -> Result<Vec<Token>, QueryError> {
    let chars: Vec<char> = text.chars().collect();
    let mut tokens = Vec::new();
    let mut at = 0;
    while at < chars.len() {
        let position = at;
        let kind = match chars[at] {
            c if c.is_whitespace() => {
                at += 1;
                continue;
            }
            '(' => {
                at += 1;
                Kind::Open
            }
            ')' => {
                at += 1;
                Kind::Close
            }
            '-' if chars.get(at + 1).is_some_and(|c| !c.is_whitespace()) && (at == 0 || chars[at - 1].is_whitespace() || chars[at - 1] == '(') => {
                at += 1;
                Kind::Minus
            }
            '"' | '“' | '”' => {
                let Some(length) = chars[at + 1..].iter().position(|c| matches!(c, '"' | '“' | '”')) else {
                    return error(position, "this quotation mark is never closed");
                };
                let inside = chars[at + 1..at + 1 + length].iter().collect();
                at += length + 2;
                Kind::Phrase(inside)
            }
            _ => {
                let end = chars[at..].iter().position(|c| c.is_whitespace() || matches!(c, '(' | ')' | '"')).map_or(chars.len(), |n| at + n);
                let word: String = chars[at..end].iter().collect();
                at = end;
                match word.as_str() {
                    "OR" | "|" => Kind::Or,
                    "AND" => Kind::And,
                    "NOT" => Kind::Minus,
                    _ => Kind::Word(word),
                }
            }
        };
        tokens.push(Token { kind, position });
    }
    Ok(tokens)
}

// ---- tokens to a query -------------------------------------------------------------------------------------------

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    clauses: usize,
    end: usize,
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn position(&self) -> usize {
        self.peek().map_or(self.end, |token| token.position)
    }

    /// `a b OR c d`: OR binds looser than standing side by side.
    fn alternatives(&mut self, depth: usize) -> Result<Query, QueryError> {
        let mut parts = vec![self.conjunction(depth)?];
        while self.peek().is_some_and(|t| t.kind == Kind::Or) {
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
        let mut parts = Vec::new();
        while let Some(token) = self.peek() {
            match token.kind {
                Kind::Or | Kind::Close => break,
                Kind::And => self.at += 1,
                _ => {
                    if let Some(part) = self.term(depth)? {
                        parts.push(part);
                    }
                }
            }
        }
        Ok(if parts.is_empty() { Query::All } else { one_or(parts, Query::And) })
    }

    /// One word, phrase, group or exclusion; `None` for a mark without any letter or digit.
    fn term(&mut self, depth: usize) -> Result<Option<Query>, QueryError> {
        let Some(token) = self.tokens.get(self.at).cloned() else {
            return error(self.end, "something to look for is missing here");
        };
        self.at += 1;
        self.clauses += 1;
        if self.clauses > MAX_CLAUSES {
            return error(token.position, format!("the query has more than {MAX_CLAUSES} parts"));
        }
        match token.kind {
            Kind::Word(text) => word(&text, token.position),
            Kind::Phrase(text) => phrase(&text, token.position),
            Kind::Minus => {
                if depth >= MAX_DEPTH {
                    return error(token.position, format!("the query is nested deeper than {MAX_DEPTH}"));
                }
                match self.peek().map(|t| &t.kind) {
                    Some(Kind::Word(_) | Kind::Phrase(_) | Kind::Open | Kind::Minus) => {
                        let excluded = self.term(depth + 1)?;
                        Ok(excluded.map(|q| match q {
                            Query::Not(inner) => *inner,
                            other => Query::Not(Box::new(other)),
                        }))
                    }
                    _ => error(token.position, "nothing to exclude follows"),
                }
            }
            Kind::Open => {
                if depth >= MAX_DEPTH {
                    return error(token.position, format!("the query is nested deeper than {MAX_DEPTH}"));
                }
                let inner = self.alternatives(depth + 1)?;
                match self.peek() {
                    Some(close) if close.kind == Kind::Close => self.at += 1,
                    _ => return error(token.position, "this parenthesis is never closed"),
                }
                if matches!(inner, Query::All) {
                    return error(token.position, "these parentheses are empty");
                }
                Ok(Some(inner))
            }
            Kind::Or | Kind::And | Kind::Close => error(token.position, "something to look for is missing here"),
        }
    }
}

fn one_or(mut parts: Vec<Query>, many: impl Fn(Vec<Query>) -> Query) -> Query {
    if parts.len() == 1 { parts.remove(0) } else { many(parts) }
}

fn word(text: &str, position: usize) -> Result<Option<Query>, QueryError> {
    if let Some(stem) = text.strip_suffix('*') {
        let mut parts: Vec<String> = words(stem).map(|w| w.text).collect();
        let Some(last) = parts.pop() else { return error(position, "a prefix needs at least 2 letters before the *") };
        if last.chars().count() < MIN_PREFIX && parts.is_empty() {
            return error(position, format!("a prefix needs at least {MIN_PREFIX} letters before the *"));
        }
        // `jane.d*`: the words before the last one as they are.
        let mut all: Vec<Query> = parts.into_iter().map(Query::Word).collect();
        all.push(if last.chars().count() < MIN_PREFIX { Query::Word(last) } else { Query::Prefix(last) });
        return Ok(Some(one_or(all, Query::And)));
    }
    phrase(text, position)
}

fn phrase(text: &str, position: usize) -> Result<Option<Query>, QueryError> {
    let parts: Vec<String> = words(text).map(|w| w.text).collect();
    if parts.len() > MAX_PHRASE {
        return error(position, format!("the phrase has {} words; the limit is {MAX_PHRASE}", parts.len()));
    }
    Ok(match parts.len() {
        0 => None,
        1 => parts.into_iter().next().map(Query::Word),
        _ => Some(Query::Phrase(parts)),
    })
}

impl Query {
    /// Every word that a hit may be marked by: exact words, and beginnings.
    pub fn marks(&self) -> Marks {
        let mut marks = Marks::default();
        self.collect_marks(&mut marks);
        marks
    }

    fn collect_marks(&self, marks: &mut Marks) {
        match self {
            Query::All | Query::Not(_) => {}
            Query::Word(word) => drop(marks.exact.insert(word.clone())),
            Query::Phrase(words) => marks.exact.extend(words.iter().cloned()),
            Query::Prefix(prefix) => marks.prefixes.push(prefix.clone()),
            Query::And(parts) | Query::Or(parts) => parts.iter().for_each(|part| part.collect_marks(marks)),
        }
    }
}

/// Words to mark in a hit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Marks {
    pub exact: std::collections::HashSet<String>,
    pub prefixes: Vec<String>,
}

impl Marks {
    /// Which mark this folded word satisfies.
    pub fn matches<'a>(&'a self, word: &str) -> Option<&'a str> {
        self.exact.get(word).map(String::as_str).or_else(|| self.prefixes.iter().find(|p| word.starts_with(p.as_str())).map(String::as_str))
    }
}

/// The query in words, as it was understood.
impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let join = |f: &mut fmt::Formatter<'_>, parts: &[Query], word: &str| {
            for (i, part) in parts.iter().enumerate() {
                if i > 0 {
                    write!(f, " {word} ")?;
                }
                match part {
                    Query::And(_) | Query::Or(_) => write!(f, "({part})")?,
                    _ => write!(f, "{part}")?,
                }
            }
            Ok(())
        };
        match self {
            Query::All => f.write_str("everything"),
            Query::Word(word) => f.write_str(word),
            Query::Phrase(words) => write!(f, "\"{}\"", words.join(" ")),
            Query::Prefix(prefix) => write!(f, "{prefix}*"),
            Query::Not(inner) => match **inner {
                Query::And(_) | Query::Or(_) => write!(f, "not ({inner})"),
                _ => write!(f, "not {inner}"),
            },
            Query::And(parts) => join(f, parts, "and"),
            Query::Or(parts) => join(f, parts, "or"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            ("jane.do*", "jane and do*"),
            ("Müller AND Straße", "muller and strasse"),
            ("PO-4711", "\"po 4711\""),
            ("a - b", "a and b"),
            ("NOT x y", "not x and y"),
            ("“price list”", "\"price list\""),
            ("価格表", "\"価格 格表\""),
        ] {
            assert_eq!(parse(text).map(|q| q.to_string()), Ok(understood.to_owned()), "{text}");
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
        ] {
            let refused = parse(text).expect_err(text);
            assert!(refused.reason.contains(says), "{text}: {refused}");
            assert_eq!(refused.position, position, "{text}: {refused}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_or_refused_and_what_is_read_says_itself(text in "[a-z\"()*\\- ORNT|\u{e9}\u{4e2d}]{0,60}") {
            if let Ok(query) = parse(&text) {
                let _ = query.to_string();
                let _ = query.marks();
            }
        }
    }
}
