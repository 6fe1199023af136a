//! Which mails belong to one conversation: by the Message-IDs they name; without any, by subject, people and time.

use std::sync::LazyLock;

use regex::Regex;
use sha2::{Digest, Sha256};

/// Mails that name no other mail join a conversation of the same subject only within this time.
pub const SUBJECT_WINDOW_DAYS: i64 = 30;

/// The thread id that a Message-ID stands for. A conversation has the smallest of its mails' ids, so that it is the
/// same in whatever order they arrive.
pub fn id_of(message_id: &str) -> String {
    let digest = Sha256::digest(message_id.as_bytes());
    let hex: String = digest[..10].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("thread.{hex}")
}

static PREFIX: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)^\s*((re|aw|antw|sv|vs|ref|rif|r|odp|fwd?|wg|tr|rv|enc|i|doorst)(\[\d+\])?\s*:\s*|\[[^\]]{1,40}\]\s*)+")
        .expect("the pattern is a constant")
});
static REPLY: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?i)^\s*(\[[^\]]{1,40}\]\s*)?(re|aw|antw|sv|ref|rif|odp)(\[\d+\])?\s*:").expect("the pattern is a constant"));

static FORWARD: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)^\s*(\[[^\]]{1,40}\]\s*)?(fwd?|wg|tr|rv|enc|i|doorst|weitergeleitet)(\[\d+\])?\s*:").expect("the pattern is a constant")
});

/// The subject without prefixes, list tags and case; `None` when too little is left to tell conversations apart. What
/// was forwarded goes on as a conversation of its own.
pub fn subject_key(subject: &str) -> Option<String> {
    let bare = PREFIX.replace(subject, "");
    let prefix = &subject[..subject.len() - bare.len()];
    let forwarded = prefix.split(':').any(|part| FORWARD.is_match(&format!("{part}:")));
    let key = bare.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
    let key = (key.chars().count() >= 4).then(|| key.chars().take(200).collect::<String>());
    key.map(|key| if forwarded { format!("fwd: {key}") } else { key })
}

/// Whether the subject says that the mail passes another on.
pub fn is_forward(subject: &str) -> bool {
    FORWARD.is_match(subject)
}

/// The mails that a mail belongs together with, nearest first: those it answers, up to one that was forwarded. What lies
/// beyond that is another conversation, and so is what a mail itself forwards.
pub fn belongs_to(references: &[String], is_forward: bool, forwarded: impl Fn(&str) -> bool) -> &[String] {
    if is_forward {
        return &[];
    }
    let end = references.iter().position(|id| forwarded(id)).map_or(references.len(), |at| at + 1);
    &references[..end]
}

/// Whether the subject says that the mail answers another.
pub fn is_reply(subject: &str) -> bool {
    REPLY.is_match(subject)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_is_the_same_with_any_prefix() {
        for subject in ["Scanner outage", "Re: Scanner outage", "RE: [users] AW: scanner  outage", "Re[2]: Scanner Outage"] {
            assert_eq!(subject_key(subject).as_deref(), Some("scanner outage"), "{subject}");
        }
        for subject in ["Fwd: Scanner outage", "Re: WG: scanner outage", "[users] TR: Scanner outage"] {
            assert_eq!(subject_key(subject).as_deref(), Some("fwd: scanner outage"), "{subject}");
        }
        assert_eq!(subject_key("Re: Hi"), None);
        assert_eq!(subject_key(""), None);
        assert!(is_reply("Re: x") && is_reply("[users] AW: x") && !is_reply("Reply: x") && !is_reply("Fwd: x"));
        assert!(is_forward("WG: x") && is_forward("[users] Fwd: x") && !is_forward("Re: Fwd: x") && !is_forward("I think: x"));
    }
}
