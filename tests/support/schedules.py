"""Schedules of every kind, as texts and as factors of a rate."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from study.spec.schedules.base import Schedule, Shape
from study.spec.schedules.cyclic import WINDOWS
from study.spec.schedules.parse import SCHEDULES, parse

RATE = 0.1

EACH = (
    "constant",
    "exponential:rate=0.96,steps=7",
    "exponential:rate=0.96,steps=7,staircase=true",
    "inverse-time:rate=2,steps=10",
    "inverse-time:rate=0.5,steps=10,staircase=true",
    "piecewise:boundaries=2/4,factors=1/0.5/0.1",
    "polynomial:steps=30,end=0.01,power=2",
    "polynomial:steps=30,power=0.5,cycle=true",
    "cosine:steps=30,alpha=0.1",
    "cosine-restarts:steps=10,m_mul=0.8,alpha=0.01",
    "cosine-restarts:steps=10,t_mul=1",
    "triangular:half=9",
    "triangular:half=9,base=0,window=hann",
    "triangular2:half=9,window=welch",
    "exp-range:half=9,gamma=0.99",
    "one-cycle:steps=100",
    "one-cycle:steps=100,kind=fastai",
    "linear-ramp:low=0.1,steps=20",
    "geometric-ramp:low=0.001,steps=20",
)
"""One of each, and of each option."""

COMPOUND = (
    "cosine:steps=40 * exponential:rate=0.9,steps=7",
    "constant:warmup=5 then polynomial:steps=20 at 30",
    "(triangular:half=9 then exponential:rate=2,steps=5,end=4 at 36) * inverse-time:rate=1,steps=9",
    "linear-ramp:low=0.1,steps=10 then constant at 10 then cosine:steps=50,power=2,alpha=0.1 at 90",
    "exponential:rate=0.5,steps=10,end=0.05,warmup=5,warmup_from=3",
    "triangular2:half=4,down=9",
    "one-cycle:steps=60,anneal=cosine,pct_start=0.2,pct_final=0.8",
    "one-cycle:steps=60,phases=2",
)
"""Products, schedules one after another, and options that few need."""


def named(text: str) -> Shape:
    """A schedule that has a name and arguments."""
    found = parse(text)
    assert isinstance(found, Shape)
    return found


def factors(shape: str | Schedule, steps: Any) -> Any:
    """The factors at these steps, or at so many from 0."""
    return parse(shape).factor(
        np.arange(steps) if isinstance(steps, int) else np.asarray(steps), np
    )


counts = st.integers(1, 60)
shares = st.floats(0, 1)
positive = st.floats(0.001, 50)
below_one = st.floats(0.01, 1)
arguments: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "constant": {},
    "exponential": {"rate": below_one, "steps": counts, "staircase": st.booleans()},
    "inverse-time": {"rate": positive, "steps": counts, "staircase": st.booleans()},
    "polynomial": {"steps": counts, "end": shares, "power": positive, "cycle": st.booleans()},
    "cosine": {"steps": counts, "alpha": shares},
    "cosine-restarts": {
        "steps": counts,
        "t_mul": st.integers(1, 5),
        "m_mul": below_one,
        "alpha": shares,
    },
    "triangular": {"half": counts, "base": shares, "window": st.sampled_from(list(WINDOWS))},
    "triangular2": {"half": counts, "base": shares, "window": st.sampled_from(list(WINDOWS))},
    "exp-range": {
        "half": counts,
        "base": shares,
        "window": st.sampled_from(list(WINDOWS)),
        "gamma": below_one,
    },
    "one-cycle": {
        "steps": st.integers(10, 200),
        "kind": st.sampled_from(["smith", "fastai"]),
        "div": st.one_of(st.just(0), st.floats(1.5, 100)),
        "pct_start": st.one_of(st.just(0), st.floats(0.1, 0.4)),
    },
    "linear-ramp": {"low": shares, "steps": counts},
    "geometric-ramp": {"low": below_one, "steps": counts},
}
warmups = st.one_of(st.just(0), st.integers(1, 40))
pieces = st.lists(st.integers(0, 300), min_size=1, max_size=4, unique=True).flatmap(
    lambda steps: st.builds(
        SCHEDULES["piecewise"],
        boundaries=st.just(sorted(steps)),
        factors=st.lists(below_one, min_size=len(steps) + 1, max_size=len(steps) + 1),
        warmup=warmups,
    )
)
every: st.SearchStrategy[Shape] = st.one_of(
    pieces, *(st.builds(SCHEDULES[name], warmup=warmups, **of) for name, of in arguments.items())
)
