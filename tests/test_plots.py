"""Figures: labelled axes, honest intervals, and a description in words."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

from helpers import plots
from helpers import schedules as s
from helpers.range_test import RangeTest
from helpers.training import Run

RUN = Run("PyTorch", "digits", 0, 64, 5, "cpu", {}, [0.1] * 30, [0.9] * 30, list(np.linspace(2, 1, 30)))
RUNS = pd.DataFrame(
    [
        {"arm": arm, "budget": budget, "stage": "test", "seed": seed, "error": (2 + seed / 10) / budget}
        for arm in "ab"
        for budget in (1.0, 2.0)
        for seed in range(3)
    ]
)
SUMMARY = pd.DataFrame(
    {
        "arm": ["a", "b", "c"],
        "difference": [0.0, -0.5, 0.2],
        "difference_half_width": [0.0, 0.1, 0.3],
        "p": [np.nan, 0.01, 0.6],
    }
)
FIGURES = {
    "schedules": lambda: plots.schedules({"a": s.cosine(0.1, 50), "b": s.constant(0.1)}, steps=60, log=True),
    "lr_and_momentum": lambda: plots.lr_and_momentum(s.one_cycle(0.1, 50)),
    "runs": lambda: plots.runs({"a": RUN, "b": RUN}),
    "comparison": lambda: plots.comparison(
        [1, 2, 3], {"a": np.ones((4, 3)), "b": np.eye(3)}, xlabel="epochs", ylabel="error", source="digits"
    ),
    "scatter": lambda: plots.scatter(
        {"a": {"b": (1.0, 2.0, 0.1)}, "c": {"b": (2.0, 1.0, 0.1)}}, xlabel="bound", ylabel="error", source="digits"
    ),
    "pairs": lambda: plots.pairs({"a": [3.0, 3.4, 3.2], "b": [3.1, 3.3, 3.5]}, source="digits"),
    "used": lambda: plots.used([0.1] * 40, s.cosine(0.1, 40), log=True),
    "budget_curves": lambda: plots.budget_curves(RUNS, ["a", "b"], source="digits"),
    "rate_curves": lambda: plots.rate_curves(pd.DataFrame({"a": [2.0, 1.0]}, index=[0.1, 0.2]), source="digits"),
    "differences": lambda: plots.differences(SUMMARY, reference="a", source="digits"),
}


@pytest.mark.parametrize("draw", FIGURES.values(), ids=FIGURES.keys())
def test_every_axis_is_labelled_and_the_callers_settings_survive(draw) -> None:
    before = dict(mpl.rcParams)
    figure = draw()
    for axis in figure.axes:
        assert axis.get_xlabel()
        assert axis.get_ylabel()
    assert figure.get_figwidth() == plots.WIDTH
    assert dict(mpl.rcParams) == before


def test_curves_show_the_values_of_the_schedule() -> None:
    line = plots.schedules({"a": s.cosine(0.1, 50)}).axes[0].lines[0]
    np.testing.assert_array_equal(line.get_ydata(), s.cosine(0.1, 50)(np.arange(51)))
    np.testing.assert_array_equal(plots.runs({"a": RUN}).axes[0].lines[0].get_ydata(), RUN.learning_rates)


def test_the_source_is_in_the_figure() -> None:
    assert "digits" in plots.runs({"a": RUN}).get_suptitle()
    assert "digits" in FIGURES["comparison"]().get_suptitle()


def test_show_puts_picture_and_words_into_the_notebook(monkeypatch) -> None:
    import IPython.display

    shown = []
    monkeypatch.setattr(IPython.display, "display", lambda *a, **k: shown.append((a, k)))
    plots.show(FIGURES["schedules"](), "A cosine and a constant learning rate.")
    ((bundle,), options), ((caption,), _) = shown
    assert bundle["text/plain"] == "Figure: A cosine and a constant learning rate."
    assert options["metadata"] == {"image/png": {"alt": "A cosine and a constant learning rate."}}
    assert bundle["image/png"].startswith("iVBOR")
    assert len(bundle["image/png"]) < 80_000
    assert "A cosine and a constant learning rate." in caption["text/html"]
    assert caption["text/plain"] == "A cosine and a constant learning rate."


def test_a_caption_is_text_and_not_html() -> None:
    assert plots.captioned('loss < 1 & rate "0.1"')["text/html"] == '<p><small>loss &lt; 1 &amp; rate "0.1"</small></p>'
    assert plots.captioned("loss < 1")["text/plain"] == "loss < 1"


def test_a_table_reads_in_html_and_in_plain_text(monkeypatch) -> None:
    import IPython.display

    shown = []
    monkeypatch.setattr(IPython.display, "display", lambda *a, **k: shown.append(a[0]))
    plots.table([{"schedule": "a<b", "error": 1}, {"schedule": "cosine", "error": 22}])
    assert shown[0]["text/plain"].split("\n") == ["schedule error", "     a<b     1", "  cosine    22"]
    assert "<td>a&lt;b</td>" in shown[0]["text/html"]
    long = "a sentence that is longer than the fifty characters which pandas shows of a cell"
    plots.table(pd.DataFrame({"says": [long]}))
    assert all(long in text for text in shown[1].values())


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: plots.schedules({"a": s.constant(0.1)}), "needs steps"),
        (lambda: plots.schedules({}), "nothing to draw"),
        (lambda: plots.runs({}), "nothing to draw"),
        (lambda: plots.lr_and_momentum(s.cosine(0.1, 10)), "leaves momentum alone"),
        (lambda: plots.comparison([1], {"a": [[1, 2]]}, xlabel="x", ylabel="y", source="s"), "a: expected"),
        (lambda: plots.predictions({}, source="x"), "nothing to draw"),
        (lambda: plots.pairs({"a": [1, 2], "b": [1, 2, 3]}, source="x"), "two arms, one number a seed each"),
        (lambda: plots.pairs({"a": [1, 2]}, source="x"), "two arms, one number a seed each"),
        (lambda: plots.table([]), "at least one row"),
        (lambda: plots.table([{"a": 1}, {"b": 2}]), "the same columns"),
        (lambda: plots.show(plots.lr_and_momentum(s.one_cycle(0.1, 10)), "lr"), "describe the figure"),
        (lambda: plots.show(FIGURES["used"](), r"The rate $\eta$ against the update."), "without formulas"),
    ],
)
def test_bad_input_is_refused(build, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build()


def test_an_axis_without_a_label_is_refused() -> None:
    figure, (left, right) = plots.panels(2)
    left.set(xlabel="update", ylabel="loss")
    right.set(xlabel="update")
    with pytest.raises(ValueError, match="label both axes"):
        plots.show(figure, "Two panels, one of them without a label on its vertical axis.")
    right.set(yticks=[])
    plots.show(figure, "Two panels, one of them without ticks, so without a label.")


def test_range_tests_are_drawn_with_their_marks() -> None:
    rates = np.geomspace(1e-3, 1.0, 60)
    losses = 2.3 - np.tanh(3 * (np.log10(rates) + 2)) + 20 * rates**4
    test = RangeTest(rates, losses, s.lr_range_test(1e-3, 1.0, 60))
    (axis,) = plots.range_tests({"a ladder": test}, source="no data").axes
    assert axis.get_xscale() == "log"
    marks = [line.get_xdata()[0] for line in axis.lines[2:]]
    assert marks == [test.steepest, test.valley, test.minimum, test.divergence]
    assert [text.get_text() for text in axis.texts] == ["steepest", "valley", "minimum", "exploded"]
    with pytest.raises(ValueError, match="at least one range test"):
        plots.range_tests({}, source="no data")


def test_places_and_differences_say_who_is_where() -> None:
    points = {"a": (1.0, 2.0, 0.1), "b": (2.0, 1.0, 0.1), "c": (3.0, 3.0, 0.1)}
    named = {"xlabel": "bound", "ylabel": "error", "source": "x"}
    axis = plots.scatter({"": points}, labels=["a", "c"], **named).axes[0]
    assert [(text.get_text(), text.get_ha()) for text in axis.texts] == [("a", "left"), ("c", "right")]
    with pytest.raises(ValueError, match="at least one point"):
        plots.scatter({"empty": {}}, **named)
    axis = plots.differences(SUMMARY, reference="a", source="x").axes[0]
    assert [label.get_text() for label in axis.get_yticklabels()] == ["c", "b"], "the lowest on top"


def test_predictions_have_a_panel_each_and_labels_outside_only() -> None:
    run = ([0.1] * 3, [2, 3], [2.5, 2.25], None)
    figure = plots.predictions(dict.fromkeys("abcde", run), source="no data", columns=3, known=2)
    plots.drawn(figure, "Five panels, of which the first and the fourth name what is drawn upwards.")
    assert [axis.get_title("left") for axis in figure.axes] == list("abcde")
    assert [bool(axis.get_ylabel().strip()) for axis in figure.axes] == [True, False, False, True, False]
    assert [bool(axis.get_xlabel().strip()) for axis in figure.axes] == [False, False, True, True, True]


def test_budget_curves_go_through_the_means() -> None:
    axis = plots.budget_curves(RUNS, ["a"], source="x").axes[0]
    np.testing.assert_allclose(np.asarray(axis.containers[0].lines[0].get_ydata(), float), [2.1, 1.05])
