//! What a probe came to, on its way to whoever judges it.

use std::sync::{Arc, Mutex, PoisonError};

use serde::{Serialize, Serializer};
use tokio::time::Instant;

use crate::record::Cause;

/// The time of a probe ran out while its answer was awaited.
pub(super) const TIMEOUT: &str = "probe_timeout";

/// The pool has no endpoint of that id, or there is no such pool.
pub(super) const UNKNOWN: &str = "unknown_endpoint";

/// A probe that has ended. Serializes to `[pool, endpoint, seconds, status, cause, body, age]`, the age being seconds since it ended.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The name of the pool.
    pub pool: Arc<str>,
    /// The id of the endpoint.
    pub endpoint: Arc<str>,
    /// Seconds to the answer's head, to the bytes expected, or to the connection, whichever was asked for; or to the failure.
    pub seconds: f64,
    /// Of the answer, where one came.
    pub status: Option<u16>,
    /// Why it failed: a name of the catalogue of causes, `probe_timeout` or `unknown_endpoint`.
    pub cause: Option<&'static str>,
    /// What was wanted of the content, as far as it came.
    pub body: Option<Vec<u8>>,
    /// When it ended.
    pub ended: Instant,
}

impl Outcome {
    pub(super) fn failed(pool: Arc<str>, endpoint: Arc<str>, cause: &'static str) -> Self {
        Self { pool, endpoint, seconds: 0.0, status: None, cause: Some(cause), body: None, ended: Instant::now() }
    }
}

impl Serialize for Outcome {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Each byte as the character of its number, as in the order.
        let body: Option<String> = self.body.as_ref().map(|body| body.iter().copied().map(char::from).collect());
        let age = self.ended.elapsed().as_secs_f64();
        (&*self.pool, &*self.endpoint, self.seconds, self.status, self.cause, body, age).serialize(serializer)
    }
}

/// What a probe has come to so far.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// A connection is there.
    pub(super) connected: bool,
    /// When what is timed was complete.
    pub(super) at: Option<Instant>,
    pub(super) status: Option<u16>,
    pub(super) body: Vec<u8>,
}

impl Progress {
    /// Why a probe failed whose time ran out now.
    pub(super) fn timeout(&self) -> &'static str {
        if self.connected { TIMEOUT } else { Cause::ConnectTimeout.name() }
    }
}

/// Outcomes that nobody has read.
#[derive(Debug, Default)]
pub struct Probed {
    list: Mutex<Vec<Outcome>>,
}

impl Probed {
    pub(super) fn add(&self, mut outcomes: Vec<Outcome>) {
        self.list.lock().unwrap_or_else(PoisonError::into_inner).append(&mut outcomes);
    }

    pub(super) fn take(&self) -> Vec<Outcome> {
        std::mem::take(&mut *self.list.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
