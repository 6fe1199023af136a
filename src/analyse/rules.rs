//! Rules that refine what the model decided, where the form of a sentence says more than a small model reads from its words.
//! `rapport eval reader` prints its figures with them and without.

use crate::domain::reading::HighlightKind;

/// Where it applies, an answer is moved so far on the scale of log odds: 2 turns 0.5 into 0.88, and 0.12 into 0.5.
struct Rule {
    kind: HighlightKind,
    applies: fn(&str) -> bool,
    shift: f32,
}

const RULES: [Rule; 2] = [
    Rule { kind: HighlightKind::Question, applies: ends_with_a_question_mark, shift: 2.0 },
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
        assert!((question("Any news (on the \"quote\"?)", 0.5) - 0.8808).abs() < 1e-3);
        assert_eq!(question("Any news.", 0.3), 0.3);
        assert!(refined(HighlightKind::Commitment, "If it fails, I will call.", 0.5) < 0.13);
        for probability in [0.0, 1e-30, 0.5, 1.0] {
            assert!((0.0..=1.0).contains(&question("Any news?", probability)));
        }
        assert!(question("Any news?", 0.3) < question("Any news?", 0.4));
    }
}
