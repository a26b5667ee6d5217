"""The rules of a fair race: each schedule at its own best rate, new seeds, equal budgets, a control.

1. Every schedule's rate is tuned on held-out images, over one grid that is extended until the best is inside it.
2. At that rate it is trained again with new seeds, the same for all schedules, and tested once.
3. What is reported: means with intervals, differences paired by seed, p-values corrected for their number (Holm),
   divergences, and a control that races a schedule against itself.

The protocol follows Choi et al. 2019 (arXiv 1910.05446) on tuning and Dahl et al. 2023 (arXiv 2306.07179) on budgets.

Runs are independent of each other, so any backend of joblib can spread them: ``jobs=2`` on this machine, or, around
the call, ``with joblib.parallel_config(backend="dask"):`` and a ``distributed.Client``; Ray in the same way.

>>> from helpers.schedules import constant, linear
>>> arms = {"constant": lambda updates: constant(1.0), "line": lambda updates: linear(1.0, 0.0, updates)}
>>> task = Task("digits", train=640, validation=128)
>>> result = race(arms, task, budgets=[1], lrs=[0.05, 0.075], seeds=[10, 11], tune_seeds=[0], reference="line")
>>> result.summary()["arm"].tolist()
['constant', 'line', 'line, other seeds']
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from .. import runtime
from ..schedules import Schedule
from .engine import run_all
from .results import WORST, Race, Result
from .store import Store
from .trial import Task, Trial

__all__ = ["Arm", "Race", "Store", "Task", "Tuning", "at_one_rate", "race", "trial_of", "tune"]

Shape = Callable[[int], Schedule]  # takes the number of updates, returns a schedule with peak 1
MAX_FACTOR, MAX_EXTENSIONS, OTHER_SEEDS = 1.6, 12, 1_000_000
OTHER = ", other seeds"  # the control
RATE_DIGITS = 10  # as many as a record keeps: a rate that was read is the rate that was raced
Entry = tuple[str, float]  # an arm at a budget


@dataclass(frozen=True)
class Arm:
    """A schedule in a race: its shape, and what is tested after the run.

    Parameters
    ----------
    shape : callable
        Takes the number of updates, returns a schedule with peak 1: the rate is multiplied in.
    tail : float
        The part of the run at whose end the weights are averaged (0: none).
    fresh : bool
        BatchNorm's statistics are recomputed for the weights that are tested, as they always are for averaged ones.
    """

    shape: Shape
    tail: float = 0.0
    fresh: bool = False


class Tuning(NamedTuple):
    """The rate that was found for one arm at one budget, and what it was found from.

    Attributes
    ----------
    lr : float
        The best peak.
    errors : dict
        Rate -> mean held-out error in %, or loss, over the seeds; a run that diverged counts as `results.WORST`.
    runs : DataFrame
        One a row, with the columns of `Race` and stage "tune".
    """

    lr: float
    errors: dict[float, float]
    runs: pd.DataFrame


# -------------------------------------------------------------------------------------- the race
def race(
    schedules: Mapping[str, Shape | Arm],
    task: Task,
    *,
    budgets: Sequence[float],
    lrs: Sequence[float],
    seeds: Sequence[int],
    reference: str,
    tune_seeds: Sequence[int] = (0, 1, 2),
    framework: str = "torch",
    store: Store | Path | str | None = None,
    jobs: int | None = None,
    vmapped: bool | None = None,
) -> Race:
    """Race ``schedules`` on ``task`` and return every run, tuning included.

    Parameters
    ----------
    schedules : mapping
        Name -> shape (number of updates -> schedule with peak 1), or an `Arm`.
    task : Task
        What is trained.
    budgets : sequence of float
        In epochs.
    lrs : sequence of float
        The grid of peak rates to begin with, rising by factors of at most 1.6.
    seeds : sequence of int
        Of the tested runs; not those of tuning.
    reference : str
        The schedule that others are compared with.
    tune_seeds : sequence of int
        Of the runs that choose the rates.
    framework : str
        "torch" or "keras".
    store : Store or path, optional
        Keeps each run, so that a race that was interrupted goes on where it was. Runs that it has are not trained
        again: another race may share it.
    jobs : int, optional
        As in `engine.run_all`.
    vmapped : bool, optional
        Train small networks as one where that is possible: the same up to rounding; by default on a GPU, where it is
        many times as fast.

    Returns
    -------
    Race
        Every run with its provenance.

    Raises
    ------
    ValueError
        For an unknown reference, fewer than two seeds, seeds that were tuned on, and a grid that is too coarse or not
        rising: at once, before the first run.
    DatasetError
        When the data changes on the way: the real data set arrives after runs were planned on its stand-in, say.
    """
    if reference not in schedules:
        raise ValueError(f"the reference {reference!r} is not in the race: {', '.join(schedules)}")
    if len(set(seeds)) < 2 or len(set(seeds)) != len(seeds) or max(seeds) >= OTHER_SEEDS:
        raise ValueError(f"seeds: at least two, different and below {OTHER_SEEDS:,}, got {list(seeds)}")
    if not len(tune_seeds) or set(seeds) & set(tune_seeds):
        raise ValueError("tune_seeds: at least one, and none of the seeds that are tested")
    _check(tune_seeds, budgets, lrs)
    trainer = _Trainer(schedules, task, framework, store, jobs, vmapped)
    tunings = trainer.tune([(name, budget) for name in schedules for budget in budgets], lrs, tune_seeds)
    plans = [trainer.plan(entry, found.lr, seed, final=True) for entry, found in tunings.items() for seed in seeds]
    for budget in budgets:
        rate = tunings[reference, budget].lr
        plans += [trainer.plan((reference, budget), rate, seed + OTHER_SEEDS, final=True) for seed in seeds]
    tested = trainer.train(plans, "test")
    tested.loc[tested.seed >= OTHER_SEEDS, "arm"] += OTHER
    runs = pd.concat([*(found.runs for found in tunings.values()), tested], ignore_index=True)
    return Race(runs, reference, task.measure)


def tune(
    schedule: Shape | Arm,
    task: Task,
    *,
    budget: float,
    lrs: Sequence[float],
    seeds: Sequence[int] = (0, 1, 2),
    framework: str = "torch",
    store: Store | Path | str | None = None,
    jobs: int | None = None,
    vmapped: bool | None = None,
) -> Tuning:
    """Find the best rate of one schedule on held-out images, as `race` does for each.

    Parameters
    ----------
    schedule : callable or Arm
        A shape with peak 1.
    budget : float
        In epochs.
    seeds : sequence of int
        Of the runs that choose the rate.
    task, lrs, framework, store, jobs, vmapped
        As in `race`. The grid is extended until the best is inside it.

    Returns
    -------
    Tuning
        The rate, the errors at all rates, the runs.

    Raises
    ------
    ValueError
        For no seed, a budget that is not positive, and a grid that is too coarse or not rising.

    Examples
    --------
    >>> from helpers.schedules import linear
    >>> line, task = lambda updates: linear(1.0, 0.0, updates), Task("digits", train=640, validation=128)
    >>> found = tune(line, task, budget=1, lrs=[0.05, 0.075], seeds=[0])
    >>> found.lr == min(found.errors, key=found.errors.get), min(found.errors) < found.lr < max(found.errors)
    (True, True)
    """
    _check(seeds, [budget], lrs)
    trainer = _Trainer({"": schedule}, task, framework, store, jobs, vmapped)
    return trainer.tune([("", budget)], lrs, seeds)["", budget]


def at_one_rate(
    schedules: Mapping[str, Shape | Arm],
    task: Task,
    *,
    budgets: Sequence[float],
    lr: float,
    seeds: Sequence[int],
    framework: str = "torch",
    store: Store | Path | str | None = None,
    jobs: int | None = None,
    vmapped: bool | None = None,
) -> pd.DataFrame:
    """Train every schedule at the peak ``lr``, nothing tuned, and test it: rows like those of `Race`.

    For repeating a recipe, or a rate that `tune` has found. As a comparison of schedules it compares rates.

    Parameters
    ----------
    schedules, task, budgets, framework, store, jobs, vmapped
        As in `race`.
    lr : float
        The peak of every schedule.
    seeds : sequence of int
        At least one.

    Returns
    -------
    DataFrame
        One run a row, with the columns of `Race`.

    Raises
    ------
    ValueError
        For no seed, and for budgets as in `race`.
    """
    _check(seeds, budgets)
    trainer = _Trainer(schedules, task, framework, store, jobs, vmapped)
    entries = [(name, budget) for name in schedules for budget in budgets]
    return trainer.train([trainer.plan(entry, lr, seed, final=True) for entry in entries for seed in seeds], "test")


def _check(seeds: Sequence[int], budgets: Sequence[float], lrs: Sequence[float] | None = None) -> None:
    if not len(seeds):
        raise ValueError("seeds: at least one")
    if not budgets or min(budgets) <= 0 or len(set(budgets)) != len(budgets):
        raise ValueError(f"budgets: epochs above 0, each once, got {list(budgets)}")
    if lrs is None:
        return
    factors = np.divide(lrs[1:], lrs[:-1])
    if len(lrs) < 2 or min(lrs) <= 0 or not ((factors > 1) & (factors < MAX_FACTOR + 1e-9)).all():
        raise ValueError(f"lrs: at least two, rising by factors of at most {MAX_FACTOR}, got {list(lrs)}")


# ---------------------------------------------------------------------------------------- its runs
def trial_of(
    schedule: Shape | Arm, task: Task, budget: float, lr: float, seed: int, *, final: bool, framework: str = "torch"
) -> Trial:
    """The trial of a schedule at a budget, with the peak ``lr``.

    Parameters
    ----------
    schedule : callable or Arm
        A shape with peak 1.
    budget : float
        In epochs.
    lr : float
        The peak.
    task, seed, final, framework
        As in `trial.Trial`.

    Examples
    --------
    >>> from helpers.schedules import linear
    >>> task = Task("digits", train=640, validation=128)
    >>> trial_of(lambda updates: linear(1.0, 0.0, updates), task, budget=1, lr=0.1, seed=0, final=True).schedule(0)
    0.1
    """
    arm, updates = schedule if isinstance(schedule, Arm) else Arm(schedule), task.updates(budget)
    return Trial(task, lr * arm.shape(updates), updates, seed, framework, final, arm.tail, arm.fresh)


class _Planned(NamedTuple):
    """A trial, and what it is in the race."""

    trial: Trial
    entry: Entry
    lr: float

    def row(self, result: Result) -> dict[str, Any]:
        """The trial and its result as a row of `Race`."""
        (arm, budget), trial = self.entry, self.trial
        about = {"framework": trial.framework, "arm": arm, "budget": budget, "updates": trial.updates}
        stage = "test" if trial.final else "tune"
        found = dataclasses.asdict(result)
        return {**about, "stage": stage, "lr": self.lr, "seed": trial.seed, **found, "diverged": result.diverged}


@dataclass(frozen=True)
class _Trainer:
    """What the runs of a race have in common."""

    schedules: Mapping[str, Shape | Arm]
    task: Task
    framework: str
    store: Store | Path | str | None
    jobs: int | None
    vmapped: bool | None

    def __post_init__(self) -> None:
        if not isinstance(self.store, Store):
            object.__setattr__(self, "store", Store(self.store))
        if self.vmapped is None:
            object.__setattr__(self, "vmapped", runtime.device() == "cuda")

    def plan(self, entry: Entry, lr: float, seed: int, *, final: bool = False) -> _Planned:
        """The trial of an arm at a budget, with the peak ``lr``."""
        name, budget = entry
        trial = trial_of(self.schedules[name], self.task, budget, lr, seed, final=final, framework=self.framework)
        if self.vmapped and trial.can_be_vmapped:
            trial = dataclasses.replace(trial, vmapped=True)
        return _Planned(trial, entry, lr)

    def train(self, plans: Iterable[_Planned], label: str) -> pd.DataFrame:
        """One run a row, in the order of ``plans``."""
        plans = list(plans)
        results = run_all([one.trial for one in plans], self.store, self.jobs, label)  # type: ignore[arg-type]
        return pd.DataFrame([one.row(results[one.trial.key]) for one in plans])

    def tune(self, entries: Sequence[Entry], lrs: Sequence[float], seeds: Sequence[int]) -> dict[Entry, Tuning]:
        """Each entry's mean error over a grid that grows, for each by itself, until its best is inside."""
        asked: dict[Entry, list[float]] = {entry: list(lrs) for entry in entries}
        runs: dict[Entry, list[pd.DataFrame]] = {entry: [] for entry in entries}
        for extension in range(MAX_EXTENSIONS + 1):
            plans = [self.plan(entry, lr, seed) for entry in entries for lr in asked[entry] for seed in seeds]
            found = self.train(plans, f"tuning {extension + 1}")
            for entry, part in found.groupby(["arm", "budget"]):
                runs[entry].append(part)
            tunings = {entry: self._tuning(pd.concat(parts, ignore_index=True)) for entry, parts in runs.items()}
            asked = {entry: _next_rates(tunings[entry].errors) for entry in entries}
            if not any(asked.values()):
                break
        return tunings

    def _tuning(self, runs: pd.DataFrame) -> Tuning:
        measure = self.task.measure
        errors = runs.fillna({measure: WORST[measure]}).groupby("lr")[measure].mean().to_dict()
        return Tuning(min(errors, key=errors.__getitem__), errors, runs)


def _next_rates(errors: Mapping[float, float]) -> list[float]:
    """The rate beyond the edge of the grid, when the best is at the edge."""
    rates = sorted(errors)
    best = min(rates, key=errors.__getitem__)
    if best == rates[0]:
        return [round(rates[0] ** 2 / rates[1], RATE_DIGITS)]
    return [round(rates[-1] ** 2 / rates[-2], RATE_DIGITS)] if best == rates[-1] else []
