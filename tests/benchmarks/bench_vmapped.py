"""How much faster runs are when they are trained as one: the ratio of one execution, on the embedded digits.

python -m tests.benchmarks.bench_vmapped
"""

import time

from helpers import runtime

with runtime.frameworks():
    from helpers import schedules
    from helpers.races import single, vmapped
    from helpers.races.trial import Task, Trial


def main(runs: int = 64, updates: int = 60) -> None:
    task = Task("digits", train=1280, batch_size=64)
    plan = schedules.linear(0.05, 0.0, updates)
    trials = [Trial(task, plan, updates, seed) for seed in range(runs)]
    single.run(trials[0])  # data loaded, libraries warm
    start = time.perf_counter()
    for one in trials:
        single.run(one)
    alone = time.perf_counter() - start
    start = time.perf_counter()
    vmapped.run(trials)
    as_one = time.perf_counter() - start
    print(
        f"{runs} runs of {updates} updates on {runtime.device()}: one by one takes {alone / as_one:.1f} times as long"
    )


if __name__ == "__main__":
    main()
