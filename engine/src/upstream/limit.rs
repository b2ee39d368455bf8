//! How long an endpoint leaves an idle connection open: told by it, or learned from when it closed some.
//!
//! A server may close a connection at the moment at which a request is sent on it; whether it ran then, nobody can tell. So connections
//! are given up well before their server would, and a request that may not be repeated only goes on one that has just answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::task::{Wake, Waker};
use std::time::Duration;

use tokio::time::Instant;

use crate::message::{FieldName, ResponseHead};

/// Connections idle for that many hundredths of the limit are not used again.
const RETIRED: u32 = 80;

/// Those idle for no longer than that many hundredths have proven to be open.
const PROVEN: u32 = 25;

/// The same where no limit is known.
const PROVEN_UNKNOWN: Duration = Duration::from_millis(100);

/// A connection that outlives the limit by that many hundredths of it, and by this besides, shows that it is another.
const REFUTED: u32 = 125;
const REFUTED_BY: Duration = Duration::from_millis(50);

/// What is known of one endpoint's limit, in milliseconds; 0 is nothing.
#[derive(Debug, Default)]
pub struct IdleLimit {
    /// By its field `Keep-Alive`.
    told: AtomicU32,
    /// After how long it last closed one.
    seen: AtomicU32,
    /// Some were closed at a moment that nobody saw: each is watched from the start.
    watches: AtomicBool,
}

fn millis(time: Duration) -> u32 {
    u32::try_from(time.as_millis()).unwrap_or(u32::MAX).max(1)
}

fn known(value: &AtomicU32) -> Option<Duration> {
    let value = value.load(Ordering::Relaxed);
    (value > 0).then(|| Duration::from_millis(value.into()))
}

fn share(whole: Duration, hundredths: u32) -> Duration {
    whole * hundredths / 100
}

impl IdleLimit {
    /// The limit, once it is known.
    #[must_use]
    pub fn get(&self) -> Option<Duration> {
        match (known(&self.told), known(&self.seen)) {
            (Some(told), Some(seen)) => Some(told.min(seen)),
            (told, seen) => told.or(seen),
        }
    }

    /// Whether a connection that was idle for that long is not to be used again.
    #[must_use]
    pub fn is_retired(&self, age: Duration) -> bool {
        self.get().is_some_and(|limit| age >= share(limit, RETIRED))
    }

    /// Whether a connection that was idle for that long is surely open, as far as anything can be sure that was not asked.
    #[must_use]
    pub fn is_proven(&self, age: Duration) -> bool {
        let sure = self.get().map_or(PROVEN_UNKNOWN, |limit| share(limit, PROVEN));
        age <= sure
    }

    /// The endpoint says how long it waits.
    pub fn tell(&self, told: Duration) {
        let told = millis(told);
        // Said with every answer: written only when it changes.
        if self.told.load(Ordering::Relaxed) != told {
            self.told.store(told, Ordering::Relaxed);
        }
    }

    /// The endpoint closed an idle connection: after that long, where its moment was seen.
    pub fn closed(&self, after: Option<Duration>) {
        let Some(after) = after else {
            self.watches.store(true, Ordering::Relaxed);
            return;
        };
        // Down at once, up by halves: of timers that are not exact the shortest matter.
        let seen = known(&self.seen).map_or(after, |seen| if after < seen { after } else { (seen + after) / 2 });
        self.seen.store(millis(seen), Ordering::Relaxed);
    }

    /// A connection is open after that long. One that closed early was closed for another reason than its age.
    pub fn lives(&self, age: Duration) {
        if known(&self.seen).is_some_and(|seen| age > share(seen, REFUTED) + REFUTED_BY) {
            self.seen.store(0, Ordering::Relaxed);
        }
    }

    /// Whether a connection should be left open past the limit, so that it shows whether the limit still holds.
    #[must_use]
    pub fn is_to_be_tried(&self) -> bool {
        known(&self.seen).is_some()
    }

    /// Whether connections are watched from the moment they become idle.
    #[must_use]
    pub fn watches(&self) -> bool {
        self.watches.load(Ordering::Relaxed)
    }
}

/// How long a server says that it waits: `Keep-Alive: timeout=5`.
#[must_use]
pub fn told(head: &ResponseHead) -> Option<Duration> {
    if !head.fields.has(FieldName::HopByHop) {
        return None;
    }
    let value = head.fields.first(b"keep-alive")?;
    let seconds = value.split(|byte| *byte == b',').find_map(|part| {
        let (name, value) = part.trim_ascii().split_at_checked(8)?;
        if !name.eq_ignore_ascii_case(b"timeout=") {
            return None;
        }
        std::str::from_utf8(value).ok()?.parse::<u32>().ok()
    })?;
    Some(Duration::from_secs(seconds.into()))
}

/// Sees when an idle connection was closed: the system tells its thread anyway, which otherwise nobody there would hear.
#[derive(Debug)]
pub struct Watch {
    since: Instant,
    /// Milliseconds after that, plus one.
    after: AtomicU32,
}

impl Watch {
    /// Of a connection idle since then.
    #[must_use]
    pub fn new(since: Instant) -> Arc<Self> {
        Arc::new(Self { since, after: AtomicU32::new(0) })
    }

    /// To be called when something happens to it.
    #[must_use]
    pub fn waker(self: &Arc<Self>) -> Waker {
        Waker::from(Arc::clone(self))
    }

    /// How long it had been idle by then.
    #[must_use]
    pub fn after(&self) -> Option<Duration> {
        known(&self.after)
    }
}

impl Wake for Watch {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // Only the first counts.
        let _ = self.after.compare_exchange(0, millis(self.since.elapsed()), Ordering::Relaxed, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::h1::response;

    const fn ms(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    #[test]
    fn a_connection_is_retired_at_80_hundredths_of_the_limit_and_proven_up_to_25() {
        let limit = IdleLimit::default();
        limit.closed(Some(ms(200)));
        assert_eq!(limit.get(), Some(ms(200)));
        assert!(!limit.is_retired(ms(159)) && limit.is_retired(ms(160)));
        assert!(limit.is_proven(ms(50)) && !limit.is_proven(ms(51)));
    }

    #[test]
    fn while_nothing_is_known_none_is_retired_and_a_tenth_of_a_second_proves() {
        let limit = IdleLimit::default();
        assert!(!limit.is_retired(ms(3_600_000)));
        assert!(limit.is_proven(ms(100)) && !limit.is_proven(ms(101)));
        limit.closed(None);
        assert!(limit.watches() && limit.get().is_none(), "a moment that nobody saw tells no limit");
    }

    #[test]
    fn the_shorter_of_what_was_told_and_seen_holds() {
        let limit = IdleLimit::default();
        limit.tell(ms(5000));
        assert_eq!(limit.get(), Some(ms(5000)));
        limit.closed(Some(ms(2000)));
        assert_eq!(limit.get(), Some(ms(2000)));
        limit.tell(ms(1000));
        assert_eq!(limit.get(), Some(ms(1000)));
    }

    #[test]
    fn the_limit_falls_at_once_and_rises_by_halves() {
        let limit = IdleLimit::default();
        for (after, expected) in [(1000, 1000), (600, 600), (1000, 800), (1000, 900)] {
            limit.closed(Some(ms(after)));
            assert_eq!(limit.get(), Some(ms(expected)));
        }
    }

    #[test]
    fn a_limit_learned_from_a_server_that_died_is_forgotten_when_a_connection_outlives_it() {
        let limit = IdleLimit::default();
        limit.closed(Some(ms(3)));
        assert!(limit.is_retired(ms(5)) && limit.is_to_be_tried());
        limit.lives(ms(53));
        assert!(limit.is_retired(ms(5)), "timers are not exact");
        limit.lives(ms(1000));
        assert!(!limit.is_retired(ms(5)) && !limit.is_to_be_tried());
    }

    #[test]
    fn a_server_tells_its_limit_in_a_field() {
        let read = |field: &str| {
            let mut head = ResponseHead::default();
            response::parse(format!("HTTP/1.1 200 OK\r\n{field}Content-Length: 0\r\n\r\n").as_bytes(), false, &mut head).unwrap();
            told(&head)
        };
        assert_eq!(read("Keep-Alive: timeout=5\r\n"), Some(ms(5000)));
        assert_eq!(read("keep-alive: max=100, TIMEOUT=15\r\n"), Some(ms(15_000)));
        for nothing in
            ["", "Keep-Alive: 300\r\n", "Keep-Alive: timeout=soon\r\n", "Keep-Alive: timeout=-1\r\n", "Proxy-Connection: keep-alive\r\n"]
        {
            assert_eq!(read(nothing), None, "{nothing:?}");
        }
    }
}
