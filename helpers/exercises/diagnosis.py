"""From a wrong curve to the sentence that helps: what usually goes wrong, recognised from the values."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["diagnose", "same", "text"]

Array = NDArray[np.float64]


def same(a: float | Array, b: float | Array, tolerance: float = 1e-6) -> bool:
    """Equal to six digits, unless told otherwise: enough to tell mistakes apart, loose enough for float32.

    Parameters
    ----------
    a, b : float or ndarray
        Of shapes that broadcast; all entries count.
    tolerance : float
        Relative to ``b``.
    """
    return bool(np.allclose(a, b, rtol=tolerance, atol=1e-12))


def text(value: object) -> str:
    """A number as a reader wants it: six digits, no ``np.float64(...)``."""
    if isinstance(value, (float, np.floating)):
        return f"{float(value):.6g}"
    if isinstance(value, (tuple, list)):
        inside = ", ".join(text(item) for item in value)
        return f"[{inside}]" if isinstance(value, list) else f"({inside})"
    return str(value)


def diagnose(got: Array, expected: Array, steps: int, what: str = "learning rate") -> str:
    """Say in a sentence how the curve ``got`` differs from ``expected``, both over k = 0, 1, 2, ...

    Parameters
    ----------
    got, expected : ndarray, shape (K,)
        Values at k = 0 to K - 1, one of them different.
    steps : int
        Where the schedule ends; later values should be held.
    what : str
        What the curve shows, as the sentence calls it.

    Returns
    -------
    str
        Begins in lower case and has no full stop: a caller may put the case before it.

    Examples
    --------
    >>> k = np.arange(8)
    >>> diagnose(np.maximum(0.1 - k / 40, 0.0), np.maximum(0.1 - k / 50, 0.0), steps=5)
    'at k = 1 the learning rate should be 0.08, yours is 0.075'
    >>> diagnose(0.1 - k / 50, np.maximum(0.1 - k / 50, 0.0), steps=5)
    'right up to the end, but after it the end value is held: at k = 6 yours is -0.02 instead of 0'
    """
    for rule in (_flat, _shifted, _not_held, _peak, _scaled):
        found = rule(got, expected, steps, what)
        if found:
            return found
    k = _first(got, expected)
    return f"at k = {k} the {what} should be {text(expected[k])}, yours is {text(got[k])}"


def _first(got: Array, expected: Array) -> int:
    return int(np.flatnonzero(~np.isclose(got, expected, rtol=1e-6, atol=1e-12))[0])


def _flat(got: Array, expected: Array, steps: int, what: str) -> str:
    if np.ptp(got) == 0 and not same(expected, expected[0]):
        return f"it never moves: the {what} is {text(got[0])} at every k"
    return ""


def _shifted(got: Array, expected: Array, steps: int, what: str) -> str:
    if same(got[:-1], expected[1:]):
        return f"one step ahead: the {what} you give to update k belongs to update k + 1"
    if same(got[1:], expected[:-1]):
        return f"one step behind: the {what} you give to update k belongs to update k - 1"
    return ""


def _not_held(got: Array, expected: Array, steps: int, what: str) -> str:
    k = _first(got, expected)
    if k > steps:
        end = f"at k = {k} yours is {text(got[k])} instead of {text(expected[k])}"
        return f"right up to the end, but after it the end value is held: {end}"
    if k == steps:
        return f"at the end, k = {k}, the {what} should be {text(expected[k])}, yours is {text(got[k])}"
    return ""


def _peak(got: Array, expected: Array, steps: int, what: str) -> str:
    there, here = int(np.argmax(got)), int(np.argmax(expected))
    if there == here or here in (0, len(expected) - 1):
        return ""
    why = ": did you divide by total_steps - 1, or subtract 1 from the phase?" if there == here - 1 else ""
    return f"your peak is at step {there}, it belongs at step {here}{why}"


def _scaled(got: Array, expected: Array, steps: int, what: str) -> str:
    moving = np.abs(expected) > 1e-12
    factor = got[moving] / expected[moving]
    if moving.any() and same(factor, factor[0]) and same(got[~moving], expected[~moving]):
        return f"the shape is right, but every {what} is {text(factor[0])} times what it should be"
    return ""
