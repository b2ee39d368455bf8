use tokio::net::{TcpListener, TcpStream};
use tokio::time::advance;

use super::*;
use crate::upstream::target::Target;

const fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// A server whose connections are kept, and the far ends of those.
struct Scene {
    idle: Idle,
    listener: TcpListener,
    target: Target,
}

impl Scene {
    async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = Target::Tcp(listener.local_addr().unwrap());
        Self { idle: Idle::new(2), listener, target }
    }

    async fn connection(&self) -> (Socket, TcpStream) {
        let open = self.idle.try_open(None);
        let socket = Socket::connect(&self.target, open).await.unwrap();
        (socket, self.listener.accept().await.unwrap().0)
    }

    /// One more connection that has just answered on the first thread.
    async fn keep(&self) -> TcpStream {
        let (socket, server) = self.connection().await;
        self.idle.keep(0, socket, None);
        server
    }

    fn sweep(&self) -> bool {
        self.idle.sweep(0, Instant::now())
    }

    /// The server closes a connection, the only one that is kept.
    async fn closes(&self, server: TcpStream) {
        drop(server);
        let begun = std::time::Instant::now();
        while self.sweep() {
            assert!(begun.elapsed() < Duration::from_secs(20), "its end is not seen");
            tokio::task::yield_now().await;
        }
    }

    /// Has the runtime hear what the system knows, while nobody looks at what is kept.
    async fn hears(&self) {
        drop(self.connection().await);
        tokio::task::yield_now().await;
    }

    /// Teaches the limit by one connection that was looked at before the server closed it.
    async fn learn(&self, limit: Duration) {
        let server = self.keep().await;
        assert!(self.sweep());
        advance(limit).await;
        self.closes(server).await;
        assert_eq!(self.idle.limit(), Some(limit));
    }
}

#[tokio::test(start_paused = true)]
async fn the_limit_is_learned_from_the_moment_of_a_close_and_not_from_its_discovery() {
    let scene = Scene::new().await;
    let server = scene.keep().await;
    assert!(scene.sweep());
    advance(ms(2000)).await;
    drop(server);
    scene.hears().await;
    advance(ms(700)).await;
    while scene.sweep() {
        tokio::task::yield_now().await;
    }
    assert_eq!(scene.idle.limit(), Some(ms(2000)));
}

#[tokio::test(start_paused = true)]
async fn a_close_that_came_before_anybody_looked_has_the_next_ones_watched_from_the_start() {
    let scene = Scene::new().await;
    let server = scene.keep().await;
    advance(ms(200)).await;
    drop(server);
    scene.hears().await;
    assert!(scene.idle.take(0, true).is_none());
    assert_eq!(scene.idle.limit(), None, "its moment is not known");
    let server = scene.keep().await;
    advance(ms(200)).await;
    scene.closes(server).await;
    assert_eq!(scene.idle.limit(), Some(ms(200)));
}

#[tokio::test(start_paused = true)]
async fn a_request_that_may_not_be_repeated_gets_only_a_connection_that_answered_a_moment_ago() {
    let scene = Scene::new().await;
    let _server = scene.keep().await;
    advance(ms(101)).await;
    assert!(scene.idle.take(0, false).is_none());
    let socket = scene.idle.take(0, true).unwrap();
    scene.idle.keep(0, socket, None);
    advance(ms(100)).await;
    let socket = scene.idle.take(0, false).unwrap();
    scene.idle.keep(0, socket, Some(ms(20_000)));
    advance(ms(5000)).await;
    assert!(scene.idle.take(0, false).is_some(), "a quarter of what the server promised");
    assert_eq!(scene.idle.limit(), Some(ms(20_000)));
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_not_used_in_the_last_fifth_of_its_limit() {
    let scene = Scene::new().await;
    scene.learn(ms(1000)).await;
    let _first = scene.keep().await;
    let _second = scene.keep().await;
    advance(ms(799)).await;
    let socket = scene.idle.take(0, true).unwrap();
    advance(ms(1)).await;
    assert!(scene.idle.take(0, true).is_none() && scene.idle.steal(1).is_none());
    assert_eq!((scene.idle.idle(), scene.idle.open()), (0, 1), "whoever looked for one to take over closed it");
    drop(socket);
}

#[tokio::test(start_paused = true)]
async fn of_the_retired_connections_one_is_left_to_its_server() {
    let scene = Scene::new().await;
    scene.learn(ms(1000)).await;
    let oldest = scene.keep().await;
    let _others = (scene.keep().await, scene.keep().await);
    advance(ms(900)).await;
    let _young = scene.keep().await;
    assert!(scene.sweep());
    assert_eq!(scene.idle.idle(), 2, "that one and the young one");
    assert!(scene.idle.take(0, true).is_some() && scene.idle.take(0, true).is_none(), "it is not used");
    advance(ms(700)).await;
    assert!(scene.sweep());
    assert_eq!(scene.idle.limit(), None, "it lives on: the first was closed for another reason");
    assert!(scene.idle.take(0, true).is_some());
    drop(oldest);
}

#[tokio::test(start_paused = true)]
async fn a_full_list_makes_room_for_the_connection_that_answered_last() {
    let scene = Scene::new().await;
    let mut servers = Vec::new();
    for _ in 0..=KEPT {
        servers.push(scene.keep().await);
        advance(ms(1)).await;
    }
    assert_eq!(scene.idle.idle(), KEPT);
    assert!(scene.idle.make_room(1), "another thread's, where there is none of one's own");
    assert_eq!((scene.idle.idle(), scene.idle.open()), (KEPT - 1, KEPT as u32 - 1));
    scene.idle.retire();
    assert!(!scene.idle.make_room(0));
}
