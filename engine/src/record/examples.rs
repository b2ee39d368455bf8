//! Records for tests.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use super::{Attempt, Cause, Outcome, Record, WallTime, Why};

/// `GET /path` at 2026-01-31T12:00:01.123Z, answered with 200 after 12.345 ms; no attempts.
pub(crate) fn record() -> Record<'static> {
    Record {
        time: WallTime { seconds: 1_769_860_801, millis: 123 },
        id: b"0198f3c2a7b04d6e",
        client: "192.0.2.7",
        method: b"GET",
        target: b"/path",
        host: b"app.example.com",
        status: 200,
        bytes_in: 120,
        bytes_out: 4321,
        duration: Duration::from_micros(12_345),
        route: Some("all"),
        pool: Some("app"),
        cause: None,
        not_repeated: None,
        attempts: &[],
    }
}

/// A first attempt that took so many microseconds.
pub(crate) fn attempt(endpoint: &str, cause: Option<Cause>, micros: u64) -> Attempt<'_> {
    let outcome = cause.map_or(Outcome::Ok, Outcome::Failed);
    Attempt { endpoint, why: Why::First, outcome, took: Duration::from_micros(micros) }
}

/// An empty folder of its own, removed when dropped.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("forebay-record-{}-{}", std::process::id(), NEXT.fetch_add(1, Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}
