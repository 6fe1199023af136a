//! Broken and hostile files of every source: each costs one sentence with its file and line, and the rest goes on.

use std::io::Write;
use std::path::Path;

const HEAD: &str = "From: ann@acme.example\nTo: jo@us.example\nSubject: Terms\n";
const DATE: &str = "Date: Tue, 3 Feb 2026 09:12:00 +0000\n";

fn packed(begin: &str, then: u8, times: usize) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    packer.write_all(begin.as_bytes()).unwrap();
    packer.write_all(&vec![then; times]).unwrap();
    packer.finish().unwrap()
}

fn latin1(text: &str) -> Vec<u8> {
    text.chars().map(|c| u8::try_from(u32::from(c)).expect("a Latin letter")).collect()
}

fn utf16(text: &str) -> Vec<u8> {
    "\u{feff}".chars().chain(text.chars()).flat_map(|c| u16::try_from(u32::from(c)).expect("in the first plane").to_le_bytes()).collect()
}

fn calendar(events: &[&str]) -> Vec<u8> {
    let events: String = events.iter().map(|event| format!("BEGIN:VEVENT\n{event}\nEND:VEVENT\n")).collect();
    format!("BEGIN:VCALENDAR\nVERSION:2.0\n{events}END:VCALENDAR\n").into_bytes()
}

/// Imports files of these names, with what is to be said of each, and compares; gives what was added and refused.
fn import(files: Vec<(&str, Vec<u8>, &[&str])>) -> (String, Vec<String>) {
    let directory = tempfile::tempdir().unwrap();
    let (folder, data) = (directory.path().join("files"), directory.path().join("data"));
    let mut wanted = Vec::new();
    for (name, bytes, sentences) in files {
        std::fs::create_dir_all(folder.join(name).parent().unwrap()).unwrap();
        std::fs::write(folder.join(name), bytes).unwrap();
        wanted.extend(sentences.iter().map(|sentence| format!("{name}{sentence}")));
    }
    run(&folder, &data, wanted)
}

fn run(folder: &Path, data: &Path, mut wanted: Vec<String>) -> (String, Vec<String>) {
    let mut command = crate::cli::program(data);
    command.arg("import").arg(folder).args(["--us", "us.example", "--discover-accounts", "--data"]).arg(data);
    let output = command.output().expect("the program runs");
    let inside = format!("{}/", folder.display());
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    let mut told: Vec<String> = errors.lines().filter_map(|line| line.strip_prefix(&inside)).map(str::to_owned).collect();
    told.sort();
    wanted.sort();
    assert_eq!(told, wanted, "{errors}");
    assert_eq!(output.status.code(), Some(if told.is_empty() { 0 } else { 3 }), "{errors}");
    (String::from_utf8_lossy(&output.stdout).trim().to_owned(), told)
}

#[test]
fn mail() {
    let cut = "Content-Type: multipart/mixed; boundary=x\n\n--x\nContent-Type: text/plain\n\nThe words before the cut.\n--x\nContent-Type: application/pdf\nContent-Transfer-Encoding: base64\n\nJVBERi0xLjUKJ";
    let (added, _) = import(vec![
        ("truncated.eml", format!("Message-ID: <1@a>\n{HEAD}{DATE}{cut}").into_bytes(), &[]),
        (
            "charset.eml",
            [format!("Message-ID: <2@a>\n{HEAD}{DATE}Content-Type: text/plain; charset=utf-8\n\n").into_bytes(), latin1("Grüße")].concat(),
            &[],
        ),
        ("unknown-charset.eml", format!("Message-ID: <3@a>\n{HEAD}{DATE}Content-Type: text/plain; charset=klingon-8\n\nWords").into_bytes(), &[]),
        ("absurd.eml", format!("Message-ID: <4@a>\n{HEAD}Date: Thu, 99 Foo 123456 99:99:99 +9999\n\nWhen?").into_bytes(), &[]),
        ("far.eml", format!("Message-ID: <5@a>\n{HEAD}Date: Thu, 01 Jan 9999 00:00:00 +0000\n\nWhen?").into_bytes(), &[]),
        ("%2e%2e%2fup.eml", format!("Message-ID: <6@a>\n{HEAD}{DATE}\nNamed oddly.").into_bytes(), &[]),
        ("empty.eml", Vec::new(), &[": the mail is empty"]),
        (
            "picture.png",
            b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec(),
            &[": not a format this reads: a mail, an mbox, a transcript, a calendar, a table, vCards, a chat, or records"],
        ),
        (
            "bomb.mbox.gz",
            packed(&format!("From x Tue Feb  3 09:12:00 2026\nMessage-ID: <7@a>\n{HEAD}{DATE}\n"), b'a', 64 * 1024 * 1024),
            &[
                ":1: the mail has 67108832 bytes; the limit is 26214400",
                ": the file cannot be read on: it unpacks to more than 200 times its size; what came before was taken",
            ],
        ),
    ]);
    assert!(added.starts_with("added 6, ") && added.ends_with("rejected 4"), "{added}");
}

#[test]
fn transcripts() {
    let held = "the transcript does not say when it was held: give occurred_at (--occurred-at 2026-03-12T09:00:00Z)";
    let vtt = "WEBVTT\n\n00:00:01.000 --> 00:00:04.000\n<v Ann Lee>The first turn.\n\n";
    let (added, _) = import(vec![
        ("2026-02-03 truncated.vtt", format!("{vtt}00:00:05.000 --> 00:0").into_bytes(), &[]),
        (
            "2026-02-04 absurd.srt",
            b"1\n99:99:99,999 --> 00:00:00,000\nBackwards.\n\n2\n00:00:05,000 --> 00:00:09,000\nGood.\n".to_vec(),
            &[":2: 362439.999 seconds into the recording: recordings last up to 48 hours"],
        ),
        (
            "2026-02-05 absurd.json",
            br#"{"segments":[{"speaker":"Ann","start":-5,"end":1e300,"text":"Hello"},{"speaker":7,"start":"x","text":["a"]},{"speaker":"Bo","start":9,"end":10,"text":"Good bye"}]}"#.to_vec(),
            &[": turn 0: -5 seconds into the recording: recordings last up to 48 hours"],
        ),
        ("2026-02-06 charset.srt", latin1("1\n00:00:01,000 --> 00:00:04,000\nAnn: Grüße aus Köln\n"), &[]),
        ("2026-02-07 charset.vtt", utf16("WEBVTT\n\n00:00:01.000 --> 00:00:04.000\n<v Ann>Grüße\n"), &[]),
        ("undated.vtt", vtt.as_bytes().to_vec(), &[&format!(": {held}")]),
        ("huge.vtt", format!("WEBVTT\n\n00:00:01.000 --> 00:00:04.000\n{}", "word ".repeat(20_000)).into_bytes(), &[": the transcript holds no words: the cue is longer than 65536 bytes (line 3)"]),
        ("empty.vtt", b"WEBVTT\n".to_vec(), &[": the transcript holds no words: no cue or turn was found in it"]),
        ("cut.json", br#"{"segments":[{"speaker":"Ann","start":0,"text":"Hel"#.to_vec(), &[":1: not JSON: EOF while parsing a string at line 1 column 51"]),
        ("deep.json", "[".repeat(100_000).into_bytes(), &[":1: not JSON: recursion limit exceeded at line 1 column 128"]),
        ("bomb.vtt.gz", packed("WEBVTT\n\n", b'a', 64 * 1024 * 1024), &[": the transcript has 16777217 bytes; the limit is 16777216"]),
    ]);
    assert!(added.starts_with("added 5, "), "{added}");
}

#[test]
fn calendars() {
    let good = "UID:good\nDTSTART:20250303T100000Z\nDTEND:20250303T103000Z\nSUMMARY:Good";
    let (added, _) = import(vec![
        (
            "endless.ics",
            calendar(&[
                "UID:1\nDTSTART:20250301T100000Z\nRRULE:FREQ=SECONDLY",
                "UID:2\nDTSTART:20250301T100000Z\nRRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
                good,
            ]),
            &[":3: the event recurs within an hour (RRULE); meetings recur hourly or less often"],
        ),
        (
            "absurd.ics",
            calendar(&[
                "UID:3\nDTSTART:999990315T090000Z",
                "UID:4\nDTSTART:20250230T990000Z",
                "UID:5\nSUMMARY:No start",
                "UID:6\nDTSTART:20250304T100000Z",
            ]),
            &[
                ":3: the start of the event (DTSTART) is not a date or time",
                ":7: the start of the event (DTSTART) is not a date or time",
                ":11: the event has no start (DTSTART)",
            ],
        ),
        (
            "truncated.ics",
            b"BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:7\nDTSTART:20250305T100000Z\nEND:VEVENT\nBEGIN:VEVENT\nUID:8\nDTST".to_vec(),
            &[":6: the file ends in the middle of the event"],
        ),
        (
            "charset.ics",
            latin1(
                "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:9\nDTSTART:20250306T100000Z\nSUMMARY:Gespräch über Möglichkeiten\nEND:VEVENT\nEND:VCALENDAR\n",
            ),
            &[],
        ),
        ("none.ics", b"BEGIN:VCALENDAR\nEND:VCALENDAR\n".to_vec(), &[": the calendar holds no events"]),
    ]);
    // The yearly event of 30 February never is, nor does the one of every second come.
    assert!(added.starts_with("added 4, "), "{added}");
}

#[test]
fn tables_cards_and_chats() {
    let wide = |cell: &str| (0..100_000).map(|i| format!("{cell}{i}")).collect::<Vec<_>>().join(",");
    let (added, _) = import(vec![
        (
            "unclosed.csv",
            b"Company name,Domain\nOne,one.example\n\"Two,two.example\nThree,three.example\n".to_vec(),
            &[":3: a quote is opened in this row and never closed"],
        ),
        ("wide.csv", format!("{}\n{}\n", wide("c"), wide("x")).into_bytes(), &[": the table has 100000 columns; the limit is 1000"]),
        (
            "wide-row.csv",
            format!("Company name,Domain\n{}\nFour,four.example\n", wide("x")).into_bytes(),
            &[":2: the row has 100000 columns; the limit is 1000"],
        ),
        ("charset.csv", latin1("Company name;Domain\nKöln AG;koeln.example\n"), &[]),
        ("zeros.csv", b"Company name,Domain\nNul\0 AG,nul.example\n\0\0\0\n".to_vec(), &[":3: the row names no company"]),
        (
            "ragged.csv",
            b"First Name,Last Name,Email\nAnn,Lee,ann@acme.example\nBo\nCy,Day,cy@acme.example,more\n,,\nDi,Fox,di@acme.example\n".to_vec(),
            &[":3: nothing says whose this is: no company and no business address", ":4: the row has 4 cells, the header 3; \"more\" has no column"],
        ),
        ("unknown.csv", b"Foo,Bar\n1,2\n".to_vec(), &[": the columns (Foo, Bar) are not recognised: say what they mean with --mapping FILE"]),
        ("book.xlsx", b"PK\x03\x04 a spreadsheet".to_vec(), &[": an archive is not unpacked; unpack it and import the folder"]),
        (
            "bomb.csv.gz",
            packed("Company name,Domain\n", b'a', 64 * 1024 * 1024),
            &[": the file cannot be read on: it unpacks to more than 200 times its size; what came before was taken"],
        ),
        (
            "cut.vcf",
            b"BEGIN:VCARD\nVERSION:3.0\nFN:Ann Lee\nEMAIL:ann@acme.example\nEND:VCARD\nBEGIN:VCARD\nFN:Bo".to_vec(),
            &[":6: the file ends in the middle of the card"],
        ),
        (
            "cut.json",
            br#"[{"type":"message","user":"U1","text":"hello","ts":"17"#.to_vec(),
            &[":1: not JSON: EOF while parsing a string at line 1 column 54"],
        ),
    ]);
    assert!(added.ends_with("rejected 11"), "{added}");
}

#[test]
#[cfg(unix)]
fn folders() {
    let directory = tempfile::tempdir().unwrap();
    let (folder, data) = (directory.path().join("files"), directory.path().join("data"));
    let secret = directory.path().join("secret.eml");
    let mail = |id: &str| format!("Message-ID: <{id}@a>\n{HEAD}{DATE}\nWords of {id}.");
    std::fs::create_dir_all(folder.join("deep/".repeat(200))).unwrap();
    std::fs::write(&secret, mail("1")).unwrap();
    std::fs::write(folder.join("good.eml"), mail("2")).unwrap();
    for (name, target) in [("loop", "."), ("up", ".."), ("out.eml", secret.to_str().unwrap()), ("nowhere.eml", "nowhere")] {
        std::os::unix::fs::symlink(target, folder.join(name)).unwrap();
    }
    let link = |name: &str| format!("{name}: a link is not followed; name what it points to");
    let (added, _) = run(&folder, &data, ["loop", "up", "out.eml", "nowhere.eml"].map(link).to_vec());
    assert!(added.starts_with("added 1, "), "{added}");
    // Named, a way with `..` leads where it leads.
    let (added, _) = run(&folder.join("../secret.eml"), &data, Vec::new());
    assert!(added.starts_with("added 1, "), "{added}");
}
