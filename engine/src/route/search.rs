//! One lookup: the first route in declared order that a request matches.

use std::sync::Arc;

use super::RequestView;
use super::index::{Bucket, Candidate, Cell, Field, PathCheck};
use super::pattern::Pattern;
use super::rule::Route;
use super::tree::{Ranked, Tree};

/// What decides about a name fits: a pattern has at most 253 bytes, a wildcard asks for one more.
const HOST_ROOM: usize = 255;

/// A host's name backwards and in lower case, cut off in front when it is too long to be one.
struct Backwards {
    bytes: [u8; HOST_ROOM],
    len: usize,
}

impl Backwards {
    /// A dot at the end only says that the name is complete.
    fn new(host: &[u8]) -> Self {
        let host = host.strip_suffix(b".").unwrap_or(host);
        let mut bytes = [0; HOST_ROOM];
        for (place, byte) in bytes.iter_mut().zip(host.iter().rev()) {
            *place = byte.to_ascii_lowercase();
        }
        Self { bytes, len: host.len().min(HOST_ROOM) }
    }

    fn text(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or(&self.bytes)
    }
}

/// The first route of `routes` that matches, by its place.
pub(super) fn first<R: RequestView>(index: &Tree<Bucket>, has_unanchored: bool, routes: &[Arc<Route>], request: &R) -> Option<u32> {
    let mut search = Search { request, path: request.path(), routes, best: u32::MAX };
    if index.discriminates() {
        let host = Backwards::new(request.host());
        search.hosts(index, host.text(), has_unanchored);
    } else {
        search.hosts(index, b"", has_unanchored);
    }
    (search.best != u32::MAX).then_some(search.best)
}

struct Search<'a, R> {
    request: &'a R,
    path: &'a [u8],
    routes: &'a [Arc<Route>],
    /// The lowest place that matched so far; nothing at or behind it is looked at.
    best: u32,
}

impl<R: RequestView> Search<'_, R> {
    fn hosts(&mut self, index: &Tree<Bucket>, host: &[u8], has_unanchored: bool) {
        let mut walk = index.walk(host);
        while let Some(bucket) = walk.next(self.best) {
            self.paths(&bucket.paths);
        }
        if has_unanchored {
            let mut walk = index.walk(host);
            while let Some(bucket) = walk.next(self.best) {
                self.cell(&bucket.unanchored);
            }
        }
    }

    #[inline]
    fn paths(&mut self, paths: &Tree<Cell>) {
        let mut walk = paths.walk(self.path);
        while let Some(cell) = walk.next(self.best) {
            self.cell(cell);
        }
    }

    #[inline]
    fn cell(&mut self, cell: &Cell) {
        self.candidates(&cell.plain);
        for field in &cell.fields {
            if field.first() >= self.best {
                break;
            }
            self.field(field);
        }
    }

    fn field(&mut self, field: &Field) {
        let request = self.request;
        field.subject.any(request, |value| {
            let mut walk = field.values.walk(value);
            while let Some(candidates) = walk.next(self.best) {
                self.candidates(candidates);
            }
            false
        });
    }

    #[inline]
    fn candidates(&mut self, candidates: &[Candidate]) {
        for candidate in candidates {
            if candidate.route >= self.best {
                return;
            }
            if candidate.certain || self.holds(candidate) {
                self.best = candidate.route;
                return;
            }
        }
    }

    fn holds(&self, candidate: &Candidate) -> bool {
        let Some(route) = self.routes.get(candidate.route as usize) else { return false };
        let proven = candidate.proven.map(usize::from);
        let conditions = route.conditions.iter().enumerate();
        conditions.filter(|(at, _)| Some(*at) != proven).all(|(_, condition)| condition.holds(self.request))
            && self.path_holds(candidate.path, &route.paths)
    }

    fn path_holds(&self, check: PathCheck, paths: &[Pattern]) -> bool {
        match check {
            PathCheck::Done => true,
            PathCheck::Alternative(at) => paths.get(usize::from(at)).is_some_and(|path| path.matches(self.path)),
            PathCheck::All => paths.iter().any(|path| path.matches(self.path)),
        }
    }
}
