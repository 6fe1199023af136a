//! Any bytes become a mail whose spans lie in its body in order, the same each time, as one message and as an mbox.
#![no_main]

use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use rapport::ingest::mailbox::Mbox;
use rapport::ingest::{attachment, email};

fuzz_target!(
    // The parser's own panics are caught and the mail read by its headers; what comes through ends the run.
    init: std::panic::set_hook(Box::new(|panic| {
        if panic.location().is_none_or(|place| !place.file().contains("/registry/")) {
            eprintln!("{panic}");
        }
    })),
    |bytes: &[u8]| {
        for item in Mbox::new(bytes) {
            let _ = item.expect("memory can be read");
        }
        let _ = email::written_at(bytes);
        let Ok(mail) = email::parse(bytes, Timestamp::UNIX_EPOCH) else { return };
        let characters = mail.entry.body.chars().count();
        let mut at = 0;
        for span in &mail.spans {
            assert!(at <= span.start && span.start < span.end && span.end <= characters, "{span:?} of {characters} after {at}");
            at = span.end;
        }
        for index in 0..mail.entry.attachments.len().min(8) {
            let Some((about, bytes)) = email::attachment(bytes, index) else { continue };
            let (name, content_type) = (about.name.as_deref(), about.content_type.as_deref());
            // Documents are read by a process of their own, which may break.
            if !attachment::is_document(name, content_type) {
                let _ = attachment::words(name, content_type, &bytes);
            }
        }
        let again = email::parse(bytes, Timestamp::UNIX_EPOCH).expect("it was read before");
        assert_eq!((mail.entry, mail.spans), (again.entry, again.spans));
    }
);
