//! A probe by connecting, and where it is asked for by what is said on the connection.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::Instant;

use super::order::MOST;
use super::outcome::Progress;
use super::runner::{Bench, Job};
use crate::h1::connection::Stream as _;
use crate::record::Cause;
use crate::upstream::socket::Socket;
use crate::upstream::target::Target;

/// Performs one probe and reports it.
pub(super) async fn perform(bench: &Bench, job: &Job, said: (&[u8], usize), target: &Target) {
    let mut progress = Progress::default();
    let begun = Instant::now();
    let result = bench.timers.within(job.probe.timeout, ask(bench, job, said, target, &mut progress)).await;
    let cause = match result {
        Ok(result) => result.err().map(Cause::name),
        Err(_) => Some(progress.timeout()),
    };
    bench.report(job, begun, progress, cause);
}

async fn ask(bench: &Bench, job: &Job, (send, expect): (&[u8], usize), target: &Target, progress: &mut Progress) -> Result<(), Cause> {
    bench.sent(&job.endpoint);
    let mut socket = bench.connect(target).await?;
    progress.connected = true;
    if expect == 0 {
        bench.answered(&job.endpoint);
    }
    if expect == 0 && send.is_empty() {
        // Thousands of these must not leave thousands of closed connections behind for a minute.
        socket.reset_on_close(true);
    }
    if !send.is_empty() {
        socket.write_all(send).await.map_err(|_| Cause::SendFailed)?;
    }
    if expect > 0 {
        receive(bench, job, (&mut socket, expect), &mut progress.body).await?;
    }
    progress.at = Some(Instant::now());
    Ok(())
}

/// Reads at least so many bytes.
async fn receive(bench: &Bench, job: &Job, (socket, expect): (&mut Socket, usize), body: &mut Vec<u8>) -> Result<(), Cause> {
    let mut limited = socket.take(MOST as u64);
    while body.len() < expect {
        match limited.read_buf(body).await {
            Ok(0) if body.is_empty() => return Err(Cause::ClosedBeforeResponse),
            Ok(0) => return Err(Cause::ResponseTruncated),
            Ok(_) => bench.answered(&job.endpoint),
            Err(_) if body.is_empty() => return Err(Cause::ResetBeforeResponse),
            Err(_) => return Err(Cause::ResponseTruncated),
        }
    }
    Ok(())
}
