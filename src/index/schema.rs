//! The fields of the index. A change here needs a new [`VERSION`]: the index is then built again from the store.

use super::query::operator::Place;
use tantivy::schema::{FAST, Field, INDEXED, IndexRecordOption, STRING, Schema, TextFieldIndexing, TextOptions};
use tantivy::{IndexSettings, Order};

/// Part of the directory's name, so that an index of another version is never opened.
pub const VERSION: u32 = 5;

pub(super) const WORDS: &str = "words";

/// ```text
/// number     the entry's number: what a search returns, what a deletion names
/// hash       of the document: by it an index is compared with the store
/// account    number of the account, 0 for nobody's
/// akey       account << 32 | seconds before the end of time: the sort order, newest first within an account
/// at         microseconds: date filter and order
/// type, person   filters and counts
/// thread     a hash of the thread's id, where there is one
/// tag        what a condition asks for: side:us, has:question, deal:d1
/// sentiment  score in ten thousandths, where it was read
/// subject, new, other, people, files   the words; none is stored, rows come from the store
/// stem       stems of the subject's and the new words, by language
/// from, to, cc   names and addresses by part, already among the people
/// ```
#[derive(Debug, Clone, Copy)]
pub(super) struct Fields {
    pub number: Field,
    pub hash: Field,
    pub account: Field,
    pub akey: Field,
    pub at: Field,
    pub r#type: Field,
    pub person: Field,
    pub thread: Field,
    pub tag: Field,
    pub sentiment: Field,
    pub subject: Field,
    pub new: Field,
    pub other: Field,
    pub people: Field,
    pub files: Field,
    pub stem: Field,
    pub from: Field,
    pub to: Field,
    pub cc: Field,
}

impl Fields {
    /// The fields that hold words, each with what a match in it is worth. Quoted words never outweigh the original.
    pub fn words(&self) -> [(Field, &'static str, f32); 5] {
        [
            (self.subject, "subject", 2.0),
            (self.new, "body", 1.0),
            (self.people, "people", 1.0),
            (self.files, "attachment", 0.6),
            (self.other, "quoted", 0.05),
        ]
    }

    /// The field of the words in a place.
    pub fn of(&self, place: Place) -> Field {
        match place {
            Place::Subject => self.subject,
            Place::Body => self.new,
            Place::Quoted => self.other,
            Place::Attachment => self.files,
            Place::From => self.from,
            Place::To => self.to,
            Place::Cc => self.cc,
            Place::With => self.people,
        }
    }
}

pub(super) fn build() -> (Schema, Fields) {
    let mut schema = Schema::builder();
    let words = TextOptions::default()
        .set_indexing_options(TextFieldIndexing::default().set_tokenizer(WORDS).set_index_option(IndexRecordOption::WithFreqsAndPositions));
    let stems =
        TextOptions::default().set_indexing_options(TextFieldIndexing::default().set_tokenizer(WORDS).set_index_option(IndexRecordOption::WithFreqs));
    let name = || STRING | FAST;
    let fields = Fields {
        number: schema.add_u64_field("number", FAST | INDEXED),
        hash: schema.add_u64_field("hash", FAST),
        account: schema.add_u64_field("account", FAST | INDEXED),
        akey: schema.add_u64_field("akey", FAST),
        at: schema.add_i64_field("at", FAST),
        r#type: schema.add_text_field("type", name()),
        person: schema.add_text_field("person", name()),
        thread: schema.add_u64_field("thread", FAST | INDEXED),
        tag: schema.add_text_field("tag", STRING),
        sentiment: schema.add_i64_field("sentiment", FAST),
        subject: schema.add_text_field("subject", words.clone()),
        new: schema.add_text_field("new", words.clone()),
        other: schema.add_text_field("other", words.clone()),
        people: schema.add_text_field("people", words.clone()),
        files: schema.add_text_field("files", words.clone()),
        stem: schema.add_text_field("stem", stems),
        from: schema.add_text_field("from", words.clone()),
        to: schema.add_text_field("to", words.clone()),
        cc: schema.add_text_field("cc", words),
    };
    (schema.build(), fields)
}

/// Sorted by account and time, so that an account's newest entries lie together.
pub(super) fn settings() -> IndexSettings {
    IndexSettings { sort_by_field: Some(tantivy::IndexSortByField { field: "akey".to_owned(), order: Order::Asc }), ..IndexSettings::default() }
}
