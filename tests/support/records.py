"""A run and the end of a lane, to be changed by `dataclasses.replace`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from study.spec.study import StudySpec
from study.storage.checks import Finish
from study.storage.records import Outcome, Run

TRIALS = StudySpec(rates="1e-3:10:5", max_steps=500).trials()

RUN = Run(
    trial=TRIALS[0],
    study="test",
    weights=3371,
    multiply_adds=81490,
    outcome=Outcome.REACHED,
    steps=150,
    seconds=0.3,
    seconds_source="reconstructed",
    step_seconds=0.002,
    accuracy=0.98,
    best_accuracy=0.98,
    error=None,
    lanes=6,
    jobs=1,
    machine="test-machine",
    fingerprint="0123abcd",
    versions={"python": "3.11"},
    started_at="2026-01-01T00:00:00+00:00",
    processor="6.143.8",
    quiet=True,
)


def after(steps: int, **changes: Any) -> Run:
    """The run, ended after so many steps."""
    return replace(RUN, steps=steps, seconds=steps * (RUN.step_seconds or 0.0), **changes)


FINISH = Finish(0, Outcome.REACHED, 150, 0.3, (0.5, 0.9, 0.98), (2.0, 0.5, 0.1))
