"""The book of `course.py site`: complete, linked, described, and content with the machine it lies on."""

import importlib.util
import json
import re
import shutil
from pathlib import Path

import nbformat
import pytest

from tests import book as books
from tests.notebook_tools import LESSONS, SOLUTIONS, code_cells, is_hidden

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
TEACHING = (ROOT / "notebooks" / "teaching.md").read_text("utf-8")
NOTES = (ROOT / "notebooks" / "teaching_notes.md").read_text("utf-8")


def configuration():
    """notebooks/conf.py as a module; Sphinx is not needed to read it."""
    spec = importlib.util.spec_from_file_location("book_configuration", ROOT / "notebooks" / "conf.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# ------------------------------------------------------------------------------------ navigation
def test_a_link_to_the_explorer_leaves_a_notebook_valid() -> None:
    cell = json.dumps({"source": "The [explorer](../helpers/explorer.html) draws it."})
    source = json.loads(configuration().relink(cell, "notebooks", "notebooks"))["source"]
    assert source == "The <a href='explorer.html'>explorer</a> draws it."


def test_every_lesson_has_a_part() -> None:
    conf = configuration()
    assert [name for names in conf.lessons().values() for name in names] == [path.stem for path in LESSONS]
    assert list(conf.lessons()) == [part for part in conf.PARTS if part in conf.lessons()]


def test_a_lesson_without_a_part_is_named(tmp_path, monkeypatch) -> None:
    conf = configuration()
    (tmp_path / "20_beyond.ipynb").touch()
    monkeypatch.setattr(conf, "HERE", tmp_path)
    with pytest.raises(ValueError, match=r"PARTS in notebooks/conf\.py has no place for \['20_beyond'\]"):
        conf.navigation()


def test_a_lesson_that_is_added_appears_by_itself(tmp_path, monkeypatch) -> None:
    conf = configuration()
    for name in ("01_why", "14_predicting_the_loss"):
        (tmp_path / f"{name}.ipynb").touch()
    monkeypatch.setattr(conf, "HERE", tmp_path)
    assert conf.lessons() == {"I. The schedules": ["01_why"], "III. Understanding": ["14_predicting_the_loss"]}
    assert "14_predicting_the_loss\n```" in conf.navigation()


# ------------------------------------------------------------------------------------- the pages
@pytest.fixture(scope="module")
def pages(book: Path) -> dict[str, books.Page]:
    """Name of each page, without .html -> the page."""
    return {page.path.relative_to(book).with_suffix("").as_posix(): page for page in books.pages(book)}


@pytest.mark.full
def test_the_sidebar_of_every_page_lists_every_lesson_in_order(book: Path, pages) -> None:
    for name, page in pages.items():
        sidebar = re.search(r'<nav class="bd-links.*?</nav>', page.path.read_text("utf-8"), re.DOTALL)[0]
        captions = re.findall(r'class="caption-text">(.*?)<', sidebar)
        assert captions[:-2] == list(configuration().lessons()), name
        assert captions[-2:] == ["To try and to teach", "More"]
        targets = [(page.path.parent / href).resolve() for href in re.findall(r'href="([^"#]+)', sidebar)]
        linked = [target.stem for target in targets if target.parent == book and target.stem[:2].isdigit()]
        assert linked == [path.stem for path in LESSONS if path.stem != name], name


@pytest.mark.full
def test_the_book_holds_every_lesson_and_solution_to_read_and_to_download(book: Path, pages) -> None:
    for path in LESSONS + SOLUTIONS:
        name = path.relative_to(ROOT / "notebooks").with_suffix("").as_posix()
        title = nbformat.read(path, as_version=4).cells[0].source.splitlines()[0].removeprefix("# ")
        page = pages[name]
        assert title.split(" · ")[0] in page.path.read_text("utf-8")
        (download,) = {href for _, href in page.links if href.endswith(".ipynb")}
        assert (page.path.parent / download).read_bytes() == path.read_bytes()


@pytest.mark.full
def test_every_link_leads_somewhere(book: Path) -> None:
    lost, elsewhere = books.broken(book)
    assert lost == []
    print(*sorted(elsewhere), sep="\n")  # `pytest -rP` lists them; nothing is fetched
    assert all(address.startswith("https://") for address in elsewhere)


@pytest.mark.full
def test_no_page_fetches_anything_from_elsewhere(book: Path, pages) -> None:
    for name, page in pages.items():
        assert [address for _, address in page.fetched if books.is_elsewhere(address)] == [], name
    for sheet in book.rglob("*.css"):
        text = sheet.read_text(encoding="utf-8")
        assert not re.search(r"(?:url\(|@import)\s*['\"]?(?:https?:)?//", text), sheet


@pytest.mark.full
def test_every_picture_is_described_and_has_its_caption(book: Path, pages) -> None:
    for path in LESSONS + SOLUTIONS:
        page = pages[path.relative_to(ROOT / "notebooks").with_suffix("").as_posix()]
        outputs = [output for cell in code_cells(nbformat.read(path, as_version=4)) for output in cell.outputs]
        wanted = [output.metadata["image/png"]["alt"] for output in outputs if "image/png" in output.get("data", {})]
        assert [picture.get("alt") for picture in page.pictures] == wanted
        assert page.path.read_text("utf-8").count("<p><small>") == len(wanted)
    for page in pages.values():
        assert all(len(picture.get("alt") or "") >= 20 for picture in page.pictures), page.path


@pytest.mark.full
def test_what_is_folded_in_a_lesson_is_folded_in_the_book(pages) -> None:
    """Code that only draws, and in the clinic what gives the answer away."""
    for path in LESSONS:
        hidden = sum(map(is_hidden, code_cells(nbformat.read(path, as_version=4))))
        assert pages[path.stem].folded == hidden, path.stem


@pytest.mark.full
def test_formulas_are_drawn_by_files_of_the_book(book: Path, pages) -> None:
    page = pages["01_why_the_learning_rate_moves"].path.read_text("utf-8")
    assert '<script defer="defer" src="_static/mathjax/startup.js' in page or "_static/mathjax/startup.js" in page
    for part in configuration().MATHJAX:
        assert (book / "_static" / "mathjax" / part).exists()


@pytest.mark.full
def test_the_book_is_small(book: Path) -> None:
    assert sum(path.stat().st_size for path in book.rglob("*") if path.is_file()) < 30e6


@pytest.mark.full
def test_the_recorded_results_are_listed(pages) -> None:
    linked = {href.split("/")[-1] for _, href in pages["results/README"].links}
    assert {path.name for path in (ROOT / "notebooks" / "results").glob("*.json")} <= linked


# ----------------------------------------------------------------------------------- the explorer
@pytest.mark.full
@pytest.mark.usefixtures("book")  # skipped where that is
def test_the_explorer_is_copied_linked_and_embedded(tmp_path: Path) -> None:
    """In a course of one lesson, with a stand-in for the explorer."""
    notebooks, helpers = tmp_path / "notebooks", tmp_path / "helpers"
    shutil.copytree(
        ROOT / "notebooks", notebooks, ignore=lambda folder, names: [name for name in names if ".ipynb" in name]
    )
    shutil.copy(LESSONS[0], notebooks)
    (tmp_path / "README.md").write_text("# Page\n\nThe [explorer](helpers/explorer.html).\n", "utf-8")
    (tmp_path / ".github").mkdir()
    (tmp_path / ".github" / "CONTRIBUTING.md").write_text("# Page\n", "utf-8")
    (notebooks / "teaching.md").write_text("# Plans\n", "utf-8")
    for page in (notebooks / LESSONS[0].name, notebooks / "the_explorer.md"):  # no link to what is not copied
        page.write_text(re.sub(r"\]\((?:solutions/)?\d\d_[^)]*\)", "]", page.read_text("utf-8")), "utf-8")
    helpers.mkdir()
    (helpers / "explorer.html").write_text("<!doctype html><title>stand-in</title>", "utf-8")
    site = tmp_path / "site"
    books.build(site, notebooks)
    assert (site / "explorer.html").read_text("utf-8") == "<!doctype html><title>stand-in</title>"
    page = books.Page(site / "the_explorer.html")
    assert ("iframe", "explorer.html") in page.fetched
    home = books.Page(site / "index.html")
    assert {("a", "explorer.html"), ("a", "the_explorer.html")} <= set(home.links)
    assert books.broken(site)[0] == []


def test_without_an_explorer_no_page_leads_to_it(tmp_path, monkeypatch) -> None:
    conf = configuration()
    monkeypatch.setattr(conf, "EXPLORER", tmp_path / "explorer.html")
    assert "the_explorer" not in conf.navigation()
    (tmp_path / "explorer.html").touch()
    assert "the_explorer" in conf.navigation()
    assert ("the_explorer.md" in conf.exclude_patterns) != (ROOT / "helpers" / "explorer.html").exists()


# ------------------------------------------------------------------------------------- to teach
def minutes() -> dict[str, int]:
    """Lesson file -> its minutes, as the table of the README says."""
    return {name: int(said) for name, said in re.findall(r"\(notebooks/(\d\d_\w+\.ipynb)\) \| (\d+) \|", README)}


PLANS = re.findall(r"^### (.+?)$(.*?)(?=^##)", TEACHING, re.MULTILINE | re.DOTALL)
LENGTHS = {"90 minutes": 90, "Half a day": 4 * 60, "A full day": 8 * 60}


@pytest.mark.parametrize(("name", "plan"), PLANS, ids=[name for name, _ in PLANS])
def test_a_plan_fits_its_time(name: str, plan: str) -> None:
    rows = re.findall(r"^\| (\d+):(\d\d) \| (\d+) \|(.*?)\| .+ \|$", plan, re.MULTILINE)
    assert len(rows) == plan.count("\n|") - 2, "every row is understood"
    clock = 0
    for hours, past, took, cell in rows:
        lesson = cell.strip()
        assert 60 * int(hours) + int(past) == clock, lesson
        clock += int(took)
        if lesson:
            part, number, file = re.fullmatch(r"(part of )?\[(\d\d)\]\((\S+)\)", lesson).groups()
            assert file.startswith(number)
            assert (int(took) < minutes()[file]) if part else (int(took) >= minutes()[file]), lesson
    assert clock == LENGTHS[name]


def test_there_are_three_plans_and_the_readme_names_the_same_lessons() -> None:
    assert [name for name, _ in PLANS] == list(LENGTHS)
    for row, plan in (("90 minutes", PLANS[0][1]), ("half a day", PLANS[1][1])):
        said = re.search(rf"^\| \*\*{row}\*\*.*?\| (.+) \|$", README, re.MULTILINE)[1]
        assert re.findall(r"\d\d", said) == re.findall(r"\[(\d\d)\]", plan)
    core = [path.stem[:2] for path in LESSONS if path.stem[:2] <= "08"]
    assert [*core, "09"] == re.findall(r"\[(\d\d)\]", PLANS[2][1])


@pytest.mark.parametrize("lesson", [path for path in LESSONS if path.stem[:2] <= "08"], ids=lambda path: path.stem)
def test_the_notes_of_a_lesson_quote_it(lesson: Path) -> None:
    """What stands as `code` under "they should see" is in the lesson, and its wrong answers are asked for."""
    number = lesson.stem[:2]
    notebook = nbformat.read(lesson, as_version=4)
    title = notebook.cells[0].source.splitlines()[0].removeprefix("# ")
    (note,) = re.findall(rf"^## {number} · .*?(?=^## |\Z)", NOTES, re.MULTILINE | re.DOTALL)
    assert note.splitlines()[0] == f"## {title}"
    assert f"<!-- mistakes {number} -->" in note
    outputs = [output for cell in code_cells(notebook) for output in cell.outputs]
    shown = " ".join(
        str(output.get("text", "")) + str(output.get("data", {}).get("text/plain", "")) for output in outputs
    )
    shown = re.sub(r"\s+", " ", shown)
    seen = re.search(r"\*\*They should see\*\*.*?(?=\n\n)", note, re.DOTALL)[0]
    for quoted in re.findall(r"`([^`]+)`", seen):
        assert re.sub(r"\s+", " ", quoted) in shown, quoted


def test_wrong_answers_are_listed_with_what_the_check_says() -> None:
    text = configuration().mistakes("00")
    assert "1. 60,000 images in batches of 256, the last smaller batch dropped" in text
    assert "*Right:* 1170\n   * 1175: that keeps the last, smaller batch" in text
    assert configuration().mistakes("01").count("**") % 2 == 0, "a power is no bold face"
