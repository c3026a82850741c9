"""Schedules of Keras 3 and TensorFlow 1, which share their tests, and of CLR's code.

The numbers are those of keras/src/optimizers/schedules/learning_rate_schedule_test.py and of
tensorflow/python/keras/optimizer_v2/legacy_learning_rate_decay_test.py; CLR is the formula of
bckenstler/CLR at its default values.
"""

from __future__ import annotations

import math

from support.peers.cases import CANNOT, DESIGN, Case, Left


def _cosine(step: int, steps: int, alpha: float = 0.0) -> float:
    return (1 - alpha) * 0.5 * (1 + math.cos(math.pi * min(step, steps) / steps)) + alpha


def _restarts(step: int, steps: float, t: float = 2.0, m: float = 1.0, alpha: float = 0.0) -> float:
    peak = 1.0
    while step >= steps:
        step, steps, peak = int(step - steps), steps * t, peak * m
    return (1 - alpha) * peak * 0.5 * (1 + math.cos(math.pi * step / steps)) + alpha


def _both(suite: str) -> list[Case]:
    """Tests that Keras took over from TensorFlow 1."""
    often, ten = range(0, 1500, 250), range(11)
    inverse = "inverse-time:rate=0.96,steps=10"
    pieces = "piecewise:boundaries=100/110/120,factors=1/0.1/0.01/0.001"
    listed: list[tuple[str, str, float, list[int], list[float]]] = [
        ("exponential", "exponential:rate=0.96,steps=10", 0.05, [5], [0.05 * 0.96**0.5]),
        (
            "exponential staircase",
            "exponential:rate=0.96,steps=3,staircase=true",
            0.1,
            [1, 2, 100],
            [0.1, 0.1, 0.1 * 0.96**33],
        ),
        ("piecewise", pieces, 1.0, [100, 105, 110, 120, 999], [1, 0.1, 0.1, 0.01, 0.001]),
        (
            "piecewise integers",
            "piecewise:boundaries=1/2/3,factors=0.4/0.5/0.6/0.7",
            1.0,
            [0, 1, 2, 3, 4],
            [0.4, 0.4, 0.5, 0.6, 0.7],
        ),
        ("begin with cycle", "polynomial:steps=10,end=0.1,cycle=true", 0.001, [0], [0.001]),
        ("inverse time", inverse, 0.1, list(ten), [0.1 / (1 + i / 10 * 0.96) for i in ten]),
        (
            "inverse time staircase",
            f"{inverse},staircase=true",
            0.1,
            list(ten),
            [0.1 / (1 + 0.96 * (i // 10)) for i in ten],
        ),
        ("cosine", "cosine:steps=1000", 1.0, list(often), [_cosine(s, 1000) for s in often]),
        (
            "cosine alpha",
            "cosine:steps=1000,alpha=0.1",
            1.0,
            list(often),
            [_cosine(s, 1000, 0.1) for s in often],
        ),
    ]
    for power, name in ((1.0, "linear"), (0.5, "square root")):
        shape = f"polynomial:steps=10,power={power}"
        listed += [
            (f"{name} halfway", shape, 0.05, [5], [0.05 * 0.5**power]),
            (f"{name} end", f"{shape},end=0.02", 0.05, [10, 15], [0.001, 0.001]),
            (f"{name} to an end", f"{shape},end=0.02", 0.05, [5], [0.049 * 0.5**power + 0.001]),
            (
                f"{name} with cycle",
                f"{shape},end=0.02,cycle=true",
                0.05,
                [15],
                [0.049 * 0.25**power + 0.001],
            ),
        ]
    for name, more, given in (
        ("restarts", "", {}),
        ("restarts alpha", ",alpha=0.1", {"alpha": 0.1}),
        ("restarts m_mul", ",m_mul=0.9", {"m": 0.9}),
        ("restarts t_mul", ",t_mul=1", {"t": 1.0}),
    ):
        wanted = [_restarts(s, 1000, **given) for s in often]
        listed.append((name, f"cosine-restarts:steps=1000{more}", 1.0, list(often), wanted))
    return [Case(suite, *one, atol=1e-6) for one in listed]


def _clr(step: int, mode: str, base: float = 0.001, peak: float = 0.006) -> float:
    """CLR's formula at its defaults, 2,000 steps and gamma 0.99994."""
    cycle = math.floor(1 + step / 4000)
    x = abs(step / 2000 - 2 * cycle + 1)
    scale = {"triangular": 1.0, "triangular2": 1 / 2 ** (cycle - 1), "exp_range": 0.99994**step}
    return float(base + (peak - base) * max(0.0, 1 - x) * scale[mode])


_AT = (0, 1, 999, 1999, 2000, 2001, 3999, 4000, 4001, 7999, 8000, 10000, 123456)
_LATE, _LATER = range(0, 1500, 250), range(0, 3000, 250)
_NATURAL = f"exponential:rate={math.exp(-0.96)!r},steps=10"

CASES: list[Case] = [
    *_both("keras"),
    *_both("tf1"),
    Case("keras", "warm-up", "cosine:steps=10,warmup=1500", 10, _LATE, [s / 150 for s in _LATE]),
    Case(
        "keras",
        "warm-up and decay",
        "cosine:steps=1000,warmup=2000",
        10.0,
        _LATER,
        [s / 200 if s < 2001 else 10 * _cosine(s - 2000, 1000) for s in _LATER],
        atol=1e-5,
    ),
    Case(
        "keras",
        "warm-up from a rate",
        "cosine:steps=1000,warmup=2000,warmup_from=0.2",
        10.0,
        _LATER,
        [2 + 8 * s / 2000 if s < 2001 else 10 * _cosine(s - 2000, 1000) for s in _LATER],
        atol=1e-5,
    ),
    Case(
        "tf1",
        "natural exponential",
        _NATURAL,
        0.1,
        range(11),
        [0.1 * math.exp(-i / 10 * 0.96) for i in range(11)],
    ),
    Case(
        "tf1",
        "natural exponential staircase",
        f"{_NATURAL},staircase=true",
        0.1,
        range(11),
        [0.1 * math.exp(-(i // 10) * 0.96) for i in range(11)],
    ),
    *(
        Case("clr", mode, text, 0.006, _AT, [_clr(step, mode) for step in _AT])
        for mode, text in (
            ("triangular", "triangular:half=2000"),
            ("triangular2", "triangular2:half=2000"),
            ("exp_range", "exp-range:half=2000,gamma=0.99994"),
        )
    ),
]

LEFT = [
    Left("keras", "piecewise at a negative step", DESIGN, "a step is 0 or more"),
    Left("tf1", "linear_cosine_decay", CANNOT, "a sum of two shapes"),
    Left("tf1", "noisy_linear_cosine_decay", CANNOT, "a random rate"),
    Left("clr", "reset with new bounds", CANNOT, "a schedule that is changed while it runs"),
    Left("clr", "custom scale_fn by cycle", CANNOT, "a function of the user's own"),
    Left("clr", "custom scale_fn by iterations", CANNOT, "a function of the user's own"),
]
