//! Keys and sessions: made, recognised, ended. What is given out is random and kept as a hash only.

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};

use super::{PipelineError, Result, Service};
use crate::domain::WorkspaceId;
use crate::domain::role::Role;
use crate::store::key::{self, Key};
use crate::store::{Scope, audit};

/// A browser signs in again after so long.
pub const SESSION: SignedDuration = SignedDuration::from_hours(12);

/// How a key is recognised among other secrets, also by tools that look for leaked ones.
const PREFIX: &str = "rk_";

/// So many random bytes cannot be guessed: 256 bits.
fn random<const N: usize>() -> Result<String> {
    let mut bytes = [0_u8; N];
    getrandom::fill(&mut bytes).map_err(|e| PipelineError::Stopped(format!("the system gives no random numbers: {e}")))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// What is kept of a secret.
fn hash(secret: &str) -> String {
    Sha256::digest(secret).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A secret for one run of a server, for commands on the same data directory.
///
/// # Errors
/// When the system gives no random numbers.
pub fn pass() -> Result<String> {
    random::<32>()
}

/// What a new key is for.
#[derive(Debug, Clone)]
pub struct NewKey {
    pub role: Role,
    pub name: String,
    pub team_member_id: Option<String>,
}

/// Makes a key; the second value is the key itself, which nobody can show again.
///
/// # Errors
/// When the name or the team member cannot be meant.
pub async fn create(service: &Service, workspace: WorkspaceId, actor: &str, new: NewKey) -> Result<(Key, String)> {
    for (what, text) in [("name", Some(&new.name)), ("team_member", new.team_member_id.as_ref())] {
        if text.is_some_and(|text| text.trim().is_empty() || text.len() > 200 || text.chars().any(char::is_control)) {
            return Err(PipelineError::Invalid(format!("{what} is not 1 to 200 bytes without control characters")));
        }
    }
    let now = service.clock.now();
    let id = random::<4>()?;
    let secret = format!("{PREFIX}{id}_{}", random::<32>()?);
    let key = Key { id, role: new.role, name: new.name, team_member_id: new.team_member_id, created_at: now, last_used_at: None, revoked_at: None };
    let (kept, hash, actor) = (key.clone(), hash(&secret), actor.to_owned());
    let made = service.store.write(workspace, move |tx| {
        Box::pin(async move {
            key::insert(workspace, tx, &kept, &hash).await?;
            audit::add(workspace, tx, &actor, "key.create", &format!("{} {}", kept.id, kept.role), now).await
        })
    });
    made.await?;
    Ok((key, secret))
}

/// Ends a key at once.
///
/// # Errors
/// When there is no such key that lives.
pub async fn revoke(service: &Service, workspace: WorkspaceId, actor: &str, id: &str) -> Result<()> {
    let (now, actor, key_id) = (service.clock.now(), actor.to_owned(), id.to_owned());
    let revoked = service.store.write(workspace, move |tx| {
        Box::pin(async move {
            let revoked = key::revoke(workspace, tx, &key_id, now).await?;
            if revoked {
                audit::add(workspace, tx, &actor, "key.revoke", &key_id, now).await?;
            }
            Ok(revoked)
        })
    });
    if revoked.await? { Ok(()) } else { Err(PipelineError::NotFound(format!("key {id:?}"))) }
}

/// Whose key this is, while it lives.
///
/// # Errors
/// When the store cannot be read.
pub async fn of_key(service: &Service, secret: &str) -> Result<Option<(WorkspaceId, Key)>> {
    if !secret.starts_with(PREFIX) {
        return Ok(None);
    }
    let mut tx = service.store.read(Scope::All).await?;
    Ok(key::by_hash(&mut tx, &hash(secret)).await?)
}

/// Whose session this is, while it and its key live.
///
/// # Errors
/// When the store cannot be read.
pub async fn of_session(service: &Service, cookie: &str) -> Result<Option<(WorkspaceId, Key)>> {
    let mut tx = service.store.read(Scope::All).await?;
    Ok(key::by_session(&mut tx, &hash(cookie), service.clock.now()).await?)
}

/// Opens a session for whoever has a key; returns what the browser keeps, or none when the key is not one.
///
/// # Errors
/// When the store fails.
pub async fn open_session(service: &Service, secret: &str) -> Result<Option<(Key, String)>> {
    let Some((workspace, key)) = of_key(service, secret).await? else { return Ok(None) };
    let cookie = random::<32>()?;
    let (now, id, hash) = (service.clock.now(), key.id.clone(), hash(&cookie));
    let opened = service.store.write(workspace, move |tx| {
        Box::pin(async move {
            key::open_session(workspace, tx, &hash, &id, now + SESSION).await?;
            audit::add(workspace, tx, &id, "session.open", &id, now).await
        })
    });
    opened.await?;
    Ok(Some((key, cookie)))
}

/// Ends a session.
///
/// # Errors
/// When the store fails.
pub async fn close_session(service: &Service, workspace: WorkspaceId, actor: &str, cookie: &str) -> Result<()> {
    let (now, actor, hash) = (service.clock.now(), actor.to_owned(), hash(cookie));
    let closed = service.store.write(workspace, move |tx| {
        Box::pin(async move {
            key::close_session(workspace, tx, &hash).await?;
            audit::add(workspace, tx, &actor, "session.close", &actor, now).await
        })
    });
    Ok(closed.await?)
}

/// Notes that a key was used.
///
/// # Errors
/// When the store fails.
pub async fn note_use(service: &Service, workspace: WorkspaceId, id: String, now: Timestamp) -> Result<()> {
    Ok(service.store.write(workspace, move |tx| Box::pin(async move { key::used(workspace, tx, &id, now).await })).await?)
}
