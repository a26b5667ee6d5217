"""Lesson 15, large rates: the edge with and without momentum, two weights, surviving the limit, jumps, a barrier."""

from __future__ import annotations

from .kinds import Choice, Exercise, Function, Mistake, Numbers


def _after(u: float, v: float, lr: float, pull: float) -> float:
    """Sum of squares after one update of both weights, ``pull`` being the error that is multiplied in."""
    return (u - lr * pull * v) ** 2 + (v - lr * pull * u) ** 2


def _next_curvature(u: float, v: float, target: float, lr: float) -> float:
    return _after(u, v, lr, u * v - target)


def _one_after_the_other(u: float, v: float, target: float, lr: float) -> float:
    moved = u - lr * (u * v - target) * v
    return moved**2 + (v - lr * (moved * v - target) * moved) ** 2


def _each_by_itself(u: float, v: float, target: float, lr: float) -> float:
    error = u * v - target
    return (u - lr * error * u) ** 2 + (v - lr * error * v) ** 2


EXERCISES: tuple[Exercise, ...] = (
    Numbers(
        "sharpness_at_the_edge",
        "Rate 0.08, long at the edge: the sharpness without momentum, and with heavy-ball momentum 0.9?",
        "2 / 0.08 = 25, and 2 (1 + 0.9) / 0.08 = 47.5: momentum lets training go on where the loss is sharper.",
        expected=(25.0, 47.5),
        mistakes=(
            Mistake(
                (12.5, 23.75), "1 / rate is where the steep direction is solved in one update; the edge is twice that"
            ),
            Mistake(
                (25.0, 2.5),
                "momentum 0.9 makes the rate *effectively* ten times as large, but the limit of stability"
                " is another matter: 2 (1 + momentum) / rate",
            ),
            Mistake((25.0, 25.0), "momentum moves the limit (lesson 01): 2 (1 + momentum) / rate for heavy ball"),
            Mistake((47.5, 25.0), "the other way round: first without momentum, then with"),
            Mistake(
                (25.0, 2 * 1.9 / (2.8 * 0.08)), "that is Nesterov's limit; heavy ball's has no 1 + 2 momentum below"
            ),
        ),
    ),
    Function(
        "next_curvature",
        "next_curvature(u, v, target, lr): u**2 + v**2 after one update on the loss (u v - target)**2 / 2.",
        "Both weights move at once, by the error times the *other* weight; without a target it is the catapult's step.",
        parameters=("u", "v", "target", "lr"),
        reference=_next_curvature,
        cases=(
            (2.0, 0.5, 0.0, 0.1),
            (2.0, 0.5, 0.5, 0.1),
            (1.0, 3.0, 2.0, 0.5),
            (0.3, 4.0, 0.1, 0.02),
            (5.0, 1.5, 9.0, 0.2),
            (0.5, 0.2, 3.0, 1.0),
            (0.01, 0.02, 0.05, 0.001),
            (8.0, 7.0, 10.0, 0.003),
        ),
        mistakes=(
            Mistake(
                _one_after_the_other,
                "the second weight has seen the first one's update: both move at once, from the old values",
            ),
            Mistake(_each_by_itself, "the gradient for u is the error times v, and the other way round"),
            Mistake(
                lambda u, v, target, lr: _after(u, v, lr, u * v), "the target is missing: the error is u v - target"
            ),
            Mistake(
                lambda u, v, target, lr: _after(u, v, lr, target - u * v), "that climbs: subtract rate times gradient"
            ),
            Mistake(
                lambda u, v, target, lr: _after(u, v, lr, 2 * (u * v - target)),
                "the loss has a factor 1/2, which cancels the 2 of the derivative",
            ),
        ),
    ),
    Numbers(
        "largest_that_survives",
        "u = 3, v = 0.02: the largest multiple of 0.02 at which 200 updates do not diverge?",
        "0.44, about 4 / 9.0004: twice what a parabola of that curvature can bear, for here the curvature gives way.",
        expected=0.44,
        mistakes=(
            Mistake(
                0.22,
                "that is 2 / sharpness, a parabola's limit: here the sharpness falls while the output grows. Train",
            ),
            Mistake(0.24, "that is just above 2 / sharpness; look at what happens after the loss has risen, and go on"),
            Mistake(0.46, "above 4 / sharpness both grow; run it for all 200 updates"),
            Mistake(0.1, "1 / sharpness is what you would call safe; the question is what survives"),
        ),
    ),
    Choice(
        "up_and_down",
        "Full batch, the loss rises in 40 % of the updates and falls in the long run: what is it?",
        "The edge of stability. No chance is needed for jumps, only a rate close to 2 / sharpness.",
        expected="c",
        mistakes=(
            Mistake("a", "with full batches nothing is sampled: a second run repeats it"),
            Mistake("b", "rounding is about one part in ten million, far too small for rises like these"),
            Mistake("d", "a smaller rate makes the jumps disappear: below 2 / sharpness every update lowers the loss"),
        ),
    ),
    Choice(
        "a_barrier",
        "The loss rises by 0.3 on the straight line between two networks: what do you know?",
        "A straight line is one path of many; curved ones of low loss have been found between independent networks.",
        expected="b",
        mistakes=(
            Mistake("a", "one straight line was looked at; a way around may well be open"),
            Mistake("c", "the training loss on a line says nothing about test errors at its ends"),
        ),
    ),
)
