//! Where requests wait while every endpoint is at its cap: first come, first served, over all threads.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// The queue of one pool, for whatever `T` gives a hold on an endpoint; lives as long as the pool's name does.
pub struct Queue<T> {
    waiting: AtomicUsize,
    list: Mutex<VecDeque<Arc<Ticket<T>>>>,
    /// Requests refused because it was full.
    pub full: AtomicU64,
    /// Requests whose time in it ran out.
    pub timed_out: AtomicU64,
}

struct Place<T> {
    lease: Option<T>,
    /// Look again: something changed.
    nudged: bool,
    waker: Option<Waker>,
}

/// One waiting request.
pub struct Ticket<T> {
    /// Endpoints that it is not waiting for.
    tried: Box<[Arc<str>]>,
    place: Mutex<Place<T>>,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self { waiting: AtomicUsize::new(0), list: Mutex::default(), full: AtomicU64::new(0), timed_out: AtomicU64::new(0) }
    }
}

/// No thread panics while it holds one of these, and if one did, the list is still a list.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<T> Queue<T> {
    /// How many wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::SeqCst)
    }

    /// Joins the end, or the front for one that was called up in vain, to wait for any endpoint but those in `tried`; `None` when `size`
    /// wait already.
    pub fn join(self: &Arc<Self>, size: usize, front: bool, tried: &[Arc<str>]) -> Option<Waiting<T>> {
        let ticket = Arc::new(Ticket { tried: tried.into(), place: Mutex::new(Place { lease: None, nudged: false, waker: None }) });
        let mut list = lock(&self.list);
        if list.len() >= size && !front {
            self.full.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        if front {
            list.push_front(Arc::clone(&ticket));
        } else {
            list.push_back(Arc::clone(&ticket));
        }
        self.waiting.store(list.len(), Ordering::SeqCst);
        drop(list);
        Some(Waiting { queue: Arc::clone(self), ticket })
    }

    /// Calls up the first who waits and has not tried this endpoint. `settle` is told whether there is one, and makes the lease for it, or
    /// frees the place: nobody joins meanwhile, so that whoever does next sees it.
    pub fn hand_over(&self, endpoint: &str, settle: impl FnOnce(bool) -> Option<T>) {
        let mut list = lock(&self.list);
        let found = list.iter().position(|ticket| !ticket.tried.iter().any(|tried| **tried == *endpoint));
        let lease = settle(found.is_some());
        let ticket = found.filter(|_| lease.is_some()).and_then(|at| list.remove(at));
        self.waiting.store(list.len(), Ordering::SeqCst);
        drop(list);
        let Some(ticket) = ticket else { return };
        let mut place = lock(&ticket.place);
        place.lease = lease;
        let waker = place.waker.take();
        drop(place);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Has everybody look again, after endpoints or caps changed.
    pub fn nudge(&self) {
        for ticket in lock(&self.list).iter() {
            let mut place = lock(&ticket.place);
            place.nudged = true;
            if let Some(waker) = place.waker.take() {
                waker.wake();
            }
        }
    }
}

/// A place in a queue; left when dropped.
pub struct Waiting<T> {
    queue: Arc<Queue<T>>,
    ticket: Arc<Ticket<T>>,
}

impl<T> Waiting<T> {
    /// Waits to be called up: with a lease, or with none when the pool should be looked at again.
    pub fn poll(&self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let mut place = lock(&self.ticket.place);
        if let Some(lease) = place.lease.take() {
            return Poll::Ready(Some(lease));
        }
        if std::mem::take(&mut place.nudged) {
            return Poll::Ready(None);
        }
        if !place.waker.as_ref().is_some_and(|known| known.will_wake(cx.waker())) {
            place.waker = Some(cx.waker().clone());
        }
        Poll::Pending
    }
}

impl<T> Drop for Waiting<T> {
    fn drop(&mut self) {
        let mut list = lock(&self.queue.list);
        list.retain(|ticket| !Arc::ptr_eq(ticket, &self.ticket));
        self.queue.waiting.store(list.len(), Ordering::SeqCst);
        drop(list);
        // A lease that arrived in the meantime goes on to the next one.
        let lease = lock(&self.ticket.place).lease.take();
        drop(lease);
    }
}
