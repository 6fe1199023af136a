//! Cues of WebVTT and SRT: a line of times, then lines of words. One reader for both, as tools mix them.

use std::collections::HashMap;
use std::sync::LazyLock;

use fasrt::vtt::cue::{CueParser, CueToken, Tag};
use regex::Regex;

use super::{MAX_TIME, MAX_TURN, MAX_TURNS, Read, Transcript, check_time, merged, one_line, speaker_name, turn};
use crate::domain::entry::Segment;

static TIMES: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^\s*(?:(\d{1,9}):)?(\d{1,3}):(\d{1,2})(?:[.,](\d{1,6}))?\s*-{1,2}>\s*(?:(\d{1,9}):)?(\d{1,3}):(\d{1,2})(?:[.,](\d{1,6}))?(?:\s.*)?$")
        .expect("the pattern is a constant")
});

/// Cues as written, before anyone says who speaks.
struct Cue {
    start: f64,
    end: f64,
    /// A speaker that the cue itself names, and the words.
    said: Vec<(Option<String>, String)>,
}

pub(super) fn read(text: &str) -> Read {
    let mut refused = Vec::new();
    let mut cues = cues_of(text, &mut refused);
    // Overlapping talk is written in any order.
    cues.sort_by(|a, b| a.start.total_cmp(&b.start));
    let turns = merged(named(cues));
    Read { transcript: Transcript { turns, ..Transcript::default() }, refused }
}

fn cues_of(text: &str, refused: &mut Vec<(Option<u64>, String)>) -> Vec<Cue> {
    let lines: Vec<&str> = text.split('\n').collect();
    let mut cues: Vec<Cue> = Vec::new();
    let mut shown = String::new();
    let mut at = 0;
    while at < lines.len() {
        let Some(times) = TIMES.captures(lines[at]) else {
            if lines[at].contains("-->") {
                refused.push((Some(at as u64 + 1), "the times of the cue cannot be read".to_owned()));
            }
            at += 1;
            continue;
        };
        let line = at as u64 + 1;
        let id = at.checked_sub(1).map_or("", |before| lines[before]);
        let first = at + 1;
        at = first;
        while at < lines.len() && !TIMES.is_match(lines[at]) && !(lines[at].trim().is_empty() && ends_cue(&lines, at)) {
            at += 1;
        }
        let mut last = at;
        // Without a blank line between them, the next cue's number is the last line of this one.
        if at < lines.len() && !lines[at].trim().is_empty() && last > first && lines[last - 1].trim().bytes().all(|b| b.is_ascii_digit()) {
            last -= 1;
        }
        let words: Vec<&str> = lines[first..last].iter().map(|l| l.trim()).filter(|l| !l.is_empty()).collect();
        match (check_time(seconds(&times, 1)), check_time(seconds(&times, 5))) {
            (Ok(start), Ok(end)) if words.iter().map(|w| w.len()).sum::<usize>() <= MAX_TURN && cues.len() < MAX_TURNS => {
                let said = said(&words, id, &mut shown);
                if !said.is_empty() {
                    cues.push(Cue { start, end: end.max(start), said });
                }
            }
            (Ok(_), Ok(_)) if cues.len() < MAX_TURNS => refused.push((Some(line), format!("the cue is longer than {MAX_TURN} bytes"))),
            (Ok(_), Ok(_)) => {
                refused.push((Some(line), format!("the transcript has more than {MAX_TURNS} cues; the rest was left out")));
                break;
            }
            (Err(why), _) | (_, Err(why)) => refused.push((Some(line), why)),
        }
    }
    cues
}

/// Whether the blank line at `at` ends a cue: some tools put blank lines inside, but then no cue follows.
fn ends_cue(lines: &[&str], at: usize) -> bool {
    let next = lines[at..].iter().take(200).position(|line| !line.trim().is_empty()).map(|skip| at + skip);
    next.is_none_or(|next| {
        let starts = |i: usize| lines.get(i).is_some_and(|line| TIMES.is_match(line) || line.starts_with("NOTE"));
        starts(next) || starts(next + 1) || lines[at].is_empty()
    })
}

/// Hours, minutes, seconds and a fraction, from this group of the times on.
fn seconds(times: &regex::Captures, group: usize) -> f64 {
    let number = |g: usize| times.get(g).and_then(|m| m.as_str().parse::<f64>().ok()).unwrap_or(0.0);
    let fraction = times.get(group + 3).and_then(|m| format!("0.{}", m.as_str()).parse::<f64>().ok()).unwrap_or(0.0);
    (number(group) * 3600.0 + number(group + 1) * 60.0 + number(group + 2) + fraction).min(MAX_TIME * 1e6)
}

/// The words of one cue with the speakers it names in voice tags or, as one tool does, in the cue's name.
fn said(lines: &[&str], id: &str, shown: &mut String) -> Vec<(Option<String>, String)> {
    static NAMED_CUE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r#"^\d+\s+"([^"]{1,80})""#).expect("the pattern is a constant"));
    let mut said: Vec<(Option<String>, String)> = Vec::new();
    let mut speaker = NAMED_CUE.captures(id).map(|c| c[1].to_owned());
    let rolling = lines.iter().any(|line| line.contains("<c>") || line.contains("<c."));
    for line in lines {
        let line = &literal(line);
        let mut plain = String::new();
        let mut stretches: Vec<(Option<String>, String)> = Vec::new();
        let mut push = |speaker: &Option<String>, words: &str| match stretches.last_mut() {
            Some((who, text)) if who == speaker => text.push_str(words),
            _ => stretches.push((speaker.clone(), words.to_owned())),
        };
        for token in CueParser::new(line) {
            match token {
                CueToken::Text(words) => {
                    let words = untagged(words.normalize());
                    plain.push_str(&words);
                    push(&speaker, &words);
                }
                CueToken::StartTag { tag: Tag::Voice, annotation, .. } => {
                    speaker = annotation.map(|a| speaker_name(a.normalize())).filter(|name| !name.is_empty());
                }
                CueToken::EndTag(Tag::Voice) => speaker = None,
                _ => {}
            }
        }
        // Rolling captions show the last line again above the new one.
        let plain = one_line(&plain);
        let again = plain == *shown && (rolling || lines.len() > 1 || said.is_empty()) && !plain.is_empty();
        if again {
            continue;
        }
        *shown = plain;
        for (who, words) in stretches {
            let words = one_line(&words);
            match said.last_mut() {
                Some((last, text)) if *last == who && !words.is_empty() => {
                    text.push('\n');
                    text.push_str(&words);
                }
                _ if !words.is_empty() => said.push((who, words)),
                _ => {}
            }
        }
    }
    said
}

/// Without the markup that SRT files carry over from other formats.
fn untagged(text: &str) -> String {
    static TAG: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?i)</?(i|b|u|s|font|em|strong|span|br)(\s[^<>]{0,100})?/?>|\{\\[^{}]{1,30}\}").expect("the pattern is a constant")
    });
    TAG.replace_all(text, "").into_owned()
}

/// A `<` that opens no tag is a word (`< 50 users`), a `<br>` is a blank.
fn literal(line: &str) -> String {
    static BREAK: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"(?i)<br\s*/?>").expect("the pattern is a constant"));
    let line = &*BREAK.replace_all(line, " ");
    let mut literal = String::with_capacity(line.len());
    for (at, c) in line.char_indices() {
        let opens = || line[at + 1..].starts_with(|c: char| c.is_ascii_alphanumeric() || c == '/') && line[at..].contains('>');
        if c == '<' && !opens() { literal.push_str("&lt;") } else { literal.push(c) }
    }
    literal
}

// ---- speakers written into the words -----------------------------------------------------------------------------

/// `Jane Doe: words`, `[Jane]: words`, `>> JANE: words`, `- Jane: words`; `(Jane)` alone on the line before the words.
static LABEL: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?x)^(?: >>+\s* | [-–—]\s+ )?
        (?: \[([^\[\]]{1,60})\]\s*:? (?:\s+|$) | \(([^()]{1,60})\)\s* (?: :\s+ | $ ) | ([\p{L}\d+][^:\[\]<>?!;]{0,59}?)\s* : \s+ ) (.*)$",
    )
    .expect("the pattern is a constant")
});

/// What captions write in brackets for sounds.
const SOUNDS: &[&str] = &[
    "music",
    "applause",
    "laughter",
    "laughs",
    "silence",
    "inaudible",
    "crosstalk",
    "noise",
    "unintelligible",
    "pause",
    "musik",
    "applaus",
    "musique",
];

/// Turns, each with its speaker. Whether `Word: …` names a speaker is decided over the whole file: names recur, or
/// nearly every cue has one; a sentence with a colon does neither.
fn named(cues: Vec<Cue>) -> Vec<Segment> {
    let mut times: HashMap<String, usize> = HashMap::new();
    let mut lines = 0;
    for line in cues.iter().flat_map(|cue| &cue.said).flat_map(|(_, text)| text.split('\n')) {
        lines += 1;
        if let Some((name, _)) = label(line) {
            *times.entry(name).or_default() += 1;
        }
    }
    let labelled: usize = times.values().sum();
    let usual = labelled * 2 >= cues.len().max(1);
    let is_speaker = |name: &str| usual || (times.get(name).copied().unwrap_or(0) >= 2 && labelled * 12 >= lines);
    let mut turns = Vec::new();
    let mut speaking: Option<String> = None;
    for cue in cues {
        let mut stretches: Vec<(Option<String>, String)> = Vec::new();
        for (voice, text) in cue.said {
            for line in text.split('\n').filter(|line| line.contains(char::is_alphanumeric)) {
                let named = if voice.is_none() { label(line).filter(|(name, _)| is_speaker(name)) } else { None };
                let (who, words) = match (&voice, named) {
                    (Some(voice), _) => (Some(voice.clone()), line.to_owned()),
                    (None, Some((name, words))) => (Some(name), words),
                    // Who was named last goes on until the next is named.
                    (None, None) => (stretches.last().map_or_else(|| speaking.clone(), |(who, _)| who.clone()), line.to_owned()),
                };
                speaking = if voice.is_some() { None } else { who.clone() };
                match stretches.last_mut() {
                    Some((last, text)) if *last == who => {
                        text.push(' ');
                        text.push_str(&words);
                    }
                    _ => stretches.push((who, words)),
                }
            }
        }
        // Several speakers in one cue: nobody says when within it each of them spoke.
        for (who, words) in stretches.iter().filter(|(_, words)| !words.trim().is_empty()) {
            turns.push(turn(who.clone(), Some(cue.start), Some(cue.end), one_line(words)));
        }
    }
    turns
}

/// The name before the words, if the line begins with what could be one.
fn label(line: &str) -> Option<(String, String)> {
    let found = LABEL.captures(line)?;
    let name = speaker_name((1..=3).find_map(|g| found.get(g))?.as_str());
    let letters = name.chars().any(char::is_alphabetic) || name.chars().filter(char::is_ascii_digit).count() >= 7;
    let short = name.split_whitespace().count() <= 5;
    let capital = name.chars().next().is_some_and(|c| !c.is_lowercase());
    // `[anna]: yes` names somebody, `[door slams] yes` a sound.
    let called = line.contains("]:") || line.contains("):");
    let sound = SOUNDS.contains(&name.to_lowercase().as_str());
    (letters && short && !sound && (capital || called)).then(|| (name, found[4].to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Vec<(String, f64, f64, String)> {
        let turns = read(text).transcript.turns;
        turns.into_iter().map(|t| (t.speaker.unwrap_or_default(), t.start.unwrap(), t.end.unwrap(), t.text)).collect()
    }

    #[test]
    fn names_before_the_words() {
        let zoom = "WEBVTT\n\n1\n00:00:01.000 --> 00:00:03.500\nAnn Lee: Hi Jo, um, thanks for\nthe time.\n\n2\n00:00:03.500 --> 00:00:05.000\nAnn Lee: One thing: the price.\n\n3\n00:00:05.000 --> 00:00:07.000\nJo Park: Sure.\n";
        assert_eq!(
            told(zoom),
            [
                ("Ann Lee".into(), 1.0, 5.0, "Hi Jo, um, thanks for the time. One thing: the price.".into()),
                ("Jo Park".into(), 5.0, 7.0, "Sure.".into())
            ]
        );
    }

    #[test]
    fn voice_tags_and_entities() {
        let teams = "WEBVTT\n\n00:00:00.000 --> 00:00:02.000\n<v Ann Lee>R&amp;D said\nyes.</v>\n\n00:00:02.000 --> 00:00:04.000\n<v Jo>Ok</v> <v Ann Lee>Good</v>\n";
        assert_eq!(
            told(teams),
            [("Ann Lee".into(), 0.0, 2.0, "R&D said yes.".into()), ("Jo".into(), 2.0, 4.0, "Ok".into()), ("Ann Lee".into(), 2.0, 4.0, "Good".into())]
        );
    }

    #[test]
    fn a_colon_alone_names_nobody() {
        let cue = |n: usize, text: &str| format!("{n}\n00:00:{n:02},000 --> 00:00:{:02},000\n{text}\n\n", n + 1);
        let text: String = ["we have two options", "Note: this is urgent", "and the second", "is cheaper", "we said so", "twice", "already", "yes"]
            .iter()
            .enumerate()
            .map(|(i, t)| cue(i, t))
            .collect();
        let told = told(&text);
        assert!(told.len() == 8 && told.iter().all(|t| t.0.is_empty()) && told[1].3 == "Note: this is urgent", "{told:?}");
    }

    #[test]
    fn dirty_srt_is_read_as_far_as_it_goes() {
        let text = "00:00:05,000 --> 00:00:06,000\n<i>second</i>\n\n7\n0:00:01,5 --> 0:00:02\n[ANN]: first\n8\n00:00:09,000 --> 99999:00:00,000\nlost\n\nbad --> line\n\n00:00:20,000 --> 00:00:18,000\n[ANN]: third\n";
        let read = read(text);
        assert_eq!(read.refused.len(), 2, "{:?}", read.refused);
        let told: Vec<_> = read.transcript.turns.iter().map(|t| (t.speaker.as_deref(), t.text.as_str(), t.start, t.end)).collect();
        assert_eq!(told, [(Some("ANN"), "first second third", Some(1.5), Some(20.0))]);
    }
}
