"""Every learning-rate schedule of the course, once, as a pure function. Needs NumPy only.

A schedule answers one question: which learning rate does the next update use, when k updates have been made?

>>> lr = one_cycle(max_lr=0.1, total_steps=100)
>>> lr(0), lr(30), lr(100)  # start, peak, end
(0.004, 0.1, 4e-07)
>>> lr.momentum(0), lr.momentum(30)
(0.95, 0.85)
>>> lr(np.array([0, 30, 100])).tolist()
[0.004, 0.1, 4e-07]

Conventions, the same for every schedule:

* ``k`` counts optimizer updates already made, so the first update uses ``schedule(0)``.
* End-exclusive, then held: the end value belongs to ``k == schedule.steps`` and to every later k.
* A value changes *at* its boundary. A float in (0, 1) is a fraction of the run, an int is a number of steps.
* Bad input raises at construction: ``ValueError`` for a wrong value, ``TypeError`` for a wrong kind.

Schedules are immutable, compare by value, and combine: ``warmup(...).then(cosine(...))``, ``0.1 * schedule``,
``schedule.with_momentum(...)``, ``Schedule.from_dict(schedule.to_dict())``.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
import operator
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any, ClassVar, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "ReduceOnPlateau",
    "Schedule",
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
    "warmup",
    "wsd",
]

Array = NDArray[np.float64]


# ---------------------------------------------------------------------------------------- checks
def _number(name: str, value: Any, *, low: float = 0.0, high: float = math.inf, strictly: bool = False) -> float:
    """Return ``value`` as a finite float in [low, high], or in (low, high] when ``strictly``."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, Real):
        raise TypeError(f"{name} must be a number, got {value!r}")
    number = float(value)
    inside = low < number <= high if strictly else low <= number <= high
    if not (math.isfinite(number) and inside):
        bound = f"{'above' if strictly else 'at least'} {low:g}" + (f" and at most {high:g}" if high < math.inf else "")
        raise ValueError(f"{name} must be finite and {bound}, got {value!r}")
    return number


def _count(name: str, value: Any, *, least: int = 1) -> int:
    """Return ``value`` as an int that is at least ``least``."""
    if isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} must be a whole number of steps, got {value!r}")
    try:
        count = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be a whole number of steps, got {value!r}") from None
    if count < least:
        raise ValueError(f"{name} must be at least {least}, got {value!r}")
    return count


def _momentum(name: str, value: Any) -> float:
    number = _number(name, value)
    if number >= 1:
        raise ValueError(f"{name} must be below 1, got {value!r}")
    return number


def _choice(name: str, value: Any, allowed: Sequence[str]) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{name} must be one of {', '.join(map(repr, allowed))}, got {value!r}")
    if value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, allowed))}, got {value!r}")
    return value


def _flag(name: str, value: Any) -> bool:
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} must be True or False, got {value!r}")
    return bool(value)


def _part(name: str, value: Any, total: int) -> float:
    """Steps in a part of the run: a float in (0, 1) is a fraction of ``total``, an int is steps."""
    if isinstance(value, (float, np.floating)):
        fraction = _number(name, value, strictly=True)
        if fraction >= 1:
            raise ValueError(f"{name} as a float is a fraction of the run, between 0 and 1; got {value!r}")
        steps = fraction * total  # 0.29 * 100 is 28.999999999999996: what is meant is step 29
        return _whole(steps)
    steps = float(_count(name, value))
    if steps >= total:
        raise ValueError(f"{name} must be shorter than the run of {total} steps, got {value!r}")
    return steps


def _whole(steps: float) -> float:
    """``steps``, without the rounding error of a product such as 10 * 1.1 = 11.000000000000002."""
    return float(round(steps)) if math.isclose(steps, round(steps), rel_tol=1e-12) else steps


def _as_steps(step: ArrayLike) -> Array:
    """Return ``step`` as a float64 array of finite, non-negative update counts."""
    array = np.asarray(step)
    if array.dtype == object and isinstance(step, int):
        array = np.asarray(float(step))  # a Python int beyond 64 bits
    if array.dtype.kind not in "iuf":
        raise TypeError(f"step must be a number or an array of numbers, got {step!r}")
    if array.size and not (np.isfinite(array).all() and array.min() >= 0):
        raise ValueError(f"step counts updates already made: finite and at least 0, got {step!r}")
    return array.astype(np.float64)


# ------------------------------------------------------------------------------------------ base
class Schedule(ABC):
    """A learning rate as a pure function of k, the number of optimizer updates already made.

    Call it with an int to get a ``float``, with an array to get a float64 array of the same shape.
    ``momentum`` is another schedule, or None when momentum is left alone; ``steps`` is where the schedule
    ends (``inf`` when it never does); ``bounds`` is an interval that holds every value.

    Raises ``ValueError`` for a negative or non-finite step, ``TypeError`` for a bool or a string.

    >>> lr = linear(0.1, 0.0, steps=4)
    >>> [lr(k) for k in range(6)]
    [0.1, 0.07500000000000001, 0.05, 0.024999999999999994, 0.0, 0.0]
    """

    momentum: Schedule | None = None
    __array_ufunc__ = None  # lets numpy.float64(0.1) * schedule reach __rmul__
    _kinds: ClassVar[dict[str, type[Schedule]]] = {}

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        Schedule._kinds[cls.__name__] = cls

    @property
    def steps(self) -> float:
        """The k at which the end value is reached and from which it is held; ``inf`` if there is none."""
        return math.inf

    @property
    @abstractmethod
    def bounds(self) -> tuple[float, float]:
        """An interval that holds every value."""

    @abstractmethod
    def _values(self, k: Array) -> Array:
        """Values at the one-dimensional float array ``k``."""

    @overload
    def __call__(self, step: int | float | np.integer) -> float: ...
    @overload
    def __call__(self, step: Sequence[int] | NDArray[Any]) -> Array: ...
    def __call__(self, step: Any) -> float | Array:
        k = _as_steps(step)
        values = self._values(k.reshape(-1)).reshape(k.shape)
        return values if isinstance(step, (np.ndarray, list, tuple, range)) else float(values)

    def then(self, other: Schedule, at: int | None = None) -> Schedule:
        """Follow this schedule by ``other``, whose clock starts at step ``at`` (default: where this one ends).

        >>> lr = warmup(0.0, 0.1, steps=5).then(cosine(0.1, decay_steps=10))
        >>> lr(0), lr(5), lr(15)
        (0.0, 0.1, 0.0)
        """
        if not isinstance(other, Schedule):
            raise TypeError(f"then() takes a schedule, got {other!r}")
        if at is None and self.steps == math.inf:
            raise ValueError(f"{self!r} never ends: say at which step the next schedule takes over, then(..., at=...)")
        lr, momentum = self._parts()
        other_lr, other_momentum = other._parts()
        joined = Join(lr, other_lr, _count("at", int(self.steps) if at is None else at))
        if momentum is None and other_momentum is None:
            return joined
        if momentum is None or other_momentum is None:
            with_, without = (self, other) if other_momentum is None else (other, self)
            raise ValueError(
                f"only one side schedules momentum: {with_!r} does, {without!r} does not. "
                "Give the other side one with .with_momentum(...), or remove it with .with_momentum(None)."
            )
        return WithMomentum(joined, Join(momentum, other_momentum, joined.at))

    def with_momentum(self, momentum: Schedule | float | None) -> Schedule:
        """The same learning rate with another momentum: a schedule, a number, or None to leave momentum alone.

        >>> linear(0.1, 0.0, steps=10).with_momentum(0.9).momentum(3)
        0.9
        """
        lr, _ = self._parts()
        if momentum is None:
            return lr
        return WithMomentum(lr, momentum if isinstance(momentum, Schedule) else Constant(momentum))

    def _parts(self) -> tuple[Schedule, Schedule | None]:
        """The learning rate alone, and the momentum that goes with it."""
        return self, None

    def __mul__(self, factor: float) -> Schedule:
        """Scale the learning rate, never the momentum: ``0.1 * schedule`` for a parameter group.

        >>> (0.5 * one_cycle(0.1, 100))(30), (0.5 * one_cycle(0.1, 100)).momentum(30)
        (0.05, 0.85)
        """
        if isinstance(factor, Schedule):
            raise TypeError("two schedules cannot be multiplied; scale one by a number or join them with .then()")
        lr, momentum = self._parts()
        return Scaled(factor, lr).with_momentum(momentum)

    __rmul__ = __mul__

    def _set(self, **fields: Any) -> None:
        """Write checked, normalised fields into a frozen dataclass under construction."""
        for name, value in fields.items():
            object.__setattr__(self, name, value)

    def to_dict(self) -> dict[str, Any]:
        """Plain data that JSON carries without loss; ``Schedule.from_dict`` reads it back.

        >>> spec = linear(0.1, 0.0, steps=10).to_dict()
        >>> spec
        {'kind': 'Curve', 'knots': [[0.0, 0.1], [10.0, 0.0]], 'shapes': ['linear']}
        >>> Schedule.from_dict(spec) == linear(0.1, 0.0, steps=10)
        True
        """
        fields = {field.name: _to_plain(getattr(self, field.name)) for field in dataclasses.fields(self)}  # type: ignore[arg-type]
        return {"kind": type(self).__name__, **fields}

    @staticmethod
    def from_dict(spec: Mapping[str, Any]) -> Schedule:
        """Build the schedule that ``to_dict`` described; ``ValueError`` when ``spec`` describes none."""
        if not isinstance(spec, Mapping) or not isinstance(spec.get("kind"), str):
            raise ValueError(f"a schedule's description is a dict with a 'kind', got {spec!r}")
        values = {name: _from_plain(value) for name, value in spec.items() if name != "kind"}
        kind = Schedule._kinds.get(spec["kind"])
        if kind is None:
            raise ValueError(f"unknown kind of schedule {spec['kind']!r}; known: {', '.join(sorted(Schedule._kinds))}")
        expected = {field.name for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
        if set(values) != expected:
            raise ValueError(f"{spec['kind']} is described by {sorted(expected)}, got {sorted(values)}")
        return kind(**values)


def _to_plain(value: Any) -> Any:
    if isinstance(value, Schedule):
        return value.to_dict()
    return [_to_plain(item) for item in value] if isinstance(value, tuple) else value


def _from_plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return Schedule.from_dict(value)
    return tuple(_from_plain(item) for item in value) if isinstance(value, (list, tuple)) else value


# ---------------------------------------------------------------------------------- combinations
@dataclass(frozen=True)
class WithMomentum(Schedule):
    """A learning rate together with the momentum that goes with it; always the outermost layer."""

    lr: Schedule
    momentum: Schedule

    def __post_init__(self) -> None:
        _bare(self.lr, self.momentum)
        for value in self.momentum.bounds:
            _momentum("momentum", value)

    def _parts(self) -> tuple[Schedule, Schedule | None]:
        return self.lr, self.momentum

    @property
    def steps(self) -> float:
        return self.lr.steps

    @property
    def bounds(self) -> tuple[float, float]:
        return self.lr.bounds

    def _values(self, k: Array) -> Array:
        return self.lr._values(k)


def _bare(*schedules: Any) -> None:
    for schedule in schedules:
        if not isinstance(schedule, Schedule) or schedule.momentum is not None:
            raise TypeError(f"a schedule without momentum is needed here, got {schedule!r}")


@dataclass(frozen=True)
class Scaled(Schedule):
    """``factor * schedule``."""

    factor: float
    schedule: Schedule

    def __post_init__(self) -> None:
        _bare(self.schedule)
        self._set(factor=_number("factor", self.factor))

    @property
    def steps(self) -> float:
        return self.schedule.steps

    @property
    def bounds(self) -> tuple[float, float]:
        low, high = self.schedule.bounds
        return self.factor * low, self.factor * high

    def _values(self, k: Array) -> Array:
        return self.factor * self.schedule._values(k)


@dataclass(frozen=True)
class Join(Schedule):
    """``first`` before step ``at``, then ``second`` with its own clock starting at 0."""

    first: Schedule
    second: Schedule
    at: int

    def __post_init__(self) -> None:
        _bare(self.first, self.second)
        self._set(at=_count("at", self.at))

    @property
    def steps(self) -> float:
        return self.at + self.second.steps

    @property
    def bounds(self) -> tuple[float, float]:
        (low_1, high_1), (low_2, high_2) = self.first.bounds, self.second.bounds
        return min(low_1, low_2), max(high_1, high_2)

    def _values(self, k: Array) -> Array:
        values, before = np.empty_like(k), k < self.at
        values[before] = self.first._values(k[before])
        values[~before] = self.second._values(k[~before] - self.at)
        return values


# ------------------------------------------------------------------------------- the curve itself
Shape = Callable[[float, float, Array], Array]
_SHAPES: dict[str, Shape] = {  # value on the way from start to end, u from 0 to 1
    "linear": lambda start, end, u: (end - start) * u + start,
    "cos": lambda start, end, u: end + (start - end) / 2.0 * (np.cos(np.pi * u) + 1.0),
    "exp": lambda start, end, u: start * (end / start) ** u,
    "1-sqrt": lambda start, end, u: end + (start - end) * (1.0 - np.sqrt(u)),
}


def _between(start: float, end: float, u: Array, shape: str) -> Array:
    """Interpolate; hit both ends exactly and never leave the interval, whatever the rounding."""
    values = np.clip(_SHAPES[shape](start, end, u), min(start, end), max(start, end))
    values[u <= 0], values[u >= 1] = start, end
    return values


@dataclass(frozen=True)
class Curve(Schedule):
    """Values given at knots, a shape (linear, cos, exp, 1-sqrt) between each two; the last value is held."""

    knots: tuple[tuple[float, float], ...]
    shapes: tuple[str, ...]

    def __post_init__(self) -> None:
        knots = tuple((_number("step", step), _number("value", value)) for step, value in self.knots)
        shapes = tuple(_choice("shape", shape, list(_SHAPES)) for shape in self.shapes)
        if len(knots) < 2 or len(shapes) != len(knots) - 1:
            raise ValueError(f"a curve of {len(knots)} knots needs one shape between each two, got {shapes!r}")
        steps = [step for step, _ in knots]
        if steps[0] != 0 or any(b <= a for a, b in itertools.pairwise(steps)):
            raise ValueError(f"each phase needs at least a part of a step, starting at step 0; phases end at {steps}")
        if "exp" in shapes and any(value == 0 for _, value in knots):
            raise ValueError(f"an exponential curve needs values above 0, got {knots!r}")
        self._set(knots=knots, shapes=shapes)

    @property
    def steps(self) -> float:
        return math.ceil(self.knots[-1][0])

    @property
    def bounds(self) -> tuple[float, float]:
        values = [value for _, value in self.knots]
        return min(values), max(values)

    def _piece(self, start: float, end: float, u: Array, shape: str) -> Array:
        return _between(start, end, u, shape)

    def _values(self, k: Array) -> Array:
        values = np.full_like(k, self.knots[-1][1])
        phase = np.searchsorted([step for step, _ in self.knots[1:-1]], k, side="left")
        for i, shape in enumerate(self.shapes):
            (from_step, start), (to_step, end) = self.knots[i], self.knots[i + 1]
            inside = phase == i
            u = np.minimum((k[inside] - from_step) / (to_step - from_step), 1.0)
            values[inside] = self._piece(start, end, u, shape)
        return values


@dataclass(frozen=True)
class TorchOneCycle(Curve):
    """torch's OneCycleLR: its last knot belongs to the last update, and its rounding is kept to the last bit."""

    @property
    def steps(self) -> float:
        return super().steps + 1

    def _piece(self, start: float, end: float, u: Array, shape: str) -> Array:
        return _SHAPES[shape](start, end, u)


@dataclass(frozen=True)
class Ladder(Schedule):
    """``rungs`` values from ``min_lr`` to ``max_lr``, both used, evenly spaced (linear) or in equal ratios (exp)."""

    min_lr: float
    max_lr: float
    rungs: int
    mode: str

    def __post_init__(self) -> None:
        mode = _choice("mode", self.mode, ("exp", "linear"))
        low = _number("min_lr", self.min_lr, strictly=mode == "exp")
        high = _number("max_lr", self.max_lr, strictly=True)
        if high <= low:
            raise ValueError(f"max_lr must be above min_lr, got {self.max_lr!r} and {self.min_lr!r}")
        self._set(min_lr=low, max_lr=high, rungs=_count("steps", self.rungs, least=2))

    @property
    def steps(self) -> float:
        return self.rungs

    @property
    def bounds(self) -> tuple[float, float]:
        return self.min_lr, self.max_lr

    def _values(self, k: Array) -> Array:
        return _between(self.min_lr, self.max_lr, np.minimum(k / (self.rungs - 1), 1.0), self.mode)


# ------------------------------------------------------------------------ schedules without an end
@dataclass(frozen=True)
class Constant(Schedule):
    """The same value for ever."""

    value: float

    def __post_init__(self) -> None:
        self._set(value=_number("lr", self.value))

    @property
    def bounds(self) -> tuple[float, float]:
        return self.value, self.value

    def _values(self, k: Array) -> Array:
        return np.full_like(k, self.value)


@dataclass(frozen=True)
class Piecewise(Schedule):
    """``values[i]`` from boundary i-1 up to, and not including, boundary i."""

    boundaries: tuple[int, ...]
    values: tuple[float, ...]

    def __post_init__(self) -> None:
        boundaries = tuple(_count("boundary", boundary) for boundary in self.boundaries)
        values = tuple(_number("value", value) for value in self.values)
        if len(values) != len(boundaries) + 1:
            raise ValueError(f"{len(boundaries)} boundaries need {len(boundaries) + 1} values, got {len(values)}")
        if any(b <= a for a, b in itertools.pairwise(boundaries)):
            raise ValueError(f"boundaries must increase, got {boundaries!r}")
        self._set(boundaries=boundaries, values=values)

    @property
    def bounds(self) -> tuple[float, float]:
        return min(self.values), max(self.values)

    def _values(self, k: Array) -> Array:
        return np.asarray(self.values)[np.searchsorted(self.boundaries, k, side="right")]


@dataclass(frozen=True)
class Exponential(Schedule):
    """``initial_lr * decay_rate ** (k / decay_steps)``; the exponent is floored when ``staircase``."""

    initial_lr: float
    decay_rate: float
    decay_steps: float
    staircase: bool

    def __post_init__(self) -> None:
        self._set(
            initial_lr=_number("initial_lr", self.initial_lr),
            decay_rate=_number("decay_rate", self.decay_rate, high=1.0, strictly=True),
            decay_steps=_number("decay_steps", self.decay_steps, strictly=True),
            staircase=_flag("staircase", self.staircase),
        )

    @property
    def bounds(self) -> tuple[float, float]:
        return 0.0, self.initial_lr

    def _values(self, k: Array) -> Array:
        periods = k / self.decay_steps
        return self.initial_lr * self.decay_rate ** (np.floor(periods) if self.staircase else periods)


@dataclass(frozen=True)
class InverseTime(Schedule):
    """``initial_lr / (1 + decay_rate * k / decay_steps) ** power``."""

    initial_lr: float
    decay_rate: float
    decay_steps: float
    power: float

    def __post_init__(self) -> None:
        names = ("decay_rate", "decay_steps", "power")
        self._set(**{name: _number(name, getattr(self, name), strictly=True) for name in names})
        self._set(initial_lr=_number("initial_lr", self.initial_lr))

    @property
    def bounds(self) -> tuple[float, float]:
        return 0.0, self.initial_lr

    def _values(self, k: Array) -> Array:
        return self.initial_lr / (1.0 + self.decay_rate * k / self.decay_steps) ** self.power


@dataclass(frozen=True)
class Polynomial(Schedule):
    """``end_lr + (initial_lr - end_lr) * (1 - k / decay_steps) ** power``, then ``end_lr``."""

    initial_lr: float
    end_lr: float
    decay_steps: int
    power: float

    def __post_init__(self) -> None:
        self._set(
            initial_lr=_number("initial_lr", self.initial_lr),
            end_lr=_number("end_lr", self.end_lr),
            decay_steps=_count("decay_steps", self.decay_steps),
            power=_number("power", self.power, strictly=True),
        )

    @property
    def steps(self) -> float:
        return self.decay_steps

    @property
    def bounds(self) -> tuple[float, float]:
        return min(self.initial_lr, self.end_lr), max(self.initial_lr, self.end_lr)

    def _values(self, k: Array) -> Array:
        left = 1.0 - np.minimum(k / self.decay_steps, 1.0)
        values = self.end_lr + (self.initial_lr - self.end_lr) * left**self.power
        return np.where(left == 1.0, self.initial_lr, np.clip(values, *self.bounds))


@dataclass(frozen=True)
class Triangular(Schedule):
    """Up from ``start`` to ``peak`` in ``up`` steps, back in ``down``, for ever.

    The height shrinks by ``cycle_decay`` with each cycle and by ``step_decay`` with each step.
    """

    start: float
    peak: float
    up: int
    down: int
    cycle_decay: float
    step_decay: float

    def __post_init__(self) -> None:
        self._set(
            start=_number("base_lr", self.start),
            peak=_number("max_lr", self.peak),
            up=_count("step_size_up", self.up),
            down=_count("step_size_down", self.down),
            cycle_decay=_number("cycle_decay", self.cycle_decay, high=1.0, strictly=True),
            step_decay=_number("gamma", self.step_decay, high=1.0, strictly=True),
        )

    @property
    def bounds(self) -> tuple[float, float]:
        return min(self.start, self.peak), max(self.start, self.peak)

    def _values(self, k: Array) -> Array:
        period = self.up + self.down
        cycle = np.floor_divide(k, period)
        position = k - cycle * period
        height = np.where(position <= self.up, position / self.up, (period - position) / self.down)
        height = height * self.cycle_decay**cycle * self.step_decay**k
        return _between(self.start, self.peak, height, "linear")


@dataclass(frozen=True)
class Restarts(Schedule):
    """Cosine from a peak to ``end_lr`` over and over; cycle i is ``t_mul ** i`` longer and ``m_mul ** i`` lower."""

    initial_lr: float
    first_decay_steps: int
    t_mul: float
    m_mul: float
    end_lr: float

    def __post_init__(self) -> None:
        initial = _number("initial_lr", self.initial_lr)
        self._set(
            initial_lr=initial,
            first_decay_steps=_count("first_decay_steps", self.first_decay_steps),
            t_mul=_number("t_mul", self.t_mul, low=1.0),
            m_mul=_number("m_mul", self.m_mul, high=1.0, strictly=True),
            end_lr=_number("end_lr", self.end_lr, high=initial),
        )

    @property
    def bounds(self) -> tuple[float, float]:
        return self.end_lr, self.initial_lr

    def _cycles(self, k: Array) -> tuple[Array, Array]:
        """Number of the cycle that k falls into, and the fraction of it that has passed.

        Counted, never ``log(k)``: the logarithm is a rounding error off exactly at a restart.
        """
        if self.t_mul == 1.0 or not k.size:
            cycle = np.floor_divide(k, self.first_decay_steps)
            return cycle, (k - cycle * self.first_decay_steps) / self.first_decay_steps
        lengths, starts = [float(self.first_decay_steps)], [0.0]
        while starts[-1] + lengths[-1] <= k.max():
            starts.append(starts[-1] + lengths[-1])
            lengths.append(_whole(self.first_decay_steps * self.t_mul ** len(lengths)))
        cycle = np.searchsorted(starts, k, side="right") - 1
        return cycle.astype(np.float64), (k - np.asarray(starts)[cycle]) / np.asarray(lengths)[cycle]

    def _values(self, k: Array) -> Array:
        cycle, u = self._cycles(k)
        peak = np.where(cycle == 0, self.initial_lr, self.end_lr + (self.initial_lr - self.end_lr) * self.m_mul**cycle)
        return np.where(u <= 0, peak, self.end_lr + (peak - self.end_lr) / 2.0 * (np.cos(np.pi * u) + 1.0))


# ------------------------------------------------------------- the schedules by their usual names
def constant(lr: float) -> Schedule:
    """The same learning rate ``lr`` >= 0 at every step; the baseline of every comparison.

    >>> constant(0.1)(10**6)
    0.1
    """
    return Constant(lr)


def piecewise_constant(boundaries: Sequence[int], values: Sequence[float]) -> Schedule:
    """``values[0]`` first, then ``values[i + 1]`` from step ``boundaries[i]`` on.

    ``len(values) == len(boundaries) + 1``; boundaries are whole steps and increase. The new value is used *at* the
    boundary, as in torch's MultiStepLR and optax; Keras' PiecewiseConstantDecay changes one update later.

    >>> lr = piecewise_constant([2, 5], [0.1, 0.01, 0.001])
    >>> [lr(k) for k in (1, 2, 4, 5)]
    [0.1, 0.01, 0.01, 0.001]
    """
    return Piecewise(tuple(boundaries), tuple(values))


def exponential(initial_lr: float, decay_rate: float, decay_steps: float, *, staircase: bool = False) -> Schedule:
    """Multiply by ``decay_rate`` every ``decay_steps`` steps: ``initial_lr * decay_rate ** (k / decay_steps)``.

    0 < decay_rate <= 1. With ``staircase`` the exponent is floored, so the value drops once every ``decay_steps``.
    Half-life: ``decay_steps * log(0.5) / log(decay_rate)`` steps. Same law as Keras' ExponentialDecay.

    >>> exponential(0.1, 0.5, 10)(10), exponential(0.1, 0.5, 10, staircase=True)(9)
    (0.05, 0.1)
    """
    return Exponential(initial_lr, decay_rate, decay_steps, staircase)


def inverse_time(initial_lr: float, decay_rate: float, decay_steps: float, *, power: float = 1.0) -> Schedule:
    """``initial_lr / (1 + decay_rate * k / decay_steps) ** power``: 1/t decay, or 1/sqrt(t) with ``power=0.5``.

    Same law as Keras' InverseTimeDecay for ``power=1``. Robbins & Monro (1951) is where 1/t comes from.

    >>> inverse_time(0.1, 1.0, 10)(10)
    0.05
    """
    return InverseTime(initial_lr, decay_rate, decay_steps, power)


def polynomial(initial_lr: float, end_lr: float, decay_steps: int, *, power: float = 1.0) -> Schedule:
    """``end_lr + (initial_lr - end_lr) * (1 - k / decay_steps) ** power``, then ``end_lr``.

    Same law as torch's PolynomialLR and Keras' PolynomialDecay (without its ``cycle``).

    >>> polynomial(0.1, 0.0, 10, power=2.0)(5)
    0.025
    """
    return Polynomial(initial_lr, end_lr, decay_steps, power)


def linear(initial_lr: float, end_lr: float, steps: int) -> Schedule:
    """A straight line from ``initial_lr`` at k = 0 to ``end_lr`` at k = ``steps``, then ``end_lr``.

    >>> linear(0.1, 0.0, 10)(5)
    0.05
    """
    return Curve(((0, initial_lr), (_count("steps", steps), end_lr)), ("linear",))


def cosine(initial_lr: float, decay_steps: int, *, end_lr: float = 0.0) -> Schedule:
    """Half a cosine wave from ``initial_lr`` to ``end_lr``: ``end + (initial - end) * (1 + cos(pi k / steps)) / 2``.

    Source: Loshchilov & Hutter 2017, arXiv 1608.03983, equation 5, without restarts. Held afterwards, as in Keras
    and optax; torch's CosineAnnealingLR comes back up.

    >>> lr = cosine(0.1, 10)
    >>> lr(0), round(lr(5), 12), lr(10), lr(15)
    (0.1, 0.05, 0.0, 0.0)
    """
    return Curve(((0, initial_lr), (_count("decay_steps", decay_steps), end_lr)), ("cos",))


def warmup(start_lr: float, end_lr: float, steps: int) -> Schedule:
    """A straight line from ``start_lr`` to ``end_lr``, to be followed by another schedule with ``.then``.

    ``start_lr`` has no default: a start at 0 wastes the first update, so it must be asked for.

    >>> lr = warmup(0.01, 0.1, 9).then(linear(0.1, 0.0, 91))
    >>> lr(0), lr(9), lr(100)
    (0.01, 0.1, 0.0)
    """
    return linear(start_lr, end_lr, steps)


def cosine_restarts(
    initial_lr: float, first_decay_steps: int, *, t_mul: float = 1, m_mul: float = 1.0, end_lr: float = 0.0
) -> Schedule:
    """SGDR: a cosine that restarts after ``first_decay_steps``, then after ``t_mul`` times as many, and so on.

    t_mul >= 1 and 0 < m_mul <= 1. Restart i starts from ``end_lr + (initial_lr - end_lr) * m_mul ** i``, as in
    Keras' CosineDecayRestarts. Source: Loshchilov & Hutter 2017, arXiv 1608.03983, equation 5.

    >>> lr = cosine_restarts(0.1, 5, t_mul=2, m_mul=0.5)
    >>> lr(0), lr(5), lr(15)
    (0.1, 0.05, 0.025)
    """
    return Restarts(initial_lr, first_decay_steps, t_mul, m_mul, end_lr)


def cyclic(
    base_lr: float,
    max_lr: float,
    step_size_up: int,
    step_size_down: int | None = None,
    *,
    mode: str = "triangular",
    gamma: float = 1.0,
    momentum: tuple[float, float] | None = None,
) -> Schedule:
    """Triangles between ``base_lr`` and ``max_lr``: up in ``step_size_up`` steps, down in ``step_size_down``.

    mode: "triangular" keeps the height, "triangular2" halves it every cycle, "exp_range" multiplies it by
    ``gamma ** k``. ``momentum=(low, high)`` moves momentum the opposite way: high at ``base_lr``.
    Same values as torch's CyclicLR. Source: Smith 2017, arXiv 1506.01186, section 3.

    >>> lr = cyclic(0.0, 1.0, 2, mode="triangular2")
    >>> [lr(k) for k in range(7)]
    [0.0, 0.5, 1.0, 0.5, 0.0, 0.25, 0.5]
    """
    mode = _choice("mode", mode, ("triangular", "triangular2", "exp_range"))
    up = _count("step_size_up", step_size_up)
    down = up if step_size_down is None else _count("step_size_down", step_size_down)
    if mode != "exp_range" and gamma != 1.0:
        raise ValueError(f"gamma is used by mode='exp_range' only, got gamma={gamma!r} with mode={mode!r}")
    if _number("max_lr", max_lr) < _number("base_lr", base_lr):
        raise ValueError(f"max_lr must not be below base_lr, got {max_lr!r} and {base_lr!r}")
    tempo = (up, down, 0.5 if mode == "triangular2" else 1.0, gamma)
    lr = Triangular(base_lr, max_lr, *tempo)
    if momentum is None:
        return lr
    low, high = _momentum_range(momentum)
    return WithMomentum(lr, Triangular(high, low, *tempo))


def _momentum_range(momentum: Any) -> tuple[float, float]:
    if not isinstance(momentum, (tuple, list)) or len(momentum) != 2:
        raise TypeError(f"momentum must be a pair (low, high) or None, got {momentum!r}")
    low, high = (_momentum("momentum", value) for value in momentum)
    if low > high:
        raise ValueError(f"momentum is a pair (low, high), and low belongs to the peak; got {momentum!r}")
    return low, high


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
) -> Schedule:
    """1cycle: up from ``max_lr / div_factor`` to ``max_lr``, then down to ``max_lr / div_factor / final_div_factor``.

    The peak is at ``pct_start`` (a fraction of the run, or an int of steps). With ``three_phase`` the way down goes
    back to the start value in as many steps as the way up, and the rest of the run brings it to the end value.
    ``momentum=(low, high)`` goes the opposite way, None leaves momentum alone. anneal: "cos" or "linear".
    The end value belongs to k = ``total_steps``; for torch's own counting see ``one_cycle_torch``.

    Source: Smith & Topin 2018, arXiv 1708.07120, and Smith 2018, arXiv 1803.09820 (three phases, linear);
    two phases and cosine are fastai's variant.

    >>> lr = one_cycle(1.0, 100, pct_start=0.45, anneal="linear", three_phase=True, momentum=(0.8, 0.9))
    >>> [round(lr(k), 6) for k in (0, 45, 90, 100)]
    [0.04, 1.0, 0.04, 4e-06]
    >>> [lr.momentum(k) for k in (0, 45, 90, 100)]
    [0.9, 0.8, 0.9, 0.9]
    """
    total = _count("total_steps", total_steps)
    up = _part("pct_start", pct_start, total)
    if _flag("three_phase", three_phase) and 2 * up >= total:
        raise ValueError(
            f"three_phase goes up and down again: pct_start={pct_start!r} must be below half of {total} steps"
        )
    ends = [0.0, up, 2 * up, float(total)] if three_phase else [0.0, up, float(total)]
    return _one_cycle(Curve, ends, max_lr, div_factor, final_div_factor, anneal, momentum)


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
) -> Schedule:
    """``torch.optim.lr_scheduler.OneCycleLR`` to the last bit: end-inclusive, the last update uses the end value.

    Parameters as in ``one_cycle``; ``pct_start`` is a float as in torch, or an int of steps. After the last update
    the end value is held, where OneCycleLR goes on (and below zero with ``anneal="linear"``).

    >>> lr = one_cycle_torch(0.1, 10)
    >>> lr(2), lr(9), lr(10)
    (0.1, 4e-07, 4e-07)
    """
    total = _count("total_steps", total_steps)
    steps = _part("pct_start", pct_start, total)
    up = float(pct_start) * total if isinstance(pct_start, (float, np.floating)) else steps  # torch does not round
    ends = [0.0, up - 1, 2 * up - 2, total - 1.0] if _flag("three_phase", three_phase) else [0.0, up - 1, total - 1.0]
    if any(b <= a for a, b in itertools.pairwise(ends)):
        raise ValueError(f"pct_start={pct_start!r} of {total} steps leaves a phase empty: phases end at {ends[1:]}")
    return _one_cycle(TorchOneCycle, ends, max_lr, div_factor, final_div_factor, anneal, momentum)


def _one_cycle(
    curve: type[Curve],
    ends: Sequence[float],
    max_lr: float,
    div_factor: float,
    final_div_factor: float,
    anneal: str,
    momentum: tuple[float, float] | None,
) -> Schedule:
    """The values of 1cycle at the phase ends ``ends``, for either way of counting."""
    start = _number("max_lr", max_lr) / _number("div_factor", div_factor, low=1.0)
    end = start / _number("final_div_factor", final_div_factor, strictly=True)
    if end > max_lr:
        raise ValueError(f"final_div_factor={final_div_factor!r} puts the end, {end:g}, above max_lr={max_lr!r}")
    values = [start, max_lr, start, end] if len(ends) == 4 else [start, max_lr, end]
    shapes = (_choice("anneal", anneal, ("cos", "linear")),) * (len(ends) - 1)
    lr = curve(tuple(zip(ends, values, strict=True)), shapes)
    if momentum is None:
        return lr
    low, high = _momentum_range(momentum)
    momenta = [high, low, high, high][: len(ends)]
    return WithMomentum(lr, curve(tuple(zip(ends, momenta, strict=True)), shapes))


def wsd(
    max_lr: float,
    warmup_steps: int,
    stable_steps: int,
    decay_steps: int,
    *,
    start_lr: float,
    end_lr: float = 0.0,
    decay: str = "1-sqrt",
) -> Schedule:
    """Warmup-stable-decay: up to ``max_lr``, hold it, then cool down to ``end_lr`` in the last ``decay_steps``.

    decay: "1-sqrt", "linear" or "cos". Each phase has at least one step. Sources: Hu et al. 2024, arXiv 2404.06395
    (the schedule); Haegele et al. 2024, arXiv 2405.18392 (the 1-sqrt cooldown).

    >>> lr = wsd(0.1, 10, 70, 20, start_lr=0.01)
    >>> lr(0), lr(10), lr(80), round(lr(85), 6), lr(100)
    (0.01, 0.1, 0.1, 0.05, 0.0)
    """
    lengths = {"warmup_steps": warmup_steps, "stable_steps": stable_steps, "decay_steps": decay_steps}
    rise, hold, fall = (_count(name, steps) for name, steps in lengths.items())
    shape = _choice("decay", decay, ("1-sqrt", "linear", "cos"))
    knots = ((0, start_lr), (rise, max_lr), (rise + hold, max_lr), (rise + hold + fall, end_lr))
    return Curve(knots, ("linear", "linear", shape))


def inverse_sqrt(max_lr: float, warmup_steps: int, *, start_lr: float) -> Schedule:
    """A straight line to ``max_lr`` in ``warmup_steps``, then ``max_lr * sqrt(warmup_steps / k)``, for ever.

    The decay part of Vaswani et al. 2017, arXiv 1706.03762, section 5.3, with an explicit start and peak.

    >>> lr = inverse_sqrt(0.1, 4, start_lr=0.01)
    >>> lr(0), lr(4), lr(16)
    (0.01, 0.1, 0.05)
    """
    steps = _count("warmup_steps", warmup_steps)
    return warmup(start_lr, max_lr, steps).then(InverseTime(max_lr, 1.0, steps, 0.5))


def noam(d_model: int, warmup_steps: int, *, factor: float = 1.0) -> Schedule:
    """The Transformer's schedule: ``factor * d_model**-0.5 * min(t**-0.5, t * warmup_steps**-1.5)`` with t = k + 1.

    Counts from t = 1, so that the first update has a learning rate above 0 and the peak is at
    k = ``warmup_steps - 1``. Source: Vaswani et al. 2017, arXiv 1706.03762, equation 3.

    >>> lr = noam(512, 4000)
    >>> f"{lr(0):.3e} {lr(3999):.3e}"
    '1.747e-07 6.988e-04'
    """
    size, steps = _count("d_model", d_model), _count("warmup_steps", warmup_steps)
    peak = _number("factor", factor) * (size * steps) ** -0.5
    decay = InverseTime(peak, 1.0, steps, 0.5)
    return decay if steps == 1 else warmup(peak / steps, peak, steps - 1).then(decay)


def lr_range_test(min_lr: float, max_lr: float, steps: int, *, mode: str = "exp") -> Schedule:
    """A ladder of ``steps`` rates, both ends used: ``np.geomspace`` (mode "exp") or ``np.linspace`` (mode "linear").

    Source: Smith 2017, arXiv 1506.01186, section 3.3 (linear); equal ratios are what today's LR finders use.

    >>> lr = lr_range_test(0.001, 1.0, 4)
    >>> [round(lr(k), 12) for k in range(5)]
    [0.001, 0.01, 0.1, 1.0, 1.0]
    """
    return Ladder(min_lr, max_lr, steps, mode)


# ------------------------------------------------------------------------- the one with a memory
class ReduceOnPlateau:
    """Cut the learning rate when a metric stops improving. Not a schedule: it has a memory and reacts.

    Call ``update(metric)`` once per evaluation; it returns the learning rate to use from now on. A metric counts as
    better when it beats the best by ``threshold`` ("rel": a fraction of the best's magnitude, "abs": that much).
    After more than ``patience`` evaluations without a better one the rate is multiplied by ``factor``, never below
    ``min_lr``, and the next ``cooldown`` evaluations are not counted. NaN counts as not better.
    Same rule as torch's ReduceLROnPlateau; Keras' cuts one evaluation earlier for the same ``patience``.

    >>> plateau = ReduceOnPlateau(0.1, factor=0.5, patience=1)
    >>> [plateau.update(loss) for loss in (1.0, 0.9, 0.9, 0.9, 0.9)]
    [0.1, 0.1, 0.1, 0.05, 0.05]
    """

    def __init__(
        self,
        initial_lr: float,
        *,
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: float = 0.0,
        mode: str = "min",
    ) -> None:
        self.lr = _number("initial_lr", initial_lr)
        self.factor = _number("factor", factor, strictly=True)
        if self.factor >= 1:
            raise ValueError(f"factor must be below 1, got {factor!r}")
        self.patience = _count("patience", patience, least=0)
        self.threshold = _number("threshold", threshold)
        self.threshold_mode = _choice("threshold_mode", threshold_mode, ("rel", "abs"))
        self.cooldown = _count("cooldown", cooldown, least=0)
        self.min_lr = _number("min_lr", min_lr)
        self.mode = _choice("mode", mode, ("min", "max"))
        self._best: float | None = None
        self._bad = self._resting = 0

    def update(self, metric: float) -> float:
        """Take one evaluation's metric, return the learning rate to use from now on."""
        if isinstance(metric, (bool, np.bool_)) or not isinstance(metric, Real):
            raise TypeError(f"metric must be a number, got {metric!r}")
        if self._is_better(float(metric)):
            self._best, self._bad = float(metric), 0
        else:
            self._bad += 1
        if self._resting:
            self._resting, self._bad = self._resting - 1, 0
        if self._bad > self.patience:
            self.lr = min(self.lr, max(self.lr * self.factor, self.min_lr))
            self._resting, self._bad = self.cooldown, 0
        return self.lr

    def _is_better(self, metric: float) -> bool:
        if self._best is None:
            return not math.isnan(metric)
        margin = self.threshold * (abs(self._best) if self.threshold_mode == "rel" else 1.0)
        return metric < self._best - margin if self.mode == "min" else metric > self._best + margin

    def state_dict(self) -> dict[str, float | int | None]:
        """The memory, as plain data."""
        return {"lr": self.lr, "best": self._best, "bad": self._bad, "resting": self._resting}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what ``state_dict`` gave; ``ValueError`` when it is something else."""
        if set(state) != {"lr", "best", "bad", "resting"}:
            raise ValueError(f"not the state of a ReduceOnPlateau: {sorted(state)}")
        self.lr, self._best = _number("lr", state["lr"]), state["best"]
        self._bad, self._resting = _count("bad", state["bad"], least=0), _count("resting", state["resting"], least=0)
