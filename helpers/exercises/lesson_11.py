"""Lesson 11, deciding later: branches counted, a warmup's share, an average in PyTorch, the mean of everything."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .kinds import Exercise, Function, Mistake, Numbers
from .native import AveragingLoop
from .practice import Prediction


def _rising(w: int, power: float = 2.0, first: int = 1) -> float:
    """The weights of the points of a warmup of w updates, summed; that of a later point is 1."""
    return float(((np.arange(first, w + first) / w) ** power).sum())


def _share(total: int, w: int, **options: Any) -> float:
    """What the points of the warmup make up of all of them."""
    rising = _rising(w, **options)
    return rising / (rising + total - w)


def _loop(skip: Callable[[int, int], int], *, before: bool = False, decay: float | None = None) -> Any:
    """A loop that leaves ``skip(updates, last)`` updates out, averages before the step, or exponentially."""

    def loop(model: Any, optimizer: Any, batches: Any, last: int) -> Any:
        from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

        rule = None if decay is None else get_ema_multi_avg_fn(decay)
        averaged, left_out = AveragedModel(model, multi_avg_fn=rule), skip(len(batches), last)
        for k, batch in enumerate(batches):
            optimizer.zero_grad()
            model(batch).mean().backward()
            if before and k >= left_out:
                averaged.update_parameters(model)
            optimizer.step()
            if not before and k >= left_out:
                averaged.update_parameters(model)
        return averaged

    return loop


def _last_weights(model: Any, optimizer: Any, batches: Any, last: int) -> Any:
    _loop(lambda updates, last: 0)(model, optimizer, batches, last)
    return model


def _of_the_last(updates: int, last: int) -> int:
    return updates - last


EXERCISES: tuple[Exercise, ...] = (
    Numbers(
        "updates_spent",
        "10, 20 and 40 thousand updates with a decay over the last fifth: separately, and with one trunk.",
        "70,000 against a trunk of 32,000 and branches of 2,000 + 4,000 + 8,000: 46,000.",
        expected=(70_000, 46_000),
        mistakes=(
            Mistake((70_000, 54_000), "the trunk may end where the longest branch begins, at 32,000"),
            Mistake((70_000, 40_000), "the two shorter branches are updates as well: 2,000 and 4,000"),
            Mistake((70_000, 32_000), "that is the trunk alone: three branches have to be trained"),
            Mistake((40_000, 46_000), "separately each length is trained from the start: 10 + 20 + 40 thousand"),
        ),
    ),
    Function(
        "warmup_share",
        "share(total, w): what the w points of a warmup make up of schedule-free's average after total updates.",
        "Squares of 1/w, 2/w, ..., 1 sum to about w/3: the points of a warmup count about a third of what 1/t gives "
        "them.",
        parameters=("total", "w"),
        reference=_share,
        cases=((10, 2), (100, 10), (20, 5), (500, 100), (30, 1), (13, 11), (1001, 37)),
        mistakes=(
            Mistake(lambda total, w: w / total, "that is 1/t, where all points count alike, as in Keras"),
            Mistake(lambda total, w: _share(total, w, power=1.0), "that weights with the rate: the package squares it"),
            Mistake(
                lambda total, w: _share(total, w, first=0),
                "update k of the warmup uses (k + 1) / w of the rate: the first is 1 / w, the last is the full rate",
            ),
            Mistake(
                lambda total, w: _rising(w) / total,
                "the weights do not sum to total: divide by the sum of all of them",
            ),
        ),
    ),
    AveragingLoop(
        "averaging_loop",
        "loop(model, optimizer, batches, last): train, and return the mean of the weights after the last updates.",
        "It starts from the first weights that it is given, so nothing of the initial ones is left in the mean.",
        mistakes=(
            Mistake(_loop(lambda updates, last: 0), "that is the mean over the whole run: only the last are asked for"),
            Mistake(
                _loop(_of_the_last, before=True),
                "the weights are averaged before optimizer.step(): each mean is one update late",
            ),
            Mistake(
                _loop(_of_the_last, decay=0.9),
                "that is a moving average, where later weights count more: AveragedModel's default is the plain mean",
            ),
            Mistake(
                _loop(lambda updates, last: updates - last + 1),
                "one too few: the weights after the last `last` updates are those of the indices from "
                "len(batches) - last on",
            ),
            Mistake(_last_weights, "that is the trained model itself: return the average"),
        ),
    ),
    Prediction(
        "mean_of_everything",
        "The mean of a whole run with a constant rate instead of its last fifth: the test error, by seed.",
        "It is a linear decay on the gradients of the constant-rate path. Those of the first updates were taken far "
        "from where the run ends; a real linear decay takes its gradients along its own path.",
        expected="higher",
        example=([4.1, 4.0, 4.2], [4.8, 4.9, 5.0]),
        mistakes=(
            Mistake(
                ("same",),
                "The identity says *which* gradients are decayed. Where were the early ones taken, and how long do the "
                "first points stay in the mean?",
            ),
            Mistake(
                ("lower",),
                "A longer mean has less noise. What else is in it: where was the network after the first few updates?",
            ),
        ),
    ),
)
