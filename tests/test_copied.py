"""Two files copied into an empty folder are enough: the README's own lines run there, and the files' own examples."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LINES = re.findall(r"```python\n(.+?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)
ADAPTERS = ["for_torch", "for_keras"]


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Python in ``folder``, where nothing but the copies can be imported as ours."""
    environment = {**os.environ, "KERAS_BACKEND": "torch", "PYTHONPATH": str(folder)}
    command = [sys.executable, "-W", "error::DeprecationWarning:__main__", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


@pytest.fixture(params=[*ADAPTERS, "range_test"])
def copied(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Path]:
    """The name of a file, and a folder with it and the schedules."""
    for name in ("schedules", request.param):
        (tmp_path / f"{name}.py").write_text((ROOT / "helpers" / f"{name}.py").read_text("utf-8"), "utf-8")
    # this hides the installed package: the copies must not reach for it
    (tmp_path / "helpers.py").write_text("raise ImportError('the copies must stand alone')", "utf-8")
    return request.param, tmp_path


@pytest.mark.parametrize("copied", ADAPTERS, indirect=True)
def test_the_lines_of_the_readme_run_as_they_stand(copied: tuple[str, Path]) -> None:
    name, folder = copied
    (lines,) = [block for block in LINES if f"import {name}, schedules" in block]
    assert "assert_used(" in lines
    done = run(folder, "-c", lines)
    assert done.returncode == 0, done.stderr


def test_the_examples_in_the_copied_files_run_there(copied: tuple[str, Path]) -> None:
    name, folder = copied
    options = ["-o", "NORMALIZE_WHITESPACE", "-o", "ELLIPSIS"]
    done = run(folder, "-m", "doctest", *options, "schedules.py", f"{name}.py")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_missing_numpy_is_named_and_not_taken_for_a_missing_package(copied: tuple[str, Path]) -> None:
    name, folder = copied
    block = "import sys; sys.modules['numpy'] = None; import " + name
    done = run(folder, "-c", block)
    assert done.returncode != 0
    assert "numpy" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize("name", ["schedules", *ADAPTERS, "range_test"])
def test_the_header_says_what_a_copier_needs_to_know(name: str) -> None:
    header = (ROOT / "helpers" / f"{name}.py").read_text("utf-8").split('"""')[1]
    version = re.search(r'^version = "(\d+\.\d+)', (ROOT / "pyproject.toml").read_text("utf-8"), re.MULTILINE)[1]
    for fact in (f"Version {version}", "MIT", "Made to be copied", "newer", "schedules"):
        assert fact in header, fact
