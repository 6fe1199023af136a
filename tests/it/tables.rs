//! Spreadsheets and exports of CRMs and help desks, as a careful person would read them.

use std::path::PathBuf;

use rapport::ingest::record;
use rapport::ingest::table::{self, Mapping};
use serde_json::{Map, Value, json};

fn exports() -> PathBuf {
    PathBuf::from("fixtures/exports")
}

/// What is wrong with a record against what is expected of it.
fn differences(expected: &Map<String, Value>, found: &Map<String, Value>, company: Option<&table::Company>) -> Vec<String> {
    let mut wrong = Vec::new();
    for (field, wanted) in expected {
        let got = found.get(field).unwrap_or(&Value::Null);
        let text = |value: &Value| value.as_str().map(|s| s.replace("\r\n", "\n").trim().to_owned());
        let fits = match field.as_str() {
            // Which way a mail went is the contract's word, not the export's.
            "type" if wanted == "email" => got.as_str().is_some_and(|g| g.starts_with("email_")),
            _ if *wanted == json!([]) => got.is_null() || got == wanted,
            "kind" | "owner" | "contact" | "id" => true,
            "account" => {
                let company = company.cloned().unwrap_or_default();
                let same = |key: &str, got: &Option<String>| {
                    wanted[key]
                        .as_str()
                        .is_none_or(|w| got.as_deref().is_some_and(|g| g.eq_ignore_ascii_case(w) || (key == "id" && g.starts_with(w))))
                };
                wanted.is_null()
                    || (same("id", &company.id)
                        && same("name", &company.name)
                        && (same("domain", &company.domain) || company.name.is_some() || company.id.is_some()))
            }
            "participants_include" => wanted.as_array().unwrap().iter().all(|w| {
                found["participants"].as_array().is_some_and(|all| {
                    all.iter().any(|p| (w["name"].is_null() || p["name"] == w["name"]) && (w["email"].is_null() || p["email"] == w["email"]))
                })
            }),
            _ if field.ends_with("_contains") => {
                let whole = found.get(field.trim_end_matches("_contains")).map(Value::to_string).unwrap_or_default();
                wanted.as_array().unwrap().iter().all(|w| whole.contains(w.as_str().unwrap()))
            }
            _ if field.ends_with("_excludes") => {
                let whole = found.get(field.trim_end_matches("_excludes")).map(Value::to_string).unwrap_or_default();
                !wanted.as_array().unwrap().iter().any(|w| whole.contains(w.as_str().unwrap()))
            }
            "location" => text(wanted).is_none_or(|w| text(got).is_some_and(|g| g.contains(w.split(',').next().unwrap()))),
            _ if wanted.is_null() => got.is_null() || got == &json!("") || got == &json!([]),
            _ if wanted.is_number() => wanted.as_f64() == got.as_f64(),
            _ if wanted.is_string() && text(wanted).is_some_and(|w| w.len() == 10 && w.starts_with("20")) => {
                text(got).is_some_and(|g| g.starts_with(wanted.as_str().unwrap()))
            }
            "emails" => {
                let lower = |v: &Value| v.as_array().map(|a| a.iter().map(|e| e.as_str().unwrap().to_lowercase()).collect::<Vec<_>>());
                lower(wanted) == lower(got)
            }
            _ => wanted == got || text(wanted).is_some_and(|w| Some(w) == text(got)),
        };
        if !fits {
            wrong.push(format!("{field}: {got}, not {wanted}{}", if field == "account" { format!(" ({company:?})") } else { String::new() }));
        }
    }
    wrong
}

#[test]
fn rows_with_a_name_alone_are_rows_and_reports_about_themselves_are_not() {
    let names = |csv: &str| -> Vec<String> {
        let drafts = table::read_drafts(csv.as_bytes(), None).unwrap();
        drafts.map(|draft| draft.unwrap().record["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names("Name,Domain,City\nAcme,acme.example,Berlin\nBolt SA,,\nCorvo Lda,,\n"), ["Acme", "Bolt SA", "Corvo Lda"]);
    assert_eq!(names("Name,Domain,City\nAcme,,\nTotal,total.example,Paris\n"), ["Acme", "Total"]);
    assert_eq!(names("Name,Domain,Employees\nAcme,acme.example,12\nTotal,,12\n\nTop customers,,\nCopyright 2026 Somebody,,\n"), ["Acme"]);
}

#[test]
fn probabilities_of_a_column_are_all_per_cent_or_none() {
    let csv = "Deal Name,Company,Stage,Amount,Probability\nA,Acme,Open,1,50\nB,Acme,Open,1,1\n";
    let deals = table::read_drafts(csv.as_bytes(), None).unwrap();
    assert_eq!(deals.map(|deal| deal.unwrap().record["probability"].as_f64().unwrap()).collect::<Vec<_>>(), [0.5, 0.01]);
}

#[test]
fn quotes_that_are_opened_again_and_again_end() {
    let csv = format!("Name,Domain\n{}x\",a\"b,\"y\n", "x\",\"\n".repeat(50_000));
    let refused = table::read(csv.as_bytes()).unwrap().refused;
    assert!(refused.len() <= 30 && refused.last().unwrap().1.contains("the rest was left out"), "{refused:?}");
}

#[test]
fn exports_are_read_as_a_person_would() {
    let mut wrong = Vec::new();
    let (mut files, mut records) = (0, 0);
    let mut paths: Vec<_> =
        std::fs::read_dir(exports()).unwrap().map(|e| e.unwrap().path()).filter(|p| p.extension().is_some_and(|e| e == "csv")).collect();
    paths.sort();
    for path in paths {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let expected: Value = serde_json::from_slice(&std::fs::read(format!("{}.expected.json", path.display())).unwrap()).unwrap();
        if expected["kind"] == "chat" {
            continue;
        }
        files += 1;
        let mapping: Option<Mapping> = std::fs::read(path.with_extension("mapping.json")).ok().map(|json| serde_json::from_slice(&json).unwrap());
        let read = table::read(&std::fs::read(&path).unwrap()).unwrap();
        let plan = table::plan(&read.header, mapping.as_ref()).unwrap_or_else(|e| panic!("{name}: {e}"));
        let drafts: Vec<_> = table::drafts(read, plan).collect();
        let found: Vec<_> = drafts.iter().filter_map(|d| d.as_ref().ok()).collect();
        for draft in &found {
            let mut full = draft.record.clone();
            if draft.company.is_some() && full["kind"] != "team_member" && full.get("deleted").is_none() {
                full.insert("account_id".to_owned(), json!("some"));
            }
            if let Err(refused) = record::read(&Value::Object(full).to_string()) {
                wrong.push(format!("{name}:{}: {}", draft.line, refused.reason));
            }
        }
        for wanted in expected["records"].as_array().unwrap() {
            let mut wanted = wanted.as_object().unwrap().clone();
            records += 1;
            if let Some(account) = wanted.remove("account_id") {
                wanted.insert("account".to_owned(), json!({ "id": account }));
            }
            let kind = wanted.get("kind").or(expected.get("kind")).unwrap();
            let keys = ["id", "emails", "name", "name_contains", "subject", "body", "type", "created_at"];
            let matching = found.iter().find(|draft| {
                draft.record["kind"] == *kind
                    && keys.iter().find(|key| wanted.get(**key).is_some_and(|v| !v.is_null() && *v != json!([]))).is_some_and(|key| {
                        let (w, got) = (&wanted[*key], draft.record.get(key.trim_end_matches("_contains")).unwrap_or(&Value::Null));
                        match *key {
                            "emails" => got[0].as_str().is_some_and(|g| w[0].as_str().is_some_and(|w| w.eq_ignore_ascii_case(g))),
                            "name_contains" => got.as_str().is_some_and(|g| g.contains(w[0].as_str().unwrap())),
                            "id" => got.as_str().is_some_and(|g| g.starts_with(w.as_str().unwrap())),
                            "body" => got.as_str().is_some_and(|g| g == w.as_str().unwrap()),
                            "type" => {
                                got == w
                                    && draft.record["occurred_at"].as_str().is_some_and(|at| {
                                        at.starts_with(wanted["occurred_at"].as_str().unwrap_or_default().get(..10).unwrap_or_default())
                                    })
                            }
                            _ => got == w,
                        }
                    })
            });
            match matching {
                Some(draft) => {
                    let differences = differences(&wanted, &draft.record, draft.company.as_ref());
                    wrong.extend(differences.into_iter().map(|d| format!("{name}:{}: {d}", draft.line)));
                }
                None => wrong.push(format!("{name}: missing {}", Value::Object(wanted))),
            }
        }
        for draft in &found {
            let text = Value::Object(draft.record.clone()).to_string();
            for absent in ["absent_ids", "absent_names", "absent_texts"].iter().flat_map(|k| expected[*k].as_array().into_iter().flatten()) {
                if text.contains(absent.as_str().unwrap()) && draft.record.get("deleted").is_none() {
                    wrong.push(format!("{name}:{}: {absent} should not be there", draft.line));
                }
            }
        }
    }
    assert!(files >= 20 && records > 100, "{files} files, {records} records");
    assert!(wrong.is_empty(), "{} differences in {records} records of {files} files:\n{}", wrong.len(), wrong.join("\n"));
}
