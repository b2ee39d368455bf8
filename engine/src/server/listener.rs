//! Listening sockets: bound once, shared out to the threads, closed only when nobody waits in their queue.

use std::io;
use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Protocol, SockRef, Socket, Type};

use crate::error::{EngineError, Result};

/// Connections that may wait to be accepted; the system has its own ceiling.
const BACKLOG: i32 = 4096;

/// One address, bound: a socket for each thread, so that the system spreads connections over them. Inherited sockets may be more or fewer
/// than the threads: then a thread has several, or several threads have the same one.
#[derive(Debug)]
pub struct Bound {
    /// As declared.
    pub declared: String,
    /// As bound.
    pub address: SocketAddr,
    /// Each with the thread that it is for; taken from here when it is handed out.
    pub sockets: Vec<(usize, TcpListener)>,
    /// The same sockets once more, each once, to be handed on. A socket closes only when its copy here has gone too.
    copies: Vec<TcpListener>,
}

impl Bound {
    /// Binds an address for that many threads. `ours` says that this engine listens on the port already, at another of the machine's
    /// addresses, so that the port's being busy tells nothing.
    ///
    /// # Errors
    ///
    /// That the text is no address, or the system's reason.
    pub fn bind(declared: &str, threads: usize, ours: bool) -> Result<Self> {
        let address = parse(declared)?;
        let opened = bind_all(address, threads, ours).and_then(|sockets| Self::share(declared, sockets, threads));
        opened.map_err(|source| EngineError::Bind { address: declared.to_owned(), source })
    }

    /// Takes over sockets that listen already.
    ///
    /// # Errors
    ///
    /// That there are none, or one is no listening TCP socket.
    pub fn inherit(declared: &str, sockets: Vec<TcpListener>, threads: usize) -> Result<Self> {
        parse(declared)?;
        let shared = sockets.iter().try_for_each(prepare).and_then(|()| Self::share(declared, sockets, threads));
        shared.map_err(|source| EngineError::Bind { address: declared.to_owned(), source })
    }

    /// The same address for another listener: its sockets stay open throughout, and so do the connections that wait in them.
    ///
    /// # Errors
    ///
    /// The system's reason.
    pub fn again(&self, threads: usize) -> Result<Self> {
        let copied = self.copies().and_then(|sockets| Self::share(&self.declared, sockets, threads));
        copied.map_err(|source| EngineError::Bind { address: self.declared.clone(), source })
    }

    /// One copy of each socket.
    ///
    /// # Errors
    ///
    /// The system's reason, such as that no more files may be open.
    pub fn copies(&self) -> io::Result<Vec<TcpListener>> {
        self.copies.iter().map(TcpListener::try_clone).collect()
    }

    /// Whether an address has the port that this one is bound to.
    #[must_use]
    pub fn has_port_of(&self, declared: &str) -> bool {
        parse(declared).is_ok_and(|address| address.port() == self.address.port())
    }

    /// Lets the threads' sockets be the last of this engine.
    pub fn forget_copies(&mut self) {
        self.copies.clear();
    }

    fn share(declared: &str, copies: Vec<TcpListener>, threads: usize) -> io::Result<Self> {
        let first = copies.first().ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        let address = first.local_addr()?;
        let most = copies.len().max(threads);
        let sockets = (0..most).zip(copies.iter().cycle()).map(|(turn, socket)| Ok((turn % threads, socket.try_clone()?)));
        Ok(Self { declared: declared.to_owned(), address, sockets: sockets.collect::<io::Result<_>>()?, copies })
    }
}

fn parse(declared: &str) -> Result<SocketAddr> {
    declared.parse().map_err(|_| EngineError::Invalid(format!("listener: {declared:?} is no address to listen on")))
}

fn bind_all(address: SocketAddr, threads: usize, ours: bool) -> io::Result<Vec<TcpListener>> {
    if ours {
        return (0..threads).map(|_| open(address, true)).collect();
    }
    // First without sharing: with it, a second process would silently take half of the connections.
    let probe = open(address, false)?;
    let address = probe.local_addr()?;
    drop(probe);
    (0..threads).map(|_| open(address, true)).collect()
}

/// What an inherited socket may lack of what [`open`] gives one.
fn prepare(socket: &TcpListener) -> io::Result<()> {
    let socket = SockRef::from(socket);
    if socket.r#type()? != Type::STREAM || !socket.is_listener()? {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    socket.set_tcp_nodelay(true)?;
    socket.set_nonblocking(true)
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
