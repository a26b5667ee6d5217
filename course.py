#!/usr/bin/env python3
"""One command for the whole course. Sets up .venv beside this file when needed, then does what you ask.

    python3 course.py lab     open the course in JupyterLab, at lesson 00
    python3 course.py run     no browser: execute every lesson and write readable HTML to out/
    python3 course.py test    lint, unit tests and every notebook

Whatever follows is handed on to JupyterLab, nbconvert or pytest. Environment variables:
    COURSE_VENV     where the environment lives (default: .venv beside this file)
    COURSE_TORCH    cpu or pypi: which PyTorch to install on Linux (default: cpu unless there is an NVIDIA card)
    PIP_FIND_LINKS  a folder of wheels, for a room without a network; nothing else is then asked for PyTorch
"""

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
VENV = Path(os.environ.get("COURSE_VENV", HERE / ".venv")).resolve()
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = BIN / ("python.exe" if os.name == "nt" else "python")
REQUIREMENTS, CONSTRAINTS = HERE / "requirements.txt", HERE / "constraints.txt"
CPU_WHEELS = ["--extra-index-url", "https://download.pytorch.org/whl/cpu"]
NEWS = "@jupyterlab/apputils-extension:announcements"  # JupyterLab's "may we show you news?" pop-up


def run(*command: object, **options: object) -> int:
    return subprocess.run([str(part) for part in command], check=True, **options).returncode


def pip(*arguments: object) -> None:
    quiet = [] if sys.stdout.isatty() else ["-q"]
    run(PYTHON, "-m", "pip", "install", *quiet, "--disable-pip-version-check", "-c", CONSTRAINTS, *arguments)


def make_venv() -> None:
    if importlib.util.find_spec("ensurepip"):
        run(sys.executable, "-m", "venv", VENV)
    else:  # Debian and Ubuntu without python3-venv: an empty environment, filled by the pip outside it
        run(sys.executable, "-m", "venv", "--without-pip", VENV)
        run(sys.executable, "-m", "pip", "--python", PYTHON, "install", "-q", "pip")


def torch_wheels() -> list[str]:
    """On Linux the default wheels bring 2.6 GB of CUDA: without an NVIDIA card take the CPU build instead."""
    choice = os.environ.get("COURSE_TORCH", "pypi" if shutil.which("nvidia-smi") else "cpu")
    return CPU_WHEELS if sys.platform == "linux" and choice == "cpu" and not os.environ.get("PIP_FIND_LINKS") else []


def set_up() -> None:
    if not (3, 11) <= sys.version_info[:2] <= (3, 13):
        sys.exit(f"The course needs Python 3.11, 3.12 or 3.13; this is {sys.version.split()[0]}.")
    asked_for = REQUIREMENTS.read_bytes() + CONSTRAINTS.read_bytes() + sys.version.encode()
    stamp, wanted = VENV / "course-stamp", hashlib.sha256(asked_for).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted and PYTHON.exists():
        return
    print(f"[1/3] environment in {VENV}", flush=True)
    make_venv()
    print("[2/3] PyTorch, about 0.2 GB (2.6 GB with CUDA)", flush=True)
    torch = next(line for line in REQUIREMENTS.read_text().splitlines() if line.startswith("torch=="))
    pip(*torch_wheels(), torch)  # on its own: an extra index would be asked for every package of the command
    print("[3/3] TensorFlow, Keras, JupyterLab and the rest, about 0.6 GB", flush=True)
    pip("-r", REQUIREMENTS)
    pip("--no-deps", "--no-build-isolation", "-e", HERE)  # `import helpers` from every notebook and editor
    run(PYTHON, "-m", "jupyter", "labextension", "disable", "--level=sys_prefix", NEWS, stderr=subprocess.DEVNULL)
    stamp.write_text(wanted)


def main(what: str = "", *rest: str) -> int:
    commands = {
        "lab": ["-m", "jupyterlab", HERE / "notebooks" / "00_start_here.ipynb"],
        "run": ["-m", "nbconvert", "--to", "html", "--execute", "--output-dir", HERE / "out"],
        "test": ["-m", "pytest"],
    }
    if what not in commands:
        print(__doc__)
        return 2 if what else 0
    set_up()
    path = os.pathsep.join([str(BIN), os.environ.get("PATH", "")])
    env = {**os.environ, "PATH": path, "VIRTUAL_ENV": str(VENV)}
    if what == "run" and not any(argument.endswith(".ipynb") for argument in rest):
        rest = (*rest, *map(str, sorted((HERE / "notebooks").glob("*.ipynb"))))
    if what != "lab":
        env["TQDM_DISABLE"] = "1"  # progress bars are for people
    return run(PYTHON, *commands[what], *rest, env=env, cwd=HERE)


if __name__ == "__main__":
    try:
        sys.exit(main(*sys.argv[1:]))
    except subprocess.CalledProcessError as error:
        sys.exit(error.returncode or 1)
    except KeyboardInterrupt:
        sys.exit(130)
