//! What is decided from the encoder's vectors: each head looks at the words of the sentence with a question of its own.

use candle_core::Result;
use pulp::Arch;

use super::encoder::{LAYERS, WIDTH};
use super::ops::{dot, gelu, softmax};
use super::weights::Weights;

/// Numbers between a head's look at the words and its answers.
const HIDDEN: usize = 192;

/// A matrix with one row for each output, and a bias.
#[derive(Debug)]
struct Dense {
    rows: Vec<f32>,
    bias: Vec<f32>,
}

impl Dense {
    fn new(weights: &mut Weights, name: &str, inputs: usize) -> Result<Dense> {
        let dense = Dense { rows: weights.numbers(&format!("{name}.weight"))?, bias: weights.numbers(&format!("{name}.bias"))? };
        if dense.rows.len() == inputs * dense.bias.len() { Ok(dense) } else { candle_core::bail!("{name} has another shape") }
    }

    fn of(&self, input: &[f32]) -> Vec<f32> {
        Arch::new().dispatch(|| self.rows.chunks_exact(input.len()).zip(&self.bias).map(|(row, bias)| dot(row, input) + bias).collect())
    }
}

/// The words weighed by how much they answer to the query.
fn attend(query: &[f32], words: &[f32]) -> Vec<f32> {
    Arch::new().dispatch(|| {
        let mut shares: Vec<f32> = words.chunks_exact(WIDTH).map(|word| dot(query, word) / (WIDTH as f32).sqrt()).collect();
        softmax(&mut shares);
        let mut seen = vec![0.0; WIDTH];
        for (word, share) in words.chunks_exact(WIDTH).zip(&shares) {
            for (sum, value) in seen.iter_mut().zip(word) {
                *sum += value * share;
            }
        }
        seen
    })
}

/// From what each layer makes of a sentence to the vector of its meaning. The first layers still know the words as the encoder did that
/// this one began as; the last ones know what they do.
#[derive(Debug)]
pub(super) struct VectorHead(Dense);

impl VectorHead {
    pub fn new(weights: &mut Weights, name: &str) -> Result<VectorHead> {
        Ok(VectorHead(Dense::new(weights, name, LAYERS * WIDTH)?))
    }

    /// Of length one: sentences of like meaning are near each other.
    pub fn of(&self, means: &[f32]) -> Vec<f32> {
        let mut vector = self.0.of(means);
        let length = dot(&vector, &vector).sqrt().max(f32::MIN_POSITIVE);
        vector.iter_mut().for_each(|value| *value /= length);
        vector
    }
}

#[derive(Debug)]
pub(super) struct Head {
    query: Vec<f32>,
    dense: Dense,
    answers: Vec<Dense>,
}

impl Head {
    pub fn new(weights: &mut Weights, name: &str, answers: usize) -> Result<Head> {
        Ok(Head {
            query: weights.numbers(&format!("{name}.query"))?,
            dense: Dense::new(weights, &format!("{name}.dense"), WIDTH)?,
            answers: (0..answers).map(|n| Dense::new(weights, &format!("{name}.answers.{n}"), HIDDEN)).collect::<Result<_>>()?,
        })
    }

    /// The answers, before they are turned into probabilities.
    pub fn of(&self, words: &[f32]) -> Vec<Vec<f32>> {
        let mut hidden = self.dense.of(&attend(&self.query, words));
        hidden.iter_mut().for_each(|value| *value = gelu(*value));
        self.answers.iter().map(|answer| answer.of(&hidden)).collect()
    }
}

/// Looks at the sentence from where a competitor is named.
#[derive(Debug)]
pub(super) struct StanceHead {
    query: Dense,
    dense: Dense,
    answer: Dense,
}

impl StanceHead {
    pub fn new(weights: &mut Weights, name: &str) -> Result<StanceHead> {
        Ok(StanceHead {
            query: Dense::new(weights, &format!("{name}.query"), WIDTH)?,
            dense: Dense::new(weights, &format!("{name}.dense"), 2 * WIDTH)?,
            answer: Dense::new(weights, &format!("{name}.answer"), HIDDEN)?,
        })
    }

    /// `named` are the words of the name, as positions among the words.
    pub fn of(&self, words: &[f32], named: &[usize]) -> Vec<f32> {
        let mut name = vec![0.0; WIDTH];
        for &at in named {
            for (sum, value) in name.iter_mut().zip(&words[at * WIDTH..(at + 1) * WIDTH]) {
                *sum += value / named.len() as f32;
            }
        }
        let seen = attend(&self.query.of(&name), words);
        name.extend(seen);
        let mut hidden = self.dense.of(&name);
        hidden.iter_mut().for_each(|value| *value = gelu(*value));
        self.answer.of(&hidden)
    }
}
