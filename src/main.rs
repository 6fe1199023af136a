//! The `rapport` program: reads the command, opens the parts, runs.

mod command;

use std::process::ExitCode;

/// Many threads take and give back memory of all sizes: the C library's allocator keeps four times what is used.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    command::run()
}
