//! One search, front to back: the words become a query, the index finds, the store loads, the words are shown.

use std::collections::{BTreeMap, HashMap};

use jiff::Zoned;
use jiff::tz::TimeZone;
use serde::Serialize;
use utoipa::ToSchema;

use super::meaning::{self, Comparison, Mode};
use super::{Result, Service, blocking};
use crate::domain::WorkspaceId;
use crate::domain::entry::{Entry, EntryType, Side, name_key};
use crate::domain::record::{Competitor, Contact, Kind, TeamMember};
use crate::domain::span::Span;
use crate::index::excluded::Excluded;
use crate::index::passage::{self, Matched, Near, Passage};
use crate::index::query::{Marks, Query};
use crate::index::search::{Found, Order, Position};
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
    pub thread_id: Option<String>,
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
    /// By relevance: so many more of its thread match by nothing but their subject, quoted words or signature. They count, and are not
    /// shown: `thread:` with the thread's id lists them.
    pub repeats: u64,
    /// The fields in which a word was found, and `meaning` where that was near to what was asked.
    pub matched: Vec<String>,
    /// In `mode=meaning` and `both`: why it stands where it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<Why>,
    /// Up to five, best first.
    pub passages: Vec<Passage>,
}

/// Why a hit stands where it does: the two orders are merged by reciprocal rank.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, ToSchema)]
pub struct Why {
    /// Its place among those that the words found, 1 for the first; null: not among them.
    pub words: Option<usize>,
    /// Its place among those near in meaning.
    pub meaning: Option<usize>,
    /// How near its nearest stretch is: the cosine of the two vectors.
    pub closeness: Option<f32>,
}

/// Counts over all matches.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
pub struct Facets {
    pub r#type: BTreeMap<String, u64>,
    /// By account id; the 200 most frequent.
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
    /// What a search by meaning could not do, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    #[serde(skip)]
    pub next: Option<Position>,
}

/// Searches a workspace.
///
/// # Errors
/// When the index or the store cannot be read.
pub async fn search(service: &Service, workspace: WorkspaceId, request: Request, mode: Mode) -> Result<Answer> {
    searched(service, workspace, request, mode, passage::find).await
}

/// Chooses what is shown of a found entry.
pub(super) type Show = fn(&Entry, &[Span], &[(usize, String)], &Marks, &[Near]) -> Matched;

/// Searches, and shows of each entry what is wanted.
pub(super) async fn searched(service: &Service, workspace: WorkspaceId, request: Request, mode: Mode, show: Show) -> Result<Answer> {
    let Ranked { request, results, why, comparison, note } = match mode {
        Mode::Words => find(service, workspace, request).await.map(|(request, results)| Ranked::by_words(request, results))?,
        Mode::Meaning | Mode::Both => ranked(service, workspace, request, mode).await?,
    };
    if results.found.is_empty() && results.total == 0 {
        let excluded = excluded(service, workspace, request.clone()).await?;
        let facets = request.facets.then(Facets::default);
        return Ok(Answer { total: 0, hits: Vec::new(), facets, query: request.query.to_string(), excluded, note, next: None });
    }
    let mut tx = service.store.read(workspace).await?;
    let numbers: Vec<i64> = results.found.iter().map(|f| f.number).collect();
    let stored = entry::by_numbers(workspace, &mut tx, &numbers).await?;
    let with_files: Vec<i64> = stored.iter().filter(|s| !s.entry.attachments.is_empty()).map(|s| s.number).collect();
    let files = attachment::of(workspace, &mut tx, &with_files).await?;
    let facets = if request.facets { Some(facets(workspace, &mut tx, &results).await?) } else { None };
    drop(tx);
    let mut by_number: HashMap<i64, entry::Stored> = stored.into_iter().map(|s| (s.number, s)).collect();
    let next = results.next;
    let found = results.found.len() as u64;
    let query = request.query.to_string();
    let hits = blocking(move || {
        let marks = request.query.marks(&results.meant);
        let hit = |found: &Found| {
            let stored = by_number.remove(&found.number)?;
            let files = files.get(&stored.number).map_or(&[] as &[_], Vec::as_slice);
            let near = comparison.as_ref().map_or_else(Vec::new, |comparison| comparison.near(found.number));
            let matched = show(&stored.entry, &stored.spans, files, &marks, &near);
            Some(hit(stored, matched, found, why.get(&found.number).copied()))
        };
        results.found.iter().filter_map(hit).collect::<Vec<_>>()
    })
    .await?;
    // What was deleted since the last commit of the index is neither shown nor counted.
    let total = results.total.saturating_sub(found - hits.len() as u64);
    Ok(Answer { total, hits, facets, query, excluded: Vec::new(), note, next })
}

/// Entries in order, and what made the order.
struct Ranked {
    request: Request,
    results: Results,
    why: HashMap<i64, Why>,
    comparison: Option<Comparison>,
    note: Option<String>,
}

impl Ranked {
    fn by_words(request: Request, results: Results) -> Ranked {
        Ranked { request, results, why: HashMap::new(), comparison: None, note: None }
    }
}

/// Entries that are merged of each order.
const MERGED: usize = 200;
/// Entries that the words find best, whose meaning is compared where the scope is too large to compare all.
const COMPARED: usize = 1_000;
/// What the first place is worth in comparison with the next ones: the constant of reciprocal rank fusion (Cormack, Clarke and
/// Büttcher 2009).
const RANK: f32 = 60.0;

/// The best entries by any of the words and by meaning, merged by reciprocal rank.
async fn ranked(service: &Service, workspace: WorkspaceId, request: Request, mode: Mode) -> Result<Ranked> {
    let asked = request.query.asked();
    let by_words = Request { query: request.query.clone().ranked(), limit: COMPARED, after: None, order: Order::Relevance, ..request.clone() };
    let (question, found) = tokio::join!(meaning::of_question(service, &asked), find(service, workspace, by_words));
    let (by_words, mut results) = found?;
    let question = match question {
        Ok(question) => question,
        Err(reason) => {
            results.keep_after(request.after, request.limit);
            let note = Some(format!("words only: {reason}"));
            return Ok(Ranked { note, ..Ranked::by_words(by_words, results) });
        }
    };
    let numbers: Vec<i64> = results.found.iter().map(|found| found.number).collect();
    let frame = Request { query: request.query.clone().frame(), named: by_words.named.clone(), ..request.clone() };
    let comparison = Comparison::of(service, workspace, request.account, &question, &numbers).await?;
    let (Some(comparison), Some(index)) = (comparison, service.index.of(workspace)?) else {
        return Ok(Ranked::by_words(by_words, results));
    };
    let (comparison, nearest) = blocking(move || {
        let allowed = if comparison.is_whole() { index.numbers(&frame)? } else { numbers.into_iter().collect() };
        let nearest = comparison.nearest(&allowed, MERGED);
        Ok::<_, crate::index::IndexError>((comparison, nearest))
    })
    .await??;
    let note = (!comparison.is_whole())
        .then(|| format!("too much to compare all of it by meaning: only the {COMPARED} best by words were; name an account to compare all of its"));
    let mut why: HashMap<i64, Why> = HashMap::new();
    for (place, found) in results.found.iter().take(MERGED).enumerate() {
        why.entry(found.number).or_default().words = Some(place + 1);
    }
    for (place, (number, closeness)) in nearest.into_iter().enumerate() {
        let why = why.entry(number).or_default();
        (why.meaning, why.closeness) = (Some(place + 1), Some(closeness));
    }
    if mode == Mode::Meaning {
        why.retain(|_, why| why.meaning.is_some());
    }
    let repeats: HashMap<i64, u64> = results.found.iter().map(|found| (found.number, found.repeats)).collect();
    let worth = |place: Option<usize>| place.map_or(0.0, |place| 1.0 / (RANK + place as f32));
    let found = |(number, why): (&i64, &Why)| {
        let score = worth(why.words.filter(|_| mode == Mode::Both)) + worth(why.meaning);
        Found { repeats: repeats.get(number).copied().unwrap_or(0), ..Found::new(*number, Position { score, at: 0, number: number.unsigned_abs() }) }
    };
    results.found = why.iter().map(found).collect();
    results.found.sort_unstable_by(|a, b| b.score.total_cmp(&a.score).then(b.number.cmp(&a.number)));
    results.keep_after(request.after, request.limit);
    Ok(Ranked { request: by_words, results, why, comparison: Some(comparison), note })
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

fn hit(stored: entry::Stored, mut matched: Matched, found: &Found, why: Option<Why>) -> Hit {
    if why.is_some_and(|why| why.meaning.is_some()) {
        matched.fields.push("meaning");
    }
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
        thread_id: entry.thread_id,
        subject: entry.subject,
        speaker: best.and_then(|p| p.speaker.clone()),
        side: best.map_or(entry.side, |p| p.side),
        score: found.score,
        repeats: found.repeats,
        matched: matched.fields.into_iter().map(str::to_owned).collect(),
        passages: matched.passages,
        why,
    }
}

async fn facets(workspace: WorkspaceId, tx: &mut Tx, results: &Results) -> Result<Facets> {
    let numbers: Vec<i64> = results.accounts.keys().copied().collect();
    let ids = account::ids(workspace, tx, &numbers).await?;
    let account = ids.into_iter().map(|(number, id)| (id, results.accounts.get(&number).copied().unwrap_or(0))).collect();
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
