"""Lesson 07, 1cycle: values by hand, where the peak is, three phases, momentum, and a cycle with a flat top."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..schedules import Schedule, constant, linear, one_cycle, warmup, wsd
from .kinds import CurveFunction, Exercise, Mistake, Numbers
from .practice import ScheduleAnswer

_OPTIONS: dict[str, Any] = {"anneal": "linear", "three_phase": True}


def _three_phases(max_lr: float, total_steps: int, up: int) -> Schedule:
    return one_cycle(max_lr, total_steps, pct_start=up, div_factor=10.0, final_div_factor=100.0, **_OPTIONS)


def _through(k: np.ndarray, points: list[tuple[float, float]]) -> np.ndarray:
    steps, values = zip(*points, strict=True)
    return np.interp(k, steps, values)


def _momentum(total_steps: int, up: int, low: float, high: float) -> Schedule:
    momentum = one_cycle(1.0, total_steps, pct_start=up, anneal="linear", momentum=(low, high)).momentum
    return momentum if momentum is not None else constant(high)


def _flat_top(up: int, flat: int, down: int) -> Schedule:
    return wsd(0.2, up, flat, down, start_lr=0.008, decay="linear")


EXERCISES: tuple[Exercise, ...] = (
    Numbers(
        "values_by_hand",
        "T = 200, p = 0.25, peak 0.8, d = 10, f = 10,000, two phases, linear: the rate at k = 0, 25, 50, 125.",
        "Start 0.8 / 10, half way up, the peak, and half way down to almost nothing.",
        expected=(0.08, 0.44, 0.8, 0.400004),
        tolerance=1e-3,
        mistakes=(
            Mistake((0.08, 0.4, 0.8, 0.4), "half way up is half way between 0.08 and 0.8, not half of 0.8"),
            Mistake((0.0, 0.4, 0.8, 0.4), "it starts at the peak over d = 10, not at 0"),
            Mistake((0.08, 0.44, 0.8, 0.44), "two phases: the way down goes to almost 0, not back to the start value"),
            Mistake((0.08, 0.26, 0.44, 0.62), "the peak is at pT = 50, not at T / 2"),
        ),
    ),
    Numbers(
        "torch_peak",
        "At which k does torch's OneCycleLR(total_steps=200, pct_start=0.25) peak?",
        "Its phases end at pT - 1 and T - 1: the last update is to use the end value.",
        expected=49,
        mistakes=(
            Mistake(50, "that is this course's one_cycle; OneCycleLR is end-inclusive, its first phase ends at pT - 1"),
            Mistake(100, "pct_start says where the peak is, and it is not the middle"),
            Mistake(49.75, "it is pT - 1, not p(T - 1)"),
        ),
    ),
    CurveFunction(
        "three_phases_by_hand",
        "cycle(k, max_lr, total_steps, up): linear, three phases: max_lr / 10 to max_lr in `up` updates, back in `up`, "
        "then down to max_lr / 1000 at total_steps, and held.",
        "Four points, three lines, and the last value held.",
        parameters=("max_lr", "total_steps", "up"),
        reference=_three_phases,
        cases=(
            (1.0, 20, 8),
            (1.0, 10, 4),
            (1.0, 20, 5),
            (0.1, 12, 3),
            (0.5, 9, 2),
            (0.1, 25, 10),
            (0.4, 31, 12),
            (2.0, 40, 4),
            (1.0, 100, 30),
        ),
        steps=lambda max_lr, total_steps, up: total_steps,
        mistakes=(
            Mistake(
                lambda k, top, total, up: _through(
                    k, [(0, top / 10), (up - 1, top), (2 * up - 2, top / 10), (total - 1, top / 1000)]
                ),
                "your peak is one step early: phases that end at up - 1 and total_steps - 1 are torch's end-inclusive "
                "counting. Here they end at up, 2 * up and total_steps",
            ),
            Mistake(
                lambda k, top, total, up: _through(k, [(0, top / 10), (up, top), (2 * up, top / 10)]),
                "the final phase is missing: after 2 * up the rate stays at max_lr / 10; it should go to max_lr / 1000",
            ),
            Mistake(
                lambda k, top, total, up: _through(k, [(0, top / 10), (up, top), (total, top / 1000)]),
                "those are two phases: on the way down it must be back at max_lr / 10 at k = 2 * up",
            ),
            Mistake(
                lambda k, top, total, up: _through(k, [(0, top / 10), (total / 2, top), (total, top / 10)]),
                "the peak is at `up`, not at half of the run, and there are three phases",
            ),
            Mistake(
                lambda k, top, total, up: _through(k, [(0, 0.0), (up, top), (2 * up, 0.0), (total, 0.0)]),
                "it starts at max_lr / 10, not at 0",
            ),
        ),
    ),
    CurveFunction(
        "momentum_by_hand",
        "momentum(k, total_steps, up, low, high): opposite to a linear two-phase 1cycle with its peak at `up`.",
        "High at both ends, low at the peak.",
        parameters=("total_steps", "up", "low", "high"),
        reference=_momentum,
        cases=(
            (20, 8, 0.85, 0.95),
            (10, 5, 0.85, 0.95),
            (10, 3, 0.8, 0.9),
            (9, 1, 0.85, 0.95),
            (12, 8, 0.5, 0.9),
            (25, 10, 0.0, 0.99),
            (31, 7, 0.9, 0.95),
            (100, 30, 0.85, 0.95),
        ),
        steps=lambda total_steps, up, low, high: total_steps,
        what="momentum",
        mistakes=(
            Mistake(
                lambda k, total, up, low, high: _through(k, [(0, low), (up, high), (total, low)]),
                "in phase: your momentum rises with the learning rate. It should be lowest at the peak",
            ),
            Mistake(
                lambda k, total, up, low, high: _through(k, [(0, high), (up, low)]),
                "it never comes back: after the peak momentum rises to `high` again",
            ),
            Mistake(
                lambda k, total, up, low, high: _through(k, [(0, high), (up, low), (2 * up, high)]),
                "two phases: momentum is back at `high` at the end of the run, not after 2 * up",
            ),
        ),
    ),
    ScheduleAnswer(
        "flat_top",
        "In 100 updates: from 0.008 to 0.2 in 30, stay for 20, then straight down to 0.",
        "Three pieces; wsd(0.2, 30, 20, 50, start_lr=0.008, decay='linear') is the same.",
        expected=_flat_top(30, 20, 50),
        updates=100,
        mistakes=(
            Mistake(
                warmup(0.008, 0.2, 30).then(constant(0.2).then(linear(0.2, 0.0, 50), at=50)),
                "after .then the clock starts again at 0: `at` counts from the start of the flat piece, not of the run",
            ),
            Mistake(_flat_top(30, 20, 80), "the way down has 50 updates: 100 less 30 less 20"),
            Mistake(
                warmup(0.008, 0.2, 30).then(linear(0.2, 0.0, 70)),
                "the flat top is missing",
            ),
        ),
    ),
)
