"""Selected rates are trained again on fresh seeds, on parabolas."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from study import tables
from study.errors import StudyError
from study.execution import driver
from study.execution.request import Request
from study.experiments.confirm import FRESH, run_confirm
from study.spec.study import StudySpec
from study.storage.records import Outcome
from support.command import call
from support.made import stored
from support.parabola import ParabolaEngine

pytestmark = pytest.mark.slow

SPEC = StudySpec(
    name="truth",
    optimizers=("sgd", "adam"),
    rates="1e-3:1:4",
    widths=(1.0, 2.0),
    target=0.97,
    metric="validation",
    cap=None,
    max_steps=1000,
)


def engine(images: Any) -> ParabolaEngine:
    return ParabolaEngine()


@pytest.fixture
def grid(tmp_path: Path) -> Path:
    """A trained study."""
    driver.run(Request(SPEC, tmp_path / "truth", workers=1, factory=engine), progress=False)
    return tmp_path / "truth"


def test_the_best_rates_are_trained_on_seeds_that_took_no_part(grid: Path) -> None:
    """By the study's step times, into its folder; a parabola takes as long with every seed."""
    runs = tables.load(grid)
    before = (grid / "runs.jsonl").read_bytes()
    table = run_confirm(grid, 3, factory=engine)
    best = tables.best(runs).set_index(["width", "optimizer"])
    assert len(table) == len(best) == 4
    for row in table.to_dict("records"):
        selected = best.loc[(row["width"], row["optimizer"])]
        assert row["rate"] == selected["best_rate"]
        assert row["seeds"] == row["arrived"] == 3
        assert row["seconds"] == pytest.approx(row["selected_seconds"], rel=1e-6)
    fresh = tables.stored(grid).confirmed
    assert sorted(set(fresh["seed"])) == [FRESH, FRESH + 1, FRESH + 2]
    assert (grid / "runs.jsonl").read_bytes() == before
    assert (grid / "confirm" / "confirm.csv").exists()


def test_a_selection_stands_and_more_seeds_are_added(grid: Path) -> None:
    """Whatever is stored in the study later; a rate that left the grid is refused."""
    run_confirm(grid, 1, factory=engine)
    lines = (grid / "confirm" / "runs.jsonl").read_text()
    told = (grid / "confirm" / "confirm.json").read_text()
    told_by = call("status", grid).stdout
    assert f"\n4 more trials, of its best rates on fresh seeds: {grid / 'confirm'}\n" in told_by
    run_confirm(grid, 2, factory=engine)
    assert (grid / "confirm" / "runs.jsonl").read_text().startswith(lines)
    assert len(tables.stored(grid).confirmed) == 8
    assert (grid / "confirm" / "confirm.json").read_text() == told
    chosen = json.loads(told)
    chosen["selected"][0]["rate"] = 0.5
    (grid / "confirm" / "confirm.json").write_text(json.dumps(chosen))
    with pytest.raises(StudyError, match=r"sgd at 0\.5 are no longer in the study's grid"):
        run_confirm(grid, 2, factory=engine)


@pytest.mark.parametrize("text", ['{"selected": [{"optimizer": "adam"}]}', '{"selected": 3}', "{}"])
def test_a_damaged_selection_says_what_to_do(grid: Path, text: str) -> None:
    """It names the file."""
    (grid / "confirm").mkdir()
    (grid / "confirm" / "confirm.json").write_text(text)
    with pytest.raises(StudyError, match=r"confirm\.json cannot be read .*delete it to"):
        run_confirm(grid, 1, factory=engine)


def test_what_cannot_be_confirmed_is_refused(tmp_path: Path) -> None:
    """Nothing arrived; or the clock was read alone."""
    nothing = stored(tmp_path / "nothing", SPEC.with_(widths=(1.0,)), lambda trial: "stuck")
    with pytest.raises(StudyError, match="no rate of the study truth reached the target"):
        run_confirm(nothing, 1, factory=engine)
    alone = stored(tmp_path / "alone", SPEC.with_(mode="alone"), lambda trial: 1.0)
    with pytest.raises(StudyError, match="confirm needs a study in mode array"):
        run_confirm(alone, 1, factory=engine)
    assert tables.load(nothing)["outcome"].eq(Outcome.STUCK).all()
