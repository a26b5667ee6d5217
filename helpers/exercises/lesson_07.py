"""Lesson 07, 1cycle: PyTorch's peak, accumulated gradients, three phases, a flat top, and a later peak, predicted."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..schedules import Schedule, constant, linear, one_cycle, one_cycle_torch, warmup, wsd
from .kinds import CurveFunction, Exercise, Mistake, Numbers
from .practice import Prediction, ScheduleAnswer, SchedulerAnswer

_OPTIONS: dict[str, Any] = {"anneal": "linear", "three_phase": True}


def _three_phases(max_lr: float, total_steps: int, up: int) -> Schedule:
    return one_cycle(max_lr, total_steps, pct_start=up, div_factor=10.0, final_div_factor=100.0, **_OPTIONS)


def _through(k: np.ndarray, points: list[tuple[float, float]]) -> np.ndarray:
    steps, values = zip(*points, strict=True)
    return np.interp(k, steps, values)


def _torch_cycle(optimizer: Any, total_steps: int) -> Any:
    from torch.optim.lr_scheduler import OneCycleLR

    return OneCycleLR(optimizer, max_lr=0.1, total_steps=total_steps)


def _flat_top(up: int, flat: int, down: int) -> Schedule:
    return wsd(0.2, up, flat, down, start_lr=0.008, decay="linear")


EXERCISES: tuple[Exercise, ...] = (
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
    SchedulerAnswer(
        "accumulated",
        "A loader of 468 batches, 4 of them accumulated for each update, 3 epochs: OneCycleLR with its peak at 0.1.",
        "It is stepped with the optimizer, and the optimizer makes 117 updates an epoch.",
        expected=one_cycle_torch(0.1, 351),
        updates=351,
        mistakes=(
            Mistake(
                lambda optimizer: _torch_cycle(optimizer, 1404),
                "1,404 is the number of batches: after 351 updates this cycle is still on its way up",
            ),
            Mistake(
                lambda optimizer: _torch_cycle(optimizer, 468),
                "468 is the number of batches of one epoch; count the updates of all three",
            ),
            Mistake(
                lambda optimizer: _torch_cycle(optimizer, 117),
                "117 is the number of updates of one epoch: in the second, OneCycleLR refuses to go on",
            ),
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
    Prediction(
        "later_peak",
        "1cycle with its peak at 80 % of the run instead of 30 %, at the same peak rate: the test error, by seed.",
        "The jitter that the high rate leaves dies out while the rate falls. A fall five times as steep leaves it too "
        "few updates; and on the way up, most of the run was spent at low rates.",
        expected="higher",
        example=([3.3, 3.2, 3.4], [3.6, 3.6, 3.7]),
        mistakes=(
            Mistake(
                ("same",), "Which of the three requirements has less time now, and how many updates are left to it?"
            ),
            Mistake(
                ("lower",),
                "More of the run is spent climbing. What has to happen after the peak, and how long may it take?",
            ),
        ),
    ),
)
