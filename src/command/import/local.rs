//! Into the store of this process.

use std::time::Duration;

use anyhow::anyhow;
use futures_util::stream::{self, StreamExt};
use rapport::domain::WorkspaceId;
use rapport::ingest::table::{self, Drafts};
use rapport::ingest::{calendar, card, chat, record, transcript};
use rapport::pipeline::receive::{self, Outcome, Owning, RawMail, Status};
use rapport::pipeline::{Service, work};
use rapport::store::{change, unmatched};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use super::read::{At, Piece, Whole, read};
use super::{Intake, Taken, Totals};
use crate::command::progress::Progress;

/// Rows of a table that are taken together.
const DRAFTS: usize = 2_000;

/// Takes everything in, waits until all of it is joined to its accounts, summarized and searchable.
pub async fn local(service: &Service, workspace: WorkspaceId, mut intake: Intake, progress: &Progress) -> anyhow::Result<Totals> {
    let stop = CancellationToken::new();
    let follower = service.index.follow(service.store.clone(), stop.clone())?;
    let mut tx = service.store.read(workspace).await?;
    let before = change::last(&mut tx).await?;
    drop(tx);
    if !intake.us.is_empty() {
        receive::add_us_domains(service, workspace, std::mem::take(&mut intake.us)).await?;
    }
    let pieces = read(std::mem::take(&mut intake.sources), intake.mailbox.clone(), progress.clone());
    // Two batches at a time: one is parsed while the other is stored. All but mails take turns, as their order counts.
    let turn = Mutex::new(());
    let taken = stream::unfold(pieces, |mut pieces| async { pieces.recv().await.map(|piece| (piece, pieces)) })
        .map(|piece| take(service, workspace, &intake, &turn, piece))
        .buffered(2);
    let mut taken = std::pin::pin!(taken);
    let mut totals = Totals::default();
    while let Some(outcomes) = taken.next().await {
        totals.count(outcomes?, progress);
    }
    progress.bar.set_message("joining accounts and writing summaries");
    work::drain(service).await?;
    let last = *service.store.committed().borrow();
    while !service.index.is_current(last) {
        if follower.is_finished() {
            return Err(anyhow!("the search index stopped; `rapport reindex` builds it again"));
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let mut tx = service.store.read(workspace).await?;
    totals.unmatched = unmatched::added_after(workspace, &mut tx, before).await?.unsigned_abs();
    drop(tx);
    stop.cancel();
    let _ = tokio::task::spawn_blocking(move || follower.join()).await;
    Ok(totals)
}

async fn take(service: &Service, workspace: WorkspaceId, intake: &Intake, turn: &Mutex<()>, piece: Piece) -> anyhow::Result<Taken> {
    match piece {
        Piece::Rejected(at, reason) => Ok(vec![(at, Status::Rejected, Some(reason))]),
        Piece::Mails { items } => {
            let (places, raws): (Vec<At>, Vec<RawMail>) = items.into_iter().unzip();
            let owning = Owning { account_id: intake.account_id.clone(), discover_accounts: intake.discover_accounts };
            let outcomes = receive::mails(service, workspace, raws, &owning, None).await?;
            Ok(places.into_iter().zip(outcomes).map(|(at, outcome)| (at, outcome.status, outcome.error)).collect())
        }
        Piece::Records { items } => {
            let _turn = turn.lock().await;
            let (places, lines): (Vec<At>, Vec<String>) = items.into_iter().unzip();
            let versions = tokio::task::spawn_blocking(move || lines.iter().map(|line| record::read(line)).collect()).await?;
            let outcomes = receive::records(service, workspace, versions, None).await?;
            Ok(places.into_iter().zip(outcomes).map(|(at, outcome)| (at, outcome.status, outcome.error)).collect())
        }
        Piece::File { at, what, bytes } => {
            let _turn = turn.lock().await;
            match file(service, workspace, intake, &at, what, bytes).await? {
                Ok(taken) => Ok(taken),
                Err(reason) => Ok(vec![(at, Status::Rejected, Some(reason))]),
            }
        }
    }
}

/// A file that is taken as a whole; the inner error says why nothing of it could be.
async fn file(
    service: &Service,
    workspace: WorkspaceId,
    intake: &Intake,
    at: &At,
    what: Whole,
    bytes: Vec<u8>,
) -> anyhow::Result<Result<Taken, String>> {
    let place = |line: Option<u64>| At { line, ..at.clone() };
    let refused =
        |left: Vec<(Option<u64>, String)>| left.into_iter().map(|(line, reason)| (place(line), Status::Rejected, Some(reason))).collect::<Taken>();
    let told = |outcomes: Vec<Outcome>| outcomes.into_iter().map(|o| (at.clone(), o.status, o.error)).collect::<Taken>();
    let account_id = intake.account_id.clone();
    Ok(match what {
        Whole::Transcript => match tokio::task::spawn_blocking(move || transcript::read(&bytes)).await? {
            Ok(read) => {
                if intake.discover_accounts {
                    receive::discover(service, workspace, read.transcript.addresses()).await?;
                }
                let held = intake.held(&read.transcript, at);
                let mut taken = told(receive::transcripts(service, workspace, vec![(read.transcript, held)], None).await?);
                taken.extend(refused(read.refused));
                Ok(taken)
            }
            Err(reason) => Err(reason),
        },
        Whole::Calendar => match tokio::task::spawn_blocking(move || calendar::read(&bytes)).await? {
            Ok(read) => {
                if intake.discover_accounts {
                    receive::discover(service, workspace, calendar::addresses(&read.components)).await?;
                }
                let mut taken = told(receive::calendar(service, workspace, read.components, account_id, None).await?);
                taken.extend(refused(read.refused));
                Ok(taken)
            }
            Err(reason) => Err(reason),
        },
        Whole::Chat => match tokio::task::spawn_blocking(move || chat::read(&bytes)).await? {
            Ok(conversations) => Ok(told(receive::chat(service, workspace, conversations, account_id, None).await?)),
            Err(reason) => Err(reason),
        },
        Whole::Table | Whole::Cards => {
            let mapping = intake.mapping.clone();
            let read = tokio::task::spawn_blocking(move || match what {
                Whole::Cards => card::drafts(&bytes).map(|drafts| Box::new(drafts.into_iter()) as Drafts),
                _ => table::read_drafts(&bytes, mapping.as_ref()),
            });
            let mut drafts = match read.await? {
                Ok(drafts) => drafts,
                Err(reason) => return Ok(Err(reason)),
            };
            let mut taken = Taken::new();
            loop {
                // Row by row, as records take far more room than their cells.
                let (rest, some) = tokio::task::spawn_blocking(move || {
                    let some: Vec<_> = drafts.by_ref().take(DRAFTS).collect();
                    (drafts, some)
                })
                .await?;
                drafts = rest;
                if some.is_empty() {
                    return Ok(Ok(taken));
                }
                let (some, left): (Vec<_>, Vec<_>) = some.into_iter().partition(Result::is_ok);
                let outcomes = receive::drafts(service, workspace, some.into_iter().flatten().collect(), None).await?;
                taken.extend(outcomes.into_iter().map(|(line, o)| (place(Some(line)), o.status, o.error)));
                taken.extend(refused(left.into_iter().filter_map(Result::err).map(|(line, reason)| (Some(line), reason)).collect()));
            }
        }
    })
}
