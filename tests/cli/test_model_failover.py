"""`forebay model failover`: what a configuration costs, for people and for programs."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from forebay.model import Exposure, Probing, cost

Command = Callable[..., Any]

THREE = """
[gateway]
listen = "127.0.0.1:8080"
[pools.app]
endpoints = ["127.0.0.1:9001", "127.0.0.1:9002", "127.0.0.1:9003"]
health = { path = "/healthz", interval = "200ms" }
"""


@pytest.fixture
def ask(forebay: Command, tmp_path: Path) -> Callable[..., dict[str, Any]]:
    def asked(text: str, *options: str) -> dict[str, Any]:
        file = tmp_path / "gateway.toml"
        file.write_text(text)
        outcome = forebay("model", "failover", str(file), "--json", *options)
        assert outcome.code == 0, outcome.err
        found: dict[str, Any] = json.loads(outcome.out)
        return found

    return asked


def faults(found: dict[str, Any], pool: int = 0) -> dict[str, dict[str, Any]]:
    return {each["fault"]: each for each in found["pools"][pool]["faults"]}


def test_the_figures_are_those_of_the_library_for_this_configuration(ask: Callable[..., dict[str, Any]]) -> None:
    found = ask(THREE, "--rate", "800", "--latency", "20ms")
    exposed = Exposure(rate=800 / 3, total=800, latency=0.02, racing=0.1, probing=Probing(interval=0.2, timeout=0.2, fall=2))
    for fault, each in faults(found).items():
        said = cost(fault, exposed)  # type: ignore[arg-type]
        assert each["seconds"] == {"expected": said.seconds.expected, "worst": said.seconds.worst}
        assert each["once"]["worst"] == said.once.worst
        assert each["repeatable"] == {"expected": 0, "worst": 0}
    assert found["pools"][0]["load_of_others"] == 1.5
    assert found["pools"][0]["takes_over"] == "the others of its tier"


def test_a_pool_without_probes_races_or_limits_never_finds_a_frozen_server(ask: Callable[..., dict[str, Any]]) -> None:
    text = THREE.replace("health = ", "retry = { attempt_timeout = 'off' }\n# ")
    text += "[[routes]]\npool = 'app'\nfirst_byte_timeout = 'off'\n"
    freeze = faults(ask(text))["freeze"]
    assert (freeze["by"], freeze["seconds"]["expected"], freeze["slowest"]) == ("nothing", None, None)


def test_one_server_without_another_loses_what_comes_and_a_standby_saves_it(ask: Callable[..., dict[str, Any]]) -> None:
    one, standby = '"127.0.0.1:9001"', '{ address = "127.0.0.1:9002", tier = 1 }'
    alone, backed = (
        f"[gateway]\nlisten = '127.0.0.1:8080'\n[pools.app]\nendpoints = [{', '.join(each)}]\n" for each in ([one], [one, standby])
    )
    found = ask(alone)
    assert found["pools"][0]["takes_over"] == "nobody"
    assert faults(found)["crash"]["repeatable"]["expected"] > 0
    found = ask(backed)
    assert found["pools"][0]["takes_over"] == "the next tier"
    assert faults(found)["crash"]["repeatable"]["worst"] == 0


def test_more_weight_is_more_exposed(ask: Callable[..., dict[str, Any]]) -> None:
    heavy = THREE.replace('"127.0.0.1:9001"', '{ address = "127.0.0.1:9001", weight = 8 }')
    light, more = (faults(ask(text, "--rate", "100"))["crash"]["once"]["expected"] for text in (THREE, heavy))
    assert more == pytest.approx(light * 3 * 0.8)


def test_people_get_a_table_that_says_what_it_takes_for_granted(forebay: Command, tmp_path: Path) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text(THREE)
    outcome = forebay("model", "failover", str(file), "--rate", "800", "--latency", "20ms")
    assert outcome.code == 0
    assert "Pool app: one of 3 fails at 800 requests a second of 20ms" in outcome.out
    assert "its process dies" in outcome.out
    assert "5.3 / 14.0" in outcome.out
    assert "carry 1.50x their load" in outcome.out


@pytest.mark.parametrize(("option", "value", "said"), [("--rate", "0", "makes no sense"), ("--latency", "soon", "--latency")])
def test_numbers_that_make_no_sense_are_refused_in_words(forebay: Command, tmp_path: Path, option: str, value: str, said: str) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text(THREE)
    outcome = forebay("model", "failover", str(file), option, value)
    assert outcome.code == 2
    assert said in outcome.err
