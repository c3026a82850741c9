"""A verdict on a published claim, and the claims by name."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from study.tables.intervals import FEWEST_SEEDS

if TYPE_CHECKING:
    from study.claims.evidence import Known


HOLDS, FAILS, UNDECIDED = "holds", "fails", "undecided"


FALSE = 0.05
"""The largest share of studies on which any of the verdicts may be false by chance."""


@dataclass(frozen=True)
class Verdict:
    """A verdict on a claim.

    Args:
        id: the claim.
        verdict: `holds`, `fails` or `undecided`.
        statistic: what was measured.
        low: lower end of its interval.
        high: upper end of its interval.
        threshold: what it is compared with.
        reason: the verdict's reason, a sentence.
    """

    id: str
    verdict: str
    statistic: float
    low: float
    high: float
    threshold: float
    reason: str

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; NaN and infinity are null."""
        return {
            key: None if isinstance(value, float) and not math.isfinite(value) else value
            for key, value in asdict(self).items()
        }


@dataclass(frozen=True)
class Claim:
    """A published claim.

    Args:
        id: its name.
        text: the claim in words.
        published: what the published data say about it.
        judge: the function that judges it.
    """

    id: str
    text: str
    published: str
    judge: Callable[[Known], Verdict]


CLAIMS: dict[str, Claim] = {}


def miss(seeds: int = FEWEST_SEEDS) -> float:
    """The share of cases in which the interval of one claim may miss: `FALSE` over all claims.

    Bonferroni's bound. With one or two seeds it is `FALSE` of each claim alone: the scatter is then
    that of another network, so that no bound on all claims together would be true.

    Args:
        seeds: of each cell.
    """
    return FALSE if seeds < FEWEST_SEEDS else FALSE / len(CLAIMS)


def claim(
    id: str, text: str, published: str
) -> Callable[[Callable[..., Verdict]], Callable[..., Verdict]]:
    """Put a judging function among the `CLAIMS`."""

    def put(judge: Callable[..., Verdict]) -> Callable[..., Verdict]:
        CLAIMS[id] = Claim(id, text, published, lambda studies: judge(id, studies))
        return judge

    return put


def decide(
    id: str,
    statistic: float,
    low: float,
    high: float,
    threshold: float,
    reason: str,
    above: bool = True,
) -> Verdict:
    """The verdict on a claim that a statistic lies above, or below, a threshold.

    The verdict is `undecided` while the interval contains the threshold. Removing data can
    therefore turn a verdict into `undecided`, never into its opposite.

    Args:
        id: the claim.
        statistic: what was measured.
        low: lower end of its interval.
        high: upper end of its interval.
        threshold: what it is compared with.
        reason: the verdict's reason, a sentence.
        above: whether the claim says above.

    Returns:
        The verdict.
    """
    over, under = low > threshold, high < threshold
    verdict = (
        (HOLDS if above else FAILS) if over else (FAILS if above else HOLDS) if under else UNDECIDED
    )
    return Verdict(id, verdict, float(statistic), float(low), float(high), threshold, reason)


def no_evidence(id: str, threshold: float, reason: str) -> Verdict:
    """`undecided`, because there is nothing to judge by.

    Args:
        id: the claim.
        threshold: what the statistic would be compared with.
        reason: what is missing, a sentence.

    Returns:
        The verdict.
    """
    return Verdict(id, UNDECIDED, math.nan, math.nan, math.nan, threshold, reason)
