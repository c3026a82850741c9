"""Trials that raise, need too much memory or hang."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from study.data.images import Images
from study.engines.learner import Floats
from study.errors import StudyError
from study.execution import driver
from study.execution.request import Request
from study.spec.trial import Trial
from study.storage.records import Outcome
from study.storage.store import Store
from study.training.programs import HUNG
from support.driving import SMALL, TIMES, Tally, engine, results, run
from support.parabola import Parabola, ParabolaEngine

pytestmark = pytest.mark.slow


def failures(store: Store, whole: Store, rate: float) -> int:
    """Trials of other rates that are not as in the other study, and of this one that are not
    recorded as failed.
    """
    found = {one.id: one for one in store.runs()}
    return sum(
        (found[one.id].outcome is not Outcome.FAILED)
        if one.trial.learning_rate == rate
        else (found[one.id].outcome, found[one.id].steps) != (one.outcome, one.steps)
        for one in whole.runs()
    )


def test_trials_that_raise(tmp_path: Path, whole: Store, tally: Tally) -> None:
    """Recorded as failed, with the error; the array is halved until they stand alone; --retry
    trains them again.
    """
    rates, gone = [trial.learning_rate for trial in SMALL.trials()[1 : len(SMALL.rates)]], 0
    for i in range(TIMES):
        rate = rates[i % len(rates)]  # never the first, which is timed
        store = run(SMALL, tmp_path / str(i), partial(engine, breaks=(rate,)))
        gone += failures(store, whole, rate)
        assert {one.error for one in store.runs() if one.outcome is Outcome.FAILED} == {
            f"RuntimeError: no parabola at {rate}"
        }
    driver.run(Request(SMALL, store.folder, factory=engine, workers=1, retry=True), progress=False)
    assert results(store) == results(whole)
    tally("trials that raise", TIMES, gone)


class Greedy(ParabolaEngine):
    """Asks for more memory than any address space has, for more than four lanes or for the rate."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def learner(self, trials: Sequence[Trial]) -> Parabola:
        if len(trials) > 4 or self.rate in (trial.learning_rate for trial in trials):
            np.ones(2**50)
        return super().learner(trials)


def test_trials_that_are_out_of_memory(tmp_path: Path, whole: Store, tally: Tally) -> None:
    """Halved until they fit; that which does not fit alone has failed, with the reason."""
    gone = 0
    for i in range(TIMES):
        rate = SMALL.trials()[1 + i % (len(SMALL.rates) - 1)].learning_rate
        store = run(SMALL, tmp_path / str(i), lambda images, rate=rate: Greedy(rate))  # type: ignore[misc]
        gone += failures(store, whole, rate)
        assert all(
            "Unable to allocate" in (one.error or "")
            for one in store.runs()
            if one.outcome is Outcome.FAILED
        )
    tally("trials that are out of memory", TIMES, gone)


def hanging(images: Images, rate: float, driver_process: int) -> ParabolaEngine:
    """An engine whose workers hang in the C library in every array with that rate."""

    class Hanging(Parabola):
        def advance(self, rates: Floats, momenta: Floats | None = None) -> tuple[Floats, Floats]:
            if rate in rates:
                ctypes.CDLL(None).pause()
            return super().advance(rates, momenta)

    class Engine(ParabolaEngine):
        def learner(self, trials: Sequence[Trial]) -> Parabola:
            plain = super().learner(trials)
            return plain if os.getpid() == driver_process else Hanging(list(plain.c))

    return Engine()


def test_trials_that_hang(tmp_path: Path, tally: Tally) -> None:
    """Their worker is ended, the array's other trials train on, and they are recorded as failed."""
    spec = SMALL.with_(optimizers=("sgd",), widths=(1.0,), seeds=1)
    whole, gone = run(spec, tmp_path / "whole"), 0
    for i in range(TIMES):
        rate = spec.trials()[1 + i % (len(spec.rates) - 1)].learning_rate
        factory = partial(hanging, rate=rate, driver_process=os.getpid())
        driver.run(Request(spec, tmp_path / str(i), factory=factory, silence=2.0), progress=False)
        store = Store(tmp_path / str(i))
        gone += failures(store, whole, rate)
        (failed,) = [one for one in store.runs() if one.outcome is Outcome.FAILED]
        assert failed.error == f"{HUNG}: no check in 2 seconds"
        assert failed.lanes == 1
    tally("trials that hang in C, with `--hang-limit`", TIMES, gone)
    with pytest.raises(StudyError, match="two workers at least"):
        driver.run(Request(spec, tmp_path / "one", factory=engine, workers=1, silence=2.0))
