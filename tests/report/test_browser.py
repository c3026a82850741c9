"""The report in a browser."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest


@pytest.mark.parametrize("width", [390, 1280])
def test_a_browser_shows_it_whole(page: Path, width: int, browser: Any) -> None:
    """No error in the console, no request to anywhere, no broken image, nothing wider than the
    screen.
    """
    size = {"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.get("about:blank")  # the browser's own first page has been asked for
    browser.get_log("performance")
    browser.get(page.as_uri())
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    assert (
        browser.execute_script(
            "return [...document.images].filter(image => !image.naturalWidth).length"
        )
        == 0
    )
    outside = "e => !e.closest('.wide') && e.getBoundingClientRect().right > innerWidth + 1"
    assert (
        browser.execute_script(
            f"return [...document.querySelectorAll('main *')].filter({outside}).length"
        )
        == 0
    )
    assert browser.get_log("browser") == []
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = {
        message["params"]["request"]["url"]
        for message in messages
        if message["method"] == "Network.requestWillBeSent"
    }
    assert {url.partition(":")[0] for url in asked} <= {"file", "data"}
    assert {url for url in asked if url.startswith("file")} == {page.as_uri()}


def test_a_figure_opens_enlarged_and_boxes_that_scroll_have_names(page: Path, browser: Any) -> None:
    """On a phone: the picture in its own box, the page no wider; on paper no heading stands alone
    at the foot.
    """
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True},
    )
    browser.get(page.as_uri())
    width = "return document.images[0].getBoundingClientRect().width"
    assert browser.execute_script(width) <= 390
    browser.execute_script("document.querySelector('summary').click()")
    assert (
        browser.execute_script(width)
        == browser.execute_script("return document.images[0].naturalWidth")
        > 1000
    )
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 390
    scrolling = (
        "[...document.querySelectorAll('main *')].filter(e => ['auto', "
        "'scroll'].includes(getComputedStyle(e).overflowX))"
    )
    assert browser.execute_script(f"return {scrolling}.length") == 15
    assert browser.execute_script(f"return {scrolling}.filter(e => !e.ariaLabel).length") == 0
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    heads = "[...document.querySelectorAll('h1, h2, h3')].map(e => getComputedStyle(e).breakAfter)"
    assert set(browser.execute_script(f"return {heads}")) == {"avoid"}
    assert browser.execute_script(f"return {scrolling}.length") == 0
