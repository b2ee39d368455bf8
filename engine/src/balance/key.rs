//! The key of a request, for policies that send requests of one key to one endpoint.

use serde::{Deserialize, Serialize};

use super::hash::hash;
use crate::message::{FieldName, RequestHead};
use crate::route::query;

/// What the key is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeySpec {
    /// The client's address, as forwarding fields of trusted proxies tell it.
    ClientIp,
    /// The path, without the query.
    Path,
    /// The first field of this name.
    Header(String),
    /// The first cookie of this name.
    Cookie(String),
    /// The first parameter of this name, decoded.
    Query(String),
}

impl KeySpec {
    /// The hash of a request's key; `None` where it has none, or an empty one. `ip` writes the client's address.
    #[must_use]
    pub fn of(&self, head: &RequestHead, ip: impl FnOnce() -> String, seed: u64) -> Option<u64> {
        let hash = |bytes: &[u8]| (!bytes.is_empty()).then(|| hash(bytes, seed));
        match self {
            Self::ClientIp => hash(ip().as_bytes()),
            Self::Path => hash(head.path()),
            Self::Header(name) => head.fields.first(name.as_bytes()).and_then(hash),
            Self::Cookie(name) => cookie(head, name.as_bytes()).and_then(hash),
            Self::Query(name) => query::first(head.query()?, name.as_bytes(), hash).flatten(),
        }
    }
}

/// The value of the first cookie of that name.
#[must_use]
pub fn cookie<'a>(head: &'a RequestHead, name: &[u8]) -> Option<&'a [u8]> {
    cookies(head, name).next()
}

/// The values of all cookies of that name (RFC 6265 section 4.2.1), without the quotes they may stand in.
pub fn cookies<'a>(head: &'a RequestHead, name: &[u8]) -> impl Iterator<Item = &'a [u8]> {
    let lines = head.fields.iter().filter(|(kind, field, _)| *kind == FieldName::Other && field.eq_ignore_ascii_case(b"cookie"));
    lines.flat_map(|(_, _, value)| value.split(|byte| *byte == b';')).filter_map(move |pair| {
        let value = pair.trim_ascii().strip_prefix(name)?.strip_prefix(b"=")?;
        Some(value.strip_prefix(b"\"").and_then(|inner| inner.strip_suffix(b"\"")).unwrap_or(value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::h1::request::parse;

    fn head(target: &str, lines: &str) -> RequestHead {
        let mut head = RequestHead::default();
        parse(format!("GET {target} HTTP/1.1\r\nHost: a.example\r\n{lines}\r\n").as_bytes(), &mut head).unwrap();
        head
    }

    #[test]
    fn a_key_is_the_hash_of_what_it_names() {
        let head = head("/a/b?x=1&user=j%C3%B6rg&user=2", "X-User: 7\r\nCookie: a=1; sid=\"abc\"; sid=d\r\n");
        let of = |key: KeySpec| key.of(&head, || "10.0.0.1".into(), 5);
        assert_eq!(of(KeySpec::ClientIp), Some(hash(b"10.0.0.1", 5)));
        assert_eq!(of(KeySpec::Path), Some(hash(b"/a/b", 5)));
        assert_eq!(of(KeySpec::Header("x-user".into())), Some(hash(b"7", 5)));
        assert_eq!(of(KeySpec::Cookie("sid".into())), Some(hash(b"abc", 5)));
        assert_eq!(of(KeySpec::Query("user".into())), Some(hash("jörg".as_bytes(), 5)));
    }

    #[test]
    fn a_request_without_it_has_no_key() {
        let head = head("/?x", "Cookie: other=1\r\nX-Empty: \r\n");
        for key in [
            KeySpec::Header("x-user".into()),
            KeySpec::Header("x-empty".into()),
            KeySpec::Cookie("sid".into()),
            KeySpec::Cookie("ther".into()),
            KeySpec::Query("user".into()),
            KeySpec::Query("x".into()),
        ] {
            assert_eq!(key.of(&head, String::new, 5), None, "{key:?}");
        }
    }
}
