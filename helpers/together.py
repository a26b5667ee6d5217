"""Trials of one network made all at once on one device, where that is possible: for races on a GPU.

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
from .trial import NETWORKS, Result, Trial

__all__ = ["batches_of", "run_together"]

AT_ONCE = 256  # runs that share a device's memory


def batches_of(trials: Sequence[Trial]) -> Iterator[list[Trial]]:
    """Split trials into groups that can be made at once: same task, length and test set, at most `AT_ONCE` runs."""
    groups: dict[tuple[object, ...], dict[str, list[Trial]]] = {}
    for trial in trials:
        rows = groups.setdefault((trial.task, trial.updates, trial.final), {})
        rows.setdefault(json.dumps(trial.schedule, sort_keys=True), []).append(trial)
    for rows in groups.values():
        seeds = len({trial.seed for row in rows.values() for trial in row})
        size, kept = max(1, AT_ONCE // seeds), list(rows.values())
        for start in range(0, len(kept), size):
            yield [trial for row in kept[start : start + size] for trial in row]


def run_together(trials: Sequence[Trial]) -> dict[str, Result]:
    """Make the trials of one group of `batches_of`, and return their results by key."""
    first = trials[0]
    dataset = first.task.data(final=first.final)
    plans = list({json.dumps(trial.schedule, sort_keys=True): trial.schedule for trial in trials}.values())
    seeds = sorted({trial.seed for trial in trials})
    made = fit_many_torch(
        lambda seed: NETWORKS[first.task.network][0](dataset.image_shape, seed=seed),
        dataset,
        np.stack([Schedule.from_dict(plan)(np.arange(first.updates)) for plan in plans]),
        seeds=seeds,
        batch_size=first.task.batch_size,
        momentum=first.task.momentum,
    )
    results = {}
    for trial in trials:
        at = plans.index(trial.schedule), seeds.index(trial.seed)
        accuracy, loss = float(made.accuracies[at]), float(made.test_losses[at])
        diverged = not (math.isfinite(accuracy) and math.isfinite(loss) and np.isfinite(made.losses[at]).all())
        error = None if diverged else 100 * (1 - accuracy)
        results[trial.key] = {
            "error": error,
            "loss": None if diverged else loss,
            "diverged": diverged,
            "source": dataset.source,
        }
    return results
