"""The lines of a start and a stop."""

from forebay import Gateway, Pool
from forebay.observe import banner


def lines(gateway: Gateway, addresses: dict[str, list[str]]) -> list[str]:
    return banner.Start("0.1.0", gateway, addresses, 2, "json", "unix:/run/x/control.sock").lines()


def test_one_glance_tells_where_it_listens_and_what_it_feeds() -> None:
    gateway = Gateway(listen="127.0.0.1:0", pools={"app": Pool(["10.0.0.1:80", "10.0.0.2:80"])})
    assert lines(gateway, {"default": ["127.0.0.1:8080"]}) == [
        "forebay 0.1.0 listens on http://127.0.0.1:8080 -> app (2 endpoints)",
        "  2 threads; access log to stdout (json); control on unix:/run/x/control.sock",
    ]


def test_endpoints_that_are_found_are_told_by_their_source() -> None:
    for pool, told in (
        (Pool(discovery={"file": "endpoints.json"}), "endpoints of endpoints.json"),
        (Pool(["10.0.0.1:80"], discovery={"dns": "app.example:80"}), "1 endpoint and those of app.example:80"),
    ):
        assert lines(Gateway(listen="127.0.0.1:0", pools={"app": pool}), {"default": ["127.0.0.1:8080"]})[0].endswith(f"-> app ({told})")


def test_several_listeners_pools_and_routes_stand_in_the_same_line() -> None:
    gateway = Gateway(
        listeners={"web": {"bind": ["127.0.0.1:0", "[::1]:0"]}},
        routes=[{"match": {"path": "/api/*"}, "pool": "api"}, {"pool": "app"}],
        pools={"api": Pool(["10.0.0.1:80"]), "app": Pool(["10.0.0.2:80"])},
        access_log="off",
        admin="127.0.0.1:9900",
    )
    assert lines(gateway, {"web": ["127.0.0.1:80", "[::1]:80"]}) == [
        "forebay 0.1.0 listens on http://127.0.0.1:80, http://[::1]:80 -> api (1 endpoint), app (1 endpoint) by 2 routes",
        "  2 threads; access log off; admin on http://127.0.0.1:9900; control on unix:/run/x/control.sock",
    ]


def test_a_gateway_without_a_pool_feeds_nothing() -> None:
    gateway = Gateway(listen="127.0.0.1:0", routes=[{"respond": {"body": "ok"}}])
    assert lines(gateway, {"default": ["127.0.0.1:80"]})[0].endswith("-> its routes alone")


def test_a_stop_tells_what_it_waits_for_and_how_it_ended() -> None:
    assert banner.stopping(1, 30.0) == "forebay stops: 1 request still running, cut after 30 s (a second Ctrl-C cuts now)"
    assert banner.stopped(12, 0) == "forebay stopped: 12 finished / 0 cut"
