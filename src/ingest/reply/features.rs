//! What can be seen of a line of mail, as names that the model has weights for: its shape, its first and last words,
//! its neighbours, and what the rules say of it.

use super::words::P_S;
use super::{Line, is_business_line, is_closing, is_titled_name, reaches_somebody, reads_like_prose};
use crate::domain::span::SpanKind;

/// Letters of a line that are looked at; a signature or a first sentence is told by fewer.
const LOOKED_AT: usize = 160;

/// A closing formula or a name is looked for in so many lines above.
const LEAVE: usize = 6;

/// What stands in one line, whatever stands around it.
#[derive(Default)]
pub(super) struct Shape<'a> {
    text: &'a str,
    words: Vec<&'a str>,
    /// Words that begin with a small letter: running text has many.
    small: usize,
    digits: usize,
    first: &'static str,
    last: &'static str,
    pub(super) quoted: bool,
    address: bool,
    link: bool,
    set_apart: bool,
    date: bool,
    time: bool,
    capitals: bool,
    closing: bool,
    name: bool,
    contact: bool,
    prose: bool,
    postscript: bool,
}

impl<'a> Shape<'a> {
    pub(super) fn of(line: &'a str) -> Shape<'a> {
        let text = line.trim();
        if text.starts_with('>') {
            // Most lines of a long conversation are, and nothing else tells more.
            return Shape { quoted: true, first: "quote", last: "quote", ..Shape::default() };
        }
        let text = text.char_indices().nth(LOOKED_AT).map_or(text, |(end, _)| &text[..end]);
        let words: Vec<&str> =
            text.split(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | '(' | ')' | '"' | '<' | '>' | '|')).filter(|w| !w.is_empty()).collect();
        let business = is_business_line(text);
        let letters = text.chars().filter(|c| c.is_alphabetic()).count();
        let class = |c: Option<char>| match c {
            None => "none",
            Some('>') => "quote",
            Some('.' | '…') => "stop",
            Some('?') => "question",
            Some('!') => "exclamation",
            Some(',') => "comma",
            Some(':') => "colon",
            Some('-' | '–' | '—' | '_' | '=' | '~' | '+' | '#') => "line",
            Some('*' | '•' | '·' | '[' | '|' | '/' | '\\') => "mark",
            Some('(' | ')' | ']' | '"' | '”' | '“' | '\'' | '«' | '»' | '¡' | '¿') => "bracket",
            Some(c) if c.is_numeric() => "digit",
            Some(c) if c.is_lowercase() => "small",
            Some(c) if c.is_alphabetic() => "capital",
            Some(_) => "other",
        };
        let number = |word: &str| word.chars().next().is_some_and(|c| c.is_ascii_digit());
        let parts = |word: &str| word.split(['.', '/', '-']).filter(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit())).count();
        Shape {
            small: words.iter().filter(|w| w.chars().next().is_some_and(char::is_lowercase) && w.chars().count() > 1).count(),
            digits: text.bytes().filter(u8::is_ascii_digit).count(),
            first: class(text.chars().next()),
            last: class(text.chars().next_back()),
            quoted: false,
            address: text.contains('@'),
            link: text.contains("www.") || text.contains("://"),
            set_apart: text.contains('|') || text.contains('·') || text.contains('•'),
            date: words.iter().any(|w| parts(w) >= 3)
                || words.iter().any(|w| w.len() == 4 && (w.starts_with("20") || w.starts_with("19")) && number(w)),
            time: words
                .iter()
                .filter(|word| number(word))
                .any(|w| w.split([':', 'h', 'u']).filter(|p| !p.is_empty() && p.len() <= 2 && p.bytes().all(|b| b.is_ascii_digit())).count() >= 2),
            closing: is_closing(text),
            name: is_titled_name(text),
            contact: business || reaches_somebody(text),
            prose: !business && reads_like_prose(text),
            postscript: P_S.is_match(text),
            capitals: letters >= 4 && !text.chars().any(char::is_lowercase),
            text,
            words,
        }
    }
}

fn bucket(n: usize) -> &'static str {
    match n {
        0 => "0",
        1 => "1",
        2 => "2",
        3 => "3",
        4..=5 => "4",
        6..=8 => "6",
        9..=13 => "9",
        _ => "14",
    }
}

fn rule(kind: SpanKind) -> &'static str {
    match kind {
        SpanKind::Quoted => "q",
        SpanKind::Signature => "s",
        SpanKind::Footer => "f",
        SpanKind::New | SpanKind::Automatic | SpanKind::Hidden => "n",
    }
}

/// The lines that hold something, with their shapes, the blank lines before each, and what the rules say.
pub(super) struct Page<'a> {
    shapes: Vec<Shape<'a>>,
    gaps: Vec<usize>,
    rules: Vec<SpanKind>,
    /// How many lines follow before a quoted one or the end.
    left: Vec<usize>,
    has_quotes: bool,
    /// Whether a closing formula or a name stands shortly before, with no quotation between.
    taken_leave: Vec<bool>,
    /// Position of the first line that the rules take for quoted or a signature.
    first_other: usize,
}

impl<'a> Page<'a> {
    pub(super) fn of(lines: &[Line<'a>], kinds: &[SpanKind]) -> Page<'a> {
        let (mut shapes, mut gaps, mut rules, mut gap) = (Vec::new(), Vec::new(), Vec::new(), 0);
        for (line, &kind) in lines.iter().zip(kinds) {
            if line.is_blank() {
                gap += 1;
                continue;
            }
            shapes.push(Shape::of(line.text));
            gaps.push(gap);
            rules.push(kind);
            gap = 0;
        }
        let mut left = vec![0; shapes.len()];
        for i in (0..shapes.len().saturating_sub(1)).rev() {
            left[i] = if shapes[i + 1].quoted || rules[i + 1] == SpanKind::Quoted { 0 } else { left[i + 1] + 1 };
        }
        let leaves = |j: &usize| shapes[*j].closing || shapes[*j].name || rules[*j] == SpanKind::Signature;
        let taken_leave =
            (0..shapes.len()).map(|i| (i.saturating_sub(LEAVE)..i).rev().take_while(|&j| !shapes[j].quoted).any(|j| leaves(&j))).collect();
        let has_quotes = shapes.iter().any(|shape| shape.quoted);
        let first_other = rules.iter().position(|kind| *kind != SpanKind::New).unwrap_or(rules.len());
        Page { shapes, gaps, rules, left, has_quotes, taken_leave, first_other }
    }

    pub(super) fn len(&self) -> usize {
        self.shapes.len()
    }

    /// Names what is seen of line `i`, each in parts that are put together.
    pub(super) fn features(&self, i: usize, emit: &mut impl FnMut(&[&str])) {
        let shape = &self.shapes[i];
        let rule_here = rule(self.rules[i]);
        emit(&["rule ", rule_here]);
        if shape.quoted {
            emit(&["quoted"]);
            return;
        }
        emit(&["any"]);
        let (before, after) = (i.checked_sub(1), (i + 1 < self.len()).then_some(i + 1));
        let rule_before = before.map_or("-", |j| rule(self.rules[j]));
        let rule_after = after.map_or("-", |j| rule(self.rules[j]));
        let words = bucket(shape.words.len());
        let small = bucket(shape.small);
        emit(&["rules ", rule_before, rule_here, rule_after]);
        emit(&["words ", words]);
        emit(&["small ", small]);
        emit(&["words small ", words, " ", small]);
        emit(&["first ", shape.first]);
        emit(&["last ", shape.last]);
        emit(&["last small ", shape.last, " ", small]);
        emit(&["digits ", bucket(shape.digits)]);
        for (name, holds) in [
            ("address", shape.address),
            ("link", shape.link),
            ("apart", shape.set_apart),
            ("date", shape.date),
            ("time", shape.time),
            ("capitals", shape.capitals),
            ("closing", shape.closing),
            ("name", shape.name),
            ("contact", shape.contact),
            ("prose", shape.prose),
            ("postscript", shape.postscript),
            ("wordless", !shape.text.contains(char::is_alphanumeric)),
            ("delimiter", matches!(shape.text, "--" | "—" | "–")),
        ] {
            if holds {
                emit(&[name]);
            }
        }
        if shape.date || shape.time || shape.address {
            let said = [if shape.date { "d" } else { "" }, if shape.time { "t" } else { "" }, if shape.address { "a" } else { "" }];
            emit(&["dated ", said[0], said[1], said[2], " ", shape.last]);
        }
        let gap = bucket(self.gaps[i].min(2));
        let gap_after = after.map_or("-", |j| bucket(self.gaps[j].min(2)));
        emit(&["gap ", gap]);
        emit(&["gaps ", gap, " ", gap_after]);
        let from_top = bucket(i.min(4));
        let left = bucket(self.left[i].min(9));
        emit(&["top ", from_top]);
        emit(&["left ", left]);
        emit(&["left words ", left, " ", words]);
        emit(&["left small last ", left, " ", small, " ", shape.last]);
        let leave = if self.taken_leave[i] { "leave" } else { "none" };
        emit(&["leave ", leave]);
        let kind_of_line = if shape.link {
            "link"
        } else if shape.address {
            "address"
        } else if shape.contact {
            "contact"
        } else if shape.prose {
            "prose"
        } else {
            "short"
        };
        emit(&["leave line ", leave, " ", kind_of_line, " ", gap]);
        emit(&["leave rule ", leave, " ", rule_here, " ", words]);
        emit(&["bottom ", bucket((self.len() - 1 - i).min(9))]);
        let after_first_other = if i >= self.first_other { "after" } else { "before" };
        emit(&["rules so far ", after_first_other, " ", if self.has_quotes { "quotes" } else { "none" }]);
        if let Some(j) = before {
            let other = &self.shapes[j];
            emit(&["before last ", other.last]);
            let told = [if other.closing { "c" } else { "" }, if other.name { "n" } else { "" }, if other.contact { "k" } else { "" }];
            emit(&["before told ", told[0], told[1], told[2], " gap ", gap]);
            emit(&["before small ", bucket(other.small)]);
            emit(&["before words ", bucket(other.words.len()), " ", words, " gap ", gap]);
            if other.quoted {
                emit(&["before quoted"]);
            }
        } else {
            emit(&["begins"]);
        }
        if let Some(j) = after {
            let other = &self.shapes[j];
            emit(&["after words ", bucket(other.words.len()), " ", words, " gap ", gap_after]);
            let told = [if other.closing { "c" } else { "" }, if other.name { "n" } else { "" }, if other.contact { "k" } else { "" }];
            emit(&["after told ", told[0], told[1], told[2], " gap ", gap_after, " ", shape.last]);
            emit(&["after small ", bucket(other.small)]);
            emit(&["after first ", other.first]);
            emit(&["after last ", other.last]);
            if other.quoted {
                emit(&["after quoted ", shape.last]);
            }
            if other.address || other.link || other.digits >= 6 {
                emit(&["after contact"]);
            }
        } else {
            emit(&["ends"]);
        }
        // Words tell most where there are few, and at both ends of a line.
        let spoken: Vec<String> = shape.words.iter().take(14).map(|word| spoken(word)).filter(|word| !word.is_empty()).collect();
        for (at, word) in spoken.iter().enumerate() {
            if spoken.len() <= 7 || at < 2 {
                emit(&["word ", word]);
                let start: String = word.chars().take(4).collect();
                emit(&["start ", &start]);
            }
        }
        if let (Some(first), Some(last)) = (spoken.first(), spoken.last()) {
            emit(&["first word ", first]);
            emit(&["last word ", last]);
            if let Some(second) = spoken.get(1) {
                emit(&["first two ", first, " ", second]);
            }
        }
        if shape.text.ends_with(':') || shape.text.contains(": ") {
            emit(&["key ", spoken.first().map_or("", String::as_str)]);
        }
    }

    /// Names what is seen between line `i` and the one before.
    pub(super) fn between(&self, i: usize, emit: &mut impl FnMut(&[&str])) {
        let (before, here) = (&self.shapes[i - 1], &self.shapes[i]);
        let gap = bucket(self.gaps[i].min(2));
        let (rule_before, rule_here) = (rule(self.rules[i - 1]), rule(self.rules[i]));
        emit(&["any"]);
        emit(&["rules ", rule_before, rule_here]);
        emit(&["gap ", gap]);
        emit(&["gap last ", gap, " ", before.last]);
        emit(&["gap words ", gap, " ", bucket(here.words.len())]);
        let first = here.words.first().map(|word| spoken(word)).unwrap_or_default();
        emit(&["gap word ", gap, " ", &first]);
        if here.postscript {
            emit(&["postscript gap ", gap]);
        }
        if here.closing {
            emit(&["closing gap ", gap]);
        }
        emit(&["small ", bucket(here.small), " after ", bucket(before.small)]);
        emit(&["quoted ", if before.quoted { "q" } else { "-" }, if here.quoted { "q" } else { "-" }]);
    }
}

/// A word as it is compared: small letters, digits alike.
fn spoken(word: &str) -> String {
    word.trim_matches(|c: char| !c.is_alphanumeric())
        .chars()
        .take(24)
        .flat_map(char::to_lowercase)
        .map(|c| {
            if c.is_ascii_digit() {
                '0'
            } else if c == '’' {
                '\''
            } else {
                c
            }
        })
        .collect()
}
