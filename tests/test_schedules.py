"""Properties every schedule has, for random valid schedules; then values and errors of single ones."""

import inspect
import itertools
import json
import math
import pickle
from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import Phase, assume, example, given, settings
from hypothesis import strategies as st

from helpers import schedules as s
from helpers.plateau import ReduceOnPlateau
from helpers.schedules import Schedule, Trace
from tests.strategies import any_schedule, cyclics, endless, finite, one_cycles, rates, single

steps = st.integers(0, 3000)
many_steps = st.lists(steps, min_size=1, max_size=50)


# ------------------------------------------------------------- what the properties are tried with
COMBINATIONS = {"scaled", "then", "with_momentum", "momentum_of"}


def parts_of(schedule: Schedule) -> Iterator[Schedule]:
    """The schedule, and all that it is combined of."""
    yield schedule
    for value in schedule.arguments.values():
        if isinstance(value, Schedule):
            yield from parts_of(value)


def defaults_of(function) -> dict[str, object]:
    parameters = inspect.signature(function).parameters.values()
    return {one.name: one.default for one in parameters if one.default is not one.empty}


def test_every_schedule_option_and_combination_is_drawn() -> None:
    """Who adds a schedule adds it to the strategies, or none of the properties below is tried on it."""
    public = {
        name: defaults_of(made)
        for name, made in vars(s).items()
        if not name.startswith("_") and inspect.isfunction(made) and made.__annotations__.get("return") == "Schedule"
    }
    assert public.keys() == set(s.__all__) - {"Schedule", "Trace", "assert_used"}
    missing = {*public, *COMBINATIONS, *itertools.product(["scaled", "then"], repeat=2)}
    missing |= {(name, option) for name, defaults in public.items() for option in defaults}

    @settings(max_examples=1500, phases=[Phase.generate])
    @given(any_schedule())
    def draw(schedule: Schedule) -> None:
        for part in parts_of(schedule):
            missing.discard(part.name)
            missing.difference_update((part.name, inner.name) for inner in parts_of(part) if inner is not part)
            usual = public.get(part.name, {})
            missing.difference_update((part.name, name) for name in usual if part.arguments[name] != usual[name])

    draw()
    assert not missing, "tests/strategies.py never draws these"


# ------------------------------------------------------------------------------------- properties
@given(any_schedule(), many_steps)
def test_values_are_finite_and_within_bounds(schedule: Schedule, k: list[int]) -> None:
    values, (low, high) = schedule(k), schedule.bounds
    assert np.isfinite(values).all()
    assert (values >= low).all()
    assert (values <= high * (1 + 1e-12)).all()
    assert low >= 0


def test_the_bounds_of_one_cycle_torch_hold_its_uncorrected_end_value() -> None:
    lr = s.one_cycle_torch(1.5, 25, pct_start=0.5, anneal="linear", momentum=None)
    assert lr.bounds[0] <= lr(24) < 6e-6
    assert lr.bounds[0] == pytest.approx(6e-6, rel=1e-9)


@given(any_schedule(), many_steps)
def test_scalar_calls_equal_array_calls_bit_by_bit(schedule: Schedule, k: list[int]) -> None:
    assert [schedule(step) for step in k] == schedule(np.array(k)).tolist()
    assert schedule(k[::-1]).tolist() == schedule(k)[::-1].tolist()


@given(any_schedule(), st.tuples(st.integers(1, 4), st.integers(1, 4)))
def test_arrays_keep_their_shape_and_scalars_become_floats(schedule: Schedule, shape: tuple[int, int]) -> None:
    k = np.arange(math.prod(shape)).reshape(shape)
    assert schedule(k).shape == shape
    assert schedule(k).dtype == np.float64
    assert type(schedule(3)) is float
    assert type(schedule(np.int64(3))) is float
    assert schedule(np.array([], dtype=int)).shape == (0,)


@given(finite(), st.integers(0, 10**12))
def test_the_end_value_is_reached_at_steps_and_held(schedule: Schedule, later: int) -> None:
    end = int(schedule.steps)
    assert schedule(end + later) == schedule(end)
    if schedule.momentum is not None:
        assert schedule.momentum(end + later) == schedule.momentum(end)


@given(rates, rates, st.integers(1, 10**6))
@example(1.0607107635875548, 5.909792994512974, 1)  # where end + (start - end) is not start
def test_both_ends_are_exact(first: float, last: float, n: int) -> None:
    curves = [s.linear(first, last, n), s.polynomial(first, last, n, power=1.7), s.cosine(first, n, end_lr=last)]
    for schedule in curves:
        assert (schedule(0), schedule(n)) == (first, last)
    low, high = sorted((first, last))
    assert s.cosine_restarts(high, n, end_lr=low)(0) == high


@given(rates, st.integers(2, 1000), st.data(), st.sampled_from(["cos", "linear"]))
def test_one_cycle_hits_its_knots_bit_by_bit(peak: float, total: int, data: st.DataObject, anneal: str) -> None:
    up = data.draw(st.integers(1, total - 1))
    schedule = s.one_cycle(peak, total, pct_start=up, anneal=anneal)
    assert schedule(up) == peak == max(schedule(np.arange(total)))
    assert schedule(0) == peak / 25
    assert schedule(total) == peak / 25 / 1e4
    assert (schedule.momentum(0), schedule.momentum(up), schedule.momentum(total)) == (0.95, 0.85, 0.95)


@pytest.mark.parametrize("anneal", ["cos", "linear"])
def test_a_fraction_that_means_a_whole_step_is_that_step(anneal: str) -> None:
    assert 0.07 * 100 > 7  # rounding: the peak would come a hair after step 7, and never be hit
    for step in range(1, 100):
        schedule = s.one_cycle(0.1, 100, pct_start=step / 100, anneal=anneal)
        assert schedule(step) == 0.1
        assert schedule(step - 0.5) < 0.1 > schedule(step + 0.5)


def phases_of(schedule: Schedule) -> tuple[list[float], list[float]]:
    """Where the phases of a `one_cycle` end, and its learning rates there."""
    asked = schedule.arguments
    total, up = asked["total_steps"], asked["pct_start"]
    up = up * total if isinstance(up, float) else up
    ends = [0, up, 2 * up, total] if asked["three_phase"] else [0, up, total]
    return ends, [schedule(end) for end in ends]


@given(one_cycles())
def test_one_cycle_is_continuous(schedule: Schedule) -> None:
    ends, levels = phases_of(schedule)
    slopes = np.abs(np.diff(levels)) / np.diff(ends)
    jumps = np.abs(np.diff(schedule(np.arange(schedule.steps + 2))))
    assert jumps.max() <= slopes.max() * math.pi / 2 * (1 + 1e-9) + 1e-15 * max(levels)  # rounding, where all are equal


@given(
    st.one_of(
        st.builds(s.cosine, rates, st.integers(1, 500)), st.builds(s.linear, rates, st.just(0.0), st.integers(1, 500))
    )
)
def test_decays_never_rise(schedule: Schedule) -> None:
    assert (np.diff(schedule(np.arange(schedule.steps + 5))) <= 0).all()


@given(any_schedule(), st.floats(0, 100), steps)
def test_scaling_scales_the_rate_and_leaves_momentum(schedule: Schedule, factor: float, k: int) -> None:
    for scaled in (factor * schedule, schedule * factor, np.float64(factor) * schedule):
        assert scaled(k) == factor * schedule(k)
        assert scaled.momentum == schedule.momentum
        assert (scaled.steps, scaled.settles) == (schedule.steps, schedule.settles)
        assert scaled.bounds == tuple(factor * bound for bound in schedule.bounds)


@given(any_schedule(), any_schedule(), st.integers(1, 800), steps)
def test_then_switches_at_the_step_and_restarts_the_clock(a: Schedule, b: Schedule, at: int, k: int) -> None:
    assume((a.momentum is None) == (b.momentum is None))
    joined = a.then(b, at=at)
    assert joined(k) == (a(k) if k < at else b(k - at))
    assert joined.steps == at + b.steps
    if joined.momentum is not None:
        assert joined.momentum(k) == (a.momentum(k) if k < at else b.momentum(k - at))


@given(finite(), finite(), any_schedule(), steps)
def test_then_is_associative(a: Schedule, b: Schedule, c: Schedule, k: int) -> None:
    a, b, c = (schedule.with_momentum(None) for schedule in (a, b, c))
    left, right = a.then(b).then(c), a.then(b.then(c))
    assert left(k) == right(k)
    assert left.steps == right.steps


@given(any_schedule(), steps)
def test_a_schedule_is_what_was_typed(schedule: Schedule, k: int) -> None:
    """repr and eval, JSON, pickle, hash and replace, for every schedule, every combination and the momentum of each."""
    description = schedule.to_dict()
    copies = [
        eval(repr(schedule), vars(s)),
        Schedule.from_dict(json.loads(json.dumps(description, allow_nan=False))),
        pickle.loads(pickle.dumps(schedule)),
        schedule.replace(),
    ]
    for copy in copies:
        assert copy == schedule
        assert hash(copy) == hash(schedule)
        assert repr(copy) == repr(schedule)
        assert copy(k) == schedule(k)
        assert copy.momentum == schedule.momentum
        assert copy.to_dict() == description == json.loads(json.dumps(description))


@given(single(), st.data())
def test_one_changed_argument_makes_another_schedule(schedule: Schedule, data: st.DataObject) -> None:
    numbers = [name for name, value in schedule.arguments.items() if type(value) is float and 0 < value < 0.5]
    assume(numbers)
    name = data.draw(st.sampled_from(numbers))
    try:
        other = schedule.replace(**{name: schedule.arguments[name] * 0.999})
    except ValueError:  # base_lr above max_lr and the like
        assume(False)
    assert other != schedule
    assert other.arguments[name] == schedule.arguments[name] * 0.999
    assert other.replace(**{name: schedule.arguments[name]}) == schedule


def test_repr_omits_defaults_and_explicit_defaults_are_equal() -> None:
    plain = s.one_cycle(0.1, 100)
    assert repr(plain) == "one_cycle(max_lr=0.1, total_steps=100)"
    assert plain == s.one_cycle(np.float64(0.1), np.int64(100), pct_start=0.3, momentum=[0.85, 0.95])
    assert hash(plain) == hash(s.one_cycle(0.1, 100, anneal="cos"))
    assert plain != s.one_cycle(0.1, 100, pct_start=0.31)
    assert plain.momentum != s.one_cycle(0.1, 500, momentum=(0.5, 0.6)).momentum
    assert plain.to_dict() | {"momentum": None} == s.one_cycle(0.1, 100, momentum=None).to_dict()


def test_repr_of_combinations_is_what_one_would_type() -> None:
    warm, cold = s.warmup(0.0, 0.1, 5), s.cosine(0.1, 10)
    assert repr(warm.then(cold)) == (
        "warmup(start_lr=0.0, end_lr=0.1, steps=5).then(cosine(initial_lr=0.1, decay_steps=10))"
    )
    assert repr(warm.then(cold, at=3)).endswith(", at=3)")
    assert repr((0.5 * (0.5 * cold)).then(cold)) == f"(0.5 * (0.5 * {cold!r})).then({cold!r})"
    assert repr(cold.with_momentum(0.9)) == f"{cold!r}.with_momentum(0.9)"


def test_the_function_shows_its_signature_and_gives_a_schedule() -> None:
    signature = inspect.signature(s.cosine)
    assert list(signature.parameters) == ["initial_lr", "decay_steps", "end_lr"]
    assert signature.return_annotation == s.cosine.__annotations__["return"] == "Schedule"


@given(any_schedule(), any_schedule())
def test_momentum_survives_a_round_trip(schedule: Schedule, other: Schedule) -> None:
    assert schedule.with_momentum(schedule.momentum) == schedule
    assume(other.momentum is None and other.bounds[1] < 1)
    moved = schedule.with_momentum(other)
    assert moved.momentum == other
    assert moved.with_momentum(None).momentum is None
    assert (moved.bounds, moved.steps, moved.settles) == (schedule.bounds, schedule.steps, schedule.settles)


@given(any_schedule(), st.integers(0, 10**6))
def test_after_it_settles_the_value_no_longer_changes(schedule: Schedule, later: int) -> None:
    assert schedule.settles <= schedule.steps
    assume(schedule.settles < math.inf)
    assert schedule(schedule.settles + later) == schedule(schedule.settles)


@pytest.mark.parametrize(
    ("schedule", "settles", "steps"),
    [
        (s.constant(0.1), 0, math.inf),
        (s.piecewise_constant([3, 7], [3, 2, 1]), 7, math.inf),
        (s.piecewise_constant([], [3]), 0, math.inf),
        (s.linear(0.1, 0.0, 10), 10, 10),
        (s.one_cycle_torch(0.1, 10), 9, 10),
        (s.lr_range_test(0.1, 1.0, 10), 9, 10),
        (s.tabulated([3, 2, 1]), 2, 3),
        (s.warmup(0.0, 0.1, 5).then(s.constant(0.1)), 5, math.inf),
        (0.5 * s.linear(0.1, 0.0, 4).then(s.piecewise_constant([6], [2, 1])), 10, math.inf),
        (s.exponential(0.1, 0.5, 10), math.inf, math.inf),
    ],
)
def test_where_schedules_settle_and_end(schedule: Schedule, settles: float, steps: float) -> None:
    assert (schedule.settles, schedule.steps) == (settles, steps)
    if 0 < settles < math.inf:
        assert schedule(settles - 1) != schedule(settles), "not later than it has to be"


@given(st.lists(rates, min_size=1, max_size=40), st.integers(0, 100))
def test_a_table_gives_its_values(values: list[float], k: int) -> None:
    assert s.tabulated(np.array(values))(k) == values[min(k, len(values) - 1)]


@given(any_schedule(), st.integers(1, 60))
def test_any_schedule_can_be_tabulated(schedule: Schedule, updates: int) -> None:
    k = np.arange(updates)
    assert s.tabulated(schedule(k))(k).tolist() == schedule(k).tolist()


def test_steps_may_be_tensors_series_and_ranges() -> None:
    lr = s.cosine(0.1, 10)
    wanted = lr([0, 1, 2, 3])
    for steps_ in (torch.arange(4), torch.arange(4.0, requires_grad=True), pd.Series(range(4)), range(4), (0, 1, 2, 3)):
        assert lr(steps_).tolist() == wanted.tolist()
    assert lr(torch.tensor(3)) == lr(3)
    assert lr(torch.arange(4).reshape(2, 2)).shape == (2, 2)


def test_numbers_of_any_kind_are_understood() -> None:
    exact = s.linear(Fraction(1, 10), Fraction(0), np.int32(10))
    assert exact == s.linear(0.1, 0.0, 10)
    assert json.dumps(exact.to_dict())
    assert exact(10**30) == 0.0, "a step beyond 64 bits"


@given(rates, rates, st.integers(1, 1000), st.data())
def test_rex_is_the_papers_formula(peak: float, end: float, total: int, data: st.DataObject) -> None:
    t = data.draw(st.integers(0, total))
    left = Fraction(total - t, total)
    wanted = left / (Fraction(1, 2) + left / 2)
    assert s.rex(peak, total)(t) == pytest.approx(peak * float(wanted), rel=1e-12)
    assert s.rex(peak, total, end_lr=end)(t) == pytest.approx(end + (peak - end) * float(wanted), rel=1e-12)


@given(one_cycles())
def test_momentum_moves_opposite_to_the_rate(schedule: Schedule) -> None:
    assume(schedule.momentum is not None)
    (_, up, end, *_), _ = phases_of(schedule)
    k = np.arange(math.floor(end) + 1)
    rate, momentum = np.diff(schedule(k)), np.diff(schedule.momentum(k))
    # rounding can hold one of them for a step, never turn it round; across the peak both may go either way
    inside = np.abs(k[:-1] + 0.5 - up) > 1
    assert (rate * momentum <= 1e-16)[inside].all()


@given(rates, st.integers(1, 60), st.integers(0, 100_000))
def test_triangles_repeat_and_triangular2_halves(peak: float, up: int, k: int) -> None:
    plain, halving = s.cyclic(0.0, peak, up), s.cyclic(0.0, peak, up, mode="triangular2")
    assert plain(k + 2 * up) == plain(k)
    assert halving(k + 2 * up) == pytest.approx(halving(k) / 2, rel=1e-12, abs=1e-300)


@pytest.mark.parametrize(("first", "t_mul"), [(1, 3), (10, 1.5), (10, 1.1), (7, 1), (5, 2), (3, 3)])
def test_restarts_restart_exactly(first: int, t_mul: float) -> None:
    schedule = s.cosine_restarts(0.1, first, t_mul=t_mul, m_mul=0.5)
    start, length = Fraction(0), Fraction(first)
    for cycle in range(8):  # first=1, t_mul=3 includes the 121 that a logarithm misses
        if start.denominator == 1:
            assert schedule(int(start)) == 0.1 * 0.5**cycle
        if length > 1:
            assert schedule(math.ceil(start + length) - 1) < 0.1 * 0.5**cycle
        start, length = start + length, length * Fraction(str(t_mul))


@given(rates, st.integers(1, 50), st.integers(2, 20), st.data())
def test_stretching_time_stretches_the_schedule(peak: float, tens: int, stretch: int, data: st.DataObject) -> None:
    total, k = 10 * tens, data.draw(st.integers(0, 10 * tens))
    assert s.one_cycle(peak, stretch * total)(stretch * k) == pytest.approx(s.one_cycle(peak, total)(k), rel=1e-9)


@given(st.floats(1e-8, 1.0), st.floats(1.01, 1e6), st.integers(2, 500))
def test_the_range_test_is_numpys_ladder(low: float, ratio: float, n: int) -> None:
    high, k = low * ratio, np.arange(n)
    np.testing.assert_allclose(s.lr_range_test(low, high, n)(k), np.geomspace(low, high, n), rtol=1e-11)
    np.testing.assert_allclose(s.lr_range_test(low, high, n, mode="linear")(k), np.linspace(low, high, n), rtol=1e-11)
    assert s.lr_range_test(low, high, n)(n - 1) == high


@given(cyclics() | endless(), st.integers(0, 10**9))
def test_far_steps_are_fine(schedule: Schedule, k: int) -> None:
    assert 0 <= schedule(k) <= schedule.bounds[1] * (1 + 1e-12)


# ----------------------------------------------------------------------------------- single values
def test_the_phases_of_three_phase_one_cycle_are_three_lines() -> None:
    lr = s.one_cycle(1.0, 100, pct_start=0.4, div_factor=10, final_div_factor=100, anneal="linear", three_phase=True)
    assert lr([0, 20, 40, 60, 80, 90, 100]) == pytest.approx([0.1, 0.55, 1.0, 0.55, 0.1, (0.1 + 0.001) / 2, 0.001])


def test_noam_equals_its_formula() -> None:
    k = np.arange(5000)
    t = k + 1
    expected = 2.0 * 64**-0.5 * np.minimum(t**-0.5, t * 400**-1.5)
    np.testing.assert_allclose(s.noam(64, 400, factor=2.0)(k), expected, rtol=1e-12)
    np.testing.assert_allclose(s.noam(64, 1)(k), 64**-0.5 * t**-0.5, rtol=1e-12)


def test_inverse_sqrt_equals_its_formula() -> None:
    k = np.arange(50, 1000)
    np.testing.assert_allclose(s.inverse_sqrt(0.3, 50, start_lr=0.0)(k), 0.3 * np.sqrt(50 / k), rtol=1e-12)


@pytest.mark.parametrize(("decay", "half"), [("1-sqrt", 1 - math.sqrt(0.5)), ("linear", 0.5), ("cos", 0.5)])
def test_wsd_cools_down_in_the_shape_asked_for(decay: str, half: float) -> None:
    lr = s.wsd(0.2, 10, 50, 40, start_lr=0.0, end_lr=0.02, decay=decay)
    assert lr([0, 5, 10, 60, 80, 100]) == pytest.approx([0, 0.1, 0.2, 0.2, 0.02 + 0.18 * half, 0.02])


def test_replacing_and_removing_momentum() -> None:
    lr = 0.5 * s.one_cycle(0.1, 100)
    assert lr.momentum == s.one_cycle(0.1, 100).momentum
    assert lr.with_momentum(None).momentum is None
    assert lr.with_momentum(0.9).momentum(50) == 0.9
    assert lr.with_momentum(0.9).then(s.constant(0.1).with_momentum(0.5)).momentum(100) == 0.5


def test_a_bad_call_names_the_schedule() -> None:
    with pytest.raises(TypeError, match="one_cycle: missing a required argument: 'total_steps'"):
        s.one_cycle(0.1)
    with pytest.raises(TypeError, match="one_cycle: got an unexpected keyword argument 'steps'"):
        s.one_cycle(0.1, 100, steps=10)


def test_a_long_table_does_not_fill_the_screen_with_its_error() -> None:
    table = s.tabulated(np.linspace(0.1, 1.0, 5000)).with_momentum(0.9)
    with pytest.raises(ValueError, match="only one side") as refused:
        table.then(s.constant(0.1))
    assert len(str(refused.value)) < 600


def test_schedules_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        s.constant(0.1).name = "linear"
    with pytest.raises(TypeError):
        s.constant(0.1).arguments["lr"] = 0.2


# ----------------------------------------------------------------------------------- what was used
def test_small_rates_are_compared_as_strictly_as_large_ones() -> None:
    plan = s.linear(1e-9, 0.0, 4)
    s.assert_used(Trace([{"lr": plan(range(4)).tolist()}]), plan)
    with pytest.raises(AssertionError, match="update 0 used learning rate"):
        s.assert_used(Trace([{"lr": ((1 + 3e-6) * plan(range(4))).tolist()}]), plan)


def test_what_was_not_recorded_is_not_taken_for_right() -> None:
    used = Trace([{"lr": [0.1, 0.1]}], {"momentum": "nobody looked"})
    with pytest.raises(AssertionError, match=r"^weight decay was not recorded$"):
        s.assert_used(used, s.constant(0.1), weight_decay=s.constant(0.1))
    with pytest.raises(AssertionError, match=r"^nobody looked$"):
        s.assert_used(used, s.constant(0.1).with_momentum(0.9))


def test_no_usual_reason_is_given_where_none_fits() -> None:
    other = s.tabulated(0.7 * s.linear(0.1, 0.0, 12)(np.arange(12) // 3))
    with pytest.raises(AssertionError, match=r"update 0 used learning rate 0.07, the schedule says 0.1\.$"):
        s.assert_used(Trace([{"lr": other(range(12)).tolist()}]), s.linear(0.1, 0.0, 12))


# ----------------------------------------------------------------------------------------- errors
NUMBERS = [-0.1, math.nan, math.inf, -math.inf]
NOT_NUMBERS = [True, "0.1", 1j, None, [0.1], np.array([0.1, 0.2])]
BAD_RATES = {
    "constant": s.constant,
    "linear start": lambda lr: s.linear(lr, 0.0, 10),
    "linear end": lambda lr: s.linear(0.1, lr, 10),
    "cosine": lambda lr: s.cosine(lr, 10),
    "cosine end": lambda lr: s.cosine(0.1, 10, end_lr=lr),
    "exponential": lambda lr: s.exponential(lr, 0.5, 10),
    "inverse_time": lambda lr: s.inverse_time(lr, 0.5, 10),
    "polynomial": lambda lr: s.polynomial(lr, 0.0, 10),
    "one_cycle": lambda lr: s.one_cycle(lr, 10),
    "one_cycle_torch": lambda lr: s.one_cycle_torch(lr, 10),
    "cyclic base": lambda lr: s.cyclic(lr, 1.0, 10),
    "cyclic max": lambda lr: s.cyclic(0.0, lr, 10),
    "restarts": lambda lr: s.cosine_restarts(lr, 10),
    "wsd": lambda lr: s.wsd(lr, 1, 1, 1, start_lr=0.0),
    "inverse_sqrt": lambda lr: s.inverse_sqrt(lr, 5, start_lr=0.0),
    "noam": lambda lr: s.noam(64, 10, factor=lr),
    "range test": lambda lr: s.lr_range_test(lr, 1.0, 10),
    "piecewise": lambda lr: s.piecewise_constant([5], [0.1, lr]),
    "factor": lambda lr: lr * s.constant(0.1),
    "rex": lambda lr: s.rex(lr, 10),
    "tabulated": lambda lr: s.tabulated([0.1, lr]),
    "plateau": ReduceOnPlateau,
}


@pytest.mark.parametrize("build", BAD_RATES.values(), ids=BAD_RATES.keys())
def test_a_bad_rate_is_refused_with_its_value(build) -> None:
    for value in NUMBERS:
        with pytest.raises(ValueError, match=str(value)):
            build(value)
    for value in NOT_NUMBERS:
        with pytest.raises(TypeError):
            build(value)


BAD_STEPS = {
    "linear": lambda n: s.linear(0.1, 0.0, n),
    "cosine": lambda n: s.cosine(0.1, n),
    "polynomial": lambda n: s.polynomial(0.1, 0.0, n),
    "one_cycle": lambda n: s.one_cycle(0.1, n),
    "cyclic": lambda n: s.cyclic(0.0, 0.1, n),
    "cyclic down": lambda n: s.cyclic(0.0, 0.1, 5, n),
    "restarts": lambda n: s.cosine_restarts(0.1, n),
    "wsd": lambda n: s.wsd(0.1, n, 1, 1, start_lr=0.0),
    "wsd stable": lambda n: s.wsd(0.1, 1, n, 1, start_lr=0.0),
    "noam": lambda n: s.noam(64, n),
    "piecewise": lambda n: s.piecewise_constant([n], [0.1, 0.01]),
    "then": lambda n: s.constant(0.1).then(s.constant(0.2), at=n),
    "range test": lambda n: s.lr_range_test(0.1, 1.0, n),
}


@pytest.mark.parametrize("build", BAD_STEPS.values(), ids=BAD_STEPS.keys())
def test_bad_steps_are_refused(build) -> None:
    for value in (0, -5):
        with pytest.raises(ValueError, match=str(value)):
            build(value)
    for value in (True, "10", 10.0, 2.5, math.nan):
        with pytest.raises(TypeError):
            build(value)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: s.one_cycle(0.1, 100, pct_start=1.0), "pct_start as a float is a fraction .* got 1.0"),
        (lambda: s.one_cycle(0.1, 100, pct_start=0.0), "pct_start as a float is a fraction .* got 0.0"),
        (lambda: s.one_cycle(0.1, 100, pct_start=100), "shorter than the run of 100"),
        (lambda: s.one_cycle(0.1, 100, pct_start=0.5, three_phase=True), "0.5"),
        (lambda: s.one_cycle(0.1, 100, anneal="poly"), "'poly'"),
        (lambda: s.one_cycle(0.1, 100, momentum=(0.95, 0.85)), r"\(0.95, 0.85\)"),
        (lambda: s.one_cycle(0.1, 100, momentum=(0.85, 1.0)), "below 1"),
        (lambda: s.one_cycle(0.1, 100, div_factor=0.5), "0.5"),
        (lambda: s.one_cycle(0.1, 100, final_div_factor=0.0), "0.0"),
        (lambda: s.one_cycle(0.1, 100, final_div_factor=0.01), "above max_lr"),
        (lambda: s.one_cycle_torch(0.1, 10, pct_start=0.1), "empty"),
        (lambda: s.piecewise_constant([5, 5], [1, 2, 3]), "increase"),
        (lambda: s.piecewise_constant([9, 5], [1, 2, 3]), "increase"),
        (lambda: s.piecewise_constant([5], [1.0]), "2 values, got 1"),
        (lambda: s.exponential(0.1, 1.1, 10), "1.1"),
        (lambda: s.exponential(0.1, 0.0, 10), "0.0"),
        (lambda: s.exponential(0.1, 0.5, 0), "0"),
        (lambda: s.cyclic(0.2, 0.1, 5), "max_lr must not be below base_lr"),
        (lambda: s.cyclic(0.1, 0.2, 5, gamma=0.9), "exp_range"),
        (lambda: s.cyclic(0.1, 0.2, 5, mode="triangle"), "'triangle'"),
        (lambda: s.inverse_time(0.1, 0.0, 10), "decay_rate must be .* above 0, got 0.0"),
        (lambda: s.inverse_time(0.1, 0.5, 0), "decay_steps must be .* above 0, got 0"),
        (lambda: s.inverse_time(0.1, 0.5, 10, power=0), "power must be .* above 0, got 0"),
        (lambda: s.polynomial(0.1, 0.0, 10, power=0), "power must be .* above 0, got 0"),
        (lambda: s.cyclic(0.1, 0.2, 5, mode="exp_range", gamma=0.0), "gamma must be .* above 0 .* got 0.0"),
        (lambda: s.cyclic(0.1, 0.2, 5, mode="exp_range", gamma=1.1), "gamma must be .* at most 1, got 1.1"),
        (lambda: s.cosine_restarts(0.1, 5, m_mul=0.0), "m_mul must be .* above 0 .* got 0.0"),
        (lambda: s.cosine_restarts(0.1, 5, m_mul=1.1), "m_mul must be .* at most 1, got 1.1"),
        (lambda: s.cosine_restarts(0.1, 5, t_mul=0.5), "0.5"),
        (lambda: s.cosine_restarts(0.1, 5, end_lr=0.2), "0.2"),
        (lambda: s.lr_range_test(0.0, 1.0, 10), "0.0"),
        (lambda: s.lr_range_test(1.0, 0.1, 10), "above min_lr"),
        (lambda: s.lr_range_test(0.1, 1.0, 1), "1"),
        (lambda: s.constant(0.1).then(s.constant(0.2)), "never ends"),
        (lambda: s.constant(0.1).with_momentum(1.0), "below 1"),
        (
            lambda: s.one_cycle(0.1, 10).then(s.constant(0.1)),
            r"only one side schedules momentum: one_cycle\(.* does, constant\(lr=0.1\) does not",
        ),
        (
            lambda: s.constant(0.1).with_momentum(-0.5),
            "with_momentum: momentum must be finite and at least 0, got -0.5",
        ),
        (lambda: s.constant(0.1).with_momentum(s.constant(1.5)), "below 1, got 1.5"),
        (lambda: s.tabulated([]), "at least one"),
        (lambda: s.tabulated([0.1, 0.2, -3.0]), r"values\[2\].*-3.0"),
        (lambda: s.one_cycle(-0.1, 100), "one_cycle: max_lr must be .*-0.1"),
        (lambda: s.one_cycle(0.1, 100).replace(max_lr=-1), "one_cycle: max_lr"),
        (lambda: Schedule.from_dict({"schedule": "nope"}), "'nope'"),
        (lambda: Schedule.from_dict({"schedule": ["constant"]}), "constant"),
        (lambda: Schedule.from_dict({"schedule": "constant"}), "missing a required argument: 'lr'"),
        (lambda: Schedule.from_dict({"schedule": "constant", "lr": 0.1, "x": 1}), "unexpected keyword argument 'x'"),
        (lambda: Schedule.from_dict({"schedule": "constant", "lr": "0.1"}), "lr must be a number, got '0.1'"),
        (lambda: Schedule.from_dict({"schedule": "scaled", "factor": 2, "base": {"schedule": "nope"}}), "'nope'"),
        (lambda: Schedule.from_dict({"schedule": "scaled", "factor": 2, "base": 3}), "got 3"),
        (lambda: Schedule.from_dict({"schedule": "then", "first": 1, "second": 2, "at": 3}), "got"),
        (lambda: Schedule.from_dict({"lr": 0.1}), "a schedule is described by"),
        (lambda: Schedule.from_dict([]), "a schedule is described by"),
        (lambda: ReduceOnPlateau(0.1, factor=1.0), "1.0"),
        (lambda: ReduceOnPlateau(0.1, patience=-1), "-1"),
        (lambda: ReduceOnPlateau(0.1).load_state_dict({"lr": 0.1}), "not the state"),
    ],
)
def test_inconsistent_settings_are_refused_with_the_reason(build, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build()


@pytest.mark.parametrize("step", [-1, -0.5, math.nan, math.inf, np.array([3, -1])])
def test_a_bad_step_is_a_value_error(step) -> None:
    with pytest.raises(ValueError, match="updates already made"):
        s.cosine(0.1, 10)(step)


@pytest.mark.parametrize("step", [True, "3", None, 1j, np.array([True])])
def test_a_step_of_the_wrong_kind_is_a_type_error(step) -> None:
    with pytest.raises(TypeError):
        s.cosine(0.1, 10)(step)


@pytest.mark.parametrize(
    "build",
    [
        lambda: s.one_cycle(0.1, 100, momentum=0.9),
        lambda: s.one_cycle(0.1, 100, three_phase=1),
        lambda: s.exponential(0.1, 0.5, 10, staircase="yes"),
        lambda: s.constant(0.1).then(0.1),
        lambda: s.constant(0.1) * s.constant(0.1),
        lambda: s.constant(0.1).with_momentum("0.9"),
        lambda: s.one_cycle(0.1, 100, momentum=(0.85,)),
        lambda: s.constant(0.1).with_momentum(s.one_cycle(0.1, 10)),
        lambda: s.piecewise_constant(5, [0.1, 0.2]),
        lambda: s.piecewise_constant([5], 0.1),
        lambda: s.tabulated("0.1"),
        lambda: s.one_cycle(0.1),
        lambda: s.constant(0.1).replace(max_lr=0.2),
        lambda: ReduceOnPlateau(0.1).update("0.3"),
    ],
)
def test_the_wrong_kind_is_a_type_error(build) -> None:
    with pytest.raises(TypeError):
        build()
