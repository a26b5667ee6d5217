"""What nbval does not look at: order, freshness, size, leaks, descriptions. nbval itself runs every notebook."""

import json
import re
from pathlib import Path

import nbformat
import pytest

from tests.notebook_tools import LESSONS, ROOT, code_cells, stamp_of

NOTEBOOKS = LESSONS + sorted((ROOT / "notebooks" / "solutions").glob("*.ipynb"))
MAX_BYTES = 300_000
MACHINE_PATH = re.compile(r"(?<![\w.~:/-])/(?:home|root|tmp|opt|usr|work|Users|var|mnt)/[\w.]|[A-Z]:\\\\Users|file://")
WARNING = re.compile(r"\b\w*Warning\b:|^WARNING|Traceback \(most recent call last\)", re.MULTILINE)

pytestmark = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


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


def test_it_is_valid_and_small(path: Path) -> None:
    notebook = read(path)
    nbformat.validate(notebook)
    assert path.stat().st_size <= MAX_BYTES
    assert notebook.metadata.kernelspec.name == "python3"
    assert "widgets" not in notebook.metadata, "GitHub refuses notebooks with stored widget states"


def test_outputs_belong_to_the_code(path: Path) -> None:
    notebook = read(path)
    assert notebook.metadata.course.stamp == stamp_of(notebook), "stale: python -m tests.notebook_tools " + path.name
    assert notebook.metadata.course.budget in ("cpu", "gpu"), "committed outputs come from a real run"
    counts = [cell.execution_count for cell in code_cells(notebook)]
    assert counts == list(range(1, len(counts) + 1)), "every cell executed, in order"
    assert any(cell.outputs for cell in code_cells(notebook))


def test_outputs_are_clean(path: Path) -> None:
    notebook = read(path)
    for cell in code_cells(notebook):
        for output in cell.outputs:
            assert output.output_type != "error" or "raises-exception" in tags(cell)
            assert output.get("name") != "stderr", output.get("text")
    for text in text_outputs(notebook):
        assert not WARNING.search(text), text
        assert "\r" not in text, "a progress bar"
    everything = json.dumps([cell.get("outputs", []) for cell in notebook.cells]) + "".join(text_outputs(notebook))
    everything += "".join(cell.source for cell in notebook.cells)
    assert not MACHINE_PATH.search(everything), MACHINE_PATH.search(everything)


def test_cells_suit_a_strict_comparison(path: Path) -> None:
    for cell in code_cells(read(path)):
        assert not cell.source.rstrip().endswith(";"), "nbval does not honour a trailing semicolon: assign to _"
        assert not re.search(r"^\s*[!%]", cell.source, re.MULTILINE), "no shell commands or magics in a lesson"
        assert "nbval-skip" not in tags(cell)


def test_every_picture_has_a_description(path: Path) -> None:
    for cell in code_cells(read(path)):
        for output in cell.outputs:
            if "image/png" in output.get("data", {}):
                alt = output.metadata.get("image/png", {}).get("alt", "")
                assert len(alt) >= 20, cell.source
                assert output.data["text/plain"] == f"Figure: {alt}"


def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+\.(?:ipynb|py|json|md))[^)]*\)", "".join(c.source for c in read(path).cells)):
        assert target.startswith("http") or (path.parent / target).exists(), target
