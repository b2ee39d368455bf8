//! One engine thread without sockets: a snapshot, a scripted transport, clients, and the books that must balance in the end.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use serde_json::Value;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::transport::Scripted;
use super::wire::pair;
use super::{Dial, Peer, millis, secs, settle};
use crate::balance::callable::Callables;
use crate::config::Snapshot;
use crate::exchange::client::Client;
use crate::exchange::run::Stage;
use crate::failover::events::Events;
use crate::h1::client::ClientSide;
use crate::pool::Pool;
use crate::probe::Probed;
use crate::record::examples::Folder;
use crate::record::{AccessLog, Cause, Format};
use crate::server::bell::Bell;
use crate::server::serve;
use crate::server::shared::{Shared, Totals};
use crate::server::thread::Thread;
use crate::snapshot::{
    ActionSpec, EjectionSpec, EndpointSpec, FailoverSpec, ForwardedSpec, HeaderEditsSpec, HostSpec, LimitsSpec, LoadReportSpec, MatchSpec,
    PolicySpec, PoolSpec, QueueSpec, RetrySpec, RouteSpec, SnapshotSpec, WhenAllDownSpec,
};

/// The defaults of the configuration, with endpoints `a`, `b` and `c` that take turns in this order.
pub(crate) fn spec() -> SnapshotSpec {
    let limits = LimitsSpec {
        head_timeout: secs(10),
        body_timeout: secs(30),
        send_timeout: secs(30),
        keepalive_timeout: secs(75),
        tunnel_timeout: secs(3600),
        total_timeout: None,
        max_head: 32 * 1024,
        max_body: None,
        max_connections: None,
    };
    SnapshotSpec {
        number: 1,
        name: "forebay".to_owned(),
        limits,
        trusted_proxies: Vec::new(),
        forwarded: ForwardedSpec::XForwarded,
        listeners: Vec::new(),
        routes: vec![Arc::new(route())],
        pools: BTreeMap::from([("app".to_owned(), pool_spec())]),
    }
}

fn route() -> RouteSpec {
    RouteSpec {
        id: "all".to_owned(),
        matches: MatchSpec::default(),
        action: ActionSpec::Pool("app".to_owned()),
        timeout: None,
        first_byte_timeout: Some(secs(60)),
        strip_prefix: None,
        rewrite: None,
        request_headers: HeaderEditsSpec::default(),
        response_headers: HeaderEditsSpec::default(),
        idempotency_key: false,
    }
}

fn pool_spec() -> PoolSpec {
    PoolSpec {
        policy: PolicySpec::WeightedRoundRobin,
        seed: 1,
        endpoints: ["a", "b", "c"].into_iter().enumerate().map(|(place, id)| endpoint(id, place)).collect(),
        host: HostSpec::Client,
        connect_timeout: secs(1),
        max_connections: None,
        max_inflight: None,
        queue: QueueSpec { size: 1000, timeout: secs(5) },
        retry: RetrySpec::default(),
        affinity: None,
        load_report: LoadReportSpec::default(),
        failover: FailoverSpec::default(),
        when_all_down: WhenAllDownSpec::default(),
        ejection: EjectionSpec::default(),
        slow_start: 0.0,
        probed: false,
        hedge: None,
    }
}

fn endpoint(id: &str, place: usize) -> EndpointSpec {
    let address = format!("127.0.0.1:{}", place + 1);
    EndpointSpec { id: id.to_owned(), address: address.clone(), target: Some(address), weight: 1, tier: 0 }
}

/// Its one route.
pub(crate) fn first(spec: &mut SnapshotSpec) -> &mut RouteSpec {
    Arc::make_mut(&mut spec.routes[0])
}

/// The pool of [`spec`], to be changed.
pub(crate) fn app(spec: &mut SnapshotSpec) -> &mut PoolSpec {
    spec.pools.get_mut("app").unwrap()
}

/// How clients connect.
#[derive(Clone, Copy)]
pub(crate) struct Manner {
    /// Bytes that a connection holds, on either side of the gateway.
    pub(crate) width: usize,
    pub(crate) half_close: bool,
    pub(crate) logs: bool,
}

/// As over sockets.
pub(crate) const USUAL: Manner = Manner { width: 64 * 1024, half_close: false, logs: true };

/// See the module.
pub(crate) struct World {
    pub(crate) thread: Rc<Thread>,
    pub(crate) transport: Rc<Scripted>,
    accepted: UnboundedReceiver<Peer>,
    manner: Manner,
    folder: Folder,
    conversations: RefCell<Vec<JoinHandle<()>>>,
}

impl World {
    /// A world with the defaults, changed by `edit`.
    pub(crate) fn new(edit: impl FnOnce(&mut SnapshotSpec)) -> Self {
        Self::with(USUAL, edit)
    }

    pub(crate) fn with(manner: Manner, edit: impl FnOnce(&mut SnapshotSpec)) -> Self {
        Self::calling(manner, &Callables::new(), edit)
    }

    /// The same with functions that pools may name.
    pub(crate) fn calling(manner: Manner, callables: &Callables, edit: impl FnOnce(&mut SnapshotSpec)) -> Self {
        let mut spec = spec();
        edit(&mut spec);
        let folder = Folder::new();
        let log = manner.logs.then(|| AccessLog::open(&folder.path("log"), Format::Json).unwrap());
        let bell = Arc::new(Bell::default());
        let shared = Shared {
            version: AtomicU64::new(0),
            snapshot: ArcSwap::from_pointee(Snapshot::build(spec, None, 1, 0.0, callables).unwrap()),
            totals: Totals::default(),
            tidy: || {},
            log,
            leaving: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
            epoch: Instant::now(),
            threads: 1,
            id_seed: 1,
            ids: AtomicU64::new(0),
            events: Arc::new(Events::new(Arc::clone(&bell))),
            bell,
            probed: Probed::default(),
        };
        shared.publish(shared.load());
        let thread = Rc::new(Thread::new(0, Arc::new(shared), Instant::now()));
        drop(tokio::task::spawn_local(thread.timers().clone().drive()));
        let (transport, accepted) = Scripted::new(thread.buffers(), manner.width);
        Self { thread, transport: Rc::new(transport), accepted, manner, folder, conversations: RefCell::default() }
    }

    /// A client that has just connected, in a conversation with the engine.
    pub(crate) fn client(&self) -> Peer {
        let (wire, peer) = pair(self.manner.width);
        let (thread, transport, half_close) = (Rc::clone(&self.thread), Rc::clone(&self.transport), self.manner.half_close);
        let conversation = tokio::task::spawn_local(async move {
            let client = Client::new([127, 0, 0, 1].into(), &thread.snapshot().forwarding.trusted);
            let upgrades = ["websocket".to_owned()];
            let mut side = ClientSide::new(wire, thread.buffers(), half_close);
            let stage = Stage { thread: &thread, transport: &*transport, client: &client, upgrades: &upgrades };
            while serve::converse(&stage, &mut side).await == serve::End::Quiet {
                // Where the lot would take a socket over, a pipe stays; where the engine ends, it closes.
                if thread.shared().is_stopping() {
                    return;
                }
            }
        });
        self.conversations.borrow_mut().push(conversation);
        peer
    }

    /// A client that has sent this.
    pub(crate) async fn asks(&self, request: impl AsRef<[u8]>) -> Peer {
        let mut client = self.client();
        client.send(request).await;
        client
    }

    /// The next connection that a server was given.
    pub(crate) async fn accept(&mut self) -> Peer {
        let waits = tokio::time::timeout(secs(100), self.accepted.recv());
        waits.await.expect("nobody was asked for a connection").unwrap()
    }

    /// A connection that a server was already given.
    pub(crate) fn accepted(&mut self) -> Option<Peer> {
        self.accepted.try_recv().ok()
    }

    /// Whether no server was given a connection that was not looked at.
    pub(crate) async fn nobody_else_is_asked(&mut self) {
        settle().await;
        assert!(self.accepted.try_recv().is_err(), "one more server was asked");
    }

    /// Writes down what an endpoint does when it is dialled next.
    pub(crate) fn script(&self, endpoint: &str, dials: &[Dial]) {
        self.transport.script(endpoint, dials);
    }

    /// Writes down that an endpoint refuses the next connection.
    pub(crate) fn refuses(&self, endpoint: &str) {
        self.script(endpoint, &[Dial::Fail(Cause::ConnectRefused, Duration::ZERO)]);
    }

    /// The pool as it serves.
    pub(crate) fn pool(&self) -> Arc<Pool> {
        Arc::clone(&self.thread.snapshot().pools["app"])
    }

    /// Swaps to a changed snapshot, as the engine does.
    pub(crate) fn change(&self, edit: impl FnOnce(&mut SnapshotSpec)) {
        self.change_calling(&Callables::new(), edit);
    }

    /// The same with functions that the last snapshot did not have.
    pub(crate) fn change_calling(&self, callables: &Callables, edit: impl FnOnce(&mut SnapshotSpec)) {
        let shared = self.thread.shared();
        let previous = shared.load();
        let mut spec = previous.spec.clone();
        spec.number += 1;
        edit(&mut spec);
        shared.publish(Arc::new(Snapshot::build(spec, Some(&previous), 1, 0.0, callables).unwrap()));
        for pool in shared.load().pools.values() {
            pool.state.queue.nudge();
        }
    }

    /// Cuts whatever runs, as at the end of a shutdown.
    pub(crate) async fn cut(&self) {
        for conversation in self.conversations.take() {
            conversation.abort();
            let _ = conversation.await;
        }
    }

    /// Ends the world and returns its records. Whoever is still connected has left.
    pub(crate) async fn end(self) -> Vec<Value> {
        settle().await;
        tokio::time::sleep(millis(1)).await;
        let totals = &self.thread.shared().totals;
        assert_eq!(totals.running.load(Ordering::SeqCst), 0, "an exchange still runs");
        assert_eq!(totals.tunnels.load(Ordering::SeqCst), 0, "a tunnel still runs");
        assert_eq!(self.transport.opening.get(), 0, "a connection is still being opened");
        let pool = self.pool();
        assert_eq!(pool.state.queue.waiting(), 0, "somebody still waits");
        for endpoint in &pool.endpoints {
            assert_eq!(endpoint.state.inflight().load(Ordering::SeqCst), 0, "{} is still held", endpoint.id);
        }
        self.cut().await;
        self.thread.flush_log();
        let Some(log) = &self.thread.shared().log else { return Vec::new() };
        log.close();
        let text = std::fs::read_to_string(self.folder.path("log")).unwrap();
        let records: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(records.len() as u64, totals.exchanges.load(Ordering::SeqCst), "one record for each exchange");
        let counts = totals.causes.snapshot().0;
        for (cause, count) in &counts {
            let recorded = records.iter().filter(|record| record["cause"] == cause.name()).count() as u64;
            assert_eq!(recorded, *count, "{} is counted as often as it is recorded", cause.name());
        }
        let spoiled = records.iter().filter(|record| !record["cause"].is_null()).count() as u64;
        assert_eq!(spoiled, counts.iter().map(|(_, count)| count).sum::<u64>(), "each recorded cause is counted");
        records
    }

    /// Ends the world; it must have seen one exchange, which ended so. Returns its record.
    pub(crate) async fn ends_with(self, status: u16, cause: Option<Cause>) -> Value {
        let mut records = self.end().await;
        assert_eq!(records.len(), 1, "{records:?}");
        let record = records.remove(0);
        assert_eq!(record["status"], status, "{record}");
        assert_eq!(record["cause"], cause.map_or(Value::Null, |cause| cause.name().into()), "{record}");
        record
    }
}

/// What became of a record's attempts: `a:connect_refused b:ok`.
pub(crate) fn attempts(record: &Value) -> String {
    let attempts = record["attempts"].as_array().unwrap();
    let words = attempts.iter().map(|tried| format!("{}:{}", tried["endpoint"].as_str().unwrap(), tried["outcome"].as_str().unwrap()));
    words.collect::<Vec<_>>().join(" ")
}
