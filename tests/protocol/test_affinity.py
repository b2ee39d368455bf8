"""Clients stay with the server that served them first: over several gateways, over a restart, and as long as that server serves."""

import re
import stat
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from forebay.gateway import Running

from .backend import Backend, Conversation, Script
from .harness import gateway, wait_until
from .wire import Client, Message, ok

COOKIE = re.compile(r"fb=([A-Za-z0-9_-]{39}); Path=/; Max-Age=3600; HttpOnly; SameSite=Lax")
SHARED = {"affinity": {"secret": "correct horse battery staple"}}


def named(name: str, *lines: str) -> Script:
    """Answer every request with this name and a cookie of the server's own."""

    def script(conversation: Conversation) -> None:
        while True:
            conversation.request()
            conversation.send(ok(name.encode(), "Set-Cookie: own=1; Path=/", *lines))

    return script


@pytest.fixture
def three() -> Iterator[dict[str, Backend]]:
    with ExitStack() as entered:
        yield {name: entered.enter_context(Backend(named(name))) for name in ("a", "b", "c")}


def ask(running: Running, token: str = "", *lines: str) -> tuple[str, str]:
    """Who answered, and the token that it set, or nothing."""
    with Client(running.address) as client:
        answer = client.get("/", *([f"Cookie: theirs=2; fb={token}"] if token else []), *lines)
    return answer.body.decode(), set_by(answer)


def set_by(answer: Message) -> str:
    first, *rest = (value.decode() for value in answer.all(b"set-cookie"))
    assert first == "own=1; Path=/"
    if not rest:
        return ""
    (cookie,) = rest
    found = COOKIE.fullmatch(cookie)
    assert found, cookie
    return found[1]


def test_a_client_stays_with_the_server_that_served_it_first(three: dict[str, Backend]) -> None:
    with gateway(*three.values(), pool={**SHARED, "balance": "round_robin"}) as running:
        first, token = ask(running)
        assert token
        assert [ask(running, token) for _ in range(6)] == [(first, "")] * 6
        assert {ask(running)[0] for _ in range(3)} == {"a", "b", "c"}, "others are spread as ever"
    assert f"fb={token}".encode() in three[first].log


@pytest.mark.parametrize("policy", ["random", "least_connections", "consistent_hash(key='path')", "first_available(limit=1)"])
def test_it_does_so_over_any_policy(three: dict[str, Backend], policy: str) -> None:
    with gateway(*three.values(), pool=SHARED) as running:
        tokens = dict(ask(running) for _ in range(3))
    with gateway(*three.values(), pool={**SHARED, "balance": policy}) as running:
        for name, token in tokens.items():
            assert [ask(running, token) for _ in range(4)] == [(name, "")] * 4


def test_gateways_that_share_a_secret_honour_each_other_s_cookies(three: dict[str, Backend]) -> None:
    with gateway(*three.values(), pool=SHARED) as one, gateway(*reversed(three.values()), pool=SHARED) as other:
        for _ in range(3):
            name, token = ask(one)
            assert ask(other, token) == (name, "")
    with gateway(*three.values(), pool={"affinity": {"secret": "another secret of some length"}}) as stranger:
        assert ask(stranger, token)[1] not in {"", token}


def test_a_client_whose_server_dies_is_given_another_by_the_same_answer(three: dict[str, Backend]) -> None:
    with gateway(*three.values(), pool=SHARED) as running:
        lost, token = ask(running)
        three[lost].__exit__(None)
        found, new = ask(running, token)
        assert found != lost
        assert new not in {"", token}
        assert ask(running, new) == (found, "")


def test_a_server_without_weight_keeps_its_clients_and_one_that_is_removed_loses_them(three: dict[str, Backend]) -> None:
    with gateway(*three.values(), pool=SHARED) as running:
        name, token = ask(running)
        others = [server.address for each, server in three.items() if each != name]
        running.pools["app"].set_endpoints([{"address": three[name].address, "weight": 0}, *others])
        assert [ask(running, token) for _ in range(3)] == [(name, "")] * 3
        assert name not in {ask(running)[0] for _ in range(4)}
        running.pools["app"].set_endpoints(others)
        found, new = ask(running, token)
        assert found != name
        assert new


@pytest.mark.parametrize("junk", ["", "A" * 39, "A" * 4000, '"', "fb=fb=fb", "%00", "\xff" * 39])
def test_whatever_else_a_client_brings_is_ignored(three: dict[str, Backend], junk: str) -> None:
    with gateway(*three.values(), pool=SHARED) as running, Client(running.address) as client:
        request = b"GET / HTTP/1.1\r\nHost: good.example\r\nCookie: fb=" + junk.encode("latin-1") + b"; fb=\r\n\r\n"
        assert set_by(client.ask(request))


def test_the_secret_that_nobody_declared_is_kept_over_a_restart(three: dict[str, Backend], tmp_path: Path) -> None:
    keys: dict[str, Any] = {"pool": {"affinity": {}}, "state_dir": str(tmp_path / "state")}
    with gateway(*three.values(), **keys) as running:
        name, token = ask(running)
    assert stat.S_IMODE((tmp_path / "state" / "affinity.secret").stat().st_mode) == 0o600
    with gateway(*three.values(), **keys) as running:
        assert ask(running, token) == (name, "")
    with gateway(*three.values(), pool={"affinity": {}}) as elsewhere:
        assert ask(elsewhere, token)[1]


def test_a_gateway_that_nobody_comes_back_to_leaves_no_secret_behind(three: dict[str, Backend]) -> None:
    with gateway(*three.values(), pool={"affinity": {}}) as running:
        directory = Path(running.control.removeprefix("unix:")).parent
        assert (directory / "affinity.secret").exists()
    assert not directory.exists()


def test_a_cookie_set_over_https_in_front_is_sent_back_over_https_alone(three: dict[str, Backend]) -> None:
    for trusted, secure in (("127.0.0.0/8", b"; Secure"), ("10.0.0.0/8", b"")):
        with gateway(*three.values(), pool=SHARED, trusted_proxies=trusted) as running, Client(running.address) as client:
            answer = client.get("/", "X-Forwarded-Proto: https")
            assert answer.all(b"set-cookie")[1].endswith(b"; SameSite=Lax" + secure)


def test_no_secret_is_told_by_a_running_gateway(three: dict[str, Backend], tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    with gateway(*three.values(), pool=SHARED, access_log=str(log)) as running:
        _, token = ask(running)
        ask(running, token)
        told = f"{running.status()} {running.statistics()} {running.banner()} {running.gateway!r}"
    for text in (told, log.read_text()):
        assert "correct horse" not in text
        assert b"correct horse".hex() not in text
        assert token not in text


LOADS = {
    "busy": "TEXT cpu_utilization=0.9, named_metrics.kv_cache=0.1",
    "idle": 'JSON {"cpu_utilization": 0.1, "named_metrics": {"kv_cache": 0.8}}',
}


@pytest.fixture
def telling() -> Iterator[list[Backend]]:
    """Servers that say how busy they are."""
    with ExitStack() as entered:
        yield [entered.enter_context(Backend(named(name, f"endpoint-load-metrics: {load}"))) for name, load in LOADS.items()]


@pytest.mark.parametrize(
    ("policy", "best"),
    [("least(reported_load)", "idle"), ("most(reported_load)", "busy"), ("least(reported('kv_cache'))", "busy")],
)
def test_a_policy_goes_by_what_servers_report(telling: list[Backend], policy: str, best: str) -> None:
    with gateway(*telling, pool={"balance": policy}) as running:
        wait_until(lambda: all(ask(running)[0] == best for _ in range(20)))


def test_what_servers_report_is_shown_to_clients_where_the_pool_says_so(telling: list[Backend]) -> None:
    for keep in (False, True):
        with gateway(*telling, pool={"load_report": {"keep": keep}}) as running, Client(running.address) as client:
            answer = client.get()
            assert answer.get(b"endpoint-load-metrics") == (LOADS[answer.body.decode()].encode() if keep else None)
