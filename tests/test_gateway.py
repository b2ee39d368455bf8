"""A gateway as a Python value, running beside whatever else the program does."""

import asyncio
import json
import os
import socket
import tempfile
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import forebay
from forebay import ConfigError, Endpoint, ForebayError, ForkError, Gateway, ListenError, Pool, Running
from forebay.testing import FakeClock, FakeEngine


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Short: the path of a socket may have 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="fb") as path:
        monkeypatch.setenv("XDG_STATE_HOME", path)
        monkeypatch.delenv("STATE_DIRECTORY", raising=False)
        yield Path(path) / "forebay"


def gateway(*endpoints: str, **keys: Any) -> Gateway:
    pool = Pool(list(endpoints) or ["10.0.0.1:80", "10.0.0.2:80"])
    return Gateway(**{"listen": "127.0.0.1:0", "access_log": "off", "pools": {"app": pool}, **keys})


def start(declared: Gateway | None = None) -> Running:
    return (declared or gateway()).start(engine=FakeEngine)


def connects(address: str) -> bool:
    host, _, port = address.rpartition(":")
    with socket.socket() as client:
        return client.connect_ex((host, int(port))) == 0


def targets(running: Running) -> list[str]:
    return list(running.pools["app"].statistics().endpoints)


# --- start and stop


def test_it_runs_from_the_start_of_the_block_to_its_end() -> None:
    with start() as running:
        address = running.address
        assert connects(address)
    assert not connects(address)


def test_the_same_in_an_asynchronous_block_beside_a_loop_that_goes_on() -> None:
    async def program() -> str:
        async with start() as running:
            assert connects(running.address)
            return running.address

    assert not connects(asyncio.run(program()))


def test_an_asynchronous_start_that_is_given_up_leaves_nothing_running(home: Path) -> None:
    held, entered = threading.Event(), threading.Event()

    def slow(*arguments: Any) -> FakeEngine:
        entered.set()
        held.wait(10)
        return FakeEngine(*arguments)

    async def program() -> None:
        running = gateway().start(engine=slow)
        task = asyncio.ensure_future(running.__aenter__())
        await asyncio.to_thread(entered.wait, 10)
        task.cancel()
        asyncio.get_running_loop().call_soon(held.set)
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not running.ready

    asyncio.run(program())
    assert list(home.iterdir()) == []


def test_without_a_block_it_is_opened_and_stopped_by_name() -> None:
    running = start().open()
    assert running.ready
    assert running.stop() == 0
    assert not running.ready


def test_a_gateway_that_has_stopped_has_no_address_and_says_so() -> None:
    with start() as running:
        pass
    with pytest.raises(ForebayError, match="has been stopped and listens nowhere"):
        _ = running.address


def test_two_run_in_one_process_each_with_its_own_port_and_control_socket() -> None:
    with start() as first, start() as second:
        assert first.address != second.address
        assert first.control != second.control


def test_it_starts_on_a_thread_of_the_application() -> None:
    addresses: list[str] = []

    def work() -> None:
        with start() as running:
            addresses.append(running.address)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert len(addresses) == 1


def test_a_stop_says_how_many_requests_it_cut() -> None:
    running = gateway().start(engine=partial(FakeEngine, running=3))
    with running:
        assert running.stop(grace=0) == 3
        assert running.stop() == 3


def test_it_leaves_no_thread_and_no_file_behind(home: Path) -> None:
    with start(gateway("app.invalid:80")):
        names = {thread.name for thread in threading.enumerate()}
        assert {"forebay-control", "forebay-admin"} <= names
        assert len(list(home.iterdir())) == 1
    assert not {"forebay-control", "forebay-admin"} & {thread.name for thread in threading.enumerate()}
    assert list(home.iterdir()) == []


def test_a_busy_port_is_an_error_and_nothing_has_started(home: Path) -> None:
    with start() as running, pytest.raises(ListenError) as caught:
        start(gateway(listen=running.address)).open()
    assert caught.value.address in str(caught.value)
    assert "already listens there" in caught.value.reason
    assert caught.value.hint is not None
    assert list(home.iterdir()) == []


def test_a_busy_admin_address_is_an_error_and_nothing_has_started(home: Path) -> None:
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        with pytest.raises(ListenError, match="already listens there"):
            start(gateway(admin=f"127.0.0.1:{busy.getsockname()[1]}")).open()
    assert list(home.iterdir()) == []


def test_another_gateway_in_the_same_directory_is_an_error_that_leaves_the_first_alone(home: Path) -> None:
    declared = gateway(state_dir=str(home / "shared"))
    with start(declared) as first:
        with pytest.raises(ListenError, match="already listens there"):
            start(declared).open()
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(first.control.removeprefix("unix:"))


def test_before_the_start_every_use_says_how_to_start() -> None:
    with pytest.raises(ForebayError, match=r"has not been started; enter it: `with gateway\.start\(\) as running:`"):
        _ = start().address


def test_one_start_is_for_one_run() -> None:
    with start() as running, pytest.raises(ForebayError, match="started before"):
        running.open()


def test_a_forked_child_is_told_to_start_its_own() -> None:
    with start() as running:
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                running.statistics()
            except ForkError as error:
                os.write(writing, str(error).encode())
            os._exit(0)
        os.waitpid(child, 0)
        told = os.read(reading, 4096).decode()
        os.close(reading)
        os.close(writing)
    assert told.startswith(f"this gateway runs in process {os.getpid()}, and process {child} was forked from it")
    assert "start the gateway after the fork" in told


def test_a_forked_child_that_leaves_the_block_stops_nothing_of_its_parents() -> None:
    with start() as running:
        child = os.fork()
        if child == 0:
            try:
                running.__exit__(None, None, None)
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        assert running.ready
        assert connects(running.address)


# --- addresses


def test_addresses_are_those_that_the_system_gave() -> None:
    with start(gateway(listen=None, listeners={"web": {"bind": ["127.0.0.1:0", "[::1]:0"]}, "api": {"bind": "127.0.0.1:0"}})) as running:
        assert [len(addresses) for addresses in running.addresses.values()] == [2, 1]
        assert running.address == running.addresses["web"][0]
        assert running.url == f"http://{running.address}"


@pytest.mark.parametrize(("listen", "host"), [("0.0.0.0:0", "127.0.0.1"), ("[::]:0", "[::1]")])
def test_the_url_of_all_addresses_is_one_that_a_client_here_can_use(listen: str, host: str) -> None:
    with start(gateway(listen=listen)) as running:
        assert running.url == f"http://{host}:{running.address.rpartition(':')[2]}"


# --- changes


def test_another_configuration_is_served_at_once_on_the_same_sockets() -> None:
    with start() as running:
        address = running.address
        assert running.apply(gateway("10.0.0.9:80")) == 2
        assert targets(running) == ["10.0.0.9:80"]
        assert running.address == address
        assert running.status()["revision"] == 2


@pytest.mark.parametrize("key", ["threads", "admin", "access_log", "state_dir"])
def test_a_key_that_only_a_start_can_change_is_refused_and_nothing_changes(key: str) -> None:
    value = {"threads": 7, "admin": "127.0.0.1:9999", "access_log": "stderr", "state_dir": "/run/elsewhere"}[key]
    with start() as running:
        with pytest.raises(ConfigError) as caught:
            running.apply(gateway("10.0.0.9:80", **{key: value}))
        assert [fault.key for fault in caught.value.faults] == [f"gateway.{key}"]
        assert targets(running) == ["10.0.0.1:80", "10.0.0.2:80"]


def test_a_listener_that_cannot_be_had_changes_nothing() -> None:
    with start() as busy, start() as running:
        with pytest.raises(ListenError):
            running.apply(gateway("10.0.0.9:80", listen=busy.address))
        assert targets(running) == ["10.0.0.1:80", "10.0.0.2:80"]
        assert connects(running.address)


def test_the_endpoints_of_a_pool_change_all_at_once() -> None:
    with start() as running:
        running.pools["app"].set_endpoints(["10.0.0.2:80", Endpoint("10.0.0.3:80", weight=2), {"address": "10.0.0.4:80", "id": "d"}])
        assert targets(running) == ["10.0.0.2:80", "10.0.0.3:80", "d"]
        assert running.pools["app"].statistics().endpoints["10.0.0.3:80"].weight == 2


@pytest.mark.parametrize(
    ("endpoints", "key"),
    [
        (["10.0.0.2:80", {"address": "10.0.0.3:80", "weight": -1}], "pools.app.endpoints[1].weight"),
        (["10.0.0.2:80", "10.0.0.2:80"], "pools.app.endpoints[1]"),
        ([], "pools.app.endpoints"),
        ("10.0.0.2:80", "pools.app.endpoints"),
    ],
    ids=["a weight", "twice", "none", "a text"],
)
def test_endpoints_that_make_no_sense_are_refused_with_their_key_and_nothing_changes(endpoints: list[Any], key: str) -> None:
    with start() as running:
        with pytest.raises(ConfigError) as caught:
            running.pools["app"].set_endpoints(endpoints)
        assert [fault.key for fault in caught.value.faults] == [key]
        assert targets(running) == ["10.0.0.1:80", "10.0.0.2:80"]


def test_changes_from_many_threads_all_count() -> None:
    pools = {f"p{number}": Pool(["10.0.0.1:80"]) for number in range(8)}
    routes = [{"match": {"path": f"/{name}"}, "pool": name} for name in pools]
    with start(gateway(pools=pools, routes=routes)) as running:
        views = running.pools
        threads = [threading.Thread(target=views[name].set_endpoints, args=[[f"10.0.1.{index}:80"]]) for index, name in enumerate(pools)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        now = [next(iter(running.statistics().pools[name].endpoints)) for name in pools]
    assert now == [f"10.0.1.{index}:80" for index in range(8)]


def test_a_pool_that_is_gone_and_a_gateway_that_has_stopped_take_no_changes() -> None:
    with start() as running:
        pool = running.pools["app"]
        running.apply(gateway(pools={"web": Pool(["10.0.0.1:80"])}))
        with pytest.raises(ForebayError, match=r'no pool "app" any more; the pools are web'):
            pool.set_endpoints(["10.0.0.2:80"])
    with pytest.raises(ForebayError, match="has been stopped"):
        running.apply(gateway())


# --- what it shows


def test_status_is_one_document_over_the_control_socket_and_from_python() -> None:
    from forebay.admin.client import get
    from forebay.types import Address

    with gateway().start(engine=FakeEngine, clock=FakeClock()) as running:
        shown = get(Address.parse(running.control), "/status")
        assert shown == json.loads(json.dumps(running.status()))
    assert (shown["pid"], shown["state"], shown["snapshot"]) == (os.getpid(), "serving", 1)
    assert list(shown["pools"]["app"]["endpoints"]) == ["10.0.0.1:80", "10.0.0.2:80"]


def test_what_only_the_engine_can_judge_is_a_fault() -> None:
    def refusing(*_: Any) -> FakeEngine:
        from forebay.control.engine import EngineError

        message = "routes[0].match.path: regex parse error"
        raise EngineError(message)

    assert gateway().verify(engine=FakeEngine) == []
    assert [fault.message for fault in gateway().verify(engine=refusing)] == ["routes[0].match.path: regex parse error"]


def test_a_file_and_python_declare_the_same_gateway(tmp_path: Path) -> None:
    file = tmp_path / "web.toml"
    file.write_text('[gateway]\nlisten = "127.0.0.1:0"\naccess_log = "off"\n[pools.app]\nendpoints = ["10.0.0.1:80", "10.0.0.2:80"]\n')
    declared = Gateway.from_file(file)
    assert isinstance(declared, Gateway)
    assert declared.model_dump() == gateway().model_dump()


# --- the public names


def test_the_public_names_are_complete() -> None:
    schema = {"Endpoint", "HeaderEdits", "Limits", "Listener", "Match", "Pool", "Queue", "Redirect", "Respond", "Retry", "Route"}
    schema |= {"Affinity", "Discovery", "LoadReport", "Ejection", "Failover", "Health", "Hedge", "SlowStart", "WhenAllDown"}
    errors = {"ConfigError", "ControlError", "Fault", "ForebayError", "ForkError", "ListenError", "NoEndpoint"}
    running = {"Balancer", "Gateway", "Running", "RunningPool", "Statistics", "PoolStatistics", "EndpointStatistics", "Histogram"}
    policies = {"balance", "endpoint"}
    assert set(forebay.__all__) == schema | errors | running | policies | {"__version__"}
    assert all(hasattr(forebay, name) for name in forebay.__all__)


def test_every_table_that_the_schema_has_is_a_public_name() -> None:
    from forebay.config.schema import GatewayConfig
    from forebay.config.table import Table

    def tables(kind: type[Table]) -> Iterator[type[Table]]:
        for each in kind.__subclasses__():
            yield each
            yield from tables(each)

    assert {kind.__name__ for kind in tables(Table)} - {GatewayConfig.__name__} <= set(forebay.__all__)
