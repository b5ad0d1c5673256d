"""Student's t-distribution, from which the intervals around means of few values are computed. Pure."""

from __future__ import annotations

import math

_MOST_STEPS, _CLOSE = 500, 1e-15


def half_width(confidence: float, degrees: float) -> float:
    """The t for which a variable is between -t and t with the probability `confidence` (below 1). degrees: of freedom, above 0."""
    low, high = 0.0, 1.0
    while probability_within(high, degrees) < confidence:
        low, high = high, high * 2
    for _ in range(_MOST_STEPS):
        middle = (low + high) / 2
        if high - low <= _CLOSE * high or middle in (low, high):
            break
        low, high = (middle, high) if probability_within(middle, degrees) < confidence else (low, middle)
    return (low + high) / 2


def probability_within(t: float, degrees: float) -> float:
    """The probability that a variable of this distribution is between -t and t."""
    # It is the probability that a variable of the beta distribution (1/2, degrees/2) is below t²/(degrees + t²).
    return _incomplete_beta(t * t / (degrees + t * t), 0.5, degrees / 2)


def _incomplete_beta(x: float, a: float, b: float) -> float:
    """The regularized incomplete beta function, by the continued fraction 26.5.8 of Abramowitz and Stegun.

    The fraction converges fast only for small x; the symmetry of the function covers the others.
    """
    if x <= 0 or x >= 1:
        return min(1.0, max(0.0, x))
    if x > (a + 1) / (a + b + 2):
        return 1 - _incomplete_beta(1 - x, b, a)
    scale = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x))
    return scale / a / _continued_fraction(x, a, b)


def _continued_fraction(x: float, a: float, b: float) -> float:
    """The continued fraction 1 + d1/(1 + d2/(1 + …)), computed by Lentz's method."""
    value = numerator = 1.0
    denominator = 0.0
    for step in range(1, _MOST_STEPS):
        m = step // 2
        d = (
            m * (b - m) / ((a + step - 1) * (a + step))
            if step % 2 == 0
            else -(a + m) * (a + b + m) / ((a + step - 1) * (a + step))
        )
        denominator = 1 / (1 + d * x * denominator)
        numerator = 1 + d * x / numerator
        value *= numerator * denominator
        if abs(numerator * denominator - 1) < _CLOSE:
            break
    return value
