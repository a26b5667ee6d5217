"""Schedules in Keras 3, on any backend. Copy this file and `schedules.py` into your project; nothing else is needed.

>>> import keras
>>> from helpers import schedules
>>> optimizer = SGD(schedules.one_cycle(max_lr=0.1, total_steps=100))
>>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
>>> model.compile(optimizer=optimizer, loss="mse")
>>> _ = model.fit(np.ones((120, 2)), np.zeros(120), batch_size=4, verbose=0)
>>> optimizer.used()  # what update 29, the last of these 30, was really made with
{'learning_rate': 0.0997..., 'momentum': 0.850...}

Assigning ``optimizer.momentum`` from a callback does nothing in a compiled step (TensorFlow, JAX): the number was
built into the step when it was traced. Here momentum is looked up inside the step, by the optimizer's own counter.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops
from keras.optimizers.schedules import LearningRateSchedule

try:
    from .schedules import Schedule
except ImportError:  # copied out of the course, next to schedules.py
    from schedules import Schedule  # type: ignore[no-redef]

__all__ = ["SGD", "Adam", "KerasSchedule"]

_PACKAGE = "learning_rate_schedules"


@keras.saving.register_keras_serializable(package=_PACKAGE)
class KerasSchedule(LearningRateSchedule):
    """A schedule as a Keras ``LearningRateSchedule``: a float32 table, looked up inside the compiled step.

    ``KerasSchedule(schedule)(k)`` is ``np.float32(schedule(k))``, bit by bit, for 0 <= k <= ``steps``; later k get
    the last value. A schedule with an end is tabulated to its end. One without needs ``steps``, how far to go
    (``ValueError`` otherwise). Saved as the schedule's description, not as the table.

    >>> float(KerasSchedule(Schedule.from_dict({"schedule": "constant", "lr": 0.5}), steps=10)(3))
    0.5
    """

    def __init__(self, schedule: Schedule, steps: int | None = None) -> None:
        super().__init__()
        if not isinstance(schedule, Schedule):
            raise TypeError(f"schedule must be a schedule of the course, got {schedule!r}")
        if isinstance(steps, bool) or not isinstance(steps, (int, np.integer, type(None))):
            raise TypeError(f"steps must be a whole number, got {steps!r}")
        if steps is None and schedule.steps == float("inf"):
            raise ValueError(f"{schedule!r} never ends: say how many steps to tabulate, KerasSchedule(..., steps=...)")
        if steps is not None and steps < 1:
            raise ValueError(f"steps must be at least 1, got {steps!r}")
        self.schedule = schedule
        self.steps = int(schedule.steps) if schedule.steps < float("inf") else int(steps or 0)
        values = schedule(np.arange(self.steps + 1)).astype(np.float32)
        self._table = keras.Variable(values, trainable=False, dtype="float32", name="schedule")

    def __call__(self, step: Any) -> Any:
        k = ops.clip(ops.cast(step, "int32"), 0, self.steps)
        return ops.take(self._table, k)

    def get_config(self) -> dict[str, Any]:
        return {"schedule": self.schedule.to_dict(), "steps": self.steps}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> KerasSchedule:
        return cls(Schedule.from_dict(config["schedule"]), config["steps"])


class _Scheduled:
    """What SGD and Adam below share: schedules looked up by the number of updates, and a note of what was used."""

    built: bool
    iterations: Any
    _learning_rate: Any
    _coefficient: float | KerasSchedule  # momentum or beta_1
    add_variable: Any
    assign: Any

    def _add_notes(self) -> None:
        """Two scalars, to be written inside the step: what the last update was really made with."""
        self._used = [self.add_variable((), name=name) for name in ("used_learning_rate", "used_momentum")]

    def _backend_update_step(self, grads: Any, trainable_variables: Any, learning_rate: Any) -> None:
        for used, value in zip(self._used, (learning_rate, self._now()), strict=True):
            self.assign(used, ops.cast(value, used.dtype))
        super()._backend_update_step(grads, trainable_variables, learning_rate)  # type: ignore[misc]

    def used(self) -> dict[str, float]:
        """Learning rate and momentum of the last update, as noted inside the compiled step itself."""
        if not self.built:
            raise RuntimeError("this optimizer has made no update yet")
        learning_rate, momentum = (float(ops.convert_to_numpy(value)) for value in self._used)
        return {"learning_rate": learning_rate, "momentum": momentum}

    def _get_current_learning_rate(self) -> Any:
        # upstream asks the schedule for the number of micro-batches; `iterations` is the number of updates
        if isinstance(self._learning_rate, KerasSchedule):
            return self._learning_rate(self.iterations)
        return super()._get_current_learning_rate()  # type: ignore[misc]

    def _now(self) -> Any:
        """Momentum or beta_1 of the next update."""
        value = self._coefficient
        return value(self.iterations) if isinstance(value, KerasSchedule) else value

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        revived = {
            name: keras.saving.deserialize_keras_object(value, custom_objects=custom_objects)
            for name, value in config.items()
            if name in ("learning_rate", "momentum", "beta_1") and isinstance(value, dict)
        }
        return cls(**{**config, **revived})


@keras.saving.register_keras_serializable(package=_PACKAGE)
class SGD(_Scheduled, keras.optimizers.SGD):
    """Keras' SGD whose learning rate and momentum may be schedules that really take effect in the compiled step.

    learning_rate: a schedule of the course, or anything Keras takes. momentum: a schedule, a number in [0, 1), or
    None for the momentum that ``learning_rate`` carries (0.0 if it carries none). ``steps`` is how many updates to
    tabulate when a schedule never ends. Other arguments as in ``keras.optimizers.SGD``.

    Keras keeps the learning rate inside the velocity, ``u = momentum * u - lr * g; w += u``. ``torch_rule=True`` puts
    it outside, ``v = momentum * v + g; w -= lr * v``, as PyTorch does; the two differ whenever the rate moves.
    It also takes ``weight_decay`` as PyTorch's SGD does, into the gradient, ``g + weight_decay * w``, and so through
    momentum; Keras' own rule shrinks the weights beside the step, ``w -= lr * weight_decay * w``.

    >>> optimizer = SGD(0.1, momentum=0.9)
    >>> optimizer.momentum = 0.5
    Traceback (most recent call last):
        ...
    AttributeError: momentum cannot be assigned: a compiled step would not see it. Pass a schedule, SGD(momentum=...)
    """

    def __init__(
        self,
        learning_rate: Any = 0.01,
        momentum: float | Schedule | KerasSchedule | None = None,
        nesterov: bool = False,
        *,
        steps: int | None = None,
        torch_rule: bool = False,
        **options: Any,
    ) -> None:
        rate, coefficient = _tabulate(learning_rate, momentum, steps, "momentum", 0.0)
        super().__init__(learning_rate=rate, momentum=0.0, nesterov=nesterov, **options)
        self.torch_rule, self._coefficient = torch_rule, coefficient

    @property
    def momentum(self) -> Any:
        """Momentum of the next update."""
        return self._now()

    @momentum.setter
    def momentum(self, value: float) -> None:
        _refuse_assignment(self, "momentum")

    def build(self, variables: list[Any]) -> None:
        if not self.built:
            keras.optimizers.Optimizer.build(self, variables)  # not SGD's: it asks `if self.momentum != 0`
            self._add_notes()
            self.momentums = self.add_optimizer_variables(variables, "momentum") if self._has_momentum() else []

    def _has_momentum(self) -> bool:
        return isinstance(self._coefficient, KerasSchedule) or self._coefficient != 0

    def _apply_weight_decay(self, variables: list[Any]) -> None:
        if not self.torch_rule:  # PyTorch's is part of the gradient, in `update_step`
            super()._apply_weight_decay(variables)

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        rate, g = ops.cast(learning_rate, variable.dtype), ops.cast(gradient, variable.dtype)
        if self.torch_rule and self.weight_decay and self._use_weight_decay(variable):
            g = g + ops.cast(self.weight_decay, variable.dtype) * variable
        if not self._has_momentum():
            self.assign_sub(variable, g * rate)
            return
        mu = ops.cast(self.momentum, variable.dtype)
        velocity = self.momentums[self._get_variable_index(variable)]
        self.assign(velocity, velocity * mu + g if self.torch_rule else velocity * mu - g * rate)
        if self.torch_rule:
            self.assign_sub(variable, (velocity * mu + g if self.nesterov else velocity.value) * rate)
        else:
            self.assign_add(variable, velocity * mu - g * rate if self.nesterov else velocity)

    def get_config(self) -> dict[str, Any]:
        momentum = _describe(self._coefficient)
        return {**super().get_config(), "momentum": momentum, "torch_rule": self.torch_rule}


@keras.saving.register_keras_serializable(package=_PACKAGE)
class Adam(_Scheduled, keras.optimizers.Adam):
    """Keras' Adam whose learning rate and ``beta_1`` may be schedules that really take effect in the compiled step.

    beta_1: a schedule, a number in [0, 1), or None for the momentum that ``learning_rate`` carries (0.9 if it carries
    none). ``steps`` and the other arguments as in ``SGD`` above and ``keras.optimizers.Adam``.
    Both libraries correct the bias with the current ``beta_1 ** t``, and so does this.
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float | Schedule | KerasSchedule | None = None,
        *,
        steps: int | None = None,
        **options: Any,
    ) -> None:
        rate, coefficient = _tabulate(learning_rate, beta_1, steps, "beta_1", 0.9)
        super().__init__(learning_rate=rate, **options)
        self._coefficient = coefficient

    @property
    def beta_1(self) -> Any:
        """First-moment decay of the next update."""
        return self._now()

    @beta_1.setter
    def beta_1(self, value: float) -> None:
        _refuse_assignment(self, "beta_1")

    def build(self, variables: list[Any]) -> None:
        if not self.built:
            super().build(variables)
            self._add_notes()

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "beta_1": _describe(self._coefficient)}


def _refuse_assignment(optimizer: Any, name: str) -> None:
    if "_coefficient" in vars(optimizer):  # set last in __init__: what comes before is Keras' own constructor
        raise AttributeError(
            f"{name} cannot be assigned: a compiled step would not see it. "
            f"Pass a schedule, {type(optimizer).__name__}({name}=...)"
        )


def _tabulate(rate: Any, momentum: Any, steps: int | None, name: str, default: float) -> tuple[Any, Any]:
    """Turn schedules into tables; momentum None means the one that ``rate`` carries, or ``default``."""
    if momentum is None:
        carried = rate.momentum if isinstance(rate, Schedule) else None
        momentum = default if carried is None else carried
    if isinstance(momentum, Schedule):
        # a momentum that never ends is tabulated as far as the learning rate goes
        as_far_as_the_rate = steps is None and isinstance(rate, Schedule) and rate.steps < float("inf")
        momentum = KerasSchedule(momentum, int(rate.steps) if as_far_as_the_rate else steps)
    elif not isinstance(momentum, KerasSchedule):
        if isinstance(momentum, bool) or not isinstance(momentum, (int, float)):
            raise TypeError(f"{name} must be a number or a schedule, got {momentum!r}")
        momentum = float(momentum)
    low, high = momentum.schedule.bounds if isinstance(momentum, KerasSchedule) else (momentum, momentum)
    if not 0 <= low <= high < 1:
        raise ValueError(f"{name} must be at least 0 and below 1, got values from {low:g} to {high:g}")
    return KerasSchedule(rate, steps) if isinstance(rate, Schedule) else rate, momentum


def _describe(value: float | KerasSchedule) -> Any:
    return keras.saving.serialize_keras_object(value) if isinstance(value, KerasSchedule) else value
