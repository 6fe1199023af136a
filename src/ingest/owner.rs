//! Whose customer is this? The contact's address decides, then the account's domain, then, for our own mail, the
//! thread it answers. Nobody's mail is unmatched.

use std::collections::BTreeMap;

use crate::domain::address::{is_free_mail, registrable};
use crate::domain::{Address, Parties};

words! {
    /// The rule that tied an entry to its account.
    Rule {
        /// The record said so.
        Given = "given",
        Contact = "contact",
        Domain = "domain",
        /// It answers a mail of that account.
        Thread = "thread",
    }
}

/// The account of a mail by the people on it. The author speaks for a mail from outside; a mail of ours is to the
/// first recipient who is somebody's. `None`: unmatched, or for our own mail whatever the thread says.
pub fn owner(parties: &Parties, author: Option<&Address>, recipients: &[Address]) -> Option<(String, Rule)> {
    let outside = author.filter(|a| !parties.is_us(a));
    let candidates: Vec<&Address> = match outside {
        Some(author) => vec![author],
        None => recipients.iter().filter(|r| !parties.is_us(r)).collect(),
    };
    let contact = candidates.iter().find_map(|a| parties.contact_account(a)).map(|id| (id.to_owned(), Rule::Contact));
    contact.or_else(|| candidates.iter().find_map(|a| parties.domain_account(a)).map(|id| (id.to_owned(), Rule::Domain)))
}

/// The account of a call or meeting: everybody from outside counts alike, contacts before domains; of several accounts
/// the one with most people, then the first by id, so that the order of people does not matter.
pub fn owner_of_meeting(parties: &Parties, people: &[Address]) -> Option<(String, Rule)> {
    let outside = || people.iter().filter(|a| !parties.is_us(a));
    let most = |accounts: Vec<&str>, rule: Rule| {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for account in accounts {
            *counts.entry(account).or_default() += 1;
        }
        let (account, _) = counts.into_iter().min_by_key(|(id, count)| (std::cmp::Reverse(*count), *id))?;
        Some((account.to_owned(), rule))
    };
    most(outside().filter_map(|a| parties.contact_account(a)).collect(), Rule::Contact)
        .or_else(|| most(outside().filter_map(|a| parties.domain_account(a)).collect(), Rule::Domain))
}

/// Who a mail without an account waits under: its author, or the first stranger our own mail is to.
pub fn stranger<'a>(parties: &Parties, author: Option<&'a Address>, recipients: &'a [Address]) -> Option<&'a Address> {
    author.filter(|a| !parties.is_us(a)).or_else(|| recipients.iter().find(|r| !parties.is_us(r)))
}

/// The domain an account would be made of: the registrable one, never a free-mail provider or a bare suffix.
pub fn business_domain(address: &Address) -> Option<&str> {
    let domain = registrable(address.domain());
    let local = address.local();
    let nobody = ["mailer-daemon", "postmaster", "noreply", "no-reply", "donotreply", "do-not-reply"].contains(&local);
    (!is_free_mail(domain) && !nobody && psl::domain_str(address.domain()).is_some()).then_some(domain)
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use super::*;

    fn address(text: &str) -> Address {
        Address::parse(text).unwrap()
    }

    fn parties() -> Parties {
        Parties {
            contacts: HashMap::from([("ann@gmail.com".into(), "acme".into()), ("pat@corp.example".into(), "acme".into())]),
            domains: HashMap::from([("acme.co.uk".into(), "acme".into()), ("corp.example".into(), "corp".into())]),
            us_domains: HashSet::from(["us.example".into()]),
            team: HashSet::from(["freelancer@gmail.com".into()]),
        }
    }

    fn owner(author: &str, recipients: &[&str]) -> Option<(String, Rule)> {
        let recipients: Vec<_> = recipients.iter().map(|r| address(r)).collect();
        super::owner(&parties(), Some(&address(author)), &recipients)
    }

    #[test]
    fn the_contact_comes_before_the_domain() {
        assert_eq!(owner("pat@corp.example", &["jo@us.example"]), Some(("acme".into(), Rule::Contact)));
        assert_eq!(owner("lee@corp.example", &["jo@us.example"]), Some(("corp".into(), Rule::Domain)));
        assert_eq!(owner("ann@gmail.com", &[]), Some(("acme".into(), Rule::Contact)));
        assert_eq!(owner("bob@gmail.com", &["pat@corp.example"]), None, "the author speaks for a mail from outside");
    }

    #[test]
    fn domains_match_below_but_not_beside() {
        assert_eq!(owner("x@eu.mail.acme.co.uk", &[]), Some(("acme".into(), Rule::Domain)));
        assert_eq!(owner("x@notacme.co.uk", &[]), None);
    }

    #[test]
    fn our_own_mail_belongs_to_whom_it_is_to() {
        assert_eq!(owner("jo@us.example", &["mia@us.example", "lee@corp.example"]), Some(("corp".into(), Rule::Domain)));
        assert_eq!(owner("freelancer@gmail.com", &["lee@corp.example", "ann@gmail.com"]), Some(("acme".into(), Rule::Contact)));
        assert_eq!(owner("jo@us.example", &["list@elsewhere.example"]), None);
    }

    #[test]
    fn a_meeting_belongs_to_the_account_of_most_of_its_guests() {
        let meeting = |people: &[&str]| owner_of_meeting(&parties(), &people.iter().map(|p| address(p)).collect::<Vec<_>>());
        assert_eq!(meeting(&["jo@us.example", "a@corp.example", "b@acme.co.uk", "c@acme.co.uk"]), Some(("acme".into(), Rule::Domain)));
        assert_eq!(meeting(&["a@corp.example", "b@corp.example", "ann@gmail.com"]), Some(("acme".into(), Rule::Contact)));
        assert_eq!(meeting(&["jo@us.example", "x@nowhere.example"]), None);
    }

    #[test]
    fn free_mail_and_robots_never_make_an_account() {
        assert_eq!(business_domain(&address("a@mail.acme.co.uk")), Some("acme.co.uk"));
        for nobody in ["a@gmail.com", "a@yahoo.co.jp", "a@co.uk", "noreply@acme.com", "mailer-daemon@acme.com"] {
            assert_eq!(business_domain(&address(nobody)), None, "{nobody}");
        }
    }
}
