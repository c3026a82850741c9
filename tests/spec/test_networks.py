"""The networks' sizes, arithmetic and initial weights, against plain Keras models and numbers
worked out by hand.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from study.spec.networks import BASE, Network, network, network_of
from study.spec.study import StudySpec
from study.spec.trial import NETWORKS
from support.engines.keras_model import unflatten

pytestmark = pytest.mark.slow

CASES = [
    ("compact", 0.25, False, (1, 1), 15),
    ("compact", 1.0, False, (2, 4), 15),
    ("compact", 1.25, True, (3, 5), 19),
    ("compact", 5.5, False, (11, 22), 15),
    ("compact", 10.0, True, (20, 40), 150),
    ("tutorial", 0.1, True, (3, 6), 102),
    ("tutorial", 1.0, False, (32, 64), 1024),
    ("tutorial", 1.25, True, (40, 80), 1280),
    ("tutorial", 2.0, False, (64, 128), 1024),
    ("mlp", 1.0, False, (), 784),
    ("mlp", 0.25, True, (), 196),
]
"""Name, width, whether the dense layer is scaled, and by hand: filters and dense units."""


@cache
def model(filters: tuple[int, ...], dense: int, dropout: float) -> Any:
    """The network as the article's reader would write it in Keras."""
    return keras.Sequential(
        [
            layers.Input((28, 28, 1)),
            *(
                layer
                for count in filters
                for layer in (
                    layers.Conv2D(count, 5, padding="same", activation="relu"),
                    layers.MaxPooling2D(),
                )
            ),
            layers.Flatten(),
            layers.Dense(dense, activation="relu"),
            layers.Dropout(dropout),
            layers.Dense(10),
        ]
    )


def multiply_adds(layer: Any) -> int:
    """Multiplications of one layer, from what Keras says of its input and output."""
    if isinstance(layer, layers.Conv2D):
        _, height, width, outputs = layer.output.shape
        return int(height * width * math.prod(layer.kernel_size) * layer.input.shape[-1] * outputs)
    if isinstance(layer, layers.Dense):
        return int(layer.input.shape[-1] * layer.output.shape[-1])
    return 0


@pytest.mark.parametrize(("name", "width", "scale_dense", "filters", "dense"), CASES)
def test_counts_are_those_of_a_plain_keras_model(
    name: str, width: float, scale_dense: bool, filters: tuple[int, ...], dense: int
) -> None:
    """Filters and units are the hand's; shapes, weights and multiply-adds are Keras's for those."""
    mine = network(name, width, scale_dense)
    assert mine == Network(filters, dense, BASE[name].dropout)
    peer = model(filters, dense, mine.dropout)
    assert mine.shapes == tuple(tuple(weight.shape) for weight in peer.weights)
    assert mine.weights == peer.count_params() == sum(mine.sizes)
    assert mine.multiply_adds == sum(map(multiply_adds, peer.layers))


@pytest.mark.parametrize(
    ("name", "weights", "multiply_adds", "dropout"),
    [("compact", 3_371, 81_490, 0.0), ("tutorial", 3_274_634, 13_883_904, 0.4)],
)
def test_the_published_sizes(name: str, weights: int, multiply_adds: int, dropout: float) -> None:
    """At width 1 the networks have the article's sizes, worked out by hand."""
    assert (network(name).weights, network(name).multiply_adds, network(name).dropout) == (
        weights,
        multiply_adds,
        dropout,
    )


@pytest.mark.parametrize("s", [1, 1.25, 2, 5.5, 10])
def test_the_tutorial_networks_weights_are_quadratic_in_its_width(s: float) -> None:
    """The published size study's formula holds, and only while the dense layer is not scaled."""
    assert network("tutorial", s).weights == 51_200 * s**2 + 3_212_160 * s + 11_274
    assert network(
        "tutorial", s, scale_dense=True
    ).weights == 51_200 * s**2 + 3_212_160 * s + 11_274 + (s - 1) * 1024 * (3136 * s + 11)


@pytest.mark.parametrize(
    ("width", "filters"),
    [
        (1e-6, (1, 1)),
        (0.125, (1, 1)),
        (0.24, (1, 1)),
        (0.375, (1, 2)),
        (0.75, (2, 3)),
        (0.74, (1, 3)),
        (1.25, (3, 5)),
        (1.75, (4, 7)),
    ],
)
def test_halves_round_up_and_no_layer_vanishes(width: float, filters: tuple[int, int]) -> None:
    """2.5 filters are 3 and 1.5 are 2 (not to even), 1.48 are 1, and there is always one."""
    assert network("compact", width).filters == filters


@pytest.mark.parametrize("scale_dense", [False, True])
def test_a_trial_trains_its_own_network(scale_dense: bool) -> None:
    """Name, width and scaling are read off the trial."""
    trial = StudySpec(network="tutorial", widths=(0.5,), scale_dense=scale_dense).trials()[0]
    assert network_of(trial) == Network((16, 32), 512 if scale_dense else 1024, 0.4)


FANS = {
    "compact": (25 + 50, 50 + 100, 196 + 15, 15 + 10),
    "tutorial": (25 + 800, 800 + 1600, 3136 + 1024, 1024 + 10),
    "mlp": (784 + 784, 784 + 10),
}
"""Fan in plus fan out of the kernels at width 1."""


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", NETWORKS)
def test_initial_kernels_are_uniform_within_glorots_limit_and_biases_zero(
    name: str, seed: int
) -> None:
    """Bounds, mean, variance and quarters, each within five standard errors."""
    parts = unflatten(network(name), network(name).initial_weights(seed))
    for bias in parts[1::2]:
        assert not bias.any()
    for kernel, fans in zip(parts[::2], FANS[name], strict=True):
        limit, n = math.sqrt(6 / fans), kernel.size
        u = kernel.astype(np.float64).ravel() / limit
        assert np.abs(u).max() <= 1 + 1e-7  # a limit rounded to float32 may be past itself
        assert abs(u.mean()) < 5 * math.sqrt(1 / 3 / n)
        assert abs(u.var() - 1 / 3) < 5 * math.sqrt(4 / 45 / n)
        shares = np.histogram(u, 4, (-1.001, 1.001))[0] / n
        np.testing.assert_allclose(shares, 0.25, atol=5 * math.sqrt(0.25 * 0.75 / n) + 1e-3)


def test_the_seed_alone_decides_the_initial_weights() -> None:
    """The same seed gives the same bits, another seed other kernels; no kernel repeats."""
    mine = network("compact", 2)
    first = mine.initial_weights(7)
    assert first.dtype == np.float32
    assert first.shape == (mine.weights,)
    assert first.tobytes() == mine.initial_weights(7).tobytes()
    kernels = first != 0
    assert (first != mine.initial_weights(8))[kernels].all()
    assert len(np.unique(first[kernels])) > 0.99 * kernels.sum()
