"""The LR range test: the ladder is really climbed, the suggestions are read right, and nothing else is touched."""

import random

import keras
import numpy as np
import pytest
import torch
from torch import nn

from helpers import data, for_keras, for_torch, models, range_test, schedules, training

DIGITS = data.load("digits").subset(600, 200)


def model_torch() -> nn.Module:
    convolution = nn.Sequential(nn.Conv2d(1, 4, 3, stride=3, bias=False), nn.BatchNorm2d(4), nn.ReLU())
    head = nn.Sequential(nn.Dropout(0.2), nn.Flatten(), nn.Linear(4 * 81, 10))
    return models.initialise(nn.Sequential(*convolution, *head), 0)


def model_keras() -> keras.Model:
    layers = [
        keras.layers.Conv2D(4, 3, strides=3, use_bias=False, kernel_initializer=keras.initializers.HeUniform(0)),
        keras.layers.BatchNormalization(),
        keras.layers.ReLU(),
        keras.layers.Dropout(0.2, seed=1),
        keras.layers.Flatten(),
        keras.layers.Dense(10, kernel_initializer=keras.initializers.LecunUniform(0)),
    ]
    return keras.Sequential([keras.Input((28, 28, 1)), *layers])


def generators() -> list[object]:
    state = np.random.get_state()  # noqa: NPY002
    return [random.getstate(), state[1].tolist(), state[2], torch.get_rng_state().tolist()]


def frozen(value: object) -> object:
    """A copy that compares bit by bit."""
    if isinstance(value, torch.Tensor):
        return value.detach().numpy().tobytes()
    if isinstance(value, dict):
        return {key: frozen(item) for key, item in value.items()}
    return [frozen(item) for item in value] if isinstance(value, (list, tuple)) else value


OPTIMIZERS = {
    "SGD": lambda parameters: torch.optim.SGD(parameters, lr=0.05, momentum=0.9, nesterov=True),
    "Adam": lambda parameters: torch.optim.Adam(parameters, lr=0.001),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_pytorch_is_left_bit_by_bit_as_it_was(name: str, monkeypatch) -> None:
    model = model_torch()
    optimizer = OPTIMIZERS[name](model.parameters())
    scheduler = for_torch.drive(optimizer, schedules.one_cycle(0.05, 100))
    training.fit_torch(model, optimizer, DIGITS, batch_size=60, device="cpu")  # half way into something
    model.eval()

    def state() -> object:
        gradients = [parameter.grad for parameter in model.parameters()]
        mode = [module.training for module in model.modules()]
        driver = (scheduler.last_epoch, scheduler.get_last_lr())
        return frozen([model.state_dict(), optimizer.state_dict(), gradients]), mode, driver, generators()

    before = state()
    test = range_test.range_test_torch(model, optimizer, DIGITS, max_lr=100.0, steps=30, batch_size=60, device="cpu")
    assert len(test.rates) > 10
    assert state() == before

    def explode(*_arguments, **_options):
        raise RuntimeError("in the middle")

    monkeypatch.setattr(torch.Tensor, "backward", explode)
    with pytest.raises(RuntimeError, match="in the middle"):
        range_test.range_test_torch(model, optimizer, DIGITS, steps=30, batch_size=60, device="cpu")
    assert state() == before


KERAS_OPTIMIZERS = {
    "scheduled SGD": lambda: for_keras.SGD(schedules.one_cycle(0.05, 100), nesterov=True),
    "SGD": lambda: keras.optimizers.SGD(0.05, momentum=0.9),
    "Adam": lambda: for_keras.Adam(0.001),
    "built-in schedule": lambda: keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.001, 100)),
}


@pytest.mark.parametrize("name", KERAS_OPTIMIZERS)
def test_keras_is_left_bit_by_bit_as_it_was(name: str) -> None:
    model, optimizer = model_keras(), KERAS_OPTIMIZERS[name]()

    def state() -> object:
        held = [np.array(variable).tobytes() for variable in [*model.variables, *optimizer.variables]]
        return held, int(optimizer.iterations), float(optimizer.learning_rate), optimizer.built, generators()

    before = state()
    range_test.range_test_keras(model, optimizer, DIGITS, steps=5, batch_size=60)
    assert state() == before  # also before the first update: nothing was built
    training.fit_keras(model, optimizer, DIGITS, batch_size=60)
    before = state()
    test = range_test.range_test_keras(model, optimizer, DIGITS, max_lr=100.0, steps=30, batch_size=60)
    assert len(test.rates) > 10
    assert state() == before


def test_training_goes_on_as_if_nothing_had_happened() -> None:
    losses = []
    for with_test in (False, True):
        model = model_torch()
        optimizer = OPTIMIZERS["Adam"](model.parameters())
        torch.manual_seed(0)  # for the dropout
        if with_test:
            range_test.range_test_torch(model, optimizer, DIGITS, steps=20, batch_size=60, device="cpu")
        losses.append(training.fit_torch(model, optimizer, DIGITS, batch_size=60, device="cpu").losses)
    assert losses[0] == losses[1]


def test_the_copies_start_where_the_originals_are() -> None:
    """A ladder that hardly climbs is the next epoch of training: slots and step counter were copied, too."""
    flat = {"min_lr": 0.001, "max_lr": 0.001 * (1 + 1e-9), "steps": 10, "batch_size": 60, "seed": 1}
    model = models.mlp_torch(DIGITS.image_shape)
    optimizer = OPTIMIZERS["Adam"](model.parameters())
    training.fit_torch(model, optimizer, DIGITS, batch_size=60, device="cpu")
    test = range_test.range_test_torch(model, optimizer, DIGITS, **flat, device="cpu")
    after = training.fit_torch(model, optimizer, DIGITS, batch_size=60, seed=1, device="cpu")
    assert np.allclose(test.run.losses, after.losses, rtol=1e-5)

    model, adam = models.mlp_keras(DIGITS.image_shape), for_keras.Adam(0.001)
    training.fit_keras(model, adam, DIGITS, batch_size=60)
    found = range_test.range_test_keras(model, adam, DIGITS, **flat)
    more = training.fit_keras(model, adam, DIGITS, batch_size=60, seed=1)
    assert np.allclose(found.run.losses, more.losses, rtol=1e-5)


@pytest.mark.parametrize("mode", ["exp", "linear"])
def test_the_ladder_is_what_was_used(mode: str) -> None:
    options = {"min_lr": 1e-4, "max_lr": 0.1, "steps": 25, "mode": mode, "batch_size": 60}
    space = np.geomspace if mode == "exp" else np.linspace
    model = models.mlp_torch(DIGITS.image_shape)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0, momentum=0.7)
    test = range_test.range_test_torch(model, optimizer, DIGITS, **options, device="cpu")
    training.assert_trace(test.run, test.ladder, partial=True)
    assert np.allclose(test.rates, space(1e-4, 0.1, 25), rtol=1e-12)
    assert set(test.run.momenta) == {0.7}

    falling = for_keras.SGD(0.1, momentum=schedules.linear(0.9, 0.0, 10))
    found = range_test.range_test_keras(models.mlp_keras(DIGITS.image_shape), falling, DIGITS, **options)
    training.assert_trace(found.run, found.ladder, partial=True)
    assert np.allclose(found.rates, space(1e-4, 0.1, 25), rtol=1e-6)
    assert np.allclose(found.run.momenta, 0.9), "momentum stays at its present value"


def test_every_parameter_group_climbs() -> None:
    model = models.mlp_torch(DIGITS.image_shape)
    groups = [{"params": model[1].parameters(), "lr": 1.0}, {"params": model[3].parameters()}]
    optimizer = torch.optim.SGD(groups, lr=0.1)
    test = range_test.range_test_torch(model, optimizer, DIGITS, steps=10, batch_size=60, device="cpu")
    assert len(test.rates) == 10


def test_it_stops_when_the_loss_explodes() -> None:
    options = {"min_lr": 1e-3, "max_lr": 1e4, "steps": 200, "batch_size": 60}
    model = models.mlp_torch(DIGITS.image_shape)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    tests = [range_test.range_test_torch(model, optimizer, DIGITS, **options, device="cpu")]
    network = models.mlp_keras(DIGITS.image_shape)
    tests.append(range_test.range_test_keras(network, keras.optimizers.SGD(0.1, momentum=0.9), DIGITS, **options))
    for test in tests:
        assert len(test.rates) < 200
        assert test.steepest < test.minimum < test.divergence
        assert 0.01 < test.divergence < 100


# ------------------------------------------------------------------------------------ reading a curve
def read(rates: np.ndarray, losses: np.ndarray, diverged: bool = False) -> range_test.RangeTest:
    run = training.Run("PyTorch", "made up", 0, 1, 1, "cpu", {}, rates.tolist(), [], losses.tolist(), diverged=diverged)
    return range_test.RangeTest(run, schedules.lr_range_test(rates[0], rates[-1], len(rates)), memory=0.0)


def test_the_suggestions_of_a_known_curve() -> None:
    rates = np.geomspace(1e-4, 1.0, 401)
    log = np.log10(rates)
    losses = 2.0 - np.tanh(4 * (log + 2.5)) + 10 ** (4 * (log + 0.5))  # steepest at 10**-2.5, explodes towards 1
    test = read(rates, losses)
    assert test.steepest == pytest.approx(10**-2.5, rel=0.05)
    assert test.minimum == rates[np.argmin(losses)]
    assert test.divergence == rates[np.argmax(losses > 4 * np.minimum.accumulate(losses))]


def test_what_a_curve_does_not_have_is_nan() -> None:
    rates = np.geomspace(1e-4, 1.0, 50)
    falling, rising = read(rates, np.linspace(2, 1, 50)), read(rates, np.linspace(1, 2, 50))
    assert np.isnan(falling.divergence)
    assert falling.minimum == 1.0
    assert np.isnan(rising.steepest)
    assert rising.minimum == rates[0]
    stopped = read(rates, np.append(np.linspace(2, 1, 49), np.nan), diverged=True)
    assert stopped.divergence == 1.0


def test_smoothing_is_an_average_with_a_corrected_start() -> None:
    losses = np.array([5.0, 3.0, 4.0])
    assert range_test.smoothed(losses, 0.0).tolist() == losses.tolist()
    expected = np.average(losses, weights=[0.81, 0.9, 1.0])
    assert range_test.smoothed(losses)[-1] == pytest.approx(expected, rel=1e-12)
    with pytest.raises(ValueError, match="memory must be at least 0 and below 1, got 1"):
        range_test.smoothed(losses, 1)


def test_what_cannot_work_is_refused_before_anything_happens() -> None:
    model, stranger = models.mlp_torch((28, 28, 1)), models.mlp_torch((28, 28, 1))
    optimizer = torch.optim.SGD(stranger.parameters(), lr=0.1)
    with pytest.raises(ValueError, match="not the model's"):
        range_test.range_test_torch(model, optimizer, DIGITS)
    with pytest.raises(ValueError, match="max_lr must be above min_lr"):
        range_test.range_test_torch(stranger, optimizer, DIGITS, min_lr=1.0, max_lr=0.1)
    with pytest.raises(ValueError, match="stop_factor must be above 1, got 1"):
        range_test.range_test_torch(stranger, optimizer, DIGITS, stop_factor=1)
    network = models.mlp_keras((28, 28, 1))
    adds_up = keras.optimizers.SGD(0.1, gradient_accumulation_steps=2)
    with pytest.raises(ValueError, match="one update per batch"):
        range_test.range_test_keras(network, adds_up, DIGITS)

    class Own(keras.Model):
        def __init__(self, width: int) -> None:
            super().__init__()
            self.dense = keras.layers.Dense(width)

        def call(self, x):
            return self.dense(x)

    with pytest.raises(ValueError, match="use a Sequential or functional model"):
        range_test.range_test_keras(Own(10), keras.optimizers.SGD(0.1), DIGITS)
