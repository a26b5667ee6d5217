"""Every trial that the store does not have: trained here, spread over processes, or as one; stored as it arrives."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import Any

import joblib

from .. import training
from . import vmapped, worker
from .results import Result
from .store import Store
from .trial import Trial

__all__ = ["run_all"]


def run_all(trials: Iterable[Trial], store: Store, jobs: int | None = None, label: str = "") -> dict[str, Result]:
    """Train every trial that ``store`` does not have, in parallel, and return the results by key.

    Each result is stored as soon as it arrives: whoever is interrupted loses the runs in flight, and no other. Trials
    to be vmapped come first, in this process.

    Parameters
    ----------
    trials : iterable of Trial
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
    wanted = {trial.key: trial for trial in trials}
    done = {key: result for key, trial in wanted.items() if (result := store.get(trial)) is not None}
    missing = [trial for key, trial in wanted.items() if key not in done]
    stacks = vmapped.stacks([trial for trial in missing if trial.vmapped])
    calls = [joblib.delayed(worker.run)(trial.specification) for trial in missing if not trial.vmapped]
    as_one = itertools.chain.from_iterable(vmapped.run(stack).items() for stack in stacks)
    apart = ((key, Result.from_dict(plain)) for key, plain in _as_they_come(calls, jobs))
    with training.progress(len(wanted), label, unit="run", done=len(done)) as bar:
        for key, result in itertools.chain(as_one, apart):
            store.put(wanted[key], result)
            done[key] = result
            bar.update()
    return done


def _as_they_come(calls: list[Any], jobs: int | None) -> Iterator[tuple[str, dict[str, Any]]]:
    try:
        parallel = joblib.Parallel(n_jobs=jobs, return_as="generator_unordered")
    except ValueError:  # a backend that gives back whole lists, as Ray's does: ask it for one round at a time
        size = max(1, joblib.effective_n_jobs(jobs))
        with joblib.Parallel(n_jobs=jobs) as parallel:
            for start in range(0, len(calls), size):
                yield from parallel(calls[start : start + size])
    else:
        yield from parallel(calls)
