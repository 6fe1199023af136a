//! Who may ask what: one table of all routes, and who a request speaks for.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use axum::extract::{MatchedPath, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use percent_encoding::percent_decode;
use sha2::{Digest, Sha256};

use super::App;
use super::connections::Peer;
use super::guard::{is_local_request, is_same_origin};
use super::problem::Problem;
use super::session::cookie;
use crate::domain::WorkspaceId;
use crate::domain::role::Role::{self, Admin, Rep, Viewer, Writer};
use crate::pipeline::{Result as PipelineResult, keys};
use crate::store::key::Key;
use crate::store::{Scope, key, workspace};

/// Whom a request speaks for.
#[derive(Debug, Clone)]
pub struct Caller {
    pub workspace: WorkspaceId,
    pub role: Role,
    /// The id of the key; `local` without keys; `command line` for commands on the data directory.
    pub actor: Arc<str>,
    /// Whether it is a key that may be ended.
    pub by_key: bool,
    pub team_member_id: Option<String>,
}

/// Who may call a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// Also callers without a key: nothing of a workspace shows.
    Anyone,
    Roles(&'static [Role]),
}

const READ: Who = Who::Roles(&[Admin, Rep, Viewer]);
const ACT: Who = Who::Roles(&[Admin, Rep]);
const TAKE: Who = Who::Roles(&[Admin, Writer]);
const RUN: Who = Who::Roles(&[Admin]);
const ANY_KEY: Who = Who::Roles(&[Admin, Writer, Rep, Viewer]);

/// Every route with who may call it. A route that is not here is closed to everybody.
pub const TABLE: &[(&str, &str, Who)] = &[
    ("POST", "/v1/records", TAKE),
    ("POST", "/v1/emails", TAKE),
    ("POST", "/v1/transcripts", TAKE),
    ("POST", "/v1/calendars", TAKE),
    ("POST", "/v1/tables", TAKE),
    ("POST", "/v1/cards", TAKE),
    ("POST", "/v1/chats", TAKE),
    ("PATCH", "/v1/entries/{id}", ACT),
    ("PATCH", "/v1/entries/{id}/transcript", ACT),
    ("GET", "/v1/workspace", ANY_KEY),
    ("GET", "/v1/accounts", READ),
    ("GET", "/v1/accounts/{id}", READ),
    ("GET", "/v1/accounts/{id}/360", READ),
    ("GET", "/v1/accounts/{id}/timeline", READ),
    ("GET", "/v1/contacts", READ),
    ("DELETE", "/v1/contacts/{id}", RUN),
    ("GET", "/v1/erasures", RUN),
    ("GET", "/v1/erasures/{id}", RUN),
    ("GET", "/v1/unmatched", ANY_KEY),
    ("POST", "/v1/unmatched/{domain}", ACT),
    ("GET", "/v1/entries/{id}", READ),
    ("GET", "/v1/entries/{id}/attachments/{n}", READ),
    ("GET", "/v1/entries/{id}/attachments/{n}/text", READ),
    ("POST", "/v1/threads/merge", ACT),
    ("POST", "/v1/threads/split", ACT),
    ("GET", "/v1/search", READ),
    ("GET", "/v1/search/answer", READ),
    ("GET", "/v1/search/suggest", READ),
    ("GET", "/v1/accounts/{id}/sentiment", READ),
    ("GET", "/v1/accounts/{id}/summary", READ),
    ("GET", "/v1/accounts/{id}/summary/versions", READ),
    ("POST", "/v1/accounts/{id}/summary/refresh", ACT),
    ("GET", "/v1/events", READ),
    ("GET", "/v1/jobs", READ),
    ("POST", "/v1/reindex", RUN),
    ("POST", "/v1/verify", RUN),
    ("GET", "/v1/keys", RUN),
    ("POST", "/v1/keys", RUN),
    ("DELETE", "/v1/keys/{id}", RUN),
    ("GET", "/v1/audit", RUN),
    ("POST", "/session", Who::Anyone),
    ("GET", "/session", ANY_KEY),
    ("DELETE", "/session", ANY_KEY),
    ("GET", "/healthz", Who::Anyone),
    ("GET", "/readyz", Who::Anyone),
    ("GET", "/metrics", RUN),
    ("GET", "/openapi.json", Who::Anyone),
    ("GET", "/docs", Who::Anyone),
    ("GET", "/docs/", Who::Anyone),
    ("GET", "/docs/{*rest}", Who::Anyone),
];

fn row(method: &Method, path: &str) -> Option<Who> {
    // HEAD is GET without the body.
    let method = if method == Method::HEAD { "GET" } else { method.as_str() };
    TABLE.iter().find(|(m, p, _)| *m == method && *p == path).map(|(.., who)| *who)
}

/// How often an address may come with a wrong key in a minute before it is told to wait: an office behind one address whose
/// programs all have yesterday's key is below that, whoever guesses is not.
const WRONG_A_MINUTE: u32 = 300;
/// Addresses and keys remembered at most.
const REMEMBERED: usize = 10_000;
/// For so long it is remembered whose a key is and whether anybody has one, in milliseconds: what another process changes
/// counts after that at the latest, what this one changes at once.
const FRESH: i64 = 1_000;

const UNPOISONED: &str = "nothing panics while holding this lock";

/// What the door remembers between requests.
#[derive(Debug)]
pub struct Door {
    /// Whether callers without a key may be let in at all: only where nobody else can reach the server.
    local: bool,
    /// Hash of the secret that commands on the data directory know.
    pass: [u8; 32],
    anybody: AtomicBool,
    looked_at: AtomicI64,
    /// By address: the minute, and wrong keys in it.
    wrong: Mutex<HashMap<IpAddr, (i64, u32)>>,
    /// By key: the minute of its last use.
    used: Mutex<HashMap<String, i64>>,
    /// Whose a key or session was a moment ago, by the hash of what was presented: a flood asks the database once a second.
    known: Mutex<HashMap<[u8; 32], (i64, WorkspaceId, Key)>>,
}

impl Door {
    pub fn new(local: bool, pass: &str) -> Door {
        Door {
            local,
            pass: Sha256::digest(pass).into(),
            anybody: AtomicBool::new(false),
            looked_at: AtomicI64::new(i64::MIN),
            wrong: Mutex::default(),
            used: Mutex::default(),
            known: Mutex::default(),
        }
    }

    /// Looks again at the next request, as a key was made or ended, or a session was.
    pub fn look_again(&self) {
        self.looked_at.store(i64::MIN, Ordering::Relaxed);
        self.known.lock().expect(UNPOISONED).clear();
    }

    /// Whose this secret is: as the database says, or said less than a second ago.
    async fn whose(&self, app: &App, secret: &str, is_session: bool) -> PipelineResult<Option<(WorkspaceId, Key)>> {
        let (hash, now) = (<[u8; 32]>::from(Sha256::digest(secret)), app.service.clock.now().as_millisecond());
        let known = self.known.lock().expect(UNPOISONED).get(&hash).filter(|(at, ..)| (now - at).unsigned_abs() < FRESH.unsigned_abs()).cloned();
        if let Some((_, workspace, key)) = known {
            return Ok(Some((workspace, key)));
        }
        let found = if is_session { keys::of_session(&app.service, secret).await? } else { keys::of_key(&app.service, secret).await? };
        let mut known = self.known.lock().expect(UNPOISONED);
        if known.len() >= REMEMBERED {
            known.clear();
        }
        if let Some((workspace, key)) = &found {
            known.insert(hash, (now, *workspace, key.clone()));
        }
        Ok(found)
    }

    /// Whether this server is without keys, and only reached from this machine.
    async fn is_open(&self, app: &App) -> PipelineResult<bool> {
        if !self.local {
            return Ok(false);
        }
        let now = app.service.clock.now().as_millisecond();
        if now.saturating_sub(self.looked_at.load(Ordering::Relaxed)).unsigned_abs() > FRESH.unsigned_abs() {
            let mut tx = app.service.store.read(Scope::All).await?;
            self.anybody.store(key::any(&mut tx).await?, Ordering::Relaxed);
            self.looked_at.store(now, Ordering::Relaxed);
        }
        Ok(!self.anybody.load(Ordering::Relaxed))
    }

    /// What is said to whoever came with a wrong key.
    pub fn unknown(&self, peer: Option<Peer>, now: Timestamp) -> Problem {
        if self.wrong_key(peer.map(|peer| peer.0.ip()), now.as_second().div_euclid(60)) {
            return Problem::too_many("too many wrong keys came from this address; try again in a minute", 60);
        }
        Problem::unauthorized()
    }

    /// Counts a wrong key; true when the address has come with too many.
    fn wrong_key(&self, address: Option<IpAddr>, minute: i64) -> bool {
        let Some(address) = address else { return false };
        let mut wrong = self.wrong.lock().expect(UNPOISONED);
        if wrong.len() >= REMEMBERED {
            wrong.retain(|_, (at, _)| *at == minute);
        }
        let (at, count) = wrong.entry(address).or_insert((minute, 0));
        if *at != minute {
            (*at, *count) = (minute, 0);
        }
        *count += 1;
        *count > WRONG_A_MINUTE
    }

    /// Whether a key's use is to be noted: once a minute.
    fn first_use(&self, key_id: &str, minute: i64) -> bool {
        let mut used = self.used.lock().expect(UNPOISONED);
        if used.len() >= REMEMBERED {
            used.clear();
        }
        used.insert(key_id.to_owned(), minute) != Some(minute)
    }
}

/// Lets a request in if its caller may call the route; handlers find the [`Caller`] with it.
pub async fn authenticate(State(app): State<App>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    match admit(&app, &parts).await {
        Ok(caller) => {
            if let Some(caller) = caller {
                parts.extensions.insert(caller);
            }
            next.run(Request::from_parts(parts, body)).await
        }
        Err(problem) => problem.into_response(),
    }
}

async fn admit(app: &App, parts: &Parts) -> Result<Option<Caller>, Problem> {
    let path = parts.extensions.get::<MatchedPath>().map(MatchedPath::as_str);
    // What is nowhere answers for itself: there is nothing under this path, or not this method.
    let who = path.and_then(|path| row(&parts.method, path));
    let exists = path.is_some_and(|path| TABLE.iter().any(|(_, p, _)| *p == path));
    let open = app.door.is_open(app).await?;
    if open && !is_local_request(parts) {
        return Err(Problem::forbidden(
            "this server has no keys and answers only under localhost or a loopback address, and to no pages of other sites",
        ));
    }
    let roles = match who {
        Some(Who::Anyone) => return Ok(None),
        None if path.is_none() || exists => return Ok(None),
        None => return Err(Problem::forbidden("nobody may call this route")),
        Some(Who::Roles(roles)) => roles,
    };
    let caller = identify(app, parts, open).await?;
    if !roles.contains(&caller.role) {
        let may: Vec<&str> = roles.iter().map(|role| role.as_str()).collect();
        return Err(Problem::forbidden(format!("a key of role {} may not do this; it takes {}", caller.role, may.join(" or "))));
    }
    Ok(Some(caller))
}

/// Whom a request speaks for.
async fn identify(app: &App, parts: &Parts, open: bool) -> Result<Caller, Problem> {
    let now = app.service.clock.now();
    let minute = now.as_second().div_euclid(60);
    let bearer = parts.headers.get(header::AUTHORIZATION).map(|value| {
        let value = value.to_str().unwrap_or_default();
        value.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")).map_or("", |(_, key)| key.trim())
    });
    let found = match bearer {
        Some(secret) if <[u8; 32]>::from(Sha256::digest(secret)) == app.door.pass => return command_line(app, &parts.headers).await,
        Some(secret) => app.door.whose(app, secret, false).await?,
        None => match cookie(&parts.headers) {
            Some(cookie) => {
                if !matches!(parts.method, Method::GET | Method::HEAD) && !is_same_origin(&parts.headers) {
                    return Err(Problem::forbidden("a browser session may only be used by the pages of this server"));
                }
                app.door.whose(app, cookie, true).await?
            }
            None if open => {
                let actor = "local".into();
                return Ok(Caller { workspace: app.workspace, role: Role::Admin, actor, by_key: false, team_member_id: None });
            }
            None => None,
        },
    };
    let Some((workspace, key)) = found else {
        let presented = bearer.is_some() || cookie(&parts.headers).is_some();
        return Err(if presented { app.door.unknown(parts.extensions.get::<Peer>().copied(), now) } else { Problem::unauthorized() });
    };
    if app.door.first_use(&key.id, minute) {
        let (service, id) = (app.service.clone(), key.id.clone());
        tokio::spawn(async move {
            if let Err(error) = keys::note_use(&service, workspace, id, now).await {
                tracing::warn!(%error, "noting the use of a key");
            }
        });
    }
    Ok(Caller { workspace, role: key.role, actor: key.id.into(), by_key: true, team_member_id: key.team_member_id })
}

/// A command on the data directory: it knows the secret that lies there, and says which workspace it means.
async fn command_line(app: &App, headers: &HeaderMap) -> Result<Caller, Problem> {
    let workspace = match headers.get("rapport-workspace") {
        None => app.workspace,
        Some(name) => {
            // Written as in a path, as headers hold ASCII only.
            let name =
                percent_decode(name.as_bytes()).decode_utf8().map_err(|e| Problem::bad_request("bad_header", format!("rapport-workspace: {e}")))?;
            WorkspaceId::check_name(&name).map_err(|why| Problem::bad_request("bad_header", why))?;
            let known = workspace::find(&mut app.service.store.read(Scope::All).await?, &name).await?;
            match known {
                Some(workspace) => workspace,
                None => {
                    let (name, now) = (name.into_owned(), app.service.clock.now());
                    app.service.store.write(Scope::All, move |tx| Box::pin(async move { workspace::open(tx, &name, now).await })).await?
                }
            }
        }
    };
    Ok(Caller { workspace, role: Role::Admin, actor: "command line".into(), by_key: false, team_member_id: None })
}
