//! The weights of the reader: half-precision matrices and one-byte word vectors, told by their hash.

use std::collections::HashMap;

use candle_core::{DType, Device, Error, Result, Tensor};

use super::ops::Norm;
use super::product::Matrix;

/// Weights by name, taken out one by one.
pub(super) struct Weights(HashMap<String, Tensor>);

impl Weights {
    pub fn read(bytes: &[u8]) -> Result<Weights> {
        Ok(Weights(candle_core::safetensors::load_buffer(bytes, &Device::Cpu)?))
    }

    fn take(&mut self, name: &str) -> Result<Tensor> {
        self.0.remove(name).ok_or_else(|| Error::Msg(format!("there is no weight {name}")))
    }

    pub fn matrix(&mut self, name: &str, inputs: usize) -> Result<Matrix> {
        Matrix::pack(&self.numbers(name)?, inputs)
    }

    pub fn numbers(&mut self, name: &str) -> Result<Vec<f32>> {
        self.take(name)?.to_dtype(DType::F32)?.flatten_all()?.to_vec1()
    }

    pub fn bytes(&mut self, name: &str) -> Result<Vec<u8>> {
        self.take(name)?.flatten_all()?.to_vec1()
    }

    pub fn norm(&mut self, name: &str) -> Result<Norm> {
        Ok(Norm { weight: self.numbers(&format!("{name}.weight"))?, bias: self.numbers(&format!("{name}.bias"))? })
    }
}
