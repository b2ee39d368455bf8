//! Texts with place holders: `*`, `$1` to `$9`, `$name`, `${name}`; `$$` is a dollar.

use regex::bytes::Captures;

use super::escape::Keep;
use super::pattern::Pattern;

/// A text parsed once.
#[derive(Debug)]
pub(super) struct Template {
    pub(super) parts: Vec<Part>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part {
    Literal(Vec<u8>),
    Holder(Holder),
}

/// A place holder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Holder {
    /// What the pattern's `*` stood for.
    Star,
    /// A group of the pattern's expression, from 1.
    Number(usize),
    /// A named group.
    Name(String),
}

impl Template {
    /// Parses `text` for routes that match by any of `patterns`; all of them must provide every place holder.
    pub(super) fn parse(text: &str, patterns: &[Pattern]) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let (part, after) = match first {
                '*' => (Part::Holder(Holder::Star), rest.get(1..)),
                '$' => dollar(rest)?,
                _ => {
                    let end = rest.find(['*', '$']).unwrap_or(rest.len());
                    (Part::Literal(rest.get(..end).unwrap_or(rest).into()), rest.get(end..))
                }
            };
            push(&mut parts, part);
            rest = after.unwrap_or_default();
        }
        let template = Self { parts };
        template.check(patterns).map(|()| template)
    }

    fn check(&self, patterns: &[Pattern]) -> Result<(), String> {
        for part in &self.parts {
            let Part::Holder(holder) = part else { continue };
            if patterns.is_empty() || !patterns.iter().all(|pattern| holder.is_provided_by(pattern)) {
                return Err(holder.missing());
            }
        }
        Ok(())
    }

    /// The text that every result begins with.
    pub(super) fn beginning(&self) -> &[u8] {
        match self.parts.first() {
            Some(Part::Literal(text)) => text,
            _ => b"",
        }
    }

    /// Appends the text for a match; what came from the client is encoded by `keep`.
    pub(super) fn expand(&self, bindings: &Bindings<'_>, keep: Keep, out: &mut Vec<u8>) {
        for part in &self.parts {
            match part {
                Part::Literal(text) => out.extend_from_slice(text),
                Part::Holder(holder) => keep.push(bindings.get(holder), out),
            }
        }
    }
}

/// Neighbouring literals become one, and what may not stand in a URL is encoded at once.
fn push(parts: &mut Vec<Part>, part: Part) {
    let Part::Literal(text) = part else { return parts.push(part) };
    let mut encoded = Vec::with_capacity(text.len());
    for byte in text {
        if byte.is_ascii_graphic() {
            encoded.push(byte);
        } else {
            Keep::Location.push(&[byte], &mut encoded);
        }
    }
    match parts.last_mut() {
        Some(Part::Literal(before)) => before.append(&mut encoded),
        _ => parts.push(Part::Literal(encoded)),
    }
}

fn dollar(rest: &str) -> Result<(Part, Option<&str>), String> {
    let behind = rest.get(1..).unwrap_or_default();
    let whole = |name: &str| match name.parse() {
        Ok(number) => Holder::Number(number),
        Err(_) => Holder::Name(name.to_owned()),
    };
    match behind.bytes().next() {
        Some(b'$') => Ok((Part::Literal(b"$".to_vec()), behind.get(1..))),
        Some(b'{') => {
            let (name, after) = behind.get(1..).and_then(|inner| inner.split_once('}')).ok_or("a `${` has no `}`")?;
            Ok((Part::Holder(whole(name)), Some(after)))
        }
        Some(b'1'..=b'9') => Ok((Part::Holder(whole(behind.get(..1).unwrap_or_default())), behind.get(1..))),
        Some(byte) if byte.is_ascii_alphabetic() || byte == b'_' => {
            let end = behind.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(behind.len());
            Ok((Part::Holder(whole(behind.get(..end).unwrap_or_default())), behind.get(end..)))
        }
        _ => Err("a `$` is followed by no group; write `$1`, `${name}`, or `$$` for a dollar".to_owned()),
    }
}

impl Holder {
    fn is_provided_by(&self, pattern: &Pattern) -> bool {
        match (self, pattern.regex()) {
            (Self::Star, _) => pattern.has_star(),
            (Self::Number(number), Some(regex)) => (1..regex.captures_len()).contains(number),
            (Self::Name(name), Some(regex)) => regex.capture_names().flatten().any(|known| known == name),
            (_, None) => false,
        }
    }

    fn missing(&self) -> String {
        let group = match self {
            Self::Star => return "`*` needs a path like `/prefix/*` in `match.path`, in each of its alternatives".to_owned(),
            Self::Number(number) => number.to_string(),
            Self::Name(name) => name.clone(),
        };
        format!("`${{{group}}}` is no group of the expression in `match.path`; each alternative there must be a `~REGEX` that has it")
    }
}

/// What the place holders stand for in one path.
pub(super) enum Bindings<'p> {
    Star(&'p [u8]),
    Groups(Captures<'p>),
    Nothing,
}

impl<'p> Bindings<'p> {
    /// From the first of `patterns` that matches.
    pub(super) fn of(patterns: &[Pattern], path: &'p [u8]) -> Self {
        let Some(pattern) = patterns.iter().find(|pattern| pattern.matches(path)) else { return Self::Nothing };
        match pattern.regex() {
            Some(regex) => regex.captures(path).map_or(Self::Nothing, Self::Groups),
            None => pattern.star(path).map_or(Self::Nothing, Self::Star),
        }
    }

    /// Empty for a group that took no part in the match.
    pub(super) fn get(&self, holder: &Holder) -> &[u8] {
        let group = match (self, holder) {
            (Self::Star(star), Holder::Star) => return star,
            (Self::Groups(groups), Holder::Number(number)) => groups.get(*number),
            (Self::Groups(groups), Holder::Name(name)) => groups.name(name),
            _ => None,
        };
        group.map_or(b"", |group| group.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expand(template: &str, patterns: &[&str], path: &str) -> Result<String, String> {
        let patterns: Vec<_> = patterns.iter().map(|text| Pattern::path(text).unwrap()).collect();
        let template = Template::parse(template, &patterns)?;
        let mut out = Vec::new();
        template.expand(&Bindings::of(&patterns, path.as_bytes()), Keep::Path, &mut out);
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn a_star_is_what_the_patterns_star_stood_for() {
        assert_eq!(expand("/new/*", &["/old/*"], "/old/a/b").unwrap(), "/new/a/b");
        assert_eq!(expand("/new/*", &["/old/*"], "/old").unwrap(), "/new/");
        assert_eq!(expand("/new/*/end", &["/old/*"], "/old/").unwrap(), "/new//end");
    }

    #[test]
    fn groups_are_named_by_number_or_by_name() {
        let pattern = ["~/(?<who>[a-z]+)/([0-9]+)(x)?"];
        assert_eq!(expand("/$2/$who/${who}s/$3$$", &pattern, "/ann/7").unwrap(), "/7/ann/anns/$");
        assert_eq!(expand("/$12", &["~/(.)"], "/a").unwrap(), "/a2");
    }

    #[test]
    fn the_first_alternative_that_matches_counts() {
        assert_eq!(expand("/$1", &["~/a/(b)", "~/(.*)"], "/a/b").unwrap(), "/b");
        assert_eq!(expand("/$1", &["~/a/(b)", "~/(.*)"], "/a/c").unwrap(), "/a/c");
    }

    #[test]
    fn a_place_holder_that_some_alternative_does_not_provide_is_refused() {
        for (template, patterns) in [
            ("/*", &["/a"][..]),
            ("/*", &["/a/*", "/b"]),
            ("/*", &[]),
            ("/$2", &["~/(a)"]),
            ("/${0}", &["~/(a)"]),
            ("/$who", &["~/(a)"]),
            ("/$1", &["/a/*"]),
            ("/$", &["~/(a)"]),
            ("/${who", &["~/(?<who>a)"]),
        ] {
            assert!(expand(template, patterns, "/a").is_err(), "{template} {patterns:?}");
        }
    }

    #[test]
    fn literals_are_encoded_once_when_parsed() {
        assert_eq!(expand("/a b/é", &["/x"], "/x").unwrap(), "/a%20b/%C3%A9");
    }

    #[test]
    fn what_the_client_sent_cannot_begin_a_query() {
        assert_eq!(expand("/$1", &["~/(.*)"], "/a#b?c d").unwrap(), "/a%23b%3Fc%20d");
    }
}
