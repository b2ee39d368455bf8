//! Which route a request takes, and what the route does to its path and head.
//!
//! The first route in declared order whose conditions all hold is taken. A lookup does not try the routes one by one: it follows
//! the request's host, then its path, through trees of the literals that the routes are written with (`tree.rs`, `index.rs`),
//! runs a regular expression only when the path begins with the expression's literal, and keeps nothing but the lowest match so
//! far (`search.rs`). Its cost is that of the request's length, whatever the number of routes.

mod condition;
mod edits;
mod error;
mod escape;
mod index;
mod pattern;
pub mod query;
mod redirect;
mod rewrite;
mod rule;
mod search;
mod template;
#[cfg(test)]
mod tests;
mod tree;

use std::cell::LazyCell;
use std::sync::Arc;

use rustc_hash::FxHashMap;

pub use edits::HeaderEdits;
pub use error::RouteError;
use index::Bucket;
pub use rule::Route;
use tree::{Ranked, Tree};

use crate::snapshot::RouteSpec;

/// What routing looks at in a request.
pub trait RequestView {
    /// As sent.
    fn method(&self) -> &[u8];
    /// Without port, in any case; empty when there is none.
    fn host(&self) -> &[u8];
    /// As sent, without query; begins with `/`, or is `*`.
    fn path(&self) -> &[u8];
    /// As sent, without `?`.
    fn query(&self) -> Option<&[u8]>;
    /// Whether `test` holds for the value of any field of this lower-case name; asks in the order of the fields until it does.
    fn header_any(&self, name: &[u8], test: impl FnMut(&[u8]) -> bool) -> bool;
}

/// All routes, compiled.
#[derive(Debug)]
pub struct RouteTable {
    routes: Box<[Arc<Route>]>,
    index: Arc<Tree<Bucket>>,
    has_unanchored: bool,
}

impl RouteTable {
    /// Compiles `routes`; one whose spec is in `previous` unchanged is taken over from there.
    ///
    /// # Errors
    /// The first route that has a pattern, a place holder, an edit or a target that cannot work.
    pub fn compile(routes: &[Arc<RouteSpec>], previous: Option<&Self>) -> Result<Self, RouteError> {
        let before = previous.map(Self::routes).unwrap_or_default();
        // Made only where a route does not stand where it stood.
        let known = LazyCell::new(|| before.iter().map(|route| (route.spec.id.as_str(), route)).collect::<FxHashMap<_, _>>());
        let compile = |(place, spec): (usize, &Arc<RouteSpec>)| {
            let here = before.get(place).filter(|route| route.spec.id == spec.id);
            match here.or_else(|| known.get(spec.id.as_str()).copied()) {
                // Arcs of one value are equal without a look at it.
                Some(route) if route.spec == *spec => Ok(Arc::clone(route)),
                route => Route::compile(spec, route.map(|route| &**route)).map(Arc::new),
            }
        };
        let routes: Box<[Arc<Route>]> = routes.iter().enumerate().map(compile).collect::<Result<_, _>>()?;
        let index = match previous {
            Some(previous) if matches_alike(&routes, before) => Arc::clone(&previous.index),
            _ => Arc::new(index::build(&routes)),
        };
        let has_unanchored = index.values().any(|bucket| bucket.unanchored.first() != u32::MAX);
        Ok(Self { routes, index, has_unanchored })
    }

    /// The first route that `request` matches, with its place in the declared order.
    pub fn find<R: RequestView>(&self, request: &R) -> Option<(usize, &Arc<Route>)> {
        let place = search::first(&self.index, self.has_unanchored, &self.routes, request)? as usize;
        self.routes.get(place).map(|route| (place, route))
    }

    /// In declared order.
    #[must_use]
    pub fn routes(&self) -> &[Arc<Route>] {
        &self.routes
    }
}

/// Whether the routes match the same, place by place, whatever they do with what they match.
fn matches_alike(routes: &[Arc<Route>], before: &[Arc<Route>]) -> bool {
    let alike = |(one, other): (&Arc<Route>, &Arc<Route>)| Arc::ptr_eq(one, other) || one.spec.matches == other.spec.matches;
    routes.len() == before.len() && routes.iter().zip(before).all(alike)
}
