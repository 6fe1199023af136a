//! `rapport reindex`: builds the search index again from the store.

use clap::Args;
use rapport::config::Config;
use reqwest::Method;
use serde::Deserialize;
use tokio_util::sync::CancellationToken;

use super::data::{Access, access, busy};
use super::show::number;
use super::{Outcome, Place};

#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    place: Place,
}

#[derive(Deserialize)]
struct Rebuilt {
    entries: u64,
}

pub async fn run(options: Options, config: Config) -> Outcome {
    let data = options.place.directory()?;
    let started = std::time::Instant::now();
    let entries = match access(&data)? {
        Access::Mine(_lock) => {
            let (service, workspace) = options.place.open_service(&data, config).await?;
            let stop = CancellationToken::new();
            let follower = service.index.follow(service.store.clone(), stop.clone())?;
            let entries = service.index.rebuild(workspace).await?;
            stop.cancel();
            tokio::task::spawn_blocking(move || follower.join()).await?.ok();
            service.store.close().await;
            entries
        }
        Access::Served(server) => {
            let server = options.place.remote(&server);
            server.send::<Rebuilt>(server.request(Method::POST, "/v1/reindex")).await?.entries
        }
        Access::Busy(pid) => return Err(busy(&data, pid).into()),
    };
    println!("indexed {} entries in {:.1} s", number(entries), started.elapsed().as_secs_f64());
    Ok(())
}
