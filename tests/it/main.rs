//! Behaviour over HTTP and the command line: one spawned app per test, with its own database and index.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails right there")]

mod access;
mod analyze;
mod app;
mod attachments;
mod audit;
mod backup;
mod bring;
mod broken;
mod calendars;
mod chats;
mod cli;
mod damage;
mod database;
mod emails;
mod erase;
mod eval;
mod events;
mod faults;
mod hidden;
mod hostile;
mod http;
mod jobs;
mod kill;
mod load;
mod meaning;
mod migrations;
mod operators;
mod order;
mod readings;
mod records;
mod replicas;
mod replies;
mod retries;
mod search;
mod sources;
mod stories;
mod summary;
mod tables;
mod threads;
mod timeline;
mod transcripts;
mod workspaces;
