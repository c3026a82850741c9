"""What executors and their tasks are made of."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from study import data
from study.engines.learner import Engine
from study.spec.trial import Trial
from study.training.loop import Progress

EngineFactory = Callable[[data.Images], Engine]


Job = tuple[list[Trial], list[float] | None]


Send = Callable[..., None]


Task = Callable[..., None]


Watch = Callable[[int, Progress], None]


@dataclass(frozen=True)
class Setting:
    """What a worker needs to know before its first task: the data, what makes the engine, and how
    many workers share its machine.

    `digest` is that of the data where the worker's could be another; `key` tells one driver's
    engine from another's.
    """

    dataset: str
    factory: EngineFactory
    beside: int
    digest: str | None = None
    key: str = field(default_factory=partial(secrets.token_hex, 8))
