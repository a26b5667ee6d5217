"""The long races: what each of them is, and the one command that writes its file in ``notebooks/results``.

    python -m helpers.races.recorded                              what there is, and what is recorded
    python -m helpers.races.recorded cifar10_cpu_torch --jobs 2   race and record it; again, to go on after a stop
    python -m helpers.races.recorded cifar10_gpu_torch --try      the same on a handful of images: does it run here?

A record holds every run with what the run itself says: device, versions, data source, date, seconds, seed.

>>> load("cifar10_cpu_torch").race.reference
'line'
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import runtime

with runtime.frameworks():  # the command prints results, not TensorFlow's greetings
    import pandas as pd

    from .. import data, schedules
    from ..recipe import Recipe
    from . import protocol
    from .protocol import Arm, Shape
    from .results import Race
    from .trial import Task

__all__ = ["ARMS", "EXPERIMENTS", "Experiment", "Record", "load"]

RESULTS = Path(__file__).parents[2] / "notebooks" / "results"


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
ARMS: dict[str, Shape | Arm] = {
    "constant": lambda updates: schedules.constant(1.0),
    "constant, fresh statistics": Arm(lambda updates: schedules.constant(1.0), fresh=True),
    "constant, tail averaged": Arm(lambda updates: schedules.constant(1.0), tail=0.2),
    "steps x 0.1": _steps,
    "line": _linear,
    "linear decay": _linear,
    "cosine": lambda updates: schedules.cosine(1.0, updates),
    "WSD": _cool_at_last,
    "1cycle": lambda updates: schedules.one_cycle(1.0, updates, momentum=None),
    "1cycle, momentum cycled": lambda updates: schedules.one_cycle(1.0, updates),
    "1cycle, peak at 30 %": lambda updates: schedules.one_cycle(1.0, updates, momentum=None),
    "1cycle, three phases": lambda updates: schedules.one_cycle(
        1.0, updates, pct_start=0.45, three_phase=True, anneal="linear", momentum=None
    ),
    "triangle, peak at 5/24": lambda updates: schedules.one_cycle(
        1.0, updates, pct_start=5 / 24, anneal="linear", momentum=None
    ),
}
for _part in (5, 10, 20):
    for _name in ("constant", "linear decay", "cosine", "WSD"):
        _shape = ARMS[_name]
        assert not isinstance(_shape, Arm)
        ARMS[f"{_name}, warmup {_part} %"] = _warm(_part / 100, _shape)

CPU_ARMS = (
    "constant",
    "constant, fresh statistics",
    "constant, tail averaged",
    "steps x 0.1",
    "line",
    "1cycle, peak at 30 %",
    "1cycle, three phases",
)
GPU_ARMS = (*CPU_ARMS, "cosine")


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
    reference: str = "line"
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
        few = {"train": 1280, "test": 500, "batch_size": 128, "validation": 256}
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


_PLAIN_ARMS = ("constant", "steps x 0.1", "linear decay", "cosine", "WSD", "1cycle", "1cycle, momentum cycled")
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
        "CIFAR-10, narrow ResNet-9, on a CPU", _CPU, CPU_ARMS, (0.5, 1, 2, 4), _grid(0.64, 3), seeds=5, tune_seeds=2
    ),
    "cifar10_gpu": Experiment(
        "CIFAR-10, ResNet-9, on a GPU", _GPU, GPU_ARMS, (5, 10, 20, 40), _grid(0.25, 4), seeds=10, tune_seeds=3
    ),
    "cifar10_resnet20": Experiment(
        "CIFAR-10, ResNet-20, on a GPU", _RESNET20, GPU_ARMS, (10, 20, 40, 80), _grid(0.1, 4), seeds=5, tune_seeds=3
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
    "cifar10_cpu": {"arms": ("constant", "line", "1cycle, peak at 30 %"), "budgets": (0.5, 1, 2), "seeds": 3}
}
EXPERIMENTS: dict[str, Experiment] = {
    "mnist_mlp": Experiment(
        "MNIST, an MLP",
        _MLP,
        (*_PLAIN_ARMS, "linear decay, warmup 5 %", "linear decay, warmup 20 %"),
        (1, 4),
        _grid(0.05, 3),
        seeds=8,
        tune_seeds=3,
        reference="linear decay",
    ),
    "mnist_cnn": Experiment(
        "MNIST, a CNN with BatchNorm",
        _CNN,
        _PLAIN_ARMS,
        (2,),
        _grid(0.05, 3),
        seeds=8,
        tune_seeds=2,
        reference="linear decay",
    ),
    "language_model": Experiment(
        "Python source code, a Transformer of 116 thousand weights",
        _TEXT,
        (*_WARM, "1cycle", "1cycle, momentum cycled", *_WARMUPS),
        (1,),
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


# ------------------------------------------------------------------------------------ the records
@dataclass(frozen=True, eq=False)
class Record:
    """A race that was recorded, and where it comes from.

    provenance: name, title, command, framework, reference, task; and ``origins``, the different places that its runs
    come from, each with device, versions and source. Every run of ``race`` has these as columns too, and its date and
    seconds. Records from before runs kept their own provenance have neither: their one origin says so in a ``note``,
    with the ``date`` of saving.
    """

    race: Race
    provenance: dict[str, Any]

    def __str__(self) -> str:
        origins = self.provenance["origins"]
        where = [" and ".join(dict.fromkeys(origin[what] for origin in origins)) for what in ("device", "versions")]
        return "; ".join([f"{self.provenance['title']}: {self.race.source}", *where, " to ".join(self._days())])

    def _days(self) -> list[str]:
        """The first and the last day, once if they are the same."""
        days = {date[:10] for date in self.race.runs["date"].dropna()}
        days |= {origin["date"] for origin in self.provenance["origins"] if "date" in origin}
        return sorted({min(days), max(days)})


_ORIGIN = ["device", "versions", "source"]  # the same for many runs: written once
_COLUMNS = ["arm", "budget", "updates", "stage", "lr", "seed", "error", "loss", "diverged", "seconds", "date", "origin"]


def save(name: str, race: Race, command: str, folder: Path = RESULTS) -> Path:
    """Write a race, with what its runs say about themselves, to ``folder``: whole or not at all.

    Parameters
    ----------
    name : str
        Which of ``EXPERIMENTS`` it is.
    race : Race
        All its runs.
    command : str
        What trains it again.
    folder : Path
        Where records are kept.

    Returns
    -------
    Path
        The file.
    """
    experiment = EXPERIMENTS[name]
    origin = pd.MultiIndex.from_frame(race.runs[_ORIGIN])
    different = origin.unique()
    head = {
        "name": name,
        "title": experiment.title,
        "command": command,
        "framework": experiment.framework,
        "reference": race.reference,
        "measure": race.measure,
        "task": dataclasses.asdict(experiment.task),
        "origins": [dict(zip(_ORIGIN, values, strict=True)) for values in different],
        "columns": _COLUMNS,
    }
    runs = race.runs.assign(origin=different.get_indexer(origin))
    rows = json.loads(runs[_COLUMNS].to_json(orient="values"))
    lines = ",\n".join(json.dumps(row) for row in rows)  # a run a line: what changed can be seen in a diff
    text = json.dumps(head, indent=1)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    part = path.with_suffix(f".{os.getpid()}.part")
    part.write_text(f'{text[:-2]},\n "runs": [\n{lines}\n]}}\n', encoding="utf-8")
    os.replace(part, path)
    return path


def load(name: str, folder: Path = RESULTS) -> Record:
    """The record of an experiment. Raises ``FileNotFoundError`` with the command that trains and records it."""
    path = folder / f"{name}.json"
    if not path.exists():
        raise FileNotFoundError(f"{name} is not recorded: python -m helpers.races.recorded {name}")
    kept = json.loads(path.read_text(encoding="utf-8"))
    runs = pd.DataFrame(kept.pop("runs"), columns=kept.pop("columns"))
    origins = pd.DataFrame(kept["origins"])[_ORIGIN]
    of_each = origins.iloc[runs.pop("origin")].set_axis(runs.index)
    runs = pd.concat([runs, of_each], axis="columns").assign(framework=kept["framework"])
    runs = runs.astype(dict.fromkeys(("error", "loss", "seconds"), float))  # also where none is known
    return Record(Race(runs, kept["reference"], kept.get("measure", "error")), kept)


# ------------------------------------------------------------------------------------ the command
def _list() -> None:
    for name, experiment in EXPERIMENTS.items():
        recorded = "recorded" if (RESULTS / f"{name}.json").exists() else "not recorded"
        print(f"{name}: {experiment.title} ({recorded})")


def _report(race: Race) -> None:
    for budget in race.runs.budget.unique():
        print(f"\n{budget:g} epochs; {race.source}")
        print(race.report(budget).to_string(index=False))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``python -m helpers.races.recorded``."""
    parser = argparse.ArgumentParser(prog="python -m helpers.races.recorded", description="The long races, recorded.")
    parser.add_argument("name", nargs="?", choices=list(EXPERIMENTS), metavar="name", help="without it: a list")
    parser.add_argument("--jobs", type=int, default=1, help="processes; on a GPU, one")
    parser.add_argument("--store", type=Path, help="where single runs are kept until all are there")
    parser.add_argument("--try", dest="small", action="store_true", help="a handful of images, nothing is recorded")
    chosen = parser.parse_args(arguments)
    if chosen.name is None:
        _list()
        return 0
    experiment = EXPERIMENTS[chosen.name]
    if chosen.small:
        with tempfile.TemporaryDirectory() as folder:
            _report(experiment.small().race(Path(folder), chosen.jobs))
        return 0
    if experiment.task.data(final=True).name != experiment.task.dataset:
        print(f"{experiment.task.dataset} is not here: nothing is recorded on what stands in for it", file=sys.stderr)
        return 1
    race = experiment.race(chosen.store or data.folder() / "runs" / chosen.name, chosen.jobs)
    _report(race)
    jobs = f" --jobs {chosen.jobs}" if chosen.jobs > 1 else ""
    path = save(chosen.name, race, f"python -m helpers.races.recorded {chosen.name}{jobs}")
    print(f"\nrecorded in {path.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
