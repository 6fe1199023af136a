//! What an import could not take: kept beside the data until it is taken after all.

use std::collections::HashSet;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::{Deserialize, Serialize};

use super::read::At;

/// One thing that was rejected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejected {
    file: PathBuf,
    line: Option<u64>,
    reason: String,
}

impl Rejected {
    pub fn new(at: &At, reason: String) -> Rejected {
        let file = PathBuf::from(&*at.file);
        Rejected { file: std::path::absolute(&file).unwrap_or(file), line: at.line, reason }
    }
}

impl std::fmt::Display for Rejected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.file.display(), self.reason),
            None => write!(f, "{}: {}", self.file.display(), self.reason),
        }
    }
}

fn path(data: &Path, workspace: &str) -> PathBuf {
    // One file for each workspace, whatever is in its name.
    let safe: String =
        workspace.bytes().map(|b| if b.is_ascii_alphanumeric() || b == b'-' { char::from(b).to_string() } else { format!("%{b:02x}") }).collect();
    data.join(format!("rejected-{safe}.ndjson"))
}

/// What was rejected before and not taken since.
pub fn read(data: &Path, workspace: &str) -> anyhow::Result<Vec<Rejected>> {
    let path = path(data, workspace);
    let Ok(lines) = std::fs::read_to_string(&path) else { return Ok(Vec::new()) };
    lines.lines().map(|line| serde_json::from_str(line).with_context(|| format!("reading {}", path.display()))).collect()
}

/// The files in which something was rejected, as far as they are still there.
pub fn files(kept: &[Rejected]) -> Vec<PathBuf> {
    let mut seen = HashSet::new();
    kept.iter().map(|rejected| rejected.file.clone()).filter(|file| seen.insert(file.clone()) && file.exists()).collect()
}

/// Keeps what was rejected now in the place of what was said about the same files before.
pub fn keep(data: &Path, workspace: &str, before: Vec<Rejected>, taken_again: &[PathBuf], now: &[Rejected]) -> anyhow::Result<()> {
    let again: HashSet<PathBuf> = taken_again.iter().map(|file| std::path::absolute(file).unwrap_or_else(|_| file.clone())).collect();
    let was_empty = before.is_empty();
    let kept: Vec<Rejected> = before.into_iter().filter(|rejected| !again.contains(&rejected.file)).chain(now.iter().cloned()).collect();
    let path = path(data, workspace);
    if kept.is_empty() {
        return if was_empty { Ok(()) } else { std::fs::remove_file(&path).with_context(|| format!("removing {}", path.display())) };
    }
    let unfinished = path.with_extension("new");
    let mut file = std::fs::File::create(&unfinished).with_context(|| format!("writing {}", unfinished.display()))?;
    for rejected in &kept {
        writeln!(file, "{}", serde_json::to_string(rejected)?)?;
    }
    file.sync_all()?;
    std::fs::rename(&unfinished, &path).with_context(|| format!("writing {}", path.display()))
}
