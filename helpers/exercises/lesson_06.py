"""Lesson 06, cyclical rates: a round wave, PyTorch's own, whole cycles in a run, and snapshots, predicted."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..schedules import Schedule, cyclic, tabulated
from .kinds import CurveFunction, Exercise, Mistake, Numbers
from .practice import Prediction, SchedulerAnswer


def _between(k: np.ndarray, base: float, top: float, half_cycles: float) -> np.ndarray:
    """From ``base`` to ``top`` along a cosine, and back, in two of the ``half_cycles``."""
    return base + (top - base) * (1 - np.cos(np.pi * k / half_cycles)) / 2


def _round_wave(base: float, top: float, step_size: int) -> Schedule:
    return tabulated(_between(np.arange(4 * step_size + 5), base, top, step_size).tolist())


def _cycles(optimizer: Any, up: int, down: int | None = None) -> Any:
    from torch.optim.lr_scheduler import CyclicLR

    return CyclicLR(optimizer, base_lr=0.02, max_lr=0.08, step_size_up=up, step_size_down=down)


EXERCISES: tuple[Exercise, ...] = (
    CurveFunction(
        "round_wave",
        "round_wave(k, base_lr, max_lr, step_size): smooth, at the bottom at k = 0, at the top at k = step_size.",
        "Half of 1 - cos(pi k / step_size) runs from 0 to 1 and back in two step sizes.",
        parameters=("base_lr", "max_lr", "step_size"),
        reference=_round_wave,
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
                lambda k, base, top, size: cyclic(base, top, size)(k),
                "that is the triangle: its corners are sharp. A cosine is level at the top and at the bottom",
            ),
            Mistake(
                lambda k, base, top, size: _between(k, base, top, size / 2),
                "twice as fast: step_size is *half* a cycle, the way up, so a whole turn takes 2 * step_size",
            ),
            Mistake(
                lambda k, base, top, size: _between(k, top, base, size),
                "upside down: the cosine starts at its top, the cycle at base_lr",
            ),
            Mistake(
                lambda k, base, top, size: _between(k, 0.0, top, size),
                "base_lr is missing: the wave stands on it, and its height is max_lr - base_lr",
            ),
            Mistake(
                lambda k, base, top, size: base + (top - base) * np.abs(np.sin(np.pi * k / (2 * size))),
                "smooth at the top, but with a sharp corner in each valley: square the sine, or take (1 - cos) / 2",
            ),
        ),
    ),
    SchedulerAnswer(
        "attach_cycles",
        "A loader of 300 batches, 3 of them accumulated for each update: CyclicLR between 0.02 and 0.08, up for one "
        "epoch, down for two.",
        "It counts its own steps, one an update: 100 up, 200 down.",
        expected=cyclic(0.02, 0.08, 100, 200),
        updates=900,
        mistakes=(
            Mistake(
                lambda optimizer: _cycles(optimizer, 300, 600),
                "300 is the number of batches of an epoch; the scheduler is stepped once per update",
            ),
            Mistake(
                lambda optimizer: _cycles(optimizer, 1, 2),
                "1 and 2 are epochs, and your scheduler counts its steps: this is over in three updates",
            ),
            Mistake(
                lambda optimizer: _cycles(optimizer, 100),
                "down as fast as up: without step_size_down the two are the same",
            ),
            Mistake(
                lambda optimizer: _cycles(optimizer, 200, 100),
                "the way up takes one epoch and the way down two, not the other way round",
            ),
        ),
    ),
    Numbers(
        "fewest_and_most",
        "60 epochs, whole cycles, a step size of 2 to 10 epochs: the smallest and the largest number of cycles.",
        "A cycle is two step sizes: 20 epochs at most, and 4 at least.",
        expected=(3, 15),
        mistakes=(
            Mistake((6, 30), "step_size is *half* a cycle: up in step_size, and down again in as much"),
            Mistake((15, 3), "the other way round: short cycles are many"),
            Mistake((1, 15), "one cycle would have a step size of 30 epochs, beyond the range"),
        ),
    ),
    Prediction(
        "snapshots",
        "The probabilities of the networks of four valleys, averaged, against those of the last: the test error, by "
        "seed.",
        "The networks are wrong about different images, and the average cancels part of that. It is worth more than "
        "what the earlier ones lack in training.",
        expected="lower",
        example=([7.4, 7.2, 7.5], [6.6, 6.5, 6.6]),
        mistakes=(
            Mistake(("same",), "Between two valleys the rate was high. Do the networks still make the same mistakes?"),
            Mistake(
                ("higher",),
                "The first ones are worse, each alone. What happens to mistakes that only one of them makes?",
            ),
        ),
    ),
)
