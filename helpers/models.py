"""The same small networks in both frameworks: same layers, same initial distribution, same BatchNorm constants.

Every network ends in logits. `copy_weights` makes a PyTorch network equal to its Keras twin, number by number.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import keras
import numpy as np
import torch
from keras import layers
from torch import nn

__all__ = ["cnn_keras", "cnn_torch", "copy_weights", "mlp_keras", "mlp_torch"]

ImageShape = tuple[int, int, int]  # height, width, channels
BN_EPSILON, BN_KEEP = 1e-5, 0.9  # Keras' momentum 0.9 is PyTorch's 0.1


def mlp_torch(
    image_shape: ImageShape, *, hidden: Sequence[int] = (128,), classes: int = 10, seed: int = 0
) -> nn.Module:
    """Fully connected ReLU network for images (batch, channels, height, width).

    >>> mlp_torch((28, 28, 1))(torch.zeros(2, 1, 28, 28)).shape
    torch.Size([2, 10])
    """
    widths = [int(np.prod(image_shape)), *hidden]
    body: list[nn.Module] = [nn.Flatten()]
    for width_in, width_out in itertools.pairwise(widths):
        body += [nn.Linear(width_in, width_out), nn.ReLU()]
    return initialise(nn.Sequential(*body, nn.Linear(widths[-1], classes)), seed)


def mlp_keras(
    image_shape: ImageShape, *, hidden: Sequence[int] = (128,), classes: int = 10, seed: int = 0
) -> keras.Model:
    """Fully connected ReLU network for images (batch, height, width, channels).

    >>> mlp_keras((28, 28, 1)).output_shape
    (None, 10)
    """
    seeds = iter(range(seed * 1000, seed * 1000 + 1000))
    body = [layers.Dense(width, activation="relu", **he_uniform(next(seeds))) for width in hidden]
    logits = head(classes, next(seeds))
    # Permute: pixels in PyTorch's order (channels first), so that the first layer's weights mean the same
    return keras.Sequential([keras.Input(image_shape), layers.Permute((3, 1, 2)), layers.Flatten(), *body, logits])


def _convolutions(widths: Sequence[int]) -> list[tuple[int, int, int]]:
    """Width, kernel size and stride of each convolution: the first two halve the image, which makes the rest cheap."""
    return [(width, 5 if i == 0 else 3, 2 if i < 2 else 1) for i, width in enumerate(widths)]


def cnn_torch(
    image_shape: ImageShape, *, widths: Sequence[int] = (16, 32, 64), classes: int = 10, seed: int = 0
) -> nn.Module:
    """Convolution, BatchNorm, ReLU for each width, then the maximum over the image; 25 thousand weights by default.

    >>> cnn_torch((28, 28, 1))(torch.zeros(2, 1, 28, 28)).shape
    torch.Size([2, 10])
    """
    channels, body = image_shape[2], list[nn.Module]()
    for width, kernel, stride in _convolutions(widths):
        body += [nn.Conv2d(channels, width, kernel, stride=stride, padding=kernel // 2, bias=False)]
        body += [nn.BatchNorm2d(width, eps=BN_EPSILON, momentum=1 - BN_KEEP), nn.ReLU()]
        channels = width
    return initialise(nn.Sequential(*body, nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(channels, classes)), seed)


def cnn_keras(
    image_shape: ImageShape, *, widths: Sequence[int] = (16, 32, 64), classes: int = 10, seed: int = 0
) -> keras.Model:
    """Convolution, BatchNorm, ReLU for each width, then the maximum over the image; 25 thousand weights by default.

    >>> cnn_keras((28, 28, 1)).output_shape
    (None, 10)
    """
    seeds = iter(range(seed * 1000, seed * 1000 + 1000))
    body = [keras.Input(image_shape)]
    for width, kernel, stride in _convolutions(widths):
        # explicit padding: "same" with a stride pads one side only, and PyTorch both
        body += [layers.ZeroPadding2D(kernel // 2)]
        body += [layers.Conv2D(width, kernel, strides=stride, use_bias=False, **he_uniform(next(seeds)))]
        body += [layers.BatchNormalization(epsilon=BN_EPSILON, momentum=BN_KEEP), layers.ReLU()]
    return keras.Sequential([*body, layers.GlobalMaxPooling2D(), head(classes, next(seeds))])


def he_uniform(seed: int) -> dict[str, keras.initializers.Initializer]:
    """The weights of every Keras layer before a ReLU: He-uniform."""
    return {"kernel_initializer": keras.initializers.HeUniform(seed=seed)}


def head(classes: int, seed: int, *, use_bias: bool = True) -> keras.layers.Layer:
    """The last layer of every Keras network here: logits, LeCun-uniform weights."""
    return layers.Dense(classes, use_bias=use_bias, kernel_initializer=keras.initializers.LecunUniform(seed=seed))


def initialise(model: nn.Module, seed: int) -> nn.Module:
    """He-uniform weights before a ReLU, LeCun-uniform before the logits, zero biases: as in the Keras twins."""
    generator = torch.Generator().manual_seed(seed)
    weighted = [module for module in model.modules() if isinstance(module, (nn.Linear, nn.Conv2d))]
    for module in weighted:
        last = module is weighted[-1]
        nn.init.kaiming_uniform_(module.weight, nonlinearity="linear" if last else "relu", generator=generator)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    return model


def copy_weights(source: keras.Model, target: nn.Module) -> None:
    """Copy every weight and BatchNorm statistic of a Keras network into its PyTorch twin.

    Raises ``ValueError`` when the two are not twins.
    """
    weighted = [layer for layer in source.layers if layer.weights]
    modules = [module for module in target.modules() if isinstance(module, (nn.Linear, nn.Conv2d, nn.BatchNorm2d))]
    if len(weighted) != len(modules):
        raise ValueError(f"not the same network: {len(weighted)} layers with weights against {len(modules)}")
    with torch.no_grad():
        for layer, module in zip(weighted, modules, strict=True):
            values = [torch.from_numpy(np.array(value)) for value in layer.get_weights()]
            if isinstance(module, nn.BatchNorm2d):
                slots = [module.weight, module.bias, module.running_mean, module.running_var]
            else:
                slots = [module.weight] if module.bias is None else [module.weight, module.bias]
                values[0] = values[0].permute(3, 2, 0, 1) if values[0].ndim == 4 else values[0].T
            for slot, value in zip(slots, values, strict=True):
                if slot is None or slot.shape != value.shape:
                    raise ValueError(f"not the same network: {layer.name} holds {tuple(value.shape)}")
                slot.copy_(value)
