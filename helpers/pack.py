"""The course in one folder, for a room without a network: `python3 course.py pack FOLDER`.

Data sets, the wheels of every package for this kind of machine, the course, and its book. Copied to a laptop, its
``python3 course.py lab`` finds wheels and data beside itself. A pack that was interrupted is taken up again.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

from . import data

__all__ = ["PackError", "check", "main"]

ROOT = Path(__file__).resolve().parents[1]
UNFINISHED, FIRST = "UNFINISHED.txt", "READ-ME-FIRST.txt"
NEEDED = 1_500_000_000  # bytes: wheels 0.8 GB, data 0.2, the rest small; and what pip unpacks on the way
NOT_OURS = shutil.ignore_patterns(".*", "out", "build", "__pycache__", "*.egg-info")  # where git cannot be asked
TEXT = """The course on learning-rate schedules, for machines without a network.

1. Copy this whole folder from the stick to your disk.
2. Only to read: open site/index.html by a double click.
3. To run the lessons: open a terminal in the folder course and type

       python3 course.py lab          (on Windows: py course.py lab)

   The first time it installs everything into course/.venv, from the folder wheels, in about three minutes, and
   asks no other machine for anything. It needs 3 GB of disk.

The wheels are for {machine} with Python {python}, and no other. To serve others too, run
`python3 course.py pack FOLDER` on a machine of each kind, and put the contents of all wheels folders into one.

Data in the folder data: {data}.
"""


class PackError(Exception):
    """Why there is no pack; the message is for people."""


def check(folder: Path) -> None:
    """Look at the folder before anything is fetched.

    Parameters
    ----------
    folder : Path
        A new or empty folder, or an interrupted pack.

    Raises
    ------
    PackError
        When it is a file, lies in the course, holds something else, cannot be written, or has too little space.

    Examples
    --------
    >>> check(ROOT / "helpers")
    Traceback (most recent call last):
    helpers.pack.PackError: choose a folder outside the course, which would pack itself
    """
    if ROOT in (folder, *folder.parents) and ROOT / "out" not in folder.parents:
        raise PackError("choose a folder outside the course, which would pack itself")
    if folder.exists() and not folder.is_dir():
        raise PackError(f"{folder} is a file: name a folder")
    if folder.exists() and any(folder.iterdir()) and not (folder / UNFINISHED).exists():
        raise PackError(f"{folder} is not empty: name a new folder, nothing in there is touched")
    there = next(one for one in (folder, *folder.parents) if one.exists())
    if not os.access(there, os.W_OK):
        raise PackError(f"{there} cannot be written to")
    there_already = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    free = shutil.disk_usage(there).free + there_already
    if free < NEEDED:
        raise PackError(f"{there} has {free / 1e9:.1f} GB free, a pack takes up to {NEEDED / 1e9:.1f} GB")


def _run(*command: object) -> None:
    done = subprocess.run(list(map(str, command)), cwd=ROOT)
    if done.returncode:
        raise PackError(f"`{' '.join(map(str, command[1:5]))} …` failed, see above; the same command goes on from here")


def _data(folder: Path) -> str:
    """Copy the sound data sets, downloaded first where they are missing; say which."""
    data.main(["fetch"])
    if data.main(["pack", str(folder)]):
        raise PackError(
            "no data to pack: connect to a network, or set COURSE_DATA to a folder that has mnist.npz or cifar10.npz"
        )
    return ", ".join(title for name, title in data.TITLES.items() if (folder / f"{name}.npz").exists())


def _wheels(folder: Path, torch_index: str | None) -> None:
    """Download every package of the requirements, and of the book, as a wheel for this kind of machine."""
    download = [sys.executable, "-m", "pip", "download", "--disable-pip-version-check", "--only-binary", ":all:"]
    download += [*["-q"] * (not sys.stdout.isatty()), "--dest", str(folder)]
    requirements = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    torch = next(line for line in requirements.splitlines() if line.startswith("torch=="))
    asks = torch_index and sys.platform == "linux" and not os.environ.get("PIP_FIND_LINKS")
    # without its packages, and first: PyPI's build for Linux would bring 2.6 GB of CUDA
    _run(*download, "--no-deps", *(["--index-url", torch_index] if asks else []), torch)
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    lists = ["-c", "constraints.txt", "-r", "requirements.txt", *extras["site"], "pip"]
    _run(*download, "--find-links", folder, *lists)
    # the room's Python may be 3.11.2 and this one 3.11.9: bring the pins for either side of such a border
    constraints = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    for pin in re.findall(r"^(\S+==\S+) ;.*python_full_version \S+ '3\.\d+\.\d+'", constraints, re.MULTILINE):
        _run(*download, "--no-deps", pin)
    cuda = [wheel.name for wheel in folder.glob("*.whl") if wheel.name.startswith(("nvidia", "cuda", "triton"))]
    if cuda:
        raise PackError(f"pip chose PyTorch with CUDA ({cuda[0]}): set PIP_FIND_LINKS to a folder with its CPU wheel")


def _course(folder: Path) -> None:
    """Copy what git tracks, as it is now; without git everything but what was made here."""
    listed = None
    if (ROOT / ".git").exists() and shutil.which("git"):
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if listed is None or listed.returncode:
        shutil.copytree(ROOT, folder, dirs_exist_ok=True, ignore=NOT_OURS)
        return
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)


def _pack(folder: Path, torch_index: str | None) -> None:
    check(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / UNFINISHED).write_text("This pack is not finished. The same command goes on with it.\n", encoding="utf-8")
    print("[1/4] data", flush=True)
    packed = _data(folder / "data")
    print("[2/4] the book", flush=True)
    _run(sys.executable, "course.py", "site")
    shutil.copytree(ROOT / "out" / "site", folder / "site", dirs_exist_ok=True)
    print("[3/4] wheels: 0.7 GB", flush=True)
    _wheels(folder / "wheels", torch_index)
    print("[4/4] the course", flush=True)
    _course(folder / "course")
    machine = f"{platform.system()} on {platform.machine()}"
    python = ".".join(map(str, sys.version_info[:2]))
    (folder / FIRST).write_text(TEXT.format(machine=machine, python=python, data=packed), encoding="utf-8")
    (folder / UNFINISHED).unlink()
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    print(f"{folder}: {size / 1e9:.2f} GB for {machine} with Python {python}. {FIRST} says what to do with it.")


def main(arguments: list[str] | None = None) -> int:
    """Run ``python -m helpers.pack``; the exit status is 1 when there is no pack."""
    parser = argparse.ArgumentParser(prog="course.py pack", description="The course for a room without a network.")
    parser.add_argument("folder", type=Path, help="a new or empty folder, on a disk or a stick")
    parser.add_argument("--torch-index", help="on Linux: the index that has PyTorch's CPU build")
    chosen = parser.parse_args(arguments)
    try:
        _pack(chosen.folder.resolve(), chosen.torch_index)
    except (PackError, OSError) as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
