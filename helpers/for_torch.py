# SPDX-FileCopyrightText: 2026 the authors of the learning-rate schedules course
# SPDX-License-Identifier: MIT
"""Schedules in PyTorch: learning rate, momentum and any other number of an optimizer, and a check of what was used.

Made to be copied: this file and ``schedules.py`` beside it, nothing else is needed. Version 2.0, MIT licence, from the
project "Learning-rate schedules, derived and measured". PyTorch 2.5 or newer (tried with 2.5.1 and 2.13.0). ::

    import for_torch, schedules

    schedule = schedules.one_cycle(max_lr=0.1, total_steps=epochs * len(loader))
    for_torch.drive(optimizer, schedule)     # optimizer.step() moves learning rate and momentum; nothing else to call
    used = for_torch.watch(optimizer)
    ...                                      # the usual loop, without scheduler.step()
    for_torch.assert_used(used, schedule)    # raises, and says why, unless every update used exactly this

It stands on the public methods of ``LRScheduler`` and on the step hooks of ``Optimizer``.
"""

from __future__ import annotations

import warnings
import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler
from torch.utils.hooks import RemovableHandle

if TYPE_CHECKING or __package__:
    from . import schedules
    from .schedules import Plan, Schedule, Trace, assert_used
else:  # copied out of the course, next to schedules.py
    import schedules
    from schedules import Plan, Schedule, Trace, assert_used

__all__ = ["Scheduler", "Watch", "assert_used", "drive", "watch"]

_BLOCK = 4096  # values tabulated at a time: a scalar NumPy call costs ten scheduler steps, a list look-up nothing
_DRIVEN: weakref.WeakSet[Optimizer] = weakref.WeakSet()
_not_compiled: Callable[[Callable[..., None]], Callable[..., None]] = torch.compiler.disable  # which has no types


class _Table:
    """The values of one schedule as Python floats, tabulated block by block."""

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule
        self._start, self._values = 0, [schedule(0)]

    def __call__(self, k: int) -> float:
        if not 0 <= k - self._start < len(self._values):
            self._start = k - k % _BLOCK
            self._values = self.schedule(np.arange(self._start, self._start + _BLOCK)).tolist()
        return self._values[k - self._start]


class Scheduler(LRScheduler):
    """Set the numbers of an optimizer from schedules, as functions of the updates made so far.

    A PyTorch ``LRScheduler``: call ``step()`` after every ``optimizer.step()``, per update and not per epoch. Or use
    `drive`, which does it for you. Past its end the last value is held.

    ``state_dict`` is plain data (loads with ``weights_only=True``). Loading it writes the numbers into the optimizer
    again, so the order of loading does not matter; the state of another schedule is refused.

    Parameters
    ----------
    optimizer : torch.optim.Optimizer
        Numbers that are tensors are filled in place, so that compiled steps see them.
    schedule : Schedule or list of Schedule
        Learning rates: one schedule for all parameter groups, or one for each. A momentum that it carries goes into
        ``group["momentum"]`` (SGD, RMSprop) or ``group["betas"][0]`` (Adam and its kin).
    cycle_momentum : bool
        False leaves momentum alone.
    strict : bool
        Past the end of the schedule: a ``RuntimeError`` instead of one warning.
    **others : Schedule or list of Schedule
        Schedules for other numbers of the parameter groups, by their names: ``weight_decay=linear(...)``.

    Raises
    ------
    TypeError
        When something that should be a schedule is not.
    ValueError
        When the number of schedules is not the number of groups, when the optimizer has no such number or no momentum
        to move, or when it is driven already.

    Examples
    --------
    >>> optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    >>> scheduler = Scheduler(optimizer, schedules.linear(0.1, 0.0, steps=4))
    >>> for _ in range(2):
    ...     optimizer.step(); scheduler.step()
    >>> scheduler.get_last_lr(), scheduler.state_dict()["last_epoch"]
    ([0.05], 2)
    """

    def __init__(
        self,
        optimizer: Optimizer,
        schedule: Plan,
        *,
        cycle_momentum: bool = True,
        strict: bool = False,
        **others: Plan,
    ) -> None:
        optimizer = _unwrapped(optimizer)
        if optimizer in _DRIVEN:
            raise ValueError("this optimizer is driven already: detach() the scheduler that drive() returned first")
        if {"lr", "momentum"} & set(others):
            raise ValueError("lr is the first schedule, and momentum goes with it: schedule.with_momentum(...)")
        self.schedules = {"lr": _checked("schedule", schedule)}
        self.schedules |= {name: _checked(name, plan) for name, plan in others.items()}
        self.cycle_momentum, self.strict = cycle_momentum, strict
        self._hook: RemovableHandle | None = None
        self._tables: list[dict[str, _Table]] = []
        self._ends, self._warned, self._checks = max(one.steps for one in _as_list(schedule)), False, 2
        for group, tables in self._rows(optimizer):
            _check_group(type(optimizer).__name__, group, tables)
        super().__init__(optimizer)  # calls step(), which writes the first values

    @property
    def driven(self) -> bool:
        """Whether ``optimizer.step()`` moves this scheduler by itself: see `drive`."""
        return self._hook is not None

    def _rows(self, optimizer: Optimizer) -> Iterator[tuple[dict[str, Any], dict[str, _Table]]]:
        """Each parameter group with the tables of its numbers."""
        groups = len(optimizer.param_groups)
        if len(self._tables) != groups:  # at first, and when a group has been added
            self._tables = _tables(self.schedules, groups, self.cycle_momentum)
        return zip(optimizer.param_groups, self._tables, strict=True)

    def step(self, epoch: int | None = None) -> None:
        """Move on by one update. Call it after ``optimizer.step()``, never when the scheduler is driven."""
        if epoch is not None:
            raise TypeError("step() takes no argument: the schedule is a function of the updates made")
        if self.driven:
            raise RuntimeError(
                "this scheduler is driven: optimizer.step() moves it already. Remove the call of scheduler.step(); if "
                "it is a trainer's (Lightning, Hugging Face, ...), do not hand the driven scheduler to the trainer."
            )
        self._move()

    def _move(self) -> None:
        if self.last_epoch >= self._ends:
            self._past_the_end()
        if self._checks:  # the first values, then PyTorch's own check that optimizer.step() came first
            self._checks -= 1
            super().step()
        else:
            self.last_epoch += 1
        self._write()

    def _past_the_end(self) -> None:
        message = f"update {self.last_epoch} comes after the schedule's {self._ends} steps: its end value is used"
        if self.strict:
            raise RuntimeError(message)
        if not self._warned:
            self._warned = True
            warnings.warn(message, UserWarning, stacklevel=4)

    def _write(self) -> None:
        """Write the values for ``last_epoch`` into the optimizer."""
        k = self.last_epoch
        for group, tables in self._rows(self.optimizer):
            for name, table in tables.items():
                _set(group, name, table(k))

    def get_lr(self) -> list[Any]:
        """Learning rates for the next update, one per group, tensors where the optimizer's are; nothing is changed."""
        return [_like(group["lr"], tables["lr"](self.last_epoch)) for group, tables in self._rows(self.optimizer)]

    def get_last_lr(self) -> list[Any]:
        """The same: the learning rates that the optimizer holds now."""
        return self.get_lr()

    def detach(self) -> None:
        """Stop driving: from here on ``step()`` is yours to call. Nothing happens when it was not driven."""
        if self._hook is not None:
            self._hook.remove()
            self._hook = None
            _DRIVEN.discard(self.optimizer)

    def state_dict(self) -> dict[str, Any]:
        """Plain data: the number of updates made, and what the schedules were."""
        plans = {name: [one.to_dict() for one in _as_list(plan)] for name, plan in self.schedules.items()}
        return {"last_epoch": self.last_epoch, "schedules": plans, "cycle_momentum": self.cycle_momentum}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go to the saved update and write its numbers into the optimizer; refuse the state of another schedule."""
        missing = {"last_epoch", "schedules", "cycle_momentum"} - set(state_dict)
        if missing:
            raise ValueError(f"not the state of this Scheduler: {', '.join(sorted(missing))} missing")
        saved, mine = _plans(state_dict), _plans(self.state_dict())
        if saved != mine or bool(state_dict["cycle_momentum"]) != self.cycle_momentum:
            theirs, ours = _typed(saved, state_dict["cycle_momentum"]), _typed(mine, self.cycle_momentum)
            raise ValueError(f"the saved run used {theirs}, this one uses {ours}")
        self.last_epoch = int(state_dict["last_epoch"])
        self._write()


def drive(
    optimizer: Optimizer, schedule: Plan, *, cycle_momentum: bool = True, strict: bool = False, **others: Plan
) -> Scheduler:
    """Attach a `Scheduler` that moves on by itself after every update ``optimizer`` really makes.

    Nothing to call, so nothing to forget: right under gradient accumulation, with closures, ``torch.compile``, DDP and
    FSDP2, and when a gradient scaler skips an update. An optimizer that ``accelerator.prepare`` has wrapped is
    unwrapped. Save and load the returned scheduler's ``state_dict``.

    The hook belongs to this optimizer object: PyTorch drops hooks without a word when an optimizer is deep-copied or
    pickled. Drive the copy again; `assert_used` on the copy's updates tells when that was forgotten.

    Parameters
    ----------
    optimizer, schedule, cycle_momentum, strict, **others
        As in `Scheduler`.

    Returns
    -------
    Scheduler
        Driven: its ``step()`` refuses to be called. ``detach()`` removes it from the optimizer.

    Examples
    --------
    >>> optimizer = torch.optim.AdamW([torch.zeros(1, requires_grad=True)], lr=1.0)
    >>> plan = schedules.linear(0.1, 0.0, steps=4)
    >>> scheduler = drive(optimizer, plan, weight_decay=schedules.constant(0.05))
    >>> optimizer.step(); optimizer.step()
    >>> optimizer.param_groups[0]["lr"], optimizer.param_groups[0]["weight_decay"]
    (0.05, 0.05)
    """
    scheduler = Scheduler(optimizer, schedule, cycle_momentum=cycle_momentum, strict=strict, **others)

    def after_update(optimizer: Optimizer, *_: Any) -> None:
        if not _skipped(optimizer):
            scheduler._move()

    # a compiled step calls the hook, and does not compile the schedule's NumPy into itself
    scheduler._hook = scheduler.optimizer.register_step_post_hook(_not_compiled(after_update))
    _DRIVEN.add(scheduler.optimizer)
    return scheduler


class Watch:
    """What every real update of an optimizer used, whoever set it; made by `watch`."""

    def __init__(self, optimizer: Optimizer) -> None:
        self._groups: list[dict[str, list[float]]] = []
        self._before: list[dict[str, float]] = []
        optimizer = _unwrapped(optimizer)
        self._hooks = [
            optimizer.register_step_pre_hook(_not_compiled(self._look)),
            optimizer.register_step_post_hook(_not_compiled(self._keep)),
        ]

    def _look(self, optimizer: Optimizer, *_: Any) -> None:
        self._before = [_numbers(group) for group in optimizer.param_groups]

    def _keep(self, optimizer: Optimizer, *_: Any) -> None:
        if _skipped(optimizer):
            return
        while len(self._groups) < len(self._before):
            self._groups.append({})
        for kept, numbers in zip(self._groups, self._before, strict=True):
            for name, value in numbers.items():
                kept.setdefault(name, []).append(value)

    def trace(self) -> Trace:
        """A copy of what was recorded, for `assert_used` or to look at."""
        return Trace([{name: list(values) for name, values in group.items()} for group in self._groups])

    def detach(self) -> None:
        """Stop recording; what was recorded stays."""
        for hook in self._hooks:
            hook.remove()


def watch(optimizer: Optimizer) -> Watch:
    """Record what every update of ``optimizer`` really uses, under whatever scheduler, ours or not.

    The numbers are read before each step and kept after it, so an update that a gradient scaler skips is not recorded.

    Parameters
    ----------
    optimizer : torch.optim.Optimizer
        Any; one that ``accelerator.prepare`` has wrapped is unwrapped.

    Returns
    -------
    Watch
        Its ``trace()`` holds every number of every parameter group.

    Examples
    --------
    >>> optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    >>> used, scheduler = watch(optimizer), torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
    >>> for _ in range(3):
    ...     optimizer.step(); scheduler.step()
    >>> used.trace().groups[0]["lr"]
    [0.1, 0.05, 0.025]
    >>> assert_used(used, schedules.exponential(0.1, 0.5, 1))
    """
    return Watch(optimizer)


# ------------------------------------------------------------------------------------- optimizers
def _unwrapped(optimizer: Any) -> Optimizer:
    """The optimizer that makes the updates: accelerate's wrapper holds it, and has no hooks of its own."""
    while isinstance(getattr(optimizer, "optimizer", None), Optimizer):
        optimizer = optimizer.optimizer
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"optimizer must be a torch.optim.Optimizer, got {optimizer!r}")
    return optimizer


def _skipped(optimizer: Optimizer) -> bool:
    """A fused optimizer is called even when GradScaler found an overflow; it then skips the update by itself."""
    found_inf = getattr(optimizer, "found_inf", None)  # to look costs a synchronisation, as it does in GradScaler
    return found_inf is not None and bool(found_inf.item())


def _numbers(group: dict[str, Any]) -> dict[str, float]:
    """Every number of a parameter group; Adam's first beta is called momentum, as in schedules."""
    found = {name: float(value) for name, value in group.items() if _is_number(value) and name != "initial_lr"}
    return found | {"momentum": float(group["betas"][0])} if "betas" in group else found


def _is_number(value: Any) -> bool:
    if isinstance(value, torch.Tensor):
        return value.numel() == 1
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _set(group: dict[str, Any], name: str, value: float) -> None:
    if name not in group:  # momentum, which Adam keeps as its first beta
        first, *rest = group["betas"]
        if isinstance(first, torch.Tensor):
            first.fill_(value)
        else:
            group["betas"] = (value, *rest)
    elif isinstance(group[name], torch.Tensor):
        group[name].fill_(value)
    else:
        group[name] = value


def _like(held: Any, value: float) -> Any:
    return torch.full_like(held, value) if isinstance(held, torch.Tensor) else value


# -------------------------------------------------------------------------------------- schedules
def _as_list(plan: Plan) -> list[Schedule]:
    return [plan] if isinstance(plan, Schedule) else list(plan)


def _checked(name: str, plan: Any) -> Plan:
    if isinstance(plan, Schedule):
        return plan
    if not isinstance(plan, (list, tuple)) or not all(isinstance(one, Schedule) for one in plan):
        raise TypeError(
            f"{name} must be a schedule or a list of schedules, got {plan!r}; "
            "schedules.tabulated([...]) makes one of your own values"
        )
    if not plan:
        raise ValueError(f"{name} must not be an empty list")
    return plan


def _tables(plans: dict[str, Plan], groups: int, cycle_momentum: bool) -> list[dict[str, _Table]]:
    """For each parameter group the tables of its numbers; groups with the same schedule share one."""
    rows: list[dict[str, Schedule]] = [{} for _ in range(groups)]
    for name, plan in plans.items():
        if not isinstance(plan, Schedule) and len(plan) != groups:
            raise ValueError(
                f"{name}: {len(plan)} schedules for {groups} parameter groups; "
                "give one schedule for all of them or a list with one for each"
            )
        for number, row in enumerate(rows):
            row[name] = plan if isinstance(plan, Schedule) else plan[number]
    shared: dict[Schedule, _Table] = {}
    for row in rows:
        if cycle_momentum and row["lr"].momentum is not None:
            row["momentum"] = row["lr"].momentum
    return [{name: shared.setdefault(one, _Table(one)) for name, one in row.items()} for row in rows]


def _check_group(optimizer: str, group: dict[str, Any], names: Iterable[str]) -> None:
    """Refuse to move what ``group`` does not have."""
    hint = "or pass cycle_momentum=False"
    for name in names:
        if name == "momentum":
            if "momentum" not in group and "betas" not in group:
                raise ValueError(f"the schedule moves momentum, but {optimizer} has neither momentum nor betas: {hint}")
            if group.get("momentum") == 0:
                raise ValueError(
                    f"the schedule moves momentum, but {optimizer} was built with momentum=0: give it one, {hint}"
                )
        elif not _is_number(group.get(name)):
            known = ", ".join(sorted(set(_numbers(group)) - {"lr", "momentum"}))
            raise ValueError(f"{optimizer} has no number {name!r} to schedule; it has {known}")


def _plans(state: dict[str, Any]) -> dict[str, list[Schedule]]:
    """The schedules of a state."""
    if not isinstance(state["schedules"], dict):
        raise ValueError(f"not the state of this Scheduler: schedules are {state['schedules']!r}")
    return {name: [Schedule.from_dict(one) for one in plan] for name, plan in state["schedules"].items()}


def _typed(plans: dict[str, list[Schedule]], cycle_momentum: bool) -> str:
    """Schedules as one would type them."""
    parts = [
        ("" if name == "lr" else f"{name}=") + ", ".join(map(schedules.short, plan)) for name, plan in plans.items()
    ]
    return " with ".join([*parts, *(["cycle_momentum=False"] * (not cycle_momentum))])
