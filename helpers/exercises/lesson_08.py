"""Lesson 08, momentum: effective rate, memory, stability, two rules, and a momentum that moves."""

from __future__ import annotations

import math

from ..schedules import constant, linear
from .kinds import Exercise, Function, Mistake, Numbers
from .practice import KerasMomentum

EXERCISES: tuple[Exercise, ...] = (
    Numbers(
        "same_effective_rate",
        "Learning rate 0.1 with momentum 0.95. Which learning rate has the same effective rate with momentum 0.85?",
        "0.1 / 0.05 = 2 = 0.3 / 0.15.",
        expected=0.3,
        mistakes=(
            Mistake(0.1 / 3, "the wrong way: less momentum adds up to less, so the rate must be larger"),
            Mistake(0.1 * 0.95 / 0.85, "it is 1 / (1 - momentum) that multiplies the rate, not momentum itself"),
            Mistake(2.0, "that is the effective rate itself; which learning rate gives it with momentum 0.85?"),
        ),
    ),
    Numbers(
        "memory",
        "Momentum 0.9: after how many updates is a gradient's weight in the velocity first below a tenth?",
        "0.9 ** 22 = 0.098. With 0.95 it would be 45.",
        expected=22,
        mistakes=(
            Mistake(10, "10 = 1 / (1 - 0.9) is the time constant: after it, 0.35 is left"),
            Mistake(9, "the weight falls by a tenth of what is *left* each time, not by a tenth of 1"),
            Mistake(21, "0.9 ** 21 = 0.109: not yet"),
            Mistake(math.log(0.1) / math.log(0.9), "updates come whole: round up"),
        ),
    ),
    Function(
        "stability_limit",
        "limit(curvature, beta): the rate above which heavy-ball SGD diverges on a parabola of this curvature.",
        "2 (1 + beta) / curvature: heavy-ball momentum raises the limit.",
        parameters=("curvature", "beta"),
        reference=lambda curvature, beta: 2 * (1 + beta) / curvature,
        cases=(
            (1.0, 0.0),
            (1.0, 0.5),
            (2.0, 0.5),
            (1.0, 0.9),
            (4.0, 0.0),
            (0.5, 0.9),
            (1.0, 0.99),
            (20.0, 0.85),
            (0.01, 0.9),
            (1000.0, 0.99),
        ),
        mistakes=(
            Mistake(lambda curvature, beta: 2 / curvature, "that is plain gradient descent: momentum moves the limit"),
            Mistake(
                lambda curvature, beta: 2 * (1 + beta) / (1 + 2 * beta) / curvature,
                "that is Nesterov's, which is lower; heavy ball is asked for",
            ),
            Mistake(
                lambda curvature, beta: 2 * (1 - beta) / curvature,
                "that keeps the *effective* rate below 2 / curvature; but heavy ball is stable much further",
            ),
            Mistake(
                lambda curvature, beta: 2 * (1 + beta) * curvature,
                "divide by the curvature: sharp valleys need small steps",
            ),
        ),
    ),
    Function(
        "buffer_correction",
        "factor(lr_before, lr_now): what Keras' velocity must be multiplied by, before the update, to follow PyTorch.",
        "lr_now / lr_before: Keras' velocity holds gradients times the rates of their time.",
        parameters=("lr_before", "lr_now"),
        reference=lambda before, now: now / before,
        cases=(
            (0.1, 0.2),
            (0.2, 0.1),
            (0.1, 0.1),
            (1.0, 0.5),
            (0.5, 2.0),
            (0.01, 1.0),
            (3.0, 0.1),
            (0.004, 0.001),
            (10.0, 30.0),
        ),
        mistakes=(
            Mistake(lambda before, now: before / now, "that makes PyTorch follow Keras; the question is the other way"),
            Mistake(lambda before, now: 1.0, "then nothing is corrected: the two differ whenever the rate moves"),
            Mistake(lambda before, now: now, "the velocity already holds the old rate: divide by it"),
        ),
    ),
    KerasMomentum(
        "keras_momentum",
        "A Keras optimizer, learning rate 0.1, whose momentum falls in a line from 0.95 to 0.85 in 10 updates.",
        "Read off the weights of a model that was trained with it: the momentum really moved.",
        expected=linear(0.95, 0.85, 10),
        learning_rate=0.1,
        updates=10,
        mistakes=(
            Mistake(
                constant(0.95),
                "the weights say that momentum stayed at 0.95: it must be a schedule that the step looks up",
            ),
            Mistake(linear(0.85, 0.95, 10), "the weights say that momentum rises from 0.85 to 0.95: it should fall"),
            Mistake(constant(0.0), "the weights say that there is no momentum at all"),
            Mistake(linear(0.95, 0.85, 100), "it falls too slowly: after 10 updates it should be at 0.85"),
        ),
    ),
)
