//! Which sentences of a whole history matter: central to what is talked about, telling (decisions, money, dates,
//! trouble, plans), spread over time and people, and not the same thing twice.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;

use super::{Communication, day};
use crate::analyse::sentences;
use crate::domain::entry::{Side, new_words};
use crate::domain::summary::{Citation, Sentence, Topic};

/// Passages per topic.
const HISTORY: usize = 3;
const OPPORTUNITIES: usize = 2;
const RISKS: usize = 3;
const NEXT_ACTIONS: usize = 3;

/// A passage of fewer or more words says too little or too much.
const MIN_WORDS: usize = 6;
const MAX_WORDS: usize = 45;

/// Two passages that share more than this part of their words say the same.
const SAME: f64 = 0.5;

pub(super) struct Chosen {
    pub history: Vec<Sentence>,
    pub opportunities: Vec<Sentence>,
    pub risks: Vec<Sentence>,
    pub next_actions: Vec<Sentence>,
}

struct Candidate<'a> {
    communication: &'a Communication,
    segment: Option<usize>,
    start: usize,
    end: usize,
    text: &'a str,
    side: Option<Side>,
    speaker: Option<&'a str>,
    words: Vec<String>,
    at: Timestamp,
    central: f64,
}

/// Words that tell what a sentence is about, with their worth; matched at the beginning of a word, in lower case.
/// They choose passages for the summary and decide nothing else.
const OPPORTUNITY_CUES: &[(&str, f64)] = &[
    ("expand", 2.0),
    ("expansion", 2.0),
    ("roll out", 1.5),
    ("rollout", 1.5),
    ("budget", 1.5),
    ("approved", 2.0),
    ("sign-off", 1.5),
    ("sign off", 1.5),
    ("renew", 1.5),
    ("upgrade", 1.5),
    ("additional", 1.0),
    ("more sites", 2.0),
    ("more depots", 2.0),
    ("purchase order", 2.0),
    ("go ahead", 2.0),
    ("recommend", 1.5),
    ("reference", 1.0),
    ("impressed", 1.5),
    ("happy with", 1.5),
    ("love", 1.0),
    ("pilot", 1.0),
    ("ready to sign", 2.5),
    ("would like to", 0.7),
    ("keen", 1.0),
    ("interested", 1.0),
    ("second site", 1.5),
    ("order", 0.7),
    ("great result", 1.5),
    ("board", 0.8),
];
const RISK_CUES: &[(&str, f64)] = &[
    ("cancel", 2.0),
    ("terminat", 2.0),
    ("non-renewal", 3.0),
    ("not renew", 3.0),
    ("not be renewing", 3.0),
    ("switch", 1.5),
    ("competitor", 1.5),
    ("outage", 1.5),
    ("unacceptable", 2.5),
    ("escalat", 1.5),
    ("frustrat", 2.0),
    ("disappoint", 2.0),
    ("concern", 1.2),
    ("risk", 1.0),
    ("too expensive", 2.0),
    ("over budget", 2.0),
    ("overdue", 1.2),
    ("delay", 1.0),
    ("blocked", 1.2),
    ("blocker", 1.2),
    ("leaving", 1.0),
    ("left the company", 2.0),
    ("no longer with", 2.0),
    ("liability", 1.0),
    ("breach", 1.0),
    ("not acceptable", 2.0),
    ("cannot accept", 2.0),
    ("still waiting", 1.5),
    ("third time", 1.5),
    ("lost", 0.7),
    ("evaluating", 1.2),
    ("alternative", 1.2),
    ("cheaper", 1.5),
    ("complain", 1.2),
    ("unhappy", 2.0),
    ("decided", 0.8),
    ("on hold", 1.8),
    ("postpone", 1.5),
    ("not sure", 0.8),
    ("problem", 0.7),
    ("discount", 1.0),
    ("reopen", 1.2),
    ("penalt", 1.0),
];
const ACTION_CUES: &[(&str, f64)] = &[
    ("i will", 1.5),
    ("i'll", 1.5),
    ("we will", 1.2),
    ("we'll", 1.2),
    ("by friday", 2.0),
    ("by monday", 2.0),
    ("by tuesday", 2.0),
    ("by wednesday", 2.0),
    ("by thursday", 2.0),
    ("by end of", 2.0),
    ("by the end", 1.5),
    ("next week", 1.0),
    ("tomorrow", 0.8),
    ("next step", 1.5),
    ("please send", 1.5),
    ("could you", 1.2),
    ("can you", 1.2),
    ("deadline", 1.5),
    ("waiting for", 1.2),
    ("need from you", 1.5),
    ("let me know", 0.7),
    ("please confirm", 1.5),
    ("schedule", 0.8),
    ("follow up", 1.0),
    ("get back to", 1.0),
    ("send you", 1.0),
    ("send over", 1.0),
];
const HISTORY_CUES: &[(&str, f64)] = &[
    ("agreed", 2.0),
    ("decided", 1.8),
    ("signed", 1.8),
    ("went live", 2.2),
    ("go-live", 1.8),
    ("go live", 1.5),
    ("kick-off", 1.2),
    ("kicked off", 1.5),
    ("since", 0.5),
    ("started", 0.8),
    ("renewed", 2.0),
    ("resolved", 1.0),
    ("fixed", 0.8),
    ("root cause", 1.2),
    ("confirmed", 1.0),
    ("handed over", 1.2),
    ("replaced", 1.0),
    ("contract", 1.0),
    ("notice", 1.0),
    ("retir", 1.2),
    ("new cfo", 2.0),
    ("took over", 1.5),
    ("introduce", 0.8),
    ("proposal", 1.0),
    ("pilot", 1.0),
    ("milestone", 1.0),
];
/// What takes trouble back.
const RELIEF: &[&str] =
    &["no problem", "not a problem", "no risk", "works now", "is fixed", "has been fixed", "resolved", "sorted", "no longer an issue", "no concerns"];

fn cue(text: &str, cues: &[(&str, f64)]) -> f64 {
    let found =
        cues.iter().filter(|(words, _)| text.match_indices(words).any(|(at, _)| at == 0 || !text[..at].ends_with(|c: char| c.is_alphanumeric())));
    // A second cue adds less than the first: long sentences do not win by length.
    let mut worths: Vec<f64> = found.map(|(_, worth)| *worth).collect();
    worths.sort_by(|a, b| b.total_cmp(a));
    worths.iter().zip([1.0, 0.5, 0.25]).map(|(worth, share)| worth * share).sum()
}

pub(super) fn choose(communications: &[Communication]) -> Chosen {
    let mut candidates = candidates(communications);
    weigh_centrality(&mut candidates);
    let newest = communications.last().map_or(Timestamp::UNIX_EPOCH, |c| c.entry.occurred_at);
    let days = |c: &Candidate| newest.duration_since(c.at).as_secs_f64() / 86_400.0;
    let fade = |c: &Candidate, half_life: f64| 0.5_f64.powf(days(c) / half_life);

    let mut taken: Vec<HashSet<String>> = Vec::new();
    let risks = pick(&candidates, RISKS, &mut taken, |c, lower| {
        let worth = cue(lower, RISK_CUES) * if c.side == Some(Side::Customer) { 1.3 } else { 0.6 };
        let relieved = RELIEF.iter().any(|words| lower.contains(words));
        if worth == 0.0 || relieved || is_conditional(lower) { 0.0 } else { (worth + c.central) * fade(c, 90.0) }
    });
    let opportunities = pick(&candidates, OPPORTUNITIES, &mut taken, |c, lower| {
        let worth = cue(lower, OPPORTUNITY_CUES) * if c.side == Some(Side::Customer) { 1.4 } else { 0.3 };
        let negated = lower.contains(" not ") || lower.contains("n't ") || lower.contains("no budget");
        if worth == 0.0 || negated || is_conditional(lower) { 0.0 } else { (worth + c.central) * fade(c, 120.0) }
    });
    let next_actions = pick(&candidates, NEXT_ACTIONS, &mut taken, |c, lower| {
        let worth = cue(lower, ACTION_CUES) + if c.text.trim_end().ends_with('?') { 0.6 } else { 0.0 };
        if worth == 0.0 || is_conditional(lower) { 0.0 } else { (worth + 0.5 * c.central) * fade(c, 14.0) }
    });
    let mut history = history(&candidates, &mut taken);
    history.sort_by_key(|c| c.at);
    Chosen {
        history: history.iter().map(|c| quoted(c, Topic::History)).collect(),
        opportunities: in_time(opportunities, Topic::Opportunities),
        risks: in_time(risks, Topic::Risks),
        next_actions: in_time(next_actions, Topic::NextActions),
    }
}

fn in_time(mut chosen: Vec<&Candidate>, topic: Topic) -> Vec<Sentence> {
    chosen.sort_by_key(|c| c.at);
    chosen.into_iter().map(|c| quoted(c, topic)).collect()
}

/// One telling passage of each part of the history, so that the beginning is told as well as the end.
fn history<'a, 'b>(candidates: &'b [Candidate<'a>], taken: &mut Vec<HashSet<String>>) -> Vec<&'b Candidate<'a>> {
    let (Some(first), Some(last)) = (candidates.iter().map(|c| c.at).min(), candidates.iter().map(|c| c.at).max()) else { return Vec::new() };
    let span = last.duration_since(first).as_secs_f64().max(1.0);
    let part = |c: &Candidate| (((c.at.duration_since(first).as_secs_f64() / span) * HISTORY as f64) as usize).min(HISTORY - 1);
    let mut chosen = Vec::new();
    for wanted in 0..HISTORY {
        chosen.extend(pick(candidates, 1, taken, |c, lower| {
            let worth = cue(lower, HISTORY_CUES);
            if worth == 0.0 || part(c) != wanted || c.text.trim_end().ends_with('?') || is_conditional(lower) { 0.0 } else { worth + c.central }
        }));
    }
    chosen
}

fn is_conditional(lower: &str) -> bool {
    lower.starts_with("if ") || lower.contains(" would have ") || lower.starts_with("unless ")
}

/// The best of a topic, none saying what another already says, at most one of each communication.
fn pick<'a, 'b>(
    candidates: &'b [Candidate<'a>],
    limit: usize,
    taken: &mut Vec<HashSet<String>>,
    worth: impl Fn(&Candidate, &str) -> f64,
) -> Vec<&'b Candidate<'a>> {
    let mut ranked: Vec<(f64, &Candidate)> = candidates
        .iter()
        .map(|c| {
            let lower = c.text.to_lowercase();
            let telling = if lower.chars().any(|ch| ch.is_ascii_digit()) { 0.3 } else { 0.0 };
            let score = worth(c, &lower);
            (if score > 0.0 { score + telling } else { 0.0 }, c)
        })
        .filter(|(score, _)| *score > 0.8)
        .collect();
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| b.1.at.cmp(&a.1.at)).then_with(|| a.1.start.cmp(&b.1.start)));
    let mut chosen: Vec<&Candidate> = Vec::new();
    for (_, candidate) in ranked {
        if chosen.len() == limit {
            break;
        }
        let words: HashSet<String> = candidate.words.iter().cloned().collect();
        let said = taken.iter().any(|other| overlap(other, &words) > SAME);
        let same_source = chosen.iter().any(|c| c.communication.entry.id == candidate.communication.entry.id);
        if !said && !same_source {
            taken.push(words);
            chosen.push(candidate);
        }
    }
    chosen
}

fn overlap(a: &HashSet<String>, b: &HashSet<String>) -> f64 {
    let shared = a.intersection(b).count() as f64;
    shared / (a.len().min(b.len()).max(1) as f64)
}

fn candidates(communications: &[Communication]) -> Vec<Candidate<'_>> {
    let mut candidates = Vec::new();
    for communication in communications {
        let entry = &communication.entry;
        let author = entry.participants.first().and_then(|p| p.name.as_deref().or(p.email.as_deref()));
        for (offset, text) in new_words(&entry.body, &communication.spans) {
            add(&mut candidates, communication, None, offset, text, entry.side, author);
        }
        for (index, segment) in entry.transcript.iter().enumerate() {
            let side = segment.side.or_else(|| side_of(segment.email.as_deref(), entry));
            add(&mut candidates, communication, Some(index), 0, &segment.text, side, segment.speaker.as_deref());
        }
    }
    candidates
}

/// The side of a speaker by the side of the participants: the mail domain that the author's shares.
fn side_of(email: Option<&str>, entry: &crate::domain::Entry) -> Option<Side> {
    let domain = |address: &str| address.rsplit_once('@').map(|(_, d)| d.to_lowercase());
    let (theirs, side) = (domain(email?)?, entry.side?);
    let author = entry.participants.first().and_then(|p| p.email.as_deref()).and_then(domain)?;
    Some(if author == theirs {
        side
    } else if side == Side::Us {
        Side::Customer
    } else {
        Side::Us
    })
}

fn add<'a>(
    candidates: &mut Vec<Candidate<'a>>,
    communication: &'a Communication,
    segment: Option<usize>,
    offset: usize,
    text: &'a str,
    side: Option<Side>,
    speaker: Option<&'a str>,
) {
    for sentence in sentences::split(text) {
        let words: Vec<String> = sentence.text.split(|c: char| !c.is_alphanumeric()).filter(|w| w.len() > 2).map(str::to_lowercase).collect();
        let count = sentence.text.split_whitespace().count();
        // Code, tables and logs read badly: mostly letters is what people write.
        let letters = sentence.text.chars().filter(|c| c.is_alphabetic() || c.is_whitespace()).count();
        let prose = letters * 10 >= sentence.text.chars().count() * 7;
        if (MIN_WORDS..=MAX_WORDS).contains(&count) && prose {
            candidates.push(Candidate {
                communication,
                segment,
                start: offset + sentence.start,
                end: offset + sentence.end,
                text: sentence.text,
                side,
                speaker,
                words,
                at: communication.entry.occurred_at,
                central: 0.0,
            });
        }
    }
}

/// How much a sentence is about what the account talks about: the mean worth of its words, where a word is worth more
/// the more communications use it, up to the third of them that are everywhere (0…1).
fn weigh_centrality(candidates: &mut [Candidate]) {
    let mut spread: HashMap<&str, HashSet<&str>> = HashMap::new();
    for candidate in candidates.iter() {
        for word in &candidate.words {
            spread.entry(word).or_default().insert(&candidate.communication.entry.id);
        }
    }
    let total = candidates.iter().map(|c| c.communication.entry.id.as_str()).collect::<HashSet<_>>().len();
    let worth: HashMap<String, f64> = spread
        .into_iter()
        .map(|(word, ids)| {
            let share = ids.len() as f64 / total.max(1) as f64;
            let everywhere = share > 0.33 && total > 6;
            (word.to_owned(), if ids.len() < 2 || everywhere || word.len() < 4 { 0.0 } else { (ids.len() as f64).ln_1p() / (total as f64).ln_1p() })
        })
        .collect();
    for candidate in candidates {
        let sum: f64 = candidate.words.iter().map(|w| worth.get(w).copied().unwrap_or(0.0)).sum();
        candidate.central = sum / (candidate.words.len().max(4) as f64);
    }
}

/// `On 12 March 2026 Jane Doe wrote: “…”`
fn quoted(candidate: &Candidate, topic: Topic) -> Sentence {
    let entry = &candidate.communication.entry;
    let verb = if candidate.segment.is_some() {
        "said"
    } else if entry.r#type.is_email() {
        "wrote"
    } else {
        "noted"
    };
    let who = candidate.speaker.map_or_else(
        || match candidate.side {
            Some(Side::Customer) => "the customer".to_owned(),
            Some(Side::Us) => "we".to_owned(),
            None => "someone".to_owned(),
        },
        str::to_owned,
    );
    let words = candidate.text.split_whitespace().collect::<Vec<_>>().join(" ");
    let words = words.trim_start_matches(['-', '*', '•', ' ']);
    Sentence {
        text: format!("On {} {who} {verb}: “{words}”", day(candidate.at)),
        topic,
        citations: vec![Citation::Quote {
            entry_id: entry.id.clone(),
            segment: candidate.segment,
            start: candidate.start,
            end: candidate.end,
            quote: candidate.text.to_owned(),
        }],
    }
}
