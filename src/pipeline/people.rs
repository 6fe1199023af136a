//! Who speaks in a call or meeting: sides and addresses of its speakers, and the account that follows from its people.

use super::join::Owned;
use crate::domain::entry::{Entry, Side, name_key};
use crate::domain::{Address, Parties, WorkspaceId};
use crate::ingest::owner::{self, Rule};
use crate::store::party::{self, Named};
use crate::store::{Result, Tx};

/// Names looked up for one entry.
const MAX_NAMES: usize = 200;

/// Sets what follows from who is known: the account, unless it is given, and the side and address of each speaker who
/// has none yet. Ours are team members and our domains; theirs are the account's contacts and domains; others stay
/// unknown.
pub async fn recognise(workspace: WorkspaceId, tx: &mut Tx, entry: &mut Entry, given: bool) -> Result<Owned> {
    let mut addresses: Vec<Address> = entry.participants.iter().filter_map(|p| p.address()).collect();
    addresses.extend(entry.transcript.iter().filter_map(|turn| Address::parse(turn.email.as_deref()?)));
    addresses.sort();
    addresses.dedup();
    let parties = party::known(workspace, tx, &addresses.iter().collect::<Vec<_>>()).await?;
    let speakers = entry.transcript.iter().filter(|turn| turn.email.is_none()).filter_map(|turn| turn.speaker.as_deref());
    let listed = entry.participants.iter().filter(|p| p.email.is_none()).filter_map(|p| p.name.as_deref());
    let mut keys: Vec<String> = speakers.chain(listed).filter_map(key_of).collect();
    keys.sort();
    keys.dedup();
    keys.truncate(MAX_NAMES);
    let named = party::named(workspace, tx, &keys).await?;
    let rule = if given {
        Some(Rule::Given)
    } else {
        let owner = owner::owner_of_meeting(&parties, &addresses).or_else(|| by_name(&named).map(|account| (account, Rule::Contact)));
        let (account_id, rule) = owner.unzip();
        entry.account_id = account_id;
        rule
    };
    take_sides(entry, &parties, &named);
    let unmatched_domain = match rule {
        Some(_) => None,
        None => Some(owner::stranger(&parties, None, &addresses).map_or_else(|| "unknown".to_owned(), |a| a.domain().to_owned())),
    };
    Ok(Owned { rule, unmatched_domain })
}

/// A name as it is compared: without what tools add in brackets.
fn key_of(name: &str) -> Option<String> {
    let bare = name.split(['(', '[', '|']).next().unwrap_or(name);
    name_key(if bare.trim().is_empty() { name } else { bare })
}

/// The one account whose contacts speak, when every name stands for one account only.
fn by_name(named: &[Named]) -> Option<String> {
    let ours = |key: &str| named.iter().any(|n| n.key == key && n.account_id.is_none());
    let mut accounts: Vec<&str> = named.iter().filter(|n| !ours(&n.key)).filter_map(|n| n.account_id.as_deref()).collect();
    accounts.sort_unstable();
    accounts.dedup();
    match accounts[..] {
        [one] => Some(one.to_owned()),
        _ => None,
    }
}

fn take_sides(entry: &mut Entry, parties: &Parties, named: &[Named]) {
    let account = entry.account_id.clone();
    for turn in &mut entry.transcript {
        let key = turn.speaker.as_deref().and_then(key_of);
        // Whom the name stands for here: one of us, or a contact of this account; a name of both is nobody's.
        let mut bearers = named.iter().filter(|n| Some(&n.key) == key.as_ref() && (n.account_id.is_none() || n.account_id == account));
        let bearer = match (bearers.next(), bearers.next()) {
            (Some(one), None) => Some(one),
            _ => None,
        };
        if turn.email.is_none() {
            turn.email = bearer.and_then(|b| b.email.clone());
        }
        if turn.side.is_none() {
            let by_address = turn.email.as_deref().and_then(Address::parse).and_then(|address| side_of(&address, parties, account.as_deref()));
            let by_name = bearer.map(|b| if b.account_id.is_none() { Side::Us } else { Side::Customer });
            turn.side = by_address.or(by_name);
        }
    }
}

fn side_of(address: &Address, parties: &Parties, account: Option<&str>) -> Option<Side> {
    if parties.is_us(address) {
        return Some(Side::Us);
    }
    let theirs = parties.contact_account(address).or_else(|| parties.domain_account(address));
    (theirs.is_some() && theirs == account).then_some(Side::Customer)
}
