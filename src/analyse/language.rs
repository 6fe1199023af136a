//! Which language a text is in, by the statistics of its letters (lingua). Of the languages that are read here; a text
//! in another script, or of hardly any letters, is in none.

use std::sync::LazyLock;

use lingua::{LanguageDetector, LanguageDetectorBuilder};

use crate::domain::span::{Language, Span, SpanKind, slices};

/// The beginning of a text tells its language; more would only take time.
const SAMPLE: usize = 240;
/// Fewer letters, and names or numbers decide.
const MIN_LETTERS: usize = 6;

static DETECTOR: LazyLock<LanguageDetector> = LazyLock::new(|| {
    use lingua::Language::{Dutch, English, French, German, Italian, Portuguese, Spanish};
    LanguageDetectorBuilder::from_languages(&[Dutch, English, French, German, Italian, Portuguese, Spanish]).build()
});

/// The language of a text.
pub fn of(text: &str) -> Option<Language> {
    let sample: String = text.split_whitespace().filter(|word| is_word(word)).flat_map(|word| word.chars().chain([' '])).take(SAMPLE).collect();
    if sample.chars().filter(|c| c.is_alphabetic()).count() < MIN_LETTERS {
        return None;
    }
    Some(match DETECTOR.detect_language_of(&sample)? {
        lingua::Language::English => Language::English,
        lingua::Language::German => Language::German,
        lingua::Language::French => Language::French,
        lingua::Language::Spanish => Language::Spanish,
        lingua::Language::Italian => Language::Italian,
        lingua::Language::Portuguese => Language::Portuguese,
        lingua::Language::Dutch => Language::Dutch,
    })
}

/// Addresses, links and numbers are in no language.
fn is_word(word: &str) -> bool {
    !word.contains(['@', '/', '\\', '_']) && word.contains(char::is_alphabetic) && !word.contains(|c: char| c.is_ascii_digit())
}

/// Says of the words of a body in which language they are: what is new, quoted or automatic. Signatures and legal
/// footers are names and set phrases.
pub fn mark(body: &str, spans: &mut [Span]) {
    let languages: Vec<Option<Language>> = slices(body, spans)
        .map(|(span, words)| match span.kind {
            SpanKind::New | SpanKind::Quoted | SpanKind::Automatic => of(words),
            SpanKind::Signature | SpanKind::Footer | SpanKind::Hidden => None,
        })
        .collect();
    for (span, language) in spans.iter_mut().zip(languages) {
        span.language = language;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_business_texts() {
        for (text, language) in [
            ("ok thanks", Some(Language::English)),
            ("Danke, bis morgen", Some(Language::German)),
            ("Merci beaucoup", Some(Language::French)),
            ("Muchas gracias por la oferta", Some(Language::Spanish)),
            ("Grazie mille, a domani", Some(Language::Italian)),
            ("Obrigado pela proposta, até amanhã", Some(Language::Portuguese)),
            ("Bedankt voor de snelle levering", Some(Language::Dutch)),
            ("Спасибо за письмо", None),
            ("12.000 € · 4711 / ann@acme.example", None),
            ("", None),
        ] {
            assert_eq!(of(text), language, "{text}");
        }
    }

    #[test]
    fn each_span_has_its_own() {
        let body = "Vielen Dank für das Angebot.\nThank you for your patience, we will call.\nAnn";
        let span = |kind, start, end| Span::new(kind, start, end);
        let mut spans = [span(SpanKind::New, 0, 28), span(SpanKind::Quoted, 29, 71), span(SpanKind::Signature, 72, 75)];
        mark(body, &mut spans);
        assert_eq!(spans.map(|span| span.language), [Some(Language::German), Some(Language::English), None]);
    }
}
