//! The slow look at every index for damage that nobody met yet.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::super::blocking;
use super::{Command, Live};
use crate::index::check::check;
use crate::index::write;

/// After each file a pause of so many times as long as reading it took: it costs a twentieth of one core at most.
const REST: u32 = 19;
/// What looks damaged is looked at again: the file may just have been merged away.
const AGAIN: Duration = Duration::from_millis(500);

/// Reads all indexes again and again until stopped, `every` so often, and has damaged ones built again.
pub async fn scrub(live: Live, every: Duration, stop: CancellationToken) {
    loop {
        tokio::select! { () = tokio::time::sleep(every) => {}, () = stop.cancelled() => return }
        for workspace in live.workspaces() {
            let path = write::directory(&live.data, workspace);
            let mut found = Ok(());
            for look in 0..2 {
                if look == 1 {
                    tokio::time::sleep(AGAIN).await;
                }
                let shelf = live.shelf(workspace);
                if stop.is_cancelled() || shelf.building.is_some() || shelf.index.is_none() {
                    found = Ok(());
                    break;
                }
                let (path, stopped) = (path.clone(), stop.clone());
                let rest = move |took: Duration| {
                    if !stopped.is_cancelled() {
                        std::thread::sleep((took * REST).min(Duration::from_secs(5)));
                    }
                };
                found = blocking(move || check(&path, rest)).await.unwrap_or_else(|error| Err(error.to_string()));
                if found.is_ok() {
                    break;
                }
            }
            if let Err(reason) = found {
                let _ = live.commands.send(Command::Damaged(workspace, reason)).await;
            }
        }
    }
}
