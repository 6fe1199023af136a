//! Questions about accounts whose record is known: is the passage quoted that answers, and does a record that knows nothing of it say so.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::Context;
use rapport::config::Config;
use rapport::index::Request;
use rapport::index::query;
use rapport::pipeline::Service;
use rapport::pipeline::answer::{Answered, Quotation, answer};
use rapport::pipeline::search::moment;
use rapport::store::account;
use rapport::{domain::WorkspaceId, index::tokenizer::words};
use serde::Deserialize;

use super::super::Outcome;
use super::filled;

/// What is true of an account: `truth.json` in its folder.
#[derive(Deserialize)]
struct Truth {
    account: String,
    rep_questions: Vec<Question>,
}

#[derive(Deserialize)]
struct Question {
    question: String,
    /// The entries that answer it; none: nothing does.
    entries: Vec<String>,
    #[serde(default)]
    quote: Option<String>,
}

/// How often something was right.
#[derive(Default)]
struct Share(usize, usize);

impl Share {
    fn add(&mut self, right: bool) {
        self.0 += usize::from(right);
        self.1 += 1;
    }
}

impl std::fmt::Display for Share {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.3}  {:>3} of {}", self.0 as f64 / self.1.max(1) as f64, self.0, self.1)
    }
}

pub async fn run(folder: &Path, differing: bool, config: &Config) -> Outcome {
    let (mut truths, mut records) = (Vec::new(), vec![folder.join("workspace.ndjson")]);
    for path in folders(folder)? {
        records.push(path.join("records.ndjson"));
        let file = path.join("truth.json");
        let text = std::fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
        truths.push(serde_json::from_str::<Truth>(&text).with_context(|| file.display().to_string())?);
    }
    let data = tempfile::tempdir().context("making a folder for the index")?;
    let (service, workspace) = filled(&data.path().join("data"), &records, config).await?;
    let [mut entry, mut passage, mut shown, mut nothing, mut elsewhere] = std::array::from_fn(|_| Share::default());
    for (at, truth) in truths.iter().enumerate() {
        let other = &truths[(at + 1) % truths.len()].account;
        for question in &truth.rep_questions {
            let answered = ask(&service, workspace, &truth.account, &question.question).await?;
            if question.entries.is_empty() {
                nothing.add(!answered.answered);
            } else {
                entry.add(answered.quotations.iter().any(|quotation| question.entries.contains(&quotation.entry_id)));
                let is_right = |quotation: &Quotation| {
                    question.entries.contains(&quotation.entry_id) && question.quote.as_deref().is_none_or(|quote| shares(&quotation.quote, quote))
                };
                let right = answered.quotations.iter().any(is_right);
                passage.add(right);
                shown.add(right || answered.nearest.iter().any(is_right));
                if differing && !right {
                    println!("{}: {} ({})", truth.account, question.question, answered.says);
                }
            }
            let wrong = ask(&service, workspace, other, &question.question).await?;
            elsewhere.add(!wrong.answered);
            if differing {
                let best = |answered: &Answered| answered.quotations.iter().chain(&answered.nearest).next().map_or(0.0, |one| one.score);
                println!("score {:.3} {:.3} {}", best(&answered), best(&wrong), question.entries.is_empty());
            }
        }
    }
    println!("questions about accounts");
    println!("an entry that answers is among five       {entry}");
    println!("the passage that answers is among five    {passage}");
    println!("or among the five that come nearest       {shown}");
    println!("nothing answers, and it says so           {nothing}");
    println!("asked of another account, it says so      {elsewhere}");
    service.store.close().await;
    Ok(())
}

async fn ask(service: &Service, workspace: WorkspaceId, account: &str, question: &str) -> anyhow::Result<Answered> {
    let query = query::parse(question, &moment(service, workspace).await?).with_context(|| format!("asking {question:?}"))?;
    let row = account::find(workspace, &mut service.store.read(workspace).await?, account).await?;
    let request = Request { account: Some(row.context("the account was imported")?.number), ..Request::newest(query, 1) };
    Ok(answer(service, workspace, request).await?)
}

/// Whether two quotations have half of the words of the second in common: passages are cut elsewhere than truth is.
fn shares(shown: &str, quote: &str) -> bool {
    let set = |text: &str| words(text).map(|word| word.text).collect::<BTreeSet<String>>();
    let (shown, quote) = (set(shown), set(quote));
    quote.intersection(&shown).count() * 2 >= quote.len()
}

fn folders(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))?;
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.join("truth.json").is_file()).collect();
    paths.sort();
    anyhow::ensure!(
        paths.len() > 1,
        "{} holds {} accounts with a truth.json; two are needed, so that one can be asked about another",
        folder.display(),
        paths.len()
    );
    Ok(paths)
}
