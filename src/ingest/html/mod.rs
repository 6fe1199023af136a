//! HTML mail to text: what a reader would see, without scripts, styles or layout. Words that nobody sees are told apart.

mod hidden;
mod style;

use std::sync::LazyLock;

use html2text::render::TextDecorator;
use regex::Regex;
use scraper::Html;

/// Longer HTML is cut before it is taken apart; the raw mail keeps all of it.
pub const MAX_HTML: usize = 512 * 1024;

/// More open elements than any honest mail nests; beyond it the layout is dropped and only the words are kept.
const MAX_DEPTH: usize = 200;

/// Wide enough that no paragraph is wrapped.
const WIDTH: usize = 100_000;

/// An HTML document as its reader sees it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shown {
    pub text: String,
    /// Words that stand in it and are not seen.
    pub hidden: Vec<String>,
}

/// What a reader sees of an HTML document, and what not. Never fails: what cannot be laid out is stripped of its tags.
pub fn read(html: &str) -> Shown {
    let html = cut(html, MAX_HTML);
    if depth(html) > MAX_DEPTH {
        return Shown { text: strip_tags(html), hidden: Vec::new() };
    }
    let mut document = Html::parse_document(html);
    let hidden = hidden::take_out(&mut document);
    Shown { text: lay_out(&document.html()), hidden }
}

/// The text of an HTML document as its reader sees it.
pub fn to_text(html: &str) -> String {
    read(html).text
}

/// Whether a text that may be either is HTML.
pub fn is_html(text: &str) -> bool {
    static TAGS: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"(?i)<(br|p|div|ul|ol|li|html|body|span|b|i|a|table)(\s[^<>]*)?/?>").expect("the pattern is a constant"));
    TAGS.is_match(text)
}

fn lay_out(html: &str) -> String {
    let laid_out = html2text::config::with_decorator(Plain)
        .no_table_borders()
        .no_link_wrapping()
        .allow_width_overflow()
        .link_footnotes(false)
        .string_from_read(html.as_bytes(), WIDTH);
    match laid_out {
        Ok(text) => tidy(&text),
        Err(_) => strip_tags(html),
    }
}

/// Words as they are: only lists and quotes keep their marks.
#[derive(Debug, Clone, Copy)]
struct Plain;

impl TextDecorator for Plain {
    type Annotation = ();

    fn decorate_link_start(&mut self, _: &str) -> (String, ()) {
        (String::new(), ())
    }
    fn decorate_link_end(&mut self) -> String {
        String::new()
    }
    fn decorate_em_start(&self) -> (String, ()) {
        (String::new(), ())
    }
    fn decorate_em_end(&self) -> String {
        String::new()
    }
    fn decorate_strong_start(&self) -> (String, ()) {
        (String::new(), ())
    }
    fn decorate_strong_end(&self) -> String {
        String::new()
    }
    fn decorate_strikeout_start(&self) -> (String, ()) {
        (String::new(), ())
    }
    fn decorate_strikeout_end(&self) -> String {
        String::new()
    }
    fn decorate_code_start(&self) -> (String, ()) {
        (String::new(), ())
    }
    fn decorate_code_end(&self) -> String {
        String::new()
    }
    fn decorate_preformat_first(&self) {}
    fn decorate_preformat_cont(&self) {}
    fn decorate_image(&mut self, _: &str, _: &str) -> (String, ()) {
        (String::new(), ())
    }
    fn header_prefix(&self, _: usize) -> String {
        String::new()
    }
    fn quote_prefix(&self) -> String {
        "> ".to_owned()
    }
    fn unordered_item_prefix(&self) -> String {
        "* ".to_owned()
    }
    fn ordered_item_prefix(&self, i: i64) -> String {
        format!("{i}. ")
    }
    fn make_subblock_decorator(&self) -> Plain {
        Plain
    }
    fn finalise(&mut self, _: Vec<String>) -> Vec<html2text::render::TaggedLine<()>> {
        Vec::new()
    }
}

fn cut(text: &str, max: usize) -> &str {
    let mut end = text.len().min(max);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// The deepest nesting of tags, counted without building a tree. Void elements are not told apart when they are
/// not closed, so it errs towards "too deep", which costs only the layout.
fn depth(html: &str) -> usize {
    let bytes = html.as_bytes();
    let (mut open, mut deepest) = (0usize, 0usize);
    for (i, _) in html.match_indices('<') {
        match bytes.get(i + 1) {
            Some(b'/') if !is_void(&html[i + 2..]) => open = open.saturating_sub(1),
            Some(c) if c.is_ascii_alphabetic() && !is_void(&html[i + 1..]) => {
                open += 1;
                deepest = deepest.max(open);
            }
            _ => {}
        }
    }
    deepest
}

fn is_void(tag: &str) -> bool {
    let name: String = tag.chars().take_while(char::is_ascii_alphanumeric).take(8).collect::<String>().to_ascii_lowercase();
    matches!(name.as_str(), "br" | "img" | "hr" | "meta" | "link" | "input" | "col" | "area" | "base" | "wbr" | "p" | "li" | "td" | "tr" | "th")
}

fn strip_tags(html: &str) -> String {
    let mut text = String::with_capacity(html.len() / 2);
    let mut in_tag = false;
    for c in html.chars() {
        match c {
            '<' => in_tag = true,
            '>' if in_tag => {
                in_tag = false;
                text.push(' ');
            }
            _ if !in_tag => text.push(c),
            _ => {}
        }
    }
    let text = text.replace("&nbsp;", " ").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Trims trailing blanks and more than one blank line in a row.
fn tidy(text: &str) -> String {
    let mut tidy = String::with_capacity(text.len());
    let mut blank = 0;
    for line in text.lines().map(|line| line.trim_end_matches([' ', '\u{a0}', '\t'])) {
        blank = if line.is_empty() { blank + 1 } else { 0 };
        if blank <= 1 {
            tidy.push_str(line);
            tidy.push('\n');
        }
    }
    tidy.trim_matches('\n').to_owned()
}

#[cfg(test)]
mod tests {
    use super::to_text;

    #[test]
    fn a_reader_sees_words_lists_and_quotes_but_no_scripts() {
        let html = "<html><head><style>p{}</style><script>alert(1)</script></head><body><p>Hi Ann,</p>\
                    <ul><li>one</li><li>two</li></ul><div>On Tue, Jo wrote:<br></div><blockquote>old words</blockquote></body></html>";
        let text = to_text(html);
        assert!(text.starts_with("Hi Ann,"), "{text}");
        assert!(text.contains("* one") && text.contains("> old words"), "{text}");
        assert!(!text.contains("alert"), "{text}");
    }

    #[test]
    fn deep_nesting_loses_its_layout_but_not_its_words() {
        let html = format!("{}deep &amp; low{}", "<div>".repeat(60_000), "</div>".repeat(60_000));
        assert_eq!(to_text(&html[..400_000]), "deep & low".to_owned());
    }

    #[test]
    fn broken_html_is_text() {
        assert_eq!(to_text("a < b <b>bold"), "a < b bold");
        assert_eq!(to_text(""), "");
    }
}
