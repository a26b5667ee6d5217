"""What a worker process of a race calls: plain data in, plain data out, frameworks imported without their chatter."""

from __future__ import annotations

import gc
import multiprocessing
import os
from typing import Any

from .. import runtime

__all__ = ["run"]


def run(specification: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Train the trial that ``specification`` describes (``Trial.specification``) and return its key and its result."""
    if multiprocessing.parent_process():  # PyTorch's threads are counted in `single`, TensorFlow's at its first import
        os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
        os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")
    with runtime.frameworks():
        from . import single
        from .trial import Trial
    trial = Trial.from_specification(specification)
    result = single.run(trial)
    gc.collect()  # a Keras model is full of cycles, and may hold a copy of the test set
    return trial.key, result.to_dict()
