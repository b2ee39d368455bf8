//! What is tried again, where, and how often.

use std::time::Duration;

use tokio::time::Instant;

use crate::record::Cause;
use crate::testing::world::{app, attempts, first};
use crate::testing::{Dial, Peer, World, millis, pass, run, secs, settle, took};

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const POST: &str = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc";
const PUT: &str = "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// Answers one request that has come to a server; returns what came.
async fn serve(server: &mut Peer) -> crate::testing::peer::Message {
    let request = server.message().await;
    server.send(OK).await;
    request
}

#[test]
fn a_refused_connection_is_tried_elsewhere_whatever_the_method() {
    run(async {
        for request in [GET, POST, PUT] {
            let mut world = World::new(|_| {});
            world.refuses("a");
            let mut client = world.asks(request).await;
            let mut server = world.accept().await;
            let received = serve(&mut server).await;
            assert_eq!(received.text(), if request == GET { "" } else { "abc" });
            assert_eq!(client.message().await.text(), "ok");
            drop((client, server));
            let record = world.ends_with(200, None).await;
            assert_eq!(attempts(&record), "a:connect_refused b:ok");
        }
    });
}

#[test]
fn a_connection_lost_before_the_answer_is_tried_elsewhere_for_idempotent_methods_alone() {
    run(async {
        for (method, content, again) in [
            ("GET", "", true),
            ("HEAD", "abc", true),
            ("PUT", "abc", true),
            ("DELETE", "", true),
            ("POST", "abc", false),
            ("POST", "", false),
            ("PATCH", "", false),
        ] {
            let mut world = World::new(|_| {});
            let length = content.len();
            let mut client = world.asks(format!("{method} / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{content}")).await;
            let mut first = world.accept().await;
            first.message().await;
            drop(first);
            if again {
                let mut second = world.accept().await;
                assert_eq!(second.message().await.text(), content, "the content is sent again");
                second.send("HTTP/1.1 204 No Content\r\n\r\n").await;
                assert_eq!(client.message().await.status(), 204);
                drop(client);
                let record = world.ends_with(204, None).await;
                assert_eq!(attempts(&record), "a:closed_before_response b:ok");
            } else {
                assert_eq!(client.message().await.status(), 502);
                world.nobody_else_is_asked().await;
                drop(client);
                let record = world.ends_with(502, Some(Cause::ClosedBeforeResponse)).await;
                assert_eq!(attempts(&record), "a:closed_before_response");
            }
        }
    });
}

#[test]
fn no_endpoint_is_asked_twice() {
    run(async {
        let mut world = World::new(|spec| app(spec).retry.attempts = 10);
        let mut client = world.asks(GET).await;
        for endpoint in ["a", "b", "c"] {
            let mut server = world.accept().await;
            assert_eq!(server.endpoint, endpoint);
            server.head().await;
        }
        let answer = client.message().await;
        assert_eq!(answer.status(), 502);
        world.nobody_else_is_asked().await;
        drop(client);
        let record = world.ends_with(502, Some(Cause::ClosedBeforeResponse)).await;
        assert_eq!(attempts(&record), "a:closed_before_response b:closed_before_response c:closed_before_response");
    });
}

#[test]
fn no_more_attempts_are_made_than_retry_says() {
    run(async {
        for most in [1, 2] {
            let mut world = World::new(|spec| app(spec).retry.attempts = most);
            for endpoint in ["a", "b", "c"] {
                world.refuses(endpoint);
            }
            let mut client = world.asks(POST).await;
            assert_eq!(client.message().await.status(), 502);
            world.nobody_else_is_asked().await;
            assert_eq!(world.transport.dialled.get(), most as usize);
            drop(client);
            world.ends_with(502, Some(Cause::ConnectRefused)).await;
        }
    });
}

#[test]
fn nothing_is_repeated_once_a_byte_of_an_answer_came() {
    run(async {
        for (part, cause) in [("H", Cause::ClosedBeforeResponse), ("HTTP/1.1 200 OK\r\nContent-", Cause::ClosedBeforeResponse)] {
            let mut world = World::new(|_| {});
            let mut client = world.asks(GET).await;
            let mut server = world.accept().await;
            server.head().await;
            server.send(part).await;
            drop(server);
            assert_eq!(client.message().await.status(), 502);
            world.nobody_else_is_asked().await;
            drop(client);
            world.ends_with(502, Some(cause)).await;
        }
    });
}

#[test]
fn nothing_is_repeated_once_an_interim_response_was_passed_on() {
    run(async {
        for version in ["1.1", "1.0"] {
            let mut world = World::new(|_| {});
            let mut client = world.asks(format!("GET / HTTP/{version}\r\nHost: a\r\n\r\n")).await;
            let mut server = world.accept().await;
            server.head().await;
            server.send("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n").await;
            if version == "1.1" {
                assert!(client.head().await.starts_with("HTTP/1.1 103 "));
            }
            settle().await;
            drop(server);
            assert_eq!(client.message().await.status(), 502);
            world.nobody_else_is_asked().await;
            drop(client);
            world.ends_with(502, Some(Cause::ClosedBeforeResponse)).await;
        }
    });
}

#[test]
fn nothing_is_repeated_once_content_was_passed_on() {
    run(async {
        let mut world = World::new(|_| {});
        let mut client = world.asks(GET).await;
        let mut server = world.accept().await;
        server.head().await;
        server.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc").await;
        client.until("abc").await;
        drop(server);
        assert_eq!(client.broken().await.0, b"");
        world.nobody_else_is_asked().await;
        drop(client);
        let record = world.ends_with(200, Some(Cause::ResponseTruncated)).await;
        assert_eq!(attempts(&record), "a:response_truncated");
    });
}

#[test]
fn content_is_repeated_up_to_the_replay_buffer_and_not_beyond() {
    run(async {
        for (length, again) in [(1000, true), (1001, false)] {
            let mut world = World::new(|spec| app(spec).retry.replay_buffer = 1000);
            let mut client = world.asks(format!("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n")).await;
            let mut first = world.accept().await;
            first.head().await;
            let content: Vec<u8> = (0..=250).cycle().take(length).collect();
            for piece in content.chunks(300) {
                client.send(piece).await;
                first.exactly(piece.len()).await;
            }
            drop(first);
            if again {
                let mut second = world.accept().await;
                assert_eq!(serve(&mut second).await.body, content);
                assert_eq!(client.message().await.text(), "ok");
            } else {
                assert_eq!(client.message().await.status(), 502);
                world.nobody_else_is_asked().await;
            }
            drop(client);
            world.end().await;
        }
    });
}

#[test]
fn a_repeated_upload_goes_on_with_what_the_client_still_sends() {
    run(async {
        for framing in ["Content-Length: 9", "Transfer-Encoding: chunked"] {
            let chunked = framing.starts_with('T');
            let mut world = World::new(|_| {});
            let mut client = world.asks(format!("PUT / HTTP/1.1\r\nHost: a\r\n{framing}\r\n\r\n")).await;
            let mut first = world.accept().await;
            first.head().await;
            client.send(if chunked { "3\r\nabc\r\n" } else { "abc" }).await;
            first.until("abc").await;
            drop(first);
            let mut second = world.accept().await;
            second.head().await;
            second.until("abc").await;
            drop(second);
            let mut third = world.accept().await;
            client.send(if chunked { "6\r\ndefghi\r\n0\r\nX-Sum: 1\r\n\r\n" } else { "defghi" }).await;
            let received = serve(&mut third).await;
            assert_eq!((received.text(), &*received.trailers), ("abcdefghi", if chunked { "X-Sum: 1\r\n" } else { "" }));
            assert_eq!(client.message().await.text(), "ok");
            drop(client);
            let record = world.ends_with(200, None).await;
            assert_eq!(record["bytes_in"], 9);
        }
    });
}

#[test]
fn the_deadline_stops_repeating() {
    run(async {
        let mut world = World::new(|spec| first(spec).timeout = Some(secs(1)));
        world.script("a", &[Dial::Fail(Cause::ConnectRefused, millis(300))]);
        world.script("b", &[Dial::Hang]);
        let start = Instant::now();
        let mut client = world.asks(GET).await;
        assert_eq!(client.message().await.status(), 504);
        took(start, secs(1));
        world.nobody_else_is_asked().await;
        drop(client);
        world.ends_with(504, Some(Cause::RequestTimeout)).await;
    });
}

#[test]
fn nothing_is_sent_once_the_deadline_has_passed() {
    run(async {
        let mut world = World::new(|spec| first(spec).timeout = Some(millis(995)));
        let mut client = world.asks(PUT).await;
        let mut server = world.accept().await;
        server.message().await;
        // Found out a little later than the deadline: timers have a grain.
        pass(millis(996)).await;
        drop(server);
        assert!(client.message().await.status() >= 502);
        world.nobody_else_is_asked().await;
        drop(client);
        world.end().await;
    });
}

#[test]
fn a_connect_that_hangs_leaves_time_for_the_other_endpoints() {
    run(async {
        let mut world = World::new(|spec| first(spec).timeout = Some(millis(900)));
        world.script("a", &[Dial::After(secs(60))]);
        world.script("b", &[Dial::After(secs(60))]);
        let start = Instant::now();
        let mut client = world.asks(POST).await;
        let mut server = world.accept().await;
        assert_eq!((server.endpoint.as_str(), start.elapsed() <= millis(700)), ("c", true));
        serve(&mut server).await;
        assert_eq!(client.message().await.text(), "ok");
        drop((client, server));
        let record = world.ends_with(200, None).await;
        assert_eq!(attempts(&record), "a:connect_timeout b:connect_timeout c:ok");
    });
}

#[test]
fn a_refused_connection_has_an_endpoint_passed_over_for_a_second_at_once() {
    run(async {
        let mut world = World::new(|spec| app(spec).endpoints.truncate(2));
        world.script("a", &[Dial::Fail(Cause::ConnectRefused, Duration::ZERO); 4]);
        let mut client = world.client();
        let mut server = None;
        for _ in 0..12 {
            client.send(GET).await;
            if server.is_none() {
                server = Some(world.accept().await);
            }
            serve(server.as_mut().unwrap()).await;
            assert_eq!(client.message().await.text(), "ok");
        }
        assert_eq!(world.transport.dialled.get(), 2, "one refusal and one connection");
        tokio::time::sleep(secs(1)).await;
        for _ in 0..2 {
            client.send(GET).await;
            serve(server.as_mut().unwrap()).await;
            client.message().await;
        }
        assert_eq!(world.transport.dialled.get(), 3, "it is tried again after a second");
        drop(client);
        world.end().await;
    });
}

#[test]
fn without_any_endpoint_that_has_an_address_the_cause_says_so() {
    run(async {
        let world = World::new(|spec| {
            for endpoint in &mut app(spec).endpoints {
                endpoint.target = None;
            }
        });
        let mut client = world.asks(GET).await;
        assert_eq!(client.message().await.status(), 503);
        world.change(|spec| app(spec).endpoints.clear());
        client.send(GET).await;
        assert_eq!(client.message().await.status(), 503);
        drop(client);
        let records = world.end().await;
        assert_eq!((&records[0]["cause"], &records[1]["cause"]), (&"pool_unresolved".into(), &"pool_empty".into()));
    });
}

#[test]
fn an_endpoint_that_answers_in_another_language_is_not_repeated() {
    run(async {
        for (answer, cause) in [
            ("SSH-2.0-OpenSSH\r\n\r\n", Cause::ResponseMalformed),
            ("HTTP/1.1 200 OK\nContent-Length: 0\n\n", Cause::ResponseMalformed),
            ("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", Cause::ResponseLengthAmbiguous),
        ] {
            let mut world = World::new(|_| {});
            let mut client = world.asks(GET).await;
            let mut server = world.accept().await;
            server.head().await;
            server.send(answer).await;
            assert_eq!(client.message().await.status(), 502);
            server.ends_at_once().await;
            world.nobody_else_is_asked().await;
            drop(client);
            world.ends_with(502, Some(cause)).await;
        }
    });
}
