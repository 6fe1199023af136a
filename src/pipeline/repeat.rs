//! Near-equal mails count once: of those that one author sends to one account within a week, the first. Whether a mail
//! repeats another is decided by pairs, so that the order of arrival does not matter.

use std::time::Duration;

use jiff::Timestamp;

use crate::domain::WorkspaceId;
use crate::domain::entry::Flag;
use crate::ingest::likeness::is_alike;
use crate::store::change::{self, Action, NewChange};
use crate::store::repeat::{self, Said};
use crate::store::{Result, Tx, entry};

/// Said again later than this, it is meant again.
const WEEK: Duration = Duration::from_secs(7 * 86_400);

/// A mail is new to its account: says whether it repeats an earlier one, and of later ones that they repeat it.
pub async fn arrived(workspace: WorkspaceId, tx: &mut Tx, number: i64, now: Timestamp) -> Result<bool> {
    let Some(mail) = repeat::find(workspace, tx, number).await? else { return Ok(false) };
    let others = alike_around(workspace, tx, &mail, mail.occurred_at - WEEK).await?;
    let repeats = others.iter().any(|other| other.is_before(&mail));
    set(workspace, tx, &mail, repeats, now).await?;
    for later in others.iter().filter(|other| mail.is_before(other)) {
        set(workspace, tx, later, true, now).await?;
    }
    Ok(repeats)
}

/// A mail is no longer its account's: what only repeated it counts.
pub async fn left(workspace: WorkspaceId, tx: &mut Tx, gone: &Said, now: Timestamp) -> Result<()> {
    let others = alike_around(workspace, tx, gone, gone.occurred_at).await?;
    for later in others.iter().filter(|other| other.repeats && gone.is_before(other)) {
        let before = alike_around(workspace, tx, later, later.occurred_at - WEEK).await?;
        let repeats = before.iter().any(|other| other.number != gone.number && other.is_before(later));
        set(workspace, tx, later, repeats, now).await?;
    }
    Ok(())
}

async fn alike_around(workspace: WorkspaceId, tx: &mut Tx, mail: &Said, from: Timestamp) -> Result<Vec<Said>> {
    let mut others = repeat::others(workspace, tx, mail, from, mail.occurred_at + WEEK).await?;
    others.retain(|other| is_alike(other.likeness, mail.likeness));
    Ok(others)
}

async fn set(workspace: WorkspaceId, tx: &mut Tx, mail: &Said, repeats: bool, now: Timestamp) -> Result<()> {
    if mail.repeats == repeats {
        return Ok(());
    }
    repeat::set(workspace, tx, mail.number, repeats).await?;
    let Some(stored) = entry::by_numbers(workspace, tx, &[mail.number]).await?.pop() else { return Ok(()) };
    let mut flags = stored.flags.clone();
    flags.retain(|flag| *flag != Flag::Repeated);
    if repeats {
        flags.push(Flag::Repeated);
    }
    let about = NewChange {
        what: "entry",
        id: &stored.entry.id,
        number: Some(mail.number),
        account_id: stored.entry.account_id.as_deref(),
        action: Action::Updated,
    };
    let sequence = change::append(workspace, tx, about, now).await?;
    entry::set_flags(workspace, tx, &stored, &flags, sequence).await
}
