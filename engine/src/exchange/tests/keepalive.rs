//! A connection without a request, which waits as a socket and not as a task.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::Instant;

use crate::server::parking::{OpenCount, Parked};
use crate::server::serve;
use crate::snapshot::ListenerSpec;
use crate::testing::{World, millis, pass, run, secs, settle};

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/// The engine's end of a new connection over the loopback interface, being served, and the client's.
async fn connected(world: &World) -> tokio::net::TcpStream {
    let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = tokio::net::TcpStream::connect(socket.local_addr().unwrap()).await.unwrap();
    let (stream, peer) = socket.accept().await.unwrap();
    let listener = ListenerSpec { name: "web".to_owned(), bind: Vec::new(), upgrades: Vec::new(), half_close: false };
    let open = OpenCount::new(world.thread.share());
    serve::spawn(&world.thread, Parked { stream, peer: peer.ip(), listener: Arc::new(listener), open });
    client
}

#[test]
fn a_connection_without_a_request_is_closed_after_keepalive_timeout() {
    run(async {
        for (limit, asks) in [(secs(75), false), (secs(75), true), (millis(20), false)] {
            let world = World::new(|spec| {
                spec.routes.clear();
                spec.limits.keepalive_timeout = limit;
            });
            let thread = Rc::clone(&world.thread);
            drop(tokio::task::spawn_local(async move {
                loop {
                    let parked = thread.lot().next().await;
                    serve::spawn(&thread, parked);
                }
            }));
            let mut client = connected(&world).await;
            if asks {
                pass(secs(74)).await;
                client.write_all(GET.as_bytes()).await.unwrap();
                let mut answer = [0; 1];
                client.read_exact(&mut answer).await.unwrap();
            }
            let start = Instant::now();
            let mut rest = Vec::new();
            client.read_to_end(&mut rest).await.unwrap();
            assert_eq!(rest.is_empty(), !asks);
            let took = start.elapsed();
            assert!(took >= limit && took <= limit + secs(2), "closed after {took:?}, not {limit:?}");
            settle().await;
            assert_eq!(world.thread.shared().totals.open.load(Ordering::SeqCst), 0);
            assert_eq!(world.end().await.len(), usize::from(asks));
        }
    });
}
