//! How long an attempt may wait for what: the limit that holds at the moment, and those of the whole exchange.

use std::time::Duration;

use tokio::time::Instant;

use super::attempts::Attempts;
use super::upload::Upload;
use crate::exchange::Transport;
use crate::exchange::body::Waiting;
use crate::exchange::journal::Journal;
use crate::record::Cause;

/// Longer than any wait.
const FOREVER: Duration = Duration::from_secs(100 * 365 * 86_400);

/// What is remembered while an answer is awaited.
#[derive(Default)]
pub(super) struct Wait {
    /// When the request was found to be sent.
    sent: Option<Instant>,
    /// Bytes that had come and gone when that last changed, and when it did.
    progress: Option<(u64, Instant)>,
}

impl Wait {
    /// Tells how many bytes have come from the client, gone to the server and come from it by now.
    pub(super) fn note(&mut self, moved: u64) {
        if self.progress.is_none_or(|(known, _)| known != moved) {
            self.progress = Some((moved, Instant::now()));
        }
    }
}

impl<T: Transport> Attempts<'_, '_, T> {
    /// The nearest of a wait's own limit and those of the whole exchange, and the cause that goes with it.
    pub(super) fn earliest(&self, journal: &Journal<'_>, own: Instant, cause: Cause) -> (Instant, Cause) {
        let route = self.route.spec.timeout.map(|timeout| (journal.started + timeout, Cause::RequestTimeout));
        let total = self.total.map(|total| (total, Cause::TotalTimeout));
        route.into_iter().chain(total).fold((own, cause), |best, other| if other.0 < best.0 { other } else { best })
    }

    /// When to look at the clock again, or which limit has passed.
    pub(super) fn patience(&self, journal: &Journal<'_>, upload: &Upload, asks: bool, wait: &mut Wait) -> Result<Instant, Cause> {
        let now = Instant::now();
        let (limit, cause) = self.limit(upload, asks);
        let since = if upload.is_over() { *wait.sent.get_or_insert(now) } else { wait.progress.map_or(now, |(_, since)| since) };
        let (deadline, cause) = self.earliest(journal, since + limit, cause);
        if deadline <= now { Err(cause) } else { Ok(deadline) }
    }

    /// How long what is waited for may take. `asks`: the client waits for `100 (Continue)`, so that it is the server who is silent.
    pub(super) fn limit(&self, upload: &Upload, asks: bool) -> (Duration, Cause) {
        if upload.is_over() || asks {
            // Where it is off, the others still hold.
            return (self.route.spec.first_byte_timeout.unwrap_or(FOREVER), Cause::FirstByteTimeout);
        }
        let limits = &self.thread.snapshot().spec.limits;
        match upload.pump.waiting {
            Waiting::Source => (limits.body_timeout, Cause::BodyTimeout),
            Waiting::Sink => (limits.send_timeout, Cause::SendStalled),
        }
    }
}
