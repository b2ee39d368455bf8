//! Whether a request is sent once more, and why not.
//!
//! Sent again is whatever provably did not run: no connection was had, nothing was sent, or nothing of the content that the head announces
//! (a server cannot have acted on a request that it never had). What may have run is sent again only where that does no harm: its method is
//! idempotent, or the route says that an `Idempotency-Key` makes it so; and its connection ended before the first byte of an answer, or
//! the answer has a status of `retry.statuses`. Each such attempt takes a token of the pool's bucket.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::time::Instant;

use super::attempts::{Attempts, Course};
use super::budget::Flow;
use super::evidence::is_suspect;
use crate::endpoint::Endpoint;
use crate::exchange::{Front, Transport};
use crate::pool::{Ask, Lease};
use crate::record::{Cause, NotRepeated, Origin, Why};

/// One attempt that did not come to an answer.
pub(super) struct Failed {
    pub(super) cause: Cause,
    /// It provably did not run.
    pub(super) unsent: bool,
    /// It ended before the first byte of an answer.
    pub(super) early: bool,
}

impl<T: Transport> Attempts<'_, '_, T> {
    /// Whether the request goes to another endpoint after an attempt that failed. If not, the journal is told why.
    pub(super) fn repeat<F: Front>(&self, front: &F, course: &mut Course<'_, '_>, failed: &Failed) -> Result<(), Option<NotRepeated>> {
        let word = match failed.cause {
            cause if cause.origin() == Origin::Client => return Err(None),
            Cause::RequestTimeout | Cause::TotalTimeout => Some(NotRepeated::Deadline),
            _ if failed.unsent || failed.early => None,
            Cause::FirstByteTimeout | Cause::SendStalled => Some(NotRepeated::Deadline),
            _ => Some(NotRepeated::ResponseBegun),
        };
        match word {
            None if failed.unsent => self.another(front, course),
            None => self.ask_again(front, course),
            // Of one that may not be repeated at all, that is the reason.
            Some(NotRepeated::ResponseBegun) if !course.repeatable => refuse(course, NotRepeated::NotIdempotent),
            Some(word) => refuse(course, word),
        }
    }

    /// Whether a request that may have run goes to another endpoint. If not, the journal is told why.
    pub(super) fn ask_again<F: Front>(&self, front: &F, course: &mut Course<'_, '_>) -> Result<(), Option<NotRepeated>> {
        if !course.repeatable {
            return refuse(course, NotRepeated::NotIdempotent);
        }
        if !course.upload.is_whole() {
            return refuse(course, NotRepeated::BodyTooLarge);
        }
        self.another(front, course)
    }

    fn another<F: Front>(&self, front: &F, course: &mut Course<'_, '_>) -> Result<(), Option<NotRepeated>> {
        if !front.is_untouched() {
            return refuse(course, NotRepeated::ResponseBegun);
        }
        if self.whole(course.journal).is_some_and(|(deadline, _)| deadline <= Instant::now()) {
            return refuse(course, NotRepeated::Deadline);
        }
        // Whatever stands in for a pool that is down is there for the request that found it so, too.
        let stands_in = self.pool.has_substitute() && self.pool.is_down_at(self.thread.shared().now());
        if !stands_in && course.tried.len() >= self.pool.spec.retry.attempts as usize {
            return refuse(course, NotRepeated::Attempts);
        }
        if !stands_in && course.tried.len() >= self.pool.endpoints.len() {
            return refuse(course, NotRepeated::NoEndpoint);
        }
        if !self.affords(Why::Repeat) {
            return refuse(course, NotRepeated::Budget);
        }
        course.journal.not_repeated = None;
        course.why = Why::Repeat;
        Ok(())
    }

    /// An endpoint for a second attempt beside the one on `endpoint`, which takes long; where there may be one. Who stands by is left alone
    /// as long as this may be the work, and not the endpoint.
    pub(super) fn rival<F: Front>(&self, front: &F, course: &mut Course<'_, '_>, endpoint: &Endpoint, why: Why) -> Option<Lease> {
        let upload = &course.upload;
        let may = course.repeatable && !self.upgrade && front.is_untouched() && upload.is_done() && upload.is_whole();
        if !may || course.tried.len() + 1 >= self.pool.spec.retry.attempts as usize {
            return None;
        }
        course.tried.push(Arc::clone(&endpoint.id));
        let ask = Ask { near: !self.may_ask_further(endpoint), ..self.ask(&course.tried) };
        let rival = self.pool.pick(&ask, || self.thread.shared().now()).ok().filter(|_| self.affords(why));
        if rival.is_none() {
            course.tried.pop();
        }
        rival
    }

    /// Whether who stands by may be asked beside `endpoint`: nobody else may serve, and it is suspect.
    fn may_ask_further(&self, endpoint: &Endpoint) -> bool {
        let limit = self.route.learned.limit();
        !self.pool.serves_beside(endpoint) && is_suspect(endpoint, limit, self.thread.shared().now())
    }

    /// Takes a token for one more attempt.
    fn affords(&self, why: Why) -> bool {
        let (pool, now) = (&self.pool, self.thread.shared().now());
        let (state, spec) = (&pool.state, &pool.spec);
        let requests = state.requests.load(Ordering::Relaxed);
        if let (Why::Hedge, Some(hedge)) = (why, &spec.hedge) {
            return state.effort.hedges.take(Flow::of_hedges(hedge.budget), requests, now);
        }
        let inflight = pool.endpoints.iter().map(|endpoint| u64::from(endpoint.state.inflight().load(Ordering::Relaxed))).sum();
        let granted = state.effort.retries.take(Flow::of_retries(spec.retry.budget, inflight), requests, now);
        if !granted && state.effort.may_tell(now) {
            pool.out_of_budget(now);
        }
        granted
    }
}

fn refuse(course: &mut Course<'_, '_>, word: NotRepeated) -> Result<(), Option<NotRepeated>> {
    course.journal.not_repeated = Some(word);
    Err(Some(word))
}
