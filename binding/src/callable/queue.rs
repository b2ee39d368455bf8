//! What waits for a function's thread.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use forebay_engine::balance::callable::{Call, Reply};

use super::complaints::Complaint;

/// More than this many would not be answered within any sensible budget.
const MOST: usize = 256;

pub(super) enum Job {
    Call(Box<Call>, Reply),
    Complain(Complaint),
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    closed: bool,
}

#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    filled: Condvar,
}

impl Queue {
    fn state(&self) -> MutexGuard<'_, State> {
        // It is a list at every step.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a job, or drops it where too many wait or the thread has ended.
    pub(super) fn push(&self, job: Job) {
        let mut state = self.state();
        if state.closed || state.jobs.len() >= MOST {
            return;
        }
        state.jobs.push_back(job);
        drop(state);
        self.filled.notify_one();
    }

    /// The next job, if there is one.
    pub(super) fn next(&self) -> Option<Job> {
        self.state().jobs.pop_front()
    }

    /// Waits for the next job; `None` once it was closed.
    pub(super) fn wait(&self) -> Option<Job> {
        let waits = |state: &mut State| state.jobs.is_empty() && !state.closed;
        let mut state = self.filled.wait_while(self.state(), waits).unwrap_or_else(PoisonError::into_inner);
        state.jobs.pop_front()
    }

    /// Drops what waits, and takes no more.
    pub(super) fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        let dropped = std::mem::take(&mut state.jobs);
        drop(state);
        drop(dropped);
        self.filled.notify_all();
    }
}
