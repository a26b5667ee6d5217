"""Keras decides its backend once per process: run the Keras tests in another one, on every other backend."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import keras
import pytest

FILES = [
    "tests/test_for_keras.py",
    "tests/test_models.py",
    "tests/test_training.py",
    "tests/test_twins.py",
    "tests/test_range_test.py",
    "helpers/for_keras.py",
]


OTHERS = [backend for backend in ("tensorflow", "torch", "jax") if backend != keras.backend.backend()]


@pytest.mark.full
@pytest.mark.parametrize("other", OTHERS)
def test_the_keras_tests_pass_on_the_other_backends(other: str) -> None:
    if importlib.util.find_spec(other) is None:
        pytest.skip(f"{other} is not installed: pip install {other}, and Keras is tried on it as well")
    environment = {"HYPOTHESIS_EXAMPLES": "20", **os.environ, "KERAS_BACKEND": other}
    # on JAX what may be copied and what records: the models are the same, and their speed is not at stake
    files = FILES if other != "jax" else [file for file in FILES if "for_keras" in file or "training" in file]
    command = [sys.executable, "-m", "pytest", "-q", "--tb=short", "-p", "no:cacheprovider", *files]
    done = subprocess.run(command, cwd=Path(__file__).parents[1], env=environment, capture_output=True, text=True)
    print(done.stdout[-6000:], done.stderr[-2000:])
    assert done.returncode == 0, f"KERAS_BACKEND={other}: see above"
