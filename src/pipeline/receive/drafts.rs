//! Rows of tables and cards: their company becomes an account's id, then they are records like any other.

use std::collections::HashMap;

use jiff::Timestamp;
use serde_json::json;

use super::records::take;
use super::{Outcome, Status};
use crate::config::Config;
use crate::domain::record::{Account, Change as RecordChange, Kind, Record, Version};
use crate::domain::{Address, WorkspaceId};
use crate::ingest::record::{self, Rejection};
use crate::ingest::table::{Company, Draft};
use crate::pipeline::once::{self, Once};
use crate::pipeline::triggers::Asked;
use crate::pipeline::{Result as PipelineResult, Service};
use crate::store::{Result, Tx, account, party, record as records};

/// Rows taken in one transaction.
const BATCH: usize = 500;

/// Takes drafts in order; a company that nobody knows yet becomes an account. One outcome each, with its line.
///
/// # Errors
/// When the store fails; then the rows of one transaction were not taken, those before it were.
pub async fn drafts(service: &Service, workspace: WorkspaceId, drafts: Vec<Draft>, once: Option<Once>) -> PipelineResult<Vec<(u64, Outcome)>> {
    let mut outcomes = Vec::with_capacity(drafts.len());
    let mut rest = drafts.into_iter().peekable();
    while rest.peek().is_some() {
        let some: Vec<Draft> = rest.by_ref().take(BATCH).collect();
        let (now, config) = (service.clock.now(), service.config.clone());
        let part = once.as_ref().map(|once| once.part(outcomes.len()));
        let taken = once::write(service, workspace, part, move |tx| {
            Box::pin(async move {
                let mut taken = Vec::with_capacity(some.len());
                let mut asked = Asked::default();
                let mut known: HashMap<Company, String> = HashMap::new();
                for draft in &some {
                    taken.push((draft.line, take_draft(workspace, tx, draft, &mut known, &mut asked, &config, now).await?));
                }
                Ok(Ok(taken))
            })
        });
        outcomes.extend(taken.await?);
    }
    Ok(outcomes)
}

async fn take_draft(
    workspace: WorkspaceId,
    tx: &mut Tx,
    draft: &Draft,
    known: &mut HashMap<Company, String>,
    asked: &mut Asked,
    config: &Config,
    now: Timestamp,
) -> Result<Outcome> {
    let mut fields = draft.record.clone();
    if let Some(company) = &draft.company {
        let account_id = match known.get(company) {
            Some(id) => Some(id.clone()),
            None => account_of(workspace, tx, company, asked, config, now).await?,
        };
        let Some(account_id) = account_id else {
            let kind = fields.get("kind").and_then(|k| k.as_str()).map(str::to_owned);
            let id = fields.get("id").and_then(|id| id.as_str()).map(str::to_owned);
            let reason = "nothing says whose this is: no company and no business address".to_owned();
            return Ok(Outcome::rejected(Rejection { kind, id, reason }));
        };
        known.insert(company.clone(), account_id.clone());
        fields.insert("account_id".to_owned(), json!(account_id));
    }
    match record::read(&serde_json::Value::Object(fields).to_string()) {
        Ok(version) => take(workspace, tx, &version, asked, config, now).await,
        Err(rejection) => Ok(Outcome::rejected(rejection)),
    }
}

/// The account of a company: the one its id names, else the one of its name, else the one that has its domain, else a
/// new one.
async fn account_of(
    workspace: WorkspaceId,
    tx: &mut Tx,
    company: &Company,
    asked: &mut Asked,
    config: &Config,
    now: Timestamp,
) -> Result<Option<String>> {
    if company.is_unknown() {
        return Ok(None);
    }
    let mut found = company.id.clone();
    if let (None, Some(name)) = (&found, &company.name) {
        found = account::id_by_name(workspace, tx, name).await?;
    }
    if let (None, Some(domain)) = (&found, &company.domain)
        && let Some(address) = Address::parse(&format!("x@{domain}"))
    {
        found = party::known(workspace, tx, &[&address]).await?.domain_account(&address).map(str::to_owned);
    }
    let id = match found {
        Some(id) if company.id.is_none() => return Ok(Some(id)),
        Some(id) => id,
        None => company.domain.clone().or_else(|| company.name.as_deref().map(crate::ingest::table::slug)).unwrap_or_default(),
    };
    let is_there = records::find(workspace, tx, Kind::Account, &id).await?.is_some();
    if !is_there && (company.name.is_some() || company.id.is_none()) && !id.is_empty() {
        let domains: Vec<String> = company.domain.iter().cloned().collect();
        let account = Account { name: company.name.clone().or_else(|| Some(id.clone())), domains, id: id.clone(), ..Account::of_domain(&id) };
        let version = Version { change: RecordChange::Put(Record::Account(account)), updated_at: None };
        let made = take(workspace, tx, &version, asked, config, now).await?;
        debug_assert_ne!(made.status, Status::Rejected);
    }
    Ok((!id.is_empty()).then_some(id))
}
