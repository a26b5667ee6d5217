"""Exercises in a framework's own words: a PyTorch loop, an optimizer, a seeded start, a Keras schedule; all are run."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..schedules import Schedule, linear
from .diagnosis import diagnose, same, text
from .kinds import Blank, Exercise, Problem, must_be_callable

__all__ = ["AccumulatingLoop", "AveragingLoop", "KerasRates", "SameStart", "Walk"]


def run(function: Any, *arguments: Any) -> Any:
    """As `kinds.call`, for arguments that would not tell a learner anything: models and optimizers."""
    must_be_callable(function)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PyTorch warns about the order of two calls; the verdict says it better
            return function(*arguments)
    except NotImplementedError:
        raise Blank from None
    except Exception as error:
        raise Problem(f"your function raises {type(error).__name__}: {error}") from None


@dataclass(frozen=True)
class AccumulatingLoop(Exercise):
    """A loop of PyTorch, ``loop(model, optimizer, scheduler, batches)``, that makes one update of four batches.

    It is run on a model of one weight and watched: at each update, the learning rate and the gradient that the
    optimizer holds are compared. A mistake's answer is another loop.
    """

    every: ClassVar[int] = 4
    updates: ClassVar[int] = 3
    fill_in: ClassVar[str] = "write the loop, and run the cell again"

    def judge(self, answer: Any) -> None:
        got, expected = self._watch(answer), self._expected()
        if self._agree(got, expected):
            return
        for mistake in self.mistakes:
            if self._agree(got, self._watch(mistake.answer)):
                raise Problem(mistake.hint)
        if len(got) != len(expected):
            batches = self.every * self.updates
            raise Problem(f"{batches} batches are {self.updates} updates of {self.every}, your loop made {len(got)}")
        wrong = next(k for k in range(len(got)) if not same(got[k], expected[k]))
        for what, number, target in zip(("learning rate", "gradient"), got[wrong], expected[wrong], strict=True):
            if not same(number, target):
                raise Problem(f"update {wrong} should use the {what} {text(target)}, it used {text(number)}")

    @staticmethod
    def _agree(one: NDArray[np.float64], other: NDArray[np.float64]) -> bool:
        return one.shape == other.shape and same(one, other)

    @classmethod
    def _schedule(cls) -> Schedule:
        return linear(0.6, 0.0, cls.updates)

    @classmethod
    def _expected(cls) -> NDArray[np.float64]:
        gradients = np.arange(1.0, cls.every * cls.updates + 1).reshape(cls.updates, cls.every).mean(axis=1)
        return np.stack([cls._schedule()(np.arange(cls.updates)), gradients], axis=1)

    def _watch(self, loop: Any) -> NDArray[np.float64]:
        """(learning rate, gradient) at each update: an array of two columns."""
        import torch

        from ..for_torch import Scheduler

        model, used = torch.nn.Linear(1, 1, bias=False).double(), list[tuple[float, float]]()
        optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
        scheduler = Scheduler(optimizer, self._schedule())

        def note(*_: Any) -> None:
            gradient = model.weight.grad
            used.append((optimizer.param_groups[0]["lr"], np.nan if gradient is None else gradient.item()))

        optimizer.register_step_pre_hook(note)
        # the gradient of the mean output is the mean of the batch: 1 for the first batch, 2 for the second, ...
        batches = [torch.full((2, 1), j + 1.0, dtype=torch.float64) for j in range(self.every * self.updates)]
        returned = run(loop, model, optimizer, scheduler, batches)
        if not used and (returned is None or returned is ...) and self._is_empty(loop):
            raise Blank
        return np.array(used, dtype=float).reshape(-1, 2)

    @staticmethod
    def _is_empty(loop: Any) -> bool:
        code = getattr(loop, "__code__", None)
        return code is not None and not code.co_names  # it calls nothing and reads no attribute


@dataclass(frozen=True)
class AveragingLoop(Exercise):
    """A loop of PyTorch, ``loop(model, optimizer, batches, last)``, that returns a model with averaged weights.

    It is run on a model of one weight, whose gradients are 1, 2, 3, ...: the mean of the weights after each of the last
    updates is compared. A mistake's answer is another loop.
    """

    cases: ClassVar[tuple[tuple[int, int], ...]] = ((10, 4), (6, 5))  # updates, of which the last are averaged
    fill_in: ClassVar[str] = "write the loop, and run the cell again"

    def judge(self, answer: Any) -> None:
        got, expected = self._averages(answer), np.array([self._expected(*case) for case in self.cases])
        if same(got, expected):
            return
        for mistake in self.mistakes:
            if same(got, self._averages(mistake.answer)):
                raise Problem(mistake.hint)
        (updates, last), number, target = next(
            one for one in zip(self.cases, got, expected.tolist(), strict=True) if not same(one[1], one[2])
        )
        raise Problem(
            f"for {updates} batches and last={last} the averaged weight is {text(target)}, yours is {text(number)}"
        )

    @staticmethod
    def _expected(updates: int, last: int) -> float:
        weights = -np.cumsum(np.arange(1.0, updates + 1))  # the rate is 1
        return float(weights[-last:].mean())

    def _averages(self, loop: Any) -> NDArray[np.float64]:
        return np.array([self._average(loop, *case) for case in self.cases])

    @staticmethod
    def _average(loop: Any, updates: int, last: int) -> float:
        import torch

        model = torch.nn.Linear(1, 1, bias=False).double()
        torch.nn.init.zeros_(model.weight)
        optimizer, made = torch.optim.SGD(model.parameters(), lr=1.0), list[int]()
        optimizer.register_step_post_hook(lambda *_: made.append(1))
        # the gradient of the mean output is the mean of the batch: 1 for the first batch, 2 for the second, ...
        batches = [torch.full((2, 1), j + 1.0, dtype=torch.float64) for j in range(updates)]
        returned = run(loop, model, optimizer, batches, last)
        if returned is None or returned is ...:
            if not made:
                raise Blank
            raise Problem("your loop trains, and returns nothing: return the averaged model")
        if not isinstance(returned, torch.nn.Module) or len(list(returned.parameters())) != 1:
            raise Problem(f"an AveragedModel of `model` is asked for, your loop returns {returned!r}")
        if len(made) != updates:
            raise Problem(f"{updates} batches are {updates} updates, your loop made {len(made)}")
        return float(next(returned.parameters()).item())


@dataclass(frozen=True)
class Walk(Exercise):
    """A function of a list of parameters that returns a PyTorch optimizer, which then walks down a parabola.

    A mistake's answer is another such function. What is compared is the path, so it does not matter how the optimizer
    was written down.

    Parameters
    ----------
    expected : callable
        The right function.
    curvatures : tuple of float
        Of the parabola, one a direction; the walk starts at 1 in each.
    """

    expected: Callable[[Any], Any] = field(kw_only=True)
    curvatures: tuple[float, ...] = field(kw_only=True)
    updates: ClassVar[int] = 60
    fill_in: ClassVar[str] = "write the function's body, and run the cell again"

    def judge(self, answer: Any) -> None:
        got, expected = self._path(answer), self._path(self.expected)
        if same(got, expected):
            return
        for mistake in self.mistakes:
            if same(got, self._path(mistake.answer)):
                raise Problem(mistake.hint)
        if not np.abs(got[-1]).max() <= 1:
            raise Problem(f"it diverges: after {self.updates} updates a weight that began at 1 is beyond 1")
        first = int(np.flatnonzero(~np.isclose(got, expected, rtol=1e-6, atol=1e-12).all(axis=1))[0])
        where = text(tuple(float(f"{x:.3g}") for x in got[first]))
        raise Problem(f"it is stable, but update {first - 1} takes it to {where}, which is not where it should be")

    def _path(self, make: Any) -> NDArray[np.float64]:
        import torch

        x = torch.ones(len(self.curvatures), dtype=torch.float64, requires_grad=True)
        optimizer, path = run(make, [x]), [x.detach().numpy().copy()]
        if optimizer is None or optimizer is ...:
            raise Blank
        if not isinstance(optimizer, torch.optim.Optimizer):
            raise Problem(f"an optimizer of torch.optim is asked for, your function returns {optimizer!r}")
        h = torch.tensor(self.curvatures, dtype=torch.float64)
        for _ in range(self.updates):
            optimizer.zero_grad()
            (0.5 * h * x**2).sum().backward()
            optimizer.step()
            path.append(x.detach().numpy().copy())
        return np.array(path)


@dataclass(frozen=True)
class SameStart(Exercise):
    """A function of a PyTorch dataset and a seed that returns a model and a loader, both given by the seed.

    It is called several times, with random numbers drawn in between, and the weights and the order of the examples are
    compared. A mistake's answer is another such function, and is recognised by what of it is given by the seed.
    """

    examples: ClassVar[int] = 32
    fill_in: ClassVar[str] = "write the function's body, and run the cell again"

    def judge(self, answer: Any) -> None:
        found = self._observe(answer)
        if all(found.values()):
            return
        for mistake in self.mistakes:
            if found == self._observe(mistake.answer):
                raise Problem(mistake.hint)
        raise Problem(f"what is not so: {next(what for what, holds in found.items() if not holds)}")

    def _observe(self, prepare: Any) -> dict[str, bool]:
        import torch

        state = torch.get_rng_state()
        try:
            torch.seed()  # whatever the learner's last cell left
            (first, order), (again, order_again) = self._start(prepare, 7, drawn=3), self._start(prepare, 7, drawn=11)
            other, order_other = self._start(prepare, 8, drawn=3)
        finally:
            torch.set_rng_state(state)
        return {
            "the same seed gives the same weights": same(first, again),
            "another seed gives other weights": not same(first, other),
            "the batches are shuffled": order != sorted(order),
            "the same seed gives the same batches": order == order_again,
            "another seed gives other batches": order != order_other,
        }

    def _start(self, prepare: Any, seed: int, *, drawn: int) -> tuple[NDArray[np.float64], list[int]]:
        """The weights, and the examples in the order of a first pass before which other random numbers are drawn."""
        import torch

        numbers = torch.arange(self.examples, dtype=torch.float32)
        dataset = torch.utils.data.TensorDataset(numbers.repeat(3, 1).T, torch.zeros(self.examples, dtype=torch.int64))
        returned = run(prepare, dataset, seed)
        if returned is None or returned is ...:
            raise Blank
        if not (isinstance(returned, tuple) and len(returned) == 2 and isinstance(returned[0], torch.nn.Module)):
            raise Problem(f"a model and a loader are asked for, your function returns {returned!r}")
        model, loader = returned
        weights = torch.cat([part.detach().flatten() for part in model.parameters()])
        torch.rand(drawn)  # as dropout would, or another model
        try:
            batches = [batch[0] for batch in loader]
            order = [int(example[0]) for batch in batches for example in batch]
        except Exception as error:
            raise Problem(f"going through your loader raises {type(error).__name__}: {error}") from None
        if sorted(order) != list(range(self.examples)) or {len(batch) for batch in batches} != {4}:
            raise Problem("the loader should give each example once, four in a batch")
        return weights.numpy().astype(np.float64), order


@dataclass(frozen=True)
class KerasRates(Exercise):
    """A Keras optimizer with a schedule; the learning rates that it uses in a real ``fit`` are compared.

    A mistake's answer is the schedule that was really used.

    Parameters
    ----------
    expected : Schedule
        What is asked for.
    examples, batch_size, epochs : int
        Of the fit, which keeps the last, smaller batch.
    """

    expected: Schedule = field(kw_only=True)
    examples: int = field(kw_only=True)
    batch_size: int = field(kw_only=True)
    epochs: int = field(kw_only=True)
    fill_in: ClassVar[str] = "build the optimizer, and run the cell again"

    def judge(self, answer: Any) -> None:
        import keras

        if isinstance(answer, keras.optimizers.schedules.LearningRateSchedule):
            raise Problem("that is a schedule: give it to an optimizer, keras.optimizers.SGD(schedule)")
        if not isinstance(answer, keras.optimizers.Optimizer):
            raise Problem(f"a Keras optimizer is asked for, you gave {answer!r}")
        got = self._rates(answer)
        k = np.arange(len(got))
        if self._near(got, self.expected(k)):
            return
        for mistake in self.mistakes:
            if self._near(got, mistake.answer(k)):
                raise Problem(mistake.hint)
        raise Problem(diagnose(got, self.expected(k), len(got)))

    @staticmethod
    def _near(a: NDArray[np.float64], b: NDArray[np.float64]) -> bool:
        return bool(np.allclose(a, b, rtol=1e-4, atol=1e-7))  # Keras computes in float32

    def _rates(self, optimizer: Any) -> NDArray[np.float64]:
        import keras

        from ..for_keras import Watch

        model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
        ones, watch = np.ones((self.examples, 1)), Watch()
        try:
            copy = type(optimizer).from_config(optimizer.get_config())  # the answer itself stays as it was
            model.compile(optimizer=copy, loss="mse", jit_compile=False)
            model.fit(ones, ones, batch_size=self.batch_size, epochs=self.epochs, verbose=0, callbacks=[watch])
        except Exception as error:
            raise Problem(f"training with this optimizer raises {type(error).__name__}: {error}") from None
        return np.array(watch.trace().groups[0]["lr"])

    def answer_of(self, mistake: Any) -> Any:
        """A Keras optimizer that uses the mistake's rates."""
        import keras

        from ..for_keras import KerasSchedule

        return keras.optimizers.SGD(KerasSchedule(mistake.answer, steps=self.epochs * self.examples))
