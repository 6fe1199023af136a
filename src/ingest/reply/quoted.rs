//! Quoted mail: `>` lines, attributions such as "On … wrote:", header blocks of Outlook and of forwarded mail.

use super::Line;
use super::quoting::{
    ANSWER, ANSWER_ABOVE, CITED, CLOSES_ATTRIBUTION, FROM_LINE, NOTES_LINE, NOTES_NAME, OPENS_ATTRIBUTION, OTHER_HEADER, RUN_ON_ATTRIBUTION,
    SAYS_ABOVE, SENT_LINE, SEPARATOR,
};
use crate::domain::span::SpanKind;

/// An attribution may be wrapped over this many lines.
const ATTRIBUTION_LINES: usize = 4;

pub(super) fn mark_quoted(lines: &[Line], kinds: &mut [SpanKind]) {
    let mut at = 0;
    while at < lines.len() {
        if starts_header_block(lines, at) {
            // Below a header whose mail is marked line by line, answers stand between the marks.
            if let Some(after) = Some(header_end(lines, at).unwrap_or(at + 1))
                .filter(|&after| (after..lines.len()).find(|&i| !lines[i].is_blank()).is_some_and(|i| is_quote_line(lines[i].text)))
            {
                kinds[at..after].fill(SpanKind::Quoted);
                at = after;
                continue;
            }
            // Outlook and forwarded mail quote without marks: all that follows is theirs, but for answers that are marked.
            kinds[at..].fill(SpanKind::Quoted);
            mark_answers(lines, kinds, at);
            if lines[..at].iter().all(Line::is_blank) {
                mark_answer_below(lines, kinds, at);
            }
            return;
        }
        if let Some(after) = attribution_at(lines, at) {
            kinds[at..after].fill(SpanKind::Quoted);
            let next = (after..lines.len()).find(|&i| !lines[i].is_blank());
            // Words in quotation marks behind it are cited by the writer.
            if next.is_some_and(|next| CITED.is_match(lines[next].text.trim())) {
                kinds[at..after].fill(SpanKind::New);
                at = after;
                continue;
            }
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

/// Where the header that begins at this line ends: at the first line that is none of it.
fn header_end(lines: &[Line], at: usize) -> Option<usize> {
    let is_header = |i: usize| FROM_LINE.is_match(lines[i].text.trim()) || OTHER_HEADER.is_match(lines[i].text.trim());
    let is_header = |i: usize| !is_quote_line(lines[i].text) && is_header(i);
    let first = (at..lines.len().min(at + 4)).find(|&i| is_header(i))?;
    let last = (first..lines.len().min(first + 14)).rev().find(|&i| is_header(i))?;
    Some(last + 1)
}

/// An answer below a quoted mail that stands at the top: it begins after a gap, and there is nothing else of the writer's.
fn mark_answer_below(lines: &[Line], kinds: &mut [SpanKind], from: usize) {
    if kinds.contains(&SpanKind::New) {
        return;
    }
    let is_gap = |i: usize| lines[i].is_blank() && lines[i - 1].is_blank() && lines.get(i + 1).is_some_and(|next| !next.is_blank());
    let begins = header_end(lines, from).unwrap_or(from + 1) + 1;
    if let Some(gap) = (begins + 1..lines.len()).rev().find(|&i| is_gap(i) && lines[i + 1].text.trim_end().ends_with([',', ':', '!'])) {
        kinds[gap..].fill(SpanKind::New);
    }
}

/// Answers typed into a quoted mail, each with the same kind of mark before it: `==>`, `[RF]`, `R:`.
fn mark_answers(lines: &[Line], kinds: &mut [SpanKind], from: usize) {
    let marks: Vec<usize> = (from..lines.len())
        .filter(|&i| ANSWER.is_match(lines[i].text) && (i == 0 || lines[i - 1].is_blank() || ANSWER.is_match(lines[i - 1].text)))
        .collect();
    let kind = |i: usize| ANSWER.captures(lines[i].text).and_then(|c| c.get(1)).map(|m| m.as_str().to_owned());
    let same = |i: usize| marks.iter().filter(|&&j| kind(j) == kind(i)).count();
    for &mark in marks.iter().filter(|&&mark| same(mark) >= 2) {
        let end = (mark..lines.len()).find(|&i| lines[i].is_blank()).unwrap_or(lines.len());
        kinds[mark..end].fill(SpanKind::New);
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
    let closes = |line: &Line| line.text.trim_end().ends_with(':');
    if !lines[at..].iter().take(ATTRIBUTION_LINES).any(closes)
        || is_quote_line(lines[at].text)
        || !OPENS_ATTRIBUTION.is_match(lines[at].text.trim_start())
    {
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
    // What can be seen at once spares most lines the patterns.
    let marked = !text.starts_with(char::is_alphanumeric);
    if (marked || text.ends_with(':')) && SEPARATOR.is_match(text)
        || text.contains('<') && !is_quote_line(text) && RUN_ON_ATTRIBUTION.is_match(text)
        || text.contains("---") && NOTES_LINE.is_match(text)
        || marked && SAYS_ABOVE.is_match(text) && ANSWER_ABOVE.is_match(text)
    {
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

/// Whether the header of a quoted mail begins at this line: several of its lines in any order, one of them saying from
/// whom. A list of the writer's own ("From: Lyon, To: Charleroi, Date: …") has neither an address nor a word for "sent".
fn is_header_line(lines: &[Line], at: usize) -> bool {
    let is_header =
        |i: usize| lines[i].text.contains(':') && (FROM_LINE.is_match(lines[i].text.trim()) || OTHER_HEADER.is_match(lines[i].text.trim()));
    if !is_header(at) || (at > 0 && is_header(at - 1)) {
        return false;
    }
    let mut run: Vec<&str> = Vec::new();
    let mut loose = 0;
    for line in lines[at..].iter().take(16) {
        let text = line.text.trim();
        if FROM_LINE.is_match(text) || OTHER_HEADER.is_match(text) {
            run.push(text);
            loose = 0;
        } else {
            // Long lists of addresses are wrapped; some programs write blank lines between.
            loose += 1;
            if loose > 3 || (text.is_empty() && run.len() >= 3) {
                break;
            }
        }
    }
    let from = run.iter().filter(|text| FROM_LINE.is_match(text)).count();
    let sent = run.iter().any(|text| SENT_LINE.is_match(text));
    let addressed = lines[at..].iter().take(16).any(|line| line.text.contains('@'));
    from == 1
        && run.len() >= 3
        && (sent || run.iter().any(|text| NOTES_NAME.is_match(text)) || (addressed && run.iter().any(|text| text.contains('@'))))
        || (from == 1 && run.len() == 2 && sent && run[0].contains('@'))
}
