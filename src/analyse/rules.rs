//! Rules that refine what the model decided, where the form of a sentence says more than a small model reads from its words.
//! `rapport eval reader` prints its figures with them and without.

use crate::domain::reading::{HighlightKind, Stance};

/// How far the form of a sentence moves an answer on the scale of log odds: 2 turns 0.5 into 0.12.
const SHIFT: f32 = 2.0;

/// How likely a sentence is of a kind, by the model's answer and the sentence's form; both from 0 to 1. Of a question mark the model
/// makes more than a rule could: one that moved its answers did harm on each set that was measured.
pub fn refined(kind: HighlightKind, sentence: &str, probability: f32) -> f32 {
    if kind != HighlightKind::Commitment || !is_conditional(sentence) {
        return probability;
    }
    1.0 / (1.0 + (1.0 - probability) / probability.max(f32::MIN_POSITIVE) * SHIFT.exp())
}

/// The least probability at which an answer counts. All but questions are rare where most of the rows come from that the answers are
/// calibrated with; at even odds too few of them would be named. Chosen on those rows.
pub fn least(kind: HighlightKind) -> f32 {
    match kind {
        HighlightKind::Question => 0.5,
        HighlightKind::Commitment | HighlightKind::Objection | HighlightKind::PositiveSignal => 0.3,
    }
}

/// What stands right before a competitor's name when somebody goes from it, or to it.
const LEAVING: [&str; 16] = [
    "switching from",
    "switch from",
    "moving from",
    "move from",
    "moving away from",
    "move away from",
    "moving off",
    "move off",
    "migrating from",
    "migrate from",
    "migrating off",
    "migrate off",
    "leaving",
    "dropping",
    "ditching",
    "replacing",
];
const JOINING: [&str; 9] =
    ["switching to", "switch to", "switching over to", "moving to", "move to", "moving over to", "move over to", "migrating to", "migrate to"];
/// Among the words before, they turn the direction round.
const NEGATIONS: [&str; 5] = ["not", "never", "no", "without", "cannot"];

/// How likely each stance is when the words before the name tell which way somebody goes: the model mixes up the two.
pub fn directed(before: &str, shares: &mut [f32]) {
    const TOLD: f32 = 3.0;
    let before = before.to_lowercase();
    let before = before.trim_end();
    let nearest: Vec<&str> = before.split_whitespace().rev().take(6).collect();
    if nearest.iter().any(|word| NEGATIONS.contains(word) || word.ends_with("n't")) {
        return;
    }
    let is_said = |ways: &[&str]| ways.iter().any(|way| before.strip_suffix(way).is_some_and(|rest| !rest.ends_with(char::is_alphanumeric)));
    let toward = [(Stance::SwitchingFrom, is_said(&LEAVING)), (Stance::SwitchingTo, is_said(&JOINING))];
    for stance in toward.iter().filter(|(_, said)| *said).map(|(stance, _)| stance) {
        if let Some(share) = Stance::ALL.iter().position(|other| other == stance).and_then(|at| shares.get_mut(at)) {
            *share *= TOLD.exp();
        }
        let total: f32 = shares.iter().sum();
        shares.iter_mut().for_each(|share| *share /= total);
    }
}

/// "If it fails again, I will call": nobody waits for that.
fn is_conditional(sentence: &str) -> bool {
    let start = sentence.trim_start();
    start.get(..3).is_some_and(|word| word.eq_ignore_ascii_case("if "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn form_moves_the_answer_and_keeps_it_a_probability() {
        let commitment = |text, probability| refined(HighlightKind::Commitment, text, probability);
        assert!(commitment("If it fails, I will call.", 0.5) < 0.13);
        assert_eq!(commitment("I will call.", 0.3), 0.3);
        assert_eq!(refined(HighlightKind::Question, "If it fails, will you call?", 0.3), 0.3);
        for probability in [0.0, 1e-30, 0.5, 1.0] {
            assert!((0.0..=1.0).contains(&commitment("If so, I will.", probability)));
        }
        assert!(commitment("If so, I will.", 0.3) < commitment("If so, I will.", 0.4));
    }

    #[test]
    fn who_goes_where_is_told_by_the_words_before_the_name() {
        let likeliest = |before: &str| {
            let mut shares = vec![0.1; Stance::ALL.len() + 1];
            shares[0] = 0.2;
            directed(before, &mut shares);
            let best = (0..shares.len()).max_by(|a, b| shares[*a].total_cmp(&shares[*b])).unwrap();
            Stance::ALL[best]
        };
        assert_eq!(likeliest("We are switching from "), Stance::SwitchingFrom);
        assert_eq!(likeliest("Next year we move over to "), Stance::SwitchingTo);
        for other in ["We are not switching to ", "We heard about ", "They sell bereplacing "] {
            assert_eq!(likeliest(other), Stance::ALL[0], "{other}");
        }
    }
}
