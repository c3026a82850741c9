"""The stores of tools, each written by its own library; where it is not installed, a sentence."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from study.errors import StudyError
from study.storage.imports.importing import Imported, import_results
from study.storage.readings.aim import Aim

RATES = (0.001, 0.01, 0.1)


STEPS = 5


def value(rate: float, step: int) -> float:
    """The accuracy of a trial, exactly as 32 bits hold it."""
    return min(0.875, 0.125 * step * (1 + 3 * (rate == 0.01)))


def check(done: Imported, target: float = 0.5) -> None:
    """Each trial arrived at the step that `value` says."""
    runs = {run.trial.learning_rate: run for run in done.runs}
    assert sorted(runs) == pytest.approx(RATES)
    for rate, run in runs.items():
        at = next(step for step in range(1, STEPS + 1) if value(round(rate, 6), step) >= target)
        assert (run.outcome.value, run.steps) == ("reached", at)
        assert run.best_accuracy == value(round(rate, 6), at)


def sampled(place: Any) -> None:
    """A study of Optuna in a storage: three trials that end, one pruned, one failed, one asked."""
    import optuna

    study = optuna.create_study(storage=place, study_name="sweep", direction="maximize")
    study.set_metric_names(["accuracy"])
    for rate in RATES:
        study.enqueue_trial({"lr": rate, "opt": "adam"})
    for number in range(5):
        if number > 2:
            study.enqueue_trial({"lr": 10.0**-number, "opt": "sgd"})
        trial = study.ask()
        rate = trial.suggest_float("lr", 1e-5, 1, log=True)
        trial.suggest_categorical("opt", ["adam", "sgd"])
        if number == 4:
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
            continue
        for step in range(1, STEPS + 1):
            trial.report(value(rate, step), step)
        if number == 3:
            study.tell(trial, state=optuna.trial.TrialState.PRUNED)
        else:
            study.tell(trial, value(rate, STEPS))
    study.ask()


@pytest.fixture
def quiet() -> Iterator[None]:
    """Optuna's notes are silent, and its features that may change tell nothing."""
    import warnings

    import optuna

    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
    optuna.logging.set_verbosity(level)


@pytest.mark.slow
@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("kind", ["sqlite", "journal"])
def test_trials_of_optuna(tmp_path: Path, kind: str) -> None:
    """With their reports, their states and the goal of the study; the store is left as it is."""
    pytest.importorskip("optuna")
    import optuna
    from optuna.storages.journal import JournalFileBackend

    path = tmp_path / ("sweep.db" if kind == "sqlite" else "journal.log")
    place: Any = f"sqlite:///{path}"
    if kind == "journal":
        place = optuna.storages.JournalStorage(JournalFileBackend(str(path)))
    sampled(place)
    before = path.read_bytes()
    done = import_results([path], tmp_path / "out", aim=Aim(target=0.5))
    assert path.read_bytes() == before
    assert (done.spec.metric, done.spec.goal) == ("accuracy", "at-least")
    ends = [(run.trial.optimizer, run.outcome.value) for run in done.runs]
    assert ends[3:] == [("sgd", "reached"), ("sgd", "failed")]
    later = import_results([path], tmp_path / "b", aim=Aim(target=0.9))
    assert [run.outcome.value for run in later.runs][3:] == ["pruned", "failed"]
    adam = [run for run in done.runs if run.trial.optimizer == "adam"]
    check(Imported(done.spec, tuple(adam), (), (), done.protocol, (), ()))


@pytest.mark.slow
@pytest.mark.usefixtures("quiet")
def test_the_goal_is_that_of_optunas_study(tmp_path: Path) -> None:
    """A value that is to be small; seconds are those of the whole trial."""
    import optuna

    path = tmp_path / "sweep.db"
    study = optuna.create_study(storage=f"sqlite:///{path}")
    study.optimize(lambda trial: trial.suggest_float("learning_rate", 0.1, 1), n_trials=3)
    done = import_results([path], tmp_path / "out", aim=Aim(target=0.05))
    assert (done.spec.metric, done.spec.goal) == ("value", "at-most")
    assert [run.accuracy for run in done.runs] == [run.trial.learning_rate for run in done.runs]
    assert all((run.seconds or 0) > 0 for run in done.runs)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_event_files_of_tensorboard(tmp_path: Path) -> None:
    """Scalars by TensorFlow's writer, and the settings by the plugin for them."""
    pytest.importorskip("tensorboard")
    import tensorflow as tf
    from tensorboard.plugins.hparams import api

    for number, rate in enumerate(RATES):
        with tf.summary.create_file_writer(str(tmp_path / "logs" / str(number))).as_default():
            api.hparams({"learning_rate": rate, "optimizer": "adam"})
            for step in range(1, STEPS + 1):
                tf.summary.scalar("val_accuracy", value(rate, step), step=step)
    done = import_results([tmp_path / "logs"], tmp_path / "out", aim=Aim(target=0.5))
    check(done)
    assert done.spec.optimizers == ("adam",)
    assert "seconds are dates there" in " ".join(done.notes)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_runs_of_mlflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a local store, with their parameters and the history of each metric."""
    pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    from mlflow.tracking import MlflowClient

    client = MlflowClient(tracking_uri=(tmp_path / "mlruns").as_uri())
    experiment = client.create_experiment("sweep")
    for rate in RATES:
        run = client.create_run(experiment).info.run_id
        client.log_param(run, "lr", rate)
        client.log_param(run, "optimizer", "adam")
        for step in range(1, STEPS + 1):
            client.log_metric(run, "accuracy", value(rate, step), step=step)
        client.set_terminated(run)
    check(import_results([tmp_path / "mlruns"], tmp_path / "out", aim=Aim(target=0.5)))


@pytest.mark.slow
def test_parquet(tmp_path: Path) -> None:
    """By pandas, through pyarrow."""
    pytest.importorskip("pyarrow")
    import pandas as pd

    rows = [
        {"lr": rate, "opt": "adam", "step": step, "acc": value(rate, step)}
        for rate in RATES
        for step in range(1, STEPS + 1)
    ]
    pd.DataFrame(rows).to_parquet(tmp_path / "runs.parquet")
    check(import_results([tmp_path / "runs.parquet"], tmp_path / "out", aim=Aim(target=0.5)))


@pytest.mark.slow
def test_logs_of_keras(tmp_path: Path) -> None:
    """A history as JSON and the log of `CSVLogger` of one training tell the same."""
    import json

    import keras
    import numpy as np

    x = np.linspace(-1, 1, 64, dtype="float32")[:, None]
    y = (x > 0).astype("float32")
    for rate in RATES:
        keras.utils.set_random_seed(0)
        model = keras.Sequential([keras.layers.Dense(1, activation="sigmoid")])
        model.compile(keras.optimizers.SGD(rate * 10), "binary_crossentropy", metrics=["accuracy"])
        log = keras.callbacks.CSVLogger(tmp_path / f"sgd-{rate:g}.csv")
        told = model.fit(x, y, epochs=4, verbose=0, callbacks=[log], validation_split=0.25)
        (tmp_path / f"sgd-{rate:g}.json").write_text(json.dumps(told.history))
    ends = []
    for kind in ("csv", "json"):
        done = import_results(
            [tmp_path], tmp_path / kind / "out", names=f"{{optimizer}}-{{rate}}.{kind}",
            aim=Aim("loss", 0.65),
        )  # fmt: skip
        ends.append([(run.outcome, run.steps, run.trial.learning_rate) for run in done.runs])
        assert {"loss", "accuracy", "val_loss", "val_accuracy"} == set(done.told[0].metrics)
        assert done.spec.max_steps == 4
    assert ends[0] == ends[1]


@pytest.mark.parametrize(
    ("module", "name", "said"),
    [
        ("pyarrow", "runs.parquet", "Parquet is read by pyarrow: pip install pyarrow"),
        ("optuna", "sweep.db", "stores are read by optuna: pip install optuna"),
        ("tensorboard", "events.out.tfevents.1", "pip install tensorboard"),
        ("mlflow", "mlruns/0/meta.yaml", "pip install mlflow"),
    ],
)
def test_what_is_not_installed_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, name: str, said: str
) -> None:
    """With the command that installs it."""
    for loaded in [one for one in sys.modules if one.partition(".")[0] == module]:
        monkeypatch.delitem(sys.modules, loaded)
    monkeypatch.setitem(sys.modules, module, None)
    path = tmp_path / "in" / name
    path.parent.mkdir(parents=True)
    path.write_bytes(b"SQLite format 3\0" if module == "optuna" else b"PAR1")
    with pytest.raises(StudyError, match=said):
        import_results([path if module in ("pyarrow", "optuna") else tmp_path / "in"], tmp_path)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_logs_of_lightning(tmp_path: Path) -> None:
    """A Trainer's own: one step a batch, the metric once an epoch, the settings beside it."""
    lightning = pytest.importorskip("pytorch_lightning")
    import torch
    from pytorch_lightning.loggers import CSVLogger

    class Told(lightning.LightningModule):  # type: ignore[misc, name-defined]
        """It shows the accuracy that `value` says, whatever it has learnt."""

        def __init__(self, lr: float, optimizer: str) -> None:
            super().__init__()
            self.save_hyperparameters()
            self.layer = torch.nn.Linear(1, 1)

        def training_step(self, batch: Any, index: int) -> Any:
            return self.layer(batch).mean()

        def on_train_epoch_end(self) -> None:
            self.log("val_acc", value(self.hparams["lr"], self.current_epoch + 1))

        def configure_optimizers(self) -> Any:
            return torch.optim.Adam(self.parameters(), self.hparams["lr"])

    quiet: dict[str, Any] = dict.fromkeys(
        ("enable_checkpointing", "enable_progress_bar", "enable_model_summary"), False
    )
    for rate in RATES:
        logger = CSVLogger(tmp_path, name="logs", flush_logs_every_n_steps=1)
        options = {"max_epochs": STEPS, "accelerator": "cpu", "logger": logger, **quiet}
        lightning.Trainer(**options).fit(Told(rate, "adam"), torch.ones(4, 2, 1))
    done = import_results([tmp_path / "logs"], tmp_path / "out", aim=Aim("val_acc", 0.5))
    assert done.spec.optimizers == ("adam",)
    for run in done.runs:
        rate = run.trial.learning_rate
        epoch = next(epoch for epoch in range(1, STEPS + 1) if value(rate, epoch) >= 0.5)
        assert (run.outcome.value, run.steps) == ("reached", 4 * epoch - 1)  # it counts from 0


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_trials_of_ray_tune(tmp_path: Path) -> None:
    """A Tuner's own folder, where Ray Tune is installed."""
    pytest.importorskip("tensorboardX")
    ray = pytest.importorskip("ray")
    from ray import tune

    told = {rate: [value(rate, step) for step in range(1, STEPS + 1)] for rate in RATES}

    def train(config: dict[str, Any]) -> None:
        for accuracy in told[config["lr"]]:
            tune.report({"accuracy": accuracy})

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    try:
        space = {"lr": tune.grid_search(list(RATES)), "optimizer": "adam"}
        config = tune.RunConfig(name="sweep", storage_path=str(tmp_path), verbose=0)
        tune.Tuner(train, param_space=space, run_config=config).fit()
    finally:
        ray.shutdown()
    check(import_results([tmp_path / "sweep"], tmp_path / "out", aim=Aim(target=0.5)))
