//! Listening sockets as file descriptors: taken over from another process, and given to one.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::os::fd::{FromRawFd as _, IntoRawFd as _, OwnedFd, RawFd};

use forebay_engine::engine::Sockets;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// Numbers of descriptors by listener and declared address.
pub(crate) type Numbers = BTreeMap<String, BTreeMap<String, Vec<RawFd>>>;

/// Takes descriptors over; they are the engine's from here on.
pub(crate) fn taken(numbers: Numbers) -> PyResult<Sockets> {
    if let Some(odd) = numbers.values().flat_map(BTreeMap::values).flatten().find(|number| **number < 0) {
        return Err(PyValueError::new_err(format!("{odd} is no file descriptor")));
    }
    Ok(mapped(numbers, |number| {
        // SAFETY: the caller gives its descriptors away (`_engine.pyi` says so); that they are listening sockets is checked by their use.
        TcpListener::from(unsafe { OwnedFd::from_raw_fd(number) })
    }))
}

/// Gives sockets away; who gets the numbers has to close them.
pub(crate) fn given(sockets: Sockets) -> Numbers {
    mapped(sockets, TcpListener::into_raw_fd)
}

fn mapped<A, B>(all: BTreeMap<String, BTreeMap<String, Vec<A>>>, map: fn(A) -> B) -> BTreeMap<String, BTreeMap<String, Vec<B>>> {
    let each = |(declared, sockets): (String, Vec<A>)| (declared, sockets.into_iter().map(map).collect());
    all.into_iter().map(|(listener, addresses)| (listener, addresses.into_iter().map(each).collect())).collect()
}
