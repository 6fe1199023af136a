//! `GET /v1/accounts/{id}/timeline`: an account's entries, newest first, with counts by type.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::App;
use super::cursor;
use super::entries::shown;
use super::extract::{Caller, Params, Segments, limit, range, words};
use super::problem::Problem;
use crate::domain::WorkspaceId;
use crate::domain::entry::EntryType;
use crate::domain::reading::ListedEntry;
use crate::index::query;
use crate::index::search::Request;
use crate::pipeline::profile;
use crate::pipeline::search::{find, moment, person_keys};
use crate::store::{account, entry};

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// Entry types, separated by commas.
    r#type: Option<String>,
    /// Entries at or after this time.
    from: Option<jiff::Timestamp>,
    /// Entries before this time.
    to: Option<jiff::Timestamp>,
    /// Id, address or name of a contact or team member who took part.
    person: Option<String>,
    /// Words, as in `/v1/search`.
    q: Option<String>,
    /// `type`: the newest of each type instead of one list; `cursor` then does not apply.
    group: Option<String>,
    #[param(minimum = 1, maximum = 100, default = 20)]
    limit: Option<i64>,
    cursor: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct Timeline {
    /// Newest first.
    items: Vec<ListedEntry>,
    /// Entries that match.
    total: i64,
    /// By type under the other filters, whatever types were asked for.
    counts: BTreeMap<String, i64>,
    /// With `group=type`.
    #[serde(skip_serializing_if = "Option::is_none")]
    groups: Option<Vec<Group>>,
    next_cursor: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct Group {
    r#type: EntryType,
    count: i64,
    items: Vec<ListedEntry>,
    /// For `type=` of this group alone.
    next_cursor: Option<String>,
}

/// An account's entries, newest first.
#[utoipa::path(
    get, path = "/v1/accounts/{id}/timeline", tag = "timeline", params(("id" = String, Path), Wanted),
    responses((status = 200, body = Timeline), (status = 400, body = Problem, content_type = "application/problem+json"), (status = 404, body = Problem, content_type = "application/problem+json")),
)]
pub async fn get(
    State(app): State<App>,
    caller: Caller,
    Segments(id): Segments<String>,
    Params(wanted): Params<Wanted>,
) -> Result<Json<Timeline>, Problem> {
    let limit = limit(wanted.limit)?;
    range(wanted.from, wanted.to)?;
    let types: Vec<EntryType> = words("type", wanted.r#type.as_deref())?;
    let grouped = match wanted.group.as_deref() {
        None => false,
        Some("type") => true,
        Some(other) => return Err(Problem::bad_request("bad_parameter", format!("group is {other:?}; the one way to group is type"))),
    };
    let mut tx = app.service.store.read(caller.workspace).await?;
    let Some(account) = account::find(caller.workspace, &mut tx, &id).await? else {
        return Err(Problem::not_found(format!("account {id:?} was not found")));
    };
    let people = match wanted.person.as_deref() {
        Some(person) => Some(person_keys(caller.workspace, &mut tx, person).await?),
        None => None,
    };
    if let Some(q) = wanted.q.as_deref().filter(|q| !q.trim().is_empty()) {
        if grouped {
            return Err(Problem::bad_request("bad_parameter", "group and q do not go together"));
        }
        drop(tx);
        let question = question(&id, &wanted, &types);
        let query = query::parse(q, &moment(&app.service, caller.workspace).await?)?;
        let request = Request {
            account: Some(account.number),
            from: wanted.from,
            to: wanted.to,
            people,
            after: cursor::decode(&question, wanted.cursor.as_deref())?,
            ..Request::newest(query, usize::try_from(limit).unwrap_or(20))
        };
        return searched(&app, caller.workspace, request, types, &question).await;
    }
    let filter = entry::Filter { types: types.clone(), from: wanted.from, to: wanted.to, people };
    let counts = entry::counts(caller.workspace, &mut tx, &id, &filter).await?;
    let total = counts.iter().filter(|(t, _)| types.is_empty() || types.contains(t)).map(|(_, n)| n).sum();
    let named = counts.iter().map(|(t, n)| (t.to_string(), *n)).collect();
    if grouped {
        let mut groups = Vec::new();
        for (&r#type, &count) in counts.iter().filter(|(t, _)| types.is_empty() || types.contains(t)) {
            let one = entry::Filter { types: vec![r#type], ..filter.clone() };
            let (items, next_cursor) = page(caller.workspace, &mut tx, &id, &one, None, limit, &question(&id, &wanted, &[r#type])).await?;
            groups.push(Group { r#type, count, items, next_cursor });
        }
        return Ok(Json(Timeline { items: Vec::new(), total, counts: named, groups: Some(groups), next_cursor: None }));
    }
    let question = question(&id, &wanted, &types);
    let after = cursor::decode(&question, wanted.cursor.as_deref())?;
    let (items, next_cursor) = page(caller.workspace, &mut tx, &id, &filter, after, limit, &question).await?;
    Ok(Json(Timeline { items, total, counts: named, groups: None, next_cursor }))
}

fn question(id: &str, wanted: &Wanted, types: &[EntryType]) -> String {
    format!("timeline {id} {types:?} {:?} {:?} {:?} {:?}", wanted.from, wanted.to, wanted.person, wanted.q)
}

async fn page(
    workspace: WorkspaceId,
    tx: &mut crate::store::Tx,
    id: &str,
    filter: &entry::Filter,
    after: Option<entry::After>,
    limit: i64,
    question: &str,
) -> Result<(Vec<ListedEntry>, Option<String>), Problem> {
    let mut stored = entry::timeline(workspace, tx, id, filter, after, limit + 1).await?;
    let more = stored.len() as i64 > limit;
    stored.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    let next = stored.last().filter(|_| more).map(|last| cursor::encode(question, last.after()));
    Ok((listed(workspace, tx, stored).await?, next))
}

async fn listed(workspace: WorkspaceId, tx: &mut crate::store::Tx, stored: Vec<entry::Stored>) -> Result<Vec<ListedEntry>, Problem> {
    let listed = profile::listed(workspace, tx, stored).await?;
    Ok(listed.into_iter().map(|item| ListedEntry { entry: shown(item.entry), ..item }).collect())
}

/// The timeline of what matches some words: found by the index, counted by it, loaded from the store.
async fn searched(app: &App, workspace: WorkspaceId, mut request: Request, types: Vec<EntryType>, question: &str) -> Result<Json<Timeline>, Problem> {
    // Counts cover all types; the list only those asked for.
    request.facets = true;
    let (mut request, all) = find(&app.service, workspace, request).await?;
    let counts: BTreeMap<String, i64> = all.types.iter().map(|(t, n)| (t.clone(), i64::try_from(*n).unwrap_or(i64::MAX))).collect();
    let results = if types.is_empty() {
        all
    } else {
        request.types = types;
        request.facets = false;
        find(&app.service, workspace, request).await?.1
    };
    let next_cursor = results.next.map(|next| cursor::encode(question, next));
    let numbers: Vec<i64> = results.found.iter().map(|f| f.number).collect();
    let mut tx = app.service.store.read(workspace).await?;
    let mut stored = entry::by_numbers(workspace, &mut tx, &numbers).await?;
    stored.sort_by_key(|s| numbers.iter().position(|n| *n == s.number));
    let items = listed(workspace, &mut tx, stored).await?;
    Ok(Json(Timeline { items, total: i64::try_from(results.total).unwrap_or(i64::MAX), counts, groups: None, next_cursor }))
}
