"""The schedule explorer in a notebook: ``explorer.html``, with your schedule on its knobs.

The page is one file that opens by double click. Here it stands in an output, talks to Python, and leaves a picture
for pages where nothing runs (GitHub, HTML, paper). ``python -m helpers.explorer`` writes what was recorded into the
page: results of races, and the law that predicts a loss curve.

>>> from helpers.schedules import one_cycle
>>> knobs = explore(one_cycle(0.1, total_steps=200), caption="1cycle over 200 updates, with its momentum.")
>>> knobs.schedule  # as the knobs stand now
one_cycle(max_lr=0.1, total_steps=200)
"""

from __future__ import annotations

import itertools
import json
import math
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import anywidget
import matplotlib as mpl
import numpy as np
import traitlets

from . import loss_law, plots, theory
from .schedules import Schedule, constant, short

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from .races.results import Race

__all__ = ["PAGE", "Explorer", "address", "explore", "measured"]

PAGE = Path(__file__).with_name("explorer.html")
# What stands around the page in an output: an iframe that fits its content, and carries the address both ways.
_FRAME = """
const page = %s;
export default {
  render({ model, el }) {
    const frame = document.createElement("iframe");
    frame.title = "Schedule explorer";
    frame.style.cssText = "width: 100%%; height: 900px; border: 0";
    const visit = () => frame.contentWindow && frame.contentWindow.postMessage({ open: model.get("address") }, "*");
    const heard = ({ source, data }) => {
      if (source !== frame.contentWindow || !data || !data.explorer) return;
      const { address, description, height } = data.explorer;
      frame.style.height = `${height + 4}px`;
      if (!description || address === model.get("address")) return;
      model.set({ address, description });
      model.save_changes();
    };
    const turned = () => { if (model.get("asked") === model.get("address")) visit(); };
    addEventListener("message", heard);
    model.on("change:asked", turned);
    frame.onload = visit;
    frame.srcdoc = page;
    el.append(frame);
    return () => { removeEventListener("message", heard); model.off("change:asked", turned); };
  },
};
"""


class Explorer(anywidget.AnyWidget):
    """The explorer with a schedule on its knobs; `explore` makes it.

    Parameters
    ----------
    schedule : Schedule
        What is on the knobs at first.
    opened : str
        The `address` to open the page with.
    png : bytes
        The picture for pages where nothing runs.
    caption : str
        What that picture shows.

    Attributes
    ----------
    address : str
        The state of the page now.
    """

    address = traitlets.Unicode().tag(sync=True)
    asked = traitlets.Unicode().tag(sync=True)  # the address that Python last asked for
    description = traitlets.Dict().tag(sync=True)
    _esm = _FRAME % json.dumps(PAGE.read_text(encoding="utf-8")).replace("</", "<\\/")

    def __init__(self, schedule: Schedule, opened: str, png: bytes, caption: str) -> None:
        super().__init__(address=opened, asked=opened, description=schedule.to_dict())
        self._png, self._caption = png, caption

    @property
    def schedule(self) -> Schedule:
        """The schedule as the knobs stand now."""
        return Schedule.from_dict(self.description)

    def _repr_mimebundle_(self, **options: Any) -> Any:
        """Widget and picture in one output: whoever cannot show the one shows the other."""
        found = super()._repr_mimebundle_(**options)
        bundle = found[0] if isinstance(found, tuple) else found or {}
        data, metadata = plots.pictured(self._png, self._caption)
        return {**bundle, **data}, metadata

    def _ipython_display_(self) -> None:
        from IPython.display import display

        data, metadata = self._repr_mimebundle_()
        display(data, metadata=metadata, raw=True)
        display(plots.captioned(self._caption), raw=True)


def explore(
    schedule: Schedule,
    *,
    caption: str,
    steps: int | None = None,
    momentum: float = 0.9,
    beside: Schedule | None = None,
    parabola: tuple[float, float] | None = None,
    law: bool = False,
    log: bool = False,
) -> Explorer:
    """Return the explorer with a schedule on its knobs. End a cell with it.

    Parameters
    ----------
    schedule : Schedule
        What is drawn at first: one that the explorer has knobs for.
    caption : str
        What the picture shows at first, in a sentence; as for `plots.show`.
    steps : int, optional
        Updates in the run; needed for schedules that never end.
    momentum : float
        Of a schedule that leaves momentum alone.
    beside : Schedule, optional
        Another one, drawn dashed.
    parabola : (float, float), optional
        Curvature and variance of the gradient noise: show below what the rates do to the mean loss on a parabola.
    law : bool
        Show below the loss of a small language model, as the law of lesson 14 predicts it; in the place of a parabola.
    log : bool
        Logarithmic rates.

    Returns
    -------
    Explorer
        Its ``schedule`` is what the knobs say now.

    Raises
    ------
    ValueError
        For a schedule without knobs, or one that never ends and no ``steps``; for ``parabola`` and ``law`` at once; for
        a caption that is no sentence.
    """
    opened = address(schedule, steps=steps, momentum=momentum, beside=beside, parabola=parabola, law=law, log=log)
    n = _length(schedule, steps)
    figure = _picture(schedule, n, momentum, beside, parabola, law, log)
    return Explorer(schedule, opened, plots.drawn(figure, caption), caption)


def address(
    schedule: Schedule,
    *,
    steps: int | None = None,
    momentum: float = 0.9,
    beside: Schedule | None = None,
    parabola: tuple[float, float] | None = None,
    law: bool = False,
    log: bool = False,
) -> str:
    """What stands after the ``#`` of the explorer's address: a link that opens it with this schedule.

    Parameters
    ----------
    schedule, steps, momentum, beside, parabola, law, log
        As in `explore`.

    Raises
    ------
    ValueError
        For a schedule without knobs, or one that never ends and no ``steps``; for ``parabola`` and ``law`` at once.

    Examples
    --------
    >>> from helpers.schedules import cosine, linear
    >>> address(cosine(0.1, 500), beside=linear(0.2, 0.0, 500))
    's=cosine&initial_lr=0.1&end_lr=0.0&momentum=0.9&n=500&vs=linear&vs.initial_lr=0.2&vs.end_lr=0.0&vs.momentum=0.9'
    """
    n = _length(schedule, steps)
    if not 10 <= n <= 100_000:
        raise ValueError(f"the explorer draws runs of 10 to 100000 updates, got {n}")
    name, knobs = _knobs(schedule, n, momentum)
    pairs: dict[str, Any] = {"s": name, **knobs, "n": n}
    if beside is not None:
        name, knobs = _knobs(beside, n, momentum)
        pairs |= {"vs": name, **{f"vs.{knob}": value for knob, value in knobs.items()}}
    if parabola is not None and law:
        raise ValueError("below the rates there is room for one: parabola or law")
    if parabola is not None:
        pairs |= {"below": "parabola", "curvature": parabola[0], "variance": parabola[1]}
    if law:
        pairs["below"] = "law"
    if log:
        pairs["log"] = True
    return "&".join(f"{knob}={quote(_said(value), safe='')}" for knob, value in pairs.items())


def _said(value: Any) -> str:
    if isinstance(value, bool):
        return str(int(value))
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _length(schedule: Schedule, steps: int | None) -> int:
    if steps is None and schedule.steps == math.inf:
        raise ValueError(f"{short(schedule)} never ends: say how many updates to draw, steps=...")
    return int(schedule.steps) if steps is None else steps


_OF_THE_RUN = {"total_steps", "stable_steps"}  # they follow from the length of the run


def _knobs(schedule: Schedule, n: int, momentum: float) -> tuple[str, dict[str, Any]]:
    """The entry of the explorer's catalogue for a schedule, and where its knobs stand."""
    name, given = schedule.name, dict(schedule.arguments)
    match name:
        case "then":
            name, given = _after_warmup(schedule)
        case "piecewise_constant":
            given = _drops(schedule)
        case "cyclic":
            given["step_size_down"] = given["step_size_down"] or given["step_size_up"]
        case "with_momentum" | "scaled" | "momentum_of" | "warmup":
            raise ValueError(f"the explorer has no knobs for {short(schedule)}")
    if schedule.steps not in (n, math.inf) and name != "tabulated":
        raise ValueError(f"{short(schedule)} has {schedule.steps} steps, and the run {n}")
    pair = given.pop("momentum", None)
    carries = name in ("one_cycle", "one_cycle_torch", "cyclic")
    ends_with_the_run = {"linear": "steps", "rex": "steps", "cosine": "decay_steps", "polynomial": "decay_steps"}
    left_out = _OF_THE_RUN | {ends_with_the_run.get(name, ""), "steps" if name == "lr_range_test" else ""}
    knobs = {knob: value for knob, value in given.items() if knob not in left_out}
    if isinstance(knobs.get("pct_start"), int):
        knobs["pct_start"] = knobs["pct_start"] / n
    if carries:
        knobs["cycle"] = pair is not None
    return name, {**knobs, **({"low": pair[0], "high": pair[1]} if pair else {"momentum": momentum})}


def _after_warmup(schedule: Schedule) -> tuple[str, dict[str, Any]]:
    first, second = schedule.arguments["first"], schedule.arguments["second"]
    peak = {"linear": "initial_lr", "cosine": "initial_lr"}.get(second.name, "")
    fits = peak and first.name == "warmup" and schedule.arguments["at"] == first.steps
    if not fits or second.arguments[peak] != first.arguments["end_lr"]:
        raise ValueError(f"the explorer has knobs for a warmup and a decay from its end, not for {short(schedule)}")
    rise = {"max_lr": first.arguments["end_lr"], "warmup_steps": int(first.steps)}
    return f"warmup_{second.name}", {
        **rise,
        "start_lr": first.arguments["start_lr"],
        "end_lr": second.arguments["end_lr"],
    }


def _drops(schedule: Schedule) -> dict[str, Any]:
    boundaries, values = schedule.arguments["boundaries"], schedule.arguments["values"]
    factors = [later / earlier for earlier, later in itertools.pairwise(values) if earlier]
    if not 1 <= len(boundaries) <= 2 or len(factors) < len(boundaries) or not np.allclose(factors, factors[0], 1e-9):
        raise ValueError(f"the explorer has knobs for one or two drops by one factor, not for {short(schedule)}")
    times = float(f"{factors[0]:.9g}")
    return {"initial_lr": values[0], "times": times, "first_drop": boundaries[0], "second_drop": boundaries[-1]}


def _picture(
    schedule: Schedule,
    n: int,
    momentum: float,
    beside: Schedule | None,
    parabola: tuple[float, float] | None,
    law: bool,
    log: bool,
) -> Figure:
    """What the explorer draws at first, for pages where nothing runs."""
    k, drawn = np.arange(n), [schedule, *([beside] if beside is not None else [])]
    moving = any(one.momentum is not None for one in drawn)
    momenta = [(one.momentum or constant(momentum))(k) for one in drawn]
    figure, axes = plots.panels(1 + moving + (parabola is not None) + law)
    rates, *others = axes
    with mpl.rc_context(plots.STYLE):
        for one, beta in zip(drawn, momenta, strict=True):
            rates.plot(k, one(k), label=one.name.replace("_", " "))
            if moving:
                others[0].plot(k, beta)
            if parabola is not None:
                curvature, variance = parabola
                moments = theory.second_moments(one(k), curvature, variance, momentum=beta)
                others[-1].plot(np.minimum(curvature / 2 * moments, 1e6))
            if law and one(k).any():
                others[-1].plot(*_foretold(one(k)))
        rates.set(xlabel="updates made, k", ylabel="learning rate", yscale="log" if log else "linear")
        if not log:
            rates.set_ylim(bottom=0)
        if beside is not None:
            rates.legend(fontsize=9)
        if moving:
            others[0].set(xlabel="updates made, k", ylabel="momentum")
        if parabola is not None:
            others[-1].set(xlabel="updates made, k", ylabel="mean loss on the parabola", yscale="log")
        if law:
            others[-1].set(xlabel="updates made, k", ylabel="predicted loss, nats")
    return figure


def _foretold(rates: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The recorded law's losses after the updates of which it knows something."""
    law, record = loss_law.recorded()
    first = max(record["fit"]["skip"], int(np.flatnonzero(rates)[0]) + 1)
    at = np.unique(np.linspace(first, len(rates), 200).astype(int)) if len(rates) >= first else np.empty(0, dtype=int)
    return at, law.predict(rates, at) if at.size else np.empty(0)


# ---------------------------------------------------------------------------------- recorded races
_ENTRIES = {  # arm of a recorded race -> entry of the explorer
    "constant": "constant",
    "constant, tail averaged": "constant",
    "steps x 0.1": "piecewise_constant",
    "linear decay": "linear",
    "cosine": "cosine",
    "WSD": "wsd",
    "1cycle": "one_cycle",
    "1cycle, momentum cycled": "one_cycle",
    "1cycle, three phases": "one_cycle",
}
_NAMES = {"steps x 0.1": "two drops to a tenth"}


def measured() -> list[dict[str, Any]]:
    """What the recorded races say of the explorer's schedules: plain data, as it stands in the page.

    Returns
    -------
    list of dict
        For each race with tuned rates a ``workload`` sentence and ``rows``: entry, arm, epochs, seeds, test ``error``
        in % (or a loss: its ``unit``), ``difference`` to linear decay with its 95 % ``margin`` (None for linear decay
        itself).
    """
    from .races import experiments, recorded

    found = []
    for name, experiment in sorted(experiments.EXPERIMENTS.items()):
        # where nothing was tuned, a schedule was not measured but a rate
        if len(experiment.lrs) > 1 and (recorded.RESULTS / f"{name}.json").exists():
            record = recorded.load(name)
            title, source = record.provenance["title"].replace(", in Keras", ""), record.race.source
            told = [title, source, record.provenance["framework"]]
            if "warmup" in record.race.reference:
                told.append(f"compared with {record.race.reference}")
            rows = [
                _row(row, record.race)
                for row in record.race.summary().to_dict("records")
                if _entry(row["arm"]) is not None
            ]
            found.append({"workload": "; ".join(told), "rows": rows})
    return found


def _entry(arm: str) -> str | None:
    """The explorer's schedule that an arm is, with its warmup if it has one."""
    shape, _, warm = arm.partition(", warmup ")
    entry = _ENTRIES.get(shape)
    return f"warmup_{entry}" if warm and entry in ("linear", "cosine") else entry


def _row(row: dict[str, Any], race: Race) -> dict[str, Any]:
    is_reference, digits = row["arm"] == race.reference, 2 if race.measure == "error" else 3
    return {
        "entry": _entry(row["arm"]),
        "arm": _NAMES.get(row["arm"], row["arm"]),
        "epochs": row["budget"],
        "seeds": row["n"],
        "error": round(row["error"], digits),
        "unit": "%" if race.measure == "error" else "nats",
        "difference": None if is_reference else round(row["difference"], digits),
        "margin": None if is_reference else round(row["difference_half_width"], digits),
    }


def law_with_tests() -> dict[str, Any]:
    """The recorded law of lesson 14: plain data, as it stands in the page.

    Returns
    -------
    dict
        ``law`` with its numbers, ``fit`` and ``tests`` as in `loss_law.measure`, but of the ends only how many
        ``schedules`` there were, the mean of predicted minus measured, ``level``, and how far from it a schedule is in
        the mean, ``spread`` (None for less than three); and the ``source`` of the text.
    """
    _, record = loss_law.recorded()
    tests = []
    for test in record["tests"]:
        off = np.array([predicted - measured for predicted, measured in test.pop("ends").values()])
        level = float(off.mean())
        spread = round(float(np.abs(off - level).mean()), 4) if len(off) > 2 else None
        tests.append({**test, "schedules": len(off), "level": round(level, 4), "spread": spread})
    return {"law": record["law"], "fit": record["fit"], "tests": tests, "source": record["origin"]["source"]}


def with_results(page: str) -> str:
    """The page with the results of the recorded races, and the recorded law, as they are now."""
    lines = ",\n".join(json.dumps(one) for one in measured())
    law = json.dumps(law_with_tests())
    block = f'<script id="recorded">\nconst MEASURED = [\n{lines}\n];\nconst LAW = {law};\n</script>'
    return re.sub(r'<script id="recorded">.*?</script>', lambda _: block, page, flags=re.DOTALL)


def main() -> None:
    """Run ``python -m helpers.explorer``."""
    written = with_results(PAGE.read_text(encoding="utf-8"))
    part = PAGE.with_suffix(f".{os.getpid()}.part")
    part.write_text(written, encoding="utf-8")
    os.replace(part, PAGE)
    races = f"the results of {len(measured())} recorded races"
    print(f"{PAGE.name}: {len(written.encode()) / 1000:.0f} kB, with {races} and the law of lesson 14")


if __name__ == "__main__":
    main()
