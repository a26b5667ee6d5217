"""How fast are schedules and the PyTorch adapter?  python tests/benchmarks/bench_schedules.py

Ratios within one run are what counts: machines are shared and noisy.
"""

import statistics
import time
import warnings
from collections.abc import Callable

import numpy as np
import torch
from torch.optim.lr_scheduler import LambdaLR, OneCycleLR

from helpers import schedules as s
from helpers.for_torch import Scheduler

STEPS, REPEATS = 20_000, 9


def optimizer() -> torch.optim.Optimizer:
    return torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1, momentum=0.9)


def microseconds(step: Callable[[], object]) -> float:
    start = time.process_time()
    for _ in range(STEPS):
        step()
    return (time.process_time() - start) / STEPS * 1e6


def main() -> None:
    warnings.simplefilter("ignore")  # no optimizer.step() in here: torch says so
    total = 2 * STEPS
    makers = {
        "Scheduler": lambda: Scheduler(optimizer(), s.one_cycle(0.1, total)),
        "OneCycleLR": lambda: OneCycleLR(optimizer(), 0.1, total_steps=total),
        "LambdaLR": lambda: LambdaLR(optimizer(), lambda k: 1.0),
    }
    rounds = [{name: microseconds(make().step) for name, make in makers.items()} for _ in range(REPEATS)]
    median = {name: statistics.median(row[name] for row in rounds) for name in makers}
    for name, value in median.items():
        print(f"{name + '.step()':20} {value:6.2f} us   {value / median['OneCycleLR']:.2f} x OneCycleLR")
    k, schedule = np.arange(10**6), s.one_cycle(0.1, 10**6)
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        schedule(k), schedule.momentum(k)
        times.append(time.perf_counter() - start)
    print(f"10^6 values of one_cycle with momentum: {statistics.median(times):.3f} s")


if __name__ == "__main__":
    main()
