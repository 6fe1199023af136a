//! The reader: one pass of a small encoder over a sentence tells its vector, its sentiment, what it does (ask, promise,
//! object, signal) and how it stands to a competitor that it names. In this process, on the CPU, without a network.
//!
//! `models/reader/README.md` says what it learnt from and how good it is.

mod encoder;
mod heads;
mod ops;
mod product;
mod tokens;
mod weights;
pub mod workers;

use std::ops::Range;
use std::path::Path;

use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::domain::entry::Side;
use encoder::{Encoded, Encoder, Tokens, WIDTH};
use heads::{Head, StanceHead, VectorHead};
use tokens::{Tokenized, Words};
use weights::Weights;

/// Tokens that are read together at most; a sentence has fewer.
const BATCH_TOKENS: usize = 1_024;

#[derive(Debug, thiserror::Error)]
pub enum ReaderError {
    /// Its files are missing, damaged, or not those of the version that they claim to be.
    #[error("the reader cannot be used: {0}")]
    Broken(String),
    #[error("the reader failed: {0}")]
    Failed(String),
    /// Too much waits to be read.
    #[error("the reader is busy")]
    Busy,
}

impl From<candle_core::Error> for ReaderError {
    fn from(error: candle_core::Error) -> ReaderError {
        ReaderError::Failed(error.to_string())
    }
}

/// A sentence to read.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    pub text: String,
    /// The sentence before, by the same or the other side.
    pub before: Option<String>,
    pub side: Side,
    /// The speaker's role.
    pub title: Option<String>,
    /// Where competitors are named, in bytes of the text.
    pub mentions: Vec<Range<usize>>,
}

/// What is in a sentence. Probabilities are calibrated: of the answers given with 0.8, about 80 % are right.
#[derive(Debug, Clone, PartialEq)]
pub struct Read {
    /// 384 numbers of length one; sentences of like meaning point the same way.
    pub vector: Vec<f32>,
    /// Negative, neutral, positive.
    pub sentiment: [f32; 3],
    pub question: f32,
    pub commitment: f32,
    pub objection: f32,
    /// In the order of `domain::reading::Subtype::OBJECTIONS`, given that it is one.
    pub objections: Vec<f32>,
    pub positive_signal: f32,
    /// In the order of `domain::reading::Subtype::SIGNALS`, given that it is one.
    pub signals: Vec<f32>,
    /// For each mention, in the order of `domain::reading::Stance::ALL`; none where the name lies beyond what was read.
    pub stances: Vec<Option<Vec<f32>>>,
}

/// What the files of a reader say about themselves.
#[derive(Debug, Clone, Deserialize)]
struct Card {
    /// Rises with every training.
    version: i64,
    weights_sha256: String,
    tokenizer_sha256: String,
    calibration: Calibration,
}

/// How far each task's answers are to be trusted: they are divided by the temperature, then shifted.
#[derive(Debug, Clone, Copy, Deserialize)]
struct Scale {
    temperature: f32,
    shift: f32,
}

#[derive(Debug, Clone, Deserialize)]
struct Calibration {
    sentiment: Scale,
    question: Scale,
    commitment: Scale,
    objection: Scale,
    objection_sub: Scale,
    positive_signal: Scale,
    signal_sub: Scale,
    stance: Scale,
}

/// The model, ready to read. Reading takes `&self`: any number of threads may.
#[derive(Debug)]
pub struct Reader {
    version: i64,
    calibration: Calibration,
    words: Words,
    encoder: Encoder,
    vector: VectorHead,
    sentiment: Head,
    question: Head,
    commitment: Head,
    objection: Head,
    positive_signal: Head,
    stance: StanceHead,
}

impl Reader {
    /// The reader that ships with this program.
    ///
    /// # Errors
    /// When its files were damaged on the way into the program.
    pub fn shipped() -> Result<Reader, ReaderError> {
        let file = |name: &str| {
            std::borrow::Cow::Borrowed(match name {
                "config.json" => &include_bytes!("../../../models/reader/config.json")[..],
                "tokenizer.json" => include_bytes!("../../../models/reader/tokenizer.json"),
                _ => include_bytes!("../../../models/reader/reader.safetensors"),
            })
        };
        Reader::load(|name| Ok(file(name)))
    }

    /// The reader in a folder: `config.json`, `tokenizer.json`, `reader.safetensors`.
    ///
    /// # Errors
    /// When a file is missing, or is not the one that `config.json` names by its hash.
    pub fn open(folder: &Path) -> Result<Reader, ReaderError> {
        Reader::load(|name| {
            let path = folder.join(name);
            std::fs::read(&path).map(Into::into).map_err(|e| ReaderError::Broken(format!("{}: {e}", path.display())))
        })
    }

    fn load(file: impl Fn(&str) -> Result<std::borrow::Cow<'static, [u8]>, ReaderError>) -> Result<Reader, ReaderError> {
        let card: Card = serde_json::from_slice(&file("config.json")?).map_err(|e| ReaderError::Broken(format!("config.json: {e}")))?;
        let known = |name: &str, sha256: &str| {
            let bytes = file(name)?;
            let found: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
            if found == sha256 { Ok(bytes) } else { Err(ReaderError::Broken(format!("{name} is damaged: its hash is {found}, not {sha256}"))) }
        };
        let words = Words::read(&known("tokenizer.json", &card.tokenizer_sha256)?)?;
        let broken = |e: candle_core::Error| ReaderError::Broken(format!("reader.safetensors: {e}"));
        let mut weights = Weights::read(&known("reader.safetensors", &card.weights_sha256)?).map_err(broken)?;
        let mut head = |name: &str, answers| Head::new(&mut weights, name, answers).map_err(broken);
        let (sentiment, question, commitment) = (head("sentiment", 1)?, head("question", 1)?, head("commitment", 1)?);
        let (objection, positive_signal) = (head("objection", 2)?, head("positive_signal", 2)?);
        let vector = VectorHead::new(&mut weights, "vector").map_err(broken)?;
        let stance = StanceHead::new(&mut weights, "stance").map_err(broken)?;
        let encoder = Encoder::new(&mut weights).map_err(broken)?;
        Ok(Reader {
            version: card.version,
            calibration: card.calibration,
            words,
            encoder,
            vector,
            sentiment,
            question,
            commitment,
            objection,
            positive_signal,
            stance,
        })
    }

    /// Which training this is.
    pub fn version(&self) -> i64 {
        self.version
    }

    /// Reads sentences, several at once; the answers are in the order of the questions. How long each of them is does not matter:
    /// they lie one after the other, not filled up to the longest.
    ///
    /// # Errors
    /// When the model fails, which no text makes it do.
    pub fn read(&self, sentences: &[Asked]) -> Result<Vec<Read>, ReaderError> {
        let tokenized: Vec<Tokenized> = sentences.iter().map(|asked| self.words.tokens(asked)).collect::<Result<_, _>>()?;
        let mut read = Vec::with_capacity(tokenized.len());
        let mut rest = &tokenized[..];
        while !rest.is_empty() {
            let mut tokens = 0;
            let fits = |next: &&Tokenized| {
                tokens += next.tokens.ids.len();
                tokens <= BATCH_TOKENS
            };
            let (batch, after) = rest.split_at(rest.iter().take_while(fits).count().max(1));
            rest = after;
            let texts: Vec<&Tokens> = batch.iter().map(|one| &one.tokens).collect();
            let Encoded { words, means } = self.encoder.encode(&texts)?;
            let mut from = 0;
            for (Tokenized { tokens, mentions }, means) in batch.iter().zip(&means) {
                let to = from + tokens.ids.len();
                read.push(self.decide(&words[(from + tokens.before) * WIDTH..to * WIDTH], means, mentions));
                from = to;
            }
        }
        Ok(read)
    }

    /// From the vectors of a sentence's tokens, and their means after each layer.
    fn decide(&self, words: &[f32], means: &[f32], mentions: &[Vec<usize>]) -> Read {
        let scales = &self.calibration;
        let yes = |answers: &[Vec<f32>], scale: &Scale| 1.0 / (1.0 + (-(answers[0][0] / scale.temperature + scale.shift)).exp());
        let sentiment = shares(&self.sentiment.of(words)[0], &scales.sentiment);
        let (objection, signal) = (self.objection.of(words), self.positive_signal.of(words));
        Read {
            vector: self.vector.of(means),
            sentiment: [sentiment[0], sentiment[1], sentiment[2]],
            question: yes(&self.question.of(words), &scales.question),
            commitment: yes(&self.commitment.of(words), &scales.commitment),
            objection: yes(&objection, &scales.objection),
            objections: shares(&objection[1], &scales.objection_sub),
            positive_signal: yes(&signal, &scales.positive_signal),
            signals: shares(&signal[1], &scales.signal_sub),
            stances: mentions.iter().map(|named| (!named.is_empty()).then(|| shares(&self.stance.of(words, named), &scales.stance))).collect(),
        }
    }
}

fn shares(answers: &[f32], scale: &Scale) -> Vec<f32> {
    let mut shares: Vec<f32> = answers.iter().map(|answer| answer / scale.temperature).collect();
    ops::softmax(&mut shares);
    shares
}
