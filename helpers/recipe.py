"""What is done to the images, the loss and the arithmetic while training: the same in PyTorch and in Keras.

The random choices of an update depend on the run's seed and the update's number, and on nothing else. So both
frameworks see the same crops, and a run can be repeated from the middle.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["PLAIN", "Recipe"]

Images = TypeVar("Images")  # a NumPy array, or a PyTorch tensor on any device


@dataclass(frozen=True)
class Recipe:
    """Augmentation, label smoothing, precision. Everything is off unless it is asked for.

    Parameters
    ----------
    flip : bool
        Mirror half of the images.
    pad : int
        Move each image by up to so many pixels each way, filled by reflection.
    cutout : int
        Side, in pixels, of a square that is painted over in the mean colour, its centre anywhere in the image.
    label_smoothing : float
        The part of the target spread over all classes, in [0, 1); in training only.
    bfloat16 : bool
        Compute in bfloat16, keep weights, loss and optimizer in float32.
    channels_last : bool
        PyTorch's memory layout for fast convolutions.

    Raises
    ------
    ValueError
        For sizes that are negative or not whole, and a label smoothing outside [0, 1).

    References
    ----------
    Flips and shifts as in He et al. 2015 (arXiv 1512.03385, section 4.2; there padded with zeros). Cutout: DeVries &
    Taylor 2017 (arXiv 1708.04552). Label smoothing: Szegedy et al. 2015 (arXiv 1512.00567, section 7).
    """

    flip: bool = False
    pad: int = 0
    cutout: int = 0
    label_smoothing: float = 0.0
    bfloat16: bool = False
    channels_last: bool = False

    def __post_init__(self) -> None:
        for name in ("pad", "cutout"):
            size = getattr(self, name)
            if isinstance(size, bool) or not isinstance(size, int) or size < 0:
                raise ValueError(f"{name} must be a whole number of pixels, at least 0, got {size!r}")
        if not 0 <= self.label_smoothing < 1:
            raise ValueError(f"label_smoothing must be at least 0 and below 1, got {self.label_smoothing!r}")

    def augment(self, images: Images, *, seed: int, update: int, fill: ArrayLike = 0) -> Images:
        """The images of an update, as its network sees them.

        Parameters
        ----------
        images : ndarray or Tensor, shape (batch, height, width, channels)
            Not changed. (Without augmentation any examples will do.)
        seed : int
            Of the run.
        update : int
            Its number, from 0.
        fill : array_like, shape () or (channels,)
            The colour of what is cut out.

        Returns
        -------
        ndarray or Tensor, shape (batch, height, width, channels)
            What ``images`` is, of the same type; a tensor on the same device.

        Raises
        ------
        ValueError
            When the images are not larger than ``pad``: there would be nothing to reflect.

        Examples
        --------
        >>> batch = np.arange(8, dtype=np.uint8).reshape(2, 2, 2, 1)
        >>> mirrored = Recipe(flip=True).augment(batch, seed=0, update=0)
        >>> mirrored[0, :, :, 0].tolist(), mirrored[1, :, :, 0].tolist()
        ([[0, 1], [2, 3]], [[5, 4], [7, 6]])
        """
        if not (self.flip or self.pad or self.cutout):
            return images
        array: Any = images
        count, height, width = array.shape[:3]
        if self.pad >= min(height, width):
            raise ValueError(f"images of {height} x {width} cannot be moved by up to {self.pad} pixels")
        rng = np.random.default_rng([seed, update])
        if self.flip or self.pad:
            down, right = rng.integers(-self.pad, self.pad + 1, (2, count, 1))
            rows = _reflect(np.arange(height) + down, height)
            columns = _reflect(np.arange(width) + right, width)
            mirrored = rng.random((count, 1)) < (0.5 if self.flip else 0.0)
            columns = np.where(mirrored, width - 1 - columns, columns)
            which = np.arange(count)[:, None, None]
            array = array[tuple(_like(array, part) for part in (which, rows[:, :, None], columns[:, None, :]))]
        if self.cutout:
            array = self._cut_out(array, rng, fill)
        return array

    def _cut_out(self, array: Any, rng: np.random.Generator, fill: ArrayLike) -> Any:
        count, height, width = array.shape[:3]

        def covered(size: int) -> NDArray[np.bool_]:
            start = rng.integers(0, size, (count, 1)) - self.cutout // 2
            return (np.arange(size) >= start) & (np.arange(size) < start + self.cutout)

        square = covered(height)[:, :, None, None] & covered(width)[:, None, :, None]
        if isinstance(array, np.ndarray):
            return np.where(square, np.asarray(fill, dtype=array.dtype), array)
        return array.where(~_like(array, square), _like(array, np.asarray(fill)).to(array.dtype))


def _reflect(places: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """Places outside 0 to size - 1, mirrored back into the image without repeating its edge."""
    return size - 1 - abs(size - 1 - abs(places))


def _like(array: Any, values: NDArray[Any]) -> Any:
    """``values`` as whatever ``array`` is, and where it is."""
    if isinstance(array, np.ndarray):
        return values
    import torch  # only who has a tensor needs it

    return torch.from_numpy(np.ascontiguousarray(values)).to(array.device)


PLAIN = Recipe()
