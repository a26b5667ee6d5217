"""The fixed cases of the functions to write: enough to catch what is wrong anywhere, never spoilt, never by chance."""

import itertools
import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample

import helpers
from helpers.exercises import check
from helpers.exercises.diagnosis import same
from helpers.exercises.kinds import CurveFunction, Function
from tests.test_exercises import ALL, RIGHT, ids

FUNCTIONS = [exercise for exercise in ALL if isinstance(exercise, Function | CurveFunction)]


# ------------------------------------------------------------------------------------- drawn cases
def sorted_lists(elements: st.SearchStrategy, least: int = 1, most: int = 5) -> st.SearchStrategy[list]:
    return st.lists(elements, min_size=least, max_size=most, unique=True).map(sorted)


@st.composite
def range_tests(draw: st.DrawFn) -> tuple:
    """A loss that falls along a logistic curve of any place, height and steepness, and rises slowly beside it."""
    lowest, at, steepness = draw(st.sampled_from([1e-6, 1e-4, 0.01])), draw(st.floats(3, 77)), draw(st.floats(0.1, 1))
    rung = np.arange(81)
    losses = 9.0 + 0.001 * rung - draw(st.floats(1, 8)) / (1 + np.exp(-steepness * (rung - at)))
    return (lowest * 10 ** (rung / 16)).tolist(), losses.tolist()


@st.composite
def grids(draw: st.DrawFn) -> tuple:
    lowest, factor, count = draw(st.floats(0.001, 1)), draw(st.floats(1.1, 10)), draw(st.integers(2, 6))
    errors = draw(st.permutations([3.0 + i / 10 for i in range(count)]))
    return [lowest * factor**i for i in range(count)], errors


def rising(*strategies: st.SearchStrategy) -> st.SearchStrategy[tuple]:
    """The first two, below and above, and what else is drawn."""
    return st.tuples(*strategies).filter(lambda case: case[0] < 0.9 * case[1])


RATES = st.floats(1e-4, 10)
STEPS = st.integers(2, 60)
SHARES = st.floats(0.01, 0.99)
WHOLE = st.integers(1, 300)
PHASES = st.tuples(st.integers(9, 60), st.integers(2, 30)).filter(lambda phases: 2 * phases[1] < phases[0])
FALLS = st.tuples(st.integers(4, 60), st.integers(1, 58)).filter(lambda fall: fall[1] <= fall[0] - 2)
GRADIENTS = st.floats(0.01, 10) | st.floats(-10, -0.01)
DRAWN = {
    "is_reached": st.tuples(sorted_lists(st.integers(1, 60)), st.integers(1, 80)),
    "steepest_rate": range_tests(),
    "round_wave": rising(RATES, RATES, st.integers(1, 30)),
    "three_phases_by_hand": st.tuples(RATES, PHASES).map(lambda c: (c[0], *c[1])),
    "momentum_read_back": st.tuples(RATES, RATES, RATES, RATES, RATES),
    "updates_to_forget": st.tuples(st.floats(0.5, 0.9995), SHARES),
    "warmup_share": st.tuples(WHOLE, WHOLE).filter(lambda c: c[1] < c[0]),
    "annealing_area": st.tuples(st.lists(st.floats(0.0, 3.0), min_size=1, max_size=8), st.floats(0.01, 0.99)),
    "next_rate": grids(),
    "second_update": st.tuples(GRADIENTS, GRADIENTS, RATES, st.floats(0.1, 0.95), st.floats(0.5, 0.999)),
    "seeds_needed": st.tuples(st.floats(0.05, 1), st.floats(0.04, 0.5)),
    "updates_made": st.tuples(WHOLE, WHOLE, st.integers(1, 9), st.booleans(), st.sampled_from([1, 2, 3, 4, 8])),
}


@pytest.mark.parametrize("exercise", FUNCTIONS, ids=ids)
def test_a_right_answer_written_another_way_agrees_with_the_reference_everywhere(exercise) -> None:
    @settings(max_examples=50, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
    @given(DRAWN[exercise.name])
    def agrees(case) -> None:
        got, expected = exercise.values(RIGHT[exercise.name], case), exercise.expected(case)
        assert same(got, expected, exercise.tolerance), (got, expected)

    agrees()


def truth(exercise: Function | CurveFunction) -> Callable[..., float]:
    """The reference as a learner's function."""
    if isinstance(exercise, Function):
        return lambda *case: float(exercise.reference(*case))
    return lambda k, *case: float(exercise.reference(*case)(k))


def wrong_values(exercise: Function | CurveFunction) -> Iterator[tuple[str, Callable[..., float]]]:
    """The right function with its value spoilt: scaled, turned round, cut off, never moving."""
    right, (first, *_) = truth(exercise), exercise.cases
    level = float(np.ravel(exercise.expected(first))[0])
    factor = 1 + 2 * max(exercise.tolerance, 5e-4)
    yield "scaled up", lambda *case: right(*case) * factor
    yield "scaled down", lambda *case: right(*case) / factor
    yield "minus", lambda *case: -right(*case)
    yield "a little added", lambda *case: right(*case) + 1e-3
    yield "rounded", lambda *case: round(right(*case), 2)
    yield "cut above", lambda *case: min(right(*case), level)
    yield "cut below", lambda *case: max(right(*case), level)
    yield "constant", lambda *case: level
    yield "zero", lambda *case: 0.0


def changes(values: list) -> dict[str, Callable]:
    """What a mutant does to an argument that has these ``values`` in the cases, by kind."""
    first = values[0]
    found: dict[str, Callable] = {"ignored": lambda _: first}
    if isinstance(first, list):
        found |= {"turned round": lambda x: x[::-1], "sorted": sorted, "one later": lambda x: [x[0], *x[:-1]]}
        return found | {"without the last": lambda x: x[:-1], "the first two": lambda x: x[:2]}
    if isinstance(first, bool):
        return found | {"turned round": lambda x: not x}
    if isinstance(first, int):
        found |= {"one more": lambda x: x + 1, "one less": lambda x: max(x - 1, 1)}
        found |= {"even": lambda x: max(x - x % 2, 1), "odd": lambda x: x - 1 + x % 2}
    second_largest = sorted(set(values))[-2]
    found |= {"at most": lambda x: min(x, first), "at least": lambda x: max(x, first), "scaled": lambda x: x * 1.01}
    return found | {"large": lambda x: min(x, second_largest)}


def wrong_arguments(exercise: Function | CurveFunction) -> Iterator[tuple[str, Callable[..., float]]]:
    """The right function of wrong arguments: one changed, two swapped."""
    right = truth(exercise)
    skip = int(isinstance(exercise, CurveFunction))  # k comes first

    def spoil(place: int, change: Callable) -> Callable[..., float]:
        return lambda *a: right(*a[: place + skip], change(a[place + skip]), *a[place + skip + 1 :])

    for place, name in enumerate(exercise.parameters):
        for what, change in changes([case[place] for case in exercise.cases]).items():
            yield f"{name}: {what}", spoil(place, change)
    for one, two in itertools.combinations(range(skip, len(exercise.parameters) + skip), 2):
        yield f"{one} and {two} swapped", lambda *a, o=one, t=two: right(*a[:o], a[t], *a[o + 1 : t], a[o], *a[t + 1 :])


def wrong_counting(exercise: CurveFunction) -> Iterator[tuple[str, Callable[..., float]]]:
    """The right schedule at the wrong k: a step off, everywhere or only late; end-inclusive; cut off early."""
    right, steps, short = truth(exercise), exercise.steps, exercise.steps(*exercise.cases[0])
    at: dict[str, Callable[[int, int], float]] = {
        "a step ahead": lambda k, n: k + 1,
        "a step behind": lambda k, n: max(k - 1, 0),
        "end-inclusive": lambda k, n: k * n / max(n - 1, 1),
        "stretched": lambda k, n: k * n / (n + 1),
        "held a step early": lambda k, n: min(k, n - 2),
        "ahead in the second half": lambda k, n: k if k <= n / 2 else k + 1,
        "ahead in the last step": lambda k, n: k + (k == n - 1),
        "even k": lambda k, n: k - k % 2,
        "from the start again": lambda k, n: k if k < n else 0,
        "held where the first case ends": lambda k, n: min(k, short),
        "never beyond 50": lambda k, n: min(k, 50),
    }
    for what, change in at.items():
        yield what, lambda k, *case, change=change: right(change(k, steps(*case)), *case)
    yield "a little off in the last step", lambda k, *case: right(k, *case) * (1 + 0.001 * (k == steps(*case) - 1))
    yield "off after the end", lambda k, *case: right(k, *case) * (1 + 0.001 * (k > steps(*case)))


def differs_somewhere(exercise: Function | CurveFunction, answer: Callable[..., float]) -> bool:
    """Whether hypothesis finds a case for which ``answer`` is not the reference's."""

    def differs(case: tuple) -> bool:
        try:
            return not same(exercise.values(answer, case), exercise.expected(case), exercise.tolerance)
        except Exception:
            return True

    search = settings(
        max_examples=100, database=None, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
    )
    try:
        find(DRAWN[exercise.name], differs, settings=search, random=random.Random(0))
    except NoSuchExample:
        return False
    return True


@pytest.mark.parametrize("exercise", FUNCTIONS, ids=ids)
def test_the_fixed_cases_catch_every_function_that_is_wrong_somewhere(exercise) -> None:
    mutants = [*wrong_values(exercise), *wrong_arguments(exercise)]
    mutants += wrong_counting(exercise) if isinstance(exercise, CurveFunction) else []
    assert exercise(truth(exercise))
    with np.errstate(all="ignore"):
        passed = {what: answer for what, answer in mutants if exercise(answer)}
        assert [what for what, answer in passed.items() if differs_somewhere(exercise, answer)] == []


def test_a_function_that_spoils_its_lists_spoils_no_case() -> None:
    def sorts(boundaries, steps):
        boundaries.sort(reverse=True)
        return float(boundaries.pop() < steps)

    before = repr(check.is_reached.cases)
    assert not check.is_reached(sorts)
    assert repr(check.is_reached.cases) == before
    assert check.is_reached(RIGHT["is_reached"])


def test_the_first_failing_case_is_the_one_shown_every_time() -> None:
    def only_falling(step_before, step, lr_before, lr, gradient):
        return (step / lr + gradient) / step_before * lr_before if lr <= lr_before else 0.0

    said = (
        "for step_before=0.01, step=0.029, lr_before=0.1, lr=0.2, gradient=-0.05 the answer is 0.95, "
        "your function returns 0"
    )
    assert {check.momentum_read_back(only_falling).message for _ in range(3)} == {said}


def test_a_learner_needs_no_hypothesis() -> None:
    sources = Path(helpers.__file__).parent.rglob("*.py")
    assert [path.name for path in sources if re.search(r"(import|from) hypothesis", path.read_text("utf-8"))] == []
