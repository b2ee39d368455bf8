//! The table against a reference that tries every route in turn, and the rules of compiling.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::{RequestView, RouteTable};
use crate::snapshot::{ActionSpec, HeaderEditsSpec, MatchSpec, RouteSpec};

#[derive(Debug, Clone, Default)]
struct Request {
    method: String,
    host: String,
    path: String,
    query: Option<String>,
    headers: Vec<(String, String)>,
}

impl RequestView for Request {
    fn method(&self) -> &[u8] {
        self.method.as_bytes()
    }

    fn host(&self) -> &[u8] {
        self.host.as_bytes()
    }

    fn path(&self) -> &[u8] {
        self.path.as_bytes()
    }

    fn query(&self) -> Option<&[u8]> {
        self.query.as_deref().map(str::as_bytes)
    }

    fn header_any(&self, name: &[u8], mut test: impl FnMut(&[u8]) -> bool) -> bool {
        self.headers.iter().any(|(known, value)| known.as_bytes().eq_ignore_ascii_case(name) && test(value.as_bytes()))
    }
}

fn request(method: &str, host: &str, path: &str) -> Request {
    let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query.to_owned())));
    Request { method: method.to_owned(), host: host.to_owned(), path: path.to_owned(), query, headers: Vec::new() }
}

fn route(id: impl Into<String>, matches: MatchSpec) -> RouteSpec {
    RouteSpec {
        id: id.into(),
        matches,
        action: ActionSpec::Pool("app".to_owned()),
        timeout: None,
        first_byte_timeout: None,
        strip_prefix: None,
        rewrite: None,
        request_headers: HeaderEditsSpec::default(),
        response_headers: HeaderEditsSpec::default(),
        idempotency_key: false,
    }
}

fn on_path(paths: &[&str]) -> MatchSpec {
    MatchSpec { path: paths.iter().map(|path| (*path).to_owned()).collect(), ..MatchSpec::default() }
}

/// The semantics in the plainest words there are: strings, one route after the other.
mod reference {
    use std::cell::RefCell;
    use std::collections::HashMap;

    use regex::Regex;

    use super::{BTreeMap, MatchSpec, Request};

    pub(super) fn find(routes: &[MatchSpec], request: &Request) -> Option<usize> {
        routes.iter().position(|route| matches(route, request))
    }

    fn matches(route: &MatchSpec, request: &Request) -> bool {
        let headers: Vec<_> = request.headers.iter().map(|(name, value)| (name.to_lowercase(), value.clone())).collect();
        any(&route.host, |pattern| host(pattern, &request.host))
            && any(&route.path, |pattern| path(pattern, &request.path))
            && any(&route.method, |method| *method == request.method)
            && fields(&route.header, &headers)
            && fields(&route.query, &parameters(request.query.as_deref().unwrap_or("")))
    }

    fn any(alternatives: &[String], holds: impl Fn(&String) -> bool) -> bool {
        alternatives.is_empty() || alternatives.iter().any(holds)
    }

    fn host(pattern: &str, name: &str) -> bool {
        let name = name.to_lowercase();
        let name = name.strip_suffix('.').unwrap_or(&name);
        match pattern.strip_prefix('*') {
            Some(suffix) => name.ends_with(suffix) && name.len() > suffix.len(),
            None => name == pattern,
        }
    }

    fn path(pattern: &str, path: &str) -> bool {
        match (pattern.strip_prefix('~'), pattern.strip_suffix("/*")) {
            (Some(expression), _) => whole(expression, path),
            (None, Some(prefix)) => path == prefix || path.starts_with(&format!("{prefix}/")),
            (None, None) => path == pattern,
        }
    }

    thread_local! {
        static EXPRESSIONS: RefCell<HashMap<String, Regex>> = RefCell::default();
    }

    fn whole(expression: &str, text: &str) -> bool {
        let compile = || Regex::new(&format!("^(?:{expression})$")).unwrap();
        EXPRESSIONS.with_borrow_mut(|known| known.entry(expression.to_owned()).or_insert_with(compile).is_match(text))
    }

    fn fields(patterns: &BTreeMap<String, String>, present: &[(String, String)]) -> bool {
        patterns.iter().all(|(name, pattern)| present.iter().any(|(known, text)| known == name && value(pattern, text)))
    }

    fn value(pattern: &str, text: &str) -> bool {
        match (pattern.strip_prefix('~'), pattern.strip_suffix('*')) {
            (Some(expression), _) => whole(expression, text),
            (None, Some(prefix)) => text.starts_with(prefix),
            (None, None) => text == pattern,
        }
    }

    fn parameters(query: &str) -> Vec<(String, String)> {
        let decode = |text: &str| text.replace('+', " ").replace("%61", "a").replace("%20", " ");
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        pairs.map(|pair| pair.split_once('=').unwrap_or((pair, ""))).map(|(name, value)| (decode(name), decode(value))).collect()
    }
}

const HOSTS: [&str; 7] = ["a.test", "b.test", "x.a.test", "*.test", "*.a.test", "*.x.a.test", "other"];
const NAMES: [&str; 11] = ["a.test", "A.Test", "b.test", "x.a.test", "y.x.a.test", "test", "", ".test", "other", "other.", "ba.test"];
const PATHS: [&str; 18] = [
    "/",
    "/*",
    "/a",
    "/a/*",
    "/a/b",
    "/a/b/*",
    "/ab",
    "/ab/*",
    "/b/*",
    "//*",
    "~/a/[0-9]+",
    "~/a/b/.*",
    "~/a|/b",
    "~/.*b",
    "~.*/b",
    "~/ab?(/x)?",
    "~(?i)/A/b",
    "~/b/[a-z]{1,3}",
];
const TARGETS: [&str; 18] = [
    "/", "*", "/a", "/a/", "/a/b", "/A/B", "/a/b/", "/a/b/c", "/a/1", "/a/1b", "/ab", "/ab/x", "/abc", "/b", "/b/x", "/b/xyzu", "//",
    "//a/b",
];
const METHODS: [&str; 4] = ["GET", "POST", "PUT", "GE"];
const FIELDS: [&str; 3] = ["x-a", "x-b", "a"];
const PATTERNS: [&str; 8] = ["a", "b", "*", "a*", "ab*", "~a+", "~.*b", "a b"];
const VALUES: [&str; 7] = ["a", "b", "", "ab", "aab", "abc", "a b"];
const QUERIES: [&str; 9] = ["", "a", "a=a", "x-a=b&a=ab", "%61=%61", "a=a+b", "a=a%20b&x-b=a", "x-a=aab&x-b", "b=a&&a=b"];

fn strings(of: &'static [&'static str], most: usize) -> impl Strategy<Value = Vec<String>> {
    vec(select(of).prop_map(str::to_owned), 0..=most)
}

fn fields() -> impl Strategy<Value = BTreeMap<String, String>> {
    prop_oneof![2 => Just(BTreeMap::new()), 1 => btree_map(select(&FIELDS[..]).prop_map(str::to_owned), select(&PATTERNS[..]).prop_map(str::to_owned), 1..3)]
}

fn a_match() -> impl Strategy<Value = MatchSpec> {
    let host = prop_oneof![Just(Vec::new()), strings(&HOSTS, 2)];
    let method = prop_oneof![Just(Vec::new()), strings(&METHODS, 2)];
    (host, strings(&PATHS, 3), method, fields(), fields()).prop_map(|(host, path, method, header, query)| MatchSpec {
        host,
        path,
        method,
        header,
        query,
    })
}

fn a_request() -> impl Strategy<Value = Request> {
    let headers = vec((select(&FIELDS[..]), select(&VALUES[..]), any::<bool>()), 0..4);
    (select(&METHODS[..]), select(&NAMES[..]), select(&TARGETS[..]), option::of(select(&QUERIES[..])), headers).prop_map(
        |(method, host, path, query, headers)| Request {
            method: method.to_owned(),
            host: host.to_owned(),
            path: path.to_owned(),
            query: query.map(str::to_owned),
            headers: headers
                .into_iter()
                .map(|(name, value, upper)| (if upper { name.to_uppercase() } else { name.to_owned() }, value.to_owned()))
                .collect(),
        },
    )
}

fn table(matches: &[MatchSpec]) -> RouteTable {
    let specs: Vec<_> =
        matches.iter().enumerate().map(|(at, matches)| route(format!("routes[{at}]"), matches.clone())).map(Arc::new).collect();
    RouteTable::compile(&specs, None).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn the_index_finds_what_trying_every_route_in_turn_finds(matches in vec(a_match(), 0..40), requests in vec(a_request(), 20)) {
        let table = table(&matches);
        for request in &requests {
            let found = table.find(request).map(|(place, _)| place);
            prop_assert_eq!(found, reference::find(&matches, request), "{:?}", request);
        }
    }

    #[test]
    fn a_rewritten_path_is_a_path_and_names_no_host(path in "/[ -~\\x00-\\x20\\x7f/]{0,12}", rewrite in select(vec!["/*", "/x/*", "/$$*", "/*/*"]), strip in any::<bool>()) {
        let mut spec = route("r", on_path(&["/*"]));
        if strip { spec.strip_prefix = Some("/a".to_owned()) } else { spec.rewrite = Some(rewrite.to_owned()) }
        let table = RouteTable::compile(&[Arc::new(spec)], None).unwrap();
        let target = table.routes()[0].target(path.as_bytes()).into_owned();
        prop_assert!(target.starts_with(b"/"));
        prop_assert!(path.starts_with("//") || !target.starts_with(b"//"));
        let unchanged = target == path.as_bytes();
        prop_assert!(unchanged || target.iter().all(|byte| *byte > 0x20 && *byte != 0x7f));
    }
}

#[test]
fn the_first_declared_route_wins_whatever_it_is_found_by() {
    let tenant = |value: &str| MatchSpec { header: BTreeMap::from([("x-tenant".to_owned(), value.to_owned())]), ..MatchSpec::default() };
    let host = MatchSpec { host: vec!["a.test".to_owned()], ..MatchSpec::default() };
    let mut tries = vec![host, tenant("t"), on_path(&["~.*/x"]), on_path(&["/p/*"]), on_path(&["~/p/[a-z]"])];
    let mut request = request("GET", "a.test", "/p/x");
    request.headers.push(("X-Tenant".to_owned(), "t".to_owned()));
    for _ in 0..tries.len() {
        assert_eq!(table(&tries).find(&request).unwrap().0, 0);
        tries.rotate_left(1);
    }
}

#[test]
fn order_decides_between_routes_told_apart_by_different_subjects() {
    let method = |name: &str| MatchSpec { method: vec![name.to_owned()], ..MatchSpec::default() };
    let header = |value: &str| MatchSpec { header: BTreeMap::from([("x-a".to_owned(), value.to_owned())]), ..MatchSpec::default() };
    let query = |value: &str| MatchSpec { query: BTreeMap::from([("q".to_owned(), value.to_owned())]), ..MatchSpec::default() };
    let group = |of: &dyn Fn(&str) -> MatchSpec| ["A", "B", "C", "D", "E"].map(of).to_vec();
    let mut groups = [group(&query), group(&header), group(&method)];
    let mut request = request("E", "a.test", "/?q=E");
    request.headers.push(("x-a".to_owned(), "E".to_owned()));
    for turn in 0..6 {
        assert_eq!(table(&groups.concat()).find(&request).unwrap().0, 4);
        groups.rotate_left(1);
        groups[turn % 2..].reverse();
    }
}

#[test]
fn a_route_with_more_alternatives_than_are_indexed_still_matches_by_each() {
    let host = (0..50).map(|at| format!("h{at}.test")).collect();
    let path = (0..50).map(|at| format!("/p{at}")).collect();
    let table = table(&[MatchSpec { host, path, ..MatchSpec::default() }]);
    assert!(table.find(&request("GET", "h49.test", "/p49")).is_some());
    assert!(table.find(&request("GET", "h49.test", "/p50")).is_none());
    assert!(table.find(&request("GET", "h50.test", "/p49")).is_none());
}

#[test]
fn a_name_longer_than_any_host_still_has_its_suffix() {
    let table = table(&[MatchSpec { host: vec!["*.a.test".to_owned()], ..MatchSpec::default() }]);
    assert!(table.find(&request("GET", &format!("{}.a.test", "x".repeat(600)), "/")).is_some());
    assert!(table.find(&request("GET", &"x".repeat(600), "/")).is_none());
}

#[test]
fn a_change_compiles_the_changed_route_alone() {
    let mut specs: Vec<_> = (0..100).map(|at| route(format!("r{at}"), on_path(&[&format!("~/r{at}/[0-9]+")]))).map(Arc::new).collect();
    let before = RouteTable::compile(&specs, None).unwrap();
    Arc::make_mut(&mut specs[50]).matches = on_path(&["/changed"]);
    specs.swap(3, 4);
    let after = RouteTable::compile(&specs, Some(&before)).unwrap();
    for (at, route) in after.routes().iter().enumerate() {
        let old = before.routes().iter().find(|old| old.spec.id == route.spec.id).unwrap();
        assert_eq!(Arc::ptr_eq(old, route), at != 50, "{at}");
    }
    assert_eq!(after.find(&request("GET", "", "/changed")).unwrap().0, 50);
    assert_eq!(after.find(&request("GET", "", "/r3/7")).unwrap().0, 4);
}

#[test]
fn a_change_of_what_a_route_does_keeps_the_index_and_one_of_what_it_matches_does_not() {
    let mut specs: Vec<_> = (0..10).map(|at| route(format!("r{at}"), on_path(&[&format!("/r{at}")]))).map(Arc::new).collect();
    let first = RouteTable::compile(&specs, None).unwrap();
    Arc::make_mut(&mut specs[5]).idempotency_key = true;
    let second = RouteTable::compile(&specs, Some(&first)).unwrap();
    assert!(Arc::ptr_eq(&first.index, &second.index));
    assert!(second.find(&request("GET", "", "/r5")).unwrap().1.spec.idempotency_key);
    specs.swap(5, 6);
    let third = RouteTable::compile(&specs, Some(&second)).unwrap();
    assert!(!Arc::ptr_eq(&second.index, &third.index));
    assert_eq!(third.find(&request("GET", "", "/r5")).unwrap().0, 6);
}

#[test]
fn a_fault_names_its_route_and_key() {
    let fault = |change: fn(&mut RouteSpec)| {
        let mut spec = route("shop", on_path(&["/a/*"]));
        change(&mut spec);
        let error = RouteTable::compile(&[Arc::new(spec)], None).unwrap_err();
        assert_eq!(error.route, "shop");
        assert!(error.to_string().starts_with(&format!("route shop: {}: ", error.field)));
        error.field
    };
    assert_eq!(fault(|spec| spec.matches.path = vec!["~(".to_owned()]), "match.path");
    assert_eq!(fault(|spec| spec.matches.host = vec!["*".to_owned()]), "match.host");
    assert_eq!(fault(|spec| spec.matches.method = vec!["GET ".to_owned()]), "match.method");
    assert_eq!(fault(|spec| drop(spec.matches.header.insert("x y".to_owned(), "a".to_owned()))), "match.header");
    assert_eq!(fault(|spec| drop(spec.matches.query.insert("q".to_owned(), "~[".to_owned()))), "match.query.q");
    assert_eq!(fault(|spec| spec.rewrite = Some("/$1".to_owned())), "rewrite");
    assert_eq!(fault(|spec| spec.strip_prefix = Some("a".to_owned())), "strip_prefix");
    assert_eq!(fault(|spec| spec.request_headers.remove = vec!["connection".to_owned()]), "request_headers.remove");
    assert_eq!(fault(|spec| spec.response_headers.set = vec![("a".to_owned(), "\n".to_owned())]), "response_headers.set");
    assert_eq!(fault(|spec| spec.action = ActionSpec::Redirect { to: "x".to_owned(), status: 308 }), "redirect");
    let respond = |spec: &mut RouteSpec| {
        spec.action = ActionSpec::Respond { status: 200, headers: vec![("a\n".to_owned(), String::new())], body: String::new() }
    };
    assert_eq!(fault(respond), "respond.headers");
    assert_eq!(fault(|spec| (spec.strip_prefix, spec.rewrite) = (Some("/a".to_owned()), Some("/b".to_owned()))), "rewrite");
}

fn target(change: impl Fn(&mut RouteSpec), path: &str) -> String {
    let mut spec = route("r", on_path(&["/*"]));
    change(&mut spec);
    let table = RouteTable::compile(&[Arc::new(spec)], None).unwrap();
    String::from_utf8(table.routes()[0].target(path.as_bytes()).into_owned()).unwrap()
}

#[test]
fn a_prefix_is_stripped_on_a_segments_border_only() {
    for prefix in ["/api", "/api/"] {
        let strip = |path: &str| target(|spec| spec.strip_prefix = Some(prefix.to_owned()), path);
        assert_eq!(strip("/api/v1/x"), "/v1/x");
        assert_eq!(strip("/api"), "/");
        assert_eq!(strip("/api/"), "/");
        assert_eq!(strip("/apis/x"), "/apis/x");
        assert_eq!(strip("/x/api"), "/x/api");
        assert_eq!(strip("/api//evil.example"), "/evil.example");
        assert_eq!(strip("*"), "*");
    }
}

#[test]
fn a_path_that_stays_is_not_copied() {
    let table = table(&[on_path(&["/*"])]);
    assert!(matches!(table.routes()[0].target(b"/a//b"), Cow::Borrowed(b"/a//b")));
    assert_eq!(table.routes()[0].location(b"/a", Some(b"x")), b"");
}

#[test]
fn a_rewrite_replaces_the_path() {
    assert_eq!(target(|spec| spec.rewrite = Some("/v2/*".to_owned()), "/a/b"), "/v2/a/b");
    assert_eq!(target(|spec| spec.rewrite = Some("/fixed".to_owned()), "/a/b"), "/fixed");
}
