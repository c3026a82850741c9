"""What the values of a spec must be; each check returns fields in the form that is stored."""

from __future__ import annotations

import re
from dataclasses import fields
from typing import Any

from study.errors import StudyError
from study.spec.budget import BUDGETS, budgets
from study.spec.goals import GOALS, goal_of, has_target, is_share, metric_of
from study.spec.hyper import parse_hyper
from study.spec.own import LABEL, OWN_FIELDS, is_own, names_itself, of_own
from study.spec.program import check_target, labelled, of_program
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
)
from study.validation import choice, home, integer, number, sequence

Fields = dict[str, Any]
"""Values of a spec by the names of their fields."""


LARGEST = 1e30
"""The largest target of a model of the user's own, either way."""


def kind(spec: Any) -> Fields:
    """What trains: a built-in network, a model of the user's own, or a program."""
    usual = {f.name: f.default for f in fields(spec)}
    if spec.command is not None:
        return of_program(usual, {name: getattr(spec, name) for name in usual}) | of_own(
            usual, {**{name: usual[name] for name in OWN_FIELDS}, "own": spec.own}
        )
    for name in ("report", "read", "track", "percent"):
        if getattr(spec, name):
            raise StudyError(f"{name} is of a program: give command, too")
    return {"track": (), **of_own(usual, {name: getattr(spec, name) for name in OWN_FIELDS})}


def grid(spec: Any) -> Fields:
    """Name, optimizers, rates and widths."""
    if not isinstance(spec.name, str) or not re.fullmatch(
        r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", spec.name
    ):
        raise StudyError(
            f"name {spec.name!r} must be 1 to 64 letters, digits, '.', '_' or '-', and "
            "begin with a letter or digit"
        )
    found = {
        "optimizers": tuple(
            _optimizer(spec, value) for value in sequence("optimizers", spec.optimizers)
        ),
        "rates": parse_rates(spec.rates),
        "widths": tuple(
            number("width", w, low=0, high=WIDEST) for w in sequence("widths", spec.widths)
        ),
    }
    for field, values in found.items():
        if not values:
            raise StudyError(f"{field} is empty: name at least one")
        if len(set(values)) < len(values):
            twice = next(v for v in values if values.count(v) > 1)
            raise StudyError(f"{field} names {twice} twice: each once")
    return found


def _optimizer(spec: Any, value: Any) -> Any:
    """An optimizer that may stand in the grid."""
    if not is_own(spec.network):
        return choice("optimizer", value, OPTIMIZERS)
    if names_itself(spec.network):
        return labelled(value)
    if isinstance(value, str) and not LABEL.fullmatch(value):
        raise StudyError(
            f"optimizer {value!r} must be a name in small letters, with settings or without, "
            "as in sgd(momentum=0.9)"
        )
    return value


def choices(spec: Any) -> Fields:
    """What is one of several words, or a text with a grammar of its own."""
    found: Fields = {"seeds": integer("seeds", spec.seeds, low=1, high=MOST_SEEDS)}
    own, metric = is_own(spec.network), spec.metric
    if not own:
        choice("network", spec.network, NETWORKS)
        choice("metric", metric, METRICS)
        if not isinstance(spec.hyper, str):
            raise StudyError(f"hyper {spec.hyper!r} must be text, such as keras,adam.beta1=0.8")
        found["hyper"] = str(parse_hyper(spec.hyper))
    else:
        found["metric"] = metric = metric_of(metric)
    found["goal"] = goal = choice("goal", spec.goal or goal_of(metric), GOALS)
    if goal != GOALS[0] and not own:
        raise StudyError(f"goal {goal}: the accuracy of a built-in network is to be high")
    choice("mode", spec.mode, MODES)
    choice("prune", spec.prune, PRUNES)
    if spec.prune == "hopeless" and not (goal == GOALS[0] and is_share(metric)):
        raise StudyError(
            f"prune hopeless extrapolates an accuracy, and the metric is {metric}: "
            "plateau takes any metric"
        )
    if not isinstance(spec.schedule, str):
        raise StudyError(f"schedule {spec.schedule!r} must be text, such as cosine:steps=2000")
    found["schedule"] = str(parse(spec.schedule))
    if not isinstance(spec.scale_dense, bool):
        raise StudyError(f"scale_dense {spec.scale_dense!r} must be true or false")
    if spec.dataset not in DATASETS and not is_own(spec.dataset):
        if not str(spec.dataset).endswith(".npz"):
            raise StudyError(
                f"unknown dataset {spec.dataset!r}: one of {', '.join(DATASETS)}, or the path "
                "of an .npz file"
            )
        found["dataset"] = str(home(spec.dataset))
    return found


def protocol(spec: Any) -> Fields:
    """Target, batch, looks and budgets."""
    share = is_share(spec.metric) and not names_itself(spec.network)  # whose words are others
    low, high = (0, 1) if share else (-LARGEST, LARGEST)
    target = number("target", spec.target, low=low, high=high)
    if names_itself(spec.network) and has_target(target):
        check_target(spec.metric, target)
    check_every = integer("check_every", spec.check_every, low=1, high=100_000)
    if spec.max_epochs is not None and not is_own(spec.network):
        raise StudyError("max_epochs is of a model of your own: give max_steps")
    return {
        "target": target,
        "batch": integer("batch", spec.batch, low=1, high=10_000),
        "check_every": check_every,
        **budgets({name: getattr(spec, name) for name in BUDGETS}, check_every),
    }
