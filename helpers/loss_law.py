"""From a schedule to its loss curve: three laws, fitted on a run or two, that predict runs which nobody has made.

Each law is ``L(t) = floor + progress * S**-alpha + noise * (what has been stirred up and is not forgotten yet)``. S,
the intrinsic time, is the sum of the learning rates so far in units of a reference peak: updates at that peak.

"power"       no third term: the loss depends on S alone
"annealing"   the third term falls whenever the rate has fallen, and goes on falling for 1 / (1 - memory) updates
"functional"  each update stirs up its rate squared, which is forgotten as S goes on: ``(1 + S - S_k)**-memory``

>>> from helpers.schedules import constant, linear
>>> truth = LossLaw("functional", peak=0.1, floor=1.0, progress=3.0, noise=0.1, alpha=0.5, memory=0.6)
>>> at = np.arange(20, 401, 20)
>>> runs = [Curve(plan(np.arange(400)), at) for plan in (constant(0.1), linear(0.1, 0.0, 400))]
>>> runs = [run._replace(losses=truth.predict(run.rates, run.at)) for run in runs]
>>> found = fit_law("functional", runs, peak=0.1, skip=0)  # from two runs, all five numbers
>>> round(found.floor, 3), round(found.noise, 3), round(found.alpha, 3), round(found.memory, 3)
(1.0, 0.1, 0.5, 0.6)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, signal, special

from .schedules import Schedule, tabulated

__all__ = ["Curve", "LossLaw", "fit_law"]

Array = NDArray[np.float64]
# where the search for (alpha, memory) begins, and how far it may go
SEARCH: dict[str, tuple[list[tuple[float, ...]], tuple[float, ...], tuple[float, ...]]] = {
    "power": ([(0.5,), (0.2,)], (0.02,), (3.0,)),
    "annealing": ([(0.5, 100.0), (0.2, 20.0)], (0.02, 2.0), (3.0, 3000.0)),  # here the updates it remembers
    "functional": ([(0.5, 1.0), (0.22, 0.6)], (0.02, 0.05), (3.0, 4.0)),
}


class Curve(NamedTuple):
    """A run as a law sees it.

    Attributes
    ----------
    rates : array_like, shape (T,)
        Learning rate of each update.
    at : array_like of int, shape (M,)
        After how many updates the loss was measured.
    losses : array_like, shape (M,)
        What it was; empty before it is known.
    """

    rates: ArrayLike
    at: ArrayLike
    losses: ArrayLike = ()


@dataclass(frozen=True)
class LossLaw:
    """A law with its numbers, as `fit_law` finds them.

    Parameters
    ----------
    kind : str
        "power", "annealing" or "functional".
    peak : float
        The learning rate in whose units S is counted.
    floor, progress, noise : float
        What each of the three terms is multiplied with.
    alpha : float
        Exponent of the progress.
    memory : float
        "annealing": the factor, below 1, by which a fall of the rate counts less with every update. "functional": the
        exponent with which noise is forgotten. "power" has none.

    References
    ----------
    "annealing": Tissue, Wang & Wang 2024, "Scaling law with learning rate annealing" (arXiv 2408.11029):
    ``L0 + A S1**-alpha - C S2``. "functional": Li et al. 2025, "Functional scaling laws in kernel regression: loss
    dynamics and learning rate schedules" (arXiv 2509.19189), where the form is derived for SGD on a linear model with
    power-law features, and the noise has a part that falls with the loss; here the exponents are fitted, and the noise
    of a gradient is taken to be the same all the time.

    Examples
    --------
    >>> law = LossLaw("power", peak=0.1, floor=1.0, progress=2.0, noise=0.0, alpha=0.5)
    >>> law.predict([0.1, 0.1, 0.1, 0.1], at=[1, 4]).tolist()  # S is 1, then 4
    [3.0, 2.0]
    """

    kind: str
    peak: float
    floor: float
    progress: float
    noise: float
    alpha: float
    memory: float = 0.0

    def predict(self, rates: ArrayLike, at: ArrayLike | None = None) -> Array:
        """Losses after ``at`` updates (default: after each) of a run with these ``rates``.

        Parameters
        ----------
        rates : array_like, shape (T,)
            Learning rate of each update, at least 0.
        at : array_like of int, shape (M,), optional
            From 1 to T.

        Returns
        -------
        ndarray, shape (M,)

        Raises
        ------
        ValueError
            For rates or updates out of range, and where all rates so far were 0.
        """
        lr, made = _checked(rates, np.arange(1, len(np.atleast_1d(rates)) + 1) if at is None else at)
        return self._value(_terms(self.kind, lr / self.peak, made, self.alpha, self.memory))

    def _value(self, terms: Array) -> Array:
        return terms @ np.array([self.floor, self.progress, self.noise])[: terms.shape[1]]

    def recommend(self, steps: int, *, warmup: int = 0, knots: int = 21) -> Schedule:
        """Return the schedule for ``steps`` updates, at most ``peak``, whose last loss is the lowest by this law.

        It has straight pieces between evenly spaced ``knots``, after a warmup of so many updates. What a law says of
        schedules unlike those that it was fitted on has to be measured.

        Parameters
        ----------
        steps : int
            Length of the run.
        warmup : int
            Updates in which the rate rises from 0 to what the pieces say.
        knots : int
            How many, at least 2.

        Returns
        -------
        Schedule
            A table of ``steps`` values.

        Raises
        ------
        ValueError
            Unless there are as many updates as knots, and more than are in the warmup.

        Examples
        --------
        >>> law = LossLaw("functional", peak=0.1, floor=0.0, progress=5.0, noise=0.05, alpha=0.1, memory=1.0)
        >>> plan = law.recommend(400, knots=11)
        >>> plan(100), bool(plan(399) < 0.02)  # all that is allowed, then down
        (0.1, True)
        """
        if not 2 <= knots <= steps or not 0 <= warmup < steps:
            raise ValueError(f"{steps} updates cannot have {knots} knots (at least 2) and {warmup} updates of warmup")
        k, last = np.arange(steps), np.array([steps])
        places, ramp = np.linspace(0, steps - 1, knots), np.minimum(1.0, (k + 1) / max(warmup, 1))

        def shape(heights: Array) -> Array:
            return np.interp(k, places, heights) * ramp

        def loss(heights: Array) -> float:
            return float(self._value(_terms(self.kind, shape(heights), last, self.alpha, self.memory))[0])

        u = np.linspace(0, 1, knots)
        starts = (np.full(knots, 0.9), 0.95 - 0.9 * u, np.clip(2.25 * (1 - u), 0.05, 0.9))
        found = [optimize.minimize(loss, start, method="L-BFGS-B", bounds=[(1e-3, 1.0)] * knots) for start in starts]
        return tabulated((self.peak * shape(min(found, key=lambda one: one.fun).x)).tolist())


def fit_law(kind: str, curves: Sequence[Curve], *, peak: float, skip: int = 200) -> LossLaw:
    """Find the numbers of a law from measured curves: least squares of the relative errors.

    For given exponents the law is linear in the rest, so only the exponents are searched, and floor, progress and noise
    are solved for, none of them negative (variable projection).

    Parameters
    ----------
    kind : str
        "power", "annealing" or "functional".
    curves : sequence of Curve
        With losses above 0. Two schedules that differ in when their rate falls tell progress from noise; one does not.
    peak : float
        The learning rate in whose units S is counted: that of the runs.
    skip : int
        Losses of the first so many updates are left out: no law knows how a network begins.

    Returns
    -------
    LossLaw

    Raises
    ------
    ValueError
        For an unknown kind, rates or losses out of range, and less than six losses after ``skip``.
    """
    if kind not in SEARCH:
        raise ValueError(f"unknown law {kind!r}: choose from {', '.join(SEARCH)}")
    if not (np.isfinite(peak) and peak > 0):
        raise ValueError(f"peak must be finite and above 0, got {peak!r}")
    runs = []
    for curve in curves:
        lr, at = _checked(curve.rates, curve.at)
        losses = np.asarray(curve.losses, dtype=np.float64)
        if losses.shape != at.shape or not (np.isfinite(losses).all() and (losses > 0).all()):
            raise ValueError("a curve needs one finite loss above 0 for each of its updates in at")
        runs.append((lr / peak, at[at > skip], losses[at > skip]))
    measured = np.concatenate([losses for _, _, losses in runs]) if runs else np.empty(0)
    if len(measured) < 6:
        raise ValueError(f"{len(measured)} losses after update {skip} do not determine a law: at least 6")

    def solved(found: Array) -> tuple[Array, Array]:
        rows = [_terms(kind, lr, at, *_numbers(kind, found)) for lr, at, _ in runs]
        relative = np.concatenate(rows) / measured[:, None]
        factors, _ = optimize.nnls(relative, np.ones(len(measured)))
        return factors, relative @ factors - 1

    starts, low, high = SEARCH[kind]
    bounds = (np.log(low), np.log(high))
    tried = [optimize.least_squares(lambda found: solved(found)[1], np.log(start), bounds=bounds) for start in starts]
    best = min(tried, key=lambda one: one.cost).x
    floor, progress, *noise = (float(factor) for factor in solved(best)[0])
    return LossLaw(kind, peak, floor, progress, *(noise or [0.0]), *_numbers(kind, best))


def _numbers(kind: str, found: Array) -> tuple[float, ...]:
    """Alpha and memory of the logarithms that are searched."""
    values = [float(value) for value in np.exp(found)]
    return (values[0], 1 - 1 / values[1]) if kind == "annealing" else tuple(values)


def _terms(kind: str, lr: Array, at: NDArray[np.int64], alpha: float, memory: float = 0.0) -> Array:
    """The terms of a law after ``at`` updates, for rates in units of the peak: one column each, shape (M, 2 or 3)."""
    time = np.concatenate([[0.0], np.cumsum(lr)])
    columns = [np.ones(len(at)), time[at] ** -alpha]
    if kind == "annealing":
        falls = -np.diff(lr, prepend=lr[0])
        columns.append(-np.cumsum(signal.lfilter([1.0], [1.0, -memory], falls))[at - 1])
    elif kind == "functional":
        # update k lasts from S_k to S_{k+1}: the integral of lr_k (1 + S - s)**-memory over it, exactly, because the
        # sum over whole updates counts the last ones wrongly; later updates have not happened, and count 0
        since = np.maximum(time[at][:, None] - time[None, : at.max() + 1], 0.0)
        columns.append(-np.diff(special.boxcox1p(since, 1 - memory), axis=1) @ lr[: at.max()])
    return np.stack(columns, axis=1)


def _checked(rates: ArrayLike, at: ArrayLike) -> tuple[Array, NDArray[np.int64]]:
    lr, made = np.asarray(rates, dtype=np.float64), np.asarray(at)
    if lr.ndim != 1 or not lr.size or not (np.isfinite(lr).all() and (lr >= 0).all()):
        raise ValueError("rates: one row of finite learning rates, at least 0, one for each update")
    if made.ndim != 1 or made.dtype.kind not in "iu" or not made.size or made.min() < 1 or made.max() > len(lr):
        raise ValueError(f"at: whole numbers of updates made, from 1 to {len(lr)}, in one row")
    if not lr[: made.min()].any():
        raise ValueError(f"all rates of the first {made.min()} updates are 0: nothing has been learned yet")
    return lr, made.astype(np.int64)
