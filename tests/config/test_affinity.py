"""`affinity` and `load_report` of a pool: the same from a file and from Python, and no secret ever shown."""

import json
import pickle
from typing import Any

import pytest

from forebay import Affinity, LoadReport, Pool
from forebay.config import canonical_json
from forebay.config.check import warnings
from forebay.config.effective import effective
from forebay.config.load import from_dict, loads
from forebay.config.schema import GatewayConfig
from forebay.config.snapshot import needs_secret, snapshot
from forebay.errors import ConfigError
from forebay.types import Secret

WORDS = "correct horse battery staple"

FILE = """\
[gateway]
listen = ":1"
[pools.app]
endpoints = ["10.0.0.1:80"]
affinity = { cookie = "sid", ttl = "30m", secret = "${FOREBAY_SECRET}" }
load_report.keep = true
"""


def config(**keys: Any) -> GatewayConfig:
    return GatewayConfig(listen=":1", pools={"app": Pool(["10.0.0.1:80"], **keys)})


def faults(**keys: Any) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        Affinity(**keys)
    return [str(fault) for fault in caught.value.faults]


def told(config: GatewayConfig, secret: bytes = b"") -> dict[str, Any]:
    return dict(snapshot(config, 1, {}, secret)["pools"]["app"])


def test_a_file_and_python_say_the_same() -> None:
    read = loads(FILE, "gateway.toml", GatewayConfig, {"FOREBAY_SECRET": WORDS})
    for affinity in (Affinity(cookie="sid", ttl="30m", secret=WORDS), {"cookie": "sid", "ttl": 1800, "secret": WORDS.encode()}):
        assert read == config(affinity=affinity, load_report={"keep": True})
    assert config(load_report=LoadReport(keep=True)) == config(load_report={"keep": "true"})


def test_every_key_has_a_default_and_without_the_table_there_is_no_affinity() -> None:
    pool = config(affinity={}).pools["app"]
    assert pool.affinity == Affinity(cookie="fb", ttl="1h")
    assert pool.affinity.secret is None
    assert pool.load_report.keep is False
    assert config().pools["app"].affinity is None
    assert {"affinity", "load_report"}.isdisjoint(told(config()))


def test_the_engine_is_told_seconds_and_the_secret_s_bytes() -> None:
    pool = told(loads(FILE, "gateway.toml", GatewayConfig, {"FOREBAY_SECRET": WORDS}), b"not this one")
    assert pool["affinity"] == {"cookie": "sid", "ttl": 1800.0, "secret": WORDS.encode().hex()}
    assert pool["load_report"] == {"keep": True}


def test_pools_without_a_secret_share_the_gateway_s() -> None:
    assert told(config(affinity={}), b"\x00\xff")["affinity"] == {"cookie": "fb", "ttl": 3600.0, "secret": "00ff"}
    assert needs_secret(config(affinity={}))
    assert not needs_secret(config(affinity={"secret": WORDS}))
    assert not needs_secret(config())


def test_a_secret_is_printed_nowhere() -> None:
    read = loads(FILE, "gateway.toml", GatewayConfig, {"FOREBAY_SECRET": WORDS})
    rows = {row.key: row for row in effective(read)}
    assert (rows["pools.app.affinity.secret"].value, rows["pools.app.affinity.secret"].source) == ("**********", "gateway.toml:5")
    for text in (repr(read), str(read), canonical_json(read), read.model_dump_json(), str(read.model_dump()), str(rows)):
        assert WORDS not in text
        assert WORDS.encode().hex() not in text
        assert "**********" in text


def test_a_secret_left_out_is_said_to_be_kept() -> None:
    rows = {row.key: row for row in effective(config(affinity={}))}
    assert (rows["pools.app.affinity.secret"].value, rows["pools.app.affinity.secret"].source) == ("random, kept in state_dir", "default")
    assert rows["pools.app.load_report.keep"].value == "false"
    assert not [key for key in {row.key for row in effective(config())} if "affinity" in key]


def test_a_printed_configuration_comes_back_once_its_secret_is_written_in() -> None:
    written = config(affinity={"secret": WORDS, "ttl": "90s"})
    data = json.loads(canonical_json(written))
    with pytest.raises(ConfigError, match=r"pools.app.affinity.secret: is how a secret is printed, not one; write the secret itself"):
        from_dict(data, GatewayConfig)
    data["pools"]["app"]["affinity"]["secret"] = WORDS
    assert from_dict(data, GatewayConfig) == written
    without = config(affinity={"ttl": "90s"})
    assert from_dict(json.loads(canonical_json(without)), GatewayConfig) == without
    assert pickle.loads(pickle.dumps(written)) == written  # noqa: S301 - made here


def test_no_fault_repeats_what_was_written_for_a_secret() -> None:
    for short in ({"secret": "hunter2"}, {"secret": b"hunter2"}):
        assert faults(**short) == ["secret: must be at least 16 bytes, not 7; make one with `openssl rand -base64 32`"]
    assert faults(secret=7) == ['secret: must be a string, not a number; write "${FOREBAY_SECRET}", and set that variable']
    with pytest.raises(ConfigError) as caught:
        loads(FILE.replace("${FOREBAY_SECRET}", "hunter2${"), "gateway.toml", GatewayConfig, {})
    assert "hunter2" not in str(caught.value)
    assert 'the secret has a "${" that names no variable' in str(caught.value)
    with pytest.raises(ConfigError, match=r"gateway.toml:5: pools.app.affinity.secret: the environment has no variable FOREBAY_SECRET"):
        loads(FILE, "gateway.toml", GatewayConfig, {})
    with pytest.raises(ConfigError) as caught:
        config(affinity=WORDS)
    assert WORDS not in str(caught.value)


def test_other_keys_are_told_what_is_wrong_with_them() -> None:
    assert faults(cookie="a b", ttl="500ms", sekret="x") == [
        "cookie: 'a b' is no token of HTTP; write letters, digits and - without spaces",
        "ttl: must be a second or longer",
        'sekret: unknown key; did you mean "secret"?',
    ]


def test_a_secret_is_equal_by_what_it_is_alone() -> None:
    assert Secret("a") == Secret(b"a") != Secret("b")
    assert Secret("a") != "a"
    assert {Secret("a"), Secret(b"a")} == {Secret("a")}


def test_a_hash_beside_affinity_is_warned_of() -> None:
    (warning,) = warnings(config(affinity={}, balance="consistent_hash(key='path')"))
    assert str(warning).startswith("pools.app.affinity: goes before consistent_hash")
    assert not warnings(config(affinity={}))


def test_two_pools_with_one_cookie_are_warned_of() -> None:
    pools = {name: Pool([f"10.0.0.{number}:80"], affinity={}) for number, name in enumerate(("app", "api"), 1)}
    routes = [{"match": {"path": "/api/*"}, "pool": "api"}, {"pool": "app"}]
    (warning,) = warnings(GatewayConfig(listen=":1", pools=pools, routes=routes))
    assert warning.key == "pools.api.affinity.cookie"
    assert warning.hint == 'give each its own, such as "fb_api"'
