"""One training of one configuration with one seed, and its identity."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

OPTIMIZERS = ("sgd", "momentum", "adam", "adagrad", "adadelta", "rmsprop")


NETWORKS = ("compact", "tutorial", "mlp")


METRICS = ("window", "cumulative", "validation")


MODES = ("array", "alone")


HYPERS = ("published", "keras")


PRUNES = ("none", "hopeless")


DATASETS = ("mnist", "fashion-mnist")


PROTOCOL_VERSION = 1
"""Part of every trial's identity; goes up when the meaning of a stored number changes."""


@dataclass(frozen=True)
class Trial:
    """One training of one configuration with one seed: every field can change its result, so all of
    them make its `id`.
    """

    optimizer: str
    learning_rate: float
    width: float
    seed: int
    network: str
    scale_dense: bool
    dataset: str
    hyper: str
    target: float
    metric: str
    cap: float | None
    max_steps: int | None
    batch: int
    check_every: int
    mode: str
    prune: str = "none"
    schedule: str = "constant"

    @cached_property
    def id(self) -> str:
        """The trial's identity: 16 hex digits of a hash of its fields and the protocol version; a
        field of `LATER` counts where it is not what it always was before it came.
        """
        values = {name: getattr(self, name) for name in TRIAL_FIELDS}
        values = {
            name: value
            for name, value in values.items()
            if name not in LATER or value != LATER[name]
        }
        text = json.dumps([PROTOCOL_VERSION, values], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


LOWEST_RATE, HIGHEST_RATE = 1e-37, 1e12


WIDEST = 100


MOST_SEEDS = 10_000


LATER: dict[str, Any] = {"prune": "none", "schedule": "constant"}
"""Fields that came after the first stored studies, with the value that those had."""


TRIAL_FIELDS = tuple(f.name for f in fields(Trial))
