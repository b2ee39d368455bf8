//! The thread that performs probes.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;

use super::order::{Kind, Probe};
use super::outcome::{Outcome, Progress};
use super::{http, tcp};
use crate::clock::Timers;
use crate::endpoint::Endpoint;
use crate::h1::buffer::Buffers;
use crate::record::Cause;
use crate::server::shared::Shared;
use crate::upstream::socket::Socket;
use crate::upstream::target::Target;

/// Outcomes are handed over at most this often, so that many of them wake their reader once.
const DELIVERY: Duration = Duration::from_millis(20);

/// Probes begun, and tasks run, before the system is asked what has come: the answers to the first must not wait for the last.
const AT_ONCE: usize = 16;

/// One endpoint to be probed.
pub(super) struct Job {
    pub(super) pool: Arc<str>,
    pub(super) probe: Arc<Probe>,
    pub(super) endpoint: Arc<Endpoint>,
}

/// What the probes of the thread work with.
pub(super) struct Bench {
    pub(super) shared: Arc<Shared>,
    pub(super) timers: Timers,
    pub(super) buffers: Rc<Buffers>,
    ended: RefCell<Vec<Outcome>>,
    delivery: Notify,
}

impl Bench {
    fn new(shared: Arc<Shared>, begun: Instant) -> Self {
        Self { shared, timers: Timers::new(begun), buffers: Rc::default(), ended: RefCell::default(), delivery: Notify::new() }
    }

    /// Notes that a probe of the endpoint is on its way.
    pub(super) fn sent(&self, endpoint: &Endpoint) {
        endpoint.state.probe.sent.store(self.shared.now(), Ordering::Relaxed);
    }

    /// Notes that the endpoint has answered one.
    pub(super) fn answered(&self, endpoint: &Endpoint) {
        let now = self.shared.now();
        endpoint.state.probe.answered.store(now, Ordering::Relaxed);
        endpoint.state.evidence.hear(now);
    }

    /// A new connection to an endpoint. It does not count among those that exchanges may have.
    pub(super) async fn connect(&self, target: &Target) -> Result<Socket, Cause> {
        Socket::connect(target, None).await.map_err(|error| crate::upstream::connect::cause_of(&error))
    }

    /// Tells what became of a probe begun at `begun`.
    pub(super) fn report(&self, job: &Job, begun: Instant, progress: Progress, cause: Option<&'static str>) {
        let ended = Instant::now();
        let seconds = progress.at.unwrap_or(ended).saturating_duration_since(begun).as_secs_f64();
        if progress.status.is_none() && cause == Some(progress.timeout()) {
            job.endpoint.state.evidence.lose_probe(self.shared.millis(begun));
        }
        let body = match &job.probe.kind {
            Kind::Http(http) if http.body == 0 => None,
            Kind::Tcp { expect: 0, .. } => None,
            _ => Some(progress.body),
        };
        self.ended.borrow_mut().push(Outcome {
            pool: Arc::clone(&job.pool),
            endpoint: Arc::clone(&job.endpoint.id),
            seconds,
            status: progress.status,
            cause,
            body,
            ended,
        });
        self.delivery.notify_one();
    }

    async fn deliver(&self) {
        loop {
            self.delivery.notified().await;
            let ended = self.ended.take();
            if !ended.is_empty() {
                self.shared.probed.add(ended);
                self.shared.bell.ring();
            }
            tokio::time::sleep(DELIVERY).await;
        }
    }
}

/// Performs what is sent, until nobody can send any more.
pub(super) fn run(shared: Arc<Shared>, jobs: mpsc::UnboundedReceiver<Vec<Job>>) {
    let begun = Instant::now();
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let built = builder.enable_all().event_interval(AT_ONCE as u32).build_local(tokio::runtime::LocalOptions::default());
    match built {
        Ok(runtime) => runtime.block_on(serve(Rc::new(Bench::new(shared, begun)), jobs)),
        Err(error) => eprintln!("forebay: probes cannot run: {error}"),
    }
}

/// The thread's work.
pub(super) async fn serve(bench: Rc<Bench>, mut jobs: mpsc::UnboundedReceiver<Vec<Job>>) {
    drop(tokio::task::spawn_local(bench.timers.clone().drive()));
    let courier = Rc::clone(&bench);
    drop(tokio::task::spawn_local(async move { courier.deliver().await }));
    while let Some(list) = jobs.recv().await {
        for (place, job) in list.into_iter().enumerate() {
            drop(tokio::task::spawn_local(perform(Rc::clone(&bench), job)));
            if place % AT_ONCE == AT_ONCE - 1 {
                tokio::task::yield_now().await;
            }
        }
    }
    // The connections kept for later belong to endpoints, which live as long as whoever reads their statistics.
    for pool in bench.shared.load().pools.values() {
        for endpoint in &pool.endpoints {
            drop(endpoint.idle.take_probe());
        }
    }
}

async fn perform(bench: Rc<Bench>, job: Job) {
    let Some(target) = &job.endpoint.target else {
        return bench.report(&job, Instant::now(), Progress::default(), Some(Cause::PoolUnresolved.name()));
    };
    match &job.probe.kind {
        Kind::Http(http) => http::perform(&bench, &job, http, target).await,
        Kind::Tcp { send, expect } => tcp::perform(&bench, &job, (send, *expect), target).await,
    }
}
