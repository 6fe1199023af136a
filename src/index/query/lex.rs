//! The text of a query as tokens, each with the character where it begins.

use super::operator::{self, Operator};
use super::{QueryError, error};

#[derive(Debug, Clone)]
pub(super) enum Kind {
    Word(String),
    /// Between quotation marks, with so many words that may stand in between.
    Phrase(String, u32),
    /// `a NEAR/5 b`: the words on both sides, at most so many apart.
    Near(u32),
    /// `from:ann`: an operator and its value.
    Operator(&'static Operator, Value),
    /// `subject:(`: an operator before a group.
    Scope(&'static Operator),
    Or,
    And,
    Minus,
    Open,
    Close,
}

/// What an operator is given.
#[derive(Debug, Clone)]
pub(super) struct Value {
    pub text: String,
    pub quoted: bool,
    pub position: usize,
}

#[derive(Debug, Clone)]
pub(super) struct Token {
    pub kind: Kind,
    pub position: usize,
}

/// How far apart `NEAR` without a number lets words stand.
const NEAR: u32 = 10;
/// Words further apart than this are not near.
pub(super) const MAX_DISTANCE: u32 = 100;

pub(super) fn lex(text: &str) -> Result<Vec<Token>, QueryError> {
    let chars: Vec<char> = text.chars().collect();
    let mut lexer = Lexer { chars: &chars, at: 0 };
    let mut tokens = Vec::new();
    while let Some(token) = lexer.next()? {
        tokens.push(token);
    }
    Ok(tokens)
}

struct Lexer<'a> {
    chars: &'a [char],
    at: usize,
}

impl Lexer<'_> {
    fn next(&mut self) -> Result<Option<Token>, QueryError> {
        while self.peek().is_some_and(char::is_whitespace) {
            self.at += 1;
        }
        let position = self.at;
        let Some(first) = self.peek() else { return Ok(None) };
        let kind = match first {
            '(' | ')' => {
                self.at += 1;
                if first == '(' { Kind::Open } else { Kind::Close }
            }
            '-' if self.excludes() => {
                self.at += 1;
                Kind::Minus
            }
            c if is_quote(c) => {
                let inside = self.quoted()?;
                Kind::Phrase(inside, self.slop()?)
            }
            _ => self.word()?,
        };
        Ok(Some(Token { kind, position }))
    }

    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    /// A minus before something, after a gap.
    fn excludes(&self) -> bool {
        let follows = self.chars.get(self.at + 1).is_some_and(|c| !c.is_whitespace());
        follows && (self.at == 0 || self.chars[self.at - 1].is_whitespace() || self.chars[self.at - 1] == '(')
    }

    /// From one quotation mark to the next.
    fn quoted(&mut self) -> Result<String, QueryError> {
        let open = self.at;
        let Some(length) = self.chars[open + 1..].iter().position(|c| is_quote(*c)) else {
            return error(open, "this quotation mark is never closed");
        };
        self.at = open + length + 2;
        Ok(self.chars[open + 1..=open + length].iter().collect())
    }

    /// `~5` after a phrase.
    fn slop(&mut self) -> Result<u32, QueryError> {
        if self.peek() != Some('~') {
            return Ok(0);
        }
        let position = self.at;
        self.at += 1;
        let digits = self.run(|c| c.is_ascii_digit());
        distance(&digits, position)
    }

    fn run(&mut self, such: impl Fn(char) -> bool) -> String {
        let from = self.at;
        while self.peek().is_some_and(&such) {
            self.at += 1;
        }
        self.chars[from..self.at].iter().collect()
    }

    fn word(&mut self) -> Result<Kind, QueryError> {
        let position = self.at;
        let name: String = self.chars[position..].iter().take_while(|c| c.is_ascii_lowercase() || **c == '_').collect();
        if self.chars.get(position + name.len()) == Some(&':')
            && let Some(operator) = operator::named(&name)
        {
            self.at = position + name.len() + 1;
            return self.value(operator);
        }
        let word = self.run(|c| !c.is_whitespace() && !matches!(c, '(' | ')') && !is_quote(c));
        Ok(match word.as_str() {
            "OR" | "|" => Kind::Or,
            "AND" => Kind::And,
            "NOT" => Kind::Minus,
            "NEAR" => Kind::Near(NEAR),
            // `="as it stands"` is what quotes say already.
            "=" if self.peek().is_some_and(is_quote) => {
                let inside = self.quoted()?;
                Kind::Phrase(inside, 0)
            }
            near if near.starts_with("NEAR/") => Kind::Near(distance(&near[5..], position + 5)?),
            _ => Kind::Word(word),
        })
    }

    fn value(&mut self, operator: &'static Operator) -> Result<Kind, QueryError> {
        let position = self.at;
        match self.peek() {
            Some('(') if operator.takes_groups() => Ok(Kind::Scope(operator)),
            Some(c) if is_quote(c) => {
                let text = self.quoted()?;
                Ok(Kind::Operator(operator, Value { text, quoted: true, position }))
            }
            _ => {
                let text = self.run(|c| !c.is_whitespace() && !matches!(c, '(' | ')') && !is_quote(c));
                if text.is_empty() {
                    return error(position, format!("{}: needs a value, as in {}", operator.name, operator.example));
                }
                Ok(Kind::Operator(operator, Value { text, quoted: false, position }))
            }
        }
    }
}

fn is_quote(c: char) -> bool {
    matches!(c, '"' | '“' | '”')
}

fn distance(digits: &str, position: usize) -> Result<u32, QueryError> {
    match digits.parse() {
        Ok(distance) if (1..=MAX_DISTANCE).contains(&distance) => Ok(distance),
        _ => error(position, format!("a distance is a number of words from 1 to {MAX_DISTANCE}")),
    }
}
