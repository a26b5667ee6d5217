"""How long does the explorer take to answer a knob?  python -m tests.benchmarks.bench_explorer

In an installed Chromium, from the input event to the finished layout, with an overlay, and the parabola or the
predicted loss below.
"""

import itertools
import statistics

from playwright.sync_api import sync_playwright

from helpers.explorer import PAGE
from tests.browser.conftest import DESKTOP, FLAGS, PHONE, installed_browser

ANSWERS = """() => Array.from({ length: 101 }, (_, i) => {
    const slider = document.querySelectorAll("#settings input[type=range]")[1];
    const before = performance.now();
    slider.value = 300 + i;
    slider.dispatchEvent(new Event("input"));
    document.body.getBoundingClientRect();
    return performance.now() - before;
})"""


def main() -> None:
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=installed_browser(), args=FLAGS)
        for width in (DESKTOP, PHONE):
            for below, updates in itertools.product(("parabola", "law"), (1000, 4000, 100_000)):
                page = browser.new_page(viewport={"width": width, "height": 900})
                page.goto(f"{PAGE.resolve().as_uri()}#s=one_cycle&vs=wsd&below={below}&n={updates}")
                page.wait_for_selector("#svg svg")
                times = sorted(page.evaluate(ANSWERS))
                typical = f"median {statistics.median(times):.1f} ms, 95 % {times[95]:.1f} ms"
                print(f"{width} px, {below}, {updates} updates: {typical}")
        browser.close()


if __name__ == "__main__":
    main()
