//! Counts of responses by class and of causes: relaxed atomics, added to by every thread, read as plain values.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use serde::{Serialize, Serializer};

use super::Cause;

/// Responses by the class of their status; 40 bytes.
#[derive(Debug, Default)]
pub struct StatusCounters {
    classes: [AtomicU64; 5],
}

/// What [`StatusCounters`] held; serialised as `{"1xx":0,"2xx":100,...}`.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct StatusCounts {
    /// Interim responses, and 101 for tunnels.
    #[serde(rename = "1xx")]
    pub informational: u64,
    /// Successes.
    #[serde(rename = "2xx")]
    pub success: u64,
    /// Redirections.
    #[serde(rename = "3xx")]
    pub redirection: u64,
    /// The client's faults, its aborts (499) among them.
    #[serde(rename = "4xx")]
    pub client_error: u64,
    /// The gateway's and the server's faults.
    #[serde(rename = "5xx")]
    pub server_error: u64,
}

impl StatusCounters {
    /// Counts one response. A status outside `100..=599` counts nowhere.
    pub fn add(&self, status: u16) {
        if let Some(class) = (status / 100).checked_sub(1).and_then(|class| self.classes.get(usize::from(class))) {
            class.fetch_add(1, Relaxed);
        }
    }

    /// The counts so far.
    #[must_use]
    pub fn snapshot(&self) -> StatusCounts {
        let [informational, success, redirection, client_error, server_error] = self.classes.each_ref().map(|class| class.load(Relaxed));
        StatusCounts { informational, success, redirection, client_error, server_error }
    }
}

/// One count for each cause of the catalogue.
#[derive(Debug)]
pub struct CauseCounters {
    causes: [AtomicU64; Cause::ALL.len()],
}

/// What [`CauseCounters`] held, zeros left out, in the catalogue's order; serialised as `{"no_route":3}`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct CauseCounts(pub Vec<(Cause, u64)>);

impl Default for CauseCounters {
    fn default() -> Self {
        Self { causes: [const { AtomicU64::new(0) }; Cause::ALL.len()] }
    }
}

impl CauseCounters {
    /// Counts one exchange, or one attempt, that ended with this cause.
    pub fn add(&self, cause: Cause) {
        if let Some(count) = self.causes.get(cause as usize) {
            count.fetch_add(1, Relaxed);
        }
    }

    /// How often this cause was counted.
    #[must_use]
    pub fn count(&self, cause: Cause) -> u64 {
        self.causes.get(cause as usize).map_or(0, |count| count.load(Relaxed))
    }

    /// The counts so far.
    #[must_use]
    pub fn snapshot(&self) -> CauseCounts {
        let counts = Cause::ALL.iter().map(|cause| (*cause, self.count(*cause)));
        CauseCounts(counts.filter(|(_, count)| *count > 0).collect())
    }
}

impl Serialize for CauseCounts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(cause, count)| (cause.name(), count)))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::Cause;
    use super::{CauseCounters, StatusCounters};

    #[test]
    fn a_status_counts_in_its_class_and_an_odd_one_nowhere() {
        let counters = StatusCounters::default();
        for status in [100, 199, 200, 308, 404, 499, 400, 599, 0, 99, 600, u16::MAX] {
            counters.add(status);
        }

        assert_eq!(json!({"1xx": 2, "2xx": 1, "3xx": 1, "4xx": 3, "5xx": 1}), json!(counters.snapshot()));
    }

    #[test]
    fn each_cause_has_its_own_count() {
        let counters = CauseCounters::default();
        for (place, cause) in Cause::ALL.iter().enumerate() {
            (0..=place).for_each(|_| counters.add(*cause));
        }

        for (place, (cause, count)) in counters.snapshot().0.into_iter().enumerate() {
            assert_eq!((Cause::ALL[place], place as u64 + 1), (cause, count));
            assert_eq!(count, counters.count(cause));
        }
    }

    #[test]
    fn causes_that_never_happened_are_left_out() {
        let counters = CauseCounters::default();
        assert_eq!(json!({}), json!(counters.snapshot()));

        counters.add(Cause::NoRoute);
        counters.add(Cause::NoRoute);
        counters.add(Cause::MalformedRequest);

        assert_eq!(r#"{"malformed_request":1,"no_route":2}"#, serde_json::to_string(&counters.snapshot()).unwrap());
    }
}
