"""What has to be installed agrees wherever it is said: extras, requirements, pins, conda, headers and the imports."""

import ast
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterable, Iterator
from importlib import metadata
from itertools import chain
from pathlib import Path
from shutil import copy, copytree, ignore_patterns

import nbformat
import pytest
import yaml
from packaging.metadata import parse_email
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
CORE = [Requirement(line) for line in PROJECT["project"]["dependencies"]]
EXTRAS = {
    extra: [Requirement(line) for line in lines] for extra, lines in PROJECT["project"]["optional-dependencies"].items()
}
OWN = {"helpers", "tests", "schedules", "course"}  # `schedules`: how a copied adapter imports its neighbour
# declared, and imported by no file
BY_NAME = {
    "course": {"tensorflow", "tensorflow-cpu", "jupyterlab", "nbconvert"},  # Keras' backend; course.py's lab and run
    "dev": {"nbval", "pytest-xdist", "ruff", "mypy", "setuptools"},  # plugins of pytest; commands; `pip install -e`
    "site": {"sphinx-book-theme", "sphinx-copybutton", "django-static-mathjax"},  # named in notebooks/conf.py
    "browser": {"axe-playwright-python"},  # imported by name, for it may be missing
}
# what extras that not everybody has bring: module -> package
BESIDE = {"sphinx": "sphinx", "myst_nb": "myst-nb", "playwright": "playwright"}


def requirements(name: str) -> list[Requirement]:
    lines = (line.split("#")[0].strip() for line in (ROOT / name).read_text("utf-8").splitlines())
    return [Requirement(line) for line in lines if line]


def names(wanted: Iterable[Requirement]) -> set[str]:
    return {canonicalize_name(one.name) for one in wanted}


def pins() -> dict[str, list[str]]:
    """The versions of each package, from the constraints and, for PyTorch alone, from the requirements."""
    exact: dict[str, list[str]] = {}
    for one in [*requirements("constraints.txt"), *(one for one in requirements("requirements.txt") if is_torch(one))]:
        (specifier,) = one.specifier
        assert specifier.operator == "==", one
        assert "*" not in specifier.version, one
        exact.setdefault(canonicalize_name(one.name), []).append(specifier.version)
    return exact


def is_torch(wanted: Requirement) -> bool:
    return wanted.name == "torch"


# ------------------------------------------------------------------------- the lists agree
def test_the_core_is_numpy() -> None:
    assert names(CORE) == {"numpy"}


def test_the_requirements_are_the_extras_course_and_dev() -> None:
    """Name by name: a file asks for the series that was tested, an extra for that one or newer."""

    def or_newer(wanted: Requirement) -> tuple[str, ...]:
        bounds = re.sub(r"^==([\d.]+?)(\.\*)?$", r">=\1", str(wanted.specifier))
        return canonicalize_name(wanted.name), bounds, str(wanted.marker or "")

    extras = [*EXTRAS["course"], *EXTRAS["dev"]]
    assert sorted(map(or_newer, requirements("requirements.txt"))) == sorted(map(or_newer, extras))


def test_every_requirement_is_pinned_and_every_pin_fits() -> None:
    exact = pins()
    assert names(requirements("requirements.txt")) <= set(exact)
    for wanted in [*requirements("requirements.txt"), *CORE, *chain(*EXTRAS.values())]:
        for version in exact.get(canonicalize_name(wanted.name), []):
            assert wanted.specifier.contains(version), f"{wanted} against {version}"


@pytest.mark.parametrize("extra", ["course and dev", "site", "browser"])
def test_what_comes_along_is_pinned_too(extra: str) -> None:
    asked_for = EXTRAS.get(extra, requirements("requirements.txt"))
    wanted, seen = [one for one in asked_for if not is_torch(one)], set()
    while wanted:
        one = wanted.pop()
        asked = [{"extra": extra} for extra in ("", *one.extras)]
        if is_torch(one) or str(one) in seen or not (one.marker is None or one.marker.evaluate()):
            continue
        seen.add(str(one))
        try:
            needs = metadata.requires(one.name) or ()
        except metadata.PackageNotFoundError:
            pytest.skip(f"an environment of another kind: {one.name} is not installed")
        for needed in map(Requirement, needs):
            if needed.marker is None or any(needed.marker.evaluate(extra) for extra in asked):
                needed.marker = None
                wanted.append(needed)
    assert len(names(map(Requirement, seen))) > len(asked_for)
    assert names(map(Requirement, seen)) <= set(pins())


def test_constraints_leave_pytorch_and_cuda_to_course_py() -> None:
    text = (ROOT / "constraints.txt").read_text("utf-8")
    assert not re.search(r"^(torch|nvidia|cuda|triton)", text, re.MULTILINE)
    assert "file:" not in text
    (torch,) = filter(is_torch, requirements("requirements.txt"))
    assert re.fullmatch(r"==\d+\.\d+\.\d+", str(torch.specifier)), "course.py installs what this line says"


def test_conda_gets_the_same_packages() -> None:
    environment = yaml.safe_load((ROOT / "environment.yml").read_text("utf-8"))
    assert set(environment) == {"name", "channels", "dependencies"}
    *conda, pip = environment["dependencies"]
    assert pip == {"pip": ["-c constraints.txt", "-r requirements.txt", "-e ."]}
    assert [spec.split("=")[0].rstrip(">") for spec in conda] == ["python", "pip"]
    version = tuple(map(int, re.fullmatch(r"python=(\d+)\.(\d+)", conda[0]).groups()))
    assert (3, 11) <= version <= (3, 13)
    assert PROJECT["project"]["requires-python"] == ">=3.11,<3.14"


def test_the_installed_versions_are_the_pinned_ones() -> None:
    for pin in requirements("constraints.txt"):
        if canonicalize_name(pin.name) in {"keras", "numpy", "nbval"} and (pin.marker is None or pin.marker.evaluate()):
            assert pin.specifier.contains(metadata.version(pin.name)), pin


def test_an_extra_that_the_readme_adds_to_the_course_brings_something() -> None:
    """One that does not sends people to type it for nothing."""
    pages = "".join((ROOT / page).read_text("utf-8") for page in ("README.md", ".github/CONTRIBUTING.md"))
    added = re.findall(r"-e \"?\.\[(\w+)\]", pages)
    assert added
    for extra in added:
        assert not names(EXTRAS[extra]) <= names(requirements("requirements.txt")), extra


@pytest.mark.parametrize(
    ("file", "framework", "wanted"),
    [("schedules", "NumPy", CORE), ("for_torch", "PyTorch", EXTRAS["torch"]), ("for_keras", "Keras", EXTRAS["keras"])],
)
def test_a_file_to_copy_and_its_extra_name_the_same_lowest_version(file: str, framework: str, wanted: list) -> None:
    header = (ROOT / "helpers" / f"{file}.py").read_text("utf-8").split("\n\n")[1]
    (lowest,) = re.findall(rf"{framework} ([\d.]+) or newer", header)
    assert [str(one.specifier) for one in wanted] == [f">={lowest}"]


# ---------------------------------------------------------------------------- what is imported
def sources(*folders: str) -> Iterator[str]:
    """Every file of Python in the folders, and the code cells of every notebook."""
    for path in chain(*((ROOT / folder).rglob("*") for folder in folders)):
        if path.suffix == ".py":
            yield path.read_text("utf-8")
        elif path.suffix == ".ipynb" and ".ipynb_checkpoints" not in path.parts:
            cells = nbformat.read(path, as_version=4).cells
            yield "\n".join(cell.source for cell in cells if cell.cell_type == "code")


def imported(source: str) -> set[str]:
    """The top-level modules of others, outside the standard library, that the source imports anywhere."""
    modules: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            modules |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            modules.add(str(node.module).split(".")[0])
    return modules - OWN - sys.stdlib_module_names


@pytest.fixture(scope="module")
def packages() -> dict[str, list[str]]:
    """Which packages bring a module: scikit-learn brings sklearn. As the installed ones say."""
    installed = metadata.packages_distributions().items()
    beside = {module: [package] for module, package in BESIDE.items()}
    return beside | {module: [canonicalize_name(one) for one in by] for module, by in installed}


def used(packages: dict[str, list[str]], *folders: str) -> set[str]:
    modules = set().union(*map(imported, sources(*folders)))
    return set(chain(*(packages.get(module, [f"{module}, of no package"]) for module in modules)))


@pytest.mark.parametrize(
    ("folder", "extras"),
    [("helpers", ["course"]), ("notebooks", ["course", "site"]), ("tests", ["course", "dev", "browser"])],
)
def test_what_is_imported_is_declared(packages, folder: str, extras: list[str]) -> None:
    declared = names(chain(*(EXTRAS[extra] for extra in extras)))
    assert used(packages, folder) - declared == set()


@pytest.mark.parametrize(
    ("extra", "folders"),
    [("course", ["helpers", "notebooks"]), ("dev", ["tests"]), ("site", ["notebooks"]), ("browser", ["tests"])],
)
def test_what_is_declared_is_used(packages, extra: str, folders: list[str]) -> None:
    assert names(EXTRAS[extra]) - used(packages, *folders) == BY_NAME[extra]


@pytest.mark.parametrize(
    ("file", "framework"),
    [("schedules", set()), ("plateau", set()), ("for_torch", {"torch"}), ("for_keras", {"keras"})],
)
def test_a_file_to_copy_imports_numpy_and_its_framework(file: str, framework: set[str]) -> None:
    assert imported((ROOT / "helpers" / f"{file}.py").read_text("utf-8")) <= {"numpy", *framework}


# ------------------------------------------------------------------------------- the package
@pytest.mark.full
def test_the_wheel_holds_every_file_and_asks_for_numpy_alone(tmp_path: Path) -> None:
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        copy(ROOT / name, tmp_path)
    copytree(ROOT / "helpers", tmp_path / "helpers", ignore=ignore_patterns("__pycache__", ".*"))
    files = {str(path.relative_to(tmp_path)) for path in (tmp_path / "helpers").rglob("*") if path.is_file()}
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index", "."]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as built:
        listed = set(built.namelist())
        (about,) = (name for name in listed if name.endswith("dist-info/METADATA"))
        facts, _ = parse_email(built.read(about))
    assert {name for name in listed if ".dist-info/" not in name} == {name.replace("\\", "/") for name in files}
    assert "helpers/py.typed" in listed
    assert [line for line in facts["requires_dist"] if "extra ==" not in line] == list(map(str, CORE))
