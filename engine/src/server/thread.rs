//! One engine thread: its clock, its buffers, its view of the snapshot, its share of the access log.

use std::cell::{Cell, RefCell};
use std::ops::Deref;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;

use super::parking::Lot;
use super::shared::Shared;
use crate::balance::draw::draw;
use crate::clock::{Timer, Timers};
use crate::config::Snapshot;
use crate::h1::buffer::Buffers;
use crate::record::{LogBuffer, Record};

/// A snapshot as one thread holds it: counted within the thread, so that no two threads write to one counter at each request.
#[derive(Clone)]
pub struct View(
    #[expect(clippy::redundant_allocation, reason = "the inner count is shared by all threads, the outer by one")] Rc<Arc<Snapshot>>,
);

impl Deref for View {
    type Target = Snapshot;

    fn deref(&self) -> &Snapshot {
        &self.0
    }
}

/// How often a thread looks after idle connections to endpoints.
const SWEEP: Duration = Duration::from_secs(1);

/// A record waits that long for others before they are written together.
const LOG_DELAY: Duration = Duration::from_millis(100);

/// What connections of one thread work with.
pub struct Thread {
    index: usize,
    shared: Arc<Shared>,
    timers: Timers,
    buffers: Rc<Buffers>,
    lot: Lot,
    log: Option<RefCell<LogBuffer>>,
    /// When to hand over what was logged.
    log_timer: RefCell<Timer>,
    waiting: Cell<usize>,
    /// When to look after idle connections to endpoints.
    sweep_timer: RefCell<Timer>,
    /// The snapshot as this thread last saw it; counted once per thread, not once per request.
    view: RefCell<View>,
    seen: Cell<u64>,
}

impl Thread {
    /// For the thread of that number, whose runtime is built right after `begun`.
    #[must_use]
    pub fn new(index: usize, shared: Arc<Shared>, begun: Instant) -> Self {
        let timers = Timers::new(begun);
        // A snapshot that comes between the two is taken again at the first look.
        let version = shared.version.load(Ordering::Acquire);
        let snapshot = shared.load();
        Self {
            index,
            lot: Lot::new(timers.clone()),
            log: shared.log.as_ref().map(|log| RefCell::new(log.buffer())),
            log_timer: RefCell::new(timers.timer()),
            sweep_timer: RefCell::new(timers.timer()),
            waiting: Cell::new(0),
            seen: Cell::new(version),
            view: RefCell::new(View(Rc::new(snapshot))),
            buffers: Rc::default(),
            timers,
            shared,
        }
    }

    /// Its number.
    #[must_use]
    pub fn index(&self) -> usize {
        self.index
    }

    /// What it shares with the others.
    #[must_use]
    pub fn shared(&self) -> &Shared {
        &self.shared
    }

    /// A share of what it shares.
    #[must_use]
    pub fn share(&self) -> Arc<Shared> {
        Arc::clone(&self.shared)
    }

    /// Its limits on waits.
    #[must_use]
    pub fn timers(&self) -> &Timers {
        &self.timers
    }

    /// A limit that is not yet running.
    #[must_use]
    pub fn timer(&self) -> Timer {
        self.timers.timer()
    }

    /// Its spare buffers.
    #[must_use]
    pub fn buffers(&self) -> Rc<Buffers> {
        Rc::clone(&self.buffers)
    }

    /// Where its quiet connections are.
    #[must_use]
    pub fn lot(&self) -> &Lot {
        &self.lot
    }

    /// The snapshot that serves now.
    #[must_use]
    pub fn snapshot(&self) -> View {
        let version = self.shared.version.load(Ordering::Acquire);
        if version != self.seen.get() {
            self.seen.set(version);
            *self.view.borrow_mut() = View(Rc::new(self.shared.load()));
        }
        self.view.borrow().clone()
    }

    /// A new request's id: 32 hexadecimal digits, no two alike.
    #[must_use]
    pub fn new_id(&self) -> [u8; 32] {
        let k = self.shared.ids.fetch_add(1, Ordering::Relaxed);
        let high = draw(self.shared.id_seed, k);
        let low = draw(!self.shared.id_seed, k);
        let mut id = [0; 32];
        let (left, right) = id.split_at_mut(16);
        left.copy_from_slice(&hexadecimal(high));
        right.copy_from_slice(&hexadecimal(low));
        id
    }

    /// How many of its connections have a task but no request.
    #[must_use]
    pub fn waiting(&self) -> &Cell<usize> {
        &self.waiting
    }

    /// A connection to an endpoint has become idle: it is looked after until it is used or closed.
    pub fn expect_sweep(&self) {
        let mut timer = self.sweep_timer.borrow_mut();
        if !timer.is_set() {
            timer.set_lazy(Instant::now() + SWEEP);
        }
    }

    /// Closes idle connections to endpoints that are too old or were closed from afar, for as long as the thread runs.
    pub async fn sweep(&self) {
        loop {
            std::future::poll_fn(|cx| self.sweep_timer.borrow_mut().poll_again(cx)).await;
            let now = Instant::now();
            let mut left = false;
            for pool in self.snapshot().pools.values() {
                for endpoint in &pool.endpoints {
                    left |= endpoint.idle.sweep(self.index, now);
                }
            }
            (self.shared.tidy)();
            if left {
                self.expect_sweep();
            }
        }
    }

    /// Whether records are written at all.
    #[must_use]
    pub fn logs(&self) -> bool {
        self.log.is_some()
    }

    /// Writes one record.
    pub fn log(&self, record: &Record<'_>) {
        if let Some(log) = &self.log {
            let mut log = log.borrow_mut();
            if log.is_empty() {
                self.log_timer.borrow_mut().set(Instant::now() + LOG_DELAY);
            }
            log.push(record);
        }
    }

    /// Hands over what was logged soon after it was, for as long as the thread runs.
    pub async fn drain_log(&self) {
        loop {
            std::future::poll_fn(|cx| self.log_timer.borrow_mut().poll_again(cx)).await;
            self.flush_log();
        }
    }

    /// Hands what was logged to the writer.
    pub fn flush_log(&self) {
        if let Some(log) = &self.log {
            let mut log = log.borrow_mut();
            if !log.is_empty() {
                log.flush();
            }
        }
    }
}

/// The sixteen digits of a word, eight at a time: a nibble is spread to a byte, and ten and more become letters.
fn hexadecimal(word: u64) -> [u8; 16] {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let spread = |half: u64| {
        let x = (half | (half << 16)) & 0x0000_FFFF_0000_FFFF;
        let x = (x | (x << 8)) & 0x00FF_00FF_00FF_00FF;
        let nibbles = (x | (x << 4)) & (0x0F * ONES);
        let letters = ((nibbles + 6 * ONES) >> 4) & ONES;
        (nibbles + u64::from(b'0') * ONES + letters * u64::from(b'a' - b'0' - 10)).to_be_bytes()
    };
    let mut digits = [0; 16];
    let (high, low) = digits.split_at_mut(8);
    high.copy_from_slice(&spread(word >> 32));
    low.copy_from_slice(&spread(word & 0xFFFF_FFFF));
    digits
}

impl Drop for Thread {
    fn drop(&mut self) {
        self.flush_log();
    }
}

#[cfg(test)]
mod tests {
    use super::hexadecimal;

    #[test]
    fn an_id_is_written_in_hexadecimal() {
        for word in [0, 1, 0x0123_4567_89AB_CDEF, 0xFEDC_BA98_7654_3210, u64::MAX, 0x0A0B_0C0D_9080_7060] {
            assert_eq!(String::from_utf8(hexadecimal(word).to_vec()).unwrap(), format!("{word:016x}"));
        }
    }
}
