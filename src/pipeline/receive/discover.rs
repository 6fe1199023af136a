//! Accounts of business domains that are met, for callers who want them made.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::records::take;
use crate::config::Config;
use crate::domain::record::{Account, Change, Kind, Record, Version};
use crate::domain::{Address, Parties, WorkspaceId};
use crate::ingest::owner;
use crate::pipeline::triggers::Asked;
use crate::pipeline::{Result, Service};
use crate::store::{Tx, party, record};

/// Domains looked at in one transaction.
const BATCH: usize = 200;

/// Makes an account, its id the domain, of each business domain among these addresses that is neither ours nor
/// somebody's already.
///
/// # Errors
/// When the store fails; then those of one transaction were not made.
pub async fn discover(service: &Service, workspace: WorkspaceId, addresses: Vec<Address>) -> Result<()> {
    let by_domain: BTreeMap<String, Address> =
        addresses.into_iter().filter_map(|address| Some((owner::business_domain(&address)?.to_owned(), address))).collect();
    let by_domain: Vec<(String, Address)> = by_domain.into_iter().collect();
    for some in by_domain.chunks(BATCH) {
        let (now, config, some) = (service.clock.now(), service.config.clone(), some.to_vec());
        let made = service.store.write(workspace, move |tx| {
            Box::pin(async move {
                let addresses: Vec<&Address> = some.iter().map(|(_, address)| address).collect();
                let mut parties = party::known(workspace, tx, &addresses).await?;
                make_accounts(workspace, tx, &mut parties, addresses, &mut Asked::default(), &config, now).await?;
                Ok(())
            })
        });
        made.await?;
    }
    Ok(())
}

/// The same for addresses whose owners are looked up already; those of new accounts are added to them.
pub(super) async fn make_accounts(
    workspace: WorkspaceId,
    tx: &mut Tx,
    parties: &mut Parties,
    addresses: Vec<&Address>,
    asked: &mut Asked,
    config: &Config,
    now: Timestamp,
) -> crate::store::Result<()> {
    for address in addresses {
        let taken = parties.is_us(address) || parties.contact_account(address).or_else(|| parties.domain_account(address)).is_some();
        let Some(domain) = owner::business_domain(address).filter(|_| !taken) else { continue };
        // Somebody's own account of that id, living or deleted, is left as it is.
        if record::find(workspace, tx, Kind::Account, domain).await?.is_some() {
            continue;
        }
        let version = Version { change: Change::Put(Record::Account(Account::of_domain(domain))), updated_at: None };
        // Boxed: taking a record can take entries, and the compiler wants an end to that.
        Box::pin(take(workspace, tx, &version, asked, config, now)).await?;
        parties.domains.insert(domain.to_owned(), domain.to_owned());
    }
    Ok(())
}
