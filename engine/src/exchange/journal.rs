//! What one exchange leaves behind: its record and its counts, written when it ends, however it ends.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use super::client::Client;
use crate::endpoint::Endpoint;
use crate::message::RequestHead;
use crate::pool::Pool;
use crate::record::{Attempt, Cause, Record};
use crate::route::Route;
use crate::server::thread::Thread;

struct Tried {
    endpoint: Arc<Endpoint>,
    outcome: Option<Cause>,
    took: Duration,
}

/// The account of one exchange; closes itself with [`Cause::Shutdown`] when the exchange is cut.
pub struct Journal<'t> {
    thread: &'t Thread,
    /// When the request head was complete.
    pub started: Instant,
    /// Names the request.
    pub id: Vec<u8>,
    /// Content bytes from the client.
    pub bytes_in: u64,
    /// Content bytes to the client.
    pub bytes_out: u64,
    /// Of the response; 0 until one begins.
    pub status: u16,
    /// What went wrong.
    pub cause: Option<Cause>,
    client: String,
    /// Method, target and host, kept only where a record will be written.
    request: Option<[Vec<u8>; 3]>,
    route: Option<Arc<Route>>,
    pool: Option<Arc<Pool>>,
    attempts: Vec<Tried>,
    closed: bool,
}

impl<'t> Journal<'t> {
    /// Opens the account of a request. `ip` is the client's address where it is not the peer's.
    #[must_use]
    pub fn open(thread: &'t Thread, head: &RequestHead, client: &Client, ip: Option<IpAddr>) -> Self {
        let totals = &thread.shared().totals;
        totals.running.fetch_add(1, Ordering::Relaxed);
        totals.exchanges.fetch_add(1, Ordering::Relaxed);
        let id = head.fields.values(crate::message::FieldName::XRequestId).next().filter(|id| client.trusted && is_id(id));
        let logs = thread.logs();
        Self {
            thread,
            started: Instant::now(),
            id: id.map_or_else(|| thread.new_id().to_vec(), <[u8]>::to_vec),
            bytes_in: 0,
            bytes_out: 0,
            status: 0,
            cause: None,
            client: match ip {
                Some(ip) if logs => ip.to_string(),
                None if logs => client.text.clone(),
                _ => String::new(),
            },
            request: logs.then(|| [head.method().to_vec(), head.target().to_vec(), head.host().to_vec()]),
            route: None,
            pool: None,
            attempts: Vec::new(),
            closed: false,
        }
    }

    /// Milliseconds of the engine's clock when the exchange began.
    #[must_use]
    pub fn took(&self) -> Duration {
        self.started.elapsed()
    }

    /// The route that matched, and its pool.
    pub fn routed(&mut self, route: &Arc<Route>, pool: Option<&Arc<Pool>>) {
        self.route = Some(Arc::clone(route));
        if let Some(pool) = pool {
            pool.state.requests.fetch_add(1, Ordering::Relaxed);
            self.pool = Some(Arc::clone(pool));
        }
    }

    /// An attempt ended: with a response head, or with a cause.
    pub fn attempted(&mut self, endpoint: &Arc<Endpoint>, outcome: Option<Cause>, took: Duration) {
        self.attempts.push(Tried { endpoint: Arc::clone(endpoint), outcome, took });
    }

    /// The response that gave the exchange its status turned out to be broken.
    pub fn spoil(&mut self, cause: Cause) {
        self.cause = Some(cause);
        if let Some(last) = self.attempts.last_mut()
            && cause.origin() == crate::record::Origin::Upstream
        {
            last.outcome = Some(cause);
        }
    }

    /// Closes the account.
    pub fn close(mut self) {
        self.finish();
    }

    fn finish(&mut self) {
        if std::mem::replace(&mut self.closed, true) {
            return;
        }
        let shared = self.thread.shared();
        let status = if self.cause == Some(Cause::ClientAbort) { 499 } else { self.status };
        shared.totals.running.fetch_sub(1, Ordering::Relaxed);
        shared.totals.responses.add(status);
        if let Some(pool) = &self.pool {
            pool.state.responses.add(status);
        }
        if let Some(cause) = self.cause {
            shared.totals.causes.add(cause);
        }
        let Some([method, target, host]) = &self.request else { return };
        let attempts: Vec<Attempt<'_>> =
            self.attempts.iter().map(|tried| Attempt { endpoint: &tried.endpoint.id, outcome: tried.outcome, took: tried.took }).collect();
        let duration = self.took();
        self.thread.log(&Record {
            time: (SystemTime::now() - duration).into(),
            id: &self.id,
            client: &self.client,
            method,
            target,
            host,
            status,
            bytes_in: self.bytes_in,
            bytes_out: self.bytes_out,
            duration,
            route: self.route.as_ref().map(|route| route.spec.id.as_str()),
            pool: self.pool.as_ref().map(|pool| &*pool.name),
            cause: self.cause,
            attempts: &attempts,
        });
    }
}

impl Drop for Journal<'_> {
    fn drop(&mut self) {
        if !self.closed {
            self.cause = Some(Cause::Shutdown);
            self.finish();
        }
    }
}

/// What may name a request: short, visible, harmless wherever it is written.
fn is_id(value: &[u8]) -> bool {
    (1..=128).contains(&value.len())
        && value.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':' | b'/' | b'+' | b'='))
}
