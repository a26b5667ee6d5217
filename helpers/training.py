"""Train in either framework and keep what really happened: `fit_torch` and `fit_keras` return a `Run`.

Both see the same batches in the same order, standardise the images in the same way, and drop the last, smaller batch,
so that every update is made with `batch_size` images. Divergence is a result (`run.diverged`), not a crash: the first
loss that is not finite is the run's last row, with the rate that was held for it.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import math
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, NotRequired, TypedDict

import keras
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional
from torch.optim.lr_scheduler import LRScheduler
from tqdm.auto import tqdm

from . import for_keras, runtime
from .data import Dataset
from .recipe import PLAIN, Recipe
from .schedules import Schedule, Trace, assert_used

__all__ = [
    "Evaluation",
    "Feed",
    "Run",
    "assert_trace",
    "batches",
    "evaluate_torch",
    "fit_keras",
    "fit_torch",
    "keras_precision",
    "trace",
    "updates_per_epoch",
]

EVALUATION_BATCH = 1000
STEPS_PER_EXECUTION = 20  # updates that Keras makes between two looks at the loss: a diverged run makes 19 too many
Stop = Callable[[list[float]], bool]  # takes the losses so far


class Evaluation(TypedDict):
    """Mean cross-entropy, and accuracy between 0 and 1, on the test set; in a `Run` after so many ``updates``."""

    loss: float
    accuracy: float
    updates: NotRequired[int]


@dataclass
class Run:
    """One training run as it really was. Row k of the traces belongs to update k, counted from 0.

    A run that diverged ends with its first loss that is not finite.

    Attributes
    ----------
    framework : str
        "PyTorch", or "Keras" with its backend: "Keras (jax)".
    source : str
        Of the images.
    seed : int
        Of the batches' order and the augmentation.
    batch_size : int
        Images of an update.
    updates_per_epoch : int
        In one pass over the training images.
    device : str
        "cuda", "mps" or "cpu"; "gpu" or "cpu" where Keras runs on TensorFlow or JAX.
    versions : dict
        Package -> version.
    learning_rates, momenta : list of float
        What the optimizer held, read back before each update (PyTorch) or noted inside the compiled step (Keras, with
        an optimizer of ``for_keras``); momentum is NaN where nothing reliable can be read.
    losses : list of float
        Of each batch, before its update.
    evaluations : list of Evaluation
        On the test set, each after so many ``updates``.
    seconds : float
        From the start of the run to its end, evaluations included.
    diverged : bool
        Whether a loss was not finite.
    date : str
        When the run began, ISO 8601 in UTC.
    """

    framework: str
    source: str
    seed: int
    batch_size: int
    updates_per_epoch: int
    device: str
    versions: dict[str, str]
    learning_rates: list[float] = field(default_factory=list)
    momenta: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    evaluations: list[Evaluation] = field(default_factory=list)
    seconds: float = 0.0
    diverged: bool = False
    date: str = ""

    @property
    def accuracy(self) -> float:
        """Test accuracy after the last update, between 0 and 1; NaN when the run diverged."""
        return math.nan if self.diverged or not self.evaluations else self.evaluations[-1]["accuracy"]

    @property
    def error(self) -> float:
        """Test error after the last update, in %; NaN when the run diverged."""
        return 100 * (1 - self.accuracy)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON; ``Run(**data)`` reads it back."""
        return asdict(self)


def updates_per_epoch(examples: int, batch_size: int) -> int:
    """Updates in one pass over the data when the last, smaller batch is dropped.

    Raises ``ValueError`` when not even one batch fits.

    >>> updates_per_epoch(60_000, 128)
    468
    """
    if batch_size < 1 or examples < batch_size:
        raise ValueError(f"a batch must hold 1 to {examples} of the {examples} examples, got batch_size={batch_size}")
    return examples // batch_size


def batches(examples: int, batch_size: int, epochs: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """Indices of every batch of a run, reshuffled each epoch, the same for both frameworks.

    Parameters
    ----------
    examples : int
        How many there are to draw from.
    batch_size : int
        How many make a batch; what is left at the end of an epoch is dropped.
    epochs : int
        Passes over the examples, at least 1.
    seed : int
        Of the order.

    Yields
    ------
    ndarray of int64, shape (batch_size,)
        The examples of an update.

    Raises
    ------
    ValueError
        When not even one batch fits, or ``epochs`` is below 1.

    Examples
    --------
    >>> [indices.tolist() for indices in batches(5, batch_size=2, epochs=1, seed=0)]
    [[2, 4], [3, 0]]
    """
    if epochs < 1:
        raise ValueError(f"epochs must be at least 1, got {epochs}")
    rng, count = np.random.default_rng(seed), updates_per_epoch(examples, batch_size)
    for _ in range(epochs):
        yield from rng.permutation(examples)[: count * batch_size].reshape(count, batch_size)


def _order(examples: int, batch_size: int, epochs: int, updates: int | None, seed: int) -> list[NDArray[np.int64]]:
    """Indices of every batch of a run of whole epochs, or of ``updates``."""
    if updates is None:
        return list(batches(examples, batch_size, epochs, seed))
    if updates < 1:
        raise ValueError(f"updates must be at least 1, got {updates}")
    enough = math.ceil(updates / updates_per_epoch(examples, batch_size))
    return list(itertools.islice(batches(examples, batch_size, enough, seed), updates))


def progress(total: int, label: str, *, unit: str = "update", done: int = 0) -> tqdm:
    """A progress bar for what takes more than two seconds; TQDM_DISABLE=1 silences it, also in notebooks.

    Parameters
    ----------
    total : int
        How many there are to do.
    label : str
        What stands before the bar.
    unit : str
        What is counted.
    done : int
        How many are done already.

    Returns
    -------
    tqdm
        A context manager; its ``update()`` counts one more.
    """
    silent = bool(os.environ.get("TQDM_DISABLE"))
    return tqdm(total=total, initial=done, desc=label, unit=unit, delay=2, leave=False, disable=silent)


# ---------------------------------------------------------------------------------------- PyTorch
def trace(attach: Callable[[torch.optim.Optimizer], Any], updates: int) -> list[tuple[float, float]]:
    """(learning rate, momentum) that a PyTorch optimizer holds at each of ``updates`` updates; nothing is trained.

    Parameters
    ----------
    attach : callable
        Takes the optimizer, attaches a scheduler and returns it. One that is not driven is stepped between updates.
    updates : int
        How many are made.

    Examples
    --------
    >>> from torch.optim.lr_scheduler import ExponentialLR
    >>> trace(lambda optimizer: ExponentialLR(optimizer, 0.5), 3)
    [(0.1, 0.9), (0.05, 0.9), (0.025, 0.9)]
    """
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1, momentum=0.9)
    scheduler, held = attach(optimizer), []
    for update in range(updates):
        held.append(_held(optimizer))
        optimizer.step()
        if update < updates - 1 and not getattr(scheduler, "driven", False):
            scheduler.step()
    return held


def fit_torch(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    dataset: Dataset,
    *,
    epochs: int = 1,
    updates: int | None = None,
    batch_size: int = 128,
    seed: int = 0,
    scheduler: LRScheduler | None = None,
    device: str | None = None,
    stop: Stop | None = None,
    evaluate: bool | int = True,
    recipe: Recipe = PLAIN,
) -> Run:
    """Train ``model`` on ``dataset`` and record the rates the optimizer held at every update.

    Give the optimizer its schedule with ``for_torch.drive`` before; or pass a torch ``scheduler`` here.

    Parameters
    ----------
    model : Module
        Takes images (batch, channels, height, width) or text (batch, context), returns logits. It is trained in place
        and left on ``device``.
    optimizer : Optimizer
        Of the model's parameters. The rates of its first parameter group are recorded.
    dataset : Dataset
        What is trained and tested on.
    epochs : int
        Passes over the training images.
    updates : int, optional
        In the place of epochs, for runs that are not whole epochs long.
    batch_size : int
        Images of an update.
    seed : int
        Of the batches' order and the augmentation.
    scheduler : LRScheduler, optional
        Stepped after every update.
    device : str, optional
        "cuda", "mps" or "cpu"; the best there is by default.
    stop : callable, optional
        Takes the losses so far, after every update, and returns whether to stop. A run that it ended is not evaluated
        then.
    evaluate : bool or int
        On the test set, after the last update and after each epoch, or after every so many updates.
    recipe : Recipe
        Augmentation, label smoothing (in ``losses`` too), precision.

    Returns
    -------
    Run
        Also when the run diverged: its last loss is then not finite, and no update was made with it.

    Raises
    ------
    ValueError
        For less than one epoch or update, a batch larger than the training set, and images too small for the recipe.
    """
    device = device or runtime.device()
    model.to(device).train()
    if recipe.channels_last:
        model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    feed, kind = Feed(dataset, recipe, seed, device), next(model.parameters()).dtype
    run = _start("PyTorch", dataset, batch_size, seed, device, torch=torch.__version__)
    order = _order(len(dataset.x_train), batch_size, epochs, updates, seed)
    period = run.updates_per_epoch if isinstance(evaluate, bool) else evaluate
    with progress(len(order), "PyTorch") as bar:
        for update, indices in enumerate(order):
            x, y = feed(update, indices)
            with _precision(recipe, device):
                logits = model(_as_torch_sees(x, kind)).flatten(0, -2)
                loss = functional.cross_entropy(logits, y.flatten(), label_smoothing=recipe.label_smoothing)
            rate, momentum = _held(optimizer)
            run.losses.append(loss.item())
            run.learning_rates.append(rate)
            run.momenta.append(momentum)
            if not math.isfinite(run.losses[-1]):
                run.diverged = True
                break
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if scheduler is not None:
                scheduler.step()
            bar.update()
            if stop is not None and stop(run.losses):
                break
            made = len(run.losses)
            if evaluate and (made % period == 0 or made == len(order)):
                found = evaluate_torch(model, dataset, device=device, recipe=recipe)
                run.evaluations.append({"updates": made, **found})
    return _finish(run)


def _as_torch_sees(x: torch.Tensor, kind: torch.dtype) -> torch.Tensor:
    """Images in a network's precision with their channels first; text as it is."""
    return x.permute(0, 3, 1, 2).to(kind) if x.ndim == 4 else x


def _held(optimizer: torch.optim.Optimizer) -> tuple[float, float]:
    group = optimizer.param_groups[0]
    momentum = group["momentum"] if "momentum" in group else group.get("betas", (math.nan,))[0]
    return float(group["lr"]), float(momentum)


def _precision(recipe: Recipe, device: str) -> torch.autocast:
    return torch.autocast(torch.device(device).type, torch.bfloat16, enabled=recipe.bfloat16)


class Feed:
    """The batches of a run as a network sees them: augmented, then standardised, in float32.

    Call it with the number of an update and the indices of its images, as `batches` gives them: it returns images of
    shape (batch, height, width, channels) and labels of shape (batch,). Text comes as it is.

    Parameters
    ----------
    dataset : Dataset
        The training images are used.
    recipe : Recipe
        Its augmentation.
    seed : int
        Of the augmentation.
    device : str, optional
        Where PyTorch's tensors are made; NumPy arrays by default.

    Examples
    --------
    >>> from helpers import data
    >>> images, labels = Feed(data.load("digits"), PLAIN, seed=0)(0, np.arange(4))
    >>> images.shape, images.dtype, labels.shape
    ((4, 28, 28, 1), dtype('float32'), (4,))
    """

    def __init__(self, dataset: Dataset, recipe: Recipe, seed: int, device: str | None = None) -> None:
        self.recipe, self.seed, self.standardise = recipe, seed, dataset.standardiser(device)
        self.fill = np.round(dataset.scaling()[0]).astype(np.uint8)
        self.x: Any = dataset.x_train
        self.y: Any = dataset.y_train
        if device is not None:
            self.x, self.y = (torch.from_numpy(part).to(device) for part in (self.x, self.y))

    def __call__(self, update: int, indices: NDArray[np.int64]) -> tuple[Any, Any]:
        chosen = indices if isinstance(self.x, np.ndarray) else torch.from_numpy(indices).to(self.x.device)
        raw = self.recipe.augment(self.x[chosen], seed=self.seed, update=update, fill=self.fill)
        return self.standardise(raw), self.y[chosen]


@torch.no_grad()
def evaluate_torch(
    model: nn.Module, dataset: Dataset, *, device: str | None = None, recipe: Recipe = PLAIN
) -> Evaluation:
    """Mean loss and accuracy on the test set, in evaluation mode; training mode is switched on again after it.

    Parameters
    ----------
    model : Module
        As in `fit_torch`; it is left on ``device``.
    dataset : Dataset
        Its test images are used.
    device : str, optional
        As in `fit_torch`.
    recipe : Recipe
        Only its precision counts: test images are not augmented, and their labels not smoothed.

    Returns
    -------
    Evaluation
        Accuracy between 0 and 1.
    """
    device = device or runtime.device()
    standardise, kind = dataset.standardiser(device), next(model.parameters()).dtype
    model.to(device).eval()
    correct = loss = 0.0
    for start in range(0, len(dataset.x_test), EVALUATION_BATCH):
        part = slice(start, start + EVALUATION_BATCH)
        labels = torch.from_numpy(dataset.y_test[part]).to(device)
        with _precision(recipe, device):
            x = standardise(torch.from_numpy(dataset.x_test[part]).to(device))
            logits = model(_as_torch_sees(x, kind)).flatten(0, -2)
            loss += functional.cross_entropy(logits, labels.flatten(), reduction="sum").item()
        correct += (logits.argmax(1) == labels.flatten()).sum().item()
    model.train()
    return {"loss": loss / dataset.y_test.size, "accuracy": correct / dataset.y_test.size}


# ------------------------------------------------------------------------------------------ Keras
def fit_keras(
    model: keras.Model,
    optimizer: keras.optimizers.Optimizer,
    dataset: Dataset,
    *,
    epochs: int = 1,
    updates: int | None = None,
    batch_size: int = 128,
    seed: int = 0,
    jit_compile: bool | str = False,
    callbacks: tuple[keras.callbacks.Callback, ...] = (),
    stop: Stop | None = None,
    evaluate: bool = True,
    reseed: bool = True,
    recipe: Recipe = PLAIN,
) -> Run:
    """Compile ``model`` with ``optimizer``, train it with ``model.fit`` and record what every update used.

    An optimizer of ``for_keras`` notes inside the compiled step what it uses, and so does a metric with the losses:
    nothing is read batch by batch, and several updates are made in one call (TensorFlow and JAX; on PyTorch, where
    Keras makes one at a time, losses are read as they come). Of any other optimizer ``for_keras.Watch`` sees the
    learning rate; momentum is NaN: the attribute may not be what the compiled step uses.

    Parameters
    ----------
    model : keras.Model
        Takes images (batch, height, width, channels), returns logits. It is trained in place. The precision is decided
        when a model is built, so build it inside ``keras_precision(recipe)``.
    optimizer : keras.optimizers.Optimizer
        With its schedule in it.
    dataset, epochs, batch_size, seed, recipe
        As in `fit_torch`.
    updates : int, optional
        In the place of epochs. The run is then evaluated once, at its end.
    jit_compile : bool or str
        As for ``model.compile``.
    callbacks : tuple of keras.callbacks.Callback
        Asked after every batch, which is slower, and before what is used is recorded.
    stop : callable, optional
        As in `fit_torch`, and slower too; but a run that it ended is evaluated.
    evaluate : bool
        On the test set, after each epoch.
    reseed : bool
        Set every random generator to ``seed`` first.

    Returns
    -------
    Run
        As from `fit_torch`.

    Raises
    ------
    ValueError
        For what `fit_torch` refuses, a model built in another precision than the recipe's, and, where losses are noted
        inside the step, a model that adds losses of its own while it is called.
    """
    if recipe.bfloat16 and model.layers[-1].compute_dtype != "bfloat16":
        raise ValueError("the model computes in another precision: build it inside training.keras_precision(recipe)")
    if reseed:
        keras.utils.set_random_seed(seed)
    backend, loss = keras.backend.backend(), _loss(recipe)
    order = _order(len(dataset.x_train), batch_size, epochs, updates, seed)
    per_epoch = len(order) // (1 if updates is not None else epochs)
    run = _start(f"Keras ({backend})", dataset, batch_size, seed, _keras_device(), keras=keras.__version__)
    run.versions[backend] = runtime.version(backend)
    train = _Batches(Feed(dataset, recipe, seed, runtime.device() if backend == "torch" else None), order, per_epoch)
    with progress(len(order), "Keras") as bar, _traced_once():
        watch, to = for_keras.Watch(), (run, train, dataset if evaluate else None, bar)
        # Keras on PyTorch makes one update at a time: there is nothing to gain, and a second loss would be computed
        each_batch = stop is not None or backend == "torch" or _rows_are_not_batches(model, optimizer)
        recorder = _PerUpdate(*to, stop) if each_batch else _InStep(*to, _LossOfEach(loss, per_epoch))
        metrics: list[Any] = ["accuracy", *recorder.metrics]
        if recipe.label_smoothing:  # the test set is judged without it, in both frameworks
            metrics.append(keras.metrics.SparseCategoricalCrossentropy(from_logits=True, name="cross_entropy"))
        alone = each_batch or bool(callbacks)  # which have to be asked after each update
        at_once = {"steps_per_execution": 1 if alone else min(STEPS_PER_EXECUTION, per_epoch)}
        model.compile(optimizer=optimizer, loss=loss, metrics=metrics, jit_compile=jit_compile, **at_once)
        # ours last: they see what the others have assigned
        every = [*callbacks, watch, recorder]
        model.fit(train, epochs=len(order) // per_epoch, shuffle=False, verbose=0, callbacks=every)
    # leave a model that anybody can save, copy and evaluate: without the metric that only records
    model.compile(optimizer=model.optimizer, loss=loss, metrics=["accuracy"], jit_compile=jit_compile)
    _take_over(run, watch.trace().groups[0], optimizer)
    return _finish(run)


@contextlib.contextmanager
def _traced_once() -> Iterator[None]:
    """Without TensorFlow's warning that functions are traced often: each run here has a new model, traced once."""

    def is_other(record: logging.LogRecord) -> bool:
        return "triggered tf.function retracing" not in record.getMessage()

    logger = logging.getLogger("tensorflow")
    logger.addFilter(is_other)
    try:
        yield
    finally:
        logger.removeFilter(is_other)


def _rows_are_not_batches(model: keras.Model, optimizer: Any) -> bool:
    """Whether some batches make no update, or the loss is more than what the metric computes: look at each batch."""
    skips = isinstance(optimizer, keras.optimizers.LossScaleOptimizer) or model.dtype_policy.name == "mixed_float16"
    return bool(skips or optimizer.gradient_accumulation_steps or model.losses)


def _take_over(run: Run, used: dict[str, list[float]], optimizer: Any) -> None:
    """Write what was used into ``run``, one row for each loss; NaN for what could not be seen."""
    unknown = [math.nan] * len(run.losses)
    run.learning_rates = used.get("lr", unknown)[: len(run.losses)]
    run.momenta = used.get("momentum", unknown)[: len(run.losses)]
    if len(run.learning_rates) < len(run.losses):  # the last loss was not finite, and no update was made with it
        run.learning_rates.append(float(keras.ops.convert_to_numpy(optimizer.learning_rate)))
        run.momenta.append(math.nan)


def _keras_device() -> str:
    if keras.backend.backend() == "torch":
        return runtime.device()
    return "gpu" if any("gpu" in name.lower() for name in keras.distribution.list_devices()) else "cpu"


@contextlib.contextmanager
def keras_precision(recipe: Recipe) -> Iterator[None]:
    """Keras models built inside compute in the precision of ``recipe``."""
    before = keras.config.dtype_policy()
    try:
        if recipe.bfloat16:
            keras.config.set_dtype_policy("mixed_bfloat16")
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _loss(recipe: Recipe) -> keras.losses.Loss:
    if recipe.label_smoothing:
        return _SmoothedCrossEntropy(recipe.label_smoothing)
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


@keras.saving.register_keras_serializable(package="learning_rate_schedules")
class _SmoothedCrossEntropy(keras.losses.Loss):
    """Cross-entropy with a part of the target spread over all classes; Keras has that for one-hot labels only."""

    def __init__(self, smoothing: float, name: str = "smoothed_cross_entropy", **options: Any) -> None:
        super().__init__(name=name, **options)  # Keras' own choice begins with "_", which TensorFlow refuses
        self.smoothing = smoothing

    def call(self, labels: Any, logits: Any) -> Any:
        sharp = keras.ops.sparse_categorical_crossentropy(labels, logits, from_logits=True)
        return (1 - self.smoothing) * sharp - self.smoothing * keras.ops.mean(keras.ops.log_softmax(logits), axis=-1)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "smoothing": self.smoothing}


class _Batches(keras.utils.PyDataset):
    """The batches of a feed in their order, epoch by epoch."""

    def __init__(self, feed: Feed, order: list[NDArray[np.int64]], per_epoch: int) -> None:
        super().__init__()
        self.feed, self.order, self.per_epoch, self.start = feed, order, per_epoch, 0

    def __len__(self) -> int:
        return self.per_epoch

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        return self.feed(self.start + index, self.order[self.start + index])


class _LossOfEach(keras.metrics.Metric):
    """The loss of every batch since the last reset, written down inside the compiled step."""

    def __init__(self, loss: keras.losses.Loss, length: int) -> None:
        super().__init__(name="loss_of_each")
        self.loss = loss
        self.values = self.add_variable((length,), initializer="zeros", name="losses")
        self.seen = self.add_variable((), initializer="zeros", dtype="int32", name="seen")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        loss = keras.ops.cast(self.loss(y_true, y_pred), self.dtype)
        place = self.seen % self.values.shape[0]  # a test set may have more batches; it does not matter what it writes
        here = keras.ops.reshape(place, (1, 1))
        self.values.assign(keras.ops.scatter_update(self.values, here, keras.ops.reshape(loss, (1,))))
        self.seen.assign(self.seen + 1)

    def result(self) -> Any:
        return self.values[0]  # Keras wants a number; nobody reads it

    def read(self) -> list[float]:
        seen = int(keras.ops.convert_to_numpy(self.seen))
        return keras.ops.convert_to_numpy(self.values)[:seen].tolist()


class _Recorder(keras.callbacks.Callback):
    """Writes the losses, and the test metrics after each epoch, into a run; the two below differ in the losses."""

    metrics: tuple[keras.metrics.Metric, ...] = ()

    def __init__(self, run: Run, train: _Batches, dataset: Dataset | None, bar: tqdm) -> None:
        super().__init__()
        self.run, self.train, self.bar, self.dataset = run, train, bar, dataset
        if dataset is not None:
            self.x_test, self.y_test = dataset.standardiser()(dataset.x_test), dataset.y_test

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.train.start = epoch * self.train.per_epoch

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.bar.update(min(self.train.start + batch + 1, self.bar.total) - self.bar.n)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if self.dataset is not None and not self.run.diverged:
            found = self.model.evaluate(
                self.x_test, self.y_test, batch_size=EVALUATION_BATCH, verbose=0, return_dict=True
            )
            loss, accuracy = found.get("cross_entropy", found["loss"]), found["accuracy"]
            self.run.evaluations.append({"updates": len(self.run.losses), "loss": loss, "accuracy": accuracy})


class _InStep(_Recorder):
    """Every batch makes an update, and its loss was written down in the step: fetched once an epoch."""

    def __init__(self, run: Run, train: _Batches, dataset: Dataset | None, bar: tqdm, each: _LossOfEach) -> None:
        super().__init__(run, train, dataset, bar)
        self.each, self.metrics = each, (each,)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        super().on_train_batch_end(batch, logs)
        if not math.isfinite(logs["loss"]):  # the mean since the epoch began: one bad loss is enough
            self.model.stop_training = True

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        losses = self.each.read()
        bad = np.flatnonzero(~np.isfinite(losses))
        self.run.diverged = bool(bad.size)
        self.run.losses += losses[: bad[0] + 1] if bad.size else losses
        if not bad.size and not math.isclose(np.mean(losses), logs["loss"], rel_tol=1e-3, abs_tol=1e-6):
            raise ValueError("this model adds losses of its own while it is called; only the loss given is recorded")
        super().on_epoch_end(epoch, logs)


class _PerUpdate(_Recorder):
    """Looks at the loss after every batch, and keeps it when an update was made; asks whether to stop."""

    def __init__(self, run: Run, train: _Batches, dataset: Dataset | None, bar: tqdm, stop: Stop | None) -> None:
        super().__init__(run, train, dataset, bar)
        self.stop = stop

    def on_train_begin(self, logs: Any = None) -> None:
        self.made = self._count()

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        self.model.reset_metrics()  # Keras reports the mean since the last reset: make that this batch

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        super().on_train_batch_end(batch, logs)
        before, self.made = self.made, self._count()
        self.run.diverged = not math.isfinite(logs["loss"])
        if self.made == before and not self.run.diverged:
            return  # no update was made: gradients are accumulated, or an overflow was skipped
        self.run.losses.append(logs["loss"])
        if self.run.diverged or (self.stop is not None and self.stop(self.run.losses)):
            self.model.stop_training = True

    def _count(self) -> int:
        if keras.backend.backend() == "jax":
            self.model.jax_state_sync()
        return int(keras.ops.convert_to_numpy(self.model.optimizer.iterations))


# ------------------------------------------------------------------------------------------- both
def _start(framework: str, dataset: Dataset, batch_size: int, seed: int, device: str, **versions: str) -> Run:
    return Run(
        framework=framework,
        source=dataset.source,
        seed=seed,
        batch_size=batch_size,
        updates_per_epoch=updates_per_epoch(len(dataset.x_train), batch_size),
        device=device,
        versions={"numpy": np.__version__, **versions},
        date=runtime.now(),
        seconds=-time.perf_counter(),
    )


def _finish(run: Run) -> Run:
    run.seconds += time.perf_counter()
    return run


def assert_trace(run: Run, schedule: Schedule, *, partial: bool = False) -> None:
    """Raise ``AssertionError`` unless every update of ``run`` used the schedule: `schedules.assert_used` on a run.

    Parameters
    ----------
    run : Run
        A run that diverged need not have the schedule's length.
    schedule : Schedule
        What was meant; momentum is compared when it carries one.
    partial : bool
        Do not compare lengths: for a run that was stopped on purpose.

    Examples
    --------
    >>> from helpers.schedules import constant, linear
    >>> run = Run("PyTorch", "no data", 0, 1, 2, "cpu", {}, learning_rates=[0.1, 0.1, 0.1, 0.1])
    >>> assert_trace(run, constant(0.1))
    >>> assert_trace(run, linear(0.1, 0.0, steps=4))
    Traceback (most recent call last):
        ...
    AssertionError: update 1 used learning rate 0.1, the schedule says 0.075. It never moved: all 4 updates used 0.1.
    """
    group, unseen = {"lr": run.learning_rates}, {}
    if run.momenta and not np.isnan(run.momenta).any():
        group["momentum"] = run.momenta
    else:
        unseen["momentum"] = "momentum was not recorded: use an optimizer of for_keras, which records what it uses"
    assert_used(Trace([group], unseen), schedule, partial=partial or run.diverged)
