"""The hyper-parameters of the optimizers: two sets, and options that change them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np

from study.errors import StudyError
from study.spec.trial import HYPERS, OPTIMIZERS
from study.validation import choice, flag, number

Value = float | bool


def _below_one(field: str, value: object) -> float:
    """A coefficient of a running mean or of momentum."""
    try:
        found = number(field, value, low=0, high=1, inclusive=True)
    except StudyError:
        raise StudyError(f"{field} {value!r} must be a number from 0 to below 1") from None
    if found == 1:
        raise StudyError(f"{field} {value} must be a number from 0 to below 1")
    if np.float32(found) == 1:  # lanes compute in float32
        raise StudyError(f"{field} {value} must be a number from 0 to 0.9999999")
    return found


def _not_lost(field: str, value: object) -> float:
    """A number from 0 on that is not 0 only because float32 has no smaller one."""
    found = number(field, value, low=0, high=1e6, inclusive=True)
    if found and np.float32(found) == 0:
        raise StudyError(f"{field} {value} is 0 in float32: give 0, or a number above 1e-45")
    return found


_positive_or_none = partial(number, low=0, high=1e12, inclusive=True)


CHECKS: dict[str, Callable[[str, object], Value]] = {
    "momentum": _below_one,
    "nesterov": flag,
    "beta1": _below_one,
    "beta2": _below_one,
    "rho": _below_one,
    "epsilon": _not_lost,
    "initial_accumulator": partial(number, low=0, high=1e12, inclusive=True),
    "centered": flag,
    "weight_decay": partial(number, low=0, high=1e6, inclusive=True),
    "clipvalue": _positive_or_none,
    "clipnorm": _positive_or_none,
    "global_clipnorm": _positive_or_none,
}
"""What each option may be."""


CLIPS = ("clipvalue", "clipnorm", "global_clipnorm")
"""Bounds of a gradient: of each number, of the norm of each weight array, of the norm of all."""


EVERY: dict[str, Value] = {"weight_decay": 0.0, **dict.fromkeys(CLIPS, 0.0)}
"""Options of every optimizer; 0 is none."""


SETS: dict[str, dict[str, dict[str, Value]]] = {
    # TensorFlow 1's defaults, with Momentum 0.5. Its mean square of RMSProp starts at one: about a
    # hundred gentle steps come first.
    "published": {
        "sgd": {},
        "momentum": {"momentum": 0.5, "nesterov": False},
        "adam": {"beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8},
        "adagrad": {"epsilon": 0.0, "initial_accumulator": 0.1},
        "adadelta": {"rho": 0.95, "epsilon": 1e-8},
        "rmsprop": {
            "rho": 0.9,
            "epsilon": 1e-10,
            "initial_accumulator": 1.0,
            "momentum": 0.0,
            "centered": False,
        },
    },
    # Keras 3's defaults, with Momentum 0.5 too: at Keras's default of 0 it would be SGD.
    "keras": {
        "sgd": {},
        "momentum": {"momentum": 0.5, "nesterov": False},
        "adam": {"beta1": 0.9, "beta2": 0.999, "epsilon": 1e-7},
        "adagrad": {"epsilon": 1e-7, "initial_accumulator": 0.1},
        "adadelta": {"rho": 0.95, "epsilon": 1e-7},
        "rmsprop": {
            "rho": 0.9,
            "epsilon": 1e-7,
            "initial_accumulator": 0.0,
            "momentum": 0.0,
            "centered": False,
        },
    },
}
"""Own hyper-parameters of each optimizer, by set."""


@dataclass(frozen=True)
class Hyper:
    """A set of hyper-parameters, and the options that change it.

    Args:
        base: the set.
        options: (optimizer or "" for each, name, value), in one order.
    """

    base: str
    options: tuple[tuple[str, str, Value], ...] = ()

    def of(self, optimizer: str) -> dict[str, Value]:
        """All hyper-parameters of an optimizer.

        >>> parse_hyper("keras,adam.beta1=0.8").of("adam")["beta1"]
        0.8
        """
        values = {**SETS[self.base][optimizer], **EVERY}
        for wanted in ("", optimizer):  # what is one optimizer's own comes last, and wins
            values |= {name: value for of, name, value in self.options if of == wanted}
        return values

    def has_momentum(self, optimizer: str) -> bool:
        """Whether the optimizer has a coefficient of momentum that a schedule can cycle."""
        own = self.of(optimizer)
        return "nesterov" in own or bool(own.get("momentum"))

    def __str__(self) -> str:
        named = [
            f"{of}.{name}={_text(value)}" if of else f"{name}={_text(value)}"
            for of, name, value in self.options
        ]
        return ",".join([self.base, *named])


@lru_cache(maxsize=256)
def parse_hyper(text: str) -> Hyper:
    """The hyper-parameters that a text names: `SET`, `SET,OPTION=VALUE,...` or options alone.

    An option is `OPTIMIZER.NAME`, or one of `EVERY` for all optimizers. Equal hyper-parameters have
    equal text: an option as the set has it is left out.

    Args:
        text: such as `keras,adam.beta1=0.8,clipnorm=1`; the set is `published` where none is named.

    Raises:
        StudyError: an unknown set or option, one that comes twice, a value out of its range, or two
            ways of clipping for one optimizer.

    >>> str(parse_hyper("adam.beta1=0.9,momentum.nesterov=true,keras"))
    'keras,momentum.nesterov=true'
    """
    words = [word.strip() for word in text.split(",")]
    for word in words:
        if "." in word and "=" not in word:
            raise StudyError(f"hyper {text!r}: {word} needs a value, as in {word}=0.8")
    sets = [choice("hyper", word, HYPERS) for word in words if "=" not in word]
    if len(sets) > 1:
        raise StudyError(f"hyper {text!r} names {' and '.join(sets)}: name one set")
    base = sets[0] if sets else HYPERS[0]
    given: dict[tuple[str, str], Value] = {}
    try:
        for word in words:
            if "=" in word:
                key, value = (part.strip() for part in word.split("=", 1))
                of, name = _option(key)
                if (of, name) in given:
                    raise StudyError(f"{key} comes twice")
                given[of, name] = CHECKS[name](key, value)
        found = Hyper(base, tuple(_kept(base, given)))
        for optimizer in OPTIMIZERS:
            clips = [name for name in CLIPS if found.of(optimizer)[name]]
            if len(clips) > 1:
                raise StudyError(f"{' and '.join(clips)} both clip {optimizer}: give one")
    except StudyError as error:
        raise StudyError(f"hyper {text!r}: {error}") from None
    return found


def _option(key: str) -> tuple[str, str]:
    """The optimizer and the name of an option."""
    of, dot, name = key.partition(".")
    if dot:
        own = SETS[HYPERS[0]][choice("optimizer", of, OPTIMIZERS)]
        return of, choice(f"option of {of}", name, (*own, *EVERY))
    having = [optimizer for optimizer in OPTIMIZERS if key in SETS[HYPERS[0]][optimizer]]
    if having:
        raise StudyError(f"{key} must name its optimizer, as in {having[0]}.{key}")
    return "", choice("option", key, tuple(EVERY))


def _kept(base: str, given: Mapping[tuple[str, str], Value]) -> list[tuple[str, str, Value]]:
    """The options that change something, in one order."""
    kept = []
    for (of, name), value in sorted(given.items()):
        usual = {**EVERY, **SETS[base].get(of, {})}[name]
        if value != (given.get(("", name), usual) if of else usual):
            kept.append((of, name, value))
    return kept


def _text(value: Value) -> str:
    """A value as text: the shortest digits that read back as the same number."""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if float(f"{value:g}") == value else repr(value)


def split_labels(text: str) -> tuple[str, ...]:
    """Labels of optimizers in a text: commas inside brackets separate none.

    >>> split_labels("adamw, sgd(momentum=0.9,nesterov=true)")
    ('adamw', 'sgd(momentum=0.9,nesterov=true)')
    """
    parts, depth = [""], 0
    for char in text:
        depth += (char in "([") - (char in ")]")
        if char == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += char
    return tuple(part.strip() for part in parts)
