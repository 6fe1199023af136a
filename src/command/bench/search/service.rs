//! The same entries in a service: its database, as imports leave it, and its answers through HTTP.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::ensure;
use futures_util::future::try_join_all;
use rapport::config::{Config, ReaderFrom};
use rapport::domain::WorkspaceId;
use rapport::pipeline::Service;
use rapport::store::change::{Action, NewChange};
use rapport::store::{account, change, entry, identity};
use reqwest::{Client, StatusCode, Url};
use tokio_util::sync::CancellationToken;

use super::super::{Served, WRITES_PER_SECOND, millis, open, row, sorted, spread, write};
use super::PASSES;
use super::ask::Ask;
use super::corpus::{ACCOUNTS, Corpus, Made, account_id};
use crate::command::show::number;

/// Entries stored in one transaction.
const STORED: usize = 50_000;
/// Clients that ask at the same time.
const CLIENTS: usize = 8;

/// Stores the entries; gives the workspace that they are in and the id of the database.
pub async fn store(data: &Path, corpus: &Corpus, config: &Config) -> anyhow::Result<(WorkspaceId, String)> {
    let (service, workspace) = open(data, config).await?;
    service
        .store
        .write(workspace, move |tx| {
            Box::pin(async move {
                for number in 1..=ACCOUNTS {
                    let id = account_id(number);
                    account::set_known(workspace, tx, &id, Some(&id)).await?;
                }
                Ok(())
            })
        })
        .await?;
    let mut made = corpus.iter();
    loop {
        let some: Vec<Made> = made.by_ref().take(STORED).collect();
        let Some(last) = some.last().map(|last| last.number) else { break };
        let sequence = insert(&service, workspace, some).await?;
        ensure!(sequence == last, "entry {last} was stored as number {sequence}; the database was not empty");
    }
    let id = identity::of(&mut service.store.read(workspace).await?).await?;
    service.store.close().await;
    Ok((workspace, id))
}

/// Stores some entries in one transaction; gives the number of the last one.
async fn insert(service: &Service, workspace: WorkspaceId, some: Vec<Made>) -> anyhow::Result<i64> {
    let stored = service.store.write(workspace, move |tx| {
        Box::pin(async move {
            let mut sequence = 0;
            for made in some {
                let (entry, spans) = made.entry();
                let change = NewChange { what: "entry", id: &entry.id, number: None, account_id: entry.account_id.as_deref(), action: Action::Added };
                sequence = change::append(workspace, tx, change, made.at).await?;
                let new = entry::New {
                    number: sequence,
                    sequence,
                    entry: &entry,
                    spans: &spans,
                    flags: &[],
                    rule: Some("given"),
                    origin: None,
                    unmatched_domain: None,
                    updated_at: None,
                    received_at: made.at,
                    content_hash: "bench",
                };
                entry::insert(workspace, tx, &new).await?;
            }
            Ok(sequence)
        })
    });
    Ok(stored.await?)
}

/// Asks through HTTP: one client, eight at a time, and one while entries are written.
pub async fn measure(data: &Path, asked: &[(&'static str, Vec<Ask>)], config: &Config) -> anyhow::Result<()> {
    // What is measured is search: nothing is read meanwhile.
    let config = Config { reader: ReaderFrom::Off, ..config.clone() };
    let served = Served::start(data, &config).await?;
    let client = Client::new();
    println!("{:<36} {:>24} {:>24} {:>24}", "through HTTP", "one client", "eight clients", "");
    for (kind, asks) in asked {
        let mut best: Option<Vec<Duration>> = None;
        for _ in 0..PASSES {
            let mut taken = Vec::with_capacity(asks.len());
            for ask in asks {
                taken.push(ask_one(&client, &served.base, ask).await?);
            }
            let taken = sorted(taken);
            if best.as_ref().is_none_or(|best| taken[taken.len() / 2] < best[best.len() / 2]) {
                best = Some(taken);
            }
        }
        let started = Instant::now();
        let clients = (0..CLIENTS).map(|at| {
            let (client, base) = (&client, &served.base);
            async move {
                let mut taken = Vec::new();
                for ask in asks.iter().cycle().skip(at * asks.len() / CLIENTS).take(asks.len()) {
                    taken.push(ask_one(client, base, ask).await?);
                }
                Ok::<_, anyhow::Error>(taken)
            }
        });
        let together = sorted(try_join_all(clients).await?.concat());
        let throughput = together.len() as f64 / started.elapsed().as_secs_f64();
        println!("{kind:<36} {:>24} {:>24} {throughput:>22.0}/s", spread(&best.unwrap_or_default()), spread(&together));
    }
    let stop = CancellationToken::new();
    let writer = tokio::spawn(write(client.clone(), served.base.clone(), stop.clone()));
    tokio::time::sleep(Duration::from_secs(2)).await;
    for (kind, asks) in asked {
        let mut taken = Vec::with_capacity(asks.len());
        for ask in asks {
            taken.push(ask_one(&client, &served.base, ask).await?);
        }
        println!("{:<36} {:>24}", format!("{kind}, {WRITES_PER_SECOND} writes/s"), spread(&sorted(taken)));
    }
    tokio::time::sleep(Duration::from_secs(5)).await;
    stop.cancel();
    let (written, fresh) = writer.await??;
    row("acknowledged to searchable", &format!("{} writes", number(written)), spread(&sorted(fresh)));
    served.stop().await
}

/// How long an answer took, also that it would take too long.
async fn ask_one(client: &Client, base: &str, ask: &Ask) -> anyhow::Result<Duration> {
    let started = Instant::now();
    let response = client.get(Url::parse_with_params(&format!("{base}/v1/search"), ask.parameters())?).send().await?;
    let status = response.status();
    let body = response.bytes().await?;
    let taken = started.elapsed();
    let body = String::from_utf8_lossy(&body);
    if status == StatusCode::SERVICE_UNAVAILABLE && body.contains("too_broad") {
        println!("{ask:?} was given up after {:.0} ms", millis(taken));
        return Ok(taken);
    }
    ensure!(status.is_success(), "{ask:?} was answered with {status}: {body}");
    Ok(taken)
}
