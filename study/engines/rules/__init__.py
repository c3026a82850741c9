"""Six optimizers as update rules over lanes.

A rule is a frozen dataclass. Its hyper-parameters are its fields, and its slots are a NamedTuple,
so that each has a name. All arithmetic is elementwise: a rate of shape (K, 1) gives every lane its
own. The rules are written once for any array library.

There are two sets of hyper-parameters, and options that change them; see `study.spec.hyper`.
"""

from study.engines.rules.adaptive import (
    Adadelta,
    Adagrad,
    Adam,
    KerasRMSProp,
    MeanSquare,
    RMSProp,
)
from study.engines.rules.base import MOMENTUM, Options, Rule, Step, coefficient
from study.engines.rules.descent import SGD, KerasMomentum, Momentum
from study.engines.rules.sets import RULES, rule_of
from study.engines.rules.update import SLOTS, apply, clipped, mixed, slots_of, starts

__all__ = [
    "MOMENTUM",
    "RULES",
    "SGD",
    "SLOTS",
    "Adadelta",
    "Adagrad",
    "Adam",
    "KerasMomentum",
    "KerasRMSProp",
    "MeanSquare",
    "Momentum",
    "Options",
    "RMSProp",
    "Rule",
    "Step",
    "apply",
    "clipped",
    "coefficient",
    "mixed",
    "rule_of",
    "slots_of",
    "starts",
]
