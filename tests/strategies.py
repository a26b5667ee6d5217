"""Random valid schedules, for property tests; and how many of them."""

from hypothesis import settings
from hypothesis import strategies as st

from helpers import schedules as s

rates = st.floats(1e-6, 10.0)
fractions = st.floats(0.05, 0.95)
counts = st.integers(1, 500)
momenta = st.tuples(st.floats(0.0, 0.9), st.floats(0.9, 0.99))
anneals = st.sampled_from(["cos", "linear"])
divisors = st.fixed_dictionaries({}, optional={"div_factor": st.floats(1, 100), "final_div_factor": st.floats(1, 1e5)})


def examples(usual: int) -> settings:
    """As many as ``usual`` where a test is given 60 examples, and more where HYPOTHESIS_EXAMPLES asks for more."""
    return settings(max_examples=max(1, usual * settings().max_examples // 60))


def ordered(a: float, b: float) -> tuple[float, float]:
    return (a, b) if a <= b else (b, a)


@st.composite
def piecewise(draw: st.DrawFn) -> s.Schedule:
    boundaries = sorted(draw(st.sets(counts, max_size=4)))
    size = len(boundaries) + 1
    return s.piecewise_constant(boundaries, draw(st.lists(rates, min_size=size, max_size=size)))


@st.composite
def one_cycles(draw: st.DrawFn) -> s.Schedule:
    total = draw(st.integers(4, 500))
    three = draw(st.booleans())
    start = draw(st.floats(0.05, 0.45 if three else 0.95) | st.integers(1, (total - 1) // 2 if three else total - 1))
    if three and isinstance(start, int) and 2 * start >= total:
        start = 0.4
    options = {"pct_start": start, "three_phase": three, "anneal": draw(anneals), **draw(divisors)}
    return s.one_cycle(draw(rates), total, momentum=draw(st.none() | momenta), **options)


@st.composite
def cyclics(draw: st.DrawFn) -> s.Schedule:
    low, high = ordered(draw(rates), draw(rates))
    mode = draw(st.sampled_from(["triangular", "triangular2", "exp_range"]))
    gamma = draw(st.floats(0.9, 1.0)) if mode == "exp_range" else 1.0
    down = draw(st.none() | counts)
    return s.cyclic(low, high, draw(counts), down, mode=mode, gamma=gamma, momentum=draw(st.none() | momenta))


@st.composite
def restarts(draw: st.DrawFn) -> s.Schedule:
    end, peak = ordered(draw(rates), draw(rates))
    t_mul, m_mul = draw(st.sampled_from([1, 2, 3, 1.1, 1.5])), draw(st.floats(0.1, 1.0))
    return s.cosine_restarts(peak, draw(st.integers(1, 50)), t_mul=t_mul, m_mul=m_mul, end_lr=end)


@st.composite
def one_cycles_torch(draw: st.DrawFn) -> s.Schedule:
    total, three = draw(st.integers(25, 500)), draw(st.booleans())
    # of 25 steps and more, so that no phase is empty
    start = draw(st.floats(0.05, 0.45 if three else 0.95) | st.integers(2, (total - 1) // 2))
    options = {"pct_start": start, "three_phase": three, "anneal": draw(anneals), **draw(divisors)}
    return s.one_cycle_torch(draw(rates), total, momentum=draw(st.none() | momenta), **options)


def finite() -> st.SearchStrategy[s.Schedule]:
    """Schedules with an end."""
    power = st.floats(0.3, 4.0)
    decay = st.sampled_from(["1-sqrt", "linear", "cos"])
    return st.one_of(
        st.builds(s.linear, rates, rates, counts),
        st.builds(s.warmup, rates, rates, counts),
        st.builds(s.polynomial, rates, rates, counts, power=power),
        st.builds(s.cosine, rates, counts, end_lr=rates),
        st.builds(s.rex, rates, counts, end_lr=rates),
        st.builds(s.tabulated, st.lists(rates, min_size=1, max_size=30)),
        one_cycles(),
        one_cycles_torch(),
        st.builds(s.wsd, rates, counts, counts, counts, start_lr=rates, end_lr=rates, decay=decay),
        st.builds(
            lambda a, ratio, n, mode: s.lr_range_test(a, a * ratio, n, mode=mode),
            rates,
            st.floats(1.1, 1e4),
            st.integers(2, 300),
            st.sampled_from(["exp", "linear"]),
        ),
    )


def endless() -> st.SearchStrategy[s.Schedule]:
    """Schedules without one."""
    decay = {"decay_rate": st.floats(0.01, 1.0), "decay_steps": counts}
    return st.one_of(
        st.builds(s.constant, rates),
        piecewise(),
        st.builds(s.exponential, rates, **decay, staircase=st.booleans()),
        st.builds(s.inverse_time, rates, **decay, power=st.floats(0.3, 2.0)),
        cyclics(),
        restarts(),
        st.builds(s.inverse_sqrt, rates, counts, start_lr=rates),
        st.builds(s.noam, st.integers(1, 1024), counts, factor=rates),
    )


@st.composite
def combined(draw: st.DrawFn, parts: st.SearchStrategy[s.Schedule]) -> s.Schedule:
    """One schedule scaled, joined to another, or given another momentum."""
    first = draw(parts)
    match draw(st.sampled_from(["scaled", "then", "momentum", "no momentum"])):
        case "scaled":
            return draw(st.floats(0, 100)) * first
        case "then":
            second = draw(parts)
            if (first.momentum is None) != (second.momentum is None):
                second = second.with_momentum(None if first.momentum is None else 0.9)
            return first.then(second, at=draw(counts))
        case "momentum":
            return first.with_momentum(draw(st.floats(0, 0.99) | st.just(s.linear(0.9, 0.5, 10))))
    return first.with_momentum(None)


def single() -> st.SearchStrategy[s.Schedule]:
    """One function's schedule."""
    return finite() | endless()


def any_schedule() -> st.SearchStrategy[s.Schedule]:
    """Every schedule and every combination, also of combinations, and the momentum of any of them."""
    everything = st.recursive(single(), combined, max_leaves=4)
    return everything.map(lambda schedule: schedule.momentum or schedule) | everything
