"""Lesson 05, the LR range test: a ladder in PyTorch, its ratio, reading the curve, what next; momentum, predicted."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..schedules import lr_range_test
from .kinds import Choice, Exercise, Function, Mistake, Numbers
from .practice import Prediction, SchedulerAnswer


def _range_test_curve(steepest_at: float, lowest: float) -> tuple[list[float], list[float]]:
    """A smooth loss that falls steepest, against log(lr), at ``steepest_at``, and rises again later."""
    rates = np.geomspace(lowest, 1e5 * lowest, 81)
    fall = 1 / (1 + np.exp(-3 * np.log(rates / steepest_at)))
    rise = 1 / (1 + np.exp(-5 * np.log(rates / (30 * steepest_at))))
    return rates.tolist(), (2.3 - 2 * fall + 6 * rise).tolist()


def _steepest(rates: Any, losses: Any) -> float:
    return rates[int(np.argmin(np.gradient(losses, np.log(rates))))]


def _exponential(gamma: float, start: float = 1e-4) -> Any:
    """A function that attaches PyTorch's ExponentialLR."""

    def attach(optimizer: Any) -> Any:
        from torch.optim.lr_scheduler import ExponentialLR

        for group in optimizer.param_groups:
            group["lr"] = start
        return ExponentialLR(optimizer, gamma)

    return attach


EXERCISES: tuple[Exercise, ...] = (
    SchedulerAnswer(
        "torch_ladder",
        "A ladder from 1e-4 to 1 in 41 rungs of equal ratio, with a scheduler of torch.optim.lr_scheduler.",
        "ExponentialLR with gamma above 1: 10 ** (4 / 40). It multiplies the rate that it finds in the optimizer.",
        expected=lr_range_test(1e-4, 1.0, 41),
        updates=41,
        mistakes=(
            Mistake(_exponential(10 ** (4 / 41)), "41 rungs have 40 gaps between them: your last rung is not 1"),
            Mistake(
                _exponential(10 ** (4 / 40), start=0.1),
                "the ratio is right, the first rung is not: the optimizer came with 0.1, so set its rate before",
            ),
            Mistake(
                _exponential(10 ** (-4 / 40)),
                "this one goes down; a gamma above 1 is allowed, and that is all it takes",
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
            Mistake("a", "not bad as a start, but one number of one test: what do you know about the rates around it?"),
            Mistake("b", "two customs that agree are not two measurements: both come from the same curve"),
            Mistake("d", "at 0.8 the loss had already exploded, and earlier on a slower ladder"),
        ),
    ),
    Prediction(
        "without_momentum",
        "The range test without momentum instead of momentum 0.9: the rate of its minimum, by seed.",
        "Momentum 0.9 adds up the last gradients, ten of them in effect. Without it a rate must be several times as "
        "large to move the weights as far: a range test belongs to its optimizer, and its rate to its momentum.",
        expected="higher",
        example=([0.05, 0.048, 0.048], [0.16, 0.16, 0.2]),
        mistakes=(
            Mistake(("same",), "How far do the weights get in ten equal gradients, with momentum 0.9 and without it?"),
            Mistake(
                ("lower",),
                "Which of the two moves the weights further per update? Then which one reaches its limit first?",
            ),
        ),
    ),
)
