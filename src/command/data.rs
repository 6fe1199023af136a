//! The data directory: who has it, and how a command gets at it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use rapport::config::Config;
use rapport::domain::{Clock, WorkspaceId};
use rapport::pipeline::{self, Service};
use rapport::store::{Scope, workspace};
use serde::{Deserialize, Serialize};

use super::Place;
use super::remote::Remote;

/// Held while this process may write to the data directory; let go by the system however it ends.
pub struct Lock {
    file: File,
}

/// What the lock file says about its holder.
#[derive(Debug, Serialize, Deserialize)]
struct Holder {
    pid: u32,
    /// Where it serves, if it does.
    address: Option<String>,
    /// What lets commands on this directory in there.
    pass: Option<String>,
}

/// A server that has a data directory.
pub struct Server {
    pub address: String,
    pass: String,
}

/// How a data directory can be used now.
pub enum Access {
    Mine(Lock),
    /// A server has it.
    Served(Server),
    /// Another command writes to it.
    Busy(u32),
}

impl Place {
    pub fn directory(&self) -> anyhow::Result<PathBuf> {
        match &self.data {
            Some(data) => Ok(data.clone()),
            None => default_directory("rapport"),
        }
    }

    /// Opens the data directory to read, beside whoever writes to it.
    pub async fn open_to_read(&self, config: Config) -> anyhow::Result<(Service, WorkspaceId, Option<Lock>)> {
        let data = self.directory()?;
        if !pipeline::holds_data(&data, &config) {
            return Err(anyhow!(pipeline::nothing_yet(&self.workspace, &data)));
        }
        let (service, lock) = match access(&data)? {
            Access::Mine(lock) => {
                let service = Service::open(&data, config, Clock::system()).await.with_context(|| format!("opening {}", data.display()))?;
                service.catch_up().await?;
                (service, Some(lock))
            }
            Access::Served(_) | Access::Busy(_) => (Service::open_to_read(&data, config, Clock::system()).await?, None),
        };
        let mut tx = service.store.read(Scope::All).await?;
        let workspace = workspace::find(&mut tx, &self.workspace).await?;
        let workspace = workspace.ok_or_else(|| anyhow!(pipeline::nothing_yet(&self.workspace, &data)))?;
        drop(tx);
        Ok((service, workspace, lock))
    }

    /// The server that has the data directory, asked for this workspace.
    pub fn remote(&self, server: &Server) -> Remote {
        Remote::new(&server.address, &server.pass, &self.workspace)
    }

    /// Opens a directory that this process holds, with the workspace made when new.
    pub async fn open_service(&self, data: &Path, config: Config) -> anyhow::Result<(Service, WorkspaceId)> {
        let service = Service::open(data, config, Clock::system()).await.with_context(|| format!("opening {}", data.display()))?;
        let (name, now) = (self.workspace.clone(), service.clock.now());
        WorkspaceId::check_name(&name).map_err(|why| anyhow!(why))?;
        let workspace = service.store.write(Scope::All, move |tx| Box::pin(async move { workspace::open(tx, &name, now).await })).await?;
        Ok((service, workspace))
    }
}

pub fn default_directory(name: &str) -> anyhow::Result<PathBuf> {
    let directories =
        directories::ProjectDirs::from("", "", name).ok_or_else(|| anyhow!("this system has no data folder; name one with --data DIR"))?;
    Ok(directories.data_dir().to_owned())
}

pub fn busy(data: &Path, pid: u32) -> anyhow::Error {
    anyhow!("another rapport process ({pid}) is writing to {}; try again when it has ended", data.display())
}

/// Takes the data directory if nobody has it.
pub fn access(data: &Path) -> anyhow::Result<Access> {
    make_directory(data).with_context(|| format!("creating {}", data.display()))?;
    let path = data.join("lock");
    let mut file = lock_file(&path).with_context(|| format!("opening {}; rapport needs to write there", path.display()))?;
    match file.try_lock() {
        Ok(()) => {
            let mut lock = Lock { file };
            lock.announce(None)?;
            Ok(Access::Mine(lock))
        }
        Err(TryLockError::WouldBlock) => {
            let mut content = String::new();
            file.read_to_string(&mut content)?;
            // Between taking the lock and writing to it a holder is nameless for a moment.
            let holder = serde_json::from_str(&content).unwrap_or(Holder { pid: 0, address: None, pass: None });
            Ok(match holder.address {
                Some(address) => Access::Served(Server { address, pass: holder.pass.unwrap_or_default() }),
                None => Access::Busy(holder.pid),
            })
        }
        Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("locking {}", path.display())),
    }
}

impl Lock {
    /// Says who holds the directory, and where it is served with the secret that lets commands in there.
    pub fn announce(&mut self, served: Option<(String, String)>) -> anyhow::Result<()> {
        let (address, pass) = served.unzip();
        let holder = serde_json::to_string(&Holder { pid: std::process::id(), address, pass })?;
        self.file.set_len(0)?;
        self.file.rewind()?;
        self.file.write_all(holder.as_bytes())?;
        Ok(())
    }
}

/// Makes a data directory that only its owner may look into.
fn make_directory(data: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(data)
}

/// How the lock file is opened: only its owner may read the secret in it.
fn lock_file(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    #[cfg(unix)]
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    Ok(file)
}
