//! Whether an index on disk is whole. The engine opens damaged files without a word, so every byte is read and compared
//! with the checksum that stands behind it.

use std::path::Path;
use std::time::{Duration, Instant};

use tantivy::index::SegmentComponent;
use tantivy::{ReloadPolicy, SegmentMeta};

use super::write;

/// What every segment has a file of.
const COMPONENTS: [SegmentComponent; 6] = [
    SegmentComponent::Postings,
    SegmentComponent::Positions,
    SegmentComponent::Terms,
    SegmentComponent::FastFields,
    SegmentComponent::FieldNorms,
    SegmentComponent::Store,
];

/// Reads all of an index anew, apart from whoever searches it; `pause` is told how long each file took.
///
/// # Errors
/// Says what is damaged or missing.
pub fn check(path: &Path, mut pause: impl FnMut(Duration)) -> Result<(), String> {
    if !path.is_dir() {
        return Err("its folder is missing".to_owned());
    }
    // Opened anew: files that are mapped since before they were cut short would end the process when read.
    let (engine, _) = write::open(path).map_err(|e| e.to_string())?;
    if write::committed(&engine).map_err(|e| e.to_string())?.is_none() {
        return Err("meta.json does not say what it covers".to_owned());
    }
    if !path.join(".managed.json").exists() {
        return Err(".managed.json is missing".to_owned());
    }
    let metas = engine.searchable_segment_metas().map_err(|e| e.to_string())?;
    // What else lies there was never finished, and is removed by the next writer.
    for meta in &metas {
        for component in COMPONENTS.into_iter().chain(meta.has_deletes().then_some(SegmentComponent::Delete)) {
            let name = meta.relative_path(component);
            let started = Instant::now();
            match engine.directory().validate_checksum(&name) {
                Ok(true) => pause(started.elapsed()),
                Ok(false) => return Err(format!("{} is not what was written", name.display())),
                // Merged away while this was looking, or its deletions are newer.
                Err(_) if !path.join(&name).exists() && !is_listed(&engine, meta)? => {}
                Err(_) if !path.join(&name).exists() => return Err(format!("{} is missing", name.display())),
                Err(error) => return Err(format!("{}: {error}", name.display())),
            }
        }
    }
    if metas.iter().any(|meta| !is_listed(&engine, meta).unwrap_or(true)) {
        return Ok(());
    }
    // Counts stand in meta.json alone: compare them with the columns.
    let reader = engine.reader_builder().reload_policy(ReloadPolicy::Manual).try_into().map_err(|e: tantivy::TantivyError| e.to_string())?;
    for segment in tantivy::IndexReader::searcher(&reader).segment_readers() {
        let numbers = segment.fast_fields().u64("number").map_err(|e| e.to_string())?;
        if numbers.values.num_vals() != segment.max_doc() {
            return Err("meta.json and the columns disagree".to_owned());
        }
    }
    Ok(())
}

/// Whether a segment is still one of the living, with these deletions: while an index is written, segments come and go.
fn is_listed(engine: &tantivy::Index, meta: &SegmentMeta) -> Result<bool, String> {
    let metas = engine.searchable_segment_metas().map_err(|e| e.to_string())?;
    Ok(metas.iter().any(|other| (other.id(), other.delete_opstamp()) == (meta.id(), meta.delete_opstamp())))
}
