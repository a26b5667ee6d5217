"""Lesson 00, start here: counting updates, reading a value, believing the trace, and a first experiment."""

from __future__ import annotations

from ..schedules import constant, linear, one_cycle
from .kinds import Choice, Exercise, Mistake, Numbers
from .practice import Prediction, RecordedRun

EXERCISES: tuple[Exercise, ...] = (
    Numbers(
        "updates_of_a_run",
        "60,000 images in batches of 256, the last smaller batch dropped, 5 epochs: how many updates?",
        "60,000 // 256 = 234 full batches, five times.",
        expected=1170,
        mistakes=(
            Mistake(1175, "that keeps the last, smaller batch of each epoch: 235 batches instead of 234"),
            Mistake(1171.875, "an update is made or not: round the batches of one epoch down before you multiply"),
            Mistake(1171, "round down in each epoch, not once at the end: every epoch drops its last batch"),
            Mistake(234, "that is one epoch"),
        ),
    ),
    Numbers(
        "last_value",
        "linear(0.1, 0.0, steps=1000): which learning rate does the last of 1000 updates use?",
        "The last update is k = 999; the end value belongs to k = 1000, after the run.",
        expected=0.0001,
        mistakes=(
            Mistake(0.0, "that belongs to k = 1000, and the last of 1000 updates is k = 999"),
            Mistake(0.0002, "that is the last but one: the first update is k = 0, the last k = 999"),
            Mistake(0.1, "that is the first update, k = 0"),
        ),
    ),
    RecordedRun(
        "linear_run",
        "A run with PyTorch's LinearLR from 0.1 to 0: every update must have used it.",
        "Every update used the straight line. This is all that assert_trace does, too.",
        expected=lambda updates: linear(0.1, 0.0, updates),
        mistakes=(
            Mistake(lambda updates: constant(0.1), "the rate never moved: was the schedule attached to the optimizer?"),
            Mistake(lambda updates: one_cycle(0.1, updates), "this run used 1cycle: pass the linear schedule"),
            Mistake(
                lambda updates: linear(0.1, 0.0, 2 * updates),
                "the line is twice as long as the run: it stops half way down",
            ),
        ),
    ),
    Choice(
        "forgotten_line",
        "You forget for_torch.drive(...). What tells you?",
        "It trains, the loss falls, nothing complains. Only reading the rate back shows it.",
        expected="c",
        mistakes=(
            Mistake("a", "PyTorch cannot know that you wanted a schedule: the optimizer has a rate and uses it"),
            Mistake("b", "a constant rate trains too, so the loss falls as usual"),
        ),
    ),
    Prediction(
        "without_the_hill",
        "A linear decay to zero in the place of 1cycle, at the same peak: the test error, by seed.",
        "What both have in common is the end near zero, and on average half of their peak. Here the climb adds "
        "nothing that these seeds can show: a plain linear decay is the rival to beat.",
        expected="same",
        example=([3.3, 3.2, 3.4], [3.4, 3.2, 3.3]),
        mistakes=(
            Mistake(
                ("higher",), "What do the two schedules have in common, and which of it did the constant rate lack?"
            ),
            Mistake(("lower",), "It starts at the peak: is that ahead at the end, or only on the way? See lesson 07"),
        ),
    ),
)
