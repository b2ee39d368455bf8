"""What a configuration says is to be looked up, and what becomes of the findings."""

import pytest

from forebay.config.discovery import Discovery
from forebay.config.schema import Endpoint, GatewayConfig, Pool, Route
from forebay.config.snapshot import snapshot
from forebay.config.sources import expanded, sources

SRV = "_http._tcp.app.example"


def config(**pools: Pool) -> GatewayConfig:
    return GatewayConfig(listen="127.0.0.1:0", pools=pools, routes=[Route(pool=name) for name in pools])


def endpoints(config: GatewayConfig, **resolved: list[str]) -> list[tuple[str, str | None, int]]:
    made = snapshot(config, 1, {f"{name}.example:80": addresses for name, addresses in resolved.items()})
    return [(each["id"], each["target"], each.get("tier", 0)) for each in made["pools"]["app"]["endpoints"]]


def test_each_name_service_and_file_has_a_key_and_the_pools_that_use_it() -> None:
    found = sources(
        config(
            a=Pool(["a.example:80", "10.0.0.1:80", "unix:/run/app.sock"]),
            b=Pool([Endpoint("a.example:80", id="one")], discovery={"dns": "b.example:80"}),
            c=Pool(discovery={"srv": SRV}),
            d=Pool(discovery={"file": "endpoints.toml"}),
        )
    )
    assert {key: (source.kind, source.text, source.pools) for key, source in found.items()} == {
        "a.example:80": ("name", "a.example:80", ["a", "b"]),
        "b.example:80": ("name", "b.example:80", ["b"]),
        f"srv:{SRV} (pools.c)": ("service", SRV, ["c"]),
        "file:endpoints.toml (pools.d)": ("file", "endpoints.toml", ["d"]),
    }
    assert found["a.example:80"].users == {("a", "a.example:80"), ("b", "one")}


def test_a_pool_that_looks_names_up_in_its_own_manner_shares_them_with_none() -> None:
    own = Discovery(max_ttl=5)
    found = sources(config(a=Pool(["a.example:80"]), b=Pool(["a.example:80"], discovery=own)))
    assert list(found) == ["a.example:80", "a.example:80 (pools.b)"]
    assert found["a.example:80 (pools.b)"].manner == own
    made = snapshot(config(app=Pool(["a.example:80"], discovery=own)), 1, {"a.example:80 (pools.app)": ["10.0.0.1:80"]})
    assert [each["target"] for each in made["pools"]["app"]["endpoints"]] == ["10.0.0.1:80"]


def test_a_dns_source_is_an_endpoint_with_that_name() -> None:
    whole = expanded(config(app=Pool(["10.0.0.1:80"], discovery={"dns": "b.example:80"})), {})
    assert endpoints(whole, b=["10.0.0.7:80", "10.0.0.8:80"]) == [
        ("10.0.0.1:80", "10.0.0.1:80", 0),
        ("10.0.0.7:80", "10.0.0.7:80", 0),
        ("10.0.0.8:80", "10.0.0.8:80", 0),
    ]


def test_what_a_service_names_stands_behind_what_is_declared_with_its_tier() -> None:
    pool = Pool(["10.0.0.1:80"], discovery={"srv": SRV})
    whole = expanded(config(app=pool), {f"srv:{SRV} (pools.app)": [Endpoint("b.example:80", tier=1)]})
    assert endpoints(whole, b=["10.0.0.7:80"]) == [("10.0.0.1:80", "10.0.0.1:80", 0), ("10.0.0.7:80", "10.0.0.7:80", 1)]


@pytest.mark.parametrize(("source", "named"), [({"srv": SRV}, SRV), ({"file": "endpoints.json"}, "endpoints.json")])
def test_a_pool_whose_endpoints_are_not_found_yet_is_unresolved_and_not_empty(source: dict[str, str], named: str) -> None:
    assert endpoints(expanded(config(app=Pool(discovery=source)), {})) == [(named, None, 0)]
    assert endpoints(expanded(config(app=Pool(["10.0.0.1:80"], discovery=source)), {})) == [("10.0.0.1:80", "10.0.0.1:80", 0)]


def test_a_configuration_without_findings_is_the_same_object() -> None:
    plain = config(app=Pool(["10.0.0.1:80"]))
    assert expanded(plain, {}) is plain


@pytest.mark.parametrize(
    ("written", "address"),
    [("10.0.0.53", "10.0.0.53:53"), ("10.0.0.53:5353", "10.0.0.53:5353"), ("::1", "[::1]:53"), ("[::1]:5", "[::1]:5")],
)
def test_a_name_server_is_an_address_with_or_without_a_port(written: str, address: str) -> None:
    assert [str(each) for each in Discovery(nameservers=written).nameservers] == [address]
