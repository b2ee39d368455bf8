//! A stream socket to an endpoint, whichever family it has.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

use super::open::Open;
use super::target::Target;
use crate::h1::connection::Stream;

/// A socket, and its place among the connections that the endpoint has open.
#[derive(Debug)]
pub struct Socket {
    family: Family,
    /// `None` for one that is not counted.
    open: Option<Open>,
}

#[derive(Debug)]
enum Family {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Socket {
    /// Connects; must run on the thread that will use it.
    ///
    /// # Errors
    ///
    /// The system's.
    pub async fn connect(target: &Target, open: Option<Open>) -> io::Result<Self> {
        let family = match target {
            Target::Tcp(address) => {
                let stream = TcpStream::connect(address).await?;
                stream.set_nodelay(true)?;
                Family::Tcp(stream)
            }
            Target::Unix(path) => Family::Unix(UnixStream::connect(path).await?),
        };
        Ok(Self { family, open })
    }

    /// Moves a socket from the thread it was used on to the calling one.
    ///
    /// # Errors
    ///
    /// The system's; the socket is then closed.
    pub fn adopt(self) -> io::Result<Self> {
        let family = match self.family {
            Family::Tcp(stream) => Family::Tcp(TcpStream::from_std(stream.into_std()?)?),
            Family::Unix(stream) => Family::Unix(UnixStream::from_std(stream.into_std()?)?),
        };
        Ok(Self { family, open: self.open })
    }

    /// Whether an idle socket can serve: nothing was sent to it and it was not closed, as far as the last poll of the system showed. If it
    /// can, `waker` is called when that changes.
    pub fn is_quiet(&mut self, waker: &Waker) -> bool {
        let mut byte = [0];
        let mut cx = Context::from_waker(waker);
        Pin::new(self).poll_read(&mut cx, &mut ReadBuf::new(&mut byte)).is_pending()
    }
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().family {
            Family::Tcp(stream) => Pin::new(stream).poll_read(cx, buf),
            Family::Unix(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().family {
            Family::Tcp(stream) => Pin::new(stream).poll_write(cx, buf),
            Family::Unix(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(self: Pin<&mut Self>, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().family {
            Family::Tcp(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Family::Unix(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().family {
            Family::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            Family::Unix(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().family {
            Family::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Family::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

impl Stream for Socket {
    fn reset_on_close(&self, on: bool) {
        if let Family::Tcp(stream) = &self.family {
            stream.reset_on_close(on);
        }
    }

    fn has_ended(&self) -> bool {
        matches!(&self.family, Family::Tcp(stream) if stream.has_ended())
    }
}
