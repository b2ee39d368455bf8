//! The path that is sent on.

use std::borrow::Cow;

use super::error::Fault;
use super::escape::{Keep, one_slash};
use super::pattern::Pattern;
use super::template::{Bindings, Template};
use crate::snapshot::RouteSpec;

/// What a route does to a path.
#[derive(Debug)]
pub(super) enum Rewrite {
    Nothing,
    /// Takes this away from the front; no slash at its end.
    Strip(Box<[u8]>),
    Template(Template),
}

impl Rewrite {
    pub(super) fn compile(spec: &RouteSpec, patterns: &[Pattern]) -> Result<Self, Fault> {
        match (&spec.strip_prefix, &spec.rewrite) {
            (None, None) => Ok(Self::Nothing),
            (Some(_), Some(_)) => Err(Fault::new("rewrite", "stands beside `strip_prefix`; a route has one of them")),
            (Some(prefix), None) if !prefix.starts_with('/') => {
                Err(Fault::new("strip_prefix", format!("`{prefix}` does not begin with `/`")))
            }
            (Some(prefix), None) => Ok(Self::Strip(prefix.trim_end_matches('/').as_bytes().into())),
            (None, Some(text)) => Self::template(text, patterns).map_err(|why| Fault::new("rewrite", why)),
        }
    }

    fn template(text: &str, patterns: &[Pattern]) -> Result<Self, String> {
        if !text.starts_with('/') || text.starts_with("//") {
            return Err(format!("`{text}` does not begin with one `/`"));
        }
        if text.contains(['?', '#']) {
            return Err(format!("`{text}` is more than a path; the query is kept as the client sent it"));
        }
        Template::parse(text, patterns).map(Self::Template)
    }

    /// The path to send for `path`. It begins with two slashes only where `path` did.
    pub(super) fn apply<'p>(&self, path: &'p [u8], patterns: &[Pattern]) -> Cow<'p, [u8]> {
        match self {
            Self::Nothing => Cow::Borrowed(path),
            Self::Strip(prefix) => match path.strip_prefix(&**prefix) {
                Some(rest @ [b'/', after @ ..]) if !after.starts_with(b"/") && Keep::Path.keeps_all(rest) => Cow::Borrowed(rest),
                Some(rest) if matches!(rest.first(), None | Some(b'/')) => Cow::Owned(guarded(path, |out| Keep::Path.push(rest, out))),
                _ => Cow::Borrowed(path),
            },
            Self::Template(template) => Cow::Owned(guarded(path, |out| template.expand(&Bindings::of(patterns, path), Keep::Path, out))),
        }
    }
}

fn guarded(path: &[u8], fill: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::with_capacity(path.len() + 16);
    fill(&mut out);
    if !path.starts_with(b"//") {
        one_slash(&mut out);
    }
    if out.is_empty() {
        out.push(b'/');
    }
    out
}
