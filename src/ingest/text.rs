//! Bytes of text files become text, whatever charset they were saved in.

use std::borrow::Cow;

use chardetng::EncodingDetector;
use encoding_rs::{Encoding, UTF_8};

/// How much of a file the charset is guessed from.
const SAMPLE: usize = 64 * 1024;

/// Decodes a text file: by its byte order mark, as UTF-8 when it is that, else by the charset its bytes look like.
/// Line ends become `\n`; a NUL, which no database keeps in text, the replacement character.
pub fn decode(bytes: &[u8]) -> String {
    let text = match Encoding::for_bom(bytes) {
        Some((encoding, mark)) => encoding.decode_without_bom_handling(&bytes[mark..]).0,
        None => match std::str::from_utf8(bytes) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => guess(bytes).decode_without_bom_handling(bytes).0,
        },
    };
    clean(&text)
}

fn guess(bytes: &[u8]) -> &'static Encoding {
    // UTF-16 without a mark: every other byte of Western text is zero.
    let zeros = |parity: usize| bytes.iter().take(SAMPLE).skip(parity).step_by(2).filter(|b| **b == 0).count() * 8;
    let sampled = bytes.len().min(SAMPLE);
    if zeros(1) > sampled {
        return encoding_rs::UTF_16LE;
    }
    if zeros(0) > sampled {
        return encoding_rs::UTF_16BE;
    }
    let mut detector = EncodingDetector::new();
    detector.feed(&bytes[..sampled], sampled == bytes.len());
    let guessed = detector.guess(None, true);
    // Not UTF-8 as a whole, so a guess of it would only be of the sample.
    if guessed == UTF_8 { encoding_rs::WINDOWS_1252 } else { guessed }
}

/// Line ends as `\n`; no NUL.
pub fn clean(text: &str) -> String {
    let text = if text.contains('\r') { text.replace("\r\n", "\n").replace('\r', "\n") } else { text.to_owned() };
    if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn text_is_read_in_the_charset_it_was_saved_in() {
        assert_eq!(decode("\u{feff}Grüße\r\nJo".as_bytes()), "Grüße\nJo");
        assert_eq!(decode(b"Gr\xfc\xdfe aus K\xf6ln, M\xfcnchen und Z\xfcrich"), "Grüße aus Köln, München und Zürich");
        let utf16: Vec<u8> = "Name;Straße\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(decode(&utf16), "Name;Straße\n");
        assert_eq!(decode(&[b"\xff\xfe".as_slice(), &utf16].concat()), "Name;Straße\n");
        assert_eq!(decode(b"a\0b"), "a\u{fffd}b");
        assert_eq!(decode(b""), "");
    }
}
