"""A named set of trials under one protocol."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property
from typing import Any, cast

from study.errors import StudyError
from study.spec import checks
from study.spec.goals import goal_of
from study.spec.own import Own, is_foreign, reference
from study.spec.trial import OPTIMIZERS, Trial
from study.validation import choice

GRID = ("optimizers", "rates", "widths", "seeds")
"""The fields of a spec that may change between two runs of one study.

They add or drop trials, and change none.
"""


TOLD = (
    *("name", "model", "data", "max_epochs", "own"),
    *("command", "report", "read", "track", "percent"),
)
"""Fields that tell where things come from, or follow from others: they change no trial."""


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
            `check_every` steps), `"cumulative"` (training, since the first step), `"single"` (the
            mean of the last batch at each check so far) or `"validation"`.
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
        command: of a study of programs, the command line of one, split once and never given to a
            shell. `{rate}`, `{optimizer}`, `{width}`, `{seed}`, `{trial}` and `{out}`, a folder of
            the trial's own, stand for a trial's values. The metric is any that the program
            reports, and a step is what it counts.
        report: the file that the program reports in, with places as in `command`; where empty, it
            prints its reports.
        read: a regular expression of a report, with a group `step`, as `(?P<step>\\d+)`, and one
            for each metric; where empty, reports are JSON lines or CSV with a header.
        track: files whose content is part of the study, as the command line is.
        percent: whether the program tells accuracies in percent.
        own: what is known of the model or program; `study.run` finds it out.

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
    command: Any = None
    report: str = ""
    read: str = ""
    track: Any = ()
    percent: bool = False
    own: Own | None = None

    def __post_init__(self) -> None:
        for check in (checks.kind, checks.grid, checks.choices, checks.protocol):
            for field, value in check(self).items():
                object.__setattr__(self, field, value)

    @property
    def source(self) -> Any:
        """What the user's own model, program or import is called by; None of a built-in network."""
        if self.own is not None and is_foreign(self.network):
            return self.own.structure[0]
        return self.model or self.command

    def trials(self) -> list[Trial]:
        """All trials in a fixed order: width, seed, optimizer, rate.

        Raises:
            StudyError: nothing is known yet of the user's own model or program.
        """
        if self.own is None and (self.model, self.command) != (None, None):
            what = "model are known once it was built" if self.model else "program are known later"
            raise StudyError(f"the trials of your own {what}, as by study.run")
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
