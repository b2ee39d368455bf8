//! Accepting: one loop for each socket of each thread.

use std::future::{Future as _, poll_fn};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::parking::{OpenCount, Parked};
use super::serve;
use super::thread::Thread;
use crate::config::Snapshot;
use crate::snapshot::ListenerSpec;

/// How long accepting pauses when no file is left or enough connections are open.
const PAUSE: Duration = Duration::from_millis(50);

/// Accepts on one socket until it is told to close, and then until nobody waits any more.
pub async fn run(thread: Rc<Thread>, socket: TcpListener, name: String, mut closing: watch::Receiver<bool>) {
    let mut listener = Known::new(name);
    // The sender's end means the same as its word.
    let mut closed = std::pin::pin!(closing.wait_for(|closing| *closing));
    loop {
        hold_back(&thread).await;
        let accepted = poll_fn(|cx| match socket.poll_accept(cx) {
            Poll::Ready(accepted) => Poll::Ready(Some(accepted)),
            Poll::Pending => closed.as_mut().poll(cx).map(|_| None),
        });
        match accepted.await {
            Some(Ok((stream, peer))) => begin(&thread, stream, peer.ip(), &mut listener),
            Some(Err(error)) => after_error(&thread, &error).await,
            None => break,
        }
    }
    // The runtime gives a task only so many calls in a row, and may not have heard of the last comers: the system itself is asked.
    if let Ok(socket) = socket.into_std() {
        while let Some((stream, peer)) = waiting(&socket) {
            begin(&thread, stream, peer.ip(), &mut listener);
        }
    }
}

/// The next connection in a socket's queue; `None` when that is empty, or no more can be taken from it.
fn waiting(socket: &std::net::TcpListener) -> Option<(TcpStream, SocketAddr)> {
    loop {
        match socket.accept() {
            Ok((stream, peer)) => {
                stream.set_nonblocking(true).ok()?;
                return Some((TcpStream::from_std(stream).ok()?, peer));
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::Interrupted) => {}
            Err(_) => return None,
        }
    }
}

/// A listener as the latest snapshot that has it says, shared by all its connections.
struct Known {
    spec: Arc<ListenerSpec>,
    /// The snapshot that was looked at.
    number: Option<u64>,
}

impl Known {
    fn new(name: String) -> Self {
        Self { spec: Arc::new(ListenerSpec { name, bind: Vec::new(), upgrades: Vec::new(), half_close: false }), number: None }
    }

    fn of(&mut self, snapshot: &Snapshot) -> Arc<ListenerSpec> {
        if self.number.replace(snapshot.spec.number) != Some(snapshot.spec.number)
            && let Some(spec) = snapshot.spec.listeners.iter().find(|spec| spec.name == self.spec.name)
            && *spec != *self.spec
        {
            self.spec = Arc::new(spec.clone());
        }
        Arc::clone(&self.spec)
    }
}

fn begin(thread: &Rc<Thread>, stream: TcpStream, peer: IpAddr, listener: &mut Known) {
    let totals = &thread.shared().totals;
    totals.accepted.fetch_add(1, Ordering::Relaxed);
    let listener = listener.of(&thread.snapshot());
    serve::spawn(thread, Parked { stream, peer, listener, open: OpenCount::new(thread.share()) });
}

/// Waits while as many connections are open as may be.
async fn hold_back(thread: &Thread) {
    let mut paused = false;
    loop {
        let most = thread.snapshot().spec.limits.max_connections.unwrap_or(u64::MAX);
        let totals = &thread.shared().totals;
        if (totals.open.load(Ordering::Relaxed) as u64) < most || thread.shared().is_stopping() {
            return;
        }
        if !std::mem::replace(&mut paused, true) {
            totals.paused.fetch_add(1, Ordering::Relaxed);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// A connection that was gone before it was accepted is nobody's loss; a want of files or memory passes.
async fn after_error(thread: &Thread, error: &io::Error) {
    const PASSING: [i32; 4] = [23, 24, 105, 12]; // ENFILE, EMFILE, ENOBUFS, ENOMEM
    if error.raw_os_error().is_some_and(|code| PASSING.contains(&code)) {
        thread.shared().totals.paused.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::run;

    #[test]
    fn a_queue_is_drained_to_its_last_connection() {
        run(async {
            let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            socket.set_nonblocking(true).unwrap();
            let address = socket.local_addr().unwrap();
            // More in one go would need a deeper queue than the standard library asks for; a task may make fewer calls in a row.
            let clients: Vec<_> = (0..120).map(|_| std::net::TcpStream::connect(address).unwrap()).collect();
            let first: Vec<_> = std::iter::from_fn(|| waiting(&socket)).collect();
            let more: Vec<_> = (0..120).map(|_| std::net::TcpStream::connect(address).unwrap()).collect();
            let second: Vec<_> = std::iter::from_fn(|| waiting(&socket)).collect();
            assert_eq!((first.len(), second.len()), (clients.len(), more.len()));
        });
    }
}
