"""The report: one page that needs nothing else."""

from __future__ import annotations

import re
import socket
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from study import report, tables
from study.cli import main
from study.errors import StudyError
from study.report import pictures, sections
from study.spec.study import StudySpec
from study.storage.store import Store
from support.made import made_runs, stored
from support.paths import ROOT
from support.published import GRID, in_band

pytestmark = pytest.mark.slow


class Page(HTMLParser):
    """The elements of a page: (tag, attributes), as a browser would find them."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))


def of_two(folder: Path, spec: StudySpec) -> Path:
    """A study's folder: the trials of the first seed are one machine's, the others another's."""
    store = Store(folder)
    with store.writing():
        store.write(
            store.spec_path, {"schema": 1, "dataset_md5": "made up", "spec": spec.to_json()}
        )
        for run in made_runs(spec, in_band):
            first = run.trial.seed == 0
            name, print_, version = (
                ("one", "1111", "2.1") if first else ("the other", "2222", "2.2")
            )
            store.append(
                replace(run, machine=name, fingerprint=print_, versions={"tensorflow": version})
            )
    return folder


def test_the_page_stands_alone(page: Path) -> None:
    """No address, no script; every image is inside, with a text that says what it shows; names are
    escaped.
    """
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


def test_the_page_asks_nobody(page: Path) -> None:
    """Every address in it is data of its own."""
    addresses = [
        value
        for _, found in Page(page).elements
        for name, value in found.items()
        if name in ("src", "href", "srcset", "action")
    ]
    assert addresses
    assert all(str(address).startswith("data:") for address in addresses)
    style = page.read_text(encoding="utf-8").partition("<style>")[2].partition("</style>")[0]
    assert "break-after: avoid" in style
    assert not re.findall(r"url\(|@import|@font-face", style)


def test_no_network_is_used_to_make_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor another process."""

    def refuse(*arguments: Any, **options: Any) -> None:
        raise AssertionError("a connection was asked for")

    folder = stored(tmp_path / "grid", GRID.with_(seeds=1), in_band)
    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr("subprocess.Popen", refuse)
    assert report.write([folder], tmp_path / "r.html").exists()


def test_every_scroll_box_and_picture_has_a_name(page: Path) -> None:
    """A table's box is a region that the keyboard reaches; a figure's holds a summary, which it
    reaches too; cells have heads.
    """
    elements = Page(page).elements
    boxes = [(tag, found) for tag, found in elements if found.get("class") == "wide"]
    assert len(boxes) == 2 + 1 + 2 + 10
    assert all(found.get("aria-label") for _, found in boxes)
    assert all(
        found.get("role") == "region" and found.get("tabindex") == "0"
        for tag, found in boxes
        if tag == "div"
    )
    tags = [tag for tag, _ in elements]
    assert (
        tags.count("figure")
        == tags.count("details")
        == tags.count("summary")
        == tags.count("img")
        == 10
    )
    assert {found.get("scope") for tag, found in elements if tag == "th"} == {"col", "row"}


def test_markup_in_data_is_text(tmp_path: Path) -> None:
    """In names of folders, machines, versions and in what a section says."""
    markup = '<img src=x onerror="alert(1)">{{ 1 }}'
    folder = stored(
        tmp_path / markup, GRID.with_(seeds=1), in_band, machine=markup, versions={markup: markup}
    )
    text = report.write([folder], tmp_path / "r.html", machine=markup).read_text(encoding="utf-8")
    assert "<img src=x" not in text
    assert text.count("&lt;img src=x onerror=&#34;alert(1)&#34;&gt;{{ 1 }}") >= 5
    assert not [found for _, found in Page(tmp_path / "r.html").elements if "onerror" in found]


def test_a_folder_of_two_machines_needs_one_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its name or fingerprint; the notes tell how many trials are the other's, and the commands
    name the machine again.
    """
    folder, out = of_two(tmp_path / "two", GRID), tmp_path / "r.html"
    with pytest.raises(StudyError, match="report take one machine's with --machine NAME"):
        report.write([folder], out)
    with pytest.raises(
        StudyError, match=r"no trial of the machine 'nobody': one \(1111\), the other \(2222\)"
    ):
        report.write([folder], out, "nobody")
    assert not out.exists()
    monkeypatch.setattr(
        "sys.argv", ["study", "report", str(folder), "--out", str(out), "--machine", "the other"]
    )
    with pytest.raises(SystemExit) as ended:
        main.main()
    assert ended.value.code == 0
    assert capsys.readouterr().out.strip() == str(out)
    text = out.read_text(encoding="utf-8")
    trials = len(GRID.with_(seeds=1))
    assert f"{2 * trials} of {3 * trials} trials are stored" in text
    assert "Machine: the other (tensorflow 2.2)" in text
    assert f"{trials} more trials count by another machine" in text
    assert "trials are missing: best rates" not in text
    assert text.count("--machine &#39;the other&#39;") == 4
    assert (
        report.write([folder], out, "1111")
        .read_text(encoding="utf-8")
        .count(f"{2 * trials} more trials count by another")
        == 1
    )


def test_curves_of_another_machine_are_left_out(tmp_path: Path) -> None:
    """Those that do not tell their machine stay."""
    folder = of_two(tmp_path / "two", GRID)
    row = {
        "id": "x",
        "optimizer": "adam",
        "learning_rate": 0.01,
        "width": 1.0,
        "seed": 0,
        "step_seconds": 0.01,
        "check_every": 50,
        "span": 1,
    }
    row |= {"accuracy": [0.5, 0.9], "loss": [1.0, 0.1]}
    Store(folder).write_curves(
        [row, {**row, "fingerprint": "1111"}, {**row, "fingerprint": "2222"}]
    )
    assert set(sections.read(folder, "one").curves["fingerprint"]) == {"", "1111"}
    assert len(tables.curves(folder)) == 6


def test_a_section_that_fails_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And no half page is written."""

    def fail(study: tables.StoredStudy) -> None:
        raise RuntimeError(f"no figure of {study.spec.name}")

    folder = stored(tmp_path / "grid", GRID.with_(seeds=1), in_band)
    monkeypatch.setattr(pictures, "drawings", fail)
    with pytest.raises(
        StudyError, match="the report could not be made: RuntimeError: no figure of grid"
    ):
        report.write([folder], tmp_path / "r.html")
    assert not (tmp_path / "r.html").exists()


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


def test_the_stored_report_looks_as_one_of_today() -> None:
    """Its last lines say how to make it again."""
    stored_page = ROOT / "results" / "amd-epyc-2-cores" / "report.html"
    text = stored_page.read_text(encoding="utf-8")
    assert (report.DATA / "style.css").read_text(encoding="utf-8").strip() in text
    assert "scripts/run report results/amd-epyc-2-cores/article" in text
