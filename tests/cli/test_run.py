"""`forebay run`: what it is given is what runs."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from forebay import Gateway, ListenError

Command = Callable[..., Any]


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Gateway, str | None]]:
    """The gateways that were run, with their names, instead of running them."""
    runs: list[tuple[Gateway, str | None]] = []
    monkeypatch.setattr(Gateway, "run", lambda gateway, *, name=None, **_: runs.append((gateway, name)))
    return runs


def test_a_file_runs_under_its_own_name(forebay: Command, work: Path, ran: list[Any]) -> None:
    assert work.exists()
    assert forebay("run", "good.toml").code == 0
    [(gateway, name)] = ran
    assert [str(endpoint.address) for endpoint in gateway.pools["app"].endpoints] == ["10.0.0.1:80", "10.0.0.2:80"]
    assert name == "good"


def test_without_a_file_it_feeds_what_to_names_and_listens_on_a_port_of_this_machine(forebay: Command, ran: list[Any]) -> None:
    assert forebay("run", "--to", "10.0.0.1:80", "--to", "unix:/run/app.sock").code == 0
    [(gateway, _)] = ran
    assert [str(endpoint.address) for endpoint in gateway.pools["app"].endpoints] == ["10.0.0.1:80", "unix:/run/app.sock"]
    assert [str(address) for address in gateway.listen] == ["127.0.0.1:8080"]


def test_without_a_file_it_listens_where_it_is_told(forebay: Command, ran: list[Any]) -> None:
    assert forebay("run", "--to", "10.0.0.1:80", "--listen", ":80").code == 0
    assert [str(address) for address in ran[0][0].listen] == [":80"]


def test_a_bad_option_is_called_by_its_own_name(forebay: Command, ran: list[Any]) -> None:
    outcome = forebay("run", "--to", "10.0.0.1", "--listen", "nonsense")
    assert (outcome.code, outcome.out, ran) == (2, "", [])
    assert sorted(line.split('"')[0] for line in outcome.err.splitlines()) == ["error: --listen: ", "error: --to: "]


def test_every_fault_of_a_file_is_a_line_and_nothing_runs(forebay: Command, work: Path, ran: list[Any]) -> None:
    (work / "bad.toml").write_text('[gateway]\nlissen = ":80"\n[pools.app]\nendpoints = ["10.0.0.1"]\n')
    outcome = forebay("run", "bad.toml")
    assert (outcome.code, outcome.out, ran) == (2, "", [])
    assert all(line.startswith("error: bad.toml") for line in outcome.err.splitlines())
    assert 'did you mean "listen"?' in outcome.err
    assert "bad.toml:4: pools.app.endpoints[0]:" in outcome.err


def test_warnings_are_printed_and_it_goes_on(forebay: Command, work: Path, ran: list[Any]) -> None:
    (work / "odd.toml").write_text(
        f'{(work / "good.toml").read_text()}[pools.unused]\nendpoints = ["10.0.0.3:80"]\n[[routes]]\npool = "app"\n'
    )
    outcome = forebay("run", "odd.toml")
    assert outcome.code == 0
    assert outcome.err.startswith("warning: odd.toml:5: pools.unused: no route leads to it")
    assert len(ran) == 1


def test_an_address_that_cannot_be_had_is_bad_input(forebay: Command, work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert work.exists()

    def busy(_gateway: Gateway, *, name: str | None = None, **_: Any) -> None:
        assert name == "good"
        raise ListenError("127.0.0.1:80", "another process already listens there", hint="choose another port")

    monkeypatch.setattr(Gateway, "run", busy)
    outcome = forebay("run", "good.toml")
    assert outcome.code == 2
    assert outcome.err == "error: cannot listen on 127.0.0.1:80: another process already listens there; choose another port\n"
