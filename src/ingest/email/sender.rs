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
    // No honest system leaves a quotation or a comment open.
    let Some(results) = without_comments(&results) else { return true };
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

/// Without what stands in parentheses, which anybody may fill; those inside of quotation marks are text, which anybody
/// may fill too, so that it goes as well. `None` where one is never closed.
fn without_comments(text: &str) -> Option<String> {
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    let mut kept = String::with_capacity(text.len());
    for c in text.chars() {
        let literal = std::mem::take(&mut escaped);
        match c {
            '\\' if !literal => escaped = true,
            '"' if !literal && depth == 0 => quoted = !quoted,
            '(' if !literal && !quoted => depth += 1,
            ')' if !literal && !quoted => depth = depth.saturating_sub(1),
            _ if depth == 0 && !quoted => kept.push(c),
            _ => {}
        }
    }
    (depth == 0 && !quoted).then_some(kept)
}

/// "Jo <jo@us.example>" <stranger@elsewhere.example>: readers see the name, and take it for the address.
fn shows_another_address(message: &Message, author: Option<&Address>) -> bool {
    let Some(author) = author else { return false };
    let shown = message.from().and_then(|from| from.first()).and_then(|first| first.name()).unwrap_or_default();
    let addresses =
        shown.split(|c: char| c.is_whitespace() || matches!(c, '<' | '>' | '(' | ')' | ',' | ';' | '"' | '\'')).filter(|word| word.contains('@'));
    addresses.filter_map(Address::parse).any(|address| registrable(address.domain()) != registrable(author.domain()))
}

#[cfg(test)]
mod tests {
    use mail_parser::MessageParser;

    use super::failed_its_checks;

    #[test]
    fn what_a_sender_may_fill_in_says_nothing() {
        for (results, failed) in [
            ("mx.us.example; spf=pass smtp.mailfrom=a@evil.example; dmarc=fail header.from=us.example", true),
            ("mx.us.example; spf=pass smtp.mailfrom=\"(a\"@evil.example; dmarc=fail header.from=us.example", true),
            ("mx.us.example; spf=pass smtp.mailfrom=\"a; dmarc=pass x\"@evil.example; dmarc=fail", true),
            ("mx.us.example; spf=pass (a comment; dmarc=pass); dmarc=fail (p=none)", true),
            ("mx.us.example; spf=pass smtp.mailfrom=\"a@evil.example; dmarc=fail", true),
            ("mx.us.example; spf=fail (\\( \" ) smtp.mailfrom=x; dkim=pass header.d=acme.example; dmarc=pass", false),
            ("mx.us.example; spf=softfail; dkim=pass", false),
        ] {
            let mail = format!("Authentication-Results: {results}\r\nFrom: a@us.example\r\n\r\nx");
            let message = MessageParser::default().parse(mail.as_bytes()).unwrap();
            assert_eq!(failed_its_checks(&message), failed, "{results}");
        }
    }
}
