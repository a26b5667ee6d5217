"""The same networks in both frameworks: same layers, same initial distribution, same BatchNorm constants.

Small ones for handwritten digits; residual ones for small colour images, ResNet-20 and its kin and the fast ResNet-9;
two for text, a fully connected one and a Transformer. Every network ends in logits. `copy_weights` makes a PyTorch
network equal to its Keras twin, number by number.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import torch
from keras import layers, ops
from torch import nn
from torch.nn import functional

__all__ = [
    "NETWORKS",
    "Network",
    "cnn_keras",
    "cnn_torch",
    "copy_weights",
    "letters_keras",
    "letters_torch",
    "mlp_keras",
    "mlp_torch",
    "resnet9_keras",
    "resnet9_torch",
    "resnet_keras",
    "resnet_torch",
    "transformer_keras",
    "transformer_torch",
]

ImageShape = tuple[int, int, int]  # height, width, channels
BN_EPSILON, BN_KEEP = 1e-5, 0.9  # Keras' momentum 0.9 is PyTorch's 0.1
LN_EPSILON = 1e-5  # of LayerNorm, as in PyTorch
LETTERS_SCALE = 0.2  # of the embeddings of `letters_torch` at the start
LOGIT_SCALE = 0.125  # ResNet-9 divides its logits by 8, which softens its first steps


def mlp_torch(
    image_shape: ImageShape, *, hidden: Sequence[int] = (128,), classes: int = 10, seed: int = 0
) -> nn.Module:
    """Fully connected ReLU network for images (batch, channels, height, width).

    Parameters
    ----------
    image_shape : tuple of int
        Height, width, channels.
    hidden : sequence of int
        Width of each hidden layer.
    classes : int
        How many logits there are.
    seed : int
        Of the initial weights.

    Examples
    --------
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

    Parameters
    ----------
    image_shape, hidden, classes, seed
        As in `mlp_torch`.

    Examples
    --------
    >>> mlp_keras((28, 28, 1)).output_shape
    (None, 10)
    """
    seeds = _seeds(seed)
    body = [layers.Dense(width, activation="relu", **_he_uniform(next(seeds))) for width in hidden]
    logits = _head(classes, next(seeds))
    # Permute: pixels in PyTorch's order (channels first), so that the first layer's weights mean the same
    return keras.Sequential([keras.Input(image_shape), layers.Permute((3, 1, 2)), layers.Flatten(), *body, logits])


def _convolutions(widths: Sequence[int]) -> list[tuple[int, int, int]]:
    """Width, kernel size and stride of each convolution: the first two halve the image, which makes the rest cheap."""
    return [(width, 5 if i == 0 else 3, 2 if i < 2 else 1) for i, width in enumerate(widths)]


def cnn_torch(
    image_shape: ImageShape, *, widths: Sequence[int] = (16, 32, 64), classes: int = 10, seed: int = 0
) -> nn.Module:
    """Convolution, BatchNorm, ReLU for each width, then the maximum over the image; 25 thousand weights by default.

    Parameters
    ----------
    image_shape, classes, seed
        As in `mlp_torch`.
    widths : sequence of int
        Channels of each convolution; the first two halve the image.

    Examples
    --------
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

    Parameters
    ----------
    image_shape, widths, classes, seed
        As in `cnn_torch`.

    Examples
    --------
    >>> cnn_keras((28, 28, 1)).output_shape
    (None, 10)
    """
    seeds = _seeds(seed)
    body = [keras.Input(image_shape)]
    for width, kernel, stride in _convolutions(widths):
        # explicit padding: "same" with a stride pads one side only, and PyTorch both
        body += [layers.ZeroPadding2D(kernel // 2)]
        body += [layers.Conv2D(width, kernel, strides=stride, use_bias=False, **_he_uniform(next(seeds)))]
        body += [layers.BatchNormalization(epsilon=BN_EPSILON, momentum=BN_KEEP), layers.ReLU()]
    return keras.Sequential([*body, layers.GlobalMaxPooling2D(), _head(classes, next(seeds))])


# ------------------------------------------------------------------------ residual, PyTorch
def _conv_torch(channels: int, width: int, stride: int = 1, *, relu: bool = True) -> list[nn.Module]:
    convolution = nn.Conv2d(channels, width, 3, stride=stride, padding=1, bias=False)
    normed = nn.BatchNorm2d(width, eps=BN_EPSILON, momentum=1 - BN_KEEP)
    return [convolution, normed, nn.ReLU()] if relu else [convolution, normed]


class _BasicBlock(nn.Module):
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

    Parameters
    ----------
    image_shape, classes, seed
        As in `mlp_torch`.
    blocks : int
        In every stage, of two convolutions each.
    widths : sequence of int
        Channels of each stage; from the second on a stage halves the image. The count of layers above is that of three.

    References
    ----------
    He et al. 2015, arXiv 1512.03385, section 4.2.

    Examples
    --------
    >>> sum(weight.numel() for weight in resnet_torch((32, 32, 3)).parameters())  # the paper says 0.27 million
    269722
    """
    body: list[nn.Module] = _conv_torch(image_shape[2], widths[0])
    for before, width, stride in _residual_stages(blocks, widths):
        body.append(_BasicBlock(before, width, stride))
    top = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(widths[-1], classes)]
    return initialise(nn.Sequential(*body, *top), seed)


def _residual_stages(blocks: int, widths: Sequence[int]) -> Iterator[tuple[int, int, int]]:
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

    Parameters
    ----------
    image_shape, classes, seed
        As in `mlp_torch`.
    widths : sequence of int
        Channels of the first convolution, then of each stage. A stage halves the image; all but the second end with a
        residual pair of convolutions.
    stem_stride : int
        Of the first convolution: 2 halves the image at once, which with narrow ``widths`` makes it trainable on a CPU.

    Examples
    --------
    >>> resnet9_torch((32, 32, 3), widths=(8, 16, 32, 64))(torch.zeros(2, 3, 32, 32)).shape
    torch.Size([2, 10])
    """
    body: list[nn.Module] = _conv_torch(image_shape[2], widths[0], stem_stride)
    for stage, (before, width) in enumerate(itertools.pairwise(widths)):
        body += [*_conv_torch(before, width), nn.MaxPool2d(2)]
        body += [_Residual(width)] if stage != 1 else []
    top = [nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(widths[-1], classes, bias=False), _Scale()]
    return initialise(nn.Sequential(*body, *top), seed)


# -------------------------------------------------------------------------- residual, Keras
def _conv_keras(x: Any, width: int, seeds: Iterator[int], stride: int = 1, *, relu: bool = True) -> Any:
    x = layers.ZeroPadding2D(1)(x)  # "same" with a stride pads one side only, and PyTorch both
    x = layers.Conv2D(width, 3, strides=stride, use_bias=False, **_he_uniform(next(seeds)))(x)
    x = layers.BatchNormalization(epsilon=BN_EPSILON, momentum=BN_KEEP)(x)
    return layers.ReLU()(x) if relu else x


def _basic_block_keras(x: Any, channels: int, width: int, stride: int, seeds: Iterator[int]) -> Any:
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

    Parameters
    ----------
    image_shape, blocks, widths, classes, seed
        As in `resnet_torch`.

    Examples
    --------
    >>> resnet_keras((32, 32, 3)).output_shape
    (None, 10)
    """
    seeds, inputs = _seeds(seed), keras.Input(image_shape)
    x = _conv_keras(inputs, widths[0], seeds)
    for before, width, stride in _residual_stages(blocks, widths):
        x = _basic_block_keras(x, before, width, stride, seeds)
    return keras.Model(inputs, _head(classes, next(seeds))(layers.GlobalAveragePooling2D()(x)))


def resnet9_keras(
    image_shape: ImageShape,
    *,
    widths: Sequence[int] = (64, 128, 256, 512),
    stem_stride: int = 1,
    classes: int = 10,
    seed: int = 0,
) -> keras.Model:
    """The network of `resnet9_torch`, for images (batch, height, width, channels).

    Parameters
    ----------
    image_shape, widths, stem_stride, classes, seed
        As in `resnet9_torch`.

    Examples
    --------
    >>> resnet9_keras((32, 32, 3), widths=(8, 16, 32, 64)).output_shape
    (None, 10)
    """
    seeds, inputs = _seeds(seed), keras.Input(image_shape)
    x = _conv_keras(inputs, widths[0], seeds, stem_stride)
    for stage, width in enumerate(widths[1:]):
        x = layers.MaxPooling2D(2)(_conv_keras(x, width, seeds))
        if stage != 1:
            x = layers.Add()([x, _conv_keras(_conv_keras(x, width, seeds), width, seeds)])
    x = _head(classes, next(seeds), use_bias=False)(layers.GlobalMaxPooling2D()(x))
    return keras.Model(inputs, layers.Rescaling(LOGIT_SCALE)(x))


# ------------------------------------------------------------------------------------------- text
def letters_torch(
    context: int = 8, *, symbols: int = 97, embedding: int = 12, hidden: int = 96, seed: int = 0
) -> nn.Module:
    """Guesses the next symbol from those before it: embeddings, one ReLU layer; 20 thousand weights by default.

    Parameters
    ----------
    context : int
        How many symbols it sees: text of shape (batch, context).
    symbols : int
        How many there are: of ``data.ALPHABET`` by default.
    embedding, hidden : int
        Numbers that stand for each symbol; width of the ReLU layer.
    seed : int
        Of the initial weights.

    References
    ----------
    The network of Bengio et al. 2003, "A neural probabilistic language model", with letters for words.

    Examples
    --------
    >>> letters_torch()(torch.zeros(2, 8, dtype=torch.uint8)).shape
    torch.Size([2, 97])
    """
    body = [_Symbols(symbols, embedding), nn.Flatten(), nn.Linear(context * embedding, hidden), nn.ReLU()]
    return initialise(nn.Sequential(*body, nn.Linear(hidden, symbols)), seed)


def letters_keras(
    context: int = 8, *, symbols: int = 97, embedding: int = 12, hidden: int = 96, seed: int = 0
) -> keras.Model:
    """The network of `letters_torch`, for text (batch, context).

    Parameters
    ----------
    context, symbols, embedding, hidden, seed
        As in `letters_torch`.

    Examples
    --------
    >>> letters_keras().output_shape
    (None, 97)
    """
    seeds = _seeds(seed)
    known = layers.Embedding(symbols, embedding, embeddings_initializer=_normal(LETTERS_SCALE, next(seeds)))
    body = [known, layers.Flatten(), layers.Dense(hidden, activation="relu", **_he_uniform(next(seeds)))]
    return keras.Sequential([keras.Input((context,), dtype="int32"), *body, _head(symbols, next(seeds))])


class _Symbols(nn.Embedding):
    """An embedding that takes whole numbers of any type."""

    def forward(self, symbols: torch.Tensor) -> torch.Tensor:
        return super().forward(symbols.long())


class _Places(nn.Embedding):
    """Adds to each place of a text what has been learned for that place."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.weight[: x.shape[-2]]


class _Attention(nn.Module):
    """Causal self-attention: no place sees what comes after it."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.mix, self.out = nn.Linear(width, 3 * width, bias=False), nn.Linear(width, width, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, places, width = x.shape
        mixed = self.mix(x).reshape(batch, places, 3, self.heads, width // self.heads)
        query, key, value = mixed.permute(2, 0, 3, 1, 4)
        seen = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        return self.out(seen.transpose(1, 2).reshape(batch, places, width))


class _Added(nn.Module):
    """x + body(LayerNorm(x)): "pre-norm"."""

    def __init__(self, width: int, *body: nn.Module) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.LayerNorm(width, eps=LN_EPSILON), *body)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.body(x)


def transformer_torch(
    context: int = 64,
    *,
    symbols: int = 97,
    width: int = 64,
    heads: int = 4,
    blocks: int = 2,
    seed: int = 0,
) -> nn.Module:
    """A pre-norm Transformer that guesses the next symbol at every place; 116 thousand weights by default.

    Parameters
    ----------
    context : int
        The longest text it can see: (batch, places), with up to so many places. Logits are (batch, places, symbols).
    symbols, seed
        As in `letters_torch`.
    width, heads, blocks : int
        Numbers that stand for each place; attention heads that share them; blocks of attention and a ReLU layer.

    References
    ----------
    Radford et al. 2019, "Language models are unsupervised multitask learners" (GPT-2), section 2.3: the order of the
    layers and the smaller start of what is added; with ReLU in the place of GELU, which on a CPU is faster.

    Examples
    --------
    >>> sum(weight.numel() for weight in transformer_torch().parameters())
    116096
    >>> transformer_torch()(torch.zeros(2, 5, dtype=torch.uint8)).shape
    torch.Size([2, 5, 97])
    """
    body: list[nn.Module] = [_Symbols(symbols, width), _Places(context, width)]
    for _ in range(blocks):
        body += [_Added(width, _Attention(width, heads))]
        body += [_Added(width, nn.Linear(width, 4 * width), nn.ReLU(), nn.Linear(4 * width, width))]
    model = nn.Sequential(*body, nn.LayerNorm(width, eps=LN_EPSILON), nn.Linear(width, symbols, bias=False))
    generator = torch.Generator().manual_seed(seed)
    for name, weight in model.named_parameters():
        if weight.ndim > 1:  # scales and biases start at 1 and 0
            last = name.endswith(("out.weight", "body.3.weight"))
            weight.data.normal_(0.0, 0.02 / math.sqrt(2 * blocks) if last else 0.02, generator=generator)
        elif name.endswith("bias"):
            nn.init.zeros_(weight)
    return model


@keras.saving.register_keras_serializable(package="learning_rate_schedules")
class _PlacesKeras(layers.Layer):
    """As `_Places`."""

    def __init__(self, places: int, seed: int = 0, **options: Any) -> None:
        super().__init__(**options)
        self.places, self.seed = places, seed

    def build(self, shape: Any) -> None:
        self.learned = self.add_weight((self.places, shape[-1]), initializer=_normal(0.02, self.seed), name="places")

    def call(self, x: Any) -> Any:
        return x + self.learned[: ops.shape(x)[-2]]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "places": self.places, "seed": self.seed}


def transformer_keras(
    context: int = 64,
    *,
    symbols: int = 97,
    width: int = 64,
    heads: int = 4,
    blocks: int = 2,
    seed: int = 0,
) -> keras.Model:
    """The network of `transformer_torch`, for text (batch, context).

    Parameters
    ----------
    context, symbols, width, heads, blocks, seed
        As in `transformer_torch`; here every text has ``context`` places.

    Examples
    --------
    >>> transformer_keras().count_params(), transformer_keras().output_shape
    (116096, (None, 64, 97))
    """
    seeds, inputs = _seeds(seed), keras.Input((context,), dtype="int32")

    def dense(units: int, scale: float = 0.02, **options: Any) -> layers.Dense:
        return layers.Dense(units, kernel_initializer=_normal(scale, next(seeds)), **options)

    small = 0.02 / math.sqrt(2 * blocks)
    x = layers.Embedding(symbols, width, embeddings_initializer=_normal(0.02, next(seeds)))(inputs)
    x = _PlacesKeras(context, next(seeds))(x)
    for _ in range(blocks):
        mixed = dense(3 * width, use_bias=False)(layers.LayerNormalization(epsilon=LN_EPSILON)(x))
        split = ops.split(ops.reshape(mixed, (-1, context, 3 * heads, width // heads)), 3, axis=2)
        seen = ops.reshape(ops.dot_product_attention(*split, is_causal=True), (-1, context, width))
        x = layers.Add()([x, dense(width, small, use_bias=False)(seen)])
        wide = dense(4 * width, activation="relu")(layers.LayerNormalization(epsilon=LN_EPSILON)(x))
        x = layers.Add()([x, dense(width, small)(wide)])
    x = layers.LayerNormalization(epsilon=LN_EPSILON)(x)
    return keras.Model(inputs, dense(symbols, use_bias=False)(x))


# ----------------------------------------------------------------------------------------- shared
def _normal(scale: float, seed: int) -> keras.initializers.Initializer:
    return keras.initializers.RandomNormal(stddev=scale, seed=seed)


def _he_uniform(seed: int) -> dict[str, keras.initializers.Initializer]:
    """The weights of every Keras layer before a ReLU: He-uniform."""
    return {"kernel_initializer": keras.initializers.HeUniform(seed=seed)}


def _seeds(seed: int) -> Iterator[int]:
    """A seed for each layer of a Keras network."""
    return iter(range(seed * 1000, seed * 1000 + 1000))


def _head(classes: int, seed: int, *, use_bias: bool = True) -> keras.layers.Layer:
    """The last layer of every Keras network here: logits, LeCun-uniform weights."""
    return layers.Dense(classes, use_bias=use_bias, kernel_initializer=keras.initializers.LecunUniform(seed=seed))


def initialise(model: nn.Module, seed: int) -> nn.Module:
    """He-uniform weights before a ReLU, LeCun-uniform before the logits, zero biases: as in the Keras twins.

    Embeddings are normal, with deviation `LETTERS_SCALE`.
    """
    generator = torch.Generator().manual_seed(seed)
    for module in model.modules():
        if isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight, std=LETTERS_SCALE, generator=generator)
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
    kinds = (nn.Linear, nn.Conv2d, nn.BatchNorm2d, nn.LayerNorm, nn.Embedding)
    weighted = [layer for layer in source.layers if layer.weights]
    modules = [module for module in target.modules() if isinstance(module, kinds)]
    if len(weighted) != len(modules):
        raise ValueError(f"not the same network: {len(weighted)} layers with weights against {len(modules)}")
    with torch.no_grad():
        for layer, module in zip(weighted, modules, strict=True):
            values = [torch.from_numpy(np.array(value)) for value in layer.get_weights()]
            if isinstance(module, nn.BatchNorm2d):
                slots = [module.weight, module.bias, module.running_mean, module.running_var]
            else:
                slots = list(module.parameters())
                if not isinstance(module, (nn.LayerNorm, nn.Embedding)):
                    values[0] = values[0].permute(3, 2, 0, 1) if values[0].ndim == 4 else values[0].T
            for slot, value in zip(slots, values, strict=True):
                if slot is None or slot.shape != value.shape:
                    raise ValueError(f"not the same network: {layer.name} holds {tuple(value.shape)}")
                slot.copy_(value)


# ------------------------------------------------------------------------------------- by name
@dataclass(frozen=True)
class Network:
    """A network in both frameworks.

    Parameters
    ----------
    torch, keras : callable
        Take the shape of an image, or (places,) of a text, and a seed; return the twins.
    batch_norm : bool
        Whether it has any BatchNorm.
    """

    torch: Callable[..., nn.Module]
    keras: Callable[..., keras.Model]
    batch_norm: bool = True


def _of_text(builder: Callable[..., Any]) -> Callable[..., Any]:
    """A network of text, built from the shape of its input."""

    def build(shape: tuple[int, ...], *, seed: int) -> Any:
        return builder(shape[0], seed=seed)

    return build


def _narrow(builder: Callable[..., Any]) -> Callable[..., Any]:
    """A ResNet-9 of 104 thousand weights, for a CPU."""
    return functools.partial(builder, widths=(8, 16, 32, 64), stem_stride=2)


NETWORKS = {
    "mlp": Network(mlp_torch, mlp_keras, batch_norm=False),
    "mlp narrow": Network(
        functools.partial(mlp_torch, hidden=(32,)), functools.partial(mlp_keras, hidden=(32,)), batch_norm=False
    ),
    "cnn": Network(cnn_torch, cnn_keras),
    "resnet20": Network(resnet_torch, resnet_keras),
    "resnet9": Network(resnet9_torch, resnet9_keras),
    "resnet9 narrow": Network(_narrow(resnet9_torch), _narrow(resnet9_keras)),
    "transformer": Network(_of_text(transformer_torch), _of_text(transformer_keras), batch_norm=False),
}
