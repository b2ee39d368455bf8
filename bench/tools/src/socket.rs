//! Sockets as both sides use them: non-blocking, without Nagle's delay, and a receive that drops what it counts.

use std::io;
use std::mem::MaybeUninit;
use std::net::SocketAddr;

use mio::net::TcpStream;
use socket2::{Domain, SockRef, Socket, Type};

/// Most bytes dropped by one call of [`discard`].
pub const DISCARD: usize = 1 << 20;

/// Starts a non-blocking connect. `receive_buffer` fixes the kernel's buffer, for readers that must be slow.
pub fn connect(to: SocketAddr, receive_buffer: Option<usize>) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(to), Type::STREAM.nonblocking(), None)?;
    socket.set_tcp_nodelay(true)?;
    if let Some(bytes) = receive_buffer {
        socket.set_recv_buffer_size(bytes)?;
    }
    match socket.connect(&to.into()) {
        Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => Err(error),
        _ => Ok(TcpStream::from_std(socket.into())),
    }
}

/// Receives up to `limit` bytes and drops them in the kernel (`MSG_TRUNC` on TCP copies nothing): the count is
/// verified, and the core of the generator is not spent on copying bodies.
pub fn discard(stream: &TcpStream, limit: u64, scratch: &mut [MaybeUninit<u8>]) -> io::Result<usize> {
    let room = (scratch.len() as u64).min(limit) as usize;
    match scratch.get_mut(..room) {
        Some(slice) => SockRef::from(stream).recv_with_flags(slice, libc::MSG_TRUNC),
        None => Ok(0),
    }
}

/// True for the errors that only mean "later".
pub fn later(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::NotConnected)
}
