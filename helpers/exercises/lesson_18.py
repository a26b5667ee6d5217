"""Lesson 18, the debugging clinic: eighteen guesses, a test to write, updates to count, a second opinion."""

from __future__ import annotations

import numpy as np

from .kinds import Choice, Exercise, Function, Mistake


def _case(number: int, letter: str, praise: str, **hints: str) -> Choice:
    """A guess: the right letter, and for each other letter why it is not the one."""
    mistakes = tuple(Mistake(other, hint) for other, hint in hints.items())
    return Choice(f"case_{number}", f"Case {number}: what is wrong?", praise, expected=letter, mistakes=mistakes)


CASES = (
    _case(
        1,
        "b",
        "total_steps counts calls of step(): epochs * len(loader).",
        a="the cycle reaches its peak and comes back, only far too soon: look at the update at which it ends",
        c="then the whole schedule would be a staircase; OneCycleLR is made for a call per batch. Count the calls",
    ),
    _case(
        2,
        "a",
        "each call multiplies by gamma, and there are 938 calls in an epoch.",
        b="a smaller gamma would fall even faster; count how often it is applied in an epoch",
        c="look at the loop: the optimizer comes first. Count how often gamma is applied in an epoch",
    ),
    _case(
        3,
        "c",
        "a staircase, wrong at the end for odd and for even numbers of epochs, and without the last phase.",
        a="an even number ends above the base rate, as the last line says; and look at the shape of the curve",
        b="the stairs are plain to see; the printed lines show another fault. And is 1cycle only a triangle?",
    ),
    _case(
        4,
        "c",
        "schedule(epoch, current_lr): the second parameter is never your default.",
        a="0.1 * 0.5**epoch is what was meant; but the first value is 0.01. Where does 0.01 come from?",
        b="then all values would be one epoch off; but the first value is 0.01. Where does 0.01 come from?",
    ),
    _case(
        5,
        "a",
        "in exp(-rate * k / n) a larger rate decays faster; in rate ** (k / n) it is what is left.",
        b="both curves are drawn against the epoch: the unit is right. What is left after 20 epochs?",
        c="a positive exponent would grow. What is left after 20 epochs, and what does the name promise?",
    ),
    _case(
        6,
        "b",
        "two values a cycle are all that one look per epoch can see of a triangle of two epochs.",
        a="a half-cycle of one epoch is a choice like any other. How often is the formula looked at?",
        c="the formula gives the dashed line when k counts updates. How often is it looked at?",
    ),
    _case(
        7,
        "a",
        "Dense works on the last axis: 28 rows, 28 answers.",
        b="flattened, an image would get 10 answers: look at the shape of the output",
        c="averaged over the rows, an image would get 10 answers: look at the shape of the output",
    ),
    _case(
        8,
        "c",
        "curvature goes with the square of the inputs, the stable rate with its inverse.",
        a="the loss at the start is not the limit: what limits the rate is 2 / curvature (lesson 01)",
        b="it is the same network: only the inputs differ",
    ),
    _case(
        9,
        "b",
        "one place that knows the length of the run, and fractions of it.",
        a="until somebody changes the loader, the data or the number of machines",
        c="epochs avoid this bug, and buy staircases and updates per epoch that depend on the batch size",
    ),
    _case(
        10,
        "b",
        "the hundred steps for the picture were a hundred steps of the schedule.",
        a="with T_max = 200 the picture would have gone down and training would have begun in the middle",
        c="get_last_lr only reads. What else was called in the drawing loop?",
    ),
    _case(
        11,
        "a",
        "what update k uses must be set before update k.",
        b="counting from 1 shifts the values, but update 0 would still use the constructor's 0.1",
        c="then update 0 would do nothing and all others would still be one behind: hidden, not cured",
    ),
    _case(
        12,
        "c",
        "it sets initial_lr * factor, and does not care what plateau did.",
        a="cooldown delays the next cut; it never raises the rate",
        b="momentum does not touch the rate. Who else writes into the optimizer?",
    ),
    _case(
        13,
        "a",
        "the constructor writes the rate of step 0 over the loaded one.",
        b="the rest of the curve is in the right place, so the step was remembered. What wrote 0.004?",
        c="momentum does not move the rate. 0.004 is the first value of the cycle: who wrote it?",
    ),
    _case(
        14,
        "b",
        "an update that the scaler skipped is no update.",
        a="a smaller scale overflows less often, but each overflow would still cost a step of the schedule",
        c="the scaler divides it out before the update; the rate does not depend on it. How many updates were made?",
    ),
    _case(
        15,
        "b",
        "updates: then the schedule is the same on every machine.",
        a="that is what this code does: four times too fast",
        c="a clock in images can be right (some papers use one), but only if it stands still between updates as well",
    ),
    _case(
        16,
        "b",
        "minus the gradient times a negative rate: uphill.",
        a="nothing is clipped: the printed rate is the one that was used",
        c="the error comes at the next call of scheduler.step(), after the update was made",
    ),
    _case(
        17,
        "b",
        "a Python number in a compiled step is a constant.",
        a="it runs before each batch: a learning rate set at the same place does arrive",
        c="nothing is copied per epoch, and the whole run is one epoch. When was the training step compiled?",
    ),
    _case(
        18,
        "c",
        "without warmup_target Keras ignores warmup_steps, silently.",
        a="alpha is where the cosine *ends*, as a fraction of the start",
        b="the curve starts at its highest value and falls from the first update",
    ),
)


def _first_wrong(used: list[float], meant: list[float]) -> int:
    off = np.abs(np.subtract(used, meant)) > 1e-3 * np.abs(meant)
    return int(np.argmax(off)) if off.any() else -1


def _updates(images: int, batch_size: int, epochs: int, drop_last: bool, accumulate: int) -> int:
    batches = images // batch_size if drop_last else -(-images // batch_size)
    return batches // accumulate * epochs


EXERCISES: tuple[Exercise, ...] = (
    *CASES,
    Function(
        "first_wrong",
        "first_wrong(used, meant): index of the first update that differs by more than a thousandth, or -1.",
        "a few lines that would have found most of the cases above.",
        parameters=("used", "meant"),
        reference=_first_wrong,
        cases=(
            ([0.1], [0.1]),
            ([0.2], [0.1]),
            ([0.1, 0.1], [0.1, 0.05]),
            ([0.1, 0.04], [0.1, 0.05]),
            ([0.1000001, 0.0500001], [0.1, 0.05]),
            ([0.1, 0.1, 0.1], [0.1, 0.05, 0.02]),
            ([0.2, 0.05, 0.02], [0.1, 0.05, 0.02]),
            ([0.1, 0.01, 0.001, 0.0002], [0.1, 0.01, 0.001, 0.0001]),
            ([1.0, 0.09995, 0.01, 0.002], [1.0, 0.1, 0.01, 0.001]),
            ([1.0, 0.998, 0.996], [1.0, 1.0, 1.0]),
            ([0.1, 0.2, 0.3, 0.4, 0.4, 0.3, 0.2, 0.05], [0.1, 0.2, 0.3, 0.4, 0.4, 0.3, 0.2, 0.1]),
        ),
        mistakes=(
            Mistake(
                lambda used, meant: next((i for i, (a, b) in enumerate(zip(used, meant, strict=True)) if a != b), -1),
                "exact comparison: frameworks compute in float32, so allow a thousandth of what was meant",
            ),
            Mistake(
                lambda used, meant: next(
                    (i for i, (a, b) in enumerate(zip(used, meant, strict=True)) if abs(a - b) > 1e-3), -1
                ),
                "a thousandth *of what was meant*: late in a run a whole learning rate is smaller than 0.001",
            ),
            Mistake(
                lambda used, meant: next(
                    (i for i, (a, b) in enumerate(zip(used, meant, strict=True)) if a - b > 1e-3 * b), -1
                ),
                "only rates that are too *large* are found: take the absolute difference",
            ),
            Mistake(
                lambda used, meant: sum(abs(a - b) > 1e-3 * b for a, b in zip(used, meant, strict=True)) or -1,
                "that counts the wrong updates: the *index* of the first one says where to look",
            ),
            Mistake(
                lambda used, meant: next(
                    (i + 1 for i, (a, b) in enumerate(zip(used, meant, strict=True)) if abs(a - b) > 1e-3 * b), -1
                ),
                "one too many: the first update has index 0",
            ),
        ),
    ),
    Function(
        "updates_made",
        "updates(images, batch_size, epochs, drop_last, accumulate): optimizer updates of a run.",
        "batches per epoch (rounded down, or up), divided by the accumulation, times epochs: the schedule's length.",
        parameters=("images", "batch_size", "epochs", "drop_last", "accumulate"),
        reference=_updates,
        cases=(
            (100, 10, 1, True, 1),
            (105, 10, 1, True, 1),
            (105, 10, 1, False, 1),
            (100, 10, 3, True, 1),
            (100, 10, 1, True, 4),
            (100, 10, 3, True, 4),
            (105, 10, 3, True, 1),
            (105, 10, 3, False, 1),
            (110, 10, 5, False, 2),
            (111, 10, 5, False, 2),
            (7, 10, 2, False, 1),
            (100, 7, 2, True, 3),
            (25, 1, 2, False, 3),
            (60_000, 256, 5, True, 1),
            (50_000, 128, 30, False, 8),
        ),
        mistakes=(
            Mistake(
                lambda images, size, epochs, drop, every: images // size // every * epochs,
                "drop_last=False keeps a smaller last batch: round up there",
            ),
            Mistake(
                lambda images, size, epochs, drop, every: -(-images // size) // every * epochs,
                "drop_last=True drops the smaller last batch: round down there",
            ),
            Mistake(
                lambda images, size, epochs, drop, every: _updates(images, size, epochs, drop, 1),
                "those are batches: an update is made once in `accumulate` of them",
            ),
            Mistake(
                lambda images, size, epochs, drop, every: _updates(images, size, epochs, drop, 1) // every,
                "left-over batches are dropped at the end of *each* epoch: divide before you multiply by epochs",
            ),
            Mistake(
                lambda images, size, epochs, drop, every: images * epochs // size // every,
                "batches do not reach across epochs: round in each epoch, then multiply",
            ),
            Mistake(
                lambda images, size, epochs, drop, every: _updates(images, size, 1, drop, every),
                "that is one epoch",
            ),
        ),
    ),
    Choice(
        "second_opinion",
        "0.1 for 468 updates, 0.07 for 468, then 0.05: ExponentialLR(0.7) once an epoch. What is wrong?",
        "0.1, 0.07, 0.049: it is healthy. A clinic that finds a disease in everybody is no clinic.",
        expected="c",
        mistakes=(
            Mistake("a", "stepped per batch it would be 0 long before update 468"),
            Mistake("b", "one behind would be 0.1 for two epochs: 0.07 comes right at the second"),
        ),
    ),
)
