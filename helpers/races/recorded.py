"""The long races (`experiments`), recorded: the one command that writes a file of each in ``notebooks/results``.

    python -m helpers.races.recorded                              what there is, and what is recorded
    python -m helpers.races.recorded cifar10_cpu_torch --jobs 2   race and record it; again, to go on after a stop
    python -m helpers.races.recorded cifar10_cpu_torch --extend   take over what is recorded, train what it lacks:
                                                                  with --budget 4 --seeds 8 more seeds of one budget
    python -m helpers.races.recorded cifar10_gpu_torch --try      the same on a handful of images: does it run here?

A record holds every run with what the run itself says: device, versions, data source, date, seconds, seed.

>>> load("cifar10_cpu_torch").race.reference
'linear decay'
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

    from .. import data
    from .experiments import ARMS, EXPERIMENTS, Experiment
    from .protocol import OTHER, trial_of
    from .results import Race, Result
    from .store import Store

__all__ = ["ARMS", "EXPERIMENTS", "Record", "load", "save", "take_over"]

RESULTS = Path(__file__).parents[2] / "notebooks" / "results"


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
        Which of ``experiments.EXPERIMENTS`` it is.
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


def take_over(name: str, store: Store, folder: Path = RESULTS) -> int:
    """Put the recorded runs of an experiment into ``store``, so that a race with more seeds or schedules keeps them.

    Parameters
    ----------
    name : str
        Of the experiment, as it is now: runs of schedules and budgets that it no longer has are left out.
    store : Store
        Where the race looks for what is done.
    folder : Path
        Where records are kept.

    Returns
    -------
    int
        How many runs were taken over.

    Raises
    ------
    FileNotFoundError
        When nothing is recorded.
    DatasetError
        When the data that is here is not what was recorded.
    """
    record, experiment, taken = load(name, folder), EXPERIMENTS[name], 0
    saved = {origin["source"]: origin.get("date", "") for origin in record.provenance["origins"]}
    for row in record.race.runs.to_dict("records"):
        arm = row["arm"].removesuffix(OTHER)
        if arm not in experiment.arms or row["budget"] not in experiment.budgets:
            continue
        what = {"budget": row["budget"], "lr": row["lr"], "seed": row["seed"], "framework": experiment.framework}
        trial = trial_of(ARMS[arm], experiment.task, **what, final=row["stage"] == "test")
        if not trial.source.startswith(row["source"]):
            raise data.DatasetError(f"{name} was recorded on {row['source']}, and here is {trial.source}")
        told = {key: row[key] for key in ("error", "loss", "seconds", "device", "versions")}
        # a run that did not keep its date has that of its record
        store.put(trial, Result(**told, source=trial.source, date=row["date"] or saved[row["source"]]))
        taken += 1
    return taken


# ------------------------------------------------------------------------------------ the command
def _list() -> None:
    for name, experiment in EXPERIMENTS.items():
        recorded = "recorded" if (RESULTS / f"{name}.json").exists() else "not recorded"
        print(f"{name}: {experiment.title} ({recorded})")


def _report(race: Race) -> None:
    for budget in race.runs.budget.unique():
        print(f"\n{budget:g} epochs; {race.source}")
        print(race.report(budget).to_string(index=False))


def _raced(experiment: Experiment, chosen: argparse.Namespace) -> Race:
    """The race that the command line asks for, one budget after the other; what a record has of it is kept."""
    store, has = chosen.store or data.folder() / "runs" / chosen.name, {}
    if chosen.extend:
        print(f"{take_over(chosen.name, Store(store))} runs of the record are kept")
        tested = load(chosen.name).race.runs.query("stage == 'test'")
        has = tested[tested.arm.isin(experiment.arms)].groupby("budget").seed.nunique().to_dict()
    races = []
    for budget in experiment.budgets:
        asked = chosen.seeds or experiment.seeds if chosen.budget in (None, budget) else 0
        seeds = max(asked, has.get(budget, 0))
        if seeds:
            one = dataclasses.replace(experiment, budgets=(budget,), seeds=seeds)
            races.append(one.race(store, chosen.jobs))
    if not races:
        raise SystemExit(f"{chosen.name} has no budget {chosen.budget:g}: {', '.join(map(str, experiment.budgets))}")
    runs = pd.concat([race.runs for race in races], ignore_index=True)
    return Race(runs, experiment.reference, experiment.task.measure)


def _command(chosen: argparse.Namespace) -> str:
    """What trains a race again: what trained the record, and then what extended it."""
    options = {"extend": chosen.extend, "budget": chosen.budget, "seeds": chosen.seeds, "jobs": chosen.jobs}
    told = [f"--{name}" if value is True else f"--{name} {value:g}" for name, value in options.items() if value]
    before = [load(chosen.name).provenance["command"]] if chosen.extend else []
    return "; ".join([*before, " ".join(["python -m helpers.races.recorded", chosen.name, *told])])


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``python -m helpers.races.recorded``."""
    parser = argparse.ArgumentParser(prog="python -m helpers.races.recorded", description="The long races, recorded.")
    parser.add_argument("name", nargs="?", choices=list(EXPERIMENTS), metavar="name", help="without it: a list")
    parser.add_argument("--jobs", type=int, default=1, help="processes; on a GPU, one")
    parser.add_argument("--store", type=Path, help="where single runs are kept until all are there")
    parser.add_argument("--extend", action="store_true", help="keep the recorded runs, train what the record lacks")
    parser.add_argument("--budget", type=float, help="race only this one; with --extend the record keeps the others")
    parser.add_argument("--seeds", type=int, help="how many are tested, when not as many as the experiment says")
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
    race = _raced(experiment, chosen)
    _report(race)
    path = save(chosen.name, race, _command(chosen))
    print(f"\nrecorded in {path.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
