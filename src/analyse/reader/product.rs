//! Products with weights that were put, when loaded, into the order in which the processor asks for them: a general product does
//! so each time, which for a single sentence takes as long as multiplying.

use candle_core::{CpuStorage, Error, InplaceOp2, Layout, Result};
use pulp::{Arch, Simd, WithSimd};

use super::ops::{values, values_mut};

/// A panel is as many outputs wide as so many of the processor's vectors.
const VECTORS: usize = 2;
/// Rows whose numbers stay in the second cache while all panels pass by.
const CHUNK: usize = 96;
/// Bytes that the processor fetches at a time.
const LINE: usize = 64;

/// Weights in panels of outputs; in a panel, input after input.
#[derive(Debug)]
pub(super) struct Matrix {
    numbers: Vec<f32>,
    /// Where the first panel begins, so that no vector lies across two lines.
    start: usize,
    inputs: usize,
    outputs: usize,
}

impl Matrix {
    /// `rows` has a row of weights for each output.
    ///
    /// # Errors
    /// When they are not whole rows that fill panels: files of another model.
    pub fn pack(rows: &[f32], inputs: usize) -> Result<Matrix> {
        let (outputs, wide) = (rows.len() / inputs, Arch::new().dispatch(Width));
        if rows.len() != outputs * inputs || !outputs.is_multiple_of(wide) {
            return Err(Error::Msg(format!("{} weights are no rows of {inputs}, or do not fill panels of {wide}", rows.len())));
        }
        let mut numbers = vec![0.0; rows.len() + LINE / size_of::<f32>()];
        let start = numbers.as_ptr().align_offset(LINE).min(LINE / size_of::<f32>());
        for (panel, rows) in numbers[start..].chunks_exact_mut(wide * inputs).zip(rows.chunks_exact(wide * inputs)) {
            for (output, row) in rows.chunks_exact(inputs).enumerate() {
                for (input, weight) in row.iter().enumerate() {
                    panel[input * wide + output] = *weight;
                }
            }
        }
        Ok(Matrix { numbers, start, inputs, outputs })
    }

    /// Each row of inputs times the weights.
    fn times(&self, rows: &[f32], out: &mut [f32]) {
        Arch::new().dispatch(Times { matrix: self, rows, out });
    }
}

impl InplaceOp2 for Matrix {
    fn name(&self) -> &'static str {
        "packed-product"
    }

    fn cpu_fwd(&self, out: &mut CpuStorage, layout: &Layout, rows: &CpuStorage, layout_of_rows: &Layout) -> Result<()> {
        self.times(values(rows, layout_of_rows)?, values_mut(out, layout)?);
        Ok(())
    }
}

/// The outputs of a panel on this processor.
struct Width;

impl WithSimd for Width {
    type Output = usize;

    fn with_simd<S: Simd>(self, _: S) -> usize {
        VECTORS * S::F32_LANES
    }
}

struct Times<'a> {
    matrix: &'a Matrix,
    rows: &'a [f32],
    out: &'a mut [f32],
}

impl WithSimd for Times<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Matrix { numbers, start, inputs, outputs } = self.matrix;
        let wide = VECTORS * S::F32_LANES;
        let panels = &numbers[*start..][..inputs * outputs];
        // Their sums take half of the registers. With more, the compiler keeps some in memory.
        let most = S::REGISTER_COUNT / 2 / VECTORS;
        for (rows, out) in self.rows.chunks(CHUNK * inputs).zip(self.out.chunks_mut(CHUNK * outputs)) {
            let count = rows.len() / inputs;
            let blocks = count.div_ceil(most);
            for (at, panel) in panels.chunks_exact(wide * inputs).enumerate() {
                let (panel, _) = S::as_simd_f32s(panel).0.as_chunks();
                for block in 0..blocks {
                    let (from, to) = (count * block / blocks, count * (block + 1) / blocks);
                    let (rows, out) = (&rows[from * inputs..to * inputs], &mut out[from * outputs + at * wide..]);
                    match to - from {
                        1 => multiply::<S, 1>(simd, rows, panel, out, *outputs),
                        2 => multiply::<S, 2>(simd, rows, panel, out, *outputs),
                        3 => multiply::<S, 3>(simd, rows, panel, out, *outputs),
                        4 => multiply::<S, 4>(simd, rows, panel, out, *outputs),
                        5 => multiply::<S, 5>(simd, rows, panel, out, *outputs),
                        6 => multiply::<S, 6>(simd, rows, panel, out, *outputs),
                        7 => multiply::<S, 7>(simd, rows, panel, out, *outputs),
                        _ => multiply::<S, 8>(simd, rows, panel, out, *outputs),
                    }
                }
            }
        }
    }
}

/// So many rows times one panel; the sums stay in registers.
#[inline(always)]
fn multiply<S: Simd, const ROWS: usize>(simd: S, rows: &[f32], panel: &[[S::f32s; VECTORS]], out: &mut [f32], outputs: usize) {
    let inputs = panel.len();
    let rows: [&[f32]; ROWS] = std::array::from_fn(|n| &rows[n * inputs..][..inputs]);
    let mut sums = [[simd.splat_f32s(0.0); VECTORS]; ROWS];
    for (input, weights) in panel.iter().enumerate() {
        for (sums, row) in sums.iter_mut().zip(rows) {
            let value = simd.splat_f32s(row[input]);
            for (sum, weight) in sums.iter_mut().zip(weights) {
                *sum = simd.mul_add_e_f32s(value, *weight, *sum);
            }
        }
    }
    for (row, sums) in sums.iter().enumerate() {
        let out = &mut out[row * outputs..][..VECTORS * S::F32_LANES];
        S::as_mut_simd_f32s(out).0.copy_from_slice(sums);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers without a pattern, from -1 to 1.
    fn numbers(count: usize) -> Vec<f32> {
        (0..count).map(|n| ((n * 7_919 + 13) % 2_003) as f32 / 1_001.5 - 1.0).collect()
    }

    #[test]
    fn weights_of_another_shape_are_refused() {
        assert!(Matrix::pack(&numbers(100), 7).is_err());
    }

    #[test]
    fn products_are_those_of_the_definition() {
        for (rows, inputs, outputs) in [(1, 32, 32), (5, 384, 64), (12, 7, 96), (13, 64, 32), (97, 16, 32), (200, 48, 64)] {
            let (input, weights) = (numbers(rows * inputs), numbers(outputs * inputs));
            let mut found = vec![f32::NAN; rows * outputs];
            Matrix::pack(&weights, inputs).unwrap().times(&input, &mut found);
            for row in 0..rows {
                for output in 0..outputs {
                    let pairs = input[row * inputs..][..inputs].iter().zip(&weights[output * inputs..][..inputs]);
                    let expected: f64 = pairs.map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
                    let difference = (f64::from(found[row * outputs + output]) - expected).abs();
                    assert!(difference < 1e-4 * inputs as f64, "{rows} x {inputs} x {outputs}: {row}, {output}");
                }
            }
        }
    }
}
