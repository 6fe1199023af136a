//! `rapport words`: the words of one document on standard input. The service runs it for each document, apart from
//! itself: what breaks or floods the reader ends this process and no other.

use std::io::{Read, Write};

use anyhow::{Context, anyhow};
use clap::Args;
use rapport::ingest::attachment::{self, MAX_ATTACHMENT};

use super::Outcome;

/// Address space; a document of the largest size takes some hundred megabytes.
#[cfg(unix)]
const MEMORY: u64 = 1024 * 1024 * 1024;
#[cfg(unix)]
const SECONDS: u64 = 15;
/// Deeply nested documents need more room than usual.
const STACK: usize = 64 * 1024 * 1024;

#[derive(Debug, Args)]
pub struct Options {
    /// The document's file name
    #[arg(long)]
    name: Option<String>,
    /// Its media type
    #[arg(long = "type")]
    content_type: Option<String>,
}

pub fn run(options: Options) -> Outcome {
    #[cfg(unix)]
    for (resource, limit) in [(rlimit::Resource::AS, MEMORY), (rlimit::Resource::CPU, SECONDS), (rlimit::Resource::CORE, 0)] {
        // Some systems do not know each of them; the others hold.
        let _ = resource.set(limit, limit);
    }
    let mut bytes = Vec::new();
    std::io::stdin().take(MAX_ATTACHMENT as u64 + 1).read_to_end(&mut bytes).context("reading standard input")?;
    let read = move || attachment::words(options.name.as_deref(), options.content_type.as_deref(), &bytes);
    let reader = std::thread::Builder::new().stack_size(STACK).spawn(read).context("starting a thread")?;
    let words = reader.join().map_err(|_| anyhow!("the document broke its reader"))?;
    std::io::stdout().write_all(words.unwrap_or_default().as_bytes()).context("writing the words")?;
    Ok(())
}
