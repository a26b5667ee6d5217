"""Lesson 02, steps and epochs: counting, the two ways to end, accumulation, and the order of two calls."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..schedules import linear
from .kinds import CurveFunction, Exercise, Mistake, Numbers
from .practice import Loop


def _scheduler_first(optimizer: Any, scheduler: Any, updates: int) -> None:
    for _ in range(updates):
        scheduler.step()
        optimizer.step()


def _no_scheduler(optimizer: Any, scheduler: Any, updates: int) -> None:
    for _ in range(updates):
        optimizer.step()


def _one_too_many(optimizer: Any, scheduler: Any, updates: int) -> None:
    for _ in range(updates + 1):
        optimizer.step()
        scheduler.step()


EXERCISES: tuple[Exercise, ...] = (
    Numbers(
        "updates_and_last_k",
        "50,000 images, batches of 512, the last one dropped, 20 epochs: (number of updates, k of the last one).",
        "97 batches an epoch, 1940 updates, and the last has k = 1939.",
        expected=(1940, 1939),
        mistakes=(
            Mistake((1940, 1940), "k counts the updates already made: before the last one, 1939 are"),
            Mistake((1960, 1959), "that keeps the smaller batch: 98 batches an epoch, where 97 are full"),
            Mistake((97, 96), "that is one epoch"),
        ),
    ),
    CurveFunction(
        "line_by_hand",
        "line(k, start, end, steps): end-exclusive, then held, as in this course.",
        "k / steps, clipped at 1: that is np.linspace(endpoint=False), then held.",
        parameters=("start", "end", "steps"),
        reference=linear,
        cases=(
            (0.1, 0.0, 10),
            (1.0, 0.0, 2),
            (0.0, 0.1, 4),
            (0.4, 0.1, 3),
            (0.1, 0.1, 5),
            (0.01, 1.0, 7),
            (0.0, 0.0, 6),
            (1.0, 0.01, 25),
            (0.5, 0.0, 100),
            (3.0, 0.3, 365),
        ),
        steps=lambda start, end, steps: steps,
        mistakes=(
            Mistake(
                lambda k, start, end, steps: start + (end - start) * np.minimum(k / (steps - 1), 1),
                "you divided by steps - 1: that is end-inclusive, the last update would already use the end value",
            ),
            Mistake(
                lambda k, start, end, steps: start + (end - start) * k / steps,
                "right inside the run, but after the end the line goes on: hold the end value",
            ),
            Mistake(
                lambda k, start, end, steps: np.where(k < steps, start + (end - start) * k / steps, start),
                "after the end it jumps back to the start: hold the end value",
            ),
            Mistake(
                lambda k, start, end, steps: end + (start - end) * np.minimum(k / steps, 1),
                "that runs from end to start",
            ),
            Mistake(
                lambda k, start, end, steps: start + (end - start) * np.minimum((k + 1) / steps, 1),
                "one step ahead: the first update, k = 0, uses start itself",
            ),
        ),
    ),
    Numbers(
        "after_the_end",
        "cosine(0.4, 1000) at k = 2000: (in this course, in torch's CosineAnnealingLR).",
        "Here the end value is held; CosineAnnealingLR is not clipped and has climbed back to its start.",
        expected=(0.0, 0.4),
        mistakes=(
            Mistake((0.0, 0.0), "here yes, but CosineAnnealingLR is not clipped at its end: it comes back up"),
            Mistake((0.4, 0.0), "the other way round: this course holds the end value"),
            Mistake((0.4, 0.4), "torch's comes back up, but this course holds the end value"),
        ),
    ),
    Numbers(
        "accumulated_updates",
        "Gradients accumulated over 8 batches, 1,600 batches an epoch, 5 epochs: steps of the schedule.",
        "Count updates: 8 batches make one.",
        expected=1000,
        mistakes=(
            Mistake(8000, "those are batches; only every eighth makes an update"),
            Mistake(200, "that is one epoch"),
            Mistake(64000, "accumulation makes fewer updates, not more: divide by 8"),
        ),
    ),
    Loop(
        "order_of_two_calls",
        "Write loop(optimizer, scheduler, updates): that many updates, each with the schedule's own value.",
        "Update first, then move the schedule on: update k uses schedule(k).",
        mistakes=(
            Mistake(
                _scheduler_first,
                "scheduler.step() comes before optimizer.step(): schedule(0) is never used, the run is a step ahead",
            ),
            Mistake(_no_scheduler, "the scheduler is not stepped within the loop: every update used schedule(0)"),
            Mistake(_one_too_many, "one update too many, made after the schedule's end"),
        ),
    ),
)
