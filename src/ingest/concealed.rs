//! Characters that nobody sees, carrying words: Unicode tags, variation selectors, bits of zero-width characters, and text
//! shown in reverse. Those that spelling needs (joiners of Persian and Hindi, emoji, soft hyphens) are left alone.

/// A stretch of a text that is not seen, in Unicode scalar values, and the words it carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stretch {
    pub start: usize,
    pub end: usize,
    pub text: String,
}

/// So many invisible characters on end spell something.
const LONG_RUN: usize = 8;

/// The stretches of a text that nobody sees, in order.
pub fn find(text: &str) -> Vec<Stretch> {
    if !text.chars().any(is_suspect) {
        return Vec::new();
    }
    let chars: Vec<char> = text.chars().collect();
    let mut found = Vec::new();
    runs(&chars, is_tag, |start, end| {
        let decoded: String = chars[start..end].iter().filter_map(|c| char::from_u32(*c as u32 - 0xE0000)).filter(|c| !c.is_control()).collect();
        // A black flag with a region and an end is the flag of that region.
        let region = start > 0
            && chars[start - 1] == '\u{1F3F4}'
            && chars[end - 1] == '\u{E007F}'
            && decoded.len() <= 6
            && decoded.bytes().all(|b| b.is_ascii_alphanumeric());
        if !region {
            found.push(Stretch { start, end, text: decoded });
        }
    });
    runs(&chars, is_selector, |start, end| {
        if end - start >= 2 {
            let bytes: Vec<u8> = chars[start..end].iter().filter_map(|c| selector_byte(*c)).collect();
            found.push(Stretch { start, end, text: readable(bytes).unwrap_or_else(|| unreadable(end - start)) });
        }
    });
    found.extend(bits(&chars));
    found.extend(reversed(&chars));
    found.sort_by_key(|stretch| stretch.start);
    // What lies inside another stretch is part of it.
    let mut last = 0;
    found.retain(|stretch| {
        let new = stretch.start >= last;
        last = last.max(stretch.end);
        new
    });
    found
}

/// A short text (a subject, a name) as it is seen, and the words that it hides.
pub fn without(text: &str) -> (String, Vec<String>) {
    let stretches = find(text);
    let chars: Vec<char> = text.chars().collect();
    let mut seen = String::with_capacity(text.len());
    for (at, c) in chars.iter().enumerate() {
        let concealed =
            stretches.iter().any(|s| (s.start..s.end).contains(&at) && !chars[s.start..s.end].iter().any(|c| c.is_alphanumeric() && !is_suspect(*c)));
        // Turning the direction only serves to disguise what a short text says.
        if !concealed && !matches!(c, '\u{202A}'..='\u{202E}') {
            seen.push(*c);
        }
    }
    let blank = seen.chars().all(|c| c.is_whitespace() || is_suspect(c));
    (if blank { String::new() } else { seen }, stretches.into_iter().map(|s| s.text).filter(|t| !t.trim().is_empty()).collect())
}

/// A text without characters that have no width: as its words are compared.
pub fn visible(text: &str) -> std::borrow::Cow<'_, str> {
    let unseen = |c: char| {
        matches!(c, '\u{200B}' | '\u{2060}'..='\u{2064}' | '\u{FEFF}' | '\u{00AD}' | '\u{180E}' | '\u{034F}' | '\u{200E}' | '\u{200F}') || is_tag(c)
    };
    if text.contains(unseen) { text.replace(unseen, "").into() } else { text.into() }
}

fn is_suspect(c: char) -> bool {
    is_tag(c) || is_selector(c) || is_widthless(c) || matches!(c, '\u{202D}' | '\u{202E}')
}

fn is_tag(c: char) -> bool {
    ('\u{E0000}'..='\u{E007F}').contains(&c)
}

fn is_selector(c: char) -> bool {
    matches!(c, '\u{FE00}'..='\u{FE0F}' | '\u{E0100}'..='\u{E01EF}')
}

fn selector_byte(c: char) -> Option<u8> {
    match c {
        '\u{FE00}'..='\u{FE0F}' => u8::try_from(c as u32 - 0xFE00).ok(),
        _ => u8::try_from(c as u32 - 0xE0100 + 16).ok(),
    }
}

/// Without width, or blank where a letter should be.
fn is_widthless(c: char) -> bool {
    matches!(c, '\u{200B}'..='\u{200D}' | '\u{2060}'..='\u{2064}' | '\u{FEFF}' | '\u{180E}' | '\u{034F}' | '\u{115F}' | '\u{1160}' | '\u{3164}' | '\u{FFA0}')
}

fn runs(chars: &[char], wanted: fn(char) -> bool, mut see: impl FnMut(usize, usize)) {
    let mut at = 0;
    while at < chars.len() {
        if !wanted(chars[at]) {
            at += 1;
            continue;
        }
        let end = chars[at..].iter().position(|c| !wanted(*c)).map_or(chars.len(), |length| at + length);
        see(at, end);
        at = end;
    }
}

/// Words spelt in bits of two (or four) invisible characters, in one run or spread over the blanks of a text.
fn bits(chars: &[char]) -> Vec<Stretch> {
    let mut found: Vec<(usize, usize)> = Vec::new();
    runs(chars, is_widthless, |start, end| found.push((start, end)));
    let total: usize = found.iter().map(|(start, end)| end - start).sum();
    let longest = found.iter().map(|(start, end)| end - start).max().unwrap_or(0);
    let spread = total >= 24 && total >= found.len() * 2;
    if longest < LONG_RUN && !spread {
        return Vec::new();
    }
    found.retain(|(start, end)| end - start >= 2 || spread);
    let all: Vec<char> = found.iter().flat_map(|(start, end)| chars[*start..*end].iter().copied()).collect();
    let together = spell(&all);
    let several = found.len() > 1;
    let mut stretches: Vec<Stretch> = found
        .into_iter()
        .map(|(start, end)| {
            let alone = if several { spell(&chars[start..end]) } else { None };
            Stretch { start, end, text: alone.unwrap_or_default() }
        })
        .collect();
    // Spread over several runs, only all of them together spell it.
    if stretches.iter().all(|s| s.text.is_empty())
        && let Some(first) = stretches.first_mut()
    {
        first.text = together.unwrap_or_else(|| unreadable(total));
    }
    stretches
}

/// The text that a sequence of two or four symbols spells in eight bits a character, whichever symbol means which bits.
fn spell(symbols: &[char]) -> Option<String> {
    let mut distinct: Vec<char> = symbols.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    let width = match distinct.len() {
        1 | 2 => 1,
        3 | 4 => 2,
        _ => return None,
    };
    let orders: Vec<Vec<char>> = if width == 1 { vec![distinct.clone(), distinct.iter().rev().copied().collect()] } else { vec![distinct] };
    orders.into_iter().find_map(|order| {
        let digits: Vec<u8> = symbols.iter().filter_map(|c| order.iter().position(|o| o == c)).filter_map(|d| u8::try_from(d).ok()).collect();
        let bytes = digits.chunks_exact(8 / width).map(|chunk| chunk.iter().fold(0u8, |byte, digit| (byte << width) | digit)).collect();
        readable(bytes)
    })
}

fn readable(bytes: Vec<u8>) -> Option<String> {
    let text = String::from_utf8(bytes).ok()?;
    (text.chars().count() >= 2 && text.chars().all(|c| !c.is_control() || c == '\n')).then_some(text)
}

fn unreadable(count: usize) -> String {
    format!("({count} invisible characters)")
}

/// Words between a right-to-left override and its end: they are shown backwards.
fn reversed(chars: &[char]) -> Vec<Stretch> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(start) = chars[at..].iter().position(|c| *c == '\u{202E}').map(|i| at + i) {
        let end =
            chars[start..].iter().position(|c| matches!(c, '\u{202C}' | '\n')).map_or(chars.len(), |length| start + length + 1).min(chars.len());
        let text: String = chars[start..end].iter().filter(|c| !matches!(c, '\u{202A}'..='\u{202E}')).collect();
        // Hebrew and Arabic run that way by themselves.
        if text.chars().filter(char::is_ascii_alphabetic).count() >= 3 {
            found.push(Stretch { start, end, text: text.trim().to_owned() });
        }
        at = end.max(start + 1);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(text: &str) -> String {
        text.chars().filter_map(|c| char::from_u32(c as u32 + 0xE0000)).collect()
    }

    #[test]
    fn words_in_unseen_characters_are_found() {
        let text = format!("Hello.{} Bye.", tags("obey"));
        assert_eq!(find(&text), [Stretch { start: 6, end: 10, text: "obey".into() }]);
        let bits: String = "Hi".bytes().flat_map(|b| (0..8).rev().map(move |i| if b >> i & 1 == 1 { '\u{200C}' } else { '\u{200B}' })).collect();
        assert_eq!(find(&format!("a {bits}b"))[0].text, "Hi");
        assert_eq!(without(&format!("Offer{}", tags("x y"))), ("Offer".to_owned(), vec!["x y".to_owned()]));
        assert_eq!(without("\u{3164}\u{115F}").0, "");
        assert_eq!(find("pay \u{202E}redro\u{202C} now")[0].text, "redro");
    }

    #[test]
    fn spelling_is_left_alone() {
        for text in [
            "می\u{200C}کنیم هزینه\u{200C}ها",
            "👨\u{200D}👩\u{200D}👧 ❤\u{FE0F}",
            "\u{1F3F4}\u{E0067}\u{E0062}\u{E0065}\u{E006E}\u{E0067}\u{E007F}",
            "Ver\u{AD}trag",
            "a\u{200B}b",
            "2\u{2062}x",
            "\u{feff}Hello",
        ] {
            assert_eq!(find(text), [], "{text:?}");
        }
        assert_eq!(visible("pay\u{200B}ment Ver\u{AD}trag"), "payment Vertrag");
    }
}
