"""The report in a browser."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow


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


PHONE = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}


def test_a_figure_opens_enlarged_and_boxes_that_scroll_have_names(page: Path, browser: Any) -> None:
    """On a phone: the picture in its own box, the page no wider; on paper no heading stands alone
    at the foot.
    """
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
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


def test_a_tap_or_a_key_enlarges_every_figure(page: Path, browser: Any) -> None:
    """Of any kind of study, by its picture; what is written in it is then as large as the text
    beside it, and the page no wider. A second one closes it.
    """
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
    browser.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": True})
    browser.get(page.as_uri())
    pictures = browser.find_elements("tag name", "img")
    assert len(pictures) > 5
    for picture in pictures:
        small = picture.size["width"]
        picture.click()
        # Letters of 7 points, the smallest, are some 13 dots high, as those of a text of 16 are.
        assert picture.size["width"] == int(picture.get_attribute("naturalWidth")) > 3 * small
        assert browser.execute_script("return document.documentElement.scrollWidth") <= 390
        summary = picture.find_element("xpath", "..")
        summary.send_keys("\ue007")  # Enter
        assert picture.size["width"] == small


def test_a_reader_of_the_screen_is_told_what_scrolls(page: Path, browser: Any) -> None:
    """Every box that scrolls sideways has a name of its own and a place that the keyboard reaches,
    on a phone and when its figure is open.
    """
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
    browser.get(page.as_uri())
    browser.execute_script("document.querySelectorAll('details').forEach(e => { e.open = true })")
    found = browser.execute_script(
        "return [...document.querySelectorAll('main *')]"
        ".filter(e => e.scrollWidth > e.clientWidth + 1"
        " && ['auto', 'scroll'].includes(getComputedStyle(e).overflowX))"
        ".map(e => [e.tagName, e.role || '', e.ariaLabel || '',"
        " Boolean(e.tabIndex == 0 || e.querySelector('summary'))])"
    )
    assert {tag for tag, *_ in found} == {"DIV", "FIGURE"}
    assert {role for tag, role, *_ in found if tag == "DIV"} == {"region"}
    assert all(name and reached for _, _, name, reached in found)
    names = [(tag, name) for tag, _, name, _ in found]
    assert len(names) == len(set(names))


PAPERS = ((8.27, 11.69), (8.5, 11.0), (8.27, 9.3), (11.69, 8.27), (5.83, 8.27), (8.5, 14.0))
"""A4, Letter, a short one, A4 across, A5, Legal: width and height in inches."""


@pytest.mark.skipif(shutil.which("pdftotext") is None, reason="poppler-utils is not installed")
def test_on_paper_no_heading_stands_alone_and_no_figure_is_cut(
    page: Path, browser: Any, tmp_path: Path
) -> None:
    """Wherever the pages break: a heading never is a page's last line, and a picture is on one."""
    browser.get(page.as_uri())
    heads = browser.find_elements("css selector", "h1, h2, h3")
    texts = {" ".join(head.text.split()) for head in heads}
    count = len(browser.find_elements("tag name", "img"))
    printed = tmp_path / "page.pdf"
    for width, height in PAPERS:
        paper = {"paperWidth": width, "paperHeight": height}
        data = browser.execute_cdp_cmd("Page.printToPDF", paper)["data"]
        printed.write_bytes(base64.b64decode(data))
        pages = said("pdftotext", "-layout", printed, "-").split("\f")
        lines = [[" ".join(line.split()) for line in each.splitlines()] for each in pages]
        last = [[line for line in each if line][-1:] for each in lines]
        assert not [line for each in last for line in each if line in texts], paper
        pictures = said("pdfimages", "-list", printed, None).splitlines()
        assert sum(" image " in line for line in pictures) == count, paper


def said(program: str, option: str, file: Path, out: str | None) -> str:
    """What a program prints of a file."""
    command = [program, option, str(file), *([out] if out else [])]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
