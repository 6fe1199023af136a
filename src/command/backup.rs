//! `rapport backup` and `rapport restore`: a copy of everything, and putting it in place.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use clap::Args;
use rapport::config::Config;
use rapport::domain::Clock;
use rapport::pipeline::{self, Service, erase};
use rapport::store::{Open, Scope, Store, StoreError, backup, erasure, key, workspace};
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
    let before = known(&data, &config).await;
    if let Some(reason) = &before.unreadable {
        eprintln!(
            "rapport: what is given up cannot be read ({reason}): only the erasures in erasures.ndjson are done again, and keys are as they were in the backup"
        );
    }
    // In the ledger first: what is interrupted from here on is made good at the next start.
    erase::note(&data, &before.erasures)?;
    backup::restore(&options.file, &location, options.replace).await.context("nothing was changed")?;
    let service = Service::open(&data, config, Clock::system()).await.with_context(|| format!("opening {}", data.display()))?;
    let stop = CancellationToken::new();
    let follower = service.index.follow(service.store.clone(), stop.clone())?;
    let erasures = erase::read_ledger(&data)?.len();
    let revoked = end_keys(&service, before.keys).await?;
    let last = *service.store.committed().borrow();
    while !service.index.is_current(last) && !follower.is_finished() {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    pipeline::work::drain(&service).await?;
    stop.cancel();
    tokio::task::spawn_blocking(move || follower.join()).await?.ok();
    println!(
        "restored {} entries, up to change {}; {erasures} erasures hold, {revoked} keys ended that were ended since",
        number(service.index.len()),
        number(last.unsigned_abs())
    );
    service.store.close().await;
    Ok(())
}

/// What the present database knows that a backup may not: who was erased, and which keys live.
#[derive(Default)]
struct Known {
    erasures: Vec<erase::Line>,
    /// None where there was no database.
    keys: Option<BTreeSet<String>>,
    unreadable: Option<String>,
}

async fn known(data: &Path, config: &Config) -> Known {
    if !pipeline::holds_data(data, config) {
        return Known::default();
    }
    let read = async {
        let store = Store::open(&pipeline::location(data, config), Open::Read).await?;
        let mut tx = store.read(Scope::All).await?;
        let (mut erasures, mut keys) = (Vec::new(), BTreeSet::new());
        for (id, name) in workspace::all(&mut tx).await? {
            for erased in erasure::list(id, &mut tx).await? {
                let marks = erasure::marks(id, &mut tx, &erased.id).await?;
                erasures.push(erase::Line { workspace: name.clone(), id: erased.id, erased_at: erased.erased_at, marks });
            }
            keys.extend(key::list(id, &mut tx).await?.into_iter().filter(|key| key.revoked_at.is_none()).map(|key| key.id));
        }
        drop(tx);
        store.close().await;
        Ok::<_, StoreError>(Known { erasures, keys: Some(keys), unreadable: None })
    };
    // A database on PostgreSQL may be empty still, without even tables.
    read.await.unwrap_or_else(|error| Known { unreadable: Some(error.to_string()), ..Known::default() })
}

/// Ends the sessions of the backup, and its keys that lived no more; returns how many keys.
async fn end_keys(service: &Service, living: Option<BTreeSet<String>>) -> anyhow::Result<usize> {
    let now = service.clock.now();
    let ended = service.store.write(Scope::All, move |tx| {
        Box::pin(async move {
            key::drop_sessions(tx).await?;
            let Some(living) = living else { return Ok(0) };
            let mut ended = 0;
            for (id, _) in workspace::all(tx).await? {
                for key in key::list(id, tx).await?.into_iter().filter(|key| key.revoked_at.is_none() && !living.contains(&key.id)) {
                    ended += usize::from(key::revoke(id, tx, &key.id, now).await?);
                }
            }
            Ok(ended)
        })
    });
    Ok(ended.await?)
}
