//! `rapport backup` and `rapport restore`: a copy of everything, and putting it in place.

use std::path::PathBuf;

use anyhow::{Context, anyhow};
use clap::Args;
use rapport::config::Config;
use rapport::domain::Clock;
use rapport::pipeline::{self, Service, erase};
use rapport::store::{Open, Scope, Store, backup, erasure, workspace};
use tokio_util::sync::CancellationToken;

use super::data::{Access, access, busy};
use super::show::number;
use super::{Outcome, Place};

#[derive(Debug, Args)]
pub struct Options {
    /// A new file: an SQLite database with everything of all workspaces, readable by its owner alone
    file: PathBuf,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Args)]
#[command(after_help = "Whoever was erased since the backup was made is erased again. The search index is built from the backup.")]
pub struct RestoreOptions {
    /// A file made by `rapport backup`, of this version or an older one
    file: PathBuf,
    #[command(flatten)]
    place: Place,
    /// Give up what is there now
    #[arg(long)]
    replace: bool,
}

/// Copies beside a server or without one; nobody has to stop.
pub async fn run(options: Options, config: Config) -> Outcome {
    let data = options.place.directory()?;
    if !pipeline::holds_data(&data, &config) {
        return Err(anyhow!("{} holds no data yet", data.display()).into());
    }
    let store = Store::open(&pipeline::location(&data, &config), Open::Read).await?;
    let made = store.backup(&options.file).await?;
    store.close().await;
    println!("{}: {} bytes, up to change {}", options.file.display(), number(made.bytes), number(made.sequence.unsigned_abs()));
    Ok(())
}

pub async fn restore(options: RestoreOptions, config: Config) -> Outcome {
    let data = options.place.directory()?;
    let _lock = match access(&data)? {
        Access::Mine(lock) => lock,
        Access::Served(server) => return Err(anyhow!("{} is served on http://{}; stop that server first", data.display(), server.address).into()),
        Access::Busy(pid) => return Err(busy(&data, pid).into()),
    };
    let location = pipeline::location(&data, &config);
    // Whom to erase again: what the ledger says, and what the database says that is given up.
    let mut ledger = erase::read_ledger(&data)?;
    ledger.extend(known_erasures(&data, &config).await);
    backup::restore(&options.file, &location, options.replace).await.context("nothing was changed")?;
    let service = Service::open(&data, config, Clock::system()).await.with_context(|| format!("opening {}", data.display()))?;
    let stop = CancellationToken::new();
    let follower = service.index.follow(service.store.clone(), stop.clone())?;
    let again = erase::apply_ledger(&service, &ledger).await?;
    pipeline::work::drain(&service).await?;
    let last = *service.store.committed().borrow();
    while !service.index.is_current(last) && !follower.is_finished() {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    stop.cancel();
    tokio::task::spawn_blocking(move || follower.join()).await?.ok();
    println!("restored {} entries, up to change {}; {again} erasures done again", number(service.index.len()), number(last.unsigned_abs()));
    service.store.close().await;
    Ok(())
}

/// The erasures that the present database knows of, as far as it can be read.
async fn known_erasures(data: &std::path::Path, config: &Config) -> Vec<erase::Line> {
    let read = async {
        if !pipeline::holds_data(data, config) {
            return Ok(Vec::new());
        }
        let store = Store::open(&pipeline::location(data, config), Open::Read).await?;
        let mut tx = store.read(Scope::All).await?;
        let mut lines = Vec::new();
        for (id, name) in workspace::all(&mut tx).await? {
            for erased in erasure::list(id, &mut tx).await? {
                let marks = erasure::marks(id, &mut tx, &erased.id).await?;
                lines.push(erase::Line { workspace: name.clone(), id: erased.id, erased_at: erased.erased_at, marks });
            }
        }
        drop(tx);
        store.close().await;
        Ok::<_, rapport::store::StoreError>(lines)
    };
    read.await.unwrap_or_default()
}
