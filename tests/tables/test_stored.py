"""A study in memory: no file is read twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from study import claims, figures, report, tables
from study.spec.study import StudySpec
from study.spec.trial import Trial
from study.storage.jsonl import append_line
from support.driving import run
from support.made import stored
from support.tables import by_hand

SPEC = StudySpec(name="grid", optimizers=("sgd", "adam"), rates="1e-4:100:7", cap=60.0)


def in_band(trial: Trial) -> float | str:
    """Every rate in the middle arrives."""
    return 5.0 + trial.learning_rate if 1e-3 < trial.learning_rate < 10 else "capped"


@pytest.fixture
def openings(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter[str]]:
    """How often each file of a study was read, by its name."""
    found: Counter[str] = Counter()
    read = Path.read_bytes

    def counted(path: Path) -> bytes:
        found[path.name] += 1
        return read(path)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", counted)
        yield found


def test_a_report_reads_each_folder_once(tmp_path: Path, openings: Counter[str]) -> None:
    """Its tables, figures, notes and claims share what was read."""
    folders = [stored(tmp_path / name, SPEC.with_(name=name), in_band) for name in ("a", "b")]
    openings.clear()
    report.write(folders, tmp_path / "report.html")
    assert openings["runs.jsonl"] == openings["curves.jsonl"] == 2


def test_a_study_in_memory_serves_everything(tmp_path: Path, openings: Counter[str]) -> None:
    """What `run` writes and says at its end stands on one reading."""
    folder = stored(tmp_path / "grid", SPEC, in_band)
    openings.clear()
    study = tables.StoredStudy(folder)
    assert tables.load(study) is study.runs
    tables.write(study)
    figures.write(study)
    tables.warnings(study)
    assert tables.elsewhere(study, study.runs) == study.elsewhere == 0
    claims.judge(study)
    report.read(study)
    assert openings["runs.jsonl"] == openings["curves.jsonl"] == 1


def test_a_study_in_memory_says_what_its_folder_says(tmp_path: Path) -> None:
    """Tables, curves, checks, warnings and verdicts are the same either way."""
    folder = stored(tmp_path / "grid", SPEC, in_band)
    study = tables.StoredStudy(folder)
    assert tables.load(folder).equals(study.runs)
    assert tables.curves(folder).equals(tables.curves(study))
    assert tables.checks(folder).equals(tables.checks(study))
    runs, spec = tables.load(folder), study.spec
    assert tables.warnings(folder) == tables.warnings(study) == tables.warnings(runs, spec)
    assert [found.to_json() for found in claims.judge(folder)] == [
        found.to_json() for found in claims.judge(study)
    ]


def test_another_machine_is_another_study(tmp_path: Path) -> None:
    """Of two machines in a folder each has its own runs."""
    folder = stored(tmp_path / "grid", SPEC, in_band, machine="one", fingerprint="1")
    everything = tables.StoredStudy(folder)
    assert tables.stored(everything) is everything
    one = tables.stored(everything, "one")
    assert (one.machine, len(one.records), one.elsewhere) == ("one", len(SPEC), 0)
    with pytest.raises(ValueError, match="no trial of the machine 'two': one"):
        _ = tables.stored(everything, "two").runs


def curve(number: int, **values: object) -> dict[str, object]:
    """A row of curves.jsonl."""
    return {
        "id": f"trial {number}", "optimizer": "adam", "learning_rate": 0.1, "width": 1.0,
        "seed": number, "span": 5.0, "check_every": 50, "step_seconds": 0.02,
        "accuracy": [0.5, 0.9], "loss": [2.0, 1.0], "outcome": "capped", **values,
    }  # fmt: skip


def test_every_column_of_curves_and_checks_is_that_of_the_files(tmp_path: Path) -> None:
    """A row a check; the first comes after as many steps as lie between two."""
    folder = stored(tmp_path / "grid", SPEC.with_(rates=(0.1,)), in_band)
    kept = [curve(0, fingerprint="0123abcd"), curve(1, check_every=20), curve(2, fingerprint="x")]
    wanted = []
    for row in kept:
        append_line(folder / "curves.jsonl", row)
        for i, accuracy in enumerate([0.5, 0.9]):
            step = (i + 1) * int(str(row["check_every"]))
            names = ("optimizer", "learning_rate", "width", "seed", "outcome")
            wanted.append(
                {name: row[name] for name in names}
                | {"step": step, "seconds": step * 0.02, "accuracy": accuracy}
                | {"fingerprint": row.get("fingerprint", "")}
            )
    by_hand.same(tables.curves(folder), wanted)
    study = tables.StoredStudy(folder)
    by_hand.same(study.curves.reset_index(drop=True), wanted[:4])
    for number in (0, 1):
        row = {"id": f"trial {number}", "check_every": 30, "accuracy": [0.1, 0.7], "loss": [3, 2]}
        append_line(folder / "checks.jsonl", row)
    rows = [
        {"id": f"trial {number}", "step": step, "accuracy": accuracy, "loss": loss}
        for number in (0, 1)
        for step, accuracy, loss in ((30, 0.1, 3), (60, 0.7, 2))
    ]
    by_hand.same(tables.checks(folder), rows)
    nothing = stored(tmp_path / "nothing", SPEC.with_(rates=(0.1,)), in_band)
    assert list(tables.curves(nothing).columns) == list(tables.curves(folder).columns)
    assert list(tables.checks(nothing).columns) == ["id", "step", "accuracy", "loss"]


@pytest.mark.parametrize(("target", "steps"), [(1 - 2**-5, 5), (1 - 2**-5 + 1e-9, 10)])
def test_a_trial_reached_if_its_accuracy_meets_the_target(
    tmp_path: Path, target: float, steps: int
) -> None:
    """On trained parabolas: at the first check whose accuracy >= target. At rate 1 half of SGD's
    error is left after each step: exactly the target after five.
    """
    spec = StudySpec(
        optimizers=("sgd",), rates=(0.01, 0.1, 0.5, 1.0, 1e7), cap=None, max_steps=200,
        check_every=5, target=target, metric="validation",
    )  # fmt: skip
    run(spec, tmp_path)
    runs = tables.load(tmp_path).set_index("id")
    for id_, mine in tables.checks(tmp_path).groupby("id"):
        row = runs.loc[str(id_)]
        met = mine[mine["accuracy"] >= row["target"] - 1e-6]
        assert (row["outcome"] == "reached") == bool(len(met))
        if row["learning_rate"] < 1:
            assert row["steps"] == (met["step"].min() if len(met) else mine["step"].max())
        assert row["accuracy"] == pytest.approx(mine["accuracy"].iloc[-1], abs=1e-4)
        assert row["best_accuracy"] == pytest.approx(mine["accuracy"].max(), abs=1e-4)
        assert row["seconds"] == pytest.approx(row["steps"] * row["step_seconds"])
    half = runs[runs["learning_rate"] == 1.0]
    assert half[["outcome", "steps"]].to_numpy().tolist() == [["reached", steps]]


def test_trials_by_other_clocks_are_elsewhere(tmp_path: Path) -> None:
    """As many as are stored and not among the runs."""
    folder = stored(tmp_path / "grid", SPEC, in_band)
    runs = tables.load(folder)
    assert tables.elsewhere(folder, runs) == 0
    assert tables.elsewhere(folder, runs.iloc[3:]) == 3
    assert tables.StoredStudy(folder).facts == {"versions": {"tensorflow": "2"}}
    assert tables.StoredStudy(folder).spent == []


@pytest.mark.parametrize(
    ("rate", "last", "outcome", "unstable"),
    [(0.1, 0.769, "capped", True), (0.1, 0.771, "capped", False), (0.1, 0.9, "diverged", True),
     (100.0, 0.1, "capped", False)],
)  # fmt: skip
def test_a_trial_that_dies_when_it_is_trained_again_is_unstable(
    tmp_path: Path, rate: float, last: float, outcome: str, unstable: bool
) -> None:
    """If it arrived, and its curve diverged or ends twenty points below the target; in the tables
    of trials, cells and best rates.
    """
    folder = stored(tmp_path / "grid", SPEC.with_(rates=(1e-4, 0.1, 100.0)), in_band)
    trial = next(
        t for t in tables.stored(folder).spec.trials()
        if (t.optimizer, t.learning_rate) == ("adam", rate)
    )  # fmt: skip
    row = curve(0, id=trial.id, accuracy=[0.9, last], outcome=outcome, learning_rate=rate)
    append_line(folder / "curves.jsonl", row)
    runs = tables.load(folder)
    assert runs.loc[runs["unstable"], "id"].tolist() == ([trial.id] if unstable else [])
    for table in (tables.valley(runs), tables.cells(runs)):
        found = table[table["unstable"]]
        assert found["rate"].tolist() == ([rate] if unstable else [])
    best = tables.best(runs).set_index("optimizer")["unstable"]
    assert best.to_dict() == {"sgd": False, "adam": unstable}
    figure = figures.valley(runs)
    drawn = figure.axes[1].get_legend_handles_labels()[1]
    assert any(str(text).startswith("unstable") for text in drawn) == unstable
