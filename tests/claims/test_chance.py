"""How often chance alone makes a verdict false, in studies whose truth is known."""

from __future__ import annotations

import pytest

from study.claims.verdict import CLAIMS, FALSE, miss
from support.claims.chance import false_verdicts


@pytest.mark.parametrize("seeds", [3, 5, 10])
def test_at_most_one_study_in_twenty_has_a_false_verdict(seeds: int) -> None:
    """On any of the claims, each of which is exactly at its threshold, or true."""
    share, wrong = false_verdicts(seeds, 60)
    assert share <= FALSE, wrong


def test_all_claims_share_what_may_be_missed() -> None:
    """A twentieth over sixteen claims; with one or two seeds it is each claim's own."""
    assert (FALSE, len(CLAIMS)) == (0.05, 16)
    assert miss() == miss(3) == pytest.approx(0.003125)
    assert miss(1) == miss(2) == 0.05
