"""The dense layers, and their gradients: products of a matrix for each lane.

Arrays as numpy has them, with the lanes that lie side by side last: inputs (B, m, lanes), or (B, m)
where all lanes see the same images; a kernel (m, n, lanes), a bias (n, lanes), outputs (B, n,
lanes).
"""

from __future__ import annotations

import halide as hl

from study.engines.native.registers import FLOAT, registers, tile
from study.engines.native.variables import (
    Func,
    Pipeline,
    channel,
    function,
    image,
    lane,
    total,
    unit,
)


def outputs(
    size: int, units: int, batch: int, lanes: int, relu: bool, shared: bool = False
) -> Pipeline:
    """What a layer gives: inputs, kernel, bias -> outputs.

    Args:
        size: of an input, m.
        units: n.
        batch: B.
        lanes: side by side.
        relu: whether ReLU comes after it.
        shared: whether all lanes have the same inputs.
    """
    inputs, kernel = hl.ImageParam(FLOAT, 2 if shared else 3), hl.ImageParam(FLOAT, 3)
    bias, taps, places = hl.ImageParam(FLOAT, 2), hl.RDom([(0, size)]), (lane, unit, image)
    value = inputs[taps.x, image] if shared else inputs[lane, taps.x, image]
    sums = total("sums", places, value * kernel[lane, unit, taps.x])
    whole = sums[places] + bias[lane, unit]
    result = function("outputs", places, hl.select(whole > 0, whole, hl.f32(0)) if relu else whole)
    _in_tiles(result, sums, lanes, unit, units, batch)
    sums.update().reorder(lane, unit, image, taps.x)
    return result, (inputs, kernel, bias)


def of_inputs(size: int, units: int, batch: int, lanes: int) -> Pipeline:
    """The gradient of what the layer below gives, zero where its ReLU gives zero.

    Inputs: the gradient of the outputs, the kernel, and the inputs of the layer.
    """
    gradient, kernel = hl.ImageParam(FLOAT, 3), hl.ImageParam(FLOAT, 3)
    inputs, taps, places = hl.ImageParam(FLOAT, 3), hl.RDom([(0, units)]), (lane, channel, image)
    sums = total("sums", places, gradient[lane, taps.x, image] * kernel[lane, taps.x, channel])
    result = function("of_inputs", places, hl.select(inputs[places] > 0, sums[places], hl.f32(0)))
    _in_tiles(result, sums, lanes, channel, size, batch)
    sums.update().reorder(lane, channel, image, taps.x)
    return result, (gradient, kernel, inputs)


def of_kernel(size: int, units: int, batch: int, lanes: int, shared: bool = False) -> Pipeline:
    """The gradient of the kernel. Inputs: the gradient of the outputs, and the inputs."""
    gradient, inputs = hl.ImageParam(FLOAT, 3), hl.ImageParam(FLOAT, 2 if shared else 3)
    taps, places = hl.RDom([(0, batch)]), (lane, unit, channel)
    value = inputs[channel, taps.x] if shared else inputs[lane, channel, taps.x]
    sums = total("sums", places, value * gradient[lane, unit, taps.x])
    result = function("of_kernel", places, sums[places])
    _in_tiles(result, sums, lanes, unit, units, size, channel)
    sums.update().reorder(lane, unit, channel, taps.x)
    return result, (gradient, inputs)


def of_bias(units: int, batch: int, lanes: int) -> Pipeline:
    """The gradient of the bias, from that of the outputs."""
    gradient, taps = hl.ImageParam(FLOAT, 3), hl.RDom([(0, batch)])
    result = total("of_bias", (lane, unit), gradient[lane, unit, taps.x])
    result.bound(lane, 0, lanes).bound(unit, 0, units).vectorize(lane)
    result.update().reorder(lane, unit, taps.x).vectorize(lane)
    return result, (gradient,)


def _in_tiles(
    result: Func,
    sums: Func,
    lanes: int,
    one: hl.Var,
    count: int,
    rest: int,
    other: hl.Var = image,
) -> None:
    """Compute a tile of `one` and `other` at once, whose sums stay in registers."""
    of = tile(count, 5)
    beside = tile(rest, registers().sums // of)
    outer, ones = hl.Var("outer"), hl.Var("ones")
    result.bound(lane, 0, lanes).bound(one, 0, count).bound(other, 0, rest)
    result.split(one, ones, one, of).split(other, outer, other, beside)
    result.reorder(lane, one, other, ones, outer).vectorize(lane).unroll(one).unroll(other)
    sums.compute_at(result, ones).bound_extent(lane, lanes)
    for stage in (sums, sums.update()):
        stage.vectorize(lane).unroll(one).unroll(other)
