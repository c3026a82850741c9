"""Published results as studies: their kind, their caps, their seeds, and what ended a trial."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from study.errors import StudyError
from study.spec.networks import network_of
from study.storage.published.importing import import_published
from study.storage.published.protocol import MACHINE, MACHINE_NAME, protocol_in
from study.storage.records import Outcome, Run
from study.storage.store import Store

GRID = "Learning rate,Time taken,Optimizer,Time taken with success"
SIZES = "acc,lr,opt,scale,time"


def imported(folder: Path, head: str, *rows: str, target: float | None = None) -> Store:
    """The study that a CSV of these rows becomes."""
    path = folder / "results.csv"
    path.write_text("\n".join([head, *rows]) + "\n")
    (place,) = import_published([path], folder / "out", target).studies
    return Store(place)


@pytest.mark.parametrize(
    ("accuracy", "seconds", "outcome"),
    [
        ("0.96", 100.0, Outcome.REACHED),
        ("0.9599", 215.9, Outcome.PRUNED),
        ("0.9599", 216.0, Outcome.CAPPED),
        ("0.9599", 500.0, Outcome.CAPPED),
    ],
)
def test_a_trial_below_its_target_was_capped_if_its_time_ran_out(
    tmp_path: Path, accuracy: str, seconds: float, outcome: Outcome
) -> None:
    """From nine tenths of 240 s on."""
    other = "0.97,0.1,Adam,2,5"
    store = imported(tmp_path, SIZES, f"{accuracy},0.1,Adam,1,{seconds}", other)
    run, _ = store.runs()
    assert run.outcome is outcome
    assert (run.seconds, run.accuracy, run.best_accuracy) == (
        seconds,
        float(accuracy),
        float(accuracy),
    )


def test_without_an_accuracy_no_success_means_capped(tmp_path: Path) -> None:
    """However short it was; with success, its own seconds count."""
    capped, reached = imported(tmp_path, GRID, "0.1,5,Adam,", "0.2,9,Adam,7").runs()
    assert (capped.outcome, capped.seconds) == (Outcome.CAPPED, 5.0)
    assert (reached.outcome, reached.seconds) == (Outcome.REACHED, 7.0)


@pytest.mark.parametrize(
    ("head", "rows", "kind", "cap"),
    [
        (GRID, ["0.1,119.5,Adam,"], "grid", 120.0),
        (GRID, ["0.1,120,Adam,120"], "grid", 120.0),
        (GRID, ["0.1,123.9,Adam,"], "grid", 120.0),
        (GRID, ["0.1,120.1,Adam,120.1"], "grid", 121.0),
        (GRID, ["0.1,300,Adam,5"], "grid", 120.0),
        (SIZES, ["0.9,0.1,Adam,2,5"], "grid", 120.0),
        (SIZES, ["0.9,0.1,Adam,2,5", "0.9,0.1,Adam,3,250.5"], "sizes", 240.0),
        (SIZES, ["0.9,0.1,Adam,2,5", "0.96,0.1,Adam,3,250.5"], "sizes", 251.0),
        (SIZES, ["0.9,0.1,Adam,2,5", "0.9,0.1,Adam,3,239"], "sizes", 240.0),
    ],
)
def test_one_size_is_a_grid_and_the_cap_is_the_published_one(
    tmp_path: Path, head: str, rows: list[str], kind: str, cap: float
) -> None:
    """A capped time may lie past it, by a look; an arrival may not."""
    spec = imported(tmp_path, head, *rows).spec()
    target = {"grid": 0.97, "sizes": 0.96}[kind]
    assert (spec.name, spec.cap, spec.target) == (f"published-{kind}", cap, target)


def test_the_seeds_are_the_most_common_number_of_repeats(tmp_path: Path) -> None:
    """Equal rows count once; a target that is given counts, be it lower than the published."""
    rows = [f"0.{rate},{seconds},GD," for rate in (1, 2) for seconds in (5, 6)]
    store = imported(tmp_path, GRID, *rows, rows[0], "0.3,5,Adam,", target=0.5)
    spec, runs = store.spec(), store.runs()
    assert (spec.seeds, spec.target, len(runs)) == (2, 0.5, 5)
    assert (spec.optimizers, spec.rates, spec.widths) == (("sgd", "adam"), (0.1, 0.2, 0.3), (1.0,))
    assert [(run.trial.learning_rate, run.trial.seed, run.seconds) for run in runs] == [
        (0.1, 0, 5.0),
        (0.1, 1, 6.0),
        (0.2, 0, 5.0),
        (0.2, 1, 6.0),
        (0.3, 0, 5.0),
    ]


def test_a_row_states_what_is_known(tmp_path: Path) -> None:
    """Neither steps nor a step time; one at a time on the published machine."""
    store = imported(tmp_path, GRID, "0.1,5,Adam,5")
    spec, (run,) = store.spec(), store.runs()
    (trial,) = spec.trials()
    net = network_of(trial)
    assert run == Run(
        trial=trial,
        study="published-grid",
        weights=net.weights,
        multiply_adds=net.multiply_adds,
        outcome=Outcome.REACHED,
        steps=None,
        seconds=5.0,
        seconds_source="measured",
        step_seconds=None,
        accuracy=None,
        best_accuracy=None,
        error=None,
        lanes=1,
        jobs=1,
        machine=MACHINE_NAME,
        fingerprint=MACHINE.fingerprint,
        versions={"tensorflow": "1"},
        started_at="2018",
        processor="not published",
    )
    machine = store.machine()
    facts = {name: value for name, value in machine.items() if name != "published"}
    assert facts == json.loads(json.dumps({**MACHINE.to_json(), "name": MACHINE_NAME}))
    protocol = protocol_in(machine)
    assert protocol is not None
    assert (protocol.look_seconds, protocol.assumed) == (None, 0)
    assert [machine[name] for name in ("cores", "memory_gb", "gpus")] == [0, 0, ["Tesla K80"]]
    rows = hashlib.md5(store.runs_path.read_bytes()).hexdigest()
    assert store.digest() == f"not published; runs {rows}"


def test_nothing_is_written_over_a_study(tmp_path: Path) -> None:
    """Neither over its spec nor over rows without one; results at changing rates are none."""
    store = imported(tmp_path, GRID, "0.1,5,Adam,5")
    store.runs_path.rename(tmp_path / "aside")
    for _ in range(2):
        with pytest.raises(StudyError, match="out holds a study already: give another --out"):
            import_published([tmp_path / "results.csv"], store.folder)
        store.spec_path.unlink(missing_ok=True)
        if (tmp_path / "aside").exists():
            (tmp_path / "aside").rename(store.runs_path)
    with pytest.raises(StudyError) as told:
        imported(tmp_path, GRID, "0.1,5,Adam triangle,5")
    assert str(told.value) == (
        f"no result at a fixed rate in {tmp_path / 'results.csv'}: nothing to import"
    )


def test_a_study_is_written_neither_into_another_nor_around_it(tmp_path: Path) -> None:
    """A single study and the folder of two exclude each other."""
    store = imported(tmp_path, GRID, "0.1,5,Adam,5")
    file = tmp_path / "results.csv"
    import_published([file], tmp_path / "both" / "grid")
    with pytest.raises(StudyError, match="grid holds a study already"):
        import_published([file], tmp_path / "both")
    assert store.spec_path.exists()
    assert not (tmp_path / "both" / "spec.json").exists()
