"""Requests that two parsers may read in two ways, each with the cause that it is refused for. `POISON` is what would be smuggled."""

from typing import Final

POISON: Final = b"GET /poison HTTP/1.1\r\nHost: good.example\r\n\r\n"


def lines(*fields: bytes, start: bytes = b"POST /first HTTP/1.1", host: bytes = b"Host: good.example\r\n") -> bytes:
    """A head of field lines."""
    return start + b"\r\n" + host + b"".join(field + b"\r\n" for field in fields) + b"\r\n"


def chunked(body: bytes) -> bytes:
    """A request with this as its chunked content, framing included."""
    return lines(b"Transfer-Encoding: chunked") + body


_CHUNKED = b"5\r\nhello\r\n0\r\n\r\n"

LENGTHS: Final = {
    "CL.TE": (lines(b"Content-Length: 6", b"Transfer-Encoding: chunked") + b"0\r\n\r\n", "ambiguous_length"),
    "TE.CL": (lines(b"Transfer-Encoding: chunked", b"Content-Length: 4") + b"5c\r\n", "ambiguous_length"),
    "CL.TE with nothing": (lines(b"Content-Length: 0", b"Transfer-Encoding: chunked") + b"0\r\n\r\n", "ambiguous_length"),
    "TE with an unreadable CL": (lines(b"Transfer-Encoding: chunked", b"Content-Length: x") + b"0\r\n\r\n", "ambiguous_length"),
    "TE xchunked": (lines(b"Transfer-Encoding: xchunked") + _CHUNKED, "ambiguous_length"),
    "TE chunkedx": (lines(b"Transfer-Encoding: chunkedx") + _CHUNKED, "ambiguous_length"),
    "TE quoted": (lines(b'Transfer-Encoding: "chunked"') + _CHUNKED, "ambiguous_length"),
    "TE with a parameter": (lines(b"Transfer-Encoding: chunked;q=1") + _CHUNKED, "ambiguous_length"),
    "TE empty": (lines(b"Transfer-Encoding:") + _CHUNKED, "ambiguous_length"),
    "TE identity": (lines(b"Transfer-Encoding: identity") + _CHUNKED, "ambiguous_length"),
    "TE identity with CL": (lines(b"Transfer-Encoding: identity", b"Content-Length: 15") + _CHUNKED, "ambiguous_length"),
    "TE chunked, identity": (lines(b"Transfer-Encoding: chunked, identity") + _CHUNKED, "ambiguous_length"),
    "TE identity, chunked": (lines(b"Transfer-Encoding: identity, chunked") + _CHUNKED, "unknown_transfer_coding"),
    "TE gzip, chunked": (lines(b"Transfer-Encoding: gzip, chunked") + _CHUNKED, "unknown_transfer_coding"),
    "TE gzip": (lines(b"Transfer-Encoding: gzip") + _CHUNKED, "ambiguous_length"),
    "TE chunked twice in a list": (lines(b"Transfer-Encoding: chunked, chunked") + _CHUNKED, "ambiguous_length"),
    "TE chunked on two lines": (lines(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked") + _CHUNKED, "ambiguous_length"),
    "TE chunked, then identity": (lines(b"Transfer-Encoding: chunked", b"transfer-encoding: identity") + _CHUNKED, "ambiguous_length"),
    "TE identity, then chunked": (
        lines(b"Transfer-Encoding: identity", b"Transfer-Encoding: chunked") + _CHUNKED,
        "unknown_transfer_coding",
    ),
    "TE with a comma behind": (lines(b"Transfer-Encoding: chunked,") + _CHUNKED, "ambiguous_length"),
    "TE with a comma before": (lines(b"Transfer-Encoding: ,chunked") + _CHUNKED, "unknown_transfer_coding"),
    "TE with a no-break space": (lines(b"Transfer-Encoding: chunked\xa0") + _CHUNKED, "ambiguous_length"),
    "TE in HTTP/1.0": (lines(b"Transfer-Encoding: chunked", start=b"POST /first HTTP/1.0") + _CHUNKED, "ambiguous_length"),
    "TE in HTTP/1.0 with CL": (
        lines(b"Transfer-Encoding: chunked", b"Content-Length: 15", start=b"POST /first HTTP/1.0") + _CHUNKED,
        "ambiguous_length",
    ),
    "CL with a plus": (lines(b"Content-Length: +5") + b"hello", "ambiguous_length"),
    "CL with a minus": (lines(b"Content-Length: -5") + b"hello", "ambiguous_length"),
    "CL with a space within": (lines(b"Content-Length: 1 5") + b"hello", "ambiguous_length"),
    "CL in hexadecimal": (lines(b"Content-Length: 0x5") + b"hello", "ambiguous_length"),
    "CL with a fraction": (lines(b"Content-Length: 5.0") + b"hello", "ambiguous_length"),
    "CL with an underscore": (lines(b"Content-Length: 1_0") + b"hello", "ambiguous_length"),
    "CL in other digits": (lines(b"Content-Length: \xd9\xa5") + b"hello", "ambiguous_length"),
    "CL as a list": (lines(b"Content-Length: 5, 5") + b"hello", "ambiguous_length"),
    "CL as a differing list": (lines(b"Content-Length: 5, 6") + b"hello", "ambiguous_length"),
    "CL empty": (lines(b"Content-Length:") + b"hello", "ambiguous_length"),
    "CL beyond 64 bits": (lines(b"Content-Length: 18446744073709551621") + b"hello", "ambiguous_length"),
    "CL with a comment": (lines(b"Content-Length: 5;") + b"hello", "ambiguous_length"),
    "two CLs": (lines(b"Content-Length: 5", b"Content-Length: 0") + b"hello", "ambiguous_length"),
    "two CLs, the second unreadable": (lines(b"Content-Length: 5", b"Content-Length: ") + b"hello", "ambiguous_length"),
}

FIELDS: Final = {
    "a space before the colon of TE": (lines(b"Transfer-Encoding : chunked") + _CHUNKED, "header_malformed"),
    "a tab before the colon of TE": (lines(b"Transfer-Encoding\t: chunked") + _CHUNKED, "header_malformed"),
    "a vertical tab behind chunked": (lines(b"Transfer-Encoding: chunked\x0b") + _CHUNKED, "header_malformed"),
    "a form feed before chunked": (lines(b"Transfer-Encoding: \x0cchunked") + _CHUNKED, "header_malformed"),
    "a folded TE": (lines(b"Transfer-Encoding:\r\n chunked") + _CHUNKED, "header_malformed"),
    "a folded CL": (lines(b"X: y\r\n Content-Length: 40") + b"", "header_malformed"),
    "a field folded with a tab": (lines(b"X: y\r\n\tz"), "header_malformed"),
    "a fold before the first field": (b"GET /first HTTP/1.1\r\n Host: good.example\r\n\r\n", "header_malformed"),
    "a space before the first name": (b"GET /first HTTP/1.1\r\n X: y\r\nHost: good.example\r\n\r\n", "header_malformed"),
    "a space before the colon of Host": (b"GET /first HTTP/1.1\r\nHost : good.example\r\n\r\n", "header_malformed"),
    "NUL in a value": (lines(b"X: a\0b"), "header_malformed"),
    "NUL in a name": (lines(b"X\0: a"), "header_malformed"),
    "CR in a value": (lines(b"X: a\rContent-Length: 40"), "header_malformed"),
    "CR in a name": (lines(b"X\rY: a"), "header_malformed"),
    "CR before CR LF": (lines(b"X: a\r"), "header_malformed"),
    "LF in a value": (lines(b"X: a\nContent-Length: 40"), "bare_line_feed"),
    "LF after the request line": (b"GET /first HTTP/1.1\nHost: good.example\r\n\r\n", "bare_line_feed"),
    "LF after the last field": (b"GET /first HTTP/1.1\r\nHost: good.example\n\r\n", "bare_line_feed"),
    "LF for the empty line": (b"GET /first HTTP/1.1\r\nHost: good.example\r\n\n", "bare_line_feed"),
    "LF before the request line": (b"\nGET /first HTTP/1.1\r\nHost: good.example\r\n\r\n", "bare_line_feed"),
    "an escape in a value": (lines(b"X: a\x1bb"), "header_malformed"),
    "DEL in a value": (lines(b"X: a\x7fb"), "header_malformed"),
    "a name without a colon": (lines(b"Content-Length"), "header_malformed"),
    "an empty name": (lines(b": chunked"), "header_malformed"),
    "a parenthesis in a name": (lines(b"X(y): a"), "header_malformed"),
    "a name beyond ASCII": (lines(b"Transfer\xe2\x80\x90Encoding: chunked") + _CHUNKED, "header_malformed"),
    "two Hosts": (lines(b"Host: evil.example"), "bad_host"),
    "no Host": (lines(host=b""), "bad_host"),
    "an empty Host": (lines(host=b"Host:\r\n"), "bad_host"),
    "a Host with a path": (lines(host=b"Host: good.example/evil\r\n"), "bad_host"),
    "a Host with user information": (lines(host=b"Host: good.example@evil.example\r\n"), "bad_host"),
    "a Host as a list": (lines(host=b"Host: good.example, evil.example\r\n"), "bad_host"),
    "a Host with a space": (lines(host=b"Host: good.example evil.example\r\n"), "bad_host"),
    "a Host with a wrong port": (lines(host=b"Host: good.example:80x\r\n"), "bad_host"),
}

FIRST_LINES: Final = {
    "two spaces before the target": (lines(start=b"GET  /first HTTP/1.1"), "malformed_request"),
    "two spaces before the version": (lines(start=b"GET /first  HTTP/1.1"), "malformed_request"),
    "a tab before the target": (lines(start=b"GET\t/first HTTP/1.1"), "malformed_request"),
    "a tab before the version": (lines(start=b"GET /first\tHTTP/1.1"), "malformed_request"),
    "a vertical tab before the version": (lines(start=b"GET /first\x0bHTTP/1.1"), "malformed_request"),
    "a space before the method": (lines(start=b" GET /first HTTP/1.1"), "malformed_request"),
    "a space behind the version": (lines(start=b"GET /first HTTP/1.1 "), "header_malformed"),
    "a space within the target": (lines(start=b"GET /first /poison HTTP/1.1"), "malformed_request"),
    "a CR within the target": (lines(start=b"GET /first\r/poison HTTP/1.1"), "malformed_request"),
    "NUL within the target": (lines(start=b"GET /first\0 HTTP/1.1"), "malformed_request"),
    "a path that climbs": (lines(start=b"GET /first/../shut HTTP/1.1"), "malformed_request"),
    "a path that climbs in disguise": (lines(start=b"GET /first/%2E./shut HTTP/1.1"), "malformed_request"),
    "a fragment": (lines(start=b"GET /first#x HTTP/1.1"), "malformed_request"),
    "a target beyond ASCII": (lines(start="GET /é HTTP/1.1".encode()), "malformed_request"),
    "no target": (lines(start=b"GET HTTP/1.1"), "malformed_request"),
    "a target without a slash": (lines(start=b"GET first HTTP/1.1"), "malformed_request"),
    "a star for GET": (lines(start=b"GET * HTTP/1.1"), "malformed_request"),
    "user information in the target": (lines(start=b"GET http://a@good.example/ HTTP/1.1"), "bad_host"),
    "an https target": (lines(start=b"GET https://good.example/ HTTP/1.1"), "malformed_request"),
    "an empty authority": (lines(start=b"GET http:///first HTTP/1.1"), "bad_host"),
    "a colon in the method": (lines(start=b"GET: /first HTTP/1.1"), "malformed_request"),
    "HTTP/0.9": (b"GET /first\r\n\r\n", "malformed_request"),
    "HTTP/1.2": (lines(start=b"GET /first HTTP/1.2"), "unsupported_version"),
    "HTTP/2.0": (lines(start=b"GET /first HTTP/2.0"), "unsupported_version"),
    "HTTP/01.1": (lines(start=b"GET /first HTTP/01.1"), "malformed_request"),
    "HTTP/1.10": (lines(start=b"GET /first HTTP/1.10"), "header_malformed"),
    "http in lower case": (lines(start=b"GET /first http/1.1"), "malformed_request"),
    "the preface of HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "unsupported_version"),
    "CONNECT": (lines(start=b"CONNECT good.example:443 HTTP/1.1"), "unsupported_method"),
    "the first bytes of TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", "malformed_request"),
}

BODIES: Final = {
    name: (chunked(body), "body_malformed")
    for name, body in {
        "a size with 0x": b"0x5\r\nhello\r\n0\r\n\r\n",
        "a size with a plus": b"+5\r\nhello\r\n0\r\n\r\n",
        "a negative size": b"-1\r\nhello\r\n0\r\n\r\n",
        "a space before the size": b" 5\r\nhello\r\n0\r\n\r\n",
        "a space behind the size": b"5 \r\nhello\r\n0\r\n\r\n",
        "a tab behind the size": b"5\t\r\nhello\r\n0\r\n\r\n",
        "an underscore in the size": b"1_0\r\nhello\r\n0\r\n\r\n",
        "an empty size": b"\r\nhello\r\n0\r\n\r\n",
        "a size of 64 bits": b"ffffffffffffffff\r\nhello\r\n0\r\n\r\n",
        "a size that wraps around": b"10000000000000005\r\nhello\r\n0\r\n\r\n",
        "a size of a thousand zeros": b"0" * 1000 + b"5\r\nhello\r\n0\r\n\r\n",
        "a size ended by LF": b"5\nhello\r\n0\r\n\r\n",
        "a size ended by CR": b"5\rhello\r\n0\r\n\r\n",
        "an extension with LF": b"5;a\nhello\r\n0\r\n\r\n",
        "an extension with CR": b"5;a\rb\r\nhello\r\n0\r\n\r\n",
        "an extension with NUL": b"5;a\0\r\nhello\r\n0\r\n\r\n",
        "an endless extension": b"5;" + b"a" * 2000 + b"\r\nhello\r\n0\r\n\r\n",
        "a chunk longer than its size": b"4\r\nhello\r\n0\r\n\r\n",
        "a chunk ended by LF": b"5\r\nhello\n0\r\n\r\n",
        "a chunk without an end": b"5\r\nhello0\r\n\r\n",
        "a chunk ended by two CRs": b"5\r\nhello\r\r0\r\n\r\n",
        "a last chunk ended by LF": b"5\r\nhello\r\n0\n\r\n",
        "LF for the last line": b"5\r\nhello\r\n0\r\n\n",
        "a trailer ended by LF": b"5\r\nhello\r\n0\r\nX: y\n\r\n",
        "a trailer with a space before its colon": b"5\r\nhello\r\n0\r\nX : y\r\n\r\n",
        "a folded trailer": b"5\r\nhello\r\n0\r\nX: y\r\n z\r\n\r\n",
        "a trailer with NUL": b"5\r\nhello\r\n0\r\nX: \0\r\n\r\n",
        "a trailer without a name": b"5\r\nhello\r\n0\r\n: y\r\n\r\n",
        "a request for a trailer": b"5\r\nhello\r\n0\r\n" + POISON,
        "more trailers than may be": b"0\r\n" + b"".join(b"X-%d: y\r\n" % index for index in range(40)) + b"\r\n",
        "larger trailers than may be": b"0\r\n" + b"X: " + b"y" * 20_000 + b"\r\n\r\n",
    }.items()
}

REFUSED: Final = LENGTHS | FIELDS | FIRST_LINES
"""Refused by their heads: no byte of them goes on. `BODIES` are refused once their heads have gone on."""
