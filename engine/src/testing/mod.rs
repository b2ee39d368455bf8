//! What tests of the exchange run in: a paused clock, pipes for sockets, servers that do as they are told, and a world around one
//! engine thread that checks its own accounts when it ends.

pub(crate) mod peer;
pub(crate) mod transport;
pub(crate) mod wire;
pub(crate) mod world;

use std::time::Duration;

use tokio::time::Instant;

pub(crate) use peer::Peer;
pub(crate) use transport::Dial;
pub(crate) use world::World;

/// Longer than any test's story.
const LONGEST: Duration = secs(10 * 3600);

/// Runs a test on a thread of its own kind: one that tasks cannot leave, with a clock that moves when everybody waits. Whoever waits for
/// what never comes fails.
pub(crate) fn run<T>(test: impl Future<Output = T>) -> T {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().start_paused(true).build_local(tokio::runtime::LocalOptions::default()).unwrap();
    runtime.block_on(async { tokio::time::timeout(LONGEST, test).await.expect("something was awaited that never came") })
}

/// So many seconds.
pub(crate) const fn secs(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// So many milliseconds.
pub(crate) const fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// Lets so much time pass.
pub(crate) async fn pass(time: Duration) {
    tokio::time::sleep(time).await;
}

/// Lets everybody go on until all wait, without time passing.
pub(crate) async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

/// Checks that something took as long as its limit says, and hardly longer.
pub(crate) fn took(since: Instant, limit: Duration) {
    let took = since.elapsed();
    assert!(took >= limit, "fired {:?} early: after {took:?}", limit.checked_sub(took));
    assert!(took <= limit + millis(50), "fired late: after {took:?}, not {limit:?}");
}
