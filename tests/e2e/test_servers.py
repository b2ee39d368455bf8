"""Real servers behind the gateway, real clients in front of it: what the one sends is what the other gets."""

import gzip
import hashlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from .applications.asgi import BLOCK, block
from .programs import PATIENCE, Gateway, Server, gateway, toml

pytestmark = pytest.mark.e2e


@pytest.fixture
def client(front: Gateway) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=front.url, timeout=PATIENCE) as made:
        yield made


def fields(seen: dict[str, Any]) -> dict[str, str]:
    return dict(seen["headers"])


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
def test_a_request_arrives_as_it_was_sent(client: httpx.Client, server: Server, method: str) -> None:
    seen = client.request(method, f"/{server.name}/seen?a=1&b=%2F", headers={"X-Own": "yes", "Cookie": "a=b"}).json()
    assert (seen["method"], seen["target"]) == (method, "/seen?a=1&b=%2F")
    assert (fields(seen)["x-own"], fields(seen)["cookie"]) == ("yes", "a=b")
    assert fields(seen)["host"] == client.base_url.netloc.decode()


def test_a_server_learns_who_asked_from_the_forwarding_fields(client: httpx.Client, server: Server) -> None:
    forged = {"X-Forwarded-For": "8.8.8.8", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "forged.example"}
    seen = client.get(f"/{server.name}/seen", headers=forged).json()
    # What Uvicorn and Granian make of the fields themselves; both trust this machine.
    assert (seen["scheme"], seen["client"]) == ("http", "127.0.0.1")
    given = fields(seen)
    assert (given["x-forwarded-for"], given["x-forwarded-proto"]) == ("127.0.0.1", "http")
    assert given["x-forwarded-host"] == client.base_url.netloc.decode()
    assert "forged.example" not in str(seen)
    assert "8.8.8.8" not in str(seen)


def test_what_a_trusted_hop_says_of_the_client_is_what_the_servers_read(servers: dict[str, Server], folder: Path) -> None:
    for server in servers.values():
        configuration = toml(server.address).replace("[pools", 'trusted_proxies = ["127.0.0.0/8"]\n[pools', 1)
        with gateway(folder, configuration) as running:
            chain = {"X-Forwarded-For": "8.8.8.8, 203.0.113.9", "X-Forwarded-Proto": "https"}
            seen = httpx.get(f"{running.url}/seen", headers=chain).json()
        assert fields(seen)["x-forwarded-proto"] == "https"
        assert fields(seen)["x-forwarded-for"].startswith("8.8.8.8, 203.0.113.9")
        if server.name != "node":  # which reads none of them by itself
            assert (seen["scheme"], seen["client"]) == ("https", "203.0.113.9")


def test_the_answer_to_head_has_the_fields_and_no_body(client: httpx.Client, server: Server) -> None:
    whole = client.get(f"/{server.name}/gzip")
    head = client.head(f"/{server.name}/gzip")
    assert head.content == b""
    assert head.headers["content-length"] == whole.headers["content-length"]


def test_a_compressed_body_is_left_as_it_is(client: httpx.Client, server: Server) -> None:
    with client.stream("GET", f"/{server.name}/gzip") as response:
        raw = b"".join(response.iter_raw())
    assert response.headers["content-encoding"] == "gzip"
    assert gzip.decompress(raw) == b"to be left as it is\n" * 100


def test_fields_of_16_kib_pass_both_ways(client: httpx.Client, server: Server) -> None:
    large = "r" * 16_000
    response = client.get(f"/{server.name}/seen?large=16000", headers={"X-Asked": large})
    assert fields(response.json())["x-asked"] == large
    assert response.headers["x-large"] == "l" * 16_000


def test_one_connection_to_the_server_carries_many_requests(client: httpx.Client, servers: dict[str, Server]) -> None:
    if "node" not in servers:
        pytest.skip("node is not installed")
    assert len({client.get("/node/seen").json()["port"] for _ in range(50)}) == 1


def test_a_client_that_connects_anew_each_time_still_shares_kept_connections(front: Gateway, servers: dict[str, Server]) -> None:
    if "node" not in servers:
        pytest.skip("node is not installed")
    ports = {httpx.get(f"{front.url}/node/seen").json()["port"] for _ in range(20)}
    assert len(ports) <= front.status()["threads"]


def test_a_unix_socket_is_an_endpoint_as_well(client: httpx.Client) -> None:
    seen = client.get("/unix/seen?a").json()
    assert seen["target"] == "/seen?a"
    assert client.post("/unix/digest", content=block(7) * 10).json() == {
        "bytes": 10 * BLOCK,
        "sha256": hashlib.sha256(block(7) * 10).hexdigest(),
    }


def curl(*arguments: str) -> bytes:
    found = shutil.which("curl")
    if not found:
        pytest.skip("curl is not installed")
    return subprocess.check_output([found, "--silent", "--show-error", "--max-time", "20", *arguments])


def test_curl_is_answered_in_http_1_1(front: Gateway, server: Server) -> None:
    assert curl("--write-out", "%{http_version} %{http_code}", "-o", "/dev/null", f"{front.url}/{server.name}/seen") == b"1.1 200"


def test_curl_gets_its_body_through_after_100_continue(front: Gateway, server: Server, folder: Path) -> None:
    (folder / "body").write_bytes(block(1) * 40)
    url = f"{front.url}/{server.name}/digest"
    said = curl("--include", "--header", "Expect: 100-continue", "--data-binary", f"@{folder}/body", url)
    assert said.startswith(b"HTTP/1.1 100")
    assert hashlib.sha256(block(1) * 40).hexdigest().encode() in said


def test_curl_speaking_http_1_0_gets_a_body_that_ends_with_the_connection(front: Gateway, server: Server) -> None:
    said = curl("--http1.0", "--include", f"{front.url}/{server.name}/bytes?blocks=3")
    head, _, body = said.partition(b"\r\n\r\n")
    assert b"transfer-encoding" not in head.lower()
    assert b"connection: close" in head.lower()
    assert body == block(0) + block(1) + block(2)


def test_a_server_of_http_1_0_serves_too(folder: Path) -> None:
    """Python's own wsgiref, which closes each connection."""
    program = (
        "import sys\n"
        "from wsgiref.simple_server import demo_app, make_server\n"
        "make_server('127.0.0.1', int(sys.argv[1]), demo_app).serve_forever()\n"
    )
    with (
        Server("wsgiref", lambda port: [sys.executable, "-c", program, str(port)], folder) as old,
        gateway(folder, toml(old.address)) as running,
        httpx.Client(base_url=running.url) as client,
    ):
        answers = [client.get("/") for _ in range(10)]
    assert {(answer.status_code, answer.http_version) for answer in answers} == {(200, "HTTP/1.1")}
    assert all(answer.text.startswith("Hello world!") for answer in answers)
