"""Execute a lesson in place, with a stamp by which stale outputs are found.

    python -m tests.notebook_tools [notebooks/07_one_cycle.ipynb ...]

Runs every lesson and solution (or the ones named) at COURSE_BUDGET (default cpu), writes the outputs into the file,
whole or not at all, and stamps it with a hash of its code cells. `tests/test_notebook_style.py` fails when the two
differ.
"""

import base64
import hashlib
import os
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

ROOT = Path(__file__).parents[1]
LESSONS = sorted((ROOT / "notebooks").glob("*.ipynb"))
SOLUTIONS = sorted((ROOT / "notebooks" / "solutions").glob("*.ipynb"))
README_LESSON = ROOT / "notebooks" / "07_one_cycle.ipynb"
README_FIGURE = ROOT / "notebooks" / "results" / "one_cycle_mnist.png"  # its last picture
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def stamp_of(notebook: NotebookNode) -> str:
    """A hash of the code, in order: what the outputs must belong to."""
    return hashlib.sha256("\0".join(cell.source for cell in code_cells(notebook)).encode()).hexdigest()


def clean(notebook: NotebookNode, budget: str) -> None:
    """Leave in the metadata only what a reader or a test needs."""
    notebook.metadata = {
        "kernelspec": KERNEL,
        "language_info": {"name": "python"},
        "course": {"budget": budget, "stamp": stamp_of(notebook)},
    }
    for cell in notebook.cells:
        tags = cell.metadata.get("tags")
        cell.metadata = {"tags": tags} if tags else {}


def pictures(notebook: NotebookNode) -> list[bytes]:
    """Every picture among the outputs, in order."""
    outputs = [output for cell in code_cells(notebook) for output in cell.outputs]
    return [base64.b64decode(o.data["image/png"]) for o in outputs if "image/png" in o.get("data", {})]


def execute(path: Path) -> float:
    """Run one lesson and write it back; return the seconds it took."""
    budget = os.environ.setdefault("COURSE_BUDGET", "cpu")
    os.environ["TQDM_DISABLE"] = "1"
    notebook, start = nbformat.read(path, as_version=4), time.monotonic()
    NotebookClient(notebook, timeout=1200, resources={"metadata": {"path": str(path.parent)}}).execute()
    clean(notebook, budget)
    part = path.with_suffix(".part")
    nbformat.write(notebook, part)
    os.replace(part, path)
    if path.resolve() == README_LESSON:
        README_FIGURE.parent.mkdir(exist_ok=True)
        README_FIGURE.write_bytes(pictures(notebook)[-1])
    return time.monotonic() - start


if __name__ == "__main__":
    for path in [Path(name) for name in sys.argv[1:]] or LESSONS + SOLUTIONS:
        print(f"{path.name}: {execute(path):.0f} s", flush=True)
