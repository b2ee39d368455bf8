//! Asking the function of a pool which endpoint to take.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use super::attempts::Attempts;
use crate::balance::callable::{Answer, Asked, Call, Request, Verdict};
use crate::exchange::journal::Journal;
use crate::exchange::{Front, Transport};
use crate::pool::{Ask, Lease};
use crate::record::Cause;

/// What came of asking.
enum Consulted {
    /// It chose, and the endpoint is held.
    Held(Lease),
    /// It will answer on another thread.
    Later(Answer),
    /// The pool's native policy is to pick.
    Native,
}

impl<T: Transport> Attempts<'_, '_, T> {
    /// The endpoint that the pool's function chooses, where it has one and that chooses in time; else the native policy is to pick.
    ///
    /// # Errors
    ///
    /// That the client has left while the answer was awaited.
    pub(super) async fn consult<F: Front>(&self, front: &mut F, journal: &Journal<'_>, tried: &[Arc<str>]) -> Result<Option<Lease>, Cause> {
        match self.begin_call(front, journal, &self.ask(tried)) {
            Consulted::Held(lease) => Ok(Some(lease)),
            // Kept apart, so that exchanges which never wait here need no room for it.
            Consulted::Later(answer) => Box::pin(self.hear(front, journal, tried, answer)).await,
            Consulted::Native => Ok(None),
        }
    }

    /// Asks the pool's function, where it has one and somebody may be chosen.
    fn begin_call<F: Front>(&self, front: &F, journal: &Journal<'_>, ask: &Ask<'_>) -> Consulted {
        let Some(caller) = self.pool.caller() else { return Consulted::Native };
        let shared = self.thread.shared();
        if let Some(lease) = self.pool.lease_pinned(ask, || shared.now()) {
            return Consulted::Held(lease);
        }
        let Some(offer) = self.pool.offer(ask, || shared.now()) else { return Consulted::Native };
        let call =
            || Call { request: Request { head: front.request().clone(), client: journal.client_ip(), id: journal.id.clone() }, offer };
        match caller.ask(shared.epoch, call) {
            Asked::Now(verdict) => self.held(verdict, ask.tried).map_or(Consulted::Native, Consulted::Held),
            Asked::Later(answer) => Consulted::Later(answer),
            Asked::Nobody => Consulted::Native,
        }
    }

    /// Waits for an answer within the budget.
    async fn hear<F: Front>(
        &self,
        front: &mut F,
        journal: &Journal<'_>,
        tried: &[Arc<str>],
        mut answer: Answer,
    ) -> Result<Option<Lease>, Cause> {
        let epoch = self.thread.shared().epoch;
        let (deadline, _) = self.earliest(journal, answer.deadline, Cause::RequestTimeout);
        // The thread's own limits fire up to 10 ms late, which is long for a pick.
        let mut sleep = std::pin::pin!(tokio::time::sleep_until(deadline));
        let verdict = poll_fn(|cx| {
            if let Poll::Ready(given) = std::pin::Pin::new(&mut answer.receiver).poll(cx) {
                return Poll::Ready(Ok(given.unwrap_or(Verdict::Late)));
            }
            if front.poll_gone(cx).is_ready() {
                return Poll::Ready(Err(Cause::ClientAbort));
            }
            sleep.as_mut().poll(cx).map(|()| Ok(Verdict::Late))
        })
        .await?;
        if let Some(caller) = self.pool.caller() {
            caller.heard(verdict, &answer, epoch);
        }
        Ok(self.held(verdict, tried))
    }

    fn held(&self, verdict: Verdict, tried: &[Arc<str>]) -> Option<Lease> {
        let Verdict::Chosen(index) = verdict else { return None };
        let lease = self.pool.take(index, tried, || self.thread.shared().now());
        if let (None, Some(caller)) = (&lease, self.pool.caller()) {
            caller.lost();
        }
        lease
    }
}
