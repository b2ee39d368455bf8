use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::AtomicUsize;
use std::time::{Duration, Instant};

use super::*;
use crate::Engine;
use crate::balance::callable::Callables;
use crate::engine::Sockets;
use crate::record::Format;
use crate::snapshot::{DeltaSpec, EndpointSpec, PoolSpec};
use crate::testing::world::spec;

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// Longer than any of these tests takes.
const LONG: Duration = Duration::from_secs(20);

/// Serves connections one after another: what is done with each is told by its number.
fn server(serve: impl Fn(usize, TcpStream) + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            serve(number, stream.unwrap());
        }
    });
    address
}

/// Reads one request; `None` at the end of the connection.
fn request(stream: &mut TcpStream) -> Option<String> {
    let mut read = Vec::new();
    while !read.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if stream.read(&mut byte).ok()? == 0 {
            return None;
        }
        read.push(byte[0]);
    }
    Some(String::from_utf8(read).unwrap())
}

/// Sends the same answer to each request of a connection.
fn answer(answer: &'static [u8]) -> impl Fn(usize, TcpStream) + Send + 'static {
    move |_, mut stream| {
        while request(&mut stream).is_some() && stream.write_all(answer).is_ok() {}
    }
}

fn pool(addresses: &[&str]) -> PoolSpec {
    let endpoint = |address: &&str| EndpointSpec {
        id: (*address).to_owned(),
        address: (*address).to_owned(),
        target: address.parse::<SocketAddr>().ok().map(|address| address.to_string()),
        ..spec().pools["app"].endpoints[0].clone()
    };
    PoolSpec { endpoints: addresses.iter().map(endpoint).collect(), ..spec().pools["app"].clone() }
}

fn engine(addresses: &[&str]) -> Engine {
    let mut spec = spec();
    spec.pools.insert("app".to_owned(), pool(addresses));
    Engine::new(spec, 1, ("off", Format::Json), || {}, &Callables::new(), Sockets::new()).unwrap()
}

fn http(timeout: f64, fresh: bool, body: usize) -> ProbeSpec {
    ProbeSpec::Http { request: "GET /healthz HTTP/1.1\r\nHost: {address}\r\n\r\n".to_owned(), timeout, fresh, body }
}

fn order(probe: ProbeSpec, endpoints: &[&str]) -> Vec<Order> {
    vec![Order { pool: "app".into(), probe, endpoints: endpoints.iter().map(|id| (*id).to_owned()).collect() }]
}

/// The next outcomes, so many.
fn outcomes(engine: &Engine, count: usize) -> Vec<Outcome> {
    let until = Instant::now() + LONG;
    let mut found = Vec::new();
    while found.len() < count {
        assert!(Instant::now() < until, "only {found:?} came");
        engine.shared().bell.wait(Duration::from_secs(1));
        found.extend(engine.probed());
    }
    assert_eq!(found.len(), count, "{found:?}");
    found
}

fn ask(engine: &Engine, probe: ProbeSpec, endpoint: &str) -> Outcome {
    engine.probe(order(probe, &[endpoint])).unwrap();
    outcomes(engine, 1).remove(0)
}

/// Probes a server of its own once.
fn try_once(probe: ProbeSpec, serve: impl Fn(usize, TcpStream) + Send + 'static) -> Outcome {
    let address = server(serve).to_string();
    ask(&engine(&[&address]), probe, &address)
}

fn gist(outcome: &Outcome) -> (Option<u16>, Option<&'static str>) {
    (outcome.status, outcome.cause)
}

#[test]
fn an_answer_is_told_with_its_status_and_time_and_marks_the_endpoint() {
    let address = server(|_, mut stream| {
        let asked = request(&mut stream).unwrap();
        std::thread::sleep(Duration::from_millis(30));
        let host = stream.local_addr().unwrap();
        assert_eq!(asked, format!("GET /healthz HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 503 Busy\r\nContent-Length: 5\r\n\r\nbusy\n").unwrap();
    });
    let address = address.to_string();
    let engine = engine(&[&address]);
    let outcome = ask(&engine, http(5.0, false, 4), &address);
    assert_eq!(gist(&outcome), (Some(503), None));
    assert_eq!(outcome.body.as_deref(), Some(&b"busy"[..]));
    assert!(outcome.seconds >= 0.03 && outcome.seconds < 5.0, "{}", outcome.seconds);
    let marks = &engine.shared().load().pools["app"].endpoints[0].state.probe;
    assert!(marks.answered.load(Ordering::Relaxed) >= 30 && !marks.is_unanswered_since(0));
    let wire = serde_json::to_value(&outcome).unwrap();
    assert_eq!((&wire[0], &wire[1], &wire[3], &wire[5]), (&"app".into(), &address.as_str().into(), &503.into(), &"busy".into()));
}

#[test]
fn probes_share_one_connection_unless_each_is_to_have_its_own() {
    for (fresh, expected) in [(false, 1), (true, 3)] {
        let accepted = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&accepted);
        let address = server(move |number, stream| {
            count.store(number + 1, Ordering::SeqCst);
            std::thread::spawn(move || answer(OK)(number, stream));
        });
        let address = address.to_string();
        let engine = engine(&[&address]);
        for _ in 0..3 {
            assert_eq!(gist(&ask(&engine, http(5.0, fresh, 0), &address)), (Some(200), None));
            let idle = Arc::clone(&engine.shared().load().pools["app"].endpoints[0].idle);
            // It is kept once the rest of the answer has come, which may be after the outcome.
            let until = Instant::now() + LONG;
            while !fresh && !idle.keeps_probe() && Instant::now() < until {
                std::thread::yield_now();
            }
            assert_eq!(idle.open(), 0, "it does not count among those of exchanges");
        }
        assert_eq!(accepted.load(Ordering::SeqCst), expected);
    }
}

#[test]
fn a_kept_connection_that_was_closed_meanwhile_is_replaced_at_once() {
    // With a close that is seen before the next probe, and with one that only its request brings about.
    for late in [false, true] {
        let address = server(move |_, mut stream| {
            if request(&mut stream).is_some() {
                stream.write_all(OK).unwrap();
                if late {
                    let _ = request(&mut stream);
                }
            }
        });
        let address = address.to_string();
        let engine = engine(&[&address]);
        for _ in 0..5 {
            assert_eq!(gist(&ask(&engine, http(5.0, false, 0), &address)), (Some(200), None));
        }
    }
}

#[test]
fn a_server_that_does_not_answer_has_failed_when_the_time_is_up() {
    let outcome = try_once(http(0.1, false, 0), |_, mut stream| {
        request(&mut stream);
        let _ = request(&mut stream);
    });
    assert_eq!(gist(&outcome), (None, Some("probe_timeout")));
    assert!(outcome.seconds >= 0.1 && outcome.seconds < 5.0);
    let outcome = try_once(http(0.1, false, 10), |_, mut stream| {
        request(&mut stream);
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf").unwrap();
        let _ = request(&mut stream);
    });
    assert_eq!(gist(&outcome), (Some(200), Some("probe_timeout")), "its content was wanted");
    assert_eq!(outcome.body.as_deref(), Some(&b"half"[..]));
}

#[test]
fn an_endpoint_that_cannot_be_had_is_told_with_its_cause() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let engine = engine(&[&closed, "nowhere"]);
    // In the first millisecond a probe cannot be told from one that was never sent.
    while engine.shared().now() == 0 {
        std::thread::yield_now();
    }
    assert_eq!(ask(&engine, http(5.0, false, 0), &closed).cause, Some("connect_refused"));
    assert!(engine.shared().load().pools["app"].endpoints[0].state.probe.is_unanswered_since(0));
    assert_eq!(ask(&engine, http(5.0, false, 0), "nowhere").cause, Some("pool_unresolved"));
    assert_eq!(ask(&engine, http(5.0, false, 0), "somebody else").cause, Some("unknown_endpoint"));
    let other = Order { pool: "other".into(), ..order(http(1.0, false, 0), &["x"]).remove(0) };
    engine.probe(vec![other]).unwrap();
    assert_eq!(outcomes(&engine, 1)[0].cause, Some("unknown_endpoint"));
}

#[test]
fn an_answer_that_makes_no_sense_has_a_cause() {
    let cases: [(&'static [u8], Option<u16>, &str); 8] = [
        (b"SSH-2.0-OpenSSH_9.9\r\n\r\n", None, "response_malformed"),
        (b"HTTP/1.1 200 OK\n\n", None, "response_malformed"),
        (b"\x15\x03\x01\x00\x02\x02\x46\r\n\r\n", None, "response_malformed"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", None, "response_length_ambiguous"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", Some(200), "response_body_malformed"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort", Some(200), "response_truncated"),
        (b"HTTP/1.1 200 ", None, "closed_before_response"),
        (b"", None, "closed_before_response"),
    ];
    for (sent, status, cause) in cases {
        let outcome = try_once(http(5.0, false, 100), move |_, mut stream| {
            request(&mut stream);
            stream.write_all(sent).unwrap();
        });
        assert_eq!(gist(&outcome), (status, Some(cause)), "{:?}", String::from_utf8_lossy(sent));
    }
}

#[test]
fn a_server_that_sends_for_ever_is_cut_short() {
    // In its head, in content that was asked for, and in content that nobody wants.
    for (start, wanted, expected) in [
        (&b"HTTP/1.1 200 OK\r\nX: "[..], 0, (None, Some("response_head_too_large"))),
        (&b"HTTP/1.1 200 OK\r\n\r\n"[..], 10, (Some(200), None)),
        (&b"HTTP/1.1 200 OK\r\n\r\n"[..], 0, (Some(200), None)),
    ] {
        let (ended, end) = std::sync::mpsc::channel();
        let outcome = try_once(http(10.0, false, wanted), move |_, mut stream| {
            request(&mut stream);
            stream.write_all(start).unwrap();
            while stream.write_all(&[b'x'; 4096]).is_ok() {}
            ended.send(()).unwrap();
        });
        assert_eq!(gist(&outcome), expected);
        assert_eq!(outcome.body.map_or(0, |body| body.len()), wanted);
        end.recv_timeout(LONG).expect("the connection was given up");
    }
}

#[test]
fn a_connection_alone_can_be_asked_for() {
    let outcome = try_once(ProbeSpec::Tcp { send: None, expect_bytes: 0, timeout: 5.0 }, |_, _| {});
    assert_eq!((gist(&outcome), outcome.body), ((None, None), None));
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let probe = ProbeSpec::Tcp { send: None, expect_bytes: 0, timeout: 5.0 };
    assert_eq!(ask(&engine(&[&closed]), probe, &closed).cause, Some("connect_refused"));
}

#[test]
fn what_is_said_on_a_connection_is_sent_and_its_reply_is_handed_back() {
    let ping = ProbeSpec::Tcp { send: Some("PING\r\n".to_owned()), expect_bytes: 5, timeout: 0.2 };
    let reply = |reply: &'static [u8], stays: bool| {
        move |_: usize, mut stream: TcpStream| {
            let mut asked = [0; 6];
            stream.read_exact(&mut asked).unwrap();
            assert_eq!(&asked, b"PING\r\n");
            stream.write_all(reply).unwrap();
            if stays {
                let _ = request(&mut stream);
            }
        }
    };
    for (said, stays, cause) in [
        (&b"+PONG\r\n and more"[..], true, None),
        (b"+PO", true, Some("probe_timeout")),
        (b"+PO", false, Some("response_truncated")),
        (b"", false, Some("closed_before_response")),
    ] {
        let outcome = try_once(ping.clone(), reply(said, stays));
        assert_eq!(outcome.cause, cause, "{:?}", String::from_utf8_lossy(said));
        assert_eq!(outcome.body.as_deref(), Some(said), "all that came");
    }
}

#[test]
fn a_thousand_probes_at_once_all_come_back() {
    let port = TcpListener::bind("127.0.1.0:0").unwrap().local_addr().unwrap().port();
    let names: Vec<String> = (0..250).map(|place| format!("127.0.1.{place}:{port}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let engine = engine(&names);
    for _ in 0..4 {
        engine.probe(order(ProbeSpec::Tcp { send: None, expect_bytes: 0, timeout: 10.0 }, &names)).unwrap();
    }
    let found = outcomes(&engine, 1000);
    assert!(found.iter().all(|outcome| outcome.cause == Some("connect_refused")), "nobody listens on those addresses");
}

#[test]
fn a_connection_for_probes_ends_with_its_endpoint_and_with_the_engine() {
    let (closed, close) = std::sync::mpsc::channel();
    let address = server(move |number, mut stream| {
        request(&mut stream).unwrap();
        stream.write_all(OK).unwrap();
        assert!(request(&mut stream).is_none());
        closed.send(number).unwrap();
    });
    let address = address.to_string();
    let engine = engine(&[&address]);
    ask(&engine, http(5.0, false, 0), &address);
    let change = |number: u64, addresses: &[&str]| {
        let pools = std::collections::BTreeMap::from([("app".to_owned(), pool(addresses))]);
        engine.apply(DeltaSpec { base: number - 1, number, pools, ..DeltaSpec::default() }, &Callables::new()).unwrap();
    };
    change(2, &[]);
    assert_eq!(close.recv_timeout(LONG), Ok(0));
    assert_eq!(ask(&engine, http(5.0, false, 0), &address).cause, Some("unknown_endpoint"));
    change(3, &[&address]);
    assert_eq!(gist(&ask(&engine, http(5.0, false, 0), &address)), (Some(200), None));
    engine.shutdown();
    assert_eq!(close.recv_timeout(LONG), Ok(1));
    engine.probe(order(http(5.0, false, 0), &[&address])).unwrap();
    assert!(engine.probed().is_empty(), "nothing is probed after the end");
}
