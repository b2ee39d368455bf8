"""llhttp's corpus of responses, sent by the server behind the gateway; the judge is what the client receives."""

import pytest

from .backend import Conversation, echo
from .corpus import ROOT, Case, Read, cases
from .differences import LOOSER_RESPONSES, STRICTER_RESPONSES
from .harness import Backend, Client, gateway, get, probe
from .wire import Ended, Fields, Message

CASES = cases("response")
STRICT = [case for case in CASES if case.kind in {"response", "response-finish"}]
OTHERS = [case for case in CASES if case not in STRICT]

needs_corpus = pytest.mark.skipif(not CASES, reason=f"SKIPPED: llhttp's corpus is not at {ROOT}; its responses were not tested")


def exchange(case: Case) -> list[Message] | None:
    """The responses up to the final one as the client receives them, the last of them perhaps a refusal; None for a broken one."""

    def script(conversation: Conversation) -> None:
        conversation.request()
        conversation.backend.script = echo
        conversation.send(case.raw)
        conversation.shut()
        conversation.drain()

    with Backend(script) as backend, gateway(backend, limits={"body_timeout": "300ms"}) as running:
        answers: list[Message] | None = []
        with Client(running.address) as client:
            client.send(get("/first", method="POST", body=b""))
            try:
                while answers is not None and not (answers and answers[-1].status >= 200):
                    answers.append(client.response("POST"))
            except Ended:
                answers = None
            else:
                assert client.get("/next").body == b"GET /next\n", "whatever else came answers nobody"
        probe(running)
        return answers


@needs_corpus
@pytest.mark.parametrize("case", [case for case in STRICT if case.error is None], ids=lambda case: case.name)
def test_a_valid_response_arrives_as_it_was_meant_or_is_refused_for_a_stated_reason(case: Case) -> None:
    answers = exchange(case)
    if case.name in STRICTER_RESPONSES:
        assert answers is None or answers[-1].status == 502
        return
    expected = until_final(case.messages)
    if cut_short(expected[-1]):
        assert answers is None or answers[-1].status == 502
        return
    assert answers is not None
    for meant, got in zip(expected, answers, strict=True):
        same(meant, got)


@needs_corpus
@pytest.mark.parametrize("case", [case for case in STRICT if case.error is not None], ids=lambda case: case.name)
def test_a_response_that_llhttp_refuses_is_a_502_or_breaks_visibly(case: Case) -> None:
    answers = exchange(case)
    refused = answers is None or answers[-1].status == 502
    whole = until_final(case.whole)
    if case.name in LOOSER_RESPONSES:
        assert not refused, "no longer different: take it off the table"
    elif not whole:
        assert refused
    elif answers is not None and not refused:
        same(whole[-1], answers[-1])


@needs_corpus
@pytest.mark.parametrize("case", OTHERS, ids=lambda case: f"{case.kind} {case.name}")
def test_what_only_a_lenient_parser_takes_spoils_no_other_exchange(case: Case) -> None:
    answers = exchange(case)
    assert answers is None or 200 <= answers[-1].status < 600


@needs_corpus
def test_every_difference_is_about_a_case_of_the_corpus() -> None:
    assert (STRICTER_RESPONSES.keys() | LOOSER_RESPONSES.keys()) <= {case.name for case in STRICT}


def until_final(messages: list[Read]) -> list[Read]:
    final = next((index for index, message in enumerate(messages) if message.status >= 200), len(messages))
    return messages[: final + 1]


def cut_short(message: Read) -> bool:
    """Whether it declares an end that never came."""
    declares = any(name in {b"content-length", b"transfer-encoding"} for name, _ in message.fields)
    return not message.complete and declares


ENDS_HERE = {
    b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"te", b"upgrade", b"content-length", b"x-request-id",
}  # fmt: skip


def passing(fields: Fields) -> Fields:
    named = {name.strip().lower() for field, value in fields if field == b"connection" for name in value.split(b",")}
    return [(name, value) for name, value in fields if name not in ENDS_HERE | named]


def same(meant: Read, got: Message) -> None:
    assert got.status == meant.status
    assert got.body == meant.parts.get("body", b"")
    assert passing(got.fields) == passing(meant.fields)
