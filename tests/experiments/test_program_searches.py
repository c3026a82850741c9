"""Programs in the contest: each is run as far as a search asks for, and ends."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from study.engines.command.choice import Programs
from study.errors import StudyError
from study.experiments.contest import methods_for
from study.experiments.methods import METHODS
from study.experiments.programs import SEARCHES, ProgramLearner, ProgramSearch, held
from study.search import budgeted
from study.spec.program import program_in
from study.spec.study import StudySpec
from study.storage.checks import Finish, Watched
from study.storage.records import Outcome
from support.programs import ran, script, settled, spec_of

COUNTS = """
echo "$1" >> STARTS
i=0
while [ $i -le 3000 ]; do
  echo "{\\"step\\": $i, \\"accuracy\\": $(awk "BEGIN{print $1 * $i / 10000}"), \\"loss\\": 0.5}"
  i=$((i + 50))
done
"""
"""A program whose accuracy is rate x step / 10,000; it notes that it was started."""


def search(folder: Path, **values: object) -> tuple[ProgramSearch, StudySpec]:
    """Its engine, and a study of it."""
    text = COUNTS.replace("STARTS", str(folder / "starts"))
    spec = settled(spec_of(script(folder, text), **{"rates": (0.1, 1.0), **values}))
    return ProgramSearch(Programs(program_in(spec)), folder / "out"), spec


def starts(folder: Path) -> int:
    """How often the program was started."""
    return len((folder / "starts").read_text().splitlines())


def test_several_lanes_start_again_and_tell_the_same(tmp_path: Path) -> None:
    """Step by step the last report counts."""
    engine, spec = search(tmp_path)
    learner = engine.learner(spec.trials())
    assert learner.again
    _, first = learner.advance(np.ones((100, 2)))
    _, second = learner.advance(np.ones((50, 2)))
    assert first[[0, 48, 49, 98, 99], 1].tolist() == [0.0, 0.0, 0.005, 0.005, 0.01]
    assert second[[0, 49], 1].tolist() == [0.01, 0.015]
    np.testing.assert_allclose(second[:, 0], second[:, 1] / 10)
    assert starts(tmp_path) == 4
    learner.keep([1, 1])
    _, third = learner.advance(np.ones((50, 2)))
    assert third[-1].tolist() == [0.02, 0.02]
    assert starts(tmp_path) == 5
    assert not (tmp_path / "out" / "trials").exists()


def test_one_lane_goes_on(tmp_path: Path) -> None:
    """It is started once, and ended with its search."""
    engine, spec = search(tmp_path)
    learner = engine.learner(spec.trials()[1:])
    assert not learner.again
    for step in (50, 100, 150):
        _, values = learner.advance(np.ones((50, 1)))
        assert values[-1, 0] == pytest.approx(step / 10000)
    assert starts(tmp_path) == 1
    assert learner.run is not None
    engine.close()
    assert learner.run.child.over


def test_what_a_program_cannot_do_is_said(tmp_path: Path) -> None:
    """It keeps no state, and proves nothing."""
    engine, spec = search(tmp_path)
    learner = engine.learner(spec.trials())
    for call in (learner.evaluate, learner.snapshot, lambda: learner.restore(None)):
        with pytest.raises(StudyError, match="a program cannot go back"):
            call()
    assert not learner.stuck([0, 1]).any()
    with pytest.raises(StudyError, match="contest takes programs, by random search, successive"):
        Programs(program_in(spec)).learner(spec.trials())


def test_the_rungs_of_a_halving_are_counted_with_what_is_run_again(tmp_path: Path) -> None:
    """9 candidates to step 50, and 3 from the start to step 200: 450 and 600 steps."""
    engine, spec = search(tmp_path)
    (trial,) = spec.trials()[1:]

    def make(rates: object) -> ProgramLearner:
        from dataclasses import replace

        return engine.learner([replace(trial, learning_rate=float(rate)) for rate in rates])  # type: ignore[attr-defined]

    found = budgeted.successive_halving(make, 0.01, 1.0, 900, np.random.default_rng(0), 9)
    assert found.steps == 450 + 600
    assert starts(tmp_path) == 12
    rates = np.exp(np.random.default_rng(0).uniform(np.log(0.01), 0.0, 9))
    assert found.rate == pytest.approx(rates.max())


def test_a_program_that_fails_or_diverges_is_no_candidate() -> None:
    """Its losses are infinite; before the first report nothing is known of the metric."""
    told = Watched((10, 20), (0.0, 1.0))
    for outcome in (Outcome.FAILED, Outcome.DIVERGED):
        losses, _ = held(Finish(0, outcome, 20, 1.0, (0.5, 0.6), (), told), 0, 30)
        assert np.isinf(losses).all()
    losses, values = held(Finish(0, Outcome.CAPPED, 20, 1.0, (0.5, 0.6), (), told), 0, 30)
    assert losses.tolist() == [0.0] * 30
    assert math.isnan(values[8])
    assert values[[9, 18, 19, 29]].tolist() == [0.5, 0.5, 0.6, 0.6]


def test_the_methods_of_a_contest_on_programs(tmp_path: Path) -> None:
    """All stands for those that can be; one that cannot be is named."""
    _, spec = search(tmp_path)
    assert methods_for(spec, tuple(METHODS)) == SEARCHES
    assert methods_for(spec, ["optuna"]) == ["optuna"]
    with pytest.raises(StudyError, match="the method finder changes a rate or goes back"):
        methods_for(spec, ["optuna", "finder"])
    assert methods_for(StudySpec(), ["finder"]) == ["finder"]


@pytest.mark.slow
def test_a_contest_on_programs(tmp_path: Path) -> None:
    """Its picks train as programs do, and end in its tables."""
    from study.experiments.contest import run_contest

    text = COUNTS.replace("STARTS", "/dev/null").replace("10000", "1000")
    spec = spec_of(script(tmp_path, text), rates=(0.1, 0.5, 1.0), target=0.5, cap=60.0)
    store = ran(spec, tmp_path / "grid")
    table = run_contest(store.folder, tmp_path / "out", seeds=1, budget=1000, workers=1)
    assert set(table["method"]) == set(SEARCHES)
    assert (table["rate"] > 0.3).all()
    assert {run.trial.mode for run in ran(spec, store.folder).runs()} == {"alone"}
