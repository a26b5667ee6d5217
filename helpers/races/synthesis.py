"""One table of everything that was raced and recorded: how far each schedule ends from linear decay, on each workload.

Only what a reader may believe stands in it: schedules whose peak was tuned inside its grid, tested with at least
`SEEDS` new seeds. Whatever was raced otherwise, or not at all, is left blank.

>>> found = table()
>>> sorted(set(found.workload)) == sorted({workload.title for workload in WORKLOADS})
True
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from . import recorded

__all__ = ["SEEDS", "WORKLOADS", "Workload", "as_markdown", "shown", "table", "verdicts"]

SEEDS = 8  # fewer say too little about a difference
LEVEL = 0.05  # of Holm's p
REFERENCE = "linear decay"
SCHEDULES = (  # in the order of the table
    REFERENCE,
    "cosine",
    "WSD",
    "1cycle",
    "1cycle, momentum cycled",
    "steps x 0.1",
    "constant",
    "constant, tail averaged",
)


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

    def schedule(self, arm: str, arms: Collection[str]) -> str:
        """What is said of ``arm``, one of the ``arms`` of this workload.

        >>> warm = Workload("language_model", 1, "text", beside=", warmup 10 %")
        >>> arms = ["cosine, warmup 10 %", "linear decay", "linear decay, warmup 10 %", "1cycle"]
        >>> [warm.schedule(arm, arms) for arm in arms]
        ['cosine', 'linear decay, no warmup', 'linear decay', '1cycle']
        """
        if self.beside and arm + self.beside in arms:
            return f"{arm}, no warmup"
        return arm.removesuffix(self.beside)


WORKLOADS = (
    Workload("mnist_mlp", 3, "MNIST, MLP, 3 epochs"),
    Workload("mnist_cnn", 2, "MNIST, CNN, 2 epochs"),
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
    tuned = rows.inside.eq(True)  # not "at the edge", and not None: never tuned, as the control is not
    rows = rows[tuned & (rows.budget == workload.budget) & (rows.n >= SEEDS)]
    return pd.DataFrame(
        {
            "workload": workload.title,
            "schedule": [workload.schedule(arm, set(rows.arm)) for arm in rows.arm],
            "measure": race.measure,
            "result": rows.error,
            "difference": rows.difference,
            "half_width": rows.difference_half_width,
            "p": rows.p,
            "n": rows.n,
            "lr": rows.lr,
        }
    )


def shown(found: pd.DataFrame) -> pd.DataFrame:
    """`table` for people: a row for each schedule, a column for each workload, blank where nothing was raced.

    Parameters
    ----------
    found : DataFrame
        As from `table`.

    Returns
    -------
    DataFrame
        Of text, for ``plots.table``: linear decay's own result in its row, differences to it in the others.
    """
    cells = found.assign(text=[_cell(row) for row in found.itertuples()])
    wide = cells.pivot(index="schedule", columns="workload", values="text").fillna("")
    order = [*SCHEDULES, *wide.index.difference(SCHEDULES)]
    wide = wide.reindex([name for name in order if name in wide.index])
    return wide[[workload.title for workload in WORKLOADS if workload.title in wide]].reset_index()


def _cell(row: Any) -> str:
    unit, digits = ("%", 2) if row.measure == "error" else ("nats", 3)
    if row.schedule == REFERENCE:
        return f"{row.result:.{digits}f} {unit}"
    return f"{row.difference:+.{digits}f} ± {row.half_width:.{digits}f}{'' if row.p < LEVEL else ' (n.d.)'}"


def verdicts(found: pd.DataFrame) -> pd.DataFrame:
    """Where each schedule did better than linear decay, where worse, and where the two cannot be distinguished.

    Parameters
    ----------
    found : DataFrame
        As from `table`.

    Returns
    -------
    DataFrame
        One row for each schedule. Columns: schedule, better, worse, not distinguishable (workloads, as text; by Holm's
        p below 0.05), and disagree: whether it did better on one and worse on another.

    Examples
    --------
    >>> rows = [("A", "cosine", -0.3, 0.01), ("B", "cosine", 0.2, 0.02), ("C", "cosine", 0.1, 0.4)]
    >>> raced = pd.DataFrame(rows, columns=["workload", "schedule", "difference", "p"])
    >>> verdicts(raced).to_dict("list")["disagree"], verdicts(raced).worse[0]
    ([True], 'B')
    """
    rows = []
    for schedule, part in found[found.schedule != REFERENCE].groupby("schedule", sort=False):
        clear = part.p < LEVEL
        better, worse = part[clear & (part.difference < 0)], part[clear & (part.difference > 0)]
        names = ["; ".join(some.workload) for some in (better, worse, part[~clear])]
        rows.append([schedule, *names, bool(len(better) and len(worse))])
    return pd.DataFrame(rows, columns=["schedule", "better", "worse", "not distinguishable", "disagree"])


def as_markdown(found: pd.DataFrame) -> str:
    """`shown` as a table for a README: ``python -m helpers.races.synthesis`` prints it.

    >>> rows = [("linear decay", 3.0, 0.0, 0.0, 1.0), ("cosine", 3.2, 0.2, 0.1, 0.01)]
    >>> raced = pd.DataFrame(rows, columns=["schedule", "result", "difference", "half_width", "p"])
    >>> print(as_markdown(raced.assign(workload=WORKLOADS[0].title, measure="error")).splitlines()[2])
    | linear decay | 3.00 % |
    """
    wide = shown(found)
    lines = [list(wide.columns), ["---"] * len(wide.columns), *wide.values.tolist()]
    return "\n".join(" ".join(f"| {cell}".rstrip() for cell in line) + " |" for line in lines)


if __name__ == "__main__":
    print(as_markdown(table()))
