"""Intervals and corrected p-values against SciPy, worked examples, and what an interval promises."""

import numpy as np
import pytest
from scipy import stats

from helpers.statistics import holm, interval, rank_correlation


def test_the_interval_is_students_and_covers() -> None:
    values = np.random.default_rng(0).normal(3.0, 2.0, size=(6, 4000))
    mean, half = interval(values)
    expected = stats.ttest_1samp(values[:, 0], 0).confidence_interval()
    assert (mean[0] - half[0], mean[0] + half[0]) == pytest.approx(tuple(expected))
    assert np.mean(np.abs(mean - 3.0) < half) == pytest.approx(0.95, abs=0.012)


@pytest.mark.parametrize("level", [0.5, 0.9, 0.99])
def test_the_level_is_the_level(level: float) -> None:
    mean, half = interval([1.0, 2.0, 4.0], level)
    expected = stats.ttest_1samp([1.0, 2.0, 4.0], 0).confidence_interval(level)
    assert (mean - half, mean + half) == pytest.approx(tuple(expected))


def test_seeds_that_agree_have_an_interval_of_no_width() -> None:
    assert interval([[0.1, 2.0], [0.1, 2.0]])[1].tolist() == [0.0, 0.0]


def test_one_seed_has_no_interval() -> None:
    with pytest.raises(ValueError, match="at least two seeds, got 1"):
        interval([[1.0, 2.0]])


def test_holm_agrees_with_a_worked_example_and_ignores_what_is_missing() -> None:
    np.testing.assert_allclose(holm([0.01, 0.02, 0.03, 0.005]), [0.03, 0.04, 0.04, 0.02])
    np.testing.assert_allclose(holm([0.5, np.nan, 0.6]), [1.0, np.nan, 1.0])
    assert holm([]).size == 0


def test_a_rank_correlation_is_spearmans_and_its_interval_holds_the_seeds() -> None:
    rng = np.random.default_rng(0)
    predicted, noise = rng.normal(size=12), rng.normal(size=(8, 12))
    found, low, high = rank_correlation(predicted, predicted + noise)
    assert found == pytest.approx(stats.spearmanr(predicted, (predicted + noise).mean(axis=0))[0])
    assert low < high < 1
    assert rank_correlation(predicted, np.tile(-predicted, (2, 1))) == pytest.approx((-1.0, -1.0, -1.0))


@pytest.mark.parametrize(("items", "shape"), [(3, (1, 3)), (2, (4, 2)), (3, (4, 2)), (3, (3,))])
def test_a_rank_correlation_needs_items_and_seeds(items: int, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="three items and two seeds"):
        rank_correlation(np.arange(items), np.ones(shape))
