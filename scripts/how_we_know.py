"""Simulate how often the intervals cover and verdicts are false; write it into the documentation.

    PYTHONPATH=.:tests .venv/bin/python scripts/how_we_know.py [--count N]

The tables of docs/explanation/how-we-know.md are made anew. Everything is seeded. It takes about
ten minutes.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from study.tables import intervals
from study.tables.best_rates.table import _intervals
from support.claims.chance import false_verdicts
from support.tables import minima, straight

PAGE = Path(__file__).parents[1] / "docs" / "explanation" / "how-we-know.md"


SEEDS = (3, 5, 10)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def percent(share: float) -> str:
    """A share in whole percents."""
    return f"{100 * share:.0f}"


def best(count: int) -> str:
    """How often the intervals of a best hold the truth."""
    rows = []
    kinds = [(shape, spread, n) for spread in minima.SCATTERS for shape in minima.VALLEYS
             for n in SEEDS]  # fmt: skip
    for shape, spread, seeds in tqdm(kinds, "best rates"):
        ways = [
            minima.coverage(find, minima.VALLEYS[shape], minima.SCATTERS[spread], seeds, count)
            for find in (minima.bootstrap, _intervals)
        ]
        cells = [
            f"{percent(getattr(ways[0], name))} / {percent(getattr(ways[1], name))}"
            for name in ("best", "seconds", "decades")
        ]
        rows.append([shape, spread, str(seeds), *cells])
    return table(["valley", "scatter", "seeds", "best rate", "seconds", "decades"], rows)


def medians(count: int) -> str:
    """How often the interval of one cell's median holds the true one."""
    rows = []
    for seeds in (3, 4, 5, 7, 10):
        values = np.random.default_rng(seeds).normal(size=(count, seeds))
        low, high = intervals.median_intervals(values)
        rows.append([str(seeds), percent(float(((low <= 0) & (high >= 0)).mean()))])
    return table(["seeds", "the interval covers, %"], rows)


def verdicts(count: int) -> str:
    """How many studies have a false verdict."""
    rows = []
    for seeds in tqdm((1, *SEEDS), "verdicts"):
        share, wrong = false_verdicts(seeds, count)
        named = ", ".join(f"{name} {times}" for name, times in wrong.most_common())
        rows.append([str(seeds), f"{round(share * count)} of {count}", named or "none"])
    return table(["seeds", "studies with a false verdict", "on which claims"], rows)


def lines(count: int) -> str:
    """How often the intervals of a line hold the truth."""
    rows = []
    kinds = [(sizes, grows, late) for sizes in (12, 36) for grows in (False, True)
             for late in (0.0, 0.2, 0.4)]  # fmt: skip
    for sizes, grows, late in tqdm(kinds, "lines"):
        c, k = straight.coverage(sizes, grows, late, count)
        noise = "grows with the time" if grows else "constant"
        rows.append([str(sizes), noise, percent(late), percent(c), percent(k)])
    return table(["sizes", "scatter", "beyond the cap, %", "c, %", "k, %"], rows)


def parts(count: int) -> Iterator[tuple[str, str]]:
    """The tables by their names in the page."""
    yield "best", best(count)
    yield "medians", medians(20 * count)
    yield "verdicts", verdicts(max(20, count // 5))
    yield "lines", lines(max(20, count // 2))


def main() -> None:
    """Make the tables of the page anew."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--count", type=int, default=1000, help="simulations of each line")
    count = parser.parse_args().count
    text = PAGE.read_text(encoding="utf-8")
    for name, made in parts(count):
        marked = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        assert marked.search(text), name
        text = marked.sub(lambda found, made=made: f"{found[1]}{made}\n{found[2]}", text)  # type: ignore[misc]
    PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
