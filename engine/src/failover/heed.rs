//! What a server says of itself in an answer: that it closes its connections, or would like to be left alone.

use crate::endpoint::Endpoint;
use crate::exchange::Back;
use crate::message::ResponseHead;
use crate::pool::Pool;

/// Takes in what the head of an answer says.
pub(super) fn heed<B: Back>(pool: &Pool, endpoint: &Endpoint, back: &B, now: impl Fn() -> u64) {
    let head = back.response();
    // Where HTTP/1.0 or a switch of protocols ends a connection, that says nothing of the server.
    if head.modern && !head.keep_alive && head.status != 101 {
        pool.closing(endpoint, back.is_kept(), &now);
    }
    if matches!(head.status, 429 | 503)
        && let Some(seconds) = retry_after(head)
    {
        pool.put_off(endpoint, seconds, now());
    }
}

/// The seconds of `Retry-After`; a date, which servers hardly ever give, is not heeded.
fn retry_after(head: &ResponseHead) -> Option<u64> {
    std::str::from_utf8(head.fields.first(b"retry-after")?).ok()?.trim().parse().ok()
}
