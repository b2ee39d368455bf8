"""Each cause of the catalogue, brought about by a real fault: what the client is told and what the record says."""

import threading
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from forebay.observe.causes import BY_NAME

from .backend import Backend
from .faults import FAULTS, UNPROVOKED, Fault, silent
from .harness import cause, gateway, get, problem, records
from .wire import Client


def test_every_cause_is_provoked_or_said_to_be_beyond_a_test() -> None:
    assert FAULTS.keys() | UNPROVOKED.keys() == BY_NAME.keys()
    assert FAULTS.keys().isdisjoint(UNPROVOKED)


@pytest.mark.parametrize(("name", "fault"), FAULTS.items(), ids=FAULTS)
def test_a_fault_is_answered_and_recorded_by_its_cause(name: str, fault: Fault, tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    provoke(name, fault, log)
    row = BY_NAME[name]
    found = [record for record in records(log) if record["cause"] == name]
    assert len(found) == 1
    assert (found[0]["origin"], found[0]["phase"]) == (row.origin, row.phase)
    if fault.answer or name == "client_abort":
        assert found[0]["status"] == row.status
    if row.origin == "upstream":
        attempts = [attempt for attempt in found[0]["attempts"] if attempt["outcome"] == name]
        assert [attempt["phase"] for attempt in attempts] == [row.phase]


def provoke(name: str, fault: Fault, log: Path) -> None:
    with ExitStack() as stack:
        backend = stack.enter_context(Backend(fault.script))
        address = fault.address() if fault.address else [backend]
        endpoints = address if isinstance(address, list) else [stack.enter_context(address)]
        running = stack.enter_context(gateway(*endpoints, access_log=str(log), **fault.keys))
        if fault.busy:
            backend.script = silent
            stack.enter_context(occupied(running.address, backend))
        client = stack.enter_context(Client(running.address))
        sender = threading.Thread(target=send, args=(client, fault.request))
        sender.start()
        try:
            act(name, fault, client, backend)
        finally:
            running.stop(0)
            client.close()
            with backend.changed:
                backend.released = True
                backend.changed.notify_all()
            sender.join()


def act(name: str, fault: Fault, client: Client, backend: Backend) -> None:
    if fault.act in {"leave", "stop"}:
        backend.wait(lambda backend: backend.log.endswith(b"\r\n\r\n"))
        if fault.act == "leave":
            client.close()
            backend.wait_over()
    elif fault.act == "stare":
        backend.wait_over()
    elif not fault.answer:
        client.outcome()
    else:
        answer = client.response()
        row = BY_NAME[name]
        assert (answer.status, cause(answer)) == (row.status, name)
        assert f"error={row.error};".encode() in (answer.get(b"proxy-status") or b"")
        assert (problem(answer)["origin"], problem(answer)["phase"]) == (row.origin, row.phase)


def send(client: Client, request: bytes) -> None:
    # What is refused early is not read to its end.
    with suppress(OSError):
        client.send(request)


def occupied(address: str, backend: Backend) -> Client:
    client = Client(address)
    client.send(get("/busy"))
    backend.wait(lambda backend: b"/busy" in backend.log)
    return client
