"""JupyterLab as `course.py lab` starts it, in a real browser: lesson 00 from the menu, verdicts, the explorer."""

import json
import os
import shutil
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic, sleep

import nbformat
import pytest

import course
from tests.browser.conftest import Visit

pytestmark = pytest.mark.full
ROOT = Path(__file__).parents[2]
TOKEN = "for-this-test-only"
SECONDS = 1000.0  # Playwright counts milliseconds
EXPLORER = [
    """from helpers import explorer, schedules
knobs = explorer.explore(schedules.one_cycle(0.1, 200), caption="1cycle over 200 updates, with its momentum.")
knobs""",
    "print(knobs.schedule)",
]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a running JupyterLab, started by the course's own command on a copy of the lessons."""
    folder = tmp_path_factory.mktemp("lab")
    shutil.copytree(ROOT / "notebooks", folder / "notebooks")
    cells = [nbformat.v4.new_code_cell(source) for source in EXPLORER]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), folder / "notebooks/explorer.ipynb")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    jupyter = {f"JUPYTER_{what}_DIR": str(folder / what.lower()) for what in ("CONFIG", "DATA", "RUNTIME")}
    jupyter |= {f"JUPYTERLAB_{what}_DIR": str(folder / what.lower()) for what in ("SETTINGS", "WORKSPACES")}
    page = folder / "config/labconfig/page_config.json"  # what course.py's set-up does once for an environment
    page.parent.mkdir(parents=True)
    page.write_text(json.dumps({"disabledExtensions": {course.NEWS: True}}), "utf-8")
    environment = {**os.environ, "COURSE_BUDGET": "smoke", "PYTHONPATH": str(ROOT), **jupyter}
    options = ["--no-browser", f"--port={port}", "--port-retries=0", f"--IdentityProvider.token={TOKEN}"]
    command = [sys.executable, "-m", *course.COMMANDS["lab"], *options, "--expose-app-in-browser"]
    with (folder / "log").open("w", encoding="utf-8") as log:
        server = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT)
        try:
            until(lambda: answers(f"http://127.0.0.1:{port}/api"), 60)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait(30)


def until(condition: Callable[[], object], seconds: float) -> None:
    end = monotonic() + seconds
    while not condition():
        assert monotonic() < end, "it took too long"
        sleep(0.2)


def answers(address: str) -> bool:
    try:
        urllib.request.urlopen(f"{address}?token={TOKEN}", timeout=2).close()
    except OSError:
        return False
    return True


def opened(lab: str, visit: Callable[..., Visit], name: str) -> Visit:
    """A notebook in JupyterLab, with its kernel ready."""
    one = visit(strict=False)  # JupyterLab reports errors of its own making
    one.show(f"{lab}/lab/tree/notebooks/{name}?token={TOKEN}&reset")
    one.page.wait_for_function("() => window.jupyterapp && window.jupyterapp.shell.currentWidget", timeout=90 * SECONDS)
    one.page.evaluate(
        """async () => { const app = window.jupyterapp; await app.restored; const panel = app.shell.currentWidget;
        const session = panel.sessionContext; await panel.context.ready; await session.ready;
        await session.session.kernel.info; }"""
    )
    one.page.wait_for_selector("#jupyterlab-splash", state="detached", timeout=60 * SECONDS)
    return one


# What the notebook's model holds: the page itself has only the cells that are on the screen.
CELLS = """() => [...window.jupyterapp.shell.currentWidget.content.model.cells].map((cell) => {
    const shared = cell.sharedModel.toJSON();
    return { type: shared.cell_type, source: [].concat(shared.source).join(""), outputs: shared.outputs || [],
             ran: shared.execution_count != null, busy: cell.executionState === "running" };
})"""
ASSIGN = """async ([start, source]) => {
    const app = window.jupyterapp, notebook = app.shell.currentWidget.content;
    const place = [...notebook.model.cells].findIndex((cell) => cell.sharedModel.source.startsWith(start));
    notebook.activeCellIndex = place;
    notebook.activeCell.model.sharedModel.setSource(source);
    await app.commands.execute("notebook:run-cell");
    return place;
}"""


def cells(one: Visit) -> list[dict]:
    return [cell for cell in one.page.evaluate(CELLS) if cell["type"] == "code"]


def run_all(one: Visit) -> list[dict]:
    one.page.evaluate("window.jupyterapp.commands.execute('notebook:clear-all-cell-outputs')")
    one.page.click("li.lm-MenuBar-item:has-text('Run')")
    one.page.click("li.lm-Menu-item[data-command='runmenu:run-all']")
    until(lambda: all(cell["ran"] for cell in cells(one)), 240)
    return cells(one)


def texts(cell: dict) -> str:
    return json.dumps(cell["outputs"], ensure_ascii=False)


def test_lesson_00_runs_from_the_menu_and_its_exercises_answer(lab: str, visit: Callable[..., Visit]) -> None:
    one = opened(lab, visit, "00_start_here.ipynb")
    done = run_all(one)
    assert len(done) > 10
    assert not [cell["source"] for cell in done for output in cell["outputs"] if output["output_type"] == "error"]
    assert not [cell["source"] for cell in done for output in cell["outputs"] if output.get("name") == "stderr"]
    assert any("image/png" in texts(cell) for cell in done)
    for answer, verdict in (("...", "not attempted"), ("'b'", "a constant rate trains too"), ("'c'", "✓")):
        one.page.evaluate(ASSIGN, ["letter =", f"letter = {answer}\ncheck.forgotten_line(letter)"])
        (asked,) = [cell for cell in cells(one) if cell["source"].startswith("letter =")]
        assert verdict in texts(asked)


def test_the_explorer_answers_to_knobs_and_tells_python(lab: str, visit: Callable[..., Visit]) -> None:
    one = opened(lab, visit, "explorer.ipynb")
    assert "one_cycle(max_lr=0.1, total_steps=200)" in texts(run_all(one)[1])
    frame = one.page.frame_locator("iframe[title='Schedule explorer']")
    curve = frame.locator("#svg path.line").first
    before = curve.get_attribute("d", timeout=60 * SECONDS)
    frame.get_by_label("Peak at this part of the run", exact=True).fill("0.6")
    until(lambda: curve.get_attribute("d") != before, 20)
    sleep(1)  # the page tells Python a moment after the last change
    one.page.evaluate(ASSIGN, ["print(knobs", "print(knobs.schedule)"])
    assert "pct_start=0.6" in texts(cells(one)[1])
