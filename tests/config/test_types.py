"""Durations, sizes, addresses and networks: what they mean and how they print."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forebay.types import Address, Malformed, format_duration, format_size, parse_duration, parse_host, parse_network, parse_size


@pytest.mark.parametrize(
    ("text", "seconds", "printed"),
    [
        ("2s", 2, "2s"),
        ("500ms", 0.5, "500ms"),
        ("1h", 3600, "1h"),
        ("1m30s", 90, "90s"),
        ("1.5s", 1.5, "1500ms"),
        ("75s", 75, "75s"),
        ("60s", 60, "60s"),
        ("2m", 120, "2m"),
        ("1d", 86400, "24h"),
        (" 3s ", 3, "3s"),
        (2, 2, "2s"),
        (0.25, 0.25, "250ms"),
        ("0s", 0, "0s"),
        ("7us", 0.000007, "7us"),
    ],
)
def test_a_duration_is_seconds_and_prints_in_its_largest_whole_unit(text: object, seconds: float, printed: str) -> None:
    assert parse_duration(text) == seconds
    assert format_duration(seconds) == printed


@pytest.mark.parametrize("text", ["", "s", "2 s 3", "2x", "-2s", "2s3", "1e3s", True, None, [], -1, float("nan"), float("inf"), "400d"])
def test_what_is_no_duration_is_refused(text: object) -> None:
    with pytest.raises(Malformed):
        parse_duration(text)


def test_a_duration_without_unit_says_how_to_write_seconds() -> None:
    with pytest.raises(Malformed) as caught:
        parse_duration("30")
    assert caught.value.hint == 'write "30s" for seconds'


@given(st.integers(0, 366 * 86_400_000_000))
def test_durations_come_back_from_their_canonical_text(micros: int) -> None:
    seconds = micros / 1_000_000
    assert parse_duration(format_duration(seconds)) == seconds


@pytest.mark.parametrize(
    ("text", "size", "printed"),
    [
        ("64KiB", 65536, "64KiB"),
        ("10MB", 10_000_000, "10MB"),
        ("1.5KiB", 1536, "1536B"),
        (100, 100, "100B"),
        ("100", 100, "100B"),
        ("0", 0, "0B"),
        ("1 gib", 2**30, "1GiB"),
    ],
)
def test_a_size_is_bytes_and_prints_in_its_largest_whole_unit(text: object, size: int, printed: str) -> None:
    assert parse_size(text) == size
    assert format_size(size) == printed


@pytest.mark.parametrize("text", ["", "KiB", "10M", "1.0001KiB", -1, True, 1.5, None, "9999999TB"])
def test_what_is_no_size_is_refused(text: object) -> None:
    with pytest.raises(Malformed):
        parse_size(text)


def test_a_size_with_half_a_unit_says_both_that_it_may_be() -> None:
    with pytest.raises(Malformed) as caught:
        parse_size("10m")
    assert caught.value.hint == 'write "10MiB" or "10MB"'


@given(st.integers(0, 2**63 - 1))
def test_sizes_come_back_from_their_canonical_text(size: int) -> None:
    assert parse_size(format_size(size)) == size


@pytest.mark.parametrize(
    ("text", "host", "port", "printed"),
    [
        ("10.0.0.1:80", "10.0.0.1", 80, "10.0.0.1:80"),
        ("App_1.Example.com:8000", "app_1.example.com", 8000, "app_1.example.com:8000"),
        ("[::1]:80", "::1", 80, "[::1]:80"),
        ("[2001:DB8:0:0::1]:80", "2001:db8::1", 80, "[2001:db8::1]:80"),
        (":8080", "", 8080, ":8080"),
        ("http://a", "a", 80, "a:80"),
        ("http://a:81/", "a", 81, "a:81"),
        ("HTTP://[::1]", "::1", 80, "[::1]:80"),
        ("a.b.:1", "a.b.", 1, "a.b.:1"),
    ],
)
def test_an_address_has_a_host_and_a_port(text: str, host: str, port: int, printed: str) -> None:
    address = Address.parse(text)
    assert (address.kind, address.host, address.port, str(address)) == ("tcp", host, port, printed)


def test_a_unix_socket_is_an_address_by_its_absolute_path() -> None:
    address = Address.parse("unix:/run/app.sock")
    assert (address.kind, address.path, address.ip, str(address)) == ("unix", "/run/app.sock", None, "unix:/run/app.sock")


@pytest.mark.parametrize(
    "text",
    [
        *("", "a", "a:", "a:x", "a:65536", "a:-1", "a:1:2", "::1:80", "[::1]", "[a]:80", "[::1:80", "[fe80::1%eth0]:80"),
        *("1.2.3:80", "1.2.3.999:1", "-a:1", "a..b:1", "a b:1", "ä:1", "a:\N{ARABIC-INDIC DIGIT ONE}"),
        *("ftp://a:1", "http://a/b", "http://u@a", "unix:rel", "unix:", f"unix:/{'x' * 107}", 80, None),
    ],
)
def test_what_is_no_address_is_refused(text: object) -> None:
    with pytest.raises(Malformed):
        Address.parse(text)


def test_https_is_refused_in_plain_words_until_tls_exists() -> None:
    with pytest.raises(Malformed, match="until TLS exists") as caught:
        Address.parse("https://app:443")
    assert caught.value.hint == 'write "http://app:443" or "HOST:PORT" for a plain connection'


def test_an_ipv6_address_without_brackets_is_shown_with_them() -> None:
    with pytest.raises(Malformed) as caught:
        Address.parse("2001:db8::1:80")
    assert caught.value.hint == 'write an IPv6 address in brackets, as "[2001:db8::1]:80"'


@given(
    st.one_of(st.ip_addresses().map(str), st.from_regex(r"[a-z]([a-z0-9-]{0,20}[a-z0-9])?(\.[a-z]{1,10}){0,3}", fullmatch=True)),
    st.integers(0, 65535),
)
def test_addresses_come_back_from_their_canonical_text(host: str, port: int) -> None:
    address = Address("tcp", parse_host(host), port)
    assert Address.parse(str(address)) == address


def test_a_single_address_is_a_network_of_one() -> None:
    assert str(parse_network("10.0.0.1")) == "10.0.0.1/32"
    assert str(parse_network("fd00::/8")) == "fd00::/8"


def test_a_network_with_bits_behind_its_prefix_says_which_was_meant() -> None:
    with pytest.raises(Malformed) as caught:
        parse_network("10.0.0.1/8")
    assert caught.value.hint == 'did you mean "10.0.0.0/8"?'


@pytest.mark.parametrize("text", ["", "10.0.0.0/33", "everyone", 8, None])
def test_what_is_no_network_is_refused(text: object) -> None:
    with pytest.raises(Malformed):
        parse_network(text)
