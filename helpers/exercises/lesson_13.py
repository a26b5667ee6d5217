"""Lesson 13, predicting the winner: a rate carried over, rates from norms, a borrowed schedule, a game."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ..schedules import Schedule, constant, exponential, linear, tabulated
from ..theory import NoisyQuadratic, last_iterate_bound, refined
from .kinds import Exercise, Mistake, Numbers, Problem
from .practice import Prediction, SchedulerAnswer

_UPDATES, _GOAL = 300, 97.0
_LONG = 5000  # updates of the run whose rate is carried over
_NORMS = np.repeat([1.0, 2.0], [80, 20])  # larger at the end


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


def _carried_over() -> float:
    """The peak of linear decay that goes with 0.02 for a constant rate that falls over the last tenth."""
    k, down = np.arange(_LONG), _LONG // 10
    flat = constant(1.0).then(linear(1.0, 0.0, down), at=_LONG - down)
    scales = [last_iterate_bound(plan(k)).best_scale for plan in (flat, linear(1.0, 0.0, _LONG))]
    return float(0.02 * scales[1] / scales[0])


def _in_torch(factors: Any) -> Any:
    """A function of an optimizer: its rate times ``factors``, one an update, the last one held."""

    def attach(optimizer: Any) -> Any:
        from torch.optim.lr_scheduler import LambdaLR

        return LambdaLR(optimizer, lambda k: float(factors[min(k, len(factors) - 1)]))

    return attach


def _relative(weights: Any, *, own: bool = False) -> Any:
    """Weight times the sum of the later ones (``own``: itself included), the largest 1."""
    later = np.cumsum(weights[::-1])[::-1] - (0 if own else weights)
    return weights * later / (weights * later).max()


EXERCISES: tuple[Exercise, ...] = (
    Numbers(
        "rate_carried_over",
        "5,000 updates: a constant rate of 0.02 with the last 10 % falling was best. Which peak for linear decay?",
        "2.2 times as high: the bound knows the ratio of two best rates, whatever D and G are. Tune one, begin there.",
        expected=_carried_over(),
        tolerance=0.02,
        mistakes=(
            Mistake(0.02, "at the same peak linear decay has only half the sum of the rates: it can stand more"),
            Mistake(
                0.02 * 0.95 / 0.5,
                "that makes the sums of the rates equal; the noise terms differ as well: compare two best_scale",
            ),
            Mistake(0.02**2 / _carried_over(), "upside down: the schedule that falls all the way gets the higher peak"),
        ),
    ),
    SchedulerAnswer(
        "growing_norms",
        "100 updates whose last 20 gradients are twice as large: the schedule that suits them, with torch's LambdaLR.",
        "Step less where gradients are large, at the end as at the start: the rate falls to a quarter at update 80.",
        expected=tabulated((0.1 * refined(_NORMS)).tolist()),
        updates=100,
        mistakes=(
            Mistake(
                _in_torch(refined(np.ones(100))), "that is plain linear decay: the norms of the last 20 are missing"
            ),
            Mistake(_in_torch(_relative(1 / _NORMS)), "w is 1 / G**2: what the bound counts is lr**2 G**2"),
            Mistake(
                _in_torch(_relative(1 / _NORMS**2, own=True)),
                "the sum is over the *later* updates: update k's own weight is not in it",
            ),
            Mistake(
                _in_torch(_relative(_NORMS**2)), "upside down: this takes larger steps where the gradients are larger"
            ),
        ),
    ),
    Prediction(
        "borrowed_schedule",
        "On text: the schedule made of MNIST's gradient norms, in the place of linear decay; the loss, by seed.",
        "What suits norms that fall early does not suit norms that do not: a long way up costs time, and buys nothing. "
        "A schedule made of measurements belongs to the task that was measured.",
        expected="higher",
        example=([2.52, 2.54, 2.53], [2.57, 2.58, 2.57]),
        unit=" nats",
        mistakes=(
            Mistake(("same",), "Compare the two pictures of gradient norms: what does the long way up protect from?"),
            Mistake(("lower",), "It won on MNIST. What did MNIST's gradients do early, and what do those of text do?"),
        ),
    ),
    DesignGame(
        "design_game",
        "A schedule for 300 updates on the noisy quadratic with a score of at least 97.",
        "fast at first, then falling by equal ratios or nearly so: steeper than linear decay, but not too far.",
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
