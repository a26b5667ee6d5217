"""What nbval does not look at: form, freshness, size, leaks, descriptions. nbval itself runs every notebook."""

import itertools
import json
import re
import statistics
from pathlib import Path

import nbformat
import pytest

from helpers import plots
from helpers.exercises import LESSONS as EXERCISES
from tests.notebook_tools import (
    DIAGNOSIS_TAG,
    FOLDED_OUTPUT_TAG,
    FOLDED_TAG,
    LESSONS,
    ROOT,
    SOLUTIONS,
    clean,
    code_cells,
    is_hidden,
    only_agrees,
    only_answers,
    only_draws,
    stamp_of,
)

NOTEBOOKS = LESSONS + SOLUTIONS
MAX_BYTES = 300_000
MACHINE_PATH = re.compile(r"(?<![\w.~:/-])/(?:home|root|tmp|opt|usr|work|Users|var|mnt)/[\w.]|[A-Z]:\\\\Users|file://")
WARNING = re.compile(r"\b\w*Warning\b:|^WARNING|Traceback \(most recent call last\)", re.MULTILINE)

MAX_LINES, MAX_MEDIAN_LINES, MAX_CELLS = 30, 12, 60
SECTIONS = ["Picture", "From scratch", "In PyTorch", "In Keras", "They agree", "When it fails", "Exercises", "Recap"]
# a lesson opened alone, on Colab or in a bare VS Code, says in a sentence what is missing
ALONE = """try:
    from helpers import runtime
except ImportError:
    raise SystemExit("""
# the phenomenon first, each framework's own way, who uses it
NEW_FORM = {f"{number:02d}" for number in range(19)} - {"17"}


def name(path: Path) -> str:
    return str(path.relative_to(ROOT / "notebooks").with_suffix(""))


every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=name)
every_lesson = pytest.mark.parametrize("path", LESSONS, ids=name)


def read(path: Path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=4)


def text_outputs(notebook: nbformat.NotebookNode) -> list[str]:
    found = []
    for output in (output for cell in code_cells(notebook) for output in cell.outputs):
        found.append(output.get("text", ""))
        found += [v for k, v in output.get("data", {}).items() if k.startswith("text/") and isinstance(v, str)]
    return found


def tags(cell: nbformat.NotebookNode) -> list[str]:
    return cell.metadata.get("tags", [])


@every_notebook
def test_it_is_valid_and_small(path: Path) -> None:
    notebook = read(path)
    nbformat.validate(notebook)
    assert path.stat().st_size <= MAX_BYTES
    assert notebook.metadata.kernelspec.name == "python3"
    assert "widgets" not in notebook.metadata, "GitHub refuses notebooks with stored widget states"


@every_notebook
def test_outputs_belong_to_the_code(path: Path) -> None:
    notebook = read(path)
    assert notebook.metadata.course.stamp == stamp_of(notebook), "stale: python -m tests.notebook_tools " + path.name
    assert notebook.metadata.course.budget in ("cpu", "gpu"), "committed outputs come from a real run"
    counts = [cell.execution_count for cell in code_cells(notebook)]
    assert counts == list(range(1, len(counts) + 1)), "every cell executed, in order"
    assert any(cell.outputs for cell in code_cells(notebook))


@every_notebook
def test_outputs_are_clean(path: Path) -> None:
    notebook = read(path)
    for cell in code_cells(notebook):
        for output in cell.outputs:
            assert output.output_type != "error" or "raises-exception" in tags(cell)
            assert output.get("name") != "stderr", output.get("text")
    for text in text_outputs(notebook):
        assert not WARNING.search(text), text
        assert "\r" not in text, "a progress bar"
        assert "results are not comparable with" not in text, "executed on a stand-in for the data"
    everything = json.dumps([cell.get("outputs", []) for cell in notebook.cells]) + "".join(text_outputs(notebook))
    everything += "".join(cell.source for cell in notebook.cells)
    assert not MACHINE_PATH.search(everything), MACHINE_PATH.search(everything)


@every_notebook
def test_cells_suit_a_strict_comparison(path: Path) -> None:
    for cell in code_cells(read(path)):
        assert not cell.source.rstrip().endswith(";"), "nbval does not honour a trailing semicolon: assign to _"
        assert not re.search(r"^\s*[!%]", cell.source, re.MULTILINE), "no shell commands or magics in a lesson"
        assert "nbval-skip" not in tags(cell)


@every_notebook
def test_cells_that_load_data_may_say_that_they_have_a_stand_in(path: Path) -> None:
    """Where nothing can be downloaded, `data.load` prints a line that the stored outputs do not have."""
    for cell in code_cells(read(path)):
        if re.search(r"data\.load\(\"(mnist|cifar10)\"|\.data\(final=", cell.source):
            assert "nbval-ignore-output" in tags(cell), cell.source


@every_notebook
def test_every_picture_has_a_description_and_its_caption_below(path: Path) -> None:
    for cell in code_cells(read(path)):
        for output, below in itertools.pairwise([*cell.outputs, {}]):
            if "image/png" in output.get("data", {}):
                alt = output.metadata.get("image/png", {}).get("alt", "")
                assert len(alt) >= 20, cell.source
                assert output.data["text/plain"] == f"Figure: {alt}"
                assert below.get("data") == plots.captioned(alt), cell.source


@every_notebook
def test_cells_that_only_draw_are_folded_and_no_others(path: Path) -> None:
    notebook = read(path)
    kinds = zip(only_draws(notebook), only_agrees(notebook), only_answers(notebook), strict=True)
    for cell, (draws, agrees, answers) in zip(code_cells(notebook), kinds, strict=True):
        hidden, diagnosis = is_hidden(cell), DIAGNOSIS_TAG in tags(cell)
        assert hidden == (FOLDED_TAG in tags(cell)), "the metadata and the tag say the same"
        assert hidden or not draws, f"fold it, it only draws:\n{cell.source}"
        assert draws or agrees or diagnosis or not hidden, f"it does more than draw, show it:\n{cell.source}"
        assert answers == diagnosis, f"a diagnosis answers a guess, and nothing else does:\n{cell.source}"
        folded_output = cell.metadata.get("jupyter", {}).get("outputs_hidden", False)
        assert {folded_output, FOLDED_OUTPUT_TAG in tags(cell)} == {diagnosis}, "it would give the answer away"
        assert hidden or not diagnosis


def test_every_case_of_the_clinic_has_its_answer_folded() -> None:
    (clinic,) = (read(path) for path in LESSONS if path.stem.startswith("18"))
    cases = [cell.source for cell in clinic.cells if "## Case " in cell.source]
    guesses = [cell for cell in code_cells(clinic) if cell.source.startswith("case_")]
    texts = [cell for cell in clinic.cells if cell.source.startswith("<details>")]
    assert len(cases) == len(guesses) == len(texts) == sum(only_answers(clinic))
    for number, source in enumerate(cases, start=1):
        assert re.search(rf"^## Case {number} · ", source, re.MULTILINE)
        assert re.search(r"^\*\*Your guess\.\*\* .*\(a\).*\(b\).*\(c\)", source, re.MULTILINE | re.DOTALL)


TRAINS = "def train(lr):\n    return fit_torch(lr)"
SHOWS = "plots.show(plots.schedules({'line': line}), 'A line from 0.1 to 0.')"


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["line = linear(0.1, 0, 9)", SHOWS], [False, True]),
        ([f"line = linear(0.1, 0, 9)\n{SHOWS}", "print(line(3))"], [False, False]),  # a later cell uses the line
        ([f"line = linear(0.1, 0, 9)\n{SHOWS}", SHOWS], [True, True]),  # only a later picture does
        ([f"line = linear(0.1, 0, 9)\n{SHOWS}", "line = 3\nline"], [True, False]),  # another line
        ([f"line = linear(0.1, 0, 9)\n{SHOWS}", "[line(k) for k in range(3)]"], [False, False]),
        ([f"print('seen')\n{SHOWS}"], [False]),
        ([f"assert line\n{SHOWS}"], [False]),
        ([TRAINS, f"run = train(0.1)\n{SHOWS}"], [False, False]),  # trains in a function of the lesson
        ([f"fit_torch(model)\n{SHOWS}"], [False]),
        ([f"{SHOWS}\nline"], [False]),  # shows more than a picture
        (["def draw(lr):\n    return plots.panels()\n\n\nexplore(draw, 'A panel.', lr=(0, 1, 0))"], [True]),
        (["def draw(lr):\n    return lr\n\n\nexplore(draw, 'A panel.', lr=(0, 1, 0))", "draw(3)"], [False, False]),
    ],
)
def test_what_only_draws(cells: list[str], expected: list[bool]) -> None:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in cells])
    assert only_draws(notebook) == expected


FAILS = "fails(follows, used)\nassert used"


@pytest.mark.parametrize(
    ("above", "cells", "expected"),
    [
        ("<details><summary>Diagnosis</summary></details>", [FAILS], [True]),
        ("A text.", [FAILS], [False]),  # it is in the open: so must the code be
        ("<details></details>", ["assert used"], [False]),  # nothing failed before
        ("<details></details>", ["fails(follows, used)"], [False]),  # nothing passes now
        ("<details></details>", ["fails(follows, used)\nfor_torch.assert_used(used, plan)"], [True]),
        ("<details></details>", [f"repaired = 1\n{FAILS}", "repaired"], [False, False]),
    ],
)
def test_what_only_answers(above: str, cells: list[str], expected: list[bool]) -> None:
    code = [nbformat.v4.new_code_cell(source) for source in cells]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(above), *code])
    assert only_answers(notebook) == expected


def test_cleaning_keeps_what_is_folded_and_drops_the_rest() -> None:
    metadata = {"jupyter": {"source_hidden": True}, "tags": [FOLDED_TAG]}
    answer_tags = [DIAGNOSIS_TAG, FOLDED_TAG, FOLDED_OUTPUT_TAG]
    answer = {"jupyter": {"source_hidden": True, "outputs_hidden": True}, "tags": answer_tags}
    cells = [
        nbformat.v4.new_code_cell("1", metadata=metadata | {"collapsed": True, "execution": {"iopub": "now"}}),
        nbformat.v4.new_code_cell("2", metadata={"jupyter": {"source_hidden": False, "outputs_hidden": True}}),
        nbformat.v4.new_code_cell("3", metadata=answer | {"collapsed": True}),
    ]
    notebook = nbformat.v4.new_notebook(cells=cells)
    clean(notebook, "cpu")
    assert [cell.metadata for cell in notebook.cells] == [metadata, {}, answer]
    nbformat.validate(notebook)


@every_notebook
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+\.(?:ipynb|py|json|md))[^)]*\)", "".join(c.source for c in read(path).cells)):
        assert target.startswith("http") or (path.parent / target).exists(), target


# ------------------------------------------------------------------------------------------- form
@every_notebook
def test_imports_are_in_one_cell_the_first(path: Path) -> None:
    first, *others = code_cells(read(path))
    assert re.search(r"^\s*(from|import) ", first.source, re.MULTILINE)
    for cell in others:
        assert not re.search(r"^\s*(from \S+ )?import ", cell.source, re.MULTILINE), cell.source


@every_notebook
def test_never_more_than_two_code_cells_without_a_word(path: Path) -> None:
    runs = itertools.groupby(read(path).cells, key=lambda cell: cell.cell_type)
    assert max(len(list(cells)) for kind, cells in runs if kind == "code") <= 2


@every_notebook
def test_cells_are_short_enough_to_be_read(path: Path) -> None:
    notebook = read(path)
    lengths = [len(cell.source.replace(ALONE, "").splitlines()) for cell in code_cells(notebook)]
    assert lengths[0] <= MAX_LINES + 3  # the rest of that sentence
    assert max(lengths[1:]) <= MAX_LINES
    assert statistics.median(lengths) <= MAX_MEDIAN_LINES
    cases = sum("## Case" in cell.source for cell in notebook.cells)  # the clinic is read a case at a time
    assert len(notebook.cells) <= (5 * cases + 20 if cases else MAX_CELLS)


@every_notebook
def test_pictures_come_from_the_one_place_that_checks_labels(path: Path) -> None:
    """`plots.show` and `explore` refuse a figure without a description or with an unlabelled axis."""
    for cell in code_cells(read(path)):
        assert not re.search(r"\bplt\b|pyplot|savefig|\.show\(\)", cell.source), cell.source
        shown = len(re.findall(r"^\s*(plots\.show|explore)\(", cell.source, re.MULTILINE))
        assert sum("image/png" in output.get("data", {}) for output in cell.outputs) == shown


@every_lesson
def test_a_lesson_says_what_it_teaches_how_long_it_takes_and_where_it_is_from(path: Path) -> None:
    notebook = read(path)
    opening, closing = notebook.cells[0].source, notebook.cells[-1].source
    assert re.match(rf"# {path.stem[:2]} · ", opening)
    goals = ("*You will learn*",) if path.stem[:2] in NEW_FORM else ("(1)", "(2)", "(3)")
    for goal in (*goals, "*Time*", "*Before it*"):
        assert goal in opening, goal
    if path.stem[:2] in NEW_FORM:
        first_words = opening.split("\n\n")[1]
        assert not first_words.startswith("*"), "why anybody cares comes first"
        assert ALONE in code_cells(notebook)[0].source
    for part in ("## Recap", "**Next**", "**References.**"):
        assert part in closing, part


@pytest.mark.parametrize("path", [p for p in LESSONS if p.stem[:2] in {"03", "04", "06", "07"}], ids=name)
def test_a_lesson_about_a_schedule_has_the_whole_form(path: Path) -> None:
    headings = re.findall(r"^#{2,3} (.+)$", "\n".join(cell.source for cell in read(path).cells), re.MULTILINE)
    found = [next((i for i, heading in enumerate(headings) if heading.startswith(part)), None) for part in SECTIONS]
    assert None not in found, dict(zip(SECTIONS, found, strict=True))
    assert found == sorted(found)
    assert any(heading.startswith("Derive") for heading in headings)
    assert any(heading.startswith("Train") for heading in headings)
    if path.stem[:2] in NEW_FORM:
        for part in ("In PyTorch, as people write it", "In Keras, as people write it", "When would I use this"):
            assert any(heading.startswith(part) for heading in headings), part


@every_lesson
def test_every_training_cell_is_held_to_its_trace(path: Path) -> None:
    for cell in code_cells(read(path)):
        if re.search(r"\bfit_(torch|keras)\(", cell.source):
            assert "training.assert_trace(" in cell.source, cell.source


# -------------------------------------------------------------------------------------- exercises
def checks(path: Path) -> dict[str, str]:
    """Name of each check a notebook calls -> the outcome it shows."""
    found = {}
    for cell in code_cells(read(path)):
        called = re.search(r"^check\.(\w+)\(", cell.source, re.MULTILINE)
        if called:
            texts = [output.data["text/plain"] for output in cell.outputs if output.output_type == "execute_result"]
            assert len(texts) == 1, cell.source
            found[called[1]] = re.match(r"\S+ ([\w ]+):", texts[0])[1]
    return found


@every_lesson
def test_every_exercise_is_in_its_lesson_blank_and_in_its_solution_right(path: Path) -> None:
    expected = [exercise.name for exercise in EXERCISES[path.stem[:2]]]
    lesson, solution = checks(path), checks(path.parent / "solutions" / path.name)
    assert sorted(lesson) == sorted(expected)
    assert list(solution) == list(lesson), "the same order"
    assert set(lesson.values()) == {"not attempted"}
    assert set(solution.values()) == {"right"}


def test_there_is_a_solution_for_each_lesson_and_no_other() -> None:
    assert [path.name for path in SOLUTIONS] == [path.name for path in LESSONS]
    assert sorted(EXERCISES) == [path.stem[:2] for path in LESSONS]
