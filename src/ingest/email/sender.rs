//! Whether a mail is from whom it says, as far as the mail itself can tell: what the receiving system found when it
//! checked the sender (Authentication-Results, RFC 8601; Received-SPF, RFC 7208), and whether the name shown is an
//! address of somebody else.

use mail_parser::Message;

use crate::domain::Address;
use crate::domain::address::registrable;

/// Whether the author may be taken for who the From line says. Most mail carries no result and is believed.
pub(super) fn is_believable(message: &Message, author: Option<&Address>) -> bool {
    !failed_its_checks(message) && !shows_another_address(message, author)
}

/// The first result is the one that the last system, the reader's own, put on top; those below may be the sender's.
fn failed_its_checks(message: &Message) -> bool {
    let top = |wanted: &str| message.headers_raw().find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value.to_ascii_lowercase());
    let Some(results) = top("Authentication-Results") else {
        return top("Received-SPF").is_some_and(|result| result.trim_start().starts_with("fail"));
    };
    let results = without_comments(&results);
    let found = |method: &str, result: &str| {
        results.split(';').any(|part| {
            let mut words = part.split_whitespace();
            words.next().and_then(|first| first.split_once('=')).is_some_and(|(m, r)| m == method && r == result)
        })
    };
    // A list or forwarder that checked the mail vouches for it by ARC.
    if found("dmarc", "pass") || found("arc", "pass") {
        return false;
    }
    found("dmarc", "fail") || ((found("spf", "fail") || found("spf", "softfail")) && !found("dkim", "pass"))
}

fn without_comments(text: &str) -> String {
    let mut depth = 0_usize;
    text.chars()
        .filter(|c| {
            match c {
                '(' => depth += 1,
                ')' => {
                    depth = depth.saturating_sub(1);
                    return false;
                }
                _ => {}
            }
            depth == 0
        })
        .collect()
}

/// "Jo <jo@us.example>" <stranger@elsewhere.example>: readers see the name, and take it for the address.
fn shows_another_address(message: &Message, author: Option<&Address>) -> bool {
    let Some(author) = author else { return false };
    let shown = message.from().and_then(|from| from.first()).and_then(|first| first.name()).unwrap_or_default();
    let addresses =
        shown.split(|c: char| c.is_whitespace() || matches!(c, '<' | '>' | '(' | ')' | ',' | ';' | '"' | '\'')).filter(|word| word.contains('@'));
    addresses.filter_map(Address::parse).any(|address| registrable(address.domain()) != registrable(author.domain()))
}
