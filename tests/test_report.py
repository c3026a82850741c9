"""The report: one page that needs nothing else, read in a browser."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import test_fits
from made import stored
from parabola import ParabolaEngine
from test_claims import PUBLISHED, noise

from study import contest, methods, report
from study.errors import StudyError
from study.spec import StudySpec, Trial
from study.store import append_line

GRID = StudySpec(name="grid", rates="published", seeds=3)


def in_band(trial: Trial) -> float | str:
    low, high, best = PUBLISHED[trial.optimizer]
    return best * noise(trial) if low <= trial.learning_rate <= high else "stuck"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report on a grid, a study of sizes, a contest and a case study of cycles."""
    root = tmp_path_factory.mktemp("report")
    folders = [
        stored(root / "grid", GRID, in_band),
        stored(root / "sizes", test_fits.SPEC.with_(name="sizes", dataset="a<b>.npz"), test_fits.takes),
    ]
    pick = contest.Pick("adam", "finder", "tenth", 0, None, "the <loss> never fell", 300)
    (root / "contest").mkdir()
    append_line(root / "contest" / contest.PICKS, {"seed": 0, "method": "finder", "picks": [pick.__dict__]})
    contest.table(folders[0], root / "contest").to_csv(root / "contest" / contest.TABLE)
    methods.run_cycles(root / "cycles", 2, factory=lambda images: ParabolaEngine())
    return report.write([*folders, root / "contest", root / "cycles"], root / "out" / "report.html")


def test_the_page_stands_alone(page: Path) -> None:
    """No address, no script; every image is inside, with a text that says what it shows; names are escaped."""
    text = page.read_text(encoding="utf-8")
    assert not re.findall(r"https?://|<script|<link(?! rel=\"icon\" href=\"data:,\")", text)
    images = re.findall(r"<img [^>]*>", text)
    assert len(images) == 3 + 5 + 2
    assert all('alt="' in image and "data:image/png;base64," in image for image in images)
    assert "a<b>" not in text
    assert "a&lt;b&gt;" in text
    for words in (
        "Which learning rate",
        "Best rates",
        "Time against model size",
        "The published claims",
        "How to rebuild it",
        "Warnings",
        "Ways of choosing",
    ):
        assert words in text
    for claim in ("majority-fails", "linear-size"):
        assert claim in text


@pytest.fixture
def browser(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Headless Chromium, with what its console and its network say."""
    if shutil.which("chromedriver") is None:
        pytest.skip("Debian's chromium and chromium-driver are not installed")
    from selenium import webdriver
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service

    monkeypatch.setenv("HOME", str(tmp_path))
    options = Options()
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    opened: Any = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    yield opened
    opened.quit()


@pytest.mark.parametrize("width", [390, 1280])
def test_a_browser_shows_it_whole(page: Path, width: int, browser: Any) -> None:
    """No error in the console, no request to anywhere, no broken image, nothing wider than the screen."""
    size = {"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.get_log("performance")
    browser.get(page.as_uri())
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    assert browser.execute_script("return [...document.images].filter(image => !image.naturalWidth).length") == 0
    outside = "e => !e.closest('.wide') && e.getBoundingClientRect().right > innerWidth + 1"
    assert browser.execute_script(f"return [...document.querySelectorAll('main *')].filter({outside}).length") == 0
    assert browser.get_log("browser") == []
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = {message["params"]["request"]["url"] for message in messages if message["method"] == "Network.requestWillBeSent"}
    assert {url.partition(":")[0] for url in asked} <= {"file", "data"}
    assert {url for url in asked if url.startswith("file")} == {page.as_uri()}


def test_a_report_on_nothing_is_a_sentence(tmp_path: Path) -> None:
    """No folder, no study there, a folder as the file."""
    with pytest.raises(StudyError, match="name at least one"):
        report.write([], tmp_path / "r.html")
    with pytest.raises(StudyError, match="holds no study"):
        report.write([tmp_path], tmp_path / "r.html")
    folder = stored(tmp_path / "grid", GRID.with_(seeds=1), in_band)
    with pytest.raises(StudyError, match="is a folder"):
        report.write([folder], tmp_path)
    assert not list(tmp_path.glob("*.html"))
