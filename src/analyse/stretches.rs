//! Sentences put together until they say enough to be found by what they mean: alone, most of them say too little.

use super::passage::Piece;
use super::reader::Read;
use crate::domain::stretch::{Stretch, Vector, WIDTH};

/// Characters after which a stretch says enough.
pub const ENOUGH: usize = 300;

/// The stretches of an entry, from its sentences in order, each with the segment it was said in. Short turns mean something
/// together: their stretch is the one of them that says most.
pub fn of<'a>(sentences: impl IntoIterator<Item = (Option<usize>, &'a Piece<'a>, &'a Read)>) -> Vec<Stretch> {
    let (mut stretches, mut growing) = (Vec::new(), Growing::default());
    for (segment, piece, read) in sentences {
        growing.add(segment, piece, read);
        if growing.characters >= ENOUGH {
            stretches.extend(std::mem::take(&mut growing).finish());
        }
    }
    stretches.extend(growing.finish());
    stretches
}

#[derive(Default)]
struct Growing {
    /// Where its sentences stand, those of one segment together.
    places: Vec<(Option<usize>, usize, usize)>,
    characters: usize,
    sum: Vec<f32>,
}

impl Growing {
    fn add(&mut self, segment: Option<usize>, piece: &Piece<'_>, read: &Read) {
        match self.places.last_mut().filter(|(last, ..)| *last == segment) {
            Some((_, _, end)) => *end = piece.end,
            None => self.places.push((segment, piece.start, piece.end)),
        }
        let length = piece.end - piece.start;
        self.characters += length;
        self.sum.resize(WIDTH, 0.0);
        // Longer sentences say more.
        self.sum.iter_mut().zip(&read.vector).for_each(|(sum, number)| *sum += number * length as f32);
    }

    fn finish(self) -> Option<Stretch> {
        let vector = Vector::of(&self.sum)?;
        let (segment, start, end) = self.places.into_iter().max_by_key(|(_, start, end)| end - start)?;
        Some(Stretch { segment, start, end, vector })
    }
}
