"""helpers.curvature against the whole matrix of second derivatives, written out."""

import pytest
import torch
from torch import nn

from helpers.curvature import sharpness


@pytest.mark.parametrize("seed", range(3))
def test_it_is_the_largest_eigenvalue_of_the_whole_matrix(seed: int) -> None:
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)).double()
    x, y = torch.randn(20, 3).double(), torch.randn(20, 2).double()
    names, weights = zip(*model.named_parameters(), strict=True)
    shapes = [w.shape for w in weights]

    def loss_of(flat: torch.Tensor) -> torch.Tensor:
        parts = [part.view(shape) for part, shape in zip(flat.split([s.numel() for s in shapes]), shapes, strict=True)]
        out = torch.func.functional_call(model, dict(zip(names, parts, strict=True)), (x,))
        return ((out - y) ** 2).mean()

    flat = torch.cat([w.detach().reshape(-1) for w in weights])
    exact = torch.linalg.eigvalsh(torch.autograd.functional.hessian(loss_of, flat))[-1].item()
    loss = ((model(x) - y) ** 2).mean()
    assert sharpness(loss, model.parameters()) == pytest.approx(exact, rel=2e-3)
    assert sharpness(loss, model.parameters()) == sharpness(loss, model.parameters()), "the same digits every time"


def test_it_refuses_what_has_no_gradient() -> None:
    with pytest.raises(ValueError, match="no parameter requires a gradient"):
        sharpness(torch.zeros(()), [torch.zeros(3)])
