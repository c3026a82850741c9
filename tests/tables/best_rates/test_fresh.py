"""What the selected rates take on fresh seeds, and what is said of it and of late readings."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
from scipy import stats

from study import tables
from study.claims.evidence import Evidence, evidence
from study.spec.study import StudySpec
from study.spec.trial import Trial
from study.storage.jsonl import replace as write
from study.storage.store import Store
from study.tables.best_rates import CONFIRM, ONE_DRAW, confirmed
from support.made import made_runs, stored

SPEC = StudySpec(optimizers=("sgd", "adam", "rmsprop"), rates=(0.01, 0.1), cap=60.0)


def takes(trial: Trial) -> float | str:
    """The best rate is 0.1."""
    return 4.0 if trial.learning_rate == 0.1 else 20.0


TIMES: dict[str, list[float | str]] = {
    "sgd": [4.0, 5.0, 3.0, 4.0],
    "adam": [40.0, 41.0, 39.0, 40.0],
    "rmsprop": [4.0, "stuck", "stuck", 5.0],
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A study that was confirmed with four fresh seeds."""
    place = stored(tmp_path / "grid", SPEC, takes)
    fresh = SPEC.with_(rates=(0.1,), seeds=4)
    store = Store(place / CONFIRM)
    with store.writing():
        for run in made_runs(fresh, lambda t: TIMES[t.optimizer][t.seed]):
            trial = replace(run.trial, seed=5000 + run.trial.seed)
            store.append(replace(run, trial=trial), None)
    return place


def test_the_fresh_seeds_stand_beside_the_selection(folder: Path) -> None:
    """Medians, infinite where half did not arrive; the interval of one median, by hand."""
    study = tables.stored(folder)
    table = confirmed(study.runs, study.confirmed).set_index("optimizer")
    assert table["rate"].tolist() == [0.1] * 3
    assert table["seeds"].tolist() == [4, 4, 4]
    assert table["arrived"].tolist() == [4, 4, 2]
    assert table["seconds"].tolist() == [4, 40, math.inf]
    assert table["selected_seconds"].tolist() == [4, 4, 4]
    assert table["luck"].tolist() == [1, 10, math.inf]
    noise = tables.scatter(study.confirmed)
    assert noise == ONE_DRAW  # seven degrees of freedom are too few
    t = float(stats.t.isf(0.025, noise.freedom))
    factor = math.exp(noise.sd * math.sqrt(math.pi / 8) * t)
    assert table["seconds_low"].tolist() == pytest.approx(
        [4 / factor, 40 / factor, math.nan], nan_ok=True
    )
    assert table["seconds_high"].tolist() == pytest.approx(
        [4 * factor, 40 * factor, math.nan], nan_ok=True
    )
    assert confirmed(study.runs, study.confirmed.iloc[:0]).empty


def test_luck_is_told_among_the_warnings(folder: Path) -> None:
    """Of the rates that did not last; nothing without fresh seeds."""
    (said,) = [text for text in tables.warnings(folder) if "luck: on" in text]
    assert said == (
        "a best rate is partly luck: on 4 fresh seeds (study confirm) adam at 0.1 takes 40 s, not "
        "4 s; rmsprop at 0.1 arrives 2 times"
    )
    lasts = stored(folder / "other", SPEC, takes)
    assert not any("luck: on" in text for text in tables.warnings(lasts))


def test_the_claims_see_the_fresh_seeds_of_their_clock(folder: Path) -> None:
    """Those by another machine's step times are left out."""
    found = evidence(folder)
    assert isinstance(found, Evidence)
    assert len(found.confirmed) == 12
    text = (folder / CONFIRM / "runs.jsonl").read_text()
    (folder / CONFIRM / "runs.jsonl").write_text(
        text.replace('"reference": null', '"reference": "ffffffff"')
    )
    assert tables.stored(folder).confirmed.empty


@pytest.mark.parametrize(("measured", "count"), [("2026-01-01", 0), ("2099-01-01", 2)])
def test_a_step_time_that_came_after_the_trials_is_told(
    folder: Path, measured: str, count: int
) -> None:
    """Of the trials whose step time it is."""
    first = tables.stored(folder).all_records[0]
    reading = {
        "network": "compact", "width": 1.0, "scale_dense": False, "optimizer": "sgd",
        "hyper": first.trial.hyper, "batch": 100, "lanes": 1, "seconds": first.step_seconds,
        "low": 0.009, "high": 0.011, "rounds": 9, "steps": 20, "fingerprint": first.fingerprint,
        "software": first.software, "measured_at": f"{measured}T00:00:00+00:00", "jobs": 1,
    }  # fmt: skip
    write(folder / "calibration.json", json.dumps([reading]).encode())
    late = [text for text in tables.warnings(folder) if "after they had trained" in text]
    assert [text.partition(" trials of ")[0] for text in late] == (
        [f"{count} of 6"] if count else []
    )


def test_fresh_seeds_that_cannot_be_read_are_left_out(folder: Path) -> None:
    """The study itself is whole, and a warning says so."""
    path = folder / CONFIRM / "runs.jsonl"
    path.write_text(path.read_text() + "{broken}\n{}\n")
    assert tables.stored(folder).confirmed.empty
    (said,) = [text for text in tables.warnings(folder) if "left out" in text]
    assert said.startswith("the fresh seeds of confirm are left out: ")
    assert str(path) in said
    found = evidence(folder)
    assert isinstance(found, Evidence)
    assert found.confirmed.empty
