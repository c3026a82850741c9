"""The likeliest line where some times are known only to be above a bound."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

from study.tables import intervals
from study.tables.fits.line import NO_LINE, Line, least_squares
from study.tables.intervals import Floats

FITTED = 3
"""Parameters of a likelihood: c, k and s."""


PRIOR = 1.0
"""Constant scatter has the prior odds of exp(1), for honest intervals.

By 12 sizes alone both kinds are hard to tell apart, and the errors of proportional scatter are too
small for c if it is constant.
"""


@dataclass(frozen=True)
class _Likelihood:
    """The likelihood of (c, k, 1 / s) with f = c + k n.

    Args:
        x: (points, 2), ones and sizes, so that x @ (c, k) is f.
        t: (points,), the times.
        censored: (points,), whether the time is only a lower bound.
        grows: whether the scatter is s f rather than s.
    """

    x: Floats
    t: Floats
    censored: NDArray[np.bool_]
    grows: bool

    def loss(self, p: Floats) -> float:
        """-log L, less a constant; infinite unless s, and with `grows` f, is positive."""
        return -float(self.terms(p)[0].sum()) if self.possible(p) else math.inf

    def possible(self, p: Floats) -> bool:
        """Whether the scatter is positive at each point."""
        return bool(p[2] > 0 and (not self.grows or (self.x @ p[:2] > 1e-6).all()))

    def gradient(self, p: Floats) -> Floats:
        """The gradient of `loss`, (3,)."""
        return -self.terms(p)[1].sum(axis=0) if self.possible(p) else np.zeros(3)

    def information(self, p: Floats) -> Floats:
        """The second derivatives of `loss`, (3, 3)."""
        return -self.terms(p)[2].sum(axis=0) if self.possible(p) else np.eye(3)

    def terms(self, p: Floats) -> tuple[Floats, Floats, Floats]:
        """Each point's part of log L, (points,), its gradient, (points, 3), and second derivatives.

        With u = (t - f) / scatter it is log(du / dt) - u^2 / 2 for an arrival, and log Phi(-u) for
        a lower bound.
        """
        f, s = self.x @ p[:2], p[2]
        one, outer = np.ones_like(f), self.x[:, :, None] * self.x[:, None, :]
        u1, u2 = np.empty((len(f), 3)), np.zeros((len(f), 3, 3))  # derivatives of u
        j1, j2 = np.zeros_like(u1), np.zeros_like(u2)  # derivatives of log(du / dt)
        by = one / f if self.grows else one
        # u = s (t / f - 1) or s (t - f): its derivative by f is -s t / f^2, or -s.
        slope = self.t * by**2 if self.grows else one
        u1[:, 2] = self.t * by - 1 if self.grows else self.t - f
        u1[:, :2] = -s * slope[:, None] * self.x
        u2[:, :2, 2] = u2[:, 2, :2] = -slope[:, None] * self.x
        j1[:, 2], j2[:, 2, 2] = 1 / s, -1 / s**2
        if self.grows:
            u2[:, :2, :2] = 2 * s * (slope * by)[:, None, None] * outer
            j1[:, :2], j2[:, :2, :2] = -self.x * by[:, None], outer * (by**2)[:, None, None]
        u = s * u1[:, 2]
        late = special.log_ndtr(-u)
        hazard = np.exp(-(u**2) / 2 - math.log(math.sqrt(2 * math.pi)) - late)
        known = ~self.censored
        value = np.where(known, math.log(s) + np.log(by) - u**2 / 2, late)
        first = np.where(known, u, hazard)[:, None]
        second = np.where(known, 1.0, hazard * (hazard - u))[:, None, None]
        return (
            value,
            -first * u1 + known[:, None] * j1,
            -second * u1[:, :, None] * u1[:, None, :]
            - first[:, :, None] * u2
            + known[:, None, None] * j2,
        )


@dataclass(frozen=True)
class _Found:
    """The likeliest (c, k), (2,), their errors, (2,), log L and prior, and the mean scatter."""

    line: Floats
    errors: Floats
    score: float
    scatter: float


def tobit(
    n: Floats, t: Floats, censored: NDArray[np.bool_], sizes: NDArray[Any] | None = None
) -> tuple[Line, float, float]:
    """The likeliest line with normal scatter about it, where some times are lower bounds.

    log L = sum over arrivals of log phi((t - f) / s) / s + sum over the censored of
    log Phi(-(t - f) / s), f = c + k n. Tobin 1958. It is fitted twice: with constant s, and with s
    proportional to f. Both are averaged by their likelihoods and `PRIOR`. An end of an interval
    has 2.5 % beyond it in the average of both t distributions (Turek and Fletcher 2012), so that
    it covers whichever scatter is true: 94 to 98 % in simulations of 12 and 36 sizes, with none, 20
    and 40 % of them censored.

    Args:
        n: (points,), the sizes.
        t: (points,), the times.
        censored: (points,), whether the time is only a lower bound.
        sizes: (points,), equal for points of the same model; `n` if None.

    Returns:
        The line; the mean scatter over the points, in the unit of t; and the weight of proportional
        scatter, 0 to 1. All NaN with fewer than two sizes that arrived.
    """
    if len(set(n[~censored])) < 2:
        return NO_LINE, math.nan, math.nan
    scale_n, scale_t = float(np.max(np.abs(n))), float(np.max(np.abs(t))) or 1.0
    x = np.column_stack([np.ones_like(n), n / scale_n])
    labels = np.unique(n if sizes is None else sizes, return_inverse=True)[1]
    y = t / scale_t
    start = np.polyfit(x[~censored, 1], y[~censored], 1)[::-1]
    if np.std(y[~censored] - x[~censored] @ start) < 1e-9:  # an exact line has no likelihood
        return least_squares(n[~censored], t[~censored]), 0.0, math.nan
    both = [
        _likeliest(_Likelihood(x, y, censored, grows), start, labels) for grows in (False, True)
    ]
    found = [one for one in both if one is not None]
    if not found:
        return NO_LINE, math.nan, math.nan
    weights = special.softmax([one.score for one in found])
    free = max(1, len(set(labels[~censored])) - FITTED)
    line = sum(w * one.line for w, one in zip(weights, found, strict=True))
    ends = [
        _end(tail, [(w, one.line[i], one.errors[i]) for w, one in zip(weights, found, strict=True)],
             free)
        for i in (0, 1)
        for tail in ((1 - intervals.CONFIDENCE) / 2, (1 + intervals.CONFIDENCE) / 2)
    ]  # fmt: skip
    scales = scale_t * np.array([1, 1 / scale_n])[[0, 1, 0, 0, 1, 1]]
    scatter = scale_t * sum(w * one.scatter for w, one in zip(weights, found, strict=True))
    share = 0.0 if both[1] is None else float(weights[-1])
    return Line(*map(float, scales * [*line, *ends])), float(scatter), share


def _likeliest(of: _Likelihood, start: Floats, labels: NDArray[np.int64]) -> _Found | None:
    """The maximum of a likelihood; None if it has none that a line of positive times reaches.

    Errors are by the information matrix, widened for the parameters that were fitted. Where a size
    has several trials they are at least those of the jackknife over sizes: trials of one size are
    no new sizes.
    """
    if of.grows and min(of.t) <= 0:
        return None
    c, k = start
    if of.grows and min(of.x @ start) <= 0.01 * max(of.t):  # the flat line is positive
        c, k = float(of.t[~of.censored].mean()), 0.0
    f = of.x @ np.array([c, k])
    left = ((of.t - f) / (f if of.grows else 1.0))[~of.censored]
    options: Any = {"gtol": 1e-6, "maxiter": 100}
    found = optimize.minimize(
        of.loss, [c, k, 1 / max(float(left.std()), 1e-6)], jac=of.gradient, hess=of.information,
        method="trust-exact", options=options,
    ).x  # fmt: skip
    total = of.information(found)
    if not of.possible(found) or np.linalg.eigvalsh(total)[0] <= 0:
        return None
    value, slopes, bends = of.terms(found)
    arrived = int((~of.censored).sum())
    errors = np.sqrt(np.diag(np.linalg.inv(total))[:2] * arrived / max(1, arrived - FITTED))
    groups = int(labels.max()) + 1
    if groups < len(labels):
        mine = [labels == group for group in range(groups)]
        moved = np.array(  # one step of Newton's from the whole, without a size
            [np.linalg.lstsq(total + bends[one].sum(0), slopes[one].sum(0))[0] for one in mine]
        )
        spread = np.sqrt((groups - 1) / groups * (moved[:, :2] ** 2).sum(axis=0))
        errors = np.maximum(errors, spread)
    scatter = float((of.x @ found[:2]).mean() if of.grows else 1.0) / found[2]
    return _Found(found[:2], errors, float(value.sum()) - PRIOR * of.grows, scatter)


def _end(tail: float, parts: list[tuple[float, float, float]], free: int) -> float:
    """Where the average of t distributions, each (weight, centre, error), reaches a probability."""

    def beyond(end: float) -> float:
        return sum(w * float(special.stdtr(free, (end - at) / e)) for w, at, e in parts) - tail

    each = [at + e * float(special.stdtrit(free, tail)) for _, at, e in parts]
    room = 1e-3 * max(e for _, _, e in parts)  # one of two ends may have all the weight
    return float(optimize.brentq(beyond, min(each) - room, max(each) + room, xtol=1e-12 * room))
