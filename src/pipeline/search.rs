//! One search, front to back: the words become a query, the index finds, the store loads, the words are shown.

use std::collections::{BTreeMap, HashMap};

use jiff::Zoned;
use jiff::tz::TimeZone;
use serde::Serialize;
use utoipa::ToSchema;

use super::{Result, Service, blocking};
use crate::domain::WorkspaceId;
use crate::domain::entry::{EntryType, Side, name_key};
use crate::domain::record::{Competitor, Contact, Kind, TeamMember};
use crate::index::excluded::Excluded;
use crate::index::passage::{self, Passage};
use crate::index::query::Query;
use crate::index::search::Position;
use crate::index::tokenizer::words;
use crate::index::{Request, Results};
use crate::store::{Tx, account, attachment, entry, party, record, workspace};

/// Competitors of a book whose names are looked up.
const COMPETITORS: i64 = 1_000;

/// One found entry.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Hit {
    pub id: String,
    pub account_id: Option<String>,
    pub r#type: EntryType,
    pub occurred_at: jiff::Timestamp,
    pub subject: Option<String>,
    /// The best passage: HTML-escaped text with `<mark>`.
    pub snippet: String,
    /// Transcript segment of the best passage.
    pub segment: Option<usize>,
    /// Index of the attachment in whose words the passage lies.
    pub attachment: Option<usize>,
    pub start: usize,
    pub end: usize,
    pub speaker: Option<String>,
    pub side: Option<Side>,
    pub score: f32,
    /// The fields in which a word was found.
    pub matched: Vec<String>,
    /// Up to five, best first.
    pub passages: Vec<Passage>,
}

/// Counts over all matches.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
pub struct Facets {
    pub r#type: BTreeMap<String, u64>,
    /// By account id.
    pub account: BTreeMap<String, u64>,
    /// By address, or `~name` of somebody without one; the 200 most frequent.
    pub person: BTreeMap<String, u64>,
    /// By `YYYY-MM` in UTC.
    pub month: BTreeMap<String, u64>,
}

/// A page of hits.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Answer {
    pub total: u64,
    pub hits: Vec<Hit>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub facets: Option<Facets>,
    /// The query as understood.
    pub query: String,
    /// Of an empty answer: what keeps entries out, and how many.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub excluded: Vec<Excluded>,
    #[serde(skip)]
    pub next: Option<Position>,
}

/// Searches a workspace.
///
/// # Errors
/// When the index or the store cannot be read.
pub async fn search(service: &Service, workspace: WorkspaceId, request: Request) -> Result<Answer> {
    let (request, results) = find(service, workspace, request).await?;
    if results.total == 0 {
        let excluded = excluded(service, workspace, request.clone()).await?;
        let facets = request.facets.then(Facets::default);
        return Ok(Answer { total: 0, hits: Vec::new(), facets, query: request.query.to_string(), excluded, next: None });
    }
    let mut tx = service.store.read(workspace).await?;
    let numbers: Vec<i64> = results.found.iter().map(|f| f.number).collect();
    let stored = entry::by_numbers(workspace, &mut tx, &numbers).await?;
    let with_files: Vec<i64> = stored.iter().filter(|s| !s.entry.attachments.is_empty()).map(|s| s.number).collect();
    let files = attachment::of(workspace, &mut tx, &with_files).await?;
    let facets = if request.facets { Some(facets(workspace, &mut tx, &results).await?) } else { None };
    drop(tx);
    let mut by_number: HashMap<i64, entry::Stored> = stored.into_iter().map(|s| (s.number, s)).collect();
    let next = results.more.then(|| results.found.last().map(|f| f.position)).flatten();
    let found = results.found.len() as u64;
    let query = request.query.to_string();
    let hits = blocking(move || {
        let marks = request.query.marks(&results.meant);
        let hit = |found: &crate::index::search::Found| {
            by_number.remove(&found.number).map(|stored| {
                let files = files.get(&stored.number).map_or(&[] as &[_], Vec::as_slice);
                hit(stored, files, found.score, &marks)
            })
        };
        results.found.iter().filter_map(hit).collect::<Vec<_>>()
    })
    .await?;
    // What was deleted since the last commit of the index is neither shown nor counted.
    let total = results.total - (found - hits.len() as u64);
    Ok(Answer { total, hits, facets, query, excluded: Vec::new(), next })
}

async fn excluded(service: &Service, workspace: WorkspaceId, request: Request) -> Result<Vec<Excluded>> {
    let Some(index) = service.index.of(workspace)? else { return Ok(Vec::new()) };
    Ok(blocking(move || index.excluded(&request)).await??)
}

/// The moment at which a workspace asks: what "last week" means is told by its zone.
///
/// # Errors
/// When the store cannot be read.
pub async fn moment(service: &Service, workspace: WorkspaceId) -> Result<Zoned> {
    let named = workspace::timezone(workspace, &mut service.store.read(workspace).await?).await?;
    let zone = named.and_then(|name| TimeZone::get(&name).ok()).unwrap_or(TimeZone::UTC);
    Ok(service.clock.now().to_zoned(zone))
}

/// The numbers of the accounts that a query names by id, name or domain.
async fn named(service: &Service, workspace: WorkspaceId, query: &Query) -> Result<HashMap<String, Vec<i64>>> {
    let names = query.accounts();
    if names.is_empty() {
        return Ok(HashMap::new());
    }
    let mut tx = service.store.read(workspace).await?;
    let mut found = HashMap::new();
    for name in names {
        found.insert(name.to_owned(), account::called(workspace, &mut tx, name).await?);
    }
    Ok(found)
}

/// For each name of one word that a competitor of the workspace's book goes by, its other names.
async fn other_names(service: &Service, workspace: WorkspaceId) -> Result<HashMap<String, Vec<Vec<String>>>> {
    let mut tx = service.store.read(workspace).await?;
    let mut found = HashMap::new();
    for stored in record::list(workspace, &mut tx, Kind::Competitor, None, None, None, COMPETITORS).await?.0 {
        let competitor: Competitor = stored.read()?;
        let names = competitor.name.iter().chain(&competitor.aliases);
        let mut names: Vec<Vec<String>> = names.map(|name| words(name).map(|word| word.text).collect()).collect();
        names.retain(|words: &Vec<String>| !words.is_empty());
        names.sort();
        names.dedup();
        for name in &names {
            if let [word] = name.as_slice() {
                found.insert(word.clone(), names.iter().filter(|other| *other != name).cloned().collect());
            }
        }
    }
    Ok(found)
}

/// The numbers of matching entries only.
pub async fn find(service: &Service, workspace: WorkspaceId, mut request: Request) -> Result<(Request, Results)> {
    request.named = named(service, workspace, &request.query).await?;
    if !request.query.loose_words().is_empty() {
        request.query = request.query.with_other_names(&other_names(service, workspace).await?);
    }
    let Some(index) = service.index.of(workspace)? else { return Ok((request, Results::default())) };
    blocking(move || {
        let started = std::time::Instant::now();
        let results = index.search(&request);
        metrics::histogram!("rapport_search_seconds").record(started.elapsed().as_secs_f64());
        results.map(|results| (request, results))
    })
    .await?
    .map_err(Into::into)
}

fn hit(stored: entry::Stored, files: &[(usize, String)], score: f32, marks: &crate::index::query::Marks) -> Hit {
    let matched = passage::find(&stored.entry, &stored.spans, files, marks);
    let best = matched.passages.first();
    let entry = stored.entry;
    Hit {
        snippet: best.map_or_else(String::new, |p| p.snippet.clone()),
        segment: best.and_then(|p| p.segment),
        attachment: best.and_then(|p| p.attachment),
        start: best.map_or(0, |p| p.start),
        end: best.map_or(0, |p| p.end),
        id: entry.id,
        account_id: entry.account_id,
        r#type: entry.r#type,
        occurred_at: entry.occurred_at,
        subject: entry.subject,
        speaker: matched.speaker,
        side: matched.side,
        score,
        matched: matched.fields.into_iter().map(str::to_owned).collect(),
        passages: matched.passages,
    }
}

async fn facets(workspace: WorkspaceId, tx: &mut Tx, results: &Results) -> Result<Facets> {
    let numbers: Vec<i64> = results.accounts.keys().copied().collect();
    let mut account = BTreeMap::new();
    for some in numbers.chunks(5_000) {
        for (number, id) in account::ids(workspace, tx, some).await? {
            account.insert(id, results.accounts.get(&number).copied().unwrap_or(0));
        }
    }
    Ok(Facets { r#type: results.types.clone(), account, person: results.people.clone(), month: results.months.clone() })
}

/// The filter keys of a person given by id, address or name.
///
/// # Errors
/// When the store cannot be read.
pub async fn person_keys(workspace: WorkspaceId, tx: &mut Tx, person: &str) -> Result<Vec<String>> {
    if person.contains('@') {
        return Ok(vec![person.trim().to_lowercase()]);
    }
    let mut keys = party::addresses_of(workspace, tx, person).await?;
    if keys.is_empty() {
        let Some(by_name) = name_key(person) else { return Ok(keys) };
        let name = by_name.trim_start_matches('~');
        let same = |other: Option<&str>| other.and_then(name_key).is_some_and(|key| key == by_name);
        for stored in record::list(workspace, tx, Kind::Contact, None, Some(name), None, 50).await?.0 {
            let contact: Contact = stored.read()?;
            keys.extend(contact.emails.iter().filter(|_| same(contact.name.as_deref())).map(|e| e.to_lowercase()));
        }
        for stored in record::list(workspace, tx, Kind::TeamMember, None, Some(name), None, 50).await?.0 {
            let member: TeamMember = stored.read()?;
            keys.extend(member.email.iter().filter(|_| same(member.name.as_deref())).map(|e| e.to_lowercase()));
        }
        keys.push(by_name);
    }
    Ok(keys)
}
