"""The guides, run from their first command to their last."""

from pathlib import Path

import pytest

from .documents import ROOT, blocks, free_ports, shell, until_listening

pytestmark = pytest.mark.e2e


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """Make a folder that looks like a clone in which everything is built, where a guide may save its files."""
    if not (ROOT / ".venv/bin/forebay").exists():
        pytest.skip("needs the environment that make test sets up")
    for entry in ROOT.iterdir():
        if entry.name != ".git":
            (tmp_path / entry.name).symlink_to(entry)
    return tmp_path


@pytest.mark.timeout(600)  # its first command builds what is not current
def test_the_first_gateway_serves_on_when_a_server_is_killed(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROFILE", (ROOT / ".venv/profile").read_text().strip())
    ports = free_ports(8001, 8002, 8080)
    hello = {name: f"hello from {ports[name]}\n" for name in (8001, 8002)}
    said = []
    with shell(clone) as bash:
        for block in blocks("docs/guides/first-gateway.md", ports):
            if block.title:
                (clone / block.title).write_text(block.text)
            elif block.language == "sh":
                said.append(bash.run(block.text))
                for started in (line for line in block.text.splitlines() if line.endswith("&")):
                    until_listening(next((port for port in ports.values() if f"--port {port}" in started), ports[8080]))
    served = [[line for line in lines if line in hello.values()] for lines in said]
    together, alone = (lines for lines in served if lines)
    assert sorted(together) == sorted([*hello.values(), *hello.values()])
    assert alone == [hello[8002]] * 4


def test_a_program_of_its_own_loses_no_request_when_a_server_is_killed(clone: Path) -> None:
    ports = free_ports(8001, 8002)
    said = []
    with shell(clone) as bash:
        for block in blocks("docs/guides/use-the-balancer.md", ports):
            if block.title:
                (clone / block.title).write_text(block.text)
            elif block.language == "sh":
                said.append([line.rstrip("\n") for line in bash.run(block.text)])
                for port in (port for port in ports.values() if f"127.0.0.1 {port} >" in block.text):
                    until_listening(port)
    first, second = (f"127.0.0.1:{port}" for port in ports.values())
    asked, retried, streamed = (lines for lines in said if any("picks" in line for line in lines))
    assert sum(_picks(asked, address) for address in (first, second)) == 10
    assert "10 answers" in retried
    assert _picks(retried, second) == 10
    assert "status 404" in streamed
    assert f'  "{second}": {{' in streamed


def _picks(lines: list[str], address: str) -> int:
    (found,) = (line.split() for line in lines if line.startswith(f"{address} "))
    assert found[2:] == ["picks,", "0", "failures"]
    return int(found[1])


def test_a_policy_of_ones_own_serves_and_so_does_a_function(clone: Path) -> None:
    ports = free_ports(8001, 8002, 8080)
    said = []
    with shell(clone) as bash:
        for block in blocks("docs/guides/write-a-policy.md", ports):
            if block.title:
                (clone / block.title).write_text(block.text)
            elif block.language == "sh":
                said.append("".join(bash.run(block.text)))
                for port in (port for port in ports.values() if f"127.0.0.1 {port} >" in block.text):
                    until_listening(port)
                if "forebay run" in block.text:
                    until_listening(ports[8080])
    (listed,) = (text for text in said if "age 0" in text)
    assert 'unknown field "inflght" (column 8); did you mean "inflight"?' in "".join(said)
    assert "has just joined" in listed
    (status,) = (text for text in said if "healthy" in text)
    assert f"127.0.0.1:{ports[8001]}" in status
    assert "3" in said[-2].splitlines()


def test_endpoints_are_found_in_a_file_that_changes_and_a_broken_one_changes_nothing(clone: Path) -> None:
    ports = free_ports(8001, 8002, 8080)
    said = []
    with shell(clone) as bash:
        for block in blocks("docs/guides/discovery.md", ports):
            if block.title:
                (clone / block.title).write_text(block.text)
            elif block.language == "sh":
                said.append("".join(bash.run(block.text)))
                for port in (port for port in ports.values() if f" {port} >" in block.text):
                    until_listening(port)
                if "forebay run" in block.text:
                    until_listening(ports[8080])
    assert "gateway.toml: good" in said[1]
    assert [word for text in said[2:] for word in text.split() if word in {"first", "second"}] == ["first", "second", "second"]
    assert "file endpoints.json: stale" in said[-1]
    assert "not JSON: expecting ',' delimiter" in said[-1]
