//! Any bytes become records, each row one or a sentence why not.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rapport::ingest::table;

fuzz_target!(|bytes: &[u8]| {
    let Ok(drafts) = table::read_drafts(bytes, None) else { return };
    let lines = bytes.iter().filter(|b| matches!(b, b'\n' | b'\r')).count() + 1;
    assert!(drafts.len() <= lines * 2, "{} records from {lines} lines", drafts.len());
});
