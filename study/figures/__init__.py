"""Tables to figures."""

from study.figures.compare import overlay, overlays
from study.figures.contest import costs, picks
from study.figures.curves import curves
from study.figures.cycles import cycles
from study.figures.files import MOST_WIDTHS, draw, save, write
from study.figures.final import final
from study.figures.population import HERE, NEVER, THERE, lineage
from study.figures.schedules import DECAYS, RISES, decay, every_schedule, schedules
from study.figures.search import OF_ACCURACY, RULE_MARKERS, SWEEP_ENDS, staircase, sweep
from study.figures.sizes import MOST_NAMED, size, size_parts, size_valley, sizes, slopes
from study.figures.style import COLOURS, LABELS, MARKERS, Drawing, Look, label_of, looks
from study.figures.targets import targets
from study.figures.valley import ENDS, envelope, profile, valley

__all__ = [
    "COLOURS",
    "DECAYS",
    "ENDS",
    "HERE",
    "LABELS",
    "MARKERS",
    "MOST_NAMED",
    "MOST_WIDTHS",
    "NEVER",
    "OF_ACCURACY",
    "RISES",
    "RULE_MARKERS",
    "SWEEP_ENDS",
    "THERE",
    "Drawing",
    "Look",
    "costs",
    "curves",
    "cycles",
    "decay",
    "draw",
    "envelope",
    "every_schedule",
    "final",
    "label_of",
    "lineage",
    "looks",
    "overlay",
    "overlays",
    "picks",
    "profile",
    "save",
    "schedules",
    "size",
    "size_parts",
    "size_valley",
    "sizes",
    "slopes",
    "staircase",
    "sweep",
    "targets",
    "valley",
    "write",
]
