#!/usr/bin/env python3
"""One command for the whole course. Sets up .venv beside this file when needed, then does what you ask.

    python3 course.py lab     open the course in JupyterLab, at lesson 00
    python3 course.py run     no browser: execute every lesson (or those named) to readable HTML in out/
    python3 course.py test    lint, unit tests and every notebook, on all cores (-n 0: on one, in one process)
                      test quick: lint, what is tested in seconds, and lesson 00; test all: also what takes long
    python3 course.py site    the course as a book for the browser, from the committed outputs: out/site/index.html
    python3 course.py pack FOLDER   all that a room without a network needs, to be copied from a stick

What follows goes to JupyterLab, nbconvert, pytest or Sphinx. Environment variables: COURSE_VENV, where the environment
lives; COURSE_TORCH=cpu or pypi, which PyTorch on Linux (default: cpu unless there is an NVIDIA card); PIP_FIND_LINKS.
"""

import contextlib
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
VENV = Path(os.environ.get("COURSE_VENV", HERE / ".venv")).resolve()
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
REQUIREMENTS, CONSTRAINTS = HERE / "requirements.txt", HERE / "constraints.txt"
CPU = "https://download.pytorch.org/whl/cpu"
PACK = HERE.parent if (HERE.parent / "READ-ME-FIRST.txt").exists() else None  # then wheels and data lie beside this
OFFLINE = ["--no-index", "--find-links", PACK / "wheels"] if PACK else []
NEWS = "@jupyterlab/apputils-extension:announcements"  # JupyterLab's "may we show you news?" pop-up
COMMANDS = {
    "lab": ["jupyterlab", "--allow-root", "--LabApp.default_url=/lab/tree/notebooks/00_start_here.ipynb"],
    "run": ["nbconvert", "--to", "html", "--template", "classic", "--execute", "--output-dir", HERE / "out"],
    "test": ["pytest", "-n", "auto", "--durations=10", "--durations-min=5"],
    "site": ["sphinx", "-q", "-E", "-W", "--keep-going", "-j", "auto", "-d", "out/doctrees", "notebooks", "out/site"],
    "pack": ["helpers.pack", "--torch-index", CPU],
}
QUICK = ["helpers", "tests", "notebooks/00_start_here.ipynb", "-m", "not full and not slow"]
TESTS = {"quick": QUICK, "all": ["-m", ""]}


def run(*command: object, **options: object) -> None:
    with subprocess.Popen(list(map(str, command)), **options) as process:
        while process.returncode is None:
            with contextlib.suppress(KeyboardInterrupt):  # Ctrl-C reaches the command too: let it tidy up and say so
                process.wait()
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)


def pip(*arguments: object) -> None:
    quiet = [] if sys.stdout.isatty() else ["-q"]  # a person sees pip's progress bars, a log does not
    run(PYTHON, "-m", "pip", "install", *quiet, "--disable-pip-version-check", "-c", CONSTRAINTS, *OFFLINE, *arguments)


def set_up() -> None:
    if not (3, 11) <= sys.version_info[:2] <= (3, 13):
        sys.exit(f"The course needs Python 3.11, 3.12 or 3.13; this is {sys.version.split()[0]}.")
    if PACK and not list(PACK.glob(f"wheels/torch-*-cp3{sys.version_info[1]}-*")):
        sys.exit(
            f"The wheels beside the course are not for Python 3.{sys.version_info[1]}: see {PACK}/READ-ME-FIRST.txt"
        )
    wanted = "\n".join([sys.version, str(HERE), REQUIREMENTS.read_text(), CONSTRAINTS.read_text()])
    stamp = VENV / "course-stamp"  # what the environment was made for: installed again only when that changes
    if PYTHON.exists() and stamp.exists() and stamp.read_text() == wanted:
        return
    print(f"[1/3] environment in {VENV}", flush=True)
    without_pip = [] if importlib.util.find_spec("ensurepip") else ["--without-pip"]  # Debian without python3-venv
    run(sys.executable, "-m", "venv", *without_pip, VENV)
    if without_pip:
        run(sys.executable, "-m", "pip", "--python", PYTHON, "install", "-q", *OFFLINE, "pip")
    print("[2/3] PyTorch: 0.2 GB, with CUDA 2.6 GB", flush=True)
    torch = next(line for line in wanted.splitlines() if line.startswith("torch=="))
    build = os.environ.get("COURSE_TORCH", "pypi" if shutil.which("nvidia-smi") else "cpu")
    index = sys.platform == "linux" and build == "cpu" and not os.environ.get("PIP_FIND_LINKS") and not PACK
    # in a command of its own: pip asks an extra index for every package of the command
    pip(*["--extra-index-url", CPU] * index, torch)
    print("[3/3] TensorFlow, Keras, JupyterLab and the rest: 0.6 GB", flush=True)
    pip("-r", REQUIREMENTS)
    pip("--no-deps", "--no-build-isolation", "-e", HERE)  # `import helpers` from every notebook and editor
    run(PYTHON, "-m", "jupyter", "labextension", "disable", "--level=sys_prefix", NEWS, stderr=subprocess.DEVNULL)
    stamp.write_text(wanted)


def add(extra: str) -> None:
    """What one command alone needs is installed when it is first asked for."""
    import tomllib  # Python 3.10 has none, and is told so in set_up

    lists = tomllib.loads((HERE / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    wanted, stamp = "\n".join([*lists[extra], CONSTRAINTS.read_text("utf-8")]), VENV / f"course-stamp-{extra}"
    if not stamp.exists() or stamp.read_text("utf-8") != wanted:
        print(f"[{extra}] installing {', '.join(lists[extra])}: 25 MB", flush=True)
        pip(*lists[extra])
        stamp.write_text(wanted, "utf-8")


def settings(what: str, how_much: str = "") -> dict[str, str]:
    path = os.pathsep.join([str(PYTHON.parent), os.environ.get("PATH", "")])
    data = {"COURSE_DATA": str(PACK / "data")} if PACK else {}
    if what != "test":
        return {**data, **os.environ, "PATH": path, "TQDM_DISABLE": "" if what == "lab" else "1"}  # bars are for people
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    workers = min(cores, 4) if cores > 1 else 0  # each takes 2 GB with its notebook; 0 is this process, no worker
    wanted = dict.fromkeys(("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"), "1")
    wanted |= {"COURSE_BUDGET": "smoke", "PYTEST_XDIST_AUTO_NUM_WORKERS": str(workers)}
    wanted |= {"HYPOTHESIS_EXAMPLES": "500"} if how_much == "all" else {}
    return {**data, **wanted, **os.environ, "PATH": path, "TQDM_DISABLE": "1"}  # what the user has set counts more


def main(what: str = "", *rest: str) -> None:
    if what not in COMMANDS:
        sys.exit(__doc__)
    set_up()
    if what == "site":
        add("site")
        shutil.rmtree(HERE / "out" / "site", ignore_errors=True)  # no page stays of a lesson that is gone
    if what == "run" and not any(argument.endswith(".ipynb") for argument in rest):
        rest = (*rest, *map(str, sorted((HERE / "notebooks").glob("*.ipynb"))))
    if what == "pack":  # a folder is meant from where it was typed
        rest = tuple(argument if argument.startswith("-") else os.path.abspath(argument) for argument in rest)
    selected = TESTS.get(rest[0], rest[:1]) if what == "test" and rest else rest[:1]
    run(PYTHON, "-m", *COMMANDS[what], *selected, *rest[1:], cwd=HERE, env=settings(what, *rest[:1]))


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except (subprocess.CalledProcessError, KeyboardInterrupt) as stop:
        sys.exit(getattr(stop, "returncode", 130))  # the command has said what went wrong
