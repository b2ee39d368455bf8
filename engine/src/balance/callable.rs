//! Choices by a function of the program that embeds the engine. The engine knows neither the function nor its language, only how dear it is:
//! it is asked on the engine's thread while that is cheap, on a thread of its own otherwise, and not at all while it keeps failing.
//! Whatever it does not choose, or not in time, the pool's native policy picks.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::exchange::journal::RequestId;
use crate::message::RequestHead;
use crate::pool::Offer;

mod breaker;
mod counts;
mod pace;

pub use breaker::{Breaker, LONGEST_PAUSE, PAUSE};
pub use counts::CallableStatistics;
pub use pace::{CHEAP, Pace};

use breaker::Admission;
use counts::Counts;

/// The functions that pools may name.
pub type Callables = BTreeMap<String, Arc<dyn Callable>>;

/// A function that chooses endpoints.
pub trait Callable: Send + Sync {
    /// Asks it now, on the thread that calls.
    fn ask(&self, call: Call) -> Verdict;

    /// Has it asked on a thread of its own. Where too many wait for that already, the reply is dropped unanswered.
    fn send(&self, call: Call, reply: Reply);

    /// It failed so often in a row that it is not asked for a while.
    fn paused(&self, pause: &Pause);
}

/// What a function is asked.
pub struct Call {
    /// The request.
    pub request: Request,
    /// Who may serve it.
    pub offer: Offer,
}

/// The request, as far as a function may look at it.
pub struct Request {
    /// Its head.
    pub head: RequestHead,
    /// The client's address.
    pub client: String,
    /// Its name in the logs.
    pub id: RequestId,
}

/// What became of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The index of an endpoint of the offer.
    Chosen(usize),
    /// It leaves the choice to the native policy.
    Declined,
    /// It failed by its own fault.
    Raised,
    /// Its answer is no endpoint of the offer.
    Nonsense,
    /// It did not answer within its budget.
    Late,
}

impl Verdict {
    fn has_failed(self) -> bool {
        matches!(self, Self::Raised | Self::Nonsense | Self::Late)
    }
}

/// Why a function is not asked for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pause {
    /// The failures in a row that led to it.
    pub failures: u32,
    /// The last of them.
    pub last: Verdict,
    /// How long it lasts.
    pub length: Duration,
}

/// A function as one pool asks it, with what was learned of it there.
pub struct Caller {
    /// Its name.
    pub name: Arc<str>,
    /// How long an answer is awaited.
    pub budget: Duration,
    callable: Arc<dyn Callable>,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    pace: Pace,
    breaker: Breaker,
    counts: Counts,
}

/// How a call goes on.
pub enum Asked {
    /// Nobody was asked: the function is paused.
    Nobody,
    /// It has answered.
    Now(Verdict),
    /// It will answer on another thread.
    Later(Answer),
}

/// An answer that is awaited; see [`Caller::heard`].
pub struct Answer {
    /// Comes at most once; an error where nobody could be asked.
    pub receiver: oneshot::Receiver<Verdict>,
    /// When it is too late.
    pub deadline: Instant,
    probe: bool,
}

impl Caller {
    /// For a function that was not known to its pool before.
    #[must_use]
    pub fn new(name: &str, budget: Duration, callable: Arc<dyn Callable>) -> Self {
        Self { name: name.into(), budget, callable, state: Arc::default() }
    }

    /// The same function in a new snapshot.
    #[must_use]
    pub fn again(&self, budget: Duration) -> Self {
        Self { name: Arc::clone(&self.name), budget, callable: Arc::clone(&self.callable), state: Arc::clone(&self.state) }
    }

    /// The function.
    #[must_use]
    pub fn callable(&self) -> &Arc<dyn Callable> {
        &self.callable
    }

    /// Asks, unless the function is paused. `call` is made only then; the engine's clock starts at `epoch`.
    pub fn ask(&self, epoch: Instant, call: impl FnOnce() -> Call) -> Asked {
        let begun = Instant::now();
        let now = millis(epoch, begun);
        let State { pace, breaker, counts } = &*self.state;
        let probe = match breaker.admit(now) {
            Admission::Refused => {
                counts.refused();
                return Asked::Nobody;
            }
            admitted => admitted == Admission::Probe,
        };
        if pace.is_inline() {
            let verdict = self.callable.ask(call());
            let took = begun.elapsed();
            counts.inline(took);
            pace.took_inline(took, millis(epoch, begun + took));
            self.settle(verdict, probe, epoch);
            return Asked::Now(verdict);
        }
        let (sender, receiver) = oneshot::channel();
        counts.thread();
        self.callable.send(call(), Reply { sender, state: Arc::clone(&self.state), sent: begun, epoch });
        Asked::Later(Answer { receiver, deadline: begun + self.budget, probe })
    }

    /// Counts what came of waiting.
    pub fn heard(&self, verdict: Verdict, answer: &Answer, epoch: Instant) {
        if verdict == Verdict::Late {
            self.state.pace.was_late();
        }
        self.settle(verdict, answer.probe, epoch);
    }

    fn settle(&self, verdict: Verdict, probe: bool, epoch: Instant) {
        self.state.counts.settled(verdict);
        if !verdict.has_failed() {
            self.state.breaker.success(probe);
        } else if let Some((failures, length)) = self.state.breaker.failure(probe, millis(epoch, Instant::now())) {
            self.callable.paused(&Pause { failures, last: verdict, length });
        }
    }

    /// A chosen endpoint could not be had, its last place having gone meanwhile.
    pub fn lost(&self) {
        self.state.counts.lost();
    }

    /// Everything counted so far; `now` is in milliseconds of the engine's clock.
    #[must_use]
    pub fn statistics(&self, now: u64) -> CallableStatistics {
        self.state.counts.read(self, &self.state.pace, &self.state.breaker, now)
    }
}

/// Where a call's answer goes, from any thread.
pub struct Reply {
    sender: oneshot::Sender<Verdict>,
    state: Arc<State>,
    sent: Instant,
    epoch: Instant,
}

impl Reply {
    /// Whether somebody still waits: a call that is too late need not be made.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        !self.sender.is_closed()
    }

    /// Since when it waits.
    #[must_use]
    pub fn sent(&self) -> Instant {
        self.sent
    }

    /// Answers. `took` is what the call would have cost the engine's thread; `waited` says whether that includes waiting for whatever the
    /// function needs, such as an interpreter's lock.
    pub fn give(self, verdict: Verdict, took: Duration, waited: bool) {
        let State { pace, counts, .. } = &*self.state;
        counts.cost(took);
        pace.took_on_thread(took, waited, millis(self.epoch, Instant::now()));
        // Whoever has stopped waiting has counted that.
        let _ = self.sender.send(verdict);
    }
}

fn millis(epoch: Instant, now: Instant) -> u64 {
    now.saturating_duration_since(epoch).as_millis() as u64
}
