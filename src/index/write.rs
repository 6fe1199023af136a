//! Writing the index. Each commit carries the sequence number it covers, so that after a crash the writer goes on
//! exactly where the index ends: nothing missing, nothing double.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tantivy::directory::MmapDirectory;
use tantivy::indexer::{IndexWriterOptions, LogMergePolicy};
use tantivy::tokenizer::TextAnalyzer;
use tantivy::{IndexWriter, TantivyDocument, Term};

use super::document::Document;
use super::schema::{self, Fields, VERSION, WORDS};
use super::tokenizer::WordTokenizer;
use super::{Index, Result};
use crate::domain::WorkspaceId;

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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Payload {
    sequence: i64,
    /// The database that it was made from.
    store: String,
    /// Of the two above, as nothing else guards the file they stand in.
    sum: String,
}

impl Payload {
    fn new(sequence: i64, store: &str) -> Payload {
        let sum = Sha256::digest(format!("{sequence} {store}"))[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        Payload { sequence, store: store.to_owned(), sum }
    }
}

/// How often it is tried to rewrite files while merges are under way, and how long is waited in between.
const PURGE_ATTEMPTS: usize = 100;
const PURGE_PAUSE: std::time::Duration = std::time::Duration::from_millis(50);

/// The one writer of an index.
pub struct Writer {
    writer: IndexWriter,
    fields: Fields,
    /// The database that it follows.
    store: String,
}

/// Where the indexes of a data directory are; each workspace has one of its own, so that nothing of one shows in another,
/// not even in scores.
pub fn home(data: &Path) -> PathBuf {
    data.join(format!("index-v{VERSION}"))
}

/// The index of a workspace.
pub fn directory(data: &Path, workspace: WorkspaceId) -> PathBuf {
    home(data).join(workspace.0.to_string())
}

/// Where a new index grows before it takes the place of the old one.
pub fn building(data: &Path, workspace: WorkspaceId) -> PathBuf {
    home(data).join(format!("{}.building", workspace.0))
}

/// The workspaces that have an index.
pub fn workspaces(data: &Path) -> Result<Vec<WorkspaceId>> {
    let mut found = Vec::new();
    for file in fs::read_dir(home(data))? {
        found.extend(file?.file_name().to_str().and_then(|name| name.parse().ok()).map(WorkspaceId));
    }
    found.sort_unstable();
    Ok(found)
}

pub(super) fn open(path: &Path) -> Result<(tantivy::Index, MmapDirectory)> {
    let directory = MmapDirectory::open(path).map_err(tantivy::TantivyError::from)?;
    let index = tantivy::Index::open(directory.clone())?;
    index.tokenizers().register(WORDS, TextAnalyzer::from(WordTokenizer));
    Ok((index, directory))
}

/// Makes an empty index in a directory, removing whatever was there.
pub(super) fn create(path: &Path) -> Result<(tantivy::Index, MmapDirectory)> {
    if path.exists() {
        fs::remove_dir_all(path)?;
    }
    fs::create_dir_all(path)?;
    let (schema, _) = schema::build();
    let directory = MmapDirectory::open(path).map_err(tantivy::TantivyError::from)?;
    let index = tantivy::Index::create(directory.clone(), schema, schema::settings())?;
    index.tokenizers().register(WORDS, TextAnalyzer::from(WordTokenizer));
    Ok((index, directory))
}

/// What the last commit of an index says: the sequence number it covers and the database it was made from; none before
/// the first commit, or when it was damaged.
pub(super) fn committed(index: &tantivy::Index) -> Result<Option<(i64, String)>> {
    let payload = index.load_metas()?.payload.and_then(|json| serde_json::from_str::<Payload>(&json).ok());
    Ok(payload.filter(|p| *p == Payload::new(p.sequence, &p.store)).map(|p| (p.sequence, p.store)))
}

/// Makes the home of the indexes, and removes those of other versions and unfinished ones: they can all be made again.
pub fn tidy(data: &Path) -> Result<()> {
    fs::create_dir_all(home(data))?;
    let others = fs::read_dir(data)?.chain(fs::read_dir(home(data))?);
    for file in others {
        let path = file?.path();
        let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
        let other_version = name.starts_with("index-v") && path != home(data);
        if other_version || name.ends_with(".building") || name.ends_with(".old") {
            fs::remove_dir_all(&path)?;
        }
    }
    Ok(())
}

/// Puts a finished index in the place of the old one.
pub fn put_in_place(data: &Path, workspace: WorkspaceId) -> Result<()> {
    let place = directory(data, workspace);
    if place.exists() {
        // Readers of the old one keep its files mapped until they reopen.
        let old = home(data).join(format!("{}.old", workspace.0));
        fs::rename(&place, &old)?;
        fs::rename(building(data, workspace), &place)?;
        fs::remove_dir_all(&old)?;
    } else {
        fs::rename(building(data, workspace), &place)?;
    }
    Ok(())
}

impl Writer {
    /// Opens the writer of an index with so much memory for words not yet on disk.
    ///
    /// # Errors
    /// When another writer holds the directory, or it cannot be written.
    pub fn new(index: &Index, store: &str, memory: usize) -> Result<Writer> {
        let options = IndexWriterOptions::builder().num_worker_threads(1).memory_budget_per_thread(memory).num_merge_threads(1).build();
        let writer = index.engine().writer_with_options(options)?;
        let mut merges = LogMergePolicy::default();
        merges.set_min_num_segments(4);
        // The default never merges for deletions alone, and deleted words would stay on disk.
        merges.set_del_docs_ratio_before_merge(0.2);
        writer.set_merge_policy(Box::new(merges));
        // A writer that was killed may have left a file of deletions under the very name that the next ones would have.
        writer.garbage_collect_files().wait()?;
        Ok(Writer { writer, fields: index.fields(), store: store.to_owned() })
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
        let payload = serde_json::to_string(&Payload::new(sequence, &self.store)).expect("a number is valid JSON");
        prepared.set_payload(&payload);
        prepared.commit()?;
        Ok(())
    }

    /// Rewrites every file that still holds words of deleted entries, and removes the old ones.
    pub fn purge(&mut self, index: &Index) -> Result<()> {
        for attempt in 1.. {
            let metas = index.engine().searchable_segment_metas()?;
            let Some(touched) = metas.iter().find(|meta| meta.has_deletes()).map(tantivy::SegmentMeta::id) else { break };
            // A merge that is under way may take the segment along: then its words are gone when that is done.
            match self.writer.merge(&[touched]).wait() {
                Err(error) if attempt > PURGE_ATTEMPTS => return Err(error.into()),
                Err(_) => std::thread::sleep(PURGE_PAUSE),
                Ok(_) => {}
            }
        }
        index.reload()?;
        self.writer.garbage_collect_files().wait()?;
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
        doc.add_u64(f.hash, document.hash());
        doc.add_u64(f.account, document.account);
        doc.add_u64(f.akey, document.account << 32 | u64::from(u32::MAX - seconds));
        doc.add_i64(f.at, document.occurred_at.as_microsecond());
        doc.add_text(f.r#type, document.r#type);
        for person in &document.people_keys {
            doc.add_text(f.person, person);
        }
        for tag in &document.tags {
            doc.add_text(f.tag, tag);
        }
        if document.thread != 0 {
            doc.add_u64(f.thread, document.thread);
        }
        if let Some(sentiment) = document.sentiment {
            doc.add_i64(f.sentiment, sentiment);
        }
        for (field, text) in [
            (f.subject, &document.subject),
            (f.new, &document.new),
            (f.other, &document.other),
            (f.people, &document.people),
            (f.files, &document.files),
            (f.stem, &document.stems),
            (f.from, &document.from),
            (f.to, &document.to),
            (f.cc, &document.cc),
        ] {
            if !text.is_empty() {
                doc.add_text(field, text);
            }
        }
        doc
    }
}
