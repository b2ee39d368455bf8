//! The transport of HTTP/1 over TCP and Unix sockets.

use std::io;
use std::sync::Arc;
use std::task::Waker;

use tokio::time::Instant;

use super::limit;
use super::open::Open;
use super::socket::Socket;
use crate::clock::GRAIN;
use crate::endpoint::Endpoint;
use crate::exchange::{Back as _, OpenLimits, Transport};
use crate::h1::server::ServerSide;
use crate::record::Cause;
use crate::server::thread::Thread;

/// HTTP/1 to endpoints, from one thread.
pub struct Http1<'t> {
    thread: &'t Thread,
}

impl<'t> Http1<'t> {
    /// Connections that belong to a thread.
    #[must_use]
    pub fn new(thread: &'t Thread) -> Self {
        Self { thread }
    }

    fn side(&self, socket: Socket, limits: &OpenLimits, kept: bool) -> ServerSide<Socket> {
        ServerSide::new(socket, self.thread.buffers(), limits.max_head, kept)
    }

    /// A place for one more connection; where there is none, an idle connection makes one.
    async fn place(&self, endpoint: &Endpoint, fresh: bool, limits: &OpenLimits, until: Instant) -> Result<Place, Cause> {
        loop {
            if let Some(open) = endpoint.idle.try_open(limits.most) {
                return Ok(Place::Free(open));
            }
            // One of this thread's own may have become idle meanwhile.
            if !fresh && let Some(socket) = endpoint.idle.take(self.thread.index(), limits.repeatable) {
                return Ok(Place::Taken(socket));
            }
            if fresh || !limits.repeatable {
                // None of those that there are will do.
                if endpoint.idle.make_room(self.thread.index()) {
                    continue;
                }
            } else if let Some(socket) = endpoint.idle.steal(self.thread.index()) {
                let Ok(mut socket) = socket.adopt() else { continue };
                // One that was closed from afar shows it only now that this thread polls it.
                tokio::task::yield_now().await;
                if socket.is_quiet(Waker::noop()) {
                    return Ok(Place::Taken(socket));
                }
                continue;
            }
            // Exchanges are capped like connections, so one is about to become idle or to close.
            if Instant::now() >= until {
                return Err(Cause::ConnectTimeout);
            }
            tokio::time::sleep(GRAIN).await;
        }
    }
}

enum Place {
    Free(Open),
    Taken(Socket),
}

impl Transport for Http1<'_> {
    type Back = ServerSide<Socket>;

    async fn open(&self, endpoint: &Arc<Endpoint>, fresh: bool, limits: &OpenLimits) -> Result<Self::Back, Cause> {
        if !fresh && let Some(socket) = endpoint.idle.take(self.thread.index(), limits.repeatable) {
            return Ok(self.side(socket, limits, true));
        }
        let Some(target) = &endpoint.target else { return Err(Cause::PoolUnresolved) };
        let until = Instant::now() + limits.timeout;
        let open = match self.place(endpoint, fresh, limits, until).await? {
            Place::Free(open) => open,
            Place::Taken(socket) => return Ok(self.side(socket, limits, true)),
        };
        let left = until.saturating_duration_since(Instant::now());
        match self.thread.timers().within(left, Socket::connect(target, Some(open))).await {
            Ok(Ok(socket)) => Ok(self.side(socket, limits, false)),
            Ok(Err(error)) => Err(cause_of(&error)),
            Err(_) => Err(Cause::ConnectTimeout),
        }
    }

    fn keep(&self, endpoint: &Arc<Endpoint>, back: Self::Back) {
        let told = limit::told(back.response());
        endpoint.idle.keep(self.thread.index(), back.into_stream(), told);
        self.thread.expect_sweep();
    }
}

/// Why connecting failed.
pub(crate) fn cause_of(error: &io::Error) -> Cause {
    const EMFILE: i32 = 24;
    const ENFILE: i32 = 23;
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Cause::ConnectRefused,
        io::ErrorKind::TimedOut => Cause::ConnectTimeout,
        _ if matches!(error.raw_os_error(), Some(EMFILE | ENFILE)) => Cause::OutOfFiles,
        _ => Cause::ConnectFailed,
    }
}
