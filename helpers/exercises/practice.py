"""Exercises whose answer is used for real: a schedule, a run, a scheduler, a prediction put to the test.

Those in a framework's own words are in `native`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..schedules import Schedule
from .diagnosis import diagnose, same
from .kinds import Blank, Exercise, Mistake, Problem, call, is_blank, must_be_callable
from .verdict import Verdict

__all__ = ["KerasMomentum", "Prediction", "RecordedRun", "ScheduleAnswer", "SchedulerAnswer"]


@dataclass(frozen=True)
class ScheduleAnswer(Exercise):
    """A schedule put together from the course's pieces, compared over a run of ``updates``, and momentum with it."""

    expected: Schedule = field(kw_only=True)
    updates: int = field(kw_only=True)

    def judge(self, answer: Any) -> None:
        if not isinstance(answer, Schedule):
            raise Problem(f"a schedule of helpers.schedules is asked for, you gave {answer!r}")
        if self._same(answer, self.expected):
            return
        for mistake in self.mistakes:
            if self._same(answer, mistake.answer):
                raise Problem(mistake.hint)
        k, steps = self._k(), self.updates
        if not same(answer(k), self.expected(k)):
            raise Problem(diagnose(answer(k), self.expected(k), steps))
        if answer.momentum is None or self.expected.momentum is None:
            raise Problem("the learning rate is right; " + ("momentum is missing" if answer.momentum is None else ""))
        raise Problem(diagnose(answer.momentum(k), self.expected.momentum(k), steps, "momentum"))

    def _k(self) -> NDArray[np.int64]:
        return np.arange(self.updates + 5)

    def _same(self, one: Schedule, other: Schedule) -> bool:
        if not same(one(self._k()), other(self._k())):
            return False
        if self.expected.momentum is None:
            return True
        return one.momentum is not None and other.momentum is not None and same(*self._momenta(one, other))

    def _momenta(self, *schedules: Schedule) -> list[Any]:
        return [schedule.momentum(self._k()) for schedule in schedules if schedule.momentum is not None]


@dataclass(frozen=True)
class RecordedRun(Exercise):
    """A ``training.Run``: the learning rates it really used are compared with the schedule for a run that long.

    A mistake's answer is another schedule: number of updates -> schedule.
    """

    expected: Callable[[int], Schedule] = field(kw_only=True)
    fill_in: ClassVar[str] = "train, pass the run in the place of the three dots, and run the cell again"

    def judge(self, answer: Any) -> None:
        rates = getattr(answer, "learning_rates", None)
        if not isinstance(rates, list) or not rates:
            raise Problem(f"a run that made updates is asked for, as fit_torch returns it; you gave {type(answer)!r}")
        got, k = np.array(rates), np.arange(len(rates))
        expected = self.expected(len(rates))(k)
        if same(got, expected):
            return
        for mistake in self.mistakes:
            if same(got, mistake.answer(len(rates))(k)):
                raise Problem(mistake.hint)
        raise Problem(diagnose(got, expected, len(rates)))

    def answer_of(self, mistake: Mistake) -> Any:
        """A run of 40 updates that followed the mistake's schedule."""

        class Recorded:
            learning_rates: ClassVar[list[float]] = mistake.answer(40)(np.arange(40)).tolist()

        return Recorded()


# ------------------------------------------------------------------------- things that really train
@dataclass(frozen=True)
class SchedulerAnswer(Exercise):
    """A function of an optimizer that returns a PyTorch scheduler; its rates over a run are compared.

    Parameters
    ----------
    expected : Schedule
        What the optimizer should hold, update by update: the rate; and the momentum, where the schedule has one.
    updates : int
        How many are made, with a step of the scheduler between two of them.

    Notes
    -----
    A mistake's answer is another such function.
    """

    expected: Schedule = field(kw_only=True)
    updates: int = field(kw_only=True)
    fill_in: ClassVar[str] = "write the function's body, and run the cell again"

    def judge(self, answer: Any) -> None:
        must_be_callable(answer)
        got, expected = self._used(answer), self._meant()
        if self._agree(got, expected):
            return
        for mistake in self.mistakes:
            if self._agree(got, self._used(mistake.answer)):
                raise Problem(mistake.hint)
        if len(got) < self.updates:
            raise Problem(f"your scheduler refuses to go on after {len(got)} of {self.updates} updates")
        for used, meant, what in zip(got.T, expected.T, ("learning rate", "momentum"), strict=False):
            if not same(used, meant):
                raise Problem(diagnose(used, meant, self.updates, what))

    @staticmethod
    def _agree(one: NDArray[np.float64], other: NDArray[np.float64]) -> bool:
        """Up to rounding: some schedulers multiply the rate at every step, others use the formula."""
        return len(one) == len(other) and same(one, other)

    def _meant(self) -> NDArray[np.float64]:
        k, momentum = np.arange(self.updates), self.expected.momentum
        return np.column_stack([self.expected(k)] if momentum is None else [self.expected(k), momentum(k)])

    def _used(self, attach: Any) -> NDArray[np.float64]:
        """What the optimizer holds at each update, a row each; fewer when the scheduler refuses to go on."""
        import torch

        optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1, momentum=0.9)
        names = ("lr",) if self.expected.momentum is None else ("lr", "momentum")
        scheduler, used = call(attach, optimizer), list[list[float]]()
        if scheduler is None:
            raise Blank
        if not isinstance(scheduler, torch.optim.lr_scheduler.LRScheduler):
            raise Problem(f"a scheduler of torch.optim.lr_scheduler is asked for, your function returns {scheduler!r}")
        for _ in range(self.updates):
            used.append([float(optimizer.param_groups[0][name]) for name in names])
            optimizer.step()
            try:
                scheduler.step()
            except (ValueError, IndexError):  # it counts its steps, or looks them up in a list
                break
        return np.array(used)


@dataclass(frozen=True)
class Prediction(Exercise):
    """What a reader expects of an experiment, then the experiment: two lists of errors, paired by seed.

    Call it with the prediction and the errors before and after the change.

    Parameters
    ----------
    expected : str
        How it comes out: "lower", "same" or "higher"; "same" when the 95 % interval of the difference contains 0.
    example : tuple of two lists
        Errors that come out so.
    unit : str
        Of the difference, as the verdict writes it.

    Notes
    -----
    A mistake's answer is another prediction, its hint what to ask oneself. ``praise`` explains the outcome.
    """

    expected: str = field(kw_only=True)
    example: tuple[Any, Any] = field(kw_only=True)
    unit: str = field(default=" points", kw_only=True)
    fill_in: ClassVar[str] = "write down your prediction, then run the experiment, and run the cell again"

    def __call__(self, answer: Any = None, *measured: Any) -> Verdict:
        return super().__call__((answer, *measured) if measured else answer)

    def judge(self, answer: Any) -> None:
        prediction, *measured = answer if isinstance(answer, tuple) else (answer,)
        if prediction not in ("lower", "same", "higher"):
            raise Problem(f"predict 'lower', 'same' or 'higher'; you gave {prediction!r}")
        if not measured or any(is_blank(one) for one in measured):
            raise Blank
        came_out, says = self._outcome(*measured)
        if prediction == came_out == self.expected:
            return
        if came_out != self.expected:
            raise Problem(
                f"your runs say {says}, where {self.expected!r} is usual: train more seeds before you explain"
            )
        for mistake in self.mistakes:
            if prediction == mistake.answer[0]:
                raise Problem(mistake.hint)

    def _outcome(self, before: Any, after: Any) -> tuple[str, str]:
        from ..statistics import interval

        try:
            difference, half = interval(np.asarray(after, dtype=float) - np.asarray(before, dtype=float))
        except (TypeError, ValueError) as error:
            raise Problem(f"two lists of errors, one number a seed, are asked for: {error}") from None
        came_out = "same" if not abs(difference) > half else "higher" if difference > 0 else "lower"
        return came_out, f"{came_out!r} ({difference:+.2f} ± {half:.2f}{self.unit})"

    def answer_of(self, mistake: Mistake) -> Any:
        """Another prediction, and errors that come out as expected."""
        return (*mistake.answer, *self.example)


@dataclass(frozen=True)
class KerasMomentum(Exercise):
    """A Keras optimizer; the momentum of each update is read off the weights of a model it really trains.

    The loss is the mean of the only weight, so every gradient is 1, and the momentum of update k is
    ``(step_k + lr) / step_{k-1}``. A mistake's answer is the momentum schedule that was really used.

    Parameters
    ----------
    expected : Schedule
        Of momentum. Compared from update 1 on: no step comes before that of update 0.
    learning_rate : float
        What the optimizer has to use at every update.
    updates : int
        How many are made.
    """

    expected: Schedule = field(kw_only=True)
    learning_rate: float = field(kw_only=True)
    updates: int = field(kw_only=True)
    fill_in: ClassVar[str] = "build the optimizer, and run the cell again"

    def judge(self, answer: Any) -> None:
        import keras

        if not isinstance(answer, keras.optimizers.Optimizer):
            raise Problem(f"a Keras optimizer is asked for, you gave {answer!r}")
        got = self._measure(answer)
        k = np.arange(1, self.updates)
        if self._near(got, self.expected(k)):
            return
        for mistake in self.mistakes:
            if self._near(got, mistake.answer(k)):
                raise Problem(mistake.hint)
        at = int(np.argmax(np.abs(got - self.expected(k))))
        raise Problem(
            f"update {at + 1} used momentum {got[at]:.4f}, read off the weights; asked for: {self.expected(at + 1):.4f}"
        )

    @staticmethod
    def _near(a: NDArray[np.float64], b: NDArray[np.float64]) -> bool:
        return bool(np.allclose(a, b, atol=2e-4))

    def _measure(self, optimizer: Any) -> NDArray[np.float64]:
        import keras

        model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
        try:
            copy = type(optimizer).from_config(optimizer.get_config())  # the answer itself stays as it was
            model.compile(optimizer=copy, loss=lambda truth, predicted: keras.ops.mean(predicted), jit_compile=False)
            weight = _Weights()
            ones = np.ones((self.updates, 1))
            model.fit(ones, ones, batch_size=1, shuffle=False, verbose=0, callbacks=[weight.note()])
        except Exception as error:
            raise Problem(f"training with this optimizer raises {type(error).__name__}: {error}") from None
        steps = np.diff(weight.values)
        if len(steps) < self.updates or not np.isclose(steps[0], -self.learning_rate, rtol=1e-4):
            raise Problem(f"the learning rate should be {self.learning_rate:g}; the first step says {-steps[0]:g}")
        return (steps[1:] + self.learning_rate) / steps[:-1]

    def answer_of(self, mistake: Mistake) -> Any:
        """A Keras optimizer that uses the mistake's momentum."""
        from ..for_keras import SGD

        return SGD(self.learning_rate, momentum=mistake.answer, steps=self.updates)


class _Weights:
    """The only weight of a model, before the first and after every update."""

    def __init__(self) -> None:
        self.values: list[float] = []

    def note(self) -> Any:
        """A Keras callback that notes it."""
        import keras

        def read(*_: Any, **__: Any) -> None:
            self.values.append(float(keras.ops.convert_to_numpy(callback.model.trainable_variables[0])[0, 0]))

        callback = keras.callbacks.LambdaCallback(on_train_begin=read, on_train_batch_end=read)
        return callback
