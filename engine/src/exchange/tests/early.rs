//! Answers that come before the request's content has.

use crate::record::Cause;
use crate::testing::world::{Manner, USUAL, app};
use crate::testing::{World, run, settle};

const HEAD: &str = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n";

#[test]
fn content_goes_on_as_long_as_the_early_answer_does() {
    run(async {
        let mut world = World::new(|spec| app(spec).endpoints.truncate(1));
        let mut client = world.asks("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n").await;
        let mut server = world.accept().await;
        server.head().await;
        server.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await;
        client.head().await;
        for _ in 0..5 {
            client.send("4\r\nping\r\n").await;
            server.until("4\r\nping\r\n").await;
            server.send("4\r\npong\r\n").await;
            client.until("4\r\npong\r\n").await;
        }
        client.send("0\r\n\r\n").await;
        server.until("0\r\n\r\n").await;
        server.send("0\r\n\r\n").await;
        client.until("0\r\n\r\n").await;
        settle().await;
        assert_eq!(world.transport.idle("a"), 1, "the server's connection is kept");
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
        server.head().await;
        server.send("HTTP/1.1 204 No Content\r\n\r\n").await;
        assert_eq!(client.message().await.status(), 204, "and so is the client's");
        drop(client);
        let records = world.end().await;
        assert_eq!((&records[0]["bytes_in"], &records[0]["bytes_out"]), (&20.into(), &20.into()));
    });
}

#[test]
fn an_answer_that_ends_before_the_content_ends_both_connections() {
    run(async {
        for (status, says_so) in [("200 OK", false), ("413 Content Too Large", true)] {
            let mut world = World::new(|_| {});
            let mut client = world.asks(HEAD).await;
            client.send([b'x'; 1000]).await;
            let mut server = world.accept().await;
            server.head().await;
            server.exactly(1000).await;
            server.send(format!("HTTP/1.1 {status}\r\nContent-Length: 4\r\n\r\ndone")).await;
            let answer = client.message().await;
            assert_eq!((answer.text(), answer.field("Connection").is_some()), ("done", says_so));
            server.ends_at_once().await;
            assert_eq!(world.transport.idle("a"), 0, "what would come next is the rest of the content");
            // The rest is taken in for a moment, so that the answer is not destroyed on its way.
            client.send([b'x'; 1000]).await;
            client.ends_at_once().await;
            drop(client);
            world.ends_with(status[..3].parse().unwrap(), None).await;
        }
    });
}

#[test]
fn an_answer_of_a_server_that_stops_reading_is_passed_on() {
    run(async {
        for closes in [false, true] {
            let mut world = World::with(Manner { width: 2000, ..USUAL }, |_| {});
            let mut client = world.asks(HEAD).await;
            let sender = tokio::task::spawn_local(async move {
                client.try_send(vec![b'x'; 60_000]).await;
                client
            });
            let mut server = world.accept().await;
            server.head().await;
            settle().await;
            server.send("HTTP/1.1 401 Unauthorized\r\nContent-Length: 3\r\n\r\nno!").await;
            if closes {
                drop(server);
            } else {
                settle().await;
            }
            let mut client = sender.await.unwrap();
            let answer = client.message().await;
            assert_eq!((answer.status(), answer.text(), answer.field("Connection")), (401, "no!", Some("close")));
            drop(client);
            world.ends_with(401, None).await;
        }
    });
}

#[test]
fn a_server_that_stops_reading_without_an_answer_is_a_failure_to_send() {
    run(async {
        let mut world = World::with(Manner { width: 2000, ..USUAL }, |_| {});
        let mut client = world.asks(HEAD).await;
        let sender = tokio::task::spawn_local(async move {
            client.try_send(vec![b'x'; 60_000]).await;
            client
        });
        let mut server = world.accept().await;
        server.head().await;
        settle().await;
        drop(server);
        let mut client = sender.await.unwrap();
        assert_eq!(client.message().await.status(), 502);
        drop(client);
        world.ends_with(502, Some(Cause::SendFailed)).await;
    });
}

#[test]
fn a_next_request_sent_ahead_is_answered_after_the_first() {
    run(async {
        let mut world = World::new(|_| {});
        let mut client = world
            .asks("POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET /2 HTTP/1.1\r\nHost: a\r\n\r\nGET /3 HTTP/1.1\r\nHost: a\r\n\r\n")
            .await;
        for turn in 1..=3 {
            let mut server = world.accept().await;
            let request = server.message().await;
            assert!(request.head.contains(&format!(" /{turn} ")));
            assert_eq!(request.text(), if turn == 1 { "abc" } else { "" });
            assert!(client.is_quiet().await);
            world.nobody_else_is_asked().await;
            server.send(format!("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n\r\n{turn}")).await;
            assert_eq!(client.message().await.text(), turn.to_string());
        }
        drop(client);
        assert_eq!(world.end().await.len(), 3);
    });
}
