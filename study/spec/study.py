"""A named set of trials under one protocol."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property
from typing import Any, cast

from study.errors import StudyError
from study.spec.hyper import parse_hyper
from study.spec.rates import parse_rates
from study.spec.schedules.parse import parse
from study.spec.trial import (
    DATASETS,
    METRICS,
    MODES,
    MOST_SEEDS,
    NETWORKS,
    OPTIMIZERS,
    PRUNES,
    WIDEST,
    Trial,
)
from study.validation import choice, home, integer, number, sequence

GRID = ("optimizers", "rates", "widths", "seeds")
"""The fields of a spec that may change between two runs of one study.

They add or drop trials, and change none.
"""


@dataclass(frozen=True)
class StudySpec:
    """A named set of trials under one protocol.

    Args:
        name: the study's name, a plain folder name.
        optimizers: names out of `OPTIMIZERS`.
        rates: `"published"`, `"LOW:HIGH:N"` (log-spaced), or the learning rates themselves.
        widths: multipliers of the number of filters (of the mlp: of its hidden units).
        seeds: how many seeds, 0 to N - 1; the same for every optimizer and rate.
        network: `"compact"`, `"tutorial"` or `"mlp"`.
        scale_dense: scale the first dense layer by the width too (the article's words; its code
            scaled the filters alone).
        dataset: `"mnist"`, `"fashion-mnist"` or a path of an `.npz` file with MNIST's four keys.
        hyper: `"published"` (TensorFlow 1's hyper-parameters) or `"keras"` (Keras 3's), and options
            that change them, such as `"keras,adam.beta1=0.8"`, see `study.spec.hyper`.
        target: accuracy to reach, in (0, 1].
        metric: the accuracy that is compared with the target: `"window"` (training, the last
            `check_every` steps), `"cumulative"` (training, since the first step) or `"validation"`.
        cap: seconds of training after which a trial is given up, or None ("none" in a file).
        max_steps: steps after which a trial is given up, or None ("none" in a file).
        batch: images a step.
        check_every: steps between two looks at the accuracy.
        mode: `"array"` (lanes train together, seconds = steps x step time measured alone) or
            `"alone"` (one by one, seconds read off the clock).
        prune: `"none"`, or `"hopeless"`: a trial whose accuracy, extrapolated generously, misses
            the target is given up early, at the risk of giving up one that would have arrived.
        schedule: how the learning rate changes over the steps, `NAME[:key=value,...]`, see
            `study.spec.schedules`; its factor 1 stands for the trial's rate.

    Raises:
        StudyError: a value is out of its range.

    >>> spec = StudySpec(optimizers=("adam", "sgd"), rates="1e-4:1:9", cap=5.0)
    >>> len(spec), spec.trials()[0].learning_rate
    (18, 0.0001)
    """

    name: str = "study"
    optimizers: tuple[str, ...] = OPTIMIZERS
    rates: tuple[float, ...] | str = "published"
    widths: tuple[float, ...] = (1.0,)
    seeds: int = 1
    network: str = "compact"
    scale_dense: bool = False
    dataset: str = "mnist"
    hyper: str = "published"
    target: float = 0.97
    metric: str = "window"
    cap: float | None = 120.0
    max_steps: int | None = None
    batch: int = 100
    check_every: int = 50
    mode: str = "array"
    prune: str = "none"
    schedule: str = "constant"

    def __post_init__(self) -> None:
        self._check_grid()
        self._check_choices()
        self._check_protocol()

    def _put(self, field: str, value: object) -> None:
        """Set a field of this frozen object while it is made."""
        object.__setattr__(self, field, value)

    def _check_grid(self) -> None:
        if not isinstance(self.name, str) or not re.fullmatch(
            r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", self.name
        ):
            raise StudyError(
                f"name {self.name!r} must be 1 to 64 letters, digits, '.', '_' or '-', and "
                "begin with a letter or digit"
            )
        self._put(
            "optimizers",
            tuple(
                choice("optimizer", o, OPTIMIZERS) for o in sequence("optimizers", self.optimizers)
            ),
        )
        self._put("rates", parse_rates(self.rates))
        self._put(
            "widths",
            tuple(number("width", w, low=0, high=WIDEST) for w in sequence("widths", self.widths)),
        )
        for field in ("optimizers", "rates", "widths"):
            values = getattr(self, field)
            if not values:
                raise StudyError(f"{field} is empty: name at least one")
            if len(set(values)) < len(values):
                twice = next(v for v in values if values.count(v) > 1)
                raise StudyError(f"{field} names {twice} twice: each once")

    def _check_choices(self) -> None:
        self._put("seeds", integer("seeds", self.seeds, low=1, high=MOST_SEEDS))
        choice("network", self.network, NETWORKS)
        choice("metric", self.metric, METRICS)
        choice("mode", self.mode, MODES)
        if not isinstance(self.hyper, str):
            raise StudyError(f"hyper {self.hyper!r} must be text, such as keras,adam.beta1=0.8")
        self._put("hyper", str(parse_hyper(self.hyper)))
        choice("prune", self.prune, PRUNES)
        if not isinstance(self.schedule, str):
            raise StudyError(f"schedule {self.schedule!r} must be text, such as cosine:steps=2000")
        self._put("schedule", str(parse(self.schedule)))
        if not isinstance(self.scale_dense, bool):
            raise StudyError(f"scale_dense {self.scale_dense!r} must be true or false")
        if self.dataset not in DATASETS:
            if not str(self.dataset).endswith(".npz"):
                raise StudyError(
                    f"unknown dataset {self.dataset!r}: one of {', '.join(DATASETS)}, or the path "
                    "of an .npz file"
                )
            self._put("dataset", str(home(self.dataset)))

    def _check_protocol(self) -> None:
        self._put("target", number("target", self.target, low=0, high=1))
        for field in ("cap", "max_steps"):
            # A command line or a TOML file removes a preset's budget by the word "none".
            if getattr(self, field) == "none":
                self._put(field, None)
        if self.cap is not None:
            self._put("cap", number("cap", self.cap, low=0, high=1e7))
        self._put("batch", integer("batch", self.batch, low=1, high=10_000))
        self._put("check_every", integer("check_every", self.check_every, low=1, high=100_000))
        if self.max_steps is not None:
            self._put("max_steps", integer("max_steps", self.max_steps, low=1, high=10**9))
            if self.max_steps < self.check_every:
                raise StudyError(
                    f"max_steps {self.max_steps} is less than check_every {self.check_every}: "
                    "no accuracy would ever be read"
                )
        if self.cap is None and self.max_steps is None:
            raise StudyError(
                "a study needs a cap (seconds), max_steps, or both: without one a trial that "
                "never learns would never end"
            )

    def trials(self) -> list[Trial]:
        """All trials in a fixed order: width, seed, optimizer, rate."""
        return list(self._trials)

    @cached_property
    def _trials(self) -> tuple[Trial, ...]:
        same = {f.name: getattr(self, f.name) for f in fields(Trial) if f.name in SPEC_FIELDS}
        return tuple(
            Trial(optimizer=optimizer, learning_rate=rate, width=width, seed=seed, **same)
            for width in self.widths
            for seed in range(self.seeds)
            for optimizer in self.optimizers
            for rate in cast(tuple[float, ...], self.rates)  # text is parsed when the spec is made
        )

    def __len__(self) -> int:
        return len(self.optimizers) * len(self.rates) * len(self.widths) * self.seeds

    def with_(self, **changes: Any) -> StudySpec:
        """A copy with the given fields replaced. An unknown name raises `StudyError`."""
        check_keys(changes)
        return replace(self, **changes)

    def to_json(self) -> dict[str, Any]:
        """The spec as plain JSON values; `spec_from` reads it back."""
        return asdict(self)

    def differences(self, other: StudySpec) -> list[str]:
        """Names of the fields outside the grid in which two specs differ.

        If there are any, trials of the two must not share a study.
        """
        return [
            f.name
            for f in fields(self)
            if f.name not in (*GRID, "name") and getattr(self, f.name) != getattr(other, f.name)
        ]


SPEC_FIELDS = tuple(f.name for f in fields(StudySpec))


def check_keys(values: Mapping[str, Any], extra: tuple[str, ...] = ()) -> None:
    """Raise `StudyError` at the first key that no spec has."""
    for key in values:
        choice("key", key, (*SPEC_FIELDS, *extra))
