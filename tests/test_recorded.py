"""Recorded races: what was written is read again, records belong to their experiments, every command runs."""

import dataclasses
import json
import os
import subprocess
import sys

import pandas as pd
import pytest

from helpers import data, runtime
from helpers.models import NETWORKS
from helpers.races import recorded, single
from helpers.races.experiments import ARMS, EXPERIMENTS, Experiment
from helpers.races.protocol import Arm
from helpers.races.recorded import _COLUMNS, load, save
from helpers.races.results import Race, Result
from helpers.races.store import Store
from helpers.races.trial import Task, Trial
from tests.notebook_tools import ROOT

pytestmark = pytest.mark.full
DEVICE = runtime.describe(runtime.device())
RECORDED = sorted(name for name in EXPERIMENTS if (recorded.RESULTS / f"{name}.json").exists())


def small() -> Experiment:
    """A race by the rules of a recorded one, with a small network on the embedded digits."""
    whole = EXPERIMENTS["cifar10_cpu_torch"]
    task = dataclasses.replace(
        whole.task, dataset="digits_rgb", network="mlp", train=256, test=100, validation=64, batch_size=64
    )
    less = {"arms": ("constant", "linear decay"), "budgets": (1, 2), "lrs": (0.01, 0.016), "seeds": 2, "tune_seeds": 1}
    return dataclasses.replace(whole, task=task, **less)


@pytest.fixture(scope="module")
def race(tmp_path_factory) -> Race:
    return small().race(tmp_path_factory.mktemp("store"))


def test_what_is_saved_is_what_is_read(race: Race, tmp_path) -> None:
    path = save("cifar10_cpu_torch", race, "the command", tmp_path)
    again = load("cifar10_cpu_torch", tmp_path)
    pd.testing.assert_frame_equal(again.race.summary(), race.summary())
    pd.testing.assert_frame_equal(again.race.report(2), race.report(2))
    assert again.provenance["command"] == "the command"
    said = [*_COLUMNS[:-1], "source", "device", "versions", "framework"]
    pd.testing.assert_frame_equal(again.race.runs[said], race.runs[said])
    day = race.runs["date"].iloc[0][:10]
    versions = f"numpy {runtime.version('numpy')}, torch {runtime.version('torch')}"
    title = EXPERIMENTS["cifar10_cpu_torch"].title
    assert str(again).startswith(f"{title}: {race.source}; {DEVICE}; {versions}; {day}")
    before = path.read_bytes()
    save("cifar10_cpu_torch", race, "the command", tmp_path)
    assert path.read_bytes() == before, "written again, the file is the same"
    assert [path.name for path in tmp_path.glob("*.part")] == []


def test_a_race_that_went_on_elsewhere_says_both_devices(tmp_path, monkeypatch) -> None:
    done, really = [], single.run

    def fourth_is_interrupted(one: Trial) -> Result:
        if len(done) == 3:
            raise KeyboardInterrupt
        done.append(one.key)
        return really(one)

    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(runtime, "describe", lambda _: "cuda, Some Card 9000")
        elsewhere.setattr(runtime, "now", lambda: "2020-02-29T23:59:59+00:00")
        elsewhere.setattr(single, "run", fourth_is_interrupted)
        with pytest.raises(KeyboardInterrupt):
            small().race(tmp_path / "store")
    whole = small().race(tmp_path / "store")
    assert whole.runs.device.value_counts()["cuda, Some Card 9000"] == 3
    save("cifar10_cpu_torch", whole, "the command", tmp_path)
    again = load("cifar10_cpu_torch", tmp_path)
    pd.testing.assert_series_equal(again.race.runs.device, whole.runs.device)
    pd.testing.assert_series_equal(again.race.runs.date, whole.runs.date)
    assert f"cuda, Some Card 9000 and {DEVICE}" in str(again)
    assert "2020-02-29 to " in str(again)


def test_an_interrupted_save_leaves_the_old_record(race: Race, tmp_path, monkeypatch) -> None:
    path = save("cifar10_cpu_torch", race, "old", tmp_path)
    before = path.read_bytes()
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        save("cifar10_cpu_torch", race, "new", tmp_path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("name", RECORDED)
def test_a_record_belongs_to_its_experiment(name: str) -> None:
    record, experiment = load(name), EXPERIMENTS[name]
    about, runs = record.provenance, record.race.runs
    defaults = dataclasses.asdict(Task())  # of what older records could not choose yet
    assert {**defaults, **about["task"]} == json.loads(json.dumps(dataclasses.asdict(experiment.task)))
    assert about["command"].startswith(f"python -m helpers.races.recorded {name}")
    assert {"title", "framework", "reference"} <= set(about)
    for origin in about["origins"]:
        assert {"device", "versions", "source"} <= set(origin)
        assert origin.get("note", "") or runs.date.notna().all(), "what single runs did not keep is said"
    assert tuple(runs.budget.unique()) == experiment.budgets
    tested = runs[(runs.stage == "test") & runs.arm.isin(experiment.arms)]
    assert set(tested.arm) == set(experiment.arms)
    assert (tested.groupby(["arm", "budget"]).seed.nunique() >= experiment.seeds).all()
    if len(experiment.lrs) > 1:
        summary = record.race.summary()
        assert summary[summary.arm.isin(experiment.arms)].inside.all(), "every best rate is inside its grid"


def test_a_record_is_extended_and_its_runs_are_kept(race: Race, tmp_path, monkeypatch) -> None:
    experiment = small()
    monkeypatch.setitem(EXPERIMENTS, "cifar10_cpu_torch", dataclasses.replace(experiment, seeds=3))
    save("cifar10_cpu_torch", race, "the command", tmp_path)
    store = Store(tmp_path / "store")
    assert recorded.take_over("cifar10_cpu_torch", store, tmp_path) == len(race.runs)
    trained, really = [], single.run

    def counted(one: Trial) -> Result:
        trained.append((one.seed, one.final))
        return really(one)

    monkeypatch.setattr(single, "run", counted)
    longer = EXPERIMENTS["cifar10_cpu_torch"].race(tmp_path / "store")
    # a third seed and its control, for two budgets; nothing is tuned again
    assert sorted(trained) == sorted([(102, True)] * 4 + [(1_000_102, True)] * 2)
    kept = longer.runs[longer.runs.seed % 1_000_000 != 102].reset_index(drop=True)
    told = ["arm", "budget", "stage", "lr", "seed", "error", "device", "versions", "date", "seconds"]
    pd.testing.assert_frame_equal(kept[told], race.runs[told])


def test_the_command_extends_one_budget(race: Race, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setitem(EXPERIMENTS, "cifar10_cpu_torch", small())
    monkeypatch.setattr(recorded, "load", lambda name, folder=tmp_path: load(name, folder))
    monkeypatch.setattr(recorded, "save", lambda *told: save(*told, folder=tmp_path))
    monkeypatch.setattr(recorded.take_over, "__defaults__", (tmp_path,))
    save("cifar10_cpu_torch", race, "python -m helpers.races.recorded cifar10_cpu_torch", tmp_path)
    store = ["--store", str(tmp_path / "store")]
    assert recorded.main(["cifar10_cpu_torch", "--extend", "--budget", "2", "--seeds", "3", *store]) == 0
    assert f"{len(race.runs)} runs of the record are kept" in capsys.readouterr().out
    again = load("cifar10_cpu_torch", tmp_path)
    assert again.race.errors(1).equals(race.errors(1))
    assert len(again.race.errors(2)) == 3
    assert again.race.errors(2)[:2].equals(race.errors(2))
    assert again.provenance["command"].endswith("--extend --budget 2 --seeds 3 --jobs 1")
    with pytest.raises(SystemExit, match="has no budget 7: 1, 2"):
        recorded.main(["cifar10_cpu_torch", "--budget", "7", *store])


def test_a_record_of_other_data_is_not_taken_over(race: Race, tmp_path, monkeypatch) -> None:
    experiment = small()
    save("cifar10_cpu_torch", race, "the command", tmp_path)
    other = dataclasses.replace(experiment, task=dataclasses.replace(experiment.task, dataset="digits", train=200))
    monkeypatch.setitem(EXPERIMENTS, "cifar10_cpu_torch", other)
    with pytest.raises(data.DatasetError, match="was recorded on"):
        recorded.take_over("cifar10_cpu_torch", Store(tmp_path / "store"), tmp_path)


def test_there_is_a_record() -> None:
    assert "cifar10_cpu_torch" in RECORDED
    assert "cifar10_cpu_keras" in RECORDED


def test_a_record_that_is_missing_says_how_to_make_it(tmp_path) -> None:
    with pytest.raises(FileNotFoundError, match=r"python -m helpers\.races\.recorded cifar10_94_torch"):
        load("cifar10_94_torch", tmp_path)


def test_every_arm_has_peak_one_and_falls_when_it_should() -> None:
    for name, arm in ARMS.items():
        shape = arm.shape if isinstance(arm, Arm) else arm
        values = [shape(480)(k) for k in range(480)]
        assert max(values) == pytest.approx(1.0, abs=1e-3), name
        assert min(values) >= 0
        assert (values[-1] < 0.02) == ("constant" not in name), name
    for experiment in EXPERIMENTS.values():
        assert set(experiment.arms) <= set(ARMS)
        assert experiment.reference in experiment.arms
        assert experiment.task.network in NETWORKS


def test_the_command_tries(tmp_path) -> None:
    whole = [sys.executable, "-m", "helpers.races.recorded", "cifar10_cpu_torch", "--try", "--store", str(tmp_path)]
    options = {"cwd": ROOT, "env": {**os.environ, "COURSE_BUDGET": "smoke"}, "capture_output": True, "text": True}
    tried = subprocess.run(whole, **options)
    assert tried.returncode == 0, tried.stderr
    assert "1cycle, momentum cycled" in tried.stdout
    assert "test error" in tried.stdout


def test_the_command_lists_and_refuses(capsys) -> None:
    assert recorded.main([]) == 0
    assert "cifar10_cpu_torch: CIFAR-10, narrow ResNet-9, on a CPU (recorded)" in capsys.readouterr().out
    with pytest.raises(SystemExit) as stopped:
        recorded.main(["cifar100"])
    assert stopped.value.code == 2
    assert "invalid choice" in capsys.readouterr().err


def test_a_stand_in_is_not_recorded(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(Task, "data", lambda self, *, final: data.load("digits_rgb"))
    monkeypatch.setattr(recorded, "save", lambda *_: pytest.fail("recorded"))
    assert recorded.main(["cifar10_cpu_torch", "--store", str(tmp_path / "store")]) == 1
    assert "cifar10 is not here: nothing is recorded" in capsys.readouterr().err
    assert not (tmp_path / "store").exists()


def test_a_recipe_is_repeated_without_tuning() -> None:
    name = "cifar10_94_torch"
    small = EXPERIMENTS[name].small()
    task = dataclasses.replace(small.task, dataset="digits_rgb", network="resnet9 narrow", train=512)
    race = dataclasses.replace(small, task=task).race()
    assert set(race.runs.stage) == {"test"}
    assert set(race.runs.lr) == {0.4}
    assert race.summary().n.tolist() == [2]
