"""Training in both frameworks: the trace is what was used, divergence is a result, and the two agree."""

import json
import logging
import math
import random
from datetime import UTC, datetime, timedelta

import keras
import numpy as np
import pytest
import torch

from helpers import data, models, training
from helpers import schedules as s
from helpers.for_keras import SGD
from helpers.for_torch import Scheduler, drive
from helpers.training import assert_trace

DIGITS = data.load("digits").subset(640, 200)
EPOCHS, STEPS = 2, 10
SCHEDULE = s.one_cycle(0.1, STEPS)


def run_torch(schedule: s.Schedule = SCHEDULE, lr: float = 0.1, **options) -> training.Run:
    model = models.mlp_torch(DIGITS.image_shape, hidden=(16,))
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)
    if schedule is not None:
        drive(optimizer, schedule)
    return training.fit_torch(model, optimizer, DIGITS, epochs=EPOCHS, device="cpu", **options)


def run_keras(optimizer: keras.optimizers.Optimizer | None = None, **options) -> training.Run:
    model = models.mlp_keras(DIGITS.image_shape, hidden=(16,))
    return training.fit_keras(model, optimizer or SGD(SCHEDULE), DIGITS, **{"epochs": EPOCHS, **options})


@pytest.mark.parametrize("run", [run_torch, run_keras])
def test_the_trace_is_the_schedule(run) -> None:
    result = run()
    assert_trace(result, SCHEDULE)
    assert len(result.learning_rates) == len(result.losses) == STEPS == EPOCHS * result.updates_per_epoch
    assert [e["updates"] for e in result.evaluations] == [5, 10]
    assert 0.0 < result.accuracy <= 1.0
    assert result.losses[-1] < result.losses[0]
    assert result.seconds > 0
    assert "digits" in result.source
    again = training.Run(**json.loads(json.dumps(result.to_dict())))
    assert again == result


def test_the_same_seed_gives_the_same_run_and_another_does_not() -> None:
    a, b, c = run_torch(seed=1), run_torch(seed=1), run_torch(seed=2)
    assert a.losses == b.losses
    assert a.losses != c.losses


def test_both_frameworks_train_alike_from_the_same_weights() -> None:
    schedule = s.one_cycle(0.1, 20)
    for build_keras, build_torch, tolerance in (
        (models.mlp_keras, models.mlp_torch, 1e-4),
        (models.cnn_keras, models.cnn_torch, 2e-2),
    ):
        ours, twin = build_keras(DIGITS.image_shape), build_torch(DIGITS.image_shape)
        models.copy_weights(ours, twin)
        optimizer = torch.optim.SGD(twin.parameters(), lr=0.1, momentum=0.9, nesterov=True)
        drive(optimizer, schedule)
        theirs = training.fit_torch(twin, optimizer, DIGITS, epochs=4, device="cpu")
        mine = training.fit_keras(ours, SGD(schedule, nesterov=True, torch_rule=True), DIGITS, epochs=4)
        np.testing.assert_allclose(mine.losses, theirs.losses, rtol=tolerance)


def test_a_torch_scheduler_is_stepped_after_every_update() -> None:
    model = models.mlp_torch(DIGITS.image_shape, hidden=(16,))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    scheduler = Scheduler(optimizer, SCHEDULE)
    result = training.fit_torch(model, optimizer, DIGITS, epochs=EPOCHS, scheduler=scheduler, device="cpu")
    assert_trace(result, SCHEDULE)


@pytest.mark.parametrize(
    "run",
    [
        lambda: run_torch(None, lr=1e30),
        lambda: run_keras(SGD(1e30)),
        lambda: run_keras(keras.optimizers.SGD(1e30)),
        lambda: run_keras(SGD(1e30), stop=lambda losses: False),
    ],
    ids=["torch", "keras", "a stock optimizer", "batch by batch"],
)
def test_divergence_is_a_result(run) -> None:
    result = run()
    assert result.diverged
    assert math.isnan(result.accuracy)
    assert not math.isfinite(result.losses[-1])
    assert np.isfinite(result.losses[:-1]).all(), "the first bad loss is the last one kept"
    assert len(result.losses) < STEPS
    assert len(result.learning_rates) == len(result.momenta) == len(result.losses), "with the rate held for it"
    assert result.learning_rates == [pytest.approx(1e30)] * len(result.losses)
    assert result.evaluations == []


def test_a_loss_that_is_never_finite_has_its_rate_even_when_its_update_was_skipped(request) -> None:
    before = keras.config.dtype_policy()
    request.addfinalizer(lambda: keras.config.set_dtype_policy(before))
    keras.config.set_dtype_policy("mixed_float16")
    model = models.mlp_keras(DIGITS.image_shape, hidden=(16,))
    model.layers[-1].kernel.assign(np.full((16, 10), np.nan))
    result = training.fit_keras(model, SGD(SCHEDULE), DIGITS)
    assert result.diverged
    assert result.learning_rates == [pytest.approx(SCHEDULE(0))]
    assert len(result.losses) == len(result.momenta) == 1


def test_mixed_precision_records_only_the_updates_made(request) -> None:
    before = keras.config.dtype_policy()
    request.addfinalizer(lambda: keras.config.set_dtype_policy(before))
    keras.config.set_dtype_policy("mixed_float16")
    # a scale at which float16 gradients overflow: those updates are skipped until it has been halved often enough
    optimizer = keras.optimizers.LossScaleOptimizer(SGD(SCHEDULE), initial_scale=2.0**21)
    result = run_keras(optimizer)
    assert 0 < len(result.learning_rates) < STEPS
    assert len(result.learning_rates) == int(optimizer.inner_optimizer.iterations)
    assert_trace(result, SCHEDULE, partial=True)


def test_accumulated_gradients_give_one_row_an_update() -> None:
    schedule = s.one_cycle(0.1, STEPS // 2)
    result = run_keras(SGD(schedule, gradient_accumulation_steps=2))
    assert len(result.learning_rates) == STEPS // 2
    assert_trace(result, schedule)


def test_what_is_not_known_is_nan_and_not_accepted() -> None:
    result = run_keras(keras.optimizers.SGD(0.1, momentum=0.9))
    assert_trace(result, s.constant(0.1))
    assert np.isnan(result.momenta).all()
    with pytest.raises(AssertionError, match="momentum was not recorded"):
        assert_trace(result, s.constant(0.1).with_momentum(0.9))


def trace(rates: list[float], framework: str = "PyTorch") -> training.Run:
    momenta = [SCHEDULE.momentum(k) for k in range(len(rates))]
    return training.Run(framework, "test", 0, 64, 5, "cpu", {}, list(rates), momenta, [1.0] * len(rates))


@pytest.mark.parametrize(
    ("rates", "message"),
    [
        ([0.1] * 10, "update 0 .*It never moved: all 10 updates used 0.1"),
        ([SCHEDULE(k // 5) for k in range(10)], "stepped per epoch instead of per update"),
        ([SCHEDULE(k - k % 5) for k in range(10)], "moved once in 5 updates: right at the first of them"),
        ([SCHEDULE(k + 1) for k in range(10)], "one step ahead"),
        ([SCHEDULE(max(k - 1, 0)) for k in range(10)], "one step behind"),
        ([*[SCHEDULE(k) for k in range(9)], 0.7], r"update 9 used learning rate 0.7, the schedule says [\d.]+\.$"),
        ([], "no update"),
    ],
)
def test_a_wrong_trace_is_named_with_its_usual_cause(rates: list[float], message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        assert_trace(trace(rates), SCHEDULE)


def test_a_wrong_momentum_is_found_too() -> None:
    run = trace([SCHEDULE(k) for k in range(10)])
    run.momenta = [0.9] * 10
    with pytest.raises(AssertionError, match=r"momentum 0.9, .*It never moved"):
        assert_trace(run, SCHEDULE)


def test_batches_cover_an_epoch_once_and_drop_the_rest() -> None:
    seen = np.concatenate(list(training.batches(103, 10, 3, seed=0)))
    assert len(seen) == 300
    for epoch in seen.reshape(3, 100):
        assert len(set(epoch.tolist())) == 100
    assert seen[:100].tolist() != seen[100:200].tolist()


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: training.updates_per_epoch(100, 0), "batch_size=0"),
        (lambda: training.updates_per_epoch(100, 101), "batch_size=101"),
        (lambda: list(training.batches(100, 10, 0, 0)), "epochs"),
    ],
)
def test_bad_sizes_are_refused(build, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build()


def test_a_run_can_be_stopped_and_left_without_evaluations() -> None:
    digits = data.load("digits").subset(600, 100)
    options = {"batch_size": 60, "epochs": 2, "stop": lambda losses: len(losses) == 13, "evaluate": False}
    network = models.mlp_torch(digits.image_shape)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    of_torch = training.fit_torch(network, optimizer, digits, **options)
    of_keras = training.fit_keras(models.mlp_keras(digits.image_shape), SGD(0.1), digits, **options)
    for run in (of_torch, of_keras):
        assert len(run.losses) == len(run.learning_rates) == 13
        assert run.evaluations == []
        assert not run.diverged


def test_the_random_generators_can_be_left_alone() -> None:
    digits = data.load("digits").subset(120, 10)
    before = random.getstate()
    training.fit_keras(models.mlp_keras(digits.image_shape), SGD(0.1), digits, batch_size=60, reseed=False)
    assert random.getstate() == before


# ------------------------------------------------- several updates in one execution, one row for each
def one_by_one(monkeypatch, **options) -> training.Run:
    with monkeypatch.context() as patch:
        patch.setattr(training, "STEPS_PER_EXECUTION", 1)
        return run_keras(**options)


@pytest.mark.parametrize("options", [{}, {"updates": 7}], ids=["whole epochs", "updates"])
@pytest.mark.parametrize("at_once", [2, 3, 5, 20])  # an epoch has 5 updates: the last block is smaller, or all is one
def test_updates_in_one_execution_are_recorded_one_by_one(options: dict, at_once: int, monkeypatch) -> None:
    expected = one_by_one(monkeypatch, **options)
    monkeypatch.setattr(training, "STEPS_PER_EXECUTION", at_once)
    result = run_keras(**options)
    np.testing.assert_allclose(result.losses, expected.losses, rtol=1e-5)
    assert result.learning_rates == expected.learning_rates == rounded(SCHEDULE, len(result.losses))
    assert result.momenta == expected.momenta
    assert [e["updates"] for e in result.evaluations] == [e["updates"] for e in expected.evaluations]
    assert result.accuracy == expected.accuracy


def rounded(schedule: s.Schedule, updates: int) -> list[float]:
    return schedule(np.arange(updates)).astype(np.float32).tolist()


def test_losses_written_in_the_step_are_those_that_keras_reports() -> None:
    seen = run_keras(stop=lambda losses: False)  # batch by batch, from Keras' own log
    np.testing.assert_allclose(run_keras().losses, seen.losses, rtol=1e-5)


class Halving(keras.callbacks.Callback):
    """Assigns before every update; asked once in several updates it would be too late."""

    def on_train_batch_begin(self, batch: int, logs=None) -> None:
        self.model.optimizer.learning_rate.assign(0.1 * 0.5**batch)


def test_a_callback_is_asked_before_every_update_and_what_it_assigns_is_recorded() -> None:
    result = run_keras(keras.optimizers.SGD(0.1), callbacks=(Halving(),))
    np.testing.assert_allclose(result.learning_rates, [0.1 * 0.5 ** (k % 5) for k in range(STEPS)], rtol=1e-6)


def test_losses_of_the_model_itself_are_recorded_too() -> None:
    model = models.mlp_keras(DIGITS.image_shape, hidden=(16,))
    model.layers[-1].kernel.regularizer = keras.regularizers.L2(1.0)
    plain = run_keras(SGD(SCHEDULE)).losses[0]
    weights = keras.ops.convert_to_numpy(model.layers[-1].kernel)
    result = training.fit_keras(model, SGD(SCHEDULE), DIGITS)
    assert result.losses[0] == pytest.approx(plain + np.square(weights).sum(), rel=1e-4)


def test_the_model_is_left_as_anybody_would_compile_it(tmp_path) -> None:
    model = models.mlp_keras(DIGITS.image_shape, hidden=(16,))
    training.fit_keras(model, SGD(SCHEDULE), DIGITS)
    assert set(model.evaluate(DIGITS.x_test, DIGITS.y_test, verbose=0, return_dict=True)) == {"loss", "accuracy"}
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again.get_weights()[0], model.get_weights()[0])


@pytest.mark.parametrize("run", [run_torch, run_keras])
def test_a_run_knows_when_it_began(run) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    result = run()
    after = datetime.now(UTC)
    began = datetime.fromisoformat(result.date)
    assert before <= began <= after - timedelta(seconds=result.seconds - 2)
    assert began.utcoffset() == timedelta(0)


def test_many_short_runs_draw_no_warning_from_tensorflow() -> None:
    class Heard(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            messages.append(record.getMessage())

    messages: list[str] = []
    digits, logger, heard = data.load("digits").subset(120, 10), logging.getLogger("tensorflow"), Heard()
    logger.addHandler(heard)
    try:
        for _ in range(7):  # TensorFlow's limit is 5 new traces in 15 calls, of whatever models
            training.fit_keras(models.mlp_keras(digits.image_shape), SGD(0.1), digits, batch_size=60)
    finally:
        logger.removeHandler(heard)
    assert messages == []
    assert logger.filters == []
