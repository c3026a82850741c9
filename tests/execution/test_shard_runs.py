"""Runs of shares of a study, each in a folder of its own."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from study.data.images import Images
from study.errors import StudyError
from study.execution import driver
from study.execution.planning.shards import share
from study.execution.request import Request
from study.storage.calibration import Calibration
from study.storage.store import Store
from support.driving import SPEC, Results, engine, results
from support.parabola import MACHINE, ParabolaEngine, calibrated

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("shard", [(0, 8), (9, 8), (3, 0), (-1, 2)])
def test_a_share_that_is_none_is_refused(shard: tuple[int, int]) -> None:
    """By the request, in one sentence that names it."""
    with pytest.raises(StudyError, match=f"shard {shard[0]}/{shard[1]} must be I/N"):
        Request(SPEC, shard=shard)


def shard_of(folder: Path, shard: tuple[int, int]) -> Store:
    """The store after a run of a share."""
    request = Request(SPEC, folder, factory=engine, workers=1, shard=shard)
    driver.run(request, progress=False)
    return Store(folder)


def test_shares_trained_apart_are_the_study_trained_at_once(tmp_path: Path, whole: Results) -> None:
    """Each folder holds the whole spec, its own trials alone, and no validation curves."""
    found: Results = {}
    for number in (1, 2, 3):
        store = shard_of(tmp_path / str(number), (number, 3))
        mine = results(store)
        assert list(mine) != []
        assert set(mine) == {trial.id for trial in share(SPEC, (number, 3))}
        assert not set(mine) & set(found)
        assert store.spec() == SPEC
        assert store.curves() == []
        found |= mine
    assert found == whole


def test_a_share_of_all_trains_the_curves(folder: Path) -> None:
    """Shard 1/1 is the study."""
    assert {curve.optimizer for curve in shard_of(folder, (1, 1)).curves()} == set(SPEC.optimizers)


def test_shares_do_not_move_when_some_is_stored_or_measured(folder: Path, whole: Results) -> None:
    """A share that lost its last rows trains those; other step times change nothing."""
    store = shard_of(folder, (2, 3))
    done = results(store)
    lines = store.runs_path.read_text().splitlines(keepends=True)
    store.runs_path.write_text("".join(lines[:5]))
    calibrated(Calibration([folder / "calibration.json"], MACHINE, "9"), SPEC.trials(), 7.0)
    assert results(shard_of(folder, (2, 3))) == done
    shutil.rmtree(folder)
    assert results(shard_of(folder, (2, 3))) == done


def test_an_empty_share_succeeds_and_an_outlook_counts_the_share(folder: Path) -> None:
    """Nothing is trained, but the folder is one of the study."""

    def never(images: Images) -> ParabolaEngine:
        raise AssertionError("there is nothing to train")

    request = Request(SPEC, folder, factory=never, workers=1, shard=(9, 9))
    driver.run(request, progress=False)
    assert Store(folder).spec() == SPEC
    assert Store(folder).runs() == []
    assert driver.outlook(request).trials == 0
    look = driver.outlook(Request(SPEC, folder, factory=engine, workers=1, shard=(1, 3)))
    assert look.trials == len(look.plan.pending) == len(share(SPEC, (1, 3)))
