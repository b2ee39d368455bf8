"""XXH64, the hash by which keys and endpoints enter a table: written out from the specification of xxHash (Collet, version 0.1.1)."""

from __future__ import annotations

from typing import Final

from forebay.balance.reference.draws import MASK

_PRIME_1: Final = 0x9E3779B185EBCA87
_PRIME_2: Final = 0xC2B2AE3D27D4EB4F
_PRIME_3: Final = 0x165667B19E3779F9
_PRIME_4: Final = 0x85EBCA77C2B2AE63
_PRIME_5: Final = 0x27D4EB2F165667C5
_STRIPE: Final = 32
_LANE: Final = 8
_HALF: Final = 4


def xxh64(data: bytes, seed: int) -> int:
    """The 64-bit hash of the bytes; `seed` has 64 bits."""
    if len(data) >= _STRIPE:
        lanes = [seed + _PRIME_1 + _PRIME_2, seed + _PRIME_2, seed, seed - _PRIME_1]
        whole = len(data) - len(data) % _STRIPE
        for at in range(0, whole, _LANE):
            lane = at // _LANE % 4
            lanes[lane] = _round(lanes[lane] & MASK, _word(data, at, _LANE))
        state = sum(_rotated(value, by) for value, by in zip(lanes, (1, 7, 12, 18), strict=True)) & MASK
        for value in lanes:
            state = ((state ^ _round(0, value)) * _PRIME_1 + _PRIME_4) & MASK
    else:
        whole, state = 0, seed + _PRIME_5
    return _avalanche(_tail((state + len(data)) & MASK, data[whole:]))


def _tail(state: int, data: bytes) -> int:
    at = 0
    while at + _LANE <= len(data):
        state = (_rotated(state ^ _round(0, _word(data, at, _LANE)), 27) * _PRIME_1 + _PRIME_4) & MASK
        at += _LANE
    if at + _HALF <= len(data):
        state = (_rotated(state ^ (_word(data, at, _HALF) * _PRIME_1) & MASK, 23) * _PRIME_2 + _PRIME_3) & MASK
        at += _HALF
    for byte in data[at:]:
        state = (_rotated(state ^ (byte * _PRIME_5) & MASK, 11) * _PRIME_1) & MASK
    return state


def _avalanche(state: int) -> int:
    state = ((state ^ (state >> 33)) * _PRIME_2) & MASK
    state = ((state ^ (state >> 29)) * _PRIME_3) & MASK
    return state ^ (state >> 32)


def _round(lane: int, word: int) -> int:
    return (_rotated((lane + word * _PRIME_2) & MASK, 31) * _PRIME_1) & MASK


def _word(data: bytes, at: int, size: int) -> int:
    return int.from_bytes(data[at : at + size], "little")


def _rotated(value: int, by: int) -> int:
    return ((value << by) | (value >> (64 - by))) & MASK
