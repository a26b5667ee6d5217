"""Lesson 12, super-convergence: updates and epochs, the cycle of 2017, how long an average remembers, flat curves."""

from __future__ import annotations

import math
from typing import Any

from ..schedules import cyclic
from .kinds import Exercise, Function, Mistake, Numbers
from .practice import Prediction, SchedulerAnswer


def _left(keep: float, part: float) -> float:
    return math.log(part) / math.log(keep)


def _cycle(optimizer: Any, low: float = 0.1, high: float = 3.0, up: int = 100, *, momentum: bool = False) -> Any:
    from torch.optim.lr_scheduler import CyclicLR

    return CyclicLR(optimizer, low, high, step_size_up=up, cycle_momentum=momentum)


def _one_cycle(optimizer: Any) -> Any:
    from torch.optim.lr_scheduler import OneCycleLR

    return OneCycleLR(optimizer, 3.0, 200, pct_start=0.5, anneal_strategy="linear", cycle_momentum=False, div_factor=30)


EXERCISES: tuple[Exercise, ...] = (
    Numbers(
        "times_fewer",
        "7,000 updates of 512 against 64,000 of 128: how many times fewer updates, and epochs?",
        "9.1 and 2.3: with four times the images in each update, a quarter of the factor is left.",
        expected=(64_000 / 7_000, (64_000 * 128) / (7_000 * 512)),
        tolerance=0.01,
        mistakes=(
            Mistake((64 / 7, 64 / 7), "the updates are right; each of the 7,000 takes four times as many images"),
            Mistake((64 / 7, 4 * 64 / 7), "larger batches use up *more* images: divide by 512 / 128, not multiply"),
            Mistake((16 / 7, 64 / 7), "the other way round: updates first, epochs second"),
            Mistake((7 / 64, 7 / 16), "that is the fraction; asked is how many times fewer, so turn it round"),
        ),
    ),
    SchedulerAnswer(
        "cycle_of_2017",
        "With PyTorch's schedulers, the cycle of 2017 in 200 updates: 0.1 to 3 at update 100 and back, momentum 0.9.",
        "One triangle, and a momentum that stays. OneCycleLR came later: it falls to almost 0 and cycles momentum.",
        expected=cyclic(0.1, 3.0, 100).with_momentum(0.9),
        updates=200,
        mistakes=(
            Mistake(
                lambda optimizer: _cycle(optimizer, momentum=True),
                "the rate is right; momentum now runs from 0.9 to 0.8 and back, because cycle_momentum is True "
                "unless you say otherwise",
            ),
            Mistake(
                lambda optimizer: _cycle(optimizer, up=200),
                "step_size_up is half a cycle: with 200 the run ends at the peak",
            ),
            Mistake(
                lambda optimizer: _cycle(optimizer, up=50),
                "those are two cycles: one, with its peak at 100, is asked for",
            ),
            Mistake(_one_cycle, "close: but this ends near 0, and the run of 2017 ended at 0.1"),
        ),
    ),
    Function(
        "updates_to_forget",
        "updates_to_forget(keep, part): after how many updates is `part` of an old value left in a moving average?",
        "keep ** n = part, so n = ln(part) / ln(keep): about ln(1 / part) times 1 / (1 - keep).",
        parameters=("keep", "part"),
        reference=_left,
        tolerance=1e-4,
        cases=(
            (0.95, 0.01),
            (0.999, 0.01),
            (0.9, 0.5),
            (0.99, 0.001),
            (0.5, 0.25),
            (0.997, 0.9),
            (0.8, 0.05),
        ),
        mistakes=(
            Mistake(
                lambda keep, part: math.log(1 / part) / (1 - keep),
                "close for a long memory: 1 / (1 - keep) stands for -1 / ln(keep). Solve keep ** n = part exactly",
            ),
            Mistake(
                lambda keep, part: math.log(1 - part) / math.log(keep),
                "that is when all but `part` is left: asked is when `part` is",
            ),
            Mistake(
                lambda keep, part: math.log(keep) / math.log(part),
                "upside down: keep ** n = part, so n times ln(keep) is ln(part)",
            ),
            Mistake(
                lambda keep, part: _left(keep, part) / 2,
                "that is when `part` is left of the excess *loss*, which goes with the square of what is asked for: "
                "what is left of an old value in the average",
            ),
        ),
    ),
    Numbers(
        "flat_curves",
        "Both errors fall like T ** -0.2, A's is 8 % lower: how many times as long must B train?",
        "(1 / 0.92) to the power 1 / 0.2, 1.52: on a flat curve small differences become large factors.",
        expected=(1 / 0.92) ** 5,
        tolerance=0.002,
        mistakes=(
            Mistake(1 / 0.92, "that would be the factor on a curve of slope 1; here it is 0.2"),
            Mistake((1 / 0.92) ** 0.2, "the exponent is 1 / slope: solve c_B (sT)^-a = c_A T^-a for s"),
            Mistake(0.92**5, "upside down: B needs longer, so the factor is above 1"),
            Mistake(1.08**5, "A's 0.92 of B means that B is at 1 / 0.92 = 1.087 of A, not at 1.08"),
        ),
    ),
    Prediction(
        "longer_average",
        "A whole cycle, tested with averages that keep 0.9, and with averages that keep 0.99: the test error, by seed.",
        "Training is the same, bit by bit; the longer average still holds statistics of weights from the high part of "
        "the cycle (and, in a short run, the zeros and ones that it began with). A rate that ends near zero helps only "
        "an average that forgets within the end. Recompute the statistics, and both errors are one.",
        expected="higher",
        example=([52.1, 53.0, 51.2, 52.6], [61.0, 63.1, 60.2, 64.0]),
        mistakes=(
            Mistake(
                ("same",),
                "The weights are the same. But how many updates long is the end of the cycle, where the rate is small, "
                "and how many does an average remember that keeps 0.99?",
            ),
            Mistake(
                ("lower",),
                "A longer average has less noise, true. Which weights do the batches belong to that it averages over?",
            ),
        ),
    ),
)
