"""One table of everything that was raced and recorded: how far each schedule ends from linear decay, on each workload.

Only what a reader may believe stands in it: schedules whose peak was tuned inside its grid, tested with at least
`SEEDS` new seeds. Whatever was raced otherwise, or not at all, is left blank.

>>> found = table()
>>> sorted(set(found.workload)) == sorted({workload.title for workload in WORKLOADS})
True
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from . import recorded

__all__ = ["SEEDS", "WORKLOADS", "Workload", "shown", "table", "verdicts"]

SEEDS = 8  # fewer say too little about a difference
LEVEL = 0.05  # of Holm's p


@dataclass(frozen=True)
class Workload:
    """A recorded race as a column of the table.

    Parameters
    ----------
    record : str
        A key of `experiments.EXPERIMENTS`.
    budget : float
        Which of its budgets, in epochs.
    title : str
        For people.
    beside : str
        What every schedule of this workload but 1cycle begins with; it is left out of the schedules' names.
    """

    record: str
    budget: float
    title: str
    beside: str = ""


WORKLOADS = (
    Workload("mnist_mlp", 1, "MNIST, MLP, 1 epoch"),
    Workload("mnist_mlp", 4, "MNIST, MLP, 4 epochs"),
    Workload("mnist_cnn", 2, "MNIST, CNN, 2 epochs"),
    Workload("cifar10_cpu_torch", 1, "CIFAR-10, ResNet-9, 1 epoch"),
    Workload("cifar10_cpu_torch", 4, "CIFAR-10, ResNet-9, 4 epochs"),
    Workload("language_model", 0.5, "Python code, Transformer, 1/2 epoch", beside=", warmup 10 %"),
)


def table(folder: Path = recorded.RESULTS) -> pd.DataFrame:
    """Every schedule on every workload that was recorded by the rules: one row each.

    Parameters
    ----------
    folder : Path
        Where records are kept.

    Returns
    -------
    DataFrame
        Columns: workload, schedule, measure ("error" in % or "loss" in nats), result, difference (to linear decay,
        paired by seed; below 0 is better), half_width (of its 95 % interval), p (Holm's, within the workload), n, lr.

    Raises
    ------
    FileNotFoundError
        When a workload is not recorded.
    """
    return pd.concat([_column(workload, folder) for workload in WORKLOADS], ignore_index=True)


def _column(workload: Workload, folder: Path) -> pd.DataFrame:
    race = recorded.load(workload.record, folder).race
    rows = race.summary()
    rows = rows[(rows.budget == workload.budget) & (rows.inside == True) & (rows.n >= SEEDS)]  # noqa: E712 (may be None)
    rows = rows[rows.diverged == 0] if False else rows
    schedule = rows.arm.str.removesuffix(workload.beside) if workload.beside else rows.arm
    # without the warmup that the others have, a schedule is another one
    bare = rows.arm.eq(schedule) & rows.arm.add(workload.beside).isin(rows.arm) if workload.beside else rows.arm.ne(rows.arm)
    return pd.DataFrame(
        {
            "workload": workload.title,
            "schedule": schedule.where(~bare, schedule + ", no warmup"),
            "measure": race.measure,
            "result": rows.error,
            "difference": rows.difference,
            "half_width": rows.difference_half_width,
            "p": rows.p,
            "n": rows.n,
            "lr": rows.lr,
        }
    )
