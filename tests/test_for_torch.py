"""The PyTorch adapter: what the optimizer holds at every update, resumption, groups, skipped updates."""

import copy
import gc
import importlib
import io
import json
import os
import pickle
import warnings
import weakref
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.optim.lr_scheduler import CosineAnnealingLR, LRScheduler, OneCycleLR

from helpers import schedules as s
from helpers.for_torch import Scheduler, assert_used, drive, watch
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


def test_long_and_endless_schedules_are_tabulated_in_blocks(monkeypatch) -> None:
    schedule, asked, call = s.cosine_restarts(0.1, 3000, t_mul=2), [], s.Schedule.__call__
    monkeypatch.setattr(s.Schedule, "__call__", lambda self, k: asked.append(k) or call(self, k))
    optimizer = torch.optim.SGD(problem().parameters(), lr=0.1)
    scheduler = Scheduler(optimizer, schedule)
    used = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # no optimizer.step() here: torch says so
        for _ in range(10_000):
            used.append(optimizer.param_groups[0]["lr"])
            scheduler.step()
    assert len(asked) <= 4, "a look-up for each update, not a call of the schedule"
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
    refused = (
        r"the saved run used one_cycle\(max_lr=0.5, total_steps=500\), "
        r"this one uses one_cycle\(max_lr=0.1, total_steps=40\)$"
    )
    with pytest.raises(ValueError, match=refused):
        scheduler.load_state_dict(other.state_dict())
    for changed in ({"cycle_momentum": False}, {"schedules": {**before[1]["schedules"], "weight_decay": []}}):
        with pytest.raises(ValueError, match="the saved run used"):
            scheduler.load_state_dict(before[1] | changed)
    with pytest.raises(ValueError, match="not the state"):
        scheduler.load_state_dict(before[1] | {"schedules": [3]})
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
    scheduler = drive(optimizer, ONE_CYCLE)
    held = optimizer.param_groups[0]
    for k in range(5):
        assert held["lr"] is lr
        assert isinstance(scheduler.get_lr()[0], torch.Tensor)
        assert scheduler.get_last_lr()[0] is not lr, "a copy: nobody can change the optimizer's by accident"
        assert held["betas"][0] is beta
        assert (lr.item(), beta.item()) == pytest.approx((ONE_CYCLE(k), ONE_CYCLE.momentum(k)), rel=1e-6)
        update(model, optimizer, k)


def test_a_compiled_step_follows_the_schedule() -> None:
    plain, compiled = problem(), problem()
    a, b = OPTIMIZERS["SGD"](plain.parameters()), OPTIMIZERS["SGD"](compiled.parameters())
    drive(a, ONE_CYCLE)
    scheduler = drive(b, ONE_CYCLE)
    used, fast = watch(b), torch.compile(lambda: b.step(), backend="eager")
    for k in range(6):
        update(plain, a, k)
        b.zero_grad()
        loss_of(compiled, k).backward()
        fast()
    assert scheduler.last_epoch == 6
    assert weights(compiled) == pytest.approx(weights(plain), rel=1e-6)  # compiled arithmetic may round differently
    assert_used(used, ONE_CYCLE, partial=True)


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
    assert caught[0].filename == __file__, "it points at the loop, not into the helpers"


def test_of_several_schedules_the_longest_says_where_the_end_is() -> None:
    model = problem()
    optimizer = torch.optim.SGD([{"params": [model.weight]}, {"params": [model.bias]}], lr=1.0)
    drive(optimizer, [s.linear(0.1, 0.0, 2), s.linear(0.1, 0.0, 4)], strict=True)
    for k in range(4):
        plain_update(model, optimizer, k)
    with pytest.raises(RuntimeError, match="after the schedule's 4 steps"):
        plain_update(model, optimizer, 4)


def plain_update(model, optimizer, k: int) -> None:
    """One update of an optimizer without momentum."""
    optimizer.zero_grad()
    loss_of(model, k).backward()
    optimizer.step()


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
    with pytest.raises(RuntimeError, match=r"is driven: .* do not hand the driven scheduler to the trainer"):
        scheduler.step()


def test_an_optimizer_is_driven_once_and_can_be_detached() -> None:
    model = problem()
    optimizer = OPTIMIZERS["SGD"](model.parameters())
    first = drive(optimizer, ONE_CYCLE)
    for again in (drive, Scheduler):
        with pytest.raises(ValueError, match="driven already"):
            again(optimizer, s.linear(0.5, 0.0, 10))
    used = watch(optimizer)
    update(model, optimizer, 0)
    first.detach()
    first.detach()
    update(model, optimizer, 1)
    update(model, optimizer, 2)
    assert used.trace().groups[0]["lr"] == [ONE_CYCLE(0), ONE_CYCLE(1), ONE_CYCLE(1)], "it stays where it was"
    first.step()
    assert optimizer.param_groups[0]["lr"] == ONE_CYCLE(2)
    drive(optimizer, s.linear(0.5, 0.0, 10))
    assert update(model, optimizer, 3)[0] == 0.5


def test_driving_keeps_no_optimizer_alive() -> None:
    optimizer = OPTIMIZERS["SGD"](problem().parameters())
    gone = weakref.ref(optimizer)
    drive(optimizer, ONE_CYCLE)
    del optimizer
    gc.collect()
    assert gone() is None


class _InlinedBase(LRScheduler):
    """A base class that writes the rates in ``step`` itself, as PyTorch's did before 2.6."""

    def step(self, epoch: int | None = None) -> None:
        self._step_count += 1
        self.last_epoch += 1
        for group, lr in zip(self.optimizer.param_groups, self.get_lr(), strict=True):
            group["lr"] = lr


def test_only_public_methods_of_the_base_class_are_leaned_on(monkeypatch) -> None:
    monkeypatch.setattr(LRScheduler, "step", _InlinedBase.step)
    monkeypatch.delattr(LRScheduler, "_update_lr", raising=False)
    model = problem()
    optimizer = OPTIMIZERS["SGD"](model.parameters())
    drive(optimizer, ONE_CYCLE)
    assert [update(model, optimizer, k) for k in range(40)] == expected(ONE_CYCLE, 40)


# ------------------------------------------------------------------------ other numbers, what was used
def test_any_other_number_of_the_groups_can_be_scheduled() -> None:
    model = problem()
    groups = [{"params": [model.weight]}, {"params": [model.bias], "weight_decay": 0.5}]
    optimizer = torch.optim.AdamW(groups, lr=1.0)
    plans = {"weight_decay": [s.linear(0.2, 0.0, 40), s.constant(0.0)], "eps": s.constant(1e-6)}
    used, scheduler = watch(optimizer), drive(optimizer, ONE_CYCLE, **plans)
    for k in range(40):
        update(model, optimizer, k)
    assert_used(used, ONE_CYCLE, **plans)
    assert used.trace().groups[0]["weight_decay"] == plans["weight_decay"][0](np.arange(40)).tolist()
    assert used.trace().groups[1]["weight_decay"] == [0.0] * 40
    with pytest.raises(AssertionError, match=r"update 1 used weight decay in parameter group 0 0.195, .* says 0.2"):
        assert_used(used, ONE_CYCLE, weight_decay=s.constant(0.2))
    state = scheduler.state_dict()
    other = torch.optim.AdamW([{"params": [model.weight]}, {"params": [model.bias]}], lr=1.0)
    drive(other, ONE_CYCLE, **plans).load_state_dict(state)
    assert [g["weight_decay"] for g in other.param_groups] == [g["weight_decay"] for g in optimizer.param_groups]
    third = torch.optim.AdamW([{"params": [model.weight]}, {"params": [model.bias]}], lr=1.0)
    with pytest.raises(ValueError, match=r"weight_decay=linear.* this one uses one_cycle"):
        drive(third, ONE_CYCLE).load_state_dict(state)


def train(updates: int, attach, *, stepped: bool = False, optimizer: torch.optim.Optimizer | None = None):
    """Watch an optimizer with a scheduler attached through so many updates."""
    model = problem()
    optimizer = optimizer or torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    used, scheduler = watch(optimizer), attach(optimizer)
    for k in range(updates):
        update(model, optimizer, k)
        if stepped:
            scheduler.step()
    return used


def test_what_a_stock_scheduler_did_is_seen_too() -> None:
    used = train(40, lambda o: OneCycleLR(o, 0.1, total_steps=41), stepped=True)
    assert_used(used, s.one_cycle_torch(0.1, 41), partial=True)
    with pytest.raises(AssertionError, match="update 1 used"):
        assert_used(used, s.one_cycle(0.1, 40))
    cosine = train(20, lambda o: CosineAnnealingLR(o, 20), stepped=True)
    assert_used(cosine, s.cosine(0.1, 20))
    numbers = {"lr", "momentum", "dampening", "weight_decay"}
    assert cosine.trace().groups[0].keys() == numbers, "not initial_lr, which is PyTorch's own note"


@pytest.mark.parametrize(
    ("updates", "made_for", "message"),
    [
        (4, s.linear(0.1, 0.0, 8), "4 updates were made, and the schedule has 8 steps: it is longer than the run"),
        (8, s.linear(0.1, 0.0, 4), "8 updates were made, and the schedule has 4 steps: it is shorter than the run"),
        (4, s.piecewise_constant([2, 9], [0.1, 0.01, 0.001]), "changes until step 9: its last value was never used"),
    ],
)
@pytest.mark.filterwarnings("ignore:update 4 comes after")
def test_a_run_and_a_schedule_of_different_lengths_do_not_agree(updates, made_for, message) -> None:
    used = train(updates, lambda o: drive(o, made_for))
    with pytest.raises(AssertionError, match=message):
        assert_used(used, made_for)
    assert_used(used, made_for, partial=True)


def test_schedules_that_settle_or_never_end_need_no_exact_length() -> None:
    for plan in (s.constant(0.1), s.piecewise_constant([2, 5], [0.1, 0.01, 0.001]), s.exponential(0.1, 0.5, 3)):
        assert_used(train(7, lambda o, plan=plan: drive(o, plan)), plan)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (s.constant(0.1), "update 1 used learning rate 0.1, .*It never moved: all 12 updates used 0.1"),
        (s.tabulated(s.linear(0.1, 0.0, 12)(np.arange(12) // 3)), "moved once in 3 updates: .*per epoch instead"),
        (s.tabulated(s.linear(0.1, 0.0, 12)(np.arange(12) // 3 * 3)), "moved once in 3 updates: right at the first"),
        (s.tabulated(s.linear(0.1, 0.0, 12)(np.arange(12) + 1)), "one step ahead"),
        (s.tabulated(s.linear(0.1, 0.0, 12)(np.maximum(np.arange(12) - 1, 0))), "one step behind"),
        (s.linear(0.1, 0.05, 12), r"the schedule says 0.0916667\.$"),
    ],
)
def test_the_usual_reasons_are_recognised(wrong: s.Schedule, message: str) -> None:
    used = train(12, lambda o: drive(o, wrong))
    with pytest.raises(AssertionError, match=message):
        assert_used(used, s.linear(0.1, 0.0, 12))


def test_momentum_that_did_not_move_is_found() -> None:
    used = train(40, lambda o: drive(o, ONE_CYCLE, cycle_momentum=False))
    assert_used(used, ONE_CYCLE.with_momentum(None))
    with pytest.raises(AssertionError, match=r"update 0 used momentum 0.9, the schedule says 0.95. It never moved"):
        assert_used(used, ONE_CYCLE)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda o: pickle.loads(pickle.dumps(o))])
def test_a_copied_optimizer_is_not_driven_and_the_check_says_so(copied) -> None:
    original = torch.optim.SGD(problem().parameters(), lr=0.1, momentum=0.9)
    drive(original, s.linear(0.1, 0.0, 8))
    used = train(8, lambda o: None, optimizer=copied(original))
    with pytest.raises(AssertionError, match=r"It never moved: all 8 updates used 0.1"):
        assert_used(used, s.linear(0.1, 0.0, 8))
    again = copied(original)
    assert_used(train(8, lambda o: drive(o, s.linear(0.1, 0.0, 8)), optimizer=again), s.linear(0.1, 0.0, 8))


def test_groups_are_compared_each_with_its_own_schedule() -> None:
    model = problem()
    optimizer = torch.optim.SGD([{"params": [model.weight]}, {"params": [model.bias]}], lr=1.0, momentum=0.9)
    used = watch(optimizer)
    drive(optimizer, [ONE_CYCLE, 0.1 * ONE_CYCLE])
    for k in range(40):
        update(model, optimizer, k)
    assert_used(used, [ONE_CYCLE, 0.1 * ONE_CYCLE])
    with pytest.raises(AssertionError, match="learning rate in parameter group 1"):
        assert_used(used, ONE_CYCLE)
    with pytest.raises(AssertionError, match="3 schedules for 2 parameter groups"):
        assert_used(used, [ONE_CYCLE] * 3)
    with pytest.raises(TypeError, match="a schedule or a sequence"):
        assert_used(used, 0.1)
    with pytest.raises(TypeError, match="SGD has recorded nothing: pass what watch"):
        assert_used(optimizer, ONE_CYCLE)


def test_a_group_that_came_later_is_compared_from_there() -> None:
    model = problem()
    optimizer = torch.optim.SGD([model.weight], lr=1.0, momentum=0.9)
    used, _ = watch(optimizer), drive(optimizer, ONE_CYCLE)
    for k in range(40):
        if k == 10:
            optimizer.add_param_group({"params": [model.bias], "lr": 7.0})
        if k == 11:
            update(model, optimizer, k)
            assert optimizer.param_groups[1]["lr"] == ONE_CYCLE(12)
        else:
            update(model, optimizer, k)
    with pytest.raises(AssertionError, match="update 10 used learning rate in parameter group 1 7"):
        assert_used(used, ONE_CYCLE)  # its first update came before the schedule reached it


def test_skipped_updates_are_not_recorded_and_detaching_stops_recording() -> None:
    model = problem()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, fused=True)
    used, _ = watch(optimizer), drive(optimizer, ONE_CYCLE)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0)
    for overflow in (False, True, False, True, True, False):
        optimizer.zero_grad()
        scaler.scale(loss_of(model, 0) * (float("inf") if overflow else 1.0)).backward()
        scaler.step(optimizer)
        scaler.update()
    assert used.trace().groups[0]["lr"] == [ONE_CYCLE(0), ONE_CYCLE(1), ONE_CYCLE(2)]
    used.detach()
    update(model, optimizer, 3)
    assert len(used.trace().groups[0]["lr"]) == 3
    with pytest.raises(AssertionError, match="no update was recorded"):
        assert_used(watch(optimizer), ONE_CYCLE)


class Prepared(torch.optim.Optimizer):
    """What ``accelerator.prepare`` returns: an Optimizer by name that has none of its hooks and holds the real one."""

    def __init__(self, optimizer: torch.optim.Optimizer) -> None:
        self.optimizer = optimizer

    def step(self, closure=None):
        self.optimizer.step(closure)


def test_a_prepared_optimizer_is_unwrapped() -> None:
    model = problem()
    inner = OPTIMIZERS["SGD"](model.parameters())
    used, _ = watch(Prepared(inner)), drive(Prepared(inner), ONE_CYCLE)
    prepared = Prepared(inner)
    for k in range(40):
        inner.zero_grad()
        loss_of(model, k).backward()
        prepared.step()
    assert_used(used, ONE_CYCLE)


@pytest.mark.parametrize("accumulate", [1, 2])
def test_accelerate_moves_the_schedule_once_per_update(accumulate: int) -> None:
    accelerate = pytest.importorskip("accelerate", reason="accelerate is an optional extra: pip install -e .[interop]")
    accelerator = accelerate.Accelerator(cpu=True, gradient_accumulation_steps=accumulate)
    model, optimizer = accelerator.prepare(problem(), torch.optim.SGD(problem().parameters(), lr=0.1, momentum=0.9))
    used, _ = watch(optimizer), drive(optimizer, ONE_CYCLE)
    for k in range(40 * accumulate):
        with accelerator.accumulate(model):
            accelerator.backward(loss_of(model, k))
            optimizer.step()
            optimizer.zero_grad()
    assert_used(used, ONE_CYCLE)


def two_processes(rank: int, told: str, where: str) -> None:
    """One of two processes: 12 batches, of which each gets 6, along a cosine whose length is counted as ``told``."""
    accelerate = importlib.import_module("accelerate")
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1"}
    os.environ["MASTER_PORT"] = "29518"
    accelerator, model = accelerate.Accelerator(cpu=True), torch.nn.Linear(1, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    whole = torch.utils.data.DataLoader(torch.ones(24, 1), batch_size=2)
    used, (model, optimizer, share) = watch(optimizer), accelerator.prepare(model, optimizer, whole)
    length = len(whole if told == "before prepare" else share)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer.optimizer, T_max=length)
    scheduler = scheduler if told == "not prepared" else accelerator.prepare(scheduler)
    for batch in share:
        accelerator.backward(model(batch).sum())
        optimizer.step()
        scheduler.step()
        optimizer.zero_grad()
    Path(where, f"{rank}.json").write_text(json.dumps(used.trace().groups[0]["lr"]), "utf-8")
    accelerator.end_training()


@pytest.mark.parametrize(
    ("told", "rates"),
    [
        ("after prepare", [0.1, 0.075, 0.025, 0.0, 0.025, 0.075]),  # as recorded in lesson 18, case 11
        ("before prepare", [0.1, 0.0933, 0.075, 0.05, 0.025, 0.0067]),
        ("not prepared", [0.1, 0.0933, 0.075, 0.05, 0.025, 0.0067]),
    ],
)
def test_accelerate_moves_a_prepared_scheduler_once_for_every_process(tmp_path, told: str, rates: list[float]) -> None:
    pytest.importorskip("accelerate", reason="accelerate is an optional extra: pip install -e .[interop]")
    torch.multiprocessing.spawn(two_processes, args=(told, str(tmp_path)), nprocs=2)
    for rank in range(2):
        assert np.allclose(json.loads((tmp_path / f"{rank}.json").read_text("utf-8")), rates, atol=5e-5)


def test_stepping_before_the_optimizer_warns_as_torch_does() -> None:
    scheduler = Scheduler(OPTIMIZERS["SGD"](problem().parameters()), ONE_CYCLE)
    with pytest.warns(UserWarning, match="before `optimizer.step"):
        scheduler.step()


@pytest.mark.parametrize(
    ("build", "error", "message"),
    [
        (lambda o: Scheduler(o, 0.1), TypeError, "schedule must be"),
        (lambda o: Scheduler(o, [0.1]), TypeError, "schedule must be"),
        (lambda o: Scheduler(o, []), ValueError, "schedule must not be an empty list"),
        (lambda o: Scheduler(o, [ONE_CYCLE, ONE_CYCLE]), ValueError, "2 schedules for 1 parameter groups"),
        (lambda o: Scheduler("sgd", ONE_CYCLE), TypeError, "Optimizer"),
        (lambda o: Scheduler(torch.optim.Adagrad(problem().parameters()), ONE_CYCLE), ValueError, "neither momentum"),
        (lambda o: Scheduler(torch.optim.SGD(problem().parameters()), ONE_CYCLE), ValueError, "momentum=0"),
        (lambda o: Scheduler(torch.optim.RMSprop(problem().parameters()), ONE_CYCLE), ValueError, "momentum=0"),
        (lambda o: Scheduler(o, ONE_CYCLE).step(3), TypeError, "no argument"),
        (lambda o: drive(o, lambda k: 0.1), TypeError, r"tabulated\(\[...\]\) makes one of your own values"),
        (lambda o: drive(o, ONE_CYCLE, weight_decay=0.1), TypeError, "weight_decay must be a schedule"),
        (lambda o: drive(o, ONE_CYCLE, weigth_decay=ONE_CYCLE), ValueError, "no number 'weigth_decay'.*weight_decay"),
        (lambda o: drive(o, ONE_CYCLE, nesterov=ONE_CYCLE), ValueError, "no number 'nesterov'"),
        (lambda o: drive(o, ONE_CYCLE, momentum=ONE_CYCLE), ValueError, "with_momentum"),
        (lambda o: drive(o, ONE_CYCLE, lr=ONE_CYCLE), ValueError, "lr is the first schedule"),
        (lambda o: drive(o, ONE_CYCLE, weight_decay=[ONE_CYCLE] * 2), ValueError, "weight_decay: 2 schedules for 1"),
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
