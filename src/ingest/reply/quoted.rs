//! Quoted mail: `>` lines, attributions such as "On … wrote:", header blocks of Outlook and of forwarded mail.

use super::Line;
use super::words::{ANSWER_ABOVE, CLOSES_ATTRIBUTION, FROM_LINE, OPENS_ATTRIBUTION, OTHER_HEADER, SEPARATOR};
use crate::domain::span::SpanKind;

/// An attribution may be wrapped over this many lines.
const ATTRIBUTION_LINES: usize = 4;

pub(super) fn mark_quoted(lines: &[Line], kinds: &mut [SpanKind]) {
    let mut at = 0;
    while at < lines.len() {
        if starts_header_block(lines, at) {
            // Outlook and forwarded mail quote without marks: all that follows is theirs.
            kinds[at..].fill(SpanKind::Quoted);
            return;
        }
        if let Some(after) = attribution_at(lines, at) {
            kinds[at..after].fill(SpanKind::Quoted);
            let next = (after..lines.len()).find(|&i| !lines[i].is_blank());
            match next {
                // Unmarked text under an attribution is the quoted mail itself (mobile clients, HTML turned to text).
                Some(next) if !is_quote_line(lines[next].text) => {
                    kinds[at..].fill(SpanKind::Quoted);
                    return;
                }
                Some(next) => at = next,
                None => return,
            }
            continue;
        }
        if is_quote_line(lines[at].text) {
            kinds[at] = SpanKind::Quoted;
            if is_wrapped_rest(lines, at + 1) {
                kinds[at + 1] = SpanKind::Quoted;
                at += 1;
            }
        }
        at += 1;
    }
}

pub(super) fn is_quote_line(text: &str) -> bool {
    text.trim_start().starts_with('>')
}

/// A quoted line that was wrapped once more on its way leaves a short rest without a mark.
fn is_wrapped_rest(lines: &[Line], at: usize) -> bool {
    let Some(rest) = lines.get(at) else { return false };
    let text = rest.text.trim();
    let before = lines[at - 1].text.trim_end();
    !text.is_empty()
        && !is_quote_line(text)
        && before.chars().count() >= 60
        && text.chars().count() <= 30
        && text.chars().next().is_some_and(char::is_lowercase)
        && lines.get(at + 1).is_none_or(|next| next.is_blank() || is_quote_line(next.text))
}

/// The line after an attribution ("On 3 Feb 2026, Jane wrote:") that starts at `at`, if one does.
fn attribution_at(lines: &[Line], at: usize) -> Option<usize> {
    if is_quote_line(lines[at].text) || !OPENS_ATTRIBUTION.is_match(lines[at].text.trim_start()) {
        return None;
    }
    let mut joined = String::new();
    for (i, line) in lines.iter().enumerate().skip(at).take(ATTRIBUTION_LINES) {
        if line.is_blank() {
            return None;
        }
        joined.push(' ');
        joined.push_str(line.text.trim());
        if CLOSES_ATTRIBUTION.is_match(&joined) {
            let dated_or_addressed = joined.contains('@') || joined.chars().filter(char::is_ascii_digit).count() >= 2;
            return dated_or_addressed.then_some(i + 1);
        }
    }
    None
}

/// Whether a quoted mail's header block ("From: … Sent: … Subject: …") or its separator starts here.
fn starts_header_block(lines: &[Line], at: usize) -> bool {
    let text = lines[at].text.trim();
    if SEPARATOR.is_match(text) || ANSWER_ABOVE.is_match(text) {
        return true;
    }
    if is_rule(text) {
        // Outlook draws a line first; a list footer starts the same way and is told apart by what follows.
        let next = (at + 1..lines.len().min(at + 3)).find(|&i| !lines[i].is_blank());
        return next.is_some_and(|next| is_header_line(lines, next));
    }
    is_header_line(lines, at)
}

pub(super) fn is_rule(text: &str) -> bool {
    text.len() >= 20 && text.chars().all(|c| matches!(c, '_' | '-' | '='))
}

fn is_header_line(lines: &[Line], at: usize) -> bool {
    if !FROM_LINE.is_match(lines[at].text.trim()) {
        return false;
    }
    let others = lines[at + 1..].iter().take(8).filter(|line| OTHER_HEADER.is_match(line.text.trim())).count();
    others >= 2
}
