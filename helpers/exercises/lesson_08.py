"""Lesson 08, momentum: the fastest one, noise and stability, momentum read off weights, in Keras, and predicted."""

from __future__ import annotations

from ..schedules import constant, linear
from .kinds import Exercise, Function, Mistake, Numbers
from .practice import KerasMomentum, Prediction


def _read_back(step_before: float, step: float, lr_before: float, lr: float, gradient: float) -> float:
    return (step / lr + gradient) * lr_before / step_before


EXERCISES: tuple[Exercise, ...] = (
    Numbers(
        "fastest_momentum",
        "Heavy ball on a parabola with learning rate times curvature 0.01: the momentum that is fastest.",
        "Below it the larger root is real and slow, above it both have the modulus sqrt(beta), which grows: the best "
        "is where they meet, (1 + beta - a)**2 = 4 beta, so beta = (1 - sqrt(a))**2.",
        expected=0.81,
        mistakes=(
            Mistake(1.21, "that is the other solution, and it is above 1: the product of the roots is beta"),
            Mistake(0.99, "1 - a is where the sum of the roots is 2 beta, not where the roots meet"),
            Mistake(0.9, "both roots are 0.949 in modulus there; where the roots just meet it is 0.9"),
            Mistake(0.0, "without momentum the root is 0.99: it can be much faster"),
        ),
    ),
    Numbers(
        "turning_variance",
        "From which variance of the curvature (mean 1) on does heavy ball with 0.95 permit a smaller rate than with "
        "0.85?",
        "0.0975 (0.15 + 1.85 v) = 0.2775 (0.05 + 1.95 v): about a fifth of one per cent of the squared mean.",
        expected=0.00075 / 0.36075,
        tolerance=0.02,
        mistakes=(
            Mistake(0.075 / 0.36075, "that is in per cent: the mean is 1, so the variance is a hundred times smaller"),
            Mistake(0.0, "with v = 0 the limits are 3.9 and 3.7: there 0.95 still permits more"),
            Mistake(0.1, "at 0.1 the order has turned round already, 0.80 against 1.66; look further down"),
        ),
    ),
    Function(
        "momentum_read_back",
        "momentum(step_before, step, lr_before, lr, gradient): of PyTorch's SGD, from two successive steps of a weight "
        "and the gradient of the second.",
        "Each step gives its velocity, -step / lr; then solve v = momentum * v_before + gradient.",
        parameters=("step_before", "step", "lr_before", "lr", "gradient"),
        reference=_read_back,
        cases=(
            (-0.1, -0.045, 0.1, 0.05, 0.0),
            (-0.2, -0.2, 0.1, 0.1, 0.2),
            (0.02, 0.013, 0.4, 0.4, 0.01),
            (0.01, 0.029, 0.1, 0.2, -0.05),
            (-1.0, -0.075, 0.05, 0.005, -3.0),
            (0.5, 0.06, 2.0, 0.8, 0.05),
            (0.3, 2.9, 0.01, 0.1, -6.0),
            (3.0, 3.9, 0.2, 0.3, 1.85),
        ),
        mistakes=(
            Mistake(
                lambda step_before, step, lr_before, lr, gradient: step / step_before * lr_before / lr,
                "that holds for a weight without a gradient; here the gradient is a part of the new velocity",
            ),
            Mistake(
                lambda step_before, step, lr_before, lr, gradient: (step / lr - gradient) * lr_before / step_before,
                "the step is *minus* the rate times the velocity: mind the sign of the gradient",
            ),
            Mistake(
                lambda step_before, step, lr_before, lr, gradient: (step + lr * gradient) / step_before,
                "that is Keras' rule, where the rate is inside the velocity; PyTorch multiplies by the present one",
            ),
        ),
    ),
    KerasMomentum(
        "keras_momentum",
        "A Keras optimizer, learning rate 0.1, whose momentum falls from 0.95 to 0.85 in 6 updates and is back in 4.",
        "Read off the weights of a model that was trained with it: the momentum really moved, down and up again.",
        expected=linear(0.95, 0.85, 6).then(linear(0.85, 0.95, 4)),
        learning_rate=0.1,
        updates=10,
        mistakes=(
            Mistake(
                constant(0.95),
                "the weights say that momentum stayed at 0.95: it must be a schedule that the step looks up",
            ),
            Mistake(linear(0.95, 0.85, 6), "it falls, and stays at 0.85: it should rise again from update 6 on"),
            Mistake(linear(0.95, 0.85, 10), "it falls for all ten updates: it should turn round at update 6"),
            Mistake(constant(0.0), "the weights say that there is no momentum at all"),
        ),
    ),
    Prediction(
        "longer_memory",
        "Momentum 0.99 instead of 0.9 at the same effective learning rate, in one short run: the test error, by seed.",
        "The velocity needs about a hundred updates to fill up and as many to forget, a good part of this run; the "
        "formula for the effective rate only says where a gradient ends up, not when.",
        expected="higher",
        example=([3.3, 3.2, 3.4], [4.8, 5.0, 5.1]),
        mistakes=(
            Mistake(("same",), "The effective rate is the same. How many updates does a gradient need to act, though?"),
            Mistake(("lower",), "The gradients are averaged over more updates. What does that cost in a short run?"),
        ),
    ),
)
