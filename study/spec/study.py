"""A named set of trials under one protocol."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property
from typing import Any, cast

from study.errors import StudyError
from study.spec.budget import BUDGETS, budgets
from study.spec.goals import GOALS, goal_of, is_share
from study.spec.hyper import parse_hyper
from study.spec.own import (
    LABEL,
    OWN_FIELDS,
    Own,
    is_own,
    metric_of,
    of_own,
    reference,
)
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


TOLD = ("name", "model", "data", "max_epochs", "own")
"""Fields that tell where things come from, or follow from others: they change no trial."""


LARGEST = 1e30
"""The largest target of a model of the user's own, either way."""


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
        goal: `"at-least"` or `"at-most"`: whether the metric is to rise to the target or to fall to
            it; where None, what the metric's name stands for.
        model: of a study of your own model, the function that builds it, or where it is, as
            `"my_model.py:build"`; see `study.engines.own`. `network` is not given then, the
            optimizers are any of its framework, and the metric is any of the model's, such as
            `"val_accuracy"`.
        data: the function that loads the model's data, or where it is; `dataset` is not given then.
        loss: the model's loss, a name, a function or where it is, unless the model brings its own.
        max_epochs: as `max_steps`, in epochs of the model's data.
        own: what is known of the model and its data; `study.run` finds it out.

    Raises:
        StudyError: a value is out of its range.

    >>> spec = StudySpec(optimizers=("adam", "sgd"), rates="1e-4:1:9", cap=5.0)
    >>> len(spec), spec.trials()[0].learning_rate
    (18, 0.0001)
    """

    name: str = "study"
    optimizers: tuple[Any, ...] = OPTIMIZERS
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
    goal: str | None = None
    model: Any = None
    data: Any = None
    loss: Any = ""
    max_epochs: float | None = None
    own: Own | None = None

    def __post_init__(self) -> None:
        self._check_own()
        self._check_grid()
        self._check_choices()
        self._check_protocol()

    def _put(self, field: str, value: object) -> None:
        """Set a field of this frozen object while it is made."""
        object.__setattr__(self, field, value)

    def _check_own(self) -> None:
        given = {name: getattr(self, name) for name in OWN_FIELDS}
        for field, value in of_own({f.name: f.default for f in fields(self)}, given).items():
            self._put(field, value)

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
            tuple(self._optimizer(value) for value in sequence("optimizers", self.optimizers)),
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

    def _optimizer(self, value: Any) -> Any:
        """An optimizer that may stand in the grid."""
        if not is_own(self.network):
            return choice("optimizer", value, OPTIMIZERS)
        if isinstance(value, str) and not LABEL.fullmatch(value):
            raise StudyError(
                f"optimizer {value!r} must be a name in small letters, with settings or without, "
                "as in sgd(momentum=0.9)"
            )
        return value

    def _check_choices(self) -> None:
        self._put("seeds", integer("seeds", self.seeds, low=1, high=MOST_SEEDS))
        if not is_own(self.network):
            choice("network", self.network, NETWORKS)
            choice("metric", self.metric, METRICS)
            if not isinstance(self.hyper, str):
                raise StudyError(f"hyper {self.hyper!r} must be text, such as keras,adam.beta1=0.8")
            self._put("hyper", str(parse_hyper(self.hyper)))
        else:
            self._put("metric", metric_of(self.metric))
        self._put("goal", choice("goal", self.goal or goal_of(self.metric), GOALS))
        if self.goal != GOALS[0] and not is_own(self.network):
            raise StudyError(f"goal {self.goal}: the accuracy of a built-in network is to be high")
        choice("mode", self.mode, MODES)
        choice("prune", self.prune, PRUNES)
        if self.prune == "hopeless" and not (self.goal == GOALS[0] and is_share(self.metric)):
            raise StudyError(
                f"prune hopeless extrapolates an accuracy, and the metric is {self.metric}: "
                "plateau takes any metric"
            )
        if not isinstance(self.schedule, str):
            raise StudyError(f"schedule {self.schedule!r} must be text, such as cosine:steps=2000")
        self._put("schedule", str(parse(self.schedule)))
        if not isinstance(self.scale_dense, bool):
            raise StudyError(f"scale_dense {self.scale_dense!r} must be true or false")
        if self.dataset not in DATASETS and not is_own(self.dataset):
            if not str(self.dataset).endswith(".npz"):
                raise StudyError(
                    f"unknown dataset {self.dataset!r}: one of {', '.join(DATASETS)}, or the path "
                    "of an .npz file"
                )
            self._put("dataset", str(home(self.dataset)))

    def _check_protocol(self) -> None:
        low, high = (-LARGEST, LARGEST) if is_own(self.network) else (0, 1)
        self._put("target", number("target", self.target, low=low, high=high))
        self._put("batch", integer("batch", self.batch, low=1, high=10_000))
        self._put("check_every", integer("check_every", self.check_every, low=1, high=100_000))
        if self.max_epochs is not None and not is_own(self.network):
            raise StudyError("max_epochs is of a model of your own: give max_steps")
        given = {name: getattr(self, name) for name in BUDGETS}
        for field, value in budgets(given, self.check_every).items():
            self._put(field, value)

    def trials(self) -> list[Trial]:
        """All trials in a fixed order: width, seed, optimizer, rate.

        Raises:
            StudyError: nothing is known yet of the user's own model.
        """
        if self.model is not None and self.own is None:
            raise StudyError(
                "the trials of your own model are known once it was built, as by study.run"
            )
        return list(self._trials)

    @cached_property
    def _trials(self) -> tuple[Trial, ...]:
        same = {f.name: getattr(self, f.name) for f in fields(Trial) if f.name in SPEC_FIELDS}
        return tuple(
            Trial(
                optimizer=optimizer,
                learning_rate=rate,
                width=width,
                seed=seed,
                **same,
                **self._of_own(optimizer, width),
            )
            for width in self.widths
            for seed in range(self.seeds)
            for optimizer in self.optimizers
            for rate in cast(tuple[float, ...], self.rates)  # text is parsed when the spec is made
        )

    def _of_own(self, optimizer: str, width: float) -> dict[str, Any]:
        """What a trial of the user's own model has beside what every trial has."""
        if self.own is None:
            return {}
        scale = self.own.scale(width)
        return {
            "start": scale.start,
            "config": self.own.configs[optimizer],
            "size": (scale.weights, scale.multiply_adds, scale.lane_bytes),
        }

    def __len__(self) -> int:
        return len(self.optimizers) * len(self.rates) * len(self.widths) * self.seeds

    def with_(self, **changes: Any) -> StudySpec:
        """A copy with the given fields replaced; an unknown name raises `StudyError`."""
        check_keys(changes)
        if "metric" in changes and self.goal == goal_of(self.metric):  # it follows the new one
            changes = {"goal": None, **changes}
        return replace(self, **changes)

    def to_json(self) -> dict[str, Any]:
        """The spec as plain JSON values; `spec_from` reads it back."""
        names = ("model", "data", "loss")
        plain: dict[str, Any] = {
            name: reference(code) for name in names if (code := getattr(self, name))
        }
        return asdict(replace(self, **plain))

    def differences(self, other: StudySpec) -> list[str]:
        """Names of the fields outside the grid in which two specs differ.

        If there are any, trials of the two must not share a study.
        """
        return [
            f.name
            for f in fields(self)
            if f.name not in (*GRID, *TOLD) and getattr(self, f.name) != getattr(other, f.name)
        ]


SPEC_FIELDS = tuple(f.name for f in fields(StudySpec))


def check_keys(values: Mapping[str, Any], extra: tuple[str, ...] = ()) -> None:
    """Raise `StudyError` at the first key that no spec has."""
    for key in values:
        choice("key", key, (*SPEC_FIELDS, *extra))
