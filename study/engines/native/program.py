"""A network compiled for lanes side by side: forward, and back to the gradient."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import halide as hl
import numpy as np
from numpy.typing import NDArray

from study.engines.native import convolutions, dense
from study.engines.native.convolutions import BORDER, HALF, QUARTER
from study.engines.native.registers import target, zeros
from study.engines.native.variables import Pipeline
from study.spec.networks import CLASSES, SIDE, Network

Array = NDArray[Any]


class Kept:
    """An array between layers, and the same memory as Halide's buffer."""

    def __init__(self, *shape: int, dtype: Any = np.float32) -> None:
        self.values = zeros(*shape, dtype=dtype)
        self.buffer = hl.Buffer(self.values)


class Program:
    """A network's layers, compiled, with the arrays between them.

    Args:
        network: of every lane; without dropout.
        batch: B, images a step.
        lanes: side by side: those of a register, or of half of one.
    """

    def __init__(self, network: Network, batch: int, lanes: int) -> None:
        self.network, self.batch = network, batch
        units, shared = network.dense, not network.filters
        self.hidden, self.of_hidden = Kept(batch, units, lanes), Kept(batch, units, lanes)
        self.z, self.of_z = Kept(batch, CLASSES, lanes), Kept(batch, CLASSES, lanes)
        self.gradient = zeros(network.weights, lanes)
        self.gradients = buffers(network, self.gradient)
        if network.filters:
            one, two = network.filters
            flat = QUARTER**2 * two
            side = HALF + 2 * BORDER
            self.images = Kept(batch, SIDE + 2 * BORDER, SIDE + 2 * BORDER)
            self.h1, self.of_h1 = (
                Kept(batch, side, side, one, lanes),
                Kept(batch, HALF, HALF, one, lanes),
            )
            self.inside = hl.Buffer(self.h1.values[:, BORDER:-BORDER, BORDER:-BORDER])
            self.h2, self.of_h2 = (Kept(batch, QUARTER, QUARTER, two, lanes) for _ in range(2))
            self.won1 = Kept(*self.of_h1.values.shape, dtype=np.uint8)
            self.won2 = Kept(*self.h2.values.shape, dtype=np.uint8)
            self.inputs, self.of_inputs = (
                hl.Buffer(array.values.reshape(batch, flat, lanes))
                for array in (self.h2, self.of_h2)
            )
            self.first = compiled(convolutions.first(one, lanes))
            self.second = compiled(convolutions.second(one, two, lanes))
            self.to_second = compiled(convolutions.of_second(one, two, batch, lanes))
            self.to_first = compiled(convolutions.of_first(one, batch, lanes))
            self.to_h1 = compiled(convolutions.of_inputs(one, two, lanes))
            self.to_bias1 = compiled(convolutions.of_bias(one, HALF, batch, lanes))
            self.to_bias2 = compiled(convolutions.of_bias(two, QUARTER, batch, lanes))
            self.to_inputs = compiled(dense.of_inputs(flat, units, batch, lanes))
        else:
            flat = SIDE**2
            self.images = Kept(batch, SIDE, SIDE)
            self.inputs = hl.Buffer(self.images.values.reshape(batch, flat))
        self.dense = compiled(dense.outputs(flat, units, batch, lanes, relu=True, shared=shared))
        self.last = compiled(dense.outputs(units, CLASSES, batch, lanes, relu=False))
        self.to_hidden = compiled(dense.of_inputs(units, CLASSES, batch, lanes))
        self.to_dense = compiled(dense.of_kernel(flat, units, batch, lanes, shared))
        self.to_last = compiled(dense.of_kernel(units, CLASSES, batch, lanes))
        self.to_dense_bias = compiled(dense.of_bias(units, batch, lanes))
        self.to_last_bias = compiled(dense.of_bias(CLASSES, batch, lanes))

    def see(self, images: Array) -> None:
        """Take a batch of images, (B, 28, 28) bytes, as the inputs."""
        edge = slice(BORDER, -BORDER) if self.network.filters else slice(None)
        np.divide(images, np.float32(255), out=self.images.values[:, edge, edge])

    def forward(self, weights: Sequence[Any]) -> Array:
        """The logits (B, 10, lanes) of the images.

        Args:
            weights: what `buffers` gives.
        """
        *convolved, w3, b3, w4, b4 = weights
        if convolved:
            w1, b1, w2, b2 = convolved
            self.first(self.images.buffer, w1, b1, self.inside, self.won1.buffer)
            self.second(self.h1.buffer, w2, b2, self.h2.buffer, self.won2.buffer)
        self.dense(self.inputs, w3, b3, self.hidden.buffer)
        self.last(self.hidden.buffer, w4, b4, self.z.buffer)
        return self.z.values

    def back(self, weights: Sequence[Any]) -> Array:
        """The gradient (n, lanes), after `forward` and a gradient of the logits in `of_z`.

        Args:
            weights: those that `forward` took.
        """
        *convolved, w3, _, w4, _ = weights
        *of_convolved, of_w3, of_b3, of_w4, of_b4 = self.gradients
        hidden, of_hidden, of_z = self.hidden.buffer, self.of_hidden.buffer, self.of_z.buffer
        self.to_last(of_z, hidden, of_w4)
        self.to_last_bias(of_z, of_b4)
        self.to_hidden(of_z, w4, hidden, of_hidden)
        self.to_dense(of_hidden, self.inputs, of_w3)
        self.to_dense_bias(of_hidden, of_b3)
        if convolved:
            of_w1, of_b1, of_w2, of_b2 = of_convolved
            won1, won2 = self.won1.buffer, self.won2.buffer
            of_h1, of_h2 = self.of_h1.buffer, self.of_h2.buffer
            self.to_inputs(of_hidden, w3, self.inputs, self.of_inputs)
            self.to_second(of_h2, won2, self.h1.buffer, of_w2)
            self.to_bias2(of_h2, of_b2)
            self.to_h1(of_h2, won2, convolved[2], won1, of_h1)
            self.to_first(of_h1, won1, self.images.buffer, of_w1)
            self.to_bias1(of_h1, of_b1)
        return self.gradient

    def greatest(self) -> Array:
        """The greatest activation of each hidden layer and lane, (layers, lanes)."""
        convolved = (self.h1, self.h2) if self.network.filters else ()
        return np.stack(
            [
                layer.values.max(tuple(range(layer.values.ndim - 1)))
                for layer in (*convolved, self.hidden)
            ]
        )


def compiled(pipeline: Pipeline) -> Any:
    """What runs a pipeline on buffers: its inputs, then its outputs."""
    result, inputs = pipeline
    return result.compile_to_callable(list(inputs), target())


def buffers(network: Network, weights: Array) -> list[Any]:
    """The kernels and biases in weights (n, lanes) as buffers, which share their memory."""
    parts = np.split(weights, np.cumsum(network.sizes)[:-1])
    shapes = list(network.shapes)
    if network.filters:
        shapes[0] = (*shapes[0][:2], shapes[0][3])  # an image has one channel
    lanes = weights.shape[1]
    views = [part.reshape(*shape, lanes) for part, shape in zip(parts, shapes, strict=True)]
    assert all(np.shares_memory(view, weights) for view in views)
    return [hl.Buffer(view) for view in views]


@lru_cache(maxsize=8)
def program_of(network: Network, batch: int, lanes: int) -> Program:
    """The program of a network at a batch with lanes side by side, compiled once."""
    return Program(network, batch, lanes)
