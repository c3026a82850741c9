"""Rows of runs: what is in them, and that old ones still load."""

from __future__ import annotations

import json
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from study.machine import device
from study.machine.here import this_site
from study.storage.jsonl import LARGEST
from study.storage.records import SCHEMA, Finish, Outcome, Run
from study.training.group import Context, train
from study.training.stopwatch import Stopwatch
from support.driving import SPEC
from support.parabola import ParabolaEngine
from support.records import RUN, TRIALS

FIELDS = [
    "id",
    "study",
    "optimizer",
    "learning_rate",
    "width",
    "seed",
    "network",
    "weights",
    "multiply_adds",
    "outcome",
    "steps",
    "seconds",
    "seconds_source",
    "step_seconds",
    "accuracy",
    "best_accuracy",
    "target",
    "metric",
    "cap_seconds",
    "mode",
    "error",
    "machine",
    "versions",
    "started_at",
]

finite = st.floats(0, LARGEST)
runs = st.builds(
    lambda trial, **values: replace(RUN, trial=trial, **values),
    st.sampled_from(TRIALS),
    outcome=st.sampled_from(Outcome),
    steps=st.integers(0, 10**9),
    seconds=finite,
    step_seconds=st.none() | finite,
    accuracy=st.none() | st.floats(0, 1),
    error=st.none() | st.text(max_size=200),
    study=st.text(max_size=20),
)


def test_a_row_has_the_promised_fields() -> None:
    """One flat JSON object with a schema number."""
    row = RUN.to_json()
    assert set(FIELDS) <= set(row)
    assert row["schema"] == SCHEMA
    assert row["cap_seconds"] == RUN.trial.cap
    assert row["id"] == RUN.trial.id


@given(runs)
def test_a_run_survives_the_disk_format(run: Run) -> None:
    """To JSON and back, errors of any text included."""
    line = json.dumps(run.to_json(), allow_nan=False)
    assert "\n" not in line
    assert Run.from_json(json.loads(line)) == run


def test_a_run_from_before_devices_and_engines_were_recorded_still_loads() -> None:
    """As one of an unknown device, by the only engine that there was."""
    emitted: list[Run] = []

    def keep(run: Run, finish: Finish | None) -> None:
        emitted.append(run)

    train(
        SPEC.trials()[:1],
        [0.1],
        ParabolaEngine(),
        Context("s", this_site(), 1, device.CPU),
        keep,
        Stopwatch(),
    )
    row = emitted[0].to_json()
    assert Run.from_json(row).device == "cpu"
    for name in ("device", "engine", "precision"):
        del row[name]
    old = Run.from_json(row)
    assert (old.device, old.engine, old.precision) == (None, "tensorflow", "float32")
