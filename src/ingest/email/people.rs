//! Who wrote a mail and who got it; a list address is nobody.

use mail_parser::{Address as MailAddress, HeaderValue, Message};

use crate::domain::Address;
use crate::domain::entry::{Participant, ParticipantRole};
use crate::ingest::concealed;
use crate::ingest::text::clean;

/// The From participant and the author's address; a list that put itself into From keeps the author in Reply-To.
pub(super) fn author_of(message: &Message, lists: &[Address]) -> (Option<Participant>, Option<Address>) {
    let first = |address: Option<&MailAddress>| {
        address.into_iter().flat_map(|a| a.iter()).find_map(|a| Some((a.name().map(shown), Address::parse(a.address()?)?)))
    };
    let (mut name, mut address) = match first(message.header_values("From").find_map(HeaderValue::as_address)).or_else(|| first(message.sender())) {
        Some((name, address)) => (name, Some(address)),
        None => (None, None),
    };
    if address.as_ref().is_some_and(|a| is_list(a, lists)) {
        name = name.map(|name| match name.rfind(" via ") {
            Some(via) => name[..via].trim_matches(['"', '\'', ' ']).to_owned(),
            None => name,
        });
        let reply_to = message.reply_to().into_iter().flat_map(|a| a.iter());
        let author =
            reply_to.filter_map(|a| Some((a.name().map(shown), Address::parse(a.address()?)?))).find(|(_, address)| !is_list(address, lists));
        match author {
            Some((author_name, author)) => (name, address) = (author_name.or(name), Some(author)),
            None => address = None,
        }
    }
    let participant = (name.is_some() || address.is_some()).then(|| Participant {
        role: ParticipantRole::From,
        name: name.filter(|n| !n.is_empty()),
        email: address.as_ref().map(Address::to_string),
    });
    (participant, address)
}

pub(super) fn people<'a>(values: impl Iterator<Item = &'a HeaderValue<'a>>) -> Vec<(Option<String>, Address)> {
    values
        .filter_map(HeaderValue::as_address)
        .flat_map(|a| a.iter())
        .filter_map(|a| Some((a.name().map(shown).filter(|n| !n.is_empty()), Address::parse(a.address()?)?)))
        .collect()
}

/// The addresses of the mailing lists this mail went through, from the headers that lists set.
pub(super) fn list_addresses(message: &Message) -> Vec<Address> {
    let mut lists: Vec<Address> = Vec::new();
    let mut add = |address: Option<Address>| {
        if let Some(address) = address.filter(|a| !lists.contains(a)) {
            lists.push(address);
        }
    };
    add(message.header_raw("X-BeenThere").and_then(Address::parse));
    if let Some(post) = message.header_raw("List-Post") {
        add(post.split("mailto:").nth(1).and_then(|rest| Address::parse(rest.split(['>', '?']).next()?)));
    }
    if let Some(id) = message.header_raw("List-Id") {
        // `Description <name.lists.example>`: the first label is the mailbox.
        let id = id.rsplit_once('<').map_or(id, |(_, id)| id).trim().trim_end_matches('>');
        add(id.split_once('.').and_then(|(name, host)| Address::parse(&format!("{name}@{host}"))));
    }
    lists
}

/// A list address is nobody.
pub(super) fn is_list(address: &Address, lists: &[Address]) -> bool {
    let host = address.domain();
    lists.contains(address)
        || lists.iter().any(|list| list.domain() == host && host.starts_with("lists."))
        || ["lists.", "list.", "groups.", "googlegroups."].iter().any(|prefix| host.starts_with(prefix))
}

/// A name as it is seen.
fn shown(name: &str) -> String {
    concealed::without(&clean(name)).0
}
