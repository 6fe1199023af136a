//! `rapport demo`: six made-up customers in a data directory of their own, dated relative to today.

use std::path::Path;

use anyhow::{Context, anyhow};
use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget};
use rapport::config::Config;
use rapport::domain::Clock;
use rapport::ingest::record;
use rapport::pipeline::demo::{ACCOUNTS, WORKSPACE, shifted, weeks_since_written};
use rapport::pipeline::{receive, work};
use std::io::IsTerminal;

use super::data::{Access, access, busy, default_directory};
use super::serve::{self, Listen};
use super::{Outcome, Place};

#[derive(Debug, Args)]
pub struct Options {
    /// Data directory of the demo; made anew each time [default: the platform's data folder for rapport-demo]
    #[arg(long, value_name = "DIR")]
    data: Option<std::path::PathBuf>,
    #[command(flatten)]
    at: Listen,
}

/// Marks a directory as the demo's own, so that no other is ever emptied.
const MARK: &str = "demo";

pub async fn run(options: Options, config: Config) -> Outcome {
    let data = options.data.map_or_else(|| default_directory("rapport-demo"), Ok)?;
    let listener = options.at.bind().await?;
    // The demo's data are its own, wherever the others are.
    let config = Config { database: None, ..config };
    let is_new = std::fs::read_dir(&data).map_or(true, |mut files| files.next().is_none());
    if !is_new && !data.join(MARK).exists() {
        return Err(anyhow!("{} holds something else than the demo; name an empty directory with --data DIR", data.display()).into());
    }
    let lock = match access(&data)? {
        Access::Mine(lock) => lock,
        Access::Served(server) => return Err(anyhow!("the demo is already served on http://{}", server.address).into()),
        Access::Busy(pid) => return Err(busy(&data, pid).into()),
    };
    empty(&data)?;
    std::fs::write(data.join(MARK), "the demo's own directory: emptied when the demo starts\n").context("marking the demo's directory")?;

    let place = Place { data: Some(data.clone()), workspace: "local".to_owned() };
    let (service, workspace) = place.open_service(&data, config).await?;
    let target = if std::io::stderr().is_terminal() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let bar = ProgressBar::with_draw_target(Some(ACCOUNTS.len() as u64 + 2), target).with_message("loading demo customers");
    let weeks = weeks_since_written(Clock::system().now());
    for (name, records) in std::iter::once(&("workspace", WORKSPACE)).chain(ACCOUNTS) {
        let versions = records.lines().map(|line| shifted(line, weeks)).map(|line| record::read(&line)).collect();
        for outcome in receive::records(&service, workspace, versions, None).await? {
            if let Some(reason) = outcome.error {
                return Err(anyhow!("the demo customer {name} has a bad record {:?}: {reason}", outcome.id).into());
            }
        }
        bar.inc(1);
    }
    work::drain(&service).await?;
    bar.finish_and_clear();
    eprintln!("six made-up customers are loaded; try http://{}/docs or", listener.local_addr()?);
    eprintln!("  rapport account brightwater --data {}", data.display());
    eprintln!("  rapport search 'renewal price' --data {}", data.display());
    options.at.check(&service).await?;
    serve::serve(listener, service, workspace, lock).await
}

/// Removes what an earlier demo left, all but the lock that this process holds.
fn empty(data: &Path) -> anyhow::Result<()> {
    for file in std::fs::read_dir(data).with_context(|| format!("reading {}", data.display()))? {
        let path = file?.path();
        if path.ends_with("lock") {
            continue;
        }
        let removed = if path.is_dir() { std::fs::remove_dir_all(&path) } else { std::fs::remove_file(&path) };
        removed.with_context(|| format!("removing {}", path.display()))?;
    }
    Ok(())
}
