//! Cursors: where a list goes on, opaque to callers and tied to the question they came from.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::problem::Problem;

#[derive(Serialize, Deserialize)]
struct Content<T> {
    /// Of the question; a cursor of another one is refused.
    question: String,
    at: T,
}

fn digest(question: &str) -> String {
    Sha256::digest(question.as_bytes())[..6].iter().map(|b| format!("{b:02x}")).collect()
}

/// A cursor to `at` in the answer to a question.
pub fn encode<T: Serialize>(question: &str, at: T) -> String {
    let json = serde_json::to_vec(&Content { question: digest(question), at }).expect("a position is plain data");
    json.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Where a cursor points, if it is one of this question's.
pub fn decode<T: DeserializeOwned>(question: &str, cursor: Option<&str>) -> Result<Option<T>, Problem> {
    let Some(cursor) = cursor else { return Ok(None) };
    let foreign = || Problem::bad_request("bad_cursor", "cursor is not one that this very query returned; start again without it");
    if cursor.len() > 2_000 || !cursor.is_ascii() || cursor.len() % 2 != 0 {
        return Err(foreign());
    }
    let bytes: Option<Vec<u8>> = (0..cursor.len()).step_by(2).map(|i| u8::from_str_radix(&cursor[i..i + 2], 16).ok()).collect();
    let content: Content<T> = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).ok_or_else(foreign)?;
    if content.question == digest(question) { Ok(Some(content.at)) } else { Err(foreign()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_belongs_to_its_question() {
        let cursor = encode("accounts?q=a", 7_i64);
        assert_eq!(decode("accounts?q=a", Some(&cursor)).unwrap(), Some(7_i64));
        assert!(decode::<i64>("accounts?q=b", Some(&cursor)).is_err());
        for broken in ["", "zz", "é", "7b7d", &cursor[1..]] {
            assert!(decode::<i64>("accounts?q=a", Some(broken)).is_err(), "{broken:?}");
        }
        assert_eq!(decode::<i64>("x", None).unwrap(), None);
    }
}
