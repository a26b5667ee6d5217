"""Execute a lesson in place, with a stamp by which stale outputs are found.

    python -m tests.notebook_tools [notebooks/07_one_cycle.ipynb ...]

Runs every lesson and solution (or the ones named) at COURSE_BUDGET (default cpu), writes the outputs into the file,
whole or not at all, and stamps it with a hash of its code cells. `tests/test_notebook_style.py` fails when the two
differ.
"""

import ast
import base64
import hashlib
import os
import re
import symtable
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

ROOT = Path(__file__).parents[1]
LESSONS = sorted((ROOT / "notebooks").glob("*.ipynb"))
SOLUTIONS = sorted((ROOT / "notebooks" / "solutions").glob("*.ipynb"))
README_LESSON = ROOT / "notebooks" / "12_super_convergence.ipynb"
README_FIGURE = ROOT / "notebooks" / "results" / "cifar10_budgets.png"
README_PICTURE = 5  # which of the lesson's pictures it is: drawn from the record
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
        folds = {"source_hidden": is_hidden(cell), "outputs_hidden": DIAGNOSIS_TAG in cell.metadata.get("tags", [])}
        folded = {name: True for name, fold in folds.items() if fold}
        kept: dict = {"jupyter": folded} if folded else {}
        cell.metadata = kept | ({"tags": cell.metadata.tags} if cell.metadata.get("tags") else {})


# ---------------------------------------------------------------------------------- folded cells
# JupyterLab and VS Code fold by the metadata, Jupyter Book and myst-nb by the tag
FOLDED_TAG = "hide-input"
FOLDED_OUTPUT_TAG = "hide-output"
DIAGNOSIS_TAG = "diagnosis"  # what a reader should not see before guessing, code and outputs
COMPUTES = {  # what a reader should see, because it trains, solves, checks or reports
    *("fit_torch", "fit_keras", "fit_many_torch", "race", "at_one_rate", "run_all", "range_test_torch"),
    *("range_test_keras", "fit", "compile", "step", "backward", "apply", "evaluate_torch", "evaluate_keras"),
    *("drive", "trace", "assert_trace", "assert_used", "load", "sharpness", "bound_minimiser", "optimum"),
    *("print", "table"),
}


def is_hidden(cell: NotebookNode) -> bool:
    return cell.metadata.get("jupyter", {}).get("source_hidden", False)


def _called(tree: ast.AST) -> set[str]:
    """Last part of the name of everything that is called; and "check" where an exercise is."""
    functions = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    names = {f.id if isinstance(f, ast.Name) else f.attr for f in functions if isinstance(f, (ast.Name, ast.Attribute))}
    owners = {f.value.id for f in functions if isinstance(f, ast.Attribute) and isinstance(f.value, ast.Name)}
    return names | (owners & {"check"})


def _defines(source: str) -> set[str]:
    return {one.get_name() for one in symtable.symtable(source, "cell", "exec").get_symbols() if one.is_assigned()}


def _needs(source: str) -> set[str]:
    """Names that a cell takes from the cells before it (or from Python)."""
    top = symtable.symtable(source, "cell", "exec")
    found, tables = {one.get_name() for one in top.get_symbols() if one.is_referenced()}, list(top.get_children())
    while tables:
        table = tables.pop()
        found |= {one.get_name() for one in table.get_symbols() if one.is_referenced() and one.is_global()}
        tables += table.get_children()
    return found - _defines(source)


def only_draws(notebook: NotebookNode) -> list[bool]:
    """For each code cell: does it put a picture on the page, and nothing else that a reader has to see?

    It ends in `plots.show` or `explore`; it asserts nothing; neither it nor a function of the lesson that it calls does
    anything in COMPUTES; and no cell that stays visible uses a name that it defines.
    """
    sources = [cell.source for cell in code_cells(notebook)]
    trees = [ast.parse(source) for source in sources]
    functions = {node.name: node for tree in trees for node in tree.body if isinstance(node, ast.FunctionDef)}
    computes = COMPUTES | {"check"}
    while more := {name for name, node in functions.items() if name not in computes and _called(node) & computes}:
        computes |= more
    verdicts = [False] * len(trees)
    for place in reversed(range(len(trees))):
        last = ast.unparse(trees[place].body[-1])
        if not last.startswith(("plots.show(", "explore(")) or _called(trees[place]) & computes:
            continue
        if any(isinstance(node, ast.Assert) for node in ast.walk(trees[place])):
            continue
        verdicts[place] = not _serves(sources, place, verdicts)
    return verdicts


def _serves(sources: list[str], place: int, hidden: list[bool]) -> bool:
    """Does a later cell that is not hidden use a name that the cell at ``place`` defines?"""
    mine = _defines(sources[place])
    for later in range(place + 1, len(sources)):
        if not hidden[later] and mine & _needs(sources[later]):
            return True
        mine -= _defines(sources[later])
    return False


def only_agrees(notebook: NotebookNode) -> list[bool]:
    """For each code cell: is it the comparison right under "They agree", of which a reader needs the outcome only?"""
    sources, before, found = [cell.source for cell in code_cells(notebook)], "", []
    for cell in notebook.cells:
        if cell.cell_type == "code":
            heading = re.search(r"^#{2,3} They agree", before, re.MULTILINE)
            compares = heading is not None and "assert " in cell.source
            found.append(compares and not _serves(sources, len(found), [False] * len(sources)))
        before = cell.source
    return found


def only_answers(notebook: NotebookNode) -> list[bool]:
    """For each code cell: is it the answer to a guess, test and repair of a case of the clinic?

    It stands under a folded text; it lets a test fail on the case and then asserts that the repair passes; and no
    other cell needs what it defines.
    """
    sources, before, found = [cell.source for cell in code_cells(notebook)], "", []
    for cell in notebook.cells:
        if cell.cell_type == "code":
            called = _called(ast.parse(cell.source))
            passes = "assert_used" in called or any(isinstance(n, ast.Assert) for n in ast.walk(ast.parse(cell.source)))
            answers = before.startswith("<details>") and "fails" in called and passes
            found.append(answers and not _serves(sources, len(found), [False] * len(sources)))
        before = cell.source
    return found


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
        README_FIGURE.write_bytes(pictures(notebook)[README_PICTURE])
    return time.monotonic() - start


if __name__ == "__main__":
    for path in [Path(name) for name in sys.argv[1:]] or LESSONS + SOLUTIONS:
        print(f"{path.name}: {execute(path):.0f} s", flush=True)
