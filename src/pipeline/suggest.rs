//! Completions of a query as it is typed: operators, their values, and words that were written.

use serde::Serialize;
use utoipa::ToSchema;

use super::{Result, Service, blocking};
use crate::domain::WorkspaceId;
use crate::domain::entry::EntryType;
use crate::domain::period;
use crate::domain::record::{Contact, Kind, TeamMember};
use crate::index::query::MIN_PREFIX;
use crate::index::query::operator::{self, OPERATORS, Values};
use crate::index::tokenizer::words;
use crate::store::{account, record};

/// One way to go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Completion {
    /// What takes the place of the words from `start` on.
    pub text: String,
    /// What an operator means; none for values and words.
    pub means: Option<String>,
}

/// Ways to go on, best first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Completions {
    /// The character (0-based) from which on a completion takes the place of what was typed.
    pub start: usize,
    pub items: Vec<Completion>,
}

/// How the text of a query may go on.
///
/// # Errors
/// When the store or the index cannot be read.
pub async fn suggest(service: &Service, workspace: WorkspaceId, text: &str, limit: usize) -> Result<Completions> {
    let (start, token) = last_token(text);
    let mut items = match token.split_once(':').and_then(|(name, value)| Some((operator::named(name)?, value))) {
        Some((operator, value)) => {
            let values = values(service, workspace, operator.values, value.trim_start_matches(['"', '“']), limit).await?;
            let complete = |value: String| Completion { text: format!("{}:{}", operator.name, quoted(&value)), means: None };
            values.into_iter().map(complete).collect()
        }
        None => {
            let operators = OPERATORS.iter().filter(|operator| operator.name.starts_with(token));
            let mut items: Vec<Completion> =
                operators.map(|operator| Completion { text: format!("{}:", operator.name), means: Some(operator.means.to_owned()) }).collect();
            let written = written(service, workspace, token, limit).await?;
            items.extend(written.into_iter().map(|word| Completion { text: word, means: None }));
            items
        }
    };
    items.truncate(limit);
    Ok(Completions { start, items })
}

/// What is being typed at the end of a text, and the character where it begins. A value between quotation marks may hold spaces.
fn last_token(text: &str) -> (usize, &str) {
    let (mut begin, mut open) = (0, false);
    for (at, c) in text.char_indices() {
        match c {
            '"' | '“' | '”' => open = !open,
            c if !open && (c.is_whitespace() || c == '(') => begin = at + c.len_utf8(),
            '-' if !open && at == begin => begin = at + 1,
            _ => {}
        }
    }
    (text[..begin].chars().count(), &text[begin..])
}

/// In quotation marks where it would fall into pieces.
fn quoted(value: &str) -> String {
    if value.contains(|c: char| c.is_whitespace() || matches!(c, '(' | ')')) { format!("\"{}\"", value.replace('"', "")) } else { value.to_owned() }
}

async fn values(service: &Service, workspace: WorkspaceId, values: Values, typed: &str, limit: usize) -> Result<Vec<String>> {
    let most = i64::try_from(limit).unwrap_or(20);
    let begins = |value: &&str| value.starts_with(&typed.to_lowercase());
    let of = |all: &[&str]| all.iter().filter(|value| begins(value)).map(|value| (*value).to_owned()).collect();
    Ok(match values {
        Values::OneOf(all) => of(all),
        Values::Period => of(&period::EXAMPLES),
        Values::Age => of(&["7d", "30d", "2w", "3m", "1y"]),
        Values::Score => of(&["<-0.3", ">0.3"]),
        Values::Types => {
            // Several may be named: the last one is being typed.
            let (before, last) = typed.rsplit_once(',').map_or(("", typed), |(before, last)| (before, last));
            let names = std::iter::once("email").chain(EntryType::ALL.iter().map(|one| one.as_str()));
            let join = |name: &str| if before.is_empty() { name.to_owned() } else { format!("{before},{name}") };
            names.filter(|name| name.starts_with(last)).map(join).collect()
        }
        Values::Accounts => {
            let mut tx = service.store.read(workspace).await?;
            let (rows, _) = account::list(workspace, &mut tx, Some(typed), account::Sort::Name, None, most).await?;
            rows.into_iter().map(|row| row.name).collect()
        }
        Values::People => people(service, workspace, typed, most).await?,
        Values::Words => written(service, workspace, typed, limit).await?,
        Values::Id => Vec::new(),
    })
}

/// Names of contacts and team members whose name or address holds what was typed.
async fn people(service: &Service, workspace: WorkspaceId, typed: &str, most: i64) -> Result<Vec<String>> {
    let mut tx = service.store.read(workspace).await?;
    let mut names = Vec::new();
    for stored in record::list(workspace, &mut tx, Kind::Contact, None, Some(typed), None, most).await?.0 {
        let contact: Contact = stored.read()?;
        names.extend(contact.name.or_else(|| contact.emails.first().cloned()));
    }
    for stored in record::list(workspace, &mut tx, Kind::TeamMember, None, Some(typed), None, most).await?.0 {
        let member: TeamMember = stored.read()?;
        names.extend(member.name.or(member.email));
    }
    names.sort();
    names.dedup();
    Ok(names)
}

/// The most frequent words that begin like the last one typed.
async fn written(service: &Service, workspace: WorkspaceId, typed: &str, limit: usize) -> Result<Vec<String>> {
    let Some(prefix) = words(typed).last().map(|word| word.text).filter(|word| word.chars().count() >= MIN_PREFIX) else {
        return Ok(Vec::new());
    };
    let Some(index) = service.index.of(workspace)? else { return Ok(Vec::new()) };
    Ok(blocking(move || index.words_beginning(&prefix, limit)).await??)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_being_typed_is_the_last_part() {
        for (text, found) in [
            ("", (0, "")),
            ("ren", (0, "ren")),
            ("price -fro", (7, "fro")),
            ("(subj", (1, "subj")),
            ("a from:\"Ann L", (2, "from:\"Ann L")),
            ("\"a b\" é has:q", (8, "has:q")),
            ("renewal ", (8, "")),
        ] {
            assert_eq!(last_token(text), found, "{text}");
        }
    }
}
