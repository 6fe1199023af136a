//! One pass over the matches: the total, the best of a page, and the counts, so that all of them agree.

use std::cmp::{Ordering, Reverse};
use std::collections::{BinaryHeap, HashMap};
use std::ops::Range;
use std::time::Instant;

use jiff::Timestamp;
use jiff::civil::date;
use jiff::tz::TimeZone;
use tantivy::collector::{Collector, SegmentCollector};
use tantivy::columnar::{Column, StrColumn};
use tantivy::query::{EmptyScorer, Scorer, Weight};
use tantivy::{DocId, Score, SegmentOrdinal, SegmentReader};

use super::search::{Order, Position};

/// What a pass looks for.
#[derive(Debug, Clone)]
pub(super) struct Collect {
    pub order: Order,
    pub limit: usize,
    pub after: Option<Position>,
    /// Microseconds, `from ≤ t < to`.
    pub from: i64,
    pub to: i64,
    pub facets: bool,
    /// When to give up.
    pub deadline: Instant,
}

/// All matches in a stretch of time.
pub(super) struct All {
    /// Microseconds, `from ≤ t < to`.
    pub from: i64,
    pub to: i64,
    /// Finds those that say it themselves; none: none does.
    pub own: Option<Box<dyn Weight>>,
}

/// A match, whatever its score.
#[derive(Debug, Clone, Copy)]
pub(super) struct Member {
    pub thread: u64,
    pub at: i64,
    pub number: i64,
    pub is_own: bool,
}

pub(super) struct AllOfSegment {
    wanted: Range<i64>,
    own: Box<dyn Scorer>,
    at: Column<i64>,
    numbers: Column<u64>,
    threads: Column<u64>,
    found: Vec<Member>,
}

impl Collector for All {
    type Fruit = Vec<Member>;
    type Child = AllOfSegment;

    fn for_segment(&self, _: SegmentOrdinal, reader: &SegmentReader) -> tantivy::Result<AllOfSegment> {
        let columns = reader.fast_fields();
        let (at, numbers, threads) = (columns.i64("at")?, columns.u64("number")?, columns.u64("thread")?);
        let own = self.own.as_ref().map_or_else(|| Ok(Box::new(EmptyScorer) as Box<dyn Scorer>), |own| own.scorer(reader, 1.0))?;
        Ok(AllOfSegment { wanted: self.from..self.to, own, at, numbers, threads, found: Vec::new() })
    }

    fn requires_scoring(&self) -> bool {
        false
    }

    fn merge_fruits(&self, segments: Vec<Vec<Member>>) -> tantivy::Result<Vec<Member>> {
        Ok(segments.into_iter().flatten().collect())
    }
}

impl SegmentCollector for AllOfSegment {
    type Fruit = Vec<Member>;

    fn collect(&mut self, doc: DocId, _: Score) {
        let at = self.at.first(doc).unwrap_or(i64::MIN);
        if self.wanted.contains(&at) {
            let number = self.numbers.first(doc).and_then(|number| i64::try_from(number).ok()).unwrap_or(i64::MAX);
            // Matches come in order, so that both lists are walked through once.
            let is_own = self.own.doc() == doc || self.own.doc() < doc && self.own.seek(doc) == doc;
            self.found.push(Member { thread: self.threads.first(doc).unwrap_or_default(), at, number, is_own });
        }
    }

    fn harvest(self) -> Vec<Member> {
        self.found
    }
}

/// Matches between two looks at the clock.
const LOOK: u64 = 4_096;

/// A match: where it stands in the order, and which entry it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Match {
    pub score: Score,
    pub at: i64,
    pub number: u64,
    /// 0 without one.
    pub thread: u64,
}

/// What a pass found.
#[derive(Debug, Default)]
pub(super) struct Collected {
    pub total: u64,
    /// Best first.
    pub page: Vec<Match>,
    pub types: HashMap<String, u64>,
    pub accounts: HashMap<u64, u64>,
    pub people: HashMap<String, u64>,
    /// By `year * 12 + month - 1`.
    pub months: HashMap<i32, u64>,
    /// The deadline came before the end: what was found is not all.
    pub late: bool,
}

/// The order of a page as a key: larger comes first. Ties are broken by time, then number, so that pages never overlap.
#[derive(Debug, Clone, Copy)]
struct Ranked(Match, Order);

impl Ord for Ranked {
    fn cmp(&self, other: &Ranked) -> Ordering {
        let by_time = || (self.0.at, self.0.number).cmp(&(other.0.at, other.0.number));
        match self.1 {
            Order::Newest => by_time(),
            Order::Relevance => self.0.score.total_cmp(&other.0.score).then_with(by_time),
        }
    }
}

impl PartialOrd for Ranked {
    fn partial_cmp(&self, other: &Ranked) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Ranked {
    fn eq(&self, other: &Ranked) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Ranked {}

pub(super) struct Segment {
    wanted: Collect,
    after: Option<Ranked>,
    at: Column<i64>,
    numbers: Column<u64>,
    accounts: Column<u64>,
    threads: Column<u64>,
    types: Option<StrColumn>,
    people: Option<StrColumn>,
    total: u64,
    seen: u64,
    late: bool,
    best: BinaryHeap<Reverse<Ranked>>,
    type_counts: Vec<u64>,
    people_counts: Vec<u64>,
    account_counts: HashMap<u64, u64>,
    /// The account of the last match, and matches of it not counted yet: those of an account lie together.
    run: (u64, u64),
    /// None unless counts are asked for.
    months: Option<Months>,
}

impl Collector for Collect {
    type Fruit = Collected;
    type Child = Segment;

    fn for_segment(&self, _: SegmentOrdinal, reader: &SegmentReader) -> tantivy::Result<Segment> {
        let columns = reader.fast_fields();
        let at = columns.i64("at")?;
        let (types, people) = if self.facets { (columns.str("type")?, columns.str("person")?) } else { (None, None) };
        let terms = |column: &Option<StrColumn>| column.as_ref().map_or(0, |c| c.num_terms());
        Ok(Segment {
            after: self.after.map(|p| Ranked(Match { score: p.score, at: p.at, number: p.number, thread: 0 }, self.order)),
            wanted: self.clone(),
            numbers: columns.u64("number")?,
            accounts: columns.u64("account")?,
            threads: columns.u64("thread")?,
            type_counts: vec![0; terms(&types)],
            people_counts: vec![0; terms(&people)],
            types,
            people,
            total: 0,
            seen: 0,
            late: false,
            best: BinaryHeap::new(),
            account_counts: HashMap::new(),
            run: (0, 0),
            months: self.facets.then(|| Months::between(at.min_value(), at.max_value())),
            at,
        })
    }

    fn requires_scoring(&self) -> bool {
        self.order == Order::Relevance
    }

    fn merge_fruits(&self, segments: Vec<Collected>) -> tantivy::Result<Collected> {
        let mut all = Collected::default();
        let mut page: Vec<Ranked> = Vec::new();
        for segment in segments {
            all.total += segment.total;
            all.late |= segment.late;
            page.extend(segment.page.into_iter().map(|m| Ranked(m, self.order)));
            add(&mut all.types, segment.types);
            add(&mut all.accounts, segment.accounts);
            add(&mut all.people, segment.people);
            add(&mut all.months, segment.months);
        }
        page.sort_by(|a, b| b.cmp(a));
        page.truncate(self.limit);
        all.page = page.into_iter().map(|ranked| ranked.0).collect();
        Ok(all)
    }
}

fn add<K: std::hash::Hash + Eq>(into: &mut HashMap<K, u64>, from: HashMap<K, u64>) {
    for (key, count) in from {
        *into.entry(key).or_default() += count;
    }
}

impl SegmentCollector for Segment {
    type Fruit = Collected;

    fn collect(&mut self, doc: DocId, score: Score) {
        // What is left is walked past, which takes next to nothing.
        if self.late {
            return;
        }
        self.seen += 1;
        if self.seen.is_multiple_of(LOOK) {
            self.late = Instant::now() > self.wanted.deadline;
        }
        let at = self.at.first(doc).unwrap_or_default();
        if at < self.wanted.from || at >= self.wanted.to {
            return;
        }
        self.total += 1;
        if self.wanted.facets {
            self.count(doc, at);
        }
        let score = if self.wanted.order == Order::Relevance { score * freshness(at) } else { score };
        // With the last of all numbers: most are behind even so, and theirs need not be looked up.
        let mut ranked = Ranked(Match { score, at, number: u64::MAX, thread: 0 }, self.wanted.order);
        let is_full = self.best.len() >= self.wanted.limit;
        let is_behind = |ranked: &Ranked| is_full && self.best.peek().is_none_or(|worst| *ranked <= worst.0);
        if is_behind(&ranked) {
            return;
        }
        ranked.0.number = self.numbers.first(doc).unwrap_or_default();
        if is_behind(&ranked) || self.after.is_some_and(|after| ranked >= after) {
            return;
        }
        if is_full {
            self.best.pop();
        }
        ranked.0.thread = self.threads.first(doc).unwrap_or_default();
        self.best.push(Reverse(ranked));
    }

    fn harvest(mut self) -> Collected {
        self.end_run();
        // Names are looked up in one walk through the dictionary, not one by one.
        let names = |column: &Option<StrColumn>, counts: Vec<u64>| {
            let counted: Vec<(u64, u64)> = (0..).zip(counts).filter(|(_, count)| *count > 0).collect();
            let ords: Vec<u64> = counted.iter().map(|(ord, _)| *ord).collect();
            let mut named = HashMap::with_capacity(counted.len());
            let mut counts = counted.iter().map(|(_, count)| *count);
            if let Some(column) = column {
                let add = |name: &[u8]| {
                    named.insert(String::from_utf8_lossy(name).into_owned(), counts.next().unwrap_or_default());
                };
                // A dictionary that cannot be read names nothing; the list itself is unaffected.
                if column.dictionary().sorted_ords_to_term_cb(&ords, add).is_err() {
                    named.clear();
                }
            }
            named
        };
        Collected {
            total: self.total,
            page: self.best.into_iter().map(|ranked| ranked.0.0).collect(),
            types: names(&self.types, self.type_counts),
            people: names(&self.people, self.people_counts),
            accounts: self.account_counts,
            months: self.months.map(Months::counts).unwrap_or_default(),
            late: self.late,
        }
    }
}

impl Segment {
    fn count(&mut self, doc: DocId, at: i64) {
        if let Some(types) = &self.types {
            types.term_ords(doc).for_each(|ord| self.type_counts[ord as usize] += 1);
        }
        if let Some(people) = &self.people {
            people.term_ords(doc).for_each(|ord| self.people_counts[ord as usize] += 1);
        }
        let account = self.accounts.first(doc).unwrap_or_default();
        if account != self.run.0 {
            self.end_run();
            self.run.0 = account;
        }
        self.run.1 += 1;
        if let Some(months) = &mut self.months {
            months.count(at);
        }
    }

    fn end_run(&mut self) {
        let (account, matches) = std::mem::take(&mut self.run);
        if matches > 0 {
            *self.account_counts.entry(account).or_default() += matches;
        }
    }
}

/// Counts by month.
struct Months {
    /// `year * 12 + month - 1` of the first one.
    first: i32,
    /// When each but the first begins, in microseconds.
    begins: Vec<i64>,
    counts: Vec<u64>,
}

impl Months {
    /// Of times from one to another, in microseconds.
    fn between(from: i64, to: i64) -> Months {
        let first = month_of(from);
        let begins: Vec<i64> = (first + 1..=month_of(to)).map(begin_of).collect();
        Months { first, counts: vec![0; begins.len() + 1], begins }
    }

    fn count(&mut self, at: i64) {
        self.counts[self.begins.partition_point(|begin| *begin <= at)] += 1;
    }

    fn counts(self) -> HashMap<i32, u64> {
        (self.first..).zip(self.counts).filter(|(_, count)| *count > 0).collect()
    }
}

/// `year * 12 + month - 1` of a time in microseconds, in UTC.
fn month_of(at: i64) -> i32 {
    let at = Timestamp::from_microsecond(at).unwrap_or(if at < 0 { Timestamp::MIN } else { Timestamp::MAX });
    let date = at.to_zoned(TimeZone::UTC).date();
    i32::from(date.year()) * 12 + i32::from(date.month()) - 1
}

fn begin_of(month: i32) -> i64 {
    let (year, month) = (month.div_euclid(12) as i16, month.rem_euclid(12) as i8 + 1);
    date(year, month, 1).to_zoned(TimeZone::UTC).map_or(i64::MAX, |begin| begin.timestamp().as_microsecond())
}

/// Twenty years double what a match is worth, so that one year makes 3.5 %: of two that say the same the newer comes first. By the date
/// alone, not by its age, for a page's end must be where it was when the next one is asked for.
fn freshness(at: i64) -> f32 {
    const MICROSECONDS: f32 = 20.0 * 365.25 * 86_400e6;
    const YEAR_2000: i64 = 946_684_800_000_000;
    (at.saturating_sub(YEAR_2000) as f32 / MICROSECONDS).clamp(-5.0, 5.0).exp2()
}
