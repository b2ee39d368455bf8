//! Reads a response head from a server, as strictly as a request: what the client receives is written anew from this.

use std::mem::MaybeUninit;

use super::fields::{self, Declared, LengthError, MOST_FIELDS};
use crate::message::{Length, ResponseHead, Span};
use crate::record::Cause;

/// Parses one complete head into `head`, which must be clear. `bodiless` says that the request was a HEAD.
///
/// # Errors
///
/// The cause that the exchange ends with.
pub fn parse(bytes: &[u8], bodiless: bool, head: &mut ResponseHead) -> Result<(), Cause> {
    head.fields.bytes.extend_from_slice(bytes);
    let bytes = &head.fields.bytes;
    let mut slots = [const { MaybeUninit::uninit() }; MOST_FIELDS];
    let mut parsed = httparse::Response::new(&mut []);
    let outcome = httparse::ParserConfig::default().parse_response_with_uninit_headers(&mut parsed, bytes, &mut slots);
    match outcome {
        Ok(httparse::Status::Complete(length)) if length == bytes.len() => {}
        Err(httparse::Error::TooManyHeaders) => return Err(Cause::ResponseHeadTooLarge),
        _ => return Err(Cause::ResponseMalformed),
    }
    let (Some(status), Some(version)) = (parsed.code, parsed.version) else { return Err(Cause::ResponseMalformed) };
    if !(100..600).contains(&status) {
        return Err(Cause::ResponseMalformed);
    }
    head.fields.kinds = fields::collect(bytes, parsed.headers, &mut head.fields.list);
    head.status = status;
    head.reason = parsed.reason.filter(|reason| !reason.is_empty()).map_or_else(Span::default, |reason| Span::of(bytes, reason.as_bytes()));
    head.modern = version == 1;
    let options = fields::connection(&head.fields, &mut head.nominated).ok_or(Cause::ResponseMalformed)?;
    head.keep_alive = if head.modern { !options.close } else { options.keep_alive && !options.close };
    let declared = match fields::declared(&head.fields, head.modern) {
        Ok(declared) => declared,
        Err(LengthError::Ambiguous | LengthError::UnknownCoding) => return Err(Cause::ResponseLengthAmbiguous),
    };
    head.length = length(head.status, bodiless, declared);
    head.declared = if let Declared::Length(length) = declared { Some(length) } else { None };
    Ok(())
}

/// RFC 9112 section 6.3.
fn length(status: u16, bodiless: bool, declared: Declared) -> Length {
    if bodiless || status < 200 || matches!(status, 204 | 304) {
        return Length::None;
    }
    match declared {
        Declared::Chunked => Length::Framed,
        Declared::Length(0) => Length::None,
        Declared::Length(length) => Length::Known(length),
        Declared::Nothing => Length::UntilClose,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(head: &str) -> Result<ResponseHead, Cause> {
        let mut response = ResponseHead::default();
        parse(head.as_bytes(), false, &mut response).map(|()| response)
    }

    #[test]
    fn the_content_ends_as_the_head_says() {
        for (head, length) in [
            ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", Length::Known(5)),
            ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", Length::None),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", Length::Framed),
            ("HTTP/1.1 200 OK\r\n\r\n", Length::UntilClose),
            ("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", Length::None),
            ("HTTP/1.1 204 No Content\r\n\r\n", Length::None),
            ("HTTP/1.1 100 Continue\r\n\r\n", Length::None),
        ] {
            assert_eq!(read(head).unwrap().length, length, "{head:?}");
        }
        let mut response = ResponseHead::default();
        parse(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", true, &mut response).unwrap();
        assert_eq!(response.length, Length::None, "an answer to HEAD has no content");
    }

    #[test]
    fn a_declared_length_is_known_also_where_no_content_follows() {
        for (head, declared) in [
            ("HTTP/1.1 304 Not Modified\r\nContent-Length: 0005\r\n\r\n", Some(5)),
            ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 05\r\n\r\n", Some(5)),
            ("HTTP/1.1 200 OK\r\n\r\n", None),
        ] {
            assert_eq!(read(head).unwrap().declared, declared, "{head:?}");
        }
    }

    #[test]
    fn a_reason_may_be_missing() {
        assert!(read("HTTP/1.1 200\r\n\r\n").unwrap().reason.is_empty());
        assert_eq!(read("HTTP/1.1 299 So so\r\n\r\n").map(|head| head.reason.get(&head.fields.bytes).to_vec()), Ok(b"So so".to_vec()));
    }

    #[test]
    fn a_server_that_cannot_be_understood_is_not_passed_on() {
        for (head, cause) in [
            ("HTTP/2 200\r\n\r\n", Cause::ResponseMalformed),
            ("HTTP/1.1 99 Low\r\n\r\n", Cause::ResponseMalformed),
            ("HTTP/1.1 600 High\r\n\r\n", Cause::ResponseMalformed),
            ("HTTP/1.1 200 OK\r\nA : b\r\n\r\n", Cause::ResponseMalformed),
            ("HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n", Cause::ResponseMalformed),
            ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", Cause::ResponseLengthAmbiguous),
            ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", Cause::ResponseLengthAmbiguous),
            ("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", Cause::ResponseLengthAmbiguous),
        ] {
            assert_eq!(read(head).unwrap_err(), cause, "{head:?}");
        }
    }
}
