"""Who may import whom, what must not be loaded, and that the table of contents is complete."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import helpers
import helpers.races

PACKAGE = Path(helpers.__file__).parent
# room -> the rooms below it: what it may import. Arrows point one way, so the order here is an order of reading.
BELOW = {
    "schedules": "",
    "plateau": "schedules",
    "for_torch": "schedules",
    "for_keras": "schedules",
    "range_test": "schedules",
    "runtime": "",
    "statistics": "",
    "recipe": "",
    "data": "runtime",
    "pack": "data",
    "models": "",
    "theory": "schedules",
    "loss_law": "schedules",
    "curvature": "",
    "training": "schedules for_torch for_keras runtime recipe data",
    "races": "schedules for_torch for_keras runtime statistics recipe data models theory training",
    "plots": "schedules statistics",
    "explorer": "schedules theory loss_law races plots",
    "exercises": "schedules for_torch for_keras statistics theory",
}


def rooms() -> list[str]:
    return sorted(
        {path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in PACKAGE.rglob("*.py")} - {"__init__"}
    )


def modules(room: str) -> list[Path]:
    return sorted((PACKAGE / room).rglob("*.py")) or [PACKAGE / f"{room}.py"]


def imports(path: Path) -> list[str]:
    """The modules of ours that a file imports, wherever in it, but for annotations."""
    found = []
    tree = ast.parse(path.read_text(encoding="utf-8"))
    annotations = {
        node
        for branch in ast.walk(tree)
        if isinstance(branch, ast.If) and "TYPE_CHECKING" in ast.unparse(branch.test)
        for node in ast.walk(branch)
    }
    inside = path.relative_to(PACKAGE).parent.parts
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node not in annotations and node.level:
            base = ".".join(inside[: len(inside) - node.level + 1])
            named = [f"{node.module}"] if node.module else [alias.name for alias in node.names]
            found += [f"{base}.{name}".strip(".") for name in named]
    return found


def test_every_room_has_its_place() -> None:
    assert rooms() == sorted(BELOW)
    modules_of_lessons = [room for room in rooms() if not (PACKAGE / room).is_dir() and room != "pack"]
    assert len(modules_of_lessons) <= 16  # pack is course.py's, and no lesson imports it
    places = list(BELOW)
    for room, below in BELOW.items():
        assert all(places.index(one) < places.index(room) for one in below.split()), room


@pytest.mark.parametrize("room", BELOW)
def test_a_room_imports_from_below_only(room: str) -> None:
    for path in modules(room):
        used = {name.split(".")[0] for name in imports(path)} - {room}
        assert used <= set(BELOW[room].split()), f"{path.relative_to(PACKAGE)} imports {used}"


def test_the_files_of_the_races_do_not_go_in_circles() -> None:
    graph = {
        path.stem: {name.split(".")[1] for name in imports(path) if name.startswith("races.")}
        for path in modules("races")
    }
    while graph:
        leaves = {name for name, needs in graph.items() if not needs & set(graph)}
        assert leaves, f"a circle among {sorted(graph)}"
        graph = {name: needs for name, needs in graph.items() if name not in leaves}


LIGHT = "schedules plateau range_test runtime statistics recipe data pack theory loss_law plots explorer exercises"
LIGHT += " races races.worker"


@pytest.mark.parametrize(
    ("modules", "may_be_loaded"),
    [
        (LIGHT, ""),
        ("for_torch curvature", "torch"),
        ("schedules plots", "numpy matplotlib PIL"),  # what draws waits for nothing that is slow to import
    ],
)
def test_what_must_not_be_loaded_is_not(modules: str, may_be_loaded: str) -> None:
    slow = {"pandas", "scipy", "IPython"} if "PIL" in may_be_loaded else set()
    heavy = {"torch", "keras", "tensorflow", "jax", *slow}
    load = "".join(f"import helpers.{name}\n" for name in modules.split())
    code = f"import sys\n{load}print(*{heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) <= set(may_be_loaded.split())


@pytest.mark.parametrize("package", [helpers, helpers.races])
def test_the_table_of_contents_names_every_module(package) -> None:
    named = re.findall(r"(?:^|;  )(\w+)  ", package.__doc__, re.MULTILINE)
    folder = Path(package.__file__).parent
    there = {path.stem for path in folder.glob("*.py")} | {path.parent.name for path in folder.glob("*/__init__.py")}
    assert sorted(named) == sorted(there - {"__init__"})
