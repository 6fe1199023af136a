//! Through the server that has the data directory.

use std::collections::HashSet;
use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use rapport::ingest::transcript;
use rapport::pipeline::receive::{RawMail, Status};
use reqwest::Method;
use serde::Deserialize;

use super::read::{At, Piece, Whole, read};
use super::{Intake, Taken, Totals};
use crate::command::progress::Progress;
use crate::command::remote::Remote;
use crate::command::summarize::escaped;

/// Mails sent at the same time; the server commits what arrives together at once.
const IN_FLIGHT: usize = 32;

#[derive(Deserialize)]
struct RemoteOutcome {
    status: Status,
    error: Option<String>,
}

#[derive(Deserialize)]
struct RemoteOutcomes {
    items: Vec<RemoteOutcome>,
    #[serde(default)]
    left_out: Vec<LeftOut>,
}

#[derive(Deserialize)]
struct LeftOut {
    line: Option<u64>,
    reason: String,
}

#[derive(Deserialize)]
struct Settings {
    us_domains: Vec<String>,
    timezone: Option<String>,
}

pub async fn through(server: &Remote, mut intake: Intake, progress: &Progress) -> anyhow::Result<Totals> {
    if !intake.us.is_empty() {
        let now: Settings = server.get("/v1/workspace").await?;
        let all: HashSet<String> = now.us_domains.into_iter().chain(std::mem::take(&mut intake.us)).collect();
        let record = serde_json::json!([{ "kind": "workspace", "us_domains": all, "timezone": now.timezone }]);
        server.send::<RemoteOutcomes>(server.request(Method::POST, "/v1/records").json(&record)).await?;
    }
    let before = unmatched(server).await?;
    let mut pieces = read(std::mem::take(&mut intake.sources), intake.mailbox.clone(), progress.clone());
    let mut totals = Totals::default();
    while let Some(piece) = pieces.recv().await {
        let taken: Taken = match piece {
            Piece::Rejected(at, reason) => vec![(at, Status::Rejected, Some(reason))],
            Piece::Records { items } => {
                let (places, lines): (Vec<At>, Vec<String>) = items.into_iter().unzip();
                let request = server.request(Method::POST, "/v1/records").header("content-type", "application/x-ndjson").body(lines.join("\n"));
                let outcomes = server.send::<RemoteOutcomes>(request).await?.items;
                places.into_iter().zip(outcomes).map(|(at, o)| (at, o.status, o.error)).collect()
            }
            Piece::Mails { items } => mails(server, &intake, items).await?,
            Piece::File { at, what, bytes } => match file(server, &intake, &at, what, bytes).await? {
                Ok(taken) => taken,
                Err(reason) => vec![(at, Status::Rejected, Some(reason))],
            },
        };
        totals.count(taken, progress);
    }
    settle(server).await?;
    totals.unmatched = unmatched(server).await?.saturating_sub(before);
    Ok(totals)
}

/// A query parameter, if it has a value.
fn parameter(name: &str, value: Option<&str>) -> String {
    value.map(|value| format!("&{name}={}", escaped(value))).unwrap_or_default()
}

async fn mails(server: &Remote, intake: &Intake, items: Vec<(At, RawMail)>) -> anyhow::Result<Taken> {
    let send = |(at, raw): (At, RawMail)| {
        let account = parameter("account", intake.account_id.as_deref());
        let path = format!("/v1/emails?source={}&discover_accounts={}{account}", escaped(&raw.source), intake.discover_accounts);
        let request = server.request(Method::POST, &path).header("content-type", "message/rfc822").body(raw.bytes);
        async move {
            anyhow::Ok(match server.offer::<RemoteOutcome>(request).await? {
                Ok(outcome) => (at, outcome.status, outcome.error),
                Err(reason) => (at, Status::Rejected, Some(reason)),
            })
        }
    };
    stream::iter(items.into_iter().map(send)).buffer_unordered(IN_FLIGHT).collect::<Vec<_>>().await.into_iter().collect()
}

/// A file that is taken as a whole; the inner error says why nothing of it could be.
async fn file(server: &Remote, intake: &Intake, at: &At, what: Whole, bytes: Vec<u8>) -> anyhow::Result<Result<Taken, String>> {
    let account = parameter("account", intake.account_id.as_deref());
    let discover = format!("discover_accounts={}", intake.discover_accounts);
    let (path, kind) = match what {
        Whole::Transcript => {
            // Read here as well: whether it says itself when it was held decides what to send along.
            let held = match transcript::read(&bytes) {
                Ok(read) => intake.held(&read.transcript, at),
                Err(reason) => return Ok(Err(reason)),
            };
            let kind = parameter("type", held.r#type.map(|t| t.as_str()));
            let at = parameter("occurred_at", held.occurred_at.map(|at| at.to_string()).as_deref());
            (format!("/v1/transcripts?{discover}{}{kind}{at}{account}", parameter("title", held.title.as_deref())), "text/plain")
        }
        Whole::Calendar => (format!("/v1/calendars?{discover}{account}"), "text/calendar"),
        Whole::Chat => (format!("/v1/chats?{}", account.trim_start_matches('&')), "text/plain"),
        Whole::Table => {
            let mapping = intake.mapping.as_ref().map(serde_json::to_string).transpose()?;
            (format!("/v1/tables?{}", parameter("mapping", mapping.as_deref()).trim_start_matches('&')), "text/csv")
        }
        Whole::Cards => ("/v1/cards".to_owned(), "text/vcard"),
    };
    let request = server.request(Method::POST, &path).header("content-type", kind).body(bytes);
    let answer: RemoteOutcomes = if what == Whole::Transcript {
        #[derive(Deserialize)]
        struct One {
            #[serde(flatten)]
            outcome: RemoteOutcome,
            left_out: Vec<LeftOut>,
        }
        match server.offer::<One>(request).await? {
            Ok(one) => RemoteOutcomes { items: vec![one.outcome], left_out: one.left_out },
            Err(reason) => return Ok(Err(reason)),
        }
    } else {
        match server.offer(request).await? {
            Ok(answer) => answer,
            Err(reason) => return Ok(Err(reason)),
        }
    };
    let taken = answer.items.into_iter().map(|o| (at.clone(), o.status, o.error));
    let left = answer.left_out.into_iter().map(|left| (At { line: left.line, ..at.clone() }, Status::Rejected, Some(left.reason)));
    Ok(Ok(taken.chain(left).collect()))
}

async fn unmatched(server: &Remote) -> anyhow::Result<u64> {
    #[derive(Deserialize)]
    struct Unmatched {
        entries: u64,
    }
    Ok(server.get::<Unmatched>("/v1/unmatched?limit=1").await?.entries)
}

/// Waits until the server has joined and indexed everything.
async fn settle(server: &Remote) -> anyhow::Result<()> {
    #[derive(Deserialize)]
    struct Readiness {
        sequence: i64,
        indexed: i64,
    }
    #[derive(Deserialize)]
    struct Jobs {
        items: Vec<Job>,
    }
    #[derive(Deserialize)]
    struct Job {
        state: String,
    }
    loop {
        // Jobs first: what they change must be indexed as well.
        let jobs: Jobs = server.get("/v1/jobs?kind=join&limit=100").await?;
        let joining = jobs.items.iter().any(|job| job.state != "dead");
        let readiness: Readiness = server.get("/readyz").await?;
        if !joining && readiness.indexed >= readiness.sequence {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
