"""Lesson 03, piecewise constant: drops in PyTorch and in Keras, too late by theory, and a deeper drop, predicted."""

from __future__ import annotations

from typing import Any

from ..schedules import piecewise_constant
from .kinds import Exercise, Function, Mistake, Numbers
from .practice import Prediction, SchedulerAnswer


def _multi_step(optimizer: Any, milestones: list[int], gamma: float = 0.2) -> Any:
    from torch.optim.lr_scheduler import MultiStepLR

    return MultiStepLR(optimizer, milestones, gamma)


EXERCISES: tuple[Exercise, ...] = (
    SchedulerAnswer(
        "drops_of_a_paper",
        "A paper divides the rate by 5 after 30 %, 60 % and 80 % of its run. Yours: 20 epochs of 39 updates, the "
        "scheduler stepped after each update.",
        "30 % of 780 updates are 234, that is six whole epochs. Dividing by 5 is gamma=0.2.",
        expected=piecewise_constant([234, 468, 624], [0.1 * 0.2**drops for drops in range(4)]),
        updates=780,
        mistakes=(
            Mistake(
                lambda optimizer: _multi_step(optimizer, [6, 12, 16]),
                "6, 12 and 16 are epochs, and your scheduler counts updates: all drops are over in the first epoch",
            ),
            Mistake(
                lambda optimizer: _multi_step(optimizer, [233, 467, 623]),
                "one early: after six epochs 234 updates have been made, and PyTorch drops at the milestone",
            ),
            Mistake(
                lambda optimizer: _multi_step(optimizer, [234, 468, 624], 0.1),
                "the drops are in the right places; gamma is what the rate is multiplied by at each",
            ),
            Mistake(
                lambda optimizer: _multi_step(optimizer, [240, 480, 640]),
                "that is 40 updates an epoch; this run has 39",
            ),
        ),
    ),
    Numbers(
        "for_keras_boundaries",
        "model.fit on 10,000 images, batch 128: new values are wanted from the 3rd and the 6th epoch on. Which "
        "boundaries does Keras' own PiecewiseConstantDecay need?",
        "fit makes 79 updates an epoch, the last a smaller batch; a boundary is the last update of the old value.",
        expected=(157, 394),
        mistakes=(
            Mistake((158, 395), "one late: at k = boundary Keras still uses the old value"),
            Mistake((155, 389), "fit keeps the last, smaller batch: an epoch has 79 updates, not 78"),
            Mistake((156, 390), "fit keeps the last, smaller batch; and Keras drops one update after its boundary"),
            Mistake((236, 473), "the 3rd epoch starts when two of them are over, not three"),
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
        "too_late",
        "Curvature 1, noise of variance 1, at the floor of 0.1; the rate drops to 0.01. After how many updates is the "
        "mean square within 10 % of the new floor?",
        "The distance to the new floor is multiplied by 0.99 ** 2 an update, and is 9.47 new floors at the drop.",
        expected=227,
        mistakes=(
            Mistake(453, "the mean square is multiplied by the square of 0.99: twice as fast"),
            Mistake(22, "after the drop the small rate is at work: 1 - 0.01 and not 1 - 0.1"),
            Mistake(226, "after 226 updates it is still a little more than 10 % above: round up"),
            Mistake(112, "that is where it reaches twice the floor; 1.1 times is asked for"),
        ),
    ),
    Prediction(
        "deeper_drop",
        "A drop to a hundredth instead of a tenth, after 75 % of the run and at the same peak rate: the test error, by "
        "seed.",
        "The floor is ten times lower, and so is the speed towards it: in the hundred updates that are left, the "
        "jitter of the high rate hardly shrinks.",
        expected="higher",
        example=([3.4, 3.2, 3.6], [3.9, 3.8, 4.0]),
        mistakes=(
            Mistake(("same",), "At a hundredth of the rate the weights hardly move. Where does that leave the jitter?"),
            Mistake(
                ("lower",),
                "A lower floor helps only a run that gets there. How many updates are left, and how fast are they?",
            ),
        ),
    ),
)
