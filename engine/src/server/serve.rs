//! One client connection, from its first request to its last.

use std::rc::Rc;
use std::time::Duration;

use tokio::time::Instant;

use super::parking::Parked;
use super::thread::Thread;
use crate::exchange::Transport;
use crate::exchange::client::Client;
use crate::exchange::run::{After, Stage};
use crate::h1::client::{ClientSide, HeadLimits, Next};
use crate::h1::connection::Stream;
use crate::snapshot::LimitsSpec;
use crate::upstream::connect::Http1;

/// A connection that has been quiet for that long gives up its task: at leisure while few wait, at once while many do. A short wait costs
/// wake-ups, many tasks cost memory.
const QUIET: Duration = Duration::from_millis(30);

/// More connections of one thread than that do not wait with a task.
const FEW: usize = 256;

/// Shorter limits than this end on time, longer ones a second late at most.
const LONG: Duration = Duration::from_secs(5);

/// While the engine ends, a connection without a request waits only that long for one that is on its way.
const LAST_CALL: Duration = Duration::from_millis(100);

/// How long the rest of a refused request is taken in before closing.
const LINGER: Duration = Duration::from_secs(2);

/// Serves a connection in a task of its own.
pub fn spawn(thread: &Rc<Thread>, parked: Parked) {
    let thread = Rc::clone(thread);
    // The runtime moves a task about while it is made and when it ends: a box is moved at less cost than a connection.
    drop(tokio::task::spawn_local(Box::pin(async move {
        let Parked { stream, peer, listener, open } = parked;
        let client = Client::new(peer, &thread.snapshot().forwarding.trusted);
        let mut side = ClientSide::new(stream, thread.buffers(), listener.half_close);
        let transport = Http1::new(&thread);
        let stage = Stage { thread: &thread, transport: &transport, client: &client, upgrades: &listener.upgrades };
        let end = converse(&stage, &mut side).await;
        let stream = side.into_stream();
        if end == End::Quiet {
            let keepalive = thread.snapshot().spec.limits.keepalive_timeout;
            let until = Instant::now() + keepalive.saturating_sub(QUIET);
            let parked = Parked { stream, peer, listener, open };
            if !thread.shared().is_stopping()
                && let Some(parked) = thread.lot().park(parked, until, keepalive >= LONG)
            {
                spawn(&thread, parked);
            }
        }
    })));
}

/// How a conversation with a client ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// Nothing comes, but it may.
    Quiet,
    /// It is over.
    Over,
}

fn head_limits(thread: &Thread, limits: &LimitsSpec) -> HeadLimits {
    let stopping = thread.shared().is_stopping();
    HeadLimits {
        quiet: if stopping { LAST_CALL } else { QUIET.min(limits.keepalive_timeout) },
        at_leisure: !stopping && thread.waiting().get() < FEW && limits.keepalive_timeout >= LONG,
        head: limits.head_timeout,
        size: usize::try_from(limits.max_head).unwrap_or(usize::MAX),
        content: limits.max_body.unwrap_or(u64::MAX),
    }
}

/// Serves request after request of one client.
pub(crate) async fn converse<S: Stream, T: Transport>(stage: &Stage<'_, T>, side: &mut ClientSide<S>) -> End {
    let thread = stage.thread;
    let mut timer = thread.timer();
    loop {
        let limits = head_limits(thread, &thread.snapshot().spec.limits);
        thread.waiting().set(thread.waiting().get() + 1);
        let next = side.next_request(&mut timer, limits).await;
        thread.waiting().set(thread.waiting().get() - 1);
        let after = match next {
            // In memory of its own, so that a connection between two requests takes little.
            Next::Request => Box::pin(stage.run(side)).await,
            Next::Refused(cause) => Box::pin(stage.turn_away(side, cause)).await,
            Next::Quiet => return End::Quiet,
            Next::Closed => return End::Over,
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
