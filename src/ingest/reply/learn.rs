//! Learns the weights of [`super::chain`] from mails whose lines are labelled: maximum likelihood with a pull to zero,
//! by stochastic gradient steps in a fixed order, so that the same mails give the same weights.

use std::collections::HashMap;

use super::chain::{KINDS, N, Weights};
use super::features::Page;
use super::{Line, lines_of, ruled};
use crate::domain::span::SpanKind;

const EPOCHS: usize = 45;
const RATE: f32 = 0.12;
/// How strongly weights are pulled to zero at each step in which they take part.
const PULL: f32 = 0.002;
/// What was seen in fewer mails is chance.
const MIN_MAILS: usize = 2;
/// Smaller weights decide nothing.
const NEGLIGIBLE: f32 = 0.02;

struct Example {
    /// Features of each line.
    lines: Vec<Vec<usize>>,
    /// Features between each line and the next.
    pairs: Vec<Vec<usize>>,
    truth: Vec<usize>,
}

#[derive(Default)]
struct Names {
    numbers: HashMap<String, usize>,
    /// In how many mails each was seen, and in which one last.
    seen: Vec<(usize, usize)>,
}

impl Names {
    fn number(&mut self, parts: &[&str], mail: usize) -> usize {
        let next = self.seen.len();
        let number = *self.numbers.entry(parts.concat()).or_insert(next);
        if number == next {
            self.seen.push((0, usize::MAX));
        }
        if self.seen[number].1 != mail {
            self.seen[number] = (self.seen[number].0 + 1, mail);
        }
        number
    }
}

/// Learns from mails given in pieces of one kind each.
pub fn learn(mails: &[Vec<(SpanKind, String)>]) -> Weights {
    let (mut line_names, mut pair_names) = (Names::default(), Names::default());
    let examples: Vec<Example> =
        mails.iter().enumerate().filter_map(|(number, pieces)| example(pieces, number, &mut line_names, &mut pair_names)).collect();
    let mut lines = vec![[0.0_f32; N]; line_names.seen.len()];
    let mut pairs = vec![[[0.0_f32; N]; N]; pair_names.seen.len()];
    let kept = |names: &Names| names.seen.iter().map(|(mails, _)| *mails >= MIN_MAILS).collect::<Vec<bool>>();
    let (line_kept, pair_kept) = (kept(&line_names), kept(&pair_names));
    // A stride without common divisor visits all in a mixed order that never changes.
    let stride = (examples.len() * 5 / 8..).find(|s| gcd(*s, examples.len()) == 1).unwrap_or(1);
    for epoch in 0..EPOCHS {
        #[expect(clippy::cast_precision_loss, reason = "a few epochs")]
        let rate = RATE / (1.0 + epoch as f32 * 0.25);
        for turn in 0..examples.len() {
            step(&examples[turn * stride % examples.len()], &mut lines, &mut pairs, (&line_kept, &pair_kept), rate);
        }
    }
    let rounded = |weight: f32| (weight * 1000.0).round() / 1000.0;
    let lines = line_names.numbers.into_iter().map(|(name, number)| (name, lines[number].map(rounded)));
    let pairs = pair_names.numbers.into_iter().map(|(name, number)| (name, pairs[number].map(|row| row.map(rounded))));
    Weights {
        lines: lines.filter(|(_, weights)| weights.iter().any(|w| w.abs() >= NEGLIGIBLE)).collect(),
        pairs: pairs.filter(|(_, weights)| weights.iter().flatten().any(|w| w.abs() >= NEGLIGIBLE)).collect(),
    }
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

fn example(pieces: &[(SpanKind, String)], number: usize, line_names: &mut Names, pair_names: &mut Names) -> Option<Example> {
    let body: String = pieces.iter().map(|(_, text)| text.as_str()).collect();
    let lines: Vec<Line> = lines_of(&body);
    let mut ends = Vec::new();
    let mut end = 0;
    for (kind, text) in pieces {
        end += text.chars().count();
        ends.push((end, *kind));
    }
    let mut truth = Vec::new();
    for line in lines.iter().filter(|line| !line.is_blank()) {
        let first = line.start + line.text.chars().take_while(|c| c.is_whitespace()).count();
        let kind = ends.iter().find(|(end, _)| first < *end).map_or(SpanKind::New, |(_, kind)| *kind);
        truth.push(match kind {
            SpanKind::Quoted => 1,
            SpanKind::Signature | SpanKind::Footer => 2,
            SpanKind::New => 0,
            SpanKind::Automatic | SpanKind::Hidden => return None,
        });
    }
    debug_assert_eq!(KINDS[1], SpanKind::Quoted);
    let page = Page::of(&lines, &ruled(&lines));
    let mut seen = Vec::with_capacity(page.len());
    for i in 0..page.len() {
        let mut numbers = Vec::new();
        page.features(i, &mut |parts| numbers.push(line_names.number(parts, number)));
        seen.push(numbers);
    }
    let mut between = Vec::new();
    for i in 1..page.len() {
        let mut numbers = Vec::new();
        page.between(i, &mut |parts| numbers.push(pair_names.number(parts, number)));
        between.push(numbers);
    }
    (!truth.is_empty()).then_some(Example { lines: seen, pairs: between, truth })
}

/// One step towards the truth of one mail: what was there, less what the weights expect.
fn step(example: &Example, lines: &mut [[f32; N]], pairs: &mut [[[f32; N]; N]], (line_kept, pair_kept): (&[bool], &[bool]), rate: f32) {
    let length = example.truth.len();
    let votes: Vec<[f32; N]> = example.lines.iter().map(|seen| std::array::from_fn(|y| seen.iter().map(|&f| lines[f][y]).sum())).collect();
    let moves: Vec<[[f32; N]; N]> =
        example.pairs.iter().map(|seen| std::array::from_fn(|a| std::array::from_fn(|b| seen.iter().map(|&f| pairs[f][a][b]).sum()))).collect();
    // Forward and backward sums, in logarithms.
    let mut forward = vec![[0.0_f32; N]; length];
    let mut backward = vec![[0.0_f32; N]; length];
    forward[0] = votes[0];
    for i in 1..length {
        forward[i] = std::array::from_fn(|y| votes[i][y] + log_sum(std::array::from_fn(|x| forward[i - 1][x] + moves[i - 1][x][y])));
    }
    for i in (0..length - 1).rev() {
        backward[i] = std::array::from_fn(|x| log_sum(std::array::from_fn(|y| moves[i][x][y] + votes[i + 1][y] + backward[i + 1][y])));
    }
    let all = log_sum(forward[length - 1]);
    for i in 0..length {
        for y in 0..N {
            let expected = (forward[i][y] + backward[i][y] - all).exp();
            let gradient = f32::from(u8::from(example.truth[i] == y)) - expected;
            for &f in example.lines[i].iter().filter(|&&f| line_kept[f]) {
                lines[f][y] += rate * (gradient - PULL * lines[f][y]);
            }
        }
    }
    for i in 1..length {
        for x in 0..N {
            for y in 0..N {
                let expected = (forward[i - 1][x] + moves[i - 1][x][y] + votes[i][y] + backward[i][y] - all).exp();
                let there = example.truth[i - 1] == x && example.truth[i] == y;
                let gradient = f32::from(u8::from(there)) - expected;
                for &f in example.pairs[i - 1].iter().filter(|&&f| pair_kept[f]) {
                    pairs[f][x][y] += rate * (gradient - PULL * pairs[f][x][y]);
                }
            }
        }
    }
}

fn log_sum(values: [f32; N]) -> f32 {
    let most = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    most + values.iter().map(|value| (value - most).exp()).sum::<f32>().ln()
}
