"""The variables of all layers: what each index of a Halide function means; sums over some."""

from __future__ import annotations

from typing import Any

import halide as hl

lane, unit, image = hl.Var("lane"), hl.Var("unit"), hl.Var("image")
"""A lane is a place in a register: it is innermost in every array. A unit is a filter too."""


x, y = hl.Var("x"), hl.Var("y")


right, below = hl.Var("right"), hl.Var("below")
"""The place in a pooling window of 2 x 2, from 0 to 1."""


across, down, channel = hl.Var("across"), hl.Var("down"), hl.Var("channel")
"""The place in a filter of 5 x 5, and its input channel."""


Expr = Any


Func = Any


Pipeline = tuple[Any, tuple[Any, ...]]
"""What computes, and its inputs."""


def total(name: str, places: tuple[Any, ...], term: Expr) -> Func:
    """A function of `places` that adds `term` up over the reduction domain in it."""
    function = hl.Func(name)
    function[places] = hl.f32(0)
    function[places] += term
    return function


def function(name: str, places: tuple[Any, ...], value: Expr | tuple[Expr, ...]) -> Func:
    """A function of `places`; of several values where there is a tuple of them."""
    made = hl.Func(name)
    made[places] = value
    return made
