//! Transcripts: the files of many tools, sides, attaching, correcting.

use std::path::Path;

use rapport::ingest::transcript;
use serde_json::Value;

/// What a careful person reads in each fixture.
#[test]
fn the_files_of_many_tools_are_read_as_a_person_would() {
    let folder = Path::new("fixtures/transcripts");
    let mut wrong = Vec::new();
    let mut files = 0;
    let mut names: Vec<_> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    names.sort();
    for path in names.iter().filter(|p| !p.to_string_lossy().ends_with(".expected.json")) {
        let expected: Value = serde_json::from_slice(&std::fs::read(format!("{}.expected.json", path.display())).unwrap()).unwrap();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        files += 1;
        let wanted: Vec<(Option<&str>, f64, f64, &str)> = expected["segments"]
            .as_array()
            .unwrap()
            .iter()
            .map(|s| (s["speaker"].as_str(), s["start"].as_f64().unwrap_or(-1.0), s["end"].as_f64().unwrap_or(-1.0), s["text"].as_str().unwrap()))
            .collect();
        let read = transcript::read(&std::fs::read(path).unwrap());
        let Ok(read) = read else {
            if !wanted.is_empty() {
                wrong.push(format!("{name}: {}", read.err().unwrap()));
            }
            continue;
        };
        let told: Vec<(Option<&str>, f64, f64, &str)> =
            read.transcript.turns.iter().map(|t| (t.speaker.as_deref(), t.start.unwrap_or(-1.0), t.end.unwrap_or(-1.0), t.text.as_str())).collect();
        if let Some(at) = (0..told.len().max(wanted.len())).find(|&i| told.get(i) != wanted.get(i)) {
            wrong.push(format!(
                "{name}: turn {at} of {}/{}:\n    told   {:?}\n    wanted {:?}",
                told.len(),
                wanted.len(),
                told.get(at),
                wanted.get(at)
            ));
        }
        if let Some(title) = expected["title"].as_str()
            && read.transcript.title.as_deref() != Some(title)
        {
            wrong.push(format!("{name}: title {:?}, wanted {title:?}", read.transcript.title));
        }
        if let Some(at) = expected["occurred_at"].as_str()
            && read.transcript.occurred_at.map(|t| t.to_string()).as_deref() != Some(at)
        {
            wrong.push(format!("{name}: held at {:?}, wanted {at}", read.transcript.occurred_at));
        }
        for person in expected["participants"].as_array().into_iter().flatten() {
            let (name_, email) = (person["name"].as_str(), person["email"].as_str());
            if !read.transcript.people.iter().any(|p| p.name.as_deref() == name_ && p.email.as_deref() == email) {
                wrong.push(format!("{name}: {name_:?} {email:?} is not among {:?}", read.transcript.people));
            }
        }
    }
    assert!(files >= 20 && wrong.is_empty(), "{} of {files} files:\n{}", wrong.len(), wrong.join("\n"));
}
