"""Folders of files whose names carry settings, and files of one trial each."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from study.errors import StudyError
from study.storage.imports.importing import Imported, import_results
from study.storage.imports.names import compiled
from study.storage.readings.aim import Aim
from study.storage.records import Outcome
from support.imports import EPOCHS, OPTIMIZERS, RATES, accuracy, arrival, history, slowness

NAMES = "{optimizer}_{rate}_{epochs}_history.json"


def histories(folder: Path) -> Path:
    """A folder of Keras's histories, a file a trial, and a file that is none."""
    folder.mkdir()
    for name in OPTIMIZERS:
        for rate in RATES:
            text = json.dumps(history(name, rate))
            (folder / f"{name}_{rate:g}_{EPOCHS}_history.json").write_text(text)
    (folder / "notes.json").write_text("{}")
    return folder


def check(done: Imported, target: float) -> None:
    """Each trial arrived when the closed form says."""
    assert len(done.runs) == len(OPTIMIZERS) * len(RATES)
    for run in done.runs:
        name, rate = run.trial.optimizer, run.trial.learning_rate
        at = arrival(name, rate, target)
        lost = math.isinf(slowness(name, rate))
        assert run.steps == (at or (1 if lost else EPOCHS))
        other = Outcome.DIVERGED if lost else Outcome.CAPPED
        assert run.outcome is (Outcome.REACHED if at else other)


def test_a_folder_of_histories(tmp_path: Path) -> None:
    """The lists of each file are one trial; its epochs are counted from 1."""
    folder = histories(tmp_path / "hist")
    aim = Aim("val_accuracy", 0.9)
    done = import_results([folder], tmp_path / "out", names=NAMES, aim=aim)
    check(done, 0.9)
    assert done.protocol.unit == "epoch"
    assert done.others == (f"{folder / 'notes.json'} does not fit --names",)
    one = import_results([folder / "adam_0.01_12_history.json"], tmp_path / "one", names=NAMES)
    assert [run.trial.learning_rate for run in one.runs] == [0.01]


def test_epochs_that_are_counted_from_0(tmp_path: Path) -> None:
    """As in a log of Keras's CSVLogger, whose first column is epoch: epoch 0 is over after one."""
    (tmp_path / "logs" / "adam").mkdir(parents=True)
    lines = ["epoch,accuracy,loss", *(f"{epoch},{(epoch + 1) / 10},1.0" for epoch in range(5))]
    (tmp_path / "logs" / "adam" / "lr=0.1.csv").write_text("\n".join(lines))
    done = import_results(
        [tmp_path / "logs"], tmp_path / "out", names="{optimizer}/lr={rate}.csv",
        aim=Aim("accuracy", 0.3),
    )  # fmt: skip
    (run,) = done.runs
    assert (run.trial.optimizer, run.trial.learning_rate, run.steps) == ("adam", 0.1, 3)
    assert "epoch 0 is over after one, and counts as 1" in " ".join(done.notes)


def test_a_folder_of_lightning(tmp_path: Path) -> None:
    """`metrics.csv` with gaps, and the settings beside it."""
    for version, rate in enumerate((0.1, 0.01)):
        folder = tmp_path / "logs" / f"version_{version}"
        folder.mkdir(parents=True)
        (folder / "hparams.yaml").write_text(
            f"lr: {rate}\noptimizer: 'SGD'\nmodel: !!python/object:x.Y\n  lr: 5\nlayers:\n- 3\n"
        )
        lines = ["epoch,step,train_loss,val_acc", "0,49,0.9,", "0,99,,0.6", "1,149,0.5,"]
        (folder / "metrics.csv").write_text("\n".join([*lines, f"1,199,,{0.9 - rate}"]))
    done = import_results([tmp_path / "logs"], tmp_path / "out", aim=Aim("val_acc", 0.85))
    assert [(run.trial.learning_rate, run.outcome.value, run.steps) for run in done.runs] == [
        (0.1, "capped", 199),
        (0.01, "reached", 199),
    ]
    assert done.spec.optimizers == ("SGD",)
    assert [row.metrics["train_loss"] for row in done.told] == [(0.9, None, 0.5, None)] * 2


def test_a_file_of_deepobs(tmp_path: Path) -> None:
    """Which looks once before the first epoch, and whose lists have names of their own."""
    value = {
        "train_losses": [2.3, 1.0, 0.5], "valid_accuracies": [0.1, 0.5, 0.8],
        "minibatch_train_losses": [2.0] * 9, "optimizer_name": "SGDOptimizer",
        "optimizer_hyperparams": {"learning_rate": 0.05}, "random_seed": 42, "num_epochs": 2,
    }  # fmt: skip
    path = tmp_path / "random_seed__42__2024.json"
    path.write_text(json.dumps(value))
    done = import_results([path], tmp_path / "out", aim=Aim("valid_accuracy", 0.7))
    (run,) = done.runs
    assert (run.trial.learning_rate, run.trial.optimizer) == (0.05, "SGDOptimizer")
    assert (run.outcome, run.steps, run.best_accuracy) == (Outcome.REACHED, 2, 0.8)
    assert set(done.told[0].metrics) == {"train_loss", "valid_accuracy"}


def test_a_results_json_of_ray(tmp_path: Path) -> None:
    """A line a result; what counts time and iterations is no metric."""
    for number, rate in enumerate((0.1, 0.25)):
        folder = tmp_path / "tune" / f"train_{number}"
        folder.mkdir(parents=True)
        (folder / "params.json").write_text(json.dumps({"lr": rate, "opt": "adam"}))
        lines = [
            {"mean_accuracy": rate * step, "training_iteration": step, "time_total_s": 3.0 * step,
             "timestamp": 1.7e9 + step, "config": {"lr": rate, "opt": "adam"}, "pid": 7 + step}
            for step in (1, 2, 3)
        ]  # fmt: skip
        (folder / "result.json").write_text("".join(json.dumps(line) + "\n" for line in lines))
    done = import_results([tmp_path / "tune"], tmp_path / "out", aim=Aim(target=0.5))
    assert [(run.outcome.value, run.steps, run.seconds) for run in done.runs] == [
        ("capped", 3, 9.0),
        ("reached", 2, 6.0),
    ]
    assert set(done.told[0].metrics) == {"mean_accuracy"}
    assert done.protocol.unit == "iteration"


def test_a_table_of_weights_and_biases(tmp_path: Path) -> None:
    """One row a run, with its state and its seconds; an accuracy that came is at its end."""
    path = tmp_path / "wandb_export.csv"
    path.write_text(
        '"Name","State","Runtime","optimizer","lr","val_acc","val_loss"\n'
        '"a-1","finished","61","adam","0.001","0.91","0.4"\n'
        '"b-2","crashed","5","adam","0.1","",""\n'
        '"c-3","finished","60","adam","0.01","0.8","0.7"\n'
    )
    done = import_results([path], tmp_path / "out", aim=Aim("val_acc", 0.9))
    assert [(run.outcome.value, run.seconds, run.steps) for run in done.runs] == [
        ("reached", 61.0, None),
        ("failed", 5.0, None),
        ("capped", 60.0, None),
    ]
    assert done.runs[1].error == "its source says that it failed"


def test_units_are_never_mixed(tmp_path: Path) -> None:
    """Steps of one file and epochs of another are of two imports."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.csv").write_text("lr,step,loss\n0.1,10,1.0\n0.1,20,0.9\n")
    (tmp_path / "in" / "b.csv").write_text("lr,epoch,loss\n0.2,1,1.0\n0.2,2,0.9\n")
    with pytest.raises(StudyError, match=r"mixed units: the trials are counted in steps .*epochs"):
        import_results([tmp_path / "in"], tmp_path / "out")


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("x.json", "has no place"),
        ("{rate}_{rate}.json", "has {rate} twice"),
        ("{step}_{rate}.json", "has {step}, which rows tell"),
    ],
)
def test_patterns_that_cannot_be_are_told(pattern: str, said: str) -> None:
    """Before a file is read."""
    with pytest.raises(StudyError) as error:
        compiled(pattern)
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("x.csv", "", "holds no rows"),
        ("x.csv", "lr,loss\n0.1,1,2\n", "a row has more cells than the 2 columns"),
        (
            "x.jsonl",
            '{"lr": 1, "loss": 1}\n\n{"lr": 1\n',
            "x.jsonl cannot be read: line 3 is no JSON",
        ),
        ("x.jsonl", "[1]\n", "x.jsonl cannot be read: line 1: expected a JSON object, not '[1]'"),
        ("x.json", "[1]", "x.json cannot be read: expected a JSON object, not '1'"),
        ("x.json", '"text"', "expected a JSON object"),
        ("x.txt", "lr", "is none of .csv"),
        ("x.csv", "lr,step\n0.1,1\n", "no column with finite numbers reads like a metric"),
        ("x.db", "SQLite format 3", "cannot be read by optuna"),
    ],
)
def test_files_that_cannot_be_read_are_named(
    tmp_path: Path, name: str, text: str, said: str
) -> None:
    """In one sentence; nothing is written."""
    (tmp_path / name).write_text(text)
    with pytest.raises(StudyError) as error:
        import_results([tmp_path / name], tmp_path / "out")
    assert said in str(error.value)
    assert not (tmp_path / "out").exists()


def test_a_metric_that_is_no_number_anywhere_is_named(tmp_path: Path) -> None:
    """To name it is no advice where it was named."""
    (tmp_path / "x.jsonl").write_text(
        '{"lr": 0.1, "val_acc": NaN}\n{"lr": 0.2, "val_acc": 1e400}\n'
    )
    with pytest.raises(StudyError, match=r"^no row has a finite number of val_acc: name another"):
        import_results([tmp_path / "x.jsonl"], tmp_path / "out", aim=Aim("val_acc", 0.5))


def test_best_values_are_of_the_end_alone(tmp_path: Path) -> None:
    """An accuracy after the arrival does not count."""
    done = import_results(
        [histories(tmp_path / "hist")], tmp_path / "out", names=NAMES,
        aim=Aim("val_accuracy", 0.5),
    )  # fmt: skip
    run = next(run for run in done.runs if run.outcome is Outcome.REACHED)
    trial = run.trial
    best = accuracy(trial.optimizer, trial.learning_rate, run.steps or 0)
    assert run.best_accuracy == pytest.approx(best)
