"""What a case of a peer's test is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

CANNOT = "not expressible"
DESIGN = "differs by design"


@dataclass(frozen=True)
class Case:
    """The rates of a peer at some steps.

    Args:
        suite: whose test it is.
        name: what it is about.
        text: the same as a schedule of ours.
        rate: the rate at the factor 1.
        steps: where it is looked at.
        wanted: the peer's rates there; of `momentum` cases, coefficients.
        atol: absolute error allowed, as far as the peer's own numbers are rounded.
        momentum: the unit of the coefficients, where they are compared in place of rates.
    """

    suite: str
    name: str
    text: str
    rate: float
    steps: Sequence[int]
    wanted: Sequence[float]
    atol: float = 0.0
    momentum: float | None = None

    @property
    def id(self) -> str:
        """A name of its own."""
        return f"{self.suite} {self.name}"


@dataclass(frozen=True)
class Left:
    """A test of a peer that is not repeated: `CANNOT` or `DESIGN`, and why."""

    suite: str
    name: str
    kind: str
    why: str
