"""The gradient of lanes in registers, against differences of a loss in double precision."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from study.engines.native.lanes import softmax
from study.engines.native.program import Program, buffers
from study.engines.native.registers import placed, registers
from study.spec.networks import Network
from support.engines.images import images

pytestmark = pytest.mark.slow

Doubles = NDArray[np.float64]

BATCH, SHIFT = 6, 1e-6

NETWORKS = {
    "compact": Network((2, 4), 15, 0.0),
    "one filter": Network((1, 1), 3, 0.0),
    "primes": Network((3, 7), 11, 0.0),
    "perceptron": Network((), 13, 0.0),
}


def parts(network: Network, w: Doubles) -> list[Doubles]:
    """The kernels and biases in the weights (n,)."""
    cut = np.split(w, np.cumsum(network.sizes)[:-1])
    return [part.reshape(shape) for part, shape in zip(cut, network.shapes, strict=True)]


def convolved(x: Doubles, kernel: Doubles, bias: Doubles) -> Doubles:
    """Same-padded convolution, pooled 2 x 2, ReLU: (B, H, W, I) -> (B, H / 2, W / 2, O)."""
    batch, side = x.shape[:2]
    wide = np.pad(x, [(0, 0), (2, 2), (2, 2), (0, 0)])
    plane = sum(
        wide[:, i : i + side, j : j + side] @ kernel[i, j] for i in range(5) for j in range(5)
    )
    pooled = np.asarray(plane).reshape(batch, side // 2, 2, side // 2, 2, -1).max(axis=(2, 4))
    return np.asarray(np.maximum(pooled + bias, 0))


def loss(network: Network, w: Doubles, x: Doubles, y: NDArray[Any]) -> float:
    """The mean cross-entropy of the images x in [0, 1]."""
    *convolutions, w3, b3, w4, b4 = parts(network, w)
    h = x[..., None]
    for kernel, bias in zip(convolutions[::2], convolutions[1::2], strict=True):
        h = convolved(h, kernel, bias)
    z = np.maximum(h.reshape(len(x), -1) @ w3 + b3, 0) @ w4 + b4
    z -= z.max(axis=1, keepdims=True)
    return float(np.mean(np.log(np.exp(z).sum(axis=1)) - z[np.arange(len(y)), y]))


@pytest.mark.parametrize("name", NETWORKS)
def test_the_gradient_is_the_slope_of_the_loss(name: str) -> None:
    """Of each array of weights the largest gradients and some others, in every lane."""
    network, lanes = NETWORKS[name], registers().lanes
    draw = np.random.default_rng(0)
    w = np.array([network.initial_weights(seed) for seed in range(lanes)]).astype(np.float64)
    w += draw.normal(0, 0.05, w.shape)  # biases are zero at first, and ReLU has its corner there
    w = w.astype(np.float32).astype(np.float64)
    pixels, y = images().x_train[:BATCH], images().y_train[:BATCH]
    x = pixels / 255.0
    program, held = Program(network, BATCH, lanes), placed(w.T.astype(np.float32))
    program.see(pixels)
    losses, _, program.of_z.values[:] = softmax(program.forward(buffers(network, held)), y)
    gradient = program.back(buffers(network, held))
    assert losses == pytest.approx([loss(network, row, x, y) for row in w], abs=1e-5)
    ends = np.cumsum(network.sizes)
    for lane in (0, lanes // 2, lanes - 1):
        for begin, end in zip([0, *ends[:-1]], ends, strict=True):
            own = gradient[begin:end, lane]
            chosen = {*(begin + np.abs(own).argsort()[-3:]), *draw.integers(begin, end, 3)}
            for index in chosen:
                beside = [w[lane].copy(), w[lane].copy()]
                beside[0][index] += SHIFT
                beside[1][index] -= SHIFT
                above, below = (loss(network, one, x, y) for one in beside)
                slope = (above - below) / (2 * SHIFT)
                assert gradient[index, lane] == pytest.approx(slope, rel=2e-3, abs=2e-6), index


def test_a_tie_of_the_pool_goes_to_the_first_place() -> None:
    """As in TensorFlow: an empty image ties everywhere, and the gradient of a filter's weight tells
    which place was taken.
    """
    network, lanes = Network((1, 1), 2, 0.0), registers().lanes
    program = Program(network, 1, lanes)
    w = placed(np.full((network.weights, lanes), 0.1, np.float32))
    program.see(np.zeros((1, 28, 28), np.uint8))
    program.forward(buffers(network, w))
    assert (program.won1.values == 0).all()
    inner = program.won2.values[:, 1:-1, 1:-1]
    assert (inner == 0).all()
