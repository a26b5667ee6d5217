"""The fixtures notice what they are for: a request that leaves, an error, a page that is too wide."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.browser.conftest import PHONE

pytestmark = pytest.mark.full
PAGE = """<!doctype html><html lang="en"><title>t</title><meta name="viewport" content="width=device-width">
<div style="width:500px">wide</div>{}</html>"""


@pytest.fixture
def page_with(tmp_path: Path) -> Callable[[str], Path]:
    def write(content: str) -> Path:
        (tmp_path / "page.html").write_text(PAGE.format(content), "utf-8")
        return tmp_path / "page.html"

    return write


@pytest.mark.parametrize(
    "content",
    [
        '<img src="http://203.0.113.1/a.png" alt="">',
        '<script>fetch("https://example.org/x").catch(() => 0)</script>',
        '<script>new WebSocket("wss://example.org/x")</script>',
    ],
)
def test_a_request_that_leaves_is_noted_and_refused(visit, page_with, content: str) -> None:
    one = visit(strict=False)
    one.show(page_with(content)).wait_for_timeout(200)
    assert len(one.left) == 1
    one.left.clear()


@pytest.mark.parametrize("script", ["console.error('no')", "throw new Error('no')"])
def test_an_error_is_noted(visit, page_with, script: str) -> None:
    one = visit()
    one.show(page_with(f"<script>{script}</script>")).wait_for_timeout(100)
    assert len(one.errors) == 1
    one.errors.clear()


def test_a_page_that_is_too_wide_is_noticed_and_the_scheme_is_seen(visit, page_with) -> None:
    one = visit(width=PHONE, scheme="dark")
    page = one.show(page_with(""))
    assert 100 < one.too_wide() < 150
    assert page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
