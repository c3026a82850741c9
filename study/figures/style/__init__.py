"""What all figures share: looks, axes, titles."""

from study.figures.style.axes import (
    Drawing,
    check_one_width,
    explain_emptiness,
    finite,
    grid_shape,
    legend_beside,
    note_on_line,
    own_settings,
    panels,
    rate_and_seconds_axes,
    stacked_panels,
    styled_axes,
)
from study.figures.style.looks import (
    COLOURS,
    LABELS,
    MARKERS,
    Look,
    folded,
    label_of,
    looks,
    looks_of,
)
from study.figures.style.titles import budget_of, headline, seconds_label, subtitle_of

__all__ = [
    "COLOURS",
    "LABELS",
    "MARKERS",
    "Drawing",
    "Look",
    "budget_of",
    "check_one_width",
    "explain_emptiness",
    "finite",
    "folded",
    "grid_shape",
    "headline",
    "label_of",
    "legend_beside",
    "looks",
    "looks_of",
    "note_on_line",
    "own_settings",
    "panels",
    "rate_and_seconds_axes",
    "seconds_label",
    "stacked_panels",
    "styled_axes",
    "subtitle_of",
]
