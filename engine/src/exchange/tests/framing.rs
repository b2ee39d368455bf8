//! Messages arrive whole, whatever frames them on either side and however narrow the pipes are.

use crate::record::Cause;
use crate::testing::peer::Message;
use crate::testing::world::{Manner, USUAL, app};
use crate::testing::{Peer, World, run};

const CONTENT: &str = "The quick brown fox jumps over the lazy dog";

/// How a message's content is framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    None,
    Length,
    Chunked,
    UntilClose,
}

const RESPONSES: [(&str, Framing); 7] = [
    ("HTTP/1.1", Framing::Length),
    ("HTTP/1.1", Framing::Chunked),
    ("HTTP/1.1", Framing::UntilClose),
    ("HTTP/1.1", Framing::None),
    ("HTTP/1.0", Framing::Length),
    ("HTTP/1.0", Framing::UntilClose),
    ("HTTP/1.0", Framing::None),
];

fn framed(start: &str, framing: Framing) -> String {
    match framing {
        Framing::None => format!("{start}Content-Length: 0\r\n\r\n"),
        Framing::Length => format!("{start}Content-Length: {}\r\n\r\n{CONTENT}", CONTENT.len()),
        Framing::UntilClose => format!("{start}\r\n{CONTENT}"),
        Framing::Chunked => {
            let (one, two) = CONTENT.split_at(10);
            let chunks = format!("{:X};x=y\r\n{one}\r\n{:x}\r\n{two}\r\n0\r\nX-Sum: 1\r\n\r\n", one.len(), two.len());
            format!("{start}Transfer-Encoding: chunked\r\n\r\n{chunks}")
        }
    }
}

/// A world with one endpoint, through pipes of that width.
fn through(width: usize) -> World {
    World::with(Manner { width, ..USUAL }, |spec| app(spec).endpoints.truncate(1))
}

/// Sends a request and has the server answer it and close; returns what each received.
async fn exchange(world: &mut World, client: &mut Peer, request: &str, answer: &str) -> (Message, Message) {
    let asking = async {
        client.send(request).await;
        client.message().await
    };
    let answering = async {
        let mut server = world.accept().await;
        let received = server.message().await;
        server.send(answer).await;
        received
    };
    tokio::join!(asking, answering)
}

#[test]
fn a_response_arrives_whole_whatever_frames_it() {
    for width in [1, 7, 4096] {
        for version in ["HTTP/1.1", "HTTP/1.0"] {
            for (server, framing) in RESPONSES {
                run(async {
                    let mut world = through(width);
                    let mut client = world.client();
                    let answer = framed(&format!("{server} 200 OK\r\n"), framing);
                    let request = format!("GET / {version}\r\nHost: a\r\n\r\n");
                    let (answer, received) = exchange(&mut world, &mut client, &request, &answer).await;
                    assert!(received.head.starts_with("GET / HTTP/1.1\r\n"));
                    assert!(answer.head.starts_with("HTTP/1.1 200 OK\r\n"));
                    assert_eq!(
                        answer.text(),
                        if framing == Framing::None { "" } else { CONTENT },
                        "{width} {version} {server} {framing:?}"
                    );
                    let unknown = matches!(framing, Framing::Chunked | Framing::UntilClose);
                    let chunked = unknown && version == "HTTP/1.1";
                    assert_eq!(answer.field("Transfer-Encoding"), chunked.then_some("chunked"));
                    assert_eq!(answer.field("Content-Length").is_some(), !unknown);
                    assert_eq!(answer.trailers, if chunked && framing == Framing::Chunked { "X-Sum: 1\r\n" } else { "" });
                    assert_eq!(answer.field("Connection"), (version == "HTTP/1.0").then_some("close"));
                    drop(client);
                    world.ends_with(200, None).await;
                });
            }
        }
    }
}

#[test]
fn a_request_arrives_whole_whatever_frames_it() {
    for width in [1, 7, 4096] {
        for (version, framing) in
            [("HTTP/1.1", Framing::Length), ("HTTP/1.1", Framing::Chunked), ("HTTP/1.1", Framing::None), ("HTTP/1.0", Framing::Length)]
        {
            run(async {
                let mut world = through(width);
                let mut client = world.client();
                let request = framed(&format!("POST / {version}\r\nHost: a\r\n"), framing);
                let (answer, received) = exchange(&mut world, &mut client, &request, "HTTP/1.1 204 No Content\r\n\r\n").await;
                assert_eq!(answer.status(), 204);
                assert_eq!(received.text(), if framing == Framing::None { "" } else { CONTENT }, "{width} {version} {framing:?}");
                assert_eq!(received.field("Transfer-Encoding"), (framing == Framing::Chunked).then_some("chunked"));
                assert_eq!(received.trailers, if framing == Framing::Chunked { "X-Sum: 1\r\n" } else { "" });
                drop(client);
                world.ends_with(204, None).await;
            });
        }
    }
}

#[test]
fn an_answer_to_head_has_no_content_and_the_connection_stays() {
    for width in [1, 4096] {
        run(async {
            let mut world = through(width);
            let mut client = world.client();
            for (fields, seen) in [("Content-Length: 43\r\n", Some("43")), ("Transfer-Encoding: chunked\r\n", None), ("", None)] {
                let asking = async {
                    client.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
                    (client.head().await, client.message().await)
                };
                let answering = async {
                    let mut server = world.accept().await;
                    server.head().await;
                    server.send(format!("HTTP/1.1 200 OK\r\n{fields}\r\n")).await;
                    server.head().await;
                    server.send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok").await;
                };
                let ((head, answer), ()) = tokio::join!(asking, answering);
                let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
                assert_eq!((length, answer.text()), (seen, "ok"), "{fields:?}");
                assert!(!head.contains("Transfer-Encoding") && !head.contains("Connection"), "{head}");
            }
            drop(client);
            assert_eq!(world.end().await.len(), 6);
        });
    }
}

#[test]
fn responses_without_content_leave_both_connections_usable() {
    run(async {
        let mut world = through(7);
        let mut client = world.client();
        let answering = async {
            let mut server = world.accept().await;
            for answer in [
                "204 No Content\r\n\r\n",
                "304 Not Modified\r\nContent-Length: 9\r\nETag: x\r\n\r\n",
                "200 OK\r\nContent-Length: 0\r\n\r\n",
            ] {
                server.head().await;
                server.send(format!("HTTP/1.1 {answer}")).await;
            }
            server
        };
        let asking = async {
            let mut heads = Vec::new();
            for _ in 0..3 {
                client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
                heads.push(client.head().await);
            }
            heads
        };
        let (server, heads) = tokio::join!(answering, asking);
        assert!(
            !heads[0].contains("Content-Length")
                && heads[1].contains("Content-Length: 9\r\n")
                && heads[2].contains("Content-Length: 0\r\n")
        );
        drop((client, server));
        assert_eq!(world.end().await.len(), 3);
    });
}

#[test]
fn an_http_1_0_client_may_keep_its_connection_where_the_length_is_known() {
    run(async {
        let mut world = through(64);
        let mut client = world.client();
        let asking = async {
            client.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").await;
            let first = client.message().await;
            client.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").await;
            (first, client.message().await)
        };
        let answering = async {
            let mut server = world.accept().await;
            server.head().await;
            server.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
            server.head().await;
            server.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nko\r\n0\r\n\r\n").await;
        };
        let ((first, second), ()) = tokio::join!(asking, answering);
        assert_eq!((first.text(), first.field("Connection")), ("ok", Some("keep-alive")));
        assert_eq!((second.text(), second.field("Connection")), ("ko", Some("close")), "only the end says where it ends");
        drop(client);
        assert_eq!(world.end().await.len(), 2);
    });
}

#[test]
fn broken_content_is_never_ended_cleanly() {
    run(async {
        for (answer, cause) in [
            ("Content-Length: 9\r\n\r\nabc", Cause::ResponseTruncated),
            ("Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", Cause::ResponseTruncated),
            ("Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n", Cause::ResponseTruncated),
            ("Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nxyz\r\n", Cause::ResponseBodyMalformed),
            ("Transfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n", Cause::ResponseBodyMalformed),
        ] {
            for version in ["1.1", "1.0"] {
                let mut world = through(4096);
                let mut client = world.asks(format!("GET / HTTP/{version}\r\nHost: a\r\n\r\n")).await;
                let mut server = world.accept().await;
                server.head().await;
                let (head, content) = answer.split_at(answer.find("abc").unwrap());
                server.send(format!("HTTP/1.1 200 OK\r\n{head}a")).await;
                client.head().await;
                server.send(&content[1..]).await;
                drop(server);
                let (received, reset) = client.broken().await;
                assert!(!received.ends_with(b"0\r\n\r\n"), "{answer:?}");
                assert_eq!(reset, version == "1.0" && answer.starts_with('T'), "{version} {answer:?}");
                world.ends_with(200, Some(cause)).await;
            }
        }
    });
}

#[test]
fn content_that_is_broken_from_the_start_is_told_in_plain_words() {
    run(async {
        for (answer, status, cause) in [
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", 502, Cause::ResponseBodyMalformed),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-3\r\nabc\r\n0\r\n\r\n", 502, Cause::ResponseBodyMalformed),
        ] {
            let mut world = through(4096);
            let mut client = world.asks("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
            let mut server = world.accept().await;
            server.head().await;
            server.send(answer).await;
            assert_eq!(client.message().await.status(), status);
            drop(client);
            world.ends_with(status, Some(cause)).await;
        }
    });
}

#[test]
fn bad_request_content_is_refused_and_the_server_sees_no_end() {
    run(async {
        for (limit, content, status, cause) in [
            (None, "3\r\nabcX\r\n", 400, Cause::BodyMalformed),
            (None, "3\r\nabc\r\n0\r\nbad trailer\r\n\r\n", 400, Cause::BodyMalformed),
            (Some(4), "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", 413, Cause::BodyTooLarge),
        ] {
            let mut world = World::new(|spec| spec.limits.max_body = limit);
            let mut client = world.asks(format!("PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{content}")).await;
            let answer = client.message().await;
            assert_eq!((answer.status(), answer.field("Connection")), (status, Some("close")));
            let mut server = world.accept().await;
            let (received, _) = server.broken().await;
            assert!(!String::from_utf8(received).unwrap().contains("0\r\n\r\n"));
            world.nobody_else_is_asked().await;
            drop(client);
            world.ends_with(status, Some(cause)).await;
        }
    });
}
