"""Lesson 10, warmup and cosine: the half wave, a join in epochs, restarts, Keras' counting, what its tables support."""

from __future__ import annotations

import numpy as np

from ..schedules import Schedule, cosine, warmup
from .kinds import Choice, CurveFunction, Exercise, Mistake, Numbers
from .practice import ScheduleAnswer

_EPOCH = 468


def _cosine(initial_lr: float, decay_steps: int, end_lr: float) -> Schedule:
    return cosine(initial_lr, decay_steps, end_lr=end_lr)


def _joined(warm: int, fall: int, start: float = 0.001) -> Schedule:
    return warmup(start, 0.4, warm).then(cosine(0.4, fall))


EXERCISES: tuple[Exercise, ...] = (
    CurveFunction(
        "cosine_by_hand",
        "half_cosine(k, initial_lr, decay_steps, end_lr): a half wave from initial_lr to end_lr, then held.",
        "end + (initial - end) * (1 + cos(pi k / steps)) / 2, and k never beyond steps.",
        parameters=("initial_lr", "decay_steps", "end_lr"),
        reference=_cosine,
        cases=(
            (0.5, 10, 0.05),
            (1.0, 2, 0.0),
            (1.0, 4, 0.0),
            (0.1, 3, 0.01),
            (0.5, 7, 0.1),
            (0.1, 5, 0.1),
            (3.0, 20, 0.0),
            (0.2, 25, 0.02),
            (1.0, 100, 0.001),
        ),
        steps=lambda initial_lr, decay_steps, end_lr: decay_steps,
        mistakes=(
            Mistake(
                lambda k, top, n, end: end + (top - end) * (1 + np.cos(np.pi * k / n)) / 2,
                "right up to decay_steps, but then it comes up again: hold the end value, min(k / decay_steps, 1)",
            ),
            Mistake(
                lambda k, top, n, end: top * (1 + np.cos(np.pi * np.minimum(k / n, 1))) / 2,
                "end_lr is missing: it stands below the whole wave",
            ),
            Mistake(
                lambda k, top, n, end: end + top * (1 + np.cos(np.pi * np.minimum(k / n, 1))) / 2,
                "it starts at initial_lr + end_lr: the wave is initial_lr - end_lr high",
            ),
            Mistake(
                lambda k, top, n, end: end + (top - end) * np.cos(np.pi / 2 * np.minimum(k / n, 1)),
                "that is a quarter of a wave: its slope at the end is not zero",
            ),
            Mistake(
                lambda k, top, n, end: end + (top - end) * (1 + np.cos(np.pi * np.minimum(k / (n - 1), 1))) / 2,
                "you divided by decay_steps - 1: the end belongs to k = decay_steps",
            ),
        ),
    ),
    ScheduleAnswer(
        "warmup_in_epochs",
        "5 epochs of 468 updates from 0.001 to 0.4, then a cosine to 0 until 30 epochs are over.",
        "2,340 updates of warmup and 11,700 of cosine: 14,040 in all.",
        expected=_joined(5 * _EPOCH, 25 * _EPOCH),
        updates=30 * _EPOCH,
        mistakes=(
            Mistake(_joined(5, 25), "a schedule counts updates: an epoch is 468 of them"),
            Mistake(
                _joined(5 * _EPOCH, 30 * _EPOCH), "the run would be 35 epochs long: the cosine has what is left, 25"
            ),
            Mistake(
                _joined(5 * _EPOCH, 25 * _EPOCH, start=0.0), "it should start at 0.001: at 0 the first update is lost"
            ),
            Mistake(cosine(0.4, 30 * _EPOCH), "the warmup is missing"),
        ),
    ),
    Numbers(
        "fourth_cycle_ends",
        "First cycle 10 epochs, each twice as long: after how many epochs does the fourth end?",
        "10 + 20 + 40 + 80 = 10 (2^4 - 1).",
        expected=150,
        mistakes=(
            Mistake(80, "that is how long the fourth cycle is: the first three come before it"),
            Mistake(70, "that is where the fourth cycle *begins*"),
            Mistake(160, "10 * 2^4 is one first cycle too many: 10 (2^4 - 1)"),
            Mistake(40, "each is twice as long as the one before"),
        ),
    ),
    Numbers(
        "keras_cosine_steps",
        "The same schedule as Keras' CosineDecay: decay_steps and warmup_steps.",
        "decay_steps does not include the warmup: 11,700 and 2,340. (In Optax and Hugging Face it does.)",
        expected=(25 * _EPOCH, 5 * _EPOCH),
        mistakes=(
            Mistake((30 * _EPOCH, 5 * _EPOCH), "that is Optax' reading; in Keras decay_steps begins after the warmup"),
            Mistake((25, 5), "those are epochs: Keras counts updates"),
            Mistake((5 * _EPOCH, 25 * _EPOCH), "the other way round: decay_steps first"),
        ),
    ),
    Choice(
        "warmup_buys",
        "What do this lesson's tables support?",
        "at 0.8 the paired interval lies below 0. What the best length does at the best rate was not raced.",
        expected="b",
        mistakes=(
            Mistake("a", "at the best rate of each only a warmup of 5 % was raced, and it was not ahead"),
            Mistake("c", "only one length, 5 %, was raced at its own best rate: the tables leave the others open"),
        ),
    ),
)
