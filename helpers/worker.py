"""What a worker process of a race calls: plain data in, plain data out, frameworks imported without their chatter."""

from __future__ import annotations

from typing import Any

from . import runtime

__all__ = ["run"]


def run(specification: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Make the trial that ``specification`` describes (``Trial.specification``) and return its key and its result."""
    with runtime.frameworks():
        from . import trial
    one = trial.Trial.from_specification(specification)
    return one.key, trial.run(one)
