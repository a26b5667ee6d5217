"""Lesson 02, steps and epochs: counting, after the end, a loop of PyTorch's, a line of Keras', a second fit."""

from __future__ import annotations

from typing import Any

from ..schedules import linear
from .kinds import Exercise, Mistake, Numbers
from .native import AccumulatingLoop, KerasRates
from .practice import Prediction


def _loop(per_batch: str = "", before: str = "", after: str = "uz", share: float = 0.25) -> Any:
    """A loop over batches that makes these calls: u(pdate of the schedule), z(ero the gradients), s(tep)."""

    def loop(model: Any, optimizer: Any, scheduler: Any, batches: Any) -> None:
        calls = {"u": scheduler.step, "z": optimizer.zero_grad, "s": optimizer.step}
        for number, batch in enumerate(batches, start=1):
            (share * model(batch).mean()).backward()
            whole = before + "s" + after if number % 4 == 0 else ""
            for letter in per_batch + whole:
                calls[letter]()

    return loop


def _update_of_each_batch(model: Any, optimizer: Any, scheduler: Any, batches: Any) -> None:
    for batch in batches:
        optimizer.zero_grad()
        model(batch).mean().backward()
        optimizer.step()
        scheduler.step()


EXERCISES: tuple[Exercise, ...] = (
    Numbers(
        "updates_and_last_k",
        "50,000 images, batches of 512, the last one dropped, 20 epochs: (number of updates, k of the last one).",
        "97 batches an epoch, 1940 updates, and the last has k = 1939.",
        expected=(1940, 1939),
        mistakes=(
            Mistake((1940, 1940), "k counts the updates already made: before the last one, 1939 are"),
            Mistake((1960, 1959), "that keeps the smaller batch: 98 batches an epoch, where 97 are full"),
            Mistake((97, 96), "that is one epoch"),
        ),
    ),
    Numbers(
        "after_the_end",
        "cosine(0.4, 1000) at k = 2000: (in this course, in torch's CosineAnnealingLR).",
        "Here the end value is held; CosineAnnealingLR is not clipped and has climbed back to its start.",
        expected=(0.0, 0.4),
        mistakes=(
            Mistake((0.0, 0.0), "here yes, but CosineAnnealingLR is not clipped at its end: it comes back up"),
            Mistake((0.4, 0.0), "the other way round: this course holds the end value"),
            Mistake((0.4, 0.4), "torch's comes back up, but this course holds the end value"),
        ),
    ),
    AccumulatingLoop(
        "accumulating_loop",
        "loop(model, optimizer, scheduler, batches): one update of every four batches, with the schedule's own value "
        "and the gradient of the four batches' mean loss.",
        "The scheduler belongs beside the optimizer: both move once in four batches, and k counts updates.",
        mistakes=(
            Mistake(
                _loop(per_batch="u", after="z"),
                "scheduler.step() is called for every batch: the schedule runs four times as fast as the updates",
            ),
            Mistake(
                _loop(before="u", after="z"),
                "scheduler.step() comes before optimizer.step(): schedule(0) is never used, the run is a step ahead",
            ),
            Mistake(_loop(after="z"), "the scheduler is not stepped: every update used schedule(0)"),
            Mistake(
                _loop(share=1.0),
                "the rates are right, but four gradients add up: divide each loss by 4, or you train with four times "
                "the rate",
            ),
            Mistake(_loop(after="u"), "the gradients of earlier updates are still in: zero them after each update"),
            Mistake(_update_of_each_batch, "that makes an update of every batch: wait until four gradients are in"),
        ),
    ),
    KerasRates(
        "keras_line",
        "An SGD optimizer of Keras with a schedule of Keras' own: in a straight line from 0.2 to 0 in exactly the run "
        "model.fit(x, y, batch_size=256, epochs=3) on 10,000 images.",
        "fit makes 40 updates an epoch, the last of a smaller batch; and PolynomialDecay ends at 1e-4 unless told.",
        expected=linear(0.2, 0.0, 120),
        examples=10_000,
        batch_size=256,
        epochs=3,
        mistakes=(
            Mistake(linear(0.2, 1e-4, 120), "it ends at 0.0001: that is PolynomialDecay's own end_learning_rate"),
            Mistake(linear(0.2, 0.0, 117), "fit keeps the last, smaller batch: an epoch has 40 updates, not 39"),
            Mistake(
                linear(0.2, 1e-4, 117), "39 updates an epoch drop the last batch, and the end value is not yet zero"
            ),
            Mistake(linear(0.2, 0.0, 40), "that is one epoch: the rate is zero for the other two"),
            Mistake(linear(0.2, 0.0, 3), "3 epochs are not 3 updates: after the third update the rate is zero"),
            Mistake(linear(0.2, 0.0, 30_000), "those are images; a batch of them makes one update"),
        ),
    ),
    Prediction(
        "second_fit",
        "Keras, CosineDecay for one epoch, fit called twice: the test error after the second fit, against the first.",
        "The schedule asks optimizer.iterations, which goes on counting: the whole second fit is made with a rate of "
        "zero. Build the schedule for all the updates there will be, or compile again.",
        expected="same",
        example=([5.1, 5.3, 5.2], [5.1, 5.3, 5.2]),
        mistakes=(
            Mistake(("lower",), "Which number does the schedule ask for, and what is it when the second fit begins?"),
            Mistake(("higher",), "For that the weights must move. With which rate does the second fit begin?"),
        ),
    ),
)
