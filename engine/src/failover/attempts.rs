//! Attempts: one request, sent to one endpoint after another until one answers or none may be asked any more.
//!
//! What is repeated: whatever provably did not run (no connection was had), and idempotent requests whose connection ended before the
//! first byte of an answer. Never on the same endpoint twice, never once the client has received a byte, always within the route's
//! `timeout`.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::Instant;

use super::patience::Wait;
use super::reflex::PAUSE;
use super::upload::{self, Upload};
use crate::balance::affinity::Pin;
use crate::balance::queue::Waiting;
use crate::clock::Timer;
use crate::exchange::body::{PumpError, Sink as _, Source as _, SourceError};
use crate::exchange::client::Client;
use crate::exchange::forward::Outgoing;
use crate::exchange::journal::Journal;
use crate::exchange::{Back, Front, OpenLimits, Transport};
use crate::pool::{Ask, Lease, Pool, Unpicked};
use crate::record::{Cause, Origin};
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
}

/// One attempt that did not come to an answer.
struct Failed {
    cause: Cause,
    /// It provably did not run.
    unsent: bool,
    /// The connection ended before the first byte of an answer.
    early: bool,
}

impl<T: Transport> Attempts<'_, '_, T> {
    /// Asks endpoints until one answers.
    ///
    /// # Errors
    ///
    /// The cause of the last attempt, or why none could be made.
    pub async fn run<F: Front>(&mut self, front: &mut F, journal: &mut Journal<'_>) -> Result<Answered<T::Back>, Cause> {
        let idempotent = front.request().is_idempotent();
        let keep = if idempotent { usize::try_from(self.pool.spec.retry.replay_buffer).unwrap_or(usize::MAX) } else { 0 };
        let mut upload = Upload::new(keep, self.route.request_headers.is_empty());
        let mut tried: Vec<Arc<str>> = Vec::new();
        let mut timer = self.thread.timer();
        loop {
            let lease = match self.admit(front, journal, &tried, &mut timer).await {
                Ok(lease) => lease,
                // Everybody was asked: the last answer of theirs says more than that.
                Err(cause @ (Cause::PoolEmpty | Cause::PoolUnresolved)) => return Err(journal.cause.unwrap_or(cause)),
                Err(cause) => return Err(cause),
            };
            let endpoint = Arc::clone(lease.endpoint());
            let pins = self.pool.pins_anew(self.pin, &lease, &tried, || self.thread.shared().now());
            let begun = Instant::now();
            self.count(&endpoint, tried.len());
            let result = self.attempt(front, journal, &endpoint, &mut upload, &mut timer).await;
            let at = Instant::now();
            let took = at.saturating_duration_since(begun);
            let failed = match result {
                Ok(back) => {
                    endpoint.state.latency.record(took);
                    let (shared, ok) = (self.thread.shared(), back.response().status < 500);
                    self.pool.answered(&lease, self.thread.index(), took.as_secs_f64(), ok, || shared.now());
                    self.pool.refresh(shared.seconds(at));
                    journal.attempted(&endpoint, None, took);
                    journal.cause = None;
                    upload.settle();
                    return Ok(Answered { back, lease, upload, at, pins });
                }
                Err(failed) => failed,
            };
            drop(lease);
            journal.bytes_in = upload.pump.moved;
            journal.attempted(&endpoint, Some(failed.cause), took);
            journal.cause = Some(failed.cause);
            if failed.cause.origin() == Origin::Upstream {
                self.pool.failed(&endpoint, self.thread.index(), failed.cause, self.thread.shared().now());
            }
            tried.push(Arc::clone(&endpoint.id));
            let repeatable = failed.unsent || (idempotent && upload.is_whole() && failed.early);
            let most = self.pool.spec.retry.attempts as usize;
            if !repeatable || tried.len() >= most || !front.is_untouched() {
                return Err(failed.cause);
            }
            upload.rewind();
        }
    }

    fn count(&self, endpoint: &crate::endpoint::Endpoint, before: usize) {
        let state = &self.pool.state;
        state.attempts.fetch_add(1, Ordering::Relaxed);
        if before > 0 {
            state.retries.fetch_add(1, Ordering::Relaxed);
        }
        endpoint.state.requests.fetch_add(1, Ordering::Relaxed);
    }

    /// Picks an endpoint, waiting for one while all are at their caps.
    async fn admit<F: Front>(
        &mut self,
        front: &mut F,
        journal: &Journal<'_>,
        tried: &[Arc<str>],
        timer: &mut Timer,
    ) -> Result<Lease, Cause> {
        if let Some(lease) = self.consult(front, journal, tried).await? {
            return Ok(lease);
        }
        match self.pick(tried) {
            Ok(lease) => return Ok(lease),
            Err(Unpicked::Full) => {}
            Err(unpicked) => return Err(unpicked.cause()),
        }
        let queue = Arc::clone(&self.pool.state.queue);
        let size = self.pool.spec.queue.size as usize;
        let until = Instant::now() + self.pool.spec.queue.timeout;
        let mut place = queue.join(size, false, tried).ok_or(Cause::QueueFull)?;
        loop {
            // Whatever became free between the pick and joining is not announced again.
            if let Ok(lease) = self.pick(tried) {
                return Ok(lease);
            }
            match self.wait(front, journal, &place, until, timer).await? {
                Some(lease) => {
                    self.refresh();
                    if let Some(lease) = self.pool.adopt(lease, || self.thread.shared().now()) {
                        return Ok(lease);
                    }
                    // Called up in vain: back to the front of the line.
                    place = queue.join(size, true, tried).ok_or(Cause::QueueFull)?;
                }
                None => self.refresh(),
            }
        }
    }

    fn pick(&self, tried: &[Arc<str>]) -> Result<Lease, Unpicked> {
        self.pool.pick(&self.ask(tried), || self.thread.shared().now())
    }

    pub(super) fn ask<'t>(&self, tried: &'t [Arc<str>]) -> Ask<'t> {
        Ask { tried, key: self.key, pinned: self.pool.pinned(self.pin) }
    }

    /// Goes on with the pool as the present snapshot has it.
    fn refresh(&mut self) {
        if let Some(pool) = self.thread.snapshot().pools.get(&*self.pool.name) {
            self.pool = Arc::clone(pool);
        }
    }

    async fn wait<F: Front>(
        &self,
        front: &mut F,
        journal: &Journal<'_>,
        place: &Waiting<Lease>,
        until: Instant,
        timer: &mut Timer,
    ) -> Result<Option<Lease>, Cause> {
        let (deadline, cause) = self.earliest(journal, until, Cause::QueueTimeout);
        // Nobody announces that an endpoint is no longer passed over.
        let look = Instant::now() + PAUSE;
        timer.set(deadline.min(look));
        poll_fn(|cx| {
            if let Poll::Ready(called) = place.poll(cx) {
                return Poll::Ready(Ok(called));
            }
            if front.poll_gone(cx).is_ready() {
                return Poll::Ready(Err(Cause::ClientAbort));
            }
            timer.poll(cx).map(|()| {
                if look < deadline {
                    return Ok(None);
                }
                if cause == Cause::QueueTimeout {
                    self.pool.state.queue.timed_out.fetch_add(1, Ordering::Relaxed);
                }
                Err(cause)
            })
        })
        .await
    }

    /// Asks one endpoint; a kept connection that fails without a word is replaced once by a fresh one.
    async fn attempt<F: Front>(
        &self,
        front: &mut F,
        journal: &Journal<'_>,
        endpoint: &Arc<crate::endpoint::Endpoint>,
        upload: &mut Upload,
        timer: &mut Timer,
    ) -> Result<T::Back, Failed> {
        let mut fresh = false;
        loop {
            let mut back = match self.open(front, journal, endpoint, fresh, timer).await {
                Ok(back) => back,
                // A client that has gone and a time that is up are the same for every endpoint.
                Err(cause) => return Err(Failed { cause, unsent: cause.origin() == Origin::Upstream, early: false }),
            };
            self.begin(front, journal, endpoint, &mut back);
            let Err(cause) = self.converse(front, journal, upload, &mut back, timer).await else { return Ok(back) };
            let early = ended_early(cause) && !back.has_answered();
            let repeatable = front.request().is_idempotent() && upload.is_whole() && early && front.is_untouched();
            if fresh || !back.is_kept() || !repeatable {
                return Err(Failed { cause, unsent: false, early });
            }
            fresh = true;
            upload.rewind();
        }
    }

    async fn open<F: Front>(
        &self,
        front: &mut F,
        journal: &Journal<'_>,
        endpoint: &Arc<crate::endpoint::Endpoint>,
        fresh: bool,
        timer: &mut Timer,
    ) -> Result<T::Back, Cause> {
        let limits = OpenLimits {
            timeout: self.pool.connect_timeout(),
            most: self.pool.spec.max_connections,
            max_head: usize::try_from(self.thread.snapshot().spec.limits.max_head).unwrap_or(usize::MAX),
            repeatable: upload::is_repeatable(front.request(), self.pool.spec.retry.replay_buffer),
        };
        let mut opening = std::pin::pin!(self.transport.open(endpoint, fresh, &limits));
        let mut armed = None;
        poll_fn(|cx| {
            if let Poll::Ready(opened) = opening.as_mut().poll(cx) {
                return Poll::Ready(opened);
            }
            if front.poll_gone(cx).is_ready() {
                return Poll::Ready(Err(Cause::ClientAbort));
            }
            let cause = *armed.get_or_insert_with(|| {
                let (deadline, cause) = self.earliest(journal, Instant::now() + limits.timeout * 2, Cause::ConnectTimeout);
                timer.set(deadline);
                cause
            });
            timer.poll(cx).map(|()| Err(cause))
        })
        .await
    }

    fn begin<F: Front>(&self, front: &F, journal: &Journal<'_>, endpoint: &crate::endpoint::Endpoint, back: &mut T::Back) {
        let head = front.request();
        let snapshot = self.thread.snapshot();
        back.begin(&Outgoing {
            head,
            path: &self.route.target(head.path()),
            host: self.pool.host(endpoint, head.authority()),
            edits: &self.route.request_headers,
            client: self.client,
            forwarding: &snapshot.forwarding,
            id: &journal.id,
            upgrade: self.upgrade,
        });
    }

    /// Sends the request and waits for a final response head, passing interim ones on.
    async fn converse<F: Front>(
        &self,
        front: &mut F,
        journal: &Journal<'_>,
        upload: &mut Upload,
        back: &mut T::Back,
        timer: &mut Timer,
    ) -> Result<(), Cause> {
        let mut wait = Wait::default();
        let mut send_failed = false;
        timer.clear();
        // The limit that the timer was set by: a shorter one that comes to hold meanwhile sets it anew.
        let mut armed: Option<Duration> = None;
        poll_fn(|cx| {
            if !upload.is_over() {
                match upload.poll(front, back, cx) {
                    Poll::Ready(Err(PumpError::Source(error))) => return Poll::Ready(Err(client_cause(&error))),
                    Poll::Ready(Err(PumpError::Sink(_))) => {
                        // The server may have answered before it stopped reading.
                        upload.stop();
                        send_failed = true;
                        armed = None;
                    }
                    // From here on the server's time runs, not the client's.
                    Poll::Ready(Ok(())) => armed = None,
                    Poll::Pending => {}
                }
            }
            if let Poll::Ready(result) = self.listen(front, back, send_failed, cx) {
                return Poll::Ready(result);
            }
            if !upload.is_over() {
                wait.note(front.received() + back.sent() + back.received());
            } else if front.poll_gone(cx).is_ready() {
                return Poll::Ready(Err(Cause::ClientAbort));
            }
            let asks = front.request().expects_continue && front.is_untouched() && upload.pump.moved == 0;
            let (limit, _) = self.limit(upload, asks);
            armed = armed.filter(|known| *known <= limit);
            loop {
                if armed.is_some() && timer.poll(cx).is_pending() {
                    return Poll::Pending;
                }
                armed = Some(limit);
                match self.patience(journal, upload, asks, &mut wait) {
                    Ok(deadline) => timer.set(deadline),
                    Err(cause) => return Poll::Ready(Err(cause)),
                }
            }
        })
        .await
    }

    /// Reads what the server answers, passing interim responses on; ready at the final head.
    fn listen<F: Front>(&self, front: &mut F, back: &mut T::Back, send_failed: bool, cx: &mut Context<'_>) -> Poll<Result<(), Cause>> {
        loop {
            // No more of them are read than the client takes.
            if ready!(front.poll_flush(cx)).is_err() {
                return Poll::Ready(Err(Cause::ClientAbort));
            }
            match ready!(back.poll_response(cx)) {
                Ok(()) if back.response().is_interim() => {
                    front.interim(back.response());
                    back.advance();
                }
                Ok(()) if back.response().status == 101 && !self.may_switch(front, back) => {
                    return Poll::Ready(Err(Cause::UpgradeMalformed));
                }
                Err(cause) if send_failed && ended_early(cause) => return Poll::Ready(Err(Cause::SendFailed)),
                result => return Poll::Ready(result),
            }
        }
    }

    /// Whether the server switches to what the client asked for.
    fn may_switch<F: Front>(&self, front: &F, back: &T::Back) -> bool {
        let asked = front.request().upgrade().filter(|_| self.upgrade);
        let switched = back.response().fields.first(b"upgrade");
        asked.zip(switched).is_some_and(|(asked, switched)| asked.eq_ignore_ascii_case(switched))
    }
}

/// The connection ended before the first byte of an answer.
fn ended_early(cause: Cause) -> bool {
    matches!(cause, Cause::ClosedBeforeResponse | Cause::ResetBeforeResponse | Cause::SendFailed)
}

/// What it means that a client's content cannot be read.
#[must_use]
pub fn client_cause(error: &SourceError) -> Cause {
    match error {
        SourceError::Closed | SourceError::Broken(_) => Cause::ClientAbort,
        SourceError::Malformed => Cause::BodyMalformed,
        SourceError::TooLarge => Cause::BodyTooLarge,
    }
}
