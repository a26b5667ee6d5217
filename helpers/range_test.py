# SPDX-FileCopyrightText: 2026 the authors of the learning-rate schedules course
# SPDX-License-Identifier: MIT
"""The LR range test around your own training loop: suggestions with their spread, and everything left as it was.

Made to be copied: this file and ``schedules.py`` beside it, nothing else of the course. Version 2.0, MIT licence, from
the project "Learning-rate schedules, derived and measured". NumPy 1.26 or newer; PyTorch 2.5 or newer (tried with
2.13.0) or Keras 3.5 or newer (tried with 3.15.1), each imported only by the function that needs it. ::

    import range_test

    def step():                       # PyTorch: one batch of your own loop; it returns its loss
        x, y = next(batches)
        optimizer.zero_grad()
        loss = loss_function(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    test = range_test.range_test_torch(step, optimizer, restore=(model, scheduler, scaler))
    test = range_test.range_test_keras(model, batches)       # Keras: a compiled model, and pairs (x, y)

    test.steepest, test.valley, test.minimum / 10            # three customs, three learning rates
    test.divergence                                          # where the loss had exploded
    range_test.summarise([test, another_seed, and_another])  # what they suggest, and how far they disagree

Afterwards weights, optimizer, BatchNorm statistics, schedulers, loss scale and random generators are bit by bit what
they were, also when a step raises or is interrupted.

A suggestion is a bracket and not a measurement: it moves with the seed, with the number of rungs and with the ends of
the ladder. Smoothing and trimming are fractions of the ladder, so that a longer one is not read with other glasses.

Source of the test: Smith (2017), arXiv 1506.01186, section 3.3. "minimum / 10", "steepest" and "valley": fastai.
"""

from __future__ import annotations

import contextlib
import copy
import math
import random
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING or __package__:
    from .schedules import Schedule, lr_range_test
else:  # copied out of the course, next to schedules.py
    from schedules import Schedule, lr_range_test

if TYPE_CHECKING:
    import keras
    import torch

__all__ = ["RULES", "RangeTest", "Suggestion", "range_test_keras", "range_test_torch", "smoothed", "summarise"]

Array = NDArray[np.float64]
Restore = Callable[[], Any]

SMOOTHING, STOP_FACTOR = 0.1, 4.0


# ------------------------------------------------------------------------------- reading a curve
def smoothed(losses: ArrayLike, width: int) -> Array:
    """Average each loss with its ``width`` neighbours on either side, the nearer the heavier.

    Centred, so that a minimum stays where it is; an exponential average would move it to higher rates. At both ends
    the curve is continued as in a mirror.

    Parameters
    ----------
    losses : array_like, shape (n,)
        Finite.
    width : int
        In losses, at least 0; 0 smooths nothing.

    Returns
    -------
    ndarray, shape (n,)

    Examples
    --------
    >>> smoothed([0.0, 0.0, 4.0, 0.0, 0.0], width=1).tolist()
    [0.0, 1.0, 2.0, 1.0, 0.0]
    """
    if width < 0:
        raise ValueError(f"width must be at least 0, got {width!r}")
    values = np.asarray(losses, dtype=np.float64)
    if len(values) < 2 or width == 0:
        return values.copy()
    weights = width + 1.0 - np.abs(np.arange(-width, width + 1))
    return np.convolve(np.pad(values, width, mode="reflect"), weights / weights.sum(), mode="valid")


def _exploded(losses: Sequence[float], width: int, stop_factor: float) -> bool:
    """Whether the average of the latest losses exceeds ``stop_factor`` times the lowest such average so far.

    An exponential average, whose start is corrected: unlike `smoothed` it knows nothing of the losses to come.
    """
    memory, total, weight, lowest = 1 - 1 / (1 + width / 2), 0.0, 0.0, math.inf
    for loss in losses:
        total, weight = memory * total + loss, memory * weight + 1
        lowest = min(lowest, total / weight)
    return not total / weight <= stop_factor * lowest


def _longest_descent(losses: Array) -> tuple[int, int]:
    """Where the longest strictly falling subsequence ends, and of how many losses it consists."""
    lengths = np.ones(len(losses), dtype=np.int64)
    for i, loss in enumerate(losses):
        lengths[i] += max(lengths[:i][losses[:i] > loss], default=0)
    return int(np.argmax(lengths)), int(lengths.max())


@dataclass(frozen=True, eq=False)
class RangeTest:
    """What a range test found.

    The suggestions are learning rates, or NaN where the curve has none.

    Attributes
    ----------
    rates, losses : ndarray, shape (n,)
        The learning rate of each rung that was tried, and the loss of its batch, before its update.
    ladder : Schedule
        The rates that were planned; ``n`` is smaller than ``ladder.steps`` when the loss exploded on the way.
    smoothing : float
        Half the width of the average, as a fraction of the planned rungs. As many rungs are left out at the start.
    stop_factor : float
        The test stops when the averaged loss exceeds so many times its lowest.
    """

    rates: Array
    losses: Array
    ladder: Schedule
    smoothing: float = SMOOTHING
    stop_factor: float = STOP_FACTOR

    @property
    def width(self) -> int:
        """The half-width of the average in rungs."""
        return round(self.smoothing * self.ladder.steps)

    @cached_property
    def smoothed(self) -> Array:
        """The smoothed losses, as far as they are finite.

        A loss higher than ``stop_factor`` times the first ones counts as just that: where a loss explodes is found,
        and how high it flies does not matter.
        """
        finite = self.losses[np.isfinite(self.losses)]
        return smoothed(np.minimum(finite, self.stop_factor * np.median(finite[: self.width + 1])), self.width)

    @property
    def minimum(self) -> float:
        """Where the smoothed loss is lowest. A tenth of it is a common suggestion."""
        return self._rate(self._lowest)

    @property
    def steepest(self) -> float:
        """Where the smoothed loss falls fastest against log(rate), before its minimum."""
        start, end = self.width, self._lowest + 1
        if end < start + 2:
            return math.nan
        slope = np.gradient(self.smoothed[start:end], np.log(self.rates[start:end]))
        return self._rate(start + int(np.argmin(slope))) if slope.min() < 0 else math.nan

    @property
    def valley(self) -> float:
        """The middle of the longest way down: fastai's default.

        Of the smoothed losses take the longest sequence, with gaps, of which each is lower than the one before. The
        suggestion is half-way, in rungs, between where it ends and as many rungs before as it has members.
        """
        curve = self.smoothed[self.width :]
        if len(curve) < 2:
            return math.nan
        end, length = _longest_descent(curve)
        return self._rate(self.width + max(end - length // 2, 0)) if length > 1 else math.nan

    @property
    def divergence(self) -> float:
        """Where the loss had exploded, and the test stopped; NaN if it never did."""
        bad = not np.isfinite(self.losses[-1]) or _exploded(self.losses.tolist(), self.width, self.stop_factor)
        return self._rate(len(self.rates) - 1) if bad else math.nan

    @property
    def _lowest(self) -> int:
        return int(np.argmin(self.smoothed)) if len(self.smoothed) else 0

    def _rate(self, rung: int) -> float:
        return float(self.rates[rung])


RULES: dict[str, Callable[[RangeTest], float]] = {
    "steepest": lambda test: test.steepest,
    "valley": lambda test: test.valley,
    "minimum / 10": lambda test: test.minimum / 10,
    "minimum": lambda test: test.minimum,
    "exploded": lambda test: test.divergence,
}


class Suggestion(NamedTuple):
    """What several range tests suggest by one rule.

    Attributes
    ----------
    mean, low, high : float
        Geometric mean, lowest and highest.
    found, tests : int
        How many tests had a suggestion, of how many.
    """

    mean: float
    low: float
    high: float
    found: int
    tests: int

    @property
    def factor(self) -> float:
        """By how much the tests disagree: the highest over the lowest."""
        return self.high / self.low


def summarise(tests: Iterable[RangeTest]) -> dict[str, Suggestion]:
    """Put the suggestions of several tests together, rule by rule: other seeds, other lengths.

    Parameters
    ----------
    tests : iterable of RangeTest
        At least one.

    Returns
    -------
    dict of Suggestion
        By the names in `RULES`; NaN where no test has a suggestion.

    Examples
    --------
    >>> ladder = lr_range_test(0.001, 1.0, 4)
    >>> rates = ladder(range(4))
    >>> tests = [RangeTest(rates, np.array(losses), ladder) for losses in ([4.0, 3, 1, 2], [4.0, 3, 2, 1])]
    >>> found = summarise(tests)["minimum"]
    >>> round(found.mean, 3), round(found.factor), found.found
    (0.316, 10, 2)
    """
    tests = list(tests)
    if not tests:
        raise ValueError("nothing to summarise: give at least one range test")
    return {name: _suggestion([read(test) for test in tests]) for name, read in RULES.items()}


def _suggestion(values: list[float]) -> Suggestion:
    found = [value for value in values if math.isfinite(value)]
    if not found:
        return Suggestion(math.nan, math.nan, math.nan, 0, len(values))
    return Suggestion(float(np.exp(np.mean(np.log(found)))), min(found), max(found), len(found), len(values))


# ------------------------------------------------------------------------------ climbing a ladder
def _climb(ladder: Schedule, step: Callable[[float], Any], smoothing: float, stop_factor: float) -> RangeTest:
    """Take one step at each rate of ``ladder``, until the loss explodes."""
    width, losses = round(smoothing * ladder.steps), list[float]()
    rates = ladder(np.arange(int(ladder.steps)))
    for rate in rates.tolist():
        losses.append(_number(step(rate)))
        if not math.isfinite(losses[-1]) or _exploded(losses, width, stop_factor):
            break
    return RangeTest(rates[: len(losses)], np.array(losses), ladder, smoothing, stop_factor)


def _number(loss: Any) -> float:
    try:
        return float(loss.item() if hasattr(loss, "item") else loss)
    except (TypeError, ValueError, RuntimeError) as error:
        raise TypeError(f"step() must return the loss of its batch, one number; it returned {loss!r}") from error


def _checked(min_lr: float, max_lr: float, steps: int, mode: str, smoothing: float, stop_factor: float) -> Schedule:
    if not 0 <= smoothing < 0.5:
        raise ValueError(f"smoothing is a fraction of the ladder, at least 0 and below 0.5; got {smoothing!r}")
    if not stop_factor > 1:
        raise ValueError(f"stop_factor must be above 1, got {stop_factor!r}")
    return lr_range_test(min_lr, max_lr, steps, mode=mode)


@contextlib.contextmanager
def _generators_put_back() -> Iterator[None]:
    """Put back the random generators of Python, of NumPy and, where it is loaded, of PyTorch."""
    python, numpy, torch = random.getstate(), np.random.get_state(), sys.modules.get("torch")  # noqa: NPY002
    try:
        if torch is None:
            yield
        else:
            with torch.random.fork_rng(range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()):
                yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002 (the global generator is the point)


# ---------------------------------------------------------------------------------------- PyTorch
def range_test_torch(
    step: Callable[[], Any],
    optimizer: torch.optim.Optimizer,
    *,
    restore: Sequence[Any] = (),
    min_lr: float = 1e-5,
    max_lr: float = 10.0,
    steps: int = 200,
    mode: str = "exp",
    smoothing: float = SMOOTHING,
    stop_factor: float = STOP_FACTOR,
) -> RangeTest:
    """Drive the learning rate of your own training step up a ladder until the loss explodes; then undo everything.

    All parameter groups get the same rate, right before each update; their other numbers stay what they are.

    Parameters
    ----------
    step : callable
        Trains on one batch, ``optimizer.step()`` included, and returns the loss of that batch, a number or a tensor.
        Batches that it takes from an iterator of yours are gone.
    optimizer : torch.optim.Optimizer
        Put back by itself: its state, its numbers, its parameters and their gradients.
    restore : sequence
        Whatever else ``step`` changes: the model (for its buffers, BatchNorm's statistics), gradient scaler, a
        ``torch.Generator``, anything with ``state_dict`` and ``load_state_dict``. And the scheduler, if there is one:
        it stands still during the test.
    min_lr, max_lr, steps, mode
        The ladder, as in `schedules.lr_range_test`: "exp" for equal ratios, "linear" for equal differences.
    smoothing : float
        Half the width of the average, as a fraction of ``steps``; see `RangeTest`.
    stop_factor : float
        Stop when the averaged loss exceeds so many times its lowest.

    Returns
    -------
    RangeTest

    Raises
    ------
    ValueError
        For an invalid ladder; when a scheduler that ``restore`` does not hold moves the optimizer.
    TypeError
        When ``step`` returns no number, or something in ``restore`` cannot be saved.

    Examples
    --------
    >>> import torch
    >>> weight = torch.tensor([3.0], requires_grad=True)
    >>> optimizer = torch.optim.SGD([weight], lr=0.1, momentum=0.9)
    >>> def step():
    ...     optimizer.zero_grad()
    ...     loss = (weight**2 + 0.1).sum()
    ...     loss.backward()
    ...     optimizer.step()
    ...     return loss
    >>> test = range_test_torch(step, optimizer, min_lr=1e-3, max_lr=100.0, steps=100)
    >>> test.valley < test.minimum < test.divergence
    True
    >>> weight.item(), weight.grad, optimizer.param_groups[0]["lr"]
    (3.0, None, 0.1)
    """
    import torch

    ladder = _checked(min_lr, max_lr, steps, mode, smoothing, stop_factor)
    optimizer = _unwrapped(optimizer)
    others = [_kept(one) for one in restore]
    schedulers = [_kept(one) for one in restore if _is_scheduler(one)]
    put_back, numbers = _kept_optimizer(optimizer), _kept_numbers(optimizer)

    def set_rate(rate: float) -> None:
        numbers()
        for group in optimizer.param_groups:
            _write(group, "lr", rate)

    def at(rate: float) -> Any:
        for scheduler in schedulers:
            scheduler()
        set_rate(rate)
        held = [float(group["lr"]) for group in optimizer.param_groups]
        # once more right before the update, whatever has moved it in between
        hook = optimizer.register_step_pre_hook(torch.compiler.disable(lambda *_: set_rate(rate)))
        try:
            loss = step()
        finally:
            hook.remove()
        if not schedulers and [float(group["lr"]) for group in optimizer.param_groups] != held:
            raise ValueError(
                "a scheduler has moved the learning rate, one update on: pass it, restore=(scheduler, ...)"
            )
        return loss

    with _generators_put_back():
        try:
            return _climb(ladder, at, smoothing, stop_factor)
        finally:
            for undo in [*others, put_back]:  # the optimizer last: loading a scheduler may write into it
                undo()


def _unwrapped(optimizer: Any) -> torch.optim.Optimizer:
    """The optimizer that makes the updates: accelerate's wrapper holds it, and has no hooks of its own."""
    from torch.optim import Optimizer

    while isinstance(getattr(optimizer, "optimizer", None), Optimizer):
        optimizer = optimizer.optimizer
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"optimizer must be a torch.optim.Optimizer, got {optimizer!r}")
    return optimizer


def _is_scheduler(one: Any) -> bool:
    from torch.optim import lr_scheduler

    return isinstance(one, (lr_scheduler.LRScheduler, lr_scheduler.ReduceLROnPlateau))


def _kept(one: Any) -> Restore:
    """Keep what ``one`` is now; calling the result puts it back."""
    import torch

    if isinstance(one, torch.nn.Module):
        return _kept_module(one)
    if isinstance(one, torch.Generator):
        kept = one.get_state()
        return lambda: one.set_state(kept)
    if isinstance(one, torch.amp.GradScaler):  # its state_dict leaves out the update that is under way
        return _kept_value(vars(one))
    if not hasattr(one, "state_dict") or not hasattr(one, "load_state_dict"):
        raise TypeError(f"restore holds what has state_dict and load_state_dict, got {one!r}")
    state = copy.deepcopy(one.state_dict())
    return lambda: one.load_state_dict(copy.deepcopy(state))


def _kept_module(model: torch.nn.Module) -> Restore:
    """Parameters, buffers (its state_dict leaves out some) and, of each part, whether it trains."""
    tensors = _kept_value([*model.parameters(), *model.buffers()])
    modes = [(module, module.training) for module in model.modules()]

    def put_back() -> None:
        tensors()
        for module, mode in modes:
            module.training = mode

    return put_back


def _kept_optimizer(optimizer: torch.optim.Optimizer) -> Restore:
    """Numbers, parameters, their gradients and their state; tensors are written in place, for who else holds them."""
    groups, state = _kept_value(optimizer.param_groups), _kept_value(optimizer.state)
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    gradients = [(parameter, _kept_value(parameter.grad)) for parameter in parameters]

    def put_back() -> None:
        groups()
        state()
        for parameter, gradient in gradients:
            parameter.grad = gradient()

    return put_back


def _kept_numbers(optimizer: torch.optim.Optimizer) -> Restore:
    """Every number of the groups: a scheduler that moves momentum must not move it during the test."""
    kept = [
        (group, {name: _kept_value(value) for name, value in group.items() if name != "params"})
        for group in optimizer.param_groups
    ]

    def put_back() -> None:
        for group, values in kept:
            group.update({name: undo() for name, undo in values.items()})

    return put_back


def _kept_value(value: Any) -> Restore:
    """Keep ``value``, however nested; the result writes it back into the same objects and returns it."""
    import torch

    if isinstance(value, torch.Tensor):
        tensor, kept = value.detach(), value.detach().clone()

        def put_back() -> Any:
            tensor.copy_(kept)
            return value
    elif isinstance(value, dict):
        entries = {key: _kept_value(entry) for key, entry in value.items()}

        def put_back() -> Any:
            value.clear()
            value.update({key: undo() for key, undo in entries.items()})
            return value
    elif isinstance(value, (list, tuple)):
        items = [_kept_value(item) for item in value]

        def put_back() -> Any:
            held = [undo() for undo in items]
            if isinstance(value, list):
                value[:] = held
            return value
    else:
        plain = copy.deepcopy(value)

        def put_back() -> Any:
            return copy.deepcopy(plain)

    return put_back


def _write(group: dict[str, Any], name: str, number: float) -> None:
    if hasattr(group[name], "fill_"):
        group[name].fill_(number)
    else:
        group[name] = number


# ------------------------------------------------------------------------------------------ Keras
def range_test_keras(
    model: keras.Model,
    batches: Iterable[Any],
    *,
    min_lr: float = 1e-5,
    max_lr: float = 10.0,
    steps: int = 200,
    mode: str = "exp",
    smoothing: float = SMOOTHING,
    stop_factor: float = STOP_FACTOR,
) -> RangeTest:
    """Train a compiled model up a ladder, a batch a rung, until the loss explodes; then undo everything.

    The model trains as it was compiled, its own ``train_step`` included, but with a copy of its optimizer, which starts
    where the original stands. So it does not matter whether its learning rate is a number or a schedule; momentum or
    weight decay that is a schedule of ``for_keras`` stays at its present value.

    Parameters
    ----------
    model : keras.Model
        Compiled and built, of any kind.
    batches : iterable
        Tuples ``(x, y)`` or ``(x, y, sample_weight)``: a list, a ``tf.data.Dataset``, a ``DataLoader``, a
        ``PyDataset``. Gone through again when it ends before the ladder does.
    min_lr, max_lr, steps, mode, smoothing, stop_factor
        As in `range_test_torch`.

    Returns
    -------
    RangeTest

    Raises
    ------
    ValueError
        When the model is not compiled or not built, when the optimizer accumulates gradients or cannot be copied, when
        there are too few batches.

    Notes
    -----
    Everything that a Keras model and its optimizer hold is put back, the states of its dropout included. Generators
    that layers of your own take from elsewhere (``tf.random``) are not.

    Examples
    --------
    >>> import keras
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    >>> model.compile(optimizer="sgd", loss="mse")
    >>> before = model.get_weights()
    >>> test = range_test_keras(model, [(np.ones((8, 2)), np.ones((8, 1)))], max_lr=100.0, steps=60)
    >>> all(np.array_equal(now, then) for now, then in zip(model.get_weights(), before))
    True
    >>> len(test.rates) < 60  # it exploded on the way
    True
    """
    ladder = _checked(min_lr, max_lr, steps, mode, smoothing, stop_factor)
    if not model.compiled or not model.built:
        raise ValueError("the model must be compiled and built: model.compile(...), and an Input or model.build(shape)")
    feed = _endless(batches)
    original, function, at_once = model.optimizer, model.train_function, model.steps_per_execution
    with _generators_put_back(), _variables_put_back([*model.variables, *model.metrics_variables]):
        twin = _twin(original, model.trainable_variables)

        def at(rate: float) -> Any:
            twin.learning_rate = rate
            return model.train_on_batch(*next(feed), return_dict=True)["loss"]

        try:
            model.optimizer, model.train_function, model.steps_per_execution = twin, None, 1
            return _climb(ladder, at, smoothing, stop_factor)
        finally:
            model.optimizer, model.train_function, model.steps_per_execution = original, function, at_once
            model.reset_metrics()


def _endless(batches: Iterable[Any]) -> Iterator[Any]:
    while True:
        made = False
        for batch in batches:
            made = True
            yield batch
        if not made:
            raise ValueError("the batches ran out before the ladder did: pass a list, or what else can start again")


@contextlib.contextmanager
def _variables_put_back(variables: list[Any]) -> Iterator[None]:
    from keras import ops

    kept = [np.array(ops.convert_to_numpy(variable)) for variable in variables]
    try:
        yield
    finally:
        for variable, value in zip(variables, kept, strict=True):
            variable.assign(value)


def _twin(optimizer: Any, weights: list[Any]) -> Any:
    """An optimizer like ``optimizer``, at the same point of the same training, whose rate is a number."""
    import keras

    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        inner = _twin(optimizer.inner_optimizer, weights)
        scale = (
            float(keras.ops.convert_to_numpy(optimizer.dynamic_scale)) if optimizer.built else optimizer.initial_scale
        )
        growth = optimizer.dynamic_growth_steps
        return keras.optimizers.LossScaleOptimizer(inner, initial_scale=scale, dynamic_growth_steps=growth)
    if optimizer.gradient_accumulation_steps:
        raise ValueError("a range test makes one update per batch: build it without gradient_accumulation_steps")
    config = {**optimizer.get_config(), "learning_rate": 0.0}
    for name in ("momentum", "beta_1", "weight_decay"):
        if isinstance(config.get(name), dict):  # a schedule: keep its present value
            config[name] = float(keras.ops.convert_to_numpy(getattr(optimizer, name)))
    twin = type(optimizer).from_config(config)
    twin.build(weights)
    if optimizer.built:
        _copy_slots(optimizer, twin)
    return twin


def _copy_slots(optimizer: Any, twin: Any) -> None:
    """Velocities, averages, the count of updates; not the learning rate."""
    theirs, ours = _slots(optimizer), _slots(twin)
    if [slot.shape for slot in theirs] != [slot.shape for slot in ours]:
        raise ValueError(f"the state of this {type(optimizer).__name__} cannot be copied")
    for slot, value in zip(ours, theirs, strict=True):
        slot.assign(value)


def _slots(optimizer: Any) -> list[Any]:
    rate = optimizer.learning_rate  # the variable itself, unless it is a schedule
    return [variable for variable in optimizer.variables if variable is not rate]
