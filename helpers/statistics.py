"""Means with their uncertainty: what a table of several seeds needs."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["holm", "interval", "rank_correlation"]


def interval(values: ArrayLike, level: float = 0.95) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean over the first axis (seeds), and the half-width of its Student-t confidence interval.

    Parameters
    ----------
    values : array_like, shape (seeds, ...)
        At least two seeds. Differences of two arms, seed by seed, give the paired interval.
    level : float
        How often such an interval contains the mean, between 0 and 1.

    Returns
    -------
    mean, half_width : arrays of shape (...)

    Raises
    ------
    ValueError
        For fewer than two seeds: one run has no interval.

    Examples
    --------
    >>> mean, half_width = interval([[1.0], [2.0], [3.0]])
    >>> round(float(mean[0]), 3), round(float(half_width[0]), 3)
    (2.0, 2.484)
    """
    from scipy import stats  # here, because figures need this module, and SciPy takes as long to import as all the rest

    array = np.asarray(values, dtype=np.float64)
    seeds = array.shape[0] if array.ndim else 0
    if seeds < 2:
        raise ValueError(f"an interval needs at least two seeds, got {seeds}")
    # not ttest_1samp(...).confidence_interval(), which warns when all seeds agree
    return array.mean(axis=0), stats.t.ppf((1 + level) / 2, seeds - 1) * stats.sem(array)


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """p-values corrected for their number by Holm's step-down method; NaN stays NaN and is not counted.

    Source: Holm 1979, "A simple sequentially rejective multiple test procedure".

    >>> holm([0.01, 0.04, 0.03]).tolist()
    [0.03, 0.06, 0.06]
    """
    p = np.asarray(p_values, dtype=np.float64)
    corrected, order = np.full(p.shape, math.nan), np.argsort(p)[: np.count_nonzero(~np.isnan(p))]
    factors = np.arange(len(order), 0, -1)
    corrected[order] = np.minimum(np.maximum.accumulate(p[order] * factors), 1.0)
    return corrected


def rank_correlation(
    predicted: ArrayLike, measured: ArrayLike, *, level: float = 0.95, draws: int = 200
) -> tuple[float, float, float]:
    """Spearman's rank correlation of a prediction with the mean over seeds, and the ends of its interval.

    The interval is a bootstrap over the seeds: they are drawn again with replacement, all items of a seed together.
    It holds the luck of the seeds, and not that of which items were compared.

    Parameters
    ----------
    predicted : array_like, shape (items,)
        One number for each item, at least three of them.
    measured : array_like, shape (seeds, items)
        Of at least two seeds.
    level : float
        Of the interval, between 0 and 1.
    draws : int
        How often the seeds are drawn.

    Returns
    -------
    correlation, low, high : float

    Raises
    ------
    ValueError
        For fewer seeds or items, and for shapes that do not fit.

    References
    ----------
    Efron 1979, "Bootstrap methods: another look at the jackknife": the percentile interval.

    Examples
    --------
    >>> rank_correlation([1.0, 2.0, 3.0], [[0.1, 0.2, 0.3], [0.2, 0.4, 0.5]])
    (1.0, 1.0, 1.0)
    """
    from scipy.stats import spearmanr

    x, y = np.asarray(predicted, dtype=np.float64), np.asarray(measured, dtype=np.float64)
    if y.ndim != 2 or x.shape != y.shape[1:] or len(y) < 2 or x.size < 3:
        raise ValueError(f"(items,) and (seeds, items), three items and two seeds or more: got {x.shape} and {y.shape}")
    rng, seeds = np.random.default_rng(0), len(y)
    again = [spearmanr(x, y[rng.integers(seeds, size=seeds)].mean(axis=0))[0] for _ in range(draws)]
    low, high = np.quantile(again, [(1 - level) / 2, (1 + level) / 2])
    return float(spearmanr(x, y.mean(axis=0))[0]), float(low), float(high)
