"""Lesson 03, piecewise constant: boundaries, both libraries' counting, and the patience of a plateau."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..schedules import piecewise_constant
from .kinds import CurveFunction, Exercise, Function, Mistake, Numbers


def _pick(index: ArrayLike, values: list[float]) -> NDArray[np.float64]:
    return np.asarray(values)[np.minimum(index, len(values) - 1)]


EXERCISES: tuple[Exercise, ...] = (
    CurveFunction(
        "piecewise_by_hand",
        "piecewise(k, boundaries, values): values[i], where i boundaries have been reached; new value at the boundary.",
        "The index is the number of boundaries <= k. np.searchsorted(boundaries, k, side='right') is the same.",
        parameters=("boundaries", "values"),
        reference=piecewise_constant,
        cases=(
            ([3, 6], [1.0, 0.3, 0.1]),
            ([2], [1.0, 0.1]),
            ([1], [0.1, 1.0]),
            ([1, 2], [1.0, 0.5, 0.1]),
            ([5], [2.0, 3.0]),
            ([1, 2, 3], [1.0, 0.3, 0.1, 0.02]),
            ([2, 15], [0.02, 0.3, 0.1]),
            ([4, 5, 12], [0.5, 0.5, 0.4, 0.0]),
            ([10, 20, 30, 40], [1.0, 0.5, 0.25, 0.2, 0.1]),
            ([60, 120, 160], [0.1, 0.02, 0.004, 0.0008]),
        ),
        steps=lambda boundaries, values: boundaries[-1],
        mistakes=(
            Mistake(
                lambda k, boundaries, values: _pick(np.searchsorted(boundaries, k, side="left"), values),
                "one step late: at k = boundary you still use the old value. That is how Keras counts",
            ),
            Mistake(
                lambda k, boundaries, values: _pick(np.searchsorted(boundaries, k + 1, side="right"), values),
                "one step early: the value changes at k = boundary, not before",
            ),
            Mistake(
                lambda k, boundaries, values: _pick(np.minimum(k * 0 + (k >= boundaries[0]), 1), values),
                "only the first boundary counts in your function: go through all of them",
            ),
            Mistake(
                lambda k, boundaries, values: values[0] * 0.1 ** np.searchsorted(boundaries, k, side="right"),
                "you multiply by 0.1 at each boundary: take the value that is given",
            ),
        ),
    ),
    Numbers(
        "boundaries_in_updates",
        "Drops at epochs 60, 120 and 160 of 200; 50,000 images, batch 128, last one dropped: the boundaries?",
        "390 updates an epoch. The drop comes at the first update of the epoch after: k = 60 * 390.",
        expected=(23400, 46800, 62400),
        mistakes=(
            Mistake((60, 120, 160), "those are epochs; a schedule counts updates, 390 an epoch"),
            Mistake((23460, 46920, 62560), "that keeps the smaller batch: 391 batches an epoch, where 390 are full"),
            Mistake((23399, 46799, 62399), "one early: after 60 epochs, 23400 updates have been made"),
            Mistake((7680, 15360, 20480), "you multiplied by the batch size; multiply by the updates of an epoch"),
        ),
    ),
    Numbers(
        "for_keras_boundaries",
        "You want new values at k = 100 and k = 200. Which boundaries does Keras' PiecewiseConstantDecay need?",
        "Keras keeps the old value at k = boundary, so name the last update that still uses the old one.",
        expected=(99, 199),
        mistakes=(
            Mistake((100, 200), "then k = 100 still uses the old value: Keras changes one update after its boundary"),
            Mistake((101, 201), "the wrong way: Keras changes after its boundary, so name a smaller one"),
        ),
    ),
    Function(
        "is_reached",
        "last_value_is_used(boundaries, steps): 1 if a run of `steps` updates uses the last value, else 0.",
        "The last update is k = steps - 1, so the last boundary must be at most that.",
        parameters=("boundaries", "steps"),
        reference=lambda boundaries, steps: float(boundaries[-1] < steps),
        cases=(
            ([3], 4),
            ([3], 3),
            ([3], 2),
            ([1], 1),
            ([1], 2),
            ([3, 6], 4),
            ([3, 6], 6),
            ([3, 6], 7),
            ([1, 2, 9], 3),
            ([1, 2, 9], 10),
            ([60, 120, 160], 160),
            ([60, 120, 160], 200),
        ),
        mistakes=(
            Mistake(
                lambda boundaries, steps: float(boundaries[-1] <= steps),
                "a boundary at k = steps is one too late: the last update is k = steps - 1",
            ),
            Mistake(
                lambda boundaries, steps: float(boundaries[0] < steps),
                "that asks whether the first boundary is reached; the last value needs the last boundary",
            ),
            Mistake(
                lambda boundaries, steps: float(boundaries[-1] >= steps),
                "the other way round: this is 1 when the boundary is missed",
            ),
        ),
    ),
    Numbers(
        "patience",
        "Losses 1.0, 0.8, 0.8, 0.8, 0.8, 0.8 with patience=2: after which evaluation, counted from 1, is the rate "
        "cut? (by torch's ReduceLROnPlateau, by Keras')",
        "The 2nd is the last better one. Torch cuts at the third bad one (bad > patience), Keras at the second.",
        expected=(5, 4),
        mistakes=(
            Mistake((4, 4), "torch waits longer: it cuts when *more* than patience evaluations were bad"),
            Mistake((5, 5), "Keras cuts earlier: as soon as patience evaluations were bad"),
            Mistake((4, 5), "the other way round: torch is the patient one"),
            Mistake((4, 3), "the second evaluation, 0.8, is a better one: count the bad ones after it"),
            Mistake((3, 2), "that counts from the best evaluation; the question counts from the first"),
        ),
    ),
)
