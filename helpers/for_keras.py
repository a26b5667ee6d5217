# SPDX-FileCopyrightText: 2026 the authors of the learning-rate schedules course
# SPDX-License-Identifier: MIT
"""Schedules in Keras 3, on any backend, with momentum that really moves and a record of what every update used.

Made to be copied: this file and ``schedules.py``, nothing else. Version 2.0, MIT licence, from the project
"Learning-rate schedules, derived and measured". Keras 3.5 or newer (tried with 3.5.0, 3.6.0 and 3.15.1), on TensorFlow,
PyTorch and JAX. (Keras 3.6 on TensorFlow makes an update too many when the last block of ``steps_per_execution`` is a
smaller one; 3.10 does not.) ::

    import keras
    import for_keras, schedules

    plan = schedules.one_cycle(max_lr=0.1, total_steps=30)
    optimizer = for_keras.SGD(plan)           # or Adam, AdamW; their momentum follows the schedule as well
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile(optimizer=optimizer, loss="mse", steps_per_execution=1)
    model.fit(keras.ops.ones((120, 2)), keras.ops.zeros((120, 1)), batch_size=4, verbose=0)

    optimizer.used()                          # {'learning_rate': ..., 'momentum': ...} of the last update
    for_keras.assert_used(optimizer, plan)    # every update, as noted inside the compiled step

    lion = keras.optimizers.Lion(for_keras.KerasSchedule(plan))    # any other optimizer: the rate alone
    watch = for_keras.Watch()                 # model.fit(..., callbacks=[watch]); for_keras.assert_used(watch, plan)

Assigning ``optimizer.momentum`` from a callback does nothing in a compiled step (TensorFlow, JAX): the number was
built into the step when it was traced. Here momentum and weight decay are looked up inside the step, by the number of
updates made, and the same step writes down what it used: recording needs no callback, and so it works with
``steps_per_execution``, ``jit_compile``, mixed precision and accumulated gradients.

Not public in Keras, and used for want of a public way: ``_backend_update_step`` is overridden, to note the numbers in
the same step that uses them; ``_get_current_learning_rate``, because Keras asks a schedule for the number of
micro-batches when gradients are accumulated; ``_apply_weight_decay`` and ``_use_weight_decay``, for PyTorch's rule;
``_get_variable_index``, to find a velocity; ``_learning_rate``, to see whether it is a schedule.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, TypeAlias

import keras
import numpy as np
from keras import ops
from keras.optimizers.schedules import LearningRateSchedule

if TYPE_CHECKING or __package__:
    from . import schedules
    from .schedules import Schedule, Trace, assert_used
else:  # copied, next to schedules.py
    import schedules
    from schedules import Schedule, Trace, assert_used

__all__ = ["SGD", "Adam", "AdamW", "KerasSchedule", "Watch", "assert_used"]

_PACKAGE = "learning_rate_schedules"
_RECORD = 10_000  # updates that an optimizer notes when nothing says how long its run is: 120 kB
_NOTED = ("lr", "momentum", "weight_decay")

Number: TypeAlias = "float | Schedule | LearningRateSchedule"  # what may be a number or a schedule


@keras.saving.register_keras_serializable(package=_PACKAGE)
class KerasSchedule(LearningRateSchedule):
    """A schedule as a Keras ``LearningRateSchedule``: a float32 table, looked up inside the compiled step.

    ``KerasSchedule(schedule)(k)`` is ``np.float32(schedule(k))``, bit by bit, up to the table's last entry, which is
    held for every later k. Any Keras optimizer takes it as its learning rate. A stock optimizer drops the momentum
    that a schedule carries; `SGD`, `Adam` and `AdamW` of this module follow it. Saved as the schedule's description.

    Parameters
    ----------
    schedule : Schedule
        Tabulated as far as its value changes.
    steps : int, optional
        How many updates to tabulate; needed, and used, only for a schedule that never settles.

    Raises
    ------
    TypeError
        When ``schedule`` is not a `Schedule`, or ``steps`` not a whole number.
    ValueError
        When the schedule never settles and ``steps`` is missing.

    Examples
    --------
    >>> float(KerasSchedule(schedules.constant(0.5))(3))
    0.5
    >>> adamw = keras.optimizers.AdamW(KerasSchedule(schedules.cosine(0.001, decay_steps=100)))
    """

    def __init__(self, schedule: Schedule, steps: int | None = None) -> None:
        super().__init__()
        if not isinstance(schedule, Schedule):
            raise TypeError(f"schedule must be a Schedule, such as schedules.constant(0.1), got {schedule!r}")
        _check_count("steps", steps)
        if steps is None and math.isinf(schedule.settles):
            raise ValueError(f"{schedules.short(schedule)} never settles: say how many steps to tabulate, steps=...")
        self.schedule = schedule
        self.steps = int(schedule.settles) if math.isfinite(schedule.settles) else int(steps or 0)
        values = np.asarray(schedule(np.arange(self.steps + 1)), dtype=np.float32)
        self._table = keras.Variable(values, trainable=False, dtype="float32", name="schedule")

    def __call__(self, step: Any) -> Any:
        k = ops.clip(ops.cast(step, "int32"), 0, self.steps)
        return ops.take(self._table, k)

    def get_config(self) -> dict[str, Any]:
        return {"schedule": self.schedule.to_dict(), "steps": self.steps or None}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> KerasSchedule:
        return cls(Schedule.from_dict(config["schedule"]), config["steps"])


# -------------------------------------------------------------------------------- the optimizers
class _Planned:
    """A number of an optimizer that may be a schedule: read, it is the next update's; assigned later, it is refused."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, optimizer: Any, owner: type | None = None) -> Any:
        if optimizer is None:
            return self
        if self.name not in vars(optimizer):
            raise AttributeError(self.name)
        value = vars(optimizer)[self.name]
        return value(optimizer.iterations) if isinstance(value, KerasSchedule) else value

    def __set__(self, optimizer: Any, value: Any) -> None:
        if "record" in vars(optimizer):  # set last; what comes before is Keras' own constructor
            raise AttributeError(
                f"{self.name} cannot be assigned: a compiled step would not see it. "
                f"Pass a schedule, {type(optimizer).__name__}({self.name}=...)"
            )
        vars(optimizer)[self.name] = value


class _Recording:
    """What the optimizers below share: numbers looked up by the count of updates, and a note of each one used."""

    built: bool
    iterations: Any
    record: int
    _learning_rate: Any
    _momentum_name: str
    add_variable: Any
    assign: Any
    weight_decay = _Planned()

    def _plan(self, rate: Any, momentum: Any, weight_decay: Any, steps: int | None, record: int | None) -> None:
        """Take over from Keras' constructor, which was given numbers in the place of schedules."""
        _check_count("record", record)
        plans = {self._momentum_name: momentum, "weight_decay": weight_decay}
        vars(self).update(plans)  # not by setattr: `_Planned` hands out the present value
        lengths = [plan.steps for plan in (rate, *plans.values()) if isinstance(plan, KerasSchedule)]
        self.record = int(record or max(_RECORD, steps or 0, *(length + 1 for length in lengths), 0))

    def _add_notes(self) -> None:
        """One row for each update, in a ring: after ``record`` updates the oldest rows are overwritten."""
        self._notes = self.add_variable(
            (self.record, len(_NOTED)),
            initializer=keras.initializers.Constant(math.nan),
            dtype="float32",
            aggregation="only_first_replica",
            name="used",
        )

    def _backend_update_step(self, grads: Any, trainable_variables: Any, learning_rate: Any) -> None:
        decay = math.nan if self.weight_decay is None else self.weight_decay
        used = (learning_rate, getattr(self, self._momentum_name), decay)
        row = ops.stack([ops.cast(value, "float32") for value in used])
        place = ops.cast(self.iterations, "int32") % self.record
        notes = ops.scatter_update(self._notes, ops.reshape(place, (1, 1)), ops.expand_dims(row, 0))
        self.assign(self._notes, notes)
        super()._backend_update_step(grads, trainable_variables, learning_rate)  # type: ignore[misc]

    def used(self) -> dict[str, float]:
        """Learning rate, momentum and weight decay, if there is one, of the last update, as the step noted them."""
        made = self._made()
        if not made:
            raise RuntimeError("this optimizer has made no update yet")
        row = ops.convert_to_numpy(self._notes)[(made - 1) % self.record]
        names = ("learning_rate", *_NOTED[1:]) if self.weight_decay is not None else ("learning_rate", "momentum")
        return {name: float(value) for name, value in zip(names, row, strict=False)}

    def trace(self, *, since: int = 0) -> Trace:
        """What every update used, from update ``since`` on, as noted inside the compiled step: float32 values.

        Numbers of updates that are no longer held, or were never noted here, are reported as unseen, not guessed.
        """
        made = self._made()
        names = _NOTED if self.weight_decay is not None else _NOTED[:2]
        first = max(since, made - self.record)
        rows = ops.convert_to_numpy(self._notes)[np.arange(first, made) % self.record] if made else np.empty((0, 3))
        lost = ""
        if first > since:
            lost = (
                f"update {since} is no longer held: {made} updates were made, and this optimizer notes the last "
                f"{self.record}. Build it with record={made}, or more"
            )
        elif np.isnan(rows[:, 0]).any():
            missing = first + int(np.argmax(np.isnan(rows[:, 0])))
            lost = f"update {missing} was not noted: the count of updates was set from outside, or the rate was NaN"
        if lost:
            return Trace([{}], dict.fromkeys(names, lost))
        return Trace([{name: rows[:, column].tolist() for column, name in enumerate(names)}], {})

    def _made(self) -> int:
        return int(ops.convert_to_numpy(self.iterations)) if self.built else 0

    def _get_current_learning_rate(self) -> Any:
        # upstream asks the schedule for the number of micro-batches; `iterations` is the number of updates
        if isinstance(self._learning_rate, KerasSchedule):
            return self._learning_rate(self.iterations)
        return super()._get_current_learning_rate()  # type: ignore[misc]

    def get_config(self) -> dict[str, Any]:
        plans = {name: _describe(vars(self)[name]) for name in (self._momentum_name, "weight_decay")}
        return {**super().get_config(), **plans, "record": self.record}  # type: ignore[misc]

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        revived = {
            name: keras.saving.deserialize_keras_object(value, custom_objects=custom_objects)
            for name, value in config.items()
            if name in ("learning_rate", "momentum", "beta_1", "weight_decay") and isinstance(value, dict)
        }
        return cls(**{**config, **revived})


@keras.saving.register_keras_serializable(package=_PACKAGE)
class SGD(_Recording, keras.optimizers.SGD):
    """Keras' SGD whose learning rate, momentum and weight decay may be schedules, followed in the compiled step.

    Every update notes what it used: `used` gives the last one, `trace` all, `assert_used` compares with a schedule.

    Parameters
    ----------
    learning_rate : Schedule, float or LearningRateSchedule
        Per update. A `Schedule` is looked up by the number of updates made.
    momentum : Schedule or float, optional
        In [0, 1). None: the momentum that ``learning_rate`` carries, 0.0 if it carries none.
    nesterov : bool
        Nesterov's momentum.
    weight_decay : Schedule or float, optional
        At least 0. Keras' rule shrinks the weights beside the step, ``w -= lr * weight_decay * w``.
    steps : int, optional
        Updates to tabulate of a schedule that never settles.
    record : int, optional
        Updates whose numbers are held, the last ones. None: as long as the schedules, and 10 000 at least.
    torch_rule : bool
        Follow PyTorch's SGD, digit by digit; see Notes.
    **options
        As in ``keras.optimizers.SGD``: clipping, averages of the weights, accumulation, name.

    Raises
    ------
    ValueError
        For a momentum outside [0, 1), a negative weight decay, or a schedule that needs ``steps``.
    AttributeError
        When momentum or weight decay is assigned later: a compiled step would not see it.

    Notes
    -----
    Keras keeps the learning rate inside the velocity, ``u = momentum * u - lr * g; w += u``. ``torch_rule=True`` puts
    it outside, ``v = momentum * v + g; w -= lr * v``, as PyTorch does; the two differ whenever the rate moves.
    It also takes ``weight_decay`` as PyTorch's SGD does, into the gradient, ``g + weight_decay * w``, and so through
    momentum.

    Examples
    --------
    >>> optimizer = SGD(schedules.linear(0.1, 0.0, steps=10), momentum=0.9)
    >>> weight = keras.Variable(1.0)
    >>> for _ in range(3):
    ...     optimizer.apply([ops.ones(())], [weight])
    >>> np.round(optimizer.trace().groups[0]["lr"], 6).tolist()
    [0.1, 0.09, 0.08]
    >>> optimizer.momentum = 0.5
    Traceback (most recent call last):
        ...
    AttributeError: momentum cannot be assigned: a compiled step would not see it. Pass a schedule, SGD(momentum=...)
    """

    _momentum_name = "momentum"
    momentum = _Planned()

    def __init__(
        self,
        learning_rate: Number = 0.01,
        momentum: Number | None = None,
        nesterov: bool = False,
        *,
        weight_decay: Number | None = None,
        steps: int | None = None,
        record: int | None = None,
        torch_rule: bool = False,
        **options: Any,
    ) -> None:
        rate, coefficient, decay = _tabulate(learning_rate, ("momentum", momentum, 0.0), weight_decay, steps)
        super().__init__(learning_rate=rate, momentum=0.0, nesterov=nesterov, **options)
        self.torch_rule = torch_rule
        self._plan(rate, coefficient, decay, steps, record)

    def build(self, variables: list[Any]) -> None:
        if not self.built:
            keras.optimizers.Optimizer.build(self, variables)  # not SGD's: it asks `if self.momentum != 0`
            self._add_notes()
            slots = variables if self._has_momentum() else []
            self.momentums = [self.add_variable_from_reference(variable, name="momentum") for variable in slots]

    def _has_momentum(self) -> bool:
        planned = vars(self)["momentum"]
        return isinstance(planned, KerasSchedule) or planned != 0

    def _apply_weight_decay(self, variables: list[Any]) -> None:
        if not self.torch_rule:  # PyTorch's is part of the gradient, in `update_step`
            super()._apply_weight_decay(variables)

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        rate, g = ops.cast(learning_rate, variable.dtype), ops.cast(gradient, variable.dtype)
        if self.torch_rule and self.weight_decay is not None and self._use_weight_decay(variable):
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
        return {**super().get_config(), "torch_rule": self.torch_rule}


class _Adaptive(_Recording):
    """What Adam and AdamW share: ``beta_1`` in the place of momentum."""

    _momentum_name = "beta_1"
    beta_1 = _Planned()

    def build(self, variables: list[Any]) -> None:
        if not self.built:
            super().build(variables)  # type: ignore[misc]
            self._add_notes()


@keras.saving.register_keras_serializable(package=_PACKAGE)
class Adam(_Adaptive, keras.optimizers.Adam):
    """Keras' Adam whose learning rate, ``beta_1`` and weight decay may be schedules, followed in the compiled step.

    Both libraries correct the bias with the current ``beta_1 ** t``, and so does this.

    Parameters
    ----------
    learning_rate : Schedule, float or LearningRateSchedule
        Per update. A `Schedule` is looked up by the number of updates made.
    beta_1 : Schedule or float, optional
        In [0, 1). None: the momentum that ``learning_rate`` carries, 0.9 if it carries none.
    weight_decay : Schedule or float, optional
        At least 0; decoupled, ``w -= lr * weight_decay * w``. None: none.
    steps, record : int, optional
        As in `SGD`.
    **options
        As in ``keras.optimizers.Adam``: ``beta_2``, ``epsilon``, ``amsgrad``, clipping and so on.

    Raises
    ------
    ValueError, AttributeError
        As `SGD`.

    Examples
    --------
    >>> Adam(schedules.cosine(0.001, decay_steps=100)).get_config()["beta_1"]
    0.9
    """

    def __init__(
        self,
        learning_rate: Number = 0.001,
        beta_1: Number | None = None,
        *,
        weight_decay: Number | None = None,
        steps: int | None = None,
        record: int | None = None,
        **options: Any,
    ) -> None:
        rate, coefficient, decay = _tabulate(learning_rate, ("beta_1", beta_1, 0.9), weight_decay, steps)
        super().__init__(learning_rate=rate, **options)
        self._plan(rate, coefficient, decay, steps, record)


@keras.saving.register_keras_serializable(package=_PACKAGE)
class AdamW(_Adaptive, keras.optimizers.AdamW):
    """Keras' AdamW whose learning rate, ``beta_1`` and weight decay may be schedules, followed in the compiled step.

    Parameters
    ----------
    learning_rate, beta_1, steps, record
        As in `Adam`.
    weight_decay : Schedule or float
        At least 0; decoupled, ``w -= lr * weight_decay * w``. Keras' default, 0.004, is not PyTorch's, 0.01.
    **options
        As in ``keras.optimizers.AdamW``.

    Raises
    ------
    ValueError, AttributeError
        As `SGD`.

    References
    ----------
    Loshchilov and Hutter, Decoupled Weight Decay Regularization, arXiv 1711.05101.

    Examples
    --------
    >>> optimizer = AdamW(schedules.cosine(0.001, 100), weight_decay=schedules.linear(0.1, 0.0, steps=100))
    >>> weight = keras.Variable(1.0)
    >>> optimizer.apply([ops.ones(())], [weight])
    >>> round(optimizer.used()["weight_decay"], 6)
    0.1
    """

    def __init__(
        self,
        learning_rate: Number = 0.001,
        beta_1: Number | None = None,
        *,
        weight_decay: Number = 0.004,
        steps: int | None = None,
        record: int | None = None,
        **options: Any,
    ) -> None:
        if weight_decay is None:
            raise ValueError("weight_decay must be a number or a schedule: without weight decay this is Adam")
        rate, coefficient, decay = _tabulate(learning_rate, ("beta_1", beta_1, 0.9), weight_decay, steps)
        super().__init__(learning_rate=rate, **options)
        self._plan(rate, coefficient, decay, steps, record)


def _check_count(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer, type(None))):
        raise TypeError(f"{name} must be a whole number, got {value!r}")
    if value is not None and value < 1:
        raise ValueError(f"{name} must be at least 1, got {value!r}")


def _tabulate(
    rate: Any, momentum: tuple[str, Any, float], weight_decay: Any, steps: int | None
) -> tuple[Any, float | KerasSchedule, float | KerasSchedule | None]:
    """Turn schedules into tables. momentum: name, value (None: what the rate carries) and default."""
    name, coefficient, default = momentum
    if coefficient is None:
        carried = rate.momentum if isinstance(rate, Schedule) else None
        coefficient = default if carried is None else carried
    # a number that never settles is tabulated as far as the learning rate goes
    is_long_enough = steps is None and isinstance(rate, Schedule) and math.isfinite(rate.steps)
    length = int(rate.steps) if is_long_enough else steps
    return (
        KerasSchedule(rate, steps) if isinstance(rate, Schedule) else rate,
        _checked(name, coefficient, length, below=1.0),
        None if weight_decay is None else _checked("weight_decay", weight_decay, length),
    )


def _checked(
    name: str, value: float | Schedule | KerasSchedule, steps: int | None, below: float = math.inf
) -> float | KerasSchedule:
    """``value`` as a number or a table, all of it in [0, below)."""
    if isinstance(value, Schedule):
        value = KerasSchedule(value, steps)
    elif not isinstance(value, KerasSchedule):
        if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
            raise TypeError(f"{name} must be a number or a schedule, got {value!r}")
        value = float(value)
    low, high = value.schedule.bounds if isinstance(value, KerasSchedule) else (value, value)
    if not 0 <= low <= high < below:
        limit = f" and below {below:g}" if below < math.inf else " and finite"
        raise ValueError(f"{name} must be at least 0{limit}, got values from {low:g} to {high:g}")
    return value


def _describe(value: float | KerasSchedule | None) -> Any:
    return keras.saving.serialize_keras_object(value) if isinstance(value, KerasSchedule) else value


# ----------------------------------------------------------------------- watching other optimizers
_HELD_BY_THE_STEP = (
    "{} of a stock Keras optimizer cannot be seen: a compiled step holds the number that it was traced with, whatever "
    "a callback has assigned since. Use for_keras.SGD, Adam or AdamW, which note what they use"
)
_DROPPED = "a stock Keras optimizer drops the momentum that a schedule carries: use for_keras.SGD, Adam or AdamW"


class Watch(keras.callbacks.Callback):
    """A callback that records the learning rate of every real update, of any Keras optimizer.

    ``model.fit(..., callbacks=[..., watch])``: the *last* of the callbacks, so that it sees what the others have
    assigned. It counts updates, not batches: skipped and accumulated ones leave no entry. Of the optimizers of this
    module it hands out their own trace. Momentum and weight decay of other optimizers cannot be seen from outside a
    compiled step; `assert_used` then fails and says so.

    Examples
    --------
    >>> plan = schedules.linear(0.1, 0.0, steps=4)
    >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    >>> model.compile(optimizer=keras.optimizers.Lion(KerasSchedule(plan)), loss="mse")
    >>> watch = Watch()
    >>> _ = model.fit(np.ones((4, 1)), np.ones((4, 1)), batch_size=1, verbose=0, callbacks=[watch])
    >>> assert_used(watch, plan)
    >>> assert_used(watch, plan.with_momentum(0.9))
    Traceback (most recent call last):
        ...
    AssertionError: momentum of a stock Keras optimizer cannot be seen: ...
    """

    def __init__(self) -> None:
        super().__init__()
        self._optimizer: Any = None
        self._start_over(None)

    def _start_over(self, optimizer: Any) -> None:
        self._optimizer, self._made = optimizer, 0
        self._seen: dict[str, list[float]] = {}
        self._unseen: dict[str, str] = {}

    @property
    def _is_ours(self) -> bool:
        return isinstance(self._optimizer, _Recording)

    def on_train_begin(self, logs: Any = None) -> None:
        # with mixed precision Keras wraps the optimizer in one that scales the loss
        optimizer, before = getattr(self.model.optimizer, "inner_optimizer", self.model.optimizer), self._optimizer
        if optimizer is not before:
            self._start_over(optimizer)
        made = self._count()
        if optimizer is before and made != self._made:
            self._unseen["lr"] = "the optimizer made updates while this Watch was not among the callbacks"
        self._made = made

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._collected = 0

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        if not self._is_ours:
            self._sync()
            self._before = float(ops.convert_to_numpy(self._optimizer.learning_rate))

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        # an optimizer of this module keeps notes: fetch them only before they are overwritten
        if not self._is_ours or batch + 1 - self._collected > self._optimizer.record // 2:
            self._collect()
            self._collected = batch + 1

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self._collect()

    def trace(self) -> Trace:
        """The learning rate of every update seen so far; of an optimizer of this module, momentum and decay too."""
        if self._optimizer is None:
            return Trace([{"lr": []}], {})
        unseen = {**({} if self._is_ours else self._hidden()), **self._unseen}
        return Trace([{name: seen for name, seen in self._seen.items() if name not in unseen}], unseen)

    def _hidden(self) -> dict[str, str]:
        """What cannot be seen of a stock optimizer, with the reason."""
        rate = self._optimizer._learning_rate
        carried = isinstance(rate, KerasSchedule) and rate.schedule.momentum is not None
        hidden = {
            "momentum": _DROPPED if carried else _HELD_BY_THE_STEP.format("momentum"),
            "weight_decay": _HELD_BY_THE_STEP.format("weight decay"),
        }
        if callable(rate) and not isinstance(rate, LearningRateSchedule) and not isinstance(rate, keras.Variable):
            hidden["lr"] = "a function as learning rate may be called once, when the step is traced: use a schedule"
        return hidden

    def _collect(self) -> None:
        """Note what the updates since the last time have used."""
        self._sync()
        made = self._count()
        if self._is_ours:
            recorded = self._optimizer.trace(since=self._made)
            group, unseen = recorded.groups[0], recorded.unseen
        else:
            group, unseen = {"lr": self._rates(range(self._made, made))}, {}
        for name, values in group.items():
            self._seen.setdefault(name, []).extend(values)
        self._unseen = {**unseen, **self._unseen}
        self._made = made

    def _rates(self, updates: range) -> list[float]:
        """Learning rates of updates made in one execution: a number cannot move within it, a schedule does."""
        rate, every = self._optimizer._learning_rate, self._optimizer.gradient_accumulation_steps or 1
        if isinstance(rate, LearningRateSchedule) and self.model.steps_per_execution > 1:
            # Keras looks a schedule up by micro-batches
            return [float(ops.convert_to_numpy(rate((k + 1) * every - 1))) for k in updates]
        return [self._before] * len(updates)

    def _count(self) -> int:
        return int(ops.convert_to_numpy(self._optimizer.iterations))

    def _sync(self) -> None:
        """On JAX the numbers of a running fit are handed to the model only when somebody asks."""
        if keras.backend.backend() == "jax":
            self.model.jax_state_sync()
