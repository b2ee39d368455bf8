//! Why a route cannot be served.

use std::fmt;

/// A route that was refused: which, where in it, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteError {
    /// The route's id.
    pub route: String,
    /// The key inside the route, such as `match.path` or `rewrite`.
    pub field: String,
    /// What is wrong and what to write instead.
    pub reason: String,
}

impl fmt::Display for RouteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "route {}: {}: {}", self.route, self.field, self.reason)
    }
}

impl std::error::Error for RouteError {}

/// A reason that does not know its route yet; [`Fault::of`] adds it at the one place that does.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    field: String,
    reason: String,
}

impl Fault {
    pub(super) fn new(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { field: field.into(), reason: reason.into() }
    }

    pub(super) fn of(self, route: &str) -> RouteError {
        RouteError { route: route.to_owned(), field: self.field, reason: self.reason }
    }
}
