"""Schedules in PyTorch. Copy this file and `schedules.py` into your project; nothing else is needed.

>>> import torch
>>> from helpers import schedules
>>> model = torch.nn.Linear(2, 1)
>>> optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
>>> scheduler = drive(optimizer, schedules.one_cycle(max_lr=0.1, total_steps=100))
>>> for _ in range(30):                      # the usual loop, without scheduler.step()
...     loss = model(torch.ones(4, 2)).square().mean()
...     optimizer.zero_grad(); loss.backward(); optimizer.step()
>>> optimizer.param_groups[0]["lr"], optimizer.param_groups[0]["momentum"]
(0.1, 0.85)
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

try:
    from .schedules import Schedule
except ImportError:  # copied out of the course, next to schedules.py
    from schedules import Schedule  # type: ignore[no-redef]

__all__ = ["Scheduler", "drive"]

_BLOCK = 4096  # values tabulated at a time: a scalar NumPy call costs ten scheduler steps, a list look-up nothing


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
    """Set learning rate and momentum of ``optimizer`` from a schedule, as a function of the updates made so far.

    A torch ``LRScheduler``: call ``step()`` after every ``optimizer.step()``, per update and not per epoch. Or use
    ``drive``, which does it for you.

    schedule: one for all parameter groups, or a list with one for each. When it carries momentum, that goes into
    ``group["momentum"]`` (SGD, RMSprop) or ``group["betas"][0]`` (Adam and its kin); ``cycle_momentum=False`` leaves
    momentum alone. Learning rates and betas that are tensors are filled in place, so compiled steps see them.

    Past its end the last value is held: with one warning, or a ``RuntimeError`` when ``strict``.
    ``state_dict`` is plain data (loads with ``weights_only=True``); loading it writes the rates into the optimizer
    again, so the order of loading does not matter, and a state that belongs to another schedule is refused.

    Raises ``TypeError`` when ``schedule`` is no schedule, ``ValueError`` when the number of schedules is not the
    number of groups or when the optimizer has no momentum to cycle.

    >>> from helpers.schedules import linear
    >>> optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    >>> scheduler = Scheduler(optimizer, linear(0.1, 0.0, steps=4))
    >>> for _ in range(2):
    ...     optimizer.step(); scheduler.step()
    >>> scheduler.get_last_lr(), scheduler.state_dict()["last_epoch"]
    ([0.05], 2)
    """

    def __init__(
        self,
        optimizer: Optimizer,
        schedule: Schedule | Sequence[Schedule],
        *,
        cycle_momentum: bool = True,
        strict: bool = False,
    ) -> None:
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"optimizer must be a torch.optim.Optimizer, got {optimizer!r}")
        self.schedules = _as_list(schedule)
        self.cycle_momentum, self.strict, self.driven = cycle_momentum, strict, False
        self._lr = [_Table(s) for s in self.schedules]
        self._momentum = [_Table(s.momentum) if cycle_momentum and s.momentum else None for s in self.schedules]
        self._ends = max(s.steps for s in self.schedules)
        self._one_for_all, self._warned, self._last_lr = isinstance(schedule, Schedule), False, []
        for group, _, momentum in self._rows(optimizer):
            if momentum is not None:
                _check_momentum(optimizer, group)
        super().__init__(optimizer)

    def _rows(self, optimizer: Optimizer) -> list[tuple[dict[str, Any], _Table, _Table | None]]:
        """One row per parameter group: the group, its learning rates, its momenta."""
        groups = optimizer.param_groups
        copies = len(groups) if self._one_for_all else 1
        if len(self._lr) * copies != len(groups):
            raise ValueError(
                f"{len(self._lr)} schedules for {len(groups)} parameter groups: "
                "give one schedule for all of them or a list with one for each"
            )
        return list(zip(groups, self._lr * copies, self._momentum * copies, strict=True))

    def step(self, epoch: int | None = None) -> None:
        """Move on by one update. Call it after ``optimizer.step()``, never when the scheduler is driven."""
        if epoch is not None:
            raise TypeError("step() takes no argument: the schedule is a function of the updates made")
        if self.driven:
            raise RuntimeError("optimizer.step() drives this scheduler already: remove the call of scheduler.step()")
        if self._step_count == 1:  # torch's own check that optimizer.step() came first, at the first call
            super().step()
        else:
            self._advance()

    def _update_lr(self, epoch: int | None = None) -> None:
        self._advance()

    def _advance(self) -> None:
        k = self.last_epoch + 1
        if k > self._ends:
            self._past_the_end(k)
        self.last_epoch, self._step_count = k, k + 1
        self._write()

    def _past_the_end(self, k: int) -> None:
        message = f"update {k - 1} comes after the schedule's {self._ends} steps: its end value is used"
        if self.strict:
            raise RuntimeError(message)
        if not self._warned:
            self._warned = True
            warnings.warn(message, UserWarning, stacklevel=4)

    def _write(self) -> None:
        """Write the values for ``last_epoch`` into the optimizer."""
        k = self.last_epoch
        last_lr: list[Any] = []
        for group, lr, momentum in self._rows(self.optimizer):
            value = lr(k)
            if isinstance(group["lr"], torch.Tensor):
                group["lr"].fill_(value)
            else:
                group["lr"] = value
            if momentum is not None:
                _set_momentum(group, momentum(k))
            last_lr.append(value)
        self._last_lr = last_lr

    def get_lr(self) -> list[Any]:
        """Learning rates for the next update, one per group; reading changes nothing."""
        return [lr(self.last_epoch) for _, lr, _ in self._rows(self.optimizer)]

    def state_dict(self) -> dict[str, Any]:
        """Plain data: the number of updates made, and what the schedules were."""
        return {
            "last_epoch": self.last_epoch,
            "schedules": [schedule.to_dict() for schedule in self.schedules],
            "cycle_momentum": self.cycle_momentum,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go to the saved update and write its rates into the optimizer; refuse the state of another schedule."""
        missing = {"last_epoch", "schedules", "cycle_momentum"} - set(state_dict)
        if missing:
            raise ValueError(f"not the state of this Scheduler: {', '.join(sorted(missing))} missing")
        mine = self.state_dict()
        for name in ("schedules", "cycle_momentum"):
            if state_dict[name] != mine[name]:
                raise ValueError(f"the saved run had {name} {state_dict[name]!r}, this one has {mine[name]!r}")
        self.last_epoch = int(state_dict["last_epoch"])
        self._step_count = self.last_epoch + 1
        self._write()


def drive(
    optimizer: Optimizer, schedule: Schedule | Sequence[Schedule], *, cycle_momentum: bool = True, strict: bool = False
) -> Scheduler:
    """Attach a ``Scheduler`` that moves on by itself after every update ``optimizer`` really makes.

    Nothing to call, so nothing to forget: right under gradient accumulation, with closures, with ``torch.compile``
    and when a gradient scaler skips an update. Save and load the returned scheduler's ``state_dict``.

    >>> from helpers.schedules import linear
    >>> weight = torch.zeros(1, requires_grad=True)
    >>> optimizer = torch.optim.SGD([weight], lr=1.0)
    >>> scheduler = drive(optimizer, linear(0.1, 0.0, steps=4))
    >>> optimizer.step(); optimizer.step()
    >>> optimizer.param_groups[0]["lr"]
    0.05
    """
    scheduler = Scheduler(optimizer, schedule, cycle_momentum=cycle_momentum, strict=strict)

    def after_update(optimizer: Optimizer, *_: Any) -> None:
        # A fused optimizer is called even when GradScaler found an overflow; it then skips the update by itself.
        found_inf = getattr(optimizer, "found_inf", None)
        if found_inf is None or not found_inf.item():
            scheduler._advance()

    scheduler.driven = True
    optimizer.register_step_post_hook(after_update)
    return scheduler


def _as_list(schedule: Any) -> list[Schedule]:
    schedules = [schedule] if isinstance(schedule, Schedule) else schedule
    if not isinstance(schedules, (list, tuple)) or not all(isinstance(s, Schedule) for s in schedules):
        raise TypeError(f"schedule must be a schedule or a list of schedules, got {schedule!r}")
    if not schedules:
        raise ValueError("schedule must not be an empty list")
    return list(schedules)


def _check_momentum(optimizer: Optimizer, group: dict[str, Any]) -> None:
    name, hint = type(optimizer).__name__, "or pass cycle_momentum=False"
    if "momentum" not in group and "betas" not in group:
        raise ValueError(f"the schedule moves momentum, but {name} has neither momentum nor betas: {hint}")
    if group.get("momentum") == 0:
        raise ValueError(f"the schedule moves momentum, but {name} was built with momentum=0: give it one, {hint}")


def _set_momentum(group: dict[str, Any], value: float) -> None:
    if "momentum" in group:
        if isinstance(group["momentum"], torch.Tensor):
            group["momentum"].fill_(value)
        else:
            group["momentum"] = value
    elif isinstance(group["betas"][0], torch.Tensor):
        group["betas"][0].fill_(value)
    else:
        group["betas"] = (value, *group["betas"][1:])
