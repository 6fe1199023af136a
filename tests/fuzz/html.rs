//! Any bytes become shown and hidden text of a length that the page accounts for.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rapport::ingest::{html, text};

fuzz_target!(|bytes: &[u8]| {
    let page = text::decode(bytes);
    let shown = html::read(&page);
    assert!(shown.text.len() <= page.len() * 16 + 4096, "{} bytes from {}", shown.text.len(), page.len());
});
