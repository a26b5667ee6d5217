"""A picture with sliders and its caption. Where no kernel runs (on GitHub, in HTML, on paper) the sliders are missing.

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

from collections.abc import Callable
from typing import Any

import ipywidgets
from matplotlib.figure import Figure

from . import plots

__all__ = ["Explorer", "explore"]


class Explorer(ipywidgets.VBox):
    """Sliders above the figure that ``draw(**values)`` makes of their values; drawn again when one is moved.

    Parameters
    ----------
    draw, caption
        As in `explore`.
    sliders : dict
        Name -> slider, in the order in which they stand.
    """

    def __init__(self, draw: Callable[..., Figure], caption: str, sliders: dict[str, Any]) -> None:
        self._draw, self._caption, self._sliders = draw, caption, sliders
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
        self._picture.value = plots.drawn(self._draw(**self.values), self._caption)

    def _repr_mimebundle_(self, **options: Any) -> Any:
        """Widget and picture in one output: whoever cannot show the one shows the other."""
        bundle = super()._repr_mimebundle_(**options) or {}
        data, metadata = plots.pictured(self._picture.value, self._caption)
        return {**bundle, **data}, metadata

    def _ipython_display_(self) -> None:
        from IPython.display import display

        data, metadata = self._repr_mimebundle_()
        display(data, metadata=metadata, raw=True)
        display(plots.captioned(self._caption), raw=True)


def explore(draw: Callable[..., Figure], caption: str, **ranges: tuple[float, float, float]) -> Explorer:
    """Return a figure with a slider for each argument of ``draw``. End a cell with it.

    Parameters
    ----------
    draw : callable
        Takes the sliders' values by name, returns a figure with labelled axes.
    caption : str
        What the figure shows wherever the sliders stand, in a sentence; as for `plots.show`.
    **ranges : tuple of three floats
        For each argument of ``draw``: lowest value, highest value, value at first.

    Returns
    -------
    Explorer
        Its ``values`` are what the sliders say now.

    Raises
    ------
    ValueError
        When there is no slider, when a first value is outside its range, or when the caption is no sentence.
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
    return Explorer(draw, caption, sliders)
