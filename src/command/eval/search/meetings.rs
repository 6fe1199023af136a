//! Questions about meetings: does a passage that is shown lie in what answers them.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;

use anyhow::Context;
use rapport::config::Config;
use rapport::index::Request;
use rapport::index::query::{self, Query, says_nothing};
use rapport::index::search::Order;
use rapport::index::stem;
use rapport::index::tokenizer::words;
use rapport::pipeline::meaning::Mode;
use rapport::pipeline::search::{moment, search};
use rapport::store::account;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::Outcome;
use super::{baseline, filled};

#[derive(Deserialize)]
struct Question {
    meeting: String,
    query: String,
    /// First and last turn of each stretch that answers it.
    relevant_segments: Option<Vec<(usize, usize)>>,
}

/// Passages looked at: as many as a hit shows.
const SHOWN: usize = 5;

/// Reciprocal ranks of the first right passage among those shown; 0 where there is none.
#[derive(Default)]
struct Ranks(Vec<f64>);

impl Ranks {
    fn add(&mut self, passages: impl IntoIterator<Item = Option<usize>>, relevant: &BTreeSet<usize>) -> bool {
        let right = |turn: Option<usize>| turn.is_some_and(|turn| relevant.contains(&turn));
        let place = passages.into_iter().take(SHOWN).position(right);
        self.0.push(place.map_or(0.0, |place| 1.0 / (place as f64 + 1.0)));
        place.is_some()
    }

    fn mean(&self) -> f64 {
        self.0.iter().sum::<f64>() / self.0.len().max(1) as f64
    }

    fn share(&self, least: f64) -> f64 {
        self.0.iter().filter(|rank| **rank >= least).count() as f64 / self.0.len().max(1) as f64
    }
}

pub async fn run(folder: &Path, questions: &Path, differing: bool, config: &Config) -> Outcome {
    let text = std::fs::read_to_string(questions).with_context(|| format!("reading {}", questions.display()))?;
    let mut asked: BTreeMap<String, Vec<Question>> = BTreeMap::new();
    for (number, line) in text.lines().enumerate() {
        let question: Question = serde_json::from_str(line).with_context(|| format!("{}:{}", questions.display(), number + 1))?;
        asked.entry(question.meeting.clone()).or_default().push(question);
    }
    let data = tempfile::tempdir().context("making a folder for the index")?;
    let records = data.path().join("meetings.ndjson");
    let turns = write_records(&records, folder, asked.keys())?;
    let (service, workspace) = filled(&data.path().join("data"), &[records], config).await?;

    let now = moment(&service, workspace).await?;
    let [mut plain, mut stems, mut by_words, mut by_meaning, mut by_both] = std::array::from_fn(|_| Ranks::default());
    for (meeting, questions) in &asked {
        let turns = &turns[meeting];
        let number = account::find(workspace, &mut service.store.read(workspace).await?, meeting).await?.context("the account was imported")?.number;
        let folded: Vec<Vec<String>> = turns.iter().map(|turn| words(turn).map(|word| word.text).collect()).collect();
        let stemmed: Vec<Vec<String>> = turns.iter().map(|turn| telling(turn)).collect();
        for question in questions {
            let relevant: BTreeSet<usize> =
                question.relevant_segments.iter().flatten().flat_map(|(first, last)| *first..=(*last).min(turns.len() - 1)).collect();
            if relevant.is_empty() {
                continue;
            }
            let all: Vec<String> = words(&question.query).map(|word| word.text).collect();
            plain.add(baseline::ranked(&folded, &all).into_iter().map(Some), &relevant);
            stems.add(baseline::ranked(&stemmed, &telling(&question.query)).into_iter().map(Some), &relevant);
            let query = query::parse(&question.query, &now).with_context(|| format!("asking {:?}", question.query))?;
            for (mode, ranks) in [(Mode::Words, &mut by_words), (Mode::Meaning, &mut by_meaning), (Mode::Both, &mut by_both)] {
                let query = if mode == Mode::Words { query.clone().ranked() } else { query.clone() };
                let query = if query == Query::All { Query::Word("nothing".to_owned()) } else { query };
                let request = Request { account: Some(number), order: Order::Relevance, ..Request::newest(query, 1) };
                let answer = search(&service, workspace, request, mode).await?;
                let found = ranks.add(answer.hits.iter().flat_map(|hit| &hit.passages).map(|passage| passage.segment), &relevant);
                if differing && mode == Mode::Both && !found {
                    println!("{meeting}: {}", question.query);
                }
            }
        }
    }
    println!("questions about meetings, n = {}           first  among 5  reciprocal rank  to plain BM25", plain.0.len());
    for (name, ranks) in [
        ("plain BM25 over turns", &plain),
        ("BM25 with stop words and stems", &stems),
        ("words", &by_words),
        ("meaning", &by_meaning),
        ("both", &by_both),
    ] {
        println!(
            "{name:<38}  {:.3}    {:.3}            {:.3}          {:.2}",
            ranks.share(1.0),
            ranks.share(0.1),
            ranks.mean(),
            ranks.mean() / plain.mean()
        );
    }
    service.store.close().await;
    Ok(())
}

/// The stems of the words of a text that say something.
fn telling(text: &str) -> Vec<String> {
    words(text).map(|word| word.text).filter(|word| !says_nothing(word)).map(|word| stem::english(&word)).collect()
}

/// Writes each meeting as an account with one entry; gives back the turns.
fn write_records<'a>(file: &Path, folder: &Path, meetings: impl Iterator<Item = &'a String>) -> anyhow::Result<BTreeMap<String, Vec<String>>> {
    let mut out = std::io::BufWriter::new(std::fs::File::create(file)?);
    let mut turns = BTreeMap::new();
    for name in meetings {
        let path = folder.join(format!("{name}.transcript.json"));
        let text = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        let transcript: Vec<Value> = serde_json::from_str(&text).with_context(|| path.display().to_string())?;
        let said = |turn: &Value| turn["text"].as_str().unwrap_or_default().to_owned();
        turns.insert(name.clone(), transcript.iter().map(said).collect());
        writeln!(out, "{}", json!({"kind": "account", "id": name, "name": name}))?;
        let entry = json!({"kind": "entry", "id": format!("{name}-meeting"), "account_id": name, "type": "meeting", "occurred_at": "2026-01-15T10:00:00Z",
            "subject": name, "body": "", "transcript": transcript});
        writeln!(out, "{entry}")?;
    }
    out.flush()?;
    Ok(turns)
}
