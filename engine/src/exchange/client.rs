//! Who the client is: one address, worked out once, used everywhere (pains of spoofed addresses come from having several).

use std::net::{IpAddr, Ipv6Addr};

use super::forwarded;
use crate::message::{FieldName, RequestHead};
use crate::snapshot::ForwardedSpec;

/// The peer of one connection.
#[derive(Debug, Clone)]
pub struct Client {
    /// The peer's address.
    pub peer: IpAddr,
    /// The same as text.
    pub text: String,
    /// Whether its forwarding fields are believed.
    pub trusted: bool,
}

impl Client {
    /// The client at the other end of a connection.
    #[must_use]
    pub fn new(peer: IpAddr, trusted: &Networks) -> Self {
        let peer = peer.to_canonical();
        Self { peer, text: text(peer), trusted: trusted.contains(peer) }
    }

    /// Whether a request of its came by https, as a trusted proxy in front says.
    #[must_use]
    pub fn is_secure(&self, head: &RequestHead) -> bool {
        let said = head.fields.values(FieldName::XForwardedProto).next().filter(|_| self.trusted);
        said.and_then(|list| list.split(|byte| *byte == b',').next()).is_some_and(|first| first.trim_ascii().eq_ignore_ascii_case(b"https"))
    }
}

/// An address in the usual form. IPv4 by hand: it is needed once a connection, and formatting costs more than parsing a request.
fn text(address: IpAddr) -> String {
    let IpAddr::V4(v4) = address else { return address.to_string() };
    let mut text = String::with_capacity("255.255.255.255".len());
    for (place, octet) in v4.octets().into_iter().enumerate() {
        if place > 0 {
            text.push('.');
        }
        for unit in [100, 10, 1] {
            if octet >= unit || unit == 1 {
                text.push(char::from(b'0' + octet / unit % 10));
            }
        }
    }
    text
}

/// A set of networks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Networks {
    /// Network and prefix length, IPv4 mapped into IPv6.
    list: Vec<(u128, u32)>,
}

impl Networks {
    /// Reads `10.0.0.0/8`, `::1`, ….
    ///
    /// # Errors
    ///
    /// The text that is no network.
    pub fn parse(texts: &[String]) -> Result<Self, String> {
        let list = texts.iter().map(|text| parse_network(text).ok_or_else(|| text.clone())).collect::<Result<_, _>>()?;
        Ok(Self { list })
    }

    /// Whether an address lies in one of them.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let bits = mapped(address);
        self.list.iter().any(|(network, prefix)| prefix_of(bits, *prefix) == *network)
    }
}

fn mapped(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

fn prefix_of(bits: u128, prefix: u32) -> u128 {
    if prefix == 0 { 0 } else { bits & (u128::MAX << (128 - prefix)) }
}

fn parse_network(text: &str) -> Option<(u128, u32)> {
    let (address, prefix) = match text.split_once('/') {
        Some((address, prefix)) => (address, Some(prefix.parse::<u32>().ok()?)),
        None => (text, None),
    };
    let address: IpAddr = address.parse().ok()?;
    let prefix = match address {
        IpAddr::V4(_) => prefix.unwrap_or(32).checked_add(96)?,
        IpAddr::V6(_) => prefix.unwrap_or(128),
    };
    (prefix <= 128).then(|| (prefix_of(mapped(address), prefix), prefix))
}

/// How the server behind is told who the client is.
#[derive(Debug, Clone)]
pub struct Forwarding {
    /// Which fields.
    pub kind: ForwardedSpec,
    /// Whose fields are believed.
    pub trusted: Networks,
    /// `Via` for a request that came as HTTP/1.1.
    pub via_modern: Vec<u8>,
    /// `Via` for one that came as HTTP/1.0.
    pub via_old: Vec<u8>,
}

impl Forwarding {
    /// For a gateway of that name.
    #[must_use]
    pub fn new(kind: ForwardedSpec, trusted: Networks, name: &str) -> Self {
        Self { kind, trusted, via_modern: format!("1.1 {name}").into_bytes(), via_old: format!("1.0 {name}").into_bytes() }
    }

    /// The client's address: from the right of the forwarding chain, the first that is not a trusted proxy.
    #[must_use]
    pub fn client_ip(&self, head: &RequestHead, client: &Client) -> Option<IpAddr> {
        if !client.trusted {
            return None;
        }
        let kind = if self.kind == ForwardedSpec::Forwarded { FieldName::Forwarded } else { FieldName::XForwardedFor };
        let lines: Vec<&[u8]> = head.fields.values(kind).collect();
        let hops = lines.into_iter().rev().flat_map(|line| {
            let mut hops: Vec<Option<IpAddr>> = if kind == FieldName::Forwarded {
                forwarded::hops(line)
            } else {
                line.split(|byte| *byte == b',').map(|hop| parse_hop(hop.trim_ascii())).collect()
            };
            hops.reverse();
            hops
        });
        let mut found = None;
        for hop in hops {
            // A hop that names no address ends what can be known.
            let Some(address) = hop else { break };
            found = Some(address);
            if !self.trusted.contains(address) {
                break;
            }
        }
        found
    }

    /// The forwarding fields that the server receives.
    pub fn emit(&self, head: &RequestHead, client: &Client, emit: &mut impl FnMut(&[u8], &[u8])) {
        match self.kind {
            ForwardedSpec::XForwarded => {
                if client.trusted {
                    let chain = joined(head, FieldName::XForwardedFor, client.text.as_bytes());
                    emit(b"X-Forwarded-For", &chain);
                } else {
                    emit(b"X-Forwarded-For", client.text.as_bytes());
                }
                let believed = |kind| head.fields.values(kind).next().filter(|_| client.trusted);
                emit(b"X-Forwarded-Proto", believed(FieldName::XForwardedProto).unwrap_or(b"http"));
                if let Some(host) = believed(FieldName::XForwardedHost).or_else(|| Some(head.authority()).filter(|host| !host.is_empty())) {
                    emit(b"X-Forwarded-Host", host);
                }
            }
            ForwardedSpec::Forwarded => {
                let own = Self::element(head, client);
                if client.trusted {
                    emit(b"Forwarded", &joined(head, FieldName::Forwarded, own.as_bytes()));
                } else {
                    emit(b"Forwarded", own.as_bytes());
                }
            }
            ForwardedSpec::Off => {}
        }
    }

    /// This hop's element of `Forwarded` (RFC 7239 section 4).
    fn element(head: &RequestHead, client: &Client) -> String {
        let node = match client.peer {
            IpAddr::V4(v4) => v4.to_string(),
            IpAddr::V6(v6) => format!("\"[{v6}]\""),
        };
        let host = String::from_utf8_lossy(head.authority());
        if host.is_empty() { format!("for={node};proto=http") } else { format!("for={node};host=\"{host}\";proto=http") }
    }
}

/// All values of a field and one more, as one list.
fn joined(head: &RequestHead, kind: FieldName, last: &[u8]) -> Vec<u8> {
    let mut all = Vec::with_capacity(64);
    for value in head.fields.values(kind).filter(|value| !value.is_empty()) {
        all.extend_from_slice(value);
        all.extend_from_slice(b", ");
    }
    all.extend_from_slice(last);
    all
}

/// `1.2.3.4`, `1.2.3.4:5`, `::1`, `[::1]`, `[::1]:5`.
pub(super) fn parse_hop(hop: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(hop).ok()?;
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(address.to_canonical());
    }
    if let Some(rest) = text.strip_prefix('[') {
        let (address, _) = rest.split_once(']')?;
        return address.parse::<Ipv6Addr>().ok().map(|v6| IpAddr::V6(v6).to_canonical());
    }
    let (address, port) = text.split_once(':')?;
    port.parse::<u16>().ok()?;
    address.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::h1::request::parse;

    fn forwarding(kind: ForwardedSpec) -> Forwarding {
        let trusted = Networks::parse(&["10.0.0.0/8".into(), "::1".into()]).unwrap();
        Forwarding::new(kind, trusted, "forebay")
    }

    fn head(lines: &str) -> RequestHead {
        let mut head = RequestHead::default();
        parse(format!("GET / HTTP/1.1\r\nHost: a.example\r\n{lines}\r\n").as_bytes(), &mut head).unwrap();
        head
    }

    fn client_ip(lines: &str, peer: &str) -> Option<String> {
        let forwarding = forwarding(ForwardedSpec::XForwarded);
        let client = Client::new(peer.parse().unwrap(), &forwarding.trusted);
        forwarding.client_ip(&head(lines), &client).map(|address| address.to_string())
    }

    #[test]
    fn an_address_is_written_as_usual() {
        for octet in 0..=255_u8 {
            let address = IpAddr::from([octet, 10, 255 - octet, 109]);
            assert_eq!(text(address), address.to_string());
        }
        assert_eq!(text("2001:db8::1".parse().unwrap()), "2001:db8::1");
    }

    #[test]
    fn the_client_is_the_first_from_the_right_that_is_no_proxy_of_ours() {
        assert_eq!(client_ip("X-Forwarded-For: 9.9.9.9, 1.2.3.4, 10.1.1.1\r\n", "10.0.0.1").as_deref(), Some("1.2.3.4"));
        assert_eq!(client_ip("X-Forwarded-For: 9.9.9.9\r\nX-Forwarded-For: 1.2.3.4:55\r\n", "::1").as_deref(), Some("1.2.3.4"));
        assert_eq!(client_ip("X-Forwarded-For: 10.3.3.3, 10.1.1.1\r\n", "10.0.0.1").as_deref(), Some("10.3.3.3"));
        assert_eq!(client_ip("X-Forwarded-For: 9.9.9.9, junk, 10.1.1.1\r\n", "10.0.0.1").as_deref(), Some("10.1.1.1"));
        assert_eq!(client_ip("X-Forwarded-For: 9.9.9.9\r\n", "8.8.8.8"), None, "an untrusted peer is itself the client");
    }

    #[test]
    fn the_client_is_found_in_the_standard_field_too() {
        let ip = |lines: &str| {
            let forwarding = forwarding(ForwardedSpec::Forwarded);
            let client = Client::new("10.0.0.1".parse().unwrap(), &forwarding.trusted);
            forwarding.client_ip(&head(lines), &client).map(|address| address.to_string())
        };
        assert_eq!(ip("Forwarded: for=9.9.9.9, for=1.2.3.4, for=10.1.1.1\r\n").as_deref(), Some("1.2.3.4"));
        assert_eq!(ip("Forwarded: for=9.9.9.9\r\nForwarded: proto=http; For=\"[2001:db8::1]:8\"\r\n").as_deref(), Some("2001:db8::1"));
        let host = "Forwarded: for=1.2.3.4;host=\"x,for=6.6.6.6;z=\"\r\n";
        assert_eq!(ip(host).as_deref(), Some("1.2.3.4"), "a host that looks like a hop is none");
    }

    #[test]
    fn networks_hold_what_their_prefix_says() {
        let networks = Networks::parse(&["10.0.0.0/8".into(), "fd00::/8".into(), "192.168.1.7".into()]).unwrap();
        for (address, inside) in [("10.255.0.1", true), ("11.0.0.1", false), ("fd12::1", true), ("fe00::1", false), ("192.168.1.7", true)] {
            assert_eq!(networks.contains(address.parse().unwrap()), inside, "{address}");
        }
        assert!(networks.contains("::ffff:10.0.0.1".parse().unwrap()));
        assert!(Networks::parse(&["10.0.0.0/33".into()]).is_err());
        assert!(Networks::parse(&["everyone".into()]).is_err());
        assert!(Networks::parse(&["0.0.0.0/0".into()]).unwrap().contains("1.2.3.4".parse().unwrap()));
    }

    #[test]
    fn a_server_hears_of_the_client_and_of_trusted_hops_only() {
        let sent = |kind, peer: &str| {
            let forwarding = forwarding(kind);
            let client = Client::new(peer.parse().unwrap(), &forwarding.trusted);
            let head = head("X-Forwarded-For: 9.9.9.9\r\nX-Forwarded-Proto: https\r\nForwarded: for=9.9.9.9\r\n");
            let mut all = String::new();
            forwarding.emit(&head, &client, &mut |name, value| {
                all.extend([&*String::from_utf8_lossy(name), ": ", &*String::from_utf8_lossy(value), "|"]);
            });
            all
        };
        assert_eq!(
            sent(ForwardedSpec::XForwarded, "8.8.8.8"),
            "X-Forwarded-For: 8.8.8.8|X-Forwarded-Proto: http|X-Forwarded-Host: a.example|"
        );
        assert_eq!(
            sent(ForwardedSpec::XForwarded, "10.0.0.1"),
            "X-Forwarded-For: 9.9.9.9, 10.0.0.1|X-Forwarded-Proto: https|X-Forwarded-Host: a.example|"
        );
        assert_eq!(sent(ForwardedSpec::Forwarded, "8.8.8.8"), "Forwarded: for=8.8.8.8;host=\"a.example\";proto=http|");
        assert_eq!(sent(ForwardedSpec::Forwarded, "::1"), "Forwarded: for=9.9.9.9, for=\"[::1]\";host=\"a.example\";proto=http|");
        assert_eq!(sent(ForwardedSpec::Off, "8.8.8.8"), "");
    }
}
