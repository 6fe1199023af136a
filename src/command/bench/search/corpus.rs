//! Entries made of the sentences of real mail put together anew, so that words are as frequent, and stand beside each other as often,
//! as people write them.

use anyhow::ensure;
use jiff::Timestamp;
use rapport::domain::entry::{Entry, EntryType};
use rapport::domain::span::{Language, Span, SpanKind};
use rapport::index::document::Document;

/// Accounts; the first has the most entries, 1.3 in a hundred, by Zipf's law.
pub const ACCOUNTS: u64 = 5_000;
const SKEW: f64 = 0.6;
/// Seconds from the first entry to the last, and when the first happens.
const YEARS: u64 = 4 * 365 * 86_400;
const BEGIN: i64 = 1_640_995_200;
/// Entries of a thread.
const TOGETHER: u64 = 4;
/// Characters of an entry, on average about two thirds of it.
const LENGTH: usize = 420;
const SEED: u64 = 20_260_115;

/// Numbers that look drawn by chance, and are the same each time (SplitMix64, Steele, Lea and Flood 2014).
pub struct Chance(u64);

impl Chance {
    pub fn new() -> Chance {
        Chance(SEED)
    }

    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut drawn = self.0;
        drawn = (drawn ^ (drawn >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        drawn = (drawn ^ (drawn >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (drawn ^ (drawn >> 31)) % limit
    }

    pub fn of<'a, T>(&mut self, some: &'a [T]) -> &'a T {
        &some[self.below(some.len() as u64) as usize]
    }
}

/// One entry of the corpus.
pub struct Made {
    /// From 1, in order of time.
    pub number: i64,
    /// From 1.
    pub account: u64,
    /// Number of its thread within the account.
    pub thread: u64,
    pub at: Timestamp,
    pub text: String,
}

impl Made {
    /// As the service holds it.
    pub fn entry(&self) -> (Entry, [Span; 1]) {
        let mut entry = Entry::new(self.number.to_string(), EntryType::EmailReceived, self.at);
        entry.account_id = Some(account_id(self.account));
        entry.body.clone_from(&self.text);
        entry.thread_id = Some(format!("{}-{}", self.account, self.thread));
        let end = self.text.chars().count();
        (entry, [Span { start: 0, end, kind: SpanKind::New, language: Some(Language::English) }])
    }

    /// As the program indexes it.
    pub fn document(&self) -> Document {
        let (entry, spans) = self.entry();
        Document::of(self.number, self.account as i64, &entry, &spans, &[], None)
    }
}

/// By which the service knows the account of a number.
pub fn account_id(number: u64) -> String {
    format!("account-{number}")
}

/// Makes the same entries each time it is walked through.
pub struct Corpus {
    sentences: Vec<String>,
    pub entries: u64,
    /// For each account the share of entries up to it, in millionths.
    shares: Vec<u64>,
}

impl Corpus {
    /// # Errors
    /// When the texts hold too few sentences to make anything of.
    pub fn of(texts: &[String], entries: u64) -> anyhow::Result<Corpus> {
        let words = |sentence: &str| {
            let words: Vec<&str> = sentence.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
            (4..=40).contains(&words.len()).then(|| words.join(" "))
        };
        let sentences: Vec<String> = texts.iter().flat_map(|text| text.split(['.', '?', '!', '\n'])).filter_map(words).collect();
        ensure!(sentences.len() > 1_000, "the mail holds {} sentences; a thousand are needed to make entries of", sentences.len());
        let weight = |rank: u64| (rank as f64).powf(-SKEW);
        let all: f64 = (1..=ACCOUNTS).map(weight).sum();
        let mut sum = 0.0;
        let share = |rank: u64| {
            sum += weight(rank);
            (sum / all * 1e6) as u64
        };
        Ok(Corpus { sentences, entries, shares: (1..=ACCOUNTS).map(share).collect() })
    }

    pub fn iter(&self) -> impl Iterator<Item = Made> + '_ {
        let mut chance = Chance::new();
        let mut counts = vec![0; ACCOUNTS as usize + 1];
        (1..=self.entries).map(move |number| {
            let drawn = chance.below(1_000_000);
            let account = self.shares.partition_point(|share| *share <= drawn) as u64 + 1;
            let account = account.min(ACCOUNTS);
            counts[account as usize] += 1;
            let thread = counts[account as usize] / TOGETHER;
            let length = 40 + chance.below(LENGTH as u64) as usize;
            let mut text = String::new();
            while text.len() < length {
                text.push_str(chance.of::<String>(&self.sentences));
                text.push_str(". ");
            }
            // One in five names a number of its own, as orders and tickets do.
            if chance.below(5) == 0 {
                text.push_str(&format!("order {}", 10_000_000 + number));
            }
            let second = BEGIN + (number * YEARS / self.entries) as i64;
            let at = Timestamp::from_second(second).unwrap_or(Timestamp::UNIX_EPOCH);
            Made { number: number as i64, account, thread, at, text }
        })
    }
}
