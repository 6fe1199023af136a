//! Who is who: domains of accounts, addresses and names of contacts and team members. A name is kept beside the
//! addresses as its filter key (`~ann lee`), so that speakers without an address are recognised.

use std::collections::{HashMap, HashSet};

use super::among::among;
use super::database::on;
use super::{Result, StoreError, Tx, workspace};
use crate::domain::address::{is_free_mail, with_parents};
use crate::domain::entry::name_key;
use crate::domain::record::Kind;
use crate::domain::{Address, Parties, WorkspaceId};

/// What the workspace knows about these addresses: enough to decide whose mail it is.
pub async fn known(workspace: WorkspaceId, tx: &mut Tx, addresses: &[&Address]) -> Result<Parties> {
    let us_domains = workspace::us_domains(workspace, tx).await?;
    let wanted: HashSet<&str> = addresses.iter().map(|a| a.as_str()).collect();
    let domains: HashSet<&str> = addresses.iter().flat_map(|a| with_parents(a.domain())).filter(|d| !is_free_mail(d)).collect();
    let mut known = Parties { us_domains, ..Parties::default() };
    if wanted.is_empty() {
        return Ok(known);
    }
    let wanted: Vec<&str> = wanted.into_iter().collect();
    // Two contacts with one address: the first by name of account, whatever order they came in.
    let select = "SELECT address, kind, account_id FROM person_address WHERE workspace_id = ";
    let people: Vec<(String, String, Option<String>)> = among(workspace, tx, select, "address", &wanted, "ORDER BY account_id DESC").await?;
    for (address, kind, account_id) in people {
        match account_id {
            Some(account_id) if kind == Kind::Contact.as_str() => drop(known.contacts.insert(address, account_id)),
            _ => drop(known.team.insert(address)),
        }
    }
    let domains: Vec<&str> = domains.into_iter().collect();
    let select = "SELECT domain, account_id FROM account_domain WHERE workspace_id = ";
    let mut accounts: Vec<(String, String)> = among(workspace, tx, select, "domain", &domains, "").await?;
    // Of several accounts with one domain the first by id has it, but an account that was only made of its domain comes last.
    accounts.sort_by(|(domain, a), (other, b)| (a != domain, b).cmp(&(b != other, a)));
    known.domains = accounts.into_iter().collect::<HashMap<_, _>>();
    Ok(known)
}

/// Replaces an account's domains; returns those that are new or gone.
pub async fn set_account_domains(workspace: WorkspaceId, tx: &mut Tx, account_id: &str, domains: &[String]) -> Result<Vec<String>> {
    let before: Vec<(String,)> = on!(tx, c => sqlx::query_as("SELECT domain FROM account_domain WHERE workspace_id = $1 AND account_id = $2")
        .bind(workspace.0).bind(account_id).fetch_all(c).await?);
    let before: HashSet<String> = before.into_iter().map(|(d,)| d).collect();
    let after: HashSet<String> = domains.iter().cloned().collect();
    for gone in before.difference(&after) {
        on!(tx, c => sqlx::query("DELETE FROM account_domain WHERE workspace_id = $1 AND account_id = $2 AND domain = $3")
            .bind(workspace.0).bind(account_id).bind(gone).execute(c).await?.rows_affected());
    }
    for new in after.difference(&before) {
        on!(tx, c => sqlx::query("INSERT INTO account_domain (workspace_id, domain, account_id) VALUES ($1, $2, $3)")
            .bind(workspace.0).bind(new).bind(account_id).execute(c).await?.rows_affected());
    }
    Ok(before.symmetric_difference(&after).cloned().collect())
}

/// Somebody who goes by a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// The filter key of the name.
    pub key: String,
    /// None for one of us.
    pub account_id: Option<String>,
    pub email: Option<String>,
}

/// The person with this address: one of us before a contact, then by id.
pub async fn person_with(workspace: WorkspaceId, tx: &mut Tx, address: &Address) -> Result<Option<(Kind, String)>> {
    let row: Option<(String, String)> = on!(tx, c => sqlx::query_as(
        "SELECT kind, id FROM person_address WHERE workspace_id = $1 AND address = $2 AND kind IN ('contact', 'team_member') ORDER BY kind DESC, id LIMIT 1")
        .bind(workspace.0).bind(address.as_str()).fetch_optional(c).await?);
    row.map(|(kind, id)| Ok((kind.parse().map_err(|e| StoreError::corrupt("kind", e))?, id))).transpose()
}

/// The contacts and team members with these names, given as filter keys.
pub async fn named(workspace: WorkspaceId, tx: &mut Tx, keys: &[String]) -> Result<Vec<Named>> {
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let select = "SELECT address, kind, id, account_id FROM person_address WHERE workspace_id = ";
    let rows: Vec<(String, String, String, Option<String>)> =
        among(workspace, tx, select, "address", &keys, "ORDER BY address, account_id, id").await?;
    let mut found = Vec::with_capacity(rows.len());
    for (key, kind, id, account_id) in rows {
        let mail: Option<(String,)> = on!(tx, c => sqlx::query_as(
            "SELECT address FROM person_address WHERE workspace_id = $1 AND id = $2 AND kind = $3 AND address NOT LIKE '~%' ORDER BY address LIMIT 1")
            .bind(workspace.0).bind(&id).bind(&kind).fetch_optional(c).await?);
        found.push(Named { key, account_id, email: mail.map(|(address,)| address) });
    }
    Ok(found)
}

/// The contacts who have this address.
pub async fn contacts_with(workspace: WorkspaceId, tx: &mut Tx, address: &Address) -> Result<Vec<String>> {
    let rows: Vec<(String,)> = on!(tx, c => sqlx::query_as("SELECT id FROM person_address WHERE workspace_id = $1 AND address = $2 AND kind = 'contact' ORDER BY id")
        .bind(workspace.0).bind(address.as_str()).fetch_all(c).await?);
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// Replaces the addresses and the name of a contact or team member; returns those that are new, gone, or changed account.
pub async fn set_addresses(
    workspace: WorkspaceId,
    tx: &mut Tx,
    kind: Kind,
    id: &str,
    account_id: Option<&str>,
    addresses: &[Address],
    name: Option<&str>,
) -> Result<Vec<String>> {
    let before: Vec<(String, Option<String>)> = on!(tx, c => sqlx::query_as(
        "SELECT address, account_id FROM person_address WHERE workspace_id = $1 AND kind = $2 AND id = $3")
        .bind(workspace.0).bind(kind.as_str()).bind(id).fetch_all(c).await?);
    let before: HashSet<(String, Option<String>)> = before.into_iter().collect();
    let keys = addresses.iter().map(|a| a.as_str().to_owned()).chain(name.and_then(name_key));
    let after: HashSet<(String, Option<String>)> = keys.map(|key| (key, account_id.map(str::to_owned))).collect();
    if before == after {
        return Ok(Vec::new());
    }
    on!(tx, c => sqlx::query("DELETE FROM person_address WHERE workspace_id = $1 AND kind = $2 AND id = $3")
        .bind(workspace.0).bind(kind.as_str()).bind(id).execute(c).await?.rows_affected());
    for (address, account_id) in &after {
        on!(tx, c => sqlx::query("INSERT INTO person_address (workspace_id, address, kind, id, account_id) VALUES ($1, $2, $3, $4, $5)")
            .bind(workspace.0).bind(address).bind(kind.as_str()).bind(id).bind(account_id.as_deref()).execute(c).await?.rows_affected());
    }
    let changed: HashSet<String> = before.symmetric_difference(&after).map(|(address, _)| address.clone()).collect();
    Ok(changed.into_iter().collect())
}

/// The addresses of the contact or team member with this id.
pub async fn addresses_of(workspace: WorkspaceId, tx: &mut Tx, id: &str) -> Result<Vec<String>> {
    let rows: Vec<(String,)> = on!(tx, c => sqlx::query_as("SELECT address FROM person_address WHERE workspace_id = $1 AND id = $2 AND kind IN ('contact', 'team_member') AND address NOT LIKE '~%' ORDER BY address")
        .bind(workspace.0).bind(id).fetch_all(c).await?);
    Ok(rows.into_iter().map(|(address,)| address).collect())
}
