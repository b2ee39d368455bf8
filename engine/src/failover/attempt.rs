//! One attempt: a connection to one endpoint, the request on it, and the wait for its answer.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::Instant;

use super::attempts::{Attempts, Course};
use super::evidence::{Doubt, SILENCE, is_unresponsive};
use super::patience::{BLOCKED, Look, Patience, UNLEARNED, Wait, is_blocked};
use super::repeat::Failed;
use super::upload::{self, Upload};
use crate::endpoint::Endpoint;
use crate::exchange::body::{PumpError, Sink as _, Source as _, SourceError};
use crate::exchange::forward::Outgoing;
use crate::exchange::journal::Journal;
use crate::exchange::{Back, Front, OpenLimits, Transport};
use crate::message::Length;
use crate::pool::Lease;
use crate::record::{Cause, Origin, Why};

/// Another attempt that is to be made beside one that takes long.
pub(super) struct Rival {
    pub(super) lease: Lease,
    pub(super) why: Why,
    /// A look at the endpoint of the first that is due then.
    pub(super) doubt: Option<(Instant, Doubt)>,
}

/// Why an attempt goes on no longer.
pub(super) enum Stop<B> {
    /// It failed.
    Failed(Failed),
    /// It takes long, so that another is made beside it.
    Race(B, Rival),
}

/// The same, within a conversation.
enum Halt {
    Failed(Cause),
    Race(Rival),
}

impl<T: Transport> Attempts<'_, '_, T> {
    /// Asks one endpoint; a kept connection that fails without a word is replaced once by a fresh one.
    pub(super) async fn attempt<F: Front>(
        &self,
        front: &mut F,
        course: &mut Course<'_, '_>,
        endpoint: &Arc<Endpoint>,
    ) -> Result<T::Back, Stop<T::Back>> {
        let mut fresh = false;
        loop {
            let mut back = match self.open(front, course, endpoint, fresh).await {
                Ok(back) => back,
                // A client that has gone and a time that is up are the same for every endpoint.
                Err(cause) => return Err(Stop::Failed(Failed { cause, unsent: cause.origin() == Origin::Upstream, early: false })),
            };
            self.begin(front, course.journal, endpoint, &mut back);
            let cause = match self.converse(front, course, &mut back, endpoint).await {
                Ok(()) => return Ok(back),
                Err(Halt::Race(rival)) => return Err(Stop::Race(back, rival)),
                Err(Halt::Failed(cause)) => cause,
            };
            let closed = ended_early(cause) && !back.has_answered();
            let unsent = closed && is_unsent(front, &back, course);
            let repeatable = unsent || (course.repeatable && course.upload.is_whole() && closed);
            if fresh || !back.is_kept() || !repeatable || !front.is_untouched() {
                let given_up = matches!(cause, Cause::AttemptTimeout | Cause::EndpointUnresponsive) && !back.has_answered();
                return Err(Stop::Failed(Failed { cause, unsent, early: closed || given_up }));
            }
            fresh = true;
            course.upload.rewind();
        }
    }

    async fn open<F: Front>(
        &self,
        front: &mut F,
        course: &mut Course<'_, '_>,
        endpoint: &Arc<Endpoint>,
        fresh: bool,
    ) -> Result<T::Back, Cause> {
        let limits = OpenLimits {
            timeout: self.connect_limit(course),
            most: self.pool.spec.max_connections,
            max_head: usize::try_from(self.thread.snapshot().spec.limits.max_head).unwrap_or(usize::MAX),
            repeatable: course.repeatable && upload::is_kept(front.request(), self.pool.spec.retry.replay_buffer),
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
                let (deadline, cause) = self.earliest(course.journal, Instant::now() + limits.timeout * 2, Cause::ConnectTimeout);
                course.timer.set(deadline);
                cause
            });
            course.timer.poll(cx).map(|()| Err(cause))
        })
        .await
    }

    fn begin<F: Front>(&self, front: &F, journal: &Journal<'_>, endpoint: &Endpoint, back: &mut T::Back) {
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
        course: &mut Course<'_, '_>,
        back: &mut T::Back,
        endpoint: &Endpoint,
    ) -> Result<(), Halt> {
        let mut wait = Wait::default();
        let (mut send_failed, mut heard) = (false, back.received());
        course.timer.clear();
        // The limit that the timer was set by: a shorter one that comes to hold meanwhile sets it anew.
        let mut armed: Option<Duration> = None;
        poll_fn(|cx| {
            if !course.upload.is_over() {
                match course.upload.poll(front, back, cx) {
                    Poll::Ready(Err(PumpError::Source(error))) => return Poll::Ready(Err(Halt::Failed(client_cause(&error)))),
                    Poll::Ready(Err(PumpError::Sink(_))) => {
                        // The server may have answered before it stopped reading.
                        course.upload.stop();
                        send_failed = true;
                        armed = None;
                    }
                    // From here on the server's time runs, not the client's.
                    Poll::Ready(Ok(())) => armed = None,
                    Poll::Pending => {}
                }
            }
            if let Poll::Ready(result) = self.listen(front, back, course.racing, cx) {
                return Poll::Ready(
                    result.map_err(|cause| Halt::Failed(if send_failed && ended_early(cause) { Cause::SendFailed } else { cause })),
                );
            }
            if std::mem::replace(&mut heard, back.received()) != heard {
                endpoint.state.evidence.hear(self.thread.shared().now());
            }
            let moved = front.received() + back.sent() + back.received();
            if has_gone(front, &course.upload, &mut wait, moved, cx) {
                return Poll::Ready(Err(Halt::Failed(Cause::ClientAbort)));
            }
            let asks = front.request().expects_continue && front.is_untouched() && course.upload.pump.moved == 0;
            let limit = self.limit(&course.upload, asks).0.min(if is_blocked(&course.upload) { BLOCKED } else { Duration::MAX });
            armed = armed.filter(|known| *known <= limit);
            loop {
                if armed.is_some() && course.timer.poll(cx).is_pending() {
                    return Poll::Pending;
                }
                armed = Some(limit);
                match self.patience(course, asks, &mut wait) {
                    Patience::Until(deadline) => course.timer.set(deadline),
                    Patience::Over(cause) => return Poll::Ready(Err(Halt::Failed(cause))),
                    Patience::Look(look) => {
                        if let Some(halt) = self.look(front, course, endpoint, &mut wait, look) {
                            return Poll::Ready(Err(halt));
                        }
                        armed = None;
                    }
                }
            }
        })
        .await
    }

    /// Looks at an attempt that takes long.
    #[cold]
    fn look<F: Front>(&self, front: &F, course: &mut Course<'_, '_>, endpoint: &Endpoint, wait: &mut Wait, look: Look) -> Option<Halt> {
        match look {
            Look::Hedge => self.join(front, course, endpoint, (Why::Hedge, None)),
            Look::Late(limit) => {
                let doubt = self.examine(Doubt::new(&endpoint.state, limit.as_millis() as u64), endpoint);
                let sent = self.thread.shared().millis(wait.sent());
                // A second endpoint that works and takes as long says that it is the work that takes long.
                if !(course.racing && endpoint.state.evidence.heard() >= sent)
                    && let Some(halt) = self.join(front, course, endpoint, (Why::Race, doubt))
                {
                    return Some(halt);
                }
                if let Some((at, doubt)) = doubt {
                    wait.plan(at, Look::Doubt(doubt));
                }
                self.look_further(course, endpoint, wait);
                None
            }
            Look::Further => {
                let halt = self.join(front, course, endpoint, (Why::Race, None));
                if halt.is_none() {
                    self.look_further(course, endpoint, wait);
                }
                halt
            }
            Look::Doubt(doubt) => {
                if let Some((at, doubt)) = self.examine(doubt, endpoint) {
                    wait.plan(at, Look::Doubt(doubt));
                }
                None
            }
            Look::Watch => {
                let limit = self.route.learned.limit().unwrap_or(UNLEARNED).as_millis() as u64;
                if is_unresponsive(&self.pool, endpoint, limit, self.thread.shared().now()) {
                    return Some(Halt::Failed(Cause::EndpointUnresponsive));
                }
                wait.watch_again();
                None
            }
        }
    }

    /// Plans to look again whether who stands by should be asked, where it is only they who could be.
    fn look_further(&self, course: &Course<'_, '_>, endpoint: &Endpoint, wait: &mut Wait) {
        if course.repeatable && !self.pool.serves_beside(endpoint) {
            wait.plan(Instant::now() + SILENCE, Look::Further);
        }
    }

    /// Has another attempt made beside this one, where that may be.
    fn join<F: Front>(
        &self,
        front: &F,
        course: &mut Course<'_, '_>,
        endpoint: &Endpoint,
        (why, doubt): (Why, Option<(Instant, Doubt)>),
    ) -> Option<Halt> {
        self.rival(front, course, endpoint, why).map(|lease| Halt::Race(Rival { lease, why, doubt }))
    }

    /// Reads what the server answers, passing interim responses on; ready at the final head.
    fn listen<F: Front>(&self, front: &mut F, back: &mut T::Back, racing: bool, cx: &mut Context<'_>) -> Poll<Result<(), Cause>> {
        loop {
            // No more of them are read than the client takes.
            if ready!(front.poll_flush(cx)).is_err() {
                return Poll::Ready(Err(Cause::ClientAbort));
            }
            match ready!(back.poll_response(cx)) {
                Ok(()) if back.response().is_interim() => {
                    // What one says on the way would mislead about what another answers.
                    if !racing {
                        front.interim(back.response());
                    }
                    back.advance();
                }
                Ok(()) if back.response().status == 101 && !self.may_switch(front, back) => {
                    return Poll::Ready(Err(Cause::UpgradeMalformed));
                }
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

/// Whether nothing of a request was sent, or nothing of the content that it announces.
fn is_unsent<F: Front, B: Back>(front: &F, back: &B, course: &Course<'_, '_>) -> bool {
    let announced = matches!(front.request().length, Length::Known(1..) | Length::Framed);
    back.sent() == 0 || (announced && course.upload.pump.moved == 0)
}

/// What it means that a client's content cannot be read.
fn client_cause(error: &SourceError) -> Cause {
    match error {
        SourceError::Closed | SourceError::Broken(_) => Cause::ClientAbort,
        SourceError::Malformed => Cause::BodyMalformed,
        SourceError::TooLarge => Cause::BodyTooLarge,
    }
}

/// Whether the client has gone. So many bytes have come and gone by now.
fn has_gone<F: Front>(front: &mut F, upload: &Upload, wait: &mut Wait, moved: u64, cx: &mut Context<'_>) -> bool {
    if upload.is_over() {
        return front.poll_gone(cx).is_ready();
    }
    wait.note(moved);
    is_blocked(upload) && wait.is_stuck() && front.has_left()
}
