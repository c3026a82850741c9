"""All of a study on one page."""

from study.report.page import DATA, LONGEST_NUMBER, TEMPLATE, numeric, page, rebuild, write
from study.report.pictures import ALT, DPI, Picture, drawings, picture
from study.report.protocol import Folded, folded, protocol
from study.report.sections import (
    ENOUGH,
    Experiment,
    Lines,
    Row,
    Summary,
    best_rates,
    experiment,
    lines,
    notes,
    read,
    summary,
    verdicts,
)

__all__ = [
    "ALT",
    "DATA",
    "DPI",
    "ENOUGH",
    "LONGEST_NUMBER",
    "TEMPLATE",
    "Experiment",
    "Folded",
    "Lines",
    "Picture",
    "Row",
    "Summary",
    "best_rates",
    "drawings",
    "experiment",
    "folded",
    "lines",
    "notes",
    "numeric",
    "page",
    "picture",
    "protocol",
    "read",
    "rebuild",
    "summary",
    "verdicts",
    "write",
]
