"""Lesson 16, a small language model: Adam's second step, what is left of the start, WSD in PyTorch, a longer memory."""

from __future__ import annotations

import math
from typing import Any

from ..schedules import constant, linear, warmup
from .kinds import Exercise, Function, Mistake, Numbers
from .practice import Prediction, SchedulerAnswer


def _second(first: float, second: float, lr: float, beta_1: float, beta_2: float) -> float:
    m = (beta_1 * first + second) * (1 - beta_1) / (1 - beta_1**2)
    v = (beta_2 * first**2 + second**2) * (1 - beta_2) / (1 - beta_2**2)
    return -lr * m / math.sqrt(v)


def _uncorrected(first: float, second: float, lr: float, beta_1: float, beta_2: float) -> float:
    m = (1 - beta_1) * (beta_1 * first + second)
    v = (1 - beta_2) * (beta_2 * first**2 + second**2)
    return -lr * m / math.sqrt(v)


def _in_torch(optimizer: Any, start: float, flat: int, down: int) -> Any:
    from torch.optim.lr_scheduler import ConstantLR, LinearLR, SequentialLR

    parts = [
        LinearLR(optimizer, start_factor=start, total_iters=10),
        ConstantLR(optimizer, factor=1.0, total_iters=flat),
        LinearLR(optimizer, start_factor=1.0, end_factor=0.0, total_iters=down),
    ]
    return SequentialLR(optimizer, parts, milestones=[10, 10 + flat])


def _left(area: float) -> float:
    return math.exp(-0.1 * 0.003 * area)


EXERCISES: tuple[Exercise, ...] = (
    Function(
        "second_update",
        "second_update(first, second, lr, beta_1, beta_2): what Adam adds to a weight in its second update.",
        "Equal gradients give a whole step again, of size lr. Opposite ones nearly cancel in m and not in v: the step "
        "is lr (1 - beta_1) / (1 + beta_1), a nineteenth of lr with the usual beta_1.",
        parameters=("first", "second", "lr", "beta_1", "beta_2"),
        reference=_second,
        cases=(
            (1.0, 1.0, 0.01, 0.9, 0.95),
            (1.0, -1.0, 0.01, 0.9, 0.95),
            (0.001, 0.004, 0.01, 0.9, 0.999),
            (2.0, 0.5, 0.003, 0.9, 0.95),
            (0.2, 3.0, 0.1, 0.9, 0.95),
            (-1.0, 4.0, 0.1, 0.5, 0.9),
            (3.0, 0.7, 0.02, 0.8, 0.99),
        ),
        mistakes=(
            Mistake(_uncorrected, "divide m by 1 - beta_1 ** 2, and v by 1 - beta_2 ** 2: both began at 0"),
            Mistake(lambda *given: -_second(*given), "the step goes against the gradient: it has a minus"),
            Mistake(
                lambda first, second, lr, beta_1, beta_2: -lr * math.copysign(second != 0, second),
                "that is the first update, with the second gradient: Adam still remembers the first one",
            ),
            Mistake(
                lambda first, second, lr, beta_1, beta_2: (
                    _uncorrected(first, second, lr, beta_1, beta_2) / (1 - beta_1) * math.sqrt(1 - beta_2)
                ),
                "this is the correction of update 1, 1 - beta: at update 2 it is 1 - beta ** 2",
            ),
        ),
    ),
    Numbers(
        "left_of_the_start",
        "The fraction of the initial weights that is left: exp(-weight_decay * sum of the rates).",
        "Warmup and decay are two triangles under one peak: the sum is half of the run times the peak, however long "
        "the warmup is.",
        expected=_left(5_000),
        tolerance=2e-2,
        mistakes=(
            Mistake(_left(10_000), "that would be a constant rate: the area under the two lines is half of it"),
            Mistake(1 - _left(5_000), "that is what has been forgotten: the question is what is left"),
            Mistake(_left(4_500), "the warmup decays the weights, too: add its triangle"),
            Mistake(math.exp(-0.003 * 5_000), "the rates are multiplied by the weight decay, 0.1"),
        ),
    ),
    SchedulerAnswer(
        "warm_stable_decay",
        "With torch's schedulers alone: 10 updates up from a hundredth, 70 at the optimizer's rate, 20 down to 0.",
        "Each scheduler of a SequentialLR counts from 0 at its milestone, so its total_iters is its own length.",
        expected=warmup(0.001, 0.1, 10).then(constant(0.1)).then(linear(0.1, 0.0, 20), at=80),
        updates=100,
        mistakes=(
            Mistake(
                lambda optimizer: _in_torch(optimizer, 0.01, 70, 100),
                "the last one counts from its milestone: it has 20 updates to come down, not 100",
            ),
            Mistake(
                lambda optimizer: _in_torch(optimizer, 0.1, 70, 20), "the warmup begins at a hundredth, not at a tenth"
            ),
            Mistake(
                lambda optimizer: _in_torch(optimizer, 0.01, 60, 30),
                "70 updates at the whole rate, after the 10 of the warmup: the decay begins at update 80",
            ),
        ),
    ),
    Prediction(
        "memory_of_squares",
        "Without a warmup: AdamW with beta_2 0.95, and with 0.999. The loss after 150 updates, by seed.",
        "Thanks to the bias correction the first update is the same for every beta_2: the whole rate, in the direction "
        "of the sign. What adds up after it are gradients that agree, and how long v remembers changes little of that. "
        "So here the memory of v is not what warmup makes up for. (Four seeds would not show a small difference.)",
        expected="same",
        example=([2.81, 2.92, 2.94, 2.84], [2.88, 2.93, 2.89, 2.85]),
        unit=" nats",
        mistakes=(
            Mistake(
                ("lower",),
                "Write down the first update for both: does the longer memory know anything that the shorter does not?",
            ),
            Mistake(
                ("higher",),
                "It would be without the bias correction, which divides v by 1 - beta_2 ** t. What is left of beta_2 "
                "in the first update?",
            ),
        ),
    ),
)
