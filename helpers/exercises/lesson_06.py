"""Lesson 06, cyclical rates: the triangle, its period, its shrinking, and what moving once per epoch does to it."""

from __future__ import annotations

import numpy as np

from ..schedules import cyclic
from .kinds import CurveFunction, Exercise, Mistake, Numbers
from .practice import ScheduleAnswer


def _height(k: np.ndarray, half: int) -> np.ndarray:
    return np.asarray(cyclic(0.0, 1.0, half)(k))


EXERCISES: tuple[Exercise, ...] = (
    CurveFunction(
        "triangle_by_hand",
        "triangle(k, base_lr, max_lr, step_size): up in step_size updates, down in step_size, again and again.",
        "The distance from the nearest peak, on a clock that runs from 0 to 2: 1 - |k / step_size mod 2 - 1|.",
        parameters=("base_lr", "max_lr", "step_size"),
        reference=cyclic,
        cases=(
            (0.1, 0.5, 4),
            (0.0, 1.0, 1),
            (0.0, 1.0, 2),
            (0.1, 0.5, 3),
            (0.01, 0.1, 5),
            (0.001, 0.006, 8),
            (0.5, 1.0, 7),
            (0.0, 3.0, 6),
            (0.1, 0.2, 50),
        ),
        steps=lambda base, top, size: 4 * size,
        mistakes=(
            Mistake(
                lambda k, base, top, size: base + (top - base) * (k % size) / size,
                "a saw tooth: it climbs in step_size updates, then drops at once. The way down takes step_size, too",
            ),
            Mistake(
                lambda k, base, top, size: base + (top - base) * _height(2 * k, size),
                "twice as fast: step_size is *half* a cycle, the way up",
            ),
            Mistake(
                lambda k, base, top, size: base + (top - base) * (1 - _height(k, size)),
                "upside down: the cycle starts at base_lr",
            ),
            Mistake(
                lambda k, base, top, size: top * _height(k, size),
                "base_lr is missing: the triangle stands on it",
            ),
            Mistake(
                lambda k, base, top, size: base + (top - base) * np.where(k <= 2 * size, _height(k, size), 0.0),
                "the first cycle is right, but then it stops: it goes on and on",
            ),
        ),
    ),
    Numbers(
        "cycles_in_a_run",
        "step_size = 2000 updates, 500 updates an epoch, 40 epochs: how many full cycles?",
        "A cycle is 2 * step_size = 4000 updates = 8 epochs; 20,000 updates hold 5.",
        expected=5,
        mistakes=(
            Mistake(10, "step_size is half a cycle: up in step_size updates, and down again in as many"),
            Mistake(0.01, "those are epochs over updates: 40 epochs are 20,000 updates"),
        ),
    ),
    Numbers(
        "third_peak",
        "triangular2 between 0.001 and 0.006: how high is the third peak?",
        "The height above base_lr halves each cycle: 0.001 + 0.005 / 4.",
        expected=0.00225,
        mistakes=(
            Mistake(0.0015, "it is the height above base_lr that halves, not the whole rate"),
            Mistake(0.0035, "that is the second peak"),
            Mistake(0.001625, "that is the fourth peak: the first one has full height"),
        ),
    ),
    Numbers(
        "largest_jump",
        "From 0.001 to 0.006 with step_size = 2 epochs of 500 updates: the largest change from one update to the next "
        "when the rate is moved (every update, once an epoch).",
        "5e-6 against 2.5e-3: five hundred times as much at once.",
        expected=(5e-6, 2.5e-3),
        mistakes=(
            Mistake((5e-6, 5e-3), "the way up takes two epochs, so an epoch makes half of it"),
            Mistake((2.5e-6, 2.5e-3), "the way up is 1000 updates; 2000 is a whole cycle"),
            Mistake((2.5e-3, 5e-6), "the other way round: moving seldom makes large jumps"),
            Mistake((1e-5, 2.5e-3), "the way up is two epochs, 1000 updates"),
        ),
    ),
    ScheduleAnswer(
        "three_cycles",
        "Three full triangular cycles between 0.01 and 0.1 in a run of 1200 updates, momentum opposite, 0.85 to 0.95.",
        "1200 / 3 = 400 a cycle, 200 up; momentum (low, high), and low belongs to the peak.",
        expected=cyclic(0.01, 0.1, 200, momentum=(0.85, 0.95)),
        updates=1200,
        mistakes=(
            Mistake(cyclic(0.01, 0.1, 400, momentum=(0.85, 0.95)), "400 is a whole cycle: step_size_up is half of it"),
            Mistake(cyclic(0.01, 0.1, 200), "the learning rate is right; momentum is missing"),
            Mistake(
                cyclic(0.01, 0.1, 200).with_momentum(cyclic(0.85, 0.95, 200)),
                "momentum rises with the learning rate: it should go the opposite way",
            ),
        ),
    ),
)
