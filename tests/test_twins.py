"""The whole recipe in both frameworks at once: same weights, same batches, PyTorch's rule: the same losses.

In float64 the two loss curves are one for 64 updates, to 1e-12, when Keras runs on TensorFlow. (Its PyTorch backend
takes the mean of the losses in float32, whatever the model's precision.) What separates them in float32 is rounding
alone; how fast it grows is decided by the network and the rate: BatchNorm behind a large rate multiplies it at every
update.
"""

import functools
from collections.abc import Iterator

import keras
import numpy as np
import pytest
import torch

from helpers import data, models, training
from helpers import schedules as s
from helpers.for_keras import SGD
from helpers.for_torch import drive
from helpers.recipe import Recipe

pytestmark = pytest.mark.full
RGB = data.load("digits_rgb").subset(640, 100)
EVERYTHING = Recipe(flip=True, pad=4, cutout=8, label_smoothing=0.125, channels_last=True)
NARROW = {"widths": (8, 16, 32, 64), "stem_stride": 2}
TWINS = {
    "mlp": (models.mlp_keras, models.mlp_torch),
    "cnn": (models.cnn_keras, models.cnn_torch),
    "resnet9": (
        functools.partial(models.resnet9_keras, **NARROW),
        functools.partial(models.resnet9_torch, **NARROW),
    ),
    "resnet8": (
        functools.partial(models.resnet_keras, blocks=1, widths=(4, 8, 16)),
        functools.partial(models.resnet_torch, blocks=1, widths=(4, 8, 16)),
    ),
}
# peak, momentum and decay with few bits: exact in Keras' float32 table as well
SGD_RULE = {"momentum": 0.875, "nesterov": True, "weight_decay": 2.0**-10}


def both(name: str, peak: float, updates: int, recipe: Recipe, *, double: bool) -> tuple[training.Run, training.Run]:
    plan = s.linear(peak, 0.0, updates)
    ours, twin = (build(RGB.image_shape) for build in TWINS[name])
    twin = twin.double() if double else twin
    models.copy_weights(ours, twin)
    optimizer = torch.optim.SGD(twin.parameters(), lr=1.0, **SGD_RULE)
    drive(optimizer, plan)
    options = {"updates": updates, "batch_size": 32, "recipe": recipe}
    theirs = training.fit_torch(twin, optimizer, RGB, device="cpu", **options)
    mine = training.fit_keras(ours, SGD(plan, torch_rule=True, **SGD_RULE), RGB, **options)
    for run in (theirs, mine):
        training.assert_trace(run, plan)
        assert len(run.losses) == updates
    return mine, theirs


@pytest.fixture
def double_precision() -> Iterator[None]:
    before = keras.config.floatx(), keras.config.dtype_policy()
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_floatx(before[0])
    keras.config.set_dtype_policy(before[1])


@pytest.mark.parametrize(("name", "peak"), [("mlp", 2.0**-5), ("cnn", 0.125), ("resnet9", 0.25), ("resnet8", 0.0625)])
def test_in_double_precision_the_two_loss_curves_are_one(name: str, peak: float, double_precision) -> None:
    mine, theirs = both(name, peak, 64, EVERYTHING, double=True)
    exact = keras.backend.backend() == "tensorflow"
    np.testing.assert_allclose(mine.losses, theirs.losses, rtol=1e-12 if exact else 2e-2)
    np.testing.assert_allclose(mine.losses[:3], theirs.losses[:3], rtol=1e-12 if exact else 2e-7)
    # statistics differ by design, n against n - 1 in the variance; without BatchNorm the test loss is the same too
    tolerance = 1e-12 if name == "mlp" and exact else 5e-3
    assert mine.evaluations[-1]["loss"] == pytest.approx(theirs.evaluations[-1]["loss"], rel=tolerance)


@pytest.mark.parametrize("name", ["letters", "transformer"])
def test_in_double_precision_the_two_loss_curves_of_a_text_are_one(name: str, double_precision) -> None:
    text, plan = data.load("stdlib_text"), s.linear(2.0**-4, 0.0, 32)
    if name == "letters":
        ours, twin = models.letters_keras(seed=1), models.letters_torch().double()
        text = text.windows(8, test=100)
    else:
        ours, twin = models.transformer_keras(16, width=16, seed=1), models.transformer_torch(16, width=16).double()
        text = text.windows(16, test=100, every=True)
    models.copy_weights(ours, twin)
    optimizer = torch.optim.SGD(twin.parameters(), lr=1.0, **SGD_RULE)
    drive(optimizer, plan)
    theirs = training.fit_torch(twin, optimizer, text, device="cpu", updates=32, batch_size=16)
    mine = training.fit_keras(ours, SGD(plan, torch_rule=True, **SGD_RULE), text, updates=32, batch_size=16)
    exact = keras.backend.backend() == "tensorflow"
    np.testing.assert_allclose(mine.losses, theirs.losses, rtol=1e-11 if exact else 2e-3)
    assert mine.evaluations[-1]["loss"] == pytest.approx(theirs.evaluations[-1]["loss"], rel=1e-6 if exact else 2e-3)
    assert mine.evaluations[-1]["accuracy"] == pytest.approx(theirs.evaluations[-1]["accuracy"], abs=1e-6)


@pytest.mark.parametrize("name", ["mlp", "resnet9"])
def test_in_single_precision_they_part_by_rounding_only(name: str) -> None:
    mine, theirs = both(name, 0.0625, 16, EVERYTHING, double=False)
    np.testing.assert_allclose(mine.losses[:4], theirs.losses[:4], rtol=1e-5)
    np.testing.assert_allclose(mine.losses, theirs.losses, rtol=1e-2)


def first_loss(recipe: Recipe) -> float:
    """Of the same network and batch; the weights stay in float32."""
    network = models.mlp_torch(RGB.image_shape)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01)
    run = training.fit_torch(network, optimizer, RGB, updates=8, batch_size=32, recipe=recipe, device="cpu")
    assert not run.diverged
    assert all(weight.dtype == torch.float32 for weight in network.parameters())
    return run.losses[0]


def test_bfloat16_computes_in_eight_bits_and_keeps_its_weights_in_more() -> None:
    half, plan = Recipe(bfloat16=True), s.linear(0.01, 0.0, 8)
    assert first_loss(half) != first_loss(Recipe())
    assert first_loss(half) == pytest.approx(first_loss(Recipe()), rel=0.02)
    with training.keras_precision(half):
        model = models.mlp_keras(RGB.image_shape)
    run = training.fit_keras(model, SGD(plan), RGB, updates=8, batch_size=32, recipe=half)
    training.assert_trace(run, plan)
    assert not run.diverged
    assert {weight.dtype for weight in model.weights} == {"float32"}
    assert model.layers[-1].compute_dtype == "bfloat16"
    assert keras.config.dtype_policy().name == "float32", "put back"
    with pytest.raises(ValueError, match=r"build it inside training\.keras_precision"):
        training.fit_keras(models.mlp_keras(RGB.image_shape), SGD(plan), RGB, recipe=half)


def test_test_images_are_judged_without_smoothing_in_both() -> None:
    smooth = Recipe(label_smoothing=0.5)
    mine, theirs = both("mlp", 2.0**-5, 4, smooth, double=False)
    plain, _ = both("mlp", 2.0**-5, 4, Recipe(), double=False)
    assert mine.losses[0] != pytest.approx(plain.losses[0], rel=1e-3)
    assert mine.evaluations[-1]["loss"] == pytest.approx(theirs.evaluations[-1]["loss"], rel=1e-5)
    assert set(mine.evaluations[-1]) == {"updates", "loss", "accuracy"}
