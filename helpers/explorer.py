"""A picture with sliders. Where no kernel runs (on GitHub, in HTML, on paper) it is the picture alone.

>>> from helpers import plots
>>> def draw(lr):
...     figure, (axis,) = plots.panels()
...     axis.plot([1, 1 - lr])
...     axis.set(xlabel="update", ylabel="x")
...     return figure
>>> sliders = explore(draw, "A line from 1 to 1 - lr.", lr=(0.1, 2.5, 0.5))
>>> sliders.values, sliders._repr_mimebundle_()[0]["text/plain"]
({'lr': 0.5}, 'Figure: A line from 1 to 1 - lr.')
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import ipywidgets
from matplotlib.figure import Figure

from . import plots

__all__ = ["Explorer", "explore"]


class Explorer(ipywidgets.VBox):
    """Sliders above the figure that ``draw(**values)`` makes of their values; drawn again when one is moved."""

    def __init__(self, draw: Callable[..., Figure], alt: str, sliders: dict[str, Any]) -> None:
        self._draw, self._alt, self._sliders = draw, alt, sliders
        width = f"{int(100 * plots.WIDTH)}px"  # without it the picture is stretched to the page
        self._picture = ipywidgets.Image(format="png", layout={"max_width": width})
        super().__init__([*sliders.values(), self._picture])
        self._redraw()
        for slider in sliders.values():
            slider.observe(self._redraw, "value")

    @property
    def values(self) -> dict[str, float]:
        """What the sliders say now."""
        return {name: slider.value for name, slider in self._sliders.items()}

    def _redraw(self, change: Any = None) -> None:
        self._picture.value = plots.drawn(self._draw(**self.values), self._alt)

    def _repr_mimebundle_(self, **options: Any) -> Any:
        """Widget and picture in one output: whoever cannot show the one shows the other."""
        bundle = super()._repr_mimebundle_(**options) or {}
        picture = base64.b64encode(self._picture.value).decode("ascii")
        shown = {**bundle, "image/png": picture, "text/plain": f"Figure: {self._alt}"}
        return shown, {"image/png": {"alt": self._alt}}


def explore(draw: Callable[..., Figure], alt: str, **ranges: tuple[float, float, float]) -> Explorer:
    """Return a figure with a slider for each argument of ``draw``. End a cell with it.

    draw: takes the sliders' values by name, returns a figure with labelled axes. alt: says in words what it shows.
    ranges: name -> (lowest, highest, value at first). Raises ``ValueError`` when the first value is outside.
    """
    if not ranges:
        raise ValueError("at least one slider is needed: name=(lowest, highest, first value)")
    sliders = {}
    for name, (low, high, first) in ranges.items():
        if not low <= first <= high or low == high:
            raise ValueError(f"{name}: (lowest, highest, first value) = {(low, high, first)} are out of order")
        sliders[name] = ipywidgets.FloatSlider(
            first, min=low, max=high, step=(high - low) / 100, description=name, readout_format=".3g"
        )
    return Explorer(draw, alt, sliders)
