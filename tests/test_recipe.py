"""Augmentation: exactly what it says, the same in NumPy and PyTorch, decided by seed and update alone."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from helpers.recipe import PLAIN, Recipe
from tests.strategies import examples

IMAGES = np.random.default_rng(0).integers(0, 256, (40, 12, 10, 3), dtype=np.uint8)
recipes = st.builds(Recipe, flip=st.booleans(), pad=st.integers(0, 4), cutout=st.integers(0, 6))


@given(recipes, st.integers(0, 3), st.integers(0, 10_000))
@examples(25)
def test_numpy_and_torch_see_the_same_images(recipe: Recipe, seed: int, update: int) -> None:
    options = {"seed": seed, "update": update, "fill": np.array([3, 5, 250], dtype=np.uint8)}
    before = IMAGES.copy()
    ours = recipe.augment(IMAGES, **options)
    theirs = recipe.augment(torch.from_numpy(IMAGES), **options)
    assert ours.shape == IMAGES.shape
    assert ours.dtype == np.uint8
    assert theirs.dtype == torch.uint8
    assert np.array_equal(ours, theirs.numpy())
    assert np.array_equal(ours, recipe.augment(IMAGES, **options)), "decided by seed and update"
    assert np.array_equal(IMAGES, before)


def test_every_crop_is_one_of_the_reflected_image() -> None:
    """Against NumPy's own padding, all 5 x 5 places and both mirror images."""
    out = Recipe(flip=True, pad=2).augment(IMAGES, seed=0, update=0)
    seen = set()
    for image, crop in zip(IMAGES, out, strict=True):
        padded = np.pad(image, ((2, 2), (2, 2), (0, 0)), mode="reflect")
        places = [
            (down, right, mirrored)
            for down in range(5)
            for right in range(5)
            for mirrored in (False, True)
            if np.array_equal(padded[down : down + 12, right : right + 10][:, :: -1 if mirrored else 1], crop)
        ]
        assert len(places) == 1
        seen |= set(places)
    assert len(seen) > 25
    assert {mirrored for *_, mirrored in seen} == {False, True}


def test_half_of_the_images_are_mirrored_and_nothing_else_happens() -> None:
    many = np.tile(IMAGES, (50, 1, 1, 1))
    out = Recipe(flip=True).augment(many, seed=1, update=7)
    same, mirrored = (out == many).all((1, 2, 3)), (out == many[:, :, ::-1]).all((1, 2, 3))
    assert (same ^ mirrored).all()
    assert mirrored.mean() == pytest.approx(0.5, abs=0.05)


def test_cutout_paints_one_square_that_may_stand_over_the_edge() -> None:
    out = Recipe(cutout=4).augment(IMAGES, seed=0, update=0, fill=[1, 2, 3])
    areas = []
    for image, painted in zip(IMAGES, out, strict=True):
        changed = (image != painted).any(-1)
        rows, columns = np.flatnonzero(changed.any(1)), np.flatnonzero(changed.any(0))
        square = painted[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
        assert (square == [1, 2, 3]).all()
        areas.append(square.shape[0] * square.shape[1])
    assert max(areas) == 16
    assert min(areas) < 16


def test_plain_changes_nothing_and_the_update_decides() -> None:
    assert np.array_equal(PLAIN.augment(IMAGES, seed=0, update=0), IMAGES)
    recipe = Recipe(flip=True, pad=4)
    first, second = (recipe.augment(IMAGES, seed=0, update=update) for update in (0, 1))
    assert not np.array_equal(first, second)


def test_images_that_are_too_small_to_be_moved_are_refused() -> None:
    assert Recipe(pad=9).augment(IMAGES, seed=0, update=0).shape == IMAGES.shape
    with pytest.raises(ValueError, match="images of 12 x 10 cannot be moved by up to 10 pixels"):
        Recipe(pad=10).augment(IMAGES, seed=0, update=0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pad": -1}, "pad must be a whole number of pixels, at least 0, got -1"),
        ({"cutout": 2.5}, "cutout must be a whole number of pixels"),
        ({"pad": True}, "pad must be a whole number"),
        ({"label_smoothing": 1.0}, "label_smoothing must be at least 0 and below 1, got 1.0"),
        ({"label_smoothing": float("nan")}, "label_smoothing must be"),
    ],
)
def test_bad_input_is_refused(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Recipe(**options)
