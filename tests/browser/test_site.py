"""The book in a browser, opened by a double click: read, search, dark, on a phone, by keyboard and by ear."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.browser.conftest import DESKTOP, PHONE
from tests.notebook_tools import LESSONS

pytestmark = pytest.mark.full
LOOKED_AT = ["index", "01_why_the_learning_rate_moves", "07_one_cycle", "teaching", "solutions/07_one_cycle"]
SCHEMES = ["light", "dark"]


@pytest.fixture
def read(visit, book: Path) -> Callable:
    """Open a page of the book and wait for its formulas."""

    def open_page(name: str, **options):
        one = visit(**options)
        page = one.show(book / f"{name}.html")
        page.evaluate("window.MathJax?.startup?.promise")
        return one

    return open_page


@pytest.mark.parametrize("width", [DESKTOP, PHONE])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_from_home_to_a_lesson_to_what_is_searched_for(read, width: int, scheme: str) -> None:
    one = read("index", width=width, scheme=scheme)
    page = one.page
    page.locator("main").get_by_role("link", name="1cycle", exact=True).click()
    page.wait_for_url("**/07_one_cycle.html")
    assert page.locator(".bd-article h1").inner_text().startswith("07 · 1cycle")
    assert page.locator("html").get_attribute("data-theme") == scheme
    assert page.locator("mjx-container svg").count() > 20
    page.get_by_role("button", name="Search").locator("visible=true").first.click()
    page.keyboard.type("plateau patience")
    page.keyboard.press("Enter")
    page.wait_for_url("**/search.html*")
    found = page.locator("#search-results li a")
    found.first.wait_for()
    assert "Piecewise constant" in " ".join(found.all_inner_texts())
    found.filter(has_text="03 · Piecewise constant").first.click()
    page.wait_for_url("**/03_piecewise_constant.html*")


def test_the_explorer_is_a_click_away(read) -> None:
    page = read("index").page
    page.locator("nav.bd-links").get_by_role("link", name="The explorer").click()
    page.wait_for_url("**/the_explorer.html")
    assert page.frame_locator("iframe.explorer").locator("input, select").count() > 0
    page.get_by_role("link", name="open it in a window of its own").click()
    page.wait_for_url("**/explorer.html")


def test_the_button_turns_the_page_dark(read) -> None:
    page = read("07_one_cycle").page
    figure = page.locator("main .cell_output img").first
    for name, theme in (("Dark", "dark"), ("Light", "light")):
        page.get_by_role("button", name="Color mode").locator("visible=true").first.click()
        page.get_by_role("button", name=name, exact=True).locator("visible=true").first.click()
        assert page.locator("html").get_attribute("data-theme") == theme
        paper, filtered = figure.evaluate(
            "one => [getComputedStyle(one).backgroundColor, getComputedStyle(one).filter]"
        )
        assert theme == "light" or paper == "rgb(255, 255, 255)", "a figure lies on white"
        assert filtered == "none", "and is not dimmed"


def test_folded_code_opens_and_a_notebook_can_be_downloaded(read) -> None:
    page = read("07_one_cycle").page
    folded = page.locator("details.hide").first
    code = folded.locator("pre").first
    assert not code.is_visible()
    folded.get_by_text("Show the code").click()
    assert code.is_visible()
    page.get_by_role("button", name="Download").locator("visible=true").first.click()
    assert page.locator("a[href$='07_one_cycle.ipynb']").first.is_visible()


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_a_lesson_fits_a_phone_and_its_formulas_are_drawn(read, path: Path) -> None:
    one = read(path.stem, width=PHONE, height=844)
    assert one.too_wide() <= 0
    page = one.page
    assert page.locator("mjx-container").count() == page.locator("main .math").count()
    assert page.locator("mjx-merror, [data-mjx-error]").count() == 0, "a formula that MathJax cannot read"
    pictures = page.locator("main img")
    pictures.evaluate_all("them => them.forEach(one => { one.loading = 'eager' })")
    page.wait_for_function("[...document.querySelectorAll('main img')].every(one => one.complete && one.naturalWidth)")


@pytest.mark.parametrize("name", ["index", "teaching", "teaching_notes", "solutions/README", "contributing", "search"])
def test_other_pages_fit_a_phone(read, name: str) -> None:
    assert read(name, width=PHONE, height=844).too_wide() <= 0


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("name", LOOKED_AT)
def test_axe_finds_nothing_serious(read, name: str, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason='needs pip install -e ".[browser]"')
    page = read(name, scheme=scheme).page
    page.wait_for_timeout(300)  # what scrolls becomes reachable once the formulas are drawn
    # without its look at style sheets, which file:// forbids: it asks the browser for each colour all the same
    outside = {"exclude": ["mjx-container svg"]}  # thousands of strokes, in the colour of the text
    found = axe.Axe().run(page, context=outside, options={"preload": False}).response["violations"]
    serious = {
        f"{one['id']}: {one['help']}": [node["html"][:200] for node in one["nodes"][:5]]
        for one in found
        if one["impact"] in {"serious", "critical"}
    }
    assert serious == {}
