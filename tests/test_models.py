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


@pytest.mark.parametrize("build", [models.mlp_torch, models.cnn_torch])
def test_the_seed_decides_the_weights(build) -> None:
    a, b, c = (torch.cat([p.flatten() for p in build((28, 28, 1), seed=seed).parameters()]) for seed in (1, 1, 2))
    assert torch.equal(a, b)
    assert not torch.equal(a, c)


@pytest.mark.parametrize("build", [models.mlp_keras, models.cnn_keras])
def test_the_seed_decides_the_weights_in_keras(build) -> None:
    a, b, c = (np.concatenate([w.ravel() for w in build((28, 28, 1), seed=seed).get_weights()]) for seed in (1, 1, 2))
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
