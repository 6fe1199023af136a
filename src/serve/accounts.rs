//! Accounts, contacts, and mail that is nobody's yet.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::App;
use super::cursor;
use super::extract::{Body, Caller, Page, Params, Segments, limit};
use super::problem::Problem;
use crate::domain::record::{Account, Contact, Kind};
use crate::pipeline::unmatched::{self, Assigned, Owner};
use crate::store::account::Sort;
use crate::store::unmatched::Unmatched;
use crate::store::{account, record, unmatched as waiting};

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// Part of the name or id.
    q: Option<String>,
    #[param(inline)]
    sort: Option<Sort>,
    #[param(minimum = 1, maximum = 100, default = 20)]
    limit: Option<i64>,
    cursor: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct Accounts {
    items: Vec<Listed>,
    total: i64,
    next_cursor: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct Listed {
    id: String,
    name: String,
    last_activity_at: Option<jiff::Timestamp>,
}

/// Lists accounts by name or last activity.
#[utoipa::path(get, path = "/v1/accounts", tag = "accounts", params(Wanted), responses((status = 200, body = Accounts), (status = 400, body = Problem, content_type = "application/problem+json")))]
pub async fn list(State(app): State<App>, caller: Caller, Params(wanted): Params<Wanted>) -> Result<Json<Accounts>, Problem> {
    let (limit, sort) = (limit(wanted.limit)?, wanted.sort.unwrap_or(Sort::Name));
    let question = format!("accounts {sort} {:?}", wanted.q);
    let after = cursor::decode(&question, wanted.cursor.as_deref())?;
    let mut tx = app.service.store.read(caller.workspace).await?;
    let text = wanted.q.as_deref().filter(|q| !q.trim().is_empty());
    let (mut rows, total) = account::list(caller.workspace, &mut tx, text, sort, after.as_ref(), limit + 1).await?;
    let more = rows.len() as i64 > limit;
    rows.truncate(limit as usize);
    let next_cursor = rows.last().filter(|_| more).map(|row| cursor::encode(&question, row.after()));
    let items = rows.into_iter().map(|row| Listed { id: row.account_id, name: row.name, last_activity_at: row.last_activity_at }).collect();
    Ok(Json(Accounts { items, total, next_cursor }))
}

/// One account's record.
#[utoipa::path(get, path = "/v1/accounts/{id}", tag = "accounts", params(("id" = String, Path)), responses((status = 200, body = Account), (status = 404, body = Problem, content_type = "application/problem+json")))]
pub async fn get(State(app): State<App>, caller: Caller, Segments(id): Segments<String>) -> Result<Json<Account>, Problem> {
    let mut tx = app.service.store.read(caller.workspace).await?;
    let found = record::get(caller.workspace, &mut tx, Kind::Account, &id).await?;
    found.map(Json).ok_or_else(|| Problem::not_found(format!("account {id:?} was not found")))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct WantedContacts {
    /// Part of a name, title or address.
    q: Option<String>,
    /// Of this account only.
    account: Option<String>,
    #[param(minimum = 1, maximum = 100, default = 20)]
    limit: Option<i64>,
    cursor: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct Contacts {
    items: Vec<Contact>,
    total: i64,
    next_cursor: Option<String>,
}

/// Lists contacts by id.
#[utoipa::path(get, path = "/v1/contacts", tag = "accounts", params(WantedContacts), responses((status = 200, body = Contacts), (status = 400, body = Problem, content_type = "application/problem+json")))]
pub async fn contacts(State(app): State<App>, caller: Caller, Params(wanted): Params<WantedContacts>) -> Result<Json<Contacts>, Problem> {
    let limit = limit(wanted.limit)?;
    let question = format!("contacts {:?} {:?}", wanted.q, wanted.account);
    let after: Option<String> = cursor::decode(&question, wanted.cursor.as_deref())?;
    let mut tx = app.service.store.read(caller.workspace).await?;
    let text = wanted.q.as_deref().filter(|q| !q.trim().is_empty());
    let (mut rows, total) =
        record::list(caller.workspace, &mut tx, Kind::Contact, wanted.account.as_deref(), text, after.as_deref(), limit + 1).await?;
    let more = rows.len() as i64 > limit;
    rows.truncate(limit as usize);
    let next_cursor = rows.last().filter(|_| more).map(|row| cursor::encode(&question, &row.id));
    let items = rows.iter().map(record::Stored::read).collect::<Result<_, _>>()?;
    Ok(Json(Contacts { items, total, next_cursor }))
}

#[derive(Serialize, ToSchema)]
pub struct UnmatchedDomains {
    /// By domain; mail whose sender gave none is under `unknown`.
    items: Vec<Unmatched>,
    /// Domains.
    total: i64,
    /// Entries that have no account.
    entries: i64,
    next_cursor: Option<String>,
}

/// Says whose the mail of a domain, or of one person there, is; the past joins.
#[utoipa::path(
    post, path = "/v1/unmatched/{domain}", tag = "accounts", params(("domain" = String, Path), ("Idempotency-Key" = Option<String>, Header)), request_body = Owner,
    responses((status = 200, body = Assigned), (status = 400, body = Problem, content_type = "application/problem+json"), (status = 404, body = Problem, content_type = "application/problem+json")),
)]
pub async fn assign(
    State(app): State<App>,
    caller: Caller,
    Segments(domain): Segments<String>,
    Body(body, once): Body,
) -> Result<Json<Assigned>, Problem> {
    let owner: Owner = serde_json::from_slice(&body).map_err(|e| Problem::bad_request("bad_owner", e.to_string()))?;
    Ok(Json(unmatched::assign(&app.service, caller.workspace, &domain, owner, once).await?))
}

/// Lists mail that belongs to no account yet, by domain. It joins its account when that appears.
#[utoipa::path(get, path = "/v1/unmatched", tag = "accounts", params(Page), responses((status = 200, body = UnmatchedDomains), (status = 400, body = Problem, content_type = "application/problem+json")))]
pub async fn unmatched(State(app): State<App>, caller: Caller, Params(page): Params<Page>) -> Result<Json<UnmatchedDomains>, Problem> {
    let limit = limit(page.limit)?;
    let after: Option<String> = cursor::decode("unmatched", page.cursor.as_deref())?;
    let mut tx = app.service.store.read(caller.workspace).await?;
    let (mut items, total) = waiting::list(caller.workspace, &mut tx, after.as_deref(), limit + 1).await?;
    let entries = waiting::count(caller.workspace, &mut tx).await?;
    let more = items.len() as i64 > limit;
    items.truncate(limit as usize);
    let next_cursor = items.last().filter(|_| more).map(|row| cursor::encode("unmatched", &row.domain));
    Ok(Json(UnmatchedDomains { items, total, entries, next_cursor }))
}
