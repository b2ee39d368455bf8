//! Listening sockets: bound once, shared out to the threads, closed only when nobody waits in their queue.

use std::io;
use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Protocol, Socket, Type};

use crate::error::{EngineError, Result};

/// Connections that may wait to be accepted; the system has its own ceiling.
const BACKLOG: i32 = 4096;

/// One address, bound: a socket for each thread, so that the system spreads connections over them.
#[derive(Debug)]
pub struct Bound {
    /// As declared.
    pub declared: String,
    /// As bound.
    pub address: SocketAddr,
    /// One for each thread.
    pub sockets: Vec<TcpListener>,
}

impl Bound {
    /// Binds an address for that many threads.
    ///
    /// # Errors
    ///
    /// That the text is no address, or the system's reason.
    pub fn bind(declared: &str, threads: usize) -> Result<Self> {
        let address: SocketAddr =
            declared.parse().map_err(|_| EngineError::Invalid(format!("listener: {declared:?} is no address to listen on")))?;
        Self::bind_all(declared, address, threads).map_err(|source| EngineError::Bind { address: declared.to_owned(), source })
    }

    fn bind_all(declared: &str, address: SocketAddr, threads: usize) -> io::Result<Self> {
        // First without sharing: with it, a second process would silently take half of the connections.
        let probe = open(address, false)?;
        let address = probe.local_addr()?;
        drop(probe);
        let sockets = (0..threads).map(|_| open(address, true)).collect::<io::Result<Vec<_>>>()?;
        Ok(Self { declared: declared.to_owned(), address, sockets })
    }
}

fn open(address: SocketAddr, shared: bool) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if shared {
        socket.set_reuse_port(true)?;
    }
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    // Accepted sockets inherit it, which saves a call for each.
    socket.set_tcp_nodelay(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(if shared { BACKLOG } else { 1 })?;
    Ok(socket.into())
}
