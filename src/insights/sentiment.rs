//! From the scores of single messages to how an account feels and where that is going.

use crate::domain::reading::{ReadingEngine, SentimentLabel};
use crate::domain::sentiment::{AccountSentiment, Point, Signal, Trend};

/// A message counts half for every so many days that it is older than the newest.
const HALF_LIFE_DAYS: f64 = 30.0;
/// Beyond it a score has a direction.
const LEANING: f64 = 0.2;
/// A trend needs so many messages, of more than one day,
const FEWEST: usize = 6;
/// a difference of so much between its older and its newer half,
const CHANGE: f64 = 0.15;
/// and that difference to be so many times its standard error: chance brings one as large in 1 of 20 cases.
const CERTAIN: f64 = 1.645;
/// The least spread of scores in each half: three equal messages do not make a certainty.
const SPREAD: f64 = 0.1;

/// The sentiment that these messages make, in whatever order they come; `engine` read the newest.
pub fn of(mut points: Vec<Point>, engine: Option<ReadingEngine>) -> AccountSentiment {
    points.sort_by(|a, b| b.occurred_at.cmp(&a.occurred_at).then_with(|| a.entry_id.cmp(&b.entry_id)));
    let newest = points.first().map(|point| point.occurred_at);
    let score = newest.map(|newest| {
        let age = |point: &Point| newest.duration_since(point.occurred_at).as_secs_f64() / 86_400.0;
        let weight = |point: &Point| 0.5_f64.powf(age(point) / HALF_LIFE_DAYS);
        let total: f64 = points.iter().map(weight).sum();
        let sum: f64 = points.iter().map(|point| point.score * weight(point)).sum();
        (sum / total * 10_000.0).round() / 10_000.0
    });
    AccountSentiment {
        score,
        label: score.map(label),
        trend: trend(&points),
        messages: points.len(),
        signal: Signal { value: score, as_of: newest, engine },
        points,
    }
}

fn label(score: f64) -> SentimentLabel {
    if score > LEANING {
        SentimentLabel::Positive
    } else if score < -LEANING {
        SentimentLabel::Negative
    } else {
        SentimentLabel::Neutral
    }
}

/// Compares the newer half of the messages, newest first, with the older.
fn trend(points: &[Point]) -> Trend {
    let day = |point: &Point| point.occurred_at.as_second().div_euclid(86_400);
    if points.len() < FEWEST || points.iter().all(|point| day(point) == day(&points[0])) {
        return Trend::Unknown;
    }
    let (newer, older) = points.split_at(points.len() / 2);
    let ((after, after_error), (before, before_error)) = (mean(newer), mean(older));
    let change = after - before;
    if change.abs() < CHANGE || change.abs() < CERTAIN * (after_error + before_error).sqrt() {
        Trend::Stable
    } else if change > 0.0 {
        Trend::Improving
    } else {
        Trend::Declining
    }
}

/// The mean, and the square of its standard error.
fn mean(points: &[Point]) -> (f64, f64) {
    let n = points.len() as f64;
    let mean = points.iter().map(|point| point.score).sum::<f64>() / n;
    let variance = points.iter().map(|point| (point.score - mean).powi(2)).sum::<f64>() / (n - 1.0);
    (mean, variance.max(SPREAD * SPREAD) / n)
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};

    use super::*;

    /// Messages of one a day, the oldest first.
    fn points(scores: &[f64]) -> Vec<Point> {
        let point = |(day, score): (usize, &f64)| Point {
            entry_id: format!("e{day}"),
            occurred_at: Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24 * day as i64),
            score: *score,
            carried_by: Vec::new(),
        };
        scores.iter().enumerate().map(point).collect()
    }

    #[test]
    fn a_trend_needs_more_than_one_angry_mail() {
        for (scores, expected) in [
            (&[][..], Trend::Unknown),
            (&[0.9, -0.9], Trend::Unknown),
            (&[0.0, 0.0, 0.0, 0.0, 0.0, -1.0], Trend::Stable),
            (&[0.5, 0.4, 0.5, -0.3, -0.5, -0.4], Trend::Declining),
            (&[-0.6, -0.2, -0.4, 0.1, 0.3, 0.2, 0.4], Trend::Improving),
            (&[0.1, 0.2, 0.1, 0.1, 0.2, 0.1], Trend::Stable),
        ] {
            assert_eq!(of(points(scores), None).trend, expected, "{scores:?}");
        }
        let same_day = points(&[0.5; 6]).into_iter().map(|point| Point { occurred_at: Timestamp::UNIX_EPOCH, ..point });
        assert_eq!(of(same_day.collect(), None).trend, Trend::Unknown);
    }

    #[test]
    fn newer_messages_count_more() {
        let mut some = points(&[-1.0, 1.0]);
        some[1].occurred_at = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24 * 30);
        let made = of(some, None);
        assert!((made.score.unwrap() - 1.0 / 3.0).abs() < 1e-3, "{made:?}");
        assert_eq!((made.label, made.messages), (Some(SentimentLabel::Positive), 2));
        assert_eq!(of(Vec::new(), None).score, None);
    }

    proptest::proptest! {
        #[test]
        fn order_changes_nothing_and_bounds_hold(scores in proptest::collection::vec(-1.0..1.0_f64, 0..40), turn in 0..40_usize) {
            let straight = of(points(&scores), None);
            let mut turned = points(&scores);
            turned.rotate_left(turn.min(scores.len()));
            turned.reverse();
            proptest::prop_assert_eq!(&straight, &of(turned, None));
            proptest::prop_assert!(straight.score.is_none_or(|score| (-1.0..=1.0).contains(&score)));
        }
    }
}
