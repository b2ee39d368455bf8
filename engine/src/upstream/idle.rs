//! The connections of one endpoint: how many there are over all threads, and those that serve nobody.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;

use tokio::time::Instant;

use super::limit::{IdleLimit, Watch};
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
    /// Sees when it is closed.
    watch: Option<Arc<Watch>>,
}

impl Kept {
    /// Whether it can serve; one that cannot teaches the limit. `watched` says that the moment of its end should be seen from now on.
    fn is_quiet(&mut self, limit: &IdleLimit, watched: bool) -> bool {
        if watched {
            self.watch.get_or_insert_with(|| Watch::new(self.since));
        }
        let waker = self.watch.as_ref().filter(|_| watched).map(Watch::waker);
        let quiet = self.socket.is_quiet(waker.as_ref().unwrap_or(Waker::noop()));
        if !quiet {
            limit.closed(self.watch.as_ref().and_then(|watch| watch.after()));
        }
        quiet
    }
}

/// See the module.
#[derive(Debug)]
pub struct Idle {
    /// Of each thread those that it keeps, the longest idle first.
    threads: Box<[Mutex<Vec<Kept>>]>,
    limit: IdleLimit,
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
            limit: IdleLimit::default(),
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

    /// The most recently used connection of a thread that is still open and that its server will not close at any moment. For a request
    /// that may not be repeated it must have answered a moment ago.
    #[must_use]
    pub fn take(&self, thread: usize, repeatable: bool) -> Option<Socket> {
        let mut list = lock(self.threads.get(thread)?);
        let now = if repeatable && self.limit.get().is_none() { None } else { Some(Instant::now()) };
        loop {
            let since = list.last()?.since;
            let age = now.map_or(Duration::ZERO, |now| now.saturating_duration_since(since));
            if self.limit.is_retired(age) || !(repeatable || self.limit.is_proven(age)) {
                return None;
            }
            let mut kept = list.pop()?;
            if kept.is_quiet(&self.limit, false) {
                return Some(kept.socket);
            }
        }
    }

    /// A connection of any other thread, to be adopted by the caller's.
    #[must_use]
    pub fn steal(&self, thread: usize) -> Option<Socket> {
        let others = self.threads.iter().enumerate().filter(|(other, _)| *other != thread);
        for (_, list) in others {
            // One that its server may close at any moment makes room by going.
            while let Some(kept) = lock(list).pop() {
                if !self.limit.is_retired(kept.since.elapsed()) {
                    return Some(kept.socket);
                }
            }
        }
        None
    }

    /// Closes the connection that has been idle for the longest, of some thread, the caller's first; says whether there was one.
    pub fn make_room(&self, thread: usize) -> bool {
        let own = self.threads.get(thread);
        own.into_iter().chain(&self.threads).any(|list| {
            let mut list = lock(list);
            let oldest = (!list.is_empty()).then(|| list.remove(0));
            drop(list);
            oldest.is_some()
        })
    }

    /// Keeps a connection for the next exchange on that thread. `told` is how long its server said that it would stay open.
    pub fn keep(&self, thread: usize, socket: Socket, told: Option<Duration>) {
        if let Some(told) = told {
            self.limit.tell(told);
        }
        let Some(list) = self.threads.get(thread) else { return };
        let mut kept = Kept { socket, since: Instant::now(), watch: None };
        if self.limit.watches() && !kept.is_quiet(&self.limit, true) {
            return;
        }
        let mut list = lock(list);
        if !self.retired.load(Ordering::SeqCst) {
            if list.len() >= KEPT {
                drop(list.remove(0));
            }
            list.push(kept);
        }
    }

    /// Closes a thread's connections that were closed from afar or have been idle for too long; says whether any are left.
    pub fn sweep(&self, thread: usize, now: Instant) -> bool {
        let Some(list) = self.threads.get(thread) else { return false };
        let mut list = lock(list);
        let mut tries = self.limit.is_to_be_tried();
        list.retain_mut(|kept| {
            let age = now.saturating_duration_since(kept.since);
            if age >= KEPT_FOR || !kept.is_quiet(&self.limit, true) {
                return false;
            }
            self.limit.lives(age);
            // The oldest is left to its server, which shows by it how long it waits now. It is not used any more.
            !self.limit.is_retired(age) || std::mem::take(&mut tries)
        });
        !list.is_empty()
    }

    /// How long the endpoint leaves an idle connection open, once that is known.
    #[must_use]
    pub fn limit(&self) -> Option<Duration> {
        self.limit.get()
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
        socket.is_quiet(Waker::noop()).then_some(socket)
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

#[cfg(test)]
#[path = "idle_tests.rs"]
mod tests;
