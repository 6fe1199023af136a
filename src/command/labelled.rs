//! Mails of which somebody said what each piece is, and how well they are told apart.

use std::path::Path;

use anyhow::{Context, anyhow};
use rapport::domain::span::{Span, SpanKind, slice};
use serde::Deserialize;

#[derive(Deserialize)]
pub struct Labelled {
    pub id: String,
    #[serde(default)]
    raw: String,
    #[serde(default)]
    new_words: String,
    /// The mail in pieces; the pieces of kind `new` are its new words.
    #[serde(default)]
    segments: Vec<Piece>,
}

#[derive(Deserialize)]
struct Piece {
    kind: SpanKind,
    text: String,
}

impl Labelled {
    /// The mails of an NDJSON file with `id`, `raw` and `new_words`, or with `segments`.
    pub fn read(file: &Path) -> anyhow::Result<Vec<Labelled>> {
        let text = std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
        let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        lines.map(|(at, line)| serde_json::from_str(line).map_err(|e| anyhow!("{}:{}: {e}", file.display(), at + 1))).collect()
    }

    pub fn body(&self) -> String {
        match self.segments.is_empty() {
            true => self.raw.clone(),
            false => self.segments.iter().map(|piece| piece.text.as_str()).collect(),
        }
    }

    pub fn is_automatic(&self) -> bool {
        self.segments.iter().any(|piece| piece.kind == SpanKind::Automatic)
    }

    pub fn pieces(&self) -> Vec<(SpanKind, String)> {
        self.segments.iter().map(|piece| (piece.kind, piece.text.clone())).collect()
    }

    /// Its new words, white space evened out.
    pub fn expected(&self) -> String {
        if self.segments.is_empty() {
            return normal(&self.new_words);
        }
        let new = self.segments.iter().filter(|piece| piece.kind == SpanKind::New);
        normal(&new.map(|piece| piece.text.as_str()).collect::<Vec<_>>().join(" "))
    }

    /// The new words that are found by splitting its body.
    pub fn found(&self, is_automatic: impl Fn(&str) -> bool, split: impl Fn(&str) -> Vec<Span>) -> String {
        let body = self.body();
        if is_automatic(&body) {
            return String::new();
        }
        let new = split(&body).into_iter().filter(|span| span.kind == SpanKind::New);
        normal(&new.filter_map(|span| slice(&body, span.start, span.end)).collect::<Vec<_>>().join(" "))
    }
}

pub fn normal(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A row of a table: a share with its 95 % interval (E. B. Wilson, 1927).
pub fn row(name: &str, hits: u32, total: u32) -> String {
    let (low, high) = wilson(hits, total);
    format!("{name:<38}  {:.3}   {low:.3} to {high:.3}  {total:>4}", f64::from(hits) / f64::from(total.max(1)))
}

fn wilson(hits: u32, total: u32) -> (f64, f64) {
    if total == 0 {
        return (0.0, 1.0);
    }
    let (n, z) = (f64::from(total), 1.96);
    let p = f64::from(hits) / n;
    let middle = p + z * z / (2.0 * n);
    let half = z * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + z * z / n;
    ((middle - half) / scale, (middle + half) / scale)
}

#[cfg(test)]
mod tests {
    use super::wilson;

    #[test]
    fn the_interval_holds_the_share() {
        let (low, high) = wilson(85, 100);
        assert!((low - 0.767).abs() < 0.002 && (high - 0.907).abs() < 0.002, "{low} {high}");
    }
}
