//! Who speaks: the role and the time zone of those who wrote or said something, where a record tells them.

use std::collections::HashMap;

use jiff::tz::TimeZone;

use crate::domain::entry::{Entry, ParticipantRole, Side};
use crate::domain::record::{Account, Contact, Kind, TeamMember};
use crate::domain::{Address, WorkspaceId};
use crate::store::{Result, Tx, party, record, workspace};

/// The speakers of some entries.
#[derive(Debug)]
pub struct Speakers {
    /// Title and zone, by address.
    people: HashMap<String, (Option<String>, Option<TimeZone>)>,
    /// Of accounts, by id.
    accounts: HashMap<String, Option<TimeZone>>,
    /// Of the workspace.
    usual: TimeZone,
}

/// Somebody's words: who said them, as far as known.
#[derive(Debug, Clone)]
pub struct Speaker<'a> {
    pub title: Option<&'a str>,
    pub zone: TimeZone,
}

fn zone(name: Option<String>) -> Option<TimeZone> {
    name.and_then(|name| TimeZone::get(&name).ok())
}

/// The address of who wrote an entry.
fn author(entry: &Entry) -> Option<Address> {
    entry.participants.iter().find(|participant| participant.role == ParticipantRole::From)?.address()
}

fn address(email: Option<&str>) -> Option<Address> {
    email.and_then(Address::parse)
}

impl Speakers {
    /// Looks up everybody who wrote or said something in these entries.
    pub async fn of(workspace: WorkspaceId, tx: &mut Tx, entries: impl Iterator<Item = &Entry>) -> Result<Speakers> {
        let usual = zone(workspace::timezone(workspace, tx).await?).unwrap_or(TimeZone::UTC);
        let mut speakers = Speakers { people: HashMap::new(), accounts: HashMap::new(), usual };
        for entry in entries {
            for address in author(entry).into_iter().chain(entry.transcript.iter().filter_map(|turn| address(turn.email.as_deref()))) {
                if !speakers.people.contains_key(address.as_str()) {
                    let person = person(workspace, tx, &address).await?;
                    speakers.people.insert(address.as_str().to_owned(), person);
                }
            }
            if let Some(id) = &entry.account_id
                && !speakers.accounts.contains_key(id)
            {
                let account: Option<Account> = record::get(workspace, tx, Kind::Account, id).await?;
                speakers.accounts.insert(id.clone(), zone(account.and_then(|account| account.timezone)));
            }
        }
        Ok(speakers)
    }

    /// Who wrote an entry's body, or said a turn of its transcript. A customer without a zone has that of the account.
    pub fn speaker(&self, entry: &Entry, turn: Option<usize>, side: Option<Side>) -> Speaker<'_> {
        let address = match turn {
            Some(turn) => entry.transcript.get(turn).and_then(|turn| address(turn.email.as_deref())),
            None => author(entry),
        };
        let person = address.and_then(|address| self.people.get(address.as_str()));
        let account = || entry.account_id.as_ref().filter(|_| side == Some(Side::Customer)).and_then(|id| self.accounts.get(id)).cloned().flatten();
        let zone = person.and_then(|(_, zone)| zone.clone()).or_else(account);
        Speaker { title: person.and_then(|(title, _)| title.as_deref()), zone: zone.unwrap_or_else(|| self.usual.clone()) }
    }
}

async fn person(workspace: WorkspaceId, tx: &mut Tx, address: &Address) -> Result<(Option<String>, Option<TimeZone>)> {
    Ok(match party::person_with(workspace, tx, address).await? {
        Some((Kind::Contact, id)) => {
            let contact: Option<Contact> = record::get(workspace, tx, Kind::Contact, &id).await?;
            contact.map_or((None, None), |contact| (contact.title, zone(contact.timezone)))
        }
        Some((Kind::TeamMember, id)) => {
            let member: Option<TeamMember> = record::get(workspace, tx, Kind::TeamMember, &id).await?;
            member.map_or((None, None), |member| (member.title, zone(member.timezone)))
        }
        _ => (None, None),
    })
}
