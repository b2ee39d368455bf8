//! What is passed on: which fields of a message go to the other side, which end here, and which the gateway adds.

use super::client::{Client, Forwarding};
use crate::message::{FieldName, Line, RequestHead, ResponseHead};
use crate::route::HeaderEdits;
use crate::snapshot::ForwardedSpec;

/// One request as it goes to one endpoint.
pub struct Outgoing<'a> {
    /// As the client sent it.
    pub head: &'a RequestHead,
    /// Path after the route's rewriting.
    pub path: &'a [u8],
    /// What `Host` says.
    pub host: &'a [u8],
    /// The route's edits.
    pub edits: &'a HeaderEdits,
    /// Who sent it.
    pub client: &'a Client,
    /// How the server is told who sent it.
    pub forwarding: &'a Forwarding,
    /// Names the request in every log.
    pub id: &'a [u8],
    /// Whether `Upgrade` passes.
    pub upgrade: bool,
}

impl Outgoing<'_> {
    /// Every field that is sent, but for those that frame the content. `emit` takes name and value.
    pub fn fields(&self, emit: &mut impl FnMut(Line<'_>)) {
        let edited = !self.edits.is_empty();
        let kept = |name: &[u8]| !(edited && self.edits.removes(name));
        if kept(b"host") {
            emit(Line::new(b"Host", self.host));
        }
        self.received(&kept, emit);
        self.added(&kept, emit);
        for (name, value) in self.edits.set() {
            emit(Line::new(name, value));
        }
    }

    /// Fields of the client's that pass.
    fn received(&self, kept: &impl Fn(&[u8]) -> bool, emit: &mut impl FnMut(Line<'_>)) {
        let trusted = self.client.trusted;
        let nominates = !self.head.nominated.is_empty();
        for (kind, line) in self.head.fields.lines() {
            let passes = match kind {
                FieldName::Other | FieldName::LoadReport => !(nominates && self.head.nominates(line.name)),
                FieldName::Via | FieldName::Trailer => true,
                FieldName::Expect => self.head.modern,
                // The gateway writes the field of its own kind anew, from these.
                FieldName::XForwardedFor | FieldName::XForwardedProto | FieldName::XForwardedHost => {
                    trusted && self.forwarding.kind != ForwardedSpec::XForwarded
                }
                FieldName::Forwarded => trusted && self.forwarding.kind != ForwardedSpec::Forwarded,
                FieldName::XForwardedOther => trusted,
                FieldName::Host
                | FieldName::Connection
                | FieldName::ContentLength
                | FieldName::HopByHop
                | FieldName::TransferEncoding
                | FieldName::Te
                | FieldName::Upgrade
                | FieldName::XRequestId
                | FieldName::Disguised => false,
            };
            if passes && kept(line.name) {
                emit(line);
            }
        }
    }

    /// Fields of the gateway's own.
    fn added(&self, kept: &impl Fn(&[u8]) -> bool, emit: &mut impl FnMut(Line<'_>)) {
        let mut add = |name: &[u8], value: &[u8]| {
            if kept(name) {
                emit(Line::new(name, value));
            }
        };
        self.forwarding.emit(self.head, self.client, &mut add);
        add(b"Via", if self.head.modern { &self.forwarding.via_modern } else { &self.forwarding.via_old });
        add(b"X-Request-Id", self.id);
        match (self.upgrade.then(|| self.head.upgrade()).flatten(), self.head.takes_trailers) {
            (Some(token), _) => {
                emit(Line::new(b"Connection", b"Upgrade"));
                emit(Line::new(b"Upgrade", token));
            }
            (None, true) => {
                emit(Line::new(b"Connection", b"TE"));
                emit(Line::new(b"TE", b"trailers"));
            }
            (None, false) => {}
        }
    }
}

/// What passes to the client of what is usually for the gateway alone.
#[derive(Debug, Clone, Copy, Default)]
pub struct Passing {
    /// `Upgrade`.
    pub upgrade: bool,
    /// How busy the server says it is.
    pub load_report: bool,
}

/// Every field of a response that is sent to the client, but for those that frame its content.
pub fn response_fields(head: &ResponseHead, edits: &HeaderEdits, passing: Passing, emit: &mut impl FnMut(Line<'_>)) {
    let edited = !edits.is_empty();
    let nominates = !head.nominated.is_empty();
    for (kind, line) in head.fields.lines() {
        let passes = match kind {
            FieldName::Connection | FieldName::ContentLength | FieldName::HopByHop | FieldName::TransferEncoding | FieldName::Te => false,
            FieldName::Upgrade => passing.upgrade,
            FieldName::LoadReport if !passing.load_report => false,
            _ => !(nominates && head.nominates(line.name)),
        };
        if passes && !(edited && edits.removes(line.name)) {
            emit(line);
        }
    }
    for (name, value) in edits.set() {
        emit(Line::new(name, value));
    }
}

/// Writes a field that is passed on.
pub fn write_line(out: &mut Vec<u8>, line: Line<'_>) {
    match line.whole {
        Some(whole) => out.extend_from_slice(whole),
        None => write_field(out, line.name, line.value),
    }
}

/// Writes one field line.
pub fn write_field(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// Writes a number's decimal digits.
pub fn write_decimal(out: &mut Vec<u8>, number: u64) {
    crate::record::push_integer(out, number);
}
