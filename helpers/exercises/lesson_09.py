"""Lesson 09, a fair race: the edge of a grid, how many seeds, the same start, another shared rate, what may be said."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy import stats

from .kinds import Choice, Exercise, Function, Mistake
from .native import SameStart
from .practice import Prediction


def _next_rate(rates: list[float], errors: list[float]) -> float:
    best, factor = int(np.argmin(errors)), rates[1] / rates[0]
    return rates[0] / factor if best == 0 else rates[-1] * factor if best == len(rates) - 1 else 0.0


def _half_width(spread: float, seeds: int) -> float:
    return float(stats.t.ppf(0.975, seeds - 1)) * spread / math.sqrt(seeds)


def _seeds_needed(spread: float, difference: float) -> int:
    seeds = 2
    while _half_width(spread, seeds) >= difference:
        seeds += 1
    return seeds


def _by_the_normal(spread: float, difference: float) -> int:
    return max(2, math.floor((1.96 * spread / difference) ** 2) + 1)


def _of_one_run(spread: float, difference: float) -> int:
    seeds = 2
    while _half_width(spread, seeds) * math.sqrt(seeds) >= difference and seeds < 1000:
        seeds += 1
    return seeds


def _start(dataset: Any, seed: int, *, weights: bool = True, generator: bool = True, fixed: bool = False) -> Any:
    """A start that seeds its weights, gives its loader a generator, or gives every loader the same one."""
    import torch
    from torch.utils.data import DataLoader

    if weights:
        torch.manual_seed(seed)
    model = torch.nn.Linear(3, 2)
    own = torch.Generator().manual_seed(0 if fixed else seed) if generator else None
    return model, DataLoader(dataset, batch_size=4, shuffle=True, generator=own)


def _in_order(dataset: Any, seed: int) -> Any:
    import torch
    from torch.utils.data import DataLoader

    torch.manual_seed(seed)
    return torch.nn.Linear(3, 2), DataLoader(dataset, batch_size=4)


EXERCISES: tuple[Exercise, ...] = (
    Function(
        "next_rate",
        "next_rate(rates, errors): the rate beyond the edge where the lowest error is, or 0 when it is inside.",
        "a best rate at the edge of a grid is not a best rate.",
        parameters=("rates", "errors"),
        reference=_next_rate,
        cases=(
            ([0.1, 0.2, 0.4], [3.0, 3.1, 3.2]),
            ([0.1, 0.2, 0.4], [3.2, 3.0, 3.1]),
            ([0.1, 0.2, 0.4], [3.2, 3.1, 3.0]),
            ([0.1, 0.2], [3.0, 3.1]),
            ([0.1, 0.2], [3.1, 3.0]),
            ([1.0, 1.5, 2.25, 3.375], [5.0, 4.0, 6.0, 7.0]),
            ([1.0, 1.5, 2.25, 3.375], [7.0, 5.0, 4.0, 4.1]),
            ([1.0, 1.5, 2.25, 3.375], [7.0, 5.0, 4.0, 3.9]),
            ([0.01, 0.1, 1.0, 10.0, 100.0], [8.0, 9.0, 20.0, 90.0, 90.0]),
            ([0.01, 0.1, 1.0, 10.0, 100.0], [90.0, 60.0, 9.0, 8.0, 6.0]),
        ),
        mistakes=(
            Mistake(
                lambda rates, errors: rates[-1] ** 2 / rates[-2] if np.argmin(errors) == len(rates) - 1 else 0.0,
                "the lower edge is missing: the best rate can be below the grid as well",
            ),
            Mistake(
                lambda rates, errors: rates[0] ** 2 / rates[1] if np.argmin(errors) == 0 else 0.0,
                "the upper edge is missing: the best rate can be above the grid as well",
            ),
            Mistake(
                lambda rates, errors: (
                    0.0
                    if 0 < np.argmin(errors) < len(rates) - 1
                    else 2 * rates[0] - rates[1]
                    if np.argmin(errors) == 0
                    else 2 * rates[-1] - rates[-2]
                ),
                "the grid rises by a *factor*, not by a difference",
            ),
            Mistake(
                lambda rates, errors: rates[int(np.argmin(errors))],
                "that is the best rate of the grid: asked is whether, and where, to go on",
            ),
        ),
    ),
    Function(
        "seeds_needed",
        "seeds_needed(spread, difference): the smallest number of seeds (two or more) with which the half-width of the "
        "paired 95 % interval is below `difference`, when the paired differences have the standard deviation `spread`.",
        "and with so many seeds a true difference of just that size is still missed in about half of the races.",
        parameters=("spread", "difference"),
        reference=_seeds_needed,
        cases=(
            (0.1, 0.1),
            (0.2, 0.1),
            (0.1, 0.05),
            (0.3, 0.1),
            (0.1, 0.4),
            (0.05, 1.0),
            (0.12, 0.03),
            (1.0, 0.1),
            (2.0, 0.11),
            (0.07, 0.06),
            (0.5, 0.041),
        ),
        mistakes=(
            Mistake(_by_the_normal, "1.96 is for many seeds: the factor is Student's, and it depends on their number"),
            Mistake(_of_one_run, "the *mean* of n differences is sqrt(n) times as certain as one of them"),
            Mistake(
                lambda spread, difference: next(
                    n for n in range(2, 10_000) if stats.t.ppf(0.975, n) * spread / math.sqrt(n) < difference
                ),
                "n differences have n - 1 degrees of freedom: one is used up by their mean",
            ),
            Mistake(
                lambda spread, difference: _seeds_needed(spread, difference) - 1,
                "one seed fewer than needed: its half-width is not yet below the difference",
            ),
        ),
    ),
    SameStart(
        "same_start",
        "prepare(dataset, seed): a torch.nn.Linear(3, 2) and a DataLoader of shuffled batches of 4, given by the seed.",
        "weights and batches belong to the seed alone: runs that share it can be paired, in whatever order they run.",
        mistakes=(
            Mistake(
                lambda dataset, seed: _start(dataset, seed, weights=False, generator=False),
                "two calls with the same seed start from different weights: torch.manual_seed(seed) before the model",
            ),
            Mistake(
                lambda dataset, seed: _start(dataset, seed, weights=False),
                "the batches are given by the seed, the weights are not: torch.manual_seed(seed) before the model",
            ),
            Mistake(
                lambda dataset, seed: _start(dataset, seed, generator=False),
                "the loader shuffles with the global generator, so whatever else draws a random number (dropout, say) "
                "changes the batches: give it a generator of its own",
            ),
            Mistake(
                lambda dataset, seed: _start(dataset, seed, fixed=True),
                "every seed sees the batches in the same order: then the interval says nothing about other orders",
            ),
            Mistake(_in_order, "the batches are not shuffled"),
        ),
    ),
    Prediction(
        "ten_times_the_rate",
        "The opening's comparison at a shared rate of 0.2, not 0.02: errors of linear decay, and of the constant rate.",
        "At 0.02 both were too low, linear decay more so; at 0.2 a constant rate is far beyond its valley, and linear "
        "decay comes back from there. At a shared rate the winner is whoever is at home there.",
        expected="higher",
        example=([4.8, 4.6, 4.7], [8.9, 9.6, 8.2]),
        mistakes=(
            Mistake(("lower",), "It won at 0.02. Where are the two valleys, and on which side of them is 0.2?"),
            Mistake(("same",), "Look at the two curves over the rate once more: how far apart are they on the right?"),
        ),
    ),
    Choice(
        "wording",
        "Three differences, -0.12 ± 0.10 (p = 0.025), -0.10 ± 0.09 (p = 0.034), +0.02 ± 0.11 (p = 0.68): what may you "
        "write?",
        "Holm's p are 0.075, 0.075 and 0.68: none is below 0.05, and the intervals say what is not excluded.",
        expected="c",
        mistakes=(
            Mistake("a", "each interval is a 95 % statement of its own; with three, correct the p-values first"),
            Mistake("b", "not seen is not equal: the first interval still holds differences of up to 0.22 points"),
        ),
    ),
)
