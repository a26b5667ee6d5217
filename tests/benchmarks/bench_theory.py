"""How fast is the last-iterate bound?  python tests/benchmarks/bench_theory.py

It should be linear in the number of updates: ten times as many take about ten times as long.
"""

import statistics
import time

import numpy as np

from helpers.schedules import linear
from helpers.theory import last_iterate_bound

REPEATS = 21


def milliseconds(steps: int) -> float:
    rates, times = linear(1.0, 0.0, steps)(np.arange(steps)), []
    for _ in range(REPEATS):
        start = time.perf_counter()
        last_iterate_bound(rates)
        times.append(1e3 * (time.perf_counter() - start))
    return statistics.median(times)


def main() -> None:
    base = milliseconds(10**4)
    for steps in (10**4, 10**5, 10**6):
        value = milliseconds(steps)
        print(f"{steps:9,} updates: {value:7.2f} ms   {value / base:6.1f} x 10,000 updates")


if __name__ == "__main__":
    main()
