"""Every exercise: the solution is right, the blank is not attempted, each typical mistake gets its own hint."""

import itertools

import keras
import numpy as np
import pytest
import torch
from scipy import optimize, stats

from helpers import for_keras, schedules
from helpers.exercises import LESSONS, Verdict, check
from helpers.exercises.diagnosis import diagnose
from helpers.exercises.kinds import CurveFunction, Exercise, Mistake, Numbers

ALL = [exercise for exercises in LESSONS.values() for exercise in exercises]
MISTAKES = [(exercise, mistake) for exercise in ALL for mistake in exercise.mistakes]


def ids(value: object) -> str | None:
    return value.name if isinstance(value, Exercise) else "x" if isinstance(value, Mistake) else None


@pytest.mark.parametrize(("exercise", "mistake"), MISTAKES, ids=ids)
def test_a_typical_mistake_gets_its_own_hint(exercise: Exercise, mistake: Mistake) -> None:
    verdict = exercise(exercise.answer_of(mistake))
    assert verdict == Verdict("wrong", mistake.hint)
    assert not verdict


@pytest.mark.parametrize("exercise", ALL, ids=ids)
def test_a_blank_is_not_attempted(exercise: Exercise) -> None:
    def three_dots(*_arguments): ...

    def not_written(*_arguments):
        raise NotImplementedError

    blanks = [..., None, "", " "]
    blanks += [three_dots, not_written] if "function" in exercise.fill_in or "loop" in exercise.fill_in else []
    for blank in blanks:
        assert exercise(blank).outcome == "not attempted", blank
    assert exercise().outcome == "not attempted"
    assert exercise((..., ...)).outcome == "not attempted"


@pytest.mark.parametrize("exercise", ALL, ids=ids)
def test_nonsense_is_wrong_and_never_raises(exercise: Exercise) -> None:
    def raises(*_arguments):
        raise KeyError("rate")

    class Unfriendly:
        def __call__(self, *_arguments):
            return "0.1"

    nonsense = ["zzz", -1e9, True, [1, 2, 3], {}, object(), np.nan, np.array([[1.0]]), raises, lambda: 1, lambda *_: 1j]
    for answer in [*nonsense, Unfriendly(), lambda *_: [1, 2], lambda *_: "x", Exercise]:
        verdict = exercise(answer)
        assert verdict.outcome == "wrong", answer
        assert len(verdict.message) > 10


@pytest.mark.parametrize("exercise", ALL, ids=ids)
def test_every_exercise_is_well_made(exercise: Exercise) -> None:
    assert len(exercise.mistakes) >= 2
    assert len({mistake.hint for mistake in exercise.mistakes}) == len(exercise.mistakes)
    assert exercise.task
    assert exercise.praise
    assert getattr(check, exercise.name) is exercise
    assert exercise.name in dir(check)


def test_every_lesson_has_three_to_five() -> None:
    counts = {lesson: sum(not e.name.startswith("case_") for e in exercises) for lesson, exercises in LESSONS.items()}
    assert {lesson: count for lesson, count in counts.items() if not 3 <= count <= 5} == {}
    assert len({exercise.name for exercise in ALL}) == len(ALL)


def test_a_misspelt_name_is_answered() -> None:
    with pytest.raises(AttributeError, match=r"no exercise 'torch_peek'; did you mean check\.torch_peak\?"):
        check.torch_peek
    with pytest.raises(AttributeError, match=r"there is no exercise .zzz.$"):
        check.zzz


# ------------------------------------------------------------------------------------ right answers
def by_schedule(make):
    return lambda k, *parameters: make(*parameters)(k)


def accumulated(optimizer):
    return torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.1, epochs=3, steps_per_epoch=117)


def loop(model, optimizer, scheduler, batches):
    """Four batches' mean loss at once, instead of four gradients."""
    for first in range(0, len(batches), 4):
        losses = [model(batch).mean() for batch in batches[first : first + 4]]
        optimizer.zero_grad()
        torch.stack(losses).mean().backward()
        optimizer.step()
        scheduler.step()


def averaging(model, optimizer, batches, last):
    """All weights kept, and their mean put into a copy at the end."""
    kept = []
    for batch in batches:
        optimizer.zero_grad()
        model(batch).mean().backward()
        optimizer.step()
        kept.append(model.weight.detach().clone())
    mean = torch.nn.Linear(1, 1, bias=False).double()
    mean.weight.data = torch.stack(kept[-last:]).mean(0)
    return mean


class ARun:
    learning_rates = schedules.linear(0.1, 0.0, 30)(np.arange(30)).tolist()


def area(rates, memory):
    """As the paper writes it: over all updates i, over all falls k before."""
    falls = [0.0, *(before - now for before, now in itertools.pairwise(rates))]
    return sum(falls[k] * memory ** (i - k) for i in range(len(rates)) for k in range(i + 1))


def flat_then_down(optimizer):
    """By one formula."""
    return torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1.0, (100 - step) / 40))


def jolt(optimizer):
    """By what the rate is multiplied with at each update."""
    return torch.optim.lr_scheduler.MultiplicativeLR(optimizer, lambda k: {200: 4.0, 220: 0.25}.get(k, 1.0))


def ladder_up(optimizer):
    """From the first rung on, by a factor of the step and not of the rate before."""
    optimizer.param_groups[0]["lr"] = 1e-4
    return torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 10 ** (step / 10))


def second_update(first, second, lr, beta_1, beta_2):
    """By PyTorch's Adam."""
    weight = torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))
    optimizer = torch.optim.Adam([weight], lr=lr, betas=(beta_1, beta_2), eps=0.0)
    for gradient in (first, second):
        before = weight.item()
        weight.grad = torch.full_like(weight, gradient)
        optimizer.step()
    return weight.item() - before


def floor_in_torch(optimizer):
    """By one formula."""

    def factor(k):
        fall = 0.01 + 0.99 * (1 + np.cos(np.pi * (k - 20) / 80)) / 2
        return 0.1 + 0.9 * k / 20 if k < 20 else fall

    return torch.optim.lr_scheduler.LambdaLR(optimizer, factor)


def warm_stable_decay(optimizer):
    """By one formula."""
    return torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda k: 0.01 + 0.099 * k if k < 10 else min(1.0, (100 - k) / 20)
    )


def same_start(dataset, seed):
    """Without touching the global generator."""
    with torch.random.fork_rng():
        torch.manual_seed(seed + 1000)
        model = torch.nn.Linear(3, 2)
    order = torch.utils.data.RandomSampler(dataset, generator=torch.Generator().manual_seed(seed))
    return model, torch.utils.data.DataLoader(dataset, batch_size=4, sampler=order)


RIGHT = {
    "second_update": second_update,
    "left_of_the_start": 0.22,
    "warm_stable_decay": warm_stable_decay,
    "memory_of_squares": ("same", [2.81, 2.92, 2.94, 2.84], [2.88, 2.93, 2.89, 2.85]),
    "times_fewer": (9.14, 2.29),
    "cycle_of_2017": lambda optimizer: torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda k: 1 + 29 * (1 - abs(k / 100 - 1))
    ),
    "updates_to_forget": lambda keep, part: optimize.brentq(lambda n: keep**n - part, 0, 1e5),
    "flat_curves": 1.5173,
    "longer_average": ("higher", [52.1, 53.0, 51.2, 52.6], [61.0, 63.1, 60.2, 64.0]),
    "updates_spent": (70_000, 46_000),
    "warmup_share": lambda total, w: (
        sum(((k + 1) / w) ** 2 for k in range(w)) / sum(min(1, (k + 1) / w) ** 2 for k in range(total))
    ),
    "averaging_loop": averaging,
    "mean_of_everything": ("higher", [4.1, 4.0, 4.2], [4.8, 4.9, 5.0]),
    "shortest_warmup": 65,
    "floor_in_torch": floor_in_torch,
    "keras_warmup_cosine": keras.optimizers.SGD(
        keras.optimizers.schedules.CosineDecay(0.02, 30, alpha=0.1, warmup_target=0.2, warmup_steps=10)
    ),
    "last_whole_cycle": 5 * (2**4 - 1),
    "adam_and_warmup": ("lower", [6.6, 7.9, 6.6, 7.2], [4.9, 4.9, 5.2, 5.3]),
    "next_rate": lambda rates, errors: (
        rates[0] ** 2 / rates[1]
        if min(errors) == errors[0]
        else rates[-1] ** 2 / rates[-2] * (min(errors) == errors[-1])
    ),
    "seeds_needed": lambda spread, difference: next(
        n for n in itertools.count(2) if (stats.t.isf(0.025, n - 1) * spread) ** 2 < n * difference**2
    ),
    "same_start": same_start,
    "ten_times_the_rate": ("higher", [4.8, 4.6, 4.7], [9.0, 9.6, 8.2]),
    "wording": "c",
    **{f"case_{number}": letter for number, letter in enumerate("cbcbbcababca", start=1)},
    "updates_made": lambda images, size, epochs, drop, every: (
        (images // size if drop else (images + size - 1) // size) // every * epochs
    ),
    "second_opinion": "c",
    "one_cosine_two_fits": keras.optimizers.SGD(keras.optimizers.schedules.CosineDecay(0.2, 5 * 40), momentum=0.9),
    "cost_of_a_dent": ("same", [2.5, 3.1, 2.8], [2.8, 2.8, 2.8]),
    "sharpness_at_the_edge": (25, 47.5),
    "largest_that_survives": 0.44,
    "jolt_in_torch": jolt,
    "small_batches": ("lower", [3.5, 3.4, 3.5], [2.7, 2.8, 2.7]),
    "annealing_area": area,
    "one_run_only": "B",
    "wsd_in_torch": flat_then_down,
    "same_sum": ("higher", [64.1, 63.9, 64.2], [69.0, 69.3, 68.8]),
    "rate_carried_over": 0.0434,
    "growing_norms": lambda optimizer: torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda k: (84 - k) / 84 if k < 80 else (99 - k) / 16 / 84
    ),
    "borrowed_schedule": ("higher", [2.53, 2.54, 2.52], [2.57, 2.59, 2.56]),
    "design_game": schedules.exponential(1.0, 0.033, 300),
    "largest_stable_rate": 0.1,
    "nesterov_in_torch": lambda parameters: torch.optim.SGD(
        [{"params": parameters, "lr": 0.9 * 3.8 / 56}], lr=1.0, momentum=0.9, nesterov=True
    ),
    "best_inverse_time": schedules.inverse_time(1 / 6, 1.0, 3),
    "ruled_out": "c",
    "larger_batch": ("same", [0.50, 0.52, 0.48], [0.51, 0.50, 0.49]),
    "updates_of_a_run": np.int64(1170),
    "last_value": 1e-4,
    "linear_run": ARun(),
    "forgotten_line": " C ",
    "updates_and_last_k": [1940, 1939],
    "after_the_end": (0, 0.4),
    "accumulating_loop": loop,
    "keras_line": keras.optimizers.SGD(keras.optimizers.schedules.PolynomialDecay(0.2, 3 * 40, 0.0), momentum=0.9),
    "second_fit": ("same", [5.1, 5.3, 5.2], [5.1, 5.3, 5.2]),
    "drops_of_a_paper": lambda optimizer: torch.optim.lr_scheduler.MultiStepLR(optimizer, [234, 468, 624], gamma=1 / 5),
    "for_keras_boundaries": [157, 394],
    "is_reached": lambda boundaries, steps: boundaries[-1] <= steps - 1,
    "too_late": 227,
    "deeper_drop": ("higher", [3.2, 3.0, 3.1], [4.0, 3.8, 4.1]),
    "one_per_cent_left": 30.6,
    "a_fifth_per_epoch": lambda optimizer: torch.optim.lr_scheduler.LambdaLR(optimizer, lambda k: 0.8 ** (k / 468)),
    "translated": 0.1 * schedules.exponential(1.0, np.exp(-0.15), 1000),
    "start_of_the_stairs": 0.0721,
    "equal_means": ("higher", [3.3, 3.1, 3.2], [4.9, 4.6, 5.2]),
    "torch_ladder": ladder_up,
    "without_momentum": ("higher", [0.05, 0.048, 0.048], [0.16, 0.16, 0.2]),
    "ratio_of_rungs": 1.1482,
    "steepest_rate": lambda rates, losses: rates[np.argmin(np.diff(losses) / np.diff(np.log(rates)))],
    "what_next": "c",
    "round_wave": lambda k, base, top, size: base + (top - base) * np.sin(np.pi * k / (2 * size)) ** 2,
    "attach_cycles": lambda optimizer: torch.optim.lr_scheduler.CyclicLR(optimizer, 0.02, 0.08, 100, 200),
    "fewest_and_most": [3, 15],
    "snapshots": ("lower", [7.4, 7.3, 7.2], [6.6, 6.4, 6.5]),
    "torch_peak": 49,
    "three_phases_by_hand": by_schedule(LESSONS["07"][2].reference),
    "without_the_hill": ("same", [3.3, 3.2, 3.4], [3.4, 3.2, 3.3]),
    "accumulated": accumulated,
    "later_peak": ("higher", [3.3, 3.1, 3.2], [3.6, 3.5, 3.7]),
    "flat_top": schedules.warmup(0.008, 0.2, 30).then(
        schedules.constant(0.2).then(schedules.linear(0.2, 0.0, 50), at=20)
    ),
    "fastest_momentum": (1 - 0.01**0.5) ** 2,
    "turning_variance": 0.00208,
    "momentum_read_back": lambda step_before, step, lr_before, lr, gradient: (
        (-step / lr - gradient) / (-step_before / lr_before)
    ),
    "keras_momentum": for_keras.SGD(
        0.1, momentum=schedules.linear(0.95, 0.85, 6).then(schedules.linear(0.85, 0.95, 4))
    ),
    "longer_memory": ("higher", [3.3, 3.1, 3.2], [4.9, 5.0, 5.1]),
}


@pytest.mark.parametrize("exercise", ALL, ids=ids)
def test_the_right_answer_is_right(exercise: Exercise) -> None:
    assert exercise(RIGHT[exercise.name]) == Verdict("right", exercise.praise)


# --------------------------------------------------------------------------- mistakes not foreseen
def test_an_unforeseen_number_is_called_too_large_or_too_small_without_giving_it_away() -> None:
    assert check.torch_peak(48).message == "48, is too small"
    verdict = check.fewest_and_most((3, 99))
    assert verdict.message == "number 2 of 2, 99, is too large"
    assert check.fewest_and_most(3).message == "2 numbers are asked for, you gave 1"
    assert check.fewest_and_most((..., 15)).outcome == "not attempted"


def test_a_function_that_is_wrong_in_a_corner_is_shown_the_corner() -> None:
    verdict = check.momentum_read_back(
        lambda before, now, lr_before, lr, g: min((now / lr + g) / before * lr_before, 0.92)
    )
    assert "step_before=0.01, step=0.029" in verdict.message


LINE = CurveFunction(
    *("line", "A straight line, end-exclusive, then held.", "Right."),
    parameters=("start", "end", "steps"),
    reference=schedules.linear,
    cases=((0.1, 0.0, 10), (1.0, 0.0, 2)),
    steps=lambda start, end, steps: steps,
    mistakes=(),
)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (lambda k, start, end, steps: start + (end - start) * min(k / steps, 1) if k else None, "nothing at k = 0"),
        (lambda k, start, end, steps: 0.5, "it never moves: the learning rate is 0.5 at every k"),
        (lambda k, start, end, steps: 2 * (start + (end - start) * min(k / steps, 1)), "is 2 times what it should be"),
        (lambda k, start, end, steps: 1 / (k - 3), "raises ZeroDivisionError for (3, 0.1, 0, 10): division by zero"),
    ],
)
def test_a_curve_is_described(answer, says: str) -> None:
    assert says in LINE(answer).message


def test_the_peak_one_step_early_is_explained() -> None:
    k = np.arange(15)
    late, early = (np.interp(k, [0, peak, 12], [0.1, 1.0, 0.0]) for peak in (6, 5))
    assert diagnose(early, late, 12).startswith(
        "your peak is at step 5, it belongs at step 6: did you divide by total_"
    )


def test_keras_momentum_is_read_off_the_weights_not_off_the_attribute() -> None:
    optimizer = keras.optimizers.SGD(0.1, momentum=0.95)
    optimizer.momentum = 0.85
    assert check.keras_momentum(optimizer).message.startswith("update 1 used momentum 0.85")
    assert "learning rate should be 0.1" in check.keras_momentum(for_keras.SGD(0.2, momentum=0.9)).message
    used = RIGHT["keras_momentum"]
    check.keras_momentum(used)
    assert not used.built, "the answer itself is left as it was"


def test_a_verdict_renders_as_text_and_as_html() -> None:
    verdict = Verdict("wrong", "a < b & c")
    assert repr(verdict) == "✗ wrong: a < b & c"
    assert "a &lt; b &amp; c" in verdict._repr_html_()


def test_numbers_of_the_wrong_kind_are_named() -> None:
    numbers = Numbers("n", "t", "p", expected=1, mistakes=())
    assert numbers("one").message == "a number is asked for, you gave 'one'"
    assert numbers(float("inf")).message == "a finite number is asked for, you gave inf"


def test_a_prediction_is_held_against_the_runs() -> None:
    assert check.later_peak("higher").outcome == "not attempted", "run the experiment first"
    assert check.later_peak("higher", ..., ...).outcome == "not attempted"
    better = [3.6, 3.5, 3.7], [3.3, 3.1, 3.2]
    says = check.later_peak("lower", *better)
    assert says.outcome == "wrong", "the reader predicted what happened, but it is not what usually happens"
    assert "train more seeds" in says.message
    assert "-0.40" in says.message
    assert "two lists of errors" in check.later_peak("higher", [1.0], [2.0]).message
    assert "one number a seed" in check.later_peak("higher", [1.0, 2.0], [1.0, 2.0, 3.0]).message


def test_a_scheduler_is_run_and_not_read() -> None:
    plain = check.accumulated(lambda optimizer: torch.optim.lr_scheduler.ConstantLR(optimizer, 1.0))
    assert plain.outcome == "wrong"
    short = check.accumulated(lambda optimizer: torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=100))
    assert "refuses to go on after 101 of 351 updates" in short.message
    assert "a scheduler of torch" in check.accumulated(lambda optimizer: optimizer).message


def test_an_optimizer_is_judged_by_where_it_walks() -> None:
    def made(optimizer, **options):
        return check.nesterov_in_torch(lambda parameters: optimizer(parameters, **options)).message

    assert "it diverges" in made(torch.optim.SGD, lr=1.0)
    assert "it is stable, but update 0 takes it to (0.99" in made(torch.optim.SGD, lr=0.01, momentum=0.9)
    assert "an optimizer of torch.optim is asked for" in check.nesterov_in_torch(lambda parameters: parameters).message


def test_an_accumulating_loop_is_watched_at_each_update() -> None:
    def summed(model, optimizer, scheduler, batches):
        for first in range(0, 12, 4):
            optimizer.zero_grad()
            sum(2 * model(batch).mean() for batch in batches[first : first + 4]).backward()
            optimizer.step()
            scheduler.step()

    assert check.accumulating_loop(summed).message == "update 0 should use the gradient 2.5, it used 20"
    once = check.accumulating_loop(lambda model, optimizer, scheduler, batches: optimizer.step())
    assert once.message == "12 batches are 3 updates of 4, your loop made 1"


def test_a_keras_schedule_is_held_against_a_real_fit() -> None:
    decay = keras.optimizers.schedules.PolynomialDecay(0.2, 120, 0.0)
    assert "give it to an optimizer" in check.keras_line(decay).message
    assert "it never moves" in check.keras_line(keras.optimizers.SGD(0.2)).message
    used = RIGHT["keras_line"]
    check.keras_line(used)
    assert not used.built, "the answer itself is left as it was"


def test_a_start_is_judged_by_what_the_seed_gives() -> None:
    def wrong_size(dataset, seed):
        model, loader = same_start(dataset, seed)
        return model, torch.utils.data.DataLoader(dataset, batch_size=8, sampler=loader.sampler)

    assert "four in a batch" in check.same_start(wrong_size).message
    assert "a model and a loader" in check.same_start(lambda dataset, seed: torch.nn.Linear(3, 2)).message
    one_model = torch.nn.Linear(3, 2)
    says = check.same_start(lambda dataset, seed: (one_model, same_start(dataset, seed)[1])).message
    assert says == "what is not so: another seed gives other weights"
    assert "raises TypeError" in check.same_start(lambda dataset, seed: (one_model, 4)).message
