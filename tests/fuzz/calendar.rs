//! Any bytes become meetings up to the horizon, each with an identity of its own, or one sentence why not.
#![no_main]

use std::collections::{BTreeMap, HashSet};

use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use rapport::ingest::calendar::{self, Component, MAX_OCCURRENCES};
use rapport::ingest::card;

fuzz_target!(|bytes: &[u8]| {
    let _ = card::drafts(bytes);
    let Ok(read) = calendar::read(bytes) else { return };
    // Of each occurrence the newest is kept, as the store does.
    let mut series: BTreeMap<String, BTreeMap<String, Component>> = BTreeMap::new();
    for component in read.components {
        let kept = series.entry(component.uid.clone()).or_default();
        if kept.get(&component.recurrence).is_none_or(|other| other.version <= component.version) {
            kept.insert(component.recurrence.clone(), component);
        }
    }
    let until = Timestamp::from_second(1_900_000_000).expect("a moment in range");
    for components in series.into_values() {
        let components: Vec<Component> = components.into_values().collect();
        let (meetings, _) = calendar::meetings(&components, Some("Europe/Berlin"), until);
        assert!(meetings.len() <= MAX_OCCURRENCES + components.len());
        let ids: HashSet<&str> = meetings.iter().map(|meeting| meeting.id.as_str()).collect();
        assert_eq!(ids.len(), meetings.len(), "two meetings of one identity");
    }
});
