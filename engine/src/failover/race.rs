//! Races: an attempt that takes longer than is usual is not ended, but joined by a second on another endpoint. The first to answer wins, and
//! the connections of the others are closed.
//!
//! The newest attempt is the one that goes on as any does; those before it have sent their whole request and are only listened to, by the
//! side. Nothing interim passes to the client from then on. An answer with a status of `retry.statuses` wins nothing: it is set aside, and
//! passed on when nothing better comes.

use std::future::poll_fn;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::Instant;

use super::attempts::{Answered, Attempts, Course};
use super::evidence::{Doubt, Finding};
use super::heed::heed;
use super::upload::Upload;
use crate::clock::Timer;
use crate::endpoint::Endpoint;
use crate::exchange::body::{Pump, Source as _};
use crate::exchange::{Back, Front, Transport};
use crate::pool::Lease;
use crate::record::{Cause, Outcome};

/// Bytes of a discarded answer's content that are read so that its connection may be kept.
const DRAINED: usize = 64 * 1024;

/// An attempt that was begun.
pub(super) struct Entry {
    pub(super) lease: Lease,
    /// Whether its response should pin the client to the endpoint.
    pub(super) pins: bool,
    pub(super) begun: Instant,
}

/// An attempt whose request is sent.
pub(super) struct Runner<B> {
    pub(super) entry: Entry,
    pub(super) back: B,
    /// How its content went.
    pub(super) pump: Pump,
    /// When it is given up.
    until: Option<Instant>,
    /// A look at its endpoint that is due then.
    doubt: Option<(Instant, Doubt)>,
}

impl<B> Runner<B> {
    pub(super) fn new(entry: Entry, back: B, upload: &mut Upload) -> Self {
        Self { entry, back, pump: std::mem::take(&mut upload.pump), until: None, doubt: None }
    }
}

/// The attempts of one exchange besides the newest.
pub(super) struct Rivals<B> {
    running: Vec<Runner<B>>,
    /// They failed, and that was not told yet.
    fallen: Vec<(Entry, Cause)>,
    /// They were answered with a status that asks for another answer, and that was not told yet.
    unwanted: Vec<Runner<B>>,
    /// The last answer that was set aside.
    spare: Option<Box<Runner<B>>>,
    timer: Timer,
    armed: bool,
}

impl<B> Rivals<B> {
    pub(super) fn new(timer: Timer) -> Self {
        Self { running: Vec::new(), fallen: Vec::new(), unwanted: Vec::new(), spare: None, timer, armed: false }
    }

    pub(super) fn add(&mut self, runner: Runner<B>) {
        self.running.push(runner);
        self.armed = false;
    }

    pub(super) fn are_running(&self) -> bool {
        !self.running.is_empty()
    }

    pub(super) fn take_spare(&mut self) -> Option<Box<Runner<B>>> {
        self.spare.take()
    }

    /// When some limit or look is due next.
    fn due(&self) -> Option<Instant> {
        self.running.iter().flat_map(|runner| [runner.until, runner.doubt.map(|(at, _)| at)]).flatten().min()
    }
}

impl<T: Transport> Attempts<'_, '_, T> {
    /// Whether an answer's status asks for another.
    pub(super) fn is_unwanted(&self, back: &T::Back) -> bool {
        let status = back.response().status;
        status >= 400 && self.pool.spec.retry.statuses.contains(&status)
    }

    /// Makes an attempt one that is listened to by the side.
    pub(super) fn enter_race(&self, mut runner: Runner<T::Back>, doubt: Option<(Instant, Doubt)>) -> Runner<T::Back> {
        runner.until = self.route.spec.first_byte_timeout.map(|limit| Instant::now() + limit);
        runner.doubt = doubt;
        self.pool.state.effort.raced.fetch_add(1, Ordering::Relaxed);
        runner
    }

    /// Keeps an answer for when nothing better comes.
    pub(super) fn set_aside(&self, course: &mut Course<'_, '_>, rivals: &mut Rivals<T::Back>, runner: Runner<T::Back>) {
        let (at, status, endpoint) = (Instant::now(), runner.back.response().status, runner.entry.lease.endpoint());
        self.answered(course, &runner.entry, status, at);
        heed(&self.pool, endpoint, &runner.back, || self.thread.shared().now());
        course.journal.ends(endpoint, Outcome::Discarded(status), at.saturating_duration_since(runner.entry.begun));
        course.journal.cause = None;
        endpoint.state.responses.add(status);
        if let Some(before) = rivals.spare.replace(Box::new(runner)) {
            self.let_go(*before);
        }
    }

    /// Listens to the earlier attempts; ready when one has answered.
    pub(super) fn poll_rivals(&self, rivals: &mut Rivals<T::Back>, cx: &mut Context<'_>) -> Poll<Runner<T::Back>> {
        if rivals.running.is_empty() {
            return Poll::Pending;
        }
        let mut place = 0;
        while let Some(runner) = rivals.running.get_mut(place) {
            match listen(&mut runner.back, cx) {
                Poll::Pending => place += 1,
                Poll::Ready(Ok(())) => {
                    let runner = rivals.running.remove(place);
                    if !self.is_unwanted(&runner.back) {
                        return Poll::Ready(runner);
                    }
                    rivals.unwanted.push(runner);
                }
                Poll::Ready(Err(cause)) => {
                    let runner = rivals.running.remove(place);
                    rivals.fallen.push((runner.entry, cause));
                }
            }
        }
        self.look_after(rivals, cx);
        Poll::Pending
    }

    /// Ends those whose limit has passed, and looks at the endpoints where it is time to.
    fn look_after(&self, rivals: &mut Rivals<T::Back>, cx: &mut Context<'_>) {
        while !rivals.armed || rivals.timer.poll(cx).is_ready() {
            let now = Instant::now();
            let late = |runner: &Runner<T::Back>| runner.until.is_some_and(|until| until <= now);
            let (fallen, running): (Vec<_>, _) = std::mem::take(&mut rivals.running).into_iter().partition(late);
            rivals.running = running;
            rivals.fallen.extend(fallen.into_iter().map(|runner| (runner.entry, Cause::FirstByteTimeout)));
            for runner in &mut rivals.running {
                if let Some((_, doubt)) = runner.doubt.take_if(|(at, _)| *at <= now) {
                    runner.doubt = self.examine(doubt, runner.entry.lease.endpoint());
                }
            }
            rivals.armed = true;
            match rivals.due() {
                Some(due) => rivals.timer.set(due),
                None => rivals.timer.clear(),
            }
        }
    }

    /// Looks whether the endpoint of an attempt that takes long is silent; says when to look again.
    pub(super) fn examine(&self, doubt: Doubt, endpoint: &Endpoint) -> Option<(Instant, Doubt)> {
        let shared = self.thread.shared();
        let now = shared.now();
        match doubt.find(&self.pool, &endpoint.state, now) {
            Finding::Unclear(due) => Some((shared.epoch + Duration::from_millis(due), doubt)),
            Finding::Silent(true) => {
                self.pool.suspect(endpoint, now);
                None
            }
            Finding::Silent(false) | Finding::Slow => None,
        }
    }

    /// Takes in which of the earlier attempts have failed or were answered in vain.
    pub(super) fn bury(&self, course: &mut Course<'_, '_>, rivals: &mut Rivals<T::Back>) {
        if rivals.fallen.is_empty() && rivals.unwanted.is_empty() {
            return;
        }
        for (entry, cause) in rivals.fallen.drain(..) {
            self.fail(course, &entry, cause);
        }
        for runner in std::mem::take(&mut rivals.unwanted) {
            self.set_aside(course, rivals, runner);
        }
    }

    /// Waits for the earlier attempts alone.
    pub(super) async fn linger<F: Front>(
        &self,
        front: &mut F,
        course: &mut Course<'_, '_>,
        rivals: &mut Rivals<T::Back>,
    ) -> Result<Runner<T::Back>, Cause> {
        let whole = self.whole(course.journal);
        match whole {
            Some((deadline, _)) => course.timer.set(deadline),
            None => course.timer.clear(),
        }
        let winner = poll_fn(|cx| {
            if let Poll::Ready(winner) = self.poll_rivals(rivals, cx) {
                return Poll::Ready(Ok(Some(winner)));
            }
            if rivals.running.is_empty() {
                return Poll::Ready(Ok(None));
            }
            if front.poll_gone(cx).is_ready() {
                return Poll::Ready(Err(Cause::ClientAbort));
            }
            let Some((_, cause)) = whole else { return Poll::Pending };
            course.timer.poll(cx).map(|()| Err(cause))
        })
        .await;
        self.bury(course, rivals);
        winner?.ok_or(course.journal.cause.unwrap_or(Cause::FirstByteTimeout))
    }

    /// Gives up whatever else runs, and lets go of what was set aside.
    pub(super) fn give_up(&self, course: &mut Course<'_, '_>, rivals: &mut Rivals<T::Back>) {
        self.bury(course, rivals);
        for runner in rivals.running.drain(..) {
            self.outrun(course, &runner.entry);
        }
        if let Some(spare) = rivals.spare.take() {
            self.let_go(*spare);
        }
    }

    /// Keeps the connection of a discarded answer, if the rest of that is here already; else closes it.
    fn let_go(&self, mut runner: Runner<T::Back>) {
        runner.back.advance();
        let mut cx = Context::from_waker(std::task::Waker::noop());
        let mut drained = 0;
        while drained < DRAINED && matches!(runner.back.poll_fill(&mut cx), Poll::Ready(Ok(()))) && !runner.back.ended() {
            let count = runner.back.data().len();
            runner.back.consume(count);
            drained += count;
        }
        if runner.pump.is_done() && runner.back.is_reusable() {
            self.transport.keep(runner.entry.lease.endpoint(), runner.back);
        }
    }

    /// Passes an answer on that was set aside.
    pub(super) fn fall_back(&self, mut course: Course<'_, '_>, mut rivals: Rivals<T::Back>, spare: Runner<T::Back>) -> Answered<T::Back> {
        self.give_up(&mut course, &mut rivals);
        let Entry { lease, pins, begun: _ } = spare.entry;
        course.journal.reconsider(lease.endpoint());
        course.journal.cause = None;
        course.upload.resume(spare.pump);
        course.upload.settle();
        Answered { back: spare.back, lease, upload: course.upload, at: Instant::now(), pins, counted: true }
    }
}

/// Waits for a final response head; what is interim goes no further.
fn listen<B: Back>(back: &mut B, cx: &mut Context<'_>) -> Poll<Result<(), Cause>> {
    loop {
        match ready!(back.poll_response(cx)) {
            Ok(()) if back.response().is_interim() => back.advance(),
            // Nothing that may switch protocols is raced.
            Ok(()) if back.response().status == 101 => return Poll::Ready(Err(Cause::UpgradeMalformed)),
            result => return Poll::Ready(result),
        }
    }
}
