"""A study in memory: no file is read twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from study import claims, figures, report, tables
from study.spec.study import StudySpec
from study.spec.trial import Trial
from support.made import stored

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
