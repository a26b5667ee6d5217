"""The pack: what it holds, what it refuses, and that it goes on where it was. Nothing is downloaded here."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from helpers import data, pack

ROOT = Path(__file__).parents[1]
CONSTRAINTS = (ROOT / "constraints.txt").read_text("utf-8")


# ---------------------------------------------------------------------------------- what it refuses
@pytest.mark.parametrize("inside", ["", "helpers", "notebooks/stick"])
def test_the_course_does_not_pack_itself(inside: str) -> None:
    with pytest.raises(pack.PackError, match="outside the course"):
        pack.check(ROOT / inside)


def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(pack.PackError, match="is not empty: name a new folder, nothing in there is touched"):
        pack.check(tmp_path)
    with pytest.raises(pack.PackError, match=r"thesis\.tex is a file: name a folder"):
        pack.check(tmp_path / "thesis.tex")
    assert (tmp_path / "thesis.tex").read_text("utf-8") == "mine"


def test_too_little_space_is_said_before_anything_is_fetched(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda place: shutil._ntuple_diskusage(10**10, 10**10, 3 * 10**8))
    with pytest.raises(pack.PackError, match=r"has 0\.3 GB free, a pack takes up to 1\.5 GB"):
        pack.check(tmp_path / "new" / "folder")


def test_a_new_an_empty_and_an_interrupted_folder_are_welcome(tmp_path: Path) -> None:
    pack.check(tmp_path / "new" / "folder")
    pack.check(tmp_path)
    (tmp_path / pack.UNFINISHED).touch()
    (tmp_path / "wheels").mkdir()
    pack.check(tmp_path)


def test_what_is_wrong_is_a_sentence_and_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    command = [sys.executable, "-m", "helpers.pack", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == f"{tmp_path} is not empty: name a new folder, nothing in there is touched\n"


def test_without_data_there_is_no_pack(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setenv("COURSE_DATA", str(tmp_path / "empty"))

    def unreachable(name: str) -> Path:
        raise data.DatasetError(f"{name} could not be fetched")

    monkeypatch.setattr(data, "fetch", unreachable)
    assert pack.main([str(tmp_path / "stick")]) == 1
    assert "no data to pack: connect to a network, or set COURSE_DATA" in capsys.readouterr().err
    assert (tmp_path / "stick" / pack.UNFINISHED).exists(), "the same command goes on from here"


# ------------------------------------------------------------------------------------ what it holds
@pytest.fixture
def packed(tmp_path: Path, monkeypatch) -> Callable[..., tuple[Path, list[str]]]:
    """Pack with stand-ins for the data, the book and pip; return the folder and the commands that would have run."""
    monkeypatch.setattr(data, "main", lambda arguments: 0)
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    site = tmp_path / "out" / "site"
    site.mkdir(parents=True)
    (site / "index.html").write_text("book")
    ran: list[str] = []

    def run_with(wheel: str, folder: str = "stick") -> tuple[Path, list[str]]:
        stick = tmp_path / folder

        def note(*command: object) -> None:
            ran.append(" ".join(map(str, command)))
            if "download" in command:
                (stick / "wheels").mkdir(exist_ok=True)
                (stick / "wheels" / wheel).touch()

        copied = shutil.copytree
        monkeypatch.setattr(pack, "_run", note)
        monkeypatch.setattr(
            pack.shutil, "copytree", lambda a, b, **more: copied(site if a == ROOT / "out" / "site" else a, b, **more)
        )
        status = pack.main(["--torch-index", "https://index", str(stick)])
        assert status == ("nvidia" in wheel)
        return stick, ran

    return run_with


def test_it_holds_the_course_as_git_tracks_it_and_says_what_it_is_for(packed, capsys) -> None:
    stick, ran = packed("torch-2.13.0+cpu-cp311-cp311-linux_x86_64.whl")
    assert sorted(os.listdir(stick)) == ["READ-ME-FIRST.txt", "course", "site", "wheels"]
    for name in ("course.py", "constraints.txt", "notebooks/00_start_here.ipynb", "helpers/pack.py"):
        assert (stick / "course" / name).read_bytes() == (ROOT / name).read_bytes()
    assert not {".git", ".venv", "out", ".ruff_cache"} & set(os.listdir(stick / "course"))
    first = (stick / pack.FIRST).read_text("utf-8")
    assert f"with Python {sys.version_info[0]}.{sys.version_info[1]}" in first
    assert "python3 course.py lab" in first
    book, torch, rest, *borders = ran
    pinned = re.findall(r"^(\S+) ;.*python_full_version \S+ '3\.\d+\.\d+'", CONSTRAINTS, re.MULTILINE)
    assert [command.split()[-1] for command in borders] == pinned, "3.11.2 and 3.11.9 are both served"
    assert book.endswith("course.py site")
    assert torch.endswith("--no-deps --index-url https://index torch==2.13.0") == (sys.platform == "linux")
    assert "--index-url" not in rest
    assert "-c constraints.txt -r requirements.txt sphinx==9" in rest
    assert all("--only-binary :all:" in command for command in (torch, rest)), "no compiler is needed in the room"
    assert "GB for" in capsys.readouterr().out


def test_cuda_is_refused(packed, capsys) -> None:
    stick, _ = packed("nvidia_cudnn_cu13-9.20-py3-none-linux_x86_64.whl")
    assert "pip chose PyTorch with CUDA (nvidia_cudnn_cu13-9.20" in capsys.readouterr().err
    assert (stick / pack.UNFINISHED).exists()


def test_an_interrupted_pack_is_taken_up_again(packed) -> None:
    packed("nvidia_cudnn_cu13-9.20-py3-none-linux_x86_64.whl")[0].joinpath("wheels").rename(
        packed("torch-2.13.0-any.whl", "other")[0] / "aside"
    )
    stick, _ = packed("torch-2.13.0-any.whl")
    assert (stick / pack.FIRST).exists()
    assert not (stick / pack.UNFINISHED).exists()


def test_wheels_of_the_machine_itself_are_used_before_any_index(packed, monkeypatch) -> None:
    monkeypatch.setenv("PIP_FIND_LINKS", "wheels-of-mine")
    _, ran = packed("torch-2.13.0-any.whl")
    assert not any("--index-url" in command for command in ran)
