"""Keras decides its backend once per process: run the Keras tests in a second one, on the other backend."""

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


@pytest.mark.full
def test_the_keras_tests_pass_on_the_other_backend() -> None:
    other = "torch" if keras.backend.backend() == "tensorflow" else "tensorflow"
    environment = {"HYPOTHESIS_EXAMPLES": "20", **os.environ, "KERAS_BACKEND": other}
    command = [sys.executable, "-m", "pytest", "-q", "--tb=short", "-p", "no:cacheprovider", *FILES]
    done = subprocess.run(command, cwd=Path(__file__).parents[1], env=environment, capture_output=True, text=True)
    print(done.stdout[-6000:], done.stderr[-2000:])
    assert done.returncode == 0, f"KERAS_BACKEND={other}: see above"
