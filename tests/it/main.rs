//! Behaviour over HTTP and the command line: one spawned app per test, with its own database and index.

mod app;
mod cli;
mod emails;
mod events;
mod http;
mod kill;
mod migrations;
mod order;
mod records;
mod search;
mod stories;
mod summary;
mod timeline;
