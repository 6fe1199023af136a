//! Transcripts of calls and meetings: WebVTT, SRT, and the JSON of recording tools become turns of speakers.

mod cues;
mod json;

use std::sync::LazyLock;

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};

use super::text;
use crate::domain::Address;
use crate::domain::entry::Segment;

/// Larger transcript files are refused; a day of talk is a few megabytes even with a time for each word.
pub const MAX_TRANSCRIPT: usize = 16 * 1024 * 1024;
/// Longer than this no recording runs, in seconds.
const MAX_TIME: f64 = 48.0 * 3600.0;
/// More text in one turn than anybody says, in bytes.
const MAX_TURN: usize = 64 * 1024;
const MAX_TURNS: usize = 100_000;
/// Turns of one speaker are one turn, unless so many seconds of silence lie between them.
const SILENCE: f64 = 30.0;

/// What a transcript file tells.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Transcript {
    pub title: Option<String>,
    pub occurred_at: Option<Timestamp>,
    /// Everyone the file names, speaking or not.
    pub people: Vec<Person>,
    pub turns: Vec<Segment>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    pub name: Option<String>,
    pub email: Option<String>,
}

impl Transcript {
    /// The addresses of everyone in it.
    pub fn addresses(&self) -> Vec<Address> {
        let speakers = self.turns.iter().filter_map(|turn| turn.email.as_deref());
        self.people.iter().filter_map(|person| person.email.as_deref()).chain(speakers).filter_map(Address::parse).collect()
    }
}

/// A transcript with what could not be taken from it: the line, where there is one, and why.
#[derive(Debug)]
pub struct Read {
    pub transcript: Transcript,
    pub refused: Vec<(Option<u64>, String)>,
}

/// Reads a transcript, told apart by content.
///
/// # Errors
/// When the file holds no turn; single bad cues are only left out and listed.
pub fn read(bytes: &[u8]) -> Result<Read, String> {
    if bytes.len() > MAX_TRANSCRIPT {
        return Err(format!("the transcript has {} bytes; the limit is {MAX_TRANSCRIPT}", bytes.len()));
    }
    let text = text::decode(bytes);
    let mut read = if text.trim_start().starts_with(['{', '[']) { json::read(&text)? } else { cues::read(&text) };
    // Some tools name a speaker by address.
    for turn in read.transcript.turns.iter_mut().filter(|turn| turn.email.is_none()) {
        turn.email = turn.speaker.as_deref().and_then(Address::parse).map(|address| address.to_string());
    }
    if read.transcript.turns.is_empty() {
        let why = read.refused.first().map_or("no cue or turn was found in it".to_owned(), |(line, reason)| match line {
            Some(line) => format!("{reason} (line {line})"),
            None => reason.clone(),
        });
        return Err(format!("the transcript holds no words: {why}"));
    }
    Ok(read)
}

/// Whether JSON looks like a transcript rather than a list of records.
pub fn is_json(text: &str) -> bool {
    json::read(text).is_ok_and(|read| !read.transcript.turns.is_empty())
}

impl Transcript {
    /// What identifies it: when it was held and what was said by whom.
    pub fn id(&self, occurred_at: Timestamp) -> String {
        let mut hash = Sha256::new();
        hash.update(occurred_at.as_second().to_le_bytes());
        for turn in &self.turns {
            for text in [turn.speaker.as_deref().unwrap_or_default(), &turn.text] {
                hash.update((text.len() as u64).to_le_bytes());
                hash.update(text);
            }
        }
        let digest = hash.finalize();
        let hex: String = digest[..16].iter().map(|byte| format!("{byte:02x}")).collect();
        format!("transcript.{hex}")
    }

    /// From the first word to the last, in whole seconds; none when the turns carry no times.
    pub fn duration_seconds(&self) -> Option<u64> {
        let end = self.turns.iter().filter_map(|turn| turn.end.or(turn.start)).fold(0.0, f64::max);
        // Bounded by MAX_TIME, so nothing is cut off.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        (end > 0.0).then_some(end.ceil() as u64)
    }

    /// How many people speak, as far as they are told apart.
    pub fn speakers(&self) -> usize {
        let mut names: Vec<&str> = self.turns.iter().filter_map(|turn| turn.speaker.as_deref()).collect();
        names.sort_unstable();
        names.dedup();
        names.len()
    }
}

/// The moment a file's name tells, as recorders write it: `GMT20260312-143022_Recording`, `2026-03-12 Acme.vtt`,
/// `2026-03-12T14-30-22`. A day alone stands for its noon in UTC.
pub fn moment_in_name(name: &str) -> Option<Timestamp> {
    let found = MOMENT.captures(name)?;
    let number = |group: usize| found.get(group).and_then(|m| m.as_str().parse::<i8>().ok());
    let year = found.get(1)?.as_str().parse().ok()?;
    let date = jiff::civil::Date::new(year, number(3)?, number(4)?).ok()?;
    let time = match (number(5), number(6)) {
        (Some(hour), Some(minute)) => jiff::civil::Time::new(hour, minute, number(7).unwrap_or(0), 0).ok()?,
        _ => jiff::civil::time(12, 0, 0, 0),
    };
    date.to_datetime(time).to_zoned(jiff::tz::TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}

/// What a file's name says beside the moment; none when that is all it says.
pub fn title_in_name(name: &str) -> Option<String> {
    let rest = match MOMENT.find(name) {
        Some(moment) => format!("{} {}", &name[..moment.start()], &name[moment.end()..]),
        None => name.to_owned(),
    };
    let title = one_line(rest.trim_matches(|c: char| c.is_whitespace() || matches!(c, '-' | '_' | '.' | ',')));
    (!title.is_empty() && !title.eq_ignore_ascii_case("GMT")).then_some(title)
}

static MOMENT: LazyLock<regex::Regex> = LazyLock::new(|| {
    regex::Regex::new(
        r"(?:^|\D)(20\d\d)([-_.]?)(0[1-9]|1[0-2])[-_.]?([0-2]\d|3[01])(?:[-_ T.]*([01]\d|2[0-3])[-_.:h]?([0-5]\d)(?:[-_.:m]?([0-5]\d))?)?(?:\D|$)",
    )
    .expect("the pattern is a constant")
});

/// A turn before turns of one speaker are joined.
fn turn(speaker: Option<String>, start: Option<f64>, end: Option<f64>, text: String) -> Segment {
    Segment { speaker, email: None, side: None, start, end, text }
}

/// Joins neighbouring turns of one speaker, in order of time. Turns without words are kept apart: they are someone's
/// numbering.
fn merged(turns: Vec<Segment>) -> Vec<Segment> {
    let mut merged: Vec<Segment> = Vec::with_capacity(turns.len());
    for turn in turns {
        if let Some(last) = merged.last_mut()
            // Of unknown speakers nobody can say that they are the same.
            && turn.speaker.is_some()
            && last.speaker == turn.speaker
            && !last.text.is_empty()
            && !turn.text.is_empty()
            && last.text.len() + turn.text.len() < MAX_TURN
            && turn.start.unwrap_or(0.0) - last.end.or(last.start).unwrap_or(0.0) <= SILENCE
        {
            last.text.push(' ');
            last.text.push_str(&turn.text);
            last.end = turn.end.or(last.end);
        } else {
            merged.push(turn);
        }
    }
    merged
}

/// One line of words: inner line breaks and runs of blanks become one blank.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// How a speaker is shown: without what meeting tools add about guests, and a bare number as `Speaker 0`.
fn speaker_name(label: &str) -> String {
    static ADDED: LazyLock<regex::Regex> = LazyLock::new(|| {
        regex::Regex::new(r"(?i)\s*\((external|guest|unverified|host|co-host|organi[sz]er|you|extern|gast|externe|invité|externo|invitado|esterno|ospite|convidado)\)\s*$")
            .expect("the pattern is a constant")
    });
    let name = one_line(&ADDED.replace(label, ""));
    if !name.is_empty() && name.len() < 4 && name.bytes().all(|b| b.is_ascii_digit()) { format!("Speaker {name}") } else { name }
}

/// A time in whole milliseconds, so that what was written `4.2` is read as that.
fn rounded(seconds: f64) -> f64 {
    (seconds * 1000.0).round() / 1000.0
}

fn check_time(seconds: f64) -> Result<f64, String> {
    if (0.0..=MAX_TIME).contains(&seconds) {
        return Ok(rounded(seconds));
    }
    Err(format!("{seconds} seconds into the recording: recordings last up to {} hours", SignedDuration::from_secs_f64(MAX_TIME).as_hours()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_tell_when_it_was() {
        for (name, moment) in [
            ("GMT20260312-143022_Recording.transcript.vtt", Some("2026-03-12T14:30:22Z")),
            ("2026-03-12 Call with Acme.srt", Some("2026-03-12T12:00:00Z")),
            ("acme_2026-03-12T09-05.json", Some("2026-03-12T09:05:00Z")),
            ("20260312.vtt", Some("2026-03-12T12:00:00Z")),
            ("2026-02-31.vtt", None),
            ("call.vtt", None),
            ("ticket-120260312345.vtt", None),
        ] {
            assert_eq!(moment_in_name(name).map(|m| m.to_string()).as_deref(), moment, "{name}");
        }
        assert_eq!(title_in_name("2026-01-20 14.00 Call with Acme").as_deref(), Some("Call with Acme"));
        assert_eq!(title_in_name("acme_2026-03-12T09-05").as_deref(), Some("acme"));
        assert_eq!(title_in_name("20260312"), None);
    }

    #[test]
    fn turns_of_one_speaker_are_joined_but_not_over_a_silence() {
        let say = |who: &str, start: f64, text: &str| turn(Some(who.to_owned()), Some(start), Some(start + 2.0), text.to_owned());
        let merged = merged(vec![say("A", 0.0, "So,"), say("A", 2.0, "um, yes."), say("B", 4.0, "No."), say("B", 60.0, "Well.")]);
        let told: Vec<_> = merged.iter().map(|t| (t.speaker.as_deref().unwrap(), t.start.unwrap(), t.end.unwrap(), t.text.as_str())).collect();
        assert_eq!(told, [("A", 0.0, 4.0, "So, um, yes."), ("B", 4.0, 6.0, "No."), ("B", 60.0, 62.0, "Well.")]);
    }

    #[test]
    fn what_is_no_transcript_says_so() {
        for bytes in [b"".as_slice(), b"WEBVTT\n\n", b"{}", b"[1,2]", b"\xff\xfe\x00", b"hello"] {
            assert!(read(bytes).is_err(), "{bytes:?}");
        }
    }
}
