"""Lanes of the study's networks on few images: rates at which they learn without chaos, and what
a step changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from study import data
from study.engines import tensorflow
from study.engines import tensorflow as tensors
from study.engines.lanes import DeviceImages, Lanes
from study.engines.learner import array_size, padded
from study.engines.tensorflow import xp
from study.spec.study import StudySpec
from study.spec.trial import OPTIMIZERS, Trial
from support.engines.images import images

Floats = NDArray[Any]

COMPACT = StudySpec(rates=(1.0,), batch=50, max_steps=10**6)
DROPOUT = COMPACT.with_(network="tutorial", widths=(0.1875,), scale_dense=True, batch=20)
"""A small network with dropout, whose second convolution has too many filters to be folded."""

RATES = {
    "compact": {
        "sgd": 0.05,
        "momentum": 0.05,
        "adam": 0.001,
        "adagrad": 0.02,
        "adadelta": 0.5,
        "rmsprop": 0.001,
    },
    "mlp": {
        "sgd": 0.05,
        "momentum": 0.05,
        "adam": 2e-4,
        "adagrad": 0.02,
        "adadelta": 0.5,
        "rmsprop": 0.001,
    },
    "tutorial": {
        "sgd": 0.0025,
        "momentum": 0.0015,
        "adam": 1e-5,
        "adagrad": 5e-4,
        "adadelta": 0.02,
        "rmsprop": 1e-5,
    },
}
"""Rates at which each optimizer learns without chaos, so that rounding stays rounding.

The tutorial network takes small ones: at a fifth of the compact network's, plain Keras against
itself with initial weights off by 1e-7 is 1e-3 apart after 40 steps of Momentum, since in so many
units some ReLU or pooling window soon stands on its edge.
"""

SLOW_START = 3e-4
"""The tutorial network's rate of the published RMSProp, whose mean square starts at one: at 1e-5 it
would hardly have moved in 50 steps.
"""

STEPS = 40


def on_device(images: data.Images) -> DeviceImages:
    """Images where TensorFlow has them, and multiplies in float32."""
    tensorflow.prepare("float32")
    return DeviceImages.of(images, tensors)


@cache
def device() -> DeviceImages:
    """Those images on the device."""
    return on_device(images())


def trials(optimizers: Sequence[str] = OPTIMIZERS, seed: int = 0, **values: Any) -> list[Trial]:
    """A trial for each optimizer, at its rate."""
    spec = StudySpec(rates=(1.0,), batch=50, max_steps=10**6).with_(**values)
    own = RATES[spec.network] | (
        {"rmsprop": SLOW_START} if (spec.network, spec.hyper) == ("tutorial", "published") else {}
    )
    return [
        replace(spec.trials()[0], optimizer=name, learning_rate=own[name], seed=seed)
        for name in optimizers
    ]


def learner(array: Sequence[Trial]) -> Lanes:
    """Fresh lanes for the trials."""
    return Lanes(array, device())


def rates(array: Sequence[Trial], steps: int = STEPS) -> Floats:
    """Constant rates (steps, K), the first trial's in padding lanes."""
    row = [trial.learning_rate for trial in array]
    return np.tile(padded(row, array_size(len(row))), (steps, 1))


def put(lane: Lanes, slot: int, index: int, start: int, stop: int, value: Any) -> None:
    """Overwrite a stretch of one lane's weights (slot 0) or of its optimizer's slots (1, 2)."""
    slots = [old.numpy().copy() for old in lane.state.slots]
    slots[slot][index, start:stop] = value
    lane.state = replace(lane.state, slots=tuple(xp.constant(new) for new in slots))


def dead(lane: Lanes, layer: int, index: int = 0) -> None:
    """Give one lane's hidden layer biases so low that its ReLU is zero for every image."""
    ends = np.cumsum(lane.network.sizes)
    put(lane, 0, index, ends[2 * layer], ends[2 * layer + 1], -1e4)
