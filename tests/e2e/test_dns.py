"""What dnspython makes of a real name server becomes one of our answers, whatever that server does."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from forebay import Endpoint
from forebay.config.discovery import Discovery
from forebay.control.discovery import dns, system
from forebay.control.discovery.answers import Answer, Failed, Found, Nothing

from .nameserver import NameServer

pytestmark = pytest.mark.e2e

APP = "app.example"


@pytest.fixture
def server() -> Iterator[NameServer]:
    with NameServer() as server:
        yield server


def manner(server: NameServer) -> Discovery:
    return Discovery(nameservers=server.address)


def ask(server: NameServer, patience: float = dns.PATIENCE) -> Answer[str]:
    return dns.addresses(APP, 80, manner(server), patience)


def test_addresses_come_once_each_and_in_a_fixed_order_with_their_ttl(server: NameServer) -> None:
    server.records[APP, "A"] = ["10.0.0.10", "10.0.0.9", "10.0.0.10"]
    server.ttl = 17
    assert ask(server) == Found(("10.0.0.9:80", "10.0.0.10:80"), 17)
    assert server.asked == [(APP, "A")]


def test_a_name_without_an_a_record_counts_by_its_aaaa_records(server: NameServer) -> None:
    server.records[APP, "AAAA"] = ["2001:db8::1"]
    assert ask(server) == Found(("[2001:db8::1]:80",), 1)


@pytest.mark.parametrize(
    ("records", "outcome"),
    [
        ("SERVFAIL", Failed("{} answered SERVFAIL")),
        ("REFUSED", Failed("{} answered REFUSED")),
        ("NXDOMAIN", Nothing("there is no such name (NXDOMAIN)")),
        ([], Nothing("the name has no address")),
        ("silence", Failed("no answer from {} within 0.2 s")),
        ("garbage", Failed("no answer from {} within 0.2 s")),
        ("other", Failed("no answer from {} within 0.2 s")),
        (["0.0.0.0"], Nothing("it answered with 0.0.0.0, where nothing can be reached")),
        (["224.0.0.1"], Nothing("it answered with 224.0.0.1, where nothing can be reached")),
        (["0.0.0.0", "10.0.0.1"], Found(("10.0.0.1:80",), 1)),
    ],
    ids=str,
)
def test_each_kind_of_answer_has_one_meaning(server: NameServer, records: list[str] | str, outcome: Answer[str]) -> None:
    server.records[APP, "A"] = records
    named = server.address.replace(":", "@")
    wanted = type(outcome)(outcome.why.format(named)) if isinstance(outcome, Failed | Nothing) else outcome
    assert ask(server, 0.2) == wanted


def test_services_become_tiers_by_priority_and_weights_in_proportion(server: NameServer) -> None:
    server.records["_http._tcp.app.example", "SRV"] = [
        "20 0 8080 c.example.",
        "10 6000 8080 b.example.",
        "10 3000 8081 a.example.",
        "20 10 8080 d.example.",
    ]
    assert dns.services("_http._tcp.app.example", manner(server)) == Found(
        (
            Endpoint("a.example:8081", weight=500),
            Endpoint("b.example:8080", weight=1000),
            Endpoint("c.example:8080", weight=1, tier=1),
            Endpoint("d.example:8080", weight=2, tier=1),
        ),
        1,
    )


@pytest.mark.parametrize(
    ("records", "outcome"),
    [
        (["0 0 0 ."], Nothing("its record says that the service is not offered")),
        ([], Nothing("the service has no records")),
        ("NXDOMAIN", Nothing("there is no such name (NXDOMAIN)")),
        (["0 0 0 a.example."], Failed("none of its records has a host and a port that can be connected to")),
    ],
    ids=str,
)
def test_a_service_that_is_not_there_is_none(server: NameServer, records: list[str] | str, outcome: Answer[Endpoint]) -> None:
    server.records["_http._tcp.app.example", "SRV"] = records
    assert dns.services("_http._tcp.app.example", manner(server)) == outcome


def test_a_record_that_names_no_server_is_left_out_alone(server: NameServer) -> None:
    server.records["_http._tcp.app.example", "SRV"] = ["0 1 0 a.example.", "0 1 80 b.example.", "0 1 80 4.", "0 1 80 c\\032d.example."]
    assert dns.services("_http._tcp.app.example", manner(server)) == Found((Endpoint("b.example:80"),), 1)


class TestTheSystem:
    """Names as this machine knows them."""

    @pytest.fixture(autouse=True)
    def machine(self, tmp_path: Path, server: NameServer, monkeypatch: pytest.MonkeyPatch) -> None:
        """Have this test's files instead of those in /etc, with its name server in them."""
        from dns.nameserver import Do53Nameserver
        from dns.resolver import Resolver

        read = Resolver.read_resolv_conf

        def with_port(resolver: Resolver, file: str) -> None:
            read(resolver, file)  # has no way to say a port
            resolver.nameservers = [Do53Nameserver("127.0.0.1", server.endpoint.port)]

        monkeypatch.setattr(Resolver, "read_resolv_conf", with_port)
        monkeypatch.setattr(dns, "RESOLV_CONF", str(tmp_path / "resolv.conf"))
        monkeypatch.setattr(system, "HOSTS", tmp_path / "hosts")
        monkeypatch.setattr(socket, "getaddrinfo", self.unknown)
        self.hosts, self.resolv = tmp_path / "hosts", tmp_path / "resolv.conf"
        self.resolv.write_text("nameserver 127.0.0.1\nsearch one.example two.example\n")

    @staticmethod
    def unknown(*_: object, **__: object) -> list[object]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    def lookup(self, host: str) -> Answer[str]:
        return system.lookup(host, 80, Discovery())

    def test_what_its_hosts_file_names_needs_no_name_server(self, server: NameServer) -> None:
        self.hosts.write_text(
            "# a comment\n10.0.0.2  App.Example app # more\n10.0.0.1 app.example\n::1 app.example\nnonsense app.example\n"
        )
        assert self.lookup("app.example") == Found(("10.0.0.1:80", "10.0.0.2:80"))
        assert self.lookup("app.example.") == Found(("10.0.0.1:80", "10.0.0.2:80"))
        assert server.asked == []

    def test_localhost_is_loopback_without_a_name_server_and_without_a_hosts_file(self, server: NameServer) -> None:
        assert self.lookup("localhost") == Found(("127.0.0.1:80",))
        assert self.lookup("app.localhost") == Found(("127.0.0.1:80",))
        assert server.asked == []

    def test_its_search_domains_are_tried_in_turn_for_a_short_name(self, server: NameServer) -> None:
        server.records["app.two.example", "A"] = ["10.0.0.1"]
        assert self.lookup("app") == Found(("10.0.0.1:80",), 1)
        assert server.asked == [("app.one.example", "A"), ("app.two.example", "A")]

    def test_a_name_that_dns_does_not_have_is_asked_of_the_system(self, monkeypatch: pytest.MonkeyPatch) -> None:
        found = [(socket.AF_INET6, 1, 6, "", ("fe80::1%eth0", 80, 0, 0)), (socket.AF_INET, 1, 6, "", ("10.0.0.8", 80))]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
        assert self.lookup("printer.local") == Found(("10.0.0.8:80",))

    def test_a_name_that_nobody_has_is_none(self) -> None:
        assert self.lookup("app.example") == Nothing("there is no such name (NXDOMAIN)")

    def test_a_name_server_that_fails_is_no_reason_to_ask_the_system(self, server: NameServer, monkeypatch: pytest.MonkeyPatch) -> None:
        """It would ask the same server once more, and take longer."""
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: pytest.fail("was asked"))
        server.records[APP, "A"] = "SERVFAIL"
        assert isinstance(self.lookup(APP), Failed)

    def test_without_name_servers_only_its_own_files_and_the_system_count(self) -> None:
        self.resolv.unlink()
        assert self.lookup("app.example") == Nothing(f"{self.resolv} names no name server")
        self.hosts.write_text("10.0.0.2 app.example\n")
        assert self.lookup("app.example") == Found(("10.0.0.2:80",))

    def test_name_servers_of_the_pools_own_are_asked_and_nothing_else(self, server: NameServer, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: pytest.fail("was asked"))
        self.hosts.write_text(f"10.0.0.2 {APP}\n")
        server.records[APP, "A"] = ["10.0.0.1"]
        assert system.lookup(APP, 80, manner(server)) == Found(("10.0.0.1:80",), 1)
        assert system.lookup("other.example", 80, manner(server)) == Nothing("there is no such name (NXDOMAIN)")

    def test_a_name_that_no_name_server_could_hold_is_none(self) -> None:
        assert isinstance(self.lookup("a" * 64 + ".example"), Failed | Nothing)
