//! Search by meaning: what was read of the entries in scope is compared with what is asked, each stretch of them, and merged by rank
//! with what the words find. The stretches of the accounts that were searched last stay in memory, and follow the change log.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use super::{Result, Service};
use crate::domain::WorkspaceId;
use crate::domain::stretch::{Stretch, Vector, WIDTH};
use crate::index::passage::Near;
use crate::store::{account, change, reading};

words! {
    /// How entries are found: by their words, by what they mean, or by both, merged by rank.
    Mode { Words = "words", Meaning = "meaning", Both = "both" }
}

/// Entries of a scope whose stretches are all looked through; of more, those that the words find best.
const MOST: i64 = 50_000;
/// Memory for the stretches of scopes that were searched.
const MEMORY: usize = 64 * 1024 * 1024;
/// Changes that are followed one by one; after more, a scope is read again.
const FOLLOWED: i64 = 2_000;

/// What is looked through: an account by its id, or a whole workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Scope {
    workspace: WorkspaceId,
    account: Option<String>,
}

/// The stretches of a scope as of a change.
#[derive(Debug, Default)]
struct Stretches {
    sequence: i64,
    of: HashMap<i64, Vec<Stretch>>,
}

impl Stretches {
    fn bytes(&self) -> usize {
        self.of.values().map(|stretches| stretches.len() * (size_of::<Stretch>() + WIDTH) + size_of::<(i64, Vec<Stretch>)>()).sum()
    }
}

/// A scope and its stretches.
type Held = (Scope, Arc<RwLock<Stretches>>);

/// Stretches in memory, of the scopes that were searched last.
#[derive(Debug, Clone, Default)]
pub struct Meanings(Arc<Mutex<Vec<Held>>>);

impl Meanings {
    fn held(&self, scope: &Scope) -> Option<Arc<RwLock<Stretches>>> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = held.iter().position(|(of, _)| of == scope)?;
        // The one used last stands at the end.
        let found = held.remove(at);
        let stretches = found.1.clone();
        held.push(found);
        Some(stretches)
    }

    fn hold(&self, scope: Scope, stretches: Stretches) -> Arc<RwLock<Stretches>> {
        let stretches = Arc::new(RwLock::new(stretches));
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.retain(|(of, _)| *of != scope);
        held.push((scope, stretches.clone()));
        let bytes = |one: &Held| one.1.read().unwrap_or_else(PoisonError::into_inner).bytes();
        let mut all: usize = held.iter().map(bytes).sum();
        while all > MEMORY && !held.is_empty() {
            all -= bytes(&held.remove(0));
        }
        stretches
    }
}

/// What is compared, and with what.
pub(super) struct Comparison {
    vector: Vector,
    held: Option<Arc<RwLock<Stretches>>>,
    loaded: HashMap<i64, Vec<Stretch>>,
}

impl Comparison {
    /// Makes ready to compare a question with the stretches of an account, or of everything. Where the scope is too large for that,
    /// with those of the entries that the words found.
    pub(super) async fn of(
        service: &Service,
        workspace: WorkspaceId,
        account_number: Option<i64>,
        question: &[f32],
        by_words: &[i64],
    ) -> Result<Option<Comparison>> {
        let Some(vector) = Vector::of(question) else { return Ok(None) };
        let mut tx = service.store.read(workspace).await?;
        let account = match account_number {
            Some(number) => account::ids(workspace, &mut tx, &[number]).await?.into_iter().next().map(|(_, id)| id),
            None => None,
        };
        let scope = Scope { workspace, account };
        let last = change::last_of(workspace, &mut tx).await?;
        if let Some(held) = service.meanings.held(&scope) {
            let sequence = held.read().unwrap_or_else(PoisonError::into_inner).sequence;
            let changed = change::numbers_after(workspace, &mut tx, scope.account.as_deref(), sequence, FOLLOWED).await?;
            if (changed.len() as i64) < FOLLOWED {
                let mut now = reading::stretches(workspace, &mut tx, &changed).await?;
                let mut known = held.write().unwrap_or_else(PoisonError::into_inner);
                // Another search may have followed further.
                if known.sequence <= last {
                    for number in changed {
                        match now.remove(&number) {
                            Some(stretches) => drop(known.of.insert(number, stretches)),
                            None => drop(known.of.remove(&number)),
                        }
                    }
                    known.sequence = last;
                }
                drop(known);
                return Ok(Some(Comparison { vector, held: Some(held), loaded: HashMap::new() }));
            }
        }
        let of = reading::stretches_in(workspace, &mut tx, scope.account.as_deref(), MOST).await?;
        if (of.len() as i64) < MOST {
            let held = service.meanings.hold(scope, Stretches { sequence: last, of });
            return Ok(Some(Comparison { vector, held: Some(held), loaded: HashMap::new() }));
        }
        let loaded = reading::stretches(workspace, &mut tx, by_words).await?;
        Ok(Some(Comparison { vector, held: None, loaded }))
    }

    /// Whether all entries in scope are compared, or only those that the words found.
    pub(super) fn is_whole(&self) -> bool {
        self.held.is_some()
    }

    /// The entries nearest to the question among those that are allowed, nearest first, each with its nearest stretch.
    pub(super) fn nearest(&self, allowed: &HashSet<i64>, most: usize) -> Vec<(i64, f32)> {
        let mut entries: Vec<(i64, f32)> = self.with(|of| {
            let close = |(number, stretches): (&i64, &Vec<Stretch>)| {
                let closest = stretches.iter().map(|stretch| stretch.vector.closeness(&self.vector)).max_by(f32::total_cmp)?;
                allowed.contains(number).then_some((*number, closest))
            };
            of.iter().filter_map(close).collect()
        });
        entries.sort_unstable_by(|(a, x), (b, y)| y.total_cmp(x).then(b.cmp(a)));
        entries.truncate(most);
        entries
    }

    /// How close each stretch of an entry is.
    pub(super) fn near(&self, number: i64) -> Vec<Near> {
        let near = |stretch: &Stretch| Near {
            segment: stretch.segment,
            start: stretch.start,
            end: stretch.end,
            closeness: stretch.vector.closeness(&self.vector),
        };
        self.with(|of| of.get(&number).map_or_else(Vec::new, |stretches| stretches.iter().map(near).collect()))
    }

    fn with<T>(&self, look: impl FnOnce(&HashMap<i64, Vec<Stretch>>) -> T) -> T {
        match &self.held {
            Some(held) => look(&held.read().unwrap_or_else(PoisonError::into_inner).of),
            None => look(&self.loaded),
        }
    }
}

/// What a question means, or why that cannot be told now.
pub(super) async fn of_question(service: &Service, question: &str) -> std::result::Result<Vec<f32>, String> {
    if question.is_empty() {
        return Err("there are no plain words whose meaning could be compared".to_owned());
    }
    let workers = service.reader.workers().ok_or_else(|| format!("there is no reader: {}", service.reader.state()))?;
    workers.meaning(question).await.map_err(|error| error.to_string())
}
