//! Any bytes become records, each row one or a sentence why not.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rapport::ingest::table;

fuzz_target!(|bytes: &[u8]| {
    let Ok(drafts) = table::read_drafts(bytes, None) else { return };
    let drafts = drafts.count();
    let lines = bytes.iter().filter(|b| matches!(b, b'\n' | b'\r')).count() + 1;
    assert!(drafts <= lines * 2, "{drafts} records from {lines} lines");
});
