"""The page on which studies stand beside each other."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from study import figures, tables
from study.figures.style import PALETTE
from study.report import pairs
from study.tables import compare
from support.command import call
from support.paths import ROOT
from support.tables import imports

OURS = ROOT / "results" / "nvidia-h100-80gb-hbm3-x1" / "tutorial"


@pytest.fixture(scope="module")
def sides() -> tuple[list[compare.Side], list[str]]:
    """The published grid and one of this project."""
    return compare.sides([imports.grid(), OURS], anyway=True)


def test_every_figure_of_both_is_there_twice(
    tmp_path: Path, sides: tuple[list[compare.Side], list[str]]
) -> None:
    """With all that differs and all that is known of an import; it needs nothing else."""
    studies, said = sides
    out = pairs.write(studies, said, {}, tmp_path / "sub" / "pairs.html")
    text = out.read_text()
    found = pairs.pairs(studies)
    assert [pair.title for pair in found] == ["Valley", "Envelope", "Profile"]
    assert {len(pair.pictures) for pair in found} == {2}
    assert text.count('<img alt="') == 2 * len(found)
    assert not re.search(r"<script|https?://", text)
    for sentence in ("metric: cumulative, window", "scale of the models", "one draw a cell"):
        assert sentence in text
    assert "Step times that follow from the seconds of published K80" in text


def test_times_are_those_of_the_tables(sides: tuple[list[compare.Side], list[str]]) -> None:
    """Over the least of the study; an optimizer that arrived nowhere has none."""
    studies, _ = sides
    rows = {row["optimizer"]: row for row in pairs.best_rates(studies)}
    for side in studies:
        best = tables.best(side.runs)
        least = best["seconds"].min()
        for row in best.itertuples():
            mine = rows[figures.label_of(str(row.optimizer))]
            ratio = row.seconds / least
            told = f"{ratio:.3g}" if np.isfinite(ratio) else "-"
            assert mine[f"{side.name}: time, over the least"] == told
            assert mine[f"{side.name}: rates that work"] == f"{row.arrived} of {row.rates}"


def test_valleys_relative_to_the_best_begin_at_one(
    sides: tuple[list[compare.Side], list[str]],
) -> None:
    """Each study's own, whatever its seconds."""
    studies, _ = sides
    drawn = figures.overlays({side.name: side.runs for side in studies})
    assert list(drawn) == ["valleys-seconds", "valleys-relative"]  # steps are not published
    lines = [
        (axes.get_title(), line) for axes in drawn["valleys-relative"].axes for line in axes.lines
    ]
    for number, side in enumerate(studies):
        cells = tables.cells(side.runs)
        least = cells["seconds"].min()
        values = np.concatenate(
            [
                np.asarray(line.get_ydata(), float)
                for _, line in lines
                if line.get_color() == PALETTE[number] and line.get_linestyle() == "-"
            ]
        )
        there = np.sort(values[np.isfinite(values)])
        finite = cells["seconds"][np.isfinite(cells["seconds"])]
        assert there == pytest.approx(np.sort(finite / least))
        assert there[0] == 1


def test_the_page_comes_where_studies_are_compared_anyway(tmp_path: Path) -> None:
    """And not where their protocols are one."""
    answer = call("compare", imports.grid(), OURS, "--anyway", "--out", tmp_path)
    assert answer.returncode == 0, answer.stderr
    assert str(tmp_path / "pairs.html") in answer.stdout
    assert (tmp_path / "valleys-relative.png").exists()
    article = ROOT / "results" / "nvidia-h100-80gb-hbm3-x1" / "article"
    other = ROOT / "results" / "amd-epyc-2-cores" / "article"
    answer = call("compare", article, other, "--out", tmp_path / "alike")
    assert answer.returncode == 0, answer.stderr
    assert not (tmp_path / "alike" / "pairs.html").exists()
