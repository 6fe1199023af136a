//! Known mails looked for as people remember them, with a word forgotten and another misspelt.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use anyhow::Context;
use jiff::Timestamp;
use rapport::config::{Config, ReaderFrom};
use rapport::index::Request;
use rapport::index::query;
use rapport::index::search::Order;
use rapport::index::tokenizer::words;
use rapport::pipeline::meaning::Mode;
use rapport::pipeline::search::{moment, search};
use rapport::store::entry;
use sha2::{Digest, Sha256};

use super::super::Outcome;
use crate::command::bench::open;
use crate::command::import::{Intake, files, local, us_domains};
use crate::command::labelled::row;
use crate::command::progress::Progress;

/// Threads whose first mail is looked for.
const THREADS: usize = 500;
/// Words that a subject must have, so that one may be forgotten.
const WORDS: usize = 3;
/// A shorter word is not misspelt.
const LETTERS: usize = 5;
/// Hits looked at.
const DEPTH: usize = 10;

pub async fn run(paths: &[PathBuf], us: &[String], differing: bool, config: &Config) -> Outcome {
    let folder = tempfile::tempdir().context("making a folder for the index")?;
    let config = Config { reader: ReaderFrom::Off, ..config.clone() };
    let (service, workspace) = open(folder.path(), &config).await?;
    local(&service, workspace, Intake::of(files(paths)?, us_domains(us)?), &Progress::new(0)).await?;

    // The first mail of each thread, and the thread of each mail.
    let (mut threads, mut thread_of) = (BTreeMap::<String, (Timestamp, String)>::new(), HashMap::new());
    let (mut tx, mut after) = (service.store.read(workspace).await?, 0);
    loop {
        let page = entry::after_number(workspace, &mut tx, after, 1_000).await?;
        let Some(last) = page.last() else { break };
        after = last.number;
        for entry in page.into_iter().map(|stored| stored.entry) {
            let (Some(thread), Some(subject)) = (entry.thread_id, entry.subject) else { continue };
            let first = threads.entry(thread.clone()).or_insert_with(|| (entry.occurred_at, subject.clone()));
            if entry.occurred_at < first.0 {
                *first = (entry.occurred_at, subject);
            }
            thread_of.insert(entry.id, thread);
        }
    }
    drop(tx);
    let mut asked: Vec<(u64, String, String)> =
        threads.into_iter().filter_map(|(thread, (_, subject))| Some((chance(&thread), remembered(&subject, chance(&thread))?, thread))).collect();
    asked.sort();
    asked.truncate(THREADS);

    let now = moment(&service, workspace).await?;
    let (mut first, mut fifth, mut reciprocal) = (0, 0, 0.0);
    for (_, question, thread) in &asked {
        let query = query::parse(question, &now).with_context(|| format!("asking for {question:?}"))?;
        let request = Request { order: Order::Relevance, ..Request::newest(query, DEPTH) };
        let answer = search(&service, workspace, request, Mode::Words).await?;
        let place = answer.hits.iter().position(|hit| thread_of.get(&hit.id) == Some(thread));
        first += u32::from(place == Some(0));
        fifth += u32::from(place.is_some_and(|place| place < 5));
        reciprocal += place.map_or(0.0, |place| 1.0 / (place as f64 + 1.0));
        if differing && place.is_none_or(|place| place >= 5) {
            println!(
                "{question}: {} found, the thread {}",
                answer.total,
                place.map_or("not among them".to_owned(), |place| format!("at {}", place + 1))
            );
        }
    }
    let total = u32::try_from(asked.len())?;
    println!("known mails, a word forgotten, another misspelt   share   95 % interval     n");
    println!("{}", row("found first", first, total));
    println!("{}", row("among five", fifth, total));
    println!("mean reciprocal rank among {DEPTH}: {:.3}", reciprocal / f64::from(total.max(1)));
    service.store.close().await;
    Ok(())
}

/// A number that a text stands for, by which its words are chosen.
fn chance(text: &str) -> u64 {
    u64::from_be_bytes(Sha256::digest(text)[..8].try_into().expect("a SHA-256 has 32 bytes"))
}

/// The words of a subject without one of them, and with one letter wrong in another; none where it is too short for that.
fn remembered(subject: &str, chance: u64) -> Option<String> {
    // What stands in brackets is the list's, and prefixes are the program's.
    let own = subject.rsplit(']').next()?.trim();
    let own = own.split_once(':').filter(|(prefix, _)| prefix.len() <= 3).map_or(own, |(_, rest)| rest);
    let mut words: Vec<String> = words(own).map(|word| word.text).collect();
    if words.len() < WORDS {
        return None;
    }
    let at = |count: usize, draw: u64| usize::try_from(draw % count as u64).unwrap_or(0);
    let long: Vec<usize> =
        (0..words.len()).filter(|at| words[*at].len() >= LETTERS && words[*at].bytes().all(|byte| byte.is_ascii_lowercase())).collect();
    let misspelt = *long.get(at(long.len().max(1), chance))?;
    let mut letters: Vec<char> = words[misspelt].chars().collect();
    let place = 1 + at(letters.len() - 2, chance >> 16);
    match chance >> 32 & 3 {
        0 => letters.swap(place, place + 1),
        1 => drop(letters.remove(place)),
        2 => letters.insert(place, letters[place]),
        _ => letters[place] = if letters[place] == 'e' { 'a' } else { 'e' },
    }
    words[misspelt] = letters.into_iter().collect();
    let forgotten = (misspelt + 1 + at(words.len() - 1, chance >> 40)) % words.len();
    words.remove(forgotten);
    Some(words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_is_remembered_without_a_word_and_with_a_wrong_letter() {
        let whole = ["frequency", "offset", "calibration", "b210"];
        for chance in (0..64_u64).map(|n| n.wrapping_mul(0x1234_5678_9abc_def1)) {
            let remembered = remembered("[USRP-users] Re: Frequency offset calibration B210", chance).unwrap();
            let words: Vec<&str> = remembered.split(' ').collect();
            assert_eq!(words.len(), 3, "{remembered}");
            assert!(words.iter().filter(|word| !whole.contains(word)).count() <= 1, "{remembered}");
        }
        assert_eq!(remembered("[USRP-users] Help", 1), None);
        assert_eq!(remembered("a b c d", 1), None);
    }
}
