"""One run of a race: what it is, exactly; how it is trained; where its result is kept.

>>> from helpers.schedules import linear
>>> trial = Trial(Task("digits", train=640, validation=128), "line", linear(0.1, 0.0, 5).to_dict(), updates=5, seed=0)
>>> sorted(run(trial))
['date', 'device', 'diverged', 'error', 'loss', 'seconds', 'source', 'versions']
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import itertools
import json
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, update_bn

from . import data, for_keras, for_torch, models, resnets, runtime, training
from .data import Dataset, DatasetError
from .recipe import PLAIN, Recipe
from .schedules import Schedule

if TYPE_CHECKING:
    from .many import ManyRuns

__all__ = ["Store", "Task", "Trial", "outcome", "provenance", "run"]

FORMAT = 2  # counts changes of how a trial is written down and trained: results of another format are not taken over
NETWORKS: dict[str, tuple[Any, Any]] = {  # in PyTorch, in Keras
    "mlp": (models.mlp_torch, models.mlp_keras),
    "cnn": (models.cnn_torch, models.cnn_keras),
    "resnet20": (resnets.resnet_torch, resnets.resnet_keras),
    "resnet9": (resnets.resnet9_torch, resnets.resnet9_keras),
    "resnet9 narrow": (  # 104 thousand weights: for a CPU
        functools.partial(resnets.resnet9_torch, widths=(8, 16, 32, 64), stem_stride=2),
        functools.partial(resnets.resnet9_keras, widths=(8, 16, 32, 64), stem_stride=2),
    ),
}

Result = dict[str, Any]
Trained = tuple[training.Run, dict[str, float] | None]  # what was found on the test set: None for a run that diverged


@dataclass(frozen=True)
class Task:
    """What is trained: data, network, batch size, optimizer, recipe. The same for every arm of a race.

    train, test: how many images, all by default. validation: so many of the training images (or, below 1, that part of
    them) are held out for tuning; they are trained on when the test set is used. network: a key of ``NETWORKS``.
    torch_rule: in Keras too, momentum and weight decay as PyTorch has them; Keras' own weight decay is another thing,
    and refused (``ValueError``).
    """

    dataset: str = "mnist"
    network: str = "mlp"
    train: int | None = None
    test: int | None = None
    validation: float = 0.1
    batch_size: int = 128
    momentum: float = 0.9
    nesterov: bool = False
    weight_decay: float = 0.0
    torch_rule: bool = False
    recipe: Recipe = PLAIN

    def __post_init__(self) -> None:
        if self.network not in NETWORKS:
            raise ValueError(f"unknown network {self.network!r}: choose from {', '.join(NETWORKS)}")

    def data(self, *, final: bool) -> Dataset:
        """The images of a run: with the test set when ``final``, else with held-out images in its place."""
        dataset = _load(self.dataset, self.train, self.test)
        held_out = self.validation if self.validation >= 1 else self.validation * len(dataset.x_train)
        return dataset if final else dataset.validation(round(held_out))

    def updates(self, epochs: float) -> int:
        """The updates of a budget in epochs of the tuning runs, which have fewer images."""
        images = len(self.data(final=False).x_train)
        return max(1, round(epochs * training.updates_per_epoch(images, self.batch_size)))


def _load(name: str, train: int | None, test: int | None) -> Dataset:
    return _load_once(name, train, test, _data_file(name))


@functools.lru_cache(maxsize=4)
def _load_once(name: str, train: int | None, test: int | None, file: tuple[Any, ...]) -> Dataset:
    dataset = data.load(name)
    return dataset.subset(train or len(dataset.x_train), test)


def _data_file(name: str) -> tuple[Any, ...]:
    """Tells one state of the data folder from another: a stand-in is not kept in memory once the real data is there."""
    path = data.folder() / f"{name}.npz"
    try:
        found = path.stat()
    except OSError:
        return (path,)
    return path, found.st_mtime_ns, found.st_size


@dataclass(frozen=True, eq=False)
class Trial:
    """One run, by everything that its result depends on. ``final`` runs are tested, the others validated.

    arm: a label for people; no part of the key, so renaming it trains nothing again. schedule: as data,
    ``Schedule.to_dict()``. tail: the part of the run at whose end weights are averaged, 0 for none. fresh: BatchNorm's
    statistics are recomputed before the test, as they always are for averaged weights. together: trained by
    `together.run_together`, with others at once. source: of the images that are really there, found when the trial is
    written down; a stand-in has another one than the data set that was asked for, and so another key.
    """

    task: Task
    arm: str
    schedule: dict[str, Any]
    updates: int
    seed: int
    framework: str = "torch"
    final: bool = False
    tail: float = 0.0
    fresh: bool = False
    together: bool = False
    source: str = field(init=False)

    def __post_init__(self) -> None:
        if self.together and not self.joinable:
            raise ValueError(
                "trained together are PyTorch runs of a network without BatchNorm, plain SGD, plain recipe"
            )
        if self.framework not in ("torch", "keras"):
            raise ValueError(f"framework must be 'torch' or 'keras', got {self.framework!r}")
        if (self.tail or self.fresh) and self.framework == "keras":
            raise ValueError("averaging the tail of a run, and fresh statistics, are done in PyTorch only")
        if self.task.weight_decay and self.framework == "keras" and not self.task.torch_rule:
            raise ValueError("weight decay in Keras is another rule than in PyTorch: ask for torch_rule=True")
        object.__setattr__(self, "source", self.task.data(final=self.final).source)

    def data(self) -> Dataset:
        """The images of this run. Raises ``DatasetError`` when they are no longer those that it was planned with."""
        dataset = self.task.data(final=self.final)
        _same_source(self.source, dataset.source)
        return dataset

    @property
    def joinable(self) -> bool:
        """Whether it can be trained together with others of its kind."""
        task = self.task
        plain = task.recipe == PLAIN and not (task.nesterov or task.weight_decay or self.tail or self.fresh)
        steady = Schedule.from_dict(self.schedule).momentum is None
        return plain and steady and task.network == "mlp" and self.framework == "torch"

    @property
    def specification(self) -> dict[str, Any]:
        """Plain data: what the result is filed under."""
        fields = dataclasses.asdict(self)
        del fields["arm"]
        return {"format": FORMAT, **fields}

    @classmethod
    def from_specification(cls, specification: dict[str, Any]) -> Trial:
        """The trial with this specification, without its label.

        Raises ``ValueError`` for another format, and ``DatasetError`` where other images are found than the
        specification names: in a worker process, say, whose machine does not have the data.
        """
        fields = dict(specification)
        written = fields.pop("format", None)
        if written != FORMAT:
            raise ValueError(f"a trial written in format {written}, this is format {FORMAT}")
        planned = fields.pop("source")
        task = {**fields["task"], "recipe": Recipe(**fields["task"]["recipe"])}
        trial = cls(**{**fields, "task": Task(**task), "arm": ""})
        _same_source(planned, trial.source)
        return trial

    @property
    def key(self) -> str:
        """A name for the specification, the same on every machine."""
        text = json.dumps(self.specification, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:24]


def _same_source(planned: str, found: str) -> None:
    if found != planned:
        raise DatasetError(
            f"a run that was planned on {planned!r} found {found!r}: results of different data are not mixed. "
            "Give every process the same data (COURSE_DATA) and start again; what is done is kept"
        )


class Store:
    """Results in a folder, one file a trial, each written whole or not at all. Without a folder: in memory."""

    def __init__(self, folder: Path | str | None = None) -> None:
        self.folder = None if folder is None else Path(folder)
        self._memory: dict[str, Result] = {}
        if self.folder is not None:
            self.folder.mkdir(parents=True, exist_ok=True)

    def get(self, trial: Trial) -> Result | None:
        """The result of ``trial``, or None. A file that holds no result of it is set aside, and None returned."""
        if trial.key in self._memory or self.folder is None:
            return self._memory.get(trial.key)
        path = self.folder / f"{trial.key}.json"
        try:
            kept = json.loads(path.read_text())
            if kept["specification"] != json.loads(json.dumps(trial.specification)):
                raise ValueError("another specification")
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError):
            path.replace(path.with_suffix(".broken"))
            return None
        return self._memory.setdefault(trial.key, kept["result"])

    def put(self, trial: Trial, result: Result) -> None:
        """Keep ``result``, in memory and, atomically, in the folder."""
        self._memory[trial.key] = result
        if self.folder is not None:
            path = self.folder / f"{trial.key}.json"
            part = path.with_name(f"{path.name}.{os.getpid()}.part")
            part.write_text(json.dumps({"specification": trial.specification, "result": result}, indent=1))
            os.replace(part, path)


def run(trial: Trial) -> Result:
    """Train as ``trial`` says, hold the run to its schedule, and return error (in %), loss and the run's provenance.

    error and loss are None for a run that diverged. One thread a run: many runs share a machine. Raises
    ``DatasetError`` when other images are found than the trial was planned with.
    """
    dataset = trial.data()
    with _one_thread():
        train = _run_torch if trial.framework == "torch" else _run_keras
        done, found = train(trial, dataset, Schedule.from_dict(trial.schedule))
    return outcome(found, provenance(done, dataset.source))


def outcome(found: dict[str, float] | None, about: dict[str, Any]) -> Result:
    """What is kept of a run: error in %, loss, whether it diverged (``found`` None, or its loss), its provenance."""
    if found is None or not math.isfinite(found["loss"]):
        return {"error": None, "loss": None, "diverged": True, **about}
    return {"error": 100 * (1 - found["accuracy"]), "loss": found["loss"], "diverged": False, **about}


def provenance(done: training.Run | ManyRuns, source: str, *, share: int = 1) -> dict[str, Any]:
    """Where a result comes from, said by the process that trained it, while it knows.

    Parameters
    ----------
    done : Run or ManyRuns
        Has the device, the versions, the seconds of training and the date of its beginning.
    source : str
        Of the images.
    share : int
        How many runs the seconds belong to: each gets its part of them.

    Returns
    -------
    dict
        source, device, versions ("numpy 2.4.6, torch 2.13.0"), seconds and date: plain data, one value a column.
    """
    return {
        "source": source,
        "device": runtime.describe(done.device),
        "versions": ", ".join(f"{name} {version}" for name, version in sorted(done.versions.items())),
        "seconds": round(done.seconds / share, 3),
        "date": done.date,
    }


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _tempo(trial: Trial) -> dict[str, Any]:
    task = trial.task
    return {"updates": trial.updates, "batch_size": task.batch_size, "seed": trial.seed, "recipe": task.recipe}


def _optimizer(task: Task) -> dict[str, Any]:
    return {"momentum": task.momentum, "nesterov": task.nesterov, "weight_decay": task.weight_decay}


def _run_torch(trial: Trial, dataset: Dataset, schedule: Schedule) -> Trained:
    model = NETWORKS[trial.task.network][0](dataset.image_shape, seed=trial.seed)
    # the schedule sets the rate before the first update
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0, **_optimizer(trial.task))
    for_torch.drive(optimizer, schedule)
    averaged = _average_the_tail(model, optimizer, trial)
    done = training.fit_torch(model, optimizer, dataset, evaluate=False, **_tempo(trial))
    training.assert_trace(done, schedule)
    if done.diverged:
        return done, None
    tested = model if averaged is None else averaged
    if averaged is not None or trial.fresh:
        _new_statistics(tested, dataset, trial)
    return done, training.evaluate_torch(tested, dataset, recipe=trial.task.recipe)


def _average_the_tail(model: nn.Module, optimizer: torch.optim.Optimizer, trial: Trial) -> AveragedModel | None:
    """A model that becomes the mean of the weights after each of the last updates."""
    if not trial.tail:
        return None
    averaged, made = AveragedModel(model.to(runtime.device())), [0]
    first = trial.updates - round(trial.tail * trial.updates)

    def note(*_: Any) -> None:
        made[0] += 1
        if made[0] > first:
            averaged.update_parameters(model)

    optimizer.register_step_post_hook(note)
    return averaged


def _new_statistics(model: nn.Module, dataset: Dataset, trial: Trial) -> None:
    """BatchNorm's statistics for the weights that ``model`` has now: those it kept belong to earlier ones."""
    feed = training.Feed(dataset, trial.task.recipe, trial.seed, runtime.device())
    order = training.batches(len(dataset.x_train), trial.task.batch_size, 1, trial.seed)
    few = itertools.islice(enumerate(order), 50)
    update_bn((feed(update, indices)[0].permute(0, 3, 1, 2) for update, indices in few), model)


def _run_keras(trial: Trial, dataset: Dataset, schedule: Schedule) -> Trained:
    task, options = trial.task, _optimizer(trial.task)
    with training.keras_precision(task.recipe):
        model = NETWORKS[task.network][1](dataset.image_shape, seed=trial.seed)
    if schedule.momentum:
        options["momentum"] = None  # the schedule's own
    optimizer = for_keras.SGD(schedule, steps=trial.updates, torch_rule=task.torch_rule, **options)
    done = training.fit_keras(model, optimizer, dataset, **_tempo(trial))
    training.assert_trace(done, schedule)
    return done, None if done.diverged else done.evaluations[-1]
