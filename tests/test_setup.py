"""course.py sets up and runs what it says, and says what is wrong in a sentence; README, lint, types."""

import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import nbformat
import pytest

from tests.notebook_tools import README_FIGURE, README_LESSON, README_PICTURE, pictures

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")


def test_course_py_is_small_and_needs_nothing() -> None:
    source = (ROOT / "course.py").read_text("utf-8")
    assert len(source.splitlines()) <= 130
    imports = set(re.findall(r"^(?:import|from) (\w+)", source, re.MULTILINE))
    assert imports <= sys.stdlib_module_names


def course(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    options = {"capture_output": True, "text": True, "cwd": ROOT, "env": {**os.environ, **environment}}
    return subprocess.run([sys.executable, "course.py", *arguments], **options)


@pytest.mark.parametrize("arguments", [[], ["help"], ["tset"]])
def test_anything_unknown_prints_the_help_and_installs_nothing(arguments: list[str], tmp_path) -> None:
    done = course(*arguments, COURSE_VENV=str(tmp_path / "venv"))
    assert "python3 course.py lab" in done.stdout + done.stderr
    assert not (tmp_path / "venv").exists()


def test_an_unsupported_python_is_refused_in_a_sentence(tmp_path) -> None:
    old = "import sys, runpy; sys.version_info = (3, 10, 4); sys.argv = ['course.py', 'lab']; "
    code = old + "runpy.run_path('course.py', run_name='__main__')"
    environment = {**os.environ, "COURSE_VENV": str(tmp_path / "venv")}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, env=environment)
    assert done.returncode == 1
    assert done.stderr.startswith("The course needs Python 3.11, 3.12 or 3.13")
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "venv").exists()


@pytest.fixture
def bootstrap(tmp_path, monkeypatch):
    """course.py as a module, in a folder of its own, with every command noted instead of run."""
    spec = importlib.util.spec_from_file_location("course", ROOT / "course.py")
    course = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(course)
    (tmp_path / "bin").mkdir()
    for name in ("requirements.txt", "constraints.txt"):
        (tmp_path / name).write_text((ROOT / name).read_text("utf-8"), "utf-8")
    monkeypatch.setattr(course, "VENV", tmp_path)
    monkeypatch.setattr(course, "PYTHON", tmp_path / "bin" / "python")
    monkeypatch.setattr(course, "REQUIREMENTS", tmp_path / "requirements.txt")
    monkeypatch.setattr(course, "CONSTRAINTS", tmp_path / "constraints.txt")
    course.ran = []

    def note(*command, **_options):
        course.ran.append(" ".join(map(str, command)))
        course.PYTHON.touch()

    monkeypatch.setattr(course, "run", note)
    for variable in ("PIP_FIND_LINKS", "COURSE_TORCH"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(course.shutil, "which", lambda name: None)
    monkeypatch.setattr(course.sys, "platform", "linux")
    return course


def test_it_installs_once_and_again_when_the_requirements_change(bootstrap) -> None:
    bootstrap.set_up()
    venv, torch, rest, own, news = bootstrap.ran
    assert " venv " in venv
    assert torch.endswith("torch==2.13.0")
    assert "-r" in rest
    assert "--no-deps" in own
    assert "announcements" in news
    assert all("constraints.txt" in command for command in (torch, rest, own))
    bootstrap.set_up()
    assert len(bootstrap.ran) == 5
    bootstrap.CONSTRAINTS.write_text(bootstrap.CONSTRAINTS.read_text("utf-8") + "# changed\n", "utf-8")
    bootstrap.set_up()
    assert len(bootstrap.ran) == 10


def test_an_interrupted_installation_is_taken_up_again(bootstrap, monkeypatch) -> None:
    def stop(*_arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as interrupted:
        interrupted.setattr(bootstrap, "pip", stop)
        with pytest.raises(KeyboardInterrupt):
            bootstrap.set_up()
    assert not (bootstrap.VENV / "course-stamp").exists()
    bootstrap.set_up()
    assert (bootstrap.VENV / "course-stamp").exists()


@pytest.mark.parametrize(
    ("card", "environment", "platform", "asks_cpu_index"),
    [
        (None, {}, "linux", True),
        ("/usr/bin/nvidia-smi", {}, "linux", False),
        ("/usr/bin/nvidia-smi", {"COURSE_TORCH": "cpu"}, "linux", True),
        (None, {"COURSE_TORCH": "pypi"}, "linux", False),
        (None, {"PIP_FIND_LINKS": "wheels"}, "linux", False),
        (None, {}, "darwin", False),
    ],
)
def test_which_pytorch(bootstrap, monkeypatch, card, environment, platform, asks_cpu_index: bool) -> None:
    monkeypatch.setattr(bootstrap.shutil, "which", lambda name: card)
    monkeypatch.setattr(bootstrap.sys, "platform", platform)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    bootstrap.set_up()
    (torch,) = (command for command in bootstrap.ran if command.endswith("torch==2.13.0"))
    assert ("--extra-index-url" in torch) == asks_cpu_index
    assert not any("--extra-index-url" in command for command in bootstrap.ran if command != torch)


def test_without_ensurepip_pip_comes_from_outside(bootstrap, monkeypatch) -> None:
    monkeypatch.setattr(bootstrap.importlib.util, "find_spec", lambda name: None)
    bootstrap.set_up()
    assert "--without-pip" in bootstrap.ran[0]
    assert "pip --python" in bootstrap.ran[1]


def test_what_only_the_book_needs_is_installed_at_its_first_use(bootstrap, monkeypatch) -> None:
    monkeypatch.setattr(bootstrap, "HERE", bootstrap.VENV)
    (bootstrap.VENV / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text("utf-8"), "utf-8")
    bootstrap.main("site")
    *_, installed, built = bootstrap.ran
    assert "sphinx==9" in installed
    assert "constraints.txt" in installed
    assert "-m sphinx" in built
    assert built.endswith("notebooks out/site")
    bootstrap.main("site")
    assert sum("sphinx==9" in command for command in bootstrap.ran) == 1


# --------------------------------------------------------------------------------------- the pack
def test_a_pack_is_set_up_from_the_wheels_beside_it(bootstrap, monkeypatch, tmp_path) -> None:
    stick = tmp_path / "My Stick"
    (stick / "course").mkdir(parents=True)
    (stick / "wheels").mkdir()
    (stick / "READ-ME-FIRST.txt").touch()
    monkeypatch.delenv("COURSE_DATA", raising=False)
    monkeypatch.setattr(bootstrap, "PACK", stick)
    monkeypatch.setattr(bootstrap, "OFFLINE", ["--no-index", "--find-links", stick / "wheels"])
    with pytest.raises(SystemExit, match=r"not for Python 3\.\d+: see .*READ-ME-FIRST\.txt"):
        bootstrap.set_up()
    assert bootstrap.ran == []
    minor = sys.version_info[1]
    (stick / "wheels" / f"torch-2.13.0+cpu-cp3{minor}-cp3{minor}-any.whl").touch()
    bootstrap.set_up()
    installed = [command for command in bootstrap.ran if " install " in command]
    assert len(installed) == 3
    assert all(f"--no-index --find-links {stick / 'wheels'}" in command for command in installed)
    assert not any("--extra-index-url" in command for command in installed)
    for what in ("lab", "run", "test"):
        assert bootstrap.settings(what)["COURSE_DATA"] == str(stick / "data")
    monkeypatch.setenv("COURSE_DATA", "mine")
    assert bootstrap.settings("lab")["COURSE_DATA"] == "mine", "what the user has set counts more"


def test_without_a_pack_nothing_changes(bootstrap) -> None:
    assert bootstrap.PACK is None
    assert bootstrap.OFFLINE == []


def test_a_folder_is_meant_from_where_it_was_typed(bootstrap, monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(bootstrap, "set_up", lambda: None)
    monkeypatch.chdir(tmp_path)
    bootstrap.main("pack", "stick")
    assert bootstrap.ran[-1].endswith(f"-m helpers.pack --torch-index {bootstrap.CPU} {tmp_path / 'stick'}")


# ------------------------------------------------------------------------------- the test command
@pytest.fixture
def tested(bootstrap, monkeypatch):
    """What `course.py test ...` would run, and the environment it would run in."""
    for variable in list(os.environ):
        if variable.endswith("_THREADS") or variable.startswith(("COURSE_", "HYPOTHESIS_", "PYTEST_")):
            monkeypatch.delenv(variable)
    monkeypatch.setattr(bootstrap, "set_up", lambda: None)

    def ask(*arguments: str) -> tuple[list[str], dict[str, str]]:
        asked = {}
        monkeypatch.setattr(bootstrap, "run", lambda *command, **options: asked.update(options, command=command))
        bootstrap.main("test", *arguments)
        python, *command = map(str, asked["command"])
        assert python == str(bootstrap.PYTHON)
        return command, asked["env"]

    return ask


@pytest.mark.parametrize("arguments", [["--version"], ["tests/test_schedules.py"], ["-k", "cosine"], ["-n", "0"]])
def test_what_follows_goes_to_pytest(tested, arguments: list[str]) -> None:
    assert tested()[0][:2] == ["-m", "pytest"]
    for how_much in ([], ["quick"], ["all"]):
        assert tested(*how_much, *arguments)[0] == [*tested(*how_much)[0], *arguments]


@pytest.mark.parametrize(("cores", "workers"), [(1, "0"), (2, "2"), (4, "4"), (64, "4")])
def test_a_worker_a_core_and_one_thread_a_worker(tested, bootstrap, monkeypatch, cores: int, workers: str) -> None:
    monkeypatch.setattr(bootstrap.os, "sched_getaffinity", lambda process: set(range(cores)), raising=False)
    _, environment = tested()
    assert environment["PYTEST_XDIST_AUTO_NUM_WORKERS"] == workers
    assert environment["OMP_NUM_THREADS"] == environment["TF_NUM_INTRAOP_THREADS"] == "1"
    assert environment["COURSE_BUDGET"] == "smoke"
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert tested()[1]["OMP_NUM_THREADS"] == "3", "what the user has set counts more"


def test_only_all_searches_longer(tested) -> None:
    assert "HYPOTHESIS_EXAMPLES" not in tested("quick")[1] | tested()[1]
    assert int(tested("all")[1]["HYPOTHESIS_EXAMPLES"]) > 60


TOY_TESTS = """
import pytest
def test_seconds(): pass
@pytest.mark.full
def test_full(): pass
@pytest.mark.slow
def test_slow(): pass
"""
QUICK = {"test_seconds", "00_start_here"}
USUAL = {*QUICK, "test_full", "01_later", "02_last"}


@pytest.mark.full
@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["quick"], QUICK),
        ([], USUAL),
        (["all", "-n", "0"], {*USUAL, "test_slow"}),
        (["all", "-k", "seconds or 01_later"], {"test_seconds", "01_later"}),
    ],
    ids=["quick", "usual", "all, without workers", "some"],  # workers have to find the same names
)
def test_what_runs(tested, tmp_path, arguments: list[str], expected: set[str]) -> None:
    """A course of three tests and three notebooks, really run: each notebook in one worker, its cells in order."""
    for folder in ("helpers", "tests", "notebooks"):
        (tmp_path / folder).mkdir()
    for name in ("pyproject.toml", "tests/conftest.py"):
        (tmp_path / name).write_text((ROOT / name).read_text("utf-8"), "utf-8")
    (tmp_path / "tests" / "test_toy.py").write_text(TOY_TESTS, "utf-8")
    cells = [
        nbformat.v4.new_code_cell(line) for line in ("x = [0]", *["x += [len(x)]"] * 8, "assert x == list(range(9))")
    ]
    threads = "import os; assert os.environ['OMP_NUM_THREADS'] == os.environ['TF_NUM_INTRAOP_THREADS'] == '1'"
    notebook = nbformat.v4.new_notebook(cells=[*cells, nbformat.v4.new_code_cell(threads)])
    for name in ("00_start_here", "01_later", "02_last"):
        nbformat.write(notebook, tmp_path / "notebooks" / f"{name}.ipynb")
    command, environment = tested(*arguments, "--junitxml=result.xml")
    environment["PYTEST_XDIST_AUTO_NUM_WORKERS"] = "2"
    done = subprocess.run([sys.executable, *command], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.match(r"=+ .*\d+ passed", done.stdout.splitlines()[-1]), "the summary comes last"
    cases = list(ElementTree.parse(tmp_path / "result.xml").iter("testcase"))
    ran = [re.sub(r"notebooks.(\w+).*", r"\1", case.get("classname")) for case in cases]
    ran = [name if re.match(r"\d\d", name) else case.get("name") for name, case in zip(ran, cases, strict=True)]
    assert set(ran) == expected
    assert all(ran.count(name) == (11 if name[0].isdigit() else 1) for name in expected)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no process groups that a test could interrupt")
def test_ctrl_c_waits_for_the_command_to_tidy_up(tmp_path) -> None:
    command = tmp_path / "command.py"
    command.write_text(
        "import time\n"
        "try:\n    print('ready', flush=True)\n    time.sleep(60)\n"
        "except KeyboardInterrupt:\n    time.sleep(1)\n    print('tidy', flush=True)\n    raise SystemExit(2)\n",
        "utf-8",
    )
    # a shell that starts the tests in the background has switched Ctrl-C off for all that it starts
    code = "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
    code += f"import sys, course\ntry:\n    course.run(sys.executable, {str(command)!r})\n"
    code += "except Exception as stop:\n    sys.exit(stop.returncode + 40)"
    options = {"cwd": ROOT, "text": True, "stdout": subprocess.PIPE, "start_new_session": True}
    with subprocess.Popen([sys.executable, "-c", code], **options) as terminal:
        assert terminal.stdout.readline() == "ready\n"
        os.killpg(terminal.pid, signal.SIGINT)
        assert terminal.stdout.read() == "tidy\n"
    assert terminal.returncode == 42


def test_the_readme_names_the_commands_and_every_lesson() -> None:
    for command in ("lab", "run", "test", "site", "pack"):
        command = f"python3 course.py {command}"
        assert command in README
    for lesson in (ROOT / "notebooks").glob("*.ipynb"):
        assert f"notebooks/{lesson.name}" in README
    for page in (*ROOT.glob("*.md"), *(ROOT / ".github").glob("*.md")):
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text("utf-8")):
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("lesson", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda path: path.stem)
def test_the_readme_says_how_long_a_lesson_takes(lesson: Path) -> None:
    time = re.search(r"\*Time\*: (\w+) minutes", nbformat.read(lesson, as_version=4).cells[0].source)[1]
    (said,) = re.findall(rf"\(notebooks/{lesson.name}\) \| (\d+) \|", README)
    assert said == {"ten": "10"}.get(time, time)


def test_the_readme_figure_is_the_one_in_the_lesson() -> None:
    assert README_FIGURE.read_bytes() == pictures(nbformat.read(README_LESSON, as_version=4))[README_PICTURE]
    assert README_FIGURE.relative_to(ROOT).as_posix() in README


def test_code_and_notebooks_are_lint_free() -> None:
    for command in (["check"], ["format", "--check"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--no-cache", "."], cwd=ROOT, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_types_are_right() -> None:
    done = subprocess.run([sys.executable, "-m", "mypy"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_only_the_agreed_files_are_at_the_top() -> None:
    """Of what git tracks, so that a reader's own files are welcome; without git there is nothing to ask."""
    if not shutil.which("git") or not (ROOT / ".git").exists():
        pytest.skip("no git here that tells the project's files from yours")
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    assert listed.returncode == 0, listed.stderr
    top = {name.split("/")[0] for name in listed.stdout.splitlines()}
    files = {"README.md", "LICENSE", "CITATION.cff", "CHANGELOG.md", "course.py", "environment.yml"}
    files |= {"requirements.txt", "constraints.txt", "pyproject.toml"}
    assert {name for name in top if not name.startswith(".")} == files | {"helpers", "notebooks", "tests"}
