//! What a route asks for beside host and path: methods, header fields, query parameters.

use std::collections::BTreeMap;

use super::RequestView;
use super::edits::is_token;
use super::error::Fault;
use super::pattern::{Ending, Pattern};
use super::query;
use crate::snapshot::MatchSpec;

/// More alternatives than this are checked one by one rather than indexed one by one.
const MOST_INDEXED: usize = 16;

/// The part of a request that a condition looks at.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Subject {
    Method,
    /// Every field of this lower-case name.
    Header(Box<[u8]>),
    /// Every parameter of this name.
    Query(Box<[u8]>),
}

impl Subject {
    /// Whether `test` holds for any value that the request has for this.
    #[inline]
    pub(super) fn any<R: RequestView>(&self, request: &R, mut test: impl FnMut(&[u8]) -> bool) -> bool {
        match self {
            Self::Method => test(request.method()),
            Self::Header(name) => request.header_any(name, test),
            Self::Query(name) => request.query().is_some_and(|query| query::any(query, name, test)),
        }
    }
}

/// Holds when any value of the subject matches any of the patterns.
#[derive(Debug)]
pub(super) struct Condition {
    pub(super) subject: Subject,
    pub(super) patterns: Box<[Pattern]>,
}

impl Condition {
    /// All conditions of a route, the cheap ones first.
    pub(super) fn all(spec: &MatchSpec) -> Result<Box<[Self]>, Fault> {
        let mut conditions = Vec::new();
        if !spec.method.is_empty() {
            if let Some(wrong) = spec.method.iter().find(|method| !is_token(method.as_bytes())) {
                return Err(Fault::new("match.method", format!("`{wrong}` is no method: letters, digits and !#$%&'*+-.^_`|~ only")));
            }
            let patterns = spec.method.iter().map(|method| Pattern::exact(method.as_bytes())).collect();
            conditions.push(Self { subject: Subject::Method, patterns });
        }
        if let Some(wrong) = spec.header.keys().find(|name| !is_token(name.as_bytes())) {
            return Err(Fault::new("match.header", format!("`{wrong}` is no field name: letters, digits and !#$%&'*+-.^_`|~ only")));
        }
        Self::of_fields(
            &spec.header,
            "match.header",
            |name| Subject::Header(name.to_ascii_lowercase().into_bytes().into()),
            &mut conditions,
        )?;
        Self::of_fields(&spec.query, "match.query", |name| Subject::Query(name.as_bytes().into()), &mut conditions)?;
        conditions.sort_by_key(|condition| condition.patterns.iter().any(|pattern| pattern.regex().is_some()));
        Ok(conditions.into())
    }

    fn of_fields(
        fields: &BTreeMap<String, String>,
        key: &str,
        subject: impl Fn(&str) -> Subject,
        into: &mut Vec<Self>,
    ) -> Result<(), Fault> {
        for (name, pattern) in fields {
            let pattern = Pattern::value(pattern).map_err(|why| Fault::new(format!("{key}.{name}"), why))?;
            into.push(Self { subject: subject(name), patterns: [pattern].into() });
        }
        Ok(())
    }

    pub(super) fn holds<R: RequestView>(&self, request: &R) -> bool {
        self.subject.any(request, |value| self.patterns.iter().any(|pattern| pattern.matches(value)))
    }

    /// How well this tells routes apart, less is better; `None` where an index by it would tell nothing.
    pub(super) fn rank(&self) -> Option<(bool, bool)> {
        let literals = || self.patterns.iter().map(Pattern::literal);
        let tells = literals().all(|literal| literal.ending == Ending::End || !literal.text.is_empty());
        let exact = literals().all(|literal| literal.ending == Ending::End);
        (tells && self.patterns.len() <= MOST_INDEXED).then_some((self.subject == Subject::Method, !exact))
    }
}
