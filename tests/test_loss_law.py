"""The laws against sums written out, what they promise against schedules drawn at random, bad input, and the record."""

import json
import re

import numpy as np
import pytest

from helpers import loss_law
from helpers import schedules as s
from helpers.loss_law import Curve, LossLaw, fit_law

RNG = np.random.default_rng(0)
RATES = 0.1 * RNG.uniform(0.05, 1.0, 60)
NUMBERS = {"peak": 0.1, "floor": 1.5, "progress": 2.0, "noise": 0.3, "alpha": 0.4}
TRUTH = {
    "power": LossLaw("power", **{**NUMBERS, "noise": 0.0}),
    "annealing": LossLaw("annealing", **{**NUMBERS, "noise": 0.02}, memory=0.95),
    "functional": LossLaw("functional", **{**NUMBERS, "noise": 0.1}, memory=0.6),
}


def annealing_by_hand(t: int) -> float:
    """S1 and S2 as the paper writes them: sums over updates i, and over the falls k before each."""
    h, law = RATES / 0.1, TRUTH["annealing"]
    falls = [0.0] + [h[k - 1] - h[k] for k in range(1, t)]
    area = sum(falls[k] * law.memory ** (i - k) for i in range(t) for k in range(i + 1))
    return law.floor + law.progress * sum(h[:t]) ** -law.alpha - law.noise * area


def functional_by_hand(t: int, pieces: int = 2000) -> float:
    """The integral of each update as a sum over many short pieces of it."""
    h, law = RATES / 0.1, TRUTH["functional"]
    total, now = 0.0, sum(h[:t])
    for k in range(t):
        moments = sum(h[:k]) + h[k] * (np.arange(pieces) + 0.5) / pieces
        total += h[k] * np.mean((1 + now - moments) ** -law.memory) * h[k]
    return law.floor + law.progress * now**-law.alpha + law.noise * total


@pytest.mark.parametrize("t", [1, 2, 7, 60])
def test_the_laws_are_their_sums_written_out(t: int) -> None:
    assert TRUTH["annealing"].predict(RATES, [t])[0] == pytest.approx(annealing_by_hand(t), rel=1e-12)
    assert TRUTH["functional"].predict(RATES, [t])[0] == pytest.approx(functional_by_hand(t), rel=1e-6)
    expected = 1.5 + 2.0 * (sum(RATES[:t]) / 0.1) ** -0.4
    assert TRUTH["power"].predict(RATES, [t])[0] == pytest.approx(expected, rel=1e-12)


def test_a_memory_of_one_is_no_exception() -> None:
    near, at, far = (LossLaw("functional", **NUMBERS, memory=m).predict(RATES) for m in (1 - 1e-6, 1.0, 1 + 1e-6))
    np.testing.assert_allclose(at, (near + far) / 2, rtol=1e-9)


@pytest.mark.parametrize("kind", TRUTH)
def test_nothing_that_comes_later_changes_a_prediction(kind: str) -> None:
    law, other = TRUTH[kind], RATES.copy()
    other[30:] = 0.0
    np.testing.assert_allclose(law.predict(RATES, np.arange(1, 31)), law.predict(other)[:30], rtol=1e-12)
    np.testing.assert_allclose(law.predict(RATES)[[4, 9]], law.predict(RATES, [5, 10]), rtol=1e-12)


@pytest.mark.parametrize("kind", TRUTH)
def test_a_law_is_found_again_from_two_of_its_runs_and_predicts_a_third(kind: str) -> None:
    law, at = TRUTH[kind], np.arange(25, 501, 25)
    plans = [s.constant(0.1), s.piecewise_constant([250], [0.1, 0.02])]
    runs = [Curve(plan(np.arange(500)), at, law.predict(plan(np.arange(500)), at)) for plan in plans]
    found = fit_law(kind, runs, peak=0.1, skip=50)
    rates = s.cosine(0.1, 2000)(np.arange(2000))
    np.testing.assert_allclose(found.predict(rates, [500, 2000]), law.predict(rates, [500, 2000]), rtol=1e-4)
    assert found.alpha == pytest.approx(law.alpha, rel=0.02)
    assert found.memory == pytest.approx(law.memory, rel=0.02)


def test_what_it_recommends_is_better_by_the_law_than_anything_else_tried() -> None:
    law = TRUTH["functional"]
    promised = law.predict(law.recommend(300, knots=16)(np.arange(300)), [300])[0]
    others = [s.linear(0.1, 0.0, 300), s.cosine(0.1, 300), *(s.constant(c) for c in (0.1, 0.05, 0.02))]
    rates = [plan(np.arange(300)) for plan in others]
    rates += [0.1 * np.interp(np.arange(300), np.linspace(0, 299, 16), RNG.uniform(0, 1, 16)) for _ in range(100)]
    assert promised < min(law.predict(row, [300])[0] for row in rates)


def test_a_recommended_schedule_has_the_warmup_and_the_peak_that_were_asked_for() -> None:
    plan = TRUTH["functional"].recommend(200, warmup=20, knots=11)
    rates = plan(np.arange(200))
    assert plan.steps == 200
    assert rates[0] <= 0.1 / 20 + 1e-12
    assert rates.max() <= 0.1 + 1e-12
    assert rates.min() > 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rates": [[0.1]]}, "one row of finite learning rates"),
        ({"rates": [0.1, -0.1, 0.1]}, "at least 0"),
        ({"at": [0, 1]}, "from 1 to 3"),
        ({"at": [4]}, "from 1 to 3"),
        ({"at": [1.5]}, "whole numbers"),
        ({"rates": [0.0, 0.0, 0.1]}, "nothing has been learned yet"),
    ],
)
def test_bad_runs_are_a_sentence(change, message: str) -> None:
    run = {"rates": [0.1, 0.1, 0.1], "at": [1, 2, 3], **change}
    with pytest.raises(ValueError, match=message):
        TRUTH["power"].predict(**run)


def test_bad_fits_are_a_sentence() -> None:
    good = Curve(np.full(40, 0.1), np.arange(1, 41), np.ones(40))
    for arguments, message in [
        (("parabola", [good], 0.1), "choose from power, annealing, functional"),
        (("power", [good], -0.1), "peak must be finite and above 0"),
        (("power", [], 0.1), "0 losses after update 10 do not determine"),
        (("power", [good._replace(at=np.arange(1, 13), losses=np.ones(12))], 0.1), "2 losses after update 10"),
        (("power", [good._replace(losses=np.ones(39))], 0.1), "one finite loss above 0"),
        (("power", [good._replace(losses=np.full(40, np.nan))], 0.1), "one finite loss above 0"),
    ]:
        kind, curves, peak = arguments
        with pytest.raises(ValueError, match=message):
            fit_law(kind, curves, peak=peak, skip=10)
    with pytest.raises(ValueError, match="10 updates cannot have 21 knots"):
        TRUTH["power"].recommend(10)


# ------------------------------------------------------------------------------------- the recorded law
def outputs_of_the_lesson() -> str:
    cells = json.loads(loss_law.LESSON.read_text(encoding="utf-8"))["cells"]
    found = [output for cell in cells for output in cell.get("outputs", [])]
    texts = [output.get("text") or output.get("data", {}).get("text/plain", "") for output in found]
    return "\n".join("".join(text) for text in texts)


def test_the_record_says_what_the_lesson_shows() -> None:
    """Made by the lesson's own cells. Another processor rounds otherwise, and the runs drift apart: so, nearly."""
    law, record = loss_law.recorded()
    test, shown = {test["name"]: test for test in record["tests"]}, outputs_of_the_lesson()
    curve, end = re.search(r"^ *functional +(0\.\d+) +(0\.\d+) +[-+]", shown, re.MULTILINE).groups()
    assert test["twice as long"]["curve"] == pytest.approx(float(curve), abs=0.1)
    assert test["twice as long"]["end"] == pytest.approx(float(end), abs=0.005)
    ends = {name: pair for one in ("twice as long", "six times as long") for name, pair in test[one]["ends"].items()}
    promised = re.findall(r"^(\d\.\d{3})  (.+)$", shown, re.MULTILINE)
    assert len(promised) == 10
    for value, name in promised:
        assert test["twice as long"]["ends"][name][0] == pytest.approx(float(value), abs=0.02)
    for name in ("constant", "cosine", "two restarts"):
        value = re.search(rf"^ *{name} (\d\.\d{{3}}) +\d\.\d{{3}} \d\.\d{{3}} and", shown, re.MULTILINE)[1]
        assert ends[name][0] == pytest.approx(float(value), abs=0.03)
    assert (law.kind, law.peak) == ("functional", 0.1)


def test_the_record_says_where_it_comes_from() -> None:
    _, record = loss_law.recorded()
    assert record["command"] == "python -m helpers.loss_law"
    assert {"source", "device", "versions", "date"} == set(record["origin"])
    source = "".join("".join(cell["source"]) for cell in json.loads(loss_law.LESSON.read_text("utf-8"))["cells"])
    fit = record["fit"]
    assert f'"batch_size": {fit["batch_size"]}, "momentum": {fit["momentum"]}' in source
    assert f"windows(context={fit['context']}," in source
    assert f"SHORT, LONG, LONGEST = runtime.by_budget(\n    smoke=(120, 200, 300), cpu=({fit['updates']}," in source


@pytest.mark.full
@pytest.mark.filterwarnings("ignore:Mean of empty slice", "ignore:invalid value")  # so short is a run at this budget
def test_the_command_fits_and_tests_anew(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setenv("COURSE_BUDGET", "smoke")  # put back afterwards
    monkeypatch.setattr(loss_law, "BUDGET", "smoke")
    monkeypatch.setattr(loss_law, "RECORD", tmp_path / "loss_law.json")
    loss_law.main()
    (law, small), (_, record) = loss_law.recorded(tmp_path / "loss_law.json"), loss_law.recorded()
    assert "six times as long: " in capsys.readouterr().out
    assert list(small) == list(record)
    assert [list(one) for one in small["tests"]] == [list(one) for one in record["tests"]]
    assert [list(one["ends"]) for one in small["tests"]] == [list(one["ends"]) for one in record["tests"]]
    assert small["fit"].keys() == record["fit"].keys()
    assert law.predict(s.linear(0.1, 0.0, 200)(np.arange(200)), [200])[0] > 0


def test_a_record_that_is_missing_says_how_to_make_it(tmp_path) -> None:
    with pytest.raises(FileNotFoundError, match=r"python -m helpers\.loss_law"):
        loss_law.recorded(tmp_path / "none.json")
