//! One client connection, from its first request to its last.

use std::rc::Rc;
use std::time::Duration;

use tokio::time::Instant;

use super::parking::Parked;
use super::thread::Thread;
use crate::exchange::client::Client;
use crate::exchange::run::{After, Stage};
use crate::h1::client::{ClientSide, HeadLimits, Next};
use crate::h1::connection::Stream;
use crate::snapshot::LimitsSpec;
use crate::upstream::connect::Http1;

/// A connection that has been quiet for that long gives up its task and its buffers.
const QUIET: Duration = Duration::from_millis(250);

/// While the engine ends, a connection without a request waits only that long for one that is on its way.
const LAST_CALL: Duration = Duration::from_millis(100);

/// How long the rest of a refused request is taken in before closing.
const LINGER: Duration = Duration::from_secs(2);

/// Serves a connection in a task of its own.
pub fn spawn(thread: &Rc<Thread>, parked: Parked) {
    let thread = Rc::clone(thread);
    drop(tokio::task::spawn_local(async move {
        let Parked { stream, peer, listener, open } = parked;
        let client = Client::new(peer, &thread.snapshot().forwarding.trusted);
        let mut side = ClientSide::new(stream, thread.buffers(), listener.half_close);
        let end = converse(&thread, &mut side, &client, &listener.upgrades).await;
        if end == End::Quiet {
            let keepalive = thread.snapshot().spec.limits.keepalive_timeout;
            let until = Instant::now() + keepalive.saturating_sub(QUIET);
            let parked = Parked { stream: side.into_stream(), peer, listener, open };
            if !thread.shared().is_stopping()
                && let Some(parked) = thread.lot().park(parked, until)
            {
                spawn(&thread, parked);
            }
        }
    }));
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// Nothing comes, but it may.
    Quiet,
    /// It is over.
    Over,
}

fn head_limits(thread: &Thread, limits: &LimitsSpec) -> HeadLimits {
    HeadLimits {
        quiet: if thread.shared().is_stopping() { LAST_CALL } else { QUIET.min(limits.keepalive_timeout) },
        head: limits.head_timeout,
        size: usize::try_from(limits.max_head).unwrap_or(usize::MAX),
        content: limits.max_body.unwrap_or(u64::MAX),
    }
}

async fn converse<S: Stream>(thread: &Thread, side: &mut ClientSide<S>, client: &Client, upgrades: &[String]) -> End {
    let transport = Http1::new(thread);
    let stage = Stage { thread, transport: &transport, client, upgrades };
    let mut timer = thread.timer();
    loop {
        let limits = head_limits(thread, &thread.snapshot().spec.limits);
        let after = match side.next_request(&mut timer, limits).await {
            Next::Request => stage.run(side).await,
            Next::Refused(cause) => stage.turn_away(side, cause).await,
            Next::Quiet if limits.quiet == QUIET => return End::Quiet,
            Next::Quiet | Next::Closed => return End::Over,
        };
        match after {
            After::Keep => {}
            After::Close if side.is_clean() => return End::Over,
            After::Close => {
                side.linger(&mut timer, LINGER).await;
                return End::Over;
            }
            After::Break => return End::Over,
        }
    }
}
