//! One route, compiled.

use std::borrow::Cow;
use std::sync::Arc;

use super::condition::Condition;
use super::edits::{HeaderEdits, editable, is_value};
use super::error::{Fault, RouteError};
use super::pattern::Pattern;
use super::redirect::Redirect;
use super::rewrite::Rewrite;
use crate::failover::learned::Learned;
use crate::snapshot::{ActionSpec, RouteSpec};

/// A route as declared, and all that serving by it needs worked out.
#[derive(Debug)]
pub struct Route {
    /// As declared.
    pub spec: Arc<RouteSpec>,
    /// Edits of the request that goes to the server.
    pub request_headers: HeaderEdits,
    /// Edits of the response that goes to the client.
    pub response_headers: HeaderEdits,
    /// How long answers take to what it matches.
    pub learned: Arc<Learned>,
    pub(super) hosts: Box<[Pattern]>,
    pub(super) paths: Box<[Pattern]>,
    pub(super) conditions: Box<[Condition]>,
    rewrite: Rewrite,
    redirect: Option<Redirect>,
}

impl Route {
    /// Compiles it; what the route of this name has learned of the same pool is taken over.
    pub(super) fn compile(spec: &Arc<RouteSpec>, previous: Option<&Self>) -> Result<Self, RouteError> {
        let mut route = Self::parse(spec).map_err(|fault| fault.of(&spec.id))?;
        if let Some(known) = previous.filter(|known| known.spec.action == spec.action) {
            route.learned = Arc::clone(&known.learned);
        }
        Ok(route)
    }

    fn parse(spec: &Arc<RouteSpec>) -> Result<Self, Fault> {
        let hosts = patterns(&spec.matches.host, "match.host", Pattern::host)?;
        let paths = patterns(&spec.matches.path, "match.path", Pattern::path)?;
        let redirect = match &spec.action {
            ActionSpec::Redirect { to, .. } => Some(Redirect::parse(to, &paths).map_err(|why| Fault::new("redirect", why))?),
            ActionSpec::Respond { headers, .. } => check_fields(headers).map(|()| None)?,
            ActionSpec::Pool(_) => None,
        };
        Ok(Self {
            spec: Arc::clone(spec),
            request_headers: HeaderEdits::compile(&spec.request_headers, "request_headers")?,
            response_headers: HeaderEdits::compile(&spec.response_headers, "response_headers")?,
            learned: Arc::default(),
            conditions: Condition::all(&spec.matches)?,
            rewrite: Rewrite::compile(spec, &paths)?,
            redirect,
            hosts,
            paths,
        })
    }

    /// The path to send on for `path`, which this route matched; without `strip_prefix` or `rewrite` it is `path` itself.
    ///
    /// The result is never empty, and begins with two slashes only where `path` did.
    #[must_use]
    pub fn target<'p>(&self, path: &'p [u8]) -> Cow<'p, [u8]> {
        self.rewrite.apply(path, &self.paths)
    }

    /// The `Location` with which this route answers a request for `path` and `query`: visible ASCII only, and on another host
    /// only where the route's `to` names that host. Empty when the route is no redirect.
    #[must_use]
    pub fn location(&self, path: &[u8], query: Option<&[u8]>) -> Vec<u8> {
        self.redirect.as_ref().map_or_else(Vec::new, |redirect| redirect.location(path, query, &self.paths))
    }
}

fn patterns(texts: &[String], key: &str, parse: impl Fn(&str) -> Result<Pattern, String>) -> Result<Box<[Pattern]>, Fault> {
    texts.iter().map(|text| parse(text).map_err(|why| Fault::new(key, why))).collect()
}

fn check_fields(fields: &[(String, String)]) -> Result<(), Fault> {
    for (name, value) in fields {
        editable(name).map_err(|why| Fault::new("respond.headers", why))?;
        if !is_value(value.as_bytes()) {
            return Err(Fault::new("respond.headers", format!("the value of `{name}` has a control character")));
        }
    }
    Ok(())
}
