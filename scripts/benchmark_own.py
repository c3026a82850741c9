#!/usr/bin/env python
"""How fast does a grid of your own model train, against your own loop? Part of benchmark.py.

    .venv/bin/python scripts/benchmark.py --network own

Each contender is a program of its own, which trains the same model on the same data at the same
batch. A grid trains on two processes of one thread each, as a study does; Keras's `fit` and
PyTorch's plain loop have the machine to themselves. All are warmed up, then timed in turn, round by
round; the median counts. Seconds are of one step of one trial: a round's wall time over its steps,
its lanes and its processes. A ratio above 1 means that the grid is faster.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

ROUNDS, SECONDS, BATCH, LANES = 5, 1.0, 32, 16
MODELS = ("tabular MLP", "small CNN")


@dataclass
class Contender:
    """A way to train.

    Args:
        model: what it trains.
        way: `fit`, `loop`, or `grid`.
        backend: Keras's backend, or `module` for PyTorch alone.
        lanes: trials in an array of a grid.
    """

    model: str
    way: str
    backend: str
    lanes: int = 1
    rounds: list[float] = field(default_factory=list)

    @property
    def name(self) -> str:
        """What it is called in the table."""
        whose = "PyTorch module" if self.backend == "module" else f"Keras on {self.backend}"
        ways = {"fit": "Keras fit", "loop": "a plain loop"}
        arrays = f"arrays of {self.lanes}" if self.lanes > 1 else "one by one"
        return f"{whose}, {ways.get(self.way, f'grid, {arrays}')}"

    @property
    def seconds(self) -> float:
        """The median of a trial's step."""
        return statistics.median(self.rounds)


CONTENDERS = [
    Contender(model, way, backend, lanes)
    for model in MODELS
    for way, backend, lanes in (
        ("fit", "tensorflow", 1),
        ("grid", "tensorflow", 1),
        ("fit", "jax", 1),
        ("grid", "jax", 1),
        ("grid", "jax", LANES),
        ("loop", "module", 1),
        ("grid", "module", 1),
        ("grid", "module", LANES),
    )
    # On a processor a study trains convolutions on JAX one by one.
    if (model, backend, lanes) != (MODELS[1], "jax", LANES)
]


def data(model: str) -> Any:
    """Numbers that cost what real ones do."""
    random = np.random.default_rng(0)
    shape = (20,) if model == MODELS[0] else (28, 28, 1)
    x = random.normal(size=(5000, *shape)).astype(np.float32)
    return x, random.integers(0, 10, 5000)


def keras_model(model: str) -> Any:
    """About 20,000 weights in three dense layers; or two convolutions, 14,410 weights."""
    import keras
    from keras import layers

    dense = [layers.Dense(128, activation="relu"), layers.Dense(128, activation="relu")]
    convolutions = [
        *(layers.Conv2D(8, 3, activation="relu"), layers.MaxPooling2D()),
        *(layers.Conv2D(16, 3, activation="relu"), layers.MaxPooling2D(), layers.Flatten()),
        layers.Dense(32, activation="relu"),
    ]
    tabular = model == MODELS[0]
    body = dense if tabular else convolutions
    start = keras.Input((20,) if tabular else (28, 28, 1))
    made = keras.Sequential([start, *body, layers.Dense(10, activation="softmax")])
    made.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return made


def torch_module(model: str) -> Any:
    """The same of PyTorch."""
    from torch import nn

    if model == MODELS[0]:
        body = [nn.Linear(20, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 10)]
        return nn.Sequential(*body)
    return nn.Sequential(
        *(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(8, 16, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()),
        *(nn.Linear(400, 32), nn.ReLU(), nn.Linear(32, 10)),
    )


def worker(model: str, way: str, backend: str, lanes: int) -> None:
    """Train as many steps as each line of standard input says."""
    take = {"fit": fit, "loop": loop}.get(way, lambda *_: grid(model, backend, lanes))(model)
    take(20)
    print("ready", flush=True)
    for line in sys.stdin:
        take(int(line))
        print("done", flush=True)


def fit(model: str) -> Any:
    """Keras's own loop."""
    (x, y), made = data(model), keras_model(model)

    def take(steps: int) -> None:
        rows = np.resize(np.arange(len(x)), steps * BATCH)
        made.fit(x[rows], y[rows], batch_size=BATCH, verbose=0)

    return take


def loop(model: str) -> Any:
    """PyTorch's eager loop."""
    import torch

    (x, y), module = data(model), torch_module(model)
    inputs = torch.from_numpy(x if model == MODELS[0] else x.transpose(0, 3, 1, 2).copy())
    targets, optimizer = torch.from_numpy(y), torch.optim.Adam(module.parameters())
    draw = np.random.default_rng(0)

    def take(steps: int) -> None:
        for _ in range(steps):
            rows = torch.from_numpy(draw.integers(0, len(y), BATCH))
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(module(inputs[rows]), targets[rows])
            loss.backward()
            optimizer.step()

    return take


def grid(model: str, backend: str, lanes: int) -> Any:
    """Lanes of a study."""
    import study
    from study.engines.own.choice import OwnChoice
    from study.engines.own.code import Code

    def load() -> Any:
        x, y = data(model)
        first = backend == "module" and model != MODELS[0]
        return (x.transpose(0, 3, 1, 2).copy() if first else x), y

    make = torch_module if backend == "module" else keras_model
    loss = "cross_entropy" if backend == "module" else ""
    code = Code(lambda: make(model), load, loss)
    rates = tuple(np.geomspace(1e-4, 1e-2, lanes)) if lanes > 1 else (1e-3,)
    spec = study.StudySpec(
        model=code.model, data=load, loss=loss, optimizers=("adam",), rates=rates, batch=BATCH
    )
    choice = OwnChoice(code)
    samples = choice.data()
    spec, choice = choice.settled(spec, samples)
    learner = choice(samples).learner(spec.trials())
    row = [*rates, *[rates[0]] * learner.lanes][: learner.lanes]

    def take(steps: int) -> None:
        for begin in range(0, steps, 50):  # a check comes every 50 steps
            learner.advance(np.tile(row, (min(50, steps - begin), 1)))

    return take


def started(contender: Contender) -> list[subprocess.Popen[str]]:
    """The contender's programs: two of one thread each of a grid, else one of all threads."""
    processes = 2 if contender.way == "grid" else 1
    threads = {"OMP_NUM_THREADS": "1", "TF_NUM_INTRAOP_THREADS": "1", "NPROC": "1"}
    threads |= {"TF_NUM_INTEROP_THREADS": "1"}
    backend = "tensorflow" if contender.backend == "module" else contender.backend
    path = str(Path(__file__).resolve().parents[1])
    environment = {**os.environ, "KERAS_BACKEND": backend, "PYTHONPATH": path}
    environment |= {"TF_CPP_MIN_LOG_LEVEL": "3", **(threads if processes > 1 else {})}
    words = [contender.model, contender.way, contender.backend, str(contender.lanes)]
    return [
        subprocess.Popen(
            [sys.executable, "-W", "ignore", __file__, *words],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(processes)
    ]


def answered(programs: list[subprocess.Popen[str]], steps: int | None = None) -> float:
    """Seconds until all programs have answered."""
    begun = time.perf_counter()
    for program in programs if steps else ():
        assert program.stdin is not None
        print(steps, file=program.stdin, flush=True)
    for program in programs:
        assert program.stdout is not None
        while (line := program.stdout.readline().strip()) not in ("ready", "done"):
            if not line and program.poll() is not None:
                raise RuntimeError("a contender ended: its error stands above")
    return time.perf_counter() - begun


def measure(rounds: int = ROUNDS) -> list[dict[str, Any]]:
    """Time every contender; rows of the table."""
    for model in MODELS:
        mine = [one for one in CONTENDERS if one.model == model]
        programs, steps = [], []
        for one in mine:
            group = started(one)
            programs.append(group)
            answered(group)
            took = answered(group, 100) / 100
            steps.append(max(50, 50 * round(SECONDS / took / 50)))
            one.rounds.clear()
        for _ in range(rounds):
            for one, group, count in zip(mine, programs, steps, strict=True):
                one.rounds.append(answered(group, count) / count / one.lanes / len(group))
        for program in (program for group in programs for program in group):
            program.terminate()
            program.wait()
    return [row_of(one) for one in CONTENDERS]


def row_of(one: Contender) -> dict[str, Any]:
    """The contender's time, and how much faster than the user's own loop it is."""
    against = {"module": "loop"}.get(one.backend, "fit")
    base = next(
        other
        for other in CONTENDERS
        if (other.model, other.way, other.backend) == (one.model, against, one.backend)
    )
    return {
        "model": one.model,
        "contender": one.name,
        "milliseconds": 1e3 * one.seconds,
        "ratio": base.seconds / one.seconds,
        "rounds": [1e3 * value for value in one.rounds],
    }


def printed(rows: list[dict[str, Any]]) -> str:
    """The rows as a table."""
    lines = [
        "| model | trained by | ms a step of a trial | times your own loop |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {row['model']} | {row['contender']} | {row['milliseconds']:.3g} | {row['ratio']:.2f} |"
        for row in rows
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        worker(*sys.argv[1:4], int(sys.argv[4]))
    else:
        found = measure()
        print(printed(found))
        print(json.dumps(found), file=sys.stderr)
