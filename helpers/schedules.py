# SPDX-FileCopyrightText: 2026 the authors of the learning-rate schedules course
# SPDX-License-Identifier: MIT
"""Learning-rate schedules as pure functions of the number of updates made. Needs NumPy only.

Made to be copied: this file, and beside it ``for_torch.py`` or ``for_keras.py`` for your framework. Version 2.0, MIT
licence, from the project "Learning-rate schedules, derived and measured". Python 3.11 or newer, NumPy 1.26 or newer. ::

    import schedules

    lr = schedules.one_cycle(max_lr=0.1, total_steps=100)
    lr(0), lr(30), lr(100)       # start, peak, end: (0.004, 0.1, 4e-07)
    lr.momentum(30)              # 0.85
    lr(range(100))               # the whole run, as an array

Conventions, the same for every schedule:

* ``k`` counts the optimizer updates already made, so the first update uses ``schedule(0)``.
* End-exclusive, then held: the end value belongs to ``k == schedule.steps`` and to every later k. Three schedules end
  with their last update instead, each for a reason: `one_cycle_torch`, `lr_range_test` and `tabulated`.
* A value changes *at* its boundary. ``pct_start``: a float in (0, 1) is a fraction of the run, an int is steps.
* Bad input raises at once: ``ValueError`` for a wrong value, ``TypeError`` for a wrong kind, with the value in it.

A schedule is immutable, and is what you typed: ``repr`` shows it, ``eval`` of that gives an equal one, and JSON, pickle
and hash go by the name and the arguments. They combine: ``warmup(...).then(cosine(...))``, ``0.1 * schedule``,
``schedule.with_momentum(...)``, ``schedule.replace(max_lr=0.2)``.
"""

from __future__ import annotations

import functools
import inspect
import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Integral, Real
from types import MappingProxyType
from typing import Any, NamedTuple, ParamSpec, Protocol, overload

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Schedule",
    "Trace",
    "assert_used",
    "constant",
    "cosine",
    "cosine_restarts",
    "cyclic",
    "exponential",
    "inverse_sqrt",
    "inverse_time",
    "linear",
    "lr_range_test",
    "noam",
    "one_cycle",
    "one_cycle_torch",
    "piecewise_constant",
    "polynomial",
    "rex",
    "tabulated",
    "warmup",
    "wsd",
]

Array = NDArray[np.float64]
P = ParamSpec("P")


# ---------------------------------------------------------------------------------------- checks
def _number(name: str, value: Any, *, low: float = 0.0, high: float = math.inf, strictly: bool = False) -> float:
    """Return ``value`` as a finite float in [low, high], or in (low, high] when ``strictly``."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name} must be a number, got {value!r}")
    number = float(value)
    inside = low < number <= high if strictly else low <= number <= high
    if not (math.isfinite(number) and inside):
        bound = f"{'above' if strictly else 'at least'} {low:g}" + (f" and at most {high:g}" if high < math.inf else "")
        raise ValueError(f"{name} must be finite and {bound}, got {value!r}")
    return number


def _count(name: str, value: Any, *, least: int = 1) -> int:
    """Return ``value`` as an int that is at least ``least``."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(f"{name} must be a whole number of steps, got {value!r}")
    if value < least:
        raise ValueError(f"{name} must be at least {least}, got {value!r}")
    return int(value)


def _momentum(name: str, value: Any) -> float:
    number = _number(name, value)
    if number >= 1:
        raise ValueError(f"{name} must be below 1, got {value!r}")
    return number


def _momentum_pair(momentum: Any) -> tuple[float, float]:
    if not isinstance(momentum, tuple) or len(momentum) != 2:
        raise TypeError(f"momentum must be a pair (low, high) or None, got {momentum!r}")
    low, high = (_momentum("momentum", value) for value in momentum)
    if low > high:
        raise ValueError(f"momentum is a pair (low, high), and low belongs to the peak; got {momentum!r}")
    return low, high


def _choice(name: str, value: Any, allowed: Sequence[str]) -> str:
    if value not in allowed:
        error = ValueError if isinstance(value, str) else TypeError
        raise error(f"{name} must be one of {', '.join(map(repr, allowed))}, got {value!r}")
    return str(value)


def _flag(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be True or False, got {value!r}")
    return value


def _sequence(name: str, values: Any) -> tuple[Any, ...]:
    if not isinstance(values, tuple):  # lists and arrays have become tuples: see `_plain`
        raise TypeError(f"{name} must be a sequence, got {values!r}")
    return values


def _part(name: str, value: Any, total: int) -> float:
    """Steps in a part of the run: a float in (0, 1) is a fraction of ``total``, an int is steps."""
    if isinstance(value, float):
        if not 0 < value < 1:
            raise ValueError(f"{name} as a float is a fraction of the run, between 0 and 1; got {value!r}")
        return _whole(value * total)
    steps = _count(name, value)
    if steps >= total:
        raise ValueError(f"{name} must be shorter than the run of {total} steps, got {value!r}")
    return float(steps)


def _whole(steps: float) -> float:
    """``steps`` without the rounding error of a product: 0.29 * 100 is 28.999999999999996, and step 29 is meant."""
    return float(round(steps)) if math.isclose(steps, round(steps), rel_tol=1e-12) else steps


def _as_steps(step: Any) -> Array:
    """Return ``step`` as a float64 array of finite update counts, at least 0."""
    array = np.asarray(step.detach().cpu() if hasattr(step, "detach") else step)
    if array.dtype == object and isinstance(step, int):
        array = np.asarray(float(step))  # a Python int beyond 64 bits
    if array.dtype.kind not in "iuf":
        raise TypeError(f"step must be a number or an array of numbers, got {step!r}")
    if array.size and not (np.isfinite(array).all() and array.min() >= 0):
        raise ValueError(f"step counts updates already made: finite and at least 0, got {step!r}")
    return array.astype(np.float64)


def _plain(value: Any) -> Any:
    """NumPy's numbers as Python's, sequences as tuples: what can be compared, hashed and written as JSON."""
    if isinstance(value, (np.generic, np.ndarray)):
        value = value.tolist()
    if isinstance(value, (list, tuple, range)):
        return tuple(map(_plain, value))
    is_other_number = isinstance(value, Real) and not isinstance(value, (int, float))  # a Fraction
    return float(value) if is_other_number else value


# ----------------------------------------------------------------------------------- the schedule
class Rule(NamedTuple):
    """What the function of a schedule returns: its values, and the little that cannot be read off them.

    Attributes
    ----------
    values : callable
        Takes an array of steps, shape (n,), returns the values there, shape (n,).
    bounds : tuple of two floats
        An interval that holds every value.
    steps : float
        Where it ends; ``inf`` if it never does.
    settles : float, optional
        The k from which the value no longer changes; None: when it ends.
    momentum : Rule or Schedule, optional
        The momentum that goes with it.
    """

    values: Callable[[Array], Array]
    bounds: tuple[float, float]
    steps: float = math.inf
    settles: float | None = None
    momentum: Rule | Schedule | None = None


@dataclass(frozen=True, eq=False, repr=False)
class Schedule:
    """A learning rate as a pure function of k, the number of optimizer updates already made.

    The functions below make schedules. Call one with a number to get a ``float``, with anything like an array (a
    list, NumPy, PyTorch on any device, pandas) to get a float64 array of the same shape. A negative or non-finite
    step is a ``ValueError``, a bool or a string a ``TypeError``.

    Attributes
    ----------
    name : str
        The function that made it.
    arguments : Mapping[str, Any]
        All of that function's arguments, defaults included.

    Examples
    --------
    >>> lr = linear(0.1, 0.0, steps=4)
    >>> lr
    linear(initial_lr=0.1, end_lr=0.0, steps=4)
    >>> [lr(k) for k in range(6)]
    [0.1, 0.07500000000000001, 0.05, 0.024999999999999994, 0.0, 0.0]
    """

    name: str
    arguments: Mapping[str, Any]
    _rule: Rule

    __array_ufunc__ = None  # lets numpy.float64(0.1) * schedule reach __rmul__

    @overload
    def __call__(self, step: int | float | np.integer) -> float: ...
    @overload
    def __call__(self, step: Sequence[int] | NDArray[Any]) -> Array: ...
    def __call__(self, step: Any) -> float | Array:
        k = _as_steps(step)
        values = self._rule.values(k.reshape(-1)).reshape(k.shape)
        return values if k.ndim else float(values)

    @property
    def steps(self) -> float:
        """The length of the run in updates: from ``k == steps`` on the end value is held. ``inf`` if it never ends."""
        return self._rule.steps

    @property
    def settles(self) -> float:
        """The k from which the value no longer changes: 0 for a constant, ``inf`` if there is no such k.

        >>> piecewise_constant([30, 60], [0.1, 0.01, 0.001]).settles
        60
        """
        return self.steps if self._rule.settles is None else self._rule.settles

    @property
    def bounds(self) -> tuple[float, float]:
        """An interval that holds every value."""
        return self._rule.bounds

    @functools.cached_property
    def momentum(self) -> Schedule | None:
        """The momentum that goes with this learning rate, another schedule; ``None`` when momentum is left alone.

        >>> one_cycle(0.1, total_steps=100).momentum
        one_cycle(max_lr=0.1, total_steps=100).momentum
        """
        momentum = self._rule.momentum
        return _momentum_of(self) if isinstance(momentum, Rule) else momentum

    def then(self, other: Schedule, at: int | None = None) -> Schedule:
        """Follow this schedule by ``other``, whose clock starts at step ``at`` (default: where this one ends).

        >>> lr = warmup(0.0, 0.1, steps=5).then(cosine(0.1, decay_steps=10))
        >>> lr(0), lr(5), lr(15)
        (0.0, 0.1, 0.0)
        """
        _need_schedules(other)
        if at is None and self.steps == math.inf:
            raise ValueError(f"{short(self)} never ends: say where the next schedule takes over, then(..., at=...)")
        return _then(self, other, int(self.steps) if at is None else at)

    def with_momentum(self, momentum: Schedule | float | None) -> Schedule:
        """The same learning rate with another momentum: a schedule, a number, or None to leave momentum alone.

        >>> linear(0.1, 0.0, steps=10).with_momentum(0.9).momentum(3)
        0.9
        """
        if momentum is self.momentum or (isinstance(momentum, Schedule) and momentum == self.momentum):
            return self
        replaced = self.name == "with_momentum"
        base = self.arguments["base"] if replaced else self
        return base if momentum is None and base.momentum is None else _with_momentum(base, momentum)

    def __mul__(self, factor: float) -> Schedule:
        """Scale the learning rate, never the momentum: ``0.1 * schedule`` for a parameter group.

        >>> (0.5 * one_cycle(0.1, 100))(30), (0.5 * one_cycle(0.1, 100)).momentum(30)
        (0.05, 0.85)
        """
        if isinstance(factor, Schedule):
            raise TypeError("two schedules cannot be multiplied; scale one by a number or join them with .then()")
        return _scaled(factor, self)

    __rmul__ = __mul__

    def replace(self, **changes: Any) -> Schedule:
        """The same schedule with some of its arguments changed.

        >>> one_cycle(0.1, total_steps=100).replace(max_lr=0.2)
        one_cycle(max_lr=0.2, total_steps=100)
        """
        return _MAKERS[self.name](**{**self.arguments, **changes})

    def to_dict(self) -> dict[str, Any]:
        """Plain data that JSON carries without loss; `from_dict` reads it back.

        Every argument is written, so a default that changes later does not change a schedule that was saved before.

        >>> linear(0.1, 0.0, steps=10).to_dict()
        {'schedule': 'linear', 'initial_lr': 0.1, 'end_lr': 0.0, 'steps': 10}
        """
        return {"schedule": self.name, **{name: _to_json(value) for name, value in self.arguments.items()}}

    @staticmethod
    def from_dict(description: Mapping[str, Any]) -> Schedule:
        """Build the schedule that `to_dict` described. Raises ``ValueError`` when nothing of the kind is described.

        >>> Schedule.from_dict({"schedule": "cosine", "initial_lr": 0.1, "decay_steps": 10})
        cosine(initial_lr=0.1, decay_steps=10)
        """
        name = description.get("schedule") if isinstance(description, Mapping) else None
        if not isinstance(name, str) or name not in _MAKERS:
            known = ", ".join(sorted(_MAKERS))
            raise ValueError(f"a schedule is described by {{'schedule': one of {known}, ...}}, got {description!r}")
        arguments = {key: _from_json(value) for key, value in description.items() if key != "schedule"}
        try:
            return _MAKERS[name](**arguments)
        except TypeError as error:
            raise ValueError(f"this describes no schedule: {error}") from None

    def _key(self) -> tuple[Any, ...]:
        return self.name, *self.arguments.items()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Schedule) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __reduce__(self) -> tuple[Any, ...]:
        return Schedule.from_dict, (self.to_dict(),)

    def __repr__(self) -> str:
        given = self.arguments
        of = {name: f"({s!r})" if s.name == "scaled" else repr(s) for name, s in given.items() if _is_schedule(s)}
        match self.name:
            case "scaled":
                return f"{given['factor']!r} * {of['base']}"
            case "momentum_of":
                return f"{of['base']}.momentum"
            case "with_momentum":
                return f"{of['base']}.with_momentum({given['momentum']!r})"
            case "then":
                at = "" if given["at"] == given["first"].steps else f", at={given['at']!r}"
                return f"{of['first']}.then({given['second']!r}{at})"
        defaults = inspect.signature(_MAKERS[self.name]).parameters
        typed = [f"{name}={value!r}" for name, value in given.items() if value != defaults[name].default]
        return f"{self.name}({', '.join(typed)})"


_MAKERS: dict[str, Callable[..., Schedule]] = {}


def _recorded(function: Callable[P, Rule]) -> Callable[P, Schedule]:
    """Make ``function`` return a `Schedule` that knows with which name and arguments it was made."""
    name, signature = function.__name__.strip("_"), inspect.signature(function)

    @functools.wraps(function)
    def make(*args: P.args, **kwargs: P.kwargs) -> Schedule:
        try:
            bound = signature.bind(*args, **kwargs)
            bound.apply_defaults()
            arguments = {key: _plain(value) for key, value in bound.arguments.items()}
            return Schedule(name, MappingProxyType(arguments), function(**arguments))  # type: ignore[call-arg]
        except (TypeError, ValueError) as error:
            raise type(error)(f"{name}: {error}") from None

    make.__signature__ = signature.replace(return_annotation="Schedule")  # type: ignore[attr-defined]
    make.__annotations__ = {**function.__annotations__, "return": "Schedule"}
    _MAKERS[name] = make
    return make


def _is_schedule(value: Any) -> bool:
    return isinstance(value, Schedule)


def _need_schedules(*values: Any) -> None:
    for value in values:
        if not isinstance(value, Schedule):
            raise TypeError(f"a schedule is needed here, got {value!r}; tabulated([...]) makes one of your own values")


def _to_json(value: Any) -> Any:
    if isinstance(value, Schedule):
        return value.to_dict()
    return list(map(_to_json, value)) if isinstance(value, tuple) else value


def _from_json(value: Any) -> Any:
    return Schedule.from_dict(value) if isinstance(value, Mapping) else value


def short(schedule: Schedule) -> str:
    """``repr``, cut where a table of values would fill the screen."""
    text = repr(schedule)
    return text if len(text) <= 200 else f"{text[:150]} ... {text[-30:]}"


# ---------------------------------------------------------------------------------- combinations
@_recorded
def _then(first: Schedule, second: Schedule, at: int) -> Rule:
    """``first`` before step ``at``, then ``second`` with its own clock starting at 0."""
    _need_schedules(first, second)
    step = _count("at", at)
    if (first.momentum is None) != (second.momentum is None):
        has, has_not = (first, second) if second.momentum is None else (second, first)
        raise ValueError(
            f"only one side schedules momentum: {short(has)} does, {short(has_not)} does not. "
            "Give the other side one with .with_momentum(...), or remove it with .with_momentum(None)."
        )

    def values(k: Array) -> Array:
        found, before = np.empty_like(k), k < step
        found[before] = first._rule.values(k[before])
        found[~before] = second._rule.values(k[~before] - step)
        return found

    bounds = tuple(zip(first.bounds, second.bounds, strict=True))
    momentum = first.momentum.then(second.momentum, step) if first.momentum and second.momentum else None
    return Rule(values, (min(bounds[0]), max(bounds[1])), step + second.steps, step + second.settles, momentum)


@_recorded
def _scaled(factor: float, base: Schedule) -> Rule:
    """``factor * base``."""
    _need_schedules(base)
    scale, (low, high) = _number("factor", factor), base.bounds
    return base._rule._replace(
        values=lambda k: scale * base._rule.values(k), bounds=(scale * low, scale * high), momentum=base.momentum
    )


@_recorded
def _with_momentum(base: Schedule, momentum: Schedule | float | None) -> Rule:
    """``base`` with another momentum."""
    _need_schedules(base)
    if momentum is not None and not isinstance(momentum, Schedule):
        momentum = constant(_momentum("momentum", momentum))
    if momentum is not None:
        if momentum.momentum is not None:
            raise TypeError(f"momentum must be a schedule without momentum of its own, got {short(momentum)}")
        for value in momentum.bounds:
            _momentum("momentum", value)
    return base._rule._replace(momentum=momentum)


@_recorded
def _momentum_of(base: Schedule) -> Rule:
    """The momentum of a schedule that was made together with it."""
    _need_schedules(base)
    if not isinstance(base._rule.momentum, Rule):
        raise TypeError(f"{short(base)} does not carry a momentum of its own")
    return base._rule.momentum


# ---------------------------------------------------------------------------------------- curves
Shape = Callable[[float, float, Array], Array]
_SHAPES: dict[str, Shape] = {  # the value on the way from start to end, u from 0 to 1
    "linear": lambda start, end, u: (end - start) * u + start,
    "cos": lambda start, end, u: end + (start - end) / 2.0 * (np.cos(np.pi * u) + 1.0),
    "exp": lambda start, end, u: start * (end / start) ** u,
    "1-sqrt": lambda start, end, u: end + (start - end) * (1.0 - np.sqrt(u)),
    "rex": lambda start, end, u: end + (start - end) * (1.0 - u) / (0.5 + 0.5 * (1.0 - u)),
}


def _between(start: float, end: float, u: Array, shape: str) -> Array:
    """Interpolate; hit both ends exactly and never leave the interval, whatever the rounding."""
    values = np.clip(_SHAPES[shape](start, end, u), min(start, end), max(start, end))
    values[u <= 0], values[u >= 1] = start, end
    return values


def _curve(ends: Sequence[float], levels: Sequence[float], shapes: Sequence[str], *, as_torch: bool = False) -> Rule:
    """Through ``levels[i]`` at step ``ends[i]``, a shape between each two; the last level is held.

    as_torch: without the corrections of `_between`, so that OneCycleLR is reproduced to the last bit, end included.
    """
    if any(later <= earlier for earlier, later in itertools.pairwise(ends)):
        raise ValueError(f"each phase needs at least a part of a step; phases end at {list(ends[1:])}")
    piece: Callable[..., Array] = (lambda a, b, u, shape: _SHAPES[shape](a, b, u)) if as_torch else _between

    def values(k: Array) -> Array:
        found = np.full_like(k, levels[-1])
        phase = np.searchsorted(ends[1:-1], k, side="left")
        for i, shape in enumerate(shapes):
            inside = phase == i
            u = np.minimum((k[inside] - ends[i]) / (ends[i + 1] - ends[i]), 1.0)
            found[inside] = piece(levels[i], levels[i + 1], u, shape)
        return found

    last = math.ceil(ends[-1])
    if not as_torch:
        return Rule(values, (min(levels), max(levels)), last)
    # uncorrected rounding: 6e-6 may come out as 5.99999999998e-6
    reached = np.concatenate(
        [levels, *(piece(a, b, np.array([0.0, 1.0]), shapes[0]) for a, b in itertools.pairwise(levels))]
    )
    return Rule(values, (float(reached.min()), float(reached.max())), last + 1, last)


def _straight(start_name: str, start: float, end_name: str, end: float, steps: int, shape: str = "linear") -> Rule:
    """One phase; the names are those of the arguments, for the messages."""
    return _curve([0, steps], [_number(start_name, start), _number(end_name, end)], [shape])


# ------------------------------------------------------------------------------------ the schedules
@_recorded
def constant(lr: float) -> Rule:
    """The same learning rate at every step: the baseline of every comparison.

    Parameters
    ----------
    lr : float
        Learning rate, at least 0.

    Examples
    --------
    >>> constant(0.1)(10**6)
    0.1
    """
    value = _number("lr", lr)
    return Rule(lambda k: np.full_like(k, value), (value, value), settles=0)


@_recorded
def tabulated(values: Sequence[float]) -> Rule:
    """Your own: one learning rate for each update, the last one held.

    Parameters
    ----------
    values : sequence of float
        ``values[k]`` is used by update k; at least one, each finite and at least 0.

    Examples
    --------
    >>> lr = tabulated([0.1 / (1 + k) for k in range(3)])
    >>> lr(1), lr(2), lr(9), lr.steps
    (0.05, 0.03333333333333333, 0.03333333333333333, 3)
    """
    table = np.array([_number(f"values[{i}]", value) for i, value in enumerate(_sequence("values", values))])
    if not table.size:
        raise ValueError("values must hold at least one learning rate")
    last = len(table) - 1
    bounds = float(table.min()), float(table.max())
    return Rule(lambda k: table[np.minimum(k, last).astype(int)], bounds, last + 1, last)


@_recorded
def piecewise_constant(boundaries: Sequence[int], values: Sequence[float]) -> Rule:
    """``values[0]`` first, then ``values[i + 1]`` from step ``boundaries[i]`` on.

    The new value is used *at* the boundary, as in PyTorch's MultiStepLR and optax's piecewise_constant_schedule;
    Keras' PiecewiseConstantDecay changes one update later.

    Parameters
    ----------
    boundaries : sequence of int
        Steps at which the value changes, each at least 1, increasing.
    values : sequence of float
        Learning rates, one more than there are boundaries.

    Examples
    --------
    >>> lr = piecewise_constant([2, 5], [0.1, 0.01, 0.001])
    >>> [lr(k) for k in (1, 2, 4, 5)]
    [0.1, 0.01, 0.01, 0.001]
    """
    edges = [_count("boundary", boundary) for boundary in _sequence("boundaries", boundaries)]
    levels = np.array([_number("value", value) for value in _sequence("values", values)])
    if len(levels) != len(edges) + 1:
        raise ValueError(f"{len(edges)} boundaries need {len(edges) + 1} values, got {len(levels)}")
    if any(later <= earlier for earlier, later in itertools.pairwise(edges)):
        raise ValueError(f"boundaries must increase, got {edges!r}")
    bounds = float(levels.min()), float(levels.max())
    return Rule(lambda k: levels[np.searchsorted(edges, k, side="right")], bounds, settles=edges[-1] if edges else 0)


@_recorded
def exponential(initial_lr: float, decay_rate: float, decay_steps: float, *, staircase: bool = False) -> Rule:
    r"""Multiply by ``decay_rate`` every ``decay_steps`` steps: :math:`\eta_0\, r^{k/s}`.

    The half-life is ``decay_steps * log(0.5) / log(decay_rate)`` steps. The same law as Keras' ExponentialDecay, and
    with ``decay_steps=1`` as PyTorch's ExponentialLR, if that is stepped after every update.

    Parameters
    ----------
    initial_lr : float
        Learning rate at k = 0.
    decay_rate : float
        Factor per ``decay_steps``, above 0 and at most 1.
    decay_steps : float
        Steps in which the rate is multiplied by ``decay_rate`` once, above 0.
    staircase : bool
        Floor the exponent, so that the value drops once every ``decay_steps``.

    Examples
    --------
    >>> exponential(0.1, 0.5, 10)(10), exponential(0.1, 0.5, 10, staircase=True)(9)
    (0.05, 0.1)
    """
    start, rate = _number("initial_lr", initial_lr), _number("decay_rate", decay_rate, high=1.0, strictly=True)
    period, whole = _number("decay_steps", decay_steps, strictly=True), _flag("staircase", staircase)
    return Rule(lambda k: start * rate ** (np.floor(k / period) if whole else k / period), (0.0, start))


@_recorded
def inverse_time(initial_lr: float, decay_rate: float, decay_steps: float, *, power: float = 1.0) -> Rule:
    r"""1/t decay: :math:`\eta_0 / (1 + r\,k/s)^p`; with ``power=0.5`` the inverse square root.

    The same law as Keras' InverseTimeDecay for ``power=1``.

    Parameters
    ----------
    initial_lr : float
        Learning rate at k = 0.
    decay_rate : float
        How much the denominator grows in ``decay_steps``, above 0.
    decay_steps : float
        The unit of time in steps, above 0.
    power : float
        Exponent, above 0.

    References
    ----------
    Robbins and Monro (1951), "A Stochastic Approximation Method": rates that sum to infinity with squares that do not.

    Examples
    --------
    >>> inverse_time(0.1, 1.0, 10)(10)
    0.05
    """
    start, exponent = _number("initial_lr", initial_lr), _number("power", power, strictly=True)
    rate, period = _number("decay_rate", decay_rate, strictly=True), _number("decay_steps", decay_steps, strictly=True)
    return Rule(lambda k: start / (1.0 + rate * k / period) ** exponent, (0.0, start))


@_recorded
def polynomial(initial_lr: float, end_lr: float, decay_steps: int, *, power: float = 1.0) -> Rule:
    r""":math:`\eta_T + (\eta_0 - \eta_T)(1 - k/T)^p`, then the end value.

    The same law as PyTorch's PolynomialLR and Keras' PolynomialDecay (without its ``cycle``).

    Parameters
    ----------
    initial_lr, end_lr : float
        Learning rates at k = 0 and from k = ``decay_steps`` on.
    decay_steps : int
        Steps T of the decay.
    power : float
        Exponent p, above 0.

    Examples
    --------
    >>> polynomial(0.1, 0.0, 10, power=2.0)(5)
    0.025
    """
    start, end = _number("initial_lr", initial_lr), _number("end_lr", end_lr)
    steps, exponent = _count("decay_steps", decay_steps), _number("power", power, strictly=True)
    bounds = min(start, end), max(start, end)

    def values(k: Array) -> Array:
        left = 1.0 - np.minimum(k / steps, 1.0)
        return np.where(left == 1.0, start, np.clip(end + (start - end) * left**exponent, *bounds))

    return Rule(values, bounds, steps)


@_recorded
def linear(initial_lr: float, end_lr: float, steps: int) -> Rule:
    r"""A straight line: :math:`\eta_0 + (\eta_T - \eta_0)\,k/T`, then the end value.

    Parameters
    ----------
    initial_lr, end_lr : float
        Learning rates at k = 0 and from k = ``steps`` on.
    steps : int
        Steps T from one to the other.

    Examples
    --------
    >>> linear(0.1, 0.0, 10)(5)
    0.05
    """
    return _straight("initial_lr", initial_lr, "end_lr", end_lr, _count("steps", steps))


@_recorded
def warmup(start_lr: float, end_lr: float, steps: int) -> Rule:
    """A straight line upwards, to be followed by another schedule with ``.then``.

    Parameters
    ----------
    start_lr, end_lr : float
        Learning rates at k = 0 and from k = ``steps`` on. The start has no default: 0 wastes the first update, so it
        must be asked for.
    steps : int
        Steps from one to the other.

    Examples
    --------
    >>> lr = warmup(0.01, 0.1, 9).then(linear(0.1, 0.0, 91))
    >>> lr(0), lr(9), lr(100)
    (0.01, 0.1, 0.0)
    """
    return _straight("start_lr", start_lr, "end_lr", end_lr, _count("steps", steps))


@_recorded
def cosine(initial_lr: float, decay_steps: int, *, end_lr: float = 0.0) -> Rule:
    r"""Half a cosine wave: :math:`\eta_T + \frac{1}{2}(\eta_0 - \eta_T)(1 + \cos(\pi k/T))`, then the end value.

    Held afterwards, as in Keras and optax; PyTorch's CosineAnnealingLR comes back up.

    Parameters
    ----------
    initial_lr : float
        Learning rate at k = 0.
    decay_steps : int
        Steps T of the decay.
    end_lr : float
        Learning rate from k = ``decay_steps`` on.

    References
    ----------
    Loshchilov and Hutter (2017), SGDR, arXiv 1608.03983, equation 5, without restarts.

    Examples
    --------
    >>> lr = cosine(0.1, 10)
    >>> lr(0), round(lr(5), 12), lr(10), lr(15)
    (0.1, 0.05, 0.0, 0.0)
    """
    return _straight("initial_lr", initial_lr, "end_lr", end_lr, _count("decay_steps", decay_steps), "cos")


@_recorded
def rex(max_lr: float, steps: int, *, end_lr: float = 0.0) -> Rule:
    r"""Reflected exponential: :math:`\eta_0 \frac{1 - k/T}{1/2 + (1 - k/T)/2}`; slow first, then ever faster.

    Parameters
    ----------
    max_lr : float
        Learning rate at k = 0.
    steps : int
        Steps T of the decay.
    end_lr : float
        Learning rate from k = ``steps`` on; the paper's is 0.

    References
    ----------
    Chen, Wolfe and Kyrillidis (2022), "REX: Revisiting Budgeted Training with an Improved Schedule", arXiv 2107.04197.

    Examples
    --------
    >>> lr = rex(0.3, 90)
    >>> lr(0), round(lr(45), 12), lr(90)
    (0.3, 0.2, 0.0)
    """
    return _straight("max_lr", max_lr, "end_lr", end_lr, _count("steps", steps), "rex")


@_recorded
def cosine_restarts(
    initial_lr: float, first_decay_steps: int, *, t_mul: float = 1, m_mul: float = 1.0, end_lr: float = 0.0
) -> Rule:
    """SGDR: a cosine that starts again after ``first_decay_steps``, then after ``t_mul`` times as many, and so on.

    Parameters
    ----------
    initial_lr : float
        Learning rate at k = 0.
    first_decay_steps : int
        Steps of the first cosine.
    t_mul : float
        Each cosine is so many times as long as the one before, at least 1.
    m_mul : float
        Restart i begins at ``end_lr + (initial_lr - end_lr) * m_mul ** i``, as in Keras' CosineDecayRestarts; above 0
        and at most 1.
    end_lr : float
        What each cosine falls to.

    References
    ----------
    Loshchilov and Hutter (2017), SGDR, arXiv 1608.03983, equation 5.

    Examples
    --------
    >>> lr = cosine_restarts(0.1, 5, t_mul=2, m_mul=0.5)
    >>> lr(0), lr(5), lr(15)
    (0.1, 0.05, 0.025)
    """
    start = _number("initial_lr", initial_lr)
    end, first = _number("end_lr", end_lr, high=start), _count("first_decay_steps", first_decay_steps)
    longer, lower = _number("t_mul", t_mul, low=1.0), _number("m_mul", m_mul, high=1.0, strictly=True)

    def values(k: Array) -> Array:
        cycle, u = _cycles(k, first, longer)
        peak = np.where(cycle == 0, start, end + (start - end) * lower**cycle)
        return np.where(u <= 0, peak, end + (peak - end) / 2.0 * (np.cos(np.pi * u) + 1.0))

    return Rule(values, (end, start))


def _cycles(k: Array, first: int, longer: float) -> tuple[Array, Array]:
    """The number of the cycle that k falls into, and the fraction of it that has passed.

    Counted, never ``log(k)``: the logarithm is a rounding error off exactly at a restart.
    """
    if longer == 1.0 or not k.size:
        cycle = np.floor_divide(k, first)
        return cycle, (k - cycle * first) / first
    lengths, starts = [float(first)], [0.0]
    while starts[-1] + lengths[-1] <= k.max():
        starts.append(starts[-1] + lengths[-1])
        lengths.append(_whole(first * longer ** len(lengths)))
    found = np.searchsorted(starts, k, side="right") - 1
    return found.astype(np.float64), (k - np.asarray(starts)[found]) / np.asarray(lengths)[found]


@_recorded
def cyclic(
    base_lr: float,
    max_lr: float,
    step_size_up: int,
    step_size_down: int | None = None,
    *,
    mode: str = "triangular",
    gamma: float = 1.0,
    momentum: tuple[float, float] | None = None,
) -> Rule:
    """Triangles between ``base_lr`` and ``max_lr``, for ever. The same values as PyTorch's CyclicLR.

    Parameters
    ----------
    base_lr, max_lr : float
        The lowest and the highest learning rate.
    step_size_up, step_size_down : int
        Steps up and steps down; ``None`` for as many down as up.
    mode : str
        "triangular" keeps the height, "triangular2" halves it every cycle, "exp_range" multiplies it by ``gamma ** k``.
    gamma : float
        Used by "exp_range" only, above 0 and at most 1.
    momentum : (float, float), optional
        Moves the opposite way: the pair is (at ``max_lr``, at ``base_lr``). ``None`` leaves momentum alone.

    References
    ----------
    Smith (2017), "Cyclical Learning Rates for Training Neural Networks", arXiv 1506.01186, section 3.

    Examples
    --------
    >>> lr = cyclic(0.0, 1.0, 2, mode="triangular2")
    >>> [lr(k) for k in range(7)]
    [0.0, 0.5, 1.0, 0.5, 0.0, 0.25, 0.5]
    """
    up = _count("step_size_up", step_size_up)
    down = up if step_size_down is None else _count("step_size_down", step_size_down)
    mode = _choice("mode", mode, ("triangular", "triangular2", "exp_range"))
    if mode != "exp_range" and gamma != 1.0:
        raise ValueError(f"gamma is used by mode='exp_range' only, got gamma={gamma!r} with mode={mode!r}")
    per_step, per_cycle = _number("gamma", gamma, high=1.0, strictly=True), 0.5 if mode == "triangular2" else 1.0
    low, high = _number("base_lr", base_lr), _number("max_lr", max_lr)
    if high < low:
        raise ValueError(f"max_lr must not be below base_lr, got {max_lr!r} and {base_lr!r}")

    def height(k: Array) -> Array:
        cycle = np.floor_divide(k, up + down)
        position = k - cycle * (up + down)
        triangle = np.where(position <= up, position / up, (up + down - position) / down)
        heights: Array = triangle * per_cycle**cycle * per_step**k  # NumPy's types: a float ** array is Any
        return heights

    def between(bottom: float, top: float) -> Rule:
        return Rule(lambda k: _between(bottom, top, height(k), "linear"), (min(bottom, top), max(bottom, top)))

    if momentum is None:
        return between(low, high)
    at_peak, at_base = _momentum_pair(momentum)
    return between(low, high)._replace(momentum=between(at_base, at_peak))


@_recorded
def one_cycle(
    max_lr: float,
    total_steps: int,
    *,
    pct_start: float = 0.3,
    div_factor: float = 25.0,
    final_div_factor: float = 1e4,
    anneal: str = "cos",
    three_phase: bool = False,
    momentum: tuple[float, float] | None = (0.85, 0.95),
) -> Rule:
    """1cycle: up from ``max_lr / div_factor`` to ``max_lr``, then down to ``max_lr / div_factor / final_div_factor``.

    Fractions of the run are not rounded, so that stretching the run stretches the curve. ``max_lr`` itself is used
    only when the peak falls on a whole step: 0.3 of 7 steps is 2.1, and the highest rate used is 99.46 % of it. Pass
    ``pct_start`` in steps, an int, for a peak that is hit. The end value belongs to k = ``total_steps``; for PyTorch's
    own counting see `one_cycle_torch`.

    Parameters
    ----------
    max_lr : float
        Learning rate at the peak.
    total_steps : int
        Length of the run in updates: epochs times updates per epoch.
    pct_start : float or int
        Where the peak is: a fraction of the run, or an int of steps.
    div_factor, final_div_factor : float
        How far below the peak the run starts (at least 1), and how far below the start it ends (above 0).
    anneal : str
        "cos" or "linear", for every phase.
    three_phase : bool
        Back to the start value in as many steps as the way up took; the rest of the run falls to the end value.
    momentum : (float, float), optional
        Moves the opposite way: the pair is (at the peak, at both ends). ``None`` leaves momentum alone.

    References
    ----------
    Smith and Topin (2018), arXiv 1708.07120, and Smith (2018), arXiv 1803.09820: three phases, linear. Two phases and
    the cosine are fastai's variant.

    Examples
    --------
    >>> lr = one_cycle(1.0, 100, pct_start=0.45, anneal="linear", three_phase=True, momentum=(0.8, 0.9))
    >>> [round(lr(k), 6) for k in (0, 45, 90, 100)]
    [0.04, 1.0, 0.04, 4e-06]
    >>> [lr.momentum(k) for k in (0, 45, 90, 100)]
    [0.9, 0.8, 0.9, 0.9]
    """
    total = _count("total_steps", total_steps)
    up = _part("pct_start", pct_start, total)
    three = _flag("three_phase", three_phase)
    if three and 2 * up >= total:
        raise ValueError(f"three_phase goes up and down again: pct_start={pct_start!r} must be below half of {total}")
    ends = [0.0, up, 2 * up, float(total)] if three else [0.0, up, float(total)]
    return _one_cycle(ends, max_lr, div_factor, final_div_factor, anneal, momentum)


@_recorded
def one_cycle_torch(
    max_lr: float,
    total_steps: int,
    *,
    pct_start: float = 0.3,
    div_factor: float = 25.0,
    final_div_factor: float = 1e4,
    anneal: str = "cos",
    three_phase: bool = False,
    momentum: tuple[float, float] | None = (0.85, 0.95),
) -> Rule:
    """``torch.optim.lr_scheduler.OneCycleLR`` to the last bit: end-inclusive, the last update uses the end value.

    After the last update the end value is held, where OneCycleLR raises, or goes on if it is forced to.

    Parameters
    ----------
    max_lr, total_steps, div_factor, final_div_factor, anneal, three_phase, momentum
        As in `one_cycle`.
    pct_start : float or int
        As in PyTorch: the phases end one step earlier than in `one_cycle`, at ``pct_start * total_steps - 1``.

    Examples
    --------
    >>> lr = one_cycle_torch(0.1, 10)
    >>> lr(2), lr(9), lr(10)
    (0.1, 4e-07, 4e-07)
    """
    total = _count("total_steps", total_steps)
    steps = _part("pct_start", pct_start, total)
    up = pct_start * total if isinstance(pct_start, float) else steps  # PyTorch does not correct the rounding
    ends = [0.0, up - 1, 2 * up - 2, total - 1.0] if _flag("three_phase", three_phase) else [0.0, up - 1, total - 1.0]
    if any(later <= earlier for earlier, later in itertools.pairwise(ends)):
        raise ValueError(f"pct_start={pct_start!r} of {total} steps leaves a phase empty: phases end at {ends[1:]}")
    return _one_cycle(ends, max_lr, div_factor, final_div_factor, anneal, momentum, as_torch=True)


def _one_cycle(
    ends: Sequence[float],
    max_lr: float,
    div_factor: float,
    final_div_factor: float,
    anneal: str,
    momentum: tuple[float, float] | None,
    *,
    as_torch: bool = False,
) -> Rule:
    """The values of 1cycle at the phase ends ``ends``, for either way of counting."""
    peak = _number("max_lr", max_lr)
    start = peak / _number("div_factor", div_factor, low=1.0)
    end = start / _number("final_div_factor", final_div_factor, strictly=True)
    if end > peak:
        raise ValueError(f"final_div_factor={final_div_factor!r} puts the end, {end:g}, above max_lr={max_lr!r}")
    shapes = [_choice("anneal", anneal, ("cos", "linear"))] * (len(ends) - 1)
    three = len(ends) == 4
    lr = _curve(ends, [start, peak, start, end] if three else [start, peak, end], shapes, as_torch=as_torch)
    if momentum is None:
        return lr
    low, high = _momentum_pair(momentum)
    opposite = _curve(ends, [high, low, high, high] if three else [high, low, high], shapes, as_torch=as_torch)
    return lr._replace(momentum=opposite)


@_recorded
def wsd(
    max_lr: float,
    warmup_steps: int,
    stable_steps: int,
    decay_steps: int,
    *,
    start_lr: float,
    end_lr: float = 0.0,
    decay: str = "1-sqrt",
) -> Rule:
    """Warmup-stable-decay: a line up to ``max_lr``, hold it, then cool down to ``end_lr``.

    Parameters
    ----------
    max_lr : float
        Learning rate of the stable phase.
    warmup_steps, stable_steps, decay_steps : int
        Steps of the three phases, each at least 1.
    start_lr, end_lr : float
        Learning rates at k = 0, and from the end of the run on.
    decay : str
        Shape of the cooldown: "1-sqrt", "linear" or "cos".

    References
    ----------
    Hu et al. (2024), MiniCPM, arXiv 2404.06395: the schedule. Hägele et al. (2024), arXiv 2405.18392: the 1-sqrt
    cooldown.

    Examples
    --------
    >>> lr = wsd(0.1, 10, 70, 20, start_lr=0.01)
    >>> lr(0), lr(10), lr(80), round(lr(85), 6), lr(100)
    (0.01, 0.1, 0.1, 0.05, 0.0)
    """
    lengths = {"warmup_steps": warmup_steps, "stable_steps": stable_steps, "decay_steps": decay_steps}
    ends = list(itertools.accumulate((_count(name, steps) for name, steps in lengths.items()), initial=0))
    peak = _number("max_lr", max_lr)
    levels = [_number("start_lr", start_lr), peak, peak, _number("end_lr", end_lr)]
    return _curve(ends, levels, ["linear", "linear", _choice("decay", decay, ("1-sqrt", "linear", "cos"))])


@_recorded
def inverse_sqrt(max_lr: float, warmup_steps: int, *, start_lr: float) -> Rule:
    r"""A line up to ``max_lr`` in ``warmup_steps`` w, then :math:`\eta_\max \sqrt{w/k}`, for ever.

    Parameters
    ----------
    max_lr : float
        Learning rate at k = ``warmup_steps``.
    warmup_steps : int
        Steps of the way up.
    start_lr : float
        Learning rate at k = 0.

    References
    ----------
    Vaswani et al. (2017), arXiv 1706.03762, section 5.3: the decay, here with an explicit start and peak.

    Examples
    --------
    >>> lr = inverse_sqrt(0.1, 4, start_lr=0.01)
    >>> lr(0), lr(4), lr(16)
    (0.01, 0.1, 0.05)
    """
    steps = _count("warmup_steps", warmup_steps)
    start, peak = _number("start_lr", start_lr), _number("max_lr", max_lr)
    rise = _straight("start_lr", start, "max_lr", peak, steps).values
    bounds = 0.0, max(start, peak)
    return Rule(lambda k: np.where(k <= steps, rise(k), peak * np.sqrt(steps / np.maximum(k, steps))), bounds)


@_recorded
def noam(d_model: int, warmup_steps: int, *, factor: float = 1.0) -> Rule:
    r"""The Transformer's: :math:`f\, d^{-1/2} \min(t^{-1/2},\; t\, w^{-3/2})` with t = k + 1.

    Counts from t = 1, so that the first update has a learning rate above 0 and the peak is at ``warmup_steps - 1``.

    Parameters
    ----------
    d_model : int
        Width d of the model.
    warmup_steps : int
        Steps w of the way up.
    factor : float
        Multiplies everything; the paper's is 1.

    References
    ----------
    Vaswani et al. (2017), "Attention Is All You Need", arXiv 1706.03762, equation 3.

    Examples
    --------
    >>> lr = noam(512, 4000)
    >>> f"{lr(0):.3e} {lr(3999):.3e}"
    '1.747e-07 6.988e-04'
    """
    steps = _count("warmup_steps", warmup_steps)
    scale = _number("factor", factor) * _count("d_model", d_model) ** -0.5
    return Rule(lambda k: scale * np.minimum((k + 1) ** -0.5, (k + 1) * steps**-1.5), (0.0, scale * steps**-0.5))


@_recorded
def lr_range_test(min_lr: float, max_lr: float, steps: int, *, mode: str = "exp") -> Rule:
    """A ladder of ``steps`` learning rates, both ends used: ``np.geomspace`` ("exp") or ``np.linspace`` ("linear").

    Parameters
    ----------
    min_lr, max_lr : float
        The first and the last learning rate; rising, and above 0 for "exp".
    steps : int
        How many, at least 2.
    mode : str
        "exp" for equal ratios, "linear" for equal differences.

    References
    ----------
    Smith (2017), arXiv 1506.01186, section 3.3, which is linear; equal ratios are what learning-rate finders use today.

    Examples
    --------
    >>> lr = lr_range_test(0.001, 1.0, 4)
    >>> [round(lr(k), 12) for k in range(5)]
    [0.001, 0.01, 0.1, 1.0, 1.0]
    """
    mode, last = _choice("mode", mode, ("exp", "linear")), _count("steps", steps, least=2) - 1
    low = _number("min_lr", min_lr, strictly=mode == "exp")
    if _number("max_lr", max_lr, strictly=True) <= low:
        raise ValueError(f"max_lr must be above min_lr, got {max_lr!r} and {min_lr!r}")
    return _straight("min_lr", low, "max_lr", max_lr, last, mode)._replace(steps=last + 1, settles=last)


# ------------------------------------------------------------------------------------ what was used
@dataclass
class Trace:
    """What real updates used: one dict for each parameter group, name -> the value of every update.

    Attributes
    ----------
    groups : list of dict
        "lr", "momentum" (Adam's first beta too), "weight_decay" and whatever else was recorded.
    unseen : dict
        Name -> the reason why that number could not be seen. `assert_used` fails with it; it never passes unseen.
    """

    groups: list[dict[str, list[float]]]
    unseen: dict[str, str] = field(default_factory=dict)


class Recorder(Protocol):
    """Anything with a ``trace()``: a ``Watch`` of either adapter, or an optimizer of ``for_keras``."""

    def trace(self) -> Trace:
        """What it recorded."""


Plan = Schedule | Sequence[Schedule]  # one for all parameter groups, or one for each
_WORDS = {"lr": "learning rate", "weight_decay": "weight decay"}


def assert_used(used: Trace | Recorder, schedule: Plan, *, partial: bool = False, **others: Plan) -> None:
    """Raise ``AssertionError`` unless every update really used the schedule, and say what went wrong instead.

    Learning rates are compared to a relative 1e-6 (float32 passes), momentum where the schedule carries one. The
    lengths must agree too: a schedule that ends needs exactly ``steps`` updates, one that settles, such as
    `piecewise_constant`, at least ``settles``. A schedule that is longer than its run is the most common bug there is.

    Parameters
    ----------
    used : Trace, or anything with a ``trace()``
        What ``watch`` (PyTorch), ``Watch`` (Keras) or an optimizer of ``for_keras`` recorded.
    schedule : Schedule or sequence of Schedule
        What was meant, one for all parameter groups or one for each.
    partial : bool
        Do not compare lengths: for a run that was stopped on purpose.
    **others : Schedule or sequence of Schedule
        What was meant for other numbers, ``weight_decay=linear(...)``.

    Raises
    ------
    AssertionError
        With the first update that is off, and the usual reason when it is recognised.
    TypeError
        When ``used`` has recorded nothing, or what should be a schedule is none.

    Examples
    --------
    >>> assert_used(Trace([{"lr": [0.1, 0.075, 0.05, 0.025]}]), linear(0.1, 0.0, steps=4))
    >>> assert_used(Trace([{"lr": [0.1, 0.1, 0.1, 0.1]}]), linear(0.1, 0.0, steps=4))
    Traceback (most recent call last):
        ...
    AssertionError: update 1 used learning rate 0.1, the schedule says 0.075. It never moved: all 4 updates used 0.1.
    """
    if not isinstance(used, Trace) and not hasattr(used, "trace"):
        raise TypeError(
            f"{type(used).__name__} has recorded nothing: pass what watch(optimizer) or Watch() returned, or an "
            "optimizer of for_keras (the inner one, where Keras has wrapped it for mixed precision)"
        )
    trace = used if isinstance(used, Trace) else used.trace()
    if "lr" in trace.unseen:
        raise AssertionError(trace.unseen["lr"])
    if not trace.groups or not trace.groups[0].get("lr"):
        raise AssertionError(trace.unseen.get("lr", "no update was recorded"))
    plans = {"lr": schedule, **others}
    for number, group in enumerate(trace.groups):
        where = f" in parameter group {number}" if len(trace.groups) > 1 else ""
        meant = {name: _plan_of(name, plan, number, len(trace.groups)) for name, plan in plans.items()}
        if meant["lr"].momentum is not None:
            meant.setdefault("momentum", meant["lr"].momentum)
        came_later = len(trace.groups[0]["lr"]) - len(group["lr"])  # a group that was added on the way
        for name, one in meant.items():
            if name not in group:
                raise AssertionError(trace.unseen.get(name, f"{_WORDS.get(name, name)} was not recorded"))
            _compare(_WORDS.get(name, name) + where, np.asarray(group[name], dtype=np.float64), one, came_later)
        if not partial:
            _compare_length(came_later + len(group["lr"]), meant["lr"])


def _plan_of(name: str, plan: Plan, group: int, groups: int) -> Schedule:
    if isinstance(plan, Schedule):
        return plan
    if not isinstance(plan, Sequence) or not all(map(_is_schedule, plan)):
        raise TypeError(f"{name}: a schedule or a sequence of schedules is needed, got {plan!r}")
    if len(plan) != groups:
        raise AssertionError(f"{len(plan)} schedules for {groups} parameter groups")
    return plan[group]


def _compare(what: str, used: Array, schedule: Schedule, start: int) -> None:
    """Hold the values of updates ``start``, ``start`` + 1, ... to the schedule."""

    def agrees(steps: NDArray[Any]) -> NDArray[np.bool_]:
        return np.isclose(used, schedule(steps), rtol=1e-6, atol=1e-12 * schedule.bounds[1])

    k = start + np.arange(len(used))
    if agrees(k).all():
        return
    first = int(np.argmin(agrees(k)))
    hint = "" if start else _hint(used, lambda steps: bool(agrees(steps).all()))
    meant = schedule(int(k[first]))
    raise AssertionError(f"update {k[first]} used {what} {used[first]:g}, the schedule says {meant:g}.{hint}")


def _hint(used: Array, agrees: Callable[[NDArray[Any]], bool]) -> str:
    """The usual reason, when ``used`` follows the schedule at other steps than its own."""
    k = np.arange(len(used))
    moves = np.flatnonzero(np.diff(used)) + 1
    if not moves.size:
        return f" It never moved: all {len(used)} updates used {used[0]:g}."
    if agrees(k + 1):
        return " Every update used the next one's value: the schedule is one step ahead."
    if agrees(np.maximum(k - 1, 0)):
        return " Every update used the previous one's value: the schedule is one step behind."
    every = int(moves[0])
    if every > 1 and agrees(k // every):
        return f" It moved once in {every} updates: the schedule was stepped per epoch instead of per update."
    if every > 1 and agrees(k - k % every):
        return f" It moved once in {every} updates: right at the first of them, then held until the next move."
    return ""


def _compare_length(made: int, schedule: Schedule) -> None:
    if schedule.steps < math.inf and made != schedule.steps:
        relation = "longer" if schedule.steps > made else "shorter"
        raise AssertionError(
            f"{made} updates were made, and the schedule has {schedule.steps} steps: it is {relation} than the run. "
            "If the run was stopped on purpose, say partial=True."
        )
    if made < schedule.settles < math.inf:
        raise AssertionError(
            f"{made} updates were made, and the schedule changes until step {schedule.settles}: its last value was "
            "never used. If the run was stopped on purpose, say partial=True."
        )
