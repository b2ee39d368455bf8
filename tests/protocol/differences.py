"""Where the gateway deliberately differs from llhttp in its strict mode, case by case, each with the reason."""

from typing import Final

_FRAGMENT: Final = "a fragment is never sent, and deflate would be 501"
_CONNECT: Final = "CONNECT is for forward proxies; a gateway answers 501"
_OTHER: Final = "only HTTP is spoken here"

STRICTER_REQUESTS: Final = {
    "method: REPORT request / CONNECT request": _CONNECT,
    "method: REPORT request / CONNECT request with CAPS": _CONNECT,
    "method: REPORT request / CONNECT with body": _CONNECT,
    "uri: Underscore in hostname": _CONNECT,
    "method: REPORT request / M-SEARCH request": "the target `*` is for OPTIONS alone (RFC 9112 section 3.2.4)",
    "method: REPORT request / SOURCE request with ICE": _OTHER,
    "method: REPORT request / OPTIONS request with RTSP": _OTHER,
    "method: REPORT request / ANNOUNCE request with RTSP": _OTHER,
    "sample: No HTTP version": "HTTP/0.9 has no head, so nothing would tell where its requests end",
    "transfer-encoding: POST with `chunked` as last transfer-encoding": _FRAGMENT,
    "transfer-encoding: POST with `chunked` as last transfer-encoding (multiple headers)": _FRAGMENT,
    "uri: Fragment in URI": "a fragment is never sent (RFC 9112 section 3.2), and servers cut it off or not",
    "uri: `host:port` and basic auth": "user information in an http target is an error (RFC 9110 section 4.2.4)",
}

LOOSER_REQUESTS: Final = {
    "invalid: ICE protocol and GET method / HTTP protocol and ANNOUNCE method": "any token is a method (RFC 9110 section 9.1)",
    "transfer-encoding: `chunked` / No extension after semicolon": "extensions are read over and written no more, an empty one too",
}

_SWITCH: Final = "nobody asked the server to switch"
_EMPTY_LINE: Final = "an empty line before a response is none of it; only before a request may one stand (RFC 9112 section 2.2)"

STRICTER_RESPONSES: Final = {
    "connection: HTTP 101 response with Upgrade and Content-Length header": _SWITCH,
    "connection: HTTP 101 response with Upgrade and Transfer-Encoding header": _SWITCH,
    "connection: HTTP 100 first, then 400": _EMPTY_LINE,
    "sample: Response starting with CRLF": _EMPTY_LINE,
    "sample: RTSP response": _OTHER,
    "sample: ICE response": _OTHER,
    "sample: HTTP version 0.9": _OTHER,
}

LOOSER_RESPONSES: Final = {
    "transfer-encoding: No extension after semicolon": "extensions are read over and written no more, an empty one too",
}
