"""Exercises whose answer is used for real: a schedule, a recorded run, a training loop, a Keras optimizer."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..schedules import Schedule, linear
from .diagnosis import diagnose, same, text
from .kinds import Blank, Exercise, Mistake, Problem, call, must_be_callable

__all__ = ["KerasMomentum", "Loop", "RecordedRun", "ScheduleAnswer"]


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
class Loop(Exercise):
    """A training loop, ``loop(optimizer, scheduler, updates)``, run on a real PyTorch optimizer and watched."""

    updates: ClassVar[int] = 6
    fill_in: ClassVar[str] = "write the loop, and run the cell again"

    def judge(self, answer: Any) -> None:
        must_be_callable(answer)
        got, expected = self._watch(answer), self._schedule()
        if got == [expected(k) for k in range(self.updates)]:
            return
        for mistake in self.mistakes:
            if got == self._watch(mistake.answer):
                raise Problem(mistake.hint)
        raise Problem(f"asked for {self.updates} updates, your loop made {len(got)}, with the rates {text(got)}")

    @staticmethod
    def _is_empty(answer: Any) -> bool:
        code = getattr(answer, "__code__", None)
        return code is not None and not code.co_names  # it calls nothing and reads no attribute

    @staticmethod
    def _schedule() -> Schedule:
        return linear(0.6, 0.0, Loop.updates)

    def _watch(self, loop: Any) -> list[float]:
        """The learning rates that the optimizer holds whenever the loop makes an update."""
        import torch

        from ..for_torch import Scheduler

        optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
        scheduler, used = Scheduler(optimizer, self._schedule()), []
        optimizer.register_step_pre_hook(lambda *_: used.append(optimizer.param_groups[0]["lr"]))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PyTorch warns about the order; the verdict says it better
            returned = call(loop, optimizer, scheduler, self.updates)
        if not used and returned is None and self._is_empty(loop):
            raise Blank
        return used


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
