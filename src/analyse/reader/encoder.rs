//! The encoder: tokens to one vector of 384 numbers each, six layers of attention deep. It is BERT's architecture
//! (Devlin et al. 2019) in the small size of MiniLM (Wang et al. 2020).

use candle_core::{DType, Device, Result, Tensor};

use super::ops::{AddNorm, BiasGelu, Norm, SelfAttention};
use super::product::Matrix;
use super::weights::Weights;

pub(super) const WIDTH: usize = 384;
pub(super) const LAYERS: usize = 6;
const HEADS: usize = 12;
const INNER: usize = 1_536;

/// A text as numbers: tokens, of which the first so many are what stands before the sentence.
#[derive(Debug, Clone)]
pub(super) struct Tokens {
    pub ids: Vec<u32>,
    pub before: usize,
}

/// What the layers made of texts.
#[derive(Debug)]
pub(super) struct Encoded {
    /// One vector for each token, text after text.
    pub words: Vec<f32>,
    /// For each text, the mean of its sentence's tokens after each layer, one layer after the other.
    pub means: Vec<Vec<f32>>,
}

#[derive(Debug)]
pub(super) struct Encoder {
    /// A byte for each number, 128 for zero, and a scale for each word.
    words: Vec<u8>,
    scales: Vec<f32>,
    places: Vec<f32>,
    segments: Vec<f32>,
    norm: Norm,
    layers: Vec<Layer>,
}

#[derive(Debug)]
struct Layer {
    qkv: Matrix,
    qkv_bias: Vec<f32>,
    out: Matrix,
    after_attention: AddNorm,
    up: Matrix,
    up_gelu: BiasGelu,
    down: Matrix,
    after_inner: AddNorm,
}

impl Encoder {
    pub fn new(weights: &mut Weights) -> Result<Encoder> {
        let layers = (0..LAYERS).map(|n| Layer::new(weights, &format!("layers.{n}"))).collect::<Result<_>>()?;
        Ok(Encoder {
            words: weights.bytes("words.weight")?,
            scales: weights.numbers("words.scale")?,
            places: weights.numbers("places.weight")?,
            segments: weights.numbers("segments.weight")?,
            norm: weights.norm("norm")?,
            layers,
        })
    }

    pub fn encode(&self, texts: &[&Tokens]) -> Result<Encoded> {
        let lengths: Vec<usize> = texts.iter().map(|text| text.ids.len()).collect();
        let count: usize = lengths.iter().sum();
        let mut x = vec![0.0_f32; count * WIDTH];
        let mut rows = x.chunks_exact_mut(WIDTH);
        for text in texts {
            for (place, (id, row)) in text.ids.iter().zip(&mut rows).enumerate() {
                let (word, segment) = (*id as usize * WIDTH, usize::from(place >= text.before) * WIDTH);
                let (scale, place) = (self.scales[*id as usize], place * WIDTH);
                for (n, value) in row.iter_mut().enumerate() {
                    *value = (f32::from(self.words[word + n]) - 128.0) * scale + self.places[place + n] + self.segments[segment + n];
                }
            }
        }
        self.norm.rows(&mut x);
        let room = Room::new(x, count)?;
        let mut means = vec![Vec::with_capacity(LAYERS * WIDTH); texts.len()];
        let mut words = Vec::new();
        for layer in &self.layers {
            layer.forward(&room, &lengths)?;
            words = room.x.flatten_all()?.to_vec1()?;
            let mut from = 0;
            for (text, means) in texts.iter().zip(&mut means) {
                let to = from + text.ids.len();
                means.extend(mean(&words[(from + text.before) * WIDTH..to * WIDTH]));
                from = to;
            }
        }
        Ok(Encoded { words, means })
    }
}

fn mean(tokens: &[f32]) -> [f32; WIDTH] {
    let mut mean = [0.0; WIDTH];
    let count = (tokens.len() / WIDTH) as f32;
    for token in tokens.chunks_exact(WIDTH) {
        for (sum, value) in mean.iter_mut().zip(token) {
            *sum += value / count;
        }
    }
    mean
}

/// What a pass works on, a row for each token: made once, not at each step.
struct Room {
    x: Tensor,
    /// Queries, keys and values.
    parts: Tensor,
    seen: Tensor,
    inner: Tensor,
    product: Tensor,
}

impl Room {
    fn new(x: Vec<f32>, count: usize) -> Result<Room> {
        let rows = |width: usize| Tensor::zeros((count, width), DType::F32, &Device::Cpu);
        Ok(Room {
            x: Tensor::from_vec(x, (count, WIDTH), &Device::Cpu)?,
            parts: rows(3 * WIDTH)?,
            seen: rows(WIDTH)?,
            inner: rows(INNER)?,
            product: rows(WIDTH)?,
        })
    }
}

impl Layer {
    fn new(weights: &mut Weights, name: &str) -> Result<Layer> {
        Ok(Layer {
            qkv: weights.matrix(&format!("{name}.qkv.weight"), WIDTH)?,
            qkv_bias: weights.numbers(&format!("{name}.qkv.bias"))?,
            out: weights.matrix(&format!("{name}.out.weight"), WIDTH)?,
            after_attention: AddNorm { bias: weights.numbers(&format!("{name}.out.bias"))?, norm: weights.norm(&format!("{name}.norm1"))? },
            up: weights.matrix(&format!("{name}.up.weight"), WIDTH)?,
            up_gelu: BiasGelu { bias: weights.numbers(&format!("{name}.up.bias"))? },
            down: weights.matrix(&format!("{name}.down.weight"), INNER)?,
            after_inner: AddNorm { bias: weights.numbers(&format!("{name}.down.bias"))?, norm: weights.norm(&format!("{name}.norm2"))? },
        })
    }

    fn forward(&self, room: &Room, lengths: &[usize]) -> Result<()> {
        let Room { x, parts, seen, inner, product } = room;
        parts.inplace_op2(x, &self.qkv)?;
        seen.inplace_op2(parts, &SelfAttention { bias: &self.qkv_bias, lengths, heads: HEADS })?;
        product.inplace_op2(seen, &self.out)?;
        x.inplace_op2(product, &self.after_attention)?;
        inner.inplace_op2(x, &self.up)?;
        inner.inplace_op1(&self.up_gelu)?;
        product.inplace_op2(inner, &self.down)?;
        x.inplace_op2(product, &self.after_inner)
    }
}
