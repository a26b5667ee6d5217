"""Lesson 05, the LR range test: the ladder, its ratio, reading the curve, and what to do with it."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..schedules import lr_range_test
from .kinds import Choice, CurveFunction, Exercise, Function, Mistake, Numbers


def _range_test_curve(steepest_at: float, lowest: float) -> tuple[list[float], list[float]]:
    """A smooth loss that falls steepest, against log(lr), at ``steepest_at``, and rises again later."""
    rates = np.geomspace(lowest, 1e5 * lowest, 81)
    fall = 1 / (1 + np.exp(-3 * np.log(rates / steepest_at)))
    rise = 1 / (1 + np.exp(-5 * np.log(rates / (30 * steepest_at))))
    return rates.tolist(), (2.3 - 2 * fall + 6 * rise).tolist()


def _steepest(rates: Any, losses: Any) -> float:
    return rates[int(np.argmin(np.gradient(losses, np.log(rates))))]


EXERCISES: tuple[Exercise, ...] = (
    CurveFunction(
        "ladder_by_hand",
        "ladder(k, low, high, rungs): equal ratios from low at k = 0 to high at k = rungs - 1, then held.",
        "low * (high / low) ** (k / (rungs - 1)): np.geomspace, the one ladder whose last rung must be used.",
        parameters=("low", "high", "rungs"),
        reference=lr_range_test,
        cases=(
            (0.001, 1.0, 13),
            (0.1, 1.0, 2),
            (0.01, 1.0, 3),
            (0.1, 10.0, 5),
            (0.5, 1.0, 4),
            (0.001, 0.1, 10),
            (1e-5, 10.0, 7),
            (0.02, 3.0, 8),
            (1e-5, 10.0, 101),
        ),
        steps=lambda low, high, rungs: rungs,
        mistakes=(
            Mistake(
                lambda k, low, high, rungs: low * (high / low) ** np.minimum(k / rungs, 1),
                "you divided by rungs: then the last rung, k = rungs - 1, stays below high and is never tried",
            ),
            Mistake(
                lambda k, low, high, rungs: low + (high - low) * np.minimum(k / (rungs - 1), 1),
                "that is a linear ladder: equal *ratios* are asked for",
            ),
            Mistake(
                lambda k, low, high, rungs: low * (high / low) ** (k / (rungs - 1)),
                "right on the ladder, but it goes on after the last rung: hold high",
            ),
        ),
    ),
    Numbers(
        "ratio_of_rungs",
        "A ladder from 1e-5 to 10 in 101 rungs of equal ratio: by which factor does each rung exceed the one before?",
        "Six decades in 100 intervals: 10 ** 0.06.",
        expected=10**0.06,
        tolerance=2e-4,
        mistakes=(
            Mistake(10 ** (6 / 101), "101 rungs have 100 intervals between them"),
            Mistake((10 - 1e-5) / 100, "that is the difference of a linear ladder; the ratio is asked for"),
            Mistake(0.06, "that is its logarithm to base 10"),
        ),
    ),
    Function(
        "steepest_rate",
        "steepest(rates, losses): the rate where the loss falls fastest against the logarithm of the rate.",
        "argmin of d loss / d log(rate): the most negative slope, not the lowest loss.",
        parameters=("rates", "losses"),
        reference=_steepest,
        cases=(
            _range_test_curve(0.01, lowest=1e-4),
            _range_test_curve(0.1, lowest=1e-4),
            _range_test_curve(0.03, lowest=1e-3),
            _range_test_curve(0.003, lowest=1e-5),
            _range_test_curve(0.001, lowest=1e-5),
            _range_test_curve(1.0, lowest=1e-3),
        ),
        tolerance=0.16,  # a rung: forward and central differences may choose neighbours
        mistakes=(
            Mistake(
                lambda rates, losses: rates[int(np.argmin(losses))],
                "that is where the loss is lowest, just before it explodes",
            ),
            Mistake(
                lambda rates, losses: rates[int(np.argmin(np.gradient(losses, rates)))],
                "that slope is against the rate itself, which favours tiny rates: use its logarithm",
            ),
            Mistake(
                lambda rates, losses: rates[int(np.argmax(np.gradient(losses, np.log(rates))))],
                "that is where the loss *rises* fastest: the most negative slope is wanted",
            ),
            Mistake(
                lambda rates, losses: float(np.argmin(np.gradient(losses, np.log(rates)))),
                "that is the index of the rung; return the rate at it",
            ),
        ),
    ),
    Choice(
        "what_next",
        "Your range test falls steepest at 0.02, is lowest at 0.2 and explodes at 0.8. Which peak do you train with?",
        "A range test brackets; a handful of full runs decides. That is still far fewer than without it.",
        expected="c",
        mistakes=(
            Mistake(
                "a",
                "the lowest point depends on the ladder's length: a slower ladder learns more before it gets there",
            ),
            Mistake(
                "b", "suggestions of the same network differ by more than a factor of ten: see the table of this lesson"
            ),
            Mistake("d", "at 0.8 the loss had already exploded, and earlier on a slower ladder"),
        ),
    ),
)
