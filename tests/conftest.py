"""Settings shared by every test: small budget, no progress bars, one thread a process; and which files start first."""

import os

os.environ.setdefault("COURSE_BUDGET", "smoke")
os.environ.setdefault("TQDM_DISABLE", "1")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("MPLBACKEND", "agg")
os.environ.setdefault("OMP_NUM_THREADS", "1")  # this and the next for the kernels of notebooks, too
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")

import collections
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import settings

# The same examples every time, so that a learner's machine never fails by chance.
# To search for new ones: HYPOTHESIS_EXAMPLES=2000 HYPOTHESIS_RANDOM=1 python -m pytest tests
settings.register_profile(
    "course",
    deadline=None,
    derandomize="HYPOTHESIS_RANDOM" not in os.environ,
    max_examples=int(os.environ.get("HYPOTHESIS_EXAMPLES", "60")),
)
settings.load_profile("course")


def is_long(item: pytest.Item) -> bool:
    return item.path.suffix == ".ipynb" or item.get_closest_marker("full") is not None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With workers, start with the files that take long: many short ones fill the gaps at the end."""
    if hasattr(config, "workerinput"):
        long = {item.path for item in items if is_long(item)}
        items.sort(key=lambda item: item.path not in long)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Beside the slowest tests the slowest files: a notebook is a file, and each of its cells a test."""
    seconds: collections.Counter[str] = collections.Counter()
    for report in (report for reports in terminalreporter.stats.values() for report in reports):
        if isinstance(report, pytest.TestReport):
            seconds[report.nodeid.split("::")[0]] += report.duration
    if sum(seconds.values()) > 60:
        terminalreporter.section("slowest files")
        for name, duration in seconds.most_common(10):
            terminalreporter.write_line(f"{duration:6.0f} s  {name}")


@pytest.fixture(scope="session")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The course as a book, built once a process as `course.py site` builds it."""
    for module in ("sphinx", "myst_nb", "sphinx_book_theme", "sphinx_copybutton", "mathjax"):
        if find_spec(module) is None:
            pytest.skip(f"the book needs {module}: `python3 course.py site` installs it")
    from tests.book import build

    target = tmp_path_factory.mktemp("book") / "site"
    build(target)
    return target
