//! Affinity: the endpoint that a request's cookie asks for, and whether its response should name another.
//!
//! A pinned endpoint is picked before the policy is asked, also where its weight is 0: that drains it of clients as their tokens run out.
//! At its cap somebody else serves this one request and the pin stays; gone, failing or passed over it is lost, and whoever serves instead
//! is named in the same response.

use std::sync::Arc;

use super::{Ask, Lease, Pool};
use crate::balance::affinity::Pin;
use crate::message::RequestHead;

impl Pool {
    /// What a request's cookie says, where the pool has affinity; `wall` reads the seconds since 1970.
    #[must_use]
    pub fn pin(&self, head: &RequestHead, wall: impl FnOnce() -> u64) -> Option<Pin> {
        self.affinity.as_ref()?.pin(head, wall())
    }

    /// Where the endpoint of a pin stands in this snapshot.
    #[must_use]
    pub fn pinned(&self, pin: Option<Pin>) -> Option<usize> {
        self.affinity.as_ref()?.index(pin?)
    }

    /// Takes an exchange on for the endpoint that a request is pinned to, if that serves and has room.
    #[must_use]
    pub fn lease_pinned(self: &Arc<Self>, ask: &Ask<'_>, now: impl Fn() -> u64 + Copy) -> Option<Lease> {
        let index = ask.pinned?;
        if !self.honours(index, ask.tried, now) {
            return None;
        }
        let mut lease = self.hold((index, 0))?;
        self.proves(&mut lease, now).then_some(lease)
    }

    /// Whether who is pinned to this endpoint should stay: all but its cap speaks for it.
    fn honours(&self, index: usize, tried: &[Arc<str>], now: impl Fn() -> u64 + Copy) -> bool {
        self.attend(now);
        self.takes_pinned(index) && self.endpoint(index).is_some_and(|endpoint| !tried.iter().any(|id| **id == *endpoint.id))
    }

    /// Whether the response of a request that `lease` serves should pin its client: to begin with, since the endpoint of its pin is lost, or
    /// since its token ages (which that of an endpoint with weight 0 is left to do).
    #[must_use]
    pub fn pins_anew(&self, pin: Option<Pin>, lease: &Lease, tried: &[Arc<str>], now: impl Fn() -> u64 + Copy) -> bool {
        if self.affinity.is_none() {
            return false;
        }
        match (pin, self.pinned(pin)) {
            (Some(pin), Some(index)) if index == lease.index() => pin.ageing && lease.endpoint().weight > 0,
            (_, Some(index)) => !self.honours(index, tried, now),
            _ => true,
        }
    }

    /// The value of `Set-Cookie` that pins a client to the endpoint of this lease; `wall` in seconds since 1970.
    #[must_use]
    pub fn set_cookie(&self, lease: &Lease, wall: u64, secure: bool) -> Option<String> {
        self.affinity.as_ref()?.set_cookie(lease.index(), wall, secure)
    }
}
