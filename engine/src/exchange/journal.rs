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
use crate::record::{Attempt, Cause, NotRepeated, Origin, Outcome, Record, Why};
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
    why: Why,
    begun: Instant,
    /// What became of it, and after how long; `None` while it is under way.
    end: Option<(Outcome, Duration)>,
}

impl Tried {
    /// `cut` is what became of it where it is under way still.
    fn row(&self, cut: Outcome) -> Attempt<'_> {
        let (outcome, took) = self.end.unwrap_or_else(|| (cut, self.begun.elapsed()));
        Attempt { endpoint: &self.endpoint.id, why: self.why, outcome, took }
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
    /// Why it was not sent once more; counts only where something went wrong.
    pub not_repeated: Option<NotRepeated>,
    client: &'t Client,
    /// The client's address where it is not the peer's.
    ip: Option<IpAddr>,
    /// Kept only where a record will be written.
    request: Option<Kept>,
    route: Option<Arc<Route>>,
    pool: Option<Arc<Pool>>,
    /// First those that have ended, in that order.
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
            not_repeated: None,
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

    /// An attempt is begun.
    pub fn begins(&mut self, endpoint: &Arc<Endpoint>, why: Why, begun: Instant) {
        if self.request.is_some() {
            self.attempts.push(Tried { endpoint: Arc::clone(endpoint), why, begun, end: None });
        }
    }

    /// The attempt on an endpoint has ended; no endpoint has two.
    pub fn ends(&mut self, endpoint: &Arc<Endpoint>, outcome: Outcome, took: Duration) {
        let ended = self.attempts.iter().take_while(|tried| tried.end.is_some()).count();
        let of = |tried: &Tried| tried.end.is_none() && Arc::ptr_eq(&tried.endpoint, endpoint);
        if let Some(place) = self.attempts.iter().position(of) {
            if let Some(range) = self.attempts.get_mut(ended..=place) {
                range.rotate_right(1);
            }
            if let Some(tried) = self.attempts.get_mut(ended) {
                tried.end = Some((outcome, took));
            }
        }
    }

    /// An answer that was set aside for a better one is the one to go to the client: its attempt is the last.
    pub fn reconsider(&mut self, endpoint: &Arc<Endpoint>) {
        if let Some(place) = self.attempts.iter().position(|tried| Arc::ptr_eq(&tried.endpoint, endpoint)) {
            if let Some(range) = self.attempts.get_mut(place..) {
                range.rotate_left(1);
            }
            self.end_last(Outcome::Ok);
        }
    }

    fn end_last(&mut self, outcome: Outcome) {
        if let Some((known, _)) = self.attempts.last_mut().and_then(|tried| tried.end.as_mut()) {
            *known = outcome;
        }
    }

    /// The response that gave the exchange its status turned out to be broken.
    pub fn spoil(&mut self, cause: Cause) {
        self.cause = Some(cause);
        if cause.origin() == Origin::Upstream {
            self.end_last(Outcome::Failed(cause));
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
        // Cut by the gateway's end, or left behind when the exchange was over.
        let cut = if self.cause == Some(Cause::Shutdown) { Outcome::Failed(Cause::Shutdown) } else { Outcome::Cancelled };
        let attempts: &[Attempt<'_>] = if let [only] = self.attempts.as_slice() {
            one = [only.row(cut)];
            &one
        } else {
            more = self.attempts.iter().map(|tried| tried.row(cut)).collect::<Vec<_>>();
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
            not_repeated: self.not_repeated,
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
