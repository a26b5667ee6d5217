"""The explorer in a real browser, opened from its file: knobs, code, address, keyboard, phone, both colour schemes."""

import re
from collections.abc import Callable

import numpy as np
import pytest

from helpers import explorer, loss_law, schedules
from tests.browser.conftest import DESKTOP, PHONE

pytestmark = pytest.mark.full
SCREENS = [(width, scheme) for width in (DESKTOP, PHONE) for scheme in ("light", "dark")]
STATE = "s=wsd&warmup_steps=50&decay_steps=300&vs=one_cycle&below=parabola&n=800"
LAW = "s=wsd&warmup_steps=100&decay_steps=1200&max_lr=0.1&start_lr=0.001&below=law&n=4000"


def opened(visit: Callable, hash: str = "", **options: object) -> object:
    one = visit(**options)
    one.show(f"{explorer.PAGE.resolve().as_uri()}#{hash}")
    one.page.wait_for_selector("#say:not(:empty)")
    return one


def curve(page: object, panel: str = "rate") -> str:
    return page.locator(f'#svg path.line[style*="--{panel}"]').get_attribute("d")


@pytest.mark.parametrize(("width", "scheme"), SCREENS)
def test_it_opens_everywhere_and_axe_finds_nothing(visit, width: int, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason='needs pip install -e ".[browser]"')
    for hash in ("", STATE, LAW, "s=tabulated&code=keras", "s=cyclic&cycle=1&mode=exp_range&log=1&code=python"):
        one = opened(visit, hash, width=width, scheme=scheme)
        assert one.too_wide() == 0
        found = axe.Axe().run(one.page).response["violations"]
        assert [(problem["id"], problem["nodes"][0]["html"]) for problem in found] == []


@pytest.mark.parametrize("width", [DESKTOP, PHONE])
def test_what_is_touched_is_large_enough_for_a_finger(visit, width: int) -> None:
    page = opened(visit, STATE, width=width).page
    for target in page.locator("button, select, input:not([type=checkbox]), .flag").all():
        if target.is_visible():
            assert target.bounding_box()["height"] >= 44, target.evaluate("one => one.outerHTML")


def test_a_knob_changes_curve_sentence_code_and_address(visit) -> None:
    page = opened(visit).page
    before = curve(page), page.locator("#say").inner_text(), page.locator("#panel pre").first.inner_text()
    slider = page.get_by_label("Peak rate, slider")
    slider.focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    rate = float(page.get_by_label("Peak rate", exact=True).input_value())
    assert rate > 0.1
    after = curve(page), page.locator("#say").inner_text(), page.locator("#panel pre").first.inner_text()
    assert before[1] != after[1]
    assert f"max_lr={rate}" in after[2]
    page.wait_for_timeout(300)
    assert f"max_lr={rate}" in page.url


def test_the_code_on_the_page_is_that_of_the_curve(visit) -> None:
    page = opened(visit).page
    page.get_by_role("tab", name="Plain Python").click()
    page.get_by_label("Updates in the run", exact=True).fill("50")
    space: dict[str, object] = {}
    exec(page.locator("#panel pre").first.inner_text(), space)
    plan = schedules.one_cycle(0.1, 50)
    np.testing.assert_allclose(space["rates"], plan(np.arange(50)), atol=1e-12)
    points = [tuple(map(float, point.split())) for point in re.findall(r"[\d.]+ [\d.]+", curve(page))]
    heights = np.array([y for _, y in points])  # drawn to a tenth of a pixel, from the bottom up
    drawn = (heights[-1] - heights) / (heights[-1] - heights.min())
    used = plan(np.arange(50))
    np.testing.assert_allclose(drawn, (used - used[-1]) / (used.max() - used[-1]), atol=2e-3)


def test_the_predicted_loss_is_the_law_s_and_says_how_near_it_came(visit) -> None:
    law, record = loss_law.recorded()
    rates = schedules.wsd(0.1, 100, 2700, 1200, start_lr=0.001)(np.arange(4000))
    page = opened(visit, LAW).page
    error = next(test["end"] for test in record["tests"] if test["name"] == "twice as long")
    promised = f"The predicted loss ends at {law.predict(rates, [4000])[0]:.3f} ± {error:.3f}, the dashed one, linear"
    assert promised in page.locator("#say").inner_text()
    assert "fitted to two runs of 2\u2009000 updates" in page.locator("#caveat").inner_text()
    assert page.locator('#svg path.line[style*="--loss"]').count() == 1
    assert page.locator("#svg path.line.other").count() == 1, "linear decay, in the panel of the loss alone"
    assert "12\u2009000 updates" in page.locator("#tests").inner_text()
    page.locator("#svg").focus()
    page.keyboard.press("End")
    assert "predicted loss 2." in page.locator("#svg").get_attribute("aria-valuetext")
    page.get_by_label("Compare with", exact=True).select_option("cosine")
    assert page.locator("#svg path.line.other").count() == page.locator("#svg text.title").count() == 3


def test_outside_of_what_was_tested_the_predicted_loss_says_so(visit) -> None:
    page = opened(visit, f"{LAW}&momentum=0.5").page
    assert "never tested with a momentum of 0.5" in page.locator("#caveat").inner_text()
    assert "±" not in page.locator("#say").inner_text()
    page.get_by_label("Updates in the run", exact=True).fill("150")
    assert "nothing of the first 200 updates" in page.locator("#caveat").inner_text()
    assert page.locator('#svg path.line[style*="--loss"]').count() == 0
    page.get_by_label("Show below", exact=True).select_option("parabola")
    assert page.locator("#caveat").is_hidden()
    assert page.locator('#svg path.line[style*="--loss"]').count() == 1


def test_an_address_opens_the_same_picture_again(visit) -> None:
    first = opened(visit, STATE)
    first.page.get_by_label("Decay, updates", exact=True).fill("222")
    first.page.wait_for_timeout(300)
    second = opened(visit, first.page.url.split("#")[1])
    assert second.page.locator("#svg").inner_html() == first.page.locator("#svg").inner_html()
    assert second.page.get_by_label("Decay, updates", exact=True).input_value() == "222"
    first.page.get_by_role("button", name="Start again").click()
    assert first.page.get_by_label("Schedule", exact=True).input_value() == "one_cycle"


def test_settings_that_fit_no_schedule_get_a_sentence_instead_of_an_old_picture(visit) -> None:
    page = opened(visit, "s=one_cycle_torch&n=10&pct_start=0.01").page
    assert "do not fit together" in page.locator("#say").inner_text()
    assert page.locator("#svg svg").count() == 0
    assert page.locator("#code").is_hidden()
    page.get_by_label("Updates in the run", exact=True).fill("500")
    assert page.locator("#svg svg").count() == 1


def test_the_keyboard_reads_the_curve_and_changes_tabs(visit) -> None:
    page = opened(visit, "s=linear&n=100").page
    page.locator("#svg").focus()
    page.keyboard.press("Home")
    page.keyboard.press("PageUp")
    assert page.locator("#svg").get_attribute("aria-valuetext").startswith("after 10 updates: rate 0.09")
    page.get_by_role("tab", name="PyTorch").focus()
    page.keyboard.press("ArrowRight")
    assert page.get_by_role("tab", name="Keras").get_attribute("aria-selected") == "true"
    assert "import keras" in page.locator("#panel").inner_text()


def test_copy_puts_the_code_and_the_link_on_the_clipboard(visit) -> None:
    one = opened(visit, STATE)
    page = one.page
    page.evaluate("navigator.clipboard.writeText = async (text) => { window.copied = text; }")
    page.get_by_role("button", name=re.compile("^Copy: With two files")).click()
    assert page.evaluate("window.copied").startswith("import torch\n")
    page.get_by_role("button", name="Copy a link to this").click()
    assert page.evaluate("window.copied").split("#")[1].startswith("s=wsd")


def test_a_finger_on_a_phone_reads_the_curve_while_its_knobs_stay_in_reach(visit) -> None:
    page = opened(visit, "s=linear&n=100", width=PHONE, height=800).page
    box = page.locator("#svg").bounding_box()
    page.touchscreen.tap(box["x"] + box["width"] / 2, box["y"] + 60)
    assert "After" in page.locator("#read").inner_text()
    assert page.locator("#svg").get_attribute("aria-valuenow") not in ("0", "99")
    page.get_by_label("Rate at the end, slider").scroll_into_view_if_needed()
    curve_box = page.locator("#svg").bounding_box()
    assert -5 <= curve_box["y"] <= 60, "the curve stays in sight"


def test_on_paper_there_are_curve_and_code_and_no_knobs(visit) -> None:
    page = opened(visit).page
    page.emulate_media(media="print")
    assert page.locator("#svg svg").is_visible()
    assert page.locator("#panel pre").first.is_visible()
    assert page.locator("#knobs").is_hidden()
    assert page.locator("#panel button").first.is_hidden()
