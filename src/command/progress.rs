//! How far an import has come: a bar with rate and time left on a terminal, nothing elsewhere.

use std::io::IsTerminal;
use std::time::Instant;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::show::number;

/// A bar with rate and time left; nothing where nobody looks.
#[derive(Debug, Clone)]
pub struct Progress {
    pub bar: ProgressBar,
    started: Instant,
}

impl Progress {
    pub fn new(bytes: u64) -> Progress {
        let target = if std::io::stderr().is_terminal() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(bytes), target);
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {bytes}/{total_bytes}  {msg}  {eta} left") {
            bar.set_style(style);
        }
        Progress { bar, started: Instant::now() }
    }

    /// A bar that counts entries down.
    pub fn entries() -> Progress {
        let progress = Progress::new(0);
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}  {eta} left") {
            progress.bar.set_style(style);
        }
        progress
    }

    /// So many are left; the most that ever were is the length of the bar.
    pub fn left(&self, left: u64, done: &'static str) {
        let length = self.bar.length().unwrap_or(0).max(self.bar.position() + left);
        self.bar.set_length(length);
        self.bar.set_position(length - left);
        self.bar.set_message(done);
    }

    /// How many things are in each state, and how fast they come.
    pub fn states(&self, items: u64, states: &[(&str, u64)]) {
        let rate = items as f64 / self.started.elapsed().as_secs_f64().max(0.001);
        let states: Vec<String> = states.iter().filter(|(_, count)| *count > 0).map(|(state, count)| format!("{state} {}", number(*count))).collect();
        self.bar.set_message(format!("{} · {rate:.0}/s", states.join(" · ")));
    }
}

/// The most memory this process has held, in MB, as far as the system tells.
pub fn peak_memory_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().nth(1)).and_then(|n| n.parse::<u64>().ok());
    kilobytes.unwrap_or(0) / 1024
}
