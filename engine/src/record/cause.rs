//! The catalogue of causes: every way in which an exchange can go wrong, each with one row.
//!
//! `forebay.observe.causes` mirrors it (a test compares the two). `error` is a proxy error type of RFC 9209, section 2.3. A cause whose
//! `status` is 0 never makes a response of its own, because it only strikes once one has begun.

/// Declares the enum and its table from one row per cause: meaning, variant, name, origin, phase, status, RFC 9209 error, remedy.
macro_rules! catalogue {
    ($($(#[doc = $meaning:literal])+ $variant:ident: $name:literal, $origin:ident, $phase:ident, $status:literal, $error:literal, $remedy:literal;)+) => {
        /// Why an exchange, or one attempt of it, did not end well.
        #[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
        #[repr(u8)]
        pub enum Cause {
            $($(#[doc = $meaning])+ $variant,)+
        }

        impl Cause {
            /// Every cause, in the order of the catalogue; `cause as usize` is its place here.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            const fn row(self) -> &'static Row {
                match self {
                    $(Self::$variant => &Row {
                        name: $name,
                        origin: Origin::$origin,
                        phase: Phase::$phase,
                        status: $status,
                        error: $error,
                        meaning: concat!($($meaning),+),
                        remedy: $remedy,
                    },)+
                }
            }
        }
    };
}

/// Declares an enum of words and the word of each.
macro_rules! words {
    ($(#[doc = $about:literal])+ $kind:ident { $($(#[doc = $doc:literal])+ $variant:ident = $word:literal,)+ }) => {
        $(#[doc = $about])+
        #[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
        pub enum $kind {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl $kind {
            /// The word for it in records and statistics.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }
    };
}

pub(super) use words;

words! {
    /// Who ended an exchange.
    Origin {
        /// This gateway, by its rules or its limits.
        Gateway = "gateway",
        /// The server behind, or the way to it.
        Upstream = "upstream",
        /// The client, or the way to it.
        Client = "client",
    }
}

words! {
    /// How far an exchange had come.
    Phase {
        /// A connection was being taken on.
        Accept = "accept",
        /// The request head was being read.
        Head = "head",
        /// A route was being looked for.
        Route = "route",
        /// An endpoint was being chosen.
        Pick = "pick",
        /// The exchange waited for its turn at a full pool.
        Queue = "queue",
        /// An endpoint's name was being resolved.
        Dns = "dns",
        /// A connection to the endpoint was being made.
        Connect = "connect",
        /// TLS was being agreed with the endpoint.
        Tls = "tls",
        /// The request was being sent.
        Send = "send",
        /// The response head was awaited.
        Wait = "wait",
        /// A body was under way.
        Body = "body",
        /// The connection was a tunnel.
        Tunnel = "tunnel",
    }
}

/// What the catalogue says about one cause.
struct Row {
    name: &'static str,
    origin: Origin,
    phase: Phase,
    status: u16,
    error: &'static str,
    meaning: &'static str,
    remedy: &'static str,
}

catalogue! {
    /// The request line is not one that HTTP/1.1 allows.
    MalformedRequest: "malformed_request", Client, Head, 400, "http_request_error",
        "Correct the client: its request line must be METHOD SP TARGET SP HTTP/1.1 (a TLS client on a plain port looks like this too).";
    /// A line of the request head ends in a bare line feed, or holds a bare carriage return.
    BareLineFeed: "bare_line_feed", Client, Head, 400, "http_request_error",
        "Correct the client: every line of a request head must end in CR LF.";
    /// A field of the request head is malformed.
    HeaderMalformed: "header_malformed", Client, Head, 400, "http_request_error",
        "Correct the client: fields are NAME: VALUE on one line, without a space before the colon and without control characters.";
    /// The request's length can be read in more than one way.
    AmbiguousLength: "ambiguous_length", Client, Head, 400, "http_request_error",
        "Correct the client to send one Content-Length or a final chunked coding, never both; if it is a proxy, treat this as a smuggling attempt.";
    /// The request has no Host, more than one, or a malformed one.
    BadHost: "bad_host", Client, Head, 400, "http_request_error",
        "Correct the client to send exactly one valid Host field.";
    /// The request target is longer than a whole head may be.
    TargetTooLong: "target_too_long", Client, Head, 414, "http_request_error",
        "Shorten the client's URL, or raise limits.max_head.";
    /// The request head is larger than `limits.max_head`.
    HeadTooLarge: "head_too_large", Client, Head, 431, "http_request_error",
        "Find the field that grew (often cookies), or raise limits.max_head.";
    /// The request has a transfer coding other than chunked.
    UnknownTransferCoding: "unknown_transfer_coding", Client, Head, 501, "http_request_error",
        "Have the client send its body with chunked alone; compress with Content-Encoding instead.";
    /// The request is of an HTTP version that is not served here.
    UnsupportedVersion: "unsupported_version", Client, Head, 505, "http_request_error",
        "Have the client speak HTTP/1.1 or HTTP/1.0.";
    /// The request's method is one that a gateway does not carry out.
    UnsupportedMethod: "unsupported_method", Client, Head, 501, "http_request_error",
        "Point the client's forward-proxy setting (CONNECT) at a forward proxy; this is a gateway.";
    /// The request head did not arrive whole within `limits.head_timeout`.
    HeadTimeout: "head_timeout", Client, Head, 408, "http_request_error",
        "Nothing, if it is one slow client; raise limits.head_timeout if many honest ones are this slow.";
    /// The request body's chunks are malformed.
    BodyMalformed: "body_malformed", Client, Body, 400, "http_request_error",
        "Correct the client's chunked coding: a chunk is SIZE in hexadecimal, CR LF, that many bytes, CR LF.";
    /// The request body is larger than `limits.max_body`.
    BodyTooLarge: "body_too_large", Client, Body, 413, "http_request_error",
        "Have the client send less, or raise limits.max_body.";
    /// Nothing of the request body arrived for `limits.body_timeout`.
    BodyTimeout: "body_timeout", Client, Body, 408, "http_request_error",
        "Look at the client's network; raise limits.body_timeout if its pauses are intended.";
    /// The client went away before it had its whole answer.
    ClientAbort: "client_abort", Client, Wait, 499, "",
        "Compare the duration with the client's own timeout; if clients close their sending side early on purpose, set half_close on the listener.";
    /// The client read nothing of its answer for `limits.send_timeout`.
    SendTimeout: "send_timeout", Client, Body, 0, "",
        "Nothing, if it is one stalled client; raise limits.send_timeout if its pauses are intended.";
    /// No route matches the request.
    NoRoute: "no_route", Gateway, Route, 404, "destination_not_found",
        "Add a route that matches this host, path and method, or a last one without conditions.";
    /// The pool has no endpoint that may be picked: none at all, or only weights of zero.
    PoolEmpty: "pool_empty", Gateway, Pick, 503, "destination_unavailable",
        "Give the pool an endpoint with a weight above zero.";
    /// No name of the pool's endpoints has been resolved to an address so far.
    PoolUnresolved: "pool_unresolved", Gateway, Dns, 503, "dns_error",
        "Check the endpoints' names and this machine's resolver; the pool serves by itself once one of them resolves.";
    /// No endpoint of the pool is known to be able to serve, and the pool does not try them all.
    PoolDown: "pool_down", Gateway, Pick, 503, "destination_unavailable",
        "See in `forebay status` why each endpoint is out; `when_all_down` of the pool says what happens meanwhile.";
    /// The pool's endpoints were at their limit and its queue was full.
    QueueFull: "queue_full", Gateway, Queue, 503, "connection_limit_reached",
        "Add endpoints, or raise max_inflight or queue.size of the pool.";
    /// The pool's endpoints stayed at their limit for as long as a request may queue.
    QueueTimeout: "queue_timeout", Gateway, Queue, 503, "connection_limit_reached",
        "Add endpoints, or raise max_inflight or queue.timeout of the pool.";
    /// The route's `timeout` ran out before a response head came.
    RequestTimeout: "request_timeout", Gateway, Wait, 504, "http_response_timeout",
        "See in the attempts where the time went; raise the route's timeout if it is shorter than honest work takes.";
    /// The exchange took longer than `limits.total_timeout`.
    TotalTimeout: "total_timeout", Gateway, Body, 504, "http_response_timeout",
        "Raise limits.total_timeout or set it to off, which leaves the limits on progress in force.";
    /// The gateway had no file descriptor left for a connection to the server.
    OutOfFiles: "out_of_files", Gateway, Connect, 503, "proxy_internal_error",
        "Raise the limit on open files (ulimit -n, LimitNOFILE=), or set limits.max_connections below it.";
    /// The gateway was stopped and `shutdown_grace` ran out.
    Shutdown: "shutdown", Gateway, Body, 0, "",
        "Raise gateway.shutdown_grace if exchanges of this length should end by themselves.";
    /// A tunnel carried nothing either way for `limits.tunnel_timeout`.
    TunnelTimeout: "tunnel_timeout", Gateway, Tunnel, 0, "",
        "Have one side send pings, or raise limits.tunnel_timeout.";
    /// The endpoint's machine refused the connection.
    ConnectRefused: "connect_refused", Upstream, Connect, 502, "connection_refused",
        "Start the server, or correct the endpoint's address: nothing listens there.";
    /// The endpoint did not answer a connection within `connect_timeout`.
    ConnectTimeout: "connect_timeout", Upstream, Connect, 504, "connection_timeout",
        "Check that the machine is up and no firewall drops the packets; raise the pool's connect_timeout if the way is long.";
    /// No connection to the endpoint could be made: unreachable, reset, or no such socket.
    ConnectFailed: "connect_failed", Upstream, Connect, 502, "destination_unavailable",
        "Check the route to the machine, or that the Unix socket exists and this user may write to it.";
    /// The connection broke while the request was being sent.
    SendFailed: "send_failed", Upstream, Send, 502, "connection_terminated",
        "Look in the server's log for why it closed the connection; it may have crashed or refused the body.";
    /// The server read nothing of the request for `limits.send_timeout`.
    SendStalled: "send_stalled", Upstream, Send, 504, "connection_write_timeout",
        "Look why the server does not read: it is overloaded, or its handler waits for something else first.";
    /// The server closed the connection before it answered.
    ClosedBeforeResponse: "closed_before_response", Upstream, Wait, 502, "connection_terminated",
        "Look in the server's log for a crash or a worker's restart at this time.";
    /// The server's connection was reset before it answered.
    ResetBeforeResponse: "reset_before_response", Upstream, Wait, 502, "connection_terminated",
        "Look whether the server's process was killed, or a firewall between cut the connection.";
    /// No response head came within the route's `first_byte_timeout`.
    FirstByteTimeout: "first_byte_timeout", Upstream, Wait, 504, "connection_read_timeout",
        "Find out why the server is slow; raise the route's first_byte_timeout if it honestly works that long.";
    /// No response head came within the `retry.attempt_timeout` of the pool.
    AttemptTimeout: "attempt_timeout", Upstream, Wait, 504, "connection_read_timeout",
        "Find out why the server is slow; raise retry.attempt_timeout, or set it to learned, which ends nothing that works.";
    /// The endpoint was silent on all its connections, answered no probe either, and its peers answered meanwhile.
    EndpointUnresponsive: "endpoint_unresponsive", Upstream, Wait, 504, "connection_read_timeout",
        "Look whether the server's process is stopped, out of memory or deadlocked, or its machine cut off; the request may have run.";
    /// The response head is not one that HTTP/1.1 allows.
    ResponseMalformed: "response_malformed", Upstream, Wait, 502, "http_protocol_error",
        "Correct the server, or the endpoint's address: something that does not speak plain HTTP/1 answers there.";
    /// The response's length can be read in more than one way.
    ResponseLengthAmbiguous: "response_length_ambiguous", Upstream, Wait, 502, "http_protocol_error",
        "Correct the server to send one Content-Length or a final chunked coding, never both.";
    /// The response head is larger than `limits.max_head`.
    ResponseHeadTooLarge: "response_head_too_large", Upstream, Wait, 502, "http_response_header_section_size",
        "Find the response field that grew, or raise limits.max_head.";
    /// The response ended before its announced length.
    ResponseTruncated: "response_truncated", Upstream, Body, 502, "http_response_incomplete",
        "Look in the server's log for a crash in the middle of this response, or a wrong Content-Length.";
    /// The response body's chunks are malformed.
    ResponseBodyMalformed: "response_body_malformed", Upstream, Body, 502, "http_response_transfer_coding",
        "Correct the server's chunked coding.";
    /// Nothing of the response body came for `limits.body_timeout`.
    ResponseStalled: "response_stalled", Upstream, Body, 504, "connection_read_timeout",
        "Find out why the server paused; raise limits.body_timeout, or have it send something now and then, if the pause is intended.";
    /// The server switched protocols without having been asked, or to another one.
    UpgradeMalformed: "upgrade_malformed", Upstream, Wait, 502, "http_upgrade_failed",
        "Correct the server: 101 may only answer an Upgrade that the request carried, with a protocol it named.";
}

impl Cause {
    /// Its name in records, statistics and `Proxy-Status` details.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.row().name
    }

    /// Who ends an exchange with this cause.
    #[must_use]
    pub const fn origin(self) -> Origin {
        self.row().origin
    }

    /// How far the exchange had come.
    #[must_use]
    pub const fn phase(self) -> Phase {
        self.row().phase
    }

    /// The status of the gateway's own response, where none has begun; 0 where there is never one.
    #[must_use]
    pub const fn status(self) -> u16 {
        self.row().status
    }

    /// The proxy error type of RFC 9209, section 2.3; empty where none fits.
    #[must_use]
    pub const fn error(self) -> &'static str {
        self.row().error
    }

    /// What happened, as a sentence.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        self.row().meaning.trim_ascii()
    }

    /// What an operator can do about it, as a sentence.
    #[must_use]
    pub const fn remedy(self) -> &'static str {
        self.row().remedy
    }

    /// The cause of this name, if the catalogue has one.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|cause| cause.name() == name)
    }
}

#[cfg(test)]
#[path = "cause_tests.rs"]
mod tests;
