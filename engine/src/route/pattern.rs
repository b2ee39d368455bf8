//! What a host, a path, a method or a field value is compared with.
//!
//! Every pattern is a literal that the text begins with, a rule for what may follow it, and sometimes a regular expression over
//! the whole text. The literal is what the index finds; the expression runs only after it was found.

use regex::bytes::{Regex, RegexBuilder};
use regex_syntax::ParserBuilder;
use regex_syntax::hir::literal::Extractor;

/// Compiled size that one expression may have: a path is short, so what needs more is a mistake.
const EXPRESSION_LIMIT: usize = 1 << 18;
/// Bytes that one expression may cache for itself on each thread, beyond its compiled size.
const EXPRESSION_CACHE: usize = 1 << 18;
/// Longer names do not exist in DNS (RFC 1035, 2.3.4).
const LONGEST_HOST: usize = 253;

/// What may follow a literal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Ending {
    /// Nothing.
    End,
    /// Nothing, or a `/` and anything.
    Segment,
    /// At least one byte.
    More,
    /// Anything or nothing.
    Any,
}

impl Ending {
    #[inline]
    pub(super) fn holds(self, rest: &[u8]) -> bool {
        match self {
            Self::End => rest.is_empty(),
            Self::Segment => matches!(rest.first(), None | Some(b'/')),
            Self::More => !rest.is_empty(),
            Self::Any => true,
        }
    }
}

/// A literal and its ending: the key under which a pattern is indexed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Literal<'a> {
    pub(super) text: &'a [u8],
    pub(super) ending: Ending,
}

impl Literal<'_> {
    /// Holds for every text.
    pub(super) const EVERYTHING: Self = Self { text: b"", ending: Ending::Any };
}

/// See the module.
#[derive(Debug)]
pub(super) struct Pattern {
    text: Box<[u8]>,
    ending: Ending,
    expression: Option<Regex>,
}

impl Pattern {
    fn literal_of(text: &[u8], ending: Ending) -> Self {
        Self { text: text.into(), ending, expression: None }
    }

    /// Exactly this text.
    pub(super) fn exact(text: &[u8]) -> Self {
        Self::literal_of(text, Ending::End)
    }

    /// `/exact`, `/prefix/*`, `/*` or `~REGEX`.
    pub(super) fn path(text: &str) -> Result<Self, String> {
        if let Some(expression) = text.strip_prefix('~') {
            return Self::expression(expression);
        }
        if !text.starts_with('/') {
            return Err(format!("`{text}` begins neither with `/` nor with `~`"));
        }
        let (literal, ending) = match text.strip_suffix("/*") {
            Some(prefix) => (prefix, Ending::Segment),
            None => (text, Ending::End),
        };
        if literal.contains('*') {
            return Err(format!(
                "`{text}` has a `*` elsewhere than at its end after a `/`; write `/prefix/*`, or `~REGEX` for anything else"
            ));
        }
        Ok(Self::literal_of(literal.as_bytes(), ending))
    }

    /// `value`, `*` (any), `prefix*` or `~REGEX`.
    pub(super) fn value(text: &str) -> Result<Self, String> {
        if let Some(expression) = text.strip_prefix('~') {
            return Self::expression(expression);
        }
        Ok(match text.strip_suffix('*') {
            Some(prefix) => Self::literal_of(prefix.as_bytes(), Ending::Any),
            None => Self::exact(text.as_bytes()),
        })
    }

    /// `api.example.com` or `*.example.com`, to be compared with a name written backwards in lower case.
    pub(super) fn host(text: &str) -> Result<Self, String> {
        let (name, ending) = match text.strip_prefix('*') {
            Some(suffix) if suffix.starts_with('.') && suffix.len() > 1 => (suffix, Ending::More),
            Some(_) => return Err(format!("`{text}`: a `*` stands for whole labels in front, as in `*.example.com`")),
            None => (text, Ending::End),
        };
        if name.is_empty() || name.len() > LONGEST_HOST || name.contains('*') {
            return Err(format!("`{text}` is no host name of 1 to {LONGEST_HOST} bytes, nor one after `*.`"));
        }
        let backwards: Vec<u8> = name.bytes().rev().map(|byte| byte.to_ascii_lowercase()).collect();
        Ok(Self::literal_of(&backwards, ending))
    }

    /// An expression over the whole text. It sees bytes: `.`, `\w` and classes are ASCII unless `(?u)` asks otherwise, so that a
    /// byte that is no UTF-8 cannot slip past `.*`.
    fn expression(text: &str) -> Result<Self, String> {
        let refused = |why: &dyn std::fmt::Display| format!("`~{text}` is no usable regular expression: {why}");
        // Parsed by itself first: `a)|(b` must not become valid by what is put around it.
        let parsed = ParserBuilder::new().utf8(false).unicode(false).build().parse(text).map_err(|why| refused(&why))?;
        let prefixes = Extractor::new().extract(&parsed);
        let expression = RegexBuilder::new(&format!(r"\A(?:{text})\z"))
            .unicode(false)
            .size_limit(EXPRESSION_LIMIT)
            .dfa_size_limit(EXPRESSION_CACHE)
            .build()
            .map_err(|why| refused(&why))?;
        let text = prefixes.longest_common_prefix().unwrap_or_default().into();
        Ok(Self { text, ending: Ending::Any, expression: Some(expression) })
    }

    pub(super) fn literal(&self) -> Literal<'_> {
        Literal { text: &self.text, ending: self.ending }
    }

    /// What finding the literal leaves to be checked.
    pub(super) fn regex(&self) -> Option<&Regex> {
        self.expression.as_ref()
    }

    /// What `*` stood for in `text`: all behind the slash that follows the prefix. `None` for other patterns.
    pub(super) fn star<'t>(&self, text: &'t [u8]) -> Option<&'t [u8]> {
        let rest = text.strip_prefix(&*self.text)?;
        (self.ending == Ending::Segment).then(|| rest.strip_prefix(b"/").unwrap_or(rest))
    }

    pub(super) fn has_star(&self) -> bool {
        self.ending == Ending::Segment
    }

    pub(super) fn matches(&self, text: &[u8]) -> bool {
        text.strip_prefix(&*self.text).is_some_and(|rest| self.ending.holds(rest))
            && self.expression.as_ref().is_none_or(|expression| expression.is_match(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(pattern: &str, text: &str) -> bool {
        Pattern::path(pattern).unwrap().matches(text.as_bytes())
    }

    fn value(pattern: &str, text: &[u8]) -> bool {
        Pattern::value(pattern).unwrap().matches(text)
    }

    fn prefix(expression: &str) -> String {
        String::from_utf8(Pattern::path(expression).unwrap().literal().text.to_vec()).unwrap()
    }

    #[test]
    fn a_prefix_ends_on_a_segments_border() {
        assert!(path("/api/*", "/api"));
        assert!(path("/api/*", "/api/"));
        assert!(path("/api/*", "/api/v1"));
        assert!(!path("/api/*", "/apis"));
        assert!(!path("/api/*", "/ap"));
    }

    #[test]
    fn slash_star_is_every_path_but_not_the_asterisk_form() {
        assert!(path("/*", "/"));
        assert!(path("/*", "/x/y"));
        assert!(!path("/*", "*"));
    }

    #[test]
    fn an_exact_path_is_compared_as_sent() {
        assert!(path("/a%20b", "/a%20b"));
        assert!(!path("/a", "/a/"));
        assert!(!path("/a", "/%61"));
    }

    #[test]
    fn an_expression_covers_the_whole_text() {
        assert!(path("~/a|/bc", "/a"));
        assert!(path("~/a|/bc", "/bc"));
        assert!(!path("~/a|/bc", "/a/bc"));
        assert!(!path("~/a|/b", "x/b"));
        assert!(!path("~(?m)/a$", "/a\n"));
    }

    #[test]
    fn an_expression_sees_bytes_that_are_no_utf8() {
        assert!(value("~.*", b"\xff\xfe"));
        assert!(value(r"~(?u)\w+", "é".as_bytes()));
    }

    #[test]
    fn an_expression_is_indexed_by_the_literal_it_begins_with() {
        assert_eq!(prefix("~/users/[0-9]+"), "/users/");
        assert_eq!(prefix("~/item-7-[a-z0-9_]+/x"), "/item-7-");
        assert_eq!(prefix("~^/a/b$"), "/a/b");
        assert_eq!(prefix("~/(?:apple|apricot)/x"), "/ap");
        assert_eq!(prefix("~(/x)/y"), "/x/y");
        assert_eq!(prefix(r"~/v1\.2/.*"), "/v1.2/");
        assert_eq!(prefix("~(?i)/api"), "/");
        assert_eq!(prefix("~.*/x"), "");
        assert_eq!(prefix("~(?:/a)?/b"), "/");
    }

    #[test]
    fn brackets_that_only_balance_around_the_anchors_are_refused() {
        assert!(Pattern::path("~a)|(b").is_err());
    }

    #[test]
    fn an_expression_that_would_grow_beyond_its_limit_is_refused() {
        let reason = Pattern::path("~/(?:[a-z]{100}){100}{100}").unwrap_err();
        assert!(reason.contains("size limit"), "{reason}");
    }

    #[test]
    fn a_value_is_exact_present_or_begun() {
        assert!(value("gold", b"gold") && !value("gold", b"golden") && !value("gold", b"Gold"));
        assert!(value("*", b"") && value("*", b"x"));
        assert!(value("gold*", b"golden") && !value("gold*", b"gol"));
    }

    #[test]
    fn a_wildcard_host_stands_for_one_or_more_labels() {
        let host = |pattern: &str, name: &str| Pattern::host(pattern).unwrap().matches(&name.bytes().rev().collect::<Vec<_>>());
        assert!(host("*.Example.com", "a.example.com"));
        assert!(host("*.example.com", "a.b.example.com"));
        assert!(!host("*.example.com", "example.com"));
        assert!(!host("*.example.com", ".example.com"));
        assert!(!host("*.example.com", "badexample.com"));
        assert!(host("example.com", "example.com") && !host("example.com", "a.example.com"));
    }

    #[test]
    fn stars_in_other_places_are_refused() {
        for text in ["/a*", "/*/b", "/a/*/b/*", "a", "", "*"] {
            assert!(Pattern::path(text).is_err(), "{text}");
        }
        for text in ["*", "*.", "*example.com", "a.*.com", "", &"a".repeat(254)] {
            assert!(Pattern::host(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_star_stands_for_what_follows_the_prefix_and_its_slash() {
        let star = |text: &str| Pattern::path("/a/*").unwrap().star(text.as_bytes()).map(<[u8]>::to_vec);
        assert_eq!(star("/a/b/c"), Some(b"b/c".to_vec()));
        assert_eq!(star("/a/"), Some(Vec::new()));
        assert_eq!(star("/a"), Some(Vec::new()));
        assert_eq!(Pattern::path("/a").unwrap().star(b"/a"), None);
    }
}
