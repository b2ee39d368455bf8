//! A transport over pipes: what each endpoint does when it is dialled is written down beforehand.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::Peer;
use super::wire::{Wire, pair};
use crate::endpoint::Endpoint;
use crate::exchange::{OpenLimits, Transport};
use crate::h1::buffer::Buffers;
use crate::h1::server::ServerSide;
use crate::record::Cause;

/// What becomes of one attempt to connect.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Dial {
    /// A connection, after that long.
    After(Duration),
    /// No connection, for this cause, after that long.
    Fail(Cause, Duration),
    /// Nothing ever, not even at the connection's own limit.
    Hang,
}

/// See the module.
pub(crate) struct Scripted {
    buffers: Rc<Buffers>,
    width: usize,
    /// What is yet to happen, by endpoint; afterwards connecting succeeds at once.
    dials: RefCell<HashMap<String, VecDeque<Dial>>>,
    idle: RefCell<HashMap<String, Vec<Wire>>>,
    accepted: UnboundedSender<Peer>,
    /// Connections asked for, kept ones not counted.
    pub(crate) dialled: Cell<usize>,
    /// Attempts to connect that are under way.
    pub(crate) opening: Rc<Cell<usize>>,
}

impl Scripted {
    /// With connections that hold `width` bytes; their far ends come out of the receiver.
    pub(crate) fn new(buffers: Rc<Buffers>, width: usize) -> (Self, UnboundedReceiver<Peer>) {
        let (accepted, receiver) = unbounded_channel();
        let transport = Self {
            buffers,
            width,
            dials: RefCell::default(),
            idle: RefCell::default(),
            accepted,
            dialled: Cell::new(0),
            opening: Rc::default(),
        };
        (transport, receiver)
    }

    /// Writes down what an endpoint does when it is dialled next.
    pub(crate) fn script(&self, endpoint: &str, dials: &[Dial]) {
        self.dials.borrow_mut().entry(endpoint.to_owned()).or_default().extend(dials);
    }

    /// Connections kept to an endpoint.
    pub(crate) fn idle(&self, endpoint: &str) -> usize {
        self.idle.borrow().get(endpoint).map_or(0, Vec::len)
    }

    /// Whether a kept connection would be taken; stale ones pass until their close is seen.
    fn take(&self, endpoint: &str) -> Option<Wire> {
        let mut idle = self.idle.borrow_mut();
        let list = idle.get_mut(endpoint)?;
        while let Some(mut wire) = list.pop() {
            if wire.is_quiet() {
                return Some(wire);
            }
        }
        None
    }
}

/// Counts while it lives.
struct Opening(Rc<Cell<usize>>);

impl Drop for Opening {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

impl Transport for Scripted {
    type Back = ServerSide<Wire>;

    async fn open(&self, endpoint: &Arc<Endpoint>, fresh: bool, limits: &OpenLimits) -> Result<Self::Back, Cause> {
        if !fresh && let Some(wire) = self.take(&endpoint.id) {
            return Ok(ServerSide::new(wire, Rc::clone(&self.buffers), limits.max_head, true));
        }
        self.dialled.set(self.dialled.get() + 1);
        self.opening.set(self.opening.get() + 1);
        let _opening = Opening(Rc::clone(&self.opening));
        let dial = self.dials.borrow_mut().get_mut(&*endpoint.id).and_then(VecDeque::pop_front).unwrap_or(Dial::After(Duration::ZERO));
        let (delay, failure) = match dial {
            Dial::After(delay) => (delay, None),
            Dial::Fail(cause, delay) => (delay, Some(cause)),
            Dial::Hang => std::future::pending().await,
        };
        if !delay.is_zero() {
            tokio::time::sleep(delay.min(limits.timeout)).await;
        }
        if delay > limits.timeout {
            return Err(Cause::ConnectTimeout);
        }
        if let Some(cause) = failure {
            return Err(cause);
        }
        let (wire, mut peer) = pair(self.width);
        (*endpoint.id).clone_into(&mut peer.endpoint);
        // A test that no longer looks for connections lets them close.
        let _ = self.accepted.send(peer);
        Ok(ServerSide::new(wire, Rc::clone(&self.buffers), limits.max_head, false))
    }

    fn keep(&self, endpoint: &Arc<Endpoint>, back: Self::Back) {
        self.idle.borrow_mut().entry((*endpoint.id).to_owned()).or_default().push(back.into_stream());
    }
}
