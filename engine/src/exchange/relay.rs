//! The second half of an exchange: a response head is there; its content goes to the client while the rest of the request's may still
//! go to the server.

use std::future::poll_fn;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Instant;

use super::body::{Pump, PumpError, SourceError, Waiting};
use super::journal::Journal;
use super::{Back, Front};
use crate::clock::Timer;
use crate::failover::evidence::Ear;
use crate::failover::upload::Upload;
use crate::record::Cause;
use crate::snapshot::LimitsSpec;

/// A response under way.
pub struct Relay<'a, 't> {
    /// What binds it.
    pub limits: &'a LimitsSpec,
    /// Ends the whole exchange.
    pub total: Option<Instant>,
    /// The content sent so far.
    pub down: Pump,
    /// The rest of the request's.
    pub upload: &'a mut Upload,
    /// Learns what was moved, also when the exchange is cut.
    journal: &'a mut Journal<'t>,
    /// Learns that the server is alive.
    ear: Ear<'a>,
    /// Bytes that had come and gone when that last changed, and when it did.
    seen: Option<(u64, Instant)>,
}

impl<'a, 't> Relay<'a, 't> {
    /// For a response whose head was just written to the front.
    #[must_use]
    pub fn new(limits: &'a LimitsSpec, total: Option<Instant>, upload: &'a mut Upload, journal: &'a mut Journal<'t>, ear: Ear<'a>) -> Self {
        Self { limits, total, down: Pump::default(), upload, journal, ear, seen: None }
    }

    /// Moves both contents until the response is complete.
    ///
    /// # Errors
    ///
    /// Why it will never be.
    pub async fn run<F: Front, B: Back>(&mut self, front: &mut F, back: &mut B, timer: &mut Timer) -> Result<(), Cause> {
        timer.clear();
        // The limit that the timer was set by: a shorter one that comes to hold meanwhile sets it anew.
        let mut armed: Option<Duration> = None;
        poll_fn(|cx| {
            if let Poll::Ready(result) = self.step(front, back, cx) {
                return Poll::Ready(result);
            }
            self.note(front, back);
            let (limit, _) = self.limit();
            armed = armed.filter(|known| *known <= limit);
            loop {
                if armed.is_some() && timer.poll(cx).is_pending() {
                    return Poll::Pending;
                }
                armed = Some(limit);
                match self.patience() {
                    Ok(deadline) => timer.set(deadline),
                    Err(cause) => return Poll::Ready(Err(cause)),
                }
            }
        })
        .await
    }

    fn step<F: Front, B: Back>(&mut self, front: &mut F, back: &mut B, cx: &mut Context<'_>) -> Poll<Result<(), Cause>> {
        // The response comes first: what it no longer needs of the request is not worth waiting for.
        match self.down.poll(back, front, cx) {
            Poll::Ready(Ok(())) => return Poll::Ready(Ok(())),
            Poll::Ready(Err(PumpError::Sink(_))) => return Poll::Ready(Err(Cause::ClientAbort)),
            Poll::Ready(Err(PumpError::Source(error))) => return Poll::Ready(Err(server_cause(&error))),
            Poll::Pending => {}
        }
        if !self.upload.is_over() {
            match self.upload.poll(front, back, cx) {
                Poll::Ready(Err(PumpError::Source(SourceError::Closed | SourceError::Broken(_)))) => {
                    return Poll::Ready(Err(Cause::ClientAbort));
                }
                Poll::Ready(Err(_)) => self.upload.stop(),
                Poll::Ready(Ok(())) | Poll::Pending => {}
            }
        }
        if self.upload.is_over() && front.poll_gone(cx).is_ready() {
            return Poll::Ready(Err(Cause::ClientAbort));
        }
        Poll::Pending
    }

    /// Looks whether anything moved. What counts is progress, in either direction; a request's content is one as long as it is wanted.
    fn note<F: Front, B: Back>(&mut self, front: &F, back: &B) {
        let up = if self.upload.is_over() { 0 } else { front.received() + back.sent() };
        let moved = up + back.received() + front.sent();
        if self.seen.is_none_or(|(known, _)| known != moved) {
            let now = Instant::now();
            self.seen = Some((moved, now));
            self.ear.listen(back.received(), now);
        }
    }

    /// How long what is waited for may take.
    fn limit(&self) -> (Duration, Cause) {
        match self.down.waiting {
            Waiting::Sink => (self.limits.send_timeout, Cause::SendTimeout),
            Waiting::Source => (self.limits.body_timeout, Cause::ResponseStalled),
        }
    }

    /// When to look at the clock again, or which limit has passed.
    fn patience(&self) -> Result<Instant, Cause> {
        let now = Instant::now();
        let since = self.seen.map_or(now, |(_, since)| since);
        let (limit, cause) = self.limit();
        let (deadline, cause) = match self.total {
            Some(total) if total < since + limit => (total, Cause::TotalTimeout),
            _ => (since + limit, cause),
        };
        if deadline <= now { Err(cause) } else { Ok(deadline) }
    }
}

impl Drop for Relay<'_, '_> {
    fn drop(&mut self) {
        self.journal.bytes_in = self.upload.pump.moved;
        self.journal.bytes_out = self.down.moved;
    }
}

/// What it means that a server's content cannot be read.
#[must_use]
pub fn server_cause(error: &SourceError) -> Cause {
    match error {
        SourceError::Closed | SourceError::Broken(_) | SourceError::TooLarge => Cause::ResponseTruncated,
        SourceError::Malformed => Cause::ResponseBodyMalformed,
    }
}
