"""Every figure of the course, in one quiet house style: colour-blind safe, labelled, readable at notebook width.

Each function returns a figure; `show(figure, caption)` puts it into the notebook, with its caption under it. What is
slow to import (pandas, IPython) is imported where it is used.
"""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from .schedules import Schedule
from .statistics import interval

if TYPE_CHECKING:  # no framework is loaded to draw
    from pandas import DataFrame

    from .range_test import RangeTest
    from .training import Run

__all__ = [
    "branches",
    "budget_curves",
    "comparison",
    "differences",
    "lr_and_momentum",
    "pairs",
    "predictions",
    "range_tests",
    "rate_curves",
    "runs",
    "scatter",
    "schedules",
    "show",
    "table",
    "use_style",
    "used",
]

# Okabe & Ito's colours, in an order whose neighbours also differ in lightness; dashes tell them apart in grey
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
DASHES: tuple[Any, ...] = (
    "-",
    (0, (5, 1.5)),
    (0, (1.5, 1.2)),
    (0, (6, 1.5, 1.5, 1.5)),
    "-",
    (0, (5, 1.5)),
    (0, (1.5, 1.2)),
)
STYLE: dict[Any, Any] = {
    "figure.dpi": 100,
    "savefig.dpi": 100,
    "figure.constrained_layout.use": True,
    "font.size": 10,
    "axes.titlesize": 10.5,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "lines.linewidth": 1.8,
    "legend.frameon": False,
    "axes.prop_cycle": cycler(color=COLOURS) + cycler(linestyle=DASHES),
}
UNITS = {"error": "%", "loss": "nats"}
WIDTH = 7.2  # inches: what a notebook column shows without scaling


def use_style() -> None:
    """Draw everything that follows in the house style: at the end of a lesson's import cell."""
    mpl.rcParams.update(STYLE)


def panels(columns: int = 1, height: float = 2.9, **options: Any) -> tuple[Figure, list[Axes]]:
    """An empty figure of notebook width with ``columns`` panels side by side, in the house style.

    Parameters
    ----------
    columns : int
        How many panels.
    height : float
        Of the figure, in inches.
    **options
        For Matplotlib's ``Figure.subplots``.

    Returns
    -------
    Figure, list of Axes
        The axes from left to right.
    """
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, height))
        axes = figure.subplots(1, columns, squeeze=False, **options)
    return figure, list(axes[0])


def show(figure: Figure, caption: str) -> None:
    """Display ``figure`` in a notebook, and ``caption`` under it: what it shows, and what to look at.

    The caption is also the picture's alternative text, for readers who do not see it. Plain text, no Markdown and no
    formulas. Raises ``ValueError`` when it is no sentence, or when an axis with ticks has no label.
    """
    from IPython.display import display

    data, metadata = pictured(drawn(figure, caption), caption)
    display(data, metadata=metadata, raw=True)
    display(captioned(caption), raw=True)


def pictured(png: bytes, caption: str) -> tuple[dict[str, str], dict[str, Any]]:
    """A picture as a notebook output, data and metadata: with its caption for readers who do not see it."""
    data = {"image/png": base64.b64encode(png).decode("ascii"), "text/plain": f"Figure: {caption}"}
    return data, {"image/png": {"alt": caption}}


def captioned(caption: str) -> dict[str, str]:
    """A caption as a notebook output of its own, the next after its picture.

    Two tags that every page shows: GitHub takes styles away, and a figcaption needs the figure around its picture.
    """
    return {"text/html": f"<p><small>{html.escape(caption, quote=False)}</small></p>", "text/plain": caption}


def drawn(figure: Figure, caption: str) -> bytes:
    """``figure`` as a small PNG, once it has passed the checks of `show`."""
    if len(caption) < 20:
        raise ValueError(f"describe the figure in a sentence, got {caption!r}")
    if "$" in caption:
        raise ValueError(f"a caption is read aloud as well: say it in words, without formulas, got {caption!r}")
    for axis in figure.axes:
        if (len(axis.get_xticks()) and not axis.get_xlabel()) or (len(axis.get_yticks()) and not axis.get_ylabel()):
            raise ValueError("label both axes, with their units; only axes without ticks need no label")
    return _png(figure)


def _png(figure: Figure) -> bytes:
    """The figure with a palette of 128 colours: no difference to the eye, half the bytes in a committed notebook."""
    full, small = io.BytesIO(), io.BytesIO()
    with mpl.rc_context(STYLE):
        figure.savefig(full, format="png")
    Image.open(full).convert("RGB").quantize(128).save(small, format="png", optimize=True)
    return small.getvalue()


def table(rows: Sequence[Mapping[str, object]] | DataFrame) -> None:
    """Display rows (column -> value), or a DataFrame, as a table; plain text where HTML is not shown.

    Raises ``ValueError`` when there is no row, or when not all rows have the same columns.
    """
    import pandas as pd
    from IPython.display import display

    frame = pd.DataFrame(rows).map(str)
    if frame.empty or (not isinstance(rows, pd.DataFrame) and any(list(row) != list(frame) for row in rows)):
        raise ValueError("a table needs at least one row, and the same columns in each")
    with pd.option_context("display.max_colwidth", None):
        text = {"text/html": frame.to_html(index=False, border=0), "text/plain": frame.to_string(index=False)}
    display(text, raw=True)


# -------------------------------------------------------------------------------------- schedules
def _steps(schedule: Schedule, steps: int | None) -> NDArray[np.int64]:
    if steps is None and schedule.steps == float("inf"):
        raise ValueError("a schedule without an end needs steps=...")
    return np.arange(int(schedule.steps) + 1 if steps is None else steps)


def schedules(named: Mapping[str, Schedule], steps: int | None = None, *, log: bool = False, title: str = "") -> Figure:
    """Draw learning rates against the number of updates made.

    Parameters
    ----------
    named : mapping
        Label -> schedule.
    steps : int, optional
        Draw k = 0 to ``steps - 1``: needed for schedules that never end. By default each up to its end value.
    log : bool
        Logarithmic rates.
    title : str
        Above the axes.

    Raises
    ------
    ValueError
        When there is nothing to draw, or no ``steps`` for a schedule that never ends.

    Examples
    --------
    >>> from helpers.schedules import cosine, linear
    >>> figure = schedules({"cosine": cosine(0.1, 100), "linear": linear(0.1, 0.0, 100)})
    >>> figure.axes[0].get_xlabel(), figure.axes[0].get_ylabel()
    ('updates made, k', 'learning rate')
    """
    if not named:
        raise ValueError("nothing to draw: give at least one schedule")
    figure, (axis,) = panels()
    with mpl.rc_context(STYLE):
        for label, schedule in named.items():
            k = _steps(schedule, steps)
            axis.plot(k, schedule(k), label=label)
        axis.set(xlabel="updates made, k", ylabel="learning rate", title=title, yscale="log" if log else "linear")
        if len(named) > 1:  # above the axes: curves that go up and down leave no corner free
            axis.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=min(len(named), 4), fontsize=9)
    return figure


def lr_and_momentum(schedule: Schedule, steps: int | None = None, *, title: str = "") -> Figure:
    """Draw a schedule's learning rate and, beside it, its momentum.

    Parameters
    ----------
    schedule : Schedule
        One that carries a momentum.
    steps, title
        As in `schedules`.

    Raises
    ------
    ValueError
        When the schedule leaves momentum alone, or never ends and ``steps`` is missing.

    Examples
    --------
    >>> from helpers.schedules import one_cycle
    >>> [axis.get_ylabel() for axis in lr_and_momentum(one_cycle(0.1, 100)).axes]
    ['learning rate', 'momentum']
    """
    if schedule.momentum is None:
        raise ValueError("this schedule leaves momentum alone: draw it with plots.schedules")
    k = _steps(schedule, steps)
    figure, (left, right) = panels(2)
    with mpl.rc_context(STYLE):
        left.plot(k, schedule(k))
        left.set(xlabel="updates made, k", ylabel="learning rate", title=title)
        right.plot(k, schedule.momentum(k), color=COLOURS[1])
        right.set(xlabel="updates made, k", ylabel="momentum")
    return figure


# ------------------------------------------------------------------------------------------- runs
def runs(named: Mapping[str, Run], *, title: str = "") -> Figure:
    """Draw, side by side, the learning rate each run really used and its training loss (mean of the last 20 batches).

    The title ends with the data source; a run that diverged is marked in the legend.
    """
    import pandas as pd

    if not named:
        raise ValueError("nothing to draw: give at least one run")
    figure, (left, right) = panels(2, height=3.2)
    with mpl.rc_context(STYLE):
        for label, run in named.items():
            left.plot(run.learning_rates, label=label)
            losses = pd.Series(run.losses, dtype=float).replace(np.inf, np.nan).dropna()
            mean = losses.rolling(20, min_periods=1).mean()
            right.plot(mean, label=f"{label} (diverged)" if run.diverged else label)
        left.set(xlabel="update", ylabel="learning rate used", title=title)
        right.set(xlabel="update", ylabel="training loss", yscale="log")
        right.legend()
        sources = " · ".join(dict.fromkeys(run.source for run in named.values()))
        figure.suptitle(f"data: {sources}", fontsize=8, color="#555555")
    return figure


def range_tests(named: Mapping[str, RangeTest], *, source: str, title: str = "") -> Figure:
    """Draw the losses of range tests, smoothed, against the learning rate, and mark what they suggest.

    Parameters
    ----------
    named : mapping
        Label -> range test. The loss of each batch is shown as well when there is one test only.
    source : str
        The data that the losses come from.
    title : str
        Above the panel.

    Returns
    -------
    Figure
        Marks: steepest (dot), valley (square), minimum (triangle), exploded (cross); the first test's are labelled.
    """
    if not named:
        raise ValueError("nothing to draw: give at least one range test")
    figure, (axis,) = panels(height=3.4)
    top = 1.25 * max(test.smoothed[0] for test in named.values())
    with mpl.rc_context(STYLE):
        for colour, (label, test) in zip(COLOURS * 2, named.items(), strict=False):
            if len(named) == 1:
                axis.plot(test.rates, test.losses, color="#BBBBBB", linestyle="-", linewidth=0.9, label="each batch")
            axis.plot(test.rates[: len(test.smoothed)], test.smoothed, label=label, color=colour)
            _mark(axis, test, colour, top, named_too=label == next(iter(named)))
        scale = "log" if all(test.rates[0] > 0 for test in named.values()) else "linear"
        axis.set(xscale=scale, xlabel="learning rate", ylabel="training loss", title=title, ylim=(0, top))
        axis.legend(loc="lower left")
        figure.suptitle(f"data: {source}", fontsize=8, color="#555555")
    return figure


def _mark(axis: Axes, test: RangeTest, colour: str, top: float, *, named_too: bool) -> None:
    """What ``test`` suggests, as marks on its curve, and their names if wanted."""
    marks = [("steepest", test.steepest, "o"), ("valley", test.valley, "s")]
    marks += [("minimum", test.minimum, "v"), ("exploded", test.divergence, "X")]
    for name, rate, marker in marks:
        if not np.isfinite(rate):
            continue
        height = min(np.interp(rate, test.rates[: len(test.smoothed)], test.smoothed), 0.95 * top)
        axis.plot(rate, height, marker, color=colour, markeredgecolor="white", markersize=8)
        if named_too:
            beside = name in ("steepest", "valley")  # where the curve falls, there is room on the right
            shift, where = ((8, 3), "left") if beside else ((0, 10), "center")
            axis.annotate(name, (rate, height), shift, textcoords="offset points", ha=where, fontsize=8)


def comparison(
    x: Sequence[float], named: Mapping[str, ArrayLike], *, xlabel: str, ylabel: str, source: str, title: str = ""
) -> Figure:
    """Draw one line per arm through the means over seeds, with a band for the 95 % confidence interval.

    Parameters
    ----------
    x : sequence of float, length N
        Where the values belong.
    named : mapping
        Label -> array_like, shape (seeds, N), of at least two seeds.
    xlabel, ylabel : str
        With their units.
    source : str
        The data the numbers come from.
    title : str
        Above the axes.

    Raises
    ------
    ValueError
        For values of another shape, and for fewer than two seeds.
    """
    figure, (axis,) = panels(height=3.2)
    with mpl.rc_context(STYLE):
        for colour, (label, values) in zip(COLOURS * 2, named.items(), strict=False):
            array = np.asarray(values, dtype=np.float64)
            if array.ndim != 2 or array.shape[1] != len(x):
                raise ValueError(f"{label}: expected (seeds, {len(x)}) values, got an array of shape {array.shape}")
            mean, half = interval(array)
            axis.plot(x, mean, label=f"{label} (n = {len(array)})", color=colour)
            axis.fill_between(x, mean - half, mean + half, alpha=0.2, color=colour, linewidth=0)
        axis.set(xlabel=xlabel, ylabel=ylabel, title=title)
        axis.legend()
        figure.suptitle(f"data: {source} · bands: 95 % intervals of the mean", fontsize=8, color="#555555")
    return figure


def scatter(
    panels_of: Mapping[str, Mapping[str, tuple[float, float, float]]],
    *,
    xlabel: str,
    ylabel: str,
    source: str,
    labels: Sequence[str] | None = None,
) -> Figure:
    """Draw what was measured, with its error bars, against what was predicted: a panel for each prediction.

    Parameters
    ----------
    panels_of : mapping
        Title -> (label -> (prediction, measured mean, half-width of its interval)).
    xlabel, ylabel : str
        With their units.
    source : str
        Where the measurements come from.
    labels : sequence of str, optional
        Which points get their name beside them; all by default.

    Raises
    ------
    ValueError
        When there is nothing to draw.

    Examples
    --------
    >>> points = {"linear": (1.0, 3.1, 0.1), "cosine": (1.1, 3.7, 0.2)}
    >>> figure = scatter({"": points}, xlabel="bound", ylabel="error, %", source="no data")
    >>> [text.get_text() for text in figure.axes[0].texts]
    ['linear', 'cosine']
    """
    if not panels_of or not all(panels_of.values()):
        raise ValueError("nothing to draw: give every panel at least one point")
    figure, axes = panels(len(panels_of), height=3.6, sharey=True)
    with mpl.rc_context(STYLE):
        for axis, (title, points) in zip(axes, panels_of.items(), strict=True):
            x, mean, half = np.array(list(points.values()), dtype=np.float64).T
            axis.errorbar(x, mean, yerr=half, fmt="o", ms=3.5, lw=1, color=COLOURS[0])
            axis.set(xlabel=xlabel, title=title)
            named = [one for one in zip(x, mean, points, strict=True) if labels is None or one[2] in labels]
            _name_beside(axis, named, middle=(x.min() + x.max()) / 2, height=0.7 * 72 * figure.get_figheight())
        axes[0].set_ylabel(ylabel)
        for axis in axes[1:]:
            axis.set_ylabel(" ")
        figure.suptitle(f"data: {source} · bars: 95 % intervals of the mean", fontsize=8, color="#555555")
    return figure


def _name_beside(axis: Axes, points: Sequence[tuple[float, float, str]], middle: float, height: float) -> None:
    """Write each point's name on the side where there is room, no name on top of another on that side."""
    low, high = axis.get_ylim()
    unit = height / (high - low)  # type points for one of y, about
    taken = {"left": -np.inf, "right": -np.inf}
    for x, y, name in sorted(points, key=lambda point: point[1]):
        side, shift = ("left", 5) if x <= middle else ("right", -5)
        taken[side] = max(unit * (y - low), taken[side] + 8)
        offset = (shift, taken[side] - unit * (y - low))
        axis.annotate(name, (x, y), offset, textcoords="offset points", ha=side, va="center", fontsize=7)


def pairs(named: Mapping[str, ArrayLike], *, source: str, unit: str = "test error, %") -> Figure:
    """Draw two arms seed by seed: a line for each pair, and beside it the differences with their 95 % interval.

    Parameters
    ----------
    named : mapping
        Label -> array_like, shape (seeds,), of two arms with the same seeds; the difference is second minus first.
    source : str
        The data the errors were measured on.
    unit : str
        Of the errors.

    Raises
    ------
    ValueError
        Unless there are two arms with as many seeds, two at least.

    Examples
    --------
    >>> figure = pairs({"a": [3.0, 3.5, 3.2], "b": [3.1, 3.9, 3.3]}, source="no data")
    >>> figure.axes[1].get_xlabel()
    'pair: b minus a'
    """
    (first, before), (second, after) = ((label, np.asarray(values)) for label, values in _two(named))
    mean, half = (float(value) for value in interval(after - before))
    figure, (left, right) = panels(2, height=3.0)
    with mpl.rc_context(STYLE):
        for one, other in zip(before, after, strict=True):
            left.plot([0, 1], [one, other], "o-", ms=4, lw=1.2, color=COLOURS[0] if other > one else COLOURS[1])
        left.set_xticks([0, 1], [first, second])
        left.set(xlim=(-0.3, 1.3), xlabel="schedule, one line a seed", ylabel=unit)
        number = np.arange(1, len(before) + 1)
        right.axhspan(mean - half, mean + half, color=COLOURS[0], alpha=0.15, lw=0)
        right.axhline(mean, color=COLOURS[0], lw=1.4, ls="-")
        right.axhline(0, color="#555555", lw=1, ls="-")
        right.scatter(number, after - before, color=np.where(after > before, COLOURS[0], COLOURS[1]), s=22, zorder=3)
        right.set_xticks(number)
        right.set(xlabel=f"pair: {second} minus {first}", ylabel="difference, points")
        figure.suptitle(f"data: {source} · band: 95 % interval of the mean", fontsize=8, color="#555555")
    return figure


def _two(named: Mapping[str, ArrayLike]) -> list[tuple[str, ArrayLike]]:
    shapes = {np.shape(values) for values in named.values()}
    if len(named) != 2 or len(shapes) != 1 or len(next(iter(shapes))) != 1:
        raise ValueError(f"two arms, one number a seed each, are drawn as pairs, got shapes {sorted(shapes)}")
    return list(named.items())


def predictions(
    named: Mapping[str, tuple[ArrayLike, ArrayLike, ArrayLike, ArrayLike | None]],
    *,
    source: str,
    columns: int = 5,
    known: int | None = None,
) -> Figure:
    r"""Draw predicted losses over the measured ones, a panel for each run, with its schedule in grey at the bottom.

    Parameters
    ----------
    named : mapping
        Label -> rates (T,), updates made (M,), predicted losses (M,), and measured losses (seeds, M), or None before
        they are known. Where they are, the title ends with the error of the last prediction and the seeds' deviation.
    source : str
        The data the losses were measured on.
    columns : int
        Panels in a row.
    known : int, optional
        The length of the runs that the prediction was made from, which is shaded.

    Raises
    ------
    ValueError
        When there is nothing to draw.

    Examples
    --------
    >>> figure = predictions({"flat": ([0.1] * 3, [2, 3], [2.5, 2.25], [[2.5, 2.0], [3.0, 2.25]])}, source="no data")
    >>> figure.axes[0].get_title("left")
    'flat\nend +0.125, SD 0.177'
    """
    if not named:
        raise ValueError("nothing to draw: give at least one prediction")
    rows = -(-len(named) // columns)
    losses = [np.ravel(one) for _, _, *both in named.values() for one in both if one is not None]
    low, high = min(part.min() for part in losses), max(part.max() for part in losses)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, 0.5 + (1.9 if columns > 3 else 2.6) * rows))
        axes = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
        for place, (label, (rates, at, predicted, measured)) in enumerate(named.items()):
            axis, lowest = axes.flat[place], place + columns >= len(named)
            ground = low - 0.25 * (high - low)
            ceiling = ground + 0.25 * (high - low) * np.asarray(rates) / np.max(rates)
            axis.fill_between(np.arange(len(ceiling)), ground, ceiling, color="#DDDDDD", lw=0)
            axis.set(xlabel="updates made" if lowest else " ", ylim=(ground, high))
            axis.set(ylabel=" " if place % columns else "held-out loss, nats")
            axis.tick_params(labelbottom=lowest)
            axis.set_title(
                label if measured is None else f"{label}\n{_off(predicted, measured)}", fontsize=7 if columns > 3 else 9
            )
            if measured is not None:
                edges = np.min(measured, axis=0), np.max(measured, axis=0)
                axis.fill_between(at, *edges, color=COLOURS[0], alpha=0.4, lw=0)
            if known is not None:
                axis.axvspan(0, known, color=COLOURS[4], alpha=0.15, lw=0)
            axis.plot(at, predicted, "-", color="black", lw=1.1)
            axis.set_xticks([0, len(ceiling)])
        for axis in axes.flat[len(named) :]:
            axis.remove()
        what = "black: predicted; blue: measured, lowest to highest seed; grey: the schedule"
        figure.suptitle(f"{what}\ndata: {source}", fontsize=8, color="#555555")
    return figure


def _off(predicted: ArrayLike, measured: ArrayLike) -> str:
    ends = np.asarray(measured, dtype=np.float64)[:, -1]
    return f"end {np.asarray(predicted)[-1] - ends.mean():+.3f}, SD {ends.std(ddof=1):.3f}"


def branches(
    losses: Mapping[str, Sequence[tuple[ArrayLike, ArrayLike]]],
    *,
    ylabel: str,
    source: str,
    rates: Mapping[str, Sequence[tuple[ArrayLike, ArrayLike]]] | None = None,
    room: float = 0.6,
) -> Figure:
    """Draw the losses of a trunk, of the branches that leave it, and of other runs; beside them their learning rates.

    Parameters
    ----------
    losses : mapping
        Label -> curves of one kind, each a pair (updates made, loss). "trunk" is grey, and each curve of "branches"
        ends in a dot.
    ylabel : str
        Of the losses, with their unit.
    source : str
        The data the losses were measured on.
    rates : mapping, optional
        The learning rates, in the same form, for a panel on the left.
    room : float
        How much above the lowest loss is shown.

    Raises
    ------
    ValueError
        When there is nothing to draw.

    Examples
    --------
    >>> figure = branches({"trunk": [([0, 9], [3, 2])], "branches": [([4, 6], [2.5, 1.5])]}, ylabel="loss", source="no")
    >>> [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    ['trunk', 'branches']
    """
    if not losses:
        raise ValueError("nothing to draw: give at least one curve")
    parts = [losses] if rates is None else [rates, losses]
    figure, axes = panels(len(parts), height=3.2)
    looks = {"trunk": ("#777777", "-"), "branches": (COLOURS[0], "-")}
    with mpl.rc_context(STYLE):
        for axis, part in zip(axes, parts, strict=True):
            others = zip(COLOURS[1:], DASHES[1:], strict=True)
            for label, curves in part.items():
                colour, dashes = looks.get(label) or next(others)
                for place, (x, y) in enumerate(curves):
                    axis.plot(x, y, color=colour, linestyle=dashes, lw=1.4, label="_" if place else label)
                    if label == "branches" and part is losses:
                        axis.plot(np.asarray(x)[-1], np.asarray(y)[-1], "o", color=colour, ms=5)
            axis.set(xlabel="updates made", ylabel=ylabel if part is losses else "learning rate")
        low = min(np.min(y) for curves in losses.values() for _, y in curves)
        axes[-1].set(ylim=(low - room / 10, low + room))
        axes[-1].legend(fontsize=8)
        figure.suptitle(f"data: {source}", fontsize=8, color="#555555")
    return figure


def used(rates: Sequence[float], meant: Schedule, *, unit: str = "update", log: bool = False) -> Figure:
    """Draw the learning rates a run really used, and dashed the schedule that was meant, over the same updates.

    Parameters
    ----------
    rates : sequence of float
        Of updates 0, 1, 2, ...
    meant : Schedule
        Drawn for as many updates as there are rates.
    unit : str
        What is counted along the axis.
    log : bool
        Logarithmic rates.

    Examples
    --------
    >>> from helpers.schedules import constant
    >>> [line.get_label() for line in used([0.1, 0.2], constant(0.1)).axes[0].lines]
    ['used', 'meant']
    """
    figure, (axis,) = panels(height=2.3)
    with mpl.rc_context(STYLE):
        k = np.arange(len(rates))
        few = len(rates) <= 30
        style: dict[str, Any] = {"marker": "o", "ms": 4} if few else {"drawstyle": "steps-post"}
        axis.plot(k, rates, "-", color=COLOURS[1], label="used", **style)
        axis.plot(k, meant(k), "--", color=COLOURS[0], label="meant", drawstyle="default" if few else "steps-post")
        axis.set(xlabel=unit, ylabel="learning rate", yscale="log" if log else "linear")
        axis.legend(fontsize=8)
    return figure


# ------------------------------------------------------------------------------------------- races
def budget_curves(runs: DataFrame, arms: Sequence[str], *, source: str) -> Figure:
    """Draw mean test error against budget, both logarithmic, with 95 % intervals over the seeds.

    Parameters
    ----------
    runs : DataFrame
        Those of a ``races.results.Race``; a run that diverged has no error and is left out.
    arms : sequence of str
        Which arms, in the order of the legend.
    source : str
        The data the errors were measured on.

    Raises
    ------
    ValueError
        When an arm has a single error at some budget, which makes no interval.
    """
    tested = runs[(runs.stage == "test") & runs.error.notna()]
    figure, (axis,) = panels(height=3.4)
    with mpl.rc_context(STYLE):
        for style, arm in zip(mpl.rcParams["axes.prop_cycle"] * 2, arms, strict=False):
            groups = [(budget, part.error) for budget, part in tested[tested.arm == arm].groupby("budget")]
            means, halves = zip(*(interval(errors) for _, errors in groups), strict=True)
            budgets = [budget for budget, _ in groups]
            axis.errorbar(budgets, means, halves, marker="o", ms=3, capsize=2, label=arm, **style)
        axis.set(xscale="log", yscale="log", xlabel="budget, epochs", ylabel="test error, %")
        _plain_ticks(axis.xaxis, sorted(set(tested.budget)))
        low, high = axis.get_ylim()
        _plain_ticks(axis.yaxis, [tick for tick in _ROUND if low <= tick <= high])
        axis.legend(fontsize=8)
        figure.suptitle(f"data: {source} · bars: 95 % intervals", fontsize=8, color="#555555")
    return figure


_ROUND = [digit * 10.0**power for power in range(-2, 2) for digit in (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8)]


def _plain_ticks(axis: Any, places: ArrayLike) -> None:
    axis.set_ticks(places, [f"{place:.2g}" for place in np.asarray(places)])
    axis.set_ticks([], minor=True)


def rate_curves(tuning: DataFrame, *, source: str, top: float | None = None, measure: str = "error") -> Figure:
    """Draw the error of every rate that was tried: how wide a valley each schedule has.

    Parameters
    ----------
    tuning : DataFrame, rates x arms
        Held-out errors in %, as ``races.results.Race.tuning`` gives them.
    source : str
        The data the errors were measured on.
    top : float, optional
        Where to cut the error, in %.
    measure : str
        "error", or "loss": what the numbers are, as in ``races.results.Race.measure``.
    """
    figure, (axis,) = panels(height=3.4)
    with mpl.rc_context(STYLE):
        for arm in tuning:
            column = tuning[arm].dropna()
            axis.plot(column.index, column, marker="o", ms=3, label=arm)
        label = f"held-out {measure}, {UNITS[measure]}"
        axis.set(xscale="log", xlabel="peak learning rate", ylabel=label, ylim=(None, top))
        _plain_ticks(axis.xaxis, tuning.index)
        axis.legend(fontsize=8)
        figure.suptitle(f"data: {source}", fontsize=8, color="#555555")
    return figure


def differences(summary: DataFrame, *, reference: str, source: str, measure: str = "error") -> Figure:
    """Draw each arm's difference from the reference with its 95 % interval, the best on top.

    Parameters
    ----------
    summary : DataFrame
        Rows of one budget of ``races.results.Race.summary``. A mark is filled when Holm's p is below 0.05.
    reference : str
        The arm that the others were compared with.
    source : str
        The data the errors were measured on.
    measure : str
        As in `rate_curves`.
    """
    rows = summary[summary.arm != reference].sort_values("difference", ascending=False)
    figure, (axis,) = panels(height=0.9 + 0.26 * len(rows))
    with mpl.rc_context(STYLE):
        for place, row in enumerate(rows.itertuples()):
            clear = row.p < 0.05
            face = COLOURS[0] if clear else "white"
            axis.errorbar(
                row.difference, place, xerr=row.difference_half_width, fmt="o", color=COLOURS[0], mfc=face, ms=5
            )
        axis.axvline(0, color="#555555", lw=1)
        axis.set_yticks(range(len(rows)), rows.arm, fontsize=8)
        unit = "points" if measure == "error" else UNITS[measure]
        axis.set(xlabel=f"difference of test {measure} from {reference}, {unit}", ylabel="schedule")
        figure.suptitle(f"data: {source} · filled: Holm's p < 0.05", fontsize=8, color="#555555")
    return figure
