"""The LR range test in both frameworks: climb a ladder of learning rates, watch the loss, leave everything as it was.

>>> from helpers import data, models
>>> digits = data.load("digits").subset(1000)
>>> model = models.mlp_torch(digits.image_shape)
>>> optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
>>> test = range_test_torch(model, optimizer, digits, min_lr=1e-4, max_lr=100.0, steps=60)
>>> test.minimum < test.divergence
True
>>> optimizer.param_groups[0]["lr"], optimizer.state_dict()["state"]  # untouched
(0.05, {})

Both work on *copies* of model and optimizer. So weights, velocities, step counter, BatchNorm statistics and learning
rate are not put back afterwards but never touched, whatever happens on the way; the random generators are put back.

Source of the test: Smith 2017, arXiv 1506.01186, section 3.3. Of "steepest" and "minimum / 10": fastai's finder.
"""

from __future__ import annotations

import contextlib
import copy
import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import keras
import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike, NDArray
from torch import nn

from . import for_keras, for_torch, training
from .data import Dataset
from .schedules import Schedule, lr_range_test

__all__ = ["RangeTest", "range_test_keras", "range_test_torch", "smoothed"]


def smoothed(losses: ArrayLike, memory: float = 0.9) -> NDArray[np.float64]:
    """Exponential moving average of ``losses``, with its start corrected.

    Parameters
    ----------
    losses : array_like, shape (T,)
        One for each update.
    memory : float
        Weight of the past, in [0, 1); 0 smooths nothing.

    Returns
    -------
    ndarray, shape (T,)
        The average after each update.

    Raises
    ------
    ValueError
        For another ``memory``.

    Examples
    --------
    >>> smoothed([2.0, 2.0, 1.0], memory=0.5).tolist()
    [2.0, 2.0, 1.4285714285714286]
    """
    if not 0 <= memory < 1:
        raise ValueError(f"memory must be at least 0 and below 1, got {memory!r}")
    return pd.Series(losses, dtype=np.float64).ewm(alpha=1 - memory).mean().to_numpy()


@dataclass(frozen=True)
class RangeTest:
    """What a range test found.

    The three suggestions are learning rates, or NaN where the curve has none. They are a bracket, not a measurement:
    they move with the seed, with the ladder's length and with its spacing.

    Attributes
    ----------
    run : Run
        The record of its updates.
    ladder : Schedule
        What they followed.
    memory : float
        Of the average that smooths the loss, as in `smoothed`.
    stop_factor : float
        A smoothed loss above so many times the lowest has exploded.
    """

    run: training.Run
    ladder: Schedule
    memory: float = 0.9
    stop_factor: float = 4.0

    @property
    def rates(self) -> NDArray[np.float64]:
        """Learning rate of each update, read back from the optimizer."""
        return np.array(self.run.learning_rates)

    @cached_property
    def losses(self) -> NDArray[np.float64]:
        """Smoothed loss of each update, as far as it is finite."""
        losses = np.array(self.run.losses[: len(self.run.learning_rates)])
        return smoothed(losses[np.isfinite(losses)], self.memory)

    @property
    def minimum(self) -> float:
        """The rate at which the smoothed loss is lowest. Divided by ten, a common suggestion for the peak."""
        return self._at(int(np.argmin(self.losses)))

    @property
    def steepest(self) -> float:
        """The rate at which the smoothed loss falls fastest against log(rate), before its minimum.

        The first rungs, as many as the average remembers, are left out: there it jumps from batch to batch.
        """
        start, lowest = round(1 / (1 - self.memory)), int(np.argmin(self.losses))
        if lowest < start + 2:
            return math.nan
        slope = np.gradient(self.losses[start : lowest + 1], np.log(self.rates[start : lowest + 1]))
        return self._at(start + int(np.argmin(slope))) if slope.min() < 0 else math.nan

    @property
    def divergence(self) -> float:
        """The first rate at which the smoothed loss exceeds ``stop_factor`` times the lowest; NaN if it never does."""
        bad = np.flatnonzero(self.losses > self.stop_factor * np.minimum.accumulate(self.losses))
        if bad.size:
            return self._at(int(bad[0]))
        return self._at(len(self.rates) - 1) if self.run.diverged else math.nan

    def _at(self, update: int) -> float:
        return float(self.rates[update])


def range_test_torch(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    dataset: Dataset,
    *,
    min_lr: float = 1e-5,
    max_lr: float = 10.0,
    steps: int = 200,
    mode: str = "exp",
    batch_size: int = 128,
    seed: int = 0,
    memory: float = 0.9,
    stop_factor: float = 4.0,
    device: str | None = None,
) -> RangeTest:
    """Train a copy of ``model`` with a copy of ``optimizer`` up a ladder of ``steps`` rates, until the loss explodes.

    Momentum stays what it is now. Schedulers and hooks of the original see nothing of it.

    Parameters
    ----------
    model : Module
        Copied, and not touched.
    optimizer : Optimizer
        Of the model's parameters; copied with its state, and not touched. Every parameter group climbs the ladder.
    dataset : Dataset
        Its training images are used.
    min_lr, max_lr : float
        The first and the last rung, rising.
    steps : int
        How many rungs, at least 2: an update on each.
    mode : str
        "exp" (equal ratios) or "linear" (equal differences).
    batch_size, seed : int
        Images of an update, and the seed of their order.
    memory : float
        Of the average that smooths the loss, as in `smoothed`.
    stop_factor : float
        Stop when the smoothed loss exceeds so many times its lowest; above 1.
    device : str, optional
        As in `training.fit_torch`.

    Returns
    -------
    RangeTest
        With as many updates as were made: fewer than ``steps`` when the loss exploded.

    Raises
    ------
    ValueError
        For an invalid ladder, ``memory``, ``stop_factor`` or ``batch_size``, and when ``optimizer`` does not belong to
        ``model``.
    """
    ladder, stop = lr_range_test(min_lr, max_lr, steps, mode=mode), _stop(steps, memory, stop_factor)
    owned = {id(parameter) for parameter in model.parameters()}
    if not all(id(parameter) in owned for group in optimizer.param_groups for parameter in group["params"]):
        raise ValueError("the optimizer holds parameters that are not the model's: build it from model.parameters()")
    with _generators_put_back():
        # one call for both, so that the copied optimizer holds the copied parameters; hooks are not copied
        model_copy, optimizer_copy = copy.deepcopy((model, optimizer))
        for_torch.drive(optimizer_copy, [ladder] * len(optimizer_copy.param_groups))
        epochs = _epochs(dataset, batch_size, steps)
        options: dict[str, Any] = {"epochs": epochs, "batch_size": batch_size, "seed": seed, "device": device}
        run = training.fit_torch(model_copy, optimizer_copy, dataset, **options, stop=stop, evaluate=False)
    return RangeTest(run, ladder, memory, stop_factor)


def range_test_keras(
    model: keras.Model,
    optimizer: keras.optimizers.Optimizer,
    dataset: Dataset,
    *,
    min_lr: float = 1e-5,
    max_lr: float = 10.0,
    steps: int = 200,
    mode: str = "exp",
    batch_size: int = 128,
    seed: int = 0,
    memory: float = 0.9,
    stop_factor: float = 4.0,
) -> RangeTest:
    """The same for Keras.

    The copied optimizer looks the ladder up inside the compiled step; a momentum that is a schedule stays at its
    present value, and so do the slots (velocities, Adam's averages) and the step counter they depend on.

    Parameters
    ----------
    model : keras.Model
        One that ``keras.models.clone_model`` can copy: Sequential or functional.
    optimizer : keras.optimizers.Optimizer
        Without ``gradient_accumulation_steps``; copied with its state, and not touched.
    dataset, min_lr, max_lr, steps, mode, batch_size, seed, memory, stop_factor
        As in `range_test_torch`.

    Returns
    -------
    RangeTest
        As from `range_test_torch`.

    Raises
    ------
    ValueError
        For what `range_test_torch` refuses, gradients that are accumulated, and a model or a state that cannot be
        copied.
    """
    ladder, stop = lr_range_test(min_lr, max_lr, steps, mode=mode), _stop(steps, memory, stop_factor)
    with _generators_put_back():
        model_copy = _copy_model(model)
        optimizer_copy = _copy_optimizer(optimizer, model_copy, ladder)
        epochs = _epochs(dataset, batch_size, steps)
        options: dict[str, Any] = {"epochs": epochs, "batch_size": batch_size, "seed": seed, "reseed": False}
        run = training.fit_keras(model_copy, optimizer_copy, dataset, **options, stop=stop, evaluate=False)
    return RangeTest(run, ladder, memory, stop_factor)


def _epochs(dataset: Dataset, batch_size: int, steps: int) -> int:
    return math.ceil(steps / training.updates_per_epoch(len(dataset.x_train), batch_size))


def _stop(steps: int, memory: float, stop_factor: float) -> training.Stop:
    """True when the ladder's last rung was tried or when the loss has exploded."""
    if not stop_factor > 1:
        raise ValueError(f"stop_factor must be above 1, got {stop_factor!r}")
    smoothed([], memory)  # refuses an invalid memory

    def stop(losses: list[float]) -> bool:
        if len(losses) >= steps:
            return True
        curve = smoothed(losses, memory)
        return bool(curve[-1] > stop_factor * curve.min())

    return stop


@contextlib.contextmanager
def _generators_put_back() -> Iterator[None]:
    """Put Python's, NumPy's and PyTorch's random generators back; nothing here draws from TensorFlow's."""
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002 (the global generator is the point)
    devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()
    try:
        with torch.random.fork_rng(devices):
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002


# ------------------------------------------------------------------------------------------ Keras
class _LadderFrom(for_keras.KerasSchedule):
    """A ladder whose first rung belongs to update ``start``, where the copied optimizer's counter stands."""

    def __init__(self, schedule: Schedule, start: int) -> None:
        super().__init__(schedule)
        self.start = start

    def __call__(self, step: Any) -> Any:
        return super().__call__(keras.ops.cast(step, "int32") - self.start)


def _copy_model(model: keras.Model) -> keras.Model:
    try:
        twin = keras.models.clone_model(model)
        twin.set_weights(model.get_weights())
        for ours, theirs in zip(_counters(twin), _counters(model), strict=True):
            ours.assign(theirs)
    except (ValueError, NotImplementedError, TypeError) as error:
        raise ValueError(f"this model cannot be copied ({error}): use a Sequential or functional model") from error
    return twin


def _counters(model: keras.Model) -> list[Any]:
    """Variables that are no weights: the seeds of dropout and of random layers."""
    weights = {id(weight) for weight in model.weights}
    return [variable for variable in model.variables if id(variable) not in weights]


def _copy_optimizer(optimizer: Any, twin: keras.Model, ladder: Schedule) -> Any:
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)  # mixed precision wraps it
    if optimizer.gradient_accumulation_steps:
        raise ValueError("a range test makes one update per batch: build it without gradient_accumulation_steps")
    config = optimizer.get_config()
    for name in ("momentum", "beta_1", "weight_decay"):
        if isinstance(config.get(name), dict):  # a schedule: keep its present value
            config[name] = float(keras.ops.convert_to_numpy(getattr(optimizer, name)))
    rate = _LadderFrom(ladder, int(optimizer.iterations))
    copied = type(optimizer).from_config({**config, "learning_rate": rate})
    copied.build(twin.trainable_variables)
    if optimizer.built:
        _copy_slots(optimizer, copied)
    return copied


def _copy_slots(optimizer: Any, copied: Any) -> None:
    """Velocities, averages and the step counter; not the learning rate, whose place the ladder has taken."""
    rate = id(optimizer._learning_rate)
    slots = [variable for variable in optimizer.variables if id(variable) != rate]
    if [slot.shape for slot in slots] != [slot.shape for slot in copied.variables]:
        raise ValueError(f"the state of this {type(optimizer).__name__} cannot be copied")
    for ours, theirs in zip(copied.variables, slots, strict=True):
        ours.assign(theirs)
