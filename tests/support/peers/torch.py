"""Schedules of PyTorch: the numbers of test/optim/test_lrscheduler.py."""

from __future__ import annotations

import math
from collections.abc import Sequence

from support.peers.cases import CANNOT, DESIGN, Case, Left

_STAIRS = "exponential:rate=0.1,steps=3,staircase=true"
_MILESTONES = "piecewise:boundaries=1/4/8,factors=1/0.1/0.01/0.001"
_HELD = "piecewise:boundaries=3,factors=0.4/1"
_RAMP = "linear-ramp:low=0.4,steps=4"
_POWER = "exponential:rate=0.9,steps=1"
_ANNEAL = "cosine:steps=10,alpha=2e-9"


def _of(name: str, text: str, wanted: Sequence[float], rate: float = 0.05, **more: float) -> Case:
    return Case("torch", name, text, rate, range(len(wanted)), wanted, **more)


_COSINES = [1e-10 + (0.05 - 1e-10) * (1 + math.cos(math.pi * x / 10)) / 2 for x in range(10)]
_RISES = [0.4 + i / 4 * 0.6 if i < 4 else 1.0 for i in range(11)]
_FALLS = [1.0] * 2 + [0.1] * 3 + [0.01] * 4 + [0.001] * 2

SINGLE = [
    _of("StepLR", _STAIRS, [0.05] * 3 + [0.005] * 3 + [0.0005] * 3 + [0.00005]),
    _of("MultiStepLR", _MILESTONES, [0.05 * x for x in _FALLS[:10]]),
    _of("ConstantLR", "piecewise:boundaries=4,factors=0.5/1", [0.025] * 5 + [0.05] * 5),
    _of(
        "LinearLR",
        "linear-ramp:low=0.5,steps=4",
        [0.025, 0.03125, 0.0375, 0.04375] + [0.05] * 6,
    ),
    _of(
        "LinearLR to less",
        "linear-ramp:low=0.4166666666666667,steps=4",
        [0.05 * (0.25 + min(i, 4) * 0.35 / 4) for i in range(10)],
        rate=0.03,
    ),
    _of(
        "LinearLR that falls",
        "polynomial:steps=4,end=0.125",
        [2 * (0.8 - i * 0.7 / 4) for i in range(5)],
        rate=1.6,
    ),
    _of("ExponentialLR", _POWER, [0.05 * 0.9**x for x in range(10)]),
    _of(
        "PolynomialLR",
        "polynomial:steps=5,power=0.9",
        [0.05 * (1 - x / 5) ** 0.9 for x in range(5)] + [0.0] * 5,
    ),
    _of("CosineAnnealingLR", _ANNEAL, _COSINES, atol=1e-9),
]


def _warm_restarts(t_mul: int) -> Case:
    wanted, length, place = [], 10, 0
    for _ in range(100):
        wanted.append(1e-10 + (0.05 - 1e-10) * (1 + math.cos(math.pi * place / length)) / 2)
        place += 1
        if place >= length:
            place, length = 0, length * t_mul
    text = f"cosine-restarts:steps=10,t_mul={t_mul},alpha=2e-9"
    return _of(f"CosineAnnealingWarmRestarts {t_mul}", text, wanted, atol=1e-9)


_PLACES = ([1, 2, 3, 4, 5, 15, 2, 3, 4, 10, 11, 3], [10] * 5 + [20, 40, 40, 40, 80, 80, 10])
_JUMPS = {
    2: ([1, 2, 3, 4, 5, 25, 32, 33, 34, 80, 81, 3], *_PLACES),
    1: ([1, 2, 3, 4, 5, 12, 27, 3, 4, 5, 6, 13], [1, 2, 3, 4, 5, 2, 7, 3, 4, 5, 6, 3], [10] * 12),
}
"""Steps that jump, with the place in the cycle and the length of it, by t_mul."""


def _jumps(t_mul: int) -> Case:
    steps, places, lengths = _JUMPS[t_mul]
    shares = [place / length for place, length in zip(places, lengths, strict=True)]
    wanted = [1e-10 + (0.05 - 1e-10) * (1 + math.cos(math.pi * x)) / 2 for x in shares]
    text = f"cosine-restarts:steps=10,t_mul={t_mul},alpha=2e-9"
    name = f"CosineAnnealingWarmRestarts {t_mul}, jumps"
    return Case("torch", name, text, 0.05, steps, wanted, atol=1e-9)


_UP = [1.0, 2, 3, 4, 5, 4, 3, 2, 1, 2, 3]
_UP2 = [1.0, 2, 3, 4, 5, 4, 3, 2, 1, 1.5, 2, 2.5, 3, 2.5, 2, 1.5, 1, 1.25, 1.5, 1.75, 2, 1.75]
_XS = [0.0, 0.25, 0.5, 0.75, 1, 0.75, 0.5, 0.25, 0, 0.25, 0.5, 0.75, 1]
_UNEQUAL = [1.0, 2, 3, 4, 5, 13 / 3, 11 / 3, 3, 7 / 3, 5 / 3, 1]
_UNEQUAL2 = [1, 3, 5, 13 / 3, 11 / 3, 3, 7 / 3, 5 / 3, 1, 2, 3, 8 / 3, 7 / 3, 2, 5 / 3, 4 / 3, 1]
_UNEQUAL2 += [1.5, 2, 11 / 6, 10 / 6, 1.5, 8 / 6, 7 / 6]
_UNEQUAL_XS = [0, 0.5, 1, 5 / 6, 4 / 6, 0.5, 2 / 6, 1 / 6, 0, 0.5, 1, 5 / 6, 4 / 6]


def _cycles() -> list[Case]:
    """CyclicLR from 1 to 5, with momentum from 5 to 1, here a tenth of it."""
    cases = []
    for name, text, wanted in (
        ("triangular", "triangular:half=4,base=0.2", _UP),
        ("triangular2", "triangular2:half=4,base=0.2", _UP2),
        (
            "exp_range",
            "exp-range:half=4,base=0.2,gamma=0.9",
            [1 + 4 * x * 0.9**i for i, x in enumerate(_XS)],
        ),
        ("triangular, unequal", "triangular:half=4,down=6,base=0.2", _UNEQUAL),
        ("triangular2, unequal", "triangular2:half=2,down=6,base=0.2", _UNEQUAL2),
        (
            "exp_range, unequal",
            "exp-range:half=2,down=6,base=0.2,gamma=0.9",
            [1 + 4 * x * 0.9**i for i, x in enumerate(_UNEQUAL_XS)],
        ),
    ):
        momenta = [6 - value for value in wanted]
        cycled = f"{text},momentum=0.5/0.1"
        cases += [
            _of(f"CyclicLR {name}", text, wanted, rate=5.0),
            _of(f"CyclicLR {name}, momentum", cycled, momenta, rate=5.0, momentum=10.0),
        ]
    second = [("triangular", 2, 6, _UP), ("triangular2", 3, 7, _UP2)]
    for name, low, high, wanted in second:
        text = f"{name}:half=4,base={low / high!r}"
        more = [value + low - 1 for value in wanted]
        cases.append(_of(f"CyclicLR {name}, second group", text, more, rate=float(high)))
    more = [5 + 7 * x * 0.9**i for i, x in enumerate(_XS)]
    text = f"exp-range:half=4,base={5 / 12!r},gamma=0.9"
    return [*cases, _of("CyclicLR exp_range, second group", text, more, rate=12.0)]


_TWO = "one-cycle:steps=9,phases=2,anneal=linear,pct_start=0.2222222,div=25,div_final=50"
_THREE = "one-cycle:steps=9,pct_start=0.3333333,div=25,div_final=100"
_FALL = [0.5 + 24.5 / 2 * (math.cos(math.pi * k / 7) + 1) for k in range(1, 7)]
_TURN = [22 - 21 / 2 * (math.cos(math.pi * k / 7) + 1) for k in range(1, 7)]

ONE_CYCLES = [
    _of("OneCycleLR linear", _TWO, [1, 13, 25, 21.5, 18, 14.5, 11, 7.5, 4, 0.5], rate=25.0),
    _of(
        "OneCycleLR linear, momentum",
        f"{_TWO},momentum=0.22/0.01",
        [22, 11.5, 1, 4, 7, 10, 13, 16, 19, 22],
        rate=25.0,
        momentum=100.0,
    ),
    _of("OneCycleLR three phases", _THREE, [1, 9, 17, 25, 17, 9, 1, 0.75, 0.5, 0.25], rate=25.0),
    _of(
        "OneCycleLR three phases, momentum",
        f"{_THREE},momentum=0.22/0.01",
        [22, 15, 8, 1, 8, 15, 22, 22, 22, 22],
        rate=25.0,
        momentum=100.0,
    ),
    _of(
        "OneCycleLR cosine",
        "one-cycle:steps=9,kind=fastai,pct_start=0.2222222,div=25,div_final=50",
        [1, 13, 25, *_FALL, 0.5],
        rate=25.0,
    ),
    _of(
        "OneCycleLR cosine, momentum",
        "one-cycle:steps=9,kind=fastai,pct_start=0.2222222,momentum=0.22/0.01",
        [22, 11.5, 1, *_TURN, 22],
        rate=25.0,
        momentum=100.0,
    ),
]

JOINED = [
    _of(
        "SequentialLR 1",
        "exponential:rate=0.8,steps=1 then exponential:rate=0.1,steps=4,staircase=true at 3",
        [0.05, 0.04, 0.032] + [0.05] * 4 + [0.005] * 4 + [0.0005] * 4 + [0.00005] * 4,
    ),
    _of(
        "SequentialLR 2",
        f"piecewise:boundaries=2,factors=0.1/1 then {_POWER} at 3",
        [0.005] * 3 + [0.05 * 0.9**x for x in range(10)],
    ),
    _of(
        "SequentialLR 3",
        "piecewise:boundaries=2,factors=0.1/1 then exponential:rate=0.8,steps=1 at 3 then "
        "exponential:rate=0.1,steps=2,staircase=true at 6",
        [0.005] * 3 + [0.05, 0.04, 0.032, 0.05, 0.05, 0.005, 0.005, 0.0005, 0.0005],
    ),
    _of(
        "SequentialLR 4",
        "constant then piecewise:boundaries=4,factors=0.1/1 at 10",
        [0.1],
        rate=0.1,
    ),
    _of(
        "SequentialLR 5",
        "linear-ramp:low=0.1,steps=5 * piecewise:boundaries=4,factors=0.1/1 then "
        "piecewise:boundaries=4,factors=0.5/1 at 5",
        [0.0005, 0.0014, 0.0023, 0.0032, 0.0041] + [0.025] * 5,
    ),
    _of(
        "SequentialLR linear and linear",
        "linear-ramp:low=0.125,steps=4 then polynomial:steps=4,end=0.125 at 4",
        [0.2, 0.55, 0.9, 1.25, 1.6, 1.25, 0.9, 0.55],
        rate=1.6,
    ),
]

PRODUCTS = [
    _of("chained 2", "linear-ramp:low=0.4,steps=3", [0.02, 0.03, 0.04] + [0.05] * 7),
    _of(
        "chained 3",
        "linear-ramp:low=0.4,steps=3 * piecewise:boundaries=3/7/9,factors=1/0.1/0.01/0.001",
        [0.02, 0.03, 0.04, 0.05] + [0.005] * 4 + [0.0005] * 2,
    ),
    _of(
        "chained 4",
        f"{_POWER} * piecewise:boundaries=3,factors=0.2/1 * {_STAIRS}",
        [0.05 * 0.9**x * (0.2 if x < 4 else 1) * 0.1 ** (x // 3) for x in range(9)],
    ),
    _of(
        "chained 5",
        "polynomial:steps=5,power=0.9 * piecewise:boundaries=4,factors=0.1/1",
        [0.005 * (1 - x / 5) ** 0.9 for x in range(5)] + [0.0] * 5,
    ),
    _of(
        "steps and milestones",
        f"{_STAIRS} * {_MILESTONES}",
        [0.05] * 2 + [0.005] + [5e-4] * 2 + [5e-5] + [5e-6] * 3 + [5e-8],
    ),
    _of(
        "steps and power",
        f"{_STAIRS} * {_POWER}",
        [0.05 * 0.1 ** (x // 3) * 0.9**x for x in range(10)],
    ),
    _of(
        "power and milestones",
        f"{_MILESTONES} * {_POWER}",
        [0.05 * 0.9**x * y for x, y in enumerate(_FALLS)],
    ),
    _of(
        "power and linear",
        f"linear-ramp:low={4 / 9!r},steps=4 * {_POWER}",
        [0.05 * 0.9**x * (0.4 + min(x, 4) / 4 * 0.5) for x in range(11)],
        rate=0.045,
    ),
    _of(
        "steps and constant",
        f"{_STAIRS} * {_HELD}",
        [0.02] * 3 + [0.002] + [0.005] * 2 + [0.0005] * 3 + [0.00005],
    ),
    _of(
        "linear and milestones",
        f"{_MILESTONES} * {_RAMP}",
        [0.05 * x * y for x, y in zip(_RISES, _FALLS, strict=True)],
    ),
    _of(
        "cosine and steps",
        f"{_ANNEAL} * {_STAIRS}",
        [x * 0.1 ** (i // 3) for i, x in enumerate(_COSINES)],
        atol=1e-9,
    ),
    _of(
        "cosine and milestones",
        f"{_ANNEAL} * {_MILESTONES}",
        [x * y for x, y in zip(_COSINES, _FALLS[:10], strict=True)],
        atol=1e-9,
    ),
    _of(
        "cosine and linear",
        f"{_RAMP} * {_ANNEAL}",
        [x * y for x, y in zip(_COSINES, _RISES[:10], strict=True)],
        atol=1e-9,
    ),
    _of(
        "cosine and power",
        f"{_ANNEAL} * exponential:rate=0.1,steps=1",
        [x * 0.1**i for i, x in enumerate(_COSINES)],
        atol=1e-9,
    ),
]

RESTARTS = [*map(_warm_restarts, (1, 2, 4)), *map(_jumps, (1, 2))]
CASES = [*SINGLE, *RESTARTS, *_cycles(), *ONE_CYCLES, *JOINED, *PRODUCTS]

LEFT = [
    Left("torch", "CosineAnnealingLR beyond its steps", DESIGN, "stays at alpha, as in Keras"),
    Left("torch", "OneCycleLR beyond its steps", DESIGN, "stays at its last value"),
    Left("torch", "CyclicLR custom scale_fn", CANNOT, "a function of the user's own"),
    Left("torch", "CosineAnnealingWarmRestarts, parts of an epoch", CANNOT, "a step is whole"),
    Left("torch", "LambdaLR", CANNOT, "a function of the user's own"),
    Left("torch", "MultiplicativeLR", CANNOT, "a function of the user's own"),
    Left("torch", "SWALR without annealing", CANNOT, "weights are not averaged"),
    Left("torch", "SWALR cosine", CANNOT, "weights are not averaged"),
    Left("torch", "SWALR linear", CANNOT, "weights are not averaged"),
]
