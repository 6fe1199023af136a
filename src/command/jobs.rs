//! `rapport jobs`: what waits, runs, or never worked.

use std::collections::BTreeMap;

use clap::Args;
use rapport::config::Config;
use rapport::store::job;

use super::show;
use super::{Outcome, Place};

#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    place: Place,
    /// One JSON document on stdout
    #[arg(long)]
    json: bool,
}

pub async fn run(options: Options, config: Config) -> Outcome {
    let (service, workspace, _lock) = options.place.open_to_read(config).await?;
    let mut tx = service.store.read(workspace).await?;
    let items = job::list(workspace, &mut tx, None, 0, 1_000).await?;
    let mut counts: BTreeMap<String, i64> = ["queued", "running", "failed", "dead"].into_iter().map(|s| (s.to_owned(), 0)).collect();
    counts.extend(job::counts(Some(workspace), &mut tx).await?);
    if options.json {
        println!("{}", serde_json::json!({ "items": items, "counts": counts }));
        return Ok(());
    }
    for job in &items {
        let error = job.error.as_deref().map(|e| format!("  {e}")).unwrap_or_default();
        anstream::println!(
            "{:<6} {:<8} {:<8} {:<30} due {}  attempts {}{}",
            job.id,
            job.state,
            job.kind,
            show::plain(&job.key),
            show::time(job.run_at),
            job.attempts,
            show::plain(&error)
        );
    }
    let line: Vec<String> = counts.iter().map(|(state, n)| format!("{n} {state}")).collect();
    println!("{}", line.join(", "));
    Ok(())
}
