//! Evidence about an endpoint, as opposed to about one request: whether anything at all has come from it lately.
//!
//! Slow work is no fault: one request that takes long says nothing of the server that works on it. A server that is frozen or cut off is
//! silent on all of its connections, while its peers answer; only that counts here, in two degrees.
//!
//! *Suspect*: several attempts in a row passed the limit that was learned for their routes, and between the first of them and now nothing
//! came from the endpoint for as long as such a limit. A path that is always slow does not bring that about unless it is all that the
//! endpoint is asked for, as any other answer (or interim response, or piece of content, or answered probe) begins the count anew. What it
//! costs is little: peers are picked meanwhile.
//!
//! *Unresponsive*: besides the silence, a probe that was sent during it ran out of its time. Only then is a request that may not be repeated
//! ended.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::serving::Status;
use crate::endpoint::{Endpoint, EndpointState};
use crate::pool::Pool;
use crate::server::shared::Shared;

/// Attempts in a row that must have passed their limits in silence.
pub const DOUBTS: u32 = 3;

/// The shortest silence that speaks against an endpoint by itself.
pub const SILENCE: Duration = Duration::from_secs(1);

/// What is heard of one endpoint, over all threads. Times are milliseconds of the engine's clock.
#[derive(Debug, Default)]
pub struct Evidence {
    /// When the last byte came on any of its connections; 0 for never.
    heard: AtomicU64,
    /// What that was when the doubts below were counted.
    silent: AtomicU64,
    doubts: AtomicU32,
    /// When the last probe was sent that then ran out of its time.
    deaf: AtomicU64,
}

impl Evidence {
    /// Something came from the endpoint. Written only when it changes: all threads share this line.
    pub fn hear(&self, now: u64) {
        if self.heard.load(Ordering::Relaxed) < now {
            self.heard.store(now, Ordering::Relaxed);
        }
    }

    /// When something last came.
    #[must_use]
    pub fn heard(&self) -> u64 {
        self.heard.load(Ordering::Relaxed)
    }

    /// A probe that was sent then ran out of its time, and nothing came back.
    pub fn lose_probe(&self, sent: u64) {
        self.deaf.fetch_max(sent, Ordering::Relaxed);
    }

    /// An attempt passed its limit, and for as long nothing had come since `heard`; how many did so since then.
    fn doubt(&self, heard: u64) -> u32 {
        if self.silent.swap(heard, Ordering::Relaxed) != heard {
            self.doubts.store(0, Ordering::Relaxed);
        }
        self.doubts.fetch_add(1, Ordering::Relaxed) + 1
    }
}

/// Notes that an endpoint is heard while its answer is under way.
#[derive(Clone, Copy)]
pub struct Ear<'a> {
    shared: &'a Shared,
    state: &'a EndpointState,
    /// Bytes that had come.
    known: u64,
}

impl<'a> Ear<'a> {
    /// For one answer of an endpoint.
    #[must_use]
    pub fn new(shared: &'a Shared, state: &'a EndpointState) -> Self {
        Self { shared, state, known: 0 }
    }

    /// So many bytes of it have come by now.
    pub fn listen(&mut self, received: u64, now: Instant) {
        if std::mem::replace(&mut self.known, received) != received {
            self.state.evidence.hear(self.shared.millis(now));
        }
    }
}

/// What is found of one attempt that takes unusually long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finding {
    /// The endpoint answers others, or nobody does.
    Slow,
    /// Too early to tell: look again when this many milliseconds of the engine's clock have come.
    Unclear(u64),
    /// The endpoint is silent; `true` when it should be suspected from now on.
    Silent(bool),
}

/// One attempt's look at its endpoint. Made when the attempt has passed its limit.
#[derive(Debug, Clone, Copy)]
pub struct Doubt {
    /// When the endpoint was heard last, as first seen.
    heard: u64,
    /// The limit.
    limit: u64,
}

impl Doubt {
    /// Of an attempt that passed its limit (in milliseconds).
    #[must_use]
    pub fn new(state: &EndpointState, limit: u64) -> Self {
        Self { heard: state.evidence.heard(), limit }
    }

    /// What is to be thought at this millisecond of the engine's clock.
    #[must_use]
    pub fn find(&self, pool: &Pool, state: &EndpointState, now: u64) -> Finding {
        if state.evidence.heard() != self.heard {
            return Finding::Slow;
        }
        let due = self.heard + self.limit;
        if now < due {
            return Finding::Unclear(due);
        }
        if !peers_answered(pool, state, now.saturating_sub(self.limit)) {
            return Finding::Slow;
        }
        Finding::Silent(state.evidence.doubt(self.heard) >= DOUBTS)
    }
}

/// Whether an endpoint is proven dead: silent for so many milliseconds, while its peers answer, and deaf to a probe since.
#[must_use]
pub fn is_unresponsive(pool: &Pool, endpoint: &Endpoint, limit: u64, now: u64) -> bool {
    let state = &endpoint.state;
    let heard = state.evidence.heard();
    now.saturating_sub(heard) > limit && peers_answered(pool, state, heard + 1) && state.evidence.deaf.load(Ordering::Relaxed) > heard
}

/// Whether an endpoint is suspect by its status, or would be if there were peers to compare it with: several exchanges wait for it, and
/// nothing has come from it for a second, or for the limit that was learned where that is longer.
#[must_use]
pub fn is_suspect(endpoint: &Endpoint, limit: Option<Duration>, now: u64) -> bool {
    let state = &endpoint.state;
    let silence = limit.unwrap_or_default().max(SILENCE).as_millis() as u64;
    let silent = || state.inflight().load(Ordering::Relaxed) >= DOUBTS && now.saturating_sub(state.evidence.heard()) >= silence;
    state.standing.read(|inner| inner.status(now).0 == Status::Suspect) || silent()
}

/// Whether any other endpoint of the pool was heard at that time or later.
fn peers_answered(pool: &Pool, state: &EndpointState, since: u64) -> bool {
    pool.endpoints.iter().any(|peer| !std::ptr::eq(Arc::as_ptr(&peer.state), state) && peer.state.evidence.heard() >= since.max(1))
}
