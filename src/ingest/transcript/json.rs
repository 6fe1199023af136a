//! The JSON of recording and transcription tools. They agree on little but this: somewhere lies a list of turns, each
//! with words, mostly with a speaker and times. That list is looked for rather than one shape per tool, so that tools
//! nobody has heard of are read as well. The plain list `[{"speaker","start","end","text"}]` is taken row by row.

use std::collections::HashMap;

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::{MAX_TURN, MAX_TURNS, Person, Read, Transcript, check_time, merged, one_line, rounded, speaker_name, turn};
use crate::domain::Address;
use crate::domain::entry::Segment;

const MAX_DEPTH: usize = 8;

type Object = Map<String, Value>;

pub(super) fn read(text: &str) -> Result<Read, String> {
    let value: Value = serde_json::from_str(text).map_err(|e| format!("not JSON: {e}"))?;
    let Some(rows) = rows(&value) else {
        return Err("no list of turns with words was found in the JSON".to_owned());
    };
    let plain = std::ptr::eq(rows, &raw const value) || is_list_under(&value, rows, "transcript");
    let people = People::of(&value);
    let mut refused = Vec::new();
    let mut spoken = Vec::new();
    for (index, row) in list(rows).iter().enumerate() {
        match spoken_in(row, &people, plain) {
            Some(turn) if turn.text.len() > MAX_TURN => refused.push((None, format!("turn {index} is longer than {MAX_TURN} bytes"))),
            Some(turn) if spoken.len() < MAX_TURNS => spoken.push(turn),
            Some(_) => {
                refused.push((None, format!("the transcript has more than {MAX_TURNS} turns; the rest was left out")));
                break;
            }
            None => {}
        }
    }
    if let Some(labels) = value.pointer("/results/speaker_labels/segments") {
        label(&mut spoken, labels);
    }
    if is_words(rows) {
        spoken = sentences(spoken);
    }
    let about = about(&value);
    let length = about.and_then(length);
    scale(&mut spoken, length);
    fill_ends(&mut spoken, length);
    let mut turns = Vec::with_capacity(spoken.len());
    for (index, mut turn) in spoken.into_iter().enumerate() {
        let checked = [turn.start, turn.end].into_iter().flatten().try_for_each(|time| check_time(time).map(drop));
        match checked {
            Ok(()) => {
                turn.start = turn.start.map(rounded);
                turn.end = turn.end.map(|end| rounded(end).max(turn.start.unwrap_or(0.0)));
                turns.push(turn);
            }
            Err(why) => refused.push((None, format!("turn {index}: {why}"))),
        }
    }
    let transcript = Transcript {
        title: about.and_then(|o| text_of(o, &["title", "meeting_title", "meetingTitle", "name", "topic", "subject"])).map(|t| one_line(&t)),
        occurred_at: about.and_then(moment),
        people: people.all,
        turns: merged(turns),
    };
    Ok(Read { transcript, refused })
}

// ---- where the turns are -----------------------------------------------------------------------------------------

/// The list whose rows hold the most words; of lists with the same words the one that also says who spoke, then the
/// outer one.
fn rows(value: &Value) -> Option<&Value> {
    let mut best: Option<(usize, &Value)> = None;
    walk(value, 0, &mut |candidate| {
        let rows = candidate.as_array().map_or(&[] as &[Value], Vec::as_slice);
        let sample = rows.iter().take(200);
        let worded = sample.clone().filter(|row| row.as_object().and_then(words_in).is_some()).count();
        if rows.is_empty() || worded * 2 < rows.len().min(200) || worded == 0 {
            return;
        }
        let spoken = sample.filter(|row| row.as_object().is_some_and(|o| speaker_of(o).is_some())).count();
        let timed = rows.iter().take(200).filter_map(Value::as_object).filter(|o| time_of(o, STARTS, true).is_some()).count();
        let words: usize = rows.iter().filter_map(|row| words_in(row.as_object()?)).map(|text| text.split_whitespace().count()).sum();
        // Who and when are worth more than a few words' difference in how tools join them.
        let worth = |count: usize| if count * 2 >= worded { 3 } else { 2 };
        let score = words * 10 * worth(spoken) * worth(timed) * if is_words(candidate) { 3 } else { 4 };
        if best.is_none_or(|(most, _)| score > most) {
            best = Some((score, candidate));
        }
    });
    best.map(|(_, rows)| rows)
}

fn walk<'a>(value: &'a Value, depth: usize, see: &mut impl FnMut(&'a Value)) {
    if depth > MAX_DEPTH {
        return;
    }
    match value {
        Value::Array(items) => {
            see(value);
            // Rows hold at most their own words: looking into a few is enough to find a list of lists.
            for item in items.iter().take(5) {
                walk(item, depth + 1, see);
            }
        }
        Value::Object(fields) => fields.values().for_each(|field| walk(field, depth + 1, see)),
        _ => {}
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn is_list_under(value: &Value, rows: &Value, name: &str) -> bool {
    value.get(name).is_some_and(|under| std::ptr::eq(under, rows))
}

/// Whether the rows are single words, as recognizers write them beside their sentences.
fn is_words(rows: &Value) -> bool {
    let rows = list(rows);
    rows.len() > 3 && rows.iter().take(200).filter_map(Value::as_object).filter_map(words_in).all(|text| !text.trim().contains(' '))
}

// ---- one turn ----------------------------------------------------------------------------------------------------

fn spoken_in(row: &Value, people: &People, plain: bool) -> Option<Segment> {
    let row = row.as_object()?;
    let words = words_in(row);
    // A plain list is numbered by its rows, so a row without words keeps its place.
    let text = if plain { words.or_else(|| row.get("text")?.as_str().map(str::to_owned))? } else { one_line(&words?) };
    let (label, email) = speaker_of(row).unwrap_or_default();
    let person = people.by_key.get(&label);
    let name = person.and_then(|p| p.name.clone()).or_else(|| (!label.is_empty()).then(|| speaker_name(&label)));
    let mut turn = turn(name, time_of(row, STARTS, true), time_of(row, ENDS, false), text);
    turn.email = email.or_else(|| person.and_then(|p| p.email.clone()));
    if turn.end.is_none()
        && let (Some(start), Some(length)) = (turn.start, number_of(row, &["duration", "length"]))
    {
        turn.end = Some(start + length);
    }
    Some(turn)
}

/// The words of a row: its own, or those of the sentences or words inside it.
fn words_in(row: &Object) -> Option<String> {
    const TEXTS: &[&str] = &["text", "transcript", "sentence", "content", "words", "raw_text", "value", "utterance", "display", "body", "caption"];
    if let Some(text) = TEXTS.iter().filter_map(|name| row.get(*name)?.as_str()).find(|text| !text.trim().is_empty()) {
        return Some(text.to_owned());
    }
    if let Some(best) = row.get("alternatives").and_then(|a| a.get(0)).and_then(Value::as_object) {
        return words_in(best);
    }
    let inner = ["sentences", "elements", "words", "items"].iter().find_map(|name| row.get(*name)?.as_array())?;
    let mut text = String::new();
    for part in inner.iter().filter_map(Value::as_object) {
        let Some(words) = words_in(part) else { continue };
        let glued = is_punctuation(part) || text.is_empty() || words.starts_with(' ');
        if !glued && !text.ends_with(' ') {
            text.push(' ');
        }
        text.push_str(&words);
    }
    (!text.trim().is_empty()).then_some(text)
}

fn is_punctuation(part: &Object) -> bool {
    part.get("type").and_then(Value::as_str).is_some_and(|kind| kind.starts_with("punct"))
}

/// How the row calls its speaker (a name, a label, a number) and, if it says, the address.
fn speaker_of(row: &Object) -> Option<(String, Option<String>)> {
    const SPEAKERS: &[&str] = &[
        "speaker",
        "speaker_name",
        "speakerName",
        "speaker_label",
        "speakerLabel",
        "speakerId",
        "speaker_id",
        "participant",
        "participantName",
        "name",
        "user",
        "users",
        "author",
        "from",
        "channel",
    ];
    let found = SPEAKERS.iter().find_map(|name| row.get(*name).filter(|value| !value.is_null() && value.as_str() != Some("")))?;
    match found {
        Value::String(name) => {
            Some((one_line(name), text_of(row, &["email", "speaker_email", "speakerEmail"]).filter(|e| Address::parse(e).is_some())))
        }
        Value::Number(number) => Some((number.to_string(), None)),
        Value::Object(person) => {
            let email = text_of(person, EMAILS).filter(|e| Address::parse(e).is_some());
            let name = text_of(person, NAMES).or_else(|| email.clone())?;
            Some((one_line(&name), email))
        }
        // Who the recorder heard: several at once are nobody in particular.
        Value::Array(heard) => match &heard[..] {
            [Value::Object(one)] => Some((one_line(&text_of(one, NAMES)?), None)),
            _ => None,
        },
        _ => None,
    }
}

const STARTS: &[&str] = &[
    "start",
    "start_time",
    "startTime",
    "start_timestamp",
    "startTimestamp",
    "start_ms",
    "startMs",
    "begin",
    "begin_time",
    "ts",
    "timestamp",
    "start_offset",
    "offset",
    "time",
    "from",
];
const ENDS: &[&str] = &["end", "end_time", "endTime", "end_timestamp", "endTimestamp", "end_ms", "endMs", "end_ts", "end_offset", "to", "finish"];

/// A time of the row, or of the first or last part inside it.
fn time_of(row: &Object, names: &[&str], first: bool) -> Option<f64> {
    number_of(row, names).or_else(|| {
        let inner = ["sentences", "elements", "words", "items", "alternatives"].iter().find_map(|name| row.get(*name)?.as_array())?;
        let mut parts: Box<dyn Iterator<Item = &Value>> = if first { Box::new(inner.iter()) } else { Box::new(inner.iter().rev()) };
        parts.find_map(|part| number_of(part.as_object()?, names))
    })
}

fn number_of(row: &Object, names: &[&str]) -> Option<f64> {
    names.iter().find_map(|name| match row.get(*name)? {
        Value::Number(number) => {
            let number = number.as_f64()?;
            Some(if name.ends_with("ms") || name.ends_with("Ms") { number / 1000.0 } else { number })
        }
        Value::String(text) => clock(text),
        _ => None,
    })
}

/// `754.2`, `12:34`, `1:02:03.5`, `00:00:04,120`.
fn clock(text: &str) -> Option<f64> {
    let text = text.trim().trim_end_matches('s').replace(',', ".");
    let mut seconds = 0.0;
    let parts: Vec<&str> = text.split(':').collect();
    if parts.len() > 3 {
        return None;
    }
    for part in parts {
        let part: f64 = part.parse().ok().filter(|n: &f64| n.is_finite() && *n >= 0.0)?;
        seconds = seconds * 60.0 + part;
    }
    Some(seconds)
}

/// Times become seconds, whatever they are counted in: seconds, milliseconds, samples, or ticks of 100 ns. The length of
/// the recording tells, or else that nobody is silent for half a minute after each word.
fn scale(turns: &mut [Segment], length: Option<f64>) {
    const UNITS: [f64; 4] = [1.0, 1_000.0, 16_000.0, 10_000_000.0];
    let words: usize = turns.iter().map(|turn| turn.text.split_whitespace().count()).sum();
    let times = || turns.iter().flat_map(|turn| [turn.start, turn.end]).flatten();
    let (first, last) = (times().fold(f64::MAX, f64::min), times().fold(0.0, f64::max));
    if last <= first || times().any(|time| time.fract() != 0.0) {
        return;
    }
    #[expect(clippy::cast_precision_loss, reason = "a rate of words needs no precision")]
    let spoken = |unit: &f64| words as f64 / (last - first) * unit >= 0.033;
    let fits = |unit: &f64| length.is_some_and(|length| (0.3..=1.1).contains(&(last / unit / length)));
    let unit = UNITS.into_iter().find(fits).or_else(|| UNITS.into_iter().find(spoken)).unwrap_or(1.0);
    for turn in turns {
        turn.start = turn.start.map(|t| t / unit);
        turn.end = turn.end.map(|t| t / unit);
    }
}

/// Where only beginnings are written, a turn ends when the next begins, the last one with the recording.
fn fill_ends(turns: &mut [Segment], length: Option<f64>) {
    for at in 0..turns.len() {
        if let (Some(start), None) = (turns[at].start, turns[at].end) {
            let next = turns.get(at + 1).map_or(length, |next| next.start);
            turns[at].end = next.filter(|next| *next >= start);
        }
    }
}

/// Speakers that stand in a list of their own, by the time of each word.
fn label(words: &mut [Segment], segments: &Value) {
    let labels: Vec<(f64, f64, String)> = list(segments)
        .iter()
        .filter_map(Value::as_object)
        .filter_map(|o| Some((number_of(o, STARTS)?, number_of(o, ENDS)?, text_of(o, &["speaker_label"])?)))
        .collect();
    let mut speaking = None;
    for word in words.iter_mut().filter(|word| word.speaker.is_none()) {
        if let Some(start) = word.start {
            let from = labels.partition_point(|(begins, ..)| *begins <= start);
            speaking = from.checked_sub(1).map(|i| &labels[i]).filter(|(_, ends, _)| start <= *ends).map(|(.., label)| label.clone());
        }
        word.speaker = speaking.clone();
    }
}

/// Single words become what one speaker says without a pause.
fn sentences(words: Vec<Segment>) -> Vec<Segment> {
    let mut sentences: Vec<Segment> = Vec::new();
    for word in words {
        let is_punctuation = word.text.chars().all(|c| c.is_ascii_punctuation());
        match sentences.last_mut() {
            Some(last)
                if is_punctuation
                    || (last.speaker == word.speaker
                        && last.text.len() < MAX_TURN / 2
                        && word.start.unwrap_or(0.0) - last.end.or(last.start).unwrap_or(0.0) <= super::SILENCE) =>
            {
                if !is_punctuation {
                    last.text.push(' ');
                }
                last.text.push_str(&word.text);
                last.end = word.end.or(last.end);
            }
            _ => sentences.push(word),
        }
    }
    sentences
}

// ---- who and when ------------------------------------------------------------------------------------------------

const NAMES: &[&str] = &["name", "display_name", "displayName", "full_name", "fullName", "speaker_name", "speakerName", "userName", "username"];
const EMAILS: &[&str] = &["email", "speaker_email", "emailAddress", "email_address", "mail"];

/// The people a file lists, and by which labels its turns call them.
#[derive(Default)]
struct People {
    all: Vec<Person>,
    by_key: HashMap<String, Person>,
}

impl People {
    fn of(value: &Value) -> People {
        const LISTS: &[&str] =
            &["participants", "parties", "speakers", "attendees", "meeting_attendees", "invitees", "calendar_invitees", "people", "users"];
        let mut people = People::default();
        let mut see = |fields: &Object| {
            for name in LISTS {
                for listed in fields.get(*name).and_then(Value::as_array).into_iter().flatten().take(1_000) {
                    people.add(listed);
                }
            }
        };
        objects(value, 0, &mut see);
        people
    }

    fn add(&mut self, listed: &Value) {
        let person = match listed {
            Value::String(text) => match Address::parse(text) {
                Some(address) => Person { name: None, email: Some(address.to_string()) },
                None => Person { name: Some(one_line(text)), email: None },
            },
            Value::Object(fields) => Person {
                name: text_of(fields, NAMES).map(|n| one_line(&n)),
                email: text_of(fields, EMAILS).and_then(|e| Address::parse(&e)).map(|a| a.to_string()),
            },
            _ => return,
        };
        if person.name.is_none() && person.email.is_none() {
            return;
        }
        let keys = ["speakerId", "speaker_id", "id", "speaker", "label", "speaker_label"];
        let labels = listed.as_object().into_iter().flat_map(|fields| keys.iter().filter_map(|key| fields.get(*key)));
        for label in labels {
            let label = match label {
                Value::String(text) => one_line(text),
                Value::Number(number) => number.to_string(),
                _ => continue,
            };
            self.by_key.entry(label).or_insert_with(|| person.clone());
        }
        if let Some(name) = &person.name {
            self.by_key.entry(name.clone()).or_insert_with(|| person.clone());
        }
        if !self.all.contains(&person) {
            self.all.push(person);
        }
    }
}

/// Objects near the top, outermost first.
fn objects<'a>(value: &'a Value, depth: usize, see: &mut impl FnMut(&'a Object)) {
    match value {
        Value::Object(fields) if depth <= 4 => {
            see(fields);
            fields.values().for_each(|field| objects(field, depth + 1, see));
        }
        Value::Array(items) if depth <= 4 => items.iter().take(3).for_each(|item| objects(item, depth + 1, see)),
        _ => {}
    }
}

/// The object that describes the recording: the outermost one with a date or title.
fn about(value: &Value) -> Option<&Object> {
    let mut found = None;
    objects(value, 0, &mut |fields| {
        // A turn has words of its own; what describes the recording has not.
        let describes = fields.values().any(Value::is_array) || fields.values().any(Value::is_object) || found.is_none();
        if found.is_none() && describes && moment(fields).is_some() && fields.get("text").is_none_or(|_| fields.len() > 4) {
            found = Some(fields);
        }
    });
    found.or_else(|| value.as_object())
}

/// How long the recording is, in seconds.
fn length(fields: &Object) -> Option<f64> {
    let between = |from: &str, to: &str| {
        let moment = |name: &str| match fields.get(name)? {
            Value::String(text) => instant(text).map(|at| at.as_second()),
            Value::Number(number) => number.as_i64(),
            _ => None,
        };
        Some((moment(to)? - moment(from)?) as f64)
    };
    let told = between("recording_start_time", "recording_end_time").or_else(|| number_of(fields, &["duration", "duration_seconds"]));
    told.or_else(|| between("start_time", "end_time")).filter(|length| *length > 0.0)
}

/// When the recording began, as a date and time, or as seconds or milliseconds since 1970.
fn moment(fields: &Object) -> Option<Timestamp> {
    const MOMENTS: &[&str] = &[
        "occurred_at",
        "started_at",
        "startedAt",
        "started",
        "start_time",
        "startTime",
        "recording_start",
        "recording_start_time",
        "scheduled_start_time",
        "meeting_date",
        "date",
        "dateString",
        "created_at",
        "createdAt",
        "created",
        "scheduled",
    ];
    MOMENTS.iter().find_map(|name| match fields.get(*name)? {
        Value::String(text) => instant(text),
        Value::Number(number) => {
            let number = number.as_f64()?;
            let seconds = if number > 1e11 { number / 1000.0 } else { number };
            // Small numbers are times within the recording.
            #[expect(clippy::cast_possible_truncation, reason = "between 1990 and 2100")]
            (631_152_000.0..4_102_444_800.0).contains(&seconds).then(|| Timestamp::from_second(seconds as i64).ok())?
        }
        _ => None,
    })
}

/// A date and time with or without zone (then UTC), or a day (then its noon).
fn instant(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    text.parse::<Timestamp>().ok().or_else(|| {
        let utc = |civil: jiff::civil::DateTime| civil.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|zoned| zoned.timestamp());
        match text.parse::<jiff::civil::DateTime>() {
            Ok(civil) if text.len() > 10 => utc(civil),
            _ => text.parse::<jiff::civil::Date>().ok().and_then(|date| utc(date.at(12, 0, 0, 0))),
        }
    })
}

fn text_of(fields: &Object, names: &[&str]) -> Option<String> {
    names.iter().find_map(|name| fields.get(*name)?.as_str()).map(str::to_owned).filter(|text| !text.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(json: &str) -> Vec<(String, f64, f64, String)> {
        let turns = read(json).unwrap().transcript.turns;
        turns.into_iter().map(|t| (t.speaker.unwrap_or_default(), t.start.unwrap_or(-1.0), t.end.unwrap_or(-1.0), t.text)).collect()
    }

    #[test]
    fn a_plain_list_is_taken_row_by_row() {
        let json = r#"[{"speaker":"A","start":0.0,"end":1.2,"text":"Hi  there"},{"speaker":"B","start":1.2,"end":1.2,"text":""},{"speaker":"A","start":1.2,"end":3,"text":"So."}]"#;
        assert_eq!(
            told(json),
            [("A".into(), 0.0, 1.2, "Hi  there".into()), ("B".into(), 1.2, 1.2, String::new()), ("A".into(), 1.2, 3.0, "So.".into())]
        );
    }

    #[test]
    fn a_wrapper_tells_who_and_when() {
        let json = r#"{"title":"Kick-off","date":"2026-03-02T09:00:00Z","participants":[{"name":"Ann Lee","email":"Ann@Acme.example"}],
            "transcript":[{"speaker":"Ann Lee","start":1,"end":2,"text":"Hello"},{"speaker":"Ann Lee","start":2,"end":3,"text":"again"}]}"#;
        let read = read(json).unwrap().transcript;
        assert_eq!((read.title.as_deref(), read.occurred_at.unwrap().to_string().as_str()), (Some("Kick-off"), "2026-03-02T09:00:00Z"));
        assert_eq!(read.turns.len(), 1);
        assert_eq!(read.turns[0].email.as_deref(), Some("ann@acme.example"));
        assert_eq!(read.turns[0].text, "Hello again");
    }

    #[test]
    fn milliseconds_and_speaker_numbers() {
        let json = r#"{"parties":[{"speakerId":"7","name":"Jo","emailAddress":"jo@us.example"}],"callTranscripts":[{"callId":"1","transcript":[
            {"speakerId":"7","topic":null,"sentences":[{"start":4000,"end":5200,"text":"Good morning."},{"start":5200,"end":9000,"text":"Shall we start?"}]},
            {"speakerId":"8","topic":"x","sentences":[{"start":9000,"end":9900,"text":"Yes."}]}]}]}"#;
        assert_eq!(told(json), [("Jo".into(), 4.0, 9.0, "Good morning. Shall we start?".into()), ("Speaker 8".into(), 9.0, 9.9, "Yes.".into())]);
    }

    #[test]
    fn single_words_become_turns() {
        let json = r#"{"results":{"items":[
            {"type":"pronunciation","start_time":"0.5","end_time":"0.9","speaker_label":"spk_0","alternatives":[{"content":"Hello"}]},
            {"type":"punctuation","speaker_label":"spk_0","alternatives":[{"content":","}]},
            {"type":"pronunciation","start_time":"1.0","end_time":"1.4","speaker_label":"spk_0","alternatives":[{"content":"Ann"}]},
            {"type":"pronunciation","start_time":"2.0","end_time":"2.4","speaker_label":"spk_1","alternatives":[{"content":"Hi"}]}]}}"#;
        assert_eq!(told(json), [("spk_0".into(), 0.5, 1.4, "Hello, Ann".into()), ("spk_1".into(), 2.0, 2.4, "Hi".into())]);
    }

    #[test]
    fn json_that_is_something_else_is_refused() {
        for json in ["{}", "[]", "[1]", r#"{"a":[{"b":1}]}"#, "{"] {
            assert!(read(json).is_err(), "{json}");
        }
    }
}
