"""Budget, device and backend are chosen in one place; modules import no more than they need."""

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from helpers import runtime

ROOT = Path(__file__).parents[1]


def python(code: str, folder: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {key: value for key, value in os.environ.items() if key not in ("KERAS_BACKEND", "COURSE_BUDGET")}
    options = {"capture_output": True, "text": True, "env": {**inherited, **environment}, "cwd": folder}
    return subprocess.run([sys.executable, "-c", code], **options)


def test_the_budget_picks_the_value(monkeypatch) -> None:
    for budget, value in {"smoke": 1, "cpu": 2, "gpu": 3}.items():
        monkeypatch.setenv("COURSE_BUDGET", budget)
        assert runtime.by_budget(smoke=1, cpu=2, gpu=3) == value
    monkeypatch.setenv("COURSE_BUDGET", "huge")
    with pytest.raises(ValueError, match="'huge'"):
        runtime.budget()
    monkeypatch.delenv("COURSE_BUDGET")
    assert runtime.budget() == ("gpu" if runtime.device() == "cuda" else "cpu")


def test_the_device_can_be_named(monkeypatch) -> None:
    """Where the best one does not work: hosted Macs, say, show a GPU that has no memory."""
    monkeypatch.setenv("COURSE_DEVICE", "cpu")
    assert runtime.device() == "cpu"
    monkeypatch.setenv("COURSE_DEVICE", "gpu")
    with pytest.raises(ValueError, match="cuda, mps, cpu, got 'gpu'"):
        runtime.device()


FRAMEWORKS = "torch", "tensorflow", "keras", "jax"


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("helpers.schedules", FRAMEWORKS),
        ("helpers.runtime", FRAMEWORKS),
        ("helpers.data", FRAMEWORKS),
        ("helpers.theory", FRAMEWORKS),
        ("helpers.exercises", FRAMEWORKS),
        ("helpers.for_torch", ("tensorflow", "keras", "jax")),
        ("helpers.curvature", ("tensorflow", "keras", "jax")),
    ],
)
def test_modules_import_no_more_than_they_need(module: str, absent: tuple[str, ...]) -> None:
    done = python(f"import sys, {module}; print([m for m in {absent} if m in sys.modules])")
    assert done.stdout.strip() == "[]", done.stderr


@pytest.mark.full
@pytest.mark.parametrize("wanted", ["", "tensorflow", "torch"])
def test_frameworks_import_silently_on_the_chosen_backend(wanted: str) -> None:
    code = """
from helpers import runtime
with runtime.frameworks():
    import keras, torch
    from helpers import for_keras, for_torch, training, plots
print(keras.backend.backend(), torch.cuda.is_available())
for name, text in runtime.environment().items():
    assert text.strip(), name
"""
    done = python(code, **({"KERAS_BACKEND": wanted} if wanted else {}))
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    backend, cuda = done.stdout.split()
    assert backend == (wanted or ("torch" if cuda == "True" else "tensorflow"))


def test_a_missing_package_ends_the_import_cell_with_a_sentence() -> None:
    with pytest.raises(SystemExit, match="no_such_package is not installed here"), runtime.frameworks():
        importlib.import_module("no_such_package")
