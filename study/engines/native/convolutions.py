"""The convolutions with their pooling, and their gradients: what is computed, and in what order.

Each function gives a pipeline and its inputs: first the algorithm, then its schedule, which is the
order of the loops, and what stays in registers while a loop adds to it. Pooling comes before bias
and ReLU, as in `study.engines.lanes`; so a full plane of the first convolution never reaches
memory. Beside its activations each convolution keeps its winners: the place of the pooling window,
from 0 to 3, that gave the maximum, or `NONE` where ReLU gives zero. The way back needs no more.

Arrays as numpy has them, with the lanes that lie side by side last:

- images (B, 32, 32), with a border of two zeros;
- what the first convolution gives (B, 18, 18, I, lanes), with that border, and its winners (B, 14,
  14, I, lanes);
- what the second gives, and its winners, (B, 7, 7, O, lanes);
- filters (5, 5, I, lanes) and (5, 5, I, O, lanes), biases (I, lanes) and (O, lanes).

Their gradients have the same shapes; that of the first convolution's activations has no border.
"""

from __future__ import annotations

import halide as hl

from study.engines.native.registers import BYTE, FLOAT, registers, tile
from study.engines.native.variables import (
    Expr,
    Func,
    Pipeline,
    across,
    below,
    channel,
    down,
    function,
    image,
    lane,
    right,
    total,
    unit,
    x,
    y,
)
from study.spec.networks import KERNEL, SIDE

BORDER, HALF, QUARTER = KERNEL // 2, SIDE // 2, SIDE // 4


NONE = 4
"""The winner where ReLU gives zero, so that no gradient passes."""


def first(filters: int, lanes: int) -> Pipeline:
    """The first convolution: images, filters, biases -> activations, winners."""
    images, kernel = hl.ImageParam(FLOAT, 3), hl.ImageParam(FLOAT, 4)
    taps = hl.RDom([(0, KERNEL), (0, KERNEL)])
    pixel = images[2 * x + right + taps.x, 2 * y + below + taps.y, image]
    plane = total("plane", PLACES, pixel * kernel[lane, unit, taps.x, taps.y])
    bias = hl.ImageParam(FLOAT, 2)
    columns = 2 if registers().sums >= 16 else 1
    pooled = _pooled(plane, bias, filters, columns, lanes)
    plane.update().reorder(lane, unit, right, below, x, taps.x, taps.y).unroll(taps.x)
    return pooled, (images, kernel, bias)


def second(channels: int, filters: int, lanes: int) -> Pipeline:
    """The second convolution: activations, filters, biases -> activations, winners."""
    inputs, kernel = hl.ImageParam(FLOAT, 5), hl.ImageParam(FLOAT, 5)
    taps = hl.RDom([(0, channels), (0, KERNEL), (0, KERNEL)])
    value = inputs[lane, taps.x, 2 * x + right + taps.y, 2 * y + below + taps.z, image]
    plane = total("plane", PLACES, value * kernel[lane, unit, taps.x, taps.y, taps.z])
    bias = hl.ImageParam(FLOAT, 2)
    pooled = _pooled(plane, bias, filters, 1, lanes)
    plane.update().reorder(lane, unit, right, below, x, taps.y, taps.x, taps.z).unroll(taps.y)
    return pooled, (inputs, kernel, bias)


PLACES = (lane, unit, right, below, x, y, image)


def _pooled(plane: Func, bias: Expr, filters: int, columns: int, lanes: int) -> Func:
    """The plane pooled: activations and winners, on a tie that of the first place.

    Args:
        plane: of `PLACES`; its sums stay in registers.
        bias: of each filter and lane.
        filters: in all.
        columns: of the pooled plane that are computed at once.
        lanes: side by side.
    """
    (a, b), (c, d) = (
        [plane[lane, unit, column, row, x, y, image] for column in (0, 1)] for row in (0, 1)
    )
    top, bottom = hl.max(a, b), hl.max(c, d)
    value = hl.max(top, bottom) + bias[lane, unit]
    winner = hl.select(
        top >= bottom,
        hl.select(a >= b, hl.u8(0), hl.u8(1)),
        hl.select(c >= d, hl.u8(2), hl.u8(3)),
    )
    active = value > 0
    pooled = function(
        "pooled",
        (lane, unit, x, y, image),
        (hl.select(active, value, hl.f32(0)), hl.select(active, winner, hl.u8(NONE))),
    )
    units, outer, of = (
        hl.Var("units"),
        hl.Var("outer"),
        tile(filters, registers().sums // 4 // columns),
    )
    pooled.bound(lane, 0, lanes).bound(unit, 0, filters)
    pooled.split(x, outer, x, columns).split(unit, units, unit, of)
    pooled.reorder(lane, unit, x, units, outer, y, image).vectorize(lane).unroll(unit).unroll(x)
    plane.compute_at(pooled, units).bound_extent(lane, lanes)
    for stage in (plane, plane.update()):
        stage.vectorize(lane).unroll(unit).unroll(right).unroll(below).unroll(x)
    return pooled


def of_inputs(channels: int, filters: int, lanes: int) -> Pipeline:
    """The gradient of what the first convolution gives, zero where no gradient passes.

    Inputs: the gradient of what the second gives, its winners, its filters, and the winners of the
    first.
    """
    gradient, winners = hl.ImageParam(FLOAT, 5), hl.ImageParam(BYTE, 5)
    kernel, earlier = hl.ImageParam(FLOAT, 5), hl.ImageParam(BYTE, 5)
    inside = (x >= 0) & (x < HALF) & (y >= 0) & (y < HALF)
    pool = (
        *(lane, unit, hl.clamp(x // 2, 0, QUARTER - 1), hl.clamp(y // 2, 0, QUARTER - 1)),
        image,
    )
    won = inside & (hl.i32(winners[pool]) == x % 2 + 2 * (y % 2))
    plane = function("plane", (lane, unit, x, y, image), hl.select(won, gradient[pool], hl.f32(0)))
    taps = hl.RDom([(0, filters), (0, KERNEL), (0, KERNEL)])
    value = plane[lane, taps.x, x + BORDER - taps.y, y + BORDER - taps.z, image]
    places = (lane, channel, x, y, image)
    sums = total("sums", places, value * kernel[lane, taps.x, channel, taps.y, taps.z])
    passes = earlier[places] != hl.u8(NONE)
    result = function("of_inputs", places, hl.select(passes, sums[places], hl.f32(0)))

    columns, outer, channels_ = QUARTER, hl.Var("outer"), hl.Var("channels")
    result.bound(lane, 0, lanes).bound(channel, 0, channels).bound(x, 0, HALF).bound(y, 0, HALF)
    result.split(x, outer, x, columns)
    result.split(channel, channels_, channel, tile(channels, registers().sums // columns))
    result.reorder(lane, channel, x, channels_, outer, y, image)
    result.vectorize(lane).unroll(channel).unroll(x)
    sums.compute_at(result, channels_).bound_extent(lane, lanes)
    sums.vectorize(lane).unroll(channel).unroll(x)
    sums.update().reorder(lane, channel, x, taps.y, taps.x, taps.z)
    sums.update().vectorize(lane).unroll(channel).unroll(x).unroll(taps.y)
    plane.compute_at(result, image).vectorize(lane).bound_extent(lane, lanes)
    return result, (gradient, winners, kernel, earlier)


def of_second(channels: int, filters: int, batch: int, lanes: int) -> Pipeline:
    """The gradient of the second convolution's filters.

    Inputs: the gradient of what it gives, its winners, and its inputs.
    """
    gradient, winners = hl.ImageParam(FLOAT, 5), hl.ImageParam(BYTE, 5)
    inputs = hl.ImageParam(FLOAT, 5)
    pool = (lane, unit, x // 2, y // 2, image)
    won = hl.i32(winners[pool]) == x % 2 + 2 * (y % 2)
    plane = function("plane", (lane, unit, x, y, image), hl.select(won, gradient[pool], hl.f32(0)))
    # The sum over two rows stays in registers; the sum of these sums goes to memory.
    rows, strip = 2, hl.Var("strip")
    near = hl.RDom([(0, HALF), (0, rows)])
    row = rows * strip + near.y
    places = (lane, unit, across, channel, down)
    value = inputs[lane, channel, near.x + across, row + down, image]
    part = total("part", (*places, strip, image), value * plane[lane, unit, near.x, row, image])
    far = hl.RDom([(0, HALF // rows), (0, batch)])
    result = total("of_second", (lane, unit, channel, across, down), part[(*places, far.x, far.y)])

    units, of = hl.Var("units"), tile(filters, registers().sums // KERNEL)
    for variable, extent in ((lane, lanes), (unit, filters), (channel, channels)):
        result.bound(variable, 0, extent)
    result.bound(across, 0, KERNEL).bound(down, 0, KERNEL).vectorize(lane)
    result.update().split(unit, units, unit, of)
    result.update().reorder(lane, unit, across, units, channel, down, far.x, far.y)
    result.update().vectorize(lane).unroll(unit).unroll(across)
    part.compute_at(result, units).bound_extent(lane, lanes)
    part.vectorize(lane).unroll(unit).unroll(across)
    part.update().reorder(lane, unit, across, near.x, near.y)
    part.update().vectorize(lane).unroll(unit).unroll(across)
    plane.compute_at(result, far.x).vectorize(lane).bound_extent(lane, lanes)
    return result, (gradient, winners, inputs)


def of_first(filters: int, batch: int, lanes: int) -> Pipeline:
    """The gradient of the first convolution's filters.

    Inputs: the gradient of what it gives, its winners, and the images.
    """
    gradient, winners = hl.ImageParam(FLOAT, 5), hl.ImageParam(BYTE, 5)
    images = hl.ImageParam(FLOAT, 3)
    # A row of pooling windows stays in registers; the sum of these sums goes to memory.
    near = hl.RDom([(0, 2), (0, 2), (0, HALF)])
    strip = hl.Var("strip")
    pool = (lane, unit, near.z, strip, image)
    won = hl.i32(winners[pool]) == near.x + 2 * near.y
    value = hl.select(won, gradient[pool], hl.f32(0))
    pixel = images[2 * near.z + near.x + across, 2 * strip + near.y + down, image]
    places = (lane, unit, across, down)
    part = total("part", (*places, strip, image), pixel * value)
    far = hl.RDom([(0, HALF), (0, batch)])
    result = total("of_first", places, part[(*places, far.x, far.y)])

    units, of = hl.Var("units"), tile(filters, registers().sums // KERNEL)
    result.bound(lane, 0, lanes).bound(unit, 0, filters)
    result.bound(across, 0, KERNEL).bound(down, 0, KERNEL).vectorize(lane)
    result.update().split(unit, units, unit, of)
    result.update().reorder(lane, unit, across, units, down, far.x, far.y)
    result.update().vectorize(lane).unroll(unit).unroll(across)
    part.compute_at(result, units).bound_extent(lane, lanes)
    part.vectorize(lane).unroll(unit).unroll(across)
    part.update().reorder(lane, unit, across, near.x, near.y, near.z)
    part.update().vectorize(lane).unroll(unit).unroll(across).unroll(near.x).unroll(near.y)
    return result, (gradient, winners, images)


def of_bias(filters: int, side: int, batch: int, lanes: int) -> Pipeline:
    """The gradient of a convolution's biases, from that of its activations."""
    gradient = hl.ImageParam(FLOAT, 5)
    taps = hl.RDom([(0, side), (0, side), (0, batch)])
    result = total("of_bias", (lane, unit), gradient[lane, unit, taps.x, taps.y, taps.z])
    result.bound(lane, 0, lanes).bound(unit, 0, filters).vectorize(lane)
    result.update().reorder(lane, unit, taps.x, taps.y, taps.z).vectorize(lane)
    return result, (gradient,)
