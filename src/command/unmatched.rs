//! `rapport unmatched`: what is nobody's yet, by domain, and whose it is.

use anyhow::anyhow;
use clap::Args;
use rapport::config::Config;
use rapport::pipeline::unmatched::{self, Owner};
use rapport::pipeline::work;
use rapport::store::unmatched as waiting;
use reqwest::Method;
use serde_json::{Value, json};

use super::data::{Access, access, busy};
use super::show::number;
use super::summarize::escaped;
use super::{Outcome, Place};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  rapport unmatched
  rapport unmatched acme.com --account acme --name 'Acme Corp'
  rapport unmatched gmail.com --contact ann@gmail.com --account acme")]
pub struct Options {
    /// The domain to say something about [default: list all]
    domain: Option<String>,
    #[command(flatten)]
    place: Place,
    /// Whose it is; made if there is no such account [default: an account named by the domain]
    #[arg(long, value_name = "ID", requires = "domain")]
    account: Option<String>,
    /// Name of a new account
    #[arg(long, requires = "domain")]
    name: Option<String>,
    /// One person at a provider of many: makes a contact
    #[arg(long, value_name = "ADDRESS", requires = "account")]
    contact: Option<String>,
    /// One JSON document
    #[arg(long)]
    json: bool,
}

pub async fn run(options: Options, config: Config) -> Outcome {
    match options.domain.clone() {
        Some(domain) => assign(&options, config, &domain).await,
        None => list(&options, config).await,
    }
}

async fn assign(options: &Options, config: Config, domain: &str) -> Outcome {
    let data = options.place.directory()?;
    let answer: Value = match access(&data)? {
        Access::Mine(_lock) => {
            let (service, workspace) = options.place.open_service(&data, config).await?;
            let owner =
                Owner { account_id: options.account.clone(), name: options.name.clone(), contact: options.contact.clone(), contact_name: None };
            let assigned = unmatched::assign(&service, workspace, domain, owner, None).await?;
            work::drain(&service).await?;
            service.catch_up().await?;
            service.store.close().await;
            serde_json::to_value(assigned)?
        }
        Access::Served(server) => {
            let server = options.place.remote(&server);
            let owner = json!({ "account_id": options.account, "name": options.name, "contact": options.contact });
            server.send(server.request(Method::POST, &format!("/v1/unmatched/{}", escaped(domain))).json(&owner)).await?
        }
        Access::Busy(pid) => return Err(busy(&data, pid).into()),
    };
    if options.json {
        println!("{answer}");
    } else {
        let waiting = answer["waiting"].as_u64().unwrap_or(0);
        let entries = if waiting == 1 { "1 entry".to_owned() } else { format!("{} entries", number(waiting)) };
        println!("{domain} is {}'s; {entries} waited under it", answer["account_id"].as_str().unwrap_or_default());
    }
    Ok(())
}

async fn list(options: &Options, config: Config) -> Outcome {
    let (service, workspace, _lock) = options.place.open_to_read(config).await?;
    let mut tx = service.store.read(workspace).await?;
    let mut items = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let (page, _) = waiting::list(workspace, &mut tx, after.as_deref(), 500).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.domain.clone());
        items.extend(page);
    }
    items.sort_by_key(|row| (std::cmp::Reverse(row.entries), row.domain.clone()));
    if options.json {
        println!("{}", serde_json::to_string(&items).map_err(|e| anyhow!(e))?);
        return Ok(());
    }
    for row in &items {
        println!("{:<40} {:>8}   {} to {}", row.domain, number(row.entries.unsigned_abs()), day(&row.first_seen), day(&row.last_seen));
    }
    if items.is_empty() {
        println!("everything has its account");
    }
    Ok(())
}

fn day(at: &impl serde::Serialize) -> String {
    serde_json::to_value(at).ok().and_then(|v| v.as_str().map(|s| s.chars().take(10).collect())).unwrap_or_default()
}
