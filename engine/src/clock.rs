//! Time on one engine thread: named limits on waits, without a system timer for each.
//!
//! Ten thousand connections each wait for something, and nearly none of those waits ever expires. So a wait only writes its deadline
//! into a column, and one driver per thread looks over the column: once a second at rest, sooner when a deadline is nearer. A
//! limit therefore costs a few nanoseconds, fires up to [`GRAIN`] late, and never early.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::time::{Instant, sleep};

/// The driver never sleeps shorter than this, so that many different deadlines share a wake-up.
pub const GRAIN: Duration = Duration::from_millis(10);

/// The driver looks at the clock at least at each multiple of this, so that limits of a second or more need no wake-up of their own. A power
/// of two of milliseconds is a boundary in tokio's timer wheel on each of its levels; other durations cost it a second wake-up.
const REST: Duration = Duration::from_millis(1024);

/// A wait took longer than its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Elapsed;

#[derive(Default)]
struct Entry {
    deadline: Option<Instant>,
    waker: Option<Waker>,
    /// The deadline has passed.
    fired: bool,
    /// It bounds a connection that nothing runs on.
    idle: bool,
    /// It may fire up to `REST` late, so that it needs no wake-up of its own.
    lazy: bool,
}

#[derive(Default)]
struct Table {
    entries: Vec<Entry>,
    free: Vec<u32>,
    armed: usize,
    next_scan: Option<Instant>,
    driver: Option<Waker>,
}

impl Table {
    /// Clears what is due, returning its wakers, and the earliest deadline that is left.
    fn scan(&mut self, now: Instant) -> (Vec<Waker>, Option<Instant>) {
        let mut due = Vec::new();
        let mut earliest: Option<Instant> = None;
        for entry in &mut self.entries {
            let Some(deadline) = entry.deadline else { continue };
            if deadline <= now {
                entry.deadline = None;
                entry.fired = true;
                self.armed -= 1;
                due.extend(entry.waker.take());
            } else if !entry.lazy && earliest.is_none_or(|known| deadline < known) {
                earliest = Some(deadline);
            }
        }
        (due, earliest)
    }

    fn slot(&mut self) -> u32 {
        self.free.pop().unwrap_or_else(|| {
            self.entries.push(Entry::default());
            self.entries.len() as u32 - 1
        })
    }
}

/// All the limits of one thread.
#[derive(Clone)]
pub struct Timers {
    table: Rc<RefCell<Table>>,
    /// When the runtime's own clock started.
    begun: Instant,
}

impl Timers {
    /// For a runtime that was built right after `begun`.
    #[must_use]
    pub fn new(begun: Instant) -> Self {
        Self { table: Rc::default(), begun }
    }

    /// A limit that is not yet running.
    #[must_use]
    pub fn timer(&self) -> Timer {
        Timer { timers: self.clone(), slot: None }
    }

    /// Awaits `future`, at most for `limit`.
    pub fn within<F: Future>(&self, limit: Duration, future: F) -> Within<F> {
        Within { timer: self.timer(), limit: Some(limit), future: Box::pin(future) }
    }

    /// Ends every wait on an idle connection now, so that it may be closed.
    pub fn expire_idle(&self) {
        let mut due = Vec::new();
        let mut table = self.table.borrow_mut();
        let table = &mut *table;
        for entry in table.entries.iter_mut().filter(|entry| entry.idle) {
            if entry.deadline.take().is_some() {
                entry.fired = true;
                table.armed -= 1;
                due.extend(entry.waker.take());
            }
        }
        for waker in due {
            waker.wake();
        }
    }

    /// The next multiple of `REST` of the runtime's clock.
    fn rest(&self, now: Instant) -> Instant {
        let passed = now.saturating_duration_since(self.begun).as_millis() / REST.as_millis();
        self.begun + REST * (passed as u32 + 1)
    }

    /// Drives the limits; runs for as long as the thread does.
    pub async fn drive(self) {
        loop {
            let now = Instant::now();
            let (due, earliest) = self.table.borrow_mut().scan(now);
            for waker in due {
                waker.wake();
            }
            // Something armed within the last second may be followed by more: keep the slow rhythm until all is quiet.
            let idle = self.table.borrow().armed == 0;
            let rest = self.rest(now);
            let next = earliest.map_or(rest, |at| at.max(now + GRAIN).min(rest));
            self.table.borrow_mut().next_scan = if idle { None } else { Some(next) };
            let mut pause = std::pin::pin!(sleep(next - now));
            std::future::poll_fn(|cx| {
                let mut table = self.table.borrow_mut();
                match table.next_scan {
                    // Woken by an arming with an earlier deadline: look again.
                    Some(at) if at < next => return Poll::Ready(()),
                    None if !idle => return Poll::Ready(()),
                    None if table.armed > 0 => return Poll::Ready(()),
                    _ => {}
                }
                if !table.driver.as_ref().is_some_and(|known| known.will_wake(cx.waker())) {
                    table.driver = Some(cx.waker().clone());
                }
                drop(table);
                if idle { Poll::Pending } else { pause.as_mut().poll(cx) }
            })
            .await;
        }
    }
}

/// One limit: a deadline in the thread's column, given back when dropped.
pub struct Timer {
    timers: Timers,
    slot: Option<u32>,
}

impl Timer {
    /// Starts (or moves) the limit; the wait that polls it is woken at or after `deadline`.
    pub fn set(&mut self, deadline: Instant) {
        self.arm(deadline, false, false);
    }

    /// The same for a wait on an idle connection, which [`Timers::expire_idle`] ends early.
    pub fn set_idle(&mut self, deadline: Instant) {
        self.arm(deadline, true, false);
    }

    /// The same for a wait on an idle connection that need not end on time: it may fire a second late.
    pub fn set_lazy(&mut self, deadline: Instant) {
        self.arm(deadline, true, true);
    }

    fn arm(&mut self, deadline: Instant, idle: bool, lazy: bool) {
        let mut table = self.timers.table.borrow_mut();
        let table = &mut *table;
        let slot = *self.slot.get_or_insert_with(|| table.slot());
        let Some(entry) = table.entries.get_mut(slot as usize) else { return };
        entry.idle = idle;
        entry.lazy = lazy;
        entry.fired = false;
        if entry.deadline.replace(deadline).is_none() {
            table.armed += 1;
        }
        if table.next_scan.is_none_or(|at| deadline < at && !lazy) {
            table.next_scan = table.next_scan.map(|_| deadline);
            if let Some(driver) = table.driver.take() {
                driver.wake();
            }
        }
    }

    /// Waits for the limit, and then for it to be set again.
    pub fn poll_again(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let result = self.poll(cx);
        let mut table = self.timers.table.borrow_mut();
        if let Some(entry) = self.slot.and_then(|slot| table.entries.get_mut(slot as usize)) {
            entry.fired = false;
        }
        result
    }

    /// Stops the limit.
    pub fn clear(&mut self) {
        if let Some(slot) = self.slot.take() {
            let mut table = self.timers.table.borrow_mut();
            let table = &mut *table;
            if let Some(entry) = table.entries.get_mut(slot as usize) {
                if entry.deadline.is_some() {
                    table.armed -= 1;
                }
                *entry = Entry::default();
            }
            table.free.push(slot);
        }
    }

    /// Whether the limit runs.
    #[must_use]
    pub fn is_set(&self) -> bool {
        let table = self.timers.table.borrow();
        self.slot.and_then(|slot| table.entries.get(slot as usize)).is_some_and(|entry| entry.deadline.is_some())
    }

    /// Whether the limit is over; one that was not set since it last was is waited for.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut table = self.timers.table.borrow_mut();
        let slot = *self.slot.get_or_insert_with(|| table.slot());
        let Some(entry) = table.entries.get_mut(slot as usize) else { return Poll::Pending };
        if entry.fired {
            return Poll::Ready(());
        }
        if !entry.waker.as_ref().is_some_and(|known| known.will_wake(cx.waker())) {
            entry.waker = Some(cx.waker().clone());
        }
        Poll::Pending
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.clear();
    }
}

/// See [`Timers::within`].
pub struct Within<F> {
    timer: Timer,
    limit: Option<Duration>,
    future: Pin<Box<F>>,
}

impl<F: Future> Future for Within<F> {
    type Output = Result<F::Output, Elapsed>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if let Poll::Ready(output) = this.future.as_mut().poll(cx) {
            return Poll::Ready(Ok(output));
        }
        // The clock is read only once a wait is really needed.
        if let Some(limit) = this.limit.take() {
            this.timer.set(Instant::now() + limit);
        }
        this.timer.poll(cx).map(|()| Err(Elapsed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn with_driver<T>(test: impl AsyncFnOnce(Timers) -> T) -> T {
        let timers = Timers::new(Instant::now());
        tokio::select! {
            () = timers.clone().drive() => unreachable!(),
            output = test(timers) => output,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_ends_at_its_limit_and_not_before() {
        with_driver(async |timers| {
            for limit in [Duration::from_millis(1), Duration::from_millis(300), Duration::from_secs(1), Duration::from_secs(75)] {
                let start = Instant::now();
                let result = timers.within(limit, std::future::pending::<()>()).await;
                assert_eq!(result, Err(Elapsed));
                let took = start.elapsed();
                assert!(took >= limit && took <= limit + GRAIN + GRAIN, "{limit:?} took {took:?}");
            }
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_nearer_deadline_armed_later_is_not_kept_waiting() {
        with_driver(async |timers| {
            let mut far = timers.timer();
            far.set(Instant::now() + Duration::from_secs(60));
            tokio::time::sleep(Duration::from_millis(100)).await;
            let start = Instant::now();
            let _ = timers.within(Duration::from_millis(50), std::future::pending::<()>()).await;
            assert!(start.elapsed() <= Duration::from_millis(70));
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_moved_deadline_counts_from_its_last_place() {
        with_driver(async |timers| {
            let start = Instant::now();
            let mut timer = timers.timer();
            for _ in 0..5 {
                timer.set(Instant::now() + Duration::from_secs(2));
                tokio::time::sleep(Duration::from_millis(1500)).await;
            }
            std::future::poll_fn(|cx| timer.poll(cx)).await;
            assert!(start.elapsed() >= Duration::from_secs(8));
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_for_a_limit_that_is_set_later_ends_with_it() {
        with_driver(async |timers| {
            let timer = RefCell::new(timers.timer());
            let start = Instant::now();
            let waiter = async {
                for _ in 0..2 {
                    std::future::poll_fn(|cx| timer.borrow_mut().poll_again(cx)).await;
                }
            };
            let setter = async {
                timer.borrow_mut().set(Instant::now() + Duration::from_millis(100));
                tokio::time::sleep(Duration::from_secs(3)).await;
                assert!(!timer.borrow().is_set());
                timer.borrow_mut().set(Instant::now() + Duration::from_millis(100));
            };
            tokio::join!(waiter, setter);
            assert!(start.elapsed() >= Duration::from_millis(3100));
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_lazy_wait_ends_within_a_second_of_its_limit() {
        with_driver(async |timers| {
            for limit in [Duration::from_millis(1), Duration::from_secs(5)] {
                let start = Instant::now();
                let mut timer = timers.timer();
                timer.set_lazy(start + limit);
                std::future::poll_fn(|cx| timer.poll(cx)).await;
                assert!(start.elapsed() >= limit && start.elapsed() <= limit + REST + GRAIN, "{limit:?} took {:?}", start.elapsed());
            }
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_finished_wait_gives_its_slot_back() {
        with_driver(async |timers| {
            for _ in 0..100 {
                let _ = timers.within(Duration::from_secs(9), tokio::task::yield_now()).await;
            }
            assert_eq!(timers.table.borrow().entries.len(), 1);
            assert_eq!(timers.table.borrow().armed, 0);
        })
        .await;
    }
}
