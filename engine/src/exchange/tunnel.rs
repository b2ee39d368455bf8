//! A tunnel: after `101 (Switching Protocols)` bytes go both ways untouched, until both sides have shut.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use tokio::time::Instant;

use super::body::{Pump, PumpError};
use super::journal::Journal;
use super::{Back, Front};
use crate::clock::Timer;
use crate::failover::evidence::Ear;
use crate::record::Cause;

/// The two directions.
pub struct Tunnel<'a, 't> {
    /// From the client to the server.
    pub up: Pump,
    /// From the server to the client.
    pub down: Pump,
    /// Learns what was moved, also when the exchange is cut.
    journal: &'a mut Journal<'t>,
    /// Learns that the server is alive.
    ear: Ear<'a>,
}

impl<'a, 't> Tunnel<'a, 't> {
    /// A tunnel through which nothing has gone.
    #[must_use]
    pub fn new(journal: &'a mut Journal<'t>, ear: Ear<'a>) -> Self {
        Self { up: Pump::default(), down: Pump::default(), journal, ear }
    }

    /// Runs until both directions have ended; one that has leaves the other open (half-close). `idle` is how long it may be quiet, `total`
    /// ends it whatever its progress.
    ///
    /// # Errors
    ///
    /// Why it was ended from here.
    pub async fn run<F: Front, B: Back>(
        &mut self,
        front: &mut F,
        back: &mut B,
        timer: &mut Timer,
        (idle, total): (Duration, Option<Instant>),
    ) -> Result<(), Cause> {
        let mut seen = (0, Instant::now());
        let nearest = |quiet: Instant| total.map_or(quiet, |total| total.min(quiet));
        timer.set(nearest(seen.1 + idle));
        poll_fn(|cx| {
            let up = self.up.poll(front, back, cx);
            let down = self.down.poll(back, front, cx);
            match (up, down) {
                (Poll::Ready(Ok(())), Poll::Ready(Ok(()))) => return Poll::Ready(Ok(())),
                (Poll::Ready(Err(PumpError::Source(_))), _) | (_, Poll::Ready(Err(PumpError::Sink(_)))) => {
                    return Poll::Ready(Err(Cause::ClientAbort));
                }
                (Poll::Ready(Err(PumpError::Sink(_))), _) | (_, Poll::Ready(Err(PumpError::Source(_)))) => {
                    return Poll::Ready(Err(Cause::ResponseTruncated));
                }
                _ => {}
            }
            let moved = self.up.moved + self.down.moved;
            if moved != seen.0 {
                seen = (moved, Instant::now());
                self.ear.listen(self.down.moved, seen.1);
            }
            while timer.poll(cx).is_ready() {
                let now = Instant::now();
                if total.is_some_and(|total| total <= now) {
                    return Poll::Ready(Err(Cause::TotalTimeout));
                }
                if seen.1 + idle <= now {
                    return Poll::Ready(Err(Cause::TunnelTimeout));
                }
                timer.set(nearest(seen.1 + idle));
            }
            Poll::Pending
        })
        .await
    }
}

impl Drop for Tunnel<'_, '_> {
    fn drop(&mut self) {
        self.journal.bytes_in = self.up.moved;
        self.journal.bytes_out = self.down.moved;
    }
}
