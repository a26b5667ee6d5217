"""Lesson 01, why it moves: the limit, the same in PyTorch, the best 1/t, Robbins-Monro, a larger batch, predicted."""

from __future__ import annotations

from typing import Any

from ..schedules import inverse_time
from ..theory import optimal_inverse_time, stability_limit
from .kinds import Choice, Exercise, Mistake, Numbers
from .native import Walk
from .practice import Prediction, ScheduleAnswer


def _sgd(lr: float, *, nesterov: bool = True) -> Any:
    """A function that makes PyTorch's SGD, with momentum 0.9."""

    def make(parameters: Any) -> Any:
        import torch

        return torch.optim.SGD(parameters, lr=lr, momentum=0.9, nesterov=nesterov)

    return make


EXERCISES: tuple[Exercise, ...] = (
    Numbers(
        "largest_stable_rate",
        "Curvatures 0.5, 4 and 20: below which rate is plain gradient descent stable?",
        "2 / 20: the steepest direction decides for all of them.",
        expected=0.1,
        mistakes=(
            Mistake(4.0, "that is 2 / 0.5, the limit of the *flattest* direction: the steepest one has long diverged"),
            Mistake(0.05, "1 / 20 reaches the steepest minimum in one update; it still contracts up to twice that"),
            Mistake(
                2 / 24.5, "curvatures of different directions do not add up: each direction has a limit of its own"
            ),
            Mistake(2 * 3 / 24.5, "the mean curvature decides nothing: each direction has a limit of its own"),
        ),
    ),
    Walk(
        "nesterov_in_torch",
        "Curvatures 0.5, 4 and 20: make(parameters) returns torch.optim.SGD with Nesterov momentum 0.9, at 90 % of the "
        "largest rate that is stable.",
        "0.9 * 2 (1 + 0.9) / ((1 + 2 * 0.9) * 20) = 0.061: with heavy-ball momentum it could have been 0.171.",
        expected=_sgd(0.9 * stability_limit(20.0, momentum=0.9, nesterov=True)),
        curvatures=(0.5, 4.0, 20.0),
        mistakes=(
            Mistake(
                _sgd(0.9 * stability_limit(20.0, momentum=0.9)),
                "it diverges: that is 90 % of the limit of heavy-ball momentum, and Nesterov's is lower",
            ),
            Mistake(
                _sgd(0.9 * stability_limit(20.0, momentum=0.9, nesterov=True), nesterov=False),
                "the rate is right, but this is heavy-ball momentum: nesterov=True is missing",
            ),
            Mistake(
                _sgd(0.9 * stability_limit(20.0)),
                "it diverges: 2 / 20 is the limit without momentum, Nesterov's is lower",
            ),
            Mistake(
                _sgd(0.9 * stability_limit(0.5, momentum=0.9, nesterov=True)),
                "it diverges: that is for the curvature 0.5, and the steepest direction decides",
            ),
            Mistake(
                _sgd(stability_limit(20.0, momentum=0.9, nesterov=True)),
                "that is the limit itself, where the walk neither dies out nor grows; 90 % of it is asked for",
            ),
        ),
    ),
    ScheduleAnswer(
        "best_inverse_time",
        "The schedule that lowers the mean of x**2 fastest: curvature 2, noise variance 8, V0 = 1.",
        "tau = 8 / (2^2 * 1) = 2, so 1 / (2 (k + 3)) = (1/6) / (1 + k/3): it starts at 1/6 and has halved at k = 3.",
        expected=optimal_inverse_time(2.0, 8.0, 1.0),
        updates=40,
        mistakes=(
            Mistake(
                inverse_time(0.5, 1.0, 1), "that is 1 / (2 (k + 1)), for a start infinitely far away: tau is missing"
            ),
            Mistake(inverse_time(0.5, 1.0, 3), "right time scale, wrong start: at k = 0 it is 1 / (2 (1 + tau))"),
            Mistake(inverse_time(0.25, 1.0, 2), "that is 1 / (2 (k + tau)): one too few, it is k + 1 + tau"),
            Mistake(inverse_time(1 / 3, 1.0, 3), "the curvature is missing in 1 / (curvature (k + 1 + tau))"),
            Mistake(inverse_time(0.1, 1.0, 5), "tau = variance / (curvature**2 V0): the curvature is squared"),
        ),
    ),
    Choice(
        "ruled_out",
        "A run of 1,000 updates: what do the conditions of Robbins and Monro rule out?",
        "Any 1,000 rates can be continued to meet both conditions, or to break them: they are about the tail.",
        expected="c",
        mistakes=(
            Mistake("a", "a constant rate breaks them only if it goes on for ever; this run ends after 1,000 updates"),
            Mistake(
                "b", "its sum is finite, but so is that of *any* 1,000 rates: the condition is about infinite runs"
            ),
            Mistake("d", "both are 1,000 numbers that can be continued either way: the conditions are about the tail"),
        ),
    ),
    Prediction(
        "larger_batch",
        "A quarter of the learning rate, or a batch four times as large: the mean loss in the end, by seed.",
        "The floor is proportional to the rate times the noise's variance, and each quarters the product. The price "
        "differs: from then on every update of the second run needs four times as many examples.",
        expected="same",
        example=([0.50, 0.51, 0.49], [0.51, 0.49, 0.50]),
        unit="",
        mistakes=(
            Mistake(("lower",), "How does the floor depend on the rate, and how on the variance of the noise?"),
            Mistake(("higher",), "The rate stays high, but what is left of the noise? Put both into the formula"),
        ),
    ),
)
