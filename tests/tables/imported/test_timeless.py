"""Imports of one row a trial that tell neither seconds nor steps, and those of several units."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import study
from study import figures, report, tables
from study.errors import StudyError
from study.storage.readings.aim import Aim

ENDS = pd.DataFrame(
    {"opt": ["adam", "adam", "sgd"], "lr": [0.1, 0.2, 0.1], "val_acc": [0.95, 0.8, 0.92]}
)


@pytest.mark.parametrize("target", [0.9, 0.99])
def test_only_ends_are_compared_where_no_time_is_told(tmp_path: Path, target: float) -> None:
    """Tables, figures and the report are made all the same, and it is said why no valley is."""
    runs = study.from_frame(ENDS, tmp_path / "out", metric="val_acc", target=target)
    assert runs["outcome"].value_counts().to_dict() == (
        {"reached": 2, "capped": 1} if target == 0.9 else {"capped": 3}
    )
    written = [path.stem for path in tables.write(tmp_path / "out")]
    drawn = [path.stem for path in figures.write(tmp_path / "out")]
    said = " ".join(tables.warnings(tmp_path / "out"))
    assert "nobody tells when some trials arrived" in said
    assert tables.timeless(runs)
    assert (written, drawn) == (["final", "best-final"], ["final"])
    best = tables.best_final(runs).set_index("optimizer")["final"]
    assert best.to_dict() == {"adam": 0.95, "sgd": 0.92}
    page = report.write([tmp_path / "out"], tmp_path / "page.html")
    assert "0.95" in page.read_text()


def test_steps_beside_epochs_in_two_columns_are_refused(tmp_path: Path) -> None:
    """Unless it is said which column counts."""
    adam = pd.DataFrame({"opt": "adam", "lr": 0.1, "step": [10, 20], "val_acc": [0.5, 0.9]})
    sgd = pd.DataFrame({"opt": "sgd", "lr": 0.1, "epoch": [1, 2], "val_acc": [0.4, 0.92]})
    both = pd.concat([adam, sgd], ignore_index=True)
    with pytest.raises(StudyError, match="some rows count in step and others in epoch: name the"):
        study.from_frame(both, tmp_path / "out", metric="val_acc", target=0.9)
    assert not (tmp_path / "out").exists()
    told = study.from_frame(sgd.assign(step=[7, 8]), tmp_path / "both", target=0.9)
    assert told["steps"].tolist() == [8]


def test_each_aim_has_a_folder_of_its_own(tmp_path: Path) -> None:
    """An import's, too, so that no table of another metric is taken for this one's."""
    rows = pd.DataFrame(
        {"opt": "adam", "lr": 0.1, "epoch": [1, 2], "acc": [0.5, 0.9], "loss": [1.0, 0.3]}
    )
    study.from_frame(rows, tmp_path / "out", metric="acc", target=0.9)
    places = {
        Path(path).parent.relative_to(tmp_path / "out").as_posix()
        for aim in (Aim(), Aim("loss", 0.4), Aim("loss"), Aim("loss", 0.4, "at-least"))
        for path in tables.write(tables.stored(tmp_path / "out", aim=aim))
    }
    folders = ("tables", "tables/loss-0.4", "tables/loss", "tables/loss-0.4-at-least")
    assert places == set(folders)


def test_the_name_of_a_metric_leads_into_no_other_folder(tmp_path: Path) -> None:
    """Although it may have the letters of a path."""
    name = "acc/../../../up"
    rows = pd.DataFrame({"opt": "adam", "lr": 0.1, "epoch": [1, 2], "loss": [1.0, 0.3]})
    study.from_frame(rows.assign(**{name: [0.5, 0.9]}), tmp_path / "a" / "out", metric="loss")
    found = tables.stored(tmp_path / "a" / "out", aim=Aim(name, 0.7))
    assert found.place("tables").parent == tmp_path / "a" / "out" / "tables"
