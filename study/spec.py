"""What to run: trials, studies of trials, presets and grids of learning rates.

A `StudySpec` is a product of optimizers, rates, widths and seeds under one protocol. It validates when it is made, knows its length, and
lists its trials in a fixed order. Nothing here trains, reads results or needs more than the standard library and numpy.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np

from study.errors import StudyError
from study.schedules import parse
from study.values import choice, integer, number, sequence

OPTIMIZERS = ("sgd", "momentum", "adam", "adagrad", "adadelta", "rmsprop")
NETWORKS = ("compact", "tutorial", "mlp")
METRICS = ("window", "cumulative", "validation")
MODES = ("array", "alone")
HYPERS = ("published", "keras")
PRUNES = ("none", "hopeless")
DATASETS = ("mnist", "fashion-mnist")

PROTOCOL_VERSION = 1
"""Part of every trial's identity; goes up when the meaning of a stored number changes."""

# The published sweep's grid, 10^(k/6) for k = -36..12: k = 0 is missing there, so a reproduction leaves it out too.
PUBLISHED_RATES = tuple(float(f"{10 ** (k / 6):.6g}") for k in range(-36, 13) if k != 0)

PUBLISHED_SIZE_RATES = (0.0001, 0.0005, 0.001, 0.00146, 0.005, 0.01)
PUBLISHED_WIDTHS = tuple(k / 4 for k in range(4, 40))


@dataclass(frozen=True)
class Trial:
    """One training of one configuration with one seed: every field can change its result, so all of them make its `id`."""

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
        """The trial's identity: 16 hex digits of a hash of its fields and the protocol version; a field of `LATER` counts where it is
        not what it always was before it came."""
        values = {name: getattr(self, name) for name in TRIAL_FIELDS}
        values = {name: value for name, value in values.items() if name not in LATER or value != LATER[name]}
        text = json.dumps([PROTOCOL_VERSION, values], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


LOWEST_RATE, HIGHEST_RATE = 1e-37, 1e12
WIDEST = 100
MOST_SEEDS = 10_000

LATER: dict[str, Any] = {"prune": "none", "schedule": "constant"}
"""Fields that came after the first stored studies, with the value that those had."""

TRIAL_FIELDS = tuple(f.name for f in fields(Trial))

GRID = ("optimizers", "rates", "widths", "seeds")
"""The fields of a spec that may change between two runs of one study: they add or drop trials, and alter none."""


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
        scale_dense: scale the first dense layer by the width too (the article's words; its code scaled the filters alone).
        dataset: `"mnist"`, `"fashion-mnist"` or a path of an `.npz` file with MNIST's four keys.
        hyper: `"published"` (TensorFlow 1's hyper-parameters) or `"keras"` (Keras 3's).
        target: accuracy to reach, in (0, 1].
        metric: accuracy held against the target: `"window"` (training, the last `check_every` steps), `"cumulative"` (training, since
            the first step) or `"validation"`.
        cap: seconds of training after which a trial is given up, or None ("none" in a file).
        max_steps: steps after which a trial is given up, or None ("none" in a file).
        batch: images a step.
        check_every: steps between two looks at the accuracy.
        mode: `"array"` (lanes train together, seconds = steps x step time measured alone) or `"alone"` (one by one, seconds read off
            the clock).
        prune: `"none"`, or `"hopeless"`: a trial whose accuracy, extrapolated generously, misses the target is given up early, at the
            risk of giving up one that would have arrived.
        schedule: how the learning rate changes over the steps, `NAME[:key=value,...]`, see `study.schedules`; its factor
            1 stands for the trial's rate.

    Raises:
        StudyError: a value is out of its range.
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
        def put(field: str, value: object) -> None:
            object.__setattr__(self, field, value)

        if not isinstance(self.name, str) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", self.name):
            raise StudyError(f"name {self.name!r} must be 1 to 64 letters, digits, '.', '_' or '-', and begin with a letter or digit")
        put("optimizers", tuple(choice("optimizer", o, OPTIMIZERS) for o in sequence("optimizers", self.optimizers)))
        put("rates", parse_rates(self.rates))
        put("widths", tuple(number("width", w, low=0, high=WIDEST) for w in sequence("widths", self.widths)))
        for field in ("optimizers", "rates", "widths"):
            values = getattr(self, field)
            if not values:
                raise StudyError(f"{field} is empty: name at least one")
            if len(set(values)) < len(values):
                twice = next(v for v in values if values.count(v) > 1)
                raise StudyError(f"{field} names {twice} twice: each once")
        put("seeds", integer("seeds", self.seeds, low=1, high=MOST_SEEDS))
        choice("network", self.network, NETWORKS)
        choice("metric", self.metric, METRICS)
        choice("mode", self.mode, MODES)
        choice("hyper", self.hyper, HYPERS)
        choice("prune", self.prune, PRUNES)
        if not isinstance(self.schedule, str):
            raise StudyError(f"schedule {self.schedule!r} must be text, such as cosine:steps=2000")
        put("schedule", str(parse(self.schedule)))
        if not isinstance(self.scale_dense, bool):
            raise StudyError(f"scale_dense {self.scale_dense!r} must be true or false")
        if self.dataset not in DATASETS and not str(self.dataset).endswith(".npz"):
            raise StudyError(f"unknown dataset {self.dataset!r}: one of {', '.join(DATASETS)}, or the path of an .npz file")
        put("dataset", str(self.dataset))
        put("target", number("target", self.target, low=0, high=1))
        for field in ("cap", "max_steps"):
            if getattr(self, field) == "none":  # how a command line or a TOML file takes a preset's budget away
                put(field, None)
        if self.cap is not None:
            put("cap", number("cap", self.cap, low=0, high=1e7))
        put("batch", integer("batch", self.batch, low=1, high=10_000))
        put("check_every", integer("check_every", self.check_every, low=1, high=100_000))
        if self.max_steps is not None:
            put("max_steps", integer("max_steps", self.max_steps, low=1, high=10**9))
            if self.max_steps < self.check_every:
                raise StudyError(f"max_steps {self.max_steps} is less than check_every {self.check_every}: no accuracy would ever be read")
        if self.cap is None and self.max_steps is None:
            raise StudyError("a study needs a cap (seconds), max_steps, or both: without one a trial that never learns would never end")

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
        """A copy with the given fields replaced; unknown names raise `StudyError`."""
        check_keys(changes)
        return replace(self, **changes)

    def to_json(self) -> dict[str, Any]:
        """The spec as plain JSON values; `spec_from` reads it back."""
        return asdict(self)

    def differences(self, other: StudySpec) -> list[str]:
        """Names of the fields outside the grid in which two specs differ: trials of the two must not share a study."""
        return [f.name for f in fields(self) if f.name not in (*GRID, "name") and getattr(self, f.name) != getattr(other, f.name)]


SPEC_FIELDS = tuple(f.name for f in fields(StudySpec))


PRESETS: dict[str, dict[str, Any]] = {
    "smoke": dict(optimizers=("sgd", "adam"), rates=(0.003, 0.03, 300.0), target=0.6, cap=None, max_steps=300),
    "quick": dict(rates="1e-4:100:19", target=0.95, cap=None, max_steps=3000),
    "article": dict(rates="published", target=0.97, cap=120.0),
    "tutorial": dict(rates="published", target=0.97, cap=120.0, network="tutorial"),
    "sizes-quick": dict(optimizers=("adam",), rates=(0.002, 0.005, 0.01), widths=(1.0, 1.5, 2.0, 3.0, 4.0, 5.0), target=0.96, cap=60.0),
    "sizes": dict(optimizers=("adam",), rates=PUBLISHED_SIZE_RATES, widths=PUBLISHED_WIDTHS, target=0.96, cap=240.0),
}
"""Named studies: `smoke` takes seconds, `quick` minutes on two cores, `article` is the published grid, `tutorial` the same on the network
that the published code trained; `sizes` is the published study of model size, `sizes-quick` one of minutes."""

ON_GPU: dict[str, dict[str, Any]] = {"sizes-quick": dict(network="tutorial"), "sizes": dict(network="tutorial")}
"""What presets take instead on a machine with a GPU."""


def preset(name: str, gpu: bool = False) -> StudySpec:
    """The preset of that name; with `gpu`, as it is on a machine with one. An unknown name raises `StudyError`."""
    values = PRESETS[choice("preset", name, tuple(PRESETS))]
    return StudySpec(name=name, **{**values, **(ON_GPU.get(name, {}) if gpu else {})})


def spec_from(values: Mapping[str, Any], name: str = "study") -> StudySpec:
    """A spec from plain values (a TOML file's, a `spec.json`'s): the fields of `StudySpec`, and `preset` to start from.

    Raises:
        StudyError: an unknown key, or a value out of range.
    """
    values = {k.replace("-", "_"): v for k, v in values.items()}
    base = values.pop("preset", None)
    check_keys(values, extra=("preset",))
    start = preset(base) if base is not None else StudySpec()
    return replace(start, **{"name": name, **values})


def read_spec(path: Path) -> StudySpec:
    """The spec in a TOML file; the study is named after the file unless it says otherwise.

    Raises:
        StudyError: the file is missing or is not TOML, or holds a key or value that is not a spec's.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise StudyError(f"no file {path}: give a preset ({', '.join(PRESETS)}) or a TOML file") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise StudyError(f"{path} cannot be read as TOML: {why}") from None
    try:
        return spec_from(values, name=path.stem)
    except StudyError as error:
        raise StudyError(f"{path}: {error}") from None


def parse_rates(rates: object) -> tuple[float, ...]:
    """Learning rates from `"published"`, `"LOW:HIGH:N"` (N log-spaced, both ends included), `"a,b,c"`, or numbers.

    Raises:
        StudyError: not such a thing, or a rate that is not a positive finite number.
    """
    if isinstance(rates, str):
        if rates.strip() == "published":
            return PUBLISHED_RATES
        if ":" in rates:
            parts = rates.split(":")
            try:
                low, high, count = float(parts[0]), float(parts[1]), int(parts[2])
            except (ValueError, IndexError):
                raise StudyError(f"rates {rates!r} must read LOW:HIGH:N, such as 1e-4:10:16") from None
            if len(parts) != 3 or not (0 < low < high < math.inf) or not 2 <= count <= 10_000:
                raise StudyError(f"rates {rates!r} must read LOW:HIGH:N with 0 < LOW < HIGH and 2 <= N <= 10000")
            return tuple(float(f"{rate:.6g}") for rate in np.geomspace(low, high, count))
        rates = rates.split(",")
    return tuple(number("learning rate", rate, low=LOWEST_RATE, high=HIGHEST_RATE) for rate in sequence("rates", rates))


def check_keys(values: Mapping[str, Any], extra: tuple[str, ...] = ()) -> None:
    """Raise `StudyError` at the first key that no spec has."""
    for key in values:
        choice("key", key, (*SPEC_FIELDS, *extra))
