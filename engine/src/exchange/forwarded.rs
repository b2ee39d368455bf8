//! The field `Forwarded` (RFC 7239 section 4), read strictly: a quote that a client opened must not swallow what a proxy added behind it,
//! nor may a host in quotes pass for a hop.

use std::net::IpAddr;

use super::client::parse_hop;

/// The address that each element of a field line names, where it names one. A line that breaks the grammar anywhere names none at all.
pub(super) fn hops(line: &[u8]) -> Vec<Option<IpAddr>> {
    let mut hops = vec![None];
    let mut rest = line;
    while !rest.is_empty() {
        let Some((name, value, after)) = pair(rest) else { return vec![None] };
        if name.eq_ignore_ascii_case(b"for")
            && let Some(hop) = hops.last_mut()
        {
            *hop = parse_hop(value);
        }
        rest = match after {
            [] => after,
            [b';', next @ ..] => next,
            [b',', next @ ..] => {
                hops.push(None);
                next
            }
            _ => return vec![None],
        };
    }
    hops
}

/// The first `name=value`, its quotes removed, and what follows it. An escape within quotes has no use in an address and is refused.
fn pair(text: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let text = text.trim_ascii_start();
    let (name, rest) = text.split_at_checked(text.iter().position(|byte| *byte == b'=')?)?;
    let rest = rest.strip_prefix(b"=")?;
    if name.is_empty() || !name.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')) {
        return None;
    }
    let (value, after) = if let Some(quoted) = rest.strip_prefix(b"\"") {
        let (value, after) = quoted.split_at_checked(quoted.iter().position(|byte| matches!(byte, b'"' | b'\\'))?)?;
        (value, after.strip_prefix(b"\"")?)
    } else {
        let end = rest.iter().position(|byte| matches!(byte, b';' | b',')).unwrap_or(rest.len());
        let (value, after) = rest.split_at_checked(end)?;
        let value = value.trim_ascii_end();
        if value.is_empty() || value.iter().any(|byte| byte.is_ascii_whitespace() || *byte == b'"') {
            return None;
        }
        (value, after)
    };
    Some((name, value, after.trim_ascii_start()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Vec<Option<String>> {
        hops(line.as_bytes()).into_iter().map(|hop| hop.map(|address| address.to_string())).collect()
    }

    #[test]
    fn each_element_names_its_hop() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(read("for=1.2.3.4, proto=https;For=\"[2001:db8::1]:80\" , for=unknown"), [some("1.2.3.4"), some("2001:db8::1"), None]);
        assert_eq!(read("for=1.2.3.4;host=\"a, for=6.6.6.6\""), [some("1.2.3.4")]);
    }

    #[test]
    fn a_line_that_breaks_the_grammar_names_nobody() {
        for line in [
            "for=6.6.6.6;a=\", for=1.2.3.4",
            "for=6.6.6.6;a=\", for=\"1.2.3.4\"",
            "for=6.6.6.6 for=1.2.3.4",
            "=6.6.6.6",
            "for",
            "for=\"6.6\\.6.6\"",
        ] {
            assert_eq!(read(line), [None], "{line}");
        }
    }
}
