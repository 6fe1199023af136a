//! The words by which people and programs of seven languages close a mail: English, German, French, Spanish, Italian,
//! Portuguese, Dutch.

use std::sync::LazyLock;

use regex::Regex;

pub(super) fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("the pattern is a constant")
}

/// A line of a company's: its legal form with a register, a number, or parts set apart.
pub(super) static LEGAL_LINE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?x) \b(GmbH|AG|KG|OHG|UG|mbH|e\.\s?K\.|eG|Ges\.m\.b\.H|S\.?A\.?R\.?L|S\.?A\.?S|SPRL|S\.?L\.?(U|P)?\.?|S\.?A\.?(\sde\sC\.V)?|S\.?C\.?P|S\.?R\.?L|S\.?p\.?A|s\.?n\.?c|s\.?a\.?s|Lda|Ltda|Unip|N\.?V|B\.?V|V\.?O\.?F|Inc|Ltd|LLC|EIRELI|ME|EPP)\b\.?
        | \b(HRB|HRA|FN|UID|USt|RCS|SIREN|SIRET|TVA|CIF|NIF|NIPC|CNPJ|P\.\s?IVA|KvK|KVK|BTW|BE\s?0\d|Inscr)\b",
    )
});

/// Lines that phones and programs add below a mail.
pub(super) static DEVICE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?ix)^( sent\s(from|via|using)\s(my\s|the\s|mail\sfor\s|outlook|yahoo|proton|samsung) | get\soutlook\sfor
        | (von|mit)\smeine[mr]\s.*\bgesendet | gesendet\s(von|mit|über|aus)\b | diese\snachricht\swurde\s(von|mit)\b.*\bgesendet | (holen|laden)\ssie\s(sich\s)?outlook | von\s(outlook|der\s|samsung|unterwegs|mobil)\b.*\b(gesendet|unterwegs|mobil)\b | outlook\sfür\b
        | (envoyé|expédié)(e)?\s(de|depuis|à\spartir|avec|par|via|du)\b | (obtenez|obtenir|télécharge[rz])\soutlook | outlook\spour\b
        | (enviado|enviada)\s(desde|do|da|de|con|com|a\spartir|por|pelo|via|mediante)\b | (obtener|obtén|obtenga|descargar|obter|obtenha|baixe|baixar)\s(o\s)?outlook | outlook\spara\b | mensaje\senviado\sdesde\b
        | (inviato|inviata|spedito)\s(da|dal|dallo|dalla|con|tramite)\b | (ottieni|scarica)\soutlook | outlook\sper\b
        | (verstuurd|verzonden|gestuurd)\s(vanaf|vanuit|met|via|van)\b | outlook\svoor\b | (download|haal)\soutlook )",
    )
});

/// Set phrases of legal boilerplate and of lines about paper; two of them in a paragraph make a footer.
pub(super) const DISCLAIMER: &[&str] = &[
    "confidential",
    "intended recipient",
    "intended only for",
    "intended solely",
    "privileged",
    "in error",
    "notify the sender",
    "unauthorized",
    "unauthorised",
    "disclosure",
    "dissemination",
    "proprietary",
    "any attachments",
    "this message and any",
    "registered in england",
    "registered office",
    "company sensitive",
    "please consider the environment",
    "think before you print",
    // German
    "vertraulich",
    "irrtümlich",
    "adressat",
    "unbefugt",
    "vernichten",
    "informieren sie bitte",
    "handelsregister",
    "amtsgericht",
    "hrb ",
    "geschäftsführ",
    "ust-id",
    "ust.-id",
    "sitz der gesellschaft",
    "umwelt",
    "ausdrucken",
    "nicht gestattet",
    "enthält möglicherweise",
    // French
    "confidentiel",
    "destinataire",
    "par erreur",
    "détrui",
    "usage exclusif",
    "siret",
    "capital de",
    "capital social",
    "tva ",
    "rcs ",
    "toute diffusion",
    "l'environnement",
    "l’environnement",
    "n'imprimez",
    "n’imprimez",
    // Spanish
    "destinatario",
    "por error",
    "elimin",
    "prohibid",
    "protección de datos",
    "registro mercantil",
    "medio ambiente",
    "antes de imprimir",
    "rgpd",
    "cif ",
    "cif:",
    // Italian
    "riservat",
    "per errore",
    "p.iva",
    "p. iva",
    "partita iva",
    "cap. soc",
    "cancellar",
    "gdpr",
    "prima di stampare",
    "ambiente",
    "regolamento ue",
    "vietat",
    // Portuguese
    "destinatário",
    "por engano",
    "cnpj",
    "nipc",
    "meio ambiente",
    "sigilos",
    "proibid",
    "apague",
    // Dutch
    "vertrouwelijk",
    "bestemd voor",
    "geadresseerde",
    "abusievelijk",
    "ten onrechte",
    "per abuis",
    "kvk",
    "btw",
    "het milieu",
    "verwijder",
    "aansprakelijk",
    "algemene voorwaarden",
];

/// One phrase that makes a footer alone.
pub(super) static FOOTER_ALONE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?ix)^( you\s(are\sreceiving|received)\sthis\s(e-?mail|message)\sbecause | to\sunsubscribe\s(from\sthis\s(group|list)|send\san\semail) | this\smessage\shas\sbeen\sscanned\sfor\sviruses
        | sie\serhalten\sdiese\s(e-?mail|nachricht)\b.*\b(weil|liste|abonn)|vous\srecevez\sce\s(message|courriel|mail)\b|(ha\srecibido|recibe)\seste\s(correo|mensaje)\b.*\bporque|ricevi\squesto\s(messaggio|email)|você\sestá\srecebendo|recebeu\sesta\smensagem\sporque|u\sontvangt\s(deze|dit)\b
        | (bitte\s)?(denken|prüfen)\ssie\s.*\b(umwelt|drucken|ausdruck) | bevor\ssie\sdiese\b.*\bdruck | pensez\s(à|avant)\b.*\b(environnement|imprim) | avant\sd['’]imprimer | n['’]imprimez | antes\sde\simprimir | prima\sdi\sstampare | pensi\sall['’]ambiente | denk\s(aan|s\.v\.p\.|alstublieft)\b.*\b(milieu|print) | print\sdeze\s(e-?)?mail
        | (\p{L}+\s){0,2}(virenfrei|sans\svirus|libre\sde\svirus|sin\svirus|livre\sde\svírus|virus-?free|privo\sdi\svirus|virusvrij)\b
        | (disclaimer|haftungsausschluss|avis\sde\sconfidentialité|aviso\s(legal|de\sconfidencialidad[e]?)|avvertenza|informativa)\s?: )",
    )
});

/// What mailing lists put below.
pub(super) static LIST_FOOTER: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)(mailing.?list|to unsubscribe|unsubscribe from|listinfo|mailingliste|liste de diffusion|lista de (correo|distribución|discussão|e-?mails?)|lista di discussione|mailinglijst|abmelden|se désabonner|désinscri|darse de baja|cancelar (la|a) (suscripción|inscrição|subscrição)|annullare l['’]iscrizione|cancellarsi|afmelden|uitschrijven)",
    )
});

/// Words that a closing formula turns on …
const CORE: &[&str] = &[
    // German
    "grüße",
    "grüßen",
    "gruß",
    "grüsse",
    "grüssen",
    "gruss",
    "gruesse",
    "gruessen",
    "grüßle",
    "mfg",
    "lg",
    "vg",
    "bg",
    "hg",
    "herzlichst",
    "hochachtungsvoll",
    "tschüss",
    "servus",
    "dank",
    "danke",
    "merci",
    "wochenende",
    "feierabend",
    "adieu",
    // French
    "cordialement",
    "cdt",
    "cdlt",
    "cdmt",
    "salutations",
    "slts",
    "amicalement",
    "bises",
    "bise",
    "respectueusement",
    "journée",
    "soirée",
    "week-end",
    "remerciements",
    "bientôt",
    "bav",
    "bàv",
    "amitiés",
    "sincèrement",
    // Spanish
    "saludo",
    "saludos",
    "salutacions",
    "fdo",
    "sds",
    "slds",
    "atentamente",
    "atte",
    "cordialmente",
    "abrazo",
    "abrazos",
    "besos",
    "gracias",
    "antemano",
    "hasta",
    // Italian
    "saluti",
    "saluto",
    "giornata",
    "lavoro",
    "serata",
    "weekend",
    "grazie",
    "presto",
    "abbraccio",
    "ciao",
    "ringraziamenti",
    "cordialità",
    "sal",
    // Portuguese
    "atenciosamente",
    "att",
    "at.te",
    "cumprimentos",
    "cpts",
    "cumps",
    "saudações",
    "abraço",
    "abraços",
    "abs",
    "abç",
    "obrigado",
    "obrigada",
    "obg",
    "grato",
    "grata",
    "agradeço",
    "agradecemos",
    "breve",
    "respeitosamente",
    "valeu",
    "semana",
    "trabalho",
    "bjs",
    "beijos",
    "beijinhos",
    "a+",
    "logo",
    // Dutch
    "groet",
    "groeten",
    "groetjes",
    "grt",
    "gr",
    "mvg",
    "hoogachtend",
    "bedankt",
    "dankjewel",
    "dag",
    "ziens",
    "succes",
    // and English, mixed in
    "regards",
    "thanks",
    "cheers",
    "thx",
];

/// … and words that may stand beside them.
const FILLER: &[&str] = &[
    "mit",
    "und",
    "viele",
    "vielen",
    "beste",
    "besten",
    "liebe",
    "lieben",
    "schöne",
    "schönen",
    "schönes",
    "schön",
    "freundliche",
    "freundlichen",
    "freundlichem",
    "freundlicher",
    "herzliche",
    "herzlichen",
    "herzlicher",
    "sonnige",
    "kollegiale",
    "kollegialen",
    "ein",
    "einen",
    "noch",
    "tag",
    "abend",
    "im",
    "voraus",
    "schon",
    "mal",
    "nochmals",
    "und",
    "bis",
    "dann",
    "bald",
    "morgen",
    "montag",
    "dienstag",
    "mittwoch",
    "donnerstag",
    "freitag",
    "ihr",
    "ihre",
    "euer",
    "eure",
    "gutes",
    "guten",
    "start",
    "in",
    "die",
    "woche",
    "frohe",
    "frohes",
    "bien",
    "très",
    "meilleures",
    "meilleurs",
    "sincères",
    "distinguées",
    "à",
    "vous",
    "toi",
    "tous",
    "toutes",
    "bonne",
    "belle",
    "bon",
    "excellente",
    "d'avance",
    "d’avance",
    "par",
    "avance",
    "beaucoup",
    "et",
    "mes",
    "nos",
    "avec",
    "les",
    "un",
    "una",
    "uno",
    "cordial",
    "cordiales",
    "afectuoso",
    "fuerte",
    "muchas",
    "mil",
    "de",
    "y",
    "el",
    "la",
    "los",
    "pronto",
    "luego",
    "mañana",
    "lunes",
    "buen",
    "buena",
    "día",
    "fin",
    "por",
    "todo",
    "todos",
    "cordiali",
    "distinti",
    "cordiale",
    "tanti",
    "cari",
    "migliori",
    "un",
    "mille",
    "in",
    "anticipo",
    "a",
    "buona",
    "buon",
    "e",
    "i",
    "più",
    "tutti",
    "domani",
    "lunedì",
    "com",
    "os",
    "as",
    "meus",
    "nossos",
    "melhores",
    "muito",
    "desde",
    "já",
    "até",
    "uma",
    "boa",
    "bom",
    "ótima",
    "ótimo",
    "forte",
    "grande",
    "mais",
    "o",
    "amanhã",
    "segunda",
    "met",
    "bij",
    "voorbaat",
    "vriendelijke",
    "vriendelijk",
    "hartelijke",
    "hartelijk",
    "beste",
    "alvast",
    "je",
    "wel",
    "u",
    "fijne",
    "fijn",
    "prettige",
    "prettig",
    "weekend",
    "tot",
    "dan",
    "morgen",
    "maandag",
    "gauw",
    "snel",
    "en",
    "namens",
    "verder",
    "nog",
    "een",
    "best",
    "kind",
    "warm",
    "many",
    "with",
    "and",
];

/// Words that are said in closing and nowhere else.
const GREETINGS: &[&str] = &[
    "saluto",
    "grüße",
    "grüßen",
    "gruß",
    "grüsse",
    "saludo",
    "saludos",
    "saluti",
    "cumprimentos",
    "groet",
    "groeten",
    "groetjes",
    "salutations",
    "abrazo",
    "abrazos",
    "abraço",
    "abraços",
    "regards",
];

/// Closings that are whole sentences.
static FORMAL: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?ix)^( (je\svous|nous\svous)\sprie?(ons)?\sd['’]agréer | je\st['’]embrasse | veuillez\s(agréer|recevoir|croire) | recevez\b | (dans|en)\sl?['’]?(attente|attendant)\b.*\b(salutations|sentiments|cordialement|agréer)
        | bien\sà\s(vous|toi)\b | in\sattesa\b.*\bsaluti | (le\s|vi\s)?porg(o|iamo|endo)\b.*\bsaluti | con\si\s(più\s)?(migliori|cordiali|distinti)\s
        | (reciba|reciban|recibe|recibid)\sun\b.*\bsaludo | (le|les|os|te)\s(saluda|saludamos|saludo)\b | sin\sotro\sparticular | aprovech(o|amos)\b.*\bsalud | a\sla\sespera\sde\b.*\bsalud
        | (quedo|quedamos)\s(atent[oa]s?|pendientes?|a\sla\sespera)\W*$ | (fico|ficamos)\s(no\saguardo|à\sdisposição|a\saguardar)\W*$ | no\saguardo\W*$ | (com|subscrev)\b.*\b(cumprimentos|consideração)\W*$ | sem\smais\b | sem\soutro\sassunto\b | apresent(o|amos)\b.*\bcumprimentos
        | i\.?\s?a\.?\s?$ | im\sauftrag\s?$ )",
    )
});

/// Whether a line is nothing but a closing formula, perhaps with a name behind it.
pub(super) fn is_formula(text: &str, is_name: fn(&str) -> bool) -> bool {
    let trimmed = text.trim().trim_end_matches('\\').trim();
    if trimmed.chars().count() > 160 {
        return false;
    }
    if FORMAL.is_match(trimmed) {
        return true;
    }

    // "Groeten van de werf, Klaas": the formula before the comma, the name behind it.
    if let Some((formula, name)) = trimmed.split_once(',')
        && is_name(name)
        && is_formula(formula, |_| false)
    {
        return true;
    }
    let bare = |text: &str| text.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
    let words: Vec<&str> =
        trimmed.split([' ', '\u{a0}', '\t', '/', '&', '+', ',', '!', '.']).filter(|word| word.contains(char::is_alphanumeric)).collect();
    if words.is_empty() || words.len() > 10 {
        return false;
    }
    let known = words.iter().take_while(|word| CORE.contains(&bare(word).as_str()) || FILLER.contains(&bare(word).as_str())).count();
    // Whatever the greetings are like: "Zoete groeten".
    let greeted = words.last().is_some_and(|word| GREETINGS.contains(&bare(word).as_str()));
    if greeted && words.len() <= 4 && !trimmed.contains(|c: char| c.is_ascii_digit() || c == '?') {
        return true;
    }
    let cores = words[..known].iter().filter(|word| CORE.contains(&bare(word).as_str())).count();
    if cores == 0 || trimmed.ends_with('?') {
        return false;
    }
    let rest = &words[known..];
    // "aus Hamburg", "de Madrid": a place; otherwise the name of who signs.
    let from_somewhere =
        known > 0 && ["aus", "de", "da", "uit", "van", "from", "desde", "depuis", "vom", "von"].contains(&bare(words[known - 1]).as_str());
    let place = rest.first().is_some_and(|word| ["aus", "uit", "van", "vom", "von", "desde", "from"].contains(&bare(word).as_str()));
    match rest.len() {
        0 => true,
        1..=4 if place || from_somewhere => {
            rest.iter().skip(usize::from(place)).all(|word| word.starts_with(char::is_uppercase) || word.chars().count() <= 3)
        }
        1..=3 => is_name(&rest.join(" ")) && (words.len() <= 4 || trimmed.contains(',')),
        _ => false,
    }
}

/// Short ends of a mail that are no formula alone but close it before a name.
pub(super) static LAST_WORDS: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?i)^(hope (this|that|it) helps|hth|let me know|good luck|enjoy|have fun)\W*$"));

/// A postscript or footnote.
pub(super) static POSTSCRIPT: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?i)^(p\.?\s?s\.?[:\s.,-]|p\.?\s?d\.?\s?[:.]|\[\d+\]|\(\d+\)\s|[¹²³*]|edit:|n\.?b\.?[:\s])"));

/// A postscript.
pub(super) static P_S: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?i)^p\.?\s?[sd]\.?\s?[:.,-]?\s"));

/// Greetings that are also said in parting.
pub(super) static OPENING: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?i)^(dag|ciao|servus|moin|salut|olá|hola|bom dia|boa tarde|buen día|goedendag)\b"));

/// Where else a company is to be found.
pub(super) static SOCIAL: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?i)^\W*(facebook|instagram|linkedin|twitter|youtube|whatsapp|xing|tiktok)\b"));
