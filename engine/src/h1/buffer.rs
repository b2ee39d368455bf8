//! Byte buffers that a thread lends to its connections: taken when bytes come, given back when they are gone.

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, ReadBuf};

use crate::message::{RequestHead, ResponseHead};

/// The sizes a buffer can have: heads fit the first, a body that keeps filling one is given the next.
///
/// The larger two are one and two full segments of the loopback interface. A byte more makes each write end in a tiny segment of its own,
/// which was measured to double the cost of a large body between processes of one machine (and makes no difference between machines).
pub const SIZES: [usize; 3] = [16 * 1024, 65_483, 2 * 65_483];

/// The class that a client's connection starts with: a head that trickles in must not hold much.
pub const SMALL: usize = 0;

/// The class that a server's connection starts with: an answer usually comes with its content.
pub const MEDIUM: usize = 1;

/// Bytes that a read with a head in it leaves free, so that what is written for it is no longer than a segment either.
const FOR_A_HEAD: usize = 512;

/// Reads in a row that must fill a buffer of each class before the next one is tried.
const FILLS: [u32; 3] = [1, 16, u32::MAX];

/// Buffers of each size that a thread keeps for the next connection.
const KEPT: [usize; 3] = [256, 32, 16];

/// Pairs of heads that a thread keeps for the next exchange, and how large they may be.
const KEPT_HEADS: usize = 64;
const LARGEST_HEAD: usize = 8 * 1024;

/// One thread's spare buffers.
#[derive(Default)]
pub struct Buffers {
    spare: [RefCell<Vec<Vec<u8>>>; 3],
    /// What the exchanges with servers need besides: heads as read, and heads as written.
    heads: RefCell<Vec<(ResponseHead, Vec<u8>)>>,
    /// The same for connections with clients.
    requests: RefCell<Vec<(RequestHead, Vec<u8>)>>,
}

impl Buffers {
    /// An empty buffer of `SIZES[class]` bytes.
    fn take(&self, class: usize) -> Vec<u8> {
        let kept = self.spare.get(class).and_then(|spare| spare.borrow_mut().pop());
        kept.unwrap_or_else(|| vec![0; SIZES.get(class).copied().unwrap_or(SIZES[0])])
    }

    /// An empty response head, and an empty vector to write a request's to.
    pub(super) fn take_heads(&self) -> (ResponseHead, Vec<u8>) {
        self.heads.borrow_mut().pop().unwrap_or_default()
    }

    /// Keeps the memory of heads for the next exchange, unless they were unusually large.
    pub(super) fn give_heads_back(&self, mut response: ResponseHead, mut written: Vec<u8>) {
        let mut heads = self.heads.borrow_mut();
        if heads.len() < KEPT_HEADS && written.capacity() <= LARGEST_HEAD && response.fields.bytes.capacity() <= LARGEST_HEAD {
            response.clear();
            written.clear();
            heads.push((response, written));
        }
    }

    /// An empty request head, and an empty vector to write a response's to.
    pub(super) fn take_requests(&self) -> (RequestHead, Vec<u8>) {
        self.requests.borrow_mut().pop().unwrap_or_default()
    }

    /// Keeps the memory of a connection's heads for the next one, unless they were unusually large.
    pub(super) fn give_requests_back(&self, mut request: RequestHead, mut written: Vec<u8>) {
        let mut requests = self.requests.borrow_mut();
        if requests.len() < KEPT_HEADS && written.capacity() <= LARGEST_HEAD && request.fields.bytes.capacity() <= LARGEST_HEAD {
            request.clear();
            written.clear();
            requests.push((request, written));
        }
    }

    fn give_back(&self, class: usize, bytes: Vec<u8>) {
        if let (Some(spare), Some(&kept)) = (self.spare.get(class), KEPT.get(class)) {
            let mut spare = spare.borrow_mut();
            if spare.len() < kept {
                spare.push(bytes);
            }
        }
    }
}

/// The unread bytes of one connection. Holds no memory while it is empty.
pub struct Buffer {
    pool: Rc<Buffers>,
    bytes: Vec<u8>,
    class: usize,
    /// The class that each message starts with.
    least: usize,
    start: usize,
    end: usize,
    /// Reads in a row that filled all the room there was.
    fills: u32,
    /// Bytes read so far.
    received: u64,
    /// No message's content has begun: what is read may begin with a head.
    fresh: bool,
}

impl Buffer {
    /// An empty buffer.
    #[must_use]
    pub fn new(pool: Rc<Buffers>, class: usize) -> Self {
        Self { pool, bytes: Vec::new(), class, least: class, start: 0, end: 0, fills: 0, received: 0, fresh: true }
    }

    /// The spare buffers that it lends from.
    pub(super) fn buffers(&self) -> Rc<Buffers> {
        Rc::clone(&self.pool)
    }

    /// What was read and not yet consumed.
    #[must_use]
    pub fn data(&self) -> &[u8] {
        self.bytes.get(self.start..self.end).unwrap_or_default()
    }

    /// Whether there is nothing to consume.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Number of bytes to consume.
    #[must_use]
    pub fn len(&self) -> usize {
        self.end - self.start
    }

    /// Number of bytes read so far.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Forgets the first `count` bytes.
    pub fn consume(&mut self, count: usize) {
        self.start = (self.start + count).min(self.end);
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
            self.lend();
        }
    }

    /// Lets the thread have the memory of an empty buffer at once: the next connection to read finds it still in the processor's cache,
    /// and one that waits holds none.
    fn lend(&mut self) {
        if !self.bytes.is_empty() {
            self.pool.give_back(self.class, std::mem::take(&mut self.bytes));
        }
    }

    /// Makes room for at least one byte, up to `most` bytes in all; false when that many are unread already.
    pub fn make_room(&mut self, most: usize) -> bool {
        if self.bytes.is_empty() {
            self.bytes = self.pool.take(self.class);
        }
        if self.end < self.bytes.len() {
            return self.len() < most;
        }
        if self.start > 0 {
            self.bytes.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
            return self.len() < most;
        }
        if self.len() >= most {
            return false;
        }
        self.grow()
    }

    /// Takes the next size up, keeping what is unread; false at the largest.
    pub fn grow(&mut self) -> bool {
        let class = self.class + 1;
        if class >= SIZES.len() {
            return false;
        }
        let mut larger = self.pool.take(class);
        let len = self.len();
        if let Some(room) = larger.get_mut(..len) {
            room.copy_from_slice(self.data());
        }
        let smaller = std::mem::replace(&mut self.bytes, larger);
        if !smaller.is_empty() {
            self.pool.give_back(self.class, smaller);
        }
        self.class = class;
        self.start = 0;
        self.end = len;
        self.fills = 0;
        true
    }

    /// Reads a body's bytes: as much as there is room for, growing the buffer when the last read filled it.
    pub fn poll_read_body<S: AsyncRead + Unpin>(&mut self, stream: &mut S, cx: &mut Context<'_>) -> Poll<std::io::Result<usize>> {
        if self.is_empty() && FILLS.get(self.class).is_some_and(|fills| self.fills >= *fills) {
            self.class += 1;
            self.fills = 0;
        }
        self.make_room(usize::MAX);
        self.poll_read(stream, cx)
    }

    /// Reads into the room there is; `Ok(0)` is the end of the stream.
    pub fn poll_read<S: AsyncRead + Unpin>(&mut self, stream: &mut S, cx: &mut Context<'_>) -> Poll<std::io::Result<usize>> {
        let full = self.bytes.len();
        let most = if self.fresh && self.end == 0 { full.saturating_sub(FOR_A_HEAD) } else { full };
        let Some(room) = self.bytes.get_mut(self.end..most) else { return Poll::Ready(Ok(0)) };
        let size = room.len();
        let mut buf = ReadBuf::new(room);
        match Pin::new(stream).poll_read(cx, &mut buf) {
            Poll::Ready(Ok(())) => {
                let count = buf.filled().len();
                self.end += count;
                self.received += count as u64;
                self.fills = if count == size { self.fills + 1 } else { 0 };
                Poll::Ready(Ok(count))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => {
                if self.is_empty() {
                    self.lend();
                }
                Poll::Pending
            }
        }
    }

    /// Starts on a message's content, of which nothing is known yet.
    pub fn restart(&mut self) {
        if self.bytes.is_empty() {
            self.class = self.least;
        }
        self.fills = 0;
        self.fresh = false;
    }

    /// Puts bytes behind what is unread, for tests.
    #[cfg(test)]
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        while self.bytes.len() - self.end < bytes.len() {
            assert!(self.make_room(usize::MAX), "too much for a buffer");
            assert!(self.bytes.len() - self.end >= bytes.len() || self.grow(), "too much for a buffer");
        }
        self.bytes[self.end..self.end + bytes.len()].copy_from_slice(bytes);
        self.end += bytes.len();
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.lend();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_buffer_holds_no_memory() {
        let mut buffer = Buffer::new(Rc::default(), SMALL);
        buffer.push(b"abc");
        buffer.consume(2);
        assert_eq!(buffer.data(), b"c");
        buffer.consume(1);
        assert!(buffer.bytes.is_empty());
    }

    #[test]
    fn growing_keeps_what_is_unread() {
        let mut buffer = Buffer::new(Rc::default(), SMALL);
        buffer.push(&[7; 16 * 1024]);
        buffer.consume(1);
        assert!(buffer.make_room(usize::MAX), "moving to the front makes room");
        buffer.push(&[8; 1]);
        assert!(buffer.make_room(usize::MAX));
        assert_eq!(buffer.bytes.len(), SIZES[1]);
        assert_eq!((buffer.len(), buffer.data().last()), (16 * 1024, Some(&8)));
    }

    #[test]
    fn a_head_may_not_outgrow_its_limit() {
        let mut buffer = Buffer::new(Rc::default(), SMALL);
        buffer.push(&[7; 16 * 1024]);
        assert!(!buffer.make_room(16 * 1024));
        assert!(buffer.make_room(32 * 1024));
    }
}
