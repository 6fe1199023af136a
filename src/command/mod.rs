//! The command line. Every error is one sentence on stderr; exit 2 for wrong use, 1 for failure, 3 when an import
//! rejected something.

mod account;
mod analyze;
mod backup;
mod bench;
mod data;
mod demo;
mod erase;
mod eval;
mod import;
mod jobs;
mod keys;
mod labelled;
mod learn;
mod progress;
mod reindex;
mod remote;
mod search;
mod serve;
mod show;
mod summarize;
mod unmatched;
mod verify;
mod words;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use rapport::config::Config;

/// The insight service behind a Customer 360 page: keeps every communication with a customer, finds it, summarizes it.
#[derive(Debug, Parser)]
#[command(name = "rapport", version, propagate_version = true, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "Examples:
  rapport demo                                     six made-up customers, served on http://127.0.0.1:7360
  rapport import mail.mbox.gz --us ourco.com --discover-accounts
  rapport search '\"price list\" discount -draft' --account acme.com
  rapport account acme.com
  rapport serve";

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the API and work jobs, in one process
    Serve(serve::Options),
    /// Load the shipped demo customers into a data directory of their own and serve them
    Demo(demo::Options),
    /// Take in files or folders: mail, transcripts, calendars, tables, vCards, chats, records
    Import(import::Options),
    /// Search the whole history, like GET /v1/search
    Search(search::Options),
    /// Show an account's 360 profile
    Account(account::Options),
    /// Refresh an account's summary and show it
    Summarize(summarize::Options),
    /// List what is nobody's yet, or say whose it is
    Unmatched(unmatched::Options),
    /// Build the search index again from the store
    Reindex(reindex::Options),
    /// Check the store, and the search index against it
    Verify(verify::Options),
    /// Show what waits, runs, or never worked
    Jobs(jobs::Options),
    /// Copy everything into a file, also while a server writes
    Backup(backup::Options),
    /// Put a backup in place
    Restore(backup::RestoreOptions),
    /// Take a person out of everything, for ever
    Erase(erase::Options),
    /// Make, list and end keys for callers over the network
    Keys(keys::Options),
    /// Read texts on standard input: sentiment, highlights, competitors
    Analyze(analyze::Options),
    /// Measure quality against labelled sets
    Eval(eval::Options),
    /// Learn the weights of a small model from labelled text
    Learn(learn::Options),
    /// Measure the main job: import, search, freshness, restart, reindex
    Bench(bench::Options),
    /// Print the words of a document on standard input
    #[command(hide = true)]
    Words(words::Options),
}

/// Where the data is, and whose.
#[derive(Debug, Clone, Args)]
struct Place {
    /// Data directory [default: the platform's data folder for rapport]
    #[arg(long, value_name = "DIR", env = "RAPPORT_DATA")]
    data: Option<PathBuf>,
    /// Workspace
    #[arg(long, value_name = "NAME", default_value = "local", env = "RAPPORT_WORKSPACE")]
    workspace: String,
}

/// Why a command ended badly.
enum Failure {
    /// The words of the command cannot be meant.
    Usage(String),
    Failed(anyhow::Error),
    /// Something was rejected; each rejection was reported already.
    Rejected,
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Failure {
        Failure::Failed(error.into())
    }
}

type Outcome = Result<(), Failure>;

pub fn run() -> ExitCode {
    end_quietly_when_nobody_reads();
    let cli = Cli::parse();
    log();
    let outcome = Config::read(|name| std::env::var(name).ok()).map_err(Failure::Usage).and_then(|config| {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let outcome = runtime.block_on(dispatch(cli.command, config));
        // What still works in the background (a merge, a look at an index) is taken up again at the next start.
        runtime.shutdown_timeout(Duration::from_secs(1));
        outcome
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Usage(message)) => {
            eprintln!("rapport: {message}");
            ExitCode::from(2)
        }
        Err(Failure::Failed(error)) => {
            eprintln!("rapport: {error:#}");
            ExitCode::from(1)
        }
        Err(Failure::Rejected) => ExitCode::from(3),
    }
}

/// `rapport … | head` closes the pipe when it has enough; that is no fault.
fn end_quietly_when_nobody_reads() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let said = panic.payload_as_str().unwrap_or_default();
        if said.starts_with("failed printing to stdout") && said.contains("Broken pipe") {
            std::process::exit(0);
        }
        usual(panic);
    }));
}

async fn dispatch(command: Command, config: Config) -> Outcome {
    match command {
        Command::Serve(options) => serve::run(options, config).await,
        Command::Demo(options) => demo::run(options, config).await,
        Command::Import(options) => import::run(options, config).await,
        Command::Search(options) => search::run(options, config).await,
        Command::Account(options) => account::run(options, config).await,
        Command::Summarize(options) => summarize::run(options, config).await,
        Command::Unmatched(options) => unmatched::run(options, config).await,
        Command::Reindex(options) => reindex::run(options, config).await,
        Command::Verify(options) => verify::run(options, config).await,
        Command::Jobs(options) => jobs::run(options, config).await,
        Command::Backup(options) => backup::run(options, config).await,
        Command::Restore(options) => backup::restore(options, config).await,
        Command::Erase(options) => erase::run(options, config).await,
        Command::Keys(options) => keys::run(options, config).await,
        Command::Analyze(options) => analyze::run(options).await,
        Command::Eval(options) => eval::run(options, config).await,
        Command::Learn(options) => learn::run(options),
        Command::Bench(options) => bench::run(options, config).await,
        Command::Words(options) => words::run(options),
    }
}

/// Logs to stderr as `RAPPORT_LOG` says (default `warn`), as JSON lines with `RAPPORT_LOG_FORMAT=json`.
fn log() {
    use tracing_subscriber::EnvFilter;
    let filter = EnvFilter::try_from_env("RAPPORT_LOG").unwrap_or_else(|_| EnvFilter::new("warn,html5ever=error"));
    let json = std::env::var("RAPPORT_LOG_FORMAT").is_ok_and(|format| format == "json");
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if json { builder.json().init() } else { builder.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).init() }
}
