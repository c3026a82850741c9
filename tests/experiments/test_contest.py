"""The contest on parabolas: a grid that tells the truth, and methods that are known to find it or
not.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from study import figures, tables
from study.errors import StudyError
from study.execution import driver
from study.execution.request import Request
from study.experiments.contest import run_contest
from study.experiments.methods import METHODS, SWEEP_STEPS
from study.spec.study import StudySpec
from study.storage.records import Outcome
from study.storage.store import Store
from study.tables import contests
from support.made import stored
from support.parabola import ParabolaEngine
from support.paths import ROOT

pytestmark = pytest.mark.slow

SPEC = StudySpec(
    name="truth",
    optimizers=("sgd", "adam"),
    rates="1e-4:10:11",
    seeds=2,
    target=0.97,
    metric="validation",
    cap=None,
    max_steps=2000,
)
"""On parabolas of curvature 0.5 and 20: SGD trains from about 0.004 to 4, Adam from 1e-4 to 0.1."""

BUDGET = 1500


def engine(images: Any) -> ParabolaEngine:
    return ParabolaEngine()


@pytest.fixture(scope="module")
def grid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The grid study, trained."""
    folder = tmp_path_factory.mktemp("grid") / "truth"
    driver.run(Request(SPEC, folder, workers=1, factory=engine), progress=False)
    return folder


@pytest.fixture(scope="module")
def folder(grid: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The contest, held."""
    out = tmp_path_factory.mktemp("contest")
    run_contest(grid, out, 2, budget=BUDGET, factory=engine)
    return out


@pytest.fixture(scope="module")
def table(folder: Path) -> pd.DataFrame:
    """Its table, read back."""
    return contests.read(folder)


def test_every_method_picks_for_every_optimizer_and_seed(table: pd.DataFrame) -> None:
    """With the columns that were promised."""
    assert set(table["method"]) == {*METHODS, "range test"}
    counts = table.groupby(["method", "rule"])["optimizer"].count()
    assert set(counts) == {2 * 2}
    wanted = [
        "optimizer",
        "method",
        "rule",
        "seed",
        "rate",
        "search_steps",
        "search_seconds",
        "outcome",
        "seconds_to_target",
        "regret",
        "total_seconds",
    ]
    assert set(wanted) <= set(table.columns)


def test_regret_is_the_time_at_the_pick_over_the_grids_best(
    grid: Path, table: pd.DataFrame
) -> None:
    """By hand: steps of a parabola to 3 % at the picked rate, times the step time, over the least
    of the grid.
    """
    runs = tables.load(grid)
    step = runs.groupby("optimizer", observed=True)["step_seconds"].median()
    best = (
        runs[runs["outcome"] == Outcome.REACHED]
        .groupby("optimizer", observed=True)["seconds"]
        .min()
    )
    curvature = {"sgd": 0.5, "adam": 20.0}
    mine = table[(table["outcome"] == Outcome.REACHED) & (table["schedule"] == "constant")]
    assert len(mine) > 10
    for row in mine.to_dict("records"):
        factor = abs(1 - row["rate"] * curvature[row["optimizer"]])
        steps = (
            50 * math.ceil(math.log(0.03) / math.log(factor) / 50 - 1e-9) if 0 < factor < 1 else 50
        )
        seconds = steps * float(step[row["optimizer"]])
        assert row["seconds_to_target"] == pytest.approx(seconds, rel=1e-4)
        assert row["regret"] == pytest.approx(seconds / float(best[row["optimizer"]]), rel=1e-4)
        assert row["total_seconds"] == pytest.approx(
            seconds + row["search_steps"] * float(step[row["optimizer"]]), rel=1e-4
        )


def test_searches_by_accuracy_find_a_rate_that_trains(table: pd.DataFrame) -> None:
    """Whatever the seed; halving stops below 2 / c, where the loss no longer grows."""
    for method in ("random search", "successive halving", "optuna", "population"):
        assert (table[table["method"] == method]["outcome"] == Outcome.REACHED).all(), method
    halved = table[table["method"] == "halving"].set_index(["optimizer", "seed"])["rate"]
    assert 2 < halved["sgd", 0] < 4
    assert 0.05 < halved["adam", 0] < 0.1


def test_budgets_are_kept(table: pd.DataFrame) -> None:
    """And what has none is charged what it took; a default costs nothing."""
    searched = table[
        table["method"].isin(["random search", "successive halving", "optuna", "population"])
    ]
    assert searched["search_steps"].max() <= BUDGET
    assert searched["search_steps"].min() >= 0.6 * BUDGET
    assert (table[table["method"] == "default"]["search_steps"] == 0).all()
    assert (table[table["method"] == "finder"]["search_steps"] <= SWEEP_STEPS).all()


def test_a_contest_is_resumed(grid: Path, folder: Path, table: pd.DataFrame) -> None:
    """Nothing is searched or trained again; another budget is another contest."""
    before = (folder / "picks.jsonl").read_bytes(), (folder / "runs.jsonl").read_bytes()

    def never(images: Any) -> Any:
        raise AssertionError("nothing is left to train")

    again = run_contest(grid, folder, 2, budget=BUDGET, factory=never)
    assert ((folder / "picks.jsonl").read_bytes(), (folder / "runs.jsonl").read_bytes()) == before
    assert len(again) == len(table)
    with pytest.raises(StudyError, match="holds another contest"):
        run_contest(grid, folder, 2, budget=BUDGET + 600, factory=never)


def test_two_workers_train_what_one_does(grid: Path, table: pd.DataFrame, tmp_path: Path) -> None:
    """The trials at the picks go the driver's way, at the grid's step times; the folder holds what
    it always held.
    """
    mine = run_contest(
        grid, tmp_path, 2, ("default", "halving"), budget=BUDGET, workers=2, factory=engine
    )
    keys = ["method", "rule", "optimizer", "seed"]
    both = mine.merge(table, on=keys)
    assert len(both) == len(mine) == 8
    assert both["outcome_x"].tolist() == both["outcome_y"].tolist()
    for name in ("rate", "regret", "total_seconds"):
        assert both[f"{name}_x"].tolist() == pytest.approx(both[f"{name}_y"].tolist(), rel=1e-4)
    step = tables.load(grid).groupby("optimizer", observed=True)["step_seconds"].median()
    runs = Store(tmp_path).runs()
    assert {run.jobs for run in runs} == {2}
    assert all(run.step_seconds == step[run.trial.optimizer] and run.quiet is None for run in runs)
    files = {
        "picks.jsonl",
        "runs.jsonl",
        "checks.jsonl",
        "contest.json",
        "contest.csv",
        "contest-summary.csv",
        ".lock",
    }
    assert {path.name for path in tmp_path.iterdir()} == files


def test_a_killed_contest_goes_on_with_what_it_lacks(
    grid: Path, folder: Path, tmp_path: Path
) -> None:
    """What is stored is not trained again, and a torn line is."""
    for name in ("picks.jsonl", "contest.json", "checks.jsonl"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    lines = (folder / "runs.jsonl").read_bytes().splitlines(keepends=True)
    kept = b"".join(lines[:5])
    (tmp_path / "runs.jsonl").write_bytes(kept + lines[5][:40])
    run_contest(grid, tmp_path, 2, budget=BUDGET, factory=engine)
    text = (tmp_path / "runs.jsonl").read_bytes()
    assert text.startswith(kept)
    assert {(run.id, run.outcome, run.steps) for run in Store(tmp_path).runs()} == {
        (run.id, run.outcome, run.steps) for run in Store(folder).runs()
    }
    assert text.count(b"\n") == len(lines)


def test_the_stored_contest_is_still_known() -> None:
    """Its rows are those of the trials at its picks: nothing would be trained again."""
    stored_contest = ROOT / "results" / "amd-epyc-2-cores" / "contest-again"
    base = Store(stored_contest.parent / "article").spec().trials()[0]
    picked = {
        trial.id
        for pick in contests.read_picks(stored_contest)
        if (trial := contests.trial_of(pick, base))
    }
    assert len(picked) > 200
    assert picked <= {run.id for run in Store(stored_contest).runs()}


def test_a_hang_is_watched_for_by_two_workers(grid: Path, tmp_path: Path) -> None:
    """As in a study."""
    with pytest.raises(StudyError, match="--hang-limit needs"):
        run_contest(grid, tmp_path, 1, workers=1, silence=60.0, factory=engine)


def test_figures_show_every_method(grid: Path, table: pd.DataFrame) -> None:
    """A panel an optimizer, a row a method and rule."""
    rows = len(table.groupby(["method", "rule"]))
    picks = figures.picks(table, tables.load(grid))
    panels = [axes for axes in picks.axes if axes.get_visible()]
    assert [axes.get_title() for axes in panels] == ["SGD", "Adam"]
    assert len(panels[0].get_yticklabels()) == rows
    costs = figures.costs(table, contests.summary(table))
    assert len(costs.axes[0].get_yticklabels()) == rows
    for figure in (picks, costs):
        figure.savefig("/dev/null", format="png")


def test_what_is_no_grid_is_refused(tmp_path: Path) -> None:
    """Several widths, or a folder without a study or a contest."""
    two = stored(
        tmp_path / "two",
        StudySpec(optimizers=("adam",), rates=(0.01,), widths=(1.0, 2.0), cap=20.0),
        lambda trial: 4.0,
    )
    with pytest.raises(StudyError, match="has 2 widths"):
        run_contest(two, tmp_path / "out", 1, factory=engine)
    never = stored(
        tmp_path / "never",
        StudySpec(optimizers=("adam",), rates=(0.01, 0.1, 1.0), cap=20.0),
        lambda trial: "stuck",
    )
    with pytest.raises(StudyError, match="has too few rates or too few successes"):
        run_contest(never, tmp_path / "out", 1, factory=engine)
    cyclic = stored(
        tmp_path / "cyclic",
        StudySpec(optimizers=("adam",), schedule="cosine:steps=9", cap=20.0),
        lambda trial: 4.0,
    )
    with pytest.raises(StudyError, match="at constant rates"):
        run_contest(cyclic, tmp_path / "out", 1, factory=engine)
    with pytest.raises(StudyError, match="holds no contest"):
        contests.read(tmp_path)
