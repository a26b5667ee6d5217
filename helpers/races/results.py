"""What a race gives: the result of each run, said by the run itself, and the statistics of all of them.

>>> runs = pd.DataFrame({"arm": ["line"] * 2 + ["cosine"] * 2, "seed": [1, 2, 1, 2], "error": [3.1, 3.3, 3.0, 3.1]})
>>> race = Race(runs.assign(budget=1.0, stage="test", lr=0.1, diverged=False, source="MNIST"), reference="line")
>>> race.summary()[["arm", "error", "difference"]].round(2).values.tolist()
[['line', 3.2, 0.0], ['cosine', 3.05, -0.15]]
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from .. import runtime, theory
from ..statistics import holm, interval

if TYPE_CHECKING:
    from ..training import Evaluation, Run
    from .vmapped import VmappedRuns

__all__ = ["WORST", "Race", "Result"]

WORST = {"error": 100.0, "loss": math.inf}  # what a run that diverged counts as while rates are tuned
UNITS = {"error": "test error, %", "loss": "test loss, nats"}


@dataclass(frozen=True)
class Result:
    """What is kept of a run. ``to_dict`` is plain data for JSON, ``from_dict`` reads it back.

    Attributes
    ----------
    error : float
        On the images that it was tested on, in %; NaN for a run that diverged.
    loss : float
        Their mean cross-entropy; NaN for a run that diverged.
    source, device, versions : str
        Of the images; what it was trained on; "numpy 2.4.6, torch 2.13.0".
    seconds : float
        Of training; a share of them where runs are trained as one.
    date : str
        When it began, ISO 8601 in UTC.
    """

    error: float
    loss: float
    source: str
    device: str
    versions: str
    seconds: float
    date: str

    @property
    def diverged(self) -> bool:
        """Whether there is no error, because a loss was not finite."""
        return math.isnan(self.error)

    @classmethod
    def of(cls, done: Run | VmappedRuns, found: Evaluation | None, *, share: int = 1) -> Result:
        """The result of a run that says itself where it comes from.

        Parameters
        ----------
        done : Run or VmappedRuns
            Has source, device, versions, seconds and date.
        found : Evaluation or None
            Loss and accuracy, between 0 and 1; None for a run that diverged.
        share : int
            How many runs the seconds belong to: each gets its part of them.
        """
        if found is None or not math.isfinite(found["loss"]):
            found = {"accuracy": math.nan, "loss": math.nan}
        return cls(
            error=100 * (1 - found["accuracy"]),
            loss=found["loss"],
            source=done.source,
            device=runtime.describe(done.device),
            versions=", ".join(f"{name} {version}" for name, version in sorted(done.versions.items())),
            seconds=round(done.seconds / share, 3),
            date=done.date,
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain data; JSON knows no NaN, so what is missing is None."""
        plain = dataclasses.asdict(self)
        return plain | {name: None for name in ("error", "loss") if math.isnan(plain[name])}

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> Result:
        """The result that ``plain`` was made of. Raises ``TypeError`` when it was none."""
        filled: dict[str, Any] = {name: math.nan if value is None else value for name, value in plain.items()}
        return cls(**filled)


@dataclass(frozen=True, eq=False)
class Race:
    """Every run of a race, one a row, and the arm that the others are compared with.

    Parameters
    ----------
    runs : DataFrame
        One run a row. Columns: framework, arm, budget (epochs), updates, stage ("tune" or "test"), lr (peak), seed,
        diverged, and those of a `Result`.
    reference : str
        The arm that the others are compared with.
    measure : str
        What they are compared by: "error" in %, or "loss" in nats.

    Raises
    ------
    ValueError
        For runs on images of more than one source.
    """

    runs: pd.DataFrame
    reference: str
    measure: str = "error"

    def __post_init__(self) -> None:
        tested, tuned = self._sources("test"), self._sources("tune")
        for stage, found in (("test", tested), ("tune", tuned)):
            if len(found) > 1:
                raise ValueError(f"a race with images of {len(found)} sources at stage {stage!r}: {'; '.join(found)}")
        # held-out images are a part of the training images: `Dataset.validation` adds that to the sentence
        if tested and tuned and not tuned[0].startswith(tested[0]):
            raise ValueError(f"a race tuned on images of one source and tested on another: {tuned[0]}; {tested[0]}")

    def _sources(self, stage: str) -> list[str]:
        return [str(source) for source in self.runs.loc[self.runs.stage == stage, "source"].unique()]

    @property
    def source(self) -> str:
        """Where the tested images come from: one source, or it would be no race."""
        return self._sources("test")[0]

    def errors(self, budget: float) -> pd.DataFrame:
        """Test errors in %, or losses in nats, seeds x arms. The control's column has other seeds, in their order."""
        tested = self.runs[(self.runs.stage == "test") & (self.runs.budget == budget)]
        by_arm = tested.sort_values("seed").groupby("arm", sort=False)[self.measure]
        return pd.DataFrame({arm: by_arm.get_group(arm).to_numpy() for arm in tested["arm"].unique()})

    def tuning(self, budget: float) -> pd.DataFrame:
        """Mean held-out error in %, or loss, rates x arms; a run that diverged counts as `WORST`."""
        tuned = self.runs[(self.runs.stage == "tune") & (self.runs.budget == budget)]
        counted = tuned.fillna({self.measure: WORST[self.measure]})
        return counted.pivot_table(index="lr", columns="arm", values=self.measure, sort=False).sort_index()

    def summary(self) -> pd.DataFrame:
        """One row for each budget and arm: rate, error with its interval, paired difference, Holm's p, divergences.

        ``inside``: the chosen rate is inside its grid. ``difference`` is against the reference, paired by seed, with
        the half-width of its 95 % interval. ``p`` is corrected within the budget; the control is not counted.
        """
        return pd.concat([self._summary(budget) for budget in self.runs.budget.unique()], ignore_index=True)

    def _summary(self, budget: float) -> pd.DataFrame:
        errors, tuning = self.errors(budget), self.tuning(budget)
        part = self.runs[self.runs.budget == budget]
        rows = []
        for arm in errors:
            runs, tested = part[part.arm == arm], part[(part.arm == arm) & (part.stage == "test")]
            rate = float(tested["lr"].iloc[0])
            grid = tuning[arm].dropna().index.to_numpy() if arm in tuning else np.array([])
            row = {"budget": budget, "arm": arm, "n": len(tested), "lr": rate}
            row["inside"] = bool(len(grid) and grid.min() < rate < grid.max()) if arm in tuning else None
            row["error"], row["half_width"] = _interval(errors[arm])
            difference = errors[arm] - errors[self.reference]
            row["difference"], row["difference_half_width"] = _interval(difference)
            row["p"] = math.nan if arm == self.reference else _p(difference)
            row["diverged"] = int(runs["diverged"].sum())
            rows.append(row)
        frame = pd.DataFrame(rows)
        counted = frame.index[frame.arm.isin(list(tuning)) & (frame.arm != self.reference)]
        frame.loc[counted, "p"] = holm(frame.loc[counted, "p"])
        return frame

    def report(self, budget: float) -> pd.DataFrame:
        """`summary` of one budget for people, the lowest error first: for ``plots.table``."""
        rows, digits = [], 2 if self.measure == "error" else 3
        for row in self._summary(budget).sort_values("error").itertuples():
            grid = "" if row.inside is None else ", inside its grid" if row.inside else ", AT THE EDGE"
            compared = f"{row.difference:+.{digits}f} ± {row.difference_half_width:.{digits}f}"
            rows.append(
                {
                    "schedule": row.arm,
                    "best peak": f"{row.lr:.3g}{grid}",
                    UNITS[self.measure]: f"{row.error:.{digits}f} ± {row.half_width:.{digits}f}",
                    f"against {self.reference}": "" if row.arm == self.reference else compared,
                    "Holm's p": "" if math.isnan(row.p) else f"{row.p:.3f}",
                    "n": str(row.n),
                    "diverged": str(row.diverged),
                }
            )
        return pd.DataFrame(rows)

    def speed_up(self, arm: str, against: str, *, level: float = 0.95, draws: int = 999) -> pd.DataFrame:
        """How many times as long ``against`` must train to reach the error of ``arm``, at each budget of ``arm``.

        Of mean test errors (or losses), as `theory.speed_up` reads them off. The interval is a bootstrap over the
        seeds: those of each budget are drawn again with replacement, the same for both. Tuning's luck is not in it.

        Parameters
        ----------
        arm, against : str
            Two of the race.
        level : float
            Of the interval, between 0 and 1.
        draws : int
            How often the seeds are drawn; of 999 the ends of a 95 % interval are two, and not between two.

        Returns
        -------
        DataFrame
            Columns: budget, error (of ``arm``), speed_up, and low and high, the ends of its interval. Infinite: at no
            budget did ``against`` reach that error. 0: it did so at its shortest.

        References
        ----------
        Efron 1979, "Bootstrap methods: another look at the jackknife": the percentile interval.
        """
        rng = np.random.default_rng(0)
        means = {budget: self._drawn(budget, arm, against, draws, rng) for budget in sorted(self.runs.budget.unique())}
        rival = {budget: of_two[:, 1] for budget, of_two in means.items() if np.isfinite(of_two[0, 1])}
        rows = []
        for budget, reached in ((budget, of_two[:, 0]) for budget, of_two in means.items()):
            if np.isfinite(reached[0]):
                curves = zip(reached, np.transpose(list(rival.values())), strict=True)
                factor, *again = (theory.speed_up(error, budget, list(rival), curve) for error, curve in curves)
                # of the factors themselves, because between a number and infinity there is no quantile
                low, high = np.quantile(again, [(1 - level) / 2, (1 + level) / 2], method="inverted_cdf")
                rows.append({"budget": budget, "error": reached[0], "speed_up": factor, "low": low, "high": high})
        return pd.DataFrame(rows)

    def _drawn(
        self, budget: float, arm: str, against: str, draws: int, rng: np.random.Generator
    ) -> NDArray[np.float64]:
        """Mean errors of two arms, draws x 2: of all seeds first, then of seeds drawn with replacement.

        NaN for an arm without this budget; a seed that diverged in either is left out of both.
        """
        of_two = self.errors(budget).reindex(columns=[arm, against])
        errors = of_two.dropna(subset=[name for name in of_two if of_two[name].notna().any()]).to_numpy()
        count = len(errors)
        rows = np.vstack([np.arange(count), rng.integers(count, size=(draws, count))])
        return errors[rows].mean(axis=1)


def _interval(values: pd.Series) -> tuple[float, float]:
    """Mean and half-width over the runs that did not diverge; NaN where fewer than two did not."""
    finite = values.dropna()
    if len(finite) < 2:
        return (float(finite.mean()) if len(finite) else math.nan), math.nan
    mean, half = interval(finite)
    return float(mean), float(half)


def _p(differences: pd.Series) -> float:
    finite = differences.dropna()
    return float(stats.ttest_1samp(finite, 0.0).pvalue) if len(finite) > 1 and finite.std() > 0 else math.nan
