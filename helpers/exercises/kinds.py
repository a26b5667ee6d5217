"""What exercises on paper are made of: numbers, a choice, a function, a curve. What is run: `practice`, `native`.

Every kind knows the right answer and some typical wrong ones (`Mistake`), each with the sentence that helps. Any other
answer is compared with the right one, and the difference is described. Whatever an answer does, a check never raises.
"""

from __future__ import annotations

import copy
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from numbers import Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from .diagnosis import diagnose, same, text
from .verdict import Verdict, not_attempted, right, wrong

__all__ = [
    "Blank",
    "Choice",
    "CurveFunction",
    "Exercise",
    "Function",
    "Mistake",
    "Numbers",
    "Problem",
    "call",
    "must_be_callable",
]


@dataclass(frozen=True)
class Mistake:
    """A typical wrong ``answer``, and the ``hint`` that helps whoever gave it."""

    answer: Any
    hint: str


class Problem(Exception):
    """What is wrong with an answer, in a sentence for the learner."""


class Blank(Exception):
    """The answer turned out to be a blank: a function that returns nothing."""


def is_blank(answer: Any) -> bool:
    """Whether nothing was filled in: three dots, None or empty text, also as all the items of a pair."""
    if isinstance(answer, (tuple, list)):
        return all(is_blank(item) for item in answer)
    return answer is None or answer is ... or (isinstance(answer, str) and not answer.strip())


@dataclass(frozen=True)
class Exercise(ABC):
    """One exercise. Call it with an answer to get a `Verdict`.

    Parameters
    ----------
    name : str
        As in ``check.name``.
    task : str
        What is asked, in a line.
    praise : str
        What to take away from the right answer.
    mistakes : tuple of Mistake
        Typical wrong answers, each with the sentence that helps.

    Attributes
    ----------
    fill_in : str
        What to do when nothing has been filled in.
    """

    name: str
    task: str
    praise: str
    mistakes: tuple[Mistake, ...] = field(kw_only=True)
    fill_in: ClassVar[str] = "fill in the blank, and run the cell again"

    def __call__(self, answer: Any = None) -> Verdict:
        try:
            if is_blank(answer):
                raise Blank
            self.judge(answer)
        except Blank:
            return not_attempted(self.fill_in)
        except Problem as problem:
            return wrong(str(problem))
        return right(self.praise)

    @abstractmethod
    def judge(self, answer: Any) -> None:
        """Raise `Problem` unless ``answer`` is right, `Blank` when nothing was filled in."""

    def answer_of(self, mistake: Mistake) -> Any:
        """What somebody who makes ``mistake`` would pass to the check."""
        return mistake.answer


# ----------------------------------------------------------------------------- numbers and choices
@dataclass(frozen=True)
class Numbers(Exercise):
    """One number, or a tuple of them.

    Parameters
    ----------
    expected : float or tuple of float
        The right answer; a mistake's is of the same kind.
    tolerance : float
        Relative, of each number.
    """

    expected: Any = field(kw_only=True)
    tolerance: float = field(default=1e-6, kw_only=True)
    fill_in: ClassVar[str] = "replace the three dots by a number, and run the cell again"

    def judge(self, answer: Any) -> None:
        expected = self._row(self.expected)
        given = self._row(answer)
        if any(is_blank(item) for item in given):
            raise Blank
        numbers = [self._number(item) for item in given]
        if len(numbers) != len(expected):
            raise Problem(f"{len(expected)} numbers are asked for, you gave {len(numbers)}")
        if self._close(numbers, expected):
            return
        for mistake in self.mistakes:
            if self._close(numbers, self._row(mistake.answer)):
                raise Problem(mistake.hint)
        for place, (number, target) in enumerate(zip(numbers, expected, strict=True), start=1):
            if not self._close([number], [target]):
                which = f"number {place} of {len(numbers)}, " if len(numbers) > 1 else ""
                raise Problem(f"{which}{text(number)}, is too {'large' if number > target else 'small'}")

    @staticmethod
    def _row(value: Any) -> list[Any]:
        return list(value) if isinstance(value, (tuple, list, np.ndarray)) else [value]

    @staticmethod
    def _number(value: Any) -> float:
        if isinstance(value, (bool, np.bool_)) or not isinstance(value, (Real, np.generic)):
            raise Problem(f"a number is asked for, you gave {value!r}")
        number = float(value)
        if not math.isfinite(number):
            raise Problem(f"a finite number is asked for, you gave {number}")
        return number

    def _close(self, numbers: Sequence[float], expected: Sequence[float]) -> bool:
        return len(numbers) == len(expected) and all(
            math.isclose(number, target, rel_tol=self.tolerance, abs_tol=1e-12)
            for number, target in zip(numbers, expected, strict=True)
        )


@dataclass(frozen=True)
class Choice(Exercise):
    """One letter; a mistake is another letter with the reason why it is not the one."""

    expected: str = field(kw_only=True)
    fill_in: ClassVar[str] = "replace the three dots by a letter in quotes, and run the cell again"

    def judge(self, answer: Any) -> None:
        letter = answer.strip().lower() if isinstance(answer, str) else answer
        if letter == self.expected:
            return
        for mistake in self.mistakes:
            if letter == mistake.answer:
                raise Problem(mistake.hint)
        letters = sorted([self.expected, *(mistake.answer for mistake in self.mistakes)])
        raise Problem(f"choose one of {', '.join(letters)}; you gave {answer!r}")


# ------------------------------------------------------------------------------------- functions
def call(function: Any, *arguments: Any) -> Any:
    """Call a learner's function; what it raises becomes a `Problem`, NotImplementedError a `Blank`, ``...`` None."""
    try:
        value = function(*arguments)
    except NotImplementedError:
        raise Blank from None
    except Exception as error:
        given = ", ".join(text(argument) for argument in arguments)
        raise Problem(f"your function raises {type(error).__name__} for ({given}): {error}") from None
    return None if is_blank(value) else value


def call_for_number(function: Any, *arguments: Any) -> float:
    """As `call`, for a function that should return a number; NaN stands for None, to be judged by the caller."""
    value = call(function, *copy.deepcopy(arguments))  # a function may sort its lists, and the cases are shared
    if value is None:
        return math.nan
    if isinstance(value, (bool, np.bool_, Real, np.generic)) or (isinstance(value, np.ndarray) and value.size == 1):
        number = float(np.asarray(value).reshape(()))
        if math.isfinite(number):
            return number
    given = ", ".join(text(argument) for argument in arguments)
    raise Problem(f"your function should return one finite number; for ({given}) it returns {value!r}")


def must_be_callable(answer: Any) -> None:
    """Raise `Problem` unless ``answer`` is a function."""
    if not callable(answer):
        raise Problem(f"a function is asked for, you gave {answer!r}")


@dataclass(frozen=True)
class _ByCases(Exercise):
    """A function, compared with ``reference`` on each of the ``cases``.

    A mistake is recognised when the answer agrees with it on all cases.

    Parameters
    ----------
    parameters : tuple of str
        What the function takes, by name.
    reference : callable
        The right function of the same parameters.
    cases : tuple of tuples
        Values of the parameters. The simplest case comes first, and the first that fails is shown.
    tolerance : float
        Relative.
    """

    parameters: tuple[str, ...] = field(kw_only=True)
    reference: Callable[..., Any] = field(kw_only=True)
    cases: tuple[tuple[Any, ...], ...] = field(kw_only=True)
    tolerance: float = field(default=1e-6, kw_only=True)
    fill_in: ClassVar[str] = "write the function's body, and run the cell again"

    def judge(self, answer: Any) -> None:
        must_be_callable(answer)
        failed = next((case for case in self.cases if not self._agree(answer, self.expected(case), case)), None)
        if failed is None:
            return
        if all(np.isnan(self.values(answer, case)).all() for case in self.cases):
            raise Blank
        for mistake in self.mistakes:
            if all(self._agree(answer, self.mistaken(mistake, case), case) for case in self.cases):
                raise Problem(mistake.hint)
        where = ", ".join(f"{name}={text(value)}" for name, value in zip(self.parameters, failed, strict=True))
        raise Problem(f"for {where}{self.difference(self.values(answer, failed), failed)}")

    def _agree(self, answer: Any, values: NDArray[np.float64], case: tuple[Any, ...]) -> bool:
        return same(self.values(answer, case), values, self.tolerance)

    @abstractmethod
    def values(self, answer: Any, case: tuple[Any, ...]) -> NDArray[np.float64]:
        """What ``answer`` returns for ``case``; NaN stands for nothing."""

    @abstractmethod
    def expected(self, case: tuple[Any, ...]) -> NDArray[np.float64]:
        """What a right answer returns for ``case``."""

    @abstractmethod
    def mistaken(self, mistake: Mistake, case: tuple[Any, ...]) -> NDArray[np.float64]:
        """What somebody who makes ``mistake`` returns for ``case``."""

    @abstractmethod
    def difference(self, got: NDArray[np.float64], case: tuple[Any, ...]) -> str:
        """How ``got`` differs from what is expected: the end of a sentence that begins with the case."""


@dataclass(frozen=True)
class Function(_ByCases):
    """A function from ``parameters`` to a number. A mistake's answer is a wrong function of the same parameters."""

    def values(self, answer: Any, case: tuple[Any, ...]) -> NDArray[np.float64]:
        return np.array(call_for_number(answer, *case))

    def expected(self, case: tuple[Any, ...]) -> NDArray[np.float64]:
        return np.array(float(self.reference(*case)))

    def mistaken(self, mistake: Mistake, case: tuple[Any, ...]) -> NDArray[np.float64]:
        return np.array(float(mistake.answer(*case)))

    def difference(self, got: NDArray[np.float64], case: tuple[Any, ...]) -> str:
        returned = "nothing" if np.isnan(got) else text(float(got))
        return f" the answer is {text(float(self.expected(case)))}, your function returns {returned}"


@dataclass(frozen=True)
class CurveFunction(_ByCases):
    """A schedule written by hand, ``f(k, *parameters)``, compared with the course's at every k of a run and beyond.

    A mistake's answer is a function (k, *parameters) of an array k. The first of the cases is an example in which every
    mistake shows in its plainest form, and ``reference`` takes the parameters and returns a schedule.

    Parameters
    ----------
    steps : callable
        Takes the parameters, returns the length of the run in updates.
    what : str
        What the curve shows, as a sentence calls it: "momentum" when ``reference`` returns the schedule of a momentum.
    """

    steps: Callable[..., int] = field(kw_only=True)
    what: str = field(default="learning rate", kw_only=True)

    def values(self, answer: Any, case: tuple[Any, ...]) -> NDArray[np.float64]:
        return np.array([call_for_number(answer, int(k), *case) for k in self._k(case)])

    def expected(self, case: tuple[Any, ...]) -> NDArray[np.float64]:
        return self.reference(*case)(self._k(case))

    def mistaken(self, mistake: Mistake, case: tuple[Any, ...]) -> NDArray[np.float64]:
        return np.asarray(mistake.answer(self._k(case), *case))

    def difference(self, got: NDArray[np.float64], case: tuple[Any, ...]) -> str:
        missing = np.flatnonzero(np.isnan(got))
        if missing.size:
            return f" your function returns nothing at k = {missing[0]}: does every branch return?"
        return f": {diagnose(got, self.expected(case), self.steps(*case), self.what)}"

    def _k(self, case: tuple[Any, ...]) -> NDArray[np.int64]:
        return np.arange(self.steps(*case) + 5)

    def answer_of(self, mistake: Mistake) -> Any:
        """The mistake as a learner writes it: for one k at a time."""
        return lambda k, *case: float(np.asarray(mistake.answer(np.array([k]), *case)).reshape(-1)[0])
