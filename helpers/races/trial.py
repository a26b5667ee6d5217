"""One run of a race as plain data: everything that its result depends on, and a name made of it.

>>> from helpers.schedules import linear
>>> trial = Trial(Task("digits", train=640, validation=128), linear(0.1, 0.0, 5), updates=5, seed=0)
>>> trial.source
"scikit-learn's handwritten digits (8x8, enlarged), 640 training and 360 test images, 128 training images held out"
>>> trial.key == Trial.from_specification(trial.specification).key
True
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

from .. import data, models, training
from ..data import Dataset, DatasetError
from ..recipe import PLAIN, Recipe
from ..schedules import Schedule

__all__ = ["Task", "Trial"]

FORMAT = 4  # counts changes of how a trial is written down and trained: results of another format are not taken over
TEST_WINDOWS = 1024  # of text


@dataclass(frozen=True)
class Task:
    """What is trained, the same for every arm of a race.

    Parameters
    ----------
    dataset : str
        As for `data.load`.
    network : str
        A key of ``models.NETWORKS``.
    train, test : int, optional
        How many images; all by default. Of text so many symbols to train on, and windows to test on.
    validation : float
        So many of the training images (or, below 1, that part of them) are held out for tuning. They are trained on
        when the test set is used.
    batch_size : int
        Images, or windows of text, of an update.
    momentum, nesterov, weight_decay
        Of SGD. A schedule's own momentum goes first.
    torch_rule : bool
        In Keras too, momentum and weight decay as PyTorch has them.
    recipe : Recipe
        Augmentation, label smoothing, precision.
    context : int, optional
        Of text: the symbols of a window. The next one is guessed at each of its places.
    optimizer : str
        "sgd", or "adamw": beta 1 is then the ``momentum``, and only matrices decay.
    beta_2 : float
        Of AdamW.
    clip_norm : float, optional
        The longest gradient of all weights together; longer ones are shortened to it.

    Raises
    ------
    ValueError
        For an unknown network or optimizer, and Nesterov's momentum in AdamW.
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
    context: int | None = None
    optimizer: str = "sgd"
    beta_2: float = 0.999
    clip_norm: float | None = None

    def __post_init__(self) -> None:
        if self.network not in models.NETWORKS:
            raise ValueError(f"unknown network {self.network!r}: choose from {', '.join(models.NETWORKS)}")
        if self.optimizer not in ("sgd", "adamw"):
            raise ValueError(f"optimizer must be 'sgd' or 'adamw', got {self.optimizer!r}")
        if self.optimizer == "adamw" and self.nesterov:
            raise ValueError("nesterov belongs to SGD: AdamW has none")

    @property
    def measure(self) -> str:
        """What runs are compared by: the "error" in % on images, the "loss" in nats a symbol on text."""
        return "error" if self.context is None else "loss"

    def data(self, *, final: bool) -> Dataset:
        """The images of a run: with the test set when ``final``, else with held-out images in its place."""
        dataset = _load(self.dataset, self.train, self.test if self.context is None else None)
        held_out = self.validation if self.validation >= 1 else self.validation * len(dataset.x_train)
        chosen = dataset if final else dataset.validation(round(held_out))
        if self.context is None:
            return chosen
        return chosen.windows(self.context, test=self.test or TEST_WINDOWS, every=True)

    def updates(self, epochs: float) -> int:
        """The updates of a budget in epochs of the tuning runs, which have fewer images.

        An epoch of text is as many symbols as there are: its windows overlap, and each symbol is in many of them.
        """
        examples = len(self.data(final=False).x_train) // (self.context or 1)
        return max(1, round(epochs * training.updates_per_epoch(examples, self.batch_size)))


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
    """One run, by everything that its result depends on.

    Parameters
    ----------
    task : Task
        What is trained.
    schedule : Schedule
        Of the learning rate, and of momentum when it carries one.
    updates : int
        The length of the run.
    seed : int
        Of the initial weights, the batches and the augmentation.
    framework : str
        "torch" or "keras".
    final : bool
        Tested on the test set; otherwise on the held-out images.
    tail : float
        The part of the run at whose end the weights are averaged, 0 for none.
    fresh : bool
        BatchNorm's statistics are recomputed before the test, as they always are for averaged weights.
    vmapped : bool
        Trained with others as one (`vmapped`): the same up to rounding, so filed apart.

    Attributes
    ----------
    source : str
        Of the images that are really there, found when the trial is made. A stand-in has another one than the data set
        that was asked for, and so another key.

    Raises
    ------
    ValueError
        For what the framework, or training as one, cannot do.
    """

    task: Task
    schedule: Schedule
    updates: int
    seed: int
    framework: str = "torch"
    final: bool = False
    tail: float = 0.0
    fresh: bool = False
    vmapped: bool = False
    source: str = field(init=False)

    def __post_init__(self) -> None:
        if self.framework not in ("torch", "keras"):
            raise ValueError(f"framework must be 'torch' or 'keras', got {self.framework!r}")
        if self.vmapped and not self.can_be_vmapped:
            raise ValueError("vmapped are PyTorch runs of a network without BatchNorm, plain SGD, plain recipe")
        if (self.tail or self.fresh) and self.framework == "keras":
            raise ValueError("averaging the tail of a run, and fresh statistics, are done in PyTorch only")
        if self.task.optimizer == "adamw" and self.framework == "keras":
            raise ValueError("races with AdamW are run in PyTorch only")
        if self.task.weight_decay and self.framework == "keras" and not self.task.torch_rule:
            raise ValueError("weight decay in Keras is another rule than in PyTorch: ask for torch_rule=True")
        object.__setattr__(self, "source", self.task.data(final=self.final).source)

    def data(self) -> Dataset:
        """The images of this run. Raises ``DatasetError`` when they are no longer those that it was planned with."""
        dataset = self.task.data(final=self.final)
        _same_source(self.source, dataset.source)
        return dataset

    @property
    def can_be_vmapped(self) -> bool:
        """Whether it can be trained as one with others of its kind."""
        task = self.task
        plain = task.recipe == PLAIN and not (task.nesterov or task.weight_decay or self.tail or self.fresh)
        plain = plain and task.optimizer == "sgd" and not (task.clip_norm or task.context)
        without_buffers = not models.NETWORKS[task.network].batch_norm
        return plain and without_buffers and self.schedule.momentum is None and self.framework == "torch"

    @property
    def specification(self) -> dict[str, Any]:
        """Plain data: what the result is filed under."""
        plain = {"task": dataclasses.asdict(self.task), "schedule": self.schedule.to_dict()}
        return {"format": FORMAT, **vars(self), **plain}

    @classmethod
    def from_specification(cls, specification: dict[str, Any]) -> Trial:
        """The trial with this specification.

        Raises ``ValueError`` for another format, and ``DatasetError`` where other images are found than the
        specification names: in a worker process, say, whose machine does not have the data.
        """
        fields = dict(specification)
        written = fields.pop("format", None)
        if written != FORMAT:
            raise ValueError(f"a trial written in format {written}, this is format {FORMAT}")
        planned = fields.pop("source")
        task = Task(**{**fields.pop("task"), "recipe": Recipe(**specification["task"]["recipe"])})
        trial = cls(task, Schedule.from_dict(fields.pop("schedule")), **fields)
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
