"""What recording every update costs in Keras: a callback that reads after each batch, against notes in the step.

    KERAS_BACKEND=tensorflow python tests/benchmarks/bench_keras_recording.py [--updates 234] [--repeats 5]

Both train the same networks on the same batches, one after the other in every repeat. The first training of each is
left out: it pays for tracing. Reported are medians of seconds and the median of the ratios of a repeat.
"""

import argparse
import statistics
import time

import keras
import numpy as np

from helpers import data, models, training
from helpers import schedules as s
from helpers.for_keras import SGD

NETWORKS = {"MLP": models.mlp_keras, "CNN": models.cnn_keras}


class EveryBatch(keras.callbacks.Callback):
    """The usual way to record: look at loss, rate and momentum after each batch."""

    def on_train_begin(self, logs=None):
        self.rows = []

    def on_train_batch_begin(self, batch, logs=None):
        self.model.reset_metrics()

    def on_train_batch_end(self, batch, logs=None):
        used = self.model.optimizer.used()
        self.rows.append((float(logs["loss"]), used["learning_rate"], used["momentum"]))


def by_callback(model: keras.Model, dataset: data.Dataset, plan: s.Schedule, updates: int) -> None:
    recorder, loss = EveryBatch(), keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=SGD(plan), loss=loss, metrics=["accuracy"], jit_compile=False)
    order = np.concatenate(list(training.batches(len(dataset.x_train), 128, 2, 0)))[: updates * 128]
    mean, std = dataset.scaling()
    x = (dataset.x_train[order].astype(np.float32) - mean) / std
    model.fit(x, dataset.y_train[order], batch_size=128, shuffle=False, verbose=0, callbacks=[recorder])
    assert len(recorder.rows) == updates


def in_the_step(model: keras.Model, dataset: data.Dataset, plan: s.Schedule, updates: int) -> None:
    run = training.fit_keras(model, SGD(plan), dataset, updates=updates, evaluate=False)
    training.assert_trace(run, plan)


def seconds(train, build, dataset: data.Dataset, updates: int) -> float:
    model, plan = build(dataset.image_shape), s.one_cycle(0.1, updates)
    start = time.perf_counter()
    train(model, dataset, plan, updates)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--updates", type=int, default=234)
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    dataset = data.load("mnist")
    print(f"Keras {keras.__version__} on {keras.backend.backend()}, {given.updates} updates of 128, {dataset.source}")
    for name, build in NETWORKS.items():
        for train in (by_callback, in_the_step):
            seconds(train, build, dataset, 40)
        pairs = [
            tuple(seconds(train, build, dataset, given.updates) for train in (by_callback, in_the_step))
            for _ in range(given.repeats)
        ]
        slow, fast = (statistics.median(column) for column in zip(*pairs, strict=True))
        ratio = statistics.median(a / b for a, b in pairs)
        print(f"{name}: callback {slow:.2f} s, in the step {fast:.2f} s, ratio {ratio:.2f}")


if __name__ == "__main__":
    main()
