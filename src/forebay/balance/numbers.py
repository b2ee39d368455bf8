"""The arithmetic of expressions: IEEE 754 binary64, rounded to nearest, nothing fused, the same bit for bit in the engine.

Where Python raises, a number is defined instead: `x / 0` is infinite, `0 / 0` and `log(-1)` are NaN, `exp(1000)` is infinite. `exp` and
`log` differ from one C library to the next in the last bit, so they are written out here: the algorithms of fdlibm 5.3 (`e_exp.c` and
`e_log.c`; Sun Microsystems, 1993), whose error is below one unit in the last place.
"""

from __future__ import annotations

import math
import struct
from typing import Final

_LN2_HIGH: Final = 6.93147180369123816490e-01
_LN2_LOW: Final = 1.90821492927058770002e-10
_INVERSE_LN2: Final = 1.44269504088896338700e00
_EXP_OVERFLOW: Final = 7.09782712893383973096e02
_EXP_UNDERFLOW: Final = -7.45133219101941108420e02
_EXP: Final = (
    1.66666666666666019037e-01,
    -2.77777777770155933842e-03,
    6.61375632143793436117e-05,
    -1.65339022054652515390e-06,
    4.13813679705723846039e-08,
)
_LOG: Final = (
    6.666666666666735130e-01,
    3.999999999940941908e-01,
    2.857142874366239149e-01,
    2.222219843214978396e-01,
    1.818357216161805012e-01,
    1.531383769920937332e-01,
    1.479819860511658591e-01,
)

# The upper half of a number's bits, at which fdlibm changes its way of computing.
_HALF_LN2: Final = 0x3FD62E42
_ONE_AND_A_HALF_LN2: Final = 0x3FF0A2B2
_TINY: Final = 0x3E300000  # 2 ** -28
_LEAST_NORMAL: Final = 0x00100000  # 2 ** -1022
_SMALLEST_EXPONENT: Final = -1021
_NEAR_ONE: Final = 3


def div(a: float, b: float) -> float:
    """`a / b`, defined for zeros: infinite with the sign of the quotient, and NaN for `0 / 0`."""
    if b != 0:
        return a / b
    if a == 0 or math.isnan(a):
        return math.nan
    return math.copysign(math.inf, a) * math.copysign(1.0, b)


def least(a: float, b: float) -> float:
    """`a` if it is below `b`, else `b`; so a NaN on the left gives `b`, one on the right itself."""
    return a if a < b else b  # noqa: FURB136 - min() is another function for NaN and zeros


def most(a: float, b: float) -> float:
    """`a` if it is above `b`, else `b`; so a NaN on the left gives `b`, one on the right itself."""
    return a if a > b else b  # noqa: FURB136 - max() is another function for NaN and zeros


def where(condition: float, a: float, b: float) -> float:
    """`a` where the condition is a number other than 0, else `b`; a NaN counts as 0."""
    return a if condition < 0 or condition > 0 else b


def exp(x: float) -> float:
    """The exponential of `x`: 0 from about -745 down, infinite from about 709.8 up."""
    if math.isnan(x):
        return x
    if x > _EXP_OVERFLOW:
        return math.inf
    return 0.0 if x < _EXP_UNDERFLOW else _exp(x)


def _exp(x: float) -> float:
    upper = _upper(x) & 0x7FFFFFFF
    high = low = 0.0
    power = 0
    if upper > _HALF_LN2:
        power = int(_INVERSE_LN2 * x + math.copysign(0.5, x)) if upper >= _ONE_AND_A_HALF_LN2 else int(math.copysign(1, x))
        high = x - power * _LN2_HIGH
        low = power * _LN2_LOW
        x = high - low
    elif upper < _TINY:
        return 1.0 + x
    t = x * x
    p1, p2, p3, p4, p5 = _EXP
    c = x - t * (p1 + t * (p2 + t * (p3 + t * (p4 + t * p5))))
    if power == 0:
        return 1.0 - ((x * c) / (c - 2.0) - x)
    y = 1.0 - ((low - (x * c) / (2.0 - c)) - high)
    if power >= _SMALLEST_EXPONENT:
        return math.ldexp(y, power)
    return math.ldexp(y, power + 1000) * 2.0**-1000


def log(x: float) -> float:
    """The natural logarithm of `x`: minus infinity for 0, NaN below it."""
    if x == 0:
        return -math.inf
    if x < 0:
        return math.nan
    return _log(x) if x < math.inf else x


def _log(x: float) -> float:
    upper, power = _upper(x), 0
    if upper < _LEAST_NORMAL:
        power = -54
        x *= 2.0**54
        upper = _upper(x)
    power += (upper >> 20) - 1023
    upper &= 0x000FFFFF
    halved = (upper + 0x95F64) & 0x100000
    power += halved >> 20
    f = _with_upper(x, upper | (halved ^ 0x3FF00000)) - 1.0
    if (0x000FFFFF & (2 + upper)) < _NEAR_ONE:
        return _log_near_one(f, power)
    s = f / (2.0 + f)
    z = s * s
    w = z * z
    l1, l2, l3, l4, l5, l6, l7 = _LOG
    r = z * (l1 + w * (l3 + w * (l5 + w * l7))) + w * (l2 + w * (l4 + w * l6))
    if ((upper - 0x6147A) | (0x6B851 - upper)) > 0:
        half = 0.5 * f * f
        if power == 0:
            return f - (half - s * (half + r))
        return power * _LN2_HIGH - ((half - (s * (half + r) + power * _LN2_LOW)) - f)
    if power == 0:
        return f - s * (f - r)
    return power * _LN2_HIGH - ((s * (f - r) - power * _LN2_LOW) - f)


def _log_near_one(f: float, power: int) -> float:
    """The logarithm of `(1 + f) * 2 ** power` for an `f` below 2 ** -20."""
    if f == 0:
        return power * _LN2_HIGH + power * _LN2_LOW if power else 0.0
    r = f * f * (0.5 - 0.33333333333333333 * f)
    return power * _LN2_HIGH - ((r - power * _LN2_LOW) - f) if power else f - r


def _upper(x: float) -> int:
    """The upper 32 bits, as fdlibm's `__HI`, without sign extension."""
    return int(struct.unpack(">I", struct.pack(">d", x)[:4])[0])


def _with_upper(x: float, upper: int) -> float:
    """`x` with other upper 32 bits."""
    return float(struct.unpack(">d", struct.pack(">I", upper) + struct.pack(">d", x)[4:])[0])
