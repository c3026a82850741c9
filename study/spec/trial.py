"""One training of one configuration with one seed, and its identity."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, fields
from functools import cached_property
from operator import attrgetter
from typing import Any

OPTIMIZERS = ("sgd", "momentum", "adam", "adagrad", "adadelta", "rmsprop")


NETWORKS = ("compact", "tutorial", "mlp")


METRICS = ("window", "cumulative", "single", "validation")


MODES = ("array", "alone")


HYPERS = ("published", "keras")


PRUNES = ("none", "hopeless", "plateau")


DATASETS = ("mnist", "fashion-mnist")


PROTOCOL_VERSION = 1
"""Part of every trial's identity. It goes up when the meaning of a stored number changes."""


SORTED = json.JSONEncoder(sort_keys=True)


@dataclass(frozen=True)
class Trial:
    """One training of one configuration with one seed.

    Every field but `size` can change the result, so all others make the trial's `id`. See
    `StudySpec` for their meaning; `learning_rate`, `width` and `seed` are one of the study's each.
    Four more are of a model of the user's own.

    Args:
        start: digest of the model's structure and of its weights at seed 0; empty for a network
            of this program.
        config: the optimizer's whole configuration but for its rate, as JSON text.
        loss: the name of the loss; empty where the model brings its own.
        size: weights, multiply-adds and bytes of a lane, see `study.spec.own.Scale`.
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
    start: str = ""
    config: str = ""
    loss: str = ""
    goal: str = "at-least"
    size: tuple[int, ...] = field(default=(), compare=False)

    @property
    def label(self) -> dict[str, Any]:
        """The fields that tell it from the others of its study, as rows beside it hold them."""
        names = ("id", "optimizer", "learning_rate", "width", "seed")
        return {name: getattr(self, name) for name in names}

    def values(self) -> dict[str, Any]:
        """The fields by their names."""
        return dict(zip(TRIAL_FIELDS, _VALUES_OF(self), strict=True))

    @cached_property
    def id(self) -> str:
        """The trial's identity: 16 hex digits of a hash of its fields and the protocol version.

        A field that was added later enters the hash only if it differs from its default. Ids of
        older trials therefore stay the same.
        """
        values = self.values()
        for name, usual in FIELDS_ADDED_LATER.items():
            if values[name] == usual or name == "size":
                del values[name]
        text = SORTED.encode([PROTOCOL_VERSION, values])
        return hashlib.sha256(text.encode()).hexdigest()[:16]


LOWEST_RATE, HIGHEST_RATE = 1e-37, 1e12


WIDEST = 100


MOST_SEEDS = 10_000


FIELDS_ADDED_LATER: dict[str, Any] = {
    "prune": "none",
    "schedule": "constant",
    "start": "",
    "config": "",
    "loss": "",
    "goal": "at-least",
    "size": (),
}
"""Fields that were added after the first stored studies, with the value that those had."""


TRIAL_FIELDS = tuple(f.name for f in fields(Trial))


_VALUES_OF = attrgetter(*TRIAL_FIELDS)
