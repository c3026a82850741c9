"""Tables of the published measurements, and what is said of them."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from study import tables
from study.errors import StudyError
from study.storage.store import Store
from study.tables import compare
from support.known import FRAME
from support.paths import ROOT
from support.tables.imports import curves_alone, grid, sizes

OURS = ROOT / "results" / "nvidia-h100-80gb-hbm3-x1" / "tutorial"


def test_looks_are_known_estimated_or_not_known() -> None:
    """From steps and step times, from an import, or from neither."""
    assert tables.look_seconds(FRAME).tolist() == [50 * 0.01] * len(FRAME)
    runs = tables.load(grid())
    assert set(tables.look_seconds(runs)) == {4.88}
    assert tables.look_seconds(tables.load(sizes())).isna().all()
    assert tables.look_seconds(tables.frame([])).empty
    both = pd.concat([FRAME, runs], ignore_index=True)
    assert set(tables.look_seconds(both)) == {0.5, 4.88}
    named = tables.look_seconds(runs.iloc[5:9])
    assert (named.name, list(named.index)) == ("look_seconds", [5, 6, 7, 8])


def test_a_capped_time_past_the_cap_is_kept_and_the_budget_is_the_cap() -> None:
    """The last look of a capped trial is up to 4 s past it."""
    runs = tables.load(grid())
    assert set(tables.budget(runs)) == {120.0}
    capped = runs[runs["outcome"] == "capped"]
    assert capped["seconds"].between(121, 124).all()
    costs = tables.costs(runs, [])
    arrived = runs[runs["outcome"] == "reached"]["seconds"].sum()
    assert costs["one_by_one_seconds"] == pytest.approx(236 * 120 + arrived)


def test_an_import_is_known_by_its_machine() -> None:
    """All of its rows; no rows are none."""
    runs = tables.load(grid())
    assert tables.imported(runs)
    assert not tables.imported(FRAME)
    assert not tables.imported(runs.iloc[:0])
    assert not tables.imported(pd.concat([FRAME, runs]))


@pytest.mark.parametrize(("absent", "k"), [("capped", 9.72e-6), ("unknown", 4.77e-6)])
def test_absent_sizes_count_as_censored(absent: str, k: float) -> None:
    """The slope at 0.01 with them and without; arrivals alone give the same. With a scatter that
    grows with the size the absent ones weigh more than with a constant one, which gives 6.7e-6.
    """
    table: Any = tables.sizes(tables.load(sizes(absent))).set_index("rate")
    assert table.loc[0.01, "tobit_k"] == pytest.approx(k, rel=0.01)
    assert table.loc[0.01, "tobit_k_low"] < 4.8e-6
    assert (table.loc[0.01, "tobit_k_high"] > 6.7e-6) == (absent == "capped")
    assert table.loc[0.01, "k"] == pytest.approx(4.77e-6, rel=0.002)
    assert table.loc[0.001, "k"] == pytest.approx(2.21e-6, rel=0.005)


def test_what_is_said_of_an_import_is_true_of_one() -> None:
    """How it was measured, what was assumed or has no row; nothing that it could be run on."""
    said = {
        name: tables.warnings(folder)
        for name, folder in (
            ("grid", grid()), ("capped", sizes()), ("unknown", sizes("unknown"))
        )
    }  # fmt: skip
    for sentences in said.values():
        assert sentences[0].startswith("these are published measurements; known: ")
        assert "1 measurement a cell: no interval can be given, and a best rate may be luck" in (
            sentences
        )
        for word in ("--", "same command", "fewer seeds", "so far", "missing", "again"):
            assert word not in " ".join(sentences)
    assert "1 of 288 trials has no published row, for whatever reason" in said["grid"]
    assert said["grid"][-1] == (
        "the validation curve of rmsprop ends at 58 % after 2,399 s, far below the target of 97 %"
    )
    assert said["capped"][1] == (
        "13 of 224 trials are assumed: they have no published row, and each is taken as capped at "
        "240 s"
    )
    assert said["unknown"][1] == "13 of 216 trials have no published row, for whatever reason"
    for name, cells in (("capped", 216), ("unknown", 203)):
        assert said[name][2] == (
            f"8 of {cells} cells were measured more often than the others, which have 1 "
            "measurement each"
        )


def test_an_import_in_which_nothing_arrived_suggests_nothing() -> None:
    """And one of an older version tells no more than that it is one."""
    runs = tables.load(grid())
    capped = runs[runs["outcome"] == "capped"]
    assert tables.unreached(capped) == ["no trial reached 97 % (236 capped)"]
    assert tables.warnings(capped)[0] == (
        "these are published measurements, of which this study tells no more"
    )


def test_a_curve_without_a_rate_ends_in_a_collapse_or_not() -> None:
    """RMSProp's alone is 20 points below the target."""
    lost = tables.collapsed(tables.curves(grid()), 0.97)
    assert [key[0] for key in lost[lost].index] == ["rmsprop"]
    assert len(lost) == 6
    assert all(math.isnan(rate) and seed == 0 for _, rate, seed in lost.index)


def test_curves_alone_are_a_study_without_tables() -> None:
    """One sentence says so, whatever is asked for."""
    runs = tables.load(curves_alone())
    assert runs.empty
    assert len(tables.stored(curves_alone()).curves) == 227
    said = (
        f"{curves_alone()}: the import holds validation curves and no trials, so there is nothing "
        "to tabulate: figures draws the curves"
    )
    for ask in (
        lambda: tables.write(curves_alone()),
        lambda: tables.warnings(curves_alone()),
        lambda: compare.sides([curves_alone(), grid()], anyway=True),
    ):
        with pytest.raises(StudyError) as caught:
            ask()
        assert str(caught.value) == said


def test_seconds_that_a_curve_tells_are_kept_by_another_clock() -> None:
    """Steps have another machine's step times; a curve without steps has its own seconds."""
    study = tables.stored(grid())
    study.__dict__["runs"] = study.runs.assign(budget=9.0, step_seconds=0.5)
    assert study.curves["seconds"].equals(study.all_curves["seconds"])


def test_a_comparison_says_how_the_published_side_was_measured() -> None:
    """And that it does not tell how often it looked."""
    sides, differences = compare.sides([OURS, grid()], anyway=True)
    assert "check_every: 50, not known" in differences
    note, draws = compare.notes(sides)
    assert note.startswith("published K80: these are published measurements; known: ")
    assert "likely: looks 4.9 s apart" in note
    assert draws == (
        f"one draw a cell, so that a best rate may be luck: {sides[0].name}, published K80"
    )
    assert compare.notes([replace(side, published=None) for side in sides]) == [draws]
    twice = replace(sides[0], runs=pd.concat([sides[0].runs, sides[0].runs.assign(seed=1)]))
    assert compare.notes([twice]) == []
    found = compare.ratios(sides)
    assert found["arrived"].value_counts().to_dict() == {"neither": 207, "both": 51, "first": 29}
    both = found[found["arrived"] == "both"]
    assert both["seconds"].notna().all()
    assert both[["steps", "step_seconds"]].isna().all().all()


def test_an_import_joins_no_other_study() -> None:
    """Its data are not published, and no two of them are told to be the same."""
    assert (Store(grid()).digest() or "").startswith("not published; runs ")
    assert Store(grid()).digest() != Store(curves_alone()).digest()
