//! The `rapport` program: reads the command, opens the parts, runs.

mod command;

use std::process::ExitCode;

fn main() -> ExitCode {
    command::run()
}
