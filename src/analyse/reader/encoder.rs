//! The encoder: tokens to one vector of 384 numbers each, six layers of attention deep. It is BERT's architecture
//! (Devlin et al. 2019) in the small size of MiniLM (Wang et al. 2020).

use candle_core::{Device, Result, Tensor};

use super::ops::{AddNorm, Attention, BiasGelu, JoinHeads, Norm, SplitHeads};
use super::weights::Weights;

pub(super) const WIDTH: usize = 384;
const LAYERS: usize = 6;
const HEADS: usize = 12;

/// A text as numbers: tokens, of which the first so many are what stands before the sentence.
#[derive(Debug, Clone)]
pub(super) struct Tokens {
    pub ids: Vec<u32>,
    pub before: usize,
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
    qkv: Tensor,
    qkv_bias: Vec<f32>,
    out: Tensor,
    after_attention: AddNorm,
    up: Tensor,
    up_gelu: BiasGelu,
    down: Tensor,
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

    /// One vector for each token of each text, texts filled up to the length of the longest.
    pub fn encode(&self, texts: &[&Tokens]) -> Result<(Vec<f32>, usize)> {
        let lengths: Vec<usize> = texts.iter().map(|text| text.ids.len()).collect();
        let length = lengths.iter().copied().max().unwrap_or(0);
        let mut x = vec![0.0_f32; texts.len() * length * WIDTH];
        for (text, rows) in texts.iter().zip(x.chunks_exact_mut(length * WIDTH)) {
            for (place, (id, row)) in text.ids.iter().zip(rows.chunks_exact_mut(WIDTH)).enumerate() {
                let (word, segment) = (*id as usize * WIDTH, usize::from(place >= text.before) * WIDTH);
                let (scale, place) = (self.scales[*id as usize], place * WIDTH);
                for (n, value) in row.iter_mut().enumerate() {
                    *value = (f32::from(self.words[word + n]) - 128.0) * scale + self.places[place + n] + self.segments[segment + n];
                }
            }
        }
        self.norm.rows(&mut x);
        let mut x = Tensor::from_vec(x, (texts.len() * length, WIDTH), &Device::Cpu)?;
        for layer in &self.layers {
            x = layer.forward(&x, &lengths, length)?;
        }
        Ok((x.flatten_all()?.to_vec1()?, length))
    }
}

impl Layer {
    fn new(weights: &mut Weights, name: &str) -> Result<Layer> {
        Ok(Layer {
            qkv: weights.matrix(&format!("{name}.qkv.weight"))?,
            qkv_bias: weights.numbers(&format!("{name}.qkv.bias"))?,
            out: weights.matrix(&format!("{name}.out.weight"))?,
            after_attention: AddNorm { bias: weights.numbers(&format!("{name}.out.bias"))?, norm: weights.norm(&format!("{name}.norm1"))? },
            up: weights.matrix(&format!("{name}.up.weight"))?,
            up_gelu: BiasGelu { bias: weights.numbers(&format!("{name}.up.bias"))? },
            down: weights.matrix(&format!("{name}.down.weight"))?,
            after_inner: AddNorm { bias: weights.numbers(&format!("{name}.down.bias"))?, norm: weights.norm(&format!("{name}.norm2"))? },
        })
    }

    fn forward(&self, x: &Tensor, lengths: &[usize], length: usize) -> Result<Tensor> {
        let split = SplitHeads { bias: &self.qkv_bias, length, heads: HEADS };
        let parts = x.matmul(&self.qkv)?.apply_op1_no_bwd(&split)?;
        let each = lengths.len() * HEADS;
        let (queries, keys, values) = (parts.narrow(0, 0, each)?, parts.narrow(0, each, each)?, parts.narrow(0, 2 * each, each)?);
        let attention = queries.matmul(&keys.t()?)?.apply_op1_no_bwd(&Attention { lengths, heads: HEADS })?;
        let seen = attention.matmul(&values)?.apply_op1_no_bwd(&JoinHeads { heads: HEADS })?;
        let x = seen.matmul(&self.out)?.apply_op2_no_bwd(x, &self.after_attention)?;
        let inner = x.matmul(&self.up)?.apply_op1_no_bwd(&self.up_gelu)?;
        inner.matmul(&self.down)?.apply_op2_no_bwd(&x, &self.after_inner)
    }
}
