//! An email address and the domain that tells whose it is.

use std::fmt;

/// A lower-cased `local@domain`. The only way in is [`Address::parse`], so a value is always well-formed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address(String);

impl Address {
    /// Reads one address; `None` when it has no single `@`, white space, control characters, or is over 320 bytes.
    pub fn parse(text: &str) -> Option<Address> {
        let text = text.trim().trim_matches(['<', '>']).trim_end_matches('.');
        let (local, domain) = text.rsplit_once('@')?;
        let bad = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '<' | '>' | ',' | ';');
        let well_formed = !local.is_empty() && is_domain_like(domain) && text.len() <= 320 && !text.contains(bad);
        well_formed.then(|| Address(text.to_lowercase()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn local(&self) -> &str {
        self.0.rsplit_once('@').map_or("", |(local, _)| local)
    }

    pub fn domain(&self) -> &str {
        self.0.rsplit_once('@').map_or("", |(_, domain)| domain)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_domain_like(domain: &str) -> bool {
    !domain.is_empty()
        && domain.split('.').all(|label| !label.is_empty())
        && domain.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '_'))
}

/// Lower-cases a domain as people write it (`@Acme.com`, `acme.com.`); `None` when it is not one.
pub fn parse_domain(text: &str) -> Option<String> {
    let domain = text.trim().trim_start_matches('@').trim_end_matches('.').to_lowercase();
    (domain.contains('.') && domain.len() <= 253 && is_domain_like(&domain)).then_some(domain)
}

/// The part of a domain that someone registered (`mail.acme.co.uk` → `acme.co.uk`), by the public suffix list;
/// the domain itself when it is a bare suffix.
pub fn registrable(domain: &str) -> &str {
    psl::domain_str(domain).unwrap_or(domain)
}

/// The domain and its parents down to the registrable one: `eu.mail.acme.com` → itself, `mail.acme.com`, `acme.com`.
pub fn with_parents(domain: &str) -> impl Iterator<Item = &str> {
    let shortest = registrable(domain).len();
    std::iter::successors(Some(domain), |d| d.split_once('.').map(|(_, parent)| parent)).take_while(move |d| d.len() >= shortest)
}

/// Whether anyone can have an address there, so that the domain says nothing about a company.
pub fn is_free_mail(domain: &str) -> bool {
    let registered = registrable(domain);
    FREE_MAIL.contains(&registered)
        // Providers with one domain per country: yahoo.co.jp, hotmail.fr, live.nl …
        || matches!(registered.split('.').next(), Some("yahoo" | "hotmail" | "outlook" | "live" | "ymail" | "rocketmail" | "gmx"))
}

/// Providers of personal mailboxes by number of users, with the large national ones.
const FREE_MAIL: &[&str] = &[
    "gmail.com",
    "googlemail.com",
    "msn.com",
    "passport.com",
    "windowslive.com",
    "icloud.com",
    "me.com",
    "mac.com",
    "aol.com",
    "aim.com",
    "verizon.net",
    "att.net",
    "sbcglobal.net",
    "bellsouth.net",
    "comcast.net",
    "cox.net",
    "charter.net",
    "earthlink.net",
    "juno.com",
    "netzero.net",
    "mail.com",
    "email.com",
    "usa.com",
    "inbox.com",
    "fastmail.com",
    "fastmail.fm",
    "proton.me",
    "protonmail.com",
    "protonmail.ch",
    "pm.me",
    "tutanota.com",
    "tutanota.de",
    "tuta.io",
    "hushmail.com",
    "zoho.com",
    "zohomail.com",
    "hey.com",
    "duck.com",
    "web.de",
    "t-online.de",
    "freenet.de",
    "arcor.de",
    "posteo.de",
    "mailbox.org",
    "online.de",
    "1und1.de",
    "orange.fr",
    "wanadoo.fr",
    "free.fr",
    "laposte.net",
    "sfr.fr",
    "neuf.fr",
    "libero.it",
    "virgilio.it",
    "alice.it",
    "tin.it",
    "tiscali.it",
    "tiscali.co.uk",
    "btinternet.com",
    "virginmedia.com",
    "ntlworld.com",
    "sky.com",
    "talktalk.net",
    "blueyonder.co.uk",
    "ziggo.nl",
    "kpnmail.nl",
    "xs4all.nl",
    "planet.nl",
    "telenet.be",
    "skynet.be",
    "bluewin.ch",
    "terra.com.br",
    "uol.com.br",
    "bol.com.br",
    "ig.com.br",
    "mail.ru",
    "bk.ru",
    "list.ru",
    "inbox.ru",
    "yandex.ru",
    "yandex.com",
    "ya.ru",
    "rambler.ru",
    "ukr.net",
    "wp.pl",
    "o2.pl",
    "onet.pl",
    "interia.pl",
    "seznam.cz",
    "centrum.cz",
    "abv.bg",
    "qq.com",
    "foxmail.com",
    "163.com",
    "126.com",
    "yeah.net",
    "sina.com",
    "sina.cn",
    "sohu.com",
    "139.com",
    "aliyun.com",
    "naver.com",
    "daum.net",
    "hanmail.net",
    "nate.com",
    "rediffmail.com",
    "telus.net",
    "shaw.ca",
    "rogers.com",
    "sympatico.ca",
    "videotron.ca",
    "bigpond.com",
    "optusnet.com.au",
    "xtra.co.nz",
    "users.noreply.github.com",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_lower_cased_and_a_broken_one_is_refused() {
        assert_eq!(Address::parse(" <Jane.Doe@Acme.COM> ").unwrap().as_str(), "jane.doe@acme.com");
        for broken in ["", "jane", "@acme.com", "jane@", "ja ne@acme.com", "a@b..com", "a@b,c@d"] {
            assert_eq!(Address::parse(broken), None, "{broken:?}");
        }
    }

    #[test]
    fn the_registrable_domain_knows_public_suffixes() {
        for (domain, registered) in
            [("mail.acme.com", "acme.com"), ("eu.mail.acme.co.uk", "acme.co.uk"), ("co.uk", "co.uk"), ("crm.larkfield.example", "larkfield.example")]
        {
            assert_eq!(registrable(domain), registered);
        }
        assert_eq!(with_parents("eu.mail.acme.com").collect::<Vec<_>>(), ["eu.mail.acme.com", "mail.acme.com", "acme.com"]);
    }

    #[test]
    fn free_mail_is_known_by_country_too() {
        for domain in ["gmail.com", "yahoo.co.jp", "hotmail.fr", "gmx.net", "web.de"] {
            assert!(is_free_mail(domain), "{domain}");
        }
        assert!(!is_free_mail("acme.com") && !is_free_mail("yahooligans.com"));
    }
}
