"""The catalogue of causes: all that can go wrong with an exchange. The mirror of `engine/src/record/cause.rs`, held equal by a test."""

from dataclasses import dataclass
from typing import Final, Literal

Origin = Literal["gateway", "upstream", "client"]
Phase = Literal["accept", "head", "route", "pick", "queue", "dns", "connect", "tls", "send", "wait", "body", "tunnel"]


@dataclass(frozen=True, slots=True)
class Cause:
    """One row.

    `origin` is who ended the exchange, `phase` how far it had come, `status` the gateway's own response (0: a response had always
    begun), `error` the proxy error type of RFC 9209, section 2.3 (empty: none fits), `meaning` what happened, `remedy` what an
    operator can do.
    """

    cause: str
    origin: Origin
    phase: Phase
    status: int
    error: str
    meaning: str
    remedy: str


# A table: three lines a row.
# fmt: off
CAUSES: Final = (
    Cause("malformed_request", "client", "head", 400, "http_request_error",
        "The request line is not one that HTTP/1.1 allows.",
        "Correct the client: its request line must be METHOD SP TARGET SP HTTP/1.1 (a TLS client on a plain port looks like "
        "this too)."),
    Cause("bare_line_feed", "client", "head", 400, "http_request_error",
        "A line of the request head ends in a bare line feed, or holds a bare carriage return.",
        "Correct the client: every line of a request head must end in CR LF."),
    Cause("header_malformed", "client", "head", 400, "http_request_error",
        "A field of the request head is malformed.",
        "Correct the client: fields are NAME: VALUE on one line, without a space before the colon and without control "
        "characters."),
    Cause("ambiguous_length", "client", "head", 400, "http_request_error",
        "The request's length can be read in more than one way.",
        "Correct the client to send one Content-Length or a final chunked coding, never both; if it is a proxy, treat this as a"
        " smuggling attempt."),
    Cause("bad_host", "client", "head", 400, "http_request_error",
        "The request has no Host, more than one, or a malformed one.",
        "Correct the client to send exactly one valid Host field."),
    Cause("target_too_long", "client", "head", 414, "http_request_error",
        "The request target is longer than a whole head may be.",
        "Shorten the client's URL, or raise limits.max_head."),
    Cause("head_too_large", "client", "head", 431, "http_request_error",
        "The request head is larger than `limits.max_head`.",
        "Find the field that grew (often cookies), or raise limits.max_head."),
    Cause("unknown_transfer_coding", "client", "head", 501, "http_request_error",
        "The request has a transfer coding other than chunked.",
        "Have the client send its body with chunked alone; compress with Content-Encoding instead."),
    Cause("unsupported_version", "client", "head", 505, "http_request_error",
        "The request is of an HTTP version that is not served here.",
        "Have the client speak HTTP/1.1 or HTTP/1.0."),
    Cause("unsupported_method", "client", "head", 501, "http_request_error",
        "The request's method is one that a gateway does not carry out.",
        "Point the client's forward-proxy setting (CONNECT) at a forward proxy; this is a gateway."),
    Cause("head_timeout", "client", "head", 408, "http_request_error",
        "The request head did not arrive whole within `limits.head_timeout`.",
        "Nothing, if it is one slow client; raise limits.head_timeout if many honest ones are this slow."),
    Cause("body_malformed", "client", "body", 400, "http_request_error",
        "The request body's chunks are malformed.",
        "Correct the client's chunked coding: a chunk is SIZE in hexadecimal, CR LF, that many bytes, CR LF."),
    Cause("body_too_large", "client", "body", 413, "http_request_error",
        "The request body is larger than `limits.max_body`.",
        "Have the client send less, or raise limits.max_body."),
    Cause("body_timeout", "client", "body", 408, "http_request_error",
        "Nothing of the request body arrived for `limits.body_timeout`.",
        "Look at the client's network; raise limits.body_timeout if its pauses are intended."),
    Cause("client_abort", "client", "wait", 499, "",
        "The client went away before it had its whole answer.",
        "Compare the duration with the client's own timeout; if clients close their sending side early on purpose, set "
        "half_close on the listener."),
    Cause("send_timeout", "client", "body", 0, "",
        "The client read nothing of its answer for `limits.send_timeout`.",
        "Nothing, if it is one stalled client; raise limits.send_timeout if its pauses are intended."),
    Cause("no_route", "gateway", "route", 404, "destination_not_found",
        "No route matches the request.",
        "Add a route that matches this host, path and method, or a last one without conditions."),
    Cause("pool_empty", "gateway", "pick", 503, "destination_unavailable",
        "The pool has no endpoint that may be picked: none at all, or only weights of zero.",
        "Give the pool an endpoint with a weight above zero."),
    Cause("pool_unresolved", "gateway", "dns", 503, "dns_error",
        "No name of the pool's endpoints has been resolved to an address so far.",
        "Check the endpoints' names and this machine's resolver; the pool serves by itself once one of them resolves."),
    Cause("pool_down", "gateway", "pick", 503, "destination_unavailable",
        "No endpoint of the pool is known to be able to serve, and the pool does not try them all.",
        "See in `forebay status` why each endpoint is out; `when_all_down` of the pool says what happens meanwhile."),
    Cause("queue_full", "gateway", "queue", 503, "connection_limit_reached",
        "The pool's endpoints were at their limit and its queue was full.",
        "Add endpoints, or raise max_inflight or queue.size of the pool."),
    Cause("queue_timeout", "gateway", "queue", 503, "connection_limit_reached",
        "The pool's endpoints stayed at their limit for as long as a request may queue.",
        "Add endpoints, or raise max_inflight or queue.timeout of the pool."),
    Cause("request_timeout", "gateway", "wait", 504, "http_response_timeout",
        "The route's `timeout` ran out before a response head came.",
        "See in the attempts where the time went; raise the route's timeout if it is shorter than honest work takes."),
    Cause("total_timeout", "gateway", "body", 504, "http_response_timeout",
        "The exchange took longer than `limits.total_timeout`.",
        "Raise limits.total_timeout or set it to off, which leaves the limits on progress in force."),
    Cause("out_of_files", "gateway", "connect", 503, "proxy_internal_error",
        "The gateway had no file descriptor left for a connection to the server.",
        "Raise the limit on open files (ulimit -n, LimitNOFILE=), or set limits.max_connections below it."),
    Cause("shutdown", "gateway", "body", 0, "",
        "The gateway was stopped and `shutdown_grace` ran out.",
        "Raise gateway.shutdown_grace if exchanges of this length should end by themselves."),
    Cause("tunnel_timeout", "gateway", "tunnel", 0, "",
        "A tunnel carried nothing either way for `limits.tunnel_timeout`.",
        "Have one side send pings, or raise limits.tunnel_timeout."),
    Cause("connect_refused", "upstream", "connect", 502, "connection_refused",
        "The endpoint's machine refused the connection.",
        "Start the server, or correct the endpoint's address: nothing listens there."),
    Cause("connect_timeout", "upstream", "connect", 504, "connection_timeout",
        "The endpoint did not answer a connection within `connect_timeout`.",
        "Check that the machine is up and no firewall drops the packets; raise the pool's connect_timeout if the way is long."),
    Cause("connect_failed", "upstream", "connect", 502, "destination_unavailable",
        "No connection to the endpoint could be made: unreachable, reset, or no such socket.",
        "Check the route to the machine, or that the Unix socket exists and this user may write to it."),
    Cause("send_failed", "upstream", "send", 502, "connection_terminated",
        "The connection broke while the request was being sent.",
        "Look in the server's log for why it closed the connection; it may have crashed or refused the body."),
    Cause("send_stalled", "upstream", "send", 504, "connection_write_timeout",
        "The server read nothing of the request for `limits.send_timeout`.",
        "Look why the server does not read: it is overloaded, or its handler waits for something else first."),
    Cause("closed_before_response", "upstream", "wait", 502, "connection_terminated",
        "The server closed the connection before it answered.",
        "Look in the server's log for a crash or a worker's restart at this time."),
    Cause("reset_before_response", "upstream", "wait", 502, "connection_terminated",
        "The server's connection was reset before it answered.",
        "Look whether the server's process was killed, or a firewall between cut the connection."),
    Cause("first_byte_timeout", "upstream", "wait", 504, "connection_read_timeout",
        "No response head came within the route's `first_byte_timeout`.",
        "Find out why the server is slow; raise the route's first_byte_timeout if it honestly works that long."),
    Cause("attempt_timeout", "upstream", "wait", 504, "connection_read_timeout",
        "No response head came within the `retry.attempt_timeout` of the pool.",
        "Find out why the server is slow; raise retry.attempt_timeout, or set it to learned, which ends nothing that works."),
    Cause("endpoint_unresponsive", "upstream", "wait", 504, "connection_read_timeout",
        "The endpoint was silent on all its connections, answered no probe either, and its peers answered meanwhile.",
        "Look whether the server's process is stopped, out of memory or deadlocked, or its machine cut off; the request may have"
        " run."),
    Cause("response_malformed", "upstream", "wait", 502, "http_protocol_error",
        "The response head is not one that HTTP/1.1 allows.",
        "Correct the server, or the endpoint's address: something that does not speak plain HTTP/1 answers there."),
    Cause("response_length_ambiguous", "upstream", "wait", 502, "http_protocol_error",
        "The response's length can be read in more than one way.",
        "Correct the server to send one Content-Length or a final chunked coding, never both."),
    Cause("response_head_too_large", "upstream", "wait", 502, "http_response_header_section_size",
        "The response head is larger than `limits.max_head`.",
        "Find the response field that grew, or raise limits.max_head."),
    Cause("response_truncated", "upstream", "body", 502, "http_response_incomplete",
        "The response ended before its announced length.",
        "Look in the server's log for a crash in the middle of this response, or a wrong Content-Length."),
    Cause("response_body_malformed", "upstream", "body", 502, "http_response_transfer_coding",
        "The response body's chunks are malformed.",
        "Correct the server's chunked coding."),
    Cause("response_stalled", "upstream", "body", 504, "connection_read_timeout",
        "Nothing of the response body came for `limits.body_timeout`.",
        "Find out why the server paused; raise limits.body_timeout, or have it send something now and then, if the pause is "
        "intended."),
    Cause("upgrade_malformed", "upstream", "wait", 502, "http_upgrade_failed",
        "The server switched protocols without having been asked, or to another one.",
        "Correct the server: 101 may only answer an Upgrade that the request carried, with a protocol it named."),
)
# fmt: on
"""In the engine's order."""

BY_NAME: Final = {cause.cause: cause for cause in CAUSES}
