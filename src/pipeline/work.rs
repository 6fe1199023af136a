//! The workers: they take due jobs, one each at a time, and do them; what fails is tried again, and what never works is
//! kept for people to see.

use std::time::Duration;

use jiff::SignedDuration;
use tokio_util::sync::CancellationToken;

use super::attachments::{self, ATTACHMENTS, Attachments};
use super::erase::{self, PURGE};
use super::join::{self, JOIN, Join};
use super::read::{self, READ};
use super::triggers::{REFRESH, Refresh};
use super::{PipelineError, Result, Service, receive, refresh};
use crate::store::job::{self, Claimed, Line, MAX_ATTEMPTS, When};
use crate::store::{Scope, idempotency, key};

/// Waiting workers look again at least this often; usually the store wakes them.
const IDLE: Duration = Duration::from_secs(1);

/// A worker reports so often that it is still at it: often enough for a lease to survive a few lost reports.
const HEARTBEAT: Duration = Duration::from_millis(1_500);

/// Works on one line of jobs until stopped; a job under way is finished first.
pub async fn run(service: Service, line: Line, stop: CancellationToken) {
    let mut committed = service.store.committed();
    while !stop.is_cancelled() {
        match next(&service, line, service.clock.now()).await {
            Ok(true) => {}
            Ok(false) => {
                tokio::select! {
                    _ = committed.changed() => {}
                    () = tokio::time::sleep(IDLE) => {}
                    () = stop.cancelled() => {}
                }
            }
            Err(error) => {
                tracing::error!(%error, "taking a job");
                tokio::select! { () = tokio::time::sleep(IDLE) => {}, () = stop.cancelled() => {} }
            }
        }
    }
}

/// Does what time brings, until stopped: follows calendars' series without end, forgets what is over.
pub async fn keep_house(service: Service, stop: CancellationToken) {
    const LOOK: Duration = Duration::from_secs(3_600);
    while !stop.is_cancelled() {
        match receive::move_horizons(&service).await {
            Ok(true) => continue,
            Ok(false) => {}
            Err(error) => tracing::error!(%error, "following calendars"),
        }
        if let Err(error) = forget(&service).await {
            tracing::error!(%error, "forgetting what is over");
        }
        tokio::select! { () = tokio::time::sleep(LOOK) => {}, () = stop.cancelled() => {} }
    }
}

async fn forget(service: &Service) -> Result<()> {
    let now = service.clock.now();
    Ok(service
        .store
        .write(Scope::All, move |tx| {
            Box::pin(async move {
                key::drop_ended_sessions(tx, now).await?;
                idempotency::drop_old(tx, now).await
            })
        })
        .await?)
}

/// Jobs that [`drain`] does at the same time: their writes share commits.
const TOGETHER: usize = 8;

/// Does everything that waits, also what still waits for quiet, except reading; returns how many jobs were done.
///
/// # Errors
/// When the store fails. A job that fails is only put back.
pub async fn drain(service: &Service) -> Result<usize> {
    // Far enough to count every wait for quiet as over, near enough to leave retries of failed jobs alone.
    let ahead = service.config.quiet_at_most + SignedDuration::from_secs(1);
    let workers = (0..TOGETHER).map(|_| async {
        let mut done = 0;
        while next(service, Line::Jobs, service.clock.now() + ahead).await? {
            done += 1;
        }
        Ok::<_, PipelineError>(done)
    });
    Ok(futures_util::future::try_join_all(workers).await?.into_iter().sum())
}

/// Claims and does one job due at `before`; false when there is none.
async fn next(service: &Service, line: Line, before: jiff::Timestamp) -> Result<bool> {
    let now = service.clock.now();
    // Looking costs no write: most of the time nothing is due.
    let mut tx = service.store.read(Scope::All).await?;
    let due = job::may_claim(&mut tx, line, before, now).await?;
    drop(tx);
    if !due {
        return Ok(false);
    }
    let claimed = service.store.write(Scope::All, move |tx| Box::pin(async move { job::claim(tx, line, before, now).await })).await?;
    let Some(claimed) = claimed else { return Ok(false) };
    let (held, job_id) = (claimed.held, claimed.held.job_id);
    let attempts = claimed.attempts;
    let kind = claimed.kind.clone();
    let mut task = tokio::spawn(perform(service.clone(), claimed));
    let outcome = loop {
        tokio::select! {
            outcome = &mut task => break outcome,
            () = tokio::time::sleep(HEARTBEAT) => {
                let now = service.clock.now();
                let extended = service.store.write(Scope::All, move |tx| Box::pin(async move { job::extend(tx, held, now).await })).await;
                if let Ok(false) = extended {
                    tracing::warn!(job = job_id, "another worker has taken the job over");
                    task.abort();
                }
            }
        }
    };
    let error = match outcome {
        Ok(Ok(())) => {
            metrics::counter!("rapport_jobs_done_total", "kind" => kind).increment(1);
            return Ok(true);
        }
        Ok(Err(error)) => error,
        Err(panic) => PipelineError::Stopped(panic.to_string()),
    };
    tracing::warn!(job = job_id, %kind, attempts, %error, "a job failed");
    metrics::counter!("rapport_jobs_failed_total", "kind" => kind.clone()).increment(1);
    let now = service.clock.now();
    // A person is taken off the disks, and words are read, however long that cannot be done.
    let retry_at = match matches!(kind.as_str(), PURGE | READ) {
        true => Some(now + pause(attempts.min(5), job_id)),
        false => (attempts < MAX_ATTEMPTS && may_help(&error)).then(|| now + pause(attempts, job_id)),
    };
    let message = error.to_string();
    service.store.write(Scope::All, move |tx| Box::pin(async move { job::fail(tx, held, &message, retry_at).await })).await?;
    Ok(true)
}

/// Whether trying again can change the outcome.
fn may_help(error: &PipelineError) -> bool {
    !matches!(error, PipelineError::Refused(_) | PipelineError::Invalid(_))
}

/// 2, 4, 8 … seconds, up to an hour, each stretched by up to half so that many failed jobs do not return together.
fn pause(attempts: i64, job_id: i64) -> SignedDuration {
    let seconds = 2_i64.pow(u32::try_from(attempts.clamp(1, 11)).unwrap_or(1)).min(3_600);
    let jitter = job_id.wrapping_mul(2_654_435_761).rem_euclid(500);
    SignedDuration::from_millis(seconds * 1_000 + seconds * jitter)
}

/// Does a job and removes it in the transaction of its effect.
async fn perform(service: Service, claimed: Claimed) -> Result<()> {
    let (workspace, held) = (claimed.workspace, claimed.held);
    match claimed.kind.as_str() {
        JOIN => {
            let join: Join = payload(&claimed)?;
            let (config, now, key) = (service.config.clone(), service.clock.now(), claimed.key.clone());
            let step = service.store.write(workspace, move |tx| {
                Box::pin(async move {
                    let rest = join::step(workspace, tx, &join, &config, now).await?;
                    job::finish(tx, held).await?;
                    if let Some(rest) = rest
                        && job::queued_payload(workspace, tx, JOIN, &key).await?.is_none()
                    {
                        let payload = serde_json::to_string(&rest).expect("a join is plain text");
                        job::enqueue(workspace, tx, JOIN, &key, &payload, When::NOW, now).await?;
                    }
                    Ok(())
                })
            });
            Ok(step.await?)
        }
        PURGE => erase::purge(&service, workspace, &claimed.key, held).await,
        ATTACHMENTS => {
            let wanted: Attachments = payload(&claimed)?;
            attachments::read(&service, workspace, wanted, held).await
        }
        REFRESH => {
            let wanted: Refresh = payload(&claimed)?;
            refresh::run(&service, workspace, &claimed.key, wanted, Some(held)).await.map(|_| ())
        }
        READ => read::step(&service, workspace, Some(held)).await,
        other => Err(PipelineError::Refused(format!("nobody knows how to do a job of kind {other:?}"))),
    }
}

fn payload<T: serde::de::DeserializeOwned>(claimed: &Claimed) -> Result<T> {
    serde_json::from_str(&claimed.payload)
        .map_err(|e| PipelineError::Refused(format!("the payload of job {} cannot be read: {e}", claimed.held.job_id)))
}

#[cfg(test)]
mod tests {
    use super::pause;

    #[test]
    fn pauses_grow_and_differ() {
        assert!(pause(1, 1).as_secs() >= 2 && pause(1, 1).as_secs() <= 3);
        assert!(pause(5, 1).as_secs() >= 32 && pause(5, 1).as_secs() <= 48);
        assert!(pause(60, 1).as_secs() <= 5_400);
        assert_ne!(pause(3, 1), pause(3, 2));
    }
}
