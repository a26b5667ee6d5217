"""Exercises that answer. ``check.<name>(answer)`` says right, not attempted, or wrong and why.

>>> from helpers.exercises import check
>>> check.updates_of_a_run(...)
○ not attempted: replace the three dots by a number, and run the cell again
>>> check.updates_of_a_run(1175)
✗ wrong: that keeps the last, smaller batch of each epoch: 235 batches instead of 234
>>> bool(check.updates_of_a_run(1170))
True

Each lesson's exercises are in a file of their own. What they are made of is in `kinds` (answers on paper), `practice`
(answers that are used) and `native` (answers in a framework's own words); `diagnosis` turns a wrong curve into a
sentence. Solutions are notebooks, in ``notebooks/solutions``.
"""

from __future__ import annotations

import difflib
import importlib

from .kinds import Exercise
from .verdict import Verdict

__all__ = ["LESSONS", "Verdict", "check"]

_NUMBERS = ("00", "01", "02", "03", "04", "05", "06", "07", "08", "09", "10", "11", "12", "13", "14", "15", "16", "18")
LESSONS: dict[str, tuple[Exercise, ...]] = {
    number: importlib.import_module(f".lesson_{number}", __name__).EXERCISES for number in _NUMBERS
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
