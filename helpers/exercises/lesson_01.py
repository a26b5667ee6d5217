"""Lesson 01, why it moves: the stability limit, the price of one rate, the noise floor, the best 1/t, Robbins-Monro."""

from __future__ import annotations

import math

from ..schedules import inverse_time
from ..theory import noise_floor, optimal_inverse_time
from .kinds import Choice, Exercise, Function, Mistake, Numbers
from .practice import ScheduleAnswer

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
    Numbers(
        "updates_until_one_percent",
        "Curvatures 1 and 0.01, rate 1.9: updates until the error in the flat direction is below 1 %?",
        "(1 - 0.019)^k < 0.01 first at k = 241, while the steep direction needs 44: that is the price of one rate.",
        expected=math.ceil(math.log(0.01) / math.log(1 - 0.019)),
        mistakes=(
            Mistake(240, "after 240 updates it is 1.002 %: updates come whole, round up"),
            Mistake(math.log(0.01) / math.log(1 - 0.019), "updates come whole: round up"),
            Mistake(44, "that is the steep direction: (1 - 1.9)^k. The flat one shrinks by 1 - 0.019 each time"),
            Mistake(459, "that is rate 1.0: here it is 1.9, so an update removes 1.9 %"),
        ),
    ),
    Function(
        "floor_by_hand",
        "floor(lr, curvature, variance): the mean of x**2 at which SGD settles on a noisy parabola.",
        "lr * variance / (curvature * (2 - lr * curvature)): for small rates proportional to the rate.",
        parameters=("lr", "curvature", "variance"),
        reference=noise_floor,
        cases=(
            (0.1, 1.0, 1.0),
            (0.5, 1.0, 1.0),
            (0.1, 2.0, 1.0),
            (0.1, 1.0, 4.0),
            (0.1, 0.5, 1.0),
            (0.5, 2.0, 3.0),
            (0.9, 2.0, 0.5),
            (1.5, 1.0, 2.0),
            (0.01, 0.5, 0.25),
            (0.001, 20.0, 8.0),
            (0.0001, 1000.0, 100.0),
        ),
        mistakes=(
            Mistake(
                lambda lr, h, s: lr * s / (2 * h), "that is the limit for small rates: the exact one has 2 - lr * h"
            ),
            Mistake(lambda lr, h, s: lr * s / (2 - lr * h), "the curvature is missing below: V = (1 - lr h)^2 V + ..."),
            Mistake(
                lambda lr, h, s: lr * h * s / (2 - lr * h),
                "that is for noise in the *target*; here the gradient itself is off by the noise",
            ),
            Mistake(
                lambda lr, h, s: lr * s / (2 * (2 - lr * h)),
                "that is the mean *loss*, curvature / 2 times the answer: the mean of x**2 is asked for",
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
)
