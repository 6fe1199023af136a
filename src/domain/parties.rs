//! What a workspace knows about the addresses at hand: whose they are.

use std::collections::{HashMap, HashSet};

use super::Address;
use super::address::with_parents;

/// The accounts and the side behind a set of addresses.
#[derive(Debug, Clone, Default)]
pub struct Parties {
    /// Account of each contact's address.
    pub contacts: HashMap<String, String>,
    /// Account of each account domain, free-mail providers left out.
    pub domains: HashMap<String, String>,
    pub us_domains: HashSet<String>,
    /// Addresses of team members.
    pub team: HashSet<String>,
}

impl Parties {
    /// Whether the address is one of ours: a team member's, or at one of our domains or below it.
    pub fn is_us(&self, address: &Address) -> bool {
        self.team.contains(address.as_str()) || with_parents(address.domain()).any(|d| self.us_domains.contains(d))
    }

    /// The account of the contact who has this address.
    pub fn contact_account(&self, address: &Address) -> Option<&str> {
        self.contacts.get(address.as_str()).map(String::as_str)
    }

    /// The account whose domain this address is at or below.
    pub fn domain_account(&self, address: &Address) -> Option<&str> {
        with_parents(address.domain()).find_map(|d| self.domains.get(d)).map(String::as_str)
    }
}
