//! A listener and its connections: how many, how long, how much.

use std::{
    convert::Infallible,
    io,
    net::SocketAddr,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::{
    net::{TcpListener, TcpSocket},
    sync::{Semaphore, mpsc, watch},
    task::JoinSet,
    time::{sleep, timeout},
};

use super::{
    answer::{Answer, failed},
    log::{Level, Log},
    router::Router,
};

/// How many connections are open at a time; more wait to be accepted.
pub const CONNECTIONS_MAX: usize = 20_000;

/// How many connections wait to be accepted. The next one would be tried again by its client after a
/// second, so this is as many as a system usually lets wait.
const UNACCEPTED_MAX: u32 = 4_096;

/// How long a client may take for the head of a request; an idle connection ends after it as well.
const HEAD_WITHIN: Duration = Duration::from_mins(1);

/// The largest head of a request, and the most headers in it.
const HEAD_BYTES_MAX: usize = 64 * 1024;
const HEADERS_MAX: usize = 100;

/// How long requests that are being answered get to end when the server stops.
const STOP_WITHIN: Duration = Duration::from_secs(10);

/// How long the listener rests when the system has no more files to give.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_millis(100);

/// How many files are kept for everything that is no connection: the store, objects, builds.
const OTHER_FILES: u64 = 512;

/// Takes as many open files as the system lets this process have.
pub fn raise_file_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current < limit.maximum || limit.maximum.is_none() {
        limit.current = limit.maximum;
        // With fewer files there are fewer connections.
        let _ = setrlimit(Resource::Nofile, limit);
    }
}

/// How many connections there may be with the files that this process has.
fn connections_max() -> usize {
    let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let connections = files.saturating_sub(OTHER_FILES).max(files / 2);
    usize::try_from(connections).map_or(CONNECTIONS_MAX, |all| all.min(CONNECTIONS_MAX))
}

/// Listens on an address.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }?;
    // A server that was killed a moment ago must not keep its successor from its address.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(UNACCEPTED_MAX)
}

/// Accepts connections until `stop` says so, then lets those that are open finish what they are at.
pub async fn serve(
    listener: TcpListener,
    router: Arc<Router>,
    log: Log,
    mut stop: watch::Receiver<bool>,
) {
    let places = Arc::new(Semaphore::new(connections_max()));
    let mut connections = JoinSet::new();
    // Each request at hand holds one end; nothing is ever sent.
    let (busy, mut idle) = mpsc::channel::<()>(1);
    loop {
        while connections.try_join_next().is_some() {}
        let place = Arc::clone(&places).acquire_owned();
        let place = tokio::select! {
            place = place => place,
            () = is_told(&mut stop) => break,
        };
        let Ok(place) = place else { break };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = is_told(&mut stop) => break,
        };
        match accepted {
            Ok((stream, from)) => {
                // An answer is small and wanted at once.
                let _ = stream.set_nodelay(true);
                let (router, stop, busy) = (Arc::clone(&router), stop.clone(), busy.clone());
                connections.spawn(async move {
                    let _place = place;
                    one(stream, from, router, busy, stop).await;
                });
            }
            Err(error) => {
                if !is_of_the_client(&error) {
                    let message = "cannot accept connections; trying again";
                    log.write(
                        Level::Warning,
                        message,
                        [("error", error.to_string().into())],
                    );
                    sleep(PAUSE_AFTER_FAILURE).await;
                }
            }
        }
    }
    drop((listener, busy));
    let all = async {
        while connections.join_next().await.is_some() {}
        // Clients may have gone before their requests were carried out.
        let _ = idle.recv().await;
    };
    let _ = timeout(STOP_WITHIN, all).await;
}

/// Waits until the server is to stop.
async fn is_told(stop: &mut watch::Receiver<bool>) {
    // Whoever would tell is gone: that is telling enough.
    let _ = stop.wait_for(|stop| *stop).await;
}

fn is_of_the_client(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
    )
}

async fn one(
    stream: tokio::net::TcpStream,
    from: SocketAddr,
    router: Arc<Router>,
    busy: mpsc::Sender<()>,
    mut stop: watch::Receiver<bool>,
) {
    let metrics = Arc::clone(&router.metrics);
    metrics.connections.fetch_add(1, Ordering::Relaxed);
    let service = service_fn(move |request: http::Request<Incoming>| {
        let (router, busy) = (Arc::clone(&router), busy.clone());
        async move {
            // What was begun is carried to its end and recorded, even if whoever asked has gone.
            let answered = tokio::spawn(async move {
                let _busy = busy;
                router.answer(request, from.ip()).await
            });
            Ok::<Answer, Infallible>(answered.await.unwrap_or_else(|_| failed()))
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        // A client that breaks off, or does not speak HTTP, is answered by closing.
        _ = connection.as_mut() => {}
        () = is_told(&mut stop) => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
    metrics.connections.fetch_sub(1, Ordering::Relaxed);
}
