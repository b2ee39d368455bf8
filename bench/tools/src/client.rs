//! One client connection: sends the request, receives and verifies the response.

use std::io::{self, IoSlice, Read, Write};
use std::mem::MaybeUninit;
use std::time::Instant;

use mio::net::TcpStream;

use crate::options::Request;
use crate::response::{self, Head};
use crate::socket;

/// Source of request bodies; longer ones repeat it.
static BODY: [u8; 1 << 18] = [0x62; 1 << 18];

/// What a step on the connection led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing finished; wait for the next event.
    Waiting,
    /// A response with status 200 and the right length arrived in full.
    Verified,
    /// The response was complete but not the expected one.
    Wrong,
    /// The connection ended or broke before the response was complete.
    Broken,
    /// The peer closed a connection on which nothing was outstanding.
    Closed,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Idle,
    Head,
    Body(u64),
}

/// Buffers that all connections of a process share.
pub struct Scratch {
    read: Vec<u8>,
    drop: Vec<MaybeUninit<u8>>,
}

impl Scratch {
    pub fn new() -> Self {
        Self { read: vec![0; 16 << 10], drop: vec![MaybeUninit::uninit(); socket::DISCARD] }
    }
}

/// A connection and the progress of its single outstanding exchange.
pub struct Client {
    pub stream: TcpStream,
    /// When the request was due: the start of its latency.
    pub due: Instant,
    state: State,
    sent: u64,
    partial: Vec<u8>,
    good: bool,
}

impl Client {
    pub fn new(stream: TcpStream, now: Instant) -> Self {
        Self { stream, due: now, state: State::Idle, sent: 0, partial: Vec::new(), good: false }
    }

    pub fn is_idle(&self) -> bool {
        self.state == State::Idle
    }

    /// Begins a request whose latency counts from `due`.
    pub fn start(&mut self, request: &Request, due: Instant) -> Step {
        self.due = due;
        self.sent = 0;
        self.state = State::Head;
        self.send(request)
    }

    /// Writes as much of the request as the socket takes.
    pub fn send(&mut self, request: &Request) -> Step {
        let (head, total) = (&request.head, request.head.len() as u64 + request.body);
        while !self.is_idle() && self.sent < total {
            let head_left = head.get(self.sent as usize..).unwrap_or(&[]);
            let body_left = (total - self.sent - head_left.len() as u64).min(BODY.len() as u64) as usize;
            let body = BODY.get(..body_left).unwrap_or(&[]);
            let written = match (head_left.is_empty(), body.is_empty()) {
                (false, true) => self.stream.write(head_left),
                (true, _) => self.stream.write(body),
                (false, false) => self.stream.write_vectored(&[IoSlice::new(head_left), IoSlice::new(body)]),
            };
            match written {
                Ok(bytes) => self.sent += bytes as u64,
                Err(error) if socket::later(&error) => return Step::Waiting,
                Err(_) => return Step::Broken,
            }
        }
        Step::Waiting
    }

    /// Receives until the socket is empty or the response is complete.
    pub fn receive(&mut self, request: &Request, scratch: &mut Scratch) -> Step {
        loop {
            let (outcome, full) = match self.state {
                State::Body(left) => {
                    let asked = left.min(socket::DISCARD as u64) as usize;
                    let outcome = socket::discard(&self.stream, left, &mut scratch.drop);
                    (outcome, asked)
                }
                State::Idle | State::Head => (self.stream.read(&mut scratch.read), scratch.read.len()),
            };
            let bytes = match outcome {
                Ok(0) if self.is_idle() => return Step::Closed,
                Ok(0) => return Step::Broken,
                Ok(bytes) => bytes,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if socket::later(&error) => return Step::Waiting,
                Err(_) if self.is_idle() => return Step::Closed,
                Err(_) => return Step::Broken,
            };
            match self.take(bytes, request, scratch) {
                // A short read emptied the socket: the next edge will tell, no call is needed to learn it.
                Step::Waiting if bytes < full => return Step::Waiting,
                Step::Waiting => {}
                done => return done,
            }
        }
    }

    /// Accounts for `bytes` just received.
    fn take(&mut self, bytes: usize, request: &Request, scratch: &Scratch) -> Step {
        match self.state {
            State::Idle => Step::Wrong,
            State::Body(left) => self.body(left, bytes as u64, request),
            State::Head => {
                let fresh = scratch.read.get(..bytes).unwrap_or(&[]);
                if self.partial.is_empty()
                    && let Some(head) = response::head(fresh)
                {
                    return self.begin_body(head, bytes, request);
                }
                self.partial.extend_from_slice(fresh);
                match response::head(&self.partial) {
                    Some(head) => {
                        let total = self.partial.len();
                        self.partial.clear();
                        self.begin_body(head, total, request)
                    }
                    None => Step::Waiting,
                }
            }
        }
    }

    fn begin_body(&mut self, head: Head, received: usize, request: &Request) -> Step {
        let Some(length) = head.length else { return Step::Wrong };
        self.good = head.status == 200 && request.expect.is_none_or(|expected| expected == length);
        self.body(length, (received - head.size) as u64, request)
    }

    fn body(&mut self, left: u64, received: u64, request: &Request) -> Step {
        if received < left {
            self.state = State::Body(left - received);
            return Step::Waiting;
        }
        self.state = State::Idle;
        let sent_all = self.sent == request.head.len() as u64 + request.body;
        if self.good && received == left && sent_all { Step::Verified } else { Step::Wrong }
    }
}
