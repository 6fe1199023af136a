//! `rapport eval search`: whether what is looked for is found, on mails, on meetings and on the demo accounts.

mod accounts;
mod baseline;
mod mails;
mod meetings;

use std::path::PathBuf;

use clap::Args;
use rapport::config::Config;

use super::Outcome;
use crate::command::Failure;

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
