"""The access log: one record for each request, whatever becomes of the request, the file or the gateway."""

import json
import signal
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from .documents import environment
from .load import Load, lost
from .programs import PATIENCE, Port, Server, gateway, toml, until, uvicorn

pytestmark = pytest.mark.e2e


@pytest.fixture
def server(folder: Path) -> Iterator[Server]:
    with uvicorn("work:app", folder, "a", NAME="a", EFFECTS=str(folder / "effects")) as started:
        yield started


def records(*logs: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for log in logs for line in log.read_text().splitlines()]


@pytest.mark.parametrize("told", [None, signal.SIGHUP], ids=["unasked", "asked by SIGHUP"])
def test_no_record_is_lost_when_the_file_is_renamed_under_load(server: Server, folder: Path, told: signal.Signals | None) -> None:
    log, rotated = folder / "access.log", [folder / "access.log.1", folder / "access.log.2"]
    with gateway(folder, toml(server.address, log=str(log))) as running, Load(running.address) as load:
        for old in rotated:
            load.until_answered(200)
            log.rename(old)
            if told:
                running.signal(told)
            running.until(log.exists, "the log is not opened anew")
        load.until_answered(200)
        answers = load.finish()
        counted = running.status()
        assert running.stop() == 0
    assert lost(answers) == []
    assert counted["records"]["dropped"] == 0
    assert all(records(each) for each in (log, *rotated))
    written = [record["target"] for record in records(*rotated, log)]
    assert sorted(written) == sorted(f"/?id={answer.number}" for answer in answers)


@contextmanager
def piped(server: Server, folder: Path) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """Run a gateway whose standard output is a pipe; yields it and its URL."""
    (folder / "gateway.toml").write_text(toml(server.address, log="stdout"))
    command, pipe = ["forebay", "run", "gateway.toml"], subprocess.PIPE
    with subprocess.Popen(command, cwd=folder, env=environment(folder), stdout=pipe, stderr=pipe, text=True) as process:
        try:
            assert process.stderr is not None
            yield process, process.stderr.readline().split(" listens on ")[1].split()[0]
        finally:
            process.kill()


def test_a_pipe_gets_a_line_of_json_for_each_request_and_nothing_else(server: Server, folder: Path) -> None:
    with piped(server, folder) as (process, url):
        for number in range(3):
            assert httpx.get(f"{url}/?id={number}").status_code == 200
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=PATIENCE)
    # Each thread hands its records over by itself, so lines of one moment may change places; their times tell the order.
    assert sorted(json.loads(line)["target"] for line in said.splitlines()) == ["/?id=0", "/?id=1", "/?id=2"]


def test_a_record_says_when_who_what_and_how_it_went(server: Server, folder: Path) -> None:
    log = folder / "access.log"
    with gateway(folder, toml(server.address, log=str(log))) as running:
        before = datetime.now(UTC)
        answer = httpx.post(f"{running.url}/a?id=1", content=b"12345")
        after = datetime.now(UTC)
        assert running.stop() == 0
    ended = datetime.now(UTC)
    (record,) = records(log)
    assert before.timestamp() - 0.001 <= datetime.fromisoformat(record.pop("time")).timestamp() <= after.timestamp() + 0.001
    assert len(record.pop("id")) >= 16
    # The client may have its answer before the thread that sent it looks at the clock again.
    assert 0.02 <= record.pop("duration") <= (ended - before).total_seconds()
    (attempt,) = record.pop("attempts")
    assert attempt.pop("ms") >= 20
    assert (attempt["endpoint"], attempt["outcome"]) == (server.address, "ok")
    expected = {"client": "127.0.0.1", "method": "POST", "target": "/a?id=1", "host": "127.0.0.1", "status": 200, "bytes_in": 5}
    assert expected.items() <= record.items()
    assert record["bytes_out"] == len(answer.content) == 1
    assert (record["pool"], record["origin"], record["cause"], record["phase"]) == ("app", "upstream", None, None)


def test_a_failover_is_a_record_with_both_attempts(server: Server, folder: Path) -> None:
    log, dead = folder / "access.log", Port()
    with gateway(folder, toml(dead.address, server.address, log=str(log))) as running, httpx.Client(base_url=running.url) as client:
        assert [client.get("/").status_code for _ in range(2)] == [200, 200]
        assert running.stop() == 0
    dead.close()
    tried = [[(each["endpoint"], each["outcome"], each["phase"]) for each in record["attempts"]] for record in records(log)]
    failed, well = (dead.address, "connect_refused", "connect"), (server.address, "ok", None)
    assert [failed, well] in tried
    assert all(attempts in ([failed, well], [well]) for attempts in tried)
    assert {(record["status"], record["cause"]) for record in records(log)} == {(200, None)}


def test_an_answer_of_the_gateways_own_carries_the_id_of_its_record(folder: Path) -> None:
    log, dead = folder / "access.log", Port()
    with gateway(folder, toml(dead.address, log=str(log))) as running:
        answer = httpx.get(running.url)
        assert running.stop() == 0
    dead.close()
    (record,) = records(log)
    problem = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.status_code, problem["cause"]) == (502, "connect_refused") == (record["status"], record["cause"])
    assert record["id"] in answer.text
    assert 'details="connect_refused"' in answer.headers["proxy-status"]


def test_what_was_cut_at_the_end_has_a_record_that_says_so(server: Server, folder: Path) -> None:
    log = folder / "access.log"
    with gateway(folder, toml(server.address, log=str(log), grace="100ms")) as running, ThreadPoolExecutor(1) as threads:
        threads.submit(httpx.get, f"{running.url}/held?id=1", timeout=PATIENCE)
        until((folder / "held-1").exists, "the request does not arrive")
        assert running.stop() == 0
        (folder / "free-1").touch()
    (record,) = records(log)
    assert (record["target"], record["cause"], record["origin"]) == ("/held?id=1", "shutdown", "gateway")


def test_a_client_that_went_away_has_a_record_with_status_499(server: Server, folder: Path) -> None:
    log = folder / "access.log"
    with gateway(folder, toml(server.address, log=str(log))) as running:
        with pytest.raises(httpx.ReadTimeout):
            httpx.get(f"{running.url}/held?id=1", timeout=0.3)
        running.until(lambda: running.status()["exchanges"]["running"] == 0, "the exchange goes on")
        assert running.endpoint(server.address)["inflight"] == 0
        (folder / "free-1").touch()
        assert running.stop() == 0
    (record,) = records(log)
    assert (record["status"], record["cause"], record["origin"]) == (499, "client_abort", "client")


def test_a_log_that_nobody_reads_holds_no_request_up(server: Server, folder: Path) -> None:
    requests = 600  # their records are more than a pipe holds
    with piped(server, folder) as (process, url):
        with Load(url.removeprefix("http://"), answers=requests) as load:
            answers = load.finish()
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0
    assert lost(answers) == []
    assert len(said) > 65536
    assert len(said.splitlines()) == len(answers)
