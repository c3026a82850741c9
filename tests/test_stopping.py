"""A stop whose exception is lost is raised again at the next check of whatever loop runs."""

from __future__ import annotations

import ast
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from study import stopping
from study.engines.learner import Learner
from study.errors import StudyError
from study.execution import driver
from study.execution.request import Request
from study.search.budgeted import random_search
from study.search.finder import sweep
from study.search.halving import halve
from study.search.keras.finder import find_rate
from study.search.population import Settings, train
from study.search.staircase import SEARCHES, search
from study.spec.trial import Trial
from study.stopping import heed, stoppable
from study.storage.rounds import Rounds
from study.storage.store import Store
from study.training.loop import train_lanes
from study.training.timing import time_round
from support.driving import SMALL, endless
from support.parabola import Deaf, Parabola, ParabolaEngine
from support.paths import STUDY


@pytest.fixture(autouse=True)
def _no_stop_is_left() -> Iterator[None]:
    handler = signal.getsignal(signal.SIGINT)
    yield
    assert signal.getsignal(signal.SIGINT) is handler
    heed()


def timed(learner: Learner) -> None:
    """Two rounds of a step time."""
    for _ in range(3):
        time_round(Rounds([], 5), learner, 5, 1, iter(range(10)).__next__)


LOOPS: dict[str, Callable[[Learner], Any]] = {
    "the race": lambda learner: list(train_lanes(learner, [1e-6], target=2, max_steps=500)),
    "finder": lambda learner: sweep(learner, 1e-9, 1e-6, 200),
    "staircase": lambda learner: search(learner, SEARCHES["coarse"], 1),
    "halving": lambda learner: halve(learner, 1e5),
    "population": lambda learner: train(
        learner, Settings(members=1, rounds=3, ready=50), np.random.default_rng(0)
    ),
    "random search": lambda learner: random_search(
        lambda lanes: learner, 1e-6, 1e-3, 4800, np.random.default_rng(0)
    ),
    "timing": timed,
}


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("error", [None, RuntimeError, StudyError])
def test_a_lost_stop_ends_every_loop_of_training(loop: str, error: type[Exception] | None) -> None:
    """At its next check, whether the exception vanished or became an error of a library."""
    learner = Deaf([1.0] * (12 if loop == "random search" else 1))
    learner.error = error
    with pytest.raises(KeyboardInterrupt), stoppable():
        LOOPS[loop](learner)
    assert learner.calls.count("advance") == (2 if error is None else 1)
    heed()


def test_every_function_that_advances_lanes_heeds_a_stop() -> None:
    """So that the list above is whole; the engines compile and tune by short calls."""
    for path in sorted(STUDY.rglob("*.py")):
        if "engines" in path.parts and path.name != "learner.py":
            continue
        for function in ast.walk(ast.parse(path.read_text())):
            if isinstance(function, ast.FunctionDef):
                called = [
                    getattr(node.func, "attr", getattr(node.func, "id", ""))
                    for node in ast.walk(function)
                    if isinstance(node, ast.Call)
                ]
                if "advance" in called and function.name not in ("probe", "_step_times"):
                    assert "heed" in called, f"{path}: {function.name}"


@pytest.mark.parametrize("error", [None, RuntimeError])
def test_a_lost_stop_fails_no_trial(folder: Path, error: type[Exception] | None) -> None:
    """The study ends, and no trial is recorded as failed for it."""

    class Engine(ParabolaEngine):
        def learner(self, trials: Sequence[Trial]) -> Parabola:
            learner = Deaf([1e-9] * len(super().learner(trials).c))
            learner.error = error
            return learner

    with pytest.raises(KeyboardInterrupt):
        driver.run(
            Request(SMALL, folder, factory=lambda images: Engine(), workers=1), progress=False
        )
    assert not [run for run in Store(folder).runs() if run.outcome.value == "failed"]


@pytest.mark.slow
def test_a_driver_that_waits_for_workers_heeds_a_lost_stop(folder: Path) -> None:
    """Its workers would train for a minute."""
    later = threading.Timer(3.0, stopping.ask, (KeyboardInterrupt,))
    later.start()
    with pytest.raises(KeyboardInterrupt):
        driver.run(Request(SMALL, folder, factory=endless, workers=2), progress=False)
    later.cancel()


@pytest.mark.slow
def test_the_finder_on_a_model_heeds_a_lost_stop() -> None:
    """A callback of the model's own swallows it; the model is as it was."""
    import keras

    class Careless(keras.Model):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.dense, self.steps = keras.layers.Dense(1), 0

        def call(self, x: Any) -> Any:
            return self.dense(x)

        def train_step(self, data: Any) -> Any:
            self.steps += 1
            if self.steps == 3:
                with suppress(KeyboardInterrupt):
                    signal.raise_signal(signal.SIGINT)
            return super().train_step(data)

    model = Careless()
    model.compile("sgd", "mse", run_eagerly=True)
    x = np.ones((64, 2), "float32")
    model(x)
    before = model.get_weights()
    with pytest.raises(KeyboardInterrupt):
        find_rate(model, x, x[:, :1], steps=50)
    assert model.steps == 3
    for weight, was in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, was)


def test_without_a_stop_nothing_changes() -> None:
    """Errors pass, results too, and in a thread signals are left alone."""
    with pytest.raises(ZeroDivisionError), stoppable():
        1 / 0  # noqa: B018
    seen: list[int] = []

    @stoppable()
    def work() -> None:
        seen.append(1)

    work()
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [1, 1]
