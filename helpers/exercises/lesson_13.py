"""Lesson 13, predicting the winner: what the last-iterate bound says, what would refute it, and the design game."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ..schedules import Schedule, constant, exponential
from ..theory import Bound, NoisyQuadratic, last_iterate_bound
from .kinds import Choice, Exercise, Function, Mistake, Numbers, Problem

_UPDATES, _GOAL = 300, 97.0


@functools.cache
def _game() -> tuple[NoisyQuadratic, float]:
    problem = NoisyQuadratic.one_over_i(100)
    return problem, problem.loss(problem.optimum(_UPDATES))


@dataclass(frozen=True)
class DesignGame(Exercise):
    """A schedule for 300 updates on the noisy quadratic, scored against the best there is.

    The mistakes are looked for in the order: too large, does not fall, right shape at the wrong scale.
    """

    fill_in: ClassVar[str] = "put a schedule in the place of the three dots, and run the cell again"

    def judge(self, answer: Any) -> None:
        if not isinstance(answer, Schedule):
            raise Problem(f"a schedule of helpers.schedules is asked for, you gave {answer!r}")
        rates = answer(np.arange(_UPDATES))
        score, best_score = self._scores(rates)
        if score >= _GOAL:
            return
        too_large, no_fall, wrong_scale = (mistake.hint for mistake in self.mistakes)
        if score < 1:
            raise Problem(too_large)
        if rates[-1] > 0.5 * rates.max():
            raise Problem(no_fall)
        if best_score >= _GOAL:
            raise Problem(wrong_scale)
        raise Problem(
            f"score {score:.1f}, and {best_score:.1f} with the best multiple of it; {_GOAL:g} is asked for. "
            "Compare it with the best there is, above: does it fall early enough, and not too far?"
        )

    @staticmethod
    def _scores(rates: Any) -> tuple[float, float]:
        """The score as it is, and the score of its best multiple."""
        problem, floor = _game()
        if not rates.max() > 0:
            raise Problem("with a rate of 0 everywhere nothing is learned")
        _, best = problem.tuned(rates / rates.max(), np.geomspace(0.02, 4, 200))
        return 100 * floor / problem.loss(rates), 100 * floor / best


EXERCISES: tuple[Exercise, ...] = (
    Function(
        "best_factor",
        "factor(far, noise): the factor on all rates that makes the bound far + noise least.",
        "sqrt(far / noise): it makes both parts equal, and the bound 2 sqrt(far * noise).",
        parameters=("far", "noise"),
        reference=lambda far, noise: Bound(far, noise).best_scale,
        cases=(
            (4.0, 1.0),
            (1.0, 4.0),
            (1.0, 1.0),
            (9.0, 1.0),
            (2.0, 0.5),
            (0.1, 0.4),
            (1.0, 100.0),
            (50.0, 2.0),
            (0.001, 9.0),
            (1000.0, 10.0),
        ),
        mistakes=(
            Mistake(
                lambda far, noise: far / noise, "far / c + noise * c: its derivative is zero where c**2 = far / noise"
            ),
            Mistake(
                lambda far, noise: np.sqrt(noise / far),
                "upside down: the farther there is to go, the larger the rates should be",
            ),
            Mistake(lambda far, noise: 2 * np.sqrt(far * noise), "that is the bound at its best, not the factor"),
        ),
    ),
    Numbers(
        "constant_over_line",
        "T = 100, D = G = 1: the best bound of a constant rate over 2 / sqrt(T).",
        "sqrt(1 + H_99) / 2 = 1.24: a quarter more at 100 updates, and the logarithm goes on growing.",
        expected=last_iterate_bound(np.ones(100)).best * 10 / 2,
        tolerance=5e-3,
        mistakes=(
            Mistake(
                last_iterate_bound(np.ones(100)).best * 10,
                "that is in units of D G / sqrt(T): divide by the line's 2",
            ),
            Mistake(
                last_iterate_bound(np.ones(100)).best,
                "that is the bound itself: divide it by 2 / sqrt(100) = 0.2",
            ),
            Mistake(
                np.sqrt(np.sum(1 / np.arange(1, 100))) / 2,
                "the 1 under the root is missing: sqrt((1 + H) / T)",
            ),
        ),
    ),
    Choice(
        "growing_norms",
        "Gradient norms grow towards the end: what does the bound want?",
        "w = 1 / G**2 is small there: step less where gradients are large, at the end as at the start.",
        expected="b",
        mistakes=(
            Mistake("a", "the noise term holds lr**2 G**2: larger gradients make the same step *more* expensive"),
            Mistake(
                "c", "the sum of the rates is only one of the terms: lr**2 G**2 counts too, most of all at the end"
            ),
        ),
    ),
    Choice(
        "refutation",
        "Which observation would refute the theorem?",
        "The theorem is about the mean loss of SGD on a convex function: there it must never be broken, and was not.",
        expected="b",
        mistakes=(
            Mistake(
                "a", "a larger upper bound does not forbid a lower loss: ranks are a use of the theorem, not its claim"
            ),
            Mistake("c", "neither Adam nor a network is what the theorem is about: it says nothing there"),
        ),
    ),
    DesignGame(
        "design_game",
        "A schedule for 300 updates on the noisy quadratic with a score of at least 97.",
        "fast at first, then falling by equal ratios or nearly so: more than a straight line, less than too far.",
        mistakes=(
            Mistake(constant(3.0), "it explodes: the largest curvature is 1, so a rate above 2 for long is too much"),
            Mistake(
                constant(0.15), "it hardly falls: the noise floor at the end is that of its last rates. Let it decay"
            ),
            Mistake(
                exponential(0.3, 0.033, _UPDATES),
                f"the shape is good for {_GOAL:g}, at another scale: multiply it by some factors and look",
            ),
        ),
    ),
)
