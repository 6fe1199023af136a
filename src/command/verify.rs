//! `rapport verify`: whether the store hangs together and the search index holds exactly what it holds.

use anyhow::anyhow;
use clap::Args;
use rapport::config::Config;
use rapport::domain::WorkspaceId;
use rapport::pipeline::Service;
use rapport::pipeline::verify::{Finding, Report, verify};
use reqwest::Method;
use tokio_util::sync::CancellationToken;

use super::data::{Access, access, busy};
use super::show::number;
use super::{Failure, Outcome, Place};

#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    place: Place,
    /// Mend what can be made again: the search index, counts, rows that belong to nothing
    #[arg(long)]
    repair: bool,
    /// One JSON document on stdout
    #[arg(long)]
    json: bool,
}

pub async fn run(options: Options, config: Config) -> Outcome {
    let data = options.place.directory()?;
    let report = match access(&data)? {
        Access::Mine(_lock) => {
            let (service, workspace) = options.place.open_service(&data, config).await?;
            let report = look(&service, workspace, options.repair).await?;
            service.store.close().await;
            report
        }
        Access::Served(server) => {
            let server = options.place.remote(&server);
            server.send(server.request(Method::POST, &format!("/v1/verify?repair={}", options.repair))).await?
        }
        Access::Busy(pid) => return Err(busy(&data, pid).into()),
    };
    if options.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        for finding in &report.findings {
            println!("{}: {}{}", finding.what, finding.detail, if finding.repaired { " (repaired)" } else { "" });
        }
        println!(
            "{} entries in the store, {} in the search index, {} findings",
            number(report.entries),
            number(report.indexed),
            report.findings.len()
        );
    }
    let open = report.findings.iter().filter(|finding| !finding.repaired).count();
    match open {
        0 => Ok(()),
        _ if options.repair => Err(Failure::Failed(anyhow!("{open} of the findings cannot be mended here"))),
        _ => Err(Failure::Failed(anyhow!("{open} findings; `rapport verify --repair` mends what can be made again"))),
    }
}

/// Looks at a directory that nobody serves.
async fn look(service: &Service, workspace: WorkspaceId, repair: bool) -> anyhow::Result<Report> {
    // What opening has found already; the follower builds it again, so it only runs when that is wanted.
    let damaged = service.index.building();
    if !damaged.is_empty() && !repair {
        return Ok(verify(service, workspace, false).await?);
    }
    let stop = CancellationToken::new();
    let follower = service.index.follow(service.store.clone(), stop.clone())?;
    let last = *service.store.committed().borrow();
    while !service.index.is_current(last) && !follower.is_finished() {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let mut report = verify(service, workspace, repair).await?;
    report.findings.extend(damaged.into_iter().map(|detail| Finding { what: "index".to_owned(), detail, repaired: true }));
    stop.cancel();
    tokio::task::spawn_blocking(move || follower.join()).await?.ok();
    Ok(report)
}
