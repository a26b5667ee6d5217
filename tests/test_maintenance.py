"""Around the course: one version and one licence wherever they are said; what other machines read names what exists."""

import ast
import importlib
import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
README, CHANGELOG = ((ROOT / name).read_text("utf-8") for name in ("README.md", "CHANGELOG.md"))
CITATION = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
TITLE = README.splitlines()[0].removeprefix("# ")
COPIED = ["schedules", "plateau", "for_torch", "for_keras", "range_test"]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


# ------------------------------------------------------------------------------ version and licence
def test_it_is_cited_by_its_title_and_version() -> None:
    assert CITATION["cff-version"] == "1.2.0"
    assert (CITATION["title"], str(CITATION["version"])) == (TITLE, PROJECT["version"])
    assert [author["name"] for author in CITATION["authors"]] == [author["name"] for author in PROJECT["authors"]]
    assert CITATION["message"]
    (bibtex,) = re.findall(r"```bibtex\n(.+?)```", README, re.DOTALL)
    assert f"title = {{{TITLE}}}" in bibtex
    assert f"Version {PROJECT['version'].removesuffix('.0')}," in bibtex


def test_the_newest_entry_of_the_changelog_is_this_version() -> None:
    headings = re.findall(r"^## (.+)$", CHANGELOG, re.MULTILINE)
    assert headings[0].startswith(f"[{PROJECT['version']}] - ")
    for heading in headings:
        assert re.fullmatch(r"\[\d+\.\d+\.\d+\] - (\d{4}-\d\d-\d\d|in preparation)", heading), heading
    kinds = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    assert set(re.findall(r"^### (.+)$", CHANGELOG, re.MULTILINE)) <= kinds


def resolve(name: str) -> object:
    """What a dotted name stands for, or None."""
    parts = name.split(".")
    for cut in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:cut]))
        except ModuleNotFoundError:
            continue
        for part in parts[cut:]:
            found = getattr(found, part, None)
        return found
    return None


MOVED = re.findall(r"^  \| `(helpers\S+)` \| `(helpers\S+)` \|$", CHANGELOG, re.MULTILINE)


@pytest.mark.parametrize(("old", "new"), MOVED)
def test_what_was_renamed_is_found_under_its_new_name(old: str, new: str) -> None:
    assert resolve(new) is not None
    assert resolve(old) in (None, resolve(new)), "the old place may still import it"


def test_code_is_mit_and_the_lessons_text_is_cc_by() -> None:
    assert PROJECT["license"] == "MIT"
    assert (ROOT / "LICENSE").read_text("utf-8").startswith("MIT License")
    assert CITATION["license"] == ["MIT", "CC-BY-4.0"]
    lessons = (ROOT / "notebooks" / "LICENSE").read_text("utf-8")
    assert lessons.endswith("SPDX-License-Identifier: MIT AND CC-BY-4.0\n")
    holder = re.search(r"Copyright \(c\) (.+)", (ROOT / "LICENSE").read_text("utf-8"))[1]
    header = f"# SPDX-FileCopyrightText: {holder}\n# SPDX-License-Identifier: MIT\n"
    for name in COPIED:
        assert (ROOT / "helpers" / f"{name}.py").read_text("utf-8").startswith(header), name
    assert header.splitlines()[0].removeprefix("# ") in lessons


# ----------------------------------------------------------------------------------- other machines
def supported() -> list[str]:
    return [entry.rsplit(" ", 1)[1] for entry in PROJECT["classifiers"] if re.search(r":: 3\.\d+$", entry)]


def test_every_supported_python_is_tested_on_every_system() -> None:
    matrix = yaml.safe_load((ROOT / ".github" / "workflows" / "test.yml").read_text("utf-8"))
    matrix = matrix["jobs"]["test"]["strategy"]["matrix"]
    assert matrix["python"] == supported() == ["3.11", "3.12", "3.13"]
    assert matrix["system"] == ["ubuntu", "windows", "macos"]
    assert PROJECT["requires-python"] == ">=3.11,<3.14"
    (said,) = re.findall(r"You need Python (.+?) \(", README)
    assert re.findall(r"3\.\d+", said) == supported()


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_may_do_little_and_runs_what_was_looked_at(path: Path) -> None:
    """Actions by commit, no permission but those that a job names, no credentials left in the checkout."""
    text = path.read_text("utf-8")
    workflow = yaml.safe_load(text)
    assert workflow["permissions"] == {}
    used = re.findall(r"uses: (.+)", text)
    assert all(re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action) for action in used), used
    for job in workflow["jobs"].values():
        assert job["permissions"]
        assert job["timeout-minutes"] <= 90
        checkouts = [step for step in job["steps"] if "actions/checkout@" in step.get("uses", "")]
        assert all(step["with"]["persist-credentials"] is False for step in checkouts)


def test_other_machines_start_with_commands_that_exist() -> None:
    known = re.findall(r"^    python3 course\.py (\w+)", (ROOT / "course.py").read_text("utf-8"), re.MULTILINE)
    pages = [ROOT / ".devcontainer" / "devcontainer.json", *(ROOT / ".github").glob("*.md"), WORKFLOWS[-1]]
    assert WORKFLOWS[-1].name == "test.yml"
    for page in pages:
        assert set(re.findall(r"course\.py (\w+)", page.read_text("utf-8"))) <= set(known), page.name


def test_the_dev_container_and_binder_have_a_supported_python_and_the_same_packages() -> None:
    container = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text("utf-8"))
    assert container["image"].rsplit(":", 1)[1] in supported()
    assert container["forwardPorts"] == [8888], "JupyterLab's own"
    assert (ROOT / ".binder" / "runtime.txt").read_text("utf-8").strip().removeprefix("python-") in supported()
    lines = (ROOT / ".binder" / "requirements.txt").read_text("utf-8").splitlines()
    index, *files, own = (line for line in lines if not line.startswith("#"))
    cpu_wheels = re.search(r'^CPU = "(.+)"$', (ROOT / "course.py").read_text("utf-8"), re.MULTILINE)
    assert index == f"--extra-index-url {cpu_wheels[1]}"
    assert [(line[:2], (ROOT / ".binder" / line[3:]).resolve()) for line in files] == [
        ("-c", ROOT / "constraints.txt"),
        ("-r", ROOT / "requirements.txt"),
    ]
    assert own == "-e ."


def test_every_hook_is_a_tool_of_the_environment_or_brings_its_own_pinned() -> None:
    (local,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text("utf-8"))["repos"]
    assert local["repo"] == "local"
    needed = (ROOT / "requirements.txt").read_text("utf-8")
    for hook in local["hooks"]:
        if hook["language"] == "python":
            (tool,) = hook["additional_dependencies"]
            assert re.fullmatch(hook["entry"].split()[0] + r"==\d+\.\d+\.\d+", tool)
            continue
        assert hook["language"] == "system"
        module = re.match(r"python -m (\w+)", hook["entry"])[1]
        assert re.search(rf"^{module}[=>]", needed, re.MULTILINE), hook["id"]
        named = re.findall(r"tests/\w+\.py", hook["entry"])
        assert all((ROOT / test).exists() for test in named), named


# ------------------------------------------------------------------------------------ other systems
def sources() -> Iterator[tuple[str, str]]:
    for path in [ROOT / "course.py", *(ROOT / "helpers").rglob("*.py"), *(ROOT / "tests").rglob("*.py")]:
        yield path.relative_to(ROOT).as_posix(), path.read_text("utf-8")


def without_encoding(source: str) -> list[int]:
    """Lines that read or write files in whatever encoding the system has; on Windows that is not UTF-8.

    (What a child process prints is another matter: it and its parent both go by the system.)
    """
    found = []
    for call in (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)):
        name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        positional = {"read_text": 1, "write_text": 2}.get(name)
        plain_open = isinstance(call.func, ast.Name) and name == "open"
        binary = any(isinstance(a, ast.Constant) and "b" in str(a.value) for a in call.args[1:2])
        text = (plain_open and not binary) or (positional is not None and len(call.args) < positional)
        if text and not any(keyword.arg == "encoding" for keyword in call.keywords):
            found.append(call.lineno)
    return found


def test_text_files_are_utf8_on_every_system() -> None:
    assert {name: lines for name, source in sources() if (lines := without_encoding(source))} == {}


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("p.read_text()", True),
        ("p.read_text('utf-8')", False),
        ("p.write_text(text)", True),
        ("p.write_text(text, encoding='utf-8')", False),
        ("open(p)", True),
        ("open(p, 'rb')", False),
        ("open(p, encoding='utf-8')", False),
    ],
)
def test_what_depends_on_the_systems_encoding(line: str, found: bool) -> None:
    assert bool(without_encoding(line)) == found
