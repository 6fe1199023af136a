//! The architecture as a test: which stage may name which, where each heavy package lives, and that every file says
//! what it is for.

use std::fs;
use std::path::{Path, PathBuf};

/// The stages in the order of `lib.rs`, each with the earlier ones it may name.
const STAGES: &[(&str, &[&str])] = &[
    ("config", &[]),
    ("domain", &[]),
    ("ingest", &["domain"]),
    ("store", &["domain"]),
    ("index", &["domain"]),
    ("analyse", &["domain", "config"]),
    ("insights", &["domain", "analyse"]),
    ("pipeline", &["config", "domain", "ingest", "store", "index", "analyse", "insights"]),
    ("serve", &["config", "domain", "ingest", "store", "index", "analyse", "insights", "pipeline"]),
];

/// Heavy packages and the one folder that names them, so that swapping one touches one folder.
const HOMES: &[(&str, &str)] = &[
    ("sqlx", "src/store/"),
    ("lz4_flex", "src/store/"),
    ("tantivy", "src/index/"),
    ("rust_stemmers", "src/index/"),
    ("mail_parser", "src/ingest/"),
    ("html2text", "src/ingest/"),
    ("scraper", "src/ingest/"),
    ("ego_tree", "src/ingest/"),
    ("csscolorparser", "src/ingest/"),
    ("calcard", "src/ingest/"),
    ("chrono", "src/ingest/"),
    ("csv", "src/ingest/"),
    ("fasrt", "src/ingest/"),
    ("pdf_extract", "src/ingest/"),
    ("quick_xml", "src/ingest/"),
    ("zip", "src/ingest/"),
    ("chardetng", "src/ingest/"),
    ("encoding_rs", "src/ingest/"),
    ("candle_core", "src/analyse/"),
    ("crossbeam_channel", "src/analyse/"),
    ("lingua", "src/analyse/"),
    ("pulp", "src/analyse/"),
    ("rustix", "src/analyse/"),
    ("tokenizers", "src/analyse/"),
    ("getrandom", "src/pipeline/"),
    ("axum", "src/serve/"),
    ("percent_encoding", "src/serve/"),
    ("http_body_util", "src/serve/"),
    ("hyper", "src/serve/"),
    ("hyper_util", "src/serve/"),
    ("socket2", "src/serve/"),
    ("tower_http", "src/serve/"),
    ("tikv_jemallocator", "src/main.rs"),
    ("clap", "src/command/"),
    ("indicatif", "src/command/"),
    ("reqwest", "src/command/"),
    ("rlimit", "src/command/"),
    ("tempfile", "src/command/"),
];

/// Speaks to the packages themselves, to compare the program with them.
const RIVALS: &str = "src/command/bench/search/rivals.rs";

/// Longest file: beyond it a file is more than one noun.
const MAX_LINES: usize = 650;

fn root() -> PathBuf {
    PathBuf::from(".")
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

fn name(path: &Path) -> String {
    path.strip_prefix(root()).expect("inside the repository").display().to_string()
}

/// Lines of code with their numbers: comments and everything from the unit tests on are left out.
fn code(path: &Path) -> Vec<(usize, String)> {
    let text = fs::read_to_string(path).expect("a readable file");
    let lines = text.lines().enumerate().take_while(|(_, line)| !line.starts_with("#[cfg(test)]"));
    lines.filter(|(_, line)| !line.trim_start().starts_with("//")).map(|(i, line)| (i + 1, line.to_owned())).collect()
}

#[test]
fn a_stage_names_only_stages_it_may_name() {
    let mut faults = Vec::new();
    for (stage, may_name) in STAGES {
        let folder = root().join("src").join(stage);
        let files = if folder.is_dir() { rust_files(&folder) } else { vec![folder.with_extension("rs")] };
        assert!(!files.is_empty(), "{stage} has files");
        for file in files {
            for (line, text) in code(&file) {
                for (other, _) in STAGES.iter().filter(|(other, _)| other != stage && !may_name.contains(other)) {
                    if text.contains(&format!("crate::{other}")) {
                        faults.push(format!("{}:{line}: {stage} may not name {other}", name(&file)));
                    }
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_table_of_contents_is_in_the_order_of_the_stages() {
    let lib = fs::read_to_string(root().join("src/lib.rs")).expect("lib.rs");
    let declared: Vec<&str> = lib.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')).collect();
    let stages: Vec<&str> = STAGES.iter().map(|(stage, _)| *stage).collect();
    assert_eq!(declared, stages);
}

#[test]
fn every_heavy_package_has_one_home() {
    let mut faults = Vec::new();
    for file in rust_files(&root().join("src")) {
        for (line, text) in code(&file) {
            for (package, home) in HOMES {
                let named = text.contains(&format!("{package}::")) || text.contains(&format!("use {package}"));
                if named && !name(&file).starts_with(home) && name(&file) != RIVALS {
                    faults.push(format!("{}:{line}: {package} lives in {home}", name(&file)));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_file_opens_by_saying_what_it_is_for_and_is_one_noun() {
    let mut faults = Vec::new();
    let folders = ["src", "tests"].map(|folder| root().join(folder));
    for file in folders.iter().flat_map(|folder| rust_files(folder)) {
        let text = fs::read_to_string(&file).expect("a readable file");
        if !text.starts_with("//! ") {
            faults.push(format!("{}: the first line does not say what the file is for", name(&file)));
        }
        let lines = text.lines().count();
        if lines > MAX_LINES {
            faults.push(format!("{}: {lines} lines", name(&file)));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_setting_is_in_the_readme() {
    let config = fs::read_to_string(root().join("src/config.rs")).expect("config.rs");
    let readme = fs::read_to_string(root().join("README.md")).expect("README.md");
    let settings: std::collections::BTreeSet<&str> =
        config.split(|c: char| !(c.is_ascii_uppercase() || c == '_')).filter(|word| word.starts_with("RAPPORT_")).collect();
    assert!(settings.len() >= 5);
    for setting in settings {
        assert!(readme.contains(setting), "{setting} is not in the README");
    }
}

#[test]
fn every_promise_names_tests_that_exist() {
    let readme = fs::read_to_string(root().join("README.md")).expect("README.md");
    let table = readme.split("## Promises").nth(1).and_then(|rest| rest.split("\n## ").next()).expect("the table of promises");
    let rows: Vec<&str> = table.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| promise")).collect();
    assert!(rows.len() > 20, "{}", rows.len());
    let mut faults = Vec::new();
    for row in rows {
        let kept_by = row.trim_end_matches('|').rsplit('|').next().unwrap_or_default();
        let mut files = 0;
        for name in kept_by.split('`').skip(1).step_by(2).filter(|name| name.ends_with(".rs")) {
            files += 1;
            let path = if name.contains('/') { root().join(name) } else { root().join("tests/it").join(name) };
            let Ok(text) = fs::read_to_string(&path) else {
                faults.push(format!("{name} is not there: {row}"));
                continue;
            };
            // What follows the file, up to the next one, begins the names of its tests.
            let after = kept_by.split(&format!("`{name}`")).nth(1).and_then(|rest| rest.split('`').next()).unwrap_or_default();
            for test in after.split([' ', ',']).filter(|word| word.contains('_')) {
                if !text.contains(&format!("fn {}", test.trim_end_matches('…'))) {
                    faults.push(format!("{name} has no test {test}: {row}"));
                }
            }
        }
        if files == 0 && !kept_by.contains("./test") {
            faults.push(format!("no test: {row}"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
