//! A plain question answered by quotations: the passages of the record that say it, or that the record does not. No words are made up.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::meaning::Mode;
use super::search::{Hit, searched};
use super::{PipelineError, Result, Service, blocking};
use crate::domain::WorkspaceId;
use crate::domain::entry::EntryType;
use crate::index::passage::{self, Passage};
use crate::index::query::says_nothing;
use crate::index::search::Order;
use crate::index::{IndexError, Request};
use crate::store::entry;

/// Entries whose passages are looked at.
const ENTRIES: usize = 50;
/// Quotations of an answer.
const MOST: usize = 5;
/// What the share of the asked words in a passage, the rare ones counting most, is worth beside its closeness in meaning.
const WORDS: f64 = 0.15;
/// A passage that is worth less does not answer. Chosen on the demo accounts, between overlooking an answer and giving one to a question
/// about somebody else (`rapport eval search`). Without a reader there is no closeness, and the words decide alone.
const LEAST: f64 = 0.48;
const LEAST_BY_WORDS: f64 = 0.1;

/// Words of the record that answer a question.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Quotation {
    pub entry_id: String,
    pub account_id: Option<String>,
    pub r#type: EntryType,
    pub occurred_at: Timestamp,
    pub subject: Option<String>,
    #[serde(flatten)]
    pub passage: Passage,
    /// The words, as they stand in the record.
    pub quote: String,
    /// How well it answers: closeness in meaning (-1 to 1) plus 0.15 times the share of the asked words that it holds, the rare ones
    /// counting most.
    pub score: f64,
}

/// What was looked through.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Searched {
    pub entries: u64,
    /// When the first and the last entry of the account happened; null without one.
    pub from: Option<Timestamp>,
    pub to: Option<Timestamp>,
}

/// The answer to a question: quotations, best first, or none: it is not in the record.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Answered {
    pub answered: bool,
    /// `not in the record`, or when and by whom the best of them was said.
    pub says: String,
    pub quotations: Vec<Quotation>,
    /// Where nothing answers well enough to say so: what comes nearest, best first.
    pub nearest: Vec<Quotation>,
    pub searched: Searched,
    /// The question as understood.
    pub query: String,
    /// What could not be done, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// Answers a question from the record of an account, or of everything.
///
/// # Errors
/// When the index or the store cannot be read.
pub async fn answer(service: &Service, workspace: WorkspaceId, request: Request) -> Result<Answered> {
    let request = Request { limit: ENTRIES, facets: false, after: None, ..request };
    let asked = request.query.marks(&HashMap::new()).asked;
    let scope = Request { query: request.query.clone().frame(), limit: 1, order: Order::Newest, ..request.clone() };
    let account_number = request.account;
    let found = searched(service, workspace, request, Mode::Both, passage::quotable).await?;
    let Some(index) = service.index.of(workspace)? else { return Err(PipelineError::NotFound("the search index".to_owned())) };
    let words = asked.clone();
    let (rarity, entries) = blocking(move || Ok::<_, IndexError>((index.rarity(&words)?, index.search(&scope)?.total))).await??;
    let rarity: Vec<f64> = asked.iter().zip(rarity).map(|(word, rarity)| if says_nothing(word) { 0.0 } else { rarity }).collect();
    let is_compared = found.hits.iter().any(|hit| hit.why.is_some());
    let least = if is_compared { LEAST } else { LEAST_BY_WORDS };
    let mut quotations: Vec<Quotation> =
        found.hits.iter().flat_map(|hit| hit.passages.iter().map(|passage| quotation(hit, passage, &rarity))).collect();
    quotations.sort_by(|a, b| b.score.total_cmp(&a.score).then_with(|| b.occurred_at.cmp(&a.occurred_at)));
    quotations.truncate(MOST);
    let nearest = quotations.split_off(quotations.partition_point(|one| one.score >= least));
    let nearest = if quotations.is_empty() { nearest } else { Vec::new() };
    let (from, to) = match account_number {
        Some(number) => entry::extent(workspace, &mut service.store.read(workspace).await?, number).await?,
        None => (None, None),
    };
    Ok(Answered {
        answered: !quotations.is_empty(),
        says: quotations.first().map_or_else(|| "not in the record".to_owned(), said),
        quotations,
        nearest,
        searched: Searched { entries, from, to },
        query: found.query,
        note: found.note,
    })
}

fn quotation(hit: &Hit, passage: &Passage, rarity: &[f64]) -> Quotation {
    let all: f64 = rarity.iter().sum();
    let held: f64 = passage.merits.asked.iter().collect::<HashSet<_>>().into_iter().filter_map(|asked| rarity.get(*asked)).sum();
    let share = if all > 0.0 { held / all } else { 0.0 };
    Quotation {
        entry_id: hit.id.clone(),
        account_id: hit.account_id.clone(),
        r#type: hit.r#type,
        occurred_at: hit.occurred_at,
        subject: hit.subject.clone(),
        passage: passage.clone(),
        quote: passage.merits.words.clone(),
        score: ((passage.merits.closeness + WORDS * share) * 1_000.0).round() / 1_000.0,
    }
}

fn said(quotation: &Quotation) -> String {
    let date = quotation.occurred_at.strftime("%Y-%m-%d");
    match &quotation.passage.speaker {
        Some(speaker) => format!("said on {date} by {speaker}"),
        None => format!("said on {date}"),
    }
}
