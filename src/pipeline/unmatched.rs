//! What is nobody's finds its owner: one call makes the account or contact, and the past joins it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use super::once::{self, Once};
use super::triggers::Asked;
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

#[derive(Debug, Serialize, Deserialize, ToSchema)]
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
pub async fn assign(service: &Service, workspace: WorkspaceId, domain: &str, owner: Owner, once: Option<Once>) -> Result<Assigned> {
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
    for (field, text) in [("name", &owner.name), ("contact_name", &owner.contact_name)] {
        if text.as_ref().is_some_and(|text| text.trim().is_empty() || text.len() > 200 || text.chars().any(char::is_control)) {
            return Err(PipelineError::Invalid(format!("{field} is not 1 to 200 bytes without control characters")));
        }
    }
    let (now, config) = (service.clock.now(), service.config.clone());
    let written = once::write(service, workspace, once, move |tx| {
        Box::pin(async move {
            let waiting = waiting::under(workspace, tx, &domain).await?;
            let account_id = owner.account_id.clone().unwrap_or_else(|| domain.clone());
            let known: Option<Account> = record::get(workspace, tx, Kind::Account, &account_id).await?;
            if known.is_none() && record::find(workspace, tx, Kind::Account, &account_id).await?.is_some() {
                let deleted = format!("account {account_id:?} was deleted: add it again with a later updated_at, or name another");
                return Ok(Err(PipelineError::Invalid(deleted)));
            }
            let records = match versions(&domain, &account_id, &owner, contact.as_ref(), known, now) {
                Ok(versions) => versions,
                Err(error) => return Ok(Err(error)),
            };
            let (mut asked, mut sequence) = (Asked::default(), None);
            for version in &records {
                let taken = receive::take(workspace, tx, version, &mut asked, &config, now).await?;
                if let Some(reason) = taken.error {
                    return Ok(Err(PipelineError::Invalid(reason)));
                }
                sequence = sequence.max(taken.sequence);
            }
            Ok(Ok(Assigned { account_id, contact_id: contact.as_ref().map(contact_id), sequence, waiting }))
        })
    });
    written.await
}

fn contact_id(address: &Address) -> String {
    // Not the address itself: an id stands in places where a person cannot be taken out.
    let hash = Sha256::digest(address.as_str());
    format!("contact.{}", hash[..8].iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}

/// The account and the contact as they shall be, checked like records that came in.
fn versions(
    domain: &str,
    account_id: &str,
    owner: &Owner,
    contact: Option<&Address>,
    known: Option<Account>,
    now: Timestamp,
) -> Result<Vec<Version>> {
    let mut records = Vec::new();
    match (known, contact) {
        (Some(_), Some(_)) => {}
        (Some(mut account), None) => {
            account.domains.push(domain.to_owned());
            account.domains.sort();
            account.domains.dedup();
            records.push(Record::Account(account));
        }
        (None, Some(_)) if owner.name.is_none() => return Err(PipelineError::NotFound(format!("account {account_id:?}"))),
        (None, _) => {
            let domains = if contact.is_none() { vec![domain.to_owned()] } else { Vec::new() };
            let name = owner.name.clone().unwrap_or_else(|| account_id.to_owned());
            records.push(Record::Account(Account { id: account_id.to_owned(), name: Some(name), domains, ..Account::of_domain(domain) }));
        }
    }
    if let Some(address) = contact {
        records.push(Record::Contact(Contact {
            id: contact_id(address),
            account_id: account_id.to_owned(),
            name: owner.contact_name.clone(),
            title: None,
            emails: vec![address.to_string()],
            phone: None,
            timezone: None,
            role: None,
            reports_to_id: None,
            created_at: Some(now),
        }));
    }
    let checked = |record: Record| {
        crate::ingest::record::check(&record).map_err(PipelineError::Invalid)?;
        Ok(Version { change: Change::Put(record), updated_at: None })
    };
    records.into_iter().map(checked).collect()
}
