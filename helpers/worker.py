"""What a worker process of a race calls: plain data in, plain data out, frameworks imported without their chatter."""

from __future__ import annotations

import gc
import multiprocessing
import os
import re
from typing import Any

from . import runtime

__all__ = ["run", "take_a_card"]


def run(specification: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Train the trial that ``specification`` describes (``Trial.specification``) and return its key and its result."""
    if _pool_number():  # one thread a process; PyTorch's are counted in `trial.run`, TensorFlow's at its first import
        os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
        os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")
    with runtime.frameworks():
        from . import trial
    take_a_card()
    one = trial.Trial.from_specification(specification)
    result = trial.run(one)
    gc.collect()  # a Keras model is full of cycles, and may hold a copy of the test set
    return one.key, result


def take_a_card() -> None:
    """In a pool of joblib's processes on a machine with several GPUs: each process uses one of its own."""
    import torch

    number = _pool_number()
    if number and torch.cuda.device_count() > 1:
        torch.cuda.set_device(number % torch.cuda.device_count())


def _pool_number() -> int:
    """Which process of joblib's pool this is, from 1; 0 outside a pool."""
    found = re.fullmatch(r"LokyProcess-(\d+)", multiprocessing.current_process().name)
    return int(found[1]) if found else 0
