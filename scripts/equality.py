#!/usr/bin/env python
"""Does a lane of your own model train as the framework's own loop does? A table of differences.

    .venv/bin/python scripts/equality.py                 # Keras on each backend, and PyTorch alone
    .venv/bin/python scripts/equality.py torch-module    # one of them as JSON
    .venv/bin/python scripts/equality.py jax=sgd jax-dense=adam    # some optimizers

A small convolutional network with BatchNorm and dropout trains for 200 steps at two rates, and on
JAX also one of dense layers, whose lanes train in one array. Each trains as lanes of a study, and
by Keras's `fit` or PyTorch's plain loop, from the same weights, batches and random numbers. The
table has the largest difference of a loss, and of a weight or statistic at the end.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import numpy as np

WAYS = ("tensorflow", "jax", "jax-dense", "torch", "torch-module")
STEPS, BATCH, CLASSES = 200, 32, 4
RATES = (0.001, 0.01)
OPTIMIZERS = {
    "keras": ("sgd", "adam", "adamw", "lion"),
    "torch": ("sgd", "adam", "adamw", "sgd(momentum=0.9,nesterov=true,weight_decay=0.01)"),
}


def data() -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    """Noise with labels that a network can learn."""
    random = np.random.default_rng(0)
    x = random.normal(size=(600, 8, 8, 1)).astype(np.float32)
    y = (x.reshape(600, -1) @ random.normal(size=(64, CLASSES))).argmax(1)
    return (x, y), (x[:100], y[:100])


def torch_data() -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    """The same, channels first."""
    (x, y), (xv, yv) = data()
    return (x.transpose(0, 3, 1, 2), y), (xv.transpose(0, 3, 1, 2), yv)


def keras_model(first: str = "convolution") -> Any:
    """A small network of Keras, compiled with its loss."""
    import keras
    from keras import layers

    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Dense(8) if first == "dense" else layers.Conv2D(8, 3, use_bias=False),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.Flatten(),
            layers.Dropout(0.3),
            layers.Dense(16, activation="tanh"),
            layers.Dense(CLASSES, activation="softmax"),
        ]
    )
    model.compile(loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def torch_module() -> Any:
    """The same network of PyTorch."""
    from torch import nn

    return nn.Sequential(
        *(nn.Conv2d(1, 8, 3, bias=False), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten()),
        *(nn.Dropout(0.3), nn.Linear(288, 16), nn.Tanh(), nn.Linear(16, CLASSES)),
    )


def engine_of(way: str, optimizers: tuple[str, ...]) -> tuple[Any, Any]:
    """The study of a way with its optimizers, and the engine that trains its lanes."""
    import study
    from study.engines.own.choice import OwnChoice
    from study.engines.own.code import Code

    own = (torch_module, torch_data, "cross_entropy") if way == "torch-module" else None
    code = Code(*(own or (lambda: keras_model(way.partition("-")[2]), data, "")))
    spec = study.StudySpec(
        model=code.model,
        data=code.data,
        loss=code.loss,
        optimizers=optimizers,
        rates=RATES,
        batch=BATCH,
        max_steps=1000,
    )
    choice = OwnChoice(code)
    samples = choice.data()
    spec, choice = choice.settled(spec, samples)
    return spec, choice(samples)


def lanes(engine: Any, trials: Any) -> tuple[Any, Any]:
    """Losses (T, 2) and the learner of the two lanes of an optimizer after their steps."""
    learner = engine.learner(trials)
    padding = learner.lanes - len(RATES)
    rates = np.tile([*RATES, *[RATES[0]] * padding], (STEPS, 1))
    losses, _ = learner.advance(rates)
    return losses, learner


def by_fit(way: str, optimizer: str, order: Any) -> Any:
    """Losses and weights of Keras's own `fit` on the same batches, at each rate.

    The model is compiled once, and begins anew: with its first weights, slots and random numbers.
    """
    import keras

    from study.engines.own.optimizers import named

    (x, y), _ = data()
    losses: list[float] = []

    class Batches(keras.utils.PyDataset):  # type: ignore[misc]
        def __len__(self) -> int:
            return STEPS

        def __getitem__(self, step: int) -> Any:
            return x[order[step]], y[order[step]]

    class Note(keras.callbacks.Callback):  # type: ignore[misc]
        def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
            self.model.reset_metrics()  # a loss is then that of its batch alone
            if batch == 0 and keras.backend.backend() == "torch":
                import torch

                torch.set_rng_state(drawn)  # fit's own loader has drawn from it

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            losses.append(float(logs["loss"]))

    keras.utils.set_random_seed(0)
    model = keras_model(way.partition("-")[2])
    if keras.backend.backend() == "torch":
        import torch

        drawn = torch.get_rng_state()
    model.optimizer = named("keras", optimizer).kind(RATES[0])
    model.optimizer.build(model.trainable_variables)
    variables = [*model.variables, *model.optimizer.variables]
    begin = [numbers(one) for one in variables]
    for rate in RATES:
        for variable, value in zip(variables, begin, strict=True):
            variable.assign(value)
        model.optimizer.learning_rate = rate
        losses.clear()
        model.fit(Batches(), shuffle=False, verbose=0, callbacks=[Note()])
        yield list(losses), [numbers(one) for one in weights(model)]


def numbers(variable: Any) -> Any:
    """A copy of what a variable of Keras holds."""
    import keras

    return np.array(keras.ops.convert_to_numpy(variable.value))


def weights(model: Any) -> list[Any]:
    """The variables in the order in which a lane tells them."""
    return [*model.trainable_variables, *model.non_trainable_variables]


def by_loop(way: str, optimizer: str, order: Any) -> Any:
    """Losses and weights of PyTorch's plain loop, at each rate."""
    import torch

    from study.engines.own.optimizers import named

    (x, y), _ = torch_data()
    for rate in RATES:
        torch.manual_seed(0)
        module, one = torch_module(), named("torch", optimizer)
        trainer: Any = one.kind(module.parameters(), lr=rate, **one.settings)  # type: ignore[call-arg]
        losses = []
        for rows in order:
            trainer.zero_grad()
            outputs = module(torch.from_numpy(x[rows]))
            loss = torch.nn.functional.cross_entropy(outputs, torch.from_numpy(y[rows]))
            loss.backward()
            trainer.step()
            losses.append(float(loss.detach()))
        yield losses, [value.numpy() for value in module.state_dict().values()]


def differences(told: str) -> list[dict[str, Any]]:
    """The largest differences of each optimizer.

    Args:
        told: a way, or a way and its optimizers: `jax=sgd,adam`.
    """
    from study.engines.batches import batch_order

    way, _, names = told.partition("=")
    family = "torch" if way == "torch-module" else "keras"
    train = by_loop if family == "torch" else by_fit
    rows, order = [], batch_order(0, 0, STEPS, BATCH, 600)
    optimizers = tuple(names.split(",")) if names else OPTIMIZERS[family]
    spec, engine = engine_of(way, optimizers)
    for at, optimizer in enumerate(optimizers):
        trials = spec.trials()[at * len(RATES) : (at + 1) * len(RATES)]
        losses, learner = lanes(engine, trials)
        for lane, own in enumerate(train(way, optimizer, order)):
            mine = learner.program.weights(learner.state, lane)
            rows.append(
                {
                    "trained by": way,
                    "optimizer": optimizer,
                    "rate": RATES[lane],
                    "loss": float(np.abs(np.array(own[0]) - losses[:, lane]).max()),
                    "weight": max(
                        float(np.abs(a.astype(float) - b.astype(float)).max())
                        for a, b in zip(own[1], mine, strict=True)
                    ),
                    "together": bool(learner.program.together),
                }
            )
    return rows


def main() -> None:
    """Print the table, each backend in a process of its own."""
    if len(sys.argv) > 1:
        print(json.dumps([row for told in sys.argv[1:] for row in differences(told)]))
        return
    print("| trained by | optimizer | rate | loss | weight |\n|---|---|---|---|---|")
    for way in WAYS:
        backend = {} if way == "torch-module" else {"KERAS_BACKEND": way.partition("-")[0]}
        told = subprocess.run(
            [sys.executable, "-W", "ignore", __file__, way],
            env={**os.environ, **backend, "TF_CPP_MIN_LOG_LEVEL": "3"},
            stdout=subprocess.PIPE,
            check=True,
        ).stdout
        for row in json.loads(told.splitlines()[-1]):
            name = (
                "PyTorch module" if way == "torch-module" else f"Keras on {way.replace('-', ', ')}"
            )
            print(
                f"| {name} | {row['optimizer']} | {row['rate']:g} | {row['loss']:.0e} | "
                f"{row['weight']:.0e} |"
            )


if __name__ == "__main__":
    main()
