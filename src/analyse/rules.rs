//! Rules that refine what the model decided, where the form of a sentence says more than a small model reads from its words.
//! `rapport eval reader` prints its figures with them and without.

use crate::domain::reading::{HighlightKind, Stance};

/// Where it applies, an answer is moved so far on the scale of log odds: 2 turns 0.5 into 0.88, and 0.12 into 0.5.
struct Rule {
    kind: HighlightKind,
    applies: fn(&str) -> bool,
    shift: f32,
}

const RULES: [Rule; 2] = [
    Rule { kind: HighlightKind::Question, applies: ends_with_a_question_mark, shift: 1.5 },
    Rule { kind: HighlightKind::Commitment, applies: is_conditional, shift: -2.0 },
];

/// How likely a sentence is of a kind, by the model's answer and the sentence's form; both from 0 to 1.
pub fn refined(kind: HighlightKind, sentence: &str, probability: f32) -> f32 {
    let shift: f32 = RULES.iter().filter(|rule| rule.kind == kind && (rule.applies)(sentence)).map(|rule| rule.shift).sum();
    if shift == 0.0 {
        return probability;
    }
    1.0 / (1.0 + (1.0 - probability) / probability.max(f32::MIN_POSITIVE) * (-shift).exp())
}

/// The least probability at which an answer counts. Objections and signals are rare where most of the rows come from that the answers
/// are calibrated with; at even odds too few of them would be named. Chosen on those rows.
pub fn least(kind: HighlightKind) -> f32 {
    match kind {
        HighlightKind::Question | HighlightKind::Commitment => 0.4,
        HighlightKind::Objection | HighlightKind::PositiveSignal => 0.3,
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
    const SHIFT: f32 = 3.0;
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
            *share *= SHIFT.exp();
        }
        let total: f32 = shares.iter().sum();
        shares.iter_mut().for_each(|share| *share /= total);
    }
}

fn ends_with_a_question_mark(sentence: &str) -> bool {
    sentence.trim_end_matches(|c: char| c.is_whitespace() || matches!(c, '"' | '”' | '\'' | '’' | ')' | ']' | '!')).ends_with('?')
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
        let question = |text, probability| refined(HighlightKind::Question, text, probability);
        assert!((question("Any news (on the \"quote\"?)", 0.5) - 0.8176).abs() < 1e-3);
        assert_eq!(question("Any news.", 0.3), 0.3);
        assert!(refined(HighlightKind::Commitment, "If it fails, I will call.", 0.5) < 0.13);
        for probability in [0.0, 1e-30, 0.5, 1.0] {
            assert!((0.0..=1.0).contains(&question("Any news?", probability)));
        }
        assert!(question("Any news?", 0.3) < question("Any news?", 0.4));
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
