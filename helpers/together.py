"""Trials of one network trained all at once on one device, where that is possible: for races on a GPU.

A small network keeps a GPU busy for a fraction of the time that it takes to start its kernels. A hundred of them,
stacked by ``torch.func.vmap`` (see `many`), cost little more than one. The results are those of `trial.run` up to
rounding, so they are filed under keys of their own.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence

import numpy as np

from .many import fit_many_torch
from .schedules import Schedule
from .trial import NETWORKS, Result, Trial, outcome, provenance

__all__ = ["batches_of", "run_together"]

AT_ONCE = 256  # runs that share a device's memory


def batches_of(trials: Sequence[Trial]) -> Iterator[list[Trial]]:
    """Split trials into groups to be trained at once: same task, length, images and seeds, at most `AT_ONCE` runs."""
    rows: dict[tuple[object, ...], list[Trial]] = {}
    for trial in trials:
        rows.setdefault((trial.task, trial.updates, trial.final, trial.source, _plan(trial)), []).append(trial)
    groups: dict[tuple[object, ...], list[list[Trial]]] = {}
    for (*same, _), row in rows.items():
        groups.setdefault((*same, tuple(sorted({trial.seed for trial in row}))), []).append(row)
    for group in groups.values():
        size = max(1, AT_ONCE // len(group[0]))
        for start in range(0, len(group), size):
            yield [trial for row in group[start : start + size] for trial in row]


def _plan(trial: Trial) -> str:
    return json.dumps(trial.schedule, sort_keys=True)


def run_together(trials: Sequence[Trial]) -> dict[str, Result]:
    """Train the trials of one group of `batches_of`, and return their results by key."""
    first = trials[0]
    dataset = first.data()
    plans = list({_plan(trial): trial.schedule for trial in trials}.values())
    seeds = sorted({trial.seed for trial in trials})
    made = fit_many_torch(
        lambda seed: NETWORKS[first.task.network][0](dataset.image_shape, seed=seed),
        dataset,
        np.stack([Schedule.from_dict(plan)(np.arange(first.updates)) for plan in plans]),
        seeds=seeds,
        batch_size=first.task.batch_size,
        momentum=first.task.momentum,
    )
    about = provenance(made, dataset.source, share=made.accuracies.size)
    results = {}
    for trial in trials:
        at = plans.index(trial.schedule), seeds.index(trial.seed)
        whole = np.isfinite(made.losses[at]).all() and math.isfinite(made.accuracies[at])
        found = {"accuracy": float(made.accuracies[at]), "loss": float(made.test_losses[at])}
        results[trial.key] = outcome(found if whole else None, about)
    return results
