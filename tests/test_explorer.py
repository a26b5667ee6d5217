"""Sliders: what they draw, what a page without a kernel shows, what bad input says."""

import base64

import pytest
from matplotlib.figure import Figure

from helpers import plots
from helpers.explorer import explore

CAPTION = "A line that falls from 1 to its end."


def draw(end: float) -> Figure:
    figure, (axis,) = plots.panels()
    axis.plot([1, end])
    axis.set(xlabel="step", ylabel="value")
    return figure


def test_moving_a_slider_draws_again() -> None:
    explorer = explore(draw, CAPTION, end=(0.0, 1.0, 0.5))
    slider, picture = explorer.children
    before = picture.value
    slider.value = 0.0
    assert picture.value != before
    assert explorer.values == {"end": 0.0}


def test_a_page_without_a_kernel_gets_the_picture_and_its_description() -> None:
    explorer = explore(draw, CAPTION, end=(0.0, 1.0, 0.5))
    bundle, metadata = explorer._repr_mimebundle_()
    assert metadata["image/png"]["alt"] == CAPTION
    assert base64.b64decode(bundle["image/png"]).startswith(b"\x89PNG")
    assert bundle["text/plain"] == f"Figure: {CAPTION}"
    assert "application/vnd.jupyter.widget-view+json" in bundle


def test_a_cell_that_ends_with_it_shows_widget_and_picture_in_one_and_the_caption_below(monkeypatch) -> None:
    import IPython.display
    from IPython.core.formatters import DisplayFormatter

    shown = []
    monkeypatch.setattr(IPython.display, "display", lambda *a, **k: shown.append(a[0]))
    explorer = explore(draw, CAPTION, end=(0.0, 1.0, 0.5))
    rest = DisplayFormatter().format(explorer)  # what a cell's last line goes through
    assert rest == ({}, {})
    first, second = shown
    assert {"image/png", "application/vnd.jupyter.widget-view+json"} <= set(first)
    assert second == plots.captioned(CAPTION)


def test_bad_input_is_a_sentence() -> None:
    with pytest.raises(ValueError, match="out of order"):
        explore(draw, CAPTION, end=(0.0, 1.0, 2.0))
    with pytest.raises(ValueError, match="at least one slider"):
        explore(draw, CAPTION)
    with pytest.raises(ValueError, match="describe the figure"):
        explore(draw, "short", end=(0.0, 1.0, 0.5))
