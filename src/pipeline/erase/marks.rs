//! Marks: what is kept of an erased person. A hash tells whether an id or address is theirs when it comes again, and
//! tells nobody who they were.

use std::collections::HashMap;

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use crate::domain::entry::Entry;
use crate::domain::{Address, WorkspaceId};
use crate::ingest::redact::{Person, Redactor};
use crate::store::{Result, Tx, erasure, workspace};

/// The mark of something that went: a contact's id, an address, an entry's id, a record's.
pub(super) fn mark(workspace: &str, kind: &str, value: &str) -> String {
    let text = format!("rapport erased\n{}:{workspace}\n{kind}\n{value}", workspace.len());
    Sha256::digest(text)[..16].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What was erased in a workspace, as far as some incoming values go.
#[derive(Debug, Default)]
pub struct Erased {
    workspace: String,
    known: HashMap<String, Timestamp>,
}

/// What becomes of an entry that comes in.
#[derive(Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is taken as it is.
    Stays,
    /// It was erased, or is an erased person's from before: it does not come back.
    Gone,
}

impl Erased {
    /// Looks up ids (with their kind) and addresses; costs one question where nobody was ever erased.
    pub async fn look_up(workspace: WorkspaceId, tx: &mut Tx, ids: &[(&str, &str)], addresses: &[&Address]) -> Result<Erased> {
        if !erasure::any(workspace, tx).await? {
            return Ok(Erased::default());
        }
        let name = workspace::name(workspace, tx).await?;
        let of_ids = ids.iter().map(|(kind, id)| mark(&name, kind, id));
        let of_addresses = addresses.iter().map(|address| mark(&name, "address", address.as_str()));
        let known = erasure::known(workspace, tx, &of_ids.chain(of_addresses).collect::<Vec<_>>()).await?;
        Ok(Erased { workspace: name, known })
    }

    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    fn at(&self, kind: &str, value: &str) -> Option<Timestamp> {
        if self.known.is_empty() {
            return None;
        }
        self.known.get(&mark(&self.workspace, kind, value)).copied()
    }

    /// When this id was erased.
    pub fn id(&self, kind: &str, id: &str) -> Option<Timestamp> {
        self.at(kind, id)
    }

    /// When the person with this address was erased.
    pub fn address(&self, address: &Address) -> Option<Timestamp> {
        self.at("address", address.as_str())
    }

    /// What becomes of an entry: what was written by or to an erased person before they were erased stays away; from what
    /// they only took part in they are taken out. What comes later is a new acquaintance.
    pub fn settle(&self, entry: &mut Entry, is_us: impl Fn(&Address) -> bool) -> Fate {
        if self.known.is_empty() {
            return Fate::Stays;
        }
        if self.at("entry", &entry.id).is_some() {
            return Fate::Gone;
        }
        let there =
            entry.participants.iter().filter_map(|p| p.address()).chain(entry.transcript.iter().filter_map(|t| Address::parse(t.email.as_deref()?)));
        let gone: Vec<Address> = there.filter(|address| self.address(address).is_some_and(|at| entry.occurred_at <= at)).collect();
        if gone.is_empty() {
            return Fate::Stays;
        }
        let mut person = Person { addresses: gone, names: Vec::new() };
        person.learn_names(entry);
        if belongs_to(entry, &person, &is_us) {
            return Fate::Gone;
        }
        Redactor::new(person, &[]).entry(entry);
        Fate::Stays
    }
}

/// A calendar without the persons who were erased: their lines go, and their names become blocks.
pub async fn without_erased(workspace: WorkspaceId, tx: &mut Tx, ics: &str) -> Result<String> {
    if !erasure::any(workspace, tx).await? {
        return Ok(ics.to_owned());
    }
    let unfolded = unfold(ics);
    let addresses: Vec<Address> =
        unfolded.split([':', ';', '"', '\r', '\n', '<', '>', ' ', ',']).filter(|word| word.contains('@')).filter_map(Address::parse).collect();
    let erased = Erased::look_up(workspace, tx, &[], &addresses.iter().collect::<Vec<_>>()).await?;
    let gone: Vec<Address> = addresses.into_iter().filter(|address| erased.address(address).is_some()).collect();
    if gone.is_empty() {
        return Ok(ics.to_owned());
    }
    let (theirs, others): (Vec<&str>, Vec<&str>) =
        unfolded.split_inclusive('\n').partition(|line| gone.iter().any(|address| line.to_lowercase().contains(address.as_str())) && is_person(line));
    let names = theirs
        .iter()
        .filter_map(|line| line.split("CN=").nth(1))
        .map(|rest| rest.trim_start_matches('"').split(['"', ';', ':']).next().unwrap_or_default().to_owned());
    let redactor = Redactor::new(Person { addresses: gone.clone(), names: names.collect() }, &[]);
    let rest = others.concat();
    Ok(redactor.text(&rest).unwrap_or(rest))
}

fn is_person(line: &str) -> bool {
    line.starts_with("ATTENDEE") || line.starts_with("ORGANIZER")
}

/// Long lines of calendars are folded anywhere, also in the middle of an address.
pub(super) fn unfold(ics: &str) -> String {
    ics.replace("\r\n ", "").replace("\r\n\t", "").replace("\n ", "").replace("\n\t", "")
}

/// Whether an entry is this person's own: they wrote it, or nobody else from outside took part.
pub(super) fn belongs_to(entry: &Entry, person: &Person, is_us: &impl Fn(&Address) -> bool) -> bool {
    use crate::domain::entry::ParticipantRole::From;
    let is_theirs = |name: Option<&str>, email: Option<&str>| person.is(name, email);
    let people = entry.participants.iter().map(|p| (p.name.as_deref(), p.email.as_deref()));
    let speakers = entry.transcript.iter().map(|t| (t.speaker.as_deref(), t.email.as_deref()));
    let took_part = people.clone().chain(speakers.clone()).any(|(name, email)| is_theirs(name, email));
    let wrote = entry.participants.iter().any(|p| p.role == From && is_theirs(p.name.as_deref(), p.email.as_deref()));
    let ours = |email: Option<&str>| email.and_then(Address::parse).is_some_and(|address| is_us(&address));
    let others = people.chain(speakers).any(|(name, email)| !is_theirs(name, email) && !ours(email) && (name.is_some() || email.is_some()));
    wrote || took_part && !others
}
