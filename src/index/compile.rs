//! From a query and its scope to what tantivy runs.

use std::collections::HashMap;
use std::ops::Bound;

use tantivy::Term;
use tantivy::query::{
    AllQuery, BooleanQuery, BoostQuery, ConstScoreQuery, InvertedIndexRangeQuery, Occur, PhraseQuery, Query as EngineQuery, RangeQuery, TermQuery,
    TermSetQuery,
};
use tantivy::schema::{Field, IndexRecordOption};

use super::document::{deal_tag, has_tag, side_tag, thread_key};
use super::query::operator::Place;
use super::query::{Condition, Query};
use super::schema::Fields;
use super::search::Request;
use super::stem;

/// The stretch of time, in microseconds, that every match lies in: the request's own, narrowed by what the query says of all.
pub(super) fn times(request: &Request) -> (i64, i64) {
    let mut from = request.from.map_or(i64::MIN, |t| t.as_microsecond());
    let mut to = request.to.map_or(i64::MAX, |t| t.as_microsecond());
    for part in parts(&request.query) {
        if let Query::If(Condition::Time { from: since, to: until }) = part {
            from = from.max(since.map_or(i64::MIN, |t| t.as_microsecond()));
            to = to.min(until.map_or(i64::MAX, |t| t.as_microsecond()));
        }
    }
    (from, to)
}

/// What all must hold of a match.
fn parts(query: &Query) -> &[Query] {
    match query {
        Query::And(parts) => parts,
        one => std::slice::from_ref(one),
    }
}

/// The query inside its scope; times that hold for all are left to the collector.
pub(super) fn scoped(fields: &Fields, request: &Request, meant: &Meant) -> BooleanQuery {
    let compiler = Compiler { fields, request, meant, loose: true };
    let mut clauses = Vec::new();
    if let Some(account) = request.account {
        clauses.push(filter(compiler.accounts(&[account])));
    }
    if !request.types.is_empty() {
        clauses.push(filter(compiler.condition(&Condition::Type(request.types.clone()))));
    }
    if let Some(people) = &request.people {
        clauses.push(filter(any_of(people.iter().map(|p| Term::from_field_text(fields.person, p)))));
    }
    let is_left = |part: &&Query| !matches!(part, Query::All | Query::If(Condition::Time { .. }));
    let rest = compiler.all(parts(&request.query).iter().filter(is_left), None, clauses.is_empty());
    clauses.extend(rest);
    BooleanQuery::new(clauses)
}

/// Whose words a match can be.
pub(super) enum Whose {
    /// None are asked for, or a whole thread is: nothing repeats anything.
    Anybodys,
    /// Only subjects or quoted words are asked for.
    Threads,
    /// Finds entries that hold one of the asked words themselves: not only in their subject or what they quote.
    Own(BooleanQuery),
}

/// Whose words the matches of a request can be.
pub(super) fn whose(fields: &Fields, request: &Request, meant: &Meant) -> Whose {
    let compiler = Compiler { fields, request, meant, loose: true };
    let mut own = Vec::new();
    match compiler.own(&request.query, &[fields.new, fields.people, fields.files], &mut own) {
        false => Whose::Anybodys,
        true if own.is_empty() => Whose::Threads,
        true => Whose::Own(BooleanQuery::union(own)),
    }
}

/// For words that hardly anybody wrote, those that were probably meant.
pub type Meant = HashMap<String, Vec<String>>;

/// What another form of a word is worth beside the word itself, and what one in its place that is spelt otherwise.
const FORM: f32 = 0.2;
const OTHER_SPELLING: f32 = 0.05;

#[derive(Clone, Copy)]
struct Compiler<'a> {
    fields: &'a Fields,
    request: &'a Request,
    meant: &'a Meant,
    /// Whether other forms and spellings of a word will do; not for words that are excluded.
    loose: bool,
}

type Clause = (Occur, Box<dyn EngineQuery>);

impl Compiler<'_> {
    /// Parts that must all hold. Where they only exclude, they exclude from everything, unless something else says from what.
    fn all<'q>(&self, parts: impl IntoIterator<Item = &'q Query>, place: Option<Place>, alone: bool) -> Vec<Clause> {
        let clauses = parts.into_iter().map(|part| match part {
            Query::Not(inner) => (Occur::MustNot, Compiler { loose: false, ..*self }.query(inner, place)),
            Query::If(condition) => filter(self.condition(condition)),
            part => (Occur::Must, self.query(part, place)),
        });
        let mut clauses: Vec<Clause> = clauses.collect();
        if alone && clauses.iter().all(|(occur, _)| *occur == Occur::MustNot) {
            clauses.push((Occur::Must, Box::new(AllQuery)));
        }
        clauses
    }

    /// One part of the query, its words looked for in one place or in all.
    fn query(&self, query: &Query, place: Option<Place>) -> Box<dyn EngineQuery> {
        match query {
            Query::All => Box::new(AllQuery),
            Query::Word(word) if self.loose && place.is_none() => self.word(word),
            Query::Word(word) | Query::Exact(word) => self.exact(word, place),
            Query::Together(words) => self.words(place, |field| phrase(field, words, 0)),
            Query::Phrase(words, slop) => self.words(place, |field| phrase(field, words, *slop)),
            Query::Near(left, right, distance) => self.words(place, |field| near(field, left, right, *distance)),
            Query::Prefix(text) => self.words(place, |field| prefix(field, text)),
            // Of places within places the inner one counts.
            Query::In(place, inner) => self.query(inner, Some(*place)),
            Query::If(condition) => self.condition(condition),
            Query::Not(_) => Box::new(BooleanQuery::new(self.all([query], place, true))),
            Query::And(parts) => Box::new(BooleanQuery::new(self.all(parts, place, true))),
            Query::Or(parts) => Box::new(BooleanQuery::new(parts.iter().map(|part| (Occur::Should, self.query(part, place))).collect())),
        }
    }

    fn exact(&self, word: &str, place: Option<Place>) -> Box<dyn EngineQuery> {
        self.words(place, |field| term(Term::from_field_text(field, word)))
    }

    /// The word as it is, then its other forms, then what it may be misspelt for.
    fn word(&self, word: &str) -> Box<dyn EngineQuery> {
        let mut either = vec![(Occur::Should, self.exact(word, None))];
        for stem in stem::of(word) {
            let form = term(Term::from_field_text(self.fields.stem, &stem));
            either.push((Occur::Should, Box::new(BoostQuery::new(form, FORM))));
        }
        for other in self.meant.get(word).into_iter().flatten() {
            either.push((Occur::Should, Box::new(ConstScoreQuery::new(self.exact(other, None), OTHER_SPELLING))));
        }
        Box::new(BooleanQuery::new(either))
    }

    /// In the field of a place, or in any of those that are searched, each by its weight.
    fn words(&self, place: Option<Place>, query: impl Fn(Field) -> Box<dyn EngineQuery>) -> Box<dyn EngineQuery> {
        if let Some(place) = place {
            return query(self.fields.of(place));
        }
        let parts = self.fields.words().into_iter().map(|(field, _, weight)| {
            let weighted: Box<dyn EngineQuery> = Box::new(BoostQuery::new(query(field), weight));
            (Occur::Should, weighted)
        });
        Box::new(BooleanQuery::new(parts.collect()))
    }

    /// Adds, for each asked word, what finds it in these fields; whether any word is asked for at all, and not a whole thread.
    fn own(&self, query: &Query, places: &[Field], found: &mut Vec<Box<dyn EngineQuery>>) -> bool {
        let everywhere = |word: &str| places.iter().map(|field| term(Term::from_field_text(*field, word))).collect::<Vec<_>>();
        match query {
            Query::Word(word) | Query::Exact(word) => {
                found.extend(everywhere(word));
                found.extend(self.meant.get(word).into_iter().flatten().flat_map(|other| everywhere(other)));
            }
            Query::Together(words) => found.extend(places.iter().map(|field| phrase(*field, words, 0))),
            Query::Phrase(words, slop) => found.extend(places.iter().map(|field| phrase(*field, words, *slop))),
            Query::Near(left, right, distance) => found.extend(places.iter().map(|field| near(*field, left, right, *distance))),
            Query::Prefix(text) => found.extend(places.iter().map(|field| prefix(*field, text))),
            Query::In(Place::From | Place::To | Place::Cc | Place::With, _) | Query::Not(_) | Query::All => return false,
            Query::In(Place::Subject | Place::Quoted, inner) => return self.own(inner, &[], found),
            Query::In(place @ (Place::Body | Place::Attachment), inner) => return self.own(inner, &[self.fields.of(*place)], found),
            Query::If(_) => return false,
            Query::And(parts) | Query::Or(parts) => {
                let asks = parts.iter().fold(false, |asks, part| self.own(part, places, found) | asks);
                return asks && !parts.iter().any(|part| matches!(part, Query::If(Condition::Thread(_))));
            }
        }
        true
    }

    fn condition(&self, condition: &Condition) -> Box<dyn EngineQuery> {
        let f = self.fields;
        let tag = |tag: String| term(Term::from_field_text(f.tag, &tag));
        match condition {
            Condition::Side(side) => tag(side_tag(side)),
            Condition::Has(has) => tag(has_tag(has)),
            Condition::Thread(id) => term(Term::from_field_u64(f.thread, thread_key(id))),
            Condition::Deal(id) => tag(deal_tag(id)),
            Condition::Type(types) => any_of(types.iter().map(|t| Term::from_field_text(f.r#type, t.as_str()))),
            Condition::Account(name) => self.accounts(self.request.named.get(name).map_or(&[], Vec::as_slice)),
            Condition::Time { from, to } => {
                let micros = |at: &jiff::Timestamp| Term::from_field_i64(f.at, at.as_microsecond());
                range(from.as_ref().map(micros), to.as_ref().map(|to| Bound::Excluded(micros(to))))
            }
            Condition::Sentiment { from, to } => {
                let score = |at: i64| Term::from_field_i64(f.sentiment, at);
                range(Some(score(*from)), Some(Bound::Included(score(*to))))
            }
        }
    }

    fn accounts(&self, numbers: &[i64]) -> Box<dyn EngineQuery> {
        any_of(numbers.iter().map(|number| Term::from_field_u64(self.fields.account, number.unsigned_abs())))
    }
}

/// Terms beyond which they are looked for together: that costs as much as there are entries, one by one as there are matches.
const FEW: usize = 64;

/// Entries with any of these terms.
pub(super) fn any_of(terms: impl Iterator<Item = Term>) -> Box<dyn EngineQuery> {
    let mut terms: Vec<Term> = terms.collect();
    let one = |term| Box::new(TermQuery::new(term, IndexRecordOption::Basic)) as Box<dyn EngineQuery>;
    match terms.len() {
        1 => one(terms.remove(0)),
        2..=FEW => Box::new(BooleanQuery::union(terms.into_iter().map(one).collect())),
        _ => Box::new(TermSetQuery::new(terms)),
    }
}

fn range(from: Option<Term>, to: Option<Bound<Term>>) -> Box<dyn EngineQuery> {
    match (from, to) {
        (None, None) => Box::new(AllQuery),
        (from, to) => Box::new(RangeQuery::new(from.map_or(Bound::Unbounded, Bound::Included), to.unwrap_or(Bound::Unbounded))),
    }
}

fn phrase(field: Field, words: &[String], slop: u32) -> Box<dyn EngineQuery> {
    let terms: Vec<(usize, Term)> = words.iter().map(|word| Term::from_field_text(field, word)).enumerate().collect();
    Box::new(PhraseQuery::new_with_offset_and_slop(terms, slop))
}

/// In a phrase, so many others in between: neighbours have none.
fn near(field: Field, left: &str, right: &str, distance: u32) -> Box<dyn EngineQuery> {
    let either = [[left, right], [right, left]].map(|words| phrase(field, &words.map(str::to_owned), distance - 1));
    Box::new(BooleanQuery::union(either.into()))
}

fn prefix(field: Field, prefix: &str) -> Box<dyn EngineQuery> {
    let range = InvertedIndexRangeQuery::new(
        Bound::Included(Term::from_field_text(field, prefix)),
        // No character sorts behind this one.
        Bound::Excluded(Term::from_field_text(field, &format!("{prefix}\u{10ffff}"))),
    );
    Box::new(range)
}

fn term(term: Term) -> Box<dyn EngineQuery> {
    let option = if term.typ() == tantivy::schema::Type::Str { IndexRecordOption::WithFreqs } else { IndexRecordOption::Basic };
    Box::new(TermQuery::new(term, option))
}

/// Narrows without adding to the score.
fn filter(query: Box<dyn EngineQuery>) -> Clause {
    (Occur::Must, Box::new(ConstScoreQuery::new(query, 0.0)))
}
