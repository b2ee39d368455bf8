"""Every limit and timeout in force, with where it came from."""

import math
import re
from pathlib import Path

from forebay.balance.reference import signals
from forebay.config.effective import FIXED, Row, effective
from forebay.config.load import loads
from forebay.config.schema import GatewayConfig, Limits, Pool, Queue, Retry, Route
from forebay.control.discovery import holding
from forebay.failover import by_answers, ejection, probing
from forebay.types import parse_duration

ROOT = Path(__file__).parents[2]

FILE = """\
[gateway]
listen = ":1"
[limits]
head_timeout = "5s"
[[routes]]
name = "api"
pool = "app"
timeout = "30s"
[pools.app]
endpoints = ["a:1"]
queue.size = 7
"""


def test_each_value_says_whether_a_file_a_program_or_nobody_chose_it() -> None:
    rows = {row.key: row for row in effective(loads(FILE, "gateway.toml", GatewayConfig))}
    assert rows["limits.head_timeout"] == Row("limits.head_timeout", "5s", "gateway.toml:4")
    assert rows["limits.body_timeout"] == Row("limits.body_timeout", "30s", "default")
    assert rows["routes.api.timeout"] == Row("routes.api.timeout", "30s", "gateway.toml:8")
    assert rows["pools.app.queue.size"] == Row("pools.app.queue.size", "7", "gateway.toml:11")
    assert rows["pools.app.queue.timeout"] == Row("pools.app.queue.timeout", "5s", "default")
    config = GatewayConfig(listen=":1", pools={"app": Pool(["a:1"], queue={"size": 7})})
    assert Row("pools.app.queue.size", "7", "Python") in effective(config)


def test_every_limit_and_timeout_of_the_schema_is_in_force_somewhere() -> None:
    keys = {row.key for row in effective(loads(FILE, "gateway.toml", GatewayConfig))}
    assert {f"limits.{key}" for key in Limits.model_fields} <= keys
    assert {f"pools.app.queue.{key}" for key in Queue.model_fields} <= keys
    assert {f"pools.app.retry.{key}" for key in Retry.model_fields} <= keys
    for table, place in ((Pool, "pools.app"), (Route, "routes.api"), (GatewayConfig, "gateway")):
        for key in table.model_fields:
            if "timeout" in key or "max_" in key or "grace" in key:
                assert f"{place}.{key}" in keys


def test_what_no_key_changes_is_told_too() -> None:
    rows = effective(loads(FILE, "gateway.toml", GatewayConfig))
    assert [(row.key, row.value) for row in rows if row.source == "fixed"] == list(FIXED)


def constant(file: str, name: str) -> str:
    """The right side of a constant of the engine, as its source has it."""
    found = re.search(rf"const {name}: [^=]+ = (.+);", (ROOT / "engine/src" / file).read_text())
    assert found, f"{file} has no constant {name}"
    return found[1].replace("_", "")


def test_what_no_key_changes_is_what_the_engine_and_the_resolver_do() -> None:
    fixed = dict(FIXED)
    assert fixed["retry_after.heeded"] == f"{int(constant('failover/reflex.rs', 'PATIENCE')) // 1000}s at most"
    assert int(constant("failover/reflex.rs", "PATIENCE")) / 1000 == by_answers.LEFT_ALONE
    assert (fixed["probes.take_out"], probing.share_of(9)) == (f"a third of a pool within {probing.WINDOW:g}s", 3)
    assert fixed["peers.compared"] == f"over {ejection.HORIZON:g}s"
    assert fixed["peers.latency"] == f"suspect at {math.exp(ejection.SLOWER):g} times theirs"
    assert fixed["kept_connections.most"] == f"{constant('upstream/idle.rs', 'KEPT')} for each endpoint and thread"
    seconds = {
        "reflex.passed_over": constant("failover/reflex.rs", "PAUSE"),
        "kept_connections.idle": constant("upstream/idle.rs", "KEPT_FOR"),
        "refusal.linger": constant("server/serve.rs", "LINGER"),
        "accept.pause": constant("server/accept.rs", "PAUSE"),
    }
    for key, source in seconds.items():
        unit, number = re.fullmatch(r"Duration::from(secs|millis)\((\d+)\)", source).groups()  # type: ignore[union-attr]
        assert parse_duration(fixed[key].removesuffix(" at first")) == int(number) / (1 if unit == "secs" else 1000), key
    assert float(constant("balance/signals.rs", "STALE")) == signals.STALE
    assert fixed["load_report.believed"] == f"{signals.STALE:g}s"
    assert fixed["names.without_ttl"] == f"{holding.UNTIMED:g}s"
    assert fixed["names.retry"] == f"{1000 * holding.FIRST_RETRY:g}ms, doubled up to {holding.LONGEST_RETRY:g}s"
    assert constant("h1/buffer.rs", "SIZES") == "[16 * 1024, 65483, 2 * 65483]"
    assert fixed["buffers.body"] == f"16KiB to {2 * 65483 / 1024:.1f}KiB"


def test_routes_that_send_nothing_on_have_no_times() -> None:
    config = GatewayConfig(listen=":1", pools={}, routes=[Route(redirect="/x")])
    assert not [row for row in effective(config) if row.key.startswith("routes")]
