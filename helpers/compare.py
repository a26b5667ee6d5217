"""A fair race of learning-rate schedules: each with its own best rate, new seeds, equal budgets, intervals.

1. Every schedule's rate is tuned on held-out images, over one grid that is extended until the best is inside it.
2. At that rate it is trained again with new seeds, the same for all schedules, and tested once.
3. What is reported: means with intervals, differences paired by seed, p-values corrected for their number (Holm),
   divergences, and a control that races a schedule against itself.

The protocol follows Choi et al. 2019 (arXiv 1910.05446) on tuning and Dahl et al. 2023 (arXiv 2306.07179) on budgets.

Runs are independent of each other, so any engine of joblib can spread them: ``jobs=2`` on this machine, or, around
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
import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from . import runtime, theory, together, training, worker
from .plots import interval
from .schedules import Schedule
from .trial import Result, Store, Task, Trial

__all__ = ["Arm", "Race", "Task", "at_one_rate", "holm", "race", "run_all"]

Shape = Callable[[int], Schedule]  # takes the number of updates, returns a schedule with peak 1
MAX_FACTOR, MAX_EXTENSIONS, OTHER_SEEDS = 1.6, 12, 1_000_000
Place = tuple[str, float]  # an arm and a budget


@dataclass(frozen=True)
class Arm:
    """A schedule in a race: its shape, and what is tested after the run.

    tail: the part of the run at whose end the weights are averaged (0: none). fresh: BatchNorm's statistics are
    recomputed for the weights that are tested, as they always are for averaged ones.
    """

    shape: Shape
    tail: float = 0.0
    fresh: bool = False


# -------------------------------------------------------------------------------------- the runs
def run_all(wanted: Iterable[Trial], store: Store, jobs: int | None = None, label: str = "") -> dict[str, Result]:
    """Train every trial that the store does not have, in parallel, and return the results by key.

    Each result is stored as soon as it arrives: whoever is interrupted loses the runs in flight, and no other. Trials
    to be trained ``together`` come first, in this process.

    Parameters
    ----------
    wanted : iterable of Trial
        Trials with the same key are trained once.
    store : Store
        Where results are looked up and kept.
    jobs : int, optional
        Processes; None for what ``joblib.parallel_config`` says around the call, else one.
    label : str
        Of the progress bar.

    Returns
    -------
    dict
        Key of a trial -> its result.

    Raises
    ------
    DatasetError
        When a process finds other images than the trial was planned with.
    """
    todo = {trial.key: trial for trial in wanted}
    done = {key: result for key, trial in todo.items() if (result := store.get(trial)) is not None}
    missing = [trial for key, trial in todo.items() if key not in done]
    joint = [trial for trial in missing if trial.together]
    calls = [joblib.delayed(worker.run)(trial.specification) for trial in missing if not trial.together]
    at_once = (pair for group in together.batches_of(joint) for pair in together.run_together(group).items())
    with training.progress(len(todo), label, unit="run", done=len(done)) as bar:
        for key, result in itertools.chain(at_once, _as_they_come(calls, jobs)):
            store.put(todo[key], result)
            done[key] = result
            bar.update()
    return done


def _as_they_come(calls: list[Any], jobs: int | None) -> Iterator[tuple[str, Result]]:
    try:
        engine = joblib.Parallel(n_jobs=jobs, return_as="generator_unordered")
    except ValueError:  # an engine that gives back whole lists, as Ray's does: ask it for one round at a time
        size = max(1, joblib.effective_n_jobs(jobs))
        with joblib.Parallel(n_jobs=jobs) as engine:
            for start in range(0, len(calls), size):
                yield from engine(calls[start : start + size])
    else:
        yield from engine(calls)


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
    folder: Path | str | None = None,
    jobs: int | None = None,
    join: bool | None = None,
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
    folder : path, optional
        Keeps each run, so that a race that was interrupted goes on where it was.
    jobs : int, optional
        As in `run_all`.
    join : bool, optional
        Train runs at once where that is possible (`together`): the same up to rounding; by default on a GPU, where it
        is faster.

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
    arms = _arms(schedules)
    _check(arms, budgets, lrs, seeds, tune_seeds, reference)
    maker = _Maker(arms, task, framework, join=runtime.device() == "cuda" if join is None else join)
    store = Store(folder)
    tuned, chosen = _tune(maker, budgets, lrs, tune_seeds, store, jobs)
    final = [maker(place, rate, seed, final=True) for place, rate in chosen.items() for seed in seeds]
    control = [
        maker((reference, budget), chosen[reference, budget], seed + OTHER_SEEDS, final=True)
        for budget in budgets
        for seed in seeds
    ]
    tested = run_all([*final, *control], store, jobs, "test")
    rows = [_row(trial, rate, budget, tuned[trial.key]) for trial, rate, budget in maker.made if not trial.final]
    rows += [_row(trial, rate, budget, tested[trial.key]) for trial, rate, budget in maker.made if trial.final]
    frame = pd.DataFrame(rows)
    frame.loc[frame.seed >= OTHER_SEEDS, "arm"] += ", other seeds"
    return Race(frame, reference)


def at_one_rate(
    schedules: Mapping[str, Shape | Arm],
    task: Task,
    *,
    budgets: Sequence[float],
    lr: float,
    seeds: Sequence[int],
    framework: str = "torch",
    folder: Path | str | None = None,
    jobs: int | None = None,
) -> pd.DataFrame:
    """Train every schedule at the peak ``lr``, nothing tuned, and test it: rows like those of `Race`.

    For repeating a recipe. As a comparison of schedules it compares rates: lesson 13 shows how far that leads astray.

    Parameters
    ----------
    schedules, task, budgets, framework, folder, jobs
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
    if not seeds:
        raise ValueError("seeds: at least one")
    _check_budgets(budgets)
    maker = _Maker(_arms(schedules), task, framework)
    trials = [maker((name, budget), lr, seed, final=True) for name in schedules for budget in budgets for seed in seeds]
    tested = run_all(trials, Store(folder), jobs, "test")
    return pd.DataFrame([_row(trial, rate, budget, tested[trial.key]) for trial, rate, budget in maker.made])


def _arms(schedules: Mapping[str, Shape | Arm]) -> dict[str, Arm]:
    return {name: arm if isinstance(arm, Arm) else Arm(arm) for name, arm in schedules.items()}


def _check(
    arms: Mapping[str, Arm],
    budgets: Sequence[float],
    lrs: Sequence[float],
    seeds: Sequence[int],
    tune_seeds: Sequence[int],
    reference: str,
) -> None:
    if reference not in arms:
        raise ValueError(f"the reference {reference!r} is not in the race: {', '.join(arms)}")
    if len(set(seeds)) < 2 or len(set(seeds)) != len(seeds) or max(seeds) >= OTHER_SEEDS:
        raise ValueError(f"seeds: at least two, different and below {OTHER_SEEDS:,}, got {list(seeds)}")
    if not tune_seeds or set(seeds) & set(tune_seeds):
        raise ValueError("tune_seeds: at least one, and none of the seeds that are tested")
    _check_budgets(budgets)
    factors = np.divide(lrs[1:], lrs[:-1])
    if len(lrs) < 2 or min(lrs) <= 0 or not ((factors > 1) & (factors < MAX_FACTOR + 1e-9)).all():
        raise ValueError(f"lrs: at least two, rising by factors of at most {MAX_FACTOR}, got {list(lrs)}")


def _check_budgets(budgets: Sequence[float]) -> None:
    if not budgets or min(budgets) <= 0 or len(set(budgets)) != len(budgets):
        raise ValueError(f"budgets: epochs above 0, each once, got {list(budgets)}")


class _Maker:
    """Makes the trials of a race, and remembers each with its rate and budget."""

    def __init__(self, arms: Mapping[str, Arm], task: Task, framework: str, *, join: bool = False) -> None:
        self.arms, self.task, self.framework, self.join = arms, task, framework, join
        self.made: list[tuple[Trial, float, float]] = []

    def __call__(self, place: Place, rate: float, seed: int, *, final: bool = False) -> Trial:
        name, budget = place
        arm, updates = self.arms[name], self.task.updates(budget)
        plan = (rate * arm.shape(updates)).to_dict()
        trial = Trial(self.task, name, plan, updates, seed, self.framework, final, arm.tail, arm.fresh)
        trial = dataclasses.replace(trial, together=self.join and trial.joinable)
        self.made.append((trial, rate, budget))
        return trial


def _row(trial: Trial, rate: float, budget: float, result: Result) -> dict[str, Any]:
    stage = "test" if trial.final else "tune"
    about = {"framework": trial.framework, "arm": trial.arm, "budget": budget, "updates": trial.updates}
    return {**about, "stage": stage, "lr": rate, "seed": trial.seed, **result}


def _tune(
    maker: _Maker, budgets: Sequence[float], lrs: Sequence[float], seeds: Sequence[int], store: Store, jobs: int | None
) -> tuple[dict[str, Result], dict[Place, float]]:
    """Mean held-out error over a grid that grows, for each arm and budget by itself, until its best is inside."""
    places = [(name, budget) for name in maker.arms for budget in budgets]
    asked: dict[Place, list[float]] = {place: list(lrs) for place in places}
    errors: dict[Place, dict[float, float]] = {place: {} for place in places}
    results: dict[str, Result] = {}
    for extension in range(MAX_EXTENSIONS + 1):
        runs = {
            (place, rate): [maker(place, rate, seed) for seed in seeds] for place in places for rate in asked[place]
        }
        found = run_all([trial for group in runs.values() for trial in group], store, jobs, f"tuning {extension + 1}")
        results |= found
        for (place, rate), group in runs.items():
            errors[place][rate] = float(np.mean([_error(found[trial.key]) for trial in group]))
        asked = {place: _next_rates(errors[place]) for place in places}
        if not any(asked.values()):
            break
    return results, {place: min(errors[place], key=errors[place].__getitem__) for place in places}


def _error(result: Result) -> float:
    """Error in %; a run that diverged counts as all wrong."""
    return 100.0 if result["diverged"] else float(result["error"])


def _next_rates(errors: Mapping[float, float]) -> list[float]:
    """The rate beyond the edge of the grid, when the best is at the edge."""
    rates = sorted(errors)
    best = min(rates, key=errors.__getitem__)
    if best == rates[0]:
        return [rates[0] ** 2 / rates[1]]
    return [rates[-1] ** 2 / rates[-2]] if best == rates[-1] else []


# ------------------------------------------------------------------------------------ the result
@dataclass(frozen=True, eq=False)
class Race:
    """Every run of a race, one a row, and the arm that the others are compared with.

    Columns of ``runs``: framework, arm, budget (epochs), updates, stage ("tune" or "test"), lr (peak), seed, error
    (in %, missing when the run diverged), loss, diverged, and where each result comes from, said by the run itself:
    source (of the images), device, versions, seconds (of training; a share of them where runs are trained at once),
    date (of its beginning, UTC). Runs on images of more than one source make no race: ``ValueError``.
    """

    runs: pd.DataFrame
    reference: str

    def __post_init__(self) -> None:
        tested, tuned = self._sources("test"), self._sources("tune")
        for stage, found in (("test", tested), ("tune", tuned)):
            if len(found) > 1:
                raise ValueError(f"a race with images of {len(found)} sources at stage {stage!r}: {'; '.join(found)}")
        # held-out images are a part of the training images: `Dataset.validation` adds that to the sentence
        if tested and tuned and not tuned[0].startswith(tested[0]):
            raise ValueError(f"a race tuned on images of one source and tested on another: {tuned[0]}; {tested[0]}")

    def _sources(self, stage: str) -> list[str]:
        return [str(source) for source in self.runs.loc[self.runs.stage == stage, "source"].unique()]

    @property
    def source(self) -> str:
        """Where the tested images come from: one source, or it would be no race."""
        return self._sources("test")[0]

    def errors(self, budget: float) -> pd.DataFrame:
        """Test errors in %, seeds x arms. The control's column has other seeds, in the same order."""
        tested = self.runs[(self.runs.stage == "test") & (self.runs.budget == budget)]
        columns = {
            arm: part.sort_values("seed")["error"].to_numpy(float) for arm, part in tested.groupby("arm", sort=False)
        }
        return pd.DataFrame(columns)

    def tuning(self, budget: float) -> pd.DataFrame:
        """Mean held-out error in %, rates x arms; a run that diverged counts as 100 %."""
        tuned = self.runs[(self.runs.stage == "tune") & (self.runs.budget == budget)]
        counted = tuned.assign(error=tuned["error"].astype(float).fillna(100.0))
        return counted.pivot_table(index="lr", columns="arm", values="error", sort=False).sort_index()

    def summary(self) -> pd.DataFrame:
        """One row for each budget and arm: rate, error with its interval, paired difference, Holm's p, divergences.

        ``inside``: the chosen rate is inside its grid. ``difference`` is against the reference, paired by seed, with
        the half-width of its 95 % interval. ``p`` is corrected within the budget; the control is not counted.
        """
        return pd.concat([self._summary(budget) for budget in self.runs.budget.unique()], ignore_index=True)

    def _summary(self, budget: float) -> pd.DataFrame:
        errors, tuning = self.errors(budget), self.tuning(budget)
        part = self.runs[self.runs.budget == budget]
        rows = []
        for arm in errors:
            runs, tested = part[part.arm == arm], part[(part.arm == arm) & (part.stage == "test")]
            rate = float(tested["lr"].iloc[0])
            grid = tuning[arm].dropna().index.to_numpy() if arm in tuning else np.array([])
            row = {"budget": budget, "arm": arm, "n": len(tested), "lr": rate}
            row["inside"] = bool(len(grid) and grid.min() < rate < grid.max()) if arm in tuning else None
            row["error"], row["half_width"] = _interval(errors[arm])
            difference = errors[arm] - errors[self.reference]
            row["difference"], row["difference_half_width"] = _interval(difference)
            row["p"] = math.nan if arm == self.reference else _p(difference)
            row["diverged"] = int(runs["diverged"].sum())
            rows.append(row)
        frame = pd.DataFrame(rows)
        counted = frame.index[frame.arm.isin(list(tuning)) & (frame.arm != self.reference)]
        frame.loc[counted, "p"] = holm(frame.loc[counted, "p"])
        return frame

    def report(self, budget: float) -> list[dict[str, str]]:
        """`summary` of one budget for people, the lowest error first: rows for ``plots.table``."""
        rows = []
        for row in self._summary(budget).sort_values("error").itertuples():
            grid = "" if row.inside is None else ", inside its grid" if row.inside else ", AT THE EDGE"
            compared = f"{row.difference:+.2f} ± {row.difference_half_width:.2f}"
            rows.append(
                {
                    "schedule": row.arm,
                    "best peak": f"{row.lr:.3g}{grid}",
                    "test error, %": f"{row.error:.2f} ± {row.half_width:.2f}",
                    f"against {self.reference}": "" if row.arm == self.reference else compared,
                    "Holm's p": "" if math.isnan(row.p) else f"{row.p:.3f}",
                    "n": str(row.n),
                    "diverged": str(row.diverged),
                }
            )
        return rows

    def speed_up(self, arm: str, against: str) -> pd.DataFrame:
        """How many times as long ``against`` must train to reach the error of ``arm``, at each budget of ``arm``.

        Of mean test errors, as `theory.speed_up` reads them off; NaN outside of what ``against`` reached.
        """
        means = (
            self.runs[self.runs.stage == "test"]
            .groupby(["arm", "budget"])["error"]
            .apply(lambda values: values.astype(float).mean())
        )
        other = means[against].sort_index()
        rows = [
            {"budget": budget, "error": error, "speed_up": theory.speed_up(error, budget, other.index, other)}
            for budget, error in means[arm].sort_index().items()
        ]
        return pd.DataFrame(rows)


def _interval(values: pd.Series) -> tuple[float, float]:
    """Mean and half-width over the runs that did not diverge; NaN where fewer than two did not."""
    finite = values.dropna()
    if len(finite) < 2:
        return (float(finite.mean()) if len(finite) else math.nan), math.nan
    mean, half = interval(finite)
    return float(mean), float(half)


def _p(differences: pd.Series) -> float:
    finite = differences.dropna()
    return float(stats.ttest_1samp(finite, 0.0).pvalue) if len(finite) > 1 and finite.std() > 0 else math.nan


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """p-values corrected for their number by Holm's step-down method; NaN stays NaN and is not counted.

    Source: Holm 1979, "A simple sequentially rejective multiple test procedure".

    >>> holm([0.01, 0.04, 0.03]).tolist()
    [0.03, 0.06, 0.06]
    """
    p = np.asarray(p_values, dtype=np.float64)
    corrected, order = np.full(p.shape, math.nan), np.argsort(p)[: np.count_nonzero(~np.isnan(p))]
    factors = np.arange(len(order), 0, -1)
    corrected[order] = np.minimum(np.maximum.accumulate(p[order] * factors), 1.0)
    return corrected
