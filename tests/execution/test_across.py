"""One machine takes the steps of another: the same cap in steps, and a check that holds both."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from study import tables
from study.errors import StudyError
from study.execution import driver
from study.execution.across import across, choose, compared, ratio_of
from study.execution.request import Request
from study.execution.study_folder import open_study, reference_of
from study.machine.here import this_machine, this_site
from study.storage.across import checks_of
from study.storage.records import Outcome
from study.storage.store import Store
from study.training.verification import Verification
from support.driving import SPEC, engine, run
from support.made import made_runs

pytestmark = pytest.mark.slow

CAPPED = SPEC.with_(cap=0.01, max_steps=None, rates=(0.001, 0.1, 1.0))


def elsewhere(folder: Path, factor: float = 1.0) -> Path:
    """The study as another machine would have stored it; a step takes `factor` times as long."""
    store, mine = Store(folder), this_machine()
    for path in (store.runs_path, store.spec_path, folder / "calibration.json"):
        text = path.read_text().replace(mine.fingerprint, "0000ffff")
        path.write_text(text.replace(f'"machine": "{mine.name}"', '"machine": "elsewhere"'))
    path = folder / "calibration.json"
    times = json.loads(path.read_text())
    for time in times:
        for name in ("seconds", "low", "high"):
            time[name] *= factor
    path.write_text(json.dumps(times))
    return folder


def test_another_machine_trains_under_the_same_cap_in_steps(tmp_path: Path) -> None:
    """Four times as fast, it takes no more steps than the reference would in the cap; its rows say
    who trained and whose clock counts.
    """
    whole = run(CAPPED, tmp_path / "whole")
    times = [
        time["seconds"] for time in json.loads((whole.folder / "calibration.json").read_text())
    ]
    store = run(CAPPED.with_(seeds=1), tmp_path / "half")
    elsewhere(store.folder)
    run(CAPPED, store.folder)
    assert len(store.runs()) == len(CAPPED)
    new = [one for one in store.runs() if one.trial.seed == 1]
    assert {one.fingerprint for one in new} == {this_machine().fingerprint}
    assert {(one.clock, one.clock_machine) for one in new} == {("0000ffff", "elsewhere")}
    by_trial = {one.id: one for one in store.runs()}
    for one in new:
        twin = by_trial[replace(one.trial, seed=0).id]
        assert one.step_seconds == twin.step_seconds
        assert (one.outcome, one.steps) == (twin.outcome, twin.steps), "parabolas have no seed"
    assert store.reference() == reference_of(store.folder)
    assert len(set(times)) > 1
    assert set(tables.load(store.folder)["clock_machine"]) == {"elsewhere"}


def test_a_study_takes_the_reference_that_is_named(tmp_path: Path) -> None:
    """Its step times come along, so that the folder stands by itself; another one is refused."""
    first = elsewhere(run(CAPPED, tmp_path / "first").folder, factor=10)
    request = Request(CAPPED, tmp_path / "second", factory=engine, workers=1, reference=first)
    driver.run(request, progress=False)
    second = Store(tmp_path / "second")
    assert second.reference() == Store(first).reference()
    assert {one.clock for one in second.runs()} == {"0000ffff"}
    stored = {
        time["fingerprint"] for time in json.loads((second.folder / "calibration.json").read_text())
    }
    assert "0000ffff" in stored
    driver.run(replace(request, reference=None), progress=False)
    mine = run(CAPPED, tmp_path / "mine")
    twin = Store(tmp_path / "twin")
    driver.run(replace(request, out=twin.folder, reference=mine.folder), progress=False)
    theirs, ours = ({one.id: one.step_seconds for one in store.runs()} for store in (mine, twin))
    assert theirs == ours, "on the same kind of machine nothing is measured again"
    with pytest.raises(StudyError, match=r"counts seconds by .*, and --reference .* leave it out"):
        open_study(replace(request, out=mine.folder), [this_site()])
    with pytest.raises(StudyError, match="holds no step times"):
        open_study(replace(request, out=tmp_path / "new", reference=tmp_path), [this_site()])


def test_a_step_time_of_the_reference_that_is_missing_is_told(tmp_path: Path) -> None:
    """Nothing is trained under a cap that nobody knows."""
    store = run(CAPPED.with_(optimizers=("sgd",)), tmp_path / "small")
    elsewhere(store.folder)
    before = store.runs_path.read_bytes()
    with pytest.raises(StudyError, match=r"step time of adam on the compact network .* calibrate"):
        run(CAPPED, store.folder)
    assert store.runs_path.read_bytes() == before


def test_trials_of_another_machine_are_trained_again_and_compared(tmp_path: Path) -> None:
    """Parabolas take the same steps anywhere; the check is stored, and the tables tell it."""
    store = run(CAPPED, tmp_path / "study")
    with pytest.raises(StudyError, match="no trial that another kind of machine"):
        across(store.folder, 12, 0, factory=engine)
    elsewhere(store.folder)
    checks, found = across(store.folder, 8, 0, factory=engine)
    assert found.trials == len(checks) == 8
    assert (found.same_outcomes, found.ratio, found.low, found.high) == (8, 1.0, 1.0, 1.0)
    assert found.agrees
    assert checks_of(store.folder) == [found]
    assert {check.run.outcome for check in checks} >= {Outcome.REACHED}


def test_the_draw_is_spread_over_the_valley() -> None:
    """Over optimizers and rates; trials that spent their budget are left out."""
    spec = SPEC.with_(rates="1e-3:1:8", seeds=1, widths=(1,), cap=100.0)
    runs = made_runs(spec, lambda trial: "capped" if trial.learning_rate < 0.01 else 4.0)
    chosen = choose(runs, 9, 0)
    assert len(chosen) == 7, "three quarters, and nobody died"
    assert {run.trial.optimizer for run in chosen} == set(spec.optimizers)
    assert all(run.outcome is Outcome.REACHED for run in chosen)
    assert choose(runs, 9, 0) == chosen
    assert len(choose(runs, 10_000, 0)) == sum(run.outcome is Outcome.REACHED for run in runs)


def test_outcomes_are_counted_and_ratios_are_of_arrivals_alone() -> None:
    """By hand: two arrivals of twice and half the steps, one that ended otherwise."""
    runs = made_runs(SPEC.with_(seeds=1, widths=(1,), cap=100.0), lambda trial: 4.0)[:3]
    checks = [
        Verification(runs[0], "reached", 2 * (runs[0].steps or 0), 1.0),
        Verification(runs[1], "reached", (runs[1].steps or 0) // 2, 1.0),
        Verification(runs[2], "stuck", 500, 1.0),
    ]
    found = compared(checks, this_site(), "2026-01-01T00:00:00+00:00")
    assert (found.trials, found.same_outcomes, found.both) == (3, 2, 2)
    assert found.ratio == pytest.approx(1.0)
    assert found.low is None
    assert not found.agrees, "two trials show nothing"
    assert "2 of 3 trials ended alike, and took 1.00 times the steps" in str(found)


@pytest.mark.parametrize("noise", ["normal", "laplace"])
@pytest.mark.parametrize("n", [3, 9])
def test_the_interval_covers_as_often_as_it_says(noise: str, n: int) -> None:
    """95 % of 4,000 simulated checks, within what that number of checks can tell."""
    random = np.random.default_rng(0)
    draws = getattr(random, noise)(0.0, 0.2, size=(4000, n))
    hits = 0
    for row in draws:
        _, low, high = ratio_of(list(np.exp(0.1 + row)))
        assert low is not None
        assert high is not None
        hits += low <= np.exp(0.1) <= high
    assert 0.94 <= hits / 4000 <= 0.98
