"""Vmapped runs are the runs of training.fit_torch, one at a time."""

import numpy as np
import pytest
import torch

from helpers import data, for_torch, models, runtime, schedules, training
from helpers.races.vmapped import fit_vmapped

DIGITS = data.load("digits").subset(640, 200)
K = np.arange(25)
PLANS = [schedules.constant(0.1), schedules.linear(0.2, 0.0, 25), schedules.one_cycle(0.2, 25, momentum=None)]


def build(seed: int) -> torch.nn.Module:
    return models.mlp_torch(DIGITS.image_shape, hidden=(16,), seed=seed)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_as_one_is_one_at_a_time(momentum: float) -> None:
    found = fit_vmapped(
        build, DIGITS, np.stack([plan(K) for plan in PLANS]), seeds=[3, 5], batch_size=64, momentum=momentum
    )
    assert (found.device, found.versions) == (runtime.device(), {"numpy": np.__version__, "torch": torch.__version__})
    assert found.seconds > 0
    assert found.source == DIGITS.source
    assert found.losses.shape == found.gradient_norms.shape == (3, 2, 25)
    for row, plan in enumerate(PLANS):
        for column, seed in enumerate([3, 5]):
            model = build(seed)
            optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=momentum)
            for_torch.drive(optimizer, plan)
            run = training.fit_torch(model, optimizer, DIGITS, updates=25, batch_size=64, seed=seed)
            training.assert_trace(run, plan)
            np.testing.assert_allclose(found.losses[row, column], run.losses, rtol=2e-4, atol=2e-5)
            assert found.accuracies[row, column] == pytest.approx(run.accuracy, abs=0.011)
            assert found.test_losses[row, column] == pytest.approx(run.evaluations[-1]["loss"], rel=1e-3)


def test_text_is_trained_like_images_and_looked_at_along_the_way() -> None:
    text = data.load("stdlib_text").windows(4, test=50)

    def build_text(seed: int) -> torch.nn.Module:
        return models.letters_torch(4, hidden=8, seed=seed)

    rates = np.stack([plan(K) for plan in PLANS[:2]])
    found = fit_vmapped(build_text, text, rates, seeds=[3], batch_size=16, momentum=0.9, evaluate=10)
    assert found.at.tolist() == [10, 20, 25]
    assert found.curves.shape == (2, 1, 3)
    np.testing.assert_array_equal(found.curves[..., -1], found.test_losses)
    for row, plan in enumerate(PLANS[:2]):
        model = build_text(3)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        for_torch.drive(optimizer, plan)
        run = training.fit_torch(model, optimizer, text, updates=25, batch_size=16, seed=3, evaluate=10)
        training.assert_trace(run, plan)
        np.testing.assert_allclose(found.losses[row, 0], run.losses, rtol=2e-4)
        np.testing.assert_allclose(found.curves[row, 0], [one["loss"] for one in run.evaluations], rtol=1e-3)


def test_gradient_norms_are_those_of_the_steps() -> None:
    """Plain SGD: the first step is rate times gradient, so its length says the norm."""
    model = build(0)
    before = torch.cat([w.detach().clone().reshape(-1) for w in model.parameters()])
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    training.fit_torch(model, optimizer, DIGITS, batch_size=64, seed=0, stop=lambda losses: True, evaluate=False)
    after = torch.cat([w.detach().reshape(-1) for w in model.parameters()])
    found = fit_vmapped(build, DIGITS, [[0.5]], seeds=[0], batch_size=64)
    assert found.gradient_norms[0, 0, 0] == pytest.approx(((after - before).norm() / 0.5).item(), rel=1e-4)


def test_a_run_that_diverges_has_no_accuracy_and_leaves_the_others_alone() -> None:
    rates = np.stack([np.full(30, 1e30), np.full(30, 0.1)])
    found = fit_vmapped(build, DIGITS, rates, seeds=[0, 1], batch_size=64)
    assert np.isnan(found.accuracies[0]).all()
    assert (found.errors[0] == 100).all()
    np.testing.assert_allclose(found.errors[1], 100 * (1 - found.accuracies[1]))
    assert (found.accuracies[1] > 0.5).all()


@pytest.mark.parametrize("rates", [[0.1, 0.2], [[0.1, -0.2]], [[np.nan]], [[]]])
def test_bad_rates_are_a_sentence(rates) -> None:
    with pytest.raises(ValueError, match="rows of finite learning rates"):
        fit_vmapped(build, DIGITS, rates, seeds=[0])


def test_looking_after_no_updates_is_refused() -> None:
    with pytest.raises(ValueError, match="evaluate: after every so many updates"):
        fit_vmapped(build, DIGITS, [[0.1]], seeds=[0], evaluate=0)


def test_batchnorm_is_refused() -> None:
    with pytest.raises(ValueError, match="with buffers"):
        fit_vmapped(lambda seed: models.cnn_torch(DIGITS.image_shape, seed=seed), DIGITS, [[0.1]], seeds=[0])
