"""The same numbers as the schedulers of PyTorch and Keras, which we did not write, run live at random settings."""

import warnings

import keras
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.optim import lr_scheduler

from helpers import schedules as s
from helpers.plateau import ReduceOnPlateau
from tests.strategies import examples, momenta

rates = st.floats(1e-3, 1.0)
CLOSE = {"rtol": 1e-9, "atol": 1e-12}  # torch's running fractions are some 1e-14 off where the value is exactly 0


def run_torch(build, steps: int, lr: float = 0.1, **options) -> tuple[list[float], list[float]]:
    """Learning rates and momenta that the optimizer really holds at updates 0 .. steps-1."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=lr, momentum=0.9, **options)
    scheduler, rows = build(optimizer), []
    for k in range(steps):
        rows.append((optimizer.param_groups[0]["lr"], optimizer.param_groups[0]["momentum"]))
        optimizer.step()
        if k < steps - 1:
            scheduler.step()
    return [row[0] for row in rows], [row[1] for row in rows]


@given(
    rates,
    st.integers(4, 120),
    st.floats(0.05, 0.45),
    st.floats(1.0, 100),
    st.floats(1.0, 1e5),
    st.booleans(),
    st.sampled_from(["cos", "linear"]),
    momenta,
)
@examples(150)
def test_one_cycle_torch_is_OneCycleLR_bit_by_bit(peak, total, pct, div, final, three, anneal, momentum) -> None:
    options = {"pct_start": pct, "div_factor": div, "final_div_factor": final, "three_phase": three}

    def build(optimizer):
        low, high = momentum
        moving = {"base_momentum": low, "max_momentum": high, "anneal_strategy": anneal}
        return lr_scheduler.OneCycleLR(optimizer, peak, total_steps=total, **options, **moving)

    try:
        ours = s.one_cycle_torch(peak, total, anneal=anneal, momentum=momentum, **options)
    except ValueError:  # an empty phase: torch divides by zero, or leaves the phase out
        assert pct * total <= 1
        return
    lr, momenta_used = run_torch(build, total)
    assert ours(np.arange(total)).tolist() == lr
    assert ours.momentum(np.arange(total)).tolist() == momenta_used


@given(
    rates,
    rates,
    st.integers(1, 20),
    st.none() | st.integers(1, 20),
    st.sampled_from(["triangular", "triangular2", "exp_range"]),
    st.floats(0.9, 1.0),
    momenta,
)
def test_cyclic_is_CyclicLR(a, b, up, down, mode, gamma, momentum) -> None:
    (base, peak), gamma = sorted((a, b)), gamma if mode == "exp_range" else 1.0
    ours = s.cyclic(base, peak, up, down, mode=mode, gamma=gamma, momentum=momentum)

    def build(optimizer):
        moving = {"base_momentum": momentum[0], "max_momentum": momentum[1], "mode": mode, "gamma": gamma}
        return lr_scheduler.CyclicLR(optimizer, base, peak, up, down, **moving)

    lr, momenta_used = run_torch(build, 100)
    np.testing.assert_allclose(ours(np.arange(100)), lr, **CLOSE)
    np.testing.assert_allclose(ours.momentum(np.arange(100)), momenta_used, **CLOSE)


@given(rates, st.floats(0.5, 1.0, exclude_max=True), st.integers(1, 30), st.floats(0.5, 3.0), st.integers(1, 60))
def test_decays_are_torchs(lr, gamma, every, power, total) -> None:
    pairs = [
        (s.exponential(lr, gamma, 1), lambda o: lr_scheduler.ExponentialLR(o, gamma)),
        (s.exponential(lr, gamma, every, staircase=True), lambda o: lr_scheduler.StepLR(o, every, gamma)),
        (s.polynomial(lr, 0.0, total, power=power), lambda o: lr_scheduler.PolynomialLR(o, total, power)),
        (s.linear(lr * gamma, lr, total), lambda o: lr_scheduler.LinearLR(o, gamma, 1.0, total)),
        (s.cosine_restarts(lr, every, t_mul=2), lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, every, 2)),
    ]
    for ours, build in pairs:
        np.testing.assert_allclose(ours(np.arange(80)), run_torch(build, 80, lr)[0], rtol=1e-9, atol=1e-12)
    # torch's cosine comes back up after its end, ours is held: compare up to there
    theirs = run_torch(lambda o: lr_scheduler.CosineAnnealingLR(o, total), total + 1, lr)[0]
    np.testing.assert_allclose(s.cosine(lr, total)(np.arange(total + 1)), theirs, rtol=1e-9, atol=1e-12)


@given(rates, st.sets(st.integers(1, 40), min_size=1, max_size=4))
def test_piecewise_constant_is_MultiStepLR(lr, boundaries) -> None:
    boundaries = sorted(boundaries)
    ours = s.piecewise_constant(boundaries, [lr * 0.5**i for i in range(len(boundaries) + 1)])
    theirs = run_torch(lambda o: lr_scheduler.MultiStepLR(o, boundaries, 0.5), 50, lr)[0]
    np.testing.assert_allclose(ours(np.arange(50)), theirs, rtol=1e-12)


@given(rates, st.integers(1, 20), st.integers(1, 20), st.integers(1, 20))
def test_then_is_SequentialLR(lr, rise, hold, fall) -> None:
    ours = s.wsd(lr, rise, hold, fall, start_lr=lr * 0.1, decay="linear")

    def build(optimizer):
        parts = [
            lr_scheduler.LinearLR(optimizer, 0.1, 1.0, rise),
            lr_scheduler.ConstantLR(optimizer, 1.0, hold),
            lr_scheduler.LinearLR(optimizer, 1.0, 0.0, fall),
        ]
        return lr_scheduler.SequentialLR(optimizer, parts, [rise, rise + hold])

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own, from inside SequentialLR
        theirs = run_torch(build, rise + hold + fall + 1, lr)[0]
    k = np.arange(len(theirs))
    np.testing.assert_allclose(ours(k), theirs, rtol=1e-9, atol=1e-12)
    joined = s.warmup(lr * 0.1, lr, rise).then(s.constant(lr), at=rise).then(s.linear(lr, 0.0, fall), at=rise + hold)
    np.testing.assert_allclose(joined(k), ours(k), rtol=1e-12, atol=1e-15)


@given(
    st.lists(st.floats(0.01, 10.0), min_size=5, max_size=60),
    st.integers(0, 4),
    st.integers(0, 3),
    st.sampled_from(["rel", "abs"]),
    st.sampled_from(["min", "max"]),
)
def test_plateau_is_ReduceLROnPlateau(metrics, patience, cooldown, threshold_mode, mode) -> None:
    options = {"patience": patience, "cooldown": cooldown, "threshold_mode": threshold_mode, "mode": mode}
    ours = ReduceOnPlateau(0.1, factor=0.5, min_lr=1e-3, **options)
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    theirs = lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, min_lr=1e-3, **options)
    for i, metric in enumerate(metrics):
        theirs.step(metric)
        assert ours.update(metric) == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-12)
        if i == len(metrics) // 2:  # a restored plateau goes on as if nothing had happened
            restored = ReduceOnPlateau(0.1, factor=0.5, min_lr=1e-3, **options)
            restored.load_state_dict(ours.state_dict())
            ours = restored


def test_plateau_never_raises_a_rate_that_is_below_its_floor() -> None:
    plateau = ReduceOnPlateau(1e-4, factor=0.5, patience=0, min_lr=1e-3)
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1e-4)
    theirs = lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=0, min_lr=1e-3)
    for _ in range(3):
        theirs.step(1.0)
        assert plateau.update(1.0) == optimizer.param_groups[0]["lr"] == 1e-4


def test_plateau_counts_nan_as_no_improvement_and_handles_negative_metrics() -> None:
    plateau = ReduceOnPlateau(0.1, factor=0.5, patience=0)
    assert [plateau.update(x) for x in (1.0, float("nan"), 0.5)] == [0.1, 0.05, 0.05]
    negative = ReduceOnPlateau(0.1, factor=0.5, patience=0, threshold=0.1)
    assert [negative.update(x) for x in (-1.0, -0.95, -2.0)] == [0.1, 0.05, 0.05]  # slightly worse is not better


# Keras computes in float32, hence the tolerance
KERAS_CLOSE = {"rtol": 2e-5, "atol": 1e-7}
keras_schedules = keras.optimizers.schedules


def run_keras(schedule, steps: int) -> list[float]:
    return [float(keras.ops.convert_to_numpy(schedule(k))) for k in range(steps)]


@given(rates, st.floats(0.3, 1.0), st.integers(1, 25), st.floats(0.5, 3.0), st.floats(0.0, 0.5))
@examples(8)
def test_the_rest_is_keras(lr, rate, n, power, alpha) -> None:
    end, k = lr * alpha, np.arange(60)
    pairs = [
        (s.exponential(lr, rate, n), keras_schedules.ExponentialDecay(lr, n, rate)),
        (s.exponential(lr, rate, n, staircase=True), keras_schedules.ExponentialDecay(lr, n, rate, staircase=True)),
        (s.inverse_time(lr, rate, n), keras_schedules.InverseTimeDecay(lr, n, rate)),
        (s.polynomial(lr, end, n, power=power), keras_schedules.PolynomialDecay(lr, n, end, power)),
        (s.cosine(lr, n, end_lr=end), keras_schedules.CosineDecay(lr, n, alpha)),
        (
            s.warmup(end, lr, 7).then(s.cosine(lr, n)),
            keras_schedules.CosineDecay(end, n, warmup_target=lr, warmup_steps=7),
        ),
        (
            s.cosine_restarts(lr, n, t_mul=1, m_mul=rate, end_lr=end),
            keras_schedules.CosineDecayRestarts(lr, n, t_mul=1.0, m_mul=rate, alpha=alpha),
        ),
    ]
    for ours, theirs in pairs:
        np.testing.assert_allclose(run_keras(theirs, len(k)), ours(k), **KERAS_CLOSE, err_msg=repr(ours))


def test_keras_changes_a_piecewise_value_one_update_later() -> None:
    theirs = run_keras(keras_schedules.PiecewiseConstantDecay([2, 5], [0.1, 0.01, 0.001]), 10)
    np.testing.assert_allclose(theirs, s.piecewise_constant([3, 6], [0.1, 0.01, 0.001])(np.arange(10)), rtol=1e-6)
