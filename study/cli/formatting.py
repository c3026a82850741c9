"""Numbers and tables as text."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any


def _outcomes(outcomes: Any) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(Counter(outcomes).items()))


def _best(table: Any) -> str:
    """The best-rate table for a terminal."""
    lines = [
        (
            f"{'optimizer':10} {'arrived':>10} {'lowest':>9} {'highest':>9} {'best rate':>10} "
            f"{'seconds':>8} {'steps':>7}"
        )
    ]
    several = len(set(table["width"])) > 1
    for row in table.itertuples():
        arrived = f"{row.arrived} of {row.rates}"
        tail = f"  width {row.width:g}" if several else ""
        if row.arrived == 0:
            lines.append(
                f"{row.optimizer:10} {arrived:>10} {'-':>9} {'-':>9} {'-':>10} {'-':>8} "
                f"{'-':>7}{tail}"
            )
            continue
        edge = "  at the grid's edge: a better rate may lie beyond" if row.at_edge else ""
        rates = f"{row.lowest:9.3g} {row.highest:9.3g} {row.best_rate:10.3g}"
        steps = f"{'-':>7}" if math.isnan(row.steps) else f"{row.steps:7.0f}"
        lines.append(
            f"{row.optimizer:10} {arrived:>10} {rates} {row.seconds:8.2f} {steps}{tail}{edge}"
        )
    return "\n".join(lines)


def _times(ratio: float) -> str:
    return f"{ratio:.1f} times"


def _duration(seconds: float) -> str:
    return (
        f"{seconds:.0f} s"
        if seconds < 100
        else f"{seconds / 60:.1f} min"
        if seconds < 5400
        else f"{seconds / 3600:.1f} h"
    )
