//! Requests that may be sent again: whoever sends an Idempotency-Key gets one effect and the same answer, however often
//! and after whatever interruption. The outcome is written in the transaction of the effect, so there is no moment
//! between the two.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use futures_util::future::BoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{PipelineError, Result, Service};
use crate::domain::WorkspaceId;
use crate::store::{self, StoreError, Tx, idempotency};

type Name = (WorkspaceId, String, String);

/// Requests with a key that are under way in this process.
#[derive(Debug, Clone, Default)]
pub struct UnderWay(Arc<Mutex<HashSet<Name>>>);

/// A request that is to have one effect. While it lives, the same one is turned away.
#[derive(Debug, Clone)]
pub struct Once {
    route: String,
    key: String,
    /// Hash of the request's parameters and body.
    request: String,
    _under_way: Arc<Place>,
}

#[derive(Debug)]
struct Place {
    all: UnderWay,
    name: Name,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.all.0.lock().expect(UNPOISONED).remove(&self.name);
    }
}

const UNPOISONED: &str = "nothing panics while holding this lock";

impl Once {
    /// # Errors
    /// When the same request is still under way.
    pub fn begin(service: &Service, workspace: WorkspaceId, route: String, key: String, request: String) -> Result<Once> {
        let name = (workspace, route.clone(), key.clone());
        if !service.under_way.0.lock().expect(UNPOISONED).insert(name.clone()) {
            return Err(PipelineError::StillRunning);
        }
        Ok(Once { route, key, request, _under_way: Arc::new(Place { all: service.under_way.clone(), name }) })
    }

    /// One of several transactions that a request needs.
    pub(super) fn part(&self, part: usize) -> Once {
        Once { key: format!("{} {part}", self.key), ..self.clone() }
    }

    async fn kept<T: DeserializeOwned>(&self, workspace: WorkspaceId, tx: &mut Tx, now: jiff::Timestamp) -> store::Result<Result<Option<T>>> {
        let Some((request, outcome)) = idempotency::find(workspace, tx, &self.route, &self.key, now).await? else { return Ok(Ok(None)) };
        if request != self.request {
            return Ok(Err(PipelineError::OtherRequest));
        }
        let outcome = serde_json::from_str(&outcome).map_err(|e| StoreError::Corrupt { what: "outcome", reason: e.to_string() })?;
        Ok(Ok(Some(outcome)))
    }
}

/// What came of the request before, if it was made.
///
/// # Errors
/// When another request used the key.
pub(super) async fn done<T: DeserializeOwned>(service: &Service, workspace: WorkspaceId, once: Option<&Once>) -> Result<Option<T>> {
    let Some(once) = once else { return Ok(None) };
    let mut tx = service.store.read(workspace).await?;
    once.kept(workspace, &mut tx, service.clock.now()).await?
}

/// Runs `work` in a transaction, unless the request was made before: then returns what came of it.
///
/// # Errors
/// Those of `work`, whose outcome is then not kept; or when another request used the key.
pub(super) async fn write<T, F>(service: &Service, workspace: WorkspaceId, once: Option<Once>, work: F) -> Result<T>
where
    T: Serialize + DeserializeOwned + Send + 'static,
    F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, store::Result<Result<T>>> + Send + 'static,
{
    let now = service.clock.now();
    let written = service.store.write(workspace, move |tx| {
        Box::pin(async move {
            let Some(once) = once else { return work(tx).await };
            match once.kept(workspace, tx, now).await? {
                Ok(None) => {}
                Ok(Some(outcome)) => return Ok(Ok(outcome)),
                Err(error) => return Ok(Err(error)),
            }
            let outcome = work(tx).await?;
            if let Ok(value) = &outcome {
                let json = serde_json::to_string(value).map_err(|e| StoreError::Corrupt { what: "outcome", reason: e.to_string() })?;
                idempotency::put(workspace, tx, &once.route, &once.key, &once.request, &json, now).await?;
            }
            Ok(outcome)
        })
    });
    written.await?
}
