//! One exchange, from a request head to the end of its response: route, admit, pick, attempt, response head, response body, log.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::answer::Answer;
use super::body::Source as _;
use super::client::Client;
use super::journal::Journal;
use super::relay::{Relay, server_cause};
use super::tunnel::Tunnel;
use super::{Back, Front, Reply, Transport};
use crate::balance::report::Report;
use crate::failover::attempts::{Answered, Attempts};
use crate::failover::evidence::Ear;
use crate::message::{FieldName, RequestHead};
use crate::pool::Pool;
use crate::record::Cause;
use crate::route::{RequestView, Route};
use crate::server::shared::Shared;
use crate::server::thread::Thread;
use crate::snapshot::{ActionSpec, LimitsSpec, WhenAllDownSpec};

/// What becomes of the client's connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// It may bring another request.
    Keep,
    /// The response is complete; the connection is not used again.
    Close,
    /// The response is not complete, and must not look as if it were.
    Break,
}

/// What an exchange runs in.
pub struct Stage<'a, T> {
    /// The thread.
    pub thread: &'a Thread,
    /// Opens connections to endpoints.
    pub transport: &'a T,
    /// The client.
    pub client: &'a Client,
    /// Tokens that `Upgrade` may carry.
    pub upgrades: &'a [String],
}

/// What a request is routed to: a pool, or an answer of the route's own.
type Found = (Arc<Route>, Option<Arc<Pool>>);

impl RequestView for RequestHead {
    fn method(&self) -> &[u8] {
        Self::method(self)
    }

    fn host(&self) -> &[u8] {
        Self::host(self)
    }

    fn path(&self) -> &[u8] {
        match Self::path(self) {
            [] => b"/",
            // The server itself: matched by what matches every path, and by nothing narrower.
            b"*" => b"/*",
            path => path,
        }
    }

    fn query(&self) -> Option<&[u8]> {
        Self::query(self)
    }

    fn header_any(&self, name: &[u8], test: impl FnMut(&[u8]) -> bool) -> bool {
        self.fields.any(name, test)
    }
}

impl<T: Transport> Stage<'_, T> {
    /// Serves the request that the front holds.
    pub async fn run<F: Front>(&self, front: &mut F) -> After {
        let (mut journal, found) = self.route(front.request());
        let after = match found {
            Some((route, Some(pool))) => self.forward(front, &route, pool, &mut journal).await,
            Some((route, None)) => {
                let answer = local_answer(&route, front.request());
                Box::pin(self.answer(front, &mut journal, answer)).await
            }
            None => Box::pin(self.refuse(front, &mut journal, Cause::NoRoute)).await,
        };
        journal.close();
        after
    }

    /// Opens the account and finds the route. The snapshot itself is let go: a long exchange must not keep an old one alive.
    fn route(&self, head: &RequestHead) -> (Journal<'_>, Option<Found>) {
        let snapshot = self.thread.snapshot();
        let ip = snapshot.forwarding.client_ip(head, self.client);
        let mut journal = Journal::open(self.thread, head, self.client, ip);
        let found = snapshot.routes.find(head).map(|(index, route)| {
            let pool = snapshot.route_pools.get(index).and_then(Option::as_ref);
            journal.routed(route, pool);
            (Arc::clone(route), pool.map(Arc::clone))
        });
        (journal, found)
    }

    /// Tells the client of a request that never became an exchange.
    pub async fn turn_away<F: Front>(&self, front: &mut F, cause: Cause) -> After {
        let mut journal = Journal::open(self.thread, front.request(), self.client, None);
        let after = self.refuse(front, &mut journal, cause).await;
        journal.close();
        after
    }

    async fn forward<F: Front>(&self, front: &mut F, route: &Arc<Route>, pool: Arc<Pool>, journal: &mut Journal<'_>) -> After {
        let limits = self.thread.snapshot().spec.limits.clone();
        let total = limits.total_timeout.map(|limit| journal.started + limit);
        let upgrade =
            front.request().upgrade().is_some_and(|token| self.upgrades.iter().any(|known| token.eq_ignore_ascii_case(known.as_bytes())));
        // An answer has the columns written anew too, but after a pause, or while nobody answers, what they hold is old.
        pool.refresh(self.thread.shared().seconds(journal.started));
        let key = pool.key(front.request(), || journal.client_ip());
        let pin = pool.pin(front.request(), Shared::wall);
        let mut attempts = Attempts {
            thread: self.thread,
            transport: self.transport,
            route,
            pool: Arc::clone(&pool),
            client: self.client,
            upgrade,
            total,
            key,
            pin,
            diverted: 0,
        };
        let mut answered = match attempts.run(front, journal).await {
            Ok(answered) => answered,
            Err(cause) => {
                let pool = Arc::clone(&attempts.pool);
                return Box::pin(self.without(front, journal, &pool, cause)).await;
            }
        };
        pool.state.latency.record(answered.at.saturating_duration_since(journal.started));
        note_report(self.thread, &answered);
        if answered.back.response().status == 101 {
            return Box::pin(self.tunnel(front, &limits, route, &mut answered, journal)).await;
        }
        let after = self.relay(front, &limits, route, &mut answered, journal).await;
        if after != After::Break && answered.upload.is_done() && answered.back.is_reusable() {
            self.transport.keep(answered.lease.endpoint(), answered.back);
        }
        after
    }

    async fn relay<F: Front>(
        &self,
        front: &mut F,
        limits: &LimitsSpec,
        route: &Route,
        answered: &mut Answered<T::Back>,
        journal: &mut Journal<'_>,
    ) -> After {
        let own = own_fields(self.client, front.request(), answered);
        let Answered { back, lease, upload, counted, .. } = answered;
        let state = &lease.endpoint().state;
        if !*counted {
            state.responses.add(back.response().status);
        }
        state.answered.store(true, Ordering::Relaxed);
        back.advance();
        // Content that is seen to be broken before anything was sent can still be told in plain words.
        let begun = std::future::poll_fn(|cx| std::task::Poll::Ready(back.poll_fill(cx))).await;
        if let std::task::Poll::Ready(Err(error)) = begun {
            let cause = server_cause(&error);
            journal.spoil(cause);
            return Box::pin(self.refuse(front, journal, cause)).await;
        }
        self.respond(front, back, route, &own, journal);
        let total = limits.total_timeout.map(|limit| journal.started + limit);
        let mut relay = Relay::new(limits, total, upload, journal, Ear::new(self.thread.shared(), state));
        let result = relay.run(front, back, &mut self.thread.timer()).await;
        drop(relay);
        state.sent.fetch_add(journal.bytes_in, Ordering::Relaxed);
        state.received.fetch_add(journal.bytes_out, Ordering::Relaxed);
        if let Err(cause) = result {
            journal.spoil(cause);
            return After::Break;
        }
        if front.is_reusable() { After::Keep } else { After::Close }
    }

    fn respond<F: Front>(&self, front: &mut F, back: &T::Back, route: &Route, own: &OwnFields, journal: &mut Journal<'_>) {
        let head = back.response();
        journal.status = head.status;
        front.respond(&Reply {
            head,
            edits: &route.response_headers,
            id: &journal.id,
            keep_alive: !self.thread.shared().is_leaving(),
            cookie: own.cookie.as_deref(),
            load_report: own.load_report,
            all_down: own.all_down,
        });
    }

    async fn tunnel<F: Front>(
        &self,
        front: &mut F,
        limits: &LimitsSpec,
        route: &Route,
        answered: &mut Answered<T::Back>,
        journal: &mut Journal<'_>,
    ) -> After {
        // A switch of protocols sets no cookie: what a client makes of one there differs.
        let own = OwnFields { cookie: None, ..own_fields(self.client, front.request(), answered) };
        let Answered { back, lease, .. } = answered;
        self.respond(front, back, route, &own, journal);
        let state = &lease.endpoint().state;
        state.responses.add(journal.status);
        state.answered.store(true, Ordering::Relaxed);
        back.start_tunnel();
        front.start_tunnel();
        let counted = TunnelCount::new(&self.thread.shared().totals.tunnels);
        let total = limits.total_timeout.map(|limit| journal.started + limit);
        let mut tunnel = Tunnel::new(journal, Ear::new(self.thread.shared(), state));
        let result = tunnel.run(front, back, &mut self.thread.timer(), (limits.tunnel_timeout, total)).await;
        drop((counted, tunnel));
        state.sent.fetch_add(journal.bytes_in, Ordering::Relaxed);
        state.received.fetch_add(journal.bytes_out, Ordering::Relaxed);
        match result {
            Ok(()) => After::Close,
            Err(cause) => {
                journal.spoil(cause);
                After::Break
            }
        }
    }

    /// Ends an exchange that no endpoint of this pool answered: as the pool says, where all of them are down.
    async fn without<F: Front>(&self, front: &mut F, journal: &mut Journal<'_>, pool: &Pool, cause: Cause) -> After {
        if cause == Cause::ClientAbort || !pool.is_down_at(self.thread.shared().now()) {
            return self.refuse(front, journal, cause).await;
        }
        journal.cause = Some(cause);
        let form = &pool.spec.when_all_down;
        let mut answer = match form {
            WhenAllDownSpec::Respond(fixed) if cause == Cause::PoolDown => Answer::fixed(fixed.status, &fixed.headers, &fixed.body),
            _ => Answer::problem(cause, &journal.id, &self.thread.snapshot().spec.name),
        };
        answer.fields.push((b"Forebay-All-Down".to_vec(), form.name().as_bytes().to_vec()));
        self.answer(front, journal, answer).await
    }

    /// Ends the exchange with a cause: told to the client where nothing was sent yet.
    async fn refuse<F: Front>(&self, front: &mut F, journal: &mut Journal<'_>, cause: Cause) -> After {
        journal.cause = Some(cause);
        if cause == Cause::ClientAbort {
            return After::Break;
        }
        let name = self.thread.snapshot().spec.name.clone();
        let answer = Answer::problem(cause, &journal.id, &name);
        self.answer(front, journal, answer).await
    }

    /// Sends a whole response of the gateway's own.
    async fn answer<F: Front>(&self, front: &mut F, journal: &mut Journal<'_>, mut answer: Answer) -> After {
        if !answer.fields.iter().any(|(name, _)| name.eq_ignore_ascii_case(b"x-request-id")) {
            answer.fields.push((b"X-Request-Id".to_vec(), journal.id.to_vec()));
        }
        journal.status = answer.status;
        front.answer(&answer, !self.thread.shared().is_leaving());
        let mut timer = self.thread.timer();
        let limit = self.thread.snapshot().spec.limits.send_timeout;
        let mut taken = None;
        let sent = std::future::poll_fn(|cx| match front.poll_finish(cx, b"") {
            std::task::Poll::Ready(result) => std::task::Poll::Ready(result.map_err(|_| Cause::ClientAbort)),
            std::task::Poll::Pending => {
                if taken.replace(front.sent()) != Some(front.sent()) {
                    timer.set(tokio::time::Instant::now() + limit);
                }
                timer.poll(cx).map(|()| Err(Cause::SendTimeout))
            }
        })
        .await;
        if let Err(cause) = sent {
            // What the answer told of is the better reason, where it told of something.
            journal.cause.get_or_insert(cause);
            return After::Break;
        }
        if !matches!(answer.status, 204 | 304) && front.request().method() != b"HEAD" {
            journal.bytes_out = answer.body.len() as u64;
        }
        if front.is_reusable() { After::Keep } else { After::Close }
    }
}

/// What the pool adds to a server's response, or lets through.
struct OwnFields {
    cookie: Option<String>,
    load_report: bool,
    /// What the pool does while all its endpoints are down, where they were.
    all_down: Option<&'static str>,
}

fn own_fields<B>(client: &Client, request: &RequestHead, answered: &Answered<B>) -> OwnFields {
    let Answered { lease, pins, .. } = answered;
    let pool = lease.pool();
    let cookie = pool.filter(|_| *pins).and_then(|pool| pool.set_cookie(lease, Shared::wall(), client.is_secure(request)));
    let all_down = pool.filter(|_| lease.is_all_down()).map(|pool| pool.spec.when_all_down.name());
    OwnFields { cookie, load_report: pool.is_some_and(|pool| pool.spec.load_report.keep), all_down }
}

/// Takes in how busy the server says it is.
fn note_report<B: Back>(thread: &Thread, answered: &Answered<B>) {
    let Some(value) = answered.back.response().fields.values(FieldName::LoadReport).next() else { return };
    if let (Some(pool), Some(report)) = (answered.lease.pool(), Report::parse(value)) {
        let metrics: Vec<(&str, f64)> = report.metrics.iter().map(|(name, value)| (&**name, *value)).collect();
        pool.reported(answered.lease.endpoint(), thread.shared().seconds(answered.at), report.load, &metrics);
    }
}

fn local_answer(route: &Route, head: &RequestHead) -> Answer {
    let mut answer = match &route.spec.action {
        ActionSpec::Redirect { status, .. } => Answer::redirect(*status, route.location(RequestView::path(head), head.query())),
        ActionSpec::Respond { status, headers, body } => Answer::fixed(*status, headers, body),
        ActionSpec::Pool(_) => Answer::default(),
    };
    let edits = &route.response_headers;
    answer.fields.retain(|(name, _)| !edits.removes(name));
    answer.fields.extend(edits.set().map(|(name, value)| (name.to_vec(), value.to_vec())));
    answer
}

/// Counts a tunnel while it runs, however it ends.
struct TunnelCount<'a>(&'a std::sync::atomic::AtomicUsize);

impl<'a> TunnelCount<'a> {
    fn new(count: &'a std::sync::atomic::AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for TunnelCount<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
