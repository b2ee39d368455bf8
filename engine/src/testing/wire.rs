//! A socket's stand-in: a pipe of a chosen width that also tells whether it was closed or reset.

use std::cell::Cell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};

use super::Peer;
use crate::h1::connection::Stream;

/// The engine's end.
pub(crate) struct Wire {
    inner: DuplexStream,
    resets: Rc<Cell<bool>>,
    /// The other end has sent its last.
    ended: Rc<Cell<bool>>,
}

/// Both ends of a connection that holds `width` bytes in each direction.
pub(crate) fn pair(width: usize) -> (Wire, Peer) {
    let (near, far) = tokio::io::duplex(width);
    let (resets, ended) = (Rc::new(Cell::new(false)), Rc::new(Cell::new(false)));
    (Wire { inner: near, resets: Rc::clone(&resets), ended: Rc::clone(&ended) }, Peer::new(far, resets, ended))
}

impl Wire {
    /// Whether nothing came and the other end is open.
    pub(crate) fn is_quiet(&mut self) -> bool {
        let mut byte = [0];
        let mut cx = Context::from_waker(std::task::Waker::noop());
        Pin::new(&mut self.inner).poll_read(&mut cx, &mut ReadBuf::new(&mut byte)).is_pending()
    }
}

impl Stream for Wire {
    fn reset_on_close(&self, on: bool) {
        self.resets.set(on);
    }

    fn has_ended(&self) -> bool {
        self.ended.get()
    }
}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, data)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
