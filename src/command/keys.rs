//! `rapport keys`: keys for callers over the network.

use clap::{Args, Subcommand};
use rapport::config::Config;
use rapport::domain::role::Role;
use rapport::pipeline::keys::{self, NewKey};
use rapport::store::key::{self, Key};
use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

use super::data::{Access, access, busy};
use super::show;
use super::{Outcome, Place};

#[derive(Debug, Args)]
pub struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a key and show it, this once
    Create(Create),
    /// List keys, without the keys themselves
    List(List),
    /// End a key and its browser sessions, at once
    Revoke(Revoke),
}

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  rapport keys create --role rep --team-member u1 --name 'Jo, CRM plugin'\n\nTo rotate: create the new key, switch callers to it, revoke the old one; both are valid in between."
)]
struct Create {
    #[command(flatten)]
    place: Place,
    /// admin: everything; writer: records in; rep: reads and acts; viewer: reads
    #[arg(long)]
    role: Role,
    /// What it is for
    #[arg(long, value_name = "TEXT")]
    name: Option<String>,
    /// Who acts with it: the id of a team member
    #[arg(long, value_name = "ID")]
    team_member: Option<String>,
    /// One JSON document on stdout
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct List {
    #[command(flatten)]
    place: Place,
    /// One JSON document on stdout
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct Revoke {
    #[command(flatten)]
    place: Place,
    /// The id of the key, its part between the underscores
    id: String,
}

#[derive(Deserialize)]
struct Made {
    #[serde(flatten)]
    key: Key,
    secret: String,
}

/// Who acts, in the audit log.
const ACTOR: &str = "command line";

pub async fn run(options: Options, config: Config) -> Outcome {
    match options.command {
        Command::Create(options) => create(options, config).await,
        Command::List(options) => list(options, config).await,
        Command::Revoke(options) => revoke(options, config).await,
    }
}

async fn create(options: Create, config: Config) -> Outcome {
    let data = options.place.directory()?;
    let name = options.name.unwrap_or_else(|| options.role.to_string());
    let made = match access(&data)? {
        Access::Mine(_lock) => {
            let (service, workspace) = options.place.open_service(&data, config).await?;
            let new = NewKey { role: options.role, name, team_member_id: options.team_member };
            let (key, secret) = keys::create(&service, workspace, ACTOR, new).await?;
            service.store.close().await;
            Made { key, secret }
        }
        Access::Served(server) => {
            let server = options.place.remote(&server);
            let wanted = json!({ "role": options.role, "name": name, "team_member_id": options.team_member });
            server.send(server.request(Method::POST, "/v1/keys").json(&wanted)).await?
        }
        Access::Busy(pid) => return Err(busy(&data, pid).into()),
    };
    if options.json {
        println!(
            "{}",
            json!({ "id": made.key.id, "role": made.key.role, "name": made.key.name, "team_member_id": made.key.team_member_id, "secret": made.secret })
        );
    } else {
        println!("{}", made.secret);
        eprintln!("a key of role {} for workspace {:?}; this is the only time that it is shown", made.key.role, options.place.workspace);
    }
    Ok(())
}

async fn list(options: List, config: Config) -> Outcome {
    let (service, workspace, _lock) = options.place.open_to_read(config).await?;
    let mut tx = service.store.read(workspace).await?;
    let keys = key::list(workspace, &mut tx).await?;
    if options.json {
        println!("{}", json!({ "items": keys }));
        return Ok(());
    }
    for key in &keys {
        let used = key.last_used_at.map_or_else(|| "never used".to_owned(), |at| format!("last used {}", show::time(at)));
        let state = key.revoked_at.map_or(used, |at| format!("revoked {}", show::time(at)));
        println!("{}  {:<6}  {:<30}  {}", key.id, key.role.as_str(), show::plain(&key.name), state);
    }
    println!("{} keys", keys.len());
    Ok(())
}

async fn revoke(options: Revoke, config: Config) -> Outcome {
    let data = options.place.directory()?;
    match access(&data)? {
        Access::Mine(_lock) => {
            let (service, workspace) = options.place.open_service(&data, config).await?;
            keys::revoke(&service, workspace, ACTOR, &options.id).await?;
            service.store.close().await;
        }
        Access::Served(server) => {
            let server = options.place.remote(&server);
            server.done(server.request(Method::DELETE, &format!("/v1/keys/{}", super::summarize::escaped(&options.id)))).await?;
        }
        Access::Busy(pid) => return Err(busy(&data, pid).into()),
    }
    println!("revoked {}", options.id);
    Ok(())
}
