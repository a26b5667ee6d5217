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

``python -m helpers.loss_law`` fits the functional law as lesson 14 does, tests it, and records both for the explorer.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, signal, special

from .schedules import Schedule, constant, cosine, exponential, linear, one_cycle, polynomial, tabulated

__all__ = ["RECORD", "Curve", "LossLaw", "fit_law", "recorded"]

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


# ------------------------------------------------------------------------------------- the recorded law
_NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
LESSON, RECORD = _NOTEBOOKS / "14_predicting_the_loss.ipynb", _NOTEBOOKS / "results" / "loss_law.json"
COMMAND, BUDGET = "python -m helpers.loss_law", "cpu"  # the budget that the lesson's own numbers have


def recorded(path: Path = RECORD) -> tuple[LossLaw, dict[str, Any]]:
    """Return the functional law as lesson 14 fits it, and what was recorded with it: runs, tests, provenance.

    Raises ``FileNotFoundError`` with the command that makes the record.

    Examples
    --------
    >>> law, record = recorded()
    >>> law.kind, law.peak, record["fit"]["updates"]
    ('functional', 0.1, 2000)
    """
    if not path.exists():
        raise FileNotFoundError(f"{path.name} is not recorded: {COMMAND}")
    record = json.loads(path.read_text(encoding="utf-8"))
    return LossLaw(**record["law"]), record


def measure() -> dict[str, Any]:
    """Fit and test the law by the cells of lesson 14, and by tests of what else the explorer's knobs can do.

    Returns
    -------
    dict
        Plain data. ``law`` has the numbers, ``fit`` says on what. Each of ``tests`` has the mean error in per cent over
        the ``curve`` after the updates that the fit skips, and of the ``end`` in nats, the same of one seed against the
        mean of the others, and the ``ends``: schedule -> predicted and measured. ``origin`` is where it ran.
    """
    lesson = _run_lesson()
    law, short, skip = lesson["law"], lesson["short"], 2 * lesson["WARM"]
    tests = [
        {"name": name, **_tested(law, plans, curves, at, skip)}
        for name, plans, curves, at in (*_of_the_lesson(lesson), *_beyond_it(lesson))
    ]
    fit = {"schedules": list(lesson["short_plans"]), "updates": lesson["SHORT"], "seeds": short.curves.shape[1]}
    fit |= {"skip": skip, "warmup": lesson["WARM"], "momentum": 0.9, "batch_size": 64, "context": 8}
    origin = {"source": short.source, "device": short.device, "versions": short.versions, "date": short.date}
    return {"law": asdict(law), "fit": fit, "tests": tests, "origin": origin}


def _run_lesson() -> dict[str, Any]:
    """What the cells of lesson 14 define, run as they stand up to the last of its predictions; those that draw do not.

    The lesson is the protocol, and there is no second one.
    """
    space: dict[str, Any] = {}
    for cell in json.loads(LESSON.read_text(encoding="utf-8"))["cells"]:
        source = "".join(cell["source"])
        draws = "plots.show(" in source or "hide-input" in cell["metadata"].get("tags", ())
        if cell["cell_type"] == "code" and not draws and "inverted" not in space:
            with contextlib.redirect_stdout(io.StringIO()):  # its tables are for a notebook
                exec(compile(source, LESSON.name, "exec"), space)
    return space


Test = tuple[str, Mapping[str, Schedule], Array, NDArray[np.int64]]  # a name, plans, losses of all seeds, and when


def _of_the_lesson(lesson: Mapping[str, Any]) -> list[Test]:
    long, longest, inverted = lesson["long"], lesson["longest"], lesson["inverted"]
    higher = [
        (f"peak {peak}", {name: plan}, inverted.curves[[row]], inverted.at)
        for row, (name, plan) in enumerate(lesson["rivals"].items())
        for peak in ("0.2", "0.4")
        if name.endswith(f"peak {peak}")
    ]
    return [
        ("twice as long", lesson["plans"], long.curves, long.at),
        ("six times as long", lesson["distant"], longest.curves, longest.at),
        *higher,
    ]


def _beyond_it(lesson: Mapping[str, Any]) -> list[Test]:
    """Tests that the lesson does not make, with its network, text and way of training, and new seeds."""
    n, peak, warmed = lesson["LONG"], lesson["PEAK"], lesson["warmed"]
    left, low, seeds = n - lesson["WARM"], peak / 2, range(500, 503)
    half = lesson["unseen"](lesson["SHORT"] // 2)
    groups: dict[str, dict[str, Schedule]] = {
        "no warmup": {
            "line to zero": linear(peak, 0.0, n),
            "cosine": cosine(peak, n),
            "square": polynomial(peak, 0.0, n, power=2.0),
            "exponential to 1/20": exponential(peak, 0.05, n),
        },
        "peak 0.05": {
            "constant": warmed(constant(low), low),
            "line to zero": warmed(linear(low, 0.0, left), low),
            "cosine": warmed(cosine(low, left), low),
        },
        "1cycle": {"1cycle": one_cycle(peak, n, momentum=None)},
    }
    plans = {(name, one): plan for name, group in groups.items() for one, plan in group.items()}
    done, short = lesson["train"](plans, n, seeds), lesson["train"](half, lesson["SHORT"] // 2, seeds)
    places = {name: [row for row, (group, _) in enumerate(plans) if group == name] for name in groups}
    cycled = one_cycle(peak, n)
    runs = [_alone(lesson, cycled, seed) for seed in seeds]
    return [
        ("half as long", half, short.curves, short.at),
        *((name, group, done.curves[places[name]], done.at) for name, group in groups.items()),
        ("momentum cycled", {"1cycle": cycled}, np.array([runs]), done.at),
    ]


def _alone(lesson: Mapping[str, Any], plan: Schedule, seed: int) -> list[float]:
    """Held-out losses of one run that drives its momentum, too; `fit_vmapped` keeps it."""
    model = lesson["models"].letters_torch(seed=seed)
    sgd = lesson["torch"].optim.SGD(model.parameters(), lr=plan(0), momentum=0.9)
    lesson["for_torch"].drive(sgd, plan)
    every = {"updates": lesson["LONG"], "batch_size": 64, "seed": seed, "evaluate": lesson["WARM"] // 2}
    run = lesson["training"].fit_torch(model, sgd, lesson["text"], **every)
    lesson["training"].assert_trace(run, plan)
    return [found["loss"] for found in run.evaluations]


def _tested(
    law: LossLaw, plans: Mapping[str, Schedule], curves: Array, at: NDArray[np.int64], skip: int
) -> dict[str, Any]:
    """How far predictions are from the mean of the seeds, and a seed from the mean of the others."""
    updates, seeds, late = int(at[-1]), curves.shape[1], at > skip
    told, mean = np.stack([law.predict(plan(np.arange(updates)), at) for plan in plans.values()]), curves.mean(axis=1)
    others = (seeds * mean[:, None] - curves) / (seeds - 1)
    return {
        "updates": updates,
        "seeds": seeds,
        "curve": round(100 * float(np.abs(told / mean - 1)[:, late].mean()), 3),
        "end": round(float(np.abs(told - mean)[:, -1].mean()), 5),
        "seed_curve": round(100 * float(np.abs(curves / others - 1)[:, :, late].mean()), 3),
        "seed_end": round(float(np.abs(curves - others)[:, :, -1].mean()), 5),
        "ends": {
            name: [round(float(one), 4) for one in pair]
            for name, *pair in zip(plans, told[:, -1], mean[:, -1], strict=True)
        },
    }


def main() -> None:
    """Run ``python -m helpers.loss_law``."""
    os.environ["COURSE_BUDGET"] = BUDGET
    print(f"running the cells of {LESSON.name}, and more tests: some minutes", flush=True)
    record = {"title": "The law of lesson 14, fitted and tested", "command": COMMAND, **measure()}
    part = RECORD.with_suffix(f".{os.getpid()}.part")
    part.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    os.replace(part, RECORD)
    for test in record["tests"]:
        print(f"{test['name']}: {test['curve']:.2f} % over the curve, {test['end']:.4f} nats at the end")


if __name__ == "__main__":
    main()
