//! The connections of one endpoint: how many there are over all threads, and those that serve nobody.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::open::Open;
use super::socket::Socket;

/// An idle connection is closed after that long; servers that close sooner are noticed.
pub const KEPT_FOR: Duration = Duration::from_secs(60);

/// Idle connections that one thread keeps to one endpoint.
const KEPT: usize = 256;

/// A connection between two exchanges.
#[derive(Debug)]
struct Kept {
    /// Registered with the thread that keeps it.
    socket: Socket,
    since: Instant,
}

/// See the module.
#[derive(Debug)]
pub struct Idle {
    threads: Box<[Mutex<Vec<Kept>>]>,
    open: Arc<AtomicU32>,
    /// Set before the lists are emptied for good, and looked at under their locks.
    retired: AtomicBool,
    /// The connection that the last probe left, on the thread of probes.
    probe: Mutex<Option<Socket>>,
}

/// What is kept is whole after a panic elsewhere too.
fn lock<T>(kept: &Mutex<T>) -> MutexGuard<'_, T> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Idle {
    /// For an engine of that many threads.
    #[must_use]
    pub fn new(threads: usize) -> Self {
        Self {
            threads: (0..threads).map(|_| Mutex::default()).collect(),
            open: Arc::default(),
            retired: AtomicBool::new(false),
            probe: Mutex::default(),
        }
    }

    /// Counts one more connection, unless `most` are open.
    #[must_use]
    pub fn try_open(&self, most: Option<u32>) -> Option<Open> {
        Open::one_of(&self.open, most.unwrap_or(u32::MAX))
    }

    /// The most recently used connection of a thread that is still open.
    #[must_use]
    pub fn take(&self, thread: usize) -> Option<Socket> {
        loop {
            let mut kept = lock(self.threads.get(thread)?).pop()?;
            if kept.socket.is_quiet() {
                return Some(kept.socket);
            }
        }
    }

    /// A connection of any other thread, to be adopted by the caller's.
    #[must_use]
    pub fn steal(&self, thread: usize) -> Option<Socket> {
        for (other, list) in self.threads.iter().enumerate() {
            if other == thread {
                continue;
            }
            let kept = lock(list).pop();
            if let Some(kept) = kept {
                return Some(kept.socket);
            }
        }
        None
    }

    /// Keeps a connection for the next exchange on that thread.
    pub fn keep(&self, thread: usize, socket: Socket) {
        let Some(list) = self.threads.get(thread) else { return };
        let mut list = lock(list);
        if list.len() < KEPT && !self.retired.load(Ordering::SeqCst) {
            list.push(Kept { socket, since: Instant::now() });
        }
    }

    /// Closes a thread's connections that were closed from afar or have been idle for too long; says whether any are left.
    pub fn sweep(&self, thread: usize, now: Instant) -> bool {
        let Some(list) = self.threads.get(thread) else { return false };
        let mut list = lock(list);
        list.retain_mut(|kept| now.saturating_duration_since(kept.since) < KEPT_FOR && kept.socket.is_quiet());
        !list.is_empty()
    }

    /// Closes what is kept and keeps nothing more: no snapshot to come has this endpoint, though exchanges of an older one may use it still.
    pub fn retire(&self) {
        self.retired.store(true, Ordering::SeqCst);
        for list in &self.threads {
            let closed = std::mem::take(&mut *lock(list));
            drop(closed);
        }
        drop(lock(&self.probe).take());
    }

    /// The connection that the last probe left, if it is still open.
    #[must_use]
    pub fn take_probe(&self) -> Option<Socket> {
        let mut socket = lock(&self.probe).take()?;
        socket.is_quiet().then_some(socket)
    }

    /// Whether a connection waits for the next probe, for tests.
    #[cfg(test)]
    pub(crate) fn keeps_probe(&self) -> bool {
        lock(&self.probe).is_some()
    }

    /// Keeps a connection for the next probe.
    pub fn keep_probe(&self, socket: Socket) {
        let mut kept = lock(&self.probe);
        if !self.retired.load(Ordering::SeqCst) {
            *kept = Some(socket);
        }
    }

    /// Connections open, idle ones included.
    #[must_use]
    pub fn open(&self) -> u32 {
        self.open.load(Ordering::SeqCst)
    }

    /// Connections that serve nobody.
    #[must_use]
    pub fn idle(&self) -> usize {
        self.threads.iter().map(|list| lock(list).len()).sum()
    }
}
