"""helpers.theory against brute force: simulation, matrices, double sums, searches, and other people's formulas."""

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import linalg, optimize

from helpers import schedules, theory
from tests.strategies import examples

BETAS = st.sampled_from([0.0, 0.5, 0.85, 0.9, 0.95])
RATES = st.lists(st.floats(0.01, 2.0), min_size=2, max_size=30).map(np.array)
quick = examples(60)


# ------------------------------------------------------------------------------- a parabola, exactly
@quick
@given(rates=RATES, curvature=st.floats(0.1, 5), beta=BETAS, nesterov=st.booleans())
def test_descend_is_what_torch_does(rates, curvature, beta, nesterov) -> None:
    nesterov = nesterov and beta > 0
    w = torch.tensor([1.0], dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.SGD([w], lr=1.0, momentum=beta, nesterov=nesterov)
    seen = [1.0]
    for rate in rates:
        optimizer.param_groups[0]["lr"] = rate
        optimizer.zero_grad()
        (curvature * w**2 / 2).sum().backward()
        optimizer.step()
        seen.append(w.item())
    got = theory.descend(rates, curvature, momentum=beta, nesterov=nesterov)
    np.testing.assert_allclose(got, seen, rtol=1e-9, atol=1e-12 * np.abs(seen).max())


def test_descend_works_on_several_schedules_at_once() -> None:
    rates = np.array([[0.1, 0.2, 0.3], [1.0, 1.0, 1.0]])
    both = theory.descend(rates, 0.7, momentum=0.9)
    for row, one in zip(rates, both, strict=True):
        assert theory.descend(row, 0.7, momentum=0.9).tolist() == one.tolist()


@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize("beta", [0.0, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("curvature", [0.1, 1.0, 40.0])
def test_the_limit_is_where_growth_passes_one(curvature: float, beta: float, nesterov: bool) -> None:
    def excess(lr: float) -> float:
        return theory.growth(lr, curvature, momentum=beta, nesterov=nesterov) - 1

    limit = theory.stability_limit(curvature, momentum=beta, nesterov=nesterov)
    assert excess(0.999 * limit) < 0 < excess(1.001 * limit)
    assert optimize.brentq(excess, 0.9 * limit, 1.1 * limit) == pytest.approx(limit, rel=1e-9)


@pytest.mark.parametrize("nesterov", [False, True])
def test_growth_is_the_long_run_rate_of_the_path(nesterov: bool) -> None:
    rule: dict = {"momentum": 0.9, "nesterov": nesterov}
    lr = 1.05 * theory.stability_limit(1.0, **rule)
    path = np.abs(theory.descend(np.full(400, lr), 1.0, **rule))
    assert np.log(path[-1] / path[200]) / 200 == pytest.approx(np.log(theory.growth(lr, 1.0, **rule)), rel=1e-6)


@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize("beta", [0.5, 0.9, 0.95])
@pytest.mark.parametrize("curvature", [0.3, 10.0])
def test_torch_converges_just_below_the_limit_and_diverges_just_above(curvature, beta, nesterov) -> None:
    limit = theory.stability_limit(curvature, momentum=beta, nesterov=nesterov)
    for factor, arrives in ((0.99, True), (1.01, False)):
        w = torch.ones(1, dtype=torch.float64, requires_grad=True)
        optimizer = torch.optim.SGD([w], lr=factor * limit, momentum=beta, nesterov=nesterov)
        for _ in range(3000):
            optimizer.zero_grad()
            (curvature * w**2 / 2).sum().backward()
            optimizer.step()
        assert abs(w.item()) < 1e-6 if arrives else abs(w.item()) > 1e6


@quick
@given(a=st.floats(0.01, 5.0), beta=BETAS, nesterov=st.booleans())
def test_growth_is_the_larger_root_of_the_polynomial(a: float, beta: float, nesterov: bool) -> None:
    heavy_ball = [1, -(1 + beta - a), beta]
    polynomial = [1, -(1 + beta) * (1 - a), beta * (1 - a)] if nesterov else heavy_ball
    expected = np.abs(np.roots(polynomial)).max()
    # two equal roots are known to half the digits only
    assert theory.growth(a, 1.0, momentum=beta, nesterov=nesterov) == pytest.approx(expected, abs=1e-6)


# ------------------------------------------------------------------------------------ a noisy parabola
@pytest.mark.parametrize(
    ("lr", "h", "beta"), [(0.5, 1.0, 0.0), (0.1, 3.0, 0.0), (0.05, 1.0, 0.9), (0.3, 2.0, 0.5), (3.0, 1.0, 0.9)]
)
def test_the_floor_solves_the_stationary_equation(lr: float, h: float, beta: float) -> None:
    step = np.array([[1 - lr * h, -lr * beta], [h, beta]])  # on (x, velocity)
    kick = np.array([[lr**2, -lr], [-lr, 1.0]])  # covariance of what one noisy gradient adds
    exact = linalg.solve_discrete_lyapunov(step, kick)[0, 0]
    assert theory.noise_floor(lr, h, momentum=beta) == pytest.approx(exact, rel=1e-9)
    assert theory.noise_floor(lr, h, 2.5, momentum=beta) == pytest.approx(2.5 * exact, rel=1e-9)


@pytest.mark.parametrize("beta", [0.0, 0.9])
def test_the_floor_is_what_a_simulation_settles_at(beta: float) -> None:
    rng, lr, h = np.random.default_rng(0), 0.1, 1.0
    x, velocity, squares = np.zeros(20_000), np.zeros(20_000), []
    for k in range(600):
        velocity = beta * velocity + h * x + rng.standard_normal(len(x))
        x = x - lr * velocity
        if k >= 200:
            squares.append(np.mean(x**2))
    assert np.mean(squares) == pytest.approx(theory.noise_floor(lr, h, momentum=beta), rel=3e-3)


def test_the_floor_is_infinite_beyond_the_limit_and_where_the_recursion_settles_below_it() -> None:
    assert theory.noise_floor([0.1, 2.5], 1.0)[1] == np.inf
    assert theory.second_moments(np.full(500, 0.3), 2.0, 0.7, start=9.0)[-1] == pytest.approx(
        theory.noise_floor(0.3, 2.0, 0.7), rel=1e-12
    )


def test_second_moments_are_those_of_a_simulation() -> None:
    rng, rates = np.random.default_rng(1), schedules.linear(1.0, 0.0, 30)(np.arange(30))
    x = np.full(400_000, 2.0)
    for rate in rates:
        x = x - rate * (0.5 * x + 1.5 * rng.standard_normal(len(x)))
    assert theory.second_moments(rates, 0.5, 1.5**2, start=4.0)[-1] == pytest.approx(np.mean(x**2), rel=1e-2)


def test_second_moments_with_momentum_are_those_of_a_simulation() -> None:
    rng, plan = np.random.default_rng(2), schedules.one_cycle(0.6, 30)
    rates, betas = plan(np.arange(30)), plan.momentum(np.arange(30))
    x, velocity = np.full(400_000, 2.0), np.zeros(400_000)
    for rate, beta in zip(rates, betas, strict=True):  # as torch.optim.SGD does
        velocity = beta * velocity + 0.5 * x + 1.5 * rng.standard_normal(len(x))
        x = x - rate * velocity
    moments = theory.second_moments(rates, 0.5, 1.5**2, start=4.0, momentum=betas)
    assert moments[-1] == pytest.approx(np.mean(x**2), rel=1e-2)


def test_second_moments_without_noise_are_the_path_itself() -> None:
    path = theory.descend(np.full(60, 0.3), 1.0, momentum=0.9)
    np.testing.assert_allclose(theory.second_moments(np.full(60, 0.3), 1.0, 0.0, momentum=0.9), path**2, atol=1e-12)


@quick
@given(h=st.floats(0.2, 4), s=st.floats(0.1, 5), start=st.floats(0.1, 20))
def test_no_greedy_step_beats_the_optimal_inverse_time(h: float, s: float, start: float) -> None:
    rates = theory.optimal_inverse_time(h, s, start)(np.arange(40))
    moments = theory.second_moments(rates, h, s, start)
    offset = s / (h**2 * start)
    np.testing.assert_allclose(moments, s / (h**2 * (np.arange(41) + offset)), rtol=1e-9)
    for factor in (0.9, 1.1):
        nudged = (1 - factor * rates * h) ** 2 * moments[:-1] + (factor * rates) ** 2 * s
        assert (nudged > moments[1:]).all()


def test_the_quadratic_model_is_the_sum_of_its_directions() -> None:
    problem = theory.NoisyQuadratic(np.array([1.0, 0.1]), np.array([0.5, 2.0]), np.array([3.0, 4.0]))
    rates = np.stack([schedules.cosine(1.0, 25)(np.arange(25)), np.full(25, 0.2)])
    expected = 0.5 * theory.second_moments(rates, 1.0, 0.5, 3.0) + 0.05 * theory.second_moments(rates, 0.1, 2.0, 4.0)
    np.testing.assert_allclose(problem.losses(rates), expected, rtol=1e-12)
    np.testing.assert_allclose(problem.loss(rates), expected[:, -1], rtol=1e-12)
    assert problem.loss(np.full(2000, 3.0)) == np.inf


def test_nothing_near_the_optimum_of_the_quadratic_model_is_lower() -> None:
    problem, rng = theory.NoisyQuadratic.one_over_i(20), np.random.default_rng(0)
    best = problem.optimum(60)
    nearby = best * np.exp(0.1 * rng.standard_normal((500, 60)))
    assert (problem.loss(nearby) > problem.loss(best)).all()
    k = np.arange(60)
    for shape in (schedules.linear(1, 0, 60)(k), schedules.cosine(1, 60)(k), np.ones(60), 1 / (k + 1)):
        assert problem.tuned(shape, np.geomspace(0.01, 3, 60))[1] > problem.loss(best)


def test_the_optimum_of_one_direction_is_the_optimal_inverse_time() -> None:
    problem = theory.NoisyQuadratic(np.array([2.0]), np.array([0.5]), np.array([1.5]))
    expected = theory.optimal_inverse_time(2.0, 0.5, 1.5)(np.arange(30))
    np.testing.assert_allclose(problem.optimum(30), expected, rtol=2e-3)


# --------------------------------------------------------------------------- the last-iterate bound
def double_sum(rates: np.ndarray, norms: np.ndarray, distance: float) -> float:
    """The bound as the theorem writes it, term by term."""
    total, steps = rates.sum(), len(rates)
    value = (distance**2 + np.sum(rates**2 * norms**2)) / (2 * total)
    for k in range(steps - 1):
        tail = sum(rates[t] ** 2 * norms[t] ** 2 for t in range(k, steps))
        value += 0.5 * rates[k] / rates[k + 1 :].sum() * tail / rates[k:].sum()
    return value


@quick
@given(data=st.data(), rates=RATES, distance=st.floats(0.1, 10))
def test_the_bound_is_its_double_sum(data, rates, distance) -> None:
    norms = np.array(data.draw(st.lists(st.floats(0.1, 5), min_size=len(rates), max_size=len(rates))))
    bound = theory.last_iterate_bound(rates, norms, distance)
    assert bound.value == pytest.approx(double_sum(rates, norms, distance), rel=1e-9)
    scaled = theory.last_iterate_bound(bound.best_scale * rates, norms, distance)
    assert scaled.value == pytest.approx(bound.best, rel=1e-9)
    for factor in (0.8, 1.25):
        assert theory.last_iterate_bound(factor * bound.best_scale * rates, norms, distance).value > bound.best


@pytest.mark.parametrize("steps", [10, 1000, 100_000])
def test_the_bound_of_a_constant_rate_has_a_closed_form(steps: int) -> None:
    harmonic = np.sum(1 / np.arange(1, steps))
    bound = theory.last_iterate_bound(np.full(steps, 0.3), gradient_norms=2.0, distance=5.0)
    assert bound.best == pytest.approx(2.0 * 5.0 * np.sqrt((1 + harmonic) / steps), rel=1e-9)


def test_the_bound_of_a_straight_line_loses_the_logarithm() -> None:
    """Defazio et al. 2023: 2 D G / sqrt(T) for linear decay, whatever T."""
    steps = 10**5
    bound = theory.last_iterate_bound(schedules.linear(1.0, 0.0, steps)(np.arange(steps)))
    assert bound.best * np.sqrt(steps) == pytest.approx(2.0, rel=1e-3)


def test_the_bound_takes_several_schedules_at_once() -> None:
    rates = np.random.default_rng(0).uniform(0.1, 1, (4, 3, 50))
    together = theory.last_iterate_bound(rates, np.linspace(2, 1, 50))
    for i, j in np.ndindex(4, 3):
        one = theory.last_iterate_bound(rates[i, j], np.linspace(2, 1, 50))
        assert (together.far[i, j], together.noise[i, j]) == pytest.approx((one.far, one.noise), rel=1e-12)


def test_no_convex_problem_breaks_the_bound() -> None:
    """|x - noise|, subgradients of norm 1, random schedules: never above the bound, at the point it speaks of."""
    rng = np.random.default_rng(0)
    rates = rng.uniform(0.05, 1, (200, 1)) * rng.uniform(0, 1, (200, 40)) ** rng.uniform(0, 3, (200, 1)) + 1e-3
    targets = rng.standard_normal((40, 4000))
    x = np.full((200, 4000), 3.0)
    for k in range(39):  # the point at which rate 39 is about to be used
        x -= rates[:, k, None] * np.sign(x - targets[k])
    fresh = np.sort(rng.standard_normal(4000))
    loss = np.array([np.mean(np.abs(row[:, None] - fresh[::40])) for row in x])
    least = np.mean(np.abs(fresh))
    bound = theory.last_iterate_bound(rates, distance=3.0).value
    assert (loss - least < bound).all()


def test_searching_freely_finds_the_straight_line_and_refinement_is_nearly_as_good() -> None:
    steps = 60
    flat = theory.bound_minimiser(steps)
    assert np.corrcoef(flat[:-1], np.arange(steps - 1))[0, 1] < -0.999
    u = np.arange(steps) / steps
    norms = 1 + 4 * np.exp(-u / 0.05)  # gradients that are large early
    best = theory.last_iterate_bound(theory.bound_minimiser(steps, norms), norms).value
    proposed = theory.last_iterate_bound(theory.refined(norms)[:-1], norms[:-1]).best
    straight = theory.last_iterate_bound(1 - u, norms).best
    assert best < proposed < 1.06 * best < straight
    assert 0 < np.argmax(theory.refined(norms)) < steps / 2, "a warmup"


def test_refinement_does_not_care_for_the_unit_of_the_norms() -> None:
    norms = np.random.default_rng(0).uniform(1, 3, 30)
    np.testing.assert_allclose(theory.refined(norms), theory.refined(7 * norms), rtol=1e-12)


# -------------------------------------------------------------------------------- averaging = decay
@pytest.mark.parametrize("kind", ["uniform", "tail", "ema"])
def test_averaging_the_points_scales_the_gradients(kind: str) -> None:
    rng, steps, lr = np.random.default_rng(0), 80, 0.1
    weights = {
        "uniform": np.ones(steps),
        "tail": (np.arange(steps) >= 60).astype(float),
        "ema": 0.9 ** np.arange(steps)[::-1],
    }[kind]
    gradients = rng.standard_normal((steps, 5))
    points = -lr * np.cumsum(gradients, axis=0)  # constant rate, from 0
    average = weights @ points / weights.sum()
    factors = theory.average_as_schedule(weights)
    np.testing.assert_allclose(average, -lr * factors @ gradients, atol=1e-13)
    if kind == "uniform":
        np.testing.assert_allclose(factors, schedules.linear(1.0, 0.0, steps)(np.arange(steps)), atol=1e-13)


# ---------------------------------------------------------------------------------------- bad input
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: theory.descend([0.1, -0.1], 1.0), "rates must be finite and at least 0, got -0.1"),
        (lambda: theory.descend([], 1.0), "not empty"),
        (lambda: theory.descend(0.1, 1.0), "a value for each update"),
        (lambda: theory.descend([0.1], 0.0), "curvature must be finite and above 0"),
        (lambda: theory.descend([0.1], 1.0, momentum=1.0), "momentum must be at least 0 and below 1, got 1.0"),
        (lambda: theory.stability_limit(-1.0), "curvature must be finite and above 0, got -1.0"),
        (lambda: theory.noise_floor(0.1, 1.0, np.nan), "variance must be finite and above 0, got nan"),
        (lambda: theory.last_iterate_bound([1.0, 0.0]), "the last rate must be above 0"),
        (lambda: theory.last_iterate_bound([1.0, np.nan]), "got nan"),
        (lambda: theory.last_iterate_bound([1.0, 1.0], [1.0, 1.0, 1.0]), "3 values for 2 updates"),
        (lambda: theory.last_iterate_bound([1.0], gradient_norms=0.0), "gradient_norms must be finite and above 0"),
        (lambda: theory.last_iterate_bound([1.0], distance=-1.0), "distance must be finite and above 0"),
        (lambda: theory.refined([1.0]), "at least two values"),
        (lambda: theory.refined([1.0, 0.0]), "gradient_norms must be finite and above 0"),
        (lambda: theory.average_as_schedule([0.0, 0.0]), "must not all be 0"),
        (lambda: theory.NoisyQuadratic(np.ones(2), np.ones(3), np.ones(2)), "one entry for each direction"),
    ],
)
def test_bad_input_is_a_sentence(call, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


# ----------------------------------------------------------------------------------- budget curves
@quick
@given(st.floats(0.1, 2.0), st.floats(0.75, 1.0), st.floats(1.0, 3.9))
def test_on_power_laws_a_speed_up_is_the_ratio_to_the_power_of_one_over_the_slope(slope, ratio, budget) -> None:
    budgets = np.array([1.0, 2.0, 8.0, 4.0 / 0.75**10])
    assume(budget * ratio ** (-1 / slope) < budgets[-1])
    factor = theory.speed_up(ratio * 40 * budget**-slope, budget, budgets, 40 * budgets**-slope)
    assert factor == pytest.approx(ratio ** (-1 / slope), rel=1e-6)


def test_a_speed_up_is_not_made_up_outside_the_curve_nor_by_a_worse_longer_run() -> None:
    budgets, errors = [1, 2, 4], [40.0, 45.0, 20.0]
    assert theory.speed_up(41.0, 1, budgets, errors) == 0.0, "less than the shortest: how much less is not known"
    assert theory.speed_up(19.0, 1, budgets, errors) == np.inf
    assert 2.0 < theory.speed_up(39.0, 1, budgets, errors) < theory.speed_up(30.0, 1, budgets, errors) < 4.0
