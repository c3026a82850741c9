"""The rules with the hyper-parameters of a study."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from study.engines.rules.adaptive import Adadelta, Adagrad, Adam, KerasRMSProp, RMSProp
from study.engines.rules.base import Rule
from study.engines.rules.descent import SGD, KerasMomentum, Momentum
from study.spec.hyper import parse_hyper
from study.spec.trial import HYPERS, OPTIMIZERS

FORMS: dict[str, dict[str, Any]] = {
    "published": {
        "sgd": SGD,
        "momentum": Momentum,
        "adam": Adam,
        "adagrad": Adagrad,
        "adadelta": Adadelta,
        "rmsprop": RMSProp,
    },
    "keras": {
        "sgd": SGD,
        "momentum": KerasMomentum,
        "adam": Adam,
        "adagrad": Adagrad,
        "adadelta": Adadelta,
        "rmsprop": KerasRMSProp,
    },
}
"""The form of each rule, by set of hyper-parameters and name."""


@lru_cache(maxsize=256)
def rule_of(hyper: str, optimizer: str) -> Rule:
    """The rule of an optimizer.

    Args:
        hyper: a set of hyper-parameters with options, see `study.spec.hyper.parse_hyper`.
        optimizer: its name.
    """
    found = parse_hyper(hyper)
    rule: Rule = FORMS[found.base][optimizer](**found.of(optimizer))
    return rule


RULES: dict[str, dict[str, Rule]] = {
    base: {name: rule_of(base, name) for name in OPTIMIZERS} for base in HYPERS
}
"""The rules without options, by set of hyper-parameters and name."""
