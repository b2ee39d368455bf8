//! What happened that control should know of: a ring of the latest, numbered over all pools.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use crate::server::bell::Bell;

/// How many are kept for control to read.
const KEPT: usize = 4096;

/// What kind of thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// An endpoint is passed over from now on.
    Reflex,
    /// It serves again, as exchanges beyond its trial show.
    Recovered,
    /// One exchange tries it.
    TrialStarted,
    /// It passed.
    TrialPassed,
    /// It did not.
    TrialFailed,
    /// It asked for fewer requests.
    Draining,
    /// Another tier serves.
    Tier,
    /// Nobody may serve.
    AllDown,
    /// Somebody may again.
    AllUp,
    /// A request was not repeated because too many are.
    RetryBudget,
}

#[derive(Debug, Clone)]
struct Event {
    number: u64,
    /// Milliseconds of the engine's clock.
    at: u64,
    pool: Arc<str>,
    endpoint: Option<Arc<str>>,
    kind: Kind,
    cause: Option<&'static str>,
    tiers: Option<(Option<u8>, u8)>,
}

/// One event as control reads it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Told {
    /// Grows by one with each.
    pub number: u64,
    /// Seconds since it happened.
    pub age: f64,
    /// Whose.
    pub pool: String,
    /// Of which endpoint, where it is about one.
    pub endpoint: Option<String>,
    /// What.
    pub kind: Kind,
    /// Why.
    pub cause: Option<&'static str>,
    /// The tier that served before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<u8>,
    /// The tier that serves now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<u8>,
}

#[derive(Debug, Default)]
struct Ring {
    /// Of the last event.
    number: u64,
    lost: u64,
    events: VecDeque<Event>,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Events {
    ring: Mutex<Ring>,
    bell: Arc<Bell>,
}

/// What is new since control last looked.
#[derive(Debug, Serialize)]
pub struct News {
    /// Of the last event.
    pub number: u64,
    /// How many events were never read, since the engine began.
    pub lost: u64,
    /// In their order.
    pub events: Vec<Told>,
}

impl Events {
    /// A ring that rings this bell.
    #[must_use]
    pub fn new(bell: Arc<Bell>) -> Self {
        Self { ring: Mutex::default(), bell }
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        // Nothing panics while it is held, and if it did, it would still be a list.
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something happened to an endpoint of a pool, or to the pool itself; returns the event's number.
    pub fn tell(&self, pool: &Arc<str>, endpoint: Option<&Arc<str>>, kind: Kind, cause: Option<&'static str>, at: u64) -> u64 {
        let event = Event { number: 0, at, pool: Arc::clone(pool), endpoint: endpoint.map(Arc::clone), kind, cause, tiers: None };
        self.push(event)
    }

    /// Another tier serves.
    pub fn moved(&self, pool: &Arc<str>, from: Option<u8>, to: u8, at: u64) {
        let event = Event { number: 0, at, pool: Arc::clone(pool), endpoint: None, kind: Kind::Tier, cause: None, tiers: Some((from, to)) };
        self.push(event);
    }

    fn push(&self, event: Event) -> u64 {
        let mut ring = self.ring();
        ring.number += 1;
        let number = ring.number;
        if ring.events.len() == KEPT {
            ring.events.pop_front();
            ring.lost += 1;
        }
        ring.events.push_back(Event { number, ..event });
        drop(ring);
        self.bell.ring();
        number
    }

    /// Takes out what is new.
    #[must_use]
    pub fn read(&self, now: u64) -> News {
        let mut ring = self.ring();
        let (number, lost, events) = (ring.number, ring.lost, std::mem::take(&mut ring.events));
        drop(ring);
        let told = events.into_iter().map(|event| Told {
            number: event.number,
            age: now.saturating_sub(event.at) as f64 / 1000.0,
            pool: event.pool.to_string(),
            endpoint: event.endpoint.map(|id| id.to_string()),
            kind: event.kind,
            cause: event.cause,
            from: event.tiers.and_then(|(from, _)| from),
            to: event.tiers.map(|(_, to)| to),
        });
        News { number, lost, events: told.collect() }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn events_are_read_once_in_their_order_and_the_oldest_are_lost_first() {
        let bell = Arc::new(Bell::default());
        let events = Events::new(Arc::clone(&bell));
        let (pool, endpoint) = (Arc::from("app"), Arc::from("a"));
        for at in 0..KEPT as u64 + 2 {
            assert_eq!(events.tell(&pool, Some(&endpoint), Kind::Reflex, Some("connect_refused"), at), at + 1);
        }
        assert!(bell.wait(Duration::ZERO));
        let news = events.read(5000);
        assert_eq!((news.number, news.lost, news.events.len()), (KEPT as u64 + 2, 2, KEPT));
        assert_eq!((news.events[0].number, news.events[0].age.to_bits()), (3, 4.998_f64.to_bits()));
        events.moved(&pool, Some(0), 1, 6000);
        let news = serde_json::to_value(events.read(6000)).unwrap();
        let expected = serde_json::json!({"number": 4099, "age": 0.0, "pool": "app", "endpoint": null, "kind": "tier", "cause": null,
            "from": 0, "to": 1});
        assert_eq!(news["events"], serde_json::json!([expected]));
    }
}
