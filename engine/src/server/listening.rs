//! The addresses that an engine listens on: bound, inherited, handed to the threads, handed on, closed.

use std::collections::BTreeMap;
use std::io;
use std::net::TcpListener;

use tokio::sync::watch;

use super::listener::Bound;
use crate::error::Result;
use crate::snapshot::ListenerSpec;

/// Listening sockets by listener and declared address.
pub type Sockets = BTreeMap<String, BTreeMap<String, Vec<TcpListener>>>;

/// One of a listener's addresses.
struct Listening {
    listener: String,
    bound: Bound,
    closing: watch::Sender<bool>,
}

impl Listening {
    fn new(listener: &str, bound: Bound) -> Self {
        Self { listener: listener.to_owned(), bound, closing: watch::Sender::new(false) }
    }

    fn is(&self, listener: &str, declared: &str) -> bool {
        self.listener == listener && self.bound.declared == declared
    }

    fn stays(&self, specs: &[ListenerSpec]) -> bool {
        specs.iter().any(|spec| spec.name == self.listener && spec.bind.contains(&self.bound.declared))
    }

    /// Has the threads close their sockets once nobody waits in them.
    fn close(&mut self) {
        self.bound.forget_copies();
        self.closing.send_replace(true);
    }
}

/// A socket on its way to a thread: which listener's it is, and the word that has it closed.
pub struct Handed {
    /// The thread's number.
    pub thread: usize,
    /// The listener's name.
    pub listener: String,
    /// The socket.
    pub socket: TcpListener,
    /// Turns true when it is to be closed.
    pub closing: watch::Receiver<bool>,
}

/// All of them.
#[derive(Default)]
pub struct Listeners(Vec<Listening>);

impl Listeners {
    /// Opens what the specifications say, from inherited sockets where there are any; those that nobody wants are closed.
    ///
    /// # Errors
    ///
    /// What cannot be had; nothing is left open then.
    pub fn open(specs: &[ListenerSpec], mut inherited: Sockets, threads: usize) -> Result<Self> {
        let mut all = Self::default();
        for (spec, declared) in addresses(specs) {
            let sockets = inherited.get_mut(&spec.name).and_then(|known| known.remove(declared)).unwrap_or_default();
            let bound = if sockets.is_empty() { Bound::bind(declared, threads, false) } else { Bound::inherit(declared, sockets, threads) };
            all.0.push(Listening::new(&spec.name, bound?));
        }
        Ok(all)
    }

    /// Opens what the specifications have and these lack; nothing of these changes. An address that another listener leaves is taken over
    /// from it as it is.
    ///
    /// # Errors
    ///
    /// What cannot be had; nothing is left open then.
    pub fn missing(&self, specs: &[ListenerSpec], threads: usize) -> Result<Self> {
        let mut fresh = Self::default();
        for (spec, declared) in addresses(specs) {
            if self.0.iter().any(|known| known.is(&spec.name, declared)) {
                continue;
            }
            let left = self.0.iter().find(|known| known.bound.declared == *declared && !declared.ends_with(":0") && !known.stays(specs));
            let bound = match left {
                Some(left) => left.bound.again(threads),
                None => Bound::bind(declared, threads, self.0.iter().any(|known| known.bound.has_port_of(declared))),
            };
            fresh.0.push(Listening::new(&spec.name, bound?));
        }
        Ok(fresh)
    }

    /// Adds those that were missing, and closes those that the specifications have no more.
    pub fn replace(&mut self, mut fresh: Self, specs: &[ListenerSpec]) {
        self.0.retain_mut(|known| {
            let stays = known.stays(specs);
            if !stays {
                known.close();
            }
            stays
        });
        self.0.append(&mut fresh.0);
    }

    /// The sockets that no thread has yet.
    pub fn hand_out(&mut self) -> Vec<Handed> {
        let all = self.0.iter_mut().flat_map(|known| {
            let (listener, closing) = (&known.listener, &known.closing);
            let handed = move |(thread, socket)| Handed { thread, listener: listener.clone(), socket, closing: closing.subscribe() };
            known.bound.sockets.drain(..).map(handed)
        });
        all.collect()
    }

    /// Closes all.
    pub fn close(&mut self) {
        for mut known in self.0.drain(..) {
            known.close();
        }
    }

    /// The bound addresses by listener.
    #[must_use]
    pub fn addresses(&self) -> BTreeMap<String, Vec<String>> {
        let mut addresses: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for known in &self.0 {
            addresses.entry(known.listener.clone()).or_default().push(known.bound.address.to_string());
        }
        addresses
    }

    /// A copy of every socket, for another process.
    ///
    /// # Errors
    ///
    /// The system's reason, such as that no more files may be open.
    pub fn copies(&self) -> io::Result<Sockets> {
        let mut copies = Sockets::new();
        for known in &self.0 {
            copies.entry(known.listener.clone()).or_default().insert(known.bound.declared.clone(), known.bound.copies()?);
        }
        Ok(copies)
    }
}

fn addresses(specs: &[ListenerSpec]) -> impl Iterator<Item = (&ListenerSpec, &String)> {
    specs.iter().flat_map(|spec| spec.bind.iter().map(move |declared| (spec, declared)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listener(name: &str, declared: &str) -> ListenerSpec {
        ListenerSpec { name: name.to_owned(), bind: vec![declared.to_owned()], upgrades: Vec::new(), half_close: false }
    }

    fn free_port() -> u16 {
        TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
    }

    fn threads_of(listeners: &mut Listeners) -> Vec<usize> {
        listeners.hand_out().iter().map(|handed| handed.thread).collect()
    }

    #[test]
    fn an_address_goes_from_one_listener_to_another_with_who_waits_in_it() {
        let address = format!("127.0.0.1:{}", free_port());
        let (old, new) = (vec![listener("old", &address)], vec![listener("new", &address)]);
        let mut listeners = Listeners::open(&old, Sockets::new(), 2).unwrap();
        let handed = listeners.hand_out();
        let client = std::net::TcpStream::connect(&address).unwrap();
        let fresh = listeners.missing(&new, 2).unwrap();
        listeners.replace(fresh, &new);
        assert!(handed.iter().all(|socket| *socket.closing.borrow()));
        drop(handed);
        assert_eq!(listeners.addresses(), BTreeMap::from([("new".to_owned(), vec![address])]));
        let accepted = listeners.hand_out().iter().find_map(|handed| handed.socket.accept().ok()).unwrap();
        assert_eq!(accepted.1, client.local_addr().unwrap());
    }

    #[test]
    fn an_address_may_grow_to_the_whole_machine_and_back() {
        let port = free_port();
        let (one, all) = (vec![listener("web", &format!("127.0.0.1:{port}"))], vec![listener("web", &format!("0.0.0.0:{port}"))]);
        let mut listeners = Listeners::open(&one, Sockets::new(), 1).unwrap();
        for specs in [&all, &one] {
            let fresh = listeners.missing(specs, 1).unwrap();
            listeners.replace(fresh, specs);
        }
    }

    #[test]
    fn a_port_that_somebody_else_has_is_refused_and_nothing_changes() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let specs = vec![listener("web", "127.0.0.1:0")];
        let listeners = Listeners::open(&specs, Sockets::new(), 1).unwrap();
        let more = [specs, vec![listener("more", &taken.local_addr().unwrap().to_string())]].concat();
        assert!(listeners.missing(&more, 1).is_err());
        assert_eq!(listeners.addresses().len(), 1);
    }

    #[test]
    fn any_number_of_inherited_sockets_serves_any_number_of_threads() {
        for (sockets, threads, expected) in [(3, 2, vec![0, 1, 0]), (1, 3, vec![0, 1, 2]), (2, 2, vec![0, 1])] {
            let specs = vec![listener("web", "127.0.0.1:0")];
            let mut first = Listeners::open(&specs, Sockets::new(), sockets).unwrap();
            let copies = first.copies().unwrap();
            let mut second = Listeners::open(&specs, copies, threads).unwrap();
            assert_eq!(first.addresses(), second.addresses());
            assert_eq!(threads_of(&mut second), expected);
            drop(first.hand_out());
            first.close();
            let address = second.addresses().remove("web").unwrap().remove(0);
            assert!(std::net::TcpStream::connect(address).is_ok(), "closing one's own copies closes nothing of the other's");
        }
    }

    #[test]
    fn what_is_inherited_and_does_not_listen_is_refused() {
        let stream = std::net::TcpStream::connect(TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()).unwrap();
        let odd = TcpListener::from(std::os::fd::OwnedFd::from(stream));
        let inherited = Sockets::from([("web".to_owned(), BTreeMap::from([("127.0.0.1:0".to_owned(), vec![odd])]))]);
        assert!(Listeners::open(&[listener("web", "127.0.0.1:0")], inherited, 1).is_err());
    }
}
