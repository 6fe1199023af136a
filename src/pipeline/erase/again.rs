//! Erasing again whom a restored backup brought back.

use std::collections::BTreeSet;

use super::super::{Result, Service};
use super::ledger::Line;
use super::marks::mark;
use super::{erasure, person_in};
use crate::domain::record::{Contact, Kind};
use crate::domain::{Address, WorkspaceId};
use crate::store::{self, Scope, Tx, entry, record, workspace as workspaces};

/// Contacts read at once.
const PAGE: i64 = 500;

/// Erases everybody in the ledger who is in the store; returns how many erasures were done again.
///
/// # Errors
/// When the store fails; what was done stays done.
pub async fn apply_ledger(service: &Service, ledger: &[Line]) -> Result<usize> {
    let mut tx = service.store.read(Scope::All).await?;
    let workspaces = workspaces::all(&mut tx).await?;
    drop(tx);
    let mut again = 0;
    for (workspace, name) in workspaces {
        let lines: Vec<Line> = ledger.iter().filter(|line| line.workspace == name).cloned().collect();
        for line in lines {
            let (now, name) = (service.clock.now(), name.clone());
            let erased = service.store.write(workspace, move |tx| Box::pin(async move { one(workspace, tx, &name, &line, now).await }));
            again += usize::from(erased.await?);
        }
    }
    Ok(again)
}

/// Does one erasure again; false when the store knows of it.
async fn one(workspace: WorkspaceId, tx: &mut Tx, name: &str, line: &Line, now: jiff::Timestamp) -> store::Result<bool> {
    if erasure::find(workspace, tx, &line.id).await?.is_some() {
        return Ok(false);
    }
    let marks: BTreeSet<&str> = line.marks.iter().map(String::as_str).collect();
    let is_marked = |kind: &str, value: &str| marks.contains(mark(name, kind, value).as_str());
    let mut contacts: Vec<Contact> = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let (page, _) = record::list(workspace, tx, Kind::Contact, None, None, after.as_deref(), PAGE).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.id.clone());
        for stored in &page {
            let candidate: Contact = stored.read()?;
            let by_address = candidate.emails.iter().filter_map(|email| Address::parse(email)).any(|a| is_marked("address", a.as_str()));
            if is_marked("contact", &candidate.id) || by_address {
                contacts.push(candidate);
            }
        }
    }
    // Also without a contact: mails of the address that the backup holds.
    let people = erasure::people(workspace, tx).await?;
    let addresses = people.iter().filter_map(|person| Address::parse(person)).filter(|a| is_marked("address", a.as_str())).collect();
    person_in(workspace, tx, &line.id, &contacts, addresses, now).await?;
    // What went by the rules of that day, and would not by those of today.
    let marked: Vec<i64> = entry::ids(workspace, tx).await?.into_iter().filter(|(_, id)| is_marked("entry", id)).map(|(number, _)| number).collect();
    for some in marked.chunks(200) {
        for stored in entry::by_numbers(workspace, tx, some).await? {
            super::remove(workspace, tx, &stored, &line.id, now).await?;
        }
    }
    erasure::keep_marks(workspace, tx, &line.id, line.erased_at, &line.marks).await?;
    Ok(true)
}
