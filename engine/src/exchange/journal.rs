//! What one exchange leaves behind: its record and its counts, written when it ends, however it ends.

use std::net::IpAddr;
use std::ops::Deref;
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

/// A request's name in every log.
#[derive(Debug, Clone)]
pub enum RequestId {
    /// Made here.
    Own([u8; 32]),
    /// By a trusted hop.
    Given(Vec<u8>),
}

impl Deref for RequestId {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Own(id) => id,
            Self::Given(id) => id,
        }
    }
}

/// What a record says of a request, in one piece of memory: its method, target and host.
struct Kept {
    bytes: Vec<u8>,
    method: usize,
    target: usize,
}

impl Kept {
    fn new(head: &RequestHead) -> Self {
        let (method, target, host) = (head.method(), head.target(), head.host());
        let mut bytes = Vec::with_capacity(method.len() + target.len() + host.len());
        bytes.extend_from_slice(method);
        bytes.extend_from_slice(target);
        bytes.extend_from_slice(host);
        Self { bytes, method: method.len(), target: method.len() + target.len() }
    }

    fn parts(&self) -> [&[u8]; 3] {
        [self.bytes.get(..self.method), self.bytes.get(self.method..self.target), self.bytes.get(self.target..)]
            .map(Option::unwrap_or_default)
    }
}

struct Tried {
    endpoint: Arc<Endpoint>,
    outcome: Option<Cause>,
    took: Duration,
}

impl Tried {
    fn row(&self) -> Attempt<'_> {
        Attempt { endpoint: &self.endpoint.id, outcome: self.outcome, took: self.took }
    }
}

/// The account of one exchange; closes itself with [`Cause::Shutdown`] when the exchange is cut.
pub struct Journal<'t> {
    thread: &'t Thread,
    /// When the request head was complete.
    pub started: Instant,
    /// Names the request.
    pub id: RequestId,
    /// Content bytes from the client.
    pub bytes_in: u64,
    /// Content bytes to the client.
    pub bytes_out: u64,
    /// Of the response; 0 until one begins.
    pub status: u16,
    /// What went wrong.
    pub cause: Option<Cause>,
    client: &'t Client,
    /// The client's address where it is not the peer's.
    ip: Option<IpAddr>,
    /// Kept only where a record will be written.
    request: Option<Kept>,
    route: Option<Arc<Route>>,
    pool: Option<Arc<Pool>>,
    attempts: Vec<Tried>,
    closed: bool,
}

impl<'t> Journal<'t> {
    /// The client's address as text.
    #[must_use]
    pub fn client_ip(&self) -> String {
        self.ip.map_or_else(|| self.client.text.clone(), |ip| ip.to_string())
    }

    /// Opens the account of a request. `ip` is the client's address where it is not the peer's.
    #[must_use]
    pub fn open(thread: &'t Thread, head: &RequestHead, client: &'t Client, ip: Option<IpAddr>) -> Self {
        let totals = &thread.shared().totals;
        totals.running.fetch_add(1, Ordering::Relaxed);
        totals.exchanges.fetch_add(1, Ordering::Relaxed);
        let id = head.fields.values(crate::message::FieldName::XRequestId).next().filter(|id| client.trusted && is_id(id));
        let logs = thread.logs();
        Self {
            thread,
            started: Instant::now(),
            id: id.map_or_else(|| RequestId::Own(thread.new_id()), |id| RequestId::Given(id.to_vec())),
            bytes_in: 0,
            bytes_out: 0,
            status: 0,
            cause: None,
            client,
            ip,
            request: logs.then(|| Kept::new(head)),
            route: None,
            pool: None,
            attempts: Vec::new(),
            closed: false,
        }
    }

    /// How long the exchange has run.
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
        if self.request.is_some() {
            self.attempts.push(Tried { endpoint: Arc::clone(endpoint), outcome, took });
        }
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
        let Some(request) = &self.request else { return };
        let [method, target, host] = request.parts();
        let (one, more);
        let attempts: &[Attempt<'_>] = if let [only] = self.attempts.as_slice() {
            one = [only.row()];
            &one
        } else {
            more = self.attempts.iter().map(Tried::row).collect::<Vec<_>>();
            &more
        };
        let forwarded = self.ip.map(|ip| ip.to_string());
        let duration = self.took();
        self.thread.log(&Record {
            time: (SystemTime::now() - duration).into(),
            id: &self.id,
            client: forwarded.as_deref().unwrap_or(&self.client.text),
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
            attempts,
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
