//! Raw mails: known ones are told by their bytes, new ones are parsed, placed and threaded.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::{Outcome, Owning, RawMail, Status, discover};
use crate::analyse::language;
use crate::config::Config;
use crate::domain::entry::{Entry, Flag};
use crate::domain::record::Kind;
use crate::domain::{Address, Parties, WorkspaceId};
use crate::ingest::email::{self, Mail};
use crate::ingest::owner::Rule;
use crate::ingest::record::Rejection;
use crate::ingest::thread;
use crate::pipeline::erase::{Erased, Fate};
use crate::pipeline::join::Author;
use crate::pipeline::once::{self, Once};
use crate::pipeline::triggers::{self, Asked};
use crate::pipeline::{Result as PipelineResult, Service, attachments, blocking, conversation, join, repeat};
use crate::store::change::{self, Action, NewChange};
use crate::store::{Result, Tx, entry, mail, party, record, thread as threads, workspace as workspaces};

/// A raw mail on its way in.
enum Item {
    /// Bytes that were found before, here or elsewhere.
    Seen {
        number: i64,
        hash: String,
        source: String,
        here: bool,
    },
    New(Parsed),
    Refused(String),
}

struct Parsed {
    hash: String,
    raw: RawMail,
    mail: Box<Mail>,
}

/// Takes raw mails, all in one transaction. Bytes that were seen before are not even parsed.
///
/// # Errors
/// When the store fails; then nothing was taken.
pub async fn mails(
    service: &Service,
    workspace: WorkspaceId,
    raws: Vec<RawMail>,
    owning: &Owning,
    once: Option<Once>,
) -> PipelineResult<Vec<Outcome>> {
    if let Some(done) = once::done(service, workspace, once.as_ref()).await? {
        return Ok(done);
    }
    let now = service.clock.now();
    let (hashes, raws) = blocking(move || (raws.iter().map(|raw| raw_hash(&raw.bytes)).collect::<Vec<_>>(), raws)).await?;
    let mut tx = service.store.read(workspace).await?;
    let known = mail::numbers_by_hash(workspace, &mut tx, &hashes).await?;
    drop(tx);
    let items = blocking(move || {
        let read = |(raw, hash): (RawMail, String)| match known.get(&hash).cloned() {
            Some((number, sources)) => Item::Seen { number, hash, here: sources.contains(&raw.source), source: raw.source },
            None => match email::parse(&raw.bytes, now) {
                Ok(mut mail) => {
                    language::mark(&mail.entry.body, &mut mail.spans);
                    Item::New(Parsed { hash, mail: Box::new(mail), raw })
                }
                Err(reason) => Item::Refused(reason),
            },
        };
        raws.into_iter().zip(hashes).map(read).collect::<Vec<_>>()
    })
    .await?;
    // Nothing to write, no transaction to wait for.
    if once.is_none() && items.iter().all(|item| matches!(item, Item::Seen { here: true, .. } | Item::Refused(_))) {
        return Ok(items.into_iter().map(|item| if let Item::Refused(reason) = item { mail_rejected(reason) } else { mail_unchanged() }).collect());
    }
    let (config, owning) = (service.config.clone(), owning.clone());
    let taken = once::write(service, workspace, once, move |tx| {
        Box::pin(async move {
            let mut batch = Batch::open(workspace, tx, &items, &owning, &config, now).await?;
            let mut outcomes = Vec::with_capacity(items.len());
            for item in items {
                outcomes.push(match item {
                    Item::New(parsed) => batch.take(tx, parsed).await?,
                    Item::Seen { number, hash, source, .. } => {
                        mail::add_provenance(workspace, tx, number, &source, &hash, now).await?;
                        mail_unchanged()
                    }
                    Item::Refused(reason) => mail_rejected(reason),
                });
            }
            Ok(Ok(outcomes))
        })
    });
    taken.await
}

fn mail_unchanged() -> Outcome {
    Outcome { status: Status::Unchanged, kind: Some(Kind::Entry.to_string()), id: None, sequence: None, error: None, unmatched: false }
}

fn mail_rejected(reason: String) -> Outcome {
    Outcome::rejected(Rejection { kind: Some("entry".to_owned()), id: None, reason })
}

fn raw_hash(raw: &[u8]) -> String {
    Sha256::digest(raw).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Mails that are taken together: what is known about their people is asked once.
struct Batch<'a> {
    workspace: WorkspaceId,
    parties: Parties,
    /// Numbers of mails that are in the timeline.
    present: HashMap<String, i64>,
    /// Mails that were deleted: they do not come back.
    deleted: HashSet<String>,
    erased: Erased,
    owning: &'a Owning,
    config: &'a Config,
    asked: Asked,
    now: Timestamp,
}

impl<'a> Batch<'a> {
    async fn open(workspace: WorkspaceId, tx: &mut Tx, items: &[Item], owning: &'a Owning, config: &'a Config, now: Timestamp) -> Result<Batch<'a>> {
        let mails: Vec<&Mail> = items.iter().filter_map(|item| if let Item::New(parsed) = item { Some(&*parsed.mail) } else { None }).collect();
        let ids: Vec<&str> = mails.iter().map(|mail| mail.entry.id.as_str()).collect();
        let present = entry::numbers_of(workspace, tx, &ids).await?;
        let deleted = record::deleted(workspace, tx, Kind::Entry, &ids).await?;
        let addresses: HashSet<&Address> = mails.iter().flat_map(|mail| mail.author.iter().chain(&mail.recipients)).collect();
        let mut parties = Parties::default();
        // Databases limit the values of one statement.
        for some in addresses.into_iter().collect::<Vec<_>>().chunks(2_000) {
            let known = party::known(workspace, tx, some).await?;
            parties.contacts.extend(known.contacts);
            parties.domains.extend(known.domains);
            parties.team.extend(known.team);
            parties.us_domains = known.us_domains;
        }
        let people: HashSet<Address> = mails.iter().flat_map(|mail| mail.entry.participants.iter().filter_map(|p| p.address())).collect();
        let marked: Vec<(&str, &str)> = ids.iter().map(|id| ("entry", *id)).collect();
        let erased = Erased::look_up(workspace, tx, &marked, &people.iter().collect::<Vec<_>>()).await?;
        if parties.us_domains.is_empty() {
            parties.us_domains = workspaces::us_domains(workspace, tx).await?;
        }
        Ok(Batch { workspace, parties, present, deleted, erased, owning, config, asked: Asked::default(), now })
    }

    async fn take(&mut self, tx: &mut Tx, parsed: Parsed) -> Result<Outcome> {
        let (workspace, now) = (self.workspace, self.now);
        let mut mail = *parsed.mail;
        let id = mail.entry.id.clone();
        if let Some(&number) = self.present.get(&id) {
            mail::add_provenance(workspace, tx, number, &parsed.raw.source, &parsed.hash, now).await?;
            return Ok(Outcome::of(Status::Unchanged, Kind::Entry, &id, None));
        }
        if self.deleted.contains(&id) {
            return Ok(Outcome::of(Status::Unchanged, Kind::Entry, &id, None));
        }
        let before = mail.entry.clone();
        if self.erased.settle(&mut mail.entry, |address| self.parties.is_us(address)) == Fate::Gone {
            return Ok(Outcome::of(Status::Unchanged, Kind::Entry, &id, None));
        }
        // The bytes hold whoever was taken out, and so may what they hide.
        let whole = mail.entry == before;
        if !whole {
            mail.hidden.clear();
        }
        if self.owning.discover_accounts && !mail.flags.contains(&Flag::UnverifiedSender) {
            self.discover(tx, &mail).await?;
        }

        let verified = !mail.flags.contains(&Flag::UnverifiedSender);
        let author = Author { address: mail.author.as_ref(), verified };
        let mut entry = mail.entry;
        entry.account_id = self.owning.account_id.clone();
        let owned = join::place(workspace, tx, &mut entry, &mail.references, &self.parties, author, &mail.recipients).await?;
        let change = NewChange { what: "entry", id: &id, number: None, account_id: entry.account_id.as_deref(), action: Action::Added };
        let number = change::append(workspace, tx, change, now).await?;
        let subject = entry.subject.as_deref().unwrap_or_default();
        let subject_key = thread::subject_key(subject);
        let is_forward = thread::is_forward(subject);
        let present = mail::present(workspace, tx, &mail.references).await?;
        // A reply whose references are all unknown has lost its conversation, as one without any.
        let is_reply = present.is_empty() && thread::is_reply(subject);
        let new = mail::New {
            number,
            message_id: mail.message_id.as_deref(),
            subject_key: subject_key.as_deref(),
            occurred_at: entry.occurred_at,
            is_reply,
            is_forward,
            author: mail.author.as_ref().map(Address::as_str),
            automatic: mail.automatic.map(|a| a.as_str()),
            hidden: &mail.hidden,
            likeness: mail.likeness,
            references: &mail.references,
            raw: whole.then_some(&parsed.raw.bytes),
        };
        mail::insert(workspace, tx, &new).await?;
        mail::add_provenance(workspace, tx, number, &parsed.raw.source, &parsed.hash, now).await?;

        let own_id = mail.message_id.as_deref().unwrap_or(&id);
        let together = thread::belongs_to(&mail.references, is_forward, |id| present.get(id) == Some(&true));
        let named: Vec<(&str, String)> = std::iter::once(own_id).chain(together.iter().map(String::as_str)).map(|m| (m, thread::id_of(m))).collect();
        entry.thread_id = Some(threads::join(workspace, tx, &named, now).await?.0);
        let mut flags = mail.flags;
        if let Some(message_id) = &mail.message_id
            && !mail::with_message_id(workspace, tx, message_id, number).await?.is_empty()
        {
            flags.push(Flag::MessageIdReused);
        }
        let content_hash = record::content_hash(&id);
        entry::insert(
            workspace,
            tx,
            &entry::New {
                number,
                sequence: number,
                entry: &entry,
                spans: &mail.spans,
                flags: &flags,
                rule: owned.rule.map(Rule::as_str),
                origin: None,
                unmatched_domain: owned.unmatched_domain.as_deref(),
                updated_at: None,
                received_at: now,
                content_hash: &content_hash,
            },
        )
        .await?;

        if let Some(subject_key) = &subject_key {
            self.join_by_subject(tx, &entry, number, subject_key, is_reply).await?;
        }
        if let Some(message_id) = &mail.message_id {
            conversation::repair(workspace, tx, message_id, is_forward, now).await?;
        }
        attachments::ask(workspace, tx, &entry, number, now).await?;
        let repeats = repeat::arrived(workspace, tx, number, now).await?;
        let communication = entry.counts_as_said(&mail.spans, &flags) && !repeats;
        triggers::on_entry(workspace, tx, &entry, number, communication, &mut self.asked, self.config, now).await?;
        if entry.account_id.is_some() {
            for answer in mail::answers_without_own_account(workspace, tx, number).await? {
                join::settle(workspace, tx, answer, &mut self.asked, self.config, now).await?;
            }
        }
        self.present.insert(id.clone(), number);
        Ok(Outcome { unmatched: entry.account_id.is_none(), ..Outcome::of(Status::Added, Kind::Entry, &id, Some(number)) })
    }

    async fn join_by_subject(&self, tx: &mut Tx, entry: &Entry, number: i64, subject_key: &str, is_reply: bool) -> Result<()> {
        let window = std::time::Duration::from_secs(thread::SUBJECT_WINDOW_DAYS.unsigned_abs() * 86_400);
        let by = threads::BySubject { number, subject_key, occurred_at: entry.occurred_at, is_reply, window };
        let mut thread_id = entry.thread_id.clone().unwrap_or_default();
        for other in threads::by_subject(self.workspace, tx, &by).await? {
            if other.starts_with(threads::KEPT) || thread_id.starts_with(threads::KEPT) {
                continue;
            }
            thread_id = threads::unite(self.workspace, tx, &thread_id, &other, self.now).await?.0;
        }
        Ok(())
    }

    /// Makes accounts of the business domains of strangers: of who wrote to us, and of those we wrote to.
    async fn discover(&mut self, tx: &mut Tx, mail: &Mail) -> Result<()> {
        let outside: Vec<&Address> = match mail.author.as_ref().filter(|a| !self.parties.is_us(a)) {
            Some(author) => vec![author],
            None => mail.recipients.iter().filter(|r| !self.parties.is_us(r)).collect(),
        };
        discover::make_accounts(self.workspace, tx, &mut self.parties, outside, &mut self.asked, self.config, self.now).await
    }
}
