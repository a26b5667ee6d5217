"""Public functions say what they take: from three parameters on, a numpydoc section names them all, and no others."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import helpers

PACKAGE = Path(helpers.__file__).parent
FILES = [path for path in sorted(PACKAGE.rglob("*.py")) if not path.name.startswith("lesson_")]
MANY = 3


def parameters(function: ast.FunctionDef) -> set[str]:
    taken = function.args
    every = [*taken.posonlyargs, *taken.args, taken.vararg, *taken.kwonlyargs, taken.kwarg]
    return {one.arg for one in every if one and one.arg not in ("self", "cls")}


def fields(node: ast.ClassDef) -> set[str]:
    """What the maker of a dataclass or named tuple takes: the public fields, without what is no argument."""
    made = [part for part in node.body if isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name)]
    texts = {part.target.id: ast.unparse(part) for part in made}
    return {
        name
        for name, text in texts.items()
        if not name.startswith("_") and "ClassVar[" not in text and "init=False" not in text
    }


def taken_by(node: ast.ClassDef) -> set[str]:
    """What is given to make one: the parameters of ``__init__``, else the fields."""
    for part in node.body:
        if isinstance(part, ast.FunctionDef) and part.name == "__init__":
            return parameters(part)
    how = " ".join(ast.unparse(one) for one in (*node.decorator_list, *node.bases))
    return fields(node) if "dataclass" in how or "NamedTuple" in how else set()


def described(docstring: str, *titles: str) -> set[str]:
    """The names that stand in these sections, before a colon or on a line of their own."""
    sections = re.split(r"^(\w[\w ]*)\n-{3,}$", docstring, flags=re.MULTILINE)[1:]
    bodies = [body for title, body in zip(sections[::2], sections[1::2], strict=True) if title in titles]
    heads = [line.split(" : ")[0] for body in bodies for line in body.splitlines() if re.match(r"[\w*]", line)]
    return {name.strip().lstrip("*") for head in heads for name in head.split(",")}


def complaints(tree: ast.Module | ast.ClassDef, within: str = "") -> Iterator[str]:
    """What the public docstrings of a module leave out or make up. An override without one inherits its docstring."""
    for node in tree.body:
        if not isinstance(node, (ast.FunctionDef, ast.ClassDef)) or node.name.startswith("_"):
            continue
        name, docstring = within + node.name, ast.get_docstring(node) or ""
        if isinstance(node, ast.ClassDef):
            taken, named = taken_by(node), described(docstring, "Parameters", "Attributes")
            yield from complaints(node, f"{name}.")
        else:
            taken, named = parameters(node), described(docstring, "Parameters")
            yield from (f"{name} does not take {one}" for one in sorted(named - taken))
        if (len(taken) >= MANY and (docstring or not within)) or named:
            yield from (f"{name} says nothing of {one}" for one in sorted(taken - named))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_a_section_names_every_parameter(path: Path) -> None:
    assert not list(complaints(ast.parse(path.read_text(encoding="utf-8"))))


SECTION = '"""Do.\n\n    Parameters\n    ----------\n    a, b : int\n        Two.\n    *rest\n        More.\n    """'


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (f"def f(a, b, *rest):\n    {SECTION}", []),
        (f"def f(a, b, *, c=0, **rest):\n    {SECTION}", ["f says nothing of c"]),
        (f"def f(a, *rest):\n    {SECTION}", ["f does not take b"]),
        ('def f(a, b):\n    """Do."""', []),
        ("def f(a, b, c): pass", ["f says nothing of a", "f says nothing of b", "f says nothing of c"]),
        ("def _f(a, b, c): pass", []),
        ("class C(Base):\n    def f(self, a, b, c): pass", []),
        (f"class C:\n    {SECTION}\n    def __init__(self, a, b, rest, c): pass", ["C says nothing of c"]),
        (f"@dataclass\nclass C:\n    {SECTION}\n    a: int\n    b: int\n    c: int", ["C says nothing of c"]),
        ("@dataclass\nclass C:\n    a: int\n    b: ClassVar[int]\n    c: int = field(init=False)\n    _d: int", []),
    ],
)
def test_the_rule_is_held_where_it_should_be(source: str, expected: list[str]) -> None:
    assert list(complaints(ast.parse(source))) == expected
