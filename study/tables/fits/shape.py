"""Is a line enough? Shapes of time against size, compared by AICc."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from scipy import optimize

from study.tables.intervals import Floats

ENOUGH = 7.0
"""A line is enough where no other shape's AICc is lower by more.

Four shapes and every place of a jump compete with the line, so noise alone often gives one of them
a lower AICc. By this margin a true line is called something else in at most 5 % of simulations: at
12, 18 and 36 sizes, with scatter of 5 to 25 %, constant or proportional to the time. With a margin
of 4 it is in up to 10 %. Beyond 7 a model has little support (Burnham and Anderson 2002).
"""


FEWEST_BESIDE = 3
"""The least number of sizes on each side of a jump: fewer may be outliers."""


ROUNDS = 8
"""Rounds of reweighting for proportional scatter; each brings the weights some ten times closer."""


FLOOR = 1e-12
"""The least variance, as a share of the squared median time: an exact fit has no likelihood."""


@dataclass(frozen=True)
class Fit:
    """A shape that was fitted.

    Args:
        aicc: less is better; infinite if there are too few points.
        kind: `line`, `quadratic`, `power` or `jump`.
        parameters: (c, k), (c, k, q), (a, b) or (c, k, j).
        place: n0, the size at which a line jumps; NaN without a jump.
    """

    aicc: float
    kind: str
    parameters: tuple[float, ...] = ()
    place: float = math.nan

    def at(self, n: Floats) -> Floats:
        """The predicted times, (points,), of sizes, (points,)."""
        p = self.parameters
        if self.kind == "power":
            return np.asarray(p[0] * n ** p[1])
        if self.kind == "jump":
            return np.asarray(p[0] + p[1] * n + p[2] * (n > self.place))
        return np.asarray(np.polynomial.polynomial.polyval(n, p))


def shapes(n: Floats, t: Floats) -> dict[str, float]:
    """AICc of four shapes of time against size; less is better.

    AICc = -2 log L + 2 p + 2 p (p + 1) / (m - p - 1), m points, p parameters with the scatter's
    (Hurvich and Tsai 1989).

    Args:
        n: (points,), the sizes.
        t: (points,), the times.

    Returns:
        AICc of the fits of `fitted`, up to a constant that all share.
    """
    return {name: fit.aicc for name, fit in fitted(n, t).items()}


def fitted(n: Floats, t: Floats) -> dict[str, Fit]:
    """Four shapes of time against size, each fitted to the points.

    The scatter is normal, and either constant or proportional to the predicted time: whichever is
    likelier for the shape. The second is fitted by weights of 1 / prediction, found in rounds
    (Carroll and Ruppert 1988).

    Args:
        n: (points,), the sizes.
        t: (points,), the times.

    Returns:
        The fits of `line`, c + k n; `quadratic`, c + k n + q n^2; `power`, a n^b; and `jump`,
        c + k n + j [n > n0], with n0 half-way between two sizes, at least `FEWEST_BESIDE` from
        either end. n0 counts as a parameter. AICc is infinite if there are too few points.
    """
    size, time = float(np.median(n)), float(np.median(t)) or 1.0
    x, y = n / size, t / time
    apart = np.unique(x)
    one = np.ones_like(x)
    found = {name: Fit(math.inf, name) for name in ("line", "quadratic", "power", "jump")}

    def put(name: str, twice: float, count: int, parameters: Floats, place: float) -> None:
        free = len(y) - count - 1
        if free > 0:
            aicc = twice + 2 * count + 2 * count * (count + 1) / free
            found[name] = Fit(aicc, name, tuple(float(p) for p in parameters), place)

    by_degree = {"line": [one, x], "quadratic": [one, x, x**2]}
    for degree, (name, columns) in enumerate(by_degree.items(), 1):
        if degree == 1 or len(apart) > 3:
            parameters, twice = _linear(np.column_stack(columns)[None], y)
            scaled = time * parameters[0] / size ** np.arange(degree + 1)
            put(name, twice[0], degree + 2, scaled, math.nan)
    with suppress(RuntimeError):  # no power law comes near
        a, b, of_power = _power(x, y)
        put("power", of_power, 3, np.array([time * a * size**-b, b]), math.nan)
    between = (apart[1:] + apart[:-1])[FEWEST_BESIDE - 1 : len(apart) - FEWEST_BESIDE] / 2
    if len(between):
        designs = np.stack([np.column_stack([one, x, x > place]) for place in between])
        parameters, twice = _linear(designs, y)
        best = int(twice.argmin())
        scaled = time * parameters[best] / np.array([1, size, 1])
        put("jump", twice[best], 5, scaled, float(between[best] * size))
    return found


def _linear(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Fits that are linear in their parameters.

    Args:
        x: (fits, points, parameters), what each point multiplies them by.
        y: (points,), the times.

    Returns:
        Parameters, (fits, parameters), and -2 log L, (fits,), of the likelier scatter.
    """

    def weighted(w: Floats) -> Floats:
        return np.asarray((np.linalg.pinv(x * w[..., None]) @ (y * w)[..., None])[..., 0])

    def predicted(parameters: Floats) -> Floats:
        return np.asarray((x @ parameters[..., None])[..., 0])

    constant = grows = weighted(np.ones(x.shape[:2]))
    for _ in range(ROUNDS):
        grows = weighted(1 / np.maximum(predicted(grows), 1e-3))
    first, second = _twice(y, predicted(constant))[0], _twice(y, predicted(grows))[1]
    likelier = np.where((second < first)[:, None], grows, constant)
    return likelier, np.minimum(first, second)


def _power(x: Floats, y: Floats) -> tuple[float, float, float]:
    """a, b and -2 log L of the likelier scatter; `RuntimeError` if the search fails."""
    tried: list[tuple[float, float, float]] = []
    found: Floats = np.ones(2)
    weights = np.ones_like(y)
    with warnings.catch_warnings():  # of its parameters' errors, which are not used
        warnings.simplefilter("ignore", optimize.OptimizeWarning)
        for turn in range(ROUNDS + 1):
            found, _ = optimize.curve_fit(
                lambda x, a, b: a * x**b, x, y, p0=found, sigma=weights, maxfev=2000
            )
            predicted = found[0] * x ** found[1]
            weights = np.maximum(predicted, 1e-3)
            if turn in (0, ROUNDS):
                twice = _twice(y, predicted[None])[min(turn, 1)]
                tried.append((float(found[0]), float(found[1]), float(twice[0])))
    return min(tried, key=lambda one: one[2])


def _twice(y: Floats, predicted: Floats) -> tuple[Floats, Floats]:
    """-2 log L, less a constant, of constant and of proportional scatter.

    m log(mean((y - f)^2)) and m log(mean((y / f - 1)^2)) + 2 sum(log f), f the prediction; the
    second is infinite where f is not positive throughout.

    Args:
        y: (points,).
        predicted: (fits, points).
    """
    positive = np.all(predicted > 0, axis=1)
    f = np.where(positive[:, None], predicted, 1.0)
    first = len(y) * np.log(np.maximum(((y - predicted) ** 2).mean(axis=1), FLOOR))
    second = len(y) * np.log(np.maximum(((y / f - 1) ** 2).mean(axis=1), FLOOR))
    return first, np.where(positive, second + 2 * np.log(f).sum(axis=1), math.inf)


def shape_of(aicc: Mapping[str, float]) -> str | None:
    """The shape that holds: the line, unless another's AICc is lower by more than `ENOUGH`.

    None if there are too few points to compare them.
    """
    if not math.isfinite(aicc["line"]) or not math.isfinite(aicc["quadratic"]):
        return None
    least = min(aicc, key=lambda name: aicc[name])
    return least if aicc["line"] - aicc[least] > ENOUGH else "line"
