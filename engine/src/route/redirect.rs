//! The `Location` of a redirect.
//!
//! A client must never be able to choose where it is sent: what it provided cannot end a line, cannot make the host, and a
//! `Location` without a host always begins with exactly one slash.

use super::escape::{Keep, one_slash};
use super::pattern::Pattern;
use super::template::{Bindings, Holder, Part, Template};

/// A redirect's `to`, parsed once.
#[derive(Debug)]
pub(super) struct Redirect {
    /// `https://HOST`, or empty for a redirect on the same host.
    origin: Vec<Piece>,
    /// From the first slash on, without the fragment.
    path: Template,
    fragment: Option<Template>,
    joint: u8,
}

#[derive(Debug)]
enum Piece {
    Literal(Vec<u8>),
    Holder(Holder),
}

impl Redirect {
    pub(super) fn parse(text: &str, patterns: &[Pattern]) -> Result<Self, String> {
        let (before, fragment) = match text.split_once('#') {
            Some((before, fragment)) => (before, Some(Template::parse(fragment, patterns)?)),
            None => (text, None),
        };
        let whole = Template::parse(before, patterns)?;
        let joint = if before.contains('?') { b'&' } else { b'?' };
        let (origin, path) = if is_absolute(before) { split(whole) } else { (Vec::new(), whole) };
        if origin.is_empty() && !path.beginning().starts_with(b"/") {
            return Err(format!("`{text}` begins neither with `/` nor with `https://` or another scheme"));
        }
        Ok(Self { origin, path, fragment, joint })
    }

    /// The `Location` for a path that matched by one of `patterns`.
    pub(super) fn location(&self, path: &[u8], query: Option<&[u8]>, patterns: &[Pattern]) -> Vec<u8> {
        let bindings = Bindings::of(patterns, path);
        let mut out = Vec::with_capacity(path.len() + query.map_or(0, <[u8]>::len) + 64);
        self.path.expand(&bindings, Keep::Location, &mut out);
        if self.origin.is_empty() || !out.starts_with(b"?") {
            one_slash(&mut out);
        }
        if !self.origin.is_empty() {
            let mut origin = Vec::with_capacity(out.len() + 64);
            for piece in &self.origin {
                match piece {
                    Piece::Literal(text) => origin.extend_from_slice(text),
                    Piece::Holder(holder) => Keep::Host.push(bindings.get(holder), &mut origin),
                }
            }
            origin.append(&mut out);
            out = origin;
        }
        if let Some(query) = query {
            out.push(self.joint);
            Keep::Location.push(query, &mut out);
        }
        if let Some(fragment) = &self.fragment {
            out.push(b'#');
            fragment.expand(&bindings, Keep::Location, &mut out);
        }
        out
    }
}

/// Whether the text begins with `SCHEME://` or `//`.
fn is_absolute(text: &str) -> bool {
    match text.split_once("//") {
        Some(("", _)) => true,
        Some((scheme, _)) => scheme
            .strip_suffix(':')
            .is_some_and(|name| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))),
        None => false,
    }
}

/// Parts the origin from the path. A place holder with which the text ends before any slash came, as in `https://example.com*`,
/// belongs to the path: read as part of the host it would let the client choose it.
fn split(whole: Template) -> (Vec<Piece>, Template) {
    let mut origin = Vec::new();
    let mut parts = whole.parts.into_iter().peekable();
    let mut path = Vec::new();
    while let Some(part) = parts.next() {
        match part {
            Part::Literal(text) => {
                let authority = if origin.is_empty() { text.windows(2).position(|pair| pair == b"//").map_or(0, |at| at + 2) } else { 0 };
                let slash = text.iter().skip(authority).position(|byte| matches!(byte, b'/' | b'?')).map(|at| at + authority);
                let (host, rest) = text.split_at_checked(slash.unwrap_or(text.len())).unwrap_or((&text, &[]));
                origin.push(Piece::Literal(host.to_vec()));
                if slash.is_some() {
                    path.push(Part::Literal(rest.to_vec()));
                    break;
                }
            }
            Part::Holder(holder) if parts.peek().is_none() => path.push(Part::Holder(holder)),
            Part::Holder(holder) => origin.push(Piece::Holder(holder)),
        }
    }
    path.extend(parts);
    (origin, Template { parts: path })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn location(to: &str, pattern: &str, path: &str, query: Option<&str>) -> String {
        let patterns = [Pattern::path(pattern).unwrap()];
        let redirect = Redirect::parse(to, &patterns).unwrap();
        String::from_utf8(redirect.location(path.as_bytes(), query.map(str::as_bytes), &patterns)).unwrap()
    }

    #[test]
    fn a_redirect_keeps_the_query() {
        assert_eq!(location("/new/*", "/old/*", "/old/a", Some("x=1")), "/new/a?x=1");
        assert_eq!(location("https://b.example/*?v=2#top", "/*", "/a", Some("x=1")), "https://b.example/a?v=2&x=1#top");
        assert_eq!(location("https://b.example", "/a", "/a", None), "https://b.example/");
        assert_eq!(location("https://b.example?v=1", "/a", "/a", None), "https://b.example?v=1");
    }

    #[test]
    fn a_client_cannot_choose_the_host_of_a_redirect() {
        for to in ["/*", "/$$/..//*"] {
            assert!(!location(to, "/r/*", "/r//evil.example", None).starts_with("//"), "{to}");
        }
        assert_eq!(location("/*", "/*", "//evil.example/x", None), "/evil.example/x");
        assert_eq!(location("/*", "/r/*", "/r/\\evil.example", None), "/%5Cevil.example");
        assert_eq!(location("/$1", "~/r/(.*)", "/r///evil.example", None), "/evil.example");
        assert_eq!(location("https://good.example*", "/r/*", "/r/.evil.example", None), "https://good.example/.evil.example");
        assert_eq!(location("https://good.example$1", "~/r(.*)", "/r@evil.example", None), "https://good.example/@evil.example");
        assert_eq!(location("https://$1.good.example/x", "~/r/(.*)", "/r/evil.example/", None), "https://evil.example%2F.good.example/x");
    }

    #[test]
    fn a_group_can_name_a_subdomain() {
        assert_eq!(location("https://$who.example.com/$2", "~/(?<who>[a-z]+)/(.*)", "/ann/x/y", None), "https://ann.example.com/x/y");
    }

    #[test]
    fn a_redirect_never_ends_the_line() {
        let all: String = (1u8..128).map(char::from).collect();
        for to in ["/*", "https://h/*", "https://h/#*"] {
            let out = location(to, "/*", &format!("/{all}"), Some(&all));
            assert!(out.bytes().all(|byte| byte.is_ascii_graphic()), "{out}");
        }
    }

    #[test]
    fn a_target_that_is_neither_a_path_nor_a_url_is_refused() {
        for to in ["new", "*", "", "#x", "javascript:alert(1)", "x y://z"] {
            assert!(Redirect::parse(to, &[Pattern::path("/a/*").unwrap()]).is_err(), "{to}");
        }
    }
}
