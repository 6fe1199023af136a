//! What is nobody's finds its owner: one call makes the account or contact, and the past joins it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{PipelineError, Result, Service, receive};
use crate::domain::address::{is_free_mail, parse_domain};
use crate::domain::record::{Account, Change, Contact, Kind, Record, Version};
use crate::domain::{Address, WorkspaceId};
use crate::store::{record, unmatched as waiting};

/// Whose a domain or a person is.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Owner {
    /// An account, known or new; without one, an account is made whose id is the domain.
    pub account_id: Option<String>,
    /// The name of a new account.
    pub name: Option<String>,
    /// One person at a free-mail provider, by address: makes a contact.
    pub contact: Option<String>,
    pub contact_name: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Assigned {
    pub account_id: String,
    pub contact_id: Option<String>,
    /// Of the change; searches with at least this `min_sequence` see it. The entries join right after.
    pub sequence: Option<i64>,
    /// Entries that waited under the domain.
    pub waiting: i64,
}

/// Says whose the mail of a domain, or of one person there, is.
///
/// # Errors
/// When the domain is a free-mail provider and no person is named, or the account is unknown and nothing names it.
pub async fn assign(service: &Service, workspace: WorkspaceId, domain: &str, owner: Owner) -> Result<Assigned> {
    let Some(domain) = parse_domain(domain) else {
        return Err(PipelineError::Invalid(format!("{domain:?} is not a domain such as acme.com")));
    };
    let contact = match &owner.contact {
        Some(text) => Some(Address::parse(text).ok_or_else(|| PipelineError::Invalid(format!("contact: {text:?} is not an email address")))?),
        None if is_free_mail(&domain) => {
            return Err(PipelineError::Invalid(format!("{domain} is a mail provider of many people: say whose one address is, with contact")));
        }
        None => None,
    };
    let mut tx = service.store.read().await?;
    let waiting = waiting::under(workspace, &mut tx, &domain).await?;
    let account_id = owner.account_id.clone().unwrap_or_else(|| domain.clone());
    let known: Option<Account> = record::get(workspace, &mut tx, Kind::Account, &account_id).await?;
    drop(tx);
    let mut versions = Vec::new();
    let mut put = |record: Record| versions.push(Ok(Version { change: Change::Put(record), updated_at: None }));
    match (known, &contact) {
        (Some(_), Some(_)) => {}
        (Some(mut account), None) => {
            account.domains.push(domain.clone());
            account.domains.sort();
            account.domains.dedup();
            put(Record::Account(account));
        }
        (None, Some(_)) if owner.name.is_none() => return Err(PipelineError::NotFound(format!("account {account_id:?}"))),
        (None, _) => {
            let domains = if contact.is_none() { vec![domain.clone()] } else { Vec::new() };
            let name = owner.name.clone().unwrap_or_else(|| account_id.clone());
            put(Record::Account(Account { id: account_id.clone(), name: Some(name), domains, ..Account::of_domain(&domain) }));
        }
    }
    let contact_id = contact.as_ref().map(|address| format!("contact.{address}"));
    if let (Some(address), Some(id)) = (&contact, &contact_id) {
        put(Record::Contact(Contact {
            id: id.clone(),
            account_id: account_id.clone(),
            name: owner.contact_name.clone(),
            title: None,
            emails: vec![address.to_string()],
            phone: None,
            timezone: None,
            role: None,
            reports_to_id: None,
            created_at: None,
        }));
    }
    let outcomes = receive::records(service, workspace, versions).await?;
    Ok(Assigned { account_id, contact_id, sequence: outcomes.iter().filter_map(|o| o.sequence).max(), waiting })
}
