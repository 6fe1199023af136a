//! `rapport summarize`: refreshes an account's summary and shows it.

use std::time::Duration;

use anyhow::anyhow;
use clap::Args;
use rapport::config::Config;
use rapport::domain::summary::{Cause, Summary, Trigger};
use rapport::pipeline::refresh;
use rapport::pipeline::triggers::Refresh;
use rapport::store::account;
use reqwest::Method;
use serde::Deserialize;

use super::data::{Access, access, busy};
use super::remote::Remote;
use super::show::{self, FAINT};
use super::{Outcome, Place};

#[derive(Debug, Args)]
pub struct Options {
    /// The account's id
    id: String,
    #[command(flatten)]
    place: Place,
    /// Make a new version even when nothing would change
    #[arg(long)]
    force: bool,
    /// One JSON document on stdout
    #[arg(long)]
    json: bool,
}

pub async fn run(options: Options, config: Config) -> Outcome {
    let data = options.place.directory()?;
    let summary = match access(&data)? {
        Access::Mine(_lock) => {
            let (service, workspace) = options.place.open_service(&data, config).await?;
            let mut tx = service.store.read(workspace).await?;
            if account::find(workspace, &mut tx, &options.id).await?.is_none() {
                return Err(anyhow!("account {:?} was not found", options.id).into());
            }
            drop(tx);
            let cause = Cause { trigger: Trigger::Manual, entry_id: None, detail: None };
            refresh::run(&service, workspace, &options.id, Refresh { cause, force: options.force }, None).await?;
            let mut tx = service.store.read(workspace).await?;
            let shown = refresh::shown(workspace, &mut tx, &options.id, None).await?;
            drop(tx);
            service.store.close().await;
            shown
        }
        Access::Served(server) => through(&options.place.remote(&server), &options).await?,
        Access::Busy(pid) => return Err(busy(&data, pid).into()),
    };
    if options.json {
        println!("{}", serde_json::to_string(&summary)?);
        return Ok(());
    }
    for paragraph in summary.text.split("\n\n") {
        anstream::println!("{}\n", show::wrap(&show::plain(paragraph), 100, ""));
    }
    let because = summary.refreshed_because.trigger;
    anstream::println!(
        "{FAINT}version {} of {}, because: {because}; read {} of {}{FAINT:#}",
        summary.version,
        show::time(summary.generated_at),
        summary.coverage.read,
        summary.coverage.total
    );
    Ok(())
}

#[derive(Deserialize)]
struct Asked {
    version: Option<i64>,
}

/// Asks the server to refresh and waits for the version.
async fn through(server: &Remote, options: &Options) -> anyhow::Result<Summary> {
    let path = format!("/v1/accounts/{}/summary", escaped(&options.id));
    let version = |summary: &Option<Summary>| summary.as_ref().map_or(0, |s| s.version);
    let before: Option<Summary> = server.get(&path).await.ok();
    let asked: Asked = server.send(server.request(Method::POST, &format!("{path}/refresh?force={}", options.force))).await?;
    for _ in 0..600 {
        let now: Option<Summary> = server.get(&path).await.ok();
        if asked.version.is_some() || version(&now) > version(&before) {
            return now.ok_or_else(|| anyhow!("the server has no summary of {:?}", options.id));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Err(anyhow!("the server has not finished the summary within a minute; `rapport jobs` says how it goes"))
}

/// An id as part of a path.
pub fn escaped(id: &str) -> String {
    id.bytes().map(|b| if b.is_ascii_alphanumeric() || b"-._~".contains(&b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}
