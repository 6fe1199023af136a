//! Which words of a mail are new: separates them from quoted mail, signatures and footers.
//!
//! A mail is read line by line. First the quoted stretches are marked (`>` lines, attributions such as
//! "On … wrote:", header blocks of Outlook and of forwarded mail); what remains are blocks of the writer's own
//! lines, from whose ends footers and signatures are cut. What counts as what follows the labelling guide:
//! greetings are new words, a closing formula with name and contact lines is a signature.

mod chain;
mod features;
pub mod learn;
mod quoted;
mod quoting;
mod words;

pub use chain::{Model, Weights};

use std::sync::LazyLock;

use regex::Regex;

use self::quoted::{is_quote_line, is_rule, mark_quoted};
use self::words::{DEVICE, DISCLAIMER, FOOTER_ALONE, LAST_WORDS, LEGAL_LINE, LIST_FOOTER, OPENING, P_S, POSTSCRIPT, SOCIAL, is_formula};
use crate::domain::span::{Span, SpanKind};

/// Splits a mail body into spans that cover everything but white space, in order.
pub fn split(body: &str) -> Vec<Span> {
    static MODEL: LazyLock<Model> = LazyLock::new(|| {
        let weights = include_str!("../../../models/replies/weights.json");
        Model::of(&serde_json::from_str(weights).expect("the weights are part of the program"))
    });
    split_by(&MODEL, body)
}

/// Splits a mail body with other weights, as they are tried while learning.
pub fn split_by(model: &Model, body: &str) -> Vec<Span> {
    let lines = lines_of(body);
    let mut kinds = ruled(&lines);
    model.decide(&lines, &mut kinds);
    spans_of(&lines, &kinds)
}

/// What the rules say of each line.
fn ruled(lines: &[Line]) -> Vec<SpanKind> {
    let mut kinds = vec![SpanKind::New; lines.len()];
    mark_quoted(lines, &mut kinds);
    mark_own_blocks(lines, &mut kinds);
    kinds
}

/// One line with its place in the body, counted in characters.
struct Line<'a> {
    text: &'a str,
    start: usize,
}

impl Line<'_> {
    fn is_blank(&self) -> bool {
        self.text.trim().is_empty()
    }
}

fn lines_of(body: &str) -> Vec<Line<'_>> {
    let mut start = 0;
    body.split('\n')
        .map(|text| {
            let line = Line { text, start };
            start += text.chars().count() + 1;
            line
        })
        .collect()
}

// ---- the writer's own blocks -------------------------------------------------------------------------------------

fn mark_own_blocks(lines: &[Line], kinds: &mut [SpanKind]) {
    let has_words = |i: usize| lines[i].text.contains(char::is_alphanumeric);
    let last_own = (0..lines.len()).rev().find(|&i| kinds[i] != SpanKind::Quoted && has_words(i));
    let mut at = 0;
    while at < lines.len() {
        if kinds[at] == SpanKind::Quoted {
            at += 1;
            continue;
        }
        let end = (at..lines.len()).find(|&i| kinds[i] == SpanKind::Quoted).unwrap_or(lines.len());
        // What holds no word after a quotation is the rest of it.
        let wordless = !(at..end).any(has_words);
        if wordless && at > 0 {
            kinds[at..end].fill(SpanKind::Quoted);
            at = end;
            continue;
        }
        // Between two quoted stretches of an inline reply nobody signs.
        let goes_on = last_own.is_some_and(|last| last >= end);
        let may_close = end == lines.len() || !is_quote_line(lines[end].text) || !goes_on;
        mark_own_block(lines, kinds, at, end, may_close);
        at = end;
    }
}

/// Marks footer and signature at the end of the own lines `start..end`.
fn mark_own_block(lines: &[Line], kinds: &mut [SpanKind], start: usize, end: usize, may_close: bool) {
    let mut end = end;
    if let Some(footer) = (start..end).find(|&i| starts_footer(lines, i, end)) {
        kinds[footer..end].fill(SpanKind::Footer);
        end = footer;
    }
    if !may_close {
        // What a phone adds is no answer, wherever it stands.
        for at in start..end {
            if DEVICE.is_match(lines[at].text.trim()) {
                kinds[at] = SpanKind::Signature;
            }
        }
        return;
    }
    if let Some((from, to)) = signature_in(lines, start, end) {
        kinds[from..to].fill(SpanKind::Signature);
        // A postscript between the name and a line of the phone's.
        for at in from + 1..to {
            if lines[at - 1].is_blank() && P_S.is_match(lines[at].text.trim()) {
                let ends = (at..to).find(|&i| lines[i].is_blank()).unwrap_or(to);
                kinds[at..ends].fill(SpanKind::New);
            }
        }
    }
}

fn starts_footer(lines: &[Line], at: usize, end: usize) -> bool {
    let text = lines[at].text.trim();
    if text.is_empty() {
        return false;
    }
    if is_rule(text) {
        let next = lines[at + 1..end].iter().find(|line| !line.is_blank()).map_or("", |line| line.text.trim());
        return LIST_FOOTER.is_match(next) || is_disclaimer(lines, at + 1, end);
    }
    let first_of_paragraph = at == 0 || lines[at - 1].is_blank();
    FOOTER_ALONE.is_match(text) || (first_of_paragraph && is_disclaimer(lines, at, end))
}

/// Whether the paragraph at `at` is legal boilerplate: two of its set phrases within its first lines.
fn is_disclaimer(lines: &[Line], at: usize, end: usize) -> bool {
    let paragraph: Vec<_> = lines[at..end].iter().skip_while(|line| line.is_blank()).take_while(|line| !line.is_blank()).take(12).collect();
    let text = paragraph.iter().map(|line| line.text.trim()).collect::<Vec<_>>().join(" ").to_lowercase();
    if text.starts_with("disclaimer:") || text.starts_with("confidentiality notice") {
        return true;
    }
    let phrases = DISCLAIMER.iter().filter(|phrase| text.contains(**phrase)).count();
    phrases >= 2
}

/// The lines of the signature at the end of `start..end`, if there is one.
fn signature_in(lines: &[Line], start: usize, end: usize) -> Option<(usize, usize)> {
    // The standard delimiter, also without its trailing blank and glued to a name.
    let last_drawn = (start..end).rev().find(|&i| is_drawn_line(lines[i].text));
    let drawn = |i: usize| Some(i) == last_drawn && i + 1 < end && is_name(lines[i + 1].text);
    if let Some(at) = (start..end).find(|&i| is_delimiter(lines[i].text) || drawn(i)) {
        let from = closing_before(lines, start, at).unwrap_or(at);
        return Some((from, end));
    }
    let last = (start..end).rev().find(|&i| !lines[i].is_blank())?;
    if let Some(at) = (start..=last).rev().find(|&i| DEVICE.is_match(lines[i].text.trim()))
        && last - at <= 3
    {
        let from = closing_before(lines, start, at).unwrap_or(at);
        return Some((from, end));
    }
    // A closing formula with short lines below it; the last one that fits, for a mail may thank and then sign.
    // "Ciao Anna," greets at the beginning and takes leave at the end.
    let first = (0..lines.len()).find(|&i| !lines[i].is_blank());
    for at in (start..=last).rev() {
        if !is_closing(lines[at].text) || (Some(at) == first && OPENING.is_match(lines[at].text.trim())) {
            continue;
        }
        let to = contact_block_end(lines, at, last);
        if let Some(to) = to {
            let from = closing_before(lines, start, at).unwrap_or(at);
            return Some((from, to + 1));
        }
    }
    name_at_end(lines, start, last).or_else(|| business_card(lines, start, last)).map(|from| (from, end))
}

/// A name with a company's lines below it and perhaps a slogan, without any closing formula.
fn business_card(lines: &[Line], start: usize, last: usize) -> Option<usize> {
    let begins = |i: usize| lines[i - 1].is_blank() && is_titled_name(lines[i].text);
    (start + 1..last).rev().take(20).filter(|&i| begins(i)).find(|&i| {
        let below: Vec<&Line> = lines[i + 1..=last].iter().filter(|line| !line.is_blank()).collect();
        let contacts = below.iter().filter(|line| CONTACT.is_match(line.text) || is_business_line(line.text)).count();
        let short = |line: &&&Line| line.text.split_whitespace().count() > 14 && !is_business_line(line.text);
        contacts >= 2 && !below.iter().any(|line| short(&line)) && (start..i).any(|j| !lines[j].is_blank())
    })
}

fn is_delimiter(text: &str) -> bool {
    let trimmed = text.trim_end();
    trimmed == "--" || trimmed == "—" || (trimmed.starts_with("--") && is_name(trimmed.trim_start_matches('-')))
}

/// A line drawn above a signature.
fn is_drawn_line(text: &str) -> bool {
    let text = text.trim();
    text.chars().count() >= 5 && text.chars().all(|c| matches!(c, '-' | '—' | '–' | '_' | '*' | '=' | '~'))
}

/// A closing formula alone on its line. One that says what the thanks are for is part of the text.
fn is_closing(text: &str) -> bool {
    // A backslash at the end is a line break of Markdown.
    let trimmed = text.trim().trim_end_matches('\\').trim_end();
    if trimmed.chars().count() > 60 {
        return is_formula(text, is_name);
    }
    // `Regards, Kevin` on one line closes too.
    let signed = trimmed.split_once(',').is_some_and(|(formula, name)| CLOSING.is_match(formula) && is_name(name));
    CLOSING.is_match(trimmed) || signed || is_formula(text, is_name)
}

static CLOSING: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?ix)^
        ( ( (with|my|our|and|warm|warmest|kind|kindest|best|very|many|with\s+(kind|best|warm|many)) \s+ )*
          ( regards | (best\s+)?wishes | thanks | thank\s+you | cheers | sincerely | greetings | thx | best | br | rgds | kr | regs
          | yours(\s+(sincerely|truly|faithfully))? | sincerely\s+yours | respectfully | cordially | warmly | (73s?) | salutations | ciao
          | all\s+the\s+best | take\s+care | have\s+a\s+(nice|great|good)\s+(day|weekend|week|evening)
          | mit\s+freundlichen\s+gr(ü|u|ue)(ß|ss)en | (viele|beste|liebe|freundliche)\s+gr(ü|u|ue)(ß|ss)e | mfg | lg | vg | tsch(ü|ue)ss | from | talk\s+soon | speak\s+soon )
          ( \s+ (again | in\s+advance | so\s+much | very\s+much | a\s+lot | a\s+million | and | best | kind | warm | regards | you | all | for\s+your\s+time | everyone | everybody | team | guys | thanks ) )*
          \s* [,.!;:…-]* \s* )
        ( (\&|\+|/|and|,)? \s* (best|kind|warm)? \s* (regards|wishes|thanks|cheers)? \s* [,.!]* )
        $",
    )
    .expect("the pattern is a constant")
});

/// The closing formula that precedes a signature, over a name, a few lines about its bearer, and a postscript.
fn closing_before(lines: &[Line], start: usize, at: usize) -> Option<usize> {
    let mut from = None;
    let mut between = 0;
    let mut i = at;
    while i > start {
        i -= 1;
        if lines[i].is_blank() {
            continue;
        }
        if is_closing(lines[i].text) {
            from = Some(i);
            between = 0;
            continue;
        }
        let paragraph = paragraph_start(lines, start, i);
        if P_S.is_match(lines[paragraph].text.trim()) {
            i = paragraph;
            continue;
        }
        between += 1;
        let reaches = from.is_none() && between <= 5 && is_contact_line(lines[i].text) && (start..i).rev().take(8).any(|j| is_closing(lines[j].text));
        if !reaches {
            break;
        }
    }
    from
}

/// The last line of the contact block under the closing at `at`; `None` when prose follows, so that it closes nothing.
fn contact_block_end(lines: &[Line], at: usize, last: usize) -> Option<usize> {
    let mut to = at;
    let mut names = 0;
    let mut i = at + 1;
    while i <= last {
        let text = lines[i].text.trim();
        if text.is_empty() {
            i += 1;
            continue;
        }
        let begins = lines[i - 1].is_blank();
        // What follows a name after a blank line may be a postscript or footnotes: those are new words.
        if begins && names > 0 && is_postscript(text) {
            return Some(to);
        }
        if is_prose(text) {
            let ends = (i..=last).find(|&j| lines[j].is_blank()).unwrap_or(last + 1);
            let paragraph = lines[i..ends].iter().map(|line| line.text.trim()).collect::<Vec<_>>().join(" ").to_lowercase();
            // One phrase of law is enough below a name.
            if names > 0 && DISCLAIMER.iter().any(|phrase| paragraph.contains(phrase)) {
                return Some(last);
            }
            // A slogan or an invitation among a company's lines, not a text that goes on.
            let slogan = ends - i == 1 && paragraph.split_whitespace().count() <= 14 && !paragraph.ends_with(['?', ':']);
            if !(names > 1 && slogan && has_contact(&lines[at..i])) {
                return (names > 0 && begins).then_some(to);
            }
        }
        names += 1;
        to = i;
        if names > 24 {
            return None;
        }
        i += 1;
    }
    Some(to)
}

/// Whether any of the lines is an address, a number or the like.
fn has_contact(lines: &[Line]) -> bool {
    lines.iter().any(|line| CONTACT.is_match(line.text) || line.text.contains('@') || line.text.chars().filter(char::is_ascii_digit).count() >= 6)
}

fn is_postscript(text: &str) -> bool {
    POSTSCRIPT.is_match(text)
}

/// Running text rather than a name, title, address or number.
fn is_prose(text: &str) -> bool {
    reads_like_prose(text) && !is_business_line(text)
}

fn reads_like_prose(text: &str) -> bool {
    let words = text.split_whitespace().count();
    words > 9 || (words > 4 && text.ends_with(['.', '?', '!'])) || text.ends_with('?')
}

/// A line of a company's signature: parts set apart, numbers, addresses, its legal form, pictures.
fn is_business_line(text: &str) -> bool {
    let words = text.split_whitespace().count();
    if words > 40 || text.ends_with('?') {
        return false;
    }
    let set_apart = [" | ", " · ", " • ", "[cid:", "[image", "www.", "://"].iter().any(|mark| text.contains(mark));
    let numbered = text.chars().filter(char::is_ascii_digit).count() >= 6 && words <= 16 && !text.trim_end().ends_with([':', '!']);
    set_apart || numbered || (text.contains('@') && words <= 8) || (LEGAL_LINE.is_match(text) && words <= 40) || SOCIAL.is_match(text)
}

/// A name alone at the end of the text, with what belongs to it: company, title, addresses and numbers.
fn name_at_end(lines: &[Line], start: usize, last: usize) -> Option<usize> {
    let paragraph = paragraph_start(lines, start, last);
    if paragraph < last
        && (ends_sentence(lines[last - 1].text) || LAST_WORDS.is_match(lines[last - 1].text.trim()))
        && is_titled_name(lines[last].text)
    {
        return Some(last);
    }
    // With an address or number in it, the block may reach over several paragraphs.
    let mut block = paragraph;
    while block > start && last - block <= 12 {
        let Some(above) = (start..block).rev().find(|&i| !lines[i].is_blank()) else { break };
        let above = paragraph_start(lines, start, above);
        if !(above..block).all(|i| is_contact_line(lines[i].text)) {
            break;
        }
        block = above;
    }
    let lines_of = |from: usize| lines[from..=last].iter().filter(|line| !line.is_blank());
    let has_contact = lines_of(block).any(|line| CONTACT.is_match(line.text));
    let from = if has_contact { block } else { paragraph };
    let fits = lines_of(from).all(|line| is_contact_line(line.text)) && (has_contact || lines_of(from).count() <= 3);
    // The whole own text being one short line is an answer ("Yes"), not a name.
    let something_before = (start..from).any(|i| !lines[i].is_blank());
    (something_before && fits && is_titled_name(lines[from].text)).then_some(from)
}

fn paragraph_start(lines: &[Line], start: usize, at: usize) -> usize {
    (start..=at).rev().take_while(|&i| !lines[i].is_blank()).last().unwrap_or(at)
}

/// A short line as in a signature: a name, a company, a title, an address, a number.
fn is_contact_line(text: &str) -> bool {
    let text = text.trim();
    text.is_empty() || reaches_somebody(text) || is_business_line(text)
}

/// An address, a number, or few words that begin like a title or a street.
fn reaches_somebody(text: &str) -> bool {
    CONTACT.is_match(text)
        || (!reads_like_prose(text) && text.split_whitespace().count() <= 6 && text.starts_with(|c: char| c.is_uppercase() || c.is_numeric()))
}

static CONTACT: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)^\W*(https?://\S+|www\.\S+|\S+@\S+\.\S+|((tel|cell|phone|mobile|fax|office|direct|m|t|p|linkedin|skype|web|email|e-mail)\W.*)|[+(]?\d[\d\s().+/-]{5,})\W*$").expect("the pattern is a constant")
});

/// A name, perhaps with a degree or call sign behind a comma.
fn is_titled_name(text: &str) -> bool {
    let first = text.split(['|', '·', '•']).next().unwrap_or(text);
    is_name(first) || text.split_once(',').is_some_and(|(name, title)| is_name(name) && title.split_whitespace().count() <= 3 && title.len() <= 25)
}

fn ends_sentence(text: &str) -> bool {
    text.trim_end().ends_with(['.', '!', '?', ')', ':', ',']) && !text.trim_end().ends_with("--")
}

/// One to four words, each like a name or an initial, none a common answer.
fn is_name(text: &str) -> bool {
    let text = text.trim().trim_start_matches(['-', '~', '–', '—', ' ', '/', '*']).trim_end_matches(['.', ',', '*', '\\', ' ']).trim();
    let words: Vec<_> = text.split_whitespace().collect();
    let name_like = |word: &&str| {
        let mut letters = word.chars();
        letters.next().is_some_and(char::is_uppercase) && letters.all(|c| c.is_alphabetic() || matches!(c, '.' | '\'' | '-' | '’'))
    };
    // One short lower-case word may be a first name typed in haste.
    let hasty = words.len() == 1 && text.len() >= 2 && text.len() <= 10 && text.chars().all(char::is_lowercase);
    (1..=4).contains(&words.len())
        && (words.iter().all(name_like) || hasty)
        && !NOT_NAMES.contains(&words[0].to_lowercase().as_str())
        && text.chars().count() <= 40
}

const NOT_NAMES: &[&str] = &[
    "yes", "no", "ok", "okay", "done", "hi", "hello", "dear", "hey", "please", "attached", "see", "none", "true", "false", "sure", "agreed", "great",
    "nothing", "nope", "yep", "yeah", "error", "help", "any", "end", "sorry", "ideas", "right",
];

// ---- lines to spans ----------------------------------------------------------------------------------------------

fn spans_of(lines: &[Line], kinds: &[SpanKind]) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    // Blank lines belong to no kind: a span reaches from its first to its last line with words.
    for (line, &kind) in lines.iter().zip(kinds) {
        if line.is_blank() {
            continue;
        }
        let leading = line.text.chars().take_while(|c| c.is_whitespace()).count();
        let start = line.start + leading;
        let end = start + line.text.trim().chars().count();
        match spans.last_mut() {
            Some(span) if span.kind == kind => span.end = end,
            _ => spans.push(Span::new(kind, start, end)),
        }
    }
    spans
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::span::slice;

    fn check(body: &str, expected: &[(SpanKind, &str)]) {
        let spans = split(body);
        let found: Vec<_> = spans.iter().map(|s| (s.kind, slice(body, s.start, s.end).unwrap())).collect();
        assert_eq!(found, expected);
    }

    use SpanKind::{Footer, New, Quoted, Signature};

    #[test]
    fn a_top_reply_of_gmail() {
        check(
            "Hi Ann,\n\nWorks for us.\n\nBest,\nJo\n\nOn Tue, 3 Feb 2026 at 09:12, Ann Lee <ann@acme.example>\nwrote:\n\n> Does Tuesday work?\n>\n> Ann",
            &[
                (New, "Hi Ann,\n\nWorks for us."),
                (Signature, "Best,\nJo"),
                (Quoted, "On Tue, 3 Feb 2026 at 09:12, Ann Lee <ann@acme.example>\nwrote:\n\n> Does Tuesday work?\n>\n> Ann"),
            ],
        );
    }

    #[test]
    fn an_outlook_header_block_quotes_to_the_end() {
        check(
            "Approved.\n\n________________________________\nFrom: Ann Lee\nSent: Tuesday\nTo: Jo\nSubject: Quote\n\nPlease approve.",
            &[
                (New, "Approved."),
                (Quoted, "________________________________\nFrom: Ann Lee\nSent: Tuesday\nTo: Jo\nSubject: Quote\n\nPlease approve."),
            ],
        );
        check("Fine.\n\n-----Original Message-----\nFrom: Ann\n\nOk?", &[(New, "Fine."), (Quoted, "-----Original Message-----\nFrom: Ann\n\nOk?")]);
    }

    #[test]
    fn inline_answers_keep_their_order_with_the_questions() {
        check(
            "On 3 Feb 2026, Ann wrote:\n> Which plan?\n\nThe larger one.\n\n> How many seats?\n\nForty.\n\nCheers,\nJo",
            &[
                (Quoted, "On 3 Feb 2026, Ann wrote:\n> Which plan?"),
                (New, "The larger one."),
                (Quoted, "> How many seats?"),
                (New, "Forty."),
                (Signature, "Cheers,\nJo"),
            ],
        );
    }

    #[test]
    fn a_bottom_reply_and_a_list_footer() {
        check(
            "> Is it fixed?\n\nYes, in 4.2.\n\n-- \nJo Field\nSupport\n_______________________________________________\nusers mailing list\nusers@lists.example",
            &[
                (Quoted, "> Is it fixed?"),
                (New, "Yes, in 4.2."),
                (Signature, "-- \nJo Field\nSupport"),
                (Footer, "_______________________________________________\nusers mailing list\nusers@lists.example"),
            ],
        );
    }

    #[test]
    fn a_postscript_after_the_signature_is_new() {
        check(
            "See [1].\n\nRegards,\nJo\n\n[1] https://docs.example/setup",
            &[(New, "See [1]."), (Signature, "Regards,\nJo"), (New, "[1] https://docs.example/setup")],
        );
    }

    #[test]
    fn a_disclaimer_and_a_device_line_are_no_words() {
        check(
            "Call me.\n\nSent from my iPhone\n\nThis e-mail is confidential and intended only for the intended recipient.",
            &[
                (New, "Call me."),
                (Signature, "Sent from my iPhone"),
                (Footer, "This e-mail is confidential and intended only for the intended recipient."),
            ],
        );
    }

    #[test]
    fn a_line_that_says_what_the_thanks_are_for_is_text() {
        check("It runs now. Thank you for the quick fix!", &[(New, "It runs now. Thank you for the quick fix!")]);
        check("Yes", &[(New, "Yes")]);
        check("", &[]);
        check("I asked on Monday, and he wrote:\nwe will see", &[(New, "I asked on Monday, and he wrote:\nwe will see")]);
    }

    #[test]
    fn giant_bodies_of_one_kind_take_linear_time() {
        for unit in ["\n", "> a\nb\n", "Thanks\n", "Thanks\n\n", "____________________\n\n\n", "On a 12 wrote:\n", "-- \n"] {
            let body = unit.repeat(600_000 / unit.len());
            let spans = split(&body);
            crate::domain::span::slices(&body, &spans).for_each(drop);
        }
    }

    proptest::proptest! {
        #[test]
        fn spans_lie_in_order_inside_any_body(body in "(On [a-z0-9@ ]{0,20}wrote:|>[ a-z>]{0,10}|-- |Best,|From: a|To: b|[ a-zA-Zé\u{1F600}.?]{0,12}|\n){0,40}") {
            let length = body.chars().count();
            let mut at = 0;
            for span in split(&body) {
                proptest::prop_assert!(span.start >= at && span.end > span.start && span.end <= length);
                at = span.end;
            }
        }
    }
}
