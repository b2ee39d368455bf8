"""llhttp's corpus of requests, sent through the gateway; the judge is what the server behind received."""

import re
from contextlib import suppress

import pytest

from .corpus import ROOT, Case, Read, cases
from .differences import LOOSER_REQUESTS, STRICTER_REQUESTS
from .harness import Backend, Client, gateway, probe
from .wire import Ended, Fields, Message

CASES = cases("request")
STRICT = [case for case in CASES if case.kind == "request"]
OTHERS = [case for case in CASES if case.kind != "request"]

SHORT = {"head_timeout": "80ms", "body_timeout": "80ms"}
HOST = b"Host: corpus.example\r\n"

needs_corpus = pytest.mark.skipif(not CASES, reason=f"SKIPPED: llhttp's corpus is not at {ROOT}; its requests were not tested")


def with_host(case: Case) -> bytes:
    """Gives each request of a case a Host, without which every gateway must refuse it."""
    raw = case.raw
    for message in reversed(case.messages):
        has_host = any(name == b"host" for name, _ in message.fields)
        end = raw.find(b"\r\n", message.begin)
        if not has_host and end >= 0 and message.parts.get("version") == b"1.1":
            raw = raw[: end + 2] + HOST + raw[end + 2 :]
    return raw


def exchange(case: Case) -> tuple[list[Message], list[Message], Backend]:
    """What the client was answered, and what the server received. The client reads until its connection is closed.

    Where nothing is refused it says that it has sent all; otherwise it waits for the refusal, at the latest for that of being slow.
    """
    answers: list[Message] = []
    with Backend() as backend, gateway(backend, limits=SHORT, listener={"half_close": True}) as running:
        with Client(running.address) as client, suppress(Ended):
            client.send(with_host(case))
            if case.error is None or case.name in LOOSER_REQUESTS:
                client.shut()
            while True:
                method = case.messages[len(answers)].parts.get("method", b"GET") if len(answers) < len(case.messages) else b"GET"
                answers.append(client.response(method.decode()))
        probe(running)
        received = backend.requests
        assert received.pop().target == b"/second"
        return answers, received, backend


@needs_corpus
@pytest.mark.parametrize("case", [case for case in STRICT if case.error is None], ids=lambda case: case.name)
def test_a_valid_request_arrives_as_it_was_meant_or_is_refused_for_a_stated_reason(case: Case) -> None:
    answers, received, _ = exchange(case)
    whole = case.whole
    if case.name in STRICTER_REQUESTS:
        assert answers[-1].status >= 400
        assert len(received) < len(case.messages)
        whole = whole[: len(received)]
    assert len(received) == len(whole) or is_upgrade(case)
    for message, got in zip(whole, received, strict=not is_upgrade(case)):
        same(message, got)


def is_upgrade(case: Case) -> bool:
    """Whether llhttp left the rest to another protocol, which the server did not agree to."""
    return any(name == b"upgrade" for message in case.messages for name, _ in message.fields)


@needs_corpus
@pytest.mark.parametrize("case", [case for case in STRICT if case.error is not None], ids=lambda case: case.name)
def test_a_request_that_llhttp_refuses_is_refused_and_never_reaches_the_server(case: Case) -> None:
    answers, received, _ = exchange(case)
    if case.name in LOOSER_REQUESTS:
        assert len(received) > len(case.whole), "no longer different: take it off the table"
        return
    assert answers[-1].status >= 400 or "Data after `Connection: close`" in (case.error or "")
    assert answers[-1].get(b"connection") == b"close"
    assert len(received) <= len(case.whole)
    for message, got in zip(case.whole, received, strict=False):
        same(message, got)


@needs_corpus
@pytest.mark.parametrize("case", OTHERS, ids=lambda case: f"{case.kind} {case.name}")
def test_what_only_a_lenient_parser_takes_leaves_nothing_unreadable_at_the_server(case: Case) -> None:
    _, received, backend = exchange(case)
    assert all(each.error is None for each in backend.judged)
    assert len(received) <= max(1, len(case.messages))


@needs_corpus
def test_every_difference_is_about_a_case_of_the_corpus() -> None:
    assert (STRICTER_REQUESTS.keys() | LOOSER_REQUESTS.keys()) <= {case.name for case in STRICT}


ENDS_HERE = {
    b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"te", b"upgrade", b"content-length", b"host",
    b"via", b"x-request-id", b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host",
}  # fmt: skip


def passing(fields: Fields) -> Fields:
    named = {name.strip().lower() for field, value in fields if field == b"connection" for name in value.split(b",")}
    return [(name, value) for name, value in fields if name not in ENDS_HERE | named]


def same(meant: Read, got: Message) -> None:
    target = re.sub(rb"^http://[^/?]*/?", b"/", meant.parts["url"])
    assert (got.method, got.target) == (meant.parts["method"], target)
    assert got.body == meant.parts.get("body", b"")
    assert passing(got.fields) == passing(meant.fields)
    assert got.trailers == [field for field in passing(meant.trailers) if field[0] != b"content-type"], "which may not come so late"
