//! `rapport search`: the same answers as `GET /v1/search`.

use anyhow::anyhow;
use clap::Args;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use rapport::config::Config;
use rapport::index::query;
use rapport::index::search::{Order, Request};
use rapport::pipeline::meaning::Mode;
use rapport::pipeline::search::{moment, search};
use rapport::store::account;

use super::show::{self, FAINT, HEADING};
use super::{Failure, Outcome, Place};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  rapport search 'scanner outage'                  both words, best first
  rapport search '\"price list\" -draft' --sort newest
  rapport search 'from:acme.com has:objection during:\"last quarter\"'
  rapport search 'renew* OR extension' --account acme.com --from 2026-01-01T00:00:00Z --json")]
pub struct Options {
    /// Words (all of them), "phrases", prefix*, OR, -not, parentheses, operators such as from: has: during: (README, Search)
    query: String,
    #[command(flatten)]
    place: Place,
    /// In this account only
    #[arg(long, value_name = "ID")]
    account: Option<String>,
    /// At or after this time, e.g. 2026-01-01T00:00:00Z
    #[arg(long, value_name = "TIME")]
    from: Option<jiff::Timestamp>,
    /// Before this time
    #[arg(long, value_name = "TIME")]
    to: Option<jiff::Timestamp>,
    /// relevance or newest
    #[arg(long, value_name = "ORDER", default_value = "relevance")]
    sort: Order,
    /// words (all of them), meaning, or both merged
    #[arg(long, value_name = "MODE", default_value = "words")]
    mode: Mode,
    /// Hits shown, 1 to 100
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=100))]
    limit: u16,
    /// One JSON document on stdout
    #[arg(long)]
    json: bool,
}

pub async fn run(options: Options, config: Config) -> Outcome {
    if let (Some(from), Some(to)) = (options.from, options.to)
        && from >= to
    {
        return Err(Failure::Usage(format!("--from {from} is not before --to {to}")));
    }
    let understood = |now: &Zoned| query::parse(&options.query, now).map_err(|e| Failure::Usage(format!("the query cannot be read: {e}")));
    // What is wrong with it is wrong at any moment, and needs no data to be told.
    let query = understood(&Timestamp::UNIX_EPOCH.to_zoned(TimeZone::UTC))?;
    if query == query::Query::All && options.account.is_none() && options.from.is_none() && options.to.is_none() {
        return Err(Failure::Usage("the query is empty; give at least one word or a filter".to_owned()));
    }
    let (service, workspace, _lock) = options.place.open_to_read(config).await?;
    let query = understood(&moment(&service, workspace).await?)?;
    let mut account = None;
    if let Some(id) = &options.account {
        let mut tx = service.store.read(workspace).await?;
        let row = account::find(workspace, &mut tx, id).await?;
        account = Some(row.ok_or_else(|| anyhow!("account {id:?} was not found"))?.number);
    }
    if options.mode != Mode::Words {
        if options.sort == Order::Newest {
            return Err(Failure::Usage(format!("--mode {} gives the best first; --sort newest goes with --mode words", options.mode)));
        }
        service.reader.load(&service.config.reader).await?;
    }
    let request = Request { account, from: options.from, to: options.to, order: options.sort, ..Request::newest(query, usize::from(options.limit)) };
    let answer = search(&service, workspace, request, options.mode).await?;
    if options.json {
        // The same document as over HTTP; pages are for the API.
        let mut document = serde_json::to_value(&answer)?;
        document["next_cursor"] = serde_json::Value::Null;
        println!("{document}");
        return Ok(());
    }
    for hit in &answer.hits {
        let who = hit.speaker.as_deref().unwrap_or("-");
        let account = hit.account_id.as_deref().unwrap_or("unmatched");
        let subject = hit.subject.as_deref().unwrap_or("(no subject)");
        anstream::println!("{HEADING}{}{HEADING:#}  {}", show::plain(subject), show::plain(&hit.id));
        anstream::println!("{FAINT}{}  {}  {}  {}{FAINT:#}", show::time(hit.occurred_at), hit.r#type, show::plain(account), show::plain(who));
        anstream::println!("  {}", show::snippet(&hit.snippet));
        if hit.repeats > 0 {
            let (times, thread) = (show::number(hit.repeats), show::plain(hit.thread_id.as_deref().unwrap_or_default()));
            anstream::println!("  {FAINT}repeated in {times} more of its thread:{thread}{FAINT:#}");
        }
        println!();
    }
    for excluded in &answer.excluded {
        eprintln!("without {}: {} entries", excluded.by, show::number(excluded.entries));
    }
    let shown: u64 = answer.hits.iter().map(|hit| 1 + hit.repeats).sum();
    eprintln!("{} of {} entries for: {}", show::number(shown), show::number(answer.total), answer.query);
    Ok(())
}
