//! Which words of a mail are new, on mails that neither rules nor weights have seen.

use std::process::Command;

/// The share of exact mails over all files, as `rapport eval spans` prints it.
fn share(languages: &[&str]) -> f64 {
    let files = languages.iter().map(|language| format!("fixtures/replies/held-out/{language}.jsonl"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_rapport"));
    command.args(["eval", "spans"]).args(files);
    let output = command.output().expect("the program runs");
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let last = printed.lines().last().unwrap_or_default();
    last.split_whitespace().nth(1).and_then(|share| share.parse().ok()).unwrap_or_else(|| panic!("no share in {printed:?}"))
}

#[test]
fn nine_of_ten_replies_are_split_exactly_in_every_group_of_languages() {
    let (six, english) = (share(&["de", "es", "fr", "it", "nl", "pt"]), share(&["en"]));
    assert!(six >= 0.9 && english >= 0.9, "six languages {six}, English {english}");
}
