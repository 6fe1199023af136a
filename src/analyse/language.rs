//! Which language a text is in, of the languages that are read here: by its small words where they are clear, which
//! costs microseconds, else by the statistics of its letters (lingua), which costs a thousand times as much. A text in
//! another script, or of hardly any letters, is in none.

use std::collections::HashMap;
use std::sync::LazyLock;

use lingua::{LanguageDetector, LanguageDetectorBuilder};

use crate::domain::span::{Language, Span, SpanKind, slices};

/// The beginning of a text tells its language; more would only take time.
const SAMPLE: usize = 240;
/// Fewer letters, and names or numbers decide.
const MIN_LETTERS: usize = 6;
/// In business a few words are English more often than their letters alone say: at half the likelihood of the best.
const PREFERENCE: f64 = 0.5;

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
    if let Some(language) = by_small_words(&sample) {
        return Some(language);
    }
    let likely = DETECTOR.compute_language_confidence_values(&sample);
    let (best, most) = *likely.first().filter(|(_, most)| *most > 0.0)?;
    let english = likely.iter().find(|(language, _)| *language == lingua::Language::English).map_or(0.0, |(_, likely)| *likely);
    if english >= PREFERENCE * most {
        return Some(Language::English);
    }
    Some(match best {
        lingua::Language::English => Language::English,
        lingua::Language::German => Language::German,
        lingua::Language::French => Language::French,
        lingua::Language::Spanish => Language::Spanish,
        lingua::Language::Italian => Language::Italian,
        lingua::Language::Portuguese => Language::Portuguese,
        lingua::Language::Dutch => Language::Dutch,
    })
}

/// Frequent words that say nothing else but their language; those of several count for each.
const SMALL_WORDS: [(Language, &str); 7] = [
    (
        Language::English,
        "the and to of is that for it you with this are be have we not on was at can if do from will what but as your our there would has they which in a me my an so or about",
    ),
    (
        Language::German,
        "der die das und ist nicht ich wir sie zu den mit für auf es ein eine im dem von haben wird bei auch uns ihnen ihre werden noch aber oder wie dass zum zur als an nach bitte sind habe",
    ),
    (
        Language::French,
        "le la les de des et est pas je nous vous pour un une que qui dans sur avec ce il au aux du en ne votre notre sont plus mais ou avons être par cette ont été",
    ),
    (
        Language::Spanish,
        "el la los las de del y es no que en un una para con por se su lo como más pero nos les al está este esta hemos si le muy o ya son también",
    ),
    (
        Language::Italian,
        "il la i gli le di del della e è non che in un una per con si ci vi da dei delle sono anche ma come più al alla questo questa abbiamo ho nel lo o se ha",
    ),
    (
        Language::Portuguese,
        "o a os as de do da dos das e é não que em um uma para com por se no na nos ao mais mas como foi está este esta temos ou já são também pelo pela",
    ),
    (
        Language::Dutch,
        "de het een en is niet ik wij we u je van te dat in op voor met zijn er aan om ook maar als bij kan heb hebben wordt of dit onze deze nog naar wat die",
    ),
];

static SMALL: LazyLock<HashMap<&str, Vec<usize>>> = LazyLock::new(|| {
    let mut words: HashMap<&str, Vec<usize>> = HashMap::new();
    for (at, (_, list)) in SMALL_WORDS.iter().enumerate() {
        for word in list.split(' ') {
            words.entry(word).or_default().push(at);
        }
    }
    words
});

/// The language of most small words, when hardly any speak for another.
fn by_small_words(text: &str) -> Option<Language> {
    let mut counts = [0_usize; SMALL_WORDS.len()];
    for word in text.split_whitespace() {
        let word = word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
        SMALL.get(word.as_str()).into_iter().flatten().for_each(|&at| counts[at] += 1);
    }
    let best = (0..counts.len()).max_by_key(|&at| counts[at])?;
    let second = (0..counts.len()).filter(|&at| at != best).map(|at| counts[at]).max()?;
    (counts[best] >= 4 && counts[best] > 2 * second).then_some(SMALL_WORDS[best].0)
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
            ("The variables, one question", Some(Language::English)),
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
