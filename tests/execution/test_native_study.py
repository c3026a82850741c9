"""A study whose arrays the native engine trains, on real MNIST."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from study.engines.choice import engine_choice
from study.errors import StudyError
from study.execution.driver import run
from study.execution.planning import array_engine
from study.execution.request import Request
from study.spec.study import StudySpec
from study.storage.records import Run
from study.storage.store import Store

pytestmark = pytest.mark.slow

SPEC = StudySpec(
    name="native",
    optimizers=("sgd", "adam"),
    rates=(0.001, 0.01, 0.1),
    target=0.6,
    check_every=50,
    max_steps=150,
    cap=None,
)


def rows(folder: Path, engine: str, spec: StudySpec = SPEC) -> list[Run]:
    """The runs of the study in the folder, trained by this engine where they are not stored."""
    run(Request(spec, folder, workers=1, factory=engine_choice(engine)), progress=False)
    return Store(folder).runs()


@pytest.mark.parametrize("change", [{"network": "tutorial"}, {"mode": "alone"}])
def test_what_it_cannot_train_is_refused_before_anything_is_written(
    tmp_path: Path, change: dict[str, str]
) -> None:
    """No step time is measured, and no study is left behind."""
    with pytest.raises(StudyError, match="the engine native"):
        rows(tmp_path, "native", SPEC.with_(**change))
    assert not Store(tmp_path).spec_path.exists()
    assert not (tmp_path / "calibration.json").exists()


def test_the_native_engine_trains_arrays_as_tensorflow_does(tmp_path: Path) -> None:
    """Outcomes, steps and accuracies; step times and software are TensorFlow's, and the row tells
    who trained. A stored study goes on with its own engine.
    """
    native = rows(tmp_path / "native", "native")
    plain = rows(tmp_path / "plain", "tensorflow")
    assert {one.arrays for one in native} == {"native"}
    assert {one.arrays for one in plain} == {None}
    assert {one.engine for one in native} == {"tensorflow"}
    assert all(one.versions["halide"] and one.versions["tensorflow"] for one in native)
    for one in native:
        assert one.seconds == pytest.approx((one.steps or 0) * (one.step_seconds or 0))
    mine, other = ({one.id: one for one in found} for found in (native, plain))
    assert mine.keys() == other.keys()
    for key, one in mine.items():
        assert (one.outcome, one.steps) == (other[key].outcome, other[key].steps)
        assert one.accuracy == pytest.approx(other[key].accuracy, abs=0.05)
    assert len({one.outcome for one in native}) > 1
    more = SPEC.with_(seeds=2)
    for folder, engine in (("native", "native"), ("plain", None)):
        found = rows(tmp_path / folder, "auto", more)
        assert {one.arrays for one in found} == {engine}
        assert len(found) == 12
        times = Store(tmp_path / folder).folder / "calibration.json"
        assert ("mixed native" in times.read_text()) is False


def test_auto_measures_both_and_takes_the_faster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The readings of both stay in the folder; the rows say which was taken."""
    monkeypatch.setattr(array_engine, "WORTH", 0.0)
    spec = replace(SPEC, rates=tuple(10 ** (k / 8 - 3) for k in range(8)), max_steps=100)
    found = rows(tmp_path, "auto", spec)
    times = (tmp_path / "calibration.json").read_text()
    assert '"mixed native"' in times
    assert '"mixed"' in times
    assert len({one.arrays for one in found}) == 1
