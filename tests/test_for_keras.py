"""The Keras adapter, on whichever backend KERAS_BACKEND names: what compiled steps really do, read off the weights.

`test_other_backend.py` runs this file again on the other backend.
"""

import importlib
import math
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import keras
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

from helpers import for_keras
from helpers import schedules as s
from helpers.for_keras import SGD, Adam, AdamW, KerasSchedule, Watch, assert_used
from tests.strategies import any_schedule

BACKEND = keras.backend.backend()
UPDATES = 24
ONE_CYCLE = s.one_cycle(0.2, UPDATES)
ENDLESS = s.noam(64, 10)
MODES = {"plain": {}, "eager": {"run_eagerly": True}}
if BACKEND != "torch":  # which has no compiled step on the CPU and refuses steps_per_execution
    MODES["steps_per_execution"] = {"steps_per_execution": 5}
    MODES["XLA"] = {"jit_compile": True}
    MODES["graph"] = {"jit_compile": False}


class Quadratic(keras.Model):
    """Loss = sum(curvature * w^2) / 2, whatever the data: gradients a NumPy reference can compute."""

    def __init__(self) -> None:
        super().__init__()
        self.w = self.add_weight(shape=(3,), initializer="ones", name="w")
        self.curvature = np.array([1.0, 2.0, 0.5], dtype=np.float32)

    def call(self, x):
        return ops.sum(ops.convert_to_tensor(self.curvature) * ops.square(self.w)) / 2 + 0 * ops.sum(x)


def train(optimizer, updates: int = UPDATES, model: keras.Model | None = None, **options) -> np.ndarray:
    """Weights after ``updates`` updates on the quadratic."""
    if model is None:
        model = Quadratic()
        model.compile(optimizer=optimizer, loss=lambda y_true, y_pred: y_pred, **options)
    model.fit(np.zeros((updates, 1)), np.zeros((updates, 1)), batch_size=1, shuffle=False, verbose=0)
    return ops.convert_to_numpy(model.w)


def reference(schedule, *, nesterov: bool = False, torch_rule: bool = False, updates: int = UPDATES) -> np.ndarray:
    """The same updates in float64 NumPy."""
    curvature, w, v = np.array([1.0, 2.0, 0.5]), np.ones(3), np.zeros(3)
    for k in range(updates):
        lr, mu, g = schedule(k), schedule.momentum(k), curvature * w
        if torch_rule:
            v = mu * v + g
            w = w - lr * (g + mu * v if nesterov else v)
        else:
            v = mu * v - lr * g
            w = w + (mu * v - lr * g if nesterov else v)
    return w


# ------------------------------------------------------------------------------------ the table
@given(any_schedule(), st.lists(st.integers(0, 900), min_size=1, max_size=8))
@settings(max_examples=25)
def test_the_table_is_the_schedule_in_float32_bit_by_bit(schedule: s.Schedule, k: list[int]) -> None:
    table = KerasSchedule(schedule, steps=600)
    end = schedule.settles if math.isfinite(schedule.settles) else 600
    for step in k:
        assert float(ops.convert_to_numpy(table(step))) == float(np.float32(schedule(min(step, end))))
    looked_up = ops.convert_to_numpy(table(np.array(k)))
    np.testing.assert_array_equal(looked_up, schedule(np.minimum(k, end)).astype(np.float32))


def test_a_schedule_with_an_end_is_never_cut_short() -> None:
    table = KerasSchedule(s.one_cycle(0.1, 50), steps=20)
    assert table.steps == 50
    assert float(table(40)) == np.float32(s.one_cycle(0.1, 50)(40))


def test_the_table_ends_where_the_schedule_ends_and_holds() -> None:
    table = KerasSchedule(s.one_cycle(0.1, 50))
    assert table.steps == 50
    assert float(table(50)) == float(table(10**6)) == np.float32(0.1 / 25 / 1e4)


def test_the_table_is_saved_as_its_description() -> None:
    table = KerasSchedule(s.warmup(0.0, 0.1, 5).then(s.cosine_restarts(0.1, 10)), steps=77)
    config = keras.optimizers.schedules.serialize(table)
    back = keras.optimizers.schedules.deserialize(config)
    assert back.schedule == table.schedule
    assert back.steps == 77


# ------------------------------------------------------- momentum really moves, in every mode
@pytest.mark.parametrize("options", MODES.values(), ids=MODES.keys())
@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize("torch_rule", [False, True])
def test_sgd_follows_rate_and_momentum(options: dict, nesterov: bool, torch_rule: bool) -> None:
    optimizer = SGD(ONE_CYCLE, nesterov=nesterov, torch_rule=torch_rule)
    trained = train(optimizer, **options)
    expected = reference(ONE_CYCLE, nesterov=nesterov, torch_rule=torch_rule)
    np.testing.assert_allclose(trained, expected, atol=2e-6)
    frozen = reference(ONE_CYCLE.with_momentum(0.95), nesterov=nesterov, torch_rule=torch_rule)
    assert np.abs(trained - frozen).max() > 1e-3, "a constant momentum would have passed this test"
    last = UPDATES - 1
    assert optimizer.used() == {
        "learning_rate": float(np.float32(ONE_CYCLE(last))),
        "momentum": float(np.float32(ONE_CYCLE.momentum(last))),
    }
    assert_used(optimizer, ONE_CYCLE)  # all 24 updates, whether made one by one or five in one execution


def test_torch_rule_is_pytorch() -> None:
    w = torch.ones(3, requires_grad=True)
    optimizer = torch.optim.SGD([w], lr=0.1, momentum=0.9, nesterov=True)
    for k in range(UPDATES):
        optimizer.param_groups[0].update(lr=ONE_CYCLE(k), momentum=ONE_CYCLE.momentum(k))
        optimizer.zero_grad()
        (torch.tensor([1.0, 2.0, 0.5]) * w.square()).sum().div(2).backward()
        optimizer.step()
    trained = train(SGD(ONE_CYCLE, nesterov=True, torch_rule=True))
    np.testing.assert_allclose(trained, w.detach().numpy(), atol=2e-6)


@pytest.mark.parametrize(("momentum", "nesterov"), [(0.0, False), (0.9, False), (0.9, True)])
def test_torch_rule_takes_weight_decay_as_pytorch_does(momentum: float, nesterov: bool) -> None:
    plan, decay = s.linear(0.2, 0.0, UPDATES), 0.1
    w = torch.ones(3, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.SGD([w], lr=1.0, momentum=momentum, nesterov=nesterov, weight_decay=decay)
    for k in range(UPDATES):
        optimizer.param_groups[0]["lr"] = plan(k)
        optimizer.zero_grad()
        (torch.tensor([1.0, 2.0, 0.5]) * w.square()).sum().div(2).backward()
        optimizer.step()
    options = {"momentum": momentum, "nesterov": nesterov, "weight_decay": decay}
    trained = train(SGD(plan, torch_rule=True, **options))
    np.testing.assert_allclose(trained, w.detach().numpy(), rtol=1e-5, atol=1e-6)
    beside = train(SGD(plan, **options))
    if momentum:
        assert np.abs(trained - beside).max() > 1e-3, "Keras' own rule is another one"
    again = SGD.from_config(SGD(plan, torch_rule=True, **options).get_config())
    np.testing.assert_array_equal(train(again), trained)


def test_torch_rule_leaves_out_what_is_excluded_from_decay() -> None:
    optimizer = SGD(s.constant(0.1), steps=UPDATES, torch_rule=True, weight_decay=0.5)
    optimizer.exclude_from_weight_decay(var_names=["w"])
    np.testing.assert_array_equal(train(optimizer), train(SGD(s.constant(0.1), steps=UPDATES, torch_rule=True)))


def test_the_two_rules_differ_when_the_rate_moves_and_only_then() -> None:
    still = s.constant(0.1).with_momentum(s.linear(0.9, 0.5, UPDATES))
    np.testing.assert_allclose(train(SGD(still)), train(SGD(still, torch_rule=True)), atol=2e-6)
    assert np.abs(train(SGD(ONE_CYCLE)) - train(SGD(ONE_CYCLE, torch_rule=True))).max() > 1e-3


@pytest.mark.parametrize("options", MODES.values(), ids=MODES.keys())
def test_adam_follows_rate_and_beta_1(options: dict) -> None:
    curvature, w, m, v = np.array([1.0, 2.0, 0.5]), np.ones(3), np.zeros(3), np.zeros(3)
    for k in range(UPDATES):
        beta, g, t = ONE_CYCLE.momentum(k), curvature * w, k + 1
        m, v = m + (g - m) * (1 - beta), v + (g * g - v) * (1 - 0.999)
        w = w - ONE_CYCLE(k) * math.sqrt(1 - 0.999**t) / (1 - beta**t) * m / (np.sqrt(v) + 1e-7)
    optimizer = Adam(ONE_CYCLE)
    np.testing.assert_allclose(train(optimizer, **options), w, atol=2e-4)
    assert optimizer.used()["momentum"] == np.float32(ONE_CYCLE.momentum(UPDATES - 1))
    assert_used(optimizer, ONE_CYCLE)


def test_constant_settings_are_keras_own_sgd_and_adam() -> None:
    for ours, theirs in (
        (SGD(0.1, momentum=0.9, nesterov=True), keras.optimizers.SGD(0.1, momentum=0.9, nesterov=True)),
        (SGD(0.1), keras.optimizers.SGD(0.1)),
        (Adam(0.1, beta_1=0.8), keras.optimizers.Adam(0.1, beta_1=0.8)),
        (Adam(0.1, weight_decay=0.1, amsgrad=True), keras.optimizers.Adam(0.1, weight_decay=0.1, amsgrad=True)),
        (AdamW(0.1, weight_decay=0.1), keras.optimizers.AdamW(0.1, weight_decay=0.1)),
        (AdamW(0.1), keras.optimizers.AdamW(0.1)),
    ):
        np.testing.assert_allclose(train(ours), train(theirs), rtol=1e-6)


def test_the_trap_this_module_exists_for() -> None:
    """Assigning momentum of Keras' own SGD: ignored in a compiled step, effective where there is none."""

    class Assign(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            self.model.optimizer.momentum = 0.0

    def run(callbacks):
        model = Quadratic()
        model.compile(optimizer=keras.optimizers.SGD(0.1, momentum=0.9), loss=lambda y_true, y_pred: y_pred)
        model.fit(np.zeros((3, 1)), np.zeros((3, 1)), batch_size=1, verbose=0)  # the step is traced here
        data = np.zeros((9, 1))
        model.fit(data, data, batch_size=1, verbose=0, callbacks=callbacks)
        return ops.convert_to_numpy(model.w)

    ignored = np.array_equal(run([]), run([Assign()]))
    assert ignored == (BACKEND in ("tensorflow", "jax"))
    with pytest.raises(AttributeError, match="momentum cannot be assigned"):
        SGD(0.1, momentum=0.9).momentum = 0.5
    with pytest.raises(AttributeError, match="beta_1 cannot be assigned"):
        Adam(0.1).beta_1 = 0.5
    with pytest.raises(AttributeError, match="weight_decay cannot be assigned"):
        AdamW(0.1).weight_decay = 0.5


# ------------------------------------------------------------------- counting, saving, mixing
def test_accumulated_gradients_count_updates_not_batches() -> None:
    schedule = s.one_cycle(0.2, 6)
    optimizer = SGD(schedule, gradient_accumulation_steps=4)
    trained = train(optimizer, updates=24)
    np.testing.assert_allclose(trained, reference(schedule, updates=6), atol=2e-6)
    assert_used(optimizer, schedule)  # one row for each real update


def small_model(optimizer) -> keras.Model:
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    model.compile(optimizer=optimizer, loss="mse")
    return model


def fit(model: keras.Model, updates: int, start: int = 0) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(64, 4)), rng.normal(size=(64, 3))
    model.fit(x[start : start + updates], y[start : start + updates], batch_size=1, shuffle=False, verbose=0)


@pytest.mark.parametrize("build", [lambda: SGD(ONE_CYCLE, nesterov=True, torch_rule=True), lambda: AdamW(ONE_CYCLE)])
def test_saving_and_loading_in_the_middle_changes_nothing(build, tmp_path) -> None:
    whole, first = small_model(build()), small_model(build())
    fit(whole, 24)
    fit(first, 8)
    first.save(tmp_path / "model.keras")
    second = keras.saving.load_model(tmp_path / "model.keras")
    assert type(second.optimizer) is type(first.optimizer)
    fit(second, 16, start=8)
    for a, b in zip(whole.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert second.optimizer.used() == whole.optimizer.used()
    assert_used(second.optimizer, ONE_CYCLE)  # the record is saved with the optimizer


@pytest.mark.parametrize(
    "build",
    [
        lambda: SGD(ONE_CYCLE, momentum=0.8),
        lambda: Adam(ONE_CYCLE, weight_decay=s.linear(0.5, 0.0, UPDATES)),
        lambda: AdamW(s.inverse_sqrt(0.1, 5, start_lr=0.0), weight_decay=0.3, steps=UPDATES, record=7),
        lambda: SGD(0.1, 0.9),
    ],
)
def test_a_clone_trains_identically(build) -> None:
    one = build()
    two = type(one).from_config(one.get_config())
    three = keras.optimizers.deserialize(keras.optimizers.serialize(one))
    a, b, c = (train(optimizer) for optimizer in (one, two, three))
    np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(a, c)
    assert one.trace() == two.trace() == three.trace()


def apply(optimizer, gradients: list, variables: list) -> None:
    """One update; on JAX in the stateless way, as Keras' own training step does it."""
    if BACKEND != "jax":
        optimizer.apply(gradients)
        return
    state = [variable.value for variable in optimizer.variables], gradients, [v.value for v in variables]
    for updated, targets in zip(optimizer.stateless_apply(*state), (variables, optimizer.variables), strict=True):
        for target, value in zip(targets, updated, strict=True):
            target.assign(value)


def test_mixed_precision_overflows_do_not_move_the_schedule() -> None:
    inner = SGD(ONE_CYCLE)
    outer = keras.optimizers.LossScaleOptimizer(inner, initial_scale=2.0)
    w = keras.Variable(np.ones(3, dtype="float32"))
    outer.build([w])
    for gradient in (1.0, np.inf, 1.0, np.nan):
        apply(outer, [ops.ones(3) * gradient * 2.0], [w])
    assert int(inner.iterations) == 2
    assert inner.used()["learning_rate"] == np.float32(ONE_CYCLE(1))
    assert_used(inner, ONE_CYCLE, partial=True)
    assert len(inner.trace().groups[0]["lr"]) == 2
    assert np.isfinite(ops.convert_to_numpy(w)).all()


def test_momentum_can_come_from_elsewhere_than_the_rate() -> None:
    optimizer = SGD(0.1, momentum=s.linear(0.9, 0.5, UPDATES))
    trained = train(optimizer)
    np.testing.assert_allclose(
        trained, reference(s.constant(0.1).with_momentum(s.linear(0.9, 0.5, UPDATES))), atol=2e-6
    )
    endless = SGD(s.cyclic(0.01, 0.2, 5, momentum=(0.8, 0.9)), steps=UPDATES)
    np.testing.assert_allclose(train(endless), reference(s.cyclic(0.01, 0.2, 5, momentum=(0.8, 0.9))), atol=2e-6)
    numbers = {
        "momentum": s.exponential(0.9, 0.9, 5),
        "weight_decay": s.exponential(0.1, 0.5, 5),
    }  # as long as the rate
    as_long = SGD(s.linear(0.1, 0.0, UPDATES), **numbers)
    train(as_long)  # numbers that never settle are tabulated as far as the rate
    assert_used(as_long, s.linear(0.1, 0.0, UPDATES), **numbers)
    fixed = SGD(s.linear(0.1, 0.0, UPDATES).with_momentum(0.9))
    np.testing.assert_allclose(train(fixed), reference(s.linear(0.1, 0.0, UPDATES).with_momentum(0.9)), atol=2e-6)


@pytest.mark.parametrize(
    ("build", "error", "message"),
    [
        (lambda: KerasSchedule(0.1), TypeError, "must be a Schedule, such as"),
        (lambda: KerasSchedule(ENDLESS), ValueError, "never settles"),
        (lambda: KerasSchedule(s.constant(0.1), steps=0), ValueError, "at least 1"),
        (lambda: KerasSchedule(s.constant(0.1), steps=2.5), TypeError, "whole number"),
        (lambda: KerasSchedule(s.constant(0.1), steps=True), TypeError, "whole number"),
        (lambda: SGD(ENDLESS), ValueError, "never settles"),
        (lambda: SGD(0.1, record=0), ValueError, "record must be at least 1"),
        (lambda: SGD(0.1, weight_decay=-0.1), ValueError, "weight_decay must be at least 0"),
        (lambda: Adam(0.1, weight_decay=math.inf), ValueError, "weight_decay must be .* finite"),
        (lambda: AdamW(0.1, weight_decay=None), ValueError, "without weight decay this is Adam"),
        (lambda: SGD(0.1, momentum=1.0), ValueError, "below 1"),
        (lambda: SGD(0.1, momentum=-0.1), ValueError, "at least 0"),
        (lambda: SGD(0.1, momentum="0.9"), TypeError, "number or a schedule"),
        (lambda: SGD(0.1, momentum=s.linear(0.9, 1.5, 10)), ValueError, "below 1"),
        (lambda: Adam(0.1, beta_1=math.nan), ValueError, "below 1"),
        (lambda: SGD(0.1).used(), RuntimeError, "no update"),
    ],
)
def test_bad_input_is_refused(build, error, message: str) -> None:
    with pytest.raises(error, match=message):
        build()


# --------------------------------------------------------------------------- what the table needs
def test_a_schedule_that_settles_needs_no_steps() -> None:
    staircase = s.piecewise_constant([10, 20], [0.2, 0.1, 0.05]).with_momentum(0.9)
    optimizer = SGD(staircase)
    np.testing.assert_allclose(train(optimizer), reference(staircase), atol=2e-6)
    assert_used(optimizer, staircase)
    assert float(KerasSchedule(s.constant(0.5))(7)) == 0.5


# ----------------------------------------------------------------------------------- weight decay
@pytest.mark.parametrize("options", MODES.values(), ids=MODES.keys())
def test_weight_decay_can_be_a_schedule(options: dict) -> None:
    decay, lr, curvature, w = s.linear(0.5, 0.0, UPDATES), 0.1, np.array([1.0, 2.0, 0.5]), np.ones(3)
    for k in range(UPDATES):
        w = w - lr * decay(k) * w - lr * curvature * w
    optimizer = SGD(lr, weight_decay=decay)
    np.testing.assert_allclose(train(optimizer, **options), w, rtol=1e-5)
    assert_used(optimizer, s.constant(lr), weight_decay=decay)
    with pytest.raises(AssertionError, match="update 1 used weight decay"):
        assert_used(optimizer, s.constant(lr), weight_decay=s.constant(0.5))


def test_scheduled_weight_decay_follows_pytorch() -> None:
    decay = s.linear(0.5, 0.0, UPDATES)
    for ours, theirs in (
        (SGD(0.1, 0.9, torch_rule=True, weight_decay=decay), lambda w: torch.optim.SGD(w, lr=0.1, momentum=0.9)),
        (AdamW(0.1, weight_decay=decay, epsilon=1e-8), lambda w: torch.optim.AdamW(w, lr=0.1, eps=1e-8)),
    ):
        w = torch.ones(3, dtype=torch.float64, requires_grad=True)
        optimizer = theirs([w])
        for k in range(UPDATES):
            optimizer.param_groups[0]["weight_decay"] = decay(k)
            optimizer.zero_grad()
            (torch.tensor([1.0, 2.0, 0.5]) * w.square()).sum().div(2).backward()
            optimizer.step()
        np.testing.assert_allclose(train(ours), w.detach().numpy(), rtol=1e-3, atol=1e-4)
        assert ours.used()["weight_decay"] == pytest.approx(decay(UPDATES - 1))


# ------------------------------------------------------------------- the record of what was used
def test_a_full_record_keeps_the_last_updates_and_says_so() -> None:
    optimizer = SGD(ONE_CYCLE, record=10)
    train(optimizer)
    last = optimizer.trace(since=UPDATES - 10).groups[0]["lr"]
    np.testing.assert_allclose(last, ONE_CYCLE(np.arange(UPDATES - 10, UPDATES)), rtol=1e-6)
    with pytest.raises(AssertionError, match=r"update 0 is no longer held.* notes the last 10.* record=24"):
        assert_used(optimizer, ONE_CYCLE)


def test_updates_that_were_never_noted_are_not_invented() -> None:
    optimizer = SGD(ONE_CYCLE)
    optimizer.build([keras.Variable(np.ones(3, dtype="float32"))])
    optimizer.iterations.assign(5)
    with pytest.raises(AssertionError, match="update 0 was not noted"):
        assert_used(optimizer, ONE_CYCLE)


def test_the_record_is_as_long_as_the_schedules() -> None:
    assert SGD(0.1).record == 10_000
    assert SGD(s.linear(0.1, 0.0, 20_000)).record == 20_001
    assert SGD(0.1, momentum=s.linear(0.9, 0.5, 30_000)).record == 30_001
    assert SGD(ENDLESS, steps=40_000).record == 40_001


def test_a_run_longer_than_its_schedule_is_found() -> None:
    optimizer = SGD(s.linear(0.1, 0.0, 5))
    train(optimizer, updates=12)
    with pytest.raises(AssertionError, match=r"12 updates .* 5 steps"):
        assert_used(optimizer, s.linear(0.1, 0.0, 5))


@pytest.mark.parametrize("build", [lambda: SGD(0.1), Watch])
def test_what_saw_no_update_has_an_empty_trace(build) -> None:
    with pytest.raises(AssertionError, match="no update"):
        assert_used(build(), s.constant(0.1))


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW"])
def test_defaults_are_keras_own(name: str) -> None:
    ours = getattr(for_keras, name)().get_config()
    theirs = getattr(keras.optimizers, name)().get_config()
    assert {key: ours[key] for key in theirs} == theirs | {"name": ours["name"]}


# -------------------------------------------------------------------------- watching other optimizers
STOCK = [name for name in ("SGD", "AdamW", "Lion", "Muon") if hasattr(keras.optimizers, name)]
AT_ONCE = (1,) if BACKEND == "torch" else (1, 5)


def watched(optimizer, updates: int = UPDATES, before: tuple = (), **options) -> Watch:
    model, watch = Quadratic(), Watch()
    model.compile(optimizer=optimizer, loss=lambda y_true, y_pred: y_pred, **options)
    data = np.zeros((updates, 1))
    model.fit(data, data, batch_size=1, shuffle=False, verbose=0, callbacks=[*before, watch])
    return watch


@pytest.mark.parametrize("at_once", AT_ONCE)
@pytest.mark.parametrize("name", STOCK)
def test_any_optimizer_follows_the_rate_and_drops_the_momentum(name: str, at_once: int) -> None:
    optimizer = getattr(keras.optimizers, name)(KerasSchedule(ONE_CYCLE))
    watch = watched(optimizer, steps_per_execution=at_once)
    assert_used(watch, ONE_CYCLE.with_momentum(None))
    for_good = watch.trace().groups[0]["lr"]
    assert for_good == ONE_CYCLE(np.arange(UPDATES)).astype(np.float32).tolist()
    with pytest.raises(AssertionError, match=r"drops the momentum that a schedule carries: use for_keras\.SGD"):
        assert_used(watch, ONE_CYCLE)


@pytest.mark.parametrize("at_once", AT_ONCE)
def test_accumulated_updates_of_a_stock_optimizer_are_seen_as_keras_makes_them(at_once: int) -> None:
    optimizer = keras.optimizers.SGD(KerasSchedule(ONE_CYCLE), gradient_accumulation_steps=4)
    rates = watched(optimizer, steps_per_execution=at_once).trace().groups[0]["lr"]
    np.testing.assert_allclose(rates, ONE_CYCLE(np.arange(3, UPDATES, 4)), rtol=1e-6)  # micro-batches: Keras' own rule


class Falling(keras.callbacks.Callback):
    def on_train_batch_begin(self, batch, logs=None):
        self.model.optimizer.learning_rate.assign(0.1 / (batch + 1))
        self.model.optimizer.momentum = 0.5


def test_what_a_callback_assigns_is_seen_where_it_can_be() -> None:
    watch = watched(keras.optimizers.SGD(0.1, momentum=0.9), before=(Falling(),))
    rates = s.tabulated((0.1 / np.arange(1, UPDATES + 1)).tolist())
    assert_used(watch, rates)
    for momentum in (0.5, 0.9):
        with pytest.raises(AssertionError, match="momentum of a stock Keras optimizer cannot be seen"):
            assert_used(watch, rates.with_momentum(momentum))
    with pytest.raises(AssertionError, match="weight decay of a stock Keras optimizer cannot be seen"):
        assert_used(watch, rates, weight_decay=s.constant(0.0))


def test_a_function_as_learning_rate_is_not_trusted() -> None:
    with pytest.raises(AssertionError, match="called once, when the step is traced"):
        assert_used(watched(keras.optimizers.SGD(lambda: 0.1)), s.constant(0.1))


@pytest.mark.parametrize("record", [2, 7, None])  # much shorter than the epoch, no divisor of it, and longer
def test_watch_hands_out_the_record_of_our_optimizers_even_when_it_is_short(record: int | None) -> None:
    optimizer = AdamW(ONE_CYCLE, weight_decay=s.linear(0.1, 0.0, UPDATES), record=record)
    assert_used(watched(optimizer), ONE_CYCLE, weight_decay=s.linear(0.1, 0.0, UPDATES))


def test_watch_notices_updates_made_behind_its_back() -> None:
    model, watch, data = Quadratic(), Watch(), np.zeros((4, 1))
    model.compile(optimizer=keras.optimizers.SGD(0.1), loss=lambda y_true, y_pred: y_pred)
    for callbacks in ([watch], [watch]):
        model.fit(data, data, batch_size=1, verbose=0, callbacks=callbacks)
    assert_used(watch, s.constant(0.1))
    assert len(watch.trace().groups[0]["lr"]) == 8
    for callbacks in ([], [watch]):
        model.fit(data, data, batch_size=1, verbose=0, callbacks=callbacks)
    with pytest.raises(AssertionError, match="while this Watch was not among the callbacks"):
        assert_used(watch, s.constant(0.1))


# ------------------------------------------------------------------------------- copied elsewhere
def test_the_two_files_work_alone_and_their_example_runs(tmp_path) -> None:
    helpers = Path(for_keras.__file__).parent
    for name in ("schedules.py", "for_keras.py"):
        shutil.copy(helpers / name, tmp_path)
    example = for_keras.__doc__.partition("::\n")[2].partition("\n\nAssigning")[0]
    (tmp_path / "example.py").write_text(textwrap.dedent(example), "utf-8")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [sys.executable, "example.py"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]


def test_a_missing_module_is_not_masked(tmp_path, monkeypatch) -> None:
    package = tmp_path / "copied_keras_adapter"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "schedules.py").write_text("import nowhere_to_be_found\n", "utf-8")
    shutil.copy(for_keras.__file__, package)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="nowhere_to_be_found"):
        importlib.import_module("copied_keras_adapter.for_keras")
