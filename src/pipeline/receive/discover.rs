//! Accounts of business domains that are met, for callers who want them made.

use std::collections::BTreeMap;

use super::records::take;
use crate::domain::record::{Account, Change, Kind, Record, Version};
use crate::domain::{Address, WorkspaceId};
use crate::ingest::owner;
use crate::pipeline::triggers::Asked;
use crate::pipeline::{Result, Service};
use crate::store::{party, record};

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
        let made = service.store.write(move |tx| {
            Box::pin(async move {
                let addresses: Vec<&Address> = some.iter().map(|(_, address)| address).collect();
                let parties = party::known(workspace, tx, &addresses).await?;
                let mut asked = Asked::default();
                for (domain, address) in &some {
                    let taken = parties.is_us(address) || parties.domain_account(address).is_some();
                    // Somebody's own account of that id, living or deleted, is left as it is.
                    if taken || record::find(workspace, tx, Kind::Account, domain).await?.is_some() {
                        continue;
                    }
                    let version = Version { change: Change::Put(Record::Account(Account::of_domain(domain))), updated_at: None };
                    take(workspace, tx, &version, &mut asked, &config, now).await?;
                }
                Ok(())
            })
        });
        made.await?;
    }
    Ok(())
}
