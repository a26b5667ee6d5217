"""The fair race: schedules compared at their own best rates, with new seeds and intervals.

protocol     the rules: `race`, `tune` one arm, `at_one_rate`; what an `Arm` is
results      what comes out: the `Result` of one run, the statistics of a `Race`
trial        one run of a race as plain data: `Task`, `Trial`
store        results on disk, one file a trial, whole or not at all
engine       every trial that the store does not have, spread over processes
single       one trial, trained
worker       the same in another process
vmapped      many small runs trained as one, by PyTorch's vmap
experiments  the long races: their schedules, tasks and rules
recorded     their records; ``python -m helpers.races.recorded`` lists them
synthesis    one table of all records: schedule x workload

Importing the package imports none of them: a worker process chooses its threads before any framework is there.
"""
