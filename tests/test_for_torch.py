"""The PyTorch adapter: what the optimizer holds at every update, resumption, groups, skipped updates."""

import io
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.optim.lr_scheduler import LRScheduler, OneCycleLR

from helpers import schedules as s
from helpers.for_torch import Scheduler, drive
from tests.strategies import examples

ONE_CYCLE = s.one_cycle(0.1, 40)
OPTIMIZERS = {
    "SGD": lambda p: torch.optim.SGD(p, lr=0.5, momentum=0.5),
    "Nesterov": lambda p: torch.optim.SGD(p, lr=0.5, momentum=0.5, nesterov=True),
    "Adam": lambda p: torch.optim.Adam(p, lr=0.5, betas=(0.5, 0.99)),
    "AdamW": lambda p: torch.optim.AdamW(p, lr=0.5, betas=(0.5, 0.99)),
}


def problem(seed: int = 0) -> torch.nn.Module:
    torch.manual_seed(seed)
    return torch.nn.Linear(5, 3)


def loss_of(model: torch.nn.Module, k: int) -> torch.Tensor:
    x = torch.from_numpy(np.random.default_rng(k).normal(size=(8, 5)).astype(np.float32))
    return model(x).square().mean()


def update(model: torch.nn.Module, optimizer: torch.optim.Optimizer, k: int) -> tuple[float, float]:
    """Make update k and return what the optimizer held for it."""
    optimizer.zero_grad()
    loss_of(model, k).backward()
    group = optimizer.param_groups[0]
    held = float(group["lr"]), float(group["momentum"] if "momentum" in group else group["betas"][0])
    optimizer.step()
    return held


def weights(model: torch.nn.Module) -> list[float]:
    return torch.cat([p.detach().flatten() for p in model.parameters()]).tolist()


def expected(schedule: s.Schedule, n: int) -> list[tuple[float, float]]:
    return [(schedule(k), schedule.momentum(k)) for k in range(n)]


@pytest.mark.parametrize("build", OPTIMIZERS.values(), ids=OPTIMIZERS.keys())
@pytest.mark.parametrize("three_phase", [False, True])
def test_training_equals_OneCycleLR_bit_by_bit(build, three_phase: bool) -> None:
    ours, theirs = problem(), problem()
    a, b = build(ours.parameters()), build(theirs.parameters())
    drive(a, s.one_cycle_torch(0.3, 40, three_phase=three_phase))
    scheduler = OneCycleLR(b, 0.3, total_steps=40, three_phase=three_phase)
    for k in range(40):
        assert update(ours, a, k) == update(theirs, b, k)
        if k < 39:
            scheduler.step()
    assert weights(ours) == weights(theirs)


@pytest.mark.parametrize("build", OPTIMIZERS.values(), ids=OPTIMIZERS.keys())
def test_every_update_uses_the_schedule(build) -> None:
    model = problem()
    optimizer = build(model.parameters())
    scheduler = Scheduler(optimizer, ONE_CYCLE)
    assert isinstance(scheduler, LRScheduler)
    used = []
    for k in range(40):
        used.append(update(model, optimizer, k))
        scheduler.step()
        assert scheduler.get_last_lr() == [ONE_CYCLE(k + 1)] == scheduler.get_lr()
    assert used == expected(ONE_CYCLE, 40)


def test_only_the_first_of_betas_moves_and_cycling_can_be_left_out() -> None:
    optimizer = torch.optim.Adam(problem().parameters(), betas=(0.5, 0.777))
    Scheduler(optimizer, ONE_CYCLE)
    assert optimizer.param_groups[0]["betas"] == (0.95, 0.777)
    optimizer = torch.optim.SGD(problem().parameters(), lr=0.1)
    Scheduler(optimizer, ONE_CYCLE, cycle_momentum=False)
    assert optimizer.param_groups[0]["momentum"] == 0


def test_long_and_endless_schedules_are_tabulated_in_blocks() -> None:
    schedule = s.cosine_restarts(0.1, 3000, t_mul=2)
    optimizer = torch.optim.SGD(problem().parameters(), lr=0.1)
    scheduler = Scheduler(optimizer, schedule)
    used = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # no optimizer.step() here: torch says so
        for _ in range(10_000):
            used.append(optimizer.param_groups[0]["lr"])
            scheduler.step()
    assert used == schedule(np.arange(10_000)).tolist()


# --------------------------------------------------------------------------------- resuming
@given(
    st.integers(0, 45),
    st.sampled_from(list(OPTIMIZERS)),
    st.booleans(),
    st.permutations(["build", "optimizer", "scheduler"]),
)
@examples(40)
def test_resuming_is_bit_exact_in_every_order(k: int, name: str, driven: bool, order: list[str]) -> None:
    def start():
        model = problem()
        optimizer = OPTIMIZERS[name](model.parameters())
        return model, optimizer

    def step(model, optimizer, scheduler, i):
        held = update(model, optimizer, i)
        if not driven:
            scheduler.step()
        return held

    make = drive if driven else Scheduler
    model, optimizer = start()
    scheduler = make(optimizer, s.one_cycle(0.1, 60))
    for i in range(k):
        step(model, optimizer, scheduler, i)
    file = io.BytesIO()
    torch.save({"m": model.state_dict(), "o": optimizer.state_dict(), "s": scheduler.state_dict()}, file)
    rest = [step(model, optimizer, scheduler, i) for i in range(k, 55)]

    file.seek(0)
    saved = torch.load(file, weights_only=True)
    kept = str(saved["s"])
    again, other = start()
    again.load_state_dict(saved["m"])
    made = None
    for action in order:
        if action == "build" or (action == "scheduler" and made is None):
            made = made or make(other, s.one_cycle(0.1, 60))
        if action == "optimizer":
            other.load_state_dict(saved["o"])
        if action == "scheduler":
            made.load_state_dict(saved["s"])
    assert str(saved["s"]) == kept  # loading does not eat the caller's dict
    assert [step(again, other, made, i) for i in range(k, 55)] == rest
    assert weights(again) == weights(model)


def test_the_state_of_another_schedule_is_refused_and_changes_nothing() -> None:
    optimizer = torch.optim.SGD(problem().parameters(), lr=0.1, momentum=0.9)
    scheduler = Scheduler(optimizer, ONE_CYCLE)
    other = Scheduler(torch.optim.SGD(problem().parameters(), lr=0.1, momentum=0.9), s.one_cycle(0.5, 500))
    before = optimizer.param_groups[0]["lr"], scheduler.state_dict()
    with pytest.raises(ValueError, match="the saved run had schedules"):
        scheduler.load_state_dict(other.state_dict())
    with pytest.raises(ValueError, match="missing"):
        scheduler.load_state_dict({"last_epoch": 3})
    assert (optimizer.param_groups[0]["lr"], scheduler.state_dict()) == before


# ----------------------------------------------------------------------------------- groups
def test_groups_follow_their_own_schedules() -> None:
    model = problem()
    optimizer = torch.optim.SGD([{"params": [model.weight]}, {"params": [model.bias]}], lr=1.0, momentum=0.9)
    scheduler = drive(optimizer, [ONE_CYCLE, 0.1 * ONE_CYCLE])
    for k in range(40):
        assert [group["lr"] for group in optimizer.param_groups] == [ONE_CYCLE(k), 0.1 * ONE_CYCLE(k)]
        assert {group["momentum"] for group in optimizer.param_groups} == {ONE_CYCLE.momentum(k)}
        update(model, optimizer, k)
    assert scheduler.get_last_lr() == [ONE_CYCLE(40), 0.1 * ONE_CYCLE(40)]


def test_one_schedule_serves_groups_added_later_and_a_list_says_what_is_missing() -> None:
    model = problem()
    optimizer = torch.optim.SGD([model.weight], lr=1.0, momentum=0.9)
    scheduler = drive(optimizer, ONE_CYCLE)
    optimizer.add_param_group({"params": [model.bias]})
    update(model, optimizer, 0)
    assert [group["lr"] for group in optimizer.param_groups] == [ONE_CYCLE(1)] * 2
    assert len(scheduler.get_lr()) == 2
    optimizer = torch.optim.SGD([model.weight], lr=1.0, momentum=0.9)
    listed = Scheduler(optimizer, [ONE_CYCLE])
    optimizer.add_param_group({"params": [model.bias]})
    with pytest.raises(ValueError, match="1 schedules for 2 parameter groups"):
        listed.get_lr()


# -------------------------------------------------------------- accumulation, skipping, closures
def test_accumulation_counts_updates_not_batches() -> None:
    model = problem()
    optimizer = OPTIMIZERS["SGD"](model.parameters())
    drive(optimizer, ONE_CYCLE)
    used = []
    for batch in range(40):
        loss_of(model, batch).backward()
        if batch % 4 == 3:
            used.append((optimizer.param_groups[0]["lr"], optimizer.param_groups[0]["momentum"]))
            optimizer.step()
            optimizer.zero_grad()
    assert used == expected(ONE_CYCLE, 10)


@pytest.mark.parametrize("fused", [False, True])
def test_updates_skipped_by_a_gradient_scaler_do_not_count(fused: bool) -> None:
    model = problem()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, fused=fused)
    scheduler = drive(optimizer, ONE_CYCLE)
    scaler, counted = torch.amp.GradScaler("cpu", init_scale=2.0), []
    for overflow in (False, True, False, True, True, False):
        optimizer.zero_grad()
        scaler.scale(loss_of(model, 0) * (float("inf") if overflow else 1.0)).backward()
        scaler.step(optimizer)
        scaler.update()
        counted.append(scheduler.last_epoch)
    assert counted == [1, 1, 2, 2, 2, 3]


def test_closures_count_once_per_update() -> None:
    model = problem()
    optimizer = torch.optim.LBFGS(model.parameters(), lr=1.0, max_iter=3)
    scheduler = drive(optimizer, s.linear(1.0, 0.1, 10))

    def closure():
        optimizer.zero_grad()
        loss = loss_of(model, 0)
        loss.backward()
        return loss

    for k in range(3):
        assert optimizer.param_groups[0]["lr"] == s.linear(1.0, 0.1, 10)(k)
        optimizer.step(closure)
    assert scheduler.last_epoch == 3


def test_tensor_rates_and_betas_are_filled_in_place() -> None:
    model = problem()
    lr, beta = torch.tensor(0.5), torch.tensor(0.5)
    # torch wants capturable=True for tensor betas when it steps many tensors at once
    optimizer = torch.optim.Adam(model.parameters(), lr=lr, betas=(beta, torch.tensor(0.99)), foreach=False)
    drive(optimizer, ONE_CYCLE)
    held = optimizer.param_groups[0]
    for k in range(5):
        assert held["lr"] is lr
        assert held["betas"][0] is beta
        assert (lr.item(), beta.item()) == pytest.approx((ONE_CYCLE(k), ONE_CYCLE.momentum(k)), rel=1e-6)
        update(model, optimizer, k)


def test_a_compiled_step_follows_the_schedule() -> None:
    plain, compiled = problem(), problem()
    a, b = OPTIMIZERS["SGD"](plain.parameters()), OPTIMIZERS["SGD"](compiled.parameters())
    drive(a, ONE_CYCLE)
    scheduler = drive(b, ONE_CYCLE)
    fast = torch.compile(lambda: b.step(), backend="eager")
    for k in range(6):
        update(plain, a, k)
        b.zero_grad()
        loss_of(compiled, k).backward()
        fast()
    assert scheduler.last_epoch == 6
    assert weights(compiled) == weights(plain)


# ------------------------------------------------------------------------ the end, and bad input
def test_past_the_end_the_value_is_held_with_one_warning() -> None:
    model = problem()
    optimizer = OPTIMIZERS["SGD"](model.parameters())
    scheduler = Scheduler(optimizer, s.linear(0.1, 0.01, 3))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for k in range(3):
            update(model, optimizer, k)
            scheduler.step()
        assert not caught, "a loop of exactly the schedule's length must not warn"
        for k in range(3, 6):
            assert update(model, optimizer, k)[0] == 0.01
            scheduler.step()
    assert len(caught) == 1
    assert "after the schedule's 3 steps" in str(caught[0].message)


def test_past_the_end_strict_raises() -> None:
    model = problem()
    optimizer = OPTIMIZERS["SGD"](model.parameters())
    scheduler = drive(optimizer, s.linear(0.1, 0.01, 2), strict=True)
    for k in range(2):
        update(model, optimizer, k)
    with pytest.raises(RuntimeError, match="after the schedule's 2 steps"):
        update(model, optimizer, 2)
    assert scheduler.last_epoch == 2


def test_calling_step_on_a_driven_scheduler_is_an_error() -> None:
    scheduler = drive(OPTIMIZERS["SGD"](problem().parameters()), ONE_CYCLE)
    with pytest.raises(RuntimeError, match="drives this scheduler already"):
        scheduler.step()


def test_stepping_before_the_optimizer_warns_as_torch_does() -> None:
    scheduler = Scheduler(OPTIMIZERS["SGD"](problem().parameters()), ONE_CYCLE)
    with pytest.warns(UserWarning, match="before `optimizer.step"):
        scheduler.step()


@pytest.mark.parametrize(
    ("build", "error", "message"),
    [
        (lambda o: Scheduler(o, 0.1), TypeError, "schedule must be"),
        (lambda o: Scheduler(o, [0.1]), TypeError, "schedule must be"),
        (lambda o: Scheduler(o, []), ValueError, "empty"),
        (lambda o: Scheduler(o, [ONE_CYCLE, ONE_CYCLE]), ValueError, "2 schedules for 1 parameter groups"),
        (lambda o: Scheduler("sgd", ONE_CYCLE), TypeError, "Optimizer"),
        (lambda o: Scheduler(torch.optim.Adagrad(problem().parameters()), ONE_CYCLE), ValueError, "neither momentum"),
        (lambda o: Scheduler(torch.optim.SGD(problem().parameters()), ONE_CYCLE), ValueError, "momentum=0"),
        (lambda o: Scheduler(torch.optim.RMSprop(problem().parameters()), ONE_CYCLE), ValueError, "momentum=0"),
        (lambda o: Scheduler(o, ONE_CYCLE).step(3), TypeError, "no argument"),
    ],
)
def test_bad_input_is_refused(build, error, message: str) -> None:
    with pytest.raises(error, match=message):
        build(OPTIMIZERS["SGD"](problem().parameters()))


def test_a_refused_schedule_leaves_the_optimizer_alone() -> None:
    optimizer = torch.optim.SGD(problem().parameters(), lr=0.3)
    with pytest.raises(ValueError, match="momentum=0"):
        drive(optimizer, ONE_CYCLE)
    assert optimizer.param_groups[0]["lr"] == 0.3
    assert "initial_lr" not in optimizer.param_groups[0]
