"""Lesson 04, exponential decay: half-life, the unit of gamma, staircase, mean, and a formula that looks alike."""

from __future__ import annotations

import math

import numpy as np

from ..schedules import exponential, polynomial
from .kinds import CurveFunction, Exercise, Function, Mistake, Numbers
from .practice import ScheduleAnswer

EXERCISES: tuple[Exercise, ...] = (
    Numbers(
        "half_life",
        "ExponentialLR(gamma=0.95), stepped once an epoch: after how many epochs is the rate half of what it was?",
        "ln(1/2) / ln(0.95): the rate loses 5 % of what is left, not of what it was.",
        expected=math.log(0.5) / math.log(0.95),
        tolerance=0.01,
        mistakes=(
            Mistake(10.0, "that would be a straight line: 5 % of the *remaining* rate goes each epoch, less and less"),
            Mistake(math.log(0.95) / math.log(0.5), "upside down: solve 0.95 ** n = 0.5 for n"),
            Mistake(1 / 0.05, "20 epochs is the time constant, after which 1/e is left; half is earlier"),
        ),
    ),
    CurveFunction(
        "exponential_by_hand",
        "decay(k, initial_lr, decay_rate, decay_steps): decay_rate is what is left after decay_steps updates.",
        "initial_lr * decay_rate ** (k / decay_steps), for every k: it has no end.",
        parameters=("initial_lr", "decay_rate", "decay_steps"),
        reference=exponential,
        cases=(
            (0.1, 0.5, 10),
            (1.0, 0.5, 1),
            (1.0, 0.1, 2),
            (0.5, 0.7, 3),
            (0.01, 0.9, 5),
            (0.1, 0.96, 20),
            (2.0, 0.25, 7),
            (0.1, 0.01, 50),
            (0.001, 0.99, 4),
        ),
        steps=lambda initial_lr, decay_rate, decay_steps: 2 * decay_steps,
        mistakes=(
            Mistake(
                lambda k, lr, rate, n: lr * np.exp(-rate * k / n),
                "exp(-decay_rate * ...) is another convention: there a *larger* rate decays faster, and after "
                "decay_steps exp(-decay_rate) is left instead of decay_rate",
            ),
            Mistake(
                lambda k, lr, rate, n: lr * rate**k, "decay_steps is ignored: that decays by decay_rate every update"
            ),
            Mistake(
                lambda k, lr, rate, n: lr * rate ** (k // n),
                "// makes a staircase: the smooth curve divides with /",
            ),
            Mistake(
                lambda k, lr, rate, n: lr * (1 - (1 - rate) * np.minimum(k / n, 1)),
                "that is a straight line to the same point: ask for equal *ratios*",
            ),
            Mistake(
                lambda k, lr, rate, n: lr * rate ** np.minimum(k / n, 1),
                "right up to decay_steps, but the decay goes on: decay_steps is a time scale, not an end",
            ),
        ),
    ),
    Function(
        "gamma_per_update",
        "per_update(gamma_per_epoch, updates_per_epoch): the factor per update that makes the same factor per epoch.",
        "gamma ** (1 / n): n of them multiplied give gamma.",
        parameters=("gamma_per_epoch", "updates_per_epoch"),
        reference=lambda gamma, n: gamma ** (1 / n),
        cases=(
            (0.25, 2),
            (0.5, 2),
            (0.5, 1),
            (0.1, 10),
            (0.9, 3),
            (0.7, 5),
            (0.01, 2),
            (0.9, 100),
            (0.96, 468),
            (0.1, 938),
        ),
        mistakes=(
            Mistake(lambda gamma, n: gamma, "that is the factor per epoch: stepped per update, it is applied n times"),
            Mistake(lambda gamma, n: gamma / n, "factors multiply: n of them must give gamma, so take the n-th root"),
            Mistake(
                lambda gamma, n: 1 - (1 - gamma) / n,
                "that spreads the *loss* evenly; n such factors multiply to more than gamma. Take the n-th root",
            ),
            Mistake(lambda gamma, n: gamma**n, "the wrong way round: that is the factor after n epochs"),
        ),
    ),
    Function(
        "mean_rate",
        "mean_over_start(r): the mean of an exponential decay from 1 to r, as a continuous curve.",
        "The integral of r**u from 0 to 1: (1 - r) / ln(1 / r).",
        parameters=("r",),
        reference=lambda r: (1 - r) / math.log(1 / r),
        cases=tuple((r,) for r in (0.1, 0.5, 0.01, 0.9, 0.25, 0.001, 0.3, 0.75, 0.99, 0.02, 0.0001)),
        mistakes=(
            Mistake(lambda r: (1 + r) / 2, "that is the mean of a straight line; the exponential hangs below it"),
            Mistake(math.sqrt, "that is the rate half way through; the mean is larger, for the early part weighs more"),
            Mistake(lambda r: (1 - r) / math.log(r), "the sign: ln(r) is negative, divide by ln(1 / r)"),
        ),
    ),
    ScheduleAnswer(
        "quarter_at_half",
        "A polynomial decay from 0.1 to 0 in 1000 updates that is at a quarter of its start half way.",
        "(1 - 1/2) ** power = 1/4 gives power 2.",
        expected=polynomial(0.1, 0.0, 1000, power=2.0),
        updates=1000,
        mistakes=(
            Mistake(polynomial(0.1, 0.0, 1000, power=4.0), "(1/2) ** 4 is a sixteenth"),
            Mistake(polynomial(0.1, 0.0, 1000, power=0.5), "power below 1 hangs above the line: 0.71 is left half way"),
            Mistake(polynomial(0.1, 0.0, 1000), "power 1 is the straight line: half is left half way"),
            Mistake(polynomial(0.1, 0.0, 500, power=2.0), "this one is over after 500 updates"),
        ),
    ),
)
