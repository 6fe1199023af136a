//! A stretch of an entry with what it means, as a vector: two or three sentences, or a few turns of a conversation.

/// Numbers of a vector.
pub const WIDTH: usize = 384;
/// Bytes of a stretch as it is stored: segment, start and end as numbers of four, then the vector.
const STORED: usize = 12 + WIDTH;
/// Stands for no segment.
const BODY: u32 = u32::MAX;

/// The direction in which words point in the space of meanings; words of like meaning point the same way. Each number is kept as
/// a whole one from -127 to 127, of its vector's largest.
#[derive(Debug, Clone, PartialEq)]
pub struct Vector {
    numbers: Box<[i8]>,
    length: f32,
}

impl Vector {
    /// From any vector of [`WIDTH`] numbers, whatever its length; none of one without a direction.
    pub fn of(numbers: &[f32]) -> Option<Vector> {
        let largest = numbers.iter().fold(0.0_f32, |largest, number| largest.max(number.abs()));
        if numbers.len() != WIDTH || !largest.is_finite() || largest == 0.0 {
            return None;
        }
        // Within ±127 by the division.
        #[allow(clippy::cast_possible_truncation)]
        Vector::from_numbers(numbers.iter().map(|number| (number / largest * 127.0).round() as i8).collect())
    }

    fn from_numbers(numbers: Box<[i8]>) -> Option<Vector> {
        let square: i32 = numbers.iter().map(|number| i32::from(*number) * i32::from(*number)).sum();
        (square > 0).then(|| Vector { numbers, length: (square as f32).sqrt() })
    }

    /// The cosine of the angle between two: 1 for the same meaning, about 0 for nothing in common.
    pub fn closeness(&self, other: &Vector) -> f32 {
        let product: i32 = self.numbers.iter().zip(&other.numbers).map(|(a, b)| i32::from(i16::from(*a) * i16::from(*b))).sum();
        product as f32 / (self.length * other.length)
    }
}

/// A stretch of an entry: in its body, or in a segment of its transcript, which its offsets then count from.
#[derive(Debug, Clone, PartialEq)]
pub struct Stretch {
    pub segment: Option<usize>,
    /// In characters, end exclusive.
    pub start: usize,
    pub end: usize,
    /// Of the stretch, and of the short turns around it.
    pub vector: Vector,
}

/// Stretches as they are stored.
pub fn to_bytes(stretches: &[Stretch]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(stretches.len() * STORED);
    let number = |number: usize| u32::try_from(number).unwrap_or(BODY).to_le_bytes();
    for stretch in stretches {
        bytes.extend(stretch.segment.map_or(BODY.to_le_bytes(), number));
        bytes.extend(number(stretch.start));
        bytes.extend(number(stretch.end));
        bytes.extend(stretch.vector.numbers.iter().map(|number| number.to_le_bytes()[0]));
    }
    bytes
}

/// Stretches from what was stored; none when it is not what [`to_bytes`] makes.
pub fn from_bytes(bytes: &[u8]) -> Option<Vec<Stretch>> {
    let (stored, rest) = bytes.as_chunks::<STORED>();
    if !rest.is_empty() {
        return None;
    }
    let read = |stored: &[u8; STORED]| {
        let number = |at: usize| stored.get(at..at + 4)?.try_into().ok().map(u32::from_le_bytes);
        let numbers = stored[12..].iter().map(|byte| i8::from_le_bytes([*byte])).collect();
        Some(Stretch {
            segment: Some(number(0)?).filter(|segment| *segment != BODY).map(|segment| segment as usize),
            start: number(4)? as usize,
            end: number(8)? as usize,
            vector: Vector::from_numbers(numbers)?,
        })
    };
    stored.iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vector(seed: u32) -> Vec<f32> {
        (0..WIDTH as u32).map(|i| ((i * 37 + seed * 101) % 199) as f32 / 99.0 - 1.0).collect()
    }

    #[test]
    fn what_is_stored_comes_back() {
        let stretch = |segment, seed| Stretch { segment, start: 3, end: 70, vector: Vector::of(&vector(seed)).unwrap() };
        let stretches = vec![stretch(None, 1), stretch(Some(4), 2)];
        let bytes = to_bytes(&stretches);
        assert_eq!(from_bytes(&bytes), Some(stretches));
        assert_eq!(from_bytes(&bytes[1..]), None);
        assert_eq!(from_bytes(&[]), Some(Vec::new()));
    }

    #[test]
    fn closeness_is_the_cosine_to_a_hundredth() {
        let exact = |a: &[f32], b: &[f32]| {
            let product = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f32>();
            product(a, b) / (product(a, a) * product(b, b)).sqrt()
        };
        for seed in 0..20 {
            let (a, b) = (vector(seed), vector(seed * 7 + 1));
            let close = Vector::of(&a).unwrap().closeness(&Vector::of(&b).unwrap());
            assert!((close - exact(&a, &b)).abs() < 0.01, "{close}");
        }
        assert_eq!(Vector::of(&[0.0; WIDTH]), None);
        assert_eq!(Vector::of(&[1.0; 3]), None);
    }
}
