//! Mail that nobody typed: out-of-office replies, bounces, newsletters, calendar mail. Its words are kept and
//! searchable, but never count as said.

use std::sync::LazyLock;

use mail_parser::{Message, MessagePart, MimeHeaders};
use regex::Regex;

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

/// Whether a body without quoted mail reads like what a program answers while its owner is away: it says that it is
/// automatic, or most of what such answers say (thanks for the mail, away until, whom to ask, an answer on return).
pub fn reads_like_absence(body: &str) -> bool {
    static SAYS_SO: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(
            r"(?ix) automatisch\s(generierte|erstellte|erzeugte|versandte)\s(nachricht|antwort|e-?mail) | (dies\sist\seine\s)?automatische\s(antwort|e-?mail|nachricht) | abwesenheitsnotiz | abwesenheitsassistent
            | (réponse|message|courriel)\s(est\s)?(envoyée?\s)?automatique | message\sd['’]absence
            | (mensaje|respuesta|correo)\s(es\s)?(generad[oa]\s)?autom[áa]tic | respuesta\sautomática
            | (messaggio|risposta|e-?mail)\s(generat[oa]\s)?automatic
            | (mensagem|resposta|e-?mail)\s(gerad[oa]\s)?autom[áa]tic | resposta\sautomática
            | (automatisch(e)?|geautomatiseerd)\s(antwoord|bericht|reactie|gegenereerd|e-?mail|verzonden)
            | (automatic|automated)\s(reply|response|message|e-?mail|acknowledg) | auto-?(reply|responder|response) | out\sof\s(the\s)?office\s(reply|message)
            | (bitte|favor|por\sfavor|please|merci\sde|si\sprega\sdi|gelieve)\s(antworten\ssie\s)?(nicht|não|no|do\snot|don't|ne\spas|non|niet)\s(auf\sdiese|responder|responda|reply|répondre|rispondere|te\santwoorden|beantwoorden)",
        )
        .expect("the pattern is a constant")
    });
    static SIGNS: LazyLock<[Regex; 5]> = LazyLock::new(|| {
        [
            // away
            r"(?i)nicht im (büro|haus)|im urlaub|außer haus|abwesend|betriebsferien|geschlossen|elternzeit|auf dienstreise|absent|en congés?|hors du bureau|est fermée?|fuera de la oficina|estaré fuera|de vacaciones|por vacaciones|ausente|permanecerá cerrad|cerrad[ao]s?|fuori (ufficio|sede)|assente|in ferie|è chius|siamo chiusi|chiusura|fora do escritório|de férias|em férias|em recesso|encerrad|estaremos fechad|afwezig|niet (aanwezig|bereikbaar)|met (vakantie|verlof|zwangerschapsverlof)|gesloten|out of (the )?office|on (annual |maternity |parental |sick )?leave|on vacation|away from",
            // until
            r"(?i)\b(bis (zum|einschließlich|\d)|vom \d|ab (dem )?\d|jusqu['’]au|du \S+ ?\d+.* au|du \d|à partir du|hasta el|del? \d.* al? \d|a partir del|dal? \d.* al? \d|fino al?|fino a \S+ \d|a partire da|até (ao? )?(dia )?\d|de \d.* a \d|a partir de|tot (en met )?\S* ?\d|van \d.* tot|vanaf|until|till|from \S+ \d.* (to|until))",
            // whom to ask
            r"(?i)dringend|in notfällen|wenden sie sich|vertretung|störungsdienst|urgen(t|ce|cia|ze|te|cias)|emergencia|pour toute question|veuillez contacter|pueden? (contactar|ponerse|dirigirse)|para asuntos|rivolger|contattare|qualquer assunto|contact(ar|e)|voor (dringende|spoed)|neem(t u)? (dan )?contact|spoed|pending order|please (contact|write)",
            // an answer on return
            r"(?i)nach meiner rückkehr|wieder (für sie )?(da|erreichbar|im büro)|schnellstmöglich|in der reihenfolge|bearbeite|(dès|à) (mon|notre) retour|nous répondrons|je vous répondrai|seront traitées|à notre retour|a mi (regreso|vuelta|regres)|contestaré|responderé|será atendid|al (mio|nostro) (rientro|ritorno)|risponder(ò|emo)|após o meu regresso|no meu regresso|responderei|assim que|logo que|retornando|serão (despachad|atendid|respondid)|bij terugkomst|na terugkomst|na mijn|zo (spoedig|snel) mogelijk|beantwoord|on (my|our) return|as soon as|when i('m| am) back",
            // thanks for the mail; it is not passed on
            r"(?i)(vielen )?dank(e)? für ihre (e-?mail|nachricht|anfrage)|nicht (automatisch )?weitergeleitet|merci (pour|de) votre (message|courriel|e-?mail)|ne sera pas transf|gracias por (su|tu) (mensaje|correo)|gracias por escribir|no (será|se) reenv|grazie per (il|la)( suo| sua| vostro| vostra)? (messaggio|e-?mail)|non verrà inoltrat|(agradeço|obrigado pel)o? (o seu|seu|a sua) (contacto|contato|mensagem|e-?mail)|recebemos (o seu|seu|sua|a sua)|não ser[áã]o? (re)?encaminhad|bedankt voor (uw|je) (bericht|e-?mail|mail)|niet doorgestuurd|thank(s| you) for (your|the) (e-?mail|message|mail)|will not be forwarded",
        ]
        .map(|pattern| Regex::new(pattern).expect("the pattern is a constant"))
    });
    if body.len() > 4_000 || body.lines().any(|line| line.trim_start().starts_with('>')) {
        return false;
    }
    let signs = SIGNS.iter().filter(|sign| sign.is_match(body)).count();
    let away = SIGNS[0].is_match(body);
    (SAYS_SO.is_match(body) && signs >= 1) || (away && signs >= 3 && !body.contains('?'))
}
