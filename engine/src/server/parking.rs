//! Where quiet connections wait without a task or a buffer: a socket, a slot, and a bell.

use std::cell::RefCell;
use std::net::IpAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use tokio::net::TcpStream;
use tokio::time::Instant;

use super::shared::{Shared, Totals};
use crate::clock::{Timer, Timers};
use crate::snapshot::ListenerSpec;

/// A connection on which nothing happens.
pub struct Parked {
    /// Its socket.
    pub stream: TcpStream,
    /// Its peer.
    pub peer: IpAddr,
    /// Where it was accepted.
    pub listener: Arc<ListenerSpec>,
    /// Counts it.
    pub open: OpenCount,
}

/// One open client connection; counted until dropped.
pub struct OpenCount(Arc<Shared>);

impl OpenCount {
    /// Counts one more.
    #[must_use]
    pub fn new(shared: Arc<Shared>) -> Self {
        shared.totals.open.fetch_add(1, Ordering::Relaxed);
        Self(shared)
    }
}

impl Drop for OpenCount {
    fn drop(&mut self) {
        self.0.totals.open.fetch_sub(1, Ordering::Relaxed);
    }
}

struct Place {
    parked: Parked,
    timer: Timer,
}

impl Place {
    fn totals(&self) -> &Totals {
        &self.parked.open.0.totals
    }
}

/// Rung by whatever happens to a parked connection: bytes, a close, the end of its time.
struct Bell {
    place: u32,
    rung: Arc<Rung>,
}

#[derive(Default)]
struct Rung {
    list: Mutex<Calls>,
}

#[derive(Default)]
struct Calls {
    places: Vec<u32>,
    attendant: Option<Waker>,
}

impl Rung {
    /// A list of numbers is still one after a panic elsewhere.
    fn lock(&self) -> MutexGuard<'_, Calls> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let mut calls = self.rung.lock();
        calls.places.push(self.place);
        let attendant = calls.attendant.take();
        drop(calls);
        if let Some(attendant) = attendant {
            attendant.wake();
        }
    }
}

/// One thread's parked connections.
pub struct Lot {
    timers: Timers,
    places: RefCell<Places>,
    rung: Arc<Rung>,
}

#[derive(Default)]
struct Places {
    list: Vec<Option<Place>>,
    free: Vec<u32>,
}

impl Lot {
    /// An empty lot.
    #[must_use]
    pub fn new(timers: Timers) -> Self {
        Self { timers, places: RefCell::default(), rung: Arc::default() }
    }

    /// Parks a connection until something comes or `until` has passed, perhaps a second late where `lazily`; gives it back when something
    /// is there already.
    pub fn park(&self, parked: Parked, until: Instant, lazily: bool) -> Option<Parked> {
        let mut places = self.places.borrow_mut();
        let place = places.free.pop().unwrap_or_else(|| {
            places.list.push(None);
            places.list.len() as u32 - 1
        });
        let bell = Waker::from(Arc::new(Bell { place, rung: Arc::clone(&self.rung) }));
        let mut cx = Context::from_waker(&bell);
        if parked.stream.poll_read_ready(&mut cx).is_ready() {
            places.free.push(place);
            return Some(parked);
        }
        let mut timer = self.timers.timer();
        if lazily {
            timer.set_lazy(until);
        } else {
            timer.set_idle(until);
        }
        if timer.poll(&mut cx).is_pending()
            && let Some(slot) = places.list.get_mut(place as usize)
        {
            let parked = Place { parked, timer };
            parked.totals().parked.fetch_add(1, Ordering::Relaxed);
            *slot = Some(parked);
        }
        None
    }

    /// Waits for a connection on which something came. Those whose time is over are closed on the way.
    pub async fn next(&self) -> Parked {
        std::future::poll_fn(|cx| {
            loop {
                let mut calls = self.rung.lock();
                let Some(place) = calls.places.pop() else {
                    calls.attendant = Some(cx.waker().clone());
                    return Poll::Pending;
                };
                drop(calls);
                if let Some(mut found) = self.leave(place) {
                    // A request that came just in time is served, however late it is looked at.
                    let mut unheard = Context::from_waker(Waker::noop());
                    let came = found.parked.stream.poll_read_ready(&mut unheard).is_ready();
                    if came || found.timer.poll(&mut unheard).is_pending() {
                        return Poll::Ready(found.parked);
                    }
                }
            }
        })
        .await
    }

    fn leave(&self, place: u32) -> Option<Place> {
        let mut places = self.places.borrow_mut();
        let found = places.list.get_mut(place as usize)?.take()?;
        places.free.push(place);
        found.totals().parked.fetch_sub(1, Ordering::Relaxed);
        Some(found)
    }
}
