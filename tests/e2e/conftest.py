"""A home for the state of gateways, short since the path of a socket may have 107 bytes; and servers that several tests share."""

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from .programs import APPLICATIONS, Gateway, Program, Server, gateway, granian, uvicorn


@pytest.fixture
def folder() -> Iterator[Path]:
    """Make a folder that is empty."""
    with tempfile.TemporaryDirectory(prefix="fb") as path:
        yield Path(path)


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Path:
    """For gateways in this process."""
    monkeypatch.setenv("XDG_STATE_HOME", str(folder))
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    return folder


@pytest.fixture(scope="session")
def servers() -> Iterator[dict[str, Server]]:
    """Start one server of each kind, which all serve the same."""
    node = shutil.which("node")
    with tempfile.TemporaryDirectory(prefix="fb") as path, ExitStack() as started:
        folder = Path(path)
        kinds = [uvicorn("asgi:app", folder), granian("asgi:trusting", folder)]
        if node:
            kinds.append(Server("node", lambda port: [node, str(APPLICATIONS / "server.mjs"), str(port)], folder))
        yield {server.name: started.enter_context(server) for server in kinds}


@pytest.fixture(scope="session")
def unix_socket() -> Iterator[str]:
    """Start one more Uvicorn, which listens on a Unix socket; the path of that."""
    with tempfile.TemporaryDirectory(prefix="fb") as path:
        socket = Path(path) / "uvicorn.sock"
        command = [sys.executable, "-m", "uvicorn", "asgi:app", "--app-dir", str(APPLICATIONS), "--lifespan", "off"]
        with Program([*command, "--uds", str(socket)], Path(path)) as server:
            server.line("Uvicorn running on unix socket")
            yield str(socket)


@pytest.fixture(scope="session")
def front(servers: dict[str, Server], unix_socket: str) -> Iterator[Gateway]:
    """Start a gateway in front of them all: `/NAME/...` goes to the server of that name."""
    endpoints = {**{name: server.address for name, server in servers.items()}, "unix": f"unix:{unix_socket}"}
    routes = "".join(
        f"""
[[routes]]
name = "{name}"
match = {{ path = "/{name}/*" }}
pool = "{name}"
strip_prefix = "/{name}"
[pools.{name}]
endpoints = ["{address}"]
"""
        for name, address in endpoints.items()
    )
    with tempfile.TemporaryDirectory(prefix="fb") as path:
        configuration = f'[gateway]\nlisten = "127.0.0.1:0"\naccess_log = "{path}/access.log"\n{routes}'
        with gateway(Path(path), configuration) as running:
            yield running


@pytest.fixture(params=["uvicorn", "granian", "node"])
def server(request: pytest.FixtureRequest, servers: dict[str, Server]) -> Server:
    """Each kind of server in turn."""
    if request.param not in servers:
        pytest.skip(f"{request.param} is not installed")
    return servers[request.param]
