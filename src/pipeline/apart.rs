//! Documents of strangers are read by a process of their own, `rapport words`, with limits of time and memory: one that
//! breaks its reader breaks nothing else.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use super::{PipelineError, Result};
use crate::domain::entry::Attachment;

/// More than the process allows itself, should it not be able to.
const AT_MOST: Duration = Duration::from_secs(30);

/// The words of a document; `None` when it holds none, or its reading was cut off by a limit or a fault.
///
/// # Errors
/// When no process can be started.
pub async fn words(program: &Path, about: &Attachment, bytes: Vec<u8>) -> Result<Option<String>> {
    let mut command = Command::new(program);
    command.arg("words");
    for (option, value) in [("--name", &about.name), ("--type", &about.content_type)] {
        // A NUL cannot be passed on, and tells nothing.
        command.args(value.as_ref().map(|value| format!("{option}={}", value.replace('\0', ""))));
    }
    command.env_clear().stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
    let unable = |e: std::io::Error| PipelineError::Refused(format!("{} cannot be started to read an attachment: {e}", program.display()));
    let mut child = command.spawn().map_err(unable)?;
    let mut input = child.stdin.take().expect("it was asked for");
    let fed = async move {
        // It may stop reading early; what it says then counts.
        let _ = input.write_all(&bytes).await;
    };
    let told = tokio::time::timeout(AT_MOST, async { tokio::join!(fed, child.wait_with_output()).1 }).await;
    let Ok(Ok(output)) = told else { return Ok(None) };
    Ok(String::from_utf8(output.stdout).ok().filter(|words| output.status.success() && !words.is_empty()))
}
