"""One trial, trained: in PyTorch or in Keras, held to its schedule, and tested once."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, update_bn

from .. import for_keras, for_torch, runtime, training
from ..data import Dataset
from ..models import NETWORKS
from ..training import Evaluation
from .results import Result
from .trial import Task, Trial

__all__ = ["run"]

Trained = tuple[training.Run, Evaluation | None]  # what was found on the test set: None for a run that diverged


def run(trial: Trial) -> Result:
    """Train as ``trial`` says, hold the run to its schedule, and return what it gave.

    One thread a run: many runs share a machine. Raises ``DatasetError`` when other images are found than the trial was
    planned with.

    >>> from helpers.schedules import linear
    >>> found = run(Trial(Task("digits", train=640, validation=128), linear(0.1, 0.0, 5), updates=5, seed=0))
    >>> found.diverged, 0 < found.error < 100
    (False, True)
    """
    dataset = trial.data()
    train = _run_torch if trial.framework == "torch" else _run_keras
    with _one_thread():
        done, found = train(trial, dataset)
    return Result.of(done, found)


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _options(trial: Trial) -> dict[str, Any]:
    task = trial.task
    return {"updates": trial.updates, "batch_size": task.batch_size, "seed": trial.seed, "recipe": task.recipe}


def _sgd(task: Task) -> dict[str, Any]:
    return {"momentum": task.momentum, "nesterov": task.nesterov, "weight_decay": task.weight_decay}


def _run_torch(trial: Trial, dataset: Dataset) -> Trained:
    model = NETWORKS[trial.task.network].torch(dataset.x_train.shape[1:], seed=trial.seed)
    optimizer = _optimizer(trial.task, model)
    for_torch.drive(optimizer, trial.schedule)
    averaged = _average_the_tail(model, optimizer, trial)
    done = training.fit_torch(model, optimizer, dataset, evaluate=False, **_options(trial))
    training.assert_trace(done, trial.schedule)
    if done.diverged:
        return done, None
    tested = model if averaged is None else averaged
    if averaged is not None or trial.fresh:
        _recompute_statistics(tested, dataset, trial)
    return done, training.evaluate_torch(tested, dataset, recipe=trial.task.recipe)


def _optimizer(task: Task, model: nn.Module) -> torch.optim.Optimizer:
    """What trains ``model``; a schedule sets its rate before the first update."""
    weights = list(model.parameters())
    optimizer = _adamw(task, weights) if task.optimizer == "adamw" else torch.optim.SGD(weights, lr=1.0, **_sgd(task))
    longest = task.clip_norm
    if longest is not None:

        def clip(*_: Any) -> None:
            nn.utils.clip_grad_norm_(weights, longest)

        optimizer.register_step_pre_hook(clip)
    return optimizer


def _adamw(task: Task, weights: list[nn.Parameter]) -> torch.optim.Optimizer:
    """Matrices decay; biases and the scales of normalisations do not."""
    groups: list[dict[str, Any]] = [
        {"params": [weight for weight in weights if weight.ndim > 1]},
        {"params": [weight for weight in weights if weight.ndim < 2], "weight_decay": 0.0},
    ]
    betas = (task.momentum, task.beta_2)
    return torch.optim.AdamW(groups, lr=1.0, betas=betas, weight_decay=task.weight_decay, fused=True)


def _average_the_tail(model: nn.Module, optimizer: torch.optim.Optimizer, trial: Trial) -> AveragedModel | None:
    """A model that becomes the mean of the weights after each of the last updates."""
    if not trial.tail:
        return None
    averaged, updates = AveragedModel(model.to(runtime.device())), itertools.count(1)
    first = trial.updates - round(trial.tail * trial.updates)

    def add(*_: Any) -> None:
        if next(updates) > first:
            averaged.update_parameters(model)

    optimizer.register_step_post_hook(add)
    return averaged


def _recompute_statistics(model: nn.Module, dataset: Dataset, trial: Trial) -> None:
    """BatchNorm's statistics for the weights that ``model`` has now: those it kept belong to earlier ones."""
    feed = training.Feed(dataset, trial.task.recipe, trial.seed, runtime.device())
    order = training.batches(len(dataset.x_train), trial.task.batch_size, 1, trial.seed)
    few = itertools.islice(enumerate(order), 50)
    update_bn((feed(update, indices)[0].permute(0, 3, 1, 2) for update, indices in few), model)


def _run_keras(trial: Trial, dataset: Dataset) -> Trained:
    task, sgd = trial.task, _sgd(trial.task)
    with training.keras_precision(task.recipe):
        model = NETWORKS[task.network].keras(dataset.x_train.shape[1:], seed=trial.seed)
    if trial.schedule.momentum:
        sgd["momentum"] = None  # the schedule's own
    optimizer = for_keras.SGD(trial.schedule, steps=trial.updates, torch_rule=task.torch_rule, **sgd)
    done = training.fit_keras(model, optimizer, dataset, **_options(trial))
    training.assert_trace(done, trial.schedule)
    return done, None if done.diverged else done.evaluations[-1]
