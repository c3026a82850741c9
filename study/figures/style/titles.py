"""What stands over and beside a figure's axes, in words."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from study import tables
from study.spec.goals import aim
from study.spec.own import is_foreign, names_itself, trained_in_words
from study.words import budget, counted

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


def budget_of(runs: pd.DataFrame) -> str:
    """The budget of a trial in words."""
    if is_foreign(runs["network"].iloc[0]):
        return "its own training"
    if "budget" in runs:  # by another machine's clock
        return f"{tables.budget(runs).max():.3g} s"
    return budget(runs["cap_seconds"].max(), runs["max_steps"].max())


LONGEST_LABEL = 50
"""Letters that fit beside the lower of two panels; a longer label has two lines."""


def unit_of(runs: pd.DataFrame) -> str:
    """What the time of these runs is counted in: seconds, or what their source counts."""
    return f"{runs['unit'].iloc[0]}s" if "counted" in runs else "seconds"


def time_of(runs: pd.DataFrame) -> str:
    """What a figure of the time to the target shows, in its title."""
    return f"{unit_of(runs)} of training" if "counted" in runs else "training time"


def seconds_label(runs: pd.DataFrame) -> str:
    """What an axis of seconds to the target is called."""
    first = runs.iloc[0]
    before = f"{unit_of(runs)} of training to"
    own = names_itself(first.network)
    target = aim(first.metric, float(first.target), first.goal, own=own)
    space = " " if len(before) + len(target) < LONGEST_LABEL else "\n"
    return f"{before}{space}{target}"


def subtitle_of(runs: pd.DataFrame) -> str:
    first = runs.iloc[0]
    how = "steps x step time alone" if first["mode"] == "array" else "read off the clock"
    if first["mode"] == "alone" and (beside := runs["jobs"].max() - 1) > 0:
        how += f", beside {counted(int(beside), 'other')}"
    if is_foreign(first["network"]):
        how = "as its source tells" if runs["seconds"].notna().any() else "not told"
        how = first["counted"] if "counted" in runs else how
    multiples = sorted(set(runs["width"]))
    named = ", ".join(f"{width:g}" for width in multiples)
    schedule = (
        "" if first["schedule"] == "constant" else f"\nschedule of the rate: {first['schedule']}"
    )
    kind = " (kind of processor not known)" if tables.kind_unknown(runs) else ""
    noise = tables.busy(runs)
    kinds = len(runs[["fingerprint", "software"]].drop_duplicates())
    trained = f" · trained on {kinds} kinds of machine" if kinds > 1 else ""
    widths = (
        ""
        if multiples == [1]
        else f"width {named}"
        if len(multiples) < 5
        else f"{len(multiples)} widths to {multiples[-1]:g}"
    )
    return (
        f"{trained_in_words(first.to_dict(), widths)}, {_counts(runs)} · "
        f"{first['clock_machine']}{kind} · seconds: {how}{trained}{schedule}"
        + (f"\n{noise}" if noise else "")
    )


def _counts(runs: pd.DataFrame) -> str:
    """How many trials and seeds; of an import how many were assumed, and how many are repeats."""
    if not tables.imported(runs) or is_foreign(runs["network"].iloc[0]):
        return f"{len(runs)} trials, {counted(runs['seed'].nunique(), 'seed')}"
    assumed = int((runs["seconds_source"] == "assumed").sum())
    repeats = int((runs["seed"] > 0).sum())
    parts = [f"{assumed} assumed"] if assumed else []
    parts += [counted(repeats, "repeat")] if repeats else []
    return f"{len(runs)} trials" + (f" ({', '.join(parts)})" if parts else "")


AN_INCH = 14.5
"""Small letters in a line's inch."""


def headline(figure: Figure, text: str) -> None:
    """Write the first line of the text as the title, and the others below it in small letters.

    A line that is longer than the figure is wide goes on in the next.
    """
    title, *lines = text.split("\n")
    lines = [
        part for line in lines for part in textwrap.wrap(line, int(AN_INCH * figure.get_figwidth()))
    ]
    figure.suptitle(title + "\n" * len(lines), fontsize=13, x=0.01, ha="left", parse_math=False)
    for i, line in enumerate(lines):
        figure.text(
            0.01,
            1 - (0.36 + 0.15 * i) / figure.get_figheight(),
            line,
            fontsize=8.5,
            color="0.35",
            parse_math=False,
        )
