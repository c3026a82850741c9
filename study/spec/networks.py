"""The networks at any width: shapes, counts and initial weights."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from study.spec.trial import Trial

CLASSES = 10


SIDE = 28


KERNEL = 5


LARGE = 100_000
"""Weights of an array that is worth a pass of its own over memory."""


@dataclass(frozen=True)
class Network:
    """Two convolutions and two dense layers, or a perceptron.

    conv 5x5, ReLU, 2x2 max-pool; conv 5x5, ReLU, 2x2 max-pool; dense, ReLU, dropout; dense 10. Same
    padding, biases everywhere.

    Args:
        filters: filters of the two convolutions; empty for a perceptron, which has only the two
            dense layers.
        dense: units of the first dense layer.
        dropout: share of that layer's outputs dropped in training.
    """

    filters: tuple[int, ...]
    dense: int
    dropout: float

    @cached_property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """Shapes of the weight arrays as in Keras: kernel and bias of each layer, in order."""
        flat = SIDE**2
        convolutions: tuple[tuple[int, ...], ...] = ()
        if self.filters:
            first, second = self.filters
            convolutions = (
                (KERNEL, KERNEL, 1, first),
                (first,),
                (KERNEL, KERNEL, first, second),
                (second,),
            )
            flat = (SIDE // 4) ** 2 * second
        return (*convolutions, (flat, self.dense), (self.dense,), (self.dense, CLASSES), (CLASSES,))

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """Numbers of weights in those arrays."""
        return tuple(math.prod(shape) for shape in self.shapes)

    @cached_property
    def pieces(self) -> tuple[tuple[int, ...], ...]:
        """The sizes in groups: each large array alone, neighbours among the small ones together.

        >>> BASE["tutorial"].pieces
        ((800, 32, 51200, 64), (3211264,), (1024, 10240, 10))
        """
        groups = groupby(self.sizes, key=lambda size: size >= LARGE)
        return tuple(
            piece
            for large, sizes in groups
            for piece in ([(size,) for size in sizes] if large else [tuple(sizes)])
        )

    @property
    def weights(self) -> int:
        """n, the number of trainable weights."""
        return sum(self.sizes)

    @property
    def multiply_adds(self) -> int:
        """Multiplications, each with its addition, that classify one image.

        A training step takes about three times as many for each image.
        """
        *convolutions, dense, last = self.sizes[::2]
        return (
            sum((SIDE >> i) ** 2 * kernel for i, kernel in enumerate(convolutions)) + dense + last
        )

    def initial_weights(self, seed: int) -> NDArray[np.float32]:
        """Glorot-uniform kernels, U(-l, l) with l = sqrt(6 / (fan in + fan out)), and zero biases.

        The same seed gives the same weights on every machine. Glorot and Bengio 2010.

        Returns:
            All weights as one flat array, (n,).
        """
        random = np.random.default_rng([seed, 0])
        parts = []
        for shape in self.shapes:
            if len(shape) == 1:
                parts.append(np.zeros(shape, np.float32))
            else:
                field = math.prod(shape[:-2])
                limit = math.sqrt(6 / (field * (shape[-2] + shape[-1])))
                parts.append(random.uniform(-limit, limit, math.prod(shape)).astype(np.float32))
        return np.concatenate(parts)


BASE = {
    "compact": Network((2, 4), 15, 0.0),
    "tutorial": Network((32, 64), 1024, 0.4),
    "mlp": Network((), 784, 0.0),
}
"""The networks at width 1: `compact` has the article's "roughly 3,400 weights", `tutorial` is what
the published code trained, `mlp` is the 784-784-10 of the case study of cyclical rates.
"""


@cache
def network(name: str, width: float = 1.0, scale_dense: bool = False) -> Network:
    """The network of that name at a width.

    Args:
        name: one of `BASE`.
        width: the factor on the numbers of filters; halves round up, and 1 is the least number.
        scale_dense: multiply the units of the first dense layer too, as always for a perceptron.

    Returns:
        The network.

    >>> network("compact").weights, network("compact", 2.0).filters
    (3371, (4, 8))
    """
    base = BASE[name]

    def scaled(count: int) -> int:
        return max(1, math.floor(count * width + 0.5))

    return Network(
        filters=(scaled(base.filters[0]), scaled(base.filters[1])) if base.filters else (),
        dense=scaled(base.dense) if scale_dense or not base.filters else base.dense,
        dropout=base.dropout,
    )


def network_of(trial: Trial) -> Network:
    """The network that a trial trains."""
    return network(trial.network, trial.width, trial.scale_dense)


@dataclass(frozen=True)
class Size:
    """How large the network of a trial is.

    Args:
        weights: the number of trainable weights.
        multiply_adds: multiplications, each with its addition, of one image or sample.
    """

    weights: int
    multiply_adds: int


def size_of(trial: Trial) -> Size:
    """The size of the network of a trial, built-in or the user's own."""
    if trial.start:
        return Size(trial.size[0], max(1, trial.size[1])) if trial.size else Size(0, 1)
    net = network_of(trial)
    return Size(net.weights, net.multiply_adds)
