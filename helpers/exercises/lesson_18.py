"""Lesson 18, the debugging clinic: twelve guesses, a second opinion, updates to count, two fits, a dent."""

from __future__ import annotations

from ..schedules import cosine
from .kinds import Choice, Exercise, Function, Mistake
from .native import KerasRates
from .practice import Prediction


def _case(number: int, letter: str, praise: str, **hints: str) -> Choice:
    """A guess: the right letter, and for each other letter why it is not the one."""
    mistakes = tuple(Mistake(other, hint) for other, hint in hints.items())
    return Choice(f"case_{number}", f"Case {number}: what is wrong?", praise, expected=letter, mistakes=mistakes)


CASES = (
    _case(
        1,
        "c",
        "the scheduler holds the optimizer it was built with, and moves it: the one that nobody steps any more.",
        a="a wrong order shifts the rates by one update. Here they stop moving for good, after the first epoch",
        b="with the rate of the moment it would start lower and stay there: it would still not move. Who moves it?",
    ),
    _case(
        2,
        "b",
        "what update k uses must be in the optimizer before update k.",
        a="counting from 1 shifts the values, but update 0 would still use what the constructor left",
        c="then the first update would look right by luck, and all the others would still be one behind",
    ),
    _case(
        3,
        "c",
        "schedule(epoch, current_rate): the second parameter never gets your default.",
        a="the function has no memory: called twice with the same arguments it returns the same rate",
        b="then the first epoch would begin at 0.05. Divide each rate by the one before: 1/2, 1/4, 1/8",
    ),
    _case(
        4,
        "b",
        "without a target to climb to, Keras ignores warmup_steps, and says nothing.",
        a="in optax decay_steps includes the warmup, in Keras it does not; and neither would take the warmup away",
        c="alone it would make the whole run small: it would start at 0.001 and fall. How far should the warmup climb?",
    ),
    _case(
        5,
        "b",
        "the schedule asks optimizer.iterations, and the count goes on where the first fit ended.",
        a="initial_epoch numbers the epochs, for the log and for callbacks; the schedule has never heard of epochs",
        c="the compiled step looks its rate up at every update, as the first epoch shows. What does it look up?",
    ),
    _case(
        6,
        "c",
        "it writes initial_lr * factor at every call, and does not care what the other one did.",
        a="a plateau rule never raises a rate, and the metric never improves here. Who else writes one?",
        b="cooldown delays the next cut; it does not undo the last one. Who else writes a rate?",
    ),
    _case(
        7,
        "a",
        "the callback assigns a rate, for the first time at the first plateau, and this optimizer refuses.",
        b="a longer patience would only put the error off. What does the callback do when its patience ends?",
        c="without val_loss the callback warns after the first epoch, and does nothing. This run went on for a while",
    ),
    _case(
        8,
        "b",
        "a group without a rate of its own takes the one the optimizer was built with, 0.1, whatever the others hold.",
        a="a cosine from its start would need all 132 updates to fall; this one is down after 88, with the head's",
        c="a missing velocity makes the first steps smaller, and is not seen in the rate at all",
    ),
    _case(
        9,
        "a",
        "the constructor writes the rate of step 0 over the one that was loaded.",
        b="the rest of the curve is in its place, so the step was remembered. What wrote this one rate?",
        c="momentum does not move the rate. The wrong value is the first of the cycle: who wrote it?",
    ),
    _case(
        10,
        "b",
        "an update that the scaler skipped is no update.",
        a="a smaller scale overflows less often, and each overflow would still cost a step of the schedule",
        c="the scaler divides the gradients by itself, and the rate does not depend on it. Count the updates",
    ),
    _case(
        11,
        "c",
        "prepared, it moves once for each process at every call; and the length was divided already.",
        a="gradients are averaged, rates are not: each process moves its own. Look at what one process does",
        b="then the schedule would be too long, and the run would end half-way. This one is too short",
    ),
    _case(
        12,
        "a",
        "copy and pickle leave hooks behind, and the hook was what moved the rate.",
        b="the copy has groups of its own: a rate that somebody else overwrites would move, and this one stands still",
        c="the state of SGD is its velocities: with or without them somebody has to write the next rate",
    ),
)


def _updates(images: int, batch_size: int, epochs: int, drop_last: bool, accumulate: int) -> int:
    batches = images // batch_size if drop_last else -(-images // batch_size)
    return batches // accumulate * epochs


EXERCISES: tuple[Exercise, ...] = (
    *CASES,
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
    KerasRates(
        "one_cosine_two_fits",
        "fit on 10,000 images, batch_size=256, for 2 epochs and then, on the same model, for 3 more: a Keras SGD whose "
        "rate falls along one cosine from 0.2 to 0 over both.",
        "the schedule counts the optimizer's updates, and 5 epochs of 40 are 200, in however many calls of fit.",
        expected=cosine(0.2, 200),
        examples=10_000,
        batch_size=256,
        epochs=5,
        mistakes=(
            Mistake(cosine(0.2, 80), "that is over after the first fit: the second would be made with a rate of zero"),
            Mistake(cosine(0.2, 120), "that is the length of the second fit; the count begins with the first"),
            Mistake(cosine(0.2, 195), "fit keeps the last, smaller batch: an epoch has 40 updates, not 39"),
            Mistake(cosine(0.2, 5), "5 epochs are not 5 updates: after the fifth update the rate is zero"),
            Mistake(
                cosine(0.2, 80).then(cosine(0.2, 120)),
                "those are two cosines, one for each fit: a single one over both was asked for",
            ),
        ),
    ),
    Prediction(
        "cost_of_a_dent",
        "1cycle, interrupted half-way and resumed as in case 9, against resumed in the right order: the test error.",
        "One update at 4 % of the peak makes one small step in the place of a large one: 175 others make up for it. "
        "The same bug with a rate that begins high, or at every one of many restarts, need not be so kind.",
        expected="same",
        example=([5.1, 5.3, 5.2], [5.2, 5.2, 5.2]),
        mistakes=(
            Mistake(
                ("higher",), "How many of the 176 updates were made with a wrong rate, and was it too high or too low?"
            ),
            Mistake(
                ("lower",), "One small step in the middle of the run: is that enough to tell from the noise of seeds?"
            ),
        ),
    ),
)
