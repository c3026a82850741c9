"""Studies of a model of the user's own, made up: no model is built and nothing is trained."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from study import tables
from study.spec.goals import sign
from study.spec.own import Own, Scale
from study.spec.study import StudySpec
from study.spec.trial import Trial
from study.storage.checks import Finish
from study.storage.records import Outcome, Run
from study.storage.store import Store
from support.made import STEP_SECONDS, made_runs

LION = "lion(weight_decay=0.01)"
NESTEROV = "sgd(momentum=0.9,nesterov=true)"

BEST: dict[str, tuple[float, float]] = {
    "adam": (1e-3, 2.0),
    "adamw": (1e-3, 2.4),
    "sgd": (1e-1, 4.0),
    LION: (1e-4, 1.8),
    NESTEROV: (1e-2, 3.0),
}
"""The best rate of each optimizer, and its seconds there."""


def own(widths: Iterable[float] = (1.0,), validation: bool = True, known: bool = True) -> Own:
    """What is known of a model at those widths; without its multiply-adds if they are not known."""
    scales = (
        Scale(width, f"{i:016x}", round(1000 * width), round(5000 * width) * known)
        for i, width in enumerate(widths)
    )
    return Own(
        framework="torch",
        engine="torch",
        loss="mse_loss",
        together=True,
        epoch=40,
        validation=validation,
        structure=("Linear(in_features=8, out_features=16)", "ReLU()", "Linear(<16>, 1)"),
        scales=tuple(scales),
        configs={name: f'{{"name": "{name}"}}' for name in BEST},
    )


LOSS = StudySpec(
    name="loss",
    optimizers=("adamw", LION, "sgd", NESTEROV),
    rates="1e-5:1:11",
    seeds=3,
    network="own:0123abcd",
    dataset="own:89abcdef",
    hyper="own",
    metric="val_loss",
    target=0.3,
    cap=60.0,
    batch=32,
    model="my_model.py:build",
    data="my_model.py:data",
    loss="mse",
    own=own(),
)
"""A validation loss that is to be at most 0.3."""


ACCURACY = LOSS.with_(
    name="accuracy",
    optimizers=("adam", "adamw", LION),
    metric="accuracy",
    target=0.9,
    goal="at-least",
    loss="",
    own=own(known=False),
)
"""A training accuracy of at least 90 %."""


WIDTHS = (1.0, 1.5, 2.0, 3.0, 4.0)


SIZES = LOSS.with_(
    name="sizes",
    optimizers=(LION,),
    rates=(5e-5, 1e-4, 2e-4),
    widths=WIDTHS,
    own=own(WIDTHS, known=False),
)
"""The same loss, of five widths."""


def takes(trial: Trial) -> float | str:
    """A valley about the best rate, above which trials break; a few end otherwise, by chance."""
    random = np.random.default_rng([int(trial.id[:8], 16)])
    best, least = BEST[trial.optimizer]
    away = math.log10(trial.learning_rate / best)
    if away > 1.1:
        return "diverged" if away > 2 else "stuck"
    if trial.seed == 1 and away < -1.1:
        return "pruned" if away < -2 else "failed"
    return float(least * trial.width * 10 ** (0.6 * abs(away)) * random.normal(1, 0.03))


def runs_of(spec: StudySpec) -> list[Run]:
    """The runs of that truth, with values of the metric on the side that their outcome tells."""
    found = []
    side = sign(spec.goal)
    for run in made_runs(spec, takes):
        best = spec.target * (1 + 0.02 * side * (1 if run.outcome is Outcome.REACHED else -4))
        last = best if run.outcome is Outcome.REACHED else best * (1 - 0.01 * side)
        checked = run.outcome not in (Outcome.FAILED, Outcome.DIVERGED)
        values = (last, best) if checked else (None, None)
        found.append(
            replace(
                run,
                study=spec.name,
                engine="torch",
                versions={"python": "3.11", "torch": "2.9"},
                accuracy=values[0],
                best_accuracy=values[1],
            )
        )
    return found


def nothing(spec: StudySpec) -> list[Run]:
    """The same, of which no trial arrived, and those of higher rates came nearer to the target."""
    side = sign(spec.goal)
    return [
        replace(
            run,
            outcome=Outcome.CAPPED,
            seconds=60.0,
            steps=6000,
            best_accuracy=spec.target * (1 - side * (0.5 - 0.01 * i)),
        )
        for i, run in enumerate(runs_of(spec.with_(seeds=1)))
    ]


def frame(spec: StudySpec) -> pd.DataFrame:
    """Those runs as a table, without their study."""
    return tables.frame(runs_of(spec), spec.optimizers)


def curves(spec: StudySpec) -> pd.DataFrame:
    """The curves of its best rates, as `tables.curves` gives them."""
    parts = []
    for row in curve_rows(spec):
        part = pd.DataFrame({"accuracy": row["accuracy"]})
        part["step"] = (part.index + 1) * row["check_every"]
        part["seconds"] = part["step"] * row["step_seconds"]
        parts.append(part.assign(**{name: row[name] for name in SAME}))
    return pd.concat(parts, ignore_index=True)


SAME = ("optimizer", "learning_rate", "width", "seed", "outcome", "fingerprint")


def curve_rows(spec: StudySpec) -> list[dict[str, Any]]:
    """The same as they are stored, at the first width."""
    return [_curve(spec, name, seed) for name in spec.optimizers for seed in range(spec.seeds)]


def picks() -> pd.DataFrame:
    """A contest on `LOSS`, as `contests.table` gives it: two methods, of which one finds less."""
    rows = []
    for name in LOSS.optimizers:
        rate, least = BEST[name]
        for method, factor, outcome in (("finder", 1.0, "reached"), ("default", 30.0, "stuck")):
            arrived = outcome == "reached"
            rows.append(
                {
                    "optimizer": name,
                    "method": method,
                    "rule": "tenth" if method == "finder" else "Keras",
                    "seed": 0,
                    "rate": rate * factor,
                    "schedule": "constant",
                    "search_steps": 300 * arrived,
                    "search_seconds": 3.0 * arrived,
                    "outcome": outcome,
                    "seconds_to_target": 1.1 * least if arrived else math.inf,
                    "regret": 1.1 if arrived else math.inf,
                    "total_seconds": 10.0,
                    "grid_seconds": 100.0,
                    "reason": "",
                }
            )
    return pd.DataFrame(rows)


def stored(folder: Path, spec: StudySpec, share: float = 1.0) -> Path:
    """A study's folder with the first of those runs and their checks; with all, curves too."""
    store, runs = Store(folder), runs_of(spec)
    with store.writing():
        store.write(store.spec_path, {"schema": 1, "dataset_md5": "x", "spec": spec.to_json()})
        store.write(folder / "machine.json", {"versions": {"torch": "2.9"}})
        for run in runs[: round(share * len(runs))]:
            seen = () if run.best_accuracy is None else (run.best_accuracy / 2, run.best_accuracy)
            store.append(run, Finish(0, run.outcome, run.steps or 0, run.seconds or 0, seen, seen))
        if share == 1:
            store.write_curves(curve_rows(spec))
    return folder


def _curve(spec: StudySpec, name: str, seed: int) -> dict[str, Any]:
    """A curve that passes the target; that of SGD diverges, and that of Lion ends far from it."""
    rate = min(spec.rates, key=lambda rate: abs(math.log(float(rate) / BEST[name][0])))
    trial = next(
        trial
        for trial in spec.trials()
        if (trial.optimizer, trial.learning_rate, trial.seed) == (name, rate, seed)
    )
    ends = [3.0, 1.5, 1.05, 0.95] if sign(spec.goal) < 0 else [0.2, 0.7, 0.99, 1.03]
    ends[-1] += 0.01 * seed
    if name == LION:
        ends[-1] = ends[1] * 0.8
    return {
        "id": trial.id,
        "optimizer": name,
        "learning_rate": rate,
        "width": trial.width,
        "seed": seed,
        "span": 5.0,
        "check_every": 50,
        "step_seconds": STEP_SECONDS * (1 + spec.optimizers.index(name) / 4),
        "outcome": "diverged" if name == "sgd" else "capped",
        "accuracy": [round(spec.target * end, 5) for end in ends],
        "loss": [round(end, 5) for end in ends],
        "fingerprint": "0123abcd",
    }
