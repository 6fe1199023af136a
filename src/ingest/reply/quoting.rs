//! The patterns by which mail programs of seven languages mark mail that is quoted: headers, separators, attributions.

use std::sync::LazyLock;

use regex::Regex;

use super::words::pattern;

/// "From:" and what stands for it.
pub(super) static FROM_LINE: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?i)^[*\s]{0,3}(from|von|de|van|da|expéditeur|remitente|mittente|afzender|remetente|absender)\s?:[*\s]*\S"));

/// The other lines of a quoted mail's header.
pub(super) static OTHER_HEADER: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?ix)^[*\s]{0,3}
        ( sent | date | to | cc | bcc | subject | reply-to | importance | attachments?
        | gesendet(\sam)? | datum | an | kopie | betreff | wichtigkeit | anlagen? | empfänger
        | envoyé(e)?(\sle)? | à | a | objet | sujet | copie | pièces?\sjointes?(\s\(\d+\))? | destinataires?
        | enviado(\s(el|em))? | enviada(\sem)? | fecha | para | asunto | datos\sadjuntos | destinatarios? | importancia
        | inviato(\sil)? | data | oggetto | allegati | priorità
        | assunto | destinatários? | anexos?
        | verzonden(\sop)? | aan | onderwerp | bijlagen? | urgentie )
        \s?:[*\s]{0,3}",
    )
});

/// The line that says when it was sent, in words that only mail programs use so.
pub(super) static SENT_LINE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"(?i)^[*\s]{0,3}(sent|gesendet(\sam)?|envoyé(e)?(\sle)?|enviado(\s(el|em))?|enviada(\sem)?|inviato(\sil)?|verzonden(\sop)?)\s?:")
});

/// The mark before an answer inside a quoted mail.
pub(super) static ANSWER: LazyLock<Regex> = LazyLock::new(|| pattern(r"^\s{0,3}(={1,3}>|-{2,3}>|>{3}|→|\[\p{Lu}{2,3}\]|R:|A:|\p{Lu}{2}:)\s"));

/// A line that says that an earlier mail follows.
pub(super) static SEPARATOR: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?ix)^ ( [-_=*>\s]{2,}\s*
            ( original\s(message|appointment) | forwarded\s(message|by\b.*) | forwarded\smail
            | ursprüngliche\snachricht | original-?\s?nachricht | originalnachricht | weitergeleitete\s(nachricht|e-?mail) | ursprünglicher\stermin | weiterleitung | weitergeleitet\svon\b.*
            | message\s(d['’]origine|original|initial|transféré|transmis|transféré\s(le|par)\b.*) | courriel\soriginal | rendez-vous\sd['’]origine | mail\soriginal
            | mensaje\s(original|reenviado) | correo\soriginal | cita\soriginal
            | messaggio\s(originale|inoltrato|originario) | appuntamento\soriginale | messaggio\sinoltrato\s(da|il)\b.* | inoltrato\sda\b.*
            | mensagem\s(original|encaminhada|reencaminhada) | encaminhado\spor\b.* | reenviado\spor\b.* | compromisso\soriginal
            | oorspronkelijk\sbericht | origineel\s(bericht|e-?mail) | doorgestuurd\s(bericht|door\b.*) | oorspronkelijke\safspraak | originele\s(e-?mail|bericht) )
            \s* [-_=*\s]* :? $
        | ( begin\sforwarded\smessage | anfang\sder\sweitergeleiteten\s(nachricht|e-?mail) | début\sdu\smessage\s(réexpédié|transféré)
          | inicio\sdel\smensaje\sreenviado | inizio\s(del\s)?messaggio\sinoltrato | início\sda\smensagem\s(encaminhada|reencaminhada) | begin\sdoorgestuurd\sbericht ) \s? : $ )",
    )
});

/// A help desk's line above which one is asked to answer.
pub(super) static ANSWER_ABOVE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?ix)^\W{2,}.{0,40}\b(above|oberhalb|über|au-dessus|por\sencima|encima|arriba|sopra|acima|boven)\b.{0,40}\b(line|linie|zeile|ligne|línea|linea|riga|linha|lijn|regel|texto|text)\b.{0,20}$
        | ^\W{2,}.{0,30}\b(reply|antwort\w*|répon\w+|respuesta|respond\w+|rispost\w+|rispond\w+|respost\w+|antwoord\w*|reageer)\b.{0,40}\b(above|oberhalb|über|au-dessus|encima|arriba|sopra|acima|boven)\b",
    )
});

/// The words without which a line is none of those: found at once, where the pattern itself is slow.
pub(super) static SAYS_ABOVE: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?i)above|oberhalb|über|au-dessus|encima|arriba|sopra|acima|boven"));

/// How an attribution may begin: "On …", "Am …", a date, a weekday, a name with an address.
pub(super) static OPENS_ATTRIBUTION: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r#"(?ix)^( on\s | le\s | am\s | às\s\d | alle\s(ore\s)?\d | a\slas\s\d | um\s\d | om\s\d | el\s | il\s | op\s | em\s | no\sdia\s | a\s\d | in\sdata\s | en\s\d | den\s | w\sdniu | at\s.*\bwrote | quoting\s | zitat\svon\s | citando\s | citat | quote\svon
        | ha\sscritto\s | schrieb\s | escribió\s | escreveu\s | a\sécrit
        | \*?\d{1,4}[-./\s]\s?(\d|de\s|[a-zé]{3}) | (mon|tue|wed|thu|fri|sat|sun|mo|di|mi|do|fr|sa|so|lun|mar|mer|jeu|ven|sam|dim|mié|jue|vie|sáb|dom|gio|seg|ter|qua|qui|sex|ma|wo|vr|za|zo)[a-zçáéí-]*[,.\s]
        | "?[\p{L}\w.'’-]+(\s[\p{L}\w.'’(),|/&-]+){0,6}"?\s*(<|\[mailto:|via\s|\(|wrote|writes|schrieb|schreef|escrib|escrev|a\sécrit|ha\sscritto|heeft|hat\s|,\s(am|le|el|il|op|em)\s) )"#,
    )
});

/// How it ends: somebody wrote, and a colon.
pub(super) static CLOSES_ATTRIBUTION: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?ix)( \b( wrote | writes | said | schrieb(en)? | hat\sgeschrieben | geschrieben | geschreven | schreef | skrev | escribi[oó] | ha\sescrito | escreveu | escreve | ha\sscritto | scrive(va)? ) (\s[^:]{0,90})?
        | a\s+[ée]crit(\s[^:]{0,60})? ) \s* : \s* $
        | \b( schrieb | escribi[oó] | escreveu | ha\sscritto | schreef | a\s[ée]crit | wrote ) \s* \( .{0,60} \) \s* : \s* $
        | ^\s*on\s .* @ .* \bsent \s* : \s* $
        | ^\s*( quoting | zitat\svon | citando(\sa)? ) \s .{3,120} : \s* $",
    )
});

/// An attribution with the quoted words behind it on the same line, as one web mailer leaves it.
pub(super) static RUN_ON_ATTRIBUTION: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)^.{0,80}\d.{0,120}<[^<>\s]+@[^<>\s]+>\s*,?\s*(wrote|schrieb|a\s[ée]crit|ha\sscritto|escribi[oó]|escreveu|schreef|het volgende geschreven)\s*:\s*[^\s]",
    )
});

/// How Notes marks the mail below: `Ann Lee ---24-10-2022 13:11:27---Dear Jo, …`.
pub(super) static NOTES_LINE: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"^\S.{0,80}\s---\d{1,4}[-./]\d{1,2}[-./]\d{2,4}\s\d{1,2}[:.]\d{2}([:.]\d{2})?(\s?[AP]M)?---"));

/// A name as Notes writes it: `Ann Lee/Sales/ACME`.
pub(super) static NOTES_NAME: LazyLock<Regex> = LazyLock::new(|| pattern(r"\p{L}+/\p{L}+/\p{L}+"));

/// What opens words that somebody cites within a text of their own.
pub(super) static CITED: LazyLock<Regex> = LazyLock::new(|| pattern("^[«„“\"'‹‚]"));
