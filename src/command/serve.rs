//! `rapport serve`: the API and the workers in one process.

use std::net::SocketAddr;

use anyhow::Context;
use clap::Args;
use metrics_exporter_prometheus::PrometheusBuilder;
use rapport::config::Config;
use rapport::domain::WorkspaceId;
use rapport::pipeline::{Service, holds_data, keys};
use rapport::serve::{Serving, is_loopback};
use rapport::store::{Scope, key};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::data::{Access, Lock, access, busy};
use super::{Failure, Outcome, Place};

#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    at: Listen,
}

#[derive(Debug, Clone, Args)]
pub struct Listen {
    /// Address to listen on; only addresses of this machine while there are no keys
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7360", env = "RAPPORT_LISTEN")]
    listen: SocketAddr,
}

pub async fn run(options: Options, config: Config) -> Outcome {
    let data = options.place.directory()?;
    // Where nothing is, there is no key either: refused before anything is made.
    options.at.allow(holds_data(&data, &config))?;
    let lock = match access(&data)? {
        Access::Mine(lock) => lock,
        Access::Served(server) => return Err(anyhow::anyhow!("{} is already served on http://{}", data.display(), server.address).into()),
        Access::Busy(pid) => return Err(busy(&data, pid).into()),
    };
    let (service, workspace) = options.place.open_service(&data, config).await?;
    options.at.check(&service).await?;
    let listener = options.at.bind().await?;
    serve(listener, service, workspace, lock).await
}

impl Listen {
    /// Without keys, whoever can connect can read everything: only this machine may.
    pub async fn check(&self, service: &Service) -> Result<(), Failure> {
        let keys = key::any(&mut service.store.read(Scope::All).await?).await?;
        self.allow(keys)
    }

    fn allow(&self, keys: bool) -> Result<(), Failure> {
        if keys || is_loopback(&self.listen) {
            return Ok(());
        }
        let message = format!(
            "{} can be reached from other machines, and there is no key to ask them for; `rapport keys create --role admin` makes one, or use a loopback address such as 127.0.0.1:7360",
            self.listen
        );
        Err(Failure::Usage(message))
    }

    pub async fn bind(&self) -> anyhow::Result<TcpListener> {
        TcpListener::bind(self.listen).await.with_context(|| format!("listening on {}; is another server there?", self.listen))
    }
}

/// Serves until SIGTERM or SIGINT; a second signal ends at once.
pub async fn serve(listener: TcpListener, service: Service, workspace: WorkspaceId, mut lock: Lock) -> Outcome {
    let recorder = PrometheusBuilder::new().build_recorder();
    let metrics = recorder.handle();
    let _ = metrics::set_global_recorder(recorder);
    let address = listener.local_addr()?;
    let pass = keys::pass()?;
    lock.announce(Some((address.to_string(), pass.clone())))?;
    let stop = CancellationToken::new();
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let on_signal = stop.clone();
    tokio::spawn(async move {
        tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
        on_signal.cancel();
        tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
        std::process::exit(1);
    });
    println!("listening on http://{address}");
    rapport::serve::run(Serving { listener, service, workspace, metrics, pass, stop }).await?;
    drop(lock);
    Ok(())
}
