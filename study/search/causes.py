"""Why no rate can be read off a curve whose loss did not fall: the cause, and what would help."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from study.search.curve import MIN_POINTS, moved, noise, start_points

if TYPE_CHECKING:
    from study.search.finder import Sweep


HUGE = 1e6
"""A loss from which on its scale is the matter: the targets' squares are as large."""


ROOM = 100.0
"""A rise at less than so many times the first rate leaves no room in which a fall would show."""


SCALE_THEM = "which steps of a usual size can hardly lower: scale the targets to about one"


def too_short(sweep: Sweep) -> str | None:
    """Why a sweep has too few points for any rule; None if it has enough."""
    taken = len(sweep.rates)
    if taken >= MIN_POINTS:
        return None
    if taken == 0:
        return (
            "the loss was not finite before any step was taken, so no rate is to blame: look for "
            "values that are not finite, or very large, in the data and in the model's weights"
        )
    if sweep.steps < MIN_POINTS:
        return (
            f"a sweep of {sweep.steps} steps is too short: take at least {MIN_POINTS}, better a "
            "few hundred"
        )
    ended = f"the sweep ended after {taken} points, and {MIN_POINTS} are needed: "
    if abs(sweep.losses[0]) >= HUGE:
        return f"{ended}the loss starts at {sweep.losses[0]:.3g}, {SCALE_THEM}"
    if _sudden(sweep):
        return ended + _suspicion(sweep)
    return f"{ended}lower the rate it starts at"


def not_fallen(sweep: Sweep, least: float) -> str:
    """Why the loss never fell by more than its noise explains, as far as the curve tells.

    Args:
        sweep: a sweep whose loss did not fall.
        least: its smallest smoothed loss.
    """
    start = float(sweep.losses[: start_points(len(sweep.losses))].mean())
    said = (
        f"the loss never fell by more than its noise explains (from {start:.4g} to {least:.4g} at "
        "its least)"
    )
    if abs(start) >= HUGE:
        return f"{said}; it starts at {start:.3g}, {SCALE_THEM}"
    if _sudden(sweep):
        return f"{said}: {_suspicion(sweep)}"
    rise = _rise(sweep)
    if rise is None:
        return (
            f"{said}, nor did it rise: raise the rate it ends at ({sweep.rates[-1]:.3g}); if that "
            "is high already, take more steps"
        )
    if rise < max(MIN_POINTS, sweep.steps // 10) or sweep.rates[rise] < ROOM * sweep.rates[0]:
        return (
            f"{said}, and it rose at {sweep.rates[rise]:.3g}, close to the first rate of "
            f"{sweep.rates[0]:.3g}: lower the rate it starts at"
        )
    return (
        f"{said}, and it rose at {sweep.rates[rise]:.3g}: the model is trained already, or noise "
        "hides its fall, which more steps would show"
    )


def _sudden(sweep: Sweep) -> bool:
    """Whether the loss was not finite all at once: none before was above those of the start."""
    first = _start(sweep)
    return sweep.stopped == "diverged" and sweep.losses[-1] <= 2 * sweep.losses[:first].max()


def _suspicion(sweep: Sweep) -> str:
    return (
        f"at a rate of {sweep.rates[-1]:.3g} the loss was not finite all at once: the data may "
        "hold values that are not finite"
    )


def _rise(sweep: Sweep) -> int | None:
    """The first point from which on the loss lies above its start by more than noise explains."""
    losses, first = sweep.losses, _start(sweep)
    start = float(losses[:first].mean())
    deviation = noise(np.diff(losses[: max(MIN_POINTS, len(losses) // 4)]))
    means = np.convolve(losses, np.full(first, 1 / first), mode="valid")
    high = np.array(
        [m - start > 1e-6 * abs(start) and moved(m - start, deviation, first, first) for m in means]
    )
    if not high[-1]:
        return None
    return int(np.flatnonzero(~high)[-1]) + 1  # the first mean is the start's own


def _start(sweep: Sweep) -> int:
    """The points whose mean is the start, at most a half of all."""
    return min(start_points(len(sweep.losses)), max(1, len(sweep.losses) // 2))
