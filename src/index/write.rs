//! Writing the index. Each commit carries the sequence number it covers, so that after a crash the writer goes on
//! exactly where the index ends: nothing missing, nothing double.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tantivy::indexer::{IndexWriterOptions, LogMergePolicy};
use tantivy::tokenizer::TextAnalyzer;
use tantivy::{IndexWriter, TantivyDocument, Term};

use super::document::Document;
use super::schema::{self, Fields, VERSION, WORDS};
use super::tokenizer::WordTokenizer;
use super::{Index, Result};

/// One change to the index.
#[derive(Debug, Clone)]
pub enum Change {
    /// Not in the index yet.
    Add(Box<Document>),
    /// Replaces whatever is there.
    Replace(Box<Document>),
    Delete(i64),
}

/// What a commit says about itself.
#[derive(Debug, Serialize, Deserialize)]
struct Payload {
    sequence: i64,
}

/// The one writer of an index.
pub struct Writer {
    writer: IndexWriter,
    fields: Fields,
}

/// The index directory inside a data directory.
pub fn directory(data: &Path) -> PathBuf {
    data.join(format!("index-v{VERSION}"))
}

/// Where a new index grows before it takes the place of the old one.
pub fn building(data: &Path) -> PathBuf {
    data.join(format!("index-v{VERSION}.building"))
}

pub(super) fn open(path: &Path) -> Result<tantivy::Index> {
    let index = tantivy::Index::open_in_dir(path)?;
    index.tokenizers().register(WORDS, TextAnalyzer::from(WordTokenizer));
    Ok(index)
}

/// Makes an empty index in a directory, removing whatever was there.
pub(super) fn create(path: &Path) -> Result<tantivy::Index> {
    if path.exists() {
        fs::remove_dir_all(path)?;
    }
    fs::create_dir_all(path)?;
    let (schema, _) = schema::build();
    let index = tantivy::Index::builder().schema(schema).settings(schema::settings()).create_in_dir(path)?;
    index.tokenizers().register(WORDS, TextAnalyzer::from(WordTokenizer));
    Ok(index)
}

/// The sequence number that the last commit of an index covers; none before the first.
pub(super) fn committed_sequence(index: &tantivy::Index) -> Result<Option<i64>> {
    let payload = index.load_metas()?.payload;
    Ok(payload.and_then(|json| serde_json::from_str::<Payload>(&json).ok()).map(|p| p.sequence))
}

/// Removes indexes of other versions and unfinished ones: they can all be made again.
pub fn remove_leftovers(data: &Path) -> Result<()> {
    let keep = directory(data);
    for file in fs::read_dir(data)? {
        let path = file?.path();
        let is_index = path.file_name().and_then(|n| n.to_str()).is_some_and(|n| n.starts_with("index-v"));
        if is_index && path != keep {
            fs::remove_dir_all(&path)?;
        }
    }
    Ok(())
}

/// Puts a finished index in the place of the old one.
pub fn put_in_place(data: &Path) -> Result<()> {
    let place = directory(data);
    if place.exists() {
        // Readers of the old one keep its files mapped until they reopen.
        let old = data.join(format!("index-v{VERSION}.old"));
        fs::rename(&place, &old)?;
        fs::rename(building(data), &place)?;
        fs::remove_dir_all(&old)?;
    } else {
        fs::rename(building(data), &place)?;
    }
    Ok(())
}

impl Writer {
    /// Opens the writer of an index with so much memory for words not yet on disk.
    ///
    /// # Errors
    /// When another writer holds the directory, or it cannot be written.
    pub fn new(index: &Index, memory: usize) -> Result<Writer> {
        let options = IndexWriterOptions::builder().num_worker_threads(1).memory_budget_per_thread(memory).num_merge_threads(1).build();
        let writer = index.engine().writer_with_options(options)?;
        let mut merges = LogMergePolicy::default();
        merges.set_min_num_segments(4);
        // The default never merges for deletions alone, and deleted words would stay on disk.
        merges.set_del_docs_ratio_before_merge(0.2);
        writer.set_merge_policy(Box::new(merges));
        Ok(Writer { writer, fields: index.fields() })
    }

    /// Takes changes in order; they show after the next commit.
    pub fn apply(&mut self, changes: Vec<Change>) -> Result<()> {
        for change in changes {
            match change {
                Change::Add(document) => drop(self.writer.add_document(self.document(&document))?),
                Change::Replace(document) => {
                    self.delete(document.number);
                    self.writer.add_document(self.document(&document))?;
                }
                Change::Delete(number) => self.delete(number.unsigned_abs()),
            }
        }
        Ok(())
    }

    /// Makes what was applied durable and notes the sequence number it covers.
    pub fn commit(&mut self, sequence: i64) -> Result<()> {
        let mut prepared = self.writer.prepare_commit()?;
        let payload = serde_json::to_string(&Payload { sequence }).expect("a number is valid JSON");
        prepared.set_payload(&payload);
        prepared.commit()?;
        Ok(())
    }

    /// Waits for merges and lets go of the directory.
    pub fn finish(self) -> Result<()> {
        self.writer.wait_merging_threads()?;
        Ok(())
    }

    fn delete(&self, number: u64) {
        self.writer.delete_term(Term::from_field_u64(self.fields.number, number));
    }

    fn document(&self, document: &Document) -> TantivyDocument {
        let f = &self.fields;
        let seconds = u32::try_from(document.occurred_at.as_second().max(0)).unwrap_or(u32::MAX);
        let mut doc = TantivyDocument::new();
        doc.add_u64(f.number, document.number);
        doc.add_u64(f.workspace, document.workspace.0.unsigned_abs());
        doc.add_u64(f.account, document.account);
        doc.add_u64(f.akey, document.account << 32 | u64::from(u32::MAX - seconds));
        doc.add_i64(f.at, document.occurred_at.as_microsecond());
        doc.add_text(f.r#type, document.r#type);
        for person in &document.people_keys {
            doc.add_text(f.person, person);
        }
        for (field, text) in [
            (f.subject, &document.subject),
            (f.new, &document.new),
            (f.other, &document.other),
            (f.people, &document.people),
            (f.files, &document.files),
        ] {
            if !text.is_empty() {
                doc.add_text(field, text);
            }
        }
        doc
    }
}
