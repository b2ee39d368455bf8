//! Admission: an endpoint for the next attempt, waited for while all are at their caps.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;

use tokio::time::Instant;

use super::attempts::{Attempts, Course};
use super::reflex::PAUSE;
use crate::balance::queue::Waiting;
use crate::clock::Timer;
use crate::exchange::journal::Journal;
use crate::exchange::{Front, Transport};
use crate::pool::{Ask, Lease, Unpicked};
use crate::record::Cause;
use crate::server::shared::Shared;
use crate::snapshot::WhenAllDownSpec;

impl<T: Transport> Attempts<'_, '_, T> {
    /// Picks an endpoint, waiting for one while all are at their caps.
    pub(super) async fn admit<F: Front>(&mut self, front: &mut F, course: &mut Course<'_, '_>) -> Result<Lease, Cause> {
        let Course { journal, tried, timer, racing, .. } = course;
        if *racing {
            // Others may answer any moment: nobody is waited for.
            return self.pick(tried).map_err(Unpicked::cause);
        }
        loop {
            if let Some(lease) = self.consult(front, journal, tried).await? {
                return Ok(lease);
            }
            match self.pick(tried) {
                Ok(lease) => return Ok(lease),
                Err(Unpicked::Full) => break,
                Err(Unpicked::Down) if self.divert(front, journal) => {}
                Err(unpicked) => return Err(unpicked.cause()),
            }
        }
        let queue = Arc::clone(&self.pool.state.queue);
        let size = self.pool.spec.queue.size as usize;
        let until = Instant::now() + self.pool.spec.queue.timeout;
        let mut place = queue.join(size, false, tried).ok_or(Cause::QueueFull)?;
        loop {
            // Whatever became free between the pick and joining is not announced again.
            if let Ok(lease) = self.pick(tried) {
                return Ok(lease);
            }
            match self.wait(front, journal, &place, until, timer).await? {
                Some(lease) => {
                    self.refresh();
                    if let Some(lease) = self.pool.adopt(lease, || self.thread.shared().now()) {
                        return Ok(lease);
                    }
                    // Called up in vain: back to the front of the line.
                    place = queue.join(size, true, tried).ok_or(Cause::QueueFull)?;
                }
                None => self.refresh(),
            }
        }
    }

    pub(super) fn pick(&self, tried: &[Arc<str>]) -> Result<Lease, Unpicked> {
        self.pool.pick(&self.ask(tried), || self.thread.shared().now())
    }

    pub(super) fn ask<'t>(&self, tried: &'t [Arc<str>]) -> Ask<'t> {
        Ask { tried, key: self.key, pinned: self.pool.pinned(self.pin), near: false }
    }

    /// Goes on with the pool that stands in for this one while all of it are down. Not further than through as many as there are.
    fn divert<F: Front>(&mut self, front: &F, journal: &Journal<'_>) -> bool {
        let WhenAllDownSpec::Pool(name) = &self.pool.spec.when_all_down else { return false };
        let snapshot = self.thread.snapshot();
        let Some(pool) = snapshot.pools.get(&**name).filter(|_| self.diverted < snapshot.pools.len()) else { return false };
        self.diverted += 1;
        self.key = pool.key(front.request(), || journal.client_ip());
        self.pin = pool.pin(front.request(), Shared::wall);
        self.pool = Arc::clone(pool);
        true
    }

    /// Goes on with the pool as the present snapshot has it.
    fn refresh(&mut self) {
        if let Some(pool) = self.thread.snapshot().pools.get(&*self.pool.name) {
            self.pool = Arc::clone(pool);
        }
    }

    async fn wait<F: Front>(
        &self,
        front: &mut F,
        journal: &Journal<'_>,
        place: &Waiting<Lease>,
        until: Instant,
        timer: &mut Timer,
    ) -> Result<Option<Lease>, Cause> {
        let (deadline, cause) = self.earliest(journal, until, Cause::QueueTimeout);
        // Nobody announces that an endpoint is no longer passed over.
        let look = Instant::now() + PAUSE;
        timer.set(deadline.min(look));
        poll_fn(|cx| {
            if let Poll::Ready(called) = place.poll(cx) {
                return Poll::Ready(Ok(called));
            }
            if front.poll_gone(cx).is_ready() {
                return Poll::Ready(Err(Cause::ClientAbort));
            }
            timer.poll(cx).map(|()| {
                if look < deadline {
                    return Ok(None);
                }
                if cause == Cause::QueueTimeout {
                    self.pool.state.queue.timed_out.fetch_add(1, Ordering::Relaxed);
                }
                Err(cause)
            })
        })
        .await
    }
}
