//! What is asked: one question in each contender's way, and questions of each kind made of the entries' own words.

use jiff::Timestamp;
use rapport::index::Request;
use rapport::index::query::Query;
use rapport::index::search::Order;

use super::PAGE;
use super::corpus::{Chance, Corpus, account_id};

/// Questions of each kind.
pub const QUESTIONS: usize = 200;

/// What is asked, so that each contender can ask it in its way.
#[derive(Debug, Clone)]
pub enum Ask {
    Word(String),
    /// With its forms and near misspellings, as people type it.
    Loose(String),
    Words(Vec<String>),
    Phrase(Vec<String>),
    Prefix(String),
    /// A word with one letter exchanged.
    Misspelt(String),
    /// In an account, newest first.
    InAccount(u64, String),
    /// All of an account in a year, newest first.
    Period(u64, Timestamp, Timestamp),
    /// With counts by type, person, month and account.
    Counted(String),
}

impl Ask {
    /// As the engine is asked.
    pub fn request(&self) -> Request {
        let exact = |words: &[String]| words.iter().cloned().map(Query::Exact).collect();
        let query = match self {
            Ask::Word(word) | Ask::Counted(word) | Ask::InAccount(_, word) => Query::Exact(word.clone()),
            Ask::Loose(word) | Ask::Misspelt(word) => Query::Word(word.clone()),
            Ask::Words(words) => Query::And(exact(words)),
            Ask::Phrase(words) => Query::Phrase(words.clone(), 0),
            Ask::Prefix(prefix) => Query::Prefix(prefix.clone()),
            Ask::Period(..) => Query::All,
        };
        let mut request = Request { order: Order::Relevance, facets: matches!(self, Ask::Counted(_)), ..Request::newest(query, PAGE) };
        if let Ask::InAccount(account, _) | Ask::Period(account, ..) = self {
            (request.account, request.order) = (Some(*account as i64), Order::Newest);
        }
        if let Ask::Period(_, from, to) = self {
            (request.from, request.to) = (Some(*from), Some(*to));
        }
        request
    }

    /// As the service is asked: the parameters of `GET /v1/search`.
    pub fn parameters(&self) -> Vec<(&'static str, String)> {
        let words = match self {
            Ask::Word(word) | Ask::Counted(word) | Ask::InAccount(_, word) => format!("={word}"),
            Ask::Loose(word) | Ask::Misspelt(word) => word.clone(),
            Ask::Words(words) => words.iter().map(|word| format!("={word}")).collect::<Vec<_>>().join(" "),
            Ask::Phrase(words) => format!("\"{}\"", words.join(" ")),
            Ask::Prefix(prefix) => format!("{prefix}*"),
            Ask::Period(..) => String::new(),
        };
        let mut parameters = vec![("q", words), ("limit", PAGE.to_string())];
        if let Ask::InAccount(account, _) | Ask::Period(account, ..) = self {
            parameters.extend([("account", account_id(*account)), ("sort", Order::Newest.to_string())]);
        }
        if let Ask::Period(_, from, to) = self {
            parameters.extend([("from", from.to_string()), ("to", to.to_string())]);
        }
        if matches!(self, Ask::Counted(_)) {
            parameters.push(("facets", "true".to_owned()));
        }
        parameters
    }

    /// Whether the answer is defined by the words alone, so that contenders must agree on it.
    pub fn is_exact(&self) -> bool {
        matches!(self, Ask::Word(_) | Ask::Words(_) | Ask::Phrase(_) | Ask::InAccount(..))
    }
}

/// Makes a question of an entry: of its account, its time and the words of its first sentence.
type Maker<'a> = dyn Fn(&mut Chance, u64, Timestamp, &[String]) -> Ask + 'a;

/// Questions of each kind, their words drawn evenly from the entries.
pub fn questions(corpus: &Corpus) -> Vec<(&'static str, Vec<Ask>)> {
    let step = (corpus.entries as usize / QUESTIONS).max(1);
    let mut chance = Chance::new();
    let mut sampled: Vec<(u64, Timestamp, Vec<String>)> = Vec::new();
    for made in corpus.iter().step_by(step) {
        let words: Vec<String> = made.text.to_lowercase().split(". ").next().unwrap_or_default().split(' ').map(str::to_owned).collect();
        if words.iter().filter(|word| is_telling(word)).count() >= 3 {
            sampled.push((made.account, made.at, words));
        }
    }
    let word = |chance: &mut Chance, words: &[String]| {
        let telling: Vec<&String> = words.iter().filter(|word| is_telling(word)).collect();
        (*chance.of(&telling)).clone()
    };
    let mut asks = |make: &Maker<'_>| -> Vec<Ask> { sampled.iter().map(|(account, at, words)| make(&mut chance, *account, *at, words)).collect() };
    vec![
        ("one word", asks(&|chance, _, _, words| Ask::Word(word(chance, words)))),
        ("one word, forms and spellings", asks(&|chance, _, _, words| Ask::Loose(word(chance, words)))),
        ("three words", asks(&|_, _, _, words| Ask::Words(words.iter().filter(|word| is_telling(word)).take(3).cloned().collect()))),
        (
            "phrase",
            asks(&|chance, _, _, words| {
                let at = chance.below(words.len() as u64 - 1) as usize;
                Ask::Phrase(words[at..at + 2].to_vec())
            }),
        ),
        ("prefix of two letters", asks(&|chance, _, _, words| Ask::Prefix(word(chance, words)[..2].to_owned()))),
        (
            "typo",
            asks(&|chance, _, _, words| {
                let word = word(chance, words);
                Ask::Misspelt(misspelt(chance, word))
            }),
        ),
        ("account, one word, newest", asks(&|chance, account, _, words| Ask::InAccount(account, word(chance, words)))),
        (
            "account, a year, newest",
            asks(&|_, account, at, _| {
                let half = jiff::SignedDuration::from_hours(4_380);
                Ask::Period(account, at - half, at + half)
            }),
        ),
        ("one word, counts", asks(&|chance, _, _, words| Ask::Counted(word(chance, words)))),
    ]
}

fn is_telling(word: &str) -> bool {
    (4..=14).contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_lowercase())
}

fn misspelt(chance: &mut Chance, word: String) -> String {
    let mut letters = word.into_bytes();
    let at = 1 + chance.below(letters.len() as u64 - 1) as usize;
    letters[at] = if letters[at] == b'q' { b'x' } else { b'q' };
    String::from_utf8(letters).expect("ASCII letters")
}
