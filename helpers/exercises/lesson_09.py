"""Lesson 09, a fair race: why the order turned, the edge of a grid, paired intervals, Holm, and what may be written."""

from __future__ import annotations

import numpy as np
from scipy import stats

from .kinds import Choice, Exercise, Function, Mistake, Numbers

_A, _B = np.array([3.1, 3.3, 2.9, 3.4, 3.0]), np.array([3.3, 3.4, 3.1, 3.5, 3.3])
_DIFFERENCE = _A - _B


def _half(values: np.ndarray, factor: float, ddof: int = 1) -> float:
    return float(factor * values.std(ddof=ddof) / np.sqrt(len(values)))


_T = float(stats.t.ppf(0.975, 4))
_MEAN = float(_DIFFERENCE.mean())
_UNPAIRED = float(np.hypot(_half(_A, _T), _half(_B, _T)))


def _next_rate(rates: list[float], errors: list[float]) -> float:
    best, factor = int(np.argmin(errors)), rates[1] / rates[0]
    return rates[0] / factor if best == 0 else rates[-1] * factor if best == len(rates) - 1 else 0.0


EXERCISES: tuple[Exercise, ...] = (
    Choice(
        "order_turned",
        "Why did the constant rate beat the straight line at the shared rate?",
        "both are too low there, the line more so: what was compared is the mean rate.",
        expected="b",
        mistakes=(
            Mistake("a", "it was the same short run in the tuned race, where the constant rate lost"),
            Mistake(
                "c", "seeds make intervals narrower; this difference turned its sign with the rate, not with a seed"
            ),
        ),
    ),
    Function(
        "next_rate",
        "next_rate(rates, errors): the rate beyond the edge where the lowest error is, or 0 when it is inside.",
        "a best rate at the edge of a grid is not a best rate.",
        parameters=("rates", "errors"),
        reference=_next_rate,
        cases=(
            ([0.1, 0.2, 0.4], [3.0, 3.1, 3.2]),
            ([0.1, 0.2, 0.4], [3.2, 3.0, 3.1]),
            ([0.1, 0.2, 0.4], [3.2, 3.1, 3.0]),
            ([0.1, 0.2], [3.0, 3.1]),
            ([0.1, 0.2], [3.1, 3.0]),
            ([1.0, 1.5, 2.25, 3.375], [5.0, 4.0, 6.0, 7.0]),
            ([1.0, 1.5, 2.25, 3.375], [7.0, 5.0, 4.0, 4.1]),
            ([1.0, 1.5, 2.25, 3.375], [7.0, 5.0, 4.0, 3.9]),
            ([0.01, 0.1, 1.0, 10.0, 100.0], [8.0, 9.0, 20.0, 90.0, 90.0]),
            ([0.01, 0.1, 1.0, 10.0, 100.0], [90.0, 60.0, 9.0, 8.0, 6.0]),
        ),
        mistakes=(
            Mistake(
                lambda rates, errors: rates[-1] ** 2 / rates[-2] if np.argmin(errors) == len(rates) - 1 else 0.0,
                "the lower edge is missing: the best rate can be below the grid as well",
            ),
            Mistake(
                lambda rates, errors: rates[0] ** 2 / rates[1] if np.argmin(errors) == 0 else 0.0,
                "the upper edge is missing: the best rate can be above the grid as well",
            ),
            Mistake(
                lambda rates, errors: (
                    0.0
                    if 0 < np.argmin(errors) < len(rates) - 1
                    else 2 * rates[0] - rates[1]
                    if np.argmin(errors) == 0
                    else 2 * rates[-1] - rates[-2]
                ),
                "the grid rises by a *factor*, not by a difference",
            ),
            Mistake(
                lambda rates, errors: rates[int(np.argmin(errors))],
                "that is the best rate of the grid: asked is whether, and where, to go on",
            ),
        ),
    ),
    Numbers(
        "paired_difference",
        "Mean of A - B and the half-width of its 95 % interval, paired.",
        "-0.18 and 0.10: clear of 0, because the seeds go up and down together.",
        expected=(_MEAN, _half(_DIFFERENCE, _T)),
        tolerance=0.01,
        mistakes=(
            Mistake((_MEAN, _UNPAIRED), "that is unpaired: take the five differences first, then their spread"),
            Mistake((_MEAN, _half(_DIFFERENCE, 1.96)), "1.96 is for many seeds; with five it is 2.776"),
            Mistake((_MEAN, _half(_DIFFERENCE, _T, ddof=0)), "divide the squares by n - 1, not by n"),
            Mistake(
                (_MEAN, float(_T * _DIFFERENCE.std(ddof=1))),
                "that is the spread of one run: the *mean* of five is sqrt(5) times as certain",
            ),
            Mistake((-_MEAN, _half(_DIFFERENCE, _T)), "A minus B: A has the lower errors"),
        ),
    ),
    Numbers(
        "holm_by_hand",
        "p = 0.005, 0.01, 0.02, 0.03: Holm's corrected value of the second.",
        "0.01 times 3, the number of comparisons that are left: 0.03, which is above 4 * 0.005.",
        expected=0.03,
        mistakes=(
            Mistake(0.04, "that is Bonferroni, times 4; Holm multiplies the second smallest by the 3 that are left"),
            Mistake(0.02, "0.01 * 2 is Benjamini and Hochberg's: here it is times 3"),
            Mistake(0.01, "uncorrected: among four comparisons chance alone gives one race in 25 a p this small"),
        ),
    ),
    Choice(
        "wording",
        "Paired difference -0.05 ± 0.11 points, 8 seeds: what may you write?",
        "the interval runs from -0.16 to +0.06: say what it excludes.",
        expected="c",
        mistakes=(
            Mistake(
                "a", "eight seeds cannot show equality: 0.1 points in A's favour would still be inside the interval"
            ),
            Mistake("b", "the interval holds differences of either sign: a tendency is what it does not show"),
        ),
    ),
)
