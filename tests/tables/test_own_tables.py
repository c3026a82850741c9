"""Tables of studies of the user's own model: any optimizer, any metric, sizes half known."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import pandas as pd
import pytest

from study import tables
from study.errors import StudyError
from study.spec.study import StudySpec
from study.storage.jsonl import append_line
from study.storage.records import Outcome
from study.storage.store import Store
from study.tables import compare, contests
from study.tables.files import TABLES
from support.own.studies import (
    ACCURACY,
    BEST,
    LION,
    LOSS,
    NESTEROV,
    SIZES,
    WIDTHS,
    frame,
    nothing,
    own,
    runs_of,
    stored,
)

BOTH = pytest.mark.parametrize("spec", [LOSS, ACCURACY], ids=["loss", "accuracy"])
SHARES = pytest.mark.parametrize("share", [1.0, 0.4], ids=["finished", "half-finished"])
IN_ORDER = {"loss": ["sgd", "adamw", LION, NESTEROV], "accuracy": ["adam", "adamw", LION]}


@BOTH
@SHARES
def test_every_table_has_the_optimizers_in_one_order(
    spec: StudySpec, share: float, tmp_path: Path
) -> None:
    """The known ones first, then the others as the study names them, whichever ended first."""
    folder = stored(tmp_path / "own", spec, share)
    order = IN_ORDER[spec.name]
    runs = tables.load(folder)
    assert list(runs["optimizer"].cat.categories) == order
    assert set(runs["model"]) == {"my_model.py:build"}
    assert set(runs["data"]) == {"my_model.py:data"}
    for name in ("valley", "cells", "best", "profile"):
        found = list(dict.fromkeys(TABLES[name](runs)["optimizer"].astype(str)))
        assert found == [name for name in order if name in found]
    assert set(tables.envelope(runs)["fastest_optimizer"].dropna()) <= set(order)
    assert {path.stem for path in tables.write(folder)} == {
        *TABLES,
        *(["targets"] if spec is ACCURACY else []),
    }
    assert tables.costs(runs, [])["one_by_one_seconds"] > 0
    assert isinstance(tables.warnings(folder), list)


@BOTH
def test_the_best_rates_are_those_of_the_made_up_truth(spec: StudySpec) -> None:
    """To the grid's step."""
    found = tables.best(frame(spec)).set_index("optimizer")
    for name in spec.optimizers:
        assert found.loc[name, "best_rate"] == pytest.approx(BEST[name][0], rel=0.01)
        assert found.loc[name, "seconds"] == pytest.approx(BEST[name][1], rel=0.1)


@BOTH
def test_every_outcome_is_among_the_made_up_ones(spec: StudySpec) -> None:
    """So that each is read somewhere."""
    ends = {run.outcome for run in runs_of(spec)}
    assert ends == set(Outcome) if spec is LOSS else ends < set(Outcome)


def test_what_nothing_reached_is_told_by_the_metrics_name() -> None:
    """The nearest is the one of the least loss, or of the highest accuracy; what helps lies on the
    other side.
    """
    (loss,) = tables.unreached(tables.frame(nothing(LOSS)))
    assert loss == (
        "no trial reached validation loss 0.3 or less (44 capped); the best was "
        f"{NESTEROV} at 1 with validation loss 0.321. The budget allowed 6,000 steps of 10 ms: a "
        "larger one (--cap 120), or a higher --target, in another --out, would show more"
    )
    (accuracy,) = tables.unreached(tables.frame(nothing(ACCURACY)))
    assert accuracy.startswith(f"no trial reached 90 % (33 capped); the best was {LION} at 1 with ")
    assert "73.8 %. The budget" in accuracy
    assert "or a lower --target" in accuracy


def test_a_curve_far_from_its_target_collapsed_only_where_that_is_known(tmp_path: Path) -> None:
    """Twenty points below an accuracy are far; of a loss nobody knows, and diverging alone is."""
    found = {}
    for spec in (LOSS, ACCURACY):
        study = tables.stored(stored(tmp_path / spec.name, spec))
        runs = study.runs
        found[spec.name] = set(runs[runs["unstable"]]["optimizer"])
        said = [text for text in tables.warnings(study) if "collapsed" in text]
        assert len(said) == 3
        assert all(text.startswith(f"{next(iter(found[spec.name]))} at its best") for text in said)
    assert found == {"loss": {"sgd"}, "accuracy": {LION}}


def test_looking_back_on_pruning_needs_an_accuracy(tmp_path: Path) -> None:
    """It extrapolates one."""
    study = tables.stored(stored(tmp_path / "own", ACCURACY))
    found = tables.hindsight(study.runs, study.checks)
    assert list(found["optimizer"]) == IN_ORDER["accuracy"]
    study = tables.stored(stored(tmp_path / "loss", LOSS))
    with pytest.raises(StudyError, match="these trials train for validation loss"):
        tables.hindsight(study.runs, study.checks)


def test_sizes_are_fitted_by_what_is_known_of_them(tmp_path: Path) -> None:
    """By weights and width; multiply-adds that are not known are refused, known ones are taken."""
    folder = stored(tmp_path / "own", SIZES)
    runs = tables.load(folder)
    assert set(runs["multiply_adds"]) == {1}
    for by in ("weights", "width"):
        lines = tables.sizes(runs, by)
        assert set(lines["optimizer"]) == {LION}
        assert set(lines["shape"]) == {"line"}
        assert "sizes.csv" in {path.name for path in tables.write(folder, by=by)}
    with pytest.raises(StudyError, match="multiply-adds of this model are not known"):
        tables.write(folder, by="multiply_adds")
    known = SIZES.with_(own=own(WIDTHS))
    assert len(tables.sizes(frame(known), "multiply_adds")) == len(SIZES.rates)


def test_two_studies_of_ones_own_are_compared(tmp_path: Path) -> None:
    """Where only the grid differs they are alike; another model is another measurement."""
    first, second = stored(tmp_path / "a", LOSS), stored(tmp_path / "b", LOSS.with_(seeds=2))
    sides, said = compare.sides([first, second])
    assert said == []
    assert set(compare.ratios(sides)["optimizer"]) == set(LOSS.optimizers)
    changed = stored(tmp_path / "c", LOSS.with_(network="own:ffffffff"))
    with pytest.raises(StudyError) as error:
        compare.sides([first, changed])
    assert (
        "differ in network (network: my_model.py:build (own:0123abcd) and my_model.py:build "
        "(own:ffffffff))"
    ) in str(error.value)
    for field, value in (("metric", "val_accuracy"), ("goal", "at-least"), ("loss", "mae")):
        other = stored(tmp_path / field, LOSS.with_(**{field: value, "target": 0.3}))
        with pytest.raises(StudyError, match=f"differ in {field}"):
            compare.sides([first, other])


def test_a_pick_keeps_the_settings_of_its_optimizer(tmp_path: Path) -> None:
    """Each optimizer has a configuration of its own, which makes the trial."""
    spec = LOSS.with_(seeds=1)
    grid, folder = stored(tmp_path / "grid", spec), tmp_path / "contest"
    store, base = Store(folder), spec.trials()[0]
    with store.writing():
        store.settle("contest.json", {"protocol": spec.to_json()}, "contest")
        for name in spec.optimizers:
            pick = contests.Pick(name, "finder", "tenth", 0, 0.02, "", 100)
            append_line(folder / contests.PICKS, {"seed": 0, "picks": [asdict(pick)]})
            trial = contests.trial_of(pick, base, spec.own)
            assert trial is not None
            assert trial.config == f'{{"name": "{name}"}}'
            store.append(replace(runs_of(spec)[0], trial=trial, outcome=Outcome.REACHED,
                                 seconds=2.0, seconds_source="measured",
                                 accuracy=0.2, best_accuracy=0.2))  # fmt: skip
    table = contests.table(grid, folder)
    assert list(table["optimizer"]) == list(spec.optimizers)
    assert set(table["outcome"]) == {"reached"}
    assert contests.standing(folder).strays == []
    assert contests.standing(folder).stored == len(spec.optimizers)
    assert pd.notna(contests.summary(table)["regret"]).all()
