"""Residual networks for small colour images, in both frameworks: ResNet-20 and its kin, and the fast ResNet-9.

As in `models`: the same layers, initial distributions and BatchNorm constants, logits at the end, and
``models.copy_weights`` makes a PyTorch network equal to its Keras twin.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import torch
from keras import layers, ops
from torch import nn
from torch.nn import functional

from .models import BN_EPSILON, BN_KEEP, ImageShape, he_uniform, head, initialise

__all__ = ["resnet9_keras", "resnet9_torch", "resnet_keras", "resnet_torch"]

LOGIT_SCALE = 0.125  # ResNet-9 divides its logits by 8, which softens its first steps


# ---------------------------------------------------------------------------------------- PyTorch
def _conv_torch(channels: int, width: int, stride: int = 1, *, relu: bool = True) -> list[nn.Module]:
    convolution = nn.Conv2d(channels, width, 3, stride=stride, padding=1, bias=False)
    normed = nn.BatchNorm2d(width, eps=BN_EPSILON, momentum=1 - BN_KEEP)
    return [convolution, normed, nn.ReLU()] if relu else [convolution, normed]


class _Block(nn.Module):
    """He et al.'s basic block: relu(shortcut + two convolutions); the shortcut has no weights (their option A)."""

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(*_conv_torch(channels, width, stride), *_conv_torch(width, width, relu=False))
        self.stride, self.extra = stride, width - channels

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        shortcut = functional.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.extra))
        return functional.relu(shortcut + self.body(x))


class _Residual(nn.Module):
    """x + two convolutions, as ResNet-9 has them."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(*_conv_torch(width, width), *_conv_torch(width, width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.body(x)


class _Scale(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return LOGIT_SCALE * x


def resnet_torch(
    image_shape: ImageShape,
    *,
    blocks: int = 3,
    widths: Sequence[int] = (16, 32, 64),
    classes: int = 10,
    seed: int = 0,
) -> nn.Module:
    """ResNet with 6 * ``blocks`` + 2 layers: 20 by default, 56 with 9 blocks; for (batch, channels, height, width).

    Source: He et al. 2015, arXiv 1512.03385, section 4.2.

    >>> sum(weight.numel() for weight in resnet_torch((32, 32, 3)).parameters())  # the paper says 0.27 million
    269722
    """
    body: list[nn.Module] = _conv_torch(image_shape[2], widths[0])
    for before, width, stride in _plan(blocks, widths):
        body.append(_Block(before, width, stride))
    top = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(widths[-1], classes)]
    return initialise(nn.Sequential(*body, *top), seed)


def _plan(blocks: int, widths: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """Channels before, width, stride of each block; from the second stage on, its first block halves the image."""
    for stage, width in enumerate(widths):
        for block in range(blocks):
            first = block == 0 and stage > 0
            yield (widths[stage - 1] if first else width), width, (2 if first else 1)


def resnet9_torch(
    image_shape: ImageShape,
    *,
    widths: Sequence[int] = (64, 128, 256, 512),
    stem_stride: int = 1,
    classes: int = 10,
    seed: int = 0,
) -> nn.Module:
    """The fast residual network of D. Page's DAWNBench entry (2018): 9 layers with weights, 6.6 million of them.

    stem_stride: 2 halves the image at once, which with narrow ``widths`` makes it trainable on a CPU.

    >>> resnet9_torch((32, 32, 3), widths=(8, 16, 32, 64))(torch.zeros(2, 3, 32, 32)).shape
    torch.Size([2, 10])
    """
    body: list[nn.Module] = _conv_torch(image_shape[2], widths[0], stem_stride)
    for stage, (before, width) in enumerate(itertools.pairwise(widths)):
        body += [*_conv_torch(before, width), nn.MaxPool2d(2)]
        body += [_Residual(width)] if stage != 1 else []
    top = [nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(widths[-1], classes, bias=False), _Scale()]
    return initialise(nn.Sequential(*body, *top), seed)


# ------------------------------------------------------------------------------------------ Keras
def _seeds(seed: int) -> Iterator[int]:
    return iter(range(seed * 1000, seed * 1000 + 1000))


def _conv_keras(x: Any, width: int, seeds: Iterator[int], stride: int = 1, *, relu: bool = True) -> Any:
    x = layers.ZeroPadding2D(1)(x)  # "same" with a stride pads one side only, and PyTorch both
    x = layers.Conv2D(width, 3, strides=stride, use_bias=False, **he_uniform(next(seeds)))(x)
    x = layers.BatchNormalization(epsilon=BN_EPSILON, momentum=BN_KEEP)(x)
    return layers.ReLU()(x) if relu else x


def _block_keras(x: Any, channels: int, width: int, stride: int, seeds: Iterator[int]) -> Any:
    body = _conv_keras(_conv_keras(x, width, seeds, stride), width, seeds, relu=False)
    shortcut = layers.MaxPooling2D(1, strides=stride)(x) if stride > 1 else x  # of one pixel: every second one
    if width > channels:
        shortcut = ops.pad(shortcut, ((0, 0), (0, 0), (0, 0), (0, width - channels)))
    return layers.ReLU()(layers.Add()([shortcut, body]))


def resnet_keras(
    image_shape: ImageShape,
    *,
    blocks: int = 3,
    widths: Sequence[int] = (16, 32, 64),
    classes: int = 10,
    seed: int = 0,
) -> keras.Model:
    """ResNet with 6 * ``blocks`` + 2 layers, as `resnet_torch`, for images (batch, height, width, channels).

    >>> resnet_keras((32, 32, 3)).output_shape
    (None, 10)
    """
    seeds, inputs = _seeds(seed), keras.Input(image_shape)
    x = _conv_keras(inputs, widths[0], seeds)
    for before, width, stride in _plan(blocks, widths):
        x = _block_keras(x, before, width, stride, seeds)
    return keras.Model(inputs, head(classes, next(seeds))(layers.GlobalAveragePooling2D()(x)))


def resnet9_keras(
    image_shape: ImageShape,
    *,
    widths: Sequence[int] = (64, 128, 256, 512),
    stem_stride: int = 1,
    classes: int = 10,
    seed: int = 0,
) -> keras.Model:
    """The network of `resnet9_torch`, for images (batch, height, width, channels).

    >>> resnet9_keras((32, 32, 3), widths=(8, 16, 32, 64)).output_shape
    (None, 10)
    """
    seeds, inputs = _seeds(seed), keras.Input(image_shape)
    x = _conv_keras(inputs, widths[0], seeds, stem_stride)
    for stage, width in enumerate(widths[1:]):
        x = layers.MaxPooling2D(2)(_conv_keras(x, width, seeds))
        if stage != 1:
            x = layers.Add()([x, _conv_keras(_conv_keras(x, width, seeds), width, seeds)])
    x = head(classes, next(seeds), use_bias=False)(layers.GlobalMaxPooling2D()(x))
    return keras.Model(inputs, layers.Rescaling(LOGIT_SCALE)(x))
