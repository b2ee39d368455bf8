//! A probe by request and response, on the connection that the endpoint's last one left.

use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, ready};
use std::time::Duration;

use tokio::time::Instant;

use super::order::{Http, MOST};
use super::outcome::Progress;
use super::runner::{Bench, Job};
use crate::exchange::Back as _;
use crate::exchange::body::{Sink as _, Source as _};
use crate::exchange::relay::server_cause;
use crate::h1::server::ServerSide;
use crate::record::Cause;
use crate::upstream::socket::Socket;
use crate::upstream::target::Target;

/// How long the rest of an answer may take to come before its connection is given up.
const REST: Duration = Duration::from_secs(1);

/// A request on a connection, and when it began.
struct Asked {
    side: ServerSide<Socket>,
    begun: Instant,
}

/// Performs one probe and reports it; then sees to its connection.
pub(super) async fn perform(bench: &Bench, job: &Job, http: &Http, target: &Target) {
    let mut asked = None;
    let mut progress = Progress::default();
    let begun = Instant::now();
    let result = bench.timers.within(job.probe.timeout, ask(bench, job, (http, target), &mut asked, &mut progress)).await;
    let cause = match result {
        Ok(result) => result.err().map(Cause::name),
        Err(_) => Some(progress.timeout()),
    };
    // The time that a connection took which turned out to be closed says nothing of the server.
    let begun = asked.as_ref().map_or(begun, |asked| asked.begun);
    bench.report(job, begun, progress, cause);
    if cause.is_none()
        && !http.fresh
        && let Some(Asked { mut side, .. }) = asked
        && bench.timers.within(REST, finish(&mut side)).await == Ok(true)
    {
        job.endpoint.idle.keep_probe(side.into_stream());
    }
}

async fn ask(
    bench: &Bench,
    job: &Job,
    (http, target): (&Http, &Target),
    asked: &mut Option<Asked>,
    progress: &mut Progress,
) -> Result<(), Cause> {
    let mut kept = if http.fresh { None } else { job.endpoint.idle.take_probe() };
    loop {
        let begun = Instant::now();
        bench.sent(&job.endpoint);
        let (socket, again) = match kept.take() {
            Some(socket) => (socket, true),
            None => (bench.connect(target).await?, false),
        };
        progress.connected = true;
        let side = ServerSide::new(socket, Rc::clone(&bench.buffers), http.max_head, again);
        let asked = asked.insert(Asked { side, begun });
        asked.side.begin_as_written(|out| http.write(out, &job.endpoint.address));
        let answer = head(&mut asked.side).await;
        if asked.side.has_answered() {
            bench.answered(&job.endpoint);
        }
        match answer {
            // The server closed it while it was not used, which it may.
            Err(_) if again && !asked.side.has_answered() => progress.connected = false,
            Err(cause) => return Err(cause),
            Ok(()) => {
                progress.at = Some(Instant::now());
                progress.status = Some(asked.side.response().status);
                asked.side.advance();
                return content(&mut asked.side, http.body, &mut progress.body).await;
            }
        }
    }
}

/// Sends the request and reads up to a final head.
async fn head(side: &mut ServerSide<Socket>) -> Result<(), Cause> {
    poll_fn(|cx| {
        if ready!(side.poll_flush(cx)).is_err() {
            return Poll::Ready(Err(Cause::SendFailed));
        }
        loop {
            ready!(side.poll_response(cx))?;
            if !side.response().is_interim() {
                return Poll::Ready(Ok(()));
            }
            side.advance();
        }
    })
    .await
}

/// Takes so many bytes of the content, or all where there are fewer.
async fn content(side: &mut ServerSide<Socket>, wanted: usize, body: &mut Vec<u8>) -> Result<(), Cause> {
    while body.len() < wanted && !side.ended() {
        poll_fn(|cx| side.poll_fill(cx)).await.map_err(|error| server_cause(&error))?;
        let data = side.data();
        let count = data.len().min(wanted - body.len());
        body.extend_from_slice(data.get(..count).unwrap_or_default());
        side.consume(count);
    }
    Ok(())
}

/// Reads the rest of an answer; whether the connection can take another request. One that goes on for long is not waited for.
async fn finish(side: &mut ServerSide<Socket>) -> bool {
    let mut left = MOST;
    while !side.ended() {
        if poll_fn(|cx| side.poll_fill(cx)).await.is_err() {
            return false;
        }
        let count = side.data().len();
        if count > left {
            return false;
        }
        left -= count;
        side.consume(count);
    }
    side.is_reusable()
}
