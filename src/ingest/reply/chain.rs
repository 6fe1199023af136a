//! A model of how mails are put together: a linear-chain conditional random field (Lafferty, McCallum & Pereira, 2001)
//! over the lines of a mail. Each line is new, quoted, or signature; what is seen of a line and of its neighbours votes
//! for each, and the likeliest whole is taken. Its card is `models/replies/README.md`.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use super::Line;
use super::features::Page;
use crate::domain::span::SpanKind;

pub(super) const KINDS: [SpanKind; 3] = [SpanKind::New, SpanKind::Quoted, SpanKind::Signature];
pub(super) const N: usize = KINDS.len();

/// Longer mails are left to the rules: logs and listings, not letters.
const MAX_LINES: usize = 2_000;

/// What speaks for each kind, and for each kind after each other.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Weights {
    /// Of a line: for new, quoted, signature.
    pub lines: BTreeMap<String, [f32; N]>,
    /// Between two lines: from each kind (rows) to each.
    pub pairs: BTreeMap<String, [[f32; N]; N]>,
}

/// Weights as they are looked up.
pub struct Model {
    lines: HashMap<u64, [f32; N]>,
    pairs: HashMap<u64, [[f32; N]; N]>,
}

/// FNV-1a over the parts as if they were one text.
fn hash(parts: &[&str]) -> u64 {
    parts.iter().flat_map(|part| part.bytes()).fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

impl Model {
    pub fn of(weights: &Weights) -> Model {
        Model {
            lines: weights.lines.iter().map(|(name, weights)| (hash(&[name]), *weights)).collect(),
            pairs: weights.pairs.iter().map(|(name, weights)| (hash(&[name]), *weights)).collect(),
        }
    }

    /// Decides the kinds of the lines anew, what the rules say being part of what is seen.
    pub(super) fn decide(&self, lines: &[Line], kinds: &mut [SpanKind]) {
        let holding = lines.iter().filter(|line| !line.is_blank()).count();
        if holding == 0 || holding > MAX_LINES {
            return;
        }
        let page = Page::of(lines, kinds);
        let (votes, moves) = self.scores(&page);
        let path = likeliest(&votes, &moves);
        // Words that would be lost altogether are left to the rules.
        if !path.contains(&0) && kinds.contains(&SpanKind::New) {
            return;
        }
        let mut path = path.into_iter();
        for (line, kind) in lines.iter().zip(kinds.iter_mut()) {
            if line.is_blank() {
                continue;
            }
            let decided = KINDS[path.next().unwrap_or(0)];
            // The model knows no footers apart: they are signatures that the rules tell more of.
            if !(decided == SpanKind::Signature && *kind == SpanKind::Footer) {
                *kind = decided;
            }
        }
    }

    fn scores(&self, page: &Page) -> (Vec<[f32; N]>, Vec<[[f32; N]; N]>) {
        let votes = (0..page.len()).map(|i| {
            let mut sum = [0.0; N];
            page.features(i, &mut |parts| {
                if let Some(weights) = self.lines.get(&hash(parts)) {
                    sum.iter_mut().zip(weights).for_each(|(sum, weight)| *sum += weight);
                }
            });
            sum
        });
        let moves = (1..page.len()).map(|i| {
            let mut sum = [[0.0; N]; N];
            page.between(i, &mut |parts| {
                if let Some(weights) = self.pairs.get(&hash(parts)) {
                    sum.iter_mut().flatten().zip(weights.iter().flatten()).for_each(|(sum, weight)| *sum += weight);
                }
            });
            sum
        });
        (votes.collect(), moves.collect())
    }
}

/// The path of the highest sum (Viterbi).
fn likeliest(votes: &[[f32; N]], moves: &[[[f32; N]; N]]) -> Vec<usize> {
    let Some(first) = votes.first() else { return Vec::new() };
    let mut best = *first;
    let mut came: Vec<[usize; N]> = Vec::with_capacity(moves.len());
    for (vote, step) in votes[1..].iter().zip(moves) {
        let mut next = [f32::NEG_INFINITY; N];
        let mut from = [0; N];
        for to in 0..N {
            for (start, score) in best.iter().enumerate() {
                let sum = score + step[start][to] + vote[to];
                if sum > next[to] {
                    (next[to], from[to]) = (sum, start);
                }
            }
        }
        best = next;
        came.push(from);
    }
    let mut at = (0..N).max_by(|a, b| best[*a].total_cmp(&best[*b])).unwrap_or(0);
    let mut path = vec![at];
    for from in came.iter().rev() {
        at = from[at];
        path.push(at);
    }
    path.reverse();
    path
}
