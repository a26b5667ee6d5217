"""Lesson 15, large rates: the edge with momentum, a jolt in PyTorch, what survives, small batches."""

from __future__ import annotations

from typing import Any

from ..schedules import piecewise_constant
from .kinds import Exercise, Mistake, Numbers
from .practice import Prediction, SchedulerAnswer


def _jolt(optimizer: Any, first: int, last: int) -> Any:
    from torch.optim.lr_scheduler import LambdaLR

    return LambdaLR(optimizer, lambda step: 4.0 if first <= step <= last else 1.0)


def _multi_step(optimizer: Any) -> Any:
    from torch.optim.lr_scheduler import MultiStepLR

    return MultiStepLR(optimizer, milestones=[200, 220], gamma=4.0)


EXERCISES: tuple[Exercise, ...] = (
    Numbers(
        "sharpness_at_the_edge",
        "Rate 0.08, long at the edge: the sharpness without momentum, and with heavy-ball momentum 0.9?",
        "2 / 0.08 = 25, and 2 (1 + 0.9) / 0.08 = 47.5: momentum lets training go on where the loss is sharper.",
        expected=(25.0, 47.5),
        mistakes=(
            Mistake(
                (12.5, 23.75), "1 / rate is where the steep direction is solved in one update; the edge is twice that"
            ),
            Mistake(
                (25.0, 2.5),
                "momentum 0.9 makes the rate *effectively* ten times as large, but the limit of stability"
                " is another matter: 2 (1 + momentum) / rate",
            ),
            Mistake((25.0, 25.0), "momentum moves the limit (lesson 01): 2 (1 + momentum) / rate for heavy ball"),
            Mistake((47.5, 25.0), "the other way round: first without momentum, then with"),
            Mistake(
                (25.0, 2 * 1.9 / (2.8 * 0.08)), "that is Nesterov's limit; heavy ball's has no 1 + 2 momentum below"
            ),
        ),
    ),
    SchedulerAnswer(
        "jolt_in_torch",
        "300 updates with torch's schedulers: the optimizer's rate, four times that for updates 200 to 219, and back.",
        "LambdaLR multiplies the optimizer's own rate by what your function returns for the number of updates made.",
        expected=piecewise_constant([200, 220], [0.1, 0.4, 0.1]),
        updates=300,
        mistakes=(
            Mistake(
                _multi_step,
                "MultiStepLR multiplies at *every* milestone, so the rate goes up twice and never comes back",
            ),
            Mistake(
                lambda optimizer: _jolt(optimizer, first=201, last=220),
                "one update late: the scheduler is stepped after an update, so update 200 is already the jolt's first",
            ),
            Mistake(
                lambda optimizer: _jolt(optimizer, first=200, last=220),
                "one update too long: the jolt is 20 updates, 200 to 219",
            ),
            Mistake(
                lambda optimizer: _jolt(optimizer, first=200, last=10**6),
                "the rate goes up and stays there: after 20 updates it should be the optimizer's own again",
            ),
        ),
    ),
    Numbers(
        "largest_that_survives",
        "u = 3, v = 0.02: the largest multiple of 0.02 at which 200 updates do not diverge?",
        "0.44, about 4 / 9.0004: twice what a parabola of that curvature can bear, for here the curvature gives way.",
        expected=0.44,
        mistakes=(
            Mistake(
                0.22,
                "that is 2 / sharpness, a parabola's limit: here the sharpness falls while the output grows. Train",
            ),
            Mistake(0.24, "that is just above 2 / sharpness; look at what happens after the loss has risen, and go on"),
            Mistake(0.46, "above 4 / sharpness both grow; run it for all 200 updates"),
            Mistake(0.1, "1 / sharpness is what you would call safe; the question is what survives"),
        ),
    ),
    Prediction(
        "small_batches",
        "Sharpness after 400 updates with full batches and with batches of 20, the same rate, by seed.",
        "The sharpness settles below 2 / rate. That fits the parabola of lesson 08: a curvature that changes from "
        "batch to batch permits less than its mean does, so the climb ends earlier.",
        expected="lower",
        example=([3.5, 3.4, 3.5], [2.7, 2.8, 2.7]),
        unit="",
        mistakes=(
            Mistake(("same",), "Is what an update may do limited by the mean of the curvatures alone, if they differ?"),
            Mistake(("higher",), "The steepest direction is unstable in more of the batches, not in fewer. Where to?"),
        ),
    ),
)
