//! Why an answer is empty: how many entries there would be without each of the things that were asked.

use serde::Serialize;
use utoipa::ToSchema;

use super::Result;
use super::query::Query;
use super::search::{Index, Request};

/// Things asked that are looked at: the first ones.
const MOST: usize = 10;

/// A part of what was asked that keeps entries out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Excluded {
    /// A filter by the name of its parameter, or a part of the query in words.
    pub by: String,
    /// How many entries match everything else.
    pub entries: u64,
}

/// The parts without which something would be found, the one that keeps out most first.
pub(super) fn excluded(index: &Index, request: &Request) -> Result<Vec<Excluded>> {
    let mut found = Vec::new();
    for (by, request) in without_each(request).into_iter().take(MOST) {
        let entries = index.search(&Request { limit: 1, facets: false, after: None, ..request })?.total;
        if entries > 0 {
            found.push(Excluded { by, entries });
        }
    }
    found.sort_by_key(|excluded| std::cmp::Reverse(excluded.entries));
    Ok(found)
}

/// The request without each of its filters, and without each part of its query; one that would ask nothing is left out.
fn without_each(request: &Request) -> Vec<(String, Request)> {
    let mut all = Vec::new();
    let mut add = |by: &str, is_set: bool, without: Request| {
        if is_set {
            all.push((by.to_owned(), without));
        }
    };
    add("account", request.account.is_some(), Request { account: None, ..request.clone() });
    add("type", !request.types.is_empty(), Request { types: Vec::new(), ..request.clone() });
    add("person", request.people.is_some(), Request { people: None, ..request.clone() });
    add("from and to", request.from.is_some() || request.to.is_some(), Request { from: None, to: None, ..request.clone() });
    let parts = match &request.query {
        Query::All => &[],
        Query::And(parts) => parts.as_slice(),
        one => std::slice::from_ref(one),
    };
    for (at, part) in parts.iter().enumerate() {
        let rest: Vec<Query> = parts.iter().enumerate().filter(|(other, _)| *other != at).map(|(_, part)| part.clone()).collect();
        let query = if rest.is_empty() { Query::All } else { Query::And(rest) };
        all.push((part.to_string(), Request { query, ..request.clone() }));
    }
    if all.len() == 1 { Vec::new() } else { all }
}
