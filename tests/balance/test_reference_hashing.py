"""XXH64 of the reference: published values, and another implementation's where it is installed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forebay.balance.reference import xxh64

PRIME_32 = 2654435761
PRIME_64 = 11400714785074694797


def sanity_buffer(size: int) -> bytes:
    """The bytes that xxHash's own check is computed over."""
    state, data = PRIME_32, bytearray()
    for _ in range(size):
        data.append(state >> 56)
        state = state * PRIME_64 & (2**64 - 1)
    return bytes(data)


@pytest.mark.parametrize(
    ("size", "seed", "value"),
    [
        (0, 0, 0xEF46DB3751D8E999),
        (0, PRIME_32, 0xAC75FDA2929B17EF),
        (1, 0, 0xE934A84ADB052768),
        (1, PRIME_32, 0x5014607643A9B4C3),
        (4, 0, 0x9136A0DCA57457EE),
        (14, 0, 0x8282DCC4994E35C8),
        (14, PRIME_32, 0xC3BD6BF63DEB6DF0),
        (222, 0, 0xB641AE8CB691C174),
        (222, PRIME_32, 0x20CB8AB7AE10C14A),
    ],
)
def test_the_hash_has_the_values_that_xxhash_publishes(size: int, seed: int, value: int) -> None:
    assert xxh64(sanity_buffer(size), seed) == value


def test_the_hash_of_a_short_text_is_the_known_one() -> None:
    assert xxh64(b"abc", 0) == 0x44BC2CF5AD770999


@given(st.binary(max_size=200), st.integers(0, 2**64 - 1))
def test_the_hash_is_that_of_the_package_xxhash(data: bytes, seed: int) -> None:
    xxhash = pytest.importorskip("xxhash")
    assert xxh64(data, seed) == xxhash.xxh64_intdigest(data, seed)
