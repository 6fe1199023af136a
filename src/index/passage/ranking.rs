//! Which passage of an entry says best what was asked.

use std::collections::{HashMap, HashSet};

use super::matcher::Matcher;
use super::{Candidate, Near, Place, STRETCH};
use crate::domain::entry::Entry;
use crate::index::tokenizer::places;

/// What tells the better passage of an entry, each by so much: the share of what was asked by rare words, closeness in meaning, the
/// share of its speaker's name that was asked for, and how much is said at all (the logarithm of its words). Fitted to the questions
/// about forty of the training meetings of QMSum, so that the first passage is a right one.
const WORDS: f64 = 10.0;
const MEANING: f64 = 15.0;
const SPEAKER: f64 = 2.0;
const SAID: f64 = 0.4;
/// How soon a word said again adds nothing (BM25's k1).
const AGAIN: f64 = 2.0;

/// Turns beside the one that says most of a stretch.
const TURNS: usize = 4;

/// What tells the better passage of one entry.
pub(super) struct Ranking<'a> {
    /// How rare each asked word is among the passages of the entry.
    rarity: HashMap<usize, f64>,
    entry: &'a Entry,
    marks: &'a Matcher<'a>,
    near: &'a [Near],
}

impl<'a> Ranking<'a> {
    pub fn of(entry: &'a Entry, found: &[Candidate], marks: &'a Matcher<'a>, near: &'a [Near]) -> Ranking<'a> {
        let mut passages: HashMap<usize, f64> = HashMap::new();
        for candidate in found {
            for asked in candidate.asked.iter().collect::<HashSet<_>>() {
                *passages.entry(*asked).or_default() += 1.0;
            }
        }
        let all = (entry.transcript.len() + entry.body.len() / STRETCH + 1).max(found.len()) as f64;
        let rarity = passages.into_iter().map(|(asked, with)| (asked, (1.0 + (all - with + 0.5) / (with + 0.5)).ln())).collect();
        Ranking { rarity, entry, marks, near }
    }

    pub fn score(&self, candidate: &Candidate) -> f64 {
        let mut times: HashMap<usize, f64> = HashMap::new();
        candidate.asked.iter().for_each(|asked| *times.entry(*asked).or_default() += 1.0);
        let told: f64 = times.iter().map(|(asked, times)| self.rarity.get(asked).unwrap_or(&0.0) * times / (times + AGAIN)).sum();
        let asked: f64 = self.rarity.values().sum();
        let share = if asked > 0.0 { told / asked } else { 0.0 };
        let said = (1.0 + places(candidate.words).count() as f64).ln();
        candidate.weight * (WORDS * share + MEANING * self.closeness(candidate) + SPEAKER * self.speaker(candidate.place) + SAID * said)
    }

    /// That of the stretch it lies in; short turns are in the stretch of the longest one beside them.
    pub fn closeness(&self, candidate: &Candidate) -> f64 {
        let distance = |near: &Near| match (candidate.place, near.segment) {
            (Place::Body, None) => {
                let gap = near.start.saturating_sub(candidate.end).max(candidate.start.saturating_sub(near.end));
                (gap < STRETCH).then_some(gap)
            }
            (Place::Segment(at), Some(segment)) if at.abs_diff(segment) <= TURNS => Some(at.abs_diff(segment)),
            _ => None,
        };
        let nearest = self.near.iter().filter_map(|near| Some((distance(near)?, near.closeness)));
        nearest.min_by(|(a, x), (b, y)| a.cmp(b).then(y.total_cmp(x))).map_or(0.0, |(_, closeness)| f64::from(closeness))
    }

    /// Which share of the speaker's name was asked for.
    fn speaker(&self, place: Place) -> f64 {
        let Place::Segment(at) = place else { return 0.0 };
        let Some(name) = self.entry.transcript.get(at).and_then(|segment| segment.speaker.as_deref()) else { return 0.0 };
        self.marks.in_text(name).count() as f64 / places(name).count().max(1) as f64
    }
}
