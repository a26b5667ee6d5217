"""The synthesis: only what was tuned and repeated enough stands in the table, and it says what the records say."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from helpers.races import recorded, synthesis
from helpers.races.experiments import EXPERIMENTS
from helpers.races.results import Race
from helpers.races.synthesis import REFERENCE, SEEDS, Workload, shown, table, verdicts
from tests.notebook_tools import ROOT

RATES = (0.05, 0.08, 0.128)


def runs(arm: str, errors: list[float], best: float) -> pd.DataFrame:
    """Tuned over ``RATES`` with its best at ``best``, then tested once for each error."""
    tuned = [("tune", lr, 0, 3.0 + abs(lr - best)) for lr in RATES]
    tested = [("test", best, 100 + seed, error) for seed, error in enumerate(errors)]
    frame = pd.DataFrame(tuned + tested, columns=["stage", "lr", "seed", "error"])
    told = {"budget": 3.0, "updates": 8, "diverged": False, "loss": 1.0, "seconds": 1.0, "date": "2026-01-01"}
    return frame.assign(arm=arm, source="MNIST", device="CPU", versions="torch", framework="torch", **told)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    noise = np.random.default_rng(0).normal(0, 0.05, SEEDS)
    base = 3.0 + noise
    arms = {
        REFERENCE: (base, 0.08),
        "cosine": (base + 0.4 + 0.01 * noise[::-1], 0.08),
        "1cycle": (base - 0.4 + 0.01 * noise[::-1], 0.08),
        "WSD": (base + np.tile([0.3, -0.3], SEEDS // 2), 0.08),
        "constant": (base + 1 + noise[::-1], 0.128),  # at the edge of its grid
    }
    every = pd.concat([runs(arm, list(errors), best) for arm, (errors, best) in arms.items()], ignore_index=True)
    whole = EXPERIMENTS["mnist_mlp"]
    monkeypatch.setitem(EXPERIMENTS, "mnist_mlp", dataclasses.replace(whole, arms=tuple(arms)))
    recorded.save("mnist_mlp", Race(every, REFERENCE), "the command", tmp_path)
    monkeypatch.setattr(synthesis, "WORKLOADS", (Workload("mnist_mlp", 3, "MLP"),))
    return tmp_path


def test_only_what_was_tuned_and_repeated_is_told(folder) -> None:
    found = table(folder).set_index("schedule")
    assert set(found.index) == {REFERENCE, "cosine", "1cycle", "WSD"}
    assert found.difference["cosine"] == pytest.approx(0.4, abs=0.01)
    assert (found.n == SEEDS).all()
    summary = recorded.load("mnist_mlp", folder).race.summary().set_index("arm")
    assert found.half_width["WSD"] == summary.difference_half_width["WSD"]


def test_too_few_seeds_are_left_blank(folder, monkeypatch) -> None:
    monkeypatch.setattr(synthesis, "SEEDS", SEEDS + 1)
    assert table(folder).empty


def test_people_see_a_row_for_each_schedule(folder) -> None:
    wide = shown(table(folder)).set_index("schedule")
    assert list(wide.index) == [REFERENCE, "cosine", "WSD", "1cycle"]
    assert wide.MLP[REFERENCE].endswith(" %")
    assert wide.MLP["cosine"].startswith("+0.40 ± ")
    assert wide.MLP["WSD"].endswith("(n.d.)")


def test_a_verdict_says_better_worse_or_nothing(folder) -> None:
    found = verdicts(table(folder)).set_index("schedule")
    assert found.worse["cosine"] == found.better["1cycle"] == found["not distinguishable"]["WSD"] == "MLP"
    assert not found.disagree.any()


def test_a_workload_that_is_not_recorded_says_how_to_make_it(tmp_path) -> None:
    with pytest.raises(FileNotFoundError, match=r"python -m helpers\.races\.recorded mnist_mlp"):
        table(tmp_path)


def test_the_readme_shows_what_is_recorded_today() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert synthesis.as_markdown(table()) in readme, "python -m helpers.races.synthesis prints the table"


def test_every_workload_is_an_experiment() -> None:
    for workload in synthesis.WORKLOADS:
        assert workload.budget in EXPERIMENTS[workload.record].budgets
        assert workload.schedule(EXPERIMENTS[workload.record].reference, ()) == REFERENCE
