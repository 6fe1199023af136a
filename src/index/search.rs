//! Searching: a query value and its scope become tantivy's query, one pass answers, and the page's numbers come back.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tantivy::directory::MmapDirectory;
use tantivy::{IndexReader, ReloadPolicy, Searcher};

use super::collect::{All, Collect, Collected};
use super::compile::{Meant, Whose};
use super::excluded::{self, Excluded};
use super::query::Query;
use super::repeats::Repeats;
use super::schema::{self, Fields};
use super::{IndexError, Result, compile, variant, write};
use crate::domain::entry::EntryType;

words! {
    /// How hits are ordered.
    Order { Relevance = "relevance", Newest = "newest" }
}

/// One search.
#[derive(Debug, Clone)]
pub struct Request {
    pub query: Query,
    /// Number of the one account to look in.
    pub account: Option<i64>,
    pub types: Vec<EntryType>,
    pub from: Option<Timestamp>,
    pub to: Option<Timestamp>,
    /// Filter keys of which one must have taken part.
    pub people: Option<Vec<String>>,
    /// Numbers of the accounts that the query names, by name.
    pub named: HashMap<String, Vec<i64>>,
    pub order: Order,
    pub limit: usize,
    pub after: Option<Position>,
    pub facets: bool,
}

impl Request {
    /// A search for this query in everything, newest first.
    pub fn newest(query: Query, limit: usize) -> Request {
        Request {
            query,
            account: None,
            types: Vec::new(),
            from: None,
            to: None,
            people: None,
            named: HashMap::new(),
            order: Order::Newest,
            limit,
            after: None,
            facets: false,
        }
    }
}

/// Where a page ended: the next one begins behind it, at any depth at the same cost.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Position {
    pub score: f32,
    pub at: i64,
    pub number: u64,
}

/// One found entry.
#[derive(Debug, Clone, Copy)]
pub struct Found {
    pub number: i64,
    pub score: f32,
    pub position: Position,
    /// A hash of its thread's id, 0 without one.
    pub thread: u64,
    /// Matches of its thread that are left out, for they only repeat it.
    pub repeats: u64,
}

impl Found {
    pub fn new(number: i64, position: Position) -> Found {
        Found { number, score: position.score, position, thread: 0, repeats: 0 }
    }
}

/// A page of hits with the total and, when asked for, the counts over all matches.
#[derive(Debug, Default)]
pub struct Results {
    pub total: u64,
    pub found: Vec<Found>,
    /// Behind which the next page begins, where one follows.
    pub next: Option<Position>,
    /// For words that hardly anybody wrote, those that were looked for as well.
    pub meant: Meant,
    pub types: BTreeMap<String, u64>,
    /// By account number; 0 and unknown numbers are nobody's. Of these and of people the [`MOST_COUNTED`].
    pub accounts: BTreeMap<i64, u64>,
    pub people: BTreeMap<String, u64>,
    /// By `YYYY-MM`.
    pub months: BTreeMap<String, u64>,
}

impl Results {
    /// Keeps the page behind a position, of a list that is in order.
    pub fn keep_after(&mut self, after: Option<Position>, limit: usize) {
        self.next = None;
        if let Some(after) = after {
            let is_behind = |found: &Found| {
                found.score.total_cmp(&after.score).then(found.position.at.cmp(&after.at)).then(found.position.number.cmp(&after.number)).is_lt()
            };
            self.found.retain(is_behind);
        }
        self.keep(limit);
    }

    /// Keeps the first ones.
    fn keep(&mut self, limit: usize) {
        if self.found.len() > limit {
            self.found.truncate(limit);
            self.next = self.found.last().map(|last| last.position);
        }
    }
}

/// A search that takes longer is given up.
const LONGEST: Duration = Duration::from_millis(400);
/// Of so many matches for each entry of a page, some may be repeats; and how often more are looked for to fill it.
const ROOM: usize = 2;
const ROUNDS: usize = 4;
/// People, and accounts, counted in one answer: those with the most entries.
const MOST_COUNTED: usize = 200;

/// An open index.
pub struct Index {
    engine: tantivy::Index,
    directory: MmapDirectory,
    reader: IndexReader,
    fields: Fields,
}

impl std::fmt::Debug for Index {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Index")
    }
}

impl Index {
    /// Opens the index in a directory.
    ///
    /// # Errors
    /// When it is missing, damaged or of another schema.
    pub fn open(path: &Path) -> Result<Index> {
        Index::with(write::open(path)?)
    }

    /// Makes an empty index, removing whatever was in the directory.
    ///
    /// # Errors
    /// When the directory cannot be written.
    pub fn create(path: &Path) -> Result<Index> {
        Index::with(write::create(path)?)
    }

    fn with((engine, directory): (tantivy::Index, MmapDirectory)) -> Result<Index> {
        let reader = engine.reader_builder().reload_policy(ReloadPolicy::Manual).try_into()?;
        let (expected, fields) = schema::build();
        if engine.schema() != expected {
            return Err(tantivy::TantivyError::SchemaError("the index was written with other fields".to_owned()).into());
        }
        Ok(Index { engine, directory, reader, fields })
    }

    pub(super) fn engine(&self) -> &tantivy::Index {
        &self.engine
    }

    pub(super) fn fields(&self) -> Fields {
        self.fields
    }

    /// The sequence number that the last commit covers, and the database it was made from; none when nothing was
    /// committed.
    pub fn committed(&self) -> Result<Option<(i64, String)>> {
        write::committed(&self.engine)
    }

    /// Shows the last commit to searches that start from now on.
    pub fn reload(&self) -> Result<()> {
        self.reader.reload()?;
        // Asked, the directory forgets the files that are gone; it would remember each one that ever was.
        self.directory.get_cache_info();
        Ok(())
    }

    /// How many entries searches see.
    pub fn len(&self) -> u64 {
        self.reader.searcher().num_docs()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The numbers of all entries in the index with the hashes of their documents, sorted, to compare with the store.
    pub fn hashes(&self) -> Result<Vec<(i64, u64)>> {
        let mut hashes = Vec::new();
        for reader in self.reader.searcher().segment_readers() {
            let (number, hash) = (reader.fast_fields().u64("number")?, reader.fast_fields().u64("hash")?);
            let pairs = reader.doc_ids_alive().filter_map(|doc| Some((i64::try_from(number.first(doc)?).ok()?, hash.first(doc)?)));
            hashes.extend(pairs);
        }
        hashes.sort_unstable();
        Ok(hashes)
    }

    /// Searches. By relevance, what only repeats its thread is counted and left out. Blocks: call it off the async threads.
    ///
    /// # Errors
    /// When the index cannot be read, or it takes too long.
    pub fn search(&self, request: &Request) -> Result<Results> {
        let deadline = Instant::now() + LONGEST;
        let searcher = self.reader.searcher();
        let mut meant = Meant::new();
        for word in request.query.loose_words() {
            let others = variant::meant(&searcher, &self.fields, word)?;
            if !others.is_empty() {
                meant.insert(word.to_owned(), others);
            }
        }
        let own = match compile::whose(&self.fields, request, &meant) {
            Whose::Own(own) if request.order == Order::Relevance => Some(own),
            Whose::Threads if request.order == Order::Relevance => None,
            _ => return Ok(Results { meant: meant.clone(), ..self.page(&searcher, request, &meant, deadline)? }),
        };
        let repeats = Repeats { searcher: &searcher, fields: &self.fields, request, meant: &meant, own };
        let mut wide = Request { limit: request.limit * ROOM, ..request.clone() };
        let mut results = self.page(&searcher, &wide, &meant, deadline)?;
        results.found = repeats.leave_out(results.found)?;
        for _ in 0..ROUNDS {
            let Some(next) = results.next.filter(|_| results.found.len() < request.limit) else { break };
            (wide.after, wide.facets) = (Some(next), false);
            let more = self.page(&searcher, &wide, &meant, deadline)?;
            results.found.extend(repeats.leave_out(more.found)?);
            results.next = more.next;
        }
        results.keep(request.limit);
        Ok(Results { meant, ..results })
    }

    /// One pass over the matches.
    fn page(&self, searcher: &Searcher, request: &Request, meant: &Meant, deadline: Instant) -> Result<Results> {
        let (from, to) = compile::times(request);
        let collect = Collect { order: request.order, limit: request.limit + 1, after: request.after, from, to, facets: request.facets, deadline };
        let collected = searcher.search(&compile::scoped(&self.fields, request, meant), &collect)?;
        if collected.late {
            return Err(IndexError::TooBroad(LONGEST));
        }
        Ok(results(collected, request.limit))
    }

    /// The numbers of all entries that match, of which there are to be few: those of an account, say.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn numbers(&self, request: &Request) -> Result<HashSet<i64>> {
        let (from, to) = compile::times(request);
        let query = compile::scoped(&self.fields, request, &Meant::new());
        let found = self.reader.searcher().search(&query, &All { from, to, own: None })?;
        Ok(found.into_iter().map(|member| member.number).collect())
    }

    /// How rare words are among all entries: the logarithm of how many there are for each that holds the word (BM25's).
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn rarity(&self, words: &[String]) -> Result<Vec<f64>> {
        let searcher = self.reader.searcher();
        let all = searcher.num_docs() as f64;
        let rarity = |word: &String| {
            let with = variant::frequency(&searcher, &self.fields, word)? as f64;
            Ok((1.0 + (all - with).max(0.0) / (with + 0.5)).ln())
        };
        words.iter().map(rarity).collect()
    }

    /// What keeps entries out of an empty answer.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn excluded(&self, request: &Request) -> Result<Vec<Excluded>> {
        excluded::excluded(self, request)
    }

    /// The most frequent words that begin like this.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn words_beginning(&self, prefix: &str, most: usize) -> Result<Vec<String>> {
        variant::beginning(&self.reader.searcher(), &self.fields, prefix, most)
    }
}

fn results(collected: Collected, limit: usize) -> Results {
    let found = collected.page.into_iter().map(|m| {
        let position = Position { score: m.score, at: m.at, number: m.number };
        Found { thread: m.thread, ..Found::new(i64::try_from(m.number).unwrap_or(i64::MAX), position) }
    });
    let mut results = Results {
        total: collected.total,
        found: found.collect(),
        next: None,
        meant: Meant::new(),
        types: collected.types.into_iter().collect(),
        accounts: most(collected.accounts.into_iter().map(|(n, count)| (i64::try_from(n).unwrap_or(0), count))),
        people: most(collected.people),
        months: collected.months.into_iter().map(|(m, count)| (format!("{:04}-{:02}", m.div_euclid(12), m.rem_euclid(12) + 1), count)).collect(),
    };
    results.keep(limit);
    results
}

/// Those that were counted most.
fn most<K: Ord>(counts: impl IntoIterator<Item = (K, u64)>) -> BTreeMap<K, u64> {
    let mut counts: Vec<(K, u64)> = counts.into_iter().collect();
    counts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    counts.truncate(MOST_COUNTED);
    counts.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::entry::{Entry, Participant, ParticipantRole};
    use crate::domain::span::{Span, SpanKind};
    use crate::index::document::Document;
    use crate::index::query::QueryError;
    use crate::index::write::{Change, Writer};

    fn parse(text: &str) -> std::result::Result<Query, QueryError> {
        crate::index::query::parse(text, &Timestamp::UNIX_EPOCH.to_zoned(jiff::tz::TimeZone::UTC))
    }

    fn document(number: i64, day: i64, kind: EntryType, subject: &str, new: &str, quoted: &str) -> Document {
        let mut entry = Entry::new(format!("e{number}"), kind, Timestamp::from_second(1_750_000_000 + day * 86_400).unwrap());
        entry.subject = Some(subject.to_owned());
        entry.body = format!("{new}{quoted}");
        let (middle, end) = (new.chars().count(), entry.body.chars().count());
        entry.participants.push(Participant {
            role: ParticipantRole::From,
            name: Some("Ann Lee".into()),
            email: Some(format!("p{}@acme.example", number % 3)),
        });
        let spans = [Span::new(SpanKind::New, 0, middle), Span::new(SpanKind::Quoted, middle, end)];
        Document::of(number, 1 + number % 2, &entry, &spans, &[], None)
    }

    fn index(documents: Vec<Document>) -> (tempfile::TempDir, Index) {
        let directory = tempfile::tempdir().unwrap();
        let index = Index::create(&directory.path().join("index")).unwrap();
        let mut writer = Writer::new(&index, "store", 15_000_000).unwrap();
        writer.apply(documents.into_iter().map(|d| Change::Add(Box::new(d))).collect()).unwrap();
        writer.commit(7).unwrap();
        writer.finish().unwrap();
        index.reload().unwrap();
        (directory, index)
    }

    fn numbers(index: &Index, text: &str) -> Vec<i64> {
        let results = index.search(&Request::newest(parse(text).unwrap(), 50)).unwrap();
        assert_eq!(results.total as usize, results.found.len());
        results.found.iter().map(|f| f.number).collect()
    }

    #[test]
    fn words_phrases_prefixes_and_exclusions_find_what_they_say() {
        let (_directory, index) = index(vec![
            document(1, 1, EntryType::Call, "Scanner outage", "The scanners in Leeds stopped.", ""),
            document(2, 2, EntryType::Note, "Renewal", "They want a discount on the renewal price.", "the scanner story"),
            document(3, 3, EntryType::EmailSent, "Preisliste", "Grüße, anbei die Preisliste.", ""),
        ]);
        for (text, found) in [
            ("scanner", vec![2, 1]),
            ("scanner -renewal", vec![1]),
            ("\"renewal price\"", vec![2]),
            ("\"price renewal\"", vec![]),
            ("scan*", vec![2, 1]),
            ("grusse OR outage", vec![3, 1]),
            ("(leeds OR discount) stopped", vec![1]),
            ("ann p1@acme.example", vec![1]),
            ("", vec![3, 2, 1]),
            ("nowhere", vec![]),
            ("scanner (-outage -nowhere)", vec![2]),
        ] {
            assert_eq!(numbers(&index, text), found, "{text}");
        }
        let relevance = Request { order: Order::Relevance, ..Request::newest(parse("scanner").unwrap(), 10) };
        let ranked: Vec<_> = index.search(&relevance).unwrap().found.iter().map(|f| f.number).collect();
        assert_eq!(ranked, [1, 2], "the subject outweighs a quotation");
        assert_eq!(index.committed().unwrap(), Some((7, "store".to_owned())));
    }

    #[test]
    fn pages_join_without_gap_and_counts_equal_the_list() {
        let documents = (1..=57).map(|n| document(n, n / 4, EntryType::ALL[(n % 5) as usize], "Depot", "depot word depot", "")).collect();
        let (_directory, index) = index(documents);
        for order in [Order::Newest, Order::Relevance] {
            let mut request = Request { order, facets: true, ..Request::newest(parse("depot").unwrap(), 10) };
            let mut seen = Vec::new();
            loop {
                let page = index.search(&request).unwrap();
                assert_eq!(page.total, 57);
                for counts in [page.types.values().sum::<u64>(), page.accounts.values().sum(), page.months.values().sum(), page.people.values().sum()]
                {
                    assert_eq!(counts, 57);
                }
                seen.extend(page.found.iter().map(|f| f.number));
                match page.next {
                    Some(next) => request.after = Some(next),
                    None => break,
                }
            }
            let distinct: std::collections::HashSet<_> = seen.iter().collect();
            assert_eq!((seen.len(), distinct.len()), (57, 57), "{order}");
        }
        let filtered = Request {
            account: Some(1),
            types: vec![EntryType::Call],
            people: Some(vec!["p1@acme.example".into()]),
            from: Some(Timestamp::from_second(1_750_000_000).unwrap()),
            to: Some(Timestamp::from_second(1_750_000_000 + 10 * 86_400).unwrap()),
            ..Request::newest(Query::All, 50)
        };
        let found = index.search(&filtered).unwrap();
        let expected = (1..=57).filter(|n| n % 2 == 0 && EntryType::ALL[(n % 5) as usize] == EntryType::Call && n % 3 == 1 && n / 4 < 10).count();
        assert_eq!(found.total as usize, expected);
    }

    proptest::proptest! {
        #[test]
        fn any_query_is_refused_or_answered(text in "([a-z]{1,9}|[\"()*=~:-]|from:|subject:|in:quoted|has:question|sentiment:<0|during:|march|NEAR/3|OR|NOT| |é|中|9|\u{202e}){0,24}") {
            static INDEX: std::sync::OnceLock<(tempfile::TempDir, Index)> = std::sync::OnceLock::new();
            let (_, index) = INDEX.get_or_init(|| {
                index((1..=20).map(|n| document(n, n, EntryType::Note, "march depot", "the question of the depot, 中文 Grüße", "quoted price")).collect())
            });
            if let Ok(query) = parse(&text) {
                for order in [Order::Newest, Order::Relevance] {
                    let results = index.search(&Request { order, ..Request::newest(query.clone(), 10) }).unwrap();
                    proptest::prop_assert_eq!(results.found.len() as u64, results.total.min(10));
                    let _ = query.marks(&results.meant);
                }
            }
        }
    }
}
