//! The engine as control sees it: made from a snapshot, started, changed by deltas, asked for its counts, ended.

use std::collections::hash_map::RandomState;
use std::collections::{BTreeMap, HashSet};
use std::hash::{BuildHasher, Hasher};
use std::net::TcpListener;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use crate::balance::callable::Callables;
use crate::config::Snapshot;
use crate::error::{EngineError, Result};
use crate::failover::events::Events;
use crate::probe::{Probed, Probes};
use crate::record::{AccessLog, Format};
use crate::server::bell::Bell;
use crate::server::listening::{Handed, Listeners};
use crate::server::shared::{Shared, Totals};
use crate::server::thread::Thread;
use crate::server::{accept, serve};
use crate::snapshot::{DeltaSpec, SnapshotSpec};
use crate::statistics::Statistics;
use crate::upstream::idle::{Idle, KEPT_FOR};

pub use crate::server::listening::Sockets;

#[path = "failover/orders.rs"]
mod orders;

pub use orders::{PoolStand, StandSpec};

/// What a thread is told.
enum Command {
    /// Accept on this socket, until its word changes.
    Listen(String, TcpListener, watch::Receiver<bool>),
    /// Close what is idle; the engine is ending.
    Stop,
    /// End at once.
    Cut,
}

#[derive(Default)]
struct State {
    listeners: Listeners,
    /// Snapshots that threads may still look at.
    replaced: Vec<Arc<Snapshot>>,
    commands: Vec<mpsc::UnboundedSender<Command>>,
    threads: Vec<JoinHandle<()>>,
}

/// See the module. Every method may be called from any thread.
pub struct Engine {
    shared: Arc<Shared>,
    state: Mutex<State>,
    probes: Probes,
    ended: AtomicBool,
}

/// What is guarded stays consistent at each step, also where another caller panicked.
fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Engine {
    /// Compiles a snapshot and binds its listeners, or takes over `inherited` sockets for them; nothing is accepted yet. `log` is `off`,
    /// `stdout`, `stderr` or a path, and a format; `tidy` has the allocator give back what the calling thread does not need; `callables` are
    /// the functions that pools name.
    ///
    /// # Errors
    ///
    /// What makes no sense or cannot be had; nothing is left behind then.
    pub fn new(
        spec: SnapshotSpec,
        threads: usize,
        log: (&str, Format),
        tidy: fn(),
        callables: &Callables,
        inherited: Sockets,
    ) -> Result<Self> {
        let threads = threads.max(1);
        let epoch = Instant::now();
        let snapshot = Snapshot::build(spec, None, threads, 0.0, callables)?;
        let listeners = Listeners::open(&snapshot.spec.listeners, inherited, threads)?;
        let log = match log {
            ("off", _) => None,
            (path, format) => Some(AccessLog::open(path, format).map_err(|source| EngineError::Log { path: path.to_owned(), source })?),
        };
        let bell = Arc::new(Bell::default());
        let shared = Shared {
            version: AtomicU64::new(0),
            snapshot: ArcSwap::from_pointee(snapshot),
            totals: Totals::default(),
            tidy,
            log,
            leaving: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
            epoch,
            threads,
            id_seed: RandomState::new().build_hasher().finish(),
            ids: AtomicU64::new(0),
            events: Arc::new(Events::new(Arc::clone(&bell))),
            bell,
            probed: Probed::default(),
        };
        shared.publish(shared.load());
        let shared = Arc::new(shared);
        let probes = Probes::new(Arc::clone(&shared));
        let state = State { listeners, ..State::default() };
        Ok(Self { shared, state: Mutex::new(state), probes, ended: AtomicBool::new(false) })
    }

    /// Starts the threads and accepts.
    ///
    /// # Errors
    ///
    /// That it was started before, or the system's reason why no thread can be had.
    pub fn start(&self) -> Result<()> {
        let mut state = lock(&self.state);
        if !state.commands.is_empty() || self.ended.load(Ordering::SeqCst) {
            return Err(EngineError::Invalid("the engine was started before".into()));
        }
        for index in 0..self.shared.threads {
            let (sender, receiver) = mpsc::unbounded_channel();
            let shared = Arc::clone(&self.shared);
            let thread = std::thread::Builder::new()
                .name(format!("forebay-{index}"))
                .spawn(move || run_thread(index, shared, receiver))
                .map_err(EngineError::Thread)?;
            state.threads.push(thread);
            state.commands.push(sender);
        }
        hand_out(&mut state);
        Ok(())
    }

    /// The bound addresses of each listener.
    #[must_use]
    pub fn addresses(&self) -> BTreeMap<String, Vec<String>> {
        lock(&self.state).listeners.addresses()
    }

    /// A copy of every listening socket, for another process to accept from.
    ///
    /// # Errors
    ///
    /// The system's reason, such as that no more files may be open.
    pub fn sockets(&self) -> std::io::Result<Sockets> {
        lock(&self.state).listeners.copies()
    }

    /// Swaps to the snapshot that a delta makes; returns its number. New addresses are bound before anything changes. `callables` are the
    /// functions that pools name and the present snapshot does not have.
    ///
    /// # Errors
    ///
    /// What makes no sense or cannot be had; nothing has changed then.
    pub fn apply(&self, delta: DeltaSpec, callables: &Callables) -> Result<u64> {
        let mut state = lock(&self.state);
        let previous = self.shared.load();
        let spec = previous.apply(delta)?;
        let snapshot = Snapshot::build(spec, Some(&previous), self.shared.threads, self.shared.seconds(Instant::now()), callables)?;
        // What was closed for good is not opened again by a change that comes late.
        let fresh = if self.shared.is_leaving() {
            Listeners::default()
        } else {
            state.listeners.missing(&snapshot.spec.listeners, self.shared.threads)?
        };
        let number = snapshot.spec.number;
        let snapshot = Arc::new(snapshot);
        self.shared.publish(Arc::clone(&snapshot));
        retire(&previous, &snapshot);
        // A snapshot of thousands of routes takes milliseconds to take apart. That is done here, not by the thread that lets go of it last.
        state.replaced.retain(|old| Arc::strong_count(old) > 1);
        state.replaced.push(previous);
        state.listeners.replace(fresh, &snapshot.spec.listeners);
        hand_out(&mut state);
        for pool in snapshot.pools.values() {
            pool.state.queue.nudge();
        }
        Ok(number)
    }

    /// The number of the snapshot that serves.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.shared.load().spec.number
    }

    /// Counters, histograms and endpoint states.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        Statistics::read(&self.shared, self.addresses())
    }

    /// What its threads share, for tests.
    #[cfg(test)]
    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// Closes the listeners once nobody waits in them, lets idle connections go, and answers the others with `Connection: close`.
    pub fn stop_accepting(&self) {
        self.shared.leaving.store(true, Ordering::SeqCst);
        self.shared.stopping.store(true, Ordering::SeqCst);
        let mut state = lock(&self.state);
        state.listeners.close();
        for commands in &state.commands {
            // A thread that has ended needs no telling.
            let _ = commands.send(Command::Stop);
        }
    }

    /// Closes the listeners, as somebody else accepts from their sockets now, and answers what comes on kept connections with
    /// `Connection: close`. Quiet ones are left open, since a client may be about to use them; `stop_accepting` then ends the waiting.
    pub fn hand_over(&self) {
        self.shared.leaving.store(true, Ordering::SeqCst);
        lock(&self.state).listeners.close();
    }

    /// Waits until nothing runs, at most that long; returns how many exchanges still do.
    #[must_use]
    pub fn wait_idle(&self, limit: Duration) -> usize {
        const LOOK: Duration = Duration::from_millis(2);
        let totals = &self.shared.totals;
        let until = std::time::Instant::now() + limit;
        loop {
            let running = totals.running.load(Ordering::SeqCst);
            // A connection without an exchange may be about to begin one that it was sent in time.
            let open = totals.open.load(Ordering::SeqCst);
            if (running == 0 && open == 0) || std::time::Instant::now() >= until {
                return running;
            }
            std::thread::sleep(LOOK);
        }
    }

    /// Cuts what still runs, ends the threads and the log; returns how many exchanges were cut. May be called again.
    pub fn shutdown(&self) -> usize {
        if self.ended.swap(true, Ordering::SeqCst) {
            return 0;
        }
        self.stop_accepting();
        let cut = self.shared.totals.running.load(Ordering::SeqCst);
        let (threads, commands) = {
            let mut state = lock(&self.state);
            (std::mem::take(&mut state.threads), std::mem::take(&mut state.commands))
        };
        for sender in &commands {
            let _ = sender.send(Command::Cut);
        }
        for thread in threads {
            // A thread that panicked has nothing left to end.
            let _ = thread.join();
        }
        self.probes.end();
        if let Some(log) = &self.shared.log {
            log.close();
        }
        cut
    }

    /// Opens the access log's path anew.
    pub fn reopen_log(&self) {
        if let Some(log) = &self.shared.log {
            log.reopen();
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.shutdown();
    }
}

/// Gives each thread its sockets. Before the start there is nobody to give them to; the start does.
fn hand_out(state: &mut State) {
    if state.commands.is_empty() {
        return;
    }
    for Handed { thread, listener, socket, closing } in state.listeners.hand_out() {
        if let Some(commands) = state.commands.get(thread) {
            let _ = commands.send(Command::Listen(listener, socket, closing));
        }
    }
}

fn run_thread(index: usize, shared: Arc<Shared>, commands: mpsc::UnboundedReceiver<Command>) {
    let begun = Instant::now();
    let built = tokio::runtime::Builder::new_current_thread().enable_all().build_local(tokio::runtime::LocalOptions::default());
    match built {
        Ok(runtime) => runtime.block_on(run_local(Rc::new(Thread::new(index, shared, begun)), commands)),
        Err(error) => eprintln!("forebay: thread {index} cannot start: {error}"),
    }
}

/// Lets go of the connections kept to endpoints that the new snapshot has no more. A thread or a tunnel may hold the old one for long.
fn retire(old: &Snapshot, new: &Snapshot) {
    let kept: HashSet<*const Idle> =
        new.pools.values().flat_map(|pool| &pool.endpoints).map(|endpoint| Arc::as_ptr(&endpoint.idle)).collect();
    for endpoint in old.pools.values().flat_map(|pool| &pool.endpoints) {
        if !kept.contains(&Arc::as_ptr(&endpoint.idle)) {
            endpoint.idle.retire();
        }
    }
}

async fn run_local(thread: Rc<Thread>, mut commands: mpsc::UnboundedReceiver<Command>) {
    drop(tokio::task::spawn_local(thread.timers().clone().drive()));
    drop(tokio::task::spawn_local(unpark(Rc::clone(&thread))));
    let sweeper = Rc::clone(&thread);
    drop(tokio::task::spawn_local(async move { sweeper.sweep().await }));
    if thread.logs() {
        let thread = Rc::clone(&thread);
        drop(tokio::task::spawn_local(async move { thread.drain_log().await }));
    }
    while let Some(command) = commands.recv().await {
        match command {
            Command::Listen(name, socket, closing) => match tokio::net::TcpListener::from_std(socket) {
                Ok(socket) => drop(tokio::task::spawn_local(accept::run(Rc::clone(&thread), socket, name, closing))),
                Err(error) => eprintln!("forebay: listener {name} cannot be watched: {error}"),
            },
            Command::Stop => thread.timers().expire_idle(),
            Command::Cut => break,
        }
    }
    // The connections kept for later belong to endpoints, which live as long as whoever reads their statistics.
    for pool in thread.snapshot().pools.values() {
        for endpoint in &pool.endpoints {
            endpoint.idle.sweep(thread.index(), Instant::now() + KEPT_FOR);
        }
    }
}

async fn unpark(thread: Rc<Thread>) {
    loop {
        let parked = thread.lot().next().await;
        serve::spawn(&thread, parked);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::ListenerSpec;
    use crate::testing::world::spec;

    fn listeners(binds: &[&str]) -> Vec<ListenerSpec> {
        let listener = |bind: &&str| ListenerSpec {
            name: (*bind).to_owned(),
            bind: vec![(*bind).to_owned()],
            upgrades: Vec::new(),
            half_close: false,
        };
        binds.iter().map(listener).collect()
    }

    fn engine() -> Engine {
        let spec = SnapshotSpec { listeners: listeners(&["127.0.0.1:0"]), ..spec() };
        Engine::new(spec, 1, ("off", Format::Json), || {}, &Callables::new(), Sockets::new()).unwrap()
    }

    fn change(engine: &Engine, listeners: Option<Vec<ListenerSpec>>) {
        let base = engine.number();
        engine.apply(DeltaSpec { base, number: base + 1, listeners, ..DeltaSpec::default() }, &Callables::new()).unwrap();
    }

    #[test]
    fn a_change_after_the_end_opens_no_listener_again() {
        let engine = engine();
        engine.start().unwrap();
        engine.stop_accepting();
        change(&engine, None);
        change(&engine, Some(listeners(&["127.0.0.1:0", "127.0.0.2:0"])));
        assert!(engine.addresses().is_empty());
    }

    #[test]
    fn a_listener_that_came_before_the_start_is_served() {
        let engine = engine();
        change(&engine, Some(listeners(&["127.0.0.1:0", "127.0.0.2:0"])));
        engine.start().unwrap();
        assert!(lock(&engine.state).listeners.hand_out().is_empty(), "handed to the threads");
        assert_eq!(engine.addresses().len(), 2);
    }
}
