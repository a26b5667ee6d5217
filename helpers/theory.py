"""What a learning rate does where it can be worked out exactly: parabolas, their noise, and one bound for any schedule.

Notation: ``rates`` are the learning rates of updates 0, 1, ..., T-1, along the last axis; axes before it are other
schedules or scales, worked out together. A schedule gives them as ``schedule(np.arange(T))``.

>>> from helpers.schedules import constant, linear
>>> k = np.arange(1000)
>>> flat, falling = last_iterate_bound(constant(1.0)(k)), last_iterate_bound(linear(1.0, 0.0, 1000)(k))
>>> round(float(falling.best / flat.best), 2)  # what the theory says a straight line gains over a constant rate
0.69
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize

from .schedules import Schedule, inverse_time

__all__ = [
    "Bound",
    "NoisyQuadratic",
    "average_as_schedule",
    "bound_minimiser",
    "descend",
    "growth",
    "last_iterate_bound",
    "noise_floor",
    "optimal_inverse_time",
    "refined",
    "second_moments",
    "speed_up",
    "stability_limit",
]

Array = NDArray[np.float64]


# ---------------------------------------------------------------------------------------- checks
def _rates(name: str, value: ArrayLike) -> Array:
    """Return ``value`` as a float64 array of finite numbers, not negative, with at least one update."""
    array = np.asarray(value, dtype=np.float64)
    if array.ndim == 0 or array.shape[-1] == 0:
        raise ValueError(f"{name} holds a value for each update: an array that is not empty, got {value!r}")
    if not np.isfinite(array).all() or array.min() < 0:
        raise ValueError(f"{name} must be finite and at least 0, got {array[~np.isfinite(array) | (array < 0)][0]}")
    return array


def _above_zero(**named: ArrayLike) -> None:
    for name, value in named.items():
        array = np.asarray(value, dtype=np.float64)
        if not (np.isfinite(array).all() and (array > 0).all()):
            raise ValueError(f"{name} must be finite and above 0, got {value!r}")


def _check_momentum(momentum: float) -> None:
    if not 0 <= momentum < 1:
        raise ValueError(f"momentum must be at least 0 and below 1, got {momentum!r}")


# ------------------------------------------------------------------------------- a parabola, exactly
def descend(
    rates: ArrayLike, curvature: float, start: float = 1.0, *, momentum: float = 0.0, nesterov: bool = False
) -> Array:
    """Positions of gradient descent on ``curvature * x**2 / 2``: one more than there are updates.

    Momentum by PyTorch's rule: ``v = momentum * v + g; x = x - lr * v``, and with ``nesterov``
    ``x = x - lr * (g + momentum * v)``.

    Parameters
    ----------
    rates : array_like, shape (..., T)
        Learning rate of each update.
    curvature : float
        Second derivative of the loss, above 0.
    start : float
        Position before update 0.
    momentum : float
        In [0, 1). 0 is plain gradient descent.
    nesterov : bool
        Nesterov's momentum instead of heavy ball.

    Returns
    -------
    ndarray, shape (..., T + 1)
        Position before each update, and after the last.

    References
    ----------
    Heavy ball: Polyak 1964. Nesterov's momentum is the form that ``torch.optim.SGD`` computes; it keeps the rate
    outside the velocity, where Sutskever et al. 2013 have it inside, which differs when the rate moves.

    Examples
    --------
    >>> descend([0.5, 0.5, 0.5], curvature=1.0).tolist()
    [1.0, 0.5, 0.25, 0.125]
    """
    lr = _rates("rates", rates)
    _above_zero(curvature=curvature)
    _check_momentum(momentum)
    x = np.empty((*lr.shape[:-1], lr.shape[-1] + 1))
    x[..., 0], velocity = start, np.zeros(lr.shape[:-1])
    for k in range(lr.shape[-1]):
        gradient = curvature * x[..., k]
        velocity = momentum * velocity + gradient
        step = gradient + momentum * velocity if nesterov else velocity
        x[..., k + 1] = x[..., k] - lr[..., k] * step
    return x


def growth(lr: float, curvature: float, *, momentum: float = 0.0, nesterov: bool = False) -> float:
    """Factor by which gradient descent on a parabola shrinks (below 1) or grows (above) per update, in the long run.

    The spectral radius of the update as a matrix that acts on (x, velocity).

    Parameters
    ----------
    lr, curvature : float
        Learning rate and second derivative of the loss, both above 0.
    momentum : float
        In [0, 1).
    nesterov : bool
        Nesterov's momentum, in the form of ``torch.optim.SGD``, instead of heavy ball.

    Returns
    -------
    float
        The larger modulus of the two roots named in `stability_limit`.

    Examples
    --------
    >>> growth(0.5, 1.0), growth(2.5, 1.0)
    (0.5, 1.5)
    """
    _above_zero(lr=lr, curvature=curvature)
    _check_momentum(momentum)
    reach = curvature * (1 + momentum) if nesterov else curvature
    carried = momentum**2 if nesterov else momentum
    matrix = np.array([[1 - lr * reach, -lr * carried], [curvature, momentum]])
    return float(np.abs(np.linalg.eigvals(matrix)).max())


def stability_limit(curvature: float, *, momentum: float = 0.0, nesterov: bool = False) -> float:
    """Learning rate above which gradient descent on ``curvature * x**2 / 2`` grows without bound.

    With b = momentum and a = lr * curvature two successive positions determine the next, and the path dies out exactly
    when both roots z of a polynomial lie inside the unit circle:

    * heavy ball: ``z**2 - (1 + b - a) z + b``, so ``a < 2 (1 + b)``;
    * Nesterov, in PyTorch's form: ``z**2 - (1 + b) (1 - a) z + b (1 - a)``, so ``a < 2 (1 + b) / (1 + 2 b)``.

    Parameters
    ----------
    curvature : float
        Second derivative of the loss, above 0.
    momentum : float
        In [0, 1).
    nesterov : bool
        Nesterov's momentum instead of heavy ball.

    Returns
    -------
    float
        The largest stable learning rate; for a curvature that never changes and gradients without noise.

    Examples
    --------
    >>> stability_limit(10.0), stability_limit(10.0, momentum=0.9)
    (0.2, 0.38)
    >>> round(stability_limit(10.0, momentum=0.9, nesterov=True), 4)
    0.1357
    """
    _above_zero(curvature=curvature)
    _check_momentum(momentum)
    return 2 * (1 + momentum) / curvature / (1 + 2 * momentum if nesterov else 1)


# ------------------------------------------------------------------------------------ a noisy parabola
def noise_floor(lr: ArrayLike, curvature: ArrayLike, variance: ArrayLike = 1.0, *, momentum: float = 0.0) -> Any:
    """Mean of x**2 at which SGD on ``curvature * x**2 / 2`` settles, when each gradient has noise of ``variance``.

    ``lr s (1 + b) / (h (1 - b) (2 (1 + b) - lr h))`` with s = variance, h = curvature, b = momentum (heavy ball); for
    b = 0 it is ``lr s / (h (2 - lr h))``. For small rates it is proportional to lr / (1 - b). Noise in the *target*,
    g = h (x - noise), is noise in the gradient of variance h**2 times as large.

    Parameters
    ----------
    lr, curvature, variance : float or array_like
        Above 0, of shapes that broadcast.
    momentum : float
        In [0, 1).

    Returns
    -------
    float or ndarray
        Infinite where the rate is not stable.

    References
    ----------
    Stationarity of the second moments; Mandt, Hoffman & Blei 2017 (arXiv 1704.04289) for small rates.

    Examples
    --------
    >>> float(noise_floor(0.5, 1.0)), round(float(noise_floor(0.05, 1.0, momentum=0.9)), 3)
    (0.3333333333333333, 0.253)
    """
    _above_zero(lr=lr, curvature=curvature, variance=variance)
    _check_momentum(momentum)
    rate, h, s = (np.asarray(value, dtype=np.float64) for value in (lr, curvature, variance))
    room = 2 * (1 + momentum) - rate * h
    with np.errstate(divide="ignore"):
        floor = rate * s * (1 + momentum) / (h * (1 - momentum) * np.where(room > 0, room, 0.0))
    return floor


def second_moments(
    rates: ArrayLike,
    curvature: ArrayLike,
    variance: ArrayLike = 1.0,
    start: ArrayLike = 1.0,
    *,
    momentum: ArrayLike = 0.0,
) -> Array:
    """Mean of x**2 before every update of SGD on a noisy parabola, and after the last, exactly: no simulation.

    Without momentum ``V = (1 - lr h)**2 V + lr**2 s`` with V = mean of x**2, h = curvature, s = variance. With
    momentum, as PyTorch has it, the velocity is ``v = momentum * v + g`` and ``x -= lr * v``: the means of x**2, x v
    and v**2 follow from those of the update before.

    Parameters
    ----------
    rates : array_like, shape (..., T)
        Learning rate of each update.
    curvature, variance, start : float or array_like
        Second derivative of the loss, above 0; variance of the gradient noise; mean of x**2 before update 0. They
        broadcast against the rates of one update, shape (...).
    momentum : float or array_like, shape (T,)
        One for all updates, or one for each.

    Returns
    -------
    ndarray, shape (..., T + 1)
        Mean of x**2 before each update, and after the last.

    Examples
    --------
    >>> second_moments([1.0, 0.5], curvature=1.0).tolist()
    [1.0, 1.0, 0.5]
    >>> round(float(second_moments([0.05] * 2000, 1.0, momentum=0.9)[-1]), 3)  # the floor that `noise_floor` gives
    0.253
    """
    lr = _rates("rates", rates)
    _above_zero(curvature=curvature)
    h, s, first = (np.asarray(value, dtype=np.float64) for value in (curvature, variance, start))
    moment = np.broadcast_to(first, np.broadcast_shapes(lr.shape[:-1], h.shape, s.shape, first.shape))
    betas = np.broadcast_to(np.asarray(momentum, dtype=np.float64), lr.shape[-1:])
    for beta in np.unique(betas):
        _check_momentum(float(beta))
    with np.errstate(over="ignore", invalid="ignore"):  # too large a rate: infinite, as it should be
        if betas.any():
            return _moments_with_velocity(lr, h, s, moment, betas)
        moments = [moment]
        for k in range(lr.shape[-1]):
            rate = lr[..., k]
            moment = (1 - rate * h) ** 2 * moment + rate**2 * s
            moments.append(moment)
    return np.stack(moments, axis=-1)


def _moments_with_velocity(lr: Array, h: Array, s: Array, moment: Array, betas: Array) -> Array:
    moments, mixed, velocity = [moment], np.zeros_like(moment), np.zeros_like(moment)
    for k, beta in enumerate(betas):
        rate = lr[..., k]
        velocity = beta**2 * velocity + 2 * beta * h * mixed + h**2 * moment + s
        push = beta * mixed + h * moment  # mean of x times the new velocity
        moment = moment - 2 * rate * push + rate**2 * velocity
        mixed = push - rate * velocity
        moments.append(moment)
    return np.stack(moments, axis=-1)


def optimal_inverse_time(curvature: float, variance: float = 1.0, start: float = 1.0) -> Schedule:
    """The schedule that lowers the mean of x**2 on one noisy parabola fastest: 1/t, with its exact offset.

    ``1 / (h (k + 1 + t))`` with ``t = s / (h**2 V0)``; the mean of x**2 is then ``s / (h**2 (k + t))``. Minimises
    ``(1 - lr h)**2 V + lr**2 s`` at every update.

    Parameters
    ----------
    curvature : float
        h, the second derivative of the loss, above 0.
    variance : float
        s, of the gradient noise, above 0.
    start : float
        V0, the mean of x**2 before update 0, above 0.

    References
    ----------
    Robbins & Monro 1951 for 1/t; the offset by that minimum.

    Examples
    --------
    >>> schedule = optimal_inverse_time(curvature=1.0)
    >>> second_moments(schedule(np.arange(3)), 1.0).round(4).tolist()  # 1/(k + 1)
    [1.0, 0.5, 0.3333, 0.25]
    """
    _above_zero(curvature=curvature, variance=variance, start=start)
    offset = 1 + variance / (curvature**2 * start)
    return inverse_time(1 / (curvature * offset), decay_rate=1.0, decay_steps=offset)


@dataclass(frozen=True, eq=False)
class NoisyQuadratic:
    """Many noisy parabolas at once: a loss whose expectation under SGD is known exactly, for any schedule.

    The loss is ``sum(curvatures * x**2) / 2``.

    Parameters
    ----------
    curvatures : ndarray, shape (directions,)
        Second derivatives of the loss, above 0.
    variances : ndarray, shape (directions,)
        Of the gradient noise, above 0.
    start : ndarray, shape (directions,)
        Mean of x**2 before update 0, above 0.

    Raises
    ------
    ValueError
        Unless each of the three has one entry above 0 for each direction.

    References
    ----------
    Zhang et al. 2019, "Which algorithmic choices matter at which batch sizes?" (arXiv 1907.04164).

    Examples
    --------
    >>> problem = NoisyQuadratic.one_over_i(10)
    >>> round(problem.loss(np.full(100, 0.1)), 4), round(problem.loss(np.full(100, 1.0)), 4)
    (0.1012, 1.0666)
    """

    curvatures: Array
    variances: Array
    start: Array

    def __post_init__(self) -> None:
        _above_zero(curvatures=self.curvatures, variances=self.variances, start=self.start)
        if not np.ndim(self.curvatures) == 1 or not self.curvatures.shape == self.variances.shape == self.start.shape:
            raise ValueError("curvatures, variances and start need one entry for each direction")

    @classmethod
    def one_over_i(cls, directions: int = 100) -> NoisyQuadratic:
        """Curvatures 1, 1/2, 1/3, ... with noise in proportion to the curvature, as near a minimum of a likelihood."""
        curvatures = 1 / np.arange(1, directions + 1)
        return cls(curvatures, curvatures.copy(), np.ones(directions))

    def losses(self, rates: ArrayLike) -> Array:
        """Return the expected loss before every update and after the last: for rates (..., T) an array (..., T + 1)."""
        moments = second_moments(_rates("rates", rates)[..., None, :], self.curvatures, self.variances, self.start)
        return 0.5 * np.einsum("...dt,d->...t", moments, self.curvatures)

    def loss(self, rates: ArrayLike) -> Any:
        """Return the expected loss after the last update: a float, or an array for several schedules."""
        lr = _rates("rates", rates)
        moments = np.broadcast_to(self.start, (*lr.shape[:-1], len(self.start)))
        with np.errstate(over="ignore", invalid="ignore"):  # too large a rate: infinite, as it should be
            for k in range(lr.shape[-1]):
                rate = lr[..., k, None]
                moments = (1 - rate * self.curvatures) ** 2 * moments + rate**2 * self.variances
            last = np.nan_to_num(0.5 * moments @ self.curvatures, nan=np.inf, posinf=np.inf)  # 0 * inf is no loss of 0
        return float(last) if last.ndim == 0 else last

    def tuned(self, shape: ArrayLike, scales: ArrayLike) -> tuple[float, float]:
        """Return the best of ``scales`` for a ``shape`` of rates, and the loss there.

        >>> NoisyQuadratic.one_over_i(10).tuned(np.ones(100), [0.1, 0.3, 1.0])[0]
        0.1
        """
        grid = _rates("scales", scales)
        losses = self.loss(grid[:, None] * _rates("shape", shape))
        best = int(np.argmin(losses))
        return float(grid[best]), float(losses[best])

    def optimum(self, steps: int) -> Array:
        """Return rates, shape (steps,), that minimise the loss after as many updates: found numerically."""

        def loss_and_slope(log_rates: Array) -> tuple[float, Array]:
            rates = np.exp(log_rates)
            moments = second_moments(rates[None], self.curvatures, self.variances, self.start)
            back, slope = 0.5 * self.curvatures, np.empty(steps)  # d loss / d moments, from the end
            for k in reversed(range(steps)):
                left = 1 - rates[k] * self.curvatures
                slope[k] = back @ (2 * rates[k] * self.variances - 2 * left * self.curvatures * moments[:, k])
                back = back * left**2
            return float(0.5 * moments[:, -1] @ self.curvatures), slope * rates

        flat = np.full(steps, np.log(0.5 / self.curvatures.max()))
        return _minimise(loss_and_slope, flat)


def _minimise(loss_and_slope: Callable[[Array], tuple[float, Array]], log_start: Array) -> Array:
    """Positive numbers that minimise a function of their logarithms."""
    found = optimize.minimize(
        loss_and_slope, log_start, jac=True, method="L-BFGS-B", options={"maxiter": 5000, "ftol": 1e-15, "gtol": 1e-12}
    )
    return np.exp(found.x)


# --------------------------------------------------------------------------- the last-iterate bound
@dataclass(frozen=True)
class Bound:
    """``far + noise``: what is left of the distance to a minimum, and what the size of the gradients adds.

    Numbers, or arrays of them. Rates that are c times as large give ``far / c + noise * c``. So the bound knows its own
    best scale.
    """

    far: Any
    noise: Any

    @property
    def value(self) -> Any:
        """The bound for the rates as they are."""
        return self.far + self.noise

    @property
    def best_scale(self) -> Any:
        """The factor on the rates that makes the bound least: ``sqrt(far / noise)``."""
        return np.sqrt(self.far / self.noise)

    @property
    def best(self) -> Any:
        """The bound at its best scale: ``2 sqrt(far * noise)``."""
        return 2 * np.sqrt(self.far * self.noise)


def last_iterate_bound(rates: ArrayLike, gradient_norms: ArrayLike = 1.0, distance: float = 1.0) -> Bound:
    """Bound on the expected loss above its minimum, E f(x) - f*, of SGD on a convex function, for any schedule.

    x is the point at which the *last* rate is about to be used (the proof leaves that one free). With S_k the sum of
    the rates from k on, and Q_k that of lr**2 G**2::

        distance**2 / (2 S_0)  +  Q_0 / (2 S_0)  +  1/2 sum_{k < T-1} lr_k Q_k / (S_k S_{k+1})

    Time and memory O(T).

    Parameters
    ----------
    rates : array_like, shape (..., T)
        Learning rate of each update.
    gradient_norms : float or array_like, shape (..., T)
        G, the root mean square of the (sub)gradients: one number, or one for each update; above 0.
    distance : float
        From the start to a minimum, above 0.

    Returns
    -------
    Bound
        Its parts are floats, or arrays of shape (...) for several schedules.

    Raises
    ------
    ValueError
        When the last rate is 0, or when the norms are not as many as the updates.

    References
    ----------
    Defazio et al. 2023, "Optimal linear decay learning rate schedules and further refinements" (arXiv 2310.07831),
    theorem 10; used as a model of training curves by Schaipp et al. 2025 (arXiv 2501.18965).

    Examples
    --------
    >>> bound = last_iterate_bound([1.0, 1.0])
    >>> bound.far, bound.noise
    (0.25, 1.0)
    >>> float(last_iterate_bound([0.5, 0.5]).value)  # half the rates: far * 2 + noise / 2
    1.0
    """
    lr, norms = _rates("rates", rates), np.asarray(gradient_norms, dtype=np.float64)
    _above_zero(gradient_norms=norms, distance=distance)
    if norms.ndim and norms.shape[-1] != lr.shape[-1]:
        raise ValueError(f"gradient_norms: {norms.shape[-1]} values for {lr.shape[-1]} updates")
    if not (lr[..., -1] > 0).all():
        raise ValueError("the last rate must be above 0: stop before a schedule that ends at 0 has ended")
    left = _sums_from(lr)
    stirred = _sums_from((lr * norms) ** 2)
    pairs = lr[..., :-1] * stirred[..., :-1] / (left[..., :-1] * left[..., 1:])
    noise = 0.5 * (stirred[..., 0] / left[..., 0] + pairs.sum(axis=-1))
    return Bound(far=_plain(distance**2 / (2 * left[..., 0])), noise=_plain(noise))


def _plain(value: Any) -> Any:
    return float(value) if np.ndim(value) == 0 else value


def _sums_from(values: Array) -> Array:
    """At each place, the sum from there to the end."""
    return np.cumsum(values[..., ::-1], axis=-1)[..., ::-1]


def refined(gradient_norms: ArrayLike) -> Array:
    """Rates, at most 1, that suit measured gradient norms: small where gradients are large, and falling to the end.

    ``lr_k ~ w_k * sum of w after k``, with ``w = 1 / G**2``. For equal norms that is a straight line to zero.

    Parameters
    ----------
    gradient_norms : array_like, shape (T,)
        G of each update, at least two, above 0; they should be smoothed first.

    Returns
    -------
    ndarray, shape (T,)
        The largest is 1, the last is 0.

    References
    ----------
    The refinement of Defazio et al. 2023 (arXiv 2310.07831).

    Examples
    --------
    >>> refined([1.0, 1.0, 1.0, 1.0, 1.0]).tolist()
    [1.0, 0.75, 0.5, 0.25, 0.0]
    >>> refined([2.0, 1.0, 1.0, 1.0]).round(2).tolist()  # large at first: a warmup
    [0.38, 1.0, 0.5, 0.0]
    """
    norms = _rates("gradient_norms", gradient_norms)
    _above_zero(gradient_norms=norms)
    if norms.ndim != 1 or len(norms) < 2:
        raise ValueError(f"gradient_norms: one row of at least two values is needed, got shape {norms.shape}")
    weights = 1 / norms**2
    rates = weights * (_sums_from(weights) - weights)
    return rates / rates.max()


def bound_minimiser(steps: int, gradient_norms: ArrayLike = 1.0) -> Array:
    """Rates of ``steps`` updates that minimise the last-iterate bound (distance 1), found numerically. Shape (steps,).

    The last rate, which makes no step that the bound counts, comes out larger than its neighbours.

    >>> rates = bound_minimiser(20)
    >>> bool(np.corrcoef(rates[:-1], np.arange(19))[0, 1] < -0.99)  # nobody told it: a straight line, falling
    True
    """
    norms = np.broadcast_to(np.asarray(gradient_norms, dtype=np.float64), (steps,))

    def bound_and_slope(log_rates: Array) -> tuple[float, Array]:
        nudge = 1e-6
        nudged = np.exp(log_rates + nudge * np.vstack([np.zeros(steps), np.eye(steps), -np.eye(steps)]))
        values = last_iterate_bound(nudged, norms).value
        return float(values[0]), (values[1 : steps + 1] - values[steps + 1 :]) / (2 * nudge)

    return _minimise(bound_and_slope, np.full(steps, -0.5 * np.log(steps)))


# -------------------------------------------------------------------------------- averaging = decay
def average_as_schedule(weights: ArrayLike) -> Array:
    """Factors by which averaging the points of an SGD run has scaled each of its gradients.

    The point after update t holds the gradients 0 ... t, so in the average gradient k counts with the weights from k
    on. Equal weights: the straight line 1 - k/T.

    Parameters
    ----------
    weights : array_like, shape (..., T)
        Of the points *after* updates 0, 1, ..., T-1, at least 0; they are divided by their sum.

    Returns
    -------
    ndarray, shape (..., T)
        The factor of each update's gradient.

    Raises
    ------
    ValueError
        When all weights are 0.

    References
    ----------
    Exact bookkeeping; the line is the one of Defazio et al. 2023 (arXiv 2310.07831).

    Examples
    --------
    >>> average_as_schedule(np.ones(4)).tolist()
    [1.0, 0.75, 0.5, 0.25]
    """
    array = _rates("weights", weights)
    total = array.sum(axis=-1, keepdims=True)
    if not (total > 0).all():
        raise ValueError("weights must not all be 0")
    return _sums_from(array) / total


# ----------------------------------------------------------------------------------- budget curves
def speed_up(error: float, budget: float, rival_budgets: ArrayLike, rival_errors: ArrayLike) -> float:
    """How many times as long as ``budget`` a rival must train to reach ``error``.

    Between the rival's budgets by straight lines on logarithmic axes. Outside of them nothing is made up.

    Parameters
    ----------
    error : float
        What is to be reached, above 0.
    budget : float
        What it took, in the unit of the rival's.
    rival_budgets : array_like, shape (B,)
        Above 0, rising.
    rival_errors : array_like, shape (B,)
        The rival's error when it is given each of them, above 0; where one is higher than that of a shorter budget, the
        shorter one's counts.

    Returns
    -------
    float
        Above 1 when the rival needs longer; infinite when at no budget it got there, 0 when its shortest was enough.

    Examples
    --------
    >>> [speed_up(error, 1.0, [1, 4], [40.0, 20.0]) for error in (20.0, 10.0, 50.0)]
    [4.0, inf, 0.0]
    """
    log_errors = np.log(np.minimum.accumulate(np.asarray(rival_errors, dtype=np.float64)))[::-1]
    log_budgets = np.log(np.asarray(rival_budgets, dtype=np.float64))[::-1]
    needed = np.interp(np.log(error), log_errors, log_budgets, left=np.inf, right=-np.inf)
    return float(np.exp(needed)) / float(budget)
