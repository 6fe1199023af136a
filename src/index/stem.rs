//! Words to their stems, by language: `discounts`, `discounted` and `discount` are one (Snowball's algorithms).

use rust_stemmers::{Algorithm, Stemmer};

use super::tokenizer::words;
use crate::domain::span::Language;

/// Shorter words are their own stems.
const SHORTEST: usize = 3;

fn stemmer(language: Language) -> Stemmer {
    Stemmer::create(match language {
        Language::Dutch => Algorithm::Dutch,
        Language::English => Algorithm::English,
        Language::French => Algorithm::French,
        Language::German => Algorithm::German,
        Language::Italian => Algorithm::Italian,
        Language::Portuguese => Algorithm::Portuguese,
        Language::Spanish => Algorithm::Spanish,
    })
}

/// Adds the stems of a text's words to a text of stems, each behind the letters of its language, which keep it apart from those
/// of the others. What is in no known language is taken for English.
pub(super) fn add(stems: &mut String, text: &str, language: Option<Language>) {
    let language = language.unwrap_or(Language::English);
    let stemmer = stemmer(language);
    for word in words(text).filter(|word| has_stem(&word.text)) {
        if !stems.is_empty() {
            stems.push(' ');
        }
        stems.push_str(language.as_str());
        stems.push_str(&stemmer.stem(&word.text));
    }
}

/// The stems of a folded word, one for each language, for nobody knows in which one it is asked.
pub(super) fn of(word: &str) -> impl Iterator<Item = String> {
    let languages = if has_stem(word) { Language::ALL } else { &[] };
    languages.iter().map(move |language| format!("{language}{}", stemmer(*language).stem(word)))
}

/// The stem of a folded English word; a word without one is its own.
pub fn english(word: &str) -> String {
    if has_stem(word) { stemmer(Language::English).stem(word).into_owned() } else { word.to_owned() }
}

fn has_stem(word: &str) -> bool {
    word.len() >= SHORTEST && word.bytes().all(|byte| byte.is_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_of_a_word_share_a_stem_of_their_language() {
        let stems = |text, language| {
            let mut stems = String::new();
            add(&mut stems, text, language);
            stems
        };
        assert_eq!(stems("Discounts, discounted; a discount of 12 %", None), "endiscount endiscount endiscount");
        for (one, other, language) in
            [("invoices", "invoice", Language::English), ("Häuser", "Haus", Language::German), ("réunions", "réunion", Language::French)]
        {
            assert_eq!(stems(one, Some(language)), stems(other, Some(language)));
            assert!(of(&super::super::tokenizer::fold(one)).any(|stem| stem == stems(other, Some(language))));
        }
        assert_eq!(of("b210").count(), 0);
    }
}
