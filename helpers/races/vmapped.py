"""Many small runs of one network trained as one, by ``torch.func.vmap``: one for each row of rates and each seed.

A small network keeps a GPU busy for a fraction of the time that it takes to start its kernels. A hundred of them,
stacked, cost little more than one. `fit_vmapped` is for rankings and grids; `stacks` and `run` do it for the trials of
a race. Results are those of `training.fit_torch` and `single.run` up to rounding.
"""

from __future__ import annotations

import copy
import itertools
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn
from torch.func import functional_call, grad_and_value, stack_module_state, vmap
from torch.nn import functional

from .. import runtime
from ..data import Dataset
from ..models import NETWORKS
from ..training import Evaluation, batches, updates_per_epoch
from .results import Result
from .trial import Trial

__all__ = ["VmappedRuns", "fit_vmapped", "run", "stacks"]

MOST = 256  # runs that share a device's memory
Weights = dict[str, Tensor]


@dataclass(frozen=True, eq=False)
class VmappedRuns:
    """What R rows of rates with S seeds each gave. A run that diverged holds NaN from there on.

    Attributes
    ----------
    losses, gradient_norms : arrays of shape (R, S, T)
        Of each batch before its update.
    accuracies, test_losses : arrays of shape (R, S)
        On the test set after the last update; accuracies between 0 and 1.
    at : array of shape (E,)
        After how many updates the test set was looked at.
    curves : array of shape (R, S, E)
        The losses on it.
    source, device, versions, seconds, date
        As in a `training.Run`; the seconds are those of all runs.
    """

    losses: NDArray[np.float64]
    gradient_norms: NDArray[np.float64]
    accuracies: NDArray[np.float64]
    test_losses: NDArray[np.float64]
    curves: NDArray[np.float64]
    at: NDArray[np.int64]
    source: str
    device: str
    versions: dict[str, str]
    seconds: float
    date: str

    @property
    def errors(self) -> NDArray[np.float64]:
        """Test errors in %, (R, S); a run that diverged counts as 100."""
        return 100 * (1 - np.nan_to_num(self.accuracies))


def fit_vmapped(
    build: Callable[[int], nn.Module],
    dataset: Dataset,
    rates: ArrayLike,
    *,
    seeds: Sequence[int],
    batch_size: int = 128,
    momentum: float = 0.0,
    evaluate: int | None = None,
) -> VmappedRuns:
    """Train ``build(seed)`` with SGD for every row of ``rates`` and every seed, as one.

    Runs of one seed share initial weights and batches, those of `training.fit_torch` with that seed, which gives the
    same losses one run at a time.

    Parameters
    ----------
    build : callable
        Takes a seed, returns the network.
    dataset : Dataset
        The images; or windows of text, each with one symbol that comes next.
    rates : array_like, shape (R, T)
        The learning rate of each update; R of them.
    seeds : sequence of int
        S of them: each row is trained with every one.
    batch_size : int
        Images of an update.
    momentum : float
        The same for all runs and updates.
    evaluate : int, optional
        On the test set after every so many updates, and after the last; after the last only by default.

    Returns
    -------
    VmappedRuns
        Losses, gradient norms, accuracies, and where they were computed.

    Raises
    ------
    ValueError
        For rates that are negative or not finite, an ``evaluate`` below 1, and for networks with BatchNorm, whose
        statistics are not weights.
    """
    date, begin = runtime.now(), time.perf_counter()
    lr = np.asarray(rates, dtype=np.float64)
    if lr.ndim != 2 or lr.size == 0 or not np.isfinite(lr).all() or lr.min() < 0:
        raise ValueError("rates: rows of finite learning rates, at least 0, one for each update")
    if evaluate is not None and evaluate < 1:
        raise ValueError(f"evaluate: after every so many updates, at least 1, got {evaluate}")
    device = runtime.device()
    models = [build(seed) for seed in seeds]
    stacked, buffers = stack_module_state(models)
    if buffers:
        raise ValueError(f"a network with buffers ({next(iter(buffers))}) cannot be vmapped")
    weights = {name: part.detach().to(device)[None].repeat(len(lr), *[1] * part.ndim) for name, part in stacked.items()}
    skeleton = copy.deepcopy(models[0]).to("meta")
    images = _Images(dataset, device)

    def loss(weights: Weights, x: Tensor, y: Tensor) -> Tensor:
        return functional.cross_entropy(functional_call(skeleton, weights, (x,)), y)

    slopes = vmap(vmap(grad_and_value(loss)), in_dims=(0, None, None))
    velocity = {name: torch.zeros_like(part) for name, part in weights.items()}
    losses, norms, curves, at = [], [], [], []
    for k, indices in enumerate(_batches_of_all(len(dataset.x_train), batch_size, lr.shape[1], seeds)):
        gradient, value = slopes(weights, *images.train(indices))
        losses.append(value.double().cpu().numpy())
        each = [torch.linalg.vector_norm(part.flatten(2), dim=2) for part in gradient.values()]
        norms.append(torch.linalg.vector_norm(torch.stack(each), dim=0).double().cpu().numpy())
        rate = torch.as_tensor(lr[:, k], dtype=torch.float32, device=device)
        for name, part in weights.items():
            step = velocity[name].mul_(momentum).add_(gradient[name]) if momentum else gradient[name]
            part.addcmul_(rate.reshape(-1, *[1] * (part.ndim - 1)), step, value=-1)
        made = k + 1
        if made == lr.shape[1] or (evaluate and made % evaluate == 0):
            accuracies, test_losses = _tested(skeleton, weights, images)
            curves.append(test_losses)
            at.append(made)
    seconds = time.perf_counter() - begin
    return VmappedRuns(
        losses=np.stack(losses, axis=-1),
        gradient_norms=np.stack(norms, axis=-1),
        accuracies=accuracies,
        test_losses=test_losses,
        curves=np.stack(curves, axis=-1),
        at=np.array(at),
        source=dataset.source,
        device=device,
        versions={"numpy": np.__version__, "torch": torch.__version__},
        seconds=seconds,
        date=date,
    )


class _Images:
    """A dataset as standardised tensors, images with their channels first."""

    def __init__(self, dataset: Dataset, device: str) -> None:
        self.standardise = dataset.standardiser(device)
        self.x, self.y = torch.from_numpy(dataset.x_train).to(device), torch.from_numpy(dataset.y_train).to(device)
        self.x_test, self.y_test = torch.from_numpy(dataset.x_test).to(device), torch.from_numpy(dataset.y_test)

    def scaled(self, raw: Tensor) -> Tensor:
        scaled = self.standardise(raw)
        return scaled.movedim(-1, -3) if self.x.ndim == 4 else scaled

    def train(self, indices: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        chosen = torch.from_numpy(indices).to(self.x.device)
        return self.scaled(self.x[chosen]), self.y[chosen]


def _batches_of_all(
    examples: int, batch_size: int, updates: int, seeds: Sequence[int]
) -> itertools.islice[NDArray[np.int64]]:
    """For each update the indices of every seed's batch, (S, batch_size)."""
    epochs = math.ceil(updates / updates_per_epoch(examples, batch_size))
    orders = zip(*(batches(examples, batch_size, epochs, seed) for seed in seeds), strict=True)
    return itertools.islice((np.stack(order) for order in orders), updates)


@torch.no_grad()
def _tested(skeleton: nn.Module, weights: Weights, images: _Images, part: int = 1000) -> list[NDArray[np.float64]]:
    """Accuracy and mean loss of every run on the test set; NaN where the weights are not finite."""
    predict = vmap(vmap(lambda w, x: functional_call(skeleton, w, (x,)), in_dims=(0, None)), in_dims=(0, None))
    correct, loss = torch.tensor(0.0), torch.tensor(0.0)
    for start in range(0, len(images.x_test), part):
        logits = predict(weights, images.scaled(images.x_test[start : start + part])).cpu()
        labels = images.y_test[start : start + part].expand(logits.shape[:-1])
        correct = correct + (logits.argmax(-1) == labels).double().sum(-1)
        each = functional.cross_entropy(logits.flatten(0, -2), labels.flatten(), reduction="none")
        loss = loss + each.reshape(labels.shape).double().sum(-1)
    broken = torch.stack([(~torch.isfinite(w)).flatten(2).any(2) for w in weights.values()]).any(0).cpu()
    means = [total / len(images.x_test) for total in (correct, loss)]
    return [torch.where(broken, math.nan, mean).numpy() for mean in means]


# -------------------------------------------------------------------------------------- of a race
def stacks(trials: Sequence[Trial]) -> Iterator[list[Trial]]:
    """Split trials into groups that can be trained as one: same task, length, images and seeds, at most ``MOST``."""
    rows: dict[tuple[object, ...], list[Trial]] = {}
    for trial in trials:
        rows.setdefault((trial.task, trial.updates, trial.final, trial.source, trial.schedule), []).append(trial)
    groups: dict[tuple[object, ...], list[list[Trial]]] = {}
    for (*same, _), row in rows.items():
        groups.setdefault((*same, tuple(sorted({trial.seed for trial in row}))), []).append(row)
    for group in groups.values():
        size = max(1, MOST // len(group[0]))
        for start in range(0, len(group), size):
            yield [trial for row in group[start : start + size] for trial in row]


def run(stack: Sequence[Trial]) -> dict[str, Result]:
    """Train the trials of one of the `stacks`, and return their results by key."""
    first = stack[0]
    dataset, network = first.data(), NETWORKS[first.task.network]
    schedules = list(dict.fromkeys(trial.schedule for trial in stack))
    seeds = sorted({trial.seed for trial in stack})
    done = fit_vmapped(
        lambda seed: network.torch(dataset.x_train.shape[1:], seed=seed),
        dataset,
        [schedule(np.arange(first.updates)) for schedule in schedules],
        seeds=seeds,
        batch_size=first.task.batch_size,
        momentum=first.task.momentum,
    )
    results = {}
    for trial in stack:
        at = schedules.index(trial.schedule), seeds.index(trial.seed)
        whole = np.isfinite(done.losses[at]).all() and math.isfinite(done.accuracies[at])
        found: Evaluation = {"accuracy": float(done.accuracies[at]), "loss": float(done.test_losses[at])}
        results[trial.key] = Result.of(done, found if whole else None, share=done.accuracies.size)
    return results
