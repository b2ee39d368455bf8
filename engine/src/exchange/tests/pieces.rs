//! Any content, cut into any pieces, sent through pipes of any width, arrives identical in both directions.

use proptest::collection::vec;
use proptest::prelude::*;

use crate::testing::world::{Manner, USUAL, app};
use crate::testing::{Peer, World, run, settle};

/// Content as it is sent: in pieces, each a chunk where it is chunked, each handed over at once or after the others have had their turn.
#[derive(Debug, Clone)]
struct Content {
    pieces: Vec<(Vec<u8>, bool)>,
    chunked: bool,
}

impl Content {
    fn whole(&self) -> Vec<u8> {
        self.pieces.iter().flat_map(|(piece, _)| piece.iter().copied()).collect()
    }

    fn fields(&self) -> String {
        if self.chunked { "Transfer-Encoding: chunked".to_owned() } else { format!("Content-Length: {}", self.whole().len()) }
    }

    async fn send(&self, peer: &mut Peer, start: &str) {
        peer.send(format!("{start}{}\r\n\r\n", self.fields())).await;
        for (piece, waits) in &self.pieces {
            if *waits {
                settle().await;
            }
            if !self.chunked {
                peer.send(piece).await;
            } else if !piece.is_empty() {
                peer.send([format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat()).await;
            }
        }
        if self.chunked {
            peer.send("0\r\n\r\n").await;
        }
    }
}

/// Pieces of all the sizes at which something changes: nothing, framing, what is copied, what is held, what a buffer takes.
fn a_piece() -> impl Strategy<Value = Vec<u8>> {
    let size = prop_oneof![8 => 0..40_usize, 3 => 8_000..8_400_usize, 2 => 16_000..17_000_usize, 1 => 30_000..140_000_usize];
    (size, any::<u8>()).prop_map(|(size, seed)| (0..size).map(|at| (at as u8).wrapping_mul(31).wrapping_add(seed)).collect())
}

fn content() -> impl Strategy<Value = Content> {
    (vec((a_piece(), any::<bool>()), 0..8), any::<bool>()).prop_map(|(pieces, chunked)| Content { pieces, chunked })
}

/// Small content through the narrowest pipes, for a byte at a time is slow.
fn small() -> impl Strategy<Value = Content> {
    (vec((vec(any::<u8>(), 0..12), any::<bool>()), 0..8), any::<bool>()).prop_map(|(pieces, chunked)| Content { pieces, chunked })
}

/// Two exchanges on the same connections, so that what one leaves behind shows in the other.
async fn both_ways(width: usize, up: &Content, down: &Content) {
    let mut world = World::with(Manner { width, logs: false, ..USUAL }, |spec| app(spec).endpoints.truncate(1));
    let mut client = world.client();
    let mut server = None;
    for (up, down) in [(up, down), (down, up)] {
        let asking = async {
            up.send(&mut client, "PUT / HTTP/1.1\r\nHost: a\r\n").await;
            client.message().await
        };
        let answering = async {
            let mut peer = match server.take() {
                Some(peer) => peer,
                None => world.accept().await,
            };
            let request = peer.message().await;
            down.send(&mut peer, "HTTP/1.1 200 OK\r\n").await;
            (peer, request)
        };
        let (answer, (peer, request)) = tokio::join!(asking, answering);
        assert!(request.body == up.whole(), "the server received something else: {} bytes", request.body.len());
        assert!(answer.body == down.whole(), "the client received something else: {} bytes", answer.body.len());
        server = Some(peer);
        settle().await;
    }
    assert_eq!(world.transport.dialled.get(), 1, "both connections were kept");
    drop((client, server));
    world.end().await;
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(40) })]

    #[test]
    fn content_arrives_identical_in_both_directions(width in 50..70_000_usize, up in content(), down in content()) {
        run(both_ways(width, &up, &down));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(60) })]

    #[test]
    fn content_arrives_identical_through_the_narrowest_pipes(width in 1..30_usize, up in small(), down in small()) {
        run(both_ways(width, &up, &down));
    }
}
