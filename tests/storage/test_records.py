"""Rows of runs: what is in them, and that old ones still load."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError, fields, is_dataclass, replace
from importlib import import_module
from pkgutil import walk_packages
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from study import storage
from study.errors import StudyError
from study.machine import device
from study.machine.here import this_site
from study.spec.study import StudySpec
from study.storage import records
from study.storage.checks import Checks, Curve, Finish
from study.storage.jsonl import LONGEST, Newer, convert
from study.storage.records import OF_OWN, OF_PROGRAMS, PROTOCOL, SCHEMA, Outcome, Run, Spent
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

runs = st.builds(
    lambda trial, **values: replace(RUN, trial=trial, **values),
    st.sampled_from(TRIALS),
    outcome=st.sampled_from(Outcome),
    steps=st.integers(0, 10**9),
    seconds=st.floats(0, LONGEST),
    seconds_source=st.just("measured"),
    step_seconds=st.none() | st.floats(0, LONGEST),
    accuracy=st.none() | st.floats(0, 0.98),
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


def test_what_was_stored_is_never_changed() -> None:
    """Nor is anything else that a module of storage gives."""
    names = [one.name for one in walk_packages(storage.__path__, f"{storage.__name__}.")]
    kinds = {
        kind
        for name in names
        for kind in vars(import_module(name)).values()
        if isinstance(kind, type) and is_dataclass(kind) and kind.__module__ in names
    }
    assert {Run, Checks, Curve, Spent, Finish} < kinds
    for kind in kinds:
        with pytest.raises(FrozenInstanceError):
            setattr(object.__new__(kind), fields(kind)[0].name, None)


def made(**changes: Any) -> dict[str, Any]:
    """A row whose trial has these values, under the id that goes with them."""
    return replace(RUN, trial=replace(RUN.trial, **changes)).to_json()


@pytest.mark.parametrize(
    ("name", "fine", "bad"),
    [
        ("learning_rate", [1e-36, 1e12], [1e-37, 0.0, 1.01e12]),
        ("width", [0.01, 100.0], [0.0, -1.0, 100.1]),
        ("seed", [0, 10_000], [-1, 10_001]),
        ("target", [0.01, 1.0], [0.0, 1.01]),
        ("batch", [1, 100], [0]),
    ],
)
def test_a_row_holds_a_trial_that_a_spec_could_hold(
    name: str, fine: list[Any], bad: list[Any]
) -> None:
    """The bounds are those of a spec."""
    for value in fine:
        row = {**made(**{name: value}), "best_accuracy": 1.0}
        assert getattr(Run.from_json(row).trial, name) == value
    for value in bad:
        with pytest.raises(StudyError, match=f"^{name.replace('_', ' ')}s? "):
            Run.from_json({**made(**{name: value}), "best_accuracy": 1.0})


@pytest.mark.parametrize("outcome", Outcome)
@pytest.mark.parametrize("best", [None, 0.9699999, 0.97, 0.98])
def test_only_what_reached_is_held_to_the_target(outcome: Outcome, best: float | None) -> None:
    """Exactly the target is reached; a row without accuracies is believed."""
    row = replace(RUN, outcome=outcome, accuracy=0.9, best_accuracy=best).to_json()
    if outcome is Outcome.REACHED and best == 0.9699999:
        with pytest.raises(StudyError) as told:
            Run.from_json(row)
        assert str(told.value) == (
            "the outcome is reached, and the best accuracy 0.97 is below the target 0.97: the row "
            "was altered"
        )
    else:
        assert Run.from_json(row).best_accuracy == best


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"steps": 7}, "0.3 seconds are not 7 steps of 0.002 s"),
        ({"seconds": 3e-4}, "0.0003 seconds are not 150 steps of 0.002 s"),
        ({"step_seconds": 0.004}, "0.3 seconds are not 150 steps of 0.004 s"),
        ({"accuracy": 0.99}, "the accuracy 0.99 is better than the best, 0.98"),
    ],
)
def test_a_row_that_contradicts_itself_was_altered(changes: dict[str, Any], said: str) -> None:
    """Seconds that were read off a clock need be no steps of one length."""
    row = {**RUN.to_json(), **changes}
    with pytest.raises(StudyError) as told:
        Run.from_json(row)
    assert str(told.value) == f"{said}: the row was altered"
    if "accuracy" not in changes:
        assert Run.from_json({**row, "seconds_source": "measured"})


@pytest.mark.parametrize("name", ["id", "cap_seconds"])
def test_what_only_a_row_has_must_be_there(name: str) -> None:
    """It is not called by another name, and an id is that of its fields."""
    row = RUN.to_json()
    del row[name]
    with pytest.raises(StudyError, match=f"^the field '{name}' is missing$"):
        Run.from_json(row)
    with pytest.raises(StudyError, match=rf"the id 'x' is not that of its fields \({RUN.id}\)"):
        Run.from_json({**RUN.to_json(), "id": "x"})
    with pytest.raises(Newer):
        Run.from_json({**row, "schema": SCHEMA + 1})


def test_a_rows_clock_is_its_reference_or_its_own_machine() -> None:
    """Fingerprint, name and software."""
    far = replace(RUN, reference="f", reference_machine="m", reference_software="s")
    assert (far.clock, far.clock_machine, far.clock_software) == ("f", "m", "s")
    assert (RUN.clock, RUN.clock_machine) == ("0123abcd", "test-machine")
    assert RUN.clock_software == RUN.software
    assert RUN.kind == far.kind == ("0123abcd", RUN.software)
    assert far.from_json(far.to_json()) == far, "by the class, or by any row"


def test_a_row_is_flat_and_has_each_field_once() -> None:
    """Of the trial and of the run."""
    row = RUN.to_json()
    expected = {field.name for field in (*fields(Run), *fields(RUN.trial))} - {"trial", "cap"}
    expected -= {*OF_OWN, *OF_PROGRAMS}
    assert set(row) == expected | {"schema", "id", "cap_seconds"}
    assert row["schema"] == SCHEMA == 1
    assert (row["outcome"], row["versions"]) == ("reached", {"python": "3.11"})
    assert type(row["outcome"]) is str
    assert set(PROTOCOL) == {
        field.name for field in fields(RUN.trial) if field.name in StudySpec().to_json()
    }


def test_the_protocol_of_a_study_is_checked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """And not for each of its many rows."""
    calls = []

    def counted(**values: Any) -> StudySpec:
        calls.append(values)
        return StudySpec(**values)

    monkeypatch.setattr(records, "StudySpec", counted)
    rows = [made(seed=seed, target=0.123) for seed in range(3)]
    assert [Run.from_json(row).trial.seed for row in rows] == [0, 1, 2]
    assert len(calls) <= 1


CURVE = {
    "id": "x",
    "check_every": 50,
    "accuracy": [0.0, 1.0],
    "loss": [-1.0, 2.0],
    "optimizer": "sgd",
    "learning_rate": 0.1,
    "width": 1.0,
    "seed": 0,
    "step_seconds": 0.1,
    "span": 1.0,
}


def test_rows_beside_the_runs_are_read_and_checked() -> None:
    """Accuracy and loss are as many; older curves tell neither outcome nor machine."""
    curve = convert(CURVE, Curve)
    assert (curve.accuracy, curve.loss) == ((0.0, 1.0), (-1.0, 2.0))
    assert (curve.outcome, curve.fingerprint) == ("", "")
    assert convert({"seconds": {"train": 1.0}}, Spent).in_workers == {}
    with pytest.raises(StudyError) as told:
        convert({**CURVE, "loss": [1.0]}, Checks)
    assert str(told.value) == (
        "there are 2 values of accuracy and 1 of loss, expected one of each a check"
    )
    with pytest.raises(StudyError, match=r"^the field 'accuracy\[1\]' is '1.1', expected float"):
        convert({**CURVE, "accuracy": [0.0, "1.1"]}, Checks)
    with pytest.raises(StudyError, match="'check_every' is 0, expected steps between two checks"):
        convert({**CURVE, "check_every": 0}, Checks)
    assert convert({**CURVE, "check_every": 0, "steps": [1, 2]}, Checks).steps == (1, 2)
