"""Lesson 14, predicting the loss: an area by hand, what one run hides, PyTorch's own, a line reversed."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from ..schedules import constant, linear
from .kinds import Choice, Exercise, Function, Mistake
from .practice import Prediction, SchedulerAnswer


def _averages(rates: list[float], memory: float) -> np.ndarray:
    """After each update, the falls so far, each counting less by ``memory`` with every update since."""
    averages, now = [0.0], 0.0
    for before, rate in itertools.pairwise(rates):
        now = memory * now + before - rate
        averages.append(now)
    return np.array(averages)


def _area(rates: list[float], memory: float) -> float:
    return float(_averages(rates, memory).sum())


def _in_torch(optimizer: Any, factor: float, flat: int, down: int) -> Any:
    from torch.optim.lr_scheduler import ConstantLR, LinearLR, SequentialLR

    first = ConstantLR(optimizer, factor=factor, total_iters=flat)
    second = LinearLR(optimizer, start_factor=1.0, end_factor=0.0, total_iters=down)
    return SequentialLR(optimizer, [first, second], milestones=[flat])


def _line_in_torch(optimizer: Any) -> Any:
    from torch.optim.lr_scheduler import LinearLR

    return LinearLR(optimizer, start_factor=1.0, end_factor=0.0, total_iters=100)


EXERCISES: tuple[Exercise, ...] = (
    Function(
        "annealing_area",
        "area(rates, memory): the S_2 of the annealing law after the last of these updates.",
        "A fall of the rate goes on counting, less and less: after a drop of 1 its share approaches 1 / (1 - memory).",
        parameters=("rates", "memory"),
        reference=_area,
        cases=(
            ([1.0, 0.5], 0.5),
            ([1.0, 0.5, 0.5], 0.5),
            ([1.0, 1.0, 0.25, 0.25, 0.25], 0.9),
            ([1.0, 0.75, 0.5, 0.25], 0.8),
            ([0.2, 1.0, 0.6, 0.1], 0.9),
            ([1.0, 0.2, 0.9, 0.3, 0.3, 0.1], 0.3),
            ([0.7, 0.7, 0.7], 0.6),
            ([3.0, 2.0, 2.5, 0.5], 0.99),
            ([0.4], 0.7),
            ([0.9, 0.4, 0.1, 0.05, 0.02], 0.05),
        ),
        mistakes=(
            Mistake(
                lambda rates, memory: float(_averages(rates, memory)[-1]),
                "that is the last of the m_i alone: S_2 is the sum of all of them",
            ),
            Mistake(
                lambda rates, memory: -_area(rates, memory), "a fall counts as positive: rate before minus rate now"
            ),
            Mistake(
                lambda rates, memory: _area(rates, 1.0),
                "an old fall counts less: multiply what has been remembered by `memory` at every update",
            ),
            Mistake(
                lambda rates, memory: rates[0] - rates[-1], "that is how far the rate has fallen, not for how long"
            ),
        ),
    ),
    Choice(
        "one_run_only",
        "You have a single run, at a constant rate. What of the law can it hardly tell?",
        "At a constant rate the noise hardly moves, and looks like a higher floor. Only a fall tells them apart.",
        expected="b",
        mistakes=(
            Mistake("a", "a long curve shows its bend: how fast it falls is what it tells best"),
            Mistake("c", "the peak is no number of the fit: it is only the unit in which S is counted"),
        ),
    ),
    SchedulerAnswer(
        "wsd_in_torch",
        "100 updates with torch's schedulers alone: 60 at the optimizer's rate, then straight down to 0 at update 100.",
        "In a SequentialLR the second scheduler counts from 0 at its milestone.",
        expected=constant(0.1).then(linear(0.1, 0.0, 40), at=60),
        updates=100,
        mistakes=(
            Mistake(_line_in_torch, "this falls from the first update on: the first 60 stay at the optimizer's rate"),
            Mistake(
                lambda optimizer: _in_torch(optimizer, 1 / 3, 60, 40),
                "ConstantLR multiplies by a third unless you say factor=1.0",
            ),
            Mistake(
                lambda optimizer: _in_torch(optimizer, 1.0, 60, 100),
                "the second scheduler starts counting at its milestone: it has 40 updates, not 100",
            ),
        ),
    ),
    Prediction(
        "same_sum",
        "A line down to zero, and the same rates in the opposite order, the highest last: the test error, by seed.",
        "The sum is the same, so the progress is. But nothing of the noise of the last updates has been forgotten: in "
        "the law every update's share is its rate squared, divided by a power of the S that came after it.",
        expected="higher",
        example=([64.0, 64.3, 63.8], [69.1, 68.7, 69.5]),
        mistakes=(
            Mistake(
                ("same",), "The sum is the same, and if S were all, so would be the loss. What does the law add to it?"
            ),
            Mistake(
                ("lower",), "Large steps last: what do they leave behind, and how many updates are left to forget it?"
            ),
        ),
    ),
)
