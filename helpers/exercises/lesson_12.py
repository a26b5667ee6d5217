"""Lesson 12, super-convergence: updates and epochs, the run of 2017, reading a speed-up, flat curves, a jump."""

from __future__ import annotations

import math

import numpy as np

from ..schedules import Schedule, cyclic, linear, one_cycle, warmup
from ..theory import speed_up
from .kinds import Choice, Exercise, Function, Mistake, Numbers
from .practice import ScheduleAnswer


def _triangle(half: int = 5000) -> Schedule:
    return warmup(0.1, 3.0, half).then(linear(3.0, 0.1, half))


Row = list[float]


def _factor(error: float, budget: float, rival_budgets: Row, rival_errors: Row) -> float:
    return float(np.nan_to_num(speed_up(error, budget, rival_budgets, rival_errors)))


def _held_beyond(error: float, budget: float, rival_budgets: Row, rival_errors: Row) -> float:
    return _factor(float(np.clip(error, min(rival_errors), max(rival_errors))), budget, rival_budgets, rival_errors)


def _on_plain_axes(error: float, budget: float, rival_budgets: Row, rival_errors: Row) -> float:
    if not min(rival_errors) <= error <= max(rival_errors):
        return 0.0
    return float(np.interp(error, rival_errors[::-1], rival_budgets[::-1])) / budget


def _wrong_way_round(error: float, budget: float, rival_budgets: Row, rival_errors: Row) -> float:
    if not min(rival_errors) <= error <= max(rival_errors):
        return 0.0
    return math.exp(np.interp(math.log(error), np.log(rival_errors), np.log(rival_budgets))) / budget


EXERCISES: tuple[Exercise, ...] = (
    Numbers(
        "times_fewer",
        "7,000 updates of 512 against 64,000 of 128: how many times fewer updates, and epochs?",
        "9.1 and 2.3: with four times the images in each update, a quarter of the factor is left.",
        expected=(64_000 / 7_000, (64_000 * 128) / (7_000 * 512)),
        tolerance=0.01,
        mistakes=(
            Mistake((64 / 7, 64 / 7), "the updates are right; each of the 7,000 takes four times as many images"),
            Mistake((64 / 7, 4 * 64 / 7), "larger batches use up *more* images: divide by 512 / 128, not multiply"),
            Mistake((16 / 7, 64 / 7), "the other way round: updates first, epochs second"),
            Mistake((7 / 64, 7 / 16), "that is the fraction; asked is how many times fewer, so turn it round"),
        ),
    ),
    ScheduleAnswer(
        "run_of_2017",
        "0.1 to 3 at update 5,000 and back to 0.1 at 10,000, momentum held at 0.9.",
        "one triangle. What PyTorch calls OneCycleLR came later, falls to almost 0, and cycles momentum.",
        expected=_triangle().with_momentum(0.9),
        updates=9_996,  # what comes after update 10,000 is not asked
        mistakes=(
            Mistake(
                one_cycle(3.0, 10_000, pct_start=0.5, div_factor=30.0, anneal="linear").with_momentum(0.9),
                "close: but this ends near 0, and the run of 2017 ended at 0.1",
            ),
            Mistake(
                cyclic(0.1, 3.0, 10_000).with_momentum(0.9),
                "step_size_up is half a cycle: with 10,000 the run would end at the peak",
            ),
            Mistake(
                cyclic(0.1, 3.0, 5_000, momentum=(0.85, 0.95)),
                "the learning rate is right; momentum did not cycle in 2017, it was 0.9 throughout",
            ),
            Mistake(
                cyclic(0.1, 3.0, 2_500).with_momentum(0.9),
                "those are two cycles: one, with its peak at 5,000, is asked for",
            ),
        ),
    ),
    Function(
        "speed_up_by_hand",
        "factor(error, budget, rival_budgets, rival_errors): how many times as long the rival must train; 0 if unknown",
        "a factor is read off the rival's curve, and only where there is a curve.",
        parameters=("error", "budget", "rival_budgets", "rival_errors"),
        reference=_factor,
        cases=(
            (20.0, 1.0, [1.0, 2.0, 4.0], [40.0, 20.0, 10.0]),
            (20.0, 2.0, [1.0, 2.0, 4.0], [40.0, 20.0, 10.0]),
            (15.0, 1.0, [1.0, 2.0, 4.0], [40.0, 20.0, 10.0]),
            (40.0, 1.0, [1.0, 2.0, 4.0], [40.0, 20.0, 10.0]),
            (10.0, 1.0, [1.0, 2.0, 4.0], [40.0, 20.0, 10.0]),
            (5.0, 1.0, [1.0, 2.0, 4.0], [40.0, 20.0, 10.0]),
            (50.0, 1.0, [1.0, 2.0, 4.0], [40.0, 20.0, 10.0]),
            (30.0, 0.5, [1.0, 2.0], [40.0, 20.0]),
            (6.0, 10.0, [10.0, 20.0, 40.0, 80.0], [9.0, 8.0, 5.0, 4.5]),
            (4.6, 30.0, [10.0, 20.0, 40.0, 80.0], [9.0, 8.0, 5.0, 4.5]),
            (4.0, 30.0, [10.0, 20.0, 40.0, 80.0], [9.0, 8.0, 5.0, 4.5]),
        ),
        mistakes=(
            Mistake(
                _held_beyond,
                "np.interp holds the last value beyond the curve: return 0 where the rival never had that error",
            ),
            Mistake(
                lambda error, budget, budgets, errors: _factor(error, 1.0, budgets, errors),
                "that is how long the rival must train: divide by `budget` for how many times as long",
            ),
            Mistake(_on_plain_axes, "straight lines on *logarithmic* axes: take logarithms of both, and back"),
            Mistake(_wrong_way_round, "np.interp wants rising x, and errors fall: turn both lists around"),
        ),
    ),
    Numbers(
        "flat_curves",
        "Slope 0.25, nine tenths of the error: how many times as long must the other train?",
        "(1 / 0.9) to the power 1 / 0.25, 1.52: on a flat curve small differences become large factors.",
        expected=(1 / 0.9) ** 4,
        tolerance=0.002,
        mistakes=(
            Mistake(1 / 0.9, "that would be the factor on a curve of slope 1; here it is 0.25"),
            Mistake((1 / 0.9) ** 0.25, "the exponent is 1 / slope: solve c_B (sT)^-a = c_A T^-a for s"),
            Mistake(0.9**4, "upside down: B needs longer, so the factor is above 1"),
            Mistake(1.1**4, "A's 0.9 of B means that B is at 1 / 0.9 = 1.11 of A, not at 1.1"),
        ),
    ),
    Choice(
        "a_jump",
        "Test accuracy jumps at the drop, the training loss does not move: what first?",
        "the cheapest explanation first: the same weights, tested with statistics of their own.",
        expected="b",
        mistakes=(
            Mistake("a", "weights that are better should show in the training loss too; first rule out the averages"),
            Mistake("c", "perhaps, but not before you know whether anything but the averages has changed"),
        ),
    ),
)
