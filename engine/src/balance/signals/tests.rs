//! What batches, threads and slots add to the rule; the rule itself is compared with the reference in `tests/balance/test_native_signals.py`.

use super::*;
use crate::balance::draw::draw;
use crate::balance::expression::Metrics;
use crate::balance::slot::Shelf;

const SHOWN: [Column; 4] = [Column::Latency, Column::ServiceTime, Column::ErrorRate, Column::ReportedLoad];

struct World {
    shelf: Arc<Shelf>,
    columns: Columns,
    signals: Signals,
    now: f64,
}

impl World {
    fn new(count: usize, threads: usize) -> Self {
        let shelf = Arc::new(Shelf::default());
        let columns = Columns::new((0..count).map(|_| shelf.slot()).collect(), &Metrics::default(), None);
        let signals = Signals::new(threads);
        signals.joined(&columns, columns.slots(), 0.0);
        Self { shelf, columns, signals, now: 0.0 }
    }

    fn slot(&self, index: usize) -> &Slot {
        &self.columns.slots()[index]
    }

    fn answer(&self, thread: usize, index: usize, latency: f64) {
        self.slot(index).picked();
        self.signals.answered(thread, self.slot(index), latency, 1, true);
    }

    fn refresh(&mut self) {
        self.now += 0.125;
        self.signals.refresh(&self.columns, self.now);
    }

    fn learn(&mut self, index: usize, latency: f64) {
        for _ in 0..20 {
            for _ in 0..10 {
                self.answer(0, index, latency);
            }
            self.refresh();
        }
    }

    fn shown(&self) -> Vec<[u64; 4]> {
        self.columns.slots().iter().map(|slot| SHOWN.map(|column| slot.get(column).to_bits())).collect()
    }

    fn since(&self, index: usize) -> u64 {
        self.slot(index).get(Column::Since).to_bits()
    }

    fn loads(&self) -> Vec<f64> {
        self.columns.slots().iter().map(|slot| slot.get(Column::ReportedLoad)).collect()
    }

    fn waiting(&self) -> Vec<usize> {
        self.signals.shards.iter().map(|Shard(samples)| samples.lock().unwrap().len()).collect()
    }
}

#[test]
fn a_batch_teaches_the_same_as_its_samples_one_by_one() {
    let (mut batched, mut at_once) = (World::new(7, 1), World::new(7, 1));
    for number in 0..5000 {
        let (index, latency) = ((draw(1, number) % 7) as usize, (draw(2, number) % 1000) as f64 / 1e4);
        for world in [&batched, &at_once] {
            world.answer(0, index, latency * (index as f64 + 1.0));
        }
        at_once.signals.drain(&mut at_once.signals.state.lock().unwrap());
        if number % 300 == 0 {
            batched.refresh();
            at_once.refresh();
            assert_eq!(batched.shown(), at_once.shown());
        }
    }
    let times: Vec<f64> = batched.columns.slots().iter().map(|slot| slot.get(Column::ServiceTime)).collect();
    assert!(times[6] > 2.0 * times[0], "{times:?}");
}

#[test]
fn a_full_batch_is_learned_without_waiting_for_a_refresh_and_memory_is_kept() {
    let world = World::new(1, 2);
    let capacities = || -> usize {
        let shards = world.signals.shards.iter().map(|Shard(samples)| samples.lock().unwrap().capacity()).sum::<usize>();
        shards + world.signals.state.lock().unwrap().spare.capacity()
    };
    let before = capacities();
    for number in 0..10 * BATCH {
        world.answer(1, 0, 0.01);
        assert!(world.waiting()[1] < BATCH, "after {number}");
    }
    assert_eq!(world.waiting(), [0, 0]);
    assert_eq!(world.signals.state.lock().unwrap().records[0].answers as usize, 10 * BATCH);
    assert_eq!(capacities(), before);
}

#[test]
fn nobody_waits_for_a_thread_that_learns() {
    let mut world = World::new(1, 1);
    let state = world.signals.state.lock().unwrap();
    for _ in 0..2 * BATCH {
        world.answer(0, 0, 0.01);
    }
    world.signals.refresh(&world.columns, 1.0);
    drop(state);
    assert_eq!(world.waiting(), [2 * BATCH], "kept until the state is free");
    world.refresh();
    assert_eq!(world.waiting(), [0]);
    assert!((world.slot(0).get(Column::Latency) - 0.01).abs() < 1e-4);
}

#[test]
fn every_thread_s_answers_count() {
    let world = World::new(3, 4);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let world = &world;
            scope.spawn(move || {
                for number in 0_u32..3000 {
                    let slot = world.slot(number as usize % 3);
                    slot.picked();
                    world.signals.answered(thread, slot, 0.01, 1, !number.is_multiple_of(10));
                    world.signals.refresh(&world.columns, f64::from(number) / 1000.0);
                }
            });
        }
    });
    world.signals.refresh(&world.columns, 4.0);
    assert_eq!(world.waiting(), [0; 4]);
    assert_eq!(world.columns.slots().iter().map(|slot| slot.lane().picks()).sum::<u32>(), 12_000);
    for slot in world.columns.slots() {
        assert!((slot.get(Column::Latency) - 0.01).abs() < 1e-12);
        assert!((slot.get(Column::ErrorRate) - 0.1).abs() < 0.02);
    }
    let state = world.signals.state.lock().unwrap();
    assert!(state.records.iter().all(|record| record.answered > 3000.0 && record.answered <= 4000.0 && record.answers == 0));
}

#[test]
fn a_slot_taken_by_another_endpoint_knows_nothing_of_the_first() {
    let mut world = World::new(3, 1);
    for index in [0, 1] {
        world.learn(index, 0.01);
    }
    world.learn(2, 0.2);
    assert!(world.slot(2).get(Column::ServiceTime) > 0.1);
    let number = world.slot(2).lane().number();
    // Its last answer is still to be learned when it goes.
    world.answer(0, 2, 9.0);
    let mut slots = world.columns.slots()[..2].to_vec();
    world.columns = Columns::new(slots.clone(), &Metrics::default(), None);
    slots.push(world.shelf.slot());
    let new = Arc::clone(&slots[2]);
    assert_eq!(new.lane().number(), number);
    world.columns = Columns::new(slots, &Metrics::default(), None);
    world.signals.joined(&world.columns, &[new], world.now);
    assert!((world.slot(2).get(Column::ServiceTime) - 0.01).abs() < 1e-9, "typical at once");
    assert_eq!(world.since(2), world.now.to_bits());
    world.refresh();
    assert!((world.slot(2).get(Column::Latency) - 0.01).abs() < 1e-9);
    assert!(world.signals.state.lock().unwrap().records[number].samples < f64::MIN_POSITIVE);
}

#[test]
fn who_never_joined_is_taken_in_at_the_next_refresh() {
    let mut world = World::new(2, 1);
    world.learn(0, 0.01);
    let mut slots = world.columns.slots().to_vec();
    slots.push(world.shelf.slot());
    world.columns = Columns::new(slots, &Metrics::default(), None);
    world.refresh();
    assert!((world.slot(2).get(Column::ServiceTime) - 0.01).abs() < 1e-9);
    assert_eq!(world.since(2), world.now.to_bits());
}

#[test]
fn a_report_is_shown_at_the_next_refresh_and_reports_that_nobody_makes_cost_nothing() {
    let mut world = World::new(3, 1);
    world.signals.report(&world.columns, world.slot(1), 0.0, 0.5, &[("unread", 1.0)]);
    assert_eq!(world.loads(), [0.0; 3]);
    world.refresh();
    assert_eq!(world.loads(), [0.5; 3], "the median for those who say nothing");
    world.now = 11.0;
    world.refresh();
    assert_eq!(world.loads(), [0.0; 3]);
    assert!(!world.signals.reporting.load(Ordering::Relaxed));
}
