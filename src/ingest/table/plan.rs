//! Which column means what: said by a mapping, or guessed from the header.
//!
//! The lists below are the headers that HubSpot, Salesforce, Zendesk, Intercom, Freshdesk, Pipedrive, Google and Outlook
//! write in their exports, and those that people give their own tables. A field beginning with `~` is read on the way to
//! one of the contract's fields.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::domain::record::Kind;

/// What a person says about a table: `{"kind":"contact","columns":{"Wen?":"name"}}`. Columns that are not named are
/// left out.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mapping {
    pub kind: Kind,
    pub columns: BTreeMap<String, String>,
}

/// How to read the rows of one table.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    pub kind: Kind,
    /// The rows describe companies beside their people.
    pub(super) also_accounts: bool,
    /// Fields with the columns they are read from, in order of preference.
    pub(super) fields: Vec<(String, Vec<usize>)>,
}

/// A field and the headers it goes by, the best first.
type Known = (&'static str, &'static [&'static str]);

const COMPANY: &[Known] = &[
    (
        "account_id",
        &[
            "account id",
            "associated company ids primary",
            "associated company ids",
            "associated company id",
            "company id",
            "organization id",
            "deal organization id",
            "customer id",
        ],
    ),
    (
        "~account_name",
        &[
            "associated company primary",
            "account name",
            "associated company",
            "company name",
            "company",
            "organization name",
            "organization 1 name",
            "organization",
            "deal organization",
            "organisation",
            "customer",
            "client",
            "firma",
            "unternehmen",
            "kunde",
            "société",
            "entreprise",
            "client name",
            "empresa",
            "azienda",
            "bedrijf",
            "supplied company",
        ],
    ),
    ("~account_domain", &["company domain name", "company domain", "requester domain", "domain"]),
];

const CONTACT: &[Known] = &[
    ("id", &["contact id", "record id", "id", "user id", "unique external id", "person id"]),
    (
        "name",
        &[
            "full name",
            "name",
            "contact name",
            "display name",
            "contact person",
            "ansprechpartner",
            "kontakt",
            "nom complet",
            "contacto",
            "contatto",
            "contactpersoon",
        ],
    ),
    ("~first_name", &["first name", "firstname", "given name", "vorname", "prénom", "nombre", "nome", "voornaam"]),
    ("~middle_name", &["middle name", "additional name"]),
    (
        "~last_name",
        &["last name", "lastname", "surname", "family name", "nachname", "nom", "apellido", "apellidos", "sobrenome", "cognome", "achternaam"],
    ),
    ("title", &["job title", "organization title", "organization 1 title", "position", "funktion", "fonction", "cargo", "ruolo", "functie", "title"]),
    (
        "emails",
        &[
            "email",
            "e mail",
            "email address",
            "e mail address",
            "mail",
            "work email",
            "e mail 1 value",
            "email 1 value",
            "additional email addresses",
            "other emails",
            "e mail 2 value",
            "e mail 3 value",
            "e mail 2 address",
            "e mail 3 address",
            "email 2",
            "correo",
            "correo electrónico",
            "courriel",
            "adresse e mail",
        ],
    ),
    (
        "phone",
        &[
            "phone number",
            "phone",
            "work phone",
            "business phone",
            "phone 1 value",
            "mobile phone number",
            "mobile phone",
            "mobile",
            "phone 2 value",
            "telefon",
            "telephone",
            "téléphone",
            "teléfono",
            "telefono",
            "telefoon",
            "other phone",
        ],
    ),
    ("timezone", &["iana time zone", "time zone", "timezone"]),
    ("role", &["buying role", "contact role", "role"]),
    ("reports_to_id", &["reports to id"]),
    ("created_at", &["create date", "created date", "created at", "signed up utc", "created"]),
    ("~deleted", &["is deleted", "suspended"]),
    ("~support_role", &["role"]),
];

const ACCOUNT: &[Known] = &[
    ("id", &["record id", "company id", "account id", "organization id", "id", "customer number", "kundennummer", "kd nr", "number"]),
    (
        "name",
        &[
            "company name",
            "account name",
            "organization name",
            "name",
            "company",
            "firma",
            "unternehmen",
            "kunde",
            "société",
            "empresa",
            "azienda",
            "bedrijf",
        ],
    ),
    (
        "domains",
        &[
            "company domain name",
            "additional domains",
            "domains for this company",
            "domain names",
            "domains",
            "domain",
            "company website",
            "website url",
            "website",
            "web site",
            "webseite",
            "site web",
        ],
    ),
    ("industry", &["industry", "company industry", "branche", "secteur", "sector", "settore"]),
    ("employees", &["number of employees", "employees", "company size", "no of employees", "mitarbeiter", "organization fields employees"]),
    ("~city", &["city", "billing city", "ort", "stadt", "ville", "ciudad", "città"]),
    ("~region", &["state region", "billing state", "state", "region"]),
    ("~country", &["country region", "billing country", "country", "land", "pays", "país", "paese"]),
    ("timezone", &["time zone", "timezone"]),
    ("tier", &["tier", "account tier", "plan", "organization fields account tier"]),
    ("parent_id", &["parent id", "parent account id"]),
    ("owner_id", &["owner id"]),
    ("lifecycle_stage", &["lifecycle stage"]),
    ("tags", &["tags", "tag", "labels"]),
    ("~deleted", &["is deleted"]),
];

const DEAL: &[Known] = &[
    ("id", &["record id", "deal id", "opportunity id", "id"]),
    ("name", &["deal name", "opportunity name", "deal title", "name", "title"]),
    ("pipeline", &["pipeline", "deal pipeline"]),
    ("stage", &["deal stage", "stage name", "stage", "phase"]),
    ("status", &["deal status", "status"]),
    ("amount", &["amount", "deal value", "value", "deal amount", "wert", "betrag", "montant", "importe"]),
    ("currency", &["currency", "currency iso code", "amount currency", "deal currency of value", "currency of value", "deal currency", "währung"]),
    ("probability", &["deal probability", "probability", "probability"]),
    ("close_date", &["close date", "expected close date", "deal expected close date", "abschluss"]),
    ("owner_id", &["owner id"]),
    ("next_step", &["next step"]),
    ("created_at", &["create date", "created date", "deal deal created", "deal created", "created at", "created"]),
    ("stage_entered_at", &["date entered current stage", "last stage change date", "deal last stage change"]),
    ("closed_at", &["deal deal closed on", "deal closed on", "won time", "closed at"]),
    ("~is_won", &["is won"]),
    ("~is_closed", &["is closed"]),
    ("~deleted", &["is deleted"]),
];

const TICKET: &[Known] = &[
    ("id", &["ticket id", "case id", "id", "case number", "number"]),
    ("subject", &["ticket name", "subject", "title", "betreff"]),
    ("body", &["ticket description", "description", "body", "text"]),
    ("status", &["ticket status", "status"]),
    ("priority", &["priority", "priorität"]),
    ("escalated", &["is escalated", "escalated"]),
    ("created_at", &["create date", "created date", "created at", "created time", "created"]),
    ("solved_at", &["solved at", "resolved time", "closed date", "close date", "closed time"]),
    ("csat", &["csat"]),
    ("contact_id", &["contact id", "requester id", "associated contact ids"]),
    ("~contact_email", &["requester email", "email", "supplied email", "contact email"]),
    ("~deleted", &["is deleted"]),
];

const ENTRY: &[Known] = &[
    ("id", &["record id", "activity id", "id"]),
    ("type", &["activity type", "task subtype", "type", "what", "art", "kind", "activity"]),
    ("~date", &["activity date", "date", "datum", "when", "occurred at", "meeting start time", "start", "fecha", "data"]),
    ("~time", &["time", "uhrzeit", "zeit", "hora", "heure"]),
    ("~end", &["meeting end time", "end", "end time"]),
    ("subject", &["subject", "call title", "meeting name", "email subject", "title", "betreff", "thema"]),
    (
        "body",
        &["call notes", "note body", "email body", "description", "notes", "body", "comments", "comment", "notizen", "notiz", "summary", "text"],
    ),
    ("~agenda", &["meeting description", "agenda"]),
    ("~internal", &["internal meeting notes", "internal notes"]),
    ("direction", &["call direction", "email direction", "call type", "direction"]),
    ("disposition", &["call outcome", "call disposition", "outcome"]),
    ("~duration", &["call duration hh mm ss", "call duration", "call duration in seconds", "duration", "min", "minutes", "dauer"]),
    ("deal_id", &["associated deal ids", "deal id", "what id"]),
    ("~from", &["email from address", "from"]),
    ("~to", &["email to address", "to"]),
    (
        "~people",
        &["associated contact", "contact", "spoke with", "with", "participants", "attendees", "contact name", "ansprechpartner", "teilnehmer"],
    ),
    ("~completed", &["completed date time", "completed at"]),
    ("status", &["status"]),
    ("owner_id", &["owner id"]),
    ("~deleted", &["is deleted"]),
];

/// Plans how to read a table.
///
/// # Errors
/// When the mapping names a column or field that there is not, or when nothing in the header is recognised.
pub fn plan(header: &[String], mapping: Option<&Mapping>) -> Result<Plan, String> {
    if let Some(mapping) = mapping {
        return mapped(header, mapping);
    }
    let names: Vec<String> = header.iter().map(|name| normal(name)).collect();
    let has = |wanted: &[&str]| names.iter().any(|name| wanted.contains(&name.as_str()));
    let kind = if has(&["ticket id", "ticket name", "ticket status", "case number", "ticket type"])
        || (has(&["subject"]) && has(&["requester", "requester email"]))
    {
        Kind::Ticket
    } else if has(&["deal name", "deal stage", "stage name", "opportunity name", "deal title"]) {
        Kind::Deal
    } else if has(&["activity type", "activity date", "task subtype", "call duration in seconds"])
        || (has(&["date", "datum", "when"]) && has(ENTRY[6].1) && has(COMPANY[1].1))
    {
        Kind::Entry
    } else if has(CONTACT[6].1) || (has(CONTACT[2].1) && has(CONTACT[4].1)) || has(&["ansprechpartner", "contact person", "contact name"]) {
        Kind::Contact
    } else if has(ACCOUNT[1].1) {
        Kind::Account
    } else {
        let shown: Vec<&str> = header.iter().take(8).map(String::as_str).collect();
        return Err(format!("the columns ({}) are not recognised: say what they mean with --mapping FILE", shown.join(", ")));
    };
    let company_columns =
        kind == Kind::Contact && has(COMPANY[1].1) && has(&["industry", "branche", "employees", "mitarbeiter", "number of employees"]);
    let known = match kind {
        Kind::Ticket => [TICKET, COMPANY].concat(),
        Kind::Deal => [DEAL, COMPANY].concat(),
        Kind::Entry => [ENTRY, COMPANY].concat(),
        Kind::Contact => [CONTACT, COMPANY].concat(),
        _ => ACCOUNT.to_vec(),
    };
    let mut fields = find(&names, &known, "");
    if company_columns {
        fields.extend(find(&names, ACCOUNT, "account."));
        // The number of the row is the company's, not its contact's.
        fields.retain(|(field, _)| field != "id");
    }
    Ok(Plan { kind, also_accounts: company_columns, fields })
}

fn find(names: &[String], known: &[Known], prefix: &str) -> Vec<(String, Vec<usize>)> {
    let columns = |headers: &[&str]| -> Vec<usize> { headers.iter().filter_map(|header| names.iter().position(|name| name == header)).collect() };
    let found = known.iter().map(|(field, headers)| (format!("{prefix}{field}"), columns(headers)));
    found.filter(|(_, columns)| !columns.is_empty()).collect()
}

fn mapped(header: &[String], mapping: &Mapping) -> Result<Plan, String> {
    let known: &[&[Known]] = match mapping.kind {
        Kind::Account => &[ACCOUNT],
        Kind::Contact => &[CONTACT, COMPANY],
        Kind::Deal => &[DEAL, COMPANY],
        Kind::Ticket => &[TICKET, COMPANY],
        Kind::Entry => &[ENTRY, COMPANY],
        other => return Err(format!("a mapping makes account, contact, deal, ticket or entry records, not {other}")),
    };
    let mut fields: Vec<(String, Vec<usize>)> = Vec::new();
    for (column, field) in &mapping.columns {
        let at = header
            .iter()
            .position(|name| name == column)
            .ok_or_else(|| format!("the mapping names the column {column:?}, which the table does not have"))?;
        // People name what the contract names; a few steps on the way go by plain words.
        let plain = format!("~{field}");
        let known_as = known.iter().flat_map(|list| list.iter()).map(|(name, _)| *name).find(|name| *name == field || *name == plain);
        let Some(name) = known_as else {
            let names: Vec<&str> = known.iter().flat_map(|list| list.iter()).map(|(name, _)| name.trim_start_matches('~')).collect();
            return Err(format!("the mapping names the field {field:?}; a {} has {}", mapping.kind, names.join(" ")));
        };
        match fields.iter_mut().find(|(known, _)| known == name) {
            Some((_, columns)) => columns.push(at),
            None => fields.push((name.to_owned(), vec![at])),
        }
    }
    Ok(Plan { kind: mapping.kind, also_accounts: false, fields })
}

/// A header in one spelling: `CloseDate`, `Close Date`, `close_date` and `"Close date"` are the same.
pub(super) fn normal(name: &str) -> String {
    let mut spaced = String::with_capacity(name.len() + 4);
    let mut before = ' ';
    for c in name.chars() {
        if c.is_uppercase() && before.is_lowercase() {
            spaced.push(' ');
        }
        spaced.push(if c.is_alphanumeric() { c } else { ' ' });
        before = c;
    }
    let words = spaced.to_lowercase();
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(header: &str) -> Result<Kind, String> {
        plan(&header.split(',').map(str::to_owned).collect::<Vec<_>>(), None).map(|plan| plan.kind)
    }

    #[test]
    fn a_header_tells_what_its_rows_are() {
        for (header, expected) in [
            ("First Name,Last Name,E-mail,Company", Kind::Contact),
            ("name,email", Kind::Contact),
            ("Company name,Industry,Website", Kind::Account),
            ("Id,AccountId,Name,StageName,Amount", Kind::Deal),
            ("Ticket ID,Subject,Status", Kind::Ticket),
            ("Date,What,Customer,Notes", Kind::Entry),
        ] {
            assert_eq!(kind(header), Ok(expected), "{header}");
        }
        assert!(kind("foo,bar").unwrap_err().contains("--mapping"));
    }

    #[test]
    fn a_mapping_is_checked_against_the_table() {
        let header = ["Wen?".to_owned(), "Bude".to_owned()];
        let mapping = |json: &str| serde_json::from_str::<Mapping>(json).unwrap();
        assert!(plan(&header, Some(&mapping(r#"{"kind":"contact","columns":{"Wen?":"name","Bude":"account_name"}}"#))).is_ok());
        assert!(plan(&header, Some(&mapping(r#"{"kind":"contact","columns":{"Wer?":"name"}}"#))).unwrap_err().contains("does not have"));
        assert!(plan(&header, Some(&mapping(r#"{"kind":"contact","columns":{"Wen?":"colour"}}"#))).unwrap_err().contains("a contact has id name"));
    }
}
