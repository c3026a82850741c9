"""What picks are worth: a contest made by hand, every column of its tables."""

from __future__ import annotations

import math
from dataclasses import asdict, replace
from pathlib import Path

import pandas as pd
import pytest

from study.errors import StudyError
from study.spec.study import StudySpec
from study.storage.jsonl import append_line
from study.storage.records import Outcome
from study.storage.store import Store
from study.tables import contests
from study.tables.contests import Pick
from support.made import made_runs
from support.records import RUN
from support.tables.by_hand import Row, same

SPEC = StudySpec(optimizers=("sgd", "adam"), rates=(0.01, 0.1), seeds=2, cap=20.0, prune="hopeless")
TIMES: dict[tuple[str, float, int], float | str] = {
    ("sgd", 0.01, 0): 4.0,
    ("sgd", 0.01, 1): 6.0,
    ("sgd", 0.1, 0): "capped",
    ("sgd", 0.1, 1): 3.0,
    ("adam", 0.01, 0): "stuck",
    ("adam", 0.01, 1): "stuck",
    ("adam", 0.1, 0): 8.0,
    ("adam", 0.1, 1): 2.0,
}
STEP = {"sgd": 0.01, "adam": 0.02}
PICKS: list[tuple[Pick, Outcome | None, float]] = [
    (Pick("sgd", "finder", "tenth", 0, 0.05, "", 300), Outcome.REACHED, 8.0),
    (Pick("sgd", "finder", "tenth", 2, 0.05, "", 300), Outcome.REACHED, 7.0),
    (Pick("adam", "finder", "tenth", 1, 0.2, "", 100), Outcome.CAPPED, 12.0),
    (Pick("adam", "finder", "slide", 0, None, "no slope", 100), None, 0.0),
    (Pick("sgd", "search", "best", 0, 0.3, "", 0, "cosine:steps=50"), Outcome.REACHED, 2.0),
]
"""What was picked, how the trial at it ended, and after which seconds."""
UNTRAINED = Pick("adam", "search", "best", 0, 0.4, "", 10)


@pytest.fixture
def grid(tmp_path: Path) -> Path:
    """The grid's folder."""
    store = Store(tmp_path / "grid")
    with store.writing():
        store.write_spec(SPEC, "made up")
        for run in made_runs(SPEC, lambda t: TIMES[t.optimizer, t.learning_rate, t.seed]):
            store.append(
                replace(run, step_seconds=STEP[run.trial.optimizer], seconds_source="measured")
            )
    return tmp_path / "grid"


@pytest.fixture
def table(grid: Path, folder: Path) -> pd.DataFrame:
    """The contest's table; the file has a line a method and seed."""
    base = SPEC.trials()[0]
    store = Store(folder)
    with store.writing():
        for pick, outcome, seconds in [*PICKS, (UNTRAINED, None, 0.0)]:
            append_line(folder / contests.PICKS, {"seed": pick.seed, "picks": [asdict(pick)]})
            trial = contests.trial_of(pick, base)
            if trial is not None and outcome is not None:
                run = replace(RUN, trial=trial, outcome=outcome, seconds=seconds)
                store.append(replace(run, seconds_source="measured"))
    return contests.table(grid, folder)


def row(number: int, **values: object) -> Row:
    """A row of the table: what the pick tells, and the rest."""
    pick = asdict(PICKS[number][0])
    return {**pick, "rate": math.nan if pick["rate"] is None else pick["rate"], **values}


def test_every_column_of_a_contest_is_as_by_hand(table: pd.DataFrame) -> None:
    """Regret is over the seed's own best time, or over the median of the seeds' where the grid
    lacks the seed; a whole budget is charged for what did not arrive; what is not trained yet is
    left out.
    """
    sgd, adam = (24.0 + 9.0) / 2, (8.5 + 2.5) / 2  # the seeds' sums over the rates
    rows = [
        row(0, search_seconds=3.0, outcome="reached", seconds_to_target=8.0, regret=8 / 4,
            total_seconds=11.0, grid_seconds=sgd),
        row(1, search_seconds=3.0, outcome="reached", seconds_to_target=7.0, regret=7 / 3.5,
            total_seconds=10.0, grid_seconds=sgd),
        row(2, search_seconds=2.0, outcome="capped", seconds_to_target=math.inf, regret=math.inf,
            total_seconds=22.0, grid_seconds=adam),
        row(3, search_seconds=2.0, outcome="none", seconds_to_target=math.inf, regret=math.inf,
            total_seconds=22.0, grid_seconds=adam),
        row(4, search_seconds=0.0, outcome="reached", seconds_to_target=2.0, regret=2 / 4,
            total_seconds=2.0, grid_seconds=sgd),
    ]  # fmt: skip
    same(table, rows)


def test_every_column_of_the_summary_is_as_by_hand(table: pd.DataFrame) -> None:
    """A quartile is one of the values; totals are summed before they are divided."""
    rows = [
        {"method": "finder", "rule": "tenth", "picks": 3, "none": 0, "arrived": 2,
         "search_steps": 300.0, "search_seconds": 3.0, "regret": 2.0, "regret_q25": 2.0,
         "regret_q75": math.inf, "share_of_grid": 43 / (16.5 + 16.5 + 5.5)},
        {"method": "finder", "rule": "slide", "picks": 1, "none": 1, "arrived": 0,
         "search_steps": 100.0, "search_seconds": 2.0, "regret": math.inf,
         "regret_q25": math.inf, "regret_q75": math.inf, "share_of_grid": 22 / 5.5},
        {"method": "search", "rule": "best", "picks": 1, "none": 0, "arrived": 1,
         "search_steps": 0.0, "search_seconds": 0.0, "regret": 0.5, "regret_q25": 0.5,
         "regret_q75": 0.5, "share_of_grid": 2 / 16.5},
    ]  # fmt: skip
    same(contests.summary(table), rows)
    regrets = pd.DataFrame([{**table.iloc[0], "regret": value} for value in (5.0, 1.0, 2.0, 4.0)])
    (four,) = contests.summary(regrets).to_dict("records")
    assert [four[name] for name in ("regret_q25", "regret", "regret_q75")] == [1, 3, 4]


def test_a_contest_is_read_back(table: pd.DataFrame, folder: Path) -> None:
    """What was written; a folder without one is refused."""
    table.to_csv(folder / contests.TABLE, index=False)
    again = contests.read(folder)
    assert again["regret"].tolist() == table["regret"].tolist()
    assert math.isnan(again["rate"].iloc[3])
    with pytest.raises(StudyError, match=r"holds no contest \(no contest.csv in it\)"):
        contests.read(folder / "nowhere")


def test_a_line_that_holds_no_picks_is_named(folder: Path) -> None:
    """The file, the line and the field."""
    folder.mkdir()
    pick = asdict(UNTRAINED)
    append_line(folder / contests.PICKS, {"picks": [pick]})
    assert contests.read_picks(folder) == [UNTRAINED]
    append_line(folder / contests.PICKS, {"picks": [{**pick, "unknown": 1}]})
    with pytest.raises(StudyError, match=r"line 2.*unknown"):
        contests.read_picks(folder)


def test_a_trial_at_a_pick_keeps_the_grids_protocol() -> None:
    """All but optimizer, rate, seed and schedule; nothing is given up early."""
    base = SPEC.trials()[0]
    trial = contests.trial_of(Pick("adam", "m", "r", 7, 0.25, "", 0, "cosine:steps=10"), base)
    assert trial == replace(
        base, optimizer="adam", learning_rate=0.25, seed=7, schedule="cosine:steps=10", prune="none"
    )
    assert contests.trial_of(Pick("adam", "m", "r", 7, None, "", 0), base) is None


def test_rows_that_match_no_pick_are_counted(table: pd.DataFrame, folder: Path) -> None:
    """Such as those of a rule that was changed after they had trained."""
    store = Store(folder)
    with pytest.raises(StudyError, match="holds no contest"):
        contests.standing(folder)
    store.settle("contest.json", {"protocol": {**SPEC.to_json(), "seeds": 0}}, "contest")
    trials = {pick.rate: pick for pick, _, _ in PICKS if pick.rate is not None}
    found = contests.standing(folder)
    assert (found.picks, found.strays) == (len(PICKS) + 1, [])
    assert found.stored == len(store.runs()) == found.wanted - 1
    stray = replace(SPEC.trials()[0], learning_rate=0.123456)
    assert 0.123456 not in trials
    with store.writing():
        store.append(replace(RUN, trial=stray, outcome=Outcome.STUCK))
    found = contests.standing(folder)
    assert [run.id for run in found.strays] == [stray.id]
    assert found.stored == found.wanted - 1
