"""The explorer: its JavaScript against schedules.py, the code that it hands out, run; its address; its widget."""

import base64
import dataclasses
import inspect
import json
import math
import re
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import quickjs  # runs the page's scripts outside a browser
from hypothesis import assume, given
from hypothesis import strategies as st

from helpers import explorer, for_keras, for_torch, loss_law, plots, schedules, theory
from helpers.schedules import Schedule
from tests.strategies import any_schedule, examples

TEXT = explorer.PAGE.read_text(encoding="utf-8")


def script(name: str) -> str:
    return re.search(rf'<script id="{name}">(.*?)</script>', TEXT, re.DOTALL)[1]


class Page:
    """The scripts of the page that need no page, as they are shipped."""

    def __init__(self) -> None:
        self.context = quickjs.Context()
        for name in ("schedules", "catalogue", "recorded"):
            self.context.eval(script(name))

    def __call__(self, function: str, *arguments: object) -> Any:
        given = ", ".join(json.dumps(one) for one in arguments)
        return json.loads(self.context.eval(f"JSON.stringify({function}({given}))"))


PAGE = Page()
ENTRIES = PAGE("(() => Object.keys(CATALOGUE))")
KNOBS = {name: PAGE("allKnobs", name) for name in ENTRIES}
VALUES = """((description, ks) => {
    const one = make(description);
    return [ks.map(one.at), one.momentum ? ks.map(one.momentum.at) : null, one.steps];
})"""


def curves(description: dict[str, Any], ks: list[int]) -> tuple[np.ndarray, np.ndarray | None, float]:
    rates, momenta, steps = PAGE(VALUES, description, ks)
    return np.array(rates), momenta and np.array(momenta), math.inf if steps is None else steps  # JSON has no Infinity


def described(name: str, knobs: dict[str, Any], n: int) -> dict[str, Any]:
    return PAGE("((name, p, n) => CATALOGUE[name].describe(p, n))", name, knobs, n)


# ------------------------------------------------------------------------------------- formulas
@examples(60)
@given(schedule=any_schedule(), ks=st.lists(st.integers(0, 1200), min_size=1, max_size=30))
def test_javascript_draws_what_python_computes(schedule: Schedule, ks: list[int]) -> None:
    end = schedule.steps if schedule.steps < math.inf else 600
    ks = [*ks, 0, 1, *(int(end) + shift for shift in (-1, 0, 1) if end + shift >= 0)]
    rates, momenta, steps = curves(schedule.to_dict(), ks)
    np.testing.assert_allclose(rates, schedule(np.array(ks)), rtol=0, atol=1e-12 * max(schedule.bounds[1], 1e-300))
    assert steps == schedule.steps
    assert (momenta is None) == (schedule.momentum is None)
    if schedule.momentum is not None:
        np.testing.assert_allclose(momenta, schedule.momentum(np.array(ks)), rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    "description",
    [
        {"schedule": "constant", "lr": -1},
        {"schedule": "tabulated", "values": []},
        {"schedule": "tabulated", "values": [0.1, -0.1]},
        {"schedule": "piecewise_constant", "boundaries": [5, 5], "values": [1, 2, 3]},
        {"schedule": "piecewise_constant", "boundaries": [5], "values": [1]},
        {"schedule": "exponential", "initial_lr": 0.1, "decay_rate": 1.1, "decay_steps": 10},
        {"schedule": "inverse_time", "initial_lr": 0.1, "decay_rate": 0, "decay_steps": 10},
        {"schedule": "polynomial", "initial_lr": 0.1, "end_lr": 0, "decay_steps": 10, "power": 0},
        {"schedule": "linear", "initial_lr": 0.1, "end_lr": 0, "steps": 0},
        {"schedule": "cosine", "initial_lr": 0.1, "decay_steps": 1.5},
        {"schedule": "cosine_restarts", "initial_lr": 0.1, "first_decay_steps": 5, "t_mul": 0.5},
        {"schedule": "cosine_restarts", "initial_lr": 0.1, "first_decay_steps": 5, "end_lr": 0.2},
        {"schedule": "cyclic", "base_lr": 0.2, "max_lr": 0.1, "step_size_up": 5},
        {"schedule": "cyclic", "base_lr": 0.1, "max_lr": 0.2, "step_size_up": 5, "gamma": 0.9},
        {"schedule": "one_cycle", "max_lr": 0.1, "total_steps": 10, "pct_start": 10},
        {"schedule": "one_cycle", "max_lr": 0.1, "total_steps": 10, "pct_start": 0.5, "three_phase": True},
        {"schedule": "one_cycle", "max_lr": 0.1, "total_steps": 10, "momentum": [0.95, 0.85]},
        {"schedule": "one_cycle", "max_lr": 0.1, "total_steps": 10, "div_factor": 0.5},
        {"schedule": "one_cycle_torch", "max_lr": 0.1, "total_steps": 10, "pct_start": 0.01},
        {"schedule": "wsd", "max_lr": 0.1, "warmup_steps": 1, "stable_steps": 0, "decay_steps": 1, "start_lr": 0},
        {"schedule": "lr_range_test", "min_lr": 1, "max_lr": 0.1, "steps": 10},
        {"schedule": "noam", "d_model": 0, "warmup_steps": 10},
    ],
    ids=lambda description: description["schedule"],
)
def test_both_refuse_what_is_no_schedule(description: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        Schedule.from_dict(description)
    with pytest.raises(quickjs.JSException, match="RangeError"):
        curves(description, [0])


def test_every_schedule_of_the_module_is_there_with_the_same_arguments_and_defaults() -> None:
    public = [name for name in schedules.__all__ if name[0].islower() and name != "assert_used"]
    assert set(public) <= set(PAGE("(() => Object.keys(SCHEDULES))"))
    for name in public:
        parameters = inspect.signature(getattr(schedules, name)).parameters
        written = re.search(rf"function {name}\(\{{ (.*?) \}}\)", script("schedules"))[1]
        assert [one.split(" = ")[0] for one in re.split(r", (?=[a-z_])", written)] == list(parameters)
        defaults = {one.name: one.default for one in parameters.values() if one.default is not one.empty}
        as_json = json.loads(json.dumps(defaults))
        assert PAGE("((name) => DEFAULTS[name] || {})", name) == as_json


@given(st.lists(st.floats(1e-6, 10), min_size=2, max_size=40))
def test_the_bound_is_that_of_theory(rates: list[float]) -> None:
    bound, found = theory.last_iterate_bound(rates), PAGE("last_iterate_bound", rates)
    assert found["far"] == pytest.approx(bound.far, rel=1e-12)
    assert found["noise"] == pytest.approx(bound.noise, rel=1e-9)
    line = theory.last_iterate_bound(1 - np.arange(len(rates)) / len(rates))
    assert PAGE("boundAgainstLinear", rates) == pytest.approx(bound.best / line.best, rel=1e-9)


@given(
    rates=st.lists(st.floats(0, 1), min_size=1, max_size=30),
    momentum=st.floats(0, 0.95),
    curvature=st.floats(0.1, 3),
    variance=st.floats(0, 1),
)
def test_the_parabola_is_that_of_theory(rates: list[float], momentum: float, curvature: float, variance: float) -> None:
    expected = curvature / 2 * theory.second_moments(rates, curvature, variance, momentum=momentum)
    parabola = {"curvature": curvature, "variance": variance}
    found = PAGE("meanLosses", rates, [momentum] * len(rates), parabola)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12 * expected.max())


def predicted(rates: np.ndarray, law: loss_law.LossLaw) -> np.ndarray:
    return np.array(PAGE("predictedLosses", rates.tolist(), dataclasses.asdict(law)), dtype=float)  # null is NaN


@examples(60)
@given(any_schedule(), st.integers(1, 1500), st.floats(0.05, 4.0), st.floats(0.02, 3.0), st.data())
def test_the_predicted_loss_is_that_of_the_law(
    schedule: Schedule, n: int, memory: float, alpha: float, data: st.DataObject
) -> None:
    law = loss_law.LossLaw("functional", peak=0.1, floor=0.5, progress=3.0, noise=0.05, alpha=alpha, memory=memory)
    rates = schedule(np.arange(n))
    begun = np.cumsum(rates) > 0
    found = predicted(rates, law)
    assert len(found) == n + 1
    assert np.isnan(found).tolist() == [True, *(~begun).tolist()]
    if begun.any():
        at = np.array([n, *data.draw(st.lists(st.sampled_from(np.flatnonzero(begun).tolist()), max_size=8))])
        at[1:] += 1
        np.testing.assert_allclose(found[at], law.predict(rates, at), rtol=1e-6)


@pytest.mark.parametrize("name", ENTRIES)
def test_with_the_recorded_numbers_the_prediction_is_exact_to_eight_digits(name: str) -> None:
    law, _ = loss_law.recorded()
    rates = np.array(curves(described(name, PAGE("usual", name, 4000), 4000), list(range(4000)))[0])
    at = np.arange(1, 4001, 137)
    np.testing.assert_allclose(predicted(rates, law)[at], law.predict(rates, at), rtol=1e-8)


def warmed(schedule: Schedule, peak: float = 0.1) -> Schedule:
    return schedules.warmup(peak / 100, peak, 100).then(schedule)


@pytest.mark.parametrize(
    ("schedule", "n", "momentum", "like", "unlike"),
    [
        (warmed(schedules.cosine(0.1, 3900)), 4000, 0.9, ["twice as long"], []),
        (warmed(schedules.cosine(0.1, 1900)), 2000, 0.9, ["twice as long"], []),
        (warmed(schedules.cosine(0.1, 900)), 1000, 0.9, ["half as long"], []),
        (warmed(schedules.cosine(0.1, 11_900)), 12_000, 0.9, ["six times as long"], []),
        (warmed(schedules.cosine(0.1, 12_000)), 12_100, 0.9, [], ["more than 12000 updates"]),
        (warmed(schedules.cosine(0.1, 800)), 900, 0.9, [], ["fewer than 1000 updates"]),
        (schedules.linear(0.1, 0.0, 4000), 4000, 0.9, ["twice as long", "no warmup"], []),
        (warmed(schedules.constant(0.05), 0.05), 4000, 0.9, ["twice as long", "peak 0.05"], []),
        (warmed(schedules.constant(0.2), 0.2), 4000, 0.9, ["twice as long", "peak 0.2"], []),
        (warmed(schedules.constant(0.3), 0.3), 4000, 0.9, ["twice as long", "peak 0.4"], []),
        (warmed(schedules.constant(1.0), 1.0), 4000, 0.9, ["twice as long"], ["a peak of 1"]),
        (warmed(schedules.constant(0.01), 0.01), 4000, 0.9, ["twice as long"], ["a peak of 0.01"]),
        (schedules.one_cycle(0.1, 4000), 4000, None, ["twice as long", "1cycle", "momentum cycled"], []),
        (schedules.one_cycle(0.1, 4000, momentum=None), 4000, 0.9, ["twice as long", "1cycle"], []),
        (warmed(schedules.cosine(0.1, 3900)), 4000, 0.0, ["twice as long"], ["a momentum of 0"]),
        (
            schedules.one_cycle(0.1, 4000, momentum=(0.5, 0.9)),
            4000,
            None,
            ["twice as long", "1cycle"],
            ["momentum between 0.5 and 0.9"],
        ),
    ],
)
def test_the_page_knows_what_the_law_was_tested_with(
    schedule: Schedule, n: int, momentum: float | None, like: list[str], unlike: list[str]
) -> None:
    k = np.arange(n)
    momenta = np.full(n, momentum) if momentum is not None else schedule.momentum(k)
    found = PAGE("evidence", schedule(k).tolist(), momenta.tolist())
    assert [test["name"] for test in found["like"]] == like
    assert found["unlike"] == unlike


# ----------------------------------------------------------------------------------------- code
def knob_values(knob: dict[str, Any], n: int) -> st.SearchStrategy[Any]:
    match knob["kind"]:
        case "flag":
            return st.booleans()
        case "option":
            return st.sampled_from(knob["options"])
        case "updates":
            return st.integers(1, n)
        case "whole":
            return st.integers(knob["min"], knob["max"])
        case "list":
            return st.lists(st.floats(1e-6, 1.0), min_size=1, max_size=20)
    values = st.floats(knob["min"], knob["max"])
    return values | st.just(0.0) if knob.get("zero") else values


@st.composite
def turned(draw: st.DrawFn) -> tuple[str, dict[str, Any], int]:
    """An entry, a position of all its knobs, and a length of the run."""
    name, n = draw(st.sampled_from(ENTRIES)), draw(st.integers(10, 300))
    return name, {knob["id"]: draw(knob_values(knob, n)) for knob in KNOBS[name]}, n


def possible(name: str, knobs: dict[str, Any], n: int) -> tuple[dict[str, Any], Schedule]:
    """The description of these knobs, and its schedule; a position that is none in both languages is set aside."""
    description = described(name, knobs, n)
    try:
        schedule = Schedule.from_dict(description)
    except ValueError:
        with pytest.raises(quickjs.JSException, match="RangeError"):
            curves(description, [0])
        assume(False)
    return description, schedule


@examples(60)
@given(turned())
def test_the_line_for_schedules_py_makes_this_schedule(turned: tuple[str, dict[str, Any], int]) -> None:
    description, schedule = possible(*turned)
    assert eval(PAGE("python", description), {"schedules": schedules}) == schedule


@examples(60)
@given(turned())
def test_plain_python_computes_this_curve(turned: tuple[str, dict[str, Any], int]) -> None:
    description, schedule = possible(*turned)
    k = np.arange(turned[2])
    space: dict[str, Any] = {}
    exec(PAGE("plain", description, "It"), space)
    top = max(schedule.bounds[1], 1e-300)
    np.testing.assert_allclose([space["rate"](int(i)) for i in k], schedule(k), rtol=0, atol=1e-11 * top)
    assert ("momentum" in space) == (schedule.momentum is not None)
    if schedule.momentum is not None:
        np.testing.assert_allclose([space["momentum"](int(i)) for i in k], schedule.momentum(k), rtol=0, atol=1e-11)


N = 40
VARIANTS: dict[str, list[dict[str, Any]]] = {
    "one_cycle": [{"three_phase": True, "anneal": "linear"}, {"cycle": False, "div_factor": 10}, {"low": 0.8}],
    "one_cycle_torch": [{"three_phase": True, "final_div_factor": 100.0}],
    "warmup_linear": [{"start_lr": 0.0}, {"end_lr": 0.01}],
    "warmup_cosine": [{"end_lr": 0.01}],
    "wsd": [{"decay": "linear"}, {"decay": "cos", "end_lr": 0.001}],
    "linear": [{"end_lr": 0.2}, {"end_lr": 0.01}],
    "cosine": [{"end_lr": 0.01}],
    "exponential": [{"staircase": True}],
    "piecewise_constant": [{"second_drop": 20, "first_drop": 20}],
    "inverse_time": [{"power": 0.5}],
    "polynomial": [{"end_lr": 0.01}, {"power": 1.0}],
    "cyclic": [{"mode": "triangular2", "cycle": True}, {"mode": "exp_range", "step_size_down": 7}],
    "cosine_restarts": [{"t_mul": 1.0, "m_mul": 0.5, "end_lr": 0.001}, {"t_mul": 1.5}],
    "lr_range_test": [{"mode": "linear"}],
}
OWN_VALUES = {"values": [round(0.1 / (1 + k), 6) for k in range(N)]}  # one for each update
CASES = [(name, change) for name in ENTRIES for change in ({}, *VARIANTS.get(name, [])) if name != "tabulated"]
CASES.append(("tabulated", OWN_VALUES))


def blocks(tab: str, name: str, change: dict[str, Any]) -> tuple[Schedule, list[dict[str, str]]]:
    knobs = {**PAGE("usual", name, N), **change}
    code = PAGE("codeFor", tab, {"name": name, "p": knobs}, N)
    return Schedule.from_dict(described(name, knobs, N)), code


@pytest.fixture
def copied(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the files lay beside the code: that copies stand alone is test_copied's."""
    for module in (schedules, for_torch, for_keras):
        monkeypatch.setitem(sys.modules, module.__name__.rpartition(".")[2], module)


@pytest.fixture
def used_by_torch() -> Iterator[list[tuple[float, float]]]:
    """What every real update of any optimizer used."""
    from torch.optim.optimizer import register_optimizer_step_pre_hook

    found: list[tuple[float, float]] = []
    hook = register_optimizer_step_pre_hook(
        lambda optimizer, *_: found.append((optimizer.param_groups[0]["lr"], optimizer.param_groups[0]["momentum"]))
    )
    yield found
    hook.remove()


@pytest.mark.usefixtures("copied")
@pytest.mark.parametrize(("name", "change"), CASES, ids=str)
def test_the_code_for_pytorch_trains_with_this_curve(
    name: str, change: dict[str, Any], used_by_torch: list[tuple[float, float]]
) -> None:
    schedule, both = blocks("pytorch", name, change)
    assert len(both) == 2
    for block in both:
        used_by_torch.clear()
        exec(compile(block["code"], block["title"], "exec"), {})
        rates, momenta = np.array(used_by_torch).T
        meant = schedule.momentum(np.arange(N)) if schedule.momentum else np.full(N, 0.9)
        np.testing.assert_allclose(rates, schedule(np.arange(N)), rtol=0, atol=1e-9 * schedule.bounds[1])
        np.testing.assert_allclose(momenta, meant, rtol=0, atol=1e-9)


# one of each kind of code that there is for Keras; the others take minutes
KERAS = [("one_cycle", {}), ("warmup_cosine", {}), ("piecewise_constant", {}), ("rex", {}), ("exponential", {})]


@pytest.mark.full
@pytest.mark.usefixtures("copied")
@pytest.mark.parametrize(
    ("name", "change"), [one if one in KERAS else pytest.param(*one, marks=pytest.mark.slow) for one in CASES], ids=str
)
def test_the_code_for_keras_trains_with_this_curve(
    name: str, change: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    schedule, both = blocks("keras", name, change)
    k = np.arange(N)
    for block in both:
        space: dict[str, Any] = {}
        exec(compile(block["code"], block["title"], "exec"), space)
        optimizer = space["optimizer"]
        assert int(optimizer.iterations) == N
        if isinstance(optimizer, for_keras.SGD):
            trace = optimizer.trace().groups[0]
            rates, momenta = np.array(trace["lr"]), np.array(trace["momentum"])
            meant = schedule.momentum(k) if schedule.momentum else np.full(N, 0.9)
            np.testing.assert_allclose(momenta, meant, rtol=1e-6)
        else:
            rule = space["schedule"]
            rates = np.array([float(rule(int(i))) if callable(rule) else rule for i in k])
        np.testing.assert_allclose(rates, schedule(k), rtol=0, atol=3e-6 * schedule.bounds[1])
    if schedule.momentum:
        assert "not the momentum" in both[1]["title"]


def test_the_tab_of_plain_python_runs() -> None:
    for name in ENTRIES:
        schedule, (block,) = blocks("python", name, {})
        space: dict[str, Any] = {}
        exec(block["code"], space)
        np.testing.assert_allclose(space["rates"], schedule(np.arange(N)), atol=1e-12 * schedule.bounds[1])


# -------------------------------------------------------------------------------------- address
@given(turned(), turned(), st.booleans())
def test_an_address_brings_the_state_back(one: Any, other: Any, log: bool) -> None:
    name, knobs, n = one
    state = {"n": n, "log": log, "tab": "keras", "below": "parabola", "parabola": {"curvature": 2.5, "variance": 0}}
    other_knobs = {
        key: min(value, n) if isinstance(value, int) and value > n else value for key, value in other[1].items()
    }
    state |= {"main": {"name": name, "p": knobs}, "other": {"name": other[0], "p": other_knobs}}
    if log:
        state["below"] = "law"
    again = PAGE(
        "((state) => { const back = fromAddress('#' + address(state)); return [address(state), address(back)]; })",
        state,
    )
    assert again[0] == again[1]


@pytest.mark.parametrize(
    "hash",
    [
        "",
        "#",
        "#s=constructor&vs=__proto__",
        "#n=NaN&max_lr=Infinity",
        "#max_lr=-1&pct_start=&cycle=maybe",
        "#%E0%A4%A",
        "#s=wsd&warmup_steps=1e9&decay_steps=1e9",
        "#s=tabulated&values=1+x",
        "#=&&=&a=b=c",
        "#below=toString",
    ],
)
def test_a_strange_address_opens_something_that_can_be_drawn(hash: str) -> None:
    state = PAGE("fromAddress", hash)
    description = described(state["main"]["name"], state["main"]["p"], state["n"])
    assert len(curves(description, list(range(state["n"])))[0]) == state["n"]
    assert state["below"] == ""


LINKED = [
    schedules.one_cycle(0.2, 500, pct_start=0.4, momentum=None),
    schedules.one_cycle(0.2, 500, pct_start=100, anneal="linear"),
    schedules.one_cycle_torch(0.2, 500, three_phase=True),
    schedules.constant(0.3),
    schedules.linear(0.3, 0.001, 500),
    schedules.cosine(0.3, 500, end_lr=0.001),
    schedules.rex(0.3, 500),
    schedules.polynomial(0.3, 0.0, 500, power=3.0),
    schedules.exponential(0.1, 0.2, 70, staircase=True),
    schedules.inverse_time(0.1, 0.5, 70),
    schedules.piecewise_constant([200, 300], [0.1, 0.01, 0.001]),
    schedules.piecewise_constant([200], [0.1, 0.02]),
    schedules.warmup(0.001, 0.2, 50).then(schedules.cosine(0.2, 450)),
    schedules.warmup(0.001, 0.2, 50).then(schedules.linear(0.2, 0.01, 450)),
    schedules.wsd(0.1, 50, 350, 100, start_lr=0.001, decay="cos"),
    schedules.inverse_sqrt(0.1, 50, start_lr=0.0),
    schedules.noam(256, 50),
    schedules.cyclic(0.01, 0.1, 30, momentum=(0.8, 0.9)),
    schedules.cyclic(0.01, 0.1, 30, 20, mode="exp_range", gamma=0.999),
    schedules.cosine_restarts(0.1, 50, t_mul=2, m_mul=0.5, end_lr=0.001),
    schedules.lr_range_test(1e-5, 1.0, 500),
    schedules.tabulated([0.3, 0.2, 0.1]),
]


@pytest.mark.parametrize("schedule", LINKED, ids=lambda schedule: schedule.name)
def test_a_link_opens_the_explorer_with_this_schedule(schedule: Schedule) -> None:
    link = explorer.address(schedule, steps=500, beside=schedules.linear(0.1, 0.0, 500), parabola=(2.0, 0.1), log=True)
    state = PAGE("fromAddress", link)
    found = Schedule.from_dict(described(state["main"]["name"], state["main"]["p"], state["n"]))
    k = np.arange(500)
    np.testing.assert_allclose(found(k), schedule(k), rtol=1e-9, atol=1e-15)
    if schedule.momentum:
        np.testing.assert_allclose(found.momentum(k), schedule.momentum(k), rtol=1e-9)
    assert state["other"]["name"] == "linear"
    assert state["parabola"] == {"curvature": 2, "variance": 0.1}
    assert state["log"] is True


def test_a_link_shows_the_predicted_loss() -> None:
    link = explorer.address(schedules.linear(0.1, 0.0, 4000), law=True)
    assert PAGE("fromAddress", link)["below"] == "law"


@pytest.mark.parametrize(
    ("schedule", "options", "says"),
    [
        (schedules.constant(0.1), {}, "say how many updates"),
        (2.0 * schedules.constant(0.1), {"steps": 100}, "no knobs"),
        (schedules.linear(0.1, 0.0, 100), {"steps": 200}, "has 100 steps, and the run 200"),
        (schedules.piecewise_constant([1, 2, 3], [4, 3, 2, 1]), {"steps": 100}, "one or two drops"),
        (schedules.warmup(0.0, 0.1, 5).then(schedules.linear(0.2, 0.0, 95)), {}, "a decay from its end"),
        (schedules.linear(0.1, 0.0, 5), {}, "10 to 100000 updates"),
        (schedules.linear(0.1, 0.0, 50), {"law": True, "parabola": (1.0, 0.1)}, "room for one"),
    ],
)
def test_a_schedule_without_knobs_is_refused_with_a_sentence(schedule: Schedule, options: Any, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        explorer.address(schedule, **options)


# ----------------------------------------------------------------------------- the file, the widget
def test_it_is_one_small_file_that_asks_nothing_of_any_other() -> None:
    assert explorer.PAGE.stat().st_size <= 200_000
    assert not re.findall(r"<(?:link|img|iframe|script)[^>]*(?:src|href)=|@import|url\(|fetch\(|import\(", TEXT)
    assert set(re.findall(r"https?://[^\"'\s]+", TEXT)) == {"https://arxiv.org/abs/2310.07831"}


def test_it_shows_what_was_recorded_as_it_is_today() -> None:
    assert explorer.with_results(TEXT) == TEXT, "python -m helpers.explorer writes them anew"
    rows = [row for race in explorer.measured() for row in race["rows"]]
    assert {row["entry"] for row in rows} <= set(ENTRIES)
    assert any(row["entry"] == "one_cycle" and row["margin"] for row in rows)


CAPTION = "1cycle over 200 updates beside a constant rate, with what both do to a parabola."


def example() -> explorer.Explorer:
    schedule = schedules.one_cycle(0.1, 200)
    return explorer.explore(schedule, caption=CAPTION, beside=schedules.constant(0.05), parabola=(1.0, 0.1))


def test_python_sees_the_schedule_as_the_knobs_stand() -> None:
    widget = example()
    assert widget.schedule == schedules.one_cycle(0.1, 200)
    widget.description = {**widget.description, "max_lr": 0.3}  # what the page sends
    assert widget.schedule == schedules.one_cycle(0.3, 200)
    assert script("page").strip() in json.loads(re.search(r"const page = (\".*\");", widget._esm)[1])


def test_a_page_without_a_kernel_gets_the_picture_and_its_description() -> None:
    bundle, metadata = example()._repr_mimebundle_()
    assert metadata["image/png"]["alt"] == CAPTION
    assert base64.b64decode(bundle["image/png"]).startswith(b"\x89PNG")
    assert bundle["text/plain"] == f"Figure: {CAPTION}"
    assert "application/vnd.jupyter.widget-view+json" in bundle


def test_a_cell_that_ends_with_it_shows_widget_and_picture_in_one_and_the_caption_below(monkeypatch) -> None:
    import IPython.display
    from IPython.core.formatters import DisplayFormatter

    shown = []
    monkeypatch.setattr(IPython.display, "display", lambda *a, **k: shown.append(a[0]))
    rest = DisplayFormatter().format(example())  # what a cell's last line goes through
    assert rest == ({}, {})
    first, second = shown
    assert {"image/png", "application/vnd.jupyter.widget-view+json"} <= set(first)
    assert second == plots.captioned(CAPTION)


def test_a_caption_that_is_no_sentence_is_refused() -> None:
    with pytest.raises(ValueError, match="describe the figure"):
        explorer.explore(schedules.linear(0.1, 0.0, 100), caption="short")
