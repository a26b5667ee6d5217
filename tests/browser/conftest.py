"""An installed Chromium or Chrome, driven by Playwright, which notes and stops every request that leaves the machine.

The tests beside this file are skipped, with the reason, where Playwright or a browser is missing. To have both:
``.venv/bin/pip install -c constraints.txt -e ".[browser]"`` and any Chromium, Chrome or Edge; COURSE_BROWSER names one
that is not found by itself.

>>> leaves_the_machine("https://cdn.example.org/a.js"), leaves_the_machine("ws://[::1]:8888/api")
(True, False)
>>> [leaves_the_machine(url) for url in ("file:///course/index.html", "data:,x", "blob:http://localhost/1")]
[False, False, False]
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Page, Route

COMMANDS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
PLACES = (  # where macOS and Windows put it, which is on no PATH
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "C:/Program Files/Google/Chrome/Application/chrome.exe",
    "C:/Program Files (x86)/Microsoft/Edge/Application/msedge.exe",
)
HERE = {"127.0.0.1", "::1", "localhost"}
FLAGS = [
    "--no-sandbox",  # there is none for root, as in a container; the pages are our own
    *("--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--no-proxy-server", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--disable-quic"),
    # what a route does not see (workers, sockets) finds no host either
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE ::1, EXCLUDE localhost",
]
DESKTOP, PHONE = 1280, 390


def leaves_the_machine(url: str) -> bool:
    """Whether a request for this address goes to another machine."""
    parts = urlsplit(url)
    return parts.scheme in {"http", "https", "ws", "wss"} and parts.hostname not in HERE


def installed_browser() -> str | None:
    """The path of an installed Chromium, Chrome or Edge; the one that COURSE_BROWSER names comes first."""
    named = os.environ.get("COURSE_BROWSER")
    found = [named, *map(shutil.which, COMMANDS), *(place for place in PLACES if Path(place).exists())]
    return next(filter(None, found), None)


@dataclass
class Visit:
    """An open page, and what happened on it.

    Attributes
    ----------
    page : playwright.sync_api.Page
        The page; its ``goto`` takes an address, `show` a file as well.
    left : list of str
        Addresses on other machines that the page has asked for. They were refused.
    errors : list of str
        What the console called an error, and exceptions that nobody caught.
    """

    page: Page
    left: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def show(self, target: str | Path) -> Page:
        """Open an address, or a file as by a double click, and wait until it has loaded."""
        self.page.goto(target.resolve().as_uri() if isinstance(target, Path) else target, wait_until="load")
        return self.page

    def too_wide(self) -> int:
        """How many pixels the page is wider than its window: 0, unless it scrolls sideways."""
        return self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth")


@pytest.fixture(scope="module")  # not longer: while Playwright runs, its event loop is in the way of other tests
def browser() -> Iterator[Browser]:
    """An installed browser, started."""
    playwright = pytest.importorskip("playwright.sync_api", reason='needs pip install -e ".[browser]"')
    path = installed_browser()
    if path is None:
        pytest.skip("no Chromium, Chrome or Edge is installed here (COURSE_BROWSER=/path/to/one names another)")
    with playwright.sync_playwright() as started:
        chromium = started.chromium.launch(executable_path=path, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def visit(browser: Browser) -> Iterator[Callable[..., Visit]]:
    """Open pages: ``visit(width=PHONE, scheme="dark")`` returns a `Visit`, with no cookies and nothing cached.

    At the end of the test no page may have asked another machine for anything, and none may have reported an error
    unless it was opened with ``strict=False``.
    """
    opened: list[tuple[Visit, bool]] = []

    def open_one(
        width: int = DESKTOP, scheme: Literal["light", "dark"] = "light", height: int = 900, strict: bool = True
    ) -> Visit:
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme=scheme,
            has_touch=width <= PHONE,
            reduced_motion="reduce",  # nothing is caught half way of a transition
        )
        one = Visit(context.new_page())
        context.route(leaves_the_machine, lambda route: _refuse(route, one))
        one.page.on("websocket", lambda socket: one.left.extend(filter(leaves_the_machine, [socket.url])))
        context.on("console", lambda message: _note(message, one))
        context.on("weberror", lambda problem: one.errors.append(str(problem.error)))
        opened.append((one, strict))
        return one

    yield open_one
    for one, _ in opened:
        one.page.context.close()
    assert [one.left for one, _ in opened if one.left] == [], "another machine was asked"
    assert [one.errors for one, strict in opened if strict and one.errors] == [], "the page reported errors"


def _refuse(route: Route, one: Visit) -> None:
    one.left.append(route.request.url)
    route.abort()


def _note(message: ConsoleMessage, one: Visit) -> None:
    if message.type == "error":
        one.errors.append(message.text)
