"""Small models of a user's own and their data, as a user's file would hold them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from study.engines.own.choice import OwnChoice
from study.engines.own.code import Code
from study.spec.study import StudySpec

KERAS = '''
import keras
import numpy as np


def build(width=1):
    """A small network."""
    model = keras.Sequential(
        [
            keras.Input((6,)),
            keras.layers.Dense(int(8 * width), activation="relu"),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.2),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )
    model.compile(loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def load():
    random = np.random.default_rng(0)
    x = random.normal(size=(300, 6)).astype("float32")
    y = (x @ random.normal(size=(6, 3))).argmax(1)
    return (x[:200], y[:200]), (x[200:], y[200:])
'''
"""A user's file with a Keras model."""


TORCH = '''
import numpy as np
from torch import nn


def build(width=1):
    """A small network."""
    wide = int(8 * width)
    return nn.Sequential(
        nn.Linear(6, wide), nn.ReLU(), nn.BatchNorm1d(wide), nn.Dropout(0.2), nn.Linear(wide, 3)
    )


def load():
    random = np.random.default_rng(0)
    x = random.normal(size=(300, 6)).astype("float32")
    y = (x @ random.normal(size=(6, 3))).argmax(1)
    return (x[:200], y[:200]), (x[200:], y[200:])
'''
"""The same of PyTorch, which a process imports in a third of the time."""


def rows(count: int = 200) -> tuple[Any, Any]:
    """Numbers, and which of three sums is the largest."""
    random = np.random.default_rng(0)
    x = random.normal(size=(count, 6)).astype(np.float32)
    return x, (x @ random.normal(size=(6, 3))).argmax(1)


def data() -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    """Training and validation."""
    x, y = rows(300)
    return (x[:200], y[:200]), (x[200:], y[200:])


def shifted() -> Any:
    """Labels from 2 to 4, for three outputs."""
    (x, y), held_out = data()
    return (x, y + 2), held_out


def keras_model(width: float = 1) -> Any:
    """A network of Keras with statistics and random numbers of its own."""
    import keras
    from keras import layers

    model = keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(int(8 * width), activation="relu"),
            layers.BatchNormalization(),
            layers.Dropout(0.2),
            layers.Dense(3, activation="softmax"),
        ]
    )
    model.compile(loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def torch_module() -> Any:
    """The same of PyTorch."""
    from torch import nn

    return nn.Sequential(
        nn.Linear(6, 8), nn.ReLU(), nn.BatchNorm1d(8), nn.Dropout(0.2), nn.Linear(8, 3)
    )


def engine_of(code: Code, **fields: Any) -> tuple[StudySpec, Any]:
    """The settled study of a user's code, and its engine."""
    usual: dict[str, Any] = {"rates": (0.01,), "batch": 20, "max_steps": 1000, "cap": None}
    values = {**usual, "model": code.model, "data": code.data, "loss": code.loss, **fields}
    choice = OwnChoice(code)
    samples = choice.data()
    spec, choice = choice.settled(StudySpec(**values), samples)
    return spec, choice(samples)


def written(folder: Path, text: str = KERAS, name: str = "my_model.py") -> Path:
    """A user's file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(text)
    return path
