"""Lesson 04, exponential decay: from 30 % to 1 %, a factor per update, a translation, stairs of equal mean."""

from __future__ import annotations

import math
from typing import Any

from ..schedules import exponential
from .kinds import Exercise, Mistake, Numbers
from .practice import Prediction, ScheduleAnswer, SchedulerAnswer


def _torch_exponential(optimizer: Any, gamma: float) -> Any:
    from torch.optim.lr_scheduler import ExponentialLR

    return ExponentialLR(optimizer, gamma)


EXERCISES: tuple[Exercise, ...] = (
    Numbers(
        "one_per_cent_left",
        "After 8 epochs an exponential decay has 30 % of its start left: after how many, from the start, is it 1 %?",
        "8 ln(0.01) / ln(0.3): equal times take equal shares of what is left, so the logarithm falls evenly.",
        expected=8 * math.log(0.01) / math.log(0.3),
        tolerance=0.01,
        mistakes=(
            Mistake(
                8 * 0.99 / 0.7, "that would be a straight line, which loses as much in each epoch, not the same share"
            ),
            Mistake(8 * math.log(0.3) / math.log(0.01), "upside down: it must take longer than 8 epochs"),
            Mistake(8 * math.log(0.01 / 0.3) / math.log(0.3), "that is how much longer it takes: count from the start"),
            Mistake(8 * 30, "1 % is a thirtieth of 30 %, but the time goes with the logarithm of it"),
        ),
    ),
    SchedulerAnswer(
        "a_fifth_per_epoch",
        "468 updates an epoch, a step after each: an ExponentialLR that loses a fifth of the rate per epoch.",
        "0.8 ** (1 / 468): 468 factors multiply to 0.8.",
        expected=exponential(0.1, 0.8, 468),
        updates=600,
        mistakes=(
            Mistake(
                lambda optimizer: _torch_exponential(optimizer, 0.8),
                "0.8 is the factor per epoch; stepped after every update, it is applied 468 times an epoch",
            ),
            Mistake(
                lambda optimizer: _torch_exponential(optimizer, 0.2 ** (1 / 468)),
                "that keeps a fifth per epoch; *losing* a fifth leaves four",
            ),
            Mistake(
                lambda optimizer: _torch_exponential(optimizer, 1 - 0.2 / 468),
                "that spreads the loss evenly; 468 such factors multiply to 0.819. Take the 468th root",
            ),
            Mistake(
                lambda optimizer: _torch_exponential(optimizer, 0.8 / 468),
                "factors multiply: take the 468th root of 0.8 instead of dividing it by 468",
            ),
        ),
    ),
    ScheduleAnswer(
        "translated",
        "lr = 0.1 * exp(-0.3 * epoch / 10), with 200 updates an epoch, as a schedule of the course, smooth.",
        "Two translations: of the number, exp(-0.3) is what is left, and of the unit, 10 epochs are 2,000 updates.",
        expected=exponential(0.1, math.exp(-0.3), 2000),
        updates=3000,
        mistakes=(
            Mistake(exponential(0.1, 0.3, 2000), "0.3 is left there after 10 epochs; the code leaves exp(-0.3)"),
            Mistake(exponential(0.1, 0.7, 2000), "nearly: exp(-0.3) is 0.741; 1 - 0.3 is only its first approximation"),
            Mistake(exponential(0.1, math.exp(-0.3), 10), "decay_steps counts updates: 10 epochs have 2,000 of them"),
            Mistake(
                exponential(0.1, math.exp(-0.3), 200), "200 updates are one epoch; the code divides by ten of them"
            ),
            Mistake(
                exponential(0.1, math.exp(-0.3), 2000, staircase=True),
                "the code has no floor in it: it is the smooth curve",
            ),
        ),
    ),
    Numbers(
        "start_of_the_stairs",
        "Smooth: 0.1, halved every 200 updates. Which start gives the staircase with the same halvings its mean rate?",
        "0.1 * (1 - 0.5) / ln(2): the staircase has the higher mean, so it has to start lower.",
        expected=0.1 * 0.5 / math.log(2),
        tolerance=0.005,
        mistakes=(
            Mistake(0.1 * math.log(2) / 0.5, "the wrong way round: the staircase lies above the smooth curve already"),
            Mistake(0.075, "that is the mean of a straight line from 0.1 to 0.05; the exponential hangs below it"),
            Mistake(0.1 * math.sqrt(0.5), "that is the smooth rate half way through a period, not its mean"),
            Mistake(0.1, "with the same start the staircase has a mean 39 % higher"),
        ),
    ),
    Prediction(
        "equal_means",
        "Exponential to 1/1000 with the mean rate of the linear decay, instead of it: the test error, by seed.",
        "The sum of the rates is the same, but not when it is spent: two thirds of this run are below a tenth of "
        "its start, and the updates that remain have to do the work of all.",
        expected="higher",
        example=([3.3, 3.2, 3.4], [4.9, 5.1, 5.0]),
        mistakes=(
            Mistake(
                ("same",), "The means agree. In which part of the run is that rate spent, and what does the rest do?"
            ),
            Mistake(
                ("lower",),
                "It does let the jitter die out more thoroughly. But how many updates are left to get anywhere first?",
            ),
        ),
    ),
)
