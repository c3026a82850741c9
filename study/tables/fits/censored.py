"""The likeliest line where some times are known only to be above a bound."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special, stats

from study.tables import intervals
from study.tables.fits.line import NO_LINE, Line, least_squares
from study.tables.intervals import Floats


@dataclass(frozen=True)
class _Likelihood:
    """The likelihood in Olsen's parameters (c / s, k / s, 1 / s), in which log L is concave.

    Args:
        x: (points, 3), such that -x @ parameters are the residuals over s.
        censored: (points,), whether the time is only a lower bound.
    """

    x: Floats
    censored: NDArray[np.bool_]

    def loss(self, parameters: Floats) -> float:
        """-log L, less a constant; infinite unless s is positive."""
        if parameters[2] <= 0:
            return math.inf
        residual = -self.x @ parameters
        known = math.log(parameters[2]) - residual[~self.censored] ** 2 / 2
        return -float(known.sum() + special.log_ndtr(-residual[self.censored]).sum())

    def gradient(self, parameters: Floats) -> Floats:
        """The gradient of `loss`, (3,)."""
        residual, hazard = self._residual_and_hazard(parameters)
        slope = np.where(self.censored, hazard, residual) @ self.x
        slope[2] += (~self.censored).sum() / parameters[2]
        return np.asarray(-slope)

    def information(self, parameters: Floats) -> Floats:
        """The second derivatives of `loss`, (3, 3)."""
        residual, hazard = self._residual_and_hazard(parameters)
        weight = np.where(self.censored, hazard * (hazard - residual), 1.0)
        matrix = (self.x * weight[:, None]).T @ self.x
        matrix[2, 2] += (~self.censored).sum() / parameters[2] ** 2
        return np.asarray(matrix)

    def _residual_and_hazard(self, parameters: Floats) -> tuple[Floats, Floats]:
        residual = -self.x @ parameters
        log_hazard = -(residual**2) / 2 - math.log(math.sqrt(2 * math.pi))
        return residual, np.exp(log_hazard - special.log_ndtr(-residual))

    def maximum(self, start: list[float]) -> Floats:
        """The likeliest parameters, (3,)."""
        limits: Any = {"gtol": 1e-6, "maxiter": 60}
        found = optimize.minimize(
            self.loss,
            start,
            jac=self.gradient,
            hess=self.information,
            method="trust-exact",
            options=limits,
        )
        return np.asarray(found.x)


def tobit(n: Floats, t: Floats, censored: NDArray[np.bool_]) -> tuple[Line, float]:
    """The likeliest line, with normal scatter s about it, where some times are lower bounds.

    log L = sum over arrivals of log phi((t - c - k n) / s) / s + sum over the censored of
    log Phi(-(t - c - k n) / s). Intervals by the information matrix. Tobin 1958, Olsen 1978.

    Args:
        n: (points,), the sizes.
        t: (points,), the times.
        censored: (points,), whether the time is only a lower bound.

    Returns:
        The line and s; all NaN with fewer than two sizes that arrived.
    """
    if len(set(n[~censored])) < 2:
        return NO_LINE, math.nan
    middle = float(n.mean())
    scale_n = float(n.std())
    scale_t = float(np.max(np.abs(t))) or 1.0
    y = t / scale_t
    x = np.column_stack([np.ones_like(n), (n - middle) / scale_n, -y])
    plain = np.polyfit(x[~censored, 1], y[~censored], 1)
    scatter = float(np.std(y[~censored] - np.polyval(plain, x[~censored, 1])))
    if scatter < 1e-9:  # an exact line has no likelihood
        return least_squares(n[~censored], t[~censored]), 0.0
    start = 1 / max(scatter, 1e-4)
    likelihood = _Likelihood(x, censored)
    found = likelihood.maximum([plain[1] * start, plain[0] * start, start])
    constant, slope, inverse = found
    # From (c / s, k / s, 1 / s) of scaled sizes and times back to (c, k): the derivatives carry the
    # covariance over.
    to_scaled = np.array([[1, 0, -constant / inverse], [0, 1, -slope / inverse]]) / inverse
    back = np.array([[1, -middle / scale_n], [0, 1 / scale_n]]) * scale_t
    c, k = back @ (np.array([constant, slope]) / inverse)
    covariance = np.linalg.inv(likelihood.information(found))
    errors = np.sqrt(np.diag(back @ to_scaled @ covariance @ to_scaled.T @ back.T))
    wide = float(stats.norm.ppf(0.5 + intervals.CONFIDENCE / 2)) * errors
    ends = (c - wide[0], c + wide[0], k - wide[1], k + wide[1])
    return Line(float(c), float(k), *map(float, ends)), float(scale_t / inverse)
