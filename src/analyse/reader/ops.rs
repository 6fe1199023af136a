//! What the encoder does between its matrix products, each step in one pass over memory: candle's own take several.

use candle_core::{CpuStorage, Error, InplaceOp1, InplaceOp2, Layout, Result};
use pulp::{Arch, Simd, WithSimd};

/// Sums run over so many lanes at a time, which the compiler turns into vector instructions.
const LANES: usize = 16;

pub(super) fn values<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    let (start, end) = layout.contiguous_offsets().ok_or_else(scattered)?;
    Ok(&storage.as_slice::<f32>()?[start..end])
}

pub(super) fn values_mut<'a>(storage: &'a mut CpuStorage, layout: &Layout) -> Result<&'a mut [f32]> {
    let (start, end) = layout.contiguous_offsets().ok_or_else(scattered)?;
    match storage {
        CpuStorage::F32(numbers) => Ok(&mut numbers[start..end]),
        _ => Err(Error::Msg("not of single precision".to_owned())),
    }
}

fn scattered() -> Error {
    Error::Msg("the numbers lie scattered".to_owned())
}

#[inline(always)]
pub(super) fn sum(values: &[f32]) -> f32 {
    let chunks = values.chunks_exact(LANES);
    let rest: f32 = chunks.remainder().iter().sum();
    let mut lanes = [0.0_f32; LANES];
    for chunk in chunks {
        for (lane, value) in lanes.iter_mut().zip(chunk) {
            *lane += value;
        }
    }
    lanes.iter().sum::<f32>() + rest
}

#[inline(always)]
pub(super) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let (mut lanes, mut rest) = ([0.0_f32; LANES], 0.0);
    let whole = a.len().min(b.len()) / LANES * LANES;
    for (a, b) in a[..whole].chunks_exact(LANES).zip(b[..whole].chunks_exact(LANES)) {
        for ((lane, a), b) in lanes.iter_mut().zip(a).zip(b) {
            *lane += a * b;
        }
    }
    for (a, b) in a[whole..].iter().zip(&b[whole..]) {
        rest += a * b;
    }
    lanes.iter().sum::<f32>() + rest
}

/// e to the power of x, to seven digits, without a branch (Cody and Waite's reduction, a polynomial of the fifth degree).
#[inline(always)]
fn exp(x: f32) -> f32 {
    let x = x.clamp(-87.0, 88.0);
    let n = (x * std::f32::consts::LOG2_E + 12_582_912.0) - 12_582_912.0;
    let r = x - n * 0.693_359_4 - n * -2.121_944_4e-4;
    let p = 1.987_569_1e-4_f32;
    let p = p * r + 1.398_2e-3;
    let p = p * r + 8.333_452e-3;
    let p = p * r + 4.166_579_6e-2;
    let p = p * r + 0.166_666_66;
    let p = p * r + 0.5;
    let y = p * r * r + r + 1.0;
    y * f32::from_bits((((n as i32) + 127) as u32) << 23)
}

/// The Gaussian error linear unit, by Abramowitz and Stegun 7.1.26 (within 1.5e-7).
#[inline(always)]
pub(super) fn gelu(x: f32) -> f32 {
    let z = x.abs() * std::f32::consts::FRAC_1_SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * z);
    let p = ((((1.061_405_4 * t - 1.453_152) * t + 1.421_413_7) * t - 0.284_496_74) * t + 0.254_829_6) * t;
    let erf = 1.0 - p * exp(-z * z);
    0.5 * x * (1.0 + if x < 0.0 { -erf } else { erf })
}

#[inline(always)]
fn normalize(row: &mut [f32], weight: &[f32], bias: &[f32]) {
    let width = row.len() as f32;
    let mean = sum(row) / width;
    for value in row.iter_mut() {
        *value -= mean;
    }
    let scale = 1.0 / (dot(row, row) / width + 1e-12).sqrt();
    for ((value, weight), bias) in row.iter_mut().zip(weight).zip(bias) {
        *value = *value * scale * weight + bias;
    }
}

/// Turns scores into shares that add up to one.
#[inline(always)]
pub(super) fn softmax(row: &mut [f32]) {
    let most = row.iter().copied().fold(f32::MIN, f32::max);
    for value in row.iter_mut() {
        *value = exp(*value - most);
    }
    let scale = 1.0 / sum(row);
    for value in row.iter_mut() {
        *value *= scale;
    }
}

/// A layer norm over rows.
#[derive(Debug)]
pub(super) struct Norm {
    pub weight: Vec<f32>,
    pub bias: Vec<f32>,
}

impl Norm {
    pub fn rows(&self, rows: &mut [f32]) {
        Arch::new().dispatch(Normalize { norm: self, rows });
    }
}

// Work on numbers is a type of its own, not a closure: those are not always compiled for the processor's widest vectors.

struct Normalize<'a> {
    norm: &'a Norm,
    rows: &'a mut [f32],
}

impl WithSimd for Normalize<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for row in self.rows.chunks_exact_mut(self.norm.weight.len()) {
            normalize(row, &self.norm.weight, &self.norm.bias);
        }
    }
}

/// A product and its bias are added to what was there before, and the sum is normalized.
#[derive(Debug)]
pub(super) struct AddNorm {
    pub bias: Vec<f32>,
    pub norm: Norm,
}

impl InplaceOp2 for AddNorm {
    fn name(&self) -> &'static str {
        "add-norm"
    }

    fn cpu_fwd(&self, before: &mut CpuStorage, layout: &Layout, product: &CpuStorage, layout_of_product: &Layout) -> Result<()> {
        let (rows, product) = (values_mut(before, layout)?, values(product, layout_of_product)?);
        Arch::new().dispatch(AddThenNormalize { op: self, rows, product });
        Ok(())
    }
}

struct AddThenNormalize<'a> {
    op: &'a AddNorm,
    rows: &'a mut [f32],
    product: &'a [f32],
}

impl WithSimd for AddThenNormalize<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let AddNorm { bias, norm } = self.op;
        for (row, product) in self.rows.chunks_exact_mut(bias.len()).zip(self.product.chunks_exact(bias.len())) {
            for ((value, product), bias) in row.iter_mut().zip(product).zip(bias) {
                *value += product + bias;
            }
            normalize(row, &norm.weight, &norm.bias);
        }
    }
}

/// The bias is added, then the Gaussian error linear unit.
#[derive(Debug)]
pub(super) struct BiasGelu {
    pub bias: Vec<f32>,
}

impl InplaceOp1 for BiasGelu {
    fn name(&self) -> &'static str {
        "bias-gelu"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> Result<()> {
        let rows = values_mut(storage, layout)?;
        Arch::new().dispatch(Gelu { bias: &self.bias, rows });
        Ok(())
    }
}

struct Gelu<'a> {
    bias: &'a [f32],
    rows: &'a mut [f32],
}

impl WithSimd for Gelu<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for row in self.rows.chunks_exact_mut(self.bias.len()) {
            for (value, bias) in row.iter_mut().zip(self.bias) {
                *value = gelu(*value + bias);
            }
        }
    }
}

/// Each word looks at the words of its text: from rows of queries, keys and values of all heads (each `width` wide, their bias not
/// yet added) to rows of what was seen.
#[derive(Debug)]
pub(super) struct SelfAttention<'a> {
    pub bias: &'a [f32],
    /// Rows of each text; they lie one after the other.
    pub lengths: &'a [usize],
    pub heads: usize,
}

impl InplaceOp2 for SelfAttention<'_> {
    fn name(&self) -> &'static str {
        "self-attention"
    }

    fn cpu_fwd(&self, seen: &mut CpuStorage, layout: &Layout, parts: &CpuStorage, layout_of_parts: &Layout) -> Result<()> {
        let (seen, rows) = (values_mut(seen, layout)?, values(parts, layout_of_parts)?);
        Arch::new().dispatch(Look { op: self, rows, seen });
        Ok(())
    }
}

struct Look<'a> {
    op: &'a SelfAttention<'a>,
    rows: &'a [f32],
    seen: &'a mut [f32],
}

impl WithSimd for Look<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let SelfAttention { bias, lengths, heads } = self.op;
        let width = bias.len() / 3;
        let size = width / heads;
        let longest = lengths.iter().copied().max().unwrap_or(0);
        // Keys lie number by number and values word by word, as each is gone through.
        let (mut keys, mut values, mut shares) = (vec![0.0_f32; size * longest], vec![0.0_f32; size * longest], vec![0.0_f32; longest]);
        let (mut rows, mut seen) = (self.rows, self.seen);
        for &length in *lengths {
            let (text, out);
            (text, rows) = rows.split_at(length * 3 * width);
            (out, seen) = seen.split_at_mut(length * width);
            for head in 0..*heads {
                let part = |kind: usize| kind * width + head * size..kind * width + (head + 1) * size;
                for (place, row) in text.chunks_exact(3 * width).enumerate() {
                    for (n, (value, bias)) in row[part(1)].iter().zip(&bias[part(1)]).enumerate() {
                        keys[n * length + place] = value + bias;
                    }
                    for (to, (value, bias)) in values[place * size..][..size].iter_mut().zip(row[part(2)].iter().zip(&bias[part(2)])) {
                        *to = value + bias;
                    }
                }
                let (shares, scale) = (&mut shares[..length], 1.0 / (size as f32).sqrt());
                for (row, out) in text.chunks_exact(3 * width).zip(out.chunks_exact_mut(width)) {
                    shares.fill(0.0);
                    for ((value, bias), keys) in row[part(0)].iter().zip(&bias[part(0)]).zip(keys.chunks_exact(length)) {
                        let query = (value + bias) * scale;
                        for (share, key) in shares.iter_mut().zip(keys) {
                            *share += query * key;
                        }
                    }
                    softmax(shares);
                    let out = &mut out[part(0)];
                    out.fill(0.0);
                    for (share, values) in shares.iter().zip(values.chunks_exact(size)) {
                        for (sum, value) in out.iter_mut().zip(values) {
                            *sum += share * value;
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_short_ways_are_exact_enough() {
        for n in -200..200 {
            let x = n as f32 / 20.0;
            assert!((exp(x) / x.exp() - 1.0).abs() < 2e-6, "exp {x}");
        }
        // Values of the exact function.
        for (x, expected) in [(-3.0, -0.004_049_694), (-1.0, -0.158_655_25), (0.0, 0.0), (0.5, 0.345_731_23), (1.0, 0.841_344_7), (4.0, 3.999_873_3)]
        {
            assert!((gelu(x) - expected).abs() < 2e-6, "gelu {x}: {}", gelu(x));
        }
        let mut row = vec![1.0, 2.0, 3.0];
        softmax(&mut row);
        assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-6 && row[2] > row[1]);
    }
}
