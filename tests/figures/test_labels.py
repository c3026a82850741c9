"""What stands at a tick, in every figure of the package."""

from __future__ import annotations

import re
from functools import cache, partial
from inspect import isfunction
from typing import Any

import matplotlib
import pytest
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.container import BarContainer
from matplotlib.ticker import FixedFormatter, FuncFormatter

from study import figures
from study.figures.style import PALETTE
from support.figures.drawn import DATA, drawn

pytestmark = pytest.mark.slow

LOWERED = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")
UNITS = {"": 1.0, "%": 1.0, "x": 1.0, "s": 1.0, "k": 1e3, "M": 1e6}


def number(text: str) -> float:
    """A tick's label read back: `2.5 %`, `1,000`, `10⁻³`, and `2\\times10^{-3}` in mathtext.

    >>> number("10⁻³")
    0.001
    >>> number("1,000"), number("12.5 %"), number("$\\\\mathdefault{2\\\\times10^{-3}}$")
    (1000.0, 12.5, 0.002)
    """
    text = re.sub(r"10([⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+)$", lambda power: f"10^{power[1].translate(LOWERED)}", text)
    plain = re.sub(r"[${},]|\\mathdefault", "", text.replace("\N{MINUS SIGN}", "-"))
    if "10^" in plain:
        factor, _, exponent = plain.partition("10^")
        times = {"": 1.0, "-": -1.0}.get(factor) or float(factor.removesuffix(r"\times"))
        return times * 10.0 ** int(exponent)
    found = re.fullmatch(r"(-?[\d.]+(?:e[-+]?\d+)?) ?([%xskM]?)", plain)
    assert found, f"no number: {text!r}"
    return float(found[1]) * UNITS[found[2]]


def shown(axis: Axis) -> list[tuple[float, str]]:
    """The ticks of an axis that are in view and have a label, and these; none for named places."""
    if isinstance(axis.get_major_formatter(), FixedFormatter | FuncFormatter):
        return []
    low, high = sorted(axis.get_view_interval())
    ticks = [*axis.get_major_ticks(), *axis.get_minor_ticks()]
    return [
        (tick.get_loc(), label.get_text())
        for tick in ticks
        for label in (tick.label1, tick.label2)
        if label.get_visible() and label.get_text() and low <= tick.get_loc() <= high
    ]


CASES = [
    pytest.param(function, make, value, id=f"{function.__name__}-{make.__name__}-{value:g}")
    for function, kinds in DATA.items()
    for make, values in kinds.items()
    for value in values
]


def test_every_function_that_draws_is_among_them() -> None:
    """A new one is given its data in `support.figures.drawn`."""
    functions = [thing for name in figures.__all__ if isfunction(thing := getattr(figures, name))]
    drawing = {thing for thing in functions if "Figure" in str(thing.__annotations__["return"])}
    assert drawing - {figures.draw} == set(DATA)


@cache
def panels_of(function: Any, make: Any, value: float) -> list[Axes]:
    """The panels in view, drawn while a notebook's own settings would shorten numbers."""
    with matplotlib.rc_context({"axes.formatter.useoffset": True, "axes.formatter.limits": (0, 0)}):
        found = drawn(function, make(value))
    return [axes for figure in found for axes in figure.axes if axes.get_visible()]


@pytest.mark.parametrize(("function", "make", "value"), CASES)
def test_a_label_is_where_it_says(function: Any, make: Any, value: float) -> None:
    """To the last digit, with nothing to add or to multiply at the axis' end."""
    axes = [axis for each in panels_of(function, make, value) for axis in (each.xaxis, each.yaxis)]
    labels = [label for axis in axes for label in shown(axis)]
    near = partial(pytest.approx, rel=1e-6, abs=1e-12)
    assert labels
    assert not [(text, place) for place, text in labels if number(text) != near(place)]
    assert not [axis for axis in axes if axis.get_offset_text().get_text()]


@pytest.mark.parametrize(("function", "make", "value"), CASES)
def test_titles_fit_their_figure(function: Any, make: Any, value: float) -> None:
    """No word of them is cut off at its right."""
    sheets: set[Any] = {axes.figure for axes in panels_of(function, make, value)}
    for figure in sheets:
        titles = [text for text in (*figure.texts, figure._suptitle) if text is not None]
        assert not [text for text in titles if text.get_window_extent().x1 > figure.bbox.x1]


@pytest.mark.parametrize(("function", "make", "value"), CASES)
def test_no_bar_stands_on_a_logarithmic_axis(function: Any, make: Any, value: float) -> None:
    """Its length would depend on where the axis begins."""
    panels = panels_of(function, make, value)
    bars = [each for each in panels if any(isinstance(c, BarContainer) for c in each.containers)]
    assert not [each for each in bars if "log" in (each.get_xscale(), each.get_yscale())]


def test_the_palette_is_seaborns() -> None:
    """The one for the colour-blind, written down so that seaborn need not be loaded."""
    import seaborn as sns

    assert list(PALETTE) == sns.color_palette("colorblind").as_hex()
