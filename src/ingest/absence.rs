//! Whether a mail reads like what a program answers while its owner is away, or to say that it has arrived: what such
//! answers say (that they are automatic, away until when, whom to ask, when an answer comes) and their words, weighed
//! by logistic regression. Its card is `models/absence/README.md`.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::LazyLock;

use regex::Regex;
use serde::{Deserialize, Serialize};
use unicode_segmentation::UnicodeSegmentation;

/// Programs answer in few words.
const MAX_BODY: usize = 4_000;

/// What speaks for a program's answer, and, below zero, against it.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Weights {
    pub words: BTreeMap<String, f32>,
}

/// Weights as they are looked up.
pub struct Model {
    words: HashMap<String, f32>,
}

impl Model {
    pub fn of(weights: &Weights) -> Model {
        Model { words: weights.words.iter().map(|(name, weight)| (name.clone(), *weight)).collect() }
    }

    /// Whether the body of a mail reads like a program's answer.
    pub fn decides(&self, body: &str) -> bool {
        may_be(body) && features(body).iter().filter_map(|name| self.words.get(name)).sum::<f32>() > 0.0
    }
}

/// Whether the body of a mail reads like a program's answer.
pub fn reads_like_absence(body: &str) -> bool {
    static MODEL: LazyLock<Model> = LazyLock::new(|| {
        let weights = include_str!("../../models/absence/weights.json");
        Model::of(&serde_json::from_str(weights).expect("the weights are part of the program"))
    });
    MODEL.decides(body)
}

/// Whoever quotes has read.
fn may_be(body: &str) -> bool {
    body.len() <= MAX_BODY && !body.lines().any(|line| line.trim_start().starts_with('>'))
}

fn features(body: &str) -> HashSet<String> {
    let mut found: HashSet<String> = HashSet::from(["any".to_owned()]);
    let signs: Vec<usize> = SIGNS.iter().enumerate().filter(|(_, sign)| sign.is_match(body)).map(|(at, _)| at).collect();
    let says_so = SAYS_SO.is_match(body);
    found.extend(signs.iter().map(|sign| format!("sign {sign}")));
    found.insert(format!("signs {}", signs.len()));
    // What the rules alone would say.
    let ruled = (says_so && !signs.is_empty()) || (signs.contains(&0) && signs.len() >= 3 && !body.contains('?'));
    for (name, holds) in [("says so", says_so), ("ruled", ruled), ("asks", body.contains('?'))] {
        if holds {
            found.insert(name.to_owned());
        }
    }
    let words: Vec<String> =
        body.unicode_words().take(120).map(|word| word.to_lowercase().chars().map(|c| if c.is_numeric() { '0' } else { c }).collect()).collect();
    found.insert(format!("words {}", words.len() / 20));
    for pair in words.windows(2) {
        found.insert(format!("pair {} {}", pair[0], pair[1]));
    }
    for word in words {
        let start: String = word.chars().take(5).collect();
        found.insert(format!("start {start}"));
        found.insert(format!("word {word}"));
    }
    found
}

const EPOCHS: usize = 20;
const RATE: f32 = 0.05;
const PULL: f32 = 0.002;
const MIN_MAILS: usize = 2;
const NEGLIGIBLE: f32 = 0.01;

/// Learns from mails and whether each is a program's answer; the same mails give the same weights.
pub fn learn(mails: &[(String, bool)]) -> Weights {
    let examples: Vec<(Vec<String>, bool)> = mails
        .iter()
        .filter(|(body, _)| may_be(body))
        .map(|(body, automatic)| {
            let mut names: Vec<String> = features(body).into_iter().collect();
            names.sort_unstable();
            (names, *automatic)
        })
        .collect();
    let mut seen: HashMap<&str, usize> = HashMap::new();
    for name in examples.iter().flat_map(|(names, _)| names) {
        *seen.entry(name).or_default() += 1;
    }
    let mut weights: BTreeMap<&str, f32> = seen.into_iter().filter(|(_, mails)| *mails >= MIN_MAILS).map(|(name, _)| (name, 0.0)).collect();
    for epoch in 0..EPOCHS {
        #[expect(clippy::cast_precision_loss, reason = "a few epochs")]
        let rate = RATE / (1.0 + epoch as f32 * 0.25);
        for (names, automatic) in &examples {
            let sum: f32 = names.iter().filter_map(|name| weights.get(name.as_str())).sum();
            let gradient = f32::from(u8::from(*automatic)) - 1.0 / (1.0 + (-sum).exp());
            for name in names {
                if let Some(weight) = weights.get_mut(name.as_str()) {
                    *weight += rate * (gradient - PULL * *weight);
                }
            }
        }
    }
    let rounded = |weight: f32| (weight * 1000.0).round() / 1000.0;
    Weights {
        words: weights
            .into_iter()
            .filter(|(_, weight)| weight.abs() >= NEGLIGIBLE)
            .map(|(name, weight)| (name.to_owned(), rounded(weight)))
            .collect(),
    }
}

/// Says that it is automatic.
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
/// Away; until when; whom to ask; an answer on return; thanks for the mail, which is not passed on.
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
