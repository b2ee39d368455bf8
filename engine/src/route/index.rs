//! The index over all routes: hosts, then paths, then what else tells the routes there apart.
//!
//! A route is entered once for each pair of its hosts and paths. Where several routes share host and path they are told apart by
//! the condition that does it best: an exact field or parameter, the beginning of one, or the method.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::condition::Subject;
use super::pattern::{Ending, Literal, Pattern};
use super::rule::Route;
use super::tree::{Ranked, Tree};

/// Above this many pairs of host and path a route is found by its hosts alone and its paths are tried one by one.
const MOST_PAIRS: usize = 1024;
/// Routes that one condition must tell apart before an index by it is quicker than trying them.
const FEW: usize = 4;

/// Routes for one host pattern.
#[derive(Debug)]
pub(super) struct Bucket {
    /// By the literal that their path begins with.
    pub(super) paths: Tree<Cell>,
    /// Those whose expression begins with no literal: each must be tried, so they are tried last.
    pub(super) unanchored: Cell,
}

/// Routes for one host pattern and one path literal.
#[derive(Debug)]
pub(super) struct Cell {
    first: u32,
    pub(super) plain: Box<[Candidate]>,
    /// In ascending order of their first route.
    pub(super) fields: Box<[Field]>,
}

/// Routes told apart by the value of one subject.
#[derive(Debug)]
pub(super) struct Field {
    first: u32,
    pub(super) subject: Subject,
    pub(super) values: Tree<Box<[Candidate]>>,
}

/// A route that may match: what led here holds, the rest is still to be checked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Candidate {
    /// Its place in the declared order.
    pub(super) route: u32,
    pub(super) path: PathCheck,
    /// The condition that led here and needs no further check.
    pub(super) proven: Option<u16>,
    /// Whether nothing is left to check.
    pub(super) certain: bool,
}

/// What of a route's paths is still to be checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PathCheck {
    Done,
    /// The expression of this alternative.
    Alternative(u16),
    /// All alternatives.
    All,
}

impl Ranked for Bucket {
    fn first(&self) -> u32 {
        self.paths.first().min(self.unanchored.first)
    }
}

impl Ranked for Cell {
    fn first(&self) -> u32 {
        self.first
    }
}

impl Ranked for Field {
    fn first(&self) -> u32 {
        self.first
    }
}

impl Ranked for Box<[Candidate]> {
    #[inline]
    fn first(&self) -> u32 {
        self.split_first().map_or(u32::MAX, |(candidate, _)| candidate.route)
    }
}

type Entry = (u32, PathCheck);
type Paths<'r> = BTreeMap<Literal<'r>, Vec<Entry>>;

/// Builds the index over `routes`, in their order.
pub(super) fn build(routes: &[Arc<Route>]) -> Tree<Bucket> {
    let mut hosts: BTreeMap<Literal<'_>, Paths<'_>> = BTreeMap::new();
    for (place, route) in (0u32..).zip(routes) {
        let paths = path_entries(route);
        for host in host_literals(route) {
            let bucket = hosts.entry(host).or_default();
            for (literal, check) in &paths {
                bucket.entry(*literal).or_default().push((place, *check));
            }
        }
    }
    Tree::build(hosts.into_iter().map(|(host, paths)| (host, Bucket::build(paths, routes))))
}

fn host_literals(route: &Route) -> Vec<Literal<'_>> {
    if route.hosts.is_empty() {
        return vec![Literal::EVERYTHING];
    }
    route.hosts.iter().map(Pattern::literal).collect()
}

fn path_entries(route: &Route) -> Vec<(Literal<'_>, PathCheck)> {
    if route.paths.is_empty() {
        return vec![(Literal::EVERYTHING, PathCheck::Done)];
    }
    if route.paths.len() * route.hosts.len().max(1) > MOST_PAIRS {
        return vec![(Literal::EVERYTHING, PathCheck::All)];
    }
    let check = |(at, path): (u16, &Pattern)| match path.regex() {
        Some(_) => PathCheck::Alternative(at),
        None => PathCheck::Done,
    };
    (0u16..).zip(&route.paths).map(|(at, path)| (path.literal(), check((at, path)))).collect()
}

impl Bucket {
    fn build(paths: Paths<'_>, routes: &[Arc<Route>]) -> Self {
        let mut unanchored = Vec::new();
        let mut cells = Vec::with_capacity(paths.len());
        for (literal, entries) in paths {
            // A literal that every path begins with leads every request to the expression.
            let everywhere = literal.ending == Ending::Any && literal.text.len() <= 1;
            let (tried, found): (Vec<Entry>, Vec<Entry>) =
                entries.into_iter().partition(|(_, check)| everywhere && *check != PathCheck::Done);
            unanchored.extend(tried);
            if !found.is_empty() {
                cells.push((literal, Cell::build(&found, routes)));
            }
        }
        unanchored.sort_by_key(|(place, _)| *place);
        Self { paths: Tree::build(cells), unanchored: Cell::build(&unanchored, routes) }
    }
}

impl Cell {
    fn build(entries: &[Entry], routes: &[Arc<Route>]) -> Self {
        let mut groups: BTreeMap<Option<&Subject>, Vec<(Entry, &Route, usize)>> = BTreeMap::new();
        for entry in entries {
            let Some(route) = routes.get(entry.0 as usize) else { continue };
            let best = route
                .conditions
                .iter()
                .enumerate()
                .filter_map(|(at, condition)| Some((condition.rank()?, at, condition)))
                .min_by_key(|(rank, at, _)| (*rank, *at));
            let (subject, at) = best.map_or((None, 0), |(_, at, condition)| (Some(&condition.subject), at));
            groups.entry(subject).or_default().push((*entry, route, at));
        }
        let mut plain = Vec::new();
        let mut fields = Vec::new();
        for (subject, members) in groups {
            match subject {
                Some(subject) if members.len() >= FEW => fields.push(Field::build(subject, &members)),
                _ => plain.extend(members.iter().map(|(entry, route, _)| Candidate::new(*entry, route, None))),
            }
        }
        plain.sort_by_key(|candidate: &Candidate| candidate.route);
        fields.sort_by_key(Ranked::first);
        let first = plain.first().map_or(u32::MAX, |candidate| candidate.route).min(fields.first().map_or(u32::MAX, Ranked::first));
        Self { first, plain: plain.into(), fields: fields.into() }
    }
}

impl Field {
    fn build(subject: &Subject, members: &[(Entry, &Route, usize)]) -> Self {
        let mut values: BTreeMap<Literal<'_>, Vec<Candidate>> = BTreeMap::new();
        for (entry, route, at) in members {
            let patterns = route.conditions.get(*at).map(|condition| &*condition.patterns).unwrap_or_default();
            for pattern in patterns {
                let proven = if pattern.regex().is_none() { Some(*at) } else { None };
                values.entry(pattern.literal()).or_default().push(Candidate::new(*entry, route, proven));
            }
        }
        let values = Tree::build(values.into_iter().map(|(literal, candidates)| (literal, candidates.into())));
        Self { first: values.first(), subject: subject.clone(), values }
    }
}

impl Candidate {
    fn new((place, path): Entry, route: &Route, proven: Option<usize>) -> Self {
        let proven = proven.and_then(|at| u16::try_from(at).ok());
        let unproven = route.conditions.len() - usize::from(proven.is_some());
        Self { route: place, path, proven, certain: unproven == 0 && path == PathCheck::Done }
    }
}
