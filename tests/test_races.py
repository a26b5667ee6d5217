"""The race: same results in any engine, after any interruption; statistics of the runs."""

import dataclasses
import json
import math
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable

import distributed
import joblib
import keras
import numpy as np
import pandas as pd
import pytest
import torch
from joblib._parallel_backends import SequentialBackend

from helpers import data, for_keras, for_torch, models, runtime, schedules, training
from helpers.models import NETWORKS
from helpers.races import single, vmapped, worker
from helpers.races.engine import run_all
from helpers.races.protocol import Arm, at_one_rate, race, tune
from helpers.races.results import Race, Result
from helpers.races.store import Store
from helpers.races.trial import Task, Trial
from helpers.recipe import Recipe

pytestmark = pytest.mark.full

TASK = Task("digits", train=640, test=200, validation=128, batch_size=64)
ARMS = {
    "constant": lambda updates: schedules.constant(1.0),
    "line": lambda updates: schedules.linear(1.0, 0.0, updates),
}
SMALL = {"budgets": [0.5, 1], "lrs": [0.04, 0.06, 0.09], "seeds": [10, 11], "tune_seeds": [0], "reference": "line"}


@pytest.fixture(scope="module")
def alone() -> Race:
    return race(ARMS, TASK, **SMALL)


def csv(result: Race) -> str:
    """Everything but the time it took, which is another one each time."""
    return result.runs.drop(columns=["seconds", "date"]).to_csv()


# ------------------------------------------------------------------------------------------ runs
def by_hand(task: Task, plan: schedules.Schedule, updates: int, seed: int, framework: str) -> training.Run:
    """What a trial should be, as a lesson would train it."""
    dataset, build = task.data(final=True), getattr(NETWORKS[task.network], framework)
    sgd = {"momentum": task.momentum, "nesterov": task.nesterov, "weight_decay": task.weight_decay}
    options = {"updates": updates, "batch_size": task.batch_size, "seed": seed, "recipe": task.recipe}
    with training.keras_precision(task.recipe):
        model = build(dataset.image_shape, seed=seed)
    if framework == "keras":
        optimizer = for_keras.SGD(plan, steps=updates, torch_rule=task.torch_rule, **sgd)
        return training.fit_keras(model, optimizer, dataset, **options)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0, **sgd)
    for_torch.drive(optimizer, plan)
    return training.fit_torch(model, optimizer, dataset, **options)


WHOLE_RECIPE = Task(
    "digits_rgb",
    "resnet9 narrow",
    train=256,
    test=100,
    validation=128,
    batch_size=64,
    nesterov=True,
    weight_decay=0.05,
    torch_rule=True,
    recipe=Recipe(flip=True, pad=2, cutout=4, label_smoothing=0.1, bfloat16=True, channels_last=True),
)


@pytest.mark.parametrize("framework", ["torch", "keras"])
@pytest.mark.parametrize("task", [TASK, WHOLE_RECIPE], ids=["plain", "whole recipe"])
def test_a_trial_is_the_run_of_a_lesson(task: Task, framework: str) -> None:
    plan = schedules.linear(0.1, 0.0, 8)
    one = Trial(task, plan, 8, seed=3, framework=framework, final=True)
    again = Trial.from_specification(json.loads(json.dumps(one.specification)))
    assert (again.key, again.task) == (one.key, one.task)
    found, run = single.run(again), by_hand(task, plan, 8, 3, framework)
    assert found.loss == pytest.approx(run.evaluations[-1]["loss"], rel=1e-4)
    assert found.error == pytest.approx(100 * (1 - run.accuracy), abs=0.01)
    assert not found.diverged


def test_tuning_never_sees_the_test_images() -> None:
    held_out, final = TASK.data(final=False), TASK.data(final=True)
    assert len(held_out.x_test) == 128
    assert (held_out.x_test == final.x_train[-128:]).all()
    assert len(held_out.x_train) == 512
    assert len(final.x_train) == 640


@pytest.mark.parametrize("network", ["mlp", "cnn"])
def test_the_tail_is_the_mean_of_the_last_weights(network: str) -> None:
    task = Task("digits", network, train=640, test=200, validation=128, batch_size=64, momentum=0.0)
    plan = schedules.constant(0.05)
    found = single.run(Trial(task, plan, 10, seed=0, final=True, tail=0.3))
    dataset, kept = task.data(final=True), []
    model = NETWORKS[network].torch(dataset.image_shape, seed=0)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    optimizer.register_step_post_hook(lambda *_: kept.append([w.detach().clone() for w in model.parameters()]))
    training.fit_torch(model, optimizer, dataset, updates=10, batch_size=64, seed=0)
    with torch.no_grad():
        for weight, *last in zip(model.parameters(), *kept[-3:], strict=True):
            weight.copy_(torch.stack(last).mean(0))
    if network == "mlp":
        assert found.loss == pytest.approx(training.evaluate_torch(model, dataset)["loss"], rel=1e-3)
    else:  # BatchNorm's statistics are recomputed for the averaged weights
        stale = training.evaluate_torch(model, dataset)["loss"]
        assert found.loss != pytest.approx(stale, rel=1e-3)


def test_fresh_statistics_belong_to_the_weights_that_are_tested() -> None:
    task, plan = dataclasses.replace(TASK, network="cnn"), schedules.constant(0.5)
    kept, fresh = (single.run(Trial(task, plan, 12, seed=0, final=True, fresh=fresh)) for fresh in (False, True))
    assert fresh.loss < kept.loss, "at a high rate the moving averages lag behind"
    dataset = task.data(final=True)
    model = models.cnn_torch(dataset.image_shape, seed=0)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5, momentum=0.9)
    training.fit_torch(model, optimizer, dataset, updates=12, batch_size=64, seed=0)
    norms = [module for module in model.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    for module in norms:  # by hand: the plain mean over the batches of one epoch
        module.reset_running_stats()
        module.momentum = None
    feed = training.Feed(dataset, Recipe(), 0, "cpu")
    with torch.no_grad():
        for update, indices in enumerate(training.batches(640, 64, 1, 0)):
            model(feed(update, indices)[0].permute(0, 3, 1, 2))
    assert fresh.loss == pytest.approx(training.evaluate_torch(model, dataset)["loss"], rel=1e-3)


def test_a_run_that_diverges_is_a_result() -> None:
    found = single.run(Trial(TASK, schedules.constant(1e20), 8, seed=0))
    assert found.diverged
    assert math.isnan(found.error)


DATE = r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00"


@pytest.mark.parametrize("framework", ["torch", "keras"])
def test_a_result_says_where_it_comes_from(framework: str) -> None:
    one = Trial(TASK, schedules.linear(0.1, 0.0, 8), 8, seed=0, framework=framework, final=True)
    before = time.perf_counter()
    found = single.run(one)
    assert 0 < found.seconds < time.perf_counter() - before
    assert re.fullmatch(DATE, found.date)
    assert found.source == TASK.data(final=True).source
    if framework == "torch" or keras.backend.backend() == "torch":
        assert found.device == runtime.describe(runtime.device())
    used = ["numpy", "torch"] if framework == "torch" else ["keras", "numpy", keras.backend.backend()]
    assert found.versions == ", ".join(f"{package} {runtime.version(package)}" for package in used)
    assert Result.from_dict(json.loads(json.dumps(found.to_dict()))) == found


def test_vmapped_runs_say_where_they_come_from_and_share_the_time() -> None:
    plans = {"line": schedules.linear(0.1, 0.0, 8), "constant": schedules.constant(0.1)}
    trials = [Trial(TASK, plan, 8, 0, vmapped=True) for name, plan in plans.items()]
    alone, before = single.run(dataclasses.replace(trials[0], vmapped=False)), time.perf_counter()
    found = list(run_all(trials, Store()).values())
    assert 0 < sum(result.seconds for result in found) < time.perf_counter() - before
    for result in found:
        assert re.fullmatch(DATE, result.date)
        assert (result.source, result.device, result.versions) == (alone.source, alone.device, alone.versions)


def test_a_card_is_called_by_its_name(monkeypatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "Some Card 9000")
    assert runtime.describe("cuda") == "cuda, Some Card 9000"
    assert runtime.describe("mps") == "mps"


# -------------------------------------------------------------------------------------- the data
SMALL_CIFAR = Task("cifar10", train=200, test=50, validation=64, batch_size=64)


@pytest.fixture
def arrive(tmp_path, monkeypatch) -> Callable[[], None]:
    """A data folder that is empty, and no network; call it, and a real data set of a few images is there."""
    folder = tmp_path / "data"
    monkeypatch.setenv("COURSE_DATA", str(folder))
    monkeypatch.setattr(data, "HOSTS", dict.fromkeys(data.HOSTS, "http://127.0.0.1:9/nothing"))
    monkeypatch.setattr(data, "SHAPES", {"cifar10": (300, 60, (32, 32, 3))})
    rng = np.random.default_rng(0)
    arrays = {
        f"{what}_{part}": rng.integers(0, top, (count, *shape)).astype(np.uint8)
        for part, count in (("train", 300), ("test", 60))
        for what, top, shape in (("x", 256, (32, 32, 3)), ("y", 10, ()))
    }
    return lambda: data._write("cifar10", arrays, "CIFAR-10")


def cifar_trial(**options) -> Trial:
    return Trial(SMALL_CIFAR, schedules.linear(0.1, 0.0, 4), 4, seed=0, **{"final": True, **options})


@pytest.mark.parametrize("vmapped_", [False, True])
def test_a_stand_in_and_the_real_data_give_two_results(arrive, tmp_path, vmapped_: bool) -> None:
    folder = tmp_path / "runs"
    (on_digits,) = run_all([cifar_trial(vmapped=vmapped_)], Store(folder)).values()
    arrive()
    (real,) = run_all([cifar_trial(vmapped=vmapped_)], Store(folder)).values()
    assert on_digits.source.startswith("scikit-learn's handwritten digits")
    assert real.source == "CIFAR-10, 200 training and 50 test images"
    assert len(list(folder.glob("*.json"))) == 2
    (again,) = run_all([cifar_trial(vmapped=vmapped_)], Store(folder)).values()
    assert again == real


@pytest.mark.parametrize("train", [single.run, lambda one: worker.run(one.specification)], ids=["here", "in a worker"])
def test_a_run_that_finds_other_images_than_planned_fails(arrive, train) -> None:
    planned = cifar_trial()
    arrive()
    with pytest.raises(data.DatasetError, match=r"planned on .*digits.* found 'CIFAR-10, 200"):
        train(planned)


def test_a_stack_that_finds_other_images_than_planned_fails_and_keeps_nothing(arrive, tmp_path) -> None:
    planned = cifar_trial(vmapped=True)
    arrive()
    with pytest.raises(data.DatasetError, match=r"planned on .*digits.* found 'CIFAR-10, 200"):
        run_all([planned], Store(tmp_path / "runs"))
    assert list((tmp_path / "runs").iterdir()) == []


def test_a_race_on_two_sources_is_refused(arrive) -> None:
    options = {"budgets": [1], "lr": 0.05, "seeds": [1, 2]}
    on_digits = at_one_rate(ARMS, SMALL_CIFAR, **options)
    arrive()
    real = at_one_rate(ARMS, SMALL_CIFAR, **options)
    assert Race(real, "line").source == "CIFAR-10, 200 training and 50 test images"
    with pytest.raises(
        ValueError, match=r"2 sources at stage 'test': scikit-learn's handwritten digits.*; CIFAR-10, 200"
    ):
        Race(pd.concat([on_digits, real]), "line")
    with pytest.raises(
        ValueError, match=r"2 sources at stage 'tune': scikit-learn's handwritten digits.*; CIFAR-10, 200"
    ):
        Race(pd.concat([on_digits, real]).assign(stage="tune"), "line")
    with pytest.raises(
        ValueError, match=r"tuned on images of one source and tested on another: scikit.*; CIFAR-10, 200"
    ):
        Race(pd.concat([on_digits.assign(stage="tune"), real]), "line")


# ----------------------------------------------------------------------------------------- store
RESULT = Result(2.0, 0.1, "made up", "cpu", "numpy 2.4.6", 1.0, "2026-11-24T00:00:00+00:00")


def test_a_result_is_kept_whole_or_not_at_all(tmp_path, monkeypatch) -> None:
    one = Trial(TASK, schedules.constant(0.1), 8, seed=0)
    store = Store(tmp_path / "runs")
    assert store.get(one) is None

    def fail(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", fail)
        with pytest.raises(KeyboardInterrupt):
            store.put(one, RESULT)
    assert Store(tmp_path / "runs").get(one) is None
    for result in (RESULT, dataclasses.replace(RESULT, error=math.nan, loss=math.nan)):
        store.put(one, result)
        assert repr(Store(tmp_path / "runs").get(one)) == repr(result)


@pytest.mark.parametrize(
    "text", ["", '{"specification": {}, "result"', '{"specification": {"seed": 5}, "result": {}}', "[]"]
)
def test_a_broken_or_foreign_file_is_set_aside(tmp_path, text: str) -> None:
    one = Trial(TASK, schedules.constant(0.1), 8, seed=0)
    path = tmp_path / f"{one.key}.json"
    path.write_text(text, "utf-8")
    assert Store(tmp_path).get(one) is None
    assert not path.exists()
    assert path.with_suffix(".broken").read_text("utf-8") == text


def test_everything_that_matters_is_in_the_key() -> None:
    plan = schedules.constant(0.1)
    base = Trial(TASK, plan, 8, seed=0)
    others = [
        Trial(Task("digits"), plan, 8, seed=0),
        Trial(TASK, schedules.constant(0.2), 8, seed=0),
        Trial(TASK, plan, 9, seed=0),
        Trial(TASK, plan, 8, seed=1),
        Trial(TASK, plan, 8, seed=0, framework="keras"),
        Trial(TASK, plan, 8, seed=0, final=True),
        Trial(TASK, plan, 8, seed=0, tail=0.2),
        Trial(TASK, plan, 8, seed=0, fresh=True),
        Trial(dataclasses.replace(TASK, weight_decay=1e-4), plan, 8, seed=0),
        Trial(dataclasses.replace(TASK, recipe=Recipe(flip=True)), plan, 8, seed=0),
    ]
    assert len({base.key, *(other.key for other in others)}) == 11
    again = Trial.from_specification(dict(reversed(json.loads(json.dumps(base.specification)).items())))
    assert again.key == base.key, "in any order"


def test_a_label_is_not_in_the_key() -> None:
    plan = schedules.constant(0.1)
    one, renamed = (Trial(TASK, plan, 8, seed=0) for name in ("line", "linear decay"))
    assert one.key == renamed.key
    assert "line" not in json.dumps(one.specification)


def test_renaming_an_arm_trains_nothing_again(alone: Race, tmp_path, monkeypatch) -> None:
    race(ARMS, TASK, **SMALL, store=tmp_path)
    monkeypatch.setattr(single, "run", lambda _: pytest.fail("trained again"))
    names = {"constant": "flat", "line": "linear decay"}
    arms = {names[name]: shape for name, shape in ARMS.items()}
    again = race(arms, TASK, **{**SMALL, "reference": "linear decay"}, store=tmp_path)
    assert again.runs.arm.unique().tolist() == ["flat", "linear decay", "linear decay, other seeds"]
    pd.testing.assert_series_equal(again.runs.error, alone.runs.error)


def test_a_trial_of_another_format_is_refused() -> None:
    specification = Trial(TASK, schedules.constant(0.1), 8, seed=0).specification
    assert specification["format"] == 4
    with pytest.raises(ValueError, match="written in format 3, this is format 4"):
        Trial.from_specification({**specification, "format": 3})
    old = {key: value for key, value in specification.items() if key != "format"} | {"recipe": 1, "arm": "line"}
    with pytest.raises(ValueError, match="written in format None, this is format 4"):
        Trial.from_specification(old)


# --------------------------------------------------------------------------------------- engines
def test_two_processes_give_the_same_race(alone: Race) -> None:
    assert csv(race(ARMS_PICKLED, TASK, **SMALL, jobs=2)) == csv(alone)


def test_vmapped_runs_give_the_same_race_up_to_rounding(alone: Race, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(vmapped, "MOST", 5)  # in several groups
    as_one = race(ARMS, TASK, **SMALL, vmapped=True, store=tmp_path)
    about = ["arm", "budget", "updates", "stage", "lr", "seed", "diverged", "source"]
    tuned, before = (r.runs[r.runs.stage == "tune"] for r in (as_one, alone))
    pd.testing.assert_frame_equal(tuned[about], before[about])
    np.testing.assert_allclose(tuned.error, before.error, atol=1.0)
    np.testing.assert_allclose(tuned.loss, before.loss, rtol=1e-3)
    specifications = [json.loads(path.read_text("utf-8"))["specification"] for path in tmp_path.glob("*.json")]
    assert all(specification["vmapped"] for specification in specifications)
    monkeypatch.setattr(vmapped, "run", lambda stack: pytest.fail("trained again"))
    assert csv(race(ARMS, TASK, **SMALL, vmapped=True, store=tmp_path)) == csv(as_one)


def test_what_cannot_be_vmapped_is_trained_alone() -> None:
    plan = schedules.linear(0.1, 0.0, 8)
    assert Trial(TASK, plan, 8, seed=0).can_be_vmapped
    cannot = [
        Trial(TASK, plan, 8, seed=0, framework="keras"),
        Trial(TASK, plan, 8, seed=0, tail=0.2),
        Trial(TASK, schedules.linear(0.1, 0.0, 8).with_momentum(0.9), 8, seed=0),
        Trial(dataclasses.replace(TASK, network="cnn"), plan, 8, seed=0),
        Trial(dataclasses.replace(TASK, nesterov=True), plan, 8, seed=0),
        Trial(dataclasses.replace(TASK, weight_decay=1e-4), plan, 8, seed=0),
        Trial(dataclasses.replace(TASK, recipe=Recipe(pad=1)), plan, 8, seed=0),
    ]
    assert not any(one.can_be_vmapped for one in cannot)
    with pytest.raises(ValueError, match="vmapped are PyTorch runs of a network without BatchNorm"):
        dataclasses.replace(cannot[0], vmapped=True)
    mixed = race({**ARMS, "tail": Arm(constant_shape, tail=0.2)}, TASK, **{**SMALL, "budgets": [0.5]}, vmapped=True)
    assert set(mixed.summary().arm) == {"constant", "line", "tail", "line, other seeds"}


def test_stacks_hold_what_is_asked_for_and_nothing_else(monkeypatch) -> None:
    plans = [shape(8) for shape in ARMS.values()]
    wanted = [Trial(TASK, plan, 8, seed, vmapped=True) for plan in plans for seed in (1, 2, 3)]
    wanted += [Trial(TASK, plans[1], 8, seed, vmapped=True) for seed in (4, 5)]  # as a control has them
    groups = list(vmapped.stacks(wanted))
    assert sorted(trial.key for group in groups for trial in group) == sorted(trial.key for trial in wanted)
    for group in groups:
        seeds, rows = {trial.seed for trial in group}, {trial.schedule for trial in group}
        assert len(group) == len(seeds) * len(rows), "no run is trained that nobody asked for"
    monkeypatch.setattr(vmapped, "MOST", 3)
    assert all(len(group) <= 5 for group in vmapped.stacks(wanted)), "at least one schedule at a time"


def test_one_of_a_stack_that_diverges_is_a_result_as_well() -> None:
    plans = {"huge": schedules.constant(1e20), "line": schedules.linear(0.1, 0.0, 8)}
    trials = [Trial(TASK, plan, 8, seed=0, vmapped=True) for plan in plans.values()]
    found = run_all(trials, Store())
    assert [found[trial.key].diverged for trial in trials] == [True, False]
    assert math.isnan(found[trials[0].key].loss)


def test_a_dask_cluster_gives_the_same_race(alone: Race) -> None:
    options = {"n_workers": 2, "threads_per_worker": 1, "host": "127.0.0.1", "dashboard_address": None}
    with (
        distributed.LocalCluster(**options) as cluster,
        distributed.Client(cluster),
        joblib.parallel_config(backend="dask"),
    ):
        result = race(ARMS_PICKLED, TASK, **SMALL)
    assert csv(result) == csv(alone)


class WholeLists(SequentialBackend):
    """An engine without generators, as Ray's is."""

    supports_return_generator = False


def test_an_engine_that_gives_back_whole_lists_gives_the_same_race(alone: Race, tmp_path, monkeypatch) -> None:
    joblib.register_parallel_backend("whole lists", WholeLists)
    stored, put = [], Store.put
    monkeypatch.setattr(Store, "put", lambda self, one, result: (stored.append(one.key), put(self, one, result)))
    trained, really = [], single.run
    monkeypatch.setattr(single, "run", lambda one: (trained.append(len(stored)), really(one))[1])
    with joblib.parallel_config(backend="whole lists"):
        result = race(ARMS, TASK, **SMALL, store=tmp_path)
    assert csv(result) == csv(alone)
    assert trained == list(range(len(trained))), "every run is stored before the next one begins"


def constant_shape(updates: int):
    return schedules.constant(1.0)


def line_shape(updates: int):
    return schedules.linear(1.0, 0.0, updates)


ARMS_PICKLED = {"constant": constant_shape, "line": line_shape}


@pytest.mark.parametrize("kills", [1, pytest.param(4, marks=pytest.mark.slow)])
def test_a_race_that_was_killed_ends_as_if_it_had_not_been(alone: Race, tmp_path, kills: int) -> None:
    code = f"""
from helpers import schedules
from helpers.races.protocol import Task, race
race({{"constant": lambda n: schedules.constant(1.0), "line": lambda n: schedules.linear(1.0, 0.0, n)}},
     Task("digits", train=640, test=200, validation=128, batch_size=64), store={str(tmp_path)!r}, **{SMALL!r})
"""
    before: dict[str, int] = {}
    for _ in range(kills):
        process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)
        wanted, deadline = len(before) + 4, time.monotonic() + 120
        while len(list(tmp_path.glob("*.json"))) < wanted and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.002)
        process.kill()
        process.wait()
        now = {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("*.json")}
        assert len(now) >= wanted
        assert before.items() <= now.items(), "what was done is not done again"
        before = now
    again = race(ARMS, TASK, **SMALL, store=tmp_path)
    assert csv(again) == csv(alone)
    after = {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("*.json")}
    assert before.items() <= after.items(), "what was done is not done again"
    third = race(ARMS, TASK, **SMALL, store=tmp_path)
    assert csv(third) == csv(alone)


def test_the_runs_in_flight_are_all_that_an_interruption_loses(tmp_path, monkeypatch) -> None:
    trained, really = [], single.run

    def third_is_interrupted(one: Trial):
        if len(trained) == 2:
            raise KeyboardInterrupt
        trained.append(one.key)
        return really(one)

    monkeypatch.setattr(single, "run", third_is_interrupted)
    with pytest.raises(KeyboardInterrupt):
        race(ARMS, TASK, **SMALL, store=tmp_path)
    assert sorted(path.stem for path in tmp_path.glob("*.json")) == sorted(trained)


# ------------------------------------------------------------------------------------ the protocol
def test_the_grid_grows_until_the_best_is_inside() -> None:
    low = {**SMALL, "lrs": [0.001, 0.0016], "budgets": [1]}
    summary = race(ARMS, TASK, **low).summary().set_index("arm")
    assert summary.loc["constant", "inside"]
    assert summary.loc["line", "inside"]
    assert summary.loc["line", "lr"] > 0.0016


def test_one_arm_is_tuned_as_in_a_race(alone: Race, tmp_path) -> None:
    options = {"lrs": SMALL["lrs"], "seeds": SMALL["tune_seeds"]}
    found = tune(ARMS["line"], TASK, budget=1, **options, store=tmp_path)
    in_the_race = alone.tuning(1)["line"].dropna()
    assert found.errors == in_the_race.to_dict()
    assert found.lr == in_the_race.idxmin()
    assert sorted(found.runs.lr) == sorted(in_the_race.index)
    kept = {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("*.json")}
    assert tune(ARMS["line"], TASK, budget=1, **options, store=tmp_path).errors == found.errors
    assert {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("*.json")} == kept
    with pytest.raises(ValueError, match="rising by factors of at most"):
        tune(ARMS["line"], TASK, budget=1, lrs=[0.1, 0.2], store=tmp_path / "never")
    assert not (tmp_path / "never").exists()


def test_races_that_share_a_store_train_what_they_share_once(alone: Race, monkeypatch) -> None:
    store = Store()
    race(ARMS, TASK, **SMALL, store=store)
    monkeypatch.setattr(single, "run", lambda _: pytest.fail("trained again"))
    assert csv(race(ARMS, TASK, **SMALL, store=store)) == csv(alone)


def test_one_rate_is_one_rate_and_nothing_is_tuned() -> None:
    runs = at_one_rate(ARMS, TASK, budgets=[0.5], lr=0.06, seeds=[10, 11])
    assert runs[["arm", "stage", "lr", "seed"]].to_numpy().tolist() == [
        [arm, "test", 0.06, seed] for arm in ARMS for seed in (10, 11)
    ]
    assert "held out" not in runs.source.iloc[0]
    assert Race(runs, "line").summary().n.tolist() == [2, 2]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seeds": []}, "seeds: at least one"),
        ({"budgets": [0]}, "budgets: epochs above 0"),
        ({"lr": -0.1}, "-0.1"),
    ],
)
def test_a_bad_single_rate_is_a_sentence_before_the_first_run(change: dict, message: str, monkeypatch) -> None:
    monkeypatch.setattr(single, "run", lambda _: pytest.fail("a run was trained"))
    with pytest.raises(ValueError, match=message):
        at_one_rate(ARMS, TASK, **{"budgets": [1], "lr": 0.1, "seeds": [1], **change})


def test_seeds_are_paired_and_the_control_has_others(alone: Race) -> None:
    tested = alone.runs[alone.runs.stage == "test"]
    for _, part in tested.groupby("budget"):
        seeds = part.groupby("arm")["seed"].apply(list)
        assert seeds["constant"] == seeds["line"] == [10, 11]
        assert not set(seeds["line, other seeds"]) & {0, 10, 11}
    assert set(alone.runs[alone.runs.stage == "tune"].seed) == {0}
    assert "128 training images held out" in alone.runs[alone.runs.stage == "tune"].source.iloc[0]
    assert "held out" not in alone.source


def test_the_summary_is_the_arithmetic_of_the_runs(alone: Race) -> None:
    summary = alone.summary()
    errors = alone.errors(1)
    row = summary[(summary.arm == "constant") & (summary.budget == 1)].iloc[0]
    assert row.error == pytest.approx(errors["constant"].mean())
    assert row.difference == pytest.approx((errors["constant"] - errors["line"]).mean())
    assert row.n == 2
    chosen = alone.tuning(1)["constant"].idxmin()
    assert row.lr == chosen


def frame(errors: dict[str, dict[float, list[float]]], stage: str = "test") -> pd.DataFrame:
    rows = [
        {"arm": arm, "budget": budget, "stage": stage, "lr": 0.1, "seed": seed, "error": error}
        | {"diverged": error is None, "source": "made up", "loss": 0.0, "updates": 1, "framework": "torch"}
        for arm, of_budgets in errors.items()
        for budget, values in of_budgets.items()
        for seed, error in enumerate(values)
    ]
    return pd.DataFrame(rows)


def test_speed_up_is_read_off_straight_lines_on_logarithmic_axes() -> None:
    slow = {budget: [8.0 / math.sqrt(budget)] * 2 for budget in (1.0, 2.0, 4.0, 16.0)}
    fast = {budget: [8.0 / math.sqrt(3 * budget)] * 2 for budget in (1.0, 4.0)}
    result = Race(frame({"slow": slow, "fast": fast}), "slow").speed_up("fast", "slow")
    np.testing.assert_allclose(result.speed_up, [3.0, 3.0])
    beyond = Race(frame({"slow": slow, "fast": {8.0: [0.1, 0.1]}}), "slow").speed_up("fast", "slow")
    assert beyond.speed_up[0] == beyond.low[0] == beyond.high[0] == math.inf


def test_the_interval_of_a_speed_up_holds_the_luck_of_the_seeds() -> None:
    noise = np.random.default_rng(1).normal(0, 0.02, (3, 8))
    slow = {b: list(8.0 / math.sqrt(b) * (1 + of)) for b, of in zip((1.0, 4.0, 16.0), noise, strict=True)}
    fast = {4.0: [8.0 / math.sqrt(3 * 4.0)] * 8}
    row = Race(frame({"slow": slow, "fast": fast}), "slow").speed_up("fast", "slow").iloc[0]
    # d log s = 2 d log e: the interval of a mean of eight, twice as wide, half from either end of the curve's piece
    assert row.low < row.speed_up < row.high
    assert 0.01 < math.log(row.high / row.low) < 4 * 2 * 2 * 0.02 / math.sqrt(8)
    steady = Race(frame({"slow": {b: [e[0]] * 8 for b, e in slow.items()}, "fast": fast}), "slow")
    flat = steady.speed_up("fast", "slow").iloc[0]
    assert flat.low == pytest.approx(flat.high)
    shared = {b: [8.0 / math.sqrt(b) * (1 + x) for x in (-0.3, 0.0, 0.3)] for b in (1.0, 4.0)}
    same = Race(frame({"a": shared, "b": shared}), "a").speed_up("b", "a")
    assert (same.low == same.high).all(), "paired by seed: nothing but what the seeds share is left"
    np.testing.assert_allclose(same.speed_up, 1)


def test_a_seed_that_diverged_is_in_neither_curve_of_a_speed_up() -> None:
    slow = {1.0: [9.0, 8.0, 8.0], 4.0: [4.0, 4.0, 4.0]}
    race = Race(frame({"slow": slow, "fast": {1.0: [None, 4.0, 4.0]}}), "slow")
    assert race.speed_up("fast", "slow").speed_up.tolist() == pytest.approx([4.0])


def test_divergences_are_counted_and_not_averaged() -> None:
    runs = frame({"a": {1.0: [2.0, None, 4.0]}, "b": {1.0: [1.0, 1.0, 1.0]}})
    tuned = frame({"a": {1.0: [2.0]}, "b": {1.0: [None]}}, stage="tune")
    result = Race(pd.concat([runs, tuned]), "b")
    row = result.summary().set_index("arm").loc["a"]
    assert (row.error, row.diverged, row.difference) == (3.0, 1, 2.0)
    assert result.tuning(1.0)["b"].iloc[0] == 100.0


# -------------------------------------------------------------------------------------- bad input
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"reference": "cosine"}, "the reference 'cosine' is not in the race: constant, line"),
        ({"seeds": [1]}, "seeds: at least two"),
        ({"seeds": [1, 1]}, "seeds: at least two, different"),
        ({"seeds": [0, 1]}, "none of the seeds that are tested"),
        ({"tune_seeds": []}, "tune_seeds: at least one"),
        ({"budgets": []}, "budgets: epochs above 0"),
        ({"budgets": [0]}, "budgets: epochs above 0"),
        ({"lrs": [0.1]}, "lrs: at least two"),
        ({"lrs": [0.1, 0.2]}, "rising by factors of at most 1.6"),
        ({"lrs": [0.1, 0.05]}, "rising by factors of at most 1.6"),
        ({"framework": "jax"}, "framework must be 'torch' or 'keras', got 'jax'"),
    ],
)
def test_bad_input_is_a_sentence_before_the_first_run(change: dict, message: str, monkeypatch) -> None:
    monkeypatch.setattr(single, "run", lambda _: pytest.fail("a run was trained"))
    with pytest.raises(ValueError, match=message):
        race(ARMS, TASK, **{**SMALL, **change})


def test_weight_decay_in_keras_must_be_asked_for_by_pytorchs_rule() -> None:
    task = dataclasses.replace(TASK, weight_decay=1e-4)
    with pytest.raises(ValueError, match="ask for torch_rule=True"):
        race(ARMS, task, **SMALL, framework="keras")


def test_unknown_networks_and_averaging_in_keras_are_refused() -> None:
    with pytest.raises(ValueError, match="unknown network 'resnet': choose from"):
        Task(network="resnet")
    with pytest.raises(ValueError, match="PyTorch only"):
        race({"tail": Arm(constant_shape, tail=0.2), "line": line_shape}, TASK, **SMALL, framework="keras")


# ------------------------------------------------------------------------------------------ text
TEXT = Task(
    "stdlib_text",
    "transformer",
    train=20_000,
    test=8,
    validation=4_000,
    batch_size=4,
    weight_decay=0.1,
    context=16,
    optimizer="adamw",
    beta_2=0.95,
    clip_norm=0.5,
)


def test_a_run_on_text_is_the_loop_that_everybody_writes() -> None:
    plan, updates = schedules.warmup(0.0, 0.02, 4).then(schedules.linear(0.02, 0.0, 8)), 12
    dataset = TEXT.data(final=True)
    model = models.transformer_torch(16, seed=3)
    matrices = [weight for weight in model.parameters() if weight.ndim > 1]
    others = [weight for weight in model.parameters() if weight.ndim < 2]
    groups = [{"params": matrices, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=0.02, betas=(0.9, 0.95))
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda k: plan(k) / 0.02)
    torch.set_num_threads(1)
    for indices in training.batches(len(dataset.x_train), 4, 1, seed=3):
        x, y = (torch.from_numpy(part[indices]) for part in (dataset.x_train, dataset.y_train))
        loss = torch.nn.functional.cross_entropy(model(x).flatten(0, 1), y.flatten())
        optimizer.zero_grad()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        assert norm > 0.5, "the gradient is really shortened"
        optimizer.step()
        scheduler.step()
        if scheduler.last_epoch == updates:
            break
    expected = training.evaluate_torch(model, dataset)
    found = single.run(Trial(TEXT, plan, updates, seed=3, final=True))
    assert found.loss == pytest.approx(expected["loss"], rel=1e-5)
    assert found.error == pytest.approx(100 * (1 - expected["accuracy"]), abs=1e-3)
    assert "20,000 training" in found.source
    assert "symbols" in found.source


def test_text_is_raced_by_its_loss() -> None:
    options = {"budgets": [0.01], "lrs": [0.004, 0.0064], "seeds": [10, 11], "tune_seeds": [0], "reference": "line"}
    result = race(ARMS, TEXT, **options)
    tested = result.runs[result.runs.stage == "test"]
    assert result.measure == "loss"
    assert result.errors(0.01)["line"].tolist() == tested[tested.arm == "line"].loss.tolist()
    assert "test loss, nats" in result.report(0.01)
    chosen, tuning = tested[tested.arm == "line"].lr.iloc[0], result.tuning(0.01)["line"].dropna()
    assert chosen == tuning.idxmin()
    assert TEXT.updates(1) == pytest.approx(16_000 / 16 / 4, abs=1), "an epoch is as many symbols as there are"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"optimizer": "lion"}, "optimizer must be 'sgd' or 'adamw', got 'lion'"),
        ({"nesterov": True}, "nesterov belongs to SGD"),
    ],
)
def test_a_task_that_makes_no_sense_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(TEXT, **change)


def test_adamw_is_not_raced_in_keras() -> None:
    with pytest.raises(ValueError, match="races with AdamW are run in PyTorch only"):
        Trial(TEXT, schedules.constant(0.01), 4, seed=0, framework="keras")
    assert not Trial(TEXT, schedules.constant(0.01), 4, seed=0).can_be_vmapped
