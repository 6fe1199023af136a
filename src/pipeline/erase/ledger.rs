//! The ledger of erasures: a file beside the database, so that a backup put in the database's place does not bring
//! anybody back.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::super::{PipelineError, Result};

/// One erasure, without anything that tells who it was.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Line {
    pub workspace: String,
    pub id: String,
    pub erased_at: Timestamp,
    pub marks: Vec<String>,
}

fn path(data: &Path) -> PathBuf {
    data.join("erasures.ndjson")
}

/// Adds a line, unless it is there, and returns once it is durable.
pub(super) fn add(data: &Path, line: &Line) -> Result<()> {
    if read(data)?.iter().any(|known| known.id == line.id) {
        return Ok(());
    }
    let failed = |e: std::io::Error| PipelineError::Stopped(format!("{}: {e}", path(data).display()));
    let mut file = OpenOptions::new().create(true).append(true).open(path(data)).map_err(failed)?;
    let json = serde_json::to_string(line).expect("a line is plain text");
    // A line that was cut short by a crash ends here.
    file.write_all(format!("\n{json}\n").as_bytes()).map_err(failed)?;
    file.sync_all().map_err(failed)
}

/// Adds all of these.
///
/// # Errors
/// When the file cannot be written.
pub fn note(data: &Path, lines: &[Line]) -> Result<()> {
    lines.iter().try_for_each(|line| add(data, line))
}

/// Every erasure that was ever noted; a line cut short by a crash is left out, as its job comes again.
///
/// # Errors
/// When the file is there and cannot be read.
pub fn read(data: &Path) -> Result<Vec<Line>> {
    let mut text = String::new();
    match File::open(path(data)) {
        Ok(mut file) => file.read_to_string(&mut text).map_err(|e| PipelineError::Stopped(format!("{}: {e}", path(data).display())))?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(PipelineError::Stopped(format!("{}: {error}", path(data).display()))),
    };
    let lines = text.lines().filter_map(|line| serde_json::from_str::<Line>(line).ok());
    let by_id: BTreeMap<String, Line> = lines.map(|line| (line.id.clone(), line)).collect();
    Ok(by_id.into_values().collect())
}
