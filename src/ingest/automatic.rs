//! Mail that nobody typed: out-of-office replies, bounces, newsletters, calendar mail. Its words are kept and
//! searchable, but never count as said.

use mail_parser::{Message, MessagePart, MimeHeaders};

words! {
    /// Why a mail counts as automatic.
    Automatic {
        AutoReply = "auto_reply",
        Bounce = "bounce",
        Newsletter = "newsletter",
        Calendar = "calendar",
    }
}

/// Decides from headers, then from how the subject begins; `None` for a mail that someone wrote.
pub fn recognise(message: &Message, from: Option<&str>, subject: &str) -> Option<Automatic> {
    let header = |name: &str| {
        let value = message.header_raw(name).unwrap_or_default();
        value.trim().to_ascii_lowercase()
    };
    let content_type = message.root_part().headers.iter().find(|h| h.name.as_str().eq_ignore_ascii_case("content-type"));
    let is_type = |wanted: &str, subtype: &str| {
        content_type
            .and_then(|h| h.value.as_content_type())
            .is_some_and(|t| t.c_type.eq_ignore_ascii_case(wanted) && t.c_subtype.as_deref().is_some_and(|s| s.eq_ignore_ascii_case(subtype)))
    };
    let from = from.unwrap_or_default().to_ascii_lowercase();
    if is_type("multipart", "report") || from.starts_with("mailer-daemon@") || from.starts_with("postmaster@") {
        return Some(Automatic::Bounce);
    }
    let auto_submitted = header("Auto-Submitted");
    let subject = subject.to_lowercase();
    if auto_submitted.starts_with("auto-replied")
        || !header("X-Autoreply").is_empty()
        || !header("X-Autorespond").is_empty()
        || header("Precedence").starts_with("auto_reply")
        || AUTO_REPLY_SUBJECTS.iter().any(|s| subject.starts_with(s))
    {
        return Some(Automatic::AutoReply);
    }
    if is_type("text", "calendar") || message.parts.iter().any(is_invitation) {
        return Some(Automatic::Calendar);
    }
    // A discussion list also says `Precedence: list` and how to leave it; only bulk senders count as newsletters.
    let discussion = !header("List-Post").is_empty() || !header("X-BeenThere").is_empty() || !header("X-Mailman-Version").is_empty();
    let bulk = header("Precedence").starts_with("bulk") || !header("List-Unsubscribe").is_empty() || !header("Feedback-ID").is_empty();
    (bulk && !discussion).then_some(Automatic::Newsletter)
}

/// Whether a part asks, answers or calls off a meeting (iMIP, RFC 6047): mail of calendars says so by its method.
fn is_invitation(part: &MessagePart) -> bool {
    let calendar =
        part.content_type().filter(|t| t.c_type.eq_ignore_ascii_case("text") && t.subtype().is_some_and(|s| s.eq_ignore_ascii_case("calendar")));
    calendar.is_some_and(|t| t.has_attribute("method"))
}

/// How the subject of an automatic reply begins.
const AUTO_REPLY_SUBJECTS: &[&str] = &[
    "out of office",
    "out of the office",
    "automatic reply",
    "auto-reply",
    "autoreply",
    "auto reply",
    "away from my mail",
    "auto:",
    "abwesenheitsnotiz",
    "abwesenheit:",
    "automatische antwort",
    "autom. antwort",
    "ich bin nicht im büro",
    "réponse automatique",
    "absence du bureau",
    "absent du bureau",
    "message d'absence",
    "respuesta automática",
    "fuera de la oficina",
    "ausencia",
    "respuesta de ausencia",
    "risposta automatica",
    "fuori sede",
    "fuori ufficio",
    "automatisch antwoord",
    "automatische reactie",
    "afwezig",
    "niet aanwezig",
    "resposta automática",
    "resposta automatica",
    "ausência",
    "fora do escritório",
    "ausência temporária",
];
