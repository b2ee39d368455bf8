//! Closing a client's connection without destroying what was just sent on it.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use tokio::time::Instant;

use super::client::ClientSide;
use super::connection::Stream;
use crate::clock::Timer;
use crate::exchange::body::Sink as _;

impl<S: Stream> ClientSide<S> {
    /// Sends the rest of a last response, then takes in what the client still sends for a moment, so that closing does not destroy the
    /// response on its way (RFC 9112 section 9.6).
    pub async fn linger(&mut self, timer: &mut Timer, limit: Duration) {
        const MOST: usize = 1 << 20;
        timer.set(Instant::now() + limit);
        let mut shut = false;
        let mut taken = 0;
        poll_fn(|cx| {
            if !shut {
                match self.connection.poll_flush(cx) {
                    Poll::Ready(Ok(())) => {}
                    Poll::Ready(Err(_)) => return Poll::Ready(()),
                    Poll::Pending => return timer.poll(cx),
                }
                match std::pin::Pin::new(&mut self.connection.stream).poll_shutdown(cx) {
                    Poll::Ready(Ok(())) => shut = true,
                    Poll::Ready(Err(_)) => return Poll::Ready(()),
                    Poll::Pending => return timer.poll(cx),
                }
            }
            while taken < MOST {
                let waiting = self.connection.input.len();
                self.connection.input.consume(waiting);
                self.connection.input.make_room(usize::MAX);
                match self.connection.input.poll_read(&mut self.connection.stream, cx) {
                    Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(()),
                    Poll::Ready(Ok(count)) => taken += count,
                    Poll::Pending => return timer.poll(cx),
                }
            }
            Poll::Ready(())
        })
        .await;
    }
}
