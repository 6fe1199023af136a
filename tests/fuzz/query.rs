//! Any text becomes a query or one sentence why not; a query says itself, and an index answers it.
#![no_main]

use std::sync::OnceLock;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use libfuzzer_sys::fuzz_target;
use rapport::domain::Entry;
use rapport::domain::entry::EntryType;
use rapport::domain::span::{Span, SpanKind};
use rapport::index::document::Document;
use rapport::index::query::{MAX_LENGTH, parse};
use rapport::index::search::Order;
use rapport::index::write::Change;
use rapport::index::{Index, Request, Writer};

fuzz_target!(|text: &str| {
    static INDEX: OnceLock<Index> = OnceLock::new();
    let index = INDEX.get_or_init(filled);
    let now = Timestamp::from_second(1_790_000_000).expect("a moment in range").to_zoned(TimeZone::UTC);
    match parse(text, &now) {
        Err(refused) => assert!(refused.position <= text.chars().count(), "{refused} points behind the end"),
        Ok(query) => {
            assert!(text.len() <= MAX_LENGTH && !query.to_string().is_empty());
            for order in [Order::Newest, Order::Relevance] {
                let results = index.search(&Request { order, ..Request::newest(query.clone(), 10) }).expect("an answer");
                assert!(results.total <= 20 && results.found.len() as u64 == results.total.min(10));
                let _ = query.marks(&results.meant);
            }
        }
    }
});

/// Twenty notes in a folder of its own.
fn filled() -> Index {
    let folder = std::env::temp_dir().join(format!("rapport-fuzz-query-{}", std::process::id()));
    let index = Index::create(&folder).expect("a new index");
    let mut writer = Writer::new(&index, "fuzz", 15_000_000).expect("its writer");
    let note = |number: i64| {
        let at = Timestamp::from_second(1_700_000_000 + number * 86_400).expect("a moment in range");
        let mut entry = Entry::new(format!("n{number}"), EntryType::Note, at);
        entry.subject = Some("renewal price list".to_owned());
        entry.body = format!("They want a discount on the second scanner, number {number}. 価格表 Grüße");
        let spans = [Span::new(SpanKind::New, 0, entry.body.chars().count())];
        Change::Add(Box::new(Document::of(number, 1 + number % 2, &entry, &spans, &[], None)))
    };
    writer.apply((1..=20).map(note).collect()).expect("they are taken");
    writer.commit(1).expect("they are kept");
    writer.finish().expect("the writer ends");
    index.reload().expect("they show");
    index
}
