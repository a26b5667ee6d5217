"""What the long races are: their schedules, their tasks, their rules. `recorded` runs them and keeps their results.

>>> EXPERIMENTS["language_model"].task.optimizer, EXPERIMENTS["language_model"].seeds
('adamw', 8)
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import schedules
from ..recipe import Recipe
from . import protocol
from .protocol import Arm, Shape
from .results import Race
from .trial import Task

__all__ = ["ARMS", "EXPERIMENTS", "Experiment"]


def _steps(updates: int) -> schedules.Schedule:
    return schedules.piecewise_constant([max(1, updates // 2), max(2, updates * 3 // 4)], [1.0, 0.1, 0.01])


def _cool_at_last(updates: int) -> schedules.Schedule:
    """WSD: held until the last fifth, then down to 0 by 1-sqrt; its warmup is `_warm`'s, or none."""
    last = max(1, round(updates / 5))
    return schedules.wsd(1.0, 1, max(1, updates - last - 1), last, start_lr=1.0)


def _warm(part: float, shape: Shape) -> Shape:
    """``shape`` after a rise from 0 that takes ``part`` of the run."""

    def warm(updates: int) -> schedules.Schedule:
        first = max(1, round(part * updates))
        return schedules.warmup(0.0, 1.0, first).then(shape(updates - first))

    return warm


def _linear(updates: int) -> schedules.Schedule:
    return schedules.linear(1.0, 0.0, updates)


# Peak 1; the rate is multiplied in. Momentum stays where the task has it, unless the name says that it is cycled.
SHAPES: dict[str, Shape] = {
    "constant": lambda updates: schedules.constant(1.0),
    "steps x 0.1": _steps,
    "linear decay": _linear,
    "cosine": lambda updates: schedules.cosine(1.0, updates),
    "WSD": _cool_at_last,
    "1cycle": lambda updates: schedules.one_cycle(1.0, updates, momentum=None),
    "1cycle, momentum cycled": lambda updates: schedules.one_cycle(1.0, updates),
    "1cycle, three phases": lambda updates: schedules.one_cycle(
        1.0, updates, pct_start=0.45, three_phase=True, anneal="linear", momentum=None
    ),
    "triangle, peak at 5/24": lambda updates: schedules.one_cycle(
        1.0, updates, pct_start=5 / 24, anneal="linear", momentum=None
    ),
}
SHAPES |= {
    f"{name}, warmup {part} %": _warm(part / 100, SHAPES[name])
    for name in ("constant", "linear decay", "cosine", "WSD")
    for part in (5, 10, 20)
}
ARMS: dict[str, Shape | Arm] = SHAPES | {
    "constant, fresh statistics": Arm(SHAPES["constant"], fresh=True),
    "constant, tail averaged": Arm(SHAPES["constant"], tail=0.2),
}
_PLAIN_ARMS = ("constant", "steps x 0.1", "linear decay", "cosine", "WSD", "1cycle", "1cycle, momentum cycled")
_CIFAR_ARMS = (
    *_PLAIN_ARMS,
    "1cycle, three phases",
    "linear decay, warmup 20 %",
    "constant, fresh statistics",
    "constant, tail averaged",
)


@dataclass(frozen=True)
class Experiment:
    """A race with all its rules. With a single rate nothing is tuned: a recipe, repeated.

    Parameters
    ----------
    title : str
        What it is, for people.
    arms : tuple of str
        Keys of ``ARMS``.
    seeds, tune_seeds : int
        How many of each.
    task, budgets, lrs, reference, framework
        As in `protocol.race`.
    """

    title: str
    task: Task
    arms: tuple[str, ...]
    budgets: tuple[float, ...]
    lrs: tuple[float, ...]
    seeds: int
    tune_seeds: int = 0
    reference: str = "linear decay"
    framework: str = "torch"

    def race(self, store: Path | None = None, jobs: int | None = None) -> Race:
        """Train every run that ``store`` does not have yet."""
        arms = {name: ARMS[name] for name in self.arms}
        common: dict[str, Any] = {"budgets": self.budgets, "framework": self.framework, "store": store, "jobs": jobs}
        seeds = range(100, 100 + self.seeds)
        if len(self.lrs) == 1:
            runs = protocol.at_one_rate(arms, self.task, lr=self.lrs[0], seeds=seeds, **common)
            return Race(runs, self.reference, self.task.measure)
        common |= {"tune_seeds": range(self.tune_seeds), "reference": self.reference}
        return protocol.race(arms, self.task, lrs=self.lrs, seeds=seeds, **common)

    def small(self) -> Experiment:
        """The same on a handful of images, to see whether it runs."""
        few: dict[str, Any] = {"train": 1280, "test": 500, "batch_size": 128, "validation": 256}
        if self.task.context is not None:
            few = {"train": 30_000, "test": 20, "validation": 10_000}
        task = dataclasses.replace(self.task, **few)
        return dataclasses.replace(self, task=task, budgets=(1,), lrs=self.lrs[:2], seeds=2, tune_seeds=1)


_FLIP_AND_CROP: dict[str, Any] = {"flip": True, "pad": 4, "channels_last": True}
_SGD: dict[str, Any] = {"momentum": 0.9, "nesterov": True, "weight_decay": 5e-4, "torch_rule": True}
_CPU = Task("cifar10", "resnet9 narrow", batch_size=128, **_SGD, recipe=Recipe(**_FLIP_AND_CROP))
_GPU = Task("cifar10", "resnet9", batch_size=512, **_SGD, recipe=Recipe(**_FLIP_AND_CROP, bfloat16=True))
_RESNET20 = Task("cifar10", "resnet20", batch_size=128, **_SGD, recipe=Recipe(**_FLIP_AND_CROP, bfloat16=True))
# nothing is tuned, so nothing need be held out: one image, and budgets are epochs of 97 updates
_FAST = dataclasses.replace(_GPU, validation=1, recipe=Recipe(**_FLIP_AND_CROP, cutout=8, bfloat16=True))


def _grid(low: float, count: int) -> tuple[float, ...]:
    return tuple(round(low * 1.6**power, 4) for power in range(count))


_MLP = Task("mnist", "mlp", batch_size=128)
_CNN = Task("mnist", "cnn", train=20_000, batch_size=128)
_TEXT = Task(
    "stdlib_text",
    "transformer",
    batch_size=16,
    weight_decay=0.1,
    context=64,
    optimizer="adamw",
    beta_2=0.95,
    clip_norm=1.0,
)
_WARM = tuple(f"{name}, warmup 10 %" for name in ("constant", "linear decay", "cosine", "WSD"))
_WARMUPS = ("linear decay", "linear decay, warmup 5 %", "linear decay, warmup 20 %")

_BOTH = {
    "cifar10_cpu": Experiment(
        "CIFAR-10, narrow ResNet-9, on a CPU", _CPU, _CIFAR_ARMS, (0.5, 1, 2, 4), _grid(0.64, 3), seeds=8, tune_seeds=2
    ),
    "cifar10_gpu": Experiment(
        "CIFAR-10, ResNet-9, on a GPU", _GPU, _CIFAR_ARMS, (5, 10, 20, 40), _grid(0.25, 4), seeds=10, tune_seeds=3
    ),
    "cifar10_resnet20": Experiment(
        "CIFAR-10, ResNet-20, on a GPU", _RESNET20, _CIFAR_ARMS, (10, 20, 40, 80), _grid(0.1, 4), seeds=5, tune_seeds=3
    ),
    "cifar10_94": Experiment(
        "CIFAR-10, the recipe of D. Page's DAWNBench entry: ResNet-9, 24 epochs, peak 0.4",
        _FAST,
        ("triangle, peak at 5/24",),
        (24,),
        (0.4,),
        seeds=20,
        reference="triangle, peak at 5/24",
    ),
}
_IN_KERAS: dict[str, dict[str, Any]] = {  # where Keras runs less of it
    "cifar10_cpu": {"arms": ("constant", "linear decay", "1cycle"), "budgets": (0.5, 1, 2), "seeds": 3}
}
EXPERIMENTS: dict[str, Experiment] = {
    "mnist_mlp": Experiment(
        "MNIST, an MLP",
        _MLP,
        (*_PLAIN_ARMS, "linear decay, warmup 5 %", "linear decay, warmup 20 %"),
        (3,),
        _grid(0.05, 3),
        seeds=8,
        tune_seeds=2,
    ),
    "mnist_cnn": Experiment(
        "MNIST, a CNN with BatchNorm",
        _CNN,
        (*_PLAIN_ARMS, "linear decay, warmup 5 %", "linear decay, warmup 20 %"),
        (2,),
        _grid(0.05, 3),
        seeds=8,
        tune_seeds=2,
    ),
    "cifar10_untuned": Experiment(
        "CIFAR-10, narrow ResNet-9, on a CPU, at a rate that nobody looked for",
        _CPU,
        ("linear decay",),
        (0.5, 1, 2, 4),
        (0.05,),
        seeds=8,
    ),
    "language_model": Experiment(
        "Python source code, a Transformer of 116 thousand weights",
        _TEXT,
        (*_WARM, "1cycle", "1cycle, momentum cycled", *_WARMUPS),
        (0.5,),
        _grid(0.004, 3),
        seeds=8,
        tune_seeds=2,
        reference="linear decay, warmup 10 %",
    ),
}
for _name, _experiment in _BOTH.items():
    EXPERIMENTS[f"{_name}_torch"] = _experiment
    _less: dict[str, Any] = {"arms": tuple(arm for arm in _experiment.arms if not isinstance(ARMS[arm], Arm))}
    _less |= _IN_KERAS.get(_name, {})  # averaging weights and fresh statistics are for PyTorch only
    EXPERIMENTS[f"{_name}_keras"] = dataclasses.replace(
        _experiment, title=f"{_experiment.title}, in Keras", framework="keras", **_less
    )
