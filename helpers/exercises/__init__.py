"""Exercises that answer. ``check.<name>(answer)`` says right, not attempted, or wrong and why.

>>> from helpers.exercises import check
>>> check.updates_of_a_run(...)
○ not attempted: replace the three dots by a number, and run the cell again
>>> check.updates_of_a_run(1175)
✗ wrong: that keeps the last, smaller batch of each epoch: 235 batches instead of 234
>>> bool(check.updates_of_a_run(1170))
True

Each lesson's exercises are in a file of their own; `kinds` holds what they are made of, `diagnosis` turns a wrong curve
into a sentence. Solutions are notebooks, in ``notebooks/solutions``.
"""

from __future__ import annotations

import difflib

from . import (
    lesson_00,
    lesson_01,
    lesson_02,
    lesson_03,
    lesson_04,
    lesson_05,
    lesson_06,
    lesson_07,
    lesson_08,
    lesson_10,
    lesson_11,
    lesson_12,
    lesson_13,
    lesson_15,
)
from .kinds import Exercise
from .verdict import Verdict

__all__ = ["LESSONS", "Verdict", "check"]

LESSONS: dict[str, tuple[Exercise, ...]] = {
    module.__name__[-2:]: module.EXERCISES
    for module in (
        lesson_00,
        lesson_01,
        lesson_02,
        lesson_03,
        lesson_04,
        lesson_05,
        lesson_06,
        lesson_07,
        lesson_08,
        lesson_10,
        lesson_11,
        lesson_12,
        lesson_13,
        lesson_15,
    )
}


class _Checks:
    """The exercises by name, as attributes."""

    def __init__(self, exercises: list[Exercise]) -> None:
        self._exercises = {exercise.name: exercise for exercise in exercises}
        if len(self._exercises) != len(exercises):
            raise ValueError("two exercises have the same name")

    def __getattr__(self, name: str) -> Exercise:
        try:
            return self.__dict__["_exercises"][name]
        except KeyError:
            close = difflib.get_close_matches(name, self.__dict__.get("_exercises", {}), n=1)
            hint = f"; did you mean check.{close[0]}?" if close else ""
            raise AttributeError(f"there is no exercise {name!r}{hint}") from None

    def __dir__(self) -> list[str]:
        return sorted(self._exercises)


check = _Checks([exercise for exercises in LESSONS.values() for exercise in exercises])
