//! How long an attempt may wait for what: the limit that holds at the moment, those of the whole exchange, and the moments at which it is
//! looked at whether it takes longer than is usual.

use std::time::Duration;

use tokio::time::Instant;

use super::attempts::{Attempts, Course};
use super::evidence::Doubt;
use super::upload::Upload;
use crate::exchange::Transport;
use crate::exchange::body::Waiting;
use crate::exchange::journal::Journal;
use crate::record::Cause;
use crate::snapshot::AttemptTimeoutSpec;

/// Longer than any wait.
const FOREVER: Duration = Duration::from_secs(100 * 365 * 86_400);

/// What stands in for a learned limit where evidence is asked for and nothing is learned.
pub(super) const UNLEARNED: Duration = Duration::from_secs(1);

/// Two looks for a proof that the endpoint is dead are at least so far apart.
const WATCHES_APART: Duration = Duration::from_millis(100);

/// They grow further apart with the wait: by this part of it.
const WATCHES_GROW: u32 = 8;

/// While an endpoint takes nothing of the content, its client is looked at so often: it may have left behind what nobody reads.
pub(super) const BLOCKED: Duration = Duration::from_secs(1);

/// What an attempt that takes long is looked at for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Look {
    /// It takes longer than nineteen of twenty: time to hedge.
    Hedge,
    /// It takes longer than is usual, by this limit: time to race.
    Late(Duration),
    /// Whether its endpoint was silent for as long.
    Doubt(Doubt),
    /// Whether who stands by should be asked too.
    Further,
    /// Whether its endpoint is proven dead.
    Watch,
}

/// What is remembered while an answer is awaited.
#[derive(Default)]
pub(super) struct Wait {
    /// When the request was found to be sent.
    sent: Option<Instant>,
    /// Bytes that had come and gone when that last changed, and when it did.
    progress: Option<(u64, Instant)>,
    /// What to look at when; there are four at most.
    looks: [Option<(Instant, Look)>; 4],
}

impl Wait {
    /// Tells how many bytes have come from the client, gone to the server and come from it by now.
    pub(super) fn note(&mut self, moved: u64) {
        if self.progress.is_none_or(|(known, _)| known != moved) {
            self.progress = Some((moved, Instant::now()));
        }
    }

    /// Whether nothing has come or gone for a while.
    pub(super) fn is_stuck(&self) -> bool {
        self.progress.is_some_and(|(_, since)| since.elapsed() >= BLOCKED)
    }

    /// When the request was sent, or now.
    pub(super) fn sent(&self) -> Instant {
        self.sent.unwrap_or_else(Instant::now)
    }

    pub(super) fn plan(&mut self, at: Instant, look: Look) {
        if let Some(place) = self.looks.iter_mut().find(|place| place.is_none()) {
            *place = Some((at, look));
        }
    }

    /// Plans the next look for a proof that the endpoint is dead.
    pub(super) fn watch_again(&mut self) {
        let (now, sent) = (Instant::now(), self.sent());
        self.plan(now + ((now - sent) / WATCHES_GROW).max(WATCHES_APART), Look::Watch);
    }

    fn next(&self) -> Option<Instant> {
        self.looks.iter().flatten().map(|(at, _)| *at).min()
    }

    fn take(&mut self, now: Instant) -> Option<Look> {
        let due = self.looks.iter_mut().find_map(|place| place.take_if(|(at, _)| *at <= now));
        due.map(|(_, look)| look)
    }
}

/// What to do while nothing comes.
pub(super) enum Patience {
    /// Wait until then.
    Until(Instant),
    /// Look, and ask again.
    Look(Look),
    /// A limit has passed.
    Over(Cause),
}

/// Whether the endpoint takes no content although there is some.
pub(super) fn is_blocked(upload: &Upload) -> bool {
    !upload.is_over() && upload.pump.waiting == Waiting::Sink
}

impl<T: Transport> Attempts<'_, '_, T> {
    /// The nearest limit of the whole exchange, with the cause that goes with it.
    pub(super) fn whole(&self, journal: &Journal<'_>) -> Option<(Instant, Cause)> {
        let route = self.route.spec.timeout.map(|timeout| (journal.started + timeout, Cause::RequestTimeout));
        let total = self.total.map(|total| (total, Cause::TotalTimeout));
        route.into_iter().chain(total).min_by_key(|(at, _)| *at)
    }

    /// The nearest of a wait's own limit and those of the whole exchange, and the cause that goes with it.
    pub(super) fn earliest(&self, journal: &Journal<'_>, own: Instant, cause: Cause) -> (Instant, Cause) {
        self.whole(journal).filter(|(at, _)| *at <= own).unwrap_or((own, cause))
    }

    /// How long opening a connection may take: as configured, but never so long that no time is left for the other endpoints.
    pub(super) fn connect_limit(&self, course: &Course<'_, '_>) -> Duration {
        let own = self.pool.connect_timeout();
        let Some((deadline, _)) = self.whole(course.journal) else { return own };
        let most = self.pool.endpoints.len().min(self.pool.spec.retry.attempts as usize);
        let shares = most.saturating_sub(course.tried.len()).max(1);
        own.min(deadline.saturating_duration_since(Instant::now()) / shares as u32)
    }

    /// When to look at the clock again, what to look at besides, or which limit has passed.
    pub(super) fn patience(&self, course: &Course<'_, '_>, asks: bool, wait: &mut Wait) -> Patience {
        let now = Instant::now();
        let (limit, cause) = self.limit(&course.upload, asks);
        let since =
            if course.upload.is_over() { self.since_sent(course, wait, now) } else { wait.progress.map_or(now, |(_, since)| since) };
        let (deadline, cause) = self.earliest(course.journal, since + limit, cause);
        if deadline <= now {
            return Patience::Over(cause);
        }
        let deadline = if is_blocked(&course.upload) { deadline.min(now + BLOCKED) } else { deadline };
        match wait.next() {
            Some(next) if next <= now => wait.take(now).map_or(Patience::Until(deadline), Patience::Look),
            Some(next) => Patience::Until(deadline.min(next)),
            None => Patience::Until(deadline),
        }
    }

    /// When the request was sent. If that is news, it is planned when to look at the attempt.
    fn since_sent(&self, course: &Course<'_, '_>, wait: &mut Wait, now: Instant) -> Instant {
        if let Some(sent) = wait.sent {
            return sent;
        }
        wait.sent = Some(now);
        let spec = &self.pool.spec;
        // Where there is nobody else, nothing could be done.
        if self.pool.endpoints.len() < 2 {
            return now;
        }
        let learned = self.route.learned.limit();
        if let (AttemptTimeoutSpec::Learned, Some(limit)) = (&spec.retry.attempt_timeout, learned) {
            wait.plan(now + limit, Look::Late(limit));
        }
        if spec.hedge.is_some()
            && course.repeatable
            && let Some(late) = self.pool.state.learned.late()
        {
            wait.plan(now + late, Look::Hedge);
        }
        if spec.probed {
            wait.plan(now + learned.unwrap_or(UNLEARNED), Look::Watch);
        }
        now
    }

    /// How long what is waited for may take. `asks`: the client waits for `100 (Continue)`, so that it is the server who is silent.
    pub(super) fn limit(&self, upload: &Upload, asks: bool) -> (Duration, Cause) {
        if upload.is_over() || asks {
            // Where it is off, the others still hold.
            let limit = (self.route.spec.first_byte_timeout.unwrap_or(FOREVER), Cause::FirstByteTimeout);
            return match self.pool.spec.retry.attempt_timeout {
                AttemptTimeoutSpec::After(own) if own < limit.0 => (own, Cause::AttemptTimeout),
                _ => limit,
            };
        }
        let limits = &self.thread.snapshot().spec.limits;
        match upload.pump.waiting {
            Waiting::Source => (limits.body_timeout, Cause::BodyTimeout),
            Waiting::Sink => (limits.send_timeout, Cause::SendStalled),
        }
    }
}
