//! Connections: so many at a time, none that dawdles, and an end that cuts nobody off.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

/// Connections open at the same time; the next is told to come back.
const MOST: usize = 1_024;
/// A request's head comes within this, and an idle connection is closed after it.
const HEAD: Duration = Duration::from_secs(15);
/// Bytes of a request's head.
const HEAD_SIZE: usize = 64 * 1024;
/// Connections that were made before are still taken for so long when the server stops.
const LAST_CALL: Duration = Duration::from_millis(50);
/// The first request of a connection is waited for so long before idle connections are closed.
const FIRST_REQUEST: Duration = Duration::from_millis(300);
/// After an error of the listener, e.g. no more file descriptors.
const PAUSE: Duration = Duration::from_millis(100);

/// Who is at the other end.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub SocketAddr);

/// Answers until `stop`; then takes no more and lets what is under way finish, for at most `grace`.
pub async fn serve(listener: TcpListener, router: Router, stop: CancellationToken, grace: Duration) {
    let graceful = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(MOST));
    let mut builder = hyper::server::conn::http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD).max_buf_size(HEAD_SIZE);
    let mut last_call: Option<Instant> = None;
    loop {
        let (stream, peer) = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "accepting a connection");
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            },
            // Whoever has connected already is answered; but not those who come and come.
            () = stop.cancelled() => {
                let until = *last_call.get_or_insert_with(|| {
                    turn_away(&listener);
                    Instant::now() + LAST_CALL
                });
                match tokio::time::timeout_at(until, listener.accept()).await {
                    Ok(Ok(accepted)) => accepted,
                    _ => break,
                }
            }
        };
        let Ok(place) = places.clone().try_acquire_owned() else {
            metrics::counter!("rapport_connections_refused_total").increment(1);
            refuse(&stream);
            continue;
        };
        let _ = stream.set_nodelay(true);
        let router = router.clone();
        let service = hyper::service::service_fn(move |request: hyper::Request<Incoming>| {
            let mut request: Request = request.map(Body::new);
            request.extensions_mut().insert(Peer(peer));
            router.clone().oneshot(request)
        });
        let connection = graceful.watch(builder.serve_connection(TokioIo::new(stream), service));
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended early");
            }
            drop(place);
        });
    }
    drop(listener);
    // A connection that has brought no request yet would be closed at once: its first one is on the way.
    tokio::time::sleep(FIRST_REQUEST).await;
    if tokio::time::timeout(grace, graceful.shutdown()).await.is_err() {
        tracing::warn!("requests were still under way when the time to stop was over");
    }
}

/// From here on nobody begins to connect: closing the listener would reset whoever had just connected and waits to be
/// taken. Elsewhere than on Linux there is no such means, and the last one may be cut off.
fn turn_away(listener: &TcpListener) {
    #[cfg(target_os = "linux")]
    {
        use socket2::SockFilter;
        // Drops what asks to begin a connection (the flag SYN, at offset 13 of TCP's header) and passes all else, so that
        // those half-way are let in. The codes are those of classic BPF: load a byte, jump if a bit is set, return.
        let filter = [
            SockFilter::new(0x30, 0, 0, 13),
            SockFilter::new(0x45, 0, 1, 0x02),
            SockFilter::new(0x06, 0, 0, 0),
            SockFilter::new(0x06, 0, 0, u32::MAX),
        ];
        if let Err(error) = socket2::SockRef::from(listener).attach_filter(&filter) {
            tracing::debug!(%error, "the last to connect may be cut off");
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = listener;
}

/// Says in one packet that there is no place; nothing was read, nothing is waited for.
fn refuse(stream: &TcpStream) {
    let body = r#"{"type":"urn:rapport:problem:overloaded","title":"Too busy","status":503,"detail":"the server has too many connections; try again in a moment","code":"overloaded"}"#;
    let answer = format!(
        "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/problem+json\r\nretry-after: 1\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let _ = stream.try_write(answer.as_bytes());
}
