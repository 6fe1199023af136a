//! `rapport eval search`: whether what is looked for is found, on mails, on meetings and on the demo accounts.

mod accounts;
mod baseline;
mod mails;
mod meetings;

use std::path::{Path, PathBuf};

use clap::Args;
use rapport::config::Config;
use rapport::domain::WorkspaceId;
use rapport::pipeline::{Service, read};

use super::Outcome;
use crate::command::Failure;
use crate::command::bench::open;
use crate::command::import::{Intake, files, local};
use crate::command::progress::Progress;

#[derive(Debug, Args)]
pub struct Options {
    /// Mail, as for import: the first mails of threads are looked for by their subjects with a word forgotten and another misspelt
    #[arg(long, value_name = "PATH")]
    mails: Vec<PathBuf>,
    /// A domain of ours in these mails; may be given several times
    #[arg(long, value_name = "DOMAIN")]
    us: Vec<String>,
    /// A folder of meetings, `NAME.transcript.json` each
    #[arg(long, value_name = "FOLDER", requires = "questions")]
    meetings: Option<PathBuf>,
    /// Questions about the meetings: NDJSON with `meeting`, `query` and `relevant_segments`
    #[arg(long, value_name = "FILE", requires = "meetings")]
    questions: Option<PathBuf>,
    /// A folder with `workspace.ndjson`, and of each account a folder with `records.ndjson` and `truth.json`: questions, and what answers them
    #[arg(long, value_name = "FOLDER")]
    accounts: Option<PathBuf>,
    /// Print what was not found
    #[arg(long)]
    differing: bool,
}

pub async fn run(options: Options, config: Config) -> Outcome {
    let config = Config { database: None, ..config };
    if options.mails.is_empty() && options.meetings.is_none() && options.accounts.is_none() {
        return Err(Failure::Usage("nothing to measure: give --mails, --accounts, or --meetings with --questions".to_owned()));
    }
    if !options.mails.is_empty() {
        mails::run(&options.mails, &options.us, options.differing, &config).await?;
    }
    if let (Some(folder), Some(questions)) = (&options.meetings, &options.questions) {
        meetings::run(folder, questions, options.differing, &config).await?;
    }
    if let Some(folder) = &options.accounts {
        accounts::run(folder, options.differing, &config).await?;
    }
    Ok(())
}

/// A service with these records, searchable and compared by meaning. What else is read in them is not in its index.
async fn filled(data: &Path, records: &[PathBuf], config: &Config) -> anyhow::Result<(Service, WorkspaceId)> {
    let (service, workspace) = open(data, config).await?;
    local(&service, workspace, Intake::of(files(records)?, Vec::new()), &Progress::new(0)).await?;
    read::drain(&service, workspace, |_| {}).await?;
    Ok((service, workspace))
}
