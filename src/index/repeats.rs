//! A thread's repeats: entries that hold what was asked only in their thread's subject, in what they quote or in their signature. They
//! are left out of a list and counted beside the one that they repeat.

use std::collections::{HashMap, HashSet};

use tantivy::query::{BooleanQuery, EnableScoring, Occur, Query as EngineQuery};
use tantivy::{Searcher, Term};

use super::Result;
use super::collect::{All, Member};
use super::compile::{self, Meant};
use super::schema::Fields;
use super::search::{Found, Request};

/// Tells what only repeats its thread.
pub(super) struct Repeats<'a> {
    pub searcher: &'a Searcher,
    pub fields: &'a Fields,
    pub request: &'a Request,
    pub meant: &'a Meant,
    /// Finds entries that hold one of the asked words themselves; none: what was asked can only be repeated.
    pub own: Option<BooleanQuery>,
}

impl Repeats<'_> {
    /// The entries that say it themselves, and of threads in which none does the earliest.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn leave_out(&self, found: Vec<Found>) -> Result<Vec<Found>> {
        let threads: HashSet<u64> = found.iter().map(|found| found.thread).filter(|thread| *thread != 0).collect();
        if threads.is_empty() {
            return Ok(found);
        }
        let members = self.members(&threads)?;
        let own: HashSet<i64> = members.iter().filter(|member| member.is_own).map(|member| member.number).collect();
        let mut originals: HashMap<u64, (Member, u64)> = HashMap::new();
        let rank = |member: &Member| (!member.is_own, member.at, member.number);
        for member in members {
            let (original, repeats) = originals.entry(member.thread).or_insert((member, 0));
            if rank(&member) < rank(original) {
                *original = member;
            }
            *repeats += u64::from(!member.is_own);
        }
        let shown = |mut one: Found| {
            let Some((original, repeats)) = originals.get(&one.thread) else { return Some(one) };
            let is_own = own.contains(&one.number);
            if original.number == one.number {
                one.repeats = repeats - u64::from(!is_own);
            }
            (is_own || original.number == one.number).then_some(one)
        };
        Ok(found.into_iter().filter_map(shown).collect())
    }

    /// The matches in some threads, and which of them say it themselves.
    fn members(&self, threads: &HashSet<u64>) -> Result<Vec<Member>> {
        let of_thread = compile::any_of(threads.iter().map(|thread| Term::from_field_u64(self.fields.thread, *thread)));
        let matches: Box<dyn EngineQuery> = Box::new(compile::scoped(self.fields, self.request, self.meant));
        let clauses = vec![(Occur::Must, of_thread), (Occur::Must, matches)];
        let (from, to) = compile::times(self.request);
        let own = self.own.as_ref().map(|own| own.weight(EnableScoring::disabled_from_searcher(self.searcher))).transpose()?;
        Ok(self.searcher.search(&BooleanQuery::new(clauses), &All { from, to, own })?)
    }
}
