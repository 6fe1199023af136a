//! Sentences to tokens. The side, the title and what stands before are the first segment, the sentence is the second.

use std::ops::Range;

use tokenizers::Tokenizer;

use super::encoder::Tokens;
use super::{Asked, ReaderError};

/// Tokens of what stands before a sentence, of which the end counts, and of the sentence.
const BEFORE: usize = 48;
const SENTENCE: usize = 128;
/// Of side and title.
const SPEAKER: usize = 16;
/// Marks of the beginning and of the end of a segment.
const BEGIN: u32 = 101;
const END: u32 = 102;

#[derive(Debug)]
pub(super) struct Tokenized {
    pub tokens: Tokens,
    /// For each mention that was asked about, its positions among the tokens of the sentence.
    pub mentions: Vec<Vec<usize>>,
}

#[derive(Debug)]
pub(super) struct Words(Tokenizer);

impl Words {
    pub fn read(json: &[u8]) -> Result<Words, ReaderError> {
        let mut tokenizer = Tokenizer::from_bytes(json).map_err(|e| ReaderError::Broken(format!("tokenizer.json: {e}")))?;
        // Texts are cut and filled up here.
        tokenizer.with_truncation(None).map_err(|e| ReaderError::Broken(format!("tokenizer.json: {e}")))?.with_padding(None);
        Ok(Words(tokenizer))
    }

    fn encode(&self, text: &str) -> Result<(Vec<u32>, Vec<Range<usize>>), ReaderError> {
        let encoding = self.0.encode(text, false).map_err(|e| ReaderError::Failed(e.to_string()))?;
        Ok((encoding.get_ids().to_vec(), encoding.get_offsets().iter().map(|(from, to)| *from..*to).collect()))
    }

    pub fn tokens(&self, asked: &Asked) -> Result<Tokenized, ReaderError> {
        let speaker = match &asked.title {
            Some(title) => format!("{}, {title}:", asked.side),
            None => format!("{}:", asked.side),
        };
        let mut ids = vec![BEGIN];
        ids.extend(self.encode(&speaker)?.0.into_iter().take(SPEAKER));
        if let Some(before) = &asked.before {
            let before = self.encode(before)?.0;
            let room = BEFORE + 1 - ids.len();
            ids.extend(&before[before.len().saturating_sub(room)..]);
        }
        ids.push(END);
        let before = ids.len();
        let (sentence, places) = self.encode(&asked.text)?;
        ids.extend(sentence.iter().take(SENTENCE));
        ids.push(END);
        let inside = |mention: &Range<usize>| {
            let overlaps = |place: &Range<usize>| place.start < mention.end && place.end > mention.start;
            places.iter().take(SENTENCE).enumerate().filter(|(_, place)| overlaps(place)).map(|(at, _)| at).collect()
        };
        Ok(Tokenized { tokens: Tokens { ids, before }, mentions: asked.mentions.iter().map(inside).collect() })
    }
}
