//! Whether everything hangs together: the database in itself, and each index with the store; and mending what does not.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Result, Service, blocking, follow};
use crate::domain::WorkspaceId;
use crate::index::check::check;
use crate::store::{Scope, audit, entry, integrity};

/// What was looked at, and what was found.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Report {
    /// Entries in the store.
    pub entries: u64,
    /// Entries in the search index.
    pub indexed: u64,
    pub findings: Vec<Finding>,
}

/// One thing that is not as it should be.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Finding {
    /// `database`, `rows`, `counts`, `audit` or `index`.
    pub what: String,
    pub detail: String,
    /// Whether it was mended.
    pub repaired: bool,
}

/// Differences are looked at so often: what is only late has caught up by then.
const LOOKS: usize = 3;
/// How long the index may take to catch up before a look.
const PATIENCE: Duration = Duration::from_secs(10);
/// Differences told by number.
const TOLD: usize = 5;

/// Looks at a workspace; with `repair`, mends what can be made again.
///
/// # Errors
/// When the store cannot be read at all.
pub async fn verify(service: &Service, workspace: WorkspaceId, repair: bool) -> Result<Report> {
    let mut findings = Vec::new();
    let mut found = |what: &str, detail: String, repaired: bool| findings.push(Finding { what: what.to_owned(), detail, repaired });
    let mut tx = service.store.read(Scope::All).await?;
    for fault in integrity::faults(&mut tx).await? {
        found("database", format!("{fault}; `rapport restore` puts a backup in the place of the file"), false);
    }
    drop(tx);
    let mut tx = service.store.read(workspace).await?;
    let orphans = integrity::orphans(workspace, &mut tx).await?;
    let miscounts = integrity::miscounts(workspace, &mut tx).await?;
    let broken = audit::first_broken(workspace, &mut tx).await?;
    drop(tx);
    if repair && (!orphans.is_empty() || miscounts > 0) {
        let mend = service.store.write(workspace, move |tx| {
            Box::pin(async move {
                integrity::remove_orphans(workspace, tx).await?;
                integrity::recount(workspace, tx).await
            })
        });
        mend.await?;
    }
    for (table, count) in orphans {
        found("rows", format!("{count} rows of {table} belong to no entry"), repair);
    }
    if miscounts > 0 {
        found("counts", format!("{miscounts} counts of entries are not what the entries say"), repair);
    }
    if let Some(number) = broken {
        found("audit", format!("the audit log was changed at or before its row {number}"), false);
    }
    let (entries, indexed, wrong) = compare(service, workspace).await?;
    if let Some(detail) = wrong {
        let repaired = repair && service.index.rebuild(workspace).await.is_ok();
        found("index", detail, repaired);
    }
    Ok(Report { entries, indexed, findings })
}

/// Compares the index with the store: how many entries each has, and what is wrong.
async fn compare(service: &Service, workspace: WorkspaceId) -> Result<(u64, u64, Option<String>)> {
    let path = service.index.directory(workspace);
    let (mut entries, mut indexed, mut wrong) = (0, 0, None);
    // While writing goes on each look finds others that are late; what is wrong is wrong in every look.
    let mut always: Option<[BTreeSet<i64>; 3]> = None;
    for look in 0..LOOKS {
        if look > 0 {
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        let last = *service.store.committed().borrow();
        service.index.wait_for(last, PATIENCE).await;
        let index = match service.index.of(workspace) {
            Ok(index) => index,
            Err(building) => return Ok((0, 0, Some(building.to_string()))),
        };
        let (there, damage) = match index {
            Some(index) => {
                let path = path.clone();
                blocking(move || Ok::<_, crate::index::IndexError>((index.hashes()?, check(&path, |_| {}).err()))).await??
            }
            None => (Vec::new(), None),
        };
        indexed = there.len() as u64;
        let mut there: HashMap<i64, u64> = there.into_iter().collect();
        let doubled = indexed - there.len() as u64;
        let (mut missing, mut different) = (Vec::new(), Vec::new());
        entries = 0;
        let mut tx = service.store.read(workspace).await?;
        let mut after = 0;
        loop {
            let page = entry::after_number(workspace, &mut tx, after, 500).await?;
            let Some(last) = page.last() else { break };
            after = last.number;
            entries += page.len() as u64;
            for document in follow::documents(workspace, &mut tx, &page).await? {
                let number = document.number.cast_signed();
                match there.remove(&number) {
                    Some(hash) if hash == document.hash() => {}
                    Some(_) => different.push(number),
                    None => missing.push(number),
                }
            }
        }
        let found = [missing.into_iter().collect(), different.into_iter().collect(), there.into_keys().collect::<BTreeSet<i64>>()];
        let wrong_so_far = match always.take() {
            None => found,
            Some(before) => std::array::from_fn(|kind| before[kind].intersection(&found[kind]).copied().collect()),
        };
        let kinds = ["missing", "different", "not in the store"].iter().zip(&wrong_so_far);
        let mut told: Vec<String> = kinds.filter(|(_, numbers)| !numbers.is_empty()).map(|(how, numbers)| tell(how, numbers)).collect();
        always = Some(wrong_so_far);
        told.extend((doubled > 0).then(|| format!("{doubled} doubled")));
        told.extend(damage);
        if told.is_empty() {
            return Ok((entries, indexed, None));
        }
        wrong = Some(format!("the search index is out of step: {}", told.join("; ")));
    }
    Ok((entries, indexed, wrong))
}

fn tell(how: &str, numbers: &BTreeSet<i64>) -> String {
    let first: Vec<String> = numbers.iter().take(TOLD).map(i64::to_string).collect();
    let more = if numbers.len() > TOLD { ", …" } else { "" };
    format!("{} {how} (entries number {}{more})", numbers.len(), first.join(", "))
}
