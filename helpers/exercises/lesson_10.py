"""Lesson 10, warmup and cosine: the shortest warmup, PyTorch's and Keras' own words, restarts, Adam."""

from __future__ import annotations

from typing import Any

from ..schedules import cosine, warmup
from .kinds import Exercise, Mistake, Numbers
from .native import KerasRates
from .practice import Prediction, SchedulerAnswer


def _in_torch(optimizer: Any, start: float, fall: int, end: float) -> Any:
    from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, SequentialLR

    up = LinearLR(optimizer, start_factor=start, total_iters=20)
    down = CosineAnnealingLR(optimizer, T_max=fall, eta_min=end)
    return SequentialLR(optimizer, [up, down], milestones=[20])


EXERCISES: tuple[Exercise, ...] = (
    Numbers(
        "shortest_warmup",
        "Sharpness 30 / (1 + k / 10), rate 0.5 k / w, no momentum: the smallest w that keeps rate * sharpness <= 2.",
        "What counts is the end of the warmup: wait until the sharpness has fallen to 2 / peak. A real network is not "
        "so kind: its sharpness falls because the rate rises.",
        expected=65,
        mistakes=(
            Mistake(75, "the sharpness is 30 / (1 + k / 10): the 1 is missing"),
            Mistake(29.4736842105, "3.8 is the limit with momentum 0.9; without momentum it is 2"),
            Mistake(290, "you asked for rate * sharpness <= 0.5; the limit is 2, and the peak is 0.5"),
            Mistake(7.5, "that is 0.5 * 30 / 2, how many times too sharp the start is: when has it fallen that far?"),
        ),
        tolerance=1e-2,
    ),
    SchedulerAnswer(
        "floor_in_torch",
        "With torch's schedulers: 20 updates up from a tenth of the rate, then a cosine to a hundredth of it at 100.",
        "T_max counts from the milestone, and eta_min is a rate where Keras' alpha is a fraction.",
        expected=warmup(0.01, 0.1, 20).then(cosine(0.1, 80, end_lr=0.001)),
        updates=100,
        mistakes=(
            Mistake(
                lambda optimizer: _in_torch(optimizer, 0.1, 100, 0.001),
                "the cosine counts from its milestone: it has 80 updates left, not 100",
            ),
            Mistake(
                lambda optimizer: _in_torch(optimizer, 0.1, 80, 0.0),
                "it should end at a hundredth of the peak, not at 0: eta_min",
            ),
            Mistake(
                lambda optimizer: _in_torch(optimizer, 0.1, 80, 0.01),
                "eta_min is a rate, not a fraction of the peak: a hundredth of 0.1 is 0.001",
            ),
            Mistake(
                lambda optimizer: _in_torch(optimizer, 0.01, 80, 0.001),
                "start_factor is a fraction of the optimizer's rate: a tenth is 0.1",
            ),
        ),
    ),
    KerasRates(
        "keras_warmup_cosine",
        "Keras: 4 epochs of 10 updates. The first up from 0.02 to 0.2, then a cosine to a tenth of 0.2 at the end.",
        "decay_steps begins to count after the warmup, and alpha is a fraction of warmup_target. (In Optax and Hugging "
        "Face the number of steps includes the warmup.)",
        expected=warmup(0.02, 0.2, 10).then(cosine(0.2, 30, end_lr=0.02)),
        examples=100,
        batch_size=10,
        epochs=4,
        mistakes=(
            Mistake(
                warmup(0.02, 0.2, 10).then(cosine(0.2, 40, end_lr=0.02)),
                "decay_steps does not include the warmup: the cosine has 30 updates",
            ),
            Mistake(
                warmup(0.02, 0.2, 10).then(cosine(0.2, 30)),
                "it should end at a tenth of the peak, not at 0: alpha",
            ),
            Mistake(
                warmup(0.02, 0.2, 10).then(cosine(0.2, 30, end_lr=0.004)),
                "alpha is a fraction of warmup_target, not a rate: 0.1 gives 0.02",
            ),
            Mistake(
                cosine(0.02, 30, end_lr=0.002),
                "without warmup_target there is no warmup, and warmup_steps is silently ignored",
            ),
        ),
    ),
    Numbers(
        "last_whole_cycle",
        "A run of 100 epochs, a first cycle of 5, each twice as long: when does the last cycle end that fits in whole?",
        "5 + 10 + 20 + 40 = 75. The next would end at 155: for a quarter of the run no good model comes out of it.",
        expected=75,
        mistakes=(
            Mistake(40, "that is how long that cycle is: three others come before it"),
            Mistake(35, "that is where the cycle begins"),
            Mistake(80, "5 * 2^4 is one first cycle too many: 5 (2^4 - 1)"),
            Mistake(155, "that cycle is not over when the run is"),
            Mistake(100, "at 100 the fifth cycle is not even half over, and the rate is high"),
        ),
    ),
    Prediction(
        "adam_and_warmup",
        "AdamW with a peak of 0.03: linear decay, and the same after a warmup of 20 %. The test error, by seed.",
        "Adam's first update moves every weight by nearly the whole rate, however small its gradient is. At a peak "
        "this high that costs points, and a warmup spares them: the same network, another optimizer.",
        expected="lower",
        example=([6.6, 7.9, 6.6, 7.2], [4.9, 4.9, 5.2, 5.3]),
        mistakes=(
            Mistake(
                ("same",),
                "Both have the same peak and the same sum of rates. How long is Adam's very first step, in each?",
            ),
            Mistake(
                ("higher",),
                "The warmup takes its updates from the decay. What does the other run do with its first updates?",
            ),
        ),
    ),
)
