//! Plain BM25 over the turns of a meeting: what a search is compared with.

use std::collections::HashMap;

/// The usual constants.
const K1: f64 = 1.2;
const B: f64 = 0.75;

/// The turns, each as its words, by BM25 against the words of a question: best first, those without any word of it left out.
pub fn ranked(turns: &[Vec<String>], question: &[String]) -> Vec<usize> {
    let average = turns.iter().map(Vec::len).sum::<usize>() as f64 / turns.len().max(1) as f64;
    let mut scores = vec![0.0; turns.len()];
    let mut distinct: Vec<&String> = question.iter().collect();
    distinct.sort();
    distinct.dedup();
    let counts: Vec<HashMap<&String, f64>> = turns.iter().map(|words| counted(words)).collect();
    for word in distinct {
        let with = counts.iter().filter(|counts| counts.contains_key(word)).count() as f64;
        let rarity = (1.0 + (turns.len() as f64 - with + 0.5) / (with + 0.5)).ln();
        for (at, counts) in counts.iter().enumerate() {
            let times = counts.get(word).copied().unwrap_or(0.0);
            scores[at] += rarity * times * (K1 + 1.0) / (times + K1 * (1.0 - B + B * turns[at].len() as f64 / average));
        }
    }
    let mut order: Vec<usize> = (0..turns.len()).filter(|at| scores[*at] > 0.0).collect();
    order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]).then(a.cmp(b)));
    order
}

fn counted(words: &[String]) -> HashMap<&String, f64> {
    let mut counts = HashMap::new();
    words.iter().for_each(|word| *counts.entry(word).or_insert(0.0) += 1.0);
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rare_words_in_short_turns_come_first() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let turns: Vec<Vec<String>> = ["the battery", "the colour of the case and the battery", "the case", "hello"].map(words).to_vec();
        assert_eq!(ranked(&turns, &words("the battery")), [0, 1, 2]);
        assert!(ranked(&turns, &words("price")).is_empty());
    }
}
