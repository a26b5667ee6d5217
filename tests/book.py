"""The book, built for the tests as `course.py site` builds it, and what its pages hold and link to."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import course

ROOT = Path(__file__).parents[1]
# what a browser fetches by itself; an <a> it follows when it is asked to
FETCHED = {
    ("script", "src"),
    ("link", "href"),
    ("img", "src"),
    ("iframe", "src"),
    ("source", "src"),
    ("video", "src"),
    ("audio", "src"),
    ("object", "data"),
    ("embed", "src"),
}


def build(target: Path, source: Path = ROOT / "notebooks") -> str:
    """Build the book with the command of `course.py site`, warnings being errors; return what it said."""
    *command, _, _ = map(str, course.COMMANDS["site"])
    command[command.index("-d") + 1] = str(target.parent / "doctrees")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", *command, source, target],
        cwd=source.parent,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@dataclass
class Page(HTMLParser):
    """What a page links to, fetches and shows.

    Attributes
    ----------
    links, fetched : list of (tag, address)
        What may be followed, and what is loaded without asking.
    anchors : set of str
        What ``#...`` may point to.
    pictures : list of dict
        The attributes of each picture of the text.
    folded : int
        Cells whose code is folded.
    """

    path: Path
    links: list[tuple[str, str]] = field(default_factory=list)
    fetched: list[tuple[str, str]] = field(default_factory=list)
    anchors: set[str] = field(default_factory=set)
    pictures: list[dict[str, str | None]] = field(default_factory=list)
    folded: int = 0

    def __post_init__(self) -> None:
        super().__init__()
        self.feed(self.path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note one tag."""
        given = dict(attrs)
        self.anchors |= {str(given[name]) for name in ("id", "name") if given.get(name)}
        if tag == "a" and given.get("href"):
            self.links.append((tag, str(given["href"])))
        for name, value in attrs:
            if (tag, name) in FETCHED and value:
                self.fetched.append((tag, value))
            if name == "srcset" and value:
                self.fetched += [(tag, part.split()[0]) for part in value.split(",")]
        if tag == "img":
            self.pictures.append(given)
        if tag == "details" and {"hide", "above-input"} <= set(str(given.get("class")).split()):  # below: outputs
            self.folded += 1


def pages(book: Path) -> Iterator[Page]:
    """Every page of the book; the explorer is a program and not one of them."""
    for path in sorted(book.rglob("*.html")):
        if "_static" not in path.parts and path.name != "explorer.html":
            yield Page(path)


def is_elsewhere(address: str) -> bool:
    """Whether an address is on another machine (or opens another program)."""
    parts = urlsplit(address)
    return bool(parts.netloc) or parts.scheme in {"http", "https", "mailto"}


def broken(book: Path) -> tuple[list[str], set[str]]:
    """Follow every link and every address that is fetched: those that lead nowhere, and those that lead elsewhere."""
    found = {page.path: page for page in pages(book)}
    lost, elsewhere = [], set()
    for page in found.values():
        for tag, address in page.links + page.fetched:
            if is_elsewhere(address):
                elsewhere.add(address)
                continue
            parts = urlsplit(address)
            if parts.scheme == "data" or address.startswith("javascript:"):
                continue
            target = (page.path.parent / unquote(parts.path)).resolve() if parts.path else page.path
            place = f"{page.path.relative_to(book)}: <{tag}> {address}"
            if not target.is_file():
                lost.append(place)
            elif parts.fragment and target in found and unquote(parts.fragment) not in found[target].anchors:
                lost.append(f"{place} (the page is there, the anchor is not)")
    return lost, elsewhere
