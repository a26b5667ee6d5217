"""Lesson 11, deciding later: a trunk and a fall, what averaging does to a gradient, branches, rates, schedule-free."""

from __future__ import annotations

import numpy as np

from ..schedules import Schedule, wsd
from ..theory import average_as_schedule
from .kinds import Choice, CurveFunction, Exercise, Mistake, Numbers


def _flat_and_down(lr: float, total: int, down: int) -> Schedule:
    return wsd(lr, 1, total - down - 1, down, start_lr=lr, decay="linear")


_FACTOR = float(average_as_schedule(np.ones(200))[50])

EXERCISES: tuple[Exercise, ...] = (
    CurveFunction(
        "flat_and_down",
        "flat_and_down(k, lr, total, down): lr, then a straight fall to 0 over the last `down` of `total` updates.",
        "lr * min(1, (total - k) / down), and 0 from total on: how much of the fall is left.",
        parameters=("lr", "total", "down"),
        reference=_flat_and_down,
        cases=(
            (0.5, 20, 8),
            (1.0, 4, 1),
            (1.0, 4, 2),
            (0.1, 10, 5),
            (0.5, 9, 3),
            (0.1, 20, 18),
            (0.2, 15, 1),
            (2.0, 33, 11),
            (0.5, 100, 20),
        ),
        steps=lambda lr, total, down: total,
        mistakes=(
            Mistake(
                lambda k, lr, total, down: lr * np.minimum(1, (total - k) / down),
                "right up to the end, but then it goes below 0: a negative rate climbs the loss",
            ),
            Mistake(
                lambda k, lr, total, down: lr * np.clip((total - k) / total, 0, 1),
                "that falls from the first update on: it should stay at lr until `down` updates are left",
            ),
            Mistake(
                lambda k, lr, total, down: np.where(k < down, lr, lr * np.clip((total - k) / (total - down), 0, 1)),
                "the fall has the length of the trunk: `down` is the length of the *fall*",
            ),
            Mistake(
                lambda k, lr, total, down: lr * np.clip((total - 1 - k) / down, 0, 1),
                "one update early: 0 belongs to k = total, which no update uses",
            ),
        ),
    ),
    Numbers(
        "averaged_factor",
        "The mean of the points after each of 200 updates: the factor of the gradient of update 50.",
        "it is in the points after updates 50 ... 199: 150 of 200, and 1 - 50/200 on the line to zero.",
        expected=_FACTOR,
        mistakes=(
            Mistake(0.25, "that is the part of the points that does *not* hold it"),
            Mistake(0.745, "the point after update 50 holds its gradient, too: 150 of the 200 points"),
            Mistake(
                1.0, "in the last point its factor is 1; in the points before update 50 it is 0; asked is the mean"
            ),
            Mistake(1 / 200, "each point has the weight 1/200, but the gradient is in many of them"),
        ),
    ),
    Numbers(
        "updates_spent",
        "10, 20 and 40 thousand updates with a fall over the last fifth: separately, and with one trunk.",
        "70,000 against a trunk of 32,000 and branches of 2,000 + 4,000 + 8,000: 46,000.",
        expected=(70_000, 46_000),
        mistakes=(
            Mistake((70_000, 54_000), "the trunk may end where the longest branch begins, at 32,000"),
            Mistake((70_000, 40_000), "the two shorter branches are updates as well: 2,000 and 4,000"),
            Mistake((70_000, 32_000), "that is the trunk alone: three branches have to be trained"),
            Mistake((40_000, 46_000), "separately each length is trained from the start: 10 + 20 + 40 thousand"),
        ),
    ),
    Choice(
        "wsd_first_guess",
        "A cosine's best peak is 0.4: with which should the tuning of WSD begin?",
        "WSD stays at its peak: about half of it gives the same sum of rates. Then tune.",
        expected="b",
        mistakes=(
            Mistake(
                "a", "a cosine's mean rate is half its peak, WSD's is nine tenths: at 0.4 it runs nearly twice as hot"
            ),
            Mistake("c", "the other way round: WSD spends much more time at its peak than a cosine"),
        ),
    ),
    Choice(
        "schedule_free_weights",
        "Schedule-free, evaluated without optimizer.eval(): which weights are tested?",
        "while it trains the parameters are y, where the gradient is taken; eval() puts x in their place.",
        expected="b",
        mistakes=(
            Mistake("a", "that is what optimizer.eval() would put there"),
            Mistake(
                "c", "z is kept inside the optimizer; the parameters hold the point at which the gradient is taken"
            ),
        ),
    ),
)
