"""What a worker process of a race calls: plain data in, plain data out, frameworks imported without their chatter."""

from __future__ import annotations

import multiprocessing
import re
from typing import Any

from . import runtime

__all__ = ["run", "take_a_card"]


def run(specification: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Make the trial that ``specification`` describes (``Trial.specification``) and return its key and its result."""
    with runtime.frameworks():
        from . import trial
    take_a_card()
    one = trial.Trial.from_specification(specification)
    return one.key, trial.run(one)


def take_a_card() -> None:
    """In a pool of joblib's processes on a machine with several GPUs: each process uses one of its own."""
    import torch

    number = re.fullmatch(r"LokyProcess-(\d+)", multiprocessing.current_process().name)
    if number and torch.cuda.device_count() > 1:
        torch.cuda.set_device(int(number[1]) % torch.cuda.device_count())
