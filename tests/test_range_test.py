"""The LR range test: any loop climbs the ladder, nothing else is touched, and the suggestions are read right."""

import itertools
import random

import keras
import numpy as np
import pytest
import torch
from torch import nn

from helpers import data, for_keras, for_torch, models, range_test, schedules

DIGITS = data.load("digits").subset(600, 200)
X, Y = DIGITS.standardiser()(DIGITS.x_train), DIGITS.y_train
BATCHES = [(X[i : i + 60], Y[i : i + 60]) for i in range(0, 600, 60)]


def model_torch() -> nn.Module:
    convolution = nn.Sequential(nn.Conv2d(1, 4, 3, stride=3, bias=False), nn.BatchNorm2d(4), nn.ReLU())
    model = nn.Sequential(convolution, nn.Dropout(0.2), nn.Flatten(), nn.Linear(4 * 81, 10))
    model.register_buffer("seen", torch.zeros(()), persistent=False)  # one that no state_dict holds
    return models.initialise(model, 0)


class Loop:
    """A training loop as people write it: closure, accumulation, scaler and scheduler where wanted."""

    def __init__(self, model, optimizer, *, closure=False, scaler=None, scheduler=None) -> None:
        self.model, self.optimizer, self.closure = model, optimizer, closure
        self.scaler, self.scheduler, self.used = scaler, scheduler, []
        self.batches = itertools.cycle(BATCHES)
        optimizer.register_step_pre_hook(
            lambda optimizer, *_: self.used.append(float(optimizer.param_groups[-1]["lr"]))
        )

    def loss(self):
        x, y = next(self.batches)
        self.model.train()
        self.model.seen += 1
        images = torch.from_numpy(x).permute(0, 3, 1, 2)
        self.optimizer.zero_grad()
        loss = nn.functional.cross_entropy(self.model(images), torch.from_numpy(y).long())
        (loss if self.scaler is None else self.scaler.scale(loss)).backward()
        return loss

    def __call__(self):
        if self.closure:
            return self.optimizer.step(self.loss)
        loss = self.loss()
        if self.scaler is None:
            self.optimizer.step()
        else:
            self.scaler.step(self.optimizer)
            self.scaler.update()
        if self.scheduler is not None:
            self.scheduler.step()
        return loss


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


def sgd(parameters, **options):
    return torch.optim.SGD(parameters, lr=0.05, momentum=0.9, nesterov=True, **options)


OPTIMIZERS = {
    "SGD": sgd,
    "Adam": lambda parameters: torch.optim.Adam(parameters, lr=0.001, amsgrad=True),
    "Adam, its rate a tensor": lambda parameters: torch.optim.Adam(parameters, lr=torch.tensor(0.001)),
    "two groups": lambda parameters: sgd([{"params": list(parameters)[:1], "lr": 1.0, "momentum": 0.5}]),
    "closures": lambda parameters: torch.optim.LBFGS(parameters, lr=0.1, max_iter=2),
}
SCHEDULERS = {
    "none": lambda optimizer: None,
    "driven": lambda optimizer: for_torch.drive(optimizer, schedules.one_cycle(0.05, 8), strict=True),
    "OneCycleLR": lambda optimizer: torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.05, total_steps=8),
    "ExponentialLR": lambda optimizer: torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9),
}


def everything(loop: Loop, scheduler) -> object:
    model, optimizer = loop.model, loop.optimizer
    gradients = [parameter.grad for parameter in model.parameters()]
    state = [model.state_dict(), model.seen, optimizer.state_dict(), gradients]
    modes = [module.training for module in model.modules()]
    parts = [one.state_dict() for one in (scheduler, loop.scaler) if one is not None]
    return frozen(state), modes, frozen(parts), generators()


def climb(loop: Loop, *others, **options):
    ladder = {"max_lr": 100.0, "steps": 30} | options
    restore = [one for one in (loop.model, loop.scaler, *others) if one is not None]
    return range_test.range_test_torch(loop, loop.optimizer, restore=restore, **ladder)


@pytest.mark.parametrize("updates", [0, 5], ids=["fresh", "half way"])
@pytest.mark.parametrize(
    ("name", "scheduled"),
    [*((name, "none") for name in OPTIMIZERS), *(("SGD", name) for name in list(SCHEDULERS)[1:])],
)
def test_pytorch_is_left_bit_by_bit_as_it_was(name: str, scheduled: str, updates: int) -> None:
    model = model_torch()
    optimizer = OPTIMIZERS[name](model.parameters())
    if name == "two groups":
        optimizer.add_param_group({"params": list(model.parameters())[1:]})
    scheduler = SCHEDULERS[scheduled](optimizer)
    stepped = scheduler if scheduled.endswith("LR") else None
    scaler = torch.amp.GradScaler("cpu", init_scale=64.0, growth_interval=3) if scheduled == "none" else None
    loop = Loop(model, optimizer, closure=name == "closures", scaler=scaler, scheduler=stepped)
    loop.scaler = None if name == "closures" else loop.scaler
    for _ in range(updates):
        loop()
    model.eval()
    before, velocities = everything(loop, scheduler), dict(optimizer.state)
    loop.used.clear()
    test = climb(loop, scheduler)
    assert len(test.rates) > 10
    assert loop.used == pytest.approx(test.rates.tolist(), rel=1e-6), "every group, each rung"
    assert everything(loop, scheduler) == before
    assert all(optimizer.state[key] is held for key, held in velocities.items()), "the same objects, for compiled steps"


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_what_goes_wrong_on_the_way_leaves_no_trace_either(error) -> None:
    model = model_torch()
    scaler = torch.amp.GradScaler("cpu", init_scale=64.0)
    loop = Loop(model, sgd(model.parameters()), scaler=scaler)
    loop()
    before = everything(loop, None)

    def step():
        loss = loop.loss()
        scaler.unscale_(loop.optimizer)  # GradScaler notes it until the update
        if len(calls := [*loop.used, loss]) > 4:
            raise error("in the middle")
        scaler.step(loop.optimizer)
        scaler.update()
        return calls[-1]

    with pytest.raises(error, match="in the middle"):
        range_test.range_test_torch(step, loop.optimizer, restore=(model, scaler), steps=30)
    assert everything(loop, None) == before
    loop()  # and the scaler can go on


def test_training_goes_on_as_if_nothing_had_happened() -> None:
    losses = []
    for with_test in (False, True):
        model = model_torch()
        loop = Loop(model, torch.optim.Adam(model.parameters()))
        torch.manual_seed(0)  # for the dropout
        if with_test:
            climb(loop, steps=20)
            loop.batches = itertools.cycle(BATCHES)
        losses.append([loop().item() for _ in range(10)])
    assert losses[0] == losses[1]


def test_the_test_itself_is_plain_training_at_the_rates_of_the_ladder() -> None:
    """With momentum that a scheduler would cycle, and that stays what it was."""
    by_hand, model = model_torch(), model_torch()
    optimizer = sgd(by_hand.parameters())
    loop, losses = Loop(by_hand, optimizer), []
    torch.manual_seed(0)
    for rate in np.geomspace(1e-3, 0.1, 12):
        optimizer.param_groups[0]["lr"] = rate
        losses.append(loop().item())

    cycled = Loop(model, sgd(model.parameters()))
    scheduler = for_torch.Scheduler(cycled.optimizer, schedules.one_cycle(0.05, 8, momentum=(0.5, 0.9)))
    cycled.scheduler = scheduler
    torch.manual_seed(0)
    assert climb(cycled, scheduler, min_lr=1e-3, max_lr=0.1, steps=12).losses.tolist() == losses


@pytest.mark.parametrize("name", ["driven", "ExponentialLR"])
def test_a_scheduler_that_was_forgotten_is_noticed_at_once(name: str) -> None:
    model = model_torch()
    loop = Loop(model, sgd(model.parameters()))
    scheduler = SCHEDULERS[name](loop.optimizer)
    loop.scheduler = scheduler if name == "ExponentialLR" else None
    before = everything(loop, None)
    with pytest.raises(ValueError, match="pass it, restore="):
        climb(loop)
    assert everything(loop, None) == before
    assert len(loop.used) == 1


# ------------------------------------------------------------------------------------------ Keras
def model_keras(optimizer, **options) -> keras.Model:
    layers = [
        keras.layers.Conv2D(4, 3, strides=3, use_bias=False, kernel_initializer=keras.initializers.HeUniform(0)),
        keras.layers.BatchNormalization(),
        keras.layers.ReLU(),
        keras.layers.Dropout(0.2, seed=1),
        keras.layers.Flatten(),
        keras.layers.Dense(10, kernel_initializer=keras.initializers.LecunUniform(0)),
    ]
    model = keras.Sequential([keras.Input((28, 28, 1)), *layers])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=optimizer, loss=loss, metrics=["accuracy"], **options)
    return model


KERAS_OPTIMIZERS = {
    "scheduled SGD": lambda: for_keras.SGD(schedules.one_cycle(0.05, 100), nesterov=True),
    "SGD": lambda: keras.optimizers.SGD(0.05, momentum=0.9),
    "Adam": lambda: for_keras.Adam(0.001),
    "built-in schedule": lambda: keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.001, 100)),
    "loss scale": lambda: keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.05, momentum=0.9)),
}


class Interrupted(list):
    def __iter__(self):
        yield from self[:3]
        raise KeyboardInterrupt


@pytest.mark.parametrize("name", KERAS_OPTIMIZERS)
def test_keras_is_left_bit_by_bit_as_it_was(name: str) -> None:
    at_once = 1 if name == "Adam" or keras.backend.backend() == "torch" else 2  # where Keras can
    model = model_keras(KERAS_OPTIMIZERS[name](), steps_per_execution=at_once)
    optimizer = model.optimizer

    def state() -> object:
        held = [*model.variables, *optimizer.variables, *model.metrics_variables]
        values = [np.array(keras.ops.convert_to_numpy(one)).tobytes() for one in held]
        return values, int(optimizer.iterations), float(optimizer.learning_rate), optimizer.built, generators()

    before = state()
    range_test.range_test_keras(model, BATCHES, steps=3)
    assert state()[1:] == before[1:], "nothing was built"  # but the metrics, which know their shapes now
    model.fit(X, Y, batch_size=60, verbose=0)
    model.reset_metrics()
    before = state()
    test = range_test.range_test_keras(model, BATCHES, max_lr=100.0, steps=30)
    assert len(test.rates) > 10
    assert state() == before
    with pytest.raises(KeyboardInterrupt):
        range_test.range_test_keras(model, Interrupted(BATCHES), steps=30)
    assert state() == before
    assert model.optimizer is optimizer
    model.fit(X, Y, batch_size=60, verbose=0)
    assert int(optimizer.iterations) == 20


def test_keras_starts_where_the_model_is() -> None:
    """A ladder that hardly climbs is the next epoch of training: velocities and counters were copied, too."""
    model = model_keras(for_keras.Adam(0.001))
    model.fit(X, Y, batch_size=60, verbose=0, shuffle=False)
    found = range_test.range_test_keras(model, BATCHES, min_lr=0.001, max_lr=0.001 * (1 + 1e-9), steps=10)
    losses = [model.train_on_batch(*batch, return_dict=True)["loss"] for batch in BATCHES]
    assert found.losses == pytest.approx(losses, rel=1e-5)


def test_a_keras_model_of_ones_own_is_no_obstacle() -> None:
    class Own(keras.Model):
        def __init__(self, width: int) -> None:
            super().__init__()
            self.dense = keras.layers.Dense(width)

        def call(self, x):
            return self.dense(keras.ops.reshape(x, (-1, 784)))

    model = Own(10)
    model.compile(optimizer="sgd", loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    with pytest.raises(ValueError, match="compiled and built"):
        range_test.range_test_keras(model, BATCHES)
    model(X[:1])
    assert len(range_test.range_test_keras(model, BATCHES, max_lr=0.1, steps=12).rates) == 12
    with pytest.raises(ValueError, match="the batches ran out"):
        range_test.range_test_keras(model, iter(BATCHES), max_lr=0.1, steps=12)
    model.compile(optimizer=keras.optimizers.SGD(0.1, gradient_accumulation_steps=2), loss="mse")
    with pytest.raises(ValueError, match="one update per batch"):
        range_test.range_test_keras(model, BATCHES)


# ------------------------------------------------------------------------------------ reading a curve
def read(rates: np.ndarray, losses: np.ndarray, smoothing: float = 0.0) -> range_test.RangeTest:
    return range_test.RangeTest(rates, losses, schedules.lr_range_test(rates[0], rates[-1], len(rates)), smoothing)


def textbook(rungs: int, noise: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Steepest at 10**-2.5, then lowest near 10**-1, then it explodes."""
    rates = np.geomspace(1e-4, 1.0, rungs)
    log = np.log10(rates)
    losses = 2.0 - np.tanh(4 * (log + 2.5)) + 10 ** (4 * (log + 0.5))
    return rates, losses + noise * np.random.default_rng(0).standard_normal(rungs)


def test_the_suggestions_of_a_known_curve() -> None:
    rates, losses = textbook(401)
    test = read(rates, losses)
    assert test.steepest == pytest.approx(10**-2.5, rel=0.05)
    assert test.minimum == rates[np.argmin(losses)]
    lowest = int(np.argmin(losses))  # the whole way down: one falling sequence, from the first rung to the lowest
    assert test.valley == pytest.approx(rates[lowest // 2], rel=0.03)
    assert test.divergence == 1.0


@pytest.mark.parametrize("rungs", [40, 120, 400, 1000])
def test_glasses_that_grow_with_the_ladder_see_the_same_in_a_longer_one(rungs: int) -> None:
    test = read(*textbook(rungs, noise=0.05), smoothing=0.1)
    assert 10**-2.9 < test.steepest < 10**-2.1
    assert 10**-1.9 < test.minimum < 10**-0.9
    assert 10**-3.3 < test.valley < 10**-1.7


def test_the_longest_descent_is_the_longest() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        losses = rng.integers(0, 6, size=8).astype(float)
        tails = [(i,) for i in range(8)]
        falling = [one for size in range(1, 9) for one in itertools.combinations(range(8), size)]
        falling = [one for one in falling if all(losses[a] > losses[b] for a, b in itertools.pairwise(one))] or tails
        longest = max(map(len, falling))
        end = min(one[-1] for one in falling if len(one) == longest)
        assert range_test._longest_descent(losses) == (end, longest)


def test_what_a_curve_does_not_have_is_nan() -> None:
    rates = np.geomspace(1e-4, 1.0, 50)
    falling, rising = read(rates, np.linspace(2, 1, 50)), read(rates, np.linspace(1, 2, 50))
    assert np.isnan(falling.divergence)
    assert falling.minimum == 1.0
    assert np.isnan(rising.steepest)
    assert np.isnan(rising.valley)
    assert rising.minimum == rates[0]
    stopped = read(rates, np.append(np.linspace(2, 1, 49), np.nan))
    assert stopped.divergence == 1.0
    spread = range_test.summarise([falling, stopped])
    assert (spread["exploded"].found, spread["exploded"].tests) == (1, 2)
    assert np.isnan(range_test.summarise([falling])["exploded"].mean)


def test_how_high_the_last_loss_flies_does_not_matter() -> None:
    rates, losses = textbook(100)
    found = [read(rates, np.append(losses[:-1], last), smoothing=0.1).minimum for last in (50.0, 1e8)]
    assert found[0] == found[1]


def test_it_stops_where_the_loss_explodes_and_says_so() -> None:
    model = model_torch()
    tests = [climb(Loop(model, sgd(model.parameters())), min_lr=1e-3, max_lr=1e4, steps=200)]
    network = model_keras(keras.optimizers.SGD(0.05, momentum=0.9))
    tests.append(range_test.range_test_keras(network, BATCHES, min_lr=1e-3, max_lr=1e4, steps=200))
    for test in tests:
        assert len(test.rates) == len(test.losses) < 200
        assert test.steepest < test.minimum < test.divergence == test.rates[-1]
        assert 0.01 < test.divergence < 300
        np.testing.assert_allclose(test.rates, np.geomspace(1e-3, 1e4, 200)[: len(test.rates)], rtol=1e-11)


def test_smoothing_moves_no_minimum_and_keeps_a_straight_line_straight() -> None:
    losses = np.abs(np.arange(21) - 10.0)
    assert np.argmin(range_test.smoothed(losses, 4)) == 10
    line = np.arange(21.0)
    assert np.allclose(range_test.smoothed(line, 3)[3:-3], line[3:-3])
    with pytest.raises(ValueError, match="width must be at least 0, got -1"):
        range_test.smoothed(line, -1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"min_lr": 1.0, "max_lr": 0.1}, "max_lr must be above min_lr"),
        ({"stop_factor": 1}, "stop_factor must be above 1, got 1"),
        ({"smoothing": 0.5}, r"smoothing is a fraction of the ladder, .* got 0\.5"),
        ({"restore": [3]}, "restore holds what has state_dict and load_state_dict, got 3"),
        ({"step": lambda: None}, "must return the loss of its batch, one number; it returned None"),
    ],
)
def test_what_cannot_work_is_refused(options: dict, message: str) -> None:
    weight = torch.ones(1, requires_grad=True)
    with pytest.raises((ValueError, TypeError), match=message):
        range_test.range_test_torch(**{"step": lambda: 1.0, "optimizer": torch.optim.SGD([weight], lr=0.1)} | options)
    with pytest.raises(ValueError, match="give at least one range test"):
        range_test.summarise([])
