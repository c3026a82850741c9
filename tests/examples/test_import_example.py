"""The example of results from elsewhere: a folder of histories, imported and read by targets."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from study import figures, tables
from study.storage.imports.importing import import_results
from study.storage.readings.aim import Aim
from support.paths import ROOT

SCRIPT = ROOT / "examples" / "import" / "histories.py"


@pytest.mark.slow
def test_a_folder_of_histories_is_imported(tmp_path: Path) -> None:
    """The script knows nothing of this project; an arrival is the first such epoch of its file."""
    assert "import study" not in SCRIPT.read_text()
    folder = tmp_path / "histories"
    command = [sys.executable, SCRIPT, folder, "--epochs", "12", "--rates", "3"]
    subprocess.run(list(map(str, command)), check=True)
    import_results([folder], tmp_path / "out", names="{optimizer}_{rate}_history.json")
    for metric, target, side in (("val_accuracy", 0.9, 1), ("val_loss", 0.3, -1)):
        stored = tables.stored(tmp_path / "out", aim=Aim(metric, target))
        for run in stored.all_records:
            name = f"{run.trial.optimizer}_{run.trial.learning_rate:.3g}_history.json"
            values = json.loads((folder / name).read_text())[metric]
            met = [e for e, value in enumerate(values, 1) if side * value >= side * target]
            assert run.outcome.value == ("reached" if met else "capped")
            assert run.steps == (met[0] if met else 12)
        assert {"final", "valley"} <= set(figures.draw(stored.runs, stored.curves))
        best = tables.best(stored.runs)
        rates = dict(zip(best["optimizer"].astype(str), best["best_rate"], strict=True))
        assert rates["adam"] <= rates["sgd"]
