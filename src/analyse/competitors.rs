//! Where a text names a competitor of the book: names, aliases and domains on word boundaries, however they are spaced or
//! written large. Names inside links, addresses and file names do not count; whether an ordinary word is meant, the reader says.

use std::ops::Range;

use regex::{Regex, RegexBuilder};

use crate::domain::reading::Competitor;

/// Endings by which a word is the name of a file.
const FILES: [&str; 27] = [
    "pdf", "csv", "doc", "docx", "xls", "xlsx", "ppt", "pptx", "txt", "log", "png", "jpg", "zip", "gz", "json", "xml", "html", "md", "py", "c", "h",
    "cpp", "rs", "js", "sh", "exe", "local",
];

/// A competitor book, ready to look for.
#[derive(Debug, Default)]
pub struct Book {
    names: Option<Regex>,
    /// The competitor of each group of the pattern.
    ids: Vec<String>,
}

/// A place where a competitor is named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named<'a> {
    pub competitor: &'a str,
    /// In bytes of the text.
    pub place: Range<usize>,
}

impl Book {
    /// # Errors
    /// When there are so many names that no pattern holds them.
    pub fn new(competitors: &[Competitor]) -> Result<Book, String> {
        let mut names: Vec<(String, usize)> = Vec::new();
        for (at, competitor) in competitors.iter().enumerate() {
            let all = [&competitor.name].into_iter().chain(&competitor.aliases).chain(&competitor.domains);
            names.extend(all.map(|name| name.trim()).filter(|name| !name.is_empty()).map(|name| (name.to_owned(), at)));
        }
        // The longest first: "Acme Cloud" before "Acme".
        names.sort_by(|(a, _), (b, _)| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        if names.is_empty() {
            return Ok(Book::default());
        }
        let pattern: Vec<String> = names.iter().map(|(name, _)| format!("({})", spaced(name))).collect();
        let regex = RegexBuilder::new(&pattern.join("|")).case_insensitive(true).size_limit(32 << 20).build();
        let regex = regex.map_err(|_| "the book of competitors is too large".to_owned())?;
        Ok(Book { names: Some(regex), ids: names.into_iter().map(|(_, at)| competitors[at].id.clone()).collect() })
    }

    /// Every place, in order; places do not overlap.
    pub fn find(&self, text: &str) -> Vec<Named<'_>> {
        let Some(names) = &self.names else { return Vec::new() };
        let mut found = Vec::new();
        let mut from = 0;
        while let Some(captures) = names.captures_at(text, from) {
            let Some((group, place)) = (1..captures.len()).find_map(|group| captures.get(group).map(|found| (group, found.range()))) else { break };
            if stands_alone(text, &place) && !is_part_of_an_address(text, &place) {
                from = place.end;
                found.push(Named { competitor: &self.ids[group - 1], place });
            } else {
                from = place.start + text[place.start..].chars().next().map_or(1, char::len_utf8);
            }
        }
        found
    }
}

/// The name as a pattern: its words may stand apart, together, or with hyphens.
fn spaced(name: &str) -> String {
    name.split([' ', '-']).filter(|part| !part.is_empty()).map(regex::escape).collect::<Vec<_>>().join(r"[\s-]?")
}

fn stands_alone(text: &str, place: &Range<usize>) -> bool {
    let inside = |c: char| c.is_alphanumeric() || c == '_';
    !text[..place.start].chars().next_back().is_some_and(inside) && !text[place.end..].chars().next().is_some_and(inside)
}

/// Whether the word that holds the name is a link, an e-mail address, a path or a file.
fn is_part_of_an_address(text: &str, place: &Range<usize>) -> bool {
    let ends = |c: char| c.is_whitespace() || matches!(c, '<' | '>' | '"' | '(' | ')' | '[' | ']' | ',' | ';' | '*');
    let start = text[..place.start].rfind(ends).map_or(0, |at| at + text[at..].chars().next().map_or(1, char::len_utf8));
    let end = text[place.end..].find(ends).map_or(text.len(), |at| place.end + at);
    let word = text[start..end].trim_end_matches(['.', ':', '!', '?', '\'']);
    let after = &text[place.end..end];
    let file = word.rsplit_once('.').is_some_and(|(_, ending)| FILES.contains(&ending.to_lowercase().as_str()));
    let link = word.contains("://") || word.starts_with("www.") || word.contains('@') || word.contains('\\') || word.contains('_');
    // A domain of somebody else that begins like the name.
    let other_domain = after.strip_prefix('.').is_some_and(|rest| rest.starts_with(|c: char| c.is_alphanumeric()));
    link || file || other_domain || text[..place.start].ends_with('.') && start < place.start
}

#[cfg(test)]
mod tests {
    use super::*;

    fn book() -> Book {
        let competitor = |id: &str, name: &str, aliases: &[&str], domains: &[&str]| Competitor {
            id: id.to_owned(),
            name: name.to_owned(),
            aliases: aliases.iter().map(|a| (*a).to_owned()).collect(),
            domains: domains.iter().map(|d| (*d).to_owned()).collect(),
        };
        Book::new(&[competitor("acme", "Acme", &["Acme Cloud"], &["acme.io"]), competitor("mueller", "Müller & Söhne", &[], &[])]).unwrap()
    }

    #[test]
    fn names_on_word_boundaries_however_written() {
        for (text, expected) in [
            ("We use Acme's tool and ACME-Cloud.", vec!["Acme", "ACME-Cloud"]),
            ("acme cloud, acmes, Placme", vec!["acme cloud"]),
            ("MÜLLER & SÖHNE called", vec!["MÜLLER & SÖHNE"]),
            ("See https://acme.io/docs, ask ann@acme.io, open acme.pdf and acme_report", vec![]),
            ("We moved to acme.io. Not to acme.example.", vec!["acme.io"]),
            ("(Acme) \"Acme\": Acme/Basecamp", vec!["Acme", "Acme", "Acme"]),
            ("", vec![]),
        ] {
            let book = book();
            let found: Vec<&str> = book.find(text).into_iter().map(|named| &text[named.place]).collect();
            assert_eq!(found, expected, "{text}");
        }
        assert!(Book::new(&[]).unwrap().find("Acme").is_empty());
    }
}
