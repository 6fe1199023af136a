//! `rapport jobs`: what waits, runs, or never worked; and doing it without a server.

use std::collections::BTreeMap;

use clap::Args;
use rapport::config::Config;
use rapport::domain::WorkspaceId;
use rapport::pipeline::{Service, read, work};
use rapport::store::{job, reading};
use tokio_util::sync::CancellationToken;

use super::data::{Access, access, busy};
use super::progress::Progress;
use super::show;
use super::{Outcome, Place};

#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    place: Place,
    /// First do what waits, also reading; without it, a server does that in the background
    #[arg(long)]
    run: bool,
    /// One JSON document on stdout
    #[arg(long)]
    json: bool,
}

pub async fn run(options: Options, config: Config) -> Outcome {
    if options.run {
        run_all(&options.place, config.clone()).await?;
    }
    let (service, workspace, _lock) = options.place.open_to_read(config).await?;
    let mut tx = service.store.read(workspace).await?;
    let items = job::list(workspace, &mut tx, None, 0, 1_000).await?;
    let mut counts: BTreeMap<String, i64> = ["queued", "running", "failed", "dead"].into_iter().map(|s| (s.to_owned(), 0)).collect();
    counts.extend(job::counts(Some(workspace), &mut tx).await?);
    let unread = reading::backlog(workspace, &mut tx, reading::FIRST).await?;
    if options.json {
        println!("{}", serde_json::json!({ "items": items, "counts": counts, "unread": unread }));
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
    println!("{}; {unread} entries wait to be read", line.join(", "));
    Ok(())
}

/// Does everything that waits, and then reads what nobody has read, with the place to itself.
async fn run_all(place: &Place, config: Config) -> Outcome {
    let data = place.directory()?;
    let _lock = match access(&data)? {
        Access::Mine(lock) => lock,
        Access::Served(server) => {
            return Err(anyhow::anyhow!("the server on http://{} does what waits by itself; leave out --run", server.address).into());
        }
        Access::Busy(pid) => return Err(busy(&data, pid).into()),
    };
    let (service, workspace) = place.open_service(&data, config).await?;
    let stop = CancellationToken::new();
    let follower = service.index.follow(service.store.clone(), stop.clone())?;
    work::drain(&service).await?;
    read_all(&service, workspace).await?;
    stop.cancel();
    tokio::task::spawn_blocking(move || follower.join()).await?.ok();
    service.store.close().await;
    Ok(())
}

/// Reads what waits to be read, and shows how far it is.
async fn read_all(service: &Service, workspace: WorkspaceId) -> Outcome {
    let progress = Progress::entries();
    read::drain(service, workspace, |left| progress.left(left, "read")).await?;
    progress.bar.finish_and_clear();
    Ok(())
}
