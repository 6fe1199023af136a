//! Any bytes become segments in order of time, or one sentence why not; chats likewise.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rapport::ingest::{chat, transcript};

fuzz_target!(|bytes: &[u8]| {
    let _ = chat::read(bytes);
    let _ = transcript::read(bytes);
});
