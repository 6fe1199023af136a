//! `rapport learn`: weights of the small models from labelled text, and how well they do on what they did not see.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, Subcommand};
use rapport::ingest::absence;
use rapport::ingest::reply::learn::learn;
use rapport::ingest::reply::{Model, split_by};
use serde_json::value::RawValue;

use super::Outcome;
use super::labelled::{Labelled, row};

#[derive(Debug, Args)]
#[command(after_help = "Example:
  rapport learn replies fixtures/replies/learnt/*.jsonl --out models")]
pub struct Options {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Which lines of a mail are new, quoted, or a signature, and which mails are a program's answer
    Replies {
        /// NDJSON with `id` and `segments` of a kind and a text each
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// The folder of models to write the weights to [default: only print how well they do]
        #[arg(long)]
        out: Option<PathBuf>,
        /// Print the mails that differ when they are left out
        #[arg(long)]
        differing: bool,
    },
}

/// Each mail is tried once by weights that were learnt from the other four fifths.
const FOLDS: usize = 5;

pub fn run(options: Options) -> Outcome {
    let What::Replies { files, out, differing } = options.what;
    let mut sets = Vec::new();
    for file in files {
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        sets.push((name, Labelled::read(&file)?));
    }
    println!("new words, exact, each mail left out    share   95 % interval     n");
    let mut hits = vec![0; sets.len()];
    let mails: Vec<(usize, &Labelled)> = sets.iter().enumerate().flat_map(|(set, (_, mails))| mails.iter().map(move |mail| (set, mail))).collect();
    for fold in 0..FOLDS {
        let rest: Vec<&Labelled> = mails.iter().enumerate().filter(|(at, _)| at % FOLDS != fold).map(|(_, (_, mail))| *mail).collect();
        let model = Model::of(&learn(&rest.iter().map(|mail| mail.pieces()).collect::<Vec<_>>()));
        let absence = absence::Model::of(&absence::learn(&answers(&rest)));
        for (set, mail) in mails.iter().skip(fold).step_by(FOLDS) {
            let (expected, found) = (mail.expected(), mail.found(|body| absence.decides(body), |body| split_by(&model, body)));
            hits[*set] += u32::from(expected == found);
            if differing && expected != found {
                println!("{}\n  expected: {expected}\n  found:    {found}", mail.id);
            }
        }
    }
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    for ((name, mails), hits) in sets.iter().zip(&hits) {
        println!("{}", row(name, *hits, count(mails.len())));
    }
    println!("{}", row("all", hits.iter().sum(), count(mails.len())));
    if let Some(out) = out {
        let mails: Vec<&Labelled> = mails.into_iter().map(|(_, mail)| mail).collect();
        write(&out.join("replies/weights.json"), &learn(&mails.iter().map(|mail| mail.pieces()).collect::<Vec<_>>()))?;
        write(&out.join("absence/weights.json"), &absence::learn(&answers(&mails)))?;
    }
    Ok(())
}

fn answers(mails: &[&Labelled]) -> Vec<(String, bool)> {
    mails.iter().map(|mail| (mail.body(), mail.is_automatic())).collect()
}

/// One name with its weights a line, so that a change can be read.
fn write(file: &Path, weights: &impl serde::Serialize) -> anyhow::Result<()> {
    // Raw values keep the digits as they are.
    let sections: BTreeMap<String, BTreeMap<String, Box<RawValue>>> =
        serde_json::from_str(&serde_json::to_string(weights).context("the weights as JSON")?).context("the weights again")?;
    let quoted = |name: &String| serde_json::to_string(name).expect("text is plain data");
    let section = |(name, weights): (&String, &BTreeMap<String, Box<RawValue>>)| {
        let lines: Vec<String> = weights.iter().map(|(name, weight)| format!("{}:{weight}", quoted(name))).collect();
        format!("{}:{{\n{}\n}}", quoted(name), lines.join(",\n"))
    };
    let text = sections.iter().map(section).collect::<Vec<_>>().join(",\n");
    std::fs::write(file, format!("{{\n{text}\n}}\n")).with_context(|| format!("writing {}", file.display()))?;
    println!("wrote {}", file.display());
    Ok(())
}
