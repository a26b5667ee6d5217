# SPDX-FileCopyrightText: 2026 the authors of the learning-rate schedules course
# SPDX-License-Identifier: MIT
"""Cut the learning rate when a metric stops improving: a rule that reacts, and so no schedule.

A schedule is known before the run starts; this one remembers what it has seen. It stands apart for that reason.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from numbers import Real
from typing import Any

import numpy as np

from .schedules import _choice, _count, _number

__all__ = ["ReduceOnPlateau"]


class ReduceOnPlateau:
    """The rule of PyTorch's ReduceLROnPlateau: after too many evaluations without progress, multiply by ``factor``.

    Call ``update(metric)`` once per evaluation; it returns the learning rate to use from now on. NaN counts as no
    progress. Keras' callback cuts one evaluation earlier for the same ``patience``.

    Parameters
    ----------
    initial_lr : float
        Learning rate before the first cut.
    factor : float
        What the rate is multiplied by, above 0 and below 1.
    patience : int
        How many evaluations without progress are forgiven; the next one cuts.
    threshold, threshold_mode : float, str
        A metric is better when it beats the best by ``threshold``: a fraction of the best's magnitude ("rel"), or
        that much ("abs").
    cooldown : int
        How many evaluations after a cut are not counted.
    min_lr : float
        The rate is never cut below this.
    mode : str
        "min" when lower is better, "max" when higher is.

    Examples
    --------
    >>> plateau = ReduceOnPlateau(0.1, factor=0.5, patience=1)
    >>> [plateau.update(loss) for loss in (1.0, 0.9, 0.9, 0.9, 0.9)]
    [0.1, 0.1, 0.1, 0.05, 0.05]
    """

    def __init__(
        self,
        initial_lr: float,
        *,
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: float = 0.0,
        mode: str = "min",
    ) -> None:
        self.lr = _number("initial_lr", initial_lr)
        self.factor = _number("factor", factor, strictly=True)
        if self.factor >= 1:
            raise ValueError(f"factor must be below 1, got {factor!r}")
        self.patience = _count("patience", patience, least=0)
        self.threshold = _number("threshold", threshold)
        self.threshold_mode = _choice("threshold_mode", threshold_mode, ("rel", "abs"))
        self.cooldown = _count("cooldown", cooldown, least=0)
        self.min_lr = _number("min_lr", min_lr)
        self.mode = _choice("mode", mode, ("min", "max"))
        self._best: float | None = None
        self._bad = self._resting = 0

    def update(self, metric: float) -> float:
        """Take one evaluation's metric, return the learning rate to use from now on."""
        if isinstance(metric, (bool, np.bool_)) or not isinstance(metric, Real):
            raise TypeError(f"metric must be a number, got {metric!r}")
        if self._is_better(float(metric)):
            self._best, self._bad = float(metric), 0
        else:
            self._bad += 1
        if self._resting:
            self._resting, self._bad = self._resting - 1, 0
        if self._bad > self.patience:
            self.lr = min(self.lr, max(self.lr * self.factor, self.min_lr))
            self._resting, self._bad = self.cooldown, 0
        return self.lr

    def _is_better(self, metric: float) -> bool:
        if self._best is None:
            return not math.isnan(metric)
        margin = self.threshold * (abs(self._best) if self.threshold_mode == "rel" else 1.0)
        return metric < self._best - margin if self.mode == "min" else metric > self._best + margin

    def state_dict(self) -> dict[str, float | int | None]:
        """The memory, as plain data."""
        return {"lr": self.lr, "best": self._best, "bad": self._bad, "resting": self._resting}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what ``state_dict`` gave; ``ValueError`` when it is something else."""
        if set(state) != {"lr", "best", "bad", "resting"}:
            raise ValueError(f"not the state of a ReduceOnPlateau: {sorted(state)}")
        self.lr, self._best = _number("lr", state["lr"]), state["best"]
        self._bad, self._resting = _count("bad", state["bad"], least=0), _count("resting", state["resting"], least=0)
