"""Tables of programs: what their clock does not say, how often they report, what a budget is."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from study import figures, tables
from study.storage.checks import Checks, Finish, Watched
from study.storage.records import Outcome, Run
from study.storage.store import Store
from study.tables.caveats.programs import of_programs
from study.tables.rows import budget
from support.programs import settled, spec_of
from support.records import RUN

SPEC = settled(
    spec_of("sh x {rate}", rates=(0.01, 0.1, 1.0), optimizers=("adam",), cap=60.0, max_steps=100)
)
TRIALS = SPEC.trials()


def run(rate: float, outcome: Outcome, **values: Any) -> Run:
    """A row of a program."""
    trial = next(trial for trial in TRIALS if trial.learning_rate == rate)
    usual = {
        **{"steps": 40, "seconds": 4.0, "step_seconds": 0.1, "startup": 2.0, "first_step": 0},
        **{"seconds_source": "measured", "engine": "program", "jobs": 1, "quiet": True},
    }
    return replace(RUN, trial=trial, outcome=outcome, **{**usual, **values})


ROWS = [
    run(0.01, Outcome.CAPPED, steps=100, seconds=10.0),
    run(0.1, Outcome.REACHED),
    run(1.0, Outcome.DIVERGED, steps=0, seconds=0.0, step_seconds=None),
]


def said(*rows: Run) -> str:
    """The sentences on these rows."""
    return " | ".join(of_programs(tables.frame(rows)))


def test_rows_of_one_program_at_a_time_say_nothing() -> None:
    """They began at step 0, and spent their budget; nor do rows of anything else."""
    assert said(*ROWS) == ""
    assert list(of_programs(tables.frame([]))) == []
    assert list(of_programs(tables.frame([RUN]))) == []


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"jobs": 3}, "3 programs ran at a time: seconds were read beside 2 others"),
        ({"first_step": 25}, "the first report of 3 trials was at step 25: the seconds of the"),
    ],
)
def test_what_the_clock_did_not_see_is_said(changes: dict[str, Any], sentence: str) -> None:
    """And no more than that."""
    told = said(*(replace(row, **changes) for row in ROWS))
    assert sentence in told
    assert " | " not in told


def test_seconds_beside_different_numbers_are_not_of_one_kind() -> None:
    """Steps are."""
    told = said(ROWS[0], replace(ROWS[1], jobs=2))
    assert told.startswith("programs ran 1 and 2 at a time: their seconds are not of one kind")


def test_a_program_that_gave_up_by_itself_is_told_apart() -> None:
    """From one that spent its seconds, or its steps."""
    early = replace(ROWS[0], steps=60, seconds=6.0)
    assert "1 program ended without the target before the budget" in said(early, *ROWS[1:])
    assert said(replace(early, seconds=60.0)) == ""


def test_a_budget_in_steps_takes_the_step_time_of_others() -> None:
    """Where a trial ended before a step took a time."""
    assert budget(tables.frame(ROWS)).tolist() == [10.0, 10.0, 10.0]


def stored(folder: Path) -> Store:
    """Those rows and what their checks saw, at steps of the program's own."""
    store = Store(folder)
    with store.writing():
        store.write_spec(SPEC, "digest")
        for row in ROWS:
            steps = () if row.outcome is Outcome.DIVERGED else (0, 15, 40)
            told = Watched(steps, tuple(0.1 * step for step in steps), 2.0, 0, 0.5)
            values = (0.1, 0.2, 0.5)[: len(steps)]
            loss = values if row.outcome is Outcome.REACHED else ()
            store.append(row, Finish(0, row.outcome, 40, 4.0, values, loss, told))
    return store


def test_checks_stand_at_the_steps_of_the_program(tmp_path: Path) -> None:
    """With their seconds; a loss that is not told is no number."""
    store = stored(tmp_path)
    table = tables.checks(tmp_path)
    mine = table[table["id"] == ROWS[1].id]
    assert mine["step"].tolist() == [0, 15, 40]
    assert mine["seconds"].tolist() == [0.0, 1.5, 4.0]
    assert mine["loss"].tolist() == [0.1, 0.2, 0.5]
    other = table[table["id"] == ROWS[0].id]
    assert other["loss"].isna().all()
    assert store.checks()[ROWS[2].id].steps == ()


def test_a_look_is_as_long_as_between_two_reports(tmp_path: Path) -> None:
    """The median of its own; of one report nothing is known but the step."""
    stored(tmp_path)
    looks = tables.look_seconds(tables.load(tmp_path))
    assert looks.tolist()[:2] == pytest.approx([2.0, 2.0])
    assert math.isnan(looks.tolist()[2])
    assert Checks("x", 1, (0.5,), (), (7,)).look != Checks("x", 1, (0.5,), (), (7,)).look
    assert Checks("x", 50, (0.5,), (0.1,)).look == 50


def test_a_figure_says_what_ran_and_beside_how_many(tmp_path: Path) -> None:
    """The program by its script, the metric by its own name."""
    stored(tmp_path)
    runs = tables.load(tmp_path)
    for jobs, words in ((1, "read off the clock"), (3, "read off the clock, beside 2 others")):
        figure = figures.valley(runs.assign(jobs=jobs))
        texts = " ".join(text.get_text() for text in figure.texts)
        assert f"program sh, 3 trials, 1 seed · {RUN.machine} · seconds: {words}" in texts
        assert "batch" not in texts
        assert any("to 90 % accuracy" in axes.get_ylabel() for axes in figure.axes)


def test_a_row_has_what_only_a_program_has_where_it_is_one() -> None:
    """Rows of other trials stay as they were."""
    assert {"startup", "first_step"} <= set(ROWS[0].to_json())
    assert not {"startup", "first_step"} & set(RUN.to_json())
    assert Run.from_json(ROWS[0].to_json()) == ROWS[0]
    assert "steps" not in Checks("x", 50, (0.5,), (0.1,)).to_json()
    assert not {"startup", "first_step"} & set(tables.frame([RUN]))
    assert tables.frame([RUN, ROWS[0]])["startup"].count() == 1
