"""The learning rate over the steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from study.figures.style import Drawing, grid_shape, headline, own_settings, panels, stacked_panels
from study.spec.schedules.base import Schedule
from study.spec.schedules.parse import parse, rates

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from matplotlib.axes import Axes


DECAYS = (
    "exponential:rate=0.6,steps=200",
    "exponential:rate=0.6,steps=200,staircase=true",
    "inverse-time:rate=4,steps=250",
    "piecewise:boundaries=400/800,factors=1/0.5/0.1",
    "polynomial:steps=800,end=0.1,power=2",
    "cosine:steps=800",
)


RISES = (
    "cosine-restarts:steps=140,m_mul=0.8",
    "polynomial:steps=250,cycle=true",
    "exp-range:half=125,gamma=0.998",
    "triangular:half=125",
    "triangular2:half=125",
    "triangular2:half=125,base=0,window=hann",
    "triangular:half=125,window=welch",
    "one-cycle:steps=900",
    "one-cycle:steps=900,kind=fastai",
    "linear-ramp:low=0.1,steps=800",
    "geometric-ramp:low=0.001,steps=800",
    "cosine:steps=700,warmup=200",
)
"""The schedules that `every_schedule` shows over 1,000 steps, one of each kind."""


@own_settings()
def schedules(shown: Iterable[str | Schedule], steps: int, title: str) -> Figure:
    """The factor on the learning rate against the step, a panel a schedule.

    Args:
        shown: the schedules, or their texts.
        steps: how many steps to show.
        title: the figure's title.

    Returns:
        The figure.
    """
    shapes = [parse(shape) for shape in shown]
    rows, _ = grid_shape(len(shapes))
    room = ConstrainedLayoutEngine(wspace=0.06)  # for the numbers at the ends of the axes
    figure = Drawing(figsize=(9.5, 0.9 + 2.1 * rows), layout=room)
    shown_on = panels(figure, len(shapes), sharex=True, sharey=True)
    for shape, axes in zip(shapes, shown_on, strict=True):
        draw_rate(axes, shape, 1.0, steps, color="C0", linewidth=1.8)
        name, _, arguments = str(shape).partition(":")
        axes.set_title(name, fontsize=10.5, loc="left", pad=16, fontweight="bold")
        axes.text(
            0,
            1.03,
            arguments,
            transform=axes.transAxes,
            fontsize=8,
            color="0.35",
            family="monospace",
        )
        axes.set_ylim(bottom=0)
        axes.set_xticks([0, steps / 2, steps])
    figure.supxlabel("step", fontsize=10)
    headline(
        figure,
        f"{title}\nlearning rate, as a share of the one that a study or an optimizer is given; "
        "below a name, its arguments",
    )
    return figure


@own_settings()
def decay(
    lines: Mapping[str, str | Schedule], learning_rate: float, steps: int, title: str
) -> Figure:
    """The learning rate against the step.

    Args:
        lines: schedules, or their texts, by their labels.
        learning_rate: the rate at the factor 1.
        steps: how many steps to show.
        title: the figure's title.

    Returns:
        The figure.
    """
    figure, (axes,) = stacked_panels(1, size=(8, 4.2))
    for label, shape in lines.items():
        draw_rate(axes, parse(shape), learning_rate, steps, label=label, linewidth=1.8)
    axes.set_xlabel("step")
    axes.set_ylabel("learning rate")
    if len(lines) > 1:
        axes.legend(frameon=False)
    headline(figure, f"{title}\n{' · '.join(str(parse(shape)) for shape in lines.values())}")
    return figure


def every_schedule() -> dict[str, Figure]:
    """Figures of all schedules, by file: those that decay, those that rise, the article's two."""
    smooth, steps = (
        "exponential:rate=0.96,steps=100",
        "exponential:rate=0.96,steps=100,staircase=true",
    )
    pieces = "piecewise:boundaries=10000/12000,factors=1/0.5/0.1"
    return {
        "schedules-decay": schedules(DECAYS, 1000, "Schedules that decay"),
        "schedules-rise": schedules(
            RISES, 1000, "Schedules that rise: cycles, restarts, one-cycle, ramps, warm-up"
        ),
        "decay-exponential": decay(
            {"smooth": smooth, "staircase": steps},
            0.1,
            1000,
            "Exponential decay: 0.1 x 0.96^(step / 100)",
        ),
        "decay-piecewise": decay(
            {"rate": pieces},
            1.0,
            20_000,
            "Piecewise constant: 1.0 to step 10,000, 0.5 to 12,000, then 0.1",
        ),
    }


def draw_rate(axes: Axes, shape: Schedule, learning_rate: float, steps: int, **style: Any) -> None:
    """The rate at every step as a line."""
    axes.plot(np.arange(steps + 1), rates(shape, [learning_rate], 0, steps + 1)[:, 0], **style)
    axes.set_xlim(0, steps)
