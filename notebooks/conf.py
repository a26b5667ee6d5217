r"""The course as a book: `python3 course.py site` has Sphinx read this.

Nothing is executed: the pages in out/site show the committed outputs. They open by a
double click (file://), and ask no other machine for anything; formulas are drawn in the
browser by MathJax, whose files lie inside the book.

Where MathJax comes from: what the course needs must come from pip, so not from npm.
Tried on all formulas of the lessons, side by side: latex2mathml (MathML at build time)
and ziamath (SVG made of it) print what they do not know as text, `\Bigl\lfloor` and
`\\[2ex]` here, and lose `\boxed`, without a word. quickjax runs MathJax 4 at build time
and is right, but its one large script can be compared with nothing.
django-static-mathjax is a plain folder of MathJax 3.2.2 that needs no Django; of it we
take parts that are, byte for byte, those which MathJax publishes.
"""

from __future__ import annotations

import posixpath
import re
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sphinx.application import Sphinx

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
EXPLORER = ROOT / "helpers" / "explorer.html"

# --------------------------------------------------------------------------- navigation
PARTS = {  # part -> first and last lesson
    "I. The schedules": (0, 8),
    "II. Measuring": (9, 12),
    "III. Understanding": (13, 15),
    "IV. At work": (16, 19),
}
# page of the book -> where it is written; its folder's page stands for a folder
WRITTEN = {
    "index": "README.md",
    "contributing": ".github/CONTRIBUTING.md",
    "changelog": "CHANGELOG.md",
}
PAGES = {page: file for page, file in WRITTEN.items() if (ROOT / file).exists()}
FOLDERS = ("solutions", "results")


def lessons() -> dict[str, list[str]]:
    """Part -> its lessons, as far as they are written, in order."""
    names = sorted(path.stem for path in HERE.glob("[0-9][0-9]_*.ipynb"))
    parts = {
        part: [name for name in names if first <= int(name[:2]) <= last]
        for part, (first, last) in PARTS.items()
    }
    left = sorted(set(names).difference(*parts.values()))
    if left:
        raise ValueError(f"PARTS in notebooks/conf.py has no place for {left}")
    return {part: there for part, there in parts.items() if there}


def navigation() -> str:
    """What stands in the sidebar, in order."""
    sections = lessons()
    explorer = ["the_explorer"] if EXPLORER.exists() else []
    sections["To try and to teach"] = [*explorer, "teaching", "teaching_notes"]
    written = [page for page in PAGES if page != "index"]
    sections["More"] = ["solutions/README", "results/README", *written]
    return "".join(_toctree(pages, title) for title, pages in sections.items())


def _toctree(pages: list[str], title: str = "") -> str:
    options = [":hidden:", *([f":caption: {title}"] if title else [])]
    return "\n".join(["", "```{toctree}", *options, *pages, "```", ""])


# ------------------------------------------------------------------------------- Sphinx
project = html_title = "Learning-rate schedules"
author = "The course's authors"
language = "en"
extensions = ["myst_nb", "sphinx_copybutton", "sphinx.ext.mathjax"]
exclude_patterns = ["**/.ipynb_checkpoints"]
exclude_patterns += [f"{page}.md" for page in WRITTEN if page not in PAGES]
if not EXPLORER.exists():
    exclude_patterns.append("the_explorer.md")

nb_execution_mode = "off"
nb_merge_streams = True
# of an output with sliders its picture; and no scripts of another machine for sliders
nb_mime_priority_overrides = [
    ("html", "application/vnd.jupyter.widget-view+json", None)
]
nb_ipywidgets_js: dict[str, Any] = {}
nb_code_prompt_show, nb_code_prompt_hide = "Show the code", "Hide the code"
myst_enable_extensions = ["dollarmath", "amsmath"]
myst_heading_anchors = 3
myst_dmath_double_inline = True  # $$..$$ inside a paragraph, as in Jupyter

html_theme = "sphinx_book_theme"
html_static_path = ["_static"]
html_css_files = ["course.css"]
html_js_files = [("course.js", {"defer": "defer"})]
html_copy_source, html_sourcelink_suffix = True, ""  # for the download button
html_context = {"default_mode": "auto"}  # unset, the theme logs an error on each page
html_show_search_summary = False  # made by fetching pages, which file:// forbids
html_show_sphinx = False
html_theme_options = {
    "use_download_button": True,
    "use_fullscreen_button": False,
    "home_page_in_toc": True,
    "show_toc_level": 2,
    "show_navbar_depth": 1,
    "navigation_with_keys": False,
    "navbar_persistent": [],  # otherwise a second search box
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}

# In parts: without the menu; and with MathML beside each formula, for those who listen.
MATHJAX = (
    *("startup.js", "core.js", "loader.js", "input/tex.js", "input/tex/extensions"),
    *("output/svg.js", "output/svg/fonts/tex.js", "a11y/assistive-mml.js"),
)
mathjax_path = "mathjax/startup.js"
mathjax3_config = {
    "loader": {"load": ["input/tex", "output/svg", "a11y/assistive-mml"]},
    "options": {"enableAssistiveMml": True},
    # glyphs inside the drawing: Firefox refuses font files over file://
    "svg": {"fontCache": "global"},
}


def copy_files(app: Sphinx, problem: Exception | None) -> None:
    """Copy what is no page: those parts of MathJax, and the explorer."""
    if problem or app.builder.format != "html":
        return
    (package,) = find_spec("mathjax").submodule_search_locations
    for part in MATHJAX:
        source = Path(package, "static", "mathjax", "es5", part)
        target = Path(app.outdir, "_static", "mathjax", part)
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, dirs_exist_ok=True)
        else:
            shutil.copy(source, target)
    if EXPLORER.exists():
        shutil.copy(EXPLORER, app.outdir)
    print(f"the book: {Path(app.outdir) / 'index.html'}")


# -------------------------------------------------------------------------------- pages
LINK = re.compile(
    r"\[(?P<label>(?:[^\[\]]|\[[^\[\]]*\])*)\]"
    r"\((?P<target>[^)#:\s]+)(?P<anchor>#[^)\s]*)?\)"
)


def relink(text: str, written_in: str, shown_in: str) -> str:
    """Make the links of a page lead to the same places, in the book.

    Parameters
    ----------
    text : str
        Markdown, or a notebook.
    written_in, shown_in : str
        The folder that its links start from, and that of the page, in the project.

    Examples
    --------
    >>> relink("[all](notebooks/solutions), [it](LICENSE#mit)", ".", "notebooks")
    '[all](solutions/README.md), [it](../LICENSE#mit)'
    >>> relink("[home](../README.md), [nowhere](x)", "notebooks", "notebooks")
    '[home](index.md), [nowhere](x)'
    """
    pages = {source: f"notebooks/{page}.md" for page, source in PAGES.items()}
    pages |= {f"notebooks/{one}": f"notebooks/{one}/README.md" for one in FOLDERS}

    def moved(link: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join(written_in, link["target"]))
        if not (ROOT / path).exists():
            return link[0]
        if (
            ROOT / path == EXPLORER
        ):  # copied beside the pages: neither page nor download
            place = posixpath.relpath("notebooks/explorer.html", shown_in)
            # in single quotes: a notebook is JSON, and double ones would end its string
            return f"<a href='{place}'>{link['label']}</a>"
        place = posixpath.relpath(pages.get(path, path), shown_in)
        if (
            path.endswith(".md")
            and path not in pages
            and not path.startswith("notebooks")
        ):
            place = f"path:{place}"  # a text that is no page: to be downloaded
        return f"[{link['label']}]({place}{link['anchor'] or ''})"

    return LINK.sub(moved, text)


def mistakes(lesson: str) -> str:
    """The wrong answers that a lesson's checks know, with what they say to them."""
    from helpers.exercises import LESSONS

    lines = ["**Right and wrong answers**", ""]
    for number, exercise in enumerate(LESSONS[lesson], start=1):
        right = _short(getattr(exercise, "expected", None))
        lines.append(
            f"{number}. {exercise.task}" + (f" *Right:* {right}" * bool(right))
        )
        for one in exercise.mistakes:
            wrong = _short(one.answer)
            lines.append(f"   * {wrong}: {one.hint}" if wrong else f"   * {one.hint}")
    return "\n".join(lines).replace("**2", r"\*\*2")  # a power, and no bold face


def _short(answer: Any) -> str:
    """An answer that is a number, a word, or several; empty for one that is code."""
    if isinstance(answer, tuple) and answer:
        parts = [_short(part) for part in answer]
        return ", ".join(parts) if all(parts) else ""
    if isinstance(answer, (int, float)):
        return f"{answer:.4g}" if isinstance(answer, float) else str(answer)
    return answer if isinstance(answer, str) else ""


def prepare(app: Sphinx, page: str, source: list[str]) -> None:
    """Fill in what is written elsewhere or follows from files, and mend the links."""
    text, folder = source[0], posixpath.dirname(f"notebooks/{page}")
    if page in PAGES:
        there = ROOT / PAGES[page]
        app.env.note_dependency(str(there))
        home = posixpath.dirname(PAGES[page])
        text += relink(there.read_text(encoding="utf-8"), home, folder)
    else:
        text = relink(text, folder, folder)
    if page == "index":
        text += navigation()
    elif page == "solutions/README":
        solutions = (HERE / "solutions").glob("*.ipynb")
        text += _toctree(sorted(path.stem for path in solutions))
        text = text.replace(":hidden:\n", "")
    elif page == "results/README":
        records = sorted(path.name for path in (HERE / "results").glob("*.json"))
        text += "".join(f"\n* [{name}]({name})" for name in records)
    elif page == "teaching_notes":
        asked = re.compile(r"<!-- mistakes (\d\d) -->")
        text = asked.sub(lambda comment: mistakes(comment[1]), text)
    source[0] = text


def describe_pictures() -> None:
    """Have myst-nb pass alt texts on: of a picture it reads only width and height."""
    from myst_nb.core.render import NbElementRenderer

    plain = NbElementRenderer.render_image

    def described(self: Any, data: Any) -> Any:
        images = plain(self, data)
        for image in images:
            about = data.output_metadata.get(data.mime_type, {})
            image["alt"] = str(about.get("alt", ""))
        return images

    NbElementRenderer.render_image = described


def setup(app: Sphinx) -> dict[str, bool]:
    """Sphinx calls this."""
    describe_pictures()
    app.connect("source-read", prepare)
    app.connect("build-finished", copy_files)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
