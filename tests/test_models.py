"""The networks are the same in both frameworks: with the same weights they give the same logits."""

import keras
import numpy as np
import pytest
import torch

from helpers import models

TWINS = {
    "mlp": (models.mlp_keras, models.mlp_torch, {"hidden": (32, 16)}),
    "cnn": (models.cnn_keras, models.cnn_torch, {"widths": (4, 8, 12)}),
    "resnet": (models.resnet_keras, models.resnet_torch, {"widths": (4, 8, 16), "blocks": 2}),
    "resnet9": (models.resnet9_keras, models.resnet9_torch, {"widths": (4, 8, 12, 16)}),
    "resnet9, half size": (models.resnet9_keras, models.resnet9_torch, {"widths": (4, 8, 12, 16), "stem_stride": 2}),
}
SHAPES = [(28, 28, 1), (32, 32, 3)]


@pytest.mark.parametrize(("keras_model", "torch_model", "options"), TWINS.values(), ids=TWINS.keys())
@pytest.mark.parametrize("shape", SHAPES)
def test_twins_agree_in_training_and_in_evaluation(keras_model, torch_model, options, shape) -> None:
    ours, twin = keras_model(shape, **options, seed=3), torch_model(shape, **options, seed=4)
    models.copy_weights(ours, twin)
    x = np.random.default_rng(0).normal(size=(6, *shape)).astype(np.float32)
    as_torch = torch.from_numpy(x).permute(0, 3, 1, 2)
    for training in (True, False):  # the first call moves the BatchNorm statistics of both, the second uses them
        twin.train(training)
        with torch.no_grad():
            expected = twin(as_torch).numpy()
        found = keras.ops.convert_to_numpy(ours(x, training=training))
        if training:
            np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)
        else:  # Keras moves its variance with the biased estimate, PyTorch with the unbiased one: close, not equal
            np.testing.assert_allclose(found, expected, rtol=0.05, atol=0.2)


TEXT = {
    "letters": (models.letters_keras, models.letters_torch, {"context": 8, "hidden": 32}),
    "transformer": (models.transformer_keras, models.transformer_torch, {"context": 16, "width": 32, "blocks": 3}),
}


@pytest.mark.parametrize(("keras_model", "torch_model", "options"), TEXT.values(), ids=TEXT.keys())
def test_twins_for_text_agree_and_start_alike(keras_model, torch_model, options) -> None:
    ours, twin = keras_model(**options, seed=3), torch_model(**options, seed=4)
    for kernel, weight in zip(ours.get_weights(), twin.parameters(), strict=True):
        assert kernel.size == weight.numel()
        assert kernel.std() == pytest.approx(weight.detach().numpy().std(), rel=0.15)
    models.copy_weights(ours, twin)
    text = np.random.default_rng(0).integers(0, 97, (6, options["context"])).astype(np.uint8)
    with torch.no_grad():
        expected = twin(torch.from_numpy(text)).numpy()
    np.testing.assert_allclose(keras.ops.convert_to_numpy(ours(text)), expected, rtol=1e-3, atol=1e-5)


def test_the_transformer_sees_nothing_that_comes_later() -> None:
    network, text = models.transformer_torch(16), torch.randint(0, 97, (2, 16))
    changed = text.clone()
    changed[:, 10:] = 5
    with torch.no_grad():
        before, after = network(text), network(changed)
    torch.testing.assert_close(before[:, :10], after[:, :10])
    assert not torch.allclose(before[:, 10:], after[:, 10:])


def test_a_transformer_is_saved_and_loaded(tmp_path) -> None:
    network, text = models.transformer_keras(8, width=16, heads=2), np.arange(16).reshape(2, 8)
    network.save(tmp_path / "network.keras")
    again = keras.saving.load_model(tmp_path / "network.keras")
    np.testing.assert_array_equal(*(keras.ops.convert_to_numpy(one(text)) for one in (network, again)))


@pytest.mark.parametrize(("keras_model", "torch_model", "options"), TWINS.values(), ids=TWINS.keys())
def test_twins_start_from_the_same_distribution(keras_model, torch_model, options) -> None:
    ours, twin = keras_model((28, 28, 1), **options, seed=0), torch_model((28, 28, 1), **options, seed=0)
    keras_kernels = [w for w in ours.get_weights() if w.ndim > 1]
    torch_kernels = [p.detach().numpy() for p in twin.parameters() if p.ndim > 1]
    assert sum(w.size for w in ours.get_weights()) == sum(
        v.numel() for k, v in twin.state_dict().items() if "tracked" not in k
    )
    for a, b in zip(keras_kernels, torch_kernels, strict=True):
        assert a.size == b.size
        assert np.abs(a).max() == pytest.approx(np.abs(b).max(), rel=0.2)
        assert a.std() == pytest.approx(b.std(), rel=0.25)


IMAGES, CONTEXT = ((28, 28, 1),), (8,)


@pytest.mark.parametrize(
    ("build", "shape"),
    [
        (models.mlp_torch, IMAGES),
        (models.cnn_torch, IMAGES),
        (models.letters_torch, CONTEXT),
        (models.transformer_torch, CONTEXT),
    ],
)
def test_the_seed_decides_the_weights(build, shape) -> None:
    a, b, c = (torch.cat([p.flatten() for p in build(*shape, seed=seed).parameters()]) for seed in (1, 1, 2))
    assert torch.equal(a, b)
    assert not torch.equal(a, c)


@pytest.mark.parametrize(
    ("build", "shape"),
    [
        (models.mlp_keras, IMAGES),
        (models.cnn_keras, IMAGES),
        (models.letters_keras, CONTEXT),
        (models.transformer_keras, CONTEXT),
    ],
)
def test_the_seed_decides_the_weights_in_keras(build, shape) -> None:
    a, b, c = (np.concatenate([w.ravel() for w in build(*shape, seed=seed).get_weights()]) for seed in (1, 1, 2))
    assert np.array_equal(a, b)
    assert not np.array_equal(a, c)


def test_copying_between_different_networks_is_refused() -> None:
    with pytest.raises(ValueError, match="not the same network"):
        models.copy_weights(models.cnn_keras((28, 28, 1)), models.mlp_torch((28, 28, 1)))
    with pytest.raises(ValueError, match="not the same network"):
        models.copy_weights(models.mlp_keras((28, 28, 1)), models.mlp_torch((28, 28, 1), hidden=(64,)))


@pytest.mark.parametrize(("blocks", "millions"), [(3, 0.27), (5, 0.46), (7, 0.66), (9, 0.85), (18, 1.7)])
def test_resnets_have_as_many_weights_as_the_paper_says(blocks: int, millions: float) -> None:
    """Table 6 of He et al. 2015 (arXiv 1512.03385): ResNet-20, 32, 44, 56 and 110."""
    network = models.resnet_torch((32, 32, 3), blocks=blocks)
    assert sum(isinstance(module, (torch.nn.Conv2d, torch.nn.Linear)) for module in network.modules()) == 6 * blocks + 2
    assert sum(weight.numel() for weight in network.parameters()) / 1e6 == pytest.approx(millions, rel=0.025)
