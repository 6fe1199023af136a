//! `rapport erase`: takes a person out of everything, for ever.

use std::time::Duration;

use anyhow::anyhow;
use clap::Args;
use rapport::config::Config;
use rapport::pipeline::erase::{self, Receipt};
use rapport::pipeline::work;
use reqwest::Method;
use tokio_util::sync::CancellationToken;

use super::data::{Access, access, busy};
use super::show::number;
use super::summarize::escaped;
use super::{Outcome, Place};

#[derive(Debug, Args)]
#[command(
    after_help = "What the person wrote, and what was between them and us alone, is deleted; elsewhere their name, addresses and quoted\nwords become blocks. An import or a restored backup does not bring them back.\n\nExample:\n  rapport erase --contact c1"
)]
pub struct Options {
    #[command(flatten)]
    place: Place,
    /// The id of the contact
    #[arg(long, value_name = "ID")]
    contact: String,
    /// One JSON document on stdout: the receipt
    #[arg(long)]
    json: bool,
}

/// How long the command waits for the disks.
const PATIENCE: Duration = Duration::from_secs(120);

pub async fn run(options: Options, config: Config) -> Outcome {
    let data = options.place.directory()?;
    let receipt = match access(&data)? {
        Access::Mine(_lock) => {
            let (service, workspace) = options.place.open_service(&data, config).await?;
            let stop = CancellationToken::new();
            let follower = service.index.follow(service.store.clone(), stop.clone())?;
            let erased = erase::contact(&service, workspace, "command line", &options.contact, None).await;
            // Also where the person is gone already: an erasure that was killed on its way is completed here.
            work::drain(&service).await?;
            stop.cancel();
            tokio::task::spawn_blocking(move || follower.join()).await?.ok();
            let mut receipt = erased?;
            let mut tx = service.store.read(workspace).await?;
            if let Some(erased) = rapport::store::erasure::find(workspace, &mut tx, &receipt.id).await? {
                receipt = Receipt::of(&erased)?;
            }
            drop(tx);
            service.store.close().await;
            receipt
        }
        Access::Served(server) => {
            let server = options.place.remote(&server);
            let path = format!("/v1/contacts/{}?erase=true", escaped(&options.contact));
            let mut receipt: Receipt = server.send(server.request(Method::DELETE, &path)).await?;
            let started = std::time::Instant::now();
            while receipt.purged_at.is_none() && started.elapsed() < PATIENCE {
                tokio::time::sleep(Duration::from_millis(200)).await;
                receipt = server.get(&format!("/v1/erasures/{}", receipt.id)).await?;
            }
            receipt
        }
        Access::Busy(pid) => return Err(busy(&data, pid).into()),
    };
    if options.json {
        println!("{}", serde_json::to_string(&receipt)?);
    } else {
        println!(
            "erased: {} entries and {} records deleted, {} entries and {} records without the person now; receipt {}",
            number(receipt.entries_deleted),
            number(receipt.records_deleted),
            number(receipt.entries_redacted),
            number(receipt.records_redacted),
            receipt.id
        );
        println!("{}", receipt.note);
    }
    if receipt.purged_at.is_none() {
        return Err(anyhow!("no answer holds the person any more, but the disk does still; the job is in `rapport jobs` and is tried again").into());
    }
    Ok(())
}
