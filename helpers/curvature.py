"""How sharply the loss of a real network bends: the number that 2 / learning rate is compared with."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse.linalg import LinearOperator, eigsh
from torch import Tensor

__all__ = ["sharpness"]


def sharpness(loss: Tensor, parameters: Iterable[Tensor], *, tolerance: float = 1e-3) -> float:
    """Largest eigenvalue of the matrix of second derivatives of ``loss`` with respect to ``parameters``.

    The matrix is never formed: Lanczos' method (SciPy's ``eigsh``) needs its products with vectors only, and each is
    one more backward pass.

    Parameters
    ----------
    loss : Tensor, shape ()
        Computed from the parameters, with its graph.
    parameters : iterable of Tensor
        Those that require no gradient are left out.
    tolerance : float
        Relative, of the eigenvalue.

    Returns
    -------
    float
        The largest with its sign: of -9 and 1 it is 1.

    Raises
    ------
    ValueError
        When no parameter requires a gradient.

    References
    ----------
    Pearlmutter 1994, "Fast exact multiplication by the Hessian".

    Examples
    --------
    >>> w = torch.tensor([1.0, 1.0, 1.0], requires_grad=True)
    >>> round(sharpness((torch.tensor([1.0, 5.0, 2.0]) * w**2).sum() / 2, [w]), 3)
    5.0
    """
    weights = [weight for weight in parameters if weight.requires_grad]
    if not weights:
        raise ValueError("no parameter requires a gradient: there is nothing to differentiate")
    slope = torch.cat([part.reshape(-1) for part in torch.autograd.grad(loss, weights, create_graph=True)])

    def times(vector: NDArray[np.float64]) -> NDArray[np.float64]:
        direction = torch.as_tensor(vector.reshape(-1), dtype=slope.dtype, device=slope.device)
        product = torch.autograd.grad(slope @ direction, weights, retain_graph=True)
        return torch.cat([part.reshape(-1) for part in product]).double().cpu().numpy()

    size = slope.numel()
    hessian = LinearOperator((size, size), matvec=times, dtype=np.float64)
    start = np.random.default_rng(0).standard_normal(size)  # the same start gives the same digits
    return float(eigsh(hessian, k=1, which="LA", tol=tolerance, v0=start, return_eigenvectors=False)[0])
