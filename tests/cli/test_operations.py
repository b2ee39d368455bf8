"""The commands that tell of endpoints and events, and those that change them, against a gateway that runs here."""

import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from forebay import Gateway, Pool, Running
from forebay.cli.endpoints import _probes
from forebay.testing import FakeEngine

Command = Callable[..., Any]

ONE, TWO, SOCKET = "10.0.0.1:80", "10.0.0.2:80", "unix:/run/app.sock"
TOKEN = "a token of thirty-two characters"  # noqa: S105 - of these tests alone


@pytest.fixture
def engines() -> list[FakeEngine]:
    return []


@pytest.fixture
def running(home: Path, engines: list[FakeEngine]) -> Iterator[Running]:
    assert home.parent.exists()
    pools = {"app": Pool([ONE, TWO, SOCKET]), "api": Pool([{"address": ONE, "id": "main"}, {"address": "10.0.0.9:80", "tier": 1}])}
    routes = [{"pool": "api", "match": {"path": "/api/*"}}, {"pool": "app"}]

    def engine(*arguments: Any) -> FakeEngine:
        engines.append(FakeEngine(*arguments))
        return engines[-1]

    with Gateway(listen="127.0.0.1:0", access_log="off", pools=pools, routes=routes).start(engine=engine) as running:
        yield running


def standing(running: Running, pool: str, name: str) -> dict[str, Any]:
    return next(each for each in running.endpoints() if (each["pool"], each["id"]) == (pool, name))


def lines(text: str, *parts: str) -> list[str]:
    return [line for line in text.splitlines() if all(part in line for part in parts)]


def test_endpoints_shows_each_with_its_status_reason_and_role(forebay: Command, running: Running) -> None:
    outcome = forebay("endpoints")
    assert (outcome.code, outcome.err) == (0, "")
    [line] = lines(outcome.out, "10.0.0.9:80")
    for part in ("api", "unknown", "stands by", "nothing has been sent to it yet"):
        assert part in line
    assert len(lines(outcome.out, "serves")) == 4
    assert len(json.loads(forebay("endpoints", "--json", "--pool", "app").out)) == 3


def test_a_drain_is_seen_by_every_command_and_taken_back(forebay: Command, running: Running) -> None:
    outcome = forebay("drain", "app/" + ONE, "--reason", "deploy 42", "--for", "10m")
    assert (outcome.code, outcome.out, outcome.err) == (0, "", f"app/{ONE} drains for 10m; it is draining\n")
    assert standing(running, "app", ONE)["status"] == "draining"
    assert standing(running, "api", "main")["status"] == "unknown"
    [line] = lines(forebay("endpoints").out, "app", ONE)
    assert line.count("deploy 42") == 1
    assert "draining by an operator: deploy 42" in line
    assert "ends in" in line
    happened = forebay("events").out
    assert lines(happened, "operator", f"{ONE}", "drained by an operator for 10m: deploy 42")
    assert lines(happened, "status", f"{ONE}", "unknown -> draining")
    assert "operator 1" in forebay("status").out
    assert forebay("undrain", "app/" + ONE).err == f"app/{ONE} is no longer drained; it is unknown\n"
    again = forebay("undrain", "app/" + ONE)
    assert (again.code, again.err) == (0, f"app/{ONE} was not drained by an operator\n")


def test_disable_enable_and_weight(forebay: Command, running: Running) -> None:
    assert forebay("disable", TWO).code == 0
    assert standing(running, "app", TWO)["status"] == "disabled"
    assert forebay("enable", TWO).code == 0
    assert forebay("weight", TWO, "7", "--reason", "half of it is broken").err == f"app/{TWO} has the weight 7; it is unknown\n"
    assert (standing(running, "app", TWO)["weight"], standing(running, "app", TWO)["declared_weight"]) == (7, 1)
    assert forebay("weight", TWO, "declared").err == f"app/{TWO} has the weight 1; it is unknown\n"


def test_each_order_answers_in_json(forebay: Command, running: Running) -> None:
    document = json.loads(forebay("drain", TWO, "--json").out)
    assert document["changed"]
    assert document["endpoint"]["status"] == "draining"
    assert json.loads(forebay("hold", "app", "--reason", "incident", "--json").out) == {"changed": True}


@pytest.mark.parametrize("text", [SOCKET, f"app/{SOCKET}", f"http://{TWO}", f"app/{TWO}", "main", "api/main", f"api/{ONE}"])
def test_an_endpoint_is_named_by_id_or_address_with_or_without_its_pool(forebay: Command, running: Running, text: str) -> None:
    assert forebay("drain", text).code == 0
    assert len([each for each in running.endpoints() if each["status"] == "draining"]) == 1


def test_an_address_that_means_several_is_an_error_that_lists_them(forebay: Command, running: Running) -> None:
    pools = {"app": Pool([ONE]), "api": Pool([ONE])}
    running.apply(running.gateway.model_copy(update={"pools": pools}))
    outcome = forebay("drain", ONE)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err == f'error: "{ONE}" means 2 endpoints; say which one:\n  app/{ONE}\n  api/{ONE}\n'
    assert [each["status"] for each in running.endpoints()] == ["unknown", "unknown"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("drain", "10.0.0.3:80"), 'there is no endpoint "10.0.0.3:80"; did you mean'),
        (("drain", TWO, "--for", "soon"), '"soon" is no duration'),
        (("drain", TWO, "--for", "0s"), "longer than 0s"),
        (("weight", TWO, "heavy"), '"heavy" is neither a whole number nor "declared"'),
        (("weight", TWO, "1001"), "from 0 to 1000, not 1001"),
        (("hold", "app"), "Missing option"),
        (("hold", "ap", "--reason", "x"), 'there is no pool "ap"; did you mean "app"?'),
        (("release", "nothing"), "the pools are app, api"),
    ],
)
def test_bad_input_is_said_and_changes_nothing(forebay: Command, running: Running, arguments: tuple[str, ...], words: str) -> None:
    revision = running.status()["revision"]
    outcome = forebay(*arguments)
    assert (outcome.code, outcome.out) == (2, "")
    assert words in " ".join(outcome.err.replace("│", " ").split())
    assert running.status()["revision"] == revision


def test_hold_and_release(forebay: Command, running: Running) -> None:
    assert forebay("hold", "app", "--reason", "incident 7", "--for", "1h").err == "app is held as it is for 1h\n"
    assert "pool app: held as it is: incident 7" in forebay("status").out
    assert forebay("release", "app").err == "app is released\n"
    assert forebay("release", "app").err == "app was not held\n"


def test_a_fail_back_where_the_first_tier_serves_is_answered_no(forebay: Command, running: Running, engines: list[FakeEngine]) -> None:
    outcome = forebay("failback", "app")
    assert (outcome.code, outcome.err) == (1, "app is served by its first tier already\n")


def test_a_fail_back_says_whether_it_came_about(
    forebay: Command, running: Running, engines: list[FakeEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    engines[0].pools["api"] = {"tier": 1, "all_down": False}
    outcome = forebay("failback", "api")
    assert outcome.code == 1
    assert "api stays where it is, since too few of an earlier tier may serve: tier 1 serves" in outcome.err
    assert "pool api: tier 1 serves" in forebay("status").out
    monkeypatch.setattr(FakeEngine, "stand", lambda self, _: self.pools.update(api={"tier": 0, "all_down": False}))
    outcome = forebay("failback", "api")
    assert (outcome.code, outcome.err) == (0, "api has gone back: tier 0 serves\n")
    assert forebay("failback", "nothing").code == 2


def test_a_pool_where_none_may_serve_is_told_without_the_tier(forebay: Command, running: Running, engines: list[FakeEngine]) -> None:
    engines[0].pools["api"] = {"tier": 1, "all_down": True}
    out = forebay("status").out
    assert "pool api: ALL DOWN: no endpoint may serve" in out
    assert "tier 1 serves" not in out


def test_endpoints_of_a_pool_that_there_is_not_are_an_error(forebay: Command, running: Running) -> None:
    outcome = forebay("endpoints", "--pool", "ap")
    assert (outcome.code, outcome.out) == (2, "")
    assert 'there is no pool "ap" with endpoints; did you mean' in outcome.err


def test_before_anything_has_happened_events_says_so(forebay: Command, running: Running) -> None:
    outcome = forebay("events")
    assert (outcome.code, outcome.out, outcome.err) == (0, "", "nothing has happened so far\n")


def test_faults_of_probes_that_are_alike_are_counted() -> None:
    assert _probes(["200/1ms", "200/1ms", *["connect_refused"] * 3]) == "200/1ms 200/1ms connect_refused x3"


def test_a_drain_that_waits_returns_once_nothing_runs_there(forebay: Command, running: Running, engines: list[FakeEngine]) -> None:
    looks: list[int] = []
    statistics = FakeEngine.statistics

    def fewer(self: FakeEngine) -> bytes:
        looks.append(1)
        self.observed = {"app": {TWO: {"inflight": max(0, 4 - len(looks))}}}
        return statistics(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FakeEngine, "statistics", fewer)
        outcome = forebay("drain", TWO, "--wait")
    assert (outcome.code, outcome.err) == (0, f"app/{TWO} drains, and nothing runs there; it is draining\n")
    assert len(looks) >= 4


def test_events_are_listed_since_a_number_and_as_json(forebay: Command, running: Running) -> None:
    for _ in range(3):
        running.pools["app"].drain(TWO, reason="again")
        running.pools["app"].undrain(TWO)
    document = json.loads(forebay("events", "--json").out)
    since = document["events"][-2]["seq"]
    assert document["last"] == document["events"][-1]["seq"]
    assert [event["seq"] for event in json.loads(forebay("events", "--json", "--since", str(since)).out)["events"]] == [since + 1]
    assert len(lines(forebay("events", "--since", str(since)).out, "again")) <= 1


def test_events_that_are_followed_end_with_the_gateway(forebay: Command, running: Running) -> None:
    running.pools["app"].drain(TWO, reason="deploy")
    running._runtime.events.close()  # type: ignore[union-attr]  # it runs
    outcome = forebay("events", "--follow", "--json")
    assert outcome.code == 2
    assert "the gateway has ended" in outcome.err
    assert json.loads(outcome.out.splitlines()[0])["kind"] == "operator"


def test_over_the_admin_address_orders_show_the_token_of_the_environment(
    forebay: Command, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        admin = f"127.0.0.1:{free.getsockname()[1]}"
    declared = Gateway(listen="127.0.0.1:0", admin=admin, admin_token=TOKEN, access_log="off", pools={"app": Pool([ONE, TWO])})
    with declared.start(engine=FakeEngine) as running:
        assert forebay("endpoints", "--admin", admin).code == 0
        outcome = forebay("drain", ONE, "--admin", admin)
        assert (outcome.code, outcome.out) == (2, "")
        assert "the admin token is missing or wrong" in outcome.err
        assert standing(running, "app", ONE)["status"] == "unknown"
        monkeypatch.setenv("FOREBAY_ADMIN_TOKEN", TOKEN)
        assert forebay("drain", ONE, "--admin", admin).code == 0
        assert standing(running, "app", ONE)["status"] == "draining"


def test_where_none_runs_an_order_cannot_be_given(forebay: Command, home: Path) -> None:
    for arguments in (("endpoints",), ("events",), ("drain", ONE), ("failback", "app"), ("hold", "app", "--reason", "x")):
        assert forebay(*arguments).code == 3


def test_from_python_the_same_orders_are_methods_of_the_pool(running: Running) -> None:
    pool = running.pools["app"]
    assert pool.drain(TWO, reason="deploy", for_="10m")
    assert standing(running, "app", TWO)["status"] == "draining"
    assert pool.undrain(TWO)
    assert not pool.undrain(TWO)
    assert pool.disable(f"http://{TWO}", for_=60)
    assert pool.enable(TWO)
    assert pool.weigh(TWO, 3)
    assert pool.weigh(TWO, None)
    assert pool.hold("incident")
    assert pool.release()
    assert not pool.fail_back()
    assert [event.kind for event in running.events() if event.kind != "status"] == ["operator"] * 6 + ["hold"] * 2
    assert running.events(running.events()[-1].seq) == []
