"""What every lesson starts with: the budget, the device, Keras's backend, and imports that print nothing.

Importing this module imports no framework. `frameworks()` must come before the first `import keras`.
"""

from __future__ import annotations

import contextlib
import datetime
import importlib.metadata
import os
import platform
import sys
from collections.abc import Iterator
from typing import TypeVar

__all__ = ["budget", "by_budget", "describe", "device", "environment", "frameworks", "now", "version"]

BUDGETS = ("smoke", "cpu", "gpu")
DEVICES = ("cuda", "mps", "cpu")
T = TypeVar("T")


@contextlib.contextmanager
def frameworks() -> Iterator[None]:
    """Choose Keras's backend, then import frameworks inside the block without TensorFlow's start-up chatter.

    The one place where the backend is chosen. ``KERAS_BACKEND`` wins when it is set. Otherwise Keras runs on PyTorch
    where PyTorch has an NVIDIA card, and on TensorFlow where it has none: one environment cannot hold the CUDA
    libraries of both. TensorFlow is asked to take GPU memory as it needs it, so both frameworks fit on one card.
    ``COURSE_DEVICE`` holds for Keras on PyTorch, too. A package that is missing ends the cell with a sentence.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    try:
        if "KERAS_BACKEND" not in os.environ:
            os.environ["KERAS_BACKEND"] = "torch" if device() == "cuda" else "tensorflow"
        if os.environ.get("COURSE_DEVICE"):
            os.environ.setdefault("KERAS_TORCH_DEVICE", device())
        with _quiet_stderr():
            yield
    except ModuleNotFoundError as missing:
        raise SystemExit(
            f"The package {missing.name} is not installed here: start lessons with `python3 course.py lab`, which has "
            "all that they need, or `pip install` the folder of the course with [course] behind its name."
        ) from None


@contextlib.contextmanager
def _quiet_stderr() -> Iterator[None]:
    """Silence file descriptor 2, where C++ libraries write, not Python's ``sys.stderr``."""
    sys.stderr.flush()
    keep, sink = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(sink, 2)
        yield
    finally:
        os.dup2(keep, 2)
        os.close(keep)
        os.close(sink)


def device() -> str:
    """PyTorch's device: ``COURSE_DEVICE`` when set, else the best there is here: "cuda", "mps" or "cpu".

    Raises ``ValueError`` when ``COURSE_DEVICE`` is none of the three.
    """
    chosen = os.environ.get("COURSE_DEVICE")
    if chosen:
        if chosen not in DEVICES:
            raise ValueError(f"COURSE_DEVICE must be one of {', '.join(DEVICES)}, got {chosen!r}")
        return chosen
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def describe(device: str) -> str:
    """The device of a run on this machine: a graphics card by its name, a CPU by its cores, any other unchanged."""
    if device == "cuda":
        import torch

        return f"cuda, {torch.cuda.get_device_name()}"
    return f"cpu, {os.cpu_count()} cores, {platform.machine()}" if device == "cpu" else device


def now() -> str:
    """Date and time in UTC, to the second, as ISO 8601 writes them."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def budget() -> str:
    """How much to compute: "smoke" (tests), "cpu" (a laptop, minutes a lesson) or "gpu" (full size).

    ``COURSE_BUDGET`` when set, else "gpu" where there is an NVIDIA card and "cpu" elsewhere.
    Raises ``ValueError`` when ``COURSE_BUDGET`` is none of the three.
    """
    chosen = os.environ.get("COURSE_BUDGET") or ("gpu" if device() == "cuda" else "cpu")
    if chosen not in BUDGETS:
        raise ValueError(f"COURSE_BUDGET must be one of {', '.join(BUDGETS)}, got {chosen!r}")
    return chosen


def by_budget(*, smoke: T, cpu: T, gpu: T) -> T:
    """Pick the value that belongs to the budget.

    Parameters
    ----------
    smoke, cpu, gpu
        The values of the three budgets, all of one type.

    Returns
    -------
    The one that `budget` names.

    Raises
    ------
    ValueError
        As in `budget`.

    Examples
    --------
    >>> os.environ["COURSE_BUDGET"] = "smoke"
    >>> by_budget(smoke=1, cpu=3, gpu=30)
    1
    """
    return {"smoke": smoke, "cpu": cpu, "gpu": gpu}[budget()]


def environment() -> dict[str, str]:
    """What this lesson runs on: versions, device, Keras's backend, budget. Ready to print as a table."""
    import keras
    import torch

    name = torch.cuda.get_device_name() if device() == "cuda" else {"mps": "Apple GPU"}.get(device(), "CPU")
    backend = keras.backend.backend()
    return {
        "Python": platform.python_version(),
        "PyTorch": f"{version('torch')} on {name}",
        "Keras": f"{version('keras')} on {backend} {version(backend)}",
        "NumPy": version("numpy"),
        "budget": budget(),
    }


def version(package: str) -> str:
    """Installed version of a package; of TensorFlow under whichever name it was installed."""
    names = ("tensorflow", "tensorflow-cpu") if package == "tensorflow" else (package,)
    for name in names:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            return importlib.metadata.version(name)
    raise importlib.metadata.PackageNotFoundError(package)
