"""Results from elsewhere become a study: every end of every trial by a closed form."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from study import tables
from study.errors import StudyError
from study.storage.imports.columns import parse_columns
from study.storage.imports.importing import Imported, import_frame, import_results
from study.storage.jsonl import replace
from study.storage.readings.aim import Aim
from study.storage.records import Outcome
from study.storage.store import Store
from support.imports import EPOCHS, OPTIMIZERS, RATES, accuracy, arrival, csv_of, rows, slowness

TARGETS = (0.5, 0.9, 0.99)


def imported(path: Path, folder: Path, aim: Aim | None = None, **more: Any) -> Imported:
    """The study of a file."""
    columns = parse_columns(more.pop("columns", ""))
    return import_results([path], folder, columns, aim=aim, **more)


def check_ends(runs: Any, target: float, seconds: float | None = 2.0) -> None:
    """Each trial arrived when the closed form says, or ended at its own end."""
    assert len(runs)
    for run in runs:
        trial = run.trial
        at = arrival(trial.optimizer, trial.learning_rate, target)
        lost = math.isinf(slowness(trial.optimizer, trial.learning_rate))
        end = at or (1 if lost else EPOCHS)
        assert run.steps == end
        assert run.seconds == (None if seconds is None else seconds * end)
        other = Outcome.DIVERGED if lost else Outcome.CAPPED
        assert run.outcome is (Outcome.REACHED if at else other)
        if not lost:
            best = accuracy(trial.optimizer, trial.learning_rate, end)
            assert run.best_accuracy == pytest.approx(best)


def test_numbers_with_their_units_are_numbers(tmp_path: Path) -> None:
    """A percent sign says what a percent is, and a clock or an `s` what a second is."""
    path = tmp_path / "runs.csv"
    ends = {0.1: ("93%", "0:01:30"), 0.01: ("71.5 %", "1:00:00.5"), 0.2: ("95%", "45.5 s")}
    told = [f"{rate},{accuracy},{time}" for rate, (accuracy, time) in ends.items()]
    path.write_text("\n".join(["lr,val_acc,time", *told]))
    done = imported(path, tmp_path / "out", Aim("val_acc", 0.9))
    found = {run.trial.learning_rate: (run.best_accuracy, run.seconds) for run in done.runs}
    assert found == {0.1: (0.93, 90.0), 0.01: (0.715, 3600.5), 0.2: (0.95, 45.5)}
    spans = pd.to_timedelta(["0:01:30", "1 day 0:00:30"])
    table = pd.DataFrame({"lr": [0.1, 0.2], "val_acc": [0.9, 0.95], "time": spans})
    table.to_csv(path, index=False)
    for made in (import_frame(table, tmp_path / "a"), imported(path, tmp_path / "b")):
        assert [run.seconds for run in made.runs] == [90.0, 86430.0]
        assert not any("left out" in note for note in made.notes)


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    """With the first of such cells; the others of a metric count, and it is named as it stands."""
    path = tmp_path / "runs.csv"
    rows = ["0.1,95%,12.5 s,adam", "0.2,91 pct,1:99,lion", "0.3,n/a,2h,-", "0.4,0.7,90 SEC,adam"]
    path.write_text("\n".join(["lr,val acc,time,loss", *rows]))
    done = imported(path, tmp_path / "out", Aim("val acc", 0.9))
    assert done.spec.metric == "val_acc"
    assert [run.best_accuracy for run in done.runs] == [0.95, None, None, 0.7]
    assert [run.seconds for run in done.runs] == [12.5, None, None, 90.0]
    assert done.notes[:2] == (
        "1 cell of val acc cannot be read as a number, such as '91 pct': left out",
        "2 cells of time cannot be read as seconds, such as '1:99': left out",
    )
    assert "loss" not in done.told[0].metrics


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_rows_of_checks_become_trials(tmp_path: Path, target: float, kind: str) -> None:
    """With their seeds; the stored folder reads back as it was made."""
    path = csv_of(rows(seeds=2), tmp_path / "runs.csv")
    if kind == "jsonl":
        path = tmp_path / "runs.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows(seeds=2)))
    done = imported(path, tmp_path / "out", Aim("val_acc", target))
    check_ends(done.runs, target)
    store = Store(tmp_path / "out")
    assert tuple(store.runs()) == done.runs
    assert store.spec() == done.spec
    assert {run.trial.seed for run in done.runs} == {0, 1}
    assert {run.id for run in done.runs} == {trial.id for trial in done.spec.trials()}
    assert not done.notes
    assert {name: len(row.accuracy) for name, row in store.checks().items()} == {
        run.id: run.steps for run in done.runs if run.outcome is not Outcome.DIVERGED
    } | {run.id: 1 for run in done.runs if run.outcome is Outcome.DIVERGED}


@pytest.mark.parametrize("target", TARGETS)
def test_one_import_serves_any_target(tmp_path: Path, target: float) -> None:
    """And any metric that is told: what is read later is what would have been imported."""
    path = csv_of(rows(), tmp_path / "runs.csv")
    imported(path, tmp_path / "out")
    for aim in (Aim("val_acc", target), Aim("loss", 1 - target), Aim("loss", target, "at-least")):
        later = tables.stored(tmp_path / "out", aim=aim)
        at_once = imported(path, tmp_path / f"{aim.metric}-{aim.goal}", aim)
        assert later.spec == at_once.spec
        assert tuple(later.all_records) == at_once.runs
        assert tuple(later.checks.values()) == at_once.checks
    check_ends(tables.stored(tmp_path / "out", aim=Aim("val_acc", target)).all_records, target)
    ends = [
        [(run.outcome, run.steps) for run in tables.stored(tmp_path / "out", aim=aim).all_records]
        for aim in (Aim("val_acc", target), Aim("loss", 1 - target))
    ]
    assert ends[0] == ends[1]


def test_another_aim_is_of_imports_alone(tmp_path: Path, folder: Path) -> None:
    """A metric that no trial tells is named, with those that are told."""
    imported(csv_of(rows(), tmp_path / "runs.csv"), tmp_path / "out")
    with pytest.raises(StudyError, match="no trial tells the metric f1: they tell loss, val_acc"):
        _ = tables.stored(tmp_path / "out", aim=Aim("f1")).runs
    with pytest.raises(StudyError, match="target 90: val_acc is a share from 0 to 1 here"):
        _ = tables.stored(tmp_path / "out", aim=Aim("val_acc", 90.0)).runs


def test_nothing_is_invented(tmp_path: Path) -> None:
    """No seconds, no machine, no target: unknown, and said to be so."""
    path = csv_of(rows(seconds=None), tmp_path / "runs.csv")
    done = imported(path, tmp_path / "out", columns="seed=none")
    assert {run.seconds for run in done.runs} == {None}
    assert {run.outcome for run in done.runs} == {Outcome.CAPPED, Outcome.DIVERGED}
    assert {run.machine for run in done.runs} == {"a machine not told"}
    assert "seconds" in done.protocol.unknown
    assert "seeds" in done.protocol.unknown
    assert tables.stored(tmp_path / "out").runs["seconds"].isna().all()


def test_one_row_a_trial(tmp_path: Path) -> None:
    """Trials that share settings and tell no seed are numbered, and said to be so."""
    table = [
        {"optimizer": name, "learning_rate": rate, "batch_size": 32, "test_loss": rate + repeat}
        for name in OPTIMIZERS
        for rate in RATES
        for repeat in (0, 1, 2)
    ]
    done = imported(csv_of(table, tmp_path / "wide.csv"), tmp_path / "out")
    assert done.spec.metric == "test_loss"
    assert done.spec.goal == "at-most"
    assert {run.steps for run in done.runs} == {None}
    assert [run.accuracy for run in done.runs[:3]] == [RATES[0], RATES[0] + 1, RATES[0] + 2]
    assert [run.trial.seed for run in done.runs[:4]] == [0, 1, 2, 0]
    assert done.notes == (
        "30 trials share their settings with others and tell no seed: they are numbered in the "
        "order of the source, and count as seeds",
    )
    assert "not used: batch_size" in done.columns
    final = tables.final(tables.load(tmp_path / "out"))
    assert final["final"].tolist() == pytest.approx([rate + 1 for rate in RATES] * 2)


def test_repeated_trials_without_a_seed_are_told_apart(tmp_path: Path) -> None:
    """Where their steps begin again; rows that are mixed are refused."""
    once = list(rows())
    done = imported(
        csv_of(once + once, tmp_path / "twice.csv"), tmp_path / "a", columns="seed=none"
    )
    assert len(done.runs) == 2 * len(OPTIMIZERS) * len(RATES)
    mixed = [row for row in once for _ in (0, 1)]
    path = csv_of(mixed, tmp_path / "mixed.csv")
    with pytest.raises(StudyError, match=r"rows of several trials are mixed.*--columns trial="):
        imported(path, tmp_path / "b", columns="seed=none")
    named = [row | {"run": number % 2} for number, row in enumerate(mixed)]
    done = imported(csv_of(named, tmp_path / "named.csv"), tmp_path / "c", columns="seed=none")
    assert len(done.runs) == 2 * len(OPTIMIZERS) * len(RATES)


def test_settings_that_differ_beside_the_rate_make_labels(tmp_path: Path) -> None:
    """As the user names them; else two trials are one."""
    table = [{"opt": "sgd", "lr": 0.1, "momentum": m, "seed": 7, "loss": m} for m in (0.5, 0.9)]
    path = csv_of(table, tmp_path / "runs.csv")
    with pytest.raises(StudyError, match=r"two trials have sgd at 0\.1 with seed 7"):
        imported(path, tmp_path / "a", columns="trial=momentum")
    done = imported(path, tmp_path / "b", columns="optimizer=opt+momentum")
    assert done.spec.optimizers == ("sgd(momentum=0.5)", "sgd(momentum=0.9)")


@pytest.mark.parametrize(
    ("change", "options", "said"),
    [
        ({"val_acc": 93.0}, {}, "val_acc goes up to 93, and a share is at most 1: give --percent"),
        ({}, {"percent": True}, "is a share from 0 to 1 and no percent: leave out --percent"),
        ({"val_acc": 930.0}, {"percent": True}, "val_acc 930 is no percentage"),
        ({"val_acc": -1.0}, {}, "val_acc -1 is no accuracy"),
        ({"lr": -1.0}, {}, "learning rate -1.0 must be above 1e-37"),
        ({"lr": "x"}, {}, "learning rate 'x' must be a number"),
        ({"epoch": 12.5}, {}, "step '12.5' must be a whole number"),
        ({"time": 0.5}, {}, "its seconds go backwards (column time)"),
        ({}, {"columns": "rate=eta"}, "has no column 'eta' (rate): it has opt, lr"),
        ({}, {"columns": "rate"}, "columns 'rate' must read NAME=COLUMN"),
        ({}, {"columns": "lr=lr"}, "unknown name in columns 'lr'"),
        ({}, {"columns": "rate=none"}, "has no column of the learning rate"),
        ({}, {"aim": Aim("f1")}, "no trial tells the metric f1"),
        ({}, {"aim": Aim("val_acc", 90.0)}, "target 90: val_acc is a share"),
        ({}, {"aim": Aim("loss", 0.1, "low")}, "unknown goal 'low'"),
    ],
)
def test_mistakes_end_in_a_sentence(
    tmp_path: Path, change: dict[str, Any], options: dict[str, Any], said: str
) -> None:
    """And nothing is written."""
    table = list(rows())
    table[EPOCHS - 1] |= change
    path = csv_of(table, tmp_path / "runs.csv")
    with pytest.raises(StudyError) as error:
        imported(path, tmp_path / "out", **options)
    assert said in str(error.value)
    assert not (tmp_path / "out").exists()


def test_percents_are_shares_once_it_is_said(tmp_path: Path) -> None:
    """The target stays a share; two metrics in two units are refused."""
    table = [row | {"val_acc": 100 * row["val_acc"]} for row in rows()]
    path = csv_of(table, tmp_path / "runs.csv")
    done = imported(path, tmp_path / "out", Aim("val_acc", 0.9), percent=True)
    check_ends(done.runs, 0.9)
    mixed = [row | {"acc": 0.5} for row in table]
    with pytest.raises(StudyError, match=r"mixed units: acc goes up to 0\.5"):
        imported(csv_of(mixed, tmp_path / "mixed.csv"), tmp_path / "b", percent=True)


def test_a_study_is_never_overwritten(tmp_path: Path) -> None:
    """Another folder is asked for."""
    path = csv_of(rows(), tmp_path / "runs.csv")
    imported(path, tmp_path / "out")
    before = {file.name: file.read_bytes() for file in (tmp_path / "out").iterdir()}
    with pytest.raises(StudyError, match="holds a study already: give another --out"):
        imported(path, tmp_path / "out")
    assert {file.name: file.read_bytes() for file in (tmp_path / "out").iterdir()} == before


def test_dates_count_from_the_first_check(tmp_path: Path) -> None:
    """As nothing tells when training began; and a schedule of the rate has one trial."""
    table = [
        {"run": 1, "lr": 0.1 / epoch, "epoch": epoch, "timestamp": f"2024-01-01T00:00:{epoch:02}",
         "acc": epoch / 10}
        for epoch in (1, 2, 3)
    ]  # fmt: skip
    done = imported(
        csv_of(table, tmp_path / "runs.csv"),
        tmp_path / "out",
        Aim("acc", 0.3),
        columns="seconds=timestamp",
    )
    (run,) = done.runs
    assert (run.trial.learning_rate, run.seconds, run.steps) == (0.1, 2.0, 3)
    assert run.trial.optimizer == "unknown"
    assert len(done.notes) == 3


@pytest.mark.parametrize("file", ["checks.jsonl", "machine.json", "spec.json", "runs.jsonl"])
def test_an_import_that_is_killed_is_made_anew(
    file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever it was; and one that is whole is not touched."""
    whole = import_frame(pd.DataFrame(rows()), tmp_path / "whole")
    out = tmp_path / "out"

    def killed(path: Path, text: bytes) -> None:
        if path.name == file:
            raise KeyboardInterrupt
        replace(path, text)

    with monkeypatch.context() as patch:
        for place in ("study.storage.store.replace", "study.storage.imports.importing.replace"):
            patch.setattr(place, killed)
        with pytest.raises(KeyboardInterrupt):
            import_frame(pd.DataFrame(rows()), out)
    assert not Store(out).runs()
    import_frame(pd.DataFrame(rows()), out)
    assert [run.id for run in Store(out).runs()] == [run.id for run in whole.runs]
    with pytest.raises(StudyError, match="holds a study already"):
        import_frame(pd.DataFrame(rows()), out)
