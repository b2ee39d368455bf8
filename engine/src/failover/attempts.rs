//! Attempts: one request, sent to one endpoint after another until one answers or none may be asked any more.
//!
//! What is repeated, and why not, is said in `repeat.rs`; how an attempt that takes long is raced, in `race.rs`. Never is the same endpoint
//! asked twice, never anything sent again once the client has received a byte, and always within the route's `timeout`.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;

use tokio::time::Instant;

use super::attempt::Stop;
use super::heed::heed;
use super::race::{Entry, Rivals, Runner};
use super::upload::Upload;
use crate::balance::affinity::Pin;
use crate::clock::Timer;
use crate::exchange::client::Client;
use crate::exchange::journal::Journal;
use crate::exchange::{Back, Front, Transport};
use crate::message::RequestHead;
use crate::pool::{Lease, Pool};
use crate::record::{Cause, NotRepeated, Origin, Outcome, Why};
use crate::route::Route;
use crate::server::thread::Thread;

/// What one exchange's attempts are made with.
pub struct Attempts<'a, 't, T> {
    /// The thread that runs it.
    pub thread: &'t Thread,
    /// Opens connections.
    pub transport: &'a T,
    /// The rule that matched.
    pub route: &'a Route,
    /// Who is asked.
    pub pool: Arc<Pool>,
    /// Who asks.
    pub client: &'a Client,
    /// Whether `Upgrade` passes.
    pub upgrade: bool,
    /// Ends the whole exchange.
    pub total: Option<Instant>,
    /// The hash of the request's key, where the policy has one.
    pub key: Option<u64>,
    /// The endpoint that the client is pinned to.
    pub pin: Option<Pin>,
    /// How often another pool took over because all of one were down.
    pub diverted: usize,
}

/// An endpoint that answered: its connection holds a final response head.
pub struct Answered<B> {
    /// The connection.
    pub back: B,
    /// The hold on the endpoint.
    pub lease: Lease,
    /// The request's content, which may still be on its way.
    pub upload: Upload,
    /// When the answer came.
    pub at: Instant,
    /// Whether the response should pin the client to the endpoint.
    pub pins: bool,
    /// Whether it is among the endpoint's responses already, since it was set aside before.
    pub counted: bool,
}

/// How far one exchange has come.
pub(super) struct Course<'c, 'j> {
    pub(super) journal: &'c mut Journal<'j>,
    pub(super) upload: Upload,
    pub(super) timer: Timer,
    /// The endpoints that were asked; not yet the one that is being, so that a request which goes well keeps no list.
    pub(super) tried: Vec<Arc<str>>,
    /// Whether the request may be sent again although it may have run.
    pub(super) repeatable: bool,
    /// Why the next attempt is made.
    pub(super) why: Why,
    /// Earlier attempts may still answer.
    pub(super) racing: bool,
}

/// What came first.
enum Step<B> {
    /// The attempt ended, or takes long.
    Ended(Result<B, Stop<B>>),
    /// An earlier one has answered.
    Overtaken(Runner<B>),
}

impl<T: Transport> Attempts<'_, '_, T> {
    /// Asks endpoints until one answers.
    ///
    /// # Errors
    ///
    /// The cause of the last attempt, or why none could be made.
    pub async fn run<F: Front>(&mut self, front: &mut F, journal: &mut Journal<'_>) -> Result<Answered<T::Back>, Cause> {
        let mut course = self.course(front.request(), journal);
        let mut rivals = Rivals::new(self.thread.timer());
        let mut next = None;
        loop {
            let lease = match next.take() {
                Some(lease) => lease,
                None => match self.admit(front, &mut course).await {
                    Ok(lease) => lease,
                    Err(cause) => return Box::pin(self.without_another(front, course, rivals, cause)).await,
                },
            };
            let entry = self.enter(&mut course, lease);
            let step = {
                let mut attempt = pin!(self.attempt(front, &mut course, entry.lease.endpoint()));
                poll_fn(|cx| {
                    if let Poll::Ready(winner) = self.poll_rivals(&mut rivals, cx) {
                        return Poll::Ready(Step::Overtaken(winner));
                    }
                    attempt.as_mut().poll(cx).map(Step::Ended)
                })
                .await
            };
            self.bury(&mut course, &mut rivals);
            match step {
                Step::Ended(Ok(back)) if !self.is_unwanted(&back) => return Ok(self.win(course, rivals, entry, back)),
                Step::Ended(Ok(back)) => {
                    course.tried.push(Arc::clone(&entry.lease.endpoint().id));
                    let again = self.ask_again(front, &mut course);
                    if again.is_err() && !rivals.are_running() {
                        return Ok(self.win(course, rivals, entry, back));
                    }
                    let runner = Runner::new(entry, back, &mut course.upload);
                    self.set_aside(&mut course, &mut rivals, runner);
                    if again.is_err() {
                        return Box::pin(self.without_another(front, course, rivals, Cause::PoolEmpty)).await;
                    }
                }
                Step::Ended(Err(Stop::Race(back, rival))) => {
                    let runner = Runner::new(entry, back, &mut course.upload);
                    rivals.add(self.enter_race(runner, rival.doubt));
                    (course.why, course.racing) = (rival.why, true);
                    next = Some(rival.lease);
                }
                Step::Ended(Err(Stop::Failed(failed))) => {
                    self.fail(&mut course, &entry, failed.cause);
                    course.tried.push(Arc::clone(&entry.lease.endpoint().id));
                    drop(entry);
                    if self.repeat(front, &mut course, &failed).is_err() {
                        return Box::pin(self.without_another(front, course, rivals, failed.cause)).await;
                    }
                }
                Step::Overtaken(winner) => {
                    self.outrun(&mut course, &entry);
                    return Ok(self.overtake(course, rivals, winner));
                }
            }
            course.upload.rewind();
        }
    }

    fn course<'c, 'j>(&self, head: &RequestHead, journal: &'c mut Journal<'j>) -> Course<'c, 'j> {
        let repeatable = head.is_idempotent() || (self.route.spec.idempotency_key && head.fields.first(b"idempotency-key").is_some());
        let keep = if repeatable { usize::try_from(self.pool.spec.retry.replay_buffer).unwrap_or(usize::MAX) } else { 0 };
        Course {
            journal,
            upload: Upload::new(keep, self.route.request_headers.is_empty()),
            timer: self.thread.timer(),
            tried: Vec::new(),
            repeatable,
            why: Why::First,
            racing: false,
        }
    }

    /// Begins an attempt: from here on it counts.
    fn enter(&self, course: &mut Course<'_, '_>, lease: Lease) -> Entry {
        let pins = self.pool.pins_anew(self.pin, &lease, &course.tried, || self.thread.shared().now());
        let endpoint = lease.endpoint();
        let (begun, state) = (Instant::now(), &self.pool.state);
        state.attempts.fetch_add(1, Ordering::Relaxed);
        if !course.tried.is_empty() {
            state.retries.fetch_add(1, Ordering::Relaxed);
        }
        endpoint.state.requests.fetch_add(1, Ordering::Relaxed);
        course.journal.begins(endpoint, course.why, begun);
        Entry { lease, pins, begun }
    }

    /// The attempt has given the exchange its answer; those that still run are given up.
    fn win(&self, mut course: Course<'_, '_>, mut rivals: Rivals<T::Back>, entry: Entry, back: T::Back) -> Answered<T::Back> {
        let at = Instant::now();
        self.answered(&mut course, &entry, back.response().status, at);
        heed(&self.pool, entry.lease.endpoint(), &back, || self.thread.shared().now());
        self.give_up(&mut course, &mut rivals);
        course.journal.ends(entry.lease.endpoint(), Outcome::Ok, at.saturating_duration_since(entry.begun));
        course.journal.cause = None;
        if !self.is_unwanted(&back) {
            course.journal.not_repeated = None;
        }
        course.upload.settle();
        Answered { back, lease: entry.lease, upload: course.upload, at, pins: entry.pins, counted: false }
    }

    /// The same for an earlier attempt.
    pub(super) fn overtake(&self, mut course: Course<'_, '_>, rivals: Rivals<T::Back>, winner: Runner<T::Back>) -> Answered<T::Back> {
        course.upload.resume(winner.pump);
        self.win(course, rivals, winner.entry, winner.back)
    }

    /// Takes in that an endpoint answered.
    pub(super) fn answered(&self, course: &mut Course<'_, '_>, entry: &Entry, status: u16, at: Instant) {
        let took = at.saturating_duration_since(entry.begun);
        let (shared, pool, ok) = (self.thread.shared(), &self.pool, status < 500);
        let (now, state) = (shared.millis(at), &entry.lease.endpoint().state);
        state.latency.record(took);
        state.evidence.hear(now);
        pool.answered(&entry.lease, self.thread.index(), took.as_secs_f64(), ok, || shared.now());
        pool.refresh(shared.seconds(at));
        if ok {
            self.learn(took, now);
        }
        course.journal.bytes_in = course.upload.pump.moved;
    }

    fn learn(&self, took: std::time::Duration, now: u64) {
        self.route.learned.record(took, now);
        if self.pool.spec.hedge.is_some() {
            self.pool.state.learned.record(took, now);
        }
    }

    /// Takes in that an attempt failed.
    pub(super) fn fail(&self, course: &mut Course<'_, '_>, entry: &Entry, cause: Cause) {
        course.journal.bytes_in = course.upload.pump.moved;
        course.journal.ends(entry.lease.endpoint(), Outcome::Failed(cause), entry.begun.elapsed());
        course.journal.cause = Some(cause);
        if cause.origin() == Origin::Upstream {
            self.pool.failed(entry.lease.endpoint(), self.thread.index(), cause, self.thread.shared().now());
        }
    }

    /// Takes in that an attempt was given up for a quicker one: it counts as one that took at least as long.
    pub(super) fn outrun(&self, course: &mut Course<'_, '_>, entry: &Entry) {
        let took = entry.begun.elapsed();
        entry.lease.endpoint().state.latency.record(took);
        self.pool.outrun(&entry.lease, self.thread.index(), took.as_secs_f64());
        self.learn(took, self.thread.shared().now());
        self.pool.state.effort.cancelled.fetch_add(1, Ordering::Relaxed);
        course.journal.ends(entry.lease.endpoint(), Outcome::Cancelled, took);
    }

    /// No other attempt is begun: what still runs may answer, or an answer that was set aside is the best there is.
    async fn without_another<F: Front>(
        &self,
        front: &mut F,
        mut course: Course<'_, '_>,
        mut rivals: Rivals<T::Back>,
        cause: Cause,
    ) -> Result<Answered<T::Back>, Cause> {
        let everybody = matches!(cause, Cause::PoolEmpty | Cause::PoolUnresolved);
        if everybody && !course.tried.is_empty() && course.journal.not_repeated.is_none() {
            course.journal.not_repeated = Some(NotRepeated::NoEndpoint);
        }
        // Everybody was asked: the last answer of theirs says more than that.
        let mut cause = course.journal.cause.filter(|_| everybody).unwrap_or(cause);
        let over = cause.origin() == Origin::Client || matches!(cause, Cause::RequestTimeout | Cause::TotalTimeout);
        if !over && rivals.are_running() {
            match self.linger(front, &mut course, &mut rivals).await {
                Ok(winner) => return Ok(self.overtake(course, rivals, winner)),
                Err(last) => cause = last,
            }
        }
        if cause.origin() != Origin::Client
            && front.is_untouched()
            && let Some(spare) = rivals.take_spare()
        {
            return Ok(self.fall_back(course, rivals, *spare));
        }
        Err(cause)
    }
}
