//! Pools whose policy is a function of the embedding program: asked where it may be, waited for as long as it may take, and done without.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::Instant;

use crate::balance::callable::{CHEAP, Call, Callable, CallableStatistics, Callables, Pause, Reply, Verdict};
use crate::record::Cause;
use crate::snapshot::{PolicySpec, SnapshotSpec};
use crate::testing::world::{USUAL, app, attempts, first};
use crate::testing::{Peer, World, millis, pass, run, secs, settle};

const GET: &str = "GET /x?y=1 HTTP/1.1\r\nHost: a\r\n\r\n";
const DONE: &str = "HTTP/1.1 204 No Content\r\n\r\n";
const BUDGET: Duration = millis(3);

/// A function that does as it is told.
struct Told {
    verdict: Mutex<Verdict>,
    /// Whether its thread answers at once; else the replies are kept.
    prompt: bool,
    kept: Mutex<Vec<Reply>>,
    offers: Mutex<Vec<Vec<usize>>>,
    inline: AtomicUsize,
    pauses: Mutex<Vec<Pause>>,
}

impl Told {
    fn new(verdict: Verdict, prompt: bool) -> Arc<Self> {
        Arc::new(Self {
            verdict: Mutex::new(verdict),
            prompt,
            kept: Mutex::default(),
            offers: Mutex::default(),
            inline: AtomicUsize::new(0),
            pauses: Mutex::default(),
        })
    }

    fn note(&self, call: &Call) {
        assert_eq!((call.request.head.path(), call.request.head.query()), (b"/x".as_slice(), Some(b"y=1".as_slice())));
        assert_eq!(call.request.client, "127.0.0.1");
        let offer = &call.offer;
        let all: Vec<usize> = (0..offer.count()).map(|place| offer.at(place).unwrap()).collect();
        let each: Vec<usize> = std::iter::successors(offer.from(0), |last| offer.from(last + 1)).collect();
        assert_eq!(all, each);
        assert!((0..100).all(|index| offer.has(index) == all.contains(&index)));
        self.offers.lock().unwrap().push(all);
    }
}

impl Callable for Told {
    fn ask(&self, call: Call) -> Verdict {
        self.note(&call);
        self.inline.fetch_add(1, Ordering::Relaxed);
        *self.verdict.lock().unwrap()
    }

    fn send(&self, call: Call, reply: Reply) {
        self.note(&call);
        if self.prompt {
            reply.give(*self.verdict.lock().unwrap(), Duration::from_micros(5), true);
        } else {
            self.kept.lock().unwrap().push(reply);
        }
    }

    fn paused(&self, pause: &Pause) {
        self.pauses.lock().unwrap().push(*pause);
    }
}

fn python(name: &str) -> PolicySpec {
    let fallback = Box::new(PolicySpec::FirstAvailable { limit: None });
    PolicySpec::Python { callable: name.to_owned(), budget: BUDGET.as_secs_f64(), fallback }
}

fn named(told: &Arc<Told>) -> Callables {
    Callables::from([("f".to_owned(), Arc::clone(told) as Arc<dyn Callable>)])
}

/// Endpoints `a`, `b` and `c`, of which the function chooses, or `a` is taken.
fn world(told: &Arc<Told>, edit: impl FnOnce(&mut SnapshotSpec)) -> World {
    World::calling(USUAL, &named(told), |spec| {
        app(spec).policy = python("f");
        edit(spec);
    })
}

fn statistics(world: &World) -> CallableStatistics {
    world.pool().caller().unwrap().statistics(world.thread.shared().now())
}

/// One exchange from its start to its end.
async fn exchange(world: &mut World) {
    let mut client = world.asks(GET).await;
    let mut server = world.accept().await;
    server.head().await;
    server.send(DONE).await;
    assert_eq!(client.message().await.status(), 204);
}

async fn served(world: &mut World, mut client: Peer) {
    let mut server = world.accept().await;
    server.head().await;
    server.send(DONE).await;
    assert_eq!(client.message().await.status(), 204);
}

#[test]
fn the_chosen_endpoint_is_asked_and_a_tried_one_is_not_offered_again() {
    run(async {
        let told = Told::new(Verdict::Chosen(1), true);
        let mut world = world(&told, |_| {});
        world.refuses("b");
        exchange(&mut world).await;
        assert_eq!(*told.offers.lock().unwrap(), [vec![0, 1, 2], vec![0, 2]]);
        assert_eq!(statistics(&world).native, 1);
        let record = world.ends_with(204, None).await;
        assert_eq!(attempts(&record), "b:connect_refused a:ok", "chosen once more all the same");
    });
}

#[test]
fn nobody_is_offered_who_could_not_serve() {
    run(async {
        let told = Told::new(Verdict::Declined, true);
        let mut world = world(&told, |spec| {
            let pool = app(spec);
            let more = pool.endpoints.clone();
            pool.endpoints.extend(more.into_iter().map(|each| crate::snapshot::EndpointSpec { id: format!("{}2", each.id), ..each }));
            pool.endpoints[0].weight = 0;
            pool.endpoints[1].target = None;
            pool.max_inflight = Some(1);
        });
        let pool = world.pool();
        let full = pool.take(2, &[], || 0).unwrap();
        for _ in 0..3 {
            pool.failed(&pool.endpoints[3], 0, Cause::ConnectRefused, world.thread.shared().now());
        }
        exchange(&mut world).await;
        assert_eq!(*told.offers.lock().unwrap(), [[4, 5]]);
        drop((full, pool));
        world.ends_with(204, None).await;
    });
}

#[test]
fn an_answer_that_does_not_come_is_waited_for_as_long_as_the_budget_says() {
    run(async {
        let told = Told::new(Verdict::Chosen(2), false);
        let mut world = world(&told, |_| {});
        let begun = Instant::now();
        let mut client = world.asks(GET).await;
        let mut server = world.accept().await;
        let took = begun.elapsed();
        assert!((BUDGET..=BUDGET + millis(1)).contains(&took), "{took:?}");
        server.head().await;
        server.send(DONE).await;
        assert_eq!(client.message().await.status(), 204);
        let reply = told.kept.lock().unwrap().pop().unwrap();
        assert!(!reply.is_wanted());
        reply.give(Verdict::Chosen(2), secs(1), true);
        let counted = statistics(&world);
        assert_eq!((counted.calls, counted.thread, counted.late, counted.native), (1, 1, 1, 1));
        assert_eq!(counted.cost.count, 1, "what it took is known all the same");
        let record = world.ends_with(204, None).await;
        assert_eq!(attempts(&record), "a:ok");
    });
}

#[test]
fn an_answer_within_the_budget_counts() {
    run(async {
        let told = Told::new(Verdict::Chosen(2), false);
        let mut world = world(&told, |_| {});
        let client = world.asks(GET).await;
        settle().await;
        pass(millis(2)).await;
        let reply = told.kept.lock().unwrap().pop().unwrap();
        reply.give(Verdict::Chosen(2), millis(2), true);
        served(&mut world, client).await;
        assert_eq!(statistics(&world).native, 0);
        assert_eq!(attempts(&world.ends_with(204, None).await), "c:ok");
    });
}

#[test]
fn a_call_that_nobody_takes_is_not_waited_for() {
    run(async {
        let told = Told::new(Verdict::Chosen(2), false);
        let mut world = world(&told, |_| {});
        let begun = Instant::now();
        let client = world.asks(GET).await;
        settle().await;
        told.kept.lock().unwrap().clear();
        served(&mut world, client).await;
        assert!(begun.elapsed() < BUDGET);
        assert_eq!(statistics(&world).late, 1);
        world.ends_with(204, None).await;
    });
}

#[test]
fn a_client_that_leaves_meanwhile_is_noticed() {
    run(async {
        let told = Told::new(Verdict::Chosen(2), false);
        let world = world(&told, |spec| app(spec).policy = python("f"));
        drop(world.asks(GET).await);
        settle().await;
        assert!(!told.kept.lock().unwrap()[0].is_wanted());
        let counted = statistics(&world);
        assert_eq!((counted.calls, counted.late, counted.native), (1, 0, 0));
        world.ends_with(499, Some(Cause::ClientAbort)).await;
    });
}

#[test]
fn the_exchange_s_own_limit_comes_before_a_longer_budget() {
    run(async {
        let told = Told::new(Verdict::Chosen(2), false);
        let mut world = world(&told, |spec| {
            let fallback = Box::new(PolicySpec::RoundRobin);
            app(spec).policy = PolicySpec::Python { callable: "f".to_owned(), budget: 1.0, fallback };
            first(spec).timeout = Some(millis(100));
        });
        let begun = Instant::now();
        let mut client = world.asks(GET).await;
        let _server = world.accept().await;
        assert!(begun.elapsed() <= millis(102));
        assert_eq!(client.message().await.status(), 504);
        world.ends_with(504, Some(Cause::RequestTimeout)).await;
    });
}

#[test]
fn a_cheap_function_is_asked_on_the_engine_s_thread() {
    run(async {
        let told = Told::new(Verdict::Chosen(1), true);
        let mut world = world(&told, |_| {});
        for _ in 0..CHEAP + 3 {
            exchange(&mut world).await;
        }
        let counted = statistics(&world);
        assert_eq!((counted.runs, counted.thread, counted.inline, counted.calls), ("inline", 8, 3, 11));
        assert_eq!(told.inline.load(Ordering::Relaxed), 3);
        assert!(world.end().await.iter().all(|record| attempts(record) == "b:ok"));
    });
}

#[test]
fn a_function_that_keeps_failing_is_left_alone_for_a_while() {
    run(async {
        let told = Told::new(Verdict::Raised, true);
        let mut world = world(&told, |_| {});
        for _ in 0..10 {
            exchange(&mut world).await;
        }
        let counted = statistics(&world);
        assert_eq!((counted.calls, counted.raised, counted.native, counted.opened), (5, 5, 10, 1));
        assert!(counted.paused.is_some_and(|left| left > 0.9));
        let pause = Pause { failures: 5, last: Verdict::Raised, length: secs(1) };
        assert_eq!(*told.pauses.lock().unwrap(), [pause]);
        pass(secs(1)).await;
        *told.verdict.lock().unwrap() = Verdict::Chosen(2);
        exchange(&mut world).await;
        exchange(&mut world).await;
        let counted = statistics(&world);
        assert_eq!((counted.calls, counted.native, counted.paused), (7, 10, None));
        let records = world.end().await;
        let taken: Vec<_> = records.iter().map(attempts).collect();
        assert_eq!((&taken[..10], &taken[10..]), (["a:ok"; 10].map(str::to_owned).as_slice(), ["c:ok"; 2].map(str::to_owned).as_slice()));
    });
}

#[test]
fn a_chosen_endpoint_that_filled_up_meanwhile_is_replaced_natively() {
    run(async {
        let told = Told::new(Verdict::Chosen(2), false);
        let mut world = world(&told, |spec| app(spec).max_inflight = Some(1));
        let client = world.asks(GET).await;
        settle().await;
        let full = world.pool().take(2, &[], || 0).unwrap();
        told.kept.lock().unwrap().pop().unwrap().give(Verdict::Chosen(2), millis(1), true);
        served(&mut world, client).await;
        drop(full);
        let counted = statistics(&world);
        assert_eq!((counted.late, counted.native), (0, 1));
        assert_eq!(attempts(&world.ends_with(204, None).await), "a:ok");
    });
}

#[test]
fn a_new_snapshot_keeps_what_was_learned_of_the_same_function() {
    run(async {
        let told = Told::new(Verdict::Chosen(1), true);
        let mut world = world(&told, |_| {});
        exchange(&mut world).await;
        world.change(|spec| {
            app(spec).endpoints.truncate(2);
        });
        exchange(&mut world).await;
        assert_eq!(statistics(&world).calls, 2);
        assert_eq!(*told.offers.lock().unwrap(), [vec![0, 1, 2], vec![0, 1]]);
        world.change(|spec| app(spec).policy = PolicySpec::RoundRobin);
        exchange(&mut world).await;
        assert!(world.pool().caller().is_none());
        assert_eq!(told.offers.lock().unwrap().len(), 2, "nobody is asked who is not named");
        world.end().await;
    });
}

#[test]
fn another_function_of_the_same_name_starts_anew_and_an_unknown_one_is_refused() {
    run(async {
        let (first, second) = (Told::new(Verdict::Chosen(1), true), Told::new(Verdict::Chosen(2), true));
        let mut world = world(&first, |_| {});
        exchange(&mut world).await;
        world.change_calling(&named(&second), |_| {});
        assert_eq!(statistics(&world).calls, 0);
        exchange(&mut world).await;
        assert_eq!((first.offers.lock().unwrap().len(), second.offers.lock().unwrap().len()), (1, 1));
        let mut spec = world.thread.snapshot().spec.clone();
        app(&mut spec).policy = python("g");
        let built = crate::config::Snapshot::build(spec, Some(&world.thread.snapshot()), 1, 0.0, &Callables::new());
        assert_eq!(built.err().unwrap().to_string(), "pool app: the function \"g\" was not given to the engine");
        world.end().await;
    });
}
