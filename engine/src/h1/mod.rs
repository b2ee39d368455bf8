//! HTTP/1.0 and HTTP/1.1 (RFC 9112): strict in what is read, written anew from what was understood.

pub mod buffer;
pub mod client;
pub mod connection;
mod decoder;
mod encoder;
mod fields;
mod linger;
pub mod request;
pub mod response;
mod scan;
pub mod server;
